//! What each object in an index stands for.

use flambeau_core::{DType, Tensor};
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use crate::args::message::type_name;
use crate::errors::warn;
use crate::object::{is_tensor, unwrap};

/// One index.
pub enum Item {
    Int(i64),
    /// As `PySlice_Unpack` gives it.
    Slice(isize, isize, isize),
    Ellipsis,
    None,
    Bool(bool),
    Tensor(Tensor),
}

/// An index that is one plain int, the most frequent case.
///
/// # Safety
/// A live object under the GIL.
#[inline]
pub unsafe fn plain_int(obj: *mut PyObject) -> Option<PyResult<i64>> {
    // SAFETY: by the contract.
    unsafe {
        if ffi::PyLong_Check(obj) == 0 || obj == ffi::Py_True() || obj == ffi::Py_False() {
            return None;
        }
        let mut overflow = 0;
        let v = ffi::PyLong_AsLongLongAndOverflow(obj, &mut overflow);
        Some(if overflow != 0 { Err(PyValueError::new_err("Overflow when unpacking long long")) } else { Ok(v) })
    }
}

/// The objects in `x[index]`, not yet looked into.
pub fn split<'py>(index: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    if let Ok(items) = index.cast::<PyTuple>() {
        return Ok(items.iter().collect());
    }
    // A string is a sequence of sequences.
    let text = index.is_instance_of::<PyString>() && (1..32).contains(&index.len()?);
    if text || index.cast::<PyList>().is_ok_and(counts_as_tuple) {
        warn(index.py(), c"Using a non-tuple sequence for multidimensional indexing is deprecated and will be changed in pytorch 2.9; use \
             x[tuple(seq)] instead of x[seq]. In pytorch 2.9 this will be interpreted as tensor index, \
             x[torch.tensor(seq)], which will result either in an error or a different result",
        )?;
        return index.try_iter()?.collect();
    }
    Ok(vec![index.clone()])
}

/// How many dimensions an index takes, told without converting it.
pub fn takes(obj: &Bound<'_, PyAny>) -> usize {
    if let Some(t) = unwrap(obj) {
        return super::covers(t);
    }
    let p = obj.as_ptr();
    // SAFETY: compares addresses.
    let none = unsafe { p == ffi::Py_Ellipsis() || p == ffi::Py_True() || p == ffi::Py_False() };
    (!none && !obj.is_none()) as usize
}

/// A list that holds anything but numbers means the same as a tuple.
fn counts_as_tuple(list: &Bound<'_, PyList>) -> bool {
    let structured = |i: &Bound<'_, PyAny>| {
        // SAFETY: a live object under the GIL.
        unsafe {
            i.is_none()
                || is_tensor(i.as_ptr())
                || ffi::PySequence_Check(i.as_ptr()) != 0
                || i.is_instance_of::<pyo3::types::PySlice>()
                || i.as_ptr() == ffi::Py_Ellipsis()
        }
    };
    list.len() < 32 && list.iter().any(|i| structured(&i))
}

/// What one object stands for.
pub fn one(obj: &Bound<'_, PyAny>) -> PyResult<Item> {
    // SAFETY: a live object under the GIL.
    unsafe {
        let p = obj.as_ptr();
        if let Some(i) = plain_int(p) {
            return Ok(Item::Int(i?));
        }
        if obj.is_none() {
            return Ok(Item::None);
        }
        if p == ffi::Py_Ellipsis() {
            return Ok(Item::Ellipsis);
        }
        if p == ffi::Py_True() || p == ffi::Py_False() {
            return Ok(Item::Bool(p == ffi::Py_True()));
        }
        if let Some(t) = unwrap(obj) {
            return Ok(Item::Tensor(t.clone()));
        }
        if obj.is_instance_of::<pyo3::types::PySlice>() {
            let (mut start, mut stop, mut step) = (0, 0, 0);
            if ffi::PySlice_Unpack(p, &mut start, &mut stop, &mut step) < 0 {
                return Err(PyErr::fetch(obj.py()));
            }
            return Ok(Item::Slice(start, stop, step));
        }
        if ffi::PySequence_Check(p) != 0 {
            return Ok(Item::Tensor(index_tensor(obj)?));
        }
        if ffi::PyIndex_Check(p) != 0 {
            return Ok(Item::Int(crate::args::convert::int(p)?));
        }
    }
    Err(PyIndexError::new_err(format!(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got {})",
        type_name(obj)
    )))
}

/// A sequence as an index tensor: a mask, or int64 whatever its numbers are.
fn index_tensor(obj: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    if obj.is_instance_of::<PyString>() || obj.is_instance_of::<PyBytes>() {
        return Err(PyTypeError::new_err(format!("new(): invalid data type '{}'", type_name(obj))));
    }
    let t = if obj.hasattr("__array_interface__")? {
        crate::convert::from_numpy_array(obj)?
    } else {
        crate::convert::sequence::build(obj, None)?
    };
    match t.dtype() {
        DType::Bool | DType::U8 | DType::I64 => Ok(t),
        _ => crate::errors::IntoPyResult::py(t.cast_raw(DType::I64)),
    }
}
