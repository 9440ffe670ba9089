//! The few operations that the engine itself needs; the operations' crate installs them.

use std::sync::OnceLock;

use crate::autograd::OutMeta;
use crate::error::Result;
use crate::layout::Dims;
use crate::tensor::Tensor;

/// Function pointers into the operations' crate.
pub struct Intrinsics {
    pub add: fn(&Tensor, &Tensor) -> Result<Tensor>,
    pub sub: fn(&Tensor, &Tensor) -> Result<Tensor>,
    pub mul: fn(&Tensor, &Tensor) -> Result<Tensor>,
    pub div: fn(&Tensor, &Tensor) -> Result<Tensor>,
    pub neg: fn(&Tensor) -> Result<Tensor>,
    pub add_: fn(&Tensor, &Tensor) -> Result<()>,
    pub clone: fn(&Tensor) -> Result<Tensor>,
    /// A copy with the last dimension innermost.
    pub row_major: fn(&Tensor) -> Result<Tensor>,
    pub copy_: fn(&Tensor, &Tensor) -> Result<()>,
    pub zeros: fn(&OutMeta) -> Result<Tensor>,
    pub ones_like: fn(&Tensor) -> Result<Tensor>,
    /// Sums a gradient down to the shape that was broadcast.
    pub sum_to: fn(&Tensor, &[i64]) -> Result<Tensor>,
    pub cast: fn(&Tensor, crate::DType) -> Result<Tensor>,
    pub real: fn(&Tensor) -> Result<Tensor>,
    pub reshape: fn(&Tensor, &Dims) -> Result<Tensor>,
    /// A tensor of zeros whose view under `op` is the gradient; differentiable. The input's own layout comes along for a
    /// view that [depends on it](crate::view::ViewOp::depends_on_strides).
    pub unview: fn(&Tensor, &crate::view::ViewOp, &OutMeta, Option<&crate::view::Layout>) -> Result<Tensor>,
    /// Tensors side by side along a dimension.
    pub cat: fn(&[Tensor], usize) -> Result<Tensor>,
    pub has_nan: fn(&Tensor) -> Result<bool>,
}

static TABLE: OnceLock<Intrinsics> = OnceLock::new();

pub fn install(table: Intrinsics) {
    let _ = TABLE.set(table);
}

pub(crate) fn intrinsics() -> &'static Intrinsics {
    TABLE.get().expect("flambeau_ops::init() installs the engine's operations")
}

impl Intrinsics {
    pub fn add(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        (self.add)(a, b)
    }

    pub fn add_(&self, a: &Tensor, b: &Tensor) -> Result<()> {
        (self.add_)(a, b)
    }

    pub fn clone(&self, a: &Tensor) -> Result<Tensor> {
        (self.clone)(a)
    }
}
