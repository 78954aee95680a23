//! How many threads compute fastest.

#![expect(
    clippy::disallowed_methods,
    reason = "reads what the kernel says of the processor"
)]

use std::collections::HashSet;

/// With this many processors or fewer, all of them are used: small virtual machines count threads as they like.
const FEW: usize = 4;

/// Returns the number of cores that this process may use. The second thread of a core adds nothing to matrix
/// arithmetic, and waits for the first.
pub(super) fn usable() -> usize {
    let available = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if available <= FEW {
        return available;
    }
    std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|table| physical(&table))
        .map_or(available, |cores| cores.min(available))
}

/// Counts the cores in a `/proc/cpuinfo`; `None` where it does not tell.
fn physical(table: &str) -> Option<usize> {
    let mut cores = HashSet::new();
    for processor in table.split("\n\n") {
        let field = |name: &str| {
            processor.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                (key.trim() == name).then(|| value.trim())
            })
        };
        if field("processor").is_some() {
            cores.insert((field("physical id")?, field("core id")?));
        }
    }
    (!cores.is_empty()).then_some(cores.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_one_core_are_counted_once() {
        let processor = |n: u32, package: u32, core: u32| {
            format!("processor\t: {n}\nphysical id\t: {package}\ncore id\t\t: {core}\n\n")
        };
        let table = [(0, 0, 0), (1, 0, 1), (2, 0, 0), (3, 1, 0)]
            .map(|(n, package, core)| processor(n, package, core))
            .concat();
        assert_eq!(physical(&table), Some(3));
        assert_eq!(physical("processor\t: 0\nBogoMIPS\t: 50\n"), None);
        assert_eq!(physical(""), None);
    }
}
