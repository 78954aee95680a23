//! The full face, in the place of the reference server: what that one was seen to do is done here, but for the
//! differences that the module's table lists.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;

async fn session(files: &[(&str, &str)]) -> Session {
    with(files, Permits::default()).await
}

async fn with(files: &[(&str, &str)], permits: Permits) -> Session {
    Session::new(files, |roots| {
        Filesystem::full(roots, permits, ClientRoots::Replace)
    })
    .await
}

const LINES: &str = "line1\nline2\nline3\nline4\nline5\nline6\nline7\nline8\nline9\nline10\n";

/// A folder `root` as the recorded one, with neighbours that must not be touched.
pub(super) struct World {
    session: Session,
    root: String,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(Permits::default()).await
    }

    async fn with(permits: Permits) -> Self {
        let folder = lay(&[
            ("root/a.txt", LINES),
            ("root/nonl.txt", "a\nb\nc"),
            ("root/crlf.txt", "one\r\ntwo\r\nthree\r\n"),
            (
                "root/py.py",
                "def f():\n    if x:\n        return 1\n    return 2\n",
            ),
            ("root/.hidden", "h\n"),
            ("root/sub/deep/c.txt", "c\n"),
            ("root/node_modules/x", "x\n"),
            ("outside/secret.txt", "secret\n"),
            ("rootX/s.txt", "secret\n"),
        ]);
        let root = folder.path().join("root");
        let bytes: Vec<u8> = (0..=255).collect();
        fs::write(root.join("bin.dat"), bytes).expect("a file");
        let outside = folder.path().join("outside");
        symlink(&outside, root.join("link_out")).expect("a link");
        symlink(outside.join("secret.txt"), root.join("link_file")).expect("a link");
        symlink(root.join("a.txt"), root.join("link_in")).expect("a link");
        symlink(outside.join("new.txt"), root.join("dangling")).expect("a link");
        let roots = Roots::open(std::slice::from_ref(&root)).expect("roots");
        let server = Filesystem::full(roots, permits, ClientRoots::Replace);
        let root = root.canonicalize().expect("there").display().to_string();
        Self {
            session: Session::over(folder, server, modern(), ()).await,
            root,
        }
    }

    /// Calls a tool, with `$B/root` for the root in what is asked and answered.
    async fn call(&self, tool: &'static str, arguments: &str) -> String {
        let base = self.root.strip_suffix("/root").expect("a parent");
        let arguments = arguments.replace("$B", base);
        let arguments = serde_json::from_str(&arguments).expect("JSON");
        self.session.call(tool, arguments).await.replace(base, "$B")
    }

    /// Calls a tool that may not be there.
    pub(super) async fn say(&self, tool: &'static str, arguments: &str) -> String {
        let base = self.root.strip_suffix("/root").expect("a parent");
        let arguments = serde_json::from_str(&arguments.replace("$B", base)).expect("JSON");
        match self.session.call_with(tool, arguments, Value::Null).await {
            Ok(result) => said(&result).replace(base, "$B"),
            Err(error) => format!("error: {error}"),
        }
    }

    async fn check(&self, tool: &'static str, arguments: &str, expected: &str) {
        let said = self.call(tool, arguments).await;
        assert_eq!(said, expected, "{tool} {arguments}");
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(Path::new(&self.root).join(path)).expect("a text")
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        Path::new(&self.root).join(path)
    }
}

#[tokio::test]
async fn the_tools_are_those_of_the_reference_server_and_one_more() {
    let recorded = include_str!("../../../../tests/fixtures/servers/filesystem-tools.json");
    let recorded: Vec<Value> = serde_json::from_str(recorded).expect("JSON");
    let session = session(&[]).await;
    let tools = session.client.list_tools(None).await.expect("tools").tools;
    let mut ours: Vec<Value> = tools
        .iter()
        .map(|tool| {
            let mut tool = serde_json::to_value(tool).expect("JSON");
            let tool = tool.as_object_mut().expect("an object");
            let described = tool.remove("description").expect("a description");
            assert!(described.as_str().is_some_and(|text| text.len() > 20));
            tool.remove("_meta").expect("a rating");
            without_descriptions(&Value::Object(tool.clone()))
        })
        .collect();
    let extra = ours.pop().expect("a tool");
    assert_eq!(extra["name"], "search_content");
    assert_eq!(ours.len(), recorded.len());
    for (own, recorded) in ours.iter().zip(&recorded) {
        let mut recorded = recorded.clone();
        if recorded["name"] == "read_media_file" {
            // A deliberate difference: its result is sent once.
            recorded
                .as_object_mut()
                .expect("a tool")
                .remove("outputSchema");
        }
        assert_eq!(*own, recorded);
    }
    session.end().await;
}

fn without_descriptions(value: &Value) -> Value {
    match value {
        Value::Object(object) => object
            .iter()
            .filter(|(key, value)| !(*key == "description" && value.is_string()))
            .map(|(key, value)| (key.clone(), without_descriptions(value)))
            .collect(),
        Value::Array(list) => list.iter().map(without_descriptions).collect(),
        other => other.clone(),
    }
}

#[tokio::test]
async fn a_result_is_text_and_the_same_as_structured_content() {
    let session = session(&[("a", "text")]).await;
    let read = session
        .call_with("read_text_file", json!({"path": "a"}), Value::Null)
        .await
        .expect("an answer");
    assert_eq!(said(&read), "text");
    assert_eq!(read.structured_content, Some(json!({"content": "text"})));
    assert_ne!(read.is_error, Some(true));
    session.end().await;
}

#[tokio::test]
async fn files_are_read_whole_and_in_part() {
    let world = World::new().await;
    let a = r#""path": "$B/root/a.txt""#;
    let nonl = r#""path": "$B/root/nonl.txt""#;
    for (arguments, expected) in [
        (format!("{{{a}, \"head\": 2}}"), "line1\nline2"),
        // The reference counts the line after the last newline: "line10\n".
        (format!("{{{a}, \"tail\": 2}}"), "line9\nline10"),
        (format!("{{{nonl}, \"tail\": 2}}"), "b\nc"),
        (
            format!("{{{a}, \"head\": 1, \"tail\": 1}}"),
            "error: Cannot specify both head and tail parameters simultaneously",
        ),
        // The reference gives the whole file.
        (format!("{{{nonl}, \"head\": 0}}"), ""),
        (format!("{{{nonl}, \"tail\": 0}}"), ""),
        (r#"{"path": "a.txt", "head": 1}"#.to_owned(), "line1"),
        (format!("{{{nonl}}}"), "a\nb\nc"),
        (format!("{{{nonl}, \"zzz\": 1}}"), "a\nb\nc"),
        (
            r#"{"path": "$B/root/crlf.txt"}"#.to_owned(),
            "one\r\ntwo\r\nthree\r\n",
        ),
        (
            r#"{"path": "$B/root/link_in", "head": 1}"#.to_owned(),
            "line1",
        ),
        // The reference returns the bytes, garbled.
        (
            r#"{"path": "$B/root/bin.dat", "head": 1}"#.to_owned(),
            "error: $B/root/bin.dat is a binary file; use read_media_file",
        ),
    ] {
        for tool in ["read_file", "read_text_file"] {
            world.check(tool, &arguments, expected).await;
        }
    }
    world
        .check(
            "read_multiple_files",
            r#"{"paths": ["$B/root/nonl.txt", "$B/root/nope", "$B/outside/secret.txt"]}"#,
            "$B/root/nonl.txt:\na\nb\nc\n\n---\n$B/root/nope: Error - ENOENT: no such file or directory, open \
             '$B/root/nope'; nearest: $B/root/nonl.txt\n---\n$B/outside/secret.txt: Error - Access denied - path outside allowed directories: \
             $B/outside/secret.txt not in $B/root",
        )
        .await;
    world.session.end().await;
}

#[tokio::test]
async fn what_is_outside_is_refused_as_the_reference_does_and_not_described() {
    let world = World::new().await;
    let denied = |path: &str| {
        format!("error: Access denied - path outside allowed directories: {path} not in $B/root")
    };
    let link = |path: &str| {
        format!(
            "error: Access denied - symlink target outside allowed directories: {path} not in $B/root"
        )
    };
    let home = std::env::var("HOME").unwrap_or_default();
    for (path, expected) in [
        (
            "$B/root/../outside/secret.txt",
            denied("$B/outside/secret.txt"),
        ),
        ("../outside/secret.txt", denied("$B/outside/secret.txt")),
        ("$B/rootX/s.txt", denied("$B/rootX/s.txt")),
        ("/etc/passwd", denied("/etc/passwd")),
        ("~/x", denied(&format!("{home}/x"))),
        // The reference names what the link leads to.
        (
            "$B/root/link_out/secret.txt",
            link("$B/root/link_out/secret.txt"),
        ),
        ("$B/root/link_file", link("$B/root/link_file")),
        ("$B/root/dangling", link("$B/root/dangling")),
        (
            "C:\\\\x",
            "error: Access denied - Windows-style path received on a POSIX host: C:\\x".to_owned(),
        ),
    ] {
        let path = format!("{{\"path\": \"{path}\"}}");
        for tool in ["read_text_file", "read_media_file", "get_file_info"] {
            world.check(tool, &path, &expected).await;
        }
    }
    for tool in [
        "list_directory",
        "list_directory_with_sizes",
        "directory_tree",
    ] {
        let path = r#"{"path": "$B/root/link_out"}"#;
        world.check(tool, path, &link("$B/root/link_out")).await;
    }
    for path in ["$B/root/dangling", "$B/root/link_out/n.txt"] {
        let write = format!("{{\"path\": \"{path}\", \"content\": \"x\"}}");
        let said = world.call("write_file", &write).await;
        assert!(said.starts_with("error: "), "{said}");
        assert!(!said.contains("outside/"), "{said}");
    }
    assert!(
        world
            .call("read_text_file", r#"{"path": "$B/root/a\u0000.txt"}"#)
            .await
            .starts_with("error: ")
    );
    let outside = world.session.path().join("outside");
    assert_eq!(fs::read_dir(outside).expect("a folder").count(), 1);
    world.session.end().await;
}

#[tokio::test]
async fn edits_keep_what_they_do_not_name() {
    let world = World::new().await;
    let diff = |path: &str, hunks: &str| {
        format!(
            "```diff\nIndex: $B/root/{path}\n{}\n--- $B/root/{path}\toriginal\n+++ $B/root/{path}\tmodified\n{hunks}```\n\n",
            "=".repeat(67)
        )
    };
    world
        .check(
            "edit_file",
            r#"{"path": "$B/root/a.txt", "edits": [{"oldText": "line2", "newText": "LINE2"}], "dryRun": true}"#,
            &diff(
                "a.txt",
                "@@ -1,6 +1,6 @@\n line1\n-line2\n+LINE2\n line3\n line4\n line5\n line6\n",
            ),
        )
        .await;
    assert_eq!(world.text("a.txt"), LINES);
    // The reference loses the indentation of `return 9`.
    world
        .check(
            "edit_file",
            r#"{"path": "$B/root/py.py", "edits": [{"oldText": "if x:\n    return 1", "newText": "if y:\n    return 9"}]}"#,
            &diff(
                "py.py",
                "@@ -1,4 +1,4 @@\n def f():\n-    if x:\n-        return 1\n+    if y:\n+        return 9\n     return 2\n",
            ),
        )
        .await;
    assert_eq!(
        world.text("py.py"),
        "def f():\n    if y:\n        return 9\n    return 2\n"
    );
    for edits in [
        r#"[{"oldText": "nope", "newText": "x"}]"#,
        r#"[{"oldText": "line3", "newText": "L3"}, {"oldText": "nope", "newText": "x"}]"#,
    ] {
        let edit = format!("{{\"path\": \"$B/root/a.txt\", \"edits\": {edits}}}");
        world
            .check(
                "edit_file",
                &edit,
                "error: Could not find exact match for edit:\nnope",
            )
            .await;
        assert_eq!(world.text("a.txt"), LINES);
    }
    // The reference makes every line end in `\n`.
    world
        .check(
            "edit_file",
            r#"{"path": "$B/root/crlf.txt", "edits": [{"oldText": "two", "newText": "TWO\nand"}]}"#,
            &diff(
                "crlf.txt",
                "@@ -1,3 +1,4 @@\n one\n-two\n+TWO\n+and\n three\n",
            ),
        )
        .await;
    assert_eq!(world.text("crlf.txt"), "one\r\nTWO\r\nand\r\nthree\r\n");
    world
        .check(
            "edit_file",
            r#"{"path": "$B/root/nonl.txt", "edits": [{"oldText": "b", "newText": "$& $1"}]}"#,
            &diff(
                "nonl.txt",
                "@@ -1,3 +1,3 @@\n a\n-b\n+$& $1\n c\n\\ No newline at end of file\n",
            ),
        )
        .await;
    assert_eq!(world.text("nonl.txt"), "a\n$& $1\nc");
    // The reference takes the first of ten.
    let ambiguous = r#"{"path": "$B/root/a.txt", "edits": [{"oldText": "line", "newText": "x"}]}"#;
    let said = world.call("edit_file", ambiguous).await;
    assert!(
        said.starts_with("error: Found 10 matches for edit (lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)"),
        "{said}"
    );
    assert_eq!(world.text("a.txt"), LINES);
    world.session.end().await;
}

#[tokio::test]
async fn a_diff_with_fences_is_fenced_by_more() {
    let session = session(&[("a.md", "```\ncode\n```\n")]).await;
    let edit = json!({"path": "a.md", "edits": [{"oldText": "code", "newText": "text"}]});
    let said = session.call("edit_file", edit).await;
    assert!(said.starts_with("````diff\n"), "{said}");
    assert!(said.ends_with("\n````\n\n"), "{said}");
    session.end().await;
}

#[tokio::test]
async fn directories_are_listed_and_nothing_is_told_of_what_is_outside() {
    let world = World::new().await;
    let root = r#"{"path": "$B/root"}"#;
    world
        .check(
            "list_directory",
            root,
            "[FILE] .hidden\n[FILE] a.txt\n[FILE] bin.dat\n[FILE] crlf.txt\n[FILE] dangling\n[FILE] link_file\n\
             [FILE] link_in\n[FILE] link_out\n[DIR] node_modules\n[FILE] nonl.txt\n[FILE] py.py\n[DIR] sub",
        )
        .await;
    world
        .check(
            "list_directory_with_sizes",
            r#"{"path": "$B/root", "sortBy": "size"}"#,
            &[
                "[FILE] bin.dat                             256 B",
                "[FILE] a.txt                                61 B",
                "[FILE] link_in                              61 B",
                "[FILE] py.py                                49 B",
                "[FILE] crlf.txt                             17 B",
                "[FILE] nonl.txt                              5 B",
                "[FILE] .hidden                               2 B",
                // The reference shows the sizes of what the links outside lead to.
                "[FILE] dangling                              0 B",
                "[FILE] link_file                             0 B",
                "[FILE] link_out                              0 B",
                "[DIR] node_modules                   ",
                "[DIR] sub                            ",
                "",
                "Total: 10 files, 2 directories",
                "Combined size: 451 B",
            ]
            .join("\n"),
        )
        .await;
    let tree = world
        .call(
            "directory_tree",
            r#"{"path": "$B/root", "excludePatterns": ["node_modules", "*.txt", "link*", "dangling", ".hidden"]}"#,
        )
        .await;
    let entries = |list: Value| list;
    assert_eq!(
        serde_json::from_str::<Value>(&tree).expect("JSON"),
        entries(json!([
            {"name": "bin.dat", "type": "file"},
            {"name": "py.py", "type": "file"},
            {"name": "sub", "type": "directory", "children": [
                {"name": "deep", "type": "directory", "children": [{"name": "c.txt", "type": "file"}]}
            ]},
        ]))
    );
    assert!(tree.starts_with("[\n  {\n    \"name\": \"bin.dat\",\n    \"type\": \"file\"\n  },"));
    let info = world
        .call("get_file_info", r#"{"path": "$B/root/crlf.txt"}"#)
        .await;
    let lines: Vec<&str> = info.lines().collect();
    assert_eq!(lines[0], "size: 17");
    assert!(
        lines[1].starts_with("created: ")
            && lines[1].ends_with(" GMT+0000 (Coordinated Universal Time)")
    );
    assert_eq!(lines[4..6], ["isDirectory: false", "isFile: true"]);
    assert!(lines[6].starts_with("permissions: 6"), "{info}");
    world
        .check(
            "list_allowed_directories",
            "{}",
            "Allowed directories:\n$B/root",
        )
        .await;
    world
        .check(
            "list_directory",
            r#"{"path": "$B/root/a.txt"}"#,
            "error: ENOTDIR: not a directory, scandir '$B/root/a.txt'",
        )
        .await;
    world.session.end().await;
}

#[tokio::test]
async fn names_are_found_by_glob() {
    let world = World::new().await;
    for (arguments, expected) in [
        (
            r#""pattern": "*.txt""#,
            "$B/root/a.txt\n$B/root/crlf.txt\n$B/root/nonl.txt",
        ),
        (
            r#""pattern": "**/*.txt""#,
            "$B/root/a.txt\n$B/root/crlf.txt\n$B/root/nonl.txt\n$B/root/sub/deep/c.txt",
        ),
        (
            r#""pattern": "**/*", "excludePatterns": ["sub/**"]"#,
            "$B/root/.hidden\n$B/root/a.txt\n$B/root/bin.dat\n$B/root/crlf.txt\n$B/root/link_in\n$B/root/node_modules\n\
             $B/root/node_modules/x\n$B/root/nonl.txt\n$B/root/py.py\n$B/root/sub",
        ),
        (r#""pattern": "zzz""#, "No matches found"),
    ] {
        let arguments = format!("{{\"path\": \"$B/root\", {arguments}}}");
        world.check("search_files", &arguments, expected).await;
    }
    // The reference looks into what is ignored, and into `.git`.
    fs::write(world.path(".gitignore"), "node_modules\n").expect("a file");
    fs::create_dir(world.path(".git")).expect("a folder");
    fs::write(world.path(".git/x"), "").expect("a file");
    let all = r#"{"path": "$B/root", "pattern": "**/x"}"#;
    world.check("search_files", all, "No matches found").await;
    world.session.end().await;
}

#[tokio::test]
async fn contents_are_searched() {
    let world = World::new().await;
    for (arguments, expected) in [
        (r#"{"pattern": "line1\\b"}"#, "a.txt:1: line1"),
        (
            r#"{"pattern": "return", "types": ["py"], "context": 1, "limit": 1}"#,
            "py.py-2-     if x:\npy.py:3:         return 1\n[only the first 1; narrow the search, or \
             give a larger limit]",
        ),
        (
            r#"{"pattern": "c", "path": "$B/root/sub"}"#,
            "sub/deep/c.txt:1: c",
        ),
        (
            r#"{"pattern": "c", "globs": ["sub/**"]}"#,
            "sub/deep/c.txt:1: c",
        ),
        (r#"{"pattern": "secret"}"#, "No matches found in 8 files"),
    ] {
        world.check("search_content", arguments, expected).await;
    }
    let outside = r#"{"pattern": "secret", "path": "$B/outside"}"#;
    let said = world.call("search_content", outside).await;
    assert!(said.starts_with("error: Access denied"), "{said}");
    world.session.end().await;
}

#[tokio::test]
async fn entries_are_created_and_moved() {
    let world = World::new().await;
    for (tool, arguments, expected) in [
        (
            "create_directory",
            r#"{"path": "$B/root/n1/n2/n3"}"#,
            "Successfully created directory $B/root/n1/n2/n3",
        ),
        (
            "create_directory",
            r#"{"path": "$B/root/n1/n2/n3"}"#,
            "Successfully created directory $B/root/n1/n2/n3",
        ),
        (
            "create_directory",
            r#"{"path": "$B/root/a.txt"}"#,
            "error: EEXIST: file already exists, mkdir '$B/root/a.txt'",
        ),
        (
            "move_file",
            r#"{"source": "$B/root/a.txt", "destination": "$B/root/nonl.txt"}"#,
            "error: Destination already exists: $B/root/nonl.txt",
        ),
        (
            "move_file",
            r#"{"source": "$B/root/a.txt", "destination": "$B/outside/a.txt"}"#,
            "error: Access denied - path outside allowed directories: $B/outside/a.txt not in $B/root",
        ),
        (
            "move_file",
            r#"{"source": "$B/root/nothing", "destination": "$B/root/x"}"#,
            "error: ENOENT: no such file or directory, rename '$B/root/nothing' -> '$B/root/x'",
        ),
        (
            "move_file",
            r#"{"source": "$B/root/link_in", "destination": "$B/root/moved_link"}"#,
            "Successfully moved $B/root/link_in to $B/root/moved_link",
        ),
        (
            "move_file",
            r#"{"source": "nonl.txt", "destination": "n1/moved.txt"}"#,
            "Successfully moved nonl.txt to n1/moved.txt",
        ),
        (
            "write_file",
            r#"{"path": "n1/new.txt", "content": "new\r\n"}"#,
            "Successfully wrote to n1/new.txt",
        ),
        (
            "write_file",
            r#"{"path": "crlf.txt", "content": "as given"}"#,
            "Successfully wrote to crlf.txt",
        ),
        (
            "write_file",
            r#"{"path": "crlf.txt", "content": "as given"}"#,
            "Successfully wrote to crlf.txt",
        ),
        (
            "write_file",
            r#"{"path": "$B/root/nowhere/new.txt", "content": ""}"#,
            "error: ENOENT: no such file or directory, open '$B/root/nowhere/new.txt'; create the directory \
             $B/root/nowhere first, with create_directory",
        ),
        (
            "write_file",
            r#"{"path": "$B/root", "content": ""}"#,
            "error: EISDIR: illegal operation on a directory, read",
        ),
    ] {
        world.check(tool, arguments, expected).await;
    }
    // The reference moves the file and leaves the link dangling.
    assert!(world.path("moved_link").is_symlink());
    assert_eq!(world.text("moved_link"), LINES);
    assert_eq!(world.text("n1/moved.txt"), "a\nb\nc");
    assert_eq!(world.text("n1/new.txt"), "new\r\n");
    assert_eq!(world.text("crlf.txt"), "as given");
    world.session.end().await;
}

#[tokio::test]
async fn media_is_sent_once() {
    let session = session(&[
        ("b.txt", "foo"),
        ("a b.bin", "foobar"),
        ("c.PNG", "f"),
        ("d.mp3", "fo"),
    ])
    .await;
    let media = async |path: &str| {
        let read = session
            .call_with("read_media_file", json!({"path": path}), Value::Null)
            .await
            .expect("an answer");
        assert_eq!(read.structured_content, None);
        serde_json::to_value(&read.content).expect("JSON")
    };
    assert_eq!(
        media("c.PNG").await,
        json!([{"type": "image", "data": "Zg==", "mimeType": "image/png"}])
    );
    assert_eq!(
        media("d.mp3").await,
        json!([{"type": "audio", "data": "Zm8=", "mimeType": "audio/mpeg"}])
    );
    let uri = format!(
        "file://{}/a%20b.bin",
        session.path().canonicalize().expect("there").display()
    );
    assert_eq!(
        media("a b.bin").await,
        json!([{"type": "resource", "resource": {
            "uri": uri, "mimeType": "application/octet-stream", "blob": "Zm9vYmFy"
        }}])
    );
    let file = fs::File::create(session.path().join("big.png")).expect("a file");
    file.set_len(crate::servers::limits::filesystem::full::MEDIA as u64 + 1)
        .expect("a size");
    let big = session
        .call("read_media_file", json!({"path": "big.png"}))
        .await;
    assert!(big.contains("more than the 8388608 that are sent"), "{big}");
    session.end().await;
}

#[tokio::test]
async fn a_large_file_is_read_in_part() {
    let text = "0123456789abcde\n".repeat(70_000);
    let session = session(&[("big", &text)]).await;
    let read = async |arguments: Value| session.call("read_text_file", arguments).await;
    let whole = read(json!({"path": "big"})).await;
    assert!(
        whole.contains("1120000 bytes, more than the 1048576") && whole.contains("head or tail"),
        "{whole}"
    );
    assert_eq!(
        read(json!({"path": "big", "head": 2})).await,
        "0123456789abcde\n0123456789abcde"
    );
    assert_eq!(
        read(json!({"path": "big", "tail": 1})).await,
        "0123456789abcde"
    );
    let much = read(json!({"path": "big", "tail": 69_000})).await;
    assert!(much.contains("ask for fewer"), "{much}");
    let several = session
        .call("read_multiple_files", json!({"paths": ["big", "big"]}))
        .await;
    assert_eq!(several.matches("more than the 1048576").count(), 2);
    session.end().await;
}

#[tokio::test]
async fn wrong_arguments_are_a_result_and_an_unknown_tool_is_an_error() {
    let session = session(&[]).await;
    let wrong = "error: MCP error -32602: Input validation error: Invalid arguments for tool";
    for (tool, arguments, problem) in [
        (
            "read_text_file",
            json!({}),
            "read_text_file: Invalid input: expected string, received undefined at path",
        ),
        (
            "read_multiple_files",
            json!({"paths": []}),
            "read_multiple_files: Too small: expected array to have >=1 items at paths",
        ),
        (
            "edit_file",
            json!({"path": "a", "edits": [{"oldText": "a"}]}),
            "edit_file: Invalid input: expected string, received undefined at edits[0].newText",
        ),
        (
            "list_directory_with_sizes",
            json!({"path": ".", "sortBy": "age"}),
            "list_directory_with_sizes: Invalid option: expected one of \"name\"|\"size\" at sortBy",
        ),
    ] {
        assert_eq!(
            session.call(tool, arguments).await,
            format!("{wrong} {problem}")
        );
    }
    let unknown = session.call_with("nope", json!({}), Value::Null).await;
    let Err(ServiceError::McpError(error)) = unknown else {
        panic!("not an error: {unknown:?}");
    };
    assert_eq!(error.code.0, -32602);
    session.end().await;
}

#[tokio::test]
async fn what_programs_run_or_obey_is_written_only_where_that_was_allowed() {
    let files = [
        ("Makefile", "all:\n"),
        ("run", "#!/bin/sh\n"),
        (".git/config", "[core]\n"),
        ("locked", "one\n"),
        ("plain/x.yml", "on: push\n"),
    ];
    let attempts: [(&'static str, Value); 9] = [
        ("write_file", json!({"path": "Makefile", "content": "x"})),
        (
            "edit_file",
            json!({"path": "Makefile", "edits": [{"oldText": "all", "newText": "x"}]}),
        ),
        ("write_file", json!({"path": "run", "content": "x"})),
        (
            "move_file",
            json!({"source": "plain/x.yml", "destination": ".envrc"}),
        ),
        (
            "move_file",
            json!({"source": "plain", "destination": ".github"}),
        ),
        (
            "move_file",
            json!({"source": "Makefile", "destination": "x"}),
        ),
        ("write_file", json!({"path": "link", "content": "x"})),
        ("write_file", json!({"path": ".git/config", "content": "x"})),
        ("write_file", json!({"path": "locked", "content": "x"})),
    ];
    let lay_out = |session: &Session| {
        let mode = |path: &str, mode| {
            fs::set_permissions(session.path().join(path), fs::Permissions::from_mode(mode))
                .expect("a mode");
        };
        mode("run", 0o755);
        mode("locked", 0o444);
        symlink("Makefile", session.path().join("link")).expect("a link");
    };
    let session = session(&files).await;
    lay_out(&session);
    for (tool, arguments) in &attempts {
        let said = session.call(tool, arguments.clone()).await;
        let reason = match arguments["path"].as_str() {
            Some(".git/config") => "nothing under .git",
            Some("locked") => "--allow-read-only",
            _ => "--allow-executable-data",
        };
        assert!(
            said.starts_with("error: ") && said.contains(reason),
            "{said}"
        );
    }
    for (path, text) in files {
        assert_eq!(session.text(path), text);
    }
    let dry =
        json!({"path": "Makefile", "edits": [{"oldText": "all", "newText": "x"}], "dryRun": true});
    assert!(session.call("edit_file", dry).await.starts_with("```diff"));
    session.end().await;

    let all = Permits {
        executable_data: true,
        read_only: true,
    };
    let session = with(&files, all).await;
    lay_out(&session);
    for at in [0, 2, 7, 8] {
        let (tool, arguments) = &attempts[at];
        let said = session.call(tool, arguments.clone()).await;
        assert_eq!(said.starts_with("error: "), at == 7, "{said}");
    }
    assert_eq!(session.text("Makefile"), "x");
    assert_eq!(session.text(".git/config"), "[core]\n");
    assert_eq!(session.text("locked"), "x");
    let mode = |path: &str| {
        let file = fs::metadata(session.path().join(path)).expect("a file");
        file.mode() & 0o777
    };
    assert_eq!((mode("run"), mode("locked")), (0o755, 0o444));
    session.end().await;
}

#[tokio::test]
async fn a_cancelled_search_ends() {
    // Checked before the walk as within it: a cancelled call does no work.
    let folder = lay(&[("a", "x")]);
    let roots = Roots::open(&[folder.path().to_owned()]).expect("roots");
    for (tool, arguments) in [
        ("search_content", json!({"pattern": "x"})),
        ("search_files", json!({"path": ".", "pattern": "*"})),
    ] {
        let tool = super::super::full::ToolName::named(tool).expect("a tool");
        let arguments = arguments.as_object().cloned().expect("an object");
        let cancel = AtomicBool::new(true);
        let said = super::super::full::call(tool, &roots, Permits::default(), arguments, &cancel);
        assert_eq!(said.expect_err("no result"), "cancelled");
    }
}
