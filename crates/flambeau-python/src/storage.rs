//! `torch.UntypedStorage`: the bytes under a tensor, and the ways that serialization makes tensors over bytes.

use flambeau_core::layout::Dims;
use flambeau_core::shared::Shared;
use flambeau_core::storage::Storage;
use flambeau_core::view::Layout;
use flambeau_core::{Device, Tensor};
use pyo3::exceptions::{PyIndexError, PyNotImplementedError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::ffi::{self, PyGetSetDef, PyMethodDef};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PySlice, PyTuple};
use std::ffi::c_int;

use crate::bridge::{cxx_name, optional_device, type_name};
use crate::convert::memory::Buffer;
use crate::errors::IntoPyResult;
use crate::object::{Arg, expect, wrap};
use crate::{getter, method};

/// Raw bytes that tensors share. Two objects are equal when they stand for the same bytes in memory.
#[pyclass(name = "UntypedStorage", module = "flambeau.storage", frozen, subclass, weakref)]
pub struct PyStorage(pub Shared<Storage>);

/// The object of a storage.
pub fn object(py: Python<'_>, storage: Shared<Storage>) -> PyResult<Bound<'_, PyStorage>> {
    Bound::new(py, PyStorage(storage))
}

/// The storage in an object, if it is one.
pub fn extract(obj: &Bound<'_, PyAny>) -> Option<Shared<Storage>> {
    obj.cast::<PyStorage>().ok().map(|s| s.get().0.clone())
}

fn copied(bytes: &[u8]) -> PyResult<Shared<Storage>> {
    let storage = Storage::new(bytes.len(), Device::CPU).py()?;
    if !bytes.is_empty() {
        // SAFETY: a fresh block of exactly this length.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), storage.ptr(), bytes.len()) };
    }
    Ok(storage)
}

impl PyStorage {
    fn slice(&self) -> PyResult<&[u8]> {
        if self.0.device.is_meta() {
            return Err(PyNotImplementedError::new_err("Not available for 'meta' device type"));
        }
        if self.0.nbytes() == 0 {
            return Ok(&[]);
        }
        // SAFETY: the storage owns this many readable bytes; the slice is used at once, under the GIL.
        Ok(unsafe { std::slice::from_raw_parts(self.0.ptr(), self.0.nbytes()) })
    }

    fn index(&self, i: isize) -> PyResult<usize> {
        let n = self.0.nbytes() as isize;
        if i < -n || i >= n {
            return Err(PyIndexError::new_err(format!("index {i} out of range for storage of size {n}")));
        }
        Ok((if i < 0 { i + n } else { i }) as usize)
    }
}

#[pymethods]
impl PyStorage {
    #[new]
    #[pyo3(signature = (data = None, *, device = None))]
    fn new(data: Option<&Bound<'_, PyAny>>, device: Option<&Bound<'_, PyAny>>) -> PyResult<PyStorage> {
        let device = optional_device("UntypedStorage", device)?.unwrap_or(Device::CPU);
        let Some(data) = data else { return Ok(PyStorage(Storage::new(0, device).py()?)) };
        if let Ok(n) = data.extract::<i64>() {
            let n = usize::try_from(n).map_err(|_| {
                PyRuntimeError::new_err(format!(
                    "alloc_cpu() seems to have been called with negative number: {}",
                    n as u64
                ))
            })?;
            return Ok(PyStorage(Storage::new(n, device).py()?));
        }
        // SAFETY: a live object under the GIL.
        if unsafe { ffi::PySequence_Check(data.as_ptr()) } == 0 {
            return Err(PyTypeError::new_err(format!(
                "torch.UntypedStorage(): Expected a sequence type, but got {}",
                type_name(data)
            )));
        }
        let mut bytes = Vec::new();
        for item in data.try_iter()? {
            let item = item?;
            // As in PyTorch the low byte of each number is kept.
            let v = item.extract::<i64>().map_err(|_| {
                PyRuntimeError::new_err(format!(
                    "torch.UntypedStorage(): tried to construct a storage from a sequence ({}), but one of the items was of \
                     type {} instead of int",
                    type_name(data),
                    type_name(&item)
                ))
            })?;
            bytes.push(v as u8);
        }
        copied(&bytes).map(PyStorage)
    }

    /// The address of the first byte; 0 where there is no memory.
    fn data_ptr(&self) -> usize {
        self.0.ptr() as usize
    }

    fn nbytes(&self) -> usize {
        self.0.nbytes()
    }

    fn size(&self) -> usize {
        self.0.nbytes()
    }

    fn element_size(&self) -> usize {
        1
    }

    fn resizable(&self) -> bool {
        self.0.is_resizable()
    }

    fn is_pinned(&self) -> bool {
        false
    }

    /// Whether the bytes are in memory that processes share.
    fn is_shared(&self) -> bool {
        crate::shared::is_shared(&self.0)
    }

    /// Names the storage: equal for all objects of the same one.
    #[getter]
    fn _cdata(&self) -> usize {
        Shared::as_ptr(&self.0) as usize
    }

    #[getter]
    fn device(&self, py: Python<'_>) -> Py<PyAny> {
        crate::device::object(py, self.0.device).into_any().unbind()
    }

    #[getter]
    fn is_cuda(&self) -> bool {
        false
    }

    /// Changes the number of bytes in place, keeping those in common.
    fn resize_<'py>(slf: Bound<'py, Self>, size: i64) -> PyResult<Bound<'py, Self>> {
        let size = usize::try_from(size).map_err(|_| {
            PyRuntimeError::new_err(format!("Tried to resize storage to a negative size, but got {size}"))
        })?;
        // SAFETY: under the GIL; kernels that run without it hold the memory of tensors in use only.
        unsafe { slf.get().0.resize(size).py()? };
        Ok(slf)
    }

    fn copy_<'py>(slf: Bound<'py, Self>, source: &Bound<'py, PyStorage>) -> PyResult<Bound<'py, Self>> {
        let (to, from) = (slf.get(), source.get());
        let bytes = from.slice()?;
        if bytes.len() != to.slice()?.len() {
            return Err(PyRuntimeError::new_err("size does not match"));
        }
        if !bytes.is_empty() {
            // SAFETY: both ranges have this length; `copy` allows them to overlap.
            unsafe { std::ptr::copy(bytes.as_ptr(), to.0.ptr(), bytes.len()) };
        }
        to.0.bump();
        Ok(slf)
    }

    fn fill_<'py>(slf: Bound<'py, Self>, value: u8) -> PyResult<Bound<'py, Self>> {
        let n = slf.get().slice()?.len();
        if n > 0 {
            // SAFETY: the storage owns this many bytes.
            unsafe { std::ptr::write_bytes(slf.get().0.ptr(), value, n) };
        }
        slf.get().0.bump();
        Ok(slf)
    }

    fn clone(&self) -> PyResult<PyStorage> {
        copied(self.slice()?).map(PyStorage)
    }

    fn cpu(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn untyped(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn tolist(&self) -> PyResult<Vec<u16>> {
        Ok(self.slice()?.iter().map(|&b| b as u16).collect())
    }

    fn __len__(&self) -> usize {
        self.0.nbytes()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(slice) = index.cast::<PySlice>() {
            let at = slice.indices(self.0.nbytes() as isize)?;
            if at.step != 1 {
                return Err(PyRuntimeError::new_err(format!(
                    "Trying to slice with a step of {}, but only a step of 1 is supported",
                    at.step
                )));
            }
            self.slice()?;
            let part = self.0.ptr().wrapping_offset(at.start);
            // SAFETY: `indices` keeps the range inside; the whole storage is kept alive as its owner, and stays in place.
            let shared = unsafe { Storage::foreign(part, at.slicelength, Box::new(self.0.clone())) };
            self.0.pin();
            return Ok(object(py, Shared::new(shared))?.into_any());
        }
        let Ok(i) = index.extract::<isize>() else {
            return Err(PyTypeError::new_err(format!("can't index a torch.UntypedStorage with {}", type_name(index))));
        };
        let i = self.index(i)?;
        Ok(self.slice()?[i].into_pyobject(py)?.into_any())
    }

    fn __setitem__(&self, index: &Bound<'_, PyAny>, value: i64) -> PyResult<()> {
        self.slice()?;
        let (start, len) = match index.cast::<PySlice>() {
            Ok(slice) => {
                let at = slice.indices(self.0.nbytes() as isize)?;
                if at.step != 1 {
                    return Err(PyRuntimeError::new_err(format!(
                        "Trying to slice with a step of {}, but only a step of 1 is supported",
                        at.step
                    )));
                }
                (at.start as usize, at.slicelength)
            }
            Err(_) => {
                let Ok(i) = index.extract::<isize>() else {
                    return Err(PyTypeError::new_err(format!(
                        "can't index a torch.UntypedStorage with {}",
                        type_name(index)
                    )));
                };
                (self.index(i).map_err(|_| PyRuntimeError::new_err("out of bounds"))?, 1)
            }
        };
        if len > 0 {
            // SAFETY: the range was checked to lie in the storage.
            unsafe { std::ptr::write_bytes(self.0.ptr().add(start), value as u8, len) };
        }
        self.0.bump();
        Ok(())
    }

    /// Turns the bytes of every element of `dtype` around, in place.
    fn byteswap(&self, dtype: &Bound<'_, PyAny>) -> PyResult<()> {
        let Some(d) = crate::dtype::extract(dtype) else {
            return Err(PyTypeError::new_err(format!("dtype must be torch.dtype, not {}", type_name(dtype))));
        };
        let n = self.slice()?.len();
        if n > 0 {
            // SAFETY: the storage owns this many bytes; nobody else looks at them under the GIL.
            let bytes = unsafe { std::slice::from_raw_parts_mut(self.0.ptr(), n) };
            let part = if d.is_complex() { d.size() / 2 } else { d.size() };
            bytes.chunks_exact_mut(part).for_each(<[u8]>::reverse);
        }
        self.0.bump();
        Ok(())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<PyStorage>().is_ok_and(|o| Shared::ptr_eq(&o.get().0, &self.0))
    }

    fn __hash__(&self) -> usize {
        self._cdata()
    }

    fn __repr__(&self) -> PyResult<String> {
        let mut out = String::new();
        if self.0.nbytes() == 0 {
            out += " \n";
        }
        if !self.0.device.is_meta() {
            for b in self.slice()?.iter().take(1000) {
                out += &format!(" {b}\n");
            }
        }
        Ok(format!("{out}[torch.storage.UntypedStorage(device={}) of size {}]", self.0.device, self.0.nbytes()))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let rebuild = slf.py().import("flambeau")?.getattr("_C")?.getattr("_storage_from_buffer")?;
        Ok((rebuild, (PyBytes::new(slf.py(), slf.get().slice()?),)))
    }

    /// # Safety
    /// Called by CPython with a view to fill.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let this = slf.get();
        this.slice()?;
        // The exported address must stay valid, so the bytes may not move any more.
        this.0.pin();
        static EMPTY: [u8; 1] = [0];
        let p = if this.0.ptr().is_null() { EMPTY.as_ptr().cast_mut() } else { this.0.ptr() };
        // SAFETY: the view keeps `slf`, which keeps the bytes.
        let r = unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), p.cast(), this.0.nbytes() as isize, 0, flags) };
        if r != 0 { Err(PyErr::fetch(slf.py())) } else { Ok(()) }
    }
}

fn dims(v: Vec<i64>) -> Dims {
    Dims::from_vec(v)
}

fn over(
    storage: Shared<Storage>,
    dtype: &Bound<'_, PyAny>,
    offset: i64,
    size: Vec<i64>,
    stride: Vec<i64>,
) -> PyResult<Arg> {
    let Some(dtype) = crate::dtype::extract(dtype) else {
        return Err(PyTypeError::new_err(format!("dtype must be torch.dtype, not {}", type_name(dtype))));
    };
    if size.len() != stride.len() {
        return Err(PyValueError::new_err("size and stride must have the same length"));
    }
    let layout = Layout { sizes: dims(size), strides: dims(stride), offset, dtype };
    Tensor::from_storage(storage, layout).py().map(Arg)
}

/// A storage over a writable buffer's own memory, which it keeps alive: how files are mapped.
#[pyfunction]
fn _storage_over_buffer(buffer: &Bound<'_, PyAny>) -> PyResult<PyStorage> {
    let view = Buffer::get(buffer, ffi::PyBUF_WRITABLE)?;
    let (at, n) = (view.ptr(), view.len());
    // SAFETY: a simple writable view is `n` bytes from `at`; it goes into the storage.
    Ok(PyStorage(unsafe { view.into_storage(at, n) }))
}

/// A storage holding a copy of a buffer's bytes.
#[pyfunction]
fn _storage_from_buffer(buffer: &Bound<'_, PyAny>) -> PyResult<PyStorage> {
    copied(Buffer::get(buffer, ffi::PyBUF_SIMPLE)?.bytes()).map(PyStorage)
}

/// A tensor over a copy of a buffer's bytes.
#[pyfunction]
fn _tensor_from_buffer(
    buffer: &Bound<'_, PyAny>,
    dtype: &Bound<'_, PyAny>,
    storage_offset: i64,
    size: Vec<i64>,
    stride: Vec<i64>,
) -> PyResult<Arg> {
    let storage = copied(Buffer::get(buffer, ffi::PyBUF_SIMPLE)?.bytes())?;
    over(storage, dtype, storage_offset, size, stride)
}

/// A tensor that shares a storage.
#[pyfunction]
fn _tensor_from_storage(
    storage: &Bound<'_, PyStorage>,
    dtype: &Bound<'_, PyAny>,
    storage_offset: i64,
    size: Vec<i64>,
    stride: Vec<i64>,
) -> PyResult<Arg> {
    over(storage.get().0.clone(), dtype, storage_offset, size, stride)
}

fn untyped_storage<'py>(
    slf: &Bound<'py, PyAny>,
    _: &Bound<'py, PyTuple>,
    _: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let t = expect(slf, "untyped_storage", "self")?;
    Ok(object(slf.py(), t.storage().clone())?.into_any())
}

/// `resize_(*sizes)`
fn resize_<'py>(
    slf: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    _: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let sizes: Vec<i64> = match args.len() {
        1 if args.get_item(0)?.extract::<i64>().is_err() => args.get_item(0)?.extract()?,
        _ => args.extract()?,
    };
    resize(slf, &sizes)
}

fn resize_as_<'py>(
    slf: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    _: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let other = args.get_item(0)?;
    resize(slf, expect(&other, "resize_as_", "the_template")?.sizes())
}

fn resize<'py>(slf: &Bound<'py, PyAny>, sizes: &[i64]) -> PyResult<Bound<'py, PyAny>> {
    let t = expect(slf, "resize_", "self")?;
    if t.requires_grad() {
        return Err(PyRuntimeError::new_err("cannot resize variables that require grad"));
    }
    flambeau_core::call::resize(t, sizes).py()?;
    t.bump_version();
    Ok(slf.clone())
}

/// `set_(source=None, storage_offset=0, size=None, stride=None)`: takes over memory and layout.
fn set_<'py>(
    slf: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let t = expect(slf, "set_", "self")?;
    let named = |i: usize, name: &str| -> PyResult<Option<Bound<'py, PyAny>>> {
        let given = match args.get_item(i) {
            Ok(v) => Some(v),
            Err(_) => kwargs.map_or(Ok(None), |k| k.get_item(name))?,
        };
        Ok(given.filter(|v| !v.is_none()))
    };
    let new = match named(0, "source")? {
        None => Tensor::empty(&[0], t.dtype(), t.device()).py()?,
        Some(source) => {
            let other = crate::object::unwrap(&source);
            if let Some(o) = other
                && o.dtype() != t.dtype()
            {
                return Err(PyRuntimeError::new_err(format!(
                    "Could not set tensor of type {} to a tensor of type {}",
                    cxx_name(o.dtype()),
                    cxx_name(t.dtype())
                )));
            }
            let offset = named(1, "storage_offset")?.map_or(Ok(0), |v| v.extract::<i64>())?;
            let size = named(2, "size")?.map(|v| v.extract::<Vec<i64>>()).transpose()?;
            let stride = named(3, "stride")?.map(|v| v.extract::<Vec<i64>>()).transpose()?;
            match (other, size) {
                (Some(o), None) => o.detach(),
                (o, size) => {
                    let storage = match o {
                        Some(o) => o.storage().clone(),
                        None => storage_arg(&source)?,
                    };
                    let sizes = match size {
                        Some(s) => dims(s),
                        None => dims(vec![(storage.nbytes() / t.dtype().size()) as i64]),
                    };
                    let strides = match stride {
                        Some(s) => dims(s),
                        None => flambeau_core::layout::contiguous_strides(&sizes),
                    };
                    grow(&storage, &sizes, &strides, offset, t.dtype().size())?;
                    Tensor::from_storage(storage, Layout { sizes, strides, offset, dtype: t.dtype() }).py()?
                }
            }
        }
    };
    flambeau_core::call::check_inplace(t).py()?;
    t.forget_accumulator();
    let version = t.version();
    // The tensor goes on counting its own writes, whatever it shares the memory with.
    // SAFETY: under the GIL, and no borrowed sizes of `t` are in use.
    unsafe { t.set_data(&new.data()) };
    t.set_version(version + 1);
    Ok(slf.clone())
}

fn storage_arg(obj: &Bound<'_, PyAny>) -> PyResult<Shared<Storage>> {
    if let Some(s) = extract(obj) {
        return Ok(s);
    }
    if let Ok(inner) = obj.getattr("_untyped_storage")
        && let Some(s) = extract(&inner)
    {
        return Ok(s);
    }
    Err(PyTypeError::new_err(format!("set_(): argument 'source' must be Storage or Tensor, not {}", type_name(obj))))
}

/// `set_` makes a storage large enough for the layout that is put over it.
fn grow(storage: &Shared<Storage>, sizes: &[i64], strides: &[i64], offset: i64, item: usize) -> PyResult<()> {
    if offset < 0 || sizes.contains(&0) || sizes.len() != strides.len() || strides.iter().any(|&s| s < 0) {
        return Ok(());
    }
    let last: Option<i64> =
        sizes.iter().zip(strides).try_fold(offset, |acc, (n, s)| acc.checked_add(n.checked_sub(1)?.checked_mul(*s)?));
    let Some(need) = last.and_then(|l| (l as usize + 1).checked_mul(item)) else { return Ok(()) };
    if need > storage.nbytes() {
        // SAFETY: under the GIL.
        unsafe { storage.resize(need).py()? };
    }
    Ok(())
}

fn data<'py>(slf: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    wrap(slf.py(), expect(slf, "data", "self")?.data())
}

fn set_data<'py>(slf: &Bound<'py, PyAny>, value: Option<&Bound<'py, PyAny>>) -> PyResult<()> {
    let t = expect(slf, "data", "self")?;
    let Some(value) = value else {
        return Err(PyRuntimeError::new_err("Deleting tensor data is not allowed. Delete tensor instead!"));
    };
    let Some(new) = crate::object::unwrap(value) else {
        return Err(PyTypeError::new_err(format!("Variable data has to be a tensor, but got {}", type_name(value))));
    };
    if t.requires_grad() && !new.dtype().is_differentiable() {
        return Err(PyRuntimeError::new_err(
            "data set to a tensor that requires gradients must be floating point or complex dtype",
        ));
    }
    // A leaf's accumulator describes the old shape.
    t.forget_accumulator();
    // SAFETY: under the GIL, and no borrowed sizes of `t` are in use.
    unsafe { t.set_data(new) };
    Ok(())
}

pub fn methods() -> Vec<PyMethodDef> {
    vec![
        method!(c"untyped_storage", untyped_storage, c"untyped_storage() -> UntypedStorage\n\nThe bytes under the tensor."),
        method!(
            c"resize_",
            resize_,
            c"resize_(*sizes) -> Tensor\n\nChanges the sizes in place; new elements are uninitialised."
        ),
        method!(c"resize_as_", resize_as_, c"resize_as_(tensor) -> Tensor\n\nResizes to the sizes of another tensor."),
        method!(
            c"set_",
            set_,
            c"set_(source=None, storage_offset=0, size=None, stride=None) -> Tensor\n\nTakes over the memory and layout of a \
              tensor or storage."
        ),
    ]
}

pub fn getters() -> Vec<PyGetSetDef> {
    vec![getter!(c"data", data, set_data)]
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PyStorage>()?;
    m.add_function(wrap_pyfunction!(_storage_from_buffer, m)?)?;
    m.add_function(wrap_pyfunction!(_storage_over_buffer, m)?)?;
    m.add_function(wrap_pyfunction!(_tensor_from_buffer, m)?)?;
    m.add_function(wrap_pyfunction!(_tensor_from_storage, m)?)
}
