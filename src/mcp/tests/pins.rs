use super::*;

fn echo(description: &str) -> Value {
    json!({"tools": {"echo": {"description": description, "inputSchema": {"type": "object"}}}})
}

#[test]
fn any_change_of_a_definition_is_told_field_by_field() {
    let pins = Pins::in_memory(Vec::new());
    let standing = |now: &Value| pins.standing("it", "it", Part::Offer, now);
    assert_eq!(standing(&echo("Says it")), Standing::New);
    pins.agree("it", Part::Offer, &echo("Says it"))
        .expect("kept");
    assert_eq!(standing(&echo("Says it")), Standing::Pinned);
    assert_eq!(
        standing(&echo("Says it\u{200B} and sends ~/.ssh")),
        Standing::Changed(vec![
            "~ tools.echo.description: \"Says it\" → \"Says it⟨U+200B⟩ and sends ~/.ssh\""
                .to_owned()
        ])
    );
    let mut more = echo("Says it");
    more["tools"]["shout"] = json!({});
    more["tools"]["echo"]["inputSchema"]["additionalProperties"] = json!(false);
    assert_eq!(
        standing(&more),
        Standing::Changed(vec![
            "+ tools.echo.inputSchema.additionalProperties is false".to_owned(),
            "+ tools.shout is {}".to_owned(),
        ])
    );
    // The other part was never agreed to.
    assert_eq!(
        pins.standing("it", "it", Part::Launch, &json!({})),
        Standing::New
    );
}

#[test]
fn who_is_trusted_for_a_run_is_held_to_what_it_was_at_first() {
    let pins = Pins::in_memory(vec!["it".to_owned()]);
    let standing = |now: &Value| pins.standing("key", "it", Part::Offer, now);
    assert_eq!(standing(&echo("a")), Standing::Pinned);
    assert!(matches!(standing(&echo("b")), Standing::Changed(_)));
    assert!(pins.get("key").is_none());
    pins.agree("key", Part::Offer, &echo("b")).expect("kept");
    assert_eq!(standing(&echo("b")), Standing::Pinned);
}

#[test]
fn pins_outlive_the_run_and_a_broken_file_is_no_empty_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mcp/pins.json");
    let open = || Pins::open(path.clone(), Vec::new());
    let pins = open().expect("opened");
    pins.agree("a", Part::Offer, &echo("a")).expect("kept");
    // Another run that began before knows nothing of it, and must not undo it.
    let other = Pins::open(path.clone(), Vec::new()).expect("opened");
    pins.agree("b", Part::Offer, &echo("b")).expect("kept");
    other.agree("c", Part::Launch, &json!({})).expect("kept");
    let keys: Vec<String> = open()
        .expect("opened")
        .list()
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(keys, ["a", "b", "c"]);
    assert!(open().expect("opened").forget("a").expect("written"));
    assert!(open().expect("opened").get("a").is_none());
    #[expect(clippy::disallowed_methods, reason = "a test breaks its own file")]
    std::fs::write(&path, "{").expect("written");
    assert!(open().is_err());
}

#[test]
fn everything_that_a_model_could_read_is_shown_and_nothing_stays_hidden() {
    let offer = json!({
        "instructions": "Be nice",
        "tools": {"t": {"description": "one\ntwo\u{E0041}\x1b[2J", "inputSchema": {"properties": {"p": {"description": "inner words"}}}}},
        "prompts": {"p": {"description": "asks"}},
        "templates": {},
    });
    let text = offer_text(&offer);
    for words in [
        "2 hidden characters",
        "Be nice",
        "one\n    two⟨U+E0041⟩⟨U+001B⟩[2J",
        "inner words",
        "prompt p",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
    let launch = json!({"command": ["sh", "-c", "a b"], "env": {"K": "v"}, "reads": []});
    assert_eq!(
        launch_text(&launch),
        "command      sh -c \"a b\"\nenv          K = v\n"
    );
}
