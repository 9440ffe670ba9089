//! Complex operands, as pairs of reals; transcendental functions in double precision.

use super::block::{Args, Body};
use crate::drive::GRAIN;
use crate::isa::{Isa, Kernel, pick_small};
use crate::math::Real;
use crate::math::complex::{C, Cx, cx};
use flambeau_backend::DType;
use flambeau_backend::{BinaryOp, TernaryOp, UnaryOp};
use std::marker::PhantomData;

trait Unary: 'static {
    fn f<T: Real>(z: Cx<T>, p: &[T; 4]) -> Cx<T>;
}

struct Map<O, T>(PhantomData<(O, T)>);

impl<O: Unary, T: Real> Kernel for Map<O, T> {
    type Args = Args<2>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<2>) {
        // SAFETY: operands of type `Cx<T>` that do not overlap.
        let (out, x, p) = unsafe { (a.output::<Cx<T>>(), a.input::<Cx<T>>(1), a.params::<T>()) };
        for (o, &x) in out.iter_mut().zip(x) {
            *o = O::f::<T>(x, &p);
        }
    }
}

/// Complex to real: modulus or argument.
struct ToReal<T, const ANGLE: bool>(PhantomData<T>);

impl<T: Real, const ANGLE: bool> Kernel for ToReal<T, ANGLE> {
    type Args = Args<2>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<2>) {
        // SAFETY: a `T` output, a `Cx<T>` input, no overlap.
        let (out, x) = unsafe { (a.output::<T>(), a.input::<Cx<T>>(1)) };
        for (o, &x) in out.iter_mut().zip(x) {
            *o = if ANGLE { x.im.atan2(x.re) } else { x.re.hypot(x.im) };
        }
    }
}

/// Complex to bool: 0 zero, 1 NaN, 2 infinite, 3 finite.
struct Test<T, const WHAT: u8>(PhantomData<T>);

impl<T: Real, const WHAT: u8> Kernel for Test<T, WHAT> {
    type Args = Args<2>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<2>) {
        // SAFETY: a bool output, a `Cx<T>` input, no overlap.
        let (out, x) = unsafe { (a.output::<u8>(), a.input::<Cx<T>>(1)) };
        for (o, &x) in out.iter_mut().zip(x) {
            let (re, im) = (x.re.abs(), x.im.abs());
            *o = match WHAT {
                0 => re == T::ZERO && im == T::ZERO,
                1 => x.is_nan(),
                2 => re == T::INFINITY || im == T::INFINITY,
                _ => re < T::INFINITY && im < T::INFINITY,
            } as u8;
        }
    }
}

macro_rules! direct {
    ($($name:ident($z:ident) $e:expr;)*) => {$(
        struct $name;
        impl Unary for $name {
            #[inline(always)]
            fn f<T: Real>($z: Cx<T>, _: &[T; 4]) -> Cx<T> {
                $e
            }
        }
    )*};
}

direct! {
    Neg(z) -z;
    Conj(z) cx(z.re, -z.im);
    Square(z) z * z;
}

macro_rules! wide {
    ($($name:ident $f:expr;)*) => {direct! {$($name(z) {
        let f: fn(C) -> C = $f;
        Cx::of(f(z.wide()))
    };)*}};
}

wide! {
    Sgn |z| {
        let m = z.abs();
        if m == 0.0 { cx(0.0, 0.0) } else { cx(z.re / m, z.im / m) }
    };
    Recip C::recip;
    Sqrt C::sqrt;
    Rsqrt |z| z.sqrt().recip();
    Exp C::exp;
    Exp2 |z| z.scale(std::f64::consts::LN_2).exp();
    Expm1 C::expm1;
    Log C::ln;
    Log2 |z| z.ln().scale(std::f64::consts::LOG2_E);
    Log10 |z| z.ln().scale(std::f64::consts::LOG10_E);
    Log1p C::log1p;
    Sin C::sin;
    Cos C::cos;
    Tan C::tan;
    Asin C::asin;
    Acos C::acos;
    Atan C::atan;
    Sinh C::sinh;
    Cosh C::cosh;
    Tanh C::tanh;
    Asinh C::asinh;
    Acosh C::acosh;
    Atanh C::atanh;
    Sigmoid C::sigmoid;
    Silu |z| z * z.sigmoid();
    Sinc |z| {
        let y = z.scale(std::f64::consts::PI);
        if z == cx(0.0, 0.0) { cx(1.0, 0.0) } else { y.sin().over(y) }
    };
}

struct PowScalar;
impl Unary for PowScalar {
    #[inline(always)]
    fn f<T: Real>(z: Cx<T>, p: &[T; 4]) -> Cx<T> {
        Cx::of(z.wide().pow(cx(p[0].wide(), 0.0)))
    }
}

fn map<O: Unary>(t: DType) -> unsafe fn(Args<2>) {
    if t == DType::C128 { pick_small::<Map<O, f64>>() } else { pick_small::<Map<O, f32>>() }
}

fn test<const WHAT: u8>(t: DType) -> unsafe fn(Args<2>) {
    if t == DType::C128 { pick_small::<Test<f64, WHAT>>() } else { pick_small::<Test<f32, WHAT>>() }
}

fn real<const ANGLE: bool>(t: DType) -> unsafe fn(Args<2>) {
    if t == DType::C128 { pick_small::<ToReal<f64, ANGLE>>() } else { pick_small::<ToReal<f32, ANGLE>>() }
}

/// The body of `op` for `t`, `C64` or `C128`.
pub fn unary(op: UnaryOp, t: DType) -> Option<Body<2>> {
    use UnaryOp as U;
    let (run, out) = match op {
        U::Abs => (real::<false>(t), t.to_real()),
        U::Angle => (real::<true>(t), t.to_real()),
        U::LogicalNot => (test::<0>(t), DType::Bool),
        U::IsNan => (test::<1>(t), DType::Bool),
        U::IsInf => (test::<2>(t), DType::Bool),
        U::IsFinite => (test::<3>(t), DType::Bool),
        U::Neg => (map::<Neg>(t), t),
        U::Conj => (map::<Conj>(t), t),
        U::Square => (map::<Square>(t), t),
        U::Sgn => (map::<Sgn>(t), t),
        U::Reciprocal => (map::<Recip>(t), t),
        U::Sqrt => (map::<Sqrt>(t), t),
        U::Rsqrt => (map::<Rsqrt>(t), t),
        U::Exp => (map::<Exp>(t), t),
        U::Exp2 => (map::<Exp2>(t), t),
        U::Expm1 => (map::<Expm1>(t), t),
        U::Log => (map::<Log>(t), t),
        U::Log2 => (map::<Log2>(t), t),
        U::Log10 => (map::<Log10>(t), t),
        U::Log1p => (map::<Log1p>(t), t),
        U::Sin => (map::<Sin>(t), t),
        U::Cos => (map::<Cos>(t), t),
        U::Tan => (map::<Tan>(t), t),
        U::Asin => (map::<Asin>(t), t),
        U::Acos => (map::<Acos>(t), t),
        U::Atan => (map::<Atan>(t), t),
        U::Sinh => (map::<Sinh>(t), t),
        U::Cosh => (map::<Cosh>(t), t),
        U::Tanh => (map::<Tanh>(t), t),
        U::Asinh => (map::<Asinh>(t), t),
        U::Acosh => (map::<Acosh>(t), t),
        U::Atanh => (map::<Atanh>(t), t),
        U::Sigmoid => (map::<Sigmoid>(t), t),
        U::Silu => (map::<Silu>(t), t),
        U::Sinc => (map::<Sinc>(t), t),
        U::PowScalar => (map::<PowScalar>(t), t),
        _ => return None,
    };
    Some(Body { run, dtypes: [out, t], in_place: false, grain: GRAIN / 8 })
}

trait Binary: 'static {
    fn f<T: Real>(a: Cx<T>, b: Cx<T>, p: &[T; 4]) -> Cx<T>;
}

struct Zip<O, T>(PhantomData<(O, T)>);

impl<O: Binary, T: Real> Kernel for Zip<O, T> {
    type Args = Args<3>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<3>) {
        // SAFETY: operands of type `Cx<T>` that do not overlap.
        unsafe {
            let (out, x, y) = (a.output::<Cx<T>>(), a.input::<Cx<T>>(1), a.input::<Cx<T>>(2));
            let p = a.params::<T>();
            for ((o, &x), &y) in out.iter_mut().zip(x).zip(y) {
                *o = O::f::<T>(x, y, &p);
            }
        }
    }
}

macro_rules! zips {
    ($($name:ident($a:ident, $b:ident, $p:ident) $e:expr;)*) => {$(
        struct $name;
        impl Binary for $name {
            #[inline(always)]
            fn f<T: Real>($a: Cx<T>, $b: Cx<T>, $p: &[T; 4]) -> Cx<T> {
                $e
            }
        }
    )*};
}

zips! {
    Add(a, b, _p) a + b;
    Sub(a, b, _p) a - b;
    AddScaled(a, b, p) a + b.scale(p[0]);
    SubScaled(a, b, p) a - b.scale(p[0]);
    Mul(a, b, _p) a * b;
    Div(a, b, _p) a.over(b);
    Pow(a, b, _p) Cx::of(a.wide().pow(b.wide()));
    Logaddexp(a, b, _p) Cx::of(a.wide().log_add(b.wide()));
    // y is the forward output; gradients conjugate the derivative.
    TanhBackward(g, y, _p) {
        let d = cx(T::ONE, T::ZERO) - y * y;
        g * cx(d.re, -d.im)
    };
    SigmoidBackward(g, y, _p) {
        let d = (cx(T::ONE, T::ZERO) - y) * y;
        g * cx(d.re, -d.im)
    };
}

/// Equality (`WHAT` 0), or logical and, or, xor (1, 2, 3).
struct Compare<T, const WHAT: u8, const NOT: bool>(PhantomData<T>);

impl<T: Real, const WHAT: u8, const NOT: bool> Kernel for Compare<T, WHAT, NOT> {
    type Args = Args<3>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<3>) {
        // SAFETY: a bool output, `Cx<T>` inputs, no overlap.
        let (out, x, y) = unsafe { (a.output::<u8>(), a.input::<Cx<T>>(1), a.input::<Cx<T>>(2)) };
        let set = |z: Cx<T>| z.re != T::ZERO || z.im != T::ZERO;
        for ((o, &x), &y) in out.iter_mut().zip(x).zip(y) {
            let r = match WHAT {
                0 => x.re == y.re && x.im == y.im,
                1 => set(x) & set(y),
                2 => set(x) | set(y),
                _ => set(x) ^ set(y),
            };
            *o = (r ^ NOT) as u8;
        }
    }
}

/// Two real inputs to a complex output.
struct Join<T>(PhantomData<T>);

impl<T: Real> Kernel for Join<T> {
    type Args = Args<3>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<3>) {
        // SAFETY: a `Cx<T>` output, `T` inputs, no overlap.
        let (out, x, y) = unsafe { (a.output::<Cx<T>>(), a.input::<T>(1), a.input::<T>(2)) };
        for ((o, &x), &y) in out.iter_mut().zip(x).zip(y) {
            *o = cx(x, y);
        }
    }
}

fn zip<O: Binary>(t: DType) -> unsafe fn(Args<3>) {
    if t == DType::C128 { pick_small::<Zip<O, f64>>() } else { pick_small::<Zip<O, f32>>() }
}

fn compare<const WHAT: u8, const NOT: bool>(t: DType) -> unsafe fn(Args<3>) {
    if t == DType::C128 { pick_small::<Compare<f64, WHAT, NOT>>() } else { pick_small::<Compare<f32, WHAT, NOT>>() }
}

/// The body of `op` for `t`, `C64` or `C128` (of the output for `Complex`).
pub fn binary(op: BinaryOp, t: DType, scaled: bool) -> Option<Body<3>> {
    use BinaryOp as B;
    let (run, out, input) = match op {
        B::Add if scaled => (zip::<AddScaled>(t), t, t),
        B::Sub if scaled => (zip::<SubScaled>(t), t, t),
        B::Add => (zip::<Add>(t), t, t),
        B::Sub => (zip::<Sub>(t), t, t),
        B::Mul => (zip::<Mul>(t), t, t),
        B::Div => (zip::<Div>(t), t, t),
        B::Pow => (zip::<Pow>(t), t, t),
        B::Logaddexp => (zip::<Logaddexp>(t), t, t),
        B::TanhBackward => (zip::<TanhBackward>(t), t, t),
        B::SigmoidBackward => (zip::<SigmoidBackward>(t), t, t),
        B::Eq => (compare::<0, false>(t), DType::Bool, t),
        B::Ne => (compare::<0, true>(t), DType::Bool, t),
        B::LogicalAnd => (compare::<1, false>(t), DType::Bool, t),
        B::LogicalOr => (compare::<2, false>(t), DType::Bool, t),
        B::LogicalXor => (compare::<3, false>(t), DType::Bool, t),
        B::Complex if t == DType::C128 => (pick_small::<Join<f64>>() as unsafe fn(Args<3>), t, DType::F64),
        B::Complex => (pick_small::<Join<f32>>() as unsafe fn(Args<3>), t, DType::F32),
        _ => return None,
    };
    Some(Body { run, dtypes: [out, input, input], in_place: false, grain: GRAIN / 4 })
}

/// 0 addcmul, 1 addcdiv, 2 lerp.
struct Three<T, const WHAT: u8>(PhantomData<T>);

impl<T: Real, const WHAT: u8> Kernel for Three<T, WHAT> {
    type Args = Args<4>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<4>) {
        // SAFETY: operands of type `Cx<T>` that do not overlap.
        unsafe {
            let (out, x) = (a.output::<Cx<T>>(), a.input::<Cx<T>>(1));
            let (y, z, p) = (a.input::<Cx<T>>(2), a.input::<Cx<T>>(3), a.params::<T>());
            for (((o, &x), &y), &z) in out.iter_mut().zip(x).zip(y).zip(z) {
                *o = match WHAT {
                    0 => x + y.scale(p[0]) * z,
                    1 => x + y.scale(p[0]).over(z),
                    _ if z.wide().abs() < 0.5 => x + z * (y - x),
                    _ => y - (y - x) * (cx(T::ONE, T::ZERO) - z),
                };
            }
        }
    }
}

fn three<const WHAT: u8>(t: DType) -> unsafe fn(Args<4>) {
    if t == DType::C128 { pick_small::<Three<f64, WHAT>>() } else { pick_small::<Three<f32, WHAT>>() }
}

pub fn ternary(op: TernaryOp, t: DType) -> Option<Body<4>> {
    let run = match op {
        TernaryOp::Addcmul => three::<0>(t),
        TernaryOp::Addcdiv => three::<1>(t),
        TernaryOp::Lerp => three::<2>(t),
        _ => return None,
    };
    Some(Body { run, dtypes: [t; 4], in_place: false, grain: GRAIN / 4 })
}
