//! Numbers of distributions whose draws are accepted or rejected, one element after the other: gamma, Dirichlet, Poisson
//! and binomial. Drawn from the default generators in PyTorch's order, in double precision, on the host.

use flambeau_core::generator::GeneratorState;
use flambeau_core::op::{Kind, OpDef, ParamsExt};
use flambeau_core::{DType, Generator, Result, Tensor, check};

use crate::operand::*;

fn uniform(g: &mut GeneratorState) -> f64 {
    (g.random64() & ((1 << 53) - 1)) as f64 / (1u64 << 53) as f64
}

/// A standard normal number by Box and Muller's transform; the second of a pair waits in the generator.
fn normal(g: &mut GeneratorState) -> f64 {
    if let Some(y) = g.next_normal_f64.take() {
        return y;
    }
    let (u1, u2) = (uniform(g), uniform(g));
    let r = (-2.0 * (-u2).ln_1p()).sqrt();
    let theta = 2.0 * std::f64::consts::PI * u1;
    g.next_normal_f64 = Some(r * theta.sin());
    r * theta.cos()
}

/// Marsaglia and Tsang, "A simple method for generating gamma variables", 2000.
fn gamma(mut alpha: f64, g: &mut GeneratorState) -> f64 {
    let mut scale = 1.0;
    if alpha < 1.0 {
        if alpha == 0.0 {
            return 0.0;
        }
        scale = (1.0 - uniform(g)).powf(1.0 / alpha);
        alpha += 1.0;
    }
    let d = alpha - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    // NaN would never be accepted.
    if d.is_nan() {
        return d;
    }
    loop {
        let (x, y) = loop {
            let x = normal(g);
            let y = 1.0 + c * x;
            if y > 0.0 {
                break (x, y);
            }
        };
        let v = y * y * y;
        let u = 1.0 - uniform(g);
        let xx = x * x;
        if u < 1.0 - 0.0331 * xx * xx || u.ln() < 0.5 * xx + d * (1.0 - v + v.ln()) {
            return scale * d * v;
        }
    }
}

/// Hoermann, "The transformed rejection method for generating Poisson random variables", 1993; Knuth's products below 10.
fn poisson(lambda: f64, g: &mut GeneratorState) -> f64 {
    if lambda >= 10.0 {
        let log_lambda = lambda.ln();
        let b = 0.931 + 2.53 * lambda.sqrt();
        let a = -0.059 + 0.02483 * b;
        let inv_alpha = 1.1239 + 1.1328 / (b - 3.4);
        let v_r = 0.9277 - 3.6224 / (b - 2.0);
        loop {
            let u = uniform(g) - 0.5;
            let v = uniform(g);
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + lambda + 0.43).floor();
            if us >= 0.07 && v <= v_r {
                return k;
            }
            if k < 0.0 || (us < 0.013 && v > us) {
                continue;
            }
            let left = v.ln() + inv_alpha.ln() - (a / (us * us) + b).ln();
            if left <= -lambda + k * log_lambda - ln_factorial(k) || lambda.is_infinite() {
                return k;
            }
        }
    }
    if lambda == 0.0 || lambda.is_nan() {
        return 0.0;
    }
    let limit = (-lambda).exp();
    let (mut x, mut product) = (0.0, 1.0);
    loop {
        product *= uniform(g);
        if product <= limit {
            return x;
        }
        x += 1.0;
    }
}

/// The remainder of Stirling's formula for `ln k!`.
fn stirling_tail(k: f64) -> f64 {
    const TABLE: [f64; 10] = [
        0.0810614667953272,
        0.0413406959554092,
        0.0276779256849983,
        0.02079067210376509,
        0.0166446911898211,
        0.0138761288230707,
        0.0118967099458917,
        0.010411265261972,
        0.00925546218271273,
        0.00833056343336287,
    ];
    if k <= 9.0 {
        return TABLE[k.max(0.0) as usize];
    }
    let square = (k + 1.0) * (k + 1.0);
    (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / square) / square) / (k + 1.0)
}

fn ln_factorial(k: f64) -> f64 {
    let half_log_tau = 0.5 * (2.0 * std::f64::consts::PI).ln();
    half_log_tau + (k + 0.5) * (k + 1.0).ln() - (k + 1.0) + stirling_tail(k)
}

/// The number of successes: sums of geometric gaps for few, else Hoermann's transformed rejection (BTRS, 1993).
fn binomial(count: f64, p: f64, g: &mut GeneratorState) -> f64 {
    if count <= 0.0 || p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return count;
    }
    if p.is_nan() || count.is_nan() {
        return f64::NAN;
    }
    if p > 0.5 {
        return count - few_or_many(count, 1.0 - p, g);
    }
    few_or_many(count, p, g)
}

fn few_or_many(count: f64, p: f64, g: &mut GeneratorState) -> f64 {
    if count * p >= 10.0 {
        return btrs(count, p, g);
    }
    let log_q = (-p).ln_1p();
    let (mut sum, mut n) = (0.0, 0.0);
    loop {
        sum += (uniform(g).ln() / log_q).ceil();
        if sum > count {
            return n;
        }
        n += 1.0;
    }
}

fn btrs(count: f64, p: f64, g: &mut GeneratorState) -> f64 {
    let stddev = (count * p * (1.0 - p)).sqrt();
    let b = 1.15 + 2.53 * stddev;
    let a = -0.0873 + 0.0248 * b + 0.01 * p;
    let c = count * p + 0.5;
    let v_r = 0.92 - 4.2 / b;
    let r = p / (1.0 - p);
    let alpha = (2.83 + 5.1 / b) * stddev;
    let m = ((count + 1.0) * p).floor();
    loop {
        let u = uniform(g) - 0.5;
        let v = uniform(g);
        let us = 0.5 - u.abs();
        let k = ((2.0 * a / us + b) * u + c).floor();
        if us >= 0.07 && v <= v_r {
            return k;
        }
        if k < 0.0 || k > count {
            continue;
        }
        let bound = (m + 0.5) * ((m + 1.0) / (r * (count - m + 1.0))).ln()
            + (count + 1.0) * ((count - m + 1.0) / (count - k + 1.0)).ln()
            + (k + 0.5) * (r * (count - k + 1.0) / (k + 1.0)).ln()
            + stirling_tail(m)
            + stirling_tail(count - m)
            - stirling_tail(k)
            - stirling_tail(count - k);
        if (v * alpha / (a / (us * us) + b)).ln() <= bound {
            return k;
        }
    }
}

/// How a draw from Gamma(`alpha`) moves with `alpha`, the distribution function held: `-(dF/dalpha) / (dF/dx)`.
fn gamma_gradient(alpha: f64, x: f64) -> f64 {
    if x <= 0.0 || alpha <= 0.0 || !x.is_finite() {
        return 0.0;
    }
    if alpha > 1e5 {
        // Wilson and Hilferty's cube root is normal to within 1/alpha.
        let w = (x / alpha).cbrt();
        let z = 3.0 * alpha.sqrt() * (w - 1.0 + 1.0 / (9.0 * alpha));
        return x / alpha + 3.0 * alpha * w * w * (1.0 / (9.0 * alpha * alpha) - z / (6.0 * alpha.powf(1.5)));
    }
    // F = x^a e^-x / Gamma(a) * sum of x^n / (a (a+1) ... (a+n)), differentiated term by term.
    let (mut term, mut harmonic) = (1.0 / alpha, 1.0 / alpha);
    let (mut sum, mut derived) = (term, -term * harmonic);
    let mut n = 1.0;
    while n < 1e7 {
        term *= x / (alpha + n);
        harmonic += 1.0 / (alpha + n);
        sum += term;
        derived -= term * harmonic;
        if alpha + n > x && term * harmonic < derived.abs() * 1e-17 {
            break;
        }
        n += 1.0;
    }
    -x * ((x.ln() - digamma(alpha)) * sum + derived)
}

/// How coordinate `x` of a draw from a Dirichlet distribution moves with its concentration `alpha`, relative to the rest
/// `1 - x`: `x` alone has Beta(`alpha`, `total - alpha`), so this is `-(dF/dalpha) / (dF/dx) / (1 - x)`.
fn dirichlet_gradient(x: f64, alpha: f64, total: f64) -> f64 {
    let beta = total - alpha;
    if x.is_nan() || alpha.is_nan() || beta.is_nan() {
        return f64::NAN;
    }
    if x <= 0.0 || alpha <= 0.0 || beta <= 0.0 {
        return 0.0;
    }
    let y = 1.0 - x;
    // Both tails have a hypergeometric series (DLMF 8.17.7) of positive terms, of which one converges fast.
    let (near, far) = (x * (total / (alpha + 1.0)).max(1.0), y * (total / (beta + 1.0)).max(1.0));
    let left = near <= far;
    let (z, first) = if left { (x, alpha + 1.0) } else { (y, beta + 1.0) };
    let (mut term, mut slope, mut sum, mut derived) = (1.0, 0.0, 1.0, 0.0);
    let mut n = 0.0;
    while n < 1e7 && term * (1.0 + f64::abs(slope)) > 1e-18 * sum {
        term *= z * (total + n) / (first + n);
        slope += if left { 1.0 / (total + n) - 1.0 / (first + n) } else { 1.0 / (total + n) };
        sum += term;
        derived += term * slope;
        n += 1.0;
    }
    let log = x.ln() + digamma(total) - digamma(alpha);
    if left { -x / alpha * ((log - 1.0 / alpha) * sum + derived) } else { x / beta * (log * sum + derived) }
}

/// By recurrence to large arguments, then the asymptotic series.
fn digamma(mut x: f64) -> f64 {
    let mut y = 0.0;
    while x < 10.0 {
        y -= 1.0 / x;
        x += 1.0;
    }
    let s = 1.0 / (x * x);
    y + x.ln() - 0.5 / x - s * (1.0 / 12.0 - s * (1.0 / 120.0 - s * (1.0 / 252.0 - s * (1.0 / 240.0 - s / 132.0))))
}

fn smallest(t: DType) -> f64 {
    match t {
        DType::F64 => f64::MIN_POSITIVE,
        DType::F16 => 6.103515625e-5,
        _ => f64::from(f32::MIN_POSITIVE),
    }
}

fn floating(t: &Tensor, kernel: &str) -> Result<()> {
    let dtype = t.dtype();
    check!(
        dtype.is_differentiable() && !dtype.is_complex(),
        NotImplemented,
        "\"{kernel}\" not implemented for '{}'",
        dtype.scalar_name()
    );
    Ok(())
}

/// A draw for each pair of elements (the second may be of the first), in the first's dtype.
fn each(
    a: &Tensor,
    b: Option<&Tensor>,
    g: Option<Generator>,
    draw: fn(f64, f64, &mut GeneratorState) -> f64,
) -> Result<Tensor> {
    if a.device().is_meta() {
        return Tensor::empty(a.sizes(), a.dtype(), a.device());
    }
    let first = a.detach().to_vec::<f64>()?;
    let second = b.map(|b| b.detach().to_vec::<f64>()).transpose()?;
    let g = g.unwrap_or_else(Generator::default_cpu);
    let mut state = g.lock();
    let values: Vec<f64> =
        first.iter().enumerate().map(|(i, &x)| draw(x, second.as_ref().map_or(x, |s| s[i]), &mut state)).collect();
    Tensor::from_slice(&values, a.sizes())?.cast_raw(a.dtype())
}

const fn drawn(sig: &'static str, doc: &'static str, surfaces: u16, f: flambeau_core::op::Compose) -> OpDef {
    OpDef { sig, doc, surfaces, kind: Kind::Composite(f), ..BASE }
}

rows! { ROWS_ALL:
    poisson_ = drawn("poisson(Tensor input, Generator? generator=None) -> Tensor",
        "Poisson numbers of the rates `input`, in its dtype; RuntimeError for negative rates.", F, |x, p| {
        let t = arg(x, 0)?;
        floating(t, "poisson_cpu")?;
        if !t.device().is_meta() {
            check!(t.detach().to_vec::<f64>()?.iter().all(|&r| r >= 0.0 || r.is_nan()), Runtime, "invalid Poisson rate, expected rate to be non-negative");
        }
        one(each(t, None, p.generator(0), |rate, _, g| poisson(rate, g))?)
    });
    binomial_ = drawn("binomial(Tensor count, Tensor prob, Generator? generator=None) -> Tensor",
        "How many of `count` trials succeed, each with probability `prob`; in the dtype of `count`.", F, |x, p| {
        let (count, prob) = (arg(x, 0)?, arg(x, 1)?);
        floating(count, "binomial_cpu")?;
        check!(count.dtype() == prob.dtype(), Runtime, "Found dtype {} but expected {}", prob.dtype().scalar_name(), count.dtype().scalar_name());
        let sizes = flambeau_core::layout::broadcast(count.sizes(), prob.sizes())?;
        let (count, prob) = (crate::view::expand(count, &sizes)?, crate::view::expand(prob, &sizes)?);
        one(each(&count, Some(&prob), p.generator(0), binomial)?)
    });
    standard_gamma = drawn("_standard_gamma(Tensor input, Generator? generator=None) -> Tensor",
        "Gamma numbers of the shapes `input` and scale 1, without a gradient.", INTERNAL, |x, p| {
        let t = arg(x, 0)?;
        floating(t, "_s_gamma_cpu")?;
        let least = smallest(t.dtype());
        let drawn = each(t, None, p.generator(0), |alpha, _, g| gamma(alpha, g))?;
        if t.device().is_meta() {
            return one(drawn);
        }
        // What rounds to zero becomes the least normal number.
        let values: Vec<f64> = drawn.to_vec::<f64>()?.into_iter().map(|v| v.max(least)).collect();
        one(Tensor::from_slice(&values, t.sizes())?.cast_raw(t.dtype())?)
    });
    standard_gamma_grad = drawn("_standard_gamma_grad(Tensor input, Tensor output) -> Tensor",
        "How each gamma number `output` moves with its shape.", INTERNAL, |x, _| {
        let t = arg(x, 0)?;
        let a = t.detach().to_vec::<f64>()?;
        let y = arg(x, 1)?.detach().to_vec::<f64>()?;
        check!(a.len() == y.len(), Runtime, "expected as many shapes as numbers");
        let values: Vec<f64> = a.iter().zip(&y).map(|(&a, &y)| gamma_gradient(a, y)).collect();
        one(Tensor::from_slice(&values, t.sizes())?.cast_raw(t.dtype())?)
    });
    dirichlet_grad = drawn("_dirichlet_grad(Tensor x, Tensor alpha, Tensor total) -> Tensor",
        "How coordinates `x` of points of simplexes move with their own concentrations `alpha`, relative to `1 - x`; `total` is the sum of all concentrations.", F, |x, _| {
        let t = arg(x, 0)?;
        floating(t, "_dirichlet_grad_cpu")?;
        let sizes = t.sizes();
        let read = |i: usize| -> Result<Vec<f64>> {
            let other = arg(x, i)?;
            check!(other.dtype() == t.dtype(), Runtime, "expected scalar type {} but found {}", t.dtype().scalar_name(), other.dtype().scalar_name());
            crate::view::expand(&other.detach(), sizes)?.to_vec()
        };
        if t.device().is_meta() {
            return one(Tensor::empty(sizes, t.dtype(), t.device())?);
        }
        let (v, alpha, total) = (read(0)?, read(1)?, read(2)?);
        let values: Vec<f64> = v.iter().zip(alpha.iter().zip(&total)).map(|(&v, (&a, &t))| dirichlet_gradient(v, a, t)).collect();
        one(Tensor::from_slice(&values, sizes)?.cast_raw(t.dtype())?)
    });
    sample_dirichlet = drawn("_sample_dirichlet(Tensor input, Generator? generator=None) -> Tensor",
        "Points of simplexes with the concentrations `input` along the last dimension, without a gradient.", INTERNAL, |x, p| {
        let t = arg(x, 0)?;
        floating(t, "dirichlet")?;
        let alpha = Tensor::from_slice(&t.detach().to_vec::<f64>()?, t.sizes())?;
        let drawn = each(&alpha, None, p.generator(0), |alpha, _, g| gamma(alpha, g))?;
        let k = t.sizes().last().copied().unwrap_or(1).max(1) as usize;
        let mut values = drawn.to_vec::<f64>()?;
        let least = smallest(t.dtype());
        for row in values.chunks_mut(k) {
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|v| *v = (*v / sum).max(least));
        }
        one(Tensor::from_slice(&values, t.sizes())?.cast_raw(t.dtype())?)
    });
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];

#[cfg(test)]
mod tests {
    use super::{dirichlet_gradient, gamma_gradient};

    #[test]
    fn gradients_of_dirichlet_numbers() {
        // Beta(a, 1) has F = x^a.
        for (x, a) in [(0.2, 0.3), (0.5, 1.0), (0.9, 7.0), (1e-6, 0.1), (1.0 - 1e-9, 2.0)] {
            let exact = -x * f64::ln(x) / a / (1.0 - x);
            let got = dirichlet_gradient(x, a, a + 1.0);
            assert!((got - exact).abs() < 1e-8 * exact, "{x} {a}: {got} and {exact}");
        }
        // By differences of mpmath's incomplete beta function at 90 digits.
        for [x, a, total, exact] in REFERENCE {
            let got = dirichlet_gradient(x, a, total);
            assert!((got - exact).abs() < 1e-9 * exact, "{x} {a} {total}: {got} and {exact}");
        }
        // The end of the interval, and a lone coordinate that cannot move.
        assert!(dirichlet_gradient(1.0, 2.0, 5.0).is_finite());
        assert_eq!([dirichlet_gradient(0.0, 2.0, 5.0), dirichlet_gradient(1.0, 2.0, 2.0)], [0.0, 0.0]);
    }

    #[rustfmt::skip]
    const REFERENCE: [[f64; 4]; 10] = [
        [0.2, 1.0, 6.0, 0.22684161211407128],
        [0.5, 2.0, 6.0, 0.23442466806126225],
        [0.3, 3.0, 6.0, 0.14160337428946512],
        [0.999, 0.7, 0.9, 2.32406796303985],
        [0.999, 40.0, 41.5, 0.024833916365572622],
        [0.01, 0.05, 3.05, 0.6554826508255559],
        [1e-05, 2.5, 4000.0, 1.750124192767278e-05],
        [0.52, 900.0, 1750.0, 0.0005748076847466196],
        [0.25, 3.0, 300.5, 0.011677234443307443],
        [0.8, 0.2, 9.0, 0.8056057505511116],
    ];

    #[test]
    fn gradients_of_gamma_numbers_follow_from_the_exponential_case() {
        // Gamma(1) is exponential, Gamma(2) has F = 1 - (1 + x) e^-x; between them dx/da integrates the quantile's change.
        let quantile = |f: f64| {
            // Solves 1 - (1 + x) e^-x = f.
            let mut x = 1.0f64;
            for _ in 0..100 {
                x -= (1.0 - (1.0 + x) * (-x).exp() - f) / (x * (-x).exp());
            }
            x
        };
        for f in [0.1f64, 0.5, 0.9, 0.999] {
            let mut x = -(1.0 - f).ln();
            let steps = 2000;
            let h = 1.0 / f64::from(steps);
            for i in 0..steps {
                let a = 1.0 + f64::from(i) * h;
                let k1 = gamma_gradient(a, x);
                let k2 = gamma_gradient(a + h / 2.0, x + h / 2.0 * k1);
                x += h * k2;
            }
            assert!((x - quantile(f)).abs() < 1e-5, "{f}: {x} {}", quantile(f));
        }
        // The two ways meet: 300 above the shape on both sides, since the gradient itself is about 1 + (x - a) / 2a.
        let (below, above) = (gamma_gradient(99_999.0, 100_299.0), gamma_gradient(100_001.0, 100_301.0));
        assert!((below - above).abs() < 1e-6, "{below} {above}");
    }
}
