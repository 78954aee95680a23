//! Opening a repository: found beneath the roots, and nothing of it outside them.

#![expect(
    clippy::disallowed_methods,
    reason = "what libgit2 will open by path is checked by path"
)]

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, OnceLock};

use git2::{ErrorCode, Repository, RepositoryOpenFlags};

use super::GitError;
use super::objects::Store;
use super::settings::{self, Setting, Settings};
use crate::workspace::Roots;

/// The largest configuration file and the like that is read.
const MAX_TEXT: u64 = 1024 * 1024;

/// How deep includes and alternates may nest, and how many entries `.git` may have.
const MAX_DEPTH: usize = 5;
const MAX_ENTRIES: usize = 500_000;

/// An open repository of which every part is inside the roots.
pub struct Repo {
    pub(super) git: Repository,
    pub(super) roots: Roots,
    pub(super) settings: Settings,
    workdir: Option<PathBuf>,
    /// Set when nobody waits any more.
    pub(super) stop: Arc<AtomicBool>,
    /// Opened when it is needed, once for each call.
    pub(super) objects: OnceLock<Store>,
}

impl std::fmt::Debug for Repo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repo")
            .field("path", &self.git.path())
            .finish()
    }
}

impl Repo {
    /// Opens the repository at `path`: its top folder, its `.git`, or a bare one. Nothing above it is looked at.
    ///
    /// # Errors
    ///
    /// When the path is outside the roots, is no repository, belongs to another user, or when a part of the
    /// repository leads outside the roots; the message names that part.
    pub fn open(roots: &Roots, path: &str) -> Result<Self, GitError> {
        let (asked, found) = inside(roots, path)?;
        let mut dir = found;
        if dir.file_name().is_some_and(|name| name == ".git") && dir.join("HEAD").is_file() {
            dir.pop();
            require(roots, &dir, "the folder")?;
        }
        let Some(gitdir) = gitdir_of(roots, &dir)? else {
            let hint = match above(roots, &dir) {
                Some(top) => format!("; it lies in the repository `{}`", top.display()),
                None => "; give the top folder of one".to_owned(),
            };
            return Err(GitError::NotARepository { path: asked, hint });
        };
        Self::open_checked(roots, &dir, &gitdir)
    }

    /// Opens the repository that a folder inside the roots belongs to, looking upward as far as its root.
    ///
    /// # Errors
    ///
    /// As [`Repo::open`].
    pub fn discover(roots: &Roots, path: &str) -> Result<Self, GitError> {
        let (asked, dir) = inside(roots, path)?;
        let top = match gitdir_of(roots, &dir)? {
            Some(_) => Some(dir),
            None => above(roots, &dir),
        };
        let Some(top) = top else {
            return Err(GitError::NotARepository {
                path: asked,
                hint: "; open the folder that holds its `.git`".to_owned(),
            });
        };
        Self::open(roots, &top.to_string_lossy())
    }

    fn open_checked(roots: &Roots, dir: &Path, gitdir: &Path) -> Result<Self, GitError> {
        let common = match read_text(&gitdir.join("commondir"))? {
            None => gitdir.to_owned(),
            Some(text) => real(&gitdir.join(text.trim()), "`commondir`")?,
        };
        require(roots, &common, "`commondir`")?;
        links_stay_inside(roots, &common)?;
        if gitdir != common {
            links_stay_inside(roots, gitdir)?;
        }
        alternates_stay_inside(roots, &common.join("objects"), 0)?;
        let mut local = settings_of(roots, &common.join("config"))?;
        local.extend(settings_of(roots, &gitdir.join("config.worktree"))?);

        // As git does not: hashing every object again when it is read takes a good part of a blame.
        static ONCE: Once = Once::new();
        ONCE.call_once(|| git2::opts::strict_hash_verification(false));
        let flags = RepositoryOpenFlags::NO_SEARCH;
        let none: [&Path; 0] = [];
        let git = Repository::open_ext(dir, flags, none).map_err(|error| match error.code() {
            ErrorCode::Owner => GitError::Owner {
                path: dir.display().to_string(),
            },
            ErrorCode::NotFound => GitError::NotARepository {
                path: dir.display().to_string(),
                hint: String::new(),
            },
            _ => GitError::Failed {
                doing: format!("open the repository `{}`", dir.display()),
                problem: error.message().to_owned(),
            },
        })?;
        // What libgit2 made of it must be what was checked.
        for (opened, checked, what) in [
            (git.path(), gitdir, "`.git`"),
            (git.commondir(), common.as_path(), "`commondir`"),
        ] {
            let opened = real(opened, what)?;
            require(roots, &opened, what)?;
            if opened != checked {
                return Err(GitError::Escapes {
                    what: what.to_owned(),
                    path: opened.display().to_string(),
                });
            }
        }
        let workdir = match git.workdir() {
            None => None,
            Some(path) => {
                let opened = real(path, "`core.worktree`")?;
                require(roots, &opened, "`core.worktree`")?;
                if opened != dir {
                    return Err(GitError::refused(format!(
                        "`core.worktree` points to `{}`; only a repository whose files lie beside its `.git` is opened",
                        opened.display()
                    )));
                }
                Some(opened)
            }
        };
        let settings = Settings::install(&git, &local)?;
        Ok(Self {
            git,
            roots: roots.clone(),
            settings,
            workdir,
            stop: Arc::default(),
            objects: OnceLock::new(),
        })
    }

    /// Ends long work on the history once `stop` is set.
    #[must_use]
    pub fn until(mut self, stop: &Arc<AtomicBool>) -> Self {
        self.stop = Arc::clone(stop);
        self
    }

    /// Says that nobody waits any more, if so.
    pub(super) fn go_on(&self) -> Result<(), GitError> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(GitError::Cancelled),
            false => Ok(()),
        }
    }

    /// Returns the top folder of its files; a bare repository has none.
    ///
    /// # Errors
    ///
    /// When the repository is bare.
    pub fn workdir(&self) -> Result<&Path, GitError> {
        self.workdir.as_deref().ok_or_else(|| {
            GitError::refused("this operation must be run in a work tree; the repository is bare")
        })
    }

    /// Returns the folder of its objects and branches.
    pub fn gitdir(&self) -> &Path {
        self.git.path()
    }
}

/// Finds a path of a caller inside the roots: as it was asked for, and without symlinks.
fn inside(roots: &Roots, path: &str) -> Result<(String, PathBuf), GitError> {
    let outside = || GitError::Outside {
        path: path.to_owned(),
        allowed: allowed(roots),
    };
    let primary = roots
        .primary()
        .ok_or(crate::workspace::RootsError::NoRoots)?;
    // By its words first: whether something exists outside is not told.
    roots.name(path).map_err(|error| match error {
        crate::workspace::RootsError::Outside { .. } => outside(),
        other => other.into(),
    })?;
    let full = primary.join(path);
    let found = fs::canonicalize(&full).map_err(|_| GitError::NotARepository {
        path: path.to_owned(),
        hint: "; there is nothing at this path".to_owned(),
    })?;
    match is_inside(roots, &found) {
        true => Ok((path.to_owned(), found)),
        false => Err(outside()),
    }
}

fn allowed(roots: &Roots) -> String {
    let dirs: Vec<String> = roots
        .dirs()
        .iter()
        .map(|dir| dir.display().to_string())
        .collect();
    dirs.join("', '")
}

fn is_inside(roots: &Roots, path: &Path) -> bool {
    roots.dirs().iter().any(|root| path.starts_with(root))
}

fn require(roots: &Roots, path: &Path, what: &str) -> Result<(), GitError> {
    match is_inside(roots, path) {
        true => Ok(()),
        false => Err(GitError::Escapes {
            what: what.to_owned(),
            path: path.display().to_string(),
        }),
    }
}

fn real(path: &Path, what: &str) -> Result<PathBuf, GitError> {
    fs::canonicalize(path).map_err(|error| GitError::Failed {
        doing: format!("follow {what} to `{}`", path.display()),
        problem: error.to_string(),
    })
}

/// Finds the `.git` of a folder, or the folder itself where it is a bare repository.
fn gitdir_of(roots: &Roots, dir: &Path) -> Result<Option<PathBuf>, GitError> {
    let dot = dir.join(".git");
    let gitdir = match fs::metadata(&dot) {
        Ok(kind) if kind.is_dir() => real(&dot, "`.git`")?,
        Ok(_) => {
            let text = read_text(&real(&dot, "`.git`")?)?.unwrap_or_default();
            let Some(target) = text.strip_prefix("gitdir:") else {
                return Ok(None);
            };
            real(&dir.join(target.trim()), "`.git`")?
        }
        Err(_) if is_bare(dir) => dir.to_owned(),
        Err(_) => return Ok(None),
    };
    require(roots, &gitdir, "`.git`")?;
    Ok(Some(gitdir))
}

fn is_bare(dir: &Path) -> bool {
    dir.join("HEAD").is_file() && dir.join("objects").is_dir() && dir.join("refs").is_dir()
}

/// Finds the nearest folder above that has a `.git`, no higher than the root.
fn above(roots: &Roots, dir: &Path) -> Option<PathBuf> {
    dir.ancestors()
        .skip(1)
        .take_while(|folder| is_inside(roots, folder))
        .find(|folder| folder.join(".git").exists())
        .map(Path::to_owned)
}

/// Reads a small text file if there is one.
fn read_text(path: &Path) -> Result<Option<String>, GitError> {
    let failed = |problem: String| GitError::Failed {
        doing: format!("read `{}`", path.display()),
        problem,
    };
    match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
        Ok(kind) if !kind.is_file() => return Err(failed("it is not a file".to_owned())),
        Ok(kind) if kind.len() > MAX_TEXT => return Err(failed("it is too large".to_owned())),
        Ok(_) => {}
    }
    let bytes = fs::read(path).map_err(|error| failed(error.to_string()))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Refuses a `.git` in which a symlink leads out of the roots: objects would be read, and refs written, elsewhere. One
/// with a pipe in it, too: reading would never end.
fn links_stay_inside(roots: &Roots, gitdir: &Path) -> Result<(), GitError> {
    let mut folders = vec![gitdir.to_owned()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            seen += 1;
            if seen > MAX_ENTRIES {
                return Err(GitError::refused(
                    "`.git` has too many files to be checked; run `git gc` in this repository",
                ));
            }
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                // Repositories of their own: checked when they are opened.
                if folder != gitdir || entry.file_name() != "modules" {
                    folders.push(entry.path());
                }
            } else if kind.is_symlink() {
                let path = entry.path();
                let target = match fs::canonicalize(&path) {
                    Ok(target) => target,
                    // To nothing yet: a write would create it.
                    Err(_) => lexical(&folder, &fs::read_link(&path).unwrap_or_default()),
                };
                require(roots, &target, &format!("`{}`", path.display()))?;
            } else if kind.is_fifo() || kind.is_char_device() || kind.is_block_device() {
                // Whoever opens it may wait for ever. A socket cannot be opened, and git's own file monitor has one.
                return Err(GitError::refused(format!(
                    "`{}` is a pipe or a device, which git never makes; remove it",
                    entry.path().display()
                )));
            }
        }
    }
    Ok(())
}

fn lexical(folder: &Path, target: &Path) -> PathBuf {
    let mut path = PathBuf::new();
    for part in folder.join(target).components() {
        match part {
            std::path::Component::ParentDir => drop(path.pop()),
            std::path::Component::CurDir => {}
            part => path.push(part),
        }
    }
    path
}

/// Refuses object stores outside the roots that this one borrows from.
fn alternates_stay_inside(roots: &Roots, objects: &Path, depth: usize) -> Result<(), GitError> {
    let Some(text) = read_text(&objects.join("info/alternates"))? else {
        return Ok(());
    };
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let what = "`objects/info/alternates`";
        let other = fs::canonicalize(objects.join(line))
            .unwrap_or_else(|_| lexical(objects, Path::new(line)));
        require(roots, &other, what)?;
        if depth >= MAX_DEPTH {
            return Err(GitError::refused(format!("{what} nests too deep")));
        }
        links_stay_inside(roots, &other)?;
        alternates_stay_inside(roots, &other, depth + 1)?;
    }
    Ok(())
}

/// Reads a configuration file and refuses one that includes files outside the roots. What it includes is not used.
fn settings_of(roots: &Roots, path: &Path) -> Result<Vec<Setting>, GitError> {
    let Some(text) = read_text(path)? else {
        return Ok(Vec::new());
    };
    let settings = settings::parse(&text).map_err(|problem| GitError::Failed {
        doing: format!("read `{}`", path.display()),
        problem,
    })?;
    includes_stay_inside(roots, path, &settings, 0)?;
    Ok(settings)
}

fn includes_stay_inside(
    roots: &Roots,
    path: &Path,
    settings: &[Setting],
    depth: usize,
) -> Result<(), GitError> {
    for setting in settings {
        let name = &setting.name;
        if !(name == "include.path" || name.starts_with("includeif.") && name.ends_with(".path")) {
            continue;
        }
        let what = format!("`include.path` in `{}`", path.display());
        let folder = path.parent().unwrap_or(path);
        // A home directory or a prefix is never taken for a folder of the repository.
        if setting.value.starts_with(['~', '%']) {
            return Err(GitError::Escapes {
                what,
                path: setting.value.clone(),
            });
        }
        let target = fs::canonicalize(folder.join(&setting.value))
            .unwrap_or_else(|_| lexical(folder, Path::new(&setting.value)));
        require(roots, &target, &what)?;
        if depth >= MAX_DEPTH {
            return Err(GitError::refused(format!("{what} nests too deep")));
        }
        if let Some(text) = read_text(&target)? {
            let inner = settings::parse(&text).map_err(|problem| GitError::Failed {
                doing: format!("read `{}`", target.display()),
                problem,
            })?;
            includes_stay_inside(roots, &target, &inner, depth + 1)?;
        }
    }
    Ok(())
}
