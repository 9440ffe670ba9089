//! Reductions: `sum` to `logsumexp`, variance, `argmax` and its like.

mod arg;
mod fold;
mod norm;
mod ops;
mod plan;
mod simple;
#[cfg(test)]
mod tests;
mod variance;

pub(crate) use fold::Shared;
pub(crate) use plan::{Plan, TILE};
pub(crate) use simple::as_real;
pub(crate) use variance::var_mean_as;

use crate::Cpu;
use flambeau_backend::Result;
use flambeau_backend::{Raw, ReduceOp, Reductions, ScanOp};

impl Reductions for Cpu {
    /// Beyond the contract: `Sum` also takes any integer or `bool` input with an `i64` output.
    fn reduce(&self, op: ReduceOp, p: &[f64], x: Raw, out: Raw) -> Result<()> {
        simple::reduce(op, p, x, out)
    }

    fn arg_reduce(&self, largest: bool, x: Raw, out: Raw, dim: usize) -> Result<()> {
        arg::arg_reduce(largest, x, None, out, dim)
    }

    fn minmax_dim(&self, largest: bool, x: Raw, values: Raw, indices: Raw, dim: usize) -> Result<()> {
        arg::arg_reduce(largest, x, Some(values), indices, dim)
    }

    fn var_mean(&self, x: Raw, var: Raw, mean: Raw, correction: f64) -> Result<()> {
        variance::var_mean(x, var, mean, correction)
    }

    fn scan(&self, op: ScanOp, x: Raw, out: Raw, indices: Option<Raw>, dim: usize) -> Result<()> {
        crate::scan::scan(op, x, out, indices, dim)
    }

    fn sort(&self, x: Raw, values: Raw, indices: Raw, dim: usize, descending: bool) -> Result<()> {
        crate::sort::sort(x, values, indices, dim, descending)
    }

    fn topk(&self, x: Raw, values: Raw, indices: Raw, dim: usize, largest: bool) -> Result<()> {
        crate::sort::topk(x, values, indices, dim, largest)
    }

    fn searchsorted(&self, sorted: Raw, v: Raw, out: Raw, right: bool) -> Result<()> {
        crate::sort::searchsorted(sorted, v, out, right)
    }
}
