//! NumPy's scalars, recognised without importing NumPy.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

struct Types {
    generic: Py<PyAny>,
    integer: Py<PyAny>,
}

static TYPES: PyOnceLock<Types> = PyOnceLock::new();

/// NumPy's base types, if somebody imported NumPy.
fn types(py: Python<'_>) -> Option<&'static Types> {
    if let Some(t) = TYPES.get(py) {
        return Some(t);
    }
    let modules = py.import("sys").ok()?.getattr("modules").ok()?.cast_into::<PyDict>().ok()?;
    let numpy = modules.get_item("numpy").ok()??;
    let generic = numpy.getattr("generic").ok()?.unbind();
    let integer = numpy.getattr("integer").ok()?.unbind();
    let _ = TYPES.set(py, Types { generic, integer });
    TYPES.get(py)
}

pub fn is_scalar(obj: &Bound<'_, PyAny>) -> bool {
    types(obj.py()).is_some_and(|t| obj.is_instance(t.generic.bind(obj.py())).unwrap_or(false))
}

pub fn is_integer(obj: &Bound<'_, PyAny>) -> bool {
    types(obj.py()).is_some_and(|t| obj.is_instance(t.integer.bind(obj.py())).unwrap_or(false))
}
