//! Products with a vector or with a few rows: bound by memory, so nothing is packed.

use super::matrix::{Matrix, Output};
use super::number::{Element, Number};
use crate::isa::{self, Isa, Kernel};
use crate::parallel::par_range;
use crate::scratch::Scratch;

/// Rows of `A` up to which reading `B` in place beats packing it.
const FEW: usize = 8;
/// Elements of `B` that one thread takes at least.
const GRAIN: usize = 1 << 15;

/// Whether [`product`] is the better way.
pub(crate) fn serves<E>(a: &Matrix<E>, b: &Matrix<E>, m: usize, n: usize, k: usize) -> bool {
    if m == 1 {
        return b.step == 1 || b.line == 1 || n * k <= 4096;
    }
    m <= FEW && b.step == 1 && a.step == 1 && k >= 64 && n >= 4
}

/// `out = a b` for few rows of `a`.
///
/// # Safety
/// The operands and the output cover the sizes.
pub(crate) unsafe fn product<E: Element>(a: &Matrix<E>, b: &Matrix<E>, m: usize, n: usize, k: usize, out: &Output<E>) {
    // The rows of `a` contiguous and wide: they are read once for each column.
    let x = Scratch::<E::Acc>::new(m * k);
    for i in 0..m {
        let row = a.ptr.wrapping_offset(i as isize * a.line);
        for p in 0..k {
            // SAFETY: inside both.
            unsafe { *x.ptr().add(i * k + p) = (*row.offset(p as isize * a.step)).widen() };
        }
    }
    let grain = GRAIN / k.max(1) + 1;
    let x = x;
    if b.step == 1 || (b.line != 1 && m > 1) {
        let run = isa::pick::<Dots<E>>();
        par_range(n, grain.next_multiple_of(4), |r| {
            for i0 in (0..m).step_by(4) {
                let rows = 4.min(m - i0);
                // SAFETY: disjoint columns; the instance suits the machine.
                unsafe { run((x.ptr().add(i0 * k), rows, i0, *b, r.start, r.end, k, *out)) };
            }
        });
    } else {
        let run = isa::pick::<Axpys<E>>();
        par_range(n, grain.next_multiple_of(64), |r| {
            // SAFETY: as above.
            unsafe { run((x.ptr(), *b, r.start, r.end, k, *out)) };
        });
    }
}

/// Scalar products of 1 to 4 wide rows with the lines of `b`.
struct Dots<E>(std::marker::PhantomData<E>);

type DotArgs<E> = (*const <E as Element>::Acc, usize, usize, Matrix<E>, usize, usize, usize, Output<E>);

impl<E: Element> Kernel for Dots<E> {
    type Args = DotArgs<E>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>((x, rows, i0, b, from, to, k, out): Self::Args) {
        // SAFETY: the caller's operands cover the sizes.
        unsafe {
            match rows {
                1 => dots::<I, E, 1, 4>(x, i0, b, from, to, k, &out),
                2 => dots::<I, E, 2, 4>(x, i0, b, from, to, k, &out),
                3 => dots::<I, E, 3, 4>(x, i0, b, from, to, k, &out),
                _ => dots::<I, E, 4, 4>(x, i0, b, from, to, k, &out),
            }
        }
    }
}

/// `R` rows with `C` columns at a time.
#[inline(always)]
unsafe fn dots<I: Isa, E: Element, const R: usize, const C: usize>(
    x: *const E::Acc,
    i0: usize,
    b: Matrix<E>,
    from: usize,
    to: usize,
    k: usize,
    out: &Output<E>,
) {
    let mut j = from;
    // SAFETY: the caller's operands cover the sizes.
    unsafe {
        while j + C <= to {
            dot_block::<I, E, R, C>(x, i0, b, j, k, out);
            j += C;
        }
        while j < to {
            dot_block::<I, E, R, 1>(x, i0, b, j, k, out);
            j += 1;
        }
    }
}

#[inline(always)]
unsafe fn dot_block<I: Isa, E: Element, const R: usize, const C: usize>(
    x: *const E::Acc,
    i0: usize,
    b: Matrix<E>,
    j: usize,
    k: usize,
    out: &Output<E>,
) {
    const L: usize = 16;
    let mut sums = [[[E::Acc::ZERO; L]; C]; R];
    let b0 = b.ptr.wrapping_offset(j as isize * b.line);
    let whole = if b.step == 1 { k / L * L } else { 0 };
    // SAFETY: inside the operands.
    unsafe {
        let mut p = 0;
        while p < whole {
            for c in 0..C {
                let line = b0.offset(c as isize * b.line).add(p);
                let mut v = [E::Acc::ZERO; L];
                for l in 0..L {
                    v[l] = (*line.add(l)).widen();
                }
                for r in 0..R {
                    let xr = x.add(r * k + p);
                    for l in 0..L {
                        sums[r][c][l] = E::Acc::fma::<I>(*xr.add(l), v[l], sums[r][c][l]);
                    }
                }
            }
            p += L;
        }
        for r in 0..R {
            for c in 0..C {
                let mut s = sums[r][c];
                for half in [8, 4, 2, 1] {
                    for l in 0..half {
                        s[l] = s[l].add(s[l + half]);
                    }
                }
                let mut s = s[0];
                let line = b0.offset(c as isize * b.line);
                for p in whole..k {
                    s = E::Acc::fma::<I>(*x.add(r * k + p), (*line.offset(p as isize * b.step)).widen(), s);
                }
                out.one(i0 + r, j + c, s);
            }
        }
    }
}

/// A row times a matrix whose rows are contiguous: sums of scaled rows.
struct Axpys<E>(std::marker::PhantomData<E>);

impl<E: Element> Kernel for Axpys<E> {
    type Args = (*const E::Acc, Matrix<E>, usize, usize, usize, Output<E>);
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
