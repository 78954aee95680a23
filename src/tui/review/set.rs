//! The calls of a turn that wait together: a tree of their files, with counts.

use crate::protocol::FileChange;

use super::super::diff::{counts, tally};
use super::super::role::Role;
use super::super::text::{Row, clean_line, count, cut_middle, width};

/// A call of the set.
#[derive(Debug, Clone)]
pub(in crate::tui) struct Entry<'a> {
    /// What it does, where it changes no file.
    pub title: String,
    pub change: Option<&'a FileChange>,
    /// What was left out and edited.
    pub summary: String,
}

/// Lays out the set in at most `most` rows, the current one among them.
pub(in crate::tui) fn rows(
    entries: &[Entry<'_>],
    current: usize,
    wide: usize,
    most: usize,
) -> Vec<Row> {
    if entries.len() < 2 || most == 0 {
        return Vec::new();
    }
    let (mut rows, mut at) = (Vec::new(), 0);
    let mut tallied = Vec::new();
    let mut folder = "";
    for (number, entry) in entries.iter().enumerate() {
        let (above, name) = match entry.change {
            Some(change) => change.path.rsplit_once('/').unwrap_or(("", &change.path)),
            None => ("", entry.title.as_str()),
        };
        // Files of one folder stand below its name; a folder of one file is written with it.
        let of_folder = |entry: &Entry<'_>| {
            let path = entry.change.map(|change| change.path.as_str());
            path.and_then(|path| path.rsplit_once('/'))
                .is_some_and(|(other, _)| other == above)
        };
        let shared = !above.is_empty()
            && (number
                .checked_sub(1)
                .is_some_and(|before| of_folder(&entries[before]))
                || entries.get(number + 1).is_some_and(of_folder));
        if shared && above != folder {
            rows.push(Row::new(format!("  {}/", clean_line(above)), Role::TextDim));
        }
        folder = if shared { above } else { "" };
        if number == current {
            at = rows.len();
        }
        tallied.push((number, rows.len()));
        rows.push(file(name, above, shared, number == current, wide));
    }
    let (added, removed) = entries
        .iter()
        .filter_map(|entry| entry.change)
        .map(counts)
        .fold((0, 0), |(added, removed), more| {
            (added + more.0, removed + more.1)
        });
    // The counts stand below each other, with room for the sum.
    let told = format!("  {} wait", count(entries.len(), "call"));
    let named = rows.iter().map(Row::width).chain([width(&told)]);
    let column = named.max().unwrap_or(0).min(wide / 2);
    let digits = added.max(removed).to_string().len() + 1;
    for (at, row) in tallied {
        let (entry, row): (&Entry<'_>, &mut Row) = (&entries[at], &mut rows[row]);
        if let Some(change) = entry.change {
            let (added, removed) = counts(change);
            row.push(" ".repeat(column.saturating_sub(row.width())), Role::Text);
            row.append(tally(added, removed, digits));
        }
        if !entry.summary.is_empty() {
            row.push(format!(" · {}", entry.summary), Role::CallDenied);
        }
        *row = std::mem::take(row).cut(wide);
    }
    let room = " ".repeat(column.saturating_sub(width(&told)));
    let mut sum = Row::new(told, Role::TextDim).with(room, Role::Text);
    sum.append(tally(added, removed, digits));
    sum.push("  ← → go to the next", Role::TextDim);
    let room = most - 1;
    if rows.len() > room {
        let first = at.saturating_sub(room / 2).min(rows.len() - room);
        rows = rows.split_off(first);
        rows.truncate(room);
    }
    rows.push(sum.cut(wide));
    rows
}

fn file(name: &str, above: &str, shared: bool, current: bool, wide: usize) -> Row {
    let mut row = match current {
        true => Row::new("▸ ", Role::Accent),
        false => Row::new("  ", Role::Text),
    };
    let role = if current { Role::DiffPath } else { Role::Text };
    let room = wide.saturating_sub(24).max(8);
    match (shared, above) {
        (true, _) => row.push(format!("  {}", cut_middle(&clean_line(name), room)), role),
        (false, "") => row.push(cut_middle(&clean_line(name), room), role),
        (false, above) => {
            let path = clean_line(&format!("{above}/{name}"));
            row.push(cut_middle(&path, room), role);
        }
    }
    row
}
