//! What a file defines, and which names it uses.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use tree_sitter::Node;

use super::grammar::{self, SymbolKind};
use super::parse::{parse, walk};
use super::{Language, Parsed};

/// The most of a signature that is kept.
const MAX_SIGNATURE: usize = 160;

/// Something that a file defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    pub name: String,
    pub kind: SymbolKind,
    /// The type or module that it is defined in.
    pub container: Option<String>,
    /// Its first and its last line, counted from 1.
    pub line: usize,
    pub end: usize,
    /// Its head, on one line.
    pub signature: String,
}

/// What a file defines and uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileSymbols {
    /// In the order of the file, without what is local to a function.
    pub definitions: Vec<Symbol>,
    /// How often each name stands in the file, other than where it is defined.
    pub uses: HashMap<String, u32>,
}

/// A definition with its place.
#[derive(Debug, Clone)]
pub(super) struct Definition<'tree> {
    pub(super) name: Node<'tree>,
    pub(super) node: Node<'tree>,
    pub(super) kind: SymbolKind,
    pub(super) container: Option<Container>,
    /// It is inside a function.
    pub(super) is_local: bool,
}

/// What a definition stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) is_type: bool,
    pub(super) through: Option<String>,
}

impl FileSymbols {
    /// Reads a file; `None` where its language is unknown, or it cannot be parsed within the limits.
    pub fn of(path: &str, text: &str, cancel: &AtomicBool) -> Option<Self> {
        let language = Language::of(path)?;
        let parsed = parse(language, text.as_bytes(), cancel)?;
        let found = definitions(language, &parsed, text);
        let mut uses: HashMap<String, u32> = HashMap::new();
        walk(parsed.root(), |node| {
            if node.child_count() == 0
                && grammar::is_name(node.kind())
                && let Some(name) = text.get(node.byte_range())
            {
                match uses.get_mut(name) {
                    Some(count) => *count += 1,
                    None => drop(uses.insert(name.to_owned(), 1)),
                }
            }
            true
        });
        let mut definitions = Vec::new();
        for definition in found {
            let name = &text[definition.name.byte_range()];
            if let Some(count) = uses.get_mut(name) {
                *count = count.saturating_sub(1);
            }
            if !definition.is_local {
                definitions.push(symbol(&definition, text));
            }
        }
        uses.retain(|_, count| *count > 0);
        Some(Self { definitions, uses })
    }

    /// Writes what the file defines as an outline: one line each, with its line number, what is inside indented.
    ///
    /// Without fields and constants where there is no room for them, and cut where there is none for the rest.
    pub fn outline(&self, room: usize) -> String {
        let write = |keep: fn(SymbolKind) -> bool| -> String {
            let shown = self.definitions.iter().filter(|symbol| keep(symbol.kind));
            let lines = shown.map(|symbol| {
                let indent = if symbol.container.is_some() { "  " } else { "" };
                format!("{indent}{}: {}\n", symbol.line, symbol.signature)
            });
            lines.collect()
        };
        let all = write(|_| true);
        if all.len() <= room {
            return all;
        }
        let few = write(|kind| !matches!(kind, SymbolKind::Field | SymbolKind::Constant));
        if few.len() <= room {
            return few;
        }
        let end = few[..room].rfind('\n').map_or(0, |at| at + 1);
        few[..end].to_owned()
    }
}

fn symbol(definition: &Definition<'_>, text: &str) -> Symbol {
    Symbol {
        name: text[definition.name.byte_range()].to_owned(),
        kind: definition.kind,
        container: definition
            .container
            .as_ref()
            .map(|container| container.name.clone()),
        line: definition.node.start_position().row + 1,
        end: definition.node.end_position().row + 1,
        signature: signature(definition.node, text),
    }
}

/// Returns the head of a definition, on one line.
fn signature(node: Node<'_>, text: &str) -> String {
    // What says the most of a `const f = (x) => …` and of a C declaration stands around it.
    let node = match node.parent() {
        Some(parent) if node.kind() == "variable_declarator" && parent.named_child_count() == 1 => {
            parent
        }
        _ => node,
    };
    let body = node.child_by_field_name("body");
    let end = body.map_or(node.end_byte(), |body| body.start_byte());
    let head = &text[node.start_byte()..end];
    let head = match body {
        Some(_) => head,
        None => head.lines().next().unwrap_or_default(),
    };
    let words: Vec<&str> = head.split_whitespace().collect();
    let line = words.join(" ");
    let line = line.trim_end_matches([':', '{', ' ', ';', ',']);
    crate::protocol::clip(line, MAX_SIGNATURE)
}

/// Finds all definitions of a file, those inside functions as well.
pub(super) fn definitions<'tree>(
    language: Language,
    parsed: &'tree Parsed,
    text: &str,
) -> Vec<Definition<'tree>> {
    let mut found: Vec<Definition<'tree>> = Vec::new();
    // What is open at the place that is looked at, with the byte where it ends.
    let mut containers: Vec<(usize, Container)> = Vec::new();
    let mut functions: Vec<usize> = Vec::new();
    walk(parsed.root(), |node| {
        let at = node.start_byte();
        containers.retain(|(end, _)| at < *end);
        functions.retain(|end| at < *end);
        if let Some(defines) = grammar::defines(language, node) {
            let mut kind = defines.kind;
            let mut container = containers.last().map(|(_, container)| container.clone());
            if language == Language::Go && kind == SymbolKind::Method {
                container = receiver(node, text).or(container);
            }
            if matches!(language, Language::C | Language::Cpp) {
                container = qualifier(defines.name, text).or(container);
            }
            let in_type = container
                .as_ref()
                .is_some_and(|container| container.is_type);
            let is_local = !functions.is_empty();
            if in_type && !is_local {
                kind = match kind {
                    SymbolKind::Function => SymbolKind::Method,
                    SymbolKind::Constant if language == Language::Python => SymbolKind::Field,
                    kind => kind,
                };
            }
            // In Python each assignment to a name looks like the first: that one defines it.
            let again = language == Language::Python
                && kind != SymbolKind::Function
                && found.iter().any(|other| {
                    other.kind == kind
                        && other.is_local == is_local
                        && other.container == container
                        && text[other.name.byte_range()] == text[defines.name.byte_range()]
                });
            if !again {
                found.push(Definition {
                    name: defines.name,
                    node,
                    kind,
                    container,
                    is_local,
                });
            }
        }
        if let Some(owner) = grammar::owner(language, node) {
            let name = |node: Node<'_>| text[node.byte_range()].to_owned();
            let container = Container {
                name: name(owner.name),
                is_type: owner.is_type,
                through: owner.through.map(name),
            };
            // Its own name is not inside it.
            containers.push((node.end_byte(), container));
        }
        if grammar::is_function(language, node.kind()) {
            functions.push(node.end_byte());
        }
        true
    });
    found
}

/// Returns the type that a Go method belongs to.
fn receiver(method: Node<'_>, text: &str) -> Option<Container> {
    let list = method.child_by_field_name("receiver")?;
    let kind = list.named_child(0)?.child_by_field_name("type")?;
    let name = grammar::base_name(kind);
    Some(Container {
        name: text[name.byte_range()].to_owned(),
        is_type: true,
        through: None,
    })
}

/// Returns the type or namespace that a C++ definition names before its own name: `A` of `int A::f() {}`.
fn qualifier(name: Node<'_>, text: &str) -> Option<Container> {
    let path = name.parent()?;
    if path.kind() != "qualified_identifier" {
        return None;
    }
    let scope = grammar::base_name(path.child_by_field_name("scope")?);
    Some(Container {
        name: text[scope.byte_range()].to_owned(),
        is_type: true,
        through: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, outline: &str) {
        let symbols = FileSymbols::of(path, text, &AtomicBool::new(false)).expect("parsed");
        assert_eq!(symbols.outline(10_000), outline, "{path}");
    }

    #[test]
    fn each_language_has_its_outline() {
        check(
            "a.rs",
            "pub struct A { b: u32 }\nimpl A {\n    /// Doc.\n    pub fn f(\n        &self,\n    ) -> u32 {\n        let x = 1;\n        x\n    }\n}\nconst C: u32 = 1;\nmod m { fn g() {} }\nmacro_rules! mm { () => {} }\n",
            "1: pub struct A\n  1: b: u32\n  4: pub fn f( &self, ) -> u32\n11: const C: u32 = 1\n12: mod m\n  12: fn g()\n13: macro_rules! mm { () => {} }\n",
        );
        check(
            "a.py",
            "X = 1\nX = 2\nclass A(B):\n    y: int = 2\n    def f(self, a):\n        z = 3\n        return z\n\nasync def g(): pass\n",
            "1: X = 1\n3: class A(B)\n  4: y: int = 2\n  5: def f(self, a)\n9: async def g()\n",
        );
        check(
            "a.ts",
            "export class A { x: number = 1; f(a: string): void { const q = 1; } }\ninterface I { g(): void }\nexport const h = (x: number) => x;\ntype T = string;\n",
            "1: class A\n  1: x: number = 1\n  1: f(a: string): void\n2: interface I\n  2: g(): void\n3: const h = (x: number) => x\n4: type T = string\n",
        );
        check(
            "a.go",
            "package a\n\ntype A struct{ x int }\n\nfunc (a *A) F() int { return 1 }\n\nfunc G[T any](x T) {}\n",
            "3: A struct{ x int }\n  3: x int\n  5: func (a *A) F() int\n7: func G[T any](x T)\n",
        );
        check(
            "A.java",
            "class A {\n  private int x = 1;\n  int f(int y) { int z = y; return z; }\n}\n",
            "1: class A\n  2: x = 1\n  3: int f(int y)\n",
        );
        check(
            "a.c",
            "#define M 1\nstruct s { int x; };\nstatic int f(int a) { int b; return b; }\nint g(void);\ntypedef struct s t;\n",
            "1: #define M 1\n2: struct s\n  2: int x\n3: static int f(int a)\n4: int g(void)\n5: typedef struct s t\n",
        );
        check(
            "a.cpp",
            "namespace n { class A { int f(); int x; }; }\nint A::f() { return 1; }\n",
            "1: namespace n\n  1: class A\n  1: int f()\n  1: int x\n  2: int A::f()\n",
        );
    }

    #[test]
    fn uses_are_counted_without_the_definition() {
        let text = "fn f() { g(); g(); }\nfn g() {}\n";
        let symbols = FileSymbols::of("a.rs", text, &AtomicBool::new(false)).expect("parsed");
        assert_eq!(symbols.uses.get("g"), Some(&2));
        assert_eq!(symbols.uses.get("f"), None);
    }

    #[test]
    fn an_outline_keeps_to_its_room() {
        let text: String = (0..50)
            .map(|n| format!("fn f{n}() {{}}\nconst C{n}: u8 = 0;\n"))
            .collect();
        let symbols = FileSymbols::of("a.rs", &text, &AtomicBool::new(false)).expect("parsed");
        let outline = symbols.outline(300);
        assert!(outline.len() <= 300 && outline.ends_with('\n'), "{outline}");
        assert!(!outline.contains("const"), "functions say more: {outline}");
    }
}
