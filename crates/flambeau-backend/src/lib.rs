//! What a device must offer: kernel families over raw strided memory.
//!
//! One trait per family, grouped by [`Backend`]. A kernel gets [`Raw`] views: pointers, dtypes, sizes and strides; it
//! knows no tensor and no graph. The operation's row has checked shapes and dtypes before, so a kernel may rely on the
//! contract written at each method; a dtype that a kernel does not take is refused with [`Error::dtype`], never by a panic.
//!
//! Conventions, unless a method says otherwise:
//! * Sizes and strides are in elements; strides may be zero (broadcast inputs) or negative; any rank up to 64, zero
//!   elements included.
//! * All operands have the rank and sizes of the output (inputs already expanded), and the dtypes that the method names.
//! * Outputs never alias each other and have no overlapping elements; an output may be *the same* memory as an input
//!   with the same strides (in-place) in elementwise methods only.
//! * Reduced-precision floats accumulate in float32; integer arithmetic wraps.

mod contraction;
pub mod dtype;
mod elementwise;
pub mod error;
pub mod generator;
mod index;
mod norm;
mod optimizers;
mod random;
mod recurrent;
mod reduce;
pub mod scalar;
mod window;

pub use contraction::{Attention, Contraction, ConvParams};
pub use elementwise::{BinaryOp, Elementwise, Polynomial, TernaryOp, UnaryOp};
pub use index::{Indexing, ScatterReduce};
pub use norm::Norms;
pub use optimizers::{AdadeltaStep, AdamStep, Optimizers, RmspropStep, SgdStep};
pub use random::{Distribution, Random};
pub use recurrent::{LstmTrace, Recurrent};
pub use reduce::{ReduceOp, Reductions, ScanOp};
pub use window::{PoolParams, Windows};

pub use dtype::{DType, promote};
pub use error::{Error, ErrorKind, Result};
pub use scalar::{Scalar, default_dtype, set_default_dtype};

/// A kernel's view of a tensor: raw memory, nothing owned.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    /// The element at index zero in every dimension (storage offset applied).
    pub ptr: *mut u8,
    pub dtype: DType,
    pub sizes: &'a [i64],
    /// In elements.
    pub strides: &'a [i64],
}

// SAFETY: `Raw` only names memory; kernels that share one between threads write disjoint parts of it.
unsafe impl Send for Raw<'_> {}
// SAFETY: as above.
unsafe impl Sync for Raw<'_> {}

impl<'a> Raw<'a> {
    #[inline]
    pub fn ndim(&self) -> usize {
        self.sizes.len()
    }

    #[inline]
    pub fn numel(&self) -> usize {
        self.sizes.iter().product::<i64>() as usize
    }

    /// Row-major without gaps.
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        for (&n, &s) in self.sizes.iter().zip(self.strides).rev() {
            if n != 1 && s != expected {
                return n == 0 || self.sizes.contains(&0);
            }
            expected *= n;
        }
        true
    }

    /// The same memory seen with other sizes and strides.
    pub fn with_layout<'b>(&self, sizes: &'b [i64], strides: &'b [i64]) -> Raw<'b> {
        Raw { ptr: self.ptr, dtype: self.dtype, sizes, strides }
    }
}

/// A device's kernels: everything that a row may ask for.
pub trait Backend:
    Elementwise
    + Reductions
    + Indexing
    + Contraction
    + Recurrent
    + Windows
    + Norms
    + Optimizers
    + Random
    + Send
    + Sync
    + 'static
{
    fn name(&self) -> &'static str;

    /// Runs `f` with at most `threads` threads from now on (`torch.set_num_threads`).
    fn set_num_threads(&self, threads: usize);

    fn num_threads(&self) -> usize;
}

#[cold]
pub(crate) fn missing(what: &str) -> Error {
    Error::not_implemented(format!("{what} is not implemented for this device"))
}
