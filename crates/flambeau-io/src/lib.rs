//! Files in, files out: PyTorch checkpoints, safetensors, NumPy arrays.
//!
//! The formats work on plain data ([`Value`], [`RawTensor`], [`RawStorage`]); [`state`] turns it into tensors. Reading is safe:
//! a file can name data, never code to run, and a broken or hostile file gives an [`Error`], not a panic and not an allocation
//! beyond what its own size allows.
//!
//! * [`pth`]: what `torch.save` writes and `torch.load(weights_only=True)` reads.
//! * [`safetensors`]: Hugging Face's format.
//! * [`npy`]: NumPy's `.npy` and `.npz`.
//! * [`state`]: state dicts of tensors, in the first two.

mod archive;
mod atomic;
mod error;
pub mod npy;
mod pickle;
pub mod pth;
pub mod safetensors;
pub mod state;
mod value;

pub use error::{Error, Result};
pub use value::{Dict, DictKind, RawStorage, RawTensor, Value};
