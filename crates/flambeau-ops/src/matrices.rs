//! Functions of matrices that users call: eigenvalues and singular values, determinants, powers, exponentials, reflectors,
//! pseudoinverses. `linalg.rs` solves.

use flambeau_core::layout::Dims;
use flambeau_core::op::{Kind, OpDef, Outs, Params, ParamsExt};
use flambeau_core::{DType, Result, Tensor, bail, call, call1, check, params};

use crate::binary::{add, mul, mul_scalar, sub};
use crate::decompose::*;
use crate::linalg::{L, columnwise, row};
use crate::matmul::matmul;
use crate::operand::*;
use crate::view::{expand, narrow, unsqueeze};

fn hermitian_part(a: &Tensor, uplo: &str, name: &str) -> Result<Tensor> {
    check_matrix(a, name, true)?;
    match uplo {
        "L" | "l" => Ok(a.clone()),
        "U" | "u" => h(a),
        other => bail!(Runtime, "Expected UPLO argument to be 'L' or 'U', but got {other}"),
    }
}

fn svd_of(a: &Tensor, full: bool, name: &str) -> Result<Outs> {
    check_matrix(a, name, false)?;
    call(&svd_kernel::OP, &[Some(a)], params![full])
}

fn determinant(a: &Tensor, name: &str) -> Result<Outs> {
    check_matrix(a, name, true)?;
    call(&det_kernel::OP, &[Some(a)], Params::new())
}

/// Integer powers by repeated squaring.
pub fn matrix_power(a: &Tensor, n: i64) -> Result<Tensor> {
    check!(a.ndim() >= 2, Runtime, "linalg.matrix_power: The input tensor A must have at least 2 dimensions.");
    let s = &a.sizes()[a.ndim() - 2..];
    check!(
        s[0] == s[1],
        Runtime,
        "linalg.matrix_power: A must be batches of square matrices, but they are {} by {} matrices",
        s[0],
        s[1]
    );
    if n == 0 {
        return add(&identity_like(a)?, &crate::ternary::zeros_through(a)?);
    }
    // Through its row, so that the node is the one of `inv`.
    let mut base = if n < 0 { call1(&crate::linalg::linalg_inv::OP, &[Some(a)], Params::new())? } else { a.clone() };
    let (mut left, mut out) = (n.unsigned_abs(), None::<Tensor>);
    if left == 3 {
        return matmul(&matmul(&base, &base)?, &base);
    }
    loop {
        if left & 1 == 1 {
            out = Some(match out {
                Some(y) => matmul(&y, &base)?,
                None => base.clone(),
            });
        }
        left >>= 1;
        if left == 0 {
            break;
        }
        base = matmul(&base, &base)?;
    }
    match out {
        Some(y) if y.is(a) => crate::copy::clone(a),
        Some(y) => Ok(y),
        None => Ok(base),
    }
}

/// The exponential by scaling, a Taylor polynomial of degree 18, and squaring; in double precision where it helps.
fn matrix_exp(a: &Tensor) -> Result<Tensor> {
    check!(a.ndim() >= 2, Runtime, "linalg.matrix_exp: The input tensor A must have at least 2 dimensions.");
    let s = &a.sizes()[a.ndim() - 2..];
    check!(
        s[0] == s[1],
        Runtime,
        "linalg.matrix_exp: A must be batches of square matrices, but they are {} by {} matrices",
        s[0],
        s[1]
    );
    check!(
        a.dtype().is_differentiable(),
        NotImplemented,
        "linalg.matrix_exp: Expected a floating point or complex tensor as input. Got {}",
        a.dtype().scalar_name()
    );
    let wide = match a.dtype() {
        DType::F32 | DType::F64 | DType::C64 | DType::C128 => a.clone(),
        _ => crate::copy::to_dtype(a, DType::F32)?,
    };
    if a.numel() == 0 {
        return crate::copy::clone(a);
    }
    let top = flambeau_core::autograd::no_grad(|| -> Result<f64> {
        let sums = crate::reduce::sum(&crate::unary::abs(&wide.detach())?, &[-1], false)?;
        Ok(crate::reduce::amax(&sums, &[], false)?.item()?.to_f64())
    })?;
    let squarings = if top.is_finite() && top > 1.0 { top.log2().ceil() as i32 } else { 0 };
    let x = if squarings > 0 { mul_scalar(&wide, 0.5f64.powi(squarings))? } else { wide.clone() };
    let eye = expand(&identity_like(&x)?, x.sizes())?;
    // Horner: I + x (I + x/2 (I + x/3 ...)).
    let mut y = add(&eye, &mul_scalar(&x, 1.0 / 18.0)?)?;
    for k in (1..18).rev() {
        y = add(&eye, &mul_scalar(&matmul(&x, &y)?, 1.0 / k as f64)?)?;
    }
    for _ in 0..squarings {
        y = matmul(&y, &y)?;
    }
    crate::copy::to_dtype(&y, a.dtype())
}

/// The product of Householder reflectors held in the columns of `a`, `(m, n)` with `m >= n`.
fn householder(a: &Tensor, tau: &Tensor) -> Result<Tensor> {
    let name = "torch.linalg.householder_product";
    check!(a.ndim() >= 2, Runtime, "{name}: input must have at least 2 dimensions.");
    let (m, n, k) = (a.size(-2)?, a.size(-1)?, tau.size(-1)?);
    check!(m >= n, Runtime, "{name}: input.shape[-2] must be greater than or equal to input.shape[-1]");
    check!(n >= k, Runtime, "{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]");
    check!(
        a.ndim() - tau.ndim() == 1,
        Runtime,
        "{name}: Expected tau to have one dimension less than input, but got tau.ndim equal to {} and input.ndim is equal to {}",
        tau.ndim(),
        a.ndim()
    );
    check!(
        tau.dtype() == a.dtype(),
        Runtime,
        "{name}: tau dtype {} does not match input dtype {}",
        tau.dtype().scalar_name(),
        a.dtype().scalar_name()
    );
    let eye = call1(&crate::create::eye::OP, &[], params![m, n, a.dtype(), a.device()])?;
    let mut q = crate::copy::contiguous_copy(&expand(&eye, a.sizes())?)?;
    let below = tril(a, -1)?;
    let heads = call1(&crate::create::eye::OP, &[], params![m, n, a.dtype(), a.device()])?;
    let v = add(&below, &heads)?;
    if k == 0 {
        q = add(&q, &crate::ternary::zeros_through(a)?)?;
    }
    for i in (0..k).rev() {
        let column = narrow(&v, -1, i, 1)?;
        let t = unsqueeze(&narrow(tau, -1, i, 1)?, -1)?;
        q = sub(&q, &mul(&t, &matmul(&column, &matmul(&h(&column)?, &q)?)?)?)?;
    }
    columnwise(q)
}

rows! { ROWS_ALL:
    eigh = row("eigh(Tensor A, str UPLO='L', *, (Tensor, Tensor)? out=None) -> (Tensor eigenvalues, Tensor eigenvectors)", "Eigenvalues (ascending) and eigenvectors of a Hermitian matrix, of which the triangle `UPLO` is read.", L,
        |x, p| call(&eigh_kernel::OP, &[Some(&hermitian_part(arg(x, 0)?, p.str(0), "linalg.eigh")?)], Params::new()));
    eigvalsh = row("eigvalsh(Tensor A, str UPLO='L', *, Tensor? out=None) -> Tensor", "Eigenvalues (ascending) of a Hermitian matrix.", L,
        |x, p| one(call(&eigh_kernel::OP, &[Some(&hermitian_part(arg(x, 0)?, p.str(0), "linalg.eigvalsh")?)], Params::new())?.swap_remove(0)));
    linalg_eig = row("eig(Tensor A, *, (Tensor, Tensor)? out=None) -> (Tensor eigenvalues, Tensor eigenvectors)", "Eigenvalues and eigenvectors of a square matrix, complex.", L,
        |x, _| { check_matrix(arg(x, 0)?, "linalg.eig", true)?; call(&eig_kernel::OP, x, Params::new()) });
    eigvals = row("eigvals(Tensor A, *, Tensor? out=None) -> Tensor", "Eigenvalues of a square matrix, complex.", L,
        |x, _| { check_matrix(arg(x, 0)?, "linalg.eigvals", true)?; one(call(&eig_kernel::OP, x, Params::new())?.swap_remove(0)) });
    linalg_svd = row("svd(Tensor A, bool full_matrices=True, *, str? driver=None, (Tensor, Tensor, Tensor)? out=None) -> (Tensor U, Tensor S, Tensor Vh)", "`A = U diag(S) V^H` with singular values in descending order.", L,
        |x, p| svd_of(arg(x, 0)?, p.bool(0), "linalg.svd"));
    svd = row("svd(Tensor input, bool some=True, bool compute_uv=True, *, (Tensor, Tensor, Tensor)? out=None) -> (Tensor U, Tensor S, Tensor V)", "`input = U diag(S) V^H`.", FM, |x, p| {
        let t = arg(x, 0)?;
        let mut y = svd_of(t, !p.bool(0), "linalg.svd")?;
        y[2] = h(&y[2])?;
        if !p.bool(1) {
            let square = |n: i64| { let s: Dims = t.sizes()[..t.ndim() - 2].iter().copied().chain([n, n]).collect(); crate::create::zeros(&s, t.dtype(), t.device()) };
            y[0] = square(t.size(-2)?)?;
            y[2] = square(t.size(-1)?)?;
        }
        Ok(y)
    });
    svdvals = row("svdvals(Tensor A, *, str? driver=None, Tensor? out=None) -> Tensor", "Singular values in descending order.", L,
        |x, _| one(svd_of(arg(x, 0)?, false, "linalg.svdvals")?.swap_remove(1)));
    det = row("det(Tensor A, *, Tensor? out=None) -> Tensor", "The determinant of a square matrix.", L | FM, |x, _| one(determinant(arg(x, 0)?, "linalg.det")?.swap_remove(0)));
    slogdet = row("slogdet(Tensor A, *, (Tensor, Tensor)? out=None) -> (Tensor sign, Tensor logabsdet)", "The sign of the determinant and the logarithm of its modulus.", L | FM,
        |x, _| { let mut y = determinant(arg(x, 0)?, "linalg.slogdet")?; y.remove(0); Ok(y) });
    logdet = row("logdet(Tensor input) -> Tensor", "The logarithm of the determinant; NaN where that is negative.", FM, |x, _| {
        let y = determinant(arg(x, 0)?, "linalg.slogdet")?;
        if y[1].dtype().is_complex() {
            return one(add(&crate::unary::log(&y[1])?, &y[2])?);
        }
        let bad = crate::binary::eq_scalar(&y[1], -1.0)?;
        let nan = Tensor::scalar(f64::NAN.into(), y[2].dtype(), y[2].device())?;
        one(crate::ternary::where_(&bad, &nan, &y[2])?)
    });
    matrix_power = row("matrix_power(Tensor A, int n, *, Tensor? out=None) -> Tensor", "The `n`-th power of a square matrix; negative powers invert.", L | FM, |x, p| one(matrix_power(arg(x, 0)?, p.int(0))?));
    matrix_exp = row("matrix_exp(Tensor A) -> Tensor", "The exponential of a square matrix.", L | FM, |x, _| one(matrix_exp(arg(x, 0)?)?));
    householder_product = row("householder_product(Tensor A, Tensor tau, *, Tensor? out=None) -> Tensor", "The first columns of a product of Householder reflectors, as `geqrf` returns them.", L, |x, _| one(householder(arg(x, 0)?, arg(x, 1)?)?));
    orgqr = row("orgqr(Tensor input, Tensor input2, *, Tensor? out=None) -> Tensor", "As `linalg.householder_product`.", FM, |x, _| one(householder(arg(x, 0)?, arg(x, 1)?)?));
    ormqr = row("ormqr(Tensor input, Tensor tau, Tensor other, bool left=True, bool transpose=False, *, Tensor? out=None) -> Tensor", "`other` times a product of Householder reflectors, or its adjoint, from either side.", FM, |x, p| {
        let (a, tau, c) = (arg(x, 0)?, arg(x, 1)?, arg(x, 2)?);
        check!(a.ndim() >= 2, Runtime, "torch.ormqr: input must have at least 2 dimensions.");
        check!(c.ndim() >= 2, Runtime, "torch.ormqr: other must have at least 2 dimensions.");
        let side = if p.bool(0) { -2 } else { -1 };
        check!(c.size(side)? >= tau.size(-1)?, Runtime,
            "torch.ormqr: other.shape[{side}] must be greater than or equal to tau.shape[-1]");
        check!(c.size(side)? == a.size(-2)?, Runtime, "torch.ormqr: other.shape[{side}] must be equal to input.shape[-2]");
        check!(tau.size(-1)? <= a.size(-1)?, Runtime, "torch.ormqr: tau.shape[-1] must be equal to min(other.shape[{side}], input.shape[-1])");
        let m = a.size(-2)?;
        // All of Q: zero columns are reflectors that change nothing.
        let n = a.size(-1)?;
        let mut s = Dims::from_slice(a.sizes());
        let last = s.len() - 1;
        s[last] = (m - n).max(0);
        let wide = crate::shape::cat(&[a, &crate::create::zeros(&s, a.dtype(), a.device())?], -1)?;
        let q = householder(&narrow(&wide, -1, 0, m)?, tau)?;
        let q = if p.bool(1) { h(&q)? } else { q };
        one(if p.bool(0) { matmul(&q, c)? } else { matmul(c, &q)? })
    });
    linalg_diagonal = row("diagonal(Tensor A, *, int offset=0, int dim1=-2, int dim2=-1) -> Tensor", "The diagonal as a view.", L,
        |x, p| call(&crate::view::diagonal::OP, x, p.clone()));
}

/// The pseudoinverse from a singular value decomposition without gradient; small singular values count as zero.
fn pinv_forward(a: &Tensor, keep: &Tensor, f: &Outs) -> Result<Tensor> {
    let s = crate::ternary::where_(keep, &crate::unary::reciprocal(&f[1])?, &crate::create::zeros_like(&f[1])?)?;
    let s = crate::copy::to_dtype(&s, a.dtype())?;
    matmul(&mul(&h(&f[2])?, &unsqueeze(&s, -2)?)?, &h(&f[0])?)
}

/// `dA+` by Golub and Pereyra (1973).
fn pinv_grad(c: &flambeau_core::autograd::Vjp) -> Result<flambeau_core::op::Grads> {
    let (a, p, g) = (c.x(0)?, c.y(0)?, c.g());
    let (ph, gh) = (h(&p)?, h(g)?);
    let (m, n) = (a.size(-2)?, a.size(-1)?);
    grads!(c; 0 => if m <= n {
        let k = matmul(&gh, &p)?;
        let kph = matmul(&k, &ph)?;
        let y = sub(&kph, &h(&matmul(&p, &k)?)?)?;
        let y = sub(&y, &matmul(&matmul(&a, &p)?, &kph)?)?;
        add(&y, &matmul(&matmul(&ph, &p)?, &sub(&gh, &matmul(&k, &a)?)?)?)
    } else {
        let k = matmul(&p, &gh)?;
        let phk = matmul(&ph, &k)?;
        let y = sub(&phk, &h(&matmul(&k, &p)?)?)?;
        let y = add(&y, &matmul(&matmul(&sub(&gh, &matmul(&a, &k)?)?, &p)?, &ph)?)?;
        sub(&y, &matmul(&matmul(&phk, &p)?, &a)?)
    })
}

rows! { MORE:
    pinv_kernel = OpDef {
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, _| {
                let a = arg(x, 0)?;
                let mut s = Dims::from_slice(a.sizes());
                let n = s.len();
                s.swap(n - 1, n - 2);
                Ok(smallvec::smallvec![flambeau_core::op::Meta::new(&s, a.dtype(), a.device())])
            },
            run: |b, x, o, _| flambeau_core::autograd::no_grad(|| {
                let (a, tol) = (arg(x, 0)?.detach(), arg(x, 1)?);
                let f = call(&svd_kernel::OP, &[Some(&a)], params![false])?;
                let keep = crate::binary::gt(&f[1], &unsqueeze(&tol.detach(), -1)?)?;
                b.copy(pinv_forward(&a, &keep, &f)?.raw(), o[0].raw())
            }),
        },
        diff: flambeau_core::op::Diff::Vjp(pinv_grad),
        saves: flambeau_core::op::Saves { inputs: 1, outputs: 1, cross: false },
        samples: Some(|s| for sizes in [&[3i64, 3][..], &[3, 2], &[2, 3], &[2, 2, 3]] {
            let x = s.normal(sizes);
            // Of full rank: where singular values fall away nothing is continuous. Single precision stays real in the tests.
            let zero = Tensor::from_slice(&[0f32], &[]).expect("one number");
            s.push(vec![Some(x), Some(zero)], Params::new(), 1);
        }),
        ..row("pinv_kernel(Tensor A, Tensor tolerance) -> Tensor", "The pseudoinverse; singular values up to `tolerance` count as zero.", INTERNAL, |_, _| Ok(Outs::new()))
    };
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL, MORE];
