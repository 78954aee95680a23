//! A program at a pseudoterminal of its own, and the line between that and the person at it.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start the program in a home of its own"
)]
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod pty;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::time::{Duration, Instant};

use rustix::termios::{Termios, tcgetattr};

/// How long anything may take before a test calls it hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const ROWS: u16 = 30;
pub(crate) const COLUMNS: u16 = 90;

/// What lies between the terminal and the person at it.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    /// What it carries in a second, in bytes.
    pub(crate) rate: Option<u32>,
    /// How long everything is under way, in each direction.
    pub(crate) delay: Duration,
}

/// A terminal on the same machine.
pub(crate) const HERE: Line = Line {
    rate: None,
    delay: Duration::ZERO,
};

/// 10 kB a second.
pub(crate) const THIN: Line = Line {
    rate: Some(10_000),
    delay: Duration::ZERO,
};

/// 10 kB a second, and a round trip of 100 ms.
pub(crate) const FAR: Line = Line {
    rate: Some(10_000),
    delay: Duration::from_millis(50),
};

impl Line {
    /// Carries what comes in, in order, at the line's pace; ends when either end does.
    fn carry(self, from: Receiver<Vec<u8>>, mut to: impl FnMut(Vec<u8>) -> bool + Send + 'static) {
        let (sender, under_way) = channel::<(Instant, Vec<u8>)>();
        std::thread::spawn(move || {
            while let Ok((due, bytes)) = under_way.recv() {
                // This is the line, not a wait for anything.
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                if !to(bytes) {
                    break;
                }
            }
        });
        std::thread::spawn(move || {
            while let Ok(bytes) = from.recv() {
                if let Some(rate) = self.rate {
                    std::thread::sleep(Duration::from_secs(1) * bytes.len() as u32 / rate);
                }
                if sender.send((Instant::now() + self.delay, bytes)).is_err() {
                    break;
                }
            }
        });
    }
}

/// The program at a terminal of its own.
pub(crate) struct Desk {
    pub(crate) child: Child,
    /// The program's end, kept open so that its modes can be asked for after the program is gone.
    pub(crate) far: OwnedFd,
    /// What is typed goes in here.
    keys: Sender<Vec<u8>>,
    written: Receiver<Vec<u8>>,
    pub(crate) all: Vec<u8>,
    pub(crate) screen: vt100::Parser,
    /// The modes before the program was started.
    before: Termios,
    _home: tempfile::TempDir,
}

impl Desk {
    /// Starts a program with more in its environment.
    pub(crate) fn at(
        line: Line,
        program: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let repository = home.path().join("repository");
        std::fs::create_dir_all(repository.join(".git")).expect("a folder");

        // Opened by a process that leads no session: it becomes nobody's controlling terminal yet.
        let (near, far) = pty::open(ROWS, COLUMNS);
        let before = tcgetattr(&far).expect("modes");

        // A session of its own, or the program would find the terminal that the tests are run from.
        let mut command = Command::new("setsid");
        command
            .arg("--ctty")
            .arg(program)
            .args(arguments)
            .current_dir(&repository)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(environment.iter().copied())
            .env("TERM", "xterm-256color")
            .env("HOME", home.path())
            .env("WALDEN_STATE", home.path().join("state"))
            .env("WALDEN_MODELS", home.path().join("models"))
            .stdin(far.try_clone().expect("a handle"))
            .stdout(far.try_clone().expect("a handle"))
            .stderr(far.try_clone().expect("a handle"));
        let child = command
            .spawn()
            .expect("setsid (of util-linux) starts the program");

        let near = File::from(near);
        let mut reader = near.try_clone().expect("a handle");
        // No room: what the line has not taken stays in the terminal, as it does with a connection that is full.
        let (sender, read) = sync_channel(0);
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        let (sender, written) = channel();
        line.carry(read, move |bytes| sender.send(bytes).is_ok());
        let (keys, typed) = channel();
        let mut keyboard = near;
        let unhurried = Line { rate: None, ..line };
        unhurried.carry(typed, move |bytes| keyboard.write_all(&bytes).is_ok());
        let screen = vt100::Parser::new(ROWS, COLUMNS, 0);
        Self {
            child,
            far,
            keys,
            written,
            all: Vec::new(),
            screen,
            before,
            _home: home,
        }
    }

    pub(crate) fn write(&mut self, keys: &str) {
        self.keys.send(keys.as_bytes().to_vec()).expect("written");
    }

    /// Takes in what the program writes next; waits a moment at most.
    pub(crate) fn look(&mut self) {
        if let Ok(bytes) = self.written.recv_timeout(Duration::from_millis(20)) {
            self.screen.process(&bytes);
            self.all.extend(bytes);
        }
    }

    /// Waits until the screen is as described.
    #[track_caller]
    pub(crate) fn until(&mut self, what: impl Fn(&vt100::Screen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !what(self.screen.screen()) {
            assert!(
                Instant::now() < deadline,
                "the screen never became so:\n{}",
                self.screen.screen().contents()
            );
            if let Some(status) = self.child.try_wait().expect("a child") {
                panic!(
                    "the program ended ({status}):\n{}",
                    self.screen.screen().contents()
                );
            }
            self.look();
        }
    }

    #[track_caller]
    pub(crate) fn until_shown(&mut self, text: &str) {
        self.until(|screen| screen.contents().contains(text));
    }

    /// Waits until the program has ended and all that it wrote is taken in.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            self.look();
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(
                Instant::now() < deadline,
                "the program never ended:\n{}",
                self.screen.screen().contents()
            );
        };
        // What it wrote last goes through the terminal before what is written after its end.
        let mark = b"\x1b]0;the end\x07";
        File::from(self.far.try_clone().expect("a handle"))
            .write_all(mark)
            .expect("written");
        while !self.all.ends_with(mark) {
            assert!(Instant::now() < deadline, "the terminal is stuck");
            self.look();
        }
        self.all.truncate(self.all.len() - mark.len());
        status
    }

    /// Checks that the terminal is what it was before the program.
    #[track_caller]
    pub(crate) fn is_restored(&self) {
        self.is_restored_saying("");
    }

    /// Checks that, and that nothing but these words comes after the screen.
    #[track_caller]
    pub(crate) fn is_restored_saying(&self, words: &str) {
        let now = tcgetattr(&self.far).expect("modes");
        assert_eq!(
            (
                now.input_modes,
                now.output_modes,
                now.control_modes,
                now.local_modes
            ),
            (
                self.before.input_modes,
                self.before.output_modes,
                self.before.control_modes,
                self.before.local_modes
            )
        );
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
        let all = String::from_utf8_lossy(&self.all);
        let (_, after) = all.rsplit_once("\x1b[?1049l").expect("the screen was left");
        assert!(
            after.is_empty() == words.is_empty()
                && after.contains(words)
                && !after.contains('\x1b'),
            "something else is written after the screen was left: {after:?}"
        );
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
