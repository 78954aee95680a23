//! Where in the repository a request may be about, when it names no file: known from the background, asked for at the
//! beginning of a turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::agent::Located;
use crate::code::{Likely, Repository, map, stands_out};
use crate::workspace::Roots;

/// How long a turn waits for what is known to be brought up to date. A large repository that is read for the first
/// time takes longer: then the turn begins without, and the next one has it.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// The most of a map that is put before the model: some 300 tokens.
const ROOM: usize = 1_000;

/// What is known of the repository's files, kept between turns.
pub(super) struct Locator {
    roots: Roots,
    work: Option<Work>,
}

/// A task that has the repository, and gives it back. Dropping it stops the task.
struct Work {
    result: oneshot::Receiver<(Repository, Vec<Likely>)>,
    stop: Arc<AtomicBool>,
}

impl Drop for Work {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Locator {
    /// Begins to read the repository.
    pub(super) fn new(roots: Roots) -> Self {
        let work = Some(begin(roots.clone(), Repository::default(), String::new()));
        Self { roots, work }
    }

    /// Finds the places that a request may be about.
    pub(super) async fn locate(&mut self, request: &str) -> Option<Located> {
        let end = tokio::time::Instant::now() + PATIENCE;
        let repository = match self.work.take() {
            None => Repository::default(),
            Some(mut work) => match tokio::time::timeout_at(end, &mut work.result).await {
                Ok(Ok((repository, _))) => repository,
                // The task is gone with what it knew: it begins anew.
                Ok(Err(_)) => Repository::default(),
                Err(_) => {
                    self.work = Some(work);
                    return None;
                }
            },
        };
        let mut work = begin(self.roots.clone(), repository, request.to_owned());
        match tokio::time::timeout_at(end, &mut work.result).await {
            Ok(Ok((repository, ranked))) => {
                self.work = Some(done(repository));
                located(&ranked)
            }
            Ok(Err(_)) => None,
            Err(_) => {
                self.work = Some(work);
                None
            }
        }
    }
}

fn located(ranked: &[Likely]) -> Option<Located> {
    let map = map(ranked, ROOM);
    (!map.is_empty()).then(|| Located {
        file: stands_out(ranked).map(|likely| likely.path.clone()),
        map,
    })
}

/// Keeps what is known until the next turn.
fn done(repository: Repository) -> Work {
    let (tell, result) = oneshot::channel();
    // The other end is here: it is heard.
    let _ = tell.send((repository, Vec::new()));
    Work {
        result,
        stop: Arc::default(),
    }
}

fn begin(roots: Roots, mut repository: Repository, request: String) -> Work {
    let (tell, result) = oneshot::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let cancel = Arc::clone(&stop);
    tokio::task::spawn_blocking(move || {
        repository.refresh(&roots, &cancel);
        let ranked = match request.is_empty() {
            true => Vec::new(),
            false => repository.rank(&request),
        };
        // Nobody waits any more where the session ended.
        let _ = tell.send((repository, ranked));
    });
    Work { result, stop }
}
