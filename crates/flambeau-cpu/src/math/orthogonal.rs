//! Orthogonal polynomials by their three-term recurrences, in double precision.

use flambeau_backend::Polynomial;

/// `cos` and `sin` forms of the Chebyshev polynomials inside (-1, 1), where a recurrence of many steps is not needed.
fn chebyshev_inside(family: Polynomial, x: f64, n: f64) -> f64 {
    let t = x.acos();
    match family {
        Polynomial::ChebyshevT => (n * t).cos(),
        Polynomial::ChebyshevU => ((n + 1.0) * t).sin() / t.sin(),
        Polynomial::ChebyshevV => ((n + 0.5) * t).cos() / (0.5 * t).cos(),
        _ => ((n + 0.5) * t).sin() / (0.5 * t).sin(),
    }
}

/// The polynomial of degree `n` (its whole part; zero where it is negative or NaN) at `x`.
pub fn value(family: Polynomial, x: f64, n: f64) -> f64 {
    use Polynomial as P;
    let (missing, n) = (n.is_nan(), n as i64);
    if missing || n < 0 {
        return 0.0;
    }
    let family = match family {
        P::ShiftedT => return value(P::ChebyshevT, 2.0 * x - 1.0, n as f64),
        P::ShiftedU => return value(P::ChebyshevU, 2.0 * x - 1.0, n as f64),
        P::ShiftedV => return value(P::ChebyshevV, 2.0 * x - 1.0, n as f64),
        P::ShiftedW => return value(P::ChebyshevW, 2.0 * x - 1.0, n as f64),
        f => f,
    };
    let chebyshev = matches!(family, P::ChebyshevT | P::ChebyshevU | P::ChebyshevV | P::ChebyshevW);
    if chebyshev && n > 8 && x.abs() < 1.0 {
        return chebyshev_inside(family, x, n as f64);
    }
    if n == 0 {
        return 1.0;
    }
    let mut last = 1.0;
    let mut y = match family {
        P::ChebyshevT | P::HermiteHe | P::LegendreP => x,
        P::ChebyshevV => 2.0 * x - 1.0,
        P::ChebyshevW => 2.0 * x + 1.0,
        P::LaguerreL => 1.0 - x,
        _ => 2.0 * x,
    };
    if chebyshev && x.abs() == 1.0 {
        // They grow linearly there: no need to walk.
        let (m, odd) = (n as f64, n % 2 == 1);
        let flip = |v: f64| if odd && x < 0.0 { -v } else { v };
        return match (family, x > 0.0) {
            (P::ChebyshevT, _) => flip(1.0),
            (P::ChebyshevU, _) => flip(m + 1.0),
            (P::ChebyshevV, true) | (P::ChebyshevW, false) => flip(1.0),
            _ => flip(2.0 * m + 1.0),
        };
    }
    for k in 1..n {
        let k = k as f64;
        let next = match family {
            P::HermiteH => 2.0 * (x * y - k * last),
            P::HermiteHe => x * y - k * last,
            P::LaguerreL => ((2.0 * k + 1.0 - x) * y - k * last) / (k + 1.0),
            P::LegendreP => ((2.0 * k + 1.0) * x * y - k * last) / (k + 1.0),
            _ => 2.0 * x * y - last,
        };
        (last, y) = (y, next);
        if y.is_nan() {
            break;
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_at_known_points() {
        use Polynomial as P;
        // From their explicit forms.
        let x: f64 = 0.3;
        let known = [
            (P::ChebyshevT, 4.0 * x.powi(3) - 3.0 * x),
            (P::ChebyshevU, 8.0 * x.powi(3) - 4.0 * x),
            (P::HermiteH, 8.0 * x.powi(3) - 12.0 * x),
            (P::HermiteHe, x.powi(3) - 3.0 * x),
            (P::LaguerreL, (-x.powi(3) + 9.0 * x * x - 18.0 * x + 6.0) / 6.0),
            (P::LegendreP, 0.5 * (5.0 * x.powi(3) - 3.0 * x)),
        ];
        for (p, y) in known {
            let got = value(p, x, 3.0);
            assert!((got - y).abs() < 1e-14, "{p:?}: {got}, not {y}");
        }
        for p in P::ALL {
            assert_eq!((value(p, x, 0.0), value(p, x, -1.0)), (1.0, 0.0), "{p:?}");
            // The recurrence and the closed form meet.
            let step = |n: f64| value(p, 0.9, n);
            if matches!(p, P::ChebyshevT | P::ChebyshevU | P::ChebyshevV | P::ChebyshevW) {
                assert!((step(9.0) - (1.8 * step(8.0) - step(7.0))).abs() < 1e-13, "{p:?}");
                assert_eq!(value(p, -1.0, 3.0), 2.0 * -value(p, -1.0, 2.0) - value(p, -1.0, 1.0), "{p:?}");
            }
        }
    }
}
