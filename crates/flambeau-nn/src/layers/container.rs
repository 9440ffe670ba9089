//! Modules made of modules.

use flambeau_core::{Result, Tensor};

use super::stateless;
use crate::module::{Entry, EntryMut, Forward, Module, Visit, VisitMut};

/// Modules one after the other, named `0`, `1`, ...
///
/// ```
/// use flambeau_nn::{Linear, Module, ReLU, Sequential};
///
/// # flambeau_ops::init();
/// let net = Sequential::new().add(Linear::new(4, 8)?).add(ReLU).add(Linear::new(8, 2)?);
/// assert_eq!(net.named_parameters()[2].0, "2.weight");
/// # Ok::<(), flambeau_core::Error>(())
/// ```
#[derive(Default)]
pub struct Sequential(Vec<Box<dyn Forward>>);

impl Sequential {
    pub fn new() -> Self {
        Self::default()
    }

    #[allow(clippy::should_implement_trait)] // `nn.Sequential.append`, chained
    pub fn add(mut self, module: impl Forward + 'static) -> Self {
        self.0.push(Box::new(module));
        self
    }

    /// A function as a step; it takes a number, as a module without parameters does.
    pub fn add_fn(self, f: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static) -> Self {
        self.add(Func::new(f))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, i: usize) -> Option<&dyn Forward> {
        self.0.get(i).map(|m| &**m)
    }
}

impl Module for Sequential {
    fn fields<'a>(&'a self, f: Visit<'_, 'a>) {
        for (i, m) in self.0.iter().enumerate() {
            f(&i.to_string(), Entry::Module(m));
        }
    }
    fn fields_mut(&mut self, f: VisitMut<'_>) {
        for (i, m) in self.0.iter_mut().enumerate() {
            f(&i.to_string(), EntryMut::Module(m));
        }
    }
}

impl Forward for Sequential {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.iter().try_fold(x.clone(), |x, m| m.forward(&x))
    }
}

/// A function as a module.
pub struct Func(Box<dyn Fn(&Tensor) -> Result<Tensor> + Send + Sync>);

impl Func {
    pub fn new(f: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static) -> Func {
        Func(Box::new(f))
    }
}

impl Forward for Func {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        (self.0)(x)
    }
}

/// Passes its input on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity;

impl Forward for Identity {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.clone())
    }
}

/// Joins dimensions `start..=end` into one.
#[derive(Clone, Copy, Debug)]
pub struct Flatten {
    pub start: i64,
    pub end: i64,
}

impl Default for Flatten {
    /// All but the first.
    fn default() -> Self {
        Flatten { start: 1, end: -1 }
    }
}

impl Flatten {
    pub fn new() -> Self {
        Self::default()
    }
}

impl Forward for Flatten {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        flambeau_ops::view::flatten(x, self.start, self.end)
    }
}

stateless!(Func, Identity, Flatten);
