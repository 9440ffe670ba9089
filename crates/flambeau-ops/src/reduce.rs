//! Reductions.

use flambeau_core::autograd::Vjp;
use flambeau_core::backend::{Backend, ReduceOp};
use flambeau_core::layout::{Dims, wrap_dim, wrap_dims};
use flambeau_core::op::{Diff, Grads, Inputs, Kind, Meta, Metas, OpDef, Outs, Params, ParamsExt, Samples, Value};
use flambeau_core::{DType, Result, Scalar, Tensor, call1, check, default_dtype, params};

use crate::binary::{div, div_scalar, eq, mul, sub};
use crate::copy::{conj, to_dtype};
use crate::operand::*;
use crate::unary;
use crate::view::{expand, reshape, unsqueeze};

/// Sizes after a reduction over the dimensions in `mask`.
fn reduced(sizes: &[i64], mask: &[bool], keepdim: bool) -> Dims {
    sizes.iter().zip(mask).filter_map(|(&n, &gone)| if !gone { Some(n) } else { keepdim.then_some(1) }).collect()
}

/// Puts back, with size one, the dimensions that a reduction dropped.
fn restore(y: &Tensor, mask: &[bool], keepdim: bool) -> Result<Tensor> {
    if keepdim {
        return Ok(y.clone());
    }
    let mut y = y.clone();
    for (d, &gone) in mask.iter().enumerate() {
        if gone {
            y = unsqueeze(&y, d as i64)?;
        }
    }
    Ok(y)
}

/// A reduction's output as the kernel wants it: the input's rank, size one where reduced.
pub(crate) fn kept<'a>(
    out: &'a Tensor,
    mask: &[bool],
    keepdim: bool,
    sizes: &'a mut Dims,
    strides: &'a mut Dims,
) -> flambeau_core::backend::Raw<'a> {
    let mut from = 0;
    for &gone in mask {
        if gone && !keepdim {
            sizes.push(1);
            strides.push(0);
        } else {
            sizes.push(out.sizes()[from]);
            strides.push(out.strides()[from]);
            from += 1;
        }
    }
    out.raw().with_layout(sizes, strides)
}

pub(crate) fn dims_of(p: &Params, i: usize) -> &[i64] {
    p.opt_ints(i).unwrap_or(&[])
}

/// Runs a reduction whose params start with dims and keepdim; the input is converted to `compute` first.
fn run(
    b: &dyn Backend,
    op: ReduceOp,
    x: Inputs,
    o: &[Tensor],
    p: &Params,
    compute: Option<DType>,
    extra: &[f64],
) -> Result<()> {
    let x = arg(x, 0)?;
    let mask = wrap_dims(dims_of(p, 0), x.ndim())?;
    let (mut sizes, mut strides) = (Dims::new(), Dims::new());
    let out = kept(&o[0], &mask, p.bool(1), &mut sizes, &mut strides);
    match compute {
        Some(d) if d != x.dtype() => b.reduce(op, extra, x.cast_raw(d)?.raw(), out),
        _ => b.reduce(op, extra, x.raw(), out),
    }
}

/// Shifted by the largest real part, outside any graph.
fn complex_logsumexp(b: &dyn Backend, x: &Tensor, out: &Tensor, p: &Params) -> Result<()> {
    let y = flambeau_core::autograd::no_grad(|| {
        let (x, dims) = (x.detach(), dims_of(p, 0));
        let real = crate::copy::real(&x)?;
        if x.numel() == 0 {
            return unary::log(&sum(&unary::exp(&x)?, dims, true)?);
        }
        let top = amax(&real, dims, true)?;
        let zero = crate::create::zeros_like(&top)?;
        let top = crate::ternary::where_(&unary::isfinite(&top)?, &top, &zero)?;
        let y = unary::log(&sum(&unary::exp(&sub(&x, &top)?)?, dims, true)?)?;
        crate::binary::add(&y, &top)
    })?;
    b.copy(crate::view::reshape(&y, out.sizes())?.raw(), out.raw())
}

pub(crate) fn meta(x: &Tensor, p: &Params, dtype: DType) -> Result<Metas> {
    let mask = wrap_dims(dims_of(p, 0), x.ndim())?;
    Ok(smallvec::smallvec![Meta::new(&reduced(x.sizes(), &mask, p.bool(1)), dtype, x.device())])
}

/// Sums of integers are 64-bit unless asked otherwise.
fn sum_dtype(x: &Tensor, p: &Params) -> DType {
    p.dtype(2).unwrap_or(if x.dtype().is_int() || x.dtype() == DType::Bool { DType::I64 } else { x.dtype() })
}

/// Spreads a reduction's gradient back over the input.
fn spread(c: &Vjp) -> Result<Tensor> {
    let m = c.meta(0);
    if c.g().ndim() == 0 {
        return expand(c.g(), &m.sizes);
    }
    let mask = wrap_dims(dims_of(c.p, 0), m.sizes.len())?;
    expand(&restore(c.g(), &mask, c.p.bool(1))?, &m.sizes)
}

pub(crate) fn count(c: &Vjp) -> Result<f64> {
    let m = c.meta(0);
    let mask = wrap_dims(dims_of(c.p, 0), m.sizes.len())?;
    Ok(m.sizes.iter().zip(&mask).filter(|(_, gone)| **gone).map(|(n, _)| *n).product::<i64>() as f64)
}

pub(crate) fn back(c: &Vjp, t: &Tensor) -> Result<Tensor> {
    let mask = wrap_dims(dims_of(c.p, 0), c.meta(0).sizes.len())?;
    restore(t, &mask, c.p.bool(1))
}

fn samples(s: &mut Samples, low: f64, high: f64, extra: &[Value]) {
    let calls: [(&[i64], Option<&[i64]>, bool); 7] = [
        (&[2, 3, 4], None, false),
        (&[2, 3, 4], Some(&[1]), false),
        (&[2, 3, 4], Some(&[0, -1]), true),
        (&[3], Some(&[0]), false),
        (&[], None, false),
        (&[2, 3], Some(&[1]), true),
        (&[4, 1, 2], Some(&[2, 0]), false),
    ];
    for (sizes, dims, keep) in calls {
        let x = s.uniform(sizes, low, high);
        let mut p = params![dims, keep];
        p.extend(extra.iter().cloned());
        s.push(vec![Some(x)], p, 1);
    }
}

pub(crate) const fn vjp(f: fn(&Vjp) -> Result<Grads>) -> Diff {
    Diff::Vjp(f)
}

/// The gradient of an extreme value: shared evenly among the elements that attain it.
fn amax_backward(c: &Vjp) -> Result<Tensor> {
    let (x, y, g) = (c.x(0)?, back(c, &c.y(0)?)?, back(c, c.g())?);
    let hit = to_dtype(&eq(&x, &y)?, g.dtype())?;
    let mask = wrap_dims(dims_of(c.p, 0), x.ndim())?;
    let dims: Dims = (0..x.ndim()).filter(|&d| mask[d]).map(|d| d as i64).collect();
    let share = if dims.is_empty() { hit.clone() } else { sum(&hit, &dims, true)? };
    let grad = mul(&div(&g, &share)?, &hit)?;
    // Of all elements at once: into zeros, which are row-major.
    if dims_of(c.p, 0).is_empty() { crate::copy::row_major(&grad) } else { Ok(grad) }
}

/// Product's gradient without dividing by zero: exclusive products from both sides along the flattened dimensions.
fn prod_backward(c: &Vjp) -> Result<Tensor> {
    let (x, g) = (c.x(0)?, back(c, c.g())?);
    let mask = wrap_dims(dims_of(c.p, 0), x.ndim())?;
    let n = x.ndim();
    let (rest, gone): (Vec<i64>, Vec<i64>) = (0..n as i64).partition(|&d| !mask[d as usize]);
    let order: Vec<i64> = rest.iter().chain(&gone).copied().collect();
    let mut inverse = vec![0i64; n];
    for (i, &d) in order.iter().enumerate() {
        inverse[d as usize] = i as i64;
    }
    let moved = crate::view::permute(&x, &order)?;
    let shape: Dims = moved.sizes().into();
    let k: i64 = gone.iter().map(|&d| x.sizes()[d as usize]).product();
    let mut flat: Dims = rest.iter().map(|&d| x.sizes()[d as usize]).collect();
    flat.push(k);
    let rows = reshape(&moved, &flat)?;
    let last = flat.len() as i64 - 1;
    let mut one_sizes = flat.clone();
    one_sizes[last as usize] = 1.min(k);
    let one = crate::create::full(&one_sizes, Scalar::Int(1), x.dtype(), x.device())?;
    let before = |t: &Tensor| -> Result<Tensor> {
        let shifted = crate::shape::cat(&[&one, &crate::view::narrow(t, last, 0, (k - 1).max(0))?], last)?;
        crate::order::cumprod(&shifted, last)
    };
    let left = before(&rows)?;
    let right = crate::shape::flip(&before(&crate::shape::flip(&rows, &[last])?)?, &[last])?;
    let d = crate::view::permute(&reshape(&mul(&left, &right)?, &shape)?, &inverse)?;
    mul(&g, &conj(&d)?)
}

fn float_of(x: &Tensor, p: &Params, what: &str) -> Result<DType> {
    let d = p.dtype(2).unwrap_or(x.dtype());
    check!(
        d.is_differentiable(),
        NotImplemented,
        "{what}(): could not infer output dtype. {} dtype must be either a floating point or complex dtype. Got: {}",
        if p.dtype(2).is_some() { "Optional" } else { "Input" },
        d.scalar_name()
    );
    Ok(d)
}

fn needs_elements(x: &Tensor, p: &Params, what: &str) -> Result<()> {
    let mask = wrap_dims(dims_of(p, 0), x.ndim())?;
    check!(
        x.numel() > 0 || !dims_of(p, 0).is_empty(),
        Runtime,
        "{what}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' \
         argument."
    );
    for (d, &gone) in mask.iter().enumerate() {
        check!(
            !gone || x.sizes()[d] != 0 || x.ndim() == 0,
            Index,
            "{what}(): Expected reduction dim {d} to have non-zero size."
        );
    }
    Ok(())
}

rows! { ROWS_ALL:
    sum = OpDef {
        sig: "sum(Tensor input, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None, Tensor? out=None) -> Tensor",
        doc: "The sum over `dim` (all dimensions by default); integers sum in int64.",
        kind: Kind::Kernel {
            infer: |x, p| { let x = arg(x, 0)?; meta(x, p, sum_dtype(x, p)) },
            run: |b, x, o, p| run(b, ReduceOp::Sum, x, o, p, Some(o[0].dtype()), &[]),
        },
        diff: vjp(|c| grads!(c; 0 => spread(c))),
        samples: Some(|s| samples(s, -2.0, 2.0, &[])),
        ..BASE
    };
    nansum = OpDef {
        sig: "nansum(Tensor input, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None, Tensor? out=None) -> Tensor",
        doc: "The sum, taking NaN as zero.",
        kind: Kind::Kernel {
            infer: |x, p| { let x = arg(x, 0)?; check!(!x.dtype().is_complex(), Runtime, "nansum does not support complex inputs"); meta(x, p, sum_dtype(x, p)) },
            run: |b, x, o, p| run(b, if o[0].dtype().is_float() { ReduceOp::NanSum } else { ReduceOp::Sum }, x, o, p, Some(o[0].dtype()), &[]),
        },
        diff: vjp(|c| grads!(c; 0 => mul(&spread(c)?, &unary::logical_not(&unary::isnan(&c.x(0)?)?)?))),
        saves: X,
        samples: Some(|s| samples(s, -2.0, 2.0, &[])),
        ..BASE
    };
    mean = OpDef {
        sig: "mean(Tensor input, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None, Tensor? out=None) -> Tensor",
        doc: "The arithmetic mean over `dim` (all dimensions by default). Floats and complex only.",
        kind: Kind::Kernel {
            infer: |x, p| { let x = arg(x, 0)?; let d = float_of(x, p, "mean")?; meta(x, p, d) },
            run: |b, x, o, p| run(b, ReduceOp::Mean, x, o, p, Some(o[0].dtype()), &[]),
        },
        diff: vjp(|c| grads!(c; 0 => div_scalar(&spread(c)?, count(c)?))),
        samples: Some(|s| samples(s, -2.0, 2.0, &[])),
        ..BASE
    };
    prod = OpDef {
        sig: "prod(Tensor input, int? dim=None, bool keepdim=False, *, ScalarType? dtype=None, Tensor? out=None) -> Tensor",
        doc: "The product over one dimension, or over all.",
        kind: Kind::Kernel {
            infer: |x, p| { let x = arg(x, 0)?; meta(x, p, sum_dtype(x, p)) },
            run: |b, x, o, p| run(b, ReduceOp::Prod, x, o, p, Some(o[0].dtype()), &[]),
        },
        diff: vjp(|c| grads!(c; 0 => prod_backward(c))),
        saves: X,
        samples: Some(|s| {
            for d in [None, Some(1i64), Some(-1)] { let x = s.uniform(&[2, 3, 2], -2.0, 2.0); s.push(vec![Some(x)], params![d, d == Some(1)], 1) }
        }),
        ..BASE
    };
    amax = OpDef {
        sig: "amax(Tensor input, int[1] dim=[], bool keepdim=False, *, Tensor? out=None) -> Tensor",
        doc: "The largest element; equal ones share the gradient.",
        kind: Kind::Kernel {
            infer: |x, p| { let x = arg(x, 0)?; needs_elements(x, p, "amax")?; meta(x, p, x.dtype()) },
            run: |b, x, o, p| run(b, ReduceOp::Amax, x, o, p, None, &[]),
        },
        diff: vjp(|c| grads!(c; 0 => amax_backward(c))),
        saves: flambeau_core::op::Saves { inputs: 1, outputs: 1, cross: false },
        samples: Some(|s| samples(s, -2.0, 2.0, &[])),
        ..BASE
    };
    amin = OpDef {
        sig: "amin(Tensor input, int[1] dim=[], bool keepdim=False, *, Tensor? out=None) -> Tensor",
        doc: "The smallest element; equal ones share the gradient.",
        kind: Kind::Kernel {
            infer: |x, p| { let x = arg(x, 0)?; needs_elements(x, p, "amin")?; meta(x, p, x.dtype()) },
            run: |b, x, o, p| run(b, ReduceOp::Amin, x, o, p, None, &[]),
        },
        diff: vjp(|c| grads!(c; 0 => amax_backward(c))),
        saves: flambeau_core::op::Saves { inputs: 1, outputs: 1, cross: false },
        samples: Some(|s| samples(s, -2.0, 2.0, &[])),
        ..BASE
    };
    any = OpDef {
        sig: "any(Tensor input, int[1]? dim=None, bool keepdim=False, *, Tensor? out=None) -> Tensor",
        doc: "Whether any element is not zero.",
        kind: Kind::Kernel { infer: |x, p| { let x = arg(x, 0)?; meta(x, p, truth(x)) }, run: |b, x, o, p| run(b, ReduceOp::Any, x, o, p, None, &[]) },
        diff: Diff::Never,
        samples: Some(|s| samples(s, -2.0, 2.0, &[])),
        ..BASE
    };
    all = OpDef {
        sig: "all(Tensor input, int[1]? dim=None, bool keepdim=False, *, Tensor? out=None) -> Tensor",
        doc: "Whether all elements are not zero.",
        kind: Kind::Kernel { infer: |x, p| { let x = arg(x, 0)?; meta(x, p, truth(x)) }, run: |b, x, o, p| run(b, ReduceOp::All, x, o, p, None, &[]) },
        diff: Diff::Never,
        samples: Some(|s| samples(s, -2.0, 2.0, &[])),
        ..BASE
    };
    count_nonzero = OpDef {
        sig: "count_nonzero(Tensor input, int[1]? dim=None) -> Tensor",
        doc: "How many elements are not zero.",
        kind: Kind::Kernel { infer: |x, p| { let x = arg(x, 0)?; meta(x, p, DType::I64) }, run: |b, x, o, p| run(b, ReduceOp::CountNonzero, x, o, p, None, &[]) },
        diff: Diff::Never,
        samples: Some(|s| { let x = s.normal(&[2, 3]); s.push(vec![Some(x)], params![[1i64]], 1) }),
        ..BASE
    };
    logsumexp = OpDef {
        sig: "logsumexp(Tensor input, int[1] dim, bool keepdim=False, *, Tensor? out=None) -> Tensor",
        doc: "log(sum(exp(x))) over `dim`, computed without overflow.",
        kind: Kind::Kernel {
            infer: |x, p| { let x = arg(x, 0)?; let d = if x.dtype().is_differentiable() { x.dtype() } else { default_dtype() }; meta(x, p, d) },
            run: |b, x, o, p| {
                if o[0].dtype().is_complex() {
                    return complex_logsumexp(b, arg(x, 0)?, &o[0], p);
                }
                run(b, ReduceOp::LogSumExp, x, o, p, Some(o[0].dtype()), &[])
            },
        },
        diff: vjp(|c| grads!(c; 0 => mul(&back(c, c.g())?, &crate::copy::conj(&unary::exp(&sub(&c.x(0)?, &back(c, &c.y(0)?)?)?)?)?))),
        saves: flambeau_core::op::Saves { inputs: 1, outputs: 1, cross: false },
        samples: Some(|s| { for k in [true, false] { let x = s.normal(&[2, 3]); s.push(vec![Some(x)], params![[1i64], k], 1) } }),
        ..BASE
    };
    norm_p = OpDef {
        sig: "norm_p(Tensor input, int[]? dim, bool keepdim, float p) -> Tensor",
        doc: "The p-norm of the elements.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| { let x = arg(x, 0)?; check!(x.dtype().is_differentiable(), Runtime,
                "linalg.vector_norm: Expected a floating point or complex tensor as input. Got {}", x.dtype().scalar_name()); meta(x, p, x.dtype().to_real()) },
            run: |b, x, o, p| run(b, ReduceOp::Norm, x, o, p, None, &[p.float(2)]),
        },
        diff: vjp(|c| grads!(c; 0 => norm_backward(c))),
        saves: flambeau_core::op::Saves { inputs: 1, outputs: 1, cross: false },
        samples: Some(|s| { for e in [2.0, 1.0, 3.0, 0.5] { let x = s.uniform(&[2, 3], 0.3, 2.0); s.push(vec![Some(x)], params![[1i64], false, e], 1) } }),
        ..BASE
    };
    argmax = OpDef {
        sig: "argmax(Tensor input, int? dim=None, bool keepdim=False, *, Tensor? out=None) -> Tensor",
        doc: "The position of the largest element along `dim`, or in the flattened tensor.",
        kind: Kind::Kernel { infer: |x, p| arg_meta(x, p, "argmax"), run: |b, x, o, p| arg_run(b, true, x, o, p) },
        diff: Diff::Never,
        samples: Some(|s| { for d in [None, Some(1i64)] { let x = s.normal(&[2, 3]); s.push(vec![Some(x)], params![d, false], 1) } }),
        ..BASE
    };
    argmin = OpDef {
        sig: "argmin(Tensor input, int? dim=None, bool keepdim=False, *, Tensor? out=None) -> Tensor",
        doc: "The position of the smallest element along `dim`, or in the flattened tensor.",
        kind: Kind::Kernel { infer: |x, p| arg_meta(x, p, "argmin"), run: |b, x, o, p| arg_run(b, false, x, o, p) },
        diff: Diff::Never,
        samples: Some(|s| { for d in [None, Some(1i64)] { let x = s.normal(&[2, 3]); s.push(vec![Some(x)], params![d, false], 1) } }),
        ..BASE
    };
    max = OpDef { sig: "max(Tensor input, *, Tensor? out=None) -> Tensor", doc: "The largest element.",
        kind: Kind::Composite(|x, _| extreme(&amax::OP, x, "max")), ..BASE };
    min = OpDef { sig: "min(Tensor input, *, Tensor? out=None) -> Tensor", doc: "The smallest element.",
        kind: Kind::Composite(|x, _| extreme(&amin::OP, x, "min")), ..BASE };
    // Before the overload with `dim`, which would take a tensor of one integer for a number.
    max_other = OpDef { sig: "max(Tensor input, Tensor other, *, Tensor? out=None) -> Tensor", doc: "The larger of two elements.",
        kind: Kind::Composite(|x, _| flambeau_core::call(&crate::binary::maximum::OP, x, Params::new())), ..BASE };
    max_dim = OpDef {
        sig: "max(Tensor input, int dim, bool keepdim=False, *, (Tensor, Tensor)? out=None) -> (Tensor values, Tensor indices)",
        doc: "The largest element along `dim` and its position.",
        kind: Kind::Kernel { infer: |x, p| pair_meta(x, p, "max"), run: |b, x, o, p| pair_run(b, true, x, o, p) },
        diff: vjp(|c| grads!(c; 0 => pick_backward(c))),
        saves: flambeau_core::op::Saves { inputs: 0, outputs: 2, cross: false },
        diff_outputs: 1,
        samples: Some(|s| { for k in [true, false] { let x = s.normal(&[2, 3]); s.push(vec![Some(x)], params![1, k], 1) } }),
        ..BASE
    };
    // Before the overload with `dim`, which would take a tensor of one integer for a number.
    min_other = OpDef { sig: "min(Tensor input, Tensor other, *, Tensor? out=None) -> Tensor", doc: "The smaller of two elements.",
        kind: Kind::Composite(|x, _| flambeau_core::call(&crate::binary::minimum::OP, x, Params::new())), ..BASE };
    min_dim = OpDef {
        sig: "min(Tensor input, int dim, bool keepdim=False, *, (Tensor, Tensor)? out=None) -> (Tensor values, Tensor indices)",
        doc: "The smallest element along `dim` and its position.",
        kind: Kind::Kernel { infer: |x, p| pair_meta(x, p, "min"), run: |b, x, o, p| pair_run(b, false, x, o, p) },
        diff: vjp(|c| grads!(c; 0 => pick_backward(c))),
        saves: flambeau_core::op::Saves { inputs: 0, outputs: 2, cross: false },
        diff_outputs: 1,
        samples: Some(|s| { for k in [true, false] { let x = s.normal(&[2, 3]); s.push(vec![Some(x)], params![1, k], 1) } }),
        ..BASE
    };
    aminmax = OpDef {
        sig: "aminmax(Tensor input, *, int? dim=None, bool keepdim=False, (Tensor, Tensor)? out=None) -> (Tensor min, Tensor max)",
        doc: "The smallest and the largest element.",
        kind: Kind::Composite(|x, p| {
            let t = arg(x, 0)?;
            if let Some(d) = p.opt_int(0) {
                check!(t.ndim() == 0 || t.size(d)? > 0, Index, "aminmax: Expected reduction dim {d} to have non-zero size.");
            }
            check!(t.numel() > 0 || p.opt_int(0).is_some(), Runtime, "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.");
            let q = params![p.opt_int(0).map(|d| vec![d]), p.bool(1)];
            Ok(smallvec::smallvec![call1(&amin::OP, x, q.clone())?, call1(&amax::OP, x, q)?])
        }),
        ..BASE
    };
}

fn truth(x: &Tensor) -> DType {
    if x.dtype() == DType::U8 { DType::U8 } else { DType::Bool }
}

fn extreme(op: &'static OpDef, x: Inputs, what: &str) -> Result<Outs> {
    check!(
        arg(x, 0)?.numel() > 0,
        Runtime,
        "{what}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' \
         argument."
    );
    flambeau_core::call(op, x, params![Vec::<i64>::new(), false])
}

fn arg_meta(x: Inputs, p: &Params, what: &str) -> Result<Metas> {
    let x = arg(x, 0)?;
    check!(
        !x.dtype().is_complex() && x.dtype() != DType::Bool,
        NotImplemented,
        "\"{what}_cpu\" not implemented for '{}'",
        x.dtype().scalar_name()
    );
    let sizes = match p.opt_int(0) {
        None => {
            check!(x.numel() > 0, Index, "{what}(): Expected reduction dim to be specified for input.numel() == 0.");
            if p.bool(1) { Dims::from_elem(1, x.ndim()) } else { Dims::new() }
        }
        Some(d) => {
            let d = wrap_dim(d, x.ndim())?;
            check!(
                x.ndim() == 0 || x.sizes()[d] > 0,
                Index,
                "{what}(): Expected reduction dim {d} to have non-zero size."
            );
            let mask: Vec<bool> = (0..x.ndim()).map(|i| i == d).collect();
            reduced(x.sizes(), &mask, p.bool(1))
        }
    };
    Ok(smallvec::smallvec![Meta::new(&sizes, DType::I64, x.device())])
}

fn arg_run(b: &dyn Backend, largest: bool, x: Inputs, o: &[Tensor], p: &Params) -> Result<()> {
    let x = arg(x, 0)?;
    match p.opt_int(0) {
        Some(d) if x.ndim() > 0 => {
            let d = wrap_dim(d, x.ndim())?;
            let mask: Vec<bool> = (0..x.ndim()).map(|i| i == d).collect();
            let (mut s, mut t) = (Dims::new(), Dims::new());
            b.arg_reduce(largest, x.raw(), kept(&o[0], &mask, p.bool(1), &mut s, &mut t), d)
        }
        _ => {
            let flat = x.packed(x.dtype())?;
            b.arg_reduce(largest, flat.raw().with_layout(&[x.numel()], &[1]), o[0].raw().with_layout(&[1], &[1]), 0)
        }
    }
}

fn pair_meta(x: Inputs, p: &Params, what: &str) -> Result<Metas> {
    let x = arg(x, 0)?;
    check!(!x.dtype().is_complex(), Runtime, "{what}(): does not support complex input");
    let d = wrap_dim(p.int(0), x.ndim())?;
    check!(x.ndim() == 0 || x.sizes()[d] > 0, Index, "{what}(): Expected reduction dim {d} to have non-zero size.");
    let mask: Vec<bool> = (0..x.ndim()).map(|i| i == d).collect();
    let sizes = reduced(x.sizes(), &mask, p.bool(1));
    Ok(smallvec::smallvec![Meta::new(&sizes, x.dtype(), x.device()), Meta::new(&sizes, DType::I64, x.device())])
}

fn pair_run(b: &dyn Backend, largest: bool, x: Inputs, o: &[Tensor], p: &Params) -> Result<()> {
    let x = arg(x, 0)?;
    if x.ndim() == 0 {
        b.copy(x.raw(), o[0].raw())?;
        return b.fill(o[1].raw(), Scalar::Int(0));
    }
    let d = wrap_dim(p.int(0), x.ndim())?;
    let mask: Vec<bool> = (0..x.ndim()).map(|i| i == d).collect();
    let (mut s1, mut t1, mut s2, mut t2) = (Dims::new(), Dims::new(), Dims::new(), Dims::new());
    let values = kept(&o[0], &mask, p.bool(1), &mut s1, &mut t1);
    let indices = kept(&o[1], &mask, p.bool(1), &mut s2, &mut t2);
    b.minmax_dim(largest, x.raw(), values, indices, d)
}

/// The gradient goes to the position that was picked.
fn pick_backward(c: &Vjp) -> Result<Tensor> {
    let m = c.meta(0);
    if m.sizes.is_empty() {
        return Ok(c.g().clone());
    }
    let d = c.p.int(0);
    let wrapped = wrap_dim(d, m.sizes.len())? as i64;
    let (g, at) = if c.p.bool(1) {
        (c.g().clone(), c.y(1)?)
    } else {
        (unsqueeze(c.g(), wrapped)?, unsqueeze(&c.y(1)?, wrapped)?)
    };
    crate::scatter::scatter_zeros(&m, wrapped, &at, &g)
}

fn norm_backward(c: &Vjp) -> Result<Tensor> {
    let (x, y, g) = (c.x(0)?, back(c, &c.y(0)?)?, back(c, c.g())?);
    let e = c.p.float(2);
    let zero = crate::binary::eq_scalar(&y, 0.0)?;
    let safe =
        |t: &Tensor| -> Result<Tensor> { crate::ternary::where_(&zero, &crate::create::zeros_scalar_like(t)?, t) };
    if e == 0.0 {
        return crate::create::zeros_like(&x);
    }
    if e == 1.0 {
        return mul(&g, &unary::sgn(&x)?);
    }
    if e == 2.0 {
        return safe(&mul(&g, &div(&x, &y)?)?);
    }
    if e.is_infinite() {
        let a = unary::abs(&x)?;
        let hit = to_dtype(&eq(&a, &y)?, g.dtype())?;
        let mask = wrap_dims(dims_of(c.p, 0), x.ndim())?;
        let dims: Dims = (0..x.ndim()).filter(|&d| mask[d]).map(|d| d as i64).collect();
        let share = if dims.is_empty() { hit.clone() } else { sum(&hit, &dims, true)? };
        return mul(&mul(&unary::sgn(&x)?, &hit)?, &div(&g, &share)?);
    }
    // |x|^(p-1) sgn(x) / y^(p-1)
    let a = unary::abs(&x)?;
    let ratio = crate::binary::pow_scalar(&div(&a, &y)?, e - 1.0)?;
    safe(&mul(&g, &mul(&unary::sgn(&x)?, &ratio)?)?)
}

/// The sum over `dims` (all when empty).
pub fn sum(x: &Tensor, dims: &[i64], keepdim: bool) -> Result<Tensor> {
    call1(&sum::OP, &[Some(x)], params![(!dims.is_empty()).then_some(dims), keepdim])
}

/// The mean over `dims` (all when empty).
pub fn mean(x: &Tensor, dims: &[i64], keepdim: bool) -> Result<Tensor> {
    call1(&mean::OP, &[Some(x)], params![(!dims.is_empty()).then_some(dims), keepdim])
}

pub fn prod(x: &Tensor, dim: i64, keepdim: bool) -> Result<Tensor> {
    call1(&prod::OP, &[Some(x)], params![dim, keepdim])
}

pub fn amax(x: &Tensor, dims: &[i64], keepdim: bool) -> Result<Tensor> {
    call1(&amax::OP, &[Some(x)], params![dims, keepdim])
}

pub fn argmax(x: &Tensor, dim: Option<i64>, keepdim: bool) -> Result<Tensor> {
    call1(&argmax::OP, &[Some(x)], params![dim, keepdim])
}

/// Whether any (or all) elements are not zero.
pub fn any_all(x: &Tensor, any: bool) -> Result<Tensor> {
    call1(if any { &any::OP } else { &all::OP }, &[Some(x)], params![None::<Vec<i64>>, false])
}

/// The p-norm of all elements.
pub fn norm(x: &Tensor, p: f64) -> Result<Tensor> {
    call1(&norm_p::OP, &[Some(x)], params![None::<Vec<i64>>, false, p])
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
