//! Softmax, its logarithm, and their gradients.

use flambeau_core::layout::wrap_dim;
use flambeau_core::op::{Diff, Kind, Meta, Metas, OpDef, Params, ParamsExt, surface};
use flambeau_core::{DType, Result, Tensor, call1, check, params};

use crate::binary::{div, mul, sub};
use crate::operand::*;
use crate::reduce::{amax, sum};
use crate::unary::{exp, log};

fn meta(x: flambeau_core::op::Inputs, p: &Params) -> Result<Metas> {
    let x = arg(x, 0)?;
    wrap_dim(p.int(0), x.ndim())?;
    let d = p.dtype(1).unwrap_or(x.dtype());
    check!(d.is_float(), NotImplemented, "\"softmax_lastdim_kernel_impl\" not implemented for '{}'", d.scalar_name());
    Ok(smallvec::smallvec![Meta::new(x.sizes(), d, x.device())])
}

fn run(b: &dyn flambeau_core::backend::Backend, x: &Tensor, out: &Tensor, dim: i64, log: bool) -> Result<()> {
    let wide;
    let x = if x.dtype() == out.dtype() {
        x
    } else {
        wide = x.cast_raw(out.dtype())?;
        &wide
    };
    if x.ndim() == 0 {
        return b.softmax(x.raw().with_layout(&[1], &[1]), out.raw().with_layout(&[1], &[1]), 0, log);
    }
    b.softmax(x.raw(), out.raw(), wrap_dim(dim, x.ndim())?, log)
}

fn back_run(
    b: &dyn flambeau_core::backend::Backend,
    x: flambeau_core::op::Inputs,
    out: &Tensor,
    dim: i64,
    log: bool,
) -> Result<()> {
    let (g, y) = (arg(x, 0)?, arg(x, 1)?);
    let cast;
    let g = if g.dtype() == y.dtype() {
        g
    } else {
        cast = g.cast_raw(y.dtype())?;
        &cast
    };
    let (one, unit) = ([1i64], [1i64]);
    if y.ndim() == 0 {
        return b.softmax_backward(
            g.raw().with_layout(&one, &unit),
            y.raw().with_layout(&one, &unit),
            out.raw().with_layout(&one, &unit),
            0,
            log,
        );
    }
    b.softmax_backward(g.raw(), y.raw(), out.raw(), wrap_dim(dim, y.ndim())?, log)
}

/// exp(x - max) / sum, or x - max - log(sum).
fn meaning(x: &Tensor, p: &Params, is_log: bool) -> Result<Tensor> {
    let x = match p.dtype(1) {
        Some(d) => crate::copy::to_dtype(x, d)?,
        None => x.clone(),
    };
    let shifted = sub(&x, &amax(&x, &[p.int(0)], true)?.detach())?;
    let e = exp(&shifted)?;
    let total = sum(&e, &[p.int(0)], true)?;
    if is_log { sub(&shifted, &log(&total)?) } else { div(&e, &total) }
}

fn samples(s: &mut flambeau_core::op::Samples) {
    let cases: [(&[i64], i64); 5] = [(&[3, 4], -1), (&[2, 3, 4], 1), (&[5], 0), (&[2, 3], 0), (&[], 0)];
    for (sizes, dim) in cases {
        let x = s.uniform(sizes, -3.0, 3.0);
        s.push(vec![Some(x)], params![dim, None::<DType>], 1);
    }
}

fn pair_samples(s: &mut flambeau_core::op::Samples) {
    let (g, y) = (s.normal(&[3, 4]), s.uniform(&[3, 4], 0.1, 1.0));
    s.push(vec![Some(g), Some(y)], params![-1], 3);
}

rows! { ROWS_ALL:
    softmax = OpDef {
        sig: "softmax(Tensor input, int dim, ScalarType? dtype=None, *, Tensor? out=None) -> Tensor",
        doc: "exp(x) / sum(exp(x)) along `dim`, computed without overflow.",
        surfaces: FM,
        kind: Kind::Kernel { infer: meta, run: |b, x, o, p| run(b, arg(x, 0)?, &o[0], p.int(0), false) },
        diff: Diff::Vjp(|c| grads!(c; 0 => call1(&softmax_backward::OP, &[Some(c.g()), Some(&c.y(0)?)], params![c.p.int(0)]))),
        saves: Y,
        decompose: Some(|x, p| one(meaning(arg(x, 0)?, p, false)?)),
        samples: Some(samples),
        ..BASE
    };
    log_softmax = OpDef {
        sig: "log_softmax(Tensor input, int dim, ScalarType? dtype=None, *, Tensor? out=None) -> Tensor",
        doc: "The logarithm of the softmax along `dim`.",
        surfaces: FM,
        kind: Kind::Kernel { infer: meta, run: |b, x, o, p| run(b, arg(x, 0)?, &o[0], p.int(0), true) },
        diff: Diff::Vjp(|c| grads!(c; 0 => call1(&log_softmax_backward::OP, &[Some(c.g()), Some(&c.y(0)?)], params![c.p.int(0)]))),
        saves: Y,
        decompose: Some(|x, p| one(meaning(arg(x, 0)?, p, true)?)),
        samples: Some(samples),
        ..BASE
    };
    softmax_backward = OpDef {
        sig: "softmax_backward(Tensor grad, Tensor output, int dim) -> Tensor",
        doc: "`y * (g - sum(g * y))`.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, _| { let y = arg(x, 1)?; Ok(smallvec::smallvec![Meta::new(y.sizes(), y.dtype(), y.device())]) },
            run: |b, x, o, p| back_run(b, x, &o[0], p.int(0), false),
        },
        diff: Diff::Decompose,
        saves: XX,
        decompose: Some(|x, p| {
            let (g, y) = (arg(x, 0)?, arg(x, 1)?);
            one(mul(y, &sub(g, &sum(&mul(g, y)?, &[p.int(0)], true)?)?)?)
        }),
        samples: Some(pair_samples),
        ..BASE
    };
    log_softmax_backward = OpDef {
        sig: "log_softmax_backward(Tensor grad, Tensor output, int dim) -> Tensor",
        doc: "`g - exp(y) * sum(g)`.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, _| { let y = arg(x, 1)?; Ok(smallvec::smallvec![Meta::new(y.sizes(), y.dtype(), y.device())]) },
            run: |b, x, o, p| back_run(b, x, &o[0], p.int(0), true),
        },
        diff: Diff::Decompose,
        saves: XX,
        decompose: Some(|x, p| {
            let (g, y) = (arg(x, 0)?, arg(x, 1)?);
            one(sub(g, &mul(&exp(y)?, &sum(g, &[p.int(0)], true)?)?)?)
        }),
        samples: Some(pair_samples),
        ..BASE
    };
    softmax_nn = OpDef { sig: "softmax(Tensor input, int? dim=None, int _stacklevel=3, ScalarType? dtype=None) -> Tensor", doc: "Softmax along `dim`.", surfaces: surface::NN,
        kind: Kind::Composite(|x, p| flambeau_core::call(&softmax::OP, x, params![implicit(x, p)?, p.dtype(1)])), ..BASE };
    log_softmax_nn = OpDef { sig: "log_softmax(Tensor input, int? dim=None, int _stacklevel=3, ScalarType? dtype=None) -> Tensor", doc: "The logarithm of the softmax along `dim`.", surfaces: surface::NN,
        kind: Kind::Composite(|x, p| flambeau_core::call(&log_softmax::OP, x, params![implicit(x, p)?, p.dtype(1)])), ..BASE };
    softmin = OpDef { sig: "softmin(Tensor input, int? dim=None, int _stacklevel=3, ScalarType? dtype=None) -> Tensor", doc: "The softmax of the negative.", surfaces: surface::NN,
        kind: Kind::Composite(|x, p| { let d = implicit(x, p)?; let n = crate::unary::neg(arg(x, 0)?)?; flambeau_core::call(&softmax::OP, &[Some(&n)], params![d, p.dtype(1)]) }), ..BASE };
}

/// Without `dim`, PyTorch's legacy choice: 0 for rank 0, 1 and 3, else 1.
fn implicit(x: flambeau_core::op::Inputs, p: &Params) -> Result<i64> {
    Ok(p.opt_int(0).unwrap_or(if matches!(arg(x, 0)?.ndim(), 0 | 1 | 3) { 0 } else { 1 }))
}

/// Softmax along the last dimension of scores, under the name that it has inside attention.
pub(crate) fn safe_softmax(x: &Tensor) -> Result<Tensor> {
    static SAFE: OpDef = OpDef { node: "SafeSoftmaxBackward0", shown: None, ..softmax::OP };
    call1(&SAFE, &[Some(x)], params![-1, None::<DType>])
}

/// Softmax along a dimension.
pub fn softmax(x: &Tensor, dim: i64) -> Result<Tensor> {
    call1(&softmax::OP, &[Some(x)], params![dim, None::<DType>])
}

/// The logarithm of the softmax along a dimension.
pub fn log_softmax(x: &Tensor, dim: i64) -> Result<Tensor> {
    call1(&log_softmax::OP, &[Some(x)], params![dim, None::<DType>])
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
