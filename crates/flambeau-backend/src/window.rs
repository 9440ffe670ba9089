//! Pooling and resampling windows.

use super::{Raw, missing};
use crate::error::Result;

/// Geometry of an n-dimensional pool, `nd` in 1..=3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolParams {
    pub nd: usize,
    pub kernel: [i64; 3],
    pub stride: [i64; 3],
    pub padding: [i64; 3],
    pub dilation: [i64; 3],
    /// Average pooling: padding counts as zeros in the divisor.
    pub count_include_pad: bool,
    /// Average pooling: 0 means the window's size.
    pub divisor_override: i64,
}

/// Operands are `[n, c, ...]` with `nd` spatial dimensions and any strides; `idx` holds the flat position inside the input's plane.
pub trait Windows {
    /// First maximum of each window and its position; padding never wins, NaN does. Floats and integers.
    fn max_pool(&self, x: Raw, out: Raw, idx: Raw, p: &PoolParams) -> Result<()> {
        let _ = (x, out, idx, p);
        Err(missing("max_pool"))
    }

    /// `out[n, c, idx] += g[n, c, ...]`, `out` zeroed first: max pooling's gradient, and unpooling when positions are unique.
    fn plane_scatter(&self, g: Raw, idx: Raw, out: Raw, nd: usize) -> Result<()> {
        let _ = (g, idx, out, nd);
        Err(missing("plane_scatter"))
    }

    /// `out[n, c, ...] = x[n, c, idx]`.
    fn plane_gather(&self, x: Raw, idx: Raw, out: Raw, nd: usize) -> Result<()> {
        let _ = (x, idx, out, nd);
        Err(missing("plane_gather"))
    }

    fn avg_pool(&self, x: Raw, out: Raw, p: &PoolParams) -> Result<()> {
        let _ = (x, out, p);
        Err(missing("avg_pool"))
    }

    fn avg_pool_backward(&self, g: Raw, gx: Raw, p: &PoolParams) -> Result<()> {
        let _ = (g, gx, p);
        Err(missing("avg_pool_backward"))
    }

    /// Window `i` of `n_out` covers `floor(i*n_in/n_out) .. ceil((i+1)*n_in/n_out)`.
    fn adaptive_avg_pool(&self, x: Raw, out: Raw, nd: usize) -> Result<()> {
        let _ = (x, out, nd);
        Err(missing("adaptive_avg_pool"))
    }

    fn adaptive_avg_pool_backward(&self, g: Raw, gx: Raw, nd: usize) -> Result<()> {
        let _ = (g, gx, nd);
        Err(missing("adaptive_avg_pool_backward"))
    }

    fn adaptive_max_pool(&self, x: Raw, out: Raw, idx: Raw, nd: usize) -> Result<()> {
        let _ = (x, out, idx, nd);
        Err(missing("adaptive_max_pool"))
    }

    /// Columns of sliding blocks: `x` `[n, c, h, w]` to `out` `[n, c*kh*kw, blocks]` (`unfold`).
    fn im2col(&self, x: Raw, out: Raw, p: &PoolParams) -> Result<()> {
        let _ = (x, out, p);
        Err(missing("im2col"))
    }

    /// Sums of the columns back into place (`fold`); the adjoint of [`im2col`](Self::im2col).
    fn col2im(&self, columns: Raw, out: Raw, p: &PoolParams) -> Result<()> {
        let _ = (columns, out, p);
        Err(missing("col2im"))
    }
}
