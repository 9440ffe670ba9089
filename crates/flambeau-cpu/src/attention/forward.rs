//! The forward pass.

use flambeau_backend::{Attention, Raw};
use flambeau_backend::{DType, Error, Result};
use half::{bf16, f16};

use super::math::{Packed, ROWS, Real, Scores, keys};
use super::{Lse, Sizes, View, flipped, with_float};
use crate::gemm::micro::{Micro, Unit};
use crate::gemm::number::{Element, Number, Visit};
use crate::isa::{self, Isa, Kernel};
use crate::parallel::{num_threads, par_range};
use crate::scratch::Scratch;

/// See [`Contraction::attention`](flambeau_backend::Contraction::attention).
pub(crate) fn forward(q: Raw, k: Raw, v: Raw, mask: Option<Raw>, out: Raw, lse: Raw, p: &Attention) -> Result<()> {
    let sizes = Sizes::of(&q, &v, p);
    let lse = Lse::of(&lse)?;
    with_float!(q.dtype, "scaled_dot_product_attention", E => {
        <<E as Element>::Acc as Element>::dispatch(Forward::<E> {
            n: sizes,
            q: View::of(&q),
            k: View::of(&k),
            v: View::of(&v),
            mask: mask.as_ref().map(View::of),
            out: View::of(&out),
            lse,
        });
        Ok(())
    })
}

struct Forward<E> {
    n: Sizes,
    q: View<E>,
    k: View<E>,
    v: View<E>,
    mask: Option<View<E>>,
    out: View<E>,
    lse: Lse,
}

/// The packed operands of one batch.
struct Operands<K: Micro> {
    q: Packed<K>,
    k: Packed<K>,
    v: Packed<K>,
}

impl<E: Element<Acc: Real>> Visit<E::Acc> for Forward<E> {
    type Out = ();

    fn visit<K: Unit<E::Acc, Acc = E::Acc>>(self) {
        let n = &self.n;
        let run = isa::pick::<Block<E, K>>();
        let one = |b: usize| {
            let (mut rq, mut rk, mut rv) = (None, None, None);
            // SAFETY: the views cover the sizes.
            let operands = unsafe {
                let q = self.q.wide(b, n.l, n.e, &mut rq);
                let k = self.k.wide(b, n.s, n.e, &mut rk);
                let v = flipped(self.v.wide(b, n.s, n.ev, &mut rv));
                Operands::<K> {
                    q: Packed::new(q, n.l, n.e, true),
                    k: Packed::new(k, n.s, n.e, false),
                    v: Packed::new(v, n.ev, n.s, false),
                }
            };
            par_range(n.l.div_ceil(ROWS), 1, |r| {
                for i in r {
                    // SAFETY: the operands cover the sizes and live through the call; one thread writes a block of rows.
                    unsafe { run(((&raw const self).cast(), &raw const operands, b, i * ROWS)) };
                }
            });
        };
        if n.batch >= num_threads() {
            par_range(n.batch, 1, |r| r.for_each(one));
        } else {
            (0..n.batch).for_each(one);
        }
    }
}

/// One block of queries against all keys that it may see.
struct Block<E, K>(std::marker::PhantomData<(E, K)>);

impl<E: Element<Acc: Real>, K: Unit<E::Acc, Acc = E::Acc>> Kernel for Block<E, K> {
    type Args = (*const Forward<E>, *const Operands<K>, usize, usize);
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>((f, operands, b, q0): Self::Args) {
        // SAFETY: the caller passes live references.
        let (f, x) = unsafe { (&*f, &*operands) };
        let n = &f.n;
        let rows = ROWS.min(n.l - q0);
        let scores = Scores::<E::Acc>::new::<K>();
        let panels = Scratch::<K::Unit>::new(ROWS * keys::<K>());
        let sums = Scratch::<E::Acc>::new(ROWS * n.ev);
        let mut state = [(E::Acc::NEG_INFINITY, E::Acc::ZERO); ROWS];
        let scale = E::Acc::from_f64(n.scale);
        // SAFETY: all positions lie inside the block, the operands or the scratch of this call.
        unsafe {
            for i in 0..rows * n.ev {
                *sums.ptr().add(i) = E::Acc::ZERO;
            }
            for k0 in (0..n.visible(q0 + rows)).step_by(keys::<K>()) {
                let cols = keys::<K>().min(n.visible(q0 + rows) - k0);
                scores.product::<K>(&x.q, q0, rows, &x.k, k0, cols);
                for i in 0..rows {
                    let seen = n.visible(q0 + i + 1).saturating_sub(k0).min(cols);
                    let (old, sum) = state[i];
                    let mut largest = old;
                    for j0 in (0..seen).step_by(K::NR) {
                        let row = scores.row::<K>(j0 / K::NR, i);
                        let here = K::NR.min(seen - j0);
                        scale_and_mask(row, here, scale, f.mask.as_ref(), b, q0 + i, k0 + j0);
                        largest = highest(row, here, largest);
                    }
                    // Nothing seen yet: any finite number keeps the exponentials at zero.
                    let shift = if largest == E::Acc::NEG_INFINITY { E::Acc::ZERO } else { largest };
                    let mut total = E::Acc::ZERO;
                    for j0 in (0..cols).step_by(K::NR) {
                        let row = scores.row::<K>(j0 / K::NR, i);
                        let here = K::NR.min(seen.saturating_sub(j0));
                        total += exponentials::<I, E::Acc>(row, here, shift);
                        for j in here..K::NR {
                            *row.add(j) = E::Acc::ZERO;
                        }
                    }
                    let fade = (old - shift).exponential::<I>();
                    state[i] = (largest, sum * fade + total);
                    if k0 > 0 {
                        for j in 0..n.ev {
                            *sums.ptr().add(i * n.ev + j) *= fade;
                        }
                    }
                }
                scores.times::<K>(rows, cols, &x.v, k0, panels.ptr(), sums.ptr(), n.ev);
            }
            for i in 0..rows {
                let (largest, sum) = state[i];
                for j in 0..n.ev {
                    // Without any key the sum over nothing is zero, not zero over zero.
                    let v = if n.s == 0 { E::Acc::ZERO } else { *sums.ptr().add(i * n.ev + j) / sum };
                    *f.out.at(b, q0 + i, j) = E::narrow(v);
                }
                f.lse.set(b, q0 + i, (largest + sum.ln()).to_f64());
            }
        }
    }
}

/// `row = row * scale + mask`, for row `i` and keys from `j0` of batch `b`.
#[inline(always)]
pub(super) unsafe fn scale_and_mask<E: Element<Acc: Real>>(
    row: *mut E::Acc,
    count: usize,
    scale: E::Acc,
    mask: Option<&View<E>>,
    b: usize,
    i: usize,
    j0: usize,
) {
    // SAFETY: the caller's row and mask have these elements.
    unsafe {
        match mask {
            None => {
                for j in 0..count {
                    *row.add(j) *= scale;
                }
            }
            Some(m) => {
                let (from, stride) = (m.at(b, i, j0), m.strides[2]);
                if stride == 1 {
                    for j in 0..count {
                        *row.add(j) = *row.add(j) * scale + (*from.add(j)).widen();
                    }
                } else {
                    for j in 0..count {
                        *row.add(j) = *row.add(j) * scale + (*from.offset(j as isize * stride)).widen();
                    }
                }
            }
        }
    }
}

/// Lanes of a running sum or maximum.
const L: usize = 16;

/// The largest of `count` elements and `start`.
#[inline(always)]
unsafe fn highest<A: Real>(row: *const A, count: usize, start: A) -> A {
    let mut best = [start; L];
    let whole = count / L * L;
    // SAFETY: the caller's row.
    unsafe {
        for j in (0..whole).step_by(L) {
            for l in 0..L {
                let x = *row.add(j + l);
                best[l] = if x > best[l] { x } else { best[l] };
            }
        }
        for j in whole..count {
            let x = *row.add(j);
            best[0] = if x > best[0] { x } else { best[0] };
        }
    }
    best.into_iter().fold(start, |a, b| if b > a { b } else { a })
}

/// Replaces `count` elements by `exp(x - shift)`; their sum.
#[inline(always)]
unsafe fn exponentials<I: Isa, A: Real>(row: *mut A, count: usize, shift: A) -> A {
    let mut sums = [A::ZERO; L];
    let whole = count / L * L;
    // SAFETY: the caller's row.
    unsafe {
        for j in (0..whole).step_by(L) {
            for l in 0..L {
                let y = (*row.add(j + l) - shift).exponential::<I>();
                *row.add(j + l) = y;
                sums[l] += y;
            }
        }
        for j in whole..count {
            let y = (*row.add(j) - shift).exponential::<I>();
            *row.add(j) = y;
            sums[0] += y;
        }
    }
    sums.into_iter().fold(A::ZERO, |a, b| a + b)
}
