//! The tools that read: what they say, and how much of it.

use std::sync::atomic::AtomicBool;

use super::super::{Answer, Said, stopped};
use super::arguments::Arguments;
use crate::code::FileSymbols;
use crate::servers::limits::filesystem::compact as limits;
use crate::workspace::{self, Encoding, Index, Query, Roots, Text};

/// Reads a file, or some lines of it.
pub(super) fn read(roots: &Roots, arguments: &Arguments) -> Answer {
    let file = roots
        .read(arguments.text("path"))
        .map_err(|error| error.to_string())?;
    if file.bytes.is_empty() {
        return Ok("[empty file]".to_owned().into());
    }
    let Some(Text { text, encoding }) = workspace::text_of(&file.bytes) else {
        return Err(format!(
            "`{}` is a binary file of {} bytes; it cannot be read as text",
            file.path,
            file.bytes.len()
        ));
    };
    // As `edit` takes passages: without the byte order mark, with `\n`. The file keeps both.
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
    let text = text.replace("\r\n", "\n");
    let mut said = window(
        &text,
        arguments.count("from").unwrap_or(1),
        arguments.count("lines").unwrap_or(limits::LINES),
    )
    .map_err(|total| {
        format!(
            "`{}` has {total} lines; give a `from` up to {total}",
            file.path
        )
    })?;
    if arguments.count("from").is_none() && arguments.count("lines").is_none() {
        said += &rest_of(&file.path, &text, &said);
    }
    match encoding {
        Encoding::Utf8 => {}
        Encoding::Utf16(_) => said = ended(said) + "[written as UTF-16, which an edit keeps]",
        Encoding::Unknown => {
            said = ended(said) + "[not UTF-8; what could not be read is shown as \u{FFFD}]";
        }
    }
    Ok(said.into())
}

/// Says what the part of a file defines that comes after the lines that are shown.
fn rest_of(path: &str, text: &str, said: &str) -> String {
    let next = said
        .strip_suffix(']')
        .and_then(|said| said.rsplit_once("; go on with from="))
        .and_then(|(_, next)| next.parse::<usize>().ok());
    let Some(next) = next else {
        return String::new();
    };
    let Some(mut symbols) = FileSymbols::of(path, text, &AtomicBool::new(false)) else {
        return String::new();
    };
    symbols.definitions.retain(|symbol| symbol.line >= next);
    let outline = symbols.outline(limits::OUTLINE);
    match outline.is_empty() {
        true => outline,
        false => format!("\n[it goes on with]\n{}", outline.trim_end()),
    }
}

/// Cuts lines out of a text, and says how to go on where it is cut. The error is the number of lines.
fn window(text: &str, from: usize, lines: usize) -> Result<String, usize> {
    let total = text.lines().count();
    if from > total {
        return Err(total);
    }
    let mut out = String::new();
    let mut last = from - 1;
    for line in text
        .split_inclusive('\n')
        .skip(from - 1)
        .take(lines.min(limits::LINES))
    {
        if out.len() + line.len() > limits::BYTES {
            break;
        }
        out.push_str(line);
        last += 1;
    }
    if last < from {
        // One line alone is too long.
        let line = text.lines().nth(from - 1).unwrap_or_default();
        let cut = crate::protocol::clip(line, limits::BYTES);
        let next = match from < total {
            true => format!("; go on with from={}", from + 1),
            false => String::new(),
        };
        return Ok(format!("{cut}\n[line {from} of {total}{next}]"));
    }
    if last < total {
        out = ended(out)
            + &format!(
                "[lines {from}-{last} of {total}; go on with from={}]",
                last + 1
            );
    }
    Ok(out)
}

fn ended(mut text: String) -> String {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Lists a directory: all files beneath it if they are few, otherwise its own entries.
pub(super) fn list(roots: &Roots, arguments: &Arguments) -> Answer {
    let path = arguments.optional_text("path").unwrap_or(".");
    let few = Index::few(roots, path, limits::FEW_FILES).map_err(|error| error.to_string())?;
    let (lines, left_out) = match few {
        Some(files) if !files.is_empty() => (files, 0),
        _ => {
            let entries = Index::entries(roots, path).map_err(|error| error.to_string())?;
            let left_out = entries.len().saturating_sub(limits::ENTRIES);
            let lines = entries
                .into_iter()
                .take(limits::ENTRIES)
                .map(|entry| match entry.is_directory {
                    true => format!("{}/", entry.path),
                    false => entry.path,
                })
                .collect();
            (lines, left_out)
        }
    };
    if lines.is_empty() {
        return Ok("[empty directory]".to_owned().into());
    }
    let mut text = lines.join("\n");
    if left_out > 0 {
        text += &format!("\n[{left_out} more; use `find` with part of a name]");
    }
    if arguments.optional_text("path").is_none() {
        for root in roots.dirs().iter().skip(1) {
            text += &format!("\n[also open: {}]", root.display());
        }
    }
    Ok(text.into())
}

/// Finds files by name.
pub(super) fn find(roots: &Roots, arguments: &Arguments, cancel: &AtomicBool) -> Answer {
    let pattern = arguments.text("pattern");
    if pattern.trim().is_empty() {
        return Err("`pattern` is empty; give a part of a file name, or a glob".to_owned());
    }
    if roots.primary().is_none() {
        return Err(workspace::RootsError::NoRoots.to_string());
    }
    let index = Index::cancellable(roots, cancel);
    stopped(cancel)?;
    let found = index.find(pattern);
    if found.is_empty() {
        let nearest = index.nearest(pattern, 5);
        return Ok(match nearest.is_empty() {
            true => format!(
                "no file name matches `{pattern}`; use `search` to look inside files, or `list`"
            ),
            false => format!(
                "no file name matches `{pattern}`; nearest:\n{}",
                nearest.join("\n")
            ),
        }
        .into());
    }
    let more = found.len().saturating_sub(limits::FOUND);
    let mut text = found[..found.len() - more].join("\n");
    if more > 0 {
        text += &format!("\n[{more} more; give a longer pattern]");
    }
    Ok(text.into())
}

/// Searches the contents of files.
pub(super) fn search(roots: &Roots, arguments: &Arguments, cancel: &AtomicBool) -> Answer {
    // A glob in the place of a path says as clearly where to look.
    let (path, globs) = match arguments.optional_text("path") {
        Some(glob) if glob.contains(['*', '?', '{']) && !roots.is_there(glob) => {
            (None, vec![glob.to_owned()])
        }
        path => (path.map(str::to_owned), Vec::new()),
    };
    let query = Query {
        pattern: arguments.text("pattern").to_owned(),
        path,
        globs,
        limit: limits::HITS,
        ..Query::default()
    };
    let found = workspace::search(roots, &query, cancel).map_err(|error| error.to_string())?;
    stopped(cancel)?;
    let (mut text, shown) = found.shown(limits::BYTES);
    if shown == 0 {
        text = format!(
            "nothing found for `{}` in {} files; try a shorter pattern{}",
            query.pattern,
            found.files,
            match arguments.optional_text("path") {
                Some(_) => ", or leave out `path`",
                None => ", or `find` for file names",
            }
        );
    }
    if found.literal {
        text += "\n[not a valid regex: searched for it as plain text]";
    }
    if shown > 0 && (found.truncated || shown < found.hits.len()) {
        text += &format!("\n[only the first {shown}; give a longer pattern or a `path`]");
    }
    Ok(Said::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_says_how_to_go_on() {
        let text: String = (1..=1200).map(|n| format!("{n}\n")).collect();
        let first = window(&text, 1, 400).expect("lines");
        assert!(first.starts_with("1\n2\n"));
        assert!(first.ends_with("400\n[lines 1-400 of 1200; go on with from=401]"));
        assert_eq!(
            window(&text, 10, 2),
            Ok("10\n11\n[lines 10-11 of 1200; go on with from=12]".to_owned())
        );
        assert_eq!(window(&text, 1200, 5), Ok("1200\n".to_owned()));
        assert_eq!(window(&text, 1201, 5), Err(1200));
    }

    #[test]
    fn a_text_that_fits_is_given_exactly() {
        assert_eq!(window("a\n\nb", 1, 400), Ok("a\n\nb".to_owned()));
    }

    #[test]
    fn a_line_that_is_too_long_is_cut() {
        let text = format!("{}\nshort\n", "x".repeat(30_000));
        let said = window(&text, 1, 400).expect("lines");
        assert!(said.ends_with("[line 1 of 2; go on with from=2]"), "{said}");
        assert!(said.len() < limits::BYTES + 200);
    }
}
