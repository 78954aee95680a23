//! What a bundle asks the user for (`user_config`), and what the user says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::text::short;
use super::BundleError;
use super::manifest::{Places, place};

/// The most that one bundle may ask for.
const MOST: usize = 100;

/// One thing that a bundle asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    pub key: String,
    pub kind: Kind,
    pub title: String,
    pub about: String,
    pub is_required: bool,
    /// Whether it is a secret.
    pub is_secret: bool,
    /// Whether it may be several.
    pub is_list: bool,
    default: Vec<String>,
    least: Option<f64>,
    most: Option<f64>,
}

/// What kind of value is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Choice,
    Folder,
    File,
}

impl Wish {
    /// Reads what a manifest asks for.
    pub(super) fn read_all(map: &Value) -> Result<Vec<Self>, BundleError> {
        let Some(map) = map.as_object() else {
            return match map.is_null() {
                true => Ok(Vec::new()),
                false => Err(BundleError::Manifest(
                    "`user_config` is no object".to_owned(),
                )),
            };
        };
        if map.len() > MOST {
            return Err(BundleError::Manifest(format!(
                "it asks for more than {MOST} things"
            )));
        }
        map.iter()
            .map(|(key, value)| Self::read(key, value))
            .collect()
    }

    fn read(key: &str, value: &Value) -> Result<Self, BundleError> {
        let kind = match value["type"].as_str() {
            Some("string") => Kind::Text,
            Some("number") => Kind::Number,
            Some("boolean") => Kind::Choice,
            Some("directory") => Kind::Folder,
            Some("file") => Kind::File,
            _ => {
                return Err(BundleError::Manifest(format!(
                    "it asks for `{}`, of a type that is not known",
                    short(key, 60)
                )));
            }
        };
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let word = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
            _ => None,
        };
        let default = match &value["default"] {
            Value::Array(list) => list.iter().filter_map(word).collect(),
            one => word(one).into_iter().collect(),
        };
        Ok(Self {
            key: key.to_owned(),
            kind,
            title: text("title"),
            about: text("description"),
            is_required: value["required"] == true,
            is_secret: value["sensitive"] == true,
            is_list: value["multiple"] == true,
            default,
            least: value["min"].as_f64(),
            most: value["max"].as_f64(),
        })
    }

    /// Returns what it is when nothing is said.
    ///
    /// # Errors
    /// When the default names a variable that a bundle may not have.
    pub fn usual(&self, places: &Places) -> Result<Vec<String>, BundleError> {
        self.default
            .iter()
            .map(|text| {
                let mut out = String::new();
                let mut rest = text.as_str();
                while let Some((before, after)) = rest.split_once("${") {
                    let named = after.split_once('}');
                    let known = named.and_then(|(name, rest)| Some((place(name, places)?, rest)));
                    let (path, after) = known.ok_or_else(|| {
                        let key = short(&self.key, 60);
                        BundleError::Manifest(format!(
                            "the default of `{key}` names a variable that a bundle has not"
                        ))
                    })?;
                    out.push_str(before);
                    out.push_str(&path);
                    rest = after;
                }
                out.push_str(rest);
                match out.contains("${") {
                    true => Err(BundleError::Manifest(
                        "a default names a variable".to_owned(),
                    )),
                    false => Ok(out),
                }
            })
            .collect()
    }

    /// Says in a word what kind of value it is.
    pub fn word(&self) -> &'static str {
        match self.kind {
            Kind::Text => "text",
            Kind::Number => "number",
            Kind::Choice => "true or false",
            Kind::Folder => "folder",
            Kind::File => "file",
        }
    }

    /// Makes a value of what was said, or says what is wrong with it.
    fn value(&self, said: &str, home: &Path) -> Result<String, BundleError> {
        let wrong = |why: String| {
            BundleError::Asked(format!("`{}` cannot be used: {why}", short(&self.key, 60)))
        };
        // What the user reads from the environment at each start is not looked at now.
        if said.starts_with("${") && said.ends_with('}') && self.kind != Kind::Choice {
            return Ok(said.to_owned());
        }
        match self.kind {
            Kind::Text => Ok(said.to_owned()),
            Kind::Number => {
                let number: f64 = said
                    .parse()
                    .map_err(|_| wrong(format!("`{}` is no number", short(said, 40))))?;
                match (self.least, self.most) {
                    (Some(least), _) if number < least => {
                        Err(wrong(format!("it is at least {least}")))
                    }
                    (_, Some(most)) if number > most => Err(wrong(format!("it is at most {most}"))),
                    _ => Ok(said.to_owned()),
                }
            }
            Kind::Choice => match said {
                "true" | "false" => Ok(said.to_owned()),
                _ => Err(wrong("it is `true` or `false`".to_owned())),
            },
            Kind::Folder | Kind::File => {
                let path = match said.strip_prefix("~/") {
                    Some(rest) => home.join(rest),
                    None => std::path::absolute(said).unwrap_or_else(|_| PathBuf::from(said)),
                };
                let is_there = match self.kind {
                    Kind::Folder => path.is_dir(),
                    _ => path.is_file(),
                };
                match is_there {
                    true => Ok(path.display().to_string()),
                    false => Err(wrong(format!(
                        "there is no {} `{}`",
                        self.word(),
                        short(said, 200)
                    ))),
                }
            }
        }
    }
}

/// What the user said, and the defaults of what was not said.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    values: BTreeMap<String, (Wish, Vec<String>)>,
}

impl Answers {
    /// Takes the user's answers, as pairs of a key and a value.
    ///
    /// # Errors
    /// When something was said that is not asked for or does not fit, or something is missing.
    pub fn take(
        wishes: &[Wish],
        said: &[(String, String)],
        places: &Places,
    ) -> Result<Self, BundleError> {
        if let Some((key, _)) = said
            .iter()
            .find(|(key, _)| !wishes.iter().any(|wish| wish.key == *key))
        {
            let known: Vec<String> = wishes.iter().map(|wish| short(&wish.key, 60)).collect();
            return Err(BundleError::Asked(match known.is_empty() {
                true => "the bundle asks for nothing".to_owned(),
                false => format!(
                    "the bundle does not ask for `{}`, but for {}",
                    short(key, 60),
                    known.join(", ")
                ),
            }));
        }
        let mut values = BTreeMap::new();
        for wish in wishes {
            let of_it = said.iter().filter(|(key, _)| *key == wish.key);
            let mut given: Vec<String> = of_it
                .map(|(_, value)| wish.value(value, &places.home))
                .collect::<Result<_, _>>()?;
            if given.len() > 1 && !wish.is_list {
                let key = short(&wish.key, 60);
                return Err(BundleError::Asked(format!("`{key}` can be given once")));
            }
            if given.is_empty() {
                given = wish.usual(places)?;
            }
            given.retain(|value| !value.is_empty());
            if given.is_empty() && wish.is_required {
                let key = short(&wish.key, 60);
                return Err(BundleError::Asked(format!(
                    "the bundle needs `{key}`, a {}",
                    wish.word()
                )));
            }
            values.insert(wish.key.clone(), (wish.clone(), given));
        }
        Ok(Self { values })
    }

    /// Returns the value of a key in the middle of a text; `None` when there is none.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>, BundleError> {
        let (_, values) = self.values.get(key).ok_or_else(|| {
            BundleError::Manifest(format!(
                "it names `user_config.{}`, which it does not ask for",
                short(key, 60)
            ))
        })?;
        Ok((!values.is_empty()).then(|| values.join(",")))
    }

    /// Returns the values for an argument that is nothing but the name of a list.
    pub(super) fn list_for(&self, argument: &str) -> Option<Vec<String>> {
        let key = argument.strip_prefix("${user_config.")?.strip_suffix('}')?;
        let (wish, values) = self.values.get(key)?;
        wish.is_list.then(|| values.clone())
    }

    /// Returns the files and folders that the user named: the server may read them.
    pub(super) fn paths(&self) -> Vec<String> {
        let places = |wish: &Wish| matches!(wish.kind, Kind::Folder | Kind::File);
        let named = self.values.values().filter(|(wish, _)| places(wish));
        named
            .flat_map(|(_, values)| values.iter().cloned())
            .collect()
    }

    /// Tells whether a secret will stand in the configuration as it is.
    pub fn has_plain_secret(&self) -> bool {
        self.values.values().any(|(wish, values)| {
            wish.is_secret && values.iter().any(|value| !value.starts_with("${"))
        })
    }

    /// Returns the values that are secrets, so that they are not shown.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        let secret = self.values.values().filter(|(wish, _)| wish.is_secret);
        secret.flat_map(|(_, values)| values.iter().map(String::as_str))
    }
}
