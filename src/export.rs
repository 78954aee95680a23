//! A session as a document: for people to read, to hand on and to keep.
//!
//! It knows a [`Transcript`] alone. Every foreign text is made harmless first, and in HTML nothing of it is markup.

use std::fmt::Write as _;

use crate::protocol::{
    CallState, FileChange, Item, Outcome, StepState, Transcript, harmless_json, redact, sanitize,
    sanitize_line,
};

/// What a session is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Markdown,
    Html,
    /// The items as the program has them.
    Json,
}

impl Format {
    /// Returns the format of a name, which is the ending of its files, too.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "md" => Some(Self::Markdown),
            "html" => Some(Self::Html),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Writes a session. What looks like a secret is left out of it.
pub fn export(transcript: &Transcript, title: &str, format: Format) -> String {
    match format {
        Format::Json => {
            let items = serde_json::to_string_pretty(&transcript.items).unwrap_or_default();
            harmless_json(&redact(&items)) + "\n"
        }
        Format::Markdown => markdown(transcript, title),
        Format::Html => html(&markdown(transcript, title), title),
    }
}

fn clean(text: &str) -> String {
    sanitize(&redact(text))
}

fn markdown(transcript: &Transcript, title: &str) -> String {
    let mut out = format!("# {}\n", sanitize_line(title));
    for item in &transcript.items {
        out.push('\n');
        match item {
            Item::User { turn, text } => {
                let _ = writeln!(out, "## Turn {turn}\n\n{}", quoted(&clean(text)));
            }
            Item::Assistant { text } => {
                let _ = writeln!(out, "{}", clean(text).trim_end());
            }
            Item::Reasoning { text } => {
                let _ = writeln!(out, "*thinking*\n\n{}", quoted(&clean(text)));
            }
            Item::Call {
                call,
                state,
                change,
                ..
            } => {
                let title = sanitize_line(&call.title());
                let state = match state {
                    CallState::Finished { outcome } => match outcome {
                        Outcome::Done { .. } => "done",
                        Outcome::Failed { .. } | Outcome::Invalid { .. } => "failed",
                        Outcome::Denied { .. } => "denied",
                        Outcome::Cancelled => "cancelled",
                    },
                    _ => "not finished",
                };
                let _ = writeln!(out, "**{}.{title}** — {state}", sanitize_line(&call.server));
                if let Some(change) = change {
                    files(change).for_each(|file| fence(&mut out, "diff", &file.to_unified()));
                } else {
                    let arguments = serde_json::to_string_pretty(&call.arguments);
                    fence(&mut out, "json", &arguments.unwrap_or_default());
                }
            }
            Item::Search { search } => {
                let _ = writeln!(out, "**{}**", sanitize_line(&redact(&search.sentence())));
                for trial in &search.trials {
                    let title = sanitize_line(&trial.call.title());
                    let _ = writeln!(out, "\n- {title}");
                    if let CallState::Finished { outcome } = &trial.state {
                        fence(&mut out, "", outcome.for_model());
                    }
                }
            }
            Item::Notice { text, .. } => {
                let _ = writeln!(out, "{}", quoted(&clean(text)));
            }
            Item::Undone { turn, undone } => {
                let paths = undone.iter().filter(|file| file.refused.is_none());
                let paths: Vec<String> = paths.map(|file| sanitize_line(&file.path)).collect();
                let _ = writeln!(out, "*undid turn {turn}: {}*", paths.join(", "));
            }
            Item::Plan { plan } => {
                for step in &plan.steps {
                    let done = if step.state == StepState::Done {
                        "x"
                    } else {
                        " "
                    };
                    let _ = writeln!(out, "- [{done}] {}", sanitize_line(&redact(&step.text)));
                }
            }
            Item::Finding { finding } => {
                let place = match finding.from == finding.to {
                    true => finding.from.to_string(),
                    false => format!("{}-{}", finding.from, finding.to),
                };
                let _ = writeln!(
                    out,
                    "**{}:{place}** {}: {}\n\n{}",
                    sanitize_line(&finding.path),
                    finding.severity.name(),
                    sanitize_line(&redact(&finding.title)),
                    clean(&finding.explanation).trim_end(),
                );
                if !finding.suggestion.is_empty() {
                    let _ = writeln!(out, "\n→ {}", clean(&finding.suggestion).trim_end());
                }
            }
            Item::End { summary, .. } => {
                let _ = writeln!(out, "*{}*", sanitize_line(&summary.sentence()));
            }
        }
        if let Item::Call {
            change: None,
            state: CallState::Finished { outcome },
            ..
        } = item
        {
            fence(&mut out, "", outcome.for_model());
        }
    }
    out
}

fn files(change: &FileChange) -> impl Iterator<Item = &FileChange> {
    change.shown()
}

fn quoted(text: &str) -> String {
    let lines: Vec<String> = text
        .trim_end()
        .lines()
        .map(|line| format!("> {line}").trim_end().to_owned())
        .collect();
    lines.join("\n")
}

/// Adds a block of code, in a fence that is longer than any in it.
fn fence(out: &mut String, language: &str, text: &str) {
    let text = clean(text);
    let longest = text
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    let _ = writeln!(out, "\n{fence}{language}\n{}\n{fence}", text.trim_end());
}

/// Puts the text into a page of its own: it reads the same everywhere, and nothing in it acts.
fn html(text: &str, title: &str) -> String {
    let escaped = |text: &str| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
    };
    let mut body = String::new();
    for line in text.lines() {
        let class = match line.as_bytes() {
            [b'#', ..] => "head",
            [b'>', ..] => "quote",
            [b'+', ..] => "added",
            [b'-', ..] => "removed",
            _ => "",
        };
        let _ = writeln!(body, "<span class=\"{class}\">{}</span>", escaped(line));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>{}</title>\n<style>\n\
         body {{ max-width: 60em; margin: 2em auto; padding: 0 1em; }}\npre {{ white-space: pre-wrap; }}\n\
         .head {{ font-weight: bold; }}\n.quote {{ opacity: 0.75; }}\n.added {{ color: #116329; }}\n\
         .removed {{ color: #a40e26; }}\n</style>\n<pre>\n{body}</pre>\n</html>\n",
        escaped(&sanitize_line(title))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{CallId, Event, Risk, ToolCall};

    fn transcript() -> Transcript {
        let mut transcript = Transcript::default();
        for event in [
            Event::TurnStarted {
                turn: 1,
                text: "what is <b>\n\x1b[31m?".to_owned(),
            },
            Event::Text {
                text: "It is bold.".to_owned(),
            },
            Event::CallProposed {
                call: ToolCall {
                    id: CallId(1),
                    server: "fs".to_owned(),
                    tool: "read".to_owned(),
                    arguments: std::iter::once(("path".to_owned(), "a.md".into())).collect(),
                },
                risk: Risk::Read,
            },
            Event::CallFinished {
                call: CallId(1),
                outcome: Outcome::Done {
                    text: "```\ncode\n```".to_owned(),
                },
            },
        ] {
            transcript.apply(&event);
        }
        transcript
    }

    #[test]
    fn a_fence_is_longer_than_any_within_it() {
        let text = export(&transcript(), "a session", Format::Markdown);
        assert!(text.contains("````\n```\ncode\n```\n````"), "{text}");
        assert!(text.contains("> what is <b>\n> ⟨U+001B⟩[31m?"), "{text}");
        assert!(text.contains("**fs.read a.md** — done"), "{text}");
    }

    #[test]
    fn what_was_tried_is_written_with_what_each_trial_said() {
        use crate::protocol::{SearchEnd, SearchNews, TrialOf};
        let mut transcript = Transcript::default();
        let call = CallId(7);
        for news in [
            SearchNews::Began {
                path: "a.py".to_owned(),
                command: None,
                base: None,
            },
            SearchNews::Trying {
                call,
                trial: TrialOf::Edit,
            },
        ] {
            transcript.apply(&Event::Searched { news });
        }
        transcript.apply(&Event::CallProposed {
            call: ToolCall {
                id: call,
                server: "run".to_owned(),
                tool: "probe".to_owned(),
                arguments: serde_json::Map::new(),
            },
            risk: Risk::Command,
        });
        transcript.apply(&Event::CallFinished {
            call,
            outcome: Outcome::Done {
                text: "f(1) gives 2".to_owned(),
            },
        });
        let (end, wall_ms) = (SearchEnd::Likeliest, 1_500);
        let news = SearchNews::Ended { end, wall_ms };
        transcript.apply(&Event::Searched { news });
        let text = export(&transcript, "a session", Format::Markdown);
        let head = "**Tried 1 version of `a.py` on sample calls · 1.5 s · the likeliest is made unchecked**";
        assert!(text.contains(head), "{text}");
        assert!(text.contains("f(1) gives 2"), "{text}");
    }

    #[test]
    fn in_html_nothing_of_a_session_is_markup() {
        let text = export(&transcript(), "<script>", Format::Html);
        assert!(!text.contains("<b>") && !text.contains("<script"), "{text}");
        assert!(text.contains("&lt;b&gt;"), "{text}");
    }

    proptest::proptest! {
        #[test]
        fn nothing_of_a_document_acts_on_a_terminal(bytes in crate::protocol::hostile::bytes()) {
            let text = String::from_utf8_lossy(&bytes);
            let mut transcript = Transcript::default();
            for event in crate::protocol::hostile::events(&text) {
                transcript.apply(&event);
                crate::protocol::hostile::fed(text.len());
            }
            for format in [Format::Markdown, Format::Html, Format::Json] {
                let document = export(&transcript, &text, format);
                proptest::prop_assert_eq!(crate::protocol::hostile::acting(&document), None);
            }
        }
    }

    #[test]
    fn json_has_the_items() {
        let text = export(&transcript(), "", Format::Json);
        let items: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(items[2]["call"]["tool"], "read");
    }
}
