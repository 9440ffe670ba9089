//! Copies between layouts and dtypes.

use super::crossed::{TILE, turn};
use crate::convert::{BLOCK, Scratch, Span, Step, gather, run_steps, scatter, steps};
use crate::drive::{GRAIN, Loop};
use crate::parallel::par_range;
use flambeau_backend::Raw;
use flambeau_backend::{DType, Error, Result, Scalar};
use smallvec::SmallVec;

type Dims = SmallVec<[i64; 8]>;

pub fn copy(x: &Raw, out: &Raw) -> Result<()> {
    if x.dtype == out.dtype {
        same(x, out);
        return Ok(());
    }
    match (x.dtype.is_complex(), out.dtype.is_complex()) {
        (false, false) => convert(x, out),
        (true, true) => {
            for part in 0..2 {
                with_part(x, part, |x| with_part(out, part, |out| convert(x, out)))?;
            }
            Ok(())
        }
        (true, false) if out.dtype != DType::Bool => with_part(x, 0, |x| copy(x, out)),
        (true, false) => any_part(x, out),
        (false, true) => {
            with_part(out, 0, |out| copy(x, out))?;
            with_part(out, 1, |out| super::fill::fill(out, Scalar::Int(0)))
        }
    }
}

/// Calls `f` with the real (0) or imaginary (1) parts of a complex operand as a real one.
fn with_part(z: &Raw, part: usize, f: impl FnOnce(&Raw) -> Result<()>) -> Result<()> {
    let dtype = z.dtype.to_real();
    let strides: Dims = z.strides.iter().map(|s| 2 * s).collect();
    let ptr = z.ptr.wrapping_add(part * dtype.size());
    f(&Raw { ptr, dtype, sizes: z.sizes, strides: &strides })
}

/// Complex to bool: whether either part is not zero.
fn any_part(x: &Raw, out: &Raw) -> Result<()> {
    with_part(x, 0, |x| convert(x, out))?;
    let mut im = vec![false; out.numel()];
    let mut strides: Dims = Dims::from_elem(1, out.ndim());
    for d in (1..out.ndim()).rev() {
        strides[d - 1] = strides[d] * out.sizes[d];
    }
    let im = Raw { ptr: im.as_mut_ptr().cast(), dtype: DType::Bool, sizes: out.sizes, strides: &strides };
    with_part(x, 1, |x| convert(x, &im))?;
    let body = super::int::binary(flambeau_backend::BinaryOp::BitwiseOr, DType::Bool, &mut [0.0; 4], 0);
    let body = body.ok_or_else(|| Error::dtype("copy", x.dtype))?;
    super::block::exec("copy", [out, out, &im], body, &super::block::Params::new(&[]))
}

/// The same dtype: moves bytes.
fn same(x: &Raw, out: &Raw) {
    let item = out.dtype.size();
    let walk = Loop::new([out, x]);
    if x.ptr == out.ptr && walk.dims.iter().all(|d| d.strides[0] == d.strides[1]) {
        return;
    }
    let unit = item as isize;
    if let Some(t) = Transpose::of(&walk, unit) {
        return t.run(&walk, item);
    }
    par_range(walk.numel, GRAIN, |r| {
        // SAFETY: disjoint parts of two operands that do not overlap.
        walk.for_range(r, |n, p, s| unsafe {
            match (s[0] == unit, s[1] == unit) {
                (true, true) => std::ptr::copy_nonoverlapping(p[1], p[0], n * item),
                (true, false) if s[1] == 0 => crate::convert::splat(item, n, p[1], p[0]),
                (true, false) => gather(item, n, p[1], s[1], p[0]),
                (false, true) => scatter(item, n, p[1], p[0], s[0]),
                _ => strided(item, n, p[1], s[1], p[0], s[0]),
            }
        });
    });
}

/// # Safety
/// `n` elements at both places.
unsafe fn strided(item: usize, n: usize, x: *const u8, sx: isize, y: *mut u8, sy: isize) {
    unsafe fn go<T: Copy>(n: usize, x: *const u8, sx: isize, y: *mut u8, sy: isize) {
        for i in 0..n as isize {
            // SAFETY: the caller's contract.
            unsafe {
                y.wrapping_offset(i * sy)
                    .cast::<T>()
                    .write_unaligned(x.wrapping_offset(i * sx).cast::<T>().read_unaligned());
            }
        }
    }
    // SAFETY: the caller's contract.
    unsafe {
        match item {
            1 => go::<u8>(n, x, sx, y, sy),
            2 => go::<u16>(n, x, sx, y, sy),
            4 => go::<u32>(n, x, sx, y, sy),
            8 => go::<u64>(n, x, sx, y, sy),
            _ => go::<[u64; 2]>(n, x, sx, y, sy),
        }
    }
}

/// A copy whose two sides are contiguous in different dimensions goes by square tiles, so that both sides use whole cache lines.
struct Transpose {
    /// The dimension in which the input is contiguous (the output is in dimension 0).
    dim: usize,
}

impl Transpose {
    fn of(walk: &Loop<2>, unit: isize) -> Option<Self> {
        let inner = walk.dims[0];
        if inner.strides[0] != unit || inner.strides[1].abs() <= unit || inner.size < 8 {
            return None;
        }
        let dim = (1..walk.dims.len()).find(|&d| walk.dims[d].strides[1] == unit && walk.dims[d].size >= 8)?;
        Some(Transpose { dim })
    }

    fn run(&self, walk: &Loop<2>, item: usize) {
        let (cols, rows) = (walk.dims[0], walk.dims[self.dim]);
        let (tc, tr) = (cols.size.div_ceil(TILE), rows.size.div_ceil(TILE));
        let outer: usize = walk.numel / (cols.size * rows.size);
        let tiles = tc * tr * outer;
        par_range(tiles, (GRAIN / (TILE * TILE)).max(1), |r| {
            for tile in r {
                // Tiles of one band of output rows follow each other.
                let (c, rest) = (tile % tc, tile / tc);
                let (b, rest) = (rest % tr, rest / tr);
                let ptrs = walk.tile(c * TILE, self.dim, b * TILE, rest);
                let n = TILE.min(cols.size - c * TILE);
                let m = TILE.min(rows.size - b * TILE);
                // SAFETY: a tile inside both operands; tiles are disjoint.
                unsafe { turn(item, n, m, ptrs, cols.strides[1], rows.strides[0]) };
            }
        });
    }
}

/// Real dtypes that differ.
fn convert(x: &Raw, out: &Raw) -> Result<()> {
    let steps = steps(x.dtype, out.dtype).ok_or_else(|| Error::dtype("copy_", x.dtype))?;
    if steps.is_empty() {
        let x = Raw { dtype: out.dtype, ..*x };
        same(&x, out);
        return Ok(());
    }
    let (ix, io) = (x.dtype.size(), out.dtype.size());
    let walk = Loop::new([out, x]);
    par_range(walk.numel, GRAIN, |r| {
        // SAFETY: disjoint parts of two operands that do not overlap.
        walk.for_range(r, |n, p, s| unsafe { run(&steps, n, *p, *s, ix, io) });
    });
    Ok(())
}

/// # Safety
/// `n` elements of each operand.
unsafe fn run(steps: &[Step], n: usize, p: [*mut u8; 2], s: [isize; 2], ix: usize, io: usize) {
    let unit = [s[0] == io as isize, s[1] == ix as isize];
    // SAFETY: the caller's; blocks fit the scratch.
    unsafe {
        if unit[0] && unit[1] && steps.len() == 1 {
            return (steps[0].run)(Span { n, src: p[1], dst: p[0] });
        }
        let (mut a, mut b, mut c, mut d) = (Scratch::new(), Scratch::new(), Scratch::new(), Scratch::new());
        let mut at = 0;
        while at < n {
            let m = BLOCK.min(n - at);
            let here: [*mut u8; 2] = std::array::from_fn(|k| p[k].wrapping_offset(at as isize * s[k]));
            let mut src = here[1];
            if !unit[1] {
                src = a.ptr();
                gather(ix, m, here[1], s[1], src);
            }
            let dst = if unit[0] { here[0] } else { d.ptr() };
            run_steps(steps, m, src, dst, [b.ptr(), c.ptr()]);
            if !unit[0] {
                scatter(io, m, dst, here[0], s[0]);
            }
            at += m;
        }
    }
}

pub fn triangle(x: &Raw, out: &Raw, diagonal: i64, upper: bool) -> Result<()> {
    let nd = out.ndim();
    if nd < 2 || x.dtype != out.dtype {
        return Err(Error::runtime("tril and triu need at least two dimensions"));
    }
    let (rows, cols) = (out.sizes[nd - 2], out.sizes[nd - 1]);
    let item = out.dtype.size();
    // One position per row.
    let mut sizes: Dims = out.sizes.into();
    sizes[nd - 1] = if cols == 0 { 0 } else { 1 };
    let walk = Loop::in_order([&out.with_layout(&sizes, out.strides), &x.with_layout(&sizes, x.strides)]);
    let (sx, so) = (x.strides[nd - 1] as isize * item as isize, out.strides[nd - 1] as isize * item as isize);
    par_range(walk.numel, (GRAIN / cols.max(1) as usize).max(1), |r| {
        let mut at = r.start;
        walk.for_range(r, |n, p, s| {
            for i in 0..n {
                let row = (at + i) as i64 % rows;
                let edge = row.saturating_add(diagonal).saturating_add(!upper as i64).clamp(0, cols) as isize;
                let [o, x]: [*mut u8; 2] = std::array::from_fn(|k| p[k].wrapping_offset(i as isize * s[k]));
                let (keep, zero) = if upper { (edge..cols as isize, 0..edge) } else { (0..edge, edge..cols as isize) };
                // SAFETY: columns of this row, in both operands.
                unsafe {
                    let (kx, ko) = (x.wrapping_offset(keep.start * sx), o.wrapping_offset(keep.start * so));
                    if kx != ko || sx != so {
                        strided(item, keep.len(), kx, sx, ko, so);
                    }
                    let none = [0u64; 2];
                    strided(item, zero.len(), none.as_ptr().cast(), 0, o.wrapping_offset(zero.start * so), so);
                }
            }
            at += n;
        });
    });
    Ok(())
}
