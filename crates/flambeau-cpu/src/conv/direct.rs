//! Convolutions with few channels per group (depthwise): rows times scalars, without a matrix product.

use super::geometry::{Gather, inside};
use crate::gemm::matrix::Output;
use crate::gemm::number::{Element, Number};
use crate::isa::{Isa, Kernel};

/// One output channel of one image: the sum over `channels` of the group. `w` is the channel's weight row, `w_channel` its stride.
pub(super) struct Plane<E>(std::marker::PhantomData<E>);

pub(super) struct PlaneArgs<'a, E: Element> {
    pub x: *const E,
    pub g: &'a Gather,
    pub channels: usize,
    pub w: *const E,
    pub w_channel: isize,
    pub row: usize,
    pub out: Output<E>,
}

/// Positions handled at a time.
const SPAN: usize = 256;

/// Adds `f * x[i * stride]` to `acc`.
#[inline(always)]
unsafe fn axpy<I: Isa, E: Element>(acc: &mut [E::Acc], f: E::Acc, x: *const E, stride: isize) {
    // SAFETY: the caller's range lies inside the input.
    unsafe {
        if stride == 1 {
            for i in 0..acc.len() {
                acc[i] = E::Acc::fma::<I>(f, (*x.add(i)).widen(), acc[i]);
            }
        } else {
            for i in 0..acc.len() {
                acc[i] = E::Acc::fma::<I>(f, (*x.offset(i as isize * stride)).widen(), acc[i]);
            }
        }
    }
}

impl<E: Element> Kernel for Plane<E> {
    // The lifetime is the caller's: the arguments do not outlive the call.
    type Args = *const PlaneArgs<'static, E>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(args: Self::Args) {
        // SAFETY: the caller passes a live reference.
        let a = unsafe { &*args };
        let g = a.g;
        let stride = g.in_stride[2] * g.step[2];
        let mut acc = [E::Acc::ZERO; SPAN];
        for d in 0..g.pos[0] as isize {
            for h in 0..g.pos[1] as isize {
                for w0 in (0..g.pos[2]).step_by(SPAN) {
                    let len = SPAN.min(g.pos[2] - w0);
                    acc[..len].fill(E::Acc::ZERO);
                    for c in 0..a.channels as isize {
                        for tap in &g.taps {
                            let at = [
                                d * g.step[0] + tap.off[0],
                                h * g.step[1] + tap.off[1],
                                w0 as isize * g.step[2] + tap.off[2],
                            ];
                            if at[0] < 0 || at[0] >= g.in_size[0] || at[1] < 0 || at[1] >= g.in_size[1] {
                                continue;
                            }
                            let (lo, hi) = inside(at[2], g.step[2], len, g.in_size[2]);
                            if lo >= hi {
                                continue;
                            }
                            // SAFETY: `lo..hi` lies inside the input; the weight has this channel and tap.
                            unsafe {
                                let x = a.x.wrapping_offset(
                                    c * g.in_channel
                                        + at[0] * g.in_stride[0]
                                        + at[1] * g.in_stride[1]
                                        + at[2] * g.in_stride[2],
                                );
                                let f = (*a.w.offset(c * a.w_channel + tap.w)).widen();
                                axpy::<I, E>(&mut acc[lo..hi], f, x.wrapping_offset(lo as isize * stride), stride);
                            }
                        }
                    }
                    let at = d * g.out_stride[0] + h * g.out_stride[1] + w0 as isize * g.out_stride[2];
                    for i in 0..len {
                        // SAFETY: the position exists.
                        unsafe { a.out.place(a.row, at + i as isize * g.out_stride[2], acc[i], true) };
                    }
                }
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
