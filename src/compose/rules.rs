//! `walden rules`: the user's rules, listed, added, taken back and tried.

use std::fmt::Write as _;

use crate::agent::{Facts, Policy, Verdict};
use crate::cli::{Options, RuleArguments, RulesCommand};
use crate::error::{ExitCode, UserError};
use crate::protocol::{
    Example, KeptRule, Mode, Risk, Rule, Scope, Subject, Target, harmless_json, sanitize_line,
};
use crate::session::SessionFiles;

/// Runs `walden rules …`: what to print, and how it ended.
///
/// # Errors
/// When the rules cannot be read or written, or what is asked for is wrong.
pub fn rules(options: &Options, command: &RulesCommand) -> Result<(String, ExitCode), UserError> {
    let root = super::find_root(options)?;
    let files = SessionFiles::open().map_err(UserError::from_error)?;
    let kept = super::own::rule_files(&root, &files);
    let text = match command {
        RulesCommand::List { json } => {
            let rules = kept.load().map_err(UserError::from_error)?;
            match json {
                true => {
                    let text =
                        serde_json::to_string_pretty(&rules).map_err(UserError::from_error)?;
                    harmless_json(&text) + "\n"
                }
                false => table(&rules),
            }
        }
        RulesCommand::Add {
            ruling,
            rule,
            forever,
            note,
            matching,
            not_matching,
        } => {
            let path = |path: &String| Example {
                path: Some(path.clone()),
                ..Example::default()
            };
            let rule = Rule {
                note: note.clone(),
                matches: matching.iter().map(path).collect(),
                not_match: not_matching.iter().map(path).collect(),
                ..made(rule, Rule::new((*ruling).into(), &rule.tool))?
            };
            rule.check().map_err(|problem| {
                UserError::usage(format!("the rule `{rule}` is refused: {problem}"))
            })?;
            let scope = match forever {
                true => Scope::Forever,
                false => Scope::Project,
            };
            let added = KeptRule { scope, rule };
            super::auditing::note("rule added", &format!("{}: {}", whose(scope), added.rule))?;
            kept.add(&added).map_err(UserError::from_error)?;
            format!("added for {}: {}\n", whose(scope), added.rule)
        }
        RulesCommand::Remove { number } => {
            super::auditing::note("rule removed", &format!("number {number}"))?;
            let gone = kept.remove_number(*number).map_err(|error| {
                UserError::usage(error.to_string()).hint("`walden rules list` numbers them")
            })?;
            super::auditing::note("rule is gone", &gone.rule.to_string())?;
            format!("removed: {}\n", gone.rule)
        }
        RulesCommand::Test { rule } => {
            let rules = kept.load().map_err(UserError::from_error)?;
            return test(&rules, rule);
        }
    };
    Ok((text, ExitCode::Success))
}

/// Tells what would become of a call, in each mode.
fn test(rules: &[KeptRule], about: &RuleArguments) -> Result<(String, ExitCode), UserError> {
    let rule = made(about, Rule::new(crate::protocol::Ruling::Ask, &about.tool))?;
    if !about.tool.contains('.') {
        return Err(UserError::usage(format!("`{}` names no tool", about.tool))
            .hint("write `server.tool`, such as `fs.edit`"));
    }
    let example = Example {
        tool: Some(about.tool.clone()),
        class: rule.class,
        path: rule.path.first().cloned(),
        command: rule.command.clone(),
    };
    let (call, class) = example.call(&about.tool, Risk::Edit);
    let targets: Vec<Target> = rule.path.iter().map(|path| Target::unseen(path)).collect();
    let mut text = format!("a call of `{}`, class {class}:\n", about.tool);
    for mode in Mode::ALL {
        let policy = Policy::new(mode, rules.to_vec());
        let verdict = policy.judge(Facts {
            subject: Subject {
                call: &call,
                risk: class,
                targets: &targets,
            },
            taints: &[],
            is_expected: true,
        });
        let said = match verdict {
            Verdict::Allow => "allowed".to_owned(),
            Verdict::Ask(why) => {
                let why: Vec<String> = why.iter().map(ToString::to_string).collect();
                format!("asked about, because {}", why.join(", and "))
            }
            Verdict::Deny(_) => "refused".to_owned(),
        };
        let _ = writeln!(text, "  {:<5} {said}", mode.name());
    }
    Ok((text, ExitCode::Success))
}

/// Fills a rule in from the command line.
fn made(from: &RuleArguments, rule: Rule) -> Result<Rule, UserError> {
    let class = match from.class.as_deref() {
        None => None,
        Some(name) => Some(Risk::named(name).ok_or_else(|| {
            let names = Risk::ALL.map(Risk::name).join(", ");
            UserError::usage(format!("there is no class `{name}`"))
                .hint(format!("the classes are {names}"))
        })?),
    };
    let command = match &from.command {
        None => Vec::new(),
        Some(line) => shlex::split(line).ok_or_else(|| {
            UserError::usage(format!("`{line}` is no command")).hint("close every quote")
        })?,
    };
    Ok(Rule {
        class,
        path: from.path.clone(),
        command,
        git: from.git.clone(),
        ..rule
    })
}

fn table(rules: &[KeptRule]) -> String {
    if rules.is_empty() {
        return "no rule is kept; `walden rules add allow fs.edit --path 'src/**'` adds one\n"
            .to_owned();
    }
    let mut text = String::new();
    for (at, kept) in rules.iter().enumerate() {
        let note = kept
            .rule
            .note
            .as_deref()
            .map_or_else(String::new, |note| format!("  # {}", sanitize_line(note)));
        let _ = writeln!(
            text,
            "{:>3}  {:<13}  {}{note}",
            at + 1,
            whose(kept.scope),
            sanitize_line(&kept.rule.to_string())
        );
    }
    text
}

fn whose(scope: Scope) -> &'static str {
    match scope {
        Scope::Once => "this call",
        Scope::Session => "this session",
        Scope::Project => "this project",
        Scope::Forever => "every project",
    }
}
