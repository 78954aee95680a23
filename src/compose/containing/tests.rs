//! A keeper and its session, with a runtime that notes what it was told and becomes what it was to run.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::keep::serve;
use super::link::Link;
use crate::mcp::{Life, Started};

/// Waits for what another thread does, at most half a minute.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::yield_now();
    }
}

struct Play {
    dir: tempfile::TempDir,
    link: Arc<Link>,
    keeper: std::thread::JoinHandle<()>,
}

impl Play {
    /// Keeps a container that runs a script.
    fn new(script: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let podman = dir.path().join("podman");
        let noted = dir.path().join("noted");
        let runtime = format!(
            "#!/bin/sh\necho \"$@\" >> '{}'\n[ \"$1\" = run ] || exit 0\nshift 2\nexec \"$@\"\n",
            noted.display()
        );
        std::fs::write(&podman, runtime).expect("written");
        std::fs::set_permissions(&podman, std::fs::Permissions::from_mode(0o755)).expect("a mode");
        let argv: Vec<OsString> = [podman.as_os_str(), "run".as_ref(), "sh".as_ref()]
            .into_iter()
            .chain(["-c".as_ref(), script.as_ref()])
            .map(OsString::from)
            .collect();
        let (down, session_down) = std::io::pipe().expect("a pipe");
        let (session_up, up) = std::io::pipe().expect("a pipe");
        let keeper = std::thread::spawn(move || {
            let up = File::from(std::os::fd::OwnedFd::from(up));
            serve(argv, down, up, Duration::from_millis(300));
        });
        let link = Link::new(session_down.into(), session_up.into(), None).expect("a link");
        Self { dir, link, keeper }
    }

    fn start(&self) -> Started {
        self.link.start().expect("it is started")
    }

    fn noted(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("noted")).unwrap_or_default()
    }

    /// Ends all, as the end of a session does it.
    fn end(self) {
        self.link.hang_up();
        self.keeper.join().expect("it ends");
    }
}

async fn says(started: &mut Started, words: &str) -> String {
    let line = format!("{words}\n");
    started
        .input
        .write_all(line.as_bytes())
        .await
        .expect("it is told");
    let mut heard = vec![0; line.len()];
    started
        .output
        .read_exact(&mut heard)
        .await
        .expect("it answers");
    String::from_utf8_lossy(&heard).trim_end().to_owned()
}

async fn end_of(started: Started) -> String {
    let Life::Kept { mut exited, .. } = started.life else {
        return String::new();
    };
    let words = exited.wait_for(Option::is_some).await.expect("it is told");
    words.clone().unwrap_or_default()
}

#[tokio::test]
async fn one_keeper_starts_its_container_as_often_as_it_is_wanted() {
    let play = Play::new("cat");
    for number in 0..12 {
        let mut started = play.start();
        let words = format!("the start number {number}");
        assert_eq!(says(&mut started, &words).await, words);
        drop(started);
    }
    let noted = play.noted();
    let mut names: Vec<&str> = noted
        .split_whitespace()
        .filter(|word| word.starts_with("--name="))
        .collect();
    assert_eq!(names.len(), 12, "{noted}");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 12, "each has a name of its own: {noted}");
}

#[tokio::test]
async fn its_streams_are_whole_and_its_end_is_told() {
    let play = Play::new("head -c 300000 /dev/zero; echo oh >&2; read line; exit 3");
    let mut started = play.start();
    started.input.write_all(b"go\n").await.expect("it is told");
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    started.output.read_to_end(&mut output).await.expect("read");
    started.errors.read_to_end(&mut errors).await.expect("read");
    assert_eq!(
        (output.len(), errors.as_slice()),
        (300_000, b"oh\n".as_slice())
    );
    assert_eq!(end_of(started).await, "the server ended with status 3");
}

#[tokio::test]
async fn what_does_not_end_is_ended_and_its_container_is_taken_away() {
    let play = Play::new("trap '' TERM; echo $$; while :; do read line || sleep 0.05; done");
    let mut started = play.start();
    let mut number = [0; 16];
    let read = started.output.read(&mut number).await.expect("its number");
    let number = String::from_utf8_lossy(&number[..read]).trim().to_owned();
    let process = Path::new("/proc").join(number);
    assert!(process.exists());
    drop(started);
    until("it still runs", || !process.exists());
    until("its container is still there", || {
        play.noted()
            .contains("rm --force --time=0 --ignore walden-")
    });
}

#[tokio::test]
async fn when_the_session_is_gone_all_ends_and_the_keeper_too() {
    let play = Play::new("echo $$; while read line; do :; done; exec sleep 600");
    let mut started = play.start();
    let mut number = [0; 16];
    let read = started.output.read(&mut number).await.expect("its number");
    let process = Path::new("/proc").join(String::from_utf8_lossy(&number[..read]).trim());
    // As when it was killed: nothing is said, and its pipe is closed.
    play.link.hang_up();
    let Play { keeper, dir, link } = play;
    until("the keeper still waits", || keeper.is_finished());
    assert!(!process.exists(), "it still runs");
    assert_ne!(end_of(started).await, "");
    until("it is not noticed", || link.is_over());
    assert!(link.start().is_err());
    drop(dir);
}

#[tokio::test]
async fn a_keeper_can_be_told_nothing_else() {
    // What is no piece ends everything: there is no word for another command, and none is made up.
    let play = Play::new("cat");
    let mut started = play.start();
    assert_eq!(says(&mut started, "here").await, "here");
    play.link.say_raw(b"\x01\0\0\0\xffrun --privileged");
    let Play { keeper, dir, .. } = play;
    until("it goes on", || keeper.is_finished());
    let noted = std::fs::read_to_string(dir.path().join("noted")).expect("noted");
    assert!(
        !noted.contains("privileged") && noted.lines().count() == 1,
        "{noted}"
    );
}

#[tokio::test]
async fn a_session_that_was_taken_over_cannot_start_them_without_end() {
    let play = Play::new("trap '' TERM; while :; do sleep 0.05; done");
    let all: Vec<Started> = (0..9).map(|_| play.start()).collect();
    let mut refused = 0;
    for started in all {
        let Life::Kept { mut exited, held } = started.life else {
            continue;
        };
        let told =
            tokio::time::timeout(Duration::from_secs(1), exited.wait_for(Option::is_some)).await;
        refused += usize::from(told.is_ok());
        drop(held);
    }
    assert_eq!(refused, 5);
    play.end();
}
