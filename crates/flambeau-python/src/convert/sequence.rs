//! Nested Python sequences and numbers into tensors: one pass for the shape and the dtype, one that stores.

use std::sync::Once;

use flambeau_core::layout::Dims;
use flambeau_core::{DType, Scalar, Tensor, promote};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyComplex, PyFloat, PyInt, PyList, PyString, PyTuple};

use super::numpy;
use crate::bridge::type_name;
use crate::errors::{IntoPyResult, warn_once};
use crate::object::unwrap;

const MAX_DIMS: usize = 64;

/// A CPU tensor holding what `data` holds. The dtype is inferred where none is given.
///
/// Raises PyTorch's exceptions for ragged sequences and for objects that are no numbers.
pub fn build(data: &Bound<'_, PyAny>, dtype: Option<DType>) -> PyResult<Tensor> {
    if is_text(data) {
        return Err(invalid_text(data));
    }
    let sizes = shape(data)?;
    if let Ok(list) = data.cast::<PyList>()
        && !list.is_empty()
        && numpy::is_array(&list.get_item(0)?)?
    {
        warn_once(
            data.py(),
            &WARNED_ARRAYS,
            c"Creating a tensor from a list of numpy.ndarrays is extremely slow. Please consider converting the list to a single \
              numpy.ndarray with numpy.array() before converting to a tensor.",
        )?;
    }
    let dtype = match dtype {
        Some(d) => d,
        None => infer(data)?,
    };
    let work = working_dtype(dtype);
    let out = Tensor::empty(&sizes, work, flambeau_core::Device::CPU).py()?;
    if out.numel() > 0 {
        let mut store = Store { at: out.data_ptr(), item: work.size(), dtype: work, wanted: dtype };
        store.fill(data, &sizes, 0)?;
    }
    if work == dtype { Ok(out) } else { out.cast_raw(dtype).py() }
}

/// Types without a Rust number of their own are filled as a wider type and converted.
fn working_dtype(d: DType) -> DType {
    match d {
        DType::F16 | DType::BF16 => DType::F32,
        d if d.is_float8() => DType::F32,
        DType::C32 => DType::C64,
        d => d,
    }
}

fn is_sequence(obj: &Bound<'_, PyAny>) -> bool {
    // SAFETY: a live object under the GIL.
    unsafe { ffi::PySequence_Check(obj.as_ptr()) != 0 }
}

fn is_text(obj: &Bound<'_, PyAny>) -> bool {
    obj.is_instance_of::<PyString>() || obj.is_instance_of::<PyBytes>()
}

fn invalid_text(data: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!("new(): invalid data type '{}'", type_name(data)))
}

/// Follows the first elements.
fn shape(data: &Bound<'_, PyAny>) -> PyResult<Dims> {
    let mut sizes = Dims::new();
    let mut at = data.clone();
    while unwrap(&at).is_none() && is_sequence(&at) {
        if sizes.len() == MAX_DIMS || at.is_instance_of::<PyString>() {
            return Err(PyValueError::new_err(format!("too many dimensions '{}'", type_name(&at))));
        }
        let n = at.len()?;
        sizes.push(n as i64);
        if n == 0 {
            break;
        }
        at = match at.get_item(0) {
            Ok(first) => first,
            Err(_) => {
                return Err(PyValueError::new_err(format!(
                    "could not determine the shape of object type '{}'",
                    type_name(&at)
                )));
            }
        };
    }
    Ok(sizes)
}

/// The dtype that PyTorch gives this data.
fn infer(data: &Bound<'_, PyAny>) -> PyResult<DType> {
    if let Some(d) = infer_number(data)? {
        return Ok(d);
    }
    if is_text(data) {
        return Err(invalid_text(data));
    }
    if !is_sequence(data) {
        return Err(PyRuntimeError::new_err(format!("Could not infer dtype of {}", type_name(data))));
    }
    let mut found: Option<DType> = None;
    each(data, &mut |item| {
        if item.is(data) {
            return Err(PyTypeError::new_err("new(): self-referential lists are incompatible"));
        }
        // Runs of the same plain type are the common case.
        let d = match found {
            Some(d) if d == flambeau_core::default_dtype() && item.is_exact_instance_of::<PyFloat>() => d,
            Some(DType::I64) if item.is_exact_instance_of::<PyInt>() => DType::I64,
            _ => infer(item)?,
        };
        found = Some(match found {
            None => d,
            Some(f) if f == d => d,
            Some(f) => promote(f, d).ok_or_else(|| {
                PyRuntimeError::new_err(format!(
                    "Promotion for {}, {} is not supported",
                    f.scalar_name(),
                    d.scalar_name()
                ))
            })?,
        });
        Ok(())
    })?;
    Ok(found.unwrap_or_else(flambeau_core::default_dtype))
}

fn infer_number(obj: &Bound<'_, PyAny>) -> PyResult<Option<DType>> {
    let default = flambeau_core::default_dtype();
    if obj.is_instance_of::<PyFloat>() {
        // `numpy.float64` is a Python float but keeps its width.
        if !obj.is_exact_instance_of::<PyFloat>()
            && let Some(d) = numpy::scalar_dtype(obj)?
        {
            return Ok(Some(d));
        }
        return Ok(Some(default));
    }
    if obj.is_instance_of::<PyBool>() {
        return Ok(Some(DType::Bool));
    }
    if obj.is_instance_of::<PyInt>() {
        return Ok(Some(DType::I64));
    }
    if let Some(t) = unwrap(obj) {
        return Ok(Some(t.dtype()));
    }
    if obj.is_instance_of::<PyComplex>() {
        if !obj.is_exact_instance_of::<PyComplex>()
            && let Some(d) = numpy::scalar_dtype(obj)?
        {
            return Ok(Some(d));
        }
        return Ok(Some(default.to_complex()));
    }
    if obj.is_instance_of::<PyList>() || obj.is_instance_of::<PyTuple>() || is_text(obj) {
        return Ok(None);
    }
    if let Some(d) = numpy::array_or_scalar_dtype(obj)? {
        return Ok(Some(d));
    }
    Ok(None)
}

/// Calls `f` with every element of a sequence, without copying lists and tuples.
fn each<'py>(seq: &Bound<'py, PyAny>, f: &mut dyn FnMut(&Bound<'py, PyAny>) -> PyResult<()>) -> PyResult<usize> {
    if let Ok(list) = seq.cast::<PyList>() {
        let mut n = 0;
        // The length is asked again each time: user code may run in between.
        while n < list.len() {
            f(&list.get_item(n)?)?;
            n += 1;
        }
        return Ok(n);
    }
    if let Ok(tuple) = seq.cast::<PyTuple>() {
        for i in 0..tuple.len() {
            f(&*tuple.get_borrowed_item(i)?)?;
        }
        return Ok(tuple.len());
    }
    if !is_sequence(seq) {
        return Err(PyTypeError::new_err("not a sequence"));
    }
    let n = seq.len()?;
    for i in 0..n {
        f(&seq.get_item(i)?)?;
    }
    Ok(n)
}

/// Writes elements one after the other.
struct Store {
    at: *mut u8,
    item: usize,
    dtype: DType,
    /// What the user asked for, for messages.
    wanted: DType,
}

impl Store {
    fn fill(&mut self, obj: &Bound<'_, PyAny>, sizes: &[i64], dim: usize) -> PyResult<()> {
        if dim == sizes.len() {
            return self.put(obj);
        }
        let expected = sizes[dim] as usize;
        let length = if is_sequence(obj) && unwrap(obj).is_none() {
            obj.len()?
        } else {
            return Err(PyTypeError::new_err("not a sequence"));
        };
        let ragged =
            |n: usize| PyValueError::new_err(format!("expected sequence of length {expected} at dim {dim} (got {n})"));
        if length != expected {
            return Err(ragged(length));
        }
        let mut seen = 0;
        let last = dim + 1 == sizes.len();
        each(obj, &mut |item| {
            seen += 1;
            if seen > expected {
                return Err(ragged(seen));
            }
            if last { self.put(item) } else { self.fill(item, sizes, dim + 1) }
        })?;
        if seen == expected { Ok(()) } else { Err(ragged(seen)) }
    }

    #[inline]
    fn put(&mut self, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        match self.dtype {
            DType::F32 => self.write(float(obj)? as f32),
            DType::F64 => self.write(float(obj)?),
            DType::I64 => self.write(int(obj)?),
            DType::Bool => self.write(truth(obj)? as u8),
            DType::I32 => self.narrow::<i32>(obj)?,
            DType::I16 => self.narrow::<i16>(obj)?,
            DType::I8 => self.narrow::<i8>(obj)?,
            DType::U8 => self.unsigned::<u8>(obj)?,
            DType::U16 => self.unsigned::<u16>(obj)?,
            DType::U32 => self.unsigned::<u32>(obj)?,
            DType::U64 => {
                if !obj.is_instance_of::<PyInt>() && unwrap(obj).is_none() {
                    return Err(PyTypeError::new_err("an integer is required"));
                }
                let v = match one_element(obj)? {
                    Some(s) => s.to_i64() as u64,
                    None => obj.extract::<u64>()?,
                };
                self.write(v);
            }
            DType::C64 => {
                let (re, im) = complex(obj)?;
                self.write([re as f32, im as f32]);
            }
            DType::C128 => {
                let (re, im) = complex(obj)?;
                self.write([re, im]);
            }
            d => return Err(PyRuntimeError::new_err(format!("invalid type: {}", d.scalar_name()))),
        }
        Ok(())
    }

    fn narrow<T: TryFrom<i64>>(&mut self, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        if obj.cast::<PyFloat>().is_ok_and(|f| whole(f.value()).is_none()) {
            return Err(self.overflow());
        }
        let v = T::try_from(int(obj)?).map_err(|_| self.overflow())?;
        self.write(v);
        Ok(())
    }

    /// Negative numbers wrap around, as in PyTorch; too large ones are refused.
    fn unsigned<T: TryFrom<i64> + TryFrom<u64>>(&mut self, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Ok(f) = obj.cast::<PyFloat>()
            && (f.value() <= -1.0 || whole(f.value()).is_none())
        {
            return Err(self.overflow());
        }
        let v = int(obj)?;
        let bits = 8 * self.item as u32;
        let v = if v < 0 && v > -(1i64 << bits) { v + (1i64 << bits) } else { v };
        let v = T::try_from(v).map_err(|_| self.overflow())?;
        self.write(v);
        Ok(())
    }

    fn overflow(&self) -> PyErr {
        PyRuntimeError::new_err(format!("value cannot be converted to type {} without overflow", self.wanted.name()))
    }

    #[inline]
    fn write<T>(&mut self, v: T) {
        debug_assert_eq!(size_of::<T>(), self.item);
        // SAFETY: `fill` stores exactly as many elements as the tensor was made for, in order; `T` has the dtype's size.
        unsafe {
            self.at.cast::<T>().write(v);
            self.at = self.at.add(self.item);
        }
    }
}

static WARNED_ARRAYS: Once = Once::new();

fn one_element(obj: &Bound<'_, PyAny>) -> PyResult<Option<Scalar>> {
    match unwrap(obj) {
        None => Ok(None),
        Some(t) if t.numel() != 1 => {
            Err(PyValueError::new_err("only one element tensors can be converted to Python scalars"))
        }
        Some(t) => {
            if t.requires_grad() {
                crate::number::warn_of_gradient(obj.py())?;
            }
            t.item().py().map(Some)
        }
    }
}

#[inline]
fn float(obj: &Bound<'_, PyAny>) -> PyResult<f64> {
    // SAFETY: a live object under the GIL; the error is looked at below.
    let v = unsafe { ffi::PyFloat_AsDouble(obj.as_ptr()) };
    if v == -1.0
        && let Some(e) = PyErr::take(obj.py())
    {
        return match one_element(obj)? {
            Some(s) => Ok(s.to_f64()),
            None => Err(e),
        };
    }
    Ok(v)
}

#[inline]
fn int(obj: &Bound<'_, PyAny>) -> PyResult<i64> {
    if let Ok(f) = obj.cast::<PyFloat>() {
        return whole(f.value())
            .ok_or_else(|| PyRuntimeError::new_err("value cannot be converted to type int64 without overflow"));
    }
    if unwrap(obj).is_some_and(|t| t.numel() != 1) {
        return Err(PyTypeError::new_err("only integer tensors of a single element can be converted to an index"));
    }
    if let Some(s) = one_element(obj)? {
        return Ok(s.to_i64());
    }
    let mut overflow = 0;
    // SAFETY: a live object under the GIL; both kinds of failure are looked at below.
    let v = unsafe { ffi::PyLong_AsLongLongAndOverflow(obj.as_ptr(), &mut overflow) };
    if overflow != 0 {
        return Err(PyValueError::new_err("Overflow when unpacking long long"));
    }
    if v == -1
        && let Some(e) = PyErr::take(obj.py())
    {
        return Err(e);
    }
    Ok(v)
}

/// The integer part of a float that has one in 64 bits.
fn whole(f: f64) -> Option<i64> {
    // Both bounds are exact; the upper one itself is too large.
    (f >= i64::MIN as f64 && f < i64::MAX as f64).then_some(f as i64)
}

fn truth(obj: &Bound<'_, PyAny>) -> PyResult<bool> {
    match one_element(obj)? {
        Some(s) => Ok(s.to_bool()),
        None => obj.is_truthy(),
    }
}

fn complex(obj: &Bound<'_, PyAny>) -> PyResult<(f64, f64)> {
    if let Ok(c) = obj.cast::<PyComplex>() {
        return Ok((c.real(), c.imag()));
    }
    match one_element(obj)? {
        Some(s) => Ok(s.to_complex()),
        // NumPy's narrow complex numbers are not Python's, but know how to become one.
        None if !obj.is_instance_of::<PyFloat>() && !obj.is_instance_of::<PyInt>() && obj.hasattr("__complex__")? => {
            let c = obj.call_method0("__complex__")?;
            let c = c.cast::<PyComplex>().map_err(|_| PyTypeError::new_err("__complex__ returned non-complex"))?;
            Ok((c.real(), c.imag()))
        }
        None => {
            // SAFETY: a live object under the GIL; an error is fetched at once.
            let c = unsafe { ffi::PyComplex_RealAsDouble(obj.as_ptr()) };
            if let Some(e) = PyErr::take(obj.py()) {
                return Err(e);
            }
            // SAFETY: as above.
            let im = unsafe { ffi::PyComplex_ImagAsDouble(obj.as_ptr()) };
            match PyErr::take(obj.py()) {
                Some(e) => Err(e),
                None => Ok((c, im)),
            }
        }
    }
}
