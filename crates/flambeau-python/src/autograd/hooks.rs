//! Python callables behind the engine's hook traits.
//!
//! Each trait object holds an `OrderedDict` of callables, which a `RemovableHandle` takes entries out of.

use std::any::Any;
use std::sync::Arc;

use flambeau_core::autograd::{NodeHook, TensorHook};
use flambeau_core::{DType, Result, Tensor};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::bridge::{optional_tensor_out, type_name};
use crate::errors::from_py;
use crate::object::{Owned, PyHook, unwrap, wrap};

/// The callables of a dictionary, as they are now: a hook may remove itself.
fn callables<'py>(dict: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    let values = dict.call_method0("values")?;
    PyList::new(dict.py(), values.try_iter()?.collect::<PyResult<Vec<_>>>()?)
}

fn hook_name(hook: &Bound<'_, PyAny>) -> String {
    match hook.getattr("__name__") {
        Ok(name) => name.to_string(),
        Err(_) => type_name(hook),
    }
}

fn old_type_name(d: DType) -> String {
    format!("torch.{}Tensor", d.scalar_name())
}

/// Refuses a replacement that does not fit the gradient that it replaces.
fn check_same(hook: &Bound<'_, PyAny>, old: &Tensor, new: &Tensor) -> PyResult<()> {
    if old.dtype() != new.dtype() {
        return Err(PyRuntimeError::new_err(format!(
            "hook '{}' has changed the type of value (was {} got {})",
            hook_name(hook),
            old_type_name(old.dtype()),
            old_type_name(new.dtype())
        )));
    }
    if old.sizes() != new.sizes() {
        return Err(PyRuntimeError::new_err(format!("hook '{}' has changed the size of value", hook_name(hook))));
    }
    Ok(())
}

fn run_tensor_hooks(py: Python<'_>, dict: &Bound<'_, PyAny>, grad: &Tensor) -> PyResult<Option<Tensor>> {
    let mut current: Option<Tensor> = None;
    for hook in callables(dict)? {
        let g = current.as_ref().unwrap_or(grad).clone();
        let got = hook.call1((wrap(py, g.clone())?,))?;
        if got.is_none() {
            continue;
        }
        let Some(new) = unwrap(&got) else {
            return Err(PyTypeError::new_err(format!("expected Variable, but hook returned '{}'", type_name(&got))));
        };
        check_same(&hook, &g, new)?;
        current = Some(new.clone());
    }
    Ok(current)
}

impl TensorHook for PyHook {
    fn call(&self, grad: &Tensor) -> Result<Option<Tensor>> {
        Python::attach(|py| run_tensor_hooks(py, self.callable.bind(py), grad).map_err(|e| from_py(py, e)))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Hooks that see a leaf after its gradient was added.
struct PostHook(PyHook);

impl TensorHook for PostHook {
    fn call(&self, leaf: &Tensor) -> Result<Option<Tensor>> {
        let run = |py: Python<'_>| -> PyResult<()> {
            for hook in callables(self.0.callable.bind(py))? {
                let object = wrap(py, leaf.clone())?;
                let got = hook.call1((&object,))?;
                if !got.is_none() && !got.is(&object) {
                    return Err(PyRuntimeError::new_err("Tensor post accumulate grad hooks should return None."));
                }
            }
            Ok(())
        };
        Python::attach(|py| run(py).map_err(|e| from_py(py, e)))?;
        Ok(None)
    }

    fn as_any(&self) -> &dyn Any {
        &self.0
    }
}

/// Whether a hook is the one of this dictionary.
pub fn is_of(hook: &dyn TensorHook, dict: &Bound<'_, PyAny>) -> bool {
    hook.as_any().downcast_ref::<PyHook>().is_some_and(|h| h.callable.as_ptr() == dict.as_ptr())
}

/// A tensor's hooks, in a dictionary.
pub fn tensor_hook(dict: Bound<'_, PyAny>) -> Arc<dyn TensorHook> {
    Arc::new(PyHook { callable: Owned::new(dict) })
}

pub fn post_accumulate_hook(dict: Bound<'_, PyAny>) -> Arc<dyn TensorHook> {
    Arc::new(PostHook(PyHook { callable: Owned::new(dict) }))
}

/// A node's hook, before (`grad_outputs`) or after it ran (`grad_inputs, grad_outputs`).
struct PyNodeHook(PyHook);

pub fn node_hook(dict: Bound<'_, PyAny>) -> Arc<dyn NodeHook> {
    Arc::new(PyNodeHook(PyHook { callable: Owned::new(dict) }))
}

fn tuple_of<'py>(py: Python<'py>, grads: &[Option<Tensor>]) -> PyResult<Bound<'py, PyTuple>> {
    let items = grads.iter().map(|g| optional_tensor_out(py, g.clone())).collect::<PyResult<Vec<_>>>()?;
    PyTuple::new(py, items)
}

fn run_node_hooks(
    py: Python<'_>,
    dict: &Bound<'_, PyAny>,
    first: &[Option<Tensor>],
    second: Option<&[Option<Tensor>]>,
) -> PyResult<Option<Vec<Option<Tensor>>>> {
    let mut current: Option<Vec<Option<Tensor>>> = None;
    for hook in callables(dict)? {
        let now = current.as_deref().unwrap_or(first);
        let args = tuple_of(py, now)?;
        let got = match second {
            None => hook.call1((args,))?,
            Some(s) => hook.call1((args, tuple_of(py, s)?))?,
        };
        if got.is_none() {
            continue;
        }
        let Ok(tuple) = got.cast::<PyTuple>() else {
            return Err(PyTypeError::new_err(format!("expected tuple, but hook returned '{}'", type_name(&got))));
        };
        if tuple.len() != now.len() {
            return Err(PyRuntimeError::new_err(format!(
                "hook '{}' has returned an incorrect number of values (got {}, but expected {})",
                hook_name(&hook),
                tuple.len(),
                now.len()
            )));
        }
        let mut new = Vec::with_capacity(now.len());
        for (old, value) in now.iter().zip(tuple.iter()) {
            new.push(match unwrap(&value) {
                Some(t) => {
                    if let Some(old) = old {
                        check_same(&hook, old, t)?;
                    }
                    Some(t.clone())
                }
                None if value.is_none() => None,
                None => {
                    return Err(PyTypeError::new_err(format!(
                        "expected Variable, but hook returned '{}'",
                        type_name(&value)
                    )));
                }
            });
        }
        current = Some(new);
    }
    Ok(current)
}

impl NodeHook for PyNodeHook {
    fn call(&self, first: &[Option<Tensor>], second: Option<&[Option<Tensor>]>) -> Result<Option<Vec<Option<Tensor>>>> {
        Python::attach(|py| run_node_hooks(py, self.0.callable.bind(py), first, second).map_err(|e| from_py(py, e)))
    }

    fn as_any(&self) -> &dyn Any {
        &self.0
    }
}
