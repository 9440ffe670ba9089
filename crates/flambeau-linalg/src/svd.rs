//! The singular value decomposition.

use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::svd as by;
use faer::{MatMut, MatRef, Par};

use crate::{Field, NoConvergence, finite, in_range, transposed};

/// U, singular values in descending order, V^H.
pub type Svd<T> = (Vec<T>, Vec<<T as faer::traits::ComplexField>::Real>, Vec<T>);

/// `A = U diag(S) V^H` of an `m` by `n` matrix. With `k = min(m, n)`, U is `m` by `k` and V^H `k` by `n`; with `full` they are
/// square.
pub fn svd<T: Field>(a: &[T], m: usize, n: usize, full: bool) -> Result<Svd<T>, NoConvergence> {
    if !finite(a) {
        return Err(NoConvergence);
    }
    let (a, top) = in_range(a);
    let k = m.min(n);
    let (p, q) = if full { (m, n) } else { (k, k) };
    let wanted = if full { by::ComputeSvdVectors::Full } else { by::ComputeSvdVectors::Thin };
    let (mut u, mut s, mut v) = (vec![T::default(); m * p], vec![T::default(); k], vec![T::default(); n * q]);
    let scratch = by::svd_scratch::<T>(m, n, wanted, wanted, Par::Seq, Default::default());
    by::svd(
        MatRef::from_row_major_slice(&a, m, n),
        DiagMut::from_slice_mut(&mut s),
        Some(MatMut::from_column_major_slice_mut(&mut u, m, p)),
        Some(MatMut::from_column_major_slice_mut(&mut v, n, q)),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .map_err(|_| NoConvergence)?;
    // The columns of V are the rows of V^T.
    v.iter_mut().for_each(|x| *x = x.conj());
    Ok((transposed(&u, p, m), s.iter().map(|s| s.re() * top).collect(), v))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::C64;
    use crate::testing::{adjoint, close, eye, product, random};

    fn check<T: Field>(a: &[T], m: usize, n: usize) {
        for full in [false, true] {
            let k = m.min(n);
            let (p, q) = if full { (m, n) } else { (k, k) };
            let (u, s, vh) = svd(a, m, n, full).unwrap();
            assert!(s.is_sorted_by(|a, b| a >= b));
            close(&product(&adjoint(&u, m, p), &u, p, m, p), &eye::<T>(p, p), 1e-11);
            close(&product(&vh, &adjoint(&vh, q, n), q, n, q), &eye::<T>(q, q), 1e-11);
            let mut us = vec![T::default(); m * q];
            for i in 0..m {
                for j in 0..k {
                    us[i * q + j] = u[i * p + j].scale(s[j]);
                }
            }
            close(&product(&us, &vh, m, q, n), a, 1e-11);
        }
    }

    #[test]
    fn orthonormal_and_multiplies_back() {
        for (m, n) in [(5, 3), (3, 5), (4, 4), (1, 1), (12, 12), (0, 2), (2, 0), (40, 9), (9, 40), (150, 150)] {
            check(&random::<f64>(m * n, 2), m, n);
            check(&random::<C64>(m * n, 2), m, n);
        }
    }

    #[test]
    fn singular_matrices() {
        check(&[0.0; 12], 4, 3);
        let b = random::<C64>(4 * 2, 7);
        check(&product(&b, &adjoint(&b, 4, 2), 4, 2, 4), 4, 4);
        assert_eq!(svd(&[f64::INFINITY], 1, 1, false), Err(NoConvergence));
    }

    #[test]
    fn large_and_small_numbers() {
        for by in [1e-300, 1e300] {
            let (_, s, _) = svd(&[3.0 * by, 0.0, 0.0, 4.0 * by], 2, 2, false).unwrap();
            close(&[s[0] / by, s[1] / by], &[4.0, 3.0], 1e-14);
        }
    }
}
