//! What a program's text means as far as its syntax tells: whether an edit breaks it, what it defines, where that is
//! used, and what it takes to rename it.
//!
//! Owns the grammars and everything that looks at a syntax tree. It knows names and scopes, and no types: what these
//! do not decide is named as uncertain, for the user or the model. Files are read through [`crate::workspace`] alone,
//! and nothing here writes one.

mod focus;
mod grammar;
mod language;
mod parse;
mod rank;
pub mod rename;
mod repository;
mod symbols;
mod syntax;
mod weave;

pub use focus::{Aims, Focus, aims};
pub use grammar::SymbolKind;
pub use language::Language;
use parse::Parsed;
pub use rank::{Likely, map, stands_out};
pub use repository::Repository;
pub use symbols::{FileSymbols, Symbol};
pub use syntax::{Broken, newly_broken};
pub use weave::{Asked, weave};
