//! The state of the UI, and what each message makes of it. No IO and no clock: time comes in with the messages.

use std::{sync::Arc, time::Duration};

use ratatui::layout::Rect;

use crate::protocol::{CallId, Event, Level, Op, Transcript, TurnState, sanitize};

use super::approval::Approval;
use super::asked::Asked;
use super::commands;
use super::composer::Composer;
use super::drafting::Drafting;
use super::finding::Finding;
use super::highlight::Highlighter;
use super::mention::Mention;
pub use super::msg::{Cmd, Facts, Msg, Switch};
use super::overlay::Overlay;
use super::picker::Defined;
use super::prompts::Prompt;
use super::serving::Hints;
use super::theme::Theme;
use super::transcript::TranscriptPane;
use super::view::{self, Panes};
use super::vim::Vim;

/// The text in the editor, where it is a hunk of a call's change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Editing {
    pub call: CallId,
    pub hunk: usize,
}

/// What the files of code define, and the names alone.
pub(super) type Symbols = (Arc<[Defined]>, Arc<[String]>);

/// The reading of a prompt, to tell how long it still takes.
#[derive(Debug, Clone, Copy)]
struct Reading {
    since: Duration,
    from: u32,
}

/// The state of the UI.
#[derive(Debug)]
pub struct App {
    pub(super) transcript: Transcript,
    pub(super) pane: TranscriptPane,
    pub(super) composer: Composer,
    /// Vim's keys, where they are asked for.
    pub(super) vim: Option<Vim>,
    drafting: Drafting,
    /// The user's own slash commands.
    pub(super) prompts: Vec<Prompt>,
    /// How an argument of a server's prompt could go on.
    pub(super) hints: Hints,
    pub(super) approval: Option<Approval>,
    /// The other calls that wait and were looked at, as they were left.
    pub(super) aside: Vec<Approval>,
    /// What is being edited elsewhere.
    pub(super) editing: Option<Editing>,
    /// The plan is in the editor.
    pub(super) editing_plan: bool,
    pub(super) asked: Option<Asked>,
    /// What is looked for in the transcript.
    pub(super) finding: Option<Finding>,
    pub(super) overlay: Option<Overlay>,
    /// The files beneath the roots, once they were asked for.
    pub(super) files: Option<Arc<[String]>>,
    /// What the files of code define, once it was asked for, and the names alone.
    pub(super) symbols: Option<Symbols>,
    /// The files were asked for; so was the beginning of one.
    pub(super) listing: bool,
    /// The symbols are being looked up.
    pub(super) mapping: bool,
    pub(super) previewing: bool,
    pub(super) mention: Option<Mention>,
    /// What is to be done besides what a key does by itself.
    pub(super) later: Vec<Cmd>,
    /// The session's id.
    session: Option<String>,
    /// The chosen line of the completion, and whether it was closed for the text as it is.
    pub(super) chosen: usize,
    pub(super) closed: bool,
    /// A short answer of the UI itself, until the next key.
    pub(super) flash: Option<(Level, String)>,
    pub(super) theme: Theme,
    pub(super) highlighter: Highlighter,
    pub(super) facts: Facts,
    pub(super) lost: bool,
    pub(super) now: Duration,
    pub(super) size: (u16, u16),
    /// When the turn's present step began.
    step_since: Duration,
    reading: Option<Reading>,
    /// Ctrl-C was pressed once, and would leave if pressed again.
    pub(super) leaving: bool,
    /// The turn was asked to stop.
    pub(super) stopping: bool,
    /// The shell is to stop the process when it is done with this message.
    pub(super) suspended: bool,
}

impl App {
    /// Makes the state before the first frame.
    pub fn new(facts: Facts, theme: Theme, history: Vec<String>, size: (u16, u16)) -> Self {
        Self {
            transcript: Transcript::default(),
            pane: TranscriptPane::default(),
            composer: Composer::new(history),
            vim: None,
            drafting: Drafting::default(),
            prompts: facts.prompts.clone(),
            hints: Hints::default(),
            approval: None,
            aside: Vec::new(),
            editing: None,
            editing_plan: false,
            asked: None,
            finding: None,
            overlay: None,
            files: None,
            symbols: None,
            listing: false,
            mapping: false,
            previewing: false,
            mention: None,
            later: Vec::new(),
            session: None,
            chosen: 0,
            closed: false,
            flash: None,
            theme,
            highlighter: Highlighter::default(),
            facts,
            lost: false,
            now: Duration::ZERO,
            size,
            step_since: Duration::ZERO,
            reading: None,
            leaving: false,
            stopping: false,
            suspended: false,
        }
    }

    /// Goes on with this session and another model.
    pub(super) fn with_model(&self, name: String) -> Switch {
        Switch::Model {
            name,
            session: self.session.clone(),
        }
    }

    /// Lets Vim's keys edit the message.
    pub fn with_vim(&mut self) {
        self.vim = Some(Vim::default());
    }

    /// Returns what draws code in colours.
    pub fn highlighter(&self) -> &Highlighter {
        &self.highlighter
    }

    /// Shows a line until the next key.
    pub fn flash(&mut self, level: Level, text: impl Into<String>) {
        self.flash = Some((level, text.into()));
    }

    /// Takes in the messages of earlier sessions.
    pub fn remember(&mut self, history: Vec<String>) {
        self.composer.remember(history);
    }

    /// Takes a message in, and says what is to be done.
    pub fn update(&mut self, msg: Msg) -> Vec<Cmd> {
        let mut cmds = self.take_in(msg);
        cmds.append(&mut self.later);
        cmds
    }

    fn take_in(&mut self, msg: Msg) -> Vec<Cmd> {
        match msg {
            Msg::Key { key, at } => {
                self.now = self.now.max(at);
                self.key(key, at)
            }
            Msg::Paste { text, at } => {
                self.now = self.now.max(at);
                self.paste(&text, at);
                Vec::new()
            }
            Msg::Wheel(by) => {
                self.wheel(by);
                Vec::new()
            }
            Msg::Resize { width, height } => {
                self.size = (width, height);
                Vec::new()
            }
            Msg::Session { event, at } => {
                self.now = self.now.max(at);
                self.session(&event, at);
                Vec::new()
            }
            Msg::Tick { now } => {
                self.now = self.now.max(now);
                self.tell_draft()
            }
            Msg::Theme(Ok(theme)) => {
                if let Some(warning) = theme.warnings.first() {
                    self.flash(Level::Warning, warning.clone());
                }
                self.theme = theme;
                Vec::new()
            }
            Msg::Theme(Err(problem)) => {
                self.flash(Level::Error, problem);
                Vec::new()
            }
            Msg::Highlighted => {
                self.highlighter.collect();
                Vec::new()
            }
            Msg::Found(found) => {
                self.found(found);
                Vec::new()
            }
            Msg::Written(Ok(text)) if std::mem::take(&mut self.editing_plan) => {
                self.plan_written(text)
            }
            Msg::Written(Ok(text)) => {
                match (text, &mut self.asked) {
                    (Some(text), _) if self.editing.is_some() => self.edited_elsewhere(&text),
                    (Some(text), Some(asked)) => asked.written(&text),
                    _ => {}
                }
                self.editing = None;
                Vec::new()
            }
            Msg::Written(Err(problem)) => {
                self.editing = None;
                self.editing_plan = false;
                self.flash(Level::Error, problem);
                Vec::new()
            }
            Msg::SessionLost => {
                self.lost = true;
                self.approval = None;
                self.aside.clear();
                self.asked = None;
                Vec::new()
            }
        }
    }

    /// Returns when there is something to do without a message, if there is.
    pub fn next_tick(&self) -> Option<Duration> {
        self.next_change().into_iter().chain(self.draft_due()).min()
    }

    /// Returns when what is being written is to be told, if it is.
    fn draft_due(&self) -> Option<Duration> {
        let idle = matches!(self.transcript.turn, TurnState::Idle) && !self.lost;
        // A line that begins with a slash is for the UI.
        let is_message = idle && !self.composer.text().starts_with('/');
        self.drafting
            .due(self.composer.length())
            .filter(|_| is_message)
    }

    fn tell_draft(&mut self) -> Vec<Cmd> {
        if self.draft_due().is_none_or(|due| due > self.now) {
            return Vec::new();
        }
        self.drafting.tell(self.now);
        vec![Cmd::Send(Op::Drafted {
            text: self.composer.message(),
        })]
    }

    /// Returns when the screen changes without a message, if it does.
    fn next_change(&self) -> Option<Duration> {
        if let Some(approval) = self.approval.as_ref().filter(|approval| !approval.answered) {
            return (!approval.is_armed(self.now)).then(|| approval.arms_at());
        }
        if let Some((asked, _)) = self.open_question().filter(|(asked, _)| !asked.answered) {
            return (!asked.is_armed(self.now)).then(|| asked.arms_at());
        }
        let counting = match self.transcript.turn {
            TurnState::Idle | TurnState::Asking(_) | TurnState::Drafting { .. } => false,
            TurnState::Reading { total, .. } => total > 0 && self.eta().is_some(),
            TurnState::Writing | TurnState::Calling => true,
        };
        if !counting || self.lost || self.facts.still {
            return None;
        }
        let elapsed = self.now.saturating_sub(self.step_since).as_secs();
        Some(self.step_since + Duration::from_secs(elapsed + 1))
    }

    /// Returns how long the turn's present step takes.
    pub(super) fn elapsed(&self) -> Duration {
        self.now.saturating_sub(self.step_since)
    }

    /// Estimates what is left of reading the prompt, once there is something to go by.
    pub(super) fn eta(&self) -> Option<Duration> {
        let TurnState::Reading { done, total, .. } = self.transcript.turn else {
            return None;
        };
        let reading = self.reading?;
        let elapsed = self.now.saturating_sub(reading.since).as_secs_f64();
        let left = f64::from(total.checked_sub(done).filter(|left| *left > 0)?);
        let read = done.saturating_sub(reading.from);
        let left = if read > 0 && elapsed >= 0.3 {
            left * elapsed / f64::from(read)
        } else {
            // The first batch is being read: what earlier ones took is the best that is known.
            let all = self.transcript.total_usage;
            let was_read = all.prompt.saturating_sub(all.cached);
            if was_read < 20 || all.prompt_ms == 0 {
                return None;
            }
            let took = left * f64::from(all.prompt_ms) / f64::from(was_read) / 1_000.0;
            (took - elapsed).max(1.0)
        };
        Some(Duration::from_secs_f64(left.min(86_400.0)))
    }

    /// Returns the lines that what is written can be completed to.
    pub(super) fn completion(&self) -> Vec<commands::Candidate> {
        let hidden = self.approval.is_some() || self.asked.is_some() || self.overlay.is_some();
        if self.closed || hidden {
            return Vec::new();
        }
        if let Some(mention) = &self.mention {
            return mention.found.clone();
        }
        let text = self.composer.text();
        let own = self.prompts.iter().map(|prompt| commands::Candidate {
            line: format!("/{}", prompt.name),
            help: prompt.about(),
            matches: (0..text.chars().count()).collect(),
        });
        let own = own.filter(|own| text.starts_with('/') && own.line.starts_with(text));
        let mut found = commands::complete(text);
        found.extend(own);
        found.extend(self.prompts_of_servers());
        found
    }

    pub(super) fn area(&self) -> Rect {
        Rect::new(0, 0, self.size.0, self.size.1)
    }

    pub(super) fn panes(&self) -> Panes {
        view::panes(self, self.area())
    }

    fn session(&mut self, event: &Event, at: Duration) {
        let before = std::mem::discriminant(&self.transcript.turn);
        self.transcript.apply(event);
        if std::mem::discriminant(&self.transcript.turn) != before {
            self.step_since = at;
        }
        match event {
            Event::Completed {
                server,
                of,
                begun,
                values,
            } => self.hinted(server, of, begun, values),
            Event::SessionStarted { id, .. } => self.session = Some(id.clone()),
            Event::TurnStarted { .. } => {
                self.reading = None;
                self.stopping = false;
                self.pane.follow();
            }
            Event::PromptProgressed { done, .. } => {
                // The first report says what the cache gave; what is read after it tells the speed.
                let fresh = self.reading.is_none_or(|reading| *done < reading.from);
                if fresh {
                    self.reading = Some(Reading {
                        since: at,
                        from: *done,
                    });
                }
            }
            Event::Generated { .. } | Event::CallFinished { .. } => self.reading = None,
            Event::TurnEnded { .. } => self.stopped(),
            _ => {}
        }
        self.look_at_waiting(at);
        self.meet_question(at);
    }

    fn stopped(&mut self) {
        // That the turn is being stopped is no news once it was.
        if std::mem::take(&mut self.stopping) {
            self.flash = None;
        }
    }

    fn paste(&mut self, text: &str, at: Duration) {
        self.flash = None;
        let line = || sanitize(text).replace(['\n', '\t'], " ");
        if let Some(Overlay::Picker(picker)) = &mut self.overlay {
            picker.query.paste(&line());
            picker.selected = 0;
            picker.rank();
            return;
        }
        if let Some(finding) = self.finding.as_mut().filter(|_| self.approval.is_none()) {
            finding.paste(&line());
            return self.look_for();
        }
        if let Some(approval) = &mut self.approval {
            if let Some(reason) = &mut approval.reason {
                reason.paste(&line());
                return;
            }
            approval.disturb(at);
        } else if let Some(asked) = &mut self.asked {
            if asked.is_armed(at) {
                asked.paste(text);
                return;
            }
            asked.disturb(at);
        }
        self.composer.paste(text);
        self.edited();
        self.drafting.pasted(self.now);
    }

    pub(super) fn edited(&mut self) {
        self.chosen = 0;
        self.closed = false;
        self.mention();
        self.ask_for_hints();
        self.drafting.typed(self.now);
    }
}
