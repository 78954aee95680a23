//! The same objects as libgit2 reads.

#![expect(
    clippy::disallowed_methods,
    reason = "a test lays its own repositories, with git itself"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use super::parts::entries;
use super::*;
use crate::workspace::Roots;

fn git(folder: &Path, arguments: &[&str]) {
    let done = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=A", "-c", "user.email=a@x"])
        .args(["-c", "gc.auto=0", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("git is there");
    assert!(done.status.success(), "{arguments:?}: {done:?}");
}

/// Lays twelve commits of a file that is long enough for its forms to be stored as changes of each other.
fn laid() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q"]);
    let mut text: String = (0..3_000).map(|n| format!("line {n} of it\n")).collect();
    for step in 0..12 {
        text = text.replacen(&format!("line {} ", step * 200), "another ", 1);
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("a/b/long.txt"), &text).unwrap();
        fs::write(folder.path().join("empty"), "").unwrap();
        git(folder.path(), &["add", "-A"]);
        git(
            folder.path(),
            &["commit", "-q", "-m", &format!("step {step}")],
        );
    }
    folder
}

/// Compares every object, and returns how many there are.
fn check(folder: &Path) -> usize {
    let roots = Roots::open(&[folder.to_owned()]).unwrap();
    let repo = Repo::open(&roots, &folder.to_string_lossy()).unwrap();
    let odb = repo.git.odb().unwrap();
    let mut objects = repo.objects();
    let mut count = 0;
    odb.foreach(|id| {
        let expected = odb.read(*id).unwrap();
        let found = objects.reader.read(*id).expect("an object");
        assert_eq!(found.kind, expected.kind(), "{id}");
        assert_eq!(found.bytes, expected.data(), "{id}");
        count += 1;
        true
    })
    .unwrap();
    assert!(objects.others.is_none());
    count
}

#[test]
fn objects_are_read_as_they_are_stored() {
    let folder = laid();
    let count = check(folder.path());
    assert!(count > 12 * 4, "{count}");
    // Packed: changes by offset, then by id, then of the half of it only.
    git(folder.path(), &["repack", "-adfq", "--depth=50"]);
    assert_eq!(check(folder.path()), count);
    git(
        folder.path(),
        &["-c", "repack.useDeltaBaseOffset=false", "repack", "-adfq"],
    );
    assert_eq!(check(folder.path()), count);
    fs::write(folder.path().join("more"), "more\n").unwrap();
    git(folder.path(), &["add", "-A"]);
    git(folder.path(), &["commit", "-q", "-m", "loose"]);
    assert_eq!(check(folder.path()), count + 3);
}

#[test]
fn what_is_not_here_is_read_from_the_store_that_is_borrowed_from() {
    let folder = laid();
    git(folder.path(), &["clone", "-q", "--shared", ".", "copy"]);
    let roots = Roots::open(&[folder.path().to_owned()]).unwrap();
    let repo = Repo::open(&roots, "copy").unwrap();
    let head = repo.resolve("HEAD").unwrap().id();
    let mut objects = repo.objects();
    assert!(objects.reader.read(head).is_none());
    let found = objects.read_as(ObjectType::Commit, head).unwrap();
    assert!(found.bytes.starts_with(b"tree "));
    assert!(objects.read_as(ObjectType::Blob, head).is_err());
    assert!(objects.read(Oid::from_bytes(&[7; 20]).unwrap()).is_err());
}

#[test]
fn a_cut_pack_gives_whole_objects_or_none_and_a_broken_one_no_panic() {
    let folder = laid();
    git(folder.path(), &["repack", "-adq"]);
    git(folder.path(), &["prune-packed"]);
    let roots = Roots::open(&[folder.path().to_owned()]).unwrap();
    let repo = Repo::open(&roots, ".").unwrap();
    let ids = {
        let mut ids = Vec::new();
        let odb = repo.git.odb().unwrap();
        odb.foreach(|id| {
            ids.push((*id, odb.read(*id).unwrap().data().to_vec()));
            true
        })
        .unwrap();
        ids
    };
    let packs = folder.path().join(".git/objects/pack");
    let pack = fs::read_dir(packs)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "pack"))
        .unwrap();
    let whole = fs::read(&pack).unwrap();
    let mut seed = 1_u64;
    for round in 0..60 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let at = (seed >> 33) as usize % whole.len();
        let cut = round % 2 == 0;
        let mut broken = whole.clone();
        match cut {
            true => broken.truncate(at),
            false => broken[at] ^= (seed >> 25) as u8 | 1,
        }
        fs::remove_file(&pack).unwrap();
        fs::write(&pack, &broken).unwrap();
        let mut objects = repo.objects();
        let mut missing = 0;
        for (id, bytes) in &ids {
            match objects.reader.read(*id) {
                None => missing += 1,
                Some(found) => assert!(!cut || found.bytes == *bytes, "{id} cut at {at}"),
            }
        }
        // The checksum at the end is no object's.
        assert!(!cut || missing > 0 || at + 20 >= whole.len(), "cut at {at}");
    }
}

#[test]
fn a_tree_and_a_commit_are_taken_apart() {
    let id = Oid::from_str("0123456789012345678901234567890123456789").unwrap();
    let mut tree = b"100644 a b\0".to_vec();
    tree.extend_from_slice(id.as_bytes());
    tree.extend_from_slice(b"40000 c\0");
    tree.extend_from_slice(id.as_bytes());
    let names: Vec<(u32, &[u8])> = entries(&tree)
        .map(|entry| (entry.mode, entry.name))
        .collect();
    assert_eq!(names, [(0o100_644, &b"a b"[..]), (0o40_000, b"c")]);
    assert!(entry_in(&tree, b"c").is_some_and(|entry| entry.is_tree() && entry.id == id));
    assert_eq!(entry_in(&tree, b"b"), None);
    assert_eq!(entries(&tree[..tree.len() - 1]).count(), 1);

    let commit = format!(
        "tree {id}\nparent {id}\nauthor  \u{e9} 'A' <a@x> 5 -0130\ncommitter B <b@x> 77 +0000\n\
         gpgsig x\n y\n\nwords\n\nmore\n"
    );
    let parts = Parts::of(commit.as_bytes());
    assert_eq!(parts.message, b"words\n\nmore\n");
    let node = Node {
        tree: id,
        parents: vec![id],
        time: 77,
    };
    assert_eq!(parts.node(), Some(node));
    let author = parts.author().unwrap();
    assert_eq!(author.name, "\u{e9} 'A".as_bytes());
    assert_eq!(
        (author.mail, author.when.offset_minutes()),
        (&b"a@x"[..], -90)
    );
    for odd in [
        "",
        "tree x",
        "tree \n\n",
        "author A <a@x>",
        "author A <a@x> 5 0130",
    ] {
        assert!(Parts::of(odd.as_bytes()).node().is_none(), "{odd}");
        assert!(Parts::of(odd.as_bytes()).author().is_none(), "{odd}");
    }
}
