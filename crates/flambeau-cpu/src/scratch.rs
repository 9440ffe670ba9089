//! Working memory of kernels, kept per thread so that a loop of calls does not fault its pages in again and again.

use std::cell::RefCell;

/// What one thread keeps at most; larger blocks go back to the system.
const KEEP: usize = 64 << 20;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

thread_local! {
    static FREE: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// A block of uninitialised memory for `T`, aligned to a cache line; `T` must be plain data.
pub(crate) struct Scratch<T: Copy> {
    lines: Vec<Line>,
    _of: std::marker::PhantomData<T>,
}

impl<T: Copy> Scratch<T> {
    pub fn new(len: usize) -> Self {
        const { assert!(align_of::<T>() <= 64) };
        let count = (len * size_of::<T>()).div_ceil(64);
        let best = FREE.with_borrow_mut(|free| {
            let i = (0..free.len()).filter(|&i| free[i].capacity() >= count).min_by_key(|&i| free[i].capacity())?;
            Some(free.swap_remove(i))
        });
        let lines = best.unwrap_or_else(|| Vec::with_capacity(count));
        Scratch { lines, _of: std::marker::PhantomData }
    }

    #[inline(always)]
    pub fn ptr(&self) -> *mut T {
        self.lines.as_ptr() as *mut T
    }
}

impl<T: Copy> Drop for Scratch<T> {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        if lines.capacity() == 0 {
            return;
        }
        // The thread's store may be gone when a thread ends: then the block is simply freed.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            free.push(lines);
            while free.len() > 16 || free.iter().map(|v| v.capacity() * 64).sum::<usize>() > KEEP {
                let Some(i) = (0..free.len()).max_by_key(|&i| free[i].capacity()) else { break };
                free.swap_remove(i);
            }
        });
    }
}

// SAFETY: plain memory; threads that share one write disjoint parts.
unsafe impl<T: Copy + Send> Sync for Scratch<T> {}

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
        assert_eq!(Scratch::<f64>::new(400).ptr() as usize, p as usize);
    }
}
