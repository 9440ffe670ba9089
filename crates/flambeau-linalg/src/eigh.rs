//! Eigenvalues and eigenvectors of Hermitian matrices.

use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{MatMut, MatRef, Par};

use crate::{Field, NoConvergence, finite, in_range, transposed};

/// Eigenvalues in ascending order and, column by column, the eigenvectors. Only the lower triangle of `a` is read.
pub fn eigh<T: Field>(a: &[T], n: usize) -> Result<(Vec<T::Real>, Vec<T>), NoConvergence> {
    // The library computes `n - 1` of nothing.
    if n == 0 {
        return Ok((Vec::new(), Vec::new()));
    }
    // Where only one triangle is meant the other may hold anything.
    let mut lower = a.to_vec();
    for i in 0..n {
        lower[i * n + i + 1..(i + 1) * n].fill(T::default());
    }
    if !finite(&lower) {
        return Err(NoConvergence);
    }
    let (lower, top) = in_range(&lower);
    let (mut values, mut vectors) = (vec![T::default(); n], vec![T::default(); n * n]);
    let scratch = self_adjoint_evd_scratch::<T>(n, ComputeEigenvectors::Yes, Par::Seq, Default::default());
    self_adjoint_evd(
        MatRef::from_row_major_slice(&lower, n, n),
        DiagMut::from_slice_mut(&mut values),
        Some(MatMut::from_column_major_slice_mut(&mut vectors, n, n)),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .map_err(|_| NoConvergence)?;
    Ok((values.iter().map(|v| v.re() * top).collect(), transposed(&vectors, n, n)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::C64;
    use crate::testing::{adjoint, close, eye, product, random};

    fn check<T: Field>(n: usize, by: T::Real) {
        let b = random::<T>(n * n, 9);
        let a: Vec<T> = b.iter().zip(adjoint(&b, n, n)).map(|(&x, y)| (x + y).scale(by)).collect();
        let (values, v) = eigh(&a, n).unwrap();
        let scaled: Vec<T> = (0..n * n).map(|k| v[k].scale(values[k % n]).over(by)).collect();
        let a: Vec<T> = a.iter().map(|x| x.over(by)).collect();
        close(&product(&a, &v, n, n, n), &scaled, 1e-11);
        close(&product(&adjoint(&v, n, n), &v, n, n, n), &eye::<T>(n, n), 1e-11);
        assert!(values.is_sorted());
    }

    #[test]
    fn vectors_and_values_belong_together() {
        for n in [0, 1, 2, 3, 8, 20, 150] {
            check::<f64>(n, 1.0);
            check::<C64>(n, 1.0);
        }
        check::<f64>(5, 1e200);
        check::<f64>(5, 1e-200);
        assert_eq!(eigh(&[f64::NAN], 1), Err(NoConvergence));
        assert_eq!(eigh(&[0.0f32; 9], 3).unwrap().0, [0.0; 3]);
        // The upper triangle is not read.
        assert_eq!(eigh(&[1.0, f64::NAN, 0.0, 2.0], 2).unwrap().0, [1.0, 2.0]);
    }
}
