//! What a tensor is: dtypes, devices, storage, strided views, the one dispatch boundary and the autograd engine.
//! See ARCHITECTURE.md for how the crates fit together.

pub mod alloc;
pub mod autograd;
pub mod backend;
pub mod call;
mod data;
pub mod device;
pub mod dtype;
pub mod error;
pub mod generator;
pub mod intrinsics;
pub mod layout;
pub mod op;
pub mod random;
pub mod scalar;
pub mod storage;
mod tensor;
pub mod view;

pub use call::{call, call_inplace, call_out, call1};
pub use data::Element;
pub use device::{Device, DeviceKind};
pub use dtype::{DType, promote};
pub use error::{Error, ErrorKind, Result};
pub use random::Generator;
pub use scalar::{Scalar, default_dtype, set_default_dtype};
pub use tensor::{Tensor, WeakTensor};
