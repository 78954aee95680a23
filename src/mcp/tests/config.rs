use super::*;

fn none(_: &str) -> Option<String> {
    None
}

fn one(entry: &str) -> Definition {
    let text = format!(r#"{{"mcpServers": {{"it": {entry}}}}}"#);
    let variable = |name: &str| (name == "TOKEN").then(|| "t0k".to_owned());
    read(&text, &Source::User, &variable)
        .expect("read")
        .remove(0)
}

#[test]
fn the_shape_that_other_hosts_read_is_read() {
    let found = one(
        r#"{"command": "node", "args": ["a.js", 3], "env": {"KEY": "${TOKEN}", "N": 1}, "cwd": "/work"}"#,
    );
    assert_eq!(
        found.reach,
        Ok(Reach::Stdio {
            argv: ["node", "a.js", "3"].map(str::to_owned).into(),
            env: vec![
                ("KEY".to_owned(), "t0k".to_owned()),
                ("N".to_owned(), "1".to_owned())
            ],
            folder: Some("/work".into()),
            read: Vec::new(),
            write: Vec::new(),
            weaker: false,
            container: None,
        })
    );
    assert_eq!(found.written["env"]["KEY"], "${TOKEN}");
    for kind in ["http", "streamable_http", "streamable-http"] {
        let found = one(&format!(
            r#"{{"type": "{kind}", "url": "https://example.org/mcp", "headers": {{"Authorization": "Bearer ${{TOKEN}}"}}}}"#
        ));
        let Ok(Reach::Remote(remote)) = found.reach else {
            panic!("{kind}: {:?}", found.reach);
        };
        assert_eq!(remote.transport, RemoteTransport::Streamable);
        assert_eq!(remote.headers[0].1, "Bearer t0k");
    }
    let sse = one(r#"{"type": "sse", "url": "http://127.0.0.1:1/sse"}"#);
    assert!(matches!(
        sse.reach,
        Ok(Reach::Remote(Remote {
            transport: RemoteTransport::Sse,
            ..
        }))
    ));
}

#[test]
fn a_wrong_entry_disables_its_own_server_only_and_says_why() {
    let text = r#"{"mcpServers": {
        "good": {"command": "x"},
        "unset": {"command": "x", "env": {"K": "${NOT_SET_ANYWHERE}"}},
        "nothing": {},
        "list": {"command": "x", "args": "y"},
        "odd": {"type": "carrier-pigeon", "url": "https://example.org"},
        "file": {"url": "file:///etc/passwd"},
        "net": {"command": "x", "network": true},
        "Fs": {"command": "x"},
        "g1t": {"command": "x"},
        "a__b": {"command": "x"}
    }}"#;
    let found = read(text, &Source::User, &none).expect("read");
    let problems: Vec<(&str, &str)> = found
        .iter()
        .filter_map(|one| Some((one.name.as_str(), one.reach.as_ref().err()?.as_str())))
        .collect();
    let names: Vec<&str> = problems.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "unset", "nothing", "list", "odd", "file", "net", "Fs", "g1t", "a__b"
        ]
    );
    assert!(problems[0].1.contains("NOT_SET_ANYWHERE"));
    assert!(problems[6].1.contains("`fs`"), "{}", problems[6].1);
}

#[test]
fn a_repository_cannot_grant_its_own_server_anything() {
    let text = r#"{"mcpServers": {"it": {"command": "x", "sandbox": {"write": ["/"], "read": ["/home"]}}}}"#;
    let project = Source::Project("/repo".into());
    for (source, granted) in [(project, 0), (Source::User, 1)] {
        let found = read(text, &source, &none).expect("read").remove(0);
        let Ok(Reach::Stdio { read, write, .. }) = found.reach else {
            panic!("{:?}", found.reach);
        };
        assert_eq!((read.len(), write.len()), (granted, granted));
    }
}

#[test]
fn a_server_over_http_names_where_it_leads_and_a_word_that_is_no_list_is_refused() {
    let network = |written: &str| {
        let found = one(&format!(
            r#"{{"url": "https://a.example/mcp", "sandbox": {{"network": {written}}}}}"#
        ));
        found.reach.map(|reach| match reach {
            Reach::Remote(remote) => remote.network,
            other @ Reach::Stdio { .. } => panic!("{other:?}"),
        })
    };
    assert_eq!(network("null"), Ok(None));
    assert_eq!(network("[]"), Ok(Some(Vec::new())));
    assert_eq!(
        network(r#"["login.example:443"]"#),
        Ok(Some(vec!["login.example:443".to_owned()]))
    );
    for wrong in ["true", "false", r#""a.example""#, "[1]", "{}"] {
        assert!(network(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn own_keys_are_read() {
    let found = one(
        r#"{"command": "x", "era": "legacy", "startup_timeout_sec": 5, "tool_timeout_sec": 1.5,
            "enabled_tools": ["read_*", "list"], "disabled_tools": ["read_secret"], "disabled": true}"#,
    );
    assert_eq!(found.era, Era::Legacy);
    assert_eq!(found.start, Duration::from_secs(5));
    assert_eq!(found.idle, Duration::from_millis(1500));
    assert!(found.disabled);
    let taken = ["read_file", "list", "read_secret", "write"].map(|tool| found.toolset.takes(tool));
    assert_eq!(taken, [true, true, false, false]);
}

#[test]
fn an_interpreter_may_read_the_package_of_its_script() {
    let there = [
        "/opt/tools/lib/node_modules/server/dist/index.js",
        "/opt/tools/lib/node_modules/server/package.json",
        "/srv/me/scripts/one.py",
        "/tmp/x.py",
    ];
    let exists = |path: &Path| there.iter().any(|file| Path::new(file) == path);
    let folders = |argument: &str| {
        let argv = ["node".to_owned(), argument.to_owned()];
        script_folders(&argv, Path::new("/"), &exists)
    };
    assert_eq!(
        folders("/opt/tools/lib/node_modules/server/dist/index.js"),
        [PathBuf::from("/opt/tools/lib/node_modules")]
    );
    assert_eq!(
        folders("/srv/me/scripts/one.py"),
        [PathBuf::from("/srv/me/scripts")]
    );
    assert_eq!(folders("/tmp/x.py"), [PathBuf::from("/tmp/x.py")]);
    assert!(folders("/etc/passwd").is_empty());
}

#[test]
fn a_profile_has_tools_of_its_own_and_leaves_the_rest_as_it_is() {
    let entry = serde_json::json!({
        "command": "x", "enabled_tools": ["read_*"], "disabled_tools": ["read_secret"],
        "profiles": {"review": {"enabled_tools": ["diff"]}, "off": {"disabled": true}},
    });
    let of = |name: &'static str| {
        define("it", &entry, &Source::User, &|asked| {
            (asked == PROFILE && !name.is_empty()).then(|| name.to_owned())
        })
    };
    let takes = |found: &Definition| {
        ["read_file", "read_secret", "diff"].map(|tool| found.toolset.takes(tool))
    };
    for plain in ["", "unknown"] {
        assert_eq!(takes(&of(plain)), [true, false, false]);
        assert!(!of(plain).disabled);
    }
    assert_eq!(takes(&of("review")), [false, false, true]);
    assert!(of("off").disabled);
    // What was agreed to is the same, whichever profile is chosen.
    assert_eq!(of("review").written, of("").written);
}
