//! Householder's QR decomposition, with LAPACK's signs.

use crate::Field;
use crate::field::{axpy, norm};

/// A reflector `I - tau v v^H` with `v[0] = 1` whose adjoint maps `x` to `beta e_1`, beta real. `x[1..]` becomes `v[1..]`.
pub fn reflector<T: Field>(x: &mut [T]) -> (T, f64) {
    let alpha = x[0];
    let rest = norm(&x[1..]);
    if rest == 0.0 && alpha.im() == 0.0 {
        return (T::default(), alpha.re());
    }
    let beta = -alpha.modulus().hypot(rest).copysign(alpha.re());
    let tau = T::parts((beta - alpha.re()) / beta, -alpha.im() / beta);
    let by = T::real(1.0) / (alpha - T::real(beta));
    for v in &mut x[1..] {
        *v *= by;
    }
    (tau, beta)
}

/// `C = (I - tau v v^H) C` on rows `top..` and columns `left..` of a matrix with `n` columns; `v[0]` counts as one.
pub fn apply<T: Field>(c: &mut [T], n: usize, top: usize, left: usize, v: &[T], tau: T) {
    if tau == T::default() || left >= n {
        return;
    }
    let mut w: Vec<T> = c[top * n + left..(top + 1) * n].to_vec();
    for (i, v) in v.iter().enumerate().skip(1) {
        axpy(&mut w, v.conj(), &c[(top + i) * n + left..(top + i + 1) * n]);
    }
    for (i, &v) in v.iter().enumerate() {
        let f = if i == 0 { -tau } else { -tau * v };
        axpy(&mut c[(top + i) * n + left..(top + i + 1) * n], f, &w);
    }
}

/// Overwrites an `m` by `n` matrix with R and, below the diagonal, the reflectors; returns their factors.
pub fn factor<T: Field>(a: &mut [T], m: usize, n: usize) -> Vec<T> {
    let mut taus = Vec::with_capacity(m.min(n));
    for k in 0..m.min(n) {
        let mut v: Vec<T> = (k..m).map(|i| a[i * n + k]).collect();
        let (tau, beta) = reflector(&mut v);
        apply(a, n, k, k + 1, &v, tau.conj());
        a[k * n + k] = T::real(beta);
        for (i, &x) in v.iter().enumerate().skip(1) {
            a[(k + i) * n + k] = x;
        }
        taus.push(tau);
    }
    taus
}

/// The first `p` columns of the product of the reflectors that an `m` by `n` matrix holds below its diagonal.
pub fn q<T: Field>(a: &[T], taus: &[T], m: usize, n: usize, p: usize) -> Vec<T> {
    let mut out = crate::eye::<T>(m, p);
    for (k, &tau) in taus.iter().enumerate().rev() {
        let v: Vec<T> = (k..m).map(|i| a[i * n + k]).collect();
        apply(&mut out, p, k, 0, &v, tau);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, random};
    use crate::{C64, adjoint, eye, product};

    fn check<T: Field>(m: usize, n: usize) {
        let a = random::<T>(m * n, 8);
        let mut f = a.clone();
        let taus = factor(&mut f, m, n);
        for p in [m.min(n), m] {
            let q = q(&f, &taus, m, n, p);
            close(&product(&adjoint(&q, m, p), &q, p, m, p), &eye::<T>(p, p), 1e-13);
            let mut r = f[..p * n].to_vec();
            for i in 0..p {
                r[i * n..i * n + i.min(n)].fill(T::default());
            }
            close(&product(&q, &r, m, p, n), &a, 1e-13);
        }
    }

    #[test]
    fn orthonormal_and_multiplies_back() {
        for (m, n) in [(5, 3), (3, 5), (4, 4), (1, 1), (1, 3)] {
            check::<f64>(m, n);
            check::<C64>(m, n);
        }
    }
}
