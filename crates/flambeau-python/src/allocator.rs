//! The module's allocator of small objects.

use libmimalloc_sys::{mi_free, mi_malloc, mi_malloc_aligned, mi_realloc_aligned, mi_zalloc_aligned};
use std::alloc::{GlobalAlloc, Layout};

/// mimalloc, asked for alignment only where its plain blocks do not have it: the check costs more than the block.
pub struct Allocator;

/// What every plain block of at least this size is aligned to.
const PLAIN: usize = 16;

// SAFETY: mimalloc keeps the contract of an allocator; blocks of at least `PLAIN` bytes are aligned to `PLAIN`, so a plain block
// fits every layout whose alignment is no larger.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout has a size above zero.
        unsafe {
            if layout.align() <= PLAIN && layout.size() >= PLAIN {
                mi_malloc(layout.size()).cast()
            } else {
                mi_malloc_aligned(layout.size(), layout.align()).cast()
            }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { mi_zalloc_aligned(layout.size(), layout.align()).cast() }
    }

    #[inline]
    unsafe fn dealloc(&self, p: *mut u8, _: Layout) {
        // SAFETY: the block came from this allocator.
        unsafe { mi_free(p.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the block came from this allocator.
        unsafe { mi_realloc_aligned(p.cast(), size, layout.align()).cast() }
    }
}
