//! Variance and mean in two passes: the mean, then the squared distances from it.

use super::Shared;
use super::fold::{Fold, WorkspaceOf, fold};
use super::ops::*;
use super::plan::Plan;
use crate::value::{Complex, Float, Value, float_dtype};
use flambeau_backend::Raw;
use flambeau_backend::{DType, Error, Result};

/// See [`Reductions::var_mean`](flambeau_backend::Reductions::var_mean).
pub fn var_mean(x: Raw, var: Raw, mean: Raw, correction: f64) -> Result<()> {
    let (count, left) = counts(x, mean, correction);
    // As in PyTorch, complex statistics are computed in double precision.
    let center = |s: Complex<f64>| Complex(s.0 / count, s.1 / count);
    match x.dtype {
        DType::C64 if mean.dtype == x.dtype && var.dtype == DType::F32 => {
            let (sum, diff) = (ComplexSum::<f32>::new(), ComplexSquareDiff::new());
            let mean_of = |m: Complex<f64>| Complex(m.0 as f32, m.1 as f32);
            two_pass(sum, diff, x, var, mean, center, mean_of, |v| ((v.0 + v.1) / left) as f32);
            Ok(())
        }
        DType::C128 if mean.dtype == x.dtype && var.dtype == DType::F64 => {
            let (sum, diff) = (ComplexSum::<f64>::new(), ComplexSquareDiff::new());
            two_pass(sum, diff, x, var, mean, center, |m| m, |v| (v.0 + v.1) / left);
            Ok(())
        }
        _ => var_mean_as(x, var, mean, correction),
    }
}

fn counts(x: Raw, mean: Raw, correction: f64) -> (f64, f64) {
    let count = (x.numel() / mean.numel().max(1)) as f64;
    (count, (count - correction).max(0.0))
}

/// Real statistics, in `x`'s dtype or in the one that it is computed in.
pub fn var_mean_as(x: Raw, var: Raw, mean: Raw, correction: f64) -> Result<()> {
    let (count, left) = counts(x, mean, correction);
    let narrow = mean.dtype == x.dtype;
    if var.dtype != mean.dtype || !(narrow || mean.dtype == x.dtype.accumulate()) {
        return Err(Error::dtype("std_and_var", var.dtype));
    }
    float_dtype!(x.dtype, "std_and_var", T => {
        type A = <T as Value>::A;
        let (n, left) = (A::of(count), A::of(left));
        let (sum, diff) = (Sum::<T>::new(), SquareDiff::new());
        if narrow {
            two_pass(sum, diff, x, var, mean, |s| s / n, T::down, |v| T::down(v / left));
        } else {
            two_pass(sum, diff, x, var, mean, |s| s / n, |m| m, |v| v / left);
        }
        Ok(())
    })
}

fn two_pass<S: Fold, D: Fold<X = S::X, A = S::A>, M, V>(
    sum: S,
    diff: D,
    x: Raw,
    var: Raw,
    mean: Raw,
    center: impl Fn(S::A) -> S::A + Sync,
    store_mean: impl Fn(S::A) -> M + Sync,
    store_var: impl Fn(S::A) -> V + Sync,
) {
    let plan = Plan::new(&x, [&var, &mean]);
    let (input, var, mean) = (Shared(x.ptr.cast::<S::X>()), Shared(var.ptr.cast::<V>()), Shared(mean.ptr.cast::<M>()));
    let buffer = || vec![sum.identity(); plan.width()];
    let make = || (WorkspaceOf::<S>::new(), WorkspaceOf::<D>::new(), buffer(), buffer());
    plan.for_tiles(2, make, |(ws, wd, middle, acc), tile| {
        // SAFETY: the plan stays inside the views; tiles have disjoint outputs.
        unsafe {
            fold(&plan, sum, input.get(), &tile, &[], middle, ws);
            middle[..tile.w].iter_mut().for_each(|m| *m = center(*m));
            fold(&plan, diff, input.get(), &tile, middle, acc, wd);
            for j in 0..tile.w {
                let at = |k: usize| tile.out[k] + j as isize * plan.cols.out(k);
                var.get().offset(at(0)).write(store_var(acc[j]));
                mean.get().offset(at(1)).write(store_mean(middle[j]));
            }
        }
    });
}
