//! The pane that asks: what a call would do, why it asks, and the keys that answer it.
//!
//! An answer counts only once the pane has been in sight for a moment in which nothing was typed: whoever was writing
//! a message when it came up has not decided anything.

use std::{cell::RefCell, sync::Arc, time::Duration};

use ratatui::{buffer::Buffer, layout::Rect};

use crate::protocol::{Ask, CallId, Decision, FileChange, Risk, Scope, ToolCall};

use super::approval_ask;
use super::composer::Composer;
use super::diff;
use super::highlight::Highlighter;
use super::keymap::{Action, Answer, Review as Key, Scroll, key_of};
use super::markdown::code_rows;
use super::review::{Done, Place, Review, set};
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
    /// How the change is gone through, where there is one.
    review: Option<Review>,
    /// The files of a change of several, one after the other.
    joined: Option<Box<FileChange>>,
    /// The pane has the whole screen.
    pub whole: bool,
    /// It came up after another one was answered: a key that comes too early was meant for that one, and for nothing.
    pub follows: bool,
}

/// The calls that wait together with this one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Set<'a> {
    pub entries: &'a [set::Entry<'a>],
    pub current: usize,
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
            review: None,
            joined: None,
            whole: false,
            follows: false,
        }
    }

    /// Opens the pane for a change, which can be gone through.
    pub(super) fn with_change(mut self, change: Option<&FileChange>, width: u16) -> Self {
        let Some(change) = change else {
            return self;
        };
        if !change.others.is_empty() {
            let (joined, files) = diff::join(change);
            self.review = Some(Review::new(&joined, width.into()).of_files(files));
            self.joined = Some(Box::new(joined));
        } else if !change.hunks.is_empty() {
            self.review = Some(Review::new(change, width.into()));
        }
        self
    }

    /// Returns how the change is gone through, with what is shown of it.
    fn reviewed<'a>(&'a self, question: Question<'a>) -> Option<(&'a Review, &'a FileChange)> {
        let change = self.joined.as_deref().or(question.change)?;
        Some((self.review.as_ref()?, change))
    }

    /// Tells what allowing the call now means.
    pub(super) fn decision(&self, change: Option<&FileChange>) -> Decision {
        match self.review.as_ref().zip(change) {
            Some((review, change)) => review.decision(change),
            None => Decision::Allow { scope: Scope::Once },
        }
    }

    /// Tells whether the call would be allowed as it was asked for.
    pub(super) fn is_whole(&self) -> bool {
        self.review.as_ref().is_none_or(Review::is_whole)
    }

    /// Says in a few words what was left out of the change and edited.
    pub(super) fn summary(&self, change: Option<&FileChange>) -> String {
        let review = self.review.as_ref().zip(change);
        review.map_or_else(String::new, |(review, change)| review.summary(change))
    }

    /// Does what a key says about the change.
    pub(super) fn review(
        &mut self,
        key: Key,
        question: Question<'_>,
        set: Set<'_>,
        highlighter: &Highlighter,
        area: Rect,
    ) -> Done {
        let body = self.body(question, set, highlighter, area);
        let change = self.joined.as_deref().or(question.change);
        let (Some(review), Some(change)) = (&mut self.review, change) else {
            return Done::Refused("this call has no difference to go through");
        };
        review.key(key, place(change, highlighter, body))
    }

    /// Takes in what a person made of a hunk.
    pub(super) fn edited(&mut self, change: &FileChange, hunk: usize, text: &str, width: u16) {
        if let Some(review) = &mut self.review {
            review.edited(change, hunk, text, width.into());
        }
    }

    /// Takes back a choice of lines that was begun, if one was.
    pub(super) fn unchoose(&mut self) -> bool {
        self.review.as_mut().is_some_and(Review::unchoose)
    }

    /// Tells whether a key is an answer at that time.
    pub(super) fn is_armed(&self, now: Duration) -> bool {
        now.saturating_sub(self.quiet_since) >= QUIET
    }

    /// Returns when keys begin to be answers.
    pub(super) fn arms_at(&self) -> Duration {
        self.quiet_since + QUIET
    }

    /// Returns since when nothing was typed that was not meant for the pane.
    pub(super) fn quiet_since(&self) -> Duration {
        self.quiet_since
    }

    /// Takes note of a key that was not meant for the pane.
    pub(super) fn disturb(&mut self, now: Duration) {
        self.quiet_since = now;
    }

    /// Scrolls what is shown.
    pub(super) fn scroll(
        &mut self,
        by: Scroll,
        question: Question<'_>,
        set: Set<'_>,
        highlighter: &Highlighter,
        area: Rect,
    ) {
        let body = self.body(question, set, highlighter, area);
        let change = self.joined.as_deref().or(question.change);
        if let (Some(review), Some(change)) = (&mut self.review, change) {
            return review.scroll(by, place(change, highlighter, body));
        }
        let height = usize::from(body.height);
        let total = self.parts(question, highlighter, area.width).body.len();
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

    /// Returns the rows that the pane would like to have, up to `most`.
    pub(crate) fn wanted(
        &self,
        question: Question<'_>,
        set: Set<'_>,
        highlighter: &Highlighter,
        width: u16,
        most: u16,
    ) -> u16 {
        if self.whole {
            return most;
        }
        let parts = self.parts(question, highlighter, width);
        let area = Rect::new(0, 0, width, most);
        let rows = self.rows(&parts, question, set, highlighter, area);
        let hints = usize::from(self.review.is_some());
        (rows + hints).min(usize::from(most)) as u16
    }

    /// Counts the rows of everything but the hints, as far as there is room for them.
    fn rows(
        &self,
        parts: &Parts,
        question: Question<'_>,
        set: Set<'_>,
        highlighter: &Highlighter,
        area: Rect,
    ) -> usize {
        let high = usize::from(area.height);
        let body = match self.reviewed(question) {
            Some((review, change)) => review.wanted(place(change, highlighter, area), high),
            None => parts.body.len(),
        };
        let set = set::rows(set.entries, set.current, area.width.into(), high).len();
        1 + set + parts.head.len() + body + usize::from(keys_height(area.width.into()))
    }

    /// Divides the pane: the set, the head, and what is asked.
    fn room(
        &self,
        parts: &Parts,
        question: Question<'_>,
        set: Set<'_>,
        highlighter: &Highlighter,
        area: Rect,
    ) -> Room {
        let high = usize::from(area.height);
        let fits = || self.rows(parts, question, set, highlighter, area) < high;
        let hints = (high >= 14 || fits())
            .then(|| self.hints(area.width))
            .flatten();
        let mut fixed = 1 + usize::from(keys_height(area.width.into()));
        fixed += usize::from(hints.is_some());
        let most = match high {
            _ if fits() => usize::MAX,
            0..=7 => 0,
            8..=13 => 1,
            _ => high / 4,
        };
        let set = set::rows(set.entries, set.current, area.width.into(), most);
        fixed += set.len();
        let mut head = parts.head.len();
        // In a low pane what is asked has the first claim on the rows.
        let body = if self.review.is_some() {
            3
        } else {
            parts.body.len().min(3)
        };
        if high < fixed + head + body {
            head = head.min(1);
        }
        Room {
            set,
            head,
            body: high.saturating_sub(fixed + head),
            hints,
        }
    }

    fn body(
        &self,
        question: Question<'_>,
        set: Set<'_>,
        highlighter: &Highlighter,
        area: Rect,
    ) -> Rect {
        let parts = self.parts(question, highlighter, area.width);
        let room = self.room(&parts, question, set, highlighter, area);
        Rect {
            y: area.y + (1 + room.set.len() + room.head) as u16,
            height: room.body as u16,
            ..area
        }
    }

    /// Returns the row that says how a change is gone through, where there is a change and room.
    fn hints(&self, width: u16) -> Option<Row> {
        self.review.as_ref()?;
        let mut row = Row::default();
        for (key, label) in [
            (Key::LeaveOut, "leave out"),
            (Key::Choose, "choose lines"),
            (Key::Edit, "edit"),
            (Key::NextHunk, "next hunk"),
            (Key::Sides, "sides"),
            (Key::Whole, "whole screen"),
        ] {
            let key = key_of(Action::Review(key));
            let gap = if row.spans.is_empty() { "" } else { "  " };
            let label = format!(" {label}");
            if row.width() + gap.len() + key.len() + label.len() > usize::from(width) {
                break;
            }
            row.push(gap, Role::TextDim);
            row.push(key, Role::Key);
            row.push(label, Role::TextDim);
        }
        Some(row)
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
    #[expect(clippy::too_many_arguments, reason = "a frame is made of all of these")]
    pub(super) fn draw(
        &self,
        question: Question<'_>,
        set: Set<'_>,
        now: Duration,
        highlighter: &Highlighter,
        buffer: &mut Buffer,
        area: Rect,
        theme: &Theme,
    ) {
        let parts = self.parts(question, highlighter, area.width);
        let room = self.room(&parts, question, set, highlighter, area);
        let wide = usize::from(area.width);
        let body = Rect {
            y: area.y + (1 + room.set.len() + room.head) as u16,
            height: room.body as u16,
            ..area
        };
        let review = self.reviewed(question);
        let (first, last, total, position) = match review {
            Some((review, change)) => {
                let place = place(change, highlighter, body);
                let (shown, total) = review.extent(place);
                (shown.start, shown.end, total, review.position(place))
            }
            None => {
                let total = parts.body.len();
                let first = self.scroll.min(total.saturating_sub(room.body));
                (first, (first + room.body).min(total), total, String::new())
            }
        };
        let mut title = Row::new("━━ ", Role::ApprovalBorder);
        title.push(verb(question.risk), Role::Approval);
        let summary = self.summary(question.change);
        if !summary.is_empty() {
            title.push(format!(" {summary}"), Role::CallDenied);
        }
        title.push(" ", Role::ApprovalBorder);
        let mut places = Vec::new();
        if !position.is_empty() {
            places.push(position);
        }
        if last - first < total {
            places.push(format!("lines {}–{last} of {total}", first + 1));
            places.push(key_of(Action::Scroll(Scroll::PageDown)));
        }
        // What does not fit is left out from the end.
        while !places.is_empty() {
            let place = format!(" {} ", places.join(" · "));
            if title.width() + super::text::width(&place) + 4 <= wide {
                break;
            }
            places.pop();
        }
        let place_text = match places.as_slice() {
            [] => String::new(),
            places => format!(" {} ", places.join(" · ")),
        };
        let end = Row::new(place_text, Role::Approval);
        let left = wide.saturating_sub(title.width() + end.width());
        if left >= 2 {
            title.push("━".repeat(left - 2), Role::ApprovalBorder);
            title.append(end);
            title.push("━━", Role::ApprovalBorder);
        }
        let title = title.cut(wide);
        let mut keys: Vec<Row> = room.hints.iter().cloned().collect();
        keys.extend(self.keys(question, set, now, wide));
        let keys_height = (keys.len() as u16).min(area.height);
        let bottom = Rect {
            y: area.bottom() - keys_height,
            height: keys_height,
            ..area
        };
        let top = Rect {
            height: area.height - keys_height,
            ..area
        };
        let head = &parts.head[..room.head.min(parts.head.len())];
        let rows: Vec<&Row> = std::iter::once(&title)
            .chain(&room.set)
            .chain(head)
            .collect();
        draw_rows(rows, buffer, top, theme);
        let body = body.intersection(top);
        match review {
            Some((review, change)) => {
                review.draw(place(change, highlighter, body), buffer, body, theme);
            }
            None => draw_rows(parts.body.iter().skip(first), buffer, body, theme),
        }
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

    fn keys(&self, question: Question<'_>, set: Set<'_>, now: Duration, wide: usize) -> Vec<Row> {
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
        let allow = if self.is_whole() {
            "allow"
        } else {
            "allow the rest"
        };
        let mut long = vec![(Answer::AllowOnce, allow.to_owned())];
        let mut short = vec!["once"];
        // What was left out of one change says nothing about the next.
        if self.is_whole() {
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

/// How a pane is divided: the rows of the set, and how many rows the head and the body get.
#[derive(Debug)]
struct Room {
    set: Vec<Row>,
    head: usize,
    body: usize,
    hints: Option<Row>,
}

fn place<'a>(change: &'a FileChange, highlighter: &'a Highlighter, area: Rect) -> Place<'a> {
    Place {
        change,
        highlighter,
        wide: area.width.into(),
        high: area.height.into(),
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
        // What has lines is gone through by a review.
        Some(change) => diff::ends(change, wide),
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
