//! Data from Python into tensors and back: `torch.tensor` and its relatives, `item`, `tolist`, `numpy`, DLPack.

mod dlpack;
mod legacy;
mod list;
pub mod memory;
mod numpy;
pub(crate) mod sequence;

use std::sync::Once;

use flambeau_core::layout::Dims;
use flambeau_core::view::Layout;
use flambeau_core::{DType, Device, Scalar, Tensor, default_dtype};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::ffi::{self, PyGetSetDef, PyMethodDef};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyComplex, PyDict, PyFloat, PyInt, PyTuple};

pub use legacy::legacy_new;
pub(crate) use list::scalar_out;

use crate::bridge::{flag, optional_device, optional_dtype, tensor_in, type_name};
use crate::errors::{IntoPyResult, warn, warn_once};
use crate::method;
use crate::object::{Arg, expect, unwrap, wrap};
use memory::Buffer;

/// A tensor with a copy of `data`, outside any graph.
fn new_copy(data: &Bound<'_, PyAny>, dtype: Option<DType>, device: Option<Device>) -> PyResult<Tensor> {
    if let Some(t) = unwrap(data) {
        return on_device(&t.detach(), dtype.unwrap_or(t.dtype()), device.unwrap_or(t.device()), true);
    }
    let device = device.unwrap_or(Device::CPU);
    if numpy::is_array(data)? {
        let t = numpy::from_array(data, false)?;
        return on_device(&t, dtype.unwrap_or(t.dtype()), device, true);
    }
    let t = if numpy::is_scalar(data)? { numpy::from_scalar(data)? } else { sequence::build(data, dtype)? };
    on_device(&t, dtype.unwrap_or(t.dtype()), device, false)
}

/// `t` in another dtype or on another device, without a record.
fn on_device(t: &Tensor, dtype: DType, device: Device, copy: bool) -> PyResult<Tensor> {
    if device.is_meta() && !t.device().is_meta() {
        return Tensor::empty(t.sizes(), dtype, device).py();
    }
    if device.kind != t.device().kind {
        flambeau_core::device::backend(device).py()?;
        return Err(pyo3::exceptions::PyNotImplementedError::new_err("Cannot copy out of meta tensor; no data!"));
    }
    if !copy && dtype == t.dtype() {
        return Ok(t.clone());
    }
    // The order of the elements in memory is kept.
    let strides = flambeau_core::op::dense_strides(t.sizes(), t.strides());
    let out = Tensor::empty_strided(t.sizes(), &strides, dtype, device).py()?;
    if !device.is_meta() {
        flambeau_core::device::backend(device).py()?.copy(t.raw(), out.raw()).py()?;
    }
    Ok(out)
}

fn with_grad(t: Tensor, requires_grad: bool) -> PyResult<Tensor> {
    if requires_grad {
        if !t.dtype().is_differentiable() {
            return Err(PyRuntimeError::new_err(
                "Only Tensors of floating point and complex dtype can require gradients",
            ));
        }
        t.set_requires_grad(true).py()?;
    }
    Ok(t)
}

/// tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False) -> Tensor
///
/// A new tensor holding a copy of numbers, nested sequences of numbers, an array or a tensor.
/// Raises ValueError for ragged sequences, TypeError or RuntimeError for things that are no numbers.
#[pyfunction]
#[pyo3(signature = (data, *, dtype = None, device = None, requires_grad = false, pin_memory = false))]
fn tensor(
    data: &Bound<'_, PyAny>,
    dtype: Option<&Bound<'_, PyAny>>,
    device: Option<&Bound<'_, PyAny>>,
    requires_grad: bool,
    pin_memory: bool,
) -> PyResult<Arg> {
    // Host memory is the only memory, so pinning it changes nothing.
    let _ = pin_memory;
    if unwrap(data).is_some() {
        warn(
            data.py(),
            c"To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or \
              sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).",
        )?;
    }
    let t = new_copy(data, optional_dtype("tensor", dtype)?, optional_device("tensor", device)?)?;
    with_grad(t, requires_grad).map(Arg)
}

/// A tensor's own `to`, which records what it does.
fn recorded_to<'py>(
    t: &Bound<'py, PyAny>,
    dtype: Option<DType>,
    device: Option<Device>,
    copy: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let py = t.py();
    let this = expect(t, "to", "self")?;
    if dtype.is_none_or(|d| d == this.dtype()) && device.is_none_or(|d| d == this.device()) && !copy {
        return Ok(t.clone());
    }
    let kw = PyDict::new(py);
    kw.set_item("dtype", crate::dtype::object(py, dtype.unwrap_or(this.dtype())))?;
    kw.set_item("device", crate::device::object(py, device.unwrap_or(this.device())))?;
    kw.set_item("copy", copy)?;
    t.call_method("to", (), Some(&kw))
}

/// as_tensor(data, dtype=None, device=None) -> Tensor
///
/// As `tensor`, but shares memory where it can and keeps the history of a tensor.
#[pyfunction]
#[pyo3(signature = (data, dtype = None, device = None))]
fn as_tensor<'py>(
    data: &Bound<'py, PyAny>,
    dtype: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let (dtype, device) = (optional_dtype("as_tensor", dtype)?, optional_device("as_tensor", device)?);
    if unwrap(data).is_some() {
        return recorded_to(data, dtype, device, false);
    }
    wrap(data.py(), shared(data, dtype, device)?)
}

/// Shares the memory of an array of the right type; anything else is copied.
fn shared(data: &Bound<'_, PyAny>, dtype: Option<DType>, device: Option<Device>) -> PyResult<Tensor> {
    if numpy::is_array(data)? {
        let t = numpy::from_array(data, true)?;
        return on_device(&t, dtype.unwrap_or(t.dtype()), device.unwrap_or(Device::CPU), false);
    }
    new_copy(data, dtype, device)
}

/// asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False) -> Tensor
///
/// Any array-like object as a tensor: tensors, arrays, DLPack, buffers, scalars, sequences. With `copy=False` raises
/// ValueError where the memory cannot be shared.
#[pyfunction]
#[pyo3(signature = (obj, *, dtype = None, device = None, copy = None, requires_grad = None))]
fn asarray<'py>(
    obj: &Bound<'py, PyAny>,
    dtype: Option<&Bound<'py, PyAny>>,
    device: Option<&Bound<'py, PyAny>>,
    copy: Option<&Bound<'py, PyAny>>,
    requires_grad: Option<bool>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = obj.py();
    let copy = copy
        .map(|c| match c.cast::<PyBool>() {
            Ok(c) => Ok(c.is_true()),
            Err(_) => {
                Err(PyTypeError::new_err(format!("asarray(): argument 'copy' must be bool, not {}", type_name(c))))
            }
        })
        .transpose()?;
    if requires_grad.is_none() && tensor_in(obj).is_some_and(|t| t.requires_grad()) {
        warn_asarray_grad(py)?;
    }
    let (dtype, device) = (optional_dtype("asarray", dtype)?, optional_device("asarray", device)?);
    let force = copy == Some(true);
    let source = if tensor_in(obj).is_some() {
        obj.clone()
    } else if numpy::is_array(obj)? {
        wrap(py, numpy::from_array(obj, true)?)?
    } else if numpy::is_scalar(obj)? {
        if copy == Some(false) {
            return Err(PyRuntimeError::new_err(
                "can't alias NumPy scalars. Either remove copy=False or transform it in a ndarray.",
            ));
        }
        return wrap(py, with_grad(new_copy(obj, dtype, device)?, requires_grad == Some(true))?);
    } else if dlpack::offers(obj)? {
        wrap(py, dlpack::import(obj, copy)?)?
    } else if let Ok(view) = Buffer::get(obj, ffi::PyBUF_SIMPLE) {
        if view.readonly() {
            warn_readonly_buffer(py)?;
        }
        let d = dtype.unwrap_or(default_dtype_of_buffer(obj));
        wrap(py, over_buffer(view, d, -1, 0)?)?
    } else {
        if copy == Some(false) {
            return Err(PyValueError::new_err("can't alias arbitrary sequence into a tensor."));
        }
        return wrap(py, with_grad(new_copy(obj, dtype, device)?, requires_grad == Some(true))?);
    };
    let t = expect(&source, "asarray", "obj")?;
    if copy == Some(false) {
        if let Some(d) = device.filter(|d| *d != t.device()) {
            return Err(PyValueError::new_err(format!("can't alias tensor from device '{}' to '{d}'.", t.device())));
        }
        if let Some(d) = dtype.filter(|d| *d != t.dtype()) {
            return Err(PyValueError::new_err(format!(
                "can't alias tensor with dtype '{}' into dtype '{}'.",
                t.dtype().scalar_name(),
                d.scalar_name()
            )));
        }
    }
    let changes = dtype.is_some_and(|d| d != t.dtype()) || device.is_some_and(|d| d != t.device());
    let out = if force || changes { recorded_to(&source, dtype, device, force)? } else { source };
    let t = expect(&out, "asarray", "obj")?;
    if requires_grad == Some(false) && t.requires_grad() {
        return wrap(py, t.detach());
    }
    if requires_grad == Some(true) && !t.requires_grad() {
        with_grad(t.clone(), true)?;
    }
    Ok(out)
}

fn warn_asarray_grad(py: Python<'_>) -> PyResult<()> {
    static ONCE: Once = Once::new();
    warn_once(
        py,
        &ONCE,
        c"torch.asarray: unspecified requires_grad now defaults to obj.requires_grad instead of False. Pass \
          requires_grad=False explicitly to get the old behavior and silence this warning.",
    )
}

/// Bytes without a type of their own are bytes.
fn default_dtype_of_buffer(obj: &Bound<'_, PyAny>) -> DType {
    match obj.getattr("typecode").and_then(|t| t.extract::<String>()) {
        Ok(code) => match code.as_str() {
            "b" => DType::I8,
            "h" => DType::I16,
            "i" => DType::I32,
            "l" | "q" => DType::I64,
            "f" => DType::F32,
            "d" => DType::F64,
            _ => DType::U8,
        },
        Err(_) => DType::U8,
    }
}

/// from_numpy(ndarray) -> Tensor
///
/// A tensor over an array's memory: writes to one are seen by the other.
#[pyfunction]
fn from_numpy(ndarray: &Bound<'_, PyAny>) -> PyResult<Arg> {
    numpy::from_array(ndarray, true).map(Arg)
}

fn over_buffer(view: Buffer, dtype: DType, count: i64, offset: i64) -> PyResult<Tensor> {
    let (len, item) = (view.len() as i64, dtype.size() as i64);
    if len == 0 || count == 0 {
        return Err(PyValueError::new_err(format!("both buffer length ({len}) and count ({count}) must not be 0")));
    }
    if offset < 0 || offset >= len {
        return Err(PyValueError::new_err(format!(
            "offset ({offset} bytes) must be non-negative and no greater than buffer length ({len} bytes) minus 1"
        )));
    }
    if count < 0 && (len - offset) % item != 0 {
        return Err(PyValueError::new_err(format!(
            "buffer length ({} bytes) after offset ({offset} bytes) must be a multiple of element size ({item})",
            len - offset
        )));
    }
    let count = if count < 0 { (len - offset) / item } else { count };
    if count.checked_mul(item).and_then(|b| b.checked_add(offset)).is_none_or(|b| b > len) {
        return Err(PyValueError::new_err(format!(
            "requested buffer length ({count} * {item} bytes) after offset ({offset} bytes) must not be greater than \
             actual buffer length ({len} bytes)"
        )));
    }
    let at = view.ptr().wrapping_offset(offset as isize);
    let nbytes = (count * item) as usize;
    let layout = |offset| Layout { sizes: Dims::from_slice(&[count]), strides: Dims::from_slice(&[1]), offset, dtype };
    if !(at as usize).is_multiple_of(dtype.size().min(8)) {
        // Kernels need aligned elements: such a view is copied.
        let bytes = &view.bytes()[offset as usize..offset as usize + nbytes];
        return Tensor::from_bytes(bytes, dtype, &[count]).py();
    }
    // SAFETY: the range was checked to lie inside the view.
    let storage = unsafe { view.into_storage(at, nbytes) };
    Tensor::from_storage(storage, layout(0)).py()
}

/// frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False) -> Tensor
///
/// A one-dimensional tensor over the memory of an object with the buffer protocol.
#[pyfunction]
#[pyo3(signature = (buffer, *, dtype, count = -1, offset = 0, requires_grad = false))]
fn frombuffer(
    buffer: &Bound<'_, PyAny>,
    dtype: &Bound<'_, PyAny>,
    count: i64,
    offset: i64,
    requires_grad: bool,
) -> PyResult<Arg> {
    let py = buffer.py();
    let Some(dtype) = optional_dtype("frombuffer", Some(dtype))? else {
        return Err(PyTypeError::new_err("frombuffer(): argument 'dtype' must be torch.dtype, not NoneType"));
    };
    // SAFETY: a live object under the GIL.
    if unsafe { ffi::PyObject_CheckBuffer(buffer.as_ptr()) } == 0 {
        return Err(PyValueError::new_err("object does not implement Python buffer protocol."));
    }
    let view = Buffer::get(buffer, ffi::PyBUF_SIMPLE).map_err(|_| {
        PyRuntimeError::new_err(
            "could not retrieve a contiguous buffer from the given object (non-contiguous buffers are not supported)",
        )
    })?;
    if view.readonly() {
        warn_readonly_buffer(py)?;
    }
    with_grad(over_buffer(view, dtype, count, offset)?, requires_grad).map(Arg)
}

fn warn_readonly_buffer(py: Python<'_>) -> PyResult<()> {
    static ONCE: Once = Once::new();
    warn_once(
        py,
        &ONCE,
        c"The given buffer is not writable, and PyTorch does not support non-writable tensors. This means you can write to \
          the underlying (supposedly non-writable) buffer using the tensor. You may want to copy the buffer to protect its \
          data or make it writable before converting it to a tensor. This type of warning will be suppressed for the rest \
          of this program.",
    )
}

/// scalar_tensor(s, *, dtype=None, device=None, requires_grad=False) -> Tensor
///
/// A number as a tensor without dimensions, in the default dtype unless one is given.
#[pyfunction]
#[pyo3(signature = (s, *, dtype = None, layout = None, device = None, pin_memory = false, requires_grad = false))]
fn scalar_tensor(
    s: &Bound<'_, PyAny>,
    dtype: Option<&Bound<'_, PyAny>>,
    layout: Option<&Bound<'_, PyAny>>,
    device: Option<&Bound<'_, PyAny>>,
    pin_memory: bool,
    requires_grad: bool,
) -> PyResult<Arg> {
    let _ = (layout, pin_memory);
    let value = scalar_in(s).ok_or_else(|| {
        PyTypeError::new_err(format!("scalar_tensor(): argument 's' (position 1) must be Number, not {}", type_name(s)))
    })?;
    let dtype = optional_dtype("scalar_tensor", dtype)?.unwrap_or(match value {
        Scalar::Complex(..) => default_dtype().to_complex(),
        _ => default_dtype(),
    });
    let device = optional_device("scalar_tensor", device)?.unwrap_or(Device::CPU);
    with_grad(Tensor::scalar(value, dtype, device).py()?, requires_grad).map(Arg)
}

/// Whether an object is an array of NumPy's.
///
/// # Safety
/// A live object; the GIL is held.
pub(crate) unsafe fn is_array(obj: *mut ffi::PyObject) -> bool {
    // SAFETY: by the contract.
    unsafe { numpy::is_array(&Bound::from_borrowed_ptr(Python::assume_attached(), obj)).unwrap_or(false) }
}

/// A NumPy array as a tensor over the same memory.
pub(crate) fn from_numpy_array(obj: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    numpy::from_array(obj, false)
}

/// A Python number, or a tensor with one element, as a host number.
pub fn scalar_in(obj: &Bound<'_, PyAny>) -> Option<Scalar> {
    if let Ok(b) = obj.cast::<PyBool>() {
        return Some(Scalar::Bool(b.is_true()));
    }
    if obj.is_instance_of::<PyInt>() {
        return match obj.extract::<i64>() {
            Ok(v) => Some(Scalar::Int(v)),
            Err(_) => obj.extract::<f64>().ok().map(Scalar::Float),
        };
    }
    if let Ok(f) = obj.cast::<PyFloat>() {
        return Some(Scalar::Float(f.value()));
    }
    if let Ok(c) = obj.cast::<PyComplex>() {
        return Some(Scalar::Complex(c.real(), c.imag()));
    }
    if let Some(t) = unwrap(obj) {
        return t.item().ok();
    }
    if numpy::is_scalar(obj).unwrap_or(false) {
        return scalar_in(&obj.call_method0("item").ok()?);
    }
    None
}

fn item<'py>(
    slf: &Bound<'py, PyAny>,
    _: &Bound<'py, PyTuple>,
    _: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    list::item(slf.py(), expect(slf, "item", "self")?)
}

fn tolist<'py>(
    slf: &Bound<'py, PyAny>,
    _: &Bound<'py, PyTuple>,
    _: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    list::tolist(slf.py(), expect(slf, "tolist", "self")?)
}

/// Refuses keyword arguments that a function does not have.
pub(crate) fn only(function: &str, known: &[&str], kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
    for key in kwargs.into_iter().flat_map(|k| k.keys()) {
        let key = key.to_string();
        if !known.contains(&key.as_str()) {
            return Err(PyTypeError::new_err(format!("{function}() got an unexpected keyword argument '{key}'")));
        }
    }
    Ok(())
}

fn to_numpy<'py>(
    slf: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    if !args.is_empty() {
        return Err(PyTypeError::new_err(format!(
            "numpy() takes 0 positional arguments but {} {} given",
            args.len(),
            if args.len() == 1 { "was" } else { "were" }
        )));
    }
    only("numpy", &["force"], kwargs)?;
    let force = match kwargs.map_or(Ok(None), |k| k.get_item("force"))? {
        None => false,
        Some(f) => f
            .cast::<PyBool>()
            .map_err(|_| {
                PyTypeError::new_err(format!("numpy(): argument 'force' must be bool, not {}", type_name(&f)))
            })?
            .is_true(),
    };
    let t = expect(slf, "numpy", "self")?;
    if force && t.device().is_meta() {
        return Err(pyo3::exceptions::PyNotImplementedError::new_err("Cannot copy out of meta tensor; no data!"));
    }
    if force { numpy::to_array(slf.py(), &t.detach(), true) } else { numpy::to_array(slf.py(), t, false) }
}

fn array<'py>(
    slf: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let dtype = match args.get_item(0) {
        Ok(d) => Some(d),
        Err(_) => kwargs.map_or(Ok(None), |k| k.get_item("dtype"))?,
    };
    let array = numpy::array_protocol(slf, dtype.as_ref())?;
    let copy = kwargs.map_or(Ok(None), |k| k.get_item("copy"))?;
    if copy.is_some_and(|c| c.is_truthy().unwrap_or(false)) { array.call_method0("copy") } else { Ok(array) }
}

/// `new_tensor(data, *, dtype=None, device=None, requires_grad=False)`: as `tensor`, with this tensor's dtype and device.
fn new_tensor<'py>(
    slf: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let t = expect(slf, "new_tensor", "self")?;
    let named = |name: &str| kwargs.map_or(Ok(None), |k| k.get_item(name));
    if args.len() > 1 {
        return Err(PyTypeError::new_err(format!(
            "new_tensor() takes 1 positional argument but {} were given",
            args.len()
        )));
    }
    only("new_tensor", &["data", "dtype", "device", "requires_grad", "layout", "pin_memory"], kwargs)?;
    let data = match args.get_item(0) {
        Ok(d) => d,
        Err(_) => named("data")?
            .ok_or_else(|| PyTypeError::new_err("new_tensor() missing 1 required positional arguments: \"data\""))?,
    };
    let dtype = optional_dtype("new_tensor", named("dtype")?.as_ref())?.unwrap_or(t.dtype());
    let device = optional_device("new_tensor", named("device")?.as_ref())?.unwrap_or(t.device());
    if unwrap(&data).is_some() {
        warn(
            slf.py(),
            c"To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or \
              sourceTensor.detach().clone().requires_grad_(True), rather than tensor.new_tensor(sourceTensor).",
        )?;
    }
    let out = new_copy(&data, Some(dtype), Some(device))?;
    wrap(slf.py(), with_grad(out, flag(named("requires_grad")?.as_ref(), false)?)?)
}

/// The constructor of `torch.FloatTensor` and the other typed names.
#[pyfunction]
#[pyo3(signature = (dtype, /, *args, **kwargs))]
fn _legacy_tensor(
    dtype: &Bound<'_, PyAny>,
    args: &Bound<'_, PyTuple>,
    kwargs: Option<&Bound<'_, PyDict>>,
) -> PyResult<Arg> {
    let dtype = optional_dtype("new", Some(dtype))?;
    legacy::construct(dtype, args, kwargs).map(Arg)
}

/// Methods of `Tensor` that this module gives.
pub fn methods() -> Vec<PyMethodDef> {
    let mut all = vec![
        method!(c"item", item, c"item() -> number\n\nThe only element as a Python number."),
        method!(c"tolist", tolist, c"tolist() -> list or number\n\nNested lists of Python numbers."),
        method!(
            c"numpy",
            to_numpy,
            c"numpy(*, force=False) -> numpy.ndarray\n\nAn array over the same memory. With force=True also for tensors that \
              require a gradient."
        ),
        method!(c"__array__", array, c"The tensor as NumPy's functions take it."),
        method!(
            c"new_tensor",
            new_tensor,
            c"new_tensor(data, *, dtype=None, device=None, requires_grad=False) -> Tensor\n\nA copy of data in this tensor's \
              dtype, on its device."
        ),
    ];
    all.extend(dlpack::methods());
    all
}

/// Attributes of `Tensor` that this module gives.
pub fn getters() -> Vec<PyGetSetDef> {
    Vec::new()
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(tensor, m)?)?;
    m.add_function(wrap_pyfunction!(as_tensor, m)?)?;
    m.add_function(wrap_pyfunction!(asarray, m)?)?;
    m.add_function(wrap_pyfunction!(from_numpy, m)?)?;
    m.add_function(wrap_pyfunction!(frombuffer, m)?)?;
    m.add_function(wrap_pyfunction!(scalar_tensor, m)?)?;
    m.add_function(wrap_pyfunction!(_legacy_tensor, m)?)?;
    dlpack::register(m)
}
