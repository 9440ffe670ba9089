//! `x[index]` and `x[index] = value` with PyTorch's rules: basic indices give views, the rest goes to the operations
//! `index` and `index_put`.

mod assign;
mod item;

use std::ffi::{c_int, c_void};

use flambeau_core::view::ViewOp;
use flambeau_core::{DType, Device, Scalar, Tensor, call};
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::ffi::{self, PyObject, PyType_Slot};
use pyo3::prelude::*;

use crate::errors::{IntoPyResult, guard, guard_int, warn};
use crate::object::tensor_of;
use crate::subclass;
use item::Item;

/// The position for a dimension of this size, or PyTorch's error.
fn position(index: i64, dim: usize, size: i64) -> PyResult<i64> {
    if index >= -size && index < size {
        return Ok(if index < 0 { index + size } else { index });
    }
    Err(PyIndexError::new_err(format!("index {index} is out of bounds for dimension {dim} with size {size}")))
}

fn select(t: &Tensor, dim: usize, index: i64, shown: usize) -> PyResult<Tensor> {
    let Some(&size) = t.sizes().get(dim) else {
        return Err(PyIndexError::new_err(
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a 0-dim \
             tensor to a number",
        ));
    };
    call::view(&ViewOp::Select { dim, index: position(index, shown, size)? }, t).py()
}

/// Applies a slice; the tensor itself where it plainly takes everything and `whole` allows that.
fn slice(t: &Tensor, dim: usize, bounds: (isize, isize, isize), whole: bool) -> PyResult<Tensor> {
    let Some(&size) = t.sizes().get(dim) else {
        return Err(PyIndexError::new_err("slice() cannot be applied to a 0-dim tensor."));
    };
    let (mut start, mut stop, step) = bounds;
    if step <= 0 {
        return Err(PyValueError::new_err("step must be greater than zero"));
    }
    if whole && start == 0 && stop as i64 >= size && step == 1 {
        return Ok(t.clone());
    }
    // SAFETY: plain arithmetic on three numbers.
    let len = unsafe { ffi::PySlice_AdjustIndices(size as isize, &mut start, &mut stop, step) };
    let op = ViewOp::Slice { dim, start: start as i64, len: len as i64, step: step as i64 };
    call::view(&op, t).py()
}

/// A tensor after the basic indices, and what is left for `index`: one entry for each leading dimension.
struct Sliced {
    view: Tensor,
    indices: Vec<Option<Tensor>>,
}

/// An index tensor for a new dimension of size one that is kept or dropped.
fn flag_index(keep: bool) -> PyResult<Tensor> {
    if keep { Tensor::from_slice(&[0i64], &[1]).py() } else { Tensor::empty(&[0], DType::I64, Device::CPU).py() }
}

/// How many dimensions a mask or another index covers.
fn covers(t: &Tensor) -> usize {
    if matches!(t.dtype(), DType::Bool | DType::U8) { t.ndim() } else { 1 }
}

/// A second ellipsis leads beyond the last dimension.
fn out_of_range(n: usize, dim: usize) -> PyErr {
    PyIndexError::new_err(format!(
        "Dimension out of range (expected to be in range of [-{n}, {}], but got {dim})",
        n.saturating_sub(1)
    ))
}

fn inside(t: &Tensor, dim: usize) -> PyResult<()> {
    if dim < t.ndim() { Ok(()) } else { Err(out_of_range(t.ndim(), dim)) }
}

fn unsqueeze(t: &Tensor, dim: usize) -> PyResult<Tensor> {
    if dim > t.ndim() {
        return Err(out_of_range(t.ndim() + 1, dim));
    }
    call::view(&ViewOp::Unsqueeze(dim), t).py()
}

/// Walks over the indices, applying views as it goes.
fn apply(t: &Tensor, objects: &[Bound<'_, PyAny>]) -> PyResult<Sliced> {
    let specified: usize = objects.iter().map(item::takes).sum();
    if specified > t.ndim() {
        return Err(PyIndexError::new_err(format!("too many indices for tensor of dimension {}", t.ndim())));
    }
    let mut view = t.clone();
    let mut indices: Vec<Option<Tensor>> = Vec::new();
    // Dimensions that `indices` covers: a mask covers several.
    let mut covered = 0;
    let mut dim = 0;
    for (shown, object) in objects.iter().enumerate() {
        let mut record = |index: Tensor, dim: &mut usize| {
            indices.resize(indices.len() + (*dim - covered), None);
            let n = covers(&index);
            indices.push(Some(index));
            *dim += n;
            covered = *dim;
        };
        match item::one(object)? {
            Item::Int(i) => {
                inside(&view, dim)?;
                view = select(&view, dim, i, shown)?;
            }
            Item::Slice(start, stop, step) => {
                inside(&view, dim)?;
                view = slice(&view, dim, (start, stop, step), true)?;
                dim += 1;
            }
            Item::Ellipsis => dim += t.ndim() - specified,
            Item::None => {
                view = unsqueeze(&view, dim)?;
                dim += 1;
            }
            Item::Bool(b) => {
                view = unsqueeze(&view, dim)?;
                record(flag_index(b)?, &mut dim);
            }
            Item::Tensor(index) if index.ndim() == 0 && index.dtype().is_int() && index.dtype() != DType::U8 => {
                inside(&view, dim)?;
                view = select(&view, dim, index.item().py()?.to_i64(), shown)?;
            }
            Item::Tensor(index) if index.ndim() == 0 && matches!(index.dtype(), DType::Bool | DType::U8) => {
                view = unsqueeze(&view, dim)?;
                record(flag_index(index.item().py()?.to_bool())?, &mut dim);
            }
            Item::Tensor(index) => {
                record(index, &mut dim);
            }
        }
    }
    Ok(Sliced { view, indices })
}

/// `torch.uint8` for masks is on its way out.
fn warn_of_bytes(py: Python<'_>, indices: &[Option<Tensor>]) -> PyResult<()> {
    for _ in indices.iter().flatten().filter(|t| t.dtype() == DType::U8) {
        warn(py, c"indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.")?;
    }
    Ok(())
}

/// `t[index]`.
fn get(t: &Tensor, index: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    if index.is_instance_of::<pyo3::types::PySlice>()
        && let Item::Slice(a, b, c) = item::one(index)?
    {
        return slice(t, 0, (a, b, c), false);
    }
    let items = item::split(index)?;
    let s = apply(t, &items)?;
    if s.indices.is_empty() {
        // An index always gives a new tensor, also where it takes everything.
        return if s.view.is(t) { call::view(&ViewOp::Alias, t).py() } else { Ok(s.view) };
    }
    warn_of_bytes(index.py(), &s.indices)?;
    let refs: Vec<Option<&Tensor>> = s.indices.iter().map(Option::as_ref).collect();
    flambeau_ops::indexing::index(&s.view, &refs).py()
}

unsafe extern "C" fn subscript(slf: *mut PyObject, index: *mut PyObject) -> *mut PyObject {
    // SAFETY: CPython passes a tensor and a live object under the GIL.
    unsafe {
        guard(|py| {
            let t = tensor_of(slf);
            let index = Bound::from_borrowed_ptr(py, index);
            let slf = Bound::from_borrowed_ptr(py, slf);
            if let Some(done) = subclass::operator(&slf, c"__getitem__", &[&index])? {
                return Ok(done.into_ptr());
            }
            let y = match item::plain_int(index.as_ptr()) {
                Some(i) => select(t, 0, i?, 0)?,
                None => get(t, &index)?,
            };
            subclass::wrap_like(&slf, y).map(Bound::into_ptr)
        })
    }
}

unsafe extern "C" fn assign_subscript(slf: *mut PyObject, index: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: CPython passes a tensor, a live object and one or null under the GIL.
    unsafe {
        guard_int(|py| {
            let index = Bound::from_borrowed_ptr(py, index);
            let slf = Bound::from_borrowed_ptr(py, slf);
            let Some(value) = Bound::from_borrowed_ptr_or_opt(py, value) else {
                return Err(pyo3::exceptions::PyTypeError::new_err("Tensor does not support deleting items"));
            };
            if subclass::operator(&slf, c"__setitem__", &[&index, &value])?.is_some() {
                return Ok(0);
            }
            assign::set(tensor_of(slf.as_ptr()), &index, &value).map(|()| 0)
        })
    }
}

/// A number as a tensor of the dtype of the tensor that it is written into.
fn number_like(t: &Tensor, s: Scalar) -> PyResult<Tensor> {
    if let Scalar::Complex(_, im) = s
        && im != 0.0
        && !t.dtype().is_complex()
    {
        return Err(pyo3::exceptions::PyRuntimeError::new_err(format!(
            "value cannot be converted to type {} without overflow",
            c_name(t.dtype())
        )));
    }
    Tensor::scalar(s, t.dtype(), Device::CPU).py()
}

/// The C++ type in PyTorch's messages about conversions.
fn c_name(d: DType) -> &'static str {
    match d {
        DType::F32 => "float",
        DType::F64 => "double",
        DType::F16 => "at::Half",
        DType::BF16 => "at::BFloat16",
        DType::U8 => "uint8_t",
        DType::I8 => "int8_t",
        DType::I16 => "int16_t",
        DType::I32 => "int",
        DType::I64 => "int64_t",
        DType::Bool => "bool",
        d => d.scalar_name(),
    }
}

pub fn slots() -> Vec<PyType_Slot> {
    let slot = |slot: c_int, pfunc: *mut c_void| PyType_Slot { slot, pfunc };
    vec![
        slot(ffi::Py_mp_subscript, subscript as *mut c_void),
        slot(ffi::Py_mp_ass_subscript, assign_subscript as *mut c_void),
    ]
}
