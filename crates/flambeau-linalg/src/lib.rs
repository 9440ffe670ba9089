//! Matrix decompositions by `faer` and Fourier transforms by `rustfft`, over plain slices. Knows no tensor, no dtype and no thread.
//!
//! Matrices are row-major; what `faer` wants by columns is turned on the way in and out. Our own are only what must be LAPACK's to
//! the letter: LU, which goes on past a zero pivot, and QR, whose reflectors and signs users see.

pub mod cholesky;
pub mod eig;
pub mod eigh;
pub mod fft;
pub mod field;
pub mod lu;
pub mod qr;
pub mod svd;
pub mod triangular;

pub use faer::traits::num_traits::Float;
pub use field::{C32, C64, Field, Real};

/// An iteration that did not converge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoConvergence;

/// The transpose of an `m` by `n` matrix: its columns, one after the other.
pub fn transposed<T: Copy + Default>(a: &[T], m: usize, n: usize) -> Vec<T> {
    const TILE: usize = 16;
    let mut out = vec![T::default(); m * n];
    for i0 in (0..m).step_by(TILE) {
        for j0 in (0..n).step_by(TILE) {
            for j in j0..n.min(j0 + TILE) {
                for i in i0..m.min(i0 + TILE) {
                    out[j * m + i] = a[i * n + j];
                }
            }
        }
    }
    out
}

/// `a` divided by its largest number where squares could leave the range of `T`, and that divisor.
fn in_range<T: Field>(a: &[T]) -> (std::borrow::Cow<'_, [T]>, T::Real) {
    let one = <T::Real as Real>::of(1.0);
    let top = a.iter().map(|x| x.size()).fold(<T::Real as Real>::of(0.0), Float::max);
    let edge = Float::sqrt(Float::sqrt(<T::Real as Float>::max_value()));
    if top == <T::Real as Real>::of(0.0) || (top < edge && top > one / edge) {
        return (a.into(), one);
    }
    (a.iter().map(|x| x.over(top)).collect(), top)
}

/// Whether all numbers are finite.
fn finite<T: Field>(a: &[T]) -> bool {
    a.iter().all(|x| Float::is_finite(x.size()))
}

#[cfg(test)]
pub(crate) mod testing {
    use crate::{C64, Field};

    /// Numbers in `[-1, 1)` from a fixed stream.
    pub fn random<T: Field>(n: usize, seed: u64) -> Vec<T> {
        use crate::Real;
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            T::Real::of((state >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
        };
        (0..n).map(|_| T::parts(next(), next())).collect()
    }

    pub fn close<T: Field>(a: &[T], b: &[T], tolerance: f64) {
        use crate::Real;
        assert_eq!(a.len(), b.len());
        for (x, y) in a.iter().zip(b) {
            assert!((*x - *y).modulus() <= T::Real::of(tolerance), "{x:?} and {y:?}");
        }
    }

    pub fn complex(a: &[f64]) -> Vec<C64> {
        a.iter().map(|&x| C64::new(x, 0.0)).collect()
    }

    /// The conjugate transpose of an `m` by `n` matrix.
    pub fn adjoint<T: Field>(a: &[T], m: usize, n: usize) -> Vec<T> {
        crate::transposed(a, m, n).into_iter().map(Field::conj).collect()
    }

    /// `a` (m by k) times `b` (k by n).
    pub fn product<T: Field>(a: &[T], b: &[T], m: usize, k: usize, n: usize) -> Vec<T> {
        let mut out = vec![T::default(); m * n];
        for i in 0..m {
            for l in 0..k {
                for j in 0..n {
                    out[i * n + j] += a[i * k + l] * b[l * n + j];
                }
            }
        }
        out
    }

    /// `n` by `m` with ones on the diagonal.
    pub fn eye<T: Field>(n: usize, m: usize) -> Vec<T> {
        use crate::Real;
        let mut out = vec![T::default(); n * m];
        for i in 0..n.min(m) {
            out[i * m + i] = T::real(T::Real::of(1.0));
        }
        out
    }
}
