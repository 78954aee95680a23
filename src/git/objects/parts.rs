//! What commits and trees say, looked up in their bytes.

use git2::{Oid, Time};
use memchr::memchr;

/// What a walk through the history needs of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::git) struct Node {
    pub(in crate::git) tree: Oid,
    pub(in crate::git) parents: Vec<Oid>,
    /// When it was committed, in seconds.
    pub(in crate::git) time: i64,
}

/// Who made a commit, and when.
#[derive(Debug, Clone, Copy)]
pub(in crate::git) struct Author<'a> {
    pub(in crate::git) name: &'a [u8],
    pub(in crate::git) mail: &'a [u8],
    pub(in crate::git) when: Time,
}

/// The bytes of a commit, taken apart as far as they are searched.
#[derive(Debug, Clone, Copy)]
pub(in crate::git) struct Parts<'a> {
    head: &'a [u8],
    pub(in crate::git) message: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(in crate::git) fn of(commit: &'a [u8]) -> Self {
        let end = commit.windows(2).position(|pair| pair == b"\n\n");
        match end {
            Some(end) => Self {
                head: &commit[..=end],
                message: &commit[end + 2..],
            },
            None => Self {
                head: commit,
                message: b"",
            },
        }
    }

    /// Returns the author; `None` where the line is not written as usual.
    pub(in crate::git) fn author(&self) -> Option<Author<'a>> {
        let line = self.line(b"author ")?;
        let from = line.iter().rposition(|byte| *byte == b'<')?;
        let to = line.iter().rposition(|byte| *byte == b'>')?;
        let stamp = std::str::from_utf8(line.get(to + 1..)?).ok()?;
        let (seconds, zone) = stamp.strip_prefix(' ')?.split_once(' ')?;
        let (sign, digits) = match zone.as_bytes() {
            [b'+', digits @ ..] => (1, digits),
            [b'-', digits @ ..] => (-1, digits),
            _ => return None,
        };
        let digits: &[u8; 4] = digits.try_into().ok()?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let [a, b, c, d] = digits.map(|digit| i32::from(digit - b'0'));
        let (hours, minutes) = (a * 10 + b, c * 10 + d);
        if hours > 14 || minutes > 59 {
            return None;
        }
        Some(Author {
            name: tidy(&line[..from]),
            mail: tidy(line.get(from + 1..to)?),
            when: Time::new(seconds.parse().ok()?, sign * (hours * 60 + minutes)),
        })
    }

    fn line(&self, begin: &[u8]) -> Option<&'a [u8]> {
        self.head
            .split(|byte| *byte == b'\n')
            .find_map(|line| line.strip_prefix(begin))
    }

    /// Returns what a walk needs; `None` where it is not written as usual.
    pub(in crate::git) fn node(&self) -> Option<Node> {
        let mut lines = self.head.split(|byte| *byte == b'\n');
        let tree = id_of(lines.next()?.strip_prefix(b"tree ")?)?;
        let mut parents = Vec::new();
        let mut line = lines.next()?;
        while let Some(parent) = line.strip_prefix(b"parent ") {
            parents.push(id_of(parent)?);
            line = lines.next()?;
        }
        let committer = lines.next()?.strip_prefix(b"committer ")?;
        let end = committer.iter().rposition(|byte| *byte == b'>')?;
        let stamp = std::str::from_utf8(&committer[end + 1..]).ok()?;
        Some(Node {
            tree,
            parents,
            time: stamp.split_ascii_whitespace().next()?.parse().ok()?,
        })
    }
}

/// Takes off what libgit2 does not count to a name or an address, at both ends.
fn tidy(text: &[u8]) -> &[u8] {
    let is_letter = |byte: &u8| *byte > b' ' && !b",:;<>\"\\'".contains(byte);
    let from = text.iter().position(is_letter).unwrap_or(text.len());
    let to = text.iter().rposition(is_letter).map_or(from, |at| at + 1);
    &text[from..to]
}

fn id_of(hex: &[u8]) -> Option<Oid> {
    match hex.len() {
        40 => Oid::from_str(std::str::from_utf8(hex).ok()?).ok(),
        _ => None,
    }
}

/// An entry of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::git) struct Entry<'a> {
    pub(in crate::git) mode: u32,
    pub(in crate::git) name: &'a [u8],
    pub(in crate::git) id: Oid,
}

impl Entry<'_> {
    pub(in crate::git) fn is_tree(&self) -> bool {
        self.mode == 0o40_000
    }
}

/// Goes through the entries of a tree, in its own order: by name, with folders as if they ended in `/`. It ends where
/// the tree is broken.
pub(in crate::git) fn entries(tree: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    let mut rest = tree;
    std::iter::from_fn(move || {
        let space = memchr(b' ', rest)?;
        let mut mode: u32 = 0;
        for digit in &rest[..space] {
            let value = digit.checked_sub(b'0').filter(|value| *value < 8)?;
            mode = mode.checked_mul(8)? | u32::from(value);
        }
        let end = space + 1 + memchr(0, &rest[space + 1..])?;
        let id = rest.get(end + 1..end + 21)?;
        let entry = Entry {
            mode,
            name: &rest[space + 1..end],
            id: Oid::from_bytes(id).ok()?,
        };
        rest = &rest[end + 21..];
        Some(entry)
    })
}

/// Finds an entry of a tree by its name.
pub(in crate::git) fn entry_in<'a>(tree: &'a [u8], name: &[u8]) -> Option<Entry<'a>> {
    // Where the bytes of the name stand between a space and a null they may still be part of an id.
    entries(tree).find(|entry| entry.name == name)
}
