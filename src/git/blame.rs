//! Who last changed each line.
//!
//! The lines of a file are pushed back through the history, the newest commit first: those that a parent has as well
//! go to the parent, the others are this commit's. libgit2 has a blame of its own, which was several times slower on
//! long histories.

use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;
use std::path::Path;

use git2::{Blob, Commit, DiffOptions, ObjectType, Oid, Patch};

use super::{GitError, Repo};
use crate::workspace::Tracked;

/// The largest file that is looked at.
const MAX_FILE: usize = 4 * 1024 * 1024;

/// Some lines of the file as it is shown, and where they are in an older one.
#[derive(Debug, Clone)]
struct Run {
    shown: usize,
    there: usize,
    count: usize,
}

/// What is known of a commit that has lines.
struct Origin {
    id: String,
    author: String,
    date: String,
}

impl Repo {
    /// Returns lines of a file, each with the commit, the author and the date of its last change.
    ///
    /// Without a revision the file is taken as it is on the disk; lines that are not committed are marked so. `lines`
    /// counts from 1.
    ///
    /// # Errors
    ///
    /// When there is no such file or revision, or the lines are outside the file.
    pub fn blame(
        &self,
        path: &str,
        revision: Option<&str>,
        lines: Option<Range<usize>>,
    ) -> Result<String, GitError> {
        let path = self.inner_path(path)?;
        if let Some(revision) = revision {
            super::names::no_dash("revision", revision)?;
        }
        let commit = self.resolve(revision.unwrap_or("HEAD"))?.peel_to_commit()?;
        let blob = self.blob_in(&commit, &path)?;
        let mut text = blob.content().to_vec();
        let mut owners: Vec<Option<(Oid, String)>> = Vec::new();
        let mut runs = Vec::new();
        if revision.is_none() && self.workdir().is_ok() {
            let full = self.workdir()?.join(&path);
            if let Tracked::File { bytes, .. } = self
                .roots
                .tracked(&full.to_string_lossy(), MAX_FILE as u64)?
            {
                let hunks = hunks(blob.content(), &bytes)?;
                owners.resize(count_lines(&bytes), None);
                let all = Run {
                    shown: 0,
                    there: 0,
                    count: owners.len(),
                };
                let (kept, _) = split(&[all], &hunks);
                runs = kept;
                text = bytes;
            }
        }
        if owners.is_empty() {
            owners.resize(count_lines(&text), None);
            runs.push(Run {
                shown: 0,
                there: 0,
                count: owners.len(),
            });
        }
        let total = owners.len();
        let wanted = match lines {
            None => 0..total,
            Some(lines) if lines.start == 0 || lines.start > total || lines.is_empty() => {
                return Err(GitError::refused(format!(
                    "file {path} has only {total} lines"
                )));
            }
            Some(lines) => lines.start - 1..(lines.end - 1).min(total),
        };
        let runs = runs
            .into_iter()
            .filter_map(|run| clipped(&run, &wanted))
            .collect();
        self.push_back(&commit, &path, runs, &mut owners)?;
        self.laid_out(&text, &owners, wanted, &path)
    }

    fn blob_in(&self, commit: &Commit<'_>, path: &str) -> Result<Blob<'_>, GitError> {
        let missing = || GitError::refused(format!("no such path '{path}' in {}", commit.id()));
        let entry = commit
            .tree()?
            .get_path(Path::new(path))
            .map_err(|_| missing())?;
        let blob = self
            .git
            .find_blob(entry.id())
            .map_err(|_| GitError::refused(format!("'{path}' is not a file in {}", commit.id())))?;
        match blob.size() {
            size if size > MAX_FILE => Err(GitError::refused(format!(
                "'{path}' has {size} bytes, more than the {MAX_FILE} that are looked at"
            ))),
            _ => Ok(blob),
        }
    }

    fn push_back(
        &self,
        commit: &Commit<'_>,
        path: &str,
        runs: Vec<Run>,
        owners: &mut [Option<(Oid, String)>],
    ) -> Result<(), GitError> {
        let mut history = self.history();
        let mut heap = BinaryHeap::new();
        let mut open: HashMap<(Oid, String), Vec<Run>> = HashMap::new();
        heap.push((commit.time().seconds(), commit.id(), path.to_owned()));
        open.insert((commit.id(), path.to_owned()), runs);
        while let Some((_, id, path)) = heap.pop() {
            self.go_on()?;
            let Some(mut runs) = open.remove(&(id, path.clone())) else {
                continue;
            };
            let here = history.at(self, id, &path)?;
            let mut parents = Vec::new();
            for parent in history.node(self, id)?.parents {
                let mut name = path.clone();
                let mut there = history.at(self, parent, &name)?;
                if there.is_none()
                    && let Some(old) = self.renamed_from(parent, id, &name)?
                {
                    there = history.at(self, parent, &old)?;
                    name = old;
                }
                parents.push((parent, name, there));
            }
            // A parent that has the file as it is takes all of it.
            let same = parents.iter().position(|(_, _, there)| *there == here);
            if let Some(at) = same {
                parents = vec![parents.swap_remove(at)];
            }
            for (parent, name, there) in parents {
                let passed = match there {
                    _ if runs.is_empty() => break,
                    None => continue,
                    Some(_) if there == here => std::mem::take(&mut runs),
                    Some(there) => {
                        let mut blob = |id: Option<Oid>| {
                            let read = id.map(|id| history.objects.read_as(ObjectType::Blob, id));
                            read.and_then(Result::ok)
                        };
                        let (Some(old), Some(new)) = (blob(Some(there)), blob(here)) else {
                            continue;
                        };
                        let (kept, rest) = split(&runs, &hunks(&old.bytes, &new.bytes)?);
                        runs = rest;
                        kept
                    }
                };
                if passed.is_empty() {
                    continue;
                }
                let key = (parent, name.clone());
                heap.push((history.node(self, parent)?.time, parent, name));
                open.entry(key).or_default().extend(passed);
            }
            for run in runs {
                for owner in &mut owners[run.shown..run.shown + run.count] {
                    *owner = Some((id, path.clone()));
                }
            }
        }
        Ok(())
    }

    fn laid_out(
        &self,
        text: &[u8],
        owners: &[Option<(Oid, String)>],
        wanted: Range<usize>,
        path: &str,
    ) -> Result<String, GitError> {
        let digits = self.digits() + 1;
        let now = super::date::now()?;
        let mut known: HashMap<Oid, Origin> = HashMap::new();
        for (id, _) in owners[wanted.clone()].iter().flatten() {
            if !known.contains_key(id) {
                let commit = self.git.find_commit(*id)?;
                let author = commit.author();
                let hex = id.to_string();
                let begin = match commit.parent_count() {
                    0 => format!("^{}", &hex[..digits - 1]),
                    _ => hex[..digits].to_owned(),
                };
                known.insert(
                    *id,
                    Origin {
                        id: begin,
                        author: String::from_utf8_lossy(author.name_bytes()).into_owned(),
                        date: super::date::shown(author.when(), super::date::Offset::Compact),
                    },
                );
            }
        }
        let nobody = Origin {
            id: "0".repeat(digits),
            author: "Not Committed Yet".to_owned(),
            date: super::date::shown(now, super::date::Offset::Compact),
        };
        let shown: Vec<(&Origin, &str)> = owners[wanted.clone()]
            .iter()
            .map(|owner| match owner {
                None => (&nobody, path),
                Some((id, name)) => (&known[id], name.as_str()),
            })
            .collect();
        let width = shown
            .iter()
            .map(|(origin, _)| origin.author.chars().count());
        let width = width.max().unwrap_or(0);
        let number = wanted.end.to_string().len();
        // The file's name only where it had several.
        let names = shown.iter().any(|(_, name)| *name != path);
        let longest = shown.iter().map(|(_, name)| name.chars().count());
        let longest = longest.max().unwrap_or(0);
        let mut out = String::new();
        let lines = text.split_inclusive(|byte| *byte == b'\n');
        for ((at, line), (origin, name)) in lines.enumerate().skip(wanted.start).zip(shown) {
            let name = match names {
                true => format!("{name:longest$} "),
                false => String::new(),
            };
            out += &format!(
                "{} {name}({:width$} {} {:>number$}) {}\n",
                origin.id,
                origin.author,
                origin.date,
                at + 1,
                String::from_utf8_lossy(line).trim_end_matches('\n')
            );
        }
        Ok(out)
    }
}

/// A changed passage: its lines in the older file and in the newer one.
#[derive(Debug)]
struct Hunk {
    old: Range<usize>,
    new: Range<usize>,
}

/// Compares two forms of a file without what both have at their ends. That is most of a long file, and the comparison
/// looks at each byte several times.
fn hunks(old: &[u8], new: &[u8]) -> Result<Vec<Hunk>, GitError> {
    let tail = same_end(old, new);
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    let head = same_beginning(old, new);
    let lines = memchr::memchr_iter(b'\n', &old[..head]).count();
    let mut options = diff_options();
    let patch = Patch::from_buffers(&old[head..], None, &new[head..], None, Some(&mut options))?;
    let mut hunks = hunks_of(&patch)?;
    for side in hunks
        .iter_mut()
        .flat_map(|hunk| [&mut hunk.old, &mut hunk.new])
    {
        *side = side.start + lines..side.end + lines;
    }
    Ok(hunks)
}

/// What is left out of a comparison is compared in blocks of this size.
const BLOCK: usize = 1024;

/// Returns how many bytes at the end of both are left out: whole blocks that are the same, but for the rest of the line
/// that they begin in. git leaves out the same, which shows where there are several ways to tell a change.
fn same_end(old: &[u8], new: &[u8]) -> usize {
    let (old_blocks, new_blocks) = (old.rchunks_exact(BLOCK), new.rchunks_exact(BLOCK));
    let same = old_blocks
        .zip(new_blocks)
        .take_while(|(old, new)| old == new)
        .count()
        * BLOCK;
    match memchr::memchr(b'\n', &old[old.len() - same..]) {
        Some(line) => same - (line + 1),
        None => 0,
    }
}

/// Returns how many bytes at the beginning of both are left out: whole lines, but for the last few thousand bytes. A
/// change that can be told in several ways is told by what stands before it.
fn same_beginning(old: &[u8], new: &[u8]) -> usize {
    const NEAR: usize = 4;
    let same = old
        .chunks_exact(BLOCK)
        .zip(new.chunks_exact(BLOCK))
        .take_while(|(old, new)| old == new)
        .count();
    let far = &old[..same.saturating_sub(NEAR) * BLOCK];
    memchr::memrchr(b'\n', far).map_or(0, |line| line + 1)
}

fn diff_options() -> DiffOptions {
    let mut options = DiffOptions::new();
    options
        .context_lines(0)
        .interhunk_lines(0)
        .force_text(true)
        .indent_heuristic(true);
    options
}

fn hunks_of(patch: &Patch<'_>) -> Result<Vec<Hunk>, GitError> {
    let mut hunks = Vec::new();
    for at in 0..patch.num_hunks() {
        let (hunk, _) = patch.hunk(at)?;
        // A side without lines is given by the line before it.
        let side = |start: u32, count: u32| {
            let start = start as usize - usize::from(count > 0);
            start..start + count as usize
        };
        hunks.push(Hunk {
            old: side(hunk.old_start(), hunk.old_lines()),
            new: side(hunk.new_start(), hunk.new_lines()),
        });
    }
    Ok(hunks)
}

/// Splits runs of lines of the newer file: those that the older one has, placed there, and the others.
fn split(runs: &[Run], hunks: &[Hunk]) -> (Vec<Run>, Vec<Run>) {
    let (mut kept, mut rest) = (Vec::new(), Vec::new());
    for run in runs {
        let mut at = run.there;
        let end = run.there + run.count;
        // The first hunk that ends behind the beginning of the run.
        let first = hunks.partition_point(|hunk| hunk.new.end <= at);
        let mut shift = match first {
            0 => 0,
            first => offset(&hunks[first - 1]),
        };
        let place = |from: usize| run.shown + (from - run.there);
        for hunk in &hunks[first..] {
            if hunk.new.start >= end {
                break;
            }
            if hunk.new.start > at {
                kept.push(Run {
                    shown: place(at),
                    there: at.saturating_add_signed(shift),
                    count: hunk.new.start - at,
                });
                at = hunk.new.start;
            }
            let until = hunk.new.end.min(end);
            if until > at {
                rest.push(Run {
                    shown: place(at),
                    there: at,
                    count: until - at,
                });
                at = until;
            }
            shift = offset(hunk);
        }
        if at < end {
            kept.push(Run {
                shown: place(at),
                there: at.saturating_add_signed(shift),
                count: end - at,
            });
        }
    }
    (kept, rest)
}

/// How far the lines behind a hunk are from where they were.
fn offset(hunk: &Hunk) -> isize {
    hunk.old.end as isize - hunk.new.end as isize
}

fn clipped(run: &Run, wanted: &Range<usize>) -> Option<Run> {
    let start = run.shown.max(wanted.start);
    let end = (run.shown + run.count).min(wanted.end);
    (start < end).then(|| Run {
        shown: start,
        there: run.there + (start - run.shown),
        count: end - start,
    })
}

fn count_lines(bytes: &[u8]) -> usize {
    bytes.split_inclusive(|byte| *byte == b'\n').count()
}
