//! `torch.dtype`: one object per element type.

use flambeau_core::DType;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// The type of a tensor's elements. There is one object of each; compare them with `==` or `is`.
#[pyclass(name = "dtype", module = "flambeau", frozen)]
pub struct PyDType(pub DType);

static OBJECTS: PyOnceLock<Vec<Py<PyDType>>> = PyOnceLock::new();

/// The object of a dtype.
pub fn object(py: Python<'_>, dtype: DType) -> &Bound<'_, PyDType> {
    let all = OBJECTS.get_or_init(py, || {
        let make = |d| Py::new(py, PyDType(d)).expect("a small object can be allocated");
        DType::ALL.into_iter().map(make).collect()
    });
    all[dtype as usize].bind(py)
}

/// The dtype that an object stands for, if it is one; Python's number types count as PyTorch lets them.
pub fn extract(obj: &Bound<'_, PyAny>) -> Option<DType> {
    if let Ok(d) = obj.cast::<PyDType>() {
        return Some(d.get().0);
    }
    let py = obj.py();
    if obj.is(py.get_type::<pyo3::types::PyFloat>()) {
        Some(DType::F64)
    } else if obj.is(py.get_type::<pyo3::types::PyBool>()) {
        Some(DType::Bool)
    } else if obj.is(py.get_type::<pyo3::types::PyInt>()) {
        Some(DType::I64)
    } else if obj.is(py.get_type::<pyo3::types::PyComplex>()) {
        Some(DType::C128)
    } else {
        None
    }
}

#[pymethods]
impl PyDType {
    /// Whether the elements are real floating point numbers.
    #[getter]
    fn is_floating_point(&self) -> bool {
        self.0.is_float()
    }

    #[getter]
    fn is_complex(&self) -> bool {
        self.0.is_complex()
    }

    #[getter]
    fn is_signed(&self) -> bool {
        self.0.is_signed()
    }

    /// Bytes per element.
    #[getter]
    fn itemsize(&self) -> usize {
        self.0.size()
    }

    /// A short name: `f32`, `i64`, `b8`.
    #[getter]
    fn abbr(&self) -> String {
        use DType::*;
        let letter = match self.0 {
            Bool => return "b8".into(),
            BF16 => return "bf16".into(),
            F8E5M2 => return "f8e5m2".into(),
            F8E4M3FN => return "f8e4m3fn".into(),
            F8E5M2FNUZ => return "f8e5m2fnuz".into(),
            F8E4M3FNUZ => return "f8e4m3fnuz".into(),
            F8E8M0FNU => return "f8e8m0fnu".into(),
            d if d.is_float() => 'f',
            d if d.is_complex() => 'c',
            d if d.is_signed() => 'i',
            _ => 'u',
        };
        format!("{letter}{}", self.0.size() * 8)
    }

    /// The type of the parts of a complex type; any other type itself.
    fn to_real(&self, py: Python<'_>) -> Py<PyDType> {
        object(py, self.0.to_real()).clone().unbind()
    }

    /// The complex type with parts of this type.
    fn to_complex(&self, py: Python<'_>) -> PyResult<Py<PyDType>> {
        if self.0.is_complex() || matches!(self.0, DType::F16 | DType::F32 | DType::F64 | DType::BF16) {
            return Ok(object(py, self.0.to_complex()).clone().unbind());
        }
        Err(PyRuntimeError::new_err(format!("Unknown Complex ScalarType for {}", self.0.scalar_name())))
    }

    fn __repr__(&self) -> String {
        format!("torch.{}", self.0.name())
    }

    /// Pickled by name, so that unpickling gives the same object.
    fn __reduce__(&self) -> &'static str {
        self.0.name()
    }
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = m.py();
    m.add_class::<PyDType>()?;
    for d in DType::ALL {
        m.add(d.name(), object(py, d))?;
    }
    for alias in ["float", "double", "half", "short", "int", "long", "cfloat", "cdouble", "chalf"] {
        if let Some(d) = DType::from_name(alias) {
            m.add(alias, object(py, d))?;
        }
    }
    Ok(())
}
