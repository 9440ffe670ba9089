//! Running reductions and order along a dimension: scans, sorts, the largest few.

use flambeau_core::autograd::Vjp;
use flambeau_core::backend::{Backend, ScanOp};
use flambeau_core::layout::{Dims, wrap_dim};
use flambeau_core::op::{Diff, Grads, Inputs, Kind, Meta, Metas, OpDef, Params, ParamsExt};
use flambeau_core::{DType, Result, Scalar, Tensor, call1, check, params};

use crate::binary::mul;
use crate::copy::conj;
use crate::operand::*;
use crate::reduce::{prod, sum};
use crate::unary;

const fn vjp(f: fn(&Vjp) -> Result<Grads>) -> Diff {
    Diff::Vjp(f)
}

rows! { ROWS_ALL:
    cumsum = OpDef {
        sig: "cumsum(Tensor input, int dim, *, ScalarType? dtype=None, Tensor? out=None) -> Tensor",
        doc: "The running sum along `dim`.",
        surfaces: FMI,
        kind: Kind::Kernel { infer: scan_meta, run: |b, x, o, p| scan_run(b, ScanOp::Sum, x, o, p) },
        diff: vjp(|c| grads!(c; 0 => reverse_cumsum(c.g(), c.p.int(0)))),
        samples: Some(|s| for d in [0i64, -1] { let x = s.normal(&[3, 4]); s.push(vec![Some(x)], params![d, None::<DType>], 1) }),
        ..BASE
    };
    cumprod = OpDef {
        sig: "cumprod(Tensor input, int dim, *, ScalarType? dtype=None, Tensor? out=None) -> Tensor",
        doc: "The running product along `dim`.",
        surfaces: FMI,
        kind: Kind::Kernel { infer: scan_meta, run: |b, x, o, p| scan_run(b, ScanOp::Prod, x, o, p) },
        diff: vjp(|c| grads!(c; 0 => cumprod_backward(c))),
        saves: X,
        samples: Some(|s| for d in [0i64, -1] { let x = s.uniform(&[3, 4], 0.3, 2.0); s.push(vec![Some(x)], params![d, None::<DType>], 1) }),
        ..BASE
    };
    logcumsumexp = OpDef {
        sig: "logcumsumexp(Tensor input, int dim, *, Tensor? out=None) -> Tensor",
        doc: "The running log(sum(exp(x))) along `dim`.",
        kind: Kind::Kernel { infer: |x, p| { let x = arg(x, 0)?; wrap_dim(p.int(0), x.ndim())?; check!(x.dtype().is_differentiable(), NotImplemented, "\"logcumsumexp_out_cpu\" not implemented for '{}'", x.dtype().scalar_name()); Ok(smallvec::smallvec![Meta::new(x.sizes(), x.dtype(), x.device())]) },
            run: |b, x, o, p| scan_run(b, ScanOp::LogSumExp, x, o, p) },
        diff: vjp(|c| grads!(c; 0 => {
            logcumsumexp_backward(c)
        })),
        saves: flambeau_core::op::Saves { inputs: 1, outputs: 1, cross: false },
        samples: Some(|s| { let x = s.normal(&[3, 4]); s.push(vec![Some(x)], params![1], 1) }),
        ..BASE
    };
    cummax = OpDef {
        sig: "cummax(Tensor input, int dim, *, (Tensor, Tensor)? out=None) -> (Tensor values, Tensor indices)",
        doc: "The running maximum along `dim` and its position.",
        kind: Kind::Kernel { infer: running_meta, run: |b, x, o, p| scan_pair_run(b, ScanOp::Max, x, o, p) },
        diff: vjp(|c| grads!(c; 0 => gathered_backward(c))),
        saves: flambeau_core::op::Saves { inputs: 0, outputs: 2, cross: false },
        diff_outputs: 1,
        samples: Some(|s| { let x = s.normal(&[3, 4]); s.push(vec![Some(x)], params![1], 1) }),
        ..BASE
    };
    cummin = OpDef {
        sig: "cummin(Tensor input, int dim, *, (Tensor, Tensor)? out=None) -> (Tensor values, Tensor indices)",
        doc: "The running minimum along `dim` and its position.",
        kind: Kind::Kernel { infer: running_meta, run: |b, x, o, p| scan_pair_run(b, ScanOp::Min, x, o, p) },
        diff: vjp(|c| grads!(c; 0 => gathered_backward(c))),
        saves: flambeau_core::op::Saves { inputs: 0, outputs: 2, cross: false },
        diff_outputs: 1,
        samples: Some(|s| { let x = s.normal(&[3, 4]); s.push(vec![Some(x)], params![1], 1) }),
        ..BASE
    };
    sort = OpDef {
        sig: "sort(Tensor input, int dim=-1, bool descending=False, *, bool stable=False, (Tensor, Tensor)? out=None) -> (Tensor values, Tensor indices)",
        doc: "The elements in order along `dim`, and where they came from. Always stable; NaN last.",
        kind: Kind::Kernel {
            infer: scan_pair_meta,
            run: |b, x, o, p| {
                let x = arg(x, 0)?;
                if x.ndim() == 0 {
                    b.copy(x.raw(), o[0].raw())?;
                    return b.fill(o[1].raw(), Scalar::Int(0));
                }
                b.sort(x.raw(), o[0].raw(), o[1].raw(), wrap_dim(p.int(0), x.ndim())?, p.bool(1))
            },
        },
        diff: vjp(|c| grads!(c; 0 => gathered_backward(c))),
        saves: flambeau_core::op::Saves { inputs: 0, outputs: 2, cross: false },
        diff_outputs: 1,
        samples: Some(|s| for d in [true, false] { let x = s.normal(&[3, 4]); s.push(vec![Some(x)], params![1, d, false], 1) }),
        ..BASE
    };
    argsort = OpDef {
        sig: "argsort(Tensor input, int dim=-1, bool descending=False, *, bool stable=False) -> Tensor",
        doc: "The positions that put the elements in order along `dim`.",
        kind: Kind::Composite(|x, p| Ok(smallvec::smallvec![flambeau_core::call(&sort::OP, x, p.clone())?.swap_remove(1)])),
        ..BASE
    };
    topk = OpDef {
        sig: "topk(Tensor input, int k, int dim=-1, bool largest=True, bool sorted=True, *, (Tensor, Tensor)? out=None) -> (Tensor values, Tensor indices)",
        doc: "The `k` largest (or smallest) elements along `dim`, in order, and their positions.",
        kind: Kind::Kernel {
            infer: |x, p| {
                let x = arg(x, 0)?;
                let d = wrap_dim(p.int(1), x.ndim())?;
                let n = if x.ndim() == 0 { 1 } else { x.sizes()[d] };
                check!(p.int(0) >= 0 && p.int(0) <= n, Runtime, "selected index k out of range");
                let mut sizes = Dims::from_slice(x.sizes());
                if let Some(s) = sizes.get_mut(d) { *s = p.int(0) }
                Ok(smallvec::smallvec![Meta::new(&sizes, x.dtype(), x.device()), Meta::new(&sizes, DType::I64, x.device())])
            },
            run: |b, x, o, p| {
                let x = arg(x, 0)?;
                if x.ndim() == 0 {
                    b.copy(x.raw(), o[0].raw())?;
                    return b.fill(o[1].raw(), Scalar::Int(0));
                }
                b.topk(x.raw(), o[0].raw(), o[1].raw(), wrap_dim(p.int(1), x.ndim())?, p.bool(2))
            },
        },
        diff: vjp(|c| grads!(c; 0 => {
            let m = c.meta(0);
            if m.sizes.is_empty() { Ok(c.g().clone()) } else { crate::scatter::scatter_zeros(&m, c.p.int(1), &c.y(1)?, c.g()) }
        })),
        saves: flambeau_core::op::Saves { inputs: 0, outputs: 2, cross: false },
        diff_outputs: 1,
        samples: Some(|s| for l in [true, false] { let x = s.normal(&[3, 5]); s.push(vec![Some(x)], params![2, 1, l, true], 1) }),
        ..BASE
    };
}

/// The gradient of values taken from the positions in output 1 along the dimension in parameter 0.
fn gathered_backward(c: &Vjp) -> Result<Tensor> {
    let m = c.meta(0);
    if m.sizes.is_empty() {
        return Ok(c.g().clone());
    }
    crate::scatter::scatter_zeros(&m, c.p.int(0), &c.y(1)?, c.g())
}

fn scan_meta(x: Inputs, p: &Params) -> Result<Metas> {
    let x = arg(x, 0)?;
    wrap_dim(p.int(0), x.ndim())?;
    let d = p.dtype(1).unwrap_or(if x.dtype().is_int() || x.dtype() == DType::Bool { DType::I64 } else { x.dtype() });
    Ok(smallvec::smallvec![Meta::new(x.sizes(), d, x.device())])
}

fn scan_run(b: &dyn Backend, op: ScanOp, x: Inputs, o: &[Tensor], p: &Params) -> Result<()> {
    let x = arg(x, 0)?;
    let x = if x.dtype() == o[0].dtype() { x.clone() } else { x.cast_raw(o[0].dtype())? };
    if x.ndim() == 0 {
        return b.copy(x.raw(), o[0].raw());
    }
    let d = wrap_dim(p.int(0), x.ndim())?;
    if op == ScanOp::LogSumExp && x.dtype().is_complex() && x.numel() > 0 {
        let at = |t: &Tensor, i| flambeau_core::autograd::no_grad(|| crate::view::select(&t.detach(), d as i64, i));
        b.copy(at(&x, 0)?.raw(), at(&o[0], 0)?.raw())?;
        for i in 1..x.sizes()[d] {
            let (last, next, out) = (at(&o[0], i - 1)?, at(&x, i)?, at(&o[0], i)?);
            b.binary(flambeau_core::backend::BinaryOp::Logaddexp, &[], last.raw(), next.raw(), out.raw())?;
        }
        return Ok(());
    }
    b.scan(op, x.raw(), o[0].raw(), None, d)
}

/// As [`scan_pair_meta`], but row-major.
fn running_meta(x: Inputs, p: &Params) -> Result<flambeau_core::op::Metas> {
    let mut metas = scan_pair_meta(x, p)?;
    metas.iter_mut().for_each(|m| m.strides = None);
    Ok(metas)
}

fn scan_pair_meta(x: Inputs, p: &Params) -> Result<Metas> {
    let x = arg(x, 0)?;
    wrap_dim(p.int(0), x.ndim())?;
    check!(!x.dtype().is_complex(), Runtime, "Sort does not support complex dtypes on CPU");
    Ok(smallvec::smallvec![Meta::copying(x), Meta::copying(x).with_dtype(DType::I64)])
}

fn scan_pair_run(b: &dyn Backend, op: ScanOp, x: Inputs, o: &[Tensor], p: &Params) -> Result<()> {
    let x = arg(x, 0)?;
    if x.ndim() == 0 {
        b.copy(x.raw(), o[0].raw())?;
        return b.fill(o[1].raw(), Scalar::Int(0));
    }
    b.scan(op, x.raw(), o[0].raw(), Some(o[1].raw()), wrap_dim(p.int(0), x.ndim())?)
}

/// By logarithms, so that large and small terms do not cancel: the positive and the negative part of the gradient apart.
fn logcumsumexp_backward(c: &Vjp) -> Result<Tensor> {
    let (x, y, d) = (c.x(0)?, c.y(0)?, c.p.int(0));
    if x.ndim() == 0 {
        return Ok(c.g().clone());
    }
    let part = |g: &Tensor| -> Result<Tensor> {
        let positive = crate::binary::gt_scalar(g, 0.0)?;
        let low = Tensor::wrapped(Scalar::Float(f64::NEG_INFINITY))?;
        let log = crate::ternary::where_(&positive, &unary::log(g)?, &low)?;
        let run = crate::shape::flip(&crate::binary::sub(&log, &y)?, &[d])?;
        let run = crate::shape::flip(&call1(&logcumsumexp::OP, &[Some(&run)], params![d])?, &[d])?;
        unary::exp(&crate::binary::add(&run, &x)?)
    };
    // Where the gradient is to be differentiated again, in the form that has derivatives everywhere.
    if x.dtype().is_complex() && !flambeau_core::autograd::grad_enabled() {
        // A complex gradient has a logarithm whatever its sign.
        let run = crate::shape::flip(&crate::binary::sub(&unary::log(c.g())?, &conj(&y)?)?, &[d])?;
        let run = crate::shape::flip(&call1(&logcumsumexp::OP, &[Some(&run)], params![d])?, &[d])?;
        return unary::exp(&crate::binary::add(&run, &conj(&x)?)?);
    }
    if flambeau_core::autograd::grad_enabled() {
        let e = unary::exp(&conj(&x)?)?;
        return mul(&e, &reverse_cumsum(&mul(c.g(), &unary::exp(&unary::neg(&conj(&y)?)?)?)?, d)?);
    }
    crate::binary::sub(&part(c.g())?, &part(&unary::neg(c.g())?)?)
}

/// Sums from each position to the end: the adjoint of a running sum.
fn reverse_cumsum(g: &Tensor, dim: i64) -> Result<Tensor> {
    if g.ndim() == 0 {
        return Ok(g.clone());
    }
    crate::shape::flip(&cumsum(&crate::shape::flip(g, &[dim])?, dim)?, &[dim])
}

/// By products that leave one factor out, so that zeros are exact: column j of the lower triangle.
fn cumprod_backward(c: &Vjp) -> Result<Tensor> {
    let (x, d) = (c.x(0)?, c.p.int(0));
    if x.ndim() == 0 {
        return Ok(c.g().clone());
    }
    let dim = wrap_dim(d, x.ndim())? as i64;
    let n = x.sizes()[dim as usize];
    let mut parts = Vec::new();
    for j in 0..n {
        // Products of the factors after j, started by the product of those before j.
        let head = if j == 0 { None } else { Some(prod(&crate::view::narrow(&x, dim, 0, j)?, dim, true)?) };
        let mut one_sizes = Dims::from_slice(x.sizes());
        one_sizes[dim as usize] = 1;
        let one = crate::create::full(&one_sizes, Scalar::Int(1), x.dtype(), x.device())?;
        let first = head.unwrap_or(one);
        let tail = crate::view::narrow(&x, dim, j + 1, n - j - 1)?;
        let run = cumprod(&crate::shape::cat(&[&first, &tail], dim)?, dim)?;
        let g = crate::view::narrow(c.g(), dim, j, n - j)?;
        parts.push(sum(&mul(&g, &conj(&run)?)?, &[dim], true)?);
    }
    if parts.is_empty() {
        return crate::create::zeros_like(&x);
    }
    crate::shape::cat(&parts.iter().collect::<Vec<_>>(), dim)
}

pub fn cumsum(x: &Tensor, dim: i64) -> Result<Tensor> {
    call1(&cumsum::OP, &[Some(x)], params![dim, None::<DType>])
}

pub fn cumprod(x: &Tensor, dim: i64) -> Result<Tensor> {
    call1(&cumprod::OP, &[Some(x)], params![dim, None::<DType>])
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
