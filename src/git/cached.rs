//! The tree that an index stands for, where the index says it.
//!
//! git writes into the index which tree each folder would be. While nothing is staged that is the tree of the last
//! commit, and the two need not be compared file by file.

#![expect(
    clippy::disallowed_methods,
    reason = "the repository's index, which libgit2 does not show in full"
)]

use std::fs;

use git2::Oid;
use memchr::memmem;

use super::Repo;

/// What the part of the index begins with.
const MARK: &[u8] = b"TREE";

impl Repo {
    /// Tells whether the index is, for sure, the last commit's tree.
    pub(super) fn nothing_staged(&self, entries: usize) -> bool {
        let head = self
            .git
            .head()
            .ok()
            .and_then(|head| head.peel_to_commit().ok());
        let (Some(head), Ok(bytes)) = (head, fs::read(self.git.path().join("index"))) else {
            return false;
        };
        tree_of(&bytes, entries) == Some(head.tree_id())
    }
}

/// Finds the tree of a whole index of so many entries.
fn tree_of(index: &[u8], entries: usize) -> Option<Oid> {
    let mut behind = index.len();
    // It stands behind the entries, whose ids may have the mark in them as well.
    while let Some(at) = memmem::rfind(&index[..behind], MARK) {
        if let Some(tree) = root(&index[at + MARK.len()..], entries) {
            return Some(tree);
        }
        behind = at;
    }
    None
}

/// Reads the first line of the part: of the top folder, which has no name.
fn root(part: &[u8], entries: usize) -> Option<Oid> {
    let (size, rest) = part.split_first_chunk::<4>()?;
    let body = rest.get(..u32::from_be_bytes(*size) as usize)?;
    let line = body.strip_prefix(b"\0")?;
    let end = memchr::memchr(b'\n', &line[..line.len().min(32)])?;
    let (count, folders) = std::str::from_utf8(&line[..end]).ok()?.split_once(' ')?;
    let _: u32 = folders.parse().ok()?;
    // One that was changed since has no number.
    if count.parse() != Ok(entries) {
        return None;
    }
    Oid::from_bytes(line.get(end + 1..end + 21)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(count: &str, size: u8) -> Vec<u8> {
        let mut bytes = b"DIRC some entries TREE and more ".to_vec();
        bytes.extend_from_slice(b"TREE\0\0\0");
        bytes.push(size);
        bytes.extend_from_slice(format!("\0{count} 0\n").as_bytes());
        bytes.extend_from_slice(&[7; 20]);
        bytes.extend_from_slice(&[9; 20]);
        bytes
    }

    #[test]
    fn the_tree_of_an_index_is_read_where_it_is_said() {
        let tree = Oid::from_bytes(&[7; 20]).ok();
        assert_eq!(tree_of(&index("12", 26), 12), tree);
        for (bytes, entries) in [
            (index("12", 26), 13),
            (index("-1", 26), 12),
            (index("12", 20), 12),
            (index("12", 255), 12),
            (b"TREE".to_vec(), 0),
            (Vec::new(), 0),
        ] {
            assert_eq!(tree_of(&bytes, entries), None);
        }
    }
}
