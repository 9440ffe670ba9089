//! From the core's errors to Python's exceptions, and back.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use flambeau_core::{Error, ErrorKind};
use pyo3::exceptions::{PyIndexError, PyNotImplementedError, PyRuntimeError, PyTypeError, PyUserWarning, PyValueError};
use pyo3::ffi::PyObject;
use pyo3::prelude::*;

pyo3::create_exception!(
    flambeau._C,
    _LinAlgError,
    PyRuntimeError,
    "A failure of `torch.linalg`: a singular matrix, or an iteration that does not converge."
);
pyo3::create_exception!(flambeau, OutOfMemoryError, PyRuntimeError, "Memory of a device ran out.");

/// The exception that PyTorch raises for this error.
#[cold]
pub fn to_py(e: Error) -> PyErr {
    let text = e.message().to_string();
    match e.kind() {
        ErrorKind::Runtime | ErrorKind::OutOfMemory => PyRuntimeError::new_err(text),
        ErrorKind::Value => PyValueError::new_err(text),
        ErrorKind::Type => PyTypeError::new_err(text),
        ErrorKind::Index => PyIndexError::new_err(text),
        ErrorKind::NotImplemented => PyNotImplementedError::new_err(text),
        ErrorKind::Linalg => _LinAlgError::new_err(text),
        ErrorKind::Foreign => match e.into_payload().map(|p| p.downcast::<PyErr>()) {
            Some(Ok(err)) => *err,
            _ => PyRuntimeError::new_err(text),
        },
    }
}

/// Carries a Python exception through the core; [`to_py`] raises it again whole.
#[cold]
pub fn from_py(py: Python<'_>, err: PyErr) -> Error {
    Error::foreign(err.value(py).to_string(), Box::new(err))
}

/// `core_result.py()?` in functions that return a `PyResult`.
pub trait IntoPyResult<T> {
    fn py(self) -> PyResult<T>;
}

impl<T> IntoPyResult<T> for flambeau_core::Result<T> {
    #[inline]
    fn py(self) -> PyResult<T> {
        self.map_err(to_py)
    }
}

/// The outcome of a C-level entry as CPython wants it. A panic becomes a `RuntimeError`.
///
/// # Safety
/// The calling thread holds the GIL.
#[inline]
pub unsafe fn guard(f: impl FnOnce(Python<'_>) -> PyResult<*mut PyObject>) -> *mut PyObject {
    // SAFETY: by the contract.
    let py = unsafe { Python::assume_attached() };
    match catch_unwind(AssertUnwindSafe(|| f(py))) {
        Ok(Ok(p)) => p,
        Ok(Err(e)) => fail(e),
        Err(panic) => fail(internal(&*panic)),
    }
}

/// [`guard`] for slots that return a number: -1 says that an exception is set.
///
/// # Safety
/// As [`guard`].
#[inline]
pub unsafe fn guard_int<T: From<i8>>(f: impl FnOnce(Python<'_>) -> PyResult<T>) -> T {
    // SAFETY: by the contract.
    let py = unsafe { Python::assume_attached() };
    match catch_unwind(AssertUnwindSafe(|| f(py))) {
        Ok(Ok(v)) => v,
        Ok(Err(e)) => {
            fail(e);
            T::from(-1)
        }
        Err(panic) => {
            fail(internal(&*panic));
            T::from(-1)
        }
    }
}

/// A `UserWarning` at the caller's line.
pub fn warn(py: Python<'_>, text: &CStr) -> PyResult<()> {
    PyErr::warn(py, &py.get_type::<PyUserWarning>(), text, 1)
}

/// Whether warnings that come once come each time.
static ALWAYS: AtomicBool = AtomicBool::new(false);

/// [`warn`], the first time only, unless [`set_warn_always`] asked for each time.
pub fn warn_once(py: Python<'_>, once: &Once, text: &CStr) -> PyResult<()> {
    let mut first = false;
    once.call_once(|| first = true);
    if first || ALWAYS.load(Relaxed) { warn(py, text) } else { Ok(()) }
}

/// set_warn_always(b, /)
///
/// With True, warnings that come once in a process come each time that their cause does.
#[pyfunction]
#[pyo3(signature = (b, /))]
pub fn set_warn_always(b: bool) {
    ALWAYS.store(b, Relaxed);
}

/// is_warn_always_enabled() -> bool
///
/// What `set_warn_always` last set.
#[pyfunction]
pub fn is_warn_always_enabled() -> bool {
    ALWAYS.load(Relaxed)
}

#[cold]
fn fail(e: PyErr) -> *mut PyObject {
    Python::attach(|py| e.restore(py));
    null_mut()
}

#[cold]
fn internal(panic: &(dyn std::any::Any + Send)) -> PyErr {
    let text = panic
        .downcast_ref::<&str>()
        .map(|s| s.to_string())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    PyRuntimeError::new_err(format!(
        "internal error: {text}; this is a bug in flambeau, please report it with the code that led to it"
    ))
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = m.py();
    m.add("_LinAlgError", py.get_type::<_LinAlgError>())?;
    m.add("OutOfMemoryError", py.get_type::<OutOfMemoryError>())
}
