//! Stochastic gradient descent.

use flambeau_core::{Result, Tensor, check};

use super::fused::{self, SgdStep};
use super::{Group, Optimizer, State, accessors, optimizer, run};

/// Stochastic gradient descent, optionally with momentum (Polyak, 1964; Nesterov's form: Sutskever et al., 2013).
pub struct SGD {
    groups: Vec<Group<Options>>,
}

optimizer!(SGD, Options, lr: 1e-3, {
    /// The share of the previous step's direction in this one's.
    momentum: f64 = 0.0,
    /// The part of the gradient that does not enter the momentum.
    dampening: f64 = 0.0,
    /// The L2 penalty.
    weight_decay: f64 = 0.0,
    /// Look ahead by one step.
    nesterov: bool = false,
    /// Ascend.
    maximize: bool = false,
});

impl Optimizer for SGD {
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
            check!(
                !o.nesterov || o.momentum > 0.0 && o.dampening == 0.0,
                Value,
                "Nesterov momentum requires a momentum and zero dampening"
            );
            let rule = |first: bool| SgdStep {
                lr: o.lr,
                momentum: o.momentum,
                dampening: o.dampening,
                weight_decay: o.weight_decay,
                nesterov: o.nesterov,
                maximize: o.maximize,
                first,
            };
            // Parameters without a velocity yet, those with one, and where there is none at all.
            let mut parts: [Vec<Vec<Tensor>>; 3] = [vec![vec![]; 3], vec![vec![]; 3], vec![vec![]; 2]];
            for (p, state) in group.params.iter().zip(&mut group.state) {
                let Some(g) = p.grad() else { continue };
                if o.momentum == 0.0 {
                    parts[2][0].push(p.clone());
                    parts[2][1].push(g);
                    continue;
                }
                let part = if state.is_none() { 0 } else { 1 };
                let velocity = match state {
                    Some(s) => s.tensors[0].clone(),
                    None => {
                        let fresh = Tensor::empty_strided(p.sizes(), p.strides(), p.dtype(), p.device())?;
                        state.insert(State { step: 0.0, tensors: vec![fresh] }).tensors[0].clone()
                    }
                };
                for (c, t) in parts[part].iter_mut().zip([p.clone(), g, velocity]) {
                    c.push(t);
                }
            }
            for (i, part) in parts.iter().enumerate() {
                let s = rule(i == 0);
                run(part, &vec![0.0; part[0].len()], |c, _| {
                    fused::sgd_(&c[0], &c[1], c.get(2).map(Vec::as_slice), &s)
                })?;
            }
        }
        Ok(())
    }
}
