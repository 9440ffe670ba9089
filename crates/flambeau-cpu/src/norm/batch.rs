//! Batch normalisation: statistics per channel, the affine map, the gradients. Operands are `[n, c, s]`.

use super::row::{add_pairwise, row, same_dtype, store, sums, vector};
use crate::isa::{self, Isa, Kernel};
use crate::parallel::par_range;
use crate::reduce::{Shared, var_mean_as};
use crate::value::{Float, FloatValue, Num, Value, float_dtype};
use flambeau_backend::Raw;
use flambeau_backend::Result;
use std::marker::PhantomData;

/// Elements of work for a thread.
const GRAIN: usize = 1 << 14;
/// Rows of channels whose sums are taken one after the other; then pairwise. Fixed, so that the result does
/// not depend on the number of threads.
const CHUNK: usize = 256;

/// See [`Norms::channel_stats`](flambeau_backend::Norms::channel_stats).
pub fn channel_stats(x: Raw, mean: Raw, var: Raw) -> Result<()> {
    let sizes = [1, x.sizes[1], 1];
    let (ms, vs) = ([0, mean.strides[0], 0], [0, var.strides[0], 0]);
    var_mean_as(x, var.with_layout(&sizes, &vs), mean.with_layout(&sizes, &ms), 0.0)
}

/// Base and strides of an `[n, c, s]` operand.
#[derive(Clone, Copy)]
struct Cube<T> {
    ptr: Shared<T>,
    n: isize,
    c: isize,
    s: isize,
}

impl<T> Cube<T> {
    fn of(x: Raw) -> Self {
        let s = |d: usize| x.strides[d] as isize;
        // A dimension of size one has no stride to speak of.
        let inner = if x.sizes[2] == 1 { 1 } else { s(2) };
        Cube { ptr: Shared(x.ptr.cast()), n: s(0), c: s(1), s: inner }
    }

    /// # Safety
    /// The element must exist.
    #[inline(always)]
    unsafe fn at(&self, n: usize, c: usize, s: usize) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.ptr.get().offset(n as isize * self.n + c as isize * self.c + s as isize * self.s) }
    }

    /// Whether channels lie side by side, and so a row of them is the run to vectorise.
    fn channels_last(&self, s: usize) -> bool {
        self.c == 1 && (s == 1 || self.s != 1)
    }
}

/// `out[..] = x[..]*a + b`, or with a second operand `x[..]*a + (y[..]*k + b)`, for one row.
struct Affine<'a, T: FloatValue> {
    x: *const T,
    xs: isize,
    y: *const T,
    ys: isize,
    out: *mut T,
    os: isize,
    n: usize,
    /// One number for the row, or one per element.
    a: &'a [T::A],
    k: &'a [T::A],
    b: &'a [T::A],
}

struct AffineKernel<'a, T>(PhantomData<&'a T>);

impl<'a, T: FloatValue> Kernel for AffineKernel<'a, T> {
    type Args = Affine<'a, T>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(r: Affine<'a, T>) {
        let n = r.n;
        let two = !r.k.is_empty();
        let same = r.a.len() == 1;
        if r.xs == 1 && r.os == 1 && (!two || r.ys == 1) {
            // SAFETY: the caller vouches for the rows.
            let (x, out) = unsafe { (std::slice::from_raw_parts(r.x, n), std::slice::from_raw_parts_mut(r.out, n)) };
            // SAFETY: as above, where there is a second operand.
            let y = if two { unsafe { std::slice::from_raw_parts(r.y, n) } } else { x };
            if same && two {
                let (a, k, b) = (r.a[0], r.k[0], r.b[0]);
                for i in 0..n {
                    out[i] = T::down(x[i].up().fma::<I>(a, y[i].up().fma::<I>(k, b)));
                }
            } else if same {
                let (a, b) = (r.a[0], r.b[0]);
                for i in 0..n {
                    out[i] = T::down(x[i].up().fma::<I>(a, b));
                }
            } else if two {
                let (a, k, b) = (&r.a[..n], &r.k[..n], &r.b[..n]);
                for i in 0..n {
                    out[i] = T::down(x[i].up().fma::<I>(a[i], y[i].up().fma::<I>(k[i], b[i])));
                }
            } else {
                let (a, b) = (&r.a[..n], &r.b[..n]);
                for i in 0..n {
                    out[i] = T::down(x[i].up().fma::<I>(a[i], b[i]));
                }
            }
            return;
        }
        for i in 0..n {
            let j = if same { 0 } else { i };
            let at = i as isize;
            // SAFETY: the caller vouches for the rows.
            unsafe {
                let rest = if two { (*r.y.offset(at * r.ys)).up().fma::<I>(r.k[j], r.b[j]) } else { r.b[j] };
                r.out.offset(at * r.os).write(T::down((*r.x.offset(at * r.xs)).up().fma::<I>(r.a[j], rest)));
            }
        }
    }
}

/// Applies [`AffineKernel`] to every row of `[n, c, s]` with the channel's `a`, `k`, `b`.
fn affine<T: FloatValue>(sizes: &[i64], x: Cube<T>, y: Option<Cube<T>>, out: Cube<T>, abk: [&[T::A]; 3]) {
    let (n, c, s) = (sizes[0] as usize, sizes[1] as usize, sizes[2] as usize);
    let [a, b, k] = abk;
    let last = x.channels_last(s) && out.channels_last(s);
    let (rows, len) = if last { (n * s, c) } else { (n * c, s) };
    par_range(rows, (GRAIN / len.max(1)).max(1), |range| {
        for r in range {
            // SAFETY: rows lie inside the views; each is written by one thread.
            unsafe {
                if last {
                    let (i, j) = (r / s, r % s);
                    let (yp, ys) = y.map_or((x.at(i, 0, j), x.c), |y| (y.at(i, 0, j), y.c));
                    let (x, out) = (x.at(i, 0, j), out.at(i, 0, j));
                    isa::call::<AffineKernel<T>>(Affine { x, xs: 1, y: yp, ys, out, os: 1, n: len, a, k, b });
                } else {
                    let (i, j) = (r / c, r % c);
                    let (yp, ys) = y.map_or((x.at(i, j, 0), x.s), |y| (y.at(i, j, 0), y.s));
                    let (a, b) = (&a[j..=j], &b[j..=j]);
                    let k = if k.is_empty() { k } else { &k[j..=j] };
                    let (xs, os) = (x.s, out.s);
                    let (x, out) = (x.at(i, j, 0), out.at(i, j, 0));
                    isa::call::<AffineKernel<T>>(Affine { x, xs, y: yp, ys, out, os, n: len, a, k, b });
                }
            }
        }
    });
}

/// See [`Norms::channel_affine`](flambeau_backend::Norms::channel_affine).
pub fn channel_affine(x: Raw, mean: Raw, invstd: Raw, w: Option<Raw>, b: Option<Raw>, out: Raw) -> Result<()> {
    same_dtype("batch_norm", x, &[out])?;
    float_dtype!(x.dtype, "batch_norm", T => {
        type A = <T as Value>::A;
        let (mean, invstd) = (vector::<A>(mean)?, vector::<A>(invstd)?);
        let (w, b) = (w.map(vector::<A>).transpose()?, b.map(vector::<A>).transpose()?);
        let c = x.sizes[1] as usize;
        let slope: Vec<A> = (0..c).map(|i| invstd[i] * w.as_ref().map_or(A::ONE, |w| w[i])).collect();
        let offset: Vec<A> = (0..c).map(|i| b.as_ref().map_or(A::ZERO, |b| b[i]) - mean[i] * slope[i]).collect();
        affine::<T>(x.sizes, Cube::of(x), None, Cube::of(out), [&slope, &offset, &[]]);
        Ok(())
    })
}

/// Sums of `g` and of `g*(x - mean)`.
struct Sums<'a, T: FloatValue> {
    g: Cube<T>,
    x: Cube<T>,
    /// `[n, c, s]`
    sizes: (usize, usize, usize),
    /// Channels, or rows `(n, s)` where channels lie side by side.
    range: std::ops::Range<usize>,
    last: bool,
    mean: &'a [T::A],
    sum_g: &'a mut [T::A],
    sum_gx: &'a mut [T::A],
}

struct SumsKernel<'a, T>(PhantomData<&'a T>);

impl<'a, T: FloatValue> Kernel for SumsKernel<'a, T> {
    type Args = Sums<'a, T>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Sums<'a, T>) {
        let (n, c, s) = a.sizes;
        if a.last {
            let (mean, sum_g, sum_gx) = (&a.mean[..c], &mut a.sum_g[..c], &mut a.sum_gx[..c]);
            for r in a.range {
                // SAFETY: the caller vouches for the rows.
                let (g, x) = unsafe {
                    let (g, x) = (a.g.at(r / s, 0, r % s), a.x.at(r / s, 0, r % s));
                    (std::slice::from_raw_parts(g, c), std::slice::from_raw_parts(x, c))
                };
                for j in 0..c {
                    let v = g[j].up();
                    sum_g[j] += v;
                    sum_gx[j] = v.fma::<I>(x[j].up() - mean[j], sum_gx[j]);
                }
            }
            return;
        }
        let (mut gv, mut xv) = (Vec::new(), Vec::new());
        let first = a.range.start;
        for j in a.range {
            let mean = a.mean[j];
            let mut total = [T::A::ZERO; 2];
            for i in 0..n {
                // SAFETY: the caller vouches for the rows; indices are below `s`.
                let part = unsafe {
                    let g = row(a.g.at(i, j, 0), s, a.g.s, &mut gv);
                    let x = row(a.x.at(i, j, 0), s, a.x.s, &mut xv);
                    sums::<T::A, 2>(s, |k| {
                        let v = g.get_unchecked(k).up();
                        [v, v * (x.get_unchecked(k).up() - mean)]
                    })
                };
                total[0] += part[0];
                total[1] += part[1];
            }
            a.sum_g[j - first] = total[0];
            a.sum_gx[j - first] = total[1];
        }
    }
}

/// See [`Norms::batch_norm_backward`](flambeau_backend::Norms::batch_norm_backward).
pub fn batch_norm_backward(
    g: Raw,
    x: Raw,
    mean: Raw,
    invstd: Raw,
    w: Option<Raw>,
    train: bool,
    gx: Option<Raw>,
    gw: Option<Raw>,
    gb: Option<Raw>,
) -> Result<()> {
    same_dtype("batch_norm_backward", x, &[g, gx.unwrap_or(x)])?;
    float_dtype!(x.dtype, "batch_norm_backward", T => {
        type A = <T as Value>::A;
        let (mean, invstd) = (vector::<A>(mean)?, vector::<A>(invstd)?);
        let w = w.map(vector::<A>).transpose()?;
        let sizes = (x.sizes[0] as usize, x.sizes[1] as usize, x.sizes[2] as usize);
        let (n, c, s) = sizes;
        let (gc, xc) = (Cube::<T>::of(g), Cube::<T>::of(x));
        let (mut sum_g, mut sum_gx) = (vec![A::ZERO; c], vec![A::ZERO; c]);
        if train || gw.is_some() || gb.is_some() {
            channel_sums(gc, xc, sizes, &mean, &mut sum_g, &mut sum_gx);
        }
        if let Some(gx) = gx {
            let count = A::of((n * s) as f64);
            let slope: Vec<A> = (0..c).map(|i| invstd[i] * w.as_ref().map_or(A::ONE, |w| w[i])).collect();
            let out = Cube::of(gx);
            if train {
                // gx = slope * (g - sum_g/N - (x - mean) * invstd^2 * sum_gx/N)
                let k: Vec<A> = (0..c).map(|i| -(slope[i] * invstd[i] * invstd[i] * sum_gx[i] / count)).collect();
                let b: Vec<A> = (0..c).map(|i| -(slope[i] * sum_g[i] / count) - mean[i] * k[i]).collect();
                affine::<T>(x.sizes, gc, Some(xc), out, [&slope, &b, &k]);
            } else {
                affine::<T>(x.sizes, gc, None, out, [&slope, &vec![A::ZERO; c], &[]]);
            }
        }
        if let Some(gw) = gw {
            let v: Vec<A> = (0..c).map(|i| sum_gx[i] * invstd[i]).collect();
            store(&v, gw)?;
        }
        if let Some(gb) = gb {
            store(&sum_g, gb)?;
        }
        Ok(())
    })
}

fn channel_sums<T: FloatValue>(
    g: Cube<T>,
    x: Cube<T>,
    sizes: (usize, usize, usize),
    mean: &[T::A],
    sum_g: &mut [T::A],
    sum_gx: &mut [T::A],
) {
    let (n, c, s) = sizes;
    if g.channels_last(s) && x.channels_last(s) {
        let chunks = (n * s).div_ceil(CHUNK).max(1);
        let mut partial = vec![T::A::ZERO; 2 * c * chunks];
        let base = Shared(partial.as_mut_ptr());
        par_range(chunks, (GRAIN / (CHUNK * c.max(1))).max(1), |range| {
            for i in range {
                // SAFETY: each chunk has its own sums.
                unsafe {
                    let sums = std::slice::from_raw_parts_mut(base.get().add(2 * c * i), 2 * c);
                    let (sum_g, sum_gx) = sums.split_at_mut(c);
                    let range = i * CHUNK..(n * s).min((i + 1) * CHUNK);
                    isa::call::<SumsKernel<T>>(Sums { g, x, sizes, range, last: true, mean, sum_g, sum_gx });
                }
            }
        });
        add_pairwise(&mut partial, 2 * c, chunks);
        sum_g.copy_from_slice(&partial[..c]);
        sum_gx.copy_from_slice(&partial[c..2 * c]);
        return;
    }
    let (pg, px) = (Shared(sum_g.as_mut_ptr()), Shared(sum_gx.as_mut_ptr()));
    par_range(c, (GRAIN / (n * s).max(1)).max(1), |range| {
        // SAFETY: each range has its own channels.
        unsafe {
            let sum_g = std::slice::from_raw_parts_mut(pg.get().add(range.start), range.len());
            let sum_gx = std::slice::from_raw_parts_mut(px.get().add(range.start), range.len());
            isa::call::<SumsKernel<T>>(Sums { g, x, sizes, range, last: false, mean, sum_g, sum_gx });
        }
    });
}
