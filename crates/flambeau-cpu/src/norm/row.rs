//! What the normalising kernels share: sums over a row in many lanes, rows gathered from strided memory, small
//! vectors of any float type.

use crate::isa::Isa;
use crate::lanes::{FEW, LANES, tree};
use crate::value::{Float, FloatValue, Num, Value};
use flambeau_backend::Raw;
use flambeau_backend::{DType, Error, Result};
use std::borrow::Cow;

/// Elements after which the lanes are added to the total: bounds the length of a chain of additions.
const BLOCK: usize = 4096;

/// Sums of the `N` numbers that `f` gives for each index below `n`.
#[inline(always)]
pub fn sums<A: Float, const N: usize>(n: usize, f: impl Fn(usize) -> [A; N]) -> [A; N] {
    let mut total = [A::ZERO; N];
    let mut start = 0;
    while start < n {
        let end = n.min(start + BLOCK);
        let mut lanes = [[A::ZERO; LANES]; N];
        let mut few = [[A::ZERO; FEW]; N];
        let mut i = start;
        // Two at a time: half as many additions wait for each other.
        while i + 2 * LANES <= end {
            for j in 0..LANES {
                let (v, w) = (f(i + j), f(i + LANES + j));
                for k in 0..N {
                    lanes[k][j] += v[k] + w[k];
                }
            }
            i += 2 * LANES;
        }
        while i + FEW <= end {
            for j in 0..FEW {
                let v = f(i + j);
                for k in 0..N {
                    few[k][j] += v[k];
                }
            }
            i += FEW;
        }
        // Lanes stay in registers only if no index into them varies.
        while i < end {
            let v = f(i);
            for k in 0..N {
                total[k] += v[k];
            }
            i += 1;
        }
        for k in 0..N {
            total[k] += tree(&lanes[k], &few[k], |a, b| a + b);
        }
        start = end;
    }
    total
}

/// The largest of a row; NaN does not count.
#[inline(always)]
pub fn largest<T: FloatValue>(xs: &[T]) -> T::A {
    let mut lanes = [T::A::LOWEST; LANES];
    let mut chunks = xs.chunks_exact(LANES);
    for c in &mut chunks {
        for j in 0..LANES {
            let v = c[j].up();
            lanes[j] = if v > lanes[j] { v } else { lanes[j] };
        }
    }
    let mut top = T::A::LOWEST;
    for c in chunks.remainder() {
        let v = c.up();
        top = if v > top { v } else { top };
    }
    for v in lanes {
        top = if v > top { v } else { top };
    }
    top
}

/// `exp(x[i] - m)` in `out`; returns the sum.
#[inline(always)]
pub fn exp_into<I: Isa, T: FloatValue>(xs: &[T], m: T::A, out: &mut [T::A]) -> T::A {
    let n = xs.len();
    let out = &mut out[..n];
    for i in 0..n {
        out[i] = (xs[i].up() - m).exp::<I>();
    }
    let out = &*out;
    // SAFETY: `sums` asks for indices below `n` only.
    sums::<T::A, 1>(n, |i| [unsafe { *out.get_unchecked(i) }])[0]
}

/// `n` elements as a slice: the memory itself where it is contiguous, else a copy in `buffer`.
///
/// # Safety
/// The elements must be readable while the result lives.
#[inline(always)]
pub unsafe fn row<T: Value>(x: *const T, n: usize, stride: isize, buffer: &mut Vec<T>) -> &[T] {
    // SAFETY: the caller's promise.
    unsafe {
        if stride == 1 {
            return std::slice::from_raw_parts(x, n);
        }
        buffer.clear();
        buffer.extend((0..n).map(|i| *x.offset(i as isize * stride)));
        buffer
    }
}

/// Room for a row of results: the memory itself where it is contiguous, else `buffer`, for [`put`] to copy out.
///
/// # Safety
/// The elements must be writable and not otherwise used while the result lives.
#[inline(always)]
pub unsafe fn room<T: Value>(out: *mut T, n: usize, stride: isize, buffer: &mut Vec<T>) -> &mut [T] {
    // SAFETY: the caller's promise.
    unsafe {
        if stride == 1 {
            return std::slice::from_raw_parts_mut(out, n);
        }
        buffer.resize(n, T::default());
        buffer
    }
}

/// Copies a row that [`room`] put in a buffer to its place.
///
/// # Safety
/// As [`room`].
#[inline(always)]
pub unsafe fn put<T: Value>(out: *mut T, stride: isize, buffer: &[T]) {
    if stride != 1 {
        for (i, &v) in buffer.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { out.offset(i as isize * stride).write(v) };
        }
    }
}

/// A vector of any float type as accumulators, borrowed if it is that already.
pub fn vector<A: Float + Value>(x: Raw<'_>) -> Result<Cow<'_, [A]>> {
    let n = x.numel();
    if std::mem::size_of::<A>() == x.dtype.size() && matches!(x.dtype, DType::F32 | DType::F64) && x.is_contiguous() {
        // SAFETY: `A` is `f32` or `f64`, and so is the view, of the same size.
        return Ok(Cow::Borrowed(unsafe { std::slice::from_raw_parts(x.ptr.cast::<A>(), n) }));
    }
    crate::value::float_dtype!(x.dtype, "native_norm", T => {
        let mut out = Vec::with_capacity(n);
        // SAFETY: the walk stays inside the view.
        each(x, |at| out.push(A::of(unsafe { *x.ptr.cast::<T>().offset(at) }.up().f64())));
        Ok(Cow::Owned(out))
    })
}

/// Stores accumulators into a vector of any float type.
pub fn store<A: Float>(values: &[A], out: Raw) -> Result<()> {
    crate::value::float_dtype!(out.dtype, "native_norm", T => {
        let mut i = 0;
        each(out, |at| {
            // SAFETY: the walk stays inside the view.
            unsafe { out.ptr.cast::<T>().offset(at).write(T::down(<T as Value>::A::of(values[i].f64()))) };
            i += 1;
        });
        Ok(())
    })
}

/// Element offsets of a view in row-major order.
fn each(x: Raw, mut f: impl FnMut(isize)) {
    fn walk(sizes: &[i64], strides: &[i64], at: isize, f: &mut impl FnMut(isize)) {
        match sizes {
            [] => f(at),
            [n, rest @ ..] => (0..*n).for_each(|i| walk(rest, &strides[1..], at + (i * strides[0]) as isize, f)),
        }
    }
    walk(x.sizes, x.strides, 0, &mut f);
}

/// Refuses operands whose dtype is not `x`'s.
pub fn same_dtype(op: &str, x: Raw, others: &[Raw]) -> Result<()> {
    match others.iter().find(|o| o.dtype != x.dtype) {
        None => Ok(()),
        Some(o) => Err(Error::dtype(op, o.dtype)),
    }
}

/// Adds `count` vectors of `n` that lie one after the other into the first, pairwise.
pub fn add_pairwise<A: Float>(vectors: &mut [A], n: usize, count: usize) {
    let mut step = 1;
    while step < count {
        for i in (0..count - step).step_by(2 * step) {
            let (a, b) = vectors.split_at_mut((i + step) * n);
            for (a, b) in a[i * n..i * n + n].iter_mut().zip(&b[..n]) {
                *a += *b;
            }
        }
        step *= 2;
    }
}
