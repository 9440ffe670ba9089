//! `torch.Size`: a tuple of ints that knows its product.

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, PyObject, PyTypeObject};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::errors::guard;

static TYPE: AtomicPtr<PyTypeObject> = AtomicPtr::new(null_mut());

/// The type object `torch.Size`.
pub fn size_type(py: Python<'_>) -> Bound<'_, PyAny> {
    // SAFETY: set once at import and never freed.
    unsafe { Bound::from_borrowed_ptr(py, TYPE.load(Relaxed).cast()) }
}

/// A `torch.Size` of these numbers.
pub fn size<'py>(py: Python<'py>, sizes: &[i64]) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: a fresh tuple of a tuple subclass without fields of its own; each place is filled once, by a new reference.
    unsafe {
        let obj = Bound::from_owned_ptr_or_err(py, ffi::PyType_GenericAlloc(TYPE.load(Relaxed), sizes.len() as isize))?;
        for (i, &s) in sizes.iter().enumerate() {
            ffi::PyTuple_SetItem(obj.as_ptr(), i as isize, ffi::PyLong_FromLongLong(s));
        }
        Ok(obj)
    }
}

fn from_tuple<'py>(items: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
    let mut sizes = smallvec::SmallVec::<[i64; 8]>::new();
    for (i, item) in items.iter().enumerate() {
        // SAFETY: a borrowed object under the GIL; an error is cleared or fetched at once.
        let as_int = unsafe { Bound::from_owned_ptr_or_err(items.py(), ffi::PyNumber_Index(item.as_ptr())) };
        match as_int {
            Ok(v) => sizes.push(v.extract()?),
            Err(_) => {
                return Err(PyTypeError::new_err(format!(
                    "torch.Size() takes an iterable of 'int' (item {i} is '{}')",
                    item.get_type().name()?
                )));
            }
        }
    }
    size(items.py(), &sizes)
}

unsafe extern "C" fn new(ty: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: called by CPython under the GIL with a tuple of arguments.
    unsafe {
        guard(|py| {
            let args = Bound::from_borrowed_ptr(py, args).cast_into::<PyTuple>()?;
            if !kwargs.is_null() && ffi::PyDict_Size(kwargs) > 0 {
                return Err(PyTypeError::new_err("Size() takes no keyword arguments"));
            }
            let items = match args.len() {
                0 => PyTuple::empty(py),
                1 => {
                    let seq = ffi::PySequence_Tuple(args.get_item(0)?.as_ptr());
                    Bound::from_owned_ptr_or_err(py, seq)?.cast_into::<PyTuple>()?
                }
                n => return Err(PyTypeError::new_err(format!("Size expected at most 1 argument, got {n}"))),
            };
            let made = from_tuple(&items)?;
            if ty != TYPE.load(Relaxed) {
                // A subclass: tuple's own constructor makes it from the checked numbers.
                let tuple_new = ffi::PyType_GetSlot(&raw mut ffi::PyTuple_Type, ffi::Py_tp_new);
                let tuple_new: ffi::newfunc = std::mem::transmute(tuple_new);
                let one = PyTuple::new(py, [made])?;
                return Ok(Bound::from_owned_ptr_or_err(py, tuple_new(ty, one.as_ptr(), null_mut()))?.into_ptr());
            }
            Ok(made.into_ptr())
        })
    }
}

unsafe extern "C" fn repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: CPython passes an instance of the type, under the GIL.
    unsafe {
        guard(|py| {
            let items = Bound::from_borrowed_ptr(py, slf).cast_into::<PyTuple>()?;
            let parts: Vec<String> = items.iter().map(|i| i.to_string()).collect();
            Ok(format!("torch.Size([{}])", parts.join(", ")).into_pyobject(py)?.into_any().into_ptr())
        })
    }
}

/// What the tuple slot gave, as a Size again.
unsafe fn rewrap(py: Python<'_>, result: *mut PyObject) -> PyResult<*mut PyObject> {
    // SAFETY: an owned reference or null with an exception set.
    let result = unsafe { Bound::from_owned_ptr_or_err(py, result)? };
    match result.cast_exact::<PyTuple>() {
        // An operand of other things than numbers stays a tuple.
        Ok(t) if t.iter().all(|i| i.is_instance_of::<pyo3::types::PyInt>()) => Ok(from_tuple(t)?.into_ptr()),
        _ => Ok(result.into_ptr()),
    }
}

macro_rules! tuple_slot {
    ($name:ident, $slot:expr, $ty:ty, ($($arg:ident: $argty:ty),*)) => {
        unsafe extern "C" fn $name($($arg: $argty),*) -> *mut PyObject {
            // SAFETY: CPython passes what the slot's type says, under the GIL; tuple has these slots.
            unsafe {
                guard(|py| {
                    let slot: $ty = std::mem::transmute(ffi::PyType_GetSlot(&raw mut ffi::PyTuple_Type, $slot));
                    rewrap(py, slot($($arg),*))
                })
            }
        }
    };
}
tuple_slot!(subscript, ffi::Py_mp_subscript, ffi::binaryfunc, (a: *mut PyObject, b: *mut PyObject));
tuple_slot!(repeat, ffi::Py_sq_repeat, ffi::ssizeargfunc, (a: *mut PyObject, n: ffi::Py_ssize_t));

unsafe extern "C" fn concat(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
    // SAFETY: CPython passes two objects, under the GIL.
    unsafe {
        guard(|py| {
            let tuple = |p| Bound::from_borrowed_ptr(py, p).cast_into::<PyTuple>();
            match (tuple(a), tuple(b)) {
                (Ok(a), Ok(b)) => {
                    let all: Vec<_> = a.iter().chain(b.iter()).collect();
                    let all = PyTuple::new(py, all)?;
                    rewrap(py, all.into_ptr())
                }
                _ => {
                    ffi::Py_INCREF(ffi::Py_NotImplemented());
                    Ok(ffi::Py_NotImplemented())
                }
            }
        })
    }
}

unsafe extern "C" fn numel(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: an instance of the type, under the GIL.
    unsafe {
        guard(|py| {
            let sizes: Vec<i64> = Bound::from_borrowed_ptr(py, slf).extract()?;
            Ok(sizes.iter().product::<i64>().into_pyobject(py)?.into_any().into_ptr())
        })
    }
}

unsafe extern "C" fn reduce(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: an instance of the type, under the GIL.
    unsafe {
        guard(|py| {
            let plain = PyTuple::new(py, Bound::from_borrowed_ptr(py, slf).try_iter()?.collect::<PyResult<Vec<_>>>()?)?;
            Ok((size_type(py), (plain,)).into_pyobject(py)?.into_any().into_ptr())
        })
    }
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    let def = |name: &'static std::ffi::CStr, f: ffi::PyCFunction, doc: &'static std::ffi::CStr| ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunction: f },
        ml_flags: ffi::METH_NOARGS,
        ml_doc: doc.as_ptr(),
    };
    let methods = vec![
        def(c"numel", numel, c"The product of the sizes: how many elements a tensor of this size has."),
        def(c"__reduce__", reduce, c"For pickle."),
        ffi::PyMethodDef::zeroed(),
    ];
    let slot = |slot: c_int, pfunc: *mut c_void| ffi::PyType_Slot { slot, pfunc };
    // The type lives for the whole process, and so do its tables.
    let methods = Box::leak(methods.into_boxed_slice()).as_mut_ptr();
    let mut slots = [
        slot(ffi::Py_tp_new, new as *mut c_void),
        slot(ffi::Py_tp_repr, repr as *mut c_void),
        slot(ffi::Py_tp_methods, methods.cast()),
        slot(ffi::Py_mp_subscript, subscript as *mut c_void),
        slot(ffi::Py_sq_repeat, repeat as *mut c_void),
        slot(ffi::Py_sq_concat, concat as *mut c_void),
        slot(ffi::Py_nb_add, concat as *mut c_void),
        slot(ffi::Py_tp_doc, c"The sizes of a tensor's dimensions: a tuple of ints.".as_ptr() as *mut c_void),
        slot(0, null_mut()),
    ];
    let mut spec = ffi::PyType_Spec {
        name: c"flambeau.Size".as_ptr(),
        basicsize: 0,
        itemsize: 0,
        flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_BASETYPE) as _,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: a valid spec over static tables; the base is tuple, whose layout is kept.
    let ty = unsafe {
        let bases = PyTuple::new(m.py(), [m.py().get_type::<PyTuple>()])?;
        let ty = ffi::PyType_FromSpecWithBases(&mut spec, bases.as_ptr());
        Bound::from_owned_ptr_or_err(m.py(), ty)?
    };
    TYPE.store(ty.as_ptr().cast(), Relaxed);
    std::mem::forget(ty.clone());
    m.add("Size", ty)
}
