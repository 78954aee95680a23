//! The terminal UI: a pure core ([`App::update`], [`view()`]) and a thin shell ([`run()`]) around it.
//!
//! It knows a session by its [`crate::protocol::Op`]s and [`crate::protocol::Event`]s alone, and must know nothing
//! of models, servers or files. A pane asks for a [`Role`], never for a colour; every foreign string passes
//! `sanitize` on its way into a `text::Row`; nothing is drawn, and nobody wakes up, while nothing happens.

mod app;
mod approval;
mod approval_ask;
mod asked;
mod choosing;
mod clipboard;
mod command_line;
mod commands;
mod composer;
#[cfg(test)]
mod contrast;
mod copying;
mod diff;
mod drafting;
#[cfg(test)]
mod drawn;
mod finding;
mod findings;
mod highlight;
mod history;
#[cfg(test)]
mod hostile_tests;
mod input;
mod items;
mod keymap;
mod keys;
mod keys_file;
mod markdown;
mod mention;
mod model_name;
mod msg;
mod overlay;
mod pace;
mod pages;
mod picker;
mod plain;
mod planning;
mod prompts;
mod review;
mod role;
mod run;
mod screen;
mod searched;
mod serving;
mod status;
mod templates;
mod terminal;
mod text;
mod theme;
mod transcript;
mod unsure;
mod view;
mod vim;
mod waiting;
mod welcome;

pub use app::{App, Cmd, Facts, Msg, Switch};
pub use commands::COMMANDS;
pub use highlight::Highlighter;
pub use keymap::{Scroll, key_table};
pub use picker::{Defined, Found, Hit, Kept, Library, Offered, Ranker, Subject, Want};
pub use plain::run_plain;
pub use prompts::Prompt;
pub use role::Role;
pub use run::{Editor, Exit, Options, TuiError, Write, run};
pub use terminal::{restore, say_after};
pub use theme::{Depth, Theme, ThemeError};
pub use view::view;
