//! Files that are compared by what the file system knows of them, and worktrees whose repository lies elsewhere.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

#[tokio::test]
async fn every_way_in_which_a_file_can_change_is_seen() {
    let world = World::new().await;
    for name in [
        "same.txt",
        "mode.sh",
        "gone.txt",
        "link.txt",
        "dir/x.txt",
        "linked/y.txt",
        "empty.txt",
    ] {
        let text = if name == "empty.txt" { "" } else { "aaaa\n" };
        world.write(name, text);
    }
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "more"]);
    check(
        &world.call("git_diff_unstaged", json!({})).await,
        "Unstaged changes:\n",
    );
    let repo = world.repo();
    // As long as before, and at once: only the clock's grain could tell.
    world.write("same.txt", "bbbb\n");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(repo.join("mode.sh"), executable).expect("a mode");
    fs::remove_file(repo.join("gone.txt")).expect("removed");
    fs::remove_file(repo.join("link.txt")).expect("removed");
    symlink("a.txt", repo.join("link.txt")).expect("a link");
    fs::remove_dir_all(repo.join("dir")).expect("removed");
    world.write("dir", "now a file\n");
    world.write("empty.txt", "no more\n");
    // The very file, reached through a link where its folder was.
    fs::rename(repo.join("linked"), world.folder.path().join("away")).expect("moved");
    symlink(world.folder.path().join("away"), repo.join("linked")).expect("a link");
    let said = world.call("git_diff_unstaged", json!({})).await;
    let said = said.split_once('\n').expect("two lines").1;
    assert_eq!(said, world.git(&["diff"]));
    // A time that was put back does not hide a change: its own change is noted, too.
    world.git(&["checkout", "-q", "-f", "."]);
    let old = fs::metadata(repo.join("a.txt"))
        .expect("there")
        .modified()
        .expect("a time");
    world.write("a.txt", "ONE\ntwo\n");
    let file = fs::File::options()
        .write(true)
        .open(repo.join("a.txt"))
        .expect("a file");
    file.set_modified(old).expect("put back");
    has(
        &world.call("git_diff_unstaged", json!({})).await,
        "-one\n+ONE",
    );
}

/// A repository `main`, and a worktree of it at `r`.
fn with_worktree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let main = folder.path().join("main");
    lay(&main);
    git(&main, &["worktree", "add", "-q", "-b", "side", "../r"]);
    folder
}

#[tokio::test]
async fn a_worktree_is_refused_where_its_repository_is_not_granted() {
    let world = World::with(full, with_worktree()).await;
    let said = world.call("git_status", json!({})).await;
    has(&said, "error: ");
    has(&said, "main/.git");
    has(&said, "leads outside the open folders");
}

#[tokio::test]
async fn a_worktree_works_where_its_repository_is_granted_too() {
    let folder = with_worktree();
    let roots = ["r", "main"].map(|name| folder.path().join(name));
    let world = World::over(full, folder, &roots).await;
    has(&world.call("git_status", json!({})).await, "On branch side");
    world.write("a.txt", "changed\n");
    has(
        &world.call("git_diff_unstaged", json!({})).await,
        "+changed",
    );
    world.call("git_add", json!({"files": ["a.txt"]})).await;
    has(
        &world
            .call("git_commit", json!({"message": "on the side"}))
            .await,
        "committed successfully",
    );
    assert_eq!(world.git(&["status", "--short"]), "");
    assert_eq!(
        world.git(&["log", "-1", "--format=%s", "side"]),
        "on the side"
    );
    // The branch of the other worktree is not this one's to take.
    let said = world
        .call("git_checkout", json!({"branch_name": "main"}))
        .await;
    has(&said, "error: ");
    assert_eq!(world.git(&["branch", "--show-current"]), "side");
}
