//! Layer normalisation over rows.

use super::row::{put, room, row, same_dtype, store, sums, vector};
use crate::isa::{self, Isa, Kernel};
use crate::parallel::par_range;
use crate::reduce::Shared;
use crate::value::{Float, FloatValue, Num, Value, float_dtype};
use flambeau_backend::Raw;
use flambeau_backend::Result;
use std::marker::PhantomData;

/// Elements of work for a thread.
const GRAIN: usize = 1 << 14;
/// Rows whose weight gradients are summed one after the other; then pairwise. Fixed, so that
/// the result does not depend on the number of threads.
const CHUNK: usize = 128;

/// Base, row stride and element stride of a matrix.
#[derive(Clone, Copy)]
struct Matrix<T> {
    ptr: Shared<T>,
    rs: isize,
    cs: isize,
}

impl<T> Matrix<T> {
    fn of(x: Raw) -> Self {
        Matrix { ptr: Shared(x.ptr.cast()), rs: x.strides[0] as isize, cs: x.strides[1] as isize }
    }

    /// # Safety
    /// Row `i` must exist.
    #[inline(always)]
    unsafe fn row(&self, i: usize) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.ptr.get().offset(i as isize * self.rs) }
    }
}

struct Forward<'a, T: FloatValue> {
    x: Matrix<T>,
    out: Matrix<T>,
    rows: std::ops::Range<usize>,
    n: usize,
    w: Option<&'a [T::A]>,
    b: Option<&'a [T::A]>,
    eps: T::A,
    /// Of all rows; this call writes those of `rows`.
    mean: Shared<T::A>,
    rstd: Shared<T::A>,
}

struct ForwardKernel<'a, T>(PhantomData<&'a T>);

impl<'a, T: FloatValue> Kernel for ForwardKernel<'a, T> {
    type Args = Forward<'a, T>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Forward<'a, T>) {
        let n = a.n;
        let count = T::A::of(n as f64);
        let (mut xb, mut ob) = (Vec::new(), Vec::new());
        for i in a.rows {
            // SAFETY: the caller vouches for the rows; the closures' indices are below `n`.
            unsafe {
                let x = row(a.x.row(i), n, a.x.cs, &mut xb);
                let out = room(a.out.row(i), n, a.out.cs, &mut ob);
                let mean = sums::<T::A, 1>(n, |j| [x.get_unchecked(j).up()])[0] / count;
                let var = sums::<T::A, 1>(n, |j| {
                    let d = x.get_unchecked(j).up() - mean;
                    [d * d]
                })[0]
                    / count;
                let rstd = T::A::ONE / (var + a.eps).sqrt();
                let (x, out) = (&x[..n], &mut out[..n]);
                match (a.w, a.b) {
                    (Some(w), Some(b)) => {
                        let (w, b) = (&w[..n], &b[..n]);
                        for j in 0..n {
                            out[j] = T::down(((x[j].up() - mean) * rstd).fma::<I>(w[j], b[j]));
                        }
                    }
                    (Some(w), None) => {
                        let w = &w[..n];
                        for j in 0..n {
                            out[j] = T::down((x[j].up() - mean) * rstd * w[j]);
                        }
                    }
                    (None, Some(b)) => {
                        let b = &b[..n];
                        for j in 0..n {
                            out[j] = T::down((x[j].up() - mean).fma::<I>(rstd, b[j]));
                        }
                    }
                    (None, None) => {
                        for j in 0..n {
                            out[j] = T::down((x[j].up() - mean) * rstd);
                        }
                    }
                }
                put(a.out.row(i), a.out.cs, &ob);
                a.mean.get().add(i).write(mean);
                a.rstd.get().add(i).write(rstd);
            }
        }
    }
}

/// See [`Norms::layer_norm`](flambeau_backend::Norms::layer_norm).
pub fn layer_norm(x: Raw, w: Option<Raw>, b: Option<Raw>, eps: f64, out: Raw, mean: Raw, rstd: Raw) -> Result<()> {
    same_dtype("LayerNormKernelImpl", x, &[out])?;
    float_dtype!(x.dtype, "LayerNormKernelImpl", T => {
        type A = <T as Value>::A;
        let (m, n) = (x.sizes[0] as usize, x.sizes[1] as usize);
        let w = w.map(vector::<A>).transpose()?;
        let b = b.map(vector::<A>).transpose()?;
        let (mut mv, mut rv) = (vec![A::ZERO; m], vec![A::ZERO; m]);
        let (mp, rp) = (Shared(mv.as_mut_ptr()), Shared(rv.as_mut_ptr()));
        let (x, y) = (Matrix::<T>::of(x), Matrix::<T>::of(out));
        par_range(m, (GRAIN / n.max(1)).max(1), |rows| {
            let (w, b, eps) = (w.as_deref(), b.as_deref(), A::of(eps));
            let args = Forward { x, out: y, rows, n, w, b, eps, mean: Shared(mp.get()), rstd: Shared(rp.get()) };
            // SAFETY: ranges are disjoint rows of the views.
            unsafe { isa::call::<ForwardKernel<T>>(args) };
        });
        store(&mv, mean)?;
        store(&rv, rstd)
    })
}

struct Backward<'a, T: FloatValue> {
    g: Matrix<T>,
    x: Matrix<T>,
    gx: Option<Matrix<T>>,
    rows: std::ops::Range<usize>,
    n: usize,
    mean: &'a [T::A],
    rstd: &'a [T::A],
    w: Option<&'a [T::A]>,
    gw: &'a mut [T::A],
    gb: &'a mut [T::A],
}

struct BackwardKernel<'a, T>(PhantomData<&'a T>);

impl<'a, T: FloatValue> Kernel for BackwardKernel<'a, T> {
    type Args = Backward<'a, T>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Backward<'a, T>) {
        let n = a.n;
        let count = T::A::of(n as f64);
        let (mut gv, mut xv, mut ov) = (Vec::new(), Vec::new(), Vec::new());
        for i in a.rows {
            // SAFETY: the caller vouches for the rows; the closures' indices are below `n`.
            unsafe {
                let g = &row(a.g.row(i), n, a.g.cs, &mut gv)[..n];
                let x = &row(a.x.row(i), n, a.x.cs, &mut xv)[..n];
                let (mean, rstd) = (a.mean[i], a.rstd[i]);
                if let Some(gx) = a.gx {
                    let out = &mut room(gx.row(i), n, gx.cs, &mut ov)[..n];
                    match a.w {
                        Some(w) => gradient::<I, T>(g, x, out, mean, rstd, count, |j| *w.get_unchecked(j)),
                        None => gradient::<I, T>(g, x, out, mean, rstd, count, |_| T::A::ONE),
                    }
                    put(gx.row(i), gx.cs, &ov);
                }
                if !a.gw.is_empty() {
                    let gw = &mut a.gw[..n];
                    for j in 0..n {
                        gw[j] = ((x[j].up() - mean) * rstd).fma::<I>(g[j].up(), gw[j]);
                    }
                }
                if !a.gb.is_empty() {
                    let gb = &mut a.gb[..n];
                    for j in 0..n {
                        gb[j] += g[j].up();
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn gradient<I: Isa, T: FloatValue>(
    g: &[T],
    x: &[T],
    out: &mut [T],
    mean: T::A,
    rstd: T::A,
    count: T::A,
    w: impl Fn(usize) -> T::A,
) {
    let n = x.len();
    let (g, out) = (&g[..n], &mut out[..n]);
    // SAFETY: indices are below `n`.
    let [s, sx] = sums::<T::A, 2>(n, |j| unsafe {
        let gw = g.get_unchecked(j).up() * w(j);
        [gw, gw * (x.get_unchecked(j).up() - mean)]
    });
    // gx = rstd * (gw - s/n - xhat * (rstd * sx)/n), with xhat = (x - mean) * rstd
    let slope = -(sx * rstd * rstd * rstd / count);
    // Subtracted before anything is scaled, so that a row of one number has no gradient at all, as in PyTorch.
    let even = s / count;
    for j in 0..n {
        let gw = g[j].up() * w(j);
        out[j] = T::down((x[j].up() - mean).fma::<I>(slope, (gw - even) * rstd));
    }
}

/// See [`Norms::layer_norm_backward`](flambeau_backend::Norms::layer_norm_backward).
pub fn layer_norm_backward(
    g: Raw,
    x: Raw,
    mean: Raw,
    rstd: Raw,
    w: Option<Raw>,
    gx: Option<Raw>,
    gw: Option<Raw>,
    gb: Option<Raw>,
) -> Result<()> {
    same_dtype("LayerNormBackwardKernelImpl", x, &[g, gx.unwrap_or(x)])?;
    float_dtype!(x.dtype, "LayerNormBackwardKernelImpl", T => {
        type A = <T as Value>::A;
        let (m, n) = (x.sizes[0] as usize, x.sizes[1] as usize);
        let w = w.map(vector::<A>).transpose()?;
        let (mean, rstd) = (vector::<A>(mean)?, vector::<A>(rstd)?);
        let (g, x, out) = (Matrix::<T>::of(g), Matrix::<T>::of(x), gx.map(Matrix::<T>::of));
        let chunks = m.div_ceil(CHUNK);
        let size = |wanted: bool| if wanted { n } else { 0 };
        let (nw, nb) = (size(gw.is_some()), size(gb.is_some()));
        let mut partial = vec![A::ZERO; (nw + nb) * chunks.max(1)];
        let base = Shared(partial.as_mut_ptr());
        par_range(chunks, (GRAIN / (CHUNK * n.max(1))).max(1), |range| {
            for c in range {
                // SAFETY: each chunk has its own sums and its own rows.
                unsafe {
                    let sums = std::slice::from_raw_parts_mut(base.get().add(c * (nw + nb)), nw + nb);
                    let (gw, gb) = sums.split_at_mut(nw);
                    let rows = c * CHUNK..m.min((c + 1) * CHUNK);
                    let (mean, rstd, w) = (&mean[..], &rstd[..], w.as_deref());
                    isa::call::<BackwardKernel<T>>(Backward { g, x, gx: out, rows, n, mean, rstd, w, gw, gb });
                }
            }
        });
        super::row::add_pairwise(&mut partial, nw + nb, chunks);
        if let Some(gw) = gw {
            store(&partial[..nw], gw)?;
        }
        if let Some(gb) = gb {
            store(&partial[nw..nw + nb], gb)?;
        }
        Ok(())
    })
}
