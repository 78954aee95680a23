//! Servers that come into the user's configuration, and leave it.

use std::io::IsTerminal as _;
use std::path::Path;

use serde_json::{Value, json};

use super::super::edit::File;
use super::super::{choices, pins};
use super::{Place, print, say};
use crate::error::{ExitCode, UserError};
use crate::mcp::command::{Add, Origin};
use crate::mcp::config::{check_name, import};
use crate::protocol::sanitize_line;

impl Place<'_> {
    pub(super) fn add(&self, add: &Add) -> Result<ExitCode, UserError> {
        let name = &add.name;
        check_name(name).map_err(|problem| {
            UserError::usage(format!("cannot add `{}`: {problem}", sanitize_line(name)))
        })?;
        let pairs = |list: &[String]| -> Result<Value, UserError> {
            let mut map = serde_json::Map::new();
            for pair in list {
                let (name, value) = pair.split_once('=').ok_or_else(|| {
                    UserError::usage(format!("`{pair}` is not of the form NAME=VALUE"))
                })?;
                map.insert(name.to_owned(), json!(value));
            }
            Ok(map.into())
        };
        let mut entry = match &add.url {
            Some(url) => json!({"type": "http", "url": url}),
            None if add.command.is_empty() => json!({}),
            None => json!({"command": add.command.first(), "args": add.command[1..]}),
        };
        for (key, list) in [("env", &add.env), ("headers", &add.header)] {
            if !list.is_empty() {
                entry[key] = pairs(list)?;
            }
        }
        for (key, list) in [("read", &add.read), ("write", &add.write)] {
            if !list.is_empty() {
                entry["sandbox"][key] = json!(list);
            }
        }
        if let Some(image) = &add.container {
            entry["sandbox"]["container"] = json!(image);
        }
        if add.weaker {
            entry["sandbox"]["weaker"] = json!(true);
        }
        let mut file = File::open()?;
        if file.servers().contains_key(name) {
            return Err(
                UserError::usage(format!("there is a server `{name}` already"))
                    .hint(format!("`walden mcp remove {name}` removes it")),
            );
        }
        file.servers().insert(name.clone(), entry);
        file.write()?;
        // What was chosen about another one of that name does not count for this one.
        choices(self.files)
            .forget(name)
            .map_err(UserError::failure)?;
        say(&format!("added `{name}` to `{}`\n", file.path().display()));
        if add.yes || std::io::stdin().is_terminal() {
            return self.trust(name, add.yes);
        }
        say(&format!(
            "it is used once you have agreed to it: `walden mcp trust {name}`\n"
        ));
        Ok(ExitCode::Success)
    }

    pub(super) fn remove(&self, name: &str) -> Result<ExitCode, UserError> {
        let mut file = File::open()?;
        let Some(entry) = file.servers().shift_remove(name) else {
            return Err(UserError::usage(format!(
                "there is no server `{}` in `{}`",
                sanitize_line(name),
                file.path().display()
            )));
        };
        file.write()?;
        pins(self.files, &[])?
            .forget(name)
            .map_err(UserError::from_error)?;
        choices(self.files)
            .forget(name)
            .map_err(UserError::failure)?;
        self.remove_bundle(&entry, file.servers())?;
        print(&format!("removed `{name}`\n"));
        Ok(ExitCode::Success)
    }

    pub(super) fn import(
        &self,
        from: Origin,
        file: Option<&Path>,
        write: bool,
    ) -> Result<ExitCode, UserError> {
        let home = std::env::var_os("HOME").map(std::path::PathBuf::from);
        let mut places: Vec<std::path::PathBuf> = import::places(from)
            .iter()
            .filter_map(|place| match place.strip_prefix("./") {
                Some(inside) => Some(self.root.join(inside)),
                None => home.as_ref().map(|home| home.join(place)),
            })
            .collect();
        if let Some(file) = file {
            places = vec![file.to_owned()];
        }
        let found = places.iter().find_map(|path| {
            let text = std::fs::read_to_string(path).ok()?;
            Some((path, text))
        });
        let Some((path, text)) = found else {
            return Err(UserError::usage("there is no configuration to take over")
                .hint("name the file with --file"));
        };
        let (entries, notes) = import::import(from, &text).map_err(|problem| {
            UserError::failure(format!("`{}` is not understood: {problem}", path.display()))
        })?;
        let mut own = File::open()?;
        let mut taken = 0;
        for (name, entry) in entries {
            let shown = sanitize_line(&name);
            if let Err(problem) = check_name(&name) {
                say(&format!("left out `{shown}`: {problem}\n"));
            } else if own.servers().contains_key(&name) {
                say(&format!("left out `{shown}`: you have one of that name\n"));
            } else {
                print(&format!("{shown}: {}\n", sanitize_line(&entry.to_string())));
                own.servers().insert(name, entry);
                taken += 1;
            }
        }
        for note in notes {
            say(&format!("note: {}\n", sanitize_line(&note)));
        }
        if write && taken > 0 {
            own.write()?;
            print(&format!(
                "{taken} servers written to `{}`\n",
                own.path().display()
            ));
        } else if taken > 0 {
            print("nothing was written; add `--write` to take these over\n");
        }
        Ok(ExitCode::Success)
    }
}
