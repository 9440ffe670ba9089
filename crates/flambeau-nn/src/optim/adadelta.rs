//! Adadelta.

use flambeau_core::Result;

use super::fused::{self, AdadeltaStep};
use super::{Group, Optimizer, accessors, optimizer, run};

/// Adadelta (Zeiler, 2012).
pub struct Adadelta {
    groups: Vec<Group<Options>>,
}

optimizer!(Adadelta, Options, lr: 1.0, {
    /// The decay rate of the running mean squares of gradients and of updates.
    rho: f64 = 0.9,
    /// Added under the roots.
    eps: f64 = 1e-6,
    /// The L2 penalty.
    weight_decay: f64 = 0.0,
    /// Ascend.
    maximize: bool = false,
});

impl Optimizer for Adadelta {
    accessors!();

    fn step(&mut self) -> Result<()> {
        for group in &mut self.groups {
            let o = group.options;
            let s =
                AdadeltaStep { lr: o.lr, rho: o.rho, eps: o.eps, weight_decay: o.weight_decay, maximize: o.maximize };
            let (columns, steps) = group.columns(2)?;
            run(&columns, &steps, |c, _| fused::adadelta_(&c[0], &c[1], &c[2], &c[3], &s))?;
        }
        Ok(())
    }
}
