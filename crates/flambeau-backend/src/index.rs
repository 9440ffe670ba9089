//! Reading and writing at computed positions.

use super::{Raw, missing};
use crate::error::Result;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ScatterReduce {
    Set,
    Add,
    Mul,
    Amax,
    Amin,
}

/// Indices are `i64` (or `i32` where noted). Negative indices count from the end only in `index`/`index_put`; an index out of
/// range is an `Index` error with PyTorch's text: `index 7 is out of bounds for dimension 0 with size 5`.
pub trait Indexing {
    /// `out[i][j][k] = x[index[i][j][k]][j][k]` for `dim == 0`; `index` and `out` have the same sizes, each at most
    /// those of `x` outside `dim`. Any dtype. Out of range is a `Runtime` error:
    /// `index 7 is out of bounds for dimension 0 with size 5`.
    fn gather(&self, x: Raw, index: Raw, out: Raw, dim: usize) -> Result<()> {
        let _ = (x, index, out, dim);
        Err(missing("gather"))
    }

    /// The reverse: `out[index[i][j][k]][j][k] (op)= src[i][j][k]`, in order of `index`. `src` has at least the sizes of
    /// `index` (a scalar source comes with zero strides); `out` holds the initial values.
    fn scatter(&self, out: Raw, index: Raw, src: Raw, dim: usize, reduce: ScatterReduce) -> Result<()> {
        let _ = (out, index, src, dim, reduce);
        Err(missing("scatter"))
    }

    /// Whole slices: `out.select(dim, i) = x.select(dim, index[i])`; `index` is 1-D, `i64` or `i32`. Any dtype.
    fn index_select(&self, x: Raw, index: Raw, out: Raw, dim: usize) -> Result<()> {
        let _ = (x, index, out, dim);
        Err(missing("index_select"))
    }

    /// `out.select(dim, index[i]) (op)= src.select(dim, i)`; `src` is already scaled.
    fn index_reduce(&self, out: Raw, index: Raw, src: Raw, dim: usize, reduce: ScatterReduce) -> Result<()> {
        let _ = (out, index, src, dim, reduce);
        Err(missing("index_add"))
    }

    /// Advanced indexing. `x` has been permuted so that the indexed dimensions come first: `indices.len()` of them.
    /// Every index is expanded to one common shape `s`; `out` has sizes `s + x.sizes[indices.len()..]`.
    /// `axes[i]` is the user's dimension of indexed dimension `i`, for the error text. Any dtype.
    fn index(&self, x: Raw, indices: &[Raw], axes: &[usize], out: Raw) -> Result<()> {
        let _ = (x, indices, axes, out);
        Err(missing("index"))
    }

    /// The reverse: writes (or adds) `values`, of sizes `s + out.sizes[indices.len()..]`, in order.
    fn index_put(&self, out: Raw, indices: &[Raw], axes: &[usize], values: Raw, accumulate: bool) -> Result<()> {
        let _ = (out, indices, axes, values, accumulate);
        Err(missing("index_put"))
    }

    /// How many elements are not zero.
    fn count_nonzero(&self, x: Raw) -> Result<usize> {
        let _ = x;
        Err(missing("nonzero"))
    }

    /// Coordinates of the elements that are not zero, row-major; `out` is `i64` of sizes `[count, x.ndim]`.
    fn nonzero(&self, x: Raw, out: Raw) -> Result<()> {
        let _ = (x, out);
        Err(missing("nonzero"))
    }

    /// `out` (1-D) takes the elements of `x` where `mask` (same sizes, `bool`) holds, row-major. Any dtype.
    fn masked_select(&self, x: Raw, mask: Raw, out: Raw) -> Result<()> {
        let _ = (x, mask, out);
        Err(missing("masked_select"))
    }

    /// Elements of `out` where `mask` holds take `src`'s elements in order (`src` contiguous 1-D, long enough).
    fn masked_scatter(&self, out: Raw, mask: Raw, src: Raw) -> Result<()> {
        let _ = (out, mask, src);
        Err(missing("masked_scatter"))
    }

    /// Reverses the dimensions in `dims`.
    fn flip(&self, x: Raw, out: Raw, dims: &[usize]) -> Result<()> {
        let _ = (x, out, dims);
        Err(missing("flip"))
    }

    /// Occurrences of each value of a 1-D non-negative integer `x` in `out` (1-D, `i64`; or the sums of `weights`,
    /// float of `out`'s dtype). `out` is zeroed by the kernel.
    fn bincount(&self, x: Raw, weights: Option<Raw>, out: Raw) -> Result<()> {
        let _ = (x, weights, out);
        Err(missing("bincount"))
    }
}
