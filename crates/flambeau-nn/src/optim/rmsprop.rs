//! RMSprop.

use flambeau_core::Result;

use super::fused::{self, RmspropStep};
use super::{Group, Optimizer, accessors, optimizer, run};

/// RMSprop (Hinton, 2012), plain or centered (Graves, 2013).
pub struct RMSprop {
    groups: Vec<Group<Options>>,
}

optimizer!(RMSprop, Options, lr: 1e-2, {
    /// The decay rate of the running mean square of the gradient.
    alpha: f64 = 0.99,
    /// Added to the denominator.
    eps: f64 = 1e-8,
    /// The L2 penalty.
    weight_decay: f64 = 0.0,
    /// The factor of the velocity that collects the scaled gradients. Set it before the first step.
    momentum: f64 = 0.0,
    /// Subtract the squared mean gradient under the root. Set it before the first step.
    centered: bool = false,
    /// Ascend.
    maximize: bool = false,
});

impl Optimizer for RMSprop {
    accessors!();

    fn current_momentum(&self, group: usize) -> Option<f64> {
        Some(self.groups[group].options.momentum)
    }

    fn set_momentum(&mut self, group: usize, momentum: f64) {
        self.groups[group].options.momentum = momentum;
    }

    fn step(&mut self) -> Result<()> {
        for group in &mut self.groups {
            let o = group.options;
            let s = RmspropStep {
                lr: o.lr,
                alpha: o.alpha,
                eps: o.eps,
                weight_decay: o.weight_decay,
                momentum: o.momentum,
                maximize: o.maximize,
            };
            let (moving, centered) = (o.momentum > 0.0, o.centered);
            let (columns, steps) = group.columns(1 + moving as usize + centered as usize)?;
            run(&columns, &steps, |c, _| {
                let velocities = moving.then(|| c[3].as_slice());
                let means = centered.then(|| c[3 + moving as usize].as_slice());
                fused::rmsprop_(&c[0], &c[1], &c[2], velocities, means, &s)
            })?;
        }
        Ok(())
    }
}
