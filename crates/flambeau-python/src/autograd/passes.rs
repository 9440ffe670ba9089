//! What hooks written in Python may ask about the backward pass that is running.

use flambeau_core::autograd::{self as engine, Node, Saved};
use flambeau_core::shared::Shared;
use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use super::node::{self, PyNode};
use super::packing::PyHooks;
use crate::bridge::{optional_tensor_out, type_name};
use crate::errors::{IntoPyResult, from_py};
use crate::object::{Owned, expect};

/// The number of the innermost backward pass of this thread, or -1.
#[pyfunction]
fn _current_graph_task_id() -> i64 {
    engine::current_pass()
}

/// The node that is running.
#[pyfunction]
fn _current_autograd_node(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    match engine::current_node() {
        Some(n) => node::object(py, &n),
        None => Ok(py.None().into_bound(py)),
    }
}

#[pyfunction]
fn _will_engine_execute_node(node: &Bound<'_, PyAny>) -> PyResult<bool> {
    let Ok(object) = node.cast::<PyNode>() else {
        return Err(PyTypeError::new_err(format!(
            "_will_engine_execute_node expects an grad_fn, but got {}",
            type_name(node)
        )));
    };
    match object.get().node() {
        Some(n) => engine::will_execute(&n).py(),
        None => Ok(false),
    }
}

/// Whether every pass that this thread runs adds into all leaves.
#[pyfunction]
fn _is_checkpoint_valid() -> bool {
    engine::passes_are_whole()
}

#[pyfunction]
fn _queue_callback(callback: &Bound<'_, PyAny>) -> PyResult<()> {
    let callback = Owned::new(callback.clone());
    engine::queue_callback(Box::new(move || {
        Python::attach(|py| callback.bind(py).call0().map(|_| ()).map_err(|e| from_py(py, e)))
    }))
    .py()
}

/// A tensor kept as nodes keep theirs: through the saved-tensor hooks in force, with its version.
#[pyclass(name = "SavedTensor", module = "flambeau._C", frozen)]
pub struct PySaved(Place);

enum Place {
    Own(Mutex<Saved>),
    /// In a node.
    Of(Shared<Node>, usize),
}

impl PySaved {
    pub fn of(node: Shared<Node>, place: usize) -> PySaved {
        PySaved(Place::Of(node, place))
    }
}

#[pymethods]
impl PySaved {
    /// The tensor, if nobody wrote to it since.
    fn unpack<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let tensor = match &self.0 {
            Place::Own(saved) => Some(saved.lock().unpack(None).py()?),
            Place::Of(node, place) => node.saved_at(*place).py()?,
        };
        optional_tensor_out(py, tensor)
    }

    /// Keeps what `pack_hook` makes of the tensor; `unpack_hook` makes the tensor of that again.
    fn register_hooks(&self, pack_hook: &Bound<'_, PyAny>, unpack_hook: &Bound<'_, PyAny>) -> PyResult<()> {
        let hooks = PyHooks::new(pack_hook, unpack_hook);
        match &self.0 {
            Place::Own(saved) => saved.lock().repack(&hooks).py(),
            Place::Of(node, place) => node.repack_at(*place, &hooks).py(),
        }
    }
}

#[pyfunction]
fn _make_saved_tensor(tensor: &Bound<'_, PyAny>) -> PyResult<PySaved> {
    let saved = Saved::input(expect(tensor, "_make_saved_tensor", "tensor")?).py()?;
    Ok(PySaved(Place::Own(Mutex::new(saved))))
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PySaved>()?;
    m.add_function(wrap_pyfunction!(_current_graph_task_id, m)?)?;
    m.add_function(wrap_pyfunction!(_current_autograd_node, m)?)?;
    m.add_function(wrap_pyfunction!(_will_engine_execute_node, m)?)?;
    m.add_function(wrap_pyfunction!(_is_checkpoint_valid, m)?)?;
    m.add_function(wrap_pyfunction!(_queue_callback, m)?)?;
    m.add_function(wrap_pyfunction!(_make_saved_tensor, m)?)
}
