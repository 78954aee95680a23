//! What this server does beyond the reference: ranges, filters, blame, the stash, conflicts, and the compact tools.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[tokio::test]
async fn differences_take_ranges_paths_and_statistics() {
    let world = World::new().await;
    world.git(&["checkout", "-q", "-b", "side"]);
    world.write("a.txt", "side\n");
    world.write("[x].txt", "new\n");
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "side"]);
    world.git(&["checkout", "-q", "main"]);
    world.write("sub/b.txt", "main\n");
    world.git(&["commit", "-q", "-a", "-m", "main"]);
    for range in ["main..side", "main...side", "side..", "HEAD~1..HEAD"] {
        check(
            &world.call("git_diff", json!({"target": range})).await,
            &format!("Diff with {range}:\n{}", world.git(&["diff", range])),
        );
    }
    for path in ["a.txt", "[x].txt", "sub"] {
        check(
            &world
                .call("git_diff", json!({"target": "main..side", "paths": [path]}))
                .await,
            &format!(
                "Diff with main..side:\n{}",
                world.git(&["--literal-pathspecs", "diff", "main..side", "--", path])
            ),
        );
    }
    let stat = world
        .call("git_diff", json!({"target": "main..side", "stat": true}))
        .await;
    has(&stat, " a.txt     | 3 +--\n");
    has(&stat, "3 files changed, 3 insertions(+), 3 deletions(-)");
    has(
        &world
            .call("git_diff", json!({"target": "main..nope"}))
            .await,
        "Ref 'nope' did not resolve to an object",
    );
    has(
        &world
            .call("git_diff", json!({"target": "main", "paths": ["../x"]}))
            .await,
        "is outside the repository",
    );
}

#[tokio::test]
async fn differences_are_those_that_git_prints() {
    let world = World::new().await;
    let text: String = (0..200)
        .map(|n| format!("fn line{n}() {{\n    {n}\n}}\n\n"))
        .collect();
    world.write("long.rs", &text);
    world.write("moved.txt", &"word\n".repeat(30));
    world.write("bytes", "a\0b");
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "more"]);
    world.write(
        "long.rs",
        &text
            .replace("    77\n", "    77\n    78\n\n")
            .replace("line150", "x"),
    );
    world.git(&["mv", "moved.txt", "sub/there.txt"]);
    world.write("sub/there.txt", &("word\n".repeat(29) + "end"));
    world.write("bytes", "a\0c");
    world.write("h\u{e9}.txt", "new\n");
    fs::remove_file(world.repo().join("a.txt")).expect("removed");
    world.git(&["add", "-A"]);
    world.write("long.rs", &text.replace("line1()", "y"));
    for (tool, arguments) in [
        ("git_diff_staged", vec!["diff", "--cached"]),
        ("git_diff_unstaged", vec!["diff"]),
    ] {
        let said = world.call(tool, json!({})).await;
        let said = said.split_once('\n').expect("two lines").1;
        assert_eq!(said, world.git(&arguments), "{tool}");
    }
    check(
        &world.call("git_diff", json!({"target": "HEAD"})).await,
        &format!("Diff with HEAD:\n{}", world.git(&["diff", "HEAD"])),
    );
}

#[tokio::test]
async fn the_history_can_be_asked_for_a_path_an_author_and_words() {
    let world = World::new().await;
    world.write("sub/b.txt", "b\nc\n");
    world.git(&[
        "commit",
        "-q",
        "-a",
        "-m",
        "Change the b file",
        "--author=Zoe <z@x>",
    ]);
    world.git(&["checkout", "-q", "-b", "side"]);
    world.write("a.txt", "one\ntwo\nthree\n");
    world.git(&["commit", "-q", "-a", "-m", "on the side"]);
    world.git(&["checkout", "-q", "main"]);
    world.write("c.txt", "c\n");
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "add c"]);
    world.git(&["merge", "-q", "side", "-m", "merge"]);
    world.git(&["mv", "a.txt", "moved.txt"]);
    world.git(&["commit", "-q", "-m", "move"]);
    let cases = [
        (json!({}), vec![]),
        (json!({"path": "sub"}), vec!["--", "sub"]),
        (json!({"path": "c.txt"}), vec!["--", "c.txt"]),
        (json!({"path": "moved.txt"}), vec!["--", "moved.txt"]),
        (
            json!({"path": "moved.txt", "follow": true}),
            vec!["--follow", "--", "moved.txt"],
        ),
        (json!({"author": "ZOE"}), vec!["-i", "--author=zoe"]),
        (json!({"grep": "the B"}), vec!["-i", "--grep=the b"]),
        (json!({"revision": "main~2..main"}), vec!["main~2..main"]),
        (json!({"revision": "side"}), vec!["side"]),
        (
            json!({"revision": "side..main", "path": "sub"}),
            vec!["side..main", "--", "sub"],
        ),
        (json!({"max_count": 2}), vec!["-2"]),
        (json!({"max_count": -1}), vec![]),
        (json!({"max_count": 0}), vec!["-0"]),
        (
            json!({"end_timestamp": "2025-12-31"}),
            vec!["--until=2025-12-31"],
        ),
        (json!({"end_timestamp": "2026-01-01"}), vec![]),
    ];
    for (arguments, options) in cases {
        let said = world.call("git_log", arguments.clone()).await;
        let ids: Vec<&str> = said
            .lines()
            .filter_map(|line| line.strip_prefix("Commit: "))
            .collect();
        let mut command = vec!["log", "--format=%H"];
        command.extend(options);
        assert_eq!(ids.join("\n"), world.git(&command), "{arguments}: {said}");
    }
    has(
        &world
            .call("git_log", json!({"start_timestamp": "when it was warm"}))
            .await,
        "is no date",
    );
}

#[tokio::test]
async fn every_line_is_given_to_the_commit_that_git_gives_it_to() {
    let world = World::new().await;
    let mut lines: Vec<String> = (0..60).map(|n| format!("line {n}")).collect();
    // A history of insertions, changes, deletions, a rename and merges, from a fixed seed.
    let mut seed: usize = 7;
    let mut next = |limit: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % limit
    };
    let mut path = "text.txt";
    for step in 0..40 {
        for _ in 0..1 + next(3) {
            let at = next(lines.len());
            match next(3) {
                0 => lines[at] = format!("changed in {step}"),
                1 => lines.insert(at, format!("new in {step}")),
                _ => drop(lines.remove(at)),
            }
        }
        if step == 20 {
            world.git(&["mv", path, "renamed.txt"]);
            world.git(&["commit", "-q", "-m", "rename"]);
            path = "renamed.txt";
        }
        world.write(path, &(lines.join("\n") + "\n"));
        world.git(&["add", "-A"]);
        world.git(&[
            "commit",
            "-q",
            "-m",
            &format!("step {step}"),
            "--author",
            ["A <a@x>", "Longer Name <l@x>"][step % 2],
        ]);
        if step % 9 == 8 {
            world.git(&["checkout", "-q", "-b", &format!("b{step}"), "HEAD~2"]);
            let other = world.text(path);
            world.write(path, &format!("{other}from branch {step}\n"));
            world.git(&["commit", "-q", "-a", "-m", "branch"]);
            world.git(&["checkout", "-q", "main"]);
            world.git(&["merge", "-q", &format!("b{step}"), "-m", "merge"]);
            if world.git(&["ls-files", "-u"]).is_empty() {
                lines = world.text(path).lines().map(str::to_owned).collect();
            } else {
                world.git(&["checkout", "--ours", path]);
                world.git(&["add", "-A"]);
                world.git(&["commit", "-q", "-m", "merged"]);
                lines = world.text(path).lines().map(str::to_owned).collect();
            }
        }
    }
    check(
        world
            .call("git_blame", json!({"path": path, "revision": "HEAD"}))
            .await
            .trim_end(),
        &world.git(&["blame", path]),
    );
    check(
        world
            .call(
                "git_blame",
                json!({"path": path, "revision": "HEAD~3", "start_line": 5, "end_line": 9}),
            )
            .await
            .trim_end(),
        &world.git(&["blame", "-L5,9", "HEAD~3", "--", path]),
    );
    lines.insert(3, "mine".to_owned());
    world.write(path, &(lines.join("\n") + "\n"));
    let said = world
        .call(
            "git_blame",
            json!({"path": path, "start_line": 4, "end_line": 4}),
        )
        .await;
    has(&said, "00000000 (Not Committed Yet 20");
    has(&said, " 4) mine\n");
    has(
        &world
            .call("git_blame", json!({"path": path, "start_line": 9_999}))
            .await,
        "has only ",
    );
    has(
        &world.call("git_blame", json!({"path": "nope"})).await,
        "no such path 'nope' in ",
    );
}

#[tokio::test]
async fn staging_makes_the_index_that_git_makes() {
    let world = World::new().await;
    world.write(
        ".gitattributes",
        "*.txt text=auto\n*.bin -text\n*.crlf eol=crlf\n",
    );
    world.write("x.txt", "a\r\nb\r\n");
    world.write("x.bin", "a\r\nb\r\n");
    world.write("x.crlf", "a\r\nb\r\n");
    world.write("plain", "a\r\n");
    world.write("run.sh", "#!/bin/sh\n");
    world.write("deep/er/y", "y\n");
    fs::set_permissions(
        world.repo().join("run.sh"),
        fs::Permissions::from_mode(0o755),
    )
    .expect("mode");
    std::os::unix::fs::symlink("a.txt", world.repo().join("link")).expect("a link");
    fs::remove_file(world.repo().join("a.txt")).expect("removed");
    fs::remove_dir_all(world.repo().join("sub")).expect("removed");
    world.write("sub", "a file now\n");
    for files in [
        json!(["."]),
        json!([
            "x.*",
            "plain",
            "run.sh",
            "deep",
            "link",
            "a.txt",
            "sub",
            ".gitattributes"
        ]),
    ] {
        world.git(&["add", "-A"]);
        let expected = world.git(&["ls-files", "-s"]);
        world.git(&["reset", "-q"]);
        check(
            &world.call("git_add", json!({"files": files})).await,
            "Files staged successfully",
        );
        assert_eq!(world.git(&["ls-files", "-s"]), expected);
        // What is known of the files is right: nothing has to be read again.
        assert_eq!(world.git(&["diff-files", "--name-only"]), "");
        check(
            &world.call("git_reset", json!({})).await,
            "All staged changes reset",
        );
        assert_eq!(world.git(&["diff", "--cached", "--name-only"]), "");
    }
    world.call("git_add", json!({"files": ["."]})).await;
    world.call("git_reset", json!({"files": ["deep"]})).await;
    has(&world.git(&["status", "--short"]), "?? deep/");
    assert_eq!(world.git(&["diff", "--cached", "--name-only", "deep"]), "");
    assert!(!world.git(&["diff", "--cached", "--name-only"]).is_empty());
}

#[tokio::test]
async fn a_file_of_a_filter_program_is_not_staged_as_it_is() {
    let world = World::new().await;
    world.write(".gitattributes", "*.big filter=lfs\n");
    world.write("x.big", "contents");
    // Without a program of that name, git itself takes the bytes as they are.
    check(
        &world.call("git_add", json!({"files": ["x.big"]})).await,
        "Files staged successfully",
    );
    world.git(&["config", "filter.lfs.clean", "cat"]);
    world.write("x.big", "others");
    has(
        &world.call("git_add", json!({"files": ["x.big"]})).await,
        "'x.big' goes through the filter `lfs`, a program that is not run here; stage it with git itself",
    );
}

#[tokio::test]
async fn a_commit_needs_an_author_a_message_and_no_signature() {
    let world = World::new().await;
    world.write("a.txt", "new\n");
    world.call("git_add", json!({"files": ["."]})).await;
    has(
        &world.call("git_commit", json!({"message": " \n"})).await,
        "message is empty",
    );
    world.git(&["config", "commit.gpgsign", "true"]);
    has(
        &world.call("git_commit", json!({"message": "x"})).await,
        "`commit.gpgsign` is on: commits are to be signed by a program, which is not run here",
    );
    world.git(&["config", "commit.gpgsign", "false"]);
    world.git(&["config", "user.email", ""]);
    has(
        &world.call("git_commit", json!({"message": "x"})).await,
        "the author is not known",
    );
    assert_eq!(world.git(&["rev-list", "--count", "HEAD"]), "1");
}

#[tokio::test]
async fn a_checkout_never_loses_local_changes() {
    let world = World::new().await;
    world.git(&["checkout", "-q", "-b", "side"]);
    world.write("a.txt", "side\n");
    world.write("new.txt", "side\n");
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "side"]);
    world.git(&["checkout", "-q", "main"]);
    world.write("a.txt", "mine\n");
    world.write("new.txt", "mine too\n");
    world.write("sub/b.txt", "carried over\n");
    let said = world
        .call("git_checkout", json!({"branch_name": "side"}))
        .await;
    has(
        &said,
        "Your local changes to the following files would be overwritten by checkout:\n\ta.txt\n\tnew.txt\n",
    );
    assert_eq!(
        (world.text("a.txt").as_str(), world.text("new.txt").as_str()),
        ("mine\n", "mine too\n")
    );
    assert_eq!(world.git(&["branch", "--show-current"]), "main");
    world.write("a.txt", "one\ntwo\n");
    fs::remove_file(world.repo().join("new.txt")).expect("removed");
    check(
        &world
            .call("git_checkout", json!({"branch_name": "side"}))
            .await,
        "Switched to branch 'side'",
    );
    assert_eq!(
        (
            world.text("a.txt").as_str(),
            world.text("sub/b.txt").as_str()
        ),
        ("side\n", "carried over\n")
    );
}

#[tokio::test]
async fn a_hard_reset_stashes_what_it_would_lose() {
    let world = World::new().await;
    world.write("a.txt", "second\n");
    world.git(&["commit", "-q", "-a", "-m", "second"]);
    let was = world.git(&["rev-parse", "--short", "HEAD"]);
    world.write("a.txt", "mine\n");
    let said = world
        .call(
            "git_reset_to",
            json!({"revision": "HEAD~1", "mode": "hard"}),
        )
        .await;
    has(
        &said,
        "as stash@{0}: On main: before a hard reset\nHEAD is now at ",
    );
    has(&said, &format!("it was at {was}"));
    assert_eq!(world.text("a.txt"), "one\ntwo\n");
    assert_eq!(world.git(&["status", "--short"]), "");
    has(&world.git(&["stash", "show", "-p"]), "+mine");
    // Onto the very commit, with nothing to lose.
    let said = world
        .call("git_reset_to", json!({"revision": was, "mode": "hard"}))
        .await;
    assert!(said.starts_with("HEAD is now at "), "{said}");
    world
        .call(
            "git_reset_to",
            json!({"revision": "HEAD~1", "mode": "soft"}),
        )
        .await;
    assert_eq!(world.git(&["status", "--short"]), "M  a.txt");
    world.call("git_reset_to", json!({"revision": was})).await;
    assert_eq!(world.git(&["status", "--short"]), "");
}

#[tokio::test]
async fn the_stash_is_put_aside_brought_back_and_dropped() {
    let world = World::new().await;
    check(
        &world.call("git_stash_push", json!({})).await,
        "error: Error executing tool git_stash_push: No local changes to save",
    );
    check(
        &world.call("git_stash_list", json!({})).await,
        "The stash is empty",
    );
    world.write("a.txt", "mine\n");
    world.write("new.txt", "new\n");
    check(
        &world
            .call(
                "git_stash_push",
                json!({"message": "try", "include_untracked": true}),
            )
            .await,
        "Saved working directory and index state as stash@{0}: On main: try",
    );
    assert_eq!(world.git(&["status", "--short"]), "");
    check(
        &world.call("git_stash_list", json!({})).await,
        &world.git(&["stash", "list"]),
    );
    // Not over local changes.
    world.write("a.txt", "other\n");
    has(
        &world.call("git_stash_pop", json!({})).await,
        "local changes would be overwritten",
    );
    assert_eq!(world.text("a.txt"), "other\n");
    // In conflict with a commit: the entry stays.
    world.git(&["commit", "-q", "-a", "-m", "other"]);
    has(
        &world.call("git_stash_pop", json!({})).await,
        "with conflicts, and stays on the stash",
    );
    has(&world.git(&["stash", "list"]), "try");
    world.git(&["reset", "-q", "--hard", "HEAD~1"]);
    world.git(&["clean", "-fdq"]);
    let said = world.call("git_stash_pop", json!({})).await;
    has(&said, "Applied and dropped stash@{0} (");
    assert_eq!(
        (world.text("a.txt").as_str(), world.text("new.txt").as_str()),
        ("mine\n", "new\n")
    );
    world.call("git_stash_push", json!({})).await;
    let id = world.git(&["rev-parse", "stash@{0}"]);
    has(&world.call("git_stash_drop", json!({})).await, &id);
    has(
        &world.call("git_stash_drop", json!({"index": 3})).await,
        "there is no stash@{3}",
    );
}

#[tokio::test]
async fn a_branch_with_commits_of_its_own_is_not_deleted_unasked() {
    let world = World::new().await;
    world.git(&["branch", "same"]);
    world.git(&["checkout", "-q", "-b", "own"]);
    world.git(&["commit", "-q", "--allow-empty", "-m", "own"]);
    let tip = world.git(&["rev-parse", "HEAD"]);
    has(
        &world
            .call("git_delete_branch", json!({"branch_name": "own"}))
            .await,
        "is checked out",
    );
    world.git(&["checkout", "-q", "main"]);
    has(
        &world
            .call("git_delete_branch", json!({"branch_name": "own"}))
            .await,
        &tip,
    );
    has(
        &world
            .call("git_delete_branch", json!({"branch_name": "same"}))
            .await,
        "Deleted branch 'same'",
    );
    has(
        &world
            .call(
                "git_delete_branch",
                json!({"branch_name": "own", "force": true}),
            )
            .await,
        &format!("git_create_branch with base_branch='{tip}'"),
    );
    check(
        &world
            .call(
                "git_create_branch",
                json!({"branch_name": "own", "base_branch": tip}),
            )
            .await,
        &format!("Created branch 'own' from '{tip}'"),
    );
    for name in [
        "HEAD",
        "a..b",
        "a b",
        "x.lock",
        "",
        "refs/heads/../x",
        "a\u{7}",
    ] {
        let said = world
            .call("git_create_branch", json!({"branch_name": name}))
            .await;
        has(&said, "is not a valid branch name");
    }
}

#[tokio::test]
async fn conflicts_are_listed_shown_and_resolved() {
    let world = World::new().await;
    world.git(&["checkout", "-q", "-b", "side"]);
    world.write("a.txt", "theirs\n");
    world.git(&["rm", "-q", "sub/b.txt"]);
    world.git(&["commit", "-q", "-a", "-m", "side"]);
    world.git(&["checkout", "-q", "main"]);
    world.write("a.txt", "ours\n");
    world.write("sub/b.txt", "changed\n");
    world.git(&["commit", "-q", "-a", "-m", "main"]);
    world.git(&["merge", "-q", "side"]);
    check(
        &world.call("git_conflicts", json!({})).await,
        "both modified: a.txt\ndeleted by them: sub/b.txt",
    );
    check(
        &world.call("git_conflicts", json!({"path": "a.txt"})).await,
        "==== base\none\ntwo\n==== ours\nours\n==== theirs\ntheirs\n",
    );
    has(
        &world
            .call("git_conflicts", json!({"path": "sub/b.txt"}))
            .await,
        "==== theirs\n[deleted]\n",
    );
    has(
        &world.call("git_conflicts", json!({"path": "x"})).await,
        "is not unmerged",
    );
    check(
        &world.call("git_diff_unstaged", json!({})).await,
        "Unstaged changes:\n\
         * Unmerged path a.txt\n\
         --- base/a.txt\n+++ ours/a.txt\n@@ -1,2 +1 @@\n-one\n-two\n+ours\n\
         --- base/a.txt\n+++ theirs/a.txt\n@@ -1,2 +1 @@\n-one\n-two\n+theirs\n\
         --- ours/a.txt\n+++ file/a.txt\n@@ -1 +1,5 @@\n\
         +<<<<<<< HEAD\n ours\n+=======\n+theirs\n+>>>>>>> side\n\
         * Unmerged path sub/b.txt\n\
         --- base/sub/b.txt\n+++ ours/sub/b.txt\n@@ -1 +1 @@\n-b\n+changed\n\
         --- base/sub/b.txt\n+++ /dev/null (theirs has no such file)\n@@ -1 +0,0 @@\n-b",
    );
    has(
        &world.call("git_commit", json!({"message": "x"})).await,
        "unmerged files",
    );
    has(
        &world
            .call("git_checkout", json!({"branch_name": "side"}))
            .await,
        "resolve your current index",
    );
    has(
        &world.call("git_stash_push", json!({})).await,
        "files are unmerged",
    );
    has(
        &world.call("git_resolve", json!({"path": "a.txt"})).await,
        "still has conflict markers",
    );
    let said = world
        .call("git_resolve", json!({"path": "a.txt", "with": "theirs"}))
        .await;
    has(
        &said,
        "'a.txt' is resolved with theirs; what the file held is kept as ",
    );
    let kept = said.rsplit(' ').next().expect("an id");
    has(
        &world.call("git_show", json!({"revision": kept})).await,
        "<<<<<<< ",
    );
    assert_eq!(world.text("a.txt"), "theirs\n");
    world
        .call(
            "git_resolve",
            json!({"path": "sub/b.txt", "with": "theirs"}),
        )
        .await;
    assert!(!world.repo().join("sub/b.txt").exists());
    check(
        &world.call("git_conflicts", json!({})).await,
        "No file is unmerged",
    );
    has(
        &world.call("git_commit", json!({"message": "merged"})).await,
        "committed successfully",
    );
    assert_eq!(
        world
            .git(&["rev-list", "--parents", "-1", "HEAD"])
            .split(' ')
            .count(),
        3
    );
    assert_eq!(world.git(&["status", "--short"]), "");
    assert!(!world.repo().join(".git/MERGE_HEAD").exists());
}

#[tokio::test]
async fn tags_and_worktrees_are_listed() {
    let world = World::new().await;
    check(
        &world.call("git_tag_list", json!({})).await,
        "There are no such tags",
    );
    world.git(&["tag", "-a", "v1.0", "-m", "one"]);
    world.git(&["tag", "v2.0"]);
    let short = world.git(&["rev-parse", "--short", "HEAD"]);
    check(
        &world.call("git_tag_list", json!({})).await,
        &format!("v1.0 {short} first\nv2.0 {short} first"),
    );
    check(
        &world.call("git_tag_list", json!({"contains": "2"})).await,
        &format!("v2.0 {short} first"),
    );
    has(
        &world.call("git_show", json!({"revision": "v1.0"})).await,
        "    first\n",
    );
    world.git(&["worktree", "add", "-q", "-b", "else", "tree"]);
    let said = world.call("git_worktree_list", json!({})).await;
    has(&said, &format!("/r {short} [main]\n"));
    has(&said, &format!("/r/tree {short} [else]"));
    check(
        &world
            .call("git_branch", json!({"branch_type": "local"}))
            .await,
        &world.git(&["branch"]),
    );
    let tree = world.repo().join("tree");
    let said = world
        .call("git_status", json!({"repo_path": tree.to_string_lossy()}))
        .await;
    has(&said, "On branch else\nnothing to commit");
}

#[tokio::test]
async fn the_compact_tools_are_few_and_short() {
    let world = World::with(Git::new, laid()).await;
    let tools = world.client.list_tools(None).await.expect("tools").tools;
    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    assert_eq!(names, ["git_diff", "git_log", "git_show", "git_blame"]);
    check(
        &world.call_plainly("git_diff", json!({})).await,
        "no changes",
    );
    world.write("a.txt", "one\nmine\n");
    world.write("new.txt", "new\n");
    let said = world.call_plainly("git_diff", json!({})).await;
    has(&said, "-two\n+mine\n");
    has(&said, "[new files: new.txt]");
    has(
        &world.call_plainly("git_diff", json!({"path": "sub"})).await,
        "no changes",
    );
    let log = world.call_plainly("git_log", json!({"max": 5})).await;
    has(&log, " 2026-01-01 A: first");
    check(
        &world
            .call_plainly("git_log", json!({"grep": "nothing"}))
            .await,
        "no such commits",
    );
    check(
        &world
            .call_plainly("git_show", json!({"revision": "HEAD:a.txt"}))
            .await,
        "one\ntwo\n",
    );
    has(
        &world
            .call_plainly("git_blame", json!({"path": "a.txt"}))
            .await,
        "Not Committed Yet",
    );
    has(
        &world
            .call_plainly("git_show", json!({"revision": "nope"}))
            .await,
        "error: Ref 'nope' did not resolve to an object",
    );
}

#[tokio::test]
async fn a_compact_answer_is_cut_and_says_how_to_go_on() {
    let world = World::with(Git::new, laid()).await;
    let text: String = (0..4_000).map(|n| format!("line {n}\n")).collect();
    world.write("long.txt", &text);
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "long"]);
    world.write("long.txt", &text.replace("line", "row"));
    world.write("a.txt", "x\n");
    let diff = world.call_plainly("git_diff", json!({})).await;
    assert!(diff.len() < 20_000, "{}", diff.len());
    has(&diff, " long.txt | 8000 ");
    has(
        &diff,
        "[name one of the files as `path` to see its changes]",
    );
    let show = world
        .call_plainly("git_show", json!({"revision": "HEAD:long.txt"}))
        .await;
    let next = show
        .rsplit("from=")
        .next()
        .expect("a number")
        .trim_end_matches(']');
    let next: usize = next.parse().expect("a number");
    has(
        &show,
        &format!("[lines 1-{} of 4000; go on with from={next}]", next - 1),
    );
    let more = world
        .call_plainly(
            "git_show",
            json!({"revision": "HEAD:long.txt", "from": next}),
        )
        .await;
    assert!(more.starts_with(&format!("line {}\n", next - 1)), "{more}");
    let blame = world
        .call_plainly(
            "git_blame",
            json!({"path": "long.txt", "from": 10, "lines": 5}),
        )
        .await;
    assert_eq!(blame.lines().count(), 6);
    has(&blame, "[go on with from=15]");
    for n in 0..25 {
        world.git(&[
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            &format!("commit {n}"),
        ]);
    }
    has(
        &world.call_plainly("git_log", json!({})).await,
        "[more; give max=40]",
    );
}

#[test]
fn a_cancelled_look_into_the_history_ends_and_a_change_does_not() {
    let folder = laid();
    let repo = folder.path().join("r");
    let roots = Roots::open(std::slice::from_ref(&repo)).expect("roots");
    let server = full(roots.clone());
    let stop = Arc::new(AtomicBool::new(true));
    let call = |name: &str, mut arguments: Value| {
        arguments["repo_path"] = repo.to_string_lossy().into();
        let Value::Object(arguments) = arguments else {
            panic!("arguments are an object");
        };
        server.call(&roots, server.find(name).expect("a tool"), arguments, &stop)
    };
    for (name, arguments) in [
        ("git_log", json!({})),
        ("git_blame", json!({"path": "a.txt"})),
    ] {
        let said = call(name, arguments).expect_err("no result");
        assert!(said.ends_with("cancelled"), "{said}");
    }
    write(&repo, "new.txt", "new\n");
    call("git_add", json!({"files": ["new.txt"]})).expect("staged");
}
