//! Average pooling and its gradient. As in max pooling, rows are summed first, then columns.

use super::geometry::{Axis, Volume, for_rows, same_planes};
use crate::isa::{self, Isa, Kernel};
use crate::number::{Acc, Number, Ordered, with_real};
use crate::parallel::par_range;
use flambeau_backend::{DType, Error, Result, check};
use flambeau_backend::{PoolParams, Raw};
use std::marker::PhantomData;

pub(super) fn avg_pool(x: Raw, out: Raw, p: &PoolParams) -> Result<()> {
    forward("avg_pool", x, out, p.nd, p.divisor_override, |i, o| Axis::of_pool(p, i, o))
}

pub(super) fn avg_pool_backward(g: Raw, gx: Raw, p: &PoolParams) -> Result<()> {
    backward("avg_pool", g, gx, p.nd, p.divisor_override, |i, o| Axis::of_pool(p, i, o))
}

pub(super) fn adaptive_avg_pool(x: Raw, out: Raw, nd: usize) -> Result<()> {
    forward("adaptive_avg_pool", x, out, nd, 0, Axis::of_adaptive)
}

pub(super) fn adaptive_avg_pool_backward(g: Raw, gx: Raw, nd: usize) -> Result<()> {
    backward("adaptive_avg_pool", g, gx, nd, 0, Axis::of_adaptive)
}

fn checked(name: &str, x: Raw, out: Raw, nd: usize) -> Result<(Volume, Volume)> {
    check!(x.dtype == out.dtype, Runtime, "{name}: the output's dtype differs from the input's");
    if x.dtype == DType::Bool {
        return Err(Error::dtype(name, x.dtype));
    }
    let (xv, ov) = (Volume::new(x, nd)?, Volume::new(out, nd)?);
    same_planes(x, out)?;
    Ok((xv, ov))
}

fn forward(
    name: &str,
    x: Raw,
    out: Raw,
    nd: usize,
    divisor: i64,
    axes: impl Fn([usize; 3], [usize; 3]) -> [Axis; 3],
) -> Result<()> {
    let (xv, ov) = checked(name, x, out, nd)?;
    if out.numel() == 0 {
        return Ok(());
    }
    let axes = axes(xv.dims, ov.dims);
    let width = xv.dims[2];
    with_real!(x.dtype, name, T => {
        par_range(xv.planes, xv.grain(), |planes| {
            let mut column = vec![<T as Number>::Acc::ZERO; width];
            let mut row = vec![<T as Number>::Acc::ZERO; ov.dims[2]];
            let mut buffer = Vec::new();
            for p in planes {
                // SAFETY: planes are inside the operands.
                let plane = unsafe { xv.read::<T>(p, &mut buffer) };
                for_windows(&axes, |out_row, depth, height| {
                    column.fill(<T as Number>::Acc::ZERO);
                    for_rows(depth, height, xv.dims[1], |r| {
                        // SAFETY: the kernel works on slices only.
                        unsafe { isa::call::<AddRow<_>>((&plane[r * width..][..width], &mut column)) };
                    });
                    across(&column, &axes[2], &mut row);
                    scale(&mut row, &axes[2], depth.extent * height.extent, divisor);
                    // SAFETY: each plane is one thread's.
                    unsafe { ov.write_row::<T>(p, out_row, &row) };
                });
            }
        });
        Ok(())
    })
}

fn backward(
    name: &str,
    g: Raw,
    gx: Raw,
    nd: usize,
    divisor: i64,
    axes: impl Fn([usize; 3], [usize; 3]) -> [Axis; 3],
) -> Result<()> {
    let (xv, gv) = checked(name, gx, g, nd)?;
    if gx.numel() == 0 {
        return Ok(());
    }
    let axes = axes(xv.dims, gv.dims);
    let width = xv.dims[2];
    with_real!(g.dtype, name, T => {
        par_range(xv.planes, xv.grain(), |planes| {
            let mut column = vec![<T as Number>::Acc::ZERO; width];
            let (mut plane, mut row, mut buffer) = (Vec::new(), Vec::new(), Vec::new());
            for p in planes {
                // SAFETY: planes are inside the operands.
                let grads = unsafe { gv.read::<T>(p, &mut buffer) };
                let make = |plane: &mut [<T as Number>::Acc]| {
                    for_windows(&axes, |out_row, depth, height| {
                        row.clear();
                        row.extend_from_slice(&grads[out_row * gv.dims[2]..][..gv.dims[2]]);
                        scale(&mut row, &axes[2], depth.extent * height.extent, divisor);
                        column.fill(<T as Number>::Acc::ZERO);
                        spread(&row, &axes[2], &mut column);
                        for_rows(depth, height, xv.dims[1], |r| {
                            // SAFETY: the kernel works on slices only.
                            unsafe { isa::call::<AddRow<_>>((&column, &mut plane[r * width..][..width])) };
                        });
                    });
                };
                // SAFETY: each plane is one thread's.
                unsafe { xv.sum::<T>(p, &mut plane, make) };
            }
        });
        Ok(())
    })
}

/// Calls `f(output row, depth window, height window)` for each row of the output.
fn for_windows(axes: &[Axis; 3], mut f: impl FnMut(usize, super::geometry::Span, super::geometry::Span)) {
    let mut out_row = 0;
    for &depth in &axes[0].spans {
        for &height in &axes[1].spans {
            f(out_row, depth, height);
            out_row += 1;
        }
    }
}

struct AddRow<'a, A>(PhantomData<&'a A>);

impl<'a, A: Ordered> Kernel for AddRow<'a, A> {
    type Args = (&'a [A], &'a mut [A]);
    type Out = ();
    #[inline(always)]
    unsafe fn run<I: Isa>((row, sum): Self::Args) {
        for (&v, s) in row.iter().zip(sum) {
            *s = s.plus(v);
        }
    }
}

/// One tap of a sliding window: `out[o] += column[o*STRIDE]` (0: known at run time only).
struct Tap<'a, A, const STRIDE: usize>(PhantomData<&'a A>);

impl<'a, A: Ordered, const STRIDE: usize> Kernel for Tap<'a, A, STRIDE> {
    type Args = (&'a [A], &'a mut [A], usize);
    type Out = ();
    #[inline(always)]
    unsafe fn run<I: Isa>((column, out, stride): Self::Args) {
        let stride = if STRIDE == 0 { stride } else { STRIDE };
        assert!(out.is_empty() || (out.len() - 1) * stride < column.len());
        for (o, s) in out.iter_mut().enumerate() {
            // SAFETY: inside by the assertion.
            *s = s.plus(unsafe { *column.get_unchecked(o * stride) });
        }
    }
}

fn across<A: Ordered>(column: &[A], axis: &Axis, row: &mut [A]) {
    row.fill(A::ZERO);
    let Some(slide) = axis.slide else {
        for (s, span) in row.iter_mut().zip(&axis.spans) {
            *s = column[span.lo..span.hi].iter().fold(A::ZERO, |s, &v| s.plus(v));
        }
        return;
    };
    for k in slide.taps(column.len(), row.len()) {
        let (range, from) = slide.reach(k, column.len(), row.len());
        if range.is_empty() {
            continue;
        }
        let args = (&column[from..], &mut row[range], slide.stride);
        // SAFETY: the kernels work on slices only.
        unsafe {
            match slide.stride {
                1 => isa::call::<Tap<A, 1>>(args),
                2 => isa::call::<Tap<A, 2>>(args),
                _ => isa::call::<Tap<A, 0>>(args),
            }
        }
    }
}

/// Adds each output's value to the columns of its window.
fn spread<A: Ordered>(row: &[A], axis: &Axis, column: &mut [A]) {
    for (&v, span) in row.iter().zip(&axis.spans) {
        if span.lo < span.hi {
            for c in column[span.lo..span.hi].iter_mut().step_by(span.step) {
                *c = c.plus(v);
            }
        }
    }
}

/// Divides by the windows' sizes. A window of no size keeps its zero.
fn scale<A: Ordered>(row: &mut [A], axis: &Axis, others: i64, divisor: i64) {
    if divisor != 0 {
        for v in row {
            *v = v.over(divisor);
        }
        return;
    }
    for (v, span) in row.iter_mut().zip(&axis.spans) {
        let count = others * span.extent;
        *v = if count == 0 { A::ZERO } else { v.over(count) };
    }
}
