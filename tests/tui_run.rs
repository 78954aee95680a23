//! The program in a real terminal (a pseudoterminal), without a model.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start the program in a home of its own"
)]

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};
use walden::model::llama;
use walden::protocol::Op;
use walden::tui;

/// How long anything may take before a test calls it hung.
const PATIENCE: Duration = Duration::from_secs(60);

const ROWS: u16 = 30;
const COLUMNS: u16 = 90;

/// How fast the terminal takes what is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Fast,
    Slow,
}

/// The program at a terminal of its own.
struct Desk {
    child: Child,
    /// The end of the terminal where a person sits.
    near: File,
    /// The program's end, kept open so that its modes can be asked for after the program is gone.
    far: OwnedFd,
    written: Receiver<Vec<u8>>,
    all: Vec<u8>,
    screen: vt100::Parser,
    /// The modes before the program was started.
    before: Termios,
    _home: tempfile::TempDir,
}

impl Desk {
    fn new(arguments: &[&str]) -> Self {
        Self::with(Path::new(env!("CARGO_BIN_EXE_walden")), arguments, &[])
    }

    /// Starts another program, with more in its environment.
    fn with(program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::at(Line::Fast, program, arguments, environment)
    }

    /// Starts a program at a terminal that takes some 10 kB a second.
    fn slow(program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::at(Line::Slow, program, arguments, environment)
    }

    fn at(line: Line, program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let repository = home.path().join("repository");
        std::fs::create_dir_all(repository.join(".git")).expect("a folder");

        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a terminal");
        grantpt(&near).expect("granted");
        unlockpt(&near).expect("unlocked");
        let name = ptsname(&near, Vec::new()).expect("a name");
        // Opened by a process that leads no session: it becomes nobody's controlling terminal yet.
        let far: OwnedFd = File::options()
            .read(true)
            .write(true)
            .open(OsStr::from_bytes(name.to_bytes()))
            .expect("the other end")
            .into();
        let size = Winsize {
            ws_row: ROWS,
            ws_col: COLUMNS,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&near, size).expect("a size");
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
        let (sender, written) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
                if line == Line::Slow {
                    // This is the line, not a wait for anything.
                    std::thread::sleep(Duration::from_micros(100 * length as u64));
                }
            }
        });
        let screen = vt100::Parser::new(ROWS, COLUMNS, 0);
        Self {
            child,
            near,
            far,
            written,
            all: Vec::new(),
            screen,
            before,
            _home: home,
        }
    }

    fn write(&mut self, keys: &str) {
        self.near.write_all(keys.as_bytes()).expect("written");
    }

    /// Takes in what the program writes next; waits a moment at most.
    fn look(&mut self) {
        if let Ok(bytes) = self.written.recv_timeout(Duration::from_millis(20)) {
            self.screen.process(&bytes);
            self.all.extend(bytes);
        }
    }

    /// Waits until the screen is as described.
    #[track_caller]
    fn until(&mut self, what: impl Fn(&vt100::Screen) -> bool) {
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
    fn until_shown(&mut self, text: &str) {
        self.until(|screen| screen.contents().contains(text));
    }

    /// Waits until the program has ended and all that it wrote is taken in.
    #[track_caller]
    fn ended(&mut self) -> ExitStatus {
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
    fn is_restored(&self) {
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
        let tail =
            String::from_utf8_lossy(&self.all[self.all.len().saturating_sub(60)..]).into_owned();
        assert!(
            self.all.ends_with(b"\x1b[?1049l"),
            "something is written after the screen was left: {tail:?}"
        );
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the first frame shows.
const WELCOME: &str = "your code stays on this machine";

#[test]
fn the_first_frame_needs_no_model() {
    let mut desk = Desk::new(&[]);
    desk.until_shown(WELCOME);
    assert!(desk.screen.screen().alternate_screen());
    let modes = tcgetattr(&desk.far).expect("modes").local_modes;
    assert!(
        !modes.intersects(LocalModes::ICANON | LocalModes::ECHO),
        "keys come at once and unechoed: {modes:?}"
    );
    // And then it says that there is none, and how to get one.
    desk.until_shown("✗");
    desk.until_shown("repository");
}

#[test]
fn a_session_is_sealed_before_the_first_frame_and_the_screen_says_so() {
    let mut desk = Desk::new(&[]);
    desk.until_shown(WELCOME);
    desk.until_shown("net off · 1 root");
    // setsid became the program: this is its number.
    let status = std::fs::read_to_string(format!("/proc/{}/status", desk.child.id()));
    let status = status.expect("readable");
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.contains(line), "{status}");
    }
    let free = Desk::new(&["--no-seal"]);
    let mut desk = free;
    desk.until_shown("not sealed");
    let status = std::fs::read_to_string(format!("/proc/{}/status", desk.child.id()));
    assert!(status.expect("readable").contains("Seccomp:\t0"));
}

#[test]
fn a_question_mark_opens_the_help_and_escape_closes_it() {
    let mut desk = Desk::new(&[]);
    desk.until_shown(WELCOME);
    desk.write("?");
    desk.until_shown("─ Help");
    desk.write("\x1b");
    desk.until(|screen| {
        !screen.contents().contains("─ Help") && screen.contents().contains(WELCOME)
    });
}

#[test]
fn quit_restores_the_terminal() {
    let mut desk = Desk::new(&[]);
    desk.until_shown(WELCOME);
    desk.write("/quit");
    desk.until_shown("› /quit");
    desk.write("\r");
    let status = desk.ended();
    assert!(status.success(), "{status}");
    desk.is_restored();
}

#[test]
fn a_signal_restores_the_terminal_and_ends_the_program() {
    for signal in [Signal::TERM, Signal::HUP] {
        let mut desk = Desk::new(&[]);
        desk.until_shown(WELCOME);
        desk.write("a message that is being written");
        desk.until_shown("a message that is being written");
        kill_process(Pid::from_child(&desk.child), signal).expect("sent");
        let status = desk.ended();
        assert!(status.code().is_some(), "it ends by itself: {status}");
        desk.is_restored();
    }
}

#[test]
fn a_terminal_that_controls_nothing_and_goes_ends_the_program() {
    let home = tempfile::tempdir().expect("a folder");
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&near).expect("granted");
    unlockpt(&near).expect("unlocked");
    let name = ptsname(&near, Vec::new()).expect("a name");
    let far = File::options()
        .read(true)
        .write(true)
        .open(OsStr::from_bytes(name.to_bytes()))
        .expect("the other end");
    let size = Winsize {
        ws_row: ROWS,
        ws_col: COLUMNS,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&near, size).expect("a size");
    // No SIGHUP comes: the session has no controlling terminal.
    let mut child = Command::new("setsid")
        .arg(env!("CARGO_BIN_EXE_walden"))
        .current_dir(home.path())
        .env("TERM", "xterm-256color")
        .env("HOME", home.path())
        .env("WALDEN_STATE", home.path().join("state"))
        .env("WALDEN_MODELS", home.path().join("models"))
        .stdin(far.try_clone().expect("a handle"))
        .stdout(far.try_clone().expect("a handle"))
        .stderr(far)
        .spawn()
        .expect("setsid (of util-linux) starts the program");
    let mut near = File::from(near);
    let mut screen = vt100::Parser::new(ROWS, COLUMNS, 0);
    let mut buffer = [0; 4096];
    while !screen.screen().contents().contains(WELCOME) {
        let length = near.read(&mut buffer).expect("it draws");
        screen.process(&buffer[..length]);
    }
    drop(near);
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().expect("ended");
            panic!("the program goes on without its terminal");
        }
        std::thread::yield_now();
    };
    assert!(status.code().is_some(), "it ends by itself: {status}");
}

#[test]
fn a_message_without_a_model_waits_and_quit_still_works() {
    let mut desk = Desk::new(&[]);
    desk.until_shown(WELCOME);
    desk.write("hello there");
    desk.until_shown("› hello there");
    desk.write("\r");
    desk.until(|screen| !screen.contents().contains("› hello there"));
    desk.write("/quit");
    desk.until_shown("› /quit");
    desk.write("\r");
    assert!(desk.ended().success());
    desk.is_restored();
}

#[test]
fn a_wrong_folder_is_said_on_a_terminal_that_was_never_touched() {
    let mut desk = Desk::new(&["--cwd", "nowhere"]);
    let status = desk.ended();
    assert_eq!(status.code(), Some(2));
    let text = String::from_utf8_lossy(&desk.all).into_owned();
    assert!(
        text.contains("nowhere") && !text.contains('\x1b'),
        "{text:?}"
    );
}

#[test]
fn suspended_the_terminal_is_the_shells_and_fg_brings_the_screen_back() {
    // A shell that controls jobs, as a user's does: without one nothing can be stopped.
    let script = "set -m; \"$0\"; echo it has stopped; read go; fg; echo it has ended";
    let mut desk = Desk::with(
        Path::new("sh"),
        &["-c", script, env!("CARGO_BIN_EXE_walden")],
        &[],
    );
    desk.until_shown(WELCOME);
    desk.write("a message");
    desk.until_shown("› a message");
    desk.write("\x1a");
    desk.until(|screen| screen.contents().contains("it has stopped") && !screen.alternate_screen());
    let modes = tcgetattr(&desk.far).expect("modes").local_modes;
    assert!(
        modes.contains(LocalModes::ICANON | LocalModes::ECHO),
        "{modes:?}"
    );
    desk.write("go\r");
    desk.until(|screen| screen.contents().contains("› a message") && screen.alternate_screen());
    desk.write(" goes on");
    desk.until_shown("› a message goes on");
    // The first one empties the message.
    desk.write("\x03\x03\x03");
    desk.until(|screen| screen.contents().contains("it has ended") && !screen.alternate_screen());
}

/// Tokens that the child writes as fast as they come, for a terminal that does not.
const FLOOD: usize = 4_000;

#[test]
fn over_a_thin_line_frames_are_left_out_and_keys_are_heard() {
    let program = std::env::current_exe().expect("this program");
    let mut desk = Desk::slow(
        &program,
        &["--exact", "the_child_that_dies", "--nocapture"],
        &[(DIES, "flood")],
    );
    desk.until_shown(WELCOME);
    desk.write("go");
    desk.until_shown("› go");
    desk.write("\r");
    desk.until_shown("token 2");
    let before = desk.all.len();
    desk.write("heard");
    desk.until_shown("› heard");
    // What stood in the line before it: what the terminal's own buffer holds (8 KiB) and a frame, not all that came.
    let queued = desk.all.len() - before;
    assert!(queued < 16_000, "{queued} bytes before the echo");
    desk.until_shown("that was all");
    // A frame for each token would be more than this for the text alone.
    let written = desk.all.len() - before;
    assert!(written < FLOOD * 20, "{written} bytes");
}

/// Names the way to die to a copy of this program, which is then a terminal UI whose engine dies of what is submitted.
const DIES: &str = "WALDEN_TEST_DIES";

/// What [`the_engine_s_death_restores_the_terminal`] starts; by itself it does nothing.
#[test]
#[expect(unsafe_code, reason = "dies as C++ code does")]
fn the_child_that_dies() {
    let Some(way) = std::env::var_os(DIES) else {
        return;
    };
    llama::on_crash(tui::restore);
    llama::on_abort(|_| tui::restore());
    let (ops, mut asked) = tokio::sync::mpsc::channel(4);
    let (told, events) = tokio::sync::mpsc::unbounded_channel();
    let tells = told.clone();
    std::thread::spawn(move || {
        while let Some(op) = asked.blocking_recv() {
            if !matches!(op, Op::Submit { .. }) {
                continue;
            }
            if way == "flood" {
                for number in 0..FLOOD {
                    let text = format!("token {number} ");
                    let _ = tells.send(walden::protocol::Event::Text { text });
                    std::thread::sleep(Duration::from_millis(1));
                }
                let text = "\n\nthat was all\n".to_owned();
                let _ = tells.send(walden::protocol::Event::Text { text });
            } else if way == "assertion" {
                // SAFETY: the texts end with a zero byte, and the format takes no values.
                unsafe { llama_cpp_sys_2::ggml_abort(c"here".as_ptr(), 1, c"on purpose".as_ptr()) }
            } else if way == "abort" {
                std::process::abort();
            } else {
                let _ = kill_process(rustix::process::getpid(), Signal::BUS);
            }
        }
    });
    let options = tui::Options {
        theme: None,
        themes: None,
        no_color: false,
        model_name: "none".to_owned(),
        root: ".".into(),
        enforced: "nothing".to_owned(),
        history: None,
        replay: Vec::new(),
        ..tui::Options::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _ = runtime.block_on(tui::run(ops, events, options));
    drop(told);
}

#[test]
fn the_engine_s_death_restores_the_terminal() {
    let program = std::env::current_exe().expect("this program");
    for (way, signal) in [
        ("assertion", Signal::ABORT),
        ("abort", Signal::ABORT),
        ("lost file", Signal::BUS),
    ] {
        let mut desk = Desk::with(
            &program,
            &["--exact", "the_child_that_dies", "--nocapture"],
            &[(DIES, way)],
        );
        desk.until_shown(WELCOME);
        desk.write("die");
        desk.until_shown("› die");
        desk.write("\r");
        let status = desk.ended();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{way}: {status}");
        desk.is_restored();
    }
}
