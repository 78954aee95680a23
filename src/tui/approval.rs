//! The pane that asks: what a call would do, why it asks, and the keys that answer it.
//!
//! An answer counts only once the pane has been in sight for a moment in which nothing was typed: whoever was writing
//! a message when it came up has not decided anything.

mod draw;
mod keys;
mod layout;
mod room;

use std::{cell::RefCell, time::Duration};

use ratatui::layout::Rect;

use crate::protocol::{Ask, CallId, Decision, FileChange, Risk, Scope, ToolCall};

use super::composer::Composer;
use super::diff;
use super::highlight::Highlighter;
use super::keymap::{Review as Key, Scroll};
use super::review::{Done, Review, set};
use layout::{Kept, place};

/// How long nothing must have been typed before a key is an answer.
pub(super) const QUIET: Duration = Duration::from_millis(300);

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
        // What has no line is not gone through: a file that is moved, or that others may run.
        let has_lines = change.shown().any(|file| !file.hunks.is_empty());
        if has_lines && change.shown().count() > 1 {
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
}
