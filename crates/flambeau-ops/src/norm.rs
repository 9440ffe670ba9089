//! Normalisation layers.

use flambeau_core::autograd::Vjp;
use flambeau_core::layout::{self, Dims};
use flambeau_core::op::{Diff, Grads, Inputs, Kind, Meta, OpDef, Outs, Params, ParamsExt, Saves, surface};
use flambeau_core::{DType, Result, Tensor, call1, check, params};

use crate::binary::{add, add_scalar, mul, mul_scalar, sub};
use crate::operand::*;
use crate::reduce::{mean, sum};
use crate::unary::rsqrt;
use crate::variance::var_mean;
use crate::view::reshape;

/// Statistics of half-precision rows are kept in single precision.
fn stat(d: DType) -> DType {
    d.accumulate()
}

fn wide(t: &Tensor) -> Result<Tensor> {
    crate::copy::to_dtype(t, stat(t.dtype()))
}

fn affine(y: Tensor, w: Option<&Tensor>, b: Option<&Tensor>) -> Result<Tensor> {
    let y = match w {
        Some(w) => mul(&y, w)?,
        None => y,
    };
    match b {
        Some(b) => add(&y, b),
        None => Ok(y),
    }
}

/// `(rows, columns)` when the last dimensions `shape` are normalised.
fn rows(x: &Tensor, shape: &[i64]) -> (i64, i64) {
    let n = layout::numel(shape);
    let m = layout::numel(&x.sizes()[..x.ndim() - shape.len()]);
    (m, n)
}

fn flat(t: &Tensor) -> Result<Tensor> {
    t.packed(t.dtype())
}

fn layer_meaning(x: Inputs, p: &Params) -> Result<Outs> {
    let (t, w, b) = (arg(x, 0)?, opt(x, 1), opt(x, 2));
    let shape = p.ints(0);
    let dims: Dims = (0..shape.len() as i64).map(|i| -1 - i).collect();
    let t2 = wide(t)?;
    let (var, mu) = var_mean(&t2, &dims, 0.0, true)?;
    let rstd = rsqrt(&add_scalar(&var, p.float(1))?)?;
    let y = mul(&sub(&t2, &mu)?, &rstd)?;
    let y = crate::copy::to_dtype(&affine(y, w, b)?, t.dtype())?;
    let (m, _) = rows(t, shape);
    Ok(smallvec::smallvec![y, reshape(&mu, &[m])?, reshape(&rstd, &[m])?])
}

/// Inputs g, x, mean, rstd, weight to the gradients of x, weight and bias.
fn layer_backward_meaning(x: Inputs, p: &Params) -> Result<Outs> {
    let (g, t, w) = (arg(x, 0)?, arg(x, 1)?, opt(x, 4));
    let shape = p.ints(0);
    let (m, n) = rows(t, shape);
    let d = stat(t.dtype());
    let (g2, x2) = (reshape(&wide(g)?, &[m, n])?, reshape(&wide(t)?, &[m, n])?);
    // The statistics are functions of x here, so that second derivatives see them.
    let (var, mu) = var_mean(&x2, &[1], 0.0, true)?;
    let rstd = rsqrt(&add_scalar(&var, p.float(1))?)?;
    let xhat = mul(&sub(&x2, &mu)?, &rstd)?;
    let gw = match w {
        Some(w) => mul(&g2, &reshape(&crate::copy::to_dtype(w, d)?, &[n])?)?,
        None => g2.clone(),
    };
    let inner = sub(&sub(&gw, &mean(&gw, &[1], true)?)?, &mul(&xhat, &mean(&mul(&gw, &xhat)?, &[1], true)?)?)?;
    let gx = reshape(&mul(&inner, &rstd)?, t.sizes())?;
    let (dw, db) = (sum(&mul(&g2, &xhat)?, &[0], false)?, sum(&g2, &[0], false)?);
    let back = |t2: Tensor| crate::copy::to_dtype(&t2, t.dtype());
    Ok(smallvec::smallvec![back(gx)?, back(reshape(&dw, shape)?)?, back(reshape(&db, shape)?)?])
}

/// PyTorch's checks of layer norm's operands.
pub(crate) fn check_layer(t: &Tensor, shape: &[i64], w: Option<&Tensor>, b: Option<&Tensor>) -> Result<()> {
    check!(
        !shape.is_empty(),
        Runtime,
        "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got normalized_shape = {}",
        layout::fmt(shape)
    );
    for (v, what) in [(w, "weight"), (b, "bias")] {
        if let Some(v) = v {
            check!(
                v.sizes() == shape,
                Runtime,
                "Expected {what} to be of same shape as normalized_shape, but got {what} of shape {} and normalized_shape = {}",
                layout::fmt(v.sizes()),
                layout::fmt(shape)
            );
        }
    }
    check!(
        t.ndim() >= shape.len() && &t.sizes()[t.ndim() - shape.len()..] == shape,
        Runtime,
        "Given normalized_shape={}, expected input with shape [*, {}], but got input of size{}",
        layout::fmt(shape),
        layout::fmt(shape).trim_matches(['[', ']']),
        layout::fmt(t.sizes())
    );
    Ok(())
}

fn layer_vjp(c: &Vjp) -> Result<Grads> {
    let Some(g) = c.grad(0) else { return Ok((0..c.inputs()).map(|_| None).collect()) };
    let w = c.opt_x(1)?;
    let args = [Some(g), Some(&c.x(0)?), Some(&c.y(1)?), Some(&c.y(2)?), w.as_ref()];
    let need = c.need(0) as i64 | (c.need(1) as i64) << 1 | (c.need(2) as i64) << 2;
    let got = flambeau_core::call(&layer_norm_backward::OP, &args, params![c.p.ints(0), c.p.float(1), need])?;
    let mut out: Grads = (0..c.inputs()).map(|_| None).collect();
    for i in 0..out.len().min(3) {
        if c.need(i) {
            out[i] = Some(got[i].clone())
        }
    }
    Ok(out)
}

/// `(n, c, s)` sizes of a tensor with channels in dimension 1.
fn channels(x: &Tensor) -> [i64; 3] {
    let c = x.sizes().get(1).copied().unwrap_or(1);
    [x.sizes()[0], c, x.sizes().iter().skip(2).product()]
}

fn channel_dims(x: &Tensor) -> Dims {
    (0..x.ndim() as i64).filter(|&d| d != 1).collect()
}

/// A per-channel vector shaped to broadcast over `x`.
fn per_channel(v: &Tensor, x: &Tensor) -> Result<Tensor> {
    let mut shape = Dims::from_elem(1, x.ndim());
    shape[1] = v.numel();
    reshape(v, &shape)
}

fn batch_meaning(x: Inputs, p: &Params) -> Result<Outs> {
    let (t, w, b) = (arg(x, 0)?, opt(x, 1), opt(x, 2));
    let t2 = wide(t)?;
    let dims = channel_dims(t);
    let (mu, invstd) = if p.bool(0) {
        let (var, mu) = var_mean(&t2, &dims, 0.0, false)?;
        (mu, rsqrt(&add_scalar(&var, p.float(1))?)?)
    } else {
        (wide(arg(x, 3)?)?, rsqrt(&add_scalar(&wide(arg(x, 4)?)?, p.float(1))?)?)
    };
    let y = mul(&sub(&t2, &per_channel(&mu, t)?)?, &per_channel(&invstd, t)?)?;
    let pc = |v: Option<&Tensor>| v.map(|v| per_channel(&wide(v)?, t)).transpose();
    let (w, b) = (pc(w)?, pc(b)?);
    let y = crate::copy::to_dtype(&affine(y, w.as_ref(), b.as_ref())?, t.dtype())?;
    Ok(smallvec::smallvec![y, mu, invstd])
}

fn batch_backward_meaning(x: Inputs, p: &Params) -> Result<Outs> {
    let (g, t, w) = (arg(x, 0)?, arg(x, 1)?, opt(x, 4));
    let train = p.bool(0);
    let (g2, x2) = (wide(g)?, wide(t)?);
    let dims = channel_dims(t);
    let (mu, invstd) = if train {
        let (var, mu) = var_mean(&x2, &dims, 0.0, false)?;
        (mu, rsqrt(&add_scalar(&var, p.float(1))?)?)
    } else {
        (arg(x, 2)?.clone(), arg(x, 3)?.clone())
    };
    let inv = per_channel(&invstd, t)?;
    let xhat = mul(&sub(&x2, &per_channel(&mu, t)?)?, &inv)?;
    let gw = match w {
        Some(w) => mul(&g2, &per_channel(&wide(w)?, t)?)?,
        None => g2.clone(),
    };
    let inner = if train {
        sub(&sub(&gw, &mean(&gw, &dims, true)?)?, &mul(&xhat, &mean(&mul(&gw, &xhat)?, &dims, true)?)?)?
    } else {
        gw
    };
    let gx = crate::copy::to_dtype(&mul(&inner, &inv)?, t.dtype())?;
    let d = w.map_or(stat(t.dtype()), Tensor::dtype);
    let (dw, db) = (sum(&mul(&g2, &xhat)?, &dims, false)?, sum(&g2, &dims, false)?);
    Ok(smallvec::smallvec![gx, crate::copy::to_dtype(&dw, d)?, crate::copy::to_dtype(&db, d)?])
}

fn batch_vjp(c: &Vjp) -> Result<Grads> {
    let Some(g) = c.grad(0) else { return Ok((0..c.inputs()).map(|_| None).collect()) };
    let w = c.opt_x(1)?;
    let args = [Some(g), Some(&c.x(0)?), Some(&c.y(1)?), Some(&c.y(2)?), w.as_ref()];
    let need = c.need(0) as i64 | (c.need(1) as i64) << 1 | (c.need(2) as i64) << 2;
    let got = flambeau_core::call(&batch_norm_backward::OP, &args, params![c.p.bool(0), c.p.float(1), need])?;
    let mut out: Grads = (0..c.inputs()).map(|_| None).collect();
    for i in 0..out.len().min(3) {
        if c.need(i) {
            out[i] = Some(got[i].clone())
        }
    }
    Ok(out)
}

fn needed<'a>(p: &Params, bit: i64, t: &'a Tensor) -> Option<flambeau_core::backend::Raw<'a>> {
    (p.int(2) >> bit & 1 != 0).then(|| t.raw())
}

const LAYER: Saves = Saves { inputs: 3, outputs: 6, cross: false };
const BACK: Saves = Saves { inputs: 0b11111, outputs: 0, cross: false };

rows! { ROWS_ALL:
    layer_norm_kernel = OpDef {
        sig: "native_layer_norm_kernel(Tensor input, Tensor? weight, Tensor? bias, int[] normalized_shape, float eps) -> (Tensor, Tensor, Tensor)",
        doc: "Normalised rows, with each row's mean and reciprocal deviation (Ba et al., 2016).",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| {
                let x = arg(x, 0)?;
                let (m, _) = rows(x, p.ints(0));
                let s = Meta::new(&[m], stat(x.dtype()), x.device());
                Ok(smallvec::smallvec![Meta::new(x.sizes(), x.dtype(), x.device()), s.clone(), s])
            },
            run: |b, x, o, p| {
                let (t, w, bias) = (flat(arg(x, 0)?)?, opt(x, 1), opt(x, 2));
                let (m, n) = rows(&t, p.ints(0));
                let cast = |v: Option<&Tensor>| v.map(|v| v.packed(t.dtype())).transpose();
                let (w, bias) = (cast(w)?, cast(bias)?);
                let (sizes, strides, ns, unit) = ([m, n], [n, 1], [n], [1]);
                b.layer_norm(
                    t.raw().with_layout(&sizes, &strides),
                    w.as_ref().map(|w| w.raw().with_layout(&ns, &unit)),
                    bias.as_ref().map(|w| w.raw().with_layout(&ns, &unit)),
                    p.float(1), o[0].raw().with_layout(&sizes, &strides), o[1].raw(), o[2].raw())
            },
        },
        diff: Diff::Vjp(layer_vjp),
        saves: LAYER,
        diff_outputs: 1,
        decompose: Some(layer_meaning),
        samples: Some(|s| {
            let (x, w, b) = (s.normal(&[2, 3, 4]), s.uniform(&[4], 0.5, 1.5), s.normal(&[4]));
            s.push(vec![Some(x.clone()), Some(w), Some(b)], params![[4i64], 1e-5], 7);
            s.push(vec![Some(x), None, None], params![[3i64, 4], 1e-5], 1);
        }),
        ..BASE
    };
    layer_norm_backward = OpDef {
        sig: "layer_norm_backward(Tensor grad, Tensor input, Tensor mean, Tensor rstd, Tensor? weight, int[] normalized_shape, float eps, int need) -> (Tensor, Tensor, Tensor)",
        doc: "Gradients of layer norm for input, weight and bias.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| {
                let t = arg(x, 1)?;
                let v = Meta::new(p.ints(0), t.dtype(), t.device());
                Ok(smallvec::smallvec![Meta::new(t.sizes(), t.dtype(), t.device()), v.clone(), v])
            },
            run: |b, x, o, p| {
                let (g, t, w) = (flat(arg(x, 0)?)?, flat(arg(x, 1)?)?, opt(x, 4));
                let (m, n) = rows(&t, p.ints(0));
                let w = w.map(|w| w.packed(t.dtype())).transpose()?;
                let (sizes, strides, ns, unit) = ([m, n], [n, 1], [n], [1]);
                b.layer_norm_backward(
                    g.raw().with_layout(&sizes, &strides), t.raw().with_layout(&sizes, &strides), arg(x, 2)?.raw(), arg(x, 3)?.raw(),
                    w.as_ref().map(|w| w.raw().with_layout(&ns, &unit)),
                    needed(p, 0, &o[0]).map(|r| r.with_layout(&sizes, &strides)),
                    needed(p, 1, &o[1]).map(|r| r.with_layout(&ns, &unit)),
                    needed(p, 2, &o[2]).map(|r| r.with_layout(&ns, &unit)))
            },
        },
        diff: Diff::Decompose,
        saves: BACK,
        decompose: Some(layer_backward_meaning),
        samples: Some(|s| for scaled in [true, false] {
            let (g, x, w) = (s.normal(&[2, 3, 4]), s.normal(&[2, 3, 4]), s.uniform(&[4], 0.5, 1.5));
            let y = flambeau_core::call(&layer_norm_kernel::OP, &[Some(&x)], params![[4i64], 1e-5]).expect("fitting operands");
            // The statistics are functions of the input: gradients are checked for the others.
            s.push(vec![Some(g), Some(x), Some(y[1].clone()), Some(y[2].clone()), scaled.then_some(w)], params![[4i64], 1e-5, 7], 17);
        }),
        ..BASE
    };
    layer_norm = OpDef {
        sig: "layer_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05) -> Tensor",
        doc: "The last dimensions normalised to mean 0 and variance 1, then scaled and shifted (Ba et al., 2016).",
        surfaces: surface::NN | surface::FUNCTION,
        kind: Kind::Composite(|x, p| {
            let (t, w, b) = (arg(x, 0)?, opt(x, 1), opt(x, 2));
            let shape = p.ints(0);
            check_layer(t, shape, w, b)?;
            check!(t.dtype().is_float(), NotImplemented, "\"LayerNormKernelImpl\" not implemented for '{}'", t.dtype().scalar_name());
            one(flambeau_core::call(&layer_norm_kernel::OP, &[Some(t), w, b], params![shape, p.float(1)])?.swap_remove(0))
        }),
        ..BASE
    };
    rms_norm = OpDef {
        sig: "rms_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor",
        doc: "The last dimensions divided by their root mean square (Zhang and Sennrich, 2019).",
        surfaces: surface::NN | surface::FUNCTION,
        kind: Kind::Composite(|x, p| {
            let (t, w) = (arg(x, 0)?, opt(x, 1));
            let shape = p.ints(0);
            check!(!shape.is_empty(), Runtime,
                "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got normalized_shape = {}", layout::fmt(shape));
            check!(t.ndim() >= shape.len() && &t.sizes()[t.ndim() - shape.len()..] == shape, Runtime,
                "Given normalized_shape={}, expected input with shape [*, {}], but got input of size{}",
                layout::fmt(shape), layout::fmt(shape).trim_matches(['[', ']']), layout::fmt(t.sizes()));
            let eps = p.opt_float(1).unwrap_or(match t.dtype() { DType::F64 => f64::EPSILON, _ => f32::EPSILON as f64 });
            let dims: Dims = (0..shape.len() as i64).map(|i| -1 - i).collect();
            let t = &match Meta::suggested(t, t.sizes(), t.dtype()).strides {
                Some(order) => crate::copy::restrided(t, &order)?,
                None => crate::copy::contiguous(t)?,
            };
            let t2 = wide(t)?;
            let scale = rsqrt(&add_scalar(&mean(&crate::unary::square(&t2)?, &dims, true)?, eps)?)?;
            let y = crate::copy::to_dtype(&mul(&t2, &scale)?, t.dtype())?;
            one(affine(y, w, None)?)
        }),
        ..BASE
    };
    batch_norm_kernel = OpDef {
        sig: "batch_norm_kernel(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool train, float eps) -> (Tensor, Tensor, Tensor)",
        doc: "Channels normalised by batch or running statistics; also returns the mean and reciprocal deviation used (Ioffe and Szegedy, 2015).",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, _| {
                let x = arg(x, 0)?;
                let s = Meta::new(&[channels(x)[1]], stat(x.dtype()), x.device());
                let y = if x.numel() == 0 { Meta::copying(x) } else { Meta::suggested(x, x.sizes(), x.dtype()) };
                Ok(smallvec::smallvec![y, s.clone(), s])
            },
            run: |b, x, o, p| {
                let (t, w, bias) = (flat(arg(x, 0)?)?, opt(x, 1), opt(x, 2));
                let n = channels(&t);
                let strides = [n[1] * n[2], n[2], 1];
                let out = if o[0].is_contiguous() { o[0].clone() } else { Tensor::empty(t.sizes(), t.dtype(), t.device())? };
                let d = o[1].dtype();
                let xs = t.raw().with_layout(&n, &strides);
                if p.bool(0) {
                    let var = Tensor::empty(&[n[1]], d, t.device())?;
                    b.channel_stats(xs, o[1].raw(), var.raw())?;
                    reciprocal_deviation(&var, &o[2], p.float(1))?;
                } else {
                    b.copy(arg(x, 3)?.raw(), o[1].raw())?;
                    reciprocal_deviation(&arg(x, 4)?.packed(d)?, &o[2], p.float(1))?;
                }
                let cast = |v: Option<&Tensor>| v.map(|v| v.packed(d)).transpose();
                let (w, bias) = (cast(w)?, cast(bias)?);
                b.channel_affine(xs, o[1].raw(), o[2].raw(), w.as_ref().map(|w| w.raw()), bias.as_ref().map(|w| w.raw()),
                    out.raw().with_layout(&n, &strides))?;
                if o[0].is_contiguous() { Ok(()) } else { b.copy(out.raw(), o[0].raw()) }
            },
        },
        diff: Diff::Vjp(batch_vjp),
        saves: LAYER,
        diff_outputs: 1,
        decompose: Some(batch_meaning),
        samples: Some(|s| {
            let (x, w, b) = (s.normal(&[3, 2, 4]), s.uniform(&[2], 0.5, 1.5), s.normal(&[2]));
            let (m, v) = (s.normal(&[2]), s.uniform(&[2], 0.5, 1.5));
            s.push(vec![Some(x.clone()), Some(w.clone()), Some(b.clone()), None, None], params![true, 1e-5], 7);
            s.push(vec![Some(x), Some(w), Some(b), Some(m), Some(v)], params![false, 1e-5], 7);
        }),
        ..BASE
    };
    batch_norm_backward = OpDef {
        sig: "batch_norm_backward(Tensor grad, Tensor input, Tensor mean, Tensor invstd, Tensor? weight, bool train, float eps, int need) -> (Tensor, Tensor, Tensor)",
        doc: "Gradients of batch norm for input, weight and bias.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, _| {
                let (t, w) = (arg(x, 1)?, opt(x, 4));
                let v = Meta::new(&[channels(t)[1]], w.map_or(stat(t.dtype()), Tensor::dtype), t.device());
                Ok(smallvec::smallvec![Meta::suggested(t, t.sizes(), t.dtype()), v.clone(), v])
            },
            run: |b, x, o, p| {
                let (g, t) = (flat(arg(x, 0)?)?, flat(arg(x, 1)?)?);
                let dx = if o[0].is_contiguous() { o[0].clone() } else { Tensor::empty(t.sizes(), t.dtype(), t.device())? };
                let n = channels(&t);
                let strides = [n[1] * n[2], n[2], 1];
                let d = arg(x, 2)?.dtype();
                let w = opt(x, 4).map(|w| w.packed(d)).transpose()?;
                let direct = o[1].dtype() == d;
                let temp = |t: &Tensor| if direct { Ok(t.clone()) } else { Tensor::empty(t.sizes(), d, t.device()) };
                let (gw, gb) = (temp(&o[1])?, temp(&o[2])?);
                b.batch_norm_backward(g.raw().with_layout(&n, &strides), t.raw().with_layout(&n, &strides), arg(x, 2)?.raw(), arg(x, 3)?.raw(),
                    w.as_ref().map(|w| w.raw()), p.bool(0),
                    needed(p, 0, &dx).map(|r| r.with_layout(&n, &strides)), needed(p, 1, &gw), needed(p, 2, &gb))?;
                if p.int(2) & 1 != 0 && !o[0].is_contiguous() { b.copy(dx.raw(), o[0].raw())? }
                if !direct {
                    if p.int(2) & 2 != 0 { b.copy(gw.raw(), o[1].raw())? }
                    if p.int(2) & 4 != 0 { b.copy(gb.raw(), o[2].raw())? }
                }
                Ok(())
            },
        },
        diff: Diff::Decompose,
        saves: BACK,
        decompose: Some(batch_backward_meaning),
        samples: Some(|s| for train in [true, false] {
            let (g, x, w) = (s.normal(&[3, 2, 4]), s.normal(&[3, 2, 4]), s.uniform(&[2], 0.5, 1.5));
            let (m, v) = (s.normal(&[2]), s.uniform(&[2], 0.5, 1.5));
            let y = flambeau_core::call(&batch_norm_kernel::OP, &[Some(&x), None, None, Some(&m), Some(&v)], params![train, 1e-5]);
            let y = y.expect("fitting operands");
            let free = if train { 17 } else { 19 };
            s.push(vec![Some(g), Some(x), Some(y[1].clone()), Some(y[2].clone()), Some(w)], params![train, 1e-5, 7], free);
        }),
        ..BASE
    };
    batch_norm = OpDef {
        sig: "batch_norm(Tensor input, Tensor? running_mean, Tensor? running_var, Tensor? weight=None, Tensor? bias=None, bool training=False, float momentum=0.1, float eps=1e-05) -> Tensor",
        doc: "Channels (dimension 1) normalised by the batch's statistics when training, which update the running ones, else by the running ones.",
        surfaces: surface::NN,
        kind: Kind::Composite(|x, p| one(batch_norm(arg(x, 0)?, opt(x, 1), opt(x, 2), opt(x, 3), opt(x, 4), p.bool(0), p.opt_float(1), p.float(2))?)),
        ..BASE
    };
    instance_norm = OpDef {
        sig: "instance_norm(Tensor input, Tensor? running_mean=None, Tensor? running_var=None, Tensor? weight=None, Tensor? bias=None, bool use_input_stats=True, float momentum=0.1, float eps=1e-05) -> Tensor",
        doc: "Each channel of each instance normalised on its own (Ulyanov et al., 2016).",
        surfaces: surface::NN,
        kind: Kind::Composite(|x, p| {
            let (t, use_stats) = (arg(x, 0)?, p.bool(0));
            check!(use_stats || opt(x, 1).is_some() && opt(x, 2).is_some(), Runtime,
                "Expected running_mean and running_var to be defined when use_input_stats is false");
            check!(t.ndim() >= 2, Value, "Expected at least 2 dimensions, got {}", t.ndim());
            let (n, c) = (t.sizes()[0], t.sizes()[1]);
            if use_stats {
                let spatial: i64 = t.sizes()[2..].iter().product();
                check!(spatial != 1, Value, "Expected more than 1 spatial element when training, got input size torch.Size({})", layout::fmt(t.sizes()));
            }
            // Every instance's channel becomes a channel of one batch.
            let mut shape = Dims::from_slice(&[1, n * c]);
            shape.extend_from_slice(&t.sizes()[2..]);
            let wide = |v: Option<&Tensor>| v.map(|v| call1(&crate::shape::repeat::OP, &[Some(v)], params![[n]])).transpose();
            let (rm, rv, w, b) = (wide(opt(x, 1))?, wide(opt(x, 2))?, wide(opt(x, 3))?, wide(opt(x, 4))?);
            let y = batch_norm(&reshape(t, &shape)?, rm.as_ref(), rv.as_ref(), w.as_ref(), b.as_ref(), use_stats, Some(p.float(1)), p.float(2))?;
            if use_stats {
                for (running, repeated) in [(opt(x, 1), &rm), (opt(x, 2), &rv)] {
                    if let (Some(r), Some(new)) = (running, repeated) {
                        flambeau_core::autograd::no_grad(|| crate::copy::copy_(r, &mean(&reshape(new, &[n, c])?, &[0], false)?))?;
                    }
                }
            }
            one(reshape(&y, t.sizes())?)
        }),
        ..BASE
    };
    group_norm = OpDef {
        sig: "group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05) -> Tensor",
        doc: "Groups of channels normalised within each sample (Wu and He, 2018).",
        surfaces: surface::NN | surface::FUNCTION,
        kind: Kind::Composite(|x, p| {
            let (t, groups) = (arg(x, 0)?, p.int(0));
            check!(t.ndim() >= 2, Runtime, "Expected at least 2 dimensions for input tensor but received {}", t.ndim());
            let [n, c, s] = channels(t);
            check!(c > 0, Runtime, "Expected number of channels to be greater than 0, got {c}");
            check!(s > 0, Runtime, "Expected HxW to be greater than 0, got {s}");
            check!(groups > 0, Runtime, "Expected num groups to be greater than 0, got {groups}");
            check!(c % groups == 0, Runtime,
                "Expected number of channels in input to be divisible by num_groups, but got input of shape {} and num_groups={groups}", layout::fmt(t.sizes()));
            for (v, what) in [(opt(x, 1), "weight"), (opt(x, 2), "bias")] {
                if let Some(v) = v {
                    check!(v.ndim() == 1 && v.numel() == c, Runtime,
                        "Expected {what} to be a vector of size equal to the number of channels in input, but got {what} of shape {} and input of shape {}", layout::fmt(v.sizes()), layout::fmt(t.sizes()));
                }
            }
            let shape = [c / groups * s];
            let grouped = reshape(t, &[n * groups, shape[0]])?;
            let y = flambeau_core::call(&layer_norm_kernel::OP, &[Some(&grouped)], params![shape, p.float(1)])?.swap_remove(0);
            let y = reshape(&y, t.sizes())?;
            let pc = |v: Option<&Tensor>| v.map(|v| per_channel(v, t)).transpose();
            let (w, b) = (pc(opt(x, 1))?, pc(opt(x, 2))?);
            let y = affine(y, w.as_ref(), b.as_ref())?;
            if !layout::suggests_channels_last(t.sizes(), t.strides()) {
                return one(y);
            }
            let format = if t.ndim() == 4 { crate::copy::format::CHANNELS_LAST } else { crate::copy::format::CHANNELS_LAST_3D };
            one(call1(&crate::copy::clone::OP, &[Some(&y)], params![format])?)
        }),
        samples: Some(|s| {
            let (x, w, b) = (s.normal(&[2, 4, 3]), s.uniform(&[4], 0.5, 1.5), s.normal(&[4]));
            s.push(vec![Some(x), Some(w), Some(b)], params![2, 1e-5], 7);
        }),
        ..BASE
    };
}

/// `1 / sqrt(var + eps)`, outside any graph.
fn reciprocal_deviation(var: &Tensor, out: &Tensor, eps: f64) -> Result<()> {
    flambeau_core::autograd::no_grad(|| {
        let r = rsqrt(&add_scalar(&var.detach(), eps)?)?;
        flambeau_core::device::backend(out.device())?.copy(r.raw(), out.raw())
    })
}

/// Batch normalisation; see the row.
pub fn batch_norm(
    x: &Tensor,
    running_mean: Option<&Tensor>,
    running_var: Option<&Tensor>,
    w: Option<&Tensor>,
    b: Option<&Tensor>,
    training: bool,
    momentum: Option<f64>,
    eps: f64,
) -> Result<Tensor> {
    if x.numel() == 0 && x.ndim() == 1 {
        // PyTorch lets a batch of nothing pass.
        let of = |v: Option<&Tensor>| v.map(|v| crate::view::narrow(v, 0, 0, v.numel().min(1))).transpose();
        return affine(crate::copy::clone(x)?, of(w)?.as_ref(), of(b)?.as_ref());
    }
    check!(x.ndim() >= 2, Runtime, "batch_norm: expected at least 2D input (got {}D input)", x.ndim());
    check!(x.dtype().is_float(), NotImplemented, "\"batch_norm\" not implemented for '{}'", x.dtype().scalar_name());
    let [n, c, s] = channels(x);
    if training {
        check!(
            n * s != 1,
            Value,
            "Expected more than 1 value per channel when training, got input size torch.Size({})",
            layout::fmt(x.sizes())
        );
    } else {
        check!(
            running_mean.is_some() && running_var.is_some(),
            Runtime,
            "running_mean and running_var must be defined in evaluation mode"
        );
    }
    for (v, what) in [(running_mean, "running_mean"), (running_var, "running_var"), (w, "weight"), (b, "bias")] {
        if let Some(v) = v {
            check!(v.numel() == c, Runtime, "{what} should contain {c} elements not {}", v.numel());
        }
    }
    let stats = if training { (None, None) } else { (running_mean, running_var) };
    let mut outs =
        flambeau_core::call(&batch_norm_kernel::OP, &[Some(x), w, b, stats.0, stats.1], params![training, eps])?;
    if training
        && let (Some(rm), Some(rv)) = (running_mean, running_var)
        && !x.device().is_meta()
    {
        flambeau_core::autograd::no_grad(|| -> Result<()> {
            let k = momentum.unwrap_or(0.1);
            // The unbiased variance, recovered from 1/sqrt(var + eps).
            let inv = &outs[2];
            let var = add_scalar(&crate::unary::reciprocal(&mul(inv, inv)?)?, -eps)?;
            let m = (n * s) as f64;
            let unbiased = mul_scalar(&var, m / (m - 1.0))?;
            for (running, new) in [(rm, &outs[1]), (rv, &unbiased)] {
                let blended = add(&mul_scalar(&wide(running)?, 1.0 - k)?, &mul_scalar(&wide(new)?, k)?)?;
                crate::copy::copy_(running, &crate::copy::to_dtype(&blended, running.dtype())?)?;
            }
            Ok(())
        })?;
    }
    Ok(outs.swap_remove(0))
}

/// Layer normalisation over the last dimensions.
pub fn layer_norm(x: &Tensor, shape: &[i64], w: Option<&Tensor>, b: Option<&Tensor>, eps: f64) -> Result<Tensor> {
    call1(&layer_norm::OP, &[Some(x), w, b], params![shape, eps])
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
