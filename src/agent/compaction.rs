//! A conversation that outgrows the context window is begun anew with what matters of it.
//!
//! The system text stays, so its evaluated prompt does. What follows is one message: facts that the host knows (what was
//! asked, which files were changed and read, the plan), notes that the model made beside the conversation while there
//! was room for them, the request that is running, and the file that is being worked on, as it is now. Everything in it
//! has a cap that comes of the window, so that the new conversation is always much shorter than the old one.

use super::{Agent, Effect, notice};
use crate::protocol::{Lane, Level, Message, ModelFailure, Outcome, ToolCall, ToolChoice};

/// Bytes of text in a token, about: what is counted before it is evaluated.
const BYTES_PER_TOKEN: usize = 3;

/// How many times a turn may begin its conversation anew.
const MOST: u32 = 4;

/// How many generations lie between two times, at least.
const APART: u32 = 2;

/// The most tokens of the notes that the model makes.
const NOTES: u32 = 220;

/// Models below this make no notes worth their tokens. Of those that say nothing of themselves it is not assumed.
const TOO_SMALL: std::ops::Range<u64> = 1..1_000_000_000;

/// What the model is asked for before its conversation is begun anew.
const ASK_FOR_NOTES: &str = "Write notes for yourself, at most 100 words, no code: what was asked, what you found out, \
                             what is decided, what is still to be done.";

/// A compaction under way.
#[derive(Debug)]
pub(super) struct Compacting {
    /// How the generation may go on that it was put in front of.
    choice: ToolChoice,
}

/// How full the conversation is.
#[derive(Debug, Default)]
pub(super) struct Fill {
    /// Tokens of the last request and its answer.
    told: usize,
    /// How many messages there were then.
    messages: usize,
}

impl Agent {
    fn window(&self) -> usize {
        self.model
            .as_ref()
            .map_or(4096, |model| model.context as usize)
    }

    /// Takes note of what a request of the conversation took.
    pub(super) fn note_fill(&mut self, tokens: u32) {
        self.fill = Fill {
            told: tokens as usize,
            // The answer is remembered next.
            messages: self.messages.len() + 1,
        };
    }

    /// Estimates the tokens of the conversation as it is.
    fn estimate(&self) -> usize {
        let new = self.messages.iter().skip(self.fill.messages);
        self.fill.told
            + new
                .map(|message| size(message) / BYTES_PER_TOKEN)
                .sum::<usize>()
    }

    fn is_nearly_full(&self) -> bool {
        let window = self.window();
        let reserve = (window / 4).clamp(256, 2_500);
        self.estimate() + reserve > window
    }

    /// Begins a compaction before a generation, where it is due. Returns `false` when the generation can be made.
    pub(super) fn compact_first(&mut self, choice: &ToolChoice, out: &mut Vec<Effect>) -> bool {
        let due = self.is_nearly_full() && self.messages.len() > 2;
        let Some(turn) = &mut self.turn else {
            return false;
        };
        let may = turn.compactions < MOST
            && turn.compacting.is_none()
            && (turn.compactions == 0 || turn.effort().generations >= turn.compacted_at + APART);
        if !due || !may {
            return false;
        }
        turn.compactions += 1;
        turn.compacted_at = turn.effort().generations;
        turn.compacting = Some(Compacting {
            choice: choice.clone(),
        });
        let makes_notes = self
            .model
            .as_ref()
            .is_some_and(|model| !TOO_SMALL.contains(&model.parameters));
        if !makes_notes {
            self.compacted(None, out);
            return true;
        }
        self.generations += 1;
        let mut request = self.request(ToolChoice::None);
        let ask = ASK_FOR_NOTES.to_owned();
        match request.messages.last_mut() {
            // Two messages of the user one after the other are none that models know.
            Some(Message::User { text }) => *text = format!("{text}\n\n{ask}"),
            _ => request.messages.push(Message::User { text: ask }),
        }
        request.lane = Lane::Side;
        request.sampling.max_tokens = NOTES;
        request.passages.clear();
        if let Some(turn) = &mut self.turn {
            turn.asking_beside(request.id);
        }
        notice(
            Level::Info,
            "The context window is nearly full: the conversation is begun anew with what matters of it.",
            out,
        );
        out.push(Effect::Generate(request));
        true
    }

    /// Begins the conversation anew, and goes on with what was to be generated.
    pub(super) fn compacted(&mut self, notes: Option<&str>, out: &mut Vec<Effect>) {
        let Some(turn) = &mut self.turn else { return };
        let Some(compacting) = turn.compacting.take() else {
            return;
        };
        turn.written.clear();
        turn.pending.clear();
        turn.bad_call = None;
        self.begin_anew(notes, out);
        self.generate(compacting.choice, out);
    }

    /// Replaces the conversation with its system text and one message.
    fn begin_anew(&mut self, notes: Option<&str>, out: &mut Vec<Effect>) {
        let text = self.digest(notes);
        let system = self.messages.first().cloned();
        self.messages.clear();
        self.fill = Fill::default();
        self.told_folders.clear();
        out.push(Effect::Forget);
        if let Some(system) = system {
            self.remember(system, out);
        }
        self.remember(Message::User { text }, out);
    }

    /// Writes what matters of the conversation. All of it takes less than half of the window.
    fn digest(&self, notes: Option<&str>) -> String {
        let budget = self.window() * BYTES_PER_TOKEN / 2;
        let mut parts = Vec::new();
        let mut facts = Vec::new();
        let request = self.turn.as_ref().map_or("", |turn| turn.request.as_str());
        let earlier: Vec<String> = self
            .asked_for
            .iter()
            .rev()
            .filter(|asked| asked.as_str() != request)
            .take(4)
            .map(|asked| format!("“{}”", first_words(asked, 120)))
            .collect();
        if !earlier.is_empty() {
            let earlier: Vec<String> = earlier.into_iter().rev().collect();
            facts.push(format!("- Asked for before: {}", earlier.join("; ")));
        }
        let mut changed: Vec<&str> = Vec::new();
        for (_, change) in self.changes.iter().rev() {
            if !changed.contains(&change.path.as_str()) && changed.len() < 12 {
                changed.push(&change.path);
            }
        }
        if !changed.is_empty() {
            facts.push(format!("- Changed so far: {}", changed.join(", ")));
        }
        let read: Vec<&str> = self
            .passages
            .iter()
            .rev()
            .take(12)
            .map(|passage| passage.path.as_str())
            .collect();
        if !read.is_empty() {
            facts.push(format!("- Read so far: {}", read.join(", ")));
        }
        if let Some(notes) = notes.map(str::trim).filter(|notes| !notes.is_empty()) {
            facts.push(format!("- Your notes: {}", clipped(notes, budget / 4)));
        }
        if !facts.is_empty() {
            let facts = clipped(&facts.join("\n"), budget / 2);
            parts.push(format!(
                "[The conversation before this point was long. What matters of it:\n{facts}]"
            ));
        }
        if let Some(plan) = &self.plan {
            let told = clipped(&plan.to_told(), budget / 6);
            parts.push(format!("[The plan:\n{told}]"));
        }
        parts.push(clipped(request, budget / 3));
        let failing = self.turn.as_ref().and_then(|turn| turn.failing());
        if let Some(failing) = failing {
            parts.push(clipped(failing, budget / 6));
        }
        // What the model works on is the last that it read or changed.
        let taken: usize = parts.iter().map(String::len).sum();
        let room = budget.saturating_sub(taken);
        if let Some(open) = self.passages.last().filter(|_| room > 300) {
            let text = clipped(&open.text, room - 100);
            parts.push(format!("`{}` as it is now:\n```\n{text}\n```", open.path));
        }
        parts.join("\n\n")
    }

    /// Goes on after the model had no room: without notes where these were being made, anew where they were not.
    /// Returns `false` when that was done already.
    pub(super) fn make_room(&mut self, failure: &ModelFailure, out: &mut Vec<Effect>) -> bool {
        let Some(turn) = &mut self.turn else {
            return false;
        };
        if turn.compacting.is_some() {
            self.compacted(None, out);
            return true;
        }
        if std::mem::replace(&mut turn.shrunk, true) || self.messages.len() <= 2 {
            return false;
        }
        notice(
            Level::Warning,
            &format!("The conversation is begun anew with what matters of it: {failure}."),
            out,
        );
        self.begin_anew(None, out);
        self.advance(out);
        true
    }

    /// Takes something that the next message brings along, cut to its share of the window.
    pub(super) fn attach(&mut self, text: &str) {
        let most = (self.window() * BYTES_PER_TOKEN / 4).clamp(1_200, 48_000);
        self.aside.push(clipped(text, most));
    }

    /// Cuts what a call returned to its share of the window, and says how to get the rest.
    pub(super) fn fitted(&self, call: &ToolCall, outcome: Outcome) -> Outcome {
        let most = (self.window() * BYTES_PER_TOKEN / 4).clamp(1_200, 48_000);
        match outcome {
            Outcome::Done { text } if text.len() > most => Outcome::Done {
                text: cut_result(call, &text, most),
            },
            outcome => outcome,
        }
    }
}

/// Says why a turn ends: where its words do not fit, what would make them.
pub(super) fn told(failure: &ModelFailure) -> String {
    let ModelFailure::ContextFull { needed, context } = failure else {
        return failure.to_string();
    };
    // With room for an answer.
    let enough = needed.saturating_add(512).checked_next_power_of_two();
    let larger = enough.map_or_else(String::new, |enough| {
        format!(", or start walden with `--context {enough}`")
    });
    format!(
        "the message does not fit: it needs {needed} tokens and the window has {context}; shorten it{larger}"
    )
}

fn size(message: &Message) -> usize {
    let text = match message {
        Message::System { text } | Message::User { text } | Message::Tool { text, .. } => text,
        Message::Assistant { raw } => raw,
    };
    // The marks around a message are some tokens.
    text.len() + 8 * BYTES_PER_TOKEN
}

fn cut_result(call: &ToolCall, text: &str, most: usize) -> String {
    let mut kept = 0;
    let mut lines: u64 = 0;
    for line in text.split_inclusive('\n') {
        if kept + line.len() > most {
            break;
        }
        kept += line.len();
        lines += 1;
    }
    if call.tool == "read" && lines > 0 {
        let from = call
            .arguments
            .get("from")
            .and_then(serde_json::Value::as_u64);
        let next = from.unwrap_or(1).max(1) + lines;
        return format!("{}[cut here; go on with from={next}]", &text[..kept]);
    }
    let cut = clipped(text, most);
    format!(
        "{cut}\n[cut: {} bytes of {}; ask for less]",
        cut.len(),
        text.len()
    )
}

/// Returns the beginning of a text, cut on a character boundary.
fn clipped(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    match end == text.len() {
        true => text.to_owned(),
        false => format!("{} …", text[..end].trim_end()),
    }
}

fn first_words(text: &str, most: usize) -> String {
    clipped(text.lines().next().unwrap_or_default(), most)
}

#[cfg(test)]
mod tests;
