//! The compact face: seven tools in few words, for a small model, and three for the host.

mod arguments;
mod change;
mod moving;
mod read;
mod rename;
mod tools;

use std::sync::atomic::AtomicBool;

use rmcp::model::{JsonObject, Tool};

use self::arguments::Arguments;
use self::change::Manner;
pub(super) use self::tools::ToolName;
use super::Answer;
use crate::workspace::Roots;

/// Describes all tools, in their order.
pub(super) fn tools() -> Vec<Tool> {
    tools::all()
}

/// Runs one call to its end, on a thread that may block.
pub(super) fn call(
    tool: ToolName,
    roots: &Roots,
    arguments: JsonObject,
    meta: &JsonObject,
    cancel: &AtomicBool,
) -> Answer {
    let arguments = Arguments::of(tool, arguments)?;
    if meta.contains_key("walden/part") && !matches!(tool, ToolName::Edit | ToolName::Write) {
        return Err("this change is made whole or not at all".to_owned());
    }
    match tool {
        ToolName::Read => read::read(roots, &arguments),
        ToolName::List => read::list(roots, &arguments),
        ToolName::Find => read::find(roots, &arguments, cancel),
        ToolName::Search => read::search(roots, &arguments, cancel),
        ToolName::Edit => change::edit(roots, &arguments, meta, cancel),
        ToolName::Write => change::write(roots, &arguments, meta, cancel),
        ToolName::Rename => rename::rename(roots, &arguments, &Manner::of(meta)?, cancel),
        ToolName::Move => moving::move_item(roots, &arguments, &Manner::of(meta)?, cancel),
        ToolName::MoveFile => moving::move_file(roots, &arguments, &Manner::of(meta)?, cancel),
        ToolName::SetExecutable => {
            moving::set_executable(roots, &arguments, &Manner::of(meta)?, cancel)
        }
    }
}
