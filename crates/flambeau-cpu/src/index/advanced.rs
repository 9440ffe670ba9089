//! Advanced indexing: one place from several index tensors.

use super::bounds;
use super::first::First;
use super::moves::Moves;
use crate::drive::Loop;
use crate::parallel::par_range;
use flambeau_backend::{DType, Error, Result, check};
use flambeau_backend::{Raw, ScatterReduce};
use std::ops::Range;

/// Positions whose addresses are computed at a time.
const BLOCK: usize = 256;
const GRAIN: usize = 16384;

/// `table` is the indexed operand, `list` the one with a place per index position.
struct Places<'a> {
    indices: Vec<Index<'a>>,
    table: *mut u8,
    /// The list's index positions, in order.
    list: Loop<1>,
    /// What is moved at each position: the dimensions that are not indexed.
    rest: Loop<2>,
    count: usize,
}

struct Index<'a> {
    walk: Loop<1>,
    /// Bytes of the table.
    stride: isize,
    size: i64,
    axis: &'a usize,
}

/// An index outside: its value, the user's dimension, that dimension's size.
type Outside = (i64, usize, i64);

fn outside((at, axis, size): Outside) -> Error {
    Error::index(bounds(at, axis, size))
}

// SAFETY: only names memory; threads write disjoint parts.
unsafe impl Sync for Places<'_> {}

impl<'a> Places<'a> {
    fn new(name: &str, table: Raw, indices: &[Raw], axes: &'a [usize], list: Raw) -> Result<Self> {
        let k = indices.len();
        check!(
            k > 0 && k <= table.ndim() && k == axes.len(),
            Index,
            "too many indices for tensor of dimension {}",
            table.ndim()
        );
        check!(list.dtype == table.dtype, Runtime, "{name}: source and destination dtypes match is required");
        let shape = indices[0].sizes;
        for i in indices {
            check!(i.dtype == DType::I64, Index, "tensors used as indices must be long, int, byte or bool tensors");
            check!(i.sizes == shape, Index, "shape mismatch: indexing tensors could not be broadcast together");
        }
        let r = shape.len();
        let fits =
            list.ndim() == r + table.ndim() - k && list.sizes[..r] == *shape && list.sizes[r..] == table.sizes[k..];
        check!(fits, Runtime, "{name}: values of size {:?} do not fit the indices", list.sizes);
        let item = table.dtype.size() as isize;
        let indices = indices.iter().enumerate().map(|(d, i)| Index {
            walk: Loop::in_order([i]),
            stride: table.strides[d] as isize * item,
            size: table.sizes[d],
            axis: &axes[d],
        });
        Ok(Places {
            indices: indices.collect(),
            table: table.ptr,
            list: Loop::in_order([&list.with_layout(shape, &list.strides[..r])]),
            rest: Loop::new([
                &table.with_layout(&table.sizes[k..], &table.strides[k..]),
                &list.with_layout(&table.sizes[k..], &list.strides[r..]),
            ]),
            count: shape.iter().product::<i64>() as usize,
        })
    }

    /// Calls `f(addresses in the table, addresses in the list)` for blocks of the positions `range`, in order.
    fn for_blocks(
        &self,
        range: Range<usize>,
        mut f: impl FnMut(&[*mut u8], &[*mut u8]),
    ) -> Result<(), (usize, Outside)> {
        let mut table = [self.table; BLOCK];
        let mut list = [self.table; BLOCK];
        let mut start = range.start;
        while start < range.end {
            let block = start..range.end.min(start + BLOCK);
            let n = block.len();
            table[..n].fill(self.table);
            for index in &self.indices {
                let mut j = 0;
                let mut bad = None;
                index.walk.for_range(block.clone(), |n, p, s| {
                    for (i, place) in table[j..j + n].iter_mut().enumerate() {
                        // SAFETY: the loop stays inside the index tensor.
                        let at = unsafe { p[0].offset(i as isize * s[0]).cast::<i64>().read_unaligned() };
                        let from_start = if at < 0 { at.wrapping_add(index.size) } else { at };
                        if from_start as u64 >= index.size as u64 {
                            bad.get_or_insert((start + j + i, (at, *index.axis, index.size)));
                        } else {
                            *place = place.wrapping_offset(from_start as isize * index.stride);
                        }
                    }
                    j += n;
                });
                if let Some(bad) = bad {
                    return Err(bad);
                }
            }
            let mut j = 0;
            self.list.for_range(block.clone(), |n, p, s| {
                for (i, place) in list[j..j + n].iter_mut().enumerate() {
                    *place = p[0].wrapping_offset(i as isize * s[0]);
                }
                j += n;
            });
            f(&table[..n], &list[..n]);
            start = block.end;
        }
        Ok(())
    }

    /// Moves the part `rest` of every position in `range`, from list to table or back.
    ///
    /// # Safety
    /// No other thread may touch those parts.
    unsafe fn transfer(
        &self,
        range: Range<usize>,
        rest: Range<usize>,
        moves: Moves,
        into_table: bool,
    ) -> Result<(), (usize, Outside)> {
        let single = self.rest.numel == 1;
        let flip = !into_table as usize;
        self.for_blocks(range, |table, list| {
            let (dst, src) = if into_table { (table, list) } else { (list, table) };
            if single {
                // SAFETY: checked addresses of live elements.
                return unsafe { (moves.each)(dst, src) };
            }
            for (&dst, &src) in dst.iter().zip(src) {
                self.rest.for_range(rest.clone(), |n, p, s| {
                    // The loop's own pointers serve as offsets from the operands' starts.
                    let offset = |k: usize| (p[k] as isize).wrapping_sub(self.rest.ptrs[k] as isize);
                    let (d, s_) = (flip, 1 - flip);
                    // SAFETY: checked addresses; the rest of a position lies inside both operands.
                    unsafe {
                        (moves.run)(n, dst.wrapping_offset(offset(d)), src.wrapping_offset(offset(s_)), s[d], s[s_])
                    };
                });
            }
        })
    }
}

pub(super) fn index(x: Raw, indices: &[Raw], axes: &[usize], out: Raw) -> Result<()> {
    let places = Places::new("index", x, indices, axes, out)?;
    let moves = Moves::plain(x.dtype);
    let bad = First::new();
    let rest = places.rest.numel;
    par_range(places.count, (GRAIN / rest.max(1)).max(1), |r| {
        // SAFETY: each position of the output is one thread's.
        if let Err((position, what)) = unsafe { places.transfer(r, 0..rest, moves, false) } {
            bad.set(position, what);
        }
    });
    bad.take().map_or(Ok(()), |b| Err(outside(b)))
}

/// Positions may meet in one place, so they are taken in order; threads share out the dimensions that are not indexed.
pub(super) fn index_put(out: Raw, indices: &[Raw], axes: &[usize], values: Raw, accumulate: bool) -> Result<()> {
    let places = Places::new("Index put", out, indices, axes, values)?;
    let reduce = if accumulate { ScatterReduce::Add } else { ScatterReduce::Set };
    let moves = Moves::of("index_put", out.dtype, reduce)?;
    let bad = First::new();
    let rest = places.rest.numel;
    let grain = (GRAIN / places.count.max(1)).max(64);
    par_range(rest, grain, |r| {
        // SAFETY: each part of the rest is one thread's.
        if let Err((position, what)) = unsafe { places.transfer(0..places.count, r, moves, true) } {
            bad.set(position, what);
        }
    });
    bad.take().map_or(Ok(()), |b| Err(outside(b)))
}
