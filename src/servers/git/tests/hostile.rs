//! Repositories and calls that mean harm.

use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Stdio;

use std::time::Duration;

use super::*;

/// Every tool, with arguments that make it do its work.
fn every_call() -> Vec<(&'static str, Value)> {
    vec![
        ("git_status", json!({})),
        ("git_diff_unstaged", json!({})),
        ("git_diff_unstaged", json!({"stat": true})),
        ("git_add", json!({"files": ["a.txt"]})),
        ("git_add", json!({"files": ["."]})),
        ("git_diff_staged", json!({})),
        ("git_diff", json!({"target": "HEAD"})),
        ("git_diff", json!({"target": "HEAD~1..HEAD"})),
        ("git_commit", json!({"message": "x"})),
        ("git_log", json!({"path": "a.txt", "follow": true})),
        ("git_show", json!({"revision": "HEAD"})),
        ("git_show", json!({"revision": "HEAD:a.txt"})),
        ("git_blame", json!({"path": "a.txt"})),
        ("git_branch", json!({"branch_type": "all"})),
        ("git_create_branch", json!({"branch_name": "n"})),
        ("git_stash_push", json!({"include_untracked": true})),
        ("git_stash_list", json!({})),
        ("git_stash_pop", json!({})),
        ("git_stash_drop", json!({})),
        ("git_reset", json!({})),
        ("git_reset_to", json!({"revision": "HEAD", "mode": "hard"})),
        ("git_checkout", json!({"branch_name": "side"})),
        ("git_checkout", json!({"branch_name": "main"})),
        (
            "git_delete_branch",
            json!({"branch_name": "side", "force": true}),
        ),
        ("git_tag_list", json!({})),
        ("git_worktree_list", json!({})),
        ("git_conflicts", json!({})),
        ("git_resolve", json!({"path": "a.txt", "with": "ours"})),
    ]
}

#[tokio::test]
async fn nothing_that_a_repository_names_is_run() {
    let world = World::new().await;
    world.git(&["checkout", "-q", "-b", "side"]);
    world.write("a.txt", "side\n");
    world.git(&["commit", "-q", "-a", "-m", "side"]);
    world.git(&["checkout", "-q", "main"]);
    world.write("b.txt", "main\n");
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "more"]);
    let mark = world.folder.path().join("mark");
    let run = world.folder.path().join("run");
    fs::write(
        &run,
        format!(
            "#!/bin/sh\necho ran >> {}\ncat 2>/dev/null\n",
            mark.display()
        ),
    )
    .expect("a program");
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).expect("executable");
    let run = run.to_string_lossy().into_owned();
    for key in [
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "core.editor",
        "core.askPass",
        "core.alternateRefsCommand",
        "core.gitProxy",
        "credential.helper",
        "diff.external",
        "diff.evil.textconv",
        "diff.evil.command",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "merge.evil.driver",
        "gpg.program",
        "uploadpack.packObjectsHook",
        "sequence.editor",
        "interactive.diffFilter",
        "alias.status",
    ] {
        world.git(&["config", key, &run]);
    }
    world.git(&[
        "config",
        "core.hooksPath",
        &world.folder.path().join("hooks").to_string_lossy(),
    ]);
    for folder in [
        world.folder.path().join("hooks"),
        world.repo().join(".git/hooks"),
    ] {
        fs::create_dir_all(&folder).expect("hooks");
        for hook in [
            "pre-commit",
            "commit-msg",
            "prepare-commit-msg",
            "post-commit",
            "post-checkout",
            "post-index-change",
            "post-merge",
            "post-rewrite",
            "reference-transaction",
            "fsmonitor-watchman",
            "pre-auto-gc",
        ] {
            fs::copy(&run, folder.join(hook)).expect("a hook");
        }
    }
    world.write(
        ".gitattributes",
        "b.txt filter=evil\n*.txt diff=evil merge=evil\n",
    );
    world.write("a.txt", "one\nchanged\n");
    world.write("b.txt", "changed\n");
    for (tool, arguments) in every_call() {
        world.call(tool, arguments).await;
        assert!(!mark.exists(), "`{tool}` ran a program of the repository");
    }
    // The traps are live: git itself falls into them.
    world.git(&["status"]);
    assert!(mark.exists(), "nothing was planted");
}

/// Lays a repository `r` in a root, and one outside it whose file says `secret`; harms `r`; expects every tool to
/// refuse it with the name of what leads out.
async fn refused(named: &str, harm: impl Fn(&Path, &Path)) {
    let folder = laid();
    let (root, repo, outside) = (
        folder.path().join("root"),
        folder.path().join("root/r"),
        folder.path().join("outside"),
    );
    fs::create_dir(&root).expect("a root");
    fs::rename(folder.path().join("r"), &repo).expect("moved");
    lay(&outside);
    write(&outside, "s.txt", "secret\n");
    git(&outside, &["add", "-A"]);
    git(&outside, &["commit", "-q", "-m", "secret"]);
    let before = git(&outside, &["status", "--porcelain", "--ignored"]);
    harm(&repo, &outside);
    let world = World::over(full, folder, &[root]).await;
    for (tool, mut arguments) in every_call() {
        arguments["repo_path"] = repo.to_string_lossy().into();
        let said = world.call_plainly(tool, arguments).await;
        assert!(said.starts_with("error: "), "{tool}: {said}");
        has(&said, named);
        assert!(!said.contains("secret"), "{tool}: {said}");
    }
    assert_eq!(
        git(&outside, &["status", "--porcelain", "--ignored"]),
        before
    );
}

fn add_to_config(repo: &Path, text: &str) {
    let path = repo.join(".git/config");
    let before = fs::read_to_string(&path).expect("a config");
    fs::write(path, before + text).expect("a config");
}

#[tokio::test]
async fn a_git_folder_elsewhere_is_refused() {
    refused("outside/.git", |repo, outside| {
        fs::remove_dir_all(repo.join(".git")).expect("removed");
        let text = format!("gitdir: {}\n", outside.join(".git").display());
        fs::write(repo.join(".git"), text).expect("a file");
    })
    .await;
    refused("outside/.git", |repo, outside| {
        fs::remove_dir_all(repo.join(".git")).expect("removed");
        symlink(outside.join(".git"), repo.join(".git")).expect("a link");
    })
    .await;
}

#[tokio::test]
async fn a_common_folder_elsewhere_is_refused() {
    refused("`commondir`", |repo, outside| {
        let text = format!("{}\n", outside.join(".git").display());
        fs::write(repo.join(".git/commondir"), text).expect("a file");
    })
    .await;
}

#[tokio::test]
async fn a_work_tree_elsewhere_is_refused() {
    refused("`core.worktree`", |repo, outside| {
        git(
            repo,
            &["config", "core.worktree", &outside.to_string_lossy()],
        );
    })
    .await;
    // Also one inside the roots: a checkout would write over files that are not the repository's.
    refused("`core.worktree`", |repo, _| {
        git(repo, &["config", "core.worktree", "../.."]);
    })
    .await;
    refused("`core.worktree`", |repo, outside| {
        git(repo, &["config", "extensions.worktreeConfig", "true"]);
        let text = format!("[core]\nworktree = {}\n", outside.display());
        fs::write(repo.join(".git/config.worktree"), text).expect("a file");
    })
    .await;
}

#[tokio::test]
async fn borrowed_objects_from_elsewhere_are_refused() {
    refused("`objects/info/alternates`", |repo, outside| {
        let text = format!("{}\n", outside.join(".git/objects").display());
        fs::write(repo.join(".git/objects/info/alternates"), text).expect("a file");
    })
    .await;
    // Through one that is inside.
    refused("`objects/info/alternates`", |repo, outside| {
        let inside = repo.join("store");
        fs::create_dir_all(inside.join("info")).expect("a folder");
        let text = format!("{}\n", outside.join(".git/objects").display());
        fs::write(inside.join("info/alternates"), text).expect("a file");
        fs::write(repo.join(".git/objects/info/alternates"), "../../store\n").expect("a file");
    })
    .await;
}

#[tokio::test]
async fn included_settings_from_elsewhere_are_refused() {
    for text in [
        "[include]\n\tpath = ../../../outside/.git/config\n",
        "[InClude]path=\"../../../outside/.git/config\"\n",
        "[includeIf \"gitdir:**\"]\n\tpath = ../../../outside/.git/config\n",
        "[include]\n\tpath = ~/.gitconfig\n",
        "[include]\n\tpath = in\n",
    ] {
        refused("`include.path`", |repo, _| {
            fs::write(
                repo.join(".git/in"),
                "[include]\npath = ../../../outside/.git/config\n",
            )
            .expect("a file");
            add_to_config(repo, text);
        })
        .await;
    }
}

#[tokio::test]
async fn symlinks_in_the_git_folder_that_lead_out_are_refused() {
    refused(".git/objects", |repo, outside| {
        fs::remove_dir_all(repo.join(".git/objects")).expect("removed");
        symlink(outside.join(".git/objects"), repo.join(".git/objects")).expect("a link");
    })
    .await;
    refused(".git/refs/heads/x", |repo, outside| {
        symlink(outside, repo.join(".git/refs/heads/x")).expect("a link");
    })
    .await;
    refused(".git/logs/new", |repo, outside| {
        symlink(outside.join("not-yet"), repo.join(".git/logs/new")).expect("a link");
    })
    .await;
    refused(".git/config", |repo, outside| {
        fs::remove_file(repo.join(".git/config")).expect("removed");
        symlink(outside.join(".git/config"), repo.join(".git/config")).expect("a link");
    })
    .await;
}

#[tokio::test]
async fn a_pipe_in_the_git_folder_is_refused_and_not_waited_for() {
    for place in [
        ".git/objects/pack/pack-1.idx",
        ".git/index",
        ".git/shallow",
        ".git/config",
    ] {
        let world = World::new().await;
        let path = world.repo().join(place);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        let _ = fs::remove_file(&path);
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo is there").success());
        let call = world.call("git_log", json!({}));
        let said = tokio::time::timeout(Duration::from_secs(60), call).await;
        let said = said.unwrap_or_else(|_| {
            // Whoever waits goes on, so that the test ends.
            let _ = fs::OpenOptions::new().write(true).open(&path);
            panic!("{place} is waited for")
        });
        assert!(
            said.starts_with("error: ") && said.contains(place),
            "{place}: {said}"
        );
    }
}

#[tokio::test]
async fn a_submodule_elsewhere_is_named_and_not_looked_into() {
    let world = World::new().await;
    let outside = world.folder.path().join("outside");
    lay(&outside);
    let id = git(&outside, &["rev-parse", "HEAD"]);
    world.write(
        ".gitmodules",
        "[submodule \"m\"]\n\tpath = m\n\turl = ./m\n",
    );
    world.write(
        "m/.git",
        &format!("gitdir: {}\n", outside.join(".git").display()),
    );
    world.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{id},m"),
    ]);
    world.git(&["add", ".gitmodules"]);
    let said = world.call("git_status", json!({})).await;
    has(&said, "modified:   m (not looked into: ");
    has(&said, "new file:   m\n");
}

#[tokio::test]
async fn a_submodule_inside_is_looked_into() {
    let world = World::new().await;
    lay(&world.folder.path().join("r/inner"));
    world.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        "./inner",
        "m",
    ]);
    let inner = world.repo().join("m");
    fs::remove_dir_all(world.repo().join("inner")).expect("removed");
    world.git(&["commit", "-q", "-m", "module"]);
    check(
        &world.call("git_status", json!({})).await,
        &format!("Repository status:\n{}", world.git(&["status"])),
    );
    write(&inner, "a.txt", "changed\n");
    write(&inner, "new", "new\n");
    git(&inner, &["config", "user.email", "a@x"]);
    git(&inner, &["config", "user.name", "a"]);
    git(&inner, &["commit", "-q", "--allow-empty", "-m", "on"]);
    let said = world.call("git_status", json!({})).await;
    check(
        said.trim_end_matches('\n'),
        &format!("Repository status:\n{}", world.git(&["status"])),
    );
    has(
        &world.call("git_diff_unstaged", json!({})).await,
        "+Subproject commit ",
    );
}

#[tokio::test]
async fn only_what_was_opened_can_be_reached() {
    let world = World::new().await;
    let base = world.folder.path().to_owned();
    for name in ["other", "r_evil", "r-2"] {
        lay(&base.join(name));
    }
    symlink(base.join("other"), world.repo().join("link")).expect("a link");
    let root = world.repo().canonicalize().expect("a path");
    for path in [
        base.join("other"),
        base.join("r_evil"),
        base.join("r-2"),
        base.join("r/../other"),
        base.clone(),
        PathBuf::from("/"),
        PathBuf::from("../other"),
        world.repo().join("link"),
        PathBuf::from("link"),
        base.join("r/link/.git"),
        base.join("nothing"),
    ] {
        for (tool, mut arguments) in every_call() {
            arguments["repo_path"] = path.to_string_lossy().into();
            check(
                &world.call_plainly(tool, arguments).await,
                &format!(
                    "error: Error executing tool {tool}: Repository path '{}' is outside the allowed repository '{}'",
                    path.display(),
                    root.display()
                ),
            );
        }
    }
}

#[tokio::test]
async fn without_a_root_nothing_can_be_reached() {
    let folder = laid();
    let repo = folder.path().join("r");
    let world = World::over(full, folder, &[]).await;
    for (tool, mut arguments) in every_call() {
        arguments["repo_path"] = repo.to_string_lossy().into();
        has(
            &world.call_plainly(tool, arguments).await,
            "no folder is open",
        );
    }
}

#[tokio::test]
async fn a_repository_that_lies_in_another_is_opened_only_by_its_own_path() {
    let world = World::new().await;
    lay(&world.repo().join("inner"));
    has(&world.call("git_status", json!({})).await, "\tinner/");
    let sub = world.repo().join("sub");
    has(
        &world
            .call("git_status", json!({"repo_path": sub.to_string_lossy()}))
            .await,
        "is not a git repository; it lies in the repository `",
    );
    has(
        &world.call("git_add", json!({"files": ["inner"]})).await,
        "error: ",
    );
    let inner = world.repo().join("inner");
    has(
        &world
            .call("git_status", json!({"repo_path": inner.to_string_lossy()}))
            .await,
        "nothing to commit",
    );
}

#[tokio::test]
async fn a_repository_of_another_user_is_refused() {
    let world = World::new().await;
    // Only the superuser may give files away; where the tests run as somebody else, there is nothing to see.
    for path in [world.repo(), world.repo().join(".git")] {
        if std::os::unix::fs::chown(path, Some(12_345), None).is_err() {
            return;
        }
    }
    has(
        &world.call("git_status", json!({})).await,
        "belongs to another user",
    );
}

#[tokio::test]
async fn only_files_of_the_repository_are_staged() {
    let world = World::new().await;
    let outside = world.folder.path().join("secret.txt");
    fs::write(&outside, "secret").expect("a file");
    fs::create_dir(world.folder.path().join("elsewhere")).expect("a folder");
    fs::write(world.folder.path().join("elsewhere/key"), "secret").expect("a file");
    symlink(
        world.folder.path().join("elsewhere"),
        world.repo().join("link"),
    )
    .expect("a link");
    world.write(".gitignore", "*.env\n");
    world.write("x.env", "secret");
    let before = world.git(&["ls-files", "-s"]);
    let top = world.repo().canonicalize().expect("a path");
    for file in [
        "../secret.txt",
        "sub/../../secret.txt",
        &outside.to_string_lossy(),
        "/etc/passwd",
    ] {
        check(
            &world.call("git_add", json!({"files": [file]})).await,
            &format!(
                "error: Error executing tool git_add: Path '{file}' is outside the repository '{}'",
                top.display()
            ),
        );
    }
    for (file, part) in [
        ("link/key", "beyond a symbolic link"),
        ("link/../link/key", "beyond a symbolic link"),
        (".git/config", "inside `.git`"),
        (".git", "inside `.git`"),
        (".GIT/config", "inside `.git`"),
        ("git~1/config", "inside `.git`"),
        (".g\u{200c}it/config", "inside `.git`"),
        (".git./config", "inside `.git`"),
        ("sub/.git/x", "inside `.git`"),
        (":/", "pathspec magic"),
        (":(top)a.txt", "pathspec magic"),
        (":!a.txt", "pathspec magic"),
        ("--all", "did not match any files"),
        ("nothing", "did not match any files"),
        ("*.nothing", "did not match any files"),
        ("x.env", "ignored"),
        ("a\0b", "NUL"),
    ] {
        // Beside a good one: all or nothing.
        world.write("a.txt", "changed\n");
        let said = world
            .call("git_add", json!({"files": ["a.txt", file]}))
            .await;
        has(&said, "error: Error executing tool git_add: ");
        has(&said, part);
        assert_eq!(world.git(&["ls-files", "-s"]), before, "{file}");
    }
    // The symlink itself is a part of the files, what it leads to is not; nor is `.git` for a dot.
    check(
        &world.call("git_add", json!({"files": ["."]})).await,
        "Files staged successfully",
    );
    let staged = world.git(&["ls-files"]);
    check(&staged, ".gitignore\na.txt\nlink\nsub/b.txt");
    let link = world.git(&["cat-file", "-p", ":link"]);
    assert!(link.ends_with("/elsewhere"), "{link}");
}

/// Makes a tree of raw entries, which git itself would not write.
fn raw_tree(repo: &Path, entries: &[(&str, &str, &str)]) -> String {
    let mut bytes = Vec::new();
    for (mode, name, id) in entries {
        bytes.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        for at in (0..40).step_by(2) {
            bytes.push(u8::from_str_radix(&id[at..at + 2], 16).expect("hex"));
        }
    }
    let mut child = Command::new("git")
        .current_dir(repo)
        .args(["hash-object", "-t", "tree", "-w", "--literally", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git is there");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(&bytes)
        .expect("written");
    let output = child.wait_with_output().expect("ended");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test]
async fn a_tree_with_a_treacherous_name_is_not_checked_out() {
    let world = World::new().await;
    let blob = world.git(&["rev-parse", "HEAD:a.txt"]);
    let inner = raw_tree(&world.repo(), &[("100644", "pwn", &blob)]);
    let outside = world.folder.path().join("outside");
    fs::create_dir(&outside).expect("a folder");
    let link_text = outside.to_string_lossy().into_owned();
    world.write("target", &link_text);
    let link = world.git(&["hash-object", "-w", "target"]);
    fs::remove_file(world.repo().join("target")).expect("removed");
    let before = fs::read_to_string(world.repo().join(".git/config")).expect("a config");
    let mut trees: Vec<(String, String)> = [
        ".git",
        ".GIT",
        ".Git",
        "..",
        ".",
        "git~1",
        "GIT~1",
        ".git ",
        ".git.",
        ".g\u{200c}it",
        ".gi\u{feff}t",
        "a/b",
        "../x",
    ]
    .into_iter()
    .map(|name| {
        let tree = raw_tree(&world.repo(), &[("40000", name, &inner)]);
        (name.to_owned(), tree)
    })
    .collect();
    let twice = raw_tree(
        &world.repo(),
        &[("120000", "A", &link), ("40000", "A", &inner)],
    );
    trees.push(("A twice".to_owned(), twice));
    for (name, tree) in trees {
        let commit = world.git(&["commit-tree", &tree, "-m", "x"]);
        let said = world
            .call("git_checkout", json!({"branch_name": commit}))
            .await;
        let came = world.repo().join(".git/pwn").exists()
            || outside.join("pwn").exists()
            || world.folder.path().join("pwn").exists()
            || world.repo().join(".g\u{200c}it").exists();
        assert!(!came, "{name}: {said}");
        // Those that lead nowhere else may come as what they say.
        if name != "A twice" && name != "a/b" {
            assert!(said.starts_with("error: "), "{name}: {said}");
        }
        world.git(&["checkout", "-q", "-f", "main"]);
    }
    let after = fs::read_to_string(world.repo().join(".git/config")).expect("a config");
    assert_eq!(after, before);
}

#[tokio::test]
async fn nothing_is_written_through_a_symlinked_folder() {
    let world = World::new().await;
    world.git(&["checkout", "-q", "-b", "side"]);
    world.write("sub/new.txt", "from the branch\n");
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "side"]);
    world.git(&["checkout", "-q", "main"]);
    let outside = world.folder.path().join("outside");
    fs::create_dir(&outside).expect("a folder");
    fs::write(outside.join("b.txt"), "b\n").expect("a file");
    fs::remove_dir_all(world.repo().join("sub")).expect("removed");
    symlink(&outside, world.repo().join("sub")).expect("a link");
    for (tool, arguments) in [
        ("git_checkout", json!({"branch_name": "side"})),
        ("git_reset_to", json!({"revision": "side", "mode": "hard"})),
        ("git_stash_push", json!({})),
    ] {
        has(
            &world.call(tool, arguments).await,
            "`sub` is a symlink where the repository has a folder",
        );
        assert!(!outside.join("new.txt").exists(), "{tool}");
    }
    assert_eq!(world.git(&["branch", "--show-current"]), "main");
    check(
        &fs::read_to_string(outside.join("b.txt")).expect("a file"),
        "b\n",
    );

    // A symlink that the repository itself has goes before the folder comes.
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "a link"]);
    check(
        &world
            .call("git_checkout", json!({"branch_name": "side"}))
            .await,
        "Switched to branch 'side'",
    );
    check(&world.text("sub/new.txt"), "from the branch\n");
    assert!(!outside.join("new.txt").exists());
    check(
        &world
            .call("git_checkout", json!({"branch_name": "main"}))
            .await,
        "Switched to branch 'main'",
    );
    assert!(world.repo().join("sub").is_symlink());
    check(
        &fs::read_to_string(outside.join("b.txt")).expect("a file"),
        "b\n",
    );
}

#[tokio::test]
async fn settings_of_a_repository_do_not_read_files_elsewhere() {
    let world = World::new().await;
    let list = world.folder.path().join("list");
    fs::write(&list, "*.new\n").expect("a file");
    world.git(&["config", "core.excludesFile", &list.to_string_lossy()]);
    world.write("x.new", "new");
    has(&world.call("git_status", json!({})).await, "\tx.new");
}

#[tokio::test]
async fn a_damaged_repository_is_an_error_and_not_a_crash() {
    let harms: &[fn(&Path)] = &[
        |git| fs::write(git.join("HEAD"), "nonsense").expect("written"),
        |git| fs::write(git.join("HEAD"), "ref: ../../x").expect("written"),
        |git| fs::write(git.join("index"), "DIRC nonsense").expect("written"),
        |git| fs::write(git.join("config"), "[core\nx").expect("written"),
        |git| fs::remove_dir_all(git.join("objects")).expect("removed"),
        |git| fs::write(git.join("refs/heads/main"), "0".repeat(40)).expect("written"),
        |git| {
            let config = fs::read_to_string(git.join("config")).expect("a config");
            let config =
                config.replace("repositoryformatversion = 0", "repositoryformatversion = 9");
            fs::write(git.join("config"), config).expect("written");
        },
        |git| {
            let text = "[extensions]\nunheardof = true\n[core]\nrepositoryformatversion = 1\n";
            fs::write(git.join("config"), text).expect("written");
        },
    ];
    for harm in harms {
        let world = World::new().await;
        world.write("a.txt", "changed\n");
        harm(&world.repo().join(".git"));
        for (tool, arguments) in every_call() {
            world.call(tool, arguments).await;
        }
    }
}

#[tokio::test]
async fn shallow_sparse_and_split_repositories_are_read_or_refused_in_words() {
    let world = World::new().await;
    for message in ["second", "third"] {
        world.write("a.txt", message);
        world.git(&["commit", "-q", "-a", "-m", message]);
    }
    let source = format!("file://{}", world.repo().display());
    world.git(&["clone", "-q", "--depth", "1", &source, "shallow"]);
    let shallow = world.repo().join("shallow");
    let path = shallow.to_string_lossy().into_owned();
    let log = world.call("git_log", json!({"repo_path": path})).await;
    has(&log, "Message: third");
    assert!(!log.contains("second"), "{log}");
    has(
        &world
            .call("git_blame", json!({"repo_path": path, "path": "a.txt"}))
            .await,
        "third",
    );

    git(&shallow, &["sparse-checkout", "set", "--no-cone", "/a.txt"]);
    assert!(!shallow.join("sub/b.txt").exists());
    let said = world.call("git_status", json!({"repo_path": path})).await;
    has(&said, "nothing to commit, working tree clean");
    check(
        &world
            .call("git_diff_unstaged", json!({"repo_path": path}))
            .await,
        "Unstaged changes:\n",
    );

    world.git(&["update-index", "--split-index"]);
    let said = world.call("git_status", json!({})).await;
    has(
        &said,
        "error: Error executing tool git_status: cannot read the index: ",
    );
    has(&said, "`git update-index --no-split-index`");
}

#[tokio::test]
async fn a_repository_of_another_hash_is_read_or_refused_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let repo = folder.path().join("r");
    fs::create_dir(&repo).expect("a folder");
    git(
        &repo,
        &["init", "-q", "-b", "main", "--object-format=sha256"],
    );
    let world = World::over(full, folder, &[repo]).await;
    let said = world.call("git_status", json!({})).await;
    assert!(
        said.contains("On branch main") || said.starts_with("error: "),
        "{said}"
    );
}
