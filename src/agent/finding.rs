//! Tools that are not part of walden: how the model is told of them, and how it finds those that it was not told of.
//!
//! They never stand in the system text, which stays what it is whichever servers are up: the next message of the user
//! names them, each on a line. Servers whose tools would take too many tokens are left out of that; the model finds
//! their tools with one of its own ([`FIND`]), and what it has found can be called from then on.

use serde_json::{Map, Value, json};

use super::{Agent, prompt};
use crate::protocol::{Message, Outcome, Risk, ToolSpec};

/// The tool that finds tools. It is the agent's own: no server sees its calls.
pub(super) const FIND: &str = "find_tool";
/// The name that stands for the agent among the servers.
const OWN: &str = "walden";

/// The tokens that the tools of third-party servers may take before they are found only when looked for: a share of
/// the window, but not fewer than this.
const BUDGET: u32 = 400;
const SHARE: u32 = 16;
/// The most tools that one search brings into play.
const FOUND: usize = 5;

/// A third-party tool that a message names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) tool: String,
    /// The message says to call it.
    pub(super) is_order: bool,
}

impl Agent {
    /// Takes tools in. Those of a running turn wait for its end, so that what the model may call stays what it was.
    pub(super) fn take_tools(&mut self, tools: Vec<ToolSpec>) {
        let (foreign, own): (Vec<_>, Vec<_>) =
            tools.into_iter().partition(|tool| tool.risk.is_foreign());
        self.merge_tools(own);
        self.arriving.extend(foreign);
        if self.turn.is_none() {
            self.place_arrived();
        }
    }

    /// Gives the tools that came since a place: at the end, or among those that are looked for.
    pub(super) fn place_arrived(&mut self) {
        let mut servers: Vec<(String, Vec<ToolSpec>)> = Vec::new();
        for tool in std::mem::take(&mut self.arriving) {
            let known = self.tools.iter_mut().chain(&mut self.deferred);
            if let Some(known) = known.into_iter().find(|known| known.name == tool.name) {
                *known = tool;
                continue;
            }
            match servers.iter_mut().find(|(name, _)| *name == tool.server) {
                Some((_, tools)) => tools.push(tool),
                None => servers.push((tool.server.clone(), vec![tool])),
            }
        }
        for (_, tools) in servers {
            let cost: u32 = tools.iter().map(tokens).sum();
            let spent: u32 = self
                .tools
                .iter()
                .filter(|tool| tool.risk.is_foreign())
                .map(tokens)
                .sum();
            if spent + cost <= self.tool_budget() {
                self.play(tools);
            } else {
                self.defer(tools);
            }
        }
    }

    fn tool_budget(&self) -> u32 {
        let window = self.model.as_ref().map_or(0, |model| model.context);
        BUDGET.max(window / SHARE)
    }

    /// Brings tools into play: from the next message on the model knows of them.
    fn play(&mut self, tools: Vec<ToolSpec>) {
        let lines: Vec<String> = tools
            .iter()
            .filter(|tool| !self.was_told(tool))
            .map(prompt::short_signature)
            .collect();
        self.tools.extend(tools);
        if !lines.is_empty() {
            self.aside.push(format!(
                "[More tools, called like the others:\n{}]",
                lines.join("\n")
            ));
        }
    }

    fn defer(&mut self, tools: Vec<ToolSpec>) {
        self.deferred.extend(tools);
        let mut servers: Vec<(&str, usize)> = Vec::new();
        for tool in &self.deferred {
            match servers.iter_mut().find(|(name, _)| *name == tool.server) {
                Some((_, count)) => *count += 1,
                None => servers.push((&tool.server, 1)),
            }
        }
        let list: Vec<String> = servers
            .iter()
            .map(|(name, count)| format!("{name} ({count} tools)"))
            .collect();
        let spec = ToolSpec {
            server: OWN.to_owned(),
            name: FIND.to_owned(),
            tool: FIND.to_owned(),
            description: format!(
                "Finds tools by what they do. There are more of: {}.",
                list.join(", ")
            ),
            schema: json!({
                "type": "object",
                "properties": {"query": {"type": "string"}},
                "required": ["query"],
                "additionalProperties": false,
            }),
            risk: Risk::Read,
            previews: false,
        };
        // The list of servers may have grown: the model is told of it again.
        self.tools.retain(|tool| tool.server != OWN);
        let line = prompt::long_signature(&spec);
        self.tools.push(spec);
        self.aside.push(format!("[Another tool:\n{line}]"));
    }

    /// Finds the third-party tool that a message names, and brings it into play where it has to be looked for.
    pub(super) fn tool_named(&mut self, message: &str) -> Option<Named> {
        let words: Vec<&str> = message
            .split_whitespace()
            .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
            .collect();
        let speaks_of_tools = words.iter().any(|word| word.eq_ignore_ascii_case("tool"));
        let is_named = |tool: &&ToolSpec| {
            let dotted = format!("{}.{}", tool.server, tool.tool);
            // A name that is a plain word may be meant as one.
            let by_own_name = speaks_of_tools || tool.tool.contains(['-', '_']);
            words.iter().any(|word| {
                *word == tool.name || *word == dotted || (by_own_name && *word == tool.tool)
            })
        };
        let known = self.tools.iter().filter(|tool| tool.risk.is_foreign());
        let tool = known
            .chain(&self.deferred)
            .find(is_named)
            .map(|tool| tool.name.clone())?;
        if let Some(at) = self.deferred.iter().position(|one| one.name == tool) {
            let found = self.deferred.remove(at);
            self.play(vec![found]);
        }
        Some(Named {
            tool,
            is_order: super::intent::orders_a_call(message),
        })
    }

    /// Tells whether a conversation that goes on knows of a tool already.
    fn was_told(&self, tool: &ToolSpec) -> bool {
        let line = prompt::short_signature(tool);
        self.messages.iter().any(|message| match message {
            Message::User { text } | Message::Tool { text, .. } => text.contains(&line),
            Message::System { .. } | Message::Assistant { .. } => false,
        })
    }

    /// Returns how many of a request's tools stand in no list that a template writes: they are the last ones.
    pub(super) fn unlisted(tools: &[ToolSpec]) -> usize {
        tools
            .iter()
            .rev()
            .take_while(|tool| !is_listed(tool))
            .count()
    }

    /// Answers a search for tools, and brings what it finds into play.
    pub(super) fn find_tools(&mut self, arguments: &Map<String, Value>) -> Outcome {
        let query = arguments
            .get("query")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let words = words(query);
        let rated = |tools: &mut dyn Iterator<Item = &ToolSpec>| {
            let mut rated: Vec<(u32, ToolSpec)> = tools
                .map(|tool| (score(tool, &words), tool.clone()))
                .filter(|(score, _)| *score > 0)
                .collect();
            // The best first; of equals, the one that its server lists first.
            rated.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
            rated.truncate(FOUND);
            rated
        };
        let new = rated(&mut self.deferred.iter());
        let best = new.first().map_or(0, |(score, _)| *score);
        // One that fits no worse and can be called already is not passed over for one that is new.
        let mut scored = rated(&mut self.tools.iter().filter(|tool| tool.risk.is_foreign()));
        scored.retain(|(score, _)| *score >= best);
        scored.extend(new);
        if scored.is_empty() {
            let names = self.deferred.iter().map(|tool| tool.name.as_str());
            let names: Vec<&str> = names.take(40).collect();
            let text = format!(
                "no tool fits `{query}`; some that there are: {}",
                names.join(", ")
            );
            return Outcome::Failed { text };
        }
        let lines: Vec<String> = scored
            .iter()
            .map(|(_, tool)| prompt::long_signature(tool))
            .collect();
        let found: Vec<String> = scored.iter().map(|(_, tool)| tool.name.clone()).collect();
        for name in &found {
            if let Some(at) = self.deferred.iter().position(|tool| tool.name == *name) {
                let tool = self.deferred.remove(at);
                self.tools.push(tool);
            }
        }
        let text = format!("These can be called now:\n{}\n", lines.join("\n"));
        Outcome::Done { text }
    }
}

/// Tells whether a tool stands in the list of tools that a prompt begins with.
pub(super) fn is_listed(tool: &ToolSpec) -> bool {
    !tool.risk.is_foreign() && tool.server != OWN
}

/// Tells whether a call is the agent's own to answer.
pub(super) fn is_search(tool: &ToolSpec) -> bool {
    tool.server == OWN && tool.name == FIND
}

/// Guesses what a tool's line costs: about a token for each three bytes, as names are rarer than words.
fn tokens(tool: &ToolSpec) -> u32 {
    (prompt::short_signature(tool).len() as u32).div_ceil(3)
}

pub(super) fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.len() > 1)
        .map(str::to_lowercase)
        .collect()
}

/// Rates how well a tool fits the words of a search: its name counts most, then its description, then its arguments.
pub(super) fn score(tool: &ToolSpec, wanted: &[String]) -> u32 {
    let arguments = tool.schema["properties"].as_object();
    let arguments: Vec<String> = arguments
        .into_iter()
        .flatten()
        .flat_map(|(name, _)| words(name))
        .collect();
    let name = words(&tool.name);
    let description = words(&tool.description);
    wanted
        .iter()
        .map(|wanted| {
            let has = |words: &[String]| words.iter().any(|word| alike(word, wanted));
            4 * u32::from(has(&name))
                + 2 * u32::from(has(&description))
                + u32::from(has(&arguments))
        })
        .sum()
}

/// Tells whether two words are one: `issue` fits `issues`, and `creating` fits `create`.
pub(super) fn alike(word: &str, wanted: &str) -> bool {
    let shared = word
        .chars()
        .zip(wanted.chars())
        .take_while(|(a, b)| a == b)
        .count();
    let is_plural = |one: &str, other: &str| one.strip_suffix('s') == Some(other);
    word == wanted
        || is_plural(word, wanted)
        || is_plural(wanted, word)
        || (shared >= 4 && shared + 3 >= word.len().max(wanted.len()))
}

#[cfg(test)]
#[path = "finding_tests.rs"]
mod tests;
