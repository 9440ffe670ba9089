//! Matrix decompositions: the kernels of `flambeau-linalg` as rows, and their gradients. `linalg.rs` has what users call.
//!
//! Gradients follow Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation"
//! (2008), and Wan and Zhang, "Automatic differentiation for complex valued SVD" (2019).

use flambeau_core::autograd::{Vjp, no_grad};
use flambeau_core::layout::Dims;
use flambeau_core::op::{Diff, Grads, Inputs, Kind, Meta, Metas, OpDef, Params, ParamsExt, Saves};
use flambeau_core::view::ViewOp;
use flambeau_core::{DType, Error, Result, Tensor, call, call1, check, params};
use flambeau_linalg::C64;

use crate::binary::{add, div, mul, mul_scalar, sub};
use crate::copy::conj;
use crate::decompose_run::*;
use crate::diagonal::diag_embed;
use crate::matmul::matmul;
use crate::operand::*;
use crate::view::{mt, narrow, unsqueeze};

/// The input's batch sizes followed by others.
fn sized(t: &Tensor, tail: &[i64], dtype: DType) -> Meta {
    let mut sizes = t.sizes()[..t.ndim() - 2].to_vec();
    sizes.extend_from_slice(tail);
    Meta::new(&sizes, dtype, t.device())
}

/// As [`sized`], with columns in one piece, as linear algebra libraries write matrices.
fn columns(t: &Tensor, tail: [i64; 2], dtype: DType) -> Meta {
    let mut m = sized(t, &tail, dtype);
    m.strides = Some(Box::new(column_strides(&m.sizes)));
    m
}

/// The strides of a batch of matrices with columns in one piece.
pub(crate) fn column_strides(sizes: &[i64]) -> Dims {
    let mut strides = flambeau_core::layout::contiguous_strides(sizes);
    let n = sizes.len();
    (strides[n - 2], strides[n - 1]) = (1, sizes[n - 2].max(1));
    strides
}

/// Sizes and dtype of the input, with columns in one piece.
fn columns_like(t: &Tensor, dtype: DType) -> Meta {
    let n = t.ndim();
    columns(t, [t.sizes()[n - 2], t.sizes()[n - 1]], dtype)
}

/// Refuses what is not a batch of matrices of numbers that can be divided.
pub(crate) fn check_matrix(x: &Tensor, name: &str, square: bool) -> Result<()> {
    check!(x.ndim() >= 2, Runtime, "{name}: The input tensor A must have at least 2 dimensions.");
    let s = x.sizes();
    check!(
        !square || s[s.len() - 1] == s[s.len() - 2],
        Runtime,
        "{name}: A must be batches of square matrices, but they are {} by {} matrices",
        s[s.len() - 2],
        s[s.len() - 1]
    );
    check!(
        x.dtype().is_differentiable(),
        NotImplemented,
        "{name}: Expected a floating point or complex tensor as input. Got {}",
        x.dtype().scalar_name()
    );
    check!(
        matches!(x.dtype(), DType::F32 | DType::F64 | DType::C64 | DType::C128),
        NotImplemented,
        "{name}: Low precision dtypes not supported. Got {}",
        x.dtype().scalar_name()
    );
    Ok(())
}

/// The conjugate transpose.
pub(crate) fn h(x: &Tensor) -> Result<Tensor> {
    conj(&mt(x)?)
}

fn triangle(x: &Tensor, upper: bool, diagonal: i64) -> Result<Tensor> {
    let op = if upper { &crate::create::triu::OP } else { &crate::create::tril::OP };
    call1(op, &[Some(x)], params![diagonal])
}

pub(crate) fn tril(x: &Tensor, diagonal: i64) -> Result<Tensor> {
    triangle(x, false, diagonal)
}

pub(crate) fn triu(x: &Tensor, diagonal: i64) -> Result<Tensor> {
    triangle(x, true, diagonal)
}

pub(crate) fn diagonal(x: &Tensor) -> Result<Tensor> {
    let n = x.ndim();
    call::view(&ViewOp::Diagonal { offset: 0, dim1: n - 2, dim2: n - 1 }, x)
}

/// `x` with its diagonal scaled.
fn scale_diagonal(x: &Tensor, by: f64) -> Result<Tensor> {
    add(x, &diag_embed(&mul_scalar(&diagonal(x)?, by - 1.0)?, 0, -2, -1)?)
}

pub(crate) fn solve_with(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    Ok(call(&solve_kernel::OP, &[Some(a), Some(b)], Params::new())?.swap_remove(0))
}

pub(crate) fn solve_triangle(a: &Tensor, b: &Tensor, upper: bool, unit: bool) -> Result<Tensor> {
    call1(&solve_triangular_kernel::OP, &[Some(a), Some(b)], params![upper, unit])
}

/// `b a^-1` for a triangular `a`.
pub(crate) fn solve_triangle_right(a: &Tensor, b: &Tensor, upper: bool, unit: bool) -> Result<Tensor> {
    mt(&solve_triangle(&mt(a)?, &mt(b)?, !upper, unit)?)
}

fn square_metas(x: Inputs) -> Result<Metas> {
    let t = arg(x, 0)?;
    Ok(smallvec::smallvec![columns_like(t, t.dtype()), sized(t, &[], DType::I32)])
}

/// The gradient for `A` of `A X = B`, in terms of the one for `B`.
fn solve_grads(c: &Vjp, upper: Option<(bool, bool)>) -> Result<Grads> {
    let (a, x) = (h(&c.x(0)?)?, c.y(0)?);
    let g = c.grad(0).cloned().map_or_else(|| crate::create::zeros_like(&x), Ok)?;
    let gb = match upper {
        None => solve_with(&a, &g)?,
        Some((upper, unit)) => solve_triangle(&a, &g, !upper, unit)?,
    };
    grads!(c;
        0 => {
            let ga = crate::unary::neg(&matmul(&gb, &h(&x)?)?)?;
            match upper {
                None => Ok(ga),
                Some((true, unit)) => triu(&ga, unit as i64),
                Some((false, unit)) => tril(&ga, -(unit as i64)),
            }
        },
        1 => Ok::<_, Error>(gb.clone()))
}

/// Half the lower triangle's adjoint: `phi(X) = tril(X)` with a halved diagonal.
fn cholesky_grad(c: &Vjp) -> Result<Grads> {
    let l = c.y(0)?;
    let Some(g) = c.grad(0) else { return grads!(c; 0 => crate::create::zeros_like(&l)) };
    let phi = scale_diagonal(&tril(&matmul(&h(&l)?, &tril(g, 0)?)?, 0)?, 0.5)?;
    let s = solve_triangle_right(&l, &solve_triangle(&h(&l)?, &phi, true, false)?, false, false)?;
    grads!(c; 0 => mul_scalar(&add(&s, &h(&s)?)?, 0.5))
}

fn lu_grad(c: &Vjp) -> Result<Grads> {
    let f = c.y(0)?;
    let l = add(&tril(&f, -1)?, &identity_like(&f)?)?;
    let u = triu(&f, 0)?;
    let g = c.g();
    let inner = add(&tril(&matmul(&h(&l)?, &tril(g, -1)?)?, -1)?, &triu(&matmul(&triu(g, 0)?, &h(&u)?)?, 0)?)?;
    let left = solve_triangle(&h(&l)?, &inner, true, true)?;
    grads!(c; 0 => solve_triangle_right(&h(&u)?, &left, false, false))
}

pub(crate) fn identity_like(x: &Tensor) -> Result<Tensor> {
    let n = x.sizes()[x.ndim() - 1];
    call1(&crate::create::eye::OP, &[], params![n, n, x.dtype(), x.device()])
}

/// For `m >= n`, with `X + X^H` less one diagonal as the adjoint of the triangle's symmetric part.
fn qr_grad(c: &Vjp) -> Result<Grads> {
    let (q, r) = (c.y(0)?, c.y(1)?);
    let mut inner: Option<Tensor> = None;
    if let Some(gr) = c.grad(1) {
        inner = Some(matmul(gr, &h(&r)?)?);
    }
    if let Some(gq) = c.grad(0) {
        let t = matmul(&h(&q)?, gq)?;
        inner = Some(match inner {
            Some(m) => sub(&m, &t)?,
            None => crate::unary::neg(&t)?,
        });
    }
    let Some(inner) = inner else { return grads!(c; 0 => crate::create::zeros_like(&q)) };
    let u = triu(&inner, 0)?;
    let both = add(&u, &h(&u)?)?;
    let real = crate::copy::to_dtype(&crate::copy::real(&diagonal(&both)?)?, both.dtype())?;
    let sym = sub(&both, &diag_embed(&mul_scalar(&real, 0.5)?, 0, -2, -1)?)?;
    let mut ga = matmul(&q, &sym)?;
    if let Some(gq) = c.grad(0) {
        ga = add(&ga, gq)?;
    }
    grads!(c; 0 => solve_triangle_right(&h(&r)?, &ga, false, false))
}

/// `values_j - values_i`, one on the diagonal.
fn gaps(values: &Tensor) -> Result<Tensor> {
    let e = sub(&unsqueeze(values, -2)?, &unsqueeze(values, -1)?)?;
    add(&e, &identity_like(&e)?)
}

fn eigh_grad(c: &Vjp) -> Result<Grads> {
    let (l, v) = (c.y(0)?, c.y(1)?);
    let mut inner = match c.grad(1) {
        Some(gv) => {
            let m = matmul(&h(&v)?, gv)?;
            let off = sub(&m, &diag_embed(&diagonal(&m)?, 0, -2, -1)?)?;
            Some(div(&off, &gaps(&l)?)?)
        }
        None => None,
    };
    if let Some(gl) = c.grad(0) {
        let d = diag_embed(&crate::copy::to_dtype(gl, v.dtype())?, 0, -2, -1)?;
        inner = Some(match inner {
            Some(m) => add(&m, &d)?,
            None => d,
        });
    }
    let Some(inner) = inner else { return grads!(c; 0 => crate::create::zeros_like(&v)) };
    grads!(c; 0 => matmul(&matmul(&v, &inner)?, &h(&v)?))
}

fn skew(x: &Tensor) -> Result<Tensor> {
    sub(x, &h(x)?)
}

fn svd_grad(c: &Vjp) -> Result<Grads> {
    let (u, s, vh) = (c.y(0)?, c.y(1)?, c.y(2)?);
    let k = s.sizes()[s.ndim() - 1];
    // Full matrices: the rest of the basis is arbitrary and has no gradient.
    let (u, vh) = (narrow(&u, -1, 0, k)?, narrow(&vh, -2, 0, k)?);
    let gu = c.grad(0).map(|g| narrow(g, -1, 0, k)).transpose()?;
    let gvh = c.grad(2).map(|g| narrow(g, -2, 0, k)).transpose()?;
    let s = crate::copy::to_dtype(&s, u.dtype())?;
    let gs = c.grad(1).map(|g| crate::copy::to_dtype(g, u.dtype())).transpose()?;
    let (row, column) = (unsqueeze(&s, -2)?, unsqueeze(&s, -1)?);
    let e = gaps(&mul(&s, &s)?)?;
    let mut inner = match &gs {
        Some(gs) => diag_embed(gs, 0, -2, -1)?,
        None => diag_embed(&crate::create::zeros_like(&s)?, 0, -2, -1)?,
    };
    let bare = |x: &Tensor| sub(x, &diag_embed(&diagonal(x)?, 0, -2, -1)?);
    if let Some(gu) = &gu {
        let m = matmul(&h(&u)?, gu)?;
        inner = add(&inner, &mul(&div(&bare(&skew(&m)?)?, &e)?, &row)?)?;
        if u.dtype().is_complex() {
            // The phase that a gauge-invariant loss leaves to U alone.
            let phase = div(&mul_scalar(&diagonal(&skew(&m)?)?, 0.5)?, &s)?;
            inner = add(&inner, &diag_embed(&phase, 0, -2, -1)?)?;
        }
    }
    if let Some(gvh) = &gvh {
        let m = matmul(&vh, &h(gvh)?)?;
        inner = add(&inner, &mul(&column, &div(&bare(&skew(&m)?)?, &e)?)?)?;
    }
    let mut ga = matmul(&matmul(&u, &inner)?, &vh)?;
    if let Some(gu) = &gu
        && u.sizes()[u.ndim() - 2] > k
    {
        let rest = div(&sub(gu, &matmul(&u, &matmul(&h(&u)?, gu)?)?)?, &row)?;
        ga = add(&ga, &matmul(&rest, &vh)?)?;
    }
    if let Some(gvh) = &gvh
        && vh.sizes()[vh.ndim() - 1] > k
    {
        let rest = div(&sub(gvh, &matmul(&matmul(gvh, &h(&vh)?)?, &vh)?)?, &column)?;
        ga = add(&ga, &matmul(&u, &rest)?)?;
    }
    grads!(c; 0 => Ok::<_, Error>(ga.clone()))
}

fn eig_grad(c: &Vjp) -> Result<Grads> {
    let (l, v) = (c.y(0)?, c.y(1)?);
    let vh = h(&v)?;
    let mut inner = match c.grad(1) {
        Some(gv) => {
            let m = matmul(&vh, gv)?;
            // Vectors of unit length: their real scale is not free.
            let re = crate::copy::to_dtype(&crate::copy::real(&diagonal(&m)?)?, m.dtype())?;
            let m = sub(&m, &mul(&matmul(&vh, &v)?, &unsqueeze(&re, -2)?)?)?;
            let off = sub(&m, &diag_embed(&diagonal(&m)?, 0, -2, -1)?)?;
            Some(div(&off, &conj(&gaps(&l)?)?)?)
        }
        None => None,
    };
    if let Some(gl) = c.grad(0) {
        let d = diag_embed(gl, 0, -2, -1)?;
        inner = Some(match inner {
            Some(m) => add(&m, &d)?,
            None => d,
        });
    }
    let Some(inner) = inner else { return grads!(c; 0 => crate::create::zeros_like(&v)) };
    grads!(c; 0 => {
        let ga = solve_with(&vh, &matmul(&inner, &vh)?)?;
        if c.meta(0).dtype.is_complex() { Ok(ga) } else { crate::copy::real(&ga) }
    })
}

/// Outputs are the determinant, its sign and the logarithm of its modulus.
fn det_grad(c: &Vjp) -> Result<Grads> {
    let (a, d, sign) = (c.x(0)?, c.y(0)?, c.y(1)?);
    let mut total = crate::create::zeros_like(&a)?;
    let eye = identity_like(&a)?.expand_as(&a)?;
    let wide = |t: &Tensor| unsqueeze(&unsqueeze(t, -1)?, -1);
    if let Some(g) = c.grad(0) {
        let singular = read::<C64>(&d)?.contains(&C64::default());
        total = if singular {
            // The adjugate by singular values: products that leave one of them out.
            add(&total, &mul(&wide(g)?, &conj(&adjugate_transposed(&a)?)?)?)?
        } else {
            add(&total, &mul(&wide(&mul(g, &conj(&d)?)?)?, &solve_with(&h(&a)?, &eye)?)?)?
        };
    }
    if c.grad(1).is_some() && a.dtype().is_complex() || c.grad(2).is_some() {
        let mut f = match c.grad(2) {
            Some(g) => crate::copy::to_dtype(g, a.dtype())?,
            None => crate::create::zeros_like(&sign)?,
        };
        if let Some(g) = c.grad(1)
            && a.dtype().is_complex()
        {
            let turn = mul(&conj(&sign)?, g)?;
            f = add(&f, &mul_scalar(&sub(&turn, &conj(&turn)?)?, 0.5)?)?;
        }
        total = add(&total, &mul(&wide(&f)?, &solve_with(&h(&a)?, &eye)?)?)?;
    }
    grads!(c; 0 => Ok::<_, Error>(total.clone()))
}

/// The matrix of cofactors.
fn adjugate_transposed(a: &Tensor) -> Result<Tensor> {
    let mut f = call(&svd_kernel::OP, &[Some(a)], params![true])?;
    let vh = f.swap_remove(2);
    let s = f.swap_remove(1);
    let u = f.swap_remove(0);
    let n = s.sizes()[s.ndim() - 1];
    let mut parts = Vec::new();
    for i in 0..n {
        let others = [narrow(&s, -1, 0, i)?, narrow(&s, -1, i + 1, n - i - 1)?];
        parts.push(crate::reduce::prod(&crate::shape::cat(&[&others[0], &others[1]], -1)?, -1, false)?);
    }
    let left_out = crate::shape::stack(&parts.iter().collect::<Vec<_>>(), -1)?;
    let left_out = crate::copy::to_dtype(&left_out, u.dtype())?;
    let det = |m: &Tensor| Ok::<_, Error>(call(&det_kernel::OP, &[Some(m)], Params::new())?.swap_remove(0));
    let turn = mul(&det(&u)?, &det(&vh)?)?;
    // det(A) A^-T = det(U) det(V^H) conj(U) diag(products) conj(V^H).
    let y = matmul(&mul(&conj(&u)?, &unsqueeze(&left_out, -2)?)?, &conj(&vh)?)?;
    mul(&unsqueeze(&unsqueeze(&turn, -1)?, -1)?, &y)
}

trait ExpandAs {
    fn expand_as(&self, other: &Tensor) -> Result<Tensor>;
}

impl ExpandAs for Tensor {
    fn expand_as(&self, other: &Tensor) -> Result<Tensor> {
        crate::view::expand(self, other.sizes())
    }
}

const fn outputs(n: u16) -> Saves {
    Saves { inputs: 0, outputs: n, cross: false }
}

const fn kernel(sig: &'static str, doc: &'static str) -> OpDef {
    OpDef { sig, doc, surfaces: INTERNAL, ..BASE }
}

/// Well-conditioned square matrices.
fn squares(s: &mut flambeau_core::op::Samples, p: Params) {
    for sizes in [&[3i64, 3][..], &[2, 2, 2], &[1, 1]] {
        let x = s.normal(sizes);
        let eye = identity_like(&x).expect("a square");
        let x = no_grad(|| add(&x, &mul_scalar(&eye, 2.5)?)).expect("same shapes");
        s.push(vec![Some(x)], p.clone(), 1);
    }
}

/// Symmetric positive definite matrices. Without a gradient: it holds where both triangles move together only.
fn definite(s: &mut flambeau_core::op::Samples, p: Params) {
    for sizes in [&[3i64, 3][..], &[2, 2, 2]] {
        let x = s.normal(sizes);
        let x = no_grad(|| add(&matmul(&x, &h(&x)?)?, &mul_scalar(&identity_like(&x)?, 0.5)?)).expect("a square");
        s.push(vec![Some(x)], p.clone(), 0);
    }
}

/// Matrices of all shapes, without a gradient: vectors are determined up to a sign or a phase only.
fn rectangles(s: &mut flambeau_core::op::Samples, p: Params) {
    for sizes in [&[3i64, 3][..], &[4, 2], &[2, 2, 3]] {
        let x = s.normal(sizes);
        s.push(vec![Some(x)], p.clone(), 0);
    }
}

/// A well-conditioned matrix and a right side for it.
fn squares_and_rows(s: &mut flambeau_core::op::Samples, p: &Params) {
    squares(s, p.clone());
    for i in (0..s.list.len()).rev().take(3) {
        let a = s.list[i].inputs[0].clone().expect("a matrix");
        let mut sizes = a.sizes().to_vec();
        *sizes.last_mut().expect("two dimensions") = 2;
        let b = s.normal(&sizes);
        s.list[i].inputs.push(Some(b));
        s.list[i].grad = 3;
    }
}

rows! { ROWS_ALL:
    cholesky_kernel = OpDef {
        kind: Kind::Kernel { infer: |x, _| square_metas(x), run: |b, x, o, _| by_type!(o[0], cholesky_run(b, x, o)) },
        diff: Diff::Vjp(cholesky_grad),
        saves: outputs(1),
        diff_outputs: 1,
        samples: Some(|s| definite(s, Params::new())),
        ..kernel("cholesky_kernel(Tensor A) -> (Tensor, Tensor)", "L of `A = L L^H` and the order of the first minor that is not positive.")
    };
    lu_kernel = OpDef {
        kind: Kind::Kernel {
            infer: |x, _| {
                let t = arg(x, 0)?;
                let (_, m, n) = geometry(t);
                Ok(smallvec::smallvec![
                    columns_like(t, t.dtype()), sized(t, &[m.min(n) as i64], DType::I32),
                    sized(t, &[m as i64], DType::I64), sized(t, &[], DType::I32)])
            },
            run: |b, x, o, p| by_type!(o[0], lu_run(b, x, o, p.bool(0))),
        },
        diff: Diff::Never,
        samples: Some(|s| {
            rectangles(s, params![true]);
            squares(s, params![false]);
        }),
        ..kernel("lu_kernel(Tensor A, bool pivot) -> (Tensor, Tensor, Tensor, Tensor)", "LU, the exchanges, the order of rows, the first zero pivot.")
    };
    lu_square = OpDef {
        kind: Kind::Composite(|x, _| {
            let mut outs = call(&lu_plain::OP, x, Params::new())?;
            outs.truncate(1);
            Ok(outs)
        }),
        samples: Some(|s| squares(s, Params::new())),
        ..kernel("lu_square(Tensor A) -> Tensor", "LU without exchanges, with a gradient.")
    };
    lu_plain = OpDef {
        kind: Kind::Kernel {
            infer: |x, _| {
                let t = arg(x, 0)?;
                let n = t.sizes()[t.ndim() - 1];
                Ok(smallvec::smallvec![
                    columns_like(t, t.dtype()), sized(t, &[n], DType::I32), sized(t, &[n], DType::I64), sized(t, &[], DType::I32)])
            },
            run: |b, x, o, _| by_type!(o[0], lu_run(b, x, o, false)),
        },
        diff: Diff::Vjp(lu_grad),
        saves: outputs(1),
        diff_outputs: 1,
        samples: Some(|s| squares(s, Params::new())),
        ..kernel("lu_plain(Tensor A) -> (Tensor, Tensor, Tensor, Tensor)", "The kernel of `lu_square`.")
    };
    qr_kernel = OpDef {
        kind: Kind::Kernel {
            infer: |x, p| {
                let t = arg(x, 0)?;
                let (_, m, n) = geometry(t);
                let k = if p.bool(0) { m } else { m.min(n) } as i64;
                Ok(smallvec::smallvec![columns(t, [m as i64, k], t.dtype()), columns(t, [k, n as i64], t.dtype())])
            },
            run: |b, x, o, p| by_type!(o[0], qr_run(b, x, o, p.bool(0))),
        },
        diff: Diff::Vjp(qr_grad),
        saves: outputs(3),
        samples: Some(|s| for sizes in [&[4i64, 3][..], &[2, 2, 2]] { let x = s.normal(sizes); s.push(vec![Some(x)], params![false], 1) }),
        ..kernel("qr_kernel(Tensor A, bool complete) -> (Tensor, Tensor)", "Q and R by Householder reflections.")
    };
    geqrf = OpDef {
        surfaces: FM,
        kind: Kind::Kernel {
            infer: |x, _| {
                let t = arg(x, 0)?;
                check_matrix(t, "torch.geqrf", false)?;
                let (_, m, n) = geometry(t);
                Ok(smallvec::smallvec![columns_like(t, t.dtype()), sized(t, &[m.min(n) as i64], t.dtype())])
            },
            run: |b, x, o, _| by_type!(o[0], geqrf_run(b, x, o)),
        },
        diff: Diff::Never,
        samples: Some(|s| rectangles(s, Params::new())),
        ..kernel("geqrf(Tensor input, *, (Tensor, Tensor)? out=None) -> (Tensor a, Tensor tau)", "R with Householder reflectors below its diagonal, and their factors.")
    };
    eigh_kernel = OpDef {
        kind: Kind::Kernel {
            infer: |x, _| {
                let t = arg(x, 0)?;
                let n = t.sizes()[t.ndim() - 1];
                Ok(smallvec::smallvec![sized(t, &[n], t.dtype().to_real()), columns_like(t, t.dtype())])
            },
            run: |b, x, o, _| by_type!(o[1], eigh_run(b, x, o)),
        },
        diff: Diff::Vjp(eigh_grad),
        saves: outputs(3),
        samples: Some(|s| definite(s, Params::new())),
        ..kernel("eigh_kernel(Tensor A) -> (Tensor, Tensor)", "Eigenvalues and vectors of a Hermitian matrix, from its lower triangle.")
    };
    svd_kernel = OpDef {
        kind: Kind::Kernel {
            infer: |x, p| {
                let t = arg(x, 0)?;
                let (_, m, n) = geometry(t);
                let k = m.min(n);
                let (r, c) = if p.bool(0) { (m, n) } else { (k, k) };
                Ok(smallvec::smallvec![
                    columns(t, [m as i64, r as i64], t.dtype()), sized(t, &[k as i64], t.dtype().to_real()), columns(t, [c as i64, n as i64], t.dtype())])
            },
            run: |b, x, o, p| by_type!(o[0], svd_run(b, x, o, p.bool(0))),
        },
        diff: Diff::Vjp(svd_grad),
        saves: outputs(7),
        samples: Some(|s| {
            rectangles(s, params![false]);
            rectangles(s, params![true]);
        }),
        ..kernel("svd_kernel(Tensor A, bool full) -> (Tensor, Tensor, Tensor)", "U, singular values and V^H.")
    };
    eig_kernel = OpDef {
        kind: Kind::Kernel {
            infer: |x, _| {
                let t = arg(x, 0)?;
                let d = t.dtype().to_complex();
                Ok(smallvec::smallvec![sized(t, &[t.sizes()[t.ndim() - 1]], d), columns_like(t, d)])
            },
            run: |b, x, o, _| eig_run(b, x, o),
        },
        diff: Diff::Vjp(eig_grad),
        saves: outputs(3),
        samples: Some(|s| {
            rectangles(s, Params::new());
            s.list.retain(|s| s.inputs[0].as_ref().is_some_and(|x| x.sizes()[x.ndim() - 1] == x.sizes()[x.ndim() - 2]));
        }),
        ..kernel("eig_kernel(Tensor A) -> (Tensor, Tensor)", "Eigenvalues and eigenvectors.")
    };
    solve_kernel = OpDef {
        kind: Kind::Kernel {
            infer: |x, _| {
                let (a, b) = (arg(x, 0)?, arg(x, 1)?);
                Ok(smallvec::smallvec![columns_like(b, b.dtype()), sized(a, &[], DType::I32)])
            },
            run: |b, x, o, _| by_type!(o[0], solve_run(b, x, o)),
        },
        diff: Diff::Vjp(|c| solve_grads(c, None)),
        saves: Saves { inputs: 1, outputs: 1, cross: false },
        diff_outputs: 1,
        samples: Some(|s| squares_and_rows(s, &Params::new())),
        ..kernel("solve_kernel(Tensor A, Tensor B) -> (Tensor, Tensor)", "X of `A X = B` and the first zero pivot.")
    };
    solve_triangular_kernel = OpDef {
        kind: Kind::Kernel {
            infer: |x, _| { let b = arg(x, 1)?; Ok(smallvec::smallvec![columns_like(b, b.dtype())]) },
            run: |b, x, o, p| by_type!(o[0], triangular_run(b, x, o, p.bool(0), p.bool(1))),
        },
        diff: Diff::Vjp(|c| solve_grads(c, Some((c.p.bool(0), c.p.bool(1))))),
        saves: Saves { inputs: 1, outputs: 1, cross: false },
        samples: Some(|s| for upper in [false, true] {
            squares_and_rows(s, &params![upper, false]);
            squares_and_rows(s, &params![upper, true]);
        }),
        ..kernel("solve_triangular_kernel(Tensor A, Tensor B, bool upper, bool unit) -> Tensor", "X of `A X = B` for a triangular A.")
    };
    det_kernel = OpDef {
        kind: Kind::Kernel {
            infer: |x, _| {
                let t = arg(x, 0)?;
                Ok(smallvec::smallvec![sized(t, &[], t.dtype()), sized(t, &[], t.dtype()), sized(t, &[], t.dtype().to_real())])
            },
            run: |b, x, o, _| by_type!(o[0], det_run(b, x, o)),
        },
        diff: Diff::Vjp(det_grad),
        saves: Saves { inputs: 1, outputs: 3, cross: false },
        samples: Some(|s| squares(s, Params::new())),
        ..kernel("det_kernel(Tensor A) -> (Tensor, Tensor, Tensor)", "The determinant, its sign and the logarithm of its modulus.")
    };
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
