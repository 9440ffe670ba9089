//! Samples of products and decompositions, part of the table in `composites.rs`.

use flambeau_core::op::{Params, Samples};
use flambeau_core::{Tensor, params};

use super::composites::{Draw, NOTHING, put, with};

/// Well-conditioned matrices: random numbers and three times the identity.
fn regular(s: &mut Samples, sizes: &[i64]) -> Tensor {
    let n = sizes[sizes.len() - 1];
    let eye: Vec<f64> = (0..n * n).map(|i| if i % (n + 1) == 0 { 3.0 } else { 0.0 }).collect();
    let eye = Tensor::from_slice(&eye, &[n, n]).expect("a square").cast_raw(s.dtype).expect("casts");
    flambeau_ops::binary::add(&s.normal(sizes), &eye).expect("one shape")
}

/// Symmetric and positive definite.
fn definite(s: &mut Samples, sizes: &[i64]) -> Tensor {
    let x = regular(s, sizes);
    flambeau_ops::matmul::matmul(&x, &flambeau_ops::view::mt(&x).expect("a matrix")).expect("a square")
}

/// L and U of a regular matrix, and its exchanges of rows.
fn factors(s: &mut Samples) -> (Tensor, Tensor) {
    let x = regular(s, &[3, 3]);
    let op = flambeau_ops::find("lu_factor").expect("a row");
    let mut y = flambeau_core::call(op, &[Some(&x)], params![true]).expect("a regular matrix");
    let pivots = y.remove(1);
    (y.remove(0), pivots)
}

fn squares(s: &mut Samples, p: Params, grad: u16) {
    for sizes in [&[3i64, 3][..], &[2, 2, 2]] {
        let x = regular(s, sizes);
        with(s, vec![x], p.clone(), grad);
    }
}

fn definites(s: &mut Samples, p: Params) {
    for sizes in [&[3i64, 3][..], &[2, 2, 2]] {
        let x = definite(s, sizes);
        with(s, vec![x], p.clone(), 0);
    }
}

fn rectangles(s: &mut Samples, p: Params) {
    for sizes in [&[3i64, 3][..], &[4, 2], &[2, 2, 3]] {
        let x = s.normal(sizes);
        with(s, vec![x], p.clone(), 0);
    }
}

fn systems(s: &mut Samples, p: Params) {
    for (a, b) in [(&[3i64, 3][..], &[3i64, 2][..]), (&[2, 2, 2], &[2, 2, 2])] {
        let x = vec![regular(s, a), s.normal(b)];
        with(s, x, p.clone(), 3);
    }
}

pub(super) static PRODUCTS: &[(&str, Draw)] = &[
    ("addmm", |s| put(s, &[&[2, 4], &[2, 3], &[3, 4]], params![0.5, 2.0])),
    ("baddbmm", |s| put(s, &[&[2, 2, 4], &[2, 2, 3], &[2, 3, 4]], params![0.5, 2.0])),
    ("addbmm", |s| put(s, &[&[2, 4], &[2, 2, 3], &[2, 3, 4]], params![0.5, 2.0])),
    ("addmv", |s| put(s, &[&[2], &[2, 3], &[3]], params![0.5, 2.0])),
    ("addr", |s| put(s, &[&[2, 3], &[2], &[3]], params![0.5, 2.0])),
    ("mv", |s| put(s, &[&[2, 3], &[3]], params![])),
    ("dot", |s| put(s, &[&[3], &[3]], params![])),
    ("vdot", |s| put(s, &[&[3], &[3]], params![])),
    ("outer", |s| put(s, &[&[2], &[3]], params![])),
    ("inner", |s| put(s, &[&[2, 3], &[4, 3]], params![])),
    ("linear", |s| {
        put(s, &[&[2, 3], &[4, 3], &[4]], params![]);
        put(s, &[&[2, 3], &[4, 3]], params![]);
    }),
    ("chain_matmul", |s| put(s, &[&[2, 3], &[3, 4], &[4, 1]], params![3])),
    ("tensordot", |s| put(s, &[&[2, 3, 4], &[3, 2]], params![[0i64, 1], [1i64, 0]])),
    ("einsum", |s| put(s, &[&[2, 3], &[3, 4]], params!["ij,jk->ki", 2])),
    ("kron", |s| put(s, &[&[2, 3], &[2, 2]], params![])),
];

pub(super) static MATRICES: &[(&str, Draw)] = &[
    // Of symmetric matrices only, and vectors up to a sign or a phase: gradients are the kernels' stand-ins'.
    ("linalg_cholesky", |s| definites(s, params![false])),
    ("cholesky", |s| definites(s, params![true])),
    ("cholesky_ex", |s| definites(s, params![true, false])),
    ("eigh", |s| definites(s, params!["U"])),
    ("eigvalsh", |s| definites(s, params!["L"])),
    ("linalg_eig", |s| squares(s, params![], 0)),
    ("linalg_svd", |s| rectangles(s, params![true, NOTHING])),
    ("svd", |s| rectangles(s, params![true, true])),
    ("svdvals", |s| put(s, &[&[3, 2]], params![NOTHING])),
    ("linalg_qr", |s| {
        for mode in ["reduced", "complete", "r"] {
            rectangles(s, params![mode])
        }
    }),
    ("qr", |s| rectangles(s, params![true])),
    ("linalg_lu", |s| {
        rectangles(s, params![true]);
        squares(s, params![false], 1);
    }),
    ("lu_factor", |s| squares(s, params![true], 1)),
    ("lu_factor_ex", |s| squares(s, params![true, false], 1)),
    ("eigvals", |s| {
        let x = Tensor::from_slice(&[1.0, 0.3, -0.2, 0.1, 2.5, 0.4, 0.2, -0.3, 4.5], &[3, 3]).expect("nine");
        with(s, vec![x.cast_raw(s.dtype).expect("casts")], params![], 1);
    }),
    ("cholesky_solve", |s| {
        let x = vec![s.normal(&[3, 2]), regular(s, &[3, 3])];
        with(s, x, params![false], 3);
    }),
    ("cholesky_inverse", |s| squares(s, params![false], 1)),
    ("inverse", |s| squares(s, params![], 1)),
    ("inv_ex", |s| squares(s, params![false], 1)),
    ("linalg_solve", |s| systems(s, params![true])),
    ("solve_ex", |s| systems(s, params![true, false])),
    ("solve_triangular", |s| {
        for unit in [false, true] {
            systems(s, params![true, true, unit])
        }
    }),
    ("triangular_solve", |s| {
        let x = vec![s.normal(&[3, 2]), regular(s, &[3, 3])];
        with(s, x, params![true, true, false], 3);
    }),
    ("det", |s| squares(s, params![], 1)),
    ("slogdet", |s| squares(s, params![], 1)),
    ("logdet", |s| squares(s, params![], 1)),
    ("linalg_lu_solve", |s| {
        let (lu, pivots) = factors(s);
        let b = s.normal(&[3, 2]);
        with(s, vec![lu, pivots, b], params![true, false], 5);
    }),
    ("lu_solve", |s| {
        let (lu, pivots) = factors(s);
        let b = s.normal(&[3, 2]);
        with(s, vec![b, lu, pivots], params![], 3);
    }),
    ("lu_unpack", |s| {
        let (lu, pivots) = factors(s);
        with(s, vec![lu, pivots], params![true, true], 1);
    }),
    ("matrix_power", |s| {
        for n in [-1, 0, 3] {
            squares(s, params![n], 1)
        }
    }),
    ("matrix_exp", |s| put(s, &[&[2, 2, 2]], params![])),
    ("householder_product", |s| put(s, &[&[3, 2], &[2]], params![])),
    ("orgqr", |s| put(s, &[&[3, 2], &[2]], params![])),
    ("ormqr", |s| put(s, &[&[3, 2], &[2], &[3, 2]], params![true, true])),
    ("linalg_diagonal", |s| put(s, &[&[2, 3, 4]], params![1, -2, -1])),
];
