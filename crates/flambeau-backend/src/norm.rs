//! Softmax and normalisation in few passes.

use super::{Raw, missing};
use crate::error::Result;

/// Floats only; statistics of bfloat16/float16 rows are float32.
pub trait Norms {
    /// Softmax along `dim`, or its logarithm. `out` may have a wider dtype than `x` (converted first).
    fn softmax(&self, x: Raw, out: Raw, dim: usize, log: bool) -> Result<()> {
        let _ = (x, out, dim, log);
        Err(missing("softmax"))
    }

    /// `y*(g - sum(g*y))`, or for the logarithm `g - exp(y)*sum(g)`.
    fn softmax_backward(&self, g: Raw, y: Raw, gx: Raw, dim: usize, log: bool) -> Result<()> {
        let _ = (g, y, gx, dim, log);
        Err(missing("softmax_backward"))
    }

    /// Rows `x` `[m, n]` (unit inner stride not required), `w` and `b` `[n]`, `mean` and `rstd` `[m]`.
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
        let _ = (x, w, b, eps, out, mean, rstd);
        Err(missing("layer_norm"))
    }

    /// Gradients for `x` `[m, n]`, `w` and `b` `[n]`; those not needed are `None`.
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
        let _ = (g, x, mean, rstd, w, gx, gw, gb);
        Err(missing("layer_norm_backward"))
    }

    /// Per-channel statistics of `x` `[n, c, s]`: mean and biased variance, `[c]`.
    fn channel_stats(&self, x: Raw, mean: Raw, var: Raw) -> Result<()> {
        let _ = (x, mean, var);
        Err(missing("batch_norm"))
    }

    /// `out = (x - mean)*invstd*w + b` for `x` `[n, c, s]`, the rest `[c]`.
    fn channel_affine(&self, x: Raw, mean: Raw, invstd: Raw, w: Option<Raw>, b: Option<Raw>, out: Raw) -> Result<()> {
        let _ = (x, mean, invstd, w, b, out);
        Err(missing("batch_norm"))
    }

    /// Batch norm's gradients; `train` selects the batch statistics' formula. `gw = sum(g*xhat)`, `gb = sum(g)`.
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
        let _ = (g, x, mean, invstd, w, train, gx, gw, gb);
        Err(missing("batch_norm_backward"))
    }

    /// Negative log likelihood: `logp` `[n, c, s]`, `target` `[n, s]` (`i64`), optional class weights `[c]`;
    /// `out` `[n, s]` gets `-w[t]*logp[t]`, zero where `t == ignore`. A target out of range is an `Index` error:
    /// `Target 7 is out of bounds.`
    fn nll(&self, logp: Raw, target: Raw, w: Option<Raw>, ignore: i64, out: Raw) -> Result<()> {
        let _ = (logp, target, w, ignore, out);
        Err(missing("nll_loss"))
    }

    /// Gradient of [`nll`](Self::nll) for `logp` (`[n, c, s]`, zeroed by the kernel), `g` `[n, s]` (zero strides where broadcast).
    fn nll_backward(&self, g: Raw, target: Raw, w: Option<Raw>, ignore: i64, gx: Raw) -> Result<()> {
        let _ = (g, target, w, ignore, gx);
        Err(missing("nll_loss_backward"))
    }
}
