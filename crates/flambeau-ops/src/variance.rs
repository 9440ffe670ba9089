//! Variance and standard deviation.

use flambeau_core::autograd::Vjp;
use flambeau_core::layout::{Dims, wrap_dims};
use flambeau_core::op::{Inputs, Kind, OpDef, Params, ParamsExt};
use flambeau_core::{Error, Result, Tensor, check, params};

use crate::binary::{div_scalar, mul, mul_scalar, sub};
use crate::operand::*;
use crate::reduce::{back, count, dims_of, kept, mean, meta, vjp};
use crate::unary;
use crate::view::expand;

rows! { ROWS_ALL:
    var_mean_kernel = OpDef {
        sig: "var_mean_kernel(Tensor input, int[]? dim, bool keepdim, float correction) -> (Tensor, Tensor)",
        doc: "Variance and mean in one pass.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| {
                let x = arg(x, 0)?;
                check!(x.dtype().is_differentiable(), Runtime, "std and var only support floating point and complex dtypes");
                let m = meta(x, p, x.dtype())?;
                Ok(smallvec::smallvec![m[0].clone().with_dtype(x.dtype().to_real()), m[0].clone()])
            },
            run: |b, x, o, p| {
                let x = arg(x, 0)?;
                let mask = wrap_dims(dims_of(p, 0), x.ndim())?;
                let (mut s1, mut t1, mut s2, mut t2) = (Dims::new(), Dims::new(), Dims::new(), Dims::new());
                let var = kept(&o[0], &mask, p.bool(1), &mut s1, &mut t1);
                let mean = kept(&o[1], &mask, p.bool(1), &mut s2, &mut t2);
                b.var_mean(x.raw(), var, mean, p.float(2))
            },
        },
        diff: vjp(|c| grads!(c; 0 => var_mean_backward(c))),
        saves: X,
        samples: Some(|s| for corr in [0.0, 1.0] { let x = s.normal(&[2, 4]); s.push(vec![Some(x)], params![[1i64], true, corr], 1) }),
        ..BASE
    };
    var = OpDef { sig: "var(Tensor input, int[1]? dim=None, *, Scalar? correction=1, bool keepdim=False, Tensor? out=None) -> Tensor",
        doc: "The variance, divided by n - `correction`.",
        kind: Kind::Composite(|x, p| Ok(smallvec::smallvec![spread_of(x, p, Spread::KEYWORD)?.0])), ..BASE };
    var_unbiased = OpDef { sig: "var(Tensor input, bool unbiased=True) -> Tensor", doc: "The variance of all elements.",
        kind: Kind::Composite(|x, p| Ok(smallvec::smallvec![spread_of(x, p, Spread::ALL)?.0])), ..BASE };
    var_dim = OpDef { sig: "var(Tensor input, int[1]? dim, bool unbiased=True, bool keepdim=False, *, Tensor? out=None) -> Tensor", doc: "The variance over `dim`.",
        kind: Kind::Composite(|x, p| Ok(smallvec::smallvec![spread_of(x, p, Spread::DIM)?.0])), ..BASE };
    std = OpDef { sig: "std(Tensor input, int[1]? dim=None, *, Scalar? correction=1, bool keepdim=False, Tensor? out=None) -> Tensor",
        doc: "The standard deviation, with n - `correction` degrees of freedom.",
        kind: Kind::Composite(|x, p| Ok(smallvec::smallvec![unary::sqrt(&spread_of(x, p, Spread::KEYWORD)?.0)?])), ..BASE };
    std_unbiased = OpDef { sig: "std(Tensor input, bool unbiased=True) -> Tensor", doc: "The standard deviation of all elements.",
        kind: Kind::Composite(|x, p| Ok(smallvec::smallvec![unary::sqrt(&spread_of(x, p, Spread::ALL)?.0)?])), ..BASE };
    std_dim = OpDef { sig: "std(Tensor input, int[1]? dim, bool unbiased=True, bool keepdim=False, *, Tensor? out=None) -> Tensor", doc: "The standard deviation over `dim`.",
        kind: Kind::Composite(|x, p| Ok(smallvec::smallvec![unary::sqrt(&spread_of(x, p, Spread::DIM)?.0)?])), ..BASE };
    var_mean = OpDef { sig: "var_mean(Tensor input, int[1]? dim=None, *, Scalar? correction=1, bool keepdim=False) -> (Tensor, Tensor)", doc: "Variance and mean.", surfaces: F,
        kind: Kind::Composite(|x, p| { let (v, m) = spread_of(x, p, Spread::KEYWORD)?; Ok(smallvec::smallvec![v, m]) }), ..BASE };
    var_mean_unbiased = OpDef { sig: "var_mean(Tensor input, bool unbiased=True) -> (Tensor, Tensor)", doc: "Variance and mean of all elements.", surfaces: F,
        kind: Kind::Composite(|x, p| { let (v, m) = spread_of(x, p, Spread::ALL)?; Ok(smallvec::smallvec![v, m]) }), ..BASE };
    var_mean_dim = OpDef { sig: "var_mean(Tensor input, int[1]? dim, bool unbiased=True, bool keepdim=False) -> (Tensor, Tensor)", doc: "Variance and mean over `dim`.", surfaces: F,
        kind: Kind::Composite(|x, p| { let (v, m) = spread_of(x, p, Spread::DIM)?; Ok(smallvec::smallvec![v, m]) }), ..BASE };
    std_mean = OpDef { sig: "std_mean(Tensor input, int[1]? dim=None, *, Scalar? correction=1, bool keepdim=False) -> (Tensor, Tensor)", doc: "Standard deviation and mean.", surfaces: F,
        kind: Kind::Composite(|x, p| { let (v, m) = spread_of(x, p, Spread::KEYWORD)?; Ok(smallvec::smallvec![unary::sqrt(&v)?, m]) }), ..BASE };
    std_mean_unbiased = OpDef { sig: "std_mean(Tensor input, bool unbiased=True) -> (Tensor, Tensor)", doc: "Standard deviation and mean of all elements.", surfaces: F,
        kind: Kind::Composite(|x, p| { let (v, m) = spread_of(x, p, Spread::ALL)?; Ok(smallvec::smallvec![unary::sqrt(&v)?, m]) }), ..BASE };
    std_mean_dim = OpDef { sig: "std_mean(Tensor input, int[1]? dim, bool unbiased=True, bool keepdim=False) -> (Tensor, Tensor)", doc: "Standard deviation and mean over `dim`.", surfaces: F,
        kind: Kind::Composite(|x, p| { let (v, m) = spread_of(x, p, Spread::DIM)?; Ok(smallvec::smallvec![unary::sqrt(&v)?, m]) }), ..BASE };
}

fn var_mean_backward(c: &Vjp) -> Result<Tensor> {
    let x = c.x(0)?;
    let n = count(c)?;
    let mask = wrap_dims(dims_of(c.p, 0), x.ndim())?;
    let dims: Dims = (0..x.ndim()).filter(|&d| mask[d]).map(|d| d as i64).collect();
    let mut total: Option<Tensor> = None;
    if let Some(g) = c.grad(0) {
        let centred = if dims.is_empty() { sub(&x, &x)? } else { sub(&x, &mean(&x, &dims, true)?)? };
        let scale = 2.0 / (n - c.p.float(2)).max(0.0);
        total = Some(mul(&mul_scalar(&back(c, g)?, scale)?, &centred)?);
    }
    if let Some(g) = c.grad(1) {
        let part = expand(&div_scalar(&back(c, g)?, n)?, x.sizes())?;
        total = Some(match total {
            None => part,
            Some(t) => crate::binary::add(&t, &part)?,
        });
    }
    total.ok_or_else(|| Error::runtime("internal error: no gradient arrived at var_mean; please report"))
}

/// Where the parameters of a `var`-like overload stand.
struct Spread {
    dims: Option<usize>,
    unbiased: Option<usize>,
    correction: Option<usize>,
    keepdim: Option<usize>,
}

impl Spread {
    const KEYWORD: Spread = Spread { dims: Some(0), unbiased: None, correction: Some(1), keepdim: Some(2) };
    const ALL: Spread = Spread { dims: None, unbiased: Some(0), correction: None, keepdim: None };
    const DIM: Spread = Spread { dims: Some(0), unbiased: Some(1), correction: None, keepdim: Some(2) };
}

fn spread_of(x: Inputs, p: &Params, at: Spread) -> Result<(Tensor, Tensor)> {
    let dims = at.dims.and_then(|i| p.opt_ints(i));
    let correction = match (at.unbiased, at.correction) {
        (Some(i), _) => p.bool(i) as u8 as f64,
        (_, Some(i)) => p.opt_float(i).unwrap_or(1.0),
        _ => 1.0,
    };
    let keepdim = at.keepdim.is_some_and(|i| p.bool(i));
    let mut outs = flambeau_core::call(&var_mean_kernel::OP, &[opt(x, 0)], params![dims, keepdim, correction])?;
    let mean = outs.swap_remove(1);
    Ok((outs.swap_remove(0), mean))
}

/// Variance over `dims` with its correction, and the mean.
pub fn var_mean(x: &Tensor, dims: &[i64], correction: f64, keepdim: bool) -> Result<(Tensor, Tensor)> {
    let mut outs = flambeau_core::call(
        &var_mean_kernel::OP,
        &[Some(x)],
        params![(!dims.is_empty()).then_some(dims), keepdim, correction],
    )?;
    let mean = outs.swap_remove(1);
    Ok((outs.swap_remove(0), mean))
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
