//! Depthwise convolutions: sums of shifted planes, and for the weight's gradient scalar products; no matrix products.

use super::geometry::{Gather, inside};
use crate::gemm::number::{Element, Number};
use crate::isa::{Isa, Kernel};

/// `out[j] = sum over taps of weights[t] * x[offsets[t] + j]` for `j < count`, in whole [`LANES`](Plane::LANES).
pub(super) struct Plane<'a, A> {
    pub x: *const A,
    pub offsets: &'a [isize],
    pub weights: &'a [A],
    pub count: usize,
    pub out: *mut A,
}

impl<A> Plane<'_, A> {
    /// Sums that fit registers.
    pub const LANES: usize = 32;
}

pub(super) struct PlaneSum<E>(std::marker::PhantomData<E>);

impl<E: Element> Kernel for PlaneSum<E> {
    type Args = *const Plane<'static, E::Acc>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(args: Self::Args) {
        const L: usize = Plane::<()>::LANES;
        // SAFETY: the caller passes a live reference; the input and the output have room for whole lanes.
        unsafe {
            let p = &*args;
            for j in (0..p.count).step_by(L) {
                let mut sums = [E::Acc::ZERO; L];
                for (&at, &w) in p.offsets.iter().zip(p.weights) {
                    let x = p.x.offset(at + j as isize);
                    for l in 0..L {
                        sums[l] = E::Acc::fma::<I>(*x.add(l), w, sums[l]);
                    }
                }
                p.out.add(j).cast::<[E::Acc; L]>().write(sums);
            }
        }
    }
}

/// The weight's gradient at one tap of one channel pair, over one image: `sum over positions of g * x`.
pub(super) struct TapSum<E>(std::marker::PhantomData<E>);

pub(super) struct TapArgs<'a, E> {
    pub x: *const E,
    pub grad: *const E,
    pub g: &'a Gather,
    pub tap: usize,
}

impl<E: Element> Kernel for TapSum<E> {
    type Args = *const TapArgs<'static, E>;
    type Out = E::Acc;

    #[inline(always)]
    unsafe fn run<I: Isa>(args: Self::Args) -> E::Acc {
        const L: usize = 16;
        // SAFETY: the caller passes a live reference.
        let a = unsafe { &*args };
        let (g, off) = (a.g, a.g.taps[a.tap].off);
        let (sx, sg) = (g.in_stride[2] * g.step[2], g.out_stride[2]);
        let (lo, hi) = inside(off[2], g.step[2], g.pos[2], g.in_size[2]);
        let mut sums = [E::Acc::ZERO; L];
        for d in 0..g.pos[0] as isize {
            for h in 0..g.pos[1] as isize {
                let at = [d * g.step[0] + off[0], h * g.step[1] + off[1]];
                if at[0] < 0 || at[0] >= g.in_size[0] || at[1] < 0 || at[1] >= g.in_size[1] {
                    continue;
                }
                let x = a.x.wrapping_offset(at[0] * g.in_stride[0] + at[1] * g.in_stride[1] + off[2] * g.in_stride[2]);
                let r = a.grad.wrapping_offset(d * g.out_stride[0] + h * g.out_stride[1]);
                // SAFETY: `lo..hi` lies inside both.
                unsafe {
                    let mut i = lo;
                    if sx == 1 && sg == 1 {
                        while i + L <= hi {
                            for l in 0..L {
                                sums[l] = E::Acc::fma::<I>((*x.add(i + l)).widen(), (*r.add(i + l)).widen(), sums[l]);
                            }
                            i += L;
                        }
                    }
                    for i in i..hi {
                        let (p, q) = (*x.offset(i as isize * sx), *r.offset(i as isize * sg));
                        sums[i % L] = E::Acc::fma::<I>(p.widen(), q.widen(), sums[i % L]);
                    }
                }
            }
        }
        for half in [8, 4, 2, 1] {
            for l in 0..half {
                sums[l] = sums[l].add(sums[l + half]);
            }
        }
        sums[0]
    }
}
