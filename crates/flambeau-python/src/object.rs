//! The Python object of a tensor: one native type, one object per tensor at a time.
//!
//! An object owns its tensor; a tensor remembers its living object without owning it (`Tensor::front`), so that the same
//! tensor always comes back as the same object. Objects start outside the garbage collector and enter it when they get
//! something that can be part of a cycle: an attribute, a hook, a cached `.grad`.

use std::mem::ManuallyDrop;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use flambeau_core::Tensor;
use flambeau_core::autograd::TensorHook;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, PyObject, PyTypeObject};
use pyo3::prelude::*;

/// The memory of a Python tensor.
#[repr(C)]
pub(crate) struct PyTensor {
    ob: PyObject,
    /// Always present after `new`.
    pub tensor: ManuallyDrop<Option<Tensor>>,
    /// The object last returned for `.grad` (owned); valid only while it still stands for the gradient.
    pub grad: *mut PyObject,
    pub dict: *mut PyObject,
    pub weak: *mut PyObject,
    /// How many other objects cache this one as their `.grad`.
    pub in_grad: usize,
}

static TYPE: AtomicPtr<PyTypeObject> = AtomicPtr::new(null_mut());

/// Says which type is `Tensor`; once, at import.
pub(crate) fn set_type(ty: *mut PyTypeObject) {
    TYPE.store(ty, Relaxed);
}

#[inline(always)]
pub(crate) fn type_ptr() -> *mut PyTypeObject {
    TYPE.load(Relaxed)
}

/// The type `Tensor`.
pub fn tensor_type(py: Python<'_>) -> Bound<'_, PyAny> {
    // SAFETY: set at import, never freed.
    unsafe { Bound::from_borrowed_ptr(py, type_ptr().cast()) }
}

/// Whether an object is a tensor (or of a subclass).
///
/// # Safety
/// `obj` is a valid object; the GIL is held.
#[inline(always)]
pub(crate) unsafe fn is_tensor(obj: *mut PyObject) -> bool {
    // SAFETY: by the contract.
    unsafe {
        let ty = ffi::Py_TYPE(obj);
        ty == type_ptr() || ffi::PyType_IsSubtype(ty, type_ptr()) != 0
    }
}

/// The tensor inside an object that is known to be one.
///
/// # Safety
/// `obj` is a tensor object and lives for `'a`.
#[inline(always)]
pub(crate) unsafe fn tensor_of<'a>(obj: *mut PyObject) -> &'a Tensor {
    // SAFETY: by the contract; `tensor` is present in every object that Python can see.
    unsafe { (*obj.cast::<PyTensor>()).tensor.as_ref().unwrap_unchecked() }
}

/// The tensor inside an object, if it is a tensor.
#[inline]
pub fn unwrap<'a>(obj: &'a Bound<'_, PyAny>) -> Option<&'a Tensor> {
    // SAFETY: a live object under the GIL, which outlives the borrow.
    unsafe { if is_tensor(obj.as_ptr()) { Some(tensor_of(obj.as_ptr())) } else { None } }
}

/// As [`unwrap`], or a `TypeError` that names the function and the argument.
pub fn expect<'a>(obj: &'a Bound<'_, PyAny>, function: &str, argument: &str) -> PyResult<&'a Tensor> {
    match unwrap(obj) {
        Some(t) => Ok(t),
        None => Err(PyTypeError::new_err(format!(
            "{function}(): argument '{argument}' must be Tensor, not {}",
            obj.get_type().name()?
        ))),
    }
}

/// The Python object of a tensor: the living one, or a new plain `Tensor`.
#[inline]
pub fn wrap(py: Python<'_>, tensor: Tensor) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: the GIL is held; `wrap_ptr` gives an owned reference or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(py, wrap_ptr(tensor)) }
}

/// [`wrap`] without PyO3: an owned reference, or null with an exception set.
///
/// # Safety
/// The GIL is held.
#[inline]
pub(crate) unsafe fn wrap_ptr(tensor: Tensor) -> *mut PyObject {
    let front: *mut PyObject = tensor.front().cast();
    if !front.is_null() {
        // SAFETY: an object clears `front` as the first step of its end, so this one lives.
        unsafe { ffi::Py_INCREF(front) };
        return front;
    }
    // SAFETY: a fresh object of our own layout; every field is written before anybody sees it.
    unsafe {
        let obj = ffi::PyObject_GC_New::<PyTensor>(type_ptr());
        if obj.is_null() {
            return null_mut();
        }
        tensor.set_front(obj.cast());
        (&raw mut (*obj).tensor).write(ManuallyDrop::new(Some(tensor)));
        (*obj).grad = null_mut();
        (*obj).dict = null_mut();
        (*obj).weak = null_mut();
        (*obj).in_grad = 0;
        obj.cast()
    }
}

/// An object of a subclass for a tensor that has none yet.
///
/// # Safety
/// `ty` is `Tensor` or a subclass; the GIL is held; `tensor` has no object.
pub(crate) unsafe fn wrap_as(ty: *mut PyTypeObject, tensor: Tensor) -> *mut PyObject {
    if ty == type_ptr() {
        // SAFETY: by the contract.
        return unsafe { wrap_ptr(tensor) };
    }
    // SAFETY: zeroed memory of at least our layout; zero is `None` for the tensor and null for the rest.
    unsafe {
        let obj = ffi::PyType_GenericAlloc(ty, 0).cast::<PyTensor>();
        if obj.is_null() {
            return null_mut();
        }
        tensor.set_front(obj.cast());
        (&raw mut (*obj).tensor).write(ManuallyDrop::new(Some(tensor)));
        obj.cast()
    }
}

/// Puts an object under the garbage collector's eyes. Call it when its tensor gets a hook.
pub fn track(obj: &Bound<'_, PyAny>) {
    // SAFETY: a live object under the GIL.
    unsafe { track_ptr(obj.as_ptr()) }
}

/// # Safety
/// `obj` is a live tensor object; the GIL is held.
#[inline]
pub(crate) unsafe fn track_ptr(obj: *mut PyObject) {
    // SAFETY: by the contract; an object is tracked once.
    unsafe {
        if ffi::PyObject_GC_IsTracked(obj) == 0 {
            ffi::PyObject_GC_Track(obj.cast());
        }
    }
}

/// A hook that holds a Python object tells the garbage collector about it through this trait object
/// (`TensorHook::as_any` is asked for a [`PyHook`]).
pub struct PyHook {
    pub callable: Owned,
}

/// A reference to a Python object that may be dropped on any thread, with or without the GIL.
pub struct Owned(Option<Py<PyAny>>);

impl Owned {
    pub fn new(obj: Bound<'_, PyAny>) -> Owned {
        Owned(Some(obj.unbind()))
    }

    pub fn bind<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.0.as_ref().expect("present until dropped").bind(py)
    }

    pub(crate) fn as_ptr(&self) -> *mut PyObject {
        self.0.as_ref().map_or(null_mut(), Py::as_ptr)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(obj) = self.0.take() {
            // At the interpreter's end nothing is left to give the object back to.
            let mut obj = Some(obj);
            Python::try_attach(|_| drop(obj.take()));
            std::mem::forget(obj);
        }
    }
}

/// The gradient as an object, kept so that `x.grad is x.grad`.
pub fn grad<'py>(obj: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = obj.py();
    let Some(t) = unwrap(obj) else { return Ok(None) };
    let Some(g) = t.grad() else { return Ok(None) };
    let this = obj.as_ptr().cast::<PyTensor>();
    // SAFETY: `this` is a live tensor object under the GIL; cached objects are tensors.
    unsafe {
        let cached = (*this).grad;
        if !cached.is_null() && tensor_of(cached).is(&g) {
            return Ok(Some(Bound::from_borrowed_ptr(py, cached)));
        }
        let wrapped = wrap(py, g)?;
        drop(take_grad(py, this));
        ffi::Py_INCREF(wrapped.as_ptr());
        (*this).grad = wrapped.as_ptr();
        (*wrapped.as_ptr().cast::<PyTensor>()).in_grad += 1;
        track_ptr(obj.as_ptr());
        Ok(Some(wrapped))
    }
}

/// Empties the cache of `.grad`.
///
/// # Safety
/// `this` is a live tensor object; the GIL is held.
pub(crate) unsafe fn take_grad(py: Python<'_>, this: *mut PyTensor) -> Option<Bound<'_, PyAny>> {
    // SAFETY: by the contract; the slot owns its reference.
    unsafe {
        let old = std::mem::replace(&mut (*this).grad, null_mut());
        if old.is_null() {
            return None;
        }
        (*old.cast::<PyTensor>()).in_grad -= 1;
        Some(Bound::from_owned_ptr(py, old))
    }
}

/// Whether nobody but this object keeps its tensor alive, so that what the tensor owns counts as the object's.
unsafe fn sole_owner(this: *mut PyTensor) -> bool {
    // SAFETY: a live tensor object. Each object that caches this one has a tensor that owns this one as its gradient.
    unsafe { (*this).tensor.as_ref().is_some_and(|t| t.handles() == 1 + (*this).in_grad) }
}

pub(crate) unsafe extern "C" fn traverse(
    obj: *mut PyObject,
    visit: ffi::visitproc,
    arg: *mut std::ffi::c_void,
) -> std::ffi::c_int {
    let this = obj.cast::<PyTensor>();
    let mut result = 0;
    let mut see = |p: *mut PyObject| {
        if !p.is_null() && result == 0 {
            // SAFETY: the collector's own function on an object that we own a reference to.
            result = unsafe { visit(p, arg) };
        }
    };
    // SAFETY: the collector passes a live tensor object.
    unsafe {
        see(ffi::Py_TYPE(obj).cast());
        see((*this).dict);
        if sole_owner(this) {
            see((*this).grad);
            if let Some(t) = &*(*this).tensor {
                t.visit_hooks(&mut |hook: &std::sync::Arc<dyn TensorHook>| {
                    if let Some(h) = hook.as_any().downcast_ref::<PyHook>()
                        && std::sync::Arc::strong_count(hook) == 1
                    {
                        see(h.callable.as_ptr());
                    }
                });
            }
        }
    }
    result
}

pub(crate) unsafe extern "C" fn clear(obj: *mut PyObject) -> std::ffi::c_int {
    let this = obj.cast::<PyTensor>();
    // SAFETY: the collector passes a live tensor object, under the GIL; slots are emptied before references are dropped.
    unsafe {
        let py = Python::assume_attached();
        if sole_owner(this) {
            let grad = take_grad(py, this);
            if let Some(t) = &*(*this).tensor {
                t.clear_hooks();
            }
            drop(grad);
        }
        let dict = std::mem::replace(&mut (*this).dict, null_mut());
        ffi::Py_XDECREF(dict);
    }
    0
}

pub(crate) unsafe extern "C" fn dealloc(obj: *mut PyObject) {
    let this = obj.cast::<PyTensor>();
    // SAFETY: CPython calls this once, when no reference is left. `front` goes first: what runs below (weak references'
    // callbacks, destructors) must not find the dying object.
    unsafe {
        let ty = ffi::Py_TYPE(obj);
        ffi::PyObject_GC_UnTrack(obj.cast());
        let tensor = (*this).tensor.take();
        if let Some(t) = &tensor
            && t.front() == obj.cast()
        {
            t.set_front(null_mut());
        }
        if !(*this).weak.is_null() {
            ffi::PyObject_ClearWeakRefs(obj);
        }
        drop(take_grad(Python::assume_attached(), this));
        let dict = std::mem::replace(&mut (*this).dict, null_mut());
        ffi::Py_XDECREF(dict);
        drop(tensor);
        ffi::PyObject_GC_Del(obj.cast());
        ffi::Py_DECREF(ty.cast());
    }
}

pub(crate) unsafe extern "C" fn setattro(
    obj: *mut PyObject,
    name: *mut PyObject,
    value: *mut PyObject,
) -> std::ffi::c_int {
    // SAFETY: CPython passes live objects under the GIL.
    unsafe {
        let r = ffi::PyObject_GenericSetAttr(obj, name, value);
        if r == 0 && !(*obj.cast::<PyTensor>()).dict.is_null() {
            track_ptr(obj);
        }
        r
    }
}

pub(crate) unsafe extern "C" fn get_dict(obj: *mut PyObject, closure: *mut std::ffi::c_void) -> *mut PyObject {
    // SAFETY: CPython passes a live tensor object under the GIL.
    unsafe {
        track_ptr(obj);
        ffi::PyObject_GenericGetDict(obj, closure)
    }
}

/// A tensor argument or result for functions made with PyO3's macros: `fn f(x: Arg) -> Arg`.
pub struct Arg(pub Tensor);

impl<'py> FromPyObject<'_, 'py> for Arg {
    type Error = PyErr;

    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Arg> {
        match unwrap(&obj) {
            Some(t) => Ok(Arg(t.clone())),
            None => Err(PyTypeError::new_err(format!("expected a Tensor, not {}", obj.get_type().name()?))),
        }
    }
}

impl<'py> IntoPyObject<'py> for Arg {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        wrap(py, self.0)
    }
}
