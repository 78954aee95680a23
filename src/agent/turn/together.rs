//! Several edits of one answer, asked about together: while one waits for a decision the next ones are previewed, so
//! that a person sees the whole change set and decides in any order.

use super::super::input::Effect;
use super::Agent;

impl Agent {
    /// Begins the edits that follow the one that asks, as far as they are of other files: the preview of a second
    /// edit of one file depends on what becomes of the first.
    pub(super) fn look_ahead(&mut self, out: &mut Vec<Effect>) {
        loop {
            let Some(turn) = self.turn.as_mut().filter(|turn| turn.search.is_none()) else {
                return;
            };
            let Some((name, arguments)) = turn.pending.front() else {
                return;
            };
            let previews = |tool: &crate::protocol::ToolSpec| tool.name == *name && tool.previews;
            let path = arguments.get("path").and_then(|path| path.as_str());
            let apart = path.is_some_and(|path| !self.calls.concerns(path));
            if !apart || !self.tools.iter().any(previews) {
                return;
            }
            let Some((name, arguments)) = turn.pending.pop_front() else {
                return;
            };
            turn.together = true;
            self.begin_call(&name, arguments, out);
        }
    }
}
