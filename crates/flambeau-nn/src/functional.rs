//! Functions with the options that layers need; `torch.nn.functional`.

use flambeau_core::op::{OpDef, Params};
use flambeau_core::{Result, Tensor, call1, params};
use flambeau_ops::{activation, attention, loss, norm, pool};

pub use flambeau_ops::activation::{gelu, leaky_relu, relu, silu};
pub use flambeau_ops::attention::{dropout, sdpa as scaled_dot_product_attention};
pub use flambeau_ops::conv::{conv, conv_transpose};
pub use flambeau_ops::matmul::linear;
pub use flambeau_ops::norm::{batch_norm, layer_norm};
pub use flambeau_ops::softmax::{log_softmax, softmax};
pub use flambeau_ops::unary::{sigmoid, tanh};

/// How a loss is summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    None,
    #[default]
    Mean,
    Sum,
}

impl Reduction {
    fn name(self) -> &'static str {
        match self {
            Reduction::None => "none",
            Reduction::Mean => "mean",
            Reduction::Sum => "sum",
        }
    }
}

const UNSET: Option<bool> = None;

/// Cross entropy of logits `(n, c, ...)` with class indices `(n, ...)` or class probabilities of the logits' shape.
pub fn cross_entropy(
    x: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    ignore_index: i64,
    reduction: Reduction,
    label_smoothing: f64,
) -> Result<Tensor> {
    let p = params![UNSET, ignore_index, UNSET, reduction.name(), label_smoothing];
    call1(&loss::cross_entropy::OP, &[Some(x), Some(target), weight], p)
}

/// Minus the log-probability of the target classes.
pub fn nll_loss(
    x: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    ignore_index: i64,
    reduction: Reduction,
) -> Result<Tensor> {
    let p = params![UNSET, ignore_index, UNSET, reduction.name()];
    call1(&loss::nll_loss::OP, &[Some(x), Some(target), weight], p)
}

fn pointwise(op: &'static OpDef, x: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    call1(op, &[Some(x), Some(target)], params![UNSET, UNSET, reduction.name()])
}

/// The squared difference.
pub fn mse_loss(x: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    pointwise(&loss::mse_loss::OP, x, target, reduction)
}

/// The absolute difference.
pub fn l1_loss(x: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    pointwise(&loss::l1_loss::OP, x, target, reduction)
}

/// Squared below `beta`, absolute above.
pub fn smooth_l1_loss(x: &Tensor, target: &Tensor, reduction: Reduction, beta: f64) -> Result<Tensor> {
    call1(&loss::smooth_l1_loss::OP, &[Some(x), Some(target)], params![UNSET, UNSET, reduction.name(), beta])
}

/// Squared below `delta`, linear above.
pub fn huber_loss(x: &Tensor, target: &Tensor, reduction: Reduction, delta: f64) -> Result<Tensor> {
    call1(&loss::huber_loss::OP, &[Some(x), Some(target)], params![reduction.name(), delta])
}

/// Cross entropy of probabilities with targets in `[0, 1]`.
pub fn binary_cross_entropy(x: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    pointwise(&loss::binary_cross_entropy::OP, x, target, reduction)
}

/// Binary cross entropy of logits.
pub fn binary_cross_entropy_with_logits(
    x: &Tensor,
    target: &Tensor,
    pos_weight: Option<&Tensor>,
    reduction: Reduction,
) -> Result<Tensor> {
    let p = params![UNSET, UNSET, reduction.name()];
    call1(&loss::binary_cross_entropy_with_logits::OP, &[Some(x), Some(target), None, pos_weight], p)
}

/// The Kullback-Leibler divergence of log-probabilities from probabilities.
pub fn kl_div(x: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    call1(&loss::kl_div::OP, &[Some(x), Some(target)], params![UNSET, UNSET, reduction.name(), false])
}

/// Max pooling over two dimensions of `(n, c, h, w)`.
pub fn max_pool2d(x: &Tensor, kernel: [i64; 2], stride: [i64; 2], padding: [i64; 2]) -> Result<Tensor> {
    call1(&pool::max_pool2d::OP, &[Some(x)], params![kernel, stride, padding, [1i64, 1], false, false])
}

/// Means over windows of two dimensions.
pub fn avg_pool2d(x: &Tensor, kernel: [i64; 2], stride: [i64; 2], padding: [i64; 2]) -> Result<Tensor> {
    call1(&pool::avg_pool2d::OP, &[Some(x)], params![kernel, stride, padding, false, true, None::<i64>])
}

/// Means over windows that give `sizes`; -1 keeps a size.
pub fn adaptive_avg_pool2d(x: &Tensor, sizes: [i64; 2]) -> Result<Tensor> {
    pool::adaptive_avg_pool2d(x, sizes)
}

/// Groups of channels normalised within each sample.
pub fn group_norm(x: &Tensor, groups: i64, w: Option<&Tensor>, b: Option<&Tensor>, eps: f64) -> Result<Tensor> {
    call1(&norm::group_norm::OP, &[Some(x), w, b], params![groups, eps])
}

/// Rows of `weight` at integer `indices`.
pub fn embedding(indices: &Tensor, weight: &Tensor, padding_idx: Option<i64>) -> Result<Tensor> {
    let p = params![padding_idx, None::<f64>, 2.0, false, false];
    call1(&attention::embedding_nn::OP, &[Some(indices), Some(weight)], p)
}

/// `alpha * (exp(x) - 1)` where negative.
pub fn elu(x: &Tensor, alpha: f64) -> Result<Tensor> {
    call1(&activation::elu::OP, &[Some(x)], params![alpha])
}

/// x times the tanh approximation of the normal distribution function.
pub fn gelu_tanh(x: &Tensor) -> Result<Tensor> {
    call1(&activation::gelu::OP, &[Some(x)], params!["tanh"])
}

/// An activation without parameters.
pub(crate) fn plain(op: &'static OpDef, x: &Tensor) -> Result<Tensor> {
    call1(op, &[Some(x)], Params::new())
}
