//! Matrix decompositions and Fourier transforms over plain slices. Knows no tensor, no dtype and no thread.
//!
//! Everything computes in double precision, real or complex ([`Field`]); callers convert. Matrices are row-major. The
//! algorithms are the textbook ones (Golub and Van Loan, "Matrix Computations", 4th edition): they are backward stable and
//! unblocked, so a large matrix takes its n^3 operations at the speed of plain loops.

pub mod cholesky;
pub mod eig;
pub mod eigh;
pub mod fft;
pub mod field;
pub mod lu;
pub mod qr;
pub mod svd;
pub mod triangular;

pub use field::{C64, Field};

/// An iteration that did not converge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoConvergence;

/// The conjugate transpose of an `m` by `n` matrix.
pub fn adjoint<T: Field>(a: &[T], m: usize, n: usize) -> Vec<T> {
    let mut out = vec![T::default(); m * n];
    for i in 0..m {
        for j in 0..n {
            out[j * m + i] = a[i * n + j].conj();
        }
    }
    out
}

/// `a` (m by k) times `b` (k by n).
pub fn product<T: Field>(a: &[T], b: &[T], m: usize, k: usize, n: usize) -> Vec<T> {
    let mut out = vec![T::default(); m * n];
    if n == 0 {
        return out;
    }
    for (row, out) in out.chunks_exact_mut(n).enumerate() {
        for i in 0..k {
            field::axpy(out, a[row * k + i], &b[i * n..(i + 1) * n]);
        }
    }
    out
}

/// `n` by `m` with ones on the diagonal.
pub fn eye<T: Field>(n: usize, m: usize) -> Vec<T> {
    let mut out = vec![T::default(); n * m];
    for i in 0..n.min(m) {
        out[i * m + i] = T::real(1.0);
    }
    out
}

#[cfg(test)]
pub(crate) mod testing {
    use crate::{C64, Field};

    /// Numbers in `[-1, 1)` from a fixed stream.
    pub fn random<T: Field>(n: usize, seed: u64) -> Vec<T> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        };
        (0..n).map(|_| T::parts(next(), next())).collect()
    }

    pub fn close<T: Field>(a: &[T], b: &[T], tolerance: f64) {
        assert_eq!(a.len(), b.len());
        for (x, y) in a.iter().zip(b) {
            assert!((*x - *y).norm_sqr().sqrt() <= tolerance, "{:?} and {:?}", (x.re(), x.im()), (y.re(), y.im()));
        }
    }

    pub fn complex<T: Field>(a: &[T]) -> Vec<C64> {
        a.iter().map(|x| C64 { re: x.re(), im: x.im() }).collect()
    }
}
