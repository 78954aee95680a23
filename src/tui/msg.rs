//! What comes to the app and what it asks to be done: its whole boundary.

use std::time::Duration;

use crossterm::event::KeyEvent;

use crate::protocol::{Event, Op};

use super::keymap::Scroll;
use super::picker::{Found, Want};
use super::prompts::Prompt;
use super::theme::Theme;

/// What comes in. Times are counted from the start of the program.
#[derive(Debug)]
pub enum Msg {
    Key {
        key: KeyEvent,
        at: Duration,
    },
    Paste {
        text: String,
        at: Duration,
    },
    /// The mouse's wheel.
    Wheel(Scroll),
    Resize {
        width: u16,
        height: u16,
    },
    Session {
        event: Event,
        at: Duration,
    },
    /// Nothing happened but time, asked for by `App::next_tick`.
    Tick {
        now: Duration,
    },
    /// A theme was loaded, or could not be.
    Theme(Result<Theme, String>),
    /// The highlighter has something new.
    Highlighted,
    /// What was looked up.
    Found(Found),
    /// A text came back from the editor, changed or not, or could not be written there.
    Written(Result<Option<String>, String>),
    /// The session ended without being asked to.
    SessionLost,
}

/// What is to be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Cmd {
    Send(Op),
    CopyText(String),
    /// Lets a text be written in $EDITOR; [`Msg::Written`] brings it back.
    WriteText {
        text: String,
    },
    SetTheme(String),
    /// A message that belongs into the history file.
    Remember(String),
    /// Looks something up; [`Msg::Found`] brings it back.
    Find(Want),
    /// Leaves this session and goes on with another one.
    Switch(Switch),
    Redraw,
    Suspend,
    Quit,
}

/// What the UI goes on with after this session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switch {
    /// An earlier session, by its id.
    Session(String),
    /// This session, with another model.
    Model {
        name: String,
        session: Option<String>,
    },
    New,
}

/// What the UI is told at its start.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub model: String,
    pub root: String,
    pub enforced: String,
    /// Nothing moves but what has news: no seconds are counted.
    pub still: bool,
    pub prompts: Vec<Prompt>,
}
