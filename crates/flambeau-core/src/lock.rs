//! A lock for a few words that are held for a few instructions.
//!
//! Every recorded operation looks at the graph state of its operands, nearly always alone. Taking this lock is one atomic write and
//! letting it go is none, where a general mutex needs two: of a hundred nanoseconds that is six, several times over.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Relaxed, Release},
};

/// Mutual exclusion by waiting actively; whoever holds it must not block.
#[derive(Default)]
pub(crate) struct Lock<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: as for a mutex: one thread at a time reaches the value.
unsafe impl<T: Send> Send for Lock<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Lock<T> {}

/// Holds a [`Lock`] until dropped.
pub(crate) struct Held<'a, T> {
    lock: &'a Lock<T>,
}

impl<T> Lock<T> {
    pub const fn new(value: T) -> Lock<T> {
        Lock { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    #[inline(always)]
    pub fn lock(&self) -> Held<'_, T> {
        if self.taken.swap(true, Acquire) {
            self.wait();
        }
        Held { lock: self }
    }

    #[inline]
    pub fn try_lock(&self) -> Option<Held<'_, T>> {
        (!self.taken.swap(true, Acquire)).then_some(Held { lock: self })
    }

    /// Until the other thread is done. It may have been taken off its core meanwhile.
    #[cold]
    fn wait(&self) {
        let mut turns = 0;
        while self.taken.load(Relaxed) || self.taken.swap(true, Acquire) {
            turns += 1;
            if turns % 64 == 0 { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    }

    #[inline]
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// The value's place, for whoever knows that no other thread has the lock at hand.
    #[inline]
    pub fn as_ptr(&self) -> *mut T {
        self.value.get()
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: held, so nobody else reaches the value.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Held<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Held<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.lock.taken.store(false, Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_at_a_time() {
        let counts = Lock::new((0u64, 0u64));
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for _ in 0..5_000 {
                        let mut held = counts.lock();
                        held.0 += 1;
                        let seen = held.0;
                        held.1 += 1;
                        assert_eq!(held.1, seen);
                    }
                });
            }
        });
        assert_eq!(*counts.lock(), (20_000, 20_000));
    }

    #[test]
    fn a_held_lock_is_not_given_again() {
        let lock = Lock::new(1);
        let held = lock.lock();
        assert!(lock.try_lock().is_none());
        drop(held);
        assert_eq!(lock.try_lock().map(|v| *v), Some(1));
    }
}
