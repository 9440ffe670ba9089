//! Single precision. Functions whose errors would not stay below about one unit in the last place go through doubles.

use super::f64 as wide;
use crate::isa::Isa;
use std::f32::consts::LOG2_E;

const MAGIC: f32 = 12582912.0; // 1.5 * 2^23
const LN2_HI: f32 = 0.693_359_4; // 10 bits, so that k*LN2_HI is exact
const LN2_LO: f32 = -2.121_944_4e-4;

const EXP: [f32; 5] = [0.5, 0.16666576, 0.041666552, 0.008363233, 0.001392625];
const LOG: [f32; 9] =
    [0.3333333, -0.24999997, 0.20000716, -0.16667803, 0.14249058, -0.12425687, 0.1168542, -0.11479734, 0.06971612];
const ERF: [f32; 7] = [0.12837917, -0.37612626, 0.11283594, -0.026854211, 0.0051890872, -0.00080168643, 7.875875e-05];
/// `(tanh(x)/x - 1) / x^2` in x^2, |x| below 0.625.
const TANH: [f32; 5] = [-0.33333328, 0.1333277, -0.053850908, 0.02099718, -0.006096714];
/// `-log(erfc(x))` in `x - 2.5`, x in [1, 4].
const ERFC: [f32; 9] = [
    7.806815,
    5.3526807,
    0.94389373,
    0.010858541,
    -0.0021653036,
    0.00042012252,
    -7.729138e-05,
    1.3315014e-05,
    -1.6371514e-06,
];

#[inline(always)]
fn poly<I: Isa, const N: usize>(c: &[f32; N], x: f32) -> f32 {
    let mut y = c[N - 1];
    let mut i = N - 1;
    while i > 0 {
        i -= 1;
        y = I::fma32(y, x, c[i]);
    }
    y
}

/// `if c { a } else { b }` with both computed: a branch around either would keep LLVM from vectorising.
#[inline(always)]
fn select(c: bool, a: f32, b: f32) -> f32 {
    let m = (c as u32).wrapping_neg();
    f32::from_bits((a.to_bits() & m) | (b.to_bits() & !m))
}

#[inline(always)]
fn limit(x: f32, lo: f32, hi: f32) -> f32 {
    let x = if x < lo { lo } else { x };
    if x > hi { hi } else { x }
}

#[inline(always)]
fn pow2(k: i32) -> f32 {
    f32::from_bits((k.wrapping_add(127) as u32) << 23)
}

#[inline(always)]
fn reduce<I: Isa>(x: f32) -> (i32, f32) {
    let t = I::fma32(x, LOG2_E, MAGIC);
    let n = t - MAGIC;
    let k = (t.to_bits() as i32).wrapping_sub(MAGIC.to_bits() as i32);
    let r = I::fma32(-n, LN2_LO, I::fma32(-n, LN2_HI, x));
    (k, I::fma32(r * r, poly::<I, 5>(&EXP, r), r))
}

#[inline(always)]
pub fn exp<I: Isa>(x: f32) -> f32 {
    let (k, p) = reduce::<I>(limit(x, -104.0, 89.0));
    let half = k >> 1;
    ((1.0 + p) * pow2(half)) * pow2(k - half)
}

#[inline(always)]
pub fn expm1<I: Isa>(x: f32) -> f32 {
    let (k, p) = reduce::<I>(limit(x, -18.0, 89.0));
    let s = pow2(k - 1);
    (2.0 * I::fma32(s, p, s - 0.5)).copysign(x)
}

#[inline(always)]
pub fn log<I: Isa>(x: f32) -> f32 {
    let tiny = x < f32::MIN_POSITIVE;
    let v = if tiny { x * 8388608.0 } else { x };
    let bits = v.to_bits() as i32;
    let e = bits.wrapping_sub(0x3f35_04f3) >> 23;
    let f = f32::from_bits(bits.wrapping_sub(e << 23) as u32) - 1.0;
    let k = (if tiny { e.wrapping_sub(23) } else { e }) as f32;
    let z = f * f;
    let r = I::fma32(k, LN2_LO, f * z * poly::<I, 9>(&LOG, f));
    let y = I::fma32(k, LN2_HI, I::fma32(-0.5, z, r) + f);
    let y = if x == f32::INFINITY { x } else { y };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x >= 0.0 { y } else { f32::NAN }
}

#[inline(always)]
pub fn tanh<I: Isa>(x: f32) -> f32 {
    let t = expm1::<I>(2.0 * limit(x.abs(), 0.0, 10.0));
    let z = x * x;
    let small = I::fma32(x * z, poly::<I, 5>(&TANH, z), x);
    select(x.abs() < 0.625, small, (t / (t + 2.0)).copysign(x))
}

#[inline(always)]
pub fn erf<I: Isa>(x: f32) -> f32 {
    let a = limit(x.abs(), 0.0, 4.0);
    let small = I::fma32(x, poly::<I, 7>(&ERF, x * x), x);
    // Where this branch counts the exponent is between -23 and 0: one factor scales, and nothing need be limited.
    let (k, p) = reduce::<I>(-poly::<I, 9>(&ERFC, a - 2.5));
    let large = 1.0 - (1.0 + p) * pow2(k);
    select(a < 1.0, small, large.copysign(x))
}

#[inline(always)]
pub fn erfc<I: Isa>(x: f32) -> f32 {
    wide::erfc_lite::<I>(x as f64) as f32
}

#[inline(always)]
pub fn log1p<I: Isa>(x: f32) -> f32 {
    let y = wide::log_lite::<I>(1.0 + x as f64) as f32;
    // Where 1 + x has lost digits of x, two terms of the series.
    let series = I::fma32(-0.5 * x, x, x);
    select(x.abs() < 1.0 / 4096.0, I::fma32(x * x, x * (1.0 / 3.0), series), y)
}

#[inline(always)]
pub fn log2<I: Isa>(x: f32) -> f32 {
    wide::log2_lite::<I>(x as f64) as f32
}

#[inline(always)]
pub fn log10<I: Isa>(x: f32) -> f32 {
    (wide::log2_lite::<I>(x as f64) * std::f64::consts::LOG10_2) as f32
}

#[inline(always)]
pub fn exp2<I: Isa>(x: f32) -> f32 {
    wide::exp2_lite::<I>(x as f64) as f32
}

/// For `|x| < 2^17`; beyond, the caller uses the standard library's.
#[inline(always)]
pub fn sin<I: Isa>(x: f32) -> f32 {
    let y = wide::sin_lite::<I>(x as f64) as f32;
    if x == 0.0 { x } else { y }
}

/// As [`sin`].
#[inline(always)]
pub fn cos<I: Isa>(x: f32) -> f32 {
    wide::cos_lite::<I>(x as f64) as f32
}

#[inline(always)]
pub fn sinh<I: Isa>(x: f32) -> f32 {
    let e = wide::exp_lite::<I>(x as f64);
    let y = (0.5 * (e - 1.0 / e)) as f32;
    // Below 1/64 the difference loses digits: the series.
    let z = x * x;
    select(x.abs() < 1.0 / 64.0, I::fma32(x * z, I::fma32(z, 1.0 / 120.0, 1.0 / 6.0), x), y)
}

#[inline(always)]
pub fn cosh<I: Isa>(x: f32) -> f32 {
    let e = wide::exp_lite::<I>(x as f64);
    (0.5 * (e + 1.0 / e)) as f32
}

/// C's `pow`, correctly rounded but for rare ties.
#[inline(always)]
pub fn pow<I: Isa>(x: f32, y: f32) -> f32 {
    let a = x.abs();
    let l = wide::log2_lite::<I>(a as f64);
    let r = wide::exp2_lite::<I>(y as f64 * l) as f32;
    let whole = y.trunc() == y;
    let odd = whole && (0.5 * y).trunc() != 0.5 * y;
    let negative = x.to_bits() >> 31 != 0;
    let r = if negative && odd { -r } else { r };
    let r = if x < 0.0 && !whole && a < f32::INFINITY { f32::NAN } else { r };
    let r = if x.is_nan() || y.is_nan() { f32::NAN } else { r };
    // (+-1)^(+-inf), 1^y, x^0
    let r = if a == 1.0 && y.abs() == f32::INFINITY { 1.0 } else { r };
    if x == 1.0 || y == 0.0 { 1.0 } else { r }
}
