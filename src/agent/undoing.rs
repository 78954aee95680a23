//! Taking back what the last turn changed.

use super::{Agent, Effect, notice};
use crate::protocol::{Event, Level, Undone};

impl Agent {
    pub(super) fn undo(&mut self, out: &mut Vec<Effect>) {
        if self.turn.is_some() {
            notice(
                Level::Warning,
                "A turn is running: interrupt it first, then undo.",
                out,
            );
            return;
        }
        let Some(turn) = self.changes.last().map(|(turn, _)| *turn) else {
            notice(
                Level::Info,
                "There is nothing to undo: no change of this session stands.",
                out,
            );
            return;
        };
        let changes = self
            .changes
            .iter()
            .filter(|(of, _)| *of == turn)
            .map(|(_, change)| change.clone())
            .collect();
        out.push(Effect::Undo { turn, changes });
    }

    pub(super) fn undone(&mut self, turn: u32, undone: Vec<Undone>, out: &mut Vec<Effect>) {
        let restored: Vec<&str> = undone
            .iter()
            .filter(|file| file.refused.is_none())
            .map(|file| file.path.as_str())
            .collect();
        if !restored.is_empty() {
            self.aside.push(format!(
                "[The user undid your changes of: {}]",
                restored.join(", ")
            ));
        }
        for path in &restored {
            self.passages.retain(|passage| passage.path != *path);
        }
        self.changes.retain(|(of, change)| {
            *of != turn
                || undone
                    .iter()
                    .any(|file| file.path == change.path && file.refused.is_some())
        });
        out.push(Effect::Emit(Event::ChangesUndone { turn, undone }));
    }
}
