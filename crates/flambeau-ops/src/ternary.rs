//! Elementwise operations of three tensors.

use flambeau_core::backend::TernaryOp;
use flambeau_core::op::{Diff, Kind, Metas, OpDef, Params, ParamsExt, Samples, Saves};
use flambeau_core::{DType, Error, Result, Scalar, Tensor, call1, params};

use crate::binary::{div, mul, sub};
use crate::copy::conj;
use crate::operand::*;

const CONDITION: Saves = Saves { inputs: 1, outputs: 0, cross: false };
const XXX: Saves = Saves { inputs: 7, outputs: 0, cross: false };

fn promoted(x: flambeau_core::op::Inputs, _: &Params) -> Result<Metas> {
    let t = [arg(x, 0)?, arg(x, 1)?, arg(x, 2)?];
    let dtype = result_type(&t)?;
    // Host numbers are parameters here: they have no part in the order of memory.
    Ok(smallvec::smallvec![broadcast_meta(&numberless(&t), dtype)?])
}

fn run(
    b: &dyn flambeau_core::backend::Backend,
    op: TernaryOp,
    x: flambeau_core::op::Inputs,
    o: &[Tensor],
    p: &[f64],
) -> Result<()> {
    let out = &o[0];
    let d = out.dtype();
    let first = if op == TernaryOp::Where { DType::Bool } else { d };
    let a = Operand::new(arg(x, 0)?, first, out.sizes())?;
    let (y, z) = (Operand::new(arg(x, 1)?, d, out.sizes())?, Operand::new(arg(x, 2)?, d, out.sizes())?);
    b.ternary(op, p, a.raw(out.sizes()), y.raw(out.sizes()), z.raw(out.sizes()), out.raw())
}

fn samples(s: &mut Samples, p: Params) {
    let shapes: [[&[i64]; 3]; 3] = [[&[3], &[3], &[3]], [&[2, 3], &[3], &[2, 1]], [&[], &[2], &[]]];
    for [a, b, c] in shapes {
        let t = [s.uniform(a, 0.2, 2.0), s.uniform(b, 0.2, 2.0), s.uniform(c, 0.2, 2.0)];
        s.push(t.into_iter().map(Some).collect(), p.clone(), 7);
    }
}

/// The first factor times a complex `value`, which kernels do not take.
fn complex_value(x: flambeau_core::op::Inputs, p: &Params) -> Result<Option<Tensor>> {
    match p.opt_scalar(0) {
        Some(v @ Scalar::Complex(..)) => {
            flambeau_core::autograd::no_grad(|| mul(&arg(x, 1)?.detach(), &Tensor::wrapped(v)?)).map(Some)
        }
        _ => Ok(None),
    }
}

fn scaled(g: &Tensor, s: Scalar) -> Result<Tensor> {
    let s = match s {
        Scalar::Complex(re, im) => Scalar::Complex(re, -im),
        s => s,
    };
    if s == Scalar::Int(1) { Ok(g.clone()) } else { mul(g, &Tensor::wrapped(s)?) }
}

rows! { ROWS_ALL:
    where_select = OpDef {
        sig: "where(Tensor condition, Tensor|Scalar input, Tensor|Scalar other, *, Tensor? out=None) -> Tensor",
        doc: "`input` where `condition` holds, `other` elsewhere.",
        kind: Kind::Kernel {
            infer: |x, _| {
                let (c, a, b) = (arg(x, 0)?, arg(x, 1)?, arg(x, 2)?);
                if c.dtype() != DType::Bool && c.dtype() != DType::U8 {
                    return Err(Error::runtime(format!(
                        "where expected condition to be a boolean tensor, but got a tensor with dtype {}",
                        c.dtype().scalar_name()
                    )));
                }
                let dtype = result_type_of(a, b)?;
                let mut m = broadcast_meta(&[c, a, b], dtype)?;
                m.device = common_device(&[c, a, b]);
                Ok(smallvec::smallvec![m])
            },
            run: |b, x, o, _| run(b, TernaryOp::Where, x, o, &[]),
        },
        diff: Diff::Vjp(|c| {
            let cond = c.x(0)?;
            let zero = crate::create::zeros_scalar_like(c.g())?;
            grads!(c; 1 => where_(&cond, c.g(), &zero), 2 => where_(&cond, &zero, c.g()))
        }),
        saves: CONDITION,
        samples: Some(|s| {
            let (a, b) = (s.normal(&[2, 3]), s.normal(&[3]));
            let m = crate::binary::gt_scalar(&s.normal(&[2, 1]), 0.0).expect("a mask");
            s.push(vec![Some(m), Some(a), Some(b)], Params::new(), 6);
        }),
        ..BASE
    };
    addcmul = OpDef {
        sig: "addcmul(Tensor input, Tensor tensor1, Tensor tensor2, *, Scalar value=1, Tensor? out=None) -> Tensor",
        doc: "`input + value * tensor1 * tensor2`.",
        surfaces: FMI,
        kind: Kind::Kernel { infer: promoted, run: |b, x, o, p| match complex_value(x, p)? {
            Some(a) => run(b, TernaryOp::Addcmul, &[opt(x, 0), Some(&a), opt(x, 2)], o, &[1.0]),
            None => run(b, TernaryOp::Addcmul, x, o, &[value(p)]),
        } },
        diff: Diff::Vjp(|c| {
            let v = c.p.opt_scalar(0).unwrap_or(Scalar::Int(1));
            grads!(c;
                0 => Ok::<_, Error>(c.g().clone()),
                1 => scaled(&mul(c.g(), &conj(&c.x(2)?)?)?, v),
                2 => scaled(&mul(c.g(), &conj(&c.x(1)?)?)?, v))
        }),
        saves: Saves { inputs: 6, outputs: 0, cross: false },
        samples: Some(|s| samples(s, params![Scalar::Float(0.5)])),
        ..BASE
    };
    addcdiv = OpDef {
        sig: "addcdiv(Tensor input, Tensor tensor1, Tensor tensor2, *, Scalar value=1, Tensor? out=None) -> Tensor",
        doc: "`input + value * tensor1 / tensor2`.",
        surfaces: FMI,
        kind: Kind::Kernel {
            infer: |x, p| {
                if [arg(x, 1)?, arg(x, 2)?].iter().all(|t| !t.dtype().is_differentiable()) {
                    return Err(Error::runtime(
                        "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform \
                         a true division of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + \
                         value * torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as (input + value * \
                         tensor1 / tensor2) for float inputs. The future addcdiv behavior is just the latter implementation: \
                         (input + value * tensor1 / tensor2), for all dtypes.",
                    ));
                }
                promoted(x, p)
            },
            run: |b, x, o, p| match complex_value(x, p)? {
                Some(a) => run(b, TernaryOp::Addcdiv, &[opt(x, 0), Some(&a), opt(x, 2)], o, &[1.0]),
                None => run(b, TernaryOp::Addcdiv, x, o, &[value(p)]),
            },
        },
        diff: Diff::Vjp(|c| {
            let v = c.p.opt_scalar(0).unwrap_or(Scalar::Int(1));
            grads!(c;
                0 => Ok::<_, Error>(c.g().clone()),
                1 => scaled(&div(c.g(), &conj(&c.x(2)?)?)?, v),
                2 => { let (a, b) = (c.x(1)?, c.x(2)?);
                    scaled(&crate::unary::neg(&mul(c.g(), &conj(&div(&a, &mul(&b, &b)?)?)?)?)?, v) })
        }),
        saves: Saves { inputs: 6, outputs: 0, cross: false },
        samples: Some(|s| samples(s, params![Scalar::Float(0.5)])),
        ..BASE
    };
    lerp = OpDef {
        sig: "lerp(Tensor input, Tensor end, Tensor|Scalar weight, *, Tensor? out=None) -> Tensor",
        doc: "`input + weight * (end - input)`.",
        surfaces: FMI,
        kind: Kind::Kernel {
            infer: |x, _| {
                let (a, b, w) = (arg(x, 0)?, arg(x, 1)?, arg(x, 2)?);
                for t in [b, w] {
                    flambeau_core::check!(
                        t.is_wrapped() || t.dtype() == a.dtype(),
                        Runtime,
                        "expected dtype {} for `{}` but got dtype {}",
                        a.dtype(), if std::ptr::eq(t, b) { "end" } else { "weight" }, t.dtype()
                    );
                }
                let dtype = a.dtype();
                Ok(smallvec::smallvec![broadcast_meta(&numberless(&[a, b, w]), dtype)?])
            },
            run: |b, x, o, _| run(b, TernaryOp::Lerp, x, o, &[]),
        },
        diff: Diff::Vjp(|c| {
            let one = Tensor::wrapped(Scalar::Float(1.0))?;
            grads!(c;
                0 => mul(c.g(), &conj(&sub(&one, &c.x(2)?)?)?),
                1 => mul(c.g(), &conj(&c.x(2)?)?),
                2 => mul(c.g(), &conj(&sub(&c.x(1)?, &c.x(0)?)?)?))
        }),
        saves: XXX,
        samples: Some(|s| samples(s, Params::new())),
        ..BASE
    };
    clamp_tensor = OpDef {
        sig: "clamp_tensor(Tensor input, Tensor min, Tensor max) -> Tensor",
        doc: "Each element not below `min` and not above `max`.",
        surfaces: INTERNAL | flambeau_core::op::surface::INPLACE,
        kind: Kind::Kernel { infer: promoted, run: |b, x, o, _| run(b, TernaryOp::Clamp, x, o, &[]) },
        diff: Diff::Vjp(|c| {
            use crate::binary::{eq, ge, gt, le, logical_and, logical_or, lt};
            let (x, lo, hi) = (c.x(0)?, c.x(1)?, c.x(2)?);
            let (at_lo, at_hi) = (eq(&x, &lo)?, eq(&x, &hi)?);
            // At a bound that is a tensor both sides get half; at one that is a number the input gets nothing.
            let half = |g: &Tensor, hit: &Tensor, bound: &Tensor| -> Result<Tensor> {
                mul(&crate::binary::mul_scalar(g, if bound.is_wrapped() { 0.0 } else { 0.5 })?, hit)
            };
            grads!(c;
                0 => {
                    let ordered = le(&lo, &hi)?;
                    let inside = mul(c.g(), &logical_and(&gt(&x, &lo)?, &lt(&x, &hi)?)?)?;
                    let shared = crate::binary::add(&half(c.g(), &at_lo, &lo)?, &half(c.g(), &at_hi, &hi)?)?;
                    crate::binary::add(&inside, &mul(&shared, &ordered)?)
                },
                1 => {
                    let ordered = lt(&lo, &hi)?;
                    let below = mul(c.g(), &logical_and(&lt(&x, &lo)?, &ordered)?)?;
                    crate::binary::add(&below, &half(c.g(), &logical_and(&at_lo, &ordered)?, &lo)?)
                },
                2 => {
                    let above = logical_or(&gt(&x, &hi)?, &gt(&lo, &hi)?)?;
                    let squeezed = logical_and(&ge(&lo, &hi)?, &crate::unary::logical_not(&at_hi)?)?;
                    let all = mul(c.g(), &logical_or(&above, &squeezed)?)?;
                    crate::binary::add(&all, &half(c.g(), &logical_and(&at_hi, &lt(&lo, &hi)?)?, &hi)?)
                })
        }),
        saves: XXX,
        samples: Some(|s| {
            let t = [s.uniform(&[2, 3], -3.0, 3.0), s.uniform(&[3], -2.0, -1.0), s.uniform(&[3], 1.0, 2.0)];
            s.push(t.into_iter().map(Some).collect(), Params::new(), 7);
        }),
        ..BASE
    };
    clamp = OpDef {
        sig: "clamp(Tensor input, Tensor|Scalar? min=None, Tensor|Scalar? max=None, *, Tensor? out=None) -> Tensor",
        doc: "Each element not below `min` and not above `max`, either of which may be absent.",
        aliases: &["clip"],
        surfaces: FMI,
        kind: Kind::Composite(|x, _| {
            let t = arg(x, 0)?;
            let y = match (opt(x, 1), opt(x, 2)) {
                (None, None) => return Err(Error::runtime("torch.clamp: At least one of 'min' or 'max' must not be None")),
                (Some(lo), Some(hi)) => call1(&clamp_tensor::OP, &[Some(t), Some(lo), Some(hi)], Params::new())?,
                (Some(lo), None) => one_sided(t, lo, true)?,
                (None, Some(hi)) => one_sided(t, hi, false)?,
            };
            Ok([y].into_iter().collect())
        }),
        ..BASE
    };
    clamp_min = OpDef {
        sig: "clamp_min(Tensor input, Tensor|Scalar min, *, Tensor? out=None) -> Tensor",
        doc: "Each element not below `min`.",
        surfaces: FMI,
        kind: Kind::Composite(|x, _| Ok([one_sided(arg(x, 0)?, arg(x, 1)?, true)?].into_iter().collect())),
        ..BASE
    };
    clamp_max = OpDef {
        sig: "clamp_max(Tensor input, Tensor|Scalar max, *, Tensor? out=None) -> Tensor",
        doc: "Each element not above `max`.",
        surfaces: FMI,
        kind: Kind::Composite(|x, _| Ok([one_sided(arg(x, 0)?, arg(x, 1)?, false)?].into_iter().collect())),
        ..BASE
    };
    clamp_below = OpDef {
        sig: "clamp_below(Tensor input, Tensor min) -> Tensor",
        doc: "`maximum` with a bound; at equality with a number the input gets no gradient.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: pair,
            run: |b, x, o, _| crate::binary::run_as(b, flambeau_core::backend::BinaryOp::Maximum, x, o, &[]),
        },
        diff: Diff::Vjp(|c| grads!(c;
            0 => bounded(c, crate::binary::gt(&c.x(0)?, &c.x(1)?)?),
            1 => bounded(c, crate::binary::lt(&c.x(0)?, &c.x(1)?)?))),
        saves: XX,
        samples: Some(pair_samples),
        ..BASE
    };
    clamp_above = OpDef {
        sig: "clamp_above(Tensor input, Tensor max) -> Tensor",
        doc: "`minimum` with a bound; at equality with a number the input gets no gradient.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: pair,
            run: |b, x, o, _| crate::binary::run_as(b, flambeau_core::backend::BinaryOp::Minimum, x, o, &[]),
        },
        diff: Diff::Vjp(|c| grads!(c;
            0 => bounded(c, crate::binary::lt(&c.x(0)?, &c.x(1)?)?),
            1 => bounded(c, crate::binary::gt(&c.x(0)?, &c.x(1)?)?))),
        saves: XX,
        samples: Some(pair_samples),
        ..BASE
    };
    masked_fill = OpDef {
        sig: "masked_fill(Tensor input, Tensor mask, Tensor|Scalar value) -> Tensor",
        doc: "`value` where `mask` holds, `input` elsewhere; the input's dtype stays.",
        surfaces: FMI,
        kind: Kind::Kernel {
            infer: |x, _| {
                let (t, m, v) = (arg(x, 0)?, arg(x, 1)?, arg(x, 2)?);
                flambeau_core::check!(
                    m.dtype() == DType::Bool, Runtime,
                    "masked_fill_ only supports boolean masks, but got mask with dtype {}", flambeau_core::c_name(m.dtype())
                );
                flambeau_core::check!(
                    v.ndim() == 0, Runtime,
                    "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with {} dimension(s).", v.ndim()
                );
                flambeau_core::check!(
                    flambeau_core::dtype::can_cast(v.dtype(), t.dtype()) || t.dtype() == DType::Bool && !v.dtype().is_complex()
                        || v.is_wrapped() && v.dtype().category() <= t.dtype().category(),
                    Runtime, "value cannot be converted to type {} without overflow", t.dtype()
                );
                if t.sizes() != m.sizes() {
                    // The mask is the first operand of the message.
                    flambeau_core::layout::broadcast(m.sizes(), t.sizes())?;
                }
                let sizes = flambeau_core::layout::broadcast(t.sizes(), m.sizes())?;
                Ok(smallvec::smallvec![flambeau_core::op::Meta::new(&sizes, t.dtype(), t.device())])
            },
            run: |b, x, o, _| {
                let (t, m, v) = (opt(x, 0), opt(x, 1), opt(x, 2));
                run(b, TernaryOp::Where, &[m, v, t], o, &[])
            },
        },
        diff: Diff::Vjp(|c| {
            let (mask, zero) = (c.x(1)?, crate::create::zeros_scalar_like(c.g())?);
            grads!(c;
                0 => where_(&mask, &zero, c.g()),
                2 => where_(&mask, c.g(), &zero))
        }),
        saves: Saves { inputs: 2, outputs: 0, cross: false },
        samples: Some(|s| {
            let (a, v) = (s.normal(&[2, 3]), s.normal(&[]));
            let m = crate::binary::gt_scalar(&s.normal(&[2, 3]), 0.0).expect("a mask");
            s.push(vec![Some(a), Some(m), Some(v)], Params::new(), 5);
        }),
        ..BASE
    };
}

fn value(p: &Params) -> f64 {
    p.opt_scalar(0).map_or(1.0, Scalar::to_f64)
}

fn pair(x: flambeau_core::op::Inputs, _: &Params) -> Result<Metas> {
    let (a, b) = (arg(x, 0)?, arg(x, 1)?);
    let dtype = result_type_of(a, b)?;
    if dtype.is_complex() {
        return Err(Error::not_implemented("clamp is not supported for complex types"));
    }
    Ok(smallvec::smallvec![broadcast_meta(&numberless(&[a, b]), dtype)?])
}

fn pair_samples(s: &mut Samples) {
    let (a, b) = (s.normal(&[2, 3]), s.normal(&[3]));
    s.push(vec![Some(a), Some(b)], Params::new(), 3);
}

/// The gradient where `wins` holds; at equality half of it, or nothing where the bound is a number.
fn bounded(c: &flambeau_core::autograd::Vjp, wins: Tensor) -> Result<Tensor> {
    let (x, bound) = (c.x(0)?, c.x(1)?);
    let share = if bound.is_wrapped() { 0.0 } else { 0.5 };
    let equal = mul(&crate::binary::mul_scalar(c.g(), share)?, &crate::binary::eq(&x, &bound)?)?;
    crate::binary::add(&mul(c.g(), &wins)?, &equal)
}

fn one_sided(x: &Tensor, bound: &Tensor, below: bool) -> Result<Tensor> {
    let op = if below { &clamp_below::OP } else { &clamp_above::OP };
    call1(op, &[Some(x), Some(bound)], Params::new())
}

/// `a` where `condition` holds, `b` elsewhere.
pub fn where_(condition: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    call1(&where_select::OP, &[Some(condition), Some(a), Some(b)], Params::new())
}

/// `x + value * a * b`.
pub fn addcmul(x: &Tensor, a: &Tensor, b: &Tensor, value: f64) -> Result<Tensor> {
    call1(&addcmul::OP, &[Some(x), Some(a), Some(b)], params![Scalar::Float(value)])
}

/// `x + w * (end - x)`.
pub fn lerp(x: &Tensor, end: &Tensor, w: &Tensor) -> Result<Tensor> {
    call1(&lerp::OP, &[Some(x), Some(end), Some(w)], Params::new())
}

/// Each element not below `low` and not above `high`.
pub fn clamp(x: &Tensor, low: f64, high: f64) -> Result<Tensor> {
    let (low, high) = (Tensor::wrapped(low.into())?, Tensor::wrapped(high.into())?);
    call1(&clamp_tensor::OP, &[Some(x), Some(&low), Some(&high)], Params::new())
}

/// `value` where `mask` holds.
pub fn masked_fill(x: &Tensor, mask: &Tensor, value: f64) -> Result<Tensor> {
    call1(&masked_fill::OP, &[Some(x), Some(mask), Some(&Tensor::wrapped(value.into())?)], Params::new())
}

/// Zeros in the shape of `x` that depend on it with a gradient of zero.
pub fn zeros_through(x: &Tensor) -> Result<Tensor> {
    masked_fill(x, &crate::create::full(&[], true.into(), DType::Bool, x.device())?, 0.0)
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
