//! What a confined server has to read to run at all: its script with the packages around it, and the installation of
//! its program and of what runs it.

use std::path::{Path, PathBuf};

use crate::mcp::config::script_folders;
use crate::sandbox::installation;

/// Lists the folders that a command line needs, besides the system's. `program` is the file that its first word is.
pub fn program_reads(argv: &[String], folder: &Path, program: &Path) -> Vec<PathBuf> {
    let exists = |path: &Path| path.exists();
    let mut reads = script_folders(argv, folder, &exists);
    // A program may be a script by another name, such as those in `node_modules/.bin`.
    if let Ok(real) = program.canonicalize() {
        let as_argument = [String::new(), real.display().to_string()];
        reads.extend(script_folders(&as_argument, folder, &exists));
    }
    let home = std::env::var_os("HOME").map(PathBuf::from);
    for needed in installation(program, home.as_deref()) {
        if !reads.contains(&needed) {
            reads.push(needed);
        }
    }
    reads
}
