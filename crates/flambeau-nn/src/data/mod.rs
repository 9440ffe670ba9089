//! Data for training: datasets, samplers, and a [`DataLoader`] whose threads load batches ahead.
//!
//! * [`Dataset`] is anything that has items by index; [`TensorDataset`], [`Subset`], [`ConcatDataset`], [`random_split`] and
//!   [`Dataset::map`] make some.
//! * A [`Sampler`] says in which order items are taken. For a seed, the samplers give PyTorch's indices.
//! * [`Stack`] makes a batch of items, or a closure given to [`DataLoader::collate`].
//! * [`worker`] tells code of a dataset in which worker it runs, and gives it random numbers that depend on the seed and the
//!   batch only.

mod dataset;
mod loader;
mod sampler;
mod stack;
mod tensors;
pub mod worker;

pub use dataset::{ConcatDataset, Dataset, Mapped, Subset, random_split};
pub use loader::{DataLoader, LoaderIter};
pub use sampler::{
    DistributedSampler, Indices, RandomSampler, Sampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler,
};
pub use stack::Stack;
pub use tensors::{Batches, TensorDataset};
