//! Tensors served in batches.

use flambeau_core::{Result, Tensor, check};
use flambeau_ops::{index::index_select, random::randperm, view::narrow};

/// Tensors whose first dimensions count the same samples: `torch.utils.data.TensorDataset`.
#[derive(Clone)]
pub struct TensorDataset(Vec<Tensor>);

impl TensorDataset {
    /// # Errors
    /// `Value` for no tensors, or tensors of different lengths.
    pub fn new(tensors: impl IntoIterator<Item = Tensor>) -> Result<TensorDataset> {
        let tensors: Vec<Tensor> = tensors.into_iter().collect();
        let n = tensors.first().and_then(|t| t.sizes().first().copied());
        check!(
            n.is_some() && tensors.iter().all(|t| t.sizes().first().copied() == n),
            Value,
            "Size mismatch between tensors"
        );
        Ok(TensorDataset(tensors))
    }

    pub fn len(&self) -> usize {
        self.0[0].sizes()[0] as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn tensors(&self) -> &[Tensor] {
        &self.0
    }

    /// One pass over the samples in batches, in order or in a new random order drawn from the default generator.
    ///
    /// The last batch is smaller where the samples do not divide evenly.
    ///
    /// # Errors
    /// `Value` for a batch size of zero.
    pub fn batches(&self, batch_size: usize, shuffle: bool) -> Result<Batches<'_>> {
        check!(batch_size > 0, Value, "batch_size should be a positive integer value, but got batch_size=0");
        let order = if shuffle { Some(randperm(self.len() as i64)?) } else { None };
        Ok(Batches { data: self, order, size: batch_size, at: 0 })
    }
}

/// The batches of one pass; each is a tensor per tensor of the dataset.
pub struct Batches<'a> {
    data: &'a TensorDataset,
    order: Option<Tensor>,
    size: usize,
    at: usize,
}

impl Iterator for Batches<'_> {
    type Item = Result<Vec<Tensor>>;

    fn next(&mut self) -> Option<Self::Item> {
        let left = self.data.len() - self.at;
        if left == 0 {
            return None;
        }
        let (from, n) = (self.at as i64, left.min(self.size) as i64);
        self.at += n as usize;
        let part = |t: &Tensor| match &self.order {
            Some(order) => index_select(t, 0, &narrow(order, 0, from, n)?),
            None => narrow(t, 0, from, n),
        };
        Some(self.data.0.iter().map(part).collect())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let n = (self.data.len() - self.at).div_ceil(self.size);
        (n, Some(n))
    }
}

impl ExactSizeIterator for Batches<'_> {}
