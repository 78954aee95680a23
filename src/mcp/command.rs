//! The command line of `walden mcp`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Add, look at and use MCP servers that are not part of walden.
#[derive(Debug, Subcommand)]
pub enum McpCommand {
    /// Add a server to your configuration: a command after `--`, or an address with `--url`
    Add(Add),
    /// Write a small server to start from, in Python with the package `mcp`, and say what to run next
    New(New),
    /// List the servers of your configuration and of this repository, without starting any
    List,
    /// Look at what a server is and offers, and agree to it: it is not started or used before
    Trust {
        name: String,
        /// Agree without being asked (what is agreed to is still shown)
        #[arg(long)]
        yes: bool,
    },
    /// List the servers' tools with what each costs the model in tokens
    Tools {
        /// Only this server's
        name: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show everything that a server says about itself
    Inspect { name: String },
    /// Call a tool by hand
    Call {
        name: String,
        tool: String,
        /// The arguments, as a JSON object
        #[arg(default_value = "{}")]
        arguments: String,
    },
    /// Start each server, say how it went and what would help
    Doctor {
        /// Only this server
        name: Option<String>,
    },
    /// Show what you agreed to, or forget it
    Pins {
        /// Show this server's in full
        name: Option<String>,
        /// Forget what you agreed to, so that you are asked again
        #[arg(long, requires = "name")]
        forget: bool,
    },
    /// Authorize walden at a server that is reached over HTTP: in a browser of this machine or, over SSH, of your own
    #[cfg(feature = "net")]
    Login { name: String },
    /// Forget walden's authorization at a server
    #[cfg(feature = "net")]
    Logout { name: String },
    /// Remove a server from your configuration, and forget what you agreed to
    Remove { name: String },
    /// Install a bundle (`.mcpb`): everything of it is shown first, and nothing of it starts before you agree
    Install(Install),
    /// Take servers over from another program's configuration
    Import {
        /// The program, or `file` with --file
        from: Origin,
        /// The file to read instead of the usual one
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Write them into your configuration (by default they are only shown)
        #[arg(long)]
        write: bool,
    },
}

/// A server to be added.
#[derive(Debug, Args)]
pub struct Add {
    pub name: String,
    /// A variable for the server, such as `TOKEN='${MY_TOKEN}'`; can be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// The address of a server that is reached over HTTP
    #[arg(long, conflicts_with = "command")]
    pub url: Option<String>,
    /// A header to send to that address, such as `Authorization='Bearer ${MY_TOKEN}'`
    #[arg(long, value_name = "NAME=VALUE", requires = "url")]
    pub header: Vec<String>,
    /// A folder besides the repository that the server may read
    #[arg(long, value_name = "DIR")]
    pub read: Vec<PathBuf>,
    /// A folder that the server may write
    #[arg(long, value_name = "DIR")]
    pub write: Vec<PathBuf>,
    /// Start it even where this kernel cannot confine it (no Landlock, no seccomp): it then reaches what you reach
    #[arg(long, conflicts_with = "url")]
    pub weaker: bool,
    /// Run it in a container of this image, by podman or docker; it is never fetched
    #[arg(long, value_name = "IMAGE", conflicts_with_all = ["url", "weaker"])]
    pub container: Option<String>,
    /// Agree to what it is and offers without being asked
    #[arg(long)]
    pub yes: bool,
    /// The command that starts it, with its arguments
    #[arg(last = true, required_unless_present_any = ["url", "container"])]
    pub command: Vec<String>,
}

/// A server to be written.
#[derive(Debug, Args)]
pub struct New {
    /// The server's name, and its folder's where `--dir` names no other
    pub name: String,
    /// The folder to write it into
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Add it to your configuration, too: it is used once you have agreed to it
    #[arg(long)]
    pub add: bool,
}

/// A bundle to be installed.
#[derive(Debug, Args)]
pub struct Install {
    /// The bundle's file
    pub file: PathBuf,
    /// The server's name in your configuration, in place of the bundle's own
    #[arg(long)]
    pub name: Option<String>,
    /// What the bundle asks for, such as `token='${MY_TOKEN}'`; can be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// A folder that the server may write
    #[arg(long, value_name = "DIR")]
    pub write: Vec<PathBuf>,
    /// Agree to what it is and offers without being asked (all of it is still shown)
    #[arg(long)]
    pub yes: bool,
}

/// A program whose configuration of servers is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Origin {
    ClaudeDesktop,
    ClaudeCode,
    Cursor,
    Vscode,
    Codex,
    /// Any file of the `mcpServers` shape
    File,
}
