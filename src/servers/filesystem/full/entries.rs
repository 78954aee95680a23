//! Listings, trees, metadata and the roots themselves.

use serde_json::{Value, json};

use super::super::Answer;
use super::{Call, said, time};
use crate::servers::limits::filesystem::full as limits;
use crate::workspace::{Branch, Kind, Listed, Patterns, Sizes};

/// Lists a directory.
pub(super) fn list(call: &Call<'_>) -> Answer {
    let lines: Vec<String> = listing(call, Sizes::Skip)?
        .iter()
        .map(|entry| format!("{} {}", mark(entry.kind), entry.name))
        .collect();
    bounded(lines.join("\n"))
}

/// Lists a directory with the sizes of its files and a sum.
pub(super) fn list_with_sizes(call: &Call<'_>) -> Answer {
    let order = call.arguments.one_of("sortBy", &["name", "size"])?;
    let mut entries = listing(call, Sizes::Ask)?;
    if order == "size" {
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.size));
    }
    let mut lines: Vec<String> = entries
        .iter()
        .map(|entry| {
            let size = match entry.kind {
                Kind::Directory => String::new(),
                _ => format!("{:>10}", size_of(entry.size)),
            };
            format!("{} {:<30} {size}", mark(entry.kind), entry.name)
        })
        .collect();
    let directories = entries
        .iter()
        .filter(|entry| entry.kind == Kind::Directory)
        .count();
    lines.push(String::new());
    lines.push(format!(
        "Total: {} files, {directories} directories",
        entries.len() - directories
    ));
    let sum: u64 = entries.iter().map(|entry| entry.size).sum();
    lines.push(format!("Combined size: {}", size_of(sum)));
    bounded(lines.join("\n"))
}

/// Gives all that is beneath a directory as JSON.
pub(super) fn tree(call: &Call<'_>) -> Answer {
    let asked = call.asked(call.arguments.text("path")?)?;
    let patterns: Vec<String> = call
        .arguments
        .texts("excludePatterns", 0)?
        .into_iter()
        .flat_map(|pattern| match pattern.contains('*') {
            true => vec![pattern.to_owned()],
            // A plain name is left out wherever it stands.
            false => vec![
                pattern.to_owned(),
                format!("**/{pattern}"),
                format!("**/{pattern}/**"),
            ],
        })
        .collect();
    let patterns =
        Patterns::any_of(patterns.iter().map(String::as_str)).map_err(|error| error.to_string())?;
    let leave_out = |path: &str| patterns.matches(path);
    let branches = call
        .roots
        .tree(&asked.path, limits::TREE, &leave_out)
        .map_err(|error| call.explain(&asked, "scandir", error))?
        .ok_or_else(|| too_many(&asked.path))?;
    let text = serde_json::to_string_pretty(&branches_json(&branches))
        .map_err(|error| error.to_string())?;
    match text.len() > limits::TEXT {
        true => Err(too_many(&asked.path)),
        false => Ok(said::text(text)),
    }
}

fn too_many(path: &str) -> String {
    format!(
        "{path} has more entries than one call returns ({}); name a directory further down, or leave some out with \
         excludePatterns, such as [\"node_modules\", \".git\"]",
        limits::TREE
    )
}

fn branches_json(branches: &[Branch]) -> Value {
    branches
        .iter()
        .map(|branch| match &branch.children {
            Some(children) => {
                json!({"name": branch.name, "type": "directory", "children": branches_json(children)})
            }
            None => json!({"name": branch.name, "type": "file"}),
        })
        .collect()
}

/// Tells what is known of a file or directory.
pub(super) fn info(call: &Call<'_>) -> Answer {
    let asked = call.asked(call.arguments.text("path")?)?;
    let info = call
        .roots
        .info(&asked.path)
        .map_err(|error| call.explain(&asked, "stat", error))?;
    let created = info.created.unwrap_or(info.modified);
    Ok(said::text(format!(
        "size: {}\ncreated: {}\nmodified: {}\naccessed: {}\nisDirectory: {}\nisFile: {}\npermissions: {:03o}",
        info.size,
        time::shown(created),
        time::shown(info.modified),
        time::shown(info.accessed),
        info.kind == Kind::Directory,
        info.kind == Kind::File,
        info.mode & 0o777
    )))
}

/// Lists the roots.
pub(super) fn allowed(call: &Call<'_>) -> Answer {
    let mut text = "Allowed directories:".to_owned();
    for dir in call.roots.dirs() {
        text += &format!("\n{}", dir.display());
    }
    if call.roots.primary().is_none() {
        text += "\n(none: nothing may be read or written)";
    }
    Ok(said::text(text))
}

fn listing(call: &Call<'_>, sizes: Sizes) -> Result<Vec<Listed>, String> {
    let asked = call.asked(call.arguments.text("path")?)?;
    call.roots
        .listing(&asked.path, sizes)
        .map_err(|error| call.explain(&asked, "scandir", error))
}

fn bounded(text: String) -> Answer {
    match text.len() > limits::TEXT {
        true => Err(format!(
            "the directory has more entries than one call returns ({} bytes); find some of them with search_files",
            limits::TEXT
        )),
        false => Ok(said::text(text)),
    }
}

fn mark(kind: Kind) -> &'static str {
    match kind {
        Kind::Directory => "[DIR]",
        Kind::File | Kind::Link | Kind::Other => "[FILE]",
    }
}

/// Writes a size as `61 B`, `4.00 KB`.
fn size_of(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let (mut unit, mut size) = (0, bytes as f64);
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        unit => format!("{size:.2} {}", UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_in_their_unit() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KB"),
            (4096, "4.00 KB"),
            (1_572_864, "1.50 MB"),
            (u64::from(u32::MAX) + 1, "4.00 GB"),
        ] {
            assert_eq!(size_of(bytes), text);
        }
    }
}
