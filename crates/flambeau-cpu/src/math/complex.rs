//! Complex numbers. Inverse functions by Kahan, "Branch cuts for complex elementary functions", 1987.

use super::Real;
use std::ops::{Add, Mul, Neg, Sub};

#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(C)]
pub struct Cx<T> {
    pub re: T,
    pub im: T,
}

pub type C = Cx<f64>;

#[inline(always)]
pub fn cx<T>(re: T, im: T) -> Cx<T> {
    Cx { re, im }
}

impl<T: Real> Add for Cx<T> {
    type Output = Self;
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        cx(self.re + b.re, self.im + b.im)
    }
}

impl<T: Real> Sub for Cx<T> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        cx(self.re - b.re, self.im - b.im)
    }
}

impl<T: Real> Mul for Cx<T> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        cx(self.re * b.re - self.im * b.im, self.re * b.im + self.im * b.re)
    }
}

impl<T: Real> Neg for Cx<T> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        cx(-self.re, -self.im)
    }
}

impl<T: Real> Cx<T> {
    /// Division scaled by the divisor's larger part (Smith, 1962).
    #[inline(always)]
    pub fn over(self, d: Self) -> Self {
        let (a, b) = (self.re, self.im);
        if d.re.abs() >= d.im.abs() {
            if d.re == T::ZERO && d.im == T::ZERO {
                return cx(a / d.re.abs(), b / d.im.abs());
            }
            let r = d.im / d.re;
            let s = T::ONE / (d.re + d.im * r);
            cx((a + b * r) * s, (b - a * r) * s)
        } else {
            let r = d.re / d.im;
            let s = T::ONE / (d.re * r + d.im);
            cx((a * r + b) * s, (b * r - a) * s)
        }
    }

    #[inline(always)]
    pub fn wide(self) -> C {
        cx(self.re.wide(), self.im.wide())
    }

    #[inline(always)]
    pub fn of(z: C) -> Self {
        cx(T::of(z.re), T::of(z.im))
    }

    #[inline(always)]
    pub fn scale(self, s: T) -> Self {
        cx(self.re * s, self.im * s)
    }

    #[inline(always)]
    pub fn is_nan(self) -> bool {
        self.re.is_nan() || self.im.is_nan()
    }
}

impl C {
    pub fn abs(self) -> f64 {
        self.re.hypot(self.im)
    }

    pub fn arg(self) -> f64 {
        self.im.atan2(self.re)
    }

    pub fn conj(self) -> C {
        cx(self.re, -self.im)
    }

    /// `i*z`
    fn turn(self) -> C {
        cx(-self.im, self.re)
    }

    /// `-i*z`
    fn turn_back(self) -> C {
        cx(self.im, -self.re)
    }

    pub fn exp(self) -> C {
        let e = self.re.exp();
        if self.im == 0.0 {
            return cx(e, self.im);
        }
        if self.re == f64::NEG_INFINITY && !self.im.is_finite() {
            return cx(0.0, 0.0);
        }
        let (s, c) = self.im.sin_cos();
        cx(e * c, e * s)
    }

    pub fn expm1(self) -> C {
        // expm1(x) cos y + (cos y - 1), without the cancellation of exp(z) - 1.
        let (s, c) = self.im.sin_cos();
        let h = (0.5 * self.im).sin();
        cx(self.re.exp_m1() * c - 2.0 * h * h, self.re.exp() * s)
    }

    pub fn ln(self) -> C {
        cx(self.abs().ln(), self.arg())
    }

    pub fn log1p(self) -> C {
        let (x, y) = (self.re, self.im);
        if x.abs() < 0.5 && y.abs() < 0.5 {
            // |1 + z|^2 - 1 = x(2 + x) + y^2
            return cx(0.5 * (x * (2.0 + x) + y * y).ln_1p(), y.atan2(1.0 + x));
        }
        cx(1.0 + x, y).ln()
    }

    /// `ln(e^self + e^other)`, from the operand with the larger real part.
    pub fn log_add(self, other: C) -> C {
        for z in [self, other] {
            if z.is_nan() {
                return cx(f64::NAN, f64::NAN);
            }
        }
        let (low, high) = if self.re < other.re { (self, other) } else { (other, self) };
        if low.re == high.re && low.re.is_infinite() {
            return if low.re < 0.0 { low } else { (low.exp() + high.exp()).ln() };
        }
        (low - high).exp().log1p() + high
    }

    pub fn sqrt(self) -> C {
        let (x, y) = (self.re, self.im);
        if x == 0.0 && y == 0.0 {
            return cx(0.0, y);
        }
        if y.is_infinite() {
            return cx(f64::INFINITY, y);
        }
        if x.is_infinite() {
            let small = if y.is_nan() { y } else { 0.0f64.copysign(y) };
            return if x > 0.0 { cx(x, small) } else { cx(small.abs(), f64::INFINITY.copysign(y)) };
        }
        // Scaled so that the modulus neither overflows nor loses subnormals.
        let k = x.abs().max(y.abs());
        let (up, down) = if k > 1e300 {
            (0.25, 2.0)
        } else if k < 1e-290 {
            (2f64.powi(200), 2f64.powi(-100))
        } else {
            (1.0, 1.0)
        };
        let (x, y) = (x * up, y * up);
        let t = (0.5 * (x.abs() + x.hypot(y))).sqrt();
        let z = if x >= 0.0 { cx(t, y / (2.0 * t)) } else { cx(y.abs() / (2.0 * t), t.copysign(y)) };
        z.scale(down)
    }

    pub fn sinh(self) -> C {
        let (s, c) = self.im.sin_cos();
        if self.im == 0.0 {
            return cx(self.re.sinh(), self.im);
        }
        cx(self.re.sinh() * c, self.re.cosh() * s)
    }

    pub fn cosh(self) -> C {
        let (s, c) = self.im.sin_cos();
        if self.im == 0.0 {
            return cx(self.re.cosh(), self.re * self.im);
        }
        cx(self.re.cosh() * c, self.re.sinh() * s)
    }

    pub fn tanh(self) -> C {
        let (x, y) = (self.re, self.im);
        if x.abs() > 22.0 {
            if x.is_finite() && !y.is_finite() {
                return cx(f64::NAN, f64::NAN);
            }
            // At infinity nothing is left of the angle, even where it has no sine.
            let turn = if x.is_finite() { y.sin() * y.cos() } else { 0.0 };
            return cx(1f64.copysign(x), 4.0 * turn * (-2.0 * x.abs()).exp());
        }
        // (with t = tan y, s = sinh x: 1 + t^2 is 1/cos^2)
        let t = y.tan();
        let b = 1.0 + t * t;
        let s = x.sinh();
        let r = (1.0 + s * s).sqrt();
        if t.is_infinite() {
            return cx(r / s, 1.0 / t);
        }
        let d = 1.0 + b * s * s;
        cx(b * r * s / d, t / d)
    }

    pub fn sin(self) -> C {
        self.turn().sinh().turn_back()
    }

    pub fn cos(self) -> C {
        self.turn().cosh()
    }

    pub fn tan(self) -> C {
        self.turn().tanh().turn_back()
    }

    pub fn acos(self) -> C {
        let a = cx(1.0 - self.re, -self.im).sqrt();
        let b = cx(1.0 + self.re, self.im).sqrt();
        cx(2.0 * a.re.atan2(b.re), libm::asinh((b.conj() * a).im))
    }

    pub fn asin(self) -> C {
        let a = cx(1.0 - self.re, -self.im).sqrt();
        let b = cx(1.0 + self.re, self.im).sqrt();
        cx(self.re.atan2((a * b).re), libm::asinh((a.conj() * b).im))
    }

    pub fn acosh(self) -> C {
        let a = cx(self.re - 1.0, self.im).sqrt();
        let b = cx(self.re + 1.0, self.im).sqrt();
        cx(libm::asinh((a.conj() * b).re), 2.0 * a.im.atan2(b.re))
    }

    pub fn asinh(self) -> C {
        self.turn().asin().turn_back()
    }

    pub fn atanh(self) -> C {
        let (x, y) = (self.re, self.im);
        let d = (1.0 - x) * (1.0 - x) + y * y;
        let re = 0.25 * (4.0 * x / d).ln_1p();
        cx(re, 0.5 * (2.0 * y).atan2((1.0 - x) * (1.0 + x) - y * y))
    }

    pub fn atan(self) -> C {
        self.turn().atanh().turn_back()
    }

    pub fn recip(self) -> C {
        cx(1.0, 0.0).over(self)
    }

    pub fn pow(self, p: C) -> C {
        if p == cx(0.0, 0.0) {
            return cx(1.0, 0.0);
        }
        if self == cx(0.0, 0.0) {
            return if p.im == 0.0 && p.re > 0.0 { cx(0.0, 0.0) } else { cx(f64::NAN, f64::NAN) };
        }
        (self.ln() * p).exp()
    }

    pub fn sigmoid(self) -> C {
        (cx(1.0, 0.0) + (-self).exp()).recip()
    }
}
