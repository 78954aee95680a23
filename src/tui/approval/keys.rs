//! The keys that answer, as the pane names them.

use std::time::Duration;

use super::super::keymap::{Action, Answer, key_of};
use super::super::role::Role;
use super::super::text::{Row, clean_line, width, wrap};
use super::{Approval, Question, Set};
use crate::protocol::Ask;

/// What stands before the reason of a denial.
pub(super) const REASON: &str = "why not? ";

impl Approval {
    pub(super) fn keys(
        &self,
        question: Question<'_>,
        set: Set<'_>,
        now: Duration,
        wide: usize,
    ) -> Vec<Row> {
        if self.answered {
            return vec![Row::new("sent", Role::TextDim)];
        }
        if let Some(reason) = &self.reason {
            // The end of a long reason matters, as it is where the cursor is.
            let room = wide.saturating_sub(REASON.len() + 1);
            let text = reason.text();
            let mut shown = text;
            while width(shown) > room {
                let mut chars = shown.chars();
                chars.next();
                shown = chars.as_str();
            }
            return vec![
                Row::new(REASON, Role::Approval)
                    .with(clean_line(shown), Role::Text)
                    .cut(wide),
            ];
        }
        let armed = self.is_armed(now);
        let tool = clean_line(&question.call.tool);
        let once_for_all = question.ask.is_some_and(Ask::is_once_for_all);
        let allow = match self.is_whole() {
            true if once_for_all => "allow for this session",
            true => "allow",
            false => "allow the rest",
        };
        let mut long = vec![(Answer::AllowOnce, allow.to_owned())];
        let mut short = vec!["once"];
        // What was left out of one change says nothing about the next.
        if self.is_whole() && !once_for_all {
            long.push((Answer::AllowForSession, format!("allow {tool} from now on")));
            short.push("always");
        }
        if set.entries.len() > 1 {
            long.push((Answer::AllowAlike, "allow all".to_owned()));
            short.push("all");
        }
        long.push((Answer::Deny, "deny".to_owned()));
        long.push((Answer::DenyWithReason, "deny and say why".to_owned()));
        short.extend(["no", "why"]);
        let line = |labels: &mut dyn Iterator<Item = (Answer, String)>, stop: &str| {
            let mut row = Row::default();
            for (answer, label) in labels {
                key_hint(&mut row, &key_of(Action::Answer(answer)), &label, armed);
            }
            key_hint(&mut row, &key_of(Action::Escape), stop, armed);
            row
        };
        let full = line(&mut long.iter().cloned(), "stop the turn");
        if full.width() <= wide {
            return vec![full];
        }
        let brief = line(
            &mut long
                .iter()
                .zip(short)
                .map(|((answer, _), label)| (*answer, label.to_owned())),
            "stop",
        );
        wrap(&brief, wide, &Row::default())
    }
}

fn key_hint(row: &mut Row, key: &str, label: &str, armed: bool) {
    if !row.spans.is_empty() {
        row.push("  ", Role::Text);
    }
    let (key_role, label_role) = if armed {
        (Role::Key, Role::Text)
    } else {
        (Role::TextDim, Role::TextDim)
    };
    row.push(key, key_role);
    row.push(format!(" {label}"), label_role);
}

/// Returns the rows of the key hints: below the width of the short ones they wrap.
pub(super) fn keys_height(wide: usize) -> u16 {
    if wide < 39 { 2 } else { 1 }
}
