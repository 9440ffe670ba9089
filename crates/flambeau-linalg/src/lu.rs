//! Gaussian elimination with partial pivoting, by halves (Toledo, "Locality of reference in LU decomposition with partial
//! pivoting", 1997). Our own because LAPACK goes on past a zero pivot, and because rows may have to stay in place.

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::solve_unit_lower_triangular_in_place;
use faer::{Accum, MatMut, MatRef, Par};

use crate::field::{axpy, two_rows};
use crate::{Field, Real, transposed};

/// Overwrites the `m` by `n` matrix with L (unit lower, below the diagonal) and U; returns the row that each step
/// exchanged with its own, counted from zero, and whether the permutation is odd. With `pivot` off rows stay in place.
pub fn factor<T: Field>(a: &mut [T], m: usize, n: usize, pivot: bool) -> (Vec<usize>, bool) {
    let k = m.min(n);
    let mut pivots = vec![0; k];
    if k == 0 {
        return (pivots, false);
    }
    let mut columns = transposed(a, m, n);
    let (left, right) = columns.split_at_mut(k * m);
    halves(left, m, 0, &mut pivots, pivot);
    if n > k {
        exchange(right, m, 0, &pivots);
        let (l, u) = (view(left, m, 0, k, k), view_mut(right, m, 0, k, n - k));
        solve_unit_lower_triangular_in_place(l, u, Par::Seq);
    }
    a.copy_from_slice(&transposed(&columns, n, m));
    let odd = pivots.iter().enumerate().filter(|&(i, &p)| p != i).count() % 2 == 1;
    (pivots, odd)
}

/// `rows` rows from `top` of some columns that are `m` apart.
fn view<T>(a: &[T], m: usize, top: usize, rows: usize, columns: usize) -> MatRef<'_, T> {
    MatRef::from_column_major_slice_with_stride(&a[top..], rows, columns, m)
}

fn view_mut<T>(a: &mut [T], m: usize, top: usize, rows: usize, columns: usize) -> MatMut<'_, T> {
    MatMut::from_column_major_slice_with_stride_mut(&mut a[top..], rows, columns, m)
}

/// Exchanges rows as the pivots say, which count from `top`.
fn exchange<T>(a: &mut [T], m: usize, top: usize, pivots: &[usize]) {
    for column in a.chunks_exact_mut(m) {
        for (k, &p) in pivots.iter().enumerate() {
            column.swap(top + k, top + p);
        }
    }
}

/// Factors the columns in `a`, as many as there are pivots, on rows `top..m`; pivots count from `top`.
fn halves<T: Field>(a: &mut [T], m: usize, top: usize, pivots: &mut [usize], pivot: bool) {
    let n = pivots.len();
    if n <= 8 {
        return columns(a, m, top, pivots, pivot);
    }
    let half = n / 2;
    let (left, right) = a.split_at_mut(half * m);
    let (first, second) = pivots.split_at_mut(half);
    halves(left, m, top, first, pivot);
    exchange(right, m, top, first);
    let below = top + half;
    solve_unit_lower_triangular_in_place(
        view(left, m, top, half, half),
        view_mut(right, m, top, half, n - half),
        Par::Seq,
    );
    // The rows above and below are one block of memory: U is copied out.
    let u: Vec<T> = right.chunks_exact(m).flat_map(|column| &column[top..below]).copied().collect();
    matmul(
        view_mut(right, m, below, m - below, n - half),
        Accum::Add,
        view(left, m, below, m - below, half),
        view(&u, half, 0, half, n - half),
        T::real(<T::Real as Real>::of(-1.0)),
        Par::Seq,
    );
    halves(right, m, below, second, pivot);
    exchange(left, m, below, second);
    second.iter_mut().for_each(|p| *p += half);
}

/// The same column by column.
fn columns<T: Field>(a: &mut [T], m: usize, top: usize, pivots: &mut [usize], pivot: bool) {
    for k in 0..pivots.len() {
        let at = top + k;
        let column = &a[k * m..(k + 1) * m];
        let mut best = at;
        if pivot {
            for i in at + 1..m {
                if column[i].size() > column[best].size() {
                    best = i;
                }
            }
        }
        pivots[k] = best - top;
        if best != at {
            a.chunks_exact_mut(m).for_each(|column| column.swap(at, best));
        }
        let p = a[k * m + at];
        if p == T::default() {
            continue;
        }
        let (done, rest) = a.split_at_mut((k + 1) * m);
        let l = &mut done[k * m + at + 1..];
        l.iter_mut().for_each(|x| *x = x.quotient(p));
        for column in rest.chunks_exact_mut(m) {
            let f = -column[at];
            axpy(&mut column[at + 1..], f, l);
        }
    }
}

/// Solves `A X = B` in place from the factors of a square `A`; `b` is `n` by `r`.
pub fn solve<T: Field>(lu: &[T], pivots: &[usize], b: &mut [T], n: usize, r: usize) {
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
    use crate::C64;
    use crate::testing::{close, eye, product, random};

    fn check<T: Field>(a: &[T], m: usize, n: usize, pivot: bool) {
        let mut f = a.to_vec();
        let (pivots, odd) = factor(&mut f, m, n, pivot);
        let k = m.min(n);
        let (mut l, mut u) = (eye::<T>(m, k), vec![T::default(); k * n]);
        for i in 0..m {
            for j in 0..n {
                if j < i && j < k {
                    l[i * k + j] = f[i * n + j];
                    assert!(!pivot || l[i * k + j].modulus() <= T::Real::of(1.0 + 1e-12) || !T::IS_REAL);
                } else if i <= j && i < k {
                    u[i * n + j] = f[i * n + j];
                }
            }
        }
        let rows = permutation(&pivots, m);
        let moved: Vec<T> = rows.iter().flat_map(|&r| a[r * n..(r + 1) * n].to_vec()).collect();
        close(&product(&l, &u, m, k, n), &moved, 1e-11);
        assert!(pivot || (!odd && rows.is_sorted()));
    }

    #[test]
    fn factors_multiply_to_the_permuted_matrix() {
        for (m, n) in [(4, 4), (5, 3), (3, 6), (1, 1), (0, 3), (20, 20), (50, 33), (33, 50), (100, 9)] {
            check(&random::<f64>(m * n, 3), m, n, true);
            check(&random::<C64>(m * n, 3), m, n, true);
        }
        let n = 20;
        let mut a = random::<f64>(n * n, 5);
        (0..n).for_each(|i| a[i * n + i] += 20.0);
        check(&a, n, n, false);
    }

    #[test]
    fn zero_pivots_are_passed_over() {
        let n = 30;
        let mut a = random::<f64>(n * n, 9);
        for i in 0..n {
            a[i * n + 3] = 0.0;
            a[i * n + 17] = 0.0;
        }
        check(&a, n, n, true);
        check(&[0.0; 9], 3, 3, true);
    }

    #[test]
    fn solutions_solve() {
        for (n, r) in [(6, 2), (40, 3), (2, 0)] {
            let (a, b) = (random::<C64>(n * n, 5), random::<C64>(n * r, 6));
            let (mut f, mut x) = (a.clone(), b.clone());
            let (pivots, _) = factor(&mut f, n, n, true);
            solve(&f, &pivots, &mut x, n, r);
            close(&product(&a, &x, n, n, r), &b, 1e-10);
        }
    }
}
