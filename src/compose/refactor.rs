//! Running `walden refactor …`: mechanical changes of many files, without a model.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::find_root;
use crate::cli::{Options, Refactor};
use crate::code::rename::moving::{self, MoveError};
use crate::code::rename::{self, Rename, RenameError, Request, Sight, Unsure};
use crate::error::UserError;
use crate::protocol::{sanitize, sanitize_line};
use crate::workspace::{ChangeSet, Roots};

/// What a refactoring has to say.
#[derive(Debug)]
pub struct Refactored {
    /// The difference, for standard output.
    pub diff: String,
    /// What was done and what was left, for standard error.
    pub notes: String,
}

/// How many places that were left are named.
const SHOWN: usize = 40;

/// Runs `walden refactor …`.
///
/// # Errors
/// When it is not clear what is meant, or a file cannot be written; nothing is changed then.
pub fn refactor(options: &Options, command: &Refactor) -> Result<Refactored, UserError> {
    let root = find_root(options)?;
    let roots = Roots::open(std::slice::from_ref(&root)).map_err(UserError::from_error)?;
    match command {
        Refactor::Rename {
            old,
            new,
            path,
            unsure,
            apply,
        } => {
            let request = Request {
                old,
                new,
                path: path.as_deref(),
                unsure: match unsure {
                    true => Unsure::Rename,
                    false => Unsure::Leave,
                },
            };
            let planned = rename::plan(&roots, &request, &AtomicBool::new(false))
                .map_err(|error| explain(error, &root))?;
            let moved = planned.moved.as_ref();
            let diff = make(&roots, &planned.files, moved, *apply)?;
            let verb = if *apply { "renamed" } else { "would rename" };
            let mut notes = format!(
                "{verb} `{old}` to `{new}` at {} places in {} files\n",
                planned.places,
                planned.files.len()
            );
            if let Some((from, to)) = moved {
                let [from, to] = [from, to].map(|path| sanitize_line(path));
                let verb = if *apply { "is" } else { "would be" };
                notes += &format!("`{from}` {verb} `{to}`, as its class is called\n");
            }
            notes += &left(&planned);
            notes += hint(*apply);
            Ok(Refactored { diff, notes })
        }
        Refactor::Move {
            item,
            to,
            path,
            apply,
        } => {
            let path = path.as_deref();
            let request = moving::Request { item, to, path };
            let planned = moving::plan(&roots, &request, &AtomicBool::new(false)).map_err(
                |error| match error {
                    MoveError::Choice(error) => explain(error, &root),
                    other => UserError::usage(other.to_string()),
                },
            )?;
            let diff = make(&roots, &planned.files, None, *apply)?;
            let verb = if *apply { "moved" } else { "would move" };
            let mut notes = format!(
                "{verb} `{item}` from `{}` to `{to}`; {} files change\n",
                sanitize_line(&planned.from),
                planned.files.len()
            );
            if planned.passed_on {
                notes += "the old module passes it on, for what is not certain\n";
            }
            notes += &listed(&planned.unsure, "are to be looked at");
            notes += hint(*apply);
            Ok(Refactored { diff, notes })
        }
    }
}

/// Plans the files as one change, makes it where that is asked for, and returns the difference.
fn make(
    roots: &Roots,
    files: &BTreeMap<String, String>,
    moved: Option<&(String, String)>,
    apply: bool,
) -> Result<String, UserError> {
    let planned = ChangeSet::of_texts(roots, files, moved).map_err(UserError::from_error)?;
    let Some(set) = planned else {
        return Err(UserError::failure("nothing would change"));
    };
    if apply {
        set.apply(roots).map_err(UserError::from_error)?;
    }
    Ok(sanitize(&set.change().to_unified()))
}

fn hint(applied: bool) -> &'static str {
    match applied {
        true => "",
        false => "\nhint: --apply makes the change\n",
    }
}

fn explain(error: RenameError, root: &Path) -> UserError {
    match error {
        RenameError::Ambiguous { name, places } => {
            let mut text = format!("`{name}` is defined several times");
            for place in &places {
                text += &format!("\n  {}", line(place));
            }
            UserError::usage(text).hint("name one with --path FILE, or with its type: `Type::name`")
        }
        RenameError::NoDefinition { name } => UserError::usage(format!(
            "no code in `{}` defines `{name}` outside of a function",
            root.display()
        )),
        other => UserError::usage(other.to_string()),
    }
}

fn left(planned: &Rename) -> String {
    let unsure = "may mean it, and were left (--unsure renames them)";
    listed(&planned.unsure, unsure) + &listed(&planned.mentions, "mention it, and were left")
}

fn listed(sights: &[Sight], what: &str) -> String {
    if sights.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{} places {what}:\n", sights.len());
    for sight in sights.iter().take(SHOWN) {
        text += &format!("  {} ({})\n", line(sight), sight.why);
    }
    if sights.len() > SHOWN {
        text += &format!("  and {} more\n", sights.len() - SHOWN);
    }
    text
}

fn line(sight: &Sight) -> String {
    format!(
        "{}:{}: {}",
        sanitize_line(&sight.path),
        sight.line,
        sanitize_line(&sight.text)
    )
}
