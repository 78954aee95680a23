//! What a task's run said of itself, and all of them together.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::protocol::{Effort, Event, Mechanism, Usage};

/// What became of one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub id: String,
    pub set: String,
    /// What was left out, to measure what it is worth.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<Mechanism>,
    pub solved: bool,
    /// From the start of the program to its end, in seconds.
    pub wall_s: f64,
    /// The time was up before the agent was done.
    pub killed: bool,
    /// The agent's exit status; `None` when it was ended.
    pub status: Option<i32>,
    /// The files that it left changed.
    pub changed: Vec<String>,
    /// Prompt tokens that were evaluated, and those that the cache gave.
    pub evaluated: u32,
    pub cached: u32,
    pub generated: u32,
    #[serde(flatten)]
    pub effort: Effort,
    /// Changes that were made, and how often the project's check was run.
    pub applied: u32,
    pub checks: u32,
    /// The agent's own last sentence.
    pub ended: String,
    /// The end of what the tests said.
    pub tests: String,
    /// The end of what the agent said on standard error.
    pub log: String,
}

/// What the events of a run tell.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) usage: Usage,
    pub(super) effort: Effort,
    pub(super) applied: u32,
    pub(super) checks: u32,
    pub(super) ended: String,
}

impl Told {
    /// Reads the lines that `walden exec --json` wrote. A run that was ended half-way tells what it had told by then.
    pub(super) fn of(lines: &str) -> Self {
        let mut told = Self::default();
        for line in lines.lines() {
            let Ok(event) = serde_json::from_str::<Event>(line) else {
                continue;
            };
            match event {
                Event::Generated { usage } => told.usage.add(&usage),
                Event::TurnMeasured { effort, .. } => told.effort.add(&effort),
                Event::ChangeApplied { .. } => told.applied += 1,
                Event::CallProposed { call, .. } if call.tool == "check" => told.checks += 1,
                Event::TurnEnded { summary, .. } => told.ended = summary.sentence(),
                _ => {}
            }
        }
        told
    }
}

/// All tasks together, or those of one set.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Total {
    pub tasks: u32,
    pub solved: u32,
    pub wall_s: f64,
    pub killed: u32,
    pub evaluated: u64,
    pub cached: u64,
    pub generated: u64,
    #[serde(flatten)]
    pub effort: Effort,
    pub unchanged: u32,
}

impl Total {
    /// Adds the rows up.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut total = Self::default();
        for row in rows {
            total.tasks += 1;
            total.solved += u32::from(row.solved);
            total.wall_s += row.wall_s;
            total.killed += u32::from(row.killed);
            total.evaluated += u64::from(row.evaluated);
            total.cached += u64::from(row.cached);
            total.generated += u64::from(row.generated);
            total.effort.add(&row.effort);
            total.unchanged += u32::from(row.changed.is_empty());
        }
        total
    }

    fn per_solved(&self, of: f64) -> String {
        match self.solved {
            0 => "-".to_owned(),
            solved => format!("{:.0}", of / f64::from(solved)),
        }
    }
}

/// Writes the summary as a table: each set, and all together.
pub fn table(rows: &[Row]) -> String {
    let mut sets: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        sets.entry(&row.set).or_default().push(row);
    }
    let mut totals: Vec<(String, Total)> = sets
        .iter()
        .map(|(set, rows)| ((*set).to_owned(), Total::of(rows.iter().copied())))
        .collect();
    totals.retain(|_| sets.len() > 1);
    let all = Total::of(rows);
    totals.push(("all".to_owned(), all.clone()));
    let mut text = format!(
        "{:<22} {:>8} {:>12} {:>20} {:>20} {:>7} {:>10}\n",
        "", "solved", "wall/solved", "evaluated/solved", "generated/solved", "killed", "unchanged"
    );
    for (name, total) in &totals {
        // A text that is written to memory does not fail.
        let _ = writeln!(
            text,
            "{:<22} {:>8} {:>10} s {:>13} tokens {:>13} tokens {:>7} {:>10}",
            name,
            format!("{}/{}", total.solved, total.tasks),
            total.per_solved(total.wall_s),
            total.per_solved(total.evaluated as f64),
            total.per_solved(total.generated as f64),
            total.killed,
            total.unchanged,
        );
    }
    let effort = &all.effort;
    let _ = writeln!(
        text,
        "\ncalls that fit their tool: {}\nedits that could be made as they stood: {}\nedits that were what was there already: {}\ngenerations that brought nothing: {}",
        share(
            effort.calls - effort.invalid.min(effort.calls),
            effort.calls
        ),
        // What changes nothing could be made: it is no misfit, and no edit.
        {
            let meant = effort.edits - effort.same.min(effort.edits);
            share(meant - effort.unfit.min(meant), meant)
        },
        share(effort.same, effort.edits),
        share(effort.wasted, effort.generations),
    );
    text
}

fn share(part: u32, of: u32) -> String {
    match of {
        0 => "none were made".to_owned(),
        of => format!(
            "{part} of {of} ({:.0} %)",
            f64::from(part) * 100.0 / f64::from(of)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, set: &str, solved: bool) -> Row {
        Row {
            id: id.to_owned(),
            set: set.to_owned(),
            without: Vec::new(),
            solved,
            wall_s: 10.0,
            killed: false,
            status: Some(0),
            changed: vec!["a.py".to_owned()],
            evaluated: 100,
            cached: 50,
            generated: 30,
            effort: Effort {
                generations: 4,
                calls: 4,
                invalid: 1,
                edits: 3,
                unfit: 1,
                same: 1,
                wasted: 1,
            },
            applied: 1,
            checks: 0,
            ended: String::new(),
            tests: String::new(),
            log: String::new(),
        }
    }

    #[test]
    fn costs_are_told_per_solved_task() {
        let rows = [
            row("a", "x", true),
            row("b", "x", true),
            row("c", "y", false),
        ];
        let table = table(&rows);
        let all = table.lines().find(|line| line.starts_with("all")).unwrap();
        for part in ["2/3", "15 s", "150 tokens", "45 tokens"] {
            assert!(all.contains(part), "{part}: {all}");
        }
        assert!(
            table.contains("calls that fit their tool: 9 of 12 (75 %)"),
            "{table}"
        );
        assert!(
            table.contains("made as they stood: 3 of 6 (50 %)")
                && table.contains("what was there already: 3 of 9 (33 %)"),
            "{table}"
        );
        let none = table.lines().find(|line| line.starts_with('y')).unwrap();
        assert!(none.contains("0/1") && none.contains(" - "), "{none}");
    }

    #[test]
    fn a_row_is_read_again_as_it_was_written() {
        let row = row("a", "x", true);
        let line = serde_json::to_string(&row).unwrap();
        assert!(line.contains("\"wasted\":1"), "{line}");
        assert_eq!(serde_json::from_str::<Row>(&line).unwrap(), row);
    }

    #[test]
    fn a_run_tells_its_tokens_up_to_where_it_was_ended() {
        let event = Event::Generated {
            usage: Usage {
                prompt: 10,
                cached: 4,
                generated: 3,
                ..Usage::default()
            },
        };
        let line = serde_json::to_string(&event).unwrap();
        let told = Told::of(&format!("{line}\n{line}\n{{\"event\":\"turn_st"));
        assert_eq!(
            (told.usage.prompt, told.usage.cached, told.usage.generated),
            (20, 8, 6)
        );
    }
}
