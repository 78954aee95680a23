use super::*;

#[track_caller]
fn check(path: &str, before: &str, block: &str, expected: Option<&str>) {
    let woven = weave(path, before, block, Asked::Part);
    assert_eq!(woven.as_deref(), expected, "{path}: {block}");
}

const SHOP: &str = "# Made by us.\nimport os\n\nRATE = 2\n\n\ndef price(x):\n    \"\"\"Says what it costs.\"\"\"\n    return x - RATE\n\n\nclass Cart:\n    def __init__(self):\n        self.items = []\n\n    @property\n    def total(self):\n        return 0\n\n    def clear(self):\n        self.items = []  # all\n\n\nif __name__ == \"__main__\":\n    print(price(1))\n";

#[test]
fn a_function_takes_the_place_of_its_namesake_and_the_rest_stays() {
    let block = "def price(x):\n    return x * RATE\n\n\nprint(price(3))\n";
    check(
        "shop.py",
        SHOP,
        block,
        Some(&SHOP.replace("x - RATE", "x * RATE")),
    );
}

#[test]
fn a_method_is_found_in_its_class_with_and_without_the_class() {
    let expected = SHOP.replace("return 0", "return len(self.items)");
    let alone = "def total(self):\n    return len(self.items)\n";
    check("shop.py", SHOP, alone, Some(&expected));
    let within =
        "class Cart:\n    @property\n    def total(self):\n        return len(self.items)\n";
    check("shop.py", SHOP, within, Some(&expected));
    let indented = "    def total(self):\n        return len(self.items)\n";
    check("shop.py", SHOP, indented, Some(&expected));
}

#[test]
fn a_class_with_all_its_methods_is_replaced_and_one_with_more_gets_them() {
    let more = "class Cart:\n    def total(self):\n        return 1\n\n    def add(self, item):\n        self.items.append(item)\n";
    let expected = SHOP.replace(
        "return 0\n",
        "return 1\n\n    def add(self, item):\n        self.items.append(item)\n",
    );
    check("shop.py", SHOP, more, Some(&expected));
    let stub = "class Scores:\n    def __init__(self, scores):\n        pass\n";
    let whole = "class Scores:\n    def __init__(self, scores):\n        self.scores = scores\n\n    def best(self):\n        return max(self.scores)\n";
    check("a.py", stub, whole, Some(whole));
}

#[test]
fn imports_are_added_once_below_those_that_are_there() {
    let block = "import os\nfrom math import floor\nfrom shop import price\n\ndef price(x):\n    return floor(x)\n";
    let expected = SHOP
        .replace("import os\n", "import os\nfrom math import floor\n")
        .replace("x - RATE", "floor(x)");
    check("shop.py", SHOP, block, Some(&expected));
    let bare = "\"\"\"A module.\"\"\"\n\ndef f():\n    return 1\n";
    check(
        "a.py",
        bare,
        "import re\n\ndef f():\n    return re\n",
        Some("\"\"\"A module.\"\"\"\n\nimport re\n\n\ndef f():\n    return re\n"),
    );
}

#[test]
fn a_helper_is_put_beside_what_it_helps() {
    let block = "def half(x):\n    return x / 2\n\ndef price(x):\n    return half(x)\n";
    let expected = SHOP.replace(
        "def price(x):\n    \"\"\"Says what it costs.\"\"\"\n    return x - RATE",
        "def half(x):\n    return x / 2\n\n\ndef price(x):\n    \"\"\"Says what it costs.\"\"\"\n    return half(x)",
    );
    check("shop.py", SHOP, block, Some(&expected));
}

#[test]
fn a_rust_function_keeps_its_visibility_attributes_and_the_imports_above() {
    let before = "#![allow(unused)]\n\nuse std::{cmp::max, collections::{HashMap, HashSet}};\n\n/// Docs.\n#[inline]\npub fn f(x: u8) -> u8 {\n    x\n}\n\nstruct A;\n\nimpl A {\n    pub fn g(&self) -> u8 {\n        1\n    }\n\n    fn h(&self) {}\n}\n";
    let block = "use std::collections::HashMap;\nuse std::fmt::Write;\n\nfn f(x: u8) -> u8 {\n    x + 1\n}\n";
    let expected = before
        .replace("HashSet}};\n", "HashSet}};\nuse std::fmt::Write;\n")
        .replace("    x\n", "    x + 1\n");
    check("src/lib.rs", before, block, Some(&expected));
    let block = "impl A {\n    pub fn g(&self) -> u8 {\n        2\n    }\n}\n";
    let expected = before.replace("        1\n", "        2\n");
    check("src/lib.rs", before, block, Some(&expected));
    let block = "fn g(&self) -> u8 {\n    2\n}\n";
    check("src/lib.rs", before, block, Some(&expected));
}

#[test]
fn other_languages_have_their_own_forms() {
    check(
        "a.js",
        "export const f = (x) => x;\n\nclass A {\n  g() {\n    return 1;\n  }\n\n  h() {}\n}\n",
        "g() {\n  return 2;\n}",
        Some(
            "export const f = (x) => x;\n\nclass A {\n  g() {\n    return 2;\n  }\n\n  h() {}\n}\n",
        ),
    );
    check(
        "a.ts",
        "export function f(x: number): number {\n  return x;\n}\nconst k = 1;\n",
        "function f(x: number): number {\n  return x + 1;\n}\n",
        Some("export function f(x: number): number {\n  return x + 1;\n}\nconst k = 1;\n"),
    );
    check(
        "a.go",
        "package a\n\nimport \"fmt\"\n\nfunc (a *A) F() int {\n\treturn 1\n}\n\nfunc F() {}\n",
        "import \"fmt\"\n\nfunc (a *A) F() int {\n\treturn 2\n}\n",
        Some(
            "package a\n\nimport \"fmt\"\n\nfunc (a *A) F() int {\n\treturn 2\n}\n\nfunc F() {}\n",
        ),
    );
    let java = "class A {\n    int f(int a) {\n        return 1;\n    }\n\n    int f(long a) {\n        return 2;\n    }\n}\n";
    check(
        "A.java",
        java,
        "class A {\n    int f(long a) {\n        return 3;\n    }\n}\n",
        Some(&java.replace("return 2", "return 3")),
    );
    check(
        "a.c",
        "#include <stdio.h>\n\nint f(int a) {\n  return 1;\n}\nint g;\n",
        "#include <stdio.h>\n#include <string.h>\n\nint f(int a) {\n  return 2;\n}\n",
        Some("#include <stdio.h>\n#include <string.h>\n\nint f(int a) {\n  return 2;\n}\nint g;\n"),
    );
}

#[test]
fn a_block_that_is_the_whole_file_is_the_file() {
    let before = "import os\n\n\ndef f():\n    return 1\n";
    let block = "import os\nX = 1\n\ndef f():\n    return X\n";
    assert_eq!(
        weave("a.py", before, block, Asked::File).as_deref(),
        Some(block)
    );
    // It was asked for as a whole, and left something out.
    let part = "def f():\n    return 2\n";
    assert_eq!(
        weave("a.py", before, part, Asked::File),
        Some(before.replace("return 1", "return 2"))
    );
}

#[test]
fn nothing_is_done_where_it_is_not_clear_what() {
    check("shop.py", SHOP, "x = price(3)\n", None);
    check("shop.py", SHOP, "def other():\n    return 1\n", None);
    check("shop.py", SHOP, "def price(x:\n    return 1\n", None);
    check("shop.txt", "a\n", "b\n", None);
    let twice = "class A:\n    def f(self): pass\n\nclass B:\n    def f(self): pass\n";
    check("a.py", twice, "def f(self):\n    return 1\n", None);
}

/// Writes a file of functions, and a block of some of them with other bodies.
fn functions(names: &[u8], salt: usize) -> String {
    names
        .iter()
        .map(|name| format!("def f{name}(a):\n    # {salt}\n    return [a,\n{salt}]\n\n\n"))
        .collect()
}

proptest::proptest! {
    #[test]
    fn what_a_block_does_not_define_stays_byte_for_byte(
        all in proptest::collection::btree_set(0u8..20, 1..8),
        pick in proptest::collection::vec(proptest::bool::ANY, 8),
        tail in "[ -~\n]{0,30}",
    ) {
        let all: Vec<u8> = all.into_iter().collect();
        let chosen: Vec<u8> = all.iter().zip(&pick).filter(|(_, pick)| **pick).map(|(name, _)| *name).collect();
        let comment: String = tail.lines().map(|line| format!("# {line}\n")).collect();
        let before = functions(&all, 1) + &comment;
        let block = functions(&chosen, 2);
        let expected: String = all
            .iter()
            .map(|name| functions(&[*name], if chosen.contains(name) { 2 } else { 1 }))
            .collect::<String>() + &comment;
        let woven = weave("a.py", &before, &block, Asked::Part);
        proptest::prop_assert_eq!(woven, (!chosen.is_empty()).then_some(expected));
    }
}
