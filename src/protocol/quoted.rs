//! What a result quotes of files that usually hold secrets: the lines that a search found in one, and its part of a
//! difference. A password that the file's owner chose has no form to be known by; that it stands in such a file tells it.

use std::borrow::Cow;

use super::secret::secret_file;

/// A line that is quoted from a file which usually holds secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Quoted<'a> {
    /// The line of the result, from 0.
    line: usize,
    /// Where the quoted text begins in it.
    from: usize,
    path: &'a str,
    what: &'static str,
}

/// Says what the first file is that a result quotes and that usually holds secrets, and on which line, counted from 1.
pub fn quoted_secret(text: &str) -> Option<(String, usize)> {
    let first = quoted(text).into_iter().next()?;
    Some((format!("`{}`, {}", first.path, first.what), first.line + 1))
}

/// Takes out of a result what it quotes of such files. The names of the files and of their lines stay.
pub fn redact_quoted(text: &str) -> Cow<'_, str> {
    let found = quoted(text);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut found = found.into_iter().peekable();
    let mut out = String::with_capacity(text.len());
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let Some(quoted) = found.next_if(|quoted| quoted.line == at) else {
            out.push_str(line);
            continue;
        };
        out.push_str(&line[..quoted.from]);
        out.push_str("[redacted: ");
        out.push_str(quoted.what);
        out.push(']');
        if line.ends_with('\n') {
            out.push('\n');
        }
    }
    Cow::Owned(out)
}

/// Where a reading of a difference stands.
enum Part<'a> {
    /// Outside of any, or in one of an ordinary file.
    Free,
    /// In the one of a file that usually holds secrets; its header is over once a hunk has begun.
    Secret {
        path: &'a str,
        what: &'static str,
        in_hunk: bool,
    },
}

fn quoted(text: &str) -> Vec<Quoted<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    let mut part = Part::Free;
    for (at, line) in lines.iter().enumerate() {
        if let Some(begun) = head(&lines[at..], &part) {
            part = begun;
        } else if let Part::Secret {
            path,
            what,
            in_hunk,
        } = &mut part
        {
            let is_body = line.is_empty() || line.starts_with([' ', '+', '-', '\\']);
            if let Some(numbers) = line.strip_prefix("@@") {
                // What stands behind the numbers is a line of the file.
                *in_hunk = true;
                let from = numbers.find("@@").map_or(line.len(), |end| end + 4);
                if from < line.len() {
                    found.push(Quoted {
                        line: at,
                        from,
                        path,
                        what,
                    });
                }
            } else if *in_hunk && is_body {
                let from = line.len().min(1);
                found.push(Quoted {
                    line: at,
                    from,
                    path,
                    what,
                });
            } else if *in_hunk {
                part = Part::Free;
            }
        }
        if matches!(part, Part::Free)
            && let Some((path, from)) = searched(line)
            && let Some(what) = secret_file(path)
        {
            found.push(Quoted {
                line: at,
                from,
                path,
                what,
            });
        }
    }
    found
}

/// Reads the line with which the difference of a file begins. What stands in a hunk begins none, unless it is a whole
/// header.
fn head<'a>(lines: &[&'a str], part: &Part<'a>) -> Option<Part<'a>> {
    let line = *lines.first()?;
    let paths: Vec<&str> = if let Some(rest) = line.strip_prefix("diff --git ") {
        // A name may hold ` b/`: the last one is no longer than the name.
        vec![
            rest.rfind(" b/")
                .or_else(|| rest.rfind(" \"b/"))
                .map_or(rest, |at| &rest[at + 1..]),
        ]
    } else if let Some(old) = line.strip_prefix("--- ") {
        let new = lines.get(1)?.strip_prefix("+++ ")?;
        let is_begun = lines.get(2).is_none_or(|next| next.starts_with("@@"));
        if matches!(part, Part::Secret { in_hunk: true, .. }) && !is_begun {
            return None;
        }
        vec![old, new]
    } else {
        return None;
    };
    let secret = paths.into_iter().find_map(|path| {
        let path = path.trim_matches('"').trim_end();
        let path = path
            .strip_prefix("a/")
            .or_else(|| path.strip_prefix("b/"))
            .unwrap_or(path);
        Some((path, secret_file(path)?))
    });
    Some(match secret {
        Some((path, what)) => Part::Secret {
            path,
            what,
            in_hunk: false,
        },
        None => Part::Free,
    })
}

/// Reads a line that a search found: `path:12:text`, or `path-12-text` beside one. Returns the path, and where the text
/// begins.
fn searched(line: &str) -> Option<(&str, usize)> {
    let bytes = line.as_bytes();
    for mark in [b':', b'-'] {
        let mut from = 0;
        while let Some(at) = bytes[from..].iter().position(|byte| *byte == mark) {
            let at = from + at;
            let digits = bytes[at + 1..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            let end = at + 1 + digits;
            if digits > 0 && bytes.get(end) == Some(&mark) {
                let path = &line[..at];
                if at > 0 && !path.contains(char::is_whitespace) {
                    return Some((path, end + 1));
                }
            }
            from = at + 1;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, redacted: &str) {
        assert_eq!(redact_quoted(text), redacted);
        assert_eq!(quoted_secret(text).is_some(), text != redacted);
    }

    #[test]
    fn lines_that_a_search_found_in_a_file_of_secrets_are_quoted() {
        check(
            "src/a.rs:3:let password\nconfig/.env:12:PASSWORD=hunter2\n.env-13-NEXT=x",
            "src/a.rs:3:let password\nconfig/.env:12:[redacted: an environment file]\n.env-13-[redacted: an environment file]",
        );
        for ordinary in [
            "see .env:12 for more",
            "README.md:1:the file .env:12:x",
            "a.rs:1:.env:2:x",
            ".env.example:1:PASSWORD=",
            "",
            ":1:x",
        ] {
            check(ordinary, ordinary);
        }
    }

    #[test]
    fn the_part_of_a_difference_that_is_of_a_file_of_secrets_is_quoted() {
        let ordinary = "diff --git a/a.rs b/a.rs\n--- a/a.rs\n+++ b/a.rs\n@@ -1 +1 @@\n-x\n+y\n";
        let header =
            "diff --git a/.env b/.env\nindex 1..2 100644\n--- a/.env\n+++ b/.env\n@@ -1,2 +1,2 @@";
        check(
            &format!("{header} FIRST=1\n PASSWORD=a\n-B=1\n--- c\n+B=2\n{ordinary}"),
            &format!(
                "{header}[redacted: an environment file]\n [redacted: an environment file]\n-[redacted: an environment file]\n\
                 -[redacted: an environment file]\n+[redacted: an environment file]\n{ordinary}"
            ),
        );
        check(ordinary, ordinary);
        // One that is gone, or is called otherwise now.
        check(
            "\n--- a/id_rsa\n+++ /dev/null\n@@ -1 +0,0 @@\n-key\n",
            "\n--- a/id_rsa\n+++ /dev/null\n@@ -1 +0,0 @@\n-[redacted: a key file]\n",
        );
        check(
            "--- a/notes\n+++ b/.netrc\n@@ -1 +1 @@\n-old\n+new\n[cut]\nafter",
            "--- a/notes\n+++ b/.netrc\n@@ -1 +1 @@\n-[redacted: a file of credentials]\n\
             +[redacted: a file of credentials]\n[cut]\nafter",
        );
    }

    proptest::proptest! {
        #[test]
        fn what_was_taken_out_stays_out(text in "(?s)(diff --git a/.env b/.env\n|--- a/.env\n\\+\\+\\+ b/x\n@@ -1 \\+1 @@ é\n|.env:1:x\n|[-+ é]b\n|\n){0,12}") {
            let once = redact_quoted(&text).into_owned();
            proptest::prop_assert_eq!(redact_quoted(&once).replace("[redacted: an environment file]", ""), once.replace("[redacted: an environment file]", ""));
        }
    }
}
