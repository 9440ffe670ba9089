//! Learning rate schedules, with PyTorch's formulas.
//!
//! A schedule notes the optimizer's learning rates when it is made and changes them at each `step`. Several may act on one
//! optimizer: all but [`OneCycleLR`] and [`LambdaLR`] change the current rate rather than set it.

use std::f64::consts::PI;

use flambeau_core::{Result, check};

use super::Optimizer;

/// A schedule that is stepped after each epoch (or batch, for [`OneCycleLR`]).
pub trait Scheduler {
    fn step(&mut self, optimizer: &mut dyn Optimizer) -> Result<()>;
}

fn each(optimizer: &mut dyn Optimizer, f: impl Fn(usize, f64) -> f64) -> Result<()> {
    for i in 0..optimizer.groups() {
        let lr = f(i, optimizer.lr(i));
        optimizer.set_lr(i, lr);
    }
    Ok(())
}

fn rates(optimizer: &dyn Optimizer) -> Vec<f64> {
    (0..optimizer.groups()).map(|i| optimizer.lr(i)).collect()
}

/// Multiplies by `gamma` every `step_size` epochs.
#[derive(Clone, Debug)]
pub struct StepLR {
    step_size: u64,
    gamma: f64,
    epoch: u64,
}

impl StepLR {
    /// # Errors
    /// `Value` for a step size of zero.
    pub fn new(step_size: u64, gamma: f64) -> Result<Self> {
        check!(step_size > 0, Value, "step_size must be positive");
        Ok(StepLR { step_size, gamma, epoch: 0 })
    }
}

impl Scheduler for StepLR {
    fn step(&mut self, optimizer: &mut dyn Optimizer) -> Result<()> {
        self.epoch += 1;
        if self.epoch.is_multiple_of(self.step_size) {
            each(optimizer, |_, lr| lr * self.gamma)?;
        }
        Ok(())
    }
}

/// Multiplies by `gamma` at each of `milestones`; an epoch may occur twice.
#[derive(Clone, Debug)]
pub struct MultiStepLR {
    milestones: Vec<u64>,
    gamma: f64,
    epoch: u64,
}

impl MultiStepLR {
    pub fn new(milestones: impl Into<Vec<u64>>, gamma: f64) -> Self {
        MultiStepLR { milestones: milestones.into(), gamma, epoch: 0 }
    }
}

impl Scheduler for MultiStepLR {
    fn step(&mut self, optimizer: &mut dyn Optimizer) -> Result<()> {
        self.epoch += 1;
        match self.milestones.iter().filter(|&&m| m == self.epoch).count() {
            0 => Ok(()),
            n => each(optimizer, |_, lr| lr * self.gamma.powi(n as i32)),
        }
    }
}

/// Multiplies by `gamma` every epoch.
#[derive(Clone, Debug)]
pub struct ExponentialLR {
    gamma: f64,
}

impl ExponentialLR {
    pub fn new(gamma: f64) -> Self {
        ExponentialLR { gamma }
    }
}

impl Scheduler for ExponentialLR {
    fn step(&mut self, optimizer: &mut dyn Optimizer) -> Result<()> {
        each(optimizer, |_, lr| lr * self.gamma)
    }
}

/// A linear rise from `start_factor` to `end_factor` of the learning rate over `total_iters` epochs: a warm-up.
#[derive(Clone, Debug)]
pub struct LinearLR {
    start: f64,
    end: f64,
    total: u64,
    epoch: u64,
}

impl LinearLR {
    /// Sets the first learning rates at once.
    pub fn new(optimizer: &mut dyn Optimizer, start_factor: f64, end_factor: f64, total_iters: u64) -> Result<Self> {
        check!(
            start_factor > 0.0 && start_factor <= 1.0,
            Value,
            "Starting multiplicative factor expected to be greater than 0 and less or equal to 1."
        );
        check!(
            (0.0..=1.0).contains(&end_factor),
            Value,
            "Ending multiplicative factor expected to be between 0 and 1."
        );
        each(optimizer, |_, lr| lr * start_factor)?;
        Ok(LinearLR { start: start_factor, end: end_factor, total: total_iters, epoch: 0 })
    }
}

impl Scheduler for LinearLR {
    fn step(&mut self, optimizer: &mut dyn Optimizer) -> Result<()> {
        self.epoch += 1;
        if self.epoch > self.total {
            return Ok(());
        }
        let rise = self.end - self.start;
        let before = self.total as f64 * self.start + (self.epoch - 1) as f64 * rise;
        each(optimizer, |_, lr| lr * (1.0 + rise / before))
    }
}

/// Half a cosine from the initial learning rate to `eta_min` over `t_max` epochs, and back (Loshchilov and Hutter, 2017,
/// without the restarts).
#[derive(Clone, Debug)]
pub struct CosineAnnealingLR {
    t_max: f64,
    eta_min: f64,
    base: Vec<f64>,
    epoch: u64,
}

impl CosineAnnealingLR {
    /// # Errors
    /// `Value` for a length of zero.
    pub fn new(optimizer: &dyn Optimizer, t_max: u64, eta_min: f64) -> Result<Self> {
        check!(t_max > 0, Value, "T_max must be positive");
        Ok(CosineAnnealingLR { t_max: t_max as f64, eta_min, base: rates(optimizer), epoch: 0 })
    }
}

impl Scheduler for CosineAnnealingLR {
    fn step(&mut self, optimizer: &mut dyn Optimizer) -> Result<()> {
        self.epoch += 1;
        let (t, n) = (self.epoch as f64, self.t_max);
        // At the lowest point the quotient of cosines below would divide by zero.
        if (t - 1.0 - n).rem_euclid(2.0 * n) == 0.0 {
            let rise = (1.0 - (PI / n).cos()) / 2.0;
            return each(optimizer, |i, lr| lr + (self.base.get(i).copied().unwrap_or(lr) - self.eta_min) * rise);
        }
        let now = 1.0 + (PI * t / n).cos();
        let before = 1.0 + (PI * (t - 1.0) / n).cos();
        each(optimizer, |_, lr| now / before * (lr - self.eta_min) + self.eta_min)
    }
}

/// The initial learning rate times a function of the epoch.
pub struct LambdaLR {
    factor: Box<dyn Fn(u64) -> f64 + Send>,
    base: Vec<f64>,
    epoch: u64,
}

impl LambdaLR {
    /// Sets the learning rates of epoch 0 at once.
    pub fn new(optimizer: &mut dyn Optimizer, factor: impl Fn(u64) -> f64 + Send + 'static) -> Result<Self> {
        let base = rates(optimizer);
        each(optimizer, |_, lr| lr * factor(0))?;
        Ok(LambdaLR { factor: Box::new(factor), base, epoch: 0 })
    }
}

impl Scheduler for LambdaLR {
    fn step(&mut self, optimizer: &mut dyn Optimizer) -> Result<()> {
        self.epoch += 1;
        let factor = (self.factor)(self.epoch);
        each(optimizer, |i, lr| self.base.get(i).copied().unwrap_or(lr) * factor)
    }
}

/// One rise to `max_lr` and one fall far below the start, stepped after every batch (Smith and Topin, 2017); momentum moves
/// the other way between 0.95 and 0.85.
#[derive(Clone, Debug)]
pub struct OneCycleLR {
    max_lr: f64,
    total_steps: u64,
    pct_start: f64,
    div_factor: f64,
    final_div_factor: f64,
    cycle_momentum: bool,
    at: u64,
}

impl OneCycleLR {
    /// PyTorch's defaults: 30 % of the steps rise, from `max_lr / 25`, and the end is a ten-thousandth of the start.
    ///
    /// # Errors
    /// `Value` for no steps.
    pub fn new(optimizer: &mut dyn Optimizer, max_lr: f64, total_steps: u64) -> Result<Self> {
        Self::with(optimizer, max_lr, total_steps, 0.3, true)
    }

    /// # Errors
    /// `Value` for no steps, a share outside `[0, 1]`, or momentum to be cycled where the optimizer has none.
    pub fn with(
        optimizer: &mut dyn Optimizer,
        max_lr: f64,
        total_steps: u64,
        pct_start: f64,
        cycle_momentum: bool,
    ) -> Result<Self> {
        check!(total_steps > 0, Value, "Expected positive integer total_steps, but got {total_steps}");
        check!(
            (0.0..=1.0).contains(&pct_start),
            Value,
            "Expected float between 0 and 1 pct_start, but got {pct_start}"
        );
        check!(
            !cycle_momentum || (0..optimizer.groups()).all(|i| optimizer.current_momentum(i).is_some()),
            Value,
            "optimizer must support momentum or beta1 with `cycle_momentum` option enabled"
        );
        let cycle = OneCycleLR {
            max_lr,
            total_steps,
            pct_start,
            div_factor: 25.0,
            final_div_factor: 1e4,
            cycle_momentum,
            at: 0,
        };
        cycle.apply(optimizer)?;
        Ok(cycle)
    }

    fn apply(&self, optimizer: &mut dyn Optimizer) -> Result<()> {
        let step = self.at as f64;
        let peak = self.pct_start * self.total_steps as f64 - 1.0;
        let end = self.total_steps as f64 - 1.0;
        let first = self.max_lr / self.div_factor;
        let (share, from, to, m_from, m_to) = if step <= peak {
            (step / peak, first, self.max_lr, 0.95, 0.85)
        } else {
            ((step - peak) / (end - peak), self.max_lr, first / self.final_div_factor, 0.85, 0.95)
        };
        let between = |a: f64, b: f64| b + (a - b) / 2.0 * ((PI * share).cos() + 1.0);
        for i in 0..optimizer.groups() {
            optimizer.set_lr(i, between(from, to));
            if self.cycle_momentum {
                optimizer.set_momentum(i, between(m_from, m_to));
            }
        }
        Ok(())
    }
}

impl Scheduler for OneCycleLR {
    fn step(&mut self, optimizer: &mut dyn Optimizer) -> Result<()> {
        self.at += 1;
        check!(
            self.at <= self.total_steps,
            Value,
            "Tried to step {} times. The specified number of total steps is {}",
            self.at,
            self.total_steps
        );
        self.apply(optimizer)
    }
}

/// Multiplies by `factor` after more than `patience` epochs in which a measure did not improve.
#[derive(Clone, Debug)]
pub struct ReduceLROnPlateau {
    /// Whether the measure is to rise; false by default.
    pub maximize: bool,
    pub factor: f64,
    pub patience: u64,
    /// The smallest improvement that counts, as a share or (with `absolute`) as a difference.
    pub threshold: f64,
    pub absolute: bool,
    /// Epochs after a reduction in which nothing is counted.
    pub cooldown: u64,
    pub min_lr: f64,
    /// A reduction by no more than this is left out.
    pub eps: f64,
    best: Option<f64>,
    bad: u64,
    cooling: u64,
}

impl Default for ReduceLROnPlateau {
    fn default() -> Self {
        ReduceLROnPlateau {
            maximize: false,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            absolute: false,
            cooldown: 0,
            min_lr: 0.0,
            eps: 1e-8,
            best: None,
            bad: 0,
            cooling: 0,
        }
    }
}

impl ReduceLROnPlateau {
    pub fn new(factor: f64, patience: u64) -> Self {
        ReduceLROnPlateau { factor, patience, ..Self::default() }
    }

    /// Takes the measure of one epoch and lowers the learning rates if it is time to.
    ///
    /// # Errors
    /// `Value` for a factor that is not below one.
    pub fn step(&mut self, optimizer: &mut dyn Optimizer, metric: f64) -> Result<()> {
        check!(self.factor < 1.0, Value, "Factor should be < 1.0.");
        let change = if self.maximize { self.threshold } else { -self.threshold };
        let better = self.best.is_none_or(|best| {
            let bound = if self.absolute { best + change } else { best * (1.0 + change) };
            if self.maximize { metric > bound } else { metric < bound }
        });
        if better && !metric.is_nan() {
            self.best = Some(metric);
            self.bad = 0;
        } else {
            self.bad += 1;
        }
        if self.cooling > 0 {
            self.cooling -= 1;
            self.bad = 0;
        }
        if self.bad > self.patience {
            let (factor, low, eps) = (self.factor, self.min_lr, self.eps);
            each(optimizer, |_, lr| {
                let new = (lr * factor).max(low);
                if lr - new > eps { new } else { lr }
            })?;
            self.cooling = self.cooldown;
            self.bad = 0;
        }
        Ok(())
    }
}
