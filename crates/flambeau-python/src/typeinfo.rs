//! Facts about dtypes: `finfo`, `iinfo`, promotion, and the default dtype.

use flambeau_core::{DType, Scalar, Tensor};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;

use crate::args::message::type_name;
use crate::dtype::{self, PyDType};
use crate::errors::IntoPyResult;

/// The numbers that a floating point type can represent.
///
/// Args:
///     type (torch.dtype): a floating point or complex type; the default dtype when left out.
#[pyclass(name = "finfo", module = "flambeau", frozen)]
struct FInfo(DType);

/// Explicit bits of the fraction, largest value, smallest normal value, and a decimal resolution.
fn float_facts(d: DType) -> (i32, f64, f64, f64) {
    match d {
        DType::F16 => (10, 65504.0, 2f64.powi(-14), 1e-3),
        DType::BF16 => (7, 3.3895313892515355e38, 2f64.powi(-126), 1e-2),
        DType::F64 => (52, f64::MAX, f64::MIN_POSITIVE, 1e-15),
        DType::F8E5M2 => (2, 57344.0, 2f64.powi(-14), 1.0),
        DType::F8E4M3FN => (3, 448.0, 2f64.powi(-6), 1.0),
        DType::F8E5M2FNUZ => (2, 57344.0, 2f64.powi(-15), 1.0),
        DType::F8E4M3FNUZ => (3, 240.0, 2f64.powi(-7), 1.0),
        DType::F8E8M0FNU => (0, 2f64.powi(127), 2f64.powi(-127), 1.0),
        _ => (23, f32::MAX as f64, f32::MIN_POSITIVE as f64, 1e-6),
    }
}

/// The argument `type` as a dtype.
fn wanted(function: &str, ty: Option<&Bound<'_, PyAny>>) -> PyResult<Option<DType>> {
    match ty {
        None => Ok(None),
        Some(t) => match t.cast::<PyDType>() {
            Ok(d) => Ok(Some(d.get().0)),
            Err(_) => Err(PyTypeError::new_err(format!(
                "{function}(): argument 'type' (position 1) must be torch.dtype, not {}",
                type_name(t)
            ))),
        },
    }
}

/// `%g`, as Python formats it.
fn short(py: Python<'_>, x: f64) -> PyResult<String> {
    x.into_pyobject(py)?.call_method1("__format__", ("g",))?.extract()
}

#[pymethods]
impl FInfo {
    #[new]
    #[pyo3(signature = (r#type=None))]
    fn new(r#type: Option<&Bound<'_, PyAny>>) -> PyResult<FInfo> {
        let d = wanted("finfo", r#type)?.unwrap_or_else(flambeau_core::default_dtype);
        if !d.is_differentiable() {
            return Err(PyTypeError::new_err(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.finfo'",
            ));
        }
        Ok(FInfo(d.to_real()))
    }

    #[getter]
    fn bits(&self) -> usize {
        self.0.size() * 8
    }

    #[getter]
    fn min(&self) -> f64 {
        // The one type without a sign ends at its smallest power of two.
        let (_, max, tiny, _) = float_facts(self.0);
        if self.0 == DType::F8E8M0FNU { tiny } else { -max }
    }

    #[getter]
    fn max(&self) -> f64 {
        float_facts(self.0).1
    }

    /// The difference between 1 and the next larger number.
    #[getter]
    fn eps(&self) -> f64 {
        2f64.powi(-float_facts(self.0).0)
    }

    /// The smallest positive normal number.
    #[getter]
    fn tiny(&self) -> f64 {
        float_facts(self.0).2
    }

    #[getter]
    fn smallest_normal(&self) -> f64 {
        float_facts(self.0).2
    }

    /// Ten to the minus number of decimal digits that survive a round trip.
    #[getter]
    fn resolution(&self) -> f64 {
        float_facts(self.0).3
    }

    #[getter]
    fn dtype(&self) -> &'static str {
        self.0.name()
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<FInfo>().is_ok_and(|o| o.get().0 == self.0)
    }

    fn __hash__(&self) -> isize {
        self.0 as isize
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!(
            "finfo(resolution={}, min={}, max={}, eps={}, smallest_normal={}, tiny={}, dtype={})",
            short(py, self.resolution())?,
            short(py, self.min())?,
            short(py, self.max())?,
            short(py, self.eps())?,
            short(py, self.tiny())?,
            short(py, self.tiny())?,
            self.0.name()
        ))
    }
}

/// The numbers that an integer type can represent.
///
/// Args:
///     type (torch.dtype): an integer type.
#[pyclass(name = "iinfo", module = "flambeau", frozen)]
struct IInfo(DType);

#[pymethods]
impl IInfo {
    #[new]
    #[pyo3(signature = (r#type=None))]
    fn new(r#type: Option<&Bound<'_, PyAny>>) -> PyResult<IInfo> {
        let Some(d) = wanted("iinfo", r#type)? else {
            return Err(PyTypeError::new_err("iinfo() missing 1 required positional arguments: \"type\""));
        };
        if d == DType::Bool {
            return Err(PyTypeError::new_err("torch.bool is not supported by torch.iinfo"));
        }
        if !d.is_int() {
            return Err(PyTypeError::new_err(
                "torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'",
            ));
        }
        Ok(IInfo(d))
    }

    #[getter]
    fn bits(&self) -> usize {
        self.0.size() * 8
    }

    #[getter]
    fn min(&self) -> i64 {
        if self.0.is_signed() { i64::MIN >> (64 - self.bits()) } else { 0 }
    }

    #[getter]
    fn max(&self) -> u64 {
        u64::MAX >> (64 - self.bits() + self.0.is_signed() as usize)
    }

    #[getter]
    fn dtype(&self) -> &'static str {
        self.0.name()
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<IInfo>().is_ok_and(|o| o.get().0 == self.0)
    }

    fn __hash__(&self) -> isize {
        self.0 as isize
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!(
            "iinfo(min={}, max={}, dtype={})",
            short(py, self.min() as f64)?,
            short(py, self.max() as f64)?,
            self.0.name()
        ))
    }
}

/// The smallest dtype that values of both can be converted to.
#[pyfunction]
fn promote_types<'py>(
    py: Python<'py>,
    type1: &Bound<'py, PyDType>,
    type2: &Bound<'py, PyDType>,
) -> PyResult<Py<PyDType>> {
    let (a, b) = (type1.get().0, type2.get().0);
    match flambeau_core::promote(a, b) {
        Some(d) => Ok(dtype::object(py, d).clone().unbind()),
        None => {
            let what = if a.is_float8() || b.is_float8() {
                "Promotion for Float8 Types"
            } else {
                "Promotion for uint16, uint32, uint64 types"
            };
            Err(PyRuntimeError::new_err(format!(
                "{what} is not supported, attempted to promote {} and {}",
                a.scalar_name(),
                b.scalar_name()
            )))
        }
    }
}

/// Whether a result of one dtype may be stored into a tensor of another.
#[pyfunction]
fn can_cast(from_: &Bound<'_, PyDType>, to: &Bound<'_, PyDType>) -> bool {
    flambeau_core::dtype::can_cast(from_.get().0, to.get().0)
}

/// The dtype in which an operation on both arguments (tensors or numbers) computes.
#[pyfunction]
fn result_type<'py>(py: Python<'py>, tensor: &Bound<'py, PyAny>, other: &Bound<'py, PyAny>) -> PyResult<Py<PyDType>> {
    let read = |obj: &Bound<'py, PyAny>| -> PyResult<Tensor> {
        if let Some(t) = crate::object::unwrap(obj) {
            return Ok(t.clone());
        }
        // SAFETY: a live object under the GIL; a number by the check.
        unsafe {
            if !crate::args::check::is_number(obj.as_ptr()) {
                return Err(PyTypeError::new_err(format!(
                    "result_type() received an invalid combination of arguments - got ({}, {})",
                    type_name(tensor),
                    type_name(other)
                )));
            }
            let s: Scalar = crate::args::convert::scalar(obj.as_ptr())?;
            Tensor::wrapped(s).py()
        }
    };
    let (a, b) = (read(tensor)?, read(other)?);
    let d = flambeau_ops::result_type(&[&a, &b]).py()?;
    Ok(dtype::object(py, d).clone().unbind())
}

/// The dtype that Python floats become in new tensors.
#[pyfunction]
fn get_default_dtype(py: Python<'_>) -> Py<PyDType> {
    dtype::object(py, flambeau_core::default_dtype()).clone().unbind()
}

/// Sets the dtype that Python floats become in new tensors; a floating point one.
#[pyfunction]
#[pyo3(signature = (d, /))]
fn set_default_dtype(d: &Bound<'_, PyAny>) -> PyResult<()> {
    let Ok(d) = d.cast::<PyDType>() else {
        return Err(PyTypeError::new_err(
            "invalid dtype object: only floating-point types are supported as the default type",
        ));
    };
    if !d.get().0.is_float() {
        return Err(PyTypeError::new_err("only floating-point types are supported as the default type"));
    }
    flambeau_core::set_default_dtype(d.get().0).py()
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<FInfo>()?;
    m.add_class::<IInfo>()?;
    m.add_function(wrap_pyfunction!(promote_types, m)?)?;
    m.add_function(wrap_pyfunction!(can_cast, m)?)?;
    m.add_function(wrap_pyfunction!(result_type, m)?)?;
    m.add_function(wrap_pyfunction!(get_default_dtype, m)?)?;
    m.add_function(wrap_pyfunction!(set_default_dtype, m)?)
}
