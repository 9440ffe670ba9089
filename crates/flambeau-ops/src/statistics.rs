//! Order statistics, covariance, differences and integrals, written in other operations.

use flambeau_core::layout::{Dims, wrap_dim};
use flambeau_core::op::{Kind, OpDef, Outs, Params, ParamsExt};
use flambeau_core::{DType, Result, Scalar, Tensor, call, call1, check, params};

use crate::binary::{add, div, div_scalar, mul, mul_scalar, sub};
use crate::operand::*;
use crate::reduce::sum;
use crate::unary::{isnan, logical_not};
use crate::view::{narrow, reshape, select, squeeze, unsqueeze};

/// Values and positions in ascending order along `dim`; NaN last.
fn sorted(x: &Tensor, dim: i64) -> Result<(Tensor, Tensor)> {
    let mut y = call(&crate::order::sort::OP, &[Some(x)], params![dim, false, true])?;
    let at = y.swap_remove(1);
    Ok((y.swap_remove(0), at))
}

/// One position (a tensor with size 1 along `dim`) of sorted values and of their indices.
fn picked(x: &Tensor, dim: i64, place: &Tensor, keepdim: bool) -> Result<Outs> {
    let (values, at) = sorted(x, dim)?;
    let outs = [crate::index::gather(&values, dim, place)?, crate::index::gather(&at, dim, place)?];
    outs.into_iter().map(|t| if keepdim { Ok(t) } else { squeeze(&t, dim) }).collect()
}

fn kthvalue(x: &Tensor, k: i64, dim: i64, keepdim: bool) -> Result<Outs> {
    let d = wrap_dim(dim, x.ndim())? as i64;
    if x.ndim() == 0 {
        check!(k == 1, Runtime, "kthvalue(): selected number k out of range for dimension 0");
        return Ok(Outs::from_iter([crate::copy::clone(x)?, crate::create::zeros(&[], DType::I64, x.device())?]));
    }
    let n = x.size(d)?;
    check!(k >= 1 && k <= n, Runtime, "kthvalue(): selected number k out of range for dimension {d}");
    let (values, at) = sorted(x, d)?;
    let outs = [narrow(&values, d, k - 1, 1)?, narrow(&at, d, k - 1, 1)?];
    outs.into_iter().map(|t| crate::copy::contiguous_copy(&if keepdim { t } else { squeeze(&t, d)? })).collect()
}

/// Where the (lower) median stands among sorted values: NaN counts as the largest, or not at all.
fn median_place(x: &Tensor, dim: i64, skip_nan: bool) -> Result<Tensor> {
    flambeau_core::autograd::no_grad(|| {
        let n = x.size(dim)?;
        let bad = sum(&crate::copy::to_dtype(&isnan(&x.detach())?, DType::I64)?, &[dim], true)?;
        let count = sub(&Tensor::wrapped(Scalar::Int(n))?, &bad)?;
        let one = Tensor::wrapped(Scalar::Int(1))?;
        let low = Tensor::wrapped(Scalar::Int(0))?;
        let half = |t: &Tensor| crate::binary::floor_divide(&sub(t, &one)?, &Tensor::wrapped(Scalar::Int(2))?);
        let middle = call1(&crate::ternary::clamp_below::OP, &[Some(&half(&count)?), Some(&low)], Params::new())?;
        if skip_nan {
            return Ok(middle);
        }
        // Any NaN is the answer: the first of them in sorted order.
        let plain = crate::binary::eq_scalar(&bad, 0.0)?;
        crate::ternary::where_(&plain, &middle, &count)
    })
}

fn median(x: &Tensor, dim: i64, keepdim: bool, skip_nan: bool) -> Result<Outs> {
    check!(!x.dtype().is_complex(), Runtime, "median() does not support complex input");
    let d = wrap_dim(dim, x.ndim())? as i64;
    if x.ndim() == 0 {
        return Ok(Outs::from_iter([crate::copy::clone(x)?, crate::create::zeros(&[], DType::I64, x.device())?]));
    }
    check!(x.size(d)? > 0, Index, "median(): Expected reduction dim {d} to have non-zero size.");
    picked(x, d, &median_place(x, d, skip_nan)?, keepdim)
}

fn median_of_all(x: &Tensor, skip_nan: bool) -> Result<Outs> {
    let flat = reshape(x, &[-1])?;
    if flat.numel() == 0 {
        return one(crate::create::full(&[], Scalar::Float(f64::NAN), x.dtype(), x.device())?);
    }
    one(median(&flat, 0, false, skip_nan)?.swap_remove(0))
}

/// Quantiles `q` (one number or a vector) along a dimension, or of all elements.
fn quantile(x: &Tensor, q: &Tensor, dim: Option<i64>, keepdim: bool, how: &str, skip_nan: bool) -> Result<Tensor> {
    let name = if skip_nan { "nanquantile" } else { "quantile" };
    check!(
        matches!(x.dtype(), DType::F32 | DType::F64),
        Runtime,
        "{name}() input tensor must be either float or double dtype"
    );
    check!(q.ndim() <= 1, Runtime, "{name}() q must be a scalar or 1D tensor");
    check!(
        matches!(how, "linear" | "lower" | "higher" | "midpoint" | "nearest"),
        Runtime,
        "{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {how}"
    );
    check!(
        q.is_wrapped() || q.dtype() == x.dtype(),
        Runtime,
        "{name}() q tensor must be same dtype as the input tensor"
    );
    let qs = q.to_vec::<f64>()?;
    check!(qs.iter().all(|q| (0.0..=1.0).contains(q)), Runtime, "{name}() q values must be in the range [0, 1]");
    let rank = x.ndim();
    let (x, d) = match dim {
        Some(d) if rank > 0 => (crate::view::transpose(x, d, -1)?, Some(wrap_dim(d, rank)?)),
        Some(d) => {
            wrap_dim(d, 0)?;
            (reshape(x, &[1])?, None)
        }
        None => (reshape(x, &[-1])?, None),
    };
    let n = x.size(-1)?;
    check!(n > 0, Runtime, "{name}() input tensor must be non-empty");
    let (values, _) = sorted(&x, -1)?;
    let bad = flambeau_core::autograd::no_grad(|| {
        sum(&crate::copy::to_dtype(&isnan(&x.detach())?, x.dtype())?, &[-1], true)
    })?;
    let mut parts = Vec::new();
    for (i, _) in qs.iter().enumerate() {
        let q = select(&reshape(q, &[-1])?, 0, i as i64)?;
        let q = crate::copy::to_dtype(&q, x.dtype())?;
        let last = flambeau_core::autograd::no_grad(|| -> Result<_> {
            let count = sub(&Tensor::wrapped((n as f64).into())?, &bad)?;
            crate::ternary::clamp(&crate::binary::add_scalar(&count, -1.0)?, 0.0, f64::INFINITY)
        })?;
        let (low, high, weight) = {
            // Without skipping, a row with NaN is NaN: the last of its sorted values.
            let mut at = mul(&last, &q)?;
            if !skip_nan {
                let plain = crate::binary::eq_scalar(&bad, 0.0)?;
                at = crate::ternary::where_(&plain, &at, &Tensor::wrapped(((n - 1) as f64).into())?)?;
            }
            at = match how {
                "lower" => crate::unary::floor(&at)?,
                "higher" => crate::unary::ceil(&at)?,
                "nearest" => crate::unary::round(&at)?,
                _ => at,
            };
            let low = crate::unary::floor(&at)?;
            let weight = if how == "midpoint" {
                mul_scalar(&crate::copy::to_dtype(&crate::binary::ne(&at, &low)?, x.dtype())?, 0.5)?
            } else {
                sub(&at, &low)?
            };
            let high = crate::unary::ceil(&at)?;
            (
                crate::copy::to_dtype(&low.detach(), DType::I64)?,
                crate::copy::to_dtype(&high.detach(), DType::I64)?,
                weight,
            )
        };
        let (a, b) = (crate::index::gather(&values, -1, &low)?, crate::index::gather(&values, -1, &high)?);
        parts.push(crate::ternary::lerp(&a, &b, &weight)?);
    }
    // Quantiles first, then the dimensions of the input.
    let y = crate::shape::stack(&parts.iter().collect::<Vec<_>>(), 0)?;
    let y = match (d, keepdim) {
        (Some(d), _) => {
            let y = crate::view::transpose(&y, d as i64 + 1, -1)?;
            if keepdim { y } else { squeeze(&y, d as i64 + 1)? }
        }
        (None, true) => {
            let mut sizes = vec![qs.len() as i64];
            sizes.resize(rank + 1, 1);
            reshape(&y, &sizes)?
        }
        (None, false) => squeeze(&y, -1)?,
    };
    crate::copy::row_major(&if q.ndim() == 0 { select(&y, 0, 0)? } else { y })
}

/// Covariance of the rows of a matrix (or of one vector).
fn cov(x: &Tensor, correction: i64, frequencies: Option<&Tensor>, weights: Option<&Tensor>) -> Result<Tensor> {
    check!(
        x.ndim() <= 2,
        Runtime,
        "cov(): expected input to have two or fewer dimensions but got an input with {} dimensions",
        x.ndim()
    );
    check!(x.dtype() != DType::Bool, Runtime, "cov(): bool dtype is not supported for input");
    let observations = if x.ndim() < 2 { x.numel() } else { x.sizes()[1] };
    for (w, what) in [(frequencies, "fweights"), (weights, "aweights")] {
        let Some(w) = w else { continue };
        check!(
            w.ndim() <= 1,
            Runtime,
            "cov(): expected {what} to have one or fewer dimensions but got {what} with {} dimensions",
            w.ndim()
        );
        let (fits, kind) = if what == "fweights" {
            (w.dtype().is_int(), "integral")
        } else {
            (w.dtype().is_float(), "floating point")
        };
        check!(
            fits,
            Runtime,
            "cov(): expected {what} to have {kind} dtype but got {what} with {} dtype",
            w.dtype().scalar_name()
        );
        check!(
            w.numel() == observations,
            Runtime,
            "cov(): expected {what} to have the same numel as there are observations in the input but got {} != {observations}",
            w.numel()
        );
        check!(
            w.device().is_meta() || w.to_vec::<f64>()?.iter().all(|&v| v >= 0.0),
            Runtime,
            "cov(): {what} cannot be negative"
        );
    }
    let rows = if x.ndim() < 2 { reshape(x, &[1, -1])? } else { x.clone() };
    let rows = if rows.dtype().is_differentiable() {
        rows
    } else {
        crate::copy::to_dtype(&rows, flambeau_core::default_dtype())?
    };
    let n = rows.size(1)?;
    let w = match (frequencies, weights) {
        (None, None) => None,
        (Some(f), None) => Some(crate::copy::to_dtype(f, rows.dtype().to_real())?),
        (None, Some(a)) => Some(a.clone()),
        (Some(f), Some(a)) => Some(mul(f, a)?),
    };
    let (mean, total) = match &w {
        None => {
            let total = Tensor::scalar((n as f64).into(), rows.dtype().to_real(), rows.device())?;
            (unsqueeze(&div(&sum(&rows, &[1], false)?, &total)?, 1)?, total)
        }
        Some(w) => {
            let total = sum(w, &[], false)?;
            (unsqueeze(&div(&sum(&mul(&rows, w)?, &[1], false)?, &total)?, 1)?, total)
        }
    };
    let free = match (&w, weights) {
        (Some(w), Some(a)) if correction != 0 => {
            sub(&total, &div(&mul_scalar(&sum(&mul(w, a)?, &[], false)?, correction as f64)?, &total)?)?
        }
        _ => crate::binary::add_scalar(&total, -correction as f64)?,
    };
    let free = crate::ternary::clamp(&free, 0.0, f64::INFINITY)?;
    let centred = sub(&rows, &mean)?;
    let scaled = match &w {
        Some(w) => mul(&centred, w)?,
        None => centred.clone(),
    };
    let turned = call1(&crate::view::t::OP, &[Some(&centred)], params![])?;
    let y = crate::matmul::matmul(&scaled, &crate::copy::conj(&turned)?)?;
    // One row has a variance, not a matrix.
    call1(&crate::view::squeeze::OP, &[Some(&div(&y, &free)?)], params![])
}

fn corrcoef(x: &Tensor) -> Result<Tensor> {
    check!(
        x.ndim() <= 2,
        Runtime,
        "corrcoef(): expected input to have two or fewer dimensions but got an input with {} dimensions",
        x.ndim()
    );
    let c = cov(x, 1, None, None)?;
    if c.ndim() == 0 {
        return div(&c, &c);
    }
    let d = crate::copy::real(&call1(&crate::view::diagonal::OP, &[Some(&c)], params![0, 0, 1])?)?;
    let s = crate::unary::sqrt(&d)?;
    let y = div(&div(&c, &crate::view::view(&s, &[-1, 1])?)?, &crate::view::view(&s, &[1, -1])?)?;
    if y.dtype().is_complex() { Ok(y) } else { crate::ternary::clamp(&y, -1.0, 1.0) }
}

fn diff(x: &Tensor, n: i64, dim: i64, before: Option<&Tensor>, after: Option<&Tensor>) -> Result<Tensor> {
    check!(x.ndim() > 0, Runtime, "diff expects input to be at least one-dimensional");
    check!(n >= 0, Runtime, "order must be non-negative but got {n}");
    let d = wrap_dim(dim, x.ndim())? as i64;
    if n == 0 {
        return crate::copy::clone(x);
    }
    let parts: Vec<&Tensor> = before.into_iter().chain([x]).chain(after).collect();
    let mut y = if parts.len() > 1 { crate::shape::cat(&parts, d)? } else { x.clone() };
    for _ in 0..n.min(y.size(d)?) {
        let k = y.size(d)?;
        if k == 0 {
            break;
        }
        let (a, b) = (narrow(&y, d, 1, k - 1)?, narrow(&y, d, 0, k - 1)?);
        y = if y.dtype() == DType::Bool { crate::binary::logical_xor(&a, &b)? } else { sub(&a, &b)? };
    }
    Ok(y)
}

/// Areas between neighbouring points along `dim`, at distances `dx` or between the points `x`.
fn areas(y: &Tensor, x: Option<&Tensor>, dx: f64, dim: i64) -> Result<(Tensor, i64)> {
    check!(y.ndim() > 0, Index, "Dimension specified as {dim} but tensor has no dimensions");
    check!(y.dtype() != DType::Bool, Runtime, "trapezoid: received a bool input for `y`, but bool is not supported");
    let d = wrap_dim(dim, y.ndim())? as i64;
    let n = y.size(d)?;
    if n == 0 {
        return Ok((y.clone(), d));
    }
    let pairs = add(&narrow(y, d, 0, n - 1)?, &narrow(y, d, 1, n - 1)?)?;
    let Some(x) = x else { return Ok((mul_scalar(&pairs, dx / 2.0)?, d)) };
    let gaps = if x.ndim() == 1 {
        check!(x.numel() == n, Runtime, "trapezoid: There must be one `x` value for each sample point");
        let mut shape = Dims::from_elem(1, y.ndim());
        shape[d as usize] = n - 1;
        reshape(&diff(x, 1, 0, None, None)?, &shape)?
    } else {
        // Missing leading dimensions are of size one.
        let mut shape = vec![1; y.ndim().saturating_sub(x.ndim())];
        shape.extend_from_slice(x.sizes());
        let x = if x.ndim() < y.ndim() { reshape(x, &shape)? } else { x.clone() };
        diff(&x, 1, d, None, None)?
    };
    Ok((mul(&pairs, &gaps)?, d))
}

fn trapezoid(y: &Tensor, x: Option<&Tensor>, dx: f64, dim: i64) -> Result<Outs> {
    if x.is_none() && y.ndim() > 0 && y.dtype() != DType::Bool && y.size(dim)? > 0 {
        // Every point counts whole but the ends, which count half.
        let d = wrap_dim(dim, y.ndim())? as i64;
        let ends = mul_scalar(&add(&select(y, d, 0)?, &select(y, d, -1)?)?, 0.5)?;
        return one(mul_scalar(&sub(&sum(y, &[d], false)?, &ends)?, dx)?);
    }
    let (a, d) = areas(y, x, dx, dim)?;
    let total = sum(&a, &[d], false)?;
    one(if x.is_some() { div_scalar(&total, 2.0)? } else { total })
}

fn cumulative(y: &Tensor, x: Option<&Tensor>, dx: f64, dim: i64) -> Result<Outs> {
    let (a, d) = areas(y, x, dx, dim)?;
    let total = crate::order::cumsum(&a, d)?;
    one(if x.is_some() { div_scalar(&total, 2.0)? } else { total })
}

const fn row(sig: &'static str, doc: &'static str, f: flambeau_core::op::Compose) -> OpDef {
    OpDef { sig, doc, kind: Kind::Composite(f), ..BASE }
}

fn matrix(s: &mut flambeau_core::op::Samples, p: Params) {
    let x = s.normal(&[3, 4]);
    s.push(vec![Some(x)], p, 1);
}

rows! { ROWS_ALL:
    median = OpDef { samples: Some(|s| matrix(s, params![])), ..row("median(Tensor input) -> Tensor", "The (lower) median of all elements; NaN if any is.", |x, _| median_of_all(arg(x, 0)?, false)) };
    median_dim = OpDef {
        samples: Some(|s| for d in [0, 1] { matrix(s, params![d, d == 0]) }),
        ..row("median(Tensor input, int dim, bool keepdim=False, *, (Tensor, Tensor)? out=None) -> (Tensor values, Tensor indices)", "The (lower) median along `dim` and its position; NaN if any element is.",
            |x, p| median(arg(x, 0)?, p.int(0), p.bool(1), false))
    };
    nanmedian = OpDef { samples: Some(|s| matrix(s, params![])), ..row("nanmedian(Tensor input) -> Tensor", "The (lower) median of all elements that are not NaN.", |x, _| median_of_all(arg(x, 0)?, true)) };
    nanmedian_dim = OpDef {
        samples: Some(|s| for d in [0, 1] { matrix(s, params![d, d == 0]) }),
        ..row("nanmedian(Tensor input, int dim, bool keepdim=False, *, (Tensor, Tensor)? out=None) -> (Tensor values, Tensor indices)", "The (lower) median along `dim`, ignoring NaN, and its position.",
            |x, p| median(arg(x, 0)?, p.int(0), p.bool(1), true))
    };
    kthvalue = OpDef {
        samples: Some(|s| for k in [1, 3] { matrix(s, params![k, 1, k == 1]) }),
        ..row("kthvalue(Tensor input, int k, int dim=-1, bool keepdim=False, *, (Tensor, Tensor)? out=None) -> (Tensor values, Tensor indices)", "The `k`-th smallest element along `dim` and its position.",
            |x, p| kthvalue(arg(x, 0)?, p.int(0), p.int(1), p.bool(2)))
    };
    msort = OpDef {
        samples: Some(|s| matrix(s, params![])),
        ..row("msort(Tensor input, *, Tensor? out=None) -> Tensor", "Sorted along the first dimension.", |x, _| one(sorted(arg(x, 0)?, 0)?.0))
    };
    quantile = OpDef {
        samples: Some(|s| for how in ["linear", "lower", "higher", "midpoint", "nearest"] {
            let (x, q) = (s.normal(&[3, 4]), s.uniform(&[2], 0.1, 0.9));
            s.push(vec![Some(x), Some(q)], params![1, false, how], 1);
        }),
        ..row("quantile(Tensor input, Tensor|Scalar q, int? dim=None, bool keepdim=False, *, str interpolation='linear', Tensor? out=None) -> Tensor", "Quantiles along `dim` (of all elements by default); NaN if any element is.",
            |x, p| one(quantile(arg(x, 0)?, arg(x, 1)?, p.opt_int(0), p.bool(1), p.str(2), false)?))
    };
    nanquantile = OpDef {
        samples: Some(|s| { let (x, q) = (s.normal(&[3, 4]), s.uniform(&[2], 0.1, 0.9)); s.push(vec![Some(x), Some(q)], params![0, true, "linear"], 1) }),
        ..row("nanquantile(Tensor input, Tensor|Scalar q, int? dim=None, bool keepdim=False, *, str interpolation='linear', Tensor? out=None) -> Tensor", "Quantiles along `dim` (of all elements by default), ignoring NaN.",
            |x, p| one(quantile(arg(x, 0)?, arg(x, 1)?, p.opt_int(0), p.bool(1), p.str(2), true)?))
    };
    nanmean = OpDef {
        samples: Some(|s| matrix(s, params![[1i64], false])),
        ..row("nanmean(Tensor input, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None, Tensor? out=None) -> Tensor", "The mean of the elements that are not NaN.", |x, p| {
            let t = arg(x, 0)?;
            check!(t.dtype().is_differentiable(), Runtime,
                "nanmean(): expected input to have floating point or complex dtype but got {}", t.dtype().scalar_name());
            let q = params![p.opt_ints(0), p.bool(1)];
            let n = call1(&crate::reduce::sum::OP, &[Some(&logical_not(&isnan(&t.detach())?)?)], q)?;
            one(div(&call1(&crate::reduce::nansum::OP, &[Some(t)], p.clone())?, &n)?)
        })
    };
    cov = OpDef {
        samples: Some(|s| {
            matrix(s, params![1]);
            let (x, f, a) = (s.normal(&[2, 4]), s.ints(&[4], 1, 4), s.uniform(&[4], 0.5, 1.5));
            s.push(vec![Some(x), Some(f), Some(a)], params![1], 1);
        }),
        ..row("cov(Tensor input, *, int correction=1, Tensor? fweights=None, Tensor? aweights=None) -> Tensor", "The covariance matrix of the rows; columns may have frequencies and weights.",
            |x, p| one(cov(arg(x, 0)?, p.int(0), opt(x, 1), opt(x, 2))?))
    };
    corrcoef = OpDef { samples: Some(|s| matrix(s, params![])), ..row("corrcoef(Tensor input) -> Tensor", "The correlation matrix of the rows.", |x, _| one(corrcoef(arg(x, 0)?)?)) };
    dist = OpDef {
        samples: Some(|s| { let (a, b) = (s.normal(&[2, 3]), s.normal(&[3])); s.push(vec![Some(a), Some(b)], params![2.0], 3) }),
        ..row("dist(Tensor input, Tensor other, Scalar p=2) -> Tensor", "The p-norm of the difference.", |x, p| one(crate::reduce::norm(&sub(arg(x, 0)?, arg(x, 1)?)?, p.float(0))?))
    };
    renorm = OpDef {
        surfaces: FMI,
        samples: Some(|s| { let x = s.uniform(&[2, 3], 0.5, 2.0); s.push(vec![Some(x)], params![2.0, 0, 1.0], 1) }),
        ..row("renorm(Tensor input, Scalar p, int dim, Scalar maxnorm, *, Tensor? out=None) -> Tensor", "Slices along `dim` scaled down to a p-norm of at most `maxnorm`.", |x, p| {
            let x = arg(x, 0)?;
            check!(x.ndim() > 1, Runtime, "renorm: input needs at least 2 dimensions, got {} dimensions", x.ndim());
            check!(p.float(0) > 0.0, Runtime, "renorm: non-positive-norm not supported");
            check!(p.float(2) >= 0.0, Runtime, "renorm: expected maxnorm to be >= 0 but got {}", p.float(2));
            let d = wrap_dim(p.int(1), x.ndim())? as i64;
            let dims: Dims = (0..x.ndim() as i64).filter(|&k| k != d).collect();
            let n = call1(&crate::reduce::norm_p::OP, &[Some(x)], params![&dims, true, p.float(0)])?;
            let one_ = Tensor::wrapped(1.0.into())?;
            let shrink = div(&Tensor::wrapped(p.float(2).into())?, &crate::binary::add_scalar(&n, 1e-7)?)?;
            let factor = crate::ternary::where_(&crate::binary::gt_scalar(&n, p.float(2))?, &shrink, &one_)?;
            let y = mul(&crate::copy::contiguous(x)?, &factor)?;
            one(crate::copy::restrided(&y, &flambeau_core::layout::contiguous_strides(y.sizes()))?)
        })
    };
    diff = OpDef {
        samples: Some(|s| { matrix(s, params![2, 1]); let (x, a, b) = (s.normal(&[3, 4]), s.normal(&[1, 4]), s.normal(&[2, 4])); s.push(vec![Some(x), Some(a), Some(b)], params![1, 0], 7) }),
        ..row("diff(Tensor input, int n=1, int dim=-1, Tensor? prepend=None, Tensor? append=None, *, Tensor? out=None) -> Tensor", "Differences of neighbours along `dim`, `n` times.",
            |x, p| one(diff(arg(x, 0)?, p.int(0), p.int(1), opt(x, 1), opt(x, 2))?))
    };
    trapezoid_points = OpDef {
        aliases: &["trapz"],
        surfaces: F,
        samples: Some(|s| { let (y, x) = (s.normal(&[2, 4]), s.normal(&[4])); s.push(vec![Some(y), Some(x)], params![-1], 3) }),
        ..row("trapezoid(Tensor y, Tensor x, *, int dim=-1) -> Tensor", "The integral through points `x` along `dim` by the trapezoidal rule.", |x, p| trapezoid(arg(x, 0)?, opt(x, 1), 1.0, p.int(0)))
    };
    trapezoid = OpDef {
        aliases: &["trapz"],
        surfaces: F,
        samples: Some(|s| matrix(s, params![0.5, 0])),
        ..row("trapezoid(Tensor y, *, Scalar dx=1, int dim=-1) -> Tensor", "The integral along `dim` by the trapezoidal rule with distance `dx`.", |x, p| trapezoid(arg(x, 0)?, None, p.float(0), p.int(1)))
    };
    cumulative_points = OpDef {
        surfaces: F,
        samples: Some(|s| { let (y, x) = (s.normal(&[2, 4]), s.normal(&[4])); s.push(vec![Some(y), Some(x)], params![-1], 3) }),
        ..row("cumulative_trapezoid(Tensor y, Tensor x, *, int dim=-1) -> Tensor", "The running integral through points `x` along `dim` by the trapezoidal rule.", |x, p| cumulative(arg(x, 0)?, opt(x, 1), 1.0, p.int(0)))
    };
    cumulative_trapezoid = OpDef {
        surfaces: F,
        samples: Some(|s| matrix(s, params![0.5, 0])),
        ..row("cumulative_trapezoid(Tensor y, *, Scalar dx=1, int dim=-1) -> Tensor", "The running integral along `dim` by the trapezoidal rule with distance `dx`.", |x, p| cumulative(arg(x, 0)?, None, p.float(0), p.int(1)))
    };
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
