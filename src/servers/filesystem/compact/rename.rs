//! The tool that renames: one change of many files, made together or not at all.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::{Answer, Said};
use super::arguments::Arguments;
use super::change::Manner;
use crate::code::rename::{self, Rename, Request, Sight, Unsure};
use crate::protocol::{FileChange, clip};
use crate::servers::limits::filesystem::compact as limits;
use crate::workspace::{ChangeSet, Roots};

/// What is said of a change without files.
pub(super) const NOTHING: &str = "nothing would change";

/// How many of the places that were left are named.
const SHOWN: usize = 8;

/// Renames a symbol in all files.
pub(super) fn rename(
    roots: &Roots,
    arguments: &Arguments,
    manner: &Manner,
    cancel: &AtomicBool,
) -> Answer {
    let [symbol, to] = ["symbol", "to"].map(|name| arguments.text(name));
    if symbol.is_empty() || to.is_empty() {
        return Err("`symbol` and `to` are names; neither can be empty".to_owned());
    }
    let request = Request {
        old: symbol,
        new: to,
        path: arguments.optional_text("path"),
        unsure: Unsure::Leave,
    };
    let planned = rename::plan(roots, &request, cancel).map_err(|error| error.to_string())?;
    let set = ChangeSet::of_texts(roots, &planned.files, planned.moved.as_ref())
        .map_err(|error| error.to_string())?
        .ok_or_else(|| NOTHING.to_owned())?;
    let change = set.change();
    let text = match manner {
        Manner::Preview => clip(&change.to_unified(), limits::DIFF),
        _ if !manner.allows(&change) => {
            return Err(format!(
                "cannot rename `{symbol}`: its files changed since the diff was shown"
            ));
        }
        Manner::Expect { .. } | Manner::Apply => {
            if cancel.load(Ordering::Relaxed) {
                return Err(format!("cancelled; `{symbol}` was not renamed"));
            }
            set.apply(roots).map_err(|error| error.to_string())?;
            done(symbol, to, &planned, &change)
        }
    };
    let structured = serde_json::to_value(change).map_err(|error| error.to_string())?;
    Ok(Said::from(text).structured(structured))
}

fn done(symbol: &str, to: &str, planned: &Rename, change: &FileChange) -> String {
    let mut text = format!(
        "renamed `{symbol}` to `{to}` at {} places in {} files",
        planned.places,
        change.shown().count()
    );
    if let Some((from, file)) = &planned.moved {
        let _ = write!(text, "; `{from}` is `{file}` now");
    }
    text += &left("may mean it, and were left", &planned.unsure);
    text += &left("mention it, and were left", &planned.mentions);
    text
}

/// Lists places that were left.
pub(super) fn left(what: &str, sights: &[Sight]) -> String {
    if sights.is_empty() {
        return String::new();
    }
    let shown = sights.iter().take(SHOWN);
    let lines: String = shown
        .map(|sight| {
            format!(
                "\n{}:{}: {} ({})",
                sight.path, sight.line, sight.text, sight.why
            )
        })
        .collect();
    let more = match sights.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("\n[{more} more]"),
    };
    format!("\n{} places {what}:{lines}{more}", sights.len())
}
