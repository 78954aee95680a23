//! What else third-party servers have than tools: resources and prompts, completion, and what is to be known of a
//! server as a whole.

use serde_json::{Map, Value, json};

use super::calling::{self, Telling};
use super::foreign::{Live, Stage};
use super::host::{Caller, Host};
use super::link::Patience;
use super::text::short;
use super::{convert, pins};
use crate::protocol::{Answer, Field, FieldKind, QuestionKind, ToolSpec, clip};

/// The most of a resource or a prompt that is put before the model, in bytes.
const ATTACHED: usize = 64 * 1024;
/// How long a completion may take: somebody is typing.
const COMPLETION: std::time::Duration = std::time::Duration::from_secs(3);

/// A text of a server's that is put before the model, as data.
#[derive(Debug, Clone, PartialEq)]
pub struct Attachment {
    pub server: String,
    /// What it is, such as a resource's address.
    pub label: String,
    pub text: String,
}

/// What is to be known of a third-party server.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    pub name: String,
    pub state: String,
    /// What it calls itself.
    pub title: String,
    pub era: &'static str,
    pub version: String,
    /// The oldest revision of the protocol that it is held to.
    pub min_protocol: Option<&'static str>,
    pub capabilities: Vec<String>,
    pub instructions: String,
    pub tools: Vec<ToolSpec>,
    /// Names with descriptions.
    pub resources: Vec<(String, String)>,
    pub templates: Vec<(String, String)>,
    pub prompts: Vec<(String, String)>,
    pub left_out: Vec<String>,
    /// All that is pinned of it, as it is shown.
    pub offer: String,
    pub log: Vec<String>,
}

impl Host {
    /// Tells about every third-party server.
    pub fn inspect(&self) -> Vec<Inspection> {
        self.foreign
            .iter()
            .map(|server| {
                let shared = &server.shared;
                let mut inspection = Inspection {
                    name: shared.definition.name.clone(),
                    state: String::new(),
                    title: String::new(),
                    era: shared.definition.era.name(),
                    version: String::new(),
                    min_protocol: shared.definition.min_protocol,
                    capabilities: Vec::new(),
                    instructions: String::new(),
                    tools: Vec::new(),
                    resources: Vec::new(),
                    templates: Vec::new(),
                    prompts: Vec::new(),
                    left_out: Vec::new(),
                    offer: String::new(),
                    log: shared.log.tail(50),
                };
                match &*shared.stage.borrow() {
                    Stage::Starting => inspection.state = "starting".to_owned(),
                    Stage::Down(reason) => inspection.state = format!("down: {reason}"),
                    Stage::Up(live) => inspection.fill(live),
                }
                inspection
            })
            .collect()
    }
}

impl Inspection {
    fn fill(&mut self, live: &Live) {
        let named = |items: &[Value], name: &str| -> Vec<(String, String)> {
            items
                .iter()
                .map(|item| {
                    let word = |key: &str| short(item[key].as_str().unwrap_or_default(), 300);
                    let description = match word("description") {
                        empty if empty.is_empty() => word("name"),
                        description => description,
                    };
                    (word(name), description)
                })
                .collect()
        };
        self.state = "up".to_owned();
        self.title.clone_from(&live.hello.name);
        self.era = live.hello.era.name();
        self.version.clone_from(&live.hello.version);
        self.capabilities = live
            .hello
            .capabilities
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| short(name, 60))
            .collect();
        self.instructions = clip(&crate::protocol::sanitize(&live.hello.instructions), 8_000);
        self.tools.clone_from(&live.tools);
        self.resources = named(&live.catalog.resources, "uri");
        self.templates = named(&live.catalog.templates, "uriTemplate");
        self.prompts = named(&live.catalog.prompts, "name");
        self.left_out.clone_from(&live.catalog.left_out);
        self.offer = pins::offer_text(&live.offer);
    }
}

impl Caller {
    /// Tells whether there is a third-party server of that name.
    pub fn has(&self, server: &str) -> bool {
        self.server(server).is_some()
    }

    /// Reads a resource.
    ///
    /// # Errors
    /// One line that says what failed.
    pub async fn resource(&self, server: &str, uri: &str) -> Result<Attachment, String> {
        let result = self
            .asked(server, "resources/read", json!({"uri": uri}))
            .await?;
        let texts: Vec<String> = result["contents"]
            .as_array()
            .into_iter()
            .flatten()
            .map(convert::resource)
            .collect();
        if texts.is_empty() {
            return Err(format!("`{}` of `{server}` is empty", short(uri, 200)));
        }
        if let Some(shared) = self.server(server)
            && let Stage::Up(live) = &*shared.stage.borrow()
        {
            live.subscribe(uri);
        }
        Ok(Attachment {
            server: server.to_owned(),
            label: short(uri, 300),
            text: clip(&texts.join("\n"), ATTACHED),
        })
    }

    /// Gets a prompt. Words of the form `name=value` are its arguments; other words fill them in their order, the last
    /// one taking all that is left.
    ///
    /// # Errors
    /// One line that says what failed, or which argument is wanted.
    pub async fn prompt(
        &self,
        server: &str,
        prompt: &str,
        words: &str,
    ) -> Result<Attachment, String> {
        let shared = self
            .server(server)
            .ok_or_else(|| format!("there is no server `{server}`"))?;
        let live = calling::live(&shared).await?;
        let listed = live
            .catalog
            .prompts
            .iter()
            .find(|one| one["name"] == prompt)
            .ok_or_else(|| {
                let names: Vec<&str> = live
                    .catalog
                    .prompts
                    .iter()
                    .filter_map(|one| one["name"].as_str())
                    .collect();
                let names = short(&names.join(", "), 400);
                format!(
                    "`{server}` has no prompt `{}`; it has: {names}",
                    short(prompt, 80)
                )
            })?;
        let arguments = match arguments(listed, words) {
            Ok(arguments) => arguments,
            Err(problem) => self.asked_for(server, listed, words).await.ok_or(problem)?,
        };
        let params = json!({"name": prompt, "arguments": arguments});
        let result = self.asked(server, "prompts/get", params).await?;
        let texts: Vec<String> = result["messages"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|message| {
                let text = convert::content(&message["content"]);
                match message["role"].as_str() {
                    Some("assistant") => format!("(an earlier answer) {text}"),
                    _ => text,
                }
            })
            .collect();
        if texts.is_empty() {
            return Err(format!("the prompt `{}` is empty", short(prompt, 80)));
        }
        Ok(Attachment {
            server: server.to_owned(),
            label: short(prompt, 100),
            text: clip(&texts.join("\n\n"), ATTACHED),
        })
    }

    /// Has the user fill in what a prompt needs. `None` when nobody does.
    async fn asked_for(
        &self,
        server: &str,
        prompt: &Value,
        words: &str,
    ) -> Option<Map<String, Value>> {
        let given = given(prompt, words).ok()?;
        let word = |one: &Value, key: &str| one[key].as_str().map(|text| short(text, 300));
        let fields = prompt["arguments"]
            .as_array()?
            .iter()
            .filter_map(|one| {
                let name = one["name"].as_str()?;
                Some(Field {
                    name: name.to_owned(),
                    title: word(one, "title"),
                    description: word(one, "description"),
                    required: one["required"].as_bool().unwrap_or(false),
                    kind: FieldKind::Text {
                        min: None,
                        max: None,
                        format: None,
                        default: given.get(name).and_then(Value::as_str).map(str::to_owned),
                    },
                })
            })
            .collect();
        let name = word(prompt, "name").unwrap_or_default();
        let message = format!("What the prompt `{name}` needs:");
        let kind = QuestionKind::Form { message, fields };
        match self.answering.desk.ask(server, kind).await {
            // A field that was left empty was not given.
            Answer::Accept { mut values, .. } => {
                values.retain(|_, value| value.as_str() != Some(""));
                Some(values)
            }
            Answer::Decline | Answer::Cancel => None,
        }
    }

    /// Asks a server how an argument of a prompt (by its name) or of a template (by its address) may go on. `given` are the
    /// other arguments that are known already.
    pub async fn complete(
        &self,
        server: &str,
        of: Completed<'_>,
        argument: &str,
        begun: &str,
        given: &[(String, String)],
    ) -> Vec<String> {
        let Some(shared) = self.server(server) else {
            return Vec::new();
        };
        let Stage::Up(live) = shared.stage.borrow().clone() else {
            return Vec::new();
        };
        if !live.hello.can("/completions") {
            return Vec::new();
        }
        let reference = match of {
            Completed::Prompt(name) => json!({"type": "ref/prompt", "name": name}),
            Completed::Template(uri) => json!({"type": "ref/resource", "uri": uri}),
        };
        let mut params = json!({"ref": reference, "argument": {"name": argument, "value": begun}});
        if !given.is_empty() {
            let given: Map<String, Value> = given
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)))
                .collect();
            params["context"] = json!({"arguments": given});
        }
        let result = live
            .link
            .request("completion/complete", params, Patience::of(COMPLETION))
            .await
            .unwrap_or_default();
        let values = result["completion"]["values"].as_array();
        values
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .take(100)
            .map(|value| short(value, 200))
            .collect()
    }

    async fn asked(&self, server: &str, method: &str, params: Value) -> Result<Value, String> {
        let shared = self
            .server(server)
            .ok_or_else(|| format!("there is no server `{server}`"))?;
        let live = calling::live(&shared).await?;
        let telling = Telling::nobody(&self.answering);
        calling::ask(&live, &shared, &self.answering, method, params, &telling)
            .await
            .map_err(|error| format!("`{method}` of the server `{server}` failed: {error}"))
    }
}

/// What is completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completed<'a> {
    Prompt(&'a str),
    Template(&'a str),
}

/// Lists a prompt's arguments, and whether each is needed.
fn names(prompt: &Value) -> Vec<(&str, bool)> {
    prompt["arguments"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| {
            Some((
                one["name"].as_str()?,
                one["required"].as_bool().unwrap_or(false),
            ))
        })
        .collect()
}

/// Reads the arguments of a prompt from words, as far as they are given.
fn given(prompt: &Value, words: &str) -> Result<Map<String, Value>, String> {
    let names = names(prompt);
    let mut given = Map::new();
    let mut rest = words.trim();
    while !rest.is_empty() {
        let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let named = word
            .split_once('=')
            .filter(|(name, _)| names.iter().any(|(known, _)| known == name));
        if let Some((name, value)) = named {
            given.insert(name.to_owned(), json!(value));
            rest = after.trim_start();
            continue;
        }
        let open: Vec<&str> = names
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| !given.contains_key(*name))
            .collect();
        match open[..] {
            [] => {
                return Err(format!(
                    "the prompt takes no argument `{}`",
                    short(word, 60)
                ));
            }
            [last] => {
                given.insert(last.to_owned(), json!(rest));
                break;
            }
            [first, ..] => {
                given.insert(first.to_owned(), json!(word));
                rest = after.trim_start();
            }
        }
    }
    Ok(given)
}

/// Reads the arguments of a prompt from words.
fn arguments(prompt: &Value, words: &str) -> Result<Map<String, Value>, String> {
    let names = names(prompt);
    let given = given(prompt, words)?;
    let missing: Vec<&str> = names
        .iter()
        .filter(|(name, required)| *required && !given.contains_key(*name))
        .map(|(name, _)| *name)
        .collect();
    match missing.is_empty() {
        true => Ok(given),
        false => Err(format!(
            "the prompt needs {}: write `{}=…`",
            missing
                .iter()
                .map(|name| format!("`{}`", short(name, 60)))
                .collect::<Vec<_>>()
                .join(", "),
            short(missing[0], 60)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_a_prompts_arguments() {
        let prompt = json!({"arguments": [{"name": "city", "required": true}, {"name": "state"}]});
        let read = |words: &str| arguments(&prompt, words).map(Value::Object);
        assert_eq!(
            read("Paris Ile de France"),
            Ok(json!({"city": "Paris", "state": "Ile de France"}))
        );
        assert_eq!(
            read("state=TX Austin"),
            Ok(json!({"state": "TX", "city": "Austin"}))
        );
        assert!(read("").is_err_and(|problem| problem.contains("`city`")));
        assert!(arguments(&json!({}), "more").is_err());
    }
}
