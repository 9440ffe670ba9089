//! Eigenvalues and eigenvectors of general matrices.

use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, evd_cplx, evd_real, evd_scratch};
use faer::{MatMut, MatRef, Par};

use crate::field::norm;
use crate::{C64, Field, NoConvergence, finite, transposed};

/// Eigenvalues and, column by column, eigenvectors of unit length whose largest component is real. A real matrix gives its
/// complex eigenvalues in conjugate pairs, the one in the upper half plane first.
pub fn eig(a: &[C64], n: usize) -> Result<(Vec<C64>, Vec<C64>), NoConvergence> {
    if !finite(a) {
        return Err(NoConvergence);
    }
    let (values, mut vectors) = if a.iter().all(|x| x.im == 0.0) { real(a, n)? } else { complex(a, n)? };
    for v in vectors.chunks_exact_mut(n.max(1)) {
        let length = norm(v);
        let size = |x: &C64| x.re * x.re + x.im * x.im;
        let largest = v.iter().copied().fold(C64::default(), |m, x| if size(&x) > size(&m) { x } else { m });
        if length > 0.0 {
            let turn = largest.conj().scale(1.0 / (largest.modulus() * length));
            v.iter_mut().for_each(|x| *x *= turn);
        }
    }
    Ok((values, transposed(&vectors, n, n)))
}

/// Vectors one after the other.
fn complex(a: &[C64], n: usize) -> Result<(Vec<C64>, Vec<C64>), NoConvergence> {
    let (mut values, mut vectors) = (vec![C64::default(); n], vec![C64::default(); n * n]);
    let (no, yes) = (ComputeEigenvectors::No, ComputeEigenvectors::Yes);
    let scratch = evd_scratch::<C64>(n, no, yes, Par::Seq, Default::default());
    evd_cplx::<f64>(
        MatRef::from_row_major_slice(a, n, n),
        DiagMut::from_slice_mut(&mut values),
        None,
        Some(MatMut::from_column_major_slice_mut(&mut vectors, n, n)),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .map_err(|_| NoConvergence)?;
    Ok((values, vectors))
}

fn real(a: &[C64], n: usize) -> Result<(Vec<C64>, Vec<C64>), NoConvergence> {
    let a: Vec<f64> = a.iter().map(|x| x.re).collect();
    let (mut re, mut im, mut packed) = (vec![0.0; n], vec![0.0; n], vec![0.0; n * n]);
    let (no, yes) = (ComputeEigenvectors::No, ComputeEigenvectors::Yes);
    let scratch = evd_scratch::<f64>(n, no, yes, Par::Seq, Default::default());
    evd_real::<f64>(
        MatRef::from_row_major_slice(&a, n, n),
        DiagMut::from_slice_mut(&mut re),
        DiagMut::from_slice_mut(&mut im),
        None,
        Some(MatMut::from_column_major_slice_mut(&mut packed, n, n)),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .map_err(|_| NoConvergence)?;
    let (mut values, mut vectors) = (Vec::with_capacity(n), Vec::with_capacity(n * n));
    let column = |j: usize| &packed[j * n..(j + 1) * n];
    let mut j = 0;
    while j < n {
        if im[j] == 0.0 || j + 1 == n {
            values.push(C64::new(re[j], im[j]));
            vectors.extend(column(j).iter().map(|&x| C64::new(x, 0.0)));
            j += 1;
            continue;
        }
        // Two columns are the parts of the first vector of a pair.
        let sign = im[j].signum();
        for sign in [sign, -sign] {
            values.push(C64::new(re[j], im[j] * sign));
            vectors.extend(column(j).iter().zip(column(j + 1)).map(|(&x, &y)| C64::new(x, y * sign)));
        }
        j += 2;
    }
    Ok((values, vectors))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, complex, eye, product, random};

    fn check(a: &[C64], n: usize) -> Vec<C64> {
        let (values, v) = eig(a, n).unwrap();
        let scaled: Vec<C64> = (0..n * n).map(|k| v[k] * values[k % n]).collect();
        close(&product(a, &v, n, n, n), &scaled, 1e-10);
        for j in 0..n {
            let column: Vec<C64> = (0..n).map(|i| v[i * n + j]).collect();
            assert!((norm(&column) - 1.0).abs() < 1e-12);
        }
        values
    }

    #[test]
    fn vectors_and_values_belong_together() {
        for n in [0, 1, 2, 3, 7, 15, 90] {
            check(&random::<C64>(n * n, 11), n);
            let values = check(&complex(&random::<f64>(n * n, 12)), n);
            let mut pairs = values.iter().filter(|v| v.im != 0.0);
            while let Some(v) = pairs.next() {
                assert!(v.im > 0.0 && pairs.next() == Some(&v.conj()));
            }
        }
        // A cyclic shift needs an exceptional step with plain shifts.
        let mut cycle = vec![C64::default(); 16];
        for i in 0..4 {
            cycle[i * 4 + (i + 1) % 4] = C64::new(1.0, 0.0);
        }
        check(&cycle, 4);
        check(&eye::<C64>(3, 3), 3);
        assert_eq!(eig(&[C64::new(f64::NAN, 0.0)], 1), Err(NoConvergence));
    }
}
