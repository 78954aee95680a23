//! The history: commits of a range, of a path, of an author, with words in their message.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::path::Path;

use git2::{Delta, ObjectType, Oid};

use super::history::History;
use super::objects::Parts;
use super::{GitError, Repo};

/// How many commits in a row may be too old before the walk ends: clocks are not always right.
const OLD_IN_A_ROW: usize = 200;

/// Which commits are asked for. By default the newest ten of the current branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    /// The most commits; `None` for all.
    pub max: Option<usize>,
    /// A revision or a range `A..B`; `HEAD` where none is given.
    pub range: Option<String>,
    /// Only commits that changed this file or folder.
    pub path: Option<String>,
    /// Goes on through renames of the file.
    pub follow: bool,
    /// Part of the author's name or mail address, in any case.
    pub author: Option<String>,
    /// Part of the message, in any case.
    pub grep: Option<String>,
    /// No older than this, in seconds.
    pub since: Option<i64>,
    /// No newer than this, in seconds.
    pub until: Option<i64>,
}

impl Default for LogQuery {
    fn default() -> Self {
        Self {
            max: Some(10),
            range: None,
            path: None,
            follow: false,
            author: None,
            grep: None,
            since: None,
            until: None,
        }
    }
}

/// A commit of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The whole id.
    pub id: String,
    pub author: String,
    /// With the author's offset, as `2026-01-01 00:00:00+00:00`.
    pub date: String,
    pub message: String,
}

impl Repo {
    /// Returns commits, the newest first.
    ///
    /// # Errors
    ///
    /// When a revision does not exist or the branch has no commit yet.
    pub fn log(&self, query: &LogQuery) -> Result<Vec<LogEntry>, GitError> {
        let mut filter = Filter::new(query);
        if query.max == Some(0) {
            return Ok(Vec::new());
        }
        let tips = self.tips(query)?;
        // What a range leaves out is not known without walking it once.
        let within: Option<HashSet<Oid>> = match tips.iter().all(|(_, shown)| *shown) {
            true => None,
            false => Some(self.within(&tips)?),
        };
        let path = match &query.path {
            Some(path) => Some(self.inner_path(path)?).filter(|path| !path.is_empty()),
            None => None,
        };
        let path = path.unwrap_or_default();
        let mut history = self.history();
        let mut queue = Queue::default();
        for (id, _) in tips.iter().filter(|(_, shown)| *shown) {
            queue.push(*id, history.node(self, *id)?.time, &path);
        }
        while let Some((id, path)) = queue.pop() {
            self.go_on()?;
            if within.as_ref().is_some_and(|within| !within.contains(&id)) {
                continue;
            }
            let go = match path.is_empty() {
                true => {
                    for parent in history.node(self, id)?.parents {
                        queue.push(parent, history.node(self, parent)?.time, "");
                    }
                    filter.take(self, &mut history, id)?
                }
                false => self.step(id, &path, query, &mut history, &mut queue, &mut filter)?,
            };
            if go == Go::Stop {
                break;
            }
        }
        Ok(filter.entries)
    }

    fn within(&self, tips: &[(Oid, bool)]) -> Result<HashSet<Oid>, GitError> {
        let mut walk = self.git.revwalk()?;
        for (id, shown) in tips {
            match shown {
                true => walk.push(*id)?,
                false => walk.hide(*id)?,
            }
        }
        let mut found = HashSet::new();
        for id in walk {
            self.go_on()?;
            found.insert(id?);
        }
        Ok(found)
    }

    /// Finds where the history begins, and what is left out of it.
    fn tips(&self, query: &LogQuery) -> Result<Vec<(Oid, bool)>, GitError> {
        let commit = |name: &str| -> Result<Oid, GitError> {
            Ok(self.resolve(name)?.peel_to_commit()?.id())
        };
        let Some(range) = &query.range else {
            if self.git.head().is_err() {
                return Err(GitError::refused(
                    "the current branch has no commit yet, so there is no history",
                ));
            }
            return Ok(vec![(commit("HEAD")?, true)]);
        };
        super::names::no_dash("range", range)?;
        let Some((from, to, three)) = super::diff::range(range) else {
            return Ok(vec![(commit(range)?, true)]);
        };
        let (from, to) = (commit(from)?, commit(to)?);
        if !three {
            return Ok(vec![(from, false), (to, true)]);
        }
        let mut tips = vec![(from, true), (to, true)];
        if let Ok(bases) = self.git.merge_bases(from, to) {
            tips.extend(bases.iter().map(|base| (*base, false)));
        }
        Ok(tips)
    }

    /// Takes a step in the history of one path: of a merge, only to the parent that has the path as it is.
    fn step(
        &self,
        id: Oid,
        path: &str,
        query: &LogQuery,
        history: &mut History,
        queue: &mut Queue,
        filter: &mut Filter<'_>,
    ) -> Result<Go, GitError> {
        let here = history.at(self, id, path)?;
        let parents = history.node(self, id)?.parents;
        for parent in &parents {
            if history.at(self, *parent, path)? == here {
                queue.push(*parent, history.node(self, *parent)?.time, path);
                return Ok(Go::On);
            }
        }
        let mut go = Go::On;
        if here.is_some() || !parents.is_empty() {
            go = filter.take(self, history, id)?;
        }
        let mut path = path.to_owned();
        if let [parent] = parents.as_slice()
            && query.follow
            && here.is_some()
            && history.at(self, *parent, &path)?.is_none()
            && let Some(older) = self.renamed_from(*parent, id, &path)?
        {
            path = older;
        }
        for parent in parents {
            queue.push(parent, history.node(self, parent)?.time, &path);
        }
        Ok(go)
    }

    /// Finds the name that a file had before this commit gave it another one.
    pub(super) fn renamed_from(
        &self,
        parent: Oid,
        commit: Oid,
        path: &str,
    ) -> Result<Option<String>, GitError> {
        let [old, new] = [parent, commit].map(|id| self.git.find_commit(id)?.tree());
        let mut diff = self.git.diff_tree_to_tree(Some(&old?), Some(&new?), None)?;
        let mut options = git2::DiffFindOptions::new();
        diff.find_similar(Some(options.renames(true).rename_limit(1_000)))?;
        let renamed = diff.deltas().find(|delta| {
            delta.status() == Delta::Renamed && delta.new_file().path() == Some(Path::new(path))
        });
        Ok(renamed.and_then(|delta| Some(delta.old_file().path()?.to_str()?.to_owned())))
    }
}

/// Commits that are still to be looked at, the newest first; of the same second, in the order in which they came.
#[derive(Default)]
struct Queue {
    heap: BinaryHeap<(i64, Reverse<usize>)>,
    commits: HashMap<usize, (Oid, String)>,
    seen: HashSet<Oid>,
}

impl Queue {
    fn push(&mut self, commit: Oid, time: i64, path: &str) {
        if self.seen.insert(commit) {
            let at = self.seen.len();
            self.heap.push((time, Reverse(at)));
            self.commits.insert(at, (commit, path.to_owned()));
        }
    }

    fn pop(&mut self) -> Option<(Oid, String)> {
        let (_, Reverse(at)) = self.heap.pop()?;
        self.commits.remove(&at)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Go {
    On,
    Stop,
}

/// Collects the commits that are asked for.
struct Filter<'a> {
    query: &'a LogQuery,
    author: Option<String>,
    grep: Option<String>,
    entries: Vec<LogEntry>,
    old: usize,
}

impl<'a> Filter<'a> {
    fn new(query: &'a LogQuery) -> Self {
        let lower = |text: &Option<String>| text.as_ref().map(|text| text.to_lowercase());
        Self {
            author: lower(&query.author),
            grep: lower(&query.grep),
            query,
            entries: Vec::new(),
            old: 0,
        }
    }

    fn take(&mut self, repo: &Repo, history: &mut History, id: Oid) -> Result<Go, GitError> {
        let time = history.node(repo, id)?.time;
        if self.query.since.is_some_and(|since| time < since) {
            self.old += 1;
            return Ok(match self.old > OLD_IN_A_ROW {
                true => Go::Stop,
                false => Go::On,
            });
        }
        self.old = 0;
        if self.query.until.is_some_and(|until| time > until) {
            return Ok(Go::On);
        }
        let stored = history.objects.read_as(ObjectType::Commit, id)?;
        let parts = Parts::of(&stored.bytes);
        let author = parts.author();
        if let Some(part) = &self.author {
            let found = author.is_some_and(|author| {
                let [name, mail] = [author.name, author.mail].map(String::from_utf8_lossy);
                format!("{name} <{mail}>").to_lowercase().contains(part)
            });
            if !found {
                return Ok(Go::On);
            }
        }
        if let Some(part) = &self.grep
            && !String::from_utf8_lossy(parts.message)
                .to_lowercase()
                .contains(part)
        {
            return Ok(Go::On);
        }
        let entry = match author {
            Some(author) if !stored.bytes.contains(&0) => LogEntry {
                id: id.to_string(),
                author: String::from_utf8_lossy(author.name).into_owned(),
                date: super::date::shown(author.when, super::date::Offset::Colon),
                message: String::from_utf8_lossy(parts.message).into_owned(),
            },
            // Not written as usual: libgit2 makes the best of it.
            _ => {
                let commit = repo.git.find_commit(id)?;
                let author = commit.author();
                LogEntry {
                    id: id.to_string(),
                    author: String::from_utf8_lossy(author.name_bytes()).into_owned(),
                    date: super::date::shown(author.when(), super::date::Offset::Colon),
                    message: String::from_utf8_lossy(commit.message_raw_bytes()).into_owned(),
                }
            }
        };
        self.entries.push(entry);
        Ok(match self.query.max {
            Some(max) if self.entries.len() >= max => Go::Stop,
            _ => Go::On,
        })
    }
}
