//! A set of line numbers, kept as runs: to leave out 400,000 lines costs as much as to leave out one.

use std::ops::Range;

/// Numbers, in runs that neither touch nor overlap, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<Range<usize>>);

impl Ranges {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contains(&self, number: usize) -> bool {
        let at = self.0.partition_point(|range| range.end <= number);
        self.0.get(at).is_some_and(|range| range.contains(&number))
    }

    pub(super) fn insert(&mut self, new: Range<usize>) {
        if new.is_empty() {
            return;
        }
        let first = self.0.partition_point(|range| range.end < new.start);
        let last = self.0.partition_point(|range| range.start <= new.end);
        let touched = &self.0[first..last];
        let start = touched
            .first()
            .map_or(new.start, |range| range.start.min(new.start));
        let end = touched
            .last()
            .map_or(new.end, |range| range.end.max(new.end));
        self.0.splice(first..last, std::iter::once(start..end));
    }

    pub(super) fn remove(&mut self, old: Range<usize>) {
        if old.is_empty() {
            return;
        }
        let mut kept = Vec::with_capacity(self.0.len() + 1);
        for range in self.0.drain(..) {
            let (before, after) = (
                range.start..range.end.min(old.start),
                range.start.max(old.end)..range.end,
            );
            kept.extend(
                [before, after]
                    .into_iter()
                    .filter(|range| !range.is_empty()),
            );
        }
        self.0 = kept;
    }

    /// Returns the parts of a run that are in the set.
    pub(super) fn within(&self, run: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let first = self.0.partition_point(|range| range.end <= run.start);
        self.0[first..]
            .iter()
            .take_while({
                let end = run.end;
                move |range| range.start < end
            })
            .map(move |range| range.start.max(run.start)..range.end.min(run.end))
            .filter(|range| !range.is_empty())
    }

    /// Tells whether all of a run is in the set.
    pub(super) fn covers(&self, run: Range<usize>) -> bool {
        run.is_empty() || self.within(run.clone()).next() == Some(run)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    proptest::proptest! {
        #[test]
        fn it_is_a_set(steps in proptest::collection::vec((proptest::bool::ANY, 0_usize..40, 0_usize..12), 0..30)) {
            let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
            for (add, start, length) in steps {
                let run = start..start + length;
                if add {
                    ranges.insert(run.clone());
                    set.extend(run);
                } else {
                    ranges.remove(run.clone());
                    set.retain(|number| !run.contains(number));
                }
                proptest::prop_assert!(ranges.0.windows(2).all(|pair| pair[0].end < pair[1].start));
                for number in 0..60 {
                    proptest::prop_assert_eq!(ranges.contains(number), set.contains(&number));
                }
                let within: Vec<usize> = ranges.within(10..30).flatten().collect();
                let expected: Vec<usize> = set.range(10..30).copied().collect();
                proptest::prop_assert_eq!(within, expected);
                proptest::prop_assert_eq!(ranges.covers(10..15), (10..15).all(|n| set.contains(&n)));
            }
        }
    }
}
