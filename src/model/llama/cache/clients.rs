//! What clients ask, side by side: each question has a sequence of its own. What it leaves there is kept for one that
//! begins like it, until another one needs the sequence or the room.

use super::super::memory::Sequence;
use super::super::native::{DecodeError, Decoded, Place};
use super::super::prompt::Prompt;
use super::super::tokens::{Cutting, Entry, Tokens};
use super::{Cache, Held};

/// How much of an earlier question a new one may lack at its end and still go on from it, in tokens: templates leave
/// the opening of a thinking block out of what was said before.
const ENDING: usize = 8;

/// What has to be evaluated for a client's question.
#[derive(Debug)]
pub(in crate::model::llama) struct ClientPlan {
    /// Where the beginning is, if anywhere.
    source: Option<Sequence>,
    cached: usize,
    rest: Vec<Entry>,
}

impl ClientPlan {
    /// Returns how many tokens the question has.
    pub(in crate::model::llama) fn total(&self) -> usize {
        self.cached + self.rest.len()
    }
}

/// Tokens that are evaluated after what a client's sequence holds.
#[derive(Debug, Clone, Copy)]
pub(in crate::model::llama) struct Part<'t> {
    pub(in crate::model::llama) sequence: Sequence,
    pub(in crate::model::llama) entries: &'t [Entry],
    /// The last of them leaves logits behind.
    pub(in crate::model::llama) wanted: bool,
}

impl Cache<'_> {
    /// Prepares for clients' questions: no other sequence is in use until the next request.
    pub(in crate::model::llama) fn begin_clients(&mut self) {
        self.active = Sequence::MAIN;
    }

    /// Returns how many tokens a client's question and its answer may have: the conversation's cells are not theirs.
    pub(in crate::model::llama) fn client_limit(&self) -> usize {
        let window = self.context.window();
        window.saturating_sub(self.length(Sequence::MAIN))
    }

    /// Returns about how many cells are left beside the questions that are being answered. What they have in common is
    /// counted once, also where the one that had it first is gone; evaluating says for certain whether there is room.
    fn client_room(&self) -> usize {
        let busy = Sequence::clients().filter(|client| self.held(*client).is_busy);
        let taken: usize = busy.map(|client| self.own_cells(client)).sum();
        self.client_limit().saturating_sub(taken)
    }

    /// Tells whether there is room for a question, with so much to spare.
    pub(in crate::model::llama) fn has_room_for(&self, plan: &ClientPlan, spare: usize) -> bool {
        let shared = match plan.source {
            Some(source) if self.held(source).is_busy => plan.cached,
            _ => 0,
        };
        plan.total() - shared + spare <= self.client_room()
    }

    /// Returns how many bytes of a prompt are evaluated already for some client.
    pub(in crate::model::llama) fn known_to_clients(&self, prompt: &Prompt) -> usize {
        self.client_source(prompt).map_or(0, |(_, _, place)| place)
    }

    /// Returns how many tokens a client's sequence holds.
    pub(in crate::model::llama) fn held_by(&self, sequence: Sequence) -> usize {
        self.length(sequence)
    }

    /// Returns how many bytes a client's sequence holds.
    pub(in crate::model::llama) fn client_bytes(&self, sequence: Sequence) -> usize {
        let tokens = &self.held(sequence).tokens;
        tokens.place(tokens.0.len())
    }

    fn client_source(&self, prompt: &Prompt) -> Option<(Sequence, usize, usize)> {
        let cutting = Cutting::of(self.weights());
        Sequence::clients()
            .map(|client| {
                let (kept, place) = self.held(client).tokens.covering(prompt, cutting);
                (client, kept, place)
            })
            .filter(|(_, kept, _)| *kept > 0)
            .max_by_key(|(client, kept, _)| (*kept, self.held(*client).used))
    }

    /// Finds what has to be evaluated for a client's prompt.
    pub(in crate::model::llama) fn plan_client(&self, prompt: &Prompt) -> ClientPlan {
        let found = self.client_source(prompt);
        let (cached, place) = found.map_or((0, 0), |(_, kept, place)| (kept, place));
        ClientPlan {
            source: found.map(|(client, _, _)| client),
            cached,
            rest: Tokens::tokenize(prompt, place, self.weights()).0,
        }
    }

    /// Finds what has to be evaluated for a question that was set aside, with what was answered by then.
    pub(in crate::model::llama) fn plan_again(&self, entries: &[Entry]) -> ClientPlan {
        let found = Sequence::clients()
            .map(|client| {
                let held = self.held(client).tokens.0.iter();
                let same = held.zip(entries).take_while(|(one, other)| one == other);
                // The last one is evaluated again for its logits.
                (client, same.count().min(entries.len().saturating_sub(1)))
            })
            .filter(|(_, kept)| *kept > 0)
            .max_by_key(|(_, kept)| *kept);
        let cached = found.map_or(0, |(_, kept)| kept);
        ClientPlan {
            source: found.map(|(client, _)| client),
            cached,
            rest: entries[cached..].to_vec(),
        }
    }

    /// Gives a question a sequence that holds what is known of it, and returns what is to be evaluated there. `None`
    /// where all sequences are in use.
    pub(in crate::model::llama) fn begin_client(
        &mut self,
        plan: ClientPlan,
    ) -> Option<(Sequence, Vec<Entry>)> {
        let (source, kept, asked) = (plan.source, plan.cached, plan.total());
        let is_idle = |client: &Sequence| !self.held(*client).is_busy;
        // A conversation that goes on keeps its sequence. What has only its beginning in common with another one leaves
        // that where it is, as long as there is another place.
        let going_on = source
            .filter(is_idle)
            .filter(|source| kept + ENDING >= self.held(*source).asked);
        let target = going_on.or_else(|| {
            let idle = Sequence::clients().filter(is_idle);
            idle.min_by_key(|client| {
                let held = self.held(*client);
                (
                    Some(*client) == source,
                    !held.tokens.0.is_empty(),
                    held.used,
                )
            })
        })?;
        self.requests += 1;
        let used = self.requests;
        let shared = source.map_or(0, |source| {
            let held = self.held_mut(source);
            held.used = used;
            if held.is_busy { kept } else { 0 }
        });
        match source.filter(|source| *source != target) {
            Some(source) => {
                self.context.fork(source, target, kept);
                let tokens = Tokens(self.held(source).tokens.0[..kept].to_vec());
                *self.held_mut(target) = Held {
                    tokens,
                    shared,
                    ..Held::default()
                };
            }
            None => {
                self.cut(target, kept);
            }
        }
        let held = self.held_mut(target);
        (held.used, held.asked, held.is_busy) = (used, asked, true);
        Some((target, plan.rest))
    }

    /// Evaluates tokens of several clients at once: not more than a batch of them. There are logits for each that is
    /// wanted, in order.
    pub(in crate::model::llama) fn evaluate_clients(
        &mut self,
        parts: &[Part<'_>],
        stop: &dyn Fn() -> bool,
    ) -> Result<Decoded, DecodeError> {
        let mut places = Vec::new();
        for part in parts {
            let known = self.length(part.sequence);
            let last = part.entries.len().saturating_sub(1);
            places.extend(part.entries.iter().enumerate().map(|(index, entry)| Place {
                sequence: part.sequence,
                position: known + index,
                token: entry.token,
                wanted: part.wanted && index == last,
            }));
        }
        loop {
            match self.context.decode_at(&places, stop) {
                Ok(Decoded::Done) => {
                    for part in parts {
                        let tokens = &mut self.held_mut(part.sequence).tokens.0;
                        tokens.extend_from_slice(part.entries);
                    }
                    return Ok(Decoded::Done);
                }
                Ok(Decoded::NoRoom) if self.give_up_a_side() => {}
                Ok(Decoded::NoRoom) => return Ok(Decoded::NoRoom),
                Err(error @ DecodeError::Stopped) => {
                    for part in parts {
                        self.fall_back(part.sequence, self.length(part.sequence));
                    }
                    return Err(error);
                }
                Err(error @ DecodeError::Failed(_)) => {
                    self.clear_all();
                    return Err(error);
                }
            }
        }
    }

    /// Ends a question. What its sequence holds stays there for the next one that begins like it.
    pub(in crate::model::llama) fn end_client(&mut self, sequence: Sequence) {
        self.held_mut(sequence).is_busy = false;
    }

    /// Takes a question's sequence away, and returns what was evaluated on it.
    pub(in crate::model::llama) fn set_client_aside(&mut self, sequence: Sequence) -> Vec<Entry> {
        let entries = std::mem::take(&mut self.held_mut(sequence).tokens.0);
        self.clear(sequence);
        self.end_client(sequence);
        entries
    }
}
