//! The tools for any host: the reference server's texts, and those of the tools that are new.

use super::arguments::Arguments;
use crate::git::{
    BranchKind, DiffForm, DiffOf, Edge, GitError, Include, Keep, LogQuery, Repo, ResetMode,
    Resolution, Unmerged, now, parse_date,
};
use crate::protocol::clip;
use crate::servers::limits::git::full as limits;

/// Carries out a call. The error is text that can be acted on.
pub(super) fn call(repo: &mut Repo, tool: &str, arguments: &Arguments) -> Result<String, String> {
    match answer(repo, tool, arguments) {
        Ok(text) => Ok(clip(&text, limits::TEXT)),
        Err(error) => Err(error.to_string()),
    }
}

fn answer(repo: &mut Repo, tool: &str, arguments: &Arguments) -> Result<String, GitError> {
    let text = |name| arguments.text(name);
    let optional = |name| arguments.optional_text(name);
    match tool {
        "git_status" => Ok(format!("Repository status:\n{}", repo.status()?)),
        "git_diff_unstaged" => {
            let diff = repo.diff(&DiffOf::Unstaged, &form(arguments)?)?;
            Ok(format!("Unstaged changes:\n{}", trimmed(&diff)))
        }
        "git_diff_staged" => {
            let diff = repo.diff(&DiffOf::Staged, &form(arguments)?)?;
            Ok(format!("Staged changes:\n{}", trimmed(&diff)))
        }
        "git_diff" => {
            let target = text("target");
            let diff = repo.diff(&DiffOf::Target(target.to_owned()), &form(arguments)?)?;
            Ok(format!("Diff with {target}:\n{}", trimmed(&diff)))
        }
        "git_commit" => {
            let id = repo.commit(text("message"))?;
            Ok(format!("Changes committed successfully with hash {id}"))
        }
        "git_add" => Ok(match repo.add(&arguments.texts("files"))? {
            true => "Files staged successfully",
            false => {
                "No changes were staged: the given paths had nothing new to stage. git_status shows what is \
                 modified or untracked."
            }
        }
        .to_owned()),
        "git_reset" => match arguments.texts("files") {
            files if files.is_empty() => {
                repo.reset()?;
                Ok("All staged changes reset".to_owned())
            }
            files => {
                repo.unstage(&files)?;
                Ok("Staged changes of these files reset".to_owned())
            }
        },
        "git_log" => log(repo, arguments),
        "git_create_branch" => {
            let name = text("branch_name");
            let base = repo.create_branch(name, optional("base_branch"))?;
            Ok(format!("Created branch '{name}' from '{base}'"))
        }
        "git_checkout" => repo.checkout(text("branch_name")),
        "git_show" => repo.show(text("revision")),
        "git_branch" => {
            let kind = match text("branch_type") {
                "local" => Some(BranchKind::Local),
                "remote" => Some(BranchKind::Remote),
                "all" => Some(BranchKind::All),
                _ => None,
            };
            for (what, name) in [
                ("contains value", "contains"),
                ("not_contains value", "not_contains"),
            ] {
                refuse_dash(what, text(name))?;
            }
            let Some(kind) = kind else {
                return Err(GitError::Refused(format!(
                    "Invalid branch type: {}",
                    text("branch_type")
                )));
            };
            repo.branches(kind, optional("contains"), optional("not_contains"))
        }
        "git_blame" => {
            let start = arguments.count("start_line").unwrap_or(1);
            let end = arguments.count("end_line");
            let lines = match (arguments.count("start_line"), end) {
                (None, None) => None,
                (_, end) => Some(start..end.map_or(usize::MAX, |end| end.saturating_add(1))),
            };
            repo.blame(text("path"), optional("revision"), lines)
        }
        "git_stash_list" => Ok(or_none(repo.stash_list()?, "The stash is empty")),
        "git_stash_push" => {
            let include = match arguments.is_on("include_untracked") {
                true => Include::Untracked,
                false => Include::Tracked,
            };
            repo.stash_push(optional("message"), include)
        }
        "git_stash_pop" => {
            let keep = match arguments.is_on("keep") {
                true => Keep::Entry,
                false => Keep::Drop,
            };
            repo.stash_apply(stash_index(arguments)?, keep)
        }
        "git_stash_drop" => repo.stash_drop(stash_index(arguments)?),
        "git_tag_list" => Ok(or_none(repo.tags(optional("contains"))?, "There are no such tags")),
        "git_worktree_list" => repo.worktrees(),
        "git_conflicts" => match optional("path") {
            Some(path) => repo.conflict(path),
            None => Ok(or_none(repo.conflicts()?, "No file is unmerged")),
        },
        "git_resolve" => {
            let resolution = match text("with") {
                "ours" => Resolution::Ours,
                "theirs" => Resolution::Theirs,
                _ => Resolution::File,
            };
            repo.resolve_conflict(text("path"), resolution)
        }
        "git_delete_branch" => {
            let name = text("branch_name");
            let unmerged = match arguments.is_on("force") {
                true => Unmerged::Leave,
                false => Unmerged::Keep,
            };
            let tip = repo.delete_branch(name, unmerged)?;
            Ok(format!(
                "Deleted branch '{name}' (was {tip}); git_create_branch with base_branch='{tip}' brings it back"
            ))
        }
        "git_reset_to" => {
            let mode = match text("mode") {
                "soft" => ResetMode::Soft,
                "hard" => ResetMode::Hard,
                _ => ResetMode::Mixed,
            };
            repo.reset_to(text("revision"), mode)
        }
        other => Err(GitError::Refused(format!("there is no tool `{other}`"))),
    }
}

fn log(repo: &Repo, arguments: &Arguments) -> Result<String, GitError> {
    let date = |what: &'static str, edge| -> Result<Option<i64>, GitError> {
        let Some(given) = arguments.optional_text(what) else {
            return Ok(None);
        };
        refuse_dash(what, given)?;
        match parse_date(given, now()?, edge) {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(GitError::Refused(format!(
                "Invalid {what}: '{given}' is no date; such as '2024-01-15', '2024-01-15T14:30:25' or '2 weeks ago'"
            ))),
        }
    };
    let owned = |name| arguments.optional_text(name).map(str::to_owned);
    let query = LogQuery {
        // A negative number is no limit, as for git.
        max: usize::try_from(arguments.number("max_count", 10)).ok(),
        range: owned("revision"),
        path: owned("path"),
        follow: arguments.is_on("follow"),
        author: owned("author"),
        grep: owned("grep"),
        since: date("start_timestamp", Edge::Start)?,
        until: date("end_timestamp", Edge::End)?,
    };
    let entries: Vec<String> = repo
        .log(&query)?
        .into_iter()
        .map(|entry| {
            format!(
                "Commit: {}\nAuthor: {}\nDate: {}\nMessage: {}\n",
                entry.id, entry.author, entry.date, entry.message
            )
        })
        .collect();
    Ok(format!("Commit history:\n{}", entries.join("\n")))
}

fn form(arguments: &Arguments) -> Result<DiffForm, GitError> {
    let context = arguments.number("context_lines", 3);
    let context = u32::try_from(context).map_err(|_| {
        GitError::Refused(format!(
            "`context_lines` must be a whole number from 0, not {context}"
        ))
    })?;
    Ok(DiffForm {
        context,
        paths: arguments.texts("paths"),
        stat: arguments.is_on("stat"),
    })
}

fn stash_index(arguments: &Arguments) -> Result<usize, GitError> {
    usize::try_from(arguments.number("index", 0))
        .map_err(|_| GitError::Refused("`index` must be a whole number from 0".to_owned()))
}

fn refuse_dash(what: &'static str, value: &str) -> Result<(), GitError> {
    match value.starts_with('-') {
        true => Err(GitError::LeadingDash {
            what,
            value: value.to_owned(),
        }),
        false => Ok(()),
    }
}

fn or_none(text: String, none: &str) -> String {
    match text.is_empty() {
        true => none.to_owned(),
        false => text,
    }
}

/// Takes off the one line break at the end that the reference server does not give.
fn trimmed(diff: &str) -> &str {
    diff.strip_suffix('\n').unwrap_or(diff)
}
