//! The words in which two lines differ.

use std::ops::Range;

use similar::{Algorithm, DiffTag, capture_diff_slices};
use unicode_segmentation::UnicodeSegmentation as _;

/// Lines longer than this are not compared word by word.
const LONGEST_COMPARED: usize = 600;
/// Below this share of equal words two lines have nothing in common worth showing.
const LEAST_ALIKE: f32 = 0.4;

/// Parts of a line, in bytes.
pub(super) type Ranges = Vec<Range<usize>>;

/// Returns the parts of both lines that the other one does not have; `None` where they have little in common.
pub(super) fn compare(old: &str, new: &str) -> Option<(Ranges, Ranges)> {
    if old.len().max(new.len()) > LONGEST_COMPARED {
        return None;
    }
    let left: Vec<(usize, &str)> = old.split_word_bound_indices().collect();
    let right: Vec<(usize, &str)> = new.split_word_bound_indices().collect();
    let words = |side: &[(usize, &str)]| side.iter().map(|(_, word)| word.to_string()).collect();
    let (a, b): (Vec<String>, Vec<String>) = (words(&left), words(&right));
    let ops = capture_diff_slices(Algorithm::Myers, &a, &b);
    let same: usize = ops
        .iter()
        .filter(|op| op.tag() == DiffTag::Equal)
        .flat_map(|op| &a[op.old_range()])
        .map(|word| word.trim().len())
        .sum();
    let longest = old.trim().len().max(new.trim().len()).max(1);
    if (same as f32) < longest as f32 * LEAST_ALIKE {
        return None;
    }
    let mut out = (Vec::new(), Vec::new());
    for op in ops.iter().filter(|op| op.tag() != DiffTag::Equal) {
        push(&mut out.0, &left, op.old_range());
        push(&mut out.1, &right, op.new_range());
    }
    Some(out)
}

fn push(ranges: &mut Ranges, words: &[(usize, &str)], range: Range<usize>) {
    let Some(((start, _), (last, word))) = words
        .get(range.clone())
        .and_then(|words| Some((words.first()?, words.last()?)))
    else {
        return;
    };
    ranges.push(*start..last + word.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_nothing_in_common_are_not_compared() {
        assert_eq!(compare("let a = 1;", "return Err(Problem::Other)"), None);
    }
}
