//! The old constructors: `Tensor(2, 3)`, `Tensor([1, 2])`, `FloatTensor(...)`.

use flambeau_core::view::Layout;
use flambeau_core::{DType, Device, Tensor, default_dtype};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyInt, PyTuple};

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
    let mut by_size = false;
    for (key, value) in kwargs.into_iter().flatten() {
        match key.extract::<String>()?.as_str() {
            "device" => device = on_cpu(&value)?,
            key @ ("size" | "other" | "data" | "storage") if args.is_empty() && named.is_none() => {
                by_size = key == "size";
                named = Some(value);
            }
            _ => return Err(no_overload(args, kwargs)),
        }
    }
    let first = match (args.len(), named) {
        (0, None) => return Tensor::empty(&[0], dtype, device).py(),
        (0, Some(v)) => v,
        _ => args.get_item(0)?,
    };
    if by_size {
        return Tensor::empty(&first.extract::<Vec<i64>>()?, dtype, device).py();
    }
    let is_int = |o: &Bound<'_, PyAny>| {
        let int = o.is_instance_of::<PyInt>() && !o.is_instance_of::<PyBool>();
        int || (numpy::is_scalar(o).unwrap_or(false) && o.extract::<i64>().is_ok())
            || args.len() > 1 && unwrap(o).is_some_and(|t| t.ndim() == 0 && t.dtype().is_int())
    };
    if args.len() > 1 || is_int(&first) {
        let items: Vec<_> = if args.is_empty() { vec![first] } else { args.iter().collect() };
        if let Some(at) = items.iter().position(|i| !is_int(i)) {
            if at > 0 {
                return Err(PyTypeError::new_err(format!(
                    "new(): argument 'size' failed to unpack the object at pos {} with error \"type must be tuple of ints,but \
                     got {}\"",
                    at + 1,
                    type_name(&items[at])
                )));
            }
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
            let options = |d| {
                format!(
                    "TensorOptions(dtype={}, device=cpu, layout=Strided, requires_grad=false (default), \
                     pinned_memory=false (default), memory_format=(nullopt))",
                    cpp_name(d)
                )
            };
            return Err(PyTypeError::new_err(format!("expected {} (got {})", options(dtype), options(t.dtype()))));
        }
        // Another object over the same memory, which keeps its history.
        return flambeau_core::call::view(&flambeau_core::view::ViewOp::Alias, t).py();
    }
    if let Some(storage) = storage_of(&first, dtype)? {
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

/// An untyped storage, or a typed one of this dtype.
fn storage_of(
    obj: &Bound<'_, PyAny>,
    dtype: DType,
) -> PyResult<Option<flambeau_core::shared::Shared<flambeau_core::storage::Storage>>> {
    if let Some(s) = crate::storage::extract(obj) {
        return Ok(Some(s));
    }
    let Some(inner) = obj.getattr_opt("_untyped_storage")? else { return Ok(None) };
    let given = crate::dtype::extract(&obj.getattr("dtype")?);
    if given != Some(dtype) {
        return Err(PyRuntimeError::new_err(format!(
            "Expected a Storage of type {} or an UntypedStorage, but got type {} for argument 1 'storage'",
            dtype.scalar_name(),
            given.map_or("?", DType::scalar_name)
        )));
    }
    Ok(crate::storage::extract(&inner))
}

fn on_cpu(device: &Bound<'_, PyAny>) -> PyResult<Device> {
    let wrong = |kind: &str| {
        PyRuntimeError::new_err(format!(
            "legacy constructor expects device type: cpu but device type: {kind} was passed"
        ))
    };
    match optional_device("new", Some(device)) {
        Ok(None) => Ok(Device::CPU),
        Ok(Some(d)) if d.is_cpu() => Ok(d),
        Ok(Some(d)) => Err(wrong(d.to_string().split(':').next().unwrap_or_default())),
        // A bare number names a CUDA device, which there may be none of.
        Err(e) => Err(if device.is_instance_of::<PyInt>() { wrong("cuda") } else { e }),
    }
}

/// A dtype as PyTorch's options show it.
fn cpp_name(d: DType) -> &'static str {
    match d {
        DType::F32 => "float",
        DType::F64 => "double",
        DType::F16 => "c10::Half",
        DType::BF16 => "c10::BFloat16",
        DType::U8 => "unsigned char",
        DType::I8 => "signed char",
        DType::I16 => "short int",
        DType::I32 => "int",
        DType::I64 => "long int",
        DType::Bool => "bool",
        DType::C64 => "c10::complex<float>",
        DType::C128 => "c10::complex<double>",
        d => d.scalar_name(),
    }
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
