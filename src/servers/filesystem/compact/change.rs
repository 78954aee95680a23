//! The tools that change a file: plan, compare with what was shown, write.

use std::sync::atomic::{AtomicBool, Ordering};

use rmcp::model::JsonObject;
use serde_json::Value;

use super::super::{Answer, Said};
use super::arguments::Arguments;
use crate::code;
use crate::protocol::{AllowedPart, BREAKS_SYNTAX, ChangeKind, FileChange, Hash, Modes, clip};
use crate::servers::limits::filesystem::compact as limits;
use crate::workspace::{EditError, Plan, Roots, plan_replace, plan_write};

/// How a change is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Say what would change.
    Preview,
    /// Change it.
    Apply,
    /// Change it if the file goes from exactly these bytes to exactly those: what was shown is what is written.
    Expect {
        base: Option<Hash>,
        after: Option<Hash>,
        modes: Option<Modes>,
        /// The other files of a set, each with its path.
        others: Vec<(String, Option<Hash>, Option<Hash>)>,
    },
}

impl Manner {
    /// Reads how a call is meant from its `_meta`.
    pub(super) fn of(meta: &JsonObject) -> Result<Self, String> {
        match meta.get("walden/preview") {
            Some(Value::Bool(true)) => return Ok(Self::Preview),
            None | Some(Value::Bool(false) | Value::Null) => {}
            Some(_) => return Err("`walden/preview` must be true or false".to_owned()),
        }
        let Some(expected) = meta.get("walden/expect") else {
            return Ok(Self::Apply);
        };
        let (base, after) = (hash_in(expected, "base")?, hash_in(expected, "after")?);
        let modes = expected.get("modes").filter(|modes| !modes.is_null());
        let modes = modes.map(|modes| serde_json::from_value(modes.clone()));
        let modes = modes
            .transpose()
            .map_err(|_| "`walden/expect` must have `modes` with `before` and `after`")?;
        let others = match expected.get("others") {
            None => Vec::new(),
            Some(others) => others
                .as_array()
                .into_iter()
                .flatten()
                .map(|other| {
                    let path = other.get("path").and_then(Value::as_str);
                    let path = path.ok_or("`walden/expect` must have the path of each file")?;
                    Ok((
                        path.to_owned(),
                        hash_in(other, "base")?,
                        hash_in(other, "after")?,
                    ))
                })
                .collect::<Result<_, String>>()?,
        };
        Ok(Self::Expect {
            base,
            after,
            modes,
            others,
        })
    }

    /// Tells whether a change is the one that was shown; always where none was.
    pub(super) fn allows(&self, change: &FileChange) -> bool {
        let Self::Expect {
            base,
            after,
            modes,
            others,
        } = self
        else {
            return true;
        };
        let shown = others.iter().map(|(path, base, after)| (path, base, after));
        let planned = change.others.iter();
        (base, after, modes) == (&change.base, &change.after, &change.modes)
            && shown.eq(planned.map(|other| (&other.path, &other.base, &other.after)))
    }
}

/// Reads a hash or null. Anything unclear is refused: the caller wanted a guard.
fn hash_in(expected: &Value, name: &str) -> Result<Option<Hash>, String> {
    match expected.get(name) {
        Some(Value::Null) => Ok(None),
        Some(Value::String(hash)) => Ok(Some(Hash(hash.clone()))),
        _ => Err(format!(
            "`walden/expect` must have `{name}`, a hash or null"
        )),
    }
}

/// A part of the change: of one that leaves these bytes, this much is to be made.
#[derive(Debug)]
pub(super) struct Narrowed {
    planned: Option<Hash>,
    part: AllowedPart,
}

impl Narrowed {
    /// Reads which part of a change a call is about from its `_meta`.
    pub(super) fn of(meta: &JsonObject) -> Result<Option<Self>, String> {
        let Some(narrowed) = meta.get("walden/part") else {
            return Ok(None);
        };
        let unclear = "`walden/part` must have `planned`, a hash or null, and `passages`";
        let planned = match narrowed.get("planned") {
            Some(Value::Null) => None,
            Some(Value::String(hash)) => Some(Hash(hash.clone())),
            _ => return Err(unclear.to_owned()),
        };
        let passages = narrowed.get("passages").cloned().unwrap_or_default();
        let part = serde_json::from_value(passages).map_err(|_| unclear.to_owned())?;
        Ok(Some(Self { planned, part }))
    }
}

/// Replaces a passage.
pub(super) fn edit(
    roots: &Roots,
    arguments: &Arguments,
    meta: &JsonObject,
    cancel: &AtomicBool,
) -> Answer {
    let [path, old, new] = ["path", "old", "new"].map(|name| arguments.text(name));
    let plan = plan_replace(roots, path, old, new, false);
    carry_out(roots, path, plan, meta, cancel)
}

/// Writes a whole file.
pub(super) fn write(
    roots: &Roots,
    arguments: &Arguments,
    meta: &JsonObject,
    cancel: &AtomicBool,
) -> Answer {
    let [path, content] = ["path", "content"].map(|name| arguments.text(name));
    let plan = plan_write(roots, path, content);
    carry_out(roots, path, plan, meta, cancel)
}

fn carry_out(
    roots: &Roots,
    path: &str,
    plan: Result<Plan, EditError>,
    meta: &JsonObject,
    cancel: &AtomicBool,
) -> Answer {
    let (manner, narrowed) = (Manner::of(meta)?, Narrowed::of(meta)?);
    let moved = || format!("cannot write `{path}`: it changed since the diff was shown");
    let mut plan = match (plan, &manner) {
        (Ok(plan), _) => plan,
        // It could be planned when it was shown; what it was planned on is gone.
        (Err(error), Manner::Expect { .. }) => return Err(format!("{}; {error}", moved())),
        (Err(error), _) => return Err(error.to_string()),
    };
    let (narrow, planned) = match narrowed {
        Some(narrowed) if narrowed.planned != plan.change.after => return Err(moved()),
        Some(narrowed) => {
            let part = plan
                .narrow(&narrowed.part)
                .map_err(|error| error.to_string())?;
            (part, Some(plan))
        }
        None => (plan, None),
    };
    plan = narrow;
    note_syntax(&mut plan);
    let change = &plan.change;
    let text = match &manner {
        Manner::Preview => clip(&change.to_unified(), limits::DIFF),
        Manner::Expect { .. } if !manner.allows(change) => return Err(moved()),
        Manner::Expect { .. } | Manner::Apply => {
            if cancel.load(Ordering::Relaxed) {
                return Err(format!("cancelled; `{}` was not changed", change.path));
            }
            plan.apply(roots).map_err(|error| error.to_string())?;
            let mut text = done(change);
            if let Some(planned) = planned {
                let against = clip(&planned.patch_to(&plan, 1), limits::LEFT_OUT);
                text.push_str(&format!(
                    "; the user allowed only a part of it or changed it. Against what you wrote:\n{against}\
                     Do not write again what the user took out."
                ));
            }
            text
        }
    };
    let structured = serde_json::to_value(change).map_err(|error| error.to_string())?;
    Ok(Said::from(text).structured(structured))
}

/// Notes where a change newly breaks its file's syntax.
fn note_syntax(plan: &mut Plan) {
    let (before, after) = plan.bytes();
    let (Ok(before), Ok(after)) = (std::str::from_utf8(before), std::str::from_utf8(after)) else {
        return;
    };
    if let Some(broken) = code::newly_broken(&plan.change.path, before, after) {
        let note = format!("{BREAKS_SYNTAX}line {}: {}", broken.line, broken.what);
        plan.change.notes.push(note);
    }
}

fn done(change: &FileChange) -> String {
    let verb = match change.kind {
        ChangeKind::Create => "created",
        ChangeKind::Modify => "edited",
        ChangeKind::Delete => "deleted",
    };
    let notes: String = change
        .notes
        .iter()
        .filter(|note| note.starts_with("matched "))
        .map(|note| format!("; {note}"))
        .collect();
    format!(
        "{verb} `{}` (+{} -{}){notes}",
        change.path, change.added, change.removed
    )
}
