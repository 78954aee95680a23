//! Append-only files of JSON lines, each bound to the one before: what was written cannot be changed unseen.
//!
//! A record is `{"seq": n, "check": c, "entry": …}` with `c` the first hexadecimal digits of
//! SHA-256(previous check + entry). A line that was torn by a crash, and whatever follows it, does not count; the file
//! is cut back to the last whole record before it is written again. What a chain cannot tell is that its last records
//! were cut off whole, or that all of it was written anew: for that its end ([`Verified::head`]) has to be noted
//! elsewhere.

#![expect(clippy::disallowed_methods, reason = "chains are walden's own files")]

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

/// A chain that could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    #[error("cannot write `{path}`: {source}")]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot read `{path}`: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("`{path}` is open in another walden")]
    Busy { path: PathBuf },
}

/// How much of a digest a record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// 64 bits: enough to find what a crash or a disk did.
    Short,
    /// All of it: nobody finds another text that fits.
    Whole,
}

impl Check {
    fn digits(self) -> usize {
        match self {
            Self::Short => 16,
            Self::Whole => 64,
        }
    }
}

/// A chain open for writing, by one process at a time.
#[derive(Debug)]
pub struct Chain {
    path: PathBuf,
    file: File,
    check_kind: Check,
    seq: u64,
    check: String,
    /// Where the last whole record ends.
    end: u64,
}

/// A chain that holds from its first record to its last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub records: u64,
    /// The check of the last record: noted elsewhere, it shows later that nothing was cut off.
    pub head: String,
}

/// The first place at which a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} does not follow: {problem}")]
pub struct Flaw {
    pub line: u64,
    pub problem: &'static str,
}

#[derive(Serialize)]
struct Written<'a> {
    seq: u64,
    check: &'a str,
    entry: &'a RawValue,
}

#[derive(Deserialize)]
struct Record<'a> {
    seq: u64,
    check: String,
    #[serde(borrow)]
    entry: &'a RawValue,
}

/// Takes the lock of a chain. A process that was just forked holds all that its parent had open until it becomes its
/// program: such a lock is waited for, and another walden's is not.
fn lock(file: &File) -> rustix::io::Result<()> {
    const TRIES: u32 = 20;
    let mut tried = 0;
    loop {
        let taken = rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        match taken {
            Err(rustix::io::Errno::WOULDBLOCK) if tried < TRIES => {
                tried += 1;
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            taken => return taken,
        }
    }
}

impl Chain {
    /// Opens a chain, creates it where there is none, and cuts off a torn end. Returns what it holds, too.
    ///
    /// # Errors
    /// When the file cannot be opened, or another process has it open for writing.
    pub fn open<T: DeserializeOwned>(
        path: &Path,
        check_kind: Check,
    ) -> Result<(Self, Vec<T>), ChainError> {
        let failed = |source| ChainError::Write {
            path: path.to_owned(),
            source,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        lock(&file).map_err(|_| ChainError::Busy {
            path: path.to_owned(),
        })?;
        let held = scan(&file).map_err(|source| ChainError::Read {
            path: path.to_owned(),
            source,
        })?;
        file.set_len(held.end).map_err(failed)?;
        let chain = Self {
            path: path.to_owned(),
            file,
            check_kind,
            seq: held.seq,
            check: held.check,
            end: held.end,
        };
        Ok((chain, held.entries))
    }

    /// Appends an entry. It is in the system's hands when this returns, and on the disk after [`Chain::sync`].
    ///
    /// # Errors
    /// When it cannot be written; the chain then still ends with the last whole record.
    pub fn append<T: Serialize>(&mut self, entry: &T) -> Result<(), ChainError> {
        let failed = |source| ChainError::Write {
            path: self.path.clone(),
            source,
        };
        let entry = serde_json::value::to_raw_value(entry).map_err(|error| failed(error.into()))?;
        let check = next_check(&self.check, entry.get(), self.check_kind.digits());
        let record = Written {
            seq: self.seq + 1,
            check: &check,
            entry: &entry,
        };
        let mut line = serde_json::to_vec(&record).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        let written = self
            .file
            .seek(SeekFrom::Start(self.end))
            .and_then(|_| self.file.write_all(&line));
        if let Err(source) = written {
            // A full disk may have taken half a line: it must not stand before the next record.
            let _ = self.file.set_len(self.end);
            return Err(failed(source));
        }
        self.end += line.len() as u64;
        self.seq += 1;
        self.check = check;
        Ok(())
    }

    /// Waits until all that was appended is on the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&mut self) -> Result<(), ChainError> {
        self.file.sync_data().map_err(|source| ChainError::Write {
            path: self.path.clone(),
            source,
        })
    }

    /// Returns the number of the open file.
    pub fn descriptor(&self) -> i32 {
        self.file.as_raw_fd()
    }

    /// Returns the place of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A program that is being started holds, until it runs, all files that were open: closing ours is not the end of the
/// lock then, and whoever opens the chain next would be told that it is in use.
impl Drop for Chain {
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&self.file, rustix::fs::FlockOperation::Unlock);
    }
}

/// Reads the whole records of a chain, without locking or changing it.
///
/// # Errors
/// When the file cannot be read.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, ChainError> {
    let failed = |source| ChainError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    Ok(scan(&file).map_err(failed)?.entries)
}

/// Follows a chain from its first line to its last, whatever its entries are.
///
/// # Errors
/// When the file cannot be read; within, where the chain does not hold.
pub fn verify(path: &Path) -> Result<Result<Verified, Flaw>, ChainError> {
    let failed = |source| ChainError::Read {
        path: path.to_owned(),
        source,
    };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let (mut seq, mut check, mut line) = (0, String::new(), Vec::new());
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            return Ok(Ok(Verified {
                records: seq,
                head: check,
            }));
        }
        let flaw = |problem| {
            Ok(Err(Flaw {
                line: seq + 1,
                problem,
            }))
        };
        let Some(text) = line.strip_suffix(b"\n") else {
            return flaw("its end is missing");
        };
        let Ok(record) = serde_json::from_slice::<Record<'_>>(text) else {
            return flaw("it is no record");
        };
        if record.seq != seq + 1 {
            return flaw("its number is not the next");
        }
        // A line is exactly what would be written: not a byte of it can differ unseen.
        let same = Written {
            seq: record.seq,
            check: &record.check,
            entry: record.entry,
        };
        let is_canonical = serde_json::to_vec(&same).is_ok_and(|again| again == text);
        if !is_canonical || !follows(&check, &record) {
            return flaw("its check is not that of its text and of the line before");
        }
        seq = record.seq;
        check = record.check;
    }
}

/// What a scan found up to the first line that is not a whole record.
struct Held<T> {
    entries: Vec<T>,
    seq: u64,
    check: String,
    end: u64,
}

fn scan<T: DeserializeOwned>(file: &File) -> std::io::Result<Held<T>> {
    let mut held = Held {
        entries: Vec::new(),
        seq: 0,
        check: String::new(),
        end: 0,
    };
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        let Some(entry) = line
            .strip_suffix(b"\n")
            .and_then(|line| whole(line, &mut held))
        else {
            return Ok(held);
        };
        held.entries.push(entry);
        held.end += length as u64;
    }
}

/// Takes a line for a record if it is whole and follows the one before.
fn whole<T: DeserializeOwned>(line: &[u8], held: &mut Held<T>) -> Option<T> {
    let record: Record<'_> = serde_json::from_slice(line).ok()?;
    if record.seq != held.seq + 1 || !follows(&held.check, &record) {
        return None;
    }
    let entry = serde_json::from_str(record.entry.get()).ok()?;
    held.seq = record.seq;
    held.check = record.check;
    Some(entry)
}

fn follows(before: &str, record: &Record<'_>) -> bool {
    let digits = record.check.len();
    [Check::Short, Check::Whole]
        .iter()
        .any(|kind| kind.digits() == digits)
        && record.check == next_check(before, record.entry.get(), digits)
}

fn next_check(before: &str, entry: &str, digits: usize) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::new()
        .chain_update(before)
        .chain_update(entry)
        .finalize();
    digest
        .iter()
        .take(digits / 2)
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a chain of three entries and returns its bytes.
    fn three(path: &Path, kind: Check) -> Vec<u8> {
        let (mut chain, held) = Chain::open::<String>(path, kind).expect("opened");
        assert!(held.is_empty());
        for entry in ["one", "two \u{1b}[31m", "three"] {
            chain.append(&entry).expect("appended");
        }
        chain.sync().expect("synced");
        drop(chain);
        std::fs::read(path).expect("readable")
    }

    #[test]
    fn a_chain_can_be_opened_again_while_a_program_that_is_being_started_still_holds_its_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("chain");
        let (mut chain, _) = Chain::open::<String>(&path, Check::Short).expect("opened");
        chain.append(&"one").expect("appended");
        let held = chain.file.try_clone().expect("held");
        assert!(matches!(
            Chain::open::<String>(&path, Check::Short),
            Err(ChainError::Busy { .. })
        ));
        drop(chain);
        let (_chain, entries) = Chain::open::<String>(&path, Check::Short).expect("opened again");
        assert_eq!(entries, ["one"]);
        drop(held);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_found() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("chain");
        let bytes = three(&path, Check::Whole);
        let verified = verify(&path).expect("readable").expect("it holds");
        assert_eq!((verified.records, verified.head.len()), (3, 64));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                std::fs::write(&path, &changed).expect("written");
                assert!(
                    verify(&path).expect("readable").is_err(),
                    "bit {bit} of byte {at} of {}",
                    String::from_utf8_lossy(&changed)
                );
            }
        }
    }

    #[test]
    fn a_line_that_is_gone_or_elsewhere_is_found() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("chain");
        let text = String::from_utf8(three(&path, Check::Whole)).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        for order in [vec![0, 2], vec![1, 2], vec![0, 2, 1], vec![0, 0, 1, 2]] {
            let text: String = order.iter().map(|at| format!("{}\n", lines[*at])).collect();
            std::fs::write(&path, text).expect("written");
            assert!(verify(&path).expect("readable").is_err(), "{order:?}");
        }
        // What a chain cannot tell: its end was cut off whole. The head that was noted does.
        std::fs::write(&path, format!("{}\n", lines[0])).expect("written");
        let verified = verify(&path).expect("readable").expect("it holds");
        assert_eq!(verified.records, 1);
    }

    #[test]
    fn a_torn_end_is_cut_off_and_written_over() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("chain");
        let bytes = three(&path, Check::Short);
        for length in 0..bytes.len() {
            std::fs::write(&path, &bytes[..length]).expect("written");
            let whole = bytes[..length]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count();
            let (mut chain, held) = Chain::open::<String>(&path, Check::Short).expect("opened");
            assert_eq!(held.len(), whole);
            chain.append(&"next").expect("appended");
            drop(chain);
            let verified = verify(&path).expect("readable").expect("it holds");
            assert_eq!(verified.records, whole as u64 + 1);
        }
    }
}
