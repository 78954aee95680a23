//! What a tool is, and how a client sees it.

use rmcp::model::{JsonObject, MetaObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use crate::protocol::KNOWN_KEYWORD;

/// A tool: how it is called, and what it may do.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    pub(super) arguments: &'static [Argument],
    pub(super) risk: Risk,
    pub(super) repeatable: bool,
    /// The schema's own name, which the reference server gives.
    pub(super) title: Option<&'static str>,
}

/// What a tool may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Risk {
    /// Reads the repository.
    Read,
    /// Writes to it so that nothing is lost: staging, commits, branches, safe checkouts, the stash.
    Git,
    /// Takes commits or changes out of sight.
    History,
}

/// An argument of a tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Argument {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    title: Option<&'static str>,
    text: Option<&'static str>,
    /// Not an argument of the reference server's tool.
    #[cfg_attr(
        not(test),
        expect(
            dead_code,
            reason = "the comparison with the reference leaves these out"
        )
    )]
    pub(super) extension: bool,
    /// What it names, so that a model is held to what is there.
    known: Option<&'static str>,
}

/// The type of an argument, and what it is when it is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    OptionalText,
    OneOf(&'static [&'static str]),
    Number { default: i64 },
    OptionalCount,
    Texts,
    OptionalTexts,
    Flag,
}

impl Kind {
    pub(super) fn is_required(self) -> bool {
        matches!(self, Self::Text | Self::Texts)
    }
}

pub(super) const fn argument(name: &'static str, kind: Kind, title: &'static str) -> Argument {
    Argument {
        name,
        kind,
        title: Some(title),
        text: None,
        extension: false,
        known: None,
    }
}

pub(super) const fn described(argument: Argument, text: &'static str) -> Argument {
    Argument {
        text: Some(text),
        ..argument
    }
}

pub(super) const fn more(name: &'static str, kind: Kind, text: &'static str) -> Argument {
    Argument {
        name,
        kind,
        title: None,
        text: Some(text),
        extension: true,
        known: None,
    }
}

/// An argument of the compact tools: no title, and words only where the name does not say it.
pub(super) const fn short(name: &'static str, kind: Kind) -> Argument {
    Argument {
        name,
        kind,
        title: None,
        text: None,
        extension: false,
        known: None,
    }
}

/// An argument of the compact tools that names something there is: a `ref` or a `file`.
pub(super) const fn known(argument: Argument, known: &'static str) -> Argument {
    Argument {
        known: Some(known),
        ..argument
    }
}

impl Description {
    /// Describes the tool to a client.
    pub(super) fn to_tool(&self) -> Tool {
        let risk = match self.risk {
            Risk::Read => "read",
            Risk::Git => "git_local",
            Risk::History => "git_history",
        };
        let mut meta = MetaObject::new();
        meta.insert("walden/risk".to_owned(), risk.into());
        // The reference calls its `git_reset` destructive: staged changes are gone from the index.
        let destructive = self.risk == Risk::History || self.name == "git_reset";
        Tool::new(self.name, self.text, self.schema())
            .with_annotations(
                ToolAnnotations::new()
                    .read_only(self.risk == Risk::Read)
                    .destructive(destructive)
                    .idempotent(self.repeatable)
                    .open_world(false),
            )
            .with_meta(meta)
    }

    fn schema(&self) -> JsonObject {
        let mut properties = JsonObject::new();
        let mut required: Vec<Value> = Vec::new();
        for argument in self.arguments {
            let plain = argument.title.is_none() && argument.text.is_none();
            let mut property = match argument.kind {
                Kind::Text => json!({ "type": "string" }),
                // The compact form says less: leaving it out is what it is for.
                Kind::OptionalText if plain => json!({ "type": "string" }),
                Kind::OptionalText => {
                    json!({ "anyOf": [{ "type": "string" }, { "type": "null" }], "default": null })
                }
                Kind::OneOf(values) => {
                    json!({ "type": "string", "enum": values, "default": values.first() })
                }
                Kind::Number { default } => json!({ "type": "integer", "default": default }),
                // Bounded, or a model that is held to the schema may write digits for ever.
                Kind::OptionalCount => {
                    json!({ "type": "integer", "minimum": 1, "maximum": 999_999 })
                }
                Kind::Texts => {
                    json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 })
                }
                Kind::OptionalTexts => json!({
                    "anyOf": [{ "type": "array", "items": { "type": "string" } }, { "type": "null" }],
                    "default": null,
                }),
                Kind::Flag => json!({ "type": "boolean", "default": false }),
            };
            if let Some(title) = argument.title {
                property["title"] = title.into();
            }
            if let Some(text) = argument.text {
                property["description"] = text.into();
            }
            if let Some(known) = argument.known {
                property[KNOWN_KEYWORD] = known.into();
            }
            properties.insert(argument.name.to_owned(), property);
            if argument.kind.is_required() {
                required.push(argument.name.into());
            }
        }
        let mut schema = JsonObject::new();
        schema.insert("type".to_owned(), "object".into());
        schema.insert("properties".to_owned(), properties.into());
        if !required.is_empty() {
            schema.insert("required".to_owned(), required.into());
        }
        if let Some(title) = self.title {
            schema.insert("title".to_owned(), title.into());
        }
        schema
    }
}
