//! Reductions, scans and ordering.

use super::{Raw, missing};
use crate::error::Result;

/// A reduction; `x` and `out` share a dtype unless noted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ReduceOp {
    /// Pairwise or blocked, so that the error grows with log(n).
    Sum,
    /// Skips NaN.
    NanSum,
    /// Float and complex only.
    Mean,
    Prod,
    /// NaN wins.
    Amax,
    Amin,
    /// Any dtype to `bool` (`u8` output for `u8` input).
    Any,
    All,
    /// Any dtype to `i64`.
    CountNonzero,
    /// `p[0]`-norm: 0, 1, 2, inf, -inf, any other. Complex input, real output.
    Norm,
    LogSumExp,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ScanOp {
    Sum,
    Prod,
    /// With indices (`i64`, the last of equals); NaN propagates.
    Max,
    Min,
    LogSumExp,
}

pub trait Reductions {
    /// `out` has the rank of `x` with size 1 in each reduced dimension (its stride there is meaningless).
    /// An empty reduction gives the identity; `Amax`/`Amin` of nothing are refused by the caller.
    fn reduce(&self, op: ReduceOp, p: &[f64], x: Raw, out: Raw) -> Result<()> {
        let _ = (p, x, out);
        Err(missing(&format!("{op:?}")))
    }

    /// Position (`i64`) of the largest (or smallest) element along `dim`, the first of equals; NaN wins.
    /// `out` has size 1 in `dim`.
    fn arg_reduce(&self, largest: bool, x: Raw, out: Raw, dim: usize) -> Result<()> {
        let _ = (largest, x, out, dim);
        Err(missing("argmax"))
    }

    /// Values and positions in one pass; otherwise as [`arg_reduce`](Self::arg_reduce).
    fn minmax_dim(&self, largest: bool, x: Raw, values: Raw, indices: Raw, dim: usize) -> Result<()> {
        let _ = (largest, x, values, indices, dim);
        Err(missing("max"))
    }

    /// Variance (`sum((x-mean)^2) / max(0, n - correction)`, Welford or two-pass) and mean over the dimensions
    /// where the outputs have size 1. Complex input: `var` is real.
    fn var_mean(&self, x: Raw, var: Raw, mean: Raw, correction: f64) -> Result<()> {
        let _ = (x, var, mean, correction);
        Err(missing("var_mean"))
    }

    /// Inclusive scan along `dim`; `indices` only for `Max` and `Min`.
    fn scan(&self, op: ScanOp, x: Raw, out: Raw, indices: Option<Raw>, dim: usize) -> Result<()> {
        let _ = (x, out, indices, dim);
        Err(missing(&format!("{op:?}")))
    }

    /// Stable sort along `dim`; NaN is greater than everything.
    fn sort(&self, x: Raw, values: Raw, indices: Raw, dim: usize, descending: bool) -> Result<()> {
        let _ = (x, values, indices, dim, descending);
        Err(missing("sort"))
    }

    /// The `k = values.sizes[dim]` largest (or smallest) along `dim`, in order.
    fn topk(&self, x: Raw, values: Raw, indices: Raw, dim: usize, largest: bool) -> Result<()> {
        let _ = (x, values, indices, dim, largest);
        Err(missing("topk"))
    }

    /// For each `v`, the insertion place into the last dimension of `sorted` (1-D, or the leading sizes of `v`).
    /// `out` is `i64`; `right` selects the upper bound.
    fn searchsorted(&self, sorted: Raw, v: Raw, out: Raw, right: bool) -> Result<()> {
        let _ = (sorted, v, out, right);
        Err(missing("searchsorted"))
    }
}
