//! What holds in every form that a call can be written in.

use super::*;
use crate::model::constraint::form::MARKS;
use crate::model::parse::{Piece, StreamParser};

/// The vocabulary, with the marks of the forms as tokens of their own or as text.
fn vocabulary_with(marks: &[&str]) -> TokEnv {
    let plain = vocabulary();
    let trie = plain.tok_trie();
    let end = u32::try_from(trie.vocab_size()).unwrap() - 1;
    let mut words: Vec<Vec<u8>> = (0..end).map(|id| trie.token(id).to_vec()).collect();
    for word in [">src", ">nowhere", "=\"", "=\"nowhere", "|>nowhere", "</"] {
        words.push(word.as_bytes().to_vec());
    }
    words.extend(marks.iter().map(|mark| [b"\xff", mark.as_bytes()].concat()));
    words.push(b"\xff<end>".to_vec());
    let end = u32::try_from(words.len() - 1).unwrap();
    let info = TokRxInfo::new(end + 1, end);
    Arc::new(ApproximateTokEnv::new(TokTrie::from(&info, &words)))
}

/// Writes a call as a model of a form does, from after its opening on and without what closes it.
fn written(form: CallForm, name: &str, arguments: &Value) -> String {
    let whole = match form {
        // In the order of the letters, but for the tool that quotes a file.
        CallForm::Braces => {
            let mut sorted = arguments.as_object().unwrap().clone();
            if name != "edit" {
                sorted.sort_keys();
            }
            let field = |(key, value): (&String, &Value)| match value {
                Value::String(text) => format!("{key}:<|\"|>{text}<|\"|>"),
                Value::Array(texts) => {
                    let texts: Vec<String> = texts
                        .iter()
                        .map(|text| format!("<|\"|>{}<|\"|>", text.as_str().unwrap()))
                        .collect();
                    format!("{key}:[{}]", texts.join(","))
                }
                other => format!("{key}:{other}"),
            };
            let fields: Vec<String> = sorted.iter().map(field).collect();
            return format!("{name}{{{}}}", fields.join(","));
        }
        form => form.write(name, &arguments.to_string()),
    };
    let begin = format!("{}{}", form.mark(), form.begun());
    let body = whole.strip_prefix(&begin).unwrap();
    body.strip_suffix(form.closing()).unwrap().to_owned()
}

fn known_with_refs() -> Vec<Known> {
    let mut all = known();
    all.push(names(KnownKind::GitRef, &["main", "v1.0"]));
    all.push(names(KnownKind::Entity, &["Ada", "Bob \"B\""]));
    all
}

/// Tells whether a call can be written, byte by byte where a longer token does not do.
fn can_be_written(
    tokens: &TokEnv,
    form: CallForm,
    known: &[Known],
    passages: &[Passages],
    text: &str,
) -> bool {
    let mut constraints = Constraints::new(tokens).unwrap();
    let tools = tools();
    let tools: Vec<&ToolSpec> = tools.iter().collect();
    let allowed = Allowed {
        form,
        tools: &tools,
        passages,
        known,
    };
    let begun = form.begun().as_bytes();
    let mut constraint = constraints.rest_of_call(allowed, begun).unwrap();
    let trie = tokens.tok_trie();
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let mask = constraint.mask().unwrap();
        let mark = MARKS.iter().find_map(|mark| {
            let token = trie.get_special_token(mark)?;
            rest.starts_with(mark.as_bytes())
                .then_some((token, mark.len()))
        });
        let long = mark.unwrap_or_else(|| trie.prefix_token_id(rest));
        let short = (u32::from(rest[0]), 1);
        let Some((token, length)) = [long, short]
            .into_iter()
            .find(|(token, _)| mask.is_allowed(*token))
        else {
            return false;
        };
        constraint.accept(&[token]).unwrap();
        rest = &rest[length..];
    }
    constraint.is_complete()
}

/// Checks a call with every form, and marks as text and as tokens. One that is refused has to be refused for what it
/// names or quotes: it can be written where nothing is known.
#[track_caller]
fn check_all_forms(name: &str, arguments: &Value, expected: bool) {
    let (known, passages) = (known_with_refs(), [passage("f.rs", TEXT)]);
    for marks in [&[][..], &MARKS[..]] {
        let tokens = vocabulary_with(marks);
        for form in CallForm::ALL {
            let text = written(form, name, arguments);
            // Where files can be quoted, only those can be edited.
            let passages = match name {
                "edit" => &passages[..],
                _ => &[],
            };
            assert!(
                can_be_written(&tokens, form, &[], &[], &text),
                "{form:?} without lists: {text}"
            );
            assert_eq!(
                can_be_written(&tokens, form, &known, passages, &text),
                expected,
                "{form:?}, {} marks: {text}",
                marks.len()
            );
        }
    }
}

#[test]
fn every_form_names_only_paths_that_are_there() {
    check_all_forms("read", &json!({"path": "src/a.rs"}), true);
    check_all_forms("read", &json!({"path": "src/a"}), true);
    check_all_forms("read", &json!({"path": "größe \"x\"\\y.txt"}), true);
    check_all_forms("read", &json!({"path": "src/ab.rs", "note": "no"}), true);
    check_all_forms("read", &json!({"path": "src/abc.rs"}), false);
    check_all_forms("read", &json!({"path": "nowhere"}), false);
    check_all_forms("read", &json!({"path": "src"}), false);
}

#[test]
fn every_form_holds_lists_of_paths_refs_and_entities() {
    check_all_forms("many", &json!({"paths": ["src", "src/ab.rs"]}), true);
    check_all_forms("many", &json!({"paths": ["src", "nowhere"]}), false);
    check_all_forms("many", &json!({"ref": "v1.0"}), true);
    check_all_forms("many", &json!({"ref": "v2.0"}), false);
    check_all_forms("many", &json!({"paths": ["."], "ref": "mai"}), false);
    check_all_forms("tell", &json!({"who": "Bob \"B\""}), true);
    check_all_forms("tell", &json!({"who": "Eve"}), false);
}

#[test]
fn every_form_quotes_only_what_stands_in_the_file_once() {
    let edit = |path: &str, old: &str| json!({"path": path, "old": old, "new": "x"});
    check_all_forms("edit", &edit("f.rs", "two();"), true);
    check_all_forms("edit", &edit("f.rs", "one();\n    two();"), true);
    check_all_forms("edit", &edit("f.rs", "}\n\nfn b() {"), true);
    check_all_forms("edit", &edit("f.rs", "one();"), false);
    check_all_forms("edit", &edit("f.rs", "wo();"), false);
    check_all_forms("edit", &edit("f.rs", "four();"), false);
    check_all_forms("edit", &edit("g.rs", "two();"), false);
    let all = json!({"path": "f.rs", "all": true, "old": "one();", "new": "x"});
    check_all_forms("edit", &all, true);
    let not_all = json!({"path": "f.rs", "all": false, "old": "one();", "new": "x"});
    check_all_forms("edit", &not_all, false);
}

#[test]
fn a_quote_is_read_as_it_was_written() {
    let call = json!({"path": "f.rs", "old": "    two();\n", "new": "\n  x\n"});
    let (tokens, passages) = (vocabulary_with(&[]), [passage("f.rs", TEXT)]);
    for form in CallForm::ALL {
        let text = written(form, "edit", &call);
        assert!(
            can_be_written(&tokens, form, &[], &passages, &text),
            "{form:?}"
        );
        let whole = [form.mark(), form.begun(), &text, form.closing()].concat();
        let mut parser = StreamParser::new(form, vec!["edit".to_owned()]);
        let mut pieces = parser.feed(whole.as_bytes());
        pieces.extend(parser.finish());
        let read = pieces.into_iter().find_map(|piece| match piece {
            Piece::Call { arguments, .. } => Some(Value::Object(arguments)),
            _ => None,
        });
        // On a line of its own, a value that is padded is told from one that is not by both of its ends.
        let mut expected = call.clone();
        if form == CallForm::SeedTag {
            expected["new"] = "  x".into();
        }
        assert_eq!(read, Some(expected), "{form:?}");
    }
}
