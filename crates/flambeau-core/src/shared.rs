//! A counted pointer whose blocks come from this crate's cache of memory.
//!
//! A recorded operation on eight numbers makes three objects: a tensor, a storage with its bytes, a node. What `Arc` would add to
//! that (a call of the system's allocator and two atomic writes each time one dies) costs as much as the rest. Here a block is
//! taken from a list of the thread, bytes may lie behind the value in the same block, and the last holder lets go without
//! atomic writes where no weak pointer was ever made.

use std::alloc::{Layout, handle_alloc_error};
use std::marker::PhantomData;
use std::mem::{MaybeUninit, offset_of};
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{
    AtomicU32, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
    fence,
};

use crate::alloc;

/// More holders than this are a leak that would wrap around: the program is stopped, as `Arc` does.
const MANY: usize = isize::MAX as usize;

#[repr(C)]
struct Block<T> {
    strong: AtomicUsize,
    /// 0: no weak pointer was ever made. Else their number, plus one for all strong ones together.
    weak: AtomicU32,
    /// The block's size in bytes, tail included.
    bytes: u32,
    value: T,
}

/// A counted pointer to a `T`, as `std::sync::Arc`.
pub struct Shared<T>(NonNull<Block<T>>, PhantomData<Block<T>>);

/// A pointer that does not keep its `T` alive, as `std::sync::Weak`.
pub struct SharedWeak<T>(Option<NonNull<Block<T>>>);

// SAFETY: as for `Arc`: handles give shared access from any thread, and the last one drops the value wherever it is.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Send for SharedWeak<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for SharedWeak<T> {}

impl<T> Shared<T> {
    /// Where a tail starts, from the block's start.
    const TAIL: usize = size_of::<Block<T>>().next_multiple_of(alloc::ALIGN);

    pub fn new(value: T) -> Shared<T> {
        Self::place(|p| {
            p.write(value);
        })
    }

    /// A pointer to what `fill` writes into its place.
    #[inline(always)]
    pub(crate) fn place(fill: impl FnOnce(&mut MaybeUninit<T>)) -> Shared<T> {
        let bytes = size_of::<Block<T>>();
        match alloc::allocate(bytes) {
            Ok(block) => Self::made(block, bytes, |p, _| fill(p)),
            Err(_) => handle_alloc_error(Layout::new::<Block<T>>()),
        }
    }

    /// [`place`](Self::place) with `tail` uninitialised bytes behind the value, aligned as the allocator's blocks are. They live
    /// as long as the block: until the last strong and weak pointer are gone.
    #[inline(always)]
    pub(crate) fn with_tail(
        tail: usize,
        fill: impl FnOnce(&mut MaybeUninit<T>, NonNull<u8>),
    ) -> crate::Result<Shared<T>> {
        let bytes = Self::TAIL + tail;
        debug_assert!(u32::try_from(bytes).is_ok());
        Ok(Self::made(alloc::allocate(bytes)?, bytes, fill))
    }

    #[inline(always)]
    fn made(block: NonNull<u8>, bytes: usize, fill: impl FnOnce(&mut MaybeUninit<T>, NonNull<u8>)) -> Shared<T> {
        const { assert!(align_of::<Block<T>>() <= alloc::ALIGN) };
        let b = block.cast::<Block<T>>();
        // SAFETY: a fresh block of `bytes` bytes, aligned for anything: every field is written once, `value` by `fill`, whose
        // signature lets it write nothing else; the tail is inside by the choice of `bytes`, or is not used.
        unsafe {
            (&raw mut (*b.as_ptr()).strong).write(AtomicUsize::new(1));
            (&raw mut (*b.as_ptr()).weak).write(AtomicU32::new(0));
            (&raw mut (*b.as_ptr()).bytes).write(bytes as u32);
            let tail = NonNull::new_unchecked(block.as_ptr().wrapping_add(Self::TAIL));
            fill(&mut *(&raw mut (*b.as_ptr()).value).cast::<MaybeUninit<T>>(), tail);
        }
        Shared(b, PhantomData)
    }

    #[inline]
    fn block(&self) -> &Block<T> {
        // SAFETY: a strong pointer keeps its block.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    pub fn ptr_eq(a: &Shared<T>, b: &Shared<T>) -> bool {
        a.0 == b.0
    }

    #[inline]
    pub fn as_ptr(this: &Shared<T>) -> *const T {
        this.0.as_ptr().wrapping_byte_add(offset_of!(Block<T>, value)).cast()
    }

    #[inline]
    pub fn strong_count(this: &Shared<T>) -> usize {
        this.block().strong.load(Relaxed)
    }

    pub fn downgrade(this: &Shared<T>) -> SharedWeak<T> {
        let weak = &this.block().weak;
        // The first one also counts all strong pointers together as one weak.
        if weak.compare_exchange(0, 2, Relaxed, Relaxed).is_err() {
            counted(weak.fetch_add(1, Relaxed) as usize, u32::MAX as usize / 2);
        }
        SharedWeak(Some(this.0))
    }
}

#[inline]
fn counted(old: usize, most: usize) {
    if old > most {
        std::process::abort();
    }
}

/// Frees a block whose value is gone.
///
/// # Safety
/// Nobody else may know the block.
unsafe fn free<T>(block: NonNull<Block<T>>) {
    // SAFETY: made by `made` with this size.
    unsafe { alloc::free(block.cast(), (*block.as_ptr()).bytes as usize) }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.block().value
    }
}

impl<T> AsRef<T> for Shared<T> {
    #[inline]
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T> Clone for Shared<T> {
    #[inline]
    fn clone(&self) -> Shared<T> {
        counted(self.block().strong.fetch_add(1, Relaxed), MANY);
        Shared(self.0, PhantomData)
    }
}

impl<T> Drop for Shared<T> {
    #[inline]
    fn drop(&mut self) {
        let b = self.block();
        // Alone, and no weak pointer was ever made (whoever made one did so before letting go, which the load of `strong` has seen):
        // nobody can come to know the block any more, and no count needs to be written.
        let alone = b.strong.load(Acquire) == 1 && b.weak.load(Relaxed) == 0;
        if alone || b.strong.fetch_sub(1, Release) == 1 {
            // SAFETY: this was the last strong pointer.
            unsafe { last(self.0, alone) }
        }
    }
}

/// # Safety
/// The last strong pointer is gone; `alone` says that there was never a weak one.
#[inline(never)]
unsafe fn last<T>(block: NonNull<Block<T>>, alone: bool) {
    if !alone {
        fence(Acquire);
    }
    // SAFETY: the value is dropped once, by whoever let go last; the block is freed when no weak pointer is left.
    unsafe {
        std::ptr::drop_in_place(&raw mut (*block.as_ptr()).value);
        let weak = &(*block.as_ptr()).weak;
        if alone || weak.load(Acquire) == 0 || weak.fetch_sub(1, AcqRel) == 1 {
            free(block);
        }
    }
}

impl<T> SharedWeak<T> {
    /// One that never had a value.
    pub const fn new() -> SharedWeak<T> {
        SharedWeak(None)
    }

    pub fn upgrade(&self) -> Option<Shared<T>> {
        // SAFETY: a weak pointer keeps its block, though not the value.
        let strong = unsafe { &(*self.0?.as_ptr()).strong };
        strong
            .fetch_update(Acquire, Relaxed, |n| (n > 0).then_some(n + 1))
            .ok()
            .and(self.0)
            .map(|block| Shared(block, PhantomData))
    }

    pub fn ptr_eq(&self, other: &SharedWeak<T>) -> bool {
        self.0 == other.0
    }

    pub fn strong_count(&self) -> usize {
        // SAFETY: as in `upgrade`.
        self.0.map_or(0, |b| unsafe { (*b.as_ptr()).strong.load(Relaxed) })
    }

    /// Where the value is, or was.
    pub fn as_ptr(&self) -> *const T {
        self.0.map_or(std::ptr::null(), |b| b.as_ptr().wrapping_byte_add(offset_of!(Block<T>, value)).cast())
    }
}

impl<T> Default for SharedWeak<T> {
    fn default() -> SharedWeak<T> {
        SharedWeak::new()
    }
}

impl<T> Clone for SharedWeak<T> {
    fn clone(&self) -> SharedWeak<T> {
        if let Some(b) = self.0 {
            // SAFETY: a weak pointer keeps its block.
            counted(unsafe { (*b.as_ptr()).weak.fetch_add(1, Relaxed) } as usize, u32::MAX as usize / 2);
        }
        SharedWeak(self.0)
    }
}

impl<T> Drop for SharedWeak<T> {
    fn drop(&mut self) {
        if let Some(b) = self.0
            // SAFETY: a weak pointer keeps its block; the last of them frees it, after the value is gone.
            && unsafe { (*b.as_ptr()).weak.fetch_sub(1, AcqRel) } == 1
        {
            // SAFETY: the strong pointers' common count is gone too, so nobody knows the block.
            unsafe { free(b) }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Counts how often values were dropped.
    struct Counts<'a>(&'a AtomicUsize, [u64; 5]);

    impl Drop for Counts<'_> {
        fn drop(&mut self) {
            assert_eq!(self.1, [7; 5]);
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn the_last_holder_drops_once() {
        let drops = AtomicUsize::new(0);
        let a = Shared::new(Counts(&drops, [7; 5]));
        let b = a.clone();
        assert!(Shared::ptr_eq(&a, &b) && Shared::strong_count(&a) == 2);
        drop(a);
        assert_eq!(drops.load(Relaxed), 0);
        drop(b);
        assert_eq!(drops.load(Relaxed), 1);
    }

    #[test]
    fn weak_pointers_outlive_the_value() {
        let drops = AtomicUsize::new(0);
        let a = Shared::new(Counts(&drops, [7; 5]));
        let w = Shared::downgrade(&a);
        let v = w.clone();
        assert!(w.ptr_eq(&v) && std::ptr::eq(w.as_ptr(), Shared::as_ptr(&a)));
        let b = w.upgrade().expect("alive");
        drop(a);
        assert_eq!((drops.load(Relaxed), w.strong_count()), (0, 1));
        drop(b);
        assert_eq!(drops.load(Relaxed), 1);
        assert!(w.upgrade().is_none() && SharedWeak::<u8>::new().upgrade().is_none());
        drop(w);
        assert!(v.upgrade().is_none());
    }

    #[test]
    fn a_tail_is_aligned_and_lies_outside_the_value() {
        for tail in [1, 64, 200, 4000] {
            let mut at = None;
            let a = Shared::with_tail(tail, |p, t| {
                p.write([3u64; 7]);
                at = Some(t);
            })
            .unwrap();
            let at = at.unwrap();
            assert_eq!(at.as_ptr() as usize % alloc::ALIGN, 0);
            // SAFETY: `tail` bytes of this block's own.
            unsafe { at.as_ptr().write_bytes(0xff, tail) };
            assert_eq!(*a, [3; 7]);
        }
    }

    #[test]
    fn threads_share_and_race() {
        let drops = AtomicUsize::new(0);
        const ROUNDS: usize = 300;
        for _ in 0..ROUNDS {
            let a = Shared::new(Counts(&drops, [7; 5]));
            let spare = Mutex::new(Some(Shared::downgrade(&a)));
            std::thread::scope(|s| {
                for i in 0..3 {
                    let a = a.clone();
                    let spare = &spare;
                    s.spawn(move || {
                        let w = (i != 1).then(|| Shared::downgrade(&a));
                        drop(a);
                        if let Some(b) = w.as_ref().and_then(SharedWeak::upgrade) {
                            assert_eq!((*b).1, [7; 5]);
                            *spare.lock().unwrap() = w;
                        }
                    });
                }
                drop(a);
            });
            assert!(spare.into_inner().unwrap().is_none_or(|w| w.upgrade().is_none()));
        }
        assert_eq!(drops.load(Relaxed), ROUNDS);
    }
}
