//! Which arguments of which tools are held to what is known.

use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Value;

use crate::protocol::{KNOWN_KEYWORD, ToolSpec};

/// What is said about a value of the arguments, and about the values in it.
#[derive(Debug, Default)]
pub(super) struct Mark {
    pub(super) kind: Option<MarkedAs>,
    pub(super) fields: HashMap<String, Rc<Mark>>,
    pub(super) items: Option<Rc<Mark>>,
    /// An edit: its `old` is a passage of the file at its `path`, which was written before.
    pub(super) quotes: Option<Quoting>,
}

/// How an edit quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoting {
    /// What stands in the file once, unless the call said before that all places are meant.
    Once,
    /// What stands there: that all places are meant can be said afterwards.
    Anywhere,
}

/// What a string names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum MarkedAs {
    File,
    Folder,
    /// A file or a folder.
    Path,
    Ref,
    Entity,
}

impl MarkedAs {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "file" => Self::File,
            "folder" => Self::Folder,
            "path" => Self::Path,
            "ref" => Self::Ref,
            "entity" => Self::Entity,
            _ => return None,
        })
    }
}

/// The argument of an edit that says all places of a passage are meant.
pub(super) const ALL: [&str; 2] = ["all", "replace_all"];

impl Mark {
    /// Reads the marks of a tool's schema; `None` where there are none.
    pub(super) fn of(tool: &ToolSpec) -> Option<Rc<Self>> {
        let mut mark = Self::of_schema(&tool.schema, 0).unwrap_or_default();
        mark.quotes = quotes(&tool.schema);
        (mark.quotes.is_some() || !mark.fields.is_empty() || mark.items.is_some())
            .then(|| Rc::new(mark))
    }

    fn of_schema(schema: &Value, depth: usize) -> Option<Self> {
        const DEEPEST: usize = 16;
        let schema = schema.as_object().filter(|_| depth < DEEPEST)?;
        let kind = schema
            .get(KNOWN_KEYWORD)
            .and_then(Value::as_str)
            .and_then(MarkedAs::named);
        let fields: HashMap<String, Rc<Self>> = schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(name, field)| {
                Some((name.clone(), Rc::new(Self::of_schema(field, depth + 1)?)))
            })
            .collect();
        let items = schema
            .get("items")
            .and_then(|items| Self::of_schema(items, depth + 1))
            .map(Rc::new);
        (kind.is_some() || !fields.is_empty() || items.is_some()).then_some(Self {
            kind,
            fields,
            items,
            quotes: None,
        })
    }
}

/// Tells whether a tool takes a passage of a file, whose path has to be written before.
pub(in crate::model::constraint) fn quotes_a_file(schema: &Value) -> bool {
    quotes(schema).is_some()
}

/// Tells whether, and how, a tool takes a `path` and then an `old` passage of the file there.
fn quotes(schema: &Value) -> Option<Quoting> {
    let properties = schema.get("properties").and_then(Value::as_object)?;
    let place = |key: &str| properties.keys().position(|name| name == key);
    let is_required = |key: &str| {
        schema
            .get("required")
            .and_then(Value::as_array)
            .is_some_and(|names| names.iter().any(|name| name == key))
    };
    let is_text = |key: &str| properties[key].get("type").and_then(Value::as_str) == Some("string");
    let (path, old) = (place("path")?, place("old")?);
    let fits = path < old
        && ["path", "old"]
            .into_iter()
            .all(|key| is_required(key) && is_text(key));
    let says_all_later = ALL
        .iter()
        .any(|all| place(all).is_some_and(|all| all > old));
    fits.then_some(match says_all_later {
        true => Quoting::Anywhere,
        false => Quoting::Once,
    })
}
