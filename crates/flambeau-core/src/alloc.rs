//! The caching allocator of CPU memory.
//!
//! Freed blocks are kept by size class, so that an operation's output does not pay page faults again: those dominate
//! a memory-bound operation on a fresh 16 MB block. Small blocks (up to 4 KB) are cached per thread without a lock.

use std::alloc::{Layout, alloc, dealloc};
use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, ErrorKind, Result};

/// Every block starts on a cache line, which is also the widest vector.
pub const ALIGN: usize = 64;
const SMALL_STEP: usize = 64;
const SMALL_MAX: usize = 4096;
const SMALL_CLASSES: usize = SMALL_MAX / SMALL_STEP;
/// Bytes of freed small blocks that a thread keeps, per class.
const SMALL_KEEP: usize = 128 << 10;
/// Large classes: four per power of two, from 4 KB to 2^47.
const LARGE_CLASSES: usize = 36 * 4;
/// Freed memory kept for reuse, at most.
const LARGE_KEEP_BYTES: usize = 2 << 30;

/// Each block of its own and of exactly its size, for builds in which a sanitizer or valgrind watches: a cache hides
/// from them what is written past a block's end or after it was freed.
pub(crate) const EXACT: bool = option_env!("FLAMBEAU_EXACT_ALLOC").is_some();

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static CACHED: AtomicUsize = AtomicUsize::new(0);

static LARGE: [Mutex<Vec<usize>>; LARGE_CLASSES] = [const { Mutex::new(Vec::new()) }; LARGE_CLASSES];

fn lock(list: &'static Mutex<Vec<usize>>) -> MutexGuard<'static, Vec<usize>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All locks of the cache, for a fork: a child must not inherit one that some other thread holds.
pub(crate) fn lock_all() -> Vec<MutexGuard<'static, Vec<usize>>> {
    LARGE.iter().map(lock).collect()
}

/// A thread's freed small blocks: per class the last one, whose first word points to the one before, and how many more may come.
struct Small([(Cell<*mut u8>, Cell<usize>); SMALL_CLASSES]);

impl Small {
    const fn new() -> Small {
        let mut lists = [const { (Cell::new(std::ptr::null_mut()), Cell::new(0)) }; SMALL_CLASSES];
        let mut class = 0;
        while class < SMALL_CLASSES {
            lists[class].1 = Cell::new(SMALL_KEEP / ((class + 1) * SMALL_STEP));
            class += 1;
        }
        Small(lists)
    }

    #[inline]
    fn pop(&self, class: usize) -> Option<NonNull<u8>> {
        let (last, room) = &self.0[class];
        let block = NonNull::new(last.get())?;
        // SAFETY: a freed block of this thread's; `push` left a pointer in it.
        last.set(unsafe { block.cast().read() });
        room.set(room.get() + 1);
        Some(block)
    }

    /// Whether the block was kept.
    ///
    /// # Safety
    /// `block` is a block of this class that nobody uses.
    #[inline]
    unsafe fn push(&self, class: usize, block: NonNull<u8>) -> bool {
        let (last, room) = &self.0[class];
        if room.get() == 0 {
            return false;
        }
        // SAFETY: the smallest class is larger than a pointer and aligned for one.
        unsafe { block.cast().write(last.get()) };
        last.set(block.as_ptr());
        room.set(room.get() - 1);
        true
    }
}

thread_local! {
    static SMALL: Small = const { Small::new() };
}

impl Drop for Small {
    fn drop(&mut self) {
        for class in 0..SMALL_CLASSES {
            while let Some(p) = self.pop(class) {
                release(p, (class + 1) * SMALL_STEP);
            }
        }
    }
}

/// Memory statistics in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Held by tensors in blocks above 4 KB (rounded up to their class).
    pub in_use: usize,
    /// The largest `in_use` so far.
    pub peak: usize,
    /// Freed but kept for reuse.
    pub cached: usize,
}

pub fn stats() -> Stats {
    Stats { in_use: IN_USE.load(Relaxed), peak: PEAK.load(Relaxed), cached: CACHED.load(Relaxed) }
}

pub fn reset_peak() {
    PEAK.store(IN_USE.load(Relaxed), Relaxed);
}

/// Gives the cached large blocks back to the system.
pub fn empty_cache() {
    for (class, list) in LARGE.iter().enumerate() {
        let size = large_size(class);
        for p in std::mem::take(&mut *lock(list)) {
            CACHED.fetch_sub(size, Relaxed);
            release(NonNull::new(p as *mut u8).expect("cached blocks are not null"), size);
        }
    }
}

fn refused(size: usize) -> Error {
    Error::new(
        ErrorKind::OutOfMemory,
        format!("DefaultCPUAllocator: can't allocate memory: you tried to allocate {size} bytes."),
    )
}

fn system(size: usize) -> Result<NonNull<u8>> {
    let layout = Layout::from_size_align(size, ALIGN).map_err(|_| refused(size))?;
    // SAFETY: the layout's size is not zero: every class is at least 64 bytes.
    NonNull::new(unsafe { alloc(layout) }).ok_or_else(|| refused(size))
}

/// An empty list with room for `n` elements, refused where there is no memory for them.
pub fn list_of<T>(n: usize) -> Result<Vec<T>> {
    let mut list = Vec::new();
    list.try_reserve_exact(n).map_err(|_| refused(n.saturating_mul(size_of::<T>())))?;
    Ok(list)
}

/// Refuses to make `n` tensors where there is no memory for them. A single small block that is missing ends the program,
/// and a dimension repeated 2^40 times costs nothing before somebody takes it apart.
pub fn room_for(n: usize) -> Result<()> {
    // A view, its place in the graph, what describes it there, and an entry of the list: some 800 bytes.
    const EACH: usize = 1 << 10;
    const FEW: usize = 1 << 16;
    let bytes = n.saturating_mul(EACH);
    if n > FEW { list_of::<u8>(bytes).map(drop) } else { Ok(()) }
}

fn release(p: NonNull<u8>, size: usize) {
    // SAFETY: `p` came from `system(size)` and is released once.
    unsafe { dealloc(p.as_ptr(), Layout::from_size_align_unchecked(size, ALIGN)) }
}

/// The class of a block above `SMALL_MAX`: quarter steps between powers of two, so at most 25 % is wasted.
fn large_class(bytes: usize) -> usize {
    let top = (usize::BITS - 1 - (bytes - 1).leading_zeros()) as usize;
    let quarter = ((bytes - 1) >> (top - 2)) & 3;
    (top - 12) * 4 + quarter
}

fn large_size(class: usize) -> usize {
    (5 + class % 4) << (class / 4 + 10)
}

/// A block of at least `bytes` bytes, uninitialised.
#[inline(always)]
pub fn allocate(bytes: usize) -> Result<NonNull<u8>> {
    if EXACT {
        return system(bytes.max(1));
    }
    if bytes <= SMALL_MAX {
        let class = bytes.saturating_sub(1) / SMALL_STEP;
        if let Ok(Some(p)) = SMALL.try_with(|s| s.pop(class)) {
            return Ok(p);
        }
    }
    allocate_other(bytes)
}

/// A block of which none is at hand.
#[inline(never)]
fn allocate_other(bytes: usize) -> Result<NonNull<u8>> {
    if bytes <= SMALL_MAX { system(bytes.max(1).next_multiple_of(SMALL_STEP)) } else { allocate_large(bytes) }
}

fn allocate_large(bytes: usize) -> Result<NonNull<u8>> {
    if bytes > isize::MAX as usize / 4 {
        return system(bytes);
    }
    let class = large_class(bytes);
    if class >= LARGE_CLASSES {
        return system(bytes);
    }
    let size = large_size(class);
    let cached = lock(&LARGE[class]).pop();
    let p = match cached {
        Some(p) => {
            CACHED.fetch_sub(size, Relaxed);
            NonNull::new(p as *mut u8).expect("cached blocks are not null")
        }
        None => match system(size) {
            Ok(p) => p,
            Err(_) => {
                empty_cache();
                system(size)?
            }
        },
    };
    PEAK.fetch_max(IN_USE.fetch_add(size, Relaxed) + size, Relaxed);
    Ok(p)
}

/// Gives back a block that [`allocate`] returned for the same number of bytes.
///
/// # Safety
/// `p` must come from `allocate(bytes)` and must not be used afterwards.
#[inline(always)]
pub unsafe fn free(p: NonNull<u8>, bytes: usize) {
    if EXACT {
        return release(p, bytes.max(1));
    }
    if bytes <= SMALL_MAX {
        let class = bytes.saturating_sub(1) / SMALL_STEP;
        // SAFETY: by the contract.
        let kept = SMALL.try_with(|s| unsafe { s.push(class, p) });
        if matches!(kept, Ok(true)) {
            return;
        }
    }
    // SAFETY: by the contract.
    unsafe { free_other(p, bytes) }
}

/// A block that the thread does not keep.
///
/// # Safety
/// As for [`free`].
#[inline(never)]
unsafe fn free_other(p: NonNull<u8>, bytes: usize) {
    if bytes <= SMALL_MAX {
        return release(p, bytes.max(1).next_multiple_of(SMALL_STEP));
    }
    let class = large_class(bytes);
    if class >= LARGE_CLASSES {
        release(p, bytes);
        return;
    }
    let size = large_size(class);
    IN_USE.fetch_sub(size, Relaxed);
    if CACHED.load(Relaxed) + size <= LARGE_KEEP_BYTES {
        CACHED.fetch_add(size, Relaxed);
        lock(&LARGE[class]).push(p.as_ptr() as usize);
    } else {
        release(p, size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_cover_every_size() {
        for bytes in (SMALL_MAX + 1..200_000).chain([1 << 20, (1 << 20) + 1, 16_000_000, (1 << 33) - 1, 1 << 33]) {
            let size = large_size(large_class(bytes));
            assert!(size >= bytes, "{bytes} -> {size}");
            assert!(size <= bytes + bytes / 4 + 4096, "{bytes} -> {size}");
        }
    }

    #[test]
    fn blocks_are_reused() {
        if EXACT {
            return;
        }
        for bytes in [8, 4096, 5000, 1 << 20] {
            let p = allocate(bytes).unwrap();
            assert_eq!(p.as_ptr() as usize % ALIGN, 0);
            // SAFETY: `p` was just allocated with this size.
            unsafe { free(p, bytes) };
            let q = allocate(bytes).unwrap();
            assert_eq!(p, q);
            // SAFETY: as above.
            unsafe { free(q, bytes) };
        }
    }

    #[test]
    fn a_thread_keeps_only_so_many_small_blocks() {
        if EXACT {
            return;
        }
        let blocks: Vec<_> = (0..SMALL_KEEP / 4096 + 5).map(|_| allocate(4096).unwrap()).collect();
        // SAFETY: allocated above, freed once.
        blocks.iter().for_each(|&p| unsafe { free(p, 4096) });
        assert_eq!(SMALL.with(|s| s.0[SMALL_CLASSES - 1].1.get()), 0);
        let again: Vec<_> = (0..SMALL_KEEP / 4096).map(|_| allocate(4096).unwrap()).collect();
        assert!(again.iter().rev().eq(blocks.iter().take(again.len())));
        // SAFETY: as above.
        again.iter().for_each(|&p| unsafe { free(p, 4096) });
    }

    #[test]
    fn absurd_sizes_are_refused() {
        assert_eq!(allocate(isize::MAX as usize).unwrap_err().kind(), ErrorKind::OutOfMemory);
    }
}
