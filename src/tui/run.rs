//! The shell around the UI: the terminal, the keys, the session's queues and the clock.

use std::{
    collections::VecDeque,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crossterm::event::{Event as Input, KeyEventKind, MouseEventKind};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{
        Notify,
        mpsc::{Sender, UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    time::{Instant, sleep_until},
};

use crate::protocol::{Event, Level, Op};

use super::app::{App, Cmd, Facts, Msg, Switch};
use super::input::Inputs;
use super::keymap::{self, Scroll};
use super::pace::Pace;
use super::picker::{Found, Library, Want};
use super::screen::Screen;
use super::terminal::{self, Guard, Mouse};
use super::theme::{Depth, Theme};
use super::{clipboard, history, keys_file, view};

/// The time between two frames that no key asked for: 30 a second, and 10 over a network.
const FRAME: Duration = Duration::from_millis(33);
const FRAME_REMOTE: Duration = Duration::from_millis(100);
/// Messages taken in before a frame is due, so that a flood of events does not starve the screen.
const MOST_DRAINED: usize = 4_096;
/// Paste and key input is at most this long; more is a file.
const LONGEST_PASTE: usize = 1 << 20;

/// Lets a text be written in the user's editor while the terminal is theirs: returns it where it was changed, or says
/// why it could not be.
#[derive(Clone)]
pub struct Editor(pub Arc<Write>);

/// What an [`Editor`] does.
pub type Write = dyn Fn(&str) -> Result<Option<String>, String> + Send + Sync;

impl std::fmt::Debug for Editor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Editor")
    }
}

/// How the UI is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The theme's name; `default` where there is none.
    pub theme: Option<String>,
    /// The folder of the user's own themes.
    pub themes: Option<PathBuf>,
    pub no_color: bool,
    pub model_name: String,
    pub root: PathBuf,
    /// What the status bar says is enforced.
    pub enforced: String,
    /// The user's own slash commands.
    pub prompts: Vec<super::Prompt>,
    /// The file of earlier messages.
    pub history: Option<PathBuf>,
    /// A resumed session's events, applied before the first frame.
    pub replay: Vec<Event>,
    pub editor: Option<Editor>,
    /// The file of the user's own keys.
    pub keys: Option<PathBuf>,
    /// Vim's keys in the message.
    pub vim: bool,
    /// The wheel scrolls, and the terminal selects no text by itself.
    pub mouse: bool,
    /// Nothing moves but what has news.
    pub still: bool,
    /// What can be looked up outside of the session.
    pub library: Option<Arc<dyn Library>>,
}

/// Why the UI ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// The user left; the session was asked to shut down.
    Quit,
    /// A signal asked for it; the session was asked to shut down.
    Signal,
    /// The session ended by itself.
    SessionEnded,
    /// The user goes on with something else; the session was asked to shut down.
    Switched(Switch),
}

/// Why the UI cannot be.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    #[error("the terminal UI needs a terminal on standard input and output")]
    NoTerminal,
    #[error("the terminal cannot be drawn on: {0}")]
    Terminal(#[from] io::Error),
}

/// Runs the UI until the user leaves, a signal comes, or the session ends.
///
/// The first frame is on the screen before anything is awaited.
pub async fn run(
    ops: Sender<Op>,
    mut events: UnboundedReceiver<Event>,
    options: Options,
) -> Result<Exit, TuiError> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(TuiError::NoTerminal);
    }
    let started = Instant::now();
    let mouse = if options.mouse {
        Mouse::Taken
    } else {
        Mouse::Left
    };
    let guard = Guard::enter(mouse)?;
    let (found, mut lookups) = unbounded_channel();
    let mut shell = Shell::start(options, started, found)?;
    shell.draw()?;

    // After the first frame: nothing of this is needed to show it.
    let woken = Arc::new(Notify::new());
    let wake = Arc::clone(&woken);
    shell.app.highlighter().start(move || wake.notify_one());
    shell.read_history();
    let mut inputs = Inputs::listen()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut open = true;

    loop {
        if let Some(exit) = shell.exit.take() {
            shell.hand_over(&ops).await;
            return Ok(exit);
        }
        let due = shell.due();
        if shell.dirty && due.is_none_or(|due| due <= Instant::now()) {
            if shell.draw().is_err() {
                // The terminal is gone: the session is told to end, and its journal is kept.
                shell.leave(Exit::Signal);
            }
            continue;
        }
        let alarm = due.or_else(|| shell.app.next_tick().map(|tick| started + tick));
        tokio::select! {
            biased;
            _ = terminate.recv() => shell.leave(Exit::Signal),
            _ = hangup.recv() => shell.leave(Exit::Signal),
            input = inputs.coming.recv() => match input {
                Some(input) => {
                    shell.input(input, &guard)?;
                    inputs.done();
                }
                // The terminal is gone.
                None => shell.leave(Exit::Signal),
            },
            permit = ops.reserve(), if !shell.pending.is_empty() => match permit {
                Ok(permit) => {
                    if let Some(op) = shell.pending.pop_front() {
                        permit.send(op);
                    }
                }
                Err(_) => shell.lose(&mut open),
            },
            event = events.recv(), if open => match event {
                Some(event) => shell.event(event),
                None => shell.lose(&mut open),
            },
            Some(found) = lookups.recv() => shell.take(Msg::Found(found)),
            () = woken.notified() => shell.take(Msg::Highlighted),
            () = sleep_until(alarm.unwrap_or(started)), if alarm.is_some() => {
                let now = started.elapsed();
                shell.take(Msg::Tick { now });
            }
        }
        for _ in 0..MOST_DRAINED {
            if let Ok(input) = inputs.coming.try_recv() {
                shell.input(input, &guard)?;
                inputs.done();
            } else if let Ok(event) = events.try_recv() {
                shell.event(event);
            } else {
                break;
            }
        }
    }
}

struct Shell {
    app: App,
    screen: Screen,
    started: Instant,
    depth: Depth,
    themes: Option<PathBuf>,
    history: Option<PathBuf>,
    editor: Option<Editor>,
    library: Option<Arc<dyn Library>>,
    found: UnboundedSender<Found>,
    /// A text that is to be written in the editor when the shell is done with this message.
    writing: Option<String>,
    /// Ops that the session has no room for yet.
    pending: VecDeque<Op>,
    dirty: bool,
    /// A key asked for the next frame: it does not wait its turn.
    urgent: bool,
    drawn: Instant,
    pace: Pace,
    exit: Option<Exit>,
}

impl Shell {
    fn start(
        options: Options,
        started: Instant,
        found: UnboundedSender<Found>,
    ) -> io::Result<Self> {
        let variable = |name: &str| std::env::var(name).ok();
        let depth = Depth::from_environment(
            variable("COLORTERM").as_deref(),
            variable("TERM").as_deref(),
        );
        let (width, height) = crossterm::terminal::size()?;
        let wanted = match (&options.theme, options.no_color || depth == Depth::None) {
            (_, true) => "mono",
            (Some(name), false) => name,
            (None, false) => "default",
        };
        let (theme, problem) = match load_theme(wanted, depth, options.themes.as_deref()) {
            Ok(theme) => (theme, None),
            Err(problem) => (Theme::built_in_or_default("default", depth), Some(problem)),
        };
        let facts = Facts {
            model: options.model_name,
            root: options.root.display().to_string(),
            enforced: options.enforced,
            still: options.still,
            prompts: options.prompts,
        };
        let warning = theme.warnings.first().cloned();
        let mut app = App::new(facts, theme, Vec::new(), (width, height));
        if options.vim {
            app.with_vim();
        }
        let told = options.keys.as_deref().map_or_else(Vec::new, own_keys);
        for event in options.replay {
            app.update(Msg::Session {
                event,
                at: Duration::ZERO,
            });
        }
        let told = (!told.is_empty()).then(|| told.join("\n"));
        if let Some(text) = problem.or(warning).or(told) {
            app.flash(Level::Warning, text);
        }
        let remote = std::env::var_os("SSH_CONNECTION").is_some();
        Ok(Self {
            app,
            screen: Screen::new(width, height),
            started,
            depth,
            themes: options.themes,
            history: options.history,
            editor: options.editor,
            library: options.library,
            found,
            writing: None,
            pending: VecDeque::new(),
            dirty: true,
            urgent: true,
            drawn: started,
            pace: Pace::new(if remote { FRAME_REMOTE } else { FRAME }),
            exit: None,
        })
    }

    fn read_history(&mut self) {
        if let Some(path) = &self.history {
            self.app.remember(history::load(path));
        }
    }

    /// Returns when the next frame may be drawn; `None` for at once.
    fn due(&self) -> Option<Instant> {
        (self.dirty && !self.urgent).then(|| self.drawn + self.pace.interval())
    }

    fn draw(&mut self) -> io::Result<()> {
        let area = self.screen.area();
        let app = &self.app;
        let bytes = self.screen.frame(|buffer| view::draw(app, buffer, area));
        self.dirty = false;
        self.urgent = false;
        let began = Instant::now();
        let written = match bytes.is_empty() {
            true => Ok(()),
            false => terminal::write(&bytes),
        };
        self.drawn = Instant::now();
        let (took, at) = (self.drawn - began, self.drawn - self.started);
        self.pace.wrote(bytes.len(), took, at);
        written
    }

    fn input(&mut self, input: Input, guard: &Guard) -> io::Result<()> {
        let at = self.started.elapsed();
        match input {
            Input::Key(key) if key.kind != KeyEventKind::Release => {
                self.take(Msg::Key { key, at });
            }
            Input::Paste(mut text) => {
                let mut end = LONGEST_PASTE.min(text.len());
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                text.truncate(end);
                self.take(Msg::Paste { text, at });
            }
            Input::Mouse(mouse) => match mouse.kind {
                MouseEventKind::ScrollUp => self.take(Msg::Wheel(Scroll::LineUp)),
                MouseEventKind::ScrollDown => self.take(Msg::Wheel(Scroll::LineDown)),
                _ => return Ok(()),
            },
            Input::Resize(width, height) => {
                self.screen.resize(width, height);
                self.take(Msg::Resize { width, height });
            }
            _ => return Ok(()),
        }
        self.urgent = true;
        if let Some(text) = self.writing.take() {
            self.write_text(&text, guard)?;
        }
        if std::mem::take(&mut self.app.suspended) {
            terminal::suspend(guard)?;
            let (width, height) = crossterm::terminal::size()?;
            self.screen.resize(width, height);
            self.take(Msg::Resize { width, height });
        }
        Ok(())
    }

    /// Gives the terminal to the editor, and takes it back with what was written.
    fn write_text(&mut self, text: &str, guard: &Guard) -> io::Result<()> {
        let Some(Editor(write)) = self.editor.clone() else {
            let problem = "there is no editor here";
            self.take(Msg::Written(Err(problem.to_owned())));
            return Ok(());
        };
        // The thread that reads keys would take the editor's.
        let written = terminal::lend(guard, || write(text))?;
        let (width, height) = crossterm::terminal::size()?;
        self.screen.resize(width, height);
        self.take(Msg::Resize { width, height });
        self.take(Msg::Written(written));
        Ok(())
    }

    fn event(&mut self, event: Event) {
        let at = self.started.elapsed();
        if event == Event::SessionEnded && self.exit.is_none() {
            self.exit = Some(Exit::SessionEnded);
        }
        self.take(Msg::Session { event, at });
    }

    fn lose(&mut self, open: &mut bool) {
        *open = false;
        self.pending.clear();
        self.take(Msg::SessionLost);
    }

    fn leave(&mut self, exit: Exit) {
        self.pending.push_back(Op::Shutdown);
        self.exit = Some(exit);
    }

    fn take(&mut self, msg: Msg) {
        self.dirty = true;
        for cmd in self.app.update(msg) {
            self.perform(cmd);
        }
    }

    fn perform(&mut self, cmd: Cmd) {
        match cmd {
            Cmd::Send(op) => self.pending.push_back(op),
            Cmd::CopyText(text) => {
                let is_set = |name: &str| std::env::var_os(name).is_some();
                let term = std::env::var("TERM").ok();
                let (tmux, sty) = (is_set("TMUX"), is_set("STY"));
                let between = clipboard::Between::from_environment(tmux, sty, term.as_deref());
                let sent = clipboard::sequence(&text, between)
                    .map(|bytes| terminal::write(&bytes).is_ok());
                if sent != Some(true) {
                    self.app.flash(
                        Level::Warning,
                        "that is too long for the terminal's clipboard",
                    );
                }
            }
            Cmd::WriteText { text } => self.writing = Some(text),
            Cmd::SetTheme(name) => {
                let theme = load_theme(&name, self.depth, self.themes.as_deref());
                self.take(Msg::Theme(theme));
            }
            Cmd::Remember(message) => {
                if let Some(path) = &self.history
                    && history::remember(path, &message).is_err()
                {
                    // Said once: a history that cannot be written is no reason to nag.
                    let text = format!(
                        "cannot write `{}`: this session has no history",
                        path.display()
                    );
                    self.app.flash(Level::Warning, text);
                    self.history = None;
                }
            }
            Cmd::Find(want) => self.find(want),
            Cmd::Switch(to) => self.leave(Exit::Switched(to)),
            Cmd::Redraw => self.screen.forget(),
            Cmd::Suspend => self.app.suspended = true,
            Cmd::Quit => self.exit = Some(Exit::Quit),
        }
    }

    /// Looks something up on a thread of its own: a large tree on a slow disk must not stop the keys.
    fn find(&self, want: Want) {
        let Some(library) = self.library.clone() else {
            return;
        };
        let found = self.found.clone();
        let thread = std::thread::Builder::new().name("look-up".to_owned());
        // Nobody waits for it when the UI is gone; without a thread the picker stays empty.
        let _ = thread.spawn(move || found.send(want.look_up(&*library)));
    }

    /// Gives the session what it had no room for, so that the shutdown reaches it.
    async fn hand_over(&mut self, ops: &Sender<Op>) {
        while let Some(op) = self.pending.pop_front() {
            let sent = tokio::time::timeout(Duration::from_secs(1), ops.send(op)).await;
            if !matches!(sent, Ok(Ok(()))) {
                break;
            }
        }
    }
}

/// Takes the user's own keys, and returns what is to be told about them.
#[expect(
    clippy::disallowed_methods,
    reason = "the keymap is a file of the user's configuration"
)]
fn own_keys(path: &Path) -> Vec<String> {
    let Ok(text) = std::fs::read_to_string(path) else {
        // There need not be one.
        return Vec::new();
    };
    let keys = keys_file::read(&text);
    keymap::install(keys.bindings);
    keys.told
}

#[expect(
    clippy::disallowed_methods,
    reason = "a theme is a file of the user's configuration"
)]
fn load_theme(name: &str, depth: Depth, themes: Option<&Path>) -> Result<Theme, String> {
    let find = |name: &str| {
        // A name is no path.
        let plain = name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
        let path = themes.filter(|_| plain)?.join(format!("{name}.toml"));
        std::fs::read_to_string(path).ok()
    };
    Theme::load(name, depth, &find).map_err(|error| error.to_string())
}
