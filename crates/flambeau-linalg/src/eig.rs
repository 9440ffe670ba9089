//! Eigenvalues and eigenvectors of general matrices: Hessenberg form, then the shifted QR algorithm in complex numbers.

use crate::{C64, Field, NoConvergence, qr};

/// Eigenvalues and, column by column, eigenvectors of unit length whose largest component is real.
pub fn eig(a: &[C64], n: usize, vectors: bool) -> Result<(Vec<C64>, Vec<C64>), NoConvergence> {
    if a.iter().any(|x| !x.size().is_finite()) {
        return Err(NoConvergence);
    }
    let mut h = a.to_vec();
    let mut q = crate::eye::<C64>(n, n);
    for k in 0..n.saturating_sub(2) {
        let mut v: Vec<C64> = (k + 1..n).map(|i| h[i * n + k]).collect();
        let (tau, _) = qr::reflector(&mut v);
        v[0] = C64::real(1.0);
        qr::apply(&mut h, n, k + 1, 0, &v, tau.conj());
        right(&mut h, n, k + 1, &v, tau);
        right(&mut q, n, k + 1, &v, tau);
        for i in k + 2..n {
            h[i * n + k] = C64::default();
        }
    }
    schur(&mut h, &mut q, n)?;
    let values: Vec<C64> = (0..n).map(|i| h[i * n + i]).collect();
    let order = if a.iter().all(|x| x.im == 0.0) { paired(&values) } else { (0..n).collect() };
    let sorted: Vec<C64> = order.iter().map(|&i| values[i]).collect();
    if !vectors {
        return Ok((sorted, Vec::new()));
    }
    let top = h.iter().map(|x| x.size()).fold(f64::MIN_POSITIVE, f64::max);
    let mut out = vec![C64::default(); n * n];
    for (place, &k) in order.iter().enumerate() {
        let mut x = vec![C64::default(); n];
        x[k] = C64::real(1.0);
        for i in (0..k).rev() {
            let s = (i + 1..=k).fold(C64::default(), |s, j| s + h[i * n + j] * x[j]);
            let mut gap = values[i] - values[k];
            if gap.size() < f64::EPSILON * top {
                gap = C64::real(f64::EPSILON * top);
            }
            x[i] = -s / gap;
            // Nearly defective: keep the numbers in range.
            if x[i].size() > 1e150 {
                let by = 1.0 / x[i].size();
                x.iter_mut().for_each(|v| *v = v.scale(by));
            }
        }
        let v: Vec<C64> = (0..n).map(|i| (0..=k).fold(C64::default(), |s, j| s + q[i * n + j] * x[j])).collect();
        let length = crate::field::norm(&v);
        let largest = v.iter().copied().fold(C64::default(), |m, x| if x.norm_sqr() > m.norm_sqr() { x } else { m });
        let turn = largest.conj().scale(1.0 / (largest.modulus() * length));
        for i in 0..n {
            out[i * n + place] = v[i] * turn;
        }
    }
    Ok((sorted, out))
}

/// The eigenvalues of a real matrix with conjugates side by side, the one in the upper half plane first.
fn paired(values: &[C64]) -> Vec<usize> {
    let mut left: Vec<usize> = (0..values.len()).collect();
    let mut out = Vec::with_capacity(values.len());
    let top = values.iter().map(|x| x.size()).fold(0.0, f64::max);
    while !left.is_empty() {
        let i = left.remove(0);
        if values[i].im.abs() <= 1e-13 * top || left.is_empty() {
            out.push(i);
            continue;
        }
        let gap = |j: usize| (values[j] - values[i].conj()).norm_sqr();
        let near = (0..left.len()).fold(0, |b, j| if gap(left[j]) < gap(left[b]) { j } else { b });
        let j = left.remove(near);
        out.extend(if values[i].im > 0.0 { [i, j] } else { [j, i] });
    }
    out
}

/// `C = C (I - tau v v^H)` on columns `left..`.
fn right(c: &mut [C64], n: usize, left: usize, v: &[C64], tau: C64) {
    for row in c.chunks_exact_mut(n) {
        let s = row[left..].iter().zip(v).fold(C64::default(), |s, (&x, &v)| s + x * v) * tau;
        for (x, v) in row[left..].iter_mut().zip(v) {
            *x -= s * v.conj();
        }
    }
}

/// Reduces a Hessenberg matrix to triangular form with Wilkinson's shifts; `q` collects the rotations.
fn schur(h: &mut [C64], q: &mut [C64], n: usize) -> Result<(), NoConvergence> {
    let mut hi = n.saturating_sub(1);
    let mut round = 0;
    while hi > 0 {
        let mut lo = hi;
        while lo > 0 {
            let scale = h[(lo - 1) * n + lo - 1].size() + h[lo * n + lo].size();
            let scale = if scale == 0.0 { f64::MIN_POSITIVE } else { scale };
            if h[lo * n + lo - 1].size() <= f64::EPSILON * scale {
                h[lo * n + lo - 1] = C64::default();
                break;
            }
            lo -= 1;
        }
        if lo == hi {
            hi -= 1;
            round = 0;
            continue;
        }
        round += 1;
        if round > 300 {
            return Err(NoConvergence);
        }
        let shift = if round % 10 == 0 {
            h[hi * n + hi] + C64::real(h[hi * n + hi - 1].modulus())
        } else {
            let (a, b) = (h[(hi - 1) * n + hi - 1], h[(hi - 1) * n + hi]);
            let (c, d) = (h[hi * n + hi - 1], h[hi * n + hi]);
            let half = (a - d).scale(0.5);
            let root = (half * half + b * c).sqrt();
            let (x, y) = (half + root, half - root);
            // The eigenvalue of the corner that is nearer to its last element.
            d + if x.norm_sqr() < y.norm_sqr() { x } else { y }
        };
        for i in lo..=hi {
            h[i * n + i] -= shift;
        }
        let mut turns = Vec::with_capacity(hi - lo);
        for k in lo..hi {
            let (x, y) = (h[k * n + k], h[(k + 1) * n + k]);
            let r = x.modulus().hypot(y.modulus());
            let (c, s) = if r == 0.0 { (C64::real(1.0), C64::default()) } else { (x.scale(1.0 / r), y.scale(1.0 / r)) };
            for j in k..n {
                let (x, y) = (h[k * n + j], h[(k + 1) * n + j]);
                h[k * n + j] = c.conj() * x + s.conj() * y;
                h[(k + 1) * n + j] = c * y - s * x;
            }
            turns.push((c, s));
        }
        for (k, &(c, s)) in (lo..hi).zip(&turns) {
            for i in 0..(k + 2).min(hi + 1) {
                turn_columns(h, i * n + k, c, s);
            }
            for i in 0..n {
                turn_columns(q, i * n + k, c, s);
            }
        }
        for i in lo..=hi {
            h[i * n + i] += shift;
        }
    }
    Ok(())
}

fn turn_columns(m: &mut [C64], at: usize, c: C64, s: C64) {
    let (x, y) = (m[at], m[at + 1]);
    m[at] = x * c + y * s;
    m[at + 1] = y * c.conj() - x * s.conj();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product;
    use crate::testing::{close, complex, random};

    fn check(a: &[C64], n: usize) {
        let (values, v) = eig(a, n, true).unwrap();
        let scaled: Vec<C64> = (0..n * n).map(|k| v[k] * values[k % n]).collect();
        close(&product(a, &v, n, n, n), &scaled, 1e-11);
    }

    #[test]
    fn vectors_and_values_belong_together() {
        for n in [0, 1, 2, 3, 7, 15] {
            check(&random::<C64>(n * n, 11), n);
            check(&complex(&random::<f64>(n * n, 12)), n);
        }
        // A cyclic shift needs an exceptional step with plain shifts.
        let mut cycle = vec![C64::default(); 16];
        for i in 0..4 {
            cycle[i * 4 + (i + 1) % 4] = C64::real(1.0);
        }
        check(&cycle, 4);
        check(&crate::eye::<C64>(3, 3), 3);
    }
}
