//! Softmax, layer and batch normalisation, negative log likelihood.

mod batch;
mod layer;
mod nll;
mod row;
mod softmax;
#[cfg(test)]
mod tests;

use crate::Cpu;
use flambeau_backend::Result;
use flambeau_backend::{Norms, Raw};

impl Norms for Cpu {
    fn softmax(&self, x: Raw, out: Raw, dim: usize, log: bool) -> Result<()> {
        softmax::softmax(x, out, dim, log)
    }

    fn softmax_backward(&self, g: Raw, y: Raw, gx: Raw, dim: usize, log: bool) -> Result<()> {
        softmax::softmax_backward(g, y, gx, dim, log)
    }

    fn layer_norm(
        &self,
        x: Raw,
        w: Option<Raw>,
        b: Option<Raw>,
        eps: f64,
        out: Raw,
        mean: Raw,
        rstd: Raw,
    ) -> Result<()> {
        layer::layer_norm(x, w, b, eps, out, mean, rstd)
    }

    fn layer_norm_backward(
        &self,
        g: Raw,
        x: Raw,
        mean: Raw,
        rstd: Raw,
        w: Option<Raw>,
        gx: Option<Raw>,
        gw: Option<Raw>,
        gb: Option<Raw>,
    ) -> Result<()> {
        layer::layer_norm_backward(g, x, mean, rstd, w, gx, gw, gb)
    }

    fn channel_stats(&self, x: Raw, mean: Raw, var: Raw) -> Result<()> {
        batch::channel_stats(x, mean, var)
    }

    fn channel_affine(&self, x: Raw, mean: Raw, invstd: Raw, w: Option<Raw>, b: Option<Raw>, out: Raw) -> Result<()> {
        batch::channel_affine(x, mean, invstd, w, b, out)
    }

    fn batch_norm_backward(
        &self,
        g: Raw,
        x: Raw,
        mean: Raw,
        invstd: Raw,
        w: Option<Raw>,
        train: bool,
        gx: Option<Raw>,
        gw: Option<Raw>,
        gb: Option<Raw>,
    ) -> Result<()> {
        batch::batch_norm_backward(g, x, mean, invstd, w, train, gx, gw, gb)
    }

    fn nll(&self, logp: Raw, target: Raw, w: Option<Raw>, ignore: i64, out: Raw) -> Result<()> {
        nll::nll(logp, target, w, ignore, out)
    }

    fn nll_backward(&self, g: Raw, target: Raw, w: Option<Raw>, ignore: i64, gx: Raw) -> Result<()> {
        nll::nll_backward(g, target, w, ignore, gx)
    }
}
