//! The program in a real terminal (a pseudoterminal), without a model.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start the program in a home of its own"
)]

mod desk;

use std::fs::File;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use desk::{COLUMNS, Desk, HERE, PATIENCE, ROWS, THIN, pty};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, tcgetattr};
use walden::model::llama;
use walden::protocol::Op;
use walden::tui;

/// Starts walden.
fn walden(arguments: &[&str]) -> Desk {
    let program = Path::new(env!("CARGO_BIN_EXE_walden"));
    Desk::at(HERE, program, arguments, &[])
}

/// What the first frame shows.
const WELCOME: &str = "your code stays on this machine";

#[test]
fn the_first_frame_needs_no_model() {
    let mut desk = walden(&[]);
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
    let mut desk = walden(&[]);
    desk.until_shown(WELCOME);
    desk.until_shown("net off · 1 root");
    // setsid became the program: this is its number.
    let status = std::fs::read_to_string(format!("/proc/{}/status", desk.child.id()));
    let status = status.expect("readable");
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.contains(line), "{status}");
    }
    let free = walden(&["--no-seal"]);
    let mut desk = free;
    desk.until_shown("not sealed");
    let status = std::fs::read_to_string(format!("/proc/{}/status", desk.child.id()));
    assert!(status.expect("readable").contains("Seccomp:\t0"));
}

#[test]
fn a_question_mark_opens_the_help_and_escape_closes_it() {
    let mut desk = walden(&[]);
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
    let mut desk = walden(&[]);
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
        let mut desk = walden(&[]);
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
    let (near, far) = pty::open(ROWS, COLUMNS);
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
    let mut desk = walden(&[]);
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
    let mut desk = walden(&["--cwd", "nowhere"]);
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
    let mut desk = Desk::at(
        HERE,
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
    let mut desk = Desk::at(
        THIN,
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
    // What stood in the line before it: some frames, and not what the terminal's own buffer would hold (8 KiB), which
    // most of a second goes by for.
    let queued = desk.all.len() - before;
    assert!(queued < 5_000, "{queued} bytes before the echo");
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
    let failing = std::sync::Arc::new(tokio::sync::Notify::new());
    let fails = std::sync::Arc::clone(&failing);
    std::thread::spawn(move || {
        while let Some(op) = asked.blocking_recv() {
            if !matches!(op, Op::Submit { .. }) {
                continue;
            }
            if way == "panic" {
                fails.notify_one();
            } else if way == "panic elsewhere" {
                let text = "the answer goes on\n".to_owned();
                let ended = std::thread::spawn(|| panic!("a thread of walden's failed")).join();
                assert!(ended.is_err());
                let _ = tells.send(walden::protocol::Event::Text { text });
            } else if way == "flood" {
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
    walden::compose::tame_panics();
    runtime.block_on(async {
        tokio::select! {
            _ = tui::run(ops, events, options) => {}
            // On the thread that draws.
            () = failing.notified() => panic!("walden's own thread failed"),
        }
    });
    drop(told);
}

#[test]
fn the_engine_s_death_restores_the_terminal() {
    let program = std::env::current_exe().expect("this program");
    for (way, signal, said) in [
        ("assertion", Signal::ABORT, ""),
        ("abort", Signal::ABORT, ""),
        (
            "lost file",
            Signal::BUS,
            "a file that was being read ended early",
        ),
    ] {
        let mut desk = Desk::at(
            HERE,
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
        desk.is_restored_saying(said);
    }
}

#[test]
fn a_panic_of_the_thread_that_draws_leaves_the_screen_and_then_says_so() {
    let program = std::env::current_exe().expect("this program");
    let mut desk = Desk::at(
        HERE,
        &program,
        &["--exact", "the_child_that_dies", "--nocapture"],
        &[(DIES, "panic")],
    );
    desk.until_shown(WELCOME);
    desk.write("die");
    desk.until_shown("› die");
    desk.write("\r");
    assert!(!desk.ended().success());
    let screen = desk.screen.screen();
    assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
    let said = screen.contents();
    assert!(said.contains("walden's own thread failed"), "{said}");
    let modes = tcgetattr(&desk.far).expect("modes").local_modes;
    assert!(
        modes.contains(LocalModes::ICANON | LocalModes::ECHO),
        "{modes:?}"
    );
}

#[test]
fn a_panic_of_another_thread_leaves_the_screen_as_it_is_and_is_said_after_it() {
    let program = std::env::current_exe().expect("this program");
    let mut desk = Desk::at(
        HERE,
        &program,
        &["--exact", "the_child_that_dies", "--nocapture"],
        &[(DIES, "panic elsewhere")],
    );
    desk.until_shown(WELCOME);
    desk.write("go");
    desk.until_shown("› go");
    desk.write("\r");
    desk.until_shown("the answer goes on");
    desk.write("still here");
    desk.until_shown("› still here");
    let screen = desk.screen.screen();
    assert!(screen.alternate_screen() && !screen.contents().contains("failed"));
    kill_process(Pid::from_child(&desk.child), Signal::TERM).expect("sent");
    assert!(desk.ended().success());
    let said = desk.screen.screen().contents();
    assert!(said.contains("a thread of walden's failed"), "{said}");
}
