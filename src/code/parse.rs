//! Parsing within limits: what is too large, or takes too long, is not parsed.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tree_sitter::{Node, ParseOptions, ParseState, Parser, Tree};

use super::Language;

/// The largest text that is parsed. A source that people write is far below it.
const LARGEST: usize = 2 * 1024 * 1024;

/// How long one text may take. The parsers read some 10 MB a second, and error recovery can be a thousand times slower.
const LONGEST: Duration = Duration::from_millis(500);

/// A parsed text.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) tree: Tree,
}

impl Parsed {
    pub(super) fn root(&self) -> Node<'_> {
        self.tree.root_node()
    }
}

/// Parses a text; `None` where it is too large, takes too long, or `cancel` is set.
pub(super) fn parse(language: Language, text: &[u8], cancel: &AtomicBool) -> Option<Parsed> {
    if text.len() > LARGEST {
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(&language.grammar()).ok()?;
    let began = Instant::now();
    let mut go_on =
        |_: &ParseState| match began.elapsed() > LONGEST || cancel.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
    let tree = parser.parse_with_options(
        &mut |at, _| text.get(at..).unwrap_or_default(),
        None,
        Some(ParseOptions::new().progress_callback(&mut go_on)),
    )?;
    Some(Parsed { tree })
}

/// Visits all nodes, each before its children. Where `visit` returns false, the children are left out.
///
/// Without recursion: a hostile source may be nested deeper than a stack.
pub(super) fn walk<'tree>(root: Node<'tree>, mut visit: impl FnMut(Node<'tree>) -> bool) {
    let mut cursor = root.walk();
    loop {
        if visit(cursor.node()) && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}
