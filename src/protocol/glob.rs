//! Globs over paths, for rules: `*` and `?` within a part, `**` over parts.

/// Tells whether a glob fits a path with `/`. A glob without a slash fits a file of that name in any folder, and one
/// that ends in a slash fits everything beneath.
pub(super) fn fits(glob: &str, path: &str) -> bool {
    let glob = match (glob.trim_end_matches('/'), glob.ends_with('/')) {
        (folder, true) => format!("{folder}/**"),
        (glob, false) if glob.contains('/') => glob.trim_start_matches("./").to_owned(),
        (name, false) => format!("**/{name}"),
    };
    let glob: Vec<&str> = glob.trim_start_matches('/').split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    parts_fit(&glob, &path)
}

fn parts_fit(glob: &[&str], path: &[&str]) -> bool {
    // Where the last `**` stands and how much of the path it takes: on a mismatch it takes one part more. No way back
    // further is needed, so this ends after `glob * path` steps.
    let (mut at, mut step) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < path.len() {
        match glob.get(step) {
            Some(&"**") => {
                star = Some((step, at));
                step += 1;
            }
            Some(part) if part_fits(part, path[at]) => {
                step += 1;
                at += 1;
            }
            _ => match &mut star {
                Some((from, taken)) => {
                    *taken += 1;
                    step = *from + 1;
                    at = *taken;
                }
                None => return false,
            },
        }
    }
    glob[step..].iter().all(|part| *part == "**")
}

/// Matches one part with `*` and `?`.
pub(super) fn part_fits(glob: &str, part: &str) -> bool {
    let glob: Vec<char> = glob.chars().collect();
    let part: Vec<char> = part.chars().collect();
    let (mut at, mut step) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < part.len() {
        match glob.get(step) {
            Some('*') => {
                star = Some((step, at));
                step += 1;
            }
            Some(c) if *c == '?' || *c == part[at] => {
                step += 1;
                at += 1;
            }
            _ => match &mut star {
                Some((from, taken)) => {
                    *taken += 1;
                    step = *from + 1;
                    at = *taken;
                }
                None => return false,
            },
        }
    }
    glob[step..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_fit_as_in_gitignore() {
        for (glob, path, expected) in [
            ("src/**", "src/a.rs", true),
            ("src/**", "src/a/b.rs", true),
            ("src/**", "srcs/a.rs", false),
            ("src/", "src/a/b.rs", true),
            ("*.rs", "src/a.rs", true),
            ("src/*.rs", "src/a/b.rs", false),
            ("**/test_*.py", "test_a.py", true),
            ("**/test_*.py", "x/y/test_a.py", true),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "a/x/y/c", false),
            ("./docs/?.md", "docs/a.md", true),
            (".env", ".env", true),
            (".env", "a/.env.local", false),
            ("**", "anything/at/all", true),
        ] {
            assert_eq!(fits(glob, path), expected, "{glob} {path}");
        }
    }
}
