//! `out = f(a, b)` for floats, gradients included.

use super::block::{Args, Body};
use super::unary::{gelu_inner, sigmoid, tanh_softplus};
use crate::drive::GRAIN;
use crate::isa::{Isa, Kernel, pick, pick_small};
use crate::math::{Real, bessel, orthogonal, special};
use flambeau_backend::{BinaryOp, DType, Polynomial};
use std::marker::PhantomData;

pub trait Binary: 'static {
    fn f<I: Isa, T: Real>(a: T, b: T, p: &[T; 4]) -> T;
}

/// `IN_PLACE`: also compiled for an output that is `a`.
struct Zip<O, T, const IN_PLACE: bool>(PhantomData<(O, T)>);

impl<O: Binary, T: Real, const IN_PLACE: bool> Kernel for Zip<O, T, IN_PLACE> {
    type Args = Args<3>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<3>) {
        // SAFETY: operands of type `T`; the output overlaps none, or is `a` itself and then `a` is not read apart from it.
        unsafe {
            let (out, y, p) = (a.output::<T>(), a.input::<T>(2), a.params::<T>());
            if IN_PLACE && a.ptrs[0] == a.ptrs[1] {
                for (o, &y) in out.iter_mut().zip(y) {
                    *o = O::f::<I, T>(*o, y, &p);
                }
                return;
            }
            let x = a.input::<T>(1);
            for ((o, &x), &y) in out.iter_mut().zip(x).zip(y) {
                *o = O::f::<I, T>(x, y, &p);
            }
        }
    }
}

macro_rules! bodies {
    ($($name:ident($a:ident, $b:ident, $p:ident) $e:expr;)*) => {$(
        struct $name;
        impl Binary for $name {
            #[inline(always)]
            fn f<I: Isa, T: Real>($a: T, $b: T, $p: &[T; 4]) -> T {
                $e
            }
        }
    )*};
}

/// Python's modulus.
#[inline(always)]
fn modulus<T: Real>(a: T, b: T) -> T {
    let m = a.fmod(b);
    if m != T::ZERO && (b < T::ZERO) != (m < T::ZERO) { m + b } else { m }
}

/// Division rounded down, exact where the rounded quotient would not be.
#[inline(always)]
fn floor_divide<T: Real>(a: T, b: T) -> T {
    if b == T::ZERO {
        return a / b;
    }
    let m = a.fmod(b);
    let mut q = (a - m) / b;
    if m != T::ZERO && (b < T::ZERO) != (m < T::ZERO) {
        q = q - T::ONE;
    }
    if q == T::ZERO {
        return T::ZERO.copysign(a / b);
    }
    let f = q.floor();
    if q - f > T::HALF { f + T::ONE } else { f }
}

/// `log(e^a + e^b)` in base e (`scale` 1) or 2.
#[inline(always)]
fn log_add<I: Isa, T: Real>(a: T, b: T, base2: bool) -> T {
    let m = if a > b { a } else { b };
    let d = -(a - b).abs();
    let l =
        if base2 { d.exp2::<I>().log1p::<I>() * T::of(std::f64::consts::LOG2_E) } else { d.exp::<I>().log1p::<I>() };
    let r = m + l;
    let r = if a.is_nan() { a } else { r };
    if a == b && a.abs() == T::INFINITY { a } else { r }
}

bodies! {
    Add(a, b, _p) a + b;
    Sub(a, b, _p) a - b;
    AddScaled(a, b, p) b.fma::<I>(p[0], a);
    SubScaled(a, b, p) (-b).fma::<I>(p[0], a);
    Mul(a, b, _p) a * b;
    Div(a, b, _p) a / b;
    DivTrunc(a, b, _p) (a / b).trunc();
    DivFloor(a, b, _p) floor_divide(a, b);
    Remainder(a, b, _p) modulus(a, b);
    Fmod(a, b, _p) a.fmod(b);
    Pow(a, b, _p) a.pow::<I>(b);
    Atan2(a, b, _p) a.atan2(b);
    Hypot(a, b, _p) a.hypot(b);
    Copysign(a, b, _p) a.copysign(b);
    Nextafter(a, b, _p) a.nextafter(b);
    Maximum(a, b, _p) {
        let m = if a > b { a } else { b };
        if a.is_nan() { a } else { m }
    };
    Minimum(a, b, _p) {
        let m = if a < b { a } else { b };
        if a.is_nan() { a } else { m }
    };
    Fmax(a, b, _p) if a > b || b.is_nan() { a } else { b };
    Fmin(a, b, _p) if a < b || b.is_nan() { a } else { b };
    Logaddexp(a, b, _p) log_add::<I, T>(a, b, false);
    Logaddexp2(a, b, _p) log_add::<I, T>(a, b, true);
    Xlogy(a, b, _p) {
        let y = a * b.log::<I>();
        let y = if a == T::ZERO { T::ZERO } else { y };
        if b.is_nan() { b } else { y }
    };
    Xlog1py(a, b, _p) {
        let y = a * b.log1p::<I>();
        let y = if a == T::ZERO { T::ZERO } else { y };
        if b.is_nan() { b } else { y }
    };
    Zeta(a, b, _p) T::of(special::hurwitz_zeta(a.wide(), b.wide()));
    Igamma(a, b, _p) T::of(bessel::igamma(a.wide(), b.wide()));
    Igammac(a, b, _p) T::of(bessel::igammac(a.wide(), b.wide()));
    Orthogonal(a, b, p) T::of(orthogonal::value(Polynomial::ALL[p[0].wide() as usize], a.wide(), b.wide()));
    Heaviside(a, b, _p) {
        let y = if a > T::ZERO { T::ONE } else { T::ZERO };
        if a == T::ZERO { b } else { y }
    };
    TanhBackward(g, y, _p) g * (T::ONE - y * y);
    SigmoidBackward(g, y, _p) g * (T::ONE - y) * y;
    ThresholdBackward(g, x, p) if x <= p[0] { T::ZERO } else { g };
    LeakyReluBackward(g, x, p) if x > T::ZERO { g } else { g * p[0] };
    EluBackward(g, x, p) {
        let low = g * p[2] * (p[0] * p[1]) * (x * p[2]).exp::<I>();
        if x > T::ZERO { g * p[1] } else { low }
    };
    GeluBackward(g, x, _p) {
        const NORM: f64 = 0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
        let cdf = T::HALF * (T::ONE + (x * T::of(std::f64::consts::FRAC_1_SQRT_2)).erf::<I>());
        let pdf = (x * x * -T::HALF).exp::<I>() * T::of(NORM);
        g * (x * pdf + cdf)
    };
    GeluTanhBackward(g, x, _p) {
        const BETA: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
        let t = gelu_inner(x).tanh::<I>();
        let slope = T::of(BETA) * (T::ONE + T::of(3.0 * 0.044715) * x * x);
        g * (T::HALF * (T::ONE + t) + T::HALF * x * (T::ONE - t * t) * slope)
    };
    SiluBackward(g, x, _p) {
        let s = sigmoid::<I, T>(x);
        g * s * (T::ONE + x * (T::ONE - s))
    };
    MishBackward(g, x, _p) {
        let s = sigmoid::<I, T>(x);
        let t = tanh_softplus::<I, T>(x);
        g * (t + x * s * (T::ONE - t * t))
    };
    SoftplusBackward(g, x, p) {
        let z = (x * p[0]).exp::<I>();
        let y = g * z / (z + T::ONE);
        if x * p[0] > p[1] { g } else { y }
    };
    LogSigmoidBackward(g, x, _p) {
        let z = (-x.abs()).exp::<I>();
        let s = z / (T::ONE + z);
        g * if x < T::ZERO { T::ONE - s } else { s }
    };
    HardtanhBackward(g, x, p) if x > p[0] && x < p[1] { g } else { T::ZERO };
    HardsigmoidBackward(g, x, _p) {
        let inside = x > T::of(-3.0) && x < T::of(3.0);
        // PyTorch's constant is single precision for every dtype.
        if inside { g / T::of(6.0) } else { T::ZERO }
    };
    HardswishBackward(g, x, _p) {
        let y = if x >= T::of(3.0) { g } else { g * (x / T::of(3.0) + T::HALF) };
        if x <= T::of(-3.0) { T::ZERO } else { y }
    };
    HardshrinkBackward(g, x, p) if x > p[0] || x < -p[0] { g } else { T::ZERO };
}

/// `nextafter` of 16-bit floats, on their bits; `NAN_ABOVE` is infinity's pattern.
struct Next16<const NAN_ABOVE: u16>;

impl<const NAN_ABOVE: u16> Kernel for Next16<NAN_ABOVE> {
    type Args = Args<3>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<3>) {
        // SAFETY: operands of two bytes that do not overlap.
        let (out, x, y) = unsafe { (a.output::<u16>(), a.input::<u16>(1), a.input::<u16>(2)) };
        // Patterns as integers in the order of the numbers; both zeros are 0.
        let order = |b: u16| if b & 0x8000 != 0 { -((b & 0x7fff) as i32) } else { b as i32 };
        for ((o, &x), &y) in out.iter_mut().zip(x).zip(y) {
            let (i, j) = (order(x), order(y));
            let k = i + (j - i).signum();
            let r = if k < 0 || (k == 0 && i < 0) { 0x8000 | k.unsigned_abs() as u16 } else { k as u16 };
            let nan = x & 0x7fff > NAN_ABOVE || y & 0x7fff > NAN_ABOVE;
            let r = if i == j { y } else { r };
            *o = if nan { NAN_ABOVE | 0x7f } else { r };
        }
    }
}

/// The body of `nextafter` for `F16` or `BF16`, which must not go through `f32`.
pub fn nextafter16(t: DType) -> Body<3> {
    let run: unsafe fn(Args<3>) =
        if t == DType::F16 { pick_small::<Next16<0x7c00>>() } else { pick_small::<Next16<0x7f80>>() };
    Body { run, dtypes: [t; 3], in_place: false, grain: GRAIN }
}

fn hot<O: Binary>(t: DType) -> unsafe fn(Args<3>) {
    if t == DType::F64 { pick::<Zip<O, f64, true>>() } else { pick::<Zip<O, f32, true>>() }
}

fn fast<O: Binary>(t: DType) -> unsafe fn(Args<3>) {
    if t == DType::F64 { pick::<Zip<O, f64, false>>() } else { pick::<Zip<O, f32, false>>() }
}

fn small<O: Binary>(t: DType) -> unsafe fn(Args<3>) {
    if t == DType::F64 { pick_small::<Zip<O, f64, false>>() } else { pick_small::<Zip<O, f32, false>>() }
}

/// The body of `op` for floats of compute type `t` (`F32` or `F64`); `scaled`: a factor is given for `Add` or `Sub`.
pub fn body(op: BinaryOp, t: DType, scaled: bool) -> Option<Body<3>> {
    use BinaryOp as B;
    let mut in_place = false;
    let mut grain = GRAIN;
    let run = match op {
        B::Add | B::Sub | B::Mul | B::Div => {
            in_place = true;
            match (op, scaled) {
                (B::Add, false) => hot::<Add>(t),
                (B::Add, true) => hot::<AddScaled>(t),
                (B::Sub, false) => hot::<Sub>(t),
                (B::Sub, true) => hot::<SubScaled>(t),
                (B::Mul, _) => hot::<Mul>(t),
                _ => hot::<Div>(t),
            }
        }
        B::DivTrunc => small::<DivTrunc>(t),
        B::Copysign => small::<Copysign>(t),
        B::Nextafter => small::<Nextafter>(t),
        B::Maximum => fast::<Maximum>(t),
        B::Minimum => fast::<Minimum>(t),
        B::Fmax => small::<Fmax>(t),
        B::Fmin => small::<Fmin>(t),
        B::Heaviside => small::<Heaviside>(t),
        B::TanhBackward => fast::<TanhBackward>(t),
        B::SigmoidBackward => fast::<SigmoidBackward>(t),
        B::ThresholdBackward => fast::<ThresholdBackward>(t),
        B::LeakyReluBackward => fast::<LeakyReluBackward>(t),
        B::HardtanhBackward => small::<HardtanhBackward>(t),
        B::HardsigmoidBackward => small::<HardsigmoidBackward>(t),
        B::HardswishBackward => small::<HardswishBackward>(t),
        B::HardshrinkBackward => small::<HardshrinkBackward>(t),
        _ => {
            grain = 4096;
            match op {
                B::DivFloor => small::<DivFloor>(t),
                B::Remainder => small::<Remainder>(t),
                B::Fmod => small::<Fmod>(t),
                B::Pow => fast::<Pow>(t),
                B::Atan2 => small::<Atan2>(t),
                B::Hypot => small::<Hypot>(t),
                B::Logaddexp => small::<Logaddexp>(t),
                B::Logaddexp2 => small::<Logaddexp2>(t),
                B::Xlogy => small::<Xlogy>(t),
                B::Xlog1py => small::<Xlog1py>(t),
                B::Zeta => small::<Zeta>(t),
                B::Igamma => small::<Igamma>(t),
                B::Igammac => small::<Igammac>(t),
                B::Orthogonal => small::<Orthogonal>(t),
                B::EluBackward => fast::<EluBackward>(t),
                B::GeluBackward => fast::<GeluBackward>(t),
                B::GeluTanhBackward => fast::<GeluTanhBackward>(t),
                B::SiluBackward => fast::<SiluBackward>(t),
                B::MishBackward => fast::<MishBackward>(t),
                B::SoftplusBackward => fast::<SoftplusBackward>(t),
                B::LogSigmoidBackward => fast::<LogSigmoidBackward>(t),
                _ => return None,
            }
        }
    };
    Some(Body { run, dtypes: [t; 3], in_place, grain })
}
