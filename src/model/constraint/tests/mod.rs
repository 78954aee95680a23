mod drawn;
mod hard;
mod random;

use super::*;
use crate::model::parse::{Piece, StreamParser};
use crate::protocol::Risk;
use llguidance::toktrie::ApproximateTokEnv;
use serde_json::json;

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

fn read() -> ToolSpec {
    tool(
        "read",
        json!({
            "type": "object",
            "properties": {"path": {"type": "string"}, "line": {"type": "integer"}},
            "required": ["path"],
        }),
    )
}

/// Feeds a call byte by byte after its beginning, and tells how far it got: `complete`, `open`, or what was refused.
fn check(
    tools: &[ToolSpec],
    form: CallForm,
    passages: &[Passages],
    begun: &str,
    rest: &str,
) -> String {
    let tokens = ApproximateTokEnv::single_byte_env();
    let mut constraints = Constraints::new(&tokens).unwrap();
    let tools: Vec<&ToolSpec> = tools.iter().collect();
    let allowed = Allowed {
        form,
        tools: &tools,
        passages,
        known: &[],
    };
    let mut constraint = match constraints.rest_of_call(allowed, begun.as_bytes()) {
        Ok(constraint) => constraint,
        Err(error) => return error.to_string(),
    };
    for (index, byte) in rest.bytes().enumerate() {
        let allowed = constraint
            .mask()
            .is_ok_and(|mask| mask.is_allowed(u32::from(byte)));
        if !allowed {
            return format!("refused at `{}`", &rest[index..]);
        }
        constraint.accept(&[u32::from(byte)]).unwrap();
    }
    let state = if constraint.is_complete() {
        "complete"
    } else {
        "open"
    };
    state.to_owned()
}

fn check_fence(tools: &[ToolSpec], begun: &str, rest: &str) -> String {
    check(tools, CallForm::JsonFence, &[], begun, rest)
}

#[test]
fn a_call_goes_on_from_wherever_it_was() {
    let whole = r#"{"name": "read", "arguments": {"path": "a\nb", "line": 3}}"#;
    for cut in (1..whole.len()).filter(|cut| whole.is_char_boundary(*cut)) {
        assert_eq!(
            check_fence(&[read()], &whole[..cut], &whole[cut..]),
            "complete",
            "{cut}"
        );
    }
}

#[test]
fn a_call_spread_over_lines_is_taken_on_as_it_is() {
    assert_eq!(
        check_fence(
            &[read()],
            "{\n  \"name\": \"",
            "read\",\n  \"arguments\": {\n    \"path\": \"a\"\n  }\n}"
        ),
        "complete"
    );
}

#[test]
fn only_tools_that_exist_can_be_named() {
    let tools = [
        read(),
        tool("read_all", json!({"type": "object", "properties": {}})),
    ];
    let begun = "{\"name\": \"";
    assert_eq!(
        check_fence(&tools, begun, r#"write", "#),
        "refused at `write\", `"
    );
    assert_eq!(
        check_fence(&tools, begun, r#"read_all", "arguments": {}}"#),
        "complete"
    );
    assert_eq!(
        check_fence(&tools, begun, r#"read", "arguments": {}}"#),
        "refused at `}}`"
    );
    assert_eq!(check_fence(&[], begun, ""), "there is no tool to call");
    assert_eq!(
        check_fence(&tools, "{\"name\": \"gone", ""),
        "what is written of the call fits no tool: {\"name\": \"gone"
    );
}

#[test]
fn whitespace_cannot_run_away() {
    let begun = r#"{"name": "read", "arguments": {"path": "a","#;
    assert_eq!(
        check_fence(&[read()], begun, "  \"line\""),
        "refused at ` \"line\"`"
    );
    assert_eq!(check_fence(&[read()], begun, "\n"), "refused at `\n`");
    assert_eq!(check_fence(&[read()], begun, "\"line\":1}}"), "complete");
}

#[test]
fn arguments_that_are_not_listed_cannot_be_invented() {
    let begun = r#"{"name": "read", "arguments": {"path": "a", ""#;
    assert_eq!(check_fence(&[read()], begun, "mode"), "refused at `mode`");
}

#[test]
fn a_schema_that_cannot_be_compiled_is_simplified() {
    let odd = tool(
        "odd",
        json!({
            "type": "object",
            "properties": {
                "id": {"type": "string", "pattern": "^(?=x)(?<!y)["},
                "many": {"$ref": "https://example.com/none.json"},
            },
            "required": ["id"],
        }),
    );
    let begun = r#"{"name": "odd", "arguments": {""#;
    assert_eq!(check_fence(&[odd], begun, r#"id": "z"}}"#), "complete");
    let broken = tool("broken", json!("nonsense"));
    let begun = r#"{"name": "broken", "arguments": {"#;
    assert_eq!(check_fence(&[broken], begun, r#""a": [1]}}"#), "complete");
}

#[test]
fn a_server_cannot_set_the_options_of_the_compiler() {
    let mut sly = read();
    sly.schema["x-guidance"] = json!({"whitespace_flexible": true, "nonsense": 1});
    let begun = r#"{"name": "read", "arguments": {"#;
    assert_eq!(
        check_fence(&[sly.clone()], begun, "\n\n"),
        "refused at `\n\n`"
    );
    assert_eq!(check_fence(&[sly], begun, r#""path": "x"}}"#), "complete");
}

/// The body of a call, as a model of the form writes it.
fn body(form: CallForm, arguments: &str) -> String {
    let written = form.write("read", arguments);
    let body = written.strip_prefix(form.mark()).unwrap();
    body.strip_suffix(form.closing()).unwrap().to_owned()
}

#[test]
fn each_form_has_its_own_grammar() {
    let tools = [
        read(),
        tool("read_all", json!({"type": "object", "properties": {}})),
    ];
    for form in CallForm::ALL {
        for arguments in [
            r#"{"path": "src/é <b>", "line": 3}"#,
            r#"{"path": "a"}"#,
            r#"{"path": ""}"#,
        ] {
            let whole = body(form, arguments);
            assert!(whole.starts_with(form.begun()), "{form:?}");
            // Where the call is taken on does not matter; once is enough to see it.
            let end = if arguments.len() > 20 {
                whole.len()
            } else {
                form.begun().len() + 1
            };
            for cut in (form.begun().len()..end).filter(|cut| whole.is_char_boundary(*cut)) {
                assert_eq!(
                    check(&tools, form, &[], &whole[..cut], &whole[cut..]),
                    "complete",
                    "{form:?}: {whole} from {cut}"
                );
            }
        }
        for wrong in [
            form.write("write", "{}"),
            form.write("read", r#"{"path": "a", "mode": 1}"#),
            form.write("read", r#"{"path": "a", "line": "x"}"#),
            form.write("read", "{}"),
        ] {
            let wrong = wrong.strip_prefix(form.mark()).unwrap();
            let wrong = wrong.strip_suffix(form.closing()).unwrap();
            let (begun, rest) = wrong.split_at(form.begun().len());
            let end = check(&tools, form, &[], begun, rest);
            assert!(end.starts_with("refused at "), "{form:?}: {end}: {wrong}");
        }
    }
}

#[test]
fn what_a_form_lacks_is_spelled_in_its_own_way() {
    let odd = tool(
        "odd",
        json!({
            "type": "object",
            "properties": {
                "on": {"type": "boolean"},
                "how": {"type": "string", "enum": ["fast", "slow"]},
                "list": {"type": "array", "items": {"type": "string"}},
            },
        }),
    );
    for (form, call) in [
        (
            CallForm::Pythonic,
            r#"[odd(on=True, how="slow", list=["a"])]"#,
        ),
        (CallForm::Pythonic, "[odd(how=\"fast\")]"),
        (CallForm::Pythonic, "[odd()]"),
        (
            CallForm::Braces,
            r#"odd{how:<|"|>fast<|"|>,list:[<|"|>a "b"<|"|>,<|"|><|"|>],on:true}"#,
        ),
        (CallForm::Braces, "odd{on:false}"),
        (CallForm::Braces, "odd{}"),
        (CallForm::ToolCallsArgs, "odd[CALL_ID]abc123DEF[ARGS]{}"),
        (
            CallForm::Harmony,
            "odd<|channel|>commentary json<|message|>{}",
        ),
        (CallForm::Harmony, "odd<|message|>{}"),
    ] {
        assert_eq!(
            check(std::slice::from_ref(&odd), form, &[], "", call),
            "complete",
            "{call}"
        );
    }
}

#[test]
fn marks_that_are_tokens_have_to_be_those_tokens() {
    // A vocabulary of bytes, and of a mark that is no text.
    let mut words: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    words[254] = b"\xff[ARGS]".to_vec();
    words[255] = b"\xff</s>".to_vec();
    let info = llguidance::toktrie::TokRxInfo::new(256, 255);
    let trie = llguidance::toktrie::TokTrie::from(&info, &words);
    let tokens: TokEnv = std::sync::Arc::new(ApproximateTokEnv::new(trie));
    let mut constraints = Constraints::new(&tokens).unwrap();
    let tool = read();
    let allowed = Allowed {
        form: CallForm::ToolCallsArgs,
        tools: &[&tool],
        passages: &[],
        known: &[],
    };
    let mut constraint = constraints.rest_of_call(allowed, b"re").unwrap();
    constraint
        .accept(&[u32::from(b'a'), u32::from(b'd')])
        .unwrap();
    let mask = constraint.mask().unwrap();
    assert!(
        mask.is_allowed(254) && !mask.is_allowed(u32::from(b'[')),
        "{mask:?}"
    );
    constraint.accept(&[254]).unwrap();
    assert!(constraint.mask().unwrap().is_allowed(u32::from(b'{')));
    // What is written already may hold the mark, too.
    let mut constraint = constraints
        .rest_of_call(allowed, b"read[ARGS]{\"path\": \"")
        .unwrap();
    assert!(constraint.mask().unwrap().is_allowed(u32::from(b'x')));
}

#[test]
fn every_form_is_made_whole_where_its_parser_sees_the_end_of_the_call() {
    let names = vec!["read".to_owned()];
    for form in CallForm::ALL {
        let whole = form.write("read", r#"{"path": "a"}"#);
        let mut parser = StreamParser::new(form, names.clone());
        let end = (0..whole.len()).find(|at| {
            parser
                .feed(&whole.as_bytes()[*at..=*at])
                .iter()
                .any(|piece| matches!(piece, Piece::Call { .. }))
        });
        // Bare JSON is told by what follows it.
        let written = &whole[..end.map_or(whole.len(), |end| end + 1)];
        let (before, body) = written.split_at(form.mark().len());
        let made = [written, &closing(before, body)].concat();
        assert_eq!(made, whole, "{form:?}");
    }
}

/// Writes two calls in one answer, as models of a form do.
fn two_calls(form: CallForm, arguments: &str) -> String {
    let call = form.write("read", arguments);
    let inner = call.strip_prefix(form.mark()).unwrap();
    let inner = inner.strip_suffix(form.closing()).unwrap();
    let (mark, closing) = (form.mark(), form.closing());
    let list = |call: &str| call.trim_matches(['[', ']']).to_owned();
    match form {
        CallForm::ToolCallsToken | CallForm::ToolCallToken | CallForm::Pythonic => {
            let one = list(inner);
            format!("{mark}[{one}, {one}]{closing}")
        }
        CallForm::BareJson => format!("{inner}; {inner}"),
        CallForm::DeepSeek | CallForm::DeepSeekFence => {
            let (end, begin) = ("<｜tool▁call▁end｜>", "<｜tool▁call▁begin｜>");
            format!("{mark}{inner}{end}{begin}{inner}{closing}")
        }
        CallForm::Harmony => format!("{call}<|call|><|start|>assistant{call}"),
        CallForm::Braces | CallForm::ToolCallsArgs => format!("{call}{call}"),
        _ => format!("{call}\n{call}"),
    }
}

#[test]
fn a_second_call_is_constrained_in_every_form() {
    let tools = [read()];
    let tools: Vec<&ToolSpec> = tools.iter().collect();
    let tokens: TokEnv = ApproximateTokEnv::single_byte_env();
    let mut constraints = Constraints::new(&tokens).unwrap();
    for form in CallForm::ALL {
        let text = two_calls(form, r#"{"path": "a", "line": 7}"#);
        let mut parser = StreamParser::new(form, vec!["read".to_owned()]);
        let (mut calls, mut constrained) = (0, 0);
        let mut constraint: Option<Constraint> = None;
        for (at, byte) in text.bytes().enumerate() {
            if let Some(constraint) = &mut constraint {
                let mask = constraint.mask().unwrap();
                assert!(
                    mask.is_allowed(u32::from(byte)),
                    "{form:?}: refused at {:?}",
                    &text[at..]
                );
                constraint.accept(&[u32::from(byte)]).unwrap();
            }
            let pieces = parser.feed(&[byte]);
            let ended = pieces
                .iter()
                .any(|piece| matches!(piece, Piece::Call { .. }));
            calls += usize::from(ended);
            if ended {
                constraint = None;
            }
            let Some(open) = parser.open_call() else {
                continue;
            };
            if constraint.is_none() && text[..=at].ends_with(open.body) {
                let allowed = Allowed {
                    form: open.form,
                    tools: &tools,
                    passages: &[],
                    known: &[],
                };
                let begun = constraints.rest_of_call(allowed, open.as_first().as_bytes());
                constraint = Some(begun.unwrap_or_else(|error| panic!("{form:?}: {error}")));
                constrained += 1;
            }
        }
        let last = parser.finish();
        calls += last
            .iter()
            .filter(|piece| matches!(piece, Piece::Call { .. }))
            .count();
        assert_eq!((calls, constrained), (2, 2), "{form:?}: {text}");
    }
}

#[test]
fn a_text_is_made_whole_by_what_it_opened() {
    for (before, body, expected) in [
        ("Here:\n```json\n", "{}", "\n```"),
        ("Here:\n```json\n", "{}\n{}", "\n```"),
        ("Here:\n```json\n", "{}\n```", ""),
        ("<tool_call>\n", "{}", "\n</tool_call>"),
        ("<tools>", "{}", "\n</tools>"),
        ("```xml\n<tool_call>\n", "{}", "\n</tool_call>\n```"),
        ("```\ncode\n```\n```json\n[", "{}", "]\n```"),
        ("<tool_call>x</tool_call>\n", "{}", ""),
        ("[TOOL_CALLS]", "a[ARGS]{}", ""),
        ("[TOOL_CALLS]", "[{}", "]"),
        ("[TOOL_CALLS]", "[{}, {}", "]"),
        ("[TOOL_CALLS]", "[{}]", ""),
        ("<|tool_call_start|>", "[a()", "]<|tool_call_end|>"),
        ("<|tool_call_start|>", "[a()]", "<|tool_call_end|>"),
        ("<|tool_call_start|>", "[a(), b()", "]<|tool_call_end|>"),
        ("<|tool_call_start|>", "[a()]<|tool_call_end|>", ""),
        ("<|tool_call_start|>[a()]<|tool_call_end|>\nSo.", "", ""),
        ("<|tool_call>call:", "a{}", "<tool_call|>"),
        (
            "<seed:tool_call>\n",
            "<function=a>\n</function>",
            "\n</seed:tool_call>",
        ),
        (
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>",
            "a<｜tool▁sep｜>{}",
            "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        ),
        ("", "", ""),
    ] {
        assert_eq!(closing(before, body), expected, "{before:?} {body:?}");
    }
}

fn edit() -> ToolSpec {
    tool(
        "edit",
        json!({
            "type": "object",
            "properties": {
                "path": {"type": "string"},
                "old": {"type": "string"},
                "new": {"type": "string"},
                "all": {"type": "boolean"},
            },
            "required": ["path", "old", "new"],
        }),
    )
}

fn passages() -> Vec<Passages> {
    let passage = |path: &str, text: &str| Passages {
        path: path.to_owned(),
        text: text.into(),
    };
    vec![
        passage("src/a.rs", "fn a() {\n    say(\"hi\");\n}\n"),
        passage("b.txt", "other\n"),
    ]
}

#[test]
fn an_edit_can_only_quote_what_the_file_holds() {
    let quote = |arguments: &str| {
        let begun = r#"{"name": "edit", "arguments": "#;
        check(
            &[edit(), read()],
            CallForm::JsonFence,
            &passages(),
            begun,
            arguments,
        )
    };
    assert_eq!(
        quote(r#"{"path": "src/a.rs", "old": "say(\"hi\");", "new": ""}}"#),
        "complete"
    );
    assert_eq!(
        quote(r#"{"path": "src/a.rs", "old": "    say(\"hi\");\n}", "new": "x", "all": true}}"#),
        "complete"
    );
    assert_eq!(
        quote(r#"{"path": "b.txt", "old": "other", "new": "x"}}"#),
        "complete"
    );
    assert_eq!(
        quote(r#"{"path": "b.txt", "old": "fn a"#),
        "refused at `fn a`"
    );
    assert_eq!(
        quote(r#"{"path": "src/a.rs", "old": "say(\"ho"#),
        "refused at `o`"
    );
    assert_eq!(quote(r#"{"path": "src/c.rs"#), "refused at `c.rs`");
    assert_eq!(
        quote(r#"{"path": "src/a.rs", "old": "", "#),
        "refused at `\", `"
    );
}

#[test]
fn other_tools_are_not_held_to_passages() {
    assert_eq!(
        check(
            &[edit(), read()],
            CallForm::JsonFence,
            &passages(),
            r#"{"name": "read", "arguments": "#,
            r#"{"path": "anything"}}"#
        ),
        "complete"
    );
}

#[test]
fn the_only_tool_is_named_without_asking_the_model() {
    let mut constraints = Constraints::new(&ApproximateTokEnv::single_byte_env()).unwrap();
    let edit = edit();
    let allowed = Allowed {
        form: CallForm::JsonFence,
        tools: &[&edit],
        passages: &[],
        known: &[],
    };
    let mut constraint = constraints
        .rest_of_call(allowed, CallForm::JsonFence.begun().as_bytes())
        .unwrap();
    let forced = String::from_utf8(constraint.forced()).unwrap();
    assert_eq!(forced, "edit\",");
}

#[test]
fn the_grammar_of_the_same_tools_is_compiled_once() {
    let mut constraints = Constraints::new(&ApproximateTokEnv::single_byte_env()).unwrap();
    let (edit, read) = (edit(), read());
    let files = passages();
    for (tools, passages) in [
        (&[&edit, &read][..], &files[..]),
        (&[&edit, &read], &[]),
        (&[&edit], &files),
        (&[&edit, &read], &files),
    ] {
        let allowed = Allowed {
            form: CallForm::JsonFence,
            tools,
            passages,
            known: &[],
        };
        constraints.rest_of_call(allowed, b"{\"name\": \"").unwrap();
    }
    assert_eq!(constraints.grammars.len(), 2);
}
