//! Linear algebra as users call it: decompositions, inverses, solutions, determinants and functions of matrices.

use flambeau_core::layout::{self, Dims};
use flambeau_core::op::{Inputs, Kind, OpDef, Outs, Params, ParamsExt, surface};
use flambeau_core::{DType, Error, ErrorKind, Result, Tensor, call, call1, check, params};

use crate::binary::{add, mul_scalar};
use crate::decompose::*;
use crate::decompose_run::linalg_error;
use crate::matmul::matmul;
use crate::operand::*;
use crate::view::{expand, mt, narrow, squeeze, unsqueeze};

pub(crate) const L: u16 = surface::LINALG;

pub(crate) const fn row(sig: &'static str, doc: &'static str, surfaces: u16, f: flambeau_core::op::Compose) -> OpDef {
    OpDef { sig, doc, surfaces, kind: Kind::Composite(f), ..BASE }
}

/// The first matrix of a batch with a positive `info`: its place as messages show it, and the number.
fn first_failure(info: &Tensor) -> Result<Option<(String, i64)>> {
    if info.device().is_meta() {
        return Ok(None);
    }
    let found = info.to_vec::<i64>()?.into_iter().enumerate().find(|(_, k)| *k > 0);
    Ok(found.map(|(i, k)| (if info.ndim() > 0 { format!("(Batch element {i}): ") } else { String::new() }, k)))
}

fn cholesky_of(a: &Tensor, upper: bool, name: &str, check_errors: bool) -> Result<(Tensor, Tensor)> {
    check_matrix(a, name, true)?;
    let a = if upper { h(a)? } else { a.clone() };
    let mut y = call(&cholesky_kernel::OP, &[Some(&a)], Params::new())?;
    if check_errors && let Some((at, k)) = first_failure(&y[1])? {
        return Err(linalg_error(format!(
            "{name}: {at}The factorization could not be completed because the input is not positive-definite (the leading \
             minor of order {k} is not positive-definite)."
        )));
    }
    let info = y.swap_remove(1);
    let l = y.swap_remove(0);
    Ok((if upper { columnwise(h(&l)?)? } else { l }, info))
}

fn inverse_of(a: &Tensor, check_errors: bool) -> Result<(Tensor, Tensor)> {
    check_matrix(a, "linalg.inv", true)?;
    let eye = expand(&identity_like(a)?, a.sizes())?;
    let mut y = call(&solve_kernel::OP, &[Some(a), Some(&eye)], Params::new())?;
    if check_errors && let Some((at, k)) = first_failure(&y[1])? {
        return Err(linalg_error(format!(
            "linalg.inv: {at}The diagonal element {k} is zero, the inversion could not be completed because the input matrix \
             is singular."
        )));
    }
    let info = y.swap_remove(1);
    Ok((y.swap_remove(0), info))
}

/// With columns in one piece, as linear algebra libraries write matrices.
pub(crate) fn columnwise(y: Tensor) -> Result<Tensor> {
    if y.ndim() < 2 {
        return Ok(y);
    }
    crate::copy::restrided(&y, &crate::decompose::column_strides(y.sizes()))
}

/// The inverse of a matrix.
pub fn inv(a: &Tensor) -> Result<Tensor> {
    Ok(inverse_of(a, true)?.0)
}

/// Batch sizes of both operands made equal.
fn broadcast_batches(a: &Tensor, b: &Tensor) -> Result<(Tensor, Tensor)> {
    let (sa, sb) = (a.sizes(), b.sizes());
    let batch = layout::broadcast(&sa[..sa.len() - 2], &sb[..sb.len() - 2])?;
    let grown = |t: &Tensor| {
        let s: Dims = batch.iter().chain(&t.sizes()[t.ndim() - 2..]).copied().collect();
        if s.as_slice() == t.sizes() { Ok(t.clone()) } else { expand(t, &s) }
    };
    Ok((grown(a)?, grown(b)?))
}

fn matching(a: &Tensor, b: &Tensor, left: bool, name: &str) -> Result<()> {
    check_matrix(a, name, true)?;
    check!(
        a.dtype() == b.dtype(),
        Runtime,
        "{name}: Expected A and B to have the same dtype, but found A of type {} and B of type {} instead",
        a.dtype().scalar_name(),
        b.dtype().scalar_name()
    );
    check!(b.ndim() >= 2, Runtime, "{name}: The input tensor B must have at least 2 dimensions.");
    let (n, s) = (a.sizes()[a.ndim() - 1], &b.sizes()[b.ndim() - 2..]);
    check!(
        n == if left { s[0] } else { s[1] },
        Runtime,
        "{name}: Incompatible shapes of A and B for the equation {} ({n}x{n} and {}x{})",
        if left { "AX = B" } else { "XA = B" },
        s[0],
        s[1]
    );
    Ok(())
}

fn solution(a: &Tensor, b: &Tensor, left: bool, check_errors: bool) -> Result<(Tensor, Tensor)> {
    check_matrix(a, "linalg.solve", true)?;
    // A vector, or a batch of them.
    let vector = b.ndim() == 1 || a.ndim() - 1 == b.ndim() && b.sizes() == &a.sizes()[..a.ndim() - 1];
    let rhs = if vector { unsqueeze(b, -1)? } else { b.clone() };
    let side = left || vector;
    matching(a, &rhs, side, "linalg.solve")?;
    let (a, rhs) = if side { (a.clone(), rhs) } else { (mt(a)?, mt(&rhs)?) };
    let (a, rhs) = broadcast_batches(&a, &rhs)?;
    let mut y = call(&solve_kernel::OP, &[Some(&a), Some(&rhs)], Params::new())?;
    if check_errors && let Some((at, _)) = first_failure(&y[1])? {
        return Err(linalg_error(format!(
            "torch.linalg.solve: {at}The solver failed because the input matrix is singular."
        )));
    }
    let info = y.swap_remove(1);
    let x = y.swap_remove(0);
    let x = if side { x } else { mt(&x)? };
    Ok((if vector { columnwise(squeeze(&x, -1)?)? } else { x }, info))
}

fn triangular(a: &Tensor, b: &Tensor, upper: bool, left: bool, unit: bool) -> Result<Tensor> {
    matching(a, b, left, "linalg.solve_triangular")?;
    let (a, b) = broadcast_batches(a, b)?;
    if left { solve_triangle(&a, &b, upper, unit) } else { solve_triangle_right(&a, &b, upper, unit) }
}

fn qr_of(a: &Tensor, mode: &str) -> Result<Outs> {
    check_matrix(a, "linalg.qr", false)?;
    check!(
        matches!(mode, "reduced" | "complete" | "r"),
        Runtime,
        "qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
    );
    let (m, n) = (a.size(-2)?, a.size(-1)?);
    if mode == "r" {
        check!(
            !a.requires_grad() || !flambeau_core::autograd::grad_enabled(),
            Runtime,
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use linalg.qr(A, \
             mode='reduced') if you are going to require gradients."
        );
        let r = call(&qr_kernel::OP, &[Some(a)], params![false])?.swap_remove(1);
        return Ok(Outs::from_iter([Tensor::empty(&[0], a.dtype(), a.device())?, r]));
    }
    if m < n {
        // The first block decides Q; the gradient of the rest goes through a product.
        let (x, y) = (narrow(a, -1, 0, m)?, narrow(a, -1, m, n - m)?);
        let mut f = call(&qr_kernel::OP, &[Some(&x)], params![false])?;
        let r = crate::shape::cat(&[&f[1], &matmul(&h(&f[0])?, &y)?], -1)?;
        f[1] = r;
        return Ok(f);
    }
    check!(
        mode == "reduced" || m <= n || !a.requires_grad() || !flambeau_core::autograd::grad_enabled(),
        Runtime,
        "The QR decomposition is not differentiable when mode='complete' and nrows > ncols."
    );
    call(&qr_kernel::OP, &[Some(a)], params![mode == "complete"])
}

/// P, L and U as matrices; the exchanges carry no gradient.
fn lu_parts(a: &Tensor, pivot: bool, name: &str) -> Result<(Tensor, Tensor, Tensor, Outs)> {
    check!(
        a.ndim() >= 2,
        Runtime,
        "{name}: Expected tensor with 2 or more dimensions. Got size: {} instead",
        layout::fmt(a.sizes())
    );
    check_matrix(a, name, false)?;
    let raw = call(&lu_kernel::OP, &[Some(&a.detach())], params![pivot])?;
    let (m, n) = (a.size(-2)?, a.size(-1)?);
    let k = m.min(n);
    let order = expand(&unsqueeze(&raw[2], -1)?, a.sizes())?;
    let moved = crate::index::gather(a, -2, &order)?;
    let square = narrow(&narrow(&moved, -2, 0, k)?, -1, 0, k)?;
    let f = call1(&lu_square::OP, &[Some(&square)], Params::new())?;
    let (mut l, mut u) = (add(&tril(&f, -1)?, &identity_like(&f)?)?, triu(&f, 0)?);
    if m > k {
        let rest = solve_triangle_right(&u, &narrow(&moved, -2, k, m - k)?, true, false)?;
        l = crate::shape::cat(&[&l, &rest], -2)?;
    }
    if n > k {
        let rest = solve_triangle(&l, &narrow(&moved, -1, k, n - k)?, false, true)?;
        u = crate::shape::cat(&[&u, &rest], -1)?;
    }
    // Row `order[i]` of A is row i of L U: P has a one at (order[i], i).
    let wide: Dims = a.sizes()[..a.ndim() - 2].iter().copied().chain([m, m]).collect();
    let zero = crate::create::zeros(&wide, a.dtype(), a.device())?;
    let at = unsqueeze(&raw[2], -2)?;
    let ones = crate::create::full(at.sizes(), 1i64.into(), a.dtype(), a.device())?;
    let p = call1(&crate::scatter::scatter::OP, &[Some(&zero), Some(&at), Some(&ones)], params![-2])?;
    Ok((p, l, u, raw))
}

/// L below the diagonal and U in one matrix.
fn packed_lu(l: &Tensor, u: &Tensor) -> Result<Tensor> {
    let (m, n, k) = (l.size(-2)?, u.size(-1)?, l.size(-1)?);
    let grow = |t: &Tensor, dim: i64, by: i64| -> Result<Tensor> {
        if by == 0 {
            return Ok(t.clone());
        }
        let mut s = Dims::from_slice(t.sizes());
        let d = s.len() as i64 + dim;
        s[d as usize] = by;
        crate::shape::cat(&[t, &crate::create::zeros(&s, t.dtype(), t.device())?], dim)
    };
    add(&grow(&tril(l, -1)?, -1, n - k)?, &grow(u, -2, m - k)?)
}

fn lu_solution(lu: &Tensor, pivots: &Tensor, b: &Tensor, left: bool, adjoint: bool) -> Result<Tensor> {
    matching(lu, b, left, "linalg.lu_solve")?;
    check!(
        pivots.dtype() == DType::I32,
        Runtime,
        "linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32"
    );
    if !left {
        // X A = B is A^H X^H = B^H.
        return h(&lu_solution(lu, pivots, &h(b)?, true, !adjoint)?);
    }
    let (f, b) = broadcast_batches(lu, b)?;
    let n = f.size(-1)?;
    let sizes: Dims = f.sizes()[..f.ndim() - 1].iter().copied().collect();
    let order = row_order(&expand(pivots, &sizes)?, n)?;
    let place = |order: &Tensor, b: &Tensor| crate::index::gather(b, -2, &expand(&unsqueeze(order, -1)?, b.sizes())?);
    if !adjoint {
        let y = solve_triangle(&f, &place(&order, &b)?, false, true)?;
        return solve_triangle(&f, &y, true, false);
    }
    let fh = h(&f)?;
    let y = solve_triangle(&fh, &solve_triangle(&fh, &b, false, false)?, true, true)?;
    let back = call1(&crate::order::argsort::OP, &[Some(&order)], params![-1])?;
    place(&back, &y)
}

/// The order of rows that the exchanges (from one, `(..., k)`) of `m` rows lead to.
fn row_order(pivots: &Tensor, m: i64) -> Result<Tensor> {
    let k = pivots.size(-1)? as usize;
    let list = pivots.to_vec::<i64>()?;
    let batches = pivots.sizes()[..pivots.ndim() - 1].iter().product::<i64>() as usize;
    let mut out = flambeau_core::alloc::list_of(batches.saturating_mul(m as usize))?;
    for i in 0..batches {
        let mut rows: Vec<i64> = (0..m).collect();
        for (j, &p) in list[i * k..(i + 1) * k].iter().enumerate() {
            check!(
                p >= 1 && p <= m,
                Runtime,
                "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive.Did you properly pass the result of lu_factor?"
            );
            rows.swap(j, p as usize - 1);
        }
        out.extend(rows);
    }
    let sizes: Vec<i64> = pivots.sizes()[..pivots.ndim() - 1].iter().copied().chain([m]).collect();
    Tensor::from_slice(&out, &sizes)
}

/// The lower factor, with ones on its diagonal, and the upper one.
fn factors(lu: &Tensor) -> Result<[Tensor; 2]> {
    let (m, n) = (lu.size(-2)?, lu.size(-1)?);
    let k = m.min(n);
    let l = tril(&narrow(lu, -1, 0, k)?, -1)?;
    let eye = call1(&crate::create::eye::OP, &[], params![m, k, lu.dtype(), lu.device()])?;
    Ok([add(&l, &eye)?, triu(&narrow(lu, -2, 0, k)?, 0)?])
}

/// The permutation that pivots stand for, as a matrix.
fn permutation(lu: &Tensor, pivots: &Tensor) -> Result<Tensor> {
    let m = lu.size(-2)?;
    let order = row_order(pivots, m)?;
    let wide: Dims = lu.sizes()[..lu.ndim() - 2].iter().copied().chain([m, m]).collect();
    let zero = crate::create::zeros(&wide, lu.dtype(), lu.device())?;
    let at = unsqueeze(&order, -2)?;
    let ones = crate::create::full(at.sizes(), 1i64.into(), lu.dtype(), lu.device())?;
    call1(&crate::scatter::scatter::OP, &[Some(&zero), Some(&at), Some(&ones)], params![-2])
}

pub(crate) fn many_rows(x: Inputs, i: usize, name: &str) -> Result<Tensor> {
    let t = arg(x, i)?;
    check!(t.ndim() >= 2, Runtime, "{name} should have at least 2 dimensions, but has {} dimensions instead", t.ndim());
    Ok(t.clone())
}

fn inv_samples(s: &mut flambeau_core::op::Samples) {
    let x = s.normal(&[2, 3, 3]);
    let shift = flambeau_core::autograd::no_grad(|| add(&x, &mul_scalar(&identity_like(&x)?, 2.0)?));
    s.push(vec![Some(shift.expect("a square"))], Params::new(), 1);
}

rows! { ROWS_ALL:
    linalg_cholesky = row("cholesky(Tensor A, *, bool upper=False, Tensor? out=None) -> Tensor", "The Cholesky factor L of `A = L L^H` (or its adjoint): A `(..., n, n)`, of which one triangle is read. `LinAlgError` where A is not positive definite.", L,
        |x, p| one(cholesky_of(arg(x, 0)?, p.bool(0), "linalg.cholesky", true)?.0));
    cholesky = row("cholesky(Tensor input, bool upper=False, *, Tensor? out=None) -> Tensor", "As `linalg.cholesky`.", FM,
        |x, p| one(cholesky_of(arg(x, 0)?, p.bool(0), "linalg.cholesky", true)?.0));
    cholesky_ex = row("cholesky_ex(Tensor A, *, bool upper=False, bool check_errors=False, (Tensor, Tensor)? out=None) -> (Tensor L, Tensor info)", "The Cholesky factor, and for each matrix the order of the first leading minor that is not positive, or 0.", L,
        |x, p| { let (l, info) = cholesky_of(arg(x, 0)?, p.bool(0), "linalg.cholesky_ex", p.bool(1))?; Ok(Outs::from_iter([l, info])) });
    cholesky_solve = row("cholesky_solve(Tensor input, Tensor L, bool upper=False, *, Tensor? out=None) -> Tensor", "X of `A X = B` from the Cholesky factor of A.", FM, |x, p| {
        let (b, l) = (many_rows(x, 0, "b")?, many_rows(x, 1, "u")?);
        let (n, m) = (l.sizes()[l.ndim() - 1], l.sizes()[l.ndim() - 2]);
        check!(n == m, Runtime, "A must be batches of square matrices, but they are {m} by {n} matrices");
        let (rows, columns) = (b.sizes()[b.ndim() - 2], b.sizes()[b.ndim() - 1]);
        check!(n == rows, Runtime,
            "Incompatible matrix sizes for cholesky_solve: each A matrix is {n} by {n} but each b matrix is {rows} by {columns}");
        let (l, b) = broadcast_batches(&if p.bool(0) { h(&l)? } else { l }, &b)?;
        one(solve_triangle(&h(&l)?, &solve_triangle(&l, &b, false, false)?, true, false)?)
    });
    cholesky_inverse = row("cholesky_inverse(Tensor L, bool upper=False, *, Tensor? out=None) -> Tensor", "The inverse of A from its Cholesky factor.", FM, |x, p| {
        let l = many_rows(x, 0, "input")?;
        check_matrix(&l, "cholesky_inverse", true)?;
        let l = if p.bool(0) { h(&l)? } else { l };
        let eye = expand(&identity_like(&l)?, l.sizes())?;
        let half = solve_triangle(&l, &eye, false, false)?;
        one(columnwise(matmul(&h(&half)?, &half)?)?)
    });
    linalg_inv = OpDef { samples: Some(inv_samples), ..row("inv(Tensor A, *, Tensor? out=None) -> Tensor", "The inverse of a square matrix `(..., n, n)`. `LinAlgError` where A is singular.", L, |x, _| one(inv(arg(x, 0)?)?)) };
    inverse = row("inverse(Tensor input, *, Tensor? out=None) -> Tensor", "As `linalg.inv`.", FM, |x, _| one(inv(arg(x, 0)?)?));
    inv_ex = row("inv_ex(Tensor A, *, bool check_errors=False, (Tensor, Tensor)? out=None) -> (Tensor inverse, Tensor info)", "The inverse, and for each matrix the first zero pivot, or 0.", L,
        |x, p| { let (y, info) = inverse_of(arg(x, 0)?, p.bool(0))?; Ok(Outs::from_iter([y, info])) });
    linalg_solve = row("solve(Tensor A, Tensor B, *, bool left=True, Tensor? out=None) -> Tensor", "X of `A X = B` (or `X A = B`): A `(..., n, n)`, B a vector, a batch of them or matrices. `LinAlgError` where A is singular.", L,
        |x, p| one(solution(arg(x, 0)?, arg(x, 1)?, p.bool(0), true)?.0));
    solve_ex = row("solve_ex(Tensor A, Tensor B, *, bool left=True, bool check_errors=False, (Tensor, Tensor)? out=None) -> (Tensor result, Tensor info)", "X of `A X = B`, and for each matrix the first zero pivot, or 0.", L,
        |x, p| { let (y, info) = solution(arg(x, 0)?, arg(x, 1)?, p.bool(0), p.bool(1))?; Ok(Outs::from_iter([y, info])) });
    solve_triangular = row("solve_triangular(Tensor A, Tensor B, *, bool upper, bool left=True, bool unitriangular=False, Tensor? out=None) -> Tensor", "X of `A X = B` (or `X A = B`) for a triangular A; the other triangle is not read.", L,
        |x, p| one(triangular(arg(x, 0)?, arg(x, 1)?, p.bool(0), p.bool(1), p.bool(2))?));
    triangular_solve = row("triangular_solve(Tensor b, Tensor A, bool upper=True, bool transpose=False, bool unitriangular=False, *, (Tensor, Tensor)? out=None) -> (Tensor solution, Tensor cloned_coefficient)", "X of `A X = b` for a triangular A, and A.", FM, |x, p| {
        let (b, a) = (many_rows(x, 0, "torch.triangular_solve: Expected b")?, many_rows(x, 1, "torch.triangular_solve: Expected A")?);
        let (a2, b2) = broadcast_batches(&a, &b)?;
        let y = if p.bool(1) { triangular(&mt(&a2)?, &b2, !p.bool(0), true, p.bool(2))? } else { triangular(&a2, &b2, p.bool(0), true, p.bool(2))? };
        Ok(Outs::from_iter([y, crate::copy::clone(&a2)?]))
    });
    linalg_qr = row("qr(Tensor A, str mode='reduced', *, (Tensor, Tensor)? out=None) -> (Tensor Q, Tensor R)", "`A = Q R` with orthonormal columns in Q and R upper triangular: `mode` 'reduced' (Q `(m, k)`), 'complete' (Q `(m, m)`) or 'r' (no Q).", L,
        |x, p| qr_of(arg(x, 0)?, p.str(0)));
    qr = row("qr(Tensor input, bool some=True, *, (Tensor, Tensor)? out=None) -> (Tensor Q, Tensor R)", "As `linalg.qr`, reduced where `some`.", FM,
        |x, p| qr_of(arg(x, 0)?, if p.bool(0) { "reduced" } else { "complete" }));
    linalg_lu = row("lu(Tensor A, *, bool pivot=True, (Tensor, Tensor, Tensor)? out=None) -> (Tensor P, Tensor L, Tensor U)", "`A = P L U` by Gaussian elimination with row exchanges.", L, |x, p| {
        let (perm, l, u, _) = lu_parts(arg(x, 0)?, p.bool(0), "linalg.lu")?;
        // Without exchanges there is no P.
        let perm = if p.bool(0) { perm } else { Tensor::empty(&[0], l.dtype(), l.device())? };
        Ok(Outs::from_iter([perm, l, u]))
    });
    lu_factor = row("lu_factor(Tensor A, *, bool pivot=True, (Tensor, Tensor)? out=None) -> (Tensor LU, Tensor pivots)", "L and U in one matrix, and the exchanges of rows, counted from one.", L, |x, p| {
        let (_, l, u, mut raw) = lu_parts(arg(x, 0)?, p.bool(0), "torch.lu_factor")?;
        if let Some((at, k)) = first_failure(&raw[3])? {
            return Err(Error::new(ErrorKind::Runtime, format!(
                "{at}torch.linalg.lu_factor: U[{k},{k}] is zero and using it on lu_solve would result in a division by zero. If you still \
                 want to perform the factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)")));
        }
        Ok(Outs::from_iter([columnwise(packed_lu(&l, &u)?)?, raw.swap_remove(1)]))
    });
    lu_factor_ex = row("lu_factor_ex(Tensor A, *, bool pivot=True, bool check_errors=False, (Tensor, Tensor, Tensor)? out=None) -> (Tensor LU, Tensor pivots, Tensor info)", "As `lu_factor`, with the first zero pivot of each matrix, or 0.", L, |x, p| {
        let (_, l, u, mut raw) = lu_parts(arg(x, 0)?, p.bool(0), "torch.lu_factor_ex")?;
        let info = raw.swap_remove(3);
        Ok(Outs::from_iter([packed_lu(&l, &u)?, raw.swap_remove(1), info]))
    });
    linalg_lu_solve = row("lu_solve(Tensor LU, Tensor pivots, Tensor B, *, bool left=True, bool adjoint=False, Tensor? out=None) -> Tensor", "X of `A X = B` from A's LU factors.", L,
        |x, p| one(lu_solution(arg(x, 0)?, arg(x, 1)?, arg(x, 2)?, p.bool(0), p.bool(1))?));
    lu_solve = row("lu_solve(Tensor b, Tensor LU_data, Tensor LU_pivots, *, Tensor? out=None) -> Tensor", "X of `A X = b` from A's LU factors.", FM,
        |x, _| call(&linalg_lu_solve::OP, &[opt(x, 1), opt(x, 2), opt(x, 0)], params![true, false]));
    lu_unpack = row("lu_unpack(Tensor LU_data, Tensor LU_pivots, bool unpack_data=True, bool unpack_pivots=True, *, (Tensor, Tensor, Tensor)? out=None) -> (Tensor P, Tensor L, Tensor U)", "P, L and U from the factors in one matrix.", F, |x, p| {
        let (lu, pivots) = (arg(x, 0)?, arg(x, 1)?);
        check!(lu.ndim() >= 2, Runtime, "torch.lu_unpack: Expected tensor with 2 or more dimensions. Got size: {} instead", layout::fmt(lu.sizes()));
        let none = || Tensor::empty(&[0], lu.dtype(), lu.device());
        let order = if p.bool(1) {
            check!(pivots.dtype() == DType::I32, Runtime, "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.");
            let s = lu.sizes();
            let wanted: Dims = s[..s.len() - 2].iter().copied().chain([s[s.len() - 2].min(s[s.len() - 1])]).collect();
            check!(pivots.sizes() == wanted.as_slice(), Value, "Expected LU_pivots to have shape {} but got {} instead.", layout::fmt(&wanted), layout::fmt(pivots.sizes()));
            permutation(lu, pivots)?
        } else {
            none()?
        };
        let [l, u] = if p.bool(0) { factors(lu)? } else { [none()?, none()?] };
        Ok(Outs::from_iter([order, l, u]))
    });
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
