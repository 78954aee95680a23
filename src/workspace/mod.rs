//! The workspace: the one door to the user's files.
//!
//! Owns the roots and everything that opens, changes or restores a file beneath them: [`Roots`] reads,
//! [`plan_replace`] and [`plan_write`] plan a change, [`Plan::apply`] writes it, [`Checkpoints`] take it back,
//! [`Index`], [`find_entries`] and [`search()`] find things, [`sweep`] clears away what killed writes left. All calls block; callers in async code put them on a blocking thread.
//! Knows nothing of MCP, of the agent or of the screen.
//!
//! Two rules hold everywhere. A path is resolved by the kernel, beneath the directory handle of its root, in the
//! same call that opens it: there is no moment between check and use. And a file is replaced only while it still has
//! the bytes that the change was planned on.

mod beneath;
mod change_set;
mod checkpoint;
mod checks;
mod diff;
mod edit;
mod encoding;
mod entry;
mod guidance;
mod index;
mod leftover;
mod locate;
mod look;
mod moving;
mod narrow;
mod part;
mod pattern;
mod protect;
mod resolve;
mod roots;
mod scratch;
mod search;
mod temp;
mod tracked;
mod walk;
mod write;

pub use change_set::ChangeSet;
pub use checkpoint::{CheckpointError, Checkpoints};
pub use checks::{detect as detect_check, reads_examples};
pub use diff::{change_of, hash_of, is_executable_data};
pub use edit::{
    EditError, EditsError, Plan, Replacement, plan_edits, plan_exactly, plan_replace, plan_write,
};
pub use encoding::{Encoding, Order, Text, text_of};
pub use entry::{MoveError, make_directory, move_entry};
pub use guidance::{guidance_hash, guidance_of};
pub use index::{Entries, Entry, FindError, Index, find_entries};
pub use leftover::{Swept, sweep};
pub use look::{Branch, Info, Kind, Listed, Sizes};
pub use moving::{Moving, MovingError, plan_executable, plan_move};
pub use narrow::NarrowError;
pub use part::Part;
pub use pattern::{PatternError, Patterns};
pub use protect::is_protected;
pub use roots::{FileBytes, MAX_FILE_BYTES, Roots, RootsError};
pub use scratch::{Scratch, ScratchError};
pub use search::{Found, Hit, Query, SearchError, search};
pub use tracked::{Stamp, Tracked};
pub use write::{Guarded, WriteError};

#[cfg(test)]
mod tests;
