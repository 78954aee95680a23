//! Tools of others that a request is about, though it names none.
//!
//! A small model that may read and edit files does that, whatever it is asked: of twelve requests for a tracker, a
//! calendar and a chat not one came to a call of their tools. So where a request's own words are those of a tool, it is
//! shown such tools beside the request, those that would have to be looked for among them.

use super::Agent;
use super::finding::{alike, score, words};
use super::prompt;
use crate::protocol::ToolSpec;

/// The most tools that a request is shown.
const MOST: usize = 3;

/// Words that tell nothing of what is asked for.
const FILLERS: &[&str] = &[
    "a", "an", "and", "at", "be", "can", "could", "for", "from", "i", "in", "into", "is", "it",
    "its", "let", "me", "my", "need", "of", "on", "our", "please", "that", "the", "their", "then",
    "there", "this", "to", "us", "want", "we", "which", "with", "would", "you", "your",
];

/// Tools that a request is about.
#[derive(Debug)]
pub(super) struct Meant {
    pub(super) tools: Vec<String>,
    /// What the model is told of them.
    pub(super) text: String,
}

/// What a request says outside of quotation marks: what stands in them is handed on, whatever it says.
fn spoken(request: &str) -> Vec<String> {
    let mut plain = String::new();
    for (at, part) in request
        .split(['`', '"', '\u{201c}', '\u{201d}'])
        .enumerate()
    {
        if at % 2 == 0 {
            plain.push_str(part);
            plain.push(' ');
        }
    }
    let is_told = |word: &String| {
        !FILLERS.contains(&word.as_str()) && !word.chars().any(|c| c.is_ascii_digit())
    };
    words(&plain).into_iter().filter(is_told).collect()
}

/// Counts the words of a request that a tool has.
fn covered(tool: &ToolSpec, wanted: &[String]) -> usize {
    let mut of_tool = words(&tool.tool);
    of_tool.extend(words(&tool.description));
    let arguments = tool.schema["properties"].as_object();
    let names = arguments.into_iter().flatten().map(|(name, _)| name);
    of_tool.extend(names.flat_map(|name| words(name)));
    let has = |wanted: &&String| of_tool.iter().any(|word| alike(word, wanted));
    wanted.iter().filter(has).count()
}

impl Agent {
    /// Finds the third-party tools that a request is about, and brings them into play. What is to be told of them comes
    /// back; nothing does where the request may as well be about the files here.
    pub(super) fn tools_meant(&mut self, request: &str) -> Option<Meant> {
        let wanted = spoken(request);
        let known = self.tools.iter().filter(|tool| tool.risk.is_foreign());
        let mut fitting: Vec<(usize, u32, String)> = known
            .chain(&self.deferred)
            .map(|tool| (covered(tool, &wanted), score(tool, &wanted), tool))
            // Most of the words, and more than one: one word is in many requests.
            .filter(|(covered, ..)| *covered > 1 && covered * 3 >= wanted.len() * 2)
            .map(|(covered, score, tool)| (covered, score, tool.name.clone()))
            .collect();
        fitting.sort_by_key(|(covered, score, _)| std::cmp::Reverse((*covered, *score)));
        fitting.truncate(MOST);
        let mut lines = Vec::new();
        let mut tools = Vec::new();
        for (_, _, name) in fitting {
            if let Some(at) = self.deferred.iter().position(|tool| tool.name == name) {
                let tool = self.deferred.remove(at);
                self.tools.push(tool);
            }
            let tool = self.tools.iter().find(|tool| tool.name == name);
            lines.extend(tool.map(prompt::long_signature));
            tools.push(name);
        }
        (!tools.is_empty()).then(|| Meant {
            text: format!(
                "[Tools for this, called like the others:\n{}]",
                lines.join("\n")
            ),
            tools,
        })
    }

    /// Returns the third-party tool of which an answer has a call that is written as words: `tracker__open(title)`.
    pub(super) fn called_in_words(&self, answer: &str) -> Option<String> {
        let known = self.tools.iter().filter(|tool| tool.risk.is_foreign());
        let place = |tool: &ToolSpec| answer.find(&format!("{}(", tool.name));
        known
            .filter_map(|tool| Some((place(tool)?, tool.name.clone())))
            .min()
            .map(|(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_quotation_marks_tells_no_tool() {
        let said = spoken("Write `Deployment starts now` in the chat \"of 3\" channel 12.");
        assert_eq!(said, ["write", "chat", "channel"]);
    }
}
