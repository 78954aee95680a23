//! Which classes are made from which: a member that an heir defines anew is the member of both.
//!
//! Read from the text, so that a file need not be parsed whose class only stands between two others.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Language;

/// The longest head of a class that is read, in bytes.
const LONGEST: usize = 2_000;

/// How many classes stand between two at most.
const DEEPEST: usize = 64;

/// Classes of Python that others are made from, and have no members that a program would name.
const MEMBERLESS: &[&str] = &["object", "ABC", "Generic", "Protocol"];

/// What does not stand in the head of a class: it is no head, but in a comment or a string.
const NO_HEAD: &[&str] = &["*/", "/*", "//", "="];

/// The classes of a repository, each with those that it is made from.
#[derive(Debug, Default)]
pub(super) struct Heirs {
    parents: BTreeMap<String, BTreeSet<String>>,
}

impl Heirs {
    /// Returns what is known of a language without classes.
    pub(super) const fn none() -> Self {
        Self {
            parents: BTreeMap::new(),
        }
    }

    /// Takes in the classes of a file.
    pub(super) fn read(&mut self, language: Language, text: &str) {
        let words: &[&str] = match language {
            Language::Python => &["class"],
            Language::Java => &["class", "interface", "enum", "record"],
            Language::JavaScript | Language::TypeScript | Language::Tsx => &["class", "interface"],
            Language::C | Language::Cpp => &["class", "struct"],
            _ => return,
        };
        for word in words {
            for at in super::source::words(text, word) {
                let after = &text[at + word.len()..];
                let head = after.trim_start();
                if head.len() == after.len() {
                    continue;
                }
                let length = head.find(|c: char| !is_part(c)).unwrap_or(head.len());
                let (name, rest) = head.split_at(length);
                let (name, parents) = match language {
                    Language::C | Language::Cpp => match of_cpp(head) {
                        Some(class) => class,
                        None => continue,
                    },
                    _ if name.is_empty() => continue,
                    Language::Python => (name.to_owned(), of_python(rest)),
                    _ => (name.to_owned(), of_words(rest)),
                };
                let others = parents.into_iter().filter(|parent| *parent != name);
                let others: Vec<String> = others.collect();
                self.parents.entry(name).or_default().extend(others);
            }
        }
    }

    /// Tells whether the repository has a class of that name.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.parents.contains_key(name)
    }

    /// Names what a class is made from itself.
    pub(super) fn parents(&self, name: &str) -> impl Iterator<Item = &str> {
        let parents = self.parents.get(name).into_iter().flatten();
        parents.map(String::as_str)
    }

    /// Names all that a class is made from, the nearest first.
    pub(super) fn ancestors(&self, name: &str) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut next: Vec<&str> = vec![name];
        for _ in 0..DEEPEST {
            let parents = next.iter().flat_map(|name| self.parents(name));
            let mut new: Vec<&str> = parents
                .filter(|parent| *parent != name && seen.insert(parent))
                .collect();
            if new.is_empty() {
                break;
            }
            new.sort_unstable();
            found.extend(&new);
            next = new;
        }
        found
    }

    /// Names the classes that are made from one of these.
    pub(super) fn of<'a>(&'a self, family: &'a BTreeSet<String>) -> impl Iterator<Item = &'a str> {
        self.parents.keys().map(String::as_str).filter(|name| {
            let mut above = self.ancestors(name).into_iter();
            above.any(|parent| family.contains(parent))
        })
    }
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

/// Reads `(A, b.C[T], metaclass=M):`.
fn of_python(rest: &str) -> Vec<String> {
    let Some(list) = rest.trim_start().strip_prefix('(') else {
        return Vec::new();
    };
    let mut depth = 1;
    let end = list.char_indices().take(LONGEST).find(|(_, c)| {
        depth += i32::from(matches!(c, '(' | '[')) - i32::from(matches!(c, ')' | ']'));
        depth == 0
    });
    let Some((end, _)) = end else {
        return Vec::new();
    };
    let parts = bare(&list[..end]);
    let parts = parts.split(',').filter(|part| !part.contains('='));
    let names = parts.filter_map(last_name);
    names
        .filter(|name| !MEMBERLESS.contains(&name.as_str()))
        .collect()
}

/// Reads `EXPORT a::D final : public A, virtual b::C<T> {`: a name, what stands before it, and what it is made from.
fn of_cpp(head: &str) -> Option<(String, Vec<String>)> {
    let mut places = head.char_indices().take(LONGEST);
    let (end, '{') = places.find(|(_, c)| matches!(c, '{' | ';' | '(' | ')' | '*' | '&'))? else {
        return None;
    };
    let plain = head_of(&head[..end])?.replace("::", ".");
    let (named, list) = plain.split_once(':').unwrap_or((&plain, ""));
    let named = named.trim();
    let name = last_name(named.strip_suffix(" final").unwrap_or(named))?;
    Some((name, list.split(',').filter_map(last_name).collect()))
}

/// Reads ` extends A<T> implements B, c.D {`.
fn of_words(rest: &str) -> Vec<String> {
    let mut head = rest.char_indices().take(LONGEST);
    let end = head.find(|(_, c)| matches!(c, '{' | ';' | '"'));
    let Some((end, '{')) = end else {
        return Vec::new();
    };
    let Some(plain) = head_of(&rest[..end]) else {
        return Vec::new();
    };
    let mut parents = Vec::new();
    let mut takes = false;
    for part in plain.split([' ', '\n', '\t', '\r', ',']) {
        match part {
            "extends" | "implements" => takes = true,
            "permits" => takes = false,
            "" => {}
            part if takes => parents.extend(last_name(part)),
            _ => {}
        }
    }
    parents
}

/// Returns the head of a class without arguments of types; `None` where it can be none.
fn head_of(text: &str) -> Option<String> {
    let plain = bare(text);
    let is_head = !NO_HEAD.iter().any(|sign| plain.contains(sign));
    is_head.then_some(plain)
}

/// Leaves out what stands in brackets: the arguments of types.
fn bare(text: &str) -> String {
    let mut depth = 0usize;
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' | '[' | '(' => depth += 1,
            '>' | ']' | ')' => depth = depth.saturating_sub(1),
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

/// Returns the last name of a path that other words may stand before.
fn last_name(part: &str) -> Option<String> {
    let name = part.trim().rsplit(|c: char| !is_part(c)).next()?;
    let is_name = name.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '$'));
    is_name.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_class_is_made_from_is_read_from_its_head() {
        let cases: &[(Language, &str, &str, &[&str])] = &[
            (
                Language::Java,
                "/** The class of it. */ public class A<T extends Comparable<T>> extends p.B<T>\n implements C, D<X> {",
                "A",
                &["B", "C", "D"],
            ),
            (
                Language::Java,
                "record A(int b, C c) implements D {",
                "A",
                &["D"],
            ),
            (
                Language::Java,
                "sealed interface A extends B permits C {",
                "A",
                &["B"],
            ),
            (
                Language::Python,
                "class A(b.B, Generic[T, U],\n    metaclass=M):",
                "A",
                &["B"],
            ),
            (Language::Python, "class A:\n    x = f(B)", "A", &[]),
            (
                Language::TypeScript,
                "export class A<T = X> extends b.B<T> implements C, D {",
                "A",
                &["B", "C", "D"],
            ),
            (Language::JavaScript, "class A extends f(B) {", "A", &["f"]),
            (
                Language::Cpp,
                "class A final : public b::B<int>, private virtual C\n{",
                "A",
                &["B", "C"],
            ),
            (
                Language::Cpp,
                "template <class T> struct EXPORT n::A : B<T> {",
                "A",
                &["B"],
            ),
            (Language::Cpp, "template <class A> struct X : B {", "A", &[]),
            (Language::Cpp, "struct A a = f(b ? c : d);", "A", &[]),
            (Language::Cpp, "struct A;", "A", &[]),
            (Language::Java, "a class is extended", "is", &[]),
            (
                Language::Java,
                "/** A class of them. */ class A extends B {",
                "of",
                &[],
            ),
        ];
        for (language, text, name, parents) in cases {
            let mut heirs = Heirs::default();
            heirs.read(*language, text);
            let mut found = heirs.ancestors(name);
            found.sort_unstable();
            assert_eq!(found, *parents, "{text}");
        }
    }

    #[test]
    fn a_circle_of_classes_ends() {
        let mut heirs = Heirs::default();
        heirs.read(
            Language::Java,
            "class A extends B {} class B extends C {} class C extends A {} class D extends A {}",
        );
        assert_eq!(heirs.ancestors("A"), ["B", "C"]);
        let family = BTreeSet::from(["A".to_owned()]);
        assert_eq!(heirs.of(&family).collect::<Vec<_>>(), ["B", "C", "D"]);
        assert!(heirs.knows("D") && !heirs.knows("E"));
    }
}
