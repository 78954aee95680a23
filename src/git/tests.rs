//! The fast ways come to the same as the slow ones: libgit2's, and those of git itself.

#![expect(
    clippy::disallowed_methods,
    reason = "a test lays its own files and its own repositories, with git itself"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use git2::{Diff, DiffFormat};
use proptest::prelude::*;

use super::status::{How, Untracked};
use super::*;
use crate::workspace::Roots;

fn git(folder: &Path, arguments: &[&str]) -> String {
    let done = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=A", "-c", "user.email=a@x"])
        .args(["-c", "gc.auto=0", "-c", "commit.gpgsign=false"])
        .args(["-c", "core.excludesFile=/dev/null"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("git is there");
    assert!(done.status.success(), "{arguments:?}: {done:?}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn opened(folder: &Path) -> Repo {
    let roots = Roots::open(&[folder.to_owned()]).unwrap();
    Repo::open(&roots, ".").unwrap()
}

const FILES: [&str; 7] = ["a", "b.rs", "d/a", "d/b", "d/e/a", "f/g/h/a", "z.o"];

/// A change of the files, of the index, or of what is ignored.
#[derive(Debug, Clone)]
enum Step {
    /// The file has so many lines now.
    Write(usize, usize),
    /// Other bytes, as many of them.
    SameSize(usize),
    /// Written again as it is.
    Touch(usize),
    Remove(usize),
    Executable(usize),
    Link(usize),
    /// A folder with a file in it takes the place of the file.
    FileToFolder(usize),
    /// A file takes the place of the folder.
    FolderToFile,
    FolderToLink,
    Stranger(&'static str),
    EmptyFolder,
    InnerRepository,
    Ignore(&'static str),
    Attribute(&'static str),
    Stage,
    StageOne(usize),
    Move(usize),
    Unstage(usize),
    Commit,
}

fn step() -> impl Strategy<Value = Step> {
    let file = 0..FILES.len();
    prop_oneof![
        (file.clone(), 0..40_usize).prop_map(|(file, lines)| Step::Write(file, lines)),
        file.clone().prop_map(Step::SameSize),
        file.clone().prop_map(Step::Touch),
        file.clone().prop_map(Step::Remove),
        file.clone().prop_map(Step::Executable),
        file.clone().prop_map(Step::Link),
        file.clone().prop_map(Step::FileToFolder),
        Just(Step::FolderToFile),
        Just(Step::FolderToLink),
        proptest::sample::select(vec![
            "new",
            "d/new",
            "n/e/w",
            "n/x.o",
            "only/x.o",
            "d/e/.hidden",
            "t/tmp",
            "d/tmp/x",
            "\u{e9}",
        ])
        .prop_map(Step::Stranger),
        Just(Step::EmptyFolder),
        Just(Step::InnerRepository),
        proptest::sample::select(vec!["*.o\n", "/d/\n", "tmp\n!d/tmp\n", "/t/*\n"])
            .prop_map(Step::Ignore),
        proptest::sample::select(vec![
            "*.rs binary\n",
            "a -text\n",
            "* text=auto\n",
            "a -diff\n"
        ])
        .prop_map(Step::Attribute),
        Just(Step::Stage),
        file.clone().prop_map(Step::StageOne),
        file.clone().prop_map(Step::Move),
        file.prop_map(Step::Unstage),
        Just(Step::Commit),
    ]
}

fn lines(count: usize) -> String {
    (0..count)
        .map(|n| format!("fn line_{n}() {{\n}}\n"))
        .collect()
}

/// Lays the files and a commit of them.
fn laid() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q"]);
    for (at, file) in FILES.iter().enumerate() {
        put(&folder.path().join(file), &lines(at + 3));
    }
    git(folder.path(), &["add", "-f", "-A"]);
    git(folder.path(), &["commit", "-q", "-m", "first"]);
    folder
}

/// Writes a file, whatever is in its way.
fn put(path: &Path, text: &str) {
    let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
    above.reverse();
    for folder in above {
        if fs::symlink_metadata(folder).is_ok_and(|kind| !kind.is_dir()) {
            fs::remove_file(folder).unwrap();
        }
        if !folder.exists() {
            fs::create_dir(folder).unwrap();
        }
    }
    remove(path);
    fs::write(path, text).unwrap();
}

fn remove(path: &Path) {
    match fs::symlink_metadata(path) {
        Ok(kind) if kind.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

/// Takes a step. git's own refusals (a file to be staged that is not there) are no matter.
fn take(top: &Path, step: &Step) {
    let run = |arguments: &[&str]| {
        let _ = Command::new("git")
            .current_dir(top)
            .args(["-c", "user.name=A", "-c", "user.email=a@x"])
            .args(["-c", "advice.addEmbeddedRepo=false"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output();
    };
    let path = |file: &usize| top.join(FILES[*file]);
    match step {
        Step::Write(file, count) => put(&path(file), &lines(*count)),
        Step::SameSize(file) => {
            let size = fs::read(path(file)).map_or(5, |bytes| bytes.len());
            put(&path(file), &"x".repeat(size));
        }
        Step::Touch(file) => {
            if let Ok(text) = fs::read_to_string(path(file)) {
                put(&path(file), &text);
            }
        }
        Step::Remove(file) => remove(&path(file)),
        Step::Executable(file) => {
            let _ = fs::set_permissions(path(file), fs::Permissions::from_mode(0o755));
        }
        Step::Link(file) => {
            put(&path(file), "");
            remove(&path(file));
            // Not to itself: below such a link git only says that there are too many levels.
            symlink("over/there", path(file)).unwrap();
        }
        Step::FileToFolder(file) => put(&path(file).join("in"), "in\n"),
        Step::FolderToFile => put(&top.join("d"), "a file\n"),
        Step::FolderToLink => {
            remove(&top.join("d"));
            symlink("f", top.join("d")).unwrap();
        }
        Step::Stranger(name) => put(&top.join(name), "new\n"),
        Step::EmptyFolder => {
            put(&top.join("void/x"), "");
            remove(&top.join("void/x"));
        }
        Step::InnerRepository => {
            put(&top.join("inner/x"), "x\n");
            run(&["init", "-q", "inner"]);
        }
        Step::Ignore(text) => put(&top.join(".gitignore"), text),
        Step::Attribute(text) => put(&top.join(".gitattributes"), text),
        // What was staged long ago is not looked into again.
        Step::Stage => run(&["add", "-A", "--", ".", ":!inner"]),
        Step::StageOne(file) => run(&["add", "-f", "--", FILES[*file]]),
        Step::Move(file) => run(&["mv", "-f", FILES[*file], "moved"]),
        Step::Unstage(file) => run(&["rm", "-q", "-r", "--cached", "--", FILES[*file]]),
        Step::Commit => run(&["commit", "-q", "-m", "more"]),
    }
}

/// Prints a difference as libgit2 does.
fn plainly(diff: &Diff<'_>) -> String {
    let mut bytes: Vec<u8> = Vec::new();
    diff.print(DiffFormat::Patch, |delta, _, line| {
        if delta.status() == git2::Delta::Conflicted {
            return true;
        }
        if matches!(line.origin(), ' ' | '+' | '-') {
            bytes.push(line.origin() as u8);
        }
        bytes.extend_from_slice(line.content());
        true
    })
    .unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns what a difference says of each file.
fn files_of(diff: &str) -> Vec<String> {
    let files = diff.split("diff --git ").skip(1);
    files.map(str::to_owned).collect()
}

/// Returns the same without what libgit2 says otherwise than git: of files that are not read, and of empty ones.
fn common_of(diff: &str) -> Vec<String> {
    let mut files = files_of(diff);
    files.retain(|file| !file.contains("\nBinary files "));
    for file in &mut files {
        if !file.contains("\n@@ ") {
            let end = file.find("\n--- ").unwrap_or(file.len());
            file.truncate(end);
            file.truncate(file.trim_end().len());
        }
    }
    files
}

/// Makes the index older than it is, so that it is trusted for the files that are older still.
fn settled(top: &Path) {
    for file in FILES {
        let Ok(file) = fs::File::options().append(true).open(top.join(file)) else {
            continue;
        };
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
        file.set_modified(long_ago).unwrap();
    }
    git(top, &["update-index", "-q", "--refresh", "--", "a"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn the_status_and_the_differences_are_those_of_a_look_at_everything(
        steps in proptest::collection::vec(step(), 1..14),
        settles: bool,
    ) {
        let folder = laid();
        let top = folder.path();
        if settles {
            settled(top);
        }
        for step in &steps {
            take(top, step);
        }
        let repo = opened(top);
        for untracked in [Untracked::Folders, Untracked::Files, Untracked::None] {
            let fast = repo.found_by(How::Narrowed, untracked).unwrap();
            let slow = repo.found_by(How::Whole, untracked).unwrap();
            prop_assert_eq!(fast, slow, "{:?}", untracked);
        }

        let first = repo.resolve("HEAD").unwrap().peel_to_commit().unwrap();
        let first = match first.parent(0) {
            Ok(parent) => parent.tree().unwrap(),
            Err(_) => first.tree().unwrap(),
        };
        let head = repo.head_tree().unwrap().unwrap();
        let form = DiffForm::default();
        let mut options = repo.diff_options(&form).unwrap();
        let mut between = repo.git.diff_tree_to_tree(Some(&first), Some(&head), Some(&mut options)).unwrap();
        repo.find_renames(&mut between).unwrap();
        let between_text = plainly(&between);
        prop_assert_eq!(common_of(&repo.printed(&between, 3).unwrap()), common_of(&between_text));
        let format = git2::DiffStatsFormat::FULL | git2::DiffStatsFormat::INCLUDE_SUMMARY;
        let numbers = between.stats().unwrap().to_buf(format, 80).unwrap();
        let numbers = String::from_utf8_lossy(&numbers).into_owned();
        prop_assert_eq!(repo.numbers(&between).unwrap(), numbers.clone());
        if let Some(changes) = repo.plain_changes(Some(first.id()), head.id()).unwrap() {
            if let Some(text) = repo.printed_plainly(&changes, 3) {
                prop_assert_eq!(common_of(&text), common_of(&between_text));
            }
            if let Some(text) = repo.numbers_plainly(&changes) {
                prop_assert_eq!(text, numbers);
            }
        }
        // Of a file that became a link, libgit2 may lose the new half when it puts the two differences together.
        if steps.iter().any(|step| matches!(step, Step::Link(_) | Step::FolderToLink)) {
            // What is said of links that an attribute makes no text has a test of its own, below.
            if steps.iter().any(|step| matches!(step, Step::Attribute(text) if !text.contains("text"))) {
                return Ok(());
            }
            // How alike a file and one that is gone must be, libgit2 reckons in its own way.
            if steps.iter().any(|step| matches!(step, Step::Move(_))) {
                return Ok(());
            }
            let id = first.id().to_string();
            let ours = repo.diff(&DiffOf::Target(id.clone()), &form).unwrap();
            prop_assert_eq!(files_of(&ours), files_of(&git(top, &["diff", &id])));
            let ours = repo.diff(&DiffOf::Unstaged, &form).unwrap();
            prop_assert_eq!(files_of(&ours), files_of(&git(top, &["diff"])));
            return Ok(());
        }
        let mut options = repo.diff_options(&form).unwrap();
        options.ignore_submodules(true);
        let mut files = repo
            .git
            .diff_tree_to_workdir_with_index(Some(&first), Some(&mut options))
            .unwrap();
        repo.find_renames(&mut files).unwrap();
        let target = DiffOf::Target(first.id().to_string());
        prop_assert_eq!(common_of(&repo.diff(&target, &form).unwrap()), common_of(&plainly(&files)));
        let mut unstaged = repo.git.diff_index_to_workdir(None, Some(&mut options)).unwrap();
        repo.find_renames(&mut unstaged).unwrap();
        let ours = repo.diff(&DiffOf::Unstaged, &form).unwrap();
        prop_assert_eq!(common_of(&ours), common_of(&plainly(&unstaged)));
    }
}

#[test]
fn of_a_file_that_is_no_text_and_one_that_became_a_link_it_is_said_what_git_says() {
    let folder = laid();
    let top = folder.path();
    put(&top.join(".gitattributes"), "*.rs binary\n");
    put(&top.join("b.rs"), "other\n");
    put(&top.join("z.o"), &lines(30));
    take(top, &Step::Link(0));
    take(top, &Step::StageOne(3));
    take(top, &Step::Link(3));
    take(top, &Step::Link(4));
    take(top, &Step::StageOne(4));
    put(&top.join("d/e/a"), "a file again\n");
    put(&top.join("empty"), "");
    git(top, &["add", "empty"]);
    put(&top.join("d/a"), "");
    for of in [DiffOf::Unstaged, DiffOf::Target("HEAD".to_owned())] {
        let ours = opened(top).diff(&of, &DiffForm::default()).unwrap();
        let theirs = match &of {
            DiffOf::Target(target) => git(top, &["diff", target]),
            _ => git(top, &["diff"]),
        };
        assert_eq!(files_of(&ours), files_of(&theirs), "{of:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn each_line_of_a_long_file_is_given_to_the_commit_that_git_gives_it_to(
        changes in proptest::collection::vec((0..1_500_usize, 0..4_usize, 0..30_usize, any::<bool>()), 3..12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        git(top, &["init", "-q", "-b", "main"]);
        // Many lines that are alike, as code has them.
        let mut text: Vec<String> = (0..1_500)
            .map(|n| match n % 5 {
                0 => String::new(),
                1 => format!("fn name_{}() {{", n % 60),
                4 => "}".to_owned(),
                _ => format!("    call({});", n % 7),
            })
            .collect();
        for (number, (at, gone, new, aside)) in changes.iter().enumerate() {
            fs::write(top.join("long.rs"), text.join("\n") + "\n").unwrap();
            git(top, &["add", "-A"]);
            git(top, &["commit", "-q", "--allow-empty", "-m", "more"]);
            if *aside {
                // A branch with a change of its own at the end, which is merged later.
                git(top, &["checkout", "-q", "-b", &format!("side{number}")]);
                text.push(format!("aside {number}"));
                fs::write(top.join("long.rs"), text.join("\n") + "\n").unwrap();
                git(top, &["commit", "-q", "-a", "-m", "aside"]);
                git(top, &["checkout", "-q", "main"]);
                git(top, &["merge", "-q", "--no-ff", "-m", "merge", &format!("side{number}")]);
            }
            let at = (*at).min(text.len());
            let until = (at + gone).min(text.len());
            let copies: Vec<String> = (0..*new).map(|n| text[n * 3 % text.len()].clone()).collect();
            text.splice(at..until, copies);
        }
        fs::write(top.join("long.rs"), text.join("\n") + "\n").unwrap();
        let expected = git(top, &["blame", "--date=iso", "HEAD", "--", "long.rs"]);
        let said = opened(top).blame("long.rs", Some("HEAD"), None).unwrap();
        let ids = |text: &str| -> Vec<String> {
            text.lines().map(|line| line[..8].to_owned()).collect()
        };
        prop_assert_eq!(ids(&said), ids(&expected));
    }
}
