//! What there is to name: branches, tags, recent commits, and the ways in which callers write them.

use super::Repo;

/// How many recent commits are named, how many branches begin a range, and how many files are named in `HEAD`.
const COMMITS: usize = 200;
const RANGES: usize = 50;
const FILES: usize = 5_000;

/// How far back `HEAD~n` is named.
const BACK: usize = 9;

/// As many digits of a commit as `git_log` shows a model.
const DIGITS: usize = 8;

impl Repo {
    /// Lists the revisions that a caller is likely to mean: `HEAD` and what is just before it, branches, tags, recent
    /// commits, ranges up to `HEAD`, and the files of `HEAD` as `HEAD:path`. A repository without a commit has none.
    pub fn revisions(&self) -> Vec<String> {
        let Ok(head) = self.git.head().and_then(|head| head.peel_to_commit()) else {
            return Vec::new();
        };
        let mut names = vec!["HEAD".to_owned()];
        let mut earlier = head.parent(0).ok();
        for n in 1..=BACK {
            let Some(commit) = earlier else { break };
            names.push(format!("HEAD~{n}"));
            names.push(format!("HEAD~{n}..HEAD"));
            earlier = commit.parent(0).ok();
        }
        let mut ranges = 0;
        for reference in self.git.references().into_iter().flatten().flatten() {
            let Ok(name) = reference.shorthand() else {
                continue;
            };
            if !(reference.is_branch() || reference.is_remote() || reference.is_tag())
                || name.starts_with('-')
            {
                continue;
            }
            if ranges < RANGES {
                ranges += 1;
                names.push(format!("{name}..HEAD"));
                names.push(format!("{name}...HEAD"));
            }
            names.push(name.to_owned());
        }
        if let Ok(mut walk) = self.git.revwalk()
            && walk.push_head().is_ok()
        {
            let ids = walk.flatten().take(COMMITS);
            names.extend(ids.filter_map(|id| id.to_string().get(..DIGITS).map(str::to_owned)));
        }
        if let Ok(tree) = head.tree() {
            let mut files = 0;
            // What cannot be walked to its end is named as far as it was.
            let _ = tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
                if let (Some(git2::ObjectType::Blob), Ok(name)) = (entry.kind(), entry.name()) {
                    files += 1;
                    names.push(format!("HEAD:{folder}{name}"));
                }
                match files < FILES {
                    true => git2::TreeWalkResult::Ok,
                    false => git2::TreeWalkResult::Abort,
                }
            });
            if files >= FILES {
                // A part of them would keep a model from naming the rest.
                names.retain(|name| !name.starts_with("HEAD:"));
            }
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Tells whether git keeps a file: it is in the index, or in the last commit.
    pub fn keeps(&self, path: &str) -> bool {
        let path = std::path::Path::new(path);
        let staged = self
            .git
            .index()
            .is_ok_and(|index| index.get_path(path, 0).is_some());
        staged
            || self
                .git
                .head()
                .and_then(|head| head.peel_to_tree())
                .is_ok_and(|tree| tree.get_path(path).is_ok())
    }
}
