//! Writing, creating and removing one file, as a compare-and-swap on its bytes.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt as _;

use rustix::fs::{
    Access, AtFlags, Mode, OFlags, RenameFlags, Stat, accessat, fstat, mkdirat, openat,
    renameat_with, statat, unlinkat,
};
use rustix::io::Errno;

use super::protect::is_protected;
use super::roots::{MAX_FILE_BYTES, Place, Roots, RootsError, regular};
use super::temp::{self, Likeness, Temp};
use super::{beneath, hash_of};
use crate::protocol::Hash;

/// Why a file was not written. Unless it says otherwise, the file is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    #[error("cannot write `{path}`: it changed since the change was planned; read it again")]
    BaseChanged { path: String },
    #[error("cannot write `{path}`: nothing under `.git` is changed by walden's tools")]
    Protected { path: String },
    #[error("cannot write `{path}`: it is read-only")]
    ReadOnly { path: String },
    #[error("cannot write `{path}`: {size} bytes are more than the {limit} that are written")]
    TooLarge { path: String, size: u64, limit: u64 },
    #[error("cannot {doing} `{path}`: {source}")]
    Io {
        path: String,
        doing: &'static str,
        source: std::io::Error,
    },
    #[error(transparent)]
    Roots(#[from] RootsError),
}

/// Where a write goes: its symlinks followed, its directory not yet opened.
#[derive(Debug)]
pub(super) struct Target<'a> {
    place: Place<'a>,
    /// The path as it is shown.
    pub(super) name: String,
    parent: String,
    pub(super) file: String,
}

impl<'a> Target<'a> {
    /// Finds where a write to `path` goes, and refuses what is never written.
    pub(super) fn of(roots: &'a Roots, path: &str) -> Result<Self, WriteError> {
        let asked = roots.place(path)?;
        let place = roots.real(&asked)?;
        let name = place.name();
        if path.ends_with('/') || place.path.is_empty() {
            return Err(RootsError::IsDirectory { path: name }.into());
        }
        // By the name that was asked for, and by the one that it leads to.
        if is_protected(&place.path) || is_protected(&asked.path) {
            return Err(WriteError::Protected { path: name });
        }
        Ok(Self::at(place))
    }

    /// Finds the entry itself: the symlinks of its directory are followed, the entry is not.
    pub(super) fn itself(roots: &'a Roots, path: &str) -> Result<Self, WriteError> {
        let asked = roots.place(path.trim_end_matches('/'))?;
        let Some(file) = asked
            .path
            .rsplit('/')
            .next()
            .filter(|file| !file.is_empty())
        else {
            // A root stays where it is.
            return Err(RootsError::IsDirectory { path: asked.name() }.into());
        };
        let above = asked.path[..asked.path.len() - file.len()].trim_end_matches('/');
        let above = roots.real(&asked.at(above.to_owned()))?;
        let place = match above.path.as_str() {
            "" => asked.at(file.to_owned()),
            above => asked.at(format!("{above}/{file}")),
        };
        if is_protected(&place.path) || is_protected(&asked.path) {
            return Err(WriteError::Protected { path: place.name() });
        }
        Ok(Self::at(place))
    }

    fn at(place: Place<'a>) -> Self {
        let name = place.name();
        let (parent, file) = place.path.rsplit_once('/').unwrap_or(("", &place.path));
        let (parent, file) = (parent.to_owned(), file.to_owned());
        Self {
            place,
            name,
            parent,
            file,
        }
    }

    /// Opens the directory of the target through no symlink, creating what is missing if asked to.
    pub(super) fn directory(&self, missing: Missing) -> Result<OwnedFd, WriteError> {
        let root = &self.place.root.dir;
        match beneath::open_directory(root, &self.parent) {
            Ok(dir) => return Ok(dir),
            Err(Errno::NOENT) if missing == Missing::Create => {}
            Err(errno) => return Err(self.failed("open the directory of", errno)),
        }
        let mut dir = beneath::open_directory(root, "")
            .map_err(|errno| self.failed("open the directory of", errno))?;
        for part in self.parent.split('/') {
            match mkdirat(&dir, part, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(self.failed("create the directory of", errno)),
            }
            let inner = beneath::open_directory(&dir, part)
                .map_err(|errno| self.failed("open the directory of", errno))?;
            let _ = rustix::fs::fsync(&dir);
            dir = inner;
        }
        Ok(dir)
    }

    /// Opens what stands at the target, if anything does.
    fn existing(&self, dir: &OwnedFd) -> Result<Option<(File, Stat)>, WriteError> {
        open_in(dir, &self.file, OFlags::RDONLY)
            .and_then(|found| match found {
                None => Ok(None),
                Some(file) => fstat(&file).map(|stat| Some((file, stat))),
            })
            .map_err(|errno| self.failed("read", errno))?
            .map(|(file, stat)| {
                regular(&self.name, stat.st_mode)?;
                Ok((file, stat))
            })
            .transpose()
    }

    pub(super) fn failed(
        &self,
        doing: &'static str,
        source: impl Into<std::io::Error>,
    ) -> WriteError {
        WriteError::Io {
            path: self.name.clone(),
            doing,
            source: source.into(),
        }
    }

    /// Tells whether anything stands at the target, whatever it is.
    pub(super) fn stands(&self) -> Result<bool, WriteError> {
        match self.directory(Missing::Fail) {
            Ok(dir) => Ok(statat(&dir, &self.file, AtFlags::SYMLINK_NOFOLLOW).is_ok()),
            Err(WriteError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Ok(false)
            }
            Err(other) => Err(other),
        }
    }

    /// Gives the file that stands at the target other permissions.
    pub(super) fn set_mode(&self, mode: u32) -> Result<(), WriteError> {
        let dir = self.directory(Missing::Fail)?;
        let Some((file, _)) = self.existing(&dir)? else {
            return Err(self.changed());
        };
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode & 0o777))
            .map_err(|errno| self.failed("set the mode of", errno))?;
        let _ = file.sync_all();
        Ok(())
    }

    fn changed(&self) -> WriteError {
        WriteError::BaseChanged {
            path: self.name.clone(),
        }
    }

    /// Refuses a file that is marked read-only, which a rename would not notice.
    fn writable(&self, dir: &OwnedFd, stat: &Stat, guarded: Guarded) -> Result<(), WriteError> {
        if guarded == Guarded::NotEvenReadOnly {
            return Ok(());
        }
        let denied = accessat(dir, &self.file, Access::WRITE_OK, AtFlags::EACCESS).is_err();
        if stat.st_mode & 0o222 == 0 || denied {
            return Err(WriteError::ReadOnly {
                path: self.name.clone(),
            });
        }
        Ok(())
    }
}

/// What a file is guarded by besides its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Guarded {
    /// A file that is marked read-only is not written.
    #[default]
    ReadOnly,
    /// It is written all the same, and keeps its mark: somebody asked for that.
    NotEvenReadOnly,
}

/// Whether missing directories are created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Create,
    Fail,
}

/// Makes the file at `path` hold exactly `bytes` (`None`: removes it), if it still has the hash `base` (`None`: if
/// nothing stands there). `mode` is for a file that is created.
///
/// # Errors
///
/// [`WriteError::BaseChanged`] when something else changed the file first; its version stays.
pub(super) fn put(
    roots: &Roots,
    path: &str,
    base: Option<&Hash>,
    bytes: Option<&[u8]>,
    mode: Option<u32>,
    guarded: Guarded,
) -> Result<(), WriteError> {
    let target = Target::of(roots, path)?;
    let size = bytes.map_or(0, |bytes| bytes.len() as u64);
    if size > MAX_FILE_BYTES {
        return Err(WriteError::TooLarge {
            path: target.name,
            size,
            limit: MAX_FILE_BYTES,
        });
    }
    match (base, bytes) {
        (None, Some(bytes)) => create(&target, bytes, mode),
        (Some(base), Some(bytes)) => replace(&target, base, bytes, guarded),
        (Some(base), None) => remove(&target, base),
        (None, None) => Ok(()),
    }
}

/// Says early what [`put`] would refuse, so that nobody is asked about a change that cannot be made.
pub(super) fn check(roots: &Roots, path: &str, guarded: Guarded) -> Result<String, WriteError> {
    let target = Target::of(roots, path)?;
    match target.directory(Missing::Fail) {
        Ok(dir) => {
            if let Some((_, stat)) = target.existing(&dir)? {
                target.writable(&dir, &stat, guarded)?;
            }
        }
        Err(WriteError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
        Err(other) => return Err(other),
    }
    Ok(target.name)
}

fn create(target: &Target<'_>, bytes: &[u8], mode: Option<u32>) -> Result<(), WriteError> {
    let dir = target.directory(Missing::Create)?;
    if target.existing(&dir)?.is_some() {
        return Err(target.changed());
    }
    // Less what the user's umask takes away.
    let mode = Mode::from_raw_mode(mode.unwrap_or(0o666) & 0o777);
    let mut temp = Temp::new(dir.as_fd(), mode).map_err(|errno| target.failed("create", errno))?;
    temp.fill(bytes)
        .map_err(|error| target.failed("write", error))?;
    match temp.place(&target.file) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Err(target.changed()),
        Err(errno) => return Err(target.failed("create", errno)),
    }
    sync(&dir);
    Ok(())
}

fn replace(
    target: &Target<'_>,
    base: &Hash,
    bytes: &[u8],
    guarded: Guarded,
) -> Result<(), WriteError> {
    let dir = match target.directory(Missing::Fail) {
        Err(WriteError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(target.changed());
        }
        other => other?,
    };
    let Some((file, stat)) = target.existing(&dir)? else {
        return Err(target.changed());
    };
    target.writable(&dir, &stat, guarded)?;
    expect(target, &file, base)?;
    if stat.st_nlink > 1 {
        // Another name of the same file keeps meaning the same file.
        return overwrite(target, &dir, &stat, bytes);
    }
    // Private until it has the mode of the file that it replaces.
    let mut temp = Temp::new(dir.as_fd(), Mode::from_raw_mode(0o600))
        .map_err(|errno| target.failed("write", errno))?;
    temp.fill(bytes)
        .map_err(|error| target.failed("write", error))?;
    match temp.resemble(&file, &stat) {
        Ok(Likeness::Same) => {}
        Ok(Likeness::OwnerDiffers) => {
            drop(temp);
            return overwrite(target, &dir, &stat, bytes);
        }
        Err(errno) => return Err(target.failed("set the mode of", errno)),
    }
    swap(target, &dir, &mut temp, base)?;
    sync(&dir);
    Ok(())
}

/// Puts the temporary file in the target's place, if what it displaces is what was expected.
///
/// Checking first and renaming then would lose what another program saves in between. So both files are exchanged,
/// what came out is looked at, and put back if it is not the base. What remains open is a program that holds the old
/// file open and writes to it later.
fn swap(
    target: &Target<'_>,
    dir: &OwnedFd,
    temp: &mut Temp<'_>,
    base: &Hash,
) -> Result<(), WriteError> {
    match temp.exchange(&target.file) {
        Ok(()) => {}
        Err(Errno::NOENT) => return Err(target.changed()),
        Err(errno) if temp::unsupported(errno) => {
            let Some((file, _)) = target.existing(dir)? else {
                return Err(target.changed());
            };
            expect(target, &file, base)?;
            return temp
                .replace(&target.file)
                .map_err(|errno| target.failed("write", errno));
        }
        Err(errno) => return Err(target.failed("write", errno)),
    }
    if holds(dir, temp.name(), base) {
        return Ok(());
    }
    temp.exchange(&target.file)
        .map_err(|errno| target.failed("put back", errno))?;
    if !temp.is_home().unwrap_or(true) {
        // Somebody saved over our version meanwhile: theirs is the newest, and goes back to its name.
        let _ = temp.exchange(&target.file);
    }
    Err(target.changed())
}

/// Writes into the file as it stands, for files whose identity must stay.
fn overwrite(
    target: &Target<'_>,
    dir: &OwnedFd,
    stat: &Stat,
    bytes: &[u8],
) -> Result<(), WriteError> {
    let failed = |errno: Errno| target.failed("write", errno);
    let Some(mut file) = open_in(dir, &target.file, OFlags::WRONLY).map_err(failed)? else {
        return Err(target.changed());
    };
    let now = fstat(&file).map_err(failed)?;
    if (now.st_dev, now.st_ino) != (stat.st_dev, stat.st_ino) {
        return Err(target.changed());
    }
    // Growing first: a full disk then shows before a byte of the old text is gone.
    let length = bytes.len() as u64;
    let old_length = u64::try_from(now.st_size).unwrap_or(0);
    if length > old_length {
        let old = usize::try_from(old_length).unwrap_or(bytes.len());
        if let Err(error) = file.write_all_at(&bytes[old..], old_length) {
            let _ = file.set_len(old_length);
            return Err(target.failed("write", error));
        }
    }
    file.write_all(
        &bytes[..bytes
            .len()
            .min(usize::try_from(old_length).unwrap_or(usize::MAX))],
    )
    .and_then(|()| file.set_len(length))
    .and_then(|()| file.sync_all())
    .map_err(|error| target.failed("write all of", error))
}

fn remove(target: &Target<'_>, base: &Hash) -> Result<(), WriteError> {
    let dir = target.directory(Missing::Fail)?;
    let Some((file, _)) = target.existing(&dir)? else {
        return Err(target.changed());
    };
    expect(target, &file, base)?;
    let failed = |errno: Errno| target.failed("remove", errno);
    // Moved away, looked at, and only then removed: nothing that was saved in between is lost.
    let aside = temp::displaced_name().map_err(failed)?;
    let forth = renameat_with(&dir, &target.file, &dir, &aside, RenameFlags::NOREPLACE);
    match forth {
        Ok(()) => {}
        Err(errno) if temp::unsupported(errno) => {
            return unlinkat(&dir, &target.file, AtFlags::empty()).map_err(failed);
        }
        Err(Errno::NOENT) => return Err(target.changed()),
        Err(errno) => return Err(failed(errno)),
    }
    if !holds(&dir, &aside, base) {
        let back = renameat_with(&dir, &aside, &dir, &target.file, RenameFlags::NOREPLACE);
        if back == Err(Errno::EXIST) {
            let _ = unlinkat(&dir, &aside, AtFlags::empty());
        }
        return Err(target.changed());
    }
    unlinkat(&dir, &aside, AtFlags::empty()).map_err(failed)?;
    sync(&dir);
    Ok(())
}

/// Fails unless the open file has the bytes of `base`.
fn expect(target: &Target<'_>, file: &File, base: &Hash) -> Result<(), WriteError> {
    let bytes =
        temp::read_again(file, MAX_FILE_BYTES).map_err(|error| target.failed("read", error))?;
    match hash_of(&bytes) == *base {
        true => Ok(()),
        false => Err(target.changed()),
    }
}

/// Tells whether the file of that name has the bytes of `base`. What cannot be read has not.
fn holds(dir: &OwnedFd, name: &str, base: &Hash) -> bool {
    let is_file = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| regular(name, stat.st_mode).is_ok());
    is_file
        && open_in(dir, name, OFlags::RDONLY)
            .ok()
            .flatten()
            .and_then(|file| temp::read_again(&file, MAX_FILE_BYTES).ok())
            .is_some_and(|bytes| hash_of(&bytes) == *base)
}

/// Opens a name in an open directory, following no symlink and waiting for nobody.
fn open_in(dir: &OwnedFd, name: &str, access: OFlags) -> rustix::io::Result<Option<File>> {
    let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match openat(dir, name, flags, Mode::empty()) {
        Ok(fd) => Ok(Some(File::from(fd))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Has the directory's entry on the disk. The file is in place by now: a file system that cannot do this (some
/// network ones) is no reason to call the write failed.
pub(super) fn sync(dir: &OwnedFd) {
    let _ = rustix::fs::fsync(dir);
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test lays its own files")]
mod tests {
    use super::*;

    /// Lets another program act between the look at the base and the exchange.
    fn check(between: impl FnOnce(&std::path::Path)) -> (Result<(), WriteError>, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a");
        std::fs::write(&file, "base").expect("a file");
        let roots = Roots::open(&[folder.path().to_owned()]).expect("roots");
        let target = Target::of(&roots, "a").expect("a target");
        let dir = target.directory(Missing::Fail).expect("a directory");
        let mut temp = Temp::new(dir.as_fd(), Mode::from_raw_mode(0o600)).expect("a file");
        temp.fill(b"ours").expect("filled");
        between(&file);
        let swapped = swap(&target, &dir, &mut temp, &hash_of(b"base"));
        drop(temp);
        let mut left: Vec<String> = std::fs::read_dir(folder.path())
            .expect("a folder")
            .flatten()
            .map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
                format!("{name}={text}")
            })
            .collect();
        left.sort();
        (swapped, left)
    }

    #[test]
    fn an_undisturbed_exchange_leaves_the_new_file_alone() {
        let (swapped, left) = check(|_| {});
        assert!(swapped.is_ok());
        assert_eq!(left, ["a=ours"]);
    }

    #[test]
    fn what_another_program_saves_at_the_last_moment_is_put_back() {
        let savers: [fn(&std::path::Path); 2] = [
            |file| std::fs::write(file, "theirs").expect("saved in place"),
            |file| {
                let other = file.with_extension("new");
                std::fs::write(&other, "theirs").expect("saved beside");
                std::fs::rename(other, file).expect("renamed over");
            },
        ];
        for saver in savers {
            let (swapped, left) = check(saver);
            assert!(matches!(swapped, Err(WriteError::BaseChanged { .. })));
            assert_eq!(left, ["a=theirs"]);
        }
    }

    #[test]
    fn a_file_removed_at_the_last_moment_stays_removed() {
        let (swapped, left) = check(|file| std::fs::remove_file(file).expect("removed"));
        assert!(matches!(swapped, Err(WriteError::BaseChanged { .. })));
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn a_folder_or_link_put_in_its_place_is_put_back() {
        let (swapped, left) = check(|file| {
            std::fs::remove_file(file).expect("removed");
            std::os::unix::fs::symlink("/nowhere", file).expect("a link");
        });
        assert!(matches!(swapped, Err(WriteError::BaseChanged { .. })));
        assert_eq!(left, ["a="]);
    }
}
