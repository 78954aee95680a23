#![expect(clippy::disallowed_methods, reason = "a test lays its own files")]

use super::*;

struct Made {
    _folder: tempfile::TempDir,
    result: Result<Rename, RenameError>,
}

fn plan_in(files: &[(&str, &str)], request: &Request<'_>) -> Made {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }
    let roots = Roots::open(&[folder.path().to_owned()]).expect("roots");
    let result = plan(&roots, request, &AtomicBool::new(false));
    Made {
        _folder: folder,
        result,
    }
}

fn request<'a>(old: &'a str, path: Option<&'a str>) -> Request<'a> {
    Request {
        old,
        new: "fresh",
        path,
        unsure: Unsure::Leave,
    }
}

/// Renames `old` to `fresh`. A `~` stands behind each `old` that is to become one, and a `?` behind each that is
/// listed as not sure.
fn check(old: &str, path: Option<&str>, files: &[(&str, &str)]) {
    let name = request(old, None).parts().1.to_owned();
    let plain: Vec<(&str, String)> = files
        .iter()
        .map(|(path, text)| {
            let text = text.replace(&format!("{name}~"), &name);
            (*path, text.replace(&format!("{name}?"), &name))
        })
        .collect();
    let laid: Vec<(&str, &str)> = plain
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    let rename = plan_in(&laid, &request(old, path)).result.expect("a plan");
    for (path, text) in files {
        let expected = text
            .replace(&format!("{name}~"), "fresh")
            .replace(&format!("{name}?"), &name);
        let plain = plain.iter().find(|(other, _)| other == path);
        let before = plain.map(|(_, text)| text.clone()).unwrap_or_default();
        let after = rename.files.get(*path).unwrap_or(&before);
        assert_eq!(*after, expected, "{path}");
        let unsure = rename.unsure.iter().filter(|sight| sight.path == *path);
        assert_eq!(
            unsure.count(),
            text.matches(&format!("{name}?")).count(),
            "{path}: {:?}",
            rename.unsure
        );
    }
}

#[test]
fn a_function_of_rust_is_renamed_with_its_uses() {
    check(
        "old",
        None,
        &[
            (
                "src/a.rs",
                "/// See [`old~`], and\n/// ```\n/// old~(1);\n/// ```\n/// old is kept.\npub fn old~(x: u8) -> u8 { x }\nfn f(s: S) { old~(s.old); self::old~(2); let old = old~(3); old; println!(\"old {}\", old); }\n#[cfg(test)]\nmod tests {\n    use super::*;\n    #[test]\n    fn t() { assert_eq!(old~(1), 1); mine!(old?); }\n}\n",
            ),
            (
                "src/lib.rs",
                "mod a;\nmod b;\nmod c;\npub use a::old~;\nfn g() { crate::a::old~(1); std::mem::old(2); }\n",
            ),
            (
                "src/b.rs",
                "use crate::a::{self, old~ as other};\nfn g() { other(1); a::old~(1); x.old(2); }\n",
            ),
            ("src/c.rs", "use std::old;\nfn g() { old(1); }\n"),
            ("src/d.rs", "fn g() { old(1); }\n"),
        ],
    );
}

#[test]
fn one_of_several_functions_is_renamed_by_its_file() {
    let files: &[(&str, &str)] = &[
        (
            "src/lib.rs",
            "mod a;\nmod b;\nfn f() { a::old~(); b::old(); }\n",
        ),
        ("src/a.rs", "pub fn old~() {}\n"),
        ("src/b.rs", "pub fn old() { old(); }\n"),
        ("src/c.rs", "use crate::a::old~;\nfn f() { old~(); }\n"),
        ("src/d.rs", "use super::b::old;\nfn f() { old(); }\n"),
    ];
    check("old", Some("src/a.rs"), files);
    let plain: Vec<(&str, String)> = files
        .iter()
        .map(|(path, text)| (*path, text.replace("old~", "old")))
        .collect();
    let plain: Vec<(&str, &str)> = plain
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    let error = plan_in(&plain, &request("old", None))
        .result
        .expect_err("which one");
    assert!(
        error.to_string().contains("src/a.rs:1: pub fn old() {}"),
        "{error}"
    );
}

#[test]
fn a_method_is_renamed_where_its_type_is_known() {
    check(
        "A::old",
        None,
        &[(
            "src/lib.rs",
            "pub struct A { old: u8 }\nimpl A {\n    pub fn new() -> Self { A { old: 1 } }\n    pub fn old~(&self) -> u8 { self.old~(); Self::old~(self); A::old~(self); B::old(); 1 }\n}\nimpl B { fn old(&self) { self.old(); } }\nfn f(a: &A, x: X) { a.old~(); let b = A::new(); b.old~(); x.y.old?(); g().old?(); }\nfn old() { old(); }\n",
        )],
    );
}

#[test]
fn a_trait_and_those_that_implement_it_go_together() {
    check(
        "old",
        None,
        &[
            ("src/lib.rs", "pub trait T { fn old~(&self); }\n"),
            (
                "src/a.rs",
                "impl crate::T for A { fn old~(&self) { self.old~(); } }\nimpl crate::T for B { fn old~(&self) {} }\n",
            ),
        ],
    );
    let error = plan_in(
        &[("src/lib.rs", "impl Iterator for A { fn old(&self) {} }\n")],
        &request("old", None),
    );
    assert_eq!(
        error.result,
        Err(RenameError::Foreign {
            name: "old".into(),
            of: "Iterator".into()
        })
    );
}

#[test]
fn a_type_and_a_field_of_rust_are_renamed() {
    check(
        "Old",
        None,
        &[(
            "src/lib.rs",
            "pub struct Old~<T> { x: T }\nimpl<T> Old~<T> { fn f(self) -> Vec<Old~<T>> { Old~::<T>::g(); Old~ { x: 1 } } }\nenum E { Old(Old~<u8>) }\nfn h(x: E) { match x { E::Old(Old~ { x }) => {} } }\n",
        )],
    );
    check(
        "old",
        None,
        &[(
            "src/lib.rs",
            "struct A { old~: u8 }\nfn f(a: A, old: u8) -> A { a.old~; let A { old~: b } = a; A { old~: 1 } }\n",
        )],
    );
}

#[test]
fn a_field_that_is_named_like_its_value_keeps_the_value() {
    let made = plan_in(
        &[(
            "src/lib.rs",
            "struct A { old: u8 }\nfn f(old: u8) -> A { A { old } }\n",
        )],
        &request("old", None),
    );
    let files = made.result.expect("a plan").files;
    assert_eq!(
        files["src/lib.rs"],
        "struct A { fresh: u8 }\nfn f(old: u8) -> A { A { fresh: old } }\n"
    );
}

#[test]
fn a_function_of_python_is_renamed_with_its_uses() {
    check(
        "old",
        None,
        &[
            (
                "pkg/core.py",
                "def old~(x):\n    return old~(x - 1)\n\ndef f(old):\n    return old\n\ndef g():\n    h(old=1)\n    return f\"{old~(1)} old\"\n",
            ),
            (
                "pkg/__init__.py",
                "from .core import old~\n__all__ = [\"old\"]\n",
            ),
            (
                "tests/test_it.py",
                "import pkg.core\nimport pkg.core as c\nfrom pkg import core\nfrom other import thing\n\ndef test():\n    pkg.core.old~(1)\n    c.old~(1)\n    core.old~(2)\n    thing.old(3)\n    x.old?(4)\n",
            ),
            ("b.py", "from elsewhere import old\nold(1)\n"),
            ("c.py", "from pkg.core import old~ as o\no(1)\n"),
            ("d.py", "from pkg import *\nold~(1)\n"),
        ],
    );
}

#[test]
fn a_method_of_python_is_renamed_where_its_class_is_known() {
    check(
        "A.old",
        None,
        &[(
            "a.py",
            "class A:\n    def old~(self):\n        self.old~()\n        A.old~(self)\n\nclass B:\n    def old?(self):\n        self.old()\n\ndef f(a: A, b):\n    a.old~()\n    c = A()\n    c.old~()\n    b.old?()\n",
        )],
    );
}

#[test]
fn a_function_of_typescript_is_renamed_with_its_uses() {
    check(
        "old",
        None,
        &[
            ("src/a.ts", "export function old~(x: number) { return old~(x); }\nfunction f(old: number) { return old; }\n"),
            ("src/b.ts", "import { old~ } from './a';\nconst y = { k: old~, old: 1 };\ny.old?;\n"),
            ("src/c.tsx", "import * as a from './a';\nimport { old } from 'elsewhere';\na.old~(1); old(2);\n"),
            ("src/d.js", "import { old~ as o } from './a.js';\no(1);\n"),
            ("src/index.ts", "export { old~ } from './a';\n"),
        ]
        .map(|(path, text)| (path, text)),
    );
}

#[test]
fn a_shorthand_keeps_its_key() {
    let made = plan_in(
        &[("a.js", "const old = 1;\nmodule.exports = { old };\n")],
        &request("old", None),
    );
    let files = made.result.expect("a plan").files;
    assert_eq!(
        files["a.js"],
        "const fresh = 1;\nmodule.exports = { old: fresh };\n"
    );
}

#[test]
fn names_of_go_java_and_c_are_renamed() {
    check(
        "Old",
        None,
        &[
            ("go.mod", "module example.com/m\n"),
            (
                "util/a.go",
                "package util\n\nfunc Old~(x int) int { return x }\n",
            ),
            (
                "util/b.go",
                "package util\n\nfunc f(Old int) int { return Old }\n\nvar y = Old~(1)\n",
            ),
            (
                "main.go",
                "package main\n\nimport \"example.com/m/util\"\n\nfunc main() { util.Old~(1); other.Old(2) }\n",
            ),
        ],
    );
    check(
        "A.old",
        None,
        &[
            (
                "p/A.java",
                "package p;\nclass A {\n  int old~(int x) { return old~(x) + this.old~(1); }\n  static void f(A a, B b) { a.old~(1); b.g().old?(1); }\n}\n",
            ),
            (
                "p/B.java",
                "package p;\nclass B {\n  int old(int x) { return old(x); }\n  void g() { A a = new A(); a.old~(2); }\n}\n",
            ),
        ],
    );
    check(
        "old",
        None,
        &[
            ("a.h", "int old~(int x);\n"),
            (
                "a.c",
                "#include \"a.h\"\nint old~(int x) { return old~(x); }\nint f(struct s *p) { int old = 1; return p->old + old; }\n",
            ),
            ("b.cpp", "#include \"a.h\"\nint g() { return old~(1); }\n"),
        ],
    );
}

#[test]
fn a_member_that_heirs_define_anew_is_one_with_theirs() {
    check(
        "B.old",
        None,
        &[
            (
                "p/A.java",
                "package p;\ninterface A<T> { int old~(T x); }\nclass Mid implements A<String> { public int old~(String x) { return 1; } }\n",
            ),
            ("p/Only.java", "package p;\nclass Only extends Mid {}\n"),
            (
                "p/B.java",
                "package p;\nclass B extends Only {\n  int old;\n  @Override public int old~(String x) { return super.old~(x) + old; }\n}\n",
            ),
            (
                "p/C.java",
                "package p;\nclass C {\n  A<String> one = new A<>() { public int old~(String x) { return this.old~(x); } };\n  \
                 Only mine; D yours;\n  static B of() { return null; }\n  C make() { return this; }\n  B self(int x) { return null; }\n  \
                 static <T> Only made() { return null; }\n  Object two = (Fun) new Only()::old~;\n  void f(Object o, Only only, D d, List<B> all) {\n    for (B b : all) b.old~(\"\"); all.forEach(mine -> mine.old?(\"\")); \
                 if (o instanceof B it) it.old~(\"\"); mine.old~(\"\"); this.mine.old~(\"\"); yours.old(1);\n    ((B) o).old~(\"\"); make().mine.old?(1); make().self(1).old~(\"\"); C.of().old~(\"\"); C.of().self(1).old?(2); p.C.<B>made().old~(\"\"); d.self().old?(1); new Only().old~(\"\"); \
                 only.old~(\"\"); d.old(1); o.old?(2); run(B::old~);\n    Runnable r = new Runnable() { public void run() { old?(3); } };\n  }\n}\n",
            ),
            (
                "p/D.java",
                "package p;\nclass D { int old(int x) { return old(x); } }\nclass E extends other.X { int old?(int x) { return old(x); } }\n",
            ),
        ],
    );
    check(
        "A.old",
        None,
        &[
            (
                "a.py",
                "class A(Base):\n    def old~(self): pass\n\n\nclass B(A):\n    def old~(self):\n        return self.old~()\n\n\n\
                 class C(B):\n    def f(self):\n        return self.old~()\n",
            ),
            (
                "b.py",
                "class D:\n    def old?(self): pass\n\n\nclass E(D):\n    def f(self): self.old()\n",
            ),
        ],
    );
    check(
        "A::old",
        None,
        &[(
            "a.cpp",
            "struct A { virtual int old~(); };\nclass G final : public A { int old~() override; };\nstruct B : public A { int old~() override { return old~() + 1; } };\n\
             int B::f() { return old~(); }\n",
        )],
    );
    check(
        "A.old",
        None,
        &[(
            "a.ts",
            "interface A { old~(): void }\nclass B implements A { old~() { this.old~() } }\nclass C { old?() {} }\n",
        )],
    );
}

#[test]
fn nested_types_of_java_are_known_by_what_is_around_them() {
    check(
        "A.Old",
        None,
        &[
            (
                "p/A.java",
                "package p;\nclass A {\n  static class Old~ extends B {\n    Old~() {}\n    Old~(int x) { this(); new Old~(); }\n  }\n  \
                 static class In extends B { Old~ f() { return new Old~(); } int Old() { return Old(); } }\n}\n",
            ),
            (
                "p/B.java",
                "package p;\nclass B {\n  A.Old~ f;\n  static class Other { static class Old { Old() {} } Old f; }\n}\n",
            ),
        ],
    );
    check(
        "Old",
        Some("p/q/Old.java"),
        &[
            (
                "p/q/Old.java",
                "package p.q;\npublic class Old~ { Old~() {} }\n",
            ),
            (
                "p/q/B.java",
                "package p.q;\nclass B {\n  static class Old implements p.q.Old~ { Old() {} Old f; }\n  Old f;\n}\nclass C { Old~ f; B.Old g; }\n",
            ),
        ],
    );
}

#[test]
fn a_member_that_others_want_keeps_its_name() {
    let refused = |text: &str| {
        let made = plan_in(&[("p/A.java", text)], &request("old", None));
        made.result.expect_err("refused").to_string()
    };
    let said = refused(
        "package p;\nclass A extends B implements x.C<A> {\n  @Override void old() {}\n}\nclass B {}\n",
    );
    assert!(said.contains("`old` belongs to `C`"), "{said}");
    let said = refused("package p;\nclass A {\n  D d = new D() { @Override void old() {} };\n}\n");
    assert!(said.contains("`old` belongs to `D`"), "{said}");
    let said = refused("package p;\nclass A {\n  @Override void old() {}\n}\n");
    assert!(said.contains("`old` belongs to `Object`"), "{said}");
}

#[test]
fn names_of_go_are_told_apart_by_their_packages_and_fields() {
    // Packages that are others, whatever their names are, and the target's own under three names.
    check(
        "Old",
        Some("json/a.go"),
        &[
            ("go.mod", "module example.com/m\n"),
            (
                "json/a.go",
                "package own\n\nimport \"errors\"\n\nfunc Old~() error { return errors.Old(1) }\n",
            ),
            (
                "b/b.go",
                "package b\n\nimport (\n\t\"encoding/json\"\n\tmine \"example.com/m/json\"\n)\n\nvar x, y = json.Old(), mine.Old~()\n",
            ),
            (
                "c/c.go",
                "package c\n\nimport \"example.com/m/json\"\n\nvar x, y = own.Old~(), json.Old()\n",
            ),
            (
                "c/d.go",
                "package c\n\nimport json \"example.com/m/json\"\n\nvar z = json.Old~()\n",
            ),
            (
                "d/d.go",
                "package d\n\nimport . \"example.com/m/json\"\n\nvar x = Old~()\n",
            ),
        ],
    );
    check(
        "Old",
        None,
        &[
            ("go.mod", "module example.com/m/v2\n"),
            (
                "a.go",
                "package m\n\nimport \"os\"\n\nfunc Old~() { os.Old() }\n",
            ),
            (
                "cmd/b.go",
                "package main\n\nimport \"example.com/m/v2\"\n\nfunc main() { m.Old~() }\n",
            ),
        ],
    );
    // A field without a name has its type's.
    check(
        "Old",
        None,
        &[(
            "a.go",
            "package m\n\nimport \"os\"\n\ntype Old~ struct{ x int }\n\ntype all struct {\n\t*Old~\n\ty int\n}\n\nfunc f(a all) int {\n\ta = \
             all{Old~: &Old~{1}}\n\treturn a.Old~.x + g().Old~.x + os.Old\n}\n",
        )],
    );
    check(
        "Old",
        None,
        &[(
            "a.go",
            "package m\n\ntype Old~ struct{ x int }\n\ntype all struct{ Old~ }\n\ntype other struct{ Old int }\n\nvar y = f.Old?\n",
        )],
    );
    // Without a module nothing says what comes before a folder.
    check(
        "Old",
        None,
        &[
            (
                "a.go",
                "package m\n\nimport \"os\"\n\nfunc Old~() { os.Old() }\n",
            ),
            (
                "cmd/b.go",
                "package main\n\nimport \"example.com/m\"\n\nfunc main() { m.Old?() }\n",
            ),
        ],
    );
}

#[test]
fn a_full_stop_at_the_end_of_a_comment_is_no_dot() {
    for (path, text) in [
        (
            "src/lib.rs",
            "fn old~() {}\nfn f() {\n    // All of it.\n    old~();\n    vec![\n        // Once more.\n        old~];\n}\n",
        ),
        (
            "a.py",
            "def old~(): pass\ndef f():\n    pass\n    # Done.\nold~()\n# Twice.\n# And again.\nold~()\n",
        ),
        (
            "a.js",
            "function old~() {}\n/* The first. */ old~();\n// The last.\nold~();\n",
        ),
        (
            "a.go",
            "package a\n\nfunc old~() {}\n\nfunc f() {\n\t// Now.\n\told~()\n}\n",
        ),
        (
            "p/Old.java",
            "package p;\nclass Old~ {\n  Old~ copy() {\n    // As it is.\n    Old~ o = new Old~();\n    return o;\n  }\n}\n",
        ),
        (
            "a.c",
            "int old~(int x);\nint f(void) {\n  // The one.\n  old~(1);\n  return 0;\n}\n",
        ),
    ] {
        let name = match path.ends_with("java") {
            true => "Old",
            false => "old",
        };
        check(name, None, &[(path, text)]);
    }
}

#[test]
fn the_file_of_a_java_class_is_renamed_with_it() {
    let files = [
        ("p/Old.java", "package p;\npublic class Old {}\n"),
        (
            "p/B.java",
            "package p;\nclass B { Old o; static class In {} }\n",
        ),
    ];
    let moved = |old: &str| {
        let made = plan_in(&files, &request(old, None));
        made.result.expect("a plan").moved
    };
    let renamed = ("p/Old.java".to_owned(), "p/fresh.java".to_owned());
    assert_eq!(moved("Old"), Some(renamed));
    assert_eq!(moved("In"), None);
    let taken = [
        &files[..],
        &[("p/fresh.java", "package p;\nclass Any {}\n")],
    ]
    .concat();
    let error = plan_in(&taken, &request("Old", None))
        .result
        .expect_err("taken");
    assert!(error.to_string().contains("p/fresh.java:1"), "{error}");
}

#[test]
fn a_name_that_is_taken_is_refused() {
    let taken = |text: &str| plan_in(&[("src/lib.rs", text)], &request("old", None)).result;
    assert!(matches!(
        taken("fn old() {}\nfn fresh() {}\n"),
        Err(RenameError::Taken { line: 2, .. })
    ));
    assert!(matches!(
        taken("fn old() {}\nfn g(fresh: u8) { old(); }\n"),
        Err(RenameError::Taken { line: 2, .. })
    ));
    assert!(taken("fn old() {}\nfn g(fresh: u8) { fresh; x.fresh; }\n").is_ok());
    let not_a_name = Request {
        new: "2x",
        ..request("old", None)
    };
    let error = plan_in(&[("a.py", "def old(): pass\n")], &not_a_name).result;
    assert!(matches!(error, Err(RenameError::NotAName { .. })));
}

#[test]
fn what_is_not_code_is_mentioned() {
    let made = plan_in(
        &[
            ("src/lib.rs", "// old is good\nfn old() { f(\"old\"); }\n"),
            (
                "README.md",
                "Call `old`.\nNot older.\n```rust\nold(\"old\");\n```\n```sh\nold\n```\n",
            ),
        ],
        &request("old", None),
    );
    let rename = made.result.expect("a plan");
    let shown: Vec<String> = rename
        .mentions
        .iter()
        .map(|sight| format!("{}:{} {}", sight.path, sight.line, sight.why))
        .collect();
    assert_eq!(
        shown,
        [
            "README.md:1 not code",
            "README.md:4 not code",
            "README.md:7 not code",
            "src/lib.rs:1 in a comment",
            "src/lib.rs:2 in a string"
        ]
    );
    assert_eq!(
        rename.places, 2,
        "the definition, and the example of the README"
    );
    assert!(rename.files["README.md"].contains("fresh(\"old\");"));
}
