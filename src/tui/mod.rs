//! The terminal UI.
use crate::protocol::{Event, Op};
pub fn key_table() -> Vec<(String, String)> { vec![] }
pub fn command_table() -> Vec<(String, String)> { vec![] }
pub fn restore_after_abort(_: &str) {}
pub struct Options { pub theme: Option<String>, pub no_color: bool, pub model_name: String, pub root: std::path::PathBuf, pub enforced: String, pub history: Option<std::path::PathBuf>, pub themes: Option<std::path::PathBuf>, pub replay: Vec<Event> }
pub async fn run(_: tokio::sync::mpsc::Sender<Op>, _: tokio::sync::mpsc::UnboundedReceiver<Event>, _: Options) -> Result<(), std::io::Error> { Ok(()) }
