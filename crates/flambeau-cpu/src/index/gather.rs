//! Moves along one dimension: an index per element (gather, scatter) or per slice (index_select, index_reduce).

use super::first::First;
use super::moves::{Lane, Moves, gather_of};
use super::{bounds, indices_i64};
use crate::drive::Loop;
use crate::parallel::par_range;
use flambeau_backend::{DType, Error, Result, check};
use flambeau_backend::{Raw, ScatterReduce};

const GRAIN: usize = 16384;

/// A scalar counts as one element along dimension 0.
fn at_least_1d(x: Raw) -> Raw {
    if x.ndim() == 0 { x.with_layout(&[1], &[1]) } else { x }
}

/// The strides with that of `dim` set to zero: positions before the index is applied.
fn without(strides: &[i64], dim: usize) -> Vec<i64> {
    let mut s = strides.to_vec();
    s[dim] = 0;
    s
}

/// That `index` is `i64` and fits into `x` outside `dim`.
fn check_fits(index: Raw, x: Raw, dim: usize) -> Result<()> {
    check!(index.dtype == DType::I64, Runtime, "gather(): Expected dtype int64 for index");
    check!(
        index.ndim() == x.ndim() && dim < x.ndim(),
        Runtime,
        "Index tensor must have the same number of dimensions as input tensor"
    );
    let fits = (0..x.ndim()).all(|d| d == dim || index.sizes[d] <= x.sizes[d]);
    check!(
        fits,
        Runtime,
        "Size does not match at dimension {} expected index {:?} to be no larger than self {:?} apart from dimension {dim}",
        (0..x.ndim()).find(|&d| d != dim && index.sizes[d] > x.sizes[d]).unwrap_or(0),
        index.sizes,
        x.sizes
    );
    Ok(())
}

pub(super) fn gather(x: Raw, index: Raw, out: Raw, dim: usize) -> Result<()> {
    let (x, index, out) = (at_least_1d(x), at_least_1d(index), at_least_1d(out));
    check_fits(index, x, dim)?;
    check!(out.sizes == index.sizes && out.dtype == x.dtype, Runtime, "gather: the output differs from index or input");
    gather_along(x, index, out, dim).map_err(|at| Error::runtime(bounds(at, dim, x.sizes[dim])))
}

/// Gathers where shapes are known to fit; the error is the index out of range.
fn gather_along(x: Raw, index: Raw, out: Raw, dim: usize) -> Result<(), i64> {
    let strides = without(x.strides, dim);
    let source = x.with_layout(index.sizes, &strides);
    let body = gather_of(x.dtype);
    let (step, size) = (x.strides[dim] as isize * x.dtype.size() as isize, x.sizes[dim]);
    let walk = Loop::new([&out, &index, &source]);
    let bad = First::new();
    par_range(walk.numel, GRAIN, |r| {
        let mut position = r.start;
        walk.for_range(r, |n, p, &strides| {
            let lane = Lane { n, dst: p[0], index: p[1], src: p[2], strides, step, size };
            // SAFETY: the loop stays inside the operands; `source` stays inside `x` because the index fits.
            if let Some(at) = unsafe { body(&lane) } {
                bad.set(position, at);
            }
            position += n;
        });
    });
    bad.take().map_or(Ok(()), Err)
}

pub(super) fn scatter(out: Raw, index: Raw, src: Raw, dim: usize, reduce: ScatterReduce) -> Result<()> {
    let (out, index, src) = (at_least_1d(out), at_least_1d(index), at_least_1d(src));
    check_fits(index, out, dim)?;
    check!(src.dtype == out.dtype, Runtime, "scatter(): Expected self.dtype to be equal to src.dtype");
    let covers = src.ndim() == index.ndim() && index.sizes.iter().zip(src.sizes).all(|(i, s)| i <= s);
    check!(covers, Runtime, "Expected index {:?} to be no larger than src {:?}", index.sizes, src.sizes);
    let moves = Moves::of("scatter", out.dtype, reduce)?;
    scatter_along(out, index, src, dim, moves).map_err(|at| Error::runtime(bounds(at, dim, out.sizes[dim])))
}

/// Scatters where shapes are known to fit. Elements that may meet in one place differ only along `dim`, so threads share
/// out the other dimensions and each keeps the order along `dim`.
fn scatter_along(out: Raw, index: Raw, src: Raw, dim: usize, moves: Moves) -> Result<(), i64> {
    let count = index.sizes[dim] as usize;
    let mut lanes = index.sizes.to_vec();
    lanes[dim] = 1;
    let strides = without(out.strides, dim);
    let item = out.dtype.size() as isize;
    // Along `dim`, the place comes from the index alone.
    let along = [0, index.strides[dim] as isize * 8, src.strides[dim] as isize * item];
    let (step, size) = (out.strides[dim] as isize * item, out.sizes[dim]);
    let walk = Loop::new([
        &out.with_layout(&lanes, &strides),
        &index.with_layout(&lanes, index.strides),
        &src.with_layout(&lanes, src.strides),
    ]);
    if count == 0 {
        return Ok(());
    }
    let bad = First::new();
    par_range(walk.numel, (GRAIN / count).max(1), |r| {
        let mut position = r.start;
        walk.for_range(r, |n, p, &strides| {
            let by_slice = n > 1 && strides[0].abs() < step.abs();
            let (outer, outer_strides, inner, inner_strides) =
                if by_slice { (count, along, n, strides) } else { (n, strides, count, along) };
            for k in 0..outer as isize {
                let at: [*mut u8; 3] = std::array::from_fn(|o| p[o].wrapping_offset(k * outer_strides[o]));
                let lane = Lane { n: inner, dst: at[0], index: at[1], src: at[2], strides: inner_strides, step, size };
                // SAFETY: inside the operands; the index fits and covers no more than `src`.
                if let Some(at) = unsafe { (moves.scatter)(&lane) } {
                    bad.set(position, at);
                    break;
                }
            }
            position += n;
        });
    });
    bad.take().map_or(Ok(()), Err)
}

/// PyTorch's words for a slice or a row of an embedding that is not there, then which one.
fn out_of_range(at: i64, dim: usize, size: i64) -> Error {
    Error::index(format!("index out of range in self: {}", bounds(at, dim, size)))
}

pub(super) fn index_select(x: Raw, index: Raw, out: Raw, dim: usize) -> Result<()> {
    let (x, out) = (at_least_1d(x), at_least_1d(out));
    check!(dim < x.ndim() && out.ndim() == x.ndim(), Runtime, "index_select: dimension {dim} does not exist");
    check!(out.dtype == x.dtype, Runtime, "index_select(): self and result must have the same scalar type");
    let indices = indices_i64("index_select", index)?;
    let fits = (0..x.ndim()).all(|d| out.sizes[d] == if d == dim { indices.len() as i64 } else { x.sizes[d] });
    check!(fits, Runtime, "index_select: output of size {:?} does not fit", out.sizes);
    let size = x.sizes[dim];
    if let Some(&at) = indices.iter().find(|&&i| i as u64 >= size as u64) {
        return Err(out_of_range(at, dim, size));
    }
    let row = Rows::of(x, out, dim);
    let Some(row) = row.filter(|r| r.bytes > x.dtype.size()) else {
        let mut strides = vec![0; x.ndim()];
        strides[dim] = 1;
        let index = Raw { ptr: indices.as_ptr() as *mut u8, dtype: DType::I64, sizes: out.sizes, strides: &strides };
        return gather_along(x, index, out, dim).map_err(|at| out_of_range(at, dim, size));
    };
    let (n, item) = (indices.len(), x.dtype.size() as isize);
    let (xs, os) = (x.strides[dim] as isize * item, out.strides[dim] as isize * item);
    par_range(row.outer.numel * n, (GRAIN * 4 / row.bytes).max(1), |r| {
        let mut at = r.start;
        while at < r.end {
            let (outer, first) = (at / n, at % n);
            let count = (n - first).min(r.end - at);
            row.outer.for_range(outer..outer + 1, |_, p, _| {
                for i in first..first + count {
                    // SAFETY: the indices are checked; rows are gapless in both operands.
                    unsafe {
                        let from = p[1].offset(indices[i] as isize * xs);
                        std::ptr::copy_nonoverlapping(from, p[0].offset(i as isize * os), row.bytes);
                    }
                }
            });
            at += count;
        }
    });
    Ok(())
}

/// Slices whose dimensions after the indexed one are gapless in both operands.
struct Rows {
    bytes: usize,
    outer: Loop<2>,
}

impl Rows {
    fn of(x: Raw, out: Raw, dim: usize) -> Option<Rows> {
        let tail = |r: Raw| gapless(&r.sizes[dim + 1..], &r.strides[dim + 1..]);
        if !tail(x) || !tail(out) {
            return None;
        }
        let bytes = x.sizes[dim + 1..].iter().product::<i64>() as usize * x.dtype.size();
        let (sizes, xs, os) = (&x.sizes[..dim], &x.strides[..dim], &out.strides[..dim]);
        let outer = Loop::new([&out.with_layout(sizes, os), &x.with_layout(sizes, xs)]);
        Some(Rows { bytes, outer })
    }
}

fn gapless(sizes: &[i64], strides: &[i64]) -> bool {
    let mut expected = 1;
    sizes.iter().zip(strides).rev().all(|(&n, &s)| {
        let fits = n == 1 || s == expected;
        expected *= n;
        fits
    })
}

pub(super) fn index_reduce(out: Raw, index: Raw, src: Raw, dim: usize, reduce: ScatterReduce) -> Result<()> {
    let (out, src) = (at_least_1d(out), at_least_1d(src));
    check!(dim < out.ndim() && out.ndim() == src.ndim(), Runtime, "index_add_(): dimension {dim} does not exist");
    check!(src.dtype == out.dtype, Runtime, "index_add_(): self and source must have the same scalar type");
    let indices = indices_i64("index_add_", index)?;
    let fits = (0..out.ndim()).all(|d| src.sizes[d] == if d == dim { indices.len() as i64 } else { out.sizes[d] });
    check!(fits, Runtime, "index_add_(): source of size {:?} does not fit self of size {:?}", src.sizes, out.sizes);
    let mut strides = vec![0; out.ndim()];
    strides[dim] = 1;
    let index = Raw { ptr: indices.as_ptr() as *mut u8, dtype: DType::I64, sizes: src.sizes, strides: &strides };
    let moves = Moves::of("index_add", out.dtype, reduce)?;
    scatter_along(out, index, src, dim, moves).map_err(|at| out_of_range(at, dim, out.sizes[dim]))
}
