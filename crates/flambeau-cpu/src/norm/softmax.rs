//! Softmax, its logarithm, and their gradients.

use super::row::{exp_into, largest, put, room, row, same_dtype, sums};
use crate::Cpu;
use crate::isa::{self, Isa, Kernel};
use crate::reduce::{Plan, Shared, TILE};
use crate::value::{Float, FloatValue, Num, float_dtype};
use flambeau_backend::{Elementwise, Raw};
use flambeau_backend::{Error, Result};
use std::marker::PhantomData;

/// A tile of lines: `w` of them side by side, or one with any strides.
struct Lines<'a, T: FloatValue> {
    x: *const T,
    xs: isize,
    /// Backward: the forward's output.
    y: *const T,
    ys: isize,
    out: *mut T,
    os: isize,
    n: usize,
    w: usize,
    log: bool,
    buffers: &'a mut Buffers<T>,
}

struct Buffers<T: FloatValue> {
    a: Vec<T>,
    b: Vec<T>,
    out: Vec<T>,
    top: Vec<T::A>,
    sum: Vec<T::A>,
}

impl<T: FloatValue> Buffers<T> {
    fn new() -> Self {
        Buffers { a: Vec::new(), b: Vec::new(), out: Vec::new(), top: Vec::new(), sum: Vec::new() }
    }
}

struct Forward<'a, T>(PhantomData<&'a T>);

impl<'a, T: FloatValue> Kernel for Forward<'a, T> {
    type Args = Lines<'a, T>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(l: Lines<'a, T>) {
        // SAFETY: the caller vouches for the tile.
        unsafe { if l.w == 1 { forward_row::<I, T>(l) } else { forward_columns::<I, T>(l) } }
    }
}

#[inline(always)]
unsafe fn forward_row<I: Isa, T: FloatValue>(l: Lines<T>) {
    let Buffers { a, out, sum, .. } = l.buffers;
    let n = l.n;
    // SAFETY: the caller vouches for the line.
    unsafe {
        let xs = row(l.x, n, l.xs, a);
        let to = room(l.out, n, l.os, out);
        let m = largest(xs);
        if l.log {
            // SAFETY (closure): indices are below `n`.
            let s = sums::<T::A, 1>(n, |i| [(xs.get_unchecked(i).up() - m).exp::<I>()])[0].ln();
            for i in 0..n {
                to[i] = T::down(xs[i].up() - m - s);
            }
        } else if l.os == 1 && std::mem::size_of::<T>() == std::mem::size_of::<T::A>() {
            // The row of results serves as the buffer.
            let buffer = std::slice::from_raw_parts_mut(l.out.cast::<T::A>(), n);
            let scale = T::A::ONE / exp_into::<I, T>(xs, m, buffer);
            for v in buffer {
                *v = *v * scale;
            }
        } else {
            sum.resize(n, T::A::ZERO);
            let scale = T::A::ONE / exp_into::<I, T>(xs, m, sum);
            for i in 0..n {
                to[i] = T::down(sum[i] * scale);
            }
        }
        put(l.out, l.os, out);
    }
}

#[inline(always)]
unsafe fn forward_columns<I: Isa, T: FloatValue>(l: Lines<T>) {
    let Buffers { top, sum, .. } = l.buffers;
    let (n, w) = (l.n, l.w);
    top.clear();
    top.resize(w, T::A::LOWEST);
    sum.clear();
    sum.resize(w, T::A::ZERO);
    let (top, sum) = (&mut top[..w], &mut sum[..w]);
    // SAFETY: the caller vouches for `n` rows of `w` elements in both.
    let x = |i: usize| unsafe { std::slice::from_raw_parts(l.x.offset(i as isize * l.xs), w) };
    // SAFETY: as above; rows are used one at a time.
    let out = |i: usize| unsafe { std::slice::from_raw_parts_mut(l.out.offset(i as isize * l.os), w) };
    for i in 0..n {
        let x = x(i);
        for j in 0..w {
            let v = x[j].up();
            top[j] = if v > top[j] { v } else { top[j] };
        }
    }
    // Whole rows stream through three times: cheaper than narrow tiles that stay in a cache, whose rows are too short to
    // prefetch and fall into few sets.
    for i in 0..n {
        let x = x(i);
        for j in 0..w {
            sum[j] += (x[j].up() - top[j]).exp::<I>();
        }
    }
    for s in sum.iter_mut() {
        *s = if l.log { s.ln() } else { T::A::ONE / *s };
    }
    for i in 0..n {
        let (x, out) = (x(i), out(i));
        if l.log {
            for j in 0..w {
                out[j] = T::down(x[j].up() - top[j] - sum[j]);
            }
        } else {
            for j in 0..w {
                out[j] = T::down((x[j].up() - top[j]).exp::<I>() * sum[j]);
            }
        }
    }
}

struct Backward<'a, T>(PhantomData<&'a T>);

impl<'a, T: FloatValue> Kernel for Backward<'a, T> {
    type Args = Lines<'a, T>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(l: Lines<'a, T>) {
        // SAFETY: the caller vouches for the tile.
        unsafe { if l.w == 1 { backward_row::<I, T>(l) } else { backward_columns::<I, T>(l) } }
    }
}

#[inline(always)]
unsafe fn backward_row<I: Isa, T: FloatValue>(l: Lines<T>) {
    let Buffers { a, b, out, .. } = l.buffers;
    let n = l.n;
    // SAFETY: the caller vouches for the lines; indices in the closures are below `n`.
    unsafe {
        let g = row(l.x, n, l.xs, a);
        let y = row(l.y, n, l.ys, b);
        let to = room(l.out, n, l.os, out);
        if l.log {
            let s = sums::<T::A, 1>(n, |i| [g.get_unchecked(i).up()])[0];
            for i in 0..n {
                to[i] = T::down(g[i].up() - y[i].up().exp::<I>() * s);
            }
        } else {
            let s = sums::<T::A, 1>(n, |i| [g.get_unchecked(i).up() * y.get_unchecked(i).up()])[0];
            for i in 0..n {
                to[i] = T::down(y[i].up() * (g[i].up() - s));
            }
        }
        put(l.out, l.os, out);
    }
}

#[inline(always)]
unsafe fn backward_columns<I: Isa, T: FloatValue>(l: Lines<T>) {
    let (n, w) = (l.n, l.w);
    let sum = &mut l.buffers.sum;
    sum.clear();
    sum.resize(w, T::A::ZERO);
    let sum = &mut sum[..w];
    // SAFETY: the caller vouches for `n` rows of `w` elements in each.
    let rows = |i: usize| unsafe {
        (
            std::slice::from_raw_parts(l.x.offset(i as isize * l.xs), w),
            std::slice::from_raw_parts(l.y.offset(i as isize * l.ys), w),
        )
    };
    for i in 0..n {
        let (g, y) = rows(i);
        if l.log {
            for j in 0..w {
                sum[j] += g[j].up();
            }
        } else {
            for j in 0..w {
                sum[j] += g[j].up() * y[j].up();
            }
        }
    }
    for i in 0..n {
        let (g, y) = rows(i);
        // SAFETY: as above; one row at a time.
        let out = unsafe { std::slice::from_raw_parts_mut(l.out.offset(i as isize * l.os), w) };
        if l.log {
            for j in 0..w {
                out[j] = T::down(g[j].up() - y[j].up().exp::<I>() * sum[j]);
            }
        } else {
            for j in 0..w {
                out[j] = T::down(y[j].up() * (g[j].up() - sum[j]));
            }
        }
    }
}

/// Softmax of `x` along `dim`; `log` for its logarithm.
pub fn softmax(x: Raw, out: Raw, dim: usize, log: bool) -> Result<()> {
    let name = if log { "log_softmax" } else { "softmax" };
    if x.dtype != out.dtype {
        return widened(name, x, out, dim, log);
    }
    float_dtype!(x.dtype, name, T => {
        let plan = Plan::lines(&x, [&out], dim, TILE);
        let (input, output) = (Shared(x.ptr.cast::<T>()), Shared(out.ptr.cast::<T>()));
        let os = stride(out, dim);
        plan.for_tiles(8, Buffers::<T>::new, |buffers, tile| {
            // SAFETY: the plan stays inside the views; tiles have disjoint outputs.
            unsafe {
                let (x, out) = (input.get().offset(tile.x).cast_const(), output.get().offset(tile.out[0]));
                let xs = plan.red[0].1;
                let (n, w) = (plan.count, tile.w);
                isa::call::<Forward<T>>(Lines { x, xs, y: x, ys: xs, out, os, n, w, log, buffers });
            }
        });
        Ok(())
    })
}

/// The stride along `dim`; any for a tensor of no dimensions.
fn stride(x: Raw, dim: usize) -> isize {
    x.strides.get(dim).map_or(1, |&s| s as isize)
}

/// Softmax into a wider dtype: the input is converted as a whole first.
fn widened(name: &str, x: Raw, out: Raw, dim: usize, log: bool) -> Result<()> {
    if !out.dtype.is_float() {
        return Err(Error::dtype(name, out.dtype));
    }
    Cpu.copy(x, out)?;
    // In place: each line is read before it is written, and columns are written row by row after their last use.
    softmax(out, out, dim, log)
}

/// The gradient for softmax's input, given its output `y`.
pub fn softmax_backward(g: Raw, y: Raw, gx: Raw, dim: usize, log: bool) -> Result<()> {
    let name = if log { "log_softmax_backward" } else { "softmax_backward" };
    same_dtype(name, g, &[y, gx])?;
    float_dtype!(g.dtype, name, T => {
        // `y` is walked as an output, so that its lines too must be contiguous across; it is only read.
        let plan = Plan::lines(&g, [&gx, &y], dim, TILE);
        let (g_ptr, y_ptr, out) = (Shared(g.ptr.cast::<T>()), Shared(y.ptr.cast::<T>()), Shared(gx.ptr.cast::<T>()));
        let (ys, os) = (stride(y, dim), stride(gx, dim));
        plan.for_tiles(4, Buffers::<T>::new, |buffers, tile| {
            // SAFETY: the plan stays inside the views; tiles have disjoint outputs.
            unsafe {
                let x = g_ptr.get().offset(tile.x).cast_const();
                let y = y_ptr.get().offset(tile.out[1]).cast_const();
                let out = out.get().offset(tile.out[0]);
                let (n, w) = (plan.count, tile.w);
                isa::call::<Backward<T>>(Lines { x, xs: plan.red[0].1, y, ys, out, os, n, w, log, buffers });
            }
        });
        Ok(())
    })
}
