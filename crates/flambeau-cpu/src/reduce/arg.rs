//! Positions of extremes: the first of equals, NaN before everything.

use super::Shared;
use super::plan::Plan;
use crate::isa::{self, Isa, Kernel};
use crate::parallel::par_range;
use crate::value::{Num, Value, real_dtype};
use flambeau_backend::Raw;
use flambeau_backend::{DType, Error, Result};
use std::marker::PhantomData;

/// Elements searched at once in a run; also the block whose position is looked up at the end.
const BLOCK: usize = 1024;
const LANES: usize = 64;

/// Which end of the order is wanted.
pub trait Extreme: 'static {
    fn worst<A: Num>() -> A;
    /// `a` replaces an earlier `b`.
    fn wins<A: Num>(a: A, b: A) -> bool;
    /// `a` is strictly nearer the end than `b`; false for NaN.
    fn beyond<A: Num>(a: A, b: A) -> bool;
}
pub struct Largest;
pub struct Smallest;
impl Extreme for Largest {
    #[inline(always)]
    fn worst<A: Num>() -> A {
        A::LOWEST
    }
    #[inline(always)]
    fn wins<A: Num>(a: A, b: A) -> bool {
        a.beats(b)
    }
    #[inline(always)]
    fn beyond<A: Num>(a: A, b: A) -> bool {
        a > b
    }
}
impl Extreme for Smallest {
    #[inline(always)]
    fn worst<A: Num>() -> A {
        A::HIGHEST
    }
    #[inline(always)]
    fn wins<A: Num>(a: A, b: A) -> bool {
        a.undercuts(b)
    }
    #[inline(always)]
    fn beyond<A: Num>(a: A, b: A) -> bool {
        a < b
    }
}

struct Args<'a, T: Value> {
    x: *const T,
    /// Elements along the dimension and their stride.
    n: usize,
    rs: isize,
    /// Stride between outputs, of which there are `best.len()`.
    cs: isize,
    best: &'a mut [T::A],
    at: &'a mut [u32],
}

struct ArgKernel<'a, T, E>(PhantomData<(&'a T, E)>);

impl<'a, T: Value, E: Extreme> Kernel for ArgKernel<'a, T, E> {
    type Args = Args<'a, T>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<'a, T>) {
        // SAFETY: the caller vouches for `n` rows of `best.len()` elements.
        unsafe {
            if a.best.len() == 1 {
                let (best, at) = search::<T, E>(a.x, a.n, a.rs);
                a.best[0] = best;
                a.at[0] = at;
            } else {
                columns::<T, E>(a);
            }
        }
    }
}

/// The extreme of a run of `n >= 1` elements. Finds the best block, then the element in it.
#[inline(always)]
unsafe fn search<T: Value, E: Extreme>(x: *const T, n: usize, stride: isize) -> (T::A, u32) {
    let mut buffer = [T::default(); BLOCK];
    let mut best: T::A = E::worst();
    let mut block = 0;
    let mut load = |from: usize| -> &[T] {
        let len = BLOCK.min(n - from);
        // SAFETY: `from + len <= n`.
        unsafe {
            let p = x.offset(from as isize * stride);
            if stride == 1 {
                return std::slice::from_raw_parts(p, len);
            }
            for i in 0..len {
                buffer[i] = *p.offset(i as isize * stride);
            }
        }
        // SAFETY: the buffer outlives every use below; a new call overwrites it only after the last use.
        unsafe { std::slice::from_raw_parts(buffer.as_ptr(), len) }
    };
    for from in (0..n).step_by(BLOCK) {
        let xs = load(from);
        let mut lanes = [E::worst::<T::A>(); LANES];
        let mut nans = [false; LANES];
        let mut chunks = xs.chunks_exact(LANES);
        for c in &mut chunks {
            for j in 0..LANES {
                let v = c[j].up();
                lanes[j] = if E::beyond(v, lanes[j]) { v } else { lanes[j] };
                nans[j] |= v.is_nan();
            }
        }
        let mut top: T::A = E::worst();
        let mut nan = false;
        for (v, is) in lanes.into_iter().zip(nans) {
            top = if E::beyond(v, top) { v } else { top };
            nan |= is;
        }
        for c in chunks.remainder() {
            let v = c.up();
            top = if E::beyond(v, top) { v } else { top };
            nan |= v.is_nan();
        }
        if nan {
            let i = xs.iter().position(|v| v.up().is_nan()).unwrap_or(0);
            return (xs[i].up(), (from + i) as u32);
        }
        if E::beyond(top, best) {
            best = top;
            block = from;
        }
    }
    let i = load(block).iter().position(|v| v.up() == best).unwrap_or(0);
    (best, (block + i) as u32)
}

#[inline(always)]
unsafe fn columns<T: Value, E: Extreme>(a: Args<T>) {
    let w = a.best.len();
    let mut buffer: Vec<T> = Vec::new();
    for i in 0..a.n {
        // SAFETY: the caller vouches for every row.
        let row: &[T] = unsafe {
            let p = a.x.offset(i as isize * a.rs);
            if a.cs == 1 {
                std::slice::from_raw_parts(p, w)
            } else {
                buffer.clear();
                buffer.extend((0..w).map(|j| *p.offset(j as isize * a.cs)));
                &buffer
            }
        };
        let (best, at) = (&mut a.best[..w], &mut a.at[..w]);
        if i == 0 {
            for j in 0..w {
                best[j] = row[j].up();
                at[j] = 0;
            }
            continue;
        }
        for j in 0..w {
            let v = row[j].up();
            let take = E::wins(v, best[j]);
            best[j] = if take { v } else { best[j] };
            at[j] = if take { i as u32 } else { at[j] };
        }
    }
}

/// Writes positions, and values if wanted.
pub fn arg_reduce(largest: bool, x: Raw, values: Option<Raw>, indices: Raw, dim: usize) -> Result<()> {
    let name = if largest { "argmax" } else { "argmin" };
    if indices.dtype != DType::I64 || values.is_some_and(|v| v.dtype != x.dtype) {
        return Err(Error::dtype(name, indices.dtype));
    }
    if x.sizes.get(dim).is_some_and(|&n| n == 0) && indices.numel() > 0 {
        return Err(Error::index(format!("{name}(): Expected reduction dim {dim} to have non-zero size.")));
    }
    real_dtype!(x.dtype, name, T => if largest {
        typed::<T, Largest>(x, values, indices);
        Ok(())
    } else {
        typed::<T, Smallest>(x, values, indices);
        Ok(())
    })
}

fn typed<T: Value, E: Extreme>(x: Raw, values: Option<Raw>, indices: Raw) {
    // Positions are kept in 32 bits inside a piece: shorter than this.
    const LONGEST: usize = 1 << 31;
    let plan = Plan::new(&x, [&indices, &values.unwrap_or(indices)]);
    let (n, rs) = plan.red[0];
    let cs = plan.cols.stride();
    let piece = plan.split().unwrap_or(LONGEST);
    let pieces = n.div_ceil(piece);
    let input = Shared(x.ptr.cast::<T>());
    let (values, indices) = (values.map(|v| Shared(v.ptr.cast::<T>())), Shared(indices.ptr.cast::<i64>()));
    let make = || (vec![T::A::ZERO; plan.width() * pieces], vec![0u32; plan.width() * pieces]);
    plan.for_tiles(1, make, |(best, at), tile| {
        let w = tile.w;
        let (b, p) = (Shared(best.as_mut_ptr()), Shared(at.as_mut_ptr()));
        par_range(pieces, 1, |range| {
            for i in range {
                // SAFETY: the plan stays inside the input; each piece has its own accumulators.
                unsafe {
                    let x = input.get().offset(tile.x + (i * piece) as isize * rs);
                    let best = std::slice::from_raw_parts_mut(b.get().add(i * w), w);
                    let at = std::slice::from_raw_parts_mut(p.get().add(i * w), w);
                    let n = piece.min(n - i * piece);
                    isa::call::<ArgKernel<T, E>>(Args { x, n, rs, cs, best, at });
                }
            }
        });
        for j in 0..w {
            let (mut top, mut place) = (best[j], at[j] as i64);
            for i in 1..pieces {
                if E::wins(best[i * w + j], top) {
                    top = best[i * w + j];
                    place = (i * piece) as i64 + at[i * w + j] as i64;
                }
            }
            // SAFETY: tiles have disjoint outputs.
            unsafe {
                indices.get().offset(tile.out[0] + j as isize * plan.cols.out(0)).write(place);
                if let Some(v) = values {
                    v.get().offset(tile.out[1] + j as isize * plan.cols.out(1)).write(T::down(top));
                }
            }
        }
    });
}
