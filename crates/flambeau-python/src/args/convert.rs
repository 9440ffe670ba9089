//! Arguments that fit, as the boundary takes them.

use std::sync::Arc;

use flambeau_core::op::Value;
use flambeau_core::schema::Type;
use flambeau_core::{Scalar, Tensor};
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

use super::check;
use super::message::type_name;
use super::spec::Param;
use crate::errors::IntoPyResult;
use crate::object::{is_tensor, tensor_of};

fn bound<'py>(obj: *mut PyObject) -> Bound<'py, PyAny> {
    // SAFETY: callers pass live objects under the GIL; the handle does not outlive the call.
    unsafe { Bound::from_borrowed_ptr(Python::assume_attached(), obj) }
}

/// A number as PyTorch reads a `Number`: Python's, NumPy's, or a 0-dimensional tensor.
///
/// # Safety
/// `obj` is live and passed [`check::is_number`] or is a 0-dimensional tensor; the GIL is held.
pub unsafe fn scalar(obj: *mut PyObject) -> PyResult<Scalar> {
    // SAFETY: by the contract.
    unsafe {
        if ffi::PyFloat_Check(obj) != 0 {
            return Ok(Scalar::Float(ffi::PyFloat_AsDouble(obj)));
        }
        if obj == ffi::Py_True() || obj == ffi::Py_False() {
            return Ok(Scalar::Bool(obj == ffi::Py_True()));
        }
        if ffi::PyLong_Check(obj) != 0 {
            let mut overflow = 0;
            let v = ffi::PyLong_AsLongLongAndOverflow(obj, &mut overflow);
            if overflow != 0 {
                return Err(PyOverflowError::new_err("int too big to convert"));
            }
            return Ok(Scalar::Int(v));
        }
        if ffi::PyComplex_Check(obj) != 0 {
            return Ok(Scalar::Complex(ffi::PyComplex_RealAsDouble(obj), ffi::PyComplex_ImagAsDouble(obj)));
        }
        if is_tensor(obj) {
            return tensor_of(obj).item().py();
        }
        // A NumPy scalar: `item()` gives Python's number.
        let item = bound(obj).call_method0("item")?;
        if item.as_ptr() == obj || (!item.is_instance_of::<pyo3::types::PyFloat>() && !check::is_number(item.as_ptr()))
        {
            return Err(PyTypeError::new_err(format!("{} is not a number", type_name(&item))));
        }
        scalar(item.as_ptr())
    }
}

fn overflow() -> PyErr {
    PyValueError::new_err("Overflow when unpacking long long")
}

/// An int: Python's, NumPy's, an integer tensor of no dimensions, or what has `__index__`.
///
/// # Safety
/// `obj` is live; the GIL is held.
pub unsafe fn int(obj: *mut PyObject) -> PyResult<i64> {
    // SAFETY: by the contract; results are checked.
    unsafe {
        if ffi::PyLong_Check(obj) != 0 {
            let mut over = 0;
            let v = ffi::PyLong_AsLongLongAndOverflow(obj, &mut over);
            return if over != 0 { Err(overflow()) } else { Ok(v) };
        }
        if is_tensor(obj) {
            let t = tensor_of(obj);
            if t.numel() == 1 && (t.dtype().is_int() || t.dtype() == flambeau_core::DType::Bool) {
                return Ok(t.item().py()?.to_i64());
            }
        }
        let v = Bound::from_owned_ptr_or_err(Python::assume_attached(), ffi::PyNumber_Index(obj))?;
        int(v.as_ptr())
    }
}

unsafe fn ints(function: &str, p: &Param, obj: *mut PyObject, n: Option<usize>) -> PyResult<Value> {
    // SAFETY: the object fits `p`.
    unsafe {
        if ffi::PyTuple_Check(obj) == 0 && ffi::PyList_Check(obj) == 0 {
            let v = int(obj)?;
            return Ok(Value::Ints(match n {
                Some(n) if n > 1 => vec![v; n].into(),
                _ => Arc::from([v]),
            }));
        }
        let len = ffi::PySequence_Size(obj);
        let mut out = smallvec::SmallVec::<[i64; 8]>::new();
        for i in 0..len {
            let item = Bound::from_owned_ptr_or_err(Python::assume_attached(), ffi::PySequence_GetItem(obj, i))?;
            match int(item.as_ptr()) {
                Ok(v) => out.push(v),
                Err(e) if e.is_instance_of::<PyValueError>(item.py()) => return Err(e),
                Err(_) => return Err(cannot_unpack(function, p, i as usize, &item)),
            }
        }
        Ok(Value::Ints(out.as_slice().into()))
    }
}

/// Positional ints that together are one list.
///
/// # Safety
/// Live objects under the GIL.
pub unsafe fn int_arguments(function: &str, p: &Param, all: &[*mut PyObject]) -> PyResult<Value> {
    let mut out = smallvec::SmallVec::<[i64; 8]>::new();
    for (i, &obj) in all.iter().enumerate() {
        // SAFETY: by the contract.
        match unsafe { int(obj) } {
            Ok(v) => out.push(v),
            Err(e) if e.is_instance_of::<PyValueError>(bound(obj).py()) => return Err(e),
            Err(_) => return Err(cannot_unpack(function, p, i, &bound(obj))),
        }
    }
    Ok(Value::Ints(out.as_slice().into()))
}

#[cold]
fn cannot_unpack(function: &str, p: &Param, at: usize, item: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!(
        "{function}(): argument '{}' failed to unpack the object at pos {} with error \"type must be {},but got {}\"",
        p.name,
        at + 1,
        p.type_name,
        type_name(item)
    ))
}

unsafe fn floats(function: &str, p: &Param, obj: *mut PyObject) -> PyResult<Value> {
    // SAFETY: a tuple or list, checked before.
    unsafe {
        let len = ffi::PySequence_Size(obj);
        let mut out = Vec::with_capacity(len.max(0) as usize);
        for i in 0..len {
            let item = Bound::from_owned_ptr_or_err(Python::assume_attached(), ffi::PySequence_GetItem(obj, i))?;
            if !check::is_number(item.as_ptr()) && !is_tensor(item.as_ptr()) {
                return Err(PyTypeError::new_err(format!(
                    "{function}(): argument '{}' must be {}, but found element of type {} at pos {}",
                    p.name,
                    p.type_name,
                    type_name(&item),
                    i
                )));
            }
            out.push(scalar(item.as_ptr())?.to_f64());
        }
        Ok(Value::Floats(out.into()))
    }
}

/// The value of an argument that is not a tensor and passed [`check::fits`].
///
/// # Safety
/// As said; the GIL is held.
pub unsafe fn value(function: &str, p: &Param, obj: *mut PyObject) -> PyResult<Value> {
    // SAFETY: by the contract.
    unsafe {
        Ok(match p.ty {
            Type::Int => Value::Int(int(obj)?),
            Type::Bool => Value::Bool(obj == ffi::Py_True()),
            Type::Float => Value::Float(scalar(obj)?.to_f64()),
            Type::Scalar => Value::Scalar(scalar(obj)?),
            Type::Ints(n) => ints(function, p, obj, n)?,
            Type::Floats => floats(function, p, obj)?,
            Type::Str => Value::Str(bound(obj).extract::<String>()?.into()),
            Type::DType => crate::dtype::extract(&bound(obj)).map_or(Value::None, Value::DType),
            Type::Device => match crate::device::extract(&bound(obj)) {
                Some(d) => Value::Device(d?),
                None => Value::None,
            },
            Type::MemoryFormat => match bound(obj).cast::<crate::device::PyMemoryFormat>() {
                Ok(m) => Value::Int(m.get().code),
                Err(_) => Value::None,
            },
            Type::Generator => crate::generator::extract(&bound(obj)).map_or(Value::None, Value::Generator),
            Type::Layout | Type::Tensor | Type::TensorOrScalar | Type::Tensors(_) => Value::None,
        })
    }
}

/// Tensors that exist for one call: numbers, and the elements of lists.
pub type Held = smallvec::SmallVec<[Option<Tensor>; 2]>;

/// Tensors that the call keeps alive itself: numbers as tensors, elements of lists.
///
/// # Safety
/// `obj` passed [`check::fits`]; the GIL is held.
pub unsafe fn temporaries(p: &Param, obj: *mut PyObject, held: &mut Held) -> PyResult<()> {
    // SAFETY: by the contract.
    unsafe {
        match p.ty {
            Type::TensorOrScalar if !is_tensor(obj) => held.push(Some(Tensor::wrapped(scalar(obj)?).py()?)),
            Type::Tensors(_) => {
                for i in 0..ffi::PySequence_Size(obj) {
                    let item =
                        Bound::from_owned_ptr_or_err(Python::assume_attached(), ffi::PySequence_GetItem(obj, i))?;
                    held.push(crate::object::unwrap(&item).cloned());
                }
            }
            _ => {}
        }
        Ok(())
    }
}
