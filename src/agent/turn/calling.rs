//! Calls within a turn: preview, policy, run, outcome.

use serde_json::{Map, Value};

use super::super::MARKING_TOOL;
use super::super::asking::Result;
use super::super::calls::Stage;
use super::super::guidance;
use super::super::input::{Effect, Preview};
use super::super::policy::Verdict;
use super::super::repeats::Repetition;
use super::Agent;
use super::hearing::unmoved;
use crate::protocol::{
    CallId, EndReason, Event, FileChange, LineKind, Mechanism, Message, Outcome, Risk, ToolCall,
    ToolChoice, Why,
};

impl Agent {
    pub(super) fn begin_call(
        &mut self,
        name: &str,
        arguments: Map<String, Value>,
        out: &mut Vec<Effect>,
    ) {
        let (call, spec) = self.mint(name, arguments);
        let id = call.id;
        let risk = spec.as_ref().map_or(Risk::Read, |spec| spec.risk);
        out.push(Effect::Emit(Event::CallProposed {
            call: call.clone(),
            risk,
        }));
        let Some(spec) = spec else {
            let names: Vec<&str> = self.tools.iter().map(|tool| tool.name.as_str()).collect();
            let text = format!(
                "there is no tool `{name}`; the tools are {}",
                names.join(", ")
            );
            self.calls.open(call, risk, Stage::Running);
            return self.settle(id, Outcome::Invalid { text }, out);
        };
        if spec.server == guidance::OWN_SERVER && spec.tool == guidance::SKILL {
            let outcome = self.tell_skill(&call);
            self.calls.open(call, risk, Stage::Running);
            return self.settle(id, outcome, out);
        }
        if let Some(outcome) = self.script_is_untold(&call) {
            self.calls.open(call, risk, Stage::Running);
            return self.settle(id, outcome, out);
        }
        if super::super::finding::is_search(&spec) {
            let outcome = self.find_tools(&call.arguments);
            self.calls.open(call, risk, Stage::Running);
            return self.settle(id, outcome, out);
        }
        if spec.previews {
            self.calls.open(call.clone(), risk, Stage::Previewing);
            out.push(Effect::Preview(call));
        } else {
            self.calls.open(call, risk, Stage::Previewing);
            self.judge(id, None, out);
        }
    }

    pub(in crate::agent) fn previewed(
        &mut self,
        id: CallId,
        preview: Preview,
        out: &mut Vec<Effect>,
    ) {
        match self.calls.get_mut(id) {
            Some(open) if open.stage == Stage::Previewing => {}
            Some(open) if open.stage == Stage::Trying => {
                let change = match preview {
                    Preview::Change(change) => Ok(change),
                    Preview::Refused(outcome) => Err(outcome),
                };
                return self.tried_preview(change, out);
            }
            Some(open) if matches!(open.stage, Stage::Narrowing { .. }) => {
                return self.narrowed(id, preview, out);
            }
            _ => return,
        }
        let unchanged = self
            .calls
            .get(id)
            .is_some_and(|open| self.changes_nothing(&open.call));
        self.note_edit(match (&preview, unchanged) {
            (Preview::Change(_), _) => Fit::Made,
            (Preview::Refused(_), true) => Fit::Unchanged,
            (Preview::Refused(_), false) => Fit::Unfit,
        });
        match preview {
            Preview::Refused(outcome) => self.settle(id, outcome, out),
            Preview::Change(change) if self.takes_back(&change) => {
                let text = "This takes out lines that you wrote a moment ago in this turn; nothing was done. If the \
                            work is finished, answer in one sentence. If those lines are wrong, make the call again.";
                self.settle(
                    id,
                    Outcome::Failed {
                        text: text.to_owned(),
                    },
                    out,
                );
            }
            Preview::Change(change) => match self.sends_back(&change) {
                Some(text) => self.settle(id, Outcome::Failed { text }, out),
                None => self.judge(id, Some(change), out),
            },
        }
    }

    /// Counts an edit that the model wrote.
    pub(super) fn note_edit(&mut self, fit: Fit) {
        if let Some(turn) = &mut self.turn {
            turn.effort.edits += 1;
            turn.effort.unfit += u32::from(fit == Fit::Unfit);
            turn.effort.same += u32::from(fit == Fit::Unchanged);
            turn.effort.wasted += u32::from(fit != Fit::Made);
        }
    }

    /// Tells whether an edit that cannot be made would leave everything as it is.
    pub(super) fn changes_nothing(&self, call: &ToolCall) -> bool {
        let (old, new) = (call.argument("old"), call.argument("new"));
        let known = || {
            let mut known = self.passages.iter();
            known.find(|known| call.argument("path") == Some(known.path.as_str()))
        };
        match (old, call.argument("content")) {
            (Some(_), _) => old == new,
            (None, Some(content)) => known().is_some_and(|known| *known.text == *content),
            (None, None) => false,
        }
    }

    /// Says, once a turn for each file, that an edit would break the file's syntax. What the model means all the same
    /// is shown with its note: a grammar can be behind its language.
    fn sends_back(&mut self, change: &FileChange) -> Option<String> {
        if !self.helps(Mechanism::Syntax) {
            return None;
        }
        let turn = self.turn.as_mut()?;
        let broken = change.files().find(|file| file.breaks_syntax().is_some())?;
        if turn.sent_back.contains(&broken.path) {
            return None;
        }
        turn.sent_back.push(broken.path.clone());
        Some(unparsable(broken))
    }

    /// Tells, once a turn, that a change takes out lines which the turn itself added.
    fn takes_back(&mut self, change: &FileChange) -> bool {
        let Some(turn) = &mut self.turn else {
            return false;
        };
        let takes = lines(change, LineKind::Removed).any(|line| {
            turn.added
                .iter()
                .any(|(path, added)| *path == change.path && *added == line)
        });
        takes && !std::mem::replace(&mut turn.warned, true)
    }

    /// Asks the policy, and then runs the call, asks the user, or refuses.
    pub(in crate::agent) fn judge(
        &mut self,
        id: CallId,
        change: Option<Box<FileChange>>,
        out: &mut Vec<Effect>,
    ) {
        let Some(open) = self.calls.get(id) else {
            return;
        };
        let refused = self.turn.as_ref().is_some_and(|turn| {
            let same = |call: &ToolCall| {
                call.tool == open.call.tool && call.arguments == open.call.arguments
            };
            turn.refused.iter().any(same)
        });
        if refused {
            let reason = "The user refused this very call already. Do something else, or answer in one sentence.";
            return self.settle(
                id,
                Outcome::Denied {
                    reason: reason.to_owned(),
                },
                out,
            );
        }
        let Some(verdict) = self.verdict(id, change.as_deref()) else {
            return;
        };
        let by_class = |why: &Why| matches!(why, Why::Class { .. } | Why::Tainted { .. });
        match verdict {
            Verdict::Ask(why) if self.keeps_own_words(id) && why.iter().all(by_class) => {
                self.run_call(id, change, out);
            }
            Verdict::Allow => self.run_call(id, change, out),
            Verdict::Deny(reason) => self.settle(id, Outcome::Denied { reason }, out),
            Verdict::Ask(why) => {
                self.ask(id, why, change, out);
                self.look_ahead(out);
            }
        }
    }

    pub(in crate::agent) fn run_call(
        &mut self,
        id: CallId,
        change: Option<Box<FileChange>>,
        out: &mut Vec<Effect>,
    ) {
        let Some(open) = self.calls.get_mut(id) else {
            return;
        };
        open.stage = Stage::Running;
        let call = open.call.clone();
        out.push(Effect::Emit(Event::CallStarted { call: id }));
        out.push(Effect::RunCall { call, change });
    }

    pub(in crate::agent) fn call_done(
        &mut self,
        id: CallId,
        outcome: Outcome,
        change: Option<FileChange>,
        passage: Option<(String, String)>,
        out: &mut Vec<Effect>,
    ) {
        if self.calls.get_mut(id).is_none() {
            // The turn was interrupted while the call ran: a change that was made all the same is still recorded, so
            // that it can be undone.
            if let Some(change) = change {
                self.record_change(id, change, out);
            }
            return;
        }
        if let Some(change) = change {
            self.record_change(id, change, out);
        }
        let open = self.calls.get(id).filter(|open| open.risk.is_foreign());
        if let Some(open) = open {
            let content = format!("an answer of `{}.{}`", open.call.server, open.call.tool);
            self.taint(&content, None, out);
        }
        self.take_result(id, Result { outcome, passage }, out);
    }

    fn record_change(&mut self, id: CallId, change: FileChange, out: &mut Vec<Effect>) {
        let late = self
            .late
            .iter()
            .position(|(call, _)| *call == id)
            .map(|at| self.late.remove(at).1);
        let number = late.unwrap_or(self.turns);
        if let Some(turn) = self.turn.as_mut().filter(|turn| turn.number == number) {
            turn.repeats.clear();
        }
        for change in change.into_files() {
            if let Some(turn) = self.turn.as_mut().filter(|turn| turn.number == number) {
                turn.whole.retain(|path| *path != change.path);
                turn.added.extend(
                    lines(&change, LineKind::Added)
                        .map(|line| (change.path.clone(), line.to_owned())),
                );
                if !turn.changed.contains(&change.path) && !change.is_moved_away() {
                    turn.changed.push(change.path.clone());
                }
            }
            self.changes.push((number, change.clone()));
            out.push(Effect::Emit(Event::ChangeApplied { call: id, change }));
        }
    }

    /// Ends a call: tells the front ends and the model, watches for loops, and goes on.
    pub(in crate::agent) fn settle(&mut self, id: CallId, outcome: Outcome, out: &mut Vec<Effect>) {
        let Some(open) = self.calls.settle(id) else {
            return;
        };
        let outcome = self.fitted(&open.call, outcome);
        let outcome = self.with_folder_instructions(&open.call, outcome);
        let finished = |outcome| Effect::Emit(Event::CallFinished { call: id, outcome });
        let repeats = self.helps(Mechanism::Repeats);
        let Some(turn) = &mut self.turn else {
            out.push(finished(outcome));
            return;
        };
        match outcome {
            Outcome::Denied { .. } => {
                turn.denied += 1;
                turn.refused.push(open.call.clone());
            }
            _ => turn.run += 1,
        }
        turn.retrying = matches!(outcome, Outcome::Failed { .. } | Outcome::Invalid { .. });
        turn.effort.invalid += u32::from(matches!(outcome, Outcome::Invalid { .. }));
        let mut repetition = turn.repeats.note(&open.call, &outcome);
        if repetition == Repetition::First && turn.stands_whole(&open.call, &outcome) {
            repetition = Repetition::Again;
        }
        turn.effort.wasted += u32::from(repetition != Repetition::First);
        if repetition == Repetition::Again && !repeats {
            repetition = Repetition::First;
        }
        let searched = if outcome.is_done() && !open.risk.is_read() {
            self.after_searched(outcome.for_model())
        } else {
            None
        };
        let leads = self.leads();
        let Some(turn) = &mut self.turn else { return };
        let (text, next) = match repetition {
            _ if searched.is_some() => searched.unwrap_or((String::new(), Next::Free)),
            Repetition::Again | Repetition::Loop if unmoved(turn) => {
                let text =
                    "You made this very call before; its result stands above. Make the change now.";
                (text.to_owned(), Next::Change)
            }
            Repetition::Again | Repetition::Loop => {
                let text = "You made this very call before; its result stands above. Answer now, in words only.";
                (text.to_owned(), Next::Words)
            }
            Repetition::First if outcome.is_done() && !open.risk.is_read() => {
                let done = outcome.for_model();
                let text = format!(
                    "{done}\nIf that was all that was asked for, say so in one sentence without a call."
                );
                // Nothing can follow from that.
                let is_all = open.call.tool == MARKING_TOOL && !open.risk.is_foreign();
                (text, if is_all { Next::Words } else { Next::Free })
            }
            // A second refusal: the model has nothing else to offer than words.
            Repetition::First if turn.denied > 1 => (
                format!("{} Answer in words only.", outcome.for_model()),
                Next::Words,
            ),
            Repetition::First => (outcome.for_model().to_owned(), Next::Free),
        };
        let ends = matches!(next, Next::End);
        // A model that finds its way by itself is told the same, and not held to it.
        let next = match next {
            Next::Words | Next::Change if !leads && repetition != Repetition::Loop => None,
            Next::Free | Next::End => None,
            Next::Words => Some(ToolChoice::None),
            Next::Change => {
                let names = self.changing_tools();
                (!names.is_empty()).then_some(ToolChoice::Required { names })
            }
        };
        if let Some(turn) = &mut self.turn {
            turn.next = next;
        }
        out.push(finished(outcome));
        let text = match &mut self.turn {
            Some(turn) if turn.together => {
                turn.together = !self.calls.is_empty();
                format!("`{}`: {text}", open.call.title())
            }
            _ => text,
        };
        self.remember(
            Message::Tool {
                name: open.call.tool.clone(),
                text,
            },
            out,
        );
        if repetition == Repetition::Loop {
            let what = format!(
                "`{}` was called again and again with the same result",
                open.call.title()
            );
            return self.end_turn(EndReason::Loop { what }, out);
        }
        if ends {
            return self.end_turn(EndReason::Answered, out);
        }
        self.advance(out);
    }
}

/// Tells the model where its edit breaks the syntax of a file.
pub(super) fn unparsable(change: &FileChange) -> String {
    format!(
        "Nothing was changed: `{}` would not parse any more, see {}. Write the edit again, whole and with all of its \
         brackets.",
        change.path,
        change.breaks_syntax().unwrap_or("its end")
    )
}

/// Whether an edit could be made as the model wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    Made,
    /// It would leave everything as it is.
    Unchanged,
    Unfit,
}

/// How the host lets the model go on after a call.
pub(super) enum Next {
    Free,
    /// With a call that changes a file.
    Change,
    /// Without a call.
    Words,
    /// Not at all: the host says what is true.
    End,
}

/// Returns the changed lines of one side that say something: a brace or a blank line proves nothing.
fn lines(change: &FileChange, kind: LineKind) -> impl Iterator<Item = &str> {
    let lines = change.hunks.iter().flat_map(|hunk| &hunk.lines);
    lines
        .filter(move |line| line.kind == kind && line.text.trim().len() > 3)
        .map(|line| line.text.as_str())
}
