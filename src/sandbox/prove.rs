//! The proof: every attempt to get out, in a sealed process, in confined programs, and beside them in one that is
//! free; and what the kernel answered to each.

#![expect(
    clippy::disallowed_methods,
    reason = "lays out the ground of the attempts, in folders of its own"
)]

use std::os::fd::AsRawFd as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::probe::{ATTEMPTS, Aim, Answer, Ground, KILLED};
use super::{Files, Launcher, Limits, Metadata, Network, Profile, SandboxError, Seal};

/// The arguments with which this program makes the attempts.
const PROBE: [&str; 2] = ["sandbox", "probe"];

/// One attempt and the answers to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Proof {
    pub attempt: String,
    aim: Aim,
    /// What a program without a sandbox got: `ok` or the name of an error.
    pub free: String,
    /// What a sealed process got, as walden's own is.
    pub sealed: String,
    /// What a confined program got that the sealed process started.
    pub nested: String,
    /// What a confined program got that a process without a seal started.
    pub confined: String,
    pub verdict: Verdict,
}

/// What an attempt shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The sandbox refuses what works without it, or allows what must work.
    Holds,
    /// It is refused to programs; for walden itself it was not promised.
    ProgramsOnly,
    /// It is refused with and without the sandbox: this machine or user cannot do it anyway.
    NothingShown,
    /// The sandbox allows what it must not, or refuses what must work.
    Broken,
}

impl Verdict {
    /// Names the verdict in a table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::ProgramsOnly => "holds for programs",
            Self::NothingShown => "refused anyway",
            Self::Broken => "BROKEN",
        }
    }
}

/// Makes the attempts on a ground described by [`prove`], and returns the answers as JSON.
///
/// # Errors
/// When the ground is not described as `prove` does it.
pub fn probe(ground: &str) -> Result<String, SandboxError> {
    let ground = read_ground(ground)?;
    serde_json::to_string(&attempt_all(&ground))
        .map_err(|error| SandboxError::Prepare(error.to_string()))
}

/// Seals this process as a session's is, makes the attempts, has a confined program make them as well, and returns
/// both lists of answers as JSON.
///
/// # Errors
/// When the ground is not described as [`prove`] does it, when this process cannot be sealed, or when the program does
/// not answer.
pub fn probe_sealed(launcher: &Launcher, ground: &str) -> Result<String, SandboxError> {
    let read = read_ground(ground)?;
    super::seal(
        &Seal {
            files: Files::Kept {
                roots: 1,
                read: vec![read.readable.clone(), launcher.helper().to_owned()],
                write: vec![read.writable.clone()],
            },
            network: Network::Off,
        },
        &[],
    )?;
    let sealed = attempt_all(&read);
    let nested = answers(confined(launcher, &read)?)?;
    serde_json::to_string(&[sealed, nested])
        .map_err(|error| SandboxError::Prepare(error.to_string()))
}

fn read_ground(ground: &str) -> Result<Ground, SandboxError> {
    serde_json::from_str(ground).map_err(|error| SandboxError::Prepare(error.to_string()))
}

fn attempt_all(ground: &Ground) -> Vec<Answer> {
    ATTEMPTS
        .iter()
        .map(|attempt| attempt.make(ground))
        .collect()
}

/// Makes every attempt four times in a new folder `dir`: free, sealed, and confined by either.
///
/// # Errors
/// When the ground cannot be laid out or a probe does not answer: then nothing is proven.
pub fn prove(launcher: &Launcher, dir: &Path) -> Result<Vec<Proof>, SandboxError> {
    let failed = |error: std::io::Error| SandboxError::Prepare(error.to_string());
    let mut ground = Ground {
        readable: dir.join("readable"),
        writable: dir.join("writable"),
        outside: dir.join("outside"),
        left_open: -1,
    };
    for folder in [&ground.readable, &ground.writable, &ground.outside] {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(failed)?;
    }
    std::fs::write(ground.readable.join("inside"), "inside").map_err(failed)?;
    std::fs::write(ground.outside.join("secret"), "secret").map_err(failed)?;
    let secret = std::fs::File::open(ground.outside.join("secret")).map_err(failed)?;
    rustix::io::fcntl_setfd(&secret, rustix::io::FdFlags::empty())
        .map_err(|error| failed(error.into()))?;
    ground.left_open = secret.as_raw_fd();
    let described = describe(&ground)?;
    let mut free = Command::new(launcher.helper());
    free.args(PROBE).arg(&described);
    let mut sealed = Command::new(launcher.helper());
    sealed.args(PROBE).arg("--sealed").arg(&described);
    let free = answers(free)?;
    let [sealed, nested] = answers_in_two(sealed)?;
    let confined = answers(confined(launcher, &ground)?)?;
    let rows = ATTEMPTS
        .iter()
        .zip(free)
        .zip(sealed)
        .zip(nested)
        .zip(confined);
    Ok(rows
        .map(|((((attempt, free), sealed), nested), confined)| Proof {
            attempt: attempt.name.to_owned(),
            aim: attempt.aim,
            free: name_of(free),
            sealed: name_of(sealed),
            nested: name_of(nested),
            confined: name_of(confined),
            verdict: verdict(attempt.aim, free, sealed, [nested, confined]),
        })
        .collect())
}

fn describe<T: Serialize>(what: &T) -> Result<String, SandboxError> {
    serde_json::to_string(what).map_err(|error| SandboxError::Prepare(error.to_string()))
}

/// Prepares a confined program that makes the attempts.
fn confined(launcher: &Launcher, ground: &Ground) -> Result<Command, SandboxError> {
    let profile = Profile {
        read: vec![ground.readable.clone(), launcher.helper().to_owned()],
        write: Vec::new(),
        scratch: ground.writable.clone(),
        lacking: crate::sandbox::Lacking::default(),
        metadata: Metadata::Kept,
        limits: Limits::default(),
    };
    let mut argv = vec![launcher.helper().to_string_lossy().into_owned()];
    argv.extend(PROBE.map(str::to_owned));
    argv.push(describe(ground)?);
    launcher.command(&argv, &ground.writable, &profile)
}

fn answers(command: Command) -> Result<Vec<Answer>, SandboxError> {
    complete(answered(command)?)
}

fn answers_in_two(command: Command) -> Result<[Vec<Answer>; 2], SandboxError> {
    let [first, second] = answered(command)?;
    Ok([complete(first)?, complete(second)?])
}

fn answered<T: serde::de::DeserializeOwned>(mut command: Command) -> Result<T, SandboxError> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| SandboxError::Prepare(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.trim()).map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr);
        SandboxError::Prepare(format!("the probe did not answer: {}", said.trim()))
    })
}

fn complete(answers: Vec<Answer>) -> Result<Vec<Answer>, SandboxError> {
    if answers.len() == ATTEMPTS.len() {
        Ok(answers)
    } else {
        Err(SandboxError::Prepare(
            "the probe is of another version".to_owned(),
        ))
    }
}

fn verdict(aim: Aim, free: Answer, sealed: Answer, programs: [Answer; 2]) -> Verdict {
    let programs = programs.map(|answer| judge(aim, free, answer));
    let worst = programs.into_iter().max().unwrap_or(Verdict::Broken);
    match (aim, judge(aim, free, sealed)) {
        (Aim::Metadata, Verdict::Broken) if worst == Verdict::Holds => Verdict::ProgramsOnly,
        (_, of_sealed) => worst.max(of_sealed),
    }
}

/// Judges the answer that one process got by what a free one got.
fn judge(aim: Aim, free: Answer, kept: Answer) -> Verdict {
    let is_refusal = |answer: Answer| {
        matches!(
            answer,
            Some(libc::EPERM | libc::EACCES | libc::ENOSYS | libc::EXDEV | libc::EBADF | KILLED)
        )
    };
    match aim {
        Aim::Work if kept.is_none() => Verdict::Holds,
        Aim::Work => Verdict::Broken,
        Aim::Network | Aim::Files | Aim::Metadata | Aim::Processes => {
            match (is_refusal(free), is_refusal(kept)) {
                (false, true) => Verdict::Holds,
                (true, true) => Verdict::NothingShown,
                // A family that the kernel does not have.
                (_, false) if kept == Some(libc::EAFNOSUPPORT) => Verdict::NothingShown,
                (_, false) => Verdict::Broken,
            }
        }
    }
}

/// Names an answer as `errno(3)` does.
fn name_of(answer: Answer) -> String {
    let Some(number) = answer else {
        return "ok".to_owned();
    };
    let known = [
        (libc::EPERM, "EPERM"),
        (libc::EACCES, "EACCES"),
        (libc::ENOSYS, "ENOSYS"),
        (libc::EXDEV, "EXDEV"),
        (libc::EINVAL, "EINVAL"),
        (libc::EFAULT, "EFAULT"),
        (libc::EBADF, "EBADF"),
        (libc::ENOTTY, "ENOTTY"),
        (libc::ENOENT, "ENOENT"),
        (libc::EAFNOSUPPORT, "EAFNOSUPPORT"),
        (libc::EPROTONOSUPPORT, "EPROTONOSUPPORT"),
        (libc::ESRCH, "ESRCH"),
        (libc::EIO, "EIO"),
        (libc::EOPNOTSUPP, "EOPNOTSUPP"),
        (KILLED, "killed"),
    ];
    known
        .iter()
        .find(|(errno, _)| *errno == number)
        .map_or_else(|| format!("errno {number}"), |(_, name)| (*name).to_owned())
}
