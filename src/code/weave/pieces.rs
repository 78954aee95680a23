//! The pieces that a file is made of, one level at a time: imports, definitions with what belongs to them, the rest.

use tree_sitter::Node;

use super::super::Language;
use super::super::grammar::{self, SymbolKind};

/// What a piece is. Functions and methods are one: a block shows a method without its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Import,
    Function,
    Type,
    /// What holds the members of a type that stands elsewhere.
    Impl,
    Constant,
    Module,
    Macro,
    Other,
}

/// A piece of a file, a class or a module.
#[derive(Debug, Clone)]
pub(super) struct Piece<'tree> {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// The trait of an `impl`, the receiver of a Go method.
    pub(super) through: Option<String>,
    /// All of it, with decorators or `export`.
    pub(super) node: Node<'tree>,
    /// The node that defines it.
    pub(super) inner: Node<'tree>,
    /// Where the comments and attributes directly above it begin.
    pub(super) lead: usize,
}

impl<'tree> Piece<'tree> {
    /// Tells whether it defines something that can be found by its name.
    pub(super) fn is_definition(&self) -> bool {
        !matches!(self.kind, Kind::Import | Kind::Other)
    }

    /// Tells whether both define the same thing.
    pub(super) fn is_same(&self, other: &Piece<'_>) -> bool {
        self.is_definition()
            && self.kind == other.kind
            && self.name == other.name
            && self.through == other.through
    }

    /// Returns the node that holds its members, where it has some.
    pub(super) fn body(&self) -> Option<Node<'tree>> {
        match self.kind {
            Kind::Type | Kind::Impl | Kind::Module => self.inner.child_by_field_name("body"),
            _ => None,
        }
    }

    /// Tells whether something is wrapped around what it defines: decorators, `export`.
    pub(super) fn is_wrapped(&self) -> bool {
        self.node.id() != self.inner.id()
    }
}

/// Returns the pieces that stand directly in a node.
pub(super) fn pieces<'tree>(
    language: Language,
    parent: Node<'tree>,
    text: &str,
) -> Vec<Piece<'tree>> {
    let mut found = Vec::new();
    // Where comments and attributes begin that may belong to what comes next, and where they end.
    let mut lead: Option<(usize, usize)> = None;
    let mut cursor = parent.walk();
    for node in parent.named_children(&mut cursor) {
        let (start, end) = (node.start_byte(), node.end_byte());
        let between = |from: usize| text.get(from..start).unwrap_or_default();
        let follows = |from: usize| {
            let ended = text[..from].ends_with('\n');
            between(from).matches('\n').count() <= usize::from(!ended)
        };
        let above = lead.take().filter(|(_, end)| follows(*end));
        if is_lead(node.kind()) {
            // A comment at the end of a line belongs to that line.
            let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
            if text[line..start].trim().is_empty() {
                lead = Some((above.map_or(start, |(start, _)| start), end));
            }
            continue;
        }
        let mut piece = piece(language, node, text);
        piece.lead = above.map_or(start, |(start, _)| start);
        found.push(piece);
    }
    found
}

fn is_lead(kind: &str) -> bool {
    matches!(
        kind,
        "comment" | "line_comment" | "block_comment" | "attribute_item"
    )
}

fn piece<'tree>(language: Language, node: Node<'tree>, text: &str) -> Piece<'tree> {
    let name = |node: Node<'_>| text[node.byte_range()].to_owned();
    let inner = unwrapped(node);
    let mut piece = Piece {
        kind: Kind::Other,
        name: String::new(),
        through: None,
        node,
        inner,
        lead: node.start_byte(),
    };
    if is_import(node.kind()) {
        piece.kind = Kind::Import;
    } else if inner.kind() == "impl_item" {
        if let Some(owner) = grammar::owner(language, inner) {
            piece.kind = Kind::Impl;
            piece.name = name(owner.name);
            piece.through = owner.through.map(name);
        }
    } else if let Some(defines) = grammar::defines(language, inner) {
        piece.kind = match defines.kind {
            SymbolKind::Function | SymbolKind::Method => Kind::Function,
            SymbolKind::Type => Kind::Type,
            SymbolKind::Constant | SymbolKind::Field => Kind::Constant,
            SymbolKind::Module => Kind::Module,
            SymbolKind::Macro => Kind::Macro,
        };
        piece.name = name(defines.name);
        let receiver = inner.child_by_field_name("receiver");
        piece.through = receiver
            .and_then(|list| list.named_child(0)?.child_by_field_name("type"))
            .map(|of| name(grammar::base_name(of)));
    }
    piece
}

/// Takes off what stands around a definition.
fn unwrapped(node: Node<'_>) -> Node<'_> {
    let mut node = node;
    for _ in 0..8 {
        let inner = match node.kind() {
            "decorated_definition" => node.child_by_field_name("definition"),
            "export_statement" => node.child_by_field_name("declaration"),
            "expression_statement"
            | "lexical_declaration"
            | "variable_declaration"
            | "type_declaration"
            | "const_declaration"
            | "var_declaration" => node
                .named_child(0)
                .filter(|_| node.named_child_count() == 1),
            "template_declaration" => {
                let last = u32::try_from(node.named_child_count()).unwrap_or(0);
                node.named_child(last.saturating_sub(1))
            }
            _ => None,
        };
        match inner {
            Some(inner) => node = inner,
            None => break,
        }
    }
    node
}

pub(super) fn is_import(kind: &str) -> bool {
    matches!(
        kind,
        "use_declaration"
            | "extern_crate_declaration"
            | "import_statement"
            | "import_from_statement"
            | "future_import_statement"
            | "import_declaration"
            | "preproc_include"
    )
}

/// Returns the parameters of a function, to tell one from another of the same name.
pub(super) fn parameters<'text>(piece: &Piece<'_>, text: &'text str) -> Option<&'text str> {
    let mut node = piece.inner;
    for _ in 0..8 {
        if let Some(list) = node.child_by_field_name("parameters") {
            return text.get(list.byte_range());
        }
        node = node
            .child_by_field_name("declarator")
            .or_else(|| node.child_by_field_name("value"))?;
    }
    None
}
