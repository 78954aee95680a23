//! The pane that asks: what a call would do, why it asks, and the keys that answer it.
//!
//! An answer counts only once the pane has been in sight for a moment in which nothing was typed: whoever was writing
//! a message when it came up has not decided anything.

use std::{cell::RefCell, sync::Arc, time::Duration};

use ratatui::{buffer::Buffer, layout::Rect};

use crate::protocol::{Ask, CallId, FileChange, Risk, ToolCall};

use super::approval_ask;
use super::composer::Composer;
use super::diff;
use super::highlight::Highlighter;
use super::keymap::{Action, Answer, Scroll, key_of};
use super::markdown::code_rows;
use super::role::Role;
use super::text::{Row, clean, clean_line, draw_rows, fold, wrap};
use super::theme::Theme;

/// How long nothing must have been typed before a key is an answer.
pub(super) const QUIET: Duration = Duration::from_millis(300);
/// Rows of the arguments that are laid out at most.
const MOST_ROWS: usize = 5_000;

/// A call that waits for a decision.
#[derive(Debug)]
pub(super) struct Approval {
    pub call: CallId,
    quiet_since: Duration,
    scroll: usize,
    /// What is asked, laid out for a width; a long diff is not laid out anew for each key.
    kept: RefCell<Option<Kept>>,
    /// The reason that is being written for a denial.
    pub reason: Option<Composer>,
    /// A decision was sent; nothing more is.
    pub answered: bool,
}

/// What is asked, as the transcript has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub call: &'a ToolCall,
    pub risk: Risk,
    pub reason: &'a str,
    pub change: Option<&'a FileChange>,
    pub ask: Option<&'a Ask>,
}

impl Approval {
    /// Opens the pane at a time.
    pub(super) fn new(call: CallId, now: Duration) -> Self {
        Self {
            call,
            quiet_since: now,
            scroll: 0,
            kept: RefCell::default(),
            reason: None,
            answered: false,
        }
    }

    /// Tells whether a key is an answer at that time.
    pub(super) fn is_armed(&self, now: Duration) -> bool {
        now.saturating_sub(self.quiet_since) >= QUIET
    }

    /// Returns when keys begin to be answers.
    pub(super) fn arms_at(&self) -> Duration {
        self.quiet_since + QUIET
    }

    /// Takes note of a key that was not meant for the pane.
    pub(super) fn disturb(&mut self, now: Duration) {
        self.quiet_since = now;
    }

    /// Scrolls what is shown.
    pub(super) fn scroll(&mut self, by: Scroll, total: usize, height: usize) {
        let page = height.saturating_sub(1).max(1);
        let last = total.saturating_sub(height);
        self.scroll = match by {
            Scroll::PageUp => self.scroll.saturating_sub(page),
            Scroll::PageDown => self.scroll + page,
            Scroll::LineUp => self.scroll.saturating_sub(1),
            Scroll::LineDown => self.scroll + 1,
            Scroll::Top => 0,
            Scroll::Bottom => last,
        }
        .min(last);
    }

    /// Returns the rows that the pane would like to have.
    pub(crate) fn wanted(
        &self,
        question: Question<'_>,
        highlighter: &Highlighter,
        width: u16,
    ) -> usize {
        let parts = self.parts(question, highlighter, width);
        1 + parts.head.len() + parts.body.len() + usize::from(keys_height(width.into()))
    }

    /// Returns the rows of what is asked, and how many of them an area shows.
    pub(crate) fn extent(
        &self,
        question: Question<'_>,
        highlighter: &Highlighter,
        area: Rect,
    ) -> (usize, usize) {
        let parts = self.parts(question, highlighter, area.width);
        (parts.body.len(), parts.fit(area).1)
    }

    fn parts(&self, question: Question<'_>, highlighter: &Highlighter, width: u16) -> Arc<Parts> {
        let generation = highlighter.generation();
        let mut kept = self.kept.borrow_mut();
        if let Some(kept) = kept
            .as_ref()
            .filter(|kept| kept.generation == generation && kept.parts.width == width)
        {
            return Arc::clone(&kept.parts);
        }
        let parts = Arc::new(lay_out(question, highlighter, width));
        *kept = Some(Kept {
            generation,
            parts: Arc::clone(&parts),
        });
        parts
    }

    /// Draws the pane.
    pub(super) fn draw(
        &self,
        question: Question<'_>,
        now: Duration,
        highlighter: &Highlighter,
        buffer: &mut Buffer,
        area: Rect,
        theme: &Theme,
    ) {
        let parts = self.parts(question, highlighter, area.width);
        let (head, height) = parts.fit(area);
        let total = parts.body.len();
        let first = self.scroll.min(total.saturating_sub(height));
        let wide = usize::from(area.width);
        let mut title = Row::new("━━ ", Role::ApprovalBorder);
        title.push(verb(question.risk), Role::Approval);
        title.push(" ", Role::ApprovalBorder);
        let mut place = String::new();
        if total > height {
            let shown = format!("{}–{} of {total}", first + 1, (first + height).min(total));
            let key = key_of(Action::Scroll(Scroll::PageDown));
            place = format!(" lines {shown} · {key} ");
            if title.width() + place.chars().count() + 2 > wide {
                place = format!(" {shown} ");
            }
        }
        let place = Row::new(place, Role::Approval);
        let left = wide.saturating_sub(title.width() + place.width());
        if left >= 2 {
            title.push("━".repeat(left - 2), Role::ApprovalBorder);
            title.append(place);
            title.push("━━", Role::ApprovalBorder);
        }
        let title = title.cut(wide);
        let keys = self.keys(question, now, wide);
        let body = parts.body.iter().skip(first).take(height);
        let rows: Vec<&Row> = std::iter::once(&title).chain(head).chain(body).collect();
        let keys_height = (keys.len() as u16).min(area.height);
        let top = Rect {
            height: area.height - keys_height,
            ..area
        };
        draw_rows(rows, buffer, top, theme);
        let bottom = Rect {
            y: top.bottom(),
            height: keys_height,
            ..area
        };
        draw_rows(&keys, buffer, bottom, theme);
    }

    /// Returns where the cursor stands while a reason is written.
    pub(super) fn cursor(&self, area: Rect) -> Option<(u16, u16)> {
        let reason = self.reason.as_ref()?;
        let wide = usize::from(area.width);
        let (_, column) = reason.position(usize::MAX);
        let column = (REASON.len() + column).min(wide.saturating_sub(1));
        Some((area.x + column as u16, area.bottom().saturating_sub(1)))
    }

    fn keys(&self, question: Question<'_>, now: Duration, wide: usize) -> Vec<Row> {
        if self.answered {
            return vec![Row::new("sent", Role::TextDim)];
        }
        if let Some(reason) = &self.reason {
            // The end of a long reason matters, as it is where the cursor is.
            let room = wide.saturating_sub(REASON.len() + 1);
            let text = reason.text();
            let mut shown = text;
            while super::text::width(shown) > room {
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
        let long = [
            (Answer::AllowOnce, "allow".to_owned()),
            (Answer::AllowForSession, format!("allow {tool} from now on")),
            (Answer::Deny, "deny".to_owned()),
            (Answer::DenyWithReason, "deny and say why".to_owned()),
        ];
        let short = ["once", "always", "no", "why"];
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

const REASON: &str = "why not? ";

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

/// Asks what a risk comes down to.
fn verb(risk: Risk) -> &'static str {
    match risk {
        Risk::Read => "Read?",
        Risk::Edit => "Edit a file?",
        Risk::EditExecutable => "Edit a file that other programs run?",
        Risk::Delete => "Delete or move files?",
        Risk::Command => "Run a command?",
        Risk::SensitiveRead => "Show the model a secret?",
        Risk::GitLocal => "Write to the git repository?",
        Risk::GitHistory => "Take commits or changes out of sight?",
        Risk::Memory => "Change what is remembered?",
        Risk::ForeignRead | Risk::Foreign => "Use a third-party tool?",
        Risk::Network => "Reach a network?",
        Risk::Outside => "Touch what lies outside?",
        Risk::Policy => "Change what walden may do?",
    }
}

/// Returns the rows of the key hints: below the width of the short ones they wrap.
fn keys_height(wide: usize) -> u16 {
    if wide < 39 { 2 } else { 1 }
}

/// What is asked, as rows of a width.
#[derive(Debug)]
struct Parts {
    head: Vec<Row>,
    body: Vec<Row>,
    width: u16,
}

#[derive(Debug)]
struct Kept {
    generation: u64,
    parts: Arc<Parts>,
}

impl Parts {
    /// Returns the rows above the body, and how many of the body's an area shows.
    fn fit(&self, area: Rect) -> (&[Row], usize) {
        let high = usize::from(area.height);
        let fixed = 1 + usize::from(keys_height(area.width.into()));
        let mut head = self.head.as_slice();
        // In a low pane what is asked has the first claim on the rows.
        if high < fixed + head.len() + self.body.len().min(3) {
            head = &head[..1.min(head.len())];
        }
        (head, high.saturating_sub(fixed + head.len()))
    }
}

fn lay_out(question: Question<'_>, highlighter: &Highlighter, width: u16) -> Parts {
    let wide = usize::from(width).max(1);
    let (mark, role) = match question.risk {
        Risk::Read | Risk::Edit => ("○ ", Role::RiskLow),
        _ => ("▲ ", Role::RiskHigh),
    };
    let call = question.call;
    let mut what = Row::new(mark, role);
    what.push(format!("{}.", clean_line(&call.server)), Role::TextDim);
    what.push(clean_line(&call.tool), Role::Call);
    if let Some(change) = question.change {
        what.push(" · ", Role::TextDim);
        what.append(diff::heading(change));
    }
    let mut head = wrap(&what, wide, &Row::new("  ", Role::Text));
    match question.ask {
        Some(ask) => head.extend(approval_ask::rows(ask, wide)),
        None => {
            let why = Row::new("  asks because ", Role::TextDim)
                .with(clean_line(question.reason), Role::Text);
            head.extend(wrap(&why, wide, &Row::new("  ", Role::Text)));
        }
    }
    let body = match question.change {
        Some(change) => diff::render(change, wide, highlighter),
        None => arguments(call, wide, highlighter),
    };
    Parts { head, body, width }
}

fn arguments(call: &ToolCall, wide: usize, highlighter: &Highlighter) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, value) in &call.arguments {
        let name = clean_line(name);
        let text = match value.as_str() {
            Some(text) => clean(text),
            None => clean(&value.to_string()),
        };
        let mut row = Row::new(format!("  {name}: "), Role::TextDim);
        if text.contains('\n') {
            rows.push(row.cut(wide));
            let language = match name.as_str() {
                "command" | "script" => "sh",
                _ => call.argument("path").unwrap_or(""),
            };
            let lines: Vec<String> = text
                .trim_end_matches('\n')
                .split('\n')
                .map(str::to_owned)
                .collect();
            rows.extend(
                code_rows(language, &lines, wide.saturating_sub(2).max(1), highlighter)
                    .into_iter()
                    .map(|line| {
                        let mut out = Row::new("  ", Role::Text);
                        out.append(line);
                        out.cut(wide)
                    }),
            );
        } else {
            row.push(text, Role::TextStrong);
            rows.extend(fold(&row, wide, &Row::new("    ", Role::Text)));
        }
    }
    if rows.is_empty() {
        rows.push(Row::new("  no arguments", Role::TextDim).cut(wide));
    }
    if rows.len() > MOST_ROWS {
        let missing = rows.len() - MOST_ROWS;
        rows.truncate(MOST_ROWS);
        let text = format!("… {missing} more lines are too many to show");
        rows.push(Row::new(text, Role::NoticeWarning).cut(wide));
    }
    rows
}
