//! DLPack (dmlc.github.io/dlpack): tensors to and from other libraries without a copy.

use flambeau_core::layout::{Dims, contiguous_strides};
use flambeau_core::shared::Shared;
use flambeau_core::storage::Storage;
use flambeau_core::view::Layout;
use flambeau_core::{DType, Tensor};
use pyo3::exceptions::{PyAssertionError, PyBufferError, PyRuntimeError, PyTypeError};
use pyo3::ffi::{self, PyMethodDef, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyCapsule, PyDict, PyTuple};
use std::ffi::{CStr, c_void};

use crate::errors::IntoPyResult;
use crate::method;
use crate::object::{Arg, expect};

#[repr(C)]
#[derive(Clone, Copy)]
struct DlDevice {
    kind: i32,
    index: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct DlType {
    code: u8,
    bits: u8,
    lanes: u16,
}

#[repr(C)]
struct DlTensor {
    data: *mut c_void,
    device: DlDevice,
    ndim: i32,
    dtype: DlType,
    shape: *mut i64,
    strides: *mut i64,
    byte_offset: u64,
}

#[repr(C)]
struct Managed {
    tensor: DlTensor,
    context: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut Managed)>,
}

#[repr(C)]
struct ManagedVersioned {
    major: u32,
    minor: u32,
    context: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut ManagedVersioned)>,
    flags: u64,
    tensor: DlTensor,
}

const CPU: i32 = 1;
const READ_ONLY: u64 = 1;
const COPIED: u64 = 2;

const NAME: &CStr = c"dltensor";
const USED: &CStr = c"used_dltensor";
const NAME_VERSIONED: &CStr = c"dltensor_versioned";
const USED_VERSIONED: &CStr = c"used_dltensor_versioned";

fn type_out(d: DType) -> DlType {
    let code = match d {
        DType::Bool => 6,
        DType::BF16 => 4,
        DType::F8E4M3FN => 10,
        DType::F8E4M3FNUZ => 11,
        DType::F8E5M2 => 12,
        DType::F8E5M2FNUZ => 13,
        DType::F8E8M0FNU => 14,
        d if d.is_complex() => 5,
        d if d.is_float() => 2,
        d if d.is_signed() => 0,
        _ => 1,
    };
    DlType { code, bits: (8 * d.size()) as u8, lanes: 1 }
}

fn type_in(t: DlType) -> Option<DType> {
    if t.lanes != 1 {
        return None;
    }
    DType::ALL.into_iter().find(|d| {
        let o = type_out(*d);
        o.code == t.code && o.bits == t.bits
    })
}

/// What an exported tensor keeps alive, with the structure that describes it. The structure comes first, so that its
/// address is the whole's.
#[repr(C)]
struct Export<M> {
    managed: M,
    _tensor: Tensor,
    sizes: Dims,
    strides: Dims,
}

unsafe extern "C" fn delete<M>(p: *mut M) {
    // SAFETY: `p` is the first field of a boxed `Export<M>`; a consumer calls this once.
    drop(unsafe { Box::from_raw(p.cast::<Export<M>>()) });
}

fn describe(t: &Tensor) -> DlTensor {
    DlTensor {
        data: t.data_ptr().cast(),
        device: DlDevice { kind: CPU, index: 0 },
        ndim: t.ndim() as i32,
        dtype: type_out(t.dtype()),
        shape: std::ptr::null_mut(),
        strides: std::ptr::null_mut(),
        byte_offset: 0,
    }
}

fn boxed<M>(t: Tensor, managed: M, of: impl Fn(&mut M) -> &mut DlTensor) -> *mut M {
    let (sizes, strides) = (Dims::from_slice(t.sizes()), Dims::from_slice(t.strides()));
    let mut e = Box::new(Export { managed, _tensor: t, sizes, strides });
    let (shape, strides) = (e.sizes.as_mut_ptr(), e.strides.as_mut_ptr());
    let described = of(&mut e.managed);
    described.shape = shape;
    described.strides = strides;
    Box::into_raw(e).cast()
}

/// A capsule that nobody took frees what it holds.
unsafe extern "C" fn drop_capsule(capsule: *mut PyObject) {
    // SAFETY: CPython calls this with our capsule; the names say which structure it holds and that it was not taken.
    unsafe {
        if ffi::PyCapsule_IsValid(capsule, NAME.as_ptr()) != 0 {
            delete(ffi::PyCapsule_GetPointer(capsule, NAME.as_ptr()).cast::<Managed>());
        } else if ffi::PyCapsule_IsValid(capsule, NAME_VERSIONED.as_ptr()) != 0 {
            delete(ffi::PyCapsule_GetPointer(capsule, NAME_VERSIONED.as_ptr()).cast::<ManagedVersioned>());
        }
    }
}

/// `__dlpack__(*, stream=None, max_version=None, dl_device=None, copy=None, read_only=None)`
fn export<'py>(
    slf: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    if !args.is_empty() {
        return Err(PyTypeError::new_err(format!(
            "Tensor.__dlpack__() takes 1 positional argument but {} were given",
            args.len() + 1
        )));
    }
    super::only("Tensor.__dlpack__", &["stream", "max_version", "dl_device", "copy", "read_only"], kwargs)?;
    let t = expect(slf, "__dlpack__", "self")?;
    if t.requires_grad() {
        return Err(PyBufferError::new_err("Can't export tensors that require gradient, use tensor.detach()"));
    }
    if !t.device().is_cpu() {
        return Err(PyBufferError::new_err(format!("Cannot pack tensors on {}", t.device())));
    }
    let named = |name: &str| -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(kwargs.map_or(Ok(None), |k| k.get_item(name))?.filter(|v| !v.is_none()))
    };
    if let Some(stream) = named("stream")? {
        // -1 says that nobody need wait.
        match stream.extract::<i64>() {
            Ok(-1) => {}
            Ok(_) => return Err(PyAssertionError::new_err("stream should be None on cpu.")),
            Err(_) => return Err(PyTypeError::new_err("stream must be ``int`` or ``none``")),
        }
    }
    if let Some((kind, _)) = named("dl_device")?.map(|d| d.extract::<(i32, i32)>()).transpose()?
        && kind != CPU
    {
        return Err(PyBufferError::new_err("a CPU tensor can only be exported to the CPU"));
    }
    let versioned = named("max_version")?.map(|v| v.extract::<(u32, u32)>()).transpose()?.is_some_and(|v| v.0 >= 1);
    let boolean = |name: &str| -> PyResult<bool> {
        match named(name)? {
            None => Ok(false),
            Some(v) => match v.cast::<PyBool>() {
                Ok(b) => Ok(b.is_true()),
                Err(_) => Err(PyTypeError::new_err(format!(
                    "_to_dlpack(): argument '{name}' must be bool, not {}",
                    crate::bridge::type_name(&v)
                ))),
            },
        }
    };
    let (copy, read_only) = (boolean("copy")?, boolean("read_only")?);
    let t = if copy { t.cast_raw(t.dtype()).py()? } else { t.detach() };
    // The consumer holds an address from now on.
    t.storage().pin();
    let tensor = describe(&t);
    let (p, name) = if versioned {
        let flags = if copy { COPIED } else { 0 } | if read_only { READ_ONLY } else { 0 };
        let m = ManagedVersioned {
            major: 1,
            minor: 0,
            context: std::ptr::null_mut(),
            deleter: Some(delete::<ManagedVersioned>),
            flags,
            tensor,
        };
        (boxed(t, m, |m| &mut m.tensor).cast::<c_void>(), NAME_VERSIONED)
    } else {
        let m = Managed { tensor, context: std::ptr::null_mut(), deleter: Some(delete::<Managed>) };
        (boxed(t, m, |m| &mut m.tensor).cast::<c_void>(), NAME)
    };
    // SAFETY: `p` is not null and stays valid until `drop_capsule` or the consumer deletes it.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyCapsule_New(p, name.as_ptr(), Some(drop_capsule))) }
}

fn device<'py>(
    slf: &Bound<'py, PyAny>,
    _: &Bound<'py, PyTuple>,
    _: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let t = expect(slf, "__dlpack_device__", "self")?;
    if !t.device().is_cpu() {
        return Err(pyo3::exceptions::PyValueError::new_err(format!("Unknown device type {} for Dlpack", t.device())));
    }
    Ok((CPU, 0).into_pyobject(slf.py())?.into_any())
}

/// Whether an object can be imported.
pub fn offers(obj: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(obj.is_instance_of::<PyCapsule>() || obj.hasattr("__dlpack__")?)
}

/// Frees a consumed structure.
enum Taken {
    Plain(*mut Managed),
    Versioned(*mut ManagedVersioned),
}

// SAFETY: a producer's deleter may be called from any thread, says the protocol.
unsafe impl Send for Taken {}
// SAFETY: nothing is done with a shared reference.
unsafe impl Sync for Taken {}

impl Drop for Taken {
    fn drop(&mut self) {
        // SAFETY: taken from a capsule that now says so; deleted once.
        unsafe {
            match *self {
                Taken::Plain(p) => {
                    if let Some(f) = (*p).deleter {
                        f(p);
                    }
                }
                Taken::Versioned(p) => {
                    if let Some(f) = (*p).deleter {
                        f(p);
                    }
                }
            }
        }
    }
}

fn invalid() -> PyErr {
    PyRuntimeError::new_err(
        "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, so you might have \
         already constructed a tensor from it once.",
    )
}

/// A tensor over the memory that a capsule, or an object with `__dlpack__`, offers.
pub fn import(obj: &Bound<'_, PyAny>, copy: Option<bool>) -> PyResult<Tensor> {
    let py = obj.py();
    let capsule = if obj.is_instance_of::<PyCapsule>() {
        obj.clone()
    } else if obj.hasattr("__dlpack__")? {
        let kw = PyDict::new(py);
        kw.set_item("max_version", (1, 0))?;
        if let Some(copy) = copy {
            kw.set_item("copy", copy)?;
        }
        match obj.call_method("__dlpack__", (), Some(&kw)) {
            // Producers from before version 1.0 do not know the arguments.
            Err(e) if e.is_instance_of::<PyTypeError>(py) => obj.call_method0("__dlpack__")?,
            other => other?,
        }
    } else {
        return Err(invalid());
    };
    let p = capsule.as_ptr();
    // SAFETY: the name says which structure a capsule holds; renaming it takes the structure over, as the protocol wants.
    // The pointers in it are valid until its deleter is called.
    unsafe {
        let (taken, t) = if ffi::PyCapsule_IsValid(p, NAME_VERSIONED.as_ptr()) != 0 {
            let m = ffi::PyCapsule_GetPointer(p, NAME_VERSIONED.as_ptr()).cast::<ManagedVersioned>();
            if (*m).major > 1 {
                // Not renamed: the capsule stays its producer's.
                return Err(PyBufferError::new_err(format!(
                    "unsupported DLPack version {}.{}",
                    (*m).major,
                    (*m).minor
                )));
            }
            // Read-only memory is taken, as PyTorch does; not to write into it is left to the user.
            ffi::PyCapsule_SetName(p, USED_VERSIONED.as_ptr());
            (Taken::Versioned(m), &(*m).tensor)
        } else if ffi::PyCapsule_IsValid(p, NAME.as_ptr()) != 0 {
            let m = ffi::PyCapsule_GetPointer(p, NAME.as_ptr()).cast::<Managed>();
            ffi::PyCapsule_SetName(p, USED.as_ptr());
            (Taken::Plain(m), &(*m).tensor)
        } else {
            return Err(invalid());
        };
        over(taken, t)
    }
}

/// # Safety
/// `t` belongs to `taken` and describes memory that stays valid until it is dropped.
unsafe fn over(taken: Taken, t: &DlTensor) -> PyResult<Tensor> {
    if t.device.kind != CPU {
        return Err(PyBufferError::new_err(format!("Unsupported device_type: {}", t.device.kind)));
    }
    let Some(dtype) = type_in(t.dtype) else {
        return Err(PyBufferError::new_err(format!(
            "Unsupported DLPack dtype: code {}, {} bits, {} lanes",
            t.dtype.code, t.dtype.bits, t.dtype.lanes
        )));
    };
    if !(0..=64).contains(&t.ndim) {
        return Err(PyBufferError::new_err(format!("a tensor with {} dimensions", t.ndim)));
    }
    // SAFETY: `ndim` numbers at `shape` and, unless null, at `strides`, by the protocol.
    let (sizes, strides) = unsafe {
        let dims = |p: *mut i64| Dims::from_slice(std::slice::from_raw_parts(p, t.ndim as usize));
        let sizes = if t.ndim == 0 { Dims::new() } else { dims(t.shape) };
        let strides = if t.ndim == 0 || t.strides.is_null() { contiguous_strides(&sizes) } else { dims(t.strides) };
        (sizes, strides)
    };
    let last = sizes.iter().zip(&strides).try_fold(0i64, |last, (&n, &s)| {
        let s = if n > 1 { s } else { 0 };
        if n < 0 || s < 0 { None } else { last.checked_add((n - 1).max(0).checked_mul(s)?) }
    });
    let nbytes = match last.map(|l| usize::try_from(l).ok()?.checked_add(1)?.checked_mul(dtype.size())) {
        Some(Some(_)) if sizes.contains(&0) => 0,
        Some(Some(n)) => n,
        _ => {
            return Err(PyRuntimeError::new_err(format!(
                "Storage size calculation overflowed with sizes={} and strides={}",
                flambeau_core::layout::fmt(&sizes),
                flambeau_core::layout::fmt(&strides)
            )));
        }
    };
    let at = t.data.cast::<u8>().wrapping_add(t.byte_offset as usize);
    if !(at as usize).is_multiple_of(dtype.size().min(8)) {
        return Err(PyBufferError::new_err("cannot import memory that is not aligned to its element size"));
    }
    // SAFETY: the protocol promises this memory until the deleter runs, which `taken` does when dropped.
    let storage = unsafe { Storage::foreign(at, nbytes, Box::new(taken)) };
    Tensor::from_storage(Shared::new(storage), Layout { sizes, strides, offset: 0, dtype }).py()
}

/// from_dlpack(ext_tensor) -> Tensor
///
/// A tensor over the memory of an object with `__dlpack__`, or of a DLPack capsule.
#[pyfunction]
#[pyo3(signature = (ext_tensor, *, device = None, copy = None))]
fn from_dlpack(ext_tensor: &Bound<'_, PyAny>, device: Option<&Bound<'_, PyAny>>, copy: Option<bool>) -> PyResult<Arg> {
    if let Some(d) = crate::bridge::optional_device("from_dlpack", device)?
        && !d.is_cpu()
    {
        return Err(PyBufferError::new_err(format!("Cannot pack tensors on {d}")));
    }
    // Said by the producer where it can be: one that does not know the argument gave its own memory.
    let t = import(ext_tensor, copy)?;
    if copy == Some(true) { t.cast_raw(t.dtype()).py().map(Arg) } else { Ok(Arg(t)) }
}

pub fn methods() -> Vec<PyMethodDef> {
    vec![
        method!(c"__dlpack__", export, c"A DLPack capsule over the tensor's memory."),
        method!(c"__dlpack_device__", device, c"The device as DLPack names it."),
    ]
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(from_dlpack, m)?)
}
