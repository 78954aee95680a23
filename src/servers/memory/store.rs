//! The memory file: where it is, who writes it, and that nothing of it is lost.
//!
//! The place is decided once: the folder is opened at the start and held, the name is fixed, and a link put there later
//! is refused, so that a memory tool can never be led to another file. Processes take turns by a lock file beside it;
//! whoever has the lock looks again at what the others wrote, plans on that, and writes: new lines are added at the
//! end, anything else makes a new file that takes the old one's place. Both are on the disk before a call is answered.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{
    AtFlags, FlockOperation, Mode, OFlags, Stat, fchmod, flock, fstat, fsync, openat, renameat,
    statat, unlinkat,
};
use rustix::io::Errno;
use tokio::sync::watch;

use super::graph::{Change, Graph};

/// The largest file that is read.
const LARGEST: u64 = 512 * 1024 * 1024;

/// How long another process may have the file to itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a write is planned again because a process that takes no lock changed the file meanwhile.
const ATTEMPTS: usize = 20;

/// A memory file that could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    #[error("cannot keep memory in `{0}`: a memory file is named `*.jsonl` or `*.json`")]
    Name(PathBuf),
    #[error("cannot use the folder of the memory file `{path}`: {source}")]
    Folder {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot {doing} the memory file `{path}`: {source}")]
    File {
        doing: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot use the memory file `{0}`: it became a link, a folder or a device")]
    Irregular(PathBuf),
    #[error("cannot use the memory file `{0}`: it is larger than 512 MiB")]
    TooLarge(PathBuf),
    #[error(
        "nothing was written to `{0}`: it holds something else than memory; name another file with MEMORY_FILE_PATH"
    )]
    SomethingElse(PathBuf),
    #[error("another process keeps the memory file `{0}` to itself; nothing was done, try again")]
    Busy(PathBuf),
    #[error("nothing was written to `{0}`: another program rewrites it all the time; try again")]
    Contended(PathBuf),
    /// The call asks for what cannot be done; nothing was written.
    #[error("{0}")]
    Refused(String),
}

/// A memory file and what is known of it.
#[derive(Debug)]
pub struct Store {
    place: Place,
    state: Mutex<State>,
    revision: watch::Sender<u64>,
}

/// Where the file is: a folder that is held open, and a name in it.
#[derive(Debug)]
struct Place {
    dir: OwnedFd,
    name: String,
    shown: PathBuf,
}

#[derive(Debug, Default)]
struct State {
    graph: Graph,
    seen: Option<Seen>,
}

/// The file as it was read. It stays open: its number cannot be given to another file, which could be taken for it.
#[derive(Debug)]
struct Seen {
    _file: File,
    stamp: Stamp,
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl Store {
    /// Opens the memory file at a path, which need not exist yet. A link is followed now and never again.
    ///
    /// # Errors
    /// When the name is not a memory file's, or its folder cannot be used.
    pub fn open(path: &Path) -> Result<Self, MemoryError> {
        let folder_error = |source| MemoryError::Folder {
            path: path.to_owned(),
            source,
        };
        let resolved = match path.canonicalize() {
            Ok(resolved) => resolved,
            Err(_) => {
                let parent = path.parent().filter(|dir| !dir.as_os_str().is_empty());
                let parent = parent.unwrap_or(Path::new("."));
                make_folder(parent).map_err(folder_error)?;
                let name = path
                    .file_name()
                    .ok_or_else(|| MemoryError::Name(path.to_owned()))?;
                parent.canonicalize().map_err(folder_error)?.join(name)
            }
        };
        let extension = resolved
            .extension()
            .and_then(|extension| extension.to_str());
        let name = resolved.file_name().and_then(|name| name.to_str());
        let (Some("jsonl" | "json"), Some(name), Some(dir)) = (extension, name, resolved.parent())
        else {
            return Err(MemoryError::Name(path.to_owned()));
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(dir, flags, Mode::empty())
            .map_err(|error| folder_error(error.into()))?;
        Ok(Self {
            place: Place {
                dir,
                name: name.to_owned(),
                shown: resolved,
            },
            state: Mutex::default(),
            revision: watch::Sender::new(0),
        })
    }

    /// Returns where the file is.
    pub fn path(&self) -> &Path {
        &self.place.shown
    }

    /// Lists the names of what there are notes about.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn names(&self) -> Result<Vec<String>, MemoryError> {
        self.read(|graph| {
            let entities = graph.all_entities().filter_map(|id| graph.entity(id));
            entities.map(|entity| entity.name).collect()
        })
    }

    /// Reads from the graph as it is in the file now.
    pub(super) fn read<T>(&self, ask: impl FnOnce(&Graph) -> T) -> Result<T, MemoryError> {
        let mut state = self.lock_state();
        if self.is_stale(&state)? {
            // Only a reader of a changed file has to wait for a writer to end its line. A folder that cannot hold a
            // lock file is not written to either.
            let _turn = match self.place.take_turn(FlockOperation::NonBlockingLockShared) {
                Err(MemoryError::File { .. }) => None,
                turn => Some(turn?),
            };
            self.refresh(&mut state)?;
        }
        Ok(ask(&state.graph))
    }

    /// Changes the graph: plans on what is in the file now, and writes the plan. The plan may be made several times.
    pub(super) fn change<T>(
        &self,
        plan: impl Fn(&Graph) -> Result<(Change, T), MemoryError>,
    ) -> Result<T, MemoryError> {
        let mut state = self.lock_state();
        let _turn = self
            .place
            .take_turn(FlockOperation::NonBlockingLockExclusive)?;
        for _ in 0..ATTEMPTS {
            if self.is_stale(&state)? {
                self.refresh(&mut state)?;
            }
            let (change, planned) = plan(&state.graph)?;
            if change.is_empty() {
                return Ok(planned);
            }
            if state.graph.is_something_else() {
                return Err(MemoryError::SomethingElse(self.place.shown.clone()));
            }
            let before = state.seen.as_ref().map(|seen| seen.stamp);
            let written = match change.only_adds() {
                true => self.place.add(before, &change.added)?,
                false => None,
            };
            let written = match written {
                Some(written) => Some(written),
                None => self.place.replace(before, &state.graph.with(&change))?,
            };
            // A program that takes no lock came in between: look again, and plan on what it left.
            let Some(seen) = written else {
                state.seen = None;
                continue;
            };
            state.graph.apply(&change);
            state.seen = Some(seen);
            self.revision.send_modify(|revision| *revision += 1);
            return Ok(planned);
        }
        Err(MemoryError::Contended(self.place.shown.clone()))
    }

    /// Returns the number of the newest change, after a look at the file.
    pub(super) fn revision(&self) -> u64 {
        // A file that cannot be read now has no news; whoever reads it is told why.
        let _ = self.read(|_| ());
        *self.revision.borrow()
    }

    /// Tells of each change that this process makes or finds.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        match self.state.lock() {
            Ok(state) => state,
            // What broke while it held the state may have left it half changed: read the file again.
            Err(poisoned) => {
                let mut state = PoisonError::into_inner(poisoned);
                *state = State::default();
                self.state.clear_poison();
                state
            }
        }
    }

    fn is_stale(&self, state: &State) -> Result<bool, MemoryError> {
        let seen = state.seen.as_ref().map(|seen| seen.stamp);
        Ok(self.place.stamp()? != seen)
    }

    fn refresh(&self, state: &mut State) -> Result<(), MemoryError> {
        match self.place.read()? {
            None => {
                state.graph = Graph::default();
                state.seen = None;
            }
            Some((seen, bytes)) => {
                state.graph.reload(&bytes);
                state.seen = Some(seen);
                let damaged = state.graph.damaged().len();
                if damaged > 0 {
                    let path = self.place.shown.display();
                    tracing::warn!(
                        "{damaged} lines of `{path}` cannot be read; they are left out and kept"
                    );
                }
            }
        }
        self.revision.send_modify(|revision| *revision += 1);
        Ok(())
    }
}

impl Place {
    fn failed(&self, doing: &'static str, source: impl Into<std::io::Error>) -> MemoryError {
        MemoryError::File {
            doing,
            path: self.shown.clone(),
            source: source.into(),
        }
    }

    /// Opens a file of the folder that is neither a link nor something that could block.
    fn open(&self, name: &str, flags: OFlags) -> Result<Option<(File, Stat)>, MemoryError> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match openat(&self.dir, name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => {
                return Err(MemoryError::Irregular(self.shown.clone()));
            }
            Err(error) => return Err(self.failed("open", error)),
        };
        let stat = fstat(&file).map_err(|error| self.failed("look at", error))?;
        if !is_regular(&stat) {
            return Err(MemoryError::Irregular(self.shown.clone()));
        }
        Ok(Some((file, stat)))
    }

    /// Waits for this process's turn at the file. The turn ends when what is returned is dropped.
    fn take_turn(&self, kind: FlockOperation) -> Result<File, MemoryError> {
        let name = format!(".{}.lock", self.name);
        let Some((file, _)) = self.open(&name, OFlags::RDWR | OFlags::CREATE)? else {
            return Err(self.failed("lock", Errno::NOENT));
        };
        let (began, mut pause) = (Instant::now(), Duration::from_micros(200));
        loop {
            match flock(&file, kind) {
                Ok(()) => return Ok(file),
                Err(Errno::WOULDBLOCK | Errno::INTR) if began.elapsed() < PATIENCE => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(10));
                }
                Err(Errno::WOULDBLOCK) => return Err(MemoryError::Busy(self.shown.clone())),
                Err(error) => return Err(self.failed("lock", error)),
            }
        }
    }

    fn stamp(&self) -> Result<Option<Stamp>, MemoryError> {
        match statat(&self.dir, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if is_regular(&stat) => Ok(Some(Stamp::of(&stat))),
            Ok(_) => Err(MemoryError::Irregular(self.shown.clone())),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.failed("look at", error)),
        }
    }

    fn read(&self) -> Result<Option<(Seen, Vec<u8>)>, MemoryError> {
        let Some((mut file, stat)) = self.open(&self.name, OFlags::RDONLY)? else {
            return Ok(None);
        };
        let stamp = Stamp::of(&stat);
        if stamp.size > LARGEST {
            return Err(MemoryError::TooLarge(self.shown.clone()));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(stamp.size).unwrap_or_default());
        (&mut file)
            .take(LARGEST)
            .read_to_end(&mut bytes)
            .map_err(|error| self.failed("read", error))?;
        Ok(Some((Seen { _file: file, stamp }, bytes)))
    }

    /// Adds lines at the end of the file. Returns nothing where the file is not the one that the plan was made on, or
    /// where it has another name besides: what is behind that name is not to be written to.
    fn add(&self, before: Option<Stamp>, lines: &[Vec<u8>]) -> Result<Option<Seen>, MemoryError> {
        let flags = OFlags::RDWR | OFlags::APPEND;
        let opened = match before {
            Some(_) => self.open(&self.name, flags)?,
            None => self.open(&self.name, flags | OFlags::CREATE)?,
        };
        let Some((mut file, stat)) = opened else {
            return Ok(None);
        };
        let length = Stamp::of(&stat).size;
        let unchanged = before.map_or(length == 0, |before| before == Stamp::of(&stat));
        if !unchanged || stat.st_nlink != 1 {
            return Ok(None);
        }
        if stat.st_mode & 0o077 != 0 {
            fchmod(&file, Mode::RUSR | Mode::WUSR).map_err(|error| self.failed("write", error))?;
        }
        let mut bytes = lines.join(&b'\n');
        if length > 0 && !self.ends_a_line(&file, length)? {
            bytes.insert(0, b'\n');
        }
        if let Err(error) = file.write_all(&bytes).and_then(|()| file.sync_data()) {
            // Half a line is worse than none.
            let _ = file.set_len(length);
            return Err(self.failed("write", error));
        }
        if before.is_none() {
            let _ = fsync(&self.dir);
        }
        let stat = fstat(&file).map_err(|error| self.failed("look at", error))?;
        Ok(Some(Seen {
            stamp: Stamp::of(&stat),
            _file: file,
        }))
    }

    fn ends_a_line(&self, file: &File, length: u64) -> Result<bool, MemoryError> {
        let mut last = [0_u8; 1];
        rustix::io::pread(file, &mut last, length - 1)
            .map_err(|error| self.failed("read", error))?;
        Ok(last == *b"\n")
    }

    /// Puts a new file in the old one's place. Returns nothing where the old one is not the one that the plan was made
    /// on.
    fn replace(&self, before: Option<Stamp>, bytes: &[u8]) -> Result<Option<Seen>, MemoryError> {
        // Whoever writes has the turn, so that what lies under this name was left behind by a writer that was killed.
        let name = format!(".{}.tmp", self.name);
        let remove = || {
            let _ = unlinkat(&self.dir, &name, AtFlags::empty());
        };
        remove();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        let Some((mut file, _)) = self.open(&name, flags)? else {
            return Err(self.failed("write", Errno::NOENT));
        };
        if let Err(error) = file.write_all(bytes).and_then(|()| file.sync_all()) {
            remove();
            return Err(self.failed("write", error));
        }
        match self.stamp() {
            Ok(now) if now == before => {}
            other => {
                remove();
                return other.map(|_| None);
            }
        }
        if let Err(error) = renameat(&self.dir, &name, &self.dir, &self.name) {
            remove();
            return Err(self.failed("write", error));
        }
        let _ = fsync(&self.dir);
        let stat = fstat(&file).map_err(|error| self.failed("look at", error))?;
        Ok(Some(Seen {
            stamp: Stamp::of(&stat),
            _file: file,
        }))
    }
}

impl Stamp {
    #[expect(
        clippy::unnecessary_cast,
        reason = "the fields have other types on other systems"
    )]
    fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size: stat.st_size as u64,
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as u64),
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as u64),
        }
    }
}

fn is_regular(stat: &Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::RegularFile
}

/// Makes a folder that only its owner sees, with those above it, where it is not there.
fn make_folder(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}
