//! Sweeps of the vector functions against double precision (for `f32`) or identities and the standard library (for `f64`).

use super::special;
use crate::isa::{Avx2, Base, Isa};

/// Distance in units in the last place of `want`.
fn ulp32(got: f32, want: f64) -> f64 {
    let w = want as f32;
    if got == w || (got.is_nan() && w.is_nan()) {
        return 0.0;
    }
    if !got.is_finite() || !w.is_finite() {
        return f64::INFINITY;
    }
    let unit = (f32::from_bits((w.abs().to_bits()).max(0x0080_0000) & 0x7f80_0000) as f64) * 2f64.powi(-23);
    (got as f64 - want).abs() / unit
}

fn ulp64(got: f64, want: f64) -> f64 {
    if got == want || (got.is_nan() && want.is_nan()) {
        return 0.0;
    }
    let unit = f64::from_bits(want.abs().to_bits().max(0x0010_0000_0000_0000) & 0x7ff0_0000_0000_0000) * 2f64.powi(-52);
    (got - want).abs() / unit
}

/// Every 4,099th pattern of all 2^32, and the edges.
fn sweep32() -> impl Iterator<Item = f32> {
    let edges =
        [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1.0, -1.0, f32::MIN_POSITIVE, 88.72284, -103.97];
    (0..=u32::MAX).step_by(4099).map(f32::from_bits).chain(edges)
}

fn check32<I: Isa>(name: &str, f: impl Fn(f32) -> f32, want: impl Fn(f64) -> f64, bound: f64) {
    let (mut worst, mut at) = (0.0, 0.0);
    for x in sweep32() {
        let e = ulp32(f(x), want(x as f64));
        if e > worst {
            (worst, at) = (e, x);
        }
    }
    assert!(worst <= bound, "{name} ({:?}): {worst} ulp at {at:e}", I::LEVEL);
}

fn all32<I: Isa>() {
    use super::f32 as m;
    check32::<I>("exp", m::exp::<I>, f64::exp, 1.1);
    check32::<I>("expm1", m::expm1::<I>, f64::exp_m1, 1.7);
    check32::<I>("log", m::log::<I>, f64::ln, 1.2);
    check32::<I>("log1p", m::log1p::<I>, f64::ln_1p, 1.0);
    check32::<I>("log2", m::log2::<I>, f64::log2, 0.6);
    check32::<I>("log10", m::log10::<I>, f64::log10, 0.6);
    check32::<I>("exp2", m::exp2::<I>, f64::exp2, 0.6);
    check32::<I>("tanh", m::tanh::<I>, f64::tanh, 1.5);
    check32::<I>("erf", m::erf::<I>, libm::erf, 2.0);
    check32::<I>("erfc", m::erfc::<I>, libm::erfc, 0.6);
    check32::<I>("sinh", m::sinh::<I>, f64::sinh, 0.8);
    check32::<I>("cosh", m::cosh::<I>, f64::cosh, 0.6);
    let near = |x: f32| if x.abs() < 131072.0 { x } else { 0.0 };
    check32::<I>("sin", |x| m::sin::<I>(near(x)), |x| (near(x as f32) as f64).sin(), 0.6);
    check32::<I>("cos", |x| m::cos::<I>(near(x)), |x| (near(x as f32) as f64).cos(), 0.6);
}

// The levels differ only in whether products are fused, which holds without the instructions as well.
#[test]
fn single_precision_fused() {
    all32::<Avx2>();
}

#[test]
fn single_precision_not_fused() {
    all32::<Base>();
}

#[test]
fn double_precision() {
    use super::f64 as m;
    type F = fn(f64) -> f64;
    let rows: [(&str, F, F, f64); 6] = [
        ("exp", m::exp::<Avx2>, f64::exp, 1.6),
        ("expm1", m::expm1::<Avx2>, f64::exp_m1, 2.0),
        ("log", m::log::<Avx2>, f64::ln, 1.6),
        ("log1p", m::log1p::<Avx2>, f64::ln_1p, 2.0),
        ("tanh", m::tanh::<Avx2>, f64::tanh, 2.0),
        ("erf", m::erf::<Avx2>, libm::erf, 2.0),
    ];
    for (name, f, want, bound) in rows {
        let (mut worst, mut at) = (0.0, 0.0);
        let dense = (0..200_000).map(|i| (i as f64 - 100_000.0) * 3.1e-4);
        let wide = (0..400_000u64).map(|i| f64::from_bits(i.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        for x in dense.chain(wide).chain([0.0, -0.0, 709.78, 710.0, -745.2, 5e-324, f64::INFINITY, f64::NAN]) {
            let e = ulp64(f(x), want(x));
            if e > worst {
                (worst, at) = (e, x);
            }
        }
        assert!(worst <= bound, "{name}: {worst} ulp at {at:e}");
    }
}

#[test]
fn pow_edges_follow_c() {
    let edges =
        [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.0, 3.0, -3.0, 2.5, -2.5, 1e30, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
    for x in edges {
        for y in edges {
            let (got, want) = (super::f32::pow::<Avx2>(x, y), x.powf(y));
            let same = got == want && got.is_sign_negative() == want.is_sign_negative();
            assert!(same || (got.is_nan() && want.is_nan()), "pow({x}, {y}) = {got}, not {want}");
        }
    }
}

#[test]
fn special_functions_at_known_points() {
    // Abramowitz and Stegun, tables 6.1, 9.8, 26.1, and identities.
    let near = |a: f64, b: f64| assert!((a - b).abs() <= 4e-15 * b.abs().max(1.0), "{a} {b}");
    near(special::digamma(1.0), -0.577_215_664_901_532_9);
    near(special::digamma(0.5), -1.963_510_026_021_423_5);
    near(special::digamma(-0.5), 0.036_489_973_978_576_52);
    near(special::i0(1.0), 1.266_065_877_752_008_3);
    near(special::i1(1.0), 0.565_159_103_992_485);
    near(special::i0e(100.0) * 100f64.sqrt(), 0.39944379299096683);
    near(special::ndtri(0.975), 1.959_963_984_540_054);
    for i in 1..2048 {
        let x = i as f64 / 2048.0;
        near(libm::erf(special::erfinv(x)), x);
        near(special::ndtri(x), -special::ndtri(1.0 - x));
    }
}
