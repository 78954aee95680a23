//! The user's own rules: which calls are allowed, asked about, or refused.
//!
//! A rule names a server and a tool and may name what the call is about: a class, paths, the first words of a command,
//! a verb of git. It is judged on what a path really leads to. A refusal wins over a question, and a question over an
//! allowance. An allowance is read narrowly (everything that the call is about must fit it) and the others widely (it
//! is enough that something fits, by its name or by what it leads to).

use serde::{Deserialize, Serialize};

use super::command::{self, Written};
use super::{Risk, Target, ToolCall, folded, glob};

/// What a rule says about the calls that it fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    Allow,
    Ask,
    Deny,
}

impl Ruling {
    /// Returns the word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    #[serde(rename = "do")]
    pub ruling: Ruling,
    /// `server.tool`, where both may have `*`.
    pub tool: String,
    /// The class of what the call does; any ordinary one where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Risk>,
    /// Globs over the paths that the call is about, relative to the repository.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// The first words of the command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Verbs of git, such as `commit`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub git: Vec<String>,
    /// What the rule is for, in the user's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Calls that the rule must fit, and calls that it must not. Tried whenever the rules are read.
    #[serde(rename = "match", default, skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<Example>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_match: Vec<Example>,
}

/// A call that a rule is tried on. What is left out is as the rule has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// `server.tool`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Risk>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

/// A call as rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub call: &'a ToolCall,
    pub risk: Risk,
    pub targets: &'a [Target],
}

impl Rule {
    /// Makes a rule about a tool, `server.tool`.
    pub fn new(ruling: Ruling, tool: &str) -> Self {
        Self {
            ruling,
            tool: tool.to_owned(),
            class: None,
            path: Vec::new(),
            command: Vec::new(),
            git: Vec::new(),
            note: None,
            matches: Vec::new(),
            not_match: Vec::new(),
        }
    }

    /// Makes the rule with which a call, and those like it, are allowed from now on: the same tool and class, and for
    /// a command the very same words.
    pub fn allowing(subject: Subject<'_>) -> Self {
        let call = subject.call;
        let command = match command::written(call) {
            Some(Written::Words(words)) => words,
            // Nothing is like a line for a shell but that line.
            Some(Written::Line(line)) => vec![line],
            None => Vec::new(),
        };
        Self {
            class: Some(subject.risk),
            command,
            ..Self::new(Ruling::Allow, &format!("{}.{}", call.server, call.tool))
        }
    }

    /// Tells whether the rule is about a call.
    pub fn fits(&self, subject: Subject<'_>) -> bool {
        let call = subject.call;
        let written = command::written(call);
        let (server, tool) = self.tool.split_once('.').unwrap_or((&self.tool, "*"));
        glob::part_fits(server, &call.server)
            && glob::part_fits(tool, &call.tool)
            && self.fits_class(subject.risk)
            && self.fits_paths(subject.targets)
            && (self.command.is_empty() || self.fits_command(written.as_ref()))
            && (self.git.is_empty() || self.fits_git(call, written.as_ref()))
    }

    fn fits_class(&self, risk: Risk) -> bool {
        match (self.ruling, self.class) {
            (Ruling::Allow, Some(class)) => class.covers(risk),
            // What is rarely meant by "this tool" has to be named.
            (Ruling::Allow, None) => !matches!(
                risk,
                Risk::SensitiveRead | Risk::EditExecutable | Risk::Delete | Risk::GitHistory
            ),
            (Ruling::Ask | Ruling::Deny, class) => class.is_none_or(|class| class == risk),
        }
    }

    fn fits_paths(&self, targets: &[Target]) -> bool {
        let fits = |path: &str| self.path.iter().any(|glob| glob::fits(glob, path));
        match self.ruling {
            _ if self.path.is_empty() => true,
            Ruling::Allow => !targets.is_empty() && targets.iter().all(|target| fits(&target.path)),
            // By whatever name the file system would find the file.
            Ruling::Ask | Ruling::Deny => {
                let globs: Vec<String> = self.path.iter().map(|glob| folded(glob)).collect();
                let fits_folded =
                    |path: &str| globs.iter().any(|glob| glob::fits(glob, &folded(path)));
                targets.iter().any(|target| {
                    [&target.path, &target.given]
                        .into_iter()
                        .any(|path| fits(path) || fits_folded(path))
                })
            }
        }
    }

    fn fits_command(&self, written: Option<&Written>) -> bool {
        match written {
            None => false,
            Some(Written::Words(words)) => words.starts_with(&self.command),
            Some(Written::Line(line)) if self.ruling == Ruling::Allow => {
                self.command == [line.as_str()]
            }
            Some(Written::Line(line)) => {
                // Somewhere in the line, whatever stands around it.
                let words: Vec<&str> = line
                    .split(|c: char| c.is_whitespace() || "|&;<>()$`\\\"'{}!".contains(c))
                    .filter(|word| !word.is_empty())
                    .collect();
                words
                    .windows(self.command.len())
                    .any(|window| window == self.command)
            }
        }
    }

    fn fits_git(&self, call: &ToolCall, written: Option<&Written>) -> bool {
        let is_verb = |verb: &str| self.git.iter().any(|wanted| wanted == verb);
        if let Some(verb) = call.tool.strip_prefix("git_")
            && is_verb(verb)
        {
            return true;
        }
        match (self.ruling, written) {
            (Ruling::Allow, _) | (_, None) => false,
            (_, Some(Written::Words(words))) => {
                words
                    .first()
                    .is_some_and(|program| program == "git" || program.ends_with("/git"))
                    && words.iter().any(|word| is_verb(word))
            }
            (_, Some(Written::Line(line))) => {
                line.contains("git") && self.git.iter().any(|verb| line.contains(verb.as_str()))
            }
        }
    }

    /// Tries the rule on its examples, and looks for what is surely not meant.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        let Some((server, tool)) = self.tool.split_once('.') else {
            return Err(format!(
                "`{}` names no tool; write `server.tool`, such as `fs.edit`, or `git.*`",
                self.tool
            ));
        };
        if server.is_empty() || tool.is_empty() {
            return Err(format!(
                "`{}` names no tool; write `server.tool`",
                self.tool
            ));
        }
        if self.ruling == Ruling::Allow {
            if server.chars().all(|c| c == '*') {
                return Err("an allowance is for a server: name it instead of `*`".to_owned());
            }
            if let Some(class @ (Risk::Network | Risk::Outside | Risk::Policy)) = self.class {
                return Err(format!("no rule can allow the class `{class}`"));
            }
        }
        for glob in &self.path {
            if glob.is_empty() || glob.starts_with('/') || glob.split('/').any(|part| part == "..")
            {
                return Err(format!(
                    "the path `{glob}` is not one inside the repository; write it relative to that, such as `src/**`"
                ));
            }
        }
        for (examples, wanted) in [(&self.matches, true), (&self.not_match, false)] {
            for example in examples {
                if self.fits_example(example) != wanted {
                    let word = if wanted { "match" } else { "not_match" };
                    return Err(format!(
                        "its `{word}` example {example} is {}matched",
                        if wanted { "not " } else { "" }
                    ));
                }
            }
        }
        Ok(())
    }

    fn fits_example(&self, example: &Example) -> bool {
        let (call, class) = example.call(&self.tool, self.class.unwrap_or(Risk::Edit));
        let targets: Vec<Target> = example
            .path
            .iter()
            .map(|path| Target::unseen(path))
            .collect();
        self.fits(Subject {
            call: &call,
            risk: class,
            targets: &targets,
        })
    }
}

impl Example {
    /// Makes the call that the example stands for.
    pub fn call(&self, tool: &str, class: Risk) -> (ToolCall, Risk) {
        let tool = self.tool.as_deref().unwrap_or(tool).replace('*', "any");
        let (server, name) = tool.split_once('.').unwrap_or((&tool, "any"));
        let mut arguments = serde_json::Map::new();
        if let Some(path) = &self.path {
            arguments.insert("path".to_owned(), path.as_str().into());
        }
        if !self.command.is_empty() {
            arguments.insert("argv".to_owned(), self.command.clone().into());
        }
        let call = ToolCall {
            id: super::CallId(0),
            server: server.to_owned(),
            tool: name.to_owned(),
            arguments,
        };
        (call, self.class.unwrap_or(class))
    }
}

impl std::fmt::Display for Example {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        parts.extend(self.tool.clone());
        parts.extend(self.class.map(|class| format!("class {class}")));
        parts.extend(self.path.clone());
        if !self.command.is_empty() {
            parts.push(self.command.join(" "));
        }
        write!(f, "`{}`", parts.join(" "))
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.ruling.name(), self.tool)?;
        if let Some(class) = self.class {
            write!(f, " class {class}")?;
        }
        for path in &self.path {
            write!(f, " path {path}")?;
        }
        if !self.command.is_empty() {
            write!(f, " command {}", self.command.join(" "))?;
        }
        if !self.git.is_empty() {
            write!(f, " git {}", self.git.join(" "))?;
        }
        Ok(())
    }
}

/// How long a rule holds, and where it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRule {
    pub scope: super::Scope,
    pub rule: Rule,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(tool: &str, arguments: &serde_json::Value) -> ToolCall {
        let (server, tool) = tool.split_once('.').expect("server.tool");
        ToolCall {
            id: super::super::CallId(1),
            server: server.into(),
            tool: tool.into(),
            arguments: arguments.as_object().cloned().unwrap_or_default(),
        }
    }

    fn target(given: &str, path: &str) -> Target {
        Target {
            given: given.into(),
            path: path.into(),
        }
    }

    #[test]
    fn an_allowance_is_judged_on_where_a_path_leads_and_a_refusal_on_both_names() {
        let edit = call("fs.edit", &json!({"path": "docs/x"}));
        let rule = |ruling| Rule {
            path: vec!["docs/**".into()],
            ..Rule::new(ruling, "fs.edit")
        };
        let fits = |ruling, targets: &[Target]| {
            rule(ruling).fits(Subject {
                call: &edit,
                risk: Risk::Edit,
                targets,
            })
        };
        assert!(fits(Ruling::Allow, &[target("docs/x", "docs/x")]));
        assert!(!fits(Ruling::Allow, &[target("docs/x", ".mcp.json")]));
        assert!(!fits(Ruling::Allow, &[]));
        assert!(!fits(
            Ruling::Allow,
            &[target("docs/x", "docs/x"), target("a", "a")]
        ));
        assert!(fits(Ruling::Deny, &[target("docs/x", ".mcp.json")]));
        assert!(fits(Ruling::Deny, &[target("link", "docs/x")]));
        // Where cases are not told apart, this is the same file; and where they are, it is no allowance.
        assert!(fits(Ruling::Deny, &[target("DOCS/X", "DOCS/X")]));
        assert!(fits(Ruling::Ask, &[target("do\u{200b}cs./x", "a")]));
        assert!(!fits(Ruling::Allow, &[target("DOCS/X", "DOCS/X")]));
    }

    #[test]
    fn a_command_is_allowed_by_its_words_and_refused_wherever_it_stands() {
        let fits = |ruling, words: &[&str], arguments| {
            let call = call("run.command", &arguments);
            Rule {
                command: words.iter().map(|word| (*word).to_owned()).collect(),
                ..Rule::new(ruling, "run.command")
            }
            .fits(Subject {
                call: &call,
                risk: Risk::Command,
                targets: &[],
            })
        };
        let test = ["cargo", "test"];
        assert!(fits(
            Ruling::Allow,
            &test,
            json!({"argv": ["cargo", "test", "--lib"]})
        ));
        assert!(fits(Ruling::Allow, &test, json!({"command": "cargo test"})));
        for line in [
            "cargo test; rm x",
            "cargo test && rm x",
            "cargo test | sh",
            "cargo test $(rm x)",
            "X=1 cargo test",
            "cargo testx",
            "cargo test\nrm x",
        ] {
            assert!(
                !fits(Ruling::Allow, &test, json!({"command": line})),
                "{line}"
            );
        }
        let push = ["git", "push"];
        for line in [
            "git push",
            "cd x && git push -f",
            "sh -c 'git push'",
            "(git push)",
        ] {
            assert!(
                fits(Ruling::Deny, &push, json!({"command": line})),
                "{line}"
            );
        }
    }

    #[test]
    fn an_allowance_without_a_class_is_for_the_ordinary_ones() {
        let edit = call("fs.edit", &json!({}));
        let rule = Rule::new(Ruling::Allow, "fs.*");
        for risk in Risk::ALL {
            let fits = rule.fits(Subject {
                call: &edit,
                risk,
                targets: &[],
            });
            let named = matches!(
                risk,
                Risk::SensitiveRead | Risk::EditExecutable | Risk::Delete | Risk::GitHistory
            );
            assert_eq!(fits, !named, "{risk}");
        }
    }

    #[test]
    fn a_rule_whose_example_fails_says_which() {
        let mut rule = Rule {
            path: vec!["src/**".into()],
            matches: vec![Example {
                path: Some("src/a.rs".into()),
                ..Example::default()
            }],
            ..Rule::new(Ruling::Allow, "fs.edit")
        };
        assert_eq!(rule.check(), Ok(()));
        rule.not_match = vec![Example {
            path: Some("src/secret.rs".into()),
            ..Example::default()
        }];
        let problem = rule.check().expect_err("matched");
        assert_eq!(
            problem,
            "its `not_match` example `src/secret.rs` is matched"
        );
        for (rule, part) in [
            (Rule::new(Ruling::Allow, "*.*"), "name it"),
            (Rule::new(Ruling::Allow, "edit"), "server.tool"),
            (
                Rule {
                    class: Some(Risk::Policy),
                    ..Rule::new(Ruling::Allow, "fs.edit")
                },
                "no rule can allow",
            ),
            (
                Rule {
                    path: vec!["../x".into()],
                    ..Rule::new(Ruling::Deny, "fs.edit")
                },
                "inside the repository",
            ),
        ] {
            let problem = rule.check().expect_err("refused");
            assert!(problem.contains(part), "{problem}");
        }
    }
}
