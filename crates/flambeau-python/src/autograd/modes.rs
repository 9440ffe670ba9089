//! `no_grad`, `enable_grad`, `set_grad_enabled` and `inference_mode`: context managers that are cheap enough for inner loops,
//! and decorators.
//!
//! They are types of their own making because calling one with a function (`@torch.no_grad`) must not give an instance.

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::ptr::null_mut;

use flambeau_core::autograd::{grad_enabled, inference_mode, set_grad_enabled, set_inference_mode};
use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, PyObject, PyTypeObject};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyTuple};

use crate::bridge::type_name;
use crate::errors::guard;

/// The memory of a mode's object.
#[repr(C)]
struct PyMode {
    ob: PyObject,
    /// What entering sets: gradient mode, or inference mode.
    on: Cell<bool>,
    kind: Kind,
    /// What leaving restores.
    old_grad: Cell<bool>,
    old_inference: Cell<bool>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    NoGrad,
    EnableGrad,
    SetGrad,
    Inference,
}

const KINDS: [Kind; 4] = [Kind::NoGrad, Kind::EnableGrad, Kind::SetGrad, Kind::Inference];

impl PyMode {
    fn enter(&self) {
        // `set_grad_enabled` took effect when it was made, and remembers what was before that.
        if self.kind != Kind::SetGrad {
            self.old_grad.set(grad_enabled());
            self.old_inference.set(inference_mode());
        }
        if self.kind == Kind::Inference {
            set_inference_mode(self.on.get());
            set_grad_enabled(!self.on.get());
        } else {
            set_grad_enabled(self.on.get());
        }
    }

    fn exit(&self) {
        set_grad_enabled(self.old_grad.get());
        if self.kind == Kind::Inference {
            set_inference_mode(self.old_inference.get());
        }
    }
}

/// An object of this kind.
///
/// # Safety
/// `ty` is the kind's type or a subclass; the GIL is held.
unsafe fn make(py: Python<'_>, ty: *mut PyTypeObject, on: bool, kind: Kind) -> PyResult<*mut PyObject> {
    // SAFETY: zeroed memory of at least our layout, by the contract; the fields are written before anybody sees them.
    unsafe {
        let obj = ffi::PyType_GenericAlloc(ty, 0).cast::<PyMode>();
        if obj.is_null() {
            return Err(PyErr::fetch(py));
        }
        (&raw mut (*obj).on).write(Cell::new(on));
        (&raw mut (*obj).kind).write(kind);
        (&raw mut (*obj).old_grad).write(Cell::new(grad_enabled()));
        (&raw mut (*obj).old_inference).write(Cell::new(inference_mode()));
        Ok(obj.cast())
    }
}

fn one_argument<'py>(
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
    function: &str,
    name: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let named = kwargs.map_or(Ok(None), |k| k.get_item(name))?;
    let known = named.is_some() as usize;
    if args.len() + known > 1 || kwargs.is_some_and(|k| k.len() > known) {
        return Err(PyTypeError::new_err(format!("{function}() takes at most one argument, '{name}'")));
    }
    Ok(if args.is_empty() { named } else { Some(args.get_item(0)?) })
}

fn decorated<'py>(py: Python<'py>, mode: Bound<'py, PyAny>, f: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    py.import("flambeau.utils._contextlib")?.getattr("context_decorator")?.call1((mode, f))
}

/// `no_grad()`, `enable_grad()`, or either around a function.
unsafe fn new_plain(
    ty: *mut PyTypeObject,
    args: *mut PyObject,
    kwargs: *mut PyObject,
    on: bool,
    name: &str,
) -> *mut PyObject {
    // SAFETY: CPython passes a type, a tuple and a dict or null, under the GIL.
    unsafe {
        guard(|py| {
            let mode = make(py, ty, on, if on { Kind::EnableGrad } else { Kind::NoGrad })?;
            if ffi::PyTuple_Size(args) == 0 && kwargs.is_null() {
                return Ok(mode);
            }
            let mode = Bound::from_owned_ptr(py, mode);
            let args = Bound::from_borrowed_ptr(py, args).cast_into_unchecked::<PyTuple>();
            let kwargs = Bound::from_borrowed_ptr_or_opt(py, kwargs).map(|k| k.cast_into_unchecked::<PyDict>());
            match one_argument(&args, kwargs.as_ref(), name, "orig_func")? {
                Some(f) if !f.is_none() => Ok(decorated(py, mode, f)?.into_ptr()),
                _ => Ok(mode.into_ptr()),
            }
        })
    }
}

unsafe extern "C" fn new_no_grad(ty: *mut PyTypeObject, a: *mut PyObject, k: *mut PyObject) -> *mut PyObject {
    // SAFETY: passed on as CPython gave it.
    unsafe { new_plain(ty, a, k, false, "no_grad") }
}

unsafe extern "C" fn new_enable_grad(ty: *mut PyTypeObject, a: *mut PyObject, k: *mut PyObject) -> *mut PyObject {
    // SAFETY: passed on as CPython gave it.
    unsafe { new_plain(ty, a, k, true, "enable_grad") }
}

/// `set_grad_enabled(mode)` takes effect at once.
unsafe extern "C" fn new_set_grad(ty: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: CPython passes a type, a tuple and a dict or null, under the GIL.
    unsafe {
        guard(|py| {
            let args = Bound::from_borrowed_ptr(py, args).cast_into_unchecked::<PyTuple>();
            let kwargs = Bound::from_borrowed_ptr_or_opt(py, kwargs).map(|k| k.cast_into_unchecked::<PyDict>());
            let Some(mode) = one_argument(&args, kwargs.as_ref(), "set_grad_enabled", "mode")? else {
                return Err(PyTypeError::new_err(
                    "set_grad_enabled.__init__() missing 1 required positional argument: 'mode'",
                ));
            };
            let Ok(on) = mode.cast::<PyBool>() else {
                return Err(PyTypeError::new_err(format!(
                    "set_grad_enabled(): argument 'enabled' (position 1) must be bool, not {}",
                    type_name(&mode)
                )));
            };
            let on = on.is_true();
            let obj = make(py, ty, on, Kind::SetGrad)?;
            set_grad_enabled(on);
            Ok(obj)
        })
    }
}

/// `inference_mode(mode=True)`, or `inference_mode(function)`.
unsafe extern "C" fn new_inference(ty: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: CPython passes a type, a tuple and a dict or null, under the GIL.
    unsafe {
        guard(|py| {
            let args = Bound::from_borrowed_ptr(py, args).cast_into_unchecked::<PyTuple>();
            let kwargs = Bound::from_borrowed_ptr_or_opt(py, kwargs).map(|k| k.cast_into_unchecked::<PyDict>());
            match one_argument(&args, kwargs.as_ref(), "inference_mode", "mode")? {
                None => make(py, ty, true, Kind::Inference),
                Some(mode) => match mode.cast::<PyBool>() {
                    Ok(on) => make(py, ty, on.is_true(), Kind::Inference),
                    Err(_) => {
                        let on = Bound::from_owned_ptr(py, make(py, ty, true, Kind::Inference)?);
                        Ok(decorated(py, on, mode)?.into_ptr())
                    }
                },
            }
        })
    }
}

unsafe extern "C" fn dealloc(obj: *mut PyObject) {
    // SAFETY: CPython calls this once; heap types own a reference to their type.
    unsafe {
        let ty = ffi::Py_TYPE(obj);
        let free: ffi::freefunc = std::mem::transmute(ffi::PyType_GetSlot(ty, ffi::Py_tp_free));
        free(obj.cast());
        ffi::Py_DECREF(ty.cast());
    }
}

unsafe extern "C" fn enter(obj: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: a method of our type gets an instance of it, under the GIL.
    unsafe {
        (*obj.cast::<PyMode>()).enter();
        let none = ffi::Py_None();
        ffi::Py_INCREF(none);
        none
    }
}

unsafe extern "C" fn exit(obj: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: as above.
    unsafe {
        (*obj.cast::<PyMode>()).exit();
        let none = ffi::Py_None();
        ffi::Py_INCREF(none);
        none
    }
}

unsafe extern "C" fn clone(obj: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: as above.
    unsafe {
        guard(|py| {
            let this = obj.cast::<PyMode>();
            make(py, ffi::Py_TYPE(obj), (*this).on.get(), (*this).kind)
        })
    }
}

/// As a decorator.
unsafe extern "C" fn call(obj: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: CPython passes live objects under the GIL.
    unsafe {
        guard(|py| {
            let slf = Bound::from_borrowed_ptr(py, obj);
            let args = Bound::from_borrowed_ptr(py, args).cast_into_unchecked::<PyTuple>();
            let kwargs = Bound::from_borrowed_ptr_or_opt(py, kwargs).map(|k| k.cast_into_unchecked::<PyDict>());
            let Some(f) = one_argument(&args, kwargs.as_ref(), "__call__", "orig_func")? else {
                return Err(PyTypeError::new_err("a decorator takes the function that it is put on"));
            };
            if (*obj.cast::<PyMode>()).kind == Kind::SetGrad {
                // Making it set the mode already; only the function is meant.
                set_grad_enabled((*obj.cast::<PyMode>()).old_grad.get());
            }
            Ok(decorated(py, slf, f)?.into_ptr())
        })
    }
}

unsafe extern "C" fn get_mode(obj: *mut PyObject, _: *mut c_void) -> *mut PyObject {
    // SAFETY: a getter of our type gets an instance of it, under the GIL.
    unsafe { ffi::PyBool_FromLong((*obj.cast::<PyMode>()).on.get() as _) }
}

unsafe extern "C" fn get_prev(obj: *mut PyObject, _: *mut c_void) -> *mut PyObject {
    // SAFETY: as above.
    unsafe { ffi::PyBool_FromLong((*obj.cast::<PyMode>()).old_grad.get() as _) }
}

unsafe extern "C" fn repr_set_grad(obj: *mut PyObject) -> *mut PyObject {
    // SAFETY: as above.
    unsafe {
        guard(|py| {
            let on = if (*obj.cast::<PyMode>()).on.get() { "True" } else { "False" };
            let text = format!("torch.autograd.grad_mode.set_grad_enabled(mode={on})");
            Ok(text.into_pyobject(py)?.into_any().into_ptr())
        })
    }
}

fn spec_of(kind: Kind) -> (&'static CStr, ffi::newfunc, &'static CStr) {
    match kind {
        Kind::NoGrad => (
            c"flambeau.autograd.grad_mode.no_grad",
            new_no_grad,
            c"Context manager and decorator: operations inside are not recorded.",
        ),
        Kind::EnableGrad => (
            c"flambeau.autograd.grad_mode.enable_grad",
            new_enable_grad,
            c"Context manager and decorator: operations inside are recorded.",
        ),
        Kind::SetGrad => (
            c"flambeau.autograd.grad_mode.set_grad_enabled",
            new_set_grad,
            c"set_grad_enabled(mode)\n\nSwitches recording on or off: at once as a function, for the block as a context manager.",
        ),
        Kind::Inference => (
            c"flambeau.autograd.grad_mode.inference_mode",
            new_inference,
            c"inference_mode(mode=True)\n\nContext manager and decorator: as no_grad, and results can never take part in a graph.",
        ),
    }
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = m.py();
    for kind in KINDS {
        let (name, new, doc) = spec_of(kind);
        let method = |name: &'static CStr, f: ffi::PyCFunction, flags: c_int| ffi::PyMethodDef {
            ml_name: name.as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunction: f },
            ml_flags: flags,
            ml_doc: std::ptr::null(),
        };
        let methods = crate::tensor_type::table(vec![
            method(c"__enter__", enter, ffi::METH_NOARGS),
            method(c"__exit__", exit, ffi::METH_VARARGS),
            method(c"clone", clone, ffi::METH_NOARGS),
            ffi::PyMethodDef::zeroed(),
        ]);
        let get = |name: &'static CStr, f: ffi::getter| ffi::PyGetSetDef {
            name: name.as_ptr(),
            get: Some(f),
            set: None,
            doc: std::ptr::null(),
            closure: null_mut(),
        };
        let getters = crate::tensor_type::table(vec![
            get(c"mode", get_mode),
            get(c"prev", get_prev),
            ffi::PyGetSetDef::default(),
        ]);
        let slot = |slot: c_int, pfunc: *mut c_void| ffi::PyType_Slot { slot, pfunc };
        let mut slots = vec![
            slot(ffi::Py_tp_new, new as *mut c_void),
            slot(ffi::Py_tp_dealloc, dealloc as *mut c_void),
            slot(ffi::Py_tp_call, call as *mut c_void),
            slot(ffi::Py_tp_methods, methods.cast()),
            slot(ffi::Py_tp_getset, getters.cast()),
            slot(ffi::Py_tp_doc, doc.as_ptr() as *mut c_void),
        ];
        if kind == Kind::SetGrad {
            slots.push(slot(ffi::Py_tp_repr, repr_set_grad as *mut c_void));
        }
        slots.push(slot(0, null_mut()));
        let mut spec = ffi::PyType_Spec {
            name: name.as_ptr(),
            basicsize: size_of::<PyMode>() as _,
            itemsize: 0,
            flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_BASETYPE) as _,
            slots: slots.as_mut_ptr(),
        };
        // SAFETY: a valid spec; its tables live for the whole process.
        let ty = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&mut spec))? };
        let short = name.to_str().ok().and_then(|n| n.rsplit('.').next()).unwrap_or_default();
        m.add(short, ty)?;
    }
    Ok(())
}
