//! What networks are made of and trained with: modules, initialisers, optimizers, schedulers, batches of data.

pub mod data;
pub mod functional;
pub mod init;
mod layers;
mod module;
pub mod optim;
mod state;

pub use data::{Batches, DataLoader, Dataset, TensorDataset};
pub use functional::Reduction;
pub use layers::*;
pub use module::{Buffer, Entry, EntryMut, Field, Forward, Module, Parameter, Visit, VisitMut};
pub use state::{LoadReport, StateDict};
