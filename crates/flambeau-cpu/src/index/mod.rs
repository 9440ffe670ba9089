//! Reading and writing at computed positions. Elements are moved by size; only accumulation knows a dtype.
//!
//! Every index is checked where it is used, so bad ones give an error whatever another thread does to them meanwhile; what was
//! written before stays written.

mod advanced;
pub(crate) mod first;
mod gather;
mod mask;
mod moves;
#[cfg(test)]
mod tests;

use crate::Cpu;
use crate::drive::Loop;
use flambeau_backend::{DType, Result, check};
use flambeau_backend::{Indexing, Raw, ScatterReduce};
use moves::Moves;

impl Indexing for Cpu {
    fn gather(&self, x: Raw, index: Raw, out: Raw, dim: usize) -> Result<()> {
        gather::gather(x, index, out, dim)
    }

    fn scatter(&self, out: Raw, index: Raw, src: Raw, dim: usize, reduce: ScatterReduce) -> Result<()> {
        gather::scatter(out, index, src, dim, reduce)
    }

    fn index_select(&self, x: Raw, index: Raw, out: Raw, dim: usize) -> Result<()> {
        gather::index_select(x, index, out, dim)
    }

    fn index_reduce(&self, out: Raw, index: Raw, src: Raw, dim: usize, reduce: ScatterReduce) -> Result<()> {
        gather::index_reduce(out, index, src, dim, reduce)
    }

    fn index(&self, x: Raw, indices: &[Raw], axes: &[usize], out: Raw) -> Result<()> {
        advanced::index(x, indices, axes, out)
    }

    fn index_put(&self, out: Raw, indices: &[Raw], axes: &[usize], values: Raw, accumulate: bool) -> Result<()> {
        advanced::index_put(out, indices, axes, values, accumulate)
    }

    fn count_nonzero(&self, x: Raw) -> Result<usize> {
        Ok(mask::count_nonzero(x))
    }

    fn nonzero(&self, x: Raw, out: Raw) -> Result<()> {
        mask::nonzero(x, out)
    }

    fn masked_select(&self, x: Raw, mask: Raw, out: Raw) -> Result<()> {
        mask::masked_select(x, mask, out)
    }

    fn masked_scatter(&self, out: Raw, mask: Raw, src: Raw) -> Result<()> {
        mask::masked_scatter(out, mask, src)
    }

    fn flip(&self, x: Raw, out: Raw, dims: &[usize]) -> Result<()> {
        flip(x, out, dims)
    }

    fn bincount(&self, x: Raw, weights: Option<Raw>, out: Raw) -> Result<()> {
        bincount(x, weights, out)
    }
}

#[cold]
fn bounds(at: i64, dim: usize, size: i64) -> String {
    format!("index {at} is out of bounds for dimension {dim} with size {size}")
}

/// One integer of any width.
///
/// # Safety
/// `at` is a live element of that dtype.
#[inline]
unsafe fn integer(at: *const u8, dtype: DType) -> i64 {
    // SAFETY: the caller's promise.
    unsafe {
        match dtype {
            DType::I8 => at.cast::<i8>().read() as i64,
            DType::I16 => at.cast::<i16>().read_unaligned() as i64,
            DType::U16 => at.cast::<u16>().read_unaligned() as i64,
            DType::I32 => at.cast::<i32>().read_unaligned() as i64,
            DType::U32 => at.cast::<u32>().read_unaligned() as i64,
            DType::I64 | DType::U64 => at.cast::<i64>().read_unaligned(),
            _ => at.read() as i64,
        }
    }
}

/// A list of indices, `i64` or `i32`.
fn indices_i64(name: &str, index: Raw) -> Result<Vec<i64>> {
    check!(index.ndim() <= 1, Index, "{name}(): Index is supposed to be a vector");
    check!(matches!(index.dtype, DType::I64 | DType::I32), Runtime, "{name}(): Expected dtype int32/int64 for index");
    let mut list = Vec::with_capacity(index.numel());
    Loop::in_order([&index]).for_range(0..index.numel(), |n, p, s| {
        // SAFETY: the loop stays inside the operand.
        list.extend((0..n as isize).map(|i| unsafe { integer(p[0].offset(i * s[0]), index.dtype) }));
    });
    Ok(list)
}

fn flip(x: Raw, out: Raw, dims: &[usize]) -> Result<()> {
    check!(x.sizes == out.sizes && x.dtype == out.dtype, Runtime, "flip: the output differs from the input");
    let mut strides = x.strides.to_vec();
    let mut start = 0;
    for &d in dims {
        check!(d < x.ndim(), Index, "flip: dimension {d} does not exist");
        start += (x.sizes[d] - 1).max(0) * x.strides[d];
        strides[d] = -x.strides[d];
    }
    let ptr = x.ptr.wrapping_offset(start as isize * x.dtype.size() as isize);
    let run = Moves::plain(x.dtype).run;
    let walk = Loop::new([&out, &Raw { ptr, strides: &strides, ..x }]);
    crate::parallel::par_range(walk.numel, crate::drive::GRAIN, |r| {
        // SAFETY: the loop stays inside the operands, which do not overlap.
        walk.for_range(r, |n, p, s| unsafe { run(n, p[0], p[1], s[0], s[1]) });
    });
    Ok(())
}

/// Positions converted at a time.
const BLOCK: usize = 512;

fn bincount(x: Raw, weights: Option<Raw>, out: Raw) -> Result<()> {
    let words = "bincount only supports 1-d non-negative integral inputs.";
    check!(x.ndim() == 1 && out.ndim() == 1 && (x.dtype.is_int() || x.dtype == DType::Bool), Runtime, "{words}");
    let n = x.sizes[0] as usize;
    let (one, zero) = (1i64, [0u64; 2]);
    let stay = [0];
    let weights = match weights {
        Some(w) => {
            check!(w.sizes == x.sizes, Runtime, "weights should be 1-d and have the same length as input");
            w
        }
        None => Raw { ptr: (&raw const one) as *mut u8, dtype: DType::I64, sizes: x.sizes, strides: &stay },
    };
    check!(weights.dtype == out.dtype, Runtime, "bincount: weights and output differ in dtype");
    let item = out.dtype.size() as isize;
    let plain = Moves::plain(out.dtype).run;
    // SAFETY: fills the output; `zero` is as large as any element.
    unsafe { plain(out.numel(), out.ptr, (&raw const zero).cast(), out.strides[0] as isize * item, 0) };
    let add = Moves::of("bincount", out.dtype, ScatterReduce::Add)?.scatter;
    let weight_stride = weights.strides[0] as isize * item;
    let count_in = |start: usize, n: usize, index: *const u8, index_stride: isize| {
        let lane = moves::Lane {
            n,
            dst: out.ptr,
            index,
            src: weights.ptr.wrapping_offset(start as isize * weight_stride),
            strides: [0, index_stride, weight_stride],
            step: out.strides[0] as isize * item,
            size: out.sizes[0],
        };
        // SAFETY: inside the operands; values are checked against the output's length.
        let bad = unsafe { add(&lane) };
        check!(bad.is_none(), Runtime, "{words}");
        Ok(())
    };
    // A stride of zero would mean one index for all; a single element needs no stride.
    if x.dtype == DType::I64 && x.strides[0] != 0 {
        return count_in(0, n, x.ptr, x.strides[0] as isize * 8);
    }
    let mut list = [0i64; BLOCK];
    for start in (0..n).step_by(BLOCK) {
        let count = BLOCK.min(n - start);
        for (i, slot) in list[..count].iter_mut().enumerate() {
            let offset = (start + i) as isize * x.strides[0] as isize * x.dtype.size() as isize;
            // SAFETY: inside the operand.
            *slot = unsafe { integer(x.ptr.wrapping_offset(offset), x.dtype) };
        }
        count_in(start, count, list.as_ptr().cast(), 8)?;
    }
    Ok(())
}
