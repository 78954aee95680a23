//! What the paths of calls lead to, looked up before anybody is asked and before anything runs.

use std::collections::HashMap;

use crate::protocol::{CallId, Target, ToolCall};
use crate::workspace::Roots;

/// Knows of each open call what its paths lead to, as the agent was told.
#[derive(Debug, Default)]
pub(super) struct Targets {
    calls: HashMap<CallId, (ToolCall, Vec<Target>)>,
}

impl Targets {
    /// Takes note of a call. Until somebody looks, its paths lead to what they say.
    pub(super) fn propose(&mut self, call: &ToolCall) {
        let targets = Target::of(call);
        if !targets.is_empty() {
            self.calls.insert(call.id, (call.clone(), targets));
        }
    }

    /// Forgets a call that ended.
    pub(super) fn forget(&mut self, call: CallId) {
        self.calls.remove(&call);
    }

    /// Looks what a call's paths lead to. Returns it where that is not what the agent knows.
    pub(super) fn look(&mut self, roots: &Roots, call: CallId) -> Option<Vec<Target>> {
        let (call, known) = self.calls.get_mut(&call)?;
        let mut now = Target::of(call);
        for target in &mut now {
            // What leads outside is refused by its server; there is nothing truer to say about it than its name.
            if let Ok(path) = roots.leads_to(&target.given) {
                target.path = path;
            }
        }
        if now == *known {
            return None;
        }
        known.clone_from(&now);
        Some(now)
    }
}
