//! Views as data: each says how a layout changes, and is kept with the tensor it made. The same description serves the
//! view's gradient, in-place writes on views, and (later) functionalisation.

use crate::dtype::DType;
use crate::error::Result;
use crate::layout::{self, Dims};
use crate::{bail, check};

/// Sizes, strides and start of a tensor inside its storage, in elements of `dtype`.
#[derive(Clone, PartialEq, Debug)]
pub struct Layout {
    pub sizes: Dims,
    pub strides: Dims,
    pub offset: i64,
    pub dtype: DType,
}

/// A change of layout over the same memory. Dimensions are wrapped and ranges clamped before one is made.
#[derive(Clone, PartialEq, Debug)]
pub enum ViewOp {
    /// The same elements with other sizes; needs compatible strides.
    View(Dims),
    Permute(Dims),
    /// To larger sizes with stride 0; `-1` keeps a size.
    Expand(Dims),
    /// `start .. start + step*len` along a dimension.
    Slice {
        dim: usize,
        start: i64,
        len: i64,
        step: i64,
    },
    /// One position; the dimension goes away.
    Select {
        dim: usize,
        index: i64,
    },
    Unsqueeze(usize),
    /// Drops a dimension of size 1.
    Squeeze(usize),
    /// The diagonal of two dimensions becomes the last one.
    Diagonal {
        offset: i64,
        dim1: usize,
        dim2: usize,
    },
    /// Windows of `size` every `step` become a new last dimension.
    Unfold {
        dim: usize,
        size: i64,
        step: i64,
    },
    AsStrided {
        sizes: Dims,
        strides: Dims,
        offset: i64,
    },
    /// The bytes read as another dtype.
    Dtype(DType),
    /// A complex tensor as real pairs in a new last dimension.
    AsReal,
    /// The reverse.
    AsComplex,
    /// The real (0) or imaginary (1) part of a complex tensor.
    Part(i64),
    Alias,
}

impl ViewOp {
    /// Whether the view is told by places in memory, not by elements of its input.
    pub fn depends_on_strides(&self) -> bool {
        matches!(self, ViewOp::AsStrided { .. })
    }

    /// The layout after the view.
    pub fn apply(&self, x: &Layout) -> Result<Layout> {
        let mut y = x.clone();
        match self {
            ViewOp::View(to) => {
                y.strides = match layout::view_strides(&x.sizes, &x.strides, to) {
                    Some(s) => s,
                    None => bail!(
                        Runtime,
                        "view size is not compatible with input tensor's size and stride (at least one dimension spans \
                         across two contiguous subspaces). Use .reshape(...) instead."
                    ),
                };
                y.sizes = to.clone();
            }
            ViewOp::Permute(order) => {
                y.sizes = order.iter().map(|&d| x.sizes[d as usize]).collect();
                y.strides = order.iter().map(|&d| x.strides[d as usize]).collect();
            }
            ViewOp::Expand(to) => {
                let lead = to.len() - x.sizes.len();
                y.sizes = to
                    .iter()
                    .enumerate()
                    .map(|(i, &n)| if n == -1 && i >= lead { x.sizes[i - lead] } else { n })
                    .collect();
                y.strides = match layout::expand_strides(&x.sizes, &x.strides, &y.sizes) {
                    Some(mut s) => {
                        // A new dimension of size one has the stride that it would have had without expanding; all have none
                        // where there was none to begin with.
                        for d in (0..lead).rev().filter(|&d| y.sizes[d] == 1 && !x.sizes.is_empty()) {
                            s[d] = s.get(d + 1).map_or(1, |s| s * y.sizes[d + 1]);
                        }
                        s
                    }
                    None => bail!(Runtime, "cannot expand {} to {}", layout::fmt(&x.sizes), layout::fmt(&y.sizes)),
                };
            }
            &ViewOp::Slice { dim, start, len, step } => {
                y.offset += start * x.strides[dim];
                y.sizes[dim] = len;
                // What overflows is the stride of one element, which nobody takes.
                y.strides[dim] = x.strides[dim].saturating_mul(step);
            }
            &ViewOp::Select { dim, index } => {
                y.offset += index * x.strides[dim];
                y.sizes.remove(dim);
                y.strides.remove(dim);
            }
            &ViewOp::Unsqueeze(dim) => {
                let stride = if dim < x.sizes.len() { x.sizes[dim].saturating_mul(x.strides[dim]) } else { 1 };
                y.sizes.insert(dim, 1);
                y.strides.insert(dim, stride);
            }
            &ViewOp::Squeeze(dim) => {
                y.sizes.remove(dim);
                y.strides.remove(dim);
            }
            &ViewOp::Diagonal { offset, dim1, dim2 } => {
                let (n, m) = (x.sizes[dim1], x.sizes[dim2]);
                let len = if offset >= 0 { n.min(m - offset) } else { (n + offset).min(m) }.max(0);
                if len > 0 {
                    y.offset += if offset >= 0 { offset * x.strides[dim2] } else { -offset * x.strides[dim1] };
                }
                let stride = x.strides[dim1].saturating_add(x.strides[dim2]);
                for d in [dim1.max(dim2), dim1.min(dim2)] {
                    y.sizes.remove(d);
                    y.strides.remove(d);
                }
                y.sizes.push(len);
                y.strides.push(stride);
            }
            &ViewOp::Unfold { dim, size, step } => {
                if x.sizes.is_empty() {
                    y.sizes.push(size);
                    y.strides.push(1);
                } else {
                    y.sizes[dim] = (x.sizes[dim] - size) / step + 1;
                    y.strides[dim] = x.strides[dim].saturating_mul(step);
                    y.sizes.push(size);
                    y.strides.push(x.strides[dim]);
                }
            }
            ViewOp::AsStrided { sizes, strides, offset } => {
                y.sizes = sizes.clone();
                y.strides = strides.clone();
                y.offset = *offset;
            }
            &ViewOp::Dtype(dtype) => return reinterpret(x, dtype),
            ViewOp::AsReal => {
                y.dtype = x.dtype.to_real();
                y.strides.iter_mut().for_each(|s| *s = s.saturating_mul(2));
                y.sizes.push(2);
                y.strides.push(1);
                y.offset *= 2;
            }
            ViewOp::AsComplex => {
                y.dtype = x.dtype.to_complex();
                check!(x.sizes.last() == Some(&2), Runtime, "Tensor must have a last dimension of size 2");
                check!(x.strides.last() == Some(&1), Runtime, "Tensor must have a last dimension with stride 1");
                y.sizes.pop();
                y.strides.pop();
                for s in &mut y.strides {
                    // Strides of empty tensors end at the largest number.
                    check!(
                        *s % 2 == 0 || *s == i64::MAX,
                        Runtime,
                        "Tensor must have a stride divisible by 2 for all but last dimension"
                    );
                    *s /= 2;
                }
                check!(x.offset % 2 == 0, Runtime, "Tensor must have a storage_offset divisible by 2");
                y.offset /= 2;
            }
            &ViewOp::Part(part) => {
                y.dtype = x.dtype.to_real();
                y.strides.iter_mut().for_each(|s| *s = s.saturating_mul(2));
                y.offset = x.offset * 2 + part;
            }
            ViewOp::Alias => {}
        }
        Ok(y)
    }
}

fn reinterpret(x: &Layout, dtype: DType) -> Result<Layout> {
    let (from, to) = (x.dtype.size() as i64, dtype.size() as i64);
    let mut y = x.clone();
    y.dtype = dtype;
    if from == to {
        return Ok(y);
    }
    let Some(last) = x.sizes.len().checked_sub(1) else {
        bail!(
            Runtime,
            "self.dim() cannot be 0 to view {} as {} (different element sizes)",
            x.dtype.scalar_name(),
            dtype.scalar_name()
        )
    };
    check!(
        x.strides[last] == 1,
        Runtime,
        "self.stride(-1) must be 1 to view {} as {} (different element sizes), but got {}",
        x.dtype.scalar_name(),
        dtype.scalar_name(),
        x.strides[last]
    );
    if from > to {
        let k = from / to;
        y.offset *= k;
        y.sizes[last] = y.sizes[last].saturating_mul(k);
        y.strides.iter_mut().take(last).for_each(|s| *s = s.saturating_mul(k));
    } else {
        let k = to / from;
        check!(
            x.sizes[last] % k == 0,
            Runtime,
            "self.size(-1) must be divisible by {k} to view {} as {} (different element sizes), but got {}",
            x.dtype.scalar_name(),
            dtype.scalar_name(),
            x.sizes[last]
        );
        check!(x.offset % k == 0, Runtime, "self.storage_offset() must be divisible by {k}");
        for s in y.strides.iter_mut().take(last) {
            check!(*s % k == 0, Runtime, "self.stride must be divisible by {k}");
            *s /= k;
        }
        y.sizes[last] /= k;
        y.offset /= k;
    }
    Ok(y)
}
