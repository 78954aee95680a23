//! The header of a GGUF file: enough to tell a model from anything else.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::error::{StoreError, storage};

/// Magic, version, number of tensors, number of metadata entries.
const HEADER: usize = 4 + 4 + 8 + 8;

/// Refuses a file that does not begin like a model llama.cpp can read.
pub(crate) fn check(path: &Path) -> Result<(), StoreError> {
    let mut header = Vec::with_capacity(HEADER);
    File::open(path)
        .and_then(|file| file.take(HEADER as u64).read_to_end(&mut header))
        .map_err(storage("read", path, 0))?;
    problem(&header).map_or(Ok(()), |reason| {
        Err(StoreError::NotGguf {
            path: path.to_owned(),
            reason,
        })
    })
}

/// Says why a header is not that of a model, if it is not.
fn problem(header: &[u8]) -> Option<String> {
    let Some((magic, rest)) = header.split_first_chunk::<4>() else {
        return Some("it is too short".to_owned());
    };
    if magic != b"GGUF" {
        return Some("it does not begin with `GGUF`".to_owned());
    }
    let (Some((version, counts)), HEADER) = (rest.split_first_chunk::<4>(), header.len()) else {
        return Some("it ends in the middle of its header".to_owned());
    };
    // Version 1 used other widths; a big-endian file reads as a huge version.
    match u32::from_le_bytes(*version) {
        2 | 3 if counts[..8] == [0; 8] => Some("it holds no tensors".to_owned()),
        2 | 3 => None,
        1 => Some("version 1 is too old".to_owned()),
        version if version.swap_bytes() <= 3 => Some("it is big-endian".to_owned()),
        version => Some(format!("version {version} is unknown")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(version: u32, tensors: u64) -> Vec<u8> {
        [
            b"GGUF".as_slice(),
            &version.to_le_bytes(),
            &tensors.to_le_bytes(),
            &7u64.to_le_bytes(),
        ]
        .concat()
    }

    #[test]
    fn only_a_model_header_is_taken_for_a_model() {
        assert_eq!(problem(&header(3, 1)), None);
        assert_eq!(problem(&header(2, 1)), None);
        for (header, reason) in [
            (header(1, 1), "version 1 is too old"),
            (header(9, 1), "version 9 is unknown"),
            (header(3u32.swap_bytes(), 1), "it is big-endian"),
            (header(3, 0), "it holds no tensors"),
            (b"GG".to_vec(), "it is too short"),
            (
                b"PK\x03\x04 and more".to_vec(),
                "it does not begin with `GGUF`",
            ),
            (
                header(3, 1)[..20].to_vec(),
                "it ends in the middle of its header",
            ),
        ] {
            assert_eq!(problem(&header).as_deref(), Some(reason));
        }
    }
}
