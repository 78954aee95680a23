//! What a call is answered with: the reference server's texts and structures, within bounds.

use serde::Serialize;
use serde_json::{Value, json};

use super::graph::{Graph, LineId};
use super::line::{Entity, Relation};

/// The answer to a call.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) structured: Option<Value>,
    /// What the reference server has no place for, each a text of its own behind the first.
    pub(super) notes: Vec<String>,
}

impl Answer {
    pub(super) fn of_text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// Answers with a list, which stands under a name in the structure.
    pub(super) fn list(name: &str, items: &impl Serialize) -> Self {
        Self {
            text: pretty(items),
            structured: Some(json!({ name: items })),
            notes: Vec::new(),
        }
    }

    /// Answers that something was done.
    pub(super) fn done(message: &str) -> Self {
        Self {
            structured: Some(json!({ "success": true, "message": message })),
            ..Self::of_text(message)
        }
    }
}

/// A part of the graph.
#[derive(Debug, Default, Serialize)]
pub(super) struct Part {
    entities: Vec<Entity>,
    relations: Vec<Relation>,
    /// Where to go on, counted in entities and relations, if this is not all.
    #[serde(skip)]
    pub(super) next: Option<usize>,
    /// How many there are in all.
    #[serde(skip)]
    total: usize,
}

/// Takes of entities and then relations as many as fit, from a place on; always one.
pub(super) fn part(
    graph: &Graph,
    entities: &[LineId],
    relations: &[LineId],
    from: usize,
    limit: usize,
) -> Part {
    let mut part = Part {
        total: entities.len() + relations.len(),
        ..Part::default()
    };
    let mut size = 0;
    let lines = entities.iter().chain(relations);
    for (at, id) in lines.copied().enumerate().skip(from) {
        size += graph.line(id).len();
        if size > limit && at > from {
            part.next = Some(at);
            break;
        }
        if at < entities.len() {
            part.entities.extend(graph.entity(id));
        } else {
            part.relations.extend(graph.relation(id));
        }
    }
    part
}

impl Part {
    /// Answers with this part, and says what is left out.
    pub(super) fn answer(&self, graph: &Graph, go_on: impl Fn(usize) -> String) -> Answer {
        let mut notes = Vec::new();
        if let Some(next) = self.next {
            notes.push(format!(
                "These are not all of the {} entities and relations. {}",
                self.total,
                go_on(next)
            ));
        }
        notes.extend(damage(graph));
        Answer {
            text: pretty(self),
            structured: Some(json!(self)),
            notes,
        }
    }

    /// Returns the names of its entities.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entities.iter().map(|entity| entity.name.as_str())
    }

    /// Writes it as the resource holds it.
    pub(super) fn text(&self) -> String {
        pretty(self)
    }
}

/// Says which lines of the file cannot be read.
pub(super) fn damage(graph: &Graph) -> Option<String> {
    let damaged = graph.damaged();
    let numbers: Vec<String> = damaged.iter().take(5).map(usize::to_string).collect();
    let numbers = numbers.join(", ");
    match damaged.len() {
        0 => None,
        1 => Some(format!(
            "Line {numbers} of the memory file cannot be read. It is left out here and kept in the file."
        )),
        count => Some(format!(
            "{count} lines of the memory file cannot be read (the first: {numbers}). They are left out here and kept \
             in the file."
        )),
    }
}

/// Writes JSON with two spaces, as the reference server does.
fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
