//! A difference that was told as text, as git prints it: each file with what becomes of it, and its lines by what they are.

use super::super::role::Role;
use super::super::text::{Row, clean_code, clean_line, fold};

/// What the lines above a file's hunks say of it.
#[derive(Debug, Default)]
struct Head {
    named: String,
    old: Option<String>,
    new: Option<String>,
    from: Option<String>,
    to: Option<String>,
    copied: bool,
    alike: Option<String>,
    modes: (Option<String>, Option<String>),
    made: Option<String>,
    deleted: bool,
    binary: bool,
}

/// Tells whether a text has a difference in git's form.
pub(in crate::tui) fn is_told(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("diff --git "))
}

/// Lays a text out in rows of at most `limit` columns, `most` of them; what stands before the first file is text.
pub(in crate::tui) fn told(text: &str, limit: usize, most: usize) -> Vec<Row> {
    let limit = limit.max(1);
    let mut rows: Vec<Row> = Vec::new();
    let mut head: Option<Head> = None;
    // Lines that a hunk still has, of the old side and of the new one: in it, a line that looks like a header is none.
    let (mut old, mut new) = (0_usize, 0_usize);
    let fill = |rows: &mut Vec<Row>, line: &str, role: Role| {
        rows.extend(fold(
            &Row::new(clean_code(line), role),
            limit,
            &Row::default(),
        ));
    };
    for line in text.lines() {
        if rows.len() >= most {
            break;
        }
        if old + new > 0 {
            let (role, sides) = match line.as_bytes().first() {
                Some(b'+') => (Role::DiffAdded, (0, 1)),
                Some(b'-') => (Role::DiffRemoved, (1, 0)),
                Some(b'\\') => (Role::TextDim, (0, 0)),
                _ => (Role::CallOutput, (1, 1)),
            };
            old = old.saturating_sub(sides.0);
            new = new.saturating_sub(sides.1);
            fill(&mut rows, line, role);
            continue;
        }
        if let Some(names) = line.strip_prefix("diff --git ") {
            rows.extend(head.take().map(|head| head.row(limit)));
            head = Some(Head {
                named: names.to_owned(),
                ..Head::default()
            });
            continue;
        }
        if let Some(counts) = line.strip_prefix("@@ -").and_then(counts) {
            rows.extend(head.take().map(|head| head.row(limit)));
            (old, new) = counts;
            fill(&mut rows, line, Role::DiffHunk);
            continue;
        }
        match &mut head {
            Some(head) => head.take(line),
            None if line.starts_with('\\') => fill(&mut rows, line, Role::TextDim),
            None => fill(&mut rows, line, Role::CallOutput),
        }
    }
    rows.extend(head.map(|head| head.row(limit)));
    rows.truncate(most);
    rows
}

/// Reads how many lines a hunk has on both sides: `3,7 +3,8 @@ fn a()`.
fn counts(range: &str) -> Option<(usize, usize)> {
    let (old, rest) = range.split_once(" +")?;
    let (new, _) = rest.split_once(" @@")?;
    let lines = |side: &str| match side.split_once(',') {
        Some((_, lines)) => lines.parse().ok(),
        None => Some(1),
    };
    Some((lines(old)?, lines(new)?))
}

impl Head {
    fn take(&mut self, line: &str) {
        let path = |side: &str| {
            let path = side.trim_end_matches('\t');
            let path = path.strip_prefix("a/").or_else(|| path.strip_prefix("b/"));
            path.map(str::to_owned)
        };
        let rest = |start: &str| line.strip_prefix(start).map(str::to_owned);
        if let Some(side) = rest("--- ") {
            self.old = path(&side);
        } else if let Some(side) = rest("+++ ") {
            self.new = path(&side);
        } else if let Some(from) = rest("rename from ") {
            self.from = Some(from);
        } else if let Some(to) = rest("rename to ") {
            self.to = Some(to);
        } else if let Some(from) = rest("copy from ") {
            (self.from, self.copied) = (Some(from), true);
        } else if let Some(to) = rest("copy to ") {
            self.to = Some(to);
        } else if let Some(alike) = rest("similarity index ") {
            self.alike = Some(alike);
        } else if let Some(mode) = rest("old mode ") {
            self.modes.0 = Some(mode);
        } else if let Some(mode) = rest("new mode ") {
            self.modes.1 = Some(mode);
        } else if let Some(mode) = rest("new file mode ") {
            self.made = Some(mode);
        } else if line.starts_with("deleted file mode ") {
            self.deleted = true;
        } else if line.starts_with("Binary files ") || line == "GIT binary patch" {
            self.binary = true;
        }
    }

    /// Says in one row which file it is and what becomes of it.
    fn row(self, limit: usize) -> Row {
        let named = || {
            // Both names are the same where nothing else tells: `a/x b/x`.
            let half = self.named.len() / 2;
            let (a, b) = self
                .named
                .split_at_checked(half)
                .unwrap_or((&self.named, ""));
            let same = a
                .strip_prefix("a/")
                .filter(|a| b.strip_prefix(" b/") == Some(a));
            same.unwrap_or(&self.named).to_owned()
        };
        let path = self.to.clone().or(self.new.clone()).or(self.old.clone());
        let path = clean_line(&path.unwrap_or_else(named));
        let mut row = match &self.from {
            Some(from) => Row::new(if self.copied { "copy " } else { "rename " }, Role::Text)
                .with(clean_line(from), Role::DiffPath)
                .with(" → ", Role::Text),
            None if self.made.is_some() => Row::new("create ", Role::Text),
            None if self.deleted => Row::new("delete ", Role::Text),
            None => Row::default(),
        };
        row.push(path, Role::DiffPath);
        match (&self.from, self.alike.as_deref()) {
            (Some(_), Some("100%")) => row.push(" · content unchanged", Role::TextDim),
            (Some(_), Some(alike)) => {
                row.push(format!(" · {} alike", clean_line(alike)), Role::TextDim)
            }
            _ => {}
        }
        if let (Some(before), Some(after)) = &self.modes {
            let text = format!(" mode {} → {}", clean_line(before), clean_line(after));
            row.push(text, Role::NoticeWarning);
        }
        if let Some(mode) = self.made.filter(|mode| mode != "100644") {
            row.push(format!(" · mode {}", clean_line(&mode)), Role::TextDim);
        }
        if self.binary {
            row.push(" · a binary file: its bytes are not shown", Role::TextDim);
        }
        row.cut(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let rows = told(text, 60, 100);
        let rows = rows.iter().map(|row| row.plain().trim_end().to_owned());
        rows.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn renames_modes_and_binary_files_say_what_they_are() {
        let text = "Diff with HEAD:\n\
            diff --git a/a.py b/lib/b.py\nsimilarity index 100%\nrename from a.py\nrename to lib/b.py\n\
            diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n\
            diff --git a/c.py b/d.py\nsimilarity index 90%\nrename from c.py\nrename to d.py\nindex 1..2 100644\n\
            --- a/c.py\n+++ b/d.py\n@@ -1,2 +1,2 @@ def f():\n x\n-y\n+\tz\n\\ No newline at end of file\n\
            diff --git a/p.png b/p.png\nindex 1..2 100644\nBinary files a/p.png and b/p.png differ\n\
            diff --git a/n b/n\nnew file mode 100755\nindex 0..1\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+1\n\
            diff --git a/o b/o\ndeleted file mode 100644\nindex 1..0\n--- a/o\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n";
        assert!(is_told(text));
        insta::assert_snapshot!(shown(text), @r"
        Diff with HEAD:
        rename a.py → lib/b.py · content unchanged
        run.sh mode 100644 → 100755
        rename c.py → d.py · 90% alike
        @@ -1,2 +1,2 @@ def f():
         x
        -y
        +    z
        \ No newline at end of file
        p.png · a binary file: its bytes are not shown
        create n · mode 100755
        @@ -0,0 +1 @@
        +1
        delete o
        @@ -1 +0,0 @@
        -1
        ");
    }

    #[test]
    fn a_line_of_a_file_that_looks_like_a_header_is_a_line() {
        let text = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n--- a/y\n-diff --git a/z b/z\n+++ b/y\n";
        let rows = told(text, 60, 100);
        let texts: Vec<String> = rows.iter().map(Row::plain).collect();
        assert_eq!(
            texts,
            [
                "x",
                "@@ -1,2 +1 @@",
                "--- a/y",
                "-diff --git a/z b/z",
                "+++ b/y"
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_told_stays_in_its_columns(
            text in "(diff --git a/x b/x\n|rename from é\n|--- a\n|@@ -1,9 +1,9 @@\n|[-+ ].{0,30}\n|old mode \x1b\n|new mode 1\n){0,20}",
            limit in 0_usize..80,
            most in 0_usize..30,
        ) {
            let rows = told(&text, limit, most);
            proptest::prop_assert!(rows.len() <= most);
            for row in rows {
                proptest::prop_assert!(row.width() <= limit.max(1));
                proptest::prop_assert!(!row.plain().contains('\x1b'));
            }
        }
    }
}
