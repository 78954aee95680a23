use super::super::{Allowed, Constraint, Constraints};
use crate::protocol::{CallForm, Known, KnownKind, Passages, Risk, ToolSpec};
use llguidance::toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

mod forms;

fn tool(name: &str, schema: Value) -> ToolSpec {
    ToolSpec {
        server: "test".to_owned(),
        name: name.to_owned(),
        tool: name.to_owned(),
        description: String::new(),
        schema,
        risk: Risk::Read,
        previews: false,
    }
}

fn tools() -> Vec<ToolSpec> {
    let text = json!({"type": "string"});
    let marked = |kind: &str| json!({"type": "string", "x-walden-known": kind});
    vec![
        tool(
            "read",
            json!({"type": "object", "properties": {"path": marked("file"), "note": text}, "required": ["path"]}),
        ),
        tool(
            "edit",
            json!({
                "type": "object",
                "properties": {"path": marked("file"), "all": {"type": "boolean"}, "old": text, "new": text},
                "required": ["path", "old", "new"],
            }),
        ),
        tool(
            "many",
            json!({"type": "object", "properties": {"paths": {"type": "array", "items": marked("path")}, "ref": marked("ref")}}),
        ),
        tool(
            "tell",
            json!({"type": "object", "properties": {"who": marked("entity")}, "required": ["who"]}),
        ),
    ]
}

fn names(kind: KnownKind, names: &[&str]) -> Known {
    let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    names.sort();
    Known {
        kind,
        names: names.into(),
    }
}

fn known() -> Vec<Known> {
    vec![
        names(
            KnownKind::File,
            &[
                "src/a.rs",
                "src/ab.rs",
                "src/a",
                "größe \"x\"\\y.txt",
                "tab\there",
                "bell\u{7}",
                "日本.md",
            ],
        ),
        names(KnownKind::Folder, &["src", "."]),
    ]
}

fn passage(path: &str, text: &str) -> Passages {
    Passages {
        path: path.to_owned(),
        text: text.into(),
    }
}

/// A vocabulary of single bytes and of tokens that reach over the ends of strings.
fn vocabulary() -> TokEnv {
    let mut words: Vec<Vec<u8>> = (0..=255_u8).map(|byte| vec![byte]).collect();
    for word in [
        "\": \"",
        "\":",
        " \"",
        "\"src",
        "\": \"src/",
        "src/",
        "src/a",
        ".rs",
        ".rs\"",
        ".rs\", \"",
        "\"}}",
        "\"]}}",
        "\\n",
        "\\n    ",
        "\\\"",
        "\\\\",
        "    ",
        "one",
        "();",
        "();\\n",
        "\", \"",
        "x",
        "[\"",
        ">\n",
        ">\nsrc",
        "\n\n",
        "\n</",
        "</parameter>",
        "fn ",
        "{\\n",
        "\"nowhere",
        ": \"nowhere",
    ] {
        words.push(word.as_bytes().to_vec());
    }
    words.push(b"\xff<end>".to_vec());
    let end = u32::try_from(words.len() - 1).unwrap();
    let info = TokRxInfo::new(end + 1, end);
    Arc::new(ApproximateTokEnv::new(TokTrie::from(&info, &words)))
}

fn start(form: CallForm, known: &[Known], passages: &[Passages]) -> (TokEnv, Constraint) {
    let tokens = vocabulary();
    let mut constraints = Constraints::new(&tokens).unwrap();
    let tools = tools();
    let tools: Vec<&ToolSpec> = tools.iter().collect();
    let allowed = Allowed {
        form,
        tools: &tools,
        passages,
        known,
    };
    let body = form.begun();
    let constraint = constraints.rest_of_call(allowed, body.as_bytes()).unwrap();
    (tokens, constraint)
}

/// Feeds text by the longest tokens, and tells how far it got.
fn check_form(form: CallForm, known: &[Known], passages: &[Passages], text: &str) -> String {
    let (tokens, mut constraint) = start(form, known, passages);
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let mask = constraint.mask().unwrap();
        let (token, length) = tokens.tok_trie().prefix_token_id(rest);
        if !mask.is_allowed(token) {
            // A shorter token may do where the longer one reaches too far.
            if length == 1 || !mask.is_allowed(u32::from(rest[0])) {
                return format!("refused at `{}`", String::from_utf8_lossy(rest));
            }
            constraint.accept(&[u32::from(rest[0])]).unwrap();
            rest = &rest[1..];
            continue;
        }
        constraint.accept(&[token]).unwrap();
        rest = &rest[length..];
    }
    match constraint.is_complete() {
        true => "complete".to_owned(),
        false => "open".to_owned(),
    }
}

fn check(text: &str) -> String {
    check_form(CallForm::JsonFence, &known(), &[], text)
}

#[test]
fn a_path_can_only_be_one_that_is_there() {
    for (text, expected) in [
        (r#"read", "arguments": {"path": "src/a.rs"}}"#, "complete"),
        (r#"read", "arguments": {"path": "src/a"}}"#, "complete"),
        (
            r#"read", "arguments": {"path": "src/a", "note": "nowhere"}}"#,
            "complete",
        ),
        (
            r#"read", "arguments": {"path": "größe \"x\"\\y.txt"}}"#,
            "complete",
        ),
        (r#"read", "arguments": {"path": "tab\there"}}"#, "complete"),
        (r#"read", "arguments": {"path": "bell\u0007"}}"#, "complete"),
        (r#"read", "arguments": {"path": "日本.md"}}"#, "complete"),
        (r#"read", "arguments": {"path": "src/abc"#, "refused at `c`"),
        (
            r#"read", "arguments": {"path": "src"}}"#,
            "refused at `\"}}`",
        ),
        (r#"read", "arguments": {"path": ""}}"#, "refused at `\"}}`"),
        (
            r#"read", "arguments": {"path": "nowhere"}}"#,
            "refused at `nowhere\"}}`",
        ),
        (
            r#"many", "arguments": {"paths": ["src", "src/ab.rs", "."], "ref": "any"}}"#,
            "complete",
        ),
        (
            r#"many", "arguments": {"paths": ["src", "else"#,
            "refused at `else`",
        ),
    ] {
        assert_eq!(check(text), expected, "{text}");
    }
}

#[test]
fn tokens_that_reach_into_a_string_are_held_to_it_too() {
    let (tokens, mut constraint) = start(CallForm::JsonFence, &known(), &[]);
    let begun = r#"read", "arguments": {"path":"#;
    constraint
        .accept(&begun.bytes().map(u32::from).collect::<Vec<_>>())
        .unwrap();
    let mask = constraint.mask().unwrap();
    let allows = |word: &str| mask.is_allowed(tokens.tok_trie().token_id(word.as_bytes()).unwrap());
    assert!(allows("\"src") && allows(" \""));
    assert!(!allows("\"nowhere"));
    constraint
        .accept(&[tokens.tok_trie().token_id(b"\"src").unwrap()])
        .unwrap();
    let mask = constraint.mask().unwrap();
    assert!(mask.is_allowed(u32::from(b'/')) && !mask.is_allowed(u32::from(b'"')));
    // Going back undoes it.
    constraint.take_back(1).unwrap();
    assert!(
        constraint
            .mask()
            .unwrap()
            .is_allowed(tokens.tok_trie().token_id(b" \"").unwrap())
    );
    assert_eq!(constraint.mask().unwrap().num_set(), mask_count(begun));
}

fn mask_count(begun: &str) -> usize {
    let (_, mut constraint) = start(CallForm::JsonFence, &known(), &[]);
    constraint
        .accept(&begun.bytes().map(u32::from).collect::<Vec<_>>())
        .unwrap();
    constraint.mask().unwrap().num_set()
}

#[test]
fn without_a_list_an_argument_is_free() {
    let text = r#"read", "arguments": {"path": "nowhere"}}"#;
    assert_eq!(check_form(CallForm::JsonFence, &[], &[], text), "complete");
    let empty = [names(KnownKind::File, &[])];
    assert_eq!(
        check_form(CallForm::JsonFence, &empty, &[], text),
        "complete"
    );
    // A path may be a file or a folder: with only one of the lists, too little is known.
    let files = [names(KnownKind::File, &["a"])];
    let text = r#"many", "arguments": {"paths": ["src"]}}"#;
    assert_eq!(
        check_form(CallForm::JsonFence, &files, &[], text),
        "complete"
    );
}

#[test]
fn what_must_follow_is_told() {
    let (_, mut constraint) = start(CallForm::JsonFence, &known(), &[]);
    let begun = r#"read", "arguments": {"path": "gr"#;
    constraint
        .accept(&begun.bytes().map(u32::from).collect::<Vec<_>>())
        .unwrap();
    assert_eq!(
        String::from_utf8(constraint.forced()).unwrap(),
        r#"öße \"x\"\\y.txt""#
    );
}

const TEXT: &str = "fn a() {\n    one();\n    two();\n}\n\nfn b() {\n    one();\n    three();\n}\n";

fn edit(arguments: &str) -> String {
    let text = format!("edit\", \"arguments\": {arguments}");
    check_form(
        CallForm::JsonFence,
        &[],
        &[passage("f.rs", TEXT), passage("g.rs", "x\n")],
        &text,
    )
}

#[test]
fn a_quote_ends_only_where_it_stands_once() {
    for (arguments, expected) in [
        (
            r#"{"path": "f.rs", "old": "two();", "new": ""}}"#,
            "complete",
        ),
        (
            r#"{"path": "f.rs", "old": "    two();\n", "new": ""}}"#,
            "complete",
        ),
        (
            r#"{"path": "f.rs", "old": "one();\n    two();", "new": ""}}"#,
            "complete",
        ),
        (
            r#"{"path": "f.rs", "old": "one();", "new": ""}}"#,
            "refused at `\", \"new\": \"\"}}`",
        ),
        (
            r#"{"path": "f.rs", "old": "}\n\nfn b() {", "new": ""}}"#,
            "complete",
        ),
        (
            r#"{"path": "f.rs", "old": "tw", "new": ""}}"#,
            "refused at `\", \"new\": \"\"}}`",
        ),
        (r#"{"path": "f.rs", "old": "wo();"#, "refused at `wo();`"),
        (
            r#"{"path": "f.rs", "all": true, "old": "one();", "new": ""}}"#,
            "complete",
        ),
        (
            r#"{"path": "f.rs", "all": false, "old": "one();", "new": ""}}"#,
            "refused at `\", \"new\": \"\"}}`",
        ),
        // The last line stands there twice, and nothing after it tells which is meant.
        (
            r#"{"path": "f.rs", "old": "three();\n}", "new": ""}}"#,
            "complete",
        ),
        (r#"{"path": "g.rs", "old": "x", "new": ""}}"#, "complete"),
        (r#"{"path": "h.rs"#, "refused at `h.rs`"),
    ] {
        assert_eq!(edit(arguments), expected, "{arguments}");
    }
}

#[test]
fn values_in_tags_are_held_as_well() {
    let passages = [passage("f.rs", TEXT)];
    for (text, expected) in [
        (
            "read>\n<parameter=path>\nsrc/a\n</parameter>\n</function>",
            "complete",
        ),
        ("read>\n<parameter=path>\nsrc/abc", "refused at `c`"),
        (
            "edit>\n<parameter=path>\nf.rs\n</parameter>\n<parameter=old>\n    two();\n}\n</parameter>\n<parameter=new>\nx\n</parameter>\n</function>",
            "complete",
        ),
        (
            "edit>\n<parameter=path>\nf.rs\n</parameter>\n<parameter=all>\ntrue\n</parameter>\n<parameter=old>\none();\n</parameter>\n<parameter=new>\nx\n</parameter>\n</function>",
            "complete",
        ),
        (
            "edit>\n<parameter=path>\nf.rs\n</parameter>\n<parameter=old>\none();\n</parameter>\n",
            "refused at `</parameter>\n`",
        ),
    ] {
        assert_eq!(
            check_form(CallForm::FunctionTag, &known(), &passages, text),
            expected,
            "{text}"
        );
    }
}

/// Writes a call of `edit` by drawing tokens, and returns its `old`.
fn drawn_quote(text: &str, draws: &[u16]) -> String {
    let (tokens, mut constraint) = start(CallForm::JsonFence, &[], &[passage("f", text)]);
    let begun = r#"edit", "arguments": {"path": "f", "old": ""#;
    constraint
        .accept(&begun.bytes().map(u32::from).collect::<Vec<_>>())
        .unwrap();
    let mut written = Vec::from(b"\"");
    let mut draws = draws.iter().cycle();
    let end = "\", \"new\": \"\"}}";
    while !written.ends_with(b"\", ") {
        let allowed = constraint.mask().unwrap().to_list();
        assert!(
            !allowed.is_empty() && constraint.guard.is_some(),
            "nothing can follow {written:?}"
        );
        let draw = usize::from(*draws.next().unwrap());
        let token = allowed[draw % allowed.len()];
        constraint.accept(&[token]).unwrap();
        written.extend_from_slice(tokens.tok_trie().token(token));
        if let Some(at) = written.windows(2).position(|pair| pair == b"\",") {
            assert!(
                end.as_bytes()
                    .starts_with(&written[at..written.len().min(at + 3)])
            );
            written.truncate(at);
            written.extend_from_slice(b"\", ");
        }
    }
    let quoted = &written[..written.len() - 2];
    serde_json::from_slice(quoted).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_quote_is_a_passage_that_stands_there_once(
        text in "([ab\"\\\\ö]{0,2}(\n|    |\t)){1,12}[ab]?",
        draws in prop::collection::vec(any::<u16>(), 1..20),
    ) {
        prop_assume!(!text.trim().is_empty());
        let quote = drawn_quote(&text, &draws);
        let count = (0..text.len()).filter(|at| text.as_bytes()[*at..].starts_with(quote.as_bytes())).count();
        prop_assert_eq!(count, 1, "{:?} in {:?}", quote, text);
    }
}
