//! See lib.rs.

use pyo3::ffi::{PyGetSetDef, PyMethodDef};
use pyo3::prelude::*;

/// Methods of `Tensor` that this file gives.
pub fn methods() -> Vec<PyMethodDef> {
    Vec::new()
}

/// Attributes of `Tensor` that this file gives.
pub fn getters() -> Vec<PyGetSetDef> {
    Vec::new()
}

pub fn register(_m: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
