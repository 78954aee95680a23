//! What is told of a search: which calls are a part of it, and what came of them all.

use super::super::super::input::Effect;
use super::super::Agent;
use super::super::checking::Checking;
use crate::protocol::{CallId, CheckResult, Event, SearchEnd, SearchNews, TrialOf};

impl Agent {
    /// Tells that the call that is proposed next is a part of the search. The first of them begins it: a draw that
    /// nothing is run for is no news to anybody.
    pub(in crate::agent::turn) fn tell_trial(
        &mut self,
        call: CallId,
        trial: TrialOf,
        out: &mut Vec<Effect>,
    ) {
        let Some(turn) = &mut self.turn else { return };
        let is_first = !std::mem::replace(&mut turn.is_search_told, true);
        if is_first {
            let search = turn.search.as_ref();
            let path = search
                .and_then(|search| search.current.as_ref())
                .and_then(|candidate| candidate.call.argument("path"))
                .unwrap_or_default();
            let news = SearchNews::Began {
                path: path.to_owned(),
                command: turn.checked_first.as_deref().and_then(command_of),
                base: match turn.checking {
                    Checking::Known(base) => base,
                    _ => None,
                },
            };
            out.push(Effect::Emit(Event::Searched { news }));
        }
        let news = SearchNews::Trying { call, trial };
        out.push(Effect::Emit(Event::Searched { news }));
    }

    /// Tells what a trial gave.
    pub(in crate::agent::turn) fn tell_tried(
        &self,
        call: CallId,
        result: Option<CheckResult>,
        out: &mut Vec<Effect>,
    ) {
        let is_told = self.turn.as_ref().is_some_and(|turn| turn.is_search_told);
        if let (Some(result), true) = (result, is_told) {
            let news = SearchNews::Tried { call, result };
            out.push(Effect::Emit(Event::Searched { news }));
        }
    }

    /// Tells what came of the search, where one was told of.
    pub(in crate::agent::turn) fn tell_search_ended(
        &mut self,
        end: SearchEnd,
        out: &mut Vec<Effect>,
    ) {
        let Some(turn) = &mut self.turn else { return };
        if std::mem::take(&mut turn.is_search_told) {
            let news = SearchNews::Ended { end, wall_ms: 0 };
            out.push(Effect::Emit(Event::Searched { news }));
        }
    }
}

/// Returns the command that a check's answer begins with.
fn command_of(told: &str) -> Option<String> {
    let (command, _) = told.strip_prefix('`')?.split_once("` ")?;
    Some(command.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_s_answer_names_its_command() {
        for (told, command) in [
            ("`pytest -q` fails:\n1 `x` failed", Some("pytest -q")),
            ("`t` did not end within 9 s", Some("t")),
            ("it fails", None),
            ("`", None),
        ] {
            assert_eq!(command_of(told).as_deref(), command, "{told}");
        }
    }
}
