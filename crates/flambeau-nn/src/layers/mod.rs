//! Layers, each under PyTorch's name with PyTorch's defaults.

mod activation;
mod attention;
mod container;
mod conv;
mod dropout;
mod linear;
mod loss;
mod norm;
mod pool;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use flambeau_core::{Device, Result, Tensor, default_dtype};

pub use activation::{Elu, Gelu, LeakyReLU, LogSoftmax, Mish, ReLU, SiLU, Sigmoid, Softmax, Tanh};
pub use attention::{MultiheadAttention, TransformerEncoderLayer, TransformerOptions};
pub use container::{Flatten, Func, Identity, Sequential};
pub use conv::{Conv1d, Conv2d, Conv3d, ConvOptions, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};
pub use dropout::Dropout;
pub use linear::{Embedding, Linear};
pub use loss::{BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, HuberLoss, L1Loss, MSELoss, NLLLoss, SmoothL1Loss};
pub use norm::{BatchNorm, BatchNorm1d, BatchNorm2d, BatchNorm3d, GroupNorm, LayerNorm};
pub use pool::{AdaptiveAvgPool2d, AvgPool2d, MaxPool2d};

use crate::module::Parameter;

/// Whether a module is being trained. Shared with no clone.
pub struct Training(AtomicBool);

impl Default for Training {
    fn default() -> Self {
        Training(AtomicBool::new(true))
    }
}

impl Clone for Training {
    fn clone(&self) -> Self {
        Training(AtomicBool::new(self.get()))
    }
}

impl Training {
    pub fn get(&self) -> bool {
        self.0.load(Relaxed)
    }

    pub fn set(&self, on: bool) {
        self.0.store(on, Relaxed);
    }
}

/// One number for all dimensions, or one for each.
pub trait Sizes<const N: usize> {
    fn sizes(self) -> [i64; N];
}

macro_rules! sizes {
    ($($t:ty),*) => {$(
        impl<const N: usize> Sizes<N> for $t {
            fn sizes(self) -> [i64; N] {
                [self as i64; N]
            }
        }
        impl<const N: usize> Sizes<N> for [$t; N] {
            fn sizes(self) -> [i64; N] {
                self.map(|n| n as i64)
            }
        }
    )*};
}
sizes!(i32, i64, usize);

/// An uninitialised parameter of the default dtype.
fn parameter(sizes: &[i64]) -> Result<Parameter> {
    Parameter::new(Tensor::empty(sizes, default_dtype(), Device::CPU)?)
}

/// A module without parameters, buffers or children.
macro_rules! stateless {
    ($($t:ty),* $(,)?) => {$(
        impl $crate::module::Module for $t {
            fn fields<'a>(&'a self, _: $crate::module::Visit<'_, 'a>) {}
            fn fields_mut(&mut self, _: $crate::module::VisitMut<'_>) {}
        }
    )*};
}

/// A module's fields by name, in order; what `#[derive(Module)]` writes.
macro_rules! fields {
    ($($field:ident),* $(,)?) => {
        fn fields<'a>(&'a self, f: $crate::module::Visit<'_, 'a>) {
            $($crate::module::Field::visit(&self.$field, stringify!($field), f);)*
        }
        fn fields_mut(&mut self, f: $crate::module::VisitMut<'_>) {
            $($crate::module::Field::visit_mut(&mut self.$field, stringify!($field), f);)*
        }
    };
}
use {fields, stateless};
