//! The factor of a positive definite matrix.

use crate::Field;
use crate::field::dot;

/// Overwrites the lower triangle of a Hermitian `n` by `n` matrix with L of `A = L L^H` and zeroes the other one. Only the
/// lower triangle is read. `Err(k)`: the leading minor of order `k` is not positive definite.
pub fn factor<T: Field>(a: &mut [T], n: usize) -> Result<(), usize> {
    for i in 0..n {
        for j in 0..=i {
            let (done, row) = a.split_at_mut(i * n);
            let s = if i == j {
                row[j] - dot(&row[..j], &row[..j])
            } else {
                row[j] - dot(&done[j * n..j * n + j], &row[..j])
            };
            if i == j {
                if s.re().is_nan() || s.re() <= 0.0 {
                    return Err(i + 1);
                }
                row[j] = T::real(s.re().sqrt());
            } else {
                row[j] = s.scale(1.0 / done[j * n + j].re());
            }
        }
        a[i * n + i + 1..(i + 1) * n].fill(T::default());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, random};
    use crate::{C64, adjoint, product};

    #[test]
    fn squares_back() {
        let n = 6;
        let b = random::<C64>(n * n, 4);
        let a = product(&b, &adjoint(&b, n, n), n, n, n);
        let mut l = a.clone();
        factor(&mut l, n).unwrap();
        close(&product(&l, &adjoint(&l, n, n), n, n, n), &a, 1e-12);
        assert_eq!(factor(&mut [1.0, 0.0, 2.0, 1.0], 2), Err(2));
        assert_eq!(factor(&mut [-1.0], 1), Err(1));
    }
}
