//! Forward and back substitution.

use crate::Field;
use crate::field::{axpy, two_rows};

/// Solves `A X = B` in place for a triangular `A` (`n` by `n`; the other triangle is not read), `b` being `n` by `r`.
pub fn solve<T: Field>(a: &[T], b: &mut [T], n: usize, r: usize, upper: bool, unit: bool) {
    if r == 0 {
        return;
    }
    let order: Vec<usize> = if upper { (0..n).rev().collect() } else { (0..n).collect() };
    for &i in &order {
        let others = if upper { i + 1..n } else { 0..i };
        for j in others {
            let f = -a[i * n + j];
            if i < j {
                let (x, y) = two_rows(b, r, i, j);
                axpy(x, f, y);
            } else {
                let (y, x) = two_rows(b, r, j, i);
                axpy(x, f, y);
            }
        }
        if !unit {
            let d = a[i * n + i];
            for x in &mut b[i * r..(i + 1) * r] {
                *x = *x / d;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product;
    use crate::testing::{close, random};

    #[test]
    fn both_triangles() {
        let (n, r) = (5, 3);
        let mut a = random::<f64>(n * n, 1);
        for i in 0..n {
            a[i * n + i] += 3.0;
        }
        let b = random::<f64>(n * r, 2);
        for upper in [false, true] {
            let mut t = a.clone();
            for i in 0..n {
                for j in 0..n {
                    if (j > i) != upper && i != j {
                        t[i * n + j] = 0.0;
                    }
                }
            }
            let mut x = b.clone();
            solve(&a, &mut x, n, r, upper, false);
            close(&product(&t, &x, n, n, r), &b, 1e-13);
        }
    }
}
