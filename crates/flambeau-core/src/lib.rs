//! What a tensor is: dtypes, devices, storage, strided views, the one dispatch boundary and the autograd engine.
//! See ARCHITECTURE.md for how the crates fit together.

pub mod alloc;
pub mod autograd;
pub mod call;
mod data;
pub mod device;
mod explain;
pub mod fork;
pub mod intrinsics;
pub mod layout;
mod lock;
pub mod op;
mod operators;
mod out_rules;
mod quick;
pub mod random;
pub mod schema;
pub mod shared;
pub mod storage;
mod tensor;
pub mod view;

pub use flambeau_backend::{self as backend, bail, check, dtype, error, generator, scalar};
pub use flambeau_backend::{DType, Error, ErrorKind, Result, Scalar, default_dtype, promote, set_default_dtype};

pub use call::{call, call_inplace, call_out, call1};
pub use data::Element;
pub use device::{Device, DeviceKind};
pub use operators::Operand;
pub use out_rules::c_name;
pub use random::Generator;
pub use tensor::{Tensor, WeakTensor};
