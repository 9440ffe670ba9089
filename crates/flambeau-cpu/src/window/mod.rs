//! Windows over planes: pools, their gradients, and sliding blocks. Threads share out whole planes.

mod avg;
mod geometry;
mod max;
mod plane;
#[cfg(test)]
mod tests;
mod unfold;

use crate::Cpu;
use flambeau_backend::Result;
use flambeau_backend::{PoolParams, Raw, Windows};

impl Windows for Cpu {
    fn max_pool(&self, x: Raw, out: Raw, idx: Raw, p: &PoolParams) -> Result<()> {
        max::max_pool(x, out, idx, p)
    }

    fn plane_scatter(&self, g: Raw, idx: Raw, out: Raw, nd: usize) -> Result<()> {
        plane::plane_scatter(g, idx, out, nd)
    }

    fn plane_gather(&self, x: Raw, idx: Raw, out: Raw, nd: usize) -> Result<()> {
        plane::plane_gather(x, idx, out, nd)
    }

    fn avg_pool(&self, x: Raw, out: Raw, p: &PoolParams) -> Result<()> {
        avg::avg_pool(x, out, p)
    }

    fn avg_pool_backward(&self, g: Raw, gx: Raw, p: &PoolParams) -> Result<()> {
        avg::avg_pool_backward(g, gx, p)
    }

    fn adaptive_avg_pool(&self, x: Raw, out: Raw, nd: usize) -> Result<()> {
        avg::adaptive_avg_pool(x, out, nd)
    }

    fn adaptive_avg_pool_backward(&self, g: Raw, gx: Raw, nd: usize) -> Result<()> {
        avg::adaptive_avg_pool_backward(g, gx, nd)
    }

    fn adaptive_max_pool(&self, x: Raw, out: Raw, idx: Raw, nd: usize) -> Result<()> {
        max::adaptive_max_pool(x, out, idx, nd)
    }

    fn im2col(&self, x: Raw, out: Raw, p: &PoolParams) -> Result<()> {
        unfold::im2col(x, out, p)
    }

    fn col2im(&self, columns: Raw, out: Raw, p: &PoolParams) -> Result<()> {
        unfold::col2im(columns, out, p)
    }
}
