//! What a program prints, told while it runs: the last lines, bounded in number, size and rate, without secrets.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext, RoleServer};
use tokio::sync::Notify;

use super::running::Kept;
use crate::protocol::redact;

/// The most lines and bytes that are told at a time, and how often.
const LINES: usize = 12;
const BYTES: usize = 2 * 1024;
const EVERY: Duration = Duration::from_millis(150);

/// What is looked at for secrets, which may take more lines than are told.
const LOOKED_AT: usize = 16 * 1024;

/// Whoever asked to be told.
#[derive(Debug, Clone)]
pub(super) struct Live {
    peer: Peer<RoleServer>,
    token: ProgressToken,
}

/// What a run has printed until now, written by the thread that reads it.
#[derive(Debug, Clone, Default)]
pub(super) struct Printed {
    kept: Arc<Mutex<Kept>>,
    more: Arc<Notify>,
}

impl Live {
    /// Finds who asked, where anybody did.
    pub(super) fn of(context: &RequestContext<RoleServer>) -> Option<Self> {
        Some(Self {
            peer: context.peer.clone(),
            token: context.meta.get_progress_token()?,
        })
    }

    /// Tells what is printed, until it is dropped.
    pub(super) async fn follow(&self, printed: &Printed) {
        let mut told = String::new();
        loop {
            printed.more.notified().await;
            let (bytes, tail) = printed.tail();
            let now = last_lines(&tail);
            if !now.is_empty() && now != told {
                let progress = ProgressNotificationParam::new(self.token.clone(), bytes as f64)
                    .with_message(now.clone());
                if self.peer.notify_progress(progress).await.is_err() {
                    return;
                }
                told = now;
            }
            // What comes meanwhile leaves its mark, and is told then.
            tokio::time::sleep(EVERY).await;
        }
    }
}

impl Printed {
    /// Takes a piece of the output in.
    pub(super) fn take(&self, bytes: &[u8]) {
        self.lock().take(bytes);
        self.more.notify_one();
    }

    /// Returns all that was kept, and forgets it.
    pub(super) fn text(&self) -> String {
        std::mem::take(&mut *self.lock()).text()
    }

    fn tail(&self) -> (usize, String) {
        let kept = self.lock();
        let tail = kept.tail(LOOKED_AT);
        (kept.len(), String::from_utf8_lossy(&tail).into_owned())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        // What it holds is whole between two pieces.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Picks the last whole lines of an output: a line that is not ended may hold the half of a secret.
fn last_lines(output: &str) -> String {
    let Some((whole, _)) = output.rsplit_once('\n') else {
        return String::new();
    };
    let clean = redact(whole);
    let mut lines: Vec<&str> = clean
        .lines()
        // Of what was written over itself, the last.
        .map(|line| line.trim_end_matches('\r'))
        .map(|line| line.rsplit('\r').next().unwrap_or(line))
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines.drain(..lines.len().saturating_sub(LINES));
    let told = lines.join("\n");
    let mut from = told.len().saturating_sub(BYTES);
    while !told.is_char_boundary(from) {
        from += 1;
    }
    told[from..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_lines_are_told() {
        assert_eq!(last_lines("one"), "", "it may go on");
        assert_eq!(last_lines("one\n\ntw"), "one");
        assert_eq!(last_lines("a\r\nb\r50 %\r100 %\n"), "a\n100 %");
        let many: String = (0..100).map(|n| format!("line {n}\n")).collect();
        let told = last_lines(&many);
        assert_eq!(told.lines().count(), LINES);
        assert!(told.ends_with("line 99"), "{told}");
        let long = format!("{}\nend\n", "é".repeat(40_000));
        let told = last_lines(&long);
        assert!(told.len() <= BYTES && told.ends_with("end"), "{told}");
    }

    #[test]
    fn a_secret_is_blacked_out_while_it_is_told() {
        let told = last_lines("token ghp_16C7e42F292c6912E7710c838347Ae178B4a\nok\n");
        assert!(!told.contains("16C7e42F"), "{told}");
        assert!(told.ends_with("ok"), "{told}");
    }
}
