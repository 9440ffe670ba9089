//! What a tensor is: dtypes, devices, storage, strided views, the one dispatch boundary and the autograd engine.
//! See ARCHITECTURE.md for how the crates fit together.

pub mod backend;
pub mod dtype;
pub mod error;
pub mod generator;
pub mod scalar;

pub use dtype::{DType, promote};
pub use error::{Error, ErrorKind, Result};
pub use scalar::Scalar;
