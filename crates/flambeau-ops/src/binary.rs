//! Elementwise operations of two tensors.

use flambeau_core::autograd::Vjp;
use flambeau_core::backend::{Backend, BinaryOp};
use flambeau_core::dtype::Category;
use flambeau_core::layout::same;
use flambeau_core::op::{Diff, Grads, Inputs, Kind, Metas, OpDef, Params, ParamsExt, Samples, surface};
use flambeau_core::{DType, Error, Result, Scalar, Tensor, call1, default_dtype, params};

use crate::copy::conj;
use crate::operand::*;
use crate::unary::{self, log, neg, pow_number};

/// Runs a kernel whose operands have the output's dtype (or, for a `bool` output, their common one).
fn run(b: &dyn Backend, op: BinaryOp, x: Inputs, o: &[Tensor], p: &[f64]) -> Result<()> {
    let (a, c, out) = (arg(x, 0)?, arg(x, 1)?, &o[0]);
    if a.dtype() == c.dtype()
        && same(a.sizes(), out.sizes())
        && same(c.sizes(), out.sizes())
        && (a.dtype() == out.dtype() || out.dtype() == DType::Bool)
    {
        return b.binary(op, p, a.raw(), c.raw(), out.raw());
    }
    let compute = if out.dtype() == DType::Bool { result_type_of(a, c)? } else { out.dtype() };
    // A factor or divisor beside half-precision elements keeps the width of the arithmetic; PyTorch rounds other numbers.
    let wide = matches!(compute, DType::F16 | DType::BF16)
        && matches!(op, BinaryOp::Mul | BinaryOp::Div | BinaryOp::DivFloor | BinaryOp::DivTrunc);
    let dtype = |t: &Tensor| {
        let number = wide && t.ndim() == 0 && t.device().is_cpu() && matches!(t.dtype(), DType::F32 | DType::F64);
        if number { DType::F32 } else { compute }
    };
    let (a, c) = (Operand::new(a, dtype(a), out.sizes())?, Operand::new(c, dtype(c), out.sizes())?);
    b.binary(op, p, a.raw(out.sizes()), c.raw(out.sizes()), out.raw())
}

/// For gradient rows: the output's dtype, whatever it is.
pub(crate) fn run_as(b: &dyn Backend, op: BinaryOp, x: Inputs, o: &[Tensor], p: &[f64]) -> Result<()> {
    let out = &o[0];
    let a = Operand::new(arg(x, 0)?, out.dtype(), out.sizes())?;
    let c = Operand::new(arg(x, 1)?, out.dtype(), out.sizes())?;
    b.binary(op, p, a.raw(out.sizes()), c.raw(out.sizes()), out.raw())
}

/// Shape and dtype rules.
mod infer {
    use super::*;

    #[inline]
    fn with(x: Inputs, f: impl Fn(DType) -> Result<DType>) -> Result<Metas> {
        let (a, b) = (arg(x, 0)?, arg(x, 1)?);
        let dtype = f(result_type_of(a, b)?)?;
        Ok(smallvec::smallvec![broadcast_meta(&[a, b], dtype)?])
    }

    pub fn same(x: Inputs, _: &Params) -> Result<Metas> {
        with(x, Ok)
    }

    /// Powers of one number are row-major.
    pub fn power(x: Inputs, p: &Params) -> Result<Metas> {
        let mut m = same(x, p)?;
        if arg(x, 0)?.is_wrapped() {
            m[0].strides = None;
        }
        Ok(m)
    }

    /// With `alpha` checked against the result.
    pub fn alpha(x: Inputs, p: &Params) -> Result<Metas> {
        with(x, |d| {
            if let Some(alpha) = p.opt_scalar(0) {
                check_alpha(d, alpha)?;
            }
            Ok(d)
        })
    }

    pub fn minus(x: Inputs, p: &Params) -> Result<Metas> {
        if arg(x, 0)?.dtype() == DType::Bool && arg(x, 1)?.dtype() == DType::Bool {
            return Err(Error::not_implemented(
                "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` \
                 operator instead.",
            ));
        }
        if arg(x, 0)?.dtype() == DType::Bool || arg(x, 1)?.dtype() == DType::Bool {
            let other = if arg(x, 0)?.dtype() == DType::Bool { arg(x, 1)? } else { arg(x, 0)? };
            if other.dtype() == DType::Bool || !other.is_wrapped() && other.dtype() == DType::Bool {
                return Err(Error::runtime("Subtraction, the `-` operator, with a bool tensor is not supported."));
            }
        }
        alpha(x, p)
    }

    /// Integers become the default float type.
    pub fn float(x: Inputs, _: &Params) -> Result<Metas> {
        with(x, |d| Ok(if d.is_differentiable() { d } else { default_dtype() }))
    }

    pub fn truth(x: Inputs, _: &Params) -> Result<Metas> {
        with(x, Ok).map(|mut m| {
            m[0].dtype = DType::Bool;
            m
        })
    }

    pub fn ordered(x: Inputs, p: &Params) -> Result<Metas> {
        with(x, |d| {
            if d.is_complex() {
                return Err(Error::not_implemented("comparison is not supported for complex dtypes"));
            }
            Ok(d)
        })?;
        truth(x, p)
    }

    fn whole(x: Inputs, name: &str) -> Result<Metas> {
        with(x, |d| if d.is_int() || d == DType::Bool { Ok(d) } else { Err(Error::dtype(name, d)) })
    }

    pub fn bitwise_and(x: Inputs, _: &Params) -> Result<Metas> {
        whole(x, "bitwise_and_cpu")
    }

    pub fn bitwise_or(x: Inputs, _: &Params) -> Result<Metas> {
        whole(x, "bitwise_or_cpu")
    }

    pub fn bitwise_xor(x: Inputs, _: &Params) -> Result<Metas> {
        whole(x, "bitwise_xor_cpu")
    }

    pub fn bitwise_left_shift(x: Inputs, _: &Params) -> Result<Metas> {
        whole(x, "lshift_cpu")
    }

    pub fn bitwise_right_shift(x: Inputs, _: &Params) -> Result<Metas> {
        whole(x, "rshift_cpu")
    }

    pub fn gcd(x: Inputs, _: &Params) -> Result<Metas> {
        whole(x, "gcd_cpu")
    }

    pub fn lcm(x: Inputs, _: &Params) -> Result<Metas> {
        whole(x, "lcm_cpu")
    }
}

fn samples(s: &mut Samples, low: f64, high: f64, grad: u16) {
    let shapes: [(&[i64], &[i64]); 6] =
        [(&[], &[]), (&[3], &[3]), (&[2, 3], &[3]), (&[2, 1], &[1, 3]), (&[2, 3], &[]), (&[0], &[0])];
    let draw = |s: &mut Samples, sizes: &[i64]| {
        if low.is_nan() { s.ints(sizes, 0, high as i64) } else { s.uniform(sizes, low, high) }
    };
    for (a, b) in shapes {
        let (a, b) = (draw(s, a), draw(s, b));
        s.push(vec![Some(a), Some(b)], Params::new(), grad);
    }
    let (a, b) = (draw(s, &[3, 2]), draw(s, &[2, 3]));
    let b = crate::view::transpose(&b, 0, 1).expect("rank 2");
    s.push(vec![Some(a), Some(b)], Params::new(), grad);
}

/// Rows whose second operand cannot be a number.
const TENSORS_ONLY: [&str; 13] = [
    "atan2",
    "hypot",
    "nextafter",
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "logical_and",
    "logical_or",
    "logical_xor",
    "gcd",
    "lcm",
    "logaddexp",
];

const fn same_text(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut same = a.len() == b.len();
    let mut i = 0;
    while same && i < a.len() {
        same = a[i] == b[i];
        i += 1;
    }
    same
}

/// Which of the three signatures a row has.
const fn signature(name: &str, [either, tensor, values]: [&'static str; 3]) -> &'static str {
    if same_text(name, "heaviside") {
        return values;
    }
    let mut i = 0;
    while i < TENSORS_ONLY.len() {
        if same_text(name, TENSORS_ONLY[i]) {
            return tensor;
        }
        i += 1;
    }
    if same_text(name, "logaddexp2") { tensor } else { either }
}

/// Where the result has the dtype of float operands.
macro_rules! quick {
    (same $kernel:ident) => {
        Some(BinaryOp::$kernel)
    };
    (float $kernel:ident) => {
        Some(BinaryOp::$kernel)
    };
    ($rule:ident $kernel:ident) => {
        None
    };
}

/// Rows that PyTorch has no gradient for.
const fn underived(name: &str) -> bool {
    same_text(name, "floor_divide") || same_text(name, "heaviside")
}

fn no_derivative(of: &str) -> Result<Grads> {
    Err(Error::runtime(format!("derivative for aten::{of} is not implemented")))
}

macro_rules! binary {
    ($list:ident, $trait:ident: $($name:ident: $rule:ident => $kernel:ident, $saves:expr, $diff:expr, $range:expr, $on:expr, $alias:expr, $doc:literal;)*) => {
        $(
            pub mod $name {
                #[allow(unused_imports)]
                use super::*;
                pub static OP: OpDef = OpDef {
                    name: stringify!($name),
                    node: $crate::nodes::name_of(stringify!($name)),
                    hidden: $crate::nodes::hidden_of(stringify!($name)),
                    shown: $crate::nodes::shown_of(stringify!($name)),
                    label: $crate::nodes::label_of(stringify!($name)),
                    node_inplace: $crate::nodes::inplace_of(stringify!($name)),
                    sig: signature(stringify!($name), [
                        concat!(stringify!($name), "(Tensor input, Tensor|Scalar other, *, Tensor? out=None) -> Tensor"),
                        concat!(stringify!($name), "(Tensor input, Tensor other, *, Tensor? out=None) -> Tensor"),
                        concat!(stringify!($name), "(Tensor input, Tensor values, *, Tensor? out=None) -> Tensor"),
                    ]),
                    doc: $doc,
                    aliases: &$alias,
                    surfaces: $on,
                    kind: Kind::Kernel { infer: infer::$rule, run: |b, x, o, _| run(b, BinaryOp::$kernel, x, o, &[]) },
                    quick: quick!($rule $kernel),
                    diff: $diff,
                    saves: $saves,
                    samples: Some(|s| samples(s, $range.0, $range.1, if matches!($diff, Diff::Never) || underived(stringify!($name)) { 0 } else { 3 })),
                    ..BASE
                };
            }
            #[doc = $doc]
            pub fn $name(a: &Tensor, b: &Tensor) -> Result<Tensor> {
                call_pair(&$name::OP, a, b)
            }
        )*
        pub static $list: &[&OpDef] = &[$(&$name::OP),*];
        /// Methods of the rows in this file.
        pub trait $trait {
            $(#[doc = $doc] fn $name(&self, other: &Tensor) -> Result<Tensor>;)*
        }
        impl $trait for Tensor {
            $(fn $name(&self, other: &Tensor) -> Result<Tensor> { $name(self, other) })*
        }
    };
}

const fn vjp(f: fn(&Vjp) -> Result<Grads>) -> Diff {
    Diff::Vjp(f)
}

const ANY: (f64, f64) = (-3.0, 3.0);
const POS: (f64, f64) = (0.2, 3.0);
/// Samples of integers.
const INTEGERS: (f64, f64) = (f64::NAN, 20.0);
const NO: [&str; 0] = [];
const YY: flambeau_core::op::Saves = flambeau_core::op::Saves { inputs: 3, outputs: 1, cross: false };

/// The gradient where `mask` holds, half of it where the operands are equal.
fn masked(c: &Vjp, mask: Result<Tensor>) -> Result<Tensor> {
    let equal = eq(&c.x(0)?, &c.x(1)?)?;
    let g = crate::ternary::where_(&equal, &mul_scalar(c.g(), 0.5)?, c.g())?;
    mul(&g, &mask?)
}

fn zero_grad(c: &Vjp, i: usize) -> Result<Tensor> {
    crate::create::zeros(&c.meta(i).sizes, c.meta(i).dtype, c.meta(i).device)
}

binary! { PAIRS, BinaryOps:
    mul: same => Mul, CROSS, vjp(|c| grads!(c; 0 => mul(c.g(), &conj(&c.x(1)?)?), 1 => mul(c.g(), &conj(&c.x(0)?)?))), ANY, FMI, ["multiply"], "The product, element by element.";
    true_div: float => Div, XX, vjp(|c| grads!(c; 0 => div(c.g(), &conj(&c.x(1)?)?), 1 => { let (x, y) = (c.x(0)?, c.x(1)?); mul(&neg(c.g())?, &conj(&div(&div(&x, &y)?, &y)?)?) })), POS, INTERNAL | surface::INPLACE, NO, "The quotient, element by element.";
    div_trunc: same => DivTrunc, NONE, vjp(|c| grads!(c; 0 => zero_grad(c, 0), 1 => zero_grad(c, 1))), POS, INTERNAL | surface::INPLACE, NO, "The quotient rounded toward zero.";
    floor_divide: same => DivFloor, NONE, vjp(|_| no_derivative("floor_divide")), POS, FMI, NO, "The quotient rounded down.";
    remainder: same => Remainder, XX, vjp(|c| grads!(c; 0 => Ok::<_, Error>(c.g().clone()), 1 => neg(&mul(c.g(), &call1(&number::FLOOR, &[Some(&c.x(0)?), Some(&c.x(1)?)], Params::new())?)?))), POS, FMI, NO, "Python's modulus: the result has the divisor's sign.";
    fmod: same => Fmod, XX, vjp(|c| grads!(c; 0 => Ok::<_, Error>(c.g().clone()), 1 => neg(&mul(c.g(), &div_trunc(&c.x(0)?, &c.x(1)?)?)?))), POS, FMI, NO, "C's modulus: the result has the dividend's sign.";
    pow_tensor: power => Pow, YY, vjp(|c| grads!(c; 0 => pow_base(c), 1 => pow_exponent(c))), POS, INTERNAL | surface::INPLACE, NO, "Each element to the power of the other's.";
    atan2: float => Atan2, XX, vjp(|c| { let (a, b) = (c.x(0)?, c.x(1)?); let n = add(&mul(&a, &a)?, &mul(&b, &b)?)?; let g = div(c.g(), &n)?;
        grads!(c; 0 => mul(&g, &b), 1 => neg(&mul(&g, &a)?)) }), POS, FMI, ["arctan2"], "The angle of the point (other, input), in radians.";
    hypot: same => Hypot, YY, vjp(|c| { let y = c.y(0)?; grads!(c; 0 => mul(c.g(), &div(&c.x(0)?, &y)?), 1 => mul(c.g(), &div(&c.x(1)?, &y)?)) }), POS, FMI, NO, "The hypotenuse of a right triangle with these legs.";
    copysign: float => Copysign, XX, vjp(|c| grads!(c; 0 => { let (a, b) = (c.x(0)?, c.x(1)?); mul(c.g(), &mul(&unary::sgn(&a)?, &copysign(&Tensor::wrapped(1.0.into())?, &b)?)?) }, 1 => zero_grad(c, 1))), POS, FMI, NO, "The magnitude of one with the sign of the other.";
    nextafter: same => Nextafter, XX, vjp(|c| grads!(c; 0 => { let g = c.g(); mul(g, &ne(&c.x(0)?, &c.x(1)?)?) }, 1 => crate::create::zeros_like(c.g()))), ANY, FMI, NO, "The next representable number towards the other.";
    maximum: same => Maximum, XX, vjp(|c| grads!(c; 0 => masked(c, ge(&c.x(0)?, &c.x(1)?)), 1 => masked(c, le(&c.x(0)?, &c.x(1)?)))), ANY, FM, NO, "The larger of two elements; NaN if either is.";
    minimum: same => Minimum, XX, vjp(|c| grads!(c; 0 => masked(c, le(&c.x(0)?, &c.x(1)?)), 1 => masked(c, ge(&c.x(0)?, &c.x(1)?)))), ANY, FM, NO, "The smaller of two elements; NaN if either is.";
    fmax: same => Fmax, XX, vjp(|c| grads!(c; 0 => masked(c, logical_or(&ge(&c.x(0)?, &c.x(1)?)?, &unary::isnan(&c.x(1)?)?)), 1 => masked(c, unary::logical_not(&logical_or(&ge(&c.x(0)?, &c.x(1)?)?, &unary::isnan(&c.x(1)?)?)?).and_then(|m| logical_or(&m, &eq(&c.x(0)?, &c.x(1)?)?))))), ANY, FM, NO, "The larger of two elements, ignoring a NaN.";
    fmin: same => Fmin, XX, vjp(|c| grads!(c; 0 => masked(c, logical_or(&le(&c.x(0)?, &c.x(1)?)?, &unary::isnan(&c.x(1)?)?)), 1 => masked(c, unary::logical_not(&logical_or(&le(&c.x(0)?, &c.x(1)?)?, &unary::isnan(&c.x(1)?)?)?).and_then(|m| logical_or(&m, &eq(&c.x(0)?, &c.x(1)?)?))))), ANY, FM, NO, "The smaller of two elements, ignoring a NaN.";
    eq: truth => Eq, NONE, Diff::Never, ANY, FMI, NO, "Whether the elements are equal.";
    ne: truth => Ne, NONE, Diff::Never, ANY, FMI, ["not_equal"], "Whether the elements differ.";
    lt: ordered => Lt, NONE, Diff::Never, ANY, FMI, ["less"], "Whether each element is less than the other's.";
    le: ordered => Le, NONE, Diff::Never, ANY, FMI, ["less_equal"], "Whether each element is at most the other's.";
    gt: ordered => Gt, NONE, Diff::Never, ANY, FMI, ["greater"], "Whether each element is greater than the other's.";
    ge: ordered => Ge, NONE, Diff::Never, ANY, FMI, ["greater_equal"], "Whether each element is at least the other's.";
    logical_and: truth => LogicalAnd, NONE, Diff::Never, ANY, FMI, NO, "Whether both elements are not zero.";
    logical_or: truth => LogicalOr, NONE, Diff::Never, ANY, FMI, NO, "Whether either element is not zero.";
    logical_xor: truth => LogicalXor, NONE, Diff::Never, ANY, FMI, NO, "Whether exactly one element is not zero.";
    bitwise_and: bitwise_and => BitwiseAnd, NONE, Diff::Never, INTEGERS, FMI, NO, "The bits set in both.";
    bitwise_or: bitwise_or => BitwiseOr, NONE, Diff::Never, INTEGERS, FMI, NO, "The bits set in either.";
    bitwise_xor: bitwise_xor => BitwiseXor, NONE, Diff::Never, INTEGERS, FMI, NO, "The bits set in exactly one.";
    bitwise_left_shift: bitwise_left_shift => ShiftLeft, NONE, Diff::Never, INTEGERS, FMI, NO, "Bits moved to higher places.";
    bitwise_right_shift: bitwise_right_shift => ShiftRight, NONE, Diff::Never, INTEGERS, FMI, NO, "Bits moved to lower places.";
    gcd: gcd => Gcd, NONE, Diff::Never, INTEGERS, FMI, NO, "The greatest common divisor.";
    lcm: lcm => Lcm, NONE, Diff::Never, INTEGERS, FMI, NO, "The least common multiple.";
    logaddexp: same => Logaddexp, YY, vjp(|c| { let y = c.y(0)?; grads!(c; 0 => mul(c.g(), &conj(&unary::exp(&sub(&c.x(0)?, &y)?)?)?), 1 => mul(c.g(), &conj(&unary::exp(&sub(&c.x(1)?, &y)?)?)?)) }), ANY, FM, NO, "log(exp(input) + exp(other)).";
    logaddexp2: same => Logaddexp2, YY, vjp(|c| { let y = c.y(0)?; grads!(c; 0 => mul(c.g(), &unary::exp2(&sub(&c.x(0)?, &y)?)?), 1 => mul(c.g(), &unary::exp2(&sub(&c.x(1)?, &y)?)?)) }), ANY, FM, NO, "log2(2^input + 2^other).";
    xlogy: float => Xlogy, XX, vjp(|c| grads!(c; 0 => { let (x, y) = (c.x(0)?, c.x(1)?); let l = log(&y)?; let skip = logical_and(&eq_scalar(&x, 0.0)?, &unary::logical_not(&unary::isnan(&y)?)?)?;
        mul(c.g(), &crate::ternary::where_(&logical_and(&skip, &le_scalar(&y, 0.0)?)?, &crate::create::zeros_like(&l)?, &l)?) }, 1 => div(&mul(c.g(), &c.x(0)?)?, &c.x(1)?))), POS, FMI, NO, "input * log(other), and 0 where input is 0.";
    heaviside: same => Heaviside, NONE, vjp(|_| no_derivative("heaviside")), ANY, FMI, NO, "0 below zero, 1 above, `other` at zero.";
}

/// d/dx x^e = e * x^(e-1), zero where e is zero.
fn pow_base(c: &Vjp) -> Result<Tensor> {
    let (x, e) = (c.x(0)?, c.x(1)?);
    let d = mul(&e, &pow_tensor(&x, &add_scalar(&e, -1.0)?)?)?;
    let zero = eq_scalar(&e, 0.0)?;
    let d = crate::ternary::where_(&zero, &crate::create::zeros_like(&d)?, &d)?;
    mul(c.g(), &conj(&d)?)
}

/// d/de x^e = x^e * log(x), zero at x = 0 with e >= 0.
fn pow_exponent(c: &Vjp) -> Result<Tensor> {
    let (x, e, y) = (c.x(0)?, c.x(1)?, c.y(0)?);
    let d = mul(&y, &log(&x)?)?;
    let base_zero = eq_scalar(&x, 0.0)?;
    let skip = if e.dtype().is_complex() { base_zero } else { logical_and(&base_zero, &ge_scalar(&e, 0.0)?)? };
    let d = crate::ternary::where_(&skip, &crate::create::zeros_like(&d)?, &d)?;
    mul(c.g(), &conj(&d)?)
}

/// `alpha` as a kernel parameter: nothing when it is one.
fn alpha(p: &Params) -> smallvec::SmallVec<[f64; 1]> {
    match p.opt_scalar(0) {
        None | Some(Scalar::Int(1)) => smallvec::SmallVec::new(),
        Some(s) => smallvec::SmallVec::from_elem(s.to_f64(), 1),
    }
}

fn times_alpha(g: &Tensor, p: &Params, sign: f64) -> Result<Tensor> {
    match (p.opt_scalar(0), sign) {
        (None | Some(Scalar::Int(1)), 1.0) => Ok(g.clone()),
        (None | Some(Scalar::Int(1)), _) => neg(g),
        (Some(Scalar::Complex(re, im)), s) => mul(g, &Tensor::wrapped(Scalar::Complex(s * re, -s * im))?),
        (Some(a), s) => mul_scalar(g, s * a.to_f64()),
    }
}

/// The second operand times a complex `alpha`, which kernels do not take.
fn complex_alpha(x: Inputs, p: &Params) -> Result<Option<Tensor>> {
    match p.opt_scalar(0) {
        Some(a @ Scalar::Complex(..)) => {
            flambeau_core::autograd::no_grad(|| mul(&arg(x, 1)?.detach(), &Tensor::wrapped(a)?)).map(Some)
        }
        _ => Ok(None),
    }
}

rows! { MORE:
    add = OpDef {
        sig: "add(Tensor input, Tensor|Scalar other, *, Scalar alpha=1, Tensor? out=None) -> Tensor",
        doc: "The sum `input + alpha * other`, element by element.",
        surfaces: FMI,
        kind: Kind::Kernel { infer: infer::alpha, run: |b, x, o, p| {
            match complex_alpha(x, p)? {
                Some(y) => run(b, BinaryOp::Add, &[opt(x, 0), Some(&y)], o, &[]),
                // Or has no factor to weaken it.
                None if o[0].dtype() == DType::Bool && p.opt_scalar(0).is_some_and(|a| a.to_f64() == 0.0) => {
                    run(b, BinaryOp::Add, &[opt(x, 0), Some(&Tensor::wrapped(Scalar::Bool(false))?)], o, &[])
                }
                None => run(b, BinaryOp::Add, x, o, &alpha(p)),
            }
        } },
        quick: Some(BinaryOp::Add),
        diff: vjp(|c| grads!(c; 0 => Ok::<_, Error>(c.g().clone()), 1 => times_alpha(c.g(), c.p, 1.0))),
        samples: Some(|s| {
            samples(s, -3.0, 3.0, 3);
            let (a, b) = (s.normal(&[2, 3]), s.normal(&[3]));
            s.push(vec![Some(a), Some(b)], params![Scalar::Float(2.5)], 3);
        }),
        ..BASE
    };
    sub = OpDef {
        sig: "sub(Tensor input, Tensor|Scalar other, *, Scalar alpha=1, Tensor? out=None) -> Tensor",
        doc: "The difference `input - alpha * other`, element by element.",
        aliases: &["subtract"],
        surfaces: FMI,
        kind: Kind::Kernel { infer: infer::minus, run: |b, x, o, p| {
            match complex_alpha(x, p)? {
                Some(y) => run(b, BinaryOp::Sub, &[opt(x, 0), Some(&y)], o, &[]),
                None => run(b, BinaryOp::Sub, x, o, &alpha(p)),
            }
        } },
        quick: Some(BinaryOp::Sub),
        diff: vjp(|c| grads!(c; 0 => Ok::<_, Error>(c.g().clone()), 1 => times_alpha(c.g(), c.p, -1.0))),
        samples: Some(|s| {
            samples(s, -3.0, 3.0, 3);
            let (a, b) = (s.normal(&[2, 3]), s.normal(&[3]));
            s.push(vec![Some(a), Some(b)], params![Scalar::Float(2.5)], 3);
        }),
        ..BASE
    };
    rsub = OpDef {
        sig: "rsub(Tensor input, Tensor|Scalar other, *, Scalar alpha=1) -> Tensor",
        doc: "The difference `other - alpha * input`.",
        surfaces: F,
        kind: Kind::Composite(|x, p| flambeau_core::call(&sub::OP, &[opt(x, 1), opt(x, 0)], p.clone())),
        ..BASE
    };
    div = OpDef {
        sig: "div(Tensor input, Tensor|Scalar other, *, str? rounding_mode=None, Tensor? out=None) -> Tensor",
        doc: "The quotient, element by element; rounded with `rounding_mode` 'trunc' or 'floor'.",
        aliases: &["divide"],
        surfaces: FMI,
        kind: Kind::Composite(|x, p| match p.first() {
            None | Some(flambeau_core::op::Value::None) => flambeau_core::call(&true_div::OP, x, Params::new()),
            _ => match p.str(0) {
                "trunc" => flambeau_core::call(&div_trunc::OP, x, Params::new()),
                "floor" => flambeau_core::call(&number::FLOOR, x, Params::new()),
                other => Err(Error::runtime(format!(
                    "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{other}'"
                ))),
            },
        }),
        samples: Some(|s| samples(s, 0.2, 3.0, 3)),
        ..BASE
    };
    add_number = beside("add_number(Tensor input, Tensor|Scalar other) -> Tensor", |x, _| Ok([add(arg(x, 0)?, arg(x, 1)?)?].into_iter().collect()));
    sub_number = beside("sub_number(Tensor input, Tensor|Scalar other) -> Tensor", |x, _| Ok([sub(arg(x, 0)?, arg(x, 1)?)?].into_iter().collect()));
    mul_number = beside("mul_number(Tensor input, Tensor|Scalar other) -> Tensor", |x, _| Ok([mul(arg(x, 0)?, arg(x, 1)?)?].into_iter().collect()));
    div_number = beside("div_number(Tensor input, Tensor|Scalar other) -> Tensor", |x, _| Ok([div(arg(x, 0)?, arg(x, 1)?)?].into_iter().collect()));
    true_divide = OpDef {
        sig: "true_divide(Tensor input, Tensor|Scalar other, *, Tensor? out=None) -> Tensor",
        doc: "The quotient, element by element.",
        surfaces: FMI,
        kind: Kind::Composite(|x, _| flambeau_core::call(&true_div::OP, x, Params::new())),
        ..BASE
    };
    pow = OpDef {
        sig: "pow(Tensor|Scalar input, Tensor|Scalar exponent, *, Tensor? out=None) -> Tensor",
        doc: "Each element to the power of the exponent's.",
        surfaces: FMI,
        kind: Kind::Composite(|x, _| Ok([pow(arg(x, 0)?, arg(x, 1)?)?].into_iter().collect())),
        samples: Some(|s| samples(s, 0.2, 3.0, 3)),
        ..BASE
    };
}

const fn beside(sig: &'static str, f: flambeau_core::op::Compose) -> OpDef {
    OpDef {
        sig,
        doc: "Arithmetic with a number as PyTorch's own code does it.",
        surfaces: INTERNAL,
        kind: Kind::Composite(f),
        ..BASE
    }
}

/// The rows for a number beside a tensor: the same kernels, and nodes without a place for the number. PyTorch has them
/// wherever its own code, not Python, does arithmetic.
mod number {
    use super::*;

    macro_rules! overloads {
        ($($name:ident: $of:ident, $node:literal;)*) => {$(
            pub static $name: OpDef = OpDef { node: $node, hidden: 0b10, shown: None, ..$of::OP };
        )*};
    }
    overloads! {
        ADD: add, "AddBackward1";
        SUB: sub, "SubBackward1";
        MUL: mul, "MulBackward1";
        DIV: true_div, "DivBackward1";
    }
    /// Rounding down as a mode of division has a gradient, of zeros.
    pub static FLOOR: OpDef = OpDef {
        node: "DivBackward2",
        diff: vjp(|c| grads!(c; 0 => zero_grad(c, 0), 1 => zero_grad(c, 1))),
        ..floor_divide::OP
    };
}

/// A row of two operands, of which one may be a host number.
#[inline]
fn call_pair(op: &'static OpDef, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.is_wrapped() || b.is_wrapped() {
        return call_number(op, a, b);
    }
    call1(op, &[Some(a), Some(b)], Params::new())
}

fn call_number(op: &'static OpDef, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let is = |other: &'static OpDef| std::ptr::eq(op, other);
    let (commutes, number) = match () {
        _ if is(&add::OP) => (true, &number::ADD),
        _ if is(&mul::OP) => (true, &number::MUL),
        _ if is(&sub::OP) => (false, &number::SUB),
        _ if is(&true_div::OP) => (false, &number::DIV),
        _ => return call1(op, &[Some(a), Some(b)], Params::new()),
    };
    match (a.is_wrapped(), b.is_wrapped()) {
        (false, true) => call1(number, &[Some(a), Some(b)], Params::new()),
        (true, false) if commutes => call1(number, &[Some(b), Some(a)], Params::new()),
        _ => call1(op, &[Some(a), Some(b)], Params::new()),
    }
}

/// `a + b`.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    call_pair(&add::OP, a, b)
}

/// `a - b`.
pub fn sub(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    call_pair(&sub::OP, a, b)
}

/// `a / b`; integers become the default float type.
pub fn div(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    call_pair(&true_div::OP, a, b)
}

/// `a` to the power of `b`.
pub fn pow(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    // One number as the exponent of a float tensor has a kernel of its own.
    if b.is_wrapped() && a.dtype().is_float() && !a.is_wrapped() && b.dtype().category() <= Category::Float {
        return pow_scalar(a, b.item()?.to_f64());
    }
    let dtype = result_type_of(a, b)?;
    if dtype.is_int() && b.is_wrapped() && b.dtype().is_int() && b.item()?.to_i64() < 0 {
        return Err(Error::runtime("Integers to negative integer powers are not allowed."));
    }
    call1(&pow_tensor::OP, &[Some(a), Some(b)], Params::new())
}

/// A float tensor to the power of one number.
pub fn pow_scalar(a: &Tensor, e: f64) -> Result<Tensor> {
    if !a.dtype().is_float() {
        return call1(&pow_tensor::OP, &[Some(a), Some(&Tensor::wrapped(e.into())?)], Params::new());
    }
    call1(&pow_number::OP, &[Some(a)], params![e])
}

macro_rules! with_number {
    ($($name:ident, $of:ident;)*) => {$(
        #[doc = concat!("[`", stringify!($of), "`] with one number, which does not widen the tensor's type.")]
        pub fn $name(a: &Tensor, b: f64) -> Result<Tensor> {
            $of(a, &Tensor::wrapped(b.into())?)
        }
    )*};
}
with_number! {
    add_scalar, add;
    sub_scalar, sub;
    mul_scalar, mul;
    div_scalar, div;
    eq_scalar, eq;
    ne_scalar, ne;
    lt_scalar, lt;
    le_scalar, le;
    gt_scalar, gt;
    ge_scalar, ge;
}

pub static ROWS: &[&[&OpDef]] = &[PAIRS, MORE];
