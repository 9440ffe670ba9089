//! Sharing memory with NumPy, which is never imported before somebody needs it.

use std::sync::Once;

use flambeau_core::layout::Dims;
use flambeau_core::view::Layout;
use flambeau_core::{DType, Tensor};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

use super::memory::Buffer;
use crate::bridge::type_name;
use crate::errors::{IntoPyResult, warn_once};
use crate::object;

/// What is asked of NumPy, looked up once.
struct NumPy {
    ndarray: Py<PyAny>,
    generic: Py<PyAny>,
    /// NumPy's own objects for the dtypes it has, by our index.
    dtypes: Vec<Option<Py<PyAny>>>,
}

static NUMPY: PyOnceLock<NumPy> = PyOnceLock::new();

fn load(py: Python<'_>) -> PyResult<&'static NumPy> {
    NUMPY.get_or_try_init(py, || {
        let module = py.import("numpy")?;
        let mut dtypes = Vec::new();
        for d in DType::ALL {
            dtypes.push(if supported(d) { Some(module.call_method1("dtype", (d.name(),))?.unbind()) } else { None });
        }
        Ok(NumPy { ndarray: module.getattr("ndarray")?.unbind(), generic: module.getattr("generic")?.unbind(), dtypes })
    })
}

/// NumPy if the program has imported it: without that no object can be one of NumPy's.
fn present(py: Python<'_>) -> PyResult<Option<&'static NumPy>> {
    if let Some(n) = NUMPY.get(py) {
        return Ok(Some(n));
    }
    let modules = py.import("sys")?.getattr("modules")?.cast_into::<PyDict>()?;
    if modules.contains("numpy")? { load(py).map(Some) } else { Ok(None) }
}

fn supported(d: DType) -> bool {
    !(d.is_float8() || matches!(d, DType::BF16 | DType::C32))
}

pub fn is_array(obj: &Bound<'_, PyAny>) -> PyResult<bool> {
    match present(obj.py())? {
        Some(n) => obj.is_instance(n.ndarray.bind(obj.py())),
        None => Ok(false),
    }
}

/// The dtype of a NumPy scalar; `None` for anything else.
pub fn scalar_dtype(obj: &Bound<'_, PyAny>) -> PyResult<Option<DType>> {
    match present(obj.py())? {
        Some(n) if obj.is_instance(n.generic.bind(obj.py()))? => dtype_of(obj).map(Some),
        _ => Ok(None),
    }
}

pub fn is_scalar(obj: &Bound<'_, PyAny>) -> PyResult<bool> {
    match present(obj.py())? {
        Some(n) => obj.is_instance(n.generic.bind(obj.py())),
        None => Ok(false),
    }
}

/// The dtype of a NumPy array or scalar; `None` for anything else.
pub fn array_or_scalar_dtype(obj: &Bound<'_, PyAny>) -> PyResult<Option<DType>> {
    let py = obj.py();
    match present(py)? {
        Some(n) if obj.is_instance(n.ndarray.bind(py))? || obj.is_instance(n.generic.bind(py))? => {
            dtype_of(obj).map(Some)
        }
        _ => Ok(None),
    }
}

fn dtype_of(obj: &Bound<'_, PyAny>) -> PyResult<DType> {
    let dtype = obj.getattr("dtype")?;
    let name = dtype.getattr("name")?;
    match DType::ALL.into_iter().find(|d| supported(*d) && name.eq(d.name()).unwrap_or(false)) {
        Some(d) => Ok(d),
        None => {
            let module = dtype.getattr("type")?;
            Err(PyTypeError::new_err(format!(
                "can't convert np.ndarray of type {}.{}. The only supported types are: float64, float32, float16, \
                 complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool.",
                module.getattr("__module__")?,
                module.getattr("__name__")?
            )))
        }
    }
}

/// A tensor over an array's memory. `warn` says so when the array may not be written.
pub fn from_array(array: &Bound<'_, PyAny>, warn: bool) -> PyResult<Tensor> {
    let py = array.py();
    let numpy = load(py)?;
    if !array.is_instance(numpy.ndarray.bind(py))? {
        return Err(PyTypeError::new_err(format!("expected np.ndarray (got {})", type_name(array))));
    }
    let dtype = dtype_of(array)?;
    if !array.getattr("dtype")?.getattr("isnative")?.is_truthy()? {
        return Err(PyValueError::new_err(
            "given numpy array has byte order different from the native byte order. Conversion between byte orders is \
             currently not supported.",
        ));
    }
    let view = Buffer::get(array, ffi::PyBUF_STRIDES)?;
    if view.readonly() && warn {
        warn_readonly(py)?;
    }
    let item = dtype.size() as isize;
    let sizes: Dims = view.sizes().iter().map(|&n| n as i64).collect();
    let mut strides = Dims::new();
    // Those of the array: a buffer's are made up where a dimension has one element or none.
    let given: Vec<isize> = array.getattr("strides")?.extract()?;
    for (&s, &n) in given.iter().zip(view.sizes()) {
        if s < 0 {
            return Err(PyValueError::new_err(
                "At least one stride in the given numpy array is negative, and tensors with negative strides are not \
                 currently supported. (You can probably work around this by making a copy of your array  with \
                 array.copy().) ",
            ));
        }
        if s % item != 0 && n > 1 {
            return Err(PyValueError::new_err(
                "given numpy array strides not a multiple of the element byte size. Copy the numpy array to reallocate \
                 the memory.",
            ));
        }
        strides.push((s / item) as i64);
    }
    if !(view.ptr() as usize).is_multiple_of(dtype.size().min(8)) {
        return Err(PyValueError::new_err(
            "given numpy array is not aligned to its element size. Copy the numpy array to reallocate the memory.",
        ));
    }
    let last: i64 = sizes.iter().zip(&strides).map(|(n, s)| (n - 1) * s).sum();
    let nbytes = if sizes.contains(&0) { 0 } else { (last as usize + 1) * dtype.size() };
    let at = view.ptr();
    // SAFETY: sizes and strides are the exporter's own, so the bytes up to the last element are its memory.
    let storage = unsafe { view.into_storage(at, nbytes) };
    Tensor::from_storage(storage, Layout { sizes, strides, offset: 0, dtype }).py()
}

fn warn_readonly(py: Python<'_>) -> PyResult<()> {
    static ONCE: Once = Once::new();
    warn_once(
        py,
        &ONCE,
        c"The given NumPy array is not writable, and PyTorch does not support non-writable tensors. This means writing to \
          this tensor will result in undefined behavior. You may want to copy the array to protect its data or make it \
          writable before converting it to a tensor. This type of warning will be suppressed for the rest of this \
          program.",
    )
}

/// A tensor holding the number that a NumPy scalar is.
pub fn from_scalar(obj: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    dtype_of(obj)?;
    let array = obj.call_method0("__array__")?;
    from_array(&array.call_method0("copy")?, false)
}

/// `Tensor.numpy(force=False)`: an array over the tensor's memory.
pub fn to_array<'py>(py: Python<'py>, t: &Tensor, force: bool) -> PyResult<Bound<'py, PyAny>> {
    if !force {
        if !t.device().is_cpu() {
            return Err(PyTypeError::new_err(format!(
                "can't convert {} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first.",
                t.device()
            )));
        }
        if t.requires_grad() && flambeau_core::autograd::grad_enabled() {
            return Err(PyRuntimeError::new_err(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.",
            ));
        }
    }
    let numpy = load(py)?;
    let Some(dtype) = &numpy.dtypes[t.dtype() as usize] else {
        return Err(PyTypeError::new_err(format!("Got unsupported ScalarType {}", t.dtype().scalar_name())));
    };
    let ndarray = numpy.ndarray.bind(py);
    let shape = PyTuple::new(py, t.sizes())?;
    if t.numel() == 0 {
        return ndarray.call1((shape, dtype));
    }
    let item = t.dtype().size() as i64;
    let strides = PyTuple::new(py, t.strides().iter().map(|s| s * item))?;
    // The array points into this memory from now on.
    t.storage().pin();
    let storage = crate::storage::object(py, t.storage().clone())?;
    ndarray.call1((shape, dtype, storage, t.offset() * item, strides))
}

/// `__array__`: as NumPy asks for it.
pub fn array_protocol<'py>(slf: &Bound<'py, PyAny>, dtype: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    let array = match object::unwrap(slf) {
        Some(t) => to_array(py, t, false)?,
        None => return Err(PyTypeError::new_err("expected a Tensor")),
    };
    match dtype {
        Some(d) if !d.is_none() => {
            let kw = PyDict::new(py);
            kw.set_item("copy", false)?;
            array.call_method("astype", (d,), Some(&kw))
        }
        _ => Ok(array),
    }
}
