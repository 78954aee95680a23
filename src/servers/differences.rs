//! Where the built-in servers do something else than the reference servers whose place they take.
//!
//! One table for each server, as Markdown beside its code: its documentation shows it, `walden serve differences` prints
//! it, and the replay of what the reference servers were seen to do allows these differences and no others.

/// Something that a built-in server does differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// What it is about.
    pub what: &'static str,
    /// What the reference server does.
    pub reference: &'static str,
    /// What is done here.
    pub here: &'static str,
    /// Why; empty where it makes no difference to a client.
    pub why: &'static str,
}

/// The built-in servers, the reference servers whose place they take, and the tables.
pub const SERVERS: [(&str, &str, &str); 3] = [
    (
        "filesystem",
        "@modelcontextprotocol/server-filesystem 2026.8.31",
        include_str!("filesystem/differences.md"),
    ),
    (
        "git",
        "mcp-server-git 2026.10.19",
        include_str!("git/differences.md"),
    ),
    (
        "memory",
        "@modelcontextprotocol/server-memory 2026.8.31",
        include_str!("memory/differences.md"),
    ),
];

/// Returns what a built-in server does differently; nothing for a name that is none of theirs.
pub fn of(server: &str) -> Vec<Difference> {
    let table = SERVERS.iter().find(|(name, ..)| *name == server);
    let rows = table.map_or("", |(.., table)| *table).lines();
    // The head, and the line under it.
    rows.skip(2).filter_map(row).collect()
}

/// Reads a row of four columns.
fn row(line: &'static str) -> Option<Difference> {
    let mut columns = line.strip_prefix('|')?.strip_suffix('|')?.split(" |");
    let mut column = || columns.next().map(str::trim);
    Some(Difference {
        what: column()?,
        reference: column()?,
        here: column()?,
        why: column()?,
    })
}

/// Writes all differences for a person to read.
pub fn text() -> String {
    let mut out = String::new();
    for (server, reference, _) in SERVERS {
        out.push_str(&format!("walden serve {server}, beside {reference}\n"));
        for Difference {
            what,
            reference,
            here,
            why,
        } in of(server)
        {
            out.push_str(&format!(
                "\n  {what}\n    there  {reference}\n    here   {here}\n"
            ));
            if !why.is_empty() {
                out.push_str(&format!("    why    {why}\n"));
            }
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_every_table_is_read() {
        for (server, _, table) in SERVERS {
            let rows = of(server);
            assert_eq!(rows.len(), table.lines().count() - 2, "{server}");
            for row in &rows {
                assert!(!row.what.is_empty() && !row.here.is_empty(), "{row:?}");
                assert_eq!(
                    rows.iter().filter(|other| other.what == row.what).count(),
                    1,
                    "{row:?}"
                );
            }
        }
        assert!(text().contains("here   no access, but with `--ignore-client-roots`"));
    }
}
