//! The reference server's list of tools and its answers, as they were recorded, against this one's.

use super::*;

/// The list of mcp-server-git 2026.10.19.
const RECORDED: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/servers/git-tools.json"
));

#[tokio::test]
async fn the_reference_servers_tools_are_all_here_as_they_are_there() {
    let world = World::new().await;
    let listed = world.client.list_tools(None).await.expect("tools").tools;
    let recorded: Vec<Value> = serde_json::from_str(RECORDED).expect("a list");
    for (at, expected) in recorded.iter().enumerate() {
        let mut tool = serde_json::to_value(&listed[at]).expect("a tool");
        let description = &catalog::FULL[at];
        for argument in description.arguments {
            if argument.extension {
                assert!(!argument.kind.is_required(), "{}", argument.name);
                let properties = tool["inputSchema"]["properties"].as_object_mut();
                properties.expect("properties").remove(argument.name);
            }
        }
        tool.as_object_mut().expect("an object").remove("_meta");
        assert_eq!(&tool, expected);
    }
    assert!(listed.len() > recorded.len());
}

#[tokio::test]
async fn every_tool_says_what_it_may_do() {
    let world = World::new().await;
    let listed = world.client.list_tools(None).await.expect("tools").tools;
    for tool in listed {
        let meta = tool.meta.expect("meta").0;
        let read_only = tool.annotations.expect("annotations").read_only_hint;
        let risk = meta["walden/risk"].as_str().expect("a risk").to_owned();
        assert_eq!(read_only, Some(risk == "read"), "{}", tool.name);
    }
}

#[tokio::test]
async fn status_and_differences_read_as_the_reference_gives_them() {
    let world = World::new().await;
    world.write("a.txt", "one\nTWO\n");
    check(
        &world.call("git_status", json!({})).await,
        "Repository status:\nOn branch main\nChanges not staged for commit:\n  (use \"git add <file>...\" to update \
         what will be committed)\n  (use \"git restore <file>...\" to discard changes in working directory)\n\t\
         modified:   a.txt\n\nno changes added to commit (use \"git add\" and/or \"git commit -a\")",
    );
    let body =
        "diff --git a/a.txt b/a.txt\nindex 814f4a4..879de50 100644\n--- a/a.txt\n+++ b/a.txt\n";
    check(
        &world.call("git_diff_unstaged", json!({})).await,
        &format!("Unstaged changes:\n{body}@@ -1,2 +1,2 @@\n one\n-two\n+TWO"),
    );
    check(
        &world
            .call("git_diff_unstaged", json!({"context_lines": 0}))
            .await,
        &format!("Unstaged changes:\n{body}@@ -2 +2 @@ one\n-two\n+TWO"),
    );
    check(
        &world.call("git_add", json!({"files": ["a.txt"]})).await,
        "Files staged successfully",
    );
    check(
        &world.call("git_add", json!({"files": ["a.txt"]})).await,
        "No changes were staged: the given paths had nothing new to stage. git_status shows what is modified or \
         untracked.",
    );
    check(
        &world.call("git_diff_staged", json!({})).await,
        &format!("Staged changes:\n{body}@@ -1,2 +1,2 @@\n one\n-two\n+TWO"),
    );
}

#[tokio::test]
async fn commits_and_history_read_as_the_reference_gives_them() {
    let world = World::new().await;
    world.write("a.txt", "one\nTWO\n");
    world.call("git_add", json!({"files": ["a.txt"]})).await;
    let said = world.call("git_commit", json!({"message": "second"})).await;
    let id = world.git(&["rev-parse", "HEAD"]);
    check(
        &said,
        &format!("Changes committed successfully with hash {id}"),
    );
    check(
        &world.call("git_commit", json!({"message": "x"})).await,
        "error: Error executing tool git_commit: No changes staged for commit. Use git_add to stage changes first; \
         git_status shows what is currently staged.",
    );
    let first = world.git(&["rev-parse", "HEAD~1"]);
    let log = world.call("git_log", json!({})).await;
    has(
        &log,
        &format!("Commit history:\nCommit: {id}\nAuthor: A\nDate: "),
    );
    has(
        &log,
        &format!(
            "\nMessage: second\n\nCommit: {first}\nAuthor: A\nDate: 2026-01-01 00:00:00+00:00\nMessage: first\n\n"
        ),
    );
    check(
        &world
            .call("git_log", json!({"start_timestamp": "9999-01-01"}))
            .await,
        "Commit history:\n",
    );
    let shown = world.call("git_show", json!({"revision": "HEAD"})).await;
    has(&shown, &format!("commit {id}\nAuthor: A <a@x>\nDate:   "));
    has(
        &shown,
        "\n\n    second\n\n--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+TWO\n",
    );
    check(
        &world
            .call("git_show", json!({"revision": "HEAD:sub"}))
            .await,
        "b.txt",
    );
    check(
        &world.call("git_show", json!({"revision": "HEAD:"})).await,
        "a.txt\nsub/",
    );
    check(
        &world
            .call("git_show", json!({"revision": "HEAD:a.txt"}))
            .await,
        "one\nTWO\n",
    );
    check(
        &world.call("git_diff", json!({"target": "HEAD~1"})).await,
        "Diff with HEAD~1:\ndiff --git a/a.txt b/a.txt\nindex 814f4a4..879de50 100644\n--- a/a.txt\n+++ b/a.txt\n\
         @@ -1,2 +1,2 @@\n one\n-two\n+TWO",
    );
    check(
        &world.call("git_diff", json!({"target": "nope"})).await,
        "error: Error executing tool git_diff: Ref 'nope' did not resolve to an object",
    );
}

#[tokio::test]
async fn branches_read_as_the_reference_gives_them() {
    let world = World::new().await;
    world.git(&["commit", "-q", "--allow-empty", "-m", "second"]);
    let steps = [
        ("git_branch", json!({"branch_type": "local"}), "* main"),
        (
            "git_branch",
            json!({"branch_type": "x"}),
            "error: Error executing tool git_branch: Invalid branch type: x",
        ),
        (
            "git_create_branch",
            json!({"branch_name": "feat"}),
            "Created branch 'feat' from 'main'",
        ),
        (
            "git_create_branch",
            json!({"branch_name": "feat"}),
            "error: Error executing tool git_create_branch: Cannot create branch 'feat': refs/heads/feat already \
             exists",
        ),
        (
            "git_branch",
            json!({"branch_type": "all"}),
            "  feat\n* main",
        ),
        (
            "git_branch",
            json!({"branch_type": "local", "not_contains": "HEAD"}),
            "",
        ),
        (
            "git_branch",
            json!({"branch_type": "local", "contains": "HEAD~1"}),
            "  feat\n* main",
        ),
        (
            "git_checkout",
            json!({"branch_name": "feat"}),
            "Switched to branch 'feat'",
        ),
        ("git_reset", json!({}), "All staged changes reset"),
    ];
    for (tool, arguments, expected) in steps {
        check(&world.call(tool, arguments).await, expected);
    }
    let first = world.git(&["rev-parse", "--short", "HEAD~1"]);
    check(
        &world
            .call("git_checkout", json!({"branch_name": "HEAD~1"}))
            .await,
        &format!("HEAD is now detached at {first}"),
    );
    has(
        &world.call("git_status", json!({})).await,
        &format!(
            "Repository status:\nHEAD detached at {first}\nnothing to commit, working tree clean"
        ),
    );
    check(
        &world
            .call("git_branch", json!({"branch_type": "local"}))
            .await,
        &format!("* (HEAD detached at {first})\n  feat\n  main"),
    );
    check(
        &world
            .call("git_create_branch", json!({"branch_name": "x"}))
            .await,
        "error: Error executing tool git_create_branch: HEAD is detached, so there is no current branch to branch \
         from; pass base_branch",
    );
}

#[tokio::test]
async fn a_value_that_begins_like_an_option_is_refused_with_the_references_words() {
    let world = World::new().await;
    for (tool, name, what) in [
        ("git_diff", "target", "target"),
        ("git_show", "revision", "revision"),
        ("git_checkout", "branch_name", "branch name"),
        ("git_create_branch", "branch_name", "branch name"),
        ("git_log", "start_timestamp", "start_timestamp"),
        ("git_log", "end_timestamp", "end_timestamp"),
    ] {
        for value in ["--output=x", "-O", "--ext-diff", "--no-index", "--orphan"] {
            check(
                &world.call(tool, json!({ name: value })).await,
                &format!(
                    "error: Error executing tool {tool}: Invalid {what}: '{value}' - cannot start with '-'"
                ),
            );
        }
    }
    check(
        &world
            .call(
                "git_create_branch",
                json!({"branch_name": "x", "base_branch": "--output=x"}),
            )
            .await,
        "error: Error executing tool git_create_branch: Invalid base branch: '--output=x' - cannot start with '-'",
    );
    for name in ["contains", "not_contains"] {
        check(
            &world
                .call(
                    "git_branch",
                    json!({"branch_type": "local", name: "--output=x"}),
                )
                .await,
            &format!(
                "error: Error executing tool git_branch: Invalid {name} value: '--output=x' - cannot start with '-'"
            ),
        );
    }
    assert!(!world.repo().join("x").exists());
}

#[tokio::test]
async fn what_is_no_call_is_said_so() {
    let world = World::new().await;
    let unknown = world.send("git_init", json!({"repo_path": "x"})).await;
    let Err(ServiceError::McpError(error)) = unknown else {
        panic!("not an error: {unknown:?}");
    };
    assert_eq!(error.code.0, -32602);
    check(&error.message, "Unknown tool: git_init");
    check(
        &world.call_plainly("git_status", json!({})).await,
        "error: Error executing tool git_status: `repo_path` is missing",
    );
    check(
        &world.call("git_add", json!({"files": []})).await,
        "error: Error executing tool git_add: `files` must be a list of at least one string",
    );
    check(
        &world.call("git_log", json!({"max_count": "x"})).await,
        "error: Error executing tool git_log: `max_count` must be a whole number",
    );
}

#[tokio::test]
async fn both_eras_of_the_protocol_are_spoken() {
    let folder = laid();
    let repo = folder.path().join("r");
    let roots = Roots::open(std::slice::from_ref(&repo)).expect("roots");
    let world = World::connected(full(roots), folder, ClientLifecycleMode::Initialize).await;
    has(&world.call("git_status", json!({})).await, "On branch main");
    let info = world.client.peer_info().expect("an introduction");
    check(
        &info.server_info.as_ref().expect("a name").name,
        "walden-git",
    );
}

/// What git itself says of a repository in many states, and what the tool says of it.
#[tokio::test]
async fn the_status_is_the_one_that_git_prints() {
    type Step = fn(&World);
    let steps: &[(&str, Step)] = &[
        ("clean", |_| {}),
        ("untracked, ignored and odd names", |world| {
            world.write(".gitignore", "*.log\ntarget/\n");
            world.write("x.log", "");
            world.write("target/y", "");
            world.write("new/deep/z", "z");
            world.write("h\u{e9}\t.txt", "");
            fs::create_dir(world.repo().join("empty")).expect("a folder");
        }),
        ("staged of every kind", |world| {
            world.write("c.txt", &"line\n".repeat(40));
            world.git(&["add", "-A"]);
            world.git(&["commit", "-q", "-m", "more"]);
            world.git(&["mv", "c.txt", "d.txt"]);
            world.git(&["rm", "-q", "sub/b.txt"]);
            world.write("a.txt", "staged\n");
            world.write("e.txt", "new\n");
            world.git(&["add", "-A"]);
        }),
        ("unstaged on top", |world| {
            world.write("a.txt", "and again\n");
            fs::remove_file(world.repo().join("e.txt")).expect("removed");
            fs::remove_file(world.repo().join("d.txt")).expect("removed");
            std::os::unix::fs::symlink("a.txt", world.repo().join("d.txt")).expect("a link");
        }),
        ("detached", |world| {
            world.git(&["add", "-A"]);
            world.git(&["commit", "-q", "-m", "all"]);
            world.git(&["checkout", "-q", "HEAD~1"]);
        }),
        ("detached and on", |world| {
            world.git(&["commit", "-q", "--allow-empty", "-m", "aside"]);
        }),
        ("at a tag", |world| {
            world.git(&["tag", "v1", "main"]);
            world.git(&["checkout", "-q", "v1"]);
        }),
        ("up to date with a remote", |world| {
            world.git(&["checkout", "-q", "main"]);
            world.git(&["clone", "-q", "--bare", ".", "../bare"]);
            world.git(&["remote", "add", "origin", "../bare"]);
            world.git(&["fetch", "-q"]);
            world.git(&["branch", "-q", "-u", "origin/main"]);
        }),
        ("behind", |world| {
            world.git(&["reset", "-q", "--hard", "HEAD~1"]);
        }),
        ("diverged", |world| {
            world.git(&["commit", "-q", "--allow-empty", "-m", "own"]);
        }),
        ("ahead", |world| {
            world.git(&["push", "-q", "-f"]);
            world.git(&["commit", "-q", "--allow-empty", "-m", "more"]);
        }),
        ("in conflict", |world| {
            world.git(&["checkout", "-q", "-b", "side", "HEAD~1"]);
            world.write("a.txt", "side\n");
            world.write("both", "side\n");
            world.git(&["rm", "-q", "e.txt"]);
            world.git(&["add", "-A"]);
            world.git(&["commit", "-q", "-m", "side"]);
            world.git(&["checkout", "-q", "main"]);
            world.write("a.txt", "main\n");
            world.write("both", "main\n");
            world.write("e.txt", "changed\n");
            world.git(&["add", "-A"]);
            world.git(&["commit", "-q", "-m", "main"]);
            world.git(&["merge", "-q", "side"]);
        }),
        ("resolved", |world| {
            world.git(&["add", "-A"]);
        }),
        ("picking", |world| {
            world.git(&["commit", "-q", "-m", "merged"]);
            world.git(&["checkout", "-q", "-b", "pick", "HEAD~1"]);
            world.write("a.txt", "pick\n");
            world.git(&["commit", "-q", "-a", "-m", "pick"]);
            world.git(&["cherry-pick", "side"]);
        }),
        ("bisecting", |world| {
            world.git(&["cherry-pick", "--abort"]);
            world.git(&["checkout", "-q", "main"]);
            world.git(&["bisect", "start"]);
        }),
    ];
    let world = World::new().await;
    world.git(&["config", "user.useConfigOnly", "true"]);
    for (name, step) in steps {
        step(&world);
        let expected = world.git(&["status"]);
        let said = world.call("git_status", json!({})).await;
        let said = said.strip_prefix("Repository status:\n").expect("a status");
        assert_eq!(said.trim_end_matches('\n'), expected, "{name}");
    }
    assert!(
        world.git(&["reflog"]).lines().count() > 5,
        "the steps were taken"
    );
}

#[tokio::test]
async fn the_status_before_the_first_commit_is_the_one_that_git_prints() {
    let world = World::new().await;
    world.git(&["checkout", "-q", "--orphan", "fresh"]);
    for _ in 0..2 {
        let said = world.call("git_status", json!({})).await;
        check(
            said.trim_end_matches('\n'),
            &format!("Repository status:\n{}", world.git(&["status"])),
        );
        world.git(&["rm", "-q", "-r", "--cached", "."]);
    }
}
