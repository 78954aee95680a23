//! What a model may name: the files and folders of the workspace as they are now, listed in the background.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::mcp::Knowledge;
use crate::protocol::{ChangeKind, FileChange, Known, KnownKind, ModelRequest};
use crate::workspace::{Index, Roots};

/// How long the beginning of a turn waits for the list. A small repository is listed by then; for a large one, the
/// list of the turn before does until the new one is there.
const PATIENCE: Duration = Duration::from_millis(50);

/// The files and folders of a workspace.
pub(super) struct Catalog {
    roots: Roots,
    knowledge: Knowledge,
    listed: Option<Listed>,
    /// Names that the servers told.
    told: Vec<Known>,
    listing: Option<Listing>,
    /// Files that no list has: those that were made since, and those the user named although they are ignored.
    more: BTreeSet<String>,
    /// Something may have made files that nobody told of: until they are listed, nothing is known.
    unsure: bool,
    /// Files that were changed from outside, as they are now.
    fresh: HashMap<String, Arc<str>>,
}

struct Listed {
    files: Arc<[String]>,
    folders: Arc<[String]>,
}

/// What a listing finds: the files and folders, where all of them are known, and the names that servers know.
type Heard = (Option<Listed>, Vec<Known>);

/// A list that is being made. Dropping it stops the making.
struct Listing {
    result: oneshot::Receiver<Heard>,
    stop: Arc<AtomicBool>,
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Catalog {
    /// Begins to list what is beneath the roots.
    pub(super) fn new(roots: Roots, knowledge: Knowledge) -> Self {
        let mut catalog = Self {
            roots,
            knowledge,
            listed: None,
            told: Vec::new(),
            listing: None,
            more: BTreeSet::new(),
            unsure: false,
            fresh: HashMap::new(),
        };
        catalog.refresh();
        catalog
    }

    /// Lists anew.
    pub(super) fn refresh(&mut self) {
        let (done, result) = oneshot::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let (roots, cancel) = (self.roots.clone(), Arc::clone(&stop));
        let knowledge = self.knowledge.clone();
        tokio::task::spawn_blocking(move || {
            let index = Index::cancellable(&roots, &cancel);
            // Too many to know them all, or stopped half-way: then nothing is known.
            let is_whole = !index.is_truncated() && !cancel.load(Ordering::Relaxed);
            let listed = is_whole.then(|| Listed {
                files: index.files().into(),
                folders: index.folders().into(),
            });
            let told = knowledge.names().into_iter().map(|(kind, mut names)| {
                names.sort_unstable();
                names.dedup();
                let names = names.into();
                Known { kind, names }
            });
            // Nobody waits for a list that a newer one replaced.
            let _ = done.send((listed, told.collect()));
        });
        self.listing = Some(Listing { result, stop });
    }

    /// Lists anew at the beginning of a turn, and waits a little for it. `named` are files that the user named.
    pub(super) async fn begin_turn(&mut self, named: &[String]) {
        self.refresh();
        self.more.extend(named.iter().cloned());
        let Some(listing) = &mut self.listing else {
            return;
        };
        if let Ok(listed) = tokio::time::timeout(PATIENCE, &mut listing.result).await {
            self.take(listed.unwrap_or_default());
        }
    }

    /// Tells whether a server told of a name.
    pub(super) fn knows(&self, kind: KnownKind, name: &str) -> bool {
        let mut told = self.told.iter().filter(|known| known.kind == kind);
        told.any(|known| known.names.iter().any(|known| known == name))
    }

    /// Takes note of a change that was made.
    pub(super) fn changed(&mut self, change: &FileChange) {
        match change.kind {
            ChangeKind::Create => {
                self.more.insert(change.path.clone());
                self.refresh();
            }
            ChangeKind::Delete => {
                self.more.remove(&change.path);
                self.unsure();
            }
            ChangeKind::Modify => {}
        }
    }

    /// Takes note that files may have come and gone.
    pub(super) fn unsure(&mut self) {
        self.unsure = true;
        self.refresh();
    }

    fn take(&mut self, (listed, told): Heard) {
        self.listing = None;
        self.listed = listed;
        self.told = told;
        self.unsure = false;
        if let Some(listed) = &self.listed {
            self.more
                .retain(|path| listed.files.binary_search(path).is_err());
        }
    }

    /// Fills in what a request may name, and brings its passages up to what their files hold now.
    pub(super) fn fill(&mut self, request: &mut ModelRequest) {
        self.freshen(request);
        if let Some(listing) = &mut self.listing {
            match listing.result.try_recv() {
                Ok(listed) => self.take(listed),
                Err(oneshot::error::TryRecvError::Empty) => {}
                Err(oneshot::error::TryRecvError::Closed) => self.take(Heard::default()),
            }
        }
        if !self.unsure {
            request.known.extend(self.told.iter().cloned());
        }
        let Some(listed) = self.listed.as_ref().filter(|_| !self.unsure) else {
            return;
        };
        let mut know = |kind: KnownKind, names: Arc<[String]>| {
            if !names.is_empty() {
                request.known.push(Known { kind, names });
            }
        };
        know(KnownKind::File, Arc::clone(&listed.files));
        know(KnownKind::Folder, Arc::clone(&listed.folders));
        know(KnownKind::File, self.more.iter().cloned().collect());
    }

    fn freshen(&mut self, request: &mut ModelRequest) {
        let (roots, fresh) = (&self.roots, &mut self.fresh);
        request.passages.retain_mut(|passage| {
            let Some((_, text)) = shown_text(roots, &passage.path) else {
                return false;
            };
            if *text != *passage.text {
                // The same text stays at one address: what is prepared for it is found by that.
                let known = fresh
                    .entry(passage.path.clone())
                    .or_insert_with(|| Arc::clone(&passage.text));
                if **known != *text {
                    *known = text.into();
                }
                passage.text = Arc::clone(known);
            }
            true
        });
    }
}

/// Returns a file's own path and its text as a model is shown it: `read` drops the byte order mark and shows every
/// line end as `\n`.
pub(super) fn shown_text(roots: &Roots, path: &str) -> Option<(String, String)> {
    let file = roots.read(path).ok()?;
    let text = String::from_utf8(file.bytes).ok()?.replace("\r\n", "\n");
    let text = match text.strip_prefix('\u{feff}') {
        Some(text) => text.to_owned(),
        None => text,
    };
    Some((file.path, text))
}
