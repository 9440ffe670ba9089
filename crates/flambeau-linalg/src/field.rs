//! Real and complex numbers under one name.

use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// A complex number in double precision.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
#[repr(C)]
pub struct C64 {
    pub re: f64,
    pub im: f64,
}

/// What the algorithms compute with: `f64` or [`C64`].
pub trait Field:
    Copy
    + Default
    + PartialEq
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + 'static
{
    const COMPLEX: bool;
    fn real(re: f64) -> Self;
    /// A real field ignores `im`.
    fn parts(re: f64, im: f64) -> Self;
    fn re(self) -> f64;
    fn im(self) -> f64;
    fn conj(self) -> Self;
    fn scale(self, by: f64) -> Self;

    fn norm_sqr(self) -> f64 {
        self.re() * self.re() + self.im() * self.im()
    }

    /// `|re| + |im|`, by which LAPACK chooses pivots.
    fn size(self) -> f64 {
        self.re().abs() + self.im().abs()
    }

    /// The modulus, without overflow.
    fn modulus(self) -> f64 {
        if Self::COMPLEX { self.re().hypot(self.im()) } else { self.re().abs() }
    }
}

impl Field for f64 {
    const COMPLEX: bool = false;
    fn real(re: f64) -> f64 {
        re
    }
    fn parts(re: f64, _: f64) -> f64 {
        re
    }
    fn re(self) -> f64 {
        self
    }
    fn im(self) -> f64 {
        0.0
    }
    fn conj(self) -> f64 {
        self
    }
    fn scale(self, by: f64) -> f64 {
        self * by
    }
}

impl Field for C64 {
    const COMPLEX: bool = true;
    fn real(re: f64) -> C64 {
        C64 { re, im: 0.0 }
    }
    fn parts(re: f64, im: f64) -> C64 {
        C64 { re, im }
    }
    fn re(self) -> f64 {
        self.re
    }
    fn im(self) -> f64 {
        self.im
    }
    fn conj(self) -> C64 {
        C64 { re: self.re, im: -self.im }
    }
    fn scale(self, by: f64) -> C64 {
        C64 { re: self.re * by, im: self.im * by }
    }
}

impl C64 {
    pub fn new(re: f64, im: f64) -> C64 {
        C64 { re, im }
    }

    /// The principal square root.
    pub fn sqrt(self) -> C64 {
        let r = self.re.hypot(self.im);
        if r == 0.0 {
            return C64::default();
        }
        let a = ((r + self.re.abs()) / 2.0).sqrt();
        let b = self.im.abs() / (2.0 * a);
        let (re, im) = if self.re >= 0.0 { (a, b) } else { (b, a) };
        C64 { re, im: im.copysign(self.im) }
    }
}

impl Add for C64 {
    type Output = C64;
    fn add(self, o: C64) -> C64 {
        C64 { re: self.re + o.re, im: self.im + o.im }
    }
}
impl Sub for C64 {
    type Output = C64;
    fn sub(self, o: C64) -> C64 {
        C64 { re: self.re - o.re, im: self.im - o.im }
    }
}
impl Mul for C64 {
    type Output = C64;
    fn mul(self, o: C64) -> C64 {
        C64 { re: self.re * o.re - self.im * o.im, im: self.re * o.im + self.im * o.re }
    }
}
impl Div for C64 {
    type Output = C64;
    /// Smith's algorithm, which does not overflow early.
    fn div(self, o: C64) -> C64 {
        if o.re.abs() >= o.im.abs() {
            let r = o.im / o.re;
            let d = o.re + o.im * r;
            C64 { re: (self.re + self.im * r) / d, im: (self.im - self.re * r) / d }
        } else {
            let r = o.re / o.im;
            let d = o.re * r + o.im;
            C64 { re: (self.re * r + self.im) / d, im: (self.im * r - self.re) / d }
        }
    }
}
impl Neg for C64 {
    type Output = C64;
    fn neg(self) -> C64 {
        C64 { re: -self.re, im: -self.im }
    }
}
impl AddAssign for C64 {
    fn add_assign(&mut self, o: C64) {
        *self = *self + o;
    }
}
impl SubAssign for C64 {
    fn sub_assign(&mut self, o: C64) {
        *self = *self - o;
    }
}
impl MulAssign for C64 {
    fn mul_assign(&mut self, o: C64) {
        *self = *self * o;
    }
}

/// `y += f * x`.
pub fn axpy<T: Field>(y: &mut [T], f: T, x: &[T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += f * x;
    }
}

/// The sum of `conj(x) * y`, in four lanes.
pub fn dot<T: Field>(x: &[T], y: &[T]) -> T {
    let mut lanes = [T::default(); 4];
    let (xs, ys) = (x.chunks_exact(4), y.chunks_exact(4));
    let rest = xs.remainder().iter().zip(ys.remainder()).fold(T::default(), |s, (&a, &b)| s + a.conj() * b);
    for (a, b) in xs.zip(ys) {
        for i in 0..4 {
            lanes[i] += a[i].conj() * b[i];
        }
    }
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + rest
}

/// The Euclidean norm, safe from overflow and underflow.
pub fn norm<T: Field>(x: &[T]) -> f64 {
    let top = x.iter().map(|v| v.size()).fold(0.0, f64::max);
    if top == 0.0 || !top.is_finite() {
        return if x.iter().any(|v| v.size().is_nan()) { f64::NAN } else { top };
    }
    let by = 1.0 / top;
    if !by.is_finite() {
        return top;
    }
    top * x.iter().map(|v| v.scale(by).norm_sqr()).sum::<f64>().sqrt()
}

/// Rows `i` and `j` (`i < j`) of a matrix with `n` columns.
pub fn two_rows<T>(a: &mut [T], n: usize, i: usize, j: usize) -> (&mut [T], &mut [T]) {
    let (top, bottom) = a.split_at_mut(j * n);
    (&mut top[i * n..(i + 1) * n], &mut bottom[..n])
}
