//! Special functions of PyTorch's `torch.special`: Bessel, Airy, gamma and normal distribution functions, polynomials.

use flambeau_core::autograd::Vjp;
use flambeau_core::backend::{BinaryOp, Polynomial, UnaryOp};
use flambeau_core::op::{Diff, Grads, Inputs, Kind, Metas, OpDef, Outs, Params, Samples, surface};
use flambeau_core::{DType, Error, Result, Tensor, call1, default_dtype};

use crate::binary::{add_scalar, div, eq_scalar, mul, mul_scalar, run_as, sub};
use crate::operand::*;
use crate::unary::{self, exp, neg, samples};

const SPECIAL: u16 = surface::SPECIAL;
const SQRT_HALF: f64 = std::f64::consts::FRAC_1_SQRT_2;

/// Shape and dtype rule of one operand; `half`: whether 16-bit floats have a kernel.
fn infer1(x: Inputs, p: &Params, kernel: &str, half: bool) -> Result<Metas> {
    check_float(arg(x, 0)?.dtype(), kernel, half)?;
    unary::infer::float(x, p)
}

fn check_float(d: DType, kernel: &str, half: bool) -> Result<()> {
    let refused = d.is_complex() || d.is_float() && !matches!(d, DType::F32 | DType::F64) && (!half || d.is_float8());
    if refused { Err(Error::dtype(kernel, d)) } else { Ok(()) }
}

/// Shape and dtype rule of two operands; integers become floats where `ints` says so.
fn infer2(x: Inputs, kernel: &str, half: bool, ints: bool) -> Result<Metas> {
    let (a, b) = (arg(x, 0)?, arg(x, 1)?);
    let d = result_type_of(a, b)?;
    check_float(d, kernel, half)?;
    let d = match d {
        d if d.is_float() => d,
        _ if ints => default_dtype(),
        d => return Err(Error::dtype(kernel, d)),
    };
    Ok(smallvec::smallvec![broadcast_meta(&[a, b], d)?])
}

/// Two numbers are not enough: one of the operands is a tensor. `names`: what PyTorch calls them.
fn one_tensor(x: Inputs, name: &str, names: [&str; 3]) -> Result<()> {
    let (a, b) = (arg(x, 0)?, arg(x, 1)?);
    if !(a.is_wrapped() && b.is_wrapped()) {
        return Ok(());
    }
    let kind = |t: &Tensor| match t.dtype() {
        DType::Bool => "bool",
        d if d.is_complex() => "complex",
        d if d.is_float() => "float",
        _ => "int",
    };
    let [first, second, number] = names;
    Err(Error::type_error(format!(
        "special_{name}() received an invalid combination of arguments - got ({}, {}), but expected one of:\n \
         * (Tensor {first}, Tensor {second}, *, Tensor out = None)\n \
         * (Number {number}, Tensor {second}, *, Tensor out = None)\n \
         * (Tensor {first}, Number {second}, *, Tensor out = None)\n",
        kind(a),
        kind(b)
    )))
}

const INPUT_OTHER: [&str; 3] = ["input", "other", "self"];

/// `g` times a real derivative.
fn chain(c: &Vjp, d: Result<Tensor>) -> Result<Tensor> {
    mul(c.g(), &d?)
}

const fn vjp(f: fn(&Vjp) -> Result<Grads>) -> Diff {
    Diff::Vjp(f)
}

/// `f - y/x`, the derivative of a Bessel function of order one, which is 1/2 at zero.
fn order_one(f: &Tensor, y: &Tensor, x: &Tensor) -> Result<Tensor> {
    let zero = eq_scalar(x, 0.0)?;
    let safe = crate::ternary::where_(&zero, &Tensor::wrapped(1.0.into())?, x)?;
    let half = Tensor::wrapped(0.5.into())?;
    crate::ternary::where_(&zero, &half, &sub(f, &div(y, &safe)?)?)
}

fn over(y: &Tensor, x: &Tensor) -> Result<Tensor> {
    div(y, x)
}

const ANY: (f64, f64) = (-3.0, 3.0);
const POS: (f64, f64) = (0.2, 4.0);
const INSIDE: (f64, f64) = (0.05, 0.95);
const AROUND: (f64, f64) = (-12.0, 5.0);

macro_rules! special {
    ($list:ident: $($name:ident: $kernel:ident, $refusal:literal, $half:literal, $saves:ident, $diff:expr, $range:expr, $on:expr, $doc:literal;)*) => {
        $(
            pub mod $name {
                use super::*;
                pub static OP: OpDef = OpDef {
                    name: stringify!($name),
                    node: $crate::nodes::name_of(stringify!($name)),
                    sig: concat!(stringify!($name), "(Tensor input, *, Tensor? out=None) -> Tensor"),
                    doc: $doc,
                    surfaces: $on,
                    kind: Kind::Kernel {
                        infer: |x, p| infer1(x, p, $refusal, $half),
                        run: |b, x, o, _| unary::run(b, UnaryOp::$kernel, x, o, &[]),
                    },
                    diff: $diff,
                    saves: $saves,
                    samples: Some(|s| samples(s, $range)),
                    ..BASE
                };
            }
            #[doc = $doc]
            pub fn $name(x: &Tensor) -> Result<Tensor> {
                call1(&$name::OP, &[Some(x)], Params::new())
            }
        )*
        static $list: &[&OpDef] = &[$(&$name::OP),*];
    };
}

const XY: flambeau_core::op::Saves = flambeau_core::op::Saves { inputs: 1, outputs: 1, cross: false };

special! { UNARY:
    i0: I0, "i0_vml_cpu", true, X, vjp(|c| grads!(c; 0 => chain(c, i1(&c.x(0)?)))), ANY, FMI | SPECIAL, "The modified Bessel function of the first kind of order zero.";
    i0e: I0e, "i0e_cpu", true, XY, vjp(|c| grads!(c; 0 => { let x = c.x(0)?; chain(c, sub(&i1e(&x)?, &mul(&unary::sgn(&x)?, &c.y(0)?)?)) })), ANY, SPECIAL, "exp(-abs(x)) I0(x): the scaled modified Bessel function of the first kind of order zero.";
    i1: I1, "i1_cpu", true, XY, vjp(|c| grads!(c; 0 => { let x = c.x(0)?; chain(c, order_one(&i0(&x)?, &c.y(0)?, &x)) })), ANY, SPECIAL, "The modified Bessel function of the first kind of order one.";
    i1e: I1e, "i1e_cpu", true, XY, vjp(|c| grads!(c; 0 => {
        let (x, y) = (c.x(0)?, c.y(0)?);
        chain(c, order_one(&sub(&i0e(&x)?, &mul(&unary::sgn(&x)?, &y)?)?, &y, &x))
    })), ANY, SPECIAL, "exp(-abs(x)) I1(x): the scaled modified Bessel function of the first kind of order one.";
    ndtri: Ndtri, "ndtri_cpu", false, Y, vjp(|c| grads!(c; 0 => {
        let y = c.y(0)?;
        chain(c, mul_scalar(&exp(&mul_scalar(&mul(&y, &y)?, 0.5)?)?, (2.0 * std::f64::consts::PI).sqrt()))
    })), INSIDE, SPECIAL, "The quantile of the standard normal distribution.";
    log_ndtr: LogNdtr, "log_ndtr_cpu", false, X, vjp(|c| grads!(c; 0 => {
        let e = erfcx(&mul_scalar(&c.x(0)?, -SQRT_HALF)?)?;
        chain(c, mul_scalar(&unary::reciprocal(&e)?, SQRT_HALF * std::f64::consts::FRAC_2_SQRT_PI))
    })), AROUND, SPECIAL, "The logarithm of the standard normal distribution function, accurate far to the left.";
    erfcx: Erfcx, "erfcx_cpu", false, XY, vjp(|c| grads!(c; 0 => {
        chain(c, add_scalar(&mul_scalar(&mul(&c.x(0)?, &c.y(0)?)?, 2.0)?, -std::f64::consts::FRAC_2_SQRT_PI))
    })), ANY, SPECIAL, "exp(x^2) erfc(x): the scaled complementary error function.";
    entr: Entr, "entr_cpu", true, X, vjp(|c| grads!(c; 0 => chain(c, neg(&add_scalar(&unary::log(&c.x(0)?)?, 1.0)?)))), POS, SPECIAL, "-x ln(x), zero at zero and negative infinity below: the terms of an entropy.";
    airy_ai: AiryAi, "airy_ai_cpu", false, NONE, Diff::Never, AROUND, SPECIAL, "Airy's function Ai.";
    bessel_j0: BesselJ0, "bessel_j0_cpu", false, X, vjp(|c| grads!(c; 0 => chain(c, neg(&bessel_j1(&c.x(0)?)?)))), ANY, SPECIAL, "The Bessel function of the first kind of order zero.";
    bessel_j1: BesselJ1, "bessel_j1_cpu", false, XY, vjp(|c| grads!(c; 0 => { let x = c.x(0)?; chain(c, order_one(&bessel_j0(&x)?, &c.y(0)?, &x)) })), ANY, SPECIAL, "The Bessel function of the first kind of order one.";
    bessel_y0: BesselY0, "bessel_y0_cpu", false, X, vjp(|c| grads!(c; 0 => chain(c, neg(&bessel_y1(&c.x(0)?)?)))), POS, SPECIAL, "The Bessel function of the second kind of order zero.";
    bessel_y1: BesselY1, "bessel_y1_cpu", false, XY, vjp(|c| grads!(c; 0 => { let x = c.x(0)?; chain(c, sub(&bessel_y0(&x)?, &over(&c.y(0)?, &x)?)) })), POS, SPECIAL, "The Bessel function of the second kind of order one.";
    modified_bessel_i0: I0, "modified_bessel_i0_cpu", false, X, vjp(|c| grads!(c; 0 => chain(c, modified_bessel_i1(&c.x(0)?)))), ANY, SPECIAL, "The modified Bessel function of the first kind of order zero.";
    modified_bessel_i1: I1, "modified_bessel_i1_cpu", false, XY, vjp(|c| grads!(c; 0 => { let x = c.x(0)?; chain(c, order_one(&modified_bessel_i0(&x)?, &c.y(0)?, &x)) })), ANY, SPECIAL, "The modified Bessel function of the first kind of order one.";
    modified_bessel_k0: ModifiedBesselK0, "modified_bessel_k0_cpu", false, X, vjp(|c| grads!(c; 0 => chain(c, neg(&modified_bessel_k1(&c.x(0)?)?)))), POS, SPECIAL, "The modified Bessel function of the second kind of order zero.";
    modified_bessel_k1: ModifiedBesselK1, "modified_bessel_k1_cpu", false, XY, vjp(|c| grads!(c; 0 => {
        let x = c.x(0)?;
        chain(c, sub(&neg(&modified_bessel_k0(&x)?)?, &over(&c.y(0)?, &x)?))
    })), POS, SPECIAL, "The modified Bessel function of the second kind of order one.";
    scaled_modified_bessel_k0: ScaledModifiedBesselK0, "scaled_modified_bessel_k0_cpu", false, NONE, Diff::Never, POS, SPECIAL, "exp(x) K0(x): the scaled modified Bessel function of the second kind of order zero.";
    scaled_modified_bessel_k1: ScaledModifiedBesselK1, "scaled_modified_bessel_k1_cpu", false, NONE, Diff::Never, POS, SPECIAL, "exp(x) K1(x): the scaled modified Bessel function of the second kind of order one.";
    spherical_bessel_j0: SphericalBesselJ0, "spherical_bessel_j0_cpu", false, NONE, Diff::Never, ANY, SPECIAL, "sin(x) / x: the spherical Bessel function of the first kind of order zero.";
}

/// Pairs of operands, broadcast and not; `grad` as in [`Samples::push`].
fn pairs(s: &mut Samples, a: (f64, f64), b: (f64, f64), grad: u16) {
    let shapes: [(&[i64], &[i64]); 4] = [(&[3], &[3]), (&[2, 1], &[1, 3]), (&[], &[2]), (&[0], &[0])];
    for (m, n) in shapes {
        let (x, y) = (s.uniform(m, a.0, a.1), s.uniform(n, b.0, b.1));
        s.push(vec![Some(x), Some(y)], Params::new(), grad);
    }
}

/// A polynomial's row: `x` and its degree `n`, either of which may be a number.
const fn polynomial(
    sig: &'static str,
    doc: &'static str,
    infer: flambeau_core::op::Infer,
    run: flambeau_core::op::Run,
) -> OpDef {
    OpDef {
        sig,
        doc,
        surfaces: SPECIAL,
        kind: Kind::Kernel { infer, run },
        diff: Diff::Never,
        samples: Some(|s| {
            let (x, n) = (s.uniform(&[2, 3], -1.5, 1.5), s.ints(&[3], 0, 12));
            let n = crate::copy::to_dtype(&n, DType::F64).expect("integers become floats");
            s.push(vec![Some(x), Some(n)], Params::new(), 0);
        }),
        ..BASE
    }
}

macro_rules! polynomials {
    ($list:ident: $($name:ident: $kind:ident, $doc:literal;)*) => {
        rows! { $list: $(
            $name = polynomial(
                concat!(stringify!($name), "(Tensor|Scalar input, Tensor|Scalar n, *, Tensor? out=None) -> Tensor"),
                $doc,
                |x, _| {
                    one_tensor(x, stringify!($name), ["x", "n", "x"])?;
                    infer2(x, concat!(stringify!($name), "_cpu"), false, true)
                },
                |b, x, o, _| run_as(b, BinaryOp::Orthogonal, x, o, &[Polynomial::$kind as u8 as f64]),
            );
        )* }
    };
}

polynomials! { POLYNOMIALS:
    chebyshev_polynomial_t: ChebyshevT, "The Chebyshev polynomial of the first kind of degree `n`.";
    chebyshev_polynomial_u: ChebyshevU, "The Chebyshev polynomial of the second kind of degree `n`.";
    chebyshev_polynomial_v: ChebyshevV, "The Chebyshev polynomial of the third kind of degree `n`.";
    chebyshev_polynomial_w: ChebyshevW, "The Chebyshev polynomial of the fourth kind of degree `n`.";
    shifted_chebyshev_polynomial_t: ShiftedT, "The Chebyshev polynomial of the first kind of degree `n` at 2x - 1.";
    shifted_chebyshev_polynomial_u: ShiftedU, "The Chebyshev polynomial of the second kind of degree `n` at 2x - 1.";
    shifted_chebyshev_polynomial_v: ShiftedV, "The Chebyshev polynomial of the third kind of degree `n` at 2x - 1.";
    shifted_chebyshev_polynomial_w: ShiftedW, "The Chebyshev polynomial of the fourth kind of degree `n` at 2x - 1.";
    hermite_polynomial_h: HermiteH, "The physicists' Hermite polynomial of degree `n`.";
    hermite_polynomial_he: HermiteHe, "The probabilists' Hermite polynomial of degree `n`.";
    laguerre_polynomial_l: LaguerreL, "The Laguerre polynomial of degree `n`.";
    legendre_polynomial_p: LegendreP, "The Legendre polynomial of degree `n`.";
}

/// The density of the gamma distribution: the derivative of the lower incomplete function by its second argument.
fn gamma_density(c: &Vjp) -> Result<Tensor> {
    let (a, x) = (c.x(0)?, c.x(1)?);
    let power = mul(&add_scalar(&a, -1.0)?, &unary::log(&x)?)?;
    exp(&sub(&sub(&power, &x)?, &unary::lgamma(&a)?)?)
}

fn no_derivative(of: &str) -> Result<Tensor> {
    Err(Error::not_implemented(format!("the derivative for '{of}' is not implemented.")))
}

rows! { MORE:
    ndtr = OpDef {
        sig: "ndtr(Tensor input, *, Tensor? out=None) -> Tensor",
        doc: "The standard normal distribution function.",
        surfaces: SPECIAL,
        kind: Kind::Composite(|x, _| {
            let t = mul_scalar(arg(x, 0)?, -SQRT_HALF)?;
            Ok(Outs::from_iter([mul_scalar(&unary::erfc(&t)?, 0.5)?]))
        }),
        samples: Some(|s| samples(s, ANY)),
        ..BASE
    };
    xlog1py = OpDef {
        sig: "xlog1py(Tensor|Scalar input, Tensor|Scalar other, *, Tensor? out=None) -> Tensor",
        doc: "input * log1p(other), zero where input is zero.",
        surfaces: SPECIAL,
        kind: Kind::Kernel {
            infer: |x, _| { one_tensor(x, "xlog1py", INPUT_OTHER)?; infer2(x, "xlog1py_cpu", true, true) },
            run: |b, x, o, _| run_as(b, BinaryOp::Xlog1py, x, o, &[]),
        },
        diff: vjp(|c| grads!(c;
            // Where the factor is zero the logarithm does not count, unless it is NaN.
            0 => {
                let (a, b) = (c.x(0)?, c.x(1)?);
                let off = crate::binary::logical_and(&eq_scalar(&a, 0.0)?, &crate::binary::le_scalar(&b, -1.0)?)?;
                let g = mul(c.g(), &unary::log1p(&b)?)?;
                crate::ternary::where_(&off, &crate::create::zeros_like(&g)?, &g)
            },
            1 => div(&mul(c.g(), &c.x(0)?)?, &add_scalar(&c.x(1)?, 1.0)?)
        )),
        saves: XX,
        samples: Some(|s| pairs(s, ANY, POS, 3)),
        ..BASE
    };
    zeta = OpDef {
        sig: "zeta(Tensor|Scalar input, Tensor|Scalar other, *, Tensor? out=None) -> Tensor",
        doc: "Hurwitz' zeta function: the sum of (k + other)^-input over all k >= 0.",
        surfaces: SPECIAL,
        kind: Kind::Kernel {
            infer: |x, _| { one_tensor(x, "zeta", INPUT_OTHER)?; infer2(x, "zeta_cpu", false, true) },
            run: |b, x, o, _| run_as(b, BinaryOp::Zeta, x, o, &[]),
        },
        diff: vjp(|c| grads!(c;
            0 => no_derivative("zeta"),
            1 => {
                let a = c.x(0)?;
                chain(c, neg(&mul(&a, &zeta(&add_scalar(&a, 1.0)?, &c.x(1)?)?)?))
            }
        )),
        saves: XX,
        samples: Some(|s| pairs(s, (1.5, 5.0), POS, 2)),
        ..BASE
    };
    igamma = OpDef {
        sig: "igamma(Tensor input, Tensor other, *, Tensor? out=None) -> Tensor",
        doc: "The regularised lower incomplete gamma function of `input` at `other`.",
        surfaces: FMI,
        kind: Kind::Kernel {
            infer: |x, _| infer2(x, "igamma_cpu", true, false),
            run: |b, x, o, _| run_as(b, BinaryOp::Igamma, x, o, &[]),
        },
        diff: vjp(|c| grads!(c; 0 => no_derivative("igamma: input"), 1 => chain(c, gamma_density(c)))),
        saves: XX,
        samples: Some(|s| pairs(s, POS, POS, 2)),
        ..BASE
    };
    igammac = OpDef {
        sig: "igammac(Tensor input, Tensor other, *, Tensor? out=None) -> Tensor",
        doc: "The regularised upper incomplete gamma function of `input` at `other`.",
        surfaces: FMI,
        kind: Kind::Kernel {
            infer: |x, _| infer2(x, "igammac_cpu", true, false),
            run: |b, x, o, _| run_as(b, BinaryOp::Igammac, x, o, &[]),
        },
        diff: vjp(|c| grads!(c; 0 => no_derivative("igammac: input"), 1 => chain(c, neg(&gamma_density(c)?)))),
        saves: XX,
        samples: Some(|s| pairs(s, POS, POS, 2)),
        ..BASE
    };
}

/// Hurwitz' zeta function of exponent `s` at base `q`.
pub fn zeta(s: &Tensor, q: &Tensor) -> Result<Tensor> {
    call1(&zeta::OP, &[Some(s), Some(q)], Params::new())
}

pub static ROWS: &[&[&OpDef]] = &[UNARY, POLYNOMIALS, MORE];
