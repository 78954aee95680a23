//! What the agent asks about code: which function is meant, and where a block of code belongs.

use crate::agent::{CodeAnswer, CodeQuestion, Focus};
use crate::code::{self, Asked, FileSymbols};

/// The longest file that is shown as a whole, in bytes.
const WHOLE_FILE: usize = 6 * 1024;

/// The most of a longer file's outline that is shown, in bytes.
const OUTLINE: usize = 1_500;

/// Answers a question about code.
pub(super) fn answer(question: &CodeQuestion) -> CodeAnswer {
    match question {
        CodeQuestion::Focus {
            path,
            text,
            request,
            failing,
        } => CodeAnswer::Focus(focus(path, text, request, failing)),
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

fn focus(path: &str, text: &str, request: &str, failing: &str) -> Option<Focus> {
    let found = code::focus(path, text, request, failing)?;
    Some(Focus {
        around: (text.len() > WHOLE_FILE).then(|| around(path, text, found.from, found.to)),
        name: found.name,
        from: found.from,
        to: found.to,
        lines: found.lines,
    })
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
        let found = focus("a.py", &text, "Fix `f_one`", "").expect("it is named");
        assert_eq!((found.from, found.to), (1601, 1602));
        let around = found.around.expect("too long to be shown");
        assert!(around.starts_with("1: def g0()\n"), "{around}");
        assert!(
            around.ends_with("\ndef f_one(a):\n    return a\n"),
            "{around}"
        );
        assert!(around.len() < 2_000, "{}", around.len());
    }
}
