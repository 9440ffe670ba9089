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

/// `Tensor(...)`: the old constructor, of sizes or of data.
pub fn legacy_new(
    args: &Bound<'_, pyo3::types::PyTuple>,
    _kwargs: Option<&Bound<'_, pyo3::types::PyDict>>,
) -> PyResult<flambeau_core::Tensor> {
    use crate::errors::IntoPyResult;
    let sizes: Vec<i64> =
        args.extract().or_else(|_| args.iter().map(|a| a.extract::<i64>()).collect::<PyResult<_>>())?;
    let sizes = if sizes.is_empty() { vec![0] } else { sizes };
    flambeau_core::Tensor::empty(&sizes, flambeau_core::DType::F32, flambeau_core::Device::CPU).py()
}
