//! What the user does about third-party servers: the keys of their page, and their prompts and resources in a message.

use crossterm::event::KeyEvent;

use crate::protocol::{CompletionOf, Level, Op, ReportedPrompt, ServerAction};

use super::app::{App, Cmd};
use super::commands::Candidate;
use super::keymap::{Action, Context, Serve, lookup};
use super::overlay::Overlay;
use super::pages::{Target, target};

/// Resources that are offered for an `@`.
const MOST_RESOURCES: usize = 20;

/// What a server says how a prompt's argument could go on.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// What was last asked.
    asked: Option<(String, CompletionOf, String)>,
    values: Vec<String>,
}

impl Hints {
    /// Notes what is to be asked, and tells whether it is another thing than before.
    pub(super) fn ask(&mut self, what: (String, CompletionOf, String)) -> bool {
        let is_new = self.asked.as_ref() != Some(&what);
        if is_new {
            *self = Self {
                asked: Some(what),
                values: Vec::new(),
            };
        }
        is_new
    }

    /// Returns what was answered.
    pub(super) fn values(&self) -> &[String] {
        &self.values
    }
}

/// An argument that is being written after `/server:prompt`.
struct Argument<'a> {
    server: &'a str,
    prompt: &'a str,
    name: String,
    /// The line up to what is written of the value.
    before: &'a str,
    begun: &'a str,
    /// The arguments that stand before it.
    given: Vec<(String, String)>,
}

impl App {
    /// Does what a key means on the page of the servers. `None` when it means nothing there.
    pub(super) fn serve_key(&mut self, key: KeyEvent) -> Option<Vec<Cmd>> {
        let Some(Action::Serve(serve)) = lookup(key, Context::Servers) else {
            return None;
        };
        let Some(Overlay::Page(page)) = &mut self.overlay else {
            return None;
        };
        let chosen = target(page, &self.transcript);
        let act = |server: String, action| vec![Cmd::Send(Op::Server { server, action })];
        let removing = std::mem::take(&mut page.removing);
        Some(match (serve, chosen) {
            (Serve::Open, Target::Server(name) | Target::Tool { server: name, .. }) => {
                let is_open = page.open.as_deref() == Some(&name);
                page.open = (!is_open).then_some(name);
                vec![Cmd::Send(Op::ReportServers)]
            }
            (Serve::Use, Target::Server(server)) => {
                let report = self
                    .transcript
                    .reports
                    .iter()
                    .find(|one| one.name == server);
                let action = match report.is_some_and(|report| report.disabled) {
                    true => ServerAction::Enable,
                    false => ServerAction::Disable,
                };
                act(server, action)
            }
            (Serve::Use, Target::Tool { server, tool, used }) => {
                act(server, ServerAction::Tool { tool, used: !used })
            }
            (Serve::Use, Target::Job { server, job }) => {
                vec![Cmd::Send(Op::CancelJob { server, job })]
            }
            (Serve::Restart, Target::Server(server) | Target::Tool { server, .. }) => {
                act(server, ServerAction::Restart)
            }
            (Serve::LogIn, Target::Server(server)) => act(server, ServerAction::LogIn),
            (Serve::Remove, Target::Server(server)) if removing == Some(server.clone()) => {
                act(server, ServerAction::Remove)
            }
            (Serve::Remove, Target::Server(server)) => {
                let text = format!(
                    "press it again to stop `{server}` and to forget what you agreed to of it"
                );
                page.removing = Some(server);
                self.flash(Level::Warning, text);
                Vec::new()
            }
            _ => Vec::new(),
        })
    }

    /// Lists the servers' prompts that a line could become, or what their argument could be.
    pub(super) fn prompts_of_servers(&self) -> Vec<Candidate> {
        let text = self.composer.text();
        if !text.starts_with('/') || text.contains('\n') {
            return Vec::new();
        }
        if let Some(argument) = self.argument() {
            let current = (
                argument.server.to_owned(),
                of(&argument),
                argument.begun.to_owned(),
            );
            if self.hints.asked.as_ref() != Some(&current) {
                return Vec::new();
            }
            let values = self.hints.values.iter();
            return values
                .filter(|value| *value != argument.begun)
                .map(|value| {
                    let value = super::text::clean_line(value);
                    Candidate {
                        line: format!("{}{value}", argument.before),
                        help: format!("for {}", argument.name),
                        matches: (0..text.chars().count()).collect(),
                    }
                })
                .collect();
        }
        let prompts = self.transcript.reports.iter().flat_map(|server| {
            server.prompts.iter().map(|prompt| Candidate {
                line: super::text::clean_line(&format!("/{}:{}", server.name, prompt.name)),
                help: super::text::clean_line(&prompt.about),
                matches: (0..text.chars().count()).collect(),
            })
        });
        prompts
            .filter(|candidate| candidate.line.starts_with(text) && candidate.line != text)
            .collect()
    }

    /// Tells whether a line begins with a server's prompt.
    pub(super) fn is_prompt_of_server(&self, line: &str) -> bool {
        self.prompt_of(line).is_some()
    }

    fn prompt_of<'a>(&'a self, line: &str) -> Option<(&'a str, &'a ReportedPrompt)> {
        let word = line.strip_prefix('/')?.split_whitespace().next()?;
        let (server, prompt) = word.split_once(':')?;
        let report = self
            .transcript
            .reports
            .iter()
            .find(|one| one.name == server)?;
        let prompt = report.prompts.iter().find(|one| one.name == prompt)?;
        Some((&report.name, prompt))
    }

    /// Finds the argument that is being written.
    fn argument(&self) -> Option<Argument<'_>> {
        let text = self.composer.text();
        let (server, prompt) = self.prompt_of(text)?;
        let start = text.rfind(' ')? + 1;
        let last = &text[start..];
        let named = |word: &str| {
            let (name, _) = word.split_once('=')?;
            prompt.arguments.iter().position(|one| one.name == name)
        };
        let (at, value) = match named(last) {
            Some(at) => (at, start + prompt.arguments[at].name.len() + 1),
            None => {
                let words = text[..start].split_whitespace().skip(1);
                (words.filter(|word| named(word).is_none()).count(), start)
            }
        };
        let mut given = Vec::new();
        let mut places = 0;
        for word in text[..start].split_whitespace().skip(1) {
            let place = named(word).unwrap_or_else(|| {
                places += 1;
                places - 1
            });
            if let Some(argument) = prompt.arguments.get(place) {
                let value = match named(word) {
                    Some(_) => &word[argument.name.len() + 1..],
                    None => word,
                };
                given.push((argument.name.clone(), value.to_owned()));
            }
        }
        Some(Argument {
            server,
            prompt: &prompt.name,
            name: prompt.arguments.get(at)?.name.clone(),
            before: &text[..value],
            begun: &text[value..],
            given,
        })
    }

    /// Asks the server how the argument that is being written could go on, once for what is written.
    pub(super) fn ask_for_hints(&mut self) {
        let Some(argument) = self.argument() else {
            return;
        };
        let (server, of) = (argument.server.to_owned(), of(&argument));
        let (begun, given) = (argument.begun.to_owned(), argument.given);
        if self.hints.ask((server.clone(), of.clone(), begun.clone())) {
            self.later.push(Cmd::Send(Op::Complete {
                server,
                of,
                begun,
                given,
            }));
        }
    }

    /// Takes a server's answer in, unless something else was written since.
    pub(super) fn hinted(
        &mut self,
        server: &str,
        of: &CompletionOf,
        begun: &str,
        values: &[String],
    ) {
        let current = (server.to_owned(), of.clone(), begun.to_owned());
        if self.hints.asked.as_ref() == Some(&current) {
            self.hints.values = values.to_vec();
            self.chosen = 0;
            if let CompletionOf::Template { .. } = of {
                self.mention();
            }
        }
    }

    /// Lists the servers' resources that an `@` could name.
    pub(super) fn resources_for(&self, query: &str) -> Vec<Candidate> {
        let wanted = query.to_lowercase();
        let all = self.transcript.reports.iter().flat_map(|server| {
            let resources = server.resources.iter().chain(&server.templates);
            resources.map(move |(uri, about)| Candidate {
                line: super::text::clean_line(&format!("{}:{uri}", server.name)),
                help: super::text::clean_line(about),
                matches: Vec::new(),
            })
        });
        all.filter(|one| one.line != query && one.line.to_lowercase().contains(&wanted))
            .take(MOST_RESOURCES)
            .collect()
    }
}

fn of(argument: &Argument<'_>) -> CompletionOf {
    CompletionOf::Prompt {
        prompt: argument.prompt.to_owned(),
        argument: argument.name.clone(),
    }
}
