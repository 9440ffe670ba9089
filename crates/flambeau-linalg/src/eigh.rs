//! Eigenvalues and eigenvectors of Hermitian matrices: reduction to tridiagonal form, then implicit QL.

use crate::field::{dot, two_rows};
use crate::{Field, NoConvergence, qr};

/// Eigenvalues in ascending order and, column by column, the eigenvectors. Only the lower triangle of `a` is read.
pub fn eigh<T: Field>(a: &[T], n: usize, vectors: bool) -> Result<(Vec<f64>, Vec<T>), NoConvergence> {
    let mut a = a.to_vec();
    for i in 0..n {
        a[i * n + i] = T::real(a[i * n + i].re());
        for j in i + 1..n {
            a[i * n + j] = a[j * n + i].conj();
        }
    }
    if a.iter().any(|x| !x.size().is_finite()) {
        return Err(NoConvergence);
    }
    let (mut e, mut taus) = (vec![0.0; n.max(1)], Vec::new());
    for k in 0..n.saturating_sub(1) {
        let mut v: Vec<T> = (k + 1..n).map(|i| a[i * n + k]).collect();
        let (tau, beta) = qr::reflector(&mut v);
        e[k] = beta;
        v[0] = T::real(1.0);
        if tau != T::default() {
            // A = H^H A H on the rest: A - v w^H - w v^H.
            let m = n - k - 1;
            let row = |i: usize| &a[(k + 1 + i) * n + k + 1..(k + 2 + i) * n];
            let conj: Vec<T> = v.iter().map(|x| x.conj()).collect();
            let x: Vec<T> = (0..m).map(|i| tau * dot(&conj, row(i))).collect();
            let half = -(tau.scale(0.5) * dot(&x, &v));
            let w: Vec<T> = x.iter().zip(&v).map(|(&x, &v)| x + half * v).collect();
            for i in 0..m {
                let row = &mut a[(k + 1 + i) * n + k + 1..(k + 2 + i) * n];
                for j in 0..m {
                    row[j] -= v[i] * w[j].conj() + w[i] * v[j].conj();
                }
            }
        }
        // The reflector stays below the diagonal, where `qr::q` looks for it.
        for (i, &x) in v.iter().enumerate() {
            a[(k + 1 + i) * n + k] = x;
        }
        taus.push(tau);
    }
    let mut d: Vec<f64> = (0..n).map(|i| a[i * n + i].re()).collect();
    // Rows of `z` are the vectors.
    let mut z = Vec::new();
    if vectors {
        let mut q = crate::eye::<T>(n, n);
        for (k, &tau) in taus.iter().enumerate().rev() {
            let v: Vec<T> = (k + 1..n).map(|i| a[i * n + k]).collect();
            qr::apply(&mut q, n, k + 1, 0, &v, tau);
        }
        z = vec![T::default(); n * n];
        for i in 0..n {
            for j in 0..n {
                z[j * n + i] = q[i * n + j];
            }
        }
    }
    implicit_ql(&mut d, &mut e, &mut z, n)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| d[i].total_cmp(&d[j]));
    let values = order.iter().map(|&i| d[i]).collect();
    let mut out = vec![T::default(); if vectors { n * n } else { 0 }];
    if vectors {
        for (j, &from) in order.iter().enumerate() {
            for i in 0..n {
                out[i * n + j] = z[from * n + i];
            }
        }
    }
    Ok((values, out))
}

/// QL with implicit shifts on the diagonal `d` and the off-diagonal `e`; the rotations are applied to the rows of `z`.
fn implicit_ql<T: Field>(d: &mut [f64], e: &mut [f64], z: &mut [T], n: usize) -> Result<(), NoConvergence> {
    for l in 0..n {
        for round in 0.. {
            let m = (l..n - 1)
                .find(|&m| e[m].abs() <= f64::EPSILON * (d[m].abs() + d[m + 1].abs()) || e[m].abs() < f64::MIN_POSITIVE)
                .unwrap_or(n - 1);
            if m == l {
                break;
            }
            if round == 60 {
                return Err(NoConvergence);
            }
            let g0 = (d[l + 1] - d[l]) / (2.0 * e[l]);
            let mut g = d[m] - d[l] + e[l] / (g0 + g0.hypot(1.0).copysign(g0));
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut split = false;
            for i in (l..m).rev() {
                let (f, b) = (s * e[i], c * e[i]);
                let r = f.hypot(g);
                e[i + 1] = r;
                if r == 0.0 {
                    d[i + 1] -= p;
                    e[m] = 0.0;
                    split = true;
                    break;
                }
                (s, c) = (f / r, g / r);
                g = d[i + 1] - p;
                let r = (d[i] - g) * s + 2.0 * c * b;
                p = s * r;
                d[i + 1] = g + p;
                g = c * r - b;
                if !z.is_empty() {
                    let (x, y) = two_rows(z, n, i, i + 1);
                    for (x, y) in x.iter_mut().zip(y) {
                        let (a, b) = (*x, *y);
                        *y = a.scale(s) + b.scale(c);
                        *x = a.scale(c) - b.scale(s);
                    }
                }
            }
            if !split {
                d[l] -= p;
                e[l] = g;
                e[m] = 0.0;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, random};
    use crate::{C64, adjoint, eye, product};

    fn check<T: Field>(n: usize) {
        let b = random::<T>(n * n, 9);
        let a: Vec<T> = b.iter().zip(adjoint(&b, n, n)).map(|(&x, y)| x + y).collect();
        let (values, v) = eigh(&a, n, true).unwrap();
        let scaled: Vec<T> = (0..n * n).map(|k| v[k].scale(values[k % n])).collect();
        close(&product(&a, &v, n, n, n), &scaled, 1e-12);
        close(&product(&adjoint(&v, n, n), &v, n, n, n), &eye::<T>(n, n), 1e-12);
        assert!(values.is_sorted());
    }

    #[test]
    fn vectors_and_values_belong_together() {
        for n in [0, 1, 2, 3, 8, 20] {
            check::<f64>(n);
            check::<C64>(n);
        }
        assert_eq!(eigh(&[f64::NAN], 1, false), Err(NoConvergence));
        assert_eq!(eigh(&[0.0; 9], 3, false).unwrap().0, [0.0; 3]);
    }
}
