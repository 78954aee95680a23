//! What a journal says about where a session stopped.

use super::journal::Entry;
use crate::agent::Memory;
use crate::protocol::{
    CallId, EndReason, Event, FileChange, Message, Outcome, StepState, ToolCall, TurnSummary, Usage,
};

/// A session as its journal left it, made whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recovered {
    pub memory: Memory,
    /// The events to show again, in order.
    pub events: Vec<Event>,
    /// Entries that settle what was open when the session stopped; they belong at the journal's end.
    pub settling: Vec<Entry>,
    /// The files whose writing was begun and of which it is not known that it was ended.
    pub begun: Vec<String>,
}

/// Rebuilds a session from its journal.
///
/// A call that was begun and not finished is settled as cancelled. Whether its change was made is asked of
/// `stands` (the file has the bytes that the change would leave): if so the change is recorded, so that it can be
/// undone. A cancelled call may have made its change after it was settled, so it is asked about, too. What the model had
/// written when the session stopped stays in its conversation, as after an interrupt.
pub fn recover(entries: Vec<Entry>, stands: impl Fn(&FileChange) -> bool) -> Recovered {
    let mut memory = Memory::default();
    let mut events = Vec::new();
    let mut open: Vec<(CallId, ToolCall)> = Vec::new();
    let mut intents: Vec<(CallId, FileChange)> = Vec::new();
    let mut turn: Option<u32> = None;
    let mut written = String::new();
    for entry in entries {
        match entry {
            Entry::Opened { .. } => {}
            Entry::Generate => written.clear(),
            Entry::Message(message) => {
                written.clear();
                memory.messages.push(message);
            }
            // What taints the conversation may live on in its digest: it is not forgotten.
            Entry::Forget => memory.messages.clear(),
            Entry::Intent { call, change } => {
                let files = change.into_iter().flat_map(FileChange::into_files);
                intents.extend(files.map(|change| (call.id, change)))
            }
            Entry::Event(event) => {
                match &event {
                    Event::TurnStarted { turn: number, .. } => {
                        memory.turns = *number;
                        turn = Some(*number);
                    }
                    Event::TurnEnded { .. } => {
                        turn = None;
                        written.clear();
                    }
                    Event::CallProposed { call, .. } => {
                        memory.calls = memory.calls.max(call.id.0);
                        open.push((call.id, call.clone()));
                    }
                    Event::PlanChanged { plan } => memory.plan.clone_from(plan),
                    Event::Tainted { content } => memory.taints.push(content.clone()),
                    Event::Text { text } => written.push_str(text),
                    Event::CallFinished { call, outcome } => {
                        let read = open
                            .iter()
                            .find(|(id, known)| id == call && known.tool == "read");
                        if let Some((_, read)) = read
                            && outcome.is_done()
                            && let Some(path) = read.argument("path")
                        {
                            memory.see(path);
                        }
                        open.retain(|(id, _)| id != call);
                        if *outcome != Outcome::Cancelled {
                            intents.retain(|(id, _)| id != call);
                        }
                    }
                    Event::ChangeApplied { change, .. } => {
                        memory.changes.push((memory.turns, change.clone()));
                        memory.see(&change.path);
                        // An earlier call that meant to change this file is past telling: this change stands now.
                        intents.retain(|(_, meant)| meant.path != change.path);
                    }
                    Event::ChangesUndone { turn, undone } => {
                        for file in undone.iter().filter(|file| file.refused.is_none()) {
                            memory.overlook(&file.path);
                        }
                        memory.changes.retain(|(of, change)| {
                            of != turn
                                || undone
                                    .iter()
                                    .any(|file| file.path == change.path && file.refused.is_some())
                        })
                    }
                    // A question of a session that is gone cannot be answered any more.
                    Event::Asked { .. } | Event::Answered { .. } => continue,
                    _ => {}
                }
                events.push(event);
            }
        }
    }
    let mut settling = Vec::new();
    if !written.is_empty() {
        settling.push(Entry::Message(Message::Assistant { raw: written }));
    }
    let begun = intents.iter().map(|(_, change)| change.path.clone());
    let begun = begun.collect();
    for (call, change) in intents {
        if stands(&change) {
            memory.changes.push((memory.turns, change.clone()));
            memory.see(&change.path);
            settling.push(Entry::Event(Event::ChangeApplied { call, change }));
        }
    }
    for (id, call) in open {
        settling.push(Entry::Event(Event::CallFinished {
            call: id,
            outcome: Outcome::Cancelled,
        }));
        let text = "the session stopped before this call ended".to_owned();
        settling.push(Entry::Message(Message::Tool {
            name: call.tool,
            text,
        }));
    }
    if let Some(turn) = turn {
        let mut changed: Vec<String> = Vec::new();
        for (_, change) in memory.changes.iter().filter(|(of, _)| *of == turn) {
            if !changed.contains(&change.path) {
                changed.push(change.path.clone());
            }
        }
        let summary = TurnSummary {
            reason: EndReason::Interrupted,
            wanted_change: false,
            changed,
            calls: 0,
            denied: 0,
            usage: Usage::default(),
            check: None,
        };
        settling.push(Entry::Event(Event::TurnEnded { turn, summary }));
    }
    if let Some(plan) = memory.plan.as_mut().filter(|plan| {
        let doing = StepState::Doing;
        plan.steps.iter().any(|step| step.state == doing)
    }) {
        plan.rest();
        let plan = Some(plan.clone());
        settling.push(Entry::Event(Event::PlanChanged { plan }));
    }
    for entry in &settling {
        match entry {
            Entry::Event(event) => events.push(event.clone()),
            Entry::Message(message) => memory.messages.push(message.clone()),
            _ => {}
        }
    }
    Recovered {
        memory,
        events,
        settling,
        begun,
    }
}
