//! How a turn ends: what is open is cancelled, and what is said of it is true.

use super::super::calls::Stage;
use super::super::input::Effect;
use super::super::{Agent, CHECKING_SERVER, guidance};
use super::searching::Search;
use crate::protocol::{CheckEnd, EndReason, Event, Message, Outcome, SearchEnd, TurnSummary};

impl Agent {
    /// Ends the turn: whatever is still open is cancelled, and the summary says what is true.
    pub(in crate::agent) fn end_turn(&mut self, reason: EndReason, out: &mut Vec<Effect>) {
        if self.begin_plan(&reason, out) || self.begin_answer(&reason, out) {
            return;
        }
        self.tell_search_ended(SearchEnd::Stopped, out);
        let Some(turn) = self.turn.take() else { return };
        if turn.generation.is_some() {
            out.push(Effect::CancelModel);
            // What was drawn beside the conversation is no part of it.
            if !turn.written.is_empty()
                && turn.rewriting.is_none()
                && !turn.planning.is_asking()
                && turn.review.is_none()
                && turn.compacting.is_none()
            {
                self.remember(Message::Assistant { raw: turn.written }, out);
            }
        }
        let open = self.calls.settle_all();
        if !open.is_empty() {
            out.push(Effect::CancelCalls(
                open.iter().map(|open| open.call.id).collect(),
            ));
            for open in open {
                if open.stage == Stage::Trying {
                    continue;
                }
                let checks =
                    open.call.server == CHECKING_SERVER && open.call.tool != guidance::SCRIPT;
                self.late.push((open.call.id, turn.number));
                out.push(Effect::Emit(Event::CallFinished {
                    call: open.call.id,
                    outcome: Outcome::Cancelled,
                }));
                if checks {
                    continue;
                }
                let text = Outcome::Cancelled.for_model().to_owned();
                self.remember(
                    Message::Tool {
                        name: open.call.tool,
                        text,
                    },
                    out,
                );
            }
        }
        let drawn =
            turn.drawn + turn.search.as_ref().map_or(0, Search::tried) + turn.verified.unwrap_or(0);
        let check = (drawn > 0 && turn.has_check).then(|| CheckEnd {
            tried: turn.verified.map_or(drawn, |last| turn.drawn + last),
            passed: turn.verified.is_some(),
        });
        let effort = &turn.effort;
        if turn.review.is_none() && effort.calls > 0 {
            let is_clean = effort.invalid + effort.unfit + effort.wasted == 0;
            self.clean_turns = if is_clean { self.clean_turns + 1 } else { 0 };
        }
        out.push(Effect::Emit(Event::TurnMeasured {
            turn: turn.number,
            wall_ms: 0,
            evaluated: turn.usage.prompt.saturating_sub(turn.usage.cached),
            cached: turn.usage.cached,
            generated: turn.usage.generated,
            effort: turn.effort,
        }));
        let summary = TurnSummary {
            reason,
            wanted_change: turn.wants_change,
            changed: turn.changed,
            calls: turn.run,
            denied: turn.denied,
            usage: turn.usage,
            check,
        };
        let step = self.step_ends(&turn.request, &summary);
        out.push(Effect::Emit(Event::TurnEnded {
            turn: turn.number,
            summary,
        }));
        if let Some(end) = step {
            self.step_ended(end, out);
        }
        self.start_queued(out);
    }
}
