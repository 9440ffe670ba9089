//! Generators as objects that are passed around.

use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use crate::generator::GeneratorState;

/// PyTorch's seed for a generator that nobody seeded.
pub const DEFAULT_SEED: u64 = 67280421310721;

/// A shared random number generator.
#[derive(Clone)]
pub struct Generator(Arc<Mutex<GeneratorState>>);

static DEFAULT: LazyLock<Generator> = LazyLock::new(|| Generator::new(DEFAULT_SEED));

impl Generator {
    pub fn new(seed: u64) -> Generator {
        Generator(Arc::new(Mutex::new(GeneratorState::new(seed))))
    }

    /// The one that operations use when none is given.
    pub fn default_cpu() -> Generator {
        DEFAULT.clone()
    }

    pub fn manual_seed(&self, seed: u64) {
        *self.lock() = GeneratorState::new(seed);
    }

    pub fn lock(&self) -> MutexGuard<'_, GeneratorState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The default generator's lock, for a fork.
    pub(crate) fn lock_default() -> MutexGuard<'static, GeneratorState> {
        DEFAULT.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn same(&self, other: &Generator) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl PartialEq for Generator {
    fn eq(&self, other: &Generator) -> bool {
        self.same(other)
    }
}

impl fmt::Debug for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Generator")
    }
}
