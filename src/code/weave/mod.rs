//! Putting the definitions of a block of code into a file.
//!
//! A small model that is asked for one function writes that function, and often a little more or less: its imports, a
//! helper, an example of its use. What the block defines takes the place of what the file has by that name, and
//! everything else of the file stays byte for byte.

mod imports;
mod pieces;
mod text;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use tree_sitter::Node;

use self::pieces::{Kind, Piece, parameters, pieces};
use self::text::{indented, placed};
use super::Language;
use super::parse::{Parsed, parse};

/// What a block was asked to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The whole file: where it defines all that the file does, it is the file.
    File,
    /// A part of it.
    Part,
}

/// Puts what a block defines into a file, and returns the file's new text.
///
/// `None` where that cannot be done with certainty: the language is unknown, one of the two does not parse, or the block
/// defines nothing that has a place.
pub fn weave(path: &str, before: &str, block: &str, asked: Asked) -> Option<String> {
    let language = Language::of(path)?;
    let never = AtomicBool::new(false);
    let old = parse(language, before.as_bytes(), &never)?;
    if old.root().has_error() {
        return None;
    }
    let new = Block::read(language, block)?;
    let has = pieces(language, old.root(), before);
    let gets = pieces(language, new.top(), &new.text);
    if asked == Asked::File && !new.is_wrapped && is_whole(language, before, &has, &new.text, &gets)
    {
        return Some(block.to_owned());
    }
    let mut weaver = Weaver {
        language,
        before,
        block: &new.text,
        edits: Vec::new(),
        is_sure: true,
    };
    let known = weaver.join(old.root(), &has, &gets, Level::Top);
    if !known || !weaver.is_sure {
        return None;
    }
    weaver.edits.extend(imports::missing(
        language,
        path,
        (before, old.root(), &has),
        (&new.text, &gets),
    ));
    Some(weaver.text())
}

/// A block as it is read: where a language has no functions outside of classes, a method is read inside of one.
struct Block {
    text: String,
    parsed: Parsed,
    is_wrapped: bool,
}

impl Block {
    fn read(language: Language, block: &str) -> Option<Self> {
        let never = AtomicBool::new(false);
        let parsed = parse(language, block.as_bytes(), &never)?;
        if !parsed.root().has_error() {
            let (text, is_wrapped) = (block.to_owned(), false);
            return Some(Self {
                text,
                parsed,
                is_wrapped,
            });
        }
        let has_methods = matches!(
            language,
            Language::JavaScript | Language::TypeScript | Language::Tsx | Language::Java
        );
        if !has_methods {
            return None;
        }
        let text = format!("class Block {{\n{block}\n}}\n");
        let parsed = parse(language, text.as_bytes(), &never)?;
        (!parsed.root().has_error()).then_some(Self {
            text,
            parsed,
            is_wrapped: true,
        })
    }

    fn top(&self) -> Node<'_> {
        let root = self.parsed.root();
        let class = root.named_child(0).filter(|_| self.is_wrapped);
        class
            .and_then(|class| class.child_by_field_name("body"))
            .unwrap_or(root)
    }
}

/// Tells whether a block is a whole file: it defines all that the file does, with all members, and imports something
/// where the file does.
fn is_whole(
    language: Language,
    before: &str,
    has: &[Piece<'_>],
    block: &str,
    gets: &[Piece<'_>],
) -> bool {
    let imports = |pieces: &[Piece<'_>]| pieces.iter().any(|piece| piece.kind == Kind::Import);
    let all = has.iter().filter(|piece| piece.is_definition());
    (imports(gets) || !imports(has))
        && all.clone().next().is_some()
        && all.clone().all(|old| {
            gets.iter()
                .any(|new| new.is_same(old) && covers(language, (new, block), (old, before)))
        })
}

/// Tells whether something has all members that what it replaces has.
fn covers(
    language: Language,
    (new, block): (&Piece<'_>, &str),
    (old, before): (&Piece<'_>, &str),
) -> bool {
    let (Some(old), Some(new)) = (old.body(), new.body()) else {
        return true;
    };
    let (has, gets) = (pieces(language, old, before), pieces(language, new, block));
    let count = |among: &[Piece<'_>], one: &Piece<'_>| {
        among.iter().filter(|piece| piece.is_same(one)).count()
    };
    has.iter()
        .filter(|old| old.kind == Kind::Function)
        .all(|old| count(&gets, old) >= count(&has, old))
}

/// Where pieces stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Top,
    Member,
}

struct Weaver<'a> {
    language: Language,
    before: &'a str,
    block: &'a str,
    edits: Vec<(Range<usize>, String)>,
    /// Nothing was found twice.
    is_sure: bool,
}

impl Weaver<'_> {
    /// Joins the pieces of a block with those of a file or a class. Returns whether one of them was there before.
    fn join(
        &mut self,
        parent: Node<'_>,
        has: &[Piece<'_>],
        gets: &[Piece<'_>],
        level: Level,
    ) -> bool {
        // What stands below the last function is an example of its use.
        let last = gets
            .iter()
            .rposition(|piece| matches!(piece.kind, Kind::Function | Kind::Type | Kind::Impl));
        let mut known = false;
        // The last piece of the file that the block has as well, and what comes new after it.
        let mut anchor: Option<&Piece<'_>> = None;
        let mut fresh: Vec<&Piece<'_>> = Vec::new();
        for (at, new) in gets.iter().enumerate() {
            if !new.is_definition() {
                continue;
            }
            if let Some(old) = self.find(has, new) {
                known = true;
                self.insert(parent, has, anchor, Some(old), &mut fresh, level);
                anchor = Some(old);
                self.put(old, new);
            } else if level == Level::Top
                && new.kind == Kind::Function
                && let Some(method) = self.method(has, new)
            {
                known = true;
                self.replace(&method, new);
            } else if new.kind != Kind::Constant || last.is_some_and(|last| at < last) {
                fresh.push(new);
            }
        }
        self.insert(parent, has, anchor, None, &mut fresh, level);
        known
    }

    /// Finds what a piece takes the place of: by name and kind, and by its parameters where several have that name.
    fn find<'p, 'tree>(
        &mut self,
        has: &'p [Piece<'tree>],
        new: &Piece<'_>,
    ) -> Option<&'p Piece<'tree>> {
        let same: Vec<&Piece<'tree>> = has.iter().filter(|old| new.is_same(old)).collect();
        if same.len() < 2 {
            return same.first().copied();
        }
        // In Python a name is what it was last assigned.
        if new.kind == Kind::Constant || self.language == Language::Python {
            return same.last().copied();
        }
        let wanted = parameters(new, self.block).map(text::bare);
        let found = same
            .iter()
            .find(|old| wanted.is_some() && parameters(old, self.before).map(text::bare) == wanted);
        self.is_sure &= found.is_some();
        found.copied()
    }

    /// Finds the one method that a function is, which was written without its class.
    fn method<'tree>(&self, has: &[Piece<'tree>], new: &Piece<'_>) -> Option<Piece<'tree>> {
        let members = has
            .iter()
            .filter_map(|piece| piece.body())
            .flat_map(|body| pieces(self.language, body, self.before));
        let mut found = members.filter(|old| old.kind == Kind::Function && old.name == new.name);
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// Puts a piece in the place of an old one, or its members where it has only some of them.
    fn put(&mut self, old: &Piece<'_>, new: &Piece<'_>) {
        if let (Some(within), Some(by)) = (old.body(), new.body())
            && !covers(self.language, (new, self.block), (old, self.before))
        {
            let has = pieces(self.language, within, self.before);
            let gets = pieces(self.language, by, self.block);
            self.join(within, &has, &gets, Level::Member);
            return;
        }
        self.replace(old, new);
    }

    fn replace(&mut self, old: &Piece<'_>, new: &Piece<'_>) {
        let place = match new.is_wrapped() {
            true => old.node,
            false => old.inner,
        };
        let by = match new.is_wrapped() {
            true => new.node,
            // A constant's own node lacks its `let`, and an export is kept.
            false => new.inner,
        };
        let (place, by) = match (old.kind, self.language) {
            // What is around them says as much as they do: `const f = …;`.
            (Kind::Constant, _) => (old.node, new.node),
            (Kind::Function, _) if old.inner.kind() == "variable_declarator" => {
                (old.node, new.node)
            }
            _ => (place, by),
        };
        let mut text = placed(self.before, place.start_byte(), self.block, by.byte_range());
        if self.language == Language::Python
            && let Some(documented) =
                text::with_docstring(self.before, place, &text, self.block, by)
        {
            text = documented;
        }
        if self.language == Language::Rust {
            text = text::with_visibility(self.before, place, text);
        }
        if self.before[place.byte_range()] != text {
            self.edits.push((place.byte_range(), text));
        }
    }

    /// Adds what the file does not have, below `after`, or above `next`, or at the end.
    fn insert(
        &mut self,
        parent: Node<'_>,
        has: &[Piece<'_>],
        after: Option<&Piece<'_>>,
        next: Option<&Piece<'_>>,
        fresh: &mut Vec<&Piece<'_>>,
        level: Level,
    ) {
        if fresh.is_empty() {
            return;
        }
        let gap = match (self.language, level) {
            (Language::Python, Level::Top) => "\n\n",
            _ => "\n",
        };
        let beside = has.iter().rfind(|piece| piece.is_definition());
        let column = after.or(next).or(beside);
        let indent = match (column, level) {
            (Some(piece), _) => text::indent_at(self.before, piece.node.start_byte()).to_owned(),
            (None, Level::Top) => String::new(),
            (None, Level::Member) => {
                format!("{}    ", text::indent_at(self.before, parent.start_byte()))
            }
        };
        let texts: Vec<String> = fresh
            .drain(..)
            .map(|piece| {
                let whole = piece.lead..piece.node.end_byte();
                indented(self.block, whole, &indent)
            })
            .collect();
        let (at, text) = match (after.or(beside.filter(|_| next.is_none())), next) {
            (Some(after), _) => {
                let end = text::end_of_line(self.before, after.node.end_byte());
                let text: String = texts
                    .iter()
                    .map(|text| format!("\n{gap}{indent}{text}"))
                    .collect();
                (end, text)
            }
            (None, Some(next)) => {
                let line = next.lead - text::indent_at(self.before, next.lead).len();
                let text: String = texts
                    .iter()
                    .map(|text| format!("{indent}{text}\n{gap}"))
                    .collect();
                (line, text)
            }
            (None, None) => {
                let end = match level {
                    Level::Top => self.before.trim_end().len(),
                    Level::Member => self.before[..parent.end_byte()]
                        .trim_end()
                        .trim_end_matches('}')
                        .trim_end()
                        .len(),
                };
                let first = if end == 0 { "" } else { "\n" };
                let gap = if end == 0 { "" } else { gap };
                let text: String = texts
                    .iter()
                    .map(|text| format!("{first}{gap}{indent}{text}"))
                    .collect();
                (end, text)
            }
        };
        self.edits.push((at..at, text));
    }

    /// Makes the edits, each at its place in the text as it was.
    fn text(mut self) -> String {
        self.edits
            .sort_by_key(|(range, _)| (range.start, range.end));
        let mut text = String::with_capacity(self.before.len() + self.block.len());
        let mut at = 0;
        for (range, by) in &self.edits {
            // Two edits of one place would be two definitions of one name: the first it is.
            if range.start < at {
                continue;
            }
            text.push_str(&self.before[at..range.start]);
            text.push_str(by);
            at = range.end;
        }
        text.push_str(&self.before[at..]);
        text
    }
}
