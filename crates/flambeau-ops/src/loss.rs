//! Loss functions.

use flambeau_core::layout;
use flambeau_core::op::{Diff, Inputs, Kind, Meta, OpDef, Params, ParamsExt, Saves, surface};
use flambeau_core::{DType, Result, Tensor, bail, call1, check, params};

use crate::binary::{add, div, mul, mul_scalar, sub};
use crate::operand::*;
use crate::reduce::{mean, sum};
use crate::softmax::log_softmax;
use crate::unary::{abs, exp, log, log1p, neg};
use crate::view::reshape;

/// `mean`, `sum` or `none`; the deprecated flags override it as in PyTorch.
fn reduction(p: &Params, text: usize, size_average: usize, reduce: usize) -> Result<&str> {
    let flag = |i: usize| match p.get(i) {
        Some(flambeau_core::op::Value::Bool(b)) => Some(*b),
        _ => None,
    };
    if flag(size_average).is_some() || flag(reduce).is_some() {
        return Ok(match (flag(reduce).unwrap_or(true), flag(size_average).unwrap_or(true)) {
            (false, _) => "none",
            (true, true) => "mean",
            (true, false) => "sum",
        });
    }
    let r = match p.get(text) {
        Some(flambeau_core::op::Value::Str(s)) => &**s,
        _ => "mean",
    };
    check!(matches!(r, "mean" | "sum" | "none"), Value, "{r} is not a valid value for reduction");
    Ok(r)
}

fn reduced(t: &Tensor, how: &str) -> Result<Tensor> {
    match how {
        "mean" => mean(t, &[], false),
        "sum" => sum(t, &[], false),
        _ => Ok(t.clone()),
    }
}

/// Logits as `(n, c, s)`, targets as `(n, s)`, and the shape of the losses.
fn shaped(x: &Tensor, target: &Tensor, name: &str) -> Result<(Tensor, Tensor, Vec<i64>)> {
    let n = x.ndim();
    check!(n > 0, Runtime, "{name}: expected an input with at least one dimension");
    if n == 1 {
        check!(
            target.ndim() == 0 || target.numel() == 1 && target.ndim() == 1,
            Runtime,
            "size mismatch (got input: {}, target: {})",
            layout::fmt(x.sizes()),
            layout::fmt(target.sizes())
        );
        let t = reshape(target, &[1, 1])?;
        return Ok((reshape(x, &[1, x.numel(), 1])?, t, if target.ndim() == 0 { vec![] } else { vec![1] }));
    }
    let (b, c) = (x.sizes()[0], x.sizes()[1]);
    let batch = target.sizes().first().copied().unwrap_or(0);
    check!(batch == b, Value, "Expected input batch_size ({b}) to match target batch_size ({batch}).");
    if target.ndim() != n - 1 || target.sizes()[1..] != x.sizes()[2..] {
        let mut want = vec![b];
        want.extend_from_slice(&x.sizes()[2..]);
        check!(n != 2, Runtime, "0D or 1D target tensor expected, multi-target not supported");
        bail!(Runtime, "Expected target size {}, got {}", layout::fmt(&want), layout::fmt(target.sizes()));
    }
    let s: i64 = x.sizes()[2..].iter().product();
    Ok((reshape(x, &[b, c, s])?, reshape(target, &[b, s])?, target.sizes().to_vec()))
}

fn nll_of(logp: &Tensor, target: &Tensor, w: Option<&Tensor>, ignore: i64, how: &str) -> Result<Tensor> {
    check!(
        matches!(target.dtype(), DType::I64 | DType::U8),
        Runtime,
        "expected target dtype to be Long or Byte, but got {}",
        target.dtype().scalar_name()
    );
    let (x, t, shape) = shaped(logp, target, "nll_loss")?;
    let t = if t.dtype() == DType::I64 { t } else { t.cast_raw(DType::I64)? };
    if let Some(w) = w {
        check!(
            w.ndim() == 1 && w.numel() == x.sizes()[1],
            Runtime,
            "weight tensor should be defined either for all {} classes or no classes but got weight tensor of shape: {}",
            x.sizes()[1],
            layout::fmt(w.sizes())
        );
    }
    let losses = call1(&nll_kernel::OP, &[Some(&x), Some(&t), w], params![ignore])?;
    match how {
        "none" => reshape(&losses, &shape),
        "sum" => sum(&losses, &[], false),
        _ => {
            let total = sum(&losses, &[], false)?;
            div(&total, &target_weight(&t, w, ignore, &x)?)
        }
    }
}

/// The divisor of a mean: the weights of the targets that count.
fn target_weight(t: &Tensor, w: Option<&Tensor>, ignore: i64, x: &Tensor) -> Result<Tensor> {
    if x.device().is_meta() {
        return Tensor::empty(&[], x.dtype(), x.device());
    }
    let targets = t.to_vec::<i64>()?;
    let total = match w {
        None => targets.iter().filter(|&&c| c != ignore).count() as f64,
        Some(w) => {
            let w = w.to_vec::<f64>()?;
            targets.iter().filter(|&&c| c != ignore).map(|&c| w[c as usize]).sum()
        }
    };
    Tensor::scalar(total.into(), x.dtype(), x.device())
}

/// Cross entropy of logits with class indices, class probabilities, or (beyond PyTorch) integer class weights.
fn cross_entropy_of(
    x: &Tensor,
    target: &Tensor,
    w: Option<&Tensor>,
    ignore: i64,
    how: &str,
    smoothing: f64,
) -> Result<Tensor> {
    check!((0.0..=1.0).contains(&smoothing), Runtime, "label_smoothing must be between 0.0 and 1.0. Got: {smoothing}");
    let class = if x.ndim() <= 1 { 0 } else { 1 };
    if target.sizes() == x.sizes() && x.ndim() > 0 && (x.ndim() != 1 || target.dtype().is_float()) {
        // Integers of the input's shape are class weights in the input's dtype.
        let target = crate::copy::to_dtype(target, x.dtype())?;
        check!(ignore == -100 || ignore < 0, Runtime, "ignore_index is not supported for floating point target");
        let c = x.sizes()[class];
        let target = if smoothing > 0.0 {
            crate::binary::add_scalar(&mul_scalar(&target, 1.0 - smoothing)?, smoothing / c as f64)?
        } else {
            target
        };
        let logp = log_softmax(x, class as i64)?;
        let terms = mul(&logp, &target)?;
        let terms = match w {
            Some(w) => {
                let mut shape = vec![1; x.ndim()];
                shape[class] = c;
                mul(&terms, &reshape(w, &shape)?)?
            }
            None => terms,
        };
        return match how {
            "mean" => {
                let n = (x.numel() / c.max(1)).max(1);
                crate::binary::div_scalar(&neg(&sum(&terms, &[], false)?)?, n as f64)
            }
            "sum" => neg(&sum(&terms, &[], false)?),
            _ => neg(&sum(&terms, &[class as i64], false)?),
        };
    }
    let logp = log_softmax(x, class as i64)?;
    // Through its row, so that its node is the same as that of a direct call.
    let none = None::<bool>;
    let plain = call1(&nll_loss::OP, &[Some(&logp), Some(target), w], params![none, ignore, none, how])?;
    if smoothing == 0.0 {
        return Ok(plain);
    }
    // The uniform part: minus the (weighted) mean of all log-probabilities at targets that count.
    let c = logp.sizes()[class];
    let lp_w = match w {
        Some(w) => {
            let mut shape = vec![1; x.ndim()];
            shape[class] = c;
            mul(&logp, &reshape(w, &shape)?)?
        }
        None => logp.clone(),
    };
    let smooth = neg(&sum(&lp_w, &[class as i64], false)?)?;
    let smooth = crate::ternary::masked_fill(&smooth, &crate::binary::eq_scalar(target, ignore as f64)?, 0.0)?;
    let smooth = match how {
        "none" => smooth,
        "sum" => sum(&smooth, &[], false)?,
        _ => div(&sum(&smooth, &[], false)?, &target_weight(target, w, ignore, &logp)?)?,
    };
    add(&mul_scalar(&plain, 1.0 - smoothing)?, &mul_scalar(&smooth, smoothing / c as f64)?)
}

/// A row of pointwise losses: `sig` ends in size_average, reduce, reduction.
const fn pointwise(sig: &'static str, doc: &'static str, f: flambeau_core::op::Compose) -> OpDef {
    OpDef { sig, doc, surfaces: surface::NN, kind: Kind::Composite(f), ..BASE }
}

fn pair(x: Inputs) -> Result<(Tensor, Tensor)> {
    let (a, b) = (arg(x, 0)?, arg(x, 1)?);
    let sizes = layout::broadcast(a.sizes(), b.sizes())?;
    let d = result_type_of(a, b)?;
    let fit = |t: &Tensor| {
        let t = crate::copy::to_dtype(t, d)?;
        if t.sizes() == sizes.as_slice() { Ok(t) } else { crate::view::expand(&t, &sizes) }
    };
    Ok((fit(a)?, fit(b)?))
}

fn weighted(losses: Tensor, w: Option<&Tensor>, how: &str, share: bool) -> Result<Tensor> {
    let Some(w) = w else { return reduced(&losses, how) };
    let y = mul(&losses, w)?;
    if how == "mean" && share {
        return div(&sum(&y, &[], false)?, &sum(&crate::view::expand(w, losses.sizes())?, &[], false)?);
    }
    reduced(&y, how)
}

fn close_samples(s: &mut flambeau_core::op::Samples, extra: Params) {
    let (a, b) = (s.uniform(&[2, 3], -2.0, 2.0), s.uniform(&[2, 3], -2.0, 2.0));
    s.push(vec![Some(a), Some(b)], extra, 3);
}

rows! { ROWS_ALL:
    nll_kernel = OpDef {
        sig: "nll_kernel(Tensor logp, Tensor target, Tensor? weight, int ignore_index) -> Tensor",
        doc: "Minus the (weighted) log-probability of each target.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, _| { let (lp, t) = (arg(x, 0)?, arg(x, 1)?); Ok(smallvec::smallvec![Meta::new(t.sizes(), lp.dtype(), lp.device())]) },
            run: |b, x, o, p| {
                let w = opt(x, 2).map(|w| w.packed(o[0].dtype())).transpose()?;
                b.nll(arg(x, 0)?.raw(), arg(x, 1)?.raw(), w.as_ref().map(|w| w.raw()), p.int(0), o[0].raw())
            },
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => {
            let w = c.opt_x(2)?;
            call1(&nll_backward::OP, &[Some(c.g()), Some(&c.x(1)?), w.as_ref()], params![c.p.int(0), &c.meta(0).sizes])
        })),
        saves: Saves { inputs: 6, outputs: 0, cross: false },
        samples: Some(|s| {
            let (x, t, w) = (s.normal(&[3, 4, 2]), s.ints(&[3, 2], 0, 4), s.uniform(&[4], 0.5, 1.5));
            s.push(vec![Some(x.clone()), Some(t.clone()), Some(w)], params![-100], 1);
            s.push(vec![Some(x), Some(t), None], params![1], 1);
        }),
        ..BASE
    };
    nll_backward = OpDef {
        sig: "nll_backward(Tensor grad, Tensor target, Tensor? weight, int ignore_index, int[] sizes) -> Tensor",
        doc: "The gradient at each target's log-probability, zeros elsewhere.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| { let g = arg(x, 0)?; Ok(smallvec::smallvec![Meta::new(p.ints(1), g.dtype(), g.device())]) },
            run: |b, x, o, p| {
                let w = opt(x, 2).map(|w| w.packed(o[0].dtype())).transpose()?;
                b.nll_backward(arg(x, 0)?.raw(), arg(x, 1)?.raw(), w.as_ref().map(|w| w.raw()), p.int(0), o[0].raw())
            },
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => { let w = c.opt_x(2)?; call1(&nll_kernel::OP, &[Some(c.g()), Some(&c.x(1)?), w.as_ref()], params![c.p.int(0)]) })),
        saves: Saves { inputs: 6, outputs: 0, cross: false },
        samples: Some(|s| { let (g, t) = (s.normal(&[3, 2]), s.ints(&[3, 2], 0, 4)); s.push(vec![Some(g), Some(t), None], params![-100, [3i64, 4, 2]], 1) }),
        ..BASE
    };
    nll_loss = pointwise("nll_loss(Tensor input, Tensor target, Tensor? weight=None, bool? size_average=None, int ignore_index=-100, bool? reduce=None, str reduction='mean') -> Tensor",
        "Minus the log-probability of the target classes: input `(n, c, ...)`, target `(n, ...)`.",
        |x, p| {
            let (lp, t, how) = (arg(x, 0)?, arg(x, 1)?, reduction(p, 3, 0, 2)?);
            if matches!(lp.ndim(), 0 | 1 | 2 | 4) {
                return one(nll_of(lp, t, opt(x, 2), p.int(1), how)?);
            }
            // Other numbers of dimensions are pictures of as many pixels.
            shaped(lp, t, "nll_loss")?;
            let (n, c) = (lp.sizes()[0], lp.sizes()[1]);
            let pixels: i64 = lp.sizes()[2..].iter().product();
            let picture = crate::view::reshape(lp, &[n, c, 1, pixels])?;
            let targets = reshape(t, &[n, 1, pixels])?;
            let y = call1(&nll_loss::OP, &[Some(&picture), Some(&targets), opt(x, 2)], p.clone())?;
            one(if how == "none" { reshape(&y, t.sizes())? } else { y })
        });
    cross_entropy = OpDef {
        aliases: &["cross_entropy_loss"],
        samples: Some(|s| {
            let (x, t) = (s.normal(&[3, 4]), s.ints(&[3], 0, 4));
            s.push(vec![Some(x.clone()), Some(t), None], params![None::<bool>, -100, None::<bool>, "mean", 0.1], 1);
            let t = s.uniform(&[3, 4], 0.0, 1.0);
            s.push(vec![Some(x), Some(t), None], params![None::<bool>, -100, None::<bool>, "sum", 0.0], 3);
        }),
        ..pointwise("cross_entropy(Tensor input, Tensor target, Tensor? weight=None, bool? size_average=None, int ignore_index=-100, bool? reduce=None, str reduction='mean', float label_smoothing=0.0) -> Tensor",
        "Cross entropy of logits `(n, c, ...)` with class indices `(n, ...)` or class weights of the logits' own shape (integers are converted to the input's dtype).",
        |x, p| one(cross_entropy_of(arg(x, 0)?, arg(x, 1)?, opt(x, 2), p.int(1), reduction(p, 3, 0, 2)?, p.float(4))?))
    };
    mse_loss = OpDef { samples: Some(|s| close_samples(s, params![None::<bool>, None::<bool>, "mean"])), ..pointwise("mse_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str reduction='mean', Tensor? weight=None) -> Tensor", "The squared difference.",
        |x, p| { let (a, b) = pair(x)?; let d = sub(&a, &b)?; one(weighted(mul(&d, &d)?, opt(x, 2), reduction(p, 2, 0, 1)?, true)?) }) };
    l1_loss = pointwise("l1_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str reduction='mean', Tensor? weight=None) -> Tensor", "The absolute difference.",
        |x, p| { let (a, b) = pair(x)?; one(weighted(abs(&sub(&a, &b)?)?, opt(x, 2), reduction(p, 2, 0, 1)?, true)?) });
    smooth_l1_loss = OpDef { samples: Some(|s| close_samples(s, params![None::<bool>, None::<bool>, "mean", 0.7])), ..pointwise("smooth_l1_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str reduction='mean', float beta=1.0) -> Tensor",
        "Squared below `beta`, absolute above (Girshick, 2015).", |x, p| {
            let (a, b) = pair(x)?;
            let beta = p.float(3);
            check!(beta >= 0.0, Runtime, "smooth_l1_loss does not support negative values for beta.");
            let d = abs(&sub(&a, &b)?)?;
            let l = if beta == 0.0 { d } else {
                let small = mul_scalar(&mul(&d, &d)?, 0.5 / beta)?;
                let large = crate::binary::add_scalar(&d, -0.5 * beta)?;
                crate::compare::paired(&crate::ternary::where_(&crate::binary::lt_scalar(&d, beta)?, &small, &large)?, &a, &b)?
            };
            one(reduced(&l, reduction(p, 2, 0, 1)?)?)
        }) };
    huber_loss = pointwise("huber_loss(Tensor input, Tensor target, str reduction='mean', float delta=1.0, Tensor? weight=None) -> Tensor",
        "Squared below `delta`, linear above (Huber, 1964).", |x, p| {
            let (a, b) = pair(x)?;
            let delta = p.float(1);
            check!(delta > 0.0, Runtime, "huber_loss does not support non-positive values for delta.");
            let d = abs(&sub(&a, &b)?)?;
            let small = mul_scalar(&mul(&d, &d)?, 0.5)?;
            let large = mul_scalar(&crate::binary::add_scalar(&d, -0.5 * delta)?, delta)?;
            let l = crate::compare::copied(&crate::ternary::where_(&crate::binary::le_scalar(&d, delta)?, &small, &large)?, &a)?;
            one(weighted(l, opt(x, 2), reduction(p, 0, 9, 9)?, true)?)
        });
    binary_cross_entropy = pointwise("binary_cross_entropy(Tensor input, Tensor target, Tensor? weight=None, bool? size_average=None, bool? reduce=None, str reduction='mean') -> Tensor",
        "Cross entropy of probabilities with targets in `[0, 1]`; logarithms are clamped at -100.", |x, p| {
            let (a, t) = (arg(x, 0)?, arg(x, 1)?);
            if a.sizes() != t.sizes() {
                bail!(Value, "Using a target size (torch.Size({})) that is different to the input size (torch.Size({})) is deprecated. Please ensure they have the same size.", layout::fmt(t.sizes()), layout::fmt(a.sizes()));
            }
            if !a.device().is_meta() && a.numel() > 0 {
                let low = crate::reduce::any_all(&crate::binary::lt_scalar(&a.detach(), 0.0)?, true)?.item()?.to_bool();
                let high = crate::reduce::any_all(&crate::binary::gt_scalar(&a.detach(), 1.0)?, true)?.item()?.to_bool();
                check!(!low && !high, Runtime, "all elements of input should be between 0 and 1");
            }
            let clamp = |t: Tensor| call1(&crate::ternary::clamp_below::OP, &[Some(&t), Some(&Tensor::wrapped((-100.0).into())?)], Params::new());
            let l1 = clamp(log(a)?)?;
            let l0 = clamp(log1p(&neg(a)?)?)?;
            let l = sub(&mul(&crate::binary::add_scalar(t, -1.0)?, &l0)?, &mul(t, &l1)?)?;
            let l = crate::compare::copied(&l, a)?;
            one(weighted(l, opt(x, 2), reduction(p, 2, 0, 1)?, false)?)
        });
    binary_cross_entropy_with_logits = pointwise("binary_cross_entropy_with_logits(Tensor input, Tensor target, Tensor? weight=None, bool? size_average=None, bool? reduce=None, str reduction='mean', Tensor? pos_weight=None) -> Tensor",
        "Binary cross entropy of logits, computed without overflow.", |x, p| {
            let (a, t) = (arg(x, 0)?, arg(x, 1)?);
            check!(a.sizes() == t.sizes(), Value, "Target size (torch.Size({})) must be the same as input size (torch.Size({}))", layout::fmt(t.sizes()), layout::fmt(a.sizes()));
            let rest = crate::binary::sub(&Tensor::wrapped(1.0.into())?, t)?;
            // log(sigmoid(x)) = min(x, 0) - log(1 + exp(-|x|))
            let ls = call1(&crate::activation::logsigmoid::OP, &[Some(a)], Params::new())?;
            let l = match opt(x, 3) {
                Some(pw) => {
                    let k = crate::binary::add_scalar(&mul(&crate::binary::add_scalar(pw, -1.0)?, t)?, 1.0)?;
                    sub(&mul(&rest, a)?, &mul(&k, &ls)?)?
                }
                None => sub(&mul(&rest, a)?, &ls)?,
            };
            let l = crate::compare::copied(&l, a)?;
            one(weighted(l, opt(x, 2), reduction(p, 2, 0, 1)?, false)?)
        });
    kl_div = pointwise("kl_div(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str reduction='mean', bool log_target=False) -> Tensor",
        "The Kullback-Leibler divergence: input is log-probabilities, target probabilities (or their logarithms).", |x, p| {
            let (a, t) = (arg(x, 0)?, arg(x, 1)?);
            let l = if p.bool(3) { mul(&exp(t)?, &sub(t, a)?)? } else {
                sub(&call1(&crate::binary::xlogy::OP, &[Some(t), Some(t)], Params::new())?, &mul(t, a)?)?
            };
            let how = match p.get(2) { Some(flambeau_core::op::Value::Str(s)) if &**s == "batchmean" => "batchmean", _ => reduction(p, 2, 0, 1)? };
            one(match how {
                // Divided in Python there: with a place for the number.
                "batchmean" => {
                    let n = Tensor::wrapped((a.sizes().first().copied().unwrap_or(1).max(1) as f64).into())?;
                    call1(&crate::binary::true_div::OP, &[Some(&sum(&l, &[], false)?), Some(&n)], Params::new())?
                }
                how => reduced(&l, how)?,
            })
        });
}

/// Cross entropy of logits `(n, c)` with class indices `(n)`, averaged.
pub fn cross_entropy(x: &Tensor, target: &Tensor) -> Result<Tensor> {
    cross_entropy_of(x, target, None, -100, "mean", 0.0)
}

/// The mean negative log likelihood of class indices.
pub fn nll_loss(x: &Tensor, target: &Tensor) -> Result<Tensor> {
    nll_of(x, target, None, -100, "mean")
}

/// The mean squared difference.
pub fn mse_loss(x: &Tensor, target: &Tensor) -> Result<Tensor> {
    call1(&mse_loss::OP, &[Some(x), Some(target)], Params::new())
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
