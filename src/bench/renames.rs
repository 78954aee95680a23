//! Files in several languages that a model writes out with a name changed: the edit that copies most.

use super::workload;
use crate::protocol::{Message, ModelRequest};

/// A file, its language, a name in it, and the name that it gets.
struct Rename {
    file: &'static str,
    language: &'static str,
    from: &'static str,
    to: &'static str,
}

const SHOP: &str = include_str!("../../tests/fixtures/renames/shop.py.txt");
const SCHEDULER: &str = include_str!("../../tests/fixtures/renames/scheduler.rs.txt");
const NOTES: &str = include_str!("../../tests/fixtures/renames/notes.ts.txt");
const CACHE: &str = include_str!("../../tests/fixtures/renames/cache.go.txt");

/// The same that the tests of `speculate` count.
const RENAMES: [Rename; 6] = [
    rename(SHOP, "python", "total", "sum_of_prices"),
    rename(SCHEDULER, "rust", "pending", "waiting_jobs"),
    rename(SCHEDULER, "rust", "Outcome", "JobResult"),
    rename(NOTES, "typescript", "getNote", "findById"),
    rename(NOTES, "typescript", "getNote", "getNoteById"),
    rename(CACHE, "go", "entries", "items"),
];

const fn rename(
    file: &'static str,
    language: &'static str,
    from: &'static str,
    to: &'static str,
) -> Rename {
    Rename {
        file,
        language,
        from,
        to,
    }
}

/// Returns what is asked of the model for each, with its name.
pub(super) fn requests() -> Vec<(String, ModelRequest)> {
    let request = |rename: &Rename| {
        let Rename {
            file,
            language,
            from,
            to,
        } = rename;
        let text = format!(
            "```{language}\n{file}```\n\nRename `{from}` to `{to}` everywhere in this file. Write out the whole file."
        );
        (
            format!("{from} in {language}"),
            workload::request(vec![workload::system(), Message::User { text }], 1000),
        )
    };
    RENAMES.iter().map(request).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_used_in_several_places_and_its_new_one_is_new() {
        for rename in &RENAMES {
            assert!(
                rename.file.matches(rename.from).count() >= 3,
                "{}",
                rename.from
            );
            assert!(!rename.file.contains(rename.to), "{}", rename.to);
        }
        assert_eq!(requests().len(), RENAMES.len());
    }
}
