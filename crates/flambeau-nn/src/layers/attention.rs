//! Attention of several heads, and the transformer's encoder layer (Vaswani et al., 2017).

use flambeau_core::{DType, Result, Tensor, check, layout};
use flambeau_ops::view::{narrow, permute, reshape, transpose, unsqueeze};
use flambeau_ops::{binary, create, ternary};

use super::{Dropout, LayerNorm, Linear, Training, fields, parameter};
use crate::module::{Forward, Module, Parameter};
use crate::{functional, init};

/// Attention of several heads over projected queries, keys and values.
pub struct MultiheadAttention {
    /// The three projections, one above the other: `(3 * embed_dim, embed_dim)`.
    pub in_proj_weight: Parameter,
    pub in_proj_bias: Option<Parameter>,
    pub out_proj: Linear,
    embed_dim: i64,
    num_heads: i64,
    dropout: f64,
    batch_first: bool,
    training: Training,
}

impl MultiheadAttention {
    /// With biases, without dropout, for inputs `(l, n, e)`.
    pub fn new(embed_dim: i64, num_heads: i64) -> Result<Self> {
        Self::with(embed_dim, num_heads, 0.0, true, false)
    }

    /// `batch_first` inputs are `(n, l, e)`.
    ///
    /// # Errors
    /// `Value` unless the heads share `embed_dim` equally.
    pub fn with(embed_dim: i64, num_heads: i64, dropout: f64, bias: bool, batch_first: bool) -> Result<Self> {
        check!(
            embed_dim > 0 && num_heads > 0,
            Value,
            "embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and num_heads={num_heads} instead"
        );
        check!(embed_dim % num_heads == 0, Value, "embed_dim must be divisible by num_heads");
        let in_proj_weight = parameter(&[3 * embed_dim, embed_dim])?;
        let in_proj_bias = bias.then(|| parameter(&[3 * embed_dim])).transpose()?;
        let out_proj = Linear::with_bias(embed_dim, embed_dim, bias)?;
        init::xavier_uniform_(&in_proj_weight, 1.0)?;
        for b in in_proj_bias.iter().chain(&out_proj.bias) {
            init::zeros_(b)?;
        }
        let training = Training::default();
        Ok(Self { in_proj_weight, in_proj_bias, out_proj, embed_dim, num_heads, dropout, batch_first, training })
    }

    /// Attends. `mask` `(l, s)` or broadcastable to `(n, heads, l, s)` hides where true, or is added to the scores;
    /// `padding` `(n, s)` hides keys where true; `causal` hides later keys, and excludes the other two.
    ///
    /// # Errors
    /// `Runtime` for sizes that do not fit.
    pub fn attend(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        mask: Option<&Tensor>,
        padding: Option<&Tensor>,
        causal: bool,
    ) -> Result<Tensor> {
        for (t, name) in [(query, "query"), (key, "key"), (value, "value")] {
            check!(
                t.ndim() == 3 && t.sizes()[2] == self.embed_dim,
                Runtime,
                "MultiheadAttention: expected {name} with 3 dimensions, the last of size {}, got {}",
                self.embed_dim,
                layout::fmt(t.sizes())
            );
        }
        check!(
            !causal || mask.is_none() && padding.is_none(),
            Runtime,
            "Explicit attn_mask should not be set when is_causal=True"
        );
        let (e, packed) = (self.embed_dim, query.is(key) && key.is(value));
        let [q, k, v] = if packed {
            let y = functional::linear(query, &self.in_proj_weight, self.in_proj_bias.as_deref())?;
            [narrow(&y, -1, 0, e)?, narrow(&y, -1, e, e)?, narrow(&y, -1, 2 * e, e)?]
        } else {
            let part = |x: &Tensor, i: i64| {
                let b = self.in_proj_bias.as_ref().map(|b| narrow(b, 0, i * e, e)).transpose()?;
                functional::linear(x, &narrow(&self.in_proj_weight, 0, i * e, e)?, b.as_ref())
            };
            [part(query, 0)?, part(key, 1)?, part(value, 2)?]
        };
        let [q, k, v] = [self.heads(&q)?, self.heads(&k)?, self.heads(&v)?];
        let mask = self.scores_mask(&q, mask, padding)?;
        let p = if self.training.get() { self.dropout } else { 0.0 };
        let y = functional::scaled_dot_product_attention(&q, &k, &v, mask.as_ref(), p, causal, None, false)?;
        // (n, heads, l, head) back to the inputs' order.
        let order: [i64; 4] = if self.batch_first { [0, 2, 1, 3] } else { [2, 0, 1, 3] };
        let y = reshape(&permute(&y, &order)?, query.sizes())?;
        self.out_proj.forward(&y)
    }

    /// `(n, heads, l, head)`
    fn heads(&self, x: &Tensor) -> Result<Tensor> {
        let s = x.sizes();
        let y = reshape(x, &[s[0], s[1], self.num_heads, self.embed_dim / self.num_heads])?;
        if self.batch_first { transpose(&y, 1, 2) } else { permute(&y, &[1, 2, 0, 3]) }
    }

    /// Both masks as one to be added to the scores.
    fn scores_mask(&self, q: &Tensor, mask: Option<&Tensor>, padding: Option<&Tensor>) -> Result<Option<Tensor>> {
        let added = |m: &Tensor| {
            if m.dtype() != DType::Bool {
                return Ok(m.clone());
            }
            ternary::masked_fill(&create::zeros(m.sizes(), q.dtype(), q.device())?, m, f64::NEG_INFINITY)
        };
        let mask = mask.map(added).transpose()?;
        let padding = padding.map(|p| unsqueeze(&unsqueeze(&added(p)?, 1)?, 1)).transpose()?;
        Ok(match (mask, padding) {
            (Some(m), Some(p)) => Some(binary::add(&m, &p)?),
            (m, p) => m.or(p),
        })
    }
}

impl Module for MultiheadAttention {
    fields!(in_proj_weight, in_proj_bias, out_proj);

    fn set_training(&self, on: bool) {
        self.training.set(on);
    }
}

/// Self-attention without masks.
impl Forward for MultiheadAttention {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.attend(x, x, x, None, None, false)
    }
}

/// Settings of a [`TransformerEncoderLayer`], with PyTorch's defaults.
#[derive(Clone, Copy)]
pub struct TransformerOptions {
    pub dim_feedforward: i64,
    pub dropout: f64,
    pub activation: fn(&Tensor) -> Result<Tensor>,
    pub layer_norm_eps: f64,
    /// Inputs are `(n, l, e)` instead of `(l, n, e)`.
    pub batch_first: bool,
    /// Normalise before attention and network, not after.
    pub norm_first: bool,
    pub bias: bool,
}

impl Default for TransformerOptions {
    fn default() -> Self {
        TransformerOptions {
            dim_feedforward: 2048,
            dropout: 0.1,
            activation: functional::relu,
            layer_norm_eps: 1e-5,
            batch_first: false,
            norm_first: false,
            bias: true,
        }
    }
}

/// Self-attention and a feed-forward network, each with a residual connection and layer norm.
pub struct TransformerEncoderLayer {
    pub self_attn: MultiheadAttention,
    pub linear1: Linear,
    pub dropout: Dropout,
    pub linear2: Linear,
    pub norm1: LayerNorm,
    pub norm2: LayerNorm,
    pub dropout1: Dropout,
    pub dropout2: Dropout,
    activation: fn(&Tensor) -> Result<Tensor>,
    norm_first: bool,
}

impl TransformerEncoderLayer {
    pub fn new(d_model: i64, nhead: i64) -> Result<Self> {
        Self::with(d_model, nhead, TransformerOptions::default())
    }

    pub fn with(d_model: i64, nhead: i64, o: TransformerOptions) -> Result<Self> {
        let norm = || LayerNorm::with([d_model], o.layer_norm_eps, o.bias);
        Ok(TransformerEncoderLayer {
            self_attn: MultiheadAttention::with(d_model, nhead, o.dropout, o.bias, o.batch_first)?,
            linear1: Linear::with_bias(d_model, o.dim_feedforward, o.bias)?,
            dropout: Dropout::new(o.dropout)?,
            linear2: Linear::with_bias(o.dim_feedforward, d_model, o.bias)?,
            norm1: norm()?,
            norm2: norm()?,
            dropout1: Dropout::new(o.dropout)?,
            dropout2: Dropout::new(o.dropout)?,
            activation: o.activation,
            norm_first: o.norm_first,
        })
    }

    /// Encodes; masks as for [`MultiheadAttention::attend`].
    pub fn encode(&self, x: &Tensor, mask: Option<&Tensor>, padding: Option<&Tensor>, causal: bool) -> Result<Tensor> {
        let attention = |x: &Tensor| self.dropout1.forward(&self.self_attn.attend(x, x, x, mask, padding, causal)?);
        let network = |x: &Tensor| {
            let h = self.dropout.forward(&(self.activation)(&self.linear1.forward(x)?)?)?;
            self.dropout2.forward(&self.linear2.forward(&h)?)
        };
        if self.norm_first {
            let x = binary::add(x, &attention(&self.norm1.forward(x)?)?)?;
            return binary::add(&x, &network(&self.norm2.forward(&x)?)?);
        }
        let x = self.norm1.forward(&binary::add(x, &attention(x)?)?)?;
        self.norm2.forward(&binary::add(&x, &network(&x)?)?)
    }
}

impl Module for TransformerEncoderLayer {
    fields!(self_attn, linear1, dropout, linear2, norm1, norm2, dropout1, dropout2);
}

impl Forward for TransformerEncoderLayer {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.encode(x, None, None, false)
    }
}
