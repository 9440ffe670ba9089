//! Max pooling: the first maximum of each window, NaN above everything.
//!
//! An output row is made in two vectorised passes: down the rows of its windows into one running maximum per column,
//! then across the columns.

use super::geometry::{Axis, Volume, for_rows, same_planes};
use crate::isa::{self, Isa, Kernel};
use crate::number::{Number, Ordered, with_real};
use crate::parallel::par_range;
use flambeau_backend::{DType, Result, check};
use flambeau_backend::{PoolParams, Raw};
use std::marker::PhantomData;

pub(super) fn max_pool(x: Raw, out: Raw, idx: Raw, p: &PoolParams) -> Result<()> {
    run("max_pool", x, out, idx, p.nd, |i, o| Axis::of_pool(p, i, o))
}

pub(super) fn adaptive_max_pool(x: Raw, out: Raw, idx: Raw, nd: usize) -> Result<()> {
    run("adaptive_max_pool", x, out, idx, nd, Axis::of_adaptive)
}

fn run(
    name: &str,
    x: Raw,
    out: Raw,
    idx: Raw,
    nd: usize,
    axes: impl Fn([usize; 3], [usize; 3]) -> [Axis; 3],
) -> Result<()> {
    check!(x.dtype == out.dtype, Runtime, "{name}: the output's dtype differs from the input's");
    check!(idx.dtype == DType::I64, Runtime, "{name}: positions are int64");
    check!(out.sizes == idx.sizes, Runtime, "{name}: values and positions differ in size");
    same_planes(x, out)?;
    let (xv, ov, iv) = (Volume::new(x, nd)?, Volume::new(out, nd)?, Volume::new(idx, nd)?);
    if out.numel() == 0 {
        return Ok(());
    }
    check!(xv.volume() > 0, Runtime, "{name}: the input has no elements");
    check!(xv.rows() < u32::MAX as usize && xv.dims[2] < u32::MAX as usize, Runtime, "{name}: the input is too large");
    let axes = axes(xv.dims, ov.dims);
    with_real!(x.dtype, name, T => {
        par_range(xv.planes, xv.grain(), |planes| {
            let mut work = Work::<<T as Number>::Acc>::new(xv.dims[2], ov.dims[2]);
            let mut buffer = Vec::new();
            for p in planes {
                // SAFETY: planes are inside the operands and each is one thread's.
                unsafe {
                    let plane = xv.read::<T>(p, &mut buffer);
                    let done = |r: usize, values: &[_], positions: &[i64]| {
                        ov.write_row::<T>(p, r, values);
                        iv.write_row::<i64>(p, r, positions);
                    };
                    pool_plane(plane, xv.dims, &axes, &mut work, done);
                }
            }
        });
        Ok(())
    })
}

/// Buffers of one thread: a running maximum per input column, and the output row.
struct Work<A> {
    column: Vec<A>,
    column_row: Vec<u32>,
    best: Vec<A>,
    best_row: Vec<u32>,
    best_column: Vec<u32>,
    position: Vec<i64>,
}

impl<A: Ordered> Work<A> {
    fn new(width: usize, out_width: usize) -> Self {
        Work {
            column: vec![A::ZERO; width],
            column_row: vec![0; width],
            best: vec![A::ZERO; out_width],
            best_row: vec![0; out_width],
            best_column: vec![0; out_width],
            position: vec![0; out_width],
        }
    }
}

fn pool_plane<A: Ordered>(
    x: &[A],
    dims: [usize; 3],
    axes: &[Axis; 3],
    work: &mut Work<A>,
    mut done: impl FnMut(usize, &[A], &[i64]),
) {
    let width = dims[2];
    let mut out_row = 0;
    for &depth in &axes[0].spans {
        for &height in &axes[1].spans {
            let mut fresh = true;
            for_rows(depth, height, dims[1], |r| {
                let row = &x[r * width..][..width];
                if fresh {
                    work.column.copy_from_slice(row);
                    work.column_row.fill(r as u32);
                    fresh = false;
                } else {
                    // SAFETY: the kernel works on slices only.
                    unsafe { isa::call::<Down<A>>((row, &mut work.column, &mut work.column_row, r as u32)) };
                }
            });
            if fresh {
                // No row inside: nothing but padding.
                work.best.fill(A::LOWEST);
                work.position.fill(0);
            } else {
                across(width, &axes[2], work);
            }
            done(out_row, &work.best, &work.position);
            out_row += 1;
        }
    }
}

/// Folds one more row into the columns' maxima. Rows come in order, so a tie keeps the earlier.
struct Down<'a, A>(PhantomData<&'a A>);

impl<'a, A: Ordered> Kernel for Down<'a, A> {
    type Args = (&'a [A], &'a mut [A], &'a mut [u32], u32);
    type Out = ();
    #[inline(always)]
    unsafe fn run<I: Isa>((row, best, best_row, r): Self::Args) {
        for ((&v, b), br) in row.iter().zip(best).zip(best_row) {
            let take = (v > *b) | v.is_nan();
            *b = if take { v } else { *b };
            *br = if take { r } else { *br };
        }
    }
}

fn across<A: Ordered>(width: usize, axis: &Axis, work: &mut Work<A>) {
    let outputs = work.best.len();
    match axis.slide {
        Some(slide) => {
            work.best.fill(A::LOWEST);
            work.best_row.fill(u32::MAX);
            work.best_column.fill(0);
            for k in slide.taps(width, outputs) {
                let (range, from) = slide.reach(k, width, outputs);
                if range.is_empty() {
                    continue;
                }
                let taps = Taps {
                    column: &work.column[from..],
                    column_row: &work.column_row[from..],
                    best: &mut work.best[range.clone()],
                    best_row: &mut work.best_row[range.clone()],
                    best_column: &mut work.best_column[range],
                    from: from as u32,
                    stride: slide.stride,
                };
                // SAFETY: the kernel works on slices only.
                unsafe {
                    match slide.stride {
                        1 => isa::call::<Across<A, 1>>(taps),
                        2 => isa::call::<Across<A, 2>>(taps),
                        _ => isa::call::<Across<A, 0>>(taps),
                    }
                }
            }
        }
        None => {
            for (o, span) in axis.spans.iter().enumerate() {
                let (mut best, mut row, mut at) = (work.column[span.lo], work.column_row[span.lo], span.lo);
                for w in (span.lo + 1)..span.hi {
                    let (v, r) = (work.column[w], work.column_row[w]);
                    if better(v, r, best, row) {
                        (best, row, at) = (v, r, w);
                    }
                }
                work.best[o] = best;
                work.best_row[o] = row;
                work.best_column[o] = at as u32;
            }
        }
    }
    for o in 0..outputs {
        // A window of padding only has no row.
        let inside = work.best_row[o] != u32::MAX;
        let at = work.best_row[o] as u64 * width as u64 + work.best_column[o] as u64;
        work.position[o] = if inside { at as i64 } else { 0 };
    }
}

/// Whether a column to the right replaces the best so far: on a tie the upper row comes first in memory, and PyTorch
/// reports the last NaN.
#[inline(always)]
#[allow(clippy::eq_op)]
fn better<A: Ordered>(v: A, r: u32, best: A, row: u32) -> bool {
    (v > best) | ((v == best) & (r < row)) | (v.is_nan() & (!best.is_nan() | (r >= row)))
}

/// One tap of every window of an output row.
struct Taps<'a, A> {
    column: &'a [A],
    column_row: &'a [u32],
    best: &'a mut [A],
    best_row: &'a mut [u32],
    best_column: &'a mut [u32],
    from: u32,
    stride: usize,
}

/// `STRIDE` 0 means known at run time only.
struct Across<'a, A, const STRIDE: usize>(PhantomData<&'a A>);

impl<'a, A: Ordered, const STRIDE: usize> Kernel for Across<'a, A, STRIDE> {
    type Args = Taps<'a, A>;
    type Out = ();
    #[inline(always)]
    unsafe fn run<I: Isa>(t: Taps<'a, A>) {
        let stride = if STRIDE == 0 { t.stride } else { STRIDE };
        let Taps { column, column_row, best, best_row, best_column, .. } = t;
        let n = best.len().min(best_row.len()).min(best_column.len());
        assert!(n == 0 || (n - 1) * stride < column.len().min(column_row.len()));
        for o in 0..n {
            // SAFETY: `o < n` and `o*stride` is inside by the assertion above.
            unsafe {
                let (v, r) = (*column.get_unchecked(o * stride), *column_row.get_unchecked(o * stride));
                let (b, br, bc) =
                    (best.get_unchecked_mut(o), best_row.get_unchecked_mut(o), best_column.get_unchecked_mut(o));
                let take = better(v, r, *b, *br);
                *b = if take { v } else { *b };
                *br = if take { r } else { *br };
                *bc = if take { t.from + (o * stride) as u32 } else { *bc };
            }
        }
    }
}
