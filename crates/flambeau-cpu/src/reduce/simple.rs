//! Reductions with one output: which monoid folds them and what becomes of the result.

use super::fold::{Fold, SHORT_LINE, WorkspaceOf, fold};
use super::ops::*;
use super::plan::Plan;
use crate::value::{Complex, Float, FloatValue, Num, Value, float_dtype, int_dtype, real_dtype};
use flambeau_backend::{DType, Error, Result};
use flambeau_backend::{Raw, ReduceOp};

/// Folds `x` and stores what `finish` makes of each result.
fn simple<F: Fold, T>(f: F, x: Raw, out: Raw, cost: usize, finish: impl Fn(F::A) -> T + Sync) -> Result<()> {
    let mut plan = Plan::new(&x, [&out]);
    plan.group_lines(SHORT_LINE);
    let (input, output) = (super::Shared(x.ptr.cast::<F::X>()), super::Shared(out.ptr.cast::<T>()));
    let make = || (WorkspaceOf::<F>::new(), vec![f.identity(); plan.width()]);
    plan.for_tiles(cost, make, |(ws, acc), tile| {
        // SAFETY: the plan stays inside the views; tiles have disjoint outputs.
        unsafe {
            fold(&plan, f, input.get(), &tile, &[], acc, ws);
            let to = output.get().offset(tile.out[0]);
            for (j, &a) in acc[..tile.w].iter().enumerate() {
                to.offset(j as isize * plan.cols.out(0)).write(finish(a));
            }
        }
    });
    Ok(())
}

/// Views a complex tensor as a real one with a last dimension of two.
pub fn as_real<R>(x: Raw, f: impl FnOnce(Raw) -> R) -> R {
    let mut sizes = x.sizes.to_vec();
    sizes.push(2);
    let mut strides: Vec<i64> = x.strides.iter().map(|s| 2 * s).collect();
    strides.push(1);
    f(Raw { ptr: x.ptr, dtype: x.dtype.to_real(), sizes: &sizes, strides: &strides })
}

pub fn reduce(op: ReduceOp, p: &[f64], x: Raw, out: Raw) -> Result<()> {
    if matches!(op, ReduceOp::Sum | ReduceOp::Mean | ReduceOp::NanSum) && x.dtype.is_complex() && x.dtype == out.dtype {
        return as_real(x, |x| as_real(out, |out| reduce(op, p, x, out)));
    }
    match op {
        ReduceOp::Sum => sum(x, out),
        ReduceOp::NanSum if x.dtype.is_float() => float_dtype!(x.dtype, "nansum", T => {
            same_dtype("nansum", x, out)?;
            simple(NanSum::<T>::new(), x, out, 1, T::down)
        }),
        ReduceOp::NanSum => sum(x, out),
        ReduceOp::Mean => float_dtype!(x.dtype, "mean", T => {
            same_dtype("mean", x, out)?;
            let n = (x.numel() / out.numel().max(1)) as f64;
            let n = <T as Value>::A::of(n);
            simple(Sum::<T>::new(), x, out, 1, |a| T::down(a / n))
        }),
        ReduceOp::Prod => prod(x, out),
        ReduceOp::Amax => real_dtype!(x.dtype, "amax", T => {
            same_dtype("amax", x, out)?;
            simple(Max::<T>::new(), x, out, 1, T::down)
        }),
        ReduceOp::Amin => real_dtype!(x.dtype, "amin", T => {
            same_dtype("amin", x, out)?;
            simple(Min::<T>::new(), x, out, 1, T::down)
        }),
        ReduceOp::Any => truth(x, out, false),
        ReduceOp::All => truth(x, out, true),
        ReduceOp::CountNonzero => count_nonzero(x, out),
        ReduceOp::Norm => norm(p.first().copied().unwrap_or(2.0), x, out),
        ReduceOp::LogSumExp => float_dtype!(x.dtype, "logsumexp", T => {
            same_dtype("logsumexp", x, out)?;
            logsumexp::<T>(x, out)
        }),
    }
}

fn same_dtype(op: &str, x: Raw, out: Raw) -> Result<()> {
    if x.dtype == out.dtype { Ok(()) } else { Err(Error::dtype(op, out.dtype)) }
}

fn sum(x: Raw, out: Raw) -> Result<()> {
    match x.dtype {
        DType::Bool if out.dtype == DType::Bool => truth(x, out, false),
        d if out.dtype == DType::I64 && d != DType::I64 && (d.is_int() || d == DType::Bool) => match d {
            DType::U8 | DType::Bool => simple(WideSum::<u8>::new(), x, out, 1, |a| a),
            DType::I8 => simple(WideSum::<i8>::new(), x, out, 1, |a| a),
            DType::I16 => simple(WideSum::<i16>::new(), x, out, 1, |a| a),
            DType::I32 => simple(WideSum::<i32>::new(), x, out, 1, |a| a),
            DType::U16 => simple(WideSum::<u16>::new(), x, out, 1, |a| a),
            DType::U32 => simple(WideSum::<u32>::new(), x, out, 1, |a| a),
            _ => simple(WideSum::<u64>::new(), x, out, 1, |a| a),
        },
        d if d != out.dtype => Err(Error::dtype("sum", out.dtype)),
        d if d.is_int() => int_dtype!(d, "sum", T => simple(Sum::<T>::new(), x, out, 1, |a| a)),
        d => float_dtype!(d, "sum", T => simple(Sum::<T>::new(), x, out, 1, T::down)),
    }
}

fn prod(x: Raw, out: Raw) -> Result<()> {
    same_dtype("prod", x, out)?;
    match x.dtype {
        DType::Bool => truth(x, out, true),
        DType::C64 => simple(ComplexProd::<f32>::new(), x, out, 1, |a| a),
        DType::C128 => simple(ComplexProd::<f64>::new(), x, out, 1, |a| a),
        d if d.is_int() => int_dtype!(d, "prod", T => simple(Prod::<T>::new(), x, out, 1, |a| a)),
        d => float_dtype!(d, "prod", T => simple(Prod::<T>::new(), x, out, 1, T::down)),
    }
}

/// Calls `$body` with the bits type `$B` of a dtype and `$mask`, the bits that make an element not zero.
macro_rules! by_bits {
    ($dtype:expr, $op:expr, $B:ident, $mask:ident => $body:expr) => {
        match $dtype {
            DType::U8 | DType::I8 | DType::Bool => {
                type $B = u8;
                let $mask = u8::MAX;
                $body
            }
            DType::U16 | DType::I16 => {
                type $B = u16;
                let $mask = u16::MAX;
                $body
            }
            DType::F16 | DType::BF16 => {
                type $B = u16;
                let $mask = u16::MAX >> 1;
                $body
            }
            DType::U32 | DType::I32 => {
                type $B = u32;
                let $mask = u32::MAX;
                $body
            }
            DType::F32 => {
                type $B = u32;
                let $mask = u32::MAX >> 1;
                $body
            }
            DType::C32 => {
                type $B = u32;
                let $mask = 0x7fff_7fff;
                $body
            }
            DType::U64 | DType::I64 => {
                type $B = u64;
                let $mask = u64::MAX;
                $body
            }
            DType::F64 => {
                type $B = u64;
                let $mask = u64::MAX >> 1;
                $body
            }
            DType::C64 => {
                type $B = u64;
                let $mask = 0x7fff_ffff_7fff_ffff;
                $body
            }
            DType::C128 => {
                type $B = [u64; 2];
                let $mask = [u64::MAX >> 1; 2];
                $body
            }
            d => Err(Error::dtype($op, d)),
        }
    };
}

fn truth(x: Raw, out: Raw, all: bool) -> Result<()> {
    let name = if all { "all" } else { "any" };
    if !matches!(out.dtype, DType::Bool | DType::U8) {
        return Err(Error::dtype(name, out.dtype));
    }
    by_bits!(x.dtype, name, B, mask => if all {
        simple(AnyZero::<B>(mask), x, out, 1, |a| 1 - a)
    } else {
        simple(Any::<B>(mask), x, out, 1, |a| a)
    })
}

fn count_nonzero(x: Raw, out: Raw) -> Result<()> {
    if out.dtype != DType::I64 {
        return Err(Error::dtype("count_nonzero", out.dtype));
    }
    by_bits!(x.dtype, "count_nonzero", B, mask => simple(Count::<B>(mask), x, out, 1, |a| a))
}

fn norm(p: f64, x: Raw, out: Raw) -> Result<()> {
    if out.dtype != x.dtype.to_real() {
        return Err(Error::dtype("norm", out.dtype));
    }
    match x.dtype {
        DType::F32 if p == 2.0 && super::norm::euclidean_f32(&x, &out) => Ok(()),
        DType::C64 => norm_of::<Complex<f32>, f32>(p, x, out, |a| a),
        DType::C128 => norm_of::<Complex<f64>, f64>(p, x, out, |a| a),
        d => float_dtype!(d, "norm", T => norm_of::<T, T>(p, x, out, T::down)),
    }
}

fn norm_of<T: Magnitude, O>(p: f64, x: Raw, out: Raw, down: impl Fn(T::R) -> O + Sync) -> Result<()> {
    if p == 0.0 {
        simple(CountAbs::<T>::new(), x, out, 1, down)
    } else if p == 1.0 {
        simple(SumAbs::<T>::new(), x, out, 1, down)
    } else if p == 2.0 {
        simple(SumSquares::<T>::new(), x, out, 1, |a| down(a.sqrt()))
    } else if p == f64::INFINITY {
        simple(MaxAbs::<T>::new(), x, out, 1, down)
    } else if p == f64::NEG_INFINITY {
        simple(MinAbs::<T>::new(), x, out, 1, down)
    } else {
        simple(SumPower::<T>(T::R::of(p)), x, out, 16, |a| down(a.pow(T::R::of(1.0 / p))))
    }
}

/// The maximum first, then the sum of exponentials below it.
fn logsumexp<T: FloatValue>(x: Raw, out: Raw) -> Result<()> {
    let plan = Plan::new(&x, [&out]);
    let (input, output) = (super::Shared(x.ptr.cast::<T>()), super::Shared(out.ptr.cast::<T>()));
    let buffer = || vec![T::A::ZERO; plan.width()];
    let make = || (WorkspaceOf::<Max<T>>::new(), WorkspaceOf::<SumExp<T>>::new(), buffer(), buffer());
    plan.for_tiles(8, make, |(wm, we, top, acc), tile| {
        // SAFETY: the plan stays inside the views; tiles have disjoint outputs.
        unsafe {
            fold(&plan, Max::<T>::new(), input.get(), &tile, &[], top, wm);
            for m in &mut top[..tile.w] {
                // An infinite maximum would give inf - inf.
                if m.abs() == T::A::HIGHEST {
                    *m = T::A::ZERO;
                }
            }
            fold(&plan, SumExp::<T>::new(), input.get(), &tile, top, acc, we);
            let to = output.get().offset(tile.out[0]);
            for j in 0..tile.w {
                to.offset(j as isize * plan.cols.out(0)).write(T::down(acc[j].ln() + top[j]));
            }
        }
    });
    Ok(())
}
