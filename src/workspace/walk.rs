//! Walking beneath a root as ripgrep does: on all cores, without what `.gitignore` leaves out.

use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ignore::overrides::{Override, OverrideBuilder};
use ignore::types::{Types, TypesBuilder};
use ignore::{WalkBuilder, WalkState};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, statat};

use super::beneath::{self, Links};
use super::pattern::Patterns;
use super::roots::Place;
use super::temp;

/// More threads than this wait for each other and for the disk.
const MAX_THREADS: usize = 8;

/// The most paths that are held, whatever the limit: beyond it even the order is given up.
const MAX_HELD: usize = 2_000_000;

/// Which files of a walk are wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Narrow {
    types: Option<Types>,
    globs: Option<Override>,
}

/// What a walk found, in the order of its bytes.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Relative to the root.
    pub(super) paths: Vec<String>,
    /// The folders that were walked, wanted or not.
    pub(super) folders: Vec<String>,
    /// There is more than the limit.
    pub(super) truncated: bool,
}

impl Narrow {
    /// Narrows a walk to types and globs by ripgrep's rules. The error says what is wrong with them.
    pub(super) fn to(
        place: &Place<'_>,
        types: &[String],
        globs: &[String],
    ) -> Result<Self, String> {
        let mut narrow = Self::default();
        if !types.is_empty() {
            let mut builder = TypesBuilder::new();
            builder.add_defaults();
            for name in types {
                builder.select(name);
            }
            let types = builder.build().map_err(|_| {
                format!(
                    "one of the types `{}` is not known; types are names such as `rust`, `py`, `js`, `md`",
                    types.join("`, `")
                )
            })?;
            narrow.types = Some(types);
        }
        if !globs.is_empty() {
            let mut builder = OverrideBuilder::new(place.root.path.join(&place.path));
            for glob in globs {
                builder.add(glob).map_err(|error| error.to_string())?;
            }
            narrow.globs = Some(builder.build().map_err(|error| error.to_string())?);
        }
        Ok(narrow)
    }
}

/// Returns how many threads a walk or a search runs on.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_THREADS))
}

/// Prepares a walk of a directory inside its root. Symlinks are not followed, and nothing above the root is read: the
/// ignore files of the folders around it are not this project's.
pub(super) fn builder(place: &Place<'_>, narrow: &Narrow) -> WalkBuilder {
    let mut builder = WalkBuilder::new(place.root.path.join(&place.path));
    builder
        .hidden(false)
        .parents(false)
        .git_global(false)
        .require_git(false)
        .follow_links(false)
        .filter_entry(|entry| entry.file_name() != ".git");
    if let Some(types) = &narrow.types {
        builder.types(types.clone());
    }
    if let Some(globs) = &narrow.globs {
        builder.overrides(globs.clone());
    }
    if !place.path.is_empty() {
        // With `parents` off, the root's own ignore files would not reach a walk that starts below it.
        let mut at = place.root.path.clone();
        for part in place.path.split('/') {
            for name in [".gitignore", ".ignore"] {
                let file = at.join(name);
                if file.is_file() {
                    let _ = builder.add_ignore(file);
                }
            }
            at.push(part);
        }
    }
    builder
}

/// Whether a link to a file inside the root counts as a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Linked {
    Listed,
    /// It would only be found twice.
    LeftOut,
}

/// Finds the files beneath a directory; the first `limit` of them in the order of their bytes.
pub(super) fn files(
    place: &Place<'_>,
    narrow: &Narrow,
    linked: Linked,
    cancel: &AtomicBool,
    limit: usize,
) -> Walked {
    collect(
        place,
        builder(place, narrow),
        cancel,
        limit,
        |_, path, kind| {
            kind.is_file()
                || (linked == Linked::Listed
                    && kind.is_symlink()
                    && leads_to(place, path, &[FileType::RegularFile]))
        },
    )
}

/// Finds the files and directories beneath a directory whose path below it matches, but for those that are left out
/// with all that is in them.
pub(super) fn matching(
    place: &Place<'_>,
    wanted: &Patterns,
    left_out: &Patterns,
    cancel: &AtomicBool,
    limit: usize,
) -> Walked {
    let mut builder = builder(place, &Narrow::default());
    if !left_out.is_empty() {
        let base = place.root.path.join(&place.path);
        let left_out = left_out.clone();
        builder.filter_entry(move |entry| {
            let below = below(&base, entry.path()).unwrap_or_default();
            entry.file_name() != ".git" && (below.is_empty() || !left_out.matches(below))
        });
    }
    let above = match place.path.as_str() {
        "" => 0,
        path => path.len() + 1,
    };
    collect(place, builder, cancel, limit, |near, path, kind| {
        const INSIDE: &[FileType] = &[FileType::RegularFile, FileType::Directory];
        path.get(above..).is_some_and(|below| wanted.matches(below))
            && ((kind.is_file() || kind.is_dir()) && near.stands(place, path)
                || (kind.is_symlink() && leads_to(place, path, INSIDE)))
    })
}

/// Finds what dead processes may have left beneath a directory.
pub(super) fn leftovers(place: &Place<'_>, cancel: &AtomicBool) -> Vec<String> {
    let builder = builder(place, &Narrow::default());
    collect(place, builder, cancel, MAX_HELD, |_, path, kind| {
        let name = path.rsplit('/').next().unwrap_or(path);
        kind.is_file() && temp::leftover(name).is_some()
    })
    .paths
}

/// Finds them in one directory alone, whatever `.gitignore` says.
pub(super) fn names_in(place: &Place<'_>) -> Vec<String> {
    let Ok(dir) = beneath::open_directory(&place.root.dir, &place.path) else {
        return Vec::new();
    };
    let entries = rustix::fs::Dir::read_from(&dir).into_iter().flatten();
    entries
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str().ok()?.to_owned()))
        .filter(|name| temp::leftover(name).is_some())
        .collect()
}

fn collect(
    place: &Place<'_>,
    mut builder: WalkBuilder,
    cancel: &AtomicBool,
    limit: usize,
    wanted: impl Fn(&mut Near, &str, std::fs::FileType) -> bool + Sync,
) -> Walked {
    let all: Mutex<Walked> = Mutex::default();
    let count = AtomicUsize::new(0);
    builder.threads(threads()).build_parallel().run(|| {
        let mut mine = Mine {
            found: Walked::default(),
            near: Near::default(),
            all: &all,
        };
        let (wanted, count) = (&wanted, &count);
        Box::new(move |entry| {
            if cancel.load(Ordering::Relaxed) || count.load(Ordering::Relaxed) > MAX_HELD {
                return WalkState::Quit;
            }
            let Ok(entry) = entry else {
                return WalkState::Continue;
            };
            if let (Some(path), Some(kind)) =
                (below(&place.root.path, entry.path()), entry.file_type())
                && entry.depth() > 0
            {
                if kind.is_dir() {
                    mine.found.folders.push(path.to_owned());
                }
                if wanted(&mut mine.near, path, kind) {
                    mine.found.paths.push(path.to_owned());
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
            WalkState::Continue
        })
    });
    let mut walked = all
        .into_inner()
        .unwrap_or_else(|poison| poison.into_inner());
    walked.truncated = walked.paths.len() > limit;
    for list in [&mut walked.paths, &mut walked.folders] {
        list.sort_unstable();
        list.truncate(limit);
    }
    walked.truncated |= cancel.load(Ordering::Relaxed);
    walked
}

/// Returns what a walked path is below a folder that it begins with. `Path::strip_prefix` takes both apart name by name,
/// which shows where there are very many; a walk only ever appends to what it was given.
fn below<'a>(folder: &Path, path: &'a Path) -> Option<&'a str> {
    let folder = folder.as_os_str().as_bytes();
    let rest = path.as_os_str().as_bytes().strip_prefix(folder)?;
    let rest = match rest.strip_prefix(b"/") {
        Some(rest) => rest,
        None if rest.is_empty() || folder.ends_with(b"/") => rest,
        None => return None,
    };
    std::str::from_utf8(rest).ok()
}

/// What one thread found; handed over when the thread is done.
struct Mine<'a> {
    found: Walked,
    near: Near,
    all: &'a Mutex<Walked>,
}

impl Drop for Mine<'_> {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(|poison| poison.into_inner());
        all.paths.append(&mut self.found.paths);
        all.folders.append(&mut self.found.folders);
    }
}

/// The folder that a thread looked into last, opened beneath the root. A walk hands out what is in a folder in a row.
#[derive(Default)]
struct Near {
    folder: String,
    opened: Option<OwnedFd>,
}

impl Near {
    /// Tells whether a walked entry is there beneath its root, through no symlink: the walk goes by names, and a folder
    /// may have been swapped for a link that leads outside.
    fn stands(&mut self, place: &Place<'_>, path: &str) -> bool {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if self.opened.is_none() || self.folder != folder {
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            let dir = &place.root.dir;
            self.opened = beneath::open(dir, folder, flags, Mode::empty(), Links::Refuse).ok();
            folder.clone_into(&mut self.folder);
        }
        self.opened
            .as_ref()
            .is_some_and(|folder| statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok())
    }
}

/// Tells whether a link leads to one of these kinds, inside its root.
pub(super) fn leads_to(place: &Place<'_>, path: &str, kinds: &[FileType]) -> bool {
    beneath::stat(&place.root.dir, &place.root.path, path)
        .is_ok_and(|stat| kinds.contains(&FileType::from_raw_mode(stat.st_mode)))
}
