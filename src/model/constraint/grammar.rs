//! The grammar of a call in each form that model families write.

use std::fmt::Write as _;
use std::rc::Rc;

use llguidance::api::{GrammarWithLexer, TopLevelGrammar};
use llguidance::toktrie::TokTrie;
use serde_json::{Map, Value};

use super::form::MARKS;
use super::project::{self, Enforced};
use crate::protocol::{CallForm, ToolSpec};

/// Where whitespace may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Spacing {
    /// One space after `:` and `,`, nowhere else.
    Tight,
    /// Anywhere, but never much of it.
    Free,
}

/// Returns what a call in a form begins with, as far as it is the same for every tool.
pub fn opening(form: CallForm) -> String {
    format!("{}{}", form.mark(), form.begun())
}

/// Marks that another one closes.
const PAIRS: [(&str, &str); 4] = [
    ("<|tool_call_start|>", "<|tool_call_end|>"),
    ("<|tool_call>call:", "<tool_call|>"),
    ("<start_function_call>call:", "<end_function_call>"),
    (
        "<｜tool▁call▁begin｜>",
        "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    ),
];

/// Returns what must follow complete calls to make the text whole, judged by what stands before the first one's body:
/// models mix the forms, such as a tag inside of a fence. `body` is that of the first call, with all that follows it.
pub fn closing(before: &str, body: &str) -> String {
    let closing = wanted(before, body);
    let written = [before, body].concat();
    match written.trim_end().ends_with(closing.trim_start()) {
        true => String::new(),
        false => closing,
    }
}

fn wanted(before: &str, body: &str) -> String {
    let mut closing = String::new();
    let is_list = before.trim_end().ends_with('[') || body.trim_start().starts_with('[');
    // Only a list of calls ends with a bracket: each call has a brace or a parenthesis of its own there.
    if is_list && !body.trim_end().ends_with(']') {
        closing.push(']');
    }
    // The arguments alone are in a fence.
    let arguments = body.find('{').map_or(body, |at| &body[..at]);
    if arguments.trim_end().ends_with("```json") && !body.trim_end().ends_with("```") {
        closing.push_str("\n```");
    }
    for (open, close) in PAIRS {
        if before
            .rfind(open)
            .is_some_and(|at| !before[at..].contains(close))
        {
            closing.push_str(close);
            return closing;
        }
    }
    let tags = ["<tool_call>", "<tools>", "<seed:tool_call>"];
    let last = tags
        .into_iter()
        .filter_map(|tag| before.rfind(tag).map(|at| (at, tag)))
        .max();
    if let Some((at, tag)) = last {
        let is_open = !before[at..].contains("</");
        if is_open {
            closing.push_str("\n</");
            closing.push_str(&tag[1..]);
        }
    }
    if before.matches("```").count() % 2 == 1 {
        closing.push_str("\n```");
    }
    closing
}

/// Returns the grammar of a whole body: a call of one of the tools, whose schemas are given in the same order.
pub(super) fn call(
    form: CallForm,
    tools: &[&ToolSpec],
    schemas: &[Rc<Enforced>],
    spacing: Spacing,
    tokens: &TokTrie,
) -> TopLevelGrammar {
    let mut writer = Writer {
        spacing,
        tokens,
        coerced: false,
        rules: String::new(),
        named: 0,
        nested: Vec::new(),
    };
    let calls: Vec<String> = tools
        .iter()
        .zip(schemas)
        .map(|(tool, enforced)| {
            writer.coerced = enforced.coerced;
            let schema = &enforced.schema;
            match form {
                CallForm::FunctionTag => writer.tagged(tool, schema, "\n"),
                CallForm::SeedTag => writer.tagged(tool, schema, ""),
                _ => writer
                    .named(form, tool, schema)
                    .unwrap_or_else(|| writer.json(form, tool, schema)),
            }
        })
        .collect();
    let calls = calls.join(" | ");
    let gap = writer.gap();
    let space = writer.space();
    // Whitespace before the name was written by the model before it was known that this is a call.
    let (head, end) = match form {
        CallForm::JsonFence | CallForm::ToolCallTag | CallForm::BareJson => (
            format!(r#"/[ \n]{{0,2}}\{{{gap}"name"{gap}:{space}"/"#),
            writer.mark("}"),
        ),
        CallForm::ToolCallsToken | CallForm::ToolCallToken => (
            format!(r#"/[ \n]{{0,2}}\[{gap}\{{{gap}"name"{gap}:{space}"/"#),
            format!("{} {}", writer.mark("}"), writer.mark("]")),
        ),
        CallForm::FunctionTag | CallForm::SeedTag => (
            r"/[ \n]{0,2}(<function=)?/".to_owned(),
            "\"</function>\"".to_owned(),
        ),
        CallForm::Pythonic => ("\"[\"".to_owned(), "\"]\"".to_owned()),
        CallForm::ToolCallsArgs
        | CallForm::Harmony
        | CallForm::DeepSeek
        | CallForm::DeepSeekFence
        | CallForm::ArgKeys
        | CallForm::Braces => (String::new(), String::new()),
    };
    let (head, start) = match head.as_str() {
        "" => (String::new(), "(calls)".to_owned()),
        head => (format!("HEAD: {head}\n"), format!("HEAD (calls) {end}")),
    };
    let lark = format!("start: {start}\ncalls: {calls}\n{head}{}", writer.rules);
    let mut grammars = vec![GrammarWithLexer {
        name: Some("call".to_owned()),
        lark_grammar: Some(lark),
        ..GrammarWithLexer::default()
    }];
    grammars.extend(writer.nested);
    TopLevelGrammar {
        grammars,
        max_tokens: None,
    }
}

pub(super) struct Writer<'t> {
    spacing: Spacing,
    /// The schema of the tool at hand lets a number come as a text, say.
    coerced: bool,
    tokens: &'t TokTrie,
    pub(super) rules: String,
    /// How many rules have a name.
    named: usize,
    nested: Vec<GrammarWithLexer>,
}

impl Writer<'_> {
    /// A regular expression for whitespace where tight spacing has none.
    fn gap(&self) -> &'static str {
        match self.spacing {
            Spacing::Tight => "",
            Spacing::Free => r"[ \t\r\n]{0,40}",
        }
    }

    /// A regular expression for whitespace after a colon or comma.
    fn space(&self) -> &'static str {
        match self.spacing {
            Spacing::Tight => " ?",
            Spacing::Free => self.gap(),
        }
    }

    /// A literal that whitespace may come before, where spacing is free.
    fn mark(&self, text: &str) -> String {
        match self.spacing {
            Spacing::Tight => literal(text),
            Spacing::Free => format!("/{}{}/", self.gap(), escape_regex(text)),
        }
    }

    /// A mark and a key, with a space after the mark and the colon if the model likes one.
    fn separator(&self, mark: char, key: &str) -> String {
        let (gap, space) = (self.gap(), self.space());
        let key = escape_regex(&quoted(key));
        format!("/{gap}{mark}{space}{key}{gap}:{space}/")
    }

    pub(super) fn nest(&mut self, schema: Value) -> String {
        let name = format!("s{}", self.nested.len());
        self.nested.push(GrammarWithLexer {
            name: Some(name.clone()),
            json_schema: Some(project::with_options(schema, self.spacing, self.coerced)),
            ..GrammarWithLexer::default()
        });
        format!("@{name}")
    }

    /// Returns the token of its own that a mark is in this vocabulary.
    pub(super) fn special(&self, mark: &str) -> Option<u32> {
        self.tokens.get_special_token(mark)
    }

    /// Returns an unused name for a rule.
    pub(super) fn rule(&mut self, kind: &str) -> String {
        self.named += 1;
        format!("{kind}{}", self.named)
    }

    /// The arguments of a call as a JSON object.
    pub(super) fn arguments(&mut self, schema: &Value) -> String {
        self.nest(schema.clone())
    }

    /// The rest of a JSON call, from its tool's name on.
    fn json(&mut self, form: CallForm, tool: &ToolSpec, schema: &Value) -> String {
        let key = match form {
            CallForm::BareJson => "parameters",
            _ => "arguments",
        };
        // The opening quote is part of the head.
        let name = literal(&quoted(&tool.name)[1..]);
        let separator = self.separator(',', key);
        let arguments = self.arguments(schema);
        format!("{name} {separator} {arguments}")
    }

    /// The rest of a call whose arguments are in tags, from its tool's name on. `line` stands on both sides of a
    /// value.
    fn tagged(&mut self, tool: &ToolSpec, schema: &Value, line: &str) -> String {
        let mut text = literal(&format!("{}>\n", tool.name));
        let none = Map::new();
        let properties = object(schema, "properties").unwrap_or(&none);
        let close = literal(&format!("{line}</parameter>\n"));
        for (key, property) in properties {
            let open = literal(&format!("<parameter={key}>{line}"));
            let is_text = property.get("type").and_then(Value::as_str) == Some("string");
            let value = if let Some(words) = words(property) {
                let words: Vec<String> = words.into_iter().map(literal).collect();
                format!("({}) {close}", words.join(" | "))
            } else if is_text {
                let rule = self.rule("text");
                let _ = writeln!(self.rules, "{rule}[suffix={close}]: /(?s:.*)/");
                rule
            } else {
                let nested = self.nest(with_definitions(property, schema));
                format!("{nested} {close}")
            };
            let item = format!("{open} {value}");
            if is_required(schema, key) {
                let _ = write!(text, " {item}");
            } else {
                let _ = write!(text, " ({item})?");
            }
        }
        text
    }
}

pub(super) fn object<'v>(value: &'v Value, key: &str) -> Option<&'v Map<String, Value>> {
    value.get(key).and_then(Value::as_object)
}

pub(super) fn is_required(schema: &Value, key: &str) -> bool {
    schema
        .get("required")
        .and_then(Value::as_array)
        .is_some_and(|names| names.iter().any(|name| name == key))
}

/// Returns the words that a property chooses from, if it does.
fn words(property: &Value) -> Option<Vec<&str>> {
    let choices = match (property.get("const"), property.get("enum")) {
        (Some(only), _) => vec![only],
        (None, Some(Value::Array(choices))) => choices.iter().collect(),
        _ => return None,
    };
    choices.into_iter().map(Value::as_str).collect()
}

/// A property's schema on its own, with the definitions that it may refer to.
pub(super) fn with_definitions(property: &Value, schema: &Value) -> Value {
    let mut property = match property {
        Value::Object(property) => property.clone(),
        _ => Map::new(),
    };
    for key in ["$defs", "definitions"] {
        if let Some(definitions) = schema.get(key) {
            property.insert(key.to_owned(), definitions.clone());
        }
    }
    Value::Object(property)
}

/// Quotes a text as JSON.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Writes a text as a literal of a Lark grammar, whose strings are those of JSON.
pub(super) fn literal(text: &str) -> String {
    quoted(text)
}

/// Turns written text into tokens: any with these bytes will do, since the grammar is one over bytes, but for the
/// marks that are tokens of their own.
pub(super) fn tokens(trie: &TokTrie, text: &[u8]) -> Vec<u32> {
    let mut tokens = Vec::new();
    let (mut from, mut at) = (0, 0);
    while at < text.len() {
        let mark = MARKS
            .iter()
            .find(|mark| text[at..].starts_with(mark.as_bytes()))
            .and_then(|mark| Some((mark.len(), trie.get_special_token(mark)?)));
        match mark {
            Some((length, token)) => {
                tokens.extend(trie.greedy_tokenize(&text[from..at]));
                tokens.push(token);
                at += length;
                from = at;
            }
            None => at += 1,
        }
    }
    tokens.extend(trie.greedy_tokenize(&text[from..]));
    tokens
}

/// Escapes a text for a regular expression between slashes.
fn escape_regex(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
