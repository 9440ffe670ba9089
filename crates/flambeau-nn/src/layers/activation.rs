//! Activations as modules.

use flambeau_core::{Result, Tensor};

use super::stateless;
use crate::functional;
use crate::module::Forward;

macro_rules! activations {
    ($($(#[$doc:meta])* $name:ident: $f:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $name;
        stateless!($name);
        impl Forward for $name {
            fn forward(&self, x: &Tensor) -> Result<Tensor> {
                $f(x)
            }
        }
    )*};
}

activations! {
    /// `max(x, 0)`
    ReLU: functional::relu;
    /// x times the normal distribution function of x.
    Gelu: functional::gelu;
    /// x times its sigmoid.
    SiLU: functional::silu;
    /// `1 / (1 + exp(-x))`
    Sigmoid: functional::sigmoid;
    /// The hyperbolic tangent.
    Tanh: functional::tanh;
    /// `x * tanh(softplus(x))` (Misra, 2019).
    Mish: |x| functional::plain(&flambeau_ops::activation::mish::OP, x);
}

macro_rules! with_setting {
    ($($(#[$doc:meta])* $name:ident($setting:ident: $t:ty): $f:path;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name(pub $t);
        stateless!($name);
        impl Forward for $name {
            fn forward(&self, x: &Tensor) -> Result<Tensor> {
                $f(x, self.0)
            }
        }
    )*};
}

with_setting! {
    /// x where positive, `slope * x` elsewhere.
    LeakyReLU(slope: f64): functional::leaky_relu;
    /// x where positive, `alpha * (exp(x) - 1)` elsewhere.
    Elu(alpha: f64): functional::elu;
    /// Softmax along a dimension.
    Softmax(dim: i64): functional::softmax;
    /// The logarithm of the softmax along a dimension.
    LogSoftmax(dim: i64): functional::log_softmax;
}
