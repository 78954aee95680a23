//! A session that is killed at any moment leaves whole files and a journal that can be gone on with.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start a process to kill, and look at the files it left"
)]

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use walden::agent::Settings;
use walden::mcp::Host;
use walden::model::scripted;
use walden::protocol::{Event, FileChange, Finish, Mode, ModelEvent, Op, Transcript, Usage};
use walden::servers::filesystem::Filesystem;
use walden::session::{Entry, Handle, Journal, Recovered, SessionId, Setup, read, recover, start};
use walden::workspace::{Checkpoints, Roots, hash_of};

/// Names the folder of the world to a child, which is this very test started again.
const CHILD: &str = "WALDEN_TEST_CHILD";
/// The mode that the child works in.
const CHILD_MODE: &str = "WALDEN_TEST_CHILD_MODE";

/// How long anything may take before a test calls it hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// A repository with a file long enough that its writing takes a while, and a state folder.
struct World {
    dir: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl World {
    fn new() -> Self {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let world = Self {
            dir: temporary.path().to_owned(),
            _temporary: Some(temporary),
        };
        std::fs::create_dir(world.root()).expect("a folder");
        std::fs::create_dir(world.dir.join("state")).expect("a folder");
        std::fs::write(world.file(), before()).expect("written");
        world
    }

    fn root(&self) -> PathBuf {
        self.dir.join("repository")
    }

    fn file(&self) -> PathBuf {
        self.root().join("long.txt")
    }

    fn journal(&self) -> PathBuf {
        self.dir.join("state/journal.jsonl")
    }

    /// Starts a session as the program does, or goes on with the one that is there.
    async fn start(&self, mode: Mode, script: Vec<Vec<ModelEvent>>) -> (Handle, Recovered) {
        let (journal, entries) = Journal::open(&self.journal()).expect("a journal");
        let recovered =
            (!entries.is_empty()).then(|| recover(entries, |change| stands(&self.root(), change)));
        let roots = Roots::open(&[self.root()]).expect("a root");
        let mut host = Host::new();
        host.attach("fs", Filesystem::new(roots.clone()))
            .await
            .expect("a server");
        let tools = host.tools().await.expect("its tools");
        let (state, model_state) = mpsc::unbounded_channel();
        let setup = Setup {
            changes: None,
            trust: None,
            notices: Vec::new(),
            id: SessionId("20260101-000000-0000".to_owned()),
            settings: Settings {
                mode,
                ..Settings::default()
            },
            roots,
            host,
            tools,
            model: scripted::spawn(script, state),
            model_name: "scripted".to_owned(),
            model_state,
            journal,
            checkpoints: Checkpoints::open(&self.dir.join("state/blobs")).expect("a folder"),
            recovered: recovered.clone(),
            rules: walden::session::RuleFiles::default(),
        };
        (start(setup), recovered.unwrap_or_default())
    }
}

fn stands(root: &Path, change: &FileChange) -> bool {
    std::fs::read(root.join(&change.path))
        .ok()
        .map(|bytes| hash_of(&bytes))
        == change.after
}

fn before() -> String {
    (0..20_000)
        .map(|number| format!("line {number} of a long file\n"))
        .collect()
}

fn after() -> String {
    before().replace("line 777 of", "LINE 777 of")
}

fn edit() -> Vec<ModelEvent> {
    let arguments = json!({"path": "long.txt", "old": "line 777 of a long file", "new": "LINE 777 of a long file"});
    let Value::Object(arguments) = arguments else {
        unreachable!("an object is written above")
    };
    vec![
        ModelEvent::Call {
            name: "edit".to_owned(),
            arguments,
        },
        ModelEvent::Done {
            raw: "the call".to_owned(),
            finish: Finish::Call,
            usage: Usage::default(),
        },
    ]
}

/// What a child does: a turn that edits the file, and then an answer without an end.
fn be_the_child(dir: PathBuf) -> ! {
    let world = World {
        dir,
        _temporary: None,
    };
    let mode = match std::env::var(CHILD_MODE).as_deref() {
        Ok("edit") => Mode::Edit,
        _ => Mode::Ask,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let endless = vec![ModelEvent::Text {
            text: "half an answer".to_owned(),
        }];
        let (mut handle, _) = world.start(mode, vec![edit(), endless]).await;
        let text = "what is wrong with the long file?".to_owned();
        handle
            .ops
            .send(Op::Submit { text })
            .await
            .expect("the session takes ops");
        while handle.events.recv().await.is_some() {}
    });
    panic!("the session ended by itself")
}

/// Ends the child in any case.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the named test again as a child in a world, and kills it as soon as `when` holds.
fn kill(world: &World, test: &str, mode: Mode, when: impl Fn() -> bool) {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, &world.dir)
        .env(CHILD_MODE, mode.name());
    let mut child = Killed(
        child
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("a child"),
    );
    let deadline = Instant::now() + PATIENCE;
    while !when() {
        let ended = child.0.try_wait().expect("a child");
        assert!(ended.is_none(), "the child ended by itself: {ended:?}");
        assert!(
            Instant::now() < deadline,
            "the child never came so far: {:#?}",
            read(&world.journal())
        );
        std::thread::yield_now();
    }
    // SIGKILL: nothing in the child runs after it.
    child.0.kill().expect("killed");
    child.0.wait().expect("its end");
}

/// Kills a child as soon as its journal has an entry that fits.
fn kill_at(world: &World, test: &str, mode: Mode, what: impl Fn(&Entry) -> bool) {
    kill(world, test, mode, || {
        read(&world.journal()).unwrap_or_default().iter().any(&what)
    });
}

/// Runs as the child if this is the child.
fn child_or_world() -> World {
    match std::env::var_os(CHILD) {
        Some(dir) => be_the_child(dir.into()),
        None => World::new(),
    }
}

async fn next(handle: &mut Handle, what: impl Fn(&Event) -> bool) -> Event {
    let found = async {
        loop {
            let event = handle.events.recv().await.expect("the session goes on");
            if what(&event) {
                return event;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found)
        .await
        .expect("it comes within a minute")
}

/// Checks all that must hold after a kill, and goes on with the session. Returns whether the change was made.
fn check(world: &World) -> bool {
    let text = std::fs::read_to_string(world.file()).expect("the file is there");
    let made = text == after();
    assert!(
        made || text == before(),
        "the file is neither old nor new: {} bytes",
        text.len()
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let answer = vec![
            ModelEvent::Text { text: "back".to_owned() },
            ModelEvent::Done { raw: "back".to_owned(), finish: Finish::Stop, usage: Usage::default() },
        ];
        let (mut handle, recovered) = world.start(Mode::Ask, vec![answer]).await;
        assert_eq!(recovered.memory.changes.len(), usize::from(made), "the journal knows what is on the disk");
        let mut transcript = Transcript::default();
        recovered.events.iter().for_each(|event| transcript.apply(event));
        assert!(!transcript.is_busy(), "nothing is left open");

        handle.ops.send(Op::Undo).await.expect("the session takes ops");
        if made {
            let event = next(&mut handle, |event| matches!(event, Event::ChangesUndone { .. })).await;
            assert!(
                matches!(&event, Event::ChangesUndone { undone, .. } if undone.iter().all(|file| file.refused.is_none())),
                "{event:?}"
            );
        } else {
            next(&mut handle, |event| matches!(event, Event::Notice { text, .. } if text.contains("nothing to undo"))).await;
        }
        handle.ops.send(Op::Submit { text: "are you there?".to_owned() }).await.expect("the session takes ops");
        next(&mut handle, |event| *event == Event::Text { text: "back".to_owned() }).await;
        handle.ops.send(Op::Shutdown).await.expect("the session takes ops");
        while handle.events.recv().await.is_some() {}
        handle.task.await.expect("the session's task ends by itself");
    });
    let text = std::fs::read_to_string(world.file()).expect("the file is there");
    assert!(text == before(), "undo puts the file back");
    let recovered = recover(read(&world.journal()).expect("a journal"), |_| false);
    assert_eq!(recovered.settling, [], "the journal is whole");
    made
}

/// Tells whether the old bytes of the file are kept whole.
fn is_kept(world: &World) -> bool {
    let hash = hash_of(before().as_bytes()).0;
    world
        .dir
        .join("state/blobs")
        .join(&hash[..2])
        .join(&hash[2..])
        .exists()
}

/// Returns what lies in the repository.
fn listing(world: &World) -> Vec<String> {
    let entries = std::fs::read_dir(world.root()).expect("readable").flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn a_kill_around_the_write_leaves_the_old_file_or_the_new_one() {
    let test = "a_kill_around_the_write_leaves_the_old_file_or_the_new_one";
    let mut world = child_or_world();
    let number =
        |world: &World| std::fs::metadata(world.file()).map_or(0, |metadata| metadata.ino());
    let mut made = Vec::new();
    for round in 0..12 {
        if round > 0 {
            world = World::new();
        }
        let old = number(&world);
        match round % 4 {
            // The intent is journaled, the old bytes are about to be kept.
            0 => kill_at(&world, test, Mode::Edit, |entry| {
                matches!(
                    entry,
                    Entry::Intent {
                        change: Some(_),
                        ..
                    }
                )
            }),
            // They are kept, the new ones are about to be written.
            1 => kill(&world, test, Mode::Edit, || is_kept(&world)),
            // The new ones are written beside the file.
            2 => kill(&world, test, Mode::Edit, || {
                listing(&world).len() > 1 || number(&world) != old
            }),
            // They are in its place, and the journal may not know yet.
            _ => kill(&world, test, Mode::Edit, || number(&world) != old),
        }
        made.push(check(&world));
    }
    assert!(
        made.contains(&true),
        "the last kind falls behind the write: {made:?}"
    );
}

#[test]
fn a_kill_after_the_change_was_reported_keeps_it_undoable() {
    let world = child_or_world();
    let test = "a_kill_after_the_change_was_reported_keeps_it_undoable";
    kill_at(&world, test, Mode::Edit, |entry| {
        matches!(entry, Entry::Event(Event::ChangeApplied { .. }))
    });
    assert_eq!(listing(&world), ["long.txt"], "nothing is left lying about");
    assert!(check(&world));
}

#[test]
fn a_kill_while_a_question_waits_changes_nothing() {
    let world = child_or_world();
    let test = "a_kill_while_a_question_waits_changes_nothing";
    kill_at(&world, test, Mode::Ask, |entry| {
        matches!(entry, Entry::Event(Event::ApprovalRequested { .. }))
    });
    assert_eq!(listing(&world), ["long.txt"]);
    assert!(!check(&world));
}

#[test]
fn a_kill_in_the_middle_of_an_answer_keeps_what_was_written() {
    let world = child_or_world();
    let test = "a_kill_in_the_middle_of_an_answer_keeps_what_was_written";
    kill_at(&world, test, Mode::Edit, |entry| {
        matches!(entry, Entry::Event(Event::Text { .. }))
    });
    let recovered = recover(read(&world.journal()).expect("a journal"), |_| true);
    assert!(recovered.events.contains(&Event::Text {
        text: "half an answer".to_owned()
    }));
    assert!(check(&world));
}
