//! The strided loop, written once and knowing no element type.
//!
//! [`Loop::new`] collapses the dimensions of `N` operands together; the loop then hands runs of the innermost dimension to a
//! 1-D body, which is all that is compiled per dtype. Operand 0 is the output by convention: its memory order is the loop's.

use crate::parallel::par_range;
use flambeau_backend::Raw;
use smallvec::SmallVec;
use std::ops::Range;

/// Elements below which a cheap kernel is not worth a second thread.
pub const GRAIN: usize = 32768;

/// A 1-D body: `n` elements of each operand, strides in bytes, `p` the kernel's parameters.
pub type Inner<const N: usize> = unsafe fn(n: usize, ptrs: &[*mut u8; N], strides: &[isize; N], p: *const ());

#[derive(Clone, Copy, Debug)]
pub struct Dim<const N: usize> {
    pub size: usize,
    /// In bytes.
    pub strides: [isize; N],
}

/// `N` operands walked together.
pub struct Loop<const N: usize> {
    pub ptrs: [*mut u8; N],
    /// Innermost first; never empty, no size is 1 unless it is the only one.
    pub dims: SmallVec<[Dim<N>; 6]>,
    pub numel: usize,
}

// SAFETY: only names memory; those who walk it from several threads write disjoint parts.
unsafe impl<const N: usize> Send for Loop<N> {}
// SAFETY: as above.
unsafe impl<const N: usize> Sync for Loop<N> {}

impl<const N: usize> Loop<N> {
    /// In the memory order of operand 0. All operands have the sizes of operand 0.
    #[inline]
    pub fn new(ops: [&Raw; N]) -> Self {
        Self::with_order(ops, true)
    }

    /// In row-major order of the indices, whatever the strides.
    pub fn in_order(ops: [&Raw; N]) -> Self {
        Self::with_order(ops, false)
    }

    fn with_order(ops: [&Raw; N], sort: bool) -> Self {
        let ptrs = ops.map(|o| o.ptr);
        let item = ops.map(|o| o.dtype.size() as isize);
        let sizes = ops[0].sizes;
        let numel = ops[0].numel();
        let mut dims: SmallVec<[Dim<N>; 6]> = SmallVec::new();
        for d in (0..sizes.len()).rev() {
            debug_assert!(ops.iter().all(|o| o.sizes[d] == sizes[d]));
            if sizes[d] == 1 {
                continue;
            }
            let strides = std::array::from_fn(|k| ops[k].strides[d] as isize * item[k]);
            dims.push(Dim { size: sizes[d] as usize, strides });
        }
        if sort && dims.len() > 1 {
            // Insertion sort: stable, and short lists are usually in order already.
            for i in 1..dims.len() {
                let mut j = i;
                while j > 0 && after(&dims[j - 1], &dims[j]) {
                    dims.swap(j - 1, j);
                    j -= 1;
                }
            }
        }
        let mut kept = 0;
        for i in 1..dims.len() {
            let (inner, outer) = (dims[kept], dims[i]);
            if (0..N).all(|k| outer.strides[k] == inner.strides[k] * inner.size as isize) {
                dims[kept].size *= outer.size;
            } else {
                kept += 1;
                dims[kept] = outer;
            }
        }
        dims.truncate(kept + 1);
        if dims.is_empty() {
            dims.push(Dim { size: 1, strides: item });
        }
        Loop { ptrs, dims, numel }
    }

    /// Whether operand `k` is one gapless run in the loop's order.
    pub fn is_flat(&self, k: usize, item: usize) -> bool {
        self.dims.len() == 1 && self.dims[0].strides[k] == item as isize
    }

    /// The pointers at index `c` of dimension 0, `r` of dimension `dim`, and `rest` of the other ones (row-major, dimension 1
    /// fastest): where a tile that spans both dimensions begins.
    #[inline(always)]
    pub fn tile(&self, c: usize, dim: usize, r: usize, mut rest: usize) -> [*mut u8; N] {
        let mut at = self.ptrs;
        let mut shift = |d: usize, i: usize| {
            for k in 0..N {
                at[k] = at[k].wrapping_offset(i as isize * self.dims[d].strides[k]);
            }
        };
        shift(0, c);
        shift(dim, r);
        for d in (1..self.dims.len()).filter(|&d| d != dim) {
            shift(d, rest % self.dims[d].size);
            rest /= self.dims[d].size;
        }
        at
    }

    /// Calls `f(n, pointers, byte strides)` for each run of the loop's positions `range`.
    #[inline(always)]
    pub fn for_range(&self, range: Range<usize>, mut f: impl FnMut(usize, &[*mut u8; N], &[isize; N])) {
        let mut left = range.len();
        if left == 0 {
            return;
        }
        // One call of `f`, so that it is inlined and the pointers live in registers: loading them from memory in wider
        // pieces than they were just stored in would wait for every store of the run before.
        let inner = &self.dims[0];
        let mut at: SmallVec<[usize; 8]> = SmallVec::new();
        let mut rem = range.start;
        let mut ptrs = self.ptrs;
        for d in &self.dims {
            let c = rem % d.size;
            rem /= d.size;
            at.push(c);
            for k in 0..N {
                ptrs[k] = ptrs[k].wrapping_offset(c as isize * d.strides[k]);
            }
        }
        loop {
            let n = (inner.size - at[0]).min(left);
            f(n, &ptrs, &inner.strides);
            left -= n;
            if left == 0 {
                return;
            }
            for k in 0..N {
                ptrs[k] = ptrs[k].wrapping_offset(-(at[0] as isize) * inner.strides[k]);
            }
            at[0] = 0;
            for (d, c) in self.dims.iter().zip(at.iter_mut()).skip(1) {
                *c += 1;
                let wrap = *c == d.size;
                let step = if wrap { 1 - d.size as isize } else { 1 };
                for k in 0..N {
                    ptrs[k] = ptrs[k].wrapping_offset(step * d.strides[k]);
                }
                if !wrap {
                    break;
                }
                *c = 0;
            }
        }
    }

    /// Runs `inner` over everything, on several threads when there are more than `grain` elements.
    ///
    /// # Safety
    /// `inner` must be sound for every run of these operands with `p`, from several threads at once.
    pub unsafe fn run(&self, grain: usize, inner: Inner<N>, p: *const ()) {
        let p = p as usize;
        par_range(self.numel, grain, |r| {
            // SAFETY: the caller's promise.
            self.for_range(r, |n, ptrs, strides| unsafe { inner(n, ptrs, strides, p as *const ()) });
        });
    }
}

/// Whether `a` belongs outside `b`: compares the operands in turn, broadcast ones (stride zero) not counted.
fn after<const N: usize>(a: &Dim<N>, b: &Dim<N>) -> bool {
    for k in 0..N {
        let (x, y) = (a.strides[k].unsigned_abs(), b.strides[k].unsigned_abs());
        if x == 0 || y == 0 {
            continue;
        }
        if x != y {
            return x > y;
        }
        if a.size != b.size {
            return a.size > b.size;
        }
    }
    false
}

/// Walks `ops` (operand 0 is the output) and runs `inner` on each run; see [`Loop`].
///
/// # Safety
/// As [`Loop::run`].
pub unsafe fn strided<const N: usize>(ops: [&Raw; N], grain: usize, inner: Inner<N>, p: *const ()) {
    // SAFETY: the caller's promise.
    unsafe { Loop::new(ops).run(grain, inner, p) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flambeau_backend::DType;

    fn raw<'a>(v: &mut [i32], at: isize, sizes: &'a [i64], strides: &'a [i64]) -> Raw<'a> {
        Raw { ptr: v.as_mut_ptr().wrapping_offset(at).cast(), dtype: DType::I32, sizes, strides }
    }

    unsafe fn add(n: usize, p: &[*mut u8; 3], s: &[isize; 3], _: *const ()) {
        for i in 0..n as isize {
            // SAFETY: the loop's pointers are inside the vectors.
            unsafe {
                let x = *p[1].offset(i * s[1]).cast::<i32>() + *p[2].offset(i * s[2]).cast::<i32>();
                *p[0].offset(i * s[0]).cast::<i32>() = x;
            }
        }
    }

    #[test]
    fn contiguous_operands_are_one_run() {
        let (mut a, mut b) = (vec![0; 24], vec![0; 24]);
        let (sz, st) = ([2, 3, 1, 4], [12, 4, 4, 1]);
        let l = Loop::new([&raw(&mut a, 0, &sz, &st), &raw(&mut b, 0, &sz, &st)]);
        assert_eq!((l.dims.len(), l.dims[0].size, l.dims[0].strides), (1, 24, [4, 4]));
        // Both transposed the same way: still one run.
        let (sz, st) = ([4, 6], [1, 4]);
        let l = Loop::new([&raw(&mut a, 0, &sz, &st), &raw(&mut b, 0, &sz, &st)]);
        assert_eq!((l.dims.len(), l.dims[0].size), (1, 24));
        assert_eq!(Loop::in_order([&raw(&mut a, 0, &sz, &st)]).dims.len(), 2);
    }

    #[test]
    fn mixed_strides_match_the_definition() {
        // out [3,5,7] contiguous; a permuted; b broadcast over dim 1 and reversed in dim 2.
        let mut a: Vec<i32> = (0..105).collect();
        let mut b: Vec<i32> = (0..21).map(|i| i * 1000).collect();
        let mut o = vec![0; 105];
        let sz = [3, 5, 7];
        let ra = raw(&mut a, 0, &sz, &[1, 21, 3]);
        let rb = raw(&mut b, 6, &sz, &[7, 0, -1]);
        let ro = raw(&mut o, 0, &sz, &[35, 7, 1]);
        crate::parallel::set_num_threads(3);
        // SAFETY: the body above and vectors that cover the strides.
        unsafe { strided([&ro, &ra, &rb], 4, add, std::ptr::null()) };
        for i in 0..3 {
            for j in 0..5 {
                for k in 0..7 {
                    let want = (i + 21 * j + 3 * k) + 1000 * (7 * i + 6 - k);
                    assert_eq!(o[(35 * i + 7 * j + k) as usize], want);
                }
            }
        }
    }

    #[test]
    fn empty_and_scalar() {
        let mut a = vec![5, 0];
        let (sz, st) = ([0, 3], [3, 1]);
        let e = raw(&mut a, 0, &sz, &st);
        // SAFETY: nothing is touched; then one element.
        unsafe {
            strided([&e, &e, &e], 4, add, std::ptr::null());
            let s = raw(&mut [0], 0, &[], &[]);
            assert_eq!(Loop::new([&s]).numel, 1);
        }
        let (x, y) = (raw(&mut a, 0, &[], &[]), raw(&mut a, 1, &[], &[]));
        // SAFETY: as above.
        unsafe { strided([&y, &x, &x], 4, add, std::ptr::null()) };
        assert_eq!(a[1], 10);
    }
}
