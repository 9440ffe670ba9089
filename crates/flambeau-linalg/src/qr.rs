//! Householder's QR decomposition with LAPACK's reflectors and signs, which users see in `geqrf` and in the signs of R; panels of
//! reflectors are applied as matrix products (Schreiber and Van Loan, "A storage-efficient WY representation", 1989).

use faer::linalg::matmul::matmul;
use faer::traits::num_traits::Float;
use faer::{Accum, MatMut, MatRef, Par};

use crate::field::{axpy, dot, norm};
use crate::{Field, Real, transposed};

/// Reflectors that are applied together.
const PANEL: usize = 16;

/// A reflector `I - tau v v^H` with `v[0] = 1` whose adjoint maps `x` to `beta e_1`, beta real. `x[1..]` becomes `v[1..]`.
fn reflector<T: Field>(x: &mut [T]) -> (T, T::Real) {
    let alpha = x[0];
    let rest = norm(&x[1..]);
    let zero = <T::Real as Real>::of(0.0);
    if rest == zero && alpha.im() == zero {
        return (T::default(), alpha.re());
    }
    let beta = -Float::copysign(Float::hypot(alpha.modulus(), rest), alpha.re());
    let tau = T::parts((beta - alpha.re()) / beta, -alpha.im() / beta);
    let by = alpha - T::real(beta);
    x[1..].iter_mut().for_each(|v| *v = v.quotient(by));
    (tau, beta)
}

/// Columns `k..k + taus.len()` of reflectors below row `k`, as LAPACK stores them, and T of `H_1 H_2 ... = I - V T V^H`.
struct Block<T> {
    rows: usize,
    count: usize,
    v: Vec<T>,
    t: Vec<T>,
}

impl<T: Field> Block<T> {
    /// `columns` are those of the matrix, `m` apart.
    fn new(columns: &[T], m: usize, k: usize, taus: &[T]) -> Block<T> {
        let (rows, count) = (m - k, taus.len());
        let mut v = vec![T::default(); rows * count];
        let mut t = vec![T::default(); count * count];
        for j in 0..count {
            v[j * rows + j] = T::real(<T::Real as Real>::of(1.0));
            v[j * rows + j + 1..(j + 1) * rows].copy_from_slice(&columns[(k + j) * m + k + j + 1..(k + j + 1) * m]);
            let (before, this) = v.split_at(j * rows);
            let z: Vec<T> = (0..j).map(|i| dot(&before[i * rows + j..(i + 1) * rows], &this[j..rows])).collect();
            for i in 0..j {
                let mut s = T::default();
                for l in i..j {
                    s += t[l * count + i] * z[l];
                }
                t[j * count + i] = -taus[j] * s;
            }
            t[j * count + j] = taus[j];
        }
        Block { rows, count, v, t }
    }

    /// `C = (I - V T V^H) C`, or with T's adjoint, on rows `k..m` of the columns in `c`.
    fn apply(&self, c: &mut [T], m: usize, k: usize, adjoint: bool) {
        let n = c.len() / m;
        if n == 0 {
            return;
        }
        let (one, new) = (T::real(<T::Real as Real>::of(1.0)), || vec![T::default(); self.count * n]);
        let v = MatRef::from_column_major_slice(&self.v, self.rows, self.count);
        let t = MatRef::from_column_major_slice(&self.t, self.count, self.count);
        let (mut w, mut tw) = (new(), new());
        let c = MatMut::from_column_major_slice_with_stride_mut(&mut c[k..], self.rows, n, m);
        let w = MatMut::from_column_major_slice_mut(&mut w, self.count, n);
        let mut tw = MatMut::from_column_major_slice_mut(&mut tw, self.count, n);
        let mut w = w;
        matmul(w.as_mut(), Accum::Replace, v.adjoint(), c.as_ref(), one, Par::Seq);
        if adjoint {
            matmul(tw.as_mut(), Accum::Replace, t.adjoint(), w.as_ref(), one, Par::Seq);
        } else {
            matmul(tw.as_mut(), Accum::Replace, t, w.as_ref(), one, Par::Seq);
        }
        matmul(c, Accum::Add, v, tw.as_ref(), -one, Par::Seq);
    }
}

/// Overwrites an `m` by `n` matrix with R and, below the diagonal, the reflectors; returns their factors.
pub fn factor<T: Field>(a: &mut [T], m: usize, n: usize) -> Vec<T> {
    let count = m.min(n);
    let mut taus = Vec::with_capacity(count);
    let mut columns = transposed(a, m, n);
    for first in (0..count).step_by(PANEL) {
        let last = count.min(first + PANEL);
        for k in first..last {
            let (done, rest) = columns.split_at_mut((k + 1) * m);
            let x = &mut done[k * m + k..];
            let (tau, beta) = reflector(x);
            x[0] = T::real(<T::Real as Real>::of(1.0));
            if tau != T::default() {
                for c in rest.chunks_exact_mut(m).take(last - k - 1) {
                    let s = tau.conj() * dot(x, &c[k..]);
                    axpy(&mut c[k..], -s, x);
                }
            }
            x[0] = T::real(beta);
            taus.push(tau);
        }
        if last < n {
            let block = Block::new(&columns, m, first, &taus[first..]);
            block.apply(&mut columns[last * m..], m, first, true);
        }
    }
    a.copy_from_slice(&transposed(&columns, n, m));
    taus
}

/// The first `p` columns of the product of the reflectors that an `m` by `n` matrix holds below its diagonal.
pub fn q<T: Field>(a: &[T], taus: &[T], m: usize, n: usize, p: usize) -> Vec<T> {
    let columns = transposed(a, m, n);
    let mut out = vec![T::default(); p * m];
    for i in 0..m.min(p) {
        out[i * m + i] = T::real(<T::Real as Real>::of(1.0));
    }
    for first in (0..taus.len()).step_by(PANEL).rev() {
        let last = taus.len().min(first + PANEL);
        Block::new(&columns, m, first, &taus[first..last]).apply(&mut out, m, first, false);
    }
    transposed(&out, p, m)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::C64;
    use crate::testing::{adjoint, close, eye, product, random};

    fn check<T: Field>(m: usize, n: usize) {
        let a = random::<T>(m * n, 8);
        let mut f = a.clone();
        let taus = factor(&mut f, m, n);
        for p in [m.min(n), m] {
            let q = q(&f, &taus, m, n, p);
            close(&product(&adjoint(&q, m, p), &q, p, m, p), &eye::<T>(p, p), 1e-12);
            let mut r = f[..p * n].to_vec();
            for i in 0..p {
                r[i * n..i * n + i.min(n)].fill(T::default());
            }
            close(&product(&q, &r, m, p, n), &a, 1e-12);
            for i in 0..p.min(n) {
                assert!(r[i * n + i].im() == T::Real::of(0.0), "a real diagonal");
            }
        }
    }

    #[test]
    fn orthonormal_and_multiplies_back() {
        for (m, n) in [(5, 3), (3, 5), (4, 4), (1, 1), (1, 3), (40, 40), (50, 20), (20, 50), (16, 17)] {
            check::<f64>(m, n);
            check::<C64>(m, n);
        }
    }

    #[test]
    fn signs_and_factors_are_lapacks() {
        // LAPACK's dgeqrf on [[3, 1], [4, 2]].
        let mut a = [3.0, 1.0, 4.0, 2.0];
        let taus = factor(&mut a, 2, 2);
        close(&a, &[-5.0, -2.2, 0.5, 0.4], 1e-15);
        close(&taus, &[1.6, 0.0], 1e-15);
    }
}
