//! What a check says, cut to the lines that matter to somebody who is to mend it.

use std::path::Path;

use super::running::Ran;
use crate::protocol::{CheckResult, clip, sanitize};

/// The most lines and bytes of a report.
const LINES: usize = 24;
const BYTES: usize = 1_600;

/// The end of a check: a text for the model and for people, and what the host goes by.
#[derive(Debug, PartialEq)]
pub(super) struct Verdict {
    pub(super) text: String,
    pub(super) result: CheckResult,
}

/// Judges a run.
pub(super) fn verdict(argv: &[String], ran: &Ran, folder: &Path) -> Verdict {
    let command = spoken(argv);
    let output = sanitize(&ran.output).replace(&format!("{}/", folder.display()), "");
    let passed = ran.status == Some(0) && !ran.timed_out;
    let counts = counts(&output);
    let text = if passed {
        format!("`{command}` passes.")
    } else if ran.timed_out {
        format!(
            "`{command}` did not end within {} s: something runs for ever.\n{}",
            ran.took.as_secs(),
            telling(&output)
        )
    } else {
        format!("`{command}` fails:\n{}", telling(&output))
    };
    Verdict {
        text: clip(text.trim_end(), BYTES + 200),
        result: CheckResult {
            passed,
            reached: reached(&output, counts),
            failed: counts.map_or(0, |(_, failed)| failed),
            millis: u32::try_from(ran.took.as_millis()).unwrap_or(u32::MAX),
        },
    }
}

/// Writes a command to be read: a script among its arguments is named by its first line, which says what it does.
pub(super) fn spoken(argv: &[String]) -> String {
    let spoken = |word: &String| match word.split_once('\n') {
        Some((first, _)) => format!("({})", first.trim_start_matches(['#', ' '])),
        None => word.clone(),
    };
    argv.iter().map(spoken).collect::<Vec<_>>().join(" ")
}

/// Cuts an output to the first failure: what was expected, what came, and where.
fn telling(output: &str) -> String {
    let lines: Vec<&str> = output.lines().map(str::trim_end).collect();
    let chosen = first_failure(&lines).unwrap_or_else(|| {
        let from = lines.len().saturating_sub(LINES);
        lines[from..].to_vec()
    });
    let chosen: Vec<&str> = chosen
        .into_iter()
        .filter(|line| !line.trim().is_empty())
        .collect();
    clip(&chosen.join("\n"), BYTES)
}

/// Finds the first failure by the marks that compilers and test programs leave.
fn first_failure<'a>(lines: &[&'a str]) -> Option<Vec<&'a str>> {
    // An example: where it stands, what it is, what was expected and what came.
    if let Some(at) = lines.iter().position(|line| *line == "Failed example:") {
        let end = lines[at..]
            .iter()
            .position(|line| line.starts_with("*****") || line.starts_with("Ran "))
            .map_or(lines.len(), |offset| at + offset);
        return Some(lines[at.saturating_sub(1)..end.min(at + LINES)].to_vec());
    }
    // The last frames of a traceback and its error are what counts, not the frames of the test program above them.
    let traceback = lines
        .iter()
        .position(|line| line.starts_with("Traceback (most recent call last)"));
    if let Some(at) = traceback {
        let end = lines[at + 1..]
            .iter()
            .position(|line| !line.is_empty() && !line.starts_with(' '))
            .map_or(lines.len(), |offset| at + 2 + offset);
        let end = lines[end.min(lines.len())..]
            .iter()
            .take(6)
            .position(|line| line.is_empty() || line.starts_with("Traceback"))
            .map_or(end, |offset| end + offset)
            .min(lines.len());
        let from = at.max(end.saturating_sub(LINES / 2));
        return Some(lines[from..end].to_vec());
    }
    // pytest: the marked lines of the first failure.
    if lines.iter().any(|line| line.starts_with("E  ")) {
        let first = lines
            .iter()
            .position(|line| line.starts_with('>') || line.starts_with("E  "))?;
        let end = lines[first..]
            .iter()
            .position(|line| line.starts_with("____") || line.starts_with("===="))
            .map_or(lines.len(), |offset| first + offset);
        return Some(lines[first..end.min(first + LINES)].to_vec());
    }
    let begins = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("error")
            || line.contains(" panicked at ")
            || line.starts_with("FAIL")
            || line.contains("--- FAIL")
            || line.starts_with("AssertionError")
            || line.contains(": error")
            || line.contains(": fatal error")
    };
    let first = lines.iter().position(begins)?;
    let end = lines[first..]
        .iter()
        .skip(1)
        .position(|line| {
            line.is_empty()
                || line.contains("stack backtrace")
                || line.starts_with("note: run with")
        })
        .map_or(lines.len(), |offset| first + 1 + offset);
    Some(lines[first..end.min(first + LINES)].to_vec())
}

/// Adds up what test programs say: how many passed, how many failed.
fn counts(output: &str) -> Option<(u32, u32)> {
    let mut sum = None;
    // Python's unittest: `Ran 5 tests in 0.001s`, and `FAILED (failures=2, errors=1)` where some did.
    let mut ran = None;
    for line in output.lines() {
        if let Some(rest) = line.strip_prefix("Ran ") {
            ran = rest
                .split(' ')
                .next()
                .and_then(|number| number.parse().ok());
        } else if let Some(ran) =
            ran.filter(|_| line.starts_with("FAILED (") || line.starts_with("OK"))
        {
            let failed: u32 = line
                .split(['(', ',', ')'])
                .filter_map(|part| {
                    let (what, number) = part.trim().split_once('=')?;
                    matches!(what, "failures" | "errors").then(|| number.parse::<u32>().ok())?
                })
                .sum();
            return Some((u32::saturating_sub(ran, failed), failed));
        }
        let words: Vec<&str> = line
            .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '=' | '('))
            .filter(|word| !word.is_empty())
            .collect();
        let number_before = |what: &[&str]| {
            words.windows(2).find_map(|pair| {
                what.contains(&pair[1].trim_end_matches(['.', ')']))
                    .then(|| pair[0].parse::<u32>().ok())?
            })
        };
        let passed = number_before(&["passed", "passing"]);
        let failed = number_before(&["failed", "failing", "errors", "error"]);
        if passed.is_some() || failed.is_some() {
            let (all_passed, all_failed) = sum.unwrap_or((0, 0));
            sum = Some((
                all_passed + passed.unwrap_or(0),
                all_failed + failed.unwrap_or(0),
            ));
        }
    }
    sum
}

/// Tells how far a check came, as a number that grows: tests passed, or the line of the script that failed. It orders
/// runs of one command and says nothing else.
fn reached(output: &str, counts: Option<(u32, u32)>) -> u32 {
    if let Some((passed, _)) = counts {
        return passed;
    }
    if ["SyntaxError", "IndentationError", "TabError"]
        .iter()
        .any(|error| output.contains(error))
    {
        return 0;
    }
    // A script of assertions: the line that it came to, in its own file and not in a library.
    output
        .lines()
        .filter_map(|line| {
            let rest = line.trim_start().strip_prefix("File \"")?;
            let (file, rest) = rest.split_once("\", line ")?;
            (!file.starts_with('/') && !file.starts_with('<')).then_some(rest)
        })
        .find_map(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn judge(output: &str, status: i32) -> Verdict {
        let ran = Ran {
            output: output.to_owned(),
            status: Some(status),
            timed_out: false,
            took: Duration::from_millis(7),
        };
        verdict(&["t".to_owned()], &ran, Path::new("/scratch/copy"))
    }

    #[test]
    fn a_traceback_is_cut_to_its_frames_and_its_error() {
        let output = "noise\nTraceback (most recent call last):\n  File \"/scratch/copy/test_a.py\", line 12, in <module>\n    assert f(2) == 3, \"two\"\n           ^^^^^^^^^\nAssertionError: two\n";
        let verdict = judge(output, 1);
        assert_eq!(
            verdict.text,
            "`t` fails:\nTraceback (most recent call last):\n  File \"test_a.py\", line 12, in <module>\n    assert f(2) == 3, \"two\"\n           ^^^^^^^^^\nAssertionError: two"
        );
        assert_eq!(verdict.result.reached, 12);
    }

    #[test]
    fn a_compiler_s_first_error_is_kept_whole() {
        let output = "   Compiling x\nerror[E0308]: mismatched types\n --> src/lib.rs:3:5\n  |\n3 |     \"a\"\n  |     ^^^ expected `u8`\n\nerror: aborting\n";
        let verdict = judge(output, 101);
        assert!(verdict.text.contains("expected `u8`"), "{}", verdict.text);
        assert!(!verdict.text.contains("aborting"), "{}", verdict.text);
    }

    #[test]
    fn tests_are_counted_over_all_programs() {
        let output = "test result: FAILED. 3 passed; 1 failed; 0 ignored\ntest result: ok. 4 passed; 0 failed\n";
        let result = judge(output, 101).result;
        assert_eq!((result.reached, result.failed), (7, 1));
        let result = judge("E   assert 1 == 2\n1 failed, 5 passed in 0.1s", 1).result;
        assert_eq!((result.reached, result.failed), (5, 1));
    }

    #[test]
    fn an_edit_that_breaks_the_file_is_not_further_than_one_that_fails_a_test() {
        let fails = "F..F.\n\nRan 5 tests in 0.001s\n\nFAILED (failures=2)\n";
        let result = judge(fails, 1).result;
        assert_eq!((result.reached, result.failed), (3, 2));
        let breaks = "E\nTraceback (most recent call last):\n  File \"/usr/lib/python3/unittest/loader.py\", line 436, in _find\n  File \"pages.py\", line 14\nSyntaxError: invalid syntax\n\nRan 1 test in 0.000s\n\nFAILED (errors=1)\n";
        assert_eq!(judge(breaks, 1).result.reached, 0);
        let script = "Traceback (most recent call last):\n  File \"test_a.py\", line 1, in <module>\n    from a import f\n  File \"a.py\", line 30\nSyntaxError: invalid\n";
        assert_eq!(judge(script, 1).result.reached, 0);
    }

    #[test]
    fn a_panic_is_told_with_both_sides() {
        let output = "running 1 test\nthread 'a' panicked at tests/it.rs:4:5:\nassertion `left == right` failed\n  left: 1\n right: 2\nnote: run with `RUST_BACKTRACE=1`\n\nfailures:\n";
        let text = judge(output, 101).text;
        assert!(text.ends_with("right: 2"), "{text}");
    }

    #[test]
    fn what_passes_says_no_more() {
        assert_eq!(judge("2 passed", 0).text, "`t` passes.");
    }
}
