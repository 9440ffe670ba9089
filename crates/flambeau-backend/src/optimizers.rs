//! One step of an optimizer over one parameter, in a single pass over memory.

use super::{Raw, missing};
use crate::error::Result;

/// Stochastic gradient descent; the numbers are those of PyTorch's `SGD`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdStep {
    pub lr: f64,
    pub momentum: f64,
    pub dampening: f64,
    pub weight_decay: f64,
    pub nesterov: bool,
    pub maximize: bool,
    /// The momentum buffer holds nothing yet: it becomes the gradient.
    pub first: bool,
}

/// Adam and AdamW; the numbers are those of PyTorch's `Adam`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    pub lr: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    pub weight_decay: f64,
    /// The parameter itself decays (AdamW) instead of the gradient growing by it.
    pub decoupled: bool,
    pub maximize: bool,
    /// Which step this is, from 1.
    pub step: f64,
}

/// The numbers of PyTorch's `Adadelta`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdadeltaStep {
    pub lr: f64,
    pub rho: f64,
    pub eps: f64,
    pub weight_decay: f64,
    pub maximize: bool,
}

/// The numbers of PyTorch's `RMSprop`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmspropStep {
    pub lr: f64,
    pub alpha: f64,
    pub eps: f64,
    pub weight_decay: f64,
    pub momentum: f64,
    pub maximize: bool,
}

/// Parameters, gradients and state of one step: float32 or float64, all of one dtype, the same sizes and the same strides
/// without gaps; no two share memory. Everything but `grad` is written. Each number is rounded where PyTorch's sequence
/// of operations rounds it, up to fused multiply-adds.
pub trait Optimizers {
    /// `buffer` is there if `momentum` is not zero.
    fn sgd(&self, s: &SgdStep, param: Raw, grad: Raw, buffer: Option<Raw>) -> Result<()> {
        let _ = (s, param, grad, buffer);
        Err(missing("sgd"))
    }

    /// `largest` is the running maximum of `square` for amsgrad.
    fn adam(&self, s: &AdamStep, param: Raw, grad: Raw, mean: Raw, square: Raw, largest: Option<Raw>) -> Result<()> {
        let _ = (s, param, grad, mean, square, largest);
        Err(missing("adam"))
    }

    /// `square` and `moved` are the running mean squares of gradients and of updates.
    fn adadelta(&self, s: &AdadeltaStep, param: Raw, grad: Raw, square: Raw, moved: Raw) -> Result<()> {
        let _ = (s, param, grad, square, moved);
        Err(missing("adadelta"))
    }

    /// `mean` is there for the centered form, `velocity` if `momentum` is positive.
    fn rmsprop(
        &self,
        s: &RmspropStep,
        param: Raw,
        grad: Raw,
        square: Raw,
        mean: Option<Raw>,
        velocity: Option<Raw>,
    ) -> Result<()> {
        let _ = (s, param, grad, square, mean, velocity);
        Err(missing("rmsprop"))
    }
}
