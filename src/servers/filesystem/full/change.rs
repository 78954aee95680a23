//! Writing, editing, creating directories and moving.

use std::sync::atomic::Ordering;

use super::super::Answer;
use super::Call;
use super::said::{self, Asked};
use crate::protocol::clip;
use crate::servers::limits::filesystem::full as limits;
use crate::workspace::{
    self, Guarded, RootsError, WriteError, is_executable_data, is_protected, make_directory,
    move_entry, plan_edits, plan_exactly,
};

/// Writes a whole file, byte for byte what is given.
pub(super) fn write(call: &Call<'_>) -> Answer {
    let asked = call.asked(call.arguments.text("path")?)?;
    let content = call.arguments.text("content")?;
    permitted(call, &asked)?;
    let below = call.roots.within(&asked.path);
    let below = below.map_err(|error| error.to_string())?;
    if below.contains('/') && !call.roots.is_directory(parent(&asked.path)) {
        // A link that leads out is there, but not for this server.
        if let Err(error @ RootsError::Outside { .. }) = call.roots.leads_to(parent(&asked.path)) {
            return Err(call.explain(&asked, "open", error));
        }
        return Err(format!(
            "ENOENT: no such file or directory, open '{}'; create the directory {} first, with create_directory",
            asked.path,
            parent(&asked.path)
        ));
    }
    let plan = plan_exactly(call.roots, &asked.path, content, guarded(call))
        .map_err(|error| call.explain_edit(&asked, "", error))?;
    runs(call, &asked, &plan)?;
    apply(call, &asked, &plan)?;
    Ok(said::text(format!("Successfully wrote to {}", asked.given)))
}

/// Replaces passages: all of them, or none. With `dryRun` it only says what would change.
pub(super) fn edit(call: &Call<'_>) -> Answer {
    let asked = call.asked(call.arguments.text("path")?)?;
    let edits = call.arguments.edits()?;
    let dry_run = call.arguments.switch("dryRun")?;
    let plan = plan_edits(call.roots, &asked.path, &edits, guarded(call)).map_err(|error| {
        let old = error.at.and_then(|at| edits.get(at));
        let old = old.map_or("", |edit| edit.old.as_str());
        call.explain_edit(&asked, old, error.error)
    })?;
    if !dry_run {
        permitted(call, &asked)?;
        runs(call, &asked, &plan)?;
        apply(call, &asked, &plan)?;
    }
    let path = &asked.path;
    let diff = format!(
        "Index: {path}\n{}\n--- {path}\toriginal\n+++ {path}\tmodified\n{}",
        "=".repeat(67),
        plan.patch(CONTEXT)
    );
    let mut fence = "```".to_owned();
    while diff.contains(&fence) {
        fence.push('`');
    }
    let mut diff = clip(&diff, limits::TEXT);
    if !diff.ends_with('\n') {
        diff.push('\n');
    }
    Ok(said::text(format!("{fence}diff\n{diff}{fence}\n\n")))
}

/// The lines of context that the reference server's patches have.
const CONTEXT: usize = 4;

/// Creates a directory and those above it.
pub(super) fn create_directory(call: &Call<'_>) -> Answer {
    let asked = call.asked(call.arguments.text("path")?)?;
    make_directory(call.roots, &asked.path).map_err(|error| match error {
        WriteError::Roots(RootsError::NotADirectory { .. }) if call.roots.is_there(&asked.path) => {
            format!("EEXIST: file already exists, mkdir '{}'", asked.path)
        }
        other => call.explain_write(&asked, other),
    })?;
    Ok(said::text(format!(
        "Successfully created directory {}",
        asked.given
    )))
}

/// Renames an entry, over nothing.
pub(super) fn move_file(call: &Call<'_>) -> Answer {
    let source = call.asked(call.arguments.text("source")?)?;
    let destination = call.asked(call.arguments.text("destination")?)?;
    permitted(call, &source)?;
    permitted(call, &destination)?;
    move_entry(call.roots, &source.path, &destination.path)
        .map_err(|error| call.explain_move(&source, &destination, error))?;
    Ok(said::text(format!(
        "Successfully moved {} to {}",
        source.given, destination.given
    )))
}

fn apply(call: &Call<'_>, asked: &Asked<'_>, plan: &workspace::Plan) -> Result<(), String> {
    if call.cancel.load(Ordering::Relaxed) {
        return Err(format!("cancelled; {} was not changed", asked.path));
    }
    plan.apply(call.roots)
        .map_err(|error| call.explain_write(asked, error))
}

fn guarded(call: &Call<'_>) -> Guarded {
    match call.permits.read_only {
        true => Guarded::NotEvenReadOnly,
        false => Guarded::ReadOnly,
    }
}

/// Refuses what other programs run or obey, by its name: below the root, since the folders above are not the client's.
fn permitted(call: &Call<'_>, asked: &Asked<'_>) -> Result<(), String> {
    let name = call
        .roots
        .within(&asked.path)
        .map_err(|error| error.to_string())?;
    if is_protected(&name) {
        // Whatever is permitted.
        return Err(call.explain_write(asked, WriteError::Protected { path: name }));
    }
    // As a folder, too: a folder is moved with all that is in it.
    let runs = is_executable_data(&name) || is_executable_data(&format!("{name}/x"));
    match runs && !call.permits.executable_data {
        true => Err(refused(asked)),
        false => Ok(()),
    }
}

/// Refuses what the plan says is run or obeyed: by the name that a link leads to, or by its mode.
fn runs(call: &Call<'_>, asked: &Asked<'_>, plan: &workspace::Plan) -> Result<(), String> {
    match plan.runs() && !call.permits.executable_data {
        true => Err(refused(asked)),
        false => Ok(()),
    }
}

fn refused(asked: &Asked<'_>) -> String {
    format!(
        "Access denied - other programs run or obey {}, so it is written only by a server started with \
         --allow-executable-data",
        asked.path
    )
}

fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}
