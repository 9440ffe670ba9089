//! Elementwise families and data movement.

use super::{Raw, missing};
use crate::dtype::DType;
use crate::error::Result;
use crate::scalar::Scalar;

/// `out = op(x)`. Unless noted, `x` and `out` have the same dtype; `p` are scalar parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum UnaryOp {
    Neg,
    /// Complex input: real output.
    Abs,
    /// `sgn` (also for complex input).
    Sgn,
    Sign,
    Ceil,
    Floor,
    /// Half to even; `p[0]` decimals.
    Round,
    Trunc,
    Frac,
    Reciprocal,
    Sqrt,
    Rsqrt,
    Square,
    Exp,
    Exp2,
    Expm1,
    Log,
    Log2,
    Log10,
    Log1p,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Tanh,
    Asinh,
    Acosh,
    Atanh,
    Erf,
    Erfc,
    Erfinv,
    Lgamma,
    Digamma,
    /// Derivative `p[0] >= 1` of digamma.
    Polygamma,
    I0,
    I0e,
    I1,
    I1e,
    Ndtri,
    LogNdtr,
    Erfcx,
    /// `-x ln x`
    Entr,
    AiryAi,
    BesselJ0,
    BesselJ1,
    BesselY0,
    BesselY1,
    ModifiedBesselK0,
    ModifiedBesselK1,
    ScaledModifiedBesselK0,
    ScaledModifiedBesselK1,
    SphericalBesselJ0,
    Sinc,
    Sigmoid,
    /// Any dtype to `bool`.
    LogicalNot,
    BitwiseNot,
    /// Float or complex to `bool`.
    IsNan,
    IsInf,
    IsFinite,
    Signbit,
    /// Complex input, real output.
    Angle,
    Conj,
    /// `p = [nan, posinf, neginf]`.
    NanToNum,
    Relu,
    /// `p = [negative_slope]`.
    LeakyRelu,
    /// `p = [alpha, scale, input_scale]`: `x > 0 ? scale*x : alpha*scale*expm1(input_scale*x)`.
    Elu,
    /// Exact, by erf.
    Gelu,
    GeluTanh,
    Silu,
    Mish,
    /// `p = [beta, threshold]`.
    Softplus,
    LogSigmoid,
    /// `p = [min, max]`; NaN passes through. Also integers.
    Hardtanh,
    Hardsigmoid,
    Hardswish,
    /// `p = [threshold, value]`: `x > threshold ? x : value`.
    Threshold,
    /// `p = [lambda]`.
    Hardshrink,
    Softshrink,
    /// `x^p[0]` for a float exponent.
    PowScalar,
}

/// `out = op(a, b)`; `a`, `b` and `out` share a dtype, except comparisons and logical ops, whose output is `bool`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum BinaryOp {
    /// `a + p[0]*b`; `p` empty means plain addition. On `bool`: or.
    Add,
    /// `a - p[0]*b`.
    Sub,
    /// On `bool`: and.
    Mul,
    /// True division; float and complex only.
    Div,
    /// Rounded toward zero; float: trunc of the quotient. Integer division by zero is an error ("ZeroDivisionError").
    DivTrunc,
    /// Rounded down.
    DivFloor,
    /// Python's modulus: the divisor's sign.
    Remainder,
    /// C's modulus: the dividend's sign.
    Fmod,
    /// Integers included (exponent >= 0 checked by the caller).
    Pow,
    Atan2,
    Hypot,
    Copysign,
    Nextafter,
    /// NaN if either is NaN.
    Maximum,
    Minimum,
    /// Ignores a NaN operand.
    Fmax,
    Fmin,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    LogicalAnd,
    LogicalOr,
    LogicalXor,
    BitwiseAnd,
    BitwiseOr,
    BitwiseXor,
    ShiftLeft,
    ShiftRight,
    Gcd,
    Lcm,
    Logaddexp,
    Logaddexp2,
    Xlogy,
    Xlog1py,
    /// Hurwitz' zeta function of exponent `a` at base `b`.
    Zeta,
    /// Regularised incomplete gamma functions of `a` at `b`, lower and upper.
    Igamma,
    Igammac,
    /// The polynomial of degree `b` at `a`; `p[0]` is the [`Polynomial`] as a number.
    Orthogonal,
    Heaviside,
    /// Real parts `a`, `b` to a complex output.
    Complex,
    /// Gradients in one pass. `a` is the incoming gradient; `b` is the forward *output* (y) or *input* (x).
    /// `g * (1 - y*y)`
    TanhBackward,
    /// `g * y * (1 - y)`
    SigmoidBackward,
    /// `y > 0 ? g : 0` (also used for any threshold at `p[0]`, default 0, with `b` the input)
    ThresholdBackward,
    /// `b` = x, `p = [negative_slope]`
    LeakyReluBackward,
    /// `b` = x, `p = [alpha, scale, input_scale]`
    EluBackward,
    /// `b` = x
    GeluBackward,
    GeluTanhBackward,
    SiluBackward,
    MishBackward,
    /// `b` = x, `p = [beta, threshold]`
    SoftplusBackward,
    /// `b` = x
    LogSigmoidBackward,
    /// `b` = x, `p = [min, max]`: gradient strictly inside
    HardtanhBackward,
    HardsigmoidBackward,
    HardswishBackward,
    /// `b` = x, `p = [lambda]`: gradient where `|x| > lambda`
    HardshrinkBackward,
}

/// A family of orthogonal polynomials, for [`BinaryOp::Orthogonal`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Polynomial {
    ChebyshevT,
    ChebyshevU,
    ChebyshevV,
    ChebyshevW,
    HermiteH,
    HermiteHe,
    LaguerreL,
    LegendreP,
    /// The shifted ones, of `2x - 1`.
    ShiftedT,
    ShiftedU,
    ShiftedV,
    ShiftedW,
}

impl Polynomial {
    pub const ALL: [Polynomial; 12] = [
        Polynomial::ChebyshevT,
        Polynomial::ChebyshevU,
        Polynomial::ChebyshevV,
        Polynomial::ChebyshevW,
        Polynomial::HermiteH,
        Polynomial::HermiteHe,
        Polynomial::LaguerreL,
        Polynomial::LegendreP,
        Polynomial::ShiftedT,
        Polynomial::ShiftedU,
        Polynomial::ShiftedV,
        Polynomial::ShiftedW,
    ];
}

/// `out = op(a, b, c)`; one dtype unless noted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum TernaryOp {
    /// `a` is `bool`: `a ? b : c`. `b`, `c`, `out` of any dtype (moved by size).
    Where,
    /// `a + p[0]*b*c`
    Addcmul,
    /// `a + p[0]*b/c`
    Addcdiv,
    /// `a + c*(b - a)`, computed from the nearer end as PyTorch does
    Lerp,
    /// `min(max(a, b), c)`; NaN passes through
    Clamp,
}

pub trait Elementwise {
    fn unary(&self, op: UnaryOp, p: &[f64], x: Raw, out: Raw) -> Result<()> {
        let _ = (p, x, out);
        Err(missing(&format!("{op:?}")))
    }

    fn binary(&self, op: BinaryOp, p: &[f64], a: Raw, b: Raw, out: Raw) -> Result<()> {
        let _ = (p, a, b, out);
        Err(missing(&format!("{op:?}")))
    }

    /// `out[i] = op(a[i], b[i])` for `n` contiguous elements of one dtype each: [`binary`](Self::binary) without parameters and without
    /// a look at layouts. `false` where there is no such kernel; then nothing was done.
    ///
    /// # Safety
    /// `n` elements of `dtype` at each of `out`, `a`, `b`; the output overlaps neither operand.
    unsafe fn binary_flat(&self, op: BinaryOp, dtype: DType, n: usize, [out, a, b]: [*mut u8; 3]) -> bool {
        let _ = (op, dtype, n, out, a, b);
        false
    }

    fn ternary(&self, op: TernaryOp, p: &[f64], a: Raw, b: Raw, c: Raw, out: Raw) -> Result<()> {
        let _ = (p, a, b, c, out);
        Err(missing(&format!("{op:?}")))
    }

    /// `out[i] = out.dtype(x[i])` for every pair of dtypes; the same dtype is a strided copy (blocked when transposed).
    /// Complex to real keeps the real part; float to integer truncates; anything to `bool` is `!= 0`.
    fn copy(&self, x: Raw, out: Raw) -> Result<()> {
        let _ = (x, out);
        Err(missing("copy"))
    }

    fn fill(&self, out: Raw, value: Scalar) -> Result<()> {
        let _ = (out, value);
        Err(missing("fill"))
    }

    /// `out[i] = start + i*step` for a 1-D output of any real dtype; integers computed as `i64`, floats as `f64`.
    fn arange(&self, out: Raw, start: Scalar, step: Scalar) -> Result<()> {
        let _ = (out, start, step);
        Err(missing("arange"))
    }

    /// Copies the lower (`upper` false) or upper triangle of the last two dimensions about `diagonal`, zeros elsewhere.
    fn triangle(&self, x: Raw, out: Raw, diagonal: i64, upper: bool) -> Result<()> {
        let _ = (x, out, diagonal, upper);
        Err(missing("triangle"))
    }
}
