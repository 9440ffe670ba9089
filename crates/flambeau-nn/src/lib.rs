//! What networks are made of and trained with: modules, initialisers, optimizers, schedulers.

pub mod optim;
