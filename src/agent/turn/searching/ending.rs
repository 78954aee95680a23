//! How a search ends in which nothing passed, and what is said of it.

use super::super::super::input::Effect;
use super::super::checking::Checking;
use super::super::tracks::{further, worse};
use super::super::{Agent, Next};
use super::{DRAWS_A_TRY, Search, Tried};
use crate::protocol::{EndReason, Event, Message, Outcome, SearchEnd, ToolChoice};

impl Agent {
    /// Tells whether no more edits are to be drawn.
    pub(super) fn is_search_spent(&self) -> bool {
        let Some(turn) = &self.turn else { return true };
        let (tried, drawn) = turn
            .search
            .as_ref()
            .map_or((0, 0), |search| (search.tried, search.drawn));
        let most = self.tries();
        // The user may have made a rule meanwhile.
        let is_kept_from = matches!(turn.checking, Checking::Known(_)) && !self.rules_let_check();
        turn.time_is_up
            || is_kept_from
            || turn.drawn + tried >= most
            || drawn >= most.saturating_mul(DRAWS_A_TRY)
            || turn.spent() >= self.most_tokens()
    }

    /// Ends a search in which nothing passed: with the edit that came the furthest, where one came further, or as far and
    /// nothing was changed yet. One after which less works is not made.
    pub(super) fn end_search(&mut self, out: &mut Vec<Effect>) {
        let Some(turn) = &mut self.turn else { return };
        let base = match turn.checking {
            Checking::Known(result) => result,
            _ => None,
        };
        let nothing_yet = turn.changed.is_empty();
        let is_worth = |tried: &mut Tried| {
            tried.result.as_ref().is_some_and(|result| {
                further(result, base.as_ref()) || (nothing_yet && !worse(result, base.as_ref()))
            })
        };
        let search = turn.search.as_mut();
        let best = search.and_then(|search| search.best.take_if(is_worth));
        match best {
            Some(best) => self.adopt_failing(best, out),
            None => self.give_up_search(out),
        }
    }

    /// Makes an edit that does not pass.
    pub(super) fn adopt_failing(&mut self, tried: Tried, out: &mut Vec<Effect>) {
        let Some(turn) = &mut self.turn else { return };
        turn.still_failing = Some(tried.text);
        if let Some(result) = tried.result {
            turn.checking = Checking::Known(Some(result));
        }
        turn.drawn += turn.search.as_ref().map_or(0, Search::tried);
        self.adopt(tried.candidate, SearchEnd::Furthest, out);
    }

    /// Ends the search that is running because its time is up: what is being drawn or checked is left.
    pub(in crate::agent) fn time_is_up(&mut self, out: &mut Vec<Effect>) {
        let Some(turn) = &mut self.turn else { return };
        turn.time_is_up = true;
        let checked = matches!(turn.checking, Checking::Known(_));
        let searches = turn.search.is_some() && turn.checking != Checking::Wanted;
        let compares = searches && !checked && self.compares();
        let Some(turn) = &mut self.turn else { return };
        if !(compares || searches && checked) {
            return;
        }
        let has_nothing = turn
            .search
            .as_ref()
            .is_some_and(|search| search.versions.is_empty());
        if compares && has_nothing {
            // The first version is made when it is written: there is nothing else.
            return;
        }
        if turn.generation.take().is_some() {
            out.push(Effect::CancelModel);
        }
        turn.rewriting = None;
        turn.reading = None;
        turn.pending.clear();
        turn.bad_call = None;
        turn.written.clear();
        let candidate = turn
            .search
            .as_mut()
            .and_then(|search| search.current.take());
        if let Some(candidate) = candidate {
            self.calls.settle(candidate.call.id);
            let mut cancelled = vec![candidate.call.id];
            if let Some(check) = candidate.check
                && self.calls.settle(check).is_some()
            {
                cancelled.push(check);
                out.push(Effect::Emit(Event::CallFinished {
                    call: check,
                    outcome: Outcome::Cancelled,
                }));
            }
            out.push(Effect::CancelCalls(cancelled));
        }
        if compares {
            return self.choose_version(out);
        }
        self.end_search(out);
    }

    /// Ends the search with nothing to show for it. A model that has to be led is not asked what it thinks of that: it
    /// says that all is well.
    pub(super) fn give_up_search(&mut self, out: &mut Vec<Effect>) {
        self.tell_search_ended(SearchEnd::Nothing, out);
        if self.leads() {
            return self.end_turn(EndReason::Answered, out);
        }
        if let Some(turn) = &mut self.turn {
            turn.drawn += turn.search.take().map_or(0, |search| search.tried);
            turn.checking = Checking::Off;
            turn.next = Some(ToolChoice::None);
        }
        let text = "No edit that was tried passes the check. Say in one sentence what you found.";
        self.remember(
            Message::User {
                text: text.to_owned(),
            },
            out,
        );
        self.advance(out);
    }

    /// Says how a turn goes on after an edit that the search chose was made.
    pub(in crate::agent::turn) fn after_searched(&mut self, done: &str) -> Option<(String, Next)> {
        let turn = self.turn.as_mut()?;
        if turn.verified.is_some() {
            let text = format!(
                "{done}\nThe check passes now. Say in one short sentence what you changed."
            );
            return Some((text, Next::Words));
        }
        if std::mem::take(&mut turn.compared) {
            let text = format!("{done}\nSay in one short sentence what you wrote.");
            return Some((text, Next::Words));
        }
        let failing = turn.still_failing.take()?;
        // That is what the check says of the project now.
        turn.checked_first = Some(failing.clone());
        let text =
            format!("{done}\nThe check does not pass yet. {failing}\nMake the next change now.");
        let most = self.tries();
        let Some(turn) = &mut self.turn else {
            return None;
        };
        let spent = turn.drawn >= most || turn.time_is_up;
        if spent {
            turn.checking = Checking::Off;
            let text = format!("{done}\nThe check does not pass. {failing}");
            if self.leads() {
                return Some((text, Next::End));
            }
            let ask = "Say in one short sentence what you changed and what still fails.";
            return Some((format!("{text}\n{ask}"), Next::Words));
        }
        Some((text, Next::Change))
    }
}
