//! The files in which the user's rules are kept: one in the configuration folder, for every project, and one in the
//! state folder for this project. Never one inside the repository: what is in there is not the user's word.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::protocol::{KeptRule, Rule, Scope};

/// The two files.
#[derive(Debug, Clone, Default)]
pub struct RuleFiles {
    forever: Option<PathBuf>,
    project: Option<PathBuf>,
}

/// A file of rules that could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    #[error("cannot read the rules `{path}`: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write the rules `{path}`: {source}")]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("`{path}` is not a file of rules: {problem}")]
    Form { path: PathBuf, problem: String },
    #[error("rule {number} of `{path}` ({rule}) is refused: {problem}")]
    Rule {
        path: PathBuf,
        number: usize,
        rule: String,
        problem: String,
    },
    #[error("there is no place to keep a rule for {what}: neither XDG_CONFIG_HOME nor HOME is set")]
    NoPlace { what: &'static str },
    #[error("there is no rule {number}; there are {count}")]
    Unknown { number: usize, count: usize },
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    rule: Vec<Rule>,
}

impl RuleFiles {
    /// Uses these two files, which need not be there yet.
    pub fn new(forever: Option<PathBuf>, project: Option<PathBuf>) -> Self {
        Self { forever, project }
    }

    /// Reads the rules, those for every project first, and tries each on its examples.
    ///
    /// # Errors
    /// When a file cannot be read, or a rule in it is wrong: none of its rules holds then, so nothing may start.
    pub fn load(&self) -> Result<Vec<KeptRule>, RulesError> {
        let mut rules = Vec::new();
        for (scope, path) in [
            (Scope::Forever, &self.forever),
            (Scope::Project, &self.project),
        ] {
            let Some(path) = path else { continue };
            let read = parse(path)?;
            rules.extend(read.into_iter().map(|rule| KeptRule { scope, rule }));
        }
        Ok(rules)
    }

    /// Adds a rule to the file of its scope.
    ///
    /// # Errors
    /// When the rule or one of the file's is wrong, or the file cannot be written.
    pub fn add(&self, kept: &KeptRule) -> Result<(), RulesError> {
        let path = self.place(kept.scope)?;
        let refused = |problem| RulesError::Rule {
            path: path.to_owned(),
            number: 0,
            rule: kept.rule.to_string(),
            problem,
        };
        kept.rule.check().map_err(refused)?;
        let there = parse(path)?;
        if there.contains(&kept.rule) {
            return Ok(());
        }
        let written = Written {
            rule: vec![kept.rule.clone()],
        };
        let block = toml::to_string(&written).map_err(|error| RulesError::Form {
            path: path.to_owned(),
            problem: error.to_string(),
        })?;
        // What the user wrote in the file, comments too, stays as it is.
        let mut text = read(path)?;
        if !text.is_empty() {
            if !text.ends_with('\n') {
                text.push('\n');
            }
            text.push('\n');
        }
        text.push_str(&block);
        write(path, &text)
    }

    /// Takes a rule out of the file of its scope. One that is not there is gone already.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn remove(&self, kept: &KeptRule) -> Result<(), RulesError> {
        let path = self.place(kept.scope)?;
        let there = parse(path)?;
        let Some(at) = there.iter().position(|rule| *rule == kept.rule) else {
            return Ok(());
        };
        write(path, &without_block(&read(path)?, at))
    }

    /// Takes a rule out by its number in what [`RuleFiles::load`] returns, counted from 1, and returns it.
    ///
    /// # Errors
    /// When there is no such rule, or its file cannot be read or written.
    pub fn remove_number(&self, number: usize) -> Result<KeptRule, RulesError> {
        let rules = self.load()?;
        let count = rules.len();
        let at = number.checked_sub(1);
        let kept = at
            .and_then(|at| rules.into_iter().nth(at))
            .ok_or(RulesError::Unknown { number, count })?;
        self.remove(&kept)?;
        Ok(kept)
    }

    fn place(&self, scope: Scope) -> Result<&Path, RulesError> {
        let (place, what) = match scope {
            Scope::Project => (&self.project, "this project"),
            Scope::Forever | Scope::Once | Scope::Session => (&self.forever, "every project"),
        };
        place.as_deref().ok_or(RulesError::NoPlace { what })
    }
}

fn read(path: &Path) -> Result<String, RulesError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(RulesError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

fn parse(path: &Path) -> Result<Vec<Rule>, RulesError> {
    let written: Written = toml::from_str(&read(path)?).map_err(|error| RulesError::Form {
        path: path.to_owned(),
        problem: error.to_string().trim_end().to_owned(),
    })?;
    for (at, rule) in written.rule.iter().enumerate() {
        rule.check().map_err(|problem| RulesError::Rule {
            path: path.to_owned(),
            number: at + 1,
            rule: rule.to_string(),
            problem,
        })?;
    }
    Ok(written.rule)
}

/// Leaves out the block of a rule: from its `[[rule]]` to the next one's.
fn without_block(text: &str, number: usize) -> String {
    let mut seen = 0;
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("[[rule]]") {
            seen += 1;
        }
        if seen != number + 1 {
            out.push_str(line);
        }
    }
    out
}

fn write(path: &Path, text: &str) -> Result<(), RulesError> {
    let failed = |source| RulesError::Write {
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(failed)?;
    }
    let beside = path.with_extension(format!("toml.{}", std::process::id()));
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|source| {
        // What is left of it is of no use.
        let _ = fs::remove_file(&beside);
        failed(source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Ruling;

    fn files() -> (tempfile::TempDir, RuleFiles, PathBuf) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("config/rules.toml");
        let project = dir.path().join("state/rules.toml");
        let files = RuleFiles::new(Some(path.clone()), Some(project));
        (dir, files, path)
    }

    fn kept(scope: Scope, tool: &str) -> KeptRule {
        KeptRule {
            scope,
            rule: Rule::new(Ruling::Allow, tool),
        }
    }

    #[test]
    fn rules_are_kept_by_their_scope_and_taken_back() {
        let (_dir, files, path) = files();
        assert!(files.load().expect("none").is_empty());
        let (a, b) = (
            kept(Scope::Forever, "fs.edit"),
            kept(Scope::Project, "git.*"),
        );
        files.add(&b).expect("added");
        files.add(&a).expect("added");
        files.add(&a).expect("it is there already");
        assert_eq!(files.load().expect("two"), [a.clone(), b.clone()]);
        let text = fs::read_to_string(&path).expect("written");
        fs::write(&path, format!("# mine\n{text}")).expect("written");
        let c = kept(Scope::Forever, "fs.write");
        files.add(&c).expect("added");
        assert_eq!(files.remove_number(1).expect("removed"), a);
        let text = fs::read_to_string(&path).expect("written");
        assert!(
            text.starts_with("# mine\n") && text.contains("fs.write"),
            "{text}"
        );
        assert!(!text.contains("fs.edit"), "{text}");
        assert_eq!(files.load().expect("two"), [c, b]);
        let error = files.remove_number(3).expect_err("there are two");
        assert_eq!(error.to_string(), "there is no rule 3; there are 2");
    }

    #[test]
    fn a_file_with_a_wrong_rule_is_refused_as_a_whole() {
        let (_dir, files, path) = files();
        let write = |text: &str| {
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(&path, text).expect("written");
            files.load().expect_err("refused").to_string()
        };
        let problem = write(
            "[[rule]]\ndo = \"allow\"\ntool = \"fs.edit\"\npath = [\"src/**\"]\nnot_match = [{ path = \"src/key.rs\" }]\n",
        );
        assert!(
            problem.contains("rule 1")
                && problem.contains("`not_match` example `src/key.rs` is matched"),
            "{problem}"
        );
        let problem = write("[[rule]]\ndo = \"allow\"\ntool = \"fs.edit\"\npaths = [\"src/**\"]\n");
        assert!(
            problem.contains("paths") && problem.contains("line 4"),
            "{problem}"
        );
        let problem = write("[[rule]]\ndo = \"allow\"\ntool = \"*.*\"\n");
        assert!(problem.contains("name it"), "{problem}");
    }
}
