//! A server to start from: a file that works, and what to run next.

use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::super::choices;
use super::super::edit::File;
use super::{Place, print};
use crate::error::{ExitCode, UserError};
use crate::mcp::command::New;
use crate::mcp::config::check_name;
use crate::protocol::sanitize_line;

/// What the file is written from; `SERVER` stands for the server's name.
const TEMPLATE: &str = include_str!("new.py");

impl Place<'_> {
    pub(super) fn new_server(&self, new: &New) -> Result<ExitCode, UserError> {
        let name = &new.name;
        let unfit = |problem: String| {
            UserError::usage(format!("cannot make `{}`: {problem}", sanitize_line(name)))
        };
        check_name(name).map_err(unfit)?;
        // It is a folder's name, too.
        if name.starts_with(['.', '-']) {
            return Err(unfit("its name begins with `.` or `-`".to_owned()));
        }
        let folder = new.dir.clone().unwrap_or_else(|| PathBuf::from(name));
        let folder = std::path::absolute(&folder).map_err(UserError::from_error)?;
        let file = folder.join("server.py");
        let python = folder.join(".venv/bin/python");
        let mut configuration = match new.add {
            true => Some(File::open()?),
            false => None,
        };
        if let Some(own) = &mut configuration
            && own.servers().contains_key(name)
        {
            return Err(
                UserError::usage(format!("there is a server `{name}` already"))
                    .hint(format!("`walden mcp remove {name}` removes it")),
            );
        }
        write(&folder, &file, &TEMPLATE.replace("SERVER", name))?;
        let mut said = format!(
            "wrote `{}`: a server with a tool, a resource and a prompt, to be changed\n",
            file.display()
        );
        if let Some(own) = &mut configuration {
            let entry = json!({"command": python, "args": [file]});
            own.servers().insert(name.clone(), entry);
            own.write()?;
            choices(self.files)
                .forget(name)
                .map_err(UserError::failure)?;
            said.push_str(&format!("added `{name}` to `{}`\n", own.path().display()));
        }
        said.push_str("\nnext:\n");
        let environment = folder.join(".venv");
        let steps = [
            format!("python3 -m venv {}", quoted(&environment)),
            format!("{} -m pip install 'mcp>=2,<3'", quoted(&python)),
            match new.add {
                true => format!("walden mcp trust {name}"),
                false => format!(
                    "walden mcp add {name} -- {} {}",
                    quoted(&python),
                    quoted(&file)
                ),
            },
            format!("walden mcp call {name} greet '{{\"name\": \"Ada\"}}'"),
        ];
        for step in steps {
            said.push_str(&format!("  {step}\n"));
        }
        print(&said);
        Ok(ExitCode::Success)
    }
}

/// Writes the file, where there is none.
fn write(folder: &Path, file: &Path, text: &str) -> Result<(), UserError> {
    let attempt = || {
        std::fs::create_dir_all(folder)?;
        let mut options = std::fs::OpenOptions::new();
        let mut made = options
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(file)?;
        made.write_all(text.as_bytes())
    };
    attempt().map_err(|error| {
        let failed = UserError::failure(format!("cannot write `{}`: {error}", file.display()));
        match error.kind() {
            ErrorKind::AlreadyExists => {
                failed.hint("nothing is written over; choose another folder with --dir")
            }
            _ => failed,
        }
    })
}

/// Writes a path as a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    match shlex::try_quote(&text) {
        Ok(quoted) => quoted.into_owned(),
        // It holds a NUL, which no path does.
        Err(_) => text,
    }
}
