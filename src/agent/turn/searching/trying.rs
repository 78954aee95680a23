//! What becomes of an edit that was drawn: it is made a call, its change is looked at, and it is checked in the copy.

use std::sync::Arc;

use super::super::super::calls::Stage;
use super::super::super::input::Effect;
use super::super::calling::{Fit, unparsable};
use super::super::checking::Checking;
use super::super::correcting::applied;
use super::super::rewriting::Rewriting;
use super::super::tracks::form;
use super::super::wording::Part;
use super::super::{Agent, intent};
use super::{Candidate, Search, UNCHECKED};
use crate::protocol::{FileChange, Mechanism, Outcome, Risk, SearchEnd, TrialOf};

impl Agent {
    /// Takes what the model wrote beside the conversation or in it.
    pub(in crate::agent::turn) fn try_edit(&mut self, raw: String, out: &mut Vec<Effect>) {
        let beside = self.turn.as_mut().and_then(|turn| turn.rewriting.take());
        let Some(beside) = beside else {
            return self.try_call(raw, out);
        };
        if beside.part() == Part::Calls {
            return self.take_calls(&raw, out);
        }
        if beside.part() == Part::Departures {
            return self.take_departures(&beside, out);
        }
        if beside.part() == Part::Outcomes {
            return self.take_outcomes(out);
        }
        if let Some(placed) = self.place(beside, &raw, out) {
            self.try_written(&placed.rewriting, placed.after.as_deref(), out);
        }
    }

    /// Takes what a file would be by what was written beside the conversation.
    pub(in crate::agent::turn) fn try_written(
        &mut self,
        rewriting: &Rewriting,
        after: Option<&str>,
        out: &mut Vec<Effect>,
    ) {
        let written = after
            .filter(|after| !rewriting.is_unchanged(after))
            .and_then(|after| self.written(rewriting, after));
        let Some(turn) = &mut self.turn else { return };
        turn.pending.clear();
        let checked = matches!(turn.checking, Checking::Known(_));
        let search = turn.search.get_or_insert_default();
        let form = after.map(form);
        let known = form.is_some_and(|form| search.forms.contains(&form));
        let in_vain = checked || search.versions.searches();
        match written {
            // A formatter would make it one that was tried: that costs no check.
            Some(_) if known && in_vain => {
                turn.effort.edits += 1;
                turn.effort.same += 1;
                search.after = None;
                self.try_call(String::new(), out);
            }
            Some(written) => {
                search.after = after.map(Arc::from);
                turn.pending.push_back((written.name, written.arguments));
                self.try_call(written.raw, out);
            }
            None => {
                search.after = None;
                turn.effort.edits += u32::from(after.is_some());
                turn.effort.same += u32::from(after.is_some());
                self.try_call(String::new(), out);
            }
        }
    }

    /// Takes an edit that the model wrote, and learns what it would change.
    fn try_call(&mut self, raw: String, out: &mut Vec<Effect>) {
        let Some(turn) = &mut self.turn else { return };
        let search = turn.search.get_or_insert_default();
        let departs = search.departures.next.take();
        if departs.is_none() {
            search.drawn += 1;
            search.tracks.count();
        }
        let after = search.after.take();
        turn.bad_call = None;
        let written = turn.pending.pop_front();
        turn.pending.clear();
        let Some((name, arguments)) = written else {
            // Words, or something unreadable: a draw in vain.
            turn.effort.wasted += 1;
            return self.draw_again(out);
        };
        let (call, spec) = self.mint(&name, arguments);
        let kept = call.argument("path").is_some_and(|path| self.keeps(path));
        let edits = spec.is_some_and(|spec| spec.risk == Risk::Edit && spec.previews);
        if !edits {
            return self.draw_again(out);
        }
        self.calls.open(call.clone(), Risk::Edit, Stage::Trying);
        if let Some(search) = self.turn.as_mut().and_then(|turn| turn.search.as_mut()) {
            let fresh = Candidate::corrected(raw, call.clone(), 0);
            let likelihood = departs.unwrap_or(fresh.likelihood);
            search.current = Some(Candidate {
                after,
                likelihood,
                ..fresh
            });
        }
        if kept {
            self.note_edit(Fit::Unfit);
            let text = format!(
                "`{}` holds tests, which are to stay as they are; change the code that they test",
                call.argument("path").unwrap_or_default()
            );
            return self.failed_candidate(text, None, out);
        }
        if let Some(turn) = &mut self.turn {
            turn.aimed_at = call.argument("path").map(str::to_owned);
        }
        out.push(Effect::Preview(call));
    }

    /// Tells whether a file is not to be changed by an edit that a check chooses: the tests that it runs, unless the
    /// request asks for tests. The shortest way to a check that passes is one that checks nothing.
    pub(in crate::agent::turn) fn keeps(&self, path: &str) -> bool {
        self.turn
            .as_ref()
            .is_some_and(|turn| intent::is_test(path) && !intent::asks_for_tests(&turn.request))
    }

    /// Takes what an edit would change, and has it checked in the copy.
    pub(in crate::agent::turn) fn tried_preview(
        &mut self,
        change: Result<Box<FileChange>, Outcome>,
        out: &mut Vec<Effect>,
    ) {
        let search = self.turn.as_ref().and_then(|turn| turn.search.as_ref());
        let candidate = search.and_then(|search| search.current.as_ref());
        let unchanged = candidate.is_some_and(|candidate| self.changes_nothing(&candidate.call));
        self.note_edit(match (&change, unchanged) {
            (Ok(_), _) => Fit::Made,
            (Err(_), true) => Fit::Unchanged,
            (Err(_), false) => Fit::Unfit,
        });
        let change = match change {
            Ok(change) => change,
            Err(outcome) => {
                let text = outcome.for_model().to_owned();
                return self.failed_candidate(text, None, out);
            }
        };
        if !matches!(
            self.turn.as_ref().map(|turn| turn.checking),
            Some(Checking::Known(_))
        ) {
            // Nothing chooses between edits here: the first one it is that can be read.
            let breaks = change.files().find(|file| file.breaks_syntax().is_some());
            if let (Some(file), true) = (breaks, self.helps(Mechanism::Syntax))
                && self
                    .search()
                    .is_some_and(|search| search.drawn < UNCHECKED || search.versions.searches())
            {
                let text = unparsable(file);
                return self.failed_candidate(text, None, out);
            }
            if let Some(search) = self.search()
                && let Some(candidate) = &mut search.current
            {
                candidate.change = Some(change);
            }
            if self.compares() {
                if let Some(search) = self.search() {
                    let after = search.written();
                    search.forms.extend(after.as_deref().map(form));
                }
                return self.probe_current(out);
            }
            if let Some(turn) = &mut self.turn {
                turn.drawn += turn.search.as_ref().map_or(0, Search::tried);
            }
            return self.adopt_current(SearchEnd::Undecided, out);
        }
        if !self.rules_let_check() {
            self.drop_candidate();
            return self.end_search(out);
        }
        let syntax = self.helps(Mechanism::Syntax);
        let base = self
            .passages
            .iter()
            .find(|passage| passage.path == change.path);
        let after_it = base.and_then(|base| applied(&base.text, &change));
        let Some(search) = self.search() else { return };
        let after = change.after.clone();
        let known = after
            .as_ref()
            .is_some_and(|after| search.seen.contains(after));
        if known {
            self.drop_candidate();
            if let Some(turn) = &mut self.turn {
                turn.effort.wasted += 1;
            }
            return self.draw_again(out);
        }
        let breaks = change.files().find(|file| file.breaks_syntax().is_some());
        if let (Some(file), Some(after), true) = (breaks, &after, syntax)
            && !search.broken.contains(after)
        {
            search.broken.push(after.clone());
            let text = unparsable(file);
            return self.failed_candidate(text, None, out);
        }
        search.seen.extend(after);
        let is_corrected = search.current.as_ref().is_some_and(|it| it.corrected > 0);
        search.tried += u32::from(!is_corrected);
        if let Some(candidate) = &mut search.current {
            if candidate.after.is_none() {
                candidate.after = after_it.map(Arc::from);
            }
            search.forms.extend(candidate.after.as_deref().map(form));
        }
        let what = match is_corrected {
            true => format!(
                "edit {} of `{}`, corrected as the compiler says",
                search.tried, change.path
            ),
            false => format!("edit {} of `{}`", search.tried, change.path),
        };
        if let Some(candidate) = &mut search.current {
            candidate.change = Some(change);
        }
        let trial = match is_corrected {
            true => TrialOf::Mended,
            false => TrialOf::Edit,
        };
        let Some(id) = self.open_check(&what, Some(trial), out) else {
            return;
        };
        let call = self.calls.get_mut(id).map(|open| open.call.clone());
        let Some(search) = self.search() else { return };
        let Some(candidate) = &mut search.current else {
            return;
        };
        candidate.check = Some(id);
        let trial = Some(candidate.call.clone());
        if let Some(call) = call {
            out.push(Effect::Check { call, trial });
        }
    }
}
