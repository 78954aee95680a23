//! Changes that the user allowed in part: what the part comes to is asked first, so that the exact bytes are on
//! record before they are written.

use super::calls::Stage;
use super::input::{Effect, Preview};
use super::{Agent, CallId, Event, FileChange, Outcome};
use crate::protocol::AllowedPart;

impl Agent {
    /// Takes in that a part of a call's change is allowed.
    pub(super) fn narrow(
        &mut self,
        id: CallId,
        change: Option<Box<FileChange>>,
        part: AllowedPart,
        out: &mut Vec<Effect>,
    ) {
        let change = match change {
            Some(change) if !part.is_whole() => change,
            // The whole of it is what was shown, or there is nothing to take a part of.
            change => return self.run_call(id, change, out),
        };
        let Some(open) = self.calls.get_mut(id) else {
            return;
        };
        let call = open.call.clone();
        let shown = change.after.clone();
        open.stage = Stage::Narrowing {
            change,
            part: part.clone(),
        };
        out.push(Effect::PreviewPart { call, shown, part });
    }

    /// Runs the call with the part, if it still is a part of what was shown.
    pub(super) fn narrowed(&mut self, id: CallId, preview: Preview, out: &mut Vec<Effect>) {
        let Some(open) = self.calls.get_mut(id) else {
            return;
        };
        let narrowed = match preview {
            Preview::Refused(outcome) => return self.settle(id, outcome, out),
            Preview::Change(narrowed) => narrowed,
        };
        let Stage::Narrowing { change, part } = std::mem::replace(&mut open.stage, Stage::Running)
        else {
            return;
        };
        if narrowed.base != change.base || narrowed.path != change.path {
            let text = format!(
                "cannot write `{}`: it changed since the diff was shown",
                change.path
            );
            return self.settle(id, Outcome::Failed { text }, out);
        }
        if narrowed.after == change.after || !narrowed.others.is_empty() {
            let text = format!(
                "`{}` makes its change whole or not at all, and the user allowed only a part of it: nothing was done",
                open.call.tool
            );
            return self.settle(id, Outcome::Failed { text }, out);
        }
        let call = open.call.clone();
        out.push(Effect::Emit(Event::CallStarted { call: id }));
        out.push(Effect::RunPart {
            call,
            shown: change.after,
            part,
            change: narrowed,
        });
    }
}
