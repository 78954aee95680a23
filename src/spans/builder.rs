//! Follows a journal from its first entry to its last, a turn at a time.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::Turn;
use super::hops::Hops;
use crate::protocol::{EndReason, Event, Outcome};
use crate::session::{Entry, Timed};

/// What a journal tells of a session's turns.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Told {
    pub turns: Vec<Turn>,
    /// Turns that were kept without times: nothing can be told of them.
    pub untimed: Vec<u32>,
}

/// What holds beyond a turn.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) session: String,
    pub(super) root: String,
    pub(super) model: Option<String>,
    /// What each server is confined to.
    pub(super) profiles: HashMap<String, String>,
}

/// Tells a session's turns as spans. `seals` are what the kernel enforced on walden from a time on, in milliseconds
/// since 1970, the oldest first.
pub fn turns(entries: &[Timed], session: &str, seals: &[(u64, String)]) -> Told {
    let times = times(entries);
    let mut told = Told::default();
    let mut world = World {
        session: session.to_owned(),
        ..World::default()
    };
    let mut open: Option<Hops> = None;
    let mut last = 0;
    for (Timed { entry, .. }, at) in entries.iter().zip(times) {
        match entry {
            Entry::Opened { root, .. } => world.root.clone_from(root),
            Entry::Event(Event::ModelLoaded { info }) => {
                // One that was given as a file is named by it, and not by where it is.
                world.model = info.name.rsplit('/').next().map(str::to_owned);
            }
            Entry::Event(Event::ServerLaunched { server, how }) => {
                world.profiles.insert(server.clone(), profile(how));
            }
            _ => {}
        }
        let Some(at) = at else {
            // Part of it is not known: the rest of the turn would be told wrong.
            let begun = match entry {
                Entry::Event(Event::TurnStarted { turn, .. }) => Some(*turn),
                _ => open.take().map(|open| open.number()),
            };
            told.untimed.extend(begun);
            continue;
        };
        last = at;
        if let Entry::Event(Event::TurnStarted { turn, text }) = entry {
            told.turns.extend(open.take().map(|open| open.cut(at)));
            let seal = seals.iter().rev().find(|(since, _)| *since <= at);
            let seal = seal.map(|(_, seal)| seal.as_str());
            open = Some(Hops::begin(&world, *turn, text, seal, at));
        } else if let Some(hops) = &mut open {
            hops.take(entry, at, &world);
            if let Entry::Event(Event::TurnEnded { .. }) = entry {
                told.turns.extend(open.take().map(|open| open.end(at)));
            }
        }
    }
    told.turns.extend(open.map(|open| open.cut(last)));
    told
}

/// Returns the times of entries, which never go back although a clock may. What a later run settled of an earlier one
/// is as old as the last that the earlier one wrote.
fn times(entries: &[Timed]) -> Vec<Option<u64>> {
    let mut times: Vec<Option<u64>> = Vec::with_capacity(entries.len());
    let mut latest = 0;
    for (place, timed) in entries.iter().enumerate() {
        latest = latest.max(timed.at.unwrap_or_default());
        times.push(timed.at.map(|_| latest));
        let is_resumed = matches!(
            timed.entry,
            Entry::Event(Event::SessionStarted { resumed: true, .. })
        );
        if is_resumed {
            let settling = entries[..place].iter().rev();
            let settling = settling.take_while(|timed| settles(&timed.entry)).count();
            let first = place - settling;
            if let Some(before) = first.checked_sub(1) {
                let before = times[before];
                times[first..place].fill(before);
            }
        }
    }
    times
}

/// Tells whether an entry may be one that settles what an earlier run left open.
fn settles(entry: &Entry) -> bool {
    match entry {
        Entry::Message(_) => true,
        Entry::Event(event) => match event {
            Event::ChangeApplied { .. } | Event::PlanChanged { .. } => true,
            Event::CallFinished { outcome, .. } => *outcome == Outcome::Cancelled,
            Event::TurnEnded { summary, .. } => summary.reason == EndReason::Interrupted,
            _ => false,
        },
        _ => false,
    }
}

/// Says in a few words what a server is confined to.
fn profile(how: &Json) -> String {
    if let Some(confined) = how["confined"].as_str() {
        return confined.to_owned();
    }
    let network = how["network"].as_str().unwrap_or("not known");
    if let Some(image) = how["container"].as_str() {
        return format!("container {image}, network: {network}");
    }
    let Some(reads) = how["reads"].as_array() else {
        return format!("elsewhere, network: {network}");
    };
    let writes = how["writes"].as_array().map_or(0, Vec::len);
    let free = match how["unconfined"].is_null() {
        true => "",
        false => ", free where the kernel cannot confine it",
    };
    format!(
        "a process that reads {} and writes {writes} named places, network: {network}{free}",
        reads.len()
    )
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
