//! Tensors as Python numbers and nested lists.

use flambeau_core::{DType, Scalar, Tensor};
use half::{bf16, f16};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyNotImplementedError, PyRuntimeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyComplex};

use crate::errors::IntoPyResult;

/// A host number as a Python object.
pub(crate) fn scalar_out(py: Python<'_>, s: Scalar) -> PyResult<Bound<'_, PyAny>> {
    Ok(match s {
        Scalar::Bool(b) => PyBool::new(py, b).to_owned().into_any(),
        Scalar::Int(i) => i.into_bound_py_any(py)?,
        Scalar::Float(f) => f.into_bound_py_any(py)?,
        Scalar::Complex(re, im) => PyComplex::from_doubles(py, re, im).into_any(),
    })
}

/// `item()`: the only element as a Python number.
pub fn item<'py>(py: Python<'py>, t: &Tensor) -> PyResult<Bound<'py, PyAny>> {
    if t.numel() != 1 {
        return Err(PyRuntimeError::new_err(format!(
            "a Tensor with {} elements cannot be converted to Scalar",
            t.numel()
        )));
    }
    if t.device().is_meta() {
        return Err(PyRuntimeError::new_err("Tensor.item() cannot be called on meta tensors"));
    }
    match Reader::of(t) {
        // SAFETY: one element at the tensor's address.
        Some(r) => unsafe { r.read(py, t.data_ptr()) },
        None => scalar_out(py, t.item().py()?),
    }
}

/// `tolist()`: nested lists of Python numbers; a number for a tensor without dimensions.
pub fn tolist<'py>(py: Python<'py>, t: &Tensor) -> PyResult<Bound<'py, PyAny>> {
    if t.device().is_meta() {
        return Err(PyNotImplementedError::new_err("Cannot copy out of meta tensor; no data!"));
    }
    let wide;
    let t = match Reader::of(t) {
        Some(_) => t,
        None => {
            wide = t.cast_raw(if t.dtype().is_complex() { DType::C128 } else { DType::F64 }).py()?;
            &wide
        }
    };
    let Some(reader) = Reader::of(t) else {
        return Err(PyRuntimeError::new_err(format!("invalid type: {}", t.dtype().scalar_name())));
    };
    // SAFETY: the layout lies inside the storage, which `t` keeps alive.
    unsafe { nested(py, reader, t.data_ptr(), t.sizes(), t.strides()) }
}

/// # Safety
/// `p` with these sizes and strides names readable elements of the reader's type.
unsafe fn nested<'py>(
    py: Python<'py>,
    reader: Reader,
    p: *const u8,
    sizes: &[i64],
    strides: &[i64],
) -> PyResult<Bound<'py, PyAny>> {
    let Some((&n, rest)) = sizes.split_first() else {
        // SAFETY: by the contract.
        return unsafe { reader.read(py, p) };
    };
    let step = strides[0] as isize * reader.0.size() as isize;
    // SAFETY: a fresh list; each place is filled once with a new reference before anybody sees it. Elements are in bounds
    // by the contract.
    unsafe {
        let list = Bound::from_owned_ptr_or_err(py, ffi::PyList_New(n as isize))?;
        for i in 0..n as isize {
            let item = nested(py, reader, p.wrapping_offset(i * step), rest, &strides[1..])?;
            ffi::PyList_SetItem(list.as_ptr(), i, item.into_ptr());
        }
        Ok(list)
    }
}

/// Reads single elements of the types that have a Rust number.
#[derive(Clone, Copy)]
struct Reader(DType);

impl Reader {
    fn of(t: &Tensor) -> Option<Reader> {
        let d = t.dtype();
        (t.device().is_cpu() && !d.is_float8() && d != DType::C32).then_some(Reader(d))
    }

    /// # Safety
    /// `p` is a readable element of this dtype.
    unsafe fn read<'py>(self, py: Python<'py>, p: *const u8) -> PyResult<Bound<'py, PyAny>> {
        macro_rules! number {
            ($t:ty, $v:ident => $e:expr) => {{
                // SAFETY: by the contract; user memory need not be aligned.
                let $v = unsafe { p.cast::<$t>().read_unaligned() };
                $e.into_bound_py_any(py)
            }};
        }
        match self.0 {
            DType::F32 => number!(f32, v => (v as f64)),
            DType::F64 => number!(f64, v => v),
            DType::I64 => number!(i64, v => v),
            DType::I32 => number!(i32, v => v),
            DType::I16 => number!(i16, v => v),
            DType::I8 => number!(i8, v => v),
            DType::U8 => number!(u8, v => v),
            DType::U16 => number!(u16, v => v),
            DType::U32 => number!(u32, v => v),
            DType::U64 => number!(u64, v => v),
            DType::F16 => number!(f16, v => v.to_f64()),
            DType::BF16 => number!(bf16, v => v.to_f64()),
            DType::Bool => number!(u8, v => (v != 0)),
            DType::C64 => {
                // SAFETY: by the contract.
                let [re, im] = unsafe { p.cast::<[f32; 2]>().read_unaligned() };
                Ok(PyComplex::from_doubles(py, re as f64, im as f64).into_any())
            }
            DType::C128 => {
                // SAFETY: by the contract.
                let [re, im] = unsafe { p.cast::<[f64; 2]>().read_unaligned() };
                Ok(PyComplex::from_doubles(py, re, im).into_any())
            }
            d => Err(PyRuntimeError::new_err(format!("invalid type: {}", d.scalar_name()))),
        }
    }
}
