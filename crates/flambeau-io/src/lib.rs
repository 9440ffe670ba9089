//! Files in, files out: PyTorch checkpoints, safetensors, NumPy arrays.
//!
//! Everything here works on plain data ([`Value`], [`RawTensor`], [`RawStorage`]); turning it into tensors of a device is the
//! caller's business. Reading is safe: a file can name data, never code to run, and a broken or hostile file gives an
//! [`Error`], not a panic and not an allocation beyond what its own size allows.
//!
//! * [`pth`]: what `torch.save` writes and `torch.load(weights_only=True)` reads.
//! * [`safetensors`]: Hugging Face's format.
//! * [`npy`]: NumPy's `.npy` and `.npz`.

mod archive;
mod error;
pub mod npy;
mod pickle;
pub mod pth;
pub mod safetensors;
mod value;

pub use error::{Error, Result};
pub use value::{Dict, DictKind, RawStorage, RawTensor, Value};
