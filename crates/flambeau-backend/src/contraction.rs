//! Products: matrices, convolutions, attention.

use super::{Raw, missing};
use crate::error::Result;

/// Geometry of an n-dimensional convolution, `nd` in 1..=3; arrays hold `nd` meaningful entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConvParams {
    pub nd: usize,
    pub stride: [i64; 3],
    pub padding: [i64; 3],
    pub dilation: [i64; 3],
    pub groups: i64,
}

/// Options of scaled dot-product attention.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Attention {
    pub scale: f64,
    /// Lower-triangular mask from the top left corner.
    pub causal: bool,
}

pub trait Contraction {
    /// `out[b] = alpha * a[b] @ b[b] + beta * out[b]` for 3-D operands `[batch, m, k]`, `[batch, k, n]`, `[batch, m, n]` with
    /// any strides (batch stride 0 for a broadcast operand). All dtypes but `bool` and 8-bit floats; `beta == 0` never reads `out`.
    /// bfloat16 and float16 accumulate in float32.
    fn gemm(&self, alpha: f64, a: Raw, b: Raw, beta: f64, out: Raw) -> Result<()> {
        let _ = (alpha, a, b, beta, out);
        Err(missing("gemm"))
    }

    /// `out = x @ w^T + bias`: `x` `[m, k]`, `w` `[n, k]`, `bias` `[n]`, `out` `[m, n]`. `m == 1` is a matrix-vector product.
    fn linear(&self, x: Raw, w: Raw, bias: Option<Raw>, out: Raw) -> Result<()> {
        let _ = (x, w, bias, out);
        Err(missing("linear"))
    }

    /// `x` `[n, c_in, ...]`, `w` `[c_out, c_in/groups, ...]`, `out` `[n, c_out, ...]` (cross-correlation), any strides. Float and complex.
    fn conv(&self, x: Raw, w: Raw, bias: Option<Raw>, out: Raw, p: &ConvParams) -> Result<()> {
        let _ = (x, w, bias, out, p);
        Err(missing("conv"))
    }

    /// Gradient of [`conv`](Self::conv) for `x`; with `bias` (per channel of `gx`) it is the transposed convolution.
    fn conv_input(&self, g: Raw, w: Raw, bias: Option<Raw>, gx: Raw, p: &ConvParams) -> Result<()> {
        let _ = (g, w, bias, gx, p);
        Err(missing("conv_input"))
    }

    /// Gradient of [`conv`](Self::conv) for `w`.
    fn conv_weight(&self, g: Raw, x: Raw, gw: Raw, p: &ConvParams) -> Result<()> {
        let _ = (g, x, gw, p);
        Err(missing("conv_weight"))
    }

    /// `softmax(scale * q k^T + mask) v` by tiles: `q` `[b, l, e]`, `k` `[b, s, e]`, `v` `[b, s, ev]`, `mask` an additive
    /// float mask `[b, l, s]` (zero strides where broadcast), `out` `[b, l, ev]`, `lse` `[b, l]` (float32 or float64: the log-sum-exp of
    /// each row, kept for the backward pass). A row whose scores are all `-inf` gives NaN, as softmax does. float32, float64, bfloat16, float16.
    fn attention(&self, q: Raw, k: Raw, v: Raw, mask: Option<Raw>, out: Raw, lse: Raw, p: &Attention) -> Result<()> {
        let _ = (q, k, v, mask, out, lse, p);
        Err(missing("attention"))
    }

    /// Gradients of [`attention`](Self::attention) for `q`, `k`, `v` given its outputs.
    fn attention_backward(
        &self,
        g: Raw,
        q: Raw,
        k: Raw,
        v: Raw,
        mask: Option<Raw>,
        out: Raw,
        lse: Raw,
        grads: [Raw; 3],
        p: &Attention,
    ) -> Result<()> {
        let _ = (g, q, k, v, mask, out, lse, grads, p);
        Err(missing("attention_backward"))
    }
}
