//! The singular value decomposition by one-sided Jacobi rotations (Hestenes), which finds small singular values to full
//! relative accuracy.

use crate::field::{dot, norm, two_rows};
use crate::{Field, NoConvergence, adjoint, product, qr};

/// U, singular values in descending order, V^H.
pub type Svd<T> = (Vec<T>, Vec<f64>, Vec<T>);

/// `A = U diag(S) V^H` of an `m` by `n` matrix. With `k = min(m, n)`, U is `m` by `k` and V^H `k` by `n`; with `full` they are
/// square.
pub fn svd<T: Field>(a: &[T], m: usize, n: usize, full: bool) -> Result<Svd<T>, NoConvergence> {
    if a.iter().any(|x| !x.size().is_finite()) {
        return Err(NoConvergence);
    }
    if m < n {
        let (u, s, vh) = svd(&adjoint(a, m, n), n, m, full)?;
        let (p, q) = if full { (n, m) } else { (m, m) };
        return Ok((adjoint(&vh, q, m), s, adjoint(&u, n, p)));
    }
    let top = a.iter().map(|x| x.size()).fold(0.0, f64::max);
    let by = if top > 0.0 { 1.0 / top } else { 1.0 };
    let mut r: Vec<T> = a.iter().map(|x| x.scale(by)).collect();
    let taus = qr::factor(&mut r, m, n);
    // Rows of `g` are the columns of R^H: its rotations converge faster than those of R.
    let mut g = vec![T::default(); n * n];
    for i in 0..n {
        for j in i..n {
            g[i * n + j] = r[i * n + j].conj();
        }
    }
    let mut w = crate::eye::<T>(n, n);
    rotate(&mut g, &mut w, n)?;
    let mut order: Vec<usize> = (0..n).collect();
    let norms: Vec<f64> = (0..n).map(|i| norm(&g[i * n..(i + 1) * n])).collect();
    order.sort_by(|&i, &j| norms[j].total_cmp(&norms[i]));
    let s: Vec<f64> = order.iter().map(|&i| norms[i] * top).collect();
    let rank = order.iter().filter(|&&i| norms[i] > 0.0).count();
    // R^H = G W^H with G = V S, so R = W S V^H: columns of W are left vectors, normalised columns of G right ones.
    let mut v = vec![T::default(); n * n];
    let mut left = vec![T::default(); n * n];
    for (j, &from) in order.iter().enumerate() {
        for i in 0..n {
            left[i * n + j] = w[from * n + i];
            if norms[from] > 0.0 {
                v[i * n + j] = g[from * n + i].scale(1.0 / norms[from]);
            }
        }
    }
    complete(&mut v, n, n, rank);
    let q = qr::q(&r, &taus, m, n, if full { m } else { n });
    let u = if full {
        let mut wide = crate::eye::<T>(m, m);
        for i in 0..n {
            wide[i * m..i * m + n].copy_from_slice(&left[i * n..(i + 1) * n]);
        }
        product(&q, &wide, m, m, m)
    } else {
        product(&q, &left, m, n, n)
    };
    Ok((u, s, adjoint(&v, n, n)))
}

/// Makes the rows of `g` orthogonal; `w` collects the same rotations.
fn rotate<T: Field>(g: &mut [T], w: &mut [T], n: usize) -> Result<(), NoConvergence> {
    for _ in 0..80 {
        let mut still = true;
        for p in 0..n {
            for q in p + 1..n {
                let (x, y) = two_rows(g, n, p, q);
                let (a, b, c) = (dot(x, x).re(), dot(y, y).re(), dot(x, y));
                let off = c.modulus();
                if off == 0.0 || off <= f64::EPSILON * (a * b).sqrt() {
                    continue;
                }
                still = false;
                let zeta = (b - a) / (2.0 * off);
                let t = 1.0f64.copysign(zeta) / (zeta.abs() + zeta.hypot(1.0));
                let cos = 1.0 / t.hypot(1.0);
                let sin = cos * t;
                let turn = c.conj().scale(1.0 / off);
                for m in [&mut *g, &mut *w] {
                    let (x, y) = two_rows(m, n, p, q);
                    for (x, y) in x.iter_mut().zip(y) {
                        let (a, b) = (*x, turn * *y);
                        *x = a.scale(cos) - b.scale(sin);
                        *y = a.scale(sin) + b.scale(cos);
                    }
                }
            }
        }
        if still {
            return Ok(());
        }
    }
    Err(NoConvergence)
}

/// Fills columns `rank..n` so that all columns are orthonormal.
fn complete<T: Field>(v: &mut [T], m: usize, n: usize, rank: usize) {
    if rank == n {
        return;
    }
    let mut part: Vec<T> = (0..m).flat_map(|i| v[i * n..i * n + rank].to_vec()).collect();
    let taus = qr::factor(&mut part, m, rank);
    let q = qr::q(&part, &taus, m, rank, n);
    for i in 0..m {
        v[i * n + rank..(i + 1) * n].copy_from_slice(&q[i * n + rank..(i + 1) * n]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, random};
    use crate::{C64, eye};

    fn check<T: Field>(a: &[T], m: usize, n: usize) {
        for full in [false, true] {
            let k = m.min(n);
            let (p, q) = if full { (m, n) } else { (k, k) };
            let (u, s, vh) = svd(a, m, n, full).unwrap();
            assert!(s.is_sorted_by(|a, b| a >= b));
            close(&product(&adjoint(&u, m, p), &u, p, m, p), &eye::<T>(p, p), 1e-12);
            close(&product(&vh, &adjoint(&vh, q, n), q, n, q), &eye::<T>(q, q), 1e-12);
            let mut us = vec![T::default(); m * q];
            for i in 0..m {
                for j in 0..k {
                    us[i * q + j] = u[i * p + j].scale(s[j]);
                }
            }
            close(&product(&us, &vh, m, q, n), a, 1e-12);
        }
    }

    #[test]
    fn orthonormal_and_multiplies_back() {
        for (m, n) in [(5, 3), (3, 5), (4, 4), (1, 1), (12, 12), (0, 2)] {
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
}
