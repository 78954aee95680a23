//! What the agent asks about code: which function is meant, and where a block of code belongs.

use crate::agent::{Aim, Aims, CodeAnswer, CodeQuestion, Focus};
use crate::code::{self, Asked, FileSymbols};

/// The longest file that is shown as a whole, in bytes.
const WHOLE_FILE: usize = 6 * 1024;

/// The most of a longer file's outline that is shown, in bytes.
const OUTLINE: usize = 1_500;

/// Answers a question about code.
pub(super) fn answer(question: &CodeQuestion) -> CodeAnswer {
    match question {
        CodeQuestion::Aims {
            path,
            text,
            request,
            failing,
        } => CodeAnswer::Aims(aims(path, text, request, failing)),
        CodeQuestion::Weave {
            path,
            text,
            block,
            is_file,
        } => {
            let asked = match is_file {
                true => Asked::File,
                false => Asked::Part,
            };
            CodeAnswer::Woven(code::weave(path, text, block, asked))
        }
    }
}

fn aims(path: &str, text: &str, request: &str, failing: &str) -> Aims {
    let is_short = text.len() <= WHOLE_FILE;
    let Some(found) = code::aims(path, text, request, failing) else {
        let targets = is_short.then_some(Aim::File).into_iter().collect();
        return Aims {
            targets,
            is_stub: false,
        };
    };
    let function = |found: code::Focus| {
        Aim::Function(Focus {
            around: (!is_short).then(|| around(path, text, found.from, found.to)),
            name: found.name,
            from: found.from,
            to: found.to,
            lines: found.lines,
        })
    };
    let is_stub = found.unwritten > 0;
    let mut targets: Vec<Aim> = found.first.map(function).into_iter().collect();
    // What is written from nothing needs what stands above it, too: imports, and what others are called.
    if is_short && is_stub {
        targets.insert(0, Aim::File);
    } else if is_short && (targets.is_empty() || found.functions > 1) {
        targets.push(Aim::File);
    }
    targets.extend(found.others.into_iter().map(function));
    Aims { targets, is_stub }
}

/// Shows a long file: what it defines, a line each, and the function.
fn around(path: &str, text: &str, from: usize, to: usize) -> String {
    let symbols = FileSymbols::of(path, text, &std::sync::atomic::AtomicBool::new(false));
    let outline = symbols.map(|symbols| symbols.outline(OUTLINE));
    let lines = text.split_inclusive('\n').skip(from.saturating_sub(1));
    let function: String = lines.take((to + 1).saturating_sub(from)).collect();
    format!("{}\n{function}", outline.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_shown_as_its_outline_and_the_function() {
        let filler: String = (0..400)
            .map(|number| format!("def g{number}():\n    return {number}\n\n\n"))
            .collect();
        let text = format!("{filler}def f_one(a):\n    return a\n");
        let found = aims("a.py", &text, "Fix `f_one`", "");
        let Some(Aim::Function(found)) = found.targets.first() else {
            panic!("it is named: {found:?}")
        };
        assert_eq!((found.from, found.to), (1601, 1602));
        let around = found.around.as_deref().expect("too long to be shown");
        assert!(around.starts_with("1: def g0()\n"), "{around}");
        assert!(
            around.ends_with("\ndef f_one(a):\n    return a\n"),
            "{around}"
        );
        assert!(around.len() < 2_000, "{}", around.len());
    }
    #[test]
    fn what_is_yet_to_be_written_is_asked_for_with_its_file() {
        let stub = "def f(a):\n    pass\n";
        let found = aims("a.py", stub, "Write `f`", "");
        assert!(found.is_stub);
        assert_eq!(found.targets.first(), Some(&Aim::File));
        let written = aims("a.py", "def f(a):\n    return a\n", "Fix `f`", "");
        assert!(!written.is_stub && written.targets.len() == 1);
        assert!(matches!(written.targets[0], Aim::Function(_)));
    }
}
