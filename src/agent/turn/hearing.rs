//! What a generation gives: its events while it runs, and how the turn goes on after it.

use super::super::compaction::told;
use super::super::input::Effect;
use super::super::review::Review;
use super::super::{Agent, intent, notice};
use super::searching::Search;
use super::wording::Part;
use super::{Turn, beginning};
use crate::protocol::{
    EndReason, Event, Finish, GenerationId, Level, Mechanism, Message, ModelEvent, ModelFailure,
    Risk, ToolChoice, ToolSpec,
};

/// How often a turn that was asked for a change and made none is asked again.
const NUDGES: u32 = 2;

/// How many unreadable calls a turn may hold before it ends.
const BAD_CALLS: u32 = 3;

/// How much of an unreadable call is kept for the model to see, in bytes.
const BAD_CALL_KEPT: usize = 200;

impl Agent {
    /// Takes an event of the running generation. Those of an older one are dropped.
    pub(in crate::agent) fn hear(
        &mut self,
        generation: GenerationId,
        event: ModelEvent,
        out: &mut Vec<Effect>,
    ) {
        let Some(turn) = &mut self.turn else { return };
        if turn.generation != Some(generation) {
            return;
        }
        match event {
            ModelEvent::PromptProgress { .. } | ModelEvent::Reasoning { .. }
                if turn.rewriting.is_some() => {}
            ModelEvent::PromptProgress {
                done,
                total,
                cached,
            } => {
                out.push(Effect::Emit(Event::PromptProgressed {
                    done,
                    total,
                    cached,
                }));
            }
            // What is shown of them is what was found, or the answer.
            ModelEvent::Text { .. } | ModelEvent::Reasoning { .. }
                if turn.answering.is_some()
                    || turn.planning.is_asking()
                    || turn.review.is_some()
                    || turn.compacting.is_some() => {}
            ModelEvent::CallDrafted { bytes, .. } if turn.review.is_some() => {
                let name = turn.review.as_ref().map(Review::place);
                out.push(Effect::Emit(Event::CallDrafted { name, bytes }));
            }
            // Only what comes of it is shown.
            ModelEvent::Text { text } if turn.rewriting.is_some() => {
                turn.written.push_str(&text);
                out.push(Effect::Emit(Event::CallDrafted {
                    name: Some(turn.drafted()),
                    bytes: u32::try_from(turn.written.len()).unwrap_or(u32::MAX),
                }));
            }
            ModelEvent::Text { text } => {
                turn.written.push_str(&text);
                out.push(Effect::Emit(Event::Text { text }));
            }
            ModelEvent::Reasoning { text } => out.push(Effect::Emit(Event::Reasoning { text })),
            // What is written beside the conversation is no call that anybody would know.
            ModelEvent::CallDrafted { bytes, .. } if turn.rewriting.is_some() => {
                let name = Some(turn.drafted());
                out.push(Effect::Emit(Event::CallDrafted { name, bytes }));
            }
            ModelEvent::CallDrafted { name, bytes } => {
                out.push(Effect::Emit(Event::CallDrafted { name, bytes }))
            }
            ModelEvent::Call { name, arguments } => {
                turn.effort.calls += 1;
                turn.pending.push_back((name, arguments));
            }
            ModelEvent::BadCall { raw, problem } => {
                turn.effort.calls += 1;
                turn.effort.invalid += 1;
                turn.written.push_str(&raw);
                turn.bad_call = Some(problem);
            }
            ModelEvent::Departed { departure } => {
                if let Some(search) = &mut turn.search {
                    search.departures.hear(departure);
                }
            }
            ModelEvent::Weighed { rival, likelier } => match &mut turn.search {
                Some(search) => search.versions.outcomes.hear(rival, likelier),
                None => self.weighed(rival, likelier),
            },
            ModelEvent::Done { raw, finish, usage } => {
                turn.generation = None;
                turn.usage.add(&usage);
                let is_main =
                    turn.rewriting.is_none() && turn.compacting.is_none() && turn.review.is_none();
                out.push(Effect::Emit(Event::Generated { usage }));
                if turn.compacting.is_some() {
                    if finish == Finish::Cancelled {
                        return self.end_turn(EndReason::Interrupted, out);
                    }
                    return self.compacted(Some(&raw), out);
                }
                if is_main {
                    // Counted before the answer is remembered: it is part of what was told.
                    self.note_fill(usage.prompt + usage.generated);
                }
                let Some(turn) = &mut self.turn else { return };
                if turn.review.is_some() {
                    turn.bad_call = None;
                    turn.written.clear();
                    let given = turn.pending.drain(..).next().map(|(_, given)| given);
                    return self.reviewed(given, finish, out);
                }
                if turn.answering.is_some() {
                    return self.answered(raw, finish, out);
                }
                if turn.planning.is_asking() {
                    return self.planned(raw, finish, out);
                }
                if finish != Finish::Cancelled && self.is_candidate() {
                    return self.try_edit(raw, out);
                }
                let Some(turn) = &mut self.turn else { return };
                // A call that ran away is not worth its tokens, and a model that sees it writes it again.
                let unreadable = turn.bad_call.is_some() && turn.pending.is_empty();
                let raw = if unreadable {
                    beginning(&raw, BAD_CALL_KEPT)
                } else {
                    raw
                };
                self.remember(Message::Assistant { raw }, out);
                self.generated(finish, out);
            }
            ModelEvent::Failed { failure } => {
                turn.generation = None;
                if turn.review.is_some() {
                    return self.review_failed(&failure, out);
                }
                if self.answer_beside(&failure, out) {
                    return;
                }
                let Some(turn) = &mut self.turn else { return };
                let full =
                    matches!(failure, ModelFailure::ContextFull { .. }) && turn.answering.is_none();
                match turn.rewriting.take() {
                    // There is no room for the code once more: edits are drawn without.
                    Some(beside) if full && beside.part() == Part::Departures => {
                        return self.take_departures(&beside, out);
                    }
                    // What was run chooses without it.
                    Some(beside) if full && beside.part() == Part::Outcomes => {
                        return self.take_outcomes(out);
                    }
                    Some(_) if full => return self.draw_inside(out),
                    _ => {}
                }
                if full && self.make_room(&failure, out) {
                    return;
                }
                self.end_turn(
                    EndReason::Failed {
                        message: told(&failure),
                    },
                    out,
                );
            }
            // These are told by the model's state, not by a generation.
            ModelEvent::Loading { .. } | ModelEvent::Notice { .. } | ModelEvent::Loaded { .. } => {}
        }
    }

    /// Goes on after a generation: calls, a correction, a nudge, or the end of the turn.
    fn generated(&mut self, finish: Finish, out: &mut Vec<Effect>) {
        let (leads, nudges) = (self.leads(), self.helps(Mechanism::Nudges));
        let searches = self.helps(Mechanism::Search) && self.helps(Mechanism::Check);
        let Some(turn) = &mut self.turn else { return };
        if finish == Finish::Cancelled {
            return self.end_turn(EndReason::Interrupted, out);
        }
        if !turn.pending.is_empty() {
            turn.bad_call = None;
            return self.advance(out);
        }
        if let Some(problem) = turn.bad_call.take() {
            turn.bad_calls += 1;
            turn.effort.wasted += 1;
            turn.retrying = true;
            if turn.bad_calls >= BAD_CALLS {
                let what = "the model kept writing calls that cannot be read".to_owned();
                return self.end_turn(EndReason::Loop { what }, out);
            }
            let text = format!("That call could not be read: {problem}. Write the call again.");
            notice(
                Level::Warning,
                &format!("The model wrote a call that could not be read: {problem}."),
                out,
            );
            self.remember(
                Message::Tool {
                    name: "error".to_owned(),
                    text,
                },
                out,
            );
            return self.advance(out);
        }
        if !turn.wants_change && turn.changed.is_empty() && intent::claims_change(&turn.written) {
            notice(
                Level::Warning,
                "The answer speaks of a change, but this turn changed no file.",
                out,
            );
        }
        if finish == Finish::Length {
            notice(
                Level::Warning,
                "The answer was cut off at its token limit.",
                out,
            );
        }
        if unmoved(turn) {
            turn.effort.wasted += 1;
        }
        if searches
            && unmoved(turn)
            && turn.is_failing()
            && turn.search.is_none()
            && turn.drawn == 0
        {
            // It said what is wrong instead of mending it.
            turn.search = Some(Search::default());
            return self.draw(out);
        }
        let nudges = match (nudges, leads) {
            (false, _) => 0,
            (true, true) => NUDGES,
            (true, false) => 1,
        };
        if turn.nudges < nudges && self.asks_for_the_call(out) {
            return;
        }
        let Some(turn) = &mut self.turn else { return };
        if unmoved(turn) && turn.nudges < nudges {
            turn.nudges += 1;
            turn.retrying = turn.nudges > 1;
            let names = self.changing_tools();
            if !names.is_empty() {
                let text = "No file was changed: only a call changes one. Make the change now.";
                notice(
                    Level::Info,
                    "No file was changed yet; the model is asked to make its change.",
                    out,
                );
                self.remember(
                    Message::User {
                        text: text.to_owned(),
                    },
                    out,
                );
                return self.generate(ToolChoice::Required { names }, out);
            }
        }
        self.end_turn(EndReason::Answered, out);
    }

    /// Names the tools that change a file: those that quote one where one was read, since a small model writes a short
    /// passage better than a whole file.
    pub(super) fn changing_tools(&self) -> Vec<String> {
        let quotes = |tool: &ToolSpec| tool.schema["properties"]["old"].is_object();
        let mut chosen: Vec<&ToolSpec> = self
            .tools
            .iter()
            .filter(|tool| tool.risk == Risk::Edit)
            .collect();
        if !self.passages.is_empty() && chosen.iter().any(|tool| quotes(tool)) {
            chosen.retain(|tool| quotes(tool));
        }
        chosen.into_iter().map(|tool| tool.name.clone()).collect()
    }
}

/// Tells whether a turn was to change something and neither did nor was kept from it.
pub(super) fn unmoved(turn: &Turn) -> bool {
    turn.wants_change && turn.changed.is_empty() && turn.denied == 0
}
