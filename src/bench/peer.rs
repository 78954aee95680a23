//! llama.cpp's own `llama-bench`, to compare with: only where it is installed.

#![expect(
    clippy::disallowed_methods,
    reason = "starts `llama-bench`, which the user installed, for `walden bench` alone"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::protocol::WeightLayout;

/// The program, if it is there.
#[derive(Debug)]
pub(super) struct Peer(PathBuf);

/// What it is to measure.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) model: &'a Path,
    pub(super) threads: usize,
    pub(super) batch: u32,
    pub(super) gpu_layers: Option<u32>,
    pub(super) layout: WeightLayout,
    pub(super) prompt: usize,
    pub(super) answer: usize,
}

impl Peer {
    /// Looks for the program on the `PATH`.
    pub(super) fn find() -> Option<Self> {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join("llama-bench"))
            .find(|program| program.is_file())
            .map(Self)
    }

    /// Runs it once, and returns the speeds of the prompt and of the answer in tokens a second.
    pub(super) fn run(&self, run: &Run<'_>) -> Result<(f64, f64), String> {
        let mut command = Command::new(&self.0);
        command.arg("-m").arg(run.model);
        for (flag, value) in [
            ("-t", run.threads),
            ("-p", run.prompt),
            ("-n", run.answer),
            ("-b", run.batch as usize),
            ("-ub", run.batch as usize),
            ("-r", 1),
        ] {
            command.arg(flag).arg(value.to_string());
        }
        if let Some(layers) = run.gpu_layers {
            command.arg("-ngl").arg(layers.to_string());
        }
        if run.layout == WeightLayout::Mapped {
            command.args(["--repack", "0"]);
        }
        let output = command
            .args(["-o", "json"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .map_err(|error| format!("cannot run `{}`: {error}", self.0.display()))?;
        speeds(&output.stdout)
            .ok_or_else(|| format!("`{}` gave no speeds ({})", self.0.display(), output.status))
    }
}

/// Finds both speeds in the program's output.
fn speeds(json: &[u8]) -> Option<(f64, f64)> {
    let tests: serde_json::Value = serde_json::from_slice(json).ok()?;
    let speed = |of: &str, not: &str| {
        tests
            .as_array()?
            .iter()
            .find(|test| test[of].as_u64().unwrap_or(0) > 0 && test[not].as_u64() == Some(0))?["avg_ts"]
            .as_f64()
    };
    Some((speed("n_prompt", "n_gen")?, speed("n_gen", "n_prompt")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speeds_are_found_in_either_order() {
        let json = br#"[{"n_prompt": 0, "n_gen": 64, "avg_ts": 39.5}, {"n_prompt": 512, "n_gen": 0, "avg_ts": 180.25}]"#;
        assert_eq!(speeds(json), Some((180.25, 39.5)));
        assert_eq!(speeds(b"[]"), None);
        assert_eq!(speeds(b"error"), None);
    }
}
