//! Moves in Go, TypeScript, JavaScript, C, C++ and Java: what is certain is moved, and all else refused.

use super::tests::{check, moved};

/// Moves an item and returns what is said against it.
fn refused(files: &[(&str, &str)], item: &str, to: &str) -> String {
    moved(files, item, to).expect_err("refused").to_string()
}

const GO: &str = "package p\n\nimport (\n\t\"fmt\"\n\t\"strings\"\n\n\t\"example.com/x/yaml.v3\"\n)\n\n// Point is one.\ntype Point struct{ X int }\n\nfunc other() { fmt.Println(yaml.A) }\n\n// String writes it.\nfunc (p Point) String() string {\n\treturn strings.Repeat(fmt.Sprint(p.X), two())\n}\n\nfunc two() int { return 2 }\n";

#[test]
fn a_full_stop_at_the_end_of_a_comment_is_no_dot() {
    for (files, item, to, import) in [
        (
            [
                (
                    "src/a.rs",
                    "use std::mem::take;\n\nfn item(x: &mut u8) -> u8 {\n    // Empties it.\n    take(x)\n}\n\nfn a(x: &mut u8) {\n    // Once.\n    item(x);\n}\n",
                ),
                ("src/b.rs", "fn b() {}\n"),
            ],
            "item",
            "src/b.rs",
            "use std::mem::take;",
        ),
        (
            [
                (
                    "p/a.py",
                    "from os import sep\n\n\ndef item():\n    # Tells.\n    sep.join(())\n\n\ndef a():\n    # Once.\n    item()\n",
                ),
                ("p/b.py", "def b():\n    pass\n"),
            ],
            "item",
            "p/b.py",
            "from os import sep",
        ),
        (
            [
                (
                    "p/A.java",
                    "package p;\n\nimport java.util.List;\n\npublic class A {\n}\n\nclass Item {\n    // All of it.\n    List<A> all;\n}\n",
                ),
                ("p/B.java", "package p;\n\npublic class B {\n}\n"),
            ],
            "Item",
            "p/B.java",
            "import java.util.List;",
        ),
    ] {
        let mut files = files.to_vec();
        files.push(("src/lib.rs", "pub mod a;\npub mod b;\n"));
        let made = moved(&files, item, to).expect("a plan");
        assert!(made.files[to].contains(import), "{made:?}");
        assert!(made.unsure.is_empty() && !made.passed_on, "{made:?}");
    }
}

#[test]
fn in_go_a_type_moves_with_its_methods_and_the_imports_follow() {
    check(
        &[
            ("p/a.go", GO),
            ("p/b.go", "package p\n\nfunc b() {}\n"),
            ("q/c.go", "package q\n\nvar c = p.Point{}\n"),
        ],
        "Point",
        "p/b.go",
        &[
            (
                "p/a.go",
                "package p\n\nimport (\n\t\"fmt\"\n\n\t\"example.com/x/yaml.v3\"\n)\n\nfunc other() { fmt.Println(yaml.A) }\n\nfunc two() int { return 2 }\n",
            ),
            (
                "p/b.go",
                "package p\n\nimport (\n\t\"fmt\"\n\t\"strings\"\n)\n\nfunc b() {}\n\n// Point is one.\ntype Point struct{ X int }\n\n// String writes it.\nfunc (p Point) String() string {\n\treturn strings.Repeat(fmt.Sprint(p.X), two())\n}\n",
            ),
        ],
    );
    let b = "package p\n\nimport (\n\t\"os\"\n)\n\nvar b = os.Args\n";
    let made = moved(&[("a.go", GO), ("b.go", b)], "other", "b.go").expect("a plan");
    assert!(
        made.files["b.go"].starts_with(
            "package p\n\nimport (\n\t\"fmt\"\n\t\"os\"\n\n\t\"example.com/x/yaml.v3\"\n)\n"
        ),
        "{}",
        made.files["b.go"]
    );
    assert!(
        !made.files["a.go"].contains("yaml"),
        "{}",
        made.files["a.go"]
    );
}

#[test]
fn in_go_what_is_not_certain_is_refused() {
    let a = "package p\n\nimport \"example.com/odd/name\"\n\nfunc one() { real.Do() }\n\nconst (\n\tA = iota\n\tB\n)\n\nvar c, d = 1, 2\n\nfunc init() {}\n";
    let b = ("b.go", "package p\n");
    let said = |item: &str, to: (&str, &str)| refused(&[("a.go", a), to], item, to.0);
    assert!(said("one", b).contains("may be the package \"example.com/odd/name\""));
    assert!(said("A", b).contains("in a list with others"));
    assert!(said("c", b).contains("several names"));
    assert!(said("init", b).contains("when the program begins"));
    assert!(said("one", ("b.go", "package q\n")).contains("not of one package"));
    assert!(said("one", ("q/b.go", "package p\n")).contains("not of one package"));
    assert!(said("one", ("b_test.go", "package p\n")).contains("for tests only"));
    assert!(said("one", ("b_linux.go", "package p\n")).contains("same machines"));
    let tagged = ("b.go", "//go:build linux\n\npackage p\n");
    assert!(said("one", tagged).contains("same machines"));
    let a = (
        "a.go",
        "package p\n\nimport . \"fmt\"\n\nfunc one() { Println() }\n",
    );
    assert!(refused(&[a, b], "one", "b.go").contains("import ."));
    let a = (
        "a.go",
        "package p\n\nimport \"fmt\"\n\nfunc one() { fmt.Println() }\n",
    );
    let b = (
        "b.go",
        "package p\n\nimport fmt \"my/fmt\"\n\nvar b = fmt.B\n",
    );
    assert!(refused(&[a, b], "one", "b.go").contains("give one of them another name"));
}

const TS: &str = "import { readFile } from 'node:fs';\nimport { join, sep } from '../paths';\nimport type { Kind } from './kinds';\n\nexport interface Options { kind: Kind }\n\n/** Reads. */\nexport function read(options: Options): string {\n  return join(sep, String(readFile));\n}\n\nexport const both = () => [sep, read];\n";

#[test]
fn in_typescript_an_item_moves_with_its_imports_and_what_imports_it() {
    let b = "import { x } from './x';\n\nexport const b = x;\n";
    let c = "import { read, both } from './lib/a';\nimport * as all from './lib/a';\n\nread(both, all.both);\n";
    let d = "import type { read } from \"../src/lib/a\"\nexport { read as again } from \"../src/lib/a\"\n";
    check(
        &[
            ("src/lib/a.ts", &TS.replace("[sep, read]", "[sep]")),
            ("src/b.ts", b),
            ("src/c.ts", c),
            ("test/d.ts", d),
        ],
        "read",
        "src/b.ts",
        &[
            (
                "src/lib/a.ts",
                "import { sep } from '../paths';\nimport type { Kind } from './kinds';\n\nexport interface Options { kind: Kind }\n\nexport const both = () => [sep];\n",
            ),
            (
                "src/b.ts",
                "import { x } from './x';\nimport type { Options } from './lib/a';\nimport { join } from './paths';\nimport { readFile } from 'node:fs';\nimport { sep } from './paths';\n\nexport const b = x;\n\n/** Reads. */\nexport function read(options: Options): string {\n  return join(sep, String(readFile));\n}\n",
            ),
            (
                "src/c.ts",
                "import { both } from './lib/a';\nimport { read } from './b';\nimport * as all from './lib/a';\n\nread(both, all.both);\n",
            ),
            (
                "test/d.ts",
                "import type { read } from \"../src/b\"\nexport { read as again } from \"../src/b\"\n",
            ),
        ],
    );
}

#[test]
fn in_javascript_what_stays_imports_what_was_moved_with_the_endings_of_the_project() {
    let a = "import fs, { rm } from './own.js'\n\nfunction one() {\n  return rm\n}\n\nexport function two() {\n  return one() + fs\n}\n";
    check(
        &[("a.mjs", a), ("lib/b.mjs", "")],
        "one",
        "lib/b.mjs",
        &[
            (
                "a.mjs",
                "import fs from './own.js'\nimport { one } from './lib/b.mjs'\n\nexport function two() {\n  return one() + fs\n}\n",
            ),
            (
                "lib/b.mjs",
                "import { rm } from '../own.js';\n\nexport function one() {\n  return rm\n}\n",
            ),
        ],
    );
}

#[test]
fn in_scripts_what_is_not_certain_is_refused() {
    let b = ("b.ts", "");
    let a = "export default function one() {}\nexport let two = 1;\nconst three = 1;\nexport function four() { return three; }\nexport function five() { return six(); }\nexport function six() { return five; }\nfunction seven() {}\nexport { seven };\nexport function eight() {}\nexport const nine = 1;\nexport const ten = document;\n";
    let said = |item: &str, more: (&str, &str)| refused(&[("a.ts", a), b, more], item, "b.ts");
    let none = ("z.ts", "");
    assert!(said("one", none).contains("default export"));
    assert!(said("two", none).contains("an import cannot assign to"));
    assert!(said("four", none).contains("does not export where it declares it"));
    assert!(said("five", none).contains("import each other"));
    assert!(said("seven", none).contains("apart from its declaration"));
    for (more, why) in [
        ("export * from './a';\n", "export *"),
        ("export * as a from './a';\n", "export *"),
        ("const a = await import('./a');\n", "by a call"),
        ("const a = require('./a');\n", "by a call"),
        (
            "import * as a from './a';\na.eight();\n",
            "all of its module",
        ),
        (
            "import * as a from './a';\nexport const b = Object.keys(a);\n",
            "all of its module",
        ),
        ("import { eight } from './index';\n", "may be the one of"),
    ] {
        let said = said("eight", ("c.ts", more));
        assert!(said.contains(why), "{more}: {said}");
    }
    assert!(
        said("eight", ("package.json", "{\"main\": \"dist/a.js\"}")).contains("other packages")
    );
    assert!(
        said(
            "eight",
            ("c.vue", "<script>import { eight } from './a'</script>")
        )
        .contains("c.vue")
    );
    let to = |text: &str| refused(&[("a.ts", a), ("b.ts", text)], "a.ten", "b.ts");
    assert!(to("export const document = 1;\n").contains("has another `document`"));
    assert!(to("export const ten = 1;\n").contains("has another `ten`"));
    assert!(to("module.exports = 1;\n").contains("`require` or `module.exports`"));
    assert!(to("\"use client\";\nexport const x = 1;\n").contains("directives"));
    assert!(to("const x = 1;\n").contains("may be a script"));
    let types = (
        "b.ts",
        "import type { X } from './x';\nexport type Y = X;\n",
    );
    let a = (
        "a.ts",
        "import { X } from './x';\nexport const one = () => new X();\n",
    );
    assert!(refused(&[a, types], "one", "b.ts").contains("another `X`"));
    let several = "export function f(x: string): void;\nexport function f(x: number): void;\nexport function f(x: any) {}\n";
    assert!(refused(&[("a.ts", several), b], "f", "b.ts").contains("declared in 3 places"));
    let index = refused(&[("a/index.ts", "export const x = 1;\n"), b], "x", "b.ts");
    assert!(index.contains("stands for its folder"), "{index}");
}

const HEADER: (&str, &str) = (
    "src/a.h",
    "#pragma once\nint one(int x);\nint two(int x);\n",
);

#[test]
fn in_c_a_function_that_a_shared_header_declares_moves_with_the_includes() {
    let a = "#include \"a.h\"\n#include <string.h>\n\n/* Counts. */\nint one(int x) {\n    return two(x) + (int) strlen(\"a\");\n}\n\nint two(int x) { return x; }\n";
    for ending in ["c", "cpp"] {
        let (old, new) = (format!("src/a.{ending}"), format!("src/b.{ending}"));
        check(
            &[HEADER, (&old, a), (&new, "#include \"a.h\"\n\nint b;\n")],
            "one",
            &new,
            &[
                (
                    &old,
                    "#include \"a.h\"\n#include <string.h>\n\nint two(int x) { return x; }\n",
                ),
                (
                    &new,
                    "#include \"a.h\"\n#include <string.h>\n\nint b;\n\n/* Counts. */\nint one(int x) {\n    return two(x) + (int) strlen(\"a\");\n}\n",
                ),
            ],
        );
    }
}

#[test]
fn in_c_what_a_file_keeps_to_itself_stays_there() {
    let said =
        |a: &str, b: &str| refused(&[HEADER, ("src/a.c", a), ("src/b.c", b)], "one", "src/b.c");
    let (with, b) = ("#include \"a.h\"\n", "#include \"a.h\"\n");
    let one =
        |body: &str, before: &str| format!("{with}{before}int one(int x) {{ return {body}; }}\n");
    let static_one = format!("{with}static int one(int x) {{ return x; }}\n");
    assert!(
        said(&static_one, b).contains("static") || said(&static_one, b).contains("several times")
    );
    assert!(
        said(&one("own(x)", "static int own(int x) { return x; }\n"), b)
            .contains("keeps to itself")
    );
    assert!(said(&one("M", "#define M 1\n"), b).contains("keeps to itself"));
    assert!(said(&one("g", "int g;\n"), b).contains("keeps to itself"));
    assert!(
        said(&one("sizeof(struct s)", "struct s { int x; };\n"), b).contains("keeps to itself")
    );
    assert!(said(&one("x", ""), "int b;\n").contains("no header that both"));
    assert!(said(&one("abs(x)", ""), &format!("{b}#define abs(x) 1\n")).contains("another `abs`"));
    let feature = format!("#define _GNU_SOURCE\n#include <stdio.h>\n{}", one("x", ""));
    assert!(said(&feature, b).contains("under which conditions"));
    let conditional = format!("{with}#ifdef X\nint one(int x) {{ return x; }}\n#endif\n");
    assert!(said(&conditional, b).contains("inside of something else"));
    let files = [
        HEADER,
        (
            "src/a.c",
            "#include \"a.h\"\nint one(int x) { return x; }\n",
        ),
        ("b.c", b),
    ];
    assert!(refused(&files, "one", "b.c").contains("same folder"));
    assert!(refused(&files, "one", "src/a.h").contains("in another language"));
    let cpp = [
        HEADER,
        (
            "src/a.cpp",
            "#include \"a.h\"\nusing namespace std;\nint one(int x) { return x; }\n",
        ),
        ("src/b.cpp", b),
    ];
    assert!(refused(&cpp, "one", "src/b.cpp").contains("`using` lines"));
}

#[test]
fn in_java_a_class_that_its_package_alone_sees_moves_within_it() {
    let a = "package p;\n\nimport java.util.List;\nimport java.util.Map;\nimport static java.lang.Math.max;\n\npublic class A {\n    Map<String, Helper> all;\n}\n\n/** Helps. */\nclass Helper {\n    List<Map<String, B>> of;\n    int most = max(1, 2);\n}\n";
    check(
        &[
            ("p/A.java", a),
            ("p/B.java", "package p;\n\npublic class B {\n}\n"),
        ],
        "Helper",
        "p/B.java",
        &[
            (
                "p/A.java",
                "package p;\n\nimport java.util.Map;\n\npublic class A {\n    Map<String, Helper> all;\n}\n",
            ),
            (
                "p/B.java",
                "package p;\n\nimport java.util.List;\nimport java.util.Map;\nimport static java.lang.Math.max;\n\npublic class B {\n}\n\n/** Helps. */\nclass Helper {\n    List<Map<String, B>> of;\n    int most = max(1, 2);\n}\n",
            ),
        ],
    );
    let made = moved(
        &[("p/A.java", a), ("p/B.java", "package p;\n")],
        "Helper",
        "p/B.java",
    );
    let unsure = made.expect("a plan").unsure;
    assert!(
        unsure.len() == 1 && unsure[0].why.contains("compiled together"),
        "{unsure:?}"
    );
    let b = (
        "p/B.java",
        "package p;\n\nimport my.List;\n\npublic class B {\n    List x;\n}\n",
    );
    assert!(refused(&[("p/A.java", a), b], "Helper", "p/B.java").contains("another `List`"));
    assert!(refused(&[("p/A.java", a), b], "A", "p/B.java").contains("`public`"));
    let b = ("p/B.java", "package p;\nimport java.io.*;\nclass B {}\n");
    assert!(refused(&[("p/A.java", a), b], "Helper", "p/B.java").contains("as a whole"));
    let b = ("q/B.java", "package q;\nclass B {}\n");
    assert!(refused(&[("p/A.java", a), b], "Helper", "q/B.java").contains("not of one package"));
    let alone = ("p/A.java", "package p;\n\nclass A {\n}\n");
    let b = ("p/B.java", "package p;\n\nclass B {\n}\n");
    assert!(refused(&[alone, b], "A", "p/B.java").contains("move that file"));
}

/// Pieces that files are made of: what each language lets stand beside the item, and uses of what there is.
const PIECES: &[(&str, &[&str])] = &[
    (
        "go",
        &[
            "// doc\nfunc item() int { return helper() }\n",
            "func helper() int { return strings.Count(\"a\", \"b\") }\n",
            "var made = item()\n",
            "type T struct{ x int }\n",
            "func (t *T) m() { fmt.Println(t.x) }\n",
        ],
    ),
    (
        "ts",
        &[
            "export function item(x: T): number { return helper(x) + join.length; }\n",
            "export function helper(x: T) { return 1; }\n",
            "export interface T { x: number }\n",
            "const made = [item, join];\n",
            "// a comment\nexport class C { m() { return { join }; } }\n",
        ],
    ),
    (
        "c",
        &[
            "/* doc */\nint item(int x)\n{\n\treturn helper(x);\n}\n",
            "int helper(int x) { return x; }\n",
            "static int made = 1;\n",
            "int other(void) { return item(made); }\n",
            "#define M item\n",
        ],
    ),
    (
        "java",
        &[
            "class item { List<T> x; }\n",
            "class T { item y; Map<T, T> m; }\n",
            "interface I { item z(); }\n",
            "// a comment\nenum E { A, B }\n",
            "record R(List<String> all) {}\n",
        ],
    ),
];

fn laid(language: &str, order: &[usize], pieces: &[&str]) -> String {
    let head = match language {
        "go" => "package p\n\nimport (\n\t\"fmt\"\n\t\"strings\"\n)\n\n",
        "ts" => "import { join } from 'path';\n\n",
        "c" => "#include \"a.h\"\n#include <stdio.h>\n\n",
        _ => "package p;\n\nimport java.util.List;\nimport java.util.Map;\n\n",
    };
    let pieces: Vec<&str> = order.iter().map(|at| pieces[*at]).collect();
    format!("{head}{}", pieces.join("\n"))
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn a_move_breaks_no_file_and_loses_no_line_of_code(
        language in 0..PIECES.len(),
        order in proptest::sample::subsequence(vec![0_usize, 1, 2, 3, 4], 1..5),
        reversed: bool,
        blank: bool,
    ) {
        let (ending, pieces) = PIECES[language];
        let mut order = order;
        if !order.contains(&0) {
            order.push(0);
        }
        if reversed {
            order.reverse();
        }
        let from = laid(ending, &order, pieces);
        let to = match (blank, ending) {
            (true, "ts") => String::new(),
            (_, "ts") => "import { a } from './a';\nexport const b = a;\n".to_owned(),
            _ => laid(ending, &[], pieces),
        };
        let (old, new) = (format!("old.{ending}"), format!("new.{ending}"));
        let header = ("a.h", "int item(int x);\nint helper(int x);\n");
        let made = moved(&[(&old, &from), (&new, &to), header], "item", &new);
        if let Ok(made) = made {
            for (path, text) in &made.files {
                let before = if *path == old { &from } else { &to };
                let broken = super::super::super::newly_broken(path, before, text);
                proptest::prop_assert!(broken.is_none(), "{broken:?} in {path}:\n{text}");
            }
            let lines = |texts: &[&String]| {
                let mut lines: Vec<String> = texts.iter().flat_map(|text| text.lines()).map(|line| {
                    line.trim_start_matches("export ").to_owned()
                }).filter(|line| !line.trim().is_empty()).collect();
                lines.retain(|line| !["import", "#include", "\t\"", ")"].iter().any(|mark| line.starts_with(mark)));
                lines.sort();
                lines
            };
            let after = lines(&[&made.files[&old], &made.files[&new]]);
            proptest::prop_assert_eq!(after, lines(&[&from, &to]));
        }
    }
}
