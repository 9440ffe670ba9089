//! Filling memory with random numbers, in PyTorch's order of draws.

use super::{Raw, missing};
use crate::error::Result;
use crate::generator::GeneratorState;

/// What to draw. On a CPU each is bit for bit what PyTorch draws from the same generator state.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Distribution {
    /// `[from, to)`
    Uniform {
        from: f64,
        to: f64,
    },
    Normal {
        mean: f64,
        std: f64,
    },
    /// Integers in `[from, from + range)`; `range == 0` means all 2^64. Any dtype.
    Integers {
        from: i64,
        range: u64,
    },
    /// `random_()` without bounds: the dtype's own range.
    IntegersFull,
    Bernoulli {
        p: f64,
    },
    Exponential {
        lambda: f64,
    },
    Geometric {
        p: f64,
    },
    Cauchy {
        median: f64,
        sigma: f64,
    },
    LogNormal {
        mean: f64,
        std: f64,
    },
}

pub trait Random {
    fn random(&self, kind: Distribution, state: &mut GeneratorState, out: Raw) -> Result<()> {
        let _ = (state, out);
        Err(missing(&format!("{kind:?}")))
    }

    /// One draw per element with probability `p[i]` (float, same sizes).
    fn bernoulli_tensor(&self, p: Raw, state: &mut GeneratorState, out: Raw) -> Result<()> {
        let _ = (p, state, out);
        Err(missing("bernoulli"))
    }

    /// A permutation of `0..n` in a 1-D output of any integer or float dtype.
    fn permutation(&self, state: &mut GeneratorState, out: Raw) -> Result<()> {
        let _ = (state, out);
        Err(missing("randperm"))
    }

    /// `samples = out.sizes[1]` draws per row of `weights` `[m, n]`.
    fn multinomial(&self, weights: Raw, replacement: bool, state: &mut GeneratorState, out: Raw) -> Result<()> {
        let _ = (weights, replacement, state, out);
        Err(missing("multinomial"))
    }
}
