//! Claims about manifests: what is read, what is refused, and the entry that comes of one.

use super::*;

fn manifest() -> Value {
    json!({
        "manifest_version": "0.3",
        "name": "My Files",
        "version": "1.2.0",
        "description": "Looks at files.",
        "author": {"name": "Ada"},
        "server": {
            "type": "node",
            "entry_point": "server/index.js",
            "mcp_config": {
                "command": "node",
                "args": ["${__dirname}/server/index.js", "${user_config.folders}", "--level=${user_config.level}"],
                "env": {"TOKEN": "${user_config.token}", "KEPT": "${HOME}${/}.kept"},
                "platform_overrides": {"win32": {"command": "node.exe"}},
            },
        },
        "tools": [{"name": "look", "description": "Looks."}],
        "user_config": {
            "folders": {"type": "directory", "title": "Folders", "description": "Which ones", "multiple": true, "required": true},
            "token": {"type": "string", "title": "Token", "description": "A key", "sensitive": true},
            "level": {"type": "number", "title": "Level", "description": "How much", "default": 3, "min": 1, "max": 5},
        },
    })
}

fn with(path: &str, value: Value) -> Value {
    let mut file = manifest();
    match file.pointer_mut(path) {
        Some(place) => *place = value,
        None => {
            let (parent, key) = path.rsplit_once('/').expect("a path");
            file.pointer_mut(parent).expect("a parent")[key] = value;
        }
    }
    file
}

fn read(file: &Value) -> Result<Manifest, BundleError> {
    Manifest::read_for(&file.to_string(), "linux")
}

fn places() -> Places {
    Places {
        bundle: "/state/bundles/abc".into(),
        home: "/home/ada".into(),
    }
}

fn entry(file: &Value, said: &[(&str, &str)]) -> Result<Map<String, Value>, String> {
    let manifest = read(file).map_err(|error| error.to_string())?;
    let said: Vec<(String, String)> = said
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    Answers::take(&manifest.wishes, &said, &places())
        .and_then(|answers| manifest.entry(&places(), &answers))
        .map_err(|error| error.to_string())
}

#[test]
fn the_entry_names_the_bundles_folder_and_what_the_user_said() {
    let said = [
        ("folders", "/tmp"),
        ("folders", "/"),
        ("token", "${MY_TOKEN}"),
        ("level", "4"),
    ];
    assert_eq!(
        Value::Object(entry(&manifest(), &said).expect("an entry")),
        json!({
            "command": "node",
            "args": ["/state/bundles/abc/server/index.js", "/tmp", "/", "--level=4"],
            "env": {"TOKEN": "${MY_TOKEN}", "KEPT": "/home/ada/.kept"},
            "sandbox": {"read": ["/state/bundles/abc", "/tmp", "/"]},
        })
    );
    // What is not said is the default; what has none is left out, and never empty.
    let entry = entry(&manifest(), &[("folders", "/tmp")]).expect("an entry");
    assert_eq!(entry["args"][2], "--level=3");
    assert_eq!(entry["env"], json!({"KEPT": "/home/ada/.kept"}));
}

#[test]
fn a_manifest_of_each_version_is_read_under_both_names_of_the_version() {
    for version in ["0.1", "0.2", "0.3", "0.4"] {
        let read = read(&with("/manifest_version", json!(version))).expect(version);
        assert_eq!(
            (read.format.as_str(), read.short_name().as_str()),
            (version, "my-files")
        );
        let mut old = manifest();
        old.as_object_mut()
            .expect("an object")
            .shift_remove("manifest_version");
        old["dxt_version"] = json!(version);
        assert!(self::read(&old).is_ok(), "{version}");
    }
    let other = with(
        "/server/mcp_config/platform_overrides/linux",
        json!({"command": "nodejs"}),
    );
    assert_eq!(
        entry(&other, &[("folders", "/tmp")]).expect("an entry")["command"],
        "nodejs"
    );
    let inside = with("/server/mcp_config/command", json!("bin/server"));
    let entry = entry(&inside, &[("folders", "/tmp")]).expect("an entry");
    assert_eq!(entry["command"], "/state/bundles/abc/bin/server");
}

#[test]
fn what_cannot_be_used_is_refused_with_words_that_say_why() {
    let rows = [
        ("/manifest_version", json!("9.9"), "9.9"),
        ("/manifest_version", json!(null), "no `manifest_version`"),
        ("/name", json!(""), "`name`"),
        ("/version", json!(3), "`version`"),
        ("/author", json!("Ada"), "`name`"),
        ("/server/type", json!("docker"), "docker"),
        ("/server/entry_point", json!(null), "`entry_point`"),
        ("/server/mcp_config", json!(null), "command"),
        ("/server/mcp_config/args", json!("x"), "no list"),
        ("/server/mcp_config/args", json!([1]), "no text"),
        ("/server/mcp_config/env", json!({"A": 1}), "no text"),
        (
            "/compatibility",
            json!({"platforms": ["darwin"]}),
            "darwin, and this is linux",
        ),
        ("/user_config", json!([]), "no object"),
        ("/user_config/level/type", json!("colour"), "`level`"),
    ];
    for (path, value, words) in rows {
        let refused = read(&with(path, value)).expect_err(path).to_string();
        assert!(refused.contains(words), "{path}: {refused}");
    }
    assert!(Manifest::read("[").is_err());
    assert!(Manifest::read("[]").is_err());
    let rows: [(&[(&str, &str)], &str); 7] = [
        (&[], "needs `folders`"),
        (&[("folders", "/no/such/folder")], "there is no folder"),
        (&[("folders", "/tmp"), ("level", "9")], "at most 5"),
        (&[("folders", "/tmp"), ("level", "0")], "at least 1"),
        (&[("folders", "/tmp"), ("level", "x")], "no number"),
        (
            &[("folders", "/tmp"), ("token", "a"), ("token", "b")],
            "once",
        ),
        (
            &[("folders", "/tmp"), ("other", "a")],
            "does not ask for `other`",
        ),
    ];
    for (said, words) in rows {
        let refused = entry(&manifest(), said).expect_err(words);
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
fn a_manifest_cannot_reach_the_users_environment() {
    let argument = |text: &str| with("/server/mcp_config/args", json!([text]));
    for text in [
        "${AWS_SECRET_ACCESS_KEY}",
        "${env:AWS_SECRET_ACCESS_KEY}",
        "${AWS:-x}",
        "${}",
        "${HOME",
        "${user_config.nothing}",
        "${${HOME}}",
        // Pieces that make a variable together.
        "$${user_config.odd}",
    ] {
        let mut file = argument(text);
        file["user_config"]["odd"] = json!({"type": "string", "title": "", "description": "", "default": "{AWS_SECRET_ACCESS_KEY}"});
        let refused = entry(&file, &[("folders", "/tmp")]);
        assert!(refused.is_err(), "{text}: {refused:?}");
    }
    for default in ["${AWS_SECRET_ACCESS_KEY}", "$${HOME}", "${HOME"] {
        let mut file = argument("${user_config.odd}");
        file["user_config"]["odd"] =
            json!({"type": "string", "title": "", "description": "", "default": default});
        let made = entry(&file, &[("folders", "/tmp")]);
        let text = made.map_or_else(|_| String::new(), |entry| Value::Object(entry).to_string());
        assert!(!text.contains("${"), "{default}: {text}");
    }
    for (key, name) in [("command", "PATH"), ("env", "SECRET")] {
        let value = match key {
            "command" => json!(format!("${{{name}}}")),
            _ => json!({"A": format!("${{{name}}}")}),
        };
        let file = with(&format!("/server/mcp_config/{key}"), value);
        assert!(entry(&file, &[("folders", "/tmp")]).is_err(), "{key}");
    }
}
