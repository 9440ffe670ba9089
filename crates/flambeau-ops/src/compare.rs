//! Elementwise operations written in others: closeness, membership, angles, powers, complex numbers.

use flambeau_core::op::{Kind, OpDef, Outs, Params, ParamsExt};
use flambeau_core::view::ViewOp;
use flambeau_core::{DType, Result, Scalar, Tensor, call1, check, params};

use crate::binary::{add, div, eq, eq_scalar, le, logical_and, logical_or, mul, mul_scalar, pow, sub};
use crate::operand::*;
use crate::unary::{abs, isfinite, isnan, lgamma, log, neg};
use crate::view::{reshape, unsqueeze};

/// A composite of one tensor: `name(Tensor input, *, Tensor? out=None)`.
const fn plain(sig: &'static str, doc: &'static str, surfaces: u16, f: flambeau_core::op::Compose) -> OpDef {
    OpDef { sig, doc, surfaces, kind: Kind::Composite(f), ..BASE }
}

fn unit_sample(s: &mut flambeau_core::op::Samples, p: Params) {
    let x = s.uniform(&[2, 3], 0.1, 0.9);
    s.push(vec![Some(x)], p, 1);
}

fn truth_everywhere(x: &Tensor, value: bool) -> Result<Tensor> {
    crate::create::full(x.sizes(), Scalar::Bool(value), DType::Bool, x.device())
}

/// Whether elements agree within `atol + rtol * |b|`.
pub fn isclose(a: &Tensor, b: &Tensor, rtol: f64, atol: f64, equal_nan: bool) -> Result<Tensor> {
    check!(a.dtype() == b.dtype(), Runtime, "{} did not match {}", a.dtype().scalar_name(), b.dtype().scalar_name());
    check!(rtol >= 0.0, Runtime, "rtol must be greater than or equal to zero, but got {rtol}");
    check!(atol >= 0.0, Runtime, "atol must be greater than or equal to zero, but got {atol}");
    flambeau_core::autograd::no_grad(|| {
        let mut close = eq(a, b)?;
        if equal_nan && a.dtype().is_differentiable() {
            close = logical_or(&close, &logical_and(&isnan(a)?, &isnan(b)?)?)?;
        }
        if rtol == 0.0 && atol == 0.0 {
            return Ok(close);
        }
        let wide = |t: &Tensor| {
            if t.dtype().is_differentiable() { Ok(t.clone()) } else { crate::copy::to_dtype(t, DType::F64) }
        };
        let (a, b) = (wide(a)?, wide(b)?);
        let allowed = crate::binary::add_scalar(&mul_scalar(&abs(&b)?, rtol)?, atol)?;
        let error = abs(&sub(&a, &b)?)?;
        let near = logical_and(&isfinite(&error)?, &le(&error, &allowed)?)?;
        paired(&logical_or(&close, &near)?, &a, &b)
    })
}

fn complex_of(re: &Tensor, im: &Tensor) -> Result<Tensor> {
    check!(
        matches!(re.dtype(), DType::F16 | DType::F32 | DType::F64) && im.dtype().is_float(),
        NotImplemented,
        "Expected both inputs to be Half, Float or Double tensors but got {} and {}",
        re.dtype().scalar_name(),
        im.dtype().scalar_name()
    );
    check!(
        re.dtype() == im.dtype(),
        Runtime,
        "Expected object of scalar type {} but got scalar type {} for second argument",
        re.dtype().scalar_name(),
        im.dtype().scalar_name()
    );
    let sizes = flambeau_core::layout::broadcast(re.sizes(), im.sizes())?;
    let given = (re, im);
    let (re, im) = (crate::view::expand(re, &sizes)?, crate::view::expand(im, &sizes)?);
    let pairs = crate::shape::stack(&[&re, &im], -1)?;
    let pairs = crate::copy::restrided(&pairs, &flambeau_core::layout::contiguous_strides(pairs.sizes()))?;
    paired(&flambeau_core::call::view(&ViewOp::AsComplex, &pairs)?, given.0, given.1)
}

/// `y` with the strides that an operation of `x` alone would have given it.
pub(crate) fn alike(y: &Tensor, x: &Tensor) -> Result<Tensor> {
    strided(y, flambeau_core::op::Meta::like(x))
}

/// `y` with the strides of a copy of `x`.
pub(crate) fn copied(y: &Tensor, x: &Tensor) -> Result<Tensor> {
    strided(y, flambeau_core::op::Meta::copying(x))
}

/// `y` with the strides that an operation of both operands would have given it.
pub(crate) fn paired(y: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    strided(y, broadcast_meta(&[a, b], y.dtype())?)
}

/// Other strides only at dimensions of size one are told, and others copied.
fn strided(y: &Tensor, m: flambeau_core::op::Meta) -> Result<Tensor> {
    let want = m.strides.map_or_else(|| flambeau_core::layout::contiguous_strides(&m.sizes), |s| *s);
    if y.strides() == want.as_slice() || y.sizes() != m.sizes.as_slice() {
        return Ok(y.clone());
    }
    crate::copy::restrided(y, &want)
}

/// Each element not below `low`, else not above `high` (which may be the smaller one).
fn within(x: &Tensor, low: f64, high: f64) -> Result<Tensor> {
    let (below, above) = (crate::binary::lt_scalar(x, low)?, crate::binary::gt_scalar(x, high)?);
    let x = crate::ternary::where_(&above, &Tensor::wrapped(high.into())?, x)?;
    crate::ternary::where_(&below, &Tensor::wrapped(low.into())?, &x)
}

fn infinite(x: &Tensor, value: f64) -> Result<Outs> {
    check!(!x.dtype().is_complex(), Runtime, "isposinf and isneginf do not support complex inputs.");
    one(alike(&if x.dtype().is_float() { eq_scalar(x, value)? } else { truth_everywhere(x, false)? }, x)?)
}

rows! { ROWS_ALL:
    positive = plain("positive(Tensor input) -> Tensor", "The tensor itself.", FM, |x, _| {
        let x = arg(x, 0)?;
        check!(x.dtype() != DType::Bool, Runtime, "The `+` operator, on a bool tensor is not supported.");
        one(x.clone())
    });
    deg2rad = OpDef {
        samples: Some(|s| unit_sample(s, params![])),
        ..plain("deg2rad(Tensor input, *, Tensor? out=None) -> Tensor", "Degrees as radians.", FMI,
            |x, _| { let x = arg(x, 0)?; check!(!x.dtype().is_complex(), Runtime, "deg2rad is not supported for complex tensors."); one(copied(&mul_scalar(x, std::f64::consts::PI / 180.0)?, x)?) })
    };
    rad2deg = OpDef {
        samples: Some(|s| unit_sample(s, params![])),
        ..plain("rad2deg(Tensor input, *, Tensor? out=None) -> Tensor", "Radians as degrees.", FMI,
            |x, _| { let x = arg(x, 0)?; check!(!x.dtype().is_complex(), Runtime, "rad2deg is not supported for complex tensors."); one(copied(&mul_scalar(x, 180.0 / std::f64::consts::PI)?, x)?) })
    };
    logit = OpDef {
        samples: Some(|s| { unit_sample(s, params![None::<f64>]); unit_sample(s, params![0.2]) }),
        ..plain("logit(Tensor input, float? eps=None, *, Tensor? out=None) -> Tensor", "log(x / (1 - x)), with x first clamped to `[eps, 1 - eps]`.", FMI, |x, p| {
            let x = arg(x, 0)?;
            let z = match p.opt_float(0) { Some(e) => within(x, e, 1.0 - e)?, None => x.clone() };
            one(alike(&log(&div(&z, &sub(&Tensor::wrapped(1.0.into())?, &z)?)?)?, x)?)
        })
    };
    isposinf = plain("isposinf(Tensor input, *, Tensor? out=None) -> Tensor", "Whether each element is positive infinity.", FM, |x, _| infinite(arg(x, 0)?, f64::INFINITY));
    isneginf = plain("isneginf(Tensor input, *, Tensor? out=None) -> Tensor", "Whether each element is negative infinity.", FM, |x, _| infinite(arg(x, 0)?, f64::NEG_INFINITY));
    isreal = plain("isreal(Tensor input) -> Tensor", "Whether each element's imaginary part is zero.", FM, |x, _| {
        let x = arg(x, 0)?;
        if !x.dtype().is_complex() { return one(copied(&truth_everywhere(x, true)?, x)?) }
        one(eq_scalar(&flambeau_core::call::view(&ViewOp::Part(1), &x.detach())?, 0.0)?)
    });
    isclose = plain("isclose(Tensor input, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False) -> Tensor", "Whether elements agree within `atol + rtol * |other|`.", FM,
        |x, p| one(isclose(arg(x, 0)?, arg(x, 1)?, p.float(0), p.float(1), p.bool(2))?));
    allclose = plain("allclose(Tensor input, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False) -> bool", "Whether all elements agree within `atol + rtol * |other|`.", FM,
        |x, p| one(crate::reduce::any_all(&isclose(arg(x, 0)?, arg(x, 1)?, p.float(0), p.float(1), p.bool(2))?, false)?));
    isin = plain("isin(Tensor|Scalar elements, Tensor|Scalar test_elements, *, bool assume_unique=False, bool invert=False, Tensor? out=None) -> Tensor",
        "Whether each element is one of `test_elements`.", F, |x, p| {
        let (e, t) = (arg(x, 0)?, arg(x, 1)?);
        let hit = eq(&unsqueeze(&e.detach(), -1)?, &reshape(&t.detach(), &[-1])?)?;
        let hit = call1(&crate::reduce::any::OP, &[Some(&hit)], params![[-1i64], false])?;
        one(if p.bool(1) { crate::unary::logical_not(&hit)? } else { hit })
    });
    float_power = OpDef {
        samples: Some(|s| { let (x, e) = (s.uniform(&[2, 3], 0.2, 2.0), s.normal(&[3])); s.push(vec![Some(x), Some(e)], params![], 3) }),
        ..plain("float_power(Tensor|Scalar input, Tensor|Scalar exponent, *, Tensor? out=None) -> Tensor", "Powers in double precision.", FMI, |x, _| {
            let (a, e) = (arg(x, 0)?, arg(x, 1)?);
            let d = if a.dtype().is_complex() || e.dtype().is_complex() { DType::C128 } else { DType::F64 };
            let wide = |t: &Tensor| if t.is_wrapped() { Ok(t.clone()) } else { crate::copy::to_dtype(t, d) };
            one(pow(&wide(a)?, &wide(e)?)?)
        })
    };
    ldexp = OpDef {
        samples: Some(|s| { let (x, e) = (s.normal(&[2, 3]), s.normal(&[3])); s.push(vec![Some(x), Some(e)], params![], 3) }),
        ..plain("ldexp(Tensor input, Tensor other, *, Tensor? out=None) -> Tensor", "`input * 2^other`.", FMI, |x, _| {
            let (t, e) = (arg(x, 0)?, arg(x, 1)?);
            let power = pow(&Tensor::wrapped(2.0.into())?, e)?;
            // Integer exponents do not widen a float.
            let narrow = t.dtype().is_differentiable() && !e.dtype().is_differentiable();
            one(mul(t, &if narrow { crate::copy::to_dtype(&power, t.dtype())? } else { power })?)
        })
    };
    mvlgamma = OpDef {
        samples: Some(|s| { let x = s.uniform(&[2, 3], 2.0, 4.0); s.push(vec![Some(x)], params![3], 1) }),
        ..plain("mvlgamma(Tensor input, int p, *, Tensor? out=None) -> Tensor", "The logarithm of the multivariate gamma function of dimension `p`.", FMI, |x, q| {
            let (x, p) = (arg(x, 0)?, q.int(0));
            check!(p >= 1, Runtime, "p has to be greater than or equal to 1");
            let x = if x.dtype().is_differentiable() { x.clone() } else { crate::copy::to_dtype(x, flambeau_core::default_dtype())? };
            // All terms at once: too many of them fail for memory.
            let steps = crate::copy::to_dtype(&crate::create::arange_int(0, p)?, x.dtype())?;
            let terms = lgamma(&add(&unsqueeze(&x, -1)?, &mul_scalar(&steps, -0.5)?)?)?;
            let y = crate::reduce::sum(&terms, &[-1], false)?;
            let y = crate::binary::add_scalar(&y, p as f64 * (p - 1) as f64 * 0.25 * std::f64::consts::PI.ln())?;
            one(crate::copy::restrided(&y, &flambeau_core::layout::contiguous_strides(y.sizes()))?)
        })
    };
    sum_to_size = OpDef {
        samples: Some(|s| { let x = s.normal(&[2, 3, 4]); s.push(vec![Some(x)], params![[3i64, 1]], 1) }),
        ..plain("sum_to_size(Tensor input, int[] size) -> Tensor", "Summed over the dimensions in which `size` would be broadcast.", M, |x, p| {
            let x = arg(x, 0)?;
            check!(flambeau_core::layout::is_expandable(p.ints(0), x.sizes()), Runtime,
                "size {{{}}} is not expandable to size {{{}}}.", flambeau_core::layout::fmt(p.ints(0)), flambeau_core::layout::fmt(x.sizes()));
            if p.ints(0).is_empty() {
                return one(crate::reduce::sum(x, &[], false)?);
            }
            one(crate::copy::sum_to(x, p.ints(0))?)
        })
    };
    complex = OpDef {
        samples: Some(|s| { let (a, b) = (s.normal(&[2, 3]), s.normal(&[3])); s.push(vec![Some(a), Some(b)], params![], 3) }),
        ..plain("complex(Tensor real, Tensor imag, *, Tensor? out=None) -> Tensor", "Complex numbers of real and imaginary parts.", F, |x, _| one(complex_of(arg(x, 0)?, arg(x, 1)?)?))
    };
    polar = OpDef {
        samples: Some(|s| { let (a, b) = (s.uniform(&[2, 3], 0.5, 2.0), s.normal(&[2, 3])); s.push(vec![Some(a), Some(b)], params![], 3) }),
        ..plain("polar(Tensor abs, Tensor angle, *, Tensor? out=None) -> Tensor", "Complex numbers of magnitude and angle.", F, |x, _| {
            let (r, t) = (arg(x, 0)?, arg(x, 1)?);
            one(complex_of(&mul(r, &crate::unary::cos(t)?)?, &mul(r, &crate::unary::sin(t)?)?)?)
        })
    };
    cross = OpDef {
        samples: Some(|s| { let (a, b) = (s.normal(&[2, 3]), s.normal(&[2, 3])); s.push(vec![Some(a), Some(b)], params![1], 3) }),
        ..plain("cross(Tensor input, Tensor other, int? dim=None, *, Tensor? out=None) -> Tensor", "The vector product along a dimension of size 3 (the first such by default).", FM, |x, p| {
            let (a, b) = (arg(x, 0)?, arg(x, 1)?);
            check!(a.ndim() == b.ndim(), Runtime, "inconsistent tensors dimensions input: {} other: {}", a.ndim(), b.ndim());
            let d = match p.opt_int(0) {
                Some(d) => flambeau_core::layout::wrap_dim(d, a.ndim())? as i64,
                None => match a.sizes().iter().position(|&n| n == 3) {
                    Some(d) => d as i64,
                    None => flambeau_core::bail!(Runtime, "no dimension of size 3 in input"),
                },
            };
            check!(a.size(d)? == 3 && b.size(d)? == 3, Runtime,
                "linalg.cross: inputs dimension {d} must have length 3. Got {} and {}", a.size(d)?, b.size(d)?);
            let turn = |t: &Tensor, by: i64| call1(&crate::shape::roll::OP, &[Some(t)], params![[by], [d]]);
            let first = mul(&turn(a, -1)?, &turn(b, -2)?)?;
            one(add(&first, &neg(&mul(&turn(a, -2)?, &turn(b, -1)?)?)?)?)
        })
    };
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
