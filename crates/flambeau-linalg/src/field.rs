//! Real and complex numbers under one name, with what is compiled for each.

use faer::traits::{ComplexField, RealField, num_traits};

use crate::svd::Svd;
use crate::{NoConvergence, cholesky, eigh, lu, qr, svd, triangular};

pub type C32 = faer::complex::Complex<f32>;
pub type C64 = faer::complex::Complex<f64>;

/// `f32` or `f64`.
pub trait Real: RealField + num_traits::Float + Default + Send + Sync + 'static {
    fn of(x: f64) -> Self;
}

impl Real for f32 {
    fn of(x: f64) -> f32 {
        x as f32
    }
}

impl Real for f64 {
    fn of(x: f64) -> f64 {
        x
    }
}

/// What matrices consist of. The methods on slices are the functions of the modules, compiled here once.
pub trait Field: ComplexField<Real: Real> + Copy + Default + Send + Sync + 'static {
    /// A real field ignores `im`.
    fn parts(re: Self::Real, im: Self::Real) -> Self;

    fn real(re: Self::Real) -> Self {
        Self::from_real_impl(&re)
    }

    fn re(self) -> Self::Real {
        Self::real_part_impl(&self)
    }

    fn im(self) -> Self::Real {
        Self::imag_part_impl(&self)
    }

    fn conj(self) -> Self {
        Self::conj_impl(&self)
    }

    fn scale(self, by: Self::Real) -> Self {
        Self::mul_real_impl(&self, &by)
    }

    fn over(self, by: Self::Real) -> Self {
        Self::parts(self.re() / by, self.im() / by)
    }

    /// `|re| + |im|`, by which LAPACK chooses pivots.
    fn size(self) -> Self::Real {
        Self::abs1_impl(&self)
    }

    /// The modulus, without overflow.
    fn modulus(self) -> Self::Real {
        num_traits::Float::hypot(self.re(), self.im())
    }

    /// The quotient, by Smith's algorithm, which does not overflow early.
    fn quotient(self, o: Self) -> Self {
        use num_traits::Float;
        if Self::IS_REAL {
            return self / o;
        }
        let (a, b, c, d) = (self.re(), self.im(), o.re(), o.im());
        if Float::abs(c) >= Float::abs(d) {
            let r = d / c;
            let by = c + d * r;
            Self::parts((a + b * r) / by, (b - a * r) / by)
        } else {
            let r = c / d;
            let by = c * r + d;
            Self::parts((a * r + b) / by, (b * r - a) / by)
        }
    }

    /// See [`cholesky::factor`].
    fn cholesky(a: &mut [Self], n: usize) -> Result<(), usize>;
    /// See [`lu::factor`].
    fn lu(a: &mut [Self], m: usize, n: usize, pivot: bool) -> (Vec<usize>, bool);
    /// See [`lu::solve`].
    fn lu_solve(lu: &[Self], pivots: &[usize], b: &mut [Self], n: usize, r: usize);
    /// See [`triangular::solve`].
    fn triangular(a: &[Self], b: &mut [Self], n: usize, r: usize, upper: bool, unit: bool);
    /// See [`qr::factor`].
    fn qr(a: &mut [Self], m: usize, n: usize) -> Vec<Self>;
    /// See [`qr::q`].
    fn q(a: &[Self], taus: &[Self], m: usize, n: usize, p: usize) -> Vec<Self>;
    /// See [`eigh::eigh`].
    fn eigh(a: &[Self], n: usize) -> Result<(Vec<Self::Real>, Vec<Self>), NoConvergence>;
    /// See [`svd::svd`].
    fn svd(a: &[Self], m: usize, n: usize, full: bool) -> Result<Svd<Self>, NoConvergence>;
}

macro_rules! field {
    ($t:ty, $re:ident, $im:ident => $parts:expr) => {
        impl Field for $t {
            fn parts($re: Self::Real, $im: Self::Real) -> $t {
                $parts
            }
            fn cholesky(a: &mut [$t], n: usize) -> Result<(), usize> {
                cholesky::factor(a, n)
            }
            fn lu(a: &mut [$t], m: usize, n: usize, pivot: bool) -> (Vec<usize>, bool) {
                lu::factor(a, m, n, pivot)
            }
            fn lu_solve(lu: &[$t], pivots: &[usize], b: &mut [$t], n: usize, r: usize) {
                lu::solve(lu, pivots, b, n, r)
            }
            fn triangular(a: &[$t], b: &mut [$t], n: usize, r: usize, upper: bool, unit: bool) {
                triangular::solve(a, b, n, r, upper, unit)
            }
            fn qr(a: &mut [$t], m: usize, n: usize) -> Vec<$t> {
                qr::factor(a, m, n)
            }
            fn q(a: &[$t], taus: &[$t], m: usize, n: usize, p: usize) -> Vec<$t> {
                qr::q(a, taus, m, n, p)
            }
            fn eigh(a: &[$t], n: usize) -> Result<(Vec<Self::Real>, Vec<$t>), NoConvergence> {
                eigh::eigh(a, n)
            }
            fn svd(a: &[$t], m: usize, n: usize, full: bool) -> Result<Svd<$t>, NoConvergence> {
                svd::svd(a, m, n, full)
            }
        }
    };
}

field!(f32, re, _im => re);
field!(f64, re, _im => re);
field!(C64, re, im => C64 { re, im });

/// `y += f * x`.
pub(crate) fn axpy<T: Field>(y: &mut [T], f: T, x: &[T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += f * x;
    }
}

/// The sum of `conj(x) * y`, in eight lanes.
pub(crate) fn dot<T: Field>(x: &[T], y: &[T]) -> T {
    let mut lanes = [T::default(); 8];
    let (xs, ys) = (x.chunks_exact(8), y.chunks_exact(8));
    let mut sum = T::default();
    for (&a, &b) in xs.remainder().iter().zip(ys.remainder()) {
        sum += a.conj() * b;
    }
    for (a, b) in xs.zip(ys) {
        for i in 0..8 {
            lanes[i] += a[i].conj() * b[i];
        }
    }
    for half in [4, 2, 1] {
        for i in 0..half {
            let other = lanes[i + half];
            lanes[i] += other;
        }
    }
    sum + lanes[0]
}

/// The Euclidean norm, safe from overflow and underflow.
pub(crate) fn norm<T: Field>(x: &[T]) -> T::Real {
    use num_traits::Float;
    let zero = <T::Real as Real>::of(0.0);
    let top = x.iter().map(|v| v.size()).fold(zero, |m, v| if Float::is_nan(v) || v > m { v } else { m });
    if top == zero || !Float::is_finite(top) {
        return top;
    }
    let mut sum = zero;
    for v in x {
        let v = v.over(top);
        sum += v.re() * v.re() + v.im() * v.im();
    }
    top * Float::sqrt(sum)
}

/// Rows `i` and `j` (`i < j`) of a matrix with `n` columns.
pub(crate) fn two_rows<T>(a: &mut [T], n: usize, i: usize, j: usize) -> (&mut [T], &mut [T]) {
    let (top, bottom) = a.split_at_mut(j * n);
    (&mut top[i * n..(i + 1) * n], &mut bottom[..n])
}
