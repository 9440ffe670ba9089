//! Errors found by several threads at once.

use std::sync::Mutex;

/// Keeps what was found at the lowest position, so that a message does not depend on threads.
pub(crate) struct First<E>(Mutex<Option<(usize, E)>>);

impl<E> First<E> {
    pub fn new() -> Self {
        First(Mutex::new(None))
    }

    #[cold]
    pub fn set(&self, position: usize, what: E) {
        let mut slot = self.0.lock().unwrap_or_else(|e| e.into_inner());
        if slot.as_ref().is_none_or(|(p, _)| position < *p) {
            *slot = Some((position, what));
        }
    }

    pub fn take(self) -> Option<E> {
        self.0.into_inner().unwrap_or_else(|e| e.into_inner()).map(|(_, e)| e)
    }
}
