//! Forward and back substitution.

use faer::linalg::triangular_solve as by;
use faer::{MatMut, MatRef, Par};

use crate::Field;

/// Solves `A X = B` in place for a triangular `A` (`n` by `n`; the other triangle is not read), `b` being `n` by `r`.
pub fn solve<T: Field>(a: &[T], b: &mut [T], n: usize, r: usize, upper: bool, unit: bool) {
    let (a, b) = (MatRef::from_row_major_slice(a, n, n), MatMut::from_row_major_slice_mut(b, n, r));
    match (upper, unit) {
        (false, false) => by::solve_lower_triangular_in_place(a, b, Par::Seq),
        (false, true) => by::solve_unit_lower_triangular_in_place(a, b, Par::Seq),
        (true, false) => by::solve_upper_triangular_in_place(a, b, Par::Seq),
        (true, true) => by::solve_unit_upper_triangular_in_place(a, b, Par::Seq),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, product, random};

    #[test]
    fn both_triangles() {
        for (n, r) in [(5, 3), (40, 1), (3, 0), (0, 2)] {
            let mut a = random::<f64>(n * n, 1);
            for i in 0..n {
                a[i * n + i] += 3.0;
            }
            let b = random::<f64>(n * r, 2);
            for (upper, unit) in [(false, false), (true, false), (false, true), (true, true)] {
                let mut t = a.clone();
                for i in 0..n {
                    for j in 0..n {
                        if (j > i) != upper && i != j {
                            t[i * n + j] = 0.0;
                        } else if i == j && unit {
                            t[i * n + j] = 1.0;
                        } else if i != j {
                            t[i * n + j] /= n as f64;
                        }
                    }
                }
                // The other triangle and a unit diagonal are not read.
                let mut given = t.clone();
                for i in 0..n {
                    for j in 0..n {
                        if t[i * n + j] == 0.0 || (i == j && unit) {
                            given[i * n + j] = 7.0;
                        }
                    }
                }
                let mut x = b.clone();
                solve(&given, &mut x, n, r, upper, unit);
                close(&product(&t, &x, n, n, r), &b, 1e-12);
            }
        }
    }
}
