//! The tools as a client sees them. A small model reads this: one short sentence each, nothing it does not need.

use rmcp::model::{JsonObject, MetaObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use crate::protocol::KNOWN_KEYWORD;

/// A tool of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum ToolName {
    Read,
    List,
    Find,
    Search,
    Edit,
    Write,
    Rename,
    /// For the host: a model is not told of these.
    Move,
    MoveFile,
    SetExecutable,
}

/// An argument: its name, its JSON type, whether it must be given, and what to know about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Argument {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    description: Option<&'static str>,
    /// What it names, so that a model is held to what is there.
    known: Option<&'static str>,
}

/// The type of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A whole number from 1.
    Count,
}

const fn required(name: &'static str) -> Argument {
    Argument {
        name,
        kind: Kind::Text,
        required: true,
        description: None,
        known: None,
    }
}

const fn optional(name: &'static str, kind: Kind) -> Argument {
    Argument {
        name,
        kind,
        required: false,
        description: None,
        known: None,
    }
}

const fn described(argument: Argument, description: &'static str) -> Argument {
    Argument {
        description: Some(description),
        ..argument
    }
}

/// An argument that names something there is: a `file`, a `folder`, or a `path`, which is one of both.
const fn known(argument: Argument, kind: &'static str) -> Argument {
    Argument {
        known: Some(kind),
        ..argument
    }
}

impl ToolName {
    /// All tools; the order never changes, since it stands in the model's prompt.
    const ALL: [Self; 10] = [
        Self::Read,
        Self::List,
        Self::Find,
        Self::Search,
        Self::Edit,
        Self::Write,
        Self::Rename,
        Self::Move,
        Self::MoveFile,
        Self::SetExecutable,
    ];

    /// Finds a tool by its name.
    pub(in super::super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// Returns the name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::List => "list",
            Self::Find => "find",
            Self::Search => "search",
            Self::Edit => "edit",
            Self::Write => "write",
            Self::Rename => "rename",
            Self::Move => "move_item",
            Self::MoveFile => "move_file",
            Self::SetExecutable => "set_executable",
        }
    }

    /// Returns the arguments, the required ones first.
    pub(super) fn arguments(self) -> &'static [Argument] {
        const READ: &[Argument] = &[
            known(required("path"), "file"),
            described(optional("from", Kind::Count), "First line, from 1."),
            optional("lines", Kind::Count),
        ];
        const LIST: &[Argument] = &[known(optional("path", Kind::Text), "folder")];
        const FIND: &[Argument] = &[described(required("pattern"), "A glob or part of a name.")];
        const SEARCH: &[Argument] = &[
            required("pattern"),
            known(optional("path", Kind::Text), "path"),
        ];
        const EDIT: &[Argument] = &[
            known(required("path"), "file"),
            required("old"),
            required("new"),
        ];
        const WRITE: &[Argument] = &[required("path"), required("content")];
        const RENAME: &[Argument] = &[
            required("symbol"),
            required("to"),
            known(optional("path", Kind::Text), "file"),
        ];
        const MOVE: &[Argument] = &[
            required("symbol"),
            known(required("to"), "file"),
            known(optional("path", Kind::Text), "file"),
        ];
        const MOVE_FILE: &[Argument] = &[known(required("path"), "file"), required("new_path")];
        const SET_EXECUTABLE: &[Argument] = &[known(required("path"), "file"), required("mode")];
        match self {
            Self::Read => READ,
            Self::List => LIST,
            Self::Find => FIND,
            Self::Search => SEARCH,
            Self::Edit => EDIT,
            Self::Write => WRITE,
            Self::Rename => RENAME,
            Self::Move => MOVE,
            Self::MoveFile => MOVE_FILE,
            Self::SetExecutable => SET_EXECUTABLE,
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Read => "Reads a file.",
            Self::List => "Lists the files of a directory.",
            Self::Find => "Finds files by name.",
            Self::Search => "Searches file contents by regex.",
            Self::Edit => "Replaces the passage `old`, copied exactly from the file, by `new`.",
            Self::Write => "Creates a file or replaces all of it.",
            Self::Rename => "Renames a function, type or variable in all files.",
            Self::Move => "Moves a function, type or constant to another file.",
            Self::MoveFile => "Moves a file to another path.",
            Self::SetExecutable => "Marks a file as a program (`+x`) or not (`-x`).",
        }
    }

    fn changes_files(self) -> bool {
        match self {
            Self::Edit
            | Self::Write
            | Self::Rename
            | Self::Move
            | Self::MoveFile
            | Self::SetExecutable => true,
            Self::Read | Self::List | Self::Find | Self::Search => false,
        }
    }

    /// Describes the tool to a client.
    pub(in super::super) fn describe(self) -> Tool {
        let mut meta = MetaObject::new();
        let risk = if self.changes_files() { "edit" } else { "read" };
        meta.insert("walden/risk".to_owned(), risk.into());
        if self.changes_files() {
            meta.insert("walden/preview".to_owned(), true.into());
        }
        Tool::new(self.name(), self.description(), self.schema())
            .with_annotations(
                ToolAnnotations::new()
                    .read_only(!self.changes_files())
                    .open_world(false),
            )
            .with_meta(meta)
    }

    fn schema(self) -> JsonObject {
        let mut properties = JsonObject::new();
        let mut needed: Vec<Value> = Vec::new();
        for argument in self.arguments() {
            let mut property = match argument.kind {
                Kind::Text => json!({ "type": "string" }),
                // Bounded, or a model that is held to the schema may write digits for ever.
                Kind::Count => json!({ "type": "integer", "minimum": 1, "maximum": 999_999 }),
            };
            if let Some(description) = argument.description {
                property["description"] = description.into();
            }
            if let Some(known) = argument.known {
                property[KNOWN_KEYWORD] = known.into();
            }
            properties.insert(argument.name.to_owned(), property);
            if argument.required {
                needed.push(argument.name.into());
            }
        }
        let mut schema = JsonObject::new();
        schema.insert("type".to_owned(), "object".into());
        schema.insert("properties".to_owned(), properties.into());
        if !needed.is_empty() {
            schema.insert("required".to_owned(), needed.into());
        }
        schema
    }
}

/// Describes all tools, in their order.
pub(super) fn all() -> Vec<Tool> {
    ToolName::ALL.into_iter().map(ToolName::describe).collect()
}
