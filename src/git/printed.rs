//! The text of a difference, made on all cores.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use git2::{Delta, Diff, DiffDelta, DiffOptions, ObjectType, Oid, Patch};

use super::objects::{Objects, Store, Stored};
use super::plain::Plain;
use super::{GitError, Repo};

/// The most text of one difference.
pub(super) const MAX_TEXT: usize = 8 * 1024 * 1024;

/// How many files a thread takes at a time, and how many threads there are at most.
const FILES: usize = 16;
const MAX_THREADS: usize = 8;

/// A changed file of which nothing but its lines is to be shown. Both forms are in the store, or the new one in a file.
pub(super) struct Change {
    /// Where in the difference it stands.
    at: usize,
    path: String,
    old: Option<Oid>,
    new: Option<Oid>,
    modes: [u32; 2],
}

impl Repo {
    /// Prints a difference up to the cap.
    pub(super) fn printed(&self, diff: &Diff<'_>, context: u32) -> Result<String, GitError> {
        let texts = self.each_change(diff, self.printer(context));
        let mut bytes: Vec<u8> = Vec::new();
        for (at, text) in texts.into_iter().enumerate() {
            match text {
                Some(text) => bytes.extend_from_slice(&text),
                None => {
                    if let ControlFlow::Break(()) = self.print_one(diff, at, context, &mut bytes)? {
                        break;
                    }
                }
            }
            if bytes.len() > MAX_TEXT {
                break;
            }
        }
        Ok(up_to_the_cap(bytes))
    }

    /// Prints one file as libgit2 does, but where that is not what git says.
    fn print_one(
        &self,
        diff: &Diff<'_>,
        at: usize,
        context: u32,
        bytes: &mut Vec<u8>,
    ) -> Result<ControlFlow<()>, GitError> {
        let Some(delta) = diff.get_delta(at) else {
            return Ok(ControlFlow::Continue(()));
        };
        // Said by its name: there is nothing that it could be compared with.
        if delta.status() == Delta::Conflicted {
            return Ok(ControlFlow::Continue(()));
        }
        if super::halves::is_another_kind(&delta)
            && let Some(text) = self.halves(&delta, context)?
        {
            bytes.extend_from_slice(&text);
            return Ok(ControlFlow::Continue(()));
        }
        let Some(mut patch) = Patch::from_diff(diff, at)? else {
            return Ok(ControlFlow::Continue(()));
        };
        if let Some(text) = self.unread(&patch.delta())? {
            bytes.extend_from_slice(text.as_bytes());
            return Ok(ControlFlow::Continue(()));
        }
        let begin = bytes.len();
        let mut cut = false;
        let printed = patch.print(&mut |_, _, line| {
            if bytes.len() > MAX_TEXT {
                cut = true;
                return false;
            }
            if matches!(line.origin(), ' ' | '+' | '-') {
                bytes.push(line.origin() as u8);
            }
            bytes.extend_from_slice(line.content());
            true
        });
        match printed {
            Err(_) if cut => Ok(ControlFlow::Break(())),
            Err(error) => Err(error.into()),
            Ok(()) => {
                // Where no line follows, git does not say between which sides.
                let text = &bytes[begin..];
                if memchr::memmem::find(text, b"\n@@ ").is_none()
                    && let Some(names) = memchr::memmem::find(text, b"\n--- ")
                {
                    bytes.truncate(begin + names + 1);
                }
                Ok(ControlFlow::Continue(()))
            }
        }
    }

    /// Prints plain changes up to the cap; `None` where one of them turns out not to be plain.
    pub(super) fn printed_plainly(&self, changes: &[Change], context: u32) -> Option<String> {
        let texts = self.each_of(changes.len(), changes, self.printer(context));
        let mut bytes: Vec<u8> = Vec::new();
        for text in texts {
            bytes.extend_from_slice(&text?);
            if bytes.len() > MAX_TEXT {
                break;
            }
        }
        Some(up_to_the_cap(bytes))
    }

    /// Returns what prints one change, header and lines.
    fn printer(&self, context: u32) -> impl Fn(&mut Objects, &Change) -> Option<Vec<u8>> + Sync {
        let digits = self.digits();
        let made = AtomicUsize::new(0);
        move |objects, change| {
            // What is behind the cap is not shown.
            if made.load(Ordering::Relaxed) > 2 * MAX_TEXT {
                return None;
            }
            let lines = change.lines(objects, context).ok().flatten()?;
            made.fetch_add(lines.len(), Ordering::Relaxed);
            Some(change.with_lines(&lines, digits))
        }
    }

    /// Looks at each simple change of a difference, on all cores; of the others, and those of which nothing came, there
    /// is `None`.
    pub(super) fn each_change<T: Send>(
        &self,
        diff: &Diff<'_>,
        look: impl Fn(&mut Objects, &Change) -> Option<T> + Sync,
    ) -> Vec<Option<T>> {
        let mut plain = self.plain();
        let changes: Vec<Change> = diff
            .deltas()
            .enumerate()
            .filter_map(|(at, delta)| Change::of(at, &delta, &mut plain))
            .collect();
        self.each_of(diff.deltas().len(), &changes, look)
    }

    /// Looks at each of these changes, which are some of so many, on all cores.
    pub(super) fn each_of<T: Send>(
        &self,
        all: usize,
        changes: &[Change],
        look: impl Fn(&mut Objects, &Change) -> Option<T> + Sync,
    ) -> Vec<Option<T>> {
        let mut found: Vec<Option<T>> = Vec::new();
        found.resize_with(all, || None);
        if changes.is_empty() {
            return found;
        }
        let (store, stop) = (self.store(), &self.stop);
        let next = AtomicUsize::new(0);
        let all: Mutex<Vec<(usize, T)>> = Mutex::default();
        let work = |store: &Store| {
            let mut objects = store.objects();
            loop {
                let from = next.fetch_add(FILES, Ordering::Relaxed);
                let Some(some) = changes.get(from..) else {
                    return;
                };
                if some.is_empty() || stop.load(Ordering::Relaxed) {
                    return;
                }
                let some = &some[..some.len().min(FILES)];
                let made: Vec<(usize, T)> = some
                    .iter()
                    .filter_map(|change| Some((change.at, look(&mut objects, change)?)))
                    .collect();
                let mut all = all.lock().unwrap_or_else(|poison| poison.into_inner());
                all.extend(made);
            }
        };
        // How many cores there are is a question to several files.
        let threads = match changes.len().div_ceil(FILES).min(MAX_THREADS) {
            1 => 1,
            most => std::thread::available_parallelism().map_or(1, |cores| most.min(cores.get())),
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| work(&store));
            }
            work(&store);
        });
        for (at, text) in all
            .into_inner()
            .unwrap_or_else(|poison| poison.into_inner())
        {
            found[at] = Some(text);
        }
        found
    }
}

impl Change {
    fn of(at: usize, delta: &DiffDelta<'_>, plain: &mut Plain) -> Option<Self> {
        let (old, new) = (delta.old_file(), delta.new_file());
        let file = match delta.status() {
            Delta::Modified | Delta::Deleted => &old,
            Delta::Added => &new,
            _ => return None,
        };
        let name = file.path()?.to_str()?;
        let modes = [old.mode(), new.mode()].map(u32::from);
        let id = |id: Oid| (!id.is_zero()).then_some(id);
        let (old, new) = (id(old.id()), id(new.id()));
        let known = match delta.status() {
            Delta::Modified => old.is_some() && new.is_some(),
            Delta::Deleted => old.is_some() && new.is_none(),
            _ => old.is_none() && new.is_some(),
        };
        match known {
            true => Self::plain(at, name, [old, new], modes, plain),
            false => None,
        }
    }

    /// Makes the change of one ordinary file, in which nothing but its lines changed: both forms, or the only one.
    pub(super) fn plain(
        at: usize,
        name: &str,
        [old, new]: [Option<Oid>; 2],
        modes: [u32; 2],
        plain: &mut Plain,
    ) -> Option<Self> {
        let is_file = |mode: &u32| matches!(mode, 0 | 0o100_644 | 0o100_755);
        let both = old.is_some() && new.is_some();
        // As it stands in the text; libgit2 quotes the others.
        let simple = name
            .bytes()
            .all(|byte| (b' '..0x7f).contains(&byte) && !matches!(byte, b'"' | b'\\'));
        let only_lines = !both || (old != new && modes[0] == modes[1]);
        if !only_lines || !simple || !modes.iter().all(is_file) || !plain.is(Path::new(name)) {
            return None;
        }
        Some(Self {
            at,
            path: name.to_owned(),
            old,
            new,
            modes,
        })
    }

    /// Makes a change of what is known already.
    pub(super) fn of_ids(name: &str, [old, new]: [Option<Oid>; 2], modes: [u32; 2]) -> Self {
        Self {
            at: 0,
            path: name.to_owned(),
            old,
            new,
            modes,
        }
    }

    /// Reads both forms; `None` where one is not text.
    pub(super) fn sides(
        &self,
        objects: &mut Objects,
    ) -> Result<Option<[Arc<Stored>; 2]>, GitError> {
        let mut side = |id: Option<Oid>| match id {
            Some(id) => objects.read_as(ObjectType::Blob, id),
            None => Ok(Stored::empty()),
        };
        let sides = [side(self.old)?, side(self.new)?];
        let text = sides
            .iter()
            .all(|side| memchr::memchr(0, &side.bytes).is_none());
        Ok(text.then_some(sides))
    }

    /// Returns the changed passages; `None` where a form is not text.
    pub(super) fn lines(
        &self,
        objects: &mut Objects,
        context: u32,
    ) -> Result<Option<Vec<u8>>, GitError> {
        let Some([old, new]) = self.sides(objects)? else {
            return Ok(None);
        };
        Ok(Some(passages(&old.bytes, &new.bytes, context)?))
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn modes(&self) -> [u32; 2] {
        self.modes
    }

    /// Returns the names of its sides, `/dev/null` for the one that is not there.
    pub(super) fn names(&self) -> [String; 2] {
        let side = |id: Option<Oid>, letter: char| match id {
            Some(_) => format!("{letter}/{}", self.path),
            None => "/dev/null".to_owned(),
        };
        [side(self.old, 'a'), side(self.new, 'b')]
    }

    /// Returns the whole of it: which file, and the lines if there are any.
    pub(super) fn with_lines(&self, lines: &[u8], digits: usize) -> Vec<u8> {
        let mut text = self.title(digits).into_bytes();
        if !lines.is_empty() {
            let [before, after] = self.names();
            text.extend_from_slice(format!("--- {before}\n+++ {after}\n").as_bytes());
            text.extend_from_slice(lines);
        }
        text
    }

    /// Returns the first lines of it: which file, and between what.
    pub(super) fn title(&self, digits: usize) -> String {
        let path = &self.path;
        let short = |id: Option<Oid>| {
            let hex = id.unwrap_or(Oid::ZERO_SHA1).to_string();
            hex.get(..digits).unwrap_or(&hex).to_owned()
        };
        let (old, new) = (short(self.old), short(self.new));
        let index = match self.modes {
            [0, new_mode] => format!("new file mode {new_mode:o}\nindex {old}..{new}\n"),
            [old_mode, 0] => format!("deleted file mode {old_mode:o}\nindex {old}..{new}\n"),
            [mode, _] => format!("index {old}..{new} {mode:o}\n"),
        };
        format!("diff --git a/{path} b/{path}\n{index}")
    }
}

/// Returns the changed passages of a text.
pub(super) fn passages(old: &[u8], new: &[u8], context: u32) -> Result<Vec<u8>, GitError> {
    let mut options = DiffOptions::new();
    options.context_lines(context).indent_heuristic(true);
    let mut patch = Patch::from_buffers(old, None, new, None, Some(&mut options))?;
    let mut text = Vec::new();
    patch.print(&mut |_, _, line| {
        match line.origin() {
            'F' => {}
            origin => {
                if matches!(origin, ' ' | '+' | '-') {
                    text.push(origin as u8);
                }
                text.extend_from_slice(line.content());
            }
        }
        true
    })?;
    Ok(text)
}

/// Ends a text behind its last whole line before the cap, where it is longer.
fn up_to_the_cap(mut bytes: Vec<u8>) -> String {
    if bytes.len() > MAX_TEXT {
        let end = memchr::memrchr(b'\n', &bytes[..MAX_TEXT]).map_or(MAX_TEXT, |line| line + 1);
        bytes.truncate(end);
        bytes.extend_from_slice(
            b"\n[the difference goes on; name a path, or ask for the statistics]\n",
        );
    }
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
