//! What a module is: named parameters, buffers and child modules, and what follows from them.

use std::collections::{HashMap, HashSet};
use std::ops::Deref;

use flambeau_core::autograd::no_grad;
use flambeau_core::{DType, Result, Scalar, Tensor};

use crate::state::{self, LoadReport, StateDict};

/// A tensor that training changes: `torch.nn.Parameter`. Cloning it shares the tensor, which ties weights.
#[derive(Clone)]
pub struct Parameter(Tensor);

impl Parameter {
    /// A leaf over the memory of `tensor` that requires a gradient.
    ///
    /// # Errors
    /// `Runtime` for a dtype that cannot require gradients.
    pub fn new(tensor: Tensor) -> Result<Parameter> {
        let leaf = tensor.detach();
        leaf.set_requires_grad(true)?;
        Ok(Parameter(leaf))
    }

    pub fn tensor(&self) -> &Tensor {
        &self.0
    }
}

impl Deref for Parameter {
    type Target = Tensor;
    fn deref(&self) -> &Tensor {
        &self.0
    }
}

/// A tensor of a module's state that training does not change (running statistics).
#[derive(Clone)]
pub struct Buffer(Tensor);

impl Buffer {
    pub fn new(tensor: Tensor) -> Buffer {
        Buffer(tensor)
    }

    pub fn tensor(&self) -> &Tensor {
        &self.0
    }
}

impl Deref for Buffer {
    type Target = Tensor;
    fn deref(&self) -> &Tensor {
        &self.0
    }
}

/// What a module's field holds.
pub enum Entry<'a> {
    Parameter(&'a Parameter),
    Buffer(&'a Buffer),
    Module(&'a dyn Module),
}

/// As [`Entry`], to be changed.
pub enum EntryMut<'a> {
    Parameter(&'a mut Parameter),
    Buffer(&'a mut Buffer),
    Module(&'a mut dyn Module),
}

/// Called with the name and the contents of each field.
pub type Visit<'v, 'a> = &'v mut dyn FnMut(&str, Entry<'a>);
/// As [`Visit`], for [`EntryMut`].
pub type VisitMut<'v> = &'v mut dyn FnMut(&str, EntryMut<'_>);

/// A part of a network. Implemented by `#[derive(Module)]`, which visits the fields in their order: names in a state dict are
/// then the fields' names, joined by dots, exactly as in PyTorch.
///
/// ```
/// use flambeau_nn::{Forward, Linear, Module};
///
/// # #[cfg(any())]
/// #[derive(Module)]
/// struct Net { fc1: Linear, fc2: Linear }
/// ```
pub trait Module: Send + Sync {
    /// Calls `f` with every parameter, buffer and child module, in the order of definition.
    fn fields<'a>(&'a self, f: Visit<'_, 'a>);

    fn fields_mut(&mut self, f: VisitMut<'_>);

    /// Sets this module's own mode, where it behaves differently in training; children are set by [`train`](Self::train).
    fn set_training(&self, _on: bool) {}

    /// The version that PyTorch writes into a state dict's metadata.
    fn version(&self) -> i64 {
        1
    }

    /// Training mode for this module and all below it.
    fn train(&self) {
        self.set_mode(true);
    }

    /// Evaluation mode: dropout passes through, batch norm uses running statistics.
    fn eval(&self) {
        self.set_mode(false);
    }

    fn set_mode(&self, training: bool) {
        self.set_training(training);
        self.fields(&mut |_, e| {
            if let Entry::Module(m) = e {
                m.set_mode(training);
            }
        });
    }

    /// All parameters with their dotted names; one that is used twice appears once, under its first name.
    fn named_parameters(&self) -> Vec<(String, Tensor)> {
        let (mut out, mut seen) = (Vec::new(), HashSet::new());
        walk("", &mut |f| self.fields(f), &mut |name, e| {
            if let Entry::Parameter(p) = e
                && seen.insert(p.id())
            {
                out.push((name.to_string(), p.tensor().clone()));
            }
        });
        out
    }

    fn parameters(&self) -> Vec<Tensor> {
        self.named_parameters().into_iter().map(|(_, t)| t).collect()
    }

    /// All buffers with their dotted names, each once.
    fn named_buffers(&self) -> Vec<(String, Tensor)> {
        let (mut out, mut seen) = (Vec::new(), HashSet::new());
        walk("", &mut |f| self.fields(f), &mut |name, e| {
            if let Entry::Buffer(b) = e
                && seen.insert(b.id())
            {
                out.push((name.to_string(), b.tensor().clone()));
            }
        });
        out
    }

    /// How many numbers the parameters hold.
    fn num_parameters(&self) -> i64 {
        self.parameters().iter().map(Tensor::numel).sum()
    }

    /// Parameters and buffers under PyTorch's names, sharing their memory.
    fn state_dict(&self) -> StateDict {
        let mut out = StateDict::default();
        out.versions.push((String::new(), self.version()));
        walk("", &mut |f| self.fields(f), &mut |name, e| match e {
            Entry::Parameter(p) => out.tensors.push((name.to_string(), p.detach())),
            Entry::Buffer(b) => out.tensors.push((name.to_string(), b.detach())),
            Entry::Module(m) => out.versions.push((name.to_string(), m.version())),
        });
        out
    }

    /// Copies a state dict's values into this module's tensors.
    ///
    /// # Errors
    /// `Runtime` with PyTorch's text, nothing copied, for shapes that differ and, if `strict`, for missing or unexpected
    /// names.
    fn load_state_dict(&self, state: &StateDict, strict: bool) -> Result<LoadReport> {
        state::load(std::any::type_name::<Self>(), &self.state_dict(), state, strict)
    }

    /// Drops all gradients.
    fn zero_grad(&self) -> Result<()> {
        self.parameters().iter().try_for_each(|p| p.set_grad(None))
    }

    /// Whether the parameters take part in training (`requires_grad_`).
    fn set_requires_grad(&self, on: bool) -> Result<()> {
        self.parameters().iter().try_for_each(|p| p.set_requires_grad(on))
    }

    /// Converts floating point parameters and buffers to `dtype`. They become new tensors: make optimizers afterwards.
    ///
    /// # Errors
    /// `Type` unless `dtype` is a floating point type.
    fn to_dtype(&mut self, dtype: DType) -> Result<()> {
        flambeau_core::check!(
            dtype.is_float(),
            Type,
            "nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype:?}"
        );
        let mut done = HashMap::new();
        let mut result = Ok(());
        self.fields_mut(&mut |_, e| {
            if result.is_ok() {
                result = convert(e, dtype, &mut done);
            }
        });
        result
    }
}

fn converted(t: &Tensor, dtype: DType, done: &mut HashMap<usize, Tensor>) -> Result<Option<Tensor>> {
    if !t.dtype().is_float() || t.dtype() == dtype {
        return Ok(None);
    }
    if let Some(new) = done.get(&t.id()) {
        return Ok(Some(new.clone()));
    }
    let new = no_grad(|| flambeau_ops::copy::to_dtype(&t.detach(), dtype))?;
    new.set_requires_grad(t.requires_grad())?;
    done.insert(t.id(), new.clone());
    Ok(Some(new))
}

fn convert(e: EntryMut<'_>, dtype: DType, done: &mut HashMap<usize, Tensor>) -> Result<()> {
    match e {
        EntryMut::Parameter(p) => {
            if let Some(new) = converted(&p.0, dtype, done)? {
                p.0 = new;
            }
        }
        EntryMut::Buffer(b) => {
            if let Some(new) = converted(&b.0, dtype, done)? {
                b.0 = new;
            }
        }
        EntryMut::Module(m) => {
            let mut result = Ok(());
            m.fields_mut(&mut |_, e| {
                if result.is_ok() {
                    result = convert(e, dtype, done);
                }
            });
            return result;
        }
    }
    Ok(())
}

/// `prefix.name`
fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") }
}

/// Calls `f` for everything below a module in PyTorch's order: own parameters, own buffers, then each child and what it holds.
fn walk<'a>(prefix: &str, fields: &mut dyn FnMut(Visit<'_, 'a>), f: &mut dyn FnMut(&str, Entry<'a>)) {
    let (mut buffers, mut children) = (Vec::new(), Vec::new());
    fields(&mut |name, e| match e {
        Entry::Parameter(_) => f(&join(prefix, name), e),
        Entry::Buffer(b) => buffers.push((join(prefix, name), b)),
        Entry::Module(m) => children.push((join(prefix, name), m)),
    });
    for (path, b) in buffers {
        f(&path, Entry::Buffer(b));
    }
    for (path, m) in children {
        f(&path, Entry::Module(m));
        walk(&path, &mut |g| m.fields(g), f);
    }
}

/// A module from one tensor to one tensor: what [`Sequential`](crate::Sequential) chains.
pub trait Forward: Module {
    fn forward(&self, x: &Tensor) -> Result<Tensor>;
}

impl<M: Module + ?Sized> Module for Box<M> {
    fn fields<'a>(&'a self, f: Visit<'_, 'a>) {
        (**self).fields(f);
    }
    fn fields_mut(&mut self, f: VisitMut<'_>) {
        (**self).fields_mut(f);
    }
    fn set_training(&self, on: bool) {
        (**self).set_training(on);
    }
    fn version(&self) -> i64 {
        (**self).version()
    }
}

impl<M: Forward + ?Sized> Forward for Box<M> {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        (**self).forward(x)
    }
}

/// A type that a field of a derived module may have: modules, [`Parameter`], [`Buffer`], options, vectors, arrays and boxes
/// of these, and plain settings such as numbers and strings.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a module",
    note = "make a tensor a `Parameter` or a `Buffer`; mark anything that holds no state with `#[module(skip)]`"
)]
pub trait Field {
    fn visit<'a>(&'a self, name: &str, f: Visit<'_, 'a>);
    fn visit_mut(&mut self, name: &str, f: VisitMut<'_>);
}

impl<M: Module> Field for M {
    fn visit<'a>(&'a self, name: &str, f: Visit<'_, 'a>) {
        f(name, Entry::Module(self));
    }
    fn visit_mut(&mut self, name: &str, f: VisitMut<'_>) {
        f(name, EntryMut::Module(self));
    }
}

impl Field for Parameter {
    fn visit<'a>(&'a self, name: &str, f: Visit<'_, 'a>) {
        f(name, Entry::Parameter(self));
    }
    fn visit_mut(&mut self, name: &str, f: VisitMut<'_>) {
        f(name, EntryMut::Parameter(self));
    }
}

impl Field for Buffer {
    fn visit<'a>(&'a self, name: &str, f: Visit<'_, 'a>) {
        f(name, Entry::Buffer(self));
    }
    fn visit_mut(&mut self, name: &str, f: VisitMut<'_>) {
        f(name, EntryMut::Buffer(self));
    }
}

impl<T: Field> Field for Option<T> {
    fn visit<'a>(&'a self, name: &str, f: Visit<'_, 'a>) {
        if let Some(x) = self {
            x.visit(name, f);
        }
    }
    fn visit_mut(&mut self, name: &str, f: VisitMut<'_>) {
        if let Some(x) = self {
            x.visit_mut(name, f);
        }
    }
}

/// Elements are named by their positions, as in PyTorch's `ModuleList`.
impl<T: Field> Field for Vec<T> {
    fn visit<'a>(&'a self, name: &str, f: Visit<'_, 'a>) {
        for (i, x) in self.iter().enumerate() {
            x.visit(&format!("{name}.{i}"), f);
        }
    }
    fn visit_mut(&mut self, name: &str, f: VisitMut<'_>) {
        for (i, x) in self.iter_mut().enumerate() {
            x.visit_mut(&format!("{name}.{i}"), f);
        }
    }
}

impl<T: Field, const N: usize> Field for [T; N] {
    fn visit<'a>(&'a self, name: &str, f: Visit<'_, 'a>) {
        for (i, x) in self.iter().enumerate() {
            x.visit(&format!("{name}.{i}"), f);
        }
    }
    fn visit_mut(&mut self, name: &str, f: VisitMut<'_>) {
        for (i, x) in self.iter_mut().enumerate() {
            x.visit_mut(&format!("{name}.{i}"), f);
        }
    }
}

macro_rules! settings {
    ($($t:ty),*) => {$(
        impl Field for $t {
            fn visit<'a>(&'a self, _: &str, _: Visit<'_, 'a>) {}
            fn visit_mut(&mut self, _: &str, _: VisitMut<'_>) {}
        }
    )*};
}
settings!(
    bool,
    u8,
    u16,
    u32,
    u64,
    usize,
    i8,
    i16,
    i32,
    i64,
    isize,
    f32,
    f64,
    char,
    String,
    &'static str,
    DType,
    Scalar,
    crate::Training
);
