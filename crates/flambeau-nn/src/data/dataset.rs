//! Datasets made from others.

use std::sync::Arc;

use flambeau_core::{Generator, Result, Tensor, check};

use super::sampler::permutation;
use super::tensors::TensorDataset;

/// Items by index. Shared by the threads that load them.
pub trait Dataset: Send + Sync {
    type Item: Send + 'static;

    fn len(&self) -> usize;

    /// The item at `index`, which is below [`len`](Self::len).
    ///
    /// # Errors
    /// Whatever keeps the item from being loaded; the loop over a `DataLoader` gets it in the batch's place.
    fn get(&self, index: usize) -> Result<Self::Item>;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The dataset of `f(item)` for each item, computed where items are loaded.
    fn map<T: Send + 'static, F: Fn(Self::Item) -> Result<T> + Send + Sync>(self, f: F) -> Mapped<Self, F>
    where
        Self: Sized,
    {
        Mapped { dataset: self, f }
    }
}

impl<D: Dataset + ?Sized> Dataset for Arc<D> {
    type Item = D::Item;

    fn len(&self) -> usize {
        (**self).len()
    }

    fn get(&self, index: usize) -> Result<D::Item> {
        (**self).get(index)
    }
}

/// Items are the tensors' rows, one for each tensor.
impl Dataset for TensorDataset {
    type Item = Vec<Tensor>;

    fn len(&self) -> usize {
        TensorDataset::len(self)
    }

    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        self.tensors().iter().map(|t| flambeau_ops::view::select(t, 0, index as i64)).collect()
    }
}

/// See [`Dataset::map`].
pub struct Mapped<D, F> {
    dataset: D,
    f: F,
}

impl<D: Dataset, T: Send + 'static, F: Fn(D::Item) -> Result<T> + Send + Sync> Dataset for Mapped<D, F> {
    type Item = T;

    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn get(&self, index: usize) -> Result<T> {
        (self.f)(self.dataset.get(index)?)
    }
}

/// The items of a dataset at some indices.
#[derive(Clone)]
pub struct Subset<D> {
    dataset: D,
    indices: Vec<usize>,
}

impl<D: Dataset> Subset<D> {
    /// # Errors
    /// `Index` for an index that the dataset does not have.
    pub fn new(dataset: D, indices: impl IntoIterator<Item = usize>) -> Result<Subset<D>> {
        let indices: Vec<usize> = indices.into_iter().collect();
        let n = dataset.len();
        for &i in &indices {
            check!(i < n, Index, "index {i} is out of range for a dataset of {n} items");
        }
        Ok(Subset { dataset, indices })
    }

    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl<D: Dataset> Dataset for Subset<D> {
    type Item = D::Item;

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn get(&self, index: usize) -> Result<D::Item> {
        self.dataset.get(self.indices[index])
    }
}

/// The items of several datasets, one dataset after another.
pub struct ConcatDataset<D> {
    datasets: Vec<D>,
    /// The first index after each dataset.
    ends: Vec<usize>,
}

impl<D: Dataset> ConcatDataset<D> {
    /// # Errors
    /// `Value` for no datasets.
    pub fn new(datasets: impl IntoIterator<Item = D>) -> Result<ConcatDataset<D>> {
        let datasets: Vec<D> = datasets.into_iter().collect();
        check!(!datasets.is_empty(), Value, "datasets should not be an empty iterable");
        let mut end = 0;
        let ends = datasets.iter().map(|d| {
            end += d.len();
            end
        });
        let ends = ends.collect();
        Ok(ConcatDataset { datasets, ends })
    }
}

impl<D: Dataset> Dataset for ConcatDataset<D> {
    type Item = D::Item;

    fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    fn get(&self, index: usize) -> Result<D::Item> {
        let which = self.ends.partition_point(|&end| end <= index);
        let start = if which == 0 { 0 } else { self.ends[which - 1] };
        self.datasets[which].get(index - start)
    }
}

/// Splits a dataset at random into parts that do not overlap; PyTorch's parts for a seed.
///
/// # Errors
/// `Value` if the lengths do not add up to the dataset's.
pub fn random_split<D: Dataset>(dataset: D, lengths: &[usize], generator: &Generator) -> Result<Vec<Subset<Arc<D>>>> {
    let total: usize = lengths.iter().sum();
    check!(total == dataset.len(), Value, "Sum of input lengths does not equal the length of the input dataset!");
    let order = permutation(total, generator)?;
    let dataset = Arc::new(dataset);
    let mut rest = order.as_slice();
    let mut parts = Vec::with_capacity(lengths.len());
    for &n in lengths {
        let (part, after) = rest.split_at(n);
        parts.push(Subset { dataset: dataset.clone(), indices: part.to_vec() });
        rest = after;
    }
    Ok(parts)
}
