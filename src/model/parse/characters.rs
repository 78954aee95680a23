//! From bytes that are split anywhere to whole characters.

/// Joins characters that were split. Invalid UTF-8 becomes U+FFFD, as [`String::from_utf8_lossy`] has it.
#[derive(Debug, Default)]
pub(super) struct Characters {
    /// The end of the bytes that is not a whole character.
    partial: Vec<u8>,
}

impl Characters {
    /// Appends the characters that are complete with these bytes to `out`.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut String) {
        let mut joined = std::mem::take(&mut self.partial);
        let mut bytes = match joined.is_empty() {
            true => bytes,
            false => {
                joined.extend_from_slice(bytes);
                &joined
            }
        };
        while let Some(chunk) = bytes.utf8_chunks().next() {
            out.push_str(chunk.valid());
            let (valid, invalid) = (chunk.valid().len(), chunk.invalid());
            if valid + invalid.len() == bytes.len() && is_incomplete(invalid) {
                self.partial = invalid.to_vec();
                return;
            }
            if !invalid.is_empty() {
                out.push(char::REPLACEMENT_CHARACTER);
            }
            bytes = &bytes[valid + invalid.len()..];
        }
    }

    /// Ends the text; a character that is not whole becomes U+FFFD.
    pub(super) fn finish(&mut self, out: &mut String) {
        if !std::mem::take(&mut self.partial).is_empty() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// Tells whether bytes at the end of a text may be the beginning of a character.
fn is_incomplete(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}
