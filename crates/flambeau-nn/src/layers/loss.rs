//! Losses as values with settings. They hold no state, so they are no modules.

use flambeau_core::{Result, Tensor};

use crate::functional::{self, Reduction};

macro_rules! losses {
    ($($(#[$doc:meta])* $name:ident: $f:path;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $name {
            pub reduction: Reduction,
        }
        impl $name {
            pub fn new() -> Self {
                Self::default()
            }
            pub fn forward(&self, x: &Tensor, target: &Tensor) -> Result<Tensor> {
                $f(x, target, self.reduction)
            }
        }
    )*};
}

losses! {
    /// The squared difference.
    MSELoss: functional::mse_loss;
    /// The absolute difference.
    L1Loss: functional::l1_loss;
    /// Cross entropy of probabilities with targets in `[0, 1]`.
    BCELoss: functional::binary_cross_entropy;
}

/// Cross entropy of logits with class indices or class probabilities.
#[derive(Clone)]
pub struct CrossEntropyLoss {
    /// A factor for each class.
    pub weight: Option<Tensor>,
    /// A class that does not count.
    pub ignore_index: i64,
    pub reduction: Reduction,
    /// The share of the target that is spread over all classes (Szegedy et al., 2016).
    pub label_smoothing: f64,
}

impl Default for CrossEntropyLoss {
    fn default() -> Self {
        CrossEntropyLoss { weight: None, ignore_index: -100, reduction: Reduction::Mean, label_smoothing: 0.0 }
    }
}

impl CrossEntropyLoss {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn forward(&self, x: &Tensor, target: &Tensor) -> Result<Tensor> {
        let w = self.weight.as_ref();
        functional::cross_entropy(x, target, w, self.ignore_index, self.reduction, self.label_smoothing)
    }
}

/// Minus the log-probability of the target classes.
#[derive(Clone)]
pub struct NLLLoss {
    /// A factor for each class.
    pub weight: Option<Tensor>,
    /// A class that does not count.
    pub ignore_index: i64,
    pub reduction: Reduction,
}

impl Default for NLLLoss {
    fn default() -> Self {
        NLLLoss { weight: None, ignore_index: -100, reduction: Reduction::Mean }
    }
}

impl NLLLoss {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn forward(&self, x: &Tensor, target: &Tensor) -> Result<Tensor> {
        functional::nll_loss(x, target, self.weight.as_ref(), self.ignore_index, self.reduction)
    }
}

/// Binary cross entropy of logits.
#[derive(Clone, Default)]
pub struct BCEWithLogitsLoss {
    /// A factor for the positive examples.
    pub pos_weight: Option<Tensor>,
    pub reduction: Reduction,
}

impl BCEWithLogitsLoss {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn forward(&self, x: &Tensor, target: &Tensor) -> Result<Tensor> {
        functional::binary_cross_entropy_with_logits(x, target, self.pos_weight.as_ref(), self.reduction)
    }
}

/// Squared below `beta`, absolute above (Girshick, 2015).
#[derive(Clone, Copy, Debug)]
pub struct SmoothL1Loss {
    pub beta: f64,
    pub reduction: Reduction,
}

impl Default for SmoothL1Loss {
    fn default() -> Self {
        SmoothL1Loss { beta: 1.0, reduction: Reduction::Mean }
    }
}

impl SmoothL1Loss {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn forward(&self, x: &Tensor, target: &Tensor) -> Result<Tensor> {
        functional::smooth_l1_loss(x, target, self.reduction, self.beta)
    }
}

/// Squared below `delta`, linear above (Huber, 1964).
#[derive(Clone, Copy, Debug)]
pub struct HuberLoss {
    pub delta: f64,
    pub reduction: Reduction,
}

impl Default for HuberLoss {
    fn default() -> Self {
        HuberLoss { delta: 1.0, reduction: Reduction::Mean }
    }
}

impl HuberLoss {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn forward(&self, x: &Tensor, target: &Tensor) -> Result<Tensor> {
        functional::huber_loss(x, target, self.reduction, self.delta)
    }
}
