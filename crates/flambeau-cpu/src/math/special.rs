//! Special functions in double precision, one number at a time.

use std::f64::consts::{PI, SQRT_2};

pub fn asinh(x: f64) -> f64 {
    libm::asinh(x)
}

pub fn acosh(x: f64) -> f64 {
    libm::acosh(x)
}

pub fn atanh(x: f64) -> f64 {
    libm::atanh(x)
}

/// `ln |gamma(x)|`.
pub fn lgamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// Logarithmic derivative of gamma: recurrence up to 10, then the asymptotic series (Abramowitz and Stegun 6.3.18);
/// reflection for negative arguments (6.3.7).
pub fn digamma(x: f64) -> f64 {
    if x == 0.0 {
        return f64::INFINITY.copysign(-x);
    }
    if x < 0.0 {
        if x == x.trunc() {
            return f64::NAN;
        }
        return digamma(1.0 - x) - PI / (PI * x.fract()).tan();
    }
    // B(2k)/(2k)
    const C: [f64; 7] =
        [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32760.0, 1.0 / 12.0];
    let (mut x, mut shift) = (x, 0.0);
    while x < 10.0 {
        shift -= 1.0 / x;
        x += 1.0;
    }
    let z = 1.0 / (x * x);
    let tail = if x < 1e17 { z * C.iter().rev().fold(0.0, |y, c| y * z + c) } else { 0.0 };
    shift + x.ln() - 0.5 / x - tail
}

/// The sum of `(q + k)^-s` over `k >= 0`, for `s > 1`: the first terms one by one, then Euler and Maclaurin's formula
/// (Abramowitz and Stegun 23.2.9 at `q`).
pub fn hurwitz_zeta(s: f64, q: f64) -> f64 {
    if s == 1.0 {
        return f64::INFINITY;
    }
    // The sum is taken term by term up to positive bases: not from arbitrarily far away.
    if s.is_nan() || s < 1.0 || q.is_nan() || q < -1e7 {
        return f64::NAN;
    }
    if q == f64::INFINITY {
        return 0.0;
    }
    if q <= 0.0 {
        if q == q.floor() {
            return f64::INFINITY;
        }
        // A negative base has a real power only for an integer exponent.
        if s != s.floor() {
            return f64::NAN;
        }
    }
    // B(2k)/(2k)!
    const C: [f64; 12] = [
        1.0 / 12.0,
        -1.0 / 720.0,
        1.0 / 30240.0,
        -1.0 / 1209600.0,
        1.0 / 47900160.0,
        -691.0 / 1307674368000.0,
        1.0 / 74724249600.0,
        -3617.0 / 10670622842880000.0,
        43867.0 / 5109094217170944000.0,
        -174611.0 / 802857662698291200000.0,
        77683.0 / 14101100039391805440000.0,
        -236364091.0 / 1693824136731743669452800000.0,
    ];
    let (mut sum, mut a, mut terms) = (0.0, q, 0);
    while a < 12.0 || terms < 10 {
        let term = a.powf(-s);
        sum += term;
        a += 1.0;
        terms += 1;
        if a > 1.0 && term.abs() < f64::EPSILON * f64::abs(sum) / 4.0 {
            return sum;
        }
    }
    let power = a.powf(-s);
    sum += power * a / (s - 1.0) + 0.5 * power;
    let (mut factor, mut scale) = (s, power / a);
    for (k, c) in C.iter().enumerate() {
        sum += factor * scale * c;
        let j = 2.0 * k as f64;
        factor *= (s + j + 1.0) * (s + j + 2.0);
        scale /= a * a;
    }
    sum
}

/// Derivative `n` of digamma (`n >= 1`): by the zeta function (Abramowitz and Stegun 6.4.10).
pub fn polygamma(n: f64, x: f64) -> f64 {
    if n == 0.0 {
        return digamma(x);
    }
    let sign = if n % 2.0 == 0.0 { -1.0 } else { 1.0 };
    sign * libm::tgamma(n + 1.0) * hurwitz_zeta(n + 1.0, x)
}

/// Clenshaw's sum of a Chebyshev series at `u` in [-1, 1].
pub(super) fn chebyshev(c: &[f64], u: f64) -> f64 {
    let (mut b1, mut b2) = (0.0, 0.0);
    for &c in c[1..].iter().rev() {
        (b1, b2) = (2.0 * u * b1 - b2 + c, b1);
    }
    u * b1 - b2 + c[0]
}

// Series fitted for this crate: e^-x I0(x) and e^-x I1(x)/x on [0, 8] in x/4 - 1; sqrt(x) e^-x I(x) on [8, inf) in 16/x - 1.
const I0_LOW: [f64; 31] = [
    0.33839763720473803,
    -0.3046826723431984,
    0.17162090152220877,
    -0.09490109704804764,
    0.04930528423967071,
    -0.02373741480589947,
    0.010546460394594998,
    -0.004324309995050576,
    0.0016394756169413357,
    -0.0005763755745385824,
    0.00018850288509584165,
    -5.754195010082104e-05,
    1.6448448070728896e-05,
    -4.4167383584587505e-06,
    1.1173875391201037e-06,
    -2.670793853940612e-07,
    6.046995022541919e-08,
    -1.300025009986248e-08,
    2.6598237246823866e-09,
    -5.189795601635263e-10,
    9.675809035373237e-11,
    -1.726826291441556e-11,
    2.95505266312964e-12,
    -4.856446783111929e-13,
    7.676185498604936e-14,
    -1.1685332877993451e-14,
    1.715391285555133e-15,
    -2.431279846547955e-16,
    3.3307945188222384e-17,
    -4.4153416464793395e-18,
    5.669178006921496e-19,
];
const I0_HIGH: [f64; 27] = [
    0.4022452055070544,
    0.0033691164782556943,
    6.889758346916825e-05,
    2.8913705208347567e-06,
    2.0489185894690638e-07,
    2.266668990498178e-08,
    3.3962320257083865e-09,
    4.94060238822497e-10,
    1.1889147107846439e-11,
    -3.1499165279632416e-11,
    -1.3215811840447713e-11,
    -1.7941785315068062e-12,
    7.180124451383666e-13,
    3.8527783827421426e-13,
    1.54008621752141e-14,
    -4.150569347287222e-14,
    -9.554846698828307e-15,
    3.8116806693526224e-15,
    1.7725601330565263e-15,
    -3.425485619677219e-16,
    -2.8276239805165836e-16,
    3.461222867697461e-17,
    4.46562142029676e-17,
    -4.830504485944182e-18,
    -7.233180487874754e-18,
    9.921475412173699e-19,
    1.193650890845982e-18,
];
const I1_LOW: [f64; 30] = [
    0.12629359322181682,
    -0.17641651835783406,
    0.1026436586898471,
    -0.05294598120809499,
    0.024726449030626516,
    -0.010564084894626197,
    0.004156422944312888,
    -0.0015135724506312532,
    0.0005122859561685758,
    -0.00016176081582589674,
    4.781565107550054e-05,
    -1.3273163656039436e-05,
    3.4702513081376785e-06,
    -8.568720264695455e-07,
    2.0032947535521353e-07,
    -4.445059128796328e-08,
    9.381537386495773e-09,
    -1.8872497517228294e-09,
    3.625590281552117e-10,
    -6.663489723502027e-11,
    1.1736186298890901e-11,
    -1.9839743977649436e-12,
    3.223793365945575e-13,
    -5.042185504727912e-14,
    7.600684294735408e-15,
    -1.1055969477353862e-15,
    1.5536319577362005e-16,
    -2.111421214358166e-17,
    2.7779141127610464e-18,
    -3.541581772542136e-19,
];
const I1_HIGH: [f64; 27] = [
    0.38928811750914005,
    -0.009761097491361469,
    -0.00011058893876262371,
    -3.882564808877691e-06,
    -2.512236237870209e-07,
    -2.6314688468895196e-08,
    -3.835380385964237e-09,
    -5.589743462196584e-10,
    -1.8974958123505413e-11,
    3.2526035830154884e-11,
    1.4125807436613782e-11,
    2.0356285441470896e-12,
    -7.198551776245908e-13,
    -4.0835511110921974e-13,
    -2.1015418427726643e-14,
    4.272440016711951e-14,
    1.0420276984128802e-14,
    -3.8144030724370075e-15,
    -1.8803547755107825e-15,
    3.3082023109209285e-16,
    2.96262899764595e-16,
    -3.209525921993424e-17,
    -4.6503053684893586e-17,
    4.414348323071708e-18,
    7.517296310842105e-18,
    -9.314178867326884e-19,
    -1.242193275194891e-18,
];

/// `e^-|x| I0(x)`, the modified Bessel function of order zero.
pub fn i0e(x: f64) -> f64 {
    let x = x.abs();
    if x <= 8.0 { chebyshev(&I0_LOW, x / 4.0 - 1.0) } else { chebyshev(&I0_HIGH, 16.0 / x - 1.0) / x.sqrt() }
}

pub fn i0(x: f64) -> f64 {
    // As PyTorch: its formula divides one infinity by another.
    if x.is_infinite() {
        return f64::NAN;
    }
    // In two factors: the result overflows later than e^x.
    let e = (0.5 * x.abs()).exp();
    i0e(x) * e * e
}

/// `e^-|x| I1(x)`.
pub fn i1e(x: f64) -> f64 {
    let a = x.abs();
    let y =
        if a <= 8.0 { a * chebyshev(&I1_LOW, a / 4.0 - 1.0) } else { chebyshev(&I1_HIGH, 16.0 / a - 1.0) / a.sqrt() };
    y.copysign(x)
}

pub fn i1(x: f64) -> f64 {
    if x.is_infinite() {
        return f64::NAN;
    }
    let e = (0.5 * x.abs()).exp();
    i1e(x) * e * e
}

/// Algorithm AS 241 (Wichura, 1988), routine PPND16: the normal quantile of `0.5 + q`, given also the smaller tail.
fn quantile(q: f64, tail: f64) -> f64 {
    fn ratio(n: [f64; 8], d: [f64; 7], r: f64) -> f64 {
        let n = n.iter().rev().fold(0.0, |y, c| y * r + c);
        let d = d.iter().rev().fold(0.0, |y, c| y * r + c) * r + 1.0;
        n / d
    }
    if q.abs() <= 0.425 {
        let r = 0.180625 - q * q;
        return q * ratio(
            [
                3.387_132_872_796_366_5,
                133.141_667_891_784_38,
                1_971.590_950_306_551_3,
                13_731.693_765_509_46,
                45_921.953_931_549_87,
                67_265.770_927_008_7,
                33_430.575_583_588_13,
                2_509.080_928_730_122_7,
            ],
            [
                42.313_330_701_600_91,
                687.187_007_492_057_9,
                5_394.196_021_424_751,
                21_213.794_301_586_597,
                39_307.895_800_092_71,
                28_729.085_735_721_943,
                5_226.495_278_852_854,
            ],
            r,
        );
    }
    let r = (-tail.ln()).sqrt();
    let y = if r <= 5.0 {
        ratio(
            [
                1.423_437_110_749_683_5,
                4.630_337_846_156_546,
                5.769_497_221_460_691,
                3.647_848_324_763_204_5,
                1.270_458_252_452_368_4,
                0.241_780_725_177_450_6,
                0.022_723_844_989_269_184,
                7.745_450_142_783_414e-4,
            ],
            [
                2.053_191_626_637_759,
                1.676_384_830_183_803_8,
                0.689_767_334_985_1,
                0.148_103_976_427_480_08,
                0.015_198_666_563_616_457,
                5.475_938_084_995_345e-4,
                1.050_750_071_644_416_9e-9,
            ],
            r - 1.6,
        )
    } else {
        ratio(
            [
                6.657_904_643_501_103,
                5.463_784_911_164_114,
                1.784_826_539_917_291_3,
                0.296_560_571_828_504_87,
                0.026_532_189_526_576_124,
                0.001_242_660_947_388_078_4,
                2.711_555_568_743_487_6e-5,
                2.010_334_399_292_288_1e-7,
            ],
            [
                0.599_832_206_555_888,
                0.136_929_880_922_735_8,
                0.014_875_361_290_850_615,
                7.868_691_311_456_133e-4,
                1.846_318_317_510_054_8e-5,
                1.421_511_758_316_446e-7,
                2.044_263_103_389_939_8e-15,
            ],
            r - 5.0,
        )
    };
    y.copysign(q)
}

/// The normal distribution's quantile.
pub fn ndtri(p: f64) -> f64 {
    if p == 0.0 {
        f64::NEG_INFINITY
    } else if p == 1.0 {
        f64::INFINITY
    } else if p > 0.0 && p < 1.0 {
        quantile(p - 0.5, p.min(1.0 - p))
    } else {
        f64::NAN
    }
}

/// The inverse of erf.
pub fn erfinv(x: f64) -> f64 {
    let a = x.abs();
    if a == 1.0 {
        f64::INFINITY.copysign(x)
    } else if a < 1.0 {
        quantile(0.5 * x, 0.5 * (1.0 - a)) / SQRT_2
    } else {
        f64::NAN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polygamma_at_known_points() {
        let zeta3 = 1.202_056_903_159_594_3;
        let known = [
            (1.0, 1.0, PI * PI / 6.0),
            (1.0, 0.5, PI * PI / 2.0),
            (1.0, -0.5, PI * PI / 2.0 + 4.0),
            (2.0, 1.0, -2.0 * zeta3),
            (2.0, 0.5, -14.0 * zeta3),
            (3.0, 1.0, PI.powi(4) / 15.0),
            (1.0, 1e3, 0.001_000_500_166_666_633_3),
        ];
        for (n, x, y) in known {
            let got = polygamma(n, x);
            assert!((got - y).abs() <= 4e-15 * y.abs(), "polygamma({n}, {x}) = {got}, not {y}");
        }
        assert_eq!(polygamma(1.0, 0.0), f64::INFINITY);
        assert_eq!(polygamma(1.0, -3.0), f64::INFINITY);
        assert_eq!(hurwitz_zeta(2.0, f64::INFINITY), 0.0);
        assert!(hurwitz_zeta(0.5, 1.0).is_nan() && hurwitz_zeta(2.5, -0.5).is_nan());
    }
}
