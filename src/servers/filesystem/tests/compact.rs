//! The compact face, as walden's own model meets it.

use super::*;

async fn session(files: &[(&str, &str)]) -> Session {
    Session::new(files, Filesystem::new).await
}

#[tokio::test]
async fn the_tools_are_described_in_few_words_and_rated() {
    let session = session(&[]).await;
    let info = session.client.peer_info().expect("an introduction");
    assert_eq!(
        info.server_info.as_ref().expect("a name").name,
        "walden-filesystem"
    );
    let tools = session.client.list_tools(None).await.expect("tools").tools;
    let shown: Vec<String> = tools
        .iter()
        .map(|tool| {
            let properties = tool.input_schema["properties"].as_object();
            let names: Vec<&str> = properties
                .map(|all| all.keys().map(String::as_str).collect())
                .unwrap_or_default();
            let meta = tool.meta.as_ref().expect("a rating");
            format!(
                "{}({}) {} {}",
                tool.name,
                names.join(", "),
                meta["walden/risk"],
                meta.get("walden/preview").is_some()
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "read(path, from, lines) \"read\" false",
            "list(path) \"read\" false",
            "find(pattern) \"read\" false",
            "search(pattern, path) \"read\" false",
            "edit(path, old, new) \"edit\" true",
            "write(path, content) \"edit\" true",
            "rename(symbol, to, path) \"edit\" true",
            "move_item(symbol, to, path) \"edit\" true",
            "move_file(path, new_path) \"edit\" true",
            "set_executable(path, mode) \"edit\" true",
        ]
    );
    session.end().await;
}

#[tokio::test]
async fn files_are_read_listed_found_and_searched() {
    let session = session(&[
        ("src/a.rs", "fn a() {}\r\nfn b() {}\r\n"),
        ("README.md", "hello"),
        ("empty", ""),
        (".gitignore", "target"),
        ("target/x", ""),
    ])
    .await;
    let call = async |tool, arguments| session.call(tool, arguments).await;
    assert_eq!(call("read", json!({"path": "README.md"})).await, "hello");
    assert_eq!(
        call("read", json!({"path": "src/a.rs"})).await,
        "fn a() {}\nfn b() {}\n"
    );
    assert_eq!(
        call("read", json!({"path": "src/a.rs", "from": 1, "lines": 1})).await,
        "fn a() {}\n[lines 1-1 of 2; go on with from=2]"
    );
    assert_eq!(
        call("read", json!({"path": "src/a.rs", "from": 9})).await,
        "error: `src/a.rs` has 2 lines; give a `from` up to 2"
    );
    assert_eq!(call("read", json!({"path": "empty"})).await, "[empty file]");
    assert_eq!(
        call("read", json!({"path": "a.rs"})).await,
        "error: no file `a.rs`; nearest: `src/a.rs`"
    );
    assert!(
        call("read", json!({"path": "src"}))
            .await
            .contains("is a directory")
    );
    assert!(
        call("read", json!({"path": "/etc/passwd"}))
            .await
            .contains("outside")
    );
    let all = ".gitignore\nREADME.md\nempty\nsrc/a.rs";
    assert_eq!(call("list", json!({})).await, all);
    assert_eq!(call("list", json!({"path": null})).await, all);
    assert_eq!(call("list", json!({"path": "src"})).await, "src/a.rs");
    assert_eq!(call("find", json!({"pattern": "*.rs"})).await, "src/a.rs");
    assert_eq!(
        call("find", json!({"pattern": "raedme.md"})).await,
        "no file name matches `raedme.md`; nearest:\nREADME.md"
    );
    assert_eq!(
        call("search", json!({"pattern": "fn \\w\\("})).await,
        "src/a.rs:1: fn a() {}\nsrc/a.rs:2: fn b() {}"
    );
    assert_eq!(
        call("search", json!({"pattern": "nowhere", "path": "src"})).await,
        "nothing found for `nowhere` in 1 files; try a shorter pattern, or leave out `path`"
    );
    session.end().await;
}

#[tokio::test]
async fn a_large_directory_is_listed_by_its_own_entries() {
    let names: Vec<String> = (0..70).map(|n| format!("src/{n:02}.rs")).collect();
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    files.push(("z.txt", ""));
    let session = session(&files).await;
    assert_eq!(session.call("list", json!({})).await, "src/\nz.txt");
    assert_eq!(
        session
            .call("list", json!({"path": "src"}))
            .await
            .lines()
            .count(),
        70
    );
    let found = session.call("search", json!({"pattern": "x"})).await;
    assert_eq!(found.lines().count(), 70);
    session.end().await;
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    let session = session(&[]).await;
    for (tool, arguments, error) in [
        ("read", json!({}), "error: `read` needs `path`, a string"),
        ("read", json!({"path": 1}), "error: `path` must be a string"),
        (
            "read",
            json!({"path": "a", "from": "x"}),
            "error: `from` must be a whole number from 1",
        ),
        (
            "edit",
            json!({"path": "a", "old": "b"}),
            "error: `edit` needs `new`, a string",
        ),
        (
            "find",
            json!({"name": "a"}),
            "error: `find` has no argument `name`; it takes `pattern`",
        ),
    ] {
        assert_eq!(session.call(tool, arguments).await, error);
    }
    let unknown = session.call_with("delete", json!({}), Value::Null).await;
    let Err(ServiceError::McpError(error)) = unknown else {
        panic!("not an error: {unknown:?}");
    };
    assert_eq!(error.code.0, -32602);
    session.end().await;
}

#[tokio::test]
async fn a_preview_changes_nothing_and_what_was_shown_is_what_is_written() {
    let session = session(&[("a.txt", "one\ntwo\n")]).await;
    let edit = json!({"path": "a.txt", "old": "two", "new": "2\n3"});
    let preview = session
        .call_with("edit", edit.clone(), json!({"walden/preview": true}))
        .await
        .expect("a preview");
    assert_eq!(
        said(&preview),
        "--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,3 @@\n one\n-two\n+2\n+3\n"
    );
    assert_eq!(session.text("a.txt"), "one\ntwo\n");
    let shown = change(&preview);
    let expect = json!({"walden/expect": {"base": shown.base, "after": shown.after}});

    fs::write(session.path().join("a.txt"), "zero\none\ntwo\n").expect("a foreign edit");
    let refused = session
        .call_with("edit", edit.clone(), expect.clone())
        .await
        .expect("an answer");
    assert_eq!(
        said(&refused),
        "error: cannot write `a.txt`: it changed since the diff was shown"
    );
    assert_eq!(session.text("a.txt"), "zero\none\ntwo\n");

    fs::write(session.path().join("a.txt"), "one\ntwo\n").expect("taken back");
    let done = session
        .call_with("edit", edit.clone(), expect.clone())
        .await
        .expect("an answer");
    assert_eq!(said(&done), "edited `a.txt` (+2 -1)");
    assert_eq!(change(&done), shown);
    assert_eq!(session.text("a.txt"), "one\n2\n3\n");

    // Once more: what it was planned on is gone.
    let again = session
        .call_with("edit", edit, expect)
        .await
        .expect("an answer");
    assert!(said(&again).contains("changed since the diff was shown"));
    let unclear = json!({"walden/expect": {"base": 1}});
    let unclear = session
        .call_with("write", json!({"path": "b", "content": ""}), unclear)
        .await
        .expect("an answer");
    assert_eq!(unclear.is_error, Some(true));
    assert!(!session.path().join("b").exists());
    session.end().await;
}

#[tokio::test]
async fn a_file_is_written_whole() {
    let session = session(&[]).await;
    let write = json!({"path": "new/a.sh", "content": "echo\n"});
    let expect = json!({"walden/expect": {"base": null, "after": hash_of(b"echo\n")}});
    let done = session
        .call_with("write", write.clone(), expect)
        .await
        .expect("an answer");
    assert_eq!(said(&done), "created `new/a.sh` (+1 -0)");
    assert_eq!(change(&done).notes, ["executable data"]);
    assert_eq!(session.text("new/a.sh"), "echo\n");
    assert!(
        session
            .call("write", write)
            .await
            .contains("nothing would change")
    );
    let replaced = json!({"path": "new/a.sh", "content": "exit\n"});
    assert_eq!(
        session.call("write", replaced).await,
        "edited `new/a.sh` (+1 -1)"
    );
    let git = json!({"path": ".git/hooks/pre-commit", "content": "x"});
    assert!(session.call("write", git).await.contains("under `.git`"));
    session.end().await;
}

#[tokio::test]
async fn a_client_of_the_older_protocol_is_served_and_no_roots_mean_no_access() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Filesystem::new(Roots::default());
    let session = Session::over(folder, server, ClientLifecycleMode::Initialize, ()).await;
    for (tool, arguments) in [
        ("read", json!({"path": "a"})),
        ("list", json!({})),
        ("find", json!({"pattern": "a"})),
        ("search", json!({"pattern": "a"})),
        ("edit", json!({"path": "a", "old": "b", "new": "c"})),
        ("write", json!({"path": "a", "content": "c"})),
    ] {
        let said = session.call(tool, arguments).await;
        assert!(
            said.starts_with("error: no folder is open"),
            "{tool}: {said}"
        );
    }
    session.end().await;
}

#[tokio::test]
async fn an_edit_that_breaks_the_syntax_says_where() {
    let session = session(&[("a.rs", "fn a() {\n    b();\n}\n"), ("a.txt", "b();")]).await;
    let preview = async |path: &str, new: &str| {
        let arguments = json!({"path": path, "old": "b();", "new": new});
        let preview = json!({"walden/preview": true});
        let shown = session.call_with("edit", arguments, preview).await;
        let change = change(&shown.expect("a preview"));
        change.breaks_syntax().map(str::to_owned)
    };
    let broken = preview("a.rs", "b(;").await.expect("a note");
    assert!(broken.starts_with("line 2: "), "{broken}");
    assert_eq!(preview("a.rs", "c();").await, None);
    assert_eq!(preview("a.txt", "b(;").await, None);
    session.end().await;
}

/// Says that a change is wanted as it was shown.
fn expecting(shown: &FileChange) -> Value {
    let bound =
        |file: &FileChange| json!({"path": file.path, "base": file.base, "after": file.after});
    let others: Vec<Value> = shown.others.iter().map(bound).collect();
    json!({"walden/expect": {"base": shown.base, "after": shown.after, "others": others}})
}

#[tokio::test]
async fn a_rename_changes_all_files_as_they_were_shown_or_none() {
    let files = [
        ("a.py", "def old():\n    pass\n"),
        ("b.py", "from a import old\nold()\nx.old()\n"),
    ];
    let session = session(&files).await;
    let rename = json!({"symbol": "old", "to": "fresh"});
    let preview = session
        .call_with("rename", rename.clone(), json!({"walden/preview": true}))
        .await
        .expect("a preview");
    let shown = change(&preview);
    let paths: Vec<&str> = shown.files().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a.py", "b.py"]);
    assert_eq!(
        session.text("a.py"),
        files[0].1,
        "a preview changes nothing"
    );
    let expect = expecting(&shown);

    fs::write(session.path().join("b.py"), "from a import old\n").expect("a foreign edit");
    let refused = session
        .call_with("rename", rename.clone(), expect.clone())
        .await;
    assert!(said(&refused.expect("an answer")).contains("changed since the diff was shown"));
    assert_eq!(session.text("a.py"), files[0].1);

    fs::write(session.path().join("b.py"), files[1].1).expect("taken back");
    let done = session.call_with("rename", rename, expect).await;
    assert_eq!(
        said(&done.expect("an answer")),
        "renamed `old` to `fresh` at 3 places in 2 files\n1 places may mean it, and were left:\n\
         b.py:3: x.old() (an attribute of something unknown)"
    );
    assert_eq!(session.text("a.py"), "def fresh():\n    pass\n");
    assert_eq!(
        session.text("b.py"),
        "from a import fresh\nfresh()\nx.old()\n"
    );
    session.end().await;
}

#[tokio::test]
async fn a_java_class_that_is_renamed_takes_its_file_along() {
    let files = [
        (
            "p/Use.java",
            "package p;\nclass Use {\n    Old one = new Old();\n}\n",
        ),
        ("p/Old.java", "package p;\n\npublic class Old {\n}\n"),
    ];
    let session = session(&files).await;
    let rename = json!({"symbol": "Old", "to": "Fresh"});
    let preview = session
        .call_with("rename", rename.clone(), json!({"walden/preview": true}))
        .await
        .expect("a preview");
    let shown = change(&preview);
    assert_eq!(
        said(&preview),
        "diff --git a/p/Old.java b/p/Fresh.java\nrename from p/Old.java\nrename to p/Fresh.java\n--- a/p/Old.java\n\
         +++ b/p/Fresh.java\n@@ -1,4 +1,4 @@\n package p;\n \n-public class Old {\n+public class Fresh {\n }\n\
         --- a/p/Use.java\n+++ b/p/Use.java\n@@ -1,4 +1,4 @@\n package p;\n class Use {\n-    Old one = new Old();\n\
         +    Fresh one = new Fresh();\n }\n"
    );
    let expect = expecting(&shown);
    let done = session.call_with("rename", rename, expect).await;
    assert_eq!(
        said(&done.expect("an answer")),
        "renamed `Old` to `Fresh` at 3 places in 2 files; `p/Old.java` is `p/Fresh.java` now"
    );
    assert!(!session.path().join("p/Old.java").exists());
    assert_eq!(
        session.text("p/Fresh.java"),
        "package p;\n\npublic class Fresh {\n}\n"
    );
    session.end().await;
}

#[tokio::test]
async fn a_long_file_is_read_with_an_outline_of_its_rest() {
    let mut text = String::new();
    for n in 1..=500 {
        text += &format!("fn f{n}() {{}}\n");
    }
    let session = session(&[("a.rs", &text)]).await;
    let said = session.call("read", json!({"path": "a.rs"})).await;
    let (_, rest) = said.split_once("[lines 1-400 of 500").expect("a cut");
    assert!(
        rest.contains("[it goes on with]\n401: fn f401()\n402: fn f402()"),
        "{rest}"
    );
    assert!(rest.len() < 1_500, "{}", rest.len());
    let part = session
        .call("read", json!({"path": "a.rs", "from": 2, "lines": 2}))
        .await;
    assert!(!part.contains("goes on with]"), "{part}");
    session.end().await;
}

#[tokio::test]
async fn a_rename_over_many_files_is_one_change_and_so_is_a_move() {
    let users: Vec<(String, String)> = (0..25)
        .map(|n| {
            (
                format!("m{n:02}.py"),
                "from a import old\n\nold()\n".to_owned(),
            )
        })
        .collect();
    let mut files = vec![("a.py", "def old():\n    pass\n"), ("b.py", "")];
    files.extend(
        users
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str())),
    );
    let session = session(&files).await;
    let preview = |tool, arguments| {
        let meta = json!({"walden/preview": true});
        session.call_with(tool, arguments, meta)
    };
    let renamed = preview("rename", json!({"symbol": "old", "to": "fresh"})).await;
    let shown = change(&renamed.expect("a preview"));
    assert_eq!(shown.files().count(), 26, "all files in one change");
    let moved = preview("move_item", json!({"symbol": "old", "to": "b.py"})).await;
    let shown = change(&moved.expect("a preview"));
    assert_eq!(shown.files().count(), 27);
    assert_eq!(
        session.text("m07.py"),
        users[7].1,
        "a preview changes nothing"
    );
    let said = session
        .call("move_item", json!({"symbol": "old", "to": "b.py"}))
        .await;
    assert_eq!(said, "moved `old` from `a.py` to `b.py`, 27 files changed");
    assert_eq!(session.text("b.py"), "def old():\n    pass\n");
    assert_eq!(session.text("m07.py"), "from b import old\n\nold()\n");
    session.end().await;
}

#[tokio::test]
async fn a_file_is_moved_and_marked_as_it_was_shown() {
    let session = session(&[("src/a.py", "x = 1\n"), ("run", "#!/bin/sh\n")]).await;
    let meta = json!({"walden/preview": true});
    let to = json!({"path": "src/a.py", "new_path": "lib/b.py"});
    let shown = session.call_with("move_file", to.clone(), meta.clone());
    let shown = change(&shown.await.expect("a preview"));
    assert_eq!(shown.from.as_deref(), Some("src/a.py"));
    assert_eq!(
        session.text("src/a.py"),
        "x = 1\n",
        "a preview moves nothing"
    );
    let expect = expecting(&shown);
    let moved = session.call_with("move_file", to, expect).await;
    assert_eq!(
        said(&moved.expect("an answer")),
        "moved `src/a.py` to `lib/b.py`"
    );
    assert_eq!(session.text("lib/b.py"), "x = 1\n");

    let mark = json!({"path": "run", "mode": "+x"});
    let shown = session
        .call_with("set_executable", mark.clone(), meta)
        .await;
    let shown = change(&shown.expect("a preview"));
    let modes = shown.modes.expect("modes");
    assert_eq!((modes.before & 0o111, modes.after & 0o100), (0, 0o100));
    // What was shown is what is set: other modes than these are not.
    let with = |before: u32| {
        let modes = json!({"before": before, "after": modes.after});
        json!({"walden/expect": {"base": shown.base, "after": shown.after, "modes": modes}})
    };
    let refused = session.call_with("set_executable", mark.clone(), with(0o600));
    let refused = said(&refused.await.expect("an answer"));
    assert!(
        refused.starts_with("error: cannot change `run`"),
        "{refused}"
    );
    let marked = session.call_with("set_executable", mark.clone(), with(modes.before));
    let marked = said(&marked.await.expect("an answer"));
    assert!(
        marked.starts_with("changed the mode of `run` from 100"),
        "{marked}"
    );
    let again = session.call("set_executable", mark).await;
    assert!(again.contains("already is executable"), "{again}");
    session.end().await;
}
