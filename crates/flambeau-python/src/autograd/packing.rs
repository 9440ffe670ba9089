//! Saved-tensor hooks as Python gives them: a function that packs a tensor, one that unpacks what it made.

use std::any::Any;
use std::sync::Arc;

use flambeau_core::autograd::{self as engine, Packed, SavedHooks};
use flambeau_core::{Result, Tensor};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::bridge::type_name;
use crate::errors::{IntoPyResult, from_py};
use crate::object::{Owned, expect, unwrap, wrap};

/// A pair of functions.
pub(super) struct PyHooks {
    pack: Owned,
    unpack: Arc<Owned>,
}

/// What the first function made, and the second one.
struct PyPacked {
    object: Owned,
    unpack: Arc<Owned>,
}

impl PyHooks {
    pub fn new(pack: &Bound<'_, PyAny>, unpack: &Bound<'_, PyAny>) -> PyHooks {
        PyHooks { pack: Owned::new(pack.clone()), unpack: Arc::new(Owned::new(unpack.clone())) }
    }
}

impl SavedHooks for PyHooks {
    fn pack(&self, t: &Tensor) -> Result<Arc<dyn Packed>> {
        Python::attach(|py| {
            let run = || self.pack.bind(py).call1((wrap(py, t.clone())?,));
            let object = Owned::new(run().map_err(|e| from_py(py, e))?);
            Ok(Arc::new(PyPacked { object, unpack: self.unpack.clone() }) as Arc<dyn Packed>)
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Packed for PyPacked {
    fn unpack(&self) -> Result<Tensor> {
        Python::attach(|py| {
            let run = || -> PyResult<Tensor> {
                let got = self.unpack.bind(py).call1((self.object.bind(py),))?;
                unwrap(&got).cloned().ok_or_else(|| {
                    PyTypeError::new_err(format!(
                        "Output of saved tensor unpack_hook expected to be a Tensor but got result of type {}",
                        type_name(&got)
                    ))
                })
            };
            run().map_err(|e| from_py(py, e))
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[pyfunction]
fn _push_saved_tensors_default_hooks(pack: &Bound<'_, PyAny>, unpack: &Bound<'_, PyAny>) -> PyResult<()> {
    engine::push_saved_hooks(Arc::new(PyHooks::new(pack, unpack))).py()
}

#[pyfunction]
fn _pop_saved_tensors_default_hooks() {
    engine::pop_saved_hooks();
}

/// Forbids hooks with a message (None allows them); returns the message before.
#[pyfunction]
#[pyo3(signature = (message = None))]
fn _saved_tensors_hooks_disable(message: Option<String>) -> PyResult<Option<String>> {
    engine::disable_saved_hooks(message).py()
}

#[pyfunction]
fn _saved_tensors_hooks_disabled() -> Option<String> {
    engine::saved_hooks_disabled()
}

/// Calls `f(tensor)` before each in-place write; None ends that.
#[pyfunction]
#[pyo3(signature = (f))]
fn _set_before_write(f: Option<Bound<'_, PyAny>>) {
    engine::set_before_write(f.map(|f| {
        let f = Owned::new(f);
        Arc::new(move |t: &Tensor| {
            Python::attach(|py| {
                let run = || f.bind(py).call1((wrap(py, t.clone())?,)).map(|_| ());
                run().map_err(|e| from_py(py, e))
            })
        }) as engine::BeforeWrite
    }));
}

#[pyfunction]
fn _set_version(tensor: &Bound<'_, PyAny>, version: u32) -> PyResult<()> {
    expect(tensor, "_set_version", "tensor")?.set_version(version);
    Ok(())
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(_push_saved_tensors_default_hooks, m)?)?;
    m.add_function(wrap_pyfunction!(_pop_saved_tensors_default_hooks, m)?)?;
    m.add_function(wrap_pyfunction!(_set_before_write, m)?)?;
    m.add_function(wrap_pyfunction!(_set_version, m)?)?;
    m.add_function(wrap_pyfunction!(_saved_tensors_hooks_disable, m)?)?;
    m.add_function(wrap_pyfunction!(_saved_tensors_hooks_disabled, m)?)
}
