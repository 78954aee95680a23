//! Objects that were unpacked lately, by where they lie.

use std::collections::HashMap;
use std::sync::Arc;

use super::Stored;

/// How many bytes are kept; the longest that is kept is an eighth of it.
const MAX_BYTES: usize = 48 * 1024 * 1024;

/// A place: the pack, and the offset in it.
pub(super) type Place = (usize, u64);

/// Two generations: what was not asked for while the younger one filled up goes with the older one.
#[derive(Default)]
pub(super) struct Kept {
    young: HashMap<Place, Arc<Stored>>,
    old: HashMap<Place, Arc<Stored>>,
    bytes: usize,
}

impl Kept {
    pub(super) fn get(&mut self, place: Place) -> Option<Arc<Stored>> {
        if let Some(found) = self.young.get(&place) {
            return Some(Arc::clone(found));
        }
        let found = self.old.remove(&place)?;
        self.put(place, &found);
        Some(found)
    }

    pub(super) fn put(&mut self, place: Place, object: &Arc<Stored>) {
        let size = object.bytes.len() + 64;
        if size > MAX_BYTES / 8 {
            return;
        }
        if self.bytes + size > MAX_BYTES / 2 {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += size;
        self.young.insert(place, Arc::clone(object));
    }
}
