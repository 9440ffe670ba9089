//! The old constructors: `Tensor(2, 3)`, `Tensor([1, 2])`, `FloatTensor(...)`.

use flambeau_core::view::Layout;
use flambeau_core::{DType, Device, Tensor, default_dtype};
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyTuple};

use super::{numpy, on_device, sequence};
use crate::bridge::{optional_device, type_name};
use crate::errors::IntoPyResult;
use crate::object::unwrap;

/// `Tensor(...)`: sizes, data, a tensor or a storage, in the default dtype.
pub fn legacy_new(args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<Tensor> {
    construct(None, args, kwargs)
}

/// As [`legacy_new`], for one dtype only where one is given.
pub(super) fn construct(
    typed: Option<DType>,
    args: &Bound<'_, PyTuple>,
    kwargs: Option<&Bound<'_, PyDict>>,
) -> PyResult<Tensor> {
    let dtype = typed.unwrap_or_else(default_dtype);
    let mut device = Device::CPU;
    let mut named = None;
    for (key, value) in kwargs.into_iter().flatten() {
        match key.extract::<String>()?.as_str() {
            "device" => device = optional_device("new", Some(&value))?.unwrap_or(Device::CPU),
            "size" | "other" | "data" | "storage" if args.is_empty() && named.is_none() => named = Some(value),
            _ => return Err(no_overload(args, kwargs)),
        }
    }
    let first = match (args.len(), named) {
        (0, None) => return Tensor::empty(&[0], dtype, device).py(),
        (0, Some(v)) => v,
        _ => args.get_item(0)?,
    };
    let is_int = |o: &Bound<'_, PyAny>| {
        o.is_instance_of::<PyInt>() || (numpy::is_scalar(o).unwrap_or(false) && o.extract::<i64>().is_ok())
    };
    if args.len() > 1 || is_int(&first) {
        let items: Vec<_> = if args.is_empty() { vec![first] } else { args.iter().collect() };
        if !items.iter().all(is_int) {
            return Err(no_overload(args, kwargs));
        }
        let sizes = items.iter().map(|i| i.extract::<i64>()).collect::<PyResult<Vec<_>>>()?;
        return Tensor::empty(&sizes, dtype, device).py();
    }
    if first.is_instance(&crate::size::size_type(first.py()))? {
        return Tensor::empty(&first.extract::<Vec<i64>>()?, dtype, device).py();
    }
    if let Some(t) = unwrap(&first) {
        if typed.is_some_and(|d| d != t.dtype()) {
            return Err(PyTypeError::new_err(format!(
                "expected a tensor of dtype {dtype} (got one of dtype {})",
                t.dtype()
            )));
        }
        return Ok(t.detach());
    }
    if let Some(storage) = crate::storage::extract(&first) {
        let n = (storage.nbytes() / dtype.size()) as i64;
        let layout = Layout {
            sizes: flambeau_core::layout::Dims::from_slice(&[n]),
            strides: flambeau_core::layout::Dims::from_slice(&[1]),
            offset: 0,
            dtype,
        };
        return Tensor::from_storage(storage, layout).py();
    }
    if numpy::is_array(&first)? {
        return on_device(&numpy::from_array(&first, true)?, dtype, device, false);
    }
    let text = first.is_instance_of::<pyo3::types::PyString>();
    // SAFETY: a live object under the GIL.
    if !text && unsafe { ffi::PySequence_Check(first.as_ptr()) } == 0 {
        return Err(PyTypeError::new_err(format!("new(): data must be a sequence (got {})", type_name(&first))));
    }
    on_device(&sequence::build(&first, Some(dtype))?, dtype, device, false)
}

#[cold]
fn no_overload(args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyErr {
    let mut got: Vec<String> = args.iter().map(|a| type_name(&a)).collect();
    for (key, value) in kwargs.into_iter().flatten() {
        got.push(format!("{key}={}", qualified(&value)));
    }
    PyTypeError::new_err(format!(
        "new() received an invalid combination of arguments - got ({}), but expected one of:\n * (*, torch.device device = \
         None)\n * (torch.Storage storage)\n * (Tensor other)\n * (tuple of ints size, *, torch.device device = None)\n * \
         (object data, *, torch.device device = None)\n",
        got.join(", ")
    ))
}

fn qualified(obj: &Bound<'_, PyAny>) -> String {
    if crate::dtype::extract(obj).is_some() { "torch.dtype".into() } else { type_name(obj) }
}
