//! PyTorch's programming model in Rust: tensors, automatic differentiation, modules, optimizers and checkpoints, with no
//! Python and no libtorch.
//!
//! ```
//! use flambeau::prelude::*;
//!
//! fn main() -> Result<()> {
//!     manual_seed(0);
//!     let net = Sequential::new().add(Linear::new(2, 16)?).add(Tanh).add(Linear::new(16, 1)?);
//!     let mut optimizer = Adam::new(net.parameters(), 0.05);
//!     let x = rand(&[64, 2])?;
//!     let y = x.mul(&x)?.sum_dim(&[1], true)?;
//!     for _ in 0..20 {
//!         let loss = mse_loss(&net.forward(&x)?, &y)?;
//!         optimizer.zero_grad()?;
//!         loss.backward()?;
//!         optimizer.step()?;
//!     }
//!     save(&net.state_dict(), std::env::temp_dir().join("net.pth"))
//! }
//! ```
//!
//! * [`Tensor`] is PyTorch's: one type, dtype and device at run time, views that share memory. Its methods are in
//!   [`TensorMethods`] and its relatives, all in the [`prelude`]; operators give a [`Result`], to be used with `?`.
//! * [`nn`] holds modules; `#[derive(Module)]` makes one of a struct. [`optim`] holds optimizers and schedules.
//! * [`save`] and [`load`] read and write the files of PyTorch and of safetensors.
//! * [`Function`] is for operations with a gradient of your own.

mod files;
mod function;
mod methods;
pub mod print;

pub use files::{load, save};
pub use flambeau_core::autograd::{enable_grad, grad, no_grad};
pub use flambeau_core::{DType, Device, Element, Error, ErrorKind, Generator, Result, Scalar, Tensor, autograd};
pub use flambeau_ops as ops;
pub use function::{Function, apply};
pub use methods::{TensorMethods, create};

/// Modules, and what they are made of.
pub mod nn {
    pub use flambeau_derive::Module;
    pub use flambeau_nn::*;
}

/// Optimizers and learning rate schedules.
pub use flambeau_nn::optim;

/// Datasets, samplers and the [`DataLoader`](data::DataLoader).
pub use flambeau_nn::data;

/// Everything that a program usually needs.
pub mod prelude {
    pub use crate::create::*;
    pub use crate::data::{DataLoader, Dataset};
    pub use crate::methods::TensorMethods;
    pub use crate::nn::{
        AdaptiveAvgPool2d, AvgPool2d, BCELoss, BCEWithLogitsLoss, BatchNorm1d, BatchNorm2d, BatchNorm3d, Buffer,
        Conv1d, Conv2d, Conv3d, ConvOptions, ConvTranspose2d, CrossEntropyLoss, Dropout, Embedding, Flatten, Forward,
        Gelu, GroupNorm, L1Loss, LayerNorm, LeakyReLU, Linear, MSELoss, MaxPool2d, Module, MultiheadAttention, NLLLoss,
        Parameter, ReLU, Reduction, Sequential, SiLU, Sigmoid, StateDict, Tanh, TensorDataset, TransformerEncoderLayer,
    };
    pub use crate::optim::schedule::{
        CosineAnnealingLR, ExponentialLR, LinearLR, MultiStepLR, OneCycleLR, ReduceLROnPlateau, Scheduler, StepLR,
    };
    pub use crate::optim::{Adadelta, Adam, AdamW, Optimizer, RMSprop, SGD};
    pub use crate::{
        DType, Device, Error, Function, Generator, Result, Scalar, Tensor, apply, enable_grad, load, manual_seed, nn,
        no_grad, save,
    };
    pub use flambeau_ops::loss::{cross_entropy, mse_loss, nll_loss};
    pub use flambeau_ops::shape::{cat, stack};
}

/// Starts the default generator's stream that belongs to `seed`: the same numbers as PyTorch's on a CPU.
pub fn manual_seed(seed: u64) {
    Generator::default_cpu().manual_seed(seed);
}

/// At most so many threads from now on.
///
/// # Errors
/// `Runtime` for zero.
pub fn set_num_threads(threads: usize) -> Result<()> {
    flambeau_core::check!(threads > 0, Runtime, "expected a positive integer number of threads");
    flambeau_core::device::backend(Device::CPU)?.set_num_threads(threads);
    Ok(())
}

/// Installs the CPU's kernels. Runs by itself before `main`; only where a platform has no constructors must a program call it.
pub fn init() {
    flambeau_ops::init();
}

#[ctor::ctor(unsafe)]
fn install() {
    init();
}
