//! The tools that move: an item to another file, which is one change of many files, made together or not at all, and a
//! file to another path; and the one that marks a file as a program. The host calls them where a request asks for nothing
//! else; the model is not told of them.

use std::sync::atomic::{AtomicBool, Ordering};

use super::super::{Answer, Said};
use super::arguments::Arguments;
use super::change::Manner;
use super::rename::{NOTHING, left};
use crate::code::rename::moving::{self, Request};
use crate::protocol::{FileChange, clip};
use crate::servers::limits::filesystem::compact as limits;
use crate::workspace::{ChangeSet, Moving, MovingError, Roots, plan_executable, plan_move};

/// Moves an item to another file.
pub(super) fn move_item(
    roots: &Roots,
    arguments: &Arguments,
    manner: &Manner,
    cancel: &AtomicBool,
) -> Answer {
    let [item, to] = ["symbol", "to"].map(|name| arguments.text(name));
    if item.is_empty() || to.is_empty() {
        return Err("`symbol` is a name and `to` a file; neither can be empty".to_owned());
    }
    let request = Request {
        item,
        to,
        path: arguments.optional_text("path"),
    };
    let planned = moving::plan(roots, &request, cancel).map_err(|error| error.to_string())?;
    let set = ChangeSet::of_texts(roots, &planned.files, None)
        .map_err(|error| error.to_string())?
        .ok_or_else(|| NOTHING.to_owned())?;
    let change = set.change();
    let text = match manner {
        Manner::Preview => clip(&change.to_unified(), limits::DIFF),
        _ if !manner.allows(&change) => {
            return Err(format!(
                "cannot move `{item}`: its files changed since the diff was shown"
            ));
        }
        Manner::Expect { .. } | Manner::Apply => {
            if cancel.load(Ordering::Relaxed) {
                return Err(format!("cancelled; `{item}` was not moved"));
            }
            set.apply(roots).map_err(|error| error.to_string())?;
            format!(
                "moved `{item}` from `{}` to `{to}`, {} files changed{}{}",
                planned.from,
                change.files().count(),
                match planned.passed_on {
                    true => "; the old module passes it on",
                    false => "",
                },
                left("are to be looked at", &planned.unsure)
            )
        }
    };
    let structured = serde_json::to_value(change).map_err(|error| error.to_string())?;
    Ok(Said::from(text).structured(structured))
}

/// Moves a file to another path.
pub(super) fn move_file(
    roots: &Roots,
    arguments: &Arguments,
    manner: &Manner,
    cancel: &AtomicBool,
) -> Answer {
    let [from, to] = ["path", "new_path"].map(|name| arguments.text(name));
    let done = |change: &FileChange| format!("moved `{from}` to `{}`", change.path);
    carry_out(
        roots,
        from,
        plan_move(roots, from, to),
        done,
        manner,
        cancel,
    )
}

/// Lets a file be run as a program, or not any more.
pub(super) fn set_executable(
    roots: &Roots,
    arguments: &Arguments,
    manner: &Manner,
    cancel: &AtomicBool,
) -> Answer {
    let [path, mode] = ["path", "mode"].map(|name| arguments.text(name));
    let runs = match mode {
        "+x" => true,
        "-x" => false,
        _ => return Err("`mode` is `+x` or `-x`".to_owned()),
    };
    let plan = plan_executable(roots, path, runs);
    let done = |change: &FileChange| {
        let modes = change.modes.map(|modes| format!(" from {modes}"));
        format!("changed the mode of `{path}`{}", modes.unwrap_or_default())
    };
    carry_out(roots, path, plan, done, manner, cancel)
}

fn carry_out(
    roots: &Roots,
    path: &str,
    plan: Result<Moving, MovingError>,
    done: impl Fn(&FileChange) -> String,
    manner: &Manner,
    cancel: &AtomicBool,
) -> Answer {
    let moved = || format!("cannot change `{path}`: it changed since this was shown");
    let plan = match (plan, manner) {
        (Ok(plan), _) => plan,
        // It could be planned when it was shown; what it was planned on is gone.
        (Err(error), Manner::Expect { .. }) => return Err(format!("{}; {error}", moved())),
        (Err(error), _) => return Err(error.to_string()),
    };
    let change = plan.change();
    let text = match manner {
        Manner::Preview => change.to_unified(),
        _ if !manner.allows(change) => return Err(moved()),
        Manner::Expect { .. } | Manner::Apply => {
            if cancel.load(Ordering::Relaxed) {
                return Err(format!("cancelled; `{path}` was not changed"));
            }
            plan.apply(roots).map_err(|error| error.to_string())?;
            done(change)
        }
    };
    let structured = serde_json::to_value(change).map_err(|error| error.to_string())?;
    Ok(Said::from(text).structured(structured))
}
