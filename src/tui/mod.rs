//! The terminal UI: a pure core ([`App::update`], [`view()`]) and a thin shell ([`run()`]) around it.
//!
//! It knows a session by its [`crate::protocol::Op`]s and [`crate::protocol::Event`]s alone, and must know nothing
//! of models, servers or files. A pane asks for a [`Role`], never for a colour; every foreign string passes
//! `sanitize` on its way into a `text::Row`; nothing is drawn, and nobody wakes up, while nothing happens.

mod app;
mod approval;
mod approval_ask;
mod asked;
mod clipboard;
mod commands;
mod composer;
mod diff;
mod drafting;
mod findings;
mod highlight;
mod history;
mod items;
mod keymap;
mod keys;
mod markdown;
mod overlay;
mod prompts;
mod role;
mod run;
mod screen;
mod status;
mod terminal;
mod text;
mod theme;
mod transcript;
mod view;
mod welcome;

pub use app::{App, Cmd, Facts, Msg};
pub use commands::COMMANDS;
pub use highlight::Highlighter;
pub use keymap::key_table;
pub use prompts::Prompt;
pub use role::Role;
pub use run::{Editor, Exit, Options, TuiError, run};
pub use terminal::restore;
pub use theme::{Depth, Theme, ThemeError};
pub use view::view;
