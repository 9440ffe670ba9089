//! Gaussian elimination with partial pivoting.

use crate::Field;
use crate::field::{axpy, two_rows};

/// Overwrites the `m` by `n` matrix with L (unit lower, below the diagonal) and U; returns the row that each step
/// exchanged with its own, counted from zero, and whether the permutation is odd. With `pivot` off rows stay in place.
pub fn factor<T: Field>(a: &mut [T], m: usize, n: usize, pivot: bool) -> (Vec<usize>, bool) {
    let mut pivots = Vec::with_capacity(m.min(n));
    let mut odd = false;
    for k in 0..m.min(n) {
        let mut best = k;
        if pivot {
            for i in k + 1..m {
                if a[i * n + k].size() > a[best * n + k].size() {
                    best = i;
                }
            }
        }
        pivots.push(best);
        if best != k {
            odd = !odd;
            let (x, y) = two_rows(a, n, k, best);
            x.swap_with_slice(y);
        }
        let p = a[k * n + k];
        if p == T::default() {
            continue;
        }
        for i in k + 1..m {
            let (top, row) = two_rows(a, n, k, i);
            let f = row[k] / p;
            row[k] = f;
            axpy(&mut row[k + 1..], -f, &top[k + 1..]);
        }
    }
    (pivots, odd)
}

/// Solves `A X = B` in place from the factors of a square `A`; `b` is `n` by `r`.
pub fn solve<T: Field>(lu: &[T], pivots: &[usize], b: &mut [T], n: usize, r: usize) {
    if r == 0 {
        return;
    }
    for (k, &p) in pivots.iter().enumerate() {
        if p > k {
            let (x, y) = two_rows(b, r, k, p);
            x.swap_with_slice(y);
        }
    }
    crate::triangular::solve(lu, b, n, r, false, true);
    crate::triangular::solve(lu, b, n, r, true, false);
}

/// The row of `A` that stands at each place of `L U`.
pub fn permutation(pivots: &[usize], m: usize) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..m).collect();
    for (k, &p) in pivots.iter().enumerate() {
        rows.swap(k, p);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, random};
    use crate::{C64, product};

    fn check<T: Field>(m: usize, n: usize) {
        let a = random::<T>(m * n, 3);
        let mut f = a.clone();
        let (pivots, _) = factor(&mut f, m, n, true);
        let k = m.min(n);
        let (mut l, mut u) = (crate::eye::<T>(m, k), vec![T::default(); k * n]);
        for i in 0..m {
            for j in 0..n {
                if j < i && j < k {
                    l[i * k + j] = f[i * n + j];
                } else if i <= j && i < k {
                    u[i * n + j] = f[i * n + j];
                }
            }
        }
        let rows = permutation(&pivots, m);
        let moved: Vec<T> = rows.iter().flat_map(|&r| a[r * n..(r + 1) * n].to_vec()).collect();
        close(&product(&l, &u, m, k, n), &moved, 1e-13);
    }

    #[test]
    fn factors_multiply_to_the_permuted_matrix() {
        for (m, n) in [(4, 4), (5, 3), (3, 6), (1, 1), (0, 3)] {
            check::<f64>(m, n);
            check::<C64>(m, n);
        }
    }

    #[test]
    fn solutions_solve() {
        let (n, r) = (6, 2);
        let (a, b) = (random::<C64>(n * n, 5), random::<C64>(n * r, 6));
        let (mut f, mut x) = (a.clone(), b.clone());
        let (pivots, _) = factor(&mut f, n, n, true);
        solve(&f, &pivots, &mut x, n, r);
        close(&product(&a, &x, n, n, r), &b, 1e-12);
    }
}
