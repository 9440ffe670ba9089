//! Elementwise operations of one tensor.

use flambeau_core::autograd::Vjp;
use flambeau_core::backend::{Backend, UnaryOp};
use flambeau_core::op::{Diff, Grads, Inputs, Kind, Meta, Metas, OpDef, Params, ParamsExt, Samples};
use flambeau_core::{DType, Error, Result, Tensor, call1, check, default_dtype, params};

use crate::binary::{div, mul, mul_scalar, pow_scalar, sub};
use crate::copy::conj;
use crate::operand::*;

/// Runs a kernel whose input has the compute dtype already, or is converted to it first.
pub(crate) fn run(b: &dyn Backend, op: UnaryOp, x: Inputs, o: &[Tensor], p: &[f64]) -> Result<()> {
    let (x, out) = (arg(x, 0)?, &o[0]);
    let compute = match out.dtype() {
        d if d == x.dtype() => d,
        // Predicates and magnitudes read their input as it is.
        DType::Bool => x.dtype(),
        d if x.dtype().is_complex() && !d.is_complex() => x.dtype(),
        d => d,
    };
    if compute == x.dtype() {
        b.unary(op, p, x.raw(), out.raw())
    } else {
        b.unary(op, p, x.cast_raw(compute)?.raw(), out.raw())
    }
}

/// Shape and dtype rules.
pub(crate) mod infer {
    use super::*;

    fn one(m: Meta) -> Result<Metas> {
        Ok(smallvec::smallvec![m])
    }

    /// Integers and bools become the default float type.
    pub fn float(x: Inputs, _: &Params) -> Result<Metas> {
        let x = arg(x, 0)?;
        let d = if x.dtype().is_differentiable() { x.dtype() } else { default_dtype() };
        one(Meta::like(x).with_dtype(d))
    }

    pub fn same(x: Inputs, _: &Params) -> Result<Metas> {
        one(Meta::like(arg(x, 0)?))
    }

    /// As `same`, into memory made like the input's.
    pub fn copied(x: Inputs, _: &Params) -> Result<Metas> {
        one(Meta::copying(arg(x, 0)?))
    }

    /// As `same`, row-major whatever the input's order of memory.
    pub fn row_major(x: Inputs, _: &Params) -> Result<Metas> {
        let x = arg(x, 0)?;
        one(Meta::new(x.sizes(), x.dtype(), x.device()))
    }

    /// A comparison of magnitudes with a number.
    pub fn compared(x: Inputs, _: &Params) -> Result<Metas> {
        let mut m = Meta::like(arg(x, 0)?).with_dtype(DType::Bool);
        if let Some(strides) = &m.strides {
            m.strides =
                flambeau_core::op::elementwise_strides(&m.sizes, &[(&m.sizes, strides), (&[], &[])]).map(Box::new);
        }
        one(m)
    }

    /// The square of a bool is an integer.
    pub fn squared(x: Inputs, p: &Params) -> Result<Metas> {
        let mut m = same(x, p)?;
        if m[0].dtype == DType::Bool {
            m[0].dtype = DType::I64;
        }
        Ok(m)
    }

    /// As `same`, but `bool` is refused as PyTorch does.
    pub fn number(x: Inputs, p: &Params) -> Result<Metas> {
        if arg(x, 0)?.dtype() == DType::Bool {
            return Err(Error::not_implemented(
                "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the \
                 `~` or `logical_not()` operator instead.",
            ));
        }
        same(x, p)
    }

    /// Complex input gives its real type.
    pub fn real(x: Inputs, _: &Params) -> Result<Metas> {
        let x = arg(x, 0)?;
        let m = if x.dtype().is_complex() { Meta::copying(x) } else { Meta::like(x) };
        one(m.with_dtype(x.dtype().to_real()))
    }

    pub fn truth(x: Inputs, _: &Params) -> Result<Metas> {
        one(Meta::like(arg(x, 0)?).with_dtype(DType::Bool))
    }

    /// Integers and bools become the default float type; complex becomes its real type.
    pub fn real_float(x: Inputs, _: &Params) -> Result<Metas> {
        let x = arg(x, 0)?;
        if x.dtype().is_complex() {
            return one(Meta::new(x.sizes(), x.dtype().to_real(), x.device()));
        }
        let d = if x.dtype().is_differentiable() { x.dtype() } else { default_dtype() };
        one(Meta::like(x).with_dtype(d))
    }

    /// Rounding leaves integers alone; complex and bool are refused by the kernel.
    pub fn rounded(x: Inputs, p: &Params) -> Result<Metas> {
        if arg(x, 0)?.dtype().is_complex() {
            return Err(Error::not_implemented("rounding is not supported for complex inputs"));
        }
        same(x, p)
    }
}

/// `(low, high)`: where samples are drawn from; `(NaN, n)` stands for integers below `n`.
pub(crate) fn samples(s: &mut Samples, (low, high): (f64, f64)) {
    let draw = |s: &mut Samples, sizes: &[i64]| {
        if low.is_nan() { s.ints(sizes, 0, high as i64) } else { s.uniform(sizes, low, high) }
    };
    let shapes: [&[i64]; 5] = [&[], &[3], &[2, 3], &[0], &[2, 1, 4]];
    for sizes in shapes {
        let x = draw(s, sizes);
        s.push(vec![Some(x)], Params::new(), 1);
    }
    let x = draw(s, &[4, 3]);
    let x = crate::view::transpose(&x, 0, 1).expect("rank 2");
    s.push(vec![Some(x)], Params::new(), 1);
}

const ANY: (f64, f64) = (-3.0, 3.0);
const POS: (f64, f64) = (0.1, 4.0);
/// Samples of integers.
const INTEGERS: (f64, f64) = (f64::NAN, 20.0);
const UNIT: (f64, f64) = (-0.95, 0.95);

/// `g * conj(d)`: the gradient through a holomorphic function with derivative `d`.
fn chain(c: &Vjp, d: Result<Tensor>) -> Result<Tensor> {
    mul(c.g(), &conj(&d?)?)
}

const fn vjp(f: fn(&Vjp) -> Result<Grads>) -> Diff {
    Diff::Vjp(f)
}

fn one_minus_sq(y: &Tensor) -> Result<Tensor> {
    sub(&Tensor::wrapped(1.0.into())?, &mul(y, y)?)
}

fn add1(x: &Tensor) -> Result<Tensor> {
    crate::binary::add_scalar(x, 1.0)
}

const NO: [&str; 0] = [];
const TWO_OVER_SQRT_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI;

unary! { UNARY, UnaryOps:
    neg: number => Neg, NONE, vjp(|c| grads!(c; 0 => neg(c.g()))), ANY, FMI, ["negative"], "The negative of each element.";
    abs: real => Abs, X, vjp(|c| grads!(c; 0 => mul(c.g(), &sgn(&c.x(0)?)?))), ANY, FMI, ["absolute"], "The absolute value of each element; of complex ones the magnitude.";
    sgn: same => Sgn, XX, vjp(|c| grads!(c; 0 => sgn_backward(c))), ANY, FMI, NO, "The sign of each element; complex ones are scaled to magnitude one.";
    sign: same => Sign, NONE, vjp(|c| grads!(c; 0 => crate::create::zeros_like(c.g()))), ANY, FMI, NO, "The sign of each element: -1, 0 or 1.";
    ceil: rounded => Ceil, NONE, vjp(|c| grads!(c; 0 => crate::create::zeros_like(c.g()))), ANY, FMI, NO, "The smallest integer not below each element.";
    floor: rounded => Floor, NONE, vjp(|c| grads!(c; 0 => crate::create::zeros_like(c.g()))), ANY, FMI, NO, "The largest integer not above each element.";
    trunc: rounded => Trunc, NONE, vjp(|c| grads!(c; 0 => crate::create::zeros_like(c.g()))), ANY, FMI, ["fix"], "Each element without its fraction.";
    frac: rounded => Frac, NONE, vjp(|c| grads!(c; 0 => Ok::<_, Error>(c.g().clone()))), ANY, FMI, NO, "The fraction of each element, with its sign.";
    reciprocal: float => Reciprocal, Y, vjp(|c| grads!(c; 0 => { let y = c.y(0)?; chain(c, neg(&mul(&y, &y)?)) })), POS, FMI, NO, "One over each element.";
    sqrt: float => Sqrt, Y, vjp(|c| grads!(c; 0 => div(c.g(), &mul_scalar(&conj(&c.y(0)?)?, 2.0)?))), POS, FMI, NO, "The square root of each element.";
    rsqrt: float => Rsqrt, Y, vjp(|c| grads!(c; 0 => { let y = c.y(0)?; chain(c, mul_scalar(&mul(&mul(&y, &y)?, &y)?, -0.5)) })), POS, FMI, NO, "One over the square root of each element.";
    square: squared => Square, X, vjp(|c| grads!(c; 0 => chain(c, mul_scalar(&c.x(0)?, 2.0)))), ANY, FMI, NO, "Each element times itself.";
    exp: float => Exp, Y, vjp(|c| grads!(c; 0 => chain(c, c.y(0)))), ANY, FMI, NO, "e to the power of each element.";
    exp2: float => Exp2, Y, vjp(|c| grads!(c; 0 => chain(c, mul_scalar(&c.y(0)?, std::f64::consts::LN_2)))), ANY, FMI, NO, "2 to the power of each element.";
    expm1: float => Expm1, Y, vjp(|c| grads!(c; 0 => chain(c, add1(&c.y(0)?)))), ANY, FMI, NO, "e to the power of each element, minus one, exact near zero.";
    log: float => Log, X, vjp(|c| grads!(c; 0 => div(c.g(), &conj(&c.x(0)?)?))), POS, FMI, NO, "The natural logarithm of each element.";
    log2: float => Log2, X, vjp(|c| grads!(c; 0 => div(c.g(), &mul_scalar(&conj(&c.x(0)?)?, std::f64::consts::LN_2)?))), POS, FMI, NO, "The logarithm to base 2 of each element.";
    log10: float => Log10, X, vjp(|c| grads!(c; 0 => div(c.g(), &mul_scalar(&conj(&c.x(0)?)?, std::f64::consts::LN_10)?))), POS, FMI, NO, "The logarithm to base 10 of each element.";
    log1p: float => Log1p, X, vjp(|c| grads!(c; 0 => div(c.g(), &add1(&conj(&c.x(0)?)?)?))), POS, FMI, NO, "The natural logarithm of one plus each element, exact near zero.";
    sin: float => Sin, X, vjp(|c| grads!(c; 0 => chain(c, cos(&c.x(0)?)))), ANY, FMI, NO, "The sine of each element, in radians.";
    cos: float => Cos, X, vjp(|c| grads!(c; 0 => chain(c, neg(&sin(&c.x(0)?)?)))), ANY, FMI, NO, "The cosine of each element, in radians.";
    tan: float => Tan, Y, vjp(|c| grads!(c; 0 => { let y = c.y(0)?; chain(c, add1(&mul(&y, &y)?)) })), (-1.2, 1.2), FMI, NO, "The tangent of each element, in radians.";
    asin: float => Asin, X, vjp(|c| grads!(c; 0 => chain(c, rsqrt(&one_minus_sq(&c.x(0)?)?)))), UNIT, FMI, ["arcsin"], "The arcsine of each element, in radians.";
    acos: float => Acos, X, vjp(|c| grads!(c; 0 => chain(c, neg(&rsqrt(&one_minus_sq(&c.x(0)?)?)?)))), UNIT, FMI, ["arccos"], "The arccosine of each element, in radians.";
    atan: float => Atan, X, vjp(|c| grads!(c; 0 => { let x = c.x(0)?; chain(c, reciprocal(&add1(&mul(&x, &x)?)?)) })), ANY, FMI, ["arctan"], "The arctangent of each element, in radians.";
    sinh: float => Sinh, X, vjp(|c| grads!(c; 0 => chain(c, cosh(&c.x(0)?)))), ANY, FMI, NO, "The hyperbolic sine of each element.";
    cosh: float => Cosh, X, vjp(|c| grads!(c; 0 => chain(c, sinh(&c.x(0)?)))), ANY, FMI, NO, "The hyperbolic cosine of each element.";
    tanh: float => Tanh, Y, vjp(|c| grads!(c; 0 => crate::activation::tanh_backward(c.g(), &c.y(0)?))), ANY, FMI | NN, NO, "The hyperbolic tangent of each element.";
    asinh: float => Asinh, X, vjp(|c| grads!(c; 0 => { let x = c.x(0)?; chain(c, rsqrt(&add1(&mul(&x, &x)?)?)) })), ANY, FMI, ["arcsinh"], "The inverse hyperbolic sine of each element.";
    acosh: float => Acosh, X, vjp(|c| grads!(c; 0 => { let x = c.x(0)?; chain(c, rsqrt(&neg(&one_minus_sq(&x)?)?)) })), (1.2, 4.0), FMI, ["arccosh"], "The inverse hyperbolic cosine of each element.";
    atanh: float => Atanh, X, vjp(|c| grads!(c; 0 => chain(c, reciprocal(&one_minus_sq(&c.x(0)?)?)))), UNIT, FMI, ["arctanh"], "The inverse hyperbolic tangent of each element.";
    erf: float => Erf, X, vjp(|c| grads!(c; 0 => { let x = c.x(0)?; chain(c, mul_scalar(&exp(&neg(&mul(&x, &x)?)?)?, TWO_OVER_SQRT_PI)) })), ANY, FMI, NO, "The error function of each element.";
    erfc: float => Erfc, X, vjp(|c| grads!(c; 0 => { let x = c.x(0)?; chain(c, mul_scalar(&exp(&neg(&mul(&x, &x)?)?)?, -TWO_OVER_SQRT_PI)) })), ANY, FMI, NO, "One minus the error function of each element.";
    erfinv: float => Erfinv, Y, vjp(|c| grads!(c; 0 => { let y = c.y(0)?; chain(c, mul_scalar(&exp(&mul(&y, &y)?)?, 1.0 / TWO_OVER_SQRT_PI)) })), UNIT, FMI, NO, "The inverse of the error function.";
    lgamma: float => Lgamma, X, vjp(|c| grads!(c; 0 => chain(c, digamma(&c.x(0)?)))), POS, FMI, NO, "The logarithm of the magnitude of the gamma function.";
    digamma: float => Digamma, X, vjp(|c| grads!(c; 0 => chain(c, polygamma(1, &c.x(0)?)))), POS, FMI, NO, "The logarithmic derivative of the gamma function.";
    sinc: float => Sinc, X, vjp(|c| grads!(c; 0 => sinc_backward(c))), POS, FMI, NO, "sin(pi x) / (pi x), and 1 at zero.";
    sigmoid: float => Sigmoid, Y, vjp(|c| grads!(c; 0 => crate::activation::sigmoid_backward(c.g(), &c.y(0)?))), ANY, FMI | NN, NO, "1 / (1 + exp(-x)) of each element.";
    logical_not: truth => LogicalNot, NONE, Diff::Never, ANY, FMI, NO, "Whether each element is zero.";
    bitwise_not: same => BitwiseNot, NONE, Diff::Never, INTEGERS, FMI, NO, "Each bit inverted; on bools the logical not.";
    isnan: truth => IsNan, NONE, Diff::Never, ANY, FM, NO, "Whether each element is NaN.";
    isinf: compared => IsInf, NONE, Diff::Never, ANY, FM, NO, "Whether each element is infinite.";
    isfinite: compared => IsFinite, NONE, Diff::Never, ANY, FM, NO, "Whether each element is finite.";
    signbit: truth => Signbit, NONE, Diff::Never, ANY, FM, NO, "Whether each element's sign bit is set.";
    angle: real_float => Angle, X, vjp(|c| grads!(c; 0 => angle_backward(c))), ANY, FM, NO, "The argument of each complex number; pi for negative real ones.";
}

fn sgn_backward(c: &Vjp) -> Result<Tensor> {
    if !c.g().dtype().is_complex() {
        return crate::create::zeros_like(c.g());
    }
    // With s = x/|x|: (g - s * re(conj(s) * g)) / |x|, zero at zero.
    let x = c.x(0)?;
    let (s, r) = (sgn(&x)?, abs(&x)?);
    let along = crate::copy::real(&mul(&conj(&s)?, c.g())?)?;
    let g = div(&sub(c.g(), &mul(&s, &along)?)?, &r)?;
    let zero = crate::binary::eq_scalar(&r, 0.0)?;
    crate::ternary::where_(&zero, &crate::create::zeros_like(&g)?, &g)
}

/// i g / conj(x), zero at zero; an angle of real numbers is piecewise constant.
fn angle_backward(c: &Vjp) -> Result<Tensor> {
    let x = c.x(0)?;
    if !x.dtype().is_complex() {
        return crate::create::zeros_like(c.g());
    }
    let turned = mul(c.g(), &Tensor::wrapped(flambeau_core::Scalar::Complex(0.0, 1.0))?)?;
    let g = div(&turned, &conj(&x)?)?;
    crate::ternary::where_(&crate::binary::eq_scalar(&x, 0.0)?, &crate::create::zeros_like(&g)?, &g)
}

/// Real and imaginary parts in a new last dimension, outside any graph.
pub(crate) fn pairs(z: &Tensor) -> Result<Tensor> {
    flambeau_core::call::view(&flambeau_core::view::ViewOp::AsReal, &z.detach())
}

/// With t = pi x: (cos t - sin t / t) / x, zero at zero.
fn sinc_backward(c: &Vjp) -> Result<Tensor> {
    let x = c.x(0)?;
    let t = mul_scalar(&x, std::f64::consts::PI)?;
    let d = div(&sub(&cos(&t)?, &sinc(&x)?)?, &x)?;
    let zero = crate::binary::eq_scalar(&x, 0.0)?;
    let g = mul(c.g(), &conj(&d)?)?;
    crate::ternary::where_(&zero, &crate::create::zeros_like(&g)?, &g)
}

rows! { MORE:
    round = OpDef {
        sig: "round(Tensor input, *, int decimals=0, Tensor? out=None) -> Tensor",
        doc: "Each element rounded to `decimals` places, half to even.",
        surfaces: FMI,
        kind: Kind::Kernel {
            infer: infer::rounded,
            run: |b, x, o, p| run(b, UnaryOp::Round, x, o, &[p.int(0) as f64]),
        },
        diff: vjp(|c| grads!(c; 0 => crate::create::zeros_like(c.g()))),
        samples: Some(|s| samples(s, ANY)),
        ..BASE
    };
    nan_to_num = OpDef {
        sig: "nan_to_num(Tensor input, float? nan=None, float? posinf=None, float? neginf=None, *, Tensor? out=None) -> Tensor",
        doc: "Each element with NaN and the infinities replaced (by default with 0 and the dtype's extremes).",
        surfaces: FMI,
        kind: Kind::Kernel {
            infer: infer::copied,
            run: |b, x, o, p| {
                let d = o[0].dtype().to_real();
                if !d.is_float() {
                    return b.copy(arg(x, 0)?.raw(), o[0].raw());
                }
                let max = match d {
                    DType::F64 => f64::MAX,
                    DType::F16 => 65504.0,
                    DType::BF16 => 3.3895313892515355e38,
                    _ => f32::MAX as f64,
                };
                let v = [p.opt_float(0).unwrap_or(0.0), p.opt_float(1).unwrap_or(max), p.opt_float(2).unwrap_or(-max)];
                if o[0].dtype().is_complex() {
                    let (x, out) = (pairs(arg(x, 0)?)?, pairs(&o[0])?);
                    return b.unary(UnaryOp::NanToNum, &v, x.raw(), out.raw());
                }
                run(b, UnaryOp::NanToNum, x, o, &v)
            },
        },
        diff: vjp(|c| grads!(c; 0 => mul(c.g(), &isfinite(&c.x(0)?)?))),
        saves: X,
        samples: Some(|s| samples(s, ANY)),
        ..BASE
    };
    polygamma = OpDef {
        sig: "polygamma(int n, Tensor input, *, Tensor? out=None) -> Tensor",
        doc: "The n-th derivative of the digamma function.",
        surfaces: FMI,
        kind: Kind::Kernel {
            infer: |x, p| {
                check!(p.int(0) >= 0, Runtime, "polygamma(n, x) does not support negative n.");
                infer::float(x, p)
            },
            run: |b, x, o, p| match p.int(0) {
                0 => run(b, UnaryOp::Digamma, x, o, &[]),
                n => run(b, UnaryOp::Polygamma, x, o, &[n as f64]),
            },
        },
        diff: vjp(|c| grads!(c; 0 => chain(c, polygamma(c.p.int(0) + 1, &c.x(0)?)))),
        saves: X,
        samples: Some(|s| for n in [0, 1, 3] { let x = s.uniform(&[2, 3], 0.5, 4.0); s.push(vec![Some(x)], params![n], 1) }),
        ..BASE
    };
    pow_number = OpDef {
        sig: "pow_number(Tensor input, float exponent) -> Tensor",
        doc: "Each element of a float tensor to the power of one number.",
        surfaces: INTERNAL | flambeau_core::op::surface::INPLACE,
        kind: Kind::Kernel {
            infer: infer::same,
            run: |b, x, o, p| match p.float(0) {
                2.0 => run(b, UnaryOp::Square, x, o, &[]),
                0.5 => run(b, UnaryOp::Sqrt, x, o, &[]),
                e => run(b, UnaryOp::PowScalar, x, o, &[e]),
            },
        },
        diff: vjp(|c| grads!(c; 0 => {
            let e = c.p.float(0);
            if e == 0.0 { crate::create::zeros_like(c.g()) } else { chain(c, mul_scalar(&pow_scalar(&c.x(0)?, e - 1.0)?, e)) }
        })),
        saves: X,
        samples: Some(|s| {
            for e in [2.0, 0.5, 3.0, -1.5, 0.0, 1.0] {
                let x = s.uniform(&[2, 3], 0.1, 3.0);
                s.push(vec![Some(x)], params![e], 1);
            }
        }),
        ..BASE
    };
}

/// The `n`-th derivative of digamma.
pub fn polygamma(n: i64, x: &Tensor) -> Result<Tensor> {
    call1(&polygamma::OP, &[Some(x)], params![n])
}

/// Each element rounded to an integer, half to even.
pub fn round(x: &Tensor) -> Result<Tensor> {
    call1(&round::OP, &[Some(x)], params![0])
}

pub static ROWS: &[&[&OpDef]] = &[UNARY, MORE];
