//! Normalisation with the statistics that it used, under PyTorch's `native_*` names.

use flambeau_core::op::{Inputs, Kind, OpDef, Outs, Params, ParamsExt};
use flambeau_core::{Result, Tensor, call, check, params};

use crate::norm::{batch_norm, layer_norm_kernel};
use crate::operand::*;
use crate::view::reshape;

/// A statistic in the dtype of the scale, or of the input where there is none.
fn kept(stat: &Tensor, weight: Option<&Tensor>, x: &Tensor) -> Result<Tensor> {
    crate::copy::to_dtype(stat, weight.unwrap_or(x).dtype())
}

fn native_layer_norm(x: Inputs, p: &Params) -> Result<Outs> {
    let (t, shape) = (arg(x, 0)?, p.ints(0));
    // The checks are layer_norm's.
    crate::norm::check_layer(t, shape, opt(x, 1), opt(x, 2))?;
    let mut y = call(&layer_norm_kernel::OP, &[Some(t), opt(x, 1), opt(x, 2)], params![shape, p.float(1)])?;
    let mut sizes = t.sizes()[..t.ndim() - shape.len()].to_vec();
    sizes.resize(t.ndim(), 1);
    for stat in y.iter_mut().skip(1) {
        *stat = kept(&reshape(&stat.detach(), &sizes)?, opt(x, 1), t)?;
    }
    Ok(y)
}

fn native_group_norm(x: Inputs, p: &Params) -> Result<Outs> {
    let (t, n, c, groups) = (arg(x, 0)?, p.int(0), p.int(1), p.int(3));
    check!(
        groups > 0 && c % groups == 0,
        Runtime,
        "Expected number of channels in input to be divisible by num_groups, but got {c} and num_groups={groups}"
    );
    let y = call(&crate::norm::group_norm::OP, &[Some(t), opt(x, 1), opt(x, 2)], params![groups, p.float(4)])?;
    // PyTorch differentiates through these statistics, unlike those of layer norm.
    let rows = if t.numel() == 0 {
        // Of nothing, but still a function of the input.
        let nothing = crate::reduce::sum(t, &[], false)?;
        crate::view::expand(&nothing, &[n * groups, 1])?
    } else {
        reshape(t, &[n * groups, -1])?
    };
    let rows = crate::copy::to_dtype(&rows, t.dtype().accumulate())?;
    let (var, mean) = crate::variance::var_mean(&rows, &[1], 0.0, false)?;
    let rstd = crate::unary::rsqrt(&crate::binary::add_scalar(&var, p.float(4))?)?;
    let stat = |s: &Tensor| kept(&reshape(s, &[n, groups])?, opt(x, 1), t);
    Ok(Outs::from_iter([y[0].clone(), stat(&mean)?, stat(&rstd)?]))
}

/// `stats`: the running mean and variance, which training updates.
fn native_batch_norm(
    x: [Option<&Tensor>; 3],
    stats: [Option<&Tensor>; 2],
    training: bool,
    momentum: f64,
    eps: f64,
) -> Result<Outs> {
    let t = arg(&x, 0)?;
    let y = batch_norm(t, stats[0], stats[1], x[1], x[2], training, Some(momentum), eps)?;
    if !training {
        let none = Tensor::empty(&[0], x[1].unwrap_or(t).dtype(), t.device())?;
        return Ok(Outs::from_iter([y, none.clone(), none]));
    }
    let used =
        call(&crate::norm::batch_norm_kernel::OP, &[Some(&t.detach()), None, None, None, None], params![true, eps])?;
    Ok(Outs::from_iter([y, kept(&used[1], x[1], t)?, kept(&used[2], x[1], t)?]))
}

rows! { ROWS_ALL:
    native_layer_norm = OpDef {
        sig: "native_layer_norm(Tensor input, int[] normalized_shape, Tensor? weight, Tensor? bias, float eps) -> (Tensor, Tensor, Tensor)",
        doc: "`layer_norm` with each row's mean and reciprocal deviation.",
        surfaces: F,
        kind: Kind::Composite(native_layer_norm),
        diff_outputs: 1,
        ..BASE
    };
    native_group_norm = OpDef {
        sig: "native_group_norm(Tensor input, Tensor? weight, Tensor? bias, int N, int C, int HxW, int group, float eps) -> (Tensor, Tensor, Tensor)",
        doc: "`group_norm` with each group's mean and reciprocal deviation.",
        surfaces: F,
        kind: Kind::Composite(native_group_norm),
        ..BASE
    };
    native_batch_norm = OpDef {
        sig: "native_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps, *, (Tensor, Tensor, Tensor)? out=None) -> (Tensor, Tensor, Tensor)",
        doc: "`batch_norm` with the batch's mean and reciprocal deviation (empty where running statistics were used).",
        surfaces: F,
        aliases: &["_native_batch_norm_legit"],
        kind: Kind::Composite(|x, p| native_batch_norm([opt(x, 0), opt(x, 1), opt(x, 2)], [opt(x, 3), opt(x, 4)], p.bool(0), p.float(1), p.float(2))),
        diff_outputs: 1,
        ..BASE
    };
    native_batch_norm_alone = OpDef {
        sig: "_native_batch_norm_legit(Tensor input, Tensor? weight, Tensor? bias, bool training, float momentum, float eps, *, (Tensor, Tensor, Tensor)? out=None) -> (Tensor, Tensor, Tensor)",
        doc: "`native_batch_norm` without running statistics.",
        surfaces: F,
        kind: Kind::Composite(|x, p| native_batch_norm([opt(x, 0), opt(x, 1), opt(x, 2)], [None, None], p.bool(0), p.float(1), p.float(2))),
        diff_outputs: 1,
        ..BASE
    };
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
