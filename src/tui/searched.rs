//! A search for an edit in the transcript: one line that says how far it is, and every call below it once it is unfolded.

use crate::protocol::{Search, SearchEnd, Trial};

use super::items::{self, Look};
use super::keymap::{Action, key_of};
use super::role::Role;
use super::text::{Row, clean_line, wrap};

/// Lays out a search. Folded, it is a line, and below it the trial that runs with what it says.
pub(super) fn rows(search: &Search, look: Look<'_>) -> Vec<Row> {
    let (mark, role) = match search.end {
        None => ("▸ ", Role::CallRunning),
        Some(SearchEnd::Passes | SearchEnd::Agreed { .. } | SearchEnd::Likeliest) => {
            ("✓ ", Role::CallDone)
        }
        Some(SearchEnd::Furthest | SearchEnd::Undecided | SearchEnd::Faulty) => {
            ("! ", Role::NoticeWarning)
        }
        Some(SearchEnd::Nothing) => ("✗ ", Role::CallFailed),
        Some(SearchEnd::Stopped) => ("⊘ ", Role::CallDenied),
    };
    let mut head = Row::new(mark, role).with(clean_line(&search.title()), Role::Call);
    if let Some(time) = search.time() {
        head.push(format!(" · {time}"), Role::TextDim);
    }
    if let Some(outcome) = search.outcome() {
        head.push(format!(" · {outcome}"), Role::Text);
    }
    if !look.details && search.end.is_some() {
        head.push(format!(" · {}", key_of(Action::Expand)), Role::TextDim);
    }
    let mut rows = wrap(&head, look.limit, &Row::new("  ", Role::Text));
    let indent = Row::new("  ", Role::Text);
    let running = search.running().filter(|_| search.end.is_none());
    let shown: Vec<&Trial> = match look.details {
        true => search.trials.iter().collect(),
        false => running.into_iter().collect(),
    };
    let inner = Look {
        limit: look.limit.saturating_sub(2).max(1),
        ..look
    };
    for trial in shown {
        let rows_of = items::trial(trial, inner);
        rows.extend(rows_of.into_iter().map(|row| {
            let mut out = indent.clone();
            out.append(row);
            out.cut(look.limit)
        }));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::SearchNews;
    use crate::tui::highlight::Highlighter;

    #[test]
    fn an_edit_that_nothing_checks_is_said_to_be_unchecked() {
        let highlighter = Highlighter::default();
        let look = Look {
            limit: 80,
            details: false,
            streaming: false,
            highlighter: &highlighter,
        };
        let mut search = Search::from(&SearchNews::Began {
            path: "a.py".to_owned(),
            command: None,
            base: None,
        });
        search.end = Some(SearchEnd::Likeliest);
        let rows = rows(&search, look);
        let text: String = rows.iter().map(Row::plain).collect::<Vec<_>>().join(" ");
        assert!(text.contains("the likeliest is made unchecked"), "{text}");
    }
}
