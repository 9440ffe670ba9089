//! The 1-D bodies of this folder, one table per dtype and way of combining; everything around them knows no type.

use crate::isa::{self, Isa, Kernel};
use crate::number::{Acc, Number, Ordered, with_number, with_real, with_size};
use flambeau_backend::ScatterReduce;
use flambeau_backend::{DType, Result};
use std::marker::PhantomData;

/// `dst[i] (op)= src[i]` for `n` elements, strides in bytes.
pub(super) type Run = unsafe fn(n: usize, dst: *mut u8, src: *const u8, ds: isize, ss: isize);

/// `*dst[i] (op)= *src[i]`, in order.
pub(super) type Each = unsafe fn(dst: &[*mut u8], src: &[*mut u8]);

/// `dst[index[i]] (op)= src[i]` (scatter) or `dst[i] = src[index[i]]` (gather), in order; stops at the first index outside and returns it.
pub(super) type Indexed = unsafe fn(&Lane) -> Option<i64>;

/// One run of an indexed move. Pointers are to the first element, strides in bytes.
pub(super) struct Lane {
    pub n: usize,
    pub dst: *mut u8,
    pub index: *const u8,
    pub src: *const u8,
    pub strides: [isize; 3],
    /// The indexed dimension of `dst` (scatter) or `src` (gather).
    pub step: isize,
    pub size: i64,
}

#[derive(Clone, Copy)]
pub(super) struct Moves {
    pub run: Run,
    pub each: Each,
    pub scatter: Indexed,
}

impl Moves {
    /// The bodies for elements of `dtype` combined by `reduce`; `op` names the operation if the dtype has none.
    pub fn of(op: &str, dtype: DType, reduce: ScatterReduce) -> Result<Moves> {
        match reduce {
            ScatterReduce::Set => Ok(Moves::plain(dtype)),
            ScatterReduce::Add => with_number!(dtype, op, T => Ok(table::<T, Add>())),
            ScatterReduce::Mul => with_number!(dtype, op, T => Ok(table::<T, Mul>())),
            ScatterReduce::Amax => with_real!(dtype, op, T => Ok(table::<T, Max>())),
            ScatterReduce::Amin => with_real!(dtype, op, T => Ok(table::<T, Min>())),
        }
    }

    /// Elements moved unchanged.
    pub fn plain(dtype: DType) -> Moves {
        with_size!(dtype, T => table::<T, Set>())
    }
}

/// The body of gather for elements of `dtype`.
pub(super) fn gather_of(dtype: DType) -> Indexed {
    with_size!(dtype, T => gather::<T>)
}

fn table<T: Copy, O: Combine<T>>() -> Moves {
    Moves { run: run::<T, O>, each: each::<T, O>, scatter: scatter::<T, O> }
}

/// How a new value meets the one in place.
trait Combine<T> {
    /// Whether the old value plays no part.
    const SET: bool = false;
    fn combine(old: T, new: T) -> T;
}

struct Set;
struct Add;
struct Mul;
struct Max;
struct Min;

impl<T> Combine<T> for Set {
    const SET: bool = true;
    #[inline(always)]
    fn combine(_: T, new: T) -> T {
        new
    }
}

impl<T: Number> Combine<T> for Add {
    #[inline(always)]
    fn combine(old: T, new: T) -> T {
        T::narrow(old.widen().plus(new.widen()))
    }
}

impl<T: Number> Combine<T> for Mul {
    #[inline(always)]
    fn combine(old: T, new: T) -> T {
        T::narrow(old.widen().times(new.widen()))
    }
}

impl<T: Number<Acc: Ordered>> Combine<T> for Max {
    #[inline(always)]
    fn combine(old: T, new: T) -> T {
        T::narrow(old.widen().larger(new.widen()))
    }
}

impl<T: Number<Acc: Ordered>> Combine<T> for Min {
    #[inline(always)]
    fn combine(old: T, new: T) -> T {
        T::narrow(old.widen().smaller(new.widen()))
    }
}

#[inline(always)]
unsafe fn one<T: Copy, O: Combine<T>>(dst: *mut u8, src: *const u8) {
    let (dst, src) = (dst.cast::<T>(), src.cast::<T>());
    // SAFETY: both are live elements, says the caller; a plain move never reads the old value.
    unsafe {
        let new = src.read_unaligned();
        dst.write_unaligned(if O::SET { new } else { O::combine(dst.read_unaligned(), new) });
    }
}

unsafe fn run<T: Copy, O: Combine<T>>(n: usize, dst: *mut u8, src: *const u8, ds: isize, ss: isize) {
    let item = size_of::<T>() as isize;
    // SAFETY: `n` live elements of each at these strides, says the caller.
    unsafe {
        if ds == item && ss == item {
            if O::SET {
                std::ptr::copy(src, dst, n * size_of::<T>());
            } else {
                isa::call::<Together<T, O>>((n, dst, src));
            }
        } else if ds == item && ss == -item && O::SET {
            // Known strides, so that the reversal is vectorised.
            for i in 0..n as isize {
                one::<T, O>(dst.offset(i * item), src.offset(-i * item));
            }
        } else {
            for i in 0..n as isize {
                one::<T, O>(dst.offset(i * ds), src.offset(i * ss));
            }
        }
    }
}

/// Two gapless runs combined.
struct Together<T, O>(PhantomData<(T, O)>);

impl<T: Copy, O: Combine<T>> Kernel for Together<T, O> {
    type Args = (usize, *mut u8, *const u8);
    type Out = ();
    #[inline(always)]
    unsafe fn run<I: Isa>((n, dst, src): Self::Args) {
        for i in 0..n {
            // SAFETY: `n` live elements of each, says the caller.
            unsafe { one::<T, O>(dst.add(i * size_of::<T>()), src.add(i * size_of::<T>())) };
        }
    }
}

unsafe fn each<T: Copy, O: Combine<T>>(dst: &[*mut u8], src: &[*mut u8]) {
    for (&d, &s) in dst.iter().zip(src) {
        // SAFETY: live elements, says the caller.
        unsafe { one::<T, O>(d, s) };
    }
}

unsafe fn scatter<T: Copy, O: Combine<T>>(l: &Lane) -> Option<i64> {
    let [sd, si, ss] = l.strides;
    // SAFETY: the run's elements are live, says the caller, and each index is checked before it is used.
    unsafe {
        if si == 0 {
            // One index for the whole run: a row.
            let at = l.index.cast::<i64>().read_unaligned();
            if at as u64 >= l.size as u64 {
                return Some(at);
            }
            run::<T, O>(l.n, l.dst.offset(at as isize * l.step), l.src, sd, ss);
            return None;
        }
        for i in 0..l.n as isize {
            let at = l.index.offset(i * si).cast::<i64>().read_unaligned();
            if at as u64 >= l.size as u64 {
                return Some(at);
            }
            one::<T, O>(l.dst.offset(i * sd + at as isize * l.step), l.src.offset(i * ss));
        }
    }
    None
}

unsafe fn gather<T: Copy>(l: &Lane) -> Option<i64> {
    let [sd, si, ss] = l.strides;
    // SAFETY: as for `scatter`.
    unsafe {
        for i in 0..l.n as isize {
            let at = l.index.offset(i * si).cast::<i64>().read_unaligned();
            if at as u64 >= l.size as u64 {
                return Some(at);
            }
            one::<T, Set>(l.dst.offset(i * sd), l.src.offset(i * ss + at as isize * l.step));
        }
    }
    None
}
