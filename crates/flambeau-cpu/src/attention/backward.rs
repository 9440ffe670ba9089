//! The backward pass.

use flambeau_backend::{Attention, Raw};
use flambeau_backend::{DType, Error, Result};
use half::{bf16, f16};

use super::forward::scale_and_mask;
use super::math::{Packed, ROWS, Real, Scores, keys};
use super::{Lse, Sizes, View, flipped, with_float};
use crate::gemm::micro::{Micro, Unit};
use crate::gemm::number::{Element, Number, Visit};
use crate::isa::{self, Isa, Kernel};
use crate::parallel::par_range;
use crate::scratch::Scratch;

/// See [`Contraction::attention_backward`](flambeau_backend::Contraction::attention_backward).
pub(crate) fn backward(
    g: Raw,
    [q, k, v]: [Raw; 3],
    mask: Option<Raw>,
    out: Raw,
    lse: Raw,
    grads: [Raw; 3],
    p: &Attention,
) -> Result<()> {
    let n = Sizes::of(&q, &v, p);
    let lse = Lse::of(&lse)?;
    with_float!(q.dtype, "scaled_dot_product_attention", E => {
        <<E as Element>::Acc as Element>::dispatch(Backward::<E> {
            n,
            g: View::of(&g),
            q: View::of(&q),
            k: View::of(&k),
            v: View::of(&v),
            mask: mask.as_ref().map(View::of),
            out: View::of(&out),
            lse,
            grads: [View::of(&grads[0]), View::of(&grads[1]), View::of(&grads[2])],
        });
        Ok(())
    })
}

struct Backward<E> {
    n: Sizes,
    g: View<E>,
    q: View<E>,
    k: View<E>,
    v: View<E>,
    mask: Option<View<E>>,
    out: View<E>,
    lse: Lse,
    grads: [View<E>; 3],
}

/// The packed operands of one batch; `_t` are read along their rows' dimension.
struct Operands<K: Micro> {
    g: Packed<K>,
    q: Packed<K>,
    k: Packed<K>,
    v: Packed<K>,
    g_t: Packed<K>,
    q_t: Packed<K>,
    k_t: Packed<K>,
}

impl<E: Element<Acc: Real>> Visit<E::Acc> for Backward<E> {
    type Out = ();

    fn visit<K: Unit<E::Acc, Acc = E::Acc>>(self) {
        let n = &self.n;
        let run = isa::pick::<Batch<E, K>>();
        par_range(n.batch, 1, |range| {
            for b in range {
                let (mut rg, mut rq, mut rk, mut rv) = (None, None, None, None);
                // SAFETY: the views cover the sizes; the operands live through the call; one thread takes a batch.
                unsafe {
                    let g = self.g.wide(b, n.l, n.ev, &mut rg);
                    let q = self.q.wide(b, n.l, n.e, &mut rq);
                    let k = self.k.wide(b, n.s, n.e, &mut rk);
                    let v = self.v.wide(b, n.s, n.ev, &mut rv);
                    let operands = Operands::<K> {
                        g: Packed::new(g, n.l, n.ev, true),
                        q: Packed::new(q, n.l, n.e, true),
                        k: Packed::new(k, n.s, n.e, false),
                        v: Packed::new(v, n.s, n.ev, false),
                        g_t: Packed::new(flipped(g), n.ev, n.l, false),
                        q_t: Packed::new(flipped(q), n.e, n.l, false),
                        k_t: Packed::new(flipped(k), n.e, n.s, false),
                    };
                    run(((&raw const self).cast(), &raw const operands, b));
                }
            }
        });
    }
}

/// All tiles of one batch.
struct Batch<E, K>(std::marker::PhantomData<(E, K)>);

impl<E: Element<Acc: Real>, K: Unit<E::Acc, Acc = E::Acc>> Kernel for Batch<E, K> {
    type Args = (*const Backward<E>, *const Operands<K>, usize);
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>((f, operands, b): Self::Args) {
        // SAFETY: the caller passes live references.
        let (f, x) = unsafe { (&*f, &*operands) };
        let n = &f.n;
        let (p, d) = (Scores::<E::Acc>::new::<K>(), Scores::<E::Acc>::new::<K>());
        let panels = Scratch::<K::Unit>::new(ROWS.max(K::MR) * keys::<K>());
        // Sums of the three gradients, row-major.
        let sizes = [n.l * n.e, n.s * n.e, n.s * n.ev];
        let sums = sizes.map(Scratch::<E::Acc>::new);
        let scale = E::Acc::from_f64(n.scale);
        // SAFETY: all positions lie inside the operands or the scratch of this call.
        unsafe {
            for (s, len) in sums.iter().zip(sizes) {
                for i in 0..len {
                    *s.ptr().add(i) = E::Acc::ZERO;
                }
            }
            for q0 in (0..n.l).step_by(ROWS) {
                let rows = ROWS.min(n.l - q0);
                let mut inner = [E::Acc::ZERO; ROWS];
                let mut lse = [E::Acc::ZERO; ROWS];
                for i in 0..rows {
                    for j in 0..n.ev {
                        inner[i] += (*f.g.at(b, q0 + i, j)).widen() * (*f.out.at(b, q0 + i, j)).widen();
                    }
                    lse[i] = E::Acc::from_f64(f.lse.get(b, q0 + i));
                }
                for k0 in (0..n.visible(q0 + rows)).step_by(keys::<K>()) {
                    let cols = keys::<K>().min(n.visible(q0 + rows) - k0);
                    p.product::<K>(&x.q, q0, rows, &x.k, k0, cols);
                    d.product::<K>(&x.g, q0, rows, &x.v, k0, cols);
                    for i in 0..rows {
                        let seen = n.visible(q0 + i + 1).saturating_sub(k0).min(cols);
                        for j0 in (0..cols).step_by(K::NR) {
                            let (pr, dr) = (p.row::<K>(j0 / K::NR, i), d.row::<K>(j0 / K::NR, i));
                            let here = K::NR.min(seen.saturating_sub(j0));
                            scale_and_mask(pr, here, scale, f.mask.as_ref(), b, q0 + i, k0 + j0);
                            for j in 0..here {
                                let y = (*pr.add(j) - lse[i]).exponential::<I>();
                                *pr.add(j) = y;
                                *dr.add(j) = y * (*dr.add(j) - inner[i]) * scale;
                            }
                            for j in here..K::NR {
                                *pr.add(j) = E::Acc::ZERO;
                                *dr.add(j) = E::Acc::ZERO;
                            }
                        }
                    }
                    let [gq, gk, gv] = [0, 1, 2].map(|i| sums[i].ptr());
                    p.transposed_times::<K>(rows, cols, &x.g_t, q0, panels.ptr(), gv.add(k0 * n.ev), n.ev);
                    d.transposed_times::<K>(rows, cols, &x.q_t, q0, panels.ptr(), gk.add(k0 * n.e), n.e);
                    d.times::<K>(rows, cols, &x.k_t, k0, panels.ptr(), gq.add(q0 * n.e), n.e);
                }
            }
            for (t, (rows, cols)) in [(n.l, n.e), (n.s, n.e), (n.s, n.ev)].into_iter().enumerate() {
                for i in 0..rows {
                    for j in 0..cols {
                        *f.grads[t].at(b, i, j) = E::narrow(*sums[t].ptr().add(i * cols + j));
                    }
                }
            }
        }
    }
}
