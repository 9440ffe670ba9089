//! Linear maps and tables.

use flambeau_core::{Result, Tensor, check};

use super::{fields, parameter};
use crate::module::{Forward, Module, Parameter};
use crate::{functional, init};

/// `x W^T + b` over the last dimension.
pub struct Linear {
    /// `(out_features, in_features)`
    pub weight: Parameter,
    pub bias: Option<Parameter>,
}

impl Linear {
    pub fn new(in_features: i64, out_features: i64) -> Result<Linear> {
        Self::with_bias(in_features, out_features, true)
    }

    pub fn with_bias(in_features: i64, out_features: i64, bias: bool) -> Result<Linear> {
        let weight = parameter(&[out_features, in_features])?;
        let bias = bias.then(|| parameter(&[out_features])).transpose()?;
        init::default_(&weight, bias.as_deref())?;
        Ok(Linear { weight, bias })
    }
}

impl Module for Linear {
    fields!(weight, bias);
}

impl Forward for Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        functional::linear(x, &self.weight, self.bias.as_deref())
    }
}

/// A table of vectors that are looked up by integers.
pub struct Embedding {
    /// `(num_embeddings, embedding_dim)`
    pub weight: Parameter,
    padding_idx: Option<i64>,
}

impl Embedding {
    pub fn new(num_embeddings: i64, embedding_dim: i64) -> Result<Embedding> {
        let weight = parameter(&[num_embeddings, embedding_dim])?;
        init::normal_(&weight, 0.0, 1.0)?;
        Ok(Embedding { weight, padding_idx: None })
    }

    /// With a row that starts as zeros and gets no gradient.
    ///
    /// # Errors
    /// `Value` unless the row is one of the table's; it may count from the end.
    pub fn with_padding(num_embeddings: i64, embedding_dim: i64, padding_idx: i64) -> Result<Embedding> {
        check!(
            (-num_embeddings..num_embeddings).contains(&padding_idx),
            Value,
            "Padding_idx must be within num_embeddings"
        );
        let row = padding_idx.rem_euclid(num_embeddings.max(1));
        let mut table = Self::new(num_embeddings, embedding_dim)?;
        init::zeros_(&flambeau_ops::view::select(&table.weight.detach(), 0, row)?)?;
        table.padding_idx = Some(row);
        Ok(table)
    }
}

impl Module for Embedding {
    fields!(weight);
}

impl Forward for Embedding {
    /// Indices of any shape; the result has one more dimension.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        functional::embedding(x, &self.weight, self.padding_idx)
    }
}
