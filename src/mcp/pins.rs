//! Pins: what the user agreed to, kept whole, so that a change is shown field by field.
//!
//! A server's pin has two parts. The launch (command, arguments, names of variables, hashes of the programs) is agreed
//! to before it is first started; the offer (instructions, every tool, prompt and template with all that the model or
//! the user could see of it) before it is first used. A launch that differs from its pin stops the server until the
//! user has agreed to the difference; of an offer that differs, only what was agreed to is used until then. An offer
//! that holds less than was agreed to is no other one: what a server offers depends on what its host can do.

mod agreed;
mod difference;
mod show;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::catalog::Catalog;
use super::era::Hello;
use super::state_file;
pub(super) use difference::differences;
pub use show::{launch_text, offer_text};

/// A part of a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Launch,
    Offer,
}

impl Part {
    fn key(self) -> &'static str {
        match self {
            Self::Launch => "launch",
            Self::Offer => "offer",
        }
    }
}

/// How a definition stands to its pin.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It is what was agreed to.
    Pinned,
    /// Nobody agreed to it yet.
    New,
    /// It differs from what was agreed to, in these lines.
    Changed(Vec<String>),
}

/// What was agreed to, of all servers.
#[derive(Debug)]
pub struct Pins {
    /// `None` keeps them in memory only.
    path: Option<PathBuf>,
    kept: Mutex<Map<String, Value>>,
    /// Servers that are trusted for this run, as they are when they are first seen in it.
    trusted: Vec<String>,
    seen: Mutex<Map<String, Value>>,
}

/// Pins that cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum PinsError {
    #[error("cannot read the pins `{path}`: {problem}")]
    Read { path: PathBuf, problem: String },
    #[error("cannot keep the pins in `{path}`: {problem}")]
    Write { path: PathBuf, problem: String },
}

impl Pins {
    /// Reads the pins of a file; one that is not there holds none.
    ///
    /// # Errors
    /// When it is there and cannot be read: then nothing is taken for agreed to, or for new.
    pub fn open(path: PathBuf, trusted: Vec<String>) -> Result<Self, PinsError> {
        let kept = read(&path)?;
        Ok(Self {
            path: Some(path),
            kept: Mutex::new(kept),
            trusted,
            seen: Mutex::default(),
        })
    }

    /// Keeps pins in memory only.
    pub fn in_memory(trusted: Vec<String>) -> Self {
        Self {
            path: None,
            kept: Mutex::default(),
            trusted,
            seen: Mutex::default(),
        }
    }

    /// Tells how a part of a server's definition stands to its pin.
    pub fn standing(&self, key: &str, name: &str, part: Part, now: &Value) -> Standing {
        match self.agreed(key, part) {
            Some(then) => {
                let then = match part {
                    Part::Launch => then,
                    Part::Offer => agreed::narrowed(then, now),
                };
                match differences(&then, now) {
                    lines if lines.is_empty() => Standing::Pinned,
                    lines => Standing::Changed(lines),
                }
            }
            None if self.trusted.iter().any(|trusted| trusted == name) => {
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.insert(format!("{} {key}", part.key()), now.clone());
                Standing::Pinned
            }
            None => Standing::New,
        }
    }

    /// Returns what is left of an offer without that which nobody agreed to. `None` when nothing that is of use is
    /// left.
    pub(super) fn agreed_part(&self, key: &str, now: &Value) -> Option<Value> {
        agreed::part(&self.agreed(key, Part::Offer)?, now)
    }

    /// Returns what was agreed to, for good or for this run.
    fn agreed(&self, key: &str, part: Part) -> Option<Value> {
        let kept = self.lock();
        let for_good = kept.get(key).and_then(|pin| pin.get(part.key()));
        for_good.cloned().or_else(|| {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.get(&format!("{} {key}", part.key())).cloned()
        })
    }

    /// Keeps that a part of a server's definition was agreed to.
    ///
    /// # Errors
    /// When the file cannot be written; the agreement then holds for this run.
    pub fn agree(&self, key: &str, part: Part, now: &Value) -> Result<(), PinsError> {
        self.change(|kept| {
            let pin = kept.entry(key).or_insert_with(|| json!({}));
            pin[part.key()] = match (part, pin.get(part.key())) {
                (Part::Offer, Some(then)) => agreed::with_absent(then, now),
                _ => now.clone(),
            };
        })
    }

    /// Forgets a server's pin. Tells whether there was one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn forget(&self, key: &str) -> Result<bool, PinsError> {
        let mut was_there = false;
        self.change(|kept| was_there = kept.shift_remove(key).is_some())?;
        Ok(was_there)
    }

    /// Returns the keys, and the tools that were agreed to of each.
    pub fn list(&self) -> Vec<(String, Vec<String>)> {
        let kept = self.lock();
        kept.iter()
            .map(|(key, pin)| {
                let tools = pin["offer"]["tools"].as_object();
                let names = tools.into_iter().flatten().map(|(name, _)| name.clone());
                (key.clone(), names.collect())
            })
            .collect()
    }

    /// Returns a server's pin as it is kept.
    pub fn get(&self, key: &str) -> Option<Value> {
        self.lock().get(key).cloned()
    }

    fn change(&self, change: impl FnOnce(&mut Map<String, Value>)) -> Result<(), PinsError> {
        let mut kept = self.lock();
        if let Some(path) = &self.path {
            // Another walden may have changed the file since.
            if let Ok(newer) = read(path)
                && path.exists()
            {
                *kept = newer;
            }
        }
        change(&mut kept);
        match &self.path {
            Some(path) => write(path, &kept),
            None => Ok(()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Map<String, Value>> {
        // Nothing panics while it is held.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &std::path::Path) -> Result<Map<String, Value>, PinsError> {
    state_file::read(path).map_err(|problem| PinsError::Read {
        path: path.to_owned(),
        problem,
    })
}

fn write(path: &std::path::Path, kept: &Map<String, Value>) -> Result<(), PinsError> {
    state_file::write(path, kept).map_err(|error| PinsError::Write {
        path: path.to_owned(),
        problem: error.to_string(),
    })
}

/// What is pinned of a server's offer: everything that the model or the user could see or obey.
pub(super) fn offer(hello: &Hello, catalog: &Catalog) -> Value {
    let kept = |items: &[Value], name: &str, fields: &[&str]| -> Value {
        items
            .iter()
            .filter_map(|item| {
                let mut fields_kept = Map::new();
                for field in fields {
                    if let Some(value) = item.get(*field).filter(|value| !value.is_null()) {
                        fields_kept.insert((*field).to_owned(), value.clone());
                    }
                }
                Some((item[name].as_str()?.to_owned(), Value::Object(fields_kept)))
            })
            .collect::<Map<_, _>>()
            .into()
    };
    json!({
        "instructions": hello.instructions,
        "tools": kept(&catalog.tools, "name", &["title", "description", "inputSchema", "outputSchema", "annotations", "execution"]),
        "prompts": kept(&catalog.prompts, "name", &["title", "description", "arguments"]),
        "templates": kept(&catalog.templates, "uriTemplate", &["name", "title", "description", "mimeType"]),
    })
}

#[cfg(test)]
#[path = "tests/pins.rs"]
mod tests;
