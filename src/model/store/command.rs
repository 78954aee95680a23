//! `walden model …`: the store on the command line.

use std::io::{self, Write};
use std::path::PathBuf;

use super::catalog::{DEFAULT, PLANNED_CONTEXT, Role};
use super::error::{StoreError, storage};
use super::memory::{Fit, machine_memory};
use super::meter::Meter;
use super::{Entry, Store, bytes};

/// What can be done with models.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub enum ModelCommand {
    /// Fetch a model; without a name the default one
    Pull {
        /// A name of the catalog, or `hf:owner/repository/file.gguf[@revision]`
        #[arg(value_name = "NAME|SOURCE", default_value = DEFAULT)]
        source: String,
        /// Store it under this name
        #[arg(long)]
        name: Option<String>,
    },
    /// List the models on this machine and those that can be fetched
    List,
    /// Show what is known of a model
    Show { name: String },
    /// Print the path of a model's file
    Path {
        #[arg(value_name = "NAME|FILE", default_value = DEFAULT)]
        name: String,
    },
    /// Forget a model, and remove its file unless another name stands for it
    Rm {
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Read models again and compare their hashes; without a name all of them
    Verify { names: Vec<String> },
    /// Take a GGUF file on this machine into the store
    Import {
        file: PathBuf,
        /// Store it under this name
        #[arg(long)]
        name: Option<String>,
    },
    /// Show which models of the catalog fit the memory of this machine
    Recommend,
}

/// Performs a command: results go to `out`, progress to the meter.
pub fn run(
    command: &ModelCommand,
    store: &Store,
    out: &mut dyn Write,
    meter: &mut Meter<'_>,
) -> Result<(), StoreError> {
    let result = perform(command, store, out, meter);
    meter.finish();
    result
}

fn perform(
    command: &ModelCommand,
    store: &Store,
    out: &mut dyn Write,
    meter: &mut Meter<'_>,
) -> Result<(), StoreError> {
    match command {
        ModelCommand::Pull { source, name } => {
            let entry = store.pull_as(source, name.as_deref(), &mut |p| meter.show(p))?;
            meter.finish();
            print(out, &added(&entry))
        }
        ModelCommand::Import { file, name } => {
            let entry = store.import(file, name.as_deref(), &mut |p| meter.show(p))?;
            meter.finish();
            print(out, &added(&entry))
        }
        ModelCommand::List => print(out, &list(store)?),
        ModelCommand::Show { name } => print(out, &show(store, name)?),
        ModelCommand::Path { name } => {
            let path = store.resolve(name)?;
            print(out, &format!("{}\n", path.display()))
        }
        ModelCommand::Rm { names } => {
            for name in names {
                let removed = store.remove(name)?;
                let what = match removed.file_removed {
                    true => format!("{} freed", bytes(removed.entry.size)),
                    false => "the file stays, another name stands for it".to_owned(),
                };
                print(out, &format!("removed {name} ({what})\n"))?;
            }
            Ok(())
        }
        ModelCommand::Verify { names } => {
            let all = match names.as_slice() {
                [] => store.list()?.into_iter().map(|entry| entry.name).collect(),
                names => names.to_vec(),
            };
            for name in all {
                store.verify(&name, &mut |p| meter.show(p))?;
                meter.finish();
                print(out, &format!("{name}: the file is unchanged\n"))?;
            }
            Ok(())
        }
        ModelCommand::Recommend => print(out, &recommend(store)),
    }
}

/// Writes to the output; a reader that has gone away is not an error.
fn print(out: &mut dyn Write, text: &str) -> Result<(), StoreError> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(storage(
            "write to",
            std::path::Path::new("standard output"),
            0,
        )(error)),
        _ => Ok(()),
    }
}

fn added(entry: &Entry) -> String {
    format!(
        "{} is on this machine: {}, {}\nsha256 {}\n",
        entry.name,
        bytes(entry.size),
        entry.trust.label(),
        entry.sha256
    )
}

fn list(store: &Store) -> Result<String, StoreError> {
    let here = store.list()?;
    let mut rows = vec![["NAME", "SIZE", "STATE", "LICENCE", "WHAT"].map(str::to_owned)];
    for entry in &here {
        let known = store
            .catalog()
            .iter()
            .find(|model| model.sha256 == entry.sha256);
        rows.push([
            entry.name.clone(),
            bytes(entry.size),
            "here".to_owned(),
            entry.licence.clone().unwrap_or_else(|| "?".to_owned()),
            known.map_or_else(|| entry.source.clone(), |model| model.title.to_owned()),
        ]);
    }
    for model in store.catalog() {
        if here.iter().all(|entry| entry.name != model.name) {
            rows.push([
                model.name.to_owned(),
                bytes(model.size),
                "can be pulled".to_owned(),
                model.licence.to_owned(),
                model.title.to_owned(),
            ]);
        }
    }
    Ok(table(&rows))
}

fn show(store: &Store, name: &str) -> Result<String, StoreError> {
    let known = store.catalog().iter().find(|model| model.name == name);
    let mut rows = Vec::new();
    let mut row = |key: &str, value: String| rows.push([key.to_owned(), value]);
    row("name", name.to_owned());
    match (store.show(name), known) {
        (Ok(entry), _) => {
            row("file", store.path(&entry).display().to_string());
            row(
                "size",
                format!("{} ({} bytes)", bytes(entry.size), entry.size),
            );
            row("sha256", entry.sha256.clone());
            row("trust", entry.trust.label().to_owned());
            row("source", entry.source.clone());
            row(
                "licence",
                entry.licence.unwrap_or_else(|| "unknown".to_owned()),
            );
        }
        (Err(StoreError::NotPulled { .. }), Some(model)) => {
            row("file", format!("not here yet: `walden model pull {name}`"));
            row(
                "size",
                format!("{} ({} bytes)", bytes(model.size), model.size),
            );
            row("sha256", model.sha256.to_owned());
            row("licence", model.licence.to_owned());
        }
        (Err(error), _) => return Err(error),
    }
    if let Some(model) = known {
        row("model", model.title.to_owned());
        row("role", model.role.label().to_owned());
        row("context", format!("{} tokens", model.context));
        row(
            "memory",
            format!(
                "{} with {} tokens",
                bytes(model.memory()),
                model.context.min(PLANNED_CONTEXT)
            ),
        );
    }
    Ok(table(&rows))
}

fn recommend(store: &Store) -> String {
    let memory = machine_memory();
    let mut text = match memory {
        Some(memory) => format!(
            "This machine has {} of memory, {} of it free.\n\n",
            bytes(memory.total),
            bytes(memory.available)
        ),
        None => "This system does not say how much memory it has.\n\n".to_owned(),
    };
    let mut models: Vec<_> = store.catalog().iter().collect();
    models.sort_by_key(|model| std::cmp::Reverse(model.size));
    // The largest agent that fits does best; without one, the small model of the family still works.
    let best = [Role::Agent, Role::Draft].into_iter().find_map(|role| {
        models.iter().find(|model| {
            model.role == role
                && memory.is_none_or(|memory| memory.fit(model.memory()) != Fit::Never)
        })
    });
    let mut rows = vec![["", "NAME", "FOR", "NEEDS", "FITS"].map(str::to_owned)];
    for model in &models {
        let fit = match memory.map(|memory| memory.fit(model.memory())) {
            None => "unknown",
            Some(Fit::Now) => "yes",
            Some(Fit::Later) => "when other programs are closed",
            Some(Fit::Never) => "no",
        };
        let mark = if best.is_some_and(|best| best.name == model.name) {
            "*"
        } else {
            ""
        };
        rows.push([
            mark.to_owned(),
            model.name.to_owned(),
            model.role.label().to_owned(),
            bytes(model.memory()),
            fit.to_owned(),
        ]);
    }
    text.push_str(&table(&rows));
    match best {
        Some(best) => {
            text.push_str(&format!(
                "\n* recommended: `walden model pull {}`\n",
                best.name
            ));
        }
        None => text.push_str("\nNo model of the catalog fits this machine.\n"),
    }
    text.push_str(
        "A larger model works as well: `walden model pull hf:owner/repository/file.gguf`.\n",
    );
    text
}

/// Sets rows in columns that are as wide as their widest cell.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    });
    rows.iter()
        .map(|row| {
            let line: String = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:<width$}  "))
                .collect();
            format!("{}\n", line.trim_end())
        })
        .collect()
}
