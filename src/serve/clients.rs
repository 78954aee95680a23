//! Who may call over HTTP, by a token each, and what each of them may use.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use super::Token;
use super::rate::{MOST, Rate};
use super::token::bearer;

/// The most clients, and bytes of a name: a name stands in every line of the audit log.
const CLIENTS: usize = 1_000;
const NAME: usize = 64;

/// Someone who has a token.
#[derive(Debug)]
pub struct Client {
    pub name: String,
    token: Token,
    pub rights: Rights,
    /// The only folders that it may touch, of those that are served; all of them where there are none.
    pub roots: Option<Vec<PathBuf>>,
    pub(super) rate: Option<Rate>,
}

/// What a client may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rights {
    /// Every tool.
    All,
    /// The tools that change nothing.
    Read,
    /// These tools and nothing else: no resources either.
    Tools(Vec<String>),
}

/// All who may call.
#[derive(Debug, Clone)]
pub struct Clients(Arc<[Arc<Client>]>);

/// A file of clients: `[NAME]`, then its token or the hash of it, and its rights.
type File = std::collections::BTreeMap<String, Written>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    token: Option<String>,
    sha256: Option<String>,
    tools: Option<Tools>,
    roots: Option<Vec<PathBuf>>,
    rate: Option<u32>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Tools {
    Word(String),
    Names(Vec<String>),
}

/// Clients that were read, and whether a token stands in the file as it is: then the file is a secret.
#[derive(Debug)]
pub struct ReadClients {
    pub clients: Clients,
    pub holds_tokens: bool,
}

/// What is wrong with a file of clients.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ClientsError(String);

impl Clients {
    /// One client, who may use everything.
    pub fn one(token: Token) -> Self {
        let client = Client {
            name: "token".to_owned(),
            token,
            rights: Rights::All,
            roots: None,
            rate: None,
        };
        Self([Arc::new(client)].into())
    }

    /// Reads a file of clients.
    ///
    /// # Errors
    /// When it is not understood, names nobody, or two clients have the same token.
    pub fn read(text: &str) -> Result<ReadClients, ClientsError> {
        let file: File =
            toml::from_str(text).map_err(|error| ClientsError(error.message().to_owned()))?;
        if file.is_empty() || file.len() > CLIENTS {
            let problem = format!("it names {} clients: 1 to {CLIENTS} can be", file.len());
            return Err(ClientsError(problem));
        }
        let holds_tokens = file.values().any(|one| one.token.is_some());
        let mut clients: Vec<Arc<Client>> = Vec::new();
        for (name, written) in file {
            let wrong = |problem: &str| ClientsError(format!("`{name}`: {problem}"));
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if name.is_empty() || name.len() > NAME || !name.chars().all(is_plain) {
                return Err(wrong("a name has letters, digits, `-`, `_` and `.`"));
            }
            let token = match (&written.token, &written.sha256) {
                (Some(token), None) => {
                    Token::chosen(token).map_err(|error| wrong(&error.to_string()))?
                }
                (None, Some(hash)) => {
                    Token::hashed(hash).ok_or_else(|| wrong("`sha256` has 64 digits"))?
                }
                _ => return Err(wrong("it needs `token` or `sha256`, and not both")),
            };
            let rights = match written.tools {
                None => Rights::All,
                Some(Tools::Names(names)) => Rights::Tools(names),
                Some(Tools::Word(word)) => match word.as_str() {
                    "all" => Rights::All,
                    "read" => Rights::Read,
                    _ => {
                        return Err(wrong("`tools` is \"all\", \"read\", or a list of names"));
                    }
                },
            };
            if let Some(other) = clients.iter().find(|other| other.token == token) {
                let problem = format!("it has the token of `{}`", other.name);
                return Err(wrong(&problem));
            }
            if written.roots.as_ref().is_some_and(Vec::is_empty) {
                return Err(wrong(
                    "`roots` names no folder; without it, all of them are meant",
                ));
            }
            let rate = match written.rate {
                None => None,
                Some(calls @ 1..=MOST) => Some(Rate::new(calls)),
                Some(_) => {
                    let problem = format!("`rate` is from 1 to {MOST} calls a minute");
                    return Err(wrong(&problem));
                }
            };
            clients.push(Arc::new(Client {
                name,
                token,
                rights,
                roots: written.roots,
                rate,
            }));
        }
        Ok(ReadClients {
            clients: Self(clients.into()),
            holds_tokens,
        })
    }

    /// Finds who says this in an `Authorization` header. It takes as long for a wrong token as for the right one.
    pub(super) fn who(&self, authorization: Option<&[u8]>) -> Option<Arc<Client>> {
        let given = Token::of(bearer(authorization).unwrap_or_default());
        let mut found = None;
        for client in self.0.iter() {
            if client.token == given {
                found = Some(client);
            }
        }
        // Nobody has no token.
        bearer(authorization)?;
        found.cloned()
    }

    /// Tells each client with what it may use.
    pub fn told(&self) -> Vec<String> {
        self.0.iter().map(|client| client.told()).collect()
    }

    /// Lists the clients that have folders of their own, with these.
    pub fn folders(&self) -> impl Iterator<Item = (&str, &[PathBuf])> {
        self.0
            .iter()
            .filter_map(|client| Some((client.name.as_str(), client.roots.as_deref()?)))
    }

    /// Lists the tools that a client was given by name, each with the client's name.
    pub fn named_tools(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|client| {
            let names: &[String] = match &client.rights {
                Rights::Tools(names) => names,
                Rights::All | Rights::Read => &[],
            };
            names
                .iter()
                .map(|name| (client.name.as_str(), name.as_str()))
        })
    }
}

impl Client {
    /// Tells on a line what it may use.
    fn told(&self) -> String {
        let mut told = match &self.rights {
            Rights::All => format!("{}: all", self.name),
            Rights::Read => format!("{}: read", self.name),
            Rights::Tools(names) => format!("{}: {}", self.name, names.join(", ")),
        };
        for (at, root) in self.roots.iter().flatten().enumerate() {
            told.push_str(if at == 0 { " in " } else { ", " });
            told.push_str(&root.display().to_string());
        }
        if let Some(rate) = &self.rate {
            told.push_str(&format!(", {} calls a minute", rate.calls()));
        }
        told
    }
}

impl Rights {
    /// Tells whether a tool may be called, which says of itself whether it changes something. The servers are walden's
    /// own: what they say is true.
    pub(super) fn allow(&self, tool: &str, only_reads: bool) -> bool {
        match self {
            Self::All => true,
            Self::Read => only_reads,
            Self::Tools(names) => names.iter().any(|name| name == tool),
        }
    }

    /// Tells whether what is no tool may be used: resources and prompts, which change nothing.
    pub(super) fn allow_others(&self) -> bool {
        !matches!(self, Self::Tools(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ReadClients, String> {
        Clients::read(text).map_err(|error| error.to_string())
    }

    #[test]
    fn each_client_is_known_by_its_token_and_has_its_rights() {
        // The hash of `abcdefghijklmnop`.
        let hash = "f39dac6cbaba535e2c207cd0cd8f154974223c848f727f98b3564cea569b41cf";
        let text = format!(
            "[ci]\ntoken = \"0123456789abcdef\"\ntools = \"read\"\n\n\
             [ada]\nsha256 = \"{hash}\"\n\n\
             [bot]\ntoken = \"fedcba9876543210\"\ntools = [\"git_log\"]\n"
        );
        let read = read(&text).expect("clients");
        assert!(read.holds_tokens);
        let who = |token: &str| {
            let header = format!("Bearer {token}");
            let client = read.clients.who(Some(header.as_bytes()));
            client.map(|client| (client.name.clone(), client.rights.clone()))
        };
        assert_eq!(
            who("0123456789abcdef"),
            Some(("ci".to_owned(), Rights::Read))
        );
        assert_eq!(
            who("abcdefghijklmnop"),
            Some(("ada".to_owned(), Rights::All))
        );
        let tools = Rights::Tools(vec!["git_log".to_owned()]);
        assert_eq!(who("fedcba9876543210"), Some(("bot".to_owned(), tools)));
        assert_eq!(who("0123456789abcdeg"), None);
        assert_eq!(who(""), None);
        assert!(read.clients.who(None).is_none());
    }

    #[test]
    fn rights_are_no_wider_than_they_are_written() {
        let tools = Rights::Tools(vec!["git_log".to_owned()]);
        for (rights, reading, writing, named, others) in [
            (Rights::All, true, true, true, true),
            (Rights::Read, true, false, true, true),
            (tools, false, false, true, false),
        ] {
            assert_eq!(rights.allow("read_file", true), reading);
            assert_eq!(rights.allow("write_file", false), writing);
            assert_eq!(rights.allow("git_log", true), named);
            assert_eq!(rights.allow_others(), others);
        }
    }

    #[test]
    fn a_client_is_told_with_its_folders_and_its_rate() {
        let text = "[ci]\ntoken = \"0123456789abcdef\"\ntools = \"read\"\nroots = [\"/a\", \"/b\"]\nrate = 60\n";
        let read = read(text).expect("clients");
        assert_eq!(
            read.clients.told(),
            ["ci: read in /a, /b, 60 calls a minute"]
        );
        let folders: Vec<_> = read.clients.folders().collect();
        let own = [PathBuf::from("/a"), PathBuf::from("/b")];
        assert_eq!(folders, [("ci", own.as_slice())]);
    }

    #[test]
    fn a_file_that_is_not_understood_lets_nobody_in() {
        let token = "token = \"0123456789abcdef\"";
        for (text, words) in [
            (String::new(), "0 clients"),
            ("[ci]\n".to_owned(), "needs `token` or `sha256`"),
            (format!("[ci]\n{token}\nsha256 = \"00\"\n"), "not both"),
            ("[ci]\nsha256 = \"00\"\n".to_owned(), "64 digits"),
            ("[ci]\ntoken = \"short\"\n".to_owned(), "too weak"),
            (format!("[ci]\n{token}\ntools = \"some\"\n"), "\"read\""),
            (format!("[ci]\n{token}\ntool = \"read\"\n"), "tool"),
            (format!("[ci]\n{token}\nroots = []\n"), "names no folder"),
            (format!("[ci]\n{token}\nrate = 0\n"), "calls a minute"),
            (format!("[ci]\n{token}\nrate = -1\n"), "u32"),
            (format!("[\"a b\"]\n{token}\n"), "a name has"),
            (format!("[a]\n{token}\n[b]\n{token}\n"), "the token of `a`"),
        ] {
            let problem = read(&text).expect_err(&text);
            assert!(problem.contains(words), "{text}: {problem}");
        }
    }
}
