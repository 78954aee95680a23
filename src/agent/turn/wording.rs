//! What a draw beside the conversation asks for, and in which words.
//!
//! A small model that is asked for a whole file, or a function, mostly writes the same once more: of five free draws of
//! one broken function all five left it as it was, and took 150 tokens each. Asked for one line that is said to be wrong
//! it writes another one, in 15 tokens, at another place each time. So a search asks for the function first, and then for
//! its lines, one after the other, with the function again in between.

use super::super::input::Focus;
use crate::protocol::{FileChange, LineKind};

/// The temperature of a draw that is to differ from the likeliest one, how much it rises each time that all was asked
/// for once, and how far.
const FREE: f32 = 0.8;
const RISE: f32 = 0.2;
const FREEST: f32 = 1.2;

/// How many lines an answer in place of one line may take, in tokens.
const LINE_TOKENS: u32 = 160;

/// How long a line of a change may be that is told, in characters.
const LONGEST_TOLD: usize = 120;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    File,
    /// The function that the request is about.
    Function,
    /// A line of it, counted from 1.
    Line(usize),
    /// Sample calls of what it defines.
    Calls,
    /// What the model would write instead of it, here and there.
    Departures,
    /// What it expects sample calls to give.
    Outcomes,
}

/// What chooses between the edits that are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judge {
    /// The project's check.
    Check,
    /// What versions of a file give that is written from nothing.
    Versions,
    Nobody,
}

/// How something is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Manner {
    pub(super) part: Part,
    pub(super) temperature: f32,
    /// It is told what fails.
    pub(super) told: bool,
    /// What is wrong is to be said first.
    pub(super) explains: bool,
    /// It is told what was tried in vain.
    pub(super) differs: bool,
}

impl Manner {
    /// Says how the draw of this number is made.
    pub(super) fn of(drawn: u32, focus: Option<&Focus>, judge: Judge) -> Self {
        let whole = match focus {
            Some(_) => Part::Function,
            None => Part::File,
        };
        let plain = Self {
            part: whole,
            temperature: 0.0,
            told: false,
            explains: false,
            differs: false,
        };
        // Nothing chooses between edits: the likeliest, and, where that changes nothing, what comes of thinking first.
        if judge == Judge::Versions {
            return Self {
                told: drawn > 0,
                temperature: if drawn > 0 { FREE } else { 0.0 },
                ..plain
            };
        }
        if judge == Judge::Nobody {
            return Self {
                explains: drawn > 0,
                temperature: if drawn > 1 { FREE } else { 0.0 },
                ..plain
            };
        }
        let lines = focus.map_or(&[][..], |focus| &focus.lines);
        let pass = drawn / Self::pass(focus).max(1);
        let freely = Self {
            temperature: freedom(pass),
            // For some faults it helps to know what fails, for others it only leads astray.
            told: drawn % 2 == 1,
            ..plain
        };
        if drawn == 0 {
            return plain;
        }
        if drawn == 1 {
            // The likeliest once more, of one who knows what fails: what is asked for may stand there alone.
            return Self {
                told: true,
                ..plain
            };
        }
        if lines.is_empty() {
            return freely;
        }
        // Without those that are made in the conversation, and the first two.
        let turn = drawn - (drawn + 3) / 6 - 2;
        if turn % 4 == 3 {
            return Self {
                differs: true,
                explains: turn % 8 == 7,
                ..freely
            };
        }
        let asked = (turn - turn / 4) as usize;
        let round = asked / lines.len();
        Self {
            part: Part::Line(lines[asked % lines.len()]),
            temperature: match round {
                0 => 0.0,
                _ => freedom(u32::try_from(round - 1).unwrap_or(u32::MAX)),
            },
            told: (asked + round) % 2 == 1,
            ..plain
        }
    }

    /// Says how departures are asked for: as the likeliest answer would be.
    pub(super) fn doubting(doubted: u32, focus: Option<&Focus>) -> Self {
        Self {
            told: doubted % 2 == 1,
            ..Self::of(0, focus, Judge::Check)
        }
    }

    /// Returns how many edits are drawn until each part was asked for once.
    pub(super) fn pass(focus: Option<&Focus>) -> u32 {
        let lines = focus.map_or(0, |focus| focus.lines.len());
        let lines = u32::try_from(lines).unwrap_or(u32::MAX);
        // A line, and the whole now and then.
        lines.saturating_add(lines / 2).saturating_add(4)
    }

    /// Tells whether the draw of this number is made in the conversation: what is not found as a whole may be found as
    /// a passage. Where single lines are asked for, that is found anyway.
    pub(super) fn is_inside(drawn: u32, focus: Option<&Focus>) -> bool {
        match focus {
            Some(focus) if !focus.lines.is_empty() => drawn % 6 == 2,
            _ => drawn % 3 == 2,
        }
    }

    /// Returns the most tokens that the answer may take, where it is to be short.
    pub(super) fn most(&self) -> Option<u32> {
        matches!(self.part, Part::Line(_)).then_some(LINE_TOKENS)
    }
}

/// Says how freely is drawn when all was asked for so often.
fn freedom(passes: u32) -> f32 {
    (FREE + RISE * passes.min(8) as f32).min(FREEST)
}

/// What is put before the model.
pub(super) struct Subject<'a> {
    pub(super) request: &'a str,
    pub(super) path: &'a str,
    pub(super) text: &'a str,
    pub(super) focus: Option<&'a Focus>,
    /// What fails as things are.
    pub(super) fails: Option<&'a str>,
    /// What was tried in vain, a line each.
    pub(super) tried: &'a [String],
    /// The file is yet to be written.
    pub(super) is_stub: bool,
}

/// Writes the prompt of a draw. What all draws have in common comes first: it is evaluated once.
pub(super) fn prompt(manner: &Manner, subject: &Subject<'_>) -> String {
    let Subject {
        request,
        path,
        text,
        focus,
        fails,
        tried,
        is_stub,
    } = subject;
    let language = language(path);
    let fenced = |text: &str| {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        format!("```{language}\n{text}{end}```")
    };
    let shown = focus
        .and_then(|focus| focus.around.as_deref())
        .unwrap_or(text);
    let mut prompt = format!("{request}\n\n{path}:\n{}\n\n", fenced(shown));
    if let Some(fails) = fails.filter(|_| manner.told) {
        prompt.push_str(&format!("{fails}\n\n"));
    }
    if manner.differs && !tried.is_empty() {
        prompt.push_str(&format!(
            "Each of these changes was tried and did not help; the fault is elsewhere:\n{}\n\n",
            tried.join("\n")
        ));
    }
    if manner.explains {
        prompt.push_str("First say in one or two sentences what is wrong. ");
    }
    let name = focus.map_or("", |focus| &focus.name);
    prompt.push_str(&match manner.part {
        Part::File if *is_stub => format!(
            "Write {path} as a whole, in one code block: all of it implemented, with the imports that it needs."
        ),
        Part::File => format!("Write the corrected {path} as a whole, in one code block."),
        Part::Function => format!(
            "This is `{name}` as it stands:\n{}\nWrite `{name}` as it should be, in one code block, and nothing else.",
            fenced(&lines_of(text, *focus))
        ),
        // Asked for in words of its own.
        Part::Calls | Part::Departures | Part::Outcomes => String::new(),
        Part::Line(line) => format!(
            "This line of `{name}` is wrong:\n{}\nWrite only what is to stand there instead, in a code block.",
            fenced(text.lines().nth(line - 1).unwrap_or_default())
        ),
    });
    prompt
}

/// Says what an edit that was tried in vain changed, where that is one line for another.
pub(super) fn said(change: &FileChange, told: &str) -> Option<String> {
    let lines = |kind: LineKind| -> Vec<&str> {
        let lines = change.hunks.iter().flat_map(|hunk| &hunk.lines);
        lines
            .filter(|line| line.kind == kind)
            .map(|line| line.text.trim())
            .collect()
    };
    let (old, new) = (lines(LineKind::Removed), lines(LineKind::Added));
    let ([old], [new]) = (old.as_slice(), new.as_slice()) else {
        return None;
    };
    if old.chars().count() > LONGEST_TOLD || new.chars().count() > LONGEST_TOLD {
        return None;
    }
    let end = match told.contains("something runs for ever") {
        true => " (it runs for ever)",
        false => "",
    };
    Some(format!("- `{old}` to `{new}`{end}"))
}

fn lines_of(text: &str, focus: Option<&Focus>) -> String {
    let Some(focus) = focus else {
        return String::new();
    };
    let lines = text
        .split_inclusive('\n')
        .skip(focus.from.saturating_sub(1));
    lines
        .take((focus.to + 1).saturating_sub(focus.from))
        .collect()
}

/// Returns what a code block in the language of a file is called.
pub(super) fn language(path: &str) -> &str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "py" => "python",
        "rs" => "rust",
        "js" => "javascript",
        "ts" => "typescript",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn focus() -> Focus {
        Focus {
            name: "f".to_owned(),
            from: 2,
            to: 3,
            lines: vec![3, 4],
            around: None,
        }
    }

    #[test]
    fn a_search_asks_for_the_function_and_then_for_each_of_its_lines() {
        let focus = focus();
        let asked: Vec<Part> = (0..12)
            .filter(|drawn| !Manner::is_inside(*drawn, Some(&focus)))
            .map(|drawn| Manner::of(drawn, Some(&focus), Judge::Check).part)
            .collect();
        use Part::{Function, Line};
        assert_eq!(
            asked,
            [
                Function,
                Function,
                Line(3),
                Line(4),
                Line(3),
                Function,
                Line(4),
                Line(3),
                Line(4),
                Function
            ]
        );
        assert_eq!(Manner::of(0, Some(&focus), Judge::Check).temperature, 0.0);
        assert_eq!(Manner::of(3, Some(&focus), Judge::Check).temperature, 0.0);
        assert!(Manner::of(5, Some(&focus), Judge::Check).temperature > 0.0);
        assert_eq!(Manner::of(4, None, Judge::Check).part, Part::File);
        let later = Manner::of(4 * Manner::pass(None), None, Judge::Check).temperature;
        assert!(later > Manner::of(2, None, Judge::Check).temperature && later <= FREEST);
    }

    #[test]
    fn where_nothing_checks_the_second_draw_thinks_first() {
        let focus = focus();
        let first = Manner::of(0, Some(&focus), Judge::Nobody);
        assert!(!first.explains && first.part == Part::Function);
        assert!(Manner::of(1, Some(&focus), Judge::Nobody).explains);
    }

    #[test]
    fn each_line_is_asked_for_with_and_without_what_fails() {
        let focus = focus();
        let mut asked: Vec<(Part, bool)> = (3..10)
            .filter(|drawn| !Manner::is_inside(*drawn, Some(&focus)))
            .map(|drawn| Manner::of(drawn, Some(&focus), Judge::Check))
            .filter(|manner| manner.part != Part::Function)
            .map(|manner| (manner.part, manner.told))
            .collect();
        asked.truncate(4);
        use Part::Line;
        assert_eq!(
            asked,
            [
                (Line(3), false),
                (Line(4), true),
                (Line(3), true),
                (Line(4), false)
            ]
        );
    }

    #[test]
    fn the_prompt_shows_what_is_asked_for_and_what_was_tried() {
        let focus = focus();
        let subject = Subject {
            request: "Fix `f`",
            path: "a.py",
            text: "\ndef f():\n    return 1\n",
            focus: Some(&focus),
            fails: Some("it fails"),
            tried: &["`a` to `b`".to_owned()],
            is_stub: false,
        };
        let manner = Manner::of(1, Some(&focus), Judge::Check);
        let text = prompt(&manner, &subject);
        assert!(
            text.starts_with("Fix `f`\n\na.py:\n```python\n\ndef f():"),
            "{text}"
        );
        assert!(
            text.contains("it fails") && !text.contains("`a` to `b`"),
            "{text}"
        );
        assert!(
            text.contains("```python\ndef f():\n    return 1\n```\nWrite `f`"),
            "{text}"
        );
        let manner = Manner {
            part: Part::Line(3),
            differs: true,
            ..manner
        };
        let text = prompt(&manner, &subject);
        assert!(text.contains("`a` to `b`"), "{text}");
        assert!(
            text.contains("```python\n    return 1\n```\nWrite only"),
            "{text}"
        );
    }
}
