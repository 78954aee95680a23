//! A task: files with a fault, an instruction, and tests that decide.

#![expect(
    clippy::disallowed_methods,
    reason = "lays the tasks' files into folders of its own"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};

use serde::Deserialize;

/// The largest file, and the most files, of a tree that is judged.
const LARGEST: u64 = 4 << 20;
const MOST_FILES: usize = 2_000;

/// One line of a task file.
#[derive(Debug, Clone, Deserialize)]
pub struct Task {
    pub id: String,
    /// The family that it belongs to.
    #[serde(default)]
    pub set: String,
    #[serde(default)]
    pub lang: String,
    /// Paths and texts of the tree as it is given to the agent.
    pub files: BTreeMap<String, String>,
    pub instruction: String,
    /// Paths and texts of the tests that decide.
    pub tests: BTreeMap<String, String>,
    /// The agent sees the tests.
    #[serde(default)]
    pub tests_visible: bool,
    /// The command that runs the tests; `{py}` is a Python.
    pub test_cmd: String,
    #[serde(default = "default_timeout")]
    pub timeout_s: u64,
    /// A tree that is not in the line. Not supported: such a task is refused.
    #[serde(default)]
    pub base: Option<String>,
}

fn default_timeout() -> u64 {
    60
}

/// Reads a task file: one task a line, empty lines left out.
///
/// # Errors
/// When it cannot be read, or a line is no task.
pub fn read(path: &Path) -> Result<Vec<Task>, String> {
    let text = fs::read_to_string(path)
        .map_err(|error| format!("cannot read the tasks `{}`: {error}", path.display()))?;
    let mut tasks = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let at = || format!("`{}`, line {}", path.display(), number + 1);
        let task: Task =
            serde_json::from_str(line).map_err(|error| format!("{} is no task: {error}", at()))?;
        if task.base.is_some() {
            let id = &task.id;
            return Err(format!(
                "{}: `{id}` has its files in an archive, which is not supported; write them into `files`",
                at()
            ));
        }
        let outside = task.files.keys().chain(task.tests.keys()).find(|path| {
            !Path::new(path)
                .components()
                .all(|part| matches!(part, Component::Normal(_)))
        });
        if let Some(outside) = outside {
            return Err(format!("{}: `{outside}` leads out of the task", at()));
        }
        tasks.push(task);
    }
    if tasks.is_empty() {
        return Err(format!("`{}` holds no task", path.display()));
    }
    Ok(tasks)
}

/// Writes files into a folder.
pub(super) fn lay(folder: &Path, files: &BTreeMap<String, String>) -> Result<(), String> {
    for (name, text) in files {
        let path = folder.join(name);
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, text));
        written.map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
    }
    Ok(())
}

/// Takes the texts of a tree, without `.git` and what programs leave behind.
pub(super) fn take(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(&at).into_iter().flatten().flatten() {
            let path = entry.path();
            // Links are not followed: what they lead to is none of the task's.
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let name = entry.file_name();
            if kind.is_dir() {
                let skipped = [".git", "__pycache__", "target", "node_modules"];
                if !skipped.iter().any(|skipped| name == *skipped) {
                    folders.push(path);
                }
                continue;
            }
            let small = entry.metadata().is_ok_and(|found| found.len() <= LARGEST);
            if !kind.is_file() || !small || found.len() >= MOST_FILES {
                continue;
            }
            if let (Ok(text), Ok(inner)) = (fs::read_to_string(&path), path.strip_prefix(folder)) {
                found.insert(inner.to_string_lossy().into_owned(), text);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tasks.jsonl");
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn a_line_that_is_no_task_is_named() {
        let (_dir, path) = write("\n{\"id\": \"x\"}\n");
        let problem = read(&path).unwrap_err();
        assert!(problem.contains("line 2"), "{problem}");
        let (_dir, path) = write("\n");
        assert!(read(&path).unwrap_err().contains("holds no task"));
    }

    #[test]
    fn a_task_cannot_lay_files_outside_of_its_folder() {
        for name in ["../a", "/etc/a", "a/../../b"] {
            let line = serde_json::json!({
                "id": "x", "files": {name: ""}, "instruction": "i", "tests": {}, "test_cmd": "true"
            });
            let (_dir, path) = write(&line.to_string());
            assert!(read(&path).unwrap_err().contains("leads out"), "{name}");
        }
    }

    #[test]
    fn what_is_laid_is_taken_again_without_what_programs_left() {
        let dir = tempfile::tempdir().unwrap();
        let files = BTreeMap::from([("a/b.py".to_owned(), "x = 1\n".to_owned())]);
        lay(dir.path(), &files).unwrap();
        fs::create_dir_all(dir.path().join("a/__pycache__")).unwrap();
        fs::write(dir.path().join("a/__pycache__/b.pyc"), "x").unwrap();
        assert_eq!(take(dir.path()), files);
    }
}
