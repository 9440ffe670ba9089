//! What is not zero: counting, coordinates, and elements taken or replaced under a mask.
//!
//! Each works in two passes over fixed blocks: count per block, then fill from the block's first place on.

use crate::drive::Loop;
use crate::number::with_size;
use crate::parallel::{par_range, threads_for};
use flambeau_backend::Raw;
use flambeau_backend::{DType, Result, check};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const GRAIN: usize = 32768;

/// An element as bits.
trait Bits: Copy + Default {
    /// Whether any bit under the mask is set.
    fn any(self, mask: Self) -> bool;
    /// All bits but the sign (for complex numbers: both signs).
    fn unsigned(complex: bool) -> Self;
    const FULL: Self;
}

macro_rules! bits {
    ($($t:ty),*) => {$(
        impl Bits for $t {
            #[inline(always)]
            fn any(self, mask: Self) -> bool { self & mask != 0 }
            fn unsigned(complex: bool) -> Self {
                let top = 1 << (<$t>::BITS - 1);
                let signs = if complex { top | 1 << (<$t>::BITS / 2 - 1) } else { top };
                !signs
            }
            const FULL: Self = <$t>::MAX;
        }
    )*};
}
bits!(u8, u16, u32, u64);

/// Only `complex128` has this size.
impl Bits for [u64; 2] {
    #[inline(always)]
    fn any(self, mask: Self) -> bool {
        (self[0] & mask[0]) | (self[1] & mask[1]) != 0
    }
    fn unsigned(_: bool) -> Self {
        [u64::MAX >> 1; 2]
    }
    const FULL: Self = [u64::MAX; 2];
}

/// The bits that make an element of this dtype differ from zero. `-0.0` is zero where the dtype has it.
fn mask_of<T: Bits>(dtype: DType) -> T {
    match dtype {
        DType::F8E5M2FNUZ | DType::F8E4M3FNUZ => T::FULL,
        d if d.is_differentiable() => T::unsigned(d.is_complex()),
        _ => T::FULL,
    }
}

/// How many of `n` elements are not zero.
type Count = unsafe fn(n: usize, x: *const u8, stride: isize, dtype: DType) -> usize;

unsafe fn count<T: Bits>(n: usize, x: *const u8, stride: isize, dtype: DType) -> usize {
    let mask = mask_of::<T>(dtype);
    // SAFETY: `n` live elements at this stride, says the caller.
    let at = |i: usize| unsafe { x.offset(i as isize * stride).cast::<T>().read_unaligned().any(mask) };
    if stride != size_of::<T>() as isize {
        return (0..n).filter(|&i| at(i)).count();
    }
    let mut total = 0;
    let mut i = 0;
    while i < n {
        // Short runs counted in a byte: the vectoriser keeps narrow lanes.
        let end = (i + 240).min(n);
        let mut few = 0u8;
        for j in i..end {
            // SAFETY: as above.
            few += unsafe { x.cast::<T>().add(j).read_unaligned().any(mask) } as u8;
        }
        total += few as usize;
        i = end;
    }
    total
}

fn count_of(dtype: DType) -> Count {
    with_size!(dtype, T => count::<T>)
}

/// `E8M0` is a power of two: it has no zero.
fn never_zero(dtype: DType) -> bool {
    dtype == DType::F8E8M0FNU
}

/// Equal shares of `n` positions.
struct Shares {
    n: usize,
    shares: usize,
}

impl Shares {
    fn of(n: usize) -> Shares {
        Shares { n, shares: threads_for(n, GRAIN).max(1) }
    }

    fn range(&self, i: usize) -> Range<usize> {
        let at = |i: usize| (self.n as u128 * i as u128 / self.shares as u128) as usize;
        at(i)..at(i + 1)
    }

    /// The first place of each share's finds, and after the last the number of all.
    fn starts(&self, x: Raw, walk: &Loop<1>) -> Vec<usize> {
        let counts: Vec<AtomicUsize> = (0..self.shares).map(|_| AtomicUsize::new(0)).collect();
        let (body, dtype) = (count_of(x.dtype), x.dtype);
        par_range(self.shares, 1, |shares| {
            for i in shares {
                let range = self.range(i);
                let mut found = if never_zero(dtype) { range.len() } else { 0 };
                if !never_zero(dtype) {
                    // SAFETY: the loop stays inside the operand.
                    walk.for_range(range, |n, p, s| found += unsafe { body(n, p[0], s[0], dtype) });
                }
                counts[i].store(found, Relaxed);
            }
        });
        let mut sum = 0;
        let mut starts = vec![0];
        starts.extend(counts.iter().map(|c| {
            sum += c.load(Relaxed);
            sum
        }));
        starts
    }
}

pub(super) fn count_nonzero(x: Raw) -> usize {
    let shares = Shares::of(x.numel());
    shares.starts(x, &Loop::in_order([&x])).pop().unwrap_or(0)
}

/// Hands `f` the places inside a run, some at a time, whose elements are not zero.
type Find = unsafe fn(n: usize, x: *const u8, stride: isize, dtype: DType, f: &mut dyn FnMut(&[usize]));

unsafe fn find<T: Bits>(n: usize, x: *const u8, stride: isize, dtype: DType, f: &mut dyn FnMut(&[usize])) {
    let mask = mask_of::<T>(dtype);
    let mut found = [0; 256];
    let mut start = 0;
    while start < n {
        let end = n.min(start + found.len());
        let mut k = 0;
        for i in start..end {
            found[k] = i;
            // SAFETY: `n` live elements at this stride, says the caller.
            let set = unsafe { x.offset(i as isize * stride).cast::<T>().read_unaligned() }.any(mask);
            k += (set || never_zero(dtype)) as usize;
        }
        f(&found[..k]);
        start = end;
    }
}

pub(super) fn nonzero(x: Raw, out: Raw) -> Result<()> {
    check!(out.dtype == DType::I64, Runtime, "nonzero: Expected out tensor to have scalar type Long");
    check!(
        out.ndim() == 2 && out.sizes[1] == x.ndim() as i64,
        Runtime,
        "nonzero: output of size {:?} does not fit",
        out.sizes
    );
    let walk = Loop::in_order([&x]);
    let shares = Shares::of(x.numel());
    let starts = shares.starts(x, &walk);
    check!(starts[shares.shares] == out.sizes[0] as usize, Runtime, "nonzero: the input changed while it was read");
    let body: Find = with_size!(x.dtype, T => find::<T>);
    let width = x.sizes.last().copied().unwrap_or(1).max(1) as usize;
    let [row_stride, column_stride] = [out.strides[0] as isize, out.strides[1] as isize];
    let last = x.ndim().saturating_sub(1);
    par_range(shares.shares, 1, |indices| {
        let out = &out;
        for i in indices {
            let (mut next, end) = (starts[i], starts[i + 1]);
            let mut position = shares.range(i).start;
            let mut coordinates = vec![0i64; x.ndim()];
            // Position of the first element of the row that `coordinates` names; none yet.
            let mut row_start = usize::MAX;
            walk.for_range(shares.range(i), |n, p, s| {
                let mut emit = |found: &[usize]| {
                    for &j in found {
                        let at = position + j;
                        if row_start == usize::MAX || at >= row_start + width {
                            row_start = at / width * width;
                            let mut row = at / width;
                            for d in (0..last).rev() {
                                coordinates[d] = (row % x.sizes[d] as usize) as i64;
                                row /= x.sizes[d] as usize;
                            }
                        }
                        // The memory may change under us: never write past this share's part.
                        if next == end {
                            return;
                        }
                        if let Some(c) = coordinates.last_mut() {
                            *c = (at - row_start) as i64;
                        }
                        for (d, &c) in coordinates.iter().enumerate() {
                            let place = next as isize * row_stride + d as isize * column_stride;
                            // SAFETY: `next` is below the output's length.
                            unsafe { out.ptr.cast::<i64>().offset(place).write_unaligned(c) };
                        }
                        next += 1;
                    }
                };
                // SAFETY: the loop stays inside the operand.
                unsafe { body(n, p[0], s[0], x.dtype, &mut emit) };
                position += n;
            });
        }
    });
    Ok(())
}

/// Moves between a packed list and the places under a mask: `n` places, the list from `packed` on with room for `room`
/// elements. Returns how many were moved.
type Pack = unsafe fn(
    n: usize,
    places: *mut u8,
    s: isize,
    mask: *const u8,
    ms: isize,
    packed: *mut u8,
    ps: isize,
    room: usize,
) -> usize;

unsafe fn pack<T: Copy>(
    n: usize,
    places: *mut u8,
    s: isize,
    mask: *const u8,
    ms: isize,
    packed: *mut u8,
    ps: isize,
    room: usize,
) -> usize {
    let mut k = 0;
    for i in 0..n as isize {
        if k == room {
            break;
        }
        // SAFETY: `n` live elements and masks; `k < room`. Written always, kept where the mask holds: no branch to mispredict.
        unsafe {
            let v = places.offset(i * s).cast::<T>().read_unaligned();
            packed.offset(k as isize * ps).cast::<T>().write_unaligned(v);
            k += (*mask.offset(i * ms) != 0) as usize;
        }
    }
    k
}

unsafe fn unpack<T: Copy>(
    n: usize,
    places: *mut u8,
    s: isize,
    mask: *const u8,
    ms: isize,
    packed: *mut u8,
    ps: isize,
    room: usize,
) -> usize {
    let mut k = 0;
    for i in 0..n as isize {
        // SAFETY: as above, reading the list only while it lasts.
        unsafe {
            if *mask.offset(i * ms) != 0 && k < room {
                let v = packed.offset(k as isize * ps).cast::<T>().read_unaligned();
                places.offset(i * s).cast::<T>().write_unaligned(v);
                k += 1;
            }
        }
    }
    k
}

fn under_mask(places: Raw, mask: Raw, packed: Raw, starts: &[usize], shares: &Shares, body: Pack) {
    let walk = Loop::in_order([&places, &mask]);
    let stride = packed.strides[0] as isize * packed.dtype.size() as isize;
    par_range(shares.shares, 1, |indices| {
        let packed = &packed;
        for i in indices {
            let (mut next, end) = (starts[i], starts[i + 1]);
            walk.for_range(shares.range(i), |n, p, s| {
                let list = packed.ptr.wrapping_offset(next as isize * stride);
                // SAFETY: the loop stays inside its operands; `end` is within the list.
                next += unsafe { body(n, p[0], s[0], p[1], s[1], list, stride, end - next) };
            });
        }
    });
}

fn check_mask(name: &str, x: Raw, mask: Raw, list: Raw) -> Result<()> {
    check!(mask.dtype == DType::Bool, Runtime, "{name}: expected BoolTensor for mask");
    check!(mask.sizes == x.sizes, Runtime, "{name}: mask of size {:?} for input of size {:?}", mask.sizes, x.sizes);
    check!(list.dtype == x.dtype && list.ndim() == 1, Runtime, "{name}: expected self and source to have same dtypes");
    Ok(())
}

pub(super) fn masked_select(x: Raw, mask: Raw, out: Raw) -> Result<()> {
    check_mask("masked_select", x, mask, out)?;
    let shares = Shares::of(x.numel());
    let starts = shares.starts(mask, &Loop::in_order([&mask]));
    check!(
        starts[shares.shares] == out.sizes[0] as usize,
        Runtime,
        "masked_select: {} elements selected for an output of {}",
        starts[shares.shares],
        out.sizes[0]
    );
    under_mask(x, mask, out, &starts, &shares, with_size!(x.dtype, T => pack::<T>));
    Ok(())
}

pub(super) fn masked_scatter(out: Raw, mask: Raw, src: Raw) -> Result<()> {
    check_mask("masked_scatter_", out, mask, src)?;
    let shares = Shares::of(out.numel());
    let starts = shares.starts(mask, &Loop::in_order([&mask]));
    check!(
        starts[shares.shares] <= src.sizes[0] as usize,
        Runtime,
        "Number of elements of source < number of ones in mask"
    );
    under_mask(out, mask, src, &starts, &shares, with_size!(out.dtype, T => unpack::<T>));
    Ok(())
}
