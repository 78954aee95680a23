//! The page of the last requests to the model: what each one took, and what each search for an edit took as a whole. And
//! the prompt as it was sent.

use crate::protocol::{Item, Message, Search, Traced, Transcript, Usage};

use super::super::keymap::{Action, key_of};
use super::super::role::Role;
use super::super::text::{Row, clean_code, clean_line, short_count, thousands, wrap};
use super::{note, speed};

/// Rows of a prompt that are shown at most: a window of a million tokens has more than anyone reads.
const MOST_ROWS: usize = 20_000;

/// A column: its head, its width, and what stands in it.
type Column = (&'static str, usize, fn(&Traced) -> String);

/// The columns, the most telling first: what does not fit is left out from the end.
const COLUMNS: [Column; 8] = [
    ("turn", 4, |step| step.turn.to_string()),
    ("new", 6, |step| thousands(new(&step.usage))),
    ("kept", 7, |step| thousands(step.usage.cached)),
    ("read", 7, |step| seconds(step.usage.prompt_ms)),
    ("wrote", 6, |step| thousands(step.usage.generated)),
    ("took", 7, |step| seconds(step.usage.generate_ms)),
    ("guessed", 8, |step| match step.usage.guessed {
        0 => "–".to_owned(),
        guessed => format!("{}/{guessed}", step.usage.guessed_right),
    }),
    ("masks", 8, |step| match step.usage.mask_us {
        0 => "–".to_owned(),
        micros @ ..10_000 => format!("{}.{} ms", micros / 1_000, micros / 100 % 10),
        micros => format!("{} ms", short_count(micros / 1_000)),
    }),
];

/// Room for what the request led to, before a column is shown in its place.
const LEAST_WHAT: usize = 22;

/// How much is shown of what a search took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Searches {
    /// A row for each as a whole.
    Folded,
    /// Its requests below it, too.
    Unfolded,
}

impl Searches {
    /// Returns the other way to show them.
    pub(in super::super) fn other(self) -> Self {
        match self {
            Self::Folded => Self::Unfolded,
            Self::Unfolded => Self::Folded,
        }
    }
}

fn new(usage: &Usage) -> u32 {
    usage.prompt.saturating_sub(usage.cached)
}

fn seconds(milliseconds: u32) -> String {
    match milliseconds {
        0..100_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds / 100 % 10),
        _ => format!("{} s", thousands(milliseconds / 1_000)),
    }
}

pub(super) fn rows(transcript: &Transcript, searches: Searches, wide: usize) -> Vec<Row> {
    if transcript.steps.is_empty() {
        return note(
            "Nothing was asked of the model yet. Each request stands here with what it took: the tokens that were read \
             anew and those that were kept from before, the time, and what came of it.",
            wide,
        );
    }
    let mut shown = 0;
    let mut taken = 0;
    while shown < COLUMNS.len() && taken + COLUMNS[shown].1 + 1 + LEAST_WHAT <= wide {
        taken += COLUMNS[shown].1 + 1;
        shown += 1;
    }
    let columns = &COLUMNS[..shown];
    let mut head = Row::default();
    for (name, width, _) in columns {
        head.push(format!("{name:>width$} "), Role::TextDim);
    }
    head.push(" what came of it", Role::TextDim);
    let mut rows = vec![head.cut(wide)];
    let line = |step: &Traced, what: Row| {
        let mut row = Row::default();
        for (_, width, text) in columns {
            row.push(format!("{:>width$} ", text(step)), Role::Text);
        }
        row.append(what);
        row.cut(wide)
    };
    let mut any = false;
    for steps in transcript.steps.chunk_by(is_together).rev() {
        let search = searched(transcript, &steps[0]);
        if let Some(search) = search {
            any = true;
            rows.push(line(&sum(steps), whole(search, searches)));
        }
        let shown = match (search, searches) {
            (Some(_), Searches::Folded) => continue,
            (Some(_), Searches::Unfolded) => "   ",
            (None, _) => " ",
        };
        for step in steps.iter().rev() {
            let what = match step.calls.as_slice() {
                [] => Row::new(format!("{shown}text"), Role::TextDim),
                calls => Row::new(
                    format!("{shown}{}", clean_line(&calls.join(", "))),
                    Role::Text,
                ),
            };
            rows.push(line(step, what));
        }
    }
    rows.push(Row::default());
    rows.extend(note(&together(&transcript.total_usage), wide));
    let keys = Row::new("p", Role::Key).with(" the last prompt, as it was sent", Role::Text);
    rows.push(keys.cut(wide));
    if any {
        let key = Row::new(key_of(Action::Expand), Role::Key);
        let told = key.with(" the requests of each search, or their sum", Role::Text);
        rows.push(told.cut(wide));
    }
    let command = Row::new("walden trace", Role::Key);
    let told = command.with(" every hop of a session, in a shell", Role::Text);
    rows.push(told.cut(wide));
    rows
}

/// Tells whether two requests, one after the other, are part of the same search.
fn is_together(one: &Traced, next: &Traced) -> bool {
    one.search.is_some() && one.search == next.search
}

fn searched<'a>(transcript: &'a Transcript, step: &Traced) -> Option<&'a Search> {
    match transcript.items.get(step.search?) {
        Some(Item::Search { search }) => Some(search),
        _ => None,
    }
}

/// Returns what requests took together.
fn sum(steps: &[Traced]) -> Traced {
    let mut sum = Traced::default();
    for step in steps {
        sum.turn = step.turn;
        sum.usage.add(&step.usage);
    }
    sum
}

/// Says what a search tried, and how long it took.
fn whole(search: &Search, searches: Searches) -> Row {
    let mark = match searches {
        Searches::Folded => " ▸ ",
        Searches::Unfolded => " ▾ ",
    };
    let tries = match search.tried() {
        1 => "1 try".to_owned(),
        tries => format!("{tries} tries"),
    };
    let path = clean_line(&search.path);
    let facts = [Some(tries), search.time(), Some(path), search.outcome()];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    Row::new(mark, Role::TextDim).with(clean_line(&facts.join(" · ")), Role::Text)
}

/// Says what all requests took together.
fn together(all: &Usage) -> String {
    let mut told = format!(
        "Together {} tokens were read anew and {} kept from before",
        thousands(new(all)),
        thousands(all.cached)
    );
    if let Some(speed) = speed(new(all), all.prompt_ms) {
        told.push_str(&format!(", {speed}"));
    }
    told.push_str(&format!("; {} were written", thousands(all.generated)));
    if let Some(speed) = speed(all.generated, all.generate_ms) {
        told.push_str(&format!(", {speed}"));
    }
    told.push('.');
    told
}

/// Returns the prompt that was sent last, message by message.
pub(super) fn prompt(transcript: &Transcript, wide: usize) -> Vec<Row> {
    let Some(sent) = &transcript.sent else {
        return note("Nothing was sent to the model yet.", wide);
    };
    let mut rows = Vec::new();
    for message in &sent.messages {
        if !rows.is_empty() {
            rows.push(Row::default());
        }
        let (who, text) = match message {
            Message::System { text } => ("walden".to_owned(), text),
            Message::User { text } => ("you".to_owned(), text),
            Message::Assistant { raw } => ("the model".to_owned(), raw),
            Message::Tool { name, text } => (format!("what {} returned", clean_line(name)), text),
        };
        let size = thousands(text.len().try_into().unwrap_or(u32::MAX));
        let head = Row::new(who, Role::Heading).with(format!("  {size} bytes"), Role::TextDim);
        rows.push(head.cut(wide));
        for line in text.lines() {
            rows.extend(wrap(
                &Row::new(clean_code(line), Role::Text),
                wide,
                &Row::default(),
            ));
            if rows.len() > MOST_ROWS {
                rows.push(Row::new("… the rest is not shown", Role::TextDim).cut(wide));
                return rows;
            }
        }
    }
    rows.push(Row::default());
    let tools = clean_line(&sent.tools.join(", "));
    let tools = Row::new("tools  ", Role::TextDim).with(tools, Role::Text);
    rows.extend(wrap(&tools, wide, &Row::new(" ".repeat(7), Role::Text)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{CallId, Event, Outcome, Risk, Sent, ToolCall};

    fn plain(rows: &[Row]) -> Vec<String> {
        rows.iter().map(|row| row.plain()).collect()
    }

    fn call(id: u64, path: &str) -> Event {
        Event::CallProposed {
            call: ToolCall {
                id: CallId(id),
                server: "fs".to_owned(),
                tool: "read".to_owned(),
                arguments: std::iter::once(("path".to_owned(), path.into())).collect(),
            },
            risk: Risk::Read,
        }
    }

    #[test]
    fn a_request_is_told_with_the_calls_that_it_made_and_no_others() {
        let mut transcript = Transcript::default();
        let finished = |id| Event::CallFinished {
            call: CallId(id),
            outcome: Outcome::Done {
                text: String::new(),
            },
        };
        let usage = Usage {
            prompt: 1_729,
            cached: 1_392,
            generated: 19,
            guessed: 8,
            guessed_right: 5,
            prompt_ms: 9_120,
            generate_ms: 1_500,
            mask_us: 2_340,
        };
        for event in [
            Event::TurnStarted {
                turn: 3,
                text: "go".to_owned(),
            },
            // The host's own, before anything was asked of the model.
            call(1, "before.py"),
            finished(1),
            Event::Generated { usage },
            call(2, "asked.py"),
            call(3, "too.py"),
            finished(2),
            // The host's own again.
            call(4, "after.py"),
        ] {
            transcript.apply(&event);
        }
        let shown = plain(&rows(&transcript, Searches::Folded, 84));
        assert_eq!(
            shown[1].split_whitespace().collect::<Vec<_>>().join(" "),
            "3 337 1,392 9.1 s 19 1.5 s 5/8 2.3 ms read asked.py, read t…"
        );
        for wide in 1..84 {
            for row in rows(&transcript, Searches::Folded, wide) {
                assert!(row.width() <= wide, "{wide}: {}", row.plain());
            }
        }
    }

    #[test]
    fn a_search_is_one_row_with_its_sum_and_unfolds_to_its_requests() {
        use crate::protocol::{SearchEnd, SearchNews, TrialOf};
        let mut transcript = Transcript::default();
        let generated = |prompt, cached, generated| Event::Generated {
            usage: Usage {
                prompt,
                cached,
                generated,
                ..Usage::default()
            },
        };
        let searched = |news| Event::Searched { news };
        let finished = |id| Event::CallFinished {
            call: CallId(id),
            outcome: Outcome::Done {
                text: String::new(),
            },
        };
        let trying = |id| {
            let (call, trial) = (CallId(id), TrialOf::Edit);
            searched(SearchNews::Trying { call, trial })
        };
        for event in [
            Event::TurnStarted {
                turn: 2,
                text: "fix it".to_owned(),
            },
            generated(1_000, 0, 20),
            call(1, "a.py"),
            finished(1),
            // The first edit, before it is said that it is tried.
            generated(1_100, 1_000, 30),
            searched(SearchNews::Began {
                path: "a.py".to_owned(),
                command: Some("pytest".to_owned()),
                base: None,
            }),
            trying(2),
            call(2, "one"),
            finished(2),
            generated(1_200, 1_100, 12),
            trying(3),
            call(3, "two"),
            finished(3),
            searched(SearchNews::Ended {
                end: SearchEnd::Passes,
                wall_ms: 12_345,
            }),
            generated(1_300, 1_200, 9),
        ] {
            transcript.apply(&event);
        }
        let shown = |searches| -> Vec<String> {
            let rows = plain(&rows(&transcript, searches, 84));
            let listed = rows.iter().skip(1).take_while(|row| !row.is_empty());
            let words = listed.map(|row| {
                let words: Vec<&str> = row.split_whitespace().collect();
                let end = words.len().min(12);
                [&words[..3], &words[5..6], &words[10..end]]
                    .concat()
                    .join(" ")
            });
            words.collect()
        };
        let (last, first) = ("2 100 1,200 9 text", "2 1,000 0 20 read a.py");
        assert_eq!(
            shown(Searches::Folded),
            [last, "2 200 2,100 42 ▸ 2", first],
            "{:#?}",
            plain(&rows(&transcript, Searches::Folded, 84))
        );
        assert_eq!(shown(Searches::Unfolded).len(), 5);
        let whole = plain(&rows(&transcript, Searches::Folded, 84)).join("\n");
        assert!(whole.contains("▸ 2 tries · 12 s · a."), "{whole}");
        assert!(whole.contains("the requests of each search"), "{whole}");
        let whole = plain(&rows(&transcript, Searches::Unfolded, 84)).join("\n");
        assert!(
            whole.contains("▾ 2 tries") && whole.contains("read two"),
            "{whole}"
        );
        for wide in 1..84 {
            for row in rows(&transcript, Searches::Unfolded, wide) {
                assert!(row.width() <= wide, "{wide}: {}", row.plain());
            }
        }
    }

    #[test]
    fn the_prompt_is_shown_as_it_was_sent_and_without_escapes() {
        let transcript = Transcript {
            sent: Some(Box::new(Sent {
                messages: vec![
                    Message::System {
                        text: "You are walden.".to_owned(),
                    },
                    Message::Tool {
                        name: "read".to_owned(),
                        text: "one\n\x1b[31mtwo".to_owned(),
                    },
                ],
                tools: vec!["read".to_owned(), "edit".to_owned()],
            })),
            ..Transcript::default()
        };
        let shown = plain(&prompt(&transcript, 60)).join("\n");
        assert!(
            shown.contains("walden  15 bytes\nYou are walden.\n\nwhat read returned"),
            "{shown}"
        );
        assert!(shown.contains("two") && !shown.contains('\x1b'), "{shown}");
        assert!(shown.ends_with("tools  read, edit"), "{shown}");
    }
}
