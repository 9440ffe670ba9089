//! Optimizers and learning rate schedules.
//!
//! ```
//! use flambeau_nn::optim::{Optimizer, SGD};
//! use flambeau_nn::{Forward, Linear, Module};
//!
//! # flambeau_ops::init();
//! let net = Linear::new(3, 1)?;
//! let mut optimizer = SGD::new(net.parameters(), 0.1).momentum(0.9);
//! let x = flambeau_core::Tensor::from_slice(&[1f32, 2.0, 3.0], &[1, 3])?;
//! let loss = flambeau_ops::reduce::sum(&net.forward(&x)?, &[], false)?;
//! flambeau_core::autograd::backward(&[loss], &[None], false, false, None)?;
//! optimizer.step()?;
//! optimizer.zero_grad()?;
//! # Ok::<(), flambeau_core::Error>(())
//! ```

mod adadelta;
mod adam;
pub mod fused;
mod rmsprop;
pub mod schedule;
mod sgd;

pub use adadelta::Adadelta;
pub use adam::{Adam, AdamW};
pub use rmsprop::RMSprop;
pub use sgd::SGD;

use flambeau_core::autograd::no_grad;
use flambeau_core::{DType, Error, Result, Tensor};

/// Changes parameters by their gradients.
pub trait Optimizer {
    /// One step: parameters without a gradient stay as they are.
    ///
    /// # Errors
    /// `NotImplemented` for parameters that are not real floating point tensors.
    fn step(&mut self) -> Result<()>;

    /// The parameters of a group.
    fn params(&self, group: usize) -> &[Tensor];

    /// How many parameter groups there are.
    fn groups(&self) -> usize;

    fn lr(&self, group: usize) -> f64;

    fn set_lr(&mut self, group: usize, lr: f64);

    /// The momentum, or Adam's first beta; `None` where the algorithm has none.
    fn current_momentum(&self, _group: usize) -> Option<f64> {
        None
    }

    fn set_momentum(&mut self, _group: usize, _momentum: f64) {}

    /// Drops the gradients of all parameters.
    fn zero_grad(&mut self) -> Result<()> {
        (0..self.groups()).flat_map(|i| self.params(i)).try_for_each(|p| p.set_grad(None))
    }
}

/// Parameters that share settings, with what the optimizer remembers of each.
struct Group<O> {
    params: Vec<Tensor>,
    options: O,
    state: Vec<Option<State>>,
}

/// What is remembered of one parameter.
struct State {
    step: f64,
    tensors: Vec<Tensor>,
}

impl<O> Group<O> {
    fn new(params: impl IntoIterator<Item = Tensor>, options: O) -> Self {
        let params: Vec<Tensor> = params.into_iter().collect();
        let state = params.iter().map(|_| None).collect();
        Group { params, options, state }
    }

    /// Counts a step of every parameter that has a gradient and returns their tensors in columns (parameters, gradients,
    /// `kept` state tensors that start as zeros) and the step counts.
    fn columns(&mut self, kept: usize) -> Result<(Vec<Vec<Tensor>>, Vec<f64>)> {
        let mut columns = vec![Vec::new(); 2 + kept];
        let mut steps = Vec::new();
        for (p, state) in self.params.iter().zip(&mut self.state) {
            let Some(g) = p.grad() else { continue };
            let state = match state {
                Some(s) => s,
                None => {
                    let zeros = || no_grad(|| flambeau_ops::create::zeros_like(&p.detach()));
                    state.insert(State { step: 0.0, tensors: (0..kept).map(|_| zeros()).collect::<Result<_>>()? })
                }
            };
            state.step += 1.0;
            steps.push(state.step);
            columns[0].push(p.clone());
            columns[1].push(g);
            for (c, t) in columns[2..].iter_mut().zip(&state.tensors) {
                c.push(t.clone());
            }
        }
        Ok((columns, steps))
    }
}

type Columns<'a> = &'a [Vec<Tensor>];

/// Runs a fused step on the whole group, or on copies that the kernels take where they refuse a tensor.
fn run(columns: Columns<'_>, steps: &[f64], f: impl Fn(Columns<'_>, &[f64]) -> Result<bool>) -> Result<()> {
    if columns[0].is_empty() || f(columns, steps)? {
        return Ok(());
    }
    for i in 0..columns[0].len() {
        let p = &columns[0][i];
        let dtype = match p.dtype() {
            DType::F64 => DType::F64,
            DType::F32 | DType::F16 | DType::BF16 => DType::F32,
            other => return Err(Error::dtype("optimizer step", other)),
        };
        let copies: Vec<Vec<Tensor>> =
            columns.iter().map(|c| Ok(vec![c[i].cast_raw(dtype)?])).collect::<Result<_>>()?;
        if !f(&copies, &steps[i..=i])? {
            return Err(Error::not_implemented(format!("an optimizer step on {} is not implemented", p.device())));
        }
        no_grad(|| {
            for (k, (c, new)) in columns.iter().zip(&copies).enumerate() {
                if k != 1 {
                    flambeau_ops::copy::copy_(&c[i], &new[0])?;
                }
            }
            Ok::<_, Error>(())
        })?;
    }
    Ok(())
}

/// What all optimizers here have in common, and their settings one by one: for all groups made so far.
macro_rules! optimizer {
    ($name:ident, $options:ident, lr: $lr:literal, {$($(#[$doc:meta])* $setting:ident: $t:ty = $default:expr),* $(,)?}) => {
        #[derive(Clone, Copy, Debug)]
        struct $options {
            lr: f64,
            $($setting: $t,)*
        }

        impl $name {
            /// One group of parameters with PyTorch's default settings and this learning rate.
            pub fn new(params: impl IntoIterator<Item = flambeau_core::Tensor>, lr: f64) -> Self {
                let options = $options { lr, $($setting: $default,)* };
                Self { groups: vec![$crate::optim::Group::new(params, options)] }
            }

            /// PyTorch's default learning rate.
            pub const DEFAULT_LR: f64 = $lr;

            $(
                $(#[$doc])*
                pub fn $setting(mut self, value: $t) -> Self {
                    self.groups.iter_mut().for_each(|g| g.options.$setting = value);
                    self
                }
            )*

            /// One more group, with the first group's settings and a learning rate of its own.
            pub fn add_group(mut self, params: impl IntoIterator<Item = flambeau_core::Tensor>, lr: f64) -> Self {
                let options = $options { lr, ..self.groups[0].options };
                self.groups.push($crate::optim::Group::new(params, options));
                self
            }
        }
    };
}

/// The accessors of [`Optimizer`].
macro_rules! accessors {
    () => {
        fn params(&self, group: usize) -> &[flambeau_core::Tensor] {
            &self.groups[group].params
        }
        fn groups(&self) -> usize {
            self.groups.len()
        }
        fn lr(&self, group: usize) -> f64 {
            self.groups[group].options.lr
        }
        fn set_lr(&mut self, group: usize, lr: f64) {
            self.groups[group].options.lr = lr;
        }
    };
}
use {accessors, optimizer};
