//! The third-party servers that can be called now, as everybody who calls sees them.

use std::sync::{Arc, PoisonError, RwLock};

use super::foreign::Shared;

/// The servers that can be called. Cloning gives another handle of the same list.
#[derive(Clone, Default)]
pub(super) struct Registry(Arc<RwLock<Vec<Arc<Shared>>>>);

impl Registry {
    pub(super) fn add(&self, server: Arc<Shared>) {
        self.write().push(server);
    }

    pub(super) fn remove(&self, server: &Arc<Shared>) {
        self.write().retain(|one| !Arc::ptr_eq(one, server));
    }

    /// Finds a server by the user's name for it.
    pub(super) fn find(&self, name: &str) -> Option<Arc<Shared>> {
        let servers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        servers
            .iter()
            .find(|server| server.definition.name == name)
            .cloned()
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Vec<Arc<Shared>>> {
        // Nothing panics while it is held.
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
