//! How much memory this machine has for a model.

use std::fs;

/// The memory that a process here may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// What there is in all, in bytes.
    pub total: u64,
    /// What is free now, caches counted as free.
    pub available: u64,
}

impl Memory {
    /// Tells whether something of this size fits, now or ever. A tenth is left to everything else.
    pub fn fit(self, needed: u64) -> Fit {
        if needed <= self.available / 10 * 9 {
            Fit::Now
        } else if needed <= self.total / 10 * 9 {
            Fit::Later
        } else {
            Fit::Never
        }
    }
}

/// Whether a model fits a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Now,
    /// When other programs give memory back.
    Later,
    Never,
}

/// Reads what the system and the container allow; `None` where neither says.
pub fn machine_memory() -> Option<Memory> {
    let system = fs::read_to_string("/proc/meminfo").ok()?;
    let mut memory = Memory {
        total: meminfo(&system, "MemTotal:")?,
        available: meminfo(&system, "MemAvailable:")?,
    };
    // A container sees the memory of its host in meminfo, and is killed at this limit.
    if let Some(limit) = number("/sys/fs/cgroup/memory.max") {
        let used = number("/sys/fs/cgroup/memory.current").unwrap_or(0);
        memory.total = memory.total.min(limit);
        memory.available = memory.available.min(limit.saturating_sub(used));
    }
    Some(memory)
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn meminfo(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_fits_now_later_or_never() {
        let memory = Memory {
            total: 1_000,
            available: 500,
        };
        for (needed, fit) in [(450, Fit::Now), (451, Fit::Later), (901, Fit::Never)] {
            assert_eq!(memory.fit(needed), fit, "{needed}");
        }
    }

    #[test]
    fn the_kernel_s_table_is_read() {
        let text = "MemTotal:       16384 kB\nMemFree:  1 kB\nMemAvailable:    8192 kB\n";
        assert_eq!(meminfo(text, "MemTotal:"), Some(16384 * 1024));
        assert_eq!(meminfo(text, "MemAvailable:"), Some(8192 * 1024));
        assert_eq!(meminfo(text, "SwapTotal:"), None);
    }
}
