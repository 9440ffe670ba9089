//! `torch.device`, `torch.layout` and `torch.memory_format`.

use std::cell::{Cell, RefCell};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use flambeau_core::Device;
use flambeau_core::op::Value;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyInt, PyString, PyTuple};

use crate::errors::IntoPyResult;

/// Where a tensor lives: `device("cpu")`, `device("cuda:1")`, `device("cuda", 1)`.
#[pyclass(name = "device", module = "flambeau", frozen)]
pub struct PyDevice(pub Device);

static CPU: PyOnceLock<Py<PyDevice>> = PyOnceLock::new();

/// An object for a device.
pub fn object(py: Python<'_>, device: Device) -> Bound<'_, PyDevice> {
    let make = |d| Py::new(py, PyDevice(d)).expect("a small object can be allocated");
    if device == Device::CPU {
        CPU.get_or_init(py, || make(device)).bind(py).clone()
    } else {
        make(device).into_bound(py)
    }
}

/// The device that an object stands for: a `device`, a string or an index of a CUDA device. `None` for other types.
pub fn extract(obj: &Bound<'_, PyAny>) -> Option<PyResult<Device>> {
    if let Ok(d) = obj.cast::<PyDevice>() {
        return Some(Ok(d.get().0));
    }
    if let Ok(s) = obj.cast::<PyString>() {
        return Some(s.to_str().and_then(|s| Device::parse(s).py()));
    }
    if obj.is_instance_of::<PyInt>() && !obj.is_instance_of::<PyBool>() {
        return Some(obj.extract::<i64>().and_then(|i| numbered("cuda", i)));
    }
    None
}

fn numbered(kind: &str, index: i64) -> PyResult<Device> {
    if index < 0 {
        return Err(PyRuntimeError::new_err("Device index must not be negative"));
    }
    Device::parse(&format!("{kind}:{index}")).py()
}

fn no_overload(got: &str, wrong: &str) -> PyErr {
    PyTypeError::new_err(format!(
        "device() received an invalid combination of arguments - got ({got}), but expected one of:\n * (torch.device \
         device)\n{wrong} * (str type, int index = -1)\n"
    ))
}

#[pymethods]
impl PyDevice {
    #[new]
    #[pyo3(signature = (*args, **kwargs))]
    fn new(args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<PyDevice> {
        let named = |name: &str| kwargs.map_or(Ok(None), |k| k.get_item(name));
        let first = match args.get_item(0) {
            Ok(first) => Some(first),
            Err(_) => named("device")?.or(named("type")?),
        };
        let index = match args.get_item(1) {
            Ok(index) => Some(index),
            Err(_) => named("index")?,
        };
        let Some(first) = first else { return Err(no_overload("", "")) };
        let Some(index) = index.filter(|i| !i.is_none()) else {
            return match extract(&first) {
                Some(d) => d.map(PyDevice),
                None => {
                    let name = first.get_type().name()?.to_string();
                    let wrong =
                        format!("      didn't match because some of the arguments have invalid types: (!{name}!)\n");
                    Err(no_overload(&name, &wrong))
                }
            };
        };
        let Ok(kind) = first.cast::<PyString>() else {
            return Err(no_overload(&format!("{}, {}", first.get_type().name()?, index.get_type().name()?), ""));
        };
        let kind = kind.to_str()?;
        let Ok(index) = index.extract::<i64>() else {
            return Err(PyTypeError::new_err(format!(
                "device(): argument 'index' (position 2) must be int, not {}",
                index.get_type().name()?
            )));
        };
        if kind.contains(':') {
            return Err(PyRuntimeError::new_err(format!(
                "type (string) must not include an index because index was passed explicitly: {kind}"
            )));
        }
        numbered(kind, index).map(PyDevice)
    }

    /// `cpu`, `cuda` or `meta`.
    #[getter]
    fn r#type(&self) -> &'static str {
        self.0.type_name()
    }

    /// Which one of several devices; None for the current one.
    #[getter]
    fn index(&self) -> Option<u8> {
        self.0.index
    }

    fn __repr__(&self) -> String {
        match self.0.index {
            None => format!("device(type='{}')", self.0.type_name()),
            Some(i) => format!("device(type='{}', index={i})", self.0.type_name()),
        }
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __hash__(&self) -> u64 {
        let mut h = DefaultHasher::new();
        self.0.hash(&mut h);
        h.finish()
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<PyDevice>().is_ok_and(|o| o.get().0 == self.0)
    }

    /// `with torch.device("meta"):` makes new tensors there.
    fn __enter__<'py>(slf: Bound<'py, PyDevice>) -> Bound<'py, PyDevice> {
        let before = DEFAULT.replace(Some(slf.get().0));
        BEFORE.with_borrow_mut(|b| b.push(before));
        slf
    }

    fn __exit__(&self, _ty: Bound<'_, PyAny>, _value: Bound<'_, PyAny>, _traceback: Bound<'_, PyAny>) {
        DEFAULT.set(BEFORE.with_borrow_mut(Vec::pop).flatten());
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let args = match self.0.index {
            None => (self.0.type_name(),).into_pyobject(py)?,
            Some(i) => (self.0.type_name(), i).into_pyobject(py)?,
        };
        Ok((py.get_type::<PyDevice>().into_any(), args))
    }
}

/// How a tensor's elements are stored; only `torch.strided` tensors exist here.
#[pyclass(name = "layout", module = "flambeau", frozen)]
pub struct PyLayout(pub &'static str);

#[pymethods]
impl PyLayout {
    fn __repr__(&self) -> String {
        format!("torch.{}", self.0)
    }

    fn __reduce__(&self) -> &'static str {
        self.0
    }
}

/// The order of a tensor's dimensions in memory.
#[pyclass(name = "memory_format", module = "flambeau", frozen)]
pub struct PyMemoryFormat {
    name: &'static str,
    /// As operations take it: 0 contiguous, 1 preserve, 2 channels last, 3 channels last in 3d.
    pub code: i64,
}

#[pymethods]
impl PyMemoryFormat {
    fn __repr__(&self) -> String {
        format!("torch.{}", self.name)
    }

    fn __reduce__(&self) -> &'static str {
        self.name
    }
}

thread_local! {
    static DEFAULT: Cell<Option<Device>> = const { Cell::new(None) };
    /// What the contexts that are entered now will put back.
    static BEFORE: RefCell<Vec<Option<Device>>> = const { RefCell::new(Vec::new()) };
}

/// What operations that make tensors get when no device is given.
pub fn default_value() -> Value {
    DEFAULT.get().map_or(Value::None, Value::Device)
}

/// The device on which this thread makes tensors.
pub fn default_device() -> Device {
    DEFAULT.get().unwrap_or(Device::CPU)
}

#[pyfunction]
fn _set_default_device(device: Option<&Bound<'_, PyAny>>) -> PyResult<Option<PyDevice>> {
    let new = match device.and_then(extract) {
        Some(d) => Some(d?),
        None => None,
    };
    Ok(DEFAULT.replace(new).map(PyDevice))
}

#[pyfunction]
fn get_default_device(py: Python<'_>) -> Bound<'_, PyDevice> {
    object(py, default_device())
}

static STRIDED: PyOnceLock<Py<PyLayout>> = PyOnceLock::new();

/// `torch.strided`.
pub fn strided(py: Python<'_>) -> Bound<'_, PyLayout> {
    let make = || Py::new(py, PyLayout("strided")).expect("a small object can be allocated");
    STRIDED.get_or_init(py, make).bind(py).clone()
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = m.py();
    m.add_class::<PyDevice>()?;
    m.add_class::<PyLayout>()?;
    m.add_class::<PyMemoryFormat>()?;
    m.add_function(wrap_pyfunction!(_set_default_device, m)?)?;
    m.add_function(wrap_pyfunction!(get_default_device, m)?)?;
    m.add("strided", strided(py))?;
    // Named so that code can compare a tensor's layout with them.
    for name in ["sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc", "jagged"] {
        m.add(name, Py::new(py, PyLayout(name))?)?;
    }
    for (code, name) in ["contiguous_format", "preserve_format", "channels_last", "channels_last_3d"].iter().enumerate()
    {
        m.add(*name, Py::new(py, PyMemoryFormat { name, code: code as i64 })?)?;
    }
    Ok(())
}
