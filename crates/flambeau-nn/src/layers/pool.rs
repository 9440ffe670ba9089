//! Pooling over `(n, c, h, w)`.

use flambeau_core::{Result, Tensor};

use super::{Sizes, stateless};
use crate::functional;
use crate::module::Forward;

/// The largest of each window.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool2d {
    kernel: [i64; 2],
    stride: [i64; 2],
    padding: [i64; 2],
}

/// The mean of each window.
#[derive(Clone, Copy, Debug)]
pub struct AvgPool2d {
    kernel: [i64; 2],
    stride: [i64; 2],
    padding: [i64; 2],
}

macro_rules! pool {
    ($($name:ident),*) => {$(
        impl $name {
            /// Windows side by side.
            pub fn new(kernel: impl Sizes<2>) -> Self {
                let kernel = kernel.sizes();
                $name { kernel, stride: kernel, padding: [0; 2] }
            }

            pub fn with(kernel: impl Sizes<2>, stride: impl Sizes<2>, padding: impl Sizes<2>) -> Self {
                $name { kernel: kernel.sizes(), stride: stride.sizes(), padding: padding.sizes() }
            }
        }
    )*};
}
pool!(MaxPool2d, AvgPool2d);

/// Means over windows that give a fixed size of output.
#[derive(Clone, Copy, Debug)]
pub struct AdaptiveAvgPool2d([i64; 2]);

impl AdaptiveAvgPool2d {
    /// -1 keeps a dimension's size.
    pub fn new(size: impl Sizes<2>) -> Self {
        AdaptiveAvgPool2d(size.sizes())
    }
}

stateless!(MaxPool2d, AvgPool2d, AdaptiveAvgPool2d);

impl Forward for MaxPool2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        functional::max_pool2d(x, self.kernel, self.stride, self.padding)
    }
}

impl Forward for AvgPool2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        functional::avg_pool2d(x, self.kernel, self.stride, self.padding)
    }
}

impl Forward for AdaptiveAvgPool2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        functional::adaptive_avg_pool2d(x, self.0)
    }
}
