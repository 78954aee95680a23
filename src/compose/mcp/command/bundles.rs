//! Bundles that come into the user's configuration, and leave it.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::super::edit::File;
use super::super::{choices, folder};
use super::{Place, print, say};
use crate::compose::auditing;
use crate::error::{ExitCode, UserError};
use crate::mcp::bundle::{Answers, Archive, Manifest, Places, Wish, folder_name};
use crate::mcp::command::Install;
use crate::mcp::config::check_name;
use crate::protocol::{sanitize, sanitize_line};
use crate::sandbox::launchable;

/// The key in an entry of the configuration that says which bundle it came from.
const BUNDLE: &str = "bundle";

impl Place<'_> {
    /// Installs a bundle: shows all of it, unpacks it, adds it, and asks about it as about any other server.
    pub(super) fn install(&self, install: &Install) -> Result<ExitCode, UserError> {
        let mut archive = Archive::open(&install.file).map_err(UserError::from_error)?;
        let manifest = archive
            .manifest()
            .and_then(|text| Manifest::read(&text))
            .map_err(UserError::from_error)?;
        manifest.fits(&archive).map_err(UserError::from_error)?;
        let name = install
            .name
            .clone()
            .unwrap_or_else(|| manifest.short_name());
        check_name(&name).map_err(|problem| {
            UserError::usage(format!(
                "cannot install it as `{}`: {problem}",
                sanitize_line(&name)
            ))
            .hint("`--name NAME` gives it another name")
        })?;
        let mut file = File::open()?;
        if file.servers().contains_key(&name) {
            return Err(UserError::usage(format!("there is a server `{name}` already")).hint(
                format!("`walden mcp remove {name}` removes it, `--name NAME` gives this one another name"),
            ));
        }
        if !install.yes && !std::io::stdin().is_terminal() {
            return Err(
                UserError::usage("agreeing needs a terminal, where you can answer")
                    .hint("`--yes` agrees to what is shown"),
            );
        }
        let places = self.places(&archive)?;
        let said = said(&install.set, &manifest.wishes, &places, install.yes)?;
        let answers = Answers::take(&manifest.wishes, &said, &places)
            .map_err(|problem| UserError::from_error(problem).hint("`--set KEY=VALUE` says it"))?;
        let mut entry = manifest
            .entry(&places, &answers)
            .map_err(UserError::from_error)?;
        self.as_it_is_here(&mut entry);
        if !install.write.is_empty() {
            let absolute = install.write.iter().map(std::path::absolute);
            let folders = absolute.collect::<Result<Vec<_>, _>>();
            entry["sandbox"]["write"] = json!(folders.map_err(UserError::from_error)?);
        }
        print(&format!(
            "{}\n",
            sanitize(&manifest.shown(&archive, &entry, &answers))
        ));
        if answers.has_plain_secret() {
            say(
                "note: a secret will stand in your configuration, which only you can read; `--set KEY='${NAME}'` \
                 takes it from a variable instead\n",
            );
        }
        if !install.yes && !asks(&format!("install it as `{name}`? [y/N] ")) {
            say("nothing was installed\n");
            return Ok(ExitCode::Failure);
        }
        entry.insert(
            BUNDLE.to_owned(),
            json!({"name": manifest.name, "version": manifest.version, "sha256": archive.sha256}),
        );
        auditing::note("bundle installed", &format!("{name}: {}", entry[BUNDLE]))?;
        let unpacked = archive
            .unpack(&self.bundles(), &manifest.programs())
            .map_err(UserError::from_error)?;
        file.servers().insert(name.clone(), entry.into());
        file.write()?;
        choices(self.files)
            .forget(&name)
            .map_err(UserError::failure)?;
        say(&format!(
            "unpacked into `{}`, and added `{name}` to `{}`\n\n",
            unpacked.display(),
            file.path().display()
        ));
        self.trust(&name, install.yes)
    }

    /// Removes the files of a bundle whose entry was removed, unless another entry is of the same bundle.
    pub(super) fn remove_bundle(
        &self,
        removed: &Value,
        left: &Map<String, Value>,
    ) -> Result<(), UserError> {
        let hash_of = |entry: &Value| entry[BUNDLE]["sha256"].as_str().map(str::to_owned);
        let Some(hash) = hash_of(removed) else {
            return Ok(());
        };
        let is_hash = hash.len() == 64 && hash.chars().all(|c| c.is_ascii_hexdigit());
        if !is_hash
            || left
                .values()
                .any(|entry| hash_of(entry).as_ref() == Some(&hash))
        {
            return Ok(());
        }
        let folder = self.bundles().join(folder_name(&hash));
        match std::fs::remove_dir_all(&folder) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(UserError::failure(format!(
                "the server is removed, but not its files in `{}`: {error}",
                folder.display()
            ))),
        }
    }

    /// Returns the folder that bundles are unpacked into.
    fn bundles(&self) -> PathBuf {
        folder(self.files).join("bundles")
    }

    fn places(&self, archive: &Archive) -> Result<Places, UserError> {
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
        let home =
            home.ok_or_else(|| UserError::failure("there is no home folder").hint("set HOME"))?;
        Ok(Places {
            bundle: self.bundles().join(folder_name(&archive.sha256)),
            home: PathBuf::from(home),
        })
    }

    /// Names the program as this system does: many bundles say `python`, which many systems call `python3`.
    fn as_it_is_here(&self, entry: &mut Map<String, Value>) {
        let is_here = |name: &str| launchable(name, self.root).is_some();
        if entry["command"] == "python" && !is_here("python") && is_here("python3") {
            entry["command"] = json!("python3");
        }
    }
}

/// Reads what was said on the command line, and asks for what is missing where somebody can answer.
fn said(
    set: &[String],
    wishes: &[Wish],
    places: &Places,
    silent: bool,
) -> Result<Vec<(String, String)>, UserError> {
    let mut said = Vec::new();
    for pair in set {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            UserError::usage(format!(
                "`{}` is not of the form KEY=VALUE",
                sanitize_line(pair)
            ))
        })?;
        said.push((key.to_owned(), value.to_owned()));
    }
    if silent {
        return Ok(said);
    }
    for wish in wishes {
        let usual = wish.usual(places).map_err(UserError::from_error)?;
        let is_said = said.iter().any(|(key, _)| *key == wish.key);
        if is_said || !wish.is_required || !usual.is_empty() {
            continue;
        }
        print(&format!(
            "{} ({}{})\n  {}\n  > ",
            sanitize_line(&wish.title),
            wish.word(),
            if wish.is_secret {
                ", secret: `${NAME}` takes it from a variable"
            } else {
                ""
            },
            sanitize_line(&wish.about),
        ));
        let line = line(wish.is_secret);
        if !line.is_empty() {
            said.push((wish.key.clone(), line));
        }
    }
    Ok(said)
}

fn asks(question: &str) -> bool {
    print(question);
    matches!(line(false).as_str(), "y" | "Y" | "yes")
}

/// Reads a line from the terminal; one that is secret does not appear on it.
fn line(secret: bool) -> String {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let stdin = std::io::stdin();
    let before = secret.then(|| tcgetattr(&stdin).ok()).flatten();
    if let Some(before) = &before {
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        let _ = tcsetattr(&stdin, OptionalActions::Now, &hidden);
    }
    let mut text = String::new();
    let read = stdin.lock().read_line(&mut text);
    if let Some(before) = &before {
        let _ = tcsetattr(&stdin, OptionalActions::Now, before);
        print("\n");
    }
    match read {
        Ok(1..) => text.trim().to_owned(),
        _ => String::new(),
    }
}
