//! Bundles of servers: `.mcpb` files, which are archives with a manifest.
//!
//! A bundle is a stranger's program. Everything of it is looked at before anything of it is written, and nothing of
//! it is started here: what comes of it is an entry of the configuration, which the user agrees to as to any other.
//!
//! An archive is refused as a whole when one name in it could lead elsewhere, stands twice, or is a link; see
//! `archive`. A manifest says which command starts the server; see [`Manifest`].

mod archive;
mod asked;
mod manifest;
mod shown;

pub use archive::{Archive, folder_name};
pub use asked::{Answers, Kind, Wish};
pub use manifest::{Manifest, Places};

/// The most bytes that a bundle may have, packed and unpacked, and the most files.
pub const PACKED: u64 = 256 << 20;
pub const UNPACKED: u64 = 1 << 30;
pub const FILES: usize = 50_000;

/// Why a bundle is not installed.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("cannot read the bundle `{file}`: {problem}")]
    Read { file: String, problem: String },
    #[error("the bundle is no archive that can be read: {0}")]
    Archive(String),
    #[error("the bundle is refused: {0}")]
    Hostile(String),
    #[error("the bundle's manifest cannot be used: {0}")]
    Manifest(String),
    #[error("{0}")]
    Asked(String),
    #[error("cannot unpack the bundle into `{folder}`: {problem}")]
    Unpack { folder: String, problem: String },
}
