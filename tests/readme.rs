//! The README's tables are those that the code uses. `UPDATE_README=1 cargo test --test readme` writes them anew.

#![expect(clippy::disallowed_methods, reason = "reads and writes the README")]

use std::fmt::Write as _;
use std::path::Path;

use clap::CommandFactory as _;
use walden::cli::Cli;
use walden::error::ExitCode;
use walden::model::family::{Family, Tested};
use walden::protocol::{Mechanism, Mode, ToolList};
use walden::tui;

fn table(head: &str, rows: impl Iterator<Item = (String, String)>) -> String {
    let mut text = format!("| {head} | |\n| --- | --- |\n");
    for (left, right) in rows {
        let _ = writeln!(text, "| {left} | {} |", right.replace('|', "\\|"));
    }
    text
}

/// A table in which each context is named where its keys begin.
fn keys() -> String {
    let mut text = "| when | key | |\n| --- | --- | --- |\n".to_owned();
    for (when, keys) in tui::key_table() {
        for (at, (keys, help)) in keys.into_iter().enumerate() {
            let when = if at == 0 { when } else { "" };
            let _ = writeln!(text, "| {when} | {keys} | {} |", help.replace('|', "\\|"));
        }
    }
    text
}

fn families() -> String {
    let mut text =
        "| family | a call looks like | tools are told | tested |\n| --- | --- | --- | --- |\n"
            .to_owned();
    // A family that is told in two ways has two rows in the code.
    let mut families = Family::ALL.to_vec();
    families.dedup_by_key(|family| family.name);
    for family in families {
        let call = family.form.write("read", r#"{"path": "a"}"#);
        let call = call
            .replace('\n', " ")
            .replace('|', "\\|")
            .replace("```json", "(json fence)")
            .replace("```", "");
        let tools = match family.tools {
            ToolList::Text => "by walden",
            ToolList::Template => "by its template",
        };
        let tested = match family.tested {
            Tested::Run(sizes) => format!("with its weights: {sizes}"),
            Tested::Written => "on written examples".to_owned(),
        };
        let _ = writeln!(text, "| {} | `{call}` | {tools} | {tested} |", family.name);
    }
    text
}

fn section(name: &str) -> String {
    match name {
        "exit codes" => table(
            "exit status",
            ExitCode::TABLE
                .into_iter()
                .map(|(code, meaning)| (code.status().to_string(), meaning.to_owned())),
        ),
        "modes" => table(
            "mode",
            Mode::ALL
                .into_iter()
                .map(|mode| (format!("`{mode}`"), mode.meaning().to_owned())),
        ),
        "keys" => keys(),
        "subcommands" => table(
            "command line",
            Cli::command()
                .get_subcommands()
                .filter(|command| !command.is_hide_set())
                .map(|command| {
                    let about = command.get_about().map(ToString::to_string);
                    (
                        format!("`walden {}`", command.get_name()),
                        about.unwrap_or_default(),
                    )
                }),
        ),
        "commands" => table(
            "command",
            tui::COMMANDS.iter().map(|command| {
                let call = format!("/{} {}", command.name, command.argument);
                (
                    format!("`{}`", call.trim().replace('|', "\\|")),
                    command.help.to_owned(),
                )
            }),
        ),
        "families" => families(),
        "mechanisms" => table(
            "`--without`",
            Mechanism::TABLE
                .into_iter()
                .map(|(one, what)| (format!("`{}`", one.name()), what.to_owned())),
        ),
        name => panic!("the README has a section `{name}` that nothing generates"),
    }
}

/// Fills in the generated sections.
fn filled(readme: &str) -> String {
    let mut out = String::new();
    let mut rest = readme;
    while let Some((before, after)) = rest.split_once("<!-- ") {
        let (name, after) = after.split_once(" -->\n").expect("a marker ends its line");
        let name = name
            .strip_suffix(": generated")
            .expect("only generated sections are marked");
        let (_, after) = after
            .split_once("<!-- end -->")
            .expect("a section has an end");
        let _ = write!(
            out,
            "{before}<!-- {name}: generated -->\n{}<!-- end -->",
            section(name)
        );
        rest = after;
    }
    out + rest
}

#[test]
fn the_readme_shows_the_tables_that_the_code_uses() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).expect("readable");
    let expected = filled(&readme);
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, &expected).expect("writable");
        return;
    }
    assert!(
        readme == expected,
        "the README is behind the code: UPDATE_README=1 cargo test --test readme"
    );
}
