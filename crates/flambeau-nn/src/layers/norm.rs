//! Normalisation.

use flambeau_core::{DType, Device, Result, Scalar, Tensor, check, default_dtype};
use flambeau_ops::create;

use super::{Training, fields, parameter};
use crate::module::{Buffer, Forward, Module, Parameter};
use crate::{functional, init};

fn affine(sizes: &[i64]) -> Result<(Parameter, Parameter)> {
    let (w, b) = (parameter(sizes)?, parameter(sizes)?);
    init::ones_(&w)?;
    init::zeros_(&b)?;
    Ok((w, b))
}

/// Batch normalisation over all dimensions but the second (Ioffe and Szegedy, 2015), for inputs of rank `LOW` to `HIGH`.
pub struct BatchNorm<const LOW: usize, const HIGH: usize> {
    pub weight: Parameter,
    pub bias: Parameter,
    pub running_mean: Buffer,
    pub running_var: Buffer,
    pub num_batches_tracked: Buffer,
    eps: f64,
    momentum: Option<f64>,
    training: Training,
}

/// Over `(n, c)` or `(n, c, l)`.
pub type BatchNorm1d = BatchNorm<2, 3>;
/// Over `(n, c, h, w)`.
pub type BatchNorm2d = BatchNorm<4, 4>;
/// Over `(n, c, d, h, w)`.
pub type BatchNorm3d = BatchNorm<5, 5>;

impl<const LOW: usize, const HIGH: usize> BatchNorm<LOW, HIGH> {
    pub fn new(num_features: i64) -> Result<Self> {
        Self::with(num_features, 1e-5, Some(0.1))
    }

    /// `momentum` is the share of the new statistics in the running ones; `None` averages all batches alike.
    pub fn with(num_features: i64, eps: f64, momentum: Option<f64>) -> Result<Self> {
        let (dtype, n) = (default_dtype(), [num_features]);
        let (weight, bias) = affine(&n)?;
        Ok(BatchNorm {
            weight,
            bias,
            running_mean: Buffer::new(create::zeros(&n, dtype, Device::CPU)?),
            running_var: Buffer::new(create::full(&n, Scalar::Int(1), dtype, Device::CPU)?),
            num_batches_tracked: Buffer::new(create::zeros(&[], DType::I64, Device::CPU)?),
            eps,
            momentum,
            training: Training::default(),
        })
    }
}

impl<const LOW: usize, const HIGH: usize> Module for BatchNorm<LOW, HIGH> {
    fields!(weight, bias, running_mean, running_var, num_batches_tracked);

    fn set_training(&self, on: bool) {
        self.training.set(on);
    }

    fn version(&self) -> i64 {
        2
    }
}

impl<const LOW: usize, const HIGH: usize> Forward for BatchNorm<LOW, HIGH> {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let allowed = if LOW == HIGH { format!("{LOW}D") } else { format!("{LOW}D or {HIGH}D") };
        check!((LOW..=HIGH).contains(&x.ndim()), Value, "expected {allowed} input (got {}D input)", x.ndim());
        let training = self.training.get();
        let mut momentum = self.momentum;
        if training {
            let n = self.num_batches_tracked.item()?.to_i64() + 1;
            init::constant_(&self.num_batches_tracked, n as f64)?;
            momentum = momentum.or(Some(1.0 / n as f64));
        }
        functional::batch_norm(
            x,
            Some(&self.running_mean),
            Some(&self.running_var),
            Some(&self.weight),
            Some(&self.bias),
            training,
            momentum,
            self.eps,
        )
    }
}

/// Layer normalisation over the last dimensions (Ba et al., 2016).
pub struct LayerNorm {
    pub weight: Parameter,
    pub bias: Option<Parameter>,
    shape: Vec<i64>,
    eps: f64,
}

impl LayerNorm {
    pub fn new(shape: impl AsRef<[i64]>) -> Result<LayerNorm> {
        Self::with(shape, 1e-5, true)
    }

    pub fn with(shape: impl AsRef<[i64]>, eps: f64, bias: bool) -> Result<LayerNorm> {
        let shape = shape.as_ref().to_vec();
        let (weight, b) = affine(&shape)?;
        Ok(LayerNorm { weight, bias: bias.then_some(b), shape, eps })
    }
}

impl Module for LayerNorm {
    fields!(weight, bias);
}

impl Forward for LayerNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        functional::layer_norm(x, &self.shape, Some(&self.weight), self.bias.as_deref(), self.eps)
    }
}

/// Groups of channels normalised within each sample (Wu and He, 2018).
pub struct GroupNorm {
    pub weight: Parameter,
    pub bias: Parameter,
    groups: i64,
    eps: f64,
}

impl GroupNorm {
    /// # Errors
    /// `Value` unless the groups share the channels equally.
    pub fn new(num_groups: i64, num_channels: i64) -> Result<GroupNorm> {
        check!(
            num_groups > 0 && num_channels % num_groups == 0,
            Value,
            "num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
        );
        let (weight, bias) = affine(&[num_channels])?;
        Ok(GroupNorm { weight, bias, groups: num_groups, eps: 1e-5 })
    }
}

impl Module for GroupNorm {
    fields!(weight, bias);
}

impl Forward for GroupNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        functional::group_norm(x, self.groups, Some(&self.weight), Some(&self.bias), self.eps)
    }
}
