//! Adam and AdamW.

use flambeau_core::Result;

use super::fused::{self, AdamStep};
use super::{Group, Optimizer, accessors, optimizer, run};

/// Adam (Kingma and Ba, 2015).
pub struct Adam {
    groups: Vec<Group<Options>>,
}

optimizer!(Adam, Options, lr: 1e-3, {
    /// Decay rates of the running means of the gradient and of its square.
    betas: (f64, f64) = (0.9, 0.999),
    /// Added to the denominator.
    eps: f64 = 1e-8,
    /// The L2 penalty.
    weight_decay: f64 = 0.0,
    /// Let the parameter itself decay, as in [`AdamW`].
    decoupled_weight_decay: bool = false,
    /// Divide by the largest mean square so far (Reddi et al., 2018). Set it before the first step.
    amsgrad: bool = false,
    /// Ascend.
    maximize: bool = false,
});

impl Optimizer for Adam {
    accessors!();

    fn current_momentum(&self, group: usize) -> Option<f64> {
        Some(self.groups[group].options.betas.0)
    }

    fn set_momentum(&mut self, group: usize, momentum: f64) {
        self.groups[group].options.betas.0 = momentum;
    }

    fn step(&mut self) -> Result<()> {
        for group in &mut self.groups {
            let o = group.options;
            let s = AdamStep {
                lr: o.lr,
                beta1: o.betas.0,
                beta2: o.betas.1,
                eps: o.eps,
                weight_decay: o.weight_decay,
                decoupled: o.decoupled_weight_decay,
                maximize: o.maximize,
                step: 0.0,
            };
            let (columns, steps) = group.columns(if o.amsgrad { 3 } else { 2 })?;
            run(&columns, &steps, |c, steps| {
                fused::adam_(&c[0], &c[1], &c[2], &c[3], c.get(4).map(Vec::as_slice), steps, &s)
            })?;
        }
        Ok(())
    }
}

/// Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
pub struct AdamW(Adam);

impl AdamW {
    /// One group of parameters with PyTorch's default settings (a weight decay of 0.01) and this learning rate.
    pub fn new(params: impl IntoIterator<Item = flambeau_core::Tensor>, lr: f64) -> Self {
        AdamW(Adam::new(params, lr).weight_decay(1e-2).decoupled_weight_decay(true))
    }

    /// PyTorch's default learning rate.
    pub const DEFAULT_LR: f64 = 1e-3;

    /// Decay rates of the running means of the gradient and of its square.
    pub fn betas(self, value: (f64, f64)) -> Self {
        AdamW(self.0.betas(value))
    }

    /// Added to the denominator.
    pub fn eps(self, value: f64) -> Self {
        AdamW(self.0.eps(value))
    }

    /// The share by which parameters shrink, times the learning rate.
    pub fn weight_decay(self, value: f64) -> Self {
        AdamW(self.0.weight_decay(value))
    }

    /// Divide by the largest mean square so far. Set it before the first step.
    pub fn amsgrad(self, value: bool) -> Self {
        AdamW(self.0.amsgrad(value))
    }

    /// Ascend.
    pub fn maximize(self, value: bool) -> Self {
        AdamW(self.0.maximize(value))
    }

    /// One more group, with the first group's settings and a learning rate of its own.
    pub fn add_group(self, params: impl IntoIterator<Item = flambeau_core::Tensor>, lr: f64) -> Self {
        AdamW(self.0.add_group(params, lr))
    }
}

impl Optimizer for AdamW {
    fn params(&self, group: usize) -> &[flambeau_core::Tensor] {
        self.0.params(group)
    }
    fn groups(&self) -> usize {
        self.0.groups()
    }
    fn lr(&self, group: usize) -> f64 {
        self.0.lr(group)
    }
    fn set_lr(&mut self, group: usize, lr: f64) {
        self.0.set_lr(group, lr);
    }
    fn current_momentum(&self, group: usize) -> Option<f64> {
        self.0.current_momentum(group)
    }
    fn set_momentum(&mut self, group: usize, momentum: f64) {
        self.0.set_momentum(group, momentum);
    }
    fn step(&mut self) -> Result<()> {
        self.0.step()
    }
}
