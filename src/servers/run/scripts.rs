//! Scripts of skills: programs that stand in the folder of a skill, run in the copy and confined like a check.
//!
//! Nothing else can be started: no program of the system, and no words that a shell takes apart. The folder of the skill
//! can be read, and only the copy written; whether a call is made at all, the host asks its user.

#![expect(
    clippy::disallowed_methods,
    reason = "a skill's folder is no root of the user's; only what lies in it is looked at"
)]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rmcp::model::JsonObject;
use serde_json::{Value, json};

use super::running::Ran;
use crate::protocol::Hash;
use crate::workspace::hash_of;

/// The tool's name.
pub(super) const SCRIPT: &str = "script";

/// The most words of a call, and the longest of them, in bytes.
const MOST_WORDS: usize = 32;
const LONGEST_WORD: usize = 4 * 1024;

/// The most of an output that is told, from its beginning and from its end, in bytes.
const HEAD: usize = 2 * 1024;
const TAIL: usize = 6 * 1024;

/// What runs a script that is no program by itself.
const INTERPRETERS: &[(&str, &str)] = &[("py", "python3"), ("sh", "sh"), ("js", "node")];

/// The most files of a skill's folder, the most bytes of all of them, and the deepest folder in it.
const MOST_FILES: usize = 200;
const MOST_BYTES: u64 = 4 << 20;
const DEEPEST: usize = 6;

/// A skill whose folder has more than its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scripts {
    /// The name of the skill.
    pub skill: String,
    pub folder: PathBuf,
    /// What its files hold, by their paths in the folder: where anything is another one, nothing is run.
    pub files: BTreeMap<String, Hash>,
}

impl Scripts {
    /// Reads what a skill's folder holds beside its text. `None` where there is nothing, or more than can be vouched for.
    pub fn of_folder(skill: &str, folder: PathBuf) -> Option<Self> {
        let (mut files, mut room) = (BTreeMap::new(), MOST_BYTES);
        read_into(&mut files, &mut room, &folder, "", 0)?;
        files.remove("SKILL.md");
        (!files.is_empty()).then(|| Self {
            skill: skill.to_owned(),
            folder,
            files,
        })
    }

    /// Names a file that is another one than it was, is new, or is gone.
    fn changed(&self) -> Option<String> {
        let now = Self::of_folder(&self.skill, self.folder.clone());
        let now = now.map(|now| now.files).unwrap_or_default();
        let paths = self.files.keys().chain(now.keys());
        let mut changed = paths.filter(|path| self.files.get(*path) != now.get(*path));
        changed.next().cloned()
    }
}

/// Reads the files of a folder. A link counts as where it leads to: as that it is looked at when it is run.
fn read_into(
    files: &mut BTreeMap<String, Hash>,
    room: &mut u64,
    folder: &Path,
    within: &str,
    depth: usize,
) -> Option<()> {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().ok()?;
        let path = format!("{within}{name}");
        let kind = entry.file_type().ok()?;
        if kind.is_dir() {
            (depth < DEEPEST).then_some(())?;
            read_into(files, room, &entry.path(), &format!("{path}/"), depth + 1)?;
            continue;
        }
        (files.len() < MOST_FILES).then_some(())?;
        let bytes = match kind.is_file() {
            true => {
                *room = room.checked_sub(entry.metadata().ok()?.len())?;
                std::fs::read(entry.path()).ok()?
            }
            false => {
                let leads = std::fs::read_link(entry.path()).unwrap_or_default();
                leads.into_os_string().into_encoded_bytes()
            }
        };
        files.insert(path, hash_of(&bytes));
    }
    Some(())
}

/// A script that can be run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Script {
    pub(super) argv: Vec<String>,
    /// The skill's folder.
    pub(super) folder: PathBuf,
}

impl Script {
    /// Reads the arguments of a call.
    pub(super) fn of(all: &[Scripts], arguments: Option<&JsonObject>) -> Result<Self, String> {
        let argument = |name: &str| arguments.and_then(|arguments| arguments.get(name));
        let name = argument("skill")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let known = all.iter().find(|one| one.skill == name).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|one| one.skill.as_str()).collect();
            format!(
                "no skill `{name}` with scripts; there are {}",
                names.join(", ")
            )
        })?;
        let words = argument("argv").and_then(Value::as_array);
        let words: Option<Vec<String>> = words.map_or(Some(Vec::new()), |words| {
            words
                .iter()
                .map(|word| word.as_str().map(str::to_owned))
                .collect()
        });
        let words = words.unwrap_or_default();
        let fits = words.len() <= MOST_WORDS && words.iter().all(|word| word.len() <= LONGEST_WORD);
        let ([path, rest @ ..], true) = (words.as_slice(), fits) else {
            return Err(format!(
                "`argv` must be the script's path in the skill's folder and its arguments, {MOST_WORDS} words at most"
            ));
        };
        let (program, folder) = inside(&known.folder, path)?;
        if let Some(changed) = known.changed() {
            return Err(format!(
                "`{changed}` of the skill `{name}` is not what it was when this session began, so that nothing of the \
                 skill is run; look at it with `walden trust` and begin a new session"
            ));
        }
        let mut argv = match interpreter(&program, path)? {
            Some(interpreter) => vec![interpreter.to_owned()],
            None => Vec::new(),
        };
        let program = program.into_os_string().into_string();
        argv.push(program.map_err(|_| format!("the path of `{path}` is no UTF-8"))?);
        argv.extend_from_slice(rest);
        Ok(Self { argv, folder })
    }

    /// Describes the arguments.
    pub(super) fn schema(all: &[Scripts]) -> JsonObject {
        let names: Vec<&str> = all.iter().map(|one| one.skill.as_str()).collect();
        let schema = json!({
            "type": "object",
            "properties": {
                "skill": {"type": "string", "enum": names},
                "argv": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            },
            "required": ["skill", "argv"],
        });
        match schema {
            Value::Object(schema) => schema,
            _ => JsonObject::new(),
        }
    }
}

/// Finds a file in a folder, links followed, and the folder as it really is. What leads out of it is refused.
fn inside(folder: &Path, path: &str) -> Result<(PathBuf, PathBuf), String> {
    let missing = || format!("no script `{path}` in the skill's folder");
    let is_plain = !path.is_empty()
        && !path.starts_with(['/', '-'])
        && path.split('/').all(|part| part != "..");
    if !is_plain {
        return Err(missing());
    }
    let folder = folder.canonicalize().map_err(|_| missing())?;
    let file = folder.join(path).canonicalize().map_err(|_| missing())?;
    match file.starts_with(&folder) && file.is_file() {
        true => Ok((file, folder)),
        false => Err(missing()),
    }
}

/// Says what runs a script; nothing where it is a program by itself.
fn interpreter(file: &Path, path: &str) -> Result<Option<&'static str>, String> {
    let mode = file.metadata().map(|found| found.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o111 != 0) {
        return Ok(None);
    }
    let ending = file.extension().and_then(|ending| ending.to_str());
    let known = INTERPRETERS.iter().find(|(of, _)| Some(*of) == ending);
    match known {
        Some((_, interpreter)) => Ok(Some(interpreter)),
        None => Err(format!(
            "`{path}` is no program: nobody may execute it, and its ending is none of .py, .sh, .js"
        )),
    }
}

/// Says how a script ended and what it printed. `Err` where it failed.
pub(super) fn told(path: &str, ran: &Ran) -> Result<String, String> {
    let end = match (ran.timed_out, ran.status) {
        (true, _) => format!(
            "`{path}` was ended: it took more than {} s",
            ran.took.as_secs()
        ),
        (false, Some(0)) => format!("`{path}` ended well"),
        (false, Some(status)) => format!("`{path}` ended with status {status}"),
        (false, None) => format!("`{path}` was ended by a signal"),
    };
    let output = ran.output.trim_end();
    let text = match output.is_empty() {
        true => format!("{end} and printed nothing"),
        false => format!("{end} and printed:\n{}", cut(output)),
    };
    match ran.status == Some(0) && !ran.timed_out {
        true => Ok(text),
        false => Err(text),
    }
}

/// Leaves out the middle of a long text.
fn cut(text: &str) -> String {
    if text.len() <= HEAD + TAIL {
        return text.to_owned();
    }
    let is_edge = |at: &usize| text.is_char_boundary(*at);
    let head = (0..=HEAD).rev().find(is_edge).unwrap_or(0);
    let tail = (text.len() - TAIL..text.len())
        .find(is_edge)
        .unwrap_or(text.len());
    format!(
        "{}\n[{} bytes left out]\n{}",
        &text[..head],
        tail - head,
        &text[tail..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_in_the_skills_folder_is_run() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("skill");
        std::fs::create_dir_all(folder.join("scripts")).expect("folders");
        std::fs::write(folder.join("scripts/a.py"), "").expect("written");
        std::fs::write(folder.join("notes.txt"), "").expect("written");
        std::fs::write(dir.path().join("out.py"), "").expect("written");
        std::os::unix::fs::symlink("../out.py", folder.join("link.py")).expect("a link");
        let all = [Scripts::of_folder("release", folder.clone()).expect("scripts")];
        let script = |value: &Value| Script::of(&all, value.as_object());
        let real = folder.canonicalize().expect("there");
        let made = script(&json!({"skill": "release", "argv": ["scripts/a.py", "x; id"]}));
        let made = made.expect("a script");
        let file = real.join("scripts/a.py").display().to_string();
        assert_eq!(made.argv, ["python3".to_owned(), file, "x; id".to_owned()]);
        assert_eq!(made.folder, real);
        for argv in [
            json!(["../out.py"]),
            json!(["link.py"]),
            json!(["/bin/sh"]),
            json!(["sh"]),
            json!(["-c"]),
            json!(["scripts"]),
            json!(["notes.txt"]),
            json!([]),
            json!("scripts/a.py"),
            json!(["scripts/a.py", 1]),
            json!(vec!["scripts/a.py"; 40]),
        ] {
            let made = script(&json!({"skill": "release", "argv": argv}));
            assert!(made.is_err(), "{argv}: {made:?}");
        }
        assert!(script(&json!({"skill": "other", "argv": ["scripts/a.py"]})).is_err());
    }

    #[test]
    fn of_a_skill_whose_files_changed_nothing_is_run() {
        let dir = tempfile::tempdir().expect("a folder");
        let lay = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            std::fs::write(path, text).expect("written");
        };
        lay("SKILL.md", "text");
        assert_eq!(Scripts::of_folder("s", dir.path().to_owned()), None);
        lay("a.py", "import lib.b");
        lay("lib/b.py", "pass");
        let all = [Scripts::of_folder("s", dir.path().to_owned()).expect("scripts")];
        let call = json!({"skill": "s", "argv": ["a.py"]});
        let refusal = || Script::of(&all, call.as_object()).err();
        assert_eq!(refusal(), None);
        lay("SKILL.md", "other text, which is told anew");
        assert_eq!(refusal(), None);
        for (path, text, before) in [
            ("lib/b.py", "steal()", Some("pass")),
            ("a.py", "steal()", Some("import lib.b")),
            ("lib/new.py", "", None),
        ] {
            lay(path, text);
            let said = refusal().expect("refused");
            assert!(
                said.contains(path) && said.contains("walden trust"),
                "{said}"
            );
            match before {
                Some(before) => lay(path, before),
                None => std::fs::remove_file(dir.path().join(path)).expect("removed"),
            }
            assert_eq!(refusal(), None);
        }
        std::fs::remove_file(dir.path().join("lib/b.py")).expect("removed");
        assert!(refusal().is_some_and(|said| said.contains("lib/b.py")));
        // What cannot be vouched for is not run at all.
        for half in ["large", "lib/large"] {
            lay(half, &"x".repeat(MOST_BYTES as usize / 2));
        }
        assert_eq!(Scripts::of_folder("s", dir.path().to_owned()), None);
    }

    #[test]
    fn a_long_output_keeps_its_beginning_and_its_end() {
        let text = format!("first\n{}\nlast", "ä".repeat(20_000));
        let shown = cut(&text);
        assert!(shown.starts_with("first") && shown.ends_with("last"));
        assert!(shown.len() < HEAD + TAIL + 100 && shown.contains("bytes left out"));
    }
}
