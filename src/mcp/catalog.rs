//! What a server offers: tools, resources, templates and prompts, listed within bounds and read leniently.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::era::{Era, Hello};
use super::link::{Link, LinkError, METHOD_NOT_FOUND, Patience};

/// The most pages of a list, and items of all its pages.
const PAGES: usize = 100;
const ITEMS: usize = 2_000;
/// The most bytes of one item's definition.
const ITEM: usize = 256 * 1024;
/// A list is not read again sooner than this for its age alone, whatever its server says.
const AGES: Duration = Duration::from_secs(10);

/// Everything that a server offers.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Catalog {
    pub(super) tools: Vec<Value>,
    pub(super) resources: Vec<Value>,
    pub(super) templates: Vec<Value>,
    pub(super) prompts: Vec<Value>,
    /// What was left out, and why; one line each.
    pub(super) left_out: Vec<String>,
    /// How long all of it holds, as the server says (`ttlMs`).
    holds: Option<Duration>,
}

impl Catalog {
    /// Returns after what time it is to be read again: a server that tells of changes needs no such reading.
    pub(super) fn ages(&self, hello: &Hello) -> Option<Duration> {
        let tells = hello.can("/tools/listChanged") || !hello.can("/tools");
        let holds = self.holds.filter(|_| hello.era == Era::Modern && !tells)?;
        Some(holds.max(AGES))
    }

    /// Leaves out what an offer does not hold.
    pub(super) fn keep(&mut self, offer: &Value) {
        let lists = [
            ("tools", "name", &mut self.tools),
            ("prompts", "name", &mut self.prompts),
            ("templates", "uriTemplate", &mut self.templates),
        ];
        for (list, name, items) in lists {
            items.retain(|item| {
                let is_kept = item[name]
                    .as_str()
                    .is_some_and(|name| offer[list].get(name).is_some());
                if !is_kept {
                    let name = super::text::short(item[name].as_str().unwrap_or("?"), 80);
                    self.left_out.push(format!(
                        "`{name}` of its {list}: nobody agreed to it as it is now"
                    ));
                }
                is_kept
            });
        }
    }
}

/// Lists everything that a server says it has.
pub(super) async fn list(
    link: &Link,
    hello: &Hello,
    patience: Patience,
) -> Result<Catalog, String> {
    let mut catalog = Catalog::default();
    let (mut left_out, mut holds) = (Vec::new(), None);
    if hello.can("/tools") {
        let noted = (&mut left_out, &mut holds);
        let tools = pages(link, "tools/list", "tools", patience, noted)
            .await
            .map_err(|error| format!("it did not list its tools: {error}"))?;
        let mut names: Vec<String> = Vec::new();
        for tool in tools {
            match check_tool(&tool, &names) {
                Ok(name) => {
                    names.push(name);
                    catalog.tools.push(tool);
                }
                Err(problem) => left_out.push(problem),
            }
        }
    }
    // What else a server offers is not worth losing its tools for.
    let lists: [(&str, &str, &str, &str, &mut Vec<Value>); 3] = [
        (
            "/resources",
            "resources/list",
            "resources",
            "uri",
            &mut catalog.resources,
        ),
        (
            "/resources",
            "resources/templates/list",
            "resourceTemplates",
            "uriTemplate",
            &mut catalog.templates,
        ),
        (
            "/prompts",
            "prompts/list",
            "prompts",
            "name",
            &mut catalog.prompts,
        ),
    ];
    for (capability, method, key, name, into) in lists {
        if !hello.can(capability) {
            continue;
        }
        let noted = (&mut left_out, &mut holds);
        match pages(link, method, key, patience, noted).await {
            Ok(items) => into.extend(items.into_iter().filter(|item| item[name].is_string())),
            Err(LinkError::Refused {
                code: METHOD_NOT_FOUND,
                ..
            }) => {}
            Err(error) => left_out.push(format!("`{method}` failed: {error}")),
        }
    }
    catalog.left_out = left_out;
    catalog.holds = holds;
    Ok(catalog)
}

/// Reads a list page by page, and notes what is left out of it and how long it holds. A cursor that comes again, or too
/// many pages, end it.
async fn pages(
    link: &Link,
    method: &str,
    key: &str,
    patience: Patience,
    (left_out, holds): (&mut Vec<String>, &mut Option<Duration>),
) -> Result<Vec<Value>, LinkError> {
    let mut items = Vec::new();
    let mut cursors: Vec<String> = Vec::new();
    loop {
        let params = match cursors.last() {
            None => json!({}),
            Some(cursor) => json!({"cursor": cursor}),
        };
        let mut page = match link.request(method, params, patience).await {
            Ok(page) => page,
            // What came before is better than nothing.
            Err(error) if !items.is_empty() => {
                left_out.push(format!("the rest of `{method}`: {error}"));
                break;
            }
            Err(error) => return Err(error),
        };
        // 0 says that it may be another one at once, and not when.
        if let Some(ttl) = page["ttlMs"].as_u64().filter(|ttl| *ttl > 0) {
            let ttl = Duration::from_millis(ttl);
            *holds = Some(holds.map_or(ttl, |holds| holds.min(ttl)));
        }
        match page[key].take() {
            Value::Array(more) => {
                for item in more {
                    if items.len() == ITEMS {
                        break;
                    }
                    match item.to_string().len() {
                        ..=ITEM => items.push(item),
                        bytes => left_out.push(format!(
                            "an item of `{method}` with {} KiB of definition",
                            bytes >> 10
                        )),
                    }
                }
            }
            _ => {
                return Err(LinkError::Unreadable(format!(
                    "the answer to `{method}` holds no list `{key}`"
                )));
            }
        }
        if items.len() == ITEMS {
            left_out.push(format!("everything after {ITEMS} items of `{method}`"));
            break;
        }
        // An empty text is a cursor like any other.
        match page["nextCursor"].as_str() {
            None => break,
            Some(next) if cursors.iter().any(|cursor| cursor == next) => {
                left_out.push(format!("`{method}` gave the same cursor twice"));
                break;
            }
            Some(_) if cursors.len() + 1 == PAGES => {
                left_out.push(format!("everything after {PAGES} pages of `{method}`"));
                break;
            }
            Some(next) => cursors.push(next.to_owned()),
        }
    }
    Ok(items)
}

/// Checks a tool's definition: a bad one is left out, and the others are not.
fn check_tool(tool: &Value, names: &[String]) -> Result<String, String> {
    let Some(name) = tool["name"].as_str().filter(|name| !name.is_empty()) else {
        return Err("a tool without a name".to_owned());
    };
    let shown = super::text::short(name, 80);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    if name.len() > 128 || !name.chars().all(plain) {
        return Err(format!(
            "the tool `{shown}`: its name may hold letters, digits and `_-./` only, 128 at most"
        ));
    }
    if names.iter().any(|known| known == name) {
        return Err(format!("the tool `{shown}`: it is listed twice"));
    }
    match &tool["inputSchema"] {
        Value::Object(schema) if is_object_schema(schema) => Ok(name.to_owned()),
        _ => Err(format!(
            "the tool `{shown}`: its `inputSchema` is no object schema"
        )),
    }
}

fn is_object_schema(schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        // Without a type anything goes, an object as well.
        None => true,
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        Some(_) => false,
    }
}
