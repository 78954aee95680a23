//! Planning a change of one file, and applying what was planned.

use super::diff::{EXECUTABLE_DATA, change_of, patch};
use super::encoding::{is_binary, to_utf16, utf16};
use super::locate::{self, How, Located, Passage};
use super::write::{self, Guarded, WriteError};
use super::{FileBytes, MAX_FILE_BYTES, Roots, RootsError};
use crate::protocol::{FileChange, clip};

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The most of a closest passage that is quoted.
const MAX_QUOTE: usize = 2_000;

/// A planned change: what is shown, and the bytes that are written if it is approved.
#[derive(Debug, Clone)]
pub struct Plan {
    pub change: FileChange,
    before: Vec<u8>,
    after: Vec<u8>,
    guarded: Guarded,
    /// The permissions of a file that is made, where they are not those of any new file.
    mode: Option<u32>,
}

/// A passage, and what is to stand in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    pub old: String,
    pub new: String,
}

/// Why a series of replacements cannot be planned. None of them is made.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct EditsError {
    /// Which of them, counted from 0; `None` where the file is the reason.
    pub at: Option<usize>,
    pub error: EditError,
}

/// Why a change cannot be planned. The texts are for the model: they say what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    #[error(
        "`old` is empty; copy the passage to replace from the file into `old`, or use `write` for a whole file"
    )]
    EmptyOld,
    #[error("`old` and `new` are the same; nothing would change")]
    Same,
    #[error("`{path}` already is exactly like this; nothing would change")]
    NoChange { path: String },
    #[error("{}", not_found_text(path, closest.as_ref(), *already))]
    NotFound {
        path: String,
        closest: Option<Passage>,
        /// The line where `new` already stands.
        already: Option<usize>,
    },
    #[error("`old` occurs {} times in `{path}` (lines {}): include more lines before or after, so that it occurs once", lines.len(), join(lines))]
    Ambiguous { path: String, lines: Vec<usize> },
    #[error(
        "`{path}` is not UTF-8 or UTF-16 text: only a passage of plain ASCII can be replaced in it, by plain ASCII"
    )]
    NotUtf8 { path: String },
    #[error(transparent)]
    Roots(#[from] RootsError),
    #[error(transparent)]
    Write(WriteError),
}

impl From<WriteError> for EditError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Roots(error) => Self::Roots(error),
            other => Self::Write(other),
        }
    }
}

fn not_found_text(path: &str, closest: Option<&Passage>, already: Option<usize>) -> String {
    if let Some(line) = already {
        return format!(
            "`old` was not found in `{path}`, but `new` already stands there at line {line}: the edit may be done"
        );
    }
    match closest {
        Some(passage) => format!(
            "`old` was not found in `{path}`. The closest passage is at line {}:\n{}\nTo replace it, copy it exactly into `old`.",
            passage.line,
            clip(&passage.text, MAX_QUOTE)
        ),
        None => format!(
            "`old` was not found in `{path}`, nor anything like it; read the file and copy the passage exactly"
        ),
    }
}

fn join(lines: &[usize]) -> String {
    const SHOWN: usize = 10;
    let mut text: Vec<String> = lines.iter().take(SHOWN).map(usize::to_string).collect();
    if lines.len() > SHOWN {
        text.push("…".to_owned());
    }
    text.join(", ")
}

/// How many of the passages are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    One,
    All,
}

impl Plan {
    /// Writes the planned bytes, if the file still is what the plan was made on.
    ///
    /// # Errors
    ///
    /// [`WriteError::BaseChanged`] when it is not; the file then stays as it is.
    pub fn apply(&self, roots: &Roots) -> Result<(), WriteError> {
        let change = &self.change;
        if change.base == change.after {
            return Ok(());
        }
        write::put(
            roots,
            &change.path,
            change.base.as_ref(),
            change.after.is_some().then_some(&*self.after),
            self.mode,
            self.guarded,
        )
    }
}

impl Plan {
    pub(super) fn before(&self) -> &[u8] {
        &self.before
    }

    pub(super) fn after(&self) -> &[u8] {
        &self.after
    }

    pub(super) fn mode(&self) -> Option<u32> {
        self.mode
    }

    /// Plans other bytes for the same file, on the same base.
    pub(super) fn with(&self, change: FileChange, after: Vec<u8>) -> Self {
        Self {
            change,
            before: self.before.clone(),
            after,
            guarded: self.guarded,
            mode: self.mode,
        }
    }

    /// Plans what is to be done with a file as a part of a move: that it is made with these permissions, or goes.
    pub(super) fn of_move(change: FileChange, before: Vec<u8>, after: Vec<u8>, mode: u32) -> Self {
        Self {
            change,
            before,
            after,
            guarded: Guarded::ReadOnly,
            mode: Some(mode),
        }
    }

    #[cfg(test)]
    pub(super) fn planned_for_tests(path: &str, before: &[u8], after: &[u8]) -> Self {
        Self {
            change: change_of(path, Some(before), Some(after)),
            before: before.to_vec(),
            after: after.to_vec(),
            guarded: Guarded::ReadOnly,
            mode: None,
        }
    }

    /// Writes what another plan leaves, against what this one leaves, as hunks of a patch.
    pub fn patch_to(&self, other: &Self, context: usize) -> String {
        patch(&self.after, &other.after, context)
    }

    /// Writes the hunks of the whole change as a patch has them, with this many lines of context. Lines end in `\n`
    /// there, however they end in the file.
    pub fn patch(&self, context: usize) -> String {
        patch(&self.before, &self.after, context)
    }

    /// Returns the bytes that the plan was made on, none for a new file, and those that it leaves.
    pub fn bytes(&self) -> (&[u8], &[u8]) {
        (&self.before, &self.after)
    }

    /// Tells whether other programs run or obey the file, by its name or its mode.
    pub fn runs(&self) -> bool {
        let notes = &self.change.notes;
        notes.iter().any(|note| note == EXECUTABLE_DATA)
    }
}

/// Plans the replacement of a passage by another, all other bytes untouched.
///
/// Line endings, byte order mark and encoding of the file are kept. A passage that differs only in space at line ends
/// or in a uniform shift of indentation is accepted, and the shift is applied to `new`; the change's notes say so.
///
/// # Errors
///
/// When the passage is not there, or is there more than once without `replace_all`.
pub fn plan_replace(
    roots: &Roots,
    path: &str,
    old: &str,
    new: &str,
    replace_all: bool,
) -> Result<Plan, EditError> {
    if old.is_empty() {
        return Err(EditError::EmptyOld);
    }
    if old == new {
        return Err(EditError::Same);
    }
    // Reading first: its error names the nearest paths.
    roots.read(path)?;
    let name = write::check(roots, path, Guarded::ReadOnly)?;
    let file = roots.read(&name)?;
    let count = match replace_all {
        true => Count::All,
        false => Count::One,
    };
    let (after, note) = replaced(&file, old, new, count)?;
    let mut plan = changed(&name, Some(&file), after, Guarded::ReadOnly)?;
    plan.change.notes.extend(note);
    plan.change.notes.extend(link_note(roots, path, &name));
    Ok(plan)
}

/// Plans several replacements in one file, each made on what the one before it left: all of them, or none.
///
/// As [`plan_replace`] otherwise, but that a replacement which changes nothing is no error.
///
/// # Errors
///
/// When one of them cannot be made.
pub fn plan_edits(
    roots: &Roots,
    path: &str,
    edits: &[Replacement],
    guarded: Guarded,
) -> Result<Plan, EditsError> {
    let of_file = |error: EditError| EditsError { at: None, error };
    roots.read(path).map_err(|error| of_file(error.into()))?;
    let name = write::check(roots, path, guarded).map_err(|error| of_file(error.into()))?;
    let file = roots.read(&name).map_err(|error| of_file(error.into()))?;
    let mut now = file.clone();
    let mut notes: Vec<String> = Vec::new();
    for (at, edit) in edits.iter().enumerate() {
        let at = Some(at);
        if edit.old.is_empty() {
            let error = EditError::EmptyOld;
            return Err(EditsError { at, error });
        }
        let (after, note) = replaced(&now, &edit.old, &edit.new, Count::One)
            .map_err(|error| EditsError { at, error })?;
        now.bytes = after;
        notes.extend(note.filter(|note| !notes.contains(note)));
    }
    let mut plan = planned(&name, Some(&file), now.bytes, guarded).map_err(of_file)?;
    plan.change.notes.append(&mut notes);
    plan.change.notes.extend(link_note(roots, path, &name));
    Ok(plan)
}

/// Plans a file's whole content, byte for byte as it is given. Content that stands there already is no error.
///
/// # Errors
///
/// When the path cannot be written.
pub fn plan_exactly(
    roots: &Roots,
    path: &str,
    content: &str,
    guarded: Guarded,
) -> Result<Plan, EditError> {
    let name = write::check(roots, path, guarded)?;
    let file = roots.read_if_there(&name)?;
    let mut plan = planned(&name, file.as_ref(), content.as_bytes().to_vec(), guarded)?;
    plan.change.notes.extend(link_note(roots, path, &name));
    Ok(plan)
}

/// Plans a file's whole content: a new file, or another content of an old one.
///
/// The content is taken as it is, except that an old file keeps its CRLF line endings, its byte order mark and its
/// final line ending.
///
/// # Errors
///
/// When the path cannot be written, or the file already has this content.
pub fn plan_write(roots: &Roots, path: &str, content: &str) -> Result<Plan, EditError> {
    let name = write::check(roots, path, Guarded::ReadOnly)?;
    let file = roots.read_if_there(&name)?;
    let mut after = content.as_bytes().to_vec();
    let old = file.as_ref().map_or(&[][..], |file| &file.bytes);
    if let Some((order, old)) = utf16(old) {
        let mut content = content.trim_start_matches('\u{FEFF}').to_owned();
        if old.ends_with('\n') && !content.is_empty() && !content.ends_with('\n') {
            content.push('\n');
        }
        let ending = Ending::most(old.as_bytes()).unwrap_or(Ending::Lf);
        after = to_utf16(&ending.give(&content), order);
    } else if !is_binary(old) {
        if old.ends_with(b"\n") && !content.is_empty() && !content.ends_with('\n') {
            after.push(b'\n');
        }
        if Ending::most(old) == Some(Ending::Crlf) {
            after = Ending::Crlf.give(&String::from_utf8_lossy(&after)).into();
        }
        if old.starts_with(BOM) && !after.starts_with(BOM) {
            after.splice(..0, BOM.iter().copied());
        }
    }
    let mut plan = changed(&name, file.as_ref(), after, Guarded::ReadOnly)?;
    if std::str::from_utf8(old).is_err() && utf16(old).is_none() {
        plan.change.notes.push("was not UTF-8".to_owned());
    }
    plan.change.notes.extend(link_note(roots, path, &name));
    Ok(plan)
}

/// Plans a content that must be another than the one that stands there.
fn changed(
    name: &str,
    file: Option<&FileBytes>,
    after: Vec<u8>,
    guarded: Guarded,
) -> Result<Plan, EditError> {
    if file.is_some_and(|file| file.bytes == after) {
        return Err(EditError::NoChange {
            path: name.to_owned(),
        });
    }
    planned(name, file, after, guarded)
}

fn planned(
    name: &str,
    file: Option<&FileBytes>,
    after: Vec<u8>,
    guarded: Guarded,
) -> Result<Plan, EditError> {
    let base = file.map(|file| file.bytes.as_slice());
    if after.len() as u64 > MAX_FILE_BYTES {
        return Err(EditError::Write(WriteError::TooLarge {
            path: name.to_owned(),
            size: after.len() as u64,
            limit: MAX_FILE_BYTES,
        }));
    }
    let mut change = change_of(name, base, Some(&after));
    if let Some(file) = file
        && file.mode & 0o111 != 0
    {
        change.notes.push(format!("mode {:o}", file.mode & 0o777));
        let executable = EXECUTABLE_DATA.to_owned();
        if !change.notes.contains(&executable) {
            change.notes.insert(0, executable);
        }
    }
    Ok(Plan {
        change,
        before: file.map(|file| file.bytes.clone()).unwrap_or_default(),
        after,
        guarded,
        mode: None,
    })
}

/// Says that the file written is not the one named.
fn link_note(roots: &Roots, asked: &str, name: &str) -> Option<String> {
    let asked = roots.name(asked).ok()?;
    (asked != name).then(|| format!("through the symlink `{asked}`"))
}

fn replaced(
    file: &FileBytes,
    old: &str,
    new: &str,
    count: Count,
) -> Result<(Vec<u8>, Option<String>), EditError> {
    if let Some((order, text)) = utf16(&file.bytes) {
        let file = FileBytes {
            bytes: text.into_bytes(),
            ..file.clone()
        };
        let (after, note) = replaced(&file, old, new, count)?;
        return Ok((to_utf16(&String::from_utf8_lossy(&after), order), note));
    }
    let path = || file.path.clone();
    let bytes = &file.bytes;
    let text = std::str::from_utf8(bytes).ok();
    if text.is_none() && !(old.is_ascii() && new.is_ascii()) {
        return Err(EditError::NotUtf8 { path: path() });
    }
    // The mark belongs to the file, not to the passage that happens to come first.
    let mark = "\u{FEFF}";
    let (old, new) = match bytes.starts_with(BOM) {
        true => (
            old.strip_prefix(mark).unwrap_or(old),
            new.strip_prefix(mark).unwrap_or(new),
        ),
        false => (old, new),
    };
    let skip = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
    let body = &bytes[skip..];
    let body_text = text.map(|text| &text[skip..]);
    let located = locate::exactly(body, old)
        .or_else(|| locate::loosely(body_text?, &old.replace("\r\n", "\n")));
    let Some(Located { mut ranges, how }) = located else {
        return Err(EditError::NotFound {
            path: path(),
            closest: body_text.and_then(|text| locate::closest(text, old)),
            already: already(body, new),
        });
    };
    if count == Count::One && ranges.len() > 1 {
        return Err(EditError::Ambiguous {
            path: path(),
            lines: ranges
                .iter()
                .map(|range| locate::line_of(body, range.start))
                .collect(),
        });
    }
    let mut end = 0;
    ranges.retain(|range| {
        let apart = range.start >= end;
        if apart {
            end = range.end;
        }
        apart
    });
    let new = new.replace("\r\n", "\n");
    let (new, note) = match how {
        How::Exact => (new, None),
        How::TrailingSpace => (new, Some("matched without the space at line ends")),
        How::Indentation(shift) => (
            shift.apply(&new),
            Some("matched with another indentation, which was kept"),
        ),
    };
    let mut after = bytes[..skip].to_vec();
    let mut at = 0;
    for range in ranges {
        after.extend_from_slice(&body[at..range.start]);
        let passage = &body[range.clone()];
        let ending = Ending::most(passage).or_else(|| Ending::most(body));
        let mut new = ending.unwrap_or(Ending::Lf).give(&new);
        // A loosely matched last line without an ending does not get one from the text that replaces it.
        if old.ends_with('\n') && !passage.ends_with(b"\n") && new.ends_with('\n') {
            new.truncate(new.trim_end_matches(['\r', '\n']).len());
        }
        after.extend_from_slice(new.as_bytes());
        at = range.end;
    }
    after.extend_from_slice(&body[at..]);
    Ok((after, note.map(str::to_owned)))
}

/// Finds `new` in the file: a model that repeats an edit is told that it is done.
fn already(body: &[u8], new: &str) -> Option<usize> {
    if new.trim().len() < 8 {
        return None;
    }
    let located = locate::exactly(body, new)?;
    Some(locate::line_of(body, located.ranges.first()?.start))
}

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Lf,
    Crlf,
}

impl Ending {
    /// Returns how most lines end; `None` where there is no line ending.
    pub(super) fn most(bytes: &[u8]) -> Option<Self> {
        let all = bytes.iter().filter(|byte| **byte == b'\n').count();
        let crlf = bytes.windows(2).filter(|pair| *pair == b"\r\n").count();
        match (all, crlf) {
            (0, _) => None,
            (all, crlf) if crlf * 2 > all => Some(Self::Crlf),
            _ => Some(Self::Lf),
        }
    }

    /// Gives a text these line endings.
    pub(super) fn give(self, text: &str) -> String {
        let text = text.replace("\r\n", "\n");
        match self {
            Self::Lf => text,
            Self::Crlf => text.replace('\n', "\r\n"),
        }
    }
}
