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

/// Judges a run. `line_of` gives a line of a file of the project, counted from 1.
pub(super) fn verdict(
    argv: &[String],
    ran: &Ran,
    folder: &Path,
    line_of: &dyn Fn(&str, usize) -> Option<String>,
) -> Verdict {
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
        format!(
            "`{command}` fails:\n{}",
            with_source(telling(&output), line_of)
        )
    };
    Verdict {
        text: clip(text.trim_end(), BYTES + 200),
        result: CheckResult {
            passed,
            reached: reached(&output, counts),
            failed: counts.map_or(0, |(_, failed)| failed),
            millis: u32::try_from(ran.took.as_millis()).unwrap_or(u32::MAX),
            given: [0; 8],
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

/// Puts the line that a panic points at below its place: what was asked with which values stands there, and not in what
/// the panic says.
fn with_source(told: String, line_of: &dyn Fn(&str, usize) -> Option<String>) -> String {
    let source = told.lines().find_map(|line| {
        let (_, place) = line.split_once(" panicked at ")?;
        let mut parts = place.trim_end_matches(':').split(':');
        let (file, row) = (parts.next()?, parts.next()?.parse().ok()?);
        Some((line.to_owned(), line_of(file, row)?))
    });
    match source {
        Some((at, source)) => told.replacen(&at, &format!("{at}\n  {}", source.trim()), 1),
        None => told,
    }
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
        let frames = own_frames(&lines[at..end]);
        let from = frames.len().saturating_sub(LINES / 2);
        return Some(frames[from..].to_vec());
    }
    // jest: what was expected and what came stand below the test's name.
    if let Some(first) = lines
        .iter()
        .position(|line| line.trim_start().starts_with("● "))
    {
        let ends =
            |line: &&str| line.trim_start().starts_with("● ") || line.starts_with("Test Suites:");
        let rest = &lines[first + 1..];
        let end = rest.iter().position(ends).unwrap_or(rest.len());
        let told = lines[first..=first + end]
            .iter()
            .filter(|line| !line.trim().is_empty() && !line.contains("node_modules"));
        return Some(told.take(LINES).copied().collect());
    }
    // TAP, which Node's own tests write: a block below the test, whose stack ends in the test program.
    if let Some(first) = lines
        .iter()
        .position(|line| line.trim_start().starts_with("not ok "))
    {
        let rest = &lines[first..];
        let end = rest.iter().position(|line| line.trim() == "...");
        let told = rest[..end.unwrap_or(rest.len())].iter().filter(|line| {
            let line = line.trim();
            !line.contains("node:") && !line.starts_with("duration_ms") && line != "---"
        });
        return Some(told.take(LINES).copied().collect());
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
    // A panic says more than the line above it that names its test.
    let panic = lines.iter().position(|line| line.contains(" panicked at "));
    let begins = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("error")
            || line.starts_with("FAIL")
            || line.starts_with("--- FAIL")
            || line.starts_with("AssertionError")
            || line.contains(": error")
            || line.contains(": fatal error")
            || is_place(line)
    };
    let compiles = |line: &&str| line.starts_with("error[") || line.starts_with("error: ");
    let first = match (panic, lines.iter().position(compiles)) {
        (Some(panic), Some(error)) => panic.min(error),
        (Some(panic), None) => panic,
        (None, _) => lines.iter().position(begins)?,
    };
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

/// Leaves out the frames of a traceback that are not of the project, where some are.
fn own_frames<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let file = |line: &str| {
        let rest = line.trim_start().strip_prefix("File \"")?;
        Some(!rest.starts_with('/') && !rest.starts_with('<'))
    };
    if !lines.iter().any(|line| file(line) == Some(true)) {
        return lines.to_vec();
    }
    let mut own = true;
    let mut kept = Vec::new();
    for line in lines {
        match file(line) {
            Some(is_own) => own = is_own,
            // The code of a frame stands deeper than the frame; the error begins its line.
            None if !line.starts_with("    ") => own = true,
            None => {}
        }
        if own {
            kept.push(*line);
        }
    }
    kept
}

/// Tells whether a line is a compiler's message with its place: `./a.go:4:9: undefined: y`.
fn is_place(line: &str) -> bool {
    let mut parts = line.splitn(4, ':');
    let (file, row, column) = (parts.next(), parts.next(), parts.next());
    let is_number = |part: Option<&str>| {
        part.is_some_and(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    let is_file = file.is_some_and(|file| file.contains('.') && !file.contains(' '));
    is_file && is_number(row) && is_number(column) && parts.next().is_some()
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
        // jest counts its files as well.
        if line.starts_with("Test Suites:") {
            continue;
        }
        let tap = |what: &str| {
            let number = line.strip_prefix(what)?.trim();
            number.parse::<u32>().ok()
        };
        if let Some(passed) = tap("# pass ") {
            let (all_passed, all_failed) = sum.unwrap_or((0, 0));
            sum = Some((all_passed + passed, all_failed));
            continue;
        }
        if let Some(failed) = tap("# fail ") {
            let (all_passed, all_failed) = sum.unwrap_or((0, 0));
            sum = Some((all_passed, all_failed + failed));
            continue;
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
        let line_of = |file: &str, row: usize| {
            (file == "tests/it.rs" && row == 4).then(|| "    assert_eq!(f(1), 2);".to_owned())
        };
        verdict(
            &["t".to_owned()],
            &ran,
            Path::new("/scratch/copy"),
            &line_of,
        )
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
        assert!(text.contains("assert_eq!(f(1), 2);"), "{text}");
    }

    #[test]
    fn a_panic_is_found_below_the_short_line_of_its_test() {
        let output = "running 1 test\ntests::two --- FAILED\n\nfailures:\n\n---- tests::two stdout ----\n\nthread 'tests::two' panicked at src/lib.rs:16:9:\nassertion `left == right` failed\n  left: 2\n right: 3\n\nfailures:\n    tests::two\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored\n\nerror: test failed, to rerun pass `--lib`\n";
        let verdict = judge(output, 101);
        assert!(verdict.text.contains("left: 2"), "{}", verdict.text);
        assert_eq!((verdict.result.reached, verdict.result.failed), (0, 1));
    }

    /// What each program writes of one test that passes and one that fails, or of code that does not compile.
    #[test]
    fn each_program_s_output_is_cut_to_what_matters() {
        let unittest = ".F\n======\nFAIL: test_two (test_cart.TotalTest.test_two)\n------\nTraceback (most recent call last):\n  File \"/usr/lib/python3.11/unittest/mock.py\", line 1369, in patched\n    return func(*newargs, **newkeywargs)\n           ^^^^^^\n  File \"/scratch/copy/test_cart.py\", line 8, in test_two\n    self.assertEqual(total([1, 2]), 3)\nAssertionError: 1 != 3\n\n------\nRan 2 tests in 0.028s\n\nFAILED (failures=1)\n";
        let pytest = "F.   [100%]\n======== FAILURES ========\n________ test_two ________\n\n    def test_two():\n>       assert total([1, 2]) == 3\nE       assert 1 == 3\nE        +  where 1 = total([1, 2])\n\ntest_cart.py:5: AssertionError\n======== short test summary info ========\nFAILED test_cart.py::test_two - assert 1 == 3\n1 failed, 1 passed in 0.02s\n";
        let node = "TAP version 13\n# Subtest: two\nnot ok 1 - two\n  ---\n  duration_ms: 51.879733\n  location: '/scratch/copy/a.test.js:3:1'\n  failureType: 'testCodeFailure'\n  error: |-\n    Expected values to be strictly equal:\n    \n    2 !== 3\n    \n  code: 'ERR_ASSERTION'\n  stack: |-\n    TestContext.<anonymous> (/scratch/copy/a.test.js:3:28)\n    Test.runInAsyncScope (node:async_hooks:206:9)\n    node:internal/test_runner/harness:255:12\n  ...\n# Subtest: none\nok 2 - none\n1..2\n# tests 2\n# pass 1\n# fail 1\n";
        let jest = "FAIL ./cart.test.js\n  ✕ two (3 ms)\n  ✓ none (1 ms)\n\n  ● two\n\n    expect(received).toBe(expected) // Object.is equality\n\n    Expected: 3\n    Received: 2\n\n    > 3 | test('two', () => expect(total([1, 2])).toBe(3));\n\n      at Object.toBe (cart.test.js:3:43)\n      at run (node_modules/jest-circus/build/run.js:1:2)\n\nTest Suites: 1 failed, 1 total\nTests:       1 failed, 1 passed, 2 total\n";
        let go = "--- FAIL: TestTwo (0.00s)\n    cart_test.go:7: Total = 2, want 3\nFAIL\nFAIL\tcart\t0.002s\nFAIL\n";
        let go_build = "# cart\n./cart.go:4:9: undefined: sum\nFAIL\tcart [build failed]\nFAIL\n";
        let make = "cc -o m m.c\nm.c: In function ‘f’:\nm.c:1:22: error: ‘x’ undeclared (first use in this function)\n    1 | int f(void) { return x; }\n      |                      ^\nmake: *** [Makefile:3: m] Error 1\n";
        let cargo = "   Compiling cart v0.1.0\n    Finished `test` profile\n     Running unittests src/lib.rs\n\nrunning 2 tests\ntest tests::none ... ok\ntest tests::two ... FAILED\n\nfailures:\n\n---- tests::two stdout ----\n\nthread 'tests::two' (71) panicked at src/lib.rs:16:9:\nassertion `left == right` failed\n  left: 2\n right: 3\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n\nfailures:\n    tests::two\n\ntest result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n\nerror: test failed, to rerun pass `--lib`\n";
        /// An output, what it is cut to, what is cut, and what passed and failed.
        type Case<'a> = (&'a str, &'a [&'a str], &'a [&'a str], Option<(u32, u32)>);
        let each: [Case<'_>; 8] = [
            (
                unittest,
                &["test_cart.py\", line 8", "1 != 3"],
                &["mock.py", "newargs"],
                Some((1, 1)),
            ),
            (
                pytest,
                &["total([1, 2]) == 3", "where 1"],
                &["summary"],
                Some((1, 1)),
            ),
            (
                node,
                &["not ok 1 - two", "2 !== 3", "a.test.js:3:28"],
                &["node:", "none"],
                Some((1, 1)),
            ),
            (
                jest,
                &["● two", "Expected: 3", "Received: 2"],
                &["node_modules", "Suites"],
                Some((1, 1)),
            ),
            (go, &["TestTwo", "want 3"], &[], None),
            (
                go_build,
                &["cart.go:4:9: undefined: sum"],
                &["# cart"],
                None,
            ),
            (make, &["‘x’ undeclared", "return x"], &["cc -o"], None),
            (
                cargo,
                &["src/lib.rs:16:9", "left: 2", "right: 3"],
                &["Compiling", "RUST_BACKTRACE"],
                Some((1, 1)),
            ),
        ];
        for (output, has, lacks, counted) in each {
            let verdict = judge(output, 1);
            for part in has {
                assert!(verdict.text.contains(part), "{part}: {}", verdict.text);
            }
            for part in lacks {
                assert!(!verdict.text.contains(part), "{part}: {}", verdict.text);
            }
            if let Some((passed, failed)) = counted {
                let result = verdict.result;
                assert_eq!(
                    (result.reached, result.failed),
                    (passed, failed),
                    "{output}"
                );
            }
        }
    }

    #[test]
    fn what_passes_says_no_more() {
        assert_eq!(judge("2 passed", 0).text, "`t` passes.");
    }
}
