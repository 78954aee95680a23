//! Cutting and putting pieces of text.

use std::ops::Range;

use tree_sitter::Node;

/// Edits of one text: what stands at a place, and what is to stand there instead.
#[derive(Debug, Default)]
pub(super) struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    pub(super) fn replace(&mut self, range: Range<usize>, by: impl Into<String>) {
        self.0.push((range, by.into()));
    }

    pub(super) fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.replace(at..at, text);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes back the edits in a piece of the text.
    fn forget(&mut self, piece: &Range<usize>) {
        let inside = |range: &Range<usize>| piece.start <= range.start && range.end <= piece.end;
        self.0.retain(|(range, _)| !inside(range));
    }

    /// Makes the edits. One inside of another that takes more is lost with it.
    pub(super) fn apply(mut self, text: &str) -> String {
        self.0.sort_by_key(|(range, _)| (range.start, range.end));
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for (range, by) in self.0 {
            if range.start < done && range.end <= done {
                continue;
            }
            out.push_str(&text[done..range.start.max(done)]);
            out.push_str(&by);
            done = range.end;
        }
        out.push_str(&text[done..]);
        out
    }

    /// Returns a piece of the text with the edits that are in it.
    pub(super) fn piece(&self, text: &str, piece: &Range<usize>) -> String {
        let inside = self
            .0
            .iter()
            .filter(|(range, _)| piece.start <= range.start && range.end <= piece.end);
        let moved = inside.map(|(range, by)| {
            let range = range.start - piece.start..range.end - piece.start;
            (range, by.clone())
        });
        Self(moved.collect()).apply(&text[piece.clone()])
    }
}

/// Returns the whole lines of a node, with the attributes and comments that stand right above it.
pub(super) fn whole(node: Node<'_>, text: &str, belongs: &[&str]) -> Range<usize> {
    let mut start = node.start_byte();
    let mut above = node.prev_sibling();
    while let Some(sibling) = above {
        let between = &text[sibling.end_byte()..start];
        let touches = between.trim().is_empty() && between.matches('\n').count() <= 1;
        // A comment may end with its line.
        let ends_line = text[..sibling.end_byte()].ends_with('\n') && between.trim().is_empty();
        let close = touches && !(ends_line && between.contains('\n'));
        let inner = ["//!", "/*!", "#!"];
        let is_inner = inner
            .iter()
            .any(|mark| text[sibling.byte_range()].starts_with(mark));
        // A comment behind code is about that.
        let line = text[..sibling.start_byte()]
            .rfind('\n')
            .map_or(0, |at| at + 1);
        let alone = text[line..sibling.start_byte()].trim().is_empty();
        if !close || is_inner || !alone || !belongs.contains(&sibling.kind()) {
            break;
        }
        start = sibling.start_byte();
        above = sibling.prev_sibling();
    }
    let start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    start..line_end(text, node.end_byte())
}

/// Returns the place after the end of a line.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    if text[..at].ends_with('\n') {
        return at;
    }
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

/// Takes whole lines out, and the blank line too many that this would leave.
pub(super) fn take_out(edits: &mut Edits, text: &str, range: &Range<usize>) {
    edits.forget(range);
    let before_blank = range.start == 0 || text[..range.start].ends_with("\n\n");
    let mut end = range.end;
    while before_blank && text[end..].starts_with('\n') {
        end += 1;
    }
    let mut start = range.start;
    while end == text.len() && text[..start].ends_with("\n\n") {
        start -= 1;
    }
    edits.replace(start..end, "");
}

/// Takes one part out of a list, with its comma.
pub(super) fn take_from_list(edits: &mut Edits, text: &str, part: Range<usize>) {
    let after = text[part.end..].trim_start();
    let gap = text[part.end..].len() - after.len();
    if after.starts_with(',') {
        let rest = &text[part.end + gap + 1..];
        let spaces = rest.len() - rest.trim_start_matches(' ').len();
        edits.replace(part.start..part.end + gap + 1 + spaces, "");
        return;
    }
    let before = text[..part.start].trim_end();
    let start = before.strip_suffix(',').map_or(part.start, str::len);
    edits.replace(start..part.end, "");
}
