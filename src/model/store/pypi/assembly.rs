//! The parts so far, in order: what a kill or a full disk leaves behind is known to the byte.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::part_path;
use crate::model::store::error::{StoreError, storage};
use crate::model::store::pull::Fetched;
use crate::model::store::{Phase, Progress, layout};

/// How much of the assembled file counts.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct AssemblyState {
    pub(super) parts: u32,
    pub(super) bytes: u64,
}

/// The file that the parts are appended to, hashed on the way.
pub(super) struct Assembly<'a> {
    dir: &'a Path,
    file: File,
    pub(super) state: AssemblyState,
    hash: Sha256,
    /// What the whole file takes, for the error of a full disk.
    size: u64,
}

impl<'a> Assembly<'a> {
    /// Opens what an earlier pull has put together, or begins.
    pub(super) fn resume(
        dir: &'a Path,
        size: u64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, StoreError> {
        let path = dir.join("assembled");
        let mut file = layout::private_file(&path).map_err(storage("write", &path, size))?;
        let length = file.metadata().map_err(storage("read", &path, 0))?.len();
        let state = fs::read(dir.join("assembled.json"))
            .ok()
            .and_then(|text| serde_json::from_slice::<AssemblyState>(&text).ok())
            .filter(|state| state.bytes <= length)
            .unwrap_or_default();
        file.set_len(state.bytes)
            .map_err(storage("cut", &path, size))?;
        let mut hash = Sha256::new();
        if state.bytes > 0 {
            layout::hash_rest(&mut file, &mut hash, &mut |done| {
                progress(Progress {
                    phase: Phase::Verifying,
                    done,
                    total: size,
                });
            })
            .map_err(storage("read", &path, 0))?;
        }
        Ok(Self {
            dir,
            file,
            state,
            hash,
            size,
        })
    }

    /// Appends the next part and deletes it, so that the disk holds the file once.
    pub(super) fn append(&mut self, part: u32) -> Result<(), StoreError> {
        let path = part_path(self.dir, part);
        let target = self.dir.join("assembled");
        let mut from = File::open(&path).map_err(storage("read", &path, 0))?;
        let mut buffer = vec![0; 1 << 20];
        let mut length = 0;
        loop {
            let count = from.read(&mut buffer).map_err(storage("read", &path, 0))?;
            if count == 0 {
                break;
            }
            self.file
                .write_all(&buffer[..count])
                .map_err(storage("write", &target, self.size))?;
            self.hash.update(&buffer[..count]);
            length += count as u64;
        }
        self.file
            .sync_data()
            .map_err(storage("write", &target, self.size))?;
        self.state.parts = part;
        self.state.bytes += length;
        let state = serde_json::to_vec(&self.state)
            .map_err(|error| storage("write", &target, 0)(error.into()))?;
        layout::write_whole(&self.dir.join("assembled.json"), &state)?;
        fs::remove_file(&path).map_err(storage("remove", &path, 0))
    }

    pub(super) fn finish(self) -> Result<Fetched, StoreError> {
        let path = self.dir.join("assembled");
        self.file
            .sync_all()
            .map_err(storage("write", &path, self.size))?;
        Ok(Fetched {
            path,
            sha256: layout::hex(self.hash),
            size: self.state.bytes,
        })
    }
}
