//! Builds the type `Tensor` from its parts: methods, getters, slots.

use std::ffi::{CStr, c_int, c_void};
use std::mem::offset_of;
use std::ptr::{null, null_mut};

use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, PyGetSetDef, PyMethodDef, PyObject, PyType_Slot, PyTypeObject};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::errors::{IntoPyResult, guard};
use crate::object::{self, PyTensor};
use crate::subclass;

/// A method written with PyO3's types: the tensor object, positional and keyword arguments.
pub type MethodFn =
    for<'py> fn(&Bound<'py, PyAny>, &Bound<'py, PyTuple>, Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>>;
pub type GetFn = for<'py> fn(&Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>;
/// `None` when the attribute is deleted.
pub type SetFn = for<'py> fn(&Bound<'py, PyAny>, Option<&Bound<'py, PyAny>>) -> PyResult<()>;

/// `method!(c"backward", function, c"doc")` is a `PyMethodDef` for a [`MethodFn`].
#[macro_export]
macro_rules! method {
    ($name:expr, $f:path, $doc:expr) => {{
        unsafe extern "C" fn entry(
            slf: *mut pyo3::ffi::PyObject,
            args: *mut pyo3::ffi::PyObject,
            kwargs: *mut pyo3::ffi::PyObject,
        ) -> *mut pyo3::ffi::PyObject {
            const NAME: &std::ffi::CStr = $name;
            // SAFETY: CPython calls methods with live objects under the GIL.
            unsafe { $crate::tensor_type::run_method($f, NAME, slf, args, kwargs) }
        }
        pyo3::ffi::PyMethodDef {
            ml_name: $name.as_ptr(),
            ml_meth: pyo3::ffi::PyMethodDefPointer { PyCFunctionWithKeywords: entry },
            ml_flags: pyo3::ffi::METH_VARARGS | pyo3::ffi::METH_KEYWORDS,
            ml_doc: $doc.as_ptr(),
        }
    }};
}

/// `getter!(c"shape", get)` or `getter!(c"data", get, set)` is a `PyGetSetDef` for a [`GetFn`] and a [`SetFn`].
#[macro_export]
macro_rules! getter {
    ($name:expr, $get:path) => {{
        let mut def = $crate::getter!(@get $name, $get);
        def.set = None;
        def
    }};
    ($name:expr, $get:path, $set:path) => {{
        unsafe extern "C" fn set(
            slf: *mut pyo3::ffi::PyObject,
            value: *mut pyo3::ffi::PyObject,
            _: *mut std::ffi::c_void,
        ) -> std::ffi::c_int {
            const NAME: &std::ffi::CStr = $name;
            // SAFETY: CPython calls setters with live objects (or null to delete) under the GIL.
            unsafe { $crate::tensor_type::run_set($set, NAME, slf, value) }
        }
        let mut def = $crate::getter!(@get $name, $get);
        def.set = Some(set);
        def
    }};
    (@get $name:expr, $get:path) => {{
        unsafe extern "C" fn get(
            slf: *mut pyo3::ffi::PyObject,
            _: *mut std::ffi::c_void,
        ) -> *mut pyo3::ffi::PyObject {
            const NAME: &std::ffi::CStr = $name;
            // SAFETY: CPython calls getters with live objects under the GIL.
            unsafe { $crate::tensor_type::run_get($get, NAME, slf) }
        }
        pyo3::ffi::PyGetSetDef {
            name: $name.as_ptr(),
            get: Some(get),
            set: None,
            doc: std::ptr::null(),
            closure: std::ptr::null_mut(),
        }
    }};
}

/// # Safety
/// Live objects (`kwargs` may be null); the GIL is held.
pub unsafe fn run_method(
    f: MethodFn,
    name: &CStr,
    slf: *mut PyObject,
    args: *mut PyObject,
    kwargs: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: by the contract; CPython passes a tuple and a dict.
    unsafe {
        guard(|py| {
            // A static method has no object; its function ignores the first argument.
            let slf = Bound::from_borrowed_ptr(py, if slf.is_null() { args } else { slf });
            let args = Bound::from_borrowed_ptr(py, args).cast_into_unchecked::<PyTuple>();
            let kwargs = Bound::from_borrowed_ptr_or_opt(py, kwargs).map(|k| k.cast_into_unchecked::<PyDict>());
            if subclass::concerns(slf.as_ptr())
                && let Some(done) = subclass::method(f, name, &slf, &args, kwargs.as_ref())?
            {
                return Ok(done.into_ptr());
            }
            f(&slf, &args, kwargs.as_ref()).map(Bound::into_ptr)
        })
    }
}

/// # Safety
/// A live object; the GIL is held.
pub unsafe fn run_get(f: GetFn, name: &CStr, slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: by the contract.
    unsafe {
        guard(|py| {
            let slf = Bound::from_borrowed_ptr(py, slf);
            if subclass::concerns(slf.as_ptr())
                && let Some(done) = subclass::get(Some(f), name, &slf)?
            {
                return Ok(done.into_ptr());
            }
            f(&slf).map(Bound::into_ptr)
        })
    }
}

/// # Safety
/// Live objects (`value` may be null); the GIL is held.
pub unsafe fn run_set(f: SetFn, name: &CStr, slf: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: by the contract.
    unsafe {
        crate::errors::guard_int(|py| {
            let (slf, value) = (Bound::from_borrowed_ptr(py, slf), Bound::from_borrowed_ptr_or_opt(py, value));
            if subclass::concerns(slf.as_ptr()) && subclass::set(name, &slf, value.as_ref())? {
                return Ok(0);
            }
            f(&slf, value.as_ref()).map(|()| 0)
        })
    }
}

unsafe extern "C" fn new(ty: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: CPython passes a type and a tuple of arguments, under the GIL.
    unsafe {
        guard(|py| {
            let args = Bound::from_borrowed_ptr(py, args).cast_into_unchecked::<PyTuple>();
            let kwargs = Bound::from_borrowed_ptr_or_opt(py, kwargs).map(|k| k.cast_into_unchecked::<PyDict>());
            let t = crate::convert::legacy_new(&args, kwargs.as_ref())?;
            // The constructor gives a new object, also for a tensor that has one.
            let t = if t.front().is_null() { t } else { t.detach() };
            let obj = object::wrap_as(ty, t);
            if obj.is_null() { Err(PyErr::fetch(py)) } else { Ok(obj) }
        })
    }
}

/// `Tensor._make_subclass(cls, data, require_grad=False)`: a detached tensor over the same memory, as a `cls`.
fn make_subclass<'py>(
    _: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = args.py();
    let get = |i: usize, name: &str| -> PyResult<Option<Bound<'py, PyAny>>> {
        match args.get_item(i) {
            Ok(v) => Ok(Some(v)),
            Err(_) => kwargs.map_or(Ok(None), |k| k.get_item(name)),
        }
    };
    let missing = |name| PyTypeError::new_err(format!("_make_subclass() missing required argument '{name}'"));
    let cls = get(0, "cls")?.ok_or_else(|| missing("cls"))?;
    let data = get(1, "data")?.ok_or_else(|| missing("data"))?;
    let Ok(cls) = cls.cast::<PyType>() else {
        return Err(PyTypeError::new_err(format!("cls must be a type (got {})", cls.get_type().name()?)));
    };
    if !cls.is_subclass(&object::tensor_type(py))? {
        return Err(PyTypeError::new_err(format!("cls must be a subclass of Tensor, not {}", cls.name()?)));
    }
    let Some(t) = object::unwrap(&data) else {
        return Err(PyTypeError::new_err(format!(
            "_make_subclass(): argument 'data' (position 2) must be Tensor, not {}",
            data.get_type().name()?
        )));
    };
    let t = t.detach();
    if get(2, "require_grad")?.is_some_and(|r| r.is_truthy().unwrap_or(false)) {
        if !t.dtype().is_differentiable() {
            return Err(pyo3::exceptions::PyRuntimeError::new_err(
                "Only Tensors of floating point and complex dtype can require gradients",
            ));
        }
        t.set_requires_grad(true).py()?;
    }
    wrap_with_class(cls, t)
}

/// `x.as_subclass(cls)`: the same values and history as an object of `cls`.
fn as_subclass<'py>(
    slf: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    _: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let cls = args.get_item(0)?;
    let cls = cls.cast::<PyType>().map_err(|_| PyTypeError::new_err("cls must be a type"))?;
    if !cls.is_subclass(&object::tensor_type(slf.py()))? {
        return Err(PyTypeError::new_err(format!("cls must be a subclass of Tensor, not {}", cls.name()?)));
    }
    let t = object::expect(slf, "as_subclass", "self")?;
    wrap_with_class(cls, flambeau_core::call::view(&flambeau_core::view::ViewOp::Alias, t).py()?)
}

/// An object of a subclass of `Tensor` around a tensor that has no object yet.
pub fn wrap_with_class<'py>(cls: &Bound<'py, PyType>, t: flambeau_core::Tensor) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: `cls` was checked to be a subclass by the callers; under the GIL.
    unsafe { Bound::from_owned_ptr_or_err(cls.py(), object::wrap_as(cls.as_ptr().cast(), t)) }
}

/// Leaks a table that the type keeps for the whole process.
pub(crate) fn table<T>(items: Vec<T>) -> *mut T {
    Box::leak(items.into_boxed_slice()).as_mut_ptr()
}

/// Makes the type and adds it to the module.
pub fn register(m: &Bound<'_, PyModule>, mut methods: Vec<PyMethodDef>, mut getters: Vec<PyGetSetDef>) -> PyResult<()> {
    let py = m.py();
    let mut make = method!(
        c"_make_subclass",
        make_subclass,
        c"_make_subclass(cls, data, require_grad=False) -> Tensor\n\nA detached tensor over the same memory, as a `cls`."
    );
    make.ml_flags |= ffi::METH_STATIC;
    methods.push(make);
    methods.push(method!(
        c"as_subclass",
        as_subclass,
        c"as_subclass(cls) -> Tensor\n\nThe same values and history as an object of `cls`."
    ));
    methods.push(PyMethodDef::zeroed());
    getters.push(PyGetSetDef {
        name: c"__dict__".as_ptr(),
        get: Some(object::get_dict),
        set: Some(ffi::PyObject_GenericSetDict),
        doc: null(),
        closure: null_mut(),
    });
    getters.push(PyGetSetDef::default());
    let member = |name: &'static CStr, offset: usize| ffi::PyMemberDef {
        name: name.as_ptr(),
        type_code: ffi::Py_T_PYSSIZET,
        offset: offset as _,
        flags: ffi::Py_READONLY,
        doc: null(),
    };
    let members = vec![
        member(c"__dictoffset__", offset_of!(PyTensor, dict)),
        member(c"__weaklistoffset__", offset_of!(PyTensor, weak)),
        ffi::PyMemberDef::default(),
    ];
    let slot = |slot: c_int, pfunc: *mut c_void| PyType_Slot { slot, pfunc };
    let mut slots = vec![
        slot(ffi::Py_tp_new, new as *mut c_void),
        slot(ffi::Py_tp_dealloc, object::dealloc as *mut c_void),
        slot(ffi::Py_tp_traverse, object::traverse as *mut c_void),
        slot(ffi::Py_tp_clear, object::clear as *mut c_void),
        slot(ffi::Py_tp_setattro, object::setattro as *mut c_void),
        slot(ffi::Py_tp_methods, table(methods).cast()),
        slot(ffi::Py_tp_getset, table(getters).cast()),
        slot(ffi::Py_tp_members, table(members).cast()),
        slot(ffi::Py_tp_doc, c"A multi-dimensional array that remembers how it was computed.".as_ptr() as *mut c_void),
    ];
    slots.extend(crate::number::slots());
    slots.extend(crate::indexing::slots());
    slots.push(slot(0, null_mut()));
    let mut spec = ffi::PyType_Spec {
        name: c"flambeau.Tensor".as_ptr(),
        basicsize: size_of::<PyTensor>() as _,
        itemsize: 0,
        flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_BASETYPE | ffi::Py_TPFLAGS_HAVE_GC) as _,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: a valid spec; its tables live for the whole process.
    let ty = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&mut spec))? };
    // Messages of Python's operators show the name alone, as in PyTorch.
    ty.setattr("__name__", "Tensor")?;
    // NumPy's operators leave an operation with a tensor to the tensor.
    ty.setattr("__array_priority__", 1000)?;
    object::set_type(ty.as_ptr().cast());
    std::mem::forget(ty.clone());
    m.add("Tensor", ty)
}
