//! The eras of the protocol, and finding out which one a server speaks.
//!
//! Since 2026-07-28 there is no handshake: `server/discover` says what a server can do, and every request says who
//! asks. Before, `initialize` opened a conversation. A server is asked the new way; one that answers with any error,
//! or not soon, is asked the old way as well, and the first answer that means something decides.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::link::{Link, LinkError, Patience, UNSUPPORTED_VERSION};

/// The stateless revision that is spoken.
pub(super) const MODERN: &str = "2026-07-28";
/// The revisions with a handshake, the preferred one first.
const LEGACY: &[&str] = &["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// Lists the revisions that are spoken, the newest first.
pub(super) fn revisions() -> Vec<&'static str> {
    let mut all = vec![MODERN];
    all.extend(LEGACY);
    all
}

/// Finds a revision by its date, or by the word for its era.
pub(super) fn revision(word: &str) -> Option<&'static str> {
    match word {
        "modern" => Some(MODERN),
        date => revisions().into_iter().find(|one| *one == date),
    }
}

/// How long a server may take to answer the new way before it is asked the old way, too: it may be slow to start, or
/// may drop what it does not know.
const PROBE: Duration = Duration::from_secs(3);

/// The way that a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Era {
    /// With a handshake (2025-11-25 and before).
    Legacy,
    /// Stateless (2026-07-28).
    Modern,
    /// Whichever the server speaks.
    #[default]
    Auto,
}

impl Era {
    /// Returns the word for it in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
            Self::Auto => "auto",
        }
    }
}

/// What a server told about itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Hello {
    pub(super) era: Era,
    pub(super) version: String,
    pub(super) capabilities: Value,
    pub(super) instructions: String,
    /// The server's own name and version; never trusted to be true.
    pub(super) name: String,
}

impl Hello {
    /// Refuses a server that speaks an older revision than it is held to. Revisions are dates, written so that the
    /// later one sorts behind.
    pub(super) fn check(&self, least: Option<&str>) -> Result<(), String> {
        match least {
            Some(least) if self.version.as_str() < least => Err(format!(
                "it speaks the protocol of {}, and you hold it to that of {least} or later (`min_protocol`)",
                self.version
            )),
            _ => Ok(()),
        }
    }

    /// Tells whether the server has declared a capability.
    pub(super) fn can(&self, path: &str) -> bool {
        match self.capabilities.pointer(path) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(_) => true,
        }
    }
}

/// Meets a server: finds its era and learns what it can do. `capabilities` are the client's.
pub(super) async fn meet(
    link: &Link,
    era: Era,
    capabilities: &Value,
    patience: Duration,
) -> Result<Hello, String> {
    let patience = Patience::of(patience);
    match era {
        Era::Legacy => initialize(link, capabilities, patience).await,
        Era::Modern => match discover(link, capabilities, patience).await {
            Ok(hello) => Ok(hello),
            Err(Discovered::Legacy(problem) | Discovered::Broken(problem)) => Err(problem),
        },
        Era::Auto => {
            let discovering = discover(link, capabilities, patience);
            tokio::pin!(discovering);
            let discovered = tokio::select! {
                discovered = &mut discovering => Some(discovered),
                () = tokio::time::sleep(PROBE) => None,
            };
            match discovered {
                Some(Ok(hello)) => return Ok(hello),
                Some(Err(Discovered::Broken(problem))) => return Err(problem),
                Some(Err(Discovered::Legacy(_))) => {
                    return initialize(link, capabilities, patience).await;
                }
                None => {}
            }
            let initializing = initialize(link, capabilities, patience);
            tokio::pin!(initializing);
            let mut waits_for_new = true;
            loop {
                tokio::select! {
                    // A slow starter answers both at once, in their order; the first one counts.
                    biased;
                    discovered = &mut discovering, if waits_for_new => match discovered {
                        Ok(hello) => return Ok(hello),
                        Err(_) => waits_for_new = false,
                    },
                    initialized = &mut initializing => {
                        if initialized.is_err()
                            && waits_for_new
                            && let Ok(Ok(hello)) = tokio::time::timeout(PROBE, discovering).await
                        {
                            return Ok(hello);
                        }
                        return initialized;
                    }
                }
            }
        }
    }
}

/// What came of asking the new way, when it did not work.
enum Discovered {
    /// The server answers, and does not know the question.
    Legacy(String),
    Broken(String),
}

/// What every request of the stateless era carries.
fn introduction(version: &str, capabilities: &Value) -> Map<String, Value> {
    let mut capabilities = capabilities.clone();
    capabilities["extensions"] = json!({super::tasks::EXTENSION: {}});
    let entries = [
        ("protocolVersion", json!(version)),
        ("clientInfo", client_info()),
        ("clientCapabilities", capabilities),
    ];
    entries
        .map(|(key, value)| (format!("io.modelcontextprotocol/{key}"), value))
        .into_iter()
        .collect()
}

fn client_info() -> Value {
    json!({"name": "walden", "version": env!("CARGO_PKG_VERSION")})
}

async fn discover(
    link: &Link,
    capabilities: &Value,
    patience: Patience,
) -> Result<Hello, Discovered> {
    let meta = introduction(MODERN, capabilities);
    let ask = || link.request("server/discover", json!({"_meta": meta}), patience);
    let mut answer = ask().await;
    if let Err(LinkError::Refused {
        code: UNSUPPORTED_VERSION,
        data: Some(data),
        ..
    }) = &answer
        && data["supported"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one == MODERN))
    {
        // It refuses the revision and names it among those that it speaks: what it says of itself counts, once.
        answer = ask().await;
    }
    let result = match answer {
        Ok(result) => result,
        Err(LinkError::Refused {
            code: UNSUPPORTED_VERSION,
            data,
            ..
        }) => {
            let data = data.unwrap_or_default();
            let supported: Vec<&str> = data["supported"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let words = format!(
                "it speaks the protocol of {} only, which walden does not",
                super::text::short(&supported.join(", "), 100)
            );
            return Err(if supported.iter().any(|one| LEGACY.contains(one)) {
                Discovered::Legacy(words)
            } else {
                Discovered::Broken(words)
            });
        }
        Err(error @ LinkError::Refused { .. }) => {
            return Err(Discovered::Legacy(error.to_string()));
        }
        Err(error) => return Err(Discovered::Broken(error.to_string())),
    };
    if !result["capabilities"].is_object() {
        return Err(Discovered::Legacy(
            "its answer to `server/discover` names no capabilities".to_owned(),
        ));
    }
    let versions = result["supportedVersions"].as_array();
    if versions.is_some_and(|versions| !versions.iter().any(|version| version == MODERN)) {
        return Err(Discovered::Legacy(format!(
            "it does not speak the protocol of {MODERN}"
        )));
    }
    link.carry(meta);
    let info = match &result["serverInfo"] {
        Value::Null => &result["_meta"]["io.modelcontextprotocol/serverInfo"],
        info => info,
    };
    Ok(Hello {
        era: Era::Modern,
        version: MODERN.to_owned(),
        name: named(info),
        instructions: result["instructions"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        capabilities: result["capabilities"].clone(),
    })
}

async fn initialize(
    link: &Link,
    capabilities: &Value,
    patience: Patience,
) -> Result<Hello, String> {
    let params = json!({
        "protocolVersion": LEGACY[0],
        "capabilities": capabilities,
        "clientInfo": client_info(),
    });
    let result = link
        .request("initialize", params, patience)
        .await
        .map_err(|error| format!("it did not answer `initialize`: {error}"))?;
    let version = result["protocolVersion"].as_str().unwrap_or_default();
    if !LEGACY.contains(&version) {
        return Err(format!(
            "it answered with the protocol version `{}`, which walden does not speak",
            super::text::short(version, 40)
        ));
    }
    link.notify("notifications/initialized", &json!({}));
    Ok(Hello {
        era: Era::Legacy,
        version: version.to_owned(),
        name: named(&result["serverInfo"]),
        instructions: result["instructions"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        capabilities: result["capabilities"].clone(),
    })
}

fn named(info: &Value) -> String {
    let word = |key: &str| info[key].as_str().unwrap_or_default();
    super::text::short(format!("{} {}", word("name"), word("version")).trim(), 100)
}
