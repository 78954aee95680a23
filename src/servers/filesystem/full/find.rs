//! Searching for names and for contents.

use super::super::{Answer, stopped};
use super::{Call, said};
use crate::servers::limits::filesystem::full as limits;
use crate::workspace::{self, FindError, Query};

/// Finds files and directories whose path below the given one matches a glob.
pub(super) fn names(call: &Call<'_>) -> Answer {
    let asked = call.asked(call.arguments.text("path")?)?;
    let pattern = call.arguments.text("pattern")?;
    let excluded = call.arguments.texts("excludePatterns", 0)?;
    let found = workspace::find_entries(
        call.roots,
        &asked.path,
        pattern,
        &excluded,
        limits::FOUND,
        call.cancel,
    )
    .map_err(|error| match error {
        FindError::Roots(error) => call.explain(&asked, "scandir", error),
        other => other.to_string(),
    })?;
    stopped(call.cancel)?;
    if found.paths.is_empty() {
        return Ok(said::text("No matches found".to_owned()));
    }
    let mut text = String::new();
    let mut shown = 0;
    for path in &found.paths {
        if text.len() + path.len() > limits::TEXT {
            break;
        }
        if shown > 0 {
            text.push('\n');
        }
        text += path;
        shown += 1;
    }
    if found.truncated || shown < found.paths.len() {
        text += &format!("\n[only the first {shown}; give a narrower pattern]");
    }
    Ok(said::text(text))
}

/// Searches the contents of files.
pub(super) fn content(call: &Call<'_>) -> Answer {
    let given = call.arguments.optional_text("path")?;
    let asked = given.map(|path| call.asked(path)).transpose()?;
    if call.roots.primary().is_none() {
        return Err("Access denied - no directories are allowed".to_owned());
    }
    let list = |name: &str| -> Result<Vec<String>, String> {
        let texts = call.arguments.texts(name, 0)?;
        Ok(texts.into_iter().map(str::to_owned).collect())
    };
    let limit = call.arguments.count("limit")?.unwrap_or(limits::HITS);
    let context = call.arguments.count("context")?.unwrap_or(0);
    let query = Query {
        pattern: call.arguments.text("pattern")?.to_owned(),
        path: asked.as_ref().map(|asked| asked.path.clone()),
        globs: list("globs")?,
        types: list("types")?,
        context: context.min(limits::CONTEXT),
        limit: limit.clamp(1, limits::MOST_HITS),
    };
    let found =
        workspace::search(call.roots, &query, call.cancel).map_err(|error| match error {
            workspace::SearchError::Roots(error) => match &asked {
                Some(asked) => call.explain(asked, "scandir", error),
                None => error.to_string(),
            },
            other => other.to_string(),
        })?;
    stopped(call.cancel)?;
    let (mut text, shown) = found.shown(limits::TEXT);
    if shown == 0 {
        text = format!("No matches found in {} files", found.files);
    } else if found.truncated || shown < found.hits.len() {
        text += &format!("\n[only the first {shown}; narrow the search, or give a larger limit]");
    }
    if found.literal {
        text += "\n[not a valid regex: searched for it as plain text]";
    }
    Ok(said::text(text))
}
