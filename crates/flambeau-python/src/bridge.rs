//! Small conversions that the hand-written parts of the binding share: tensors, dtypes and devices in and out.

use flambeau_core::{DType, Device, Tensor};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// The tensor inside a Python object, if it is one.
pub fn tensor_in(obj: &Bound<'_, PyAny>) -> Option<Tensor> {
    crate::object::unwrap(obj).cloned()
}

/// A tensor's object, or Python's `None`.
pub fn optional_tensor_out(py: Python<'_>, t: Option<Tensor>) -> PyResult<Bound<'_, PyAny>> {
    match t {
        Some(t) => crate::object::wrap(py, t),
        None => Ok(py.None().into_bound(py)),
    }
}

/// A dtype, or `None` for Python's `None`. Errors name the function as PyTorch does.
pub fn optional_dtype(function: &str, obj: Option<&Bound<'_, PyAny>>) -> PyResult<Option<DType>> {
    match obj {
        Some(o) if !o.is_none() => crate::dtype::extract(o).map(Some).ok_or_else(|| {
            PyTypeError::new_err(format!("{function}(): argument 'dtype' must be torch.dtype, not {}", type_name(o)))
        }),
        _ => Ok(None),
    }
}

/// A device given as an object, a string or an index; `None` for Python's `None`.
pub fn optional_device(function: &str, obj: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Device>> {
    match obj {
        Some(o) if !o.is_none() => match crate::device::extract(o) {
            Some(d) => d.map(Some),
            None => Err(PyTypeError::new_err(format!(
                "{function}(): argument 'device' must be torch.device, not {}",
                type_name(o)
            ))),
        },
        _ => Ok(None),
    }
}

/// The name of an object's type as messages show it.
pub use crate::args::message::type_name;

/// A Python bool argument that was given, else a default.
pub fn flag(obj: Option<&Bound<'_, PyAny>>, default: bool) -> PyResult<bool> {
    match obj {
        Some(o) if !o.is_none() => o.is_truthy(),
        _ => Ok(default),
    }
}

/// A type's name in C++, as some of PyTorch's messages show it.
pub fn cxx_name(d: DType) -> &'static str {
    match d {
        DType::U8 => "unsigned char",
        DType::I8 => "signed char",
        DType::I16 => "short int",
        DType::I32 => "int",
        DType::I64 => "long int",
        DType::F16 => "c10::Half",
        DType::BF16 => "c10::BFloat16",
        DType::F32 => "float",
        DType::F64 => "double",
        DType::C64 => "c10::complex<float>",
        DType::C128 => "c10::complex<double>",
        d => d.name(),
    }
}
