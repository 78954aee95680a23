//! The tool that moves an item to another file: one change of many files, made together or not at all. The host calls
//! it where a request asks for nothing else; the model is not told of it.

use std::sync::atomic::{AtomicBool, Ordering};

use super::super::{Answer, Said};
use super::arguments::Arguments;
use super::change::Manner;
use super::rename::{change_set, left};
use crate::code::rename::moving::{self, Request};
use crate::protocol::clip;
use crate::servers::limits::filesystem::compact as limits;
use crate::workspace::Roots;

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
    let set = change_set(roots, &planned.files)?;
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
