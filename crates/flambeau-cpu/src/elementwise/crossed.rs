//! Operands that are contiguous in another dimension than the output: a transposed matrix added to a plain one.
//!
//! Read along the output's rows they touch a cache line per element. So panels of them are turned in scratch that stays in
//! the second-level cache, tile by tile, and the body then sees contiguous rows.

use crate::drive::Loop;
use crate::parallel::par_range;
use crate::scratch::Scratch;

/// Side of a tile, in elements.
pub const TILE: usize = 32;
/// Columns of a panel; its rows are one tile's.
const WIDTH: usize = 64 * TILE;
/// Elements below which turning panels does not pay.
const FEW: usize = 1 << 14;
/// Bytes of a cache line: nearer elements share lines anyway.
const LINE: isize = 64;

/// How a loop of `N` operands crosses.
pub struct Crossed<const N: usize> {
    /// The dimension in which the crossing operands are contiguous; the others are so in dimension 0.
    dim: usize,
    crosses: [bool; N],
    item: [usize; N],
}

impl<const N: usize> Crossed<N> {
    /// `None` if no input crosses, or if some operand needs more than turning.
    pub fn of(walk: &Loop<N>, item: [usize; N]) -> Option<Self> {
        let inner = &walk.dims[0];
        if walk.numel < FEW || inner.size < TILE {
            return None;
        }
        let crosses: [bool; N] = std::array::from_fn(|k| inner.strides[k] != item[k] as isize);
        let far = |k: usize| inner.strides[k].abs() >= LINE;
        if crosses[0] || !(0..N).all(|k| !crosses[k] || far(k)) {
            return None;
        }
        let along = |d: usize| (0..N).all(|k| !crosses[k] || walk.dims[d].strides[k] == item[k] as isize);
        let dim = (1..walk.dims.len()).find(|&d| walk.dims[d].size >= 8 && along(d))?;
        Some(Crossed { dim, crosses, item })
    }

    /// Calls `body(n, pointers)` for contiguous pieces of rows that cover the loop.
    ///
    /// # Safety
    /// `walk`, which this was made for, names valid operands; `body` is sound for contiguous pieces of them on several threads.
    pub unsafe fn run(&self, walk: &Loop<N>, grain: usize, body: impl Fn(usize, [*mut u8; N]) + Sync) {
        let (cols, rows) = (walk.dims[0], walk.dims[self.dim]);
        let (across, down) = (cols.size.div_ceil(WIDTH), rows.size.div_ceil(TILE));
        let panels = across * down * (walk.numel / (cols.size * rows.size));
        par_range(panels, (grain / (TILE * WIDTH.min(cols.size))).max(1), |r| {
            let width = WIDTH.min(cols.size);
            let turned: [Option<Scratch<u8>>; N] =
                std::array::from_fn(|k| self.crosses[k].then(|| Scratch::new(width * TILE * self.item[k])));
            for panel in r {
                let (c, rest) = (panel % across, panel / across);
                let (b, rest) = (rest % down, rest / down);
                let mut at = walk.tile(c * WIDTH, self.dim, b * TILE, rest);
                let n = WIDTH.min(cols.size - c * WIDTH);
                let m = TILE.min(rows.size - b * TILE);
                let mut step = rows.strides;
                for k in 0..N {
                    let Some(scratch) = &turned[k] else { continue };
                    let (item, to) = (self.item[k], scratch.ptr());
                    step[k] = (width * item) as isize;
                    for i in (0..n).step_by(TILE) {
                        let from = at[k].wrapping_offset(i as isize * cols.strides[k]);
                        // SAFETY: a tile inside the operand, to a place inside the scratch.
                        unsafe { turn(item, TILE.min(n - i), m, [to.add(i * item), from], cols.strides[k], step[k]) };
                    }
                    at[k] = to;
                }
                for j in 0..m as isize {
                    body(n, std::array::from_fn(|k| at[k].wrapping_offset(j * step[k])));
                }
            }
        });
    }
}

/// `out[j][i] = x[i][j]` for `i < n`, `j < m`, at most a [`TILE`] each: `x` by rows of `m` at `sx` bytes, `out` by rows of `n` at
/// `so`; elements of `item` bytes.
///
/// # Safety
/// Such elements at both pointers.
pub unsafe fn turn(item: usize, n: usize, m: usize, ptrs: [*mut u8; 2], sx: isize, so: isize) {
    // SAFETY: the caller's contract.
    unsafe {
        match item {
            1 => tile_copy::<u8>(n, m, ptrs, sx, so),
            2 => tile_copy::<u16>(n, m, ptrs, sx, so),
            4 => tile_copy::<u32>(n, m, ptrs, sx, so),
            8 => tile_copy::<u64>(n, m, ptrs, sx, so),
            _ => tile_copy::<[u64; 2]>(n, m, ptrs, sx, so),
        }
    }
}

/// [`turn`] for one size of elements.
///
/// # Safety
/// Such elements at both pointers.
unsafe fn tile_copy<T: Copy>(n: usize, m: usize, [out, x]: [*mut u8; 2], sx: isize, so: isize) {
    // SAFETY: the caller's contract; the buffer holds a tile.
    unsafe {
        let mut buffer = std::mem::MaybeUninit::<[[T; TILE]; TILE]>::uninit();
        let t = buffer.as_mut_ptr().cast::<T>();
        for i in 0..n {
            let row = x.wrapping_offset(i as isize * sx).cast::<T>();
            if m == TILE {
                for j in 0..TILE {
                    *t.add(j * TILE + i) = *row.add(j);
                }
            } else {
                for j in 0..m {
                    *t.add(j * TILE + i) = *row.add(j);
                }
            }
        }
        for j in 0..m {
            std::ptr::copy_nonoverlapping(t.add(j * TILE), out.wrapping_offset(j as isize * so).cast::<T>(), n);
        }
    }
}
