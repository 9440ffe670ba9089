//! `out = f(x)` for floats: each body written once for both widths, compiled per instruction set.

use super::block::{Args, Body};
use crate::drive::GRAIN;
use crate::isa::{Isa, Kernel, pick, pick_small};
use crate::math::{Real, bessel, special};
use flambeau_backend::DType;
use flambeau_backend::UnaryOp;
use std::marker::PhantomData;

pub trait Unary: 'static {
    fn f<I: Isa, T: Real>(x: T, p: &[T; 4]) -> T;
}

struct Map<O, T>(PhantomData<(O, T)>);

impl<O: Unary, T: Real> Kernel for Map<O, T> {
    type Args = Args<2>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<2>) {
        // SAFETY: operands of type `T` that do not overlap.
        let (out, x, p) = unsafe { (a.output::<T>(), a.input::<T>(1), a.params::<T>()) };
        for (o, &x) in out.iter_mut().zip(x) {
            *o = O::f::<I, T>(x, &p);
        }
    }
}

/// `sin` or `cos`: arguments too large for the vector code are computed one by one afterwards.
struct Trig<T, const COS: bool>(PhantomData<T>);

impl<T: Real, const COS: bool> Kernel for Trig<T, COS> {
    type Args = Args<2>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<2>) {
        // SAFETY: operands of type `T` that do not overlap.
        let (out, x) = unsafe { (a.output::<T>(), a.input::<T>(1)) };
        for (out, x) in out.chunks_mut(256).zip(x.chunks(256)) {
            let mut all_small = true;
            for (o, &x) in out.iter_mut().zip(x) {
                all_small &= x.small_angle();
                *o = if COS { x.cos::<I>() } else { x.sin::<I>() };
            }
            if !all_small {
                for (o, &x) in out.iter_mut().zip(x) {
                    if !x.small_angle() {
                        *o = if COS { x.slow_cos() } else { x.slow_sin() };
                    }
                }
            }
        }
    }
}

macro_rules! bodies {
    ($($name:ident($x:ident, $p:ident) $e:expr;)*) => {$(
        struct $name;
        impl Unary for $name {
            #[inline(always)]
            fn f<I: Isa, T: Real>($x: T, $p: &[T; 4]) -> T {
                $e
            }
        }
    )*};
}

/// Through doubles, one by one.
macro_rules! scalars {
    ($($name:ident $f:path;)*) => {bodies! {$($name(x, _p) T::of($f(x.wide()));)*}};
}

#[inline(always)]
fn limit<T: Real>(x: T, lo: T, hi: T) -> T {
    let x = if x < lo { lo } else { x };
    if x > hi { hi } else { x }
}

#[inline(always)]
pub fn sigmoid<I: Isa, T: Real>(x: T) -> T {
    T::ONE / (T::ONE + (-x).exp::<I>())
}

/// The argument of `tanh` in the approximate gelu.
#[inline(always)]
pub fn gelu_inner<T: Real>(x: T) -> T {
    const BETA: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
    T::of(BETA) * (T::of(0.044715) * (x * x * x) + x)
}

/// `tanh(log1p(exp(x)))`, by `((1+e)^2 - 1) / ((1+e)^2 + 1)`.
#[inline(always)]
pub fn tanh_softplus<I: Isa, T: Real>(x: T) -> T {
    let e = limit(x, T::of(-1e4), T::of(20.0)).exp::<I>();
    let n = e * (e + T::of(2.0));
    n / (n + T::of(2.0))
}

bodies! {
    Neg(x, _p) -x;
    Abs(x, _p) x.abs();
    Sign(x, _p) {
        let one = if x > T::ZERO { T::ONE } else { T::ZERO };
        if x < T::ZERO { -T::ONE } else { one }
    };
    Ceil(x, _p) x.ceil();
    Floor(x, _p) x.floor();
    RoundEven(x, _p) x.round_even();
    // p[0] = 10^|decimals|
    RoundUp(x, p) (x * p[0]).round_even() / p[0];
    RoundDown(x, p) (x / p[0]).round_even() * p[0];
    Trunc(x, _p) x.trunc();
    Frac(x, _p) x - x.trunc();
    Reciprocal(x, _p) T::ONE / x;
    Sqrt(x, _p) x.sqrt();
    Rsqrt(x, _p) T::ONE / x.sqrt();
    Square(x, _p) x * x;
    Cube(x, _p) x * x * x;
    InvSquare(x, _p) T::ONE / (x * x);
    Exp(x, _p) x.exp::<I>();
    Exp2(x, _p) x.exp2::<I>();
    Expm1(x, _p) x.expm1::<I>();
    Log(x, _p) x.log::<I>();
    Log2(x, _p) x.log2::<I>();
    Log10(x, _p) x.log10::<I>();
    Log1p(x, _p) x.log1p::<I>();
    Sinh(x, _p) x.sinh::<I>();
    Cosh(x, _p) x.cosh::<I>();
    Tanh(x, _p) x.tanh::<I>();
    Erf(x, _p) x.erf::<I>();
    Erfc(x, _p) x.erfc::<I>();
    Sigmoid(x, _p) sigmoid::<I, T>(x);
    Relu(x, _p) if x < T::ZERO { T::ZERO } else { x };
    LeakyRelu(x, p) if x > T::ZERO { x } else { x * p[0] };
    Elu(x, p) {
        let low = p[0] * p[1] * (p[2] * x).expm1::<I>();
        if x < T::ZERO { low } else { p[1] * x }
    };
    Gelu(x, _p) x * T::HALF * (T::ONE + (x * T::of(std::f64::consts::FRAC_1_SQRT_2)).erf::<I>());
    GeluTanh(x, _p) T::HALF * x * (T::ONE + gelu_inner(x).tanh::<I>());
    Silu(x, _p) x / (T::ONE + (-x).exp::<I>());
    Mish(x, _p) x * tanh_softplus::<I, T>(x);
    Softplus(x, p) {
        let z = x * p[0];
        let y = z.exp::<I>().log1p::<I>() / p[0];
        if z > p[1] { x } else { y }
    };
    LogSigmoid(x, _p) {
        let m = if x < T::ZERO { x } else { T::ZERO };
        m - (-x.abs()).exp::<I>().log1p::<I>()
    };
    Hardtanh(x, p) limit(x, p[0], p[1]);
    Hardsigmoid(x, _p) limit(x + T::of(3.0), T::ZERO, T::of(6.0)) / T::of(6.0);
    Hardswish(x, _p) x * limit(x + T::of(3.0), T::ZERO, T::of(6.0)) / T::of(6.0);
    Threshold(x, p) if x <= p[0] { p[1] } else { x };
    Hardshrink(x, p) if x >= -p[0] && x <= p[0] { T::ZERO } else { x };
    Softshrink(x, p) {
        let low = if x < -p[0] { x + p[0] } else { x * T::ZERO };
        if x > p[0] { x - p[0] } else { low }
    };
    NanToNum(x, p) {
        let y = if x == T::INFINITY { p[1] } else { x };
        let y = if x == -T::INFINITY { p[2] } else { y };
        if x.is_nan() { p[0] } else { y }
    };
    PowScalar(x, p) x.pow::<I>(p[0]);
    Angle(x, _p) {
        let y = if x < T::ZERO { T::of(std::f64::consts::PI) } else { T::ZERO };
        if x.is_nan() { x } else { y }
    };
    Same(x, _p) x;
    Polygamma(x, p) T::of(special::polygamma(p[0].wide(), x.wide()));
    Sinc(x, _p) {
        let y = x * T::of(std::f64::consts::PI);
        if x == T::ZERO { T::ONE } else { y.slow_sin() / y }
    };
}

scalars! {
    Tan f64::tan;
    Asin f64::asin;
    Acos f64::acos;
    Atan f64::atan;
    Asinh special::asinh;
    Acosh special::acosh;
    Atanh special::atanh;
    Erfinv special::erfinv;
    Lgamma special::lgamma;
    Digamma special::digamma;
    I0 special::i0;
    I0e special::i0e;
    I1 special::i1;
    I1e special::i1e;
    Ndtri special::ndtri;
    LogNdtr bessel::log_ndtr;
    Erfcx bessel::erfcx;
    Entr bessel::entr;
    AiryAi bessel::airy_ai;
    BesselJ0 bessel::bessel_j0;
    BesselJ1 bessel::bessel_j1;
    BesselY0 bessel::bessel_y0;
    BesselY1 bessel::bessel_y1;
    ModifiedBesselK0 bessel::modified_bessel_k0;
    ModifiedBesselK1 bessel::modified_bessel_k1;
    ScaledModifiedBesselK0 bessel::scaled_modified_bessel_k0;
    ScaledModifiedBesselK1 bessel::scaled_modified_bessel_k1;
    SphericalBesselJ0 bessel::spherical_bessel_j0;
}

fn fast<O: Unary>(t: DType) -> unsafe fn(Args<2>) {
    if t == DType::F64 { pick::<Map<O, f64>>() } else { pick::<Map<O, f32>>() }
}

fn small<O: Unary>(t: DType) -> unsafe fn(Args<2>) {
    if t == DType::F64 { pick_small::<Map<O, f64>>() } else { pick_small::<Map<O, f32>>() }
}

/// The body of `op` for floats of compute type `t` (`F32` or `F64`); `p` may be rewritten for it.
pub fn body(op: UnaryOp, t: DType, p: &mut [f64; 4], given: usize) -> Option<Body<2>> {
    use UnaryOp as U;
    let mut grain = GRAIN;
    let run = match op {
        U::Neg => fast::<Neg>(t),
        U::Abs => fast::<Abs>(t),
        U::Sgn | U::Sign => fast::<Sign>(t),
        U::Ceil => fast::<Ceil>(t),
        U::Floor => fast::<Floor>(t),
        U::Round => {
            let decimals = if given > 0 { p[0] } else { 0.0 };
            p[0] = 10f64.powi(decimals.abs() as i32);
            match decimals {
                d if d > 0.0 => small::<RoundUp>(t),
                d if d < 0.0 => small::<RoundDown>(t),
                _ => fast::<RoundEven>(t),
            }
        }
        U::Trunc => fast::<Trunc>(t),
        U::Frac => small::<Frac>(t),
        U::Reciprocal => fast::<Reciprocal>(t),
        U::Sqrt => fast::<Sqrt>(t),
        U::Rsqrt => fast::<Rsqrt>(t),
        U::Square => fast::<Square>(t),
        U::Hardtanh => fast::<Hardtanh>(t),
        U::Relu => fast::<Relu>(t),
        U::LeakyRelu => fast::<LeakyRelu>(t),
        U::Hardsigmoid => fast::<Hardsigmoid>(t),
        U::Hardswish => fast::<Hardswish>(t),
        U::Threshold => fast::<Threshold>(t),
        U::Hardshrink => small::<Hardshrink>(t),
        U::Softshrink => small::<Softshrink>(t),
        U::NanToNum => small::<NanToNum>(t),
        U::Conj => small::<Same>(t),
        U::Angle => small::<Angle>(t),
        // What PyTorch does for these exponents, whose results at the edges differ from pow's.
        U::PowScalar if p[0] == 2.0 => fast::<Square>(t),
        U::PowScalar if p[0] == 0.5 => fast::<Sqrt>(t),
        U::PowScalar if p[0] == -0.5 => fast::<Rsqrt>(t),
        U::PowScalar if p[0] == -1.0 => fast::<Reciprocal>(t),
        U::PowScalar if p[0] == 3.0 => fast::<Cube>(t),
        U::PowScalar if p[0] == -2.0 => fast::<InvSquare>(t),
        _ => {
            grain = 8192;
            match op {
                U::Exp => fast::<Exp>(t),
                U::Exp2 => fast::<Exp2>(t),
                U::Expm1 => fast::<Expm1>(t),
                U::Log => fast::<Log>(t),
                U::Log2 => fast::<Log2>(t),
                U::Log10 => fast::<Log10>(t),
                U::Log1p => fast::<Log1p>(t),
                U::Sin if t == DType::F64 => pick_small::<Trig<f64, false>>(),
                U::Sin => pick::<Trig<f32, false>>(),
                U::Cos if t == DType::F64 => pick_small::<Trig<f64, true>>(),
                U::Cos => pick::<Trig<f32, true>>(),
                U::Sinh => small::<Sinh>(t),
                U::Cosh => small::<Cosh>(t),
                U::Tanh => fast::<Tanh>(t),
                U::Erf => fast::<Erf>(t),
                U::Erfc => small::<Erfc>(t),
                U::Sigmoid => fast::<Sigmoid>(t),
                U::Elu => fast::<Elu>(t),
                U::Gelu => fast::<Gelu>(t),
                U::GeluTanh => fast::<GeluTanh>(t),
                U::Silu => fast::<Silu>(t),
                U::Mish => fast::<Mish>(t),
                U::Softplus => fast::<Softplus>(t),
                U::LogSigmoid => fast::<LogSigmoid>(t),
                U::PowScalar => fast::<PowScalar>(t),
                _ => {
                    grain = 2048;
                    match op {
                        U::Tan => small::<Tan>(t),
                        U::Asin => small::<Asin>(t),
                        U::Acos => small::<Acos>(t),
                        U::Atan => small::<Atan>(t),
                        U::Asinh => small::<Asinh>(t),
                        U::Acosh => small::<Acosh>(t),
                        U::Atanh => small::<Atanh>(t),
                        U::Erfinv => small::<Erfinv>(t),
                        U::Lgamma => small::<Lgamma>(t),
                        U::Digamma => small::<Digamma>(t),
                        U::Polygamma => small::<Polygamma>(t),
                        U::I0 => small::<I0>(t),
                        U::I0e => small::<I0e>(t),
                        U::I1 => small::<I1>(t),
                        U::I1e => small::<I1e>(t),
                        U::Ndtri => small::<Ndtri>(t),
                        U::LogNdtr => small::<LogNdtr>(t),
                        U::Erfcx => small::<Erfcx>(t),
                        U::Entr => small::<Entr>(t),
                        U::AiryAi => small::<AiryAi>(t),
                        U::BesselJ0 => small::<BesselJ0>(t),
                        U::BesselJ1 => small::<BesselJ1>(t),
                        U::BesselY0 => small::<BesselY0>(t),
                        U::BesselY1 => small::<BesselY1>(t),
                        U::ModifiedBesselK0 => small::<ModifiedBesselK0>(t),
                        U::ModifiedBesselK1 => small::<ModifiedBesselK1>(t),
                        U::ScaledModifiedBesselK0 => small::<ScaledModifiedBesselK0>(t),
                        U::ScaledModifiedBesselK1 => small::<ScaledModifiedBesselK1>(t),
                        U::SphericalBesselJ0 => small::<SphericalBesselJ0>(t),
                        U::Sinc => small::<Sinc>(t),
                        _ => return None,
                    }
                }
            }
        }
    };
    Some(Body { run, dtypes: [t, t], in_place: false, grain })
}
