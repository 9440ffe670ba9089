//! Negative log likelihood of class indices.

use super::row::{same_dtype, vector};
use crate::parallel::par_range;
use crate::reduce::Shared;
use crate::value::{Num, Value, float_dtype};
use flambeau_backend::{DType, Error, Result, Scalar};
use flambeau_backend::{Elementwise, Raw};

/// Rows of work for a thread.
const GRAIN: usize = 1 << 14;

/// Element offset of `[i, j]` in a matrix.
fn at(x: &Raw, i: usize, j: usize) -> isize {
    (i as i64 * x.strides[0] + j as i64 * x.strides[1]) as isize
}

/// Checks every class before anything is written.
fn check(target: &Raw, classes: i64, ignore: i64) -> Result<()> {
    if target.dtype != DType::I64 {
        return Err(Error::dtype("nll_loss_out_frame", target.dtype));
    }
    for i in 0..target.sizes[0] as usize {
        for j in 0..target.sizes[1] as usize {
            // SAFETY: inside the view.
            let t = unsafe { *target.ptr.cast::<i64>().offset(at(target, i, j)) };
            if t != ignore && !(0..classes).contains(&t) {
                return Err(Error::index(format!("Target {t} is out of bounds.")));
            }
        }
    }
    Ok(())
}

/// See [`Norms::nll`](flambeau_backend::Norms::nll).
pub fn nll(logp: Raw, target: Raw, w: Option<Raw>, ignore: i64, out: Raw) -> Result<()> {
    same_dtype("nll_loss_out_frame", logp, &[out])?;
    check(&target, logp.sizes[1], ignore)?;
    float_dtype!(logp.dtype, "nll_loss_out_frame", T => {
        type A = <T as Value>::A;
        let w = w.map(vector::<A>).transpose()?;
        let (m, s) = (target.sizes[0] as usize, target.sizes[1] as usize);
        par_range(m * s, GRAIN, |range| {
            // Whole views, which threads may share, not their pointers.
            let (logp, target, out) = (&logp, &target, &out);
            for k in range {
                let (i, j) = (k / s, k % s);
                // SAFETY: inside the views, the class checked above; each index writes its own element.
                unsafe {
                    let t = *target.ptr.cast::<i64>().offset(at(target, i, j));
                    let v = if t == ignore {
                        A::ZERO
                    } else {
                        let place = i as i64 * logp.strides[0] + t * logp.strides[1] + j as i64 * logp.strides[2];
                        let v = (*logp.ptr.cast::<T>().offset(place as isize)).up();
                        -(w.as_ref().map_or(A::ONE, |w| w[t as usize]) * v)
                    };
                    out.ptr.cast::<T>().offset(at(out, i, j)).write(T::down(v));
                }
            }
        });
        Ok(())
    })
}

/// See [`Norms::nll_backward`](flambeau_backend::Norms::nll_backward).
pub fn nll_backward(g: Raw, target: Raw, w: Option<Raw>, ignore: i64, gx: Raw) -> Result<()> {
    same_dtype("nll_loss_backward_out_frame", gx, &[g])?;
    check(&target, gx.sizes[1], ignore)?;
    zero(gx)?;
    float_dtype!(gx.dtype, "nll_loss_backward_out_frame", T => {
        type A = <T as Value>::A;
        let w = w.map(vector::<A>).transpose()?;
        let (m, s) = (target.sizes[0] as usize, target.sizes[1] as usize);
        par_range(m * s, GRAIN, |range| {
            let (g, target, gx) = (&g, &target, &gx);
            for k in range {
                let (i, j) = (k / s, k % s);
                // SAFETY: inside the views, the class checked above; each index writes one element of its own line.
                unsafe {
                    let t = *target.ptr.cast::<i64>().offset(at(target, i, j));
                    if t != ignore {
                        let place = i as i64 * gx.strides[0] + t * gx.strides[1] + j as i64 * gx.strides[2];
                        let g = (*g.ptr.cast::<T>().offset(at(g, i, j))).up();
                        let v = -(w.as_ref().map_or(A::ONE, |w| w[t as usize]) * g);
                        gx.ptr.cast::<T>().offset(place as isize).write(T::down(v));
                    }
                }
            }
        });
        Ok(())
    })
}

fn zero(x: Raw) -> Result<()> {
    if !x.is_contiguous() {
        return crate::Cpu.fill(x, Scalar::Float(0.0));
    }
    let p = Shared(x.ptr);
    par_range(x.numel() * x.dtype.size(), 1 << 20, |r| {
        // SAFETY: disjoint parts of a contiguous view; zero bits are the number zero.
        unsafe { p.get().add(r.start).write_bytes(0, r.len()) };
    });
    Ok(())
}
