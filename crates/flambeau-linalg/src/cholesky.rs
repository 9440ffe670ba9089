//! The factor of a positive definite matrix.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{LltError, cholesky_in_place, cholesky_in_place_scratch};
use faer::{MatMut, Par};

use crate::{Field, transposed};

/// Overwrites the lower triangle of a Hermitian `n` by `n` matrix with L of `A = L L^H` and zeroes the other one. Only the
/// lower triangle is read. `Err(k)`: the leading minor of order `k` is not positive definite.
pub fn factor<T: Field>(a: &mut [T], n: usize) -> Result<(), usize> {
    let mut columns = transposed(a, n, n);
    let mut memory = MemBuffer::new(cholesky_in_place_scratch::<T>(n, Par::Seq, Default::default()));
    let stack = MemStack::new(&mut memory);
    let view = MatMut::from_column_major_slice_mut(&mut columns, n, n);
    let done = cholesky_in_place(view, Default::default(), Par::Seq, stack, Default::default());
    a.copy_from_slice(&transposed(&columns, n, n));
    for i in 0..n {
        a[i * n + i + 1..(i + 1) * n].fill(T::default());
    }
    match done {
        Ok(_) => Ok(()),
        Err(LltError::NonPositivePivot { index }) => Err(index + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::C64;
    use crate::testing::{adjoint, close, product, random};

    #[test]
    fn squares_back() {
        for n in [1, 6, 33, 100] {
            let b = random::<C64>(n * n, 4);
            let a = product(&b, &adjoint(&b, n, n), n, n, n);
            let mut l = a.clone();
            factor(&mut l, n).unwrap();
            close(&product(&l, &adjoint(&l, n, n), n, n, n), &a, 1e-11);
        }
        assert_eq!(factor(&mut [1.0, 0.0, 2.0, 1.0], 2), Err(2));
        assert_eq!(factor(&mut [-1.0], 1), Err(1));
        assert_eq!(factor(&mut [f32::NAN], 1), Err(1));
        // Only the lower triangle counts, and the minor is found in a large matrix too.
        let n = 70;
        let mut a: Vec<f64> =
            (0..n * n).map(|k| if k / n < k % n { f64::NAN } else { (k / n == k % n) as u8 as f64 }).collect();
        a[50 * n + 50] = 0.0;
        assert_eq!(factor(&mut a, n), Err(51));
    }
}
