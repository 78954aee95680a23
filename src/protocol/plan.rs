//! A plan: what a request comes to, in steps that are done one after the other.

use serde::{Deserialize, Serialize};

use super::{clip, sanitize_line};

/// The most steps of a plan, and the most bytes of one.
const MOST_STEPS: usize = 20;
const LONGEST_STEP: usize = 400;

/// The steps of a request, and how far they are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// The request that it is for.
    pub goal: String,
    pub steps: Vec<Step>,
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub text: String,
    #[serde(default)]
    pub state: StepState,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    #[default]
    Open,
    Doing,
    Done,
}

impl StepState {
    /// Returns the symbol that stands before a step.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Open => "☐",
            Self::Doing => "▸",
            Self::Done => "✓",
        }
    }
}

impl Plan {
    /// Makes a plan whose steps are all open.
    pub fn new(goal: &str, steps: Vec<String>) -> Self {
        let mut plan = Self {
            goal: goal.to_owned(),
            steps: Vec::new(),
        };
        plan.set_steps(steps);
        plan
    }

    /// Replaces the steps. What was done and is still there stays done.
    pub fn set_steps(&mut self, steps: Vec<String>) {
        let mut known = std::mem::take(&mut self.steps);
        for text in steps {
            let text = clip(bare(&sanitize_line(&text)), LONGEST_STEP);
            if text.is_empty() || self.steps.len() == MOST_STEPS {
                continue;
            }
            let at = known.iter().position(|step| step.text == text);
            let state = at.map_or(StepState::Open, |at| known.remove(at).state);
            self.steps.push(Step { text, state });
        }
    }

    /// Takes back that a step was begun: who did it is gone.
    pub fn rest(&mut self) {
        for step in &mut self.steps {
            if step.state == StepState::Doing {
                step.state = StepState::Open;
            }
        }
    }

    /// Returns the place of the first step that is not done.
    pub fn next(&self) -> Option<usize> {
        self.steps
            .iter()
            .position(|step| step.state != StepState::Done)
    }

    /// Tells whether nothing of it was begun.
    pub fn is_new(&self) -> bool {
        self.steps.iter().all(|step| step.state == StepState::Open)
    }

    /// Counts the steps that are done.
    pub fn done(&self) -> usize {
        let done = |step: &&Step| step.state == StepState::Done;
        self.steps.iter().filter(done).count()
    }

    /// Writes the steps, a line each, as they are edited.
    pub fn to_text(&self) -> String {
        let lines = self.steps.iter().enumerate();
        lines
            .map(|(at, step)| format!("{}. {}\n", at + 1, step.text))
            .collect()
    }

    /// Writes the steps with how far they are, for the model.
    pub fn to_told(&self) -> String {
        let lines = self.steps.iter().enumerate().map(|(at, step)| {
            let state = match step.state {
                StepState::Open => "",
                StepState::Doing => " (now)",
                StepState::Done => " (done)",
            };
            format!("{}. {}{state}", at + 1, step.text)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Reads steps that a person wrote, a line each, with or without numbers before them.
    pub fn steps_in(text: &str) -> Vec<String> {
        text.lines()
            .map(bare)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Edits the steps as a line says: `add TEXT`, `remove N`, `N TEXT`. Returns them, or what to write instead.
    ///
    /// # Errors
    /// When the line is none of these, or there is no such step.
    pub fn edited(&self, line: &str) -> Result<Vec<String>, String> {
        let mut steps: Vec<String> = self.steps.iter().map(|step| step.text.clone()).collect();
        let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let rest = rest.trim();
        let place = |number: &str| {
            let number: usize = number.trim_end_matches('.').parse().ok()?;
            (1..=steps.len())
                .contains(&number)
                .then(|| number.wrapping_sub(1))
        };
        match (word, place(word), place(rest)) {
            ("add", ..) if !rest.is_empty() => steps.push(rest.to_owned()),
            ("remove", _, Some(at)) => {
                steps.remove(at);
            }
            (_, Some(at), _) if !rest.is_empty() => rest.clone_into(&mut steps[at]),
            _ => {
                return Err(format!(
                    "`/plan go` starts it, `/plan edit` opens it in your editor, `/plan drop` takes it back; \
                     `/plan 2 TEXT`, `/plan add TEXT` and `/plan remove 2` change its {} steps",
                    steps.len()
                ));
            }
        }
        Ok(steps)
    }
}

/// Takes off what stands before a step in a list: a number, a bullet, a box.
fn bare(line: &str) -> &str {
    let mut rest = line.trim();
    for mark in ["- ", "* ", "• "] {
        rest = rest.strip_prefix(mark).unwrap_or(rest).trim_start();
    }
    for mark in ["[ ]", "[x]", "[X]", "☐", "▸", "✓"] {
        rest = rest.strip_prefix(mark).unwrap_or(rest).trim_start();
    }
    let digits = rest.chars().take_while(char::is_ascii_digit).count();
    let numbered = rest[digits..].strip_prefix(['.', ')']);
    match numbered.filter(|after| (1..=2).contains(&digits) && after.starts_with(' ')) {
        Some(after) => after.trim(),
        None => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let mut plan = Plan::new("g", vec!["one".into(), "two".into(), "three".into()]);
        plan.steps[0].state = StepState::Done;
        plan
    }

    #[test]
    fn steps_are_read_however_they_are_listed() {
        let text = "1. one\n\n2) two\n- [x] three\n* four\n☐ 5. five\n3.5 is not a number\n";
        let steps = Plan::steps_in(text);
        assert_eq!(
            steps,
            ["one", "two", "three", "four", "five", "3.5 is not a number"]
        );
        assert_eq!(
            Plan::steps_in(&plan().to_text()),
            ["one", "two", "three"],
            "what is written for the editor is read again"
        );
    }

    #[test]
    fn what_was_done_stays_done_when_the_steps_are_edited() {
        let mut plan = plan();
        plan.set_steps(vec!["new".into(), "one".into(), "  ".into(), "two".into()]);
        let told: Vec<_> = plan
            .steps
            .iter()
            .map(|step| (step.text.as_str(), step.state))
            .collect();
        assert_eq!(
            told,
            [
                ("new", StepState::Open),
                ("one", StepState::Done),
                ("two", StepState::Open)
            ]
        );
        assert_eq!(
            (plan.next(), plan.done(), plan.is_new()),
            (Some(0), 1, false)
        );
    }

    #[test]
    fn a_line_edits_one_step() {
        let plan = plan();
        assert_eq!(plan.edited("2 other").unwrap(), ["one", "other", "three"]);
        assert_eq!(plan.edited("remove 3").unwrap(), ["one", "two"]);
        assert_eq!(
            plan.edited("add four").unwrap(),
            ["one", "two", "three", "four"]
        );
        for line in ["", "remove 9", "4 x", "remove", "add", "0 x"] {
            assert!(plan.edited(line).is_err(), "{line}");
        }
    }
}
