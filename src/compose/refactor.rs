//! Running `walden refactor …`: mechanical changes of many files, without a model.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::find_root;
use crate::cli::{Options, Refactor};
use crate::code::rename::{self, Rename, RenameError, Request, Sight, Unsure};
use crate::error::UserError;
use crate::protocol::{sanitize, sanitize_line};
use crate::workspace::{ChangeSet, Guarded, Roots, plan_exactly};

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
    let Refactor::Rename {
        old,
        new,
        path,
        unsure,
        apply,
    } = command;
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
    let plans = planned
        .files
        .iter()
        .map(|(path, text)| plan_exactly(&roots, path, text, Guarded::ReadOnly))
        .collect::<Result<Vec<_>, _>>()
        .map_err(UserError::from_error)?;
    let Some(set) = ChangeSet::of(plans) else {
        return Err(UserError::failure("nothing would change"));
    };
    if *apply {
        set.apply(&roots).map_err(UserError::from_error)?;
    }
    let verb = if *apply { "renamed" } else { "would rename" };
    let mut notes = format!(
        "{verb} `{old}` to `{new}` at {} places in {} files\n",
        planned.places,
        planned.files.len()
    );
    notes += &left(&planned);
    if !apply {
        notes += "\nhint: --apply makes the change\n";
    }
    Ok(Refactored {
        diff: sanitize(&set.change().to_unified()),
        notes,
    })
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
    let mut text = String::new();
    for (sights, what) in [
        (
            &planned.unsure,
            "may mean it, and were left (--unsure renames them)",
        ),
        (&planned.mentions, "mention it, and were left"),
    ] {
        if sights.is_empty() {
            continue;
        }
        text += &format!("\n{} places {what}:\n", sights.len());
        for sight in sights.iter().take(SHOWN) {
            text += &format!("  {} ({})\n", line(sight), sight.why);
        }
        if sights.len() > SHOWN {
            text += &format!("  and {} more\n", sights.len() - SHOWN);
        }
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
