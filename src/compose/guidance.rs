//! What the user's own folder and a trusted repository tell the model, and `walden trust`.

#![expect(
    clippy::disallowed_methods,
    reason = "reads the user's own instructions, skills and prompts"
)]

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use super::{configure, find_root};
use crate::cli::{Options, TrustArguments};
use crate::config;
use crate::door::Harmless;
use crate::error::{ExitCode, UserError};
use crate::protocol::{Guidance, Hash, Instructions, Skill, sanitize};
use crate::servers::run::Scripts;
use crate::session::{SessionFiles, Trust};
use crate::tui::Prompt;
use crate::workspace::{Roots, guidance_hash, guidance_of};

/// The longest file that is taken, in bytes, and the most files of a kind.
const LONGEST: u64 = 64 * 1024;
const MOST: usize = 64;

/// What a repository tells, and whether the user trusts it.
pub(super) struct Told {
    pub(super) guidance: Guidance,
    /// What can be run of it, as it was when it was hashed.
    pub(super) scripts: Vec<Scripts>,
    pub(super) hash: Hash,
    pub(super) trusted: bool,
}

/// Reads what a repository tells.
pub(super) fn of_repository(files: &SessionFiles, roots: &Roots, root: &Path) -> Told {
    let guidance = guidance_of(roots);
    let scripts = scripts(&guidance, root);
    let mut files_to_run = Vec::new();
    for one in &scripts {
        let of_skill = one.files.iter();
        let named = of_skill.map(|(path, hash)| (format!("{}/{path}", one.skill), hash.clone()));
        files_to_run.extend(named);
    }
    let hash = guidance_hash(&guidance, &files_to_run);
    let trusted = Trust::at(files.trust()).holds(root, &hash);
    Told {
        guidance,
        scripts,
        hash,
        trusted,
    }
}

/// Reads what the user's own folder tells: always trusted.
pub(super) fn of_user() -> Guidance {
    let Some(folder) = config::folder() else {
        return Guidance::default();
    };
    let mut guidance = Guidance::default();
    if let Some(text) = text_of(&folder.join("AGENTS.md")) {
        guidance.instructions.push(Instructions {
            path: "the user's AGENTS.md".to_owned(),
            folder: String::new(),
            text,
        });
    }
    for (name, path) in entries(&folder.join("skills")) {
        let path = path.join("SKILL.md");
        let shown = path.display().to_string();
        let skill = text_of(&path).and_then(|text| Skill::read(&name, &shown, &text));
        guidance.skills.extend(skill);
    }
    guidance
}

/// Lists the skills whose folders have more than their text, as they are now: scripts, which can then be run.
pub(super) fn scripts(guidance: &Guidance, root: &Path) -> Vec<Scripts> {
    let skills = guidance.skills.iter().filter_map(|skill| {
        let folder = root.join(&skill.path).parent()?.to_owned();
        Scripts::of_folder(&skill.name, folder)
    });
    skills.collect()
}

/// Reads the user's own slash commands: each file of `prompts` is one, named like the file.
pub(super) fn prompts() -> Vec<Prompt> {
    let Some(folder) = config::folder() else {
        return Vec::new();
    };
    let mut prompts = Vec::new();
    for (name, path) in entries(&folder.join("prompts")) {
        let Some(stem) = name.strip_suffix(".md") else {
            continue;
        };
        let is_word = !stem.is_empty() && stem.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        if let Some(text) = text_of(&path).filter(|_| is_word) {
            prompts.push(Prompt {
                name: stem.to_owned(),
                text,
            });
        }
    }
    prompts
}

fn entries(folder: &Path) -> Vec<(String, std::path::PathBuf)> {
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .collect();
    found.sort();
    found.truncate(MOST);
    found
}

fn text_of(path: &Path) -> Option<String> {
    let small =
        std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() <= LONGEST);
    let text = std::fs::read_to_string(path).ok().filter(|_| small)?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Says that a repository tells something that is not trusted.
pub(super) fn untrusted_notice(guidance: &Guidance) -> String {
    let mut names: Vec<&str> = guidance
        .instructions
        .iter()
        .map(|one| one.path.as_str())
        .chain(guidance.skills.iter().map(|one| one.path.as_str()))
        .collect();
    let more = names.len().saturating_sub(3);
    names.truncate(3);
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "This repository has instructions that are not told to the model until you trust them: {}{more}. `walden trust` \
         shows them; `/trust` takes them as they are.",
        names.join(", ")
    )
}

/// Runs `walden trust`: shows what the repository tells, and trusts it where the user says so.
///
/// # Errors
/// When the state folder cannot be used.
pub fn trust(options: &Options, asked: &TrustArguments) -> Result<ExitCode, UserError> {
    configure(options)?;
    let root = find_root(options)?;
    let files = SessionFiles::open().map_err(UserError::from_error)?;
    let store = Trust::at(files.trust());
    let mut out = Harmless::new(std::io::stdout().lock());
    let said = |text: String, out: &mut Harmless<std::io::StdoutLock<'_>>| {
        out.write_all(text.as_bytes())
            .map_err(UserError::from_error)
    };
    if asked.list {
        let text: String = store
            .list()
            .iter()
            .map(|one| format!("{}  {}\n", &one.hash[..12.min(one.hash.len())], one.root))
            .collect();
        said(text, &mut out)?;
        return Ok(ExitCode::Success);
    }
    if asked.revoke {
        super::auditing::note("trust revoked", &root.display().to_string())?;
        let was = store.revoke(&root).map_err(UserError::from_error)?;
        let text = match was {
            true => "not trusted any more",
            false => "it was not trusted",
        };
        said(format!("{text}: {}\n", root.display()), &mut out)?;
        return Ok(ExitCode::Success);
    }
    let roots = Roots::open(std::slice::from_ref(&root)).map_err(UserError::from_error)?;
    let told = of_repository(&files, &roots, &root);
    if told.guidance.is_empty() {
        said(
            "this repository has no AGENTS.md and no skills\n".to_owned(),
            &mut out,
        )?;
        return Ok(ExitCode::Success);
    }
    let mut text = String::new();
    for one in &told.guidance.instructions {
        text.push_str(&format!(
            "== {}\n{}\n\n",
            sanitize(&one.path),
            sanitize(&one.text)
        ));
    }
    for one in &told.guidance.skills {
        text.push_str(&format!(
            "== {} (skill {}: {})\n{}\n\n",
            sanitize(&one.path),
            one.name,
            sanitize(&one.description),
            sanitize(&one.body)
        ));
    }
    for one in &told.scripts {
        text.push_str(&format!(
            "== can be run for the skill {}, confined\n",
            one.skill
        ));
        for (path, hash) in &one.files {
            let hash = &hash.0[..12.min(hash.0.len())];
            text.push_str(&format!("{hash}  {}\n", sanitize(path)));
        }
        text.push('\n');
    }
    if told.trusted {
        text.push_str("this is trusted\n");
        said(text, &mut out)?;
        return Ok(ExitCode::Success);
    }
    said(text, &mut out)?;
    let yes = asked.yes || ask(&mut out)?;
    if !yes {
        said(
            "not trusted; `walden trust --yes` trusts it\n".to_owned(),
            &mut out,
        )?;
        return Ok(ExitCode::Denied);
    }
    super::auditing::note(
        "trust granted",
        &format!("{} with {}", root.display(), told.hash.0),
    )?;
    store
        .grant(&root, &told.hash)
        .map_err(UserError::from_error)?;
    said(
        "trusted, as long as none of it changes\n".to_owned(),
        &mut out,
    )?;
    Ok(ExitCode::Success)
}

/// Asks at the terminal; without one the answer is no.
fn ask(out: &mut impl std::io::Write) -> Result<bool, UserError> {
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        return Ok(false);
    }
    write!(out, "Shall the model be told this? [y/N] ").map_err(UserError::from_error)?;
    out.flush().map_err(UserError::from_error)?;
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .map_err(UserError::from_error)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}
