//! What a bundle's manifest says, of each version of it from 0.1 to 0.4, and the entry of the configuration that comes
//! of it.
//!
//! A manifest may name a few variables: the folder that the bundle was unpacked into, the user's folders, and what the
//! user is asked for. Any other is refused: an entry's variables are read from the environment when a server starts,
//! and a stranger's manifest could fetch the user's secrets by that.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::super::text::short;
use super::asked::{Answers, Wish};
use super::{Archive, BundleError};

/// The versions of the manifest that are known.
const VERSIONS: &[&str] = &["0.1", "0.2", "0.3", "0.4"];
/// The kinds of servers that a bundle holds.
const KINDS: &[&str] = &["node", "python", "binary", "uv"];

/// A manifest that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The version of the manifest.
    pub format: String,
    pub name: String,
    pub title: Option<String>,
    pub version: String,
    pub description: String,
    pub author: String,
    pub licence: Option<String>,
    pub kind: String,
    /// The file of the bundle that the server starts from.
    pub entry_point: String,
    command: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// Tools and prompts that the bundle says it has, with what it says of them; it may have others.
    pub tools: Vec<(String, String)>,
    pub prompts: Vec<(String, String)>,
    /// Whether more of them come while the server runs.
    pub makes_more: bool,
    pub wishes: Vec<Wish>,
    /// What it says that it needs of the machine.
    pub needs: Vec<String>,
}

/// The folders that a manifest may name.
#[derive(Debug, Clone)]
pub struct Places {
    /// Where the bundle lies unpacked.
    pub bundle: PathBuf,
    pub home: PathBuf,
}

impl Manifest {
    /// Reads a manifest, as it is for this system.
    ///
    /// # Errors
    /// When it is no manifest of a known version, or not for this system.
    pub fn read(text: &str) -> Result<Self, BundleError> {
        Self::read_for(text, system())
    }

    pub(super) fn read_for(text: &str, system: &str) -> Result<Self, BundleError> {
        let bad = |problem: String| BundleError::Manifest(problem);
        let file: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|error| bad(format!("it is no JSON: {error}")))?;
        let wanted = |value: &Value, key: &str| -> Result<String, BundleError> {
            match value.get(key).and_then(Value::as_str) {
                Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
                _ => Err(bad(format!("it has no text `{key}`"))),
            }
        };
        let maybe = |key: &str| file.get(key).and_then(Value::as_str).map(str::to_owned);
        let format = maybe("manifest_version")
            .or_else(|| maybe("dxt_version"))
            .ok_or_else(|| bad("it has no `manifest_version`".to_owned()))?;
        if !VERSIONS.contains(&format.as_str()) {
            return Err(bad(format!(
                "its version is {}, and those from 0.1 to 0.4 are known",
                short(&format, 20)
            )));
        }
        let systems = file["compatibility"]["platforms"].as_array();
        if systems.is_some_and(|systems| !systems.iter().any(|one| one == system)) {
            return Err(bad(format!(
                "it is for {}, and this is {system}",
                list(&file["compatibility"]["platforms"])
            )));
        }
        let server = &file["server"];
        let kind = wanted(server, "type")?;
        if !KINDS.contains(&kind.as_str()) {
            return Err(bad(format!(
                "its server is of the type `{}`; those that are known are {}",
                short(&kind, 40),
                KINDS.join(", ")
            )));
        }
        let (command, arguments, environment) = launch(&server["mcp_config"], system)?;
        let described = |key: &str| -> Vec<(String, String)> {
            let items = file.get(key).and_then(Value::as_array);
            let items = items.into_iter().flatten().filter_map(|item| {
                let about = item.get("description").and_then(Value::as_str);
                let name = item.get("name")?.as_str()?.to_owned();
                Some((name, about.unwrap_or_default().to_owned()))
            });
            items.collect()
        };
        let runtimes = file["compatibility"]["runtimes"].as_object();
        let needs = runtimes
            .into_iter()
            .flatten()
            .filter_map(|(name, version)| Some(format!("{name} {}", version.as_str()?)));
        Ok(Self {
            name: wanted(&file, "name")?,
            title: maybe("display_name"),
            version: wanted(&file, "version")?,
            description: maybe("description").unwrap_or_default(),
            author: wanted(&file["author"], "name")?,
            licence: maybe("license"),
            entry_point: wanted(server, "entry_point")?,
            command,
            arguments,
            environment,
            tools: described("tools"),
            prompts: described("prompts"),
            makes_more: file["tools_generated"] == true || file["prompts_generated"] == true,
            wishes: Wish::read_all(&file["user_config"])?,
            needs: needs.collect(),
            format,
            kind,
        })
    }

    /// Refuses a manifest that does not fit its archive.
    ///
    /// # Errors
    /// When the server's first file is not in the archive.
    pub fn fits(&self, archive: &Archive) -> Result<(), BundleError> {
        match archive.has(&self.first_file()) {
            true => Ok(()),
            false => Err(BundleError::Manifest(format!(
                "its server starts from `{}`, which is not in the bundle",
                short(&self.entry_point, 200)
            ))),
        }
    }

    /// Returns the name, in the archive, of the file that the server starts from.
    pub fn first_file(&self) -> String {
        let path = self.entry_point.as_str();
        path.strip_prefix("./").unwrap_or(path).to_owned()
    }

    /// Returns files that are programs by what the manifest says, however the archive marks them.
    pub fn programs(&self) -> Vec<String> {
        let command = self.command.strip_prefix("${__dirname}/");
        let command = command.map(str::to_owned);
        let first = (self.kind == "binary").then(|| self.first_file());
        command.into_iter().chain(first).collect()
    }

    /// Returns a name for the server that the configuration can have.
    pub fn short_name(&self) -> String {
        let plain = |c: char| match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') => c,
            _ => '-',
        };
        let name: String = self.name.chars().map(plain).take(40).collect();
        let mut name = name.trim_matches('-').to_owned();
        while name.contains("__") {
            name = name.replace("__", "_");
        }
        name
    }

    /// Makes the entry of the configuration.
    ///
    /// # Errors
    /// When the manifest names a variable that it may not have.
    pub fn entry(
        &self,
        places: &Places,
        answers: &Answers,
    ) -> Result<Map<String, Value>, BundleError> {
        let bundle = places.bundle.display().to_string();
        let put = |text: &str| put_in(text, places, answers);
        // A path without a place is one in the bundle: the server's folder is the repository.
        let command = put(&self.command)?.unwrap_or_default();
        let command = match command.contains('/') && !command.starts_with('/') {
            true => places.bundle.join(&command).display().to_string(),
            false => command,
        };
        let mut arguments: Vec<String> = Vec::new();
        for argument in &self.arguments {
            match answers.list_for(argument) {
                Some(values) => arguments.extend(values),
                // One that stands for nothing is left out, as an empty one would be another command.
                None => arguments.extend(put(argument)?),
            }
        }
        let mut environment = Map::new();
        for (name, value) in &self.environment {
            if let Some(value) = put(value)? {
                environment.insert(name.clone(), value.into());
            }
        }
        let mut reads = vec![bundle];
        reads.extend(answers.paths());
        let entry = [
            ("command", json!(command)),
            ("args", json!(arguments)),
            ("env", Value::Object(environment)),
            ("sandbox", json!({"read": reads})),
        ];
        Ok(entry
            .map(|(key, value)| (key.to_owned(), value))
            .into_iter()
            .collect())
    }
}

/// Returns this system's name in manifests.
fn system() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    }
}

/// A command, its arguments, and its variables.
type Launch = (String, Vec<String>, Vec<(String, String)>);

/// Reads how a server is started on this system.
fn launch(config: &Value, system: &str) -> Result<Launch, BundleError> {
    let bad = |problem: &str| BundleError::Manifest(problem.to_owned());
    let own = &config["platform_overrides"][system];
    let of = |key: &str| own.get(key).or_else(|| config.get(key));
    let command = of("command").and_then(Value::as_str);
    let command = command.filter(|command| !command.trim().is_empty());
    let command = command.ok_or_else(|| bad("it has no `server.mcp_config.command`"))?;
    let mut arguments = Vec::new();
    let list = of("args").filter(|list| !list.is_null());
    if let Some(list) = list {
        let list = list.as_array().ok_or_else(|| bad("`args` is no list"))?;
        for one in list {
            let text = one
                .as_str()
                .ok_or_else(|| bad("`args` holds what is no text"))?;
            arguments.push(text.to_owned());
        }
    }
    let mut environment = Vec::new();
    if let Some(map) = of("env").filter(|map| !map.is_null()) {
        let map = map.as_object().ok_or_else(|| bad("`env` is no object"))?;
        for (name, value) in map {
            let text = value
                .as_str()
                .ok_or_else(|| bad("`env` holds what is no text"))?;
            environment.push((name.clone(), text.to_owned()));
        }
    }
    Ok((command.to_owned(), arguments, environment))
}

/// Puts values where a text names them. `None` when one that it names was not given.
fn put_in(text: &str, places: &Places, answers: &Answers) -> Result<Option<String>, BundleError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut of_the_user = 0;
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        let inner = &rest[at + 2..];
        let end = inner.find('}').ok_or_else(|| {
            BundleError::Manifest(format!("`{}` is not closed", short(&rest[at..], 60)))
        })?;
        let name = &inner[..end];
        match (name.strip_prefix("user_config."), place(name, places)) {
            (Some(key), _) => match answers.text(key)? {
                Some(value) => {
                    of_the_user += value.matches("${").count();
                    out.push_str(&value);
                }
                None => return Ok(None),
            },
            (None, Some(path)) => out.push_str(&path),
            (None, None) => {
                return Err(BundleError::Manifest(format!(
                    "it names the variable `{}`, and a bundle has only its own folder, yours, and what it asks you for",
                    short(name, 60)
                )));
            }
        }
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    // Pieces that are harmless one by one can make a variable when they are put together.
    if out.matches("${").count() != of_the_user {
        return Err(BundleError::Manifest(format!(
            "`{}` would name a variable",
            short(text, 60)
        )));
    }
    Ok(Some(out))
}

/// Returns the folder that a variable stands for, or the letter between the parts of a path.
pub(super) fn place(name: &str, places: &Places) -> Option<String> {
    let within = |name: &str| places.home.join(name);
    let path: PathBuf = match name {
        "__dirname" => places.bundle.clone(),
        "HOME" => places.home.clone(),
        "DESKTOP" => within("Desktop"),
        "DOCUMENTS" => within("Documents"),
        "DOWNLOADS" => within("Downloads"),
        "pathSeparator" | "/" => PathBuf::from("/"),
        _ => return None,
    };
    Some(shown(&path))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn list(value: &Value) -> String {
    let words = value.as_array().into_iter().flatten();
    let words: Vec<String> = words
        .filter_map(|word| Some(short(word.as_str()?, 20)))
        .collect();
    match words.is_empty() {
        true => "no system".to_owned(),
        false => words.join(", "),
    }
}

#[cfg(test)]
#[path = "../tests/bundle_manifest.rs"]
mod tests;
