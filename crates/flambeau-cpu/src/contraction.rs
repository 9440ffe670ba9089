//! The family of products.

use flambeau_backend::Result;
use flambeau_backend::{Attention, Contraction, ConvParams, Raw};

use crate::{Cpu, attention, conv, gemm};

impl Contraction for Cpu {
    fn gemm(&self, alpha: f64, a: Raw, b: Raw, beta: f64, out: Raw) -> Result<()> {
        gemm::gemm(alpha, a, b, beta, out)
    }

    fn linear(&self, x: Raw, w: Raw, bias: Option<Raw>, out: Raw) -> Result<()> {
        gemm::linear(x, w, bias, out)
    }

    fn conv(&self, x: Raw, w: Raw, bias: Option<Raw>, out: Raw, p: &ConvParams) -> Result<()> {
        conv::conv(x, w, bias, out, p)
    }

    fn conv_input(&self, g: Raw, w: Raw, bias: Option<Raw>, gx: Raw, p: &ConvParams) -> Result<()> {
        conv::conv_input(g, w, bias, gx, p)
    }

    fn conv_weight(&self, g: Raw, x: Raw, gw: Raw, p: &ConvParams) -> Result<()> {
        conv::conv_weight(g, x, gw, p)
    }

    fn attention(&self, q: Raw, k: Raw, v: Raw, mask: Option<Raw>, out: Raw, lse: Raw, p: &Attention) -> Result<()> {
        attention::forward(q, k, v, mask, out, lse, p)
    }

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
        attention::backward(g, [q, k, v], mask, out, lse, grads, p)
    }
}
