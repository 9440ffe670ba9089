//! Dropout.

use flambeau_core::{Result, Tensor, check};

use super::Training;
use crate::functional;
use crate::module::{Forward, Module, Visit, VisitMut};

/// In training, zeroes elements with probability `p` and scales the rest by `1 / (1 - p)` (Srivastava et al., 2014).
#[derive(Clone)]
pub struct Dropout {
    p: f64,
    training: Training,
}

impl Dropout {
    /// # Errors
    /// `Value` unless `p` is a probability.
    pub fn new(p: f64) -> Result<Dropout> {
        check!((0.0..=1.0).contains(&p), Value, "dropout probability has to be between 0 and 1, but got {p}");
        Ok(Dropout { p, training: Training::default() })
    }
}

impl Module for Dropout {
    fn fields<'a>(&'a self, _: Visit<'_, 'a>) {}
    fn fields_mut(&mut self, _: VisitMut<'_>) {}
    fn set_training(&self, on: bool) {
        self.training.set(on);
    }
}

impl Forward for Dropout {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        functional::dropout(x, self.p, self.training.get())
    }
}
