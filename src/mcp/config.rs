//! Which servers there are: the `mcpServers` shape that every host reads, with walden's own keys beside it.
//!
//! A wrong entry disables its server with a message, and never another one.

mod expand;
pub mod import;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use super::container::{Container, check_image};
use super::era::{self, Era};
pub use expand::expand;

/// How long a server may take to start, a call may go without an answer or progress, and a call may take in all.
const START: Duration = Duration::from_secs(60);
const IDLE: Duration = Duration::from_secs(120);
const TOTAL: Duration = Duration::from_secs(1800);

/// The variable that names the profile of a run: an entry's `profiles` may hold one of that name, with tools of its own.
pub const PROFILE: &str = "WALDEN_PROFILE";

/// The names of walden's own servers.
pub const OWN: &[&str] = &["fs", "git", "memory", "run", "chat", "walden"];

/// A server that is not part of walden, as it is configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    pub name: String,
    pub source: Source,
    /// The entry as it is written, variables not put in: this is what is shown and pinned.
    pub written: Map<String, Value>,
    /// How it is reached, or why it cannot be.
    pub reach: Result<Reach, String>,
    pub era: Era,
    /// The oldest revision of the protocol that it is used with.
    pub min_protocol: Option<&'static str>,
    pub start: Duration,
    pub idle: Duration,
    pub total: Duration,
    pub toolset: Toolset,
    pub disabled: bool,
}

/// Who wrote a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    User,
    /// A repository's `.mcp.json`, in this folder.
    Project(PathBuf),
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq)]
pub enum Reach {
    /// A child process.
    Stdio {
        argv: Vec<String>,
        env: Vec<(String, String)>,
        folder: Option<PathBuf>,
        /// What it may read and write besides the roots (reading) and its scratch folder.
        read: Vec<PathBuf>,
        write: Vec<PathBuf>,
        /// It is started even where the kernel cannot confine it.
        weaker: bool,
        /// It runs in this container, where there is one; then `argv` may be empty, for the image's own command.
        container: Option<Container>,
    },
    /// Over HTTP.
    Remote(Remote),
}

/// A server that is reached over HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct Remote {
    pub transport: RemoteTransport,
    pub url: String,
    pub headers: Vec<(String, String)>,
    /// The server's name in the configuration, for messages and for what is kept of it.
    pub name: String,
    /// How to be authorized there, as far as it is set.
    pub oauth: RemoteOAuth,
    /// Where it is connected to on its behalf besides its own address, of what is allowed at all; anywhere of that, if
    /// nothing is said.
    pub network: Option<Vec<String>>,
}

/// What is set about a server's authorization, under `oauth`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RemoteOAuth {
    pub client_id: Option<String>,
    pub client_secret: Option<String>,
    pub client_metadata_url: Option<String>,
    pub issuer: Option<String>,
    /// What to ask for, as words with spaces between.
    pub scope: Option<String>,
    pub callback_port: Option<u16>,
}

/// Which of the transports over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteTransport {
    Streamable,
    /// The one before it.
    Sse,
}

/// Which of a server's tools are used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Toolset {
    /// Only these; all, where it is not said.
    pub allow: Option<Vec<String>>,
    pub deny: Vec<String>,
}

impl Toolset {
    /// Tells whether a tool is used. A `*` at the end of a name stands for anything.
    pub fn takes(&self, tool: &str) -> bool {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => tool.starts_with(beginning),
            None => pattern == tool,
        };
        !self.deny.iter().any(fits)
            && self
                .allow
                .as_ref()
                .is_none_or(|allow| allow.iter().any(fits))
    }
}

impl Definition {
    /// Returns the key under which its pin is kept: a repository's server is another one than the user's of that name.
    pub fn key(&self) -> String {
        match &self.source {
            Source::User => self.name.clone(),
            Source::Project(folder) => format!("{}#{}", folder.display(), self.name),
        }
    }
}

/// Reads a configuration: `{"mcpServers": {NAME: …}}`, or VS Code's `{"servers": …}`.
///
/// # Errors
/// When it is no JSON, or holds no servers.
pub fn read(
    text: &str,
    source: &Source,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Definition>, String> {
    let file: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| error.to_string())?;
    let servers = file
        .get("mcpServers")
        .or_else(|| file.get("servers"))
        .and_then(Value::as_object)
        .ok_or("it has no object `mcpServers`")?;
    Ok(servers
        .iter()
        .map(|(name, entry)| define(name, entry, source, variable))
        .collect())
}

/// Makes a definition of an entry.
pub fn define(
    name: &str,
    entry: &Value,
    source: &Source,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Definition {
    let written = entry.as_object().cloned().unwrap_or_default();
    let mut entry = Entry {
        map: &written,
        source,
        variable,
    };
    let seconds = |keys: &[&str], default: Duration| {
        keys.iter()
            .find_map(|key| written.get(*key)?.as_f64())
            .filter(|seconds| *seconds > 0.0 && *seconds < 1e6)
            .map_or(default, Duration::from_secs_f64)
    };
    // What is chosen for this run counts before what the entry says for all.
    let profile = variable(PROFILE).and_then(|name| {
        let profiles = written.get("profiles")?;
        profiles.get(&name)?.as_object()
    });
    let said = |key: &str| {
        let chosen = profile.and_then(|profile| profile.get(key));
        chosen.or_else(|| written.get(key))
    };
    let names = |key: &str| {
        said(key).and_then(Value::as_array).map(|names| {
            names
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
    };
    let flag = |key: &str| said(key).and_then(Value::as_bool);
    let era = match written.get("era").and_then(Value::as_str) {
        Some("legacy") => Era::Legacy,
        Some("modern") => Era::Modern,
        _ => Era::Auto,
    };
    let least = least_protocol(written.get("min_protocol"));
    let reach = check_name(name).and_then(|()| entry.reach(name));
    let (min_protocol, reach) = match least {
        Ok(least) => (least, reach),
        Err(problem) => (None, Err(problem)),
    };
    Definition {
        name: name.to_owned(),
        source: source.clone(),
        reach,
        era,
        min_protocol,
        start: seconds(&["startup_timeout_sec"], START),
        idle: seconds(&["tool_timeout_sec"], IDLE),
        total: seconds(&["max_timeout_sec"], TOTAL),
        toolset: Toolset {
            allow: names("enabled_tools"),
            deny: names("disabled_tools").unwrap_or_default(),
        },
        disabled: flag("disabled") == Some(true) || flag("enabled") == Some(false),
        written,
    }
}

/// Reads the oldest revision that a server may speak. One that is not known is no limit at all, so it disables the server.
fn least_protocol(written: Option<&Value>) -> Result<Option<&'static str>, String> {
    let word = match written {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(word)) => word,
        Some(_) => return Err("`min_protocol` is not a text".to_owned()),
    };
    era::revision(word).map(Some).ok_or_else(|| {
        format!(
            "`min_protocol` is `{}`: use {}, or `modern`",
            super::text::short(word, 40),
            era::revisions().join(", ")
        )
    })
}

/// Refuses names that could be taken for one of walden's own servers, or that cannot be part of a tool's name.
pub fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 40 || !name.chars().all(plain) || name.contains("__") {
        return Err(
            "a server's name has 1 to 40 letters, digits, `-`, `_` and `.`, and no `__`".to_owned(),
        );
    }
    match OWN.iter().find(|own| skeleton(own) == skeleton(name)) {
        Some(own) => Err(format!(
            "its name could be taken for walden's own server `{own}`; give it another one"
        )),
        None => Ok(()),
    }
}

/// Folds what looks alike in a name.
pub(super) fn skeleton(name: &str) -> String {
    name.to_lowercase()
        .replace("rn", "m")
        .replace("vv", "w")
        .chars()
        .filter(|c| !matches!(c, '-' | '_' | '.' | '/'))
        .map(|c| match c {
            '0' => 'o',
            '1' | 'i' | '|' => 'l',
            '5' => 's',
            c => c,
        })
        .collect()
}

/// One entry, being read.
struct Entry<'a> {
    map: &'a Map<String, Value>,
    source: &'a Source,
    variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Entry<'_> {
    fn text(&self, key: &str) -> Result<Option<String>, String> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => expand(text, self.variable).map(Some),
            Some(_) => Err(format!("`{key}` is not a text")),
        }
    }

    fn pairs(&self, key: &str) -> Result<Vec<(String, String)>, String> {
        let Some(map) = self.map.get(key).filter(|value| !value.is_null()) else {
            return Ok(Vec::new());
        };
        let map = map
            .as_object()
            .ok_or_else(|| format!("`{key}` is not an object"))?;
        map.iter()
            .map(|(name, value)| {
                let value = match value {
                    Value::String(text) => expand(text, self.variable)?,
                    Value::Number(_) | Value::Bool(_) => value.to_string(),
                    _ => return Err(format!("`{name}` in `{key}` is not a text")),
                };
                Ok((name.clone(), value))
            })
            .collect()
    }

    fn paths(&self, key: &str) -> Result<Vec<PathBuf>, String> {
        let list = match self.map.get("sandbox").and_then(|own| own.get(key)) {
            None => return Ok(Vec::new()),
            Some(list) => list
                .as_array()
                .ok_or_else(|| format!("`sandbox.{key}` is not a list"))?,
        };
        if matches!(self.source, Source::Project(_)) {
            // A repository may wish, and the wish is shown with the rest of its entry; only the user can grant it.
            return Ok(Vec::new());
        }
        list.iter()
            .map(|path| {
                let path = path
                    .as_str()
                    .ok_or_else(|| format!("`sandbox.{key}` holds what is not a text"))?;
                let path = match path.strip_prefix("~/") {
                    Some(rest) => format!("${{HOME}}/{rest}"),
                    None => path.to_owned(),
                };
                expand(&path, self.variable).map(PathBuf::from)
            })
            .collect()
    }

    /// Reads a switch under `sandbox`, which only the user can put.
    fn granted(&self, key: &str) -> Result<bool, String> {
        match self.map.get("sandbox").and_then(|own| own.get(key)) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(on)) => Ok(*on && *self.source == Source::User),
            Some(_) => Err(format!("`sandbox.{key}` is neither true nor false")),
        }
    }

    /// Reads the container, which only the user can choose: a repository's wish for one is shown and not followed.
    fn container(&self) -> Result<Option<Container>, String> {
        let image = match self.map.get("sandbox").and_then(|own| own.get("container")) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(image)) => expand(image, self.variable)?,
            Some(_) => return Err("`sandbox.container` is not the name of an image".to_owned()),
        };
        check_image(&image)?;
        if *self.source != Source::User {
            return Ok(None);
        }
        Ok(Some(Container {
            image,
            network: self.granted("network")?,
        }))
    }

    fn reach(&mut self, name: &str) -> Result<Reach, String> {
        let kind = self.text("type")?.or(self.text("transport")?);
        let url = match self.text("url")? {
            None => self.text("httpUrl")?,
            url => url,
        };
        match kind.as_deref() {
            None if self.map.contains_key("command") => self.stdio(),
            None if self.container()?.is_some() => self.stdio(),
            Some("stdio") => self.stdio(),
            None | Some("http" | "streamable_http" | "streamable-http" | "streamableHttp") => {
                self.remote(name, RemoteTransport::Streamable, url)
            }
            Some("sse") => self.remote(name, RemoteTransport::Sse, url),
            Some(other) => Err(format!(
                "there is no type `{}`: use stdio, http or sse",
                super::text::short(other, 40)
            )),
        }
    }

    fn stdio(&self) -> Result<Reach, String> {
        let container = self.container()?;
        let command = self
            .text("command")?
            .filter(|command| !command.trim().is_empty());
        if command.is_none() && container.is_none() {
            return Err("it has no `command`".to_owned());
        }
        let mut argv = Vec::from_iter(command);
        match self.map.get("args") {
            None | Some(Value::Null) => {}
            Some(Value::Array(list)) => {
                for one in list {
                    argv.push(match one {
                        Value::String(text) => expand(text, self.variable)?,
                        Value::Number(_) | Value::Bool(_) => one.to_string(),
                        _ => return Err("`args` holds what is not a text".to_owned()),
                    });
                }
            }
            Some(_) => return Err("`args` is not a list".to_owned()),
        }
        if self.map.get("network").and_then(Value::as_bool) == Some(true) {
            return Err(
                "it asks for the network, which walden gives no program that it starts; a server that is reached by \
                 `url` can be used instead"
                    .to_owned(),
            );
        }
        Ok(Reach::Stdio {
            argv,
            env: self.pairs("env")?,
            folder: self.text("cwd")?.map(PathBuf::from),
            read: self.paths("read")?,
            write: self.paths("write")?,
            weaker: self.granted("weaker")?,
            container,
        })
    }

    fn remote(
        &self,
        name: &str,
        transport: RemoteTransport,
        url: Option<String>,
    ) -> Result<Reach, String> {
        let url = url.ok_or("it has neither a `command` nor a `url`")?;
        if !(url.starts_with("https://") || url.starts_with("http://")) {
            return Err("its `url` is no http or https address".to_owned());
        }
        Ok(Reach::Remote(Remote {
            transport,
            url,
            headers: self.pairs("headers")?,
            name: name.to_owned(),
            oauth: self.oauth()?,
            network: self.addresses()?,
        }))
    }

    /// Reads the only addresses that a server may need. This takes away and grants nothing, so that a repository may say
    /// it of its own server.
    fn addresses(&self) -> Result<Option<Vec<String>>, String> {
        let wrong =
            || "`sandbox.network` of a server with a `url` is a list of `host:port`".to_owned();
        match self.map.get("sandbox").and_then(|own| own.get("network")) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(list)) => list
                .iter()
                .map(|one| expand(one.as_str().ok_or_else(wrong)?, self.variable))
                .collect::<Result<_, _>>()
                .map(Some),
            // Anything else is no limit, and whoever wrote it meant one.
            Some(_) => Err(wrong()),
        }
    }

    fn oauth(&self) -> Result<RemoteOAuth, String> {
        let Some(set) = self.map.get("oauth").filter(|set| !set.is_null()) else {
            return Ok(RemoteOAuth::default());
        };
        let text = |key: &str| match set.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => expand(text, self.variable).map(Some),
            Some(_) => Err(format!("`oauth.{key}` is not a text")),
        };
        let scope = match set.get("scopes") {
            Some(Value::Array(words)) => {
                let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
                Some(words.join(" "))
            }
            Some(_) => text("scopes")?,
            None => text("scope")?,
        };
        let callback_port = match set.get("callbackPort") {
            None | Some(Value::Null) => None,
            Some(port) => Some(
                port.as_u64()
                    .and_then(|port| u16::try_from(port).ok())
                    .filter(|port| *port != 0)
                    .ok_or("`oauth.callbackPort` is no port")?,
            ),
        };
        Ok(RemoteOAuth {
            client_id: text("clientId")?,
            client_secret: text("clientSecret")?,
            client_metadata_url: text("clientMetadataUrl")?,
            issuer: text("issuer")?,
            scope,
            callback_port,
        })
    }
}

/// Returns the folders that hold the scripts which a command line names, so that a confined interpreter can read them:
/// the package around a script, or else its own folder.
pub fn script_folders(
    argv: &[String],
    folder: &Path,
    exists: &dyn Fn(&Path) -> bool,
) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for argument in argv.iter().skip(1) {
        if argument.starts_with('-') || !argument.contains('/') && !argument.contains('.') {
            continue;
        }
        let path = folder.join(argument);
        let is_script = path
            .extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|extension| {
                [
                    "js", "mjs", "cjs", "ts", "py", "pyz", "rb", "jar", "sh", "pl", "php", "lua",
                ]
                .contains(&extension)
            });
        let Some(own) = path.parent().filter(|_| is_script && exists(&path)) else {
            continue;
        };
        // In a store of packages, the other packages are needed, too.
        let store = own
            .ancestors()
            .filter(|folder| folder.ends_with("node_modules"))
            .last();
        let package = own.ancestors().take(4).find(|folder| {
            ["package.json", "pyproject.toml"]
                .iter()
                .any(|file| exists(&folder.join(file)))
        });
        // Very wide folders hold more than a program.
        let narrow = |folder: &&Path| folder.components().count() > 3;
        found.push(
            store
                .or(package)
                .filter(narrow)
                .or(Some(own).filter(narrow))
                .map_or_else(|| path.clone(), Path::to_owned),
        );
    }
    found.dedup();
    found
}

#[cfg(test)]
#[path = "tests/config.rs"]
mod tests;
