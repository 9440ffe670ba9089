//! Double precision, and the double-precision cores of single-precision functions.

use crate::isa::Isa;
use std::f64::consts::{LN_2, LOG2_E};

const MAGIC: f64 = 6755399441055744.0; // 1.5 * 2^52: adding it rounds to an integer, in the low bits
const LN2_HI: f64 = 6.931_471_803_691_238e-1; // 33 bits, so that k*LN2_HI is exact
const LN2_LO: f64 = 1.908_214_929_270_587_7e-10;

const EXP: [f64; 11] = [
    0.5,
    0.1666666666666667,
    0.04166666666666667,
    0.008333333333326084,
    0.0013888888888883711,
    0.0001984126987500228,
    2.480158732567746e-05,
    2.755725517000089e-06,
    2.755727347871858e-07,
    2.5105312729622103e-08,
    2.09147553258932e-09,
];
const LOG: [f64; 8] = [
    0.6666666666666666,
    0.4000000000000088,
    0.28571428570801954,
    0.22222222392089008,
    0.18181795600060793,
    0.15386241881938595,
    0.13268714792348096,
    0.1308723619665962,
];
/// About 40 bits, for results in single precision.
const LOG_LITE: [f64; 5] =
    [0.6666666666737665, 0.39999998795219155, 0.2857175496835035, 0.22191373380944632, 0.19363186932161763];
const EXP2_LITE: [f64; 7] = [
    LN_2,
    0.24022650922288757,
    0.055504108839096185,
    0.009618056678524637,
    0.001333350238616277,
    0.0001546144469856913,
    1.5297323760701075e-05,
];
const SIN: [f64; 4] = [-0.1666666666362283, 0.008333331785217696, -0.00019840038872556747, 2.724378140946123e-06];
const COS: [f64; 4] = [0.04166666666412721, -0.001388888759732781, 2.4800560429914505e-05, -2.7295830827614617e-07];
/// `(tanh(x)/x - 1) / x^2` in x^2 as a quotient, |x| below 1, to 2^-60.
const TANH_P: [f64; 4] = [-0.33333333333333326, -0.02140595571262982, -0.00024310563433479224, -1.7192745449703568e-08];
const TANH_Q: [f64; 4] = [1.0, 0.4642178671378855, 0.02451170185343361, 0.00025411467701407593];
const ERF: [f64; 12] = [
    0.12837916709551256,
    -0.37612638903183543,
    0.11283791670945006,
    -0.02686617064323777,
    0.0052239776071164225,
    -0.0008548325975389692,
    0.00012055294904839707,
    -1.492473690741966e-05,
    1.6447424703317362e-06,
    -1.6208483801871705e-07,
    1.3720064546777686e-08,
    -7.795898827002142e-10,
];
/// `log(erfc(x)/t) + x^2` in `t - 0.4375`, `t = 1/(1 + x/2)`, for x in [1, 6].
const ERFC: [f64; 18] = [
    -0.7550458267214988,
    1.3173933695348408,
    0.2553566054958916,
    -0.3253492214354814,
    -0.23713285062099845,
    0.21674008048658674,
    0.23263252392452688,
    -0.23221302178053166,
    -0.23214805345131242,
    0.3162676160103848,
    0.19940068275290354,
    -0.4555079421431912,
    -0.07793230732475387,
    0.60493565840643,
    -0.1884100492540678,
    -0.6129416362990954,
    0.49356643690533014,
    0.14700833734888288,
];
/// The same for x in [0.4, 10.2], to 2^-34.
const ERFC_LITE: [f64; 13] = [
    -0.7550458266924203,
    1.3173933707257393,
    0.25535658104570325,
    -0.32534949949797515,
    -0.23712934766116306,
    0.216756616403239,
    0.23244237023368886,
    -0.23251888151718259,
    -0.22738774067449852,
    0.3153339152764902,
    0.1443351072815027,
    -0.37765555920524574,
    0.14890328275568604,
];

#[inline(always)]
fn poly<I: Isa, const N: usize>(c: &[f64; N], x: f64) -> f64 {
    let mut y = c[N - 1];
    let mut i = N - 1;
    while i > 0 {
        i -= 1;
        y = I::fma64(y, x, c[i]);
    }
    y
}

/// `if c { a } else { b }` with both computed: a branch around either would keep LLVM from vectorising.
#[inline(always)]
fn select(c: bool, a: f64, b: f64) -> f64 {
    let m = (c as u64).wrapping_neg();
    f64::from_bits((a.to_bits() & m) | (b.to_bits() & !m))
}

/// `x` limited to `[lo, hi]`; NaN stays.
#[inline(always)]
fn limit(x: f64, lo: f64, hi: f64) -> f64 {
    let x = if x < lo { lo } else { x };
    if x > hi { hi } else { x }
}

/// 2^k for k in the normal range.
#[inline(always)]
fn pow2(k: i64) -> f64 {
    f64::from_bits(((k + 1023) as u64) << 52)
}

/// `x = k*ln2 + r`, and `exp(r) - 1`.
#[inline(always)]
fn reduce<I: Isa>(x: f64) -> (i64, f64) {
    let t = I::fma64(x, LOG2_E, MAGIC);
    let n = t - MAGIC;
    let k = (t.to_bits() as i64).wrapping_sub(MAGIC.to_bits() as i64);
    let r = I::fma64(-n, LN2_LO, I::fma64(-n, LN2_HI, x));
    (k, I::fma64(r * r, poly::<I, 11>(&EXP, r), r))
}

#[inline(always)]
pub fn exp<I: Isa>(x: f64) -> f64 {
    let (k, p) = reduce::<I>(limit(x, -746.0, 710.0));
    // In two factors, so that subnormal results round once and overflow gives infinity.
    let half = k >> 1;
    ((1.0 + p) * pow2(half)) * pow2(k - half)
}

#[inline(always)]
pub fn expm1<I: Isa>(x: f64) -> f64 {
    let (k, p) = reduce::<I>(limit(x, -40.0, 710.0));
    let s = pow2(k - 1);
    (2.0 * I::fma64(s, p, s - 0.5)).copysign(x)
}

/// `x = 2^k * (1 + f)`, `1 + f` in `[sqrt(1/2), sqrt(2))`.
#[inline(always)]
fn split(x: f64) -> (f64, f64) {
    let tiny = x < f64::MIN_POSITIVE;
    let x = if tiny { x * 18014398509481984.0 } else { x };
    let bits = x.to_bits() as i64;
    let e = bits.wrapping_sub(0x3fe6_a09e_667f_3bcd) >> 52;
    let m = f64::from_bits(bits.wrapping_sub(e << 52) as u64);
    // Integer to double by the same magic: |e| is small.
    let k = f64::from_bits((e.wrapping_add(MAGIC.to_bits() as i64)) as u64) - MAGIC;
    (if tiny { k - 54.0 } else { k }, m - 1.0)
}

/// The values of a logarithm outside `(0, inf)`.
#[inline(always)]
fn log_edges(x: f64, y: f64) -> f64 {
    let y = if x == f64::INFINITY { x } else { y };
    let y = if x == 0.0 { f64::NEG_INFINITY } else { y };
    if x >= 0.0 { y } else { f64::NAN }
}

#[inline(always)]
pub fn log<I: Isa>(x: f64) -> f64 {
    let (k, f) = split(x);
    let s = f / (2.0 + f);
    let z = s * s;
    let h = 0.5 * f * f;
    let r = z * poly::<I, 8>(&LOG, z);
    let y = I::fma64(k, LN2_HI, f - (h - I::fma64(s, h + r, k * LN2_LO)));
    log_edges(x, y)
}

/// `log(1 + x)`: the rounding of `1 + x` is undone to first order.
#[inline(always)]
pub fn log1p<I: Isa>(x: f64) -> f64 {
    let u = 1.0 + x;
    let c = (x - (u - 1.0)) / u;
    let y = log::<I>(u);
    let y = select(u > 0.0 && u < f64::INFINITY, y + c, y);
    // Below 2^-54 the logarithm is x itself; this also keeps the sign of zero.
    if x.abs() < 5.6e-17 { x } else { y }
}

/// `ln(x)` to about 2^-42, with the edges of [`log`].
#[inline(always)]
pub fn log_lite<I: Isa>(x: f64) -> f64 {
    let (k, f) = split(x);
    let s = f / (2.0 + f);
    let z = s * s;
    let r = I::fma64(z, poly::<I, 5>(&LOG_LITE, z), 2.0);
    log_edges(x, I::fma64(k, LN_2, s * r))
}

/// `log2(x)` to about 2^-42.
#[inline(always)]
pub fn log2_lite<I: Isa>(x: f64) -> f64 {
    let (k, f) = split(x);
    let s = f / (2.0 + f);
    let z = s * s;
    let r = I::fma64(z, poly::<I, 5>(&LOG_LITE, z), 2.0);
    log_edges(x, I::fma64(s * r, LOG2_E, k))
}

/// 2^x to about 2^-33, for results in single precision: `x` is limited to what those can tell.
#[inline(always)]
pub fn exp2_lite<I: Isa>(x: f64) -> f64 {
    let x = limit(x, -300.0, 300.0);
    let t = x + MAGIC;
    let k = (t.to_bits() as i64).wrapping_sub(MAGIC.to_bits() as i64);
    let r = x - (t - MAGIC);
    I::fma64(poly::<I, 7>(&EXP2_LITE, r), r, 1.0) * pow2(k)
}

/// `e^x` to about 2^-33, as [`exp2_lite`].
#[inline(always)]
pub fn exp_lite<I: Isa>(x: f64) -> f64 {
    exp2_lite::<I>(x * LOG2_E)
}

#[inline(always)]
pub fn tanh<I: Isa>(x: f64) -> f64 {
    // x + x^3 P/Q, or 1 - 2/(e^2x + 1): small corrections of exact numbers, by one division.
    let a = limit(x.abs(), 0.0, 20.0);
    let z = a * a;
    let small = a < 1.0;
    let (k, p) = reduce::<I>(a + a);
    let top = select(small, a * z * poly::<I, 4>(&TANH_P, z), -2.0);
    let bottom = select(small, poly::<I, 4>(&TANH_Q, z), I::fma64(pow2(k), 1.0 + p, 1.0));
    (select(small, a, 1.0) + top / bottom).copysign(x)
}

#[inline(always)]
pub fn erf<I: Isa>(x: f64) -> f64 {
    let a = x.abs();
    let z = x * x;
    let small = I::fma64(x, poly::<I, 12>(&ERF, z), x);
    let a = limit(a, 0.0, 6.0);
    let t = 1.0 / (1.0 + 0.5 * a);
    let g = poly::<I, 18>(&ERFC, t - 0.4375);
    let large = 1.0 - t * exp::<I>(I::fma64(-a, a, g));
    select(a < 1.0, small, large.copysign(x))
}

/// `erfc` to about 2^-33 relative, down to single precision's underflow.
#[inline(always)]
pub fn erfc_lite<I: Isa>(x: f64) -> f64 {
    let z = x * x;
    let small = 1.0 - I::fma64(x, poly::<I, 12>(&ERF, z), x);
    let a = limit(x.abs(), 0.0, 10.2);
    let t = 1.0 / (1.0 + 0.5 * a);
    let y = t * exp_lite::<I>(I::fma64(-a, a, poly::<I, 13>(&ERFC_LITE, t - 0.4375)));
    let y = select(x < 0.0, 2.0 - y, y);
    select(a < 0.4, small, y)
}

/// `x = n*pi/2 + r`: the quadrant and `r`, for `|x| < 2^40`.
#[inline(always)]
fn quadrant<I: Isa>(x: f64) -> (u64, f64) {
    const HI: f64 = std::f64::consts::FRAC_PI_2;
    const LO: f64 = 6.123233995736766e-17;
    // Without a fused multiply-add the products must be exact: HI in two parts of 33 and 53 bits.
    const HI1: f64 = 1.570_796_326_734_125_6;
    const HI2: f64 = 6.077_100_506_506_192e-11;
    let t = I::fma64(x, std::f64::consts::FRAC_2_PI, MAGIC);
    let n = t - MAGIC;
    let r = if I::FMA { I::fma64(-n, LO, I::fma64(-n, HI, x)) } else { (x - n * HI1) - n * HI2 };
    (t.to_bits(), r)
}

#[inline(always)]
fn sin_cos<I: Isa>(x: f64, shift: u64) -> f64 {
    let (n, r) = quadrant::<I>(x);
    let n = n.wrapping_add(shift);
    let z = r * r;
    let s = I::fma64(r * z, poly::<I, 4>(&SIN, z), r);
    let c = I::fma64(z * z, poly::<I, 4>(&COS, z), 1.0 - 0.5 * z);
    let y = if n & 1 == 0 { s } else { c };
    f64::from_bits(y.to_bits() ^ ((n & 2) << 62))
}

/// `sin` to about 2^-35, for `|x| < 2^30` (2^18 without a fused multiply-add).
#[inline(always)]
pub fn sin_lite<I: Isa>(x: f64) -> f64 {
    sin_cos::<I>(x, 0)
}

/// `cos`, as [`sin_lite`].
#[inline(always)]
pub fn cos_lite<I: Isa>(x: f64) -> f64 {
    sin_cos::<I>(x, 1)
}
