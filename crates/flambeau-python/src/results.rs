//! From the boundary's results to Python objects.

use flambeau_core::op::Outs;
use flambeau_core::schema::Returns;
use flambeau_core::{Scalar, Tensor};
use parking_lot::Mutex;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::errors::IntoPyResult;
use crate::object::{wrap_as, wrap_ptr};

/// The named tuples made so far: `(name, fields)` and the type, as an address.
static TUPLES: Mutex<Vec<(String, Vec<String>, usize)>> = Mutex::new(Vec::new());

fn c_string(s: &str) -> *const std::ffi::c_char {
    std::ffi::CString::new(s).unwrap_or_default().into_raw()
}

unsafe extern "C" fn repr(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: a method of the named tuples, called by CPython with one of them.
    unsafe {
        crate::errors::guard(|py| {
            let obj = Bound::from_borrowed_ptr(py, slf);
            let ty = obj.get_type();
            let names: Vec<String> = ty.getattr("_names")?.extract()?;
            let mut out = format!("torch.return_types.{}(\n", ty.name()?);
            for (i, name) in names.iter().enumerate() {
                let end = if i + 1 == names.len() { ")" } else { ",\n" };
                out.push_str(&format!("{name}={}{end}", obj.get_item(i)?.repr()?));
            }
            Ok(out.into_pyobject(py)?.into_any().into_ptr())
        })
    }
}

static REPR: Table = Table(ffi::PyMethodDef {
    ml_name: c"__repr__".as_ptr(),
    ml_meth: ffi::PyMethodDefPointer { PyCFunction: repr },
    ml_flags: ffi::METH_NOARGS,
    ml_doc: std::ptr::null(),
});

/// A method's definition that never changes.
struct Table(ffi::PyMethodDef);

// SAFETY: constant data.
unsafe impl Sync for Table {}

/// The named tuple `torch.return_types.<name>`, made once for each set of fields.
pub fn tuple_type(py: Python<'_>, name: &str, fields: &[String]) -> PyResult<*mut PyObject> {
    if let Some(known) = TUPLES.lock().iter().find(|t| t.0 == name && t.1 == fields) {
        return Ok(known.2 as *mut PyObject);
    }
    let mut items: Vec<ffi::PyStructSequence_Field> =
        fields.iter().map(|f| ffi::PyStructSequence_Field { name: c_string(f), doc: std::ptr::null() }).collect();
    items.push(ffi::PyStructSequence_Field { name: std::ptr::null(), doc: std::ptr::null() });
    let mut desc = ffi::PyStructSequence_Desc {
        name: c_string(&format!("flambeau.return_types.{name}")),
        doc: std::ptr::null(),
        fields: crate::tensor_type::table(items),
        n_in_sequence: fields.len() as i32,
    };
    // SAFETY: a complete description whose parts live for the whole process, like the type.
    unsafe {
        let ty = Bound::from_owned_ptr_or_err(py, ffi::PyStructSequence_NewType(&mut desc).cast())?;
        ty.setattr("_names", PyTuple::new(py, fields)?)?;
        let method = ffi::PyDescr_NewMethod(ty.as_ptr().cast(), (&raw const REPR.0).cast_mut());
        ty.setattr("__repr__", Bound::from_owned_ptr_or_err(py, method)?)?;
        let ptr = ty.into_ptr();
        TUPLES.lock().push((name.to_string(), fields.to_vec(), ptr as usize));
        Ok(ptr)
    }
}

/// Adds the named tuples to the module `return_types`.
pub fn publish(m: &Bound<'_, PyModule>) -> PyResult<()> {
    for (name, _, ty) in TUPLES.lock().iter() {
        // SAFETY: the types live for the whole process.
        m.add(name.as_str(), unsafe { Bound::from_borrowed_ptr(m.py(), *ty as *mut PyObject) })?;
    }
    Ok(())
}

/// A number as Python's.
pub fn number(py: Python<'_>, s: Scalar) -> PyResult<Bound<'_, PyAny>> {
    Ok(match s {
        Scalar::Bool(b) => b.into_pyobject(py)?.to_owned().into_any(),
        Scalar::Int(i) => i.into_pyobject(py)?.into_any(),
        Scalar::Float(f) => f.into_pyobject(py)?.into_any(),
        Scalar::Complex(re, im) => pyo3::types::PyComplex::from_doubles(py, re, im).into_any(),
    })
}

/// One tensor as an object: of `class` if that is not null and the tensor has no object yet.
#[inline]
unsafe fn object(t: Tensor, class: *mut ffi::PyTypeObject) -> *mut PyObject {
    // SAFETY: the GIL is held; `class` is a subclass of Tensor.
    unsafe { if class.is_null() || !t.front().is_null() { wrap_ptr(t) } else { wrap_as(class, t) } }
}

/// The Python result of an operation.
///
/// # Safety
/// The GIL is held; `class` is null or a subclass of `Tensor`.
#[inline]
pub unsafe fn pack(
    py: Python<'_>,
    returns: &Returns,
    tuple: *mut PyObject,
    mut outs: Outs,
    class: *mut ffi::PyTypeObject,
) -> PyResult<*mut PyObject> {
    // SAFETY: by the contract.
    unsafe {
        if matches!(returns, Returns::Tensor) && outs.len() == 1 {
            let obj = object(outs.swap_remove(0), class);
            return if obj.is_null() { Err(PyErr::fetch(py)) } else { Ok(obj) };
        }
        pack_rare(py, returns, tuple, outs, class)
    }
}

#[inline(never)]
unsafe fn pack_rare(
    py: Python<'_>,
    returns: &Returns,
    tuple: *mut PyObject,
    outs: Outs,
    class: *mut ffi::PyTypeObject,
) -> PyResult<*mut PyObject> {
    let one = || outs.first().map_or(Ok(Scalar::Int(0)), |t| t.item().py());
    // SAFETY: as `pack`; sequences are filled with new references, each place once.
    unsafe {
        Ok(match returns {
            Returns::Tuple(_) => {
                let seq = Bound::from_owned_ptr_or_err(py, ffi::PyStructSequence_New(tuple.cast()))?;
                for (i, t) in outs.into_iter().enumerate() {
                    ffi::PyStructSequence_SetItem(seq.as_ptr(), i as isize, checked(py, object(t, class))?);
                }
                seq.into_ptr()
            }
            Returns::Tensor | Returns::Plain(_) | Returns::List => {
                let seq = Bound::from_owned_ptr_or_err(py, ffi::PyTuple_New(outs.len() as isize))?;
                for (i, t) in outs.into_iter().enumerate() {
                    ffi::PyTuple_SetItem(seq.as_ptr(), i as isize, checked(py, object(t, class))?);
                }
                seq.into_ptr()
            }
            Returns::Bool => number(py, Scalar::Bool(one()?.to_bool()))?.into_ptr(),
            Returns::Int => number(py, Scalar::Int(one()?.to_i64()))?.into_ptr(),
            Returns::Float => number(py, Scalar::Float(one()?.to_f64()))?.into_ptr(),
            Returns::Scalar => number(py, one()?)?.into_ptr(),
            Returns::Nothing => {
                let none = ffi::Py_None();
                ffi::Py_INCREF(none);
                none
            }
        })
    }
}

fn checked(py: Python<'_>, obj: *mut PyObject) -> PyResult<*mut PyObject> {
    if obj.is_null() { Err(PyErr::fetch(py)) } else { Ok(obj) }
}
