//! Who has a place: connections, and the requests of each client.
//!
//! A connection on which nothing is under way gives its place up when another one comes and there is none left, those
//! that never showed the token first. So neither a flood of silent connections nor one of half requests keeps anybody
//! out, and no client has all of the server's work.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// The places of a server.
#[derive(Debug)]
pub(super) struct Room {
    free: Arc<Semaphore>,
    taken: Mutex<Vec<Arc<Place>>>,
    /// What each client has under way.
    work: Mutex<HashMap<Vec<u8>, usize>>,
    most_work: usize,
    /// Told when a connection has nothing under way any more.
    rested: Notify,
    clock: AtomicU64,
}

/// The place of one connection.
#[derive(Debug)]
struct Place {
    admitted: AtomicBool,
    busy: AtomicUsize,
    /// When it was last used, as the count of all uses.
    used: AtomicU64,
    leave: CancellationToken,
}

impl Room {
    /// Makes room for so many connections, and for so many requests of one client at once.
    pub(super) fn new(connections: usize, most_work: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(connections)),
            taken: Mutex::default(),
            work: Mutex::default(),
            most_work,
            rested: Notify::new(),
            clock: AtomicU64::new(0),
        })
    }

    /// Waits for a place, and takes it from a connection that does nothing if need be.
    pub(super) async fn enter(self: &Arc<Self>) -> Guest {
        let permit = loop {
            let rested = self.rested.notified();
            if let Ok(permit) = self.free.clone().try_acquire_owned() {
                break Some(permit);
            }
            self.dismiss_one();
            tokio::select! {
                permit = self.free.clone().acquire_owned() => break permit.ok(),
                () = rested => {}
            }
        };
        let place = Arc::new(Place {
            admitted: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            used: AtomicU64::new(self.now()),
            leave: CancellationToken::new(),
        });
        held(&self.taken).push(place.clone());
        Guest {
            room: self.clone(),
            place,
            _permit: permit,
        }
    }

    /// Asks one connection to leave on which nothing is under way, if there is one.
    fn dismiss_one(&self) {
        let taken = held(&self.taken);
        let leaving = taken.iter().any(|place| place.leave.is_cancelled());
        let idle = taken
            .iter()
            .filter(|place| place.busy.load(Ordering::Relaxed) == 0)
            .min_by_key(|place| {
                let admitted = place.admitted.load(Ordering::Relaxed);
                (admitted, place.used.load(Ordering::Relaxed))
            });
        if let Some(place) = idle
            && !leaving
        {
            place.leave.cancel();
        }
    }

    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }
}

/// A connection that has a place, and gives it up when dropped.
#[derive(Debug)]
pub(super) struct Guest {
    room: Arc<Room>,
    place: Arc<Place>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Guest {
    /// Returns what tells that the place is needed by another.
    pub(super) fn dismissal(&self) -> CancellationToken {
        self.place.leave.clone()
    }

    /// Returns what the requests of the connection are counted with.
    pub(super) fn desk(&self) -> Desk {
        Desk {
            room: self.room.clone(),
            place: self.place.clone(),
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        held(&self.room.taken).retain(|place| !Arc::ptr_eq(place, &self.place));
    }
}

/// Where the requests of a connection are counted.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    room: Arc<Room>,
    place: Arc<Place>,
}

impl Desk {
    /// Counts the connections of the room, and what is under way on them.
    pub(super) fn counts(&self) -> (usize, usize) {
        let connections = held(&self.room.taken).len();
        (connections, held(&self.room.work).values().sum())
    }

    /// Notes that the connection has shown the token.
    pub(super) fn admit(&self) {
        self.place.admitted.store(true, Ordering::Relaxed);
        self.place.used.store(self.room.now(), Ordering::Relaxed);
    }

    /// Begins a request of a client; `None` where it has too many under way.
    pub(super) fn begin(&self, client: &[u8]) -> Option<Work> {
        let mut work = held(&self.room.work);
        let under_way = work.entry(client.to_owned()).or_default();
        if *under_way >= self.room.most_work {
            return None;
        }
        *under_way += 1;
        self.place.busy.fetch_add(1, Ordering::Relaxed);
        Some(Work {
            desk: self.clone(),
            client: client.to_owned(),
        })
    }
}

/// A request that is under way until this is dropped.
#[derive(Debug)]
pub(super) struct Work {
    desk: Desk,
    client: Vec<u8>,
}

impl Drop for Work {
    fn drop(&mut self) {
        let Desk { room, place } = &self.desk;
        let mut work = held(&room.work);
        if let Some(under_way) = work.get_mut(&self.client) {
            *under_way -= 1;
            if *under_way == 0 {
                work.remove(&self.client);
            }
        }
        place.used.store(room.now(), Ordering::Relaxed);
        place.busy.fetch_sub(1, Ordering::Relaxed);
        room.rested.notify_waiters();
    }
}

/// Nothing panics while these are held, and what they hold stays right if something did.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_does_nothing_makes_room_strangers_first() {
        let room = Room::new(3, 8);
        let known = room.enter().await;
        known.desk().admit();
        let busy = room.enter().await;
        let work = busy.desk().begin(b"a").expect("room for it");
        let stranger = room.enter().await;
        let entering = tokio::spawn({
            let room = room.clone();
            async move { room.enter().await }
        });
        stranger.dismissal().cancelled().await;
        drop(stranger);
        let newcomer = entering.await.expect("entered");
        assert!(!known.dismissal().is_cancelled() && !busy.dismissal().is_cancelled());
        newcomer.desk().admit();
        let entering = tokio::spawn({
            let room = room.clone();
            async move { room.enter().await }
        });
        // The one that was used the longest ago.
        known.dismissal().cancelled().await;
        drop(known);
        let last = entering.await.expect("entered");
        assert!(!newcomer.dismissal().is_cancelled());
        drop((work, last));
    }

    #[tokio::test]
    async fn where_all_are_busy_the_first_to_be_done_makes_room() {
        let room = Room::new(1, 8);
        let guest = room.enter().await;
        let work = guest.desk().begin(b"a").expect("room for it");
        let entering = tokio::spawn({
            let room = room.clone();
            async move { room.enter().await }
        });
        tokio::task::yield_now().await;
        assert!(!guest.dismissal().is_cancelled());
        drop(work);
        guest.dismissal().cancelled().await;
        drop(guest);
        entering.await.expect("entered");
    }

    #[tokio::test]
    async fn one_client_has_not_all_of_the_work() {
        let room = Room::new(4, 2);
        let guest = room.enter().await;
        let desk = guest.desk();
        let first = desk.begin(b"a").expect("the first");
        let second = desk.begin(b"a").expect("the second");
        assert!(desk.begin(b"a").is_none());
        assert!(desk.begin(b"b").is_some());
        drop(first);
        assert!(desk.begin(b"a").is_some());
        drop(second);
    }
}
