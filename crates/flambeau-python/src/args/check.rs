//! Whether an object fits a parameter, by PyTorch's rules.

use flambeau_core::schema::Type;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

use super::numpy;
use super::spec::Param;
use crate::object::{is_tensor, tensor_of, type_ptr};

/// What the parser noticed on the way.
#[derive(Default)]
pub struct Noted {
    /// A number stands for a tensor, or there is a list: temporaries are needed.
    pub temporaries: bool,
    /// A tensor of a subclass is among the arguments.
    pub subclass: bool,
    /// The element of a list that does not fit.
    pub failed: Option<usize>,
}

#[inline(always)]
unsafe fn has_flag(obj: *mut PyObject, flag: std::ffi::c_ulong) -> bool {
    // SAFETY: a live object.
    unsafe { ffi::PyType_GetFlags(ffi::Py_TYPE(obj)) & flag != 0 }
}

#[inline(always)]
unsafe fn is_bool(obj: *mut PyObject) -> bool {
    // SAFETY: compares addresses.
    unsafe { obj == ffi::Py_True() || obj == ffi::Py_False() }
}

#[inline(always)]
unsafe fn is_int(obj: *mut PyObject) -> bool {
    // SAFETY: a live object.
    unsafe { has_flag(obj, ffi::Py_TPFLAGS_LONG_SUBCLASS) && !is_bool(obj) }
}

fn bound<'py>(obj: *mut PyObject) -> Bound<'py, PyAny> {
    // SAFETY: callers pass live objects under the GIL; the handle does not outlive the call.
    unsafe { Bound::from_borrowed_ptr(Python::assume_attached(), obj) }
}

/// A Python or NumPy number.
///
/// # Safety
/// `obj` is live; the GIL is held.
pub unsafe fn is_number(obj: *mut PyObject) -> bool {
    // SAFETY: by the contract.
    unsafe {
        has_flag(obj, ffi::Py_TPFLAGS_LONG_SUBCLASS)
            || ffi::PyFloat_Check(obj) != 0
            || ffi::PyComplex_Check(obj) != 0
            || (!is_simple(obj) && numpy::is_scalar(&bound(obj)))
    }
}

/// Of a type that is certainly no NumPy scalar.
#[inline]
unsafe fn is_simple(obj: *mut PyObject) -> bool {
    const BUILTIN: std::ffi::c_ulong = ffi::Py_TPFLAGS_TUPLE_SUBCLASS
        | ffi::Py_TPFLAGS_LIST_SUBCLASS
        | ffi::Py_TPFLAGS_UNICODE_SUBCLASS
        | ffi::Py_TPFLAGS_DICT_SUBCLASS
        | ffi::Py_TPFLAGS_TYPE_SUBCLASS;
    // SAFETY: a live object.
    unsafe { obj == ffi::Py_None() || has_flag(obj, BUILTIN) || is_tensor(obj) }
}

/// A 0-dimensional tensor that may be read as a number.
unsafe fn is_number_tensor(obj: *mut PyObject, integral: bool) -> bool {
    // SAFETY: a live object.
    unsafe {
        is_tensor(obj) && {
            let t = tensor_of(obj);
            t.ndim() == 0 && !t.requires_grad() && (!integral || t.dtype().is_int())
        }
    }
}

/// An int inside a list: also what has `__index__`, but no bool.
///
/// # Safety
/// `obj` is live; the GIL is held.
pub unsafe fn is_index(obj: *mut PyObject) -> bool {
    // SAFETY: by the contract; an error of `__index__` is cleared.
    unsafe {
        if is_int(obj) {
            return true;
        }
        if is_bool(obj) || ffi::PyIndex_Check(obj) == 0 {
            return false;
        }
        let v = ffi::PyNumber_Index(obj);
        if v.is_null() {
            ffi::PyErr_Clear();
            return false;
        }
        ffi::Py_DECREF(v);
        true
    }
}

unsafe fn is_list(obj: *mut PyObject) -> bool {
    // SAFETY: a live object.
    unsafe { has_flag(obj, ffi::Py_TPFLAGS_TUPLE_SUBCLASS | ffi::Py_TPFLAGS_LIST_SUBCLASS) }
}

/// The first element of a tuple or list.
unsafe fn first(obj: *mut PyObject) -> Option<Bound<'static, PyAny>> {
    // SAFETY: a live tuple or list; the new reference keeps the element alive.
    unsafe {
        if ffi::PySequence_Size(obj) < 1 {
            return None;
        }
        Some(Bound::from_owned_ptr(Python::assume_attached(), ffi::PySequence_GetItem(obj, 0)))
    }
}

/// Whether `obj` fits; an `Err` is an error that no other overload may hide.
///
/// # Safety
/// `obj` is live; the GIL is held.
#[inline]
pub unsafe fn fits(p: &Param, obj: *mut PyObject, noted: &mut Noted) -> PyResult<bool> {
    // SAFETY: by the contract.
    unsafe {
        Ok(match p.ty {
            Type::Tensor | Type::TensorOrScalar => {
                if ffi::Py_TYPE(obj) == type_ptr() {
                    return Ok(true);
                }
                if is_tensor(obj) {
                    noted.subclass = true;
                    return Ok(true);
                }
                if p.ty == Type::TensorOrScalar && is_number(obj) {
                    noted.temporaries = true;
                    return Ok(true);
                }
                false
            }
            Type::Int => {
                is_int(obj) || is_number_tensor(obj, true) || (!is_simple(obj) && numpy::is_integer(&bound(obj)))
            }
            Type::Bool => is_bool(obj),
            _ => return fits_rare(p, obj, noted),
        })
    }
}

#[inline(never)]
unsafe fn fits_rare(p: &Param, obj: *mut PyObject, noted: &mut Noted) -> PyResult<bool> {
    // SAFETY: as `fits`.
    unsafe {
        Ok(match p.ty {
            Type::Scalar => is_number_tensor(obj, false) || is_number(obj),
            Type::Float => is_number_tensor(obj, false) || (is_number(obj) && ffi::PyComplex_Check(obj) == 0),
            Type::Ints(n) => {
                if is_list(obj) {
                    match first(obj) {
                        Some(item) if !is_index(item.as_ptr()) => {
                            noted.failed = Some(0);
                            false
                        }
                        _ => true,
                    }
                } else {
                    // One int for all places; `dim` takes it in every signature.
                    (n.is_some() || p.name == "dim") && is_index(obj)
                }
            }
            Type::Floats => {
                is_list(obj) && first(obj).is_none_or(|i| is_number(i.as_ptr()) || is_number_tensor(i.as_ptr(), false))
            }
            Type::Tensors(holes) => {
                if !is_list(obj) {
                    return Ok(false);
                }
                noted.temporaries = true;
                let n = ffi::PySequence_Size(obj);
                for i in 0..n {
                    let item =
                        Bound::from_owned_ptr_or_err(Python::assume_attached(), ffi::PySequence_GetItem(obj, i))?;
                    if is_tensor(item.as_ptr()) {
                        noted.subclass |= ffi::Py_TYPE(item.as_ptr()) != type_ptr();
                    } else if !(holes && item.is_none()) {
                        noted.failed = Some(i as usize);
                        return Ok(false);
                    }
                }
                true
            }
            Type::Str => has_flag(obj, ffi::Py_TPFLAGS_UNICODE_SUBCLASS),
            Type::DType => crate::dtype::extract(&bound(obj)).is_some(),
            Type::Device => {
                is_int(obj)
                    || has_flag(obj, ffi::Py_TPFLAGS_UNICODE_SUBCLASS)
                    || bound(obj).cast::<crate::device::PyDevice>().is_ok()
            }
            Type::Layout => bound(obj).cast::<crate::device::PyLayout>().is_ok(),
            Type::MemoryFormat => bound(obj).cast::<crate::device::PyMemoryFormat>().is_ok(),
            Type::Generator => crate::generator::extract(&bound(obj)).is_some(),
            Type::Tensor | Type::TensorOrScalar | Type::Int | Type::Bool => false,
        })
    }
}

/// The error for a list of tensors that has something else in it.
pub fn not_a_tensor(list: *mut PyObject, at: usize, argument: usize) -> PyErr {
    let name = bound(list).get_item(at).map(|i| super::message::type_name(&i)).unwrap_or_default();
    PyTypeError::new_err(format!("expected Tensor as element {at} in argument {argument}, but got {name}"))
}
