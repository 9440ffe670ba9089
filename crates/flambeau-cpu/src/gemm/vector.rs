//! Products with a vector: bound by memory, so nothing is packed. From two rows on packing is faster, however few they are.

use super::matrix::{Matrix, Output};
use super::number::{Element, Number};
use crate::isa::{self, Isa, Kernel};
use crate::parallel::par_range;
use crate::scratch::Scratch;

/// Elements of `B` that one thread takes at least.
const GRAIN: usize = 1 << 15;

/// Whether [`product`] is the better way.
pub(crate) fn serves<E>(b: &Matrix<E>, m: usize, n: usize, k: usize) -> bool {
    m == 1 && (b.step == 1 || b.line == 1 || n * k <= 4096)
}

/// `out = a b` for one row of `a`.
///
/// # Safety
/// The operands and the output cover the sizes.
pub(crate) unsafe fn product<E: Element>(a: &Matrix<E>, b: &Matrix<E>, n: usize, k: usize, out: &Output<E>) {
    // The row contiguous and wide: it is read once for each column.
    let x = Scratch::<E::Acc>::new(k);
    for p in 0..k {
        // SAFETY: inside both.
        unsafe { *x.ptr().add(p) = (*a.ptr.offset(p as isize * a.step)).widen() };
    }
    let grain = GRAIN / k.max(1) + 1;
    if b.step == 1 {
        let run = isa::pick::<Dots<E>>();
        par_range(n, grain.next_multiple_of(4), |r| {
            // SAFETY: disjoint columns; the instance suits the machine.
            unsafe { run((x.ptr(), *b, r.start, r.end, k, *out)) };
        });
    } else {
        let run = isa::pick::<Axpys<E>>();
        par_range(n, grain.next_multiple_of(64), |r| {
            // SAFETY: as above.
            unsafe { run((x.ptr(), *b, r.start, r.end, k, *out)) };
        });
    }
}

type Args<E> = (*const <E as Element>::Acc, Matrix<E>, usize, usize, usize, Output<E>);

/// Scalar products of a wide row with the contiguous lines of `b`.
struct Dots<E>(std::marker::PhantomData<E>);

impl<E: Element> Kernel for Dots<E> {
    type Args = Args<E>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>((x, b, from, to, k, out): Self::Args) {
        let mut j = from;
        // SAFETY: the caller's operands cover the sizes.
        unsafe {
            while j + 4 <= to {
                dot_block::<I, E, 4>(x, b, j, k, &out);
                j += 4;
            }
            while j < to {
                dot_block::<I, E, 1>(x, b, j, k, &out);
                j += 1;
            }
        }
    }
}

/// `C` columns at a time.
#[inline(always)]
unsafe fn dot_block<I: Isa, E: Element, const C: usize>(
    x: *const E::Acc,
    b: Matrix<E>,
    j: usize,
    k: usize,
    out: &Output<E>,
) {
    const L: usize = 16;
    let mut sums = [[E::Acc::ZERO; L]; C];
    let b0 = b.ptr.wrapping_offset(j as isize * b.line);
    let whole = if b.step == 1 { k / L * L } else { 0 };
    // SAFETY: inside the operands.
    unsafe {
        let mut p = 0;
        while p < whole {
            for c in 0..C {
                let line = b0.offset(c as isize * b.line).add(p);
                // Loaded in a loop of its own: else LLVM keeps the sums in memory, at a fifth of the speed.
                let mut v = [E::Acc::ZERO; L];
                for l in 0..L {
                    v[l] = (*line.add(l)).widen();
                }
                let x = x.add(p);
                for l in 0..L {
                    sums[c][l] = E::Acc::fma::<I>(*x.add(l), v[l], sums[c][l]);
                }
            }
            p += L;
        }
        for c in 0..C {
            let mut s = sums[c];
            for half in [8, 4, 2, 1] {
                for l in 0..half {
                    s[l] = s[l].add(s[l + half]);
                }
            }
            let mut s = s[0];
            let line = b0.offset(c as isize * b.line);
            for p in whole..k {
                s = E::Acc::fma::<I>(*x.add(p), (*line.offset(p as isize * b.step)).widen(), s);
            }
            out.one(0, j + c, s);
        }
    }
}

/// A row times a matrix whose rows are contiguous: sums of scaled rows.
struct Axpys<E>(std::marker::PhantomData<E>);

impl<E: Element> Kernel for Axpys<E> {
    type Args = Args<E>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>((x, b, from, to, k, out): Self::Args) {
        const W: usize = 512;
        let mut sums = [E::Acc::ZERO; W];
        for j0 in (from..to).step_by(W) {
            let cols = W.min(to - j0);
            sums[..cols].fill(E::Acc::ZERO);
            // SAFETY: inside the operands.
            unsafe {
                let base = b.ptr.wrapping_offset(j0 as isize * b.line);
                let mut p = 0;
                while p + 4 <= k {
                    let r: [*const E; 4] = [0, 1, 2, 3].map(|q| base.offset((p + q) as isize * b.step));
                    let f: [E::Acc; 4] = [0, 1, 2, 3].map(|q| *x.add(p + q));
                    if b.line == 1 {
                        for j in 0..cols {
                            let mut s = sums[j];
                            for q in 0..4 {
                                s = E::Acc::fma::<I>(f[q], (*r[q].add(j)).widen(), s);
                            }
                            sums[j] = s;
                        }
                    } else {
                        for j in 0..cols {
                            for q in 0..4 {
                                sums[j] = E::Acc::fma::<I>(f[q], (*r[q].offset(j as isize * b.line)).widen(), sums[j]);
                            }
                        }
                    }
                    p += 4;
                }
                for p in p..k {
                    let (row, f) = (base.offset(p as isize * b.step), *x.add(p));
                    for j in 0..cols {
                        sums[j] = E::Acc::fma::<I>(f, (*row.offset(j as isize * b.line)).widen(), sums[j]);
                    }
                }
                for j in 0..cols {
                    out.one(0, j0 + j, sums[j]);
                }
            }
        }
    }
}
