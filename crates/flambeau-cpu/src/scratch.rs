//! Working memory of kernels, kept per thread so that a loop of calls does not fault its pages in again and again.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::RefCell;

/// What one thread keeps at most; larger blocks go back to the system.
const KEEP: usize = 64 << 20;
/// A cache line, and the widest vector.
const ALIGN: usize = 64;
/// Nothing is kept or rounded up in builds in which a sanitizer or valgrind watches, as with the tensors' memory.
const EXACT: bool = option_env!("FLAMBEAU_EXACT_ALLOC").is_some();

struct Block {
    ptr: *mut u8,
    layout: Layout,
}

impl Block {
    fn new(bytes: usize) -> Block {
        let bytes = if EXACT { bytes.max(1) } else { bytes.max(1).next_multiple_of(ALIGN) };
        let layout = Layout::from_size_align(bytes, ALIGN).expect("working memory fits the address space");
        // SAFETY: the size is not zero.
        let ptr = unsafe { alloc(layout) };
        if ptr.is_null() {
            handle_alloc_error(layout);
        }
        Block { ptr, layout }
    }

    fn bytes(&self) -> usize {
        self.layout.size()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, freed once.
        unsafe { dealloc(self.ptr, self.layout) }
    }
}

thread_local! {
    static FREE: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// A block of uninitialised memory for `T`, aligned to a cache line; `T` must be plain data.
pub(crate) struct Scratch<T: Copy> {
    /// `None` only while it is dropped.
    block: Option<Block>,
    ptr: *mut T,
}

impl<T: Copy> Scratch<T> {
    pub fn new(len: usize) -> Self {
        const { assert!(align_of::<T>() <= ALIGN) };
        let bytes = len * size_of::<T>();
        let best = FREE.with_borrow_mut(|free| {
            let i = (0..free.len()).filter(|&i| free[i].bytes() >= bytes).min_by_key(|&i| free[i].bytes())?;
            Some(free.swap_remove(i))
        });
        let block = best.unwrap_or_else(|| Block::new(bytes));
        Scratch { ptr: block.ptr.cast(), block: Some(block) }
    }

    #[inline(always)]
    pub fn ptr(&self) -> *mut T {
        self.ptr
    }
}

impl<T: Copy> Drop for Scratch<T> {
    fn drop(&mut self) {
        let Some(block) = self.block.take().filter(|_| !EXACT) else { return };
        // The thread's store may be gone when a thread ends: then the block is simply freed.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            free.push(block);
            while free.len() > 16 || free.iter().map(Block::bytes).sum::<usize>() > KEEP {
                let Some(i) = (0..free.len()).max_by_key(|&i| free[i].bytes()) else { break };
                free.swap_remove(i);
            }
        });
    }
}

// SAFETY: plain memory; threads that share one write disjoint parts.
unsafe impl<T: Copy + Send> Sync for Scratch<T> {}
// SAFETY: it owns its block.
unsafe impl<T: Copy + Send> Send for Scratch<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_reused_and_distinct() {
        let a = Scratch::<f32>::new(1000);
        let b = Scratch::<f32>::new(1000);
        assert_eq!(a.ptr() as usize % 64, 0);
        assert_ne!(a.ptr(), b.ptr());
        let p = b.ptr();
        drop(b);
        if EXACT {
            return;
        }
        assert_eq!(Scratch::<f64>::new(400).ptr() as usize, p as usize);
    }
}
