#![expect(clippy::disallowed_methods, reason = "a test lays its own files")]

use super::*;

/// Lays files and moves an item; returns the plan.
pub(super) fn moved(files: &[(&str, &str)], item: &str, to: &str) -> Result<Move, MoveError> {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }
    let roots = Roots::open(&[folder.path().to_owned()]).expect("roots");
    let path = None;
    plan(&roots, &Request { item, to, path }, &AtomicBool::new(false))
}

/// Moves an item, and compares the files that change.
pub(super) fn check(
    files: &[(&str, &str)],
    item: &str,
    to: &str,
    expected: &[(&str, &str)],
) -> Move {
    let made = moved(files, item, to).expect("a plan");
    let expected: BTreeMap<String, String> = expected
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    assert_eq!(made.files, expected);
    made
}

const LIB: (&str, &str) = ("src/lib.rs", "pub mod a;\npub mod b;\npub mod c;\n");

#[test]
fn an_item_moves_with_its_comments_what_it_needs_and_what_names_it() {
    let a = "//! A.\n\nuse std::collections::BTreeMap;\nuse std::fmt::{self, Write as _};\n\n/// How many.\nconst MOST: usize = 3;\n\n/// Counts.\n#[must_use]\npub fn count(all: &BTreeMap<u8, u8>) -> usize {\n    all.len().min(MOST)\n}\n\nfn show() -> fmt::Result {\n    let _ = count(&Default::default());\n    Ok(())\n}\n";
    let b = "//! B.\n\nfn other() {}\n\n#[cfg(test)]\nmod tests {}\n";
    let c = "use crate::a::count;\n\nfn c() -> usize {\n    count(&Default::default()) + crate::a::count(&Default::default())\n}\n";
    let made = check(
        &[LIB, ("src/a.rs", a), ("src/b.rs", b), ("src/c.rs", c)],
        "count",
        "src/b.rs",
        &[
            (
                "src/a.rs",
                "//! A.\n\nuse std::fmt::{self, Write as _};\nuse crate::b::count;\n\n/// How many.\npub(crate) const MOST: usize = 3;\n\nfn show() -> fmt::Result {\n    let _ = count(&Default::default());\n    Ok(())\n}\n",
            ),
            (
                "src/b.rs",
                "//! B.\n\nuse crate::a::MOST;\nuse std::collections::BTreeMap;\nuse std::fmt::Write as _;\n\nfn other() {}\n\n/// Counts.\n#[must_use]\npub fn count(all: &BTreeMap<u8, u8>) -> usize {\n    all.len().min(MOST)\n}\n\n#[cfg(test)]\nmod tests {}\n",
            ),
            (
                "src/c.rs",
                "use crate::b::count;\n\nfn c() -> usize {\n    count(&Default::default()) + crate::b::count(&Default::default())\n}\n",
            ),
        ],
    );
    assert!(!made.passed_on, "{made:?}");
}

#[test]
fn a_type_moves_with_what_is_implemented_for_it_and_is_opened_as_far_as_it_is_used() {
    let a = "struct Point {\n    x: u8,\n    y: u8,\n}\n\nimpl Point {\n    fn flat(&self) -> u8 {\n        self.x\n    }\n    fn own(&self) {}\n}\n\nimpl Default for Point {\n    fn default() -> Self {\n        Self { x: 0, y: 0 }\n    }\n}\n\nfn a(point: &Point) -> u8 {\n    point.flat() + point.y\n}\n";
    check(
        &[LIB, ("src/a.rs", a), ("src/b.rs", "")],
        "Point",
        "src/b.rs",
        &[
            (
                "src/a.rs",
                "use crate::b::Point;\n\nfn a(point: &Point) -> u8 {\n    point.flat() + point.y\n}\n",
            ),
            (
                "src/b.rs",
                "pub(crate) struct Point {\n    x: u8,\n    pub(crate) y: u8,\n}\n\nimpl Point {\n    pub(crate) fn flat(&self) -> u8 {\n        self.x\n    }\n    fn own(&self) {}\n}\n\nimpl Default for Point {\n    fn default() -> Self {\n        Self { x: 0, y: 0 }\n    }\n}\n",
            ),
        ],
    );
}

#[test]
fn what_is_not_certain_is_listed_and_the_old_module_passes_it_on() {
    let a = "pub fn one() {}\npub fn two() {}\n";
    let c = "use crate::a::{one, two};\n\nfn c() {\n    one();\n    two();\n}\n";
    let made = check(
        &[
            LIB,
            ("src/a.rs", a),
            ("src/b.rs", "fn b() {}\n"),
            ("src/c.rs", c),
        ],
        "one",
        "src/b.rs",
        &[
            ("src/a.rs", "pub use crate::b::one;\n\npub fn two() {}\n"),
            ("src/b.rs", "fn b() {}\n\npub fn one() {}\n"),
        ],
    );
    assert!(made.passed_on);
    assert_eq!(made.unsure.len(), 1, "{made:?}");
    assert_eq!(
        (made.unsure[0].path.as_str(), made.unsure[0].line),
        ("src/c.rs", 1)
    );
}

#[test]
fn what_takes_a_decision_is_refused_with_what_to_do() {
    let a = (
        "src/a.rs",
        "pub fn one() {\n    super::c::two();\n}\npub fn two() {}\n",
    );
    let refused = |files: &[(&str, &str)], item: &str, to: &str| {
        moved(files, item, to).expect_err("refused").to_string()
    };
    let b = ("src/b.rs", "fn two() {}\n");
    let said = refused(&[LIB, a, b], "one", "src/b.rs");
    assert!(
        said.contains("line 2") && said.contains("super::"),
        "{said}"
    );
    let said = refused(&[LIB, a, b], "a::two", "src/b.rs");
    assert!(said.contains("has another `two`"), "{said}");
    let said = refused(&[LIB, a, b], "a::two", "src/d.rs");
    assert!(said.contains("create it"), "{said}");
    let d = ("src/d.rs", "");
    let said = refused(&[LIB, a, d], "a::two", "src/d.rs");
    assert!(said.contains("declare it with `mod`"), "{said}");
    assert!(refused(&[LIB, a, b], "a::two", "src/a.rs").contains("already"));
}

#[test]
fn a_function_of_python_moves_with_its_imports_and_what_imports_it() {
    let a = "\"\"\"A.\"\"\"\nimport os\nfrom json import dumps, loads\n\n\n# Reads.\n@cached\ndef read(path):\n    return loads(os.fspath(path))\n\n\ndef write(x):\n    return dumps(x)\n";
    let c = "from a import read, write\n\n\ndef c():\n    read(1)\n    write(2)\n";
    let made = check(
        &[("a.py", a), ("b.py", "X = 1\n"), ("c.py", c)],
        "read",
        "b.py",
        &[
            (
                "a.py",
                "\"\"\"A.\"\"\"\nfrom json import dumps\n\n\ndef write(x):\n    return dumps(x)\n",
            ),
            (
                "b.py",
                "from json import loads\nimport os\n\n\nX = 1\n\n\n# Reads.\n@cached\ndef read(path):\n    return loads(os.fspath(path))\n",
            ),
            (
                "c.py",
                "from a import write\nfrom b import read\n\n\ndef c():\n    read(1)\n    write(2)\n",
            ),
        ],
    );
    assert!(!made.passed_on && made.unsure.is_empty(), "{made:?}");
}

#[test]
fn in_python_what_names_the_module_finds_it_passed_on_and_no_circle_is_made() {
    let a = "def one():\n    return 1\n\n\ndef two():\n    return 2\n";
    let c = "import pkg.a\n\n\ndef c():\n    return pkg.a.one()\n";
    let init = ("pkg/__init__.py", "");
    let made = check(
        &[init, ("pkg/a.py", a), ("pkg/b.py", ""), ("c.py", c)],
        "one",
        "pkg/b.py",
        &[
            (
                "pkg/a.py",
                "from .b import one  # noqa: F401\n\n\ndef two():\n    return 2\n",
            ),
            ("pkg/b.py", "def one():\n    return 1\n"),
        ],
    );
    assert_eq!(made.unsure.len(), 1, "{made:?}");
    let a = "def one():\n    return two()\n\n\ndef two():\n    return one\n";
    let error = moved(&[("a.py", a), ("b.py", "")], "one", "b.py").expect_err("refused");
    assert!(error.to_string().contains("import each other"), "{error}");
}
