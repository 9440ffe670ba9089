//! Gives every row of the registry its names in Python.

use std::collections::HashMap;
use std::ffi::CString;
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use flambeau_core::Scalar;
use flambeau_core::op::{OpDef, Value, surface};
use flambeau_core::schema::{Returns, Schema};
use pyo3::exceptions::PySystemError;
use pyo3::ffi::{self, PyMethodDef, PyMethodDefPointer};
use pyo3::prelude::*;

use crate::args::spec::{Function, Overload, Surface};
use crate::entry::{self, OpRef};
use crate::tensor_type::table;
use crate::thunks;

/// Names that are attributes or written by hand, though a row has them as methods.
const NOT_METHODS: [&str; 3] = ["real", "imag", "to_copy"];

/// All functions by where and under what name they are called.
pub struct Catalog {
    list: Vec<&'static Function>,
    index: HashMap<(u16, &'static str), usize>,
}

static CATALOG: OnceLock<Catalog> = OnceLock::new();

/// The function behind a public name.
pub fn find(surface: Surface, name: &str) -> Option<&'static Function> {
    let c = CATALOG.get()?;
    // The key's lifetime is only that of the lookup.
    c.index.iter().find(|((s, n), _)| *s == surface.bit() && *n == name).map(|(_, &i)| c.list[i])
}

struct Draft {
    name: &'static str,
    surface: Surface,
    rows: Vec<(&'static OpDef, bool)>,
}

/// Which public names the rows have, with their overloads in the registry's order.
fn drafts() -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    let mut at: HashMap<(u16, String), usize> = HashMap::new();
    let mut add = |surface: Surface, name: String, op: &'static OpDef, inplace: bool| {
        let i = *at.entry((surface.bit(), name.clone())).or_insert_with(|| {
            drafts.push(Draft { name: Box::leak(name.into_boxed_str()), surface, rows: Vec::new() });
            drafts.len() - 1
        });
        drafts[i].rows.push((op, inplace));
    };
    for op in flambeau_ops::registry().iter().copied().chain(crate::casts::rows()) {
        let public = Schema::name_of(op.sig);
        for name in std::iter::once(&public).chain(op.aliases) {
            for s in Surface::ALL {
                let hidden = s != Surface::Internal && op.surfaces & surface::INTERNAL != 0;
                if hidden || op.surfaces & s.bit() == 0 || (s == Surface::Method && NOT_METHODS.contains(name)) {
                    continue;
                }
                add(s, name.to_string(), op, false);
                if op.surfaces & surface::INPLACE != 0
                    && !matches!(s, Surface::Special | Surface::Linalg | Surface::Internal)
                {
                    add(s, format!("{name}_"), op, true);
                }
            }
        }
    }
    drafts
}

/// Reads all signatures. Once, at import.
pub fn build(py: Python<'_>) -> PyResult<()> {
    let mut list: Vec<&'static Function> = Vec::new();
    let mut index = HashMap::new();
    for d in drafts() {
        let mut overloads = Vec::with_capacity(d.rows.len());
        for &(op, inplace) in &d.rows {
            overloads.push(Overload::new(py, op, d.surface, inplace)?);
        }
        let label = match d.surface {
            Surface::Special => format!("special_{}", d.name),
            Surface::Linalg => format!("linalg_{}", d.name),
            _ => d.name.to_string(),
        };
        let doc = document(&d, &overloads);
        let f =
            Function { name: d.name, label, surface: d.surface, overloads, object: AtomicPtr::new(null_mut()), doc };
        index.insert((d.surface.bit(), d.name), list.len());
        list.push(Box::leak(Box::new(f)));
    }
    let _ = CATALOG.set(Catalog { list, index });
    Ok(())
}

/// The docstring: how each overload is called, then what it does.
fn document(d: &Draft, overloads: &[Overload]) -> &'static str {
    let mut text = String::new();
    for o in overloads {
        let line = format!("{}({}) -> {}\n", d.name, parameters(o), returned(&o.returns));
        if !text.contains(&line) {
            text.push_str(&line);
        }
    }
    text.push('\n');
    let mut seen: Vec<&str> = Vec::new();
    for (op, inplace) in &d.rows {
        if !seen.contains(&op.doc) {
            seen.push(op.doc);
            text.push_str(op.doc);
            text.push_str(if *inplace { " In place.\n" } else { "\n" });
        }
    }
    Box::leak(text.into_boxed_str())
}

/// `input, dim, *, dtype=None`; the tensor of a method is not among them.
fn parameters(o: &Overload) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut star = false;
    for (i, p) in o.params.iter().enumerate() {
        if Some(i) == o.bound || p.name.starts_with('_') {
            continue;
        }
        if p.keyword_only && !star {
            star = true;
            parts.push("*".into());
        }
        parts.push(if p.optional { format!("{}={}", p.name, shown(&p.default)) } else { p.name.into() });
    }
    parts.join(", ")
}

/// A default as Python writes it.
fn shown(v: &Value) -> String {
    match v {
        Value::Bool(b) => if *b { "True" } else { "False" }.into(),
        Value::Int(i) | Value::Scalar(Scalar::Int(i)) => i.to_string(),
        Value::Float(f) | Value::Scalar(Scalar::Float(f)) if f.is_finite() => format!("{f:?}"),
        Value::Float(f) | Value::Scalar(Scalar::Float(f)) => format!("float('{f}')"),
        Value::Str(s) => format!("'{s}'"),
        Value::Ints(v) if v.len() == 1 => v[0].to_string(),
        Value::Ints(v) => format!("({})", v.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")),
        _ => "None".into(),
    }
}

fn returned(r: &Returns) -> String {
    match r {
        Returns::Tensor => "Tensor".into(),
        Returns::Tuple(names) => format!("({})", vec!["Tensor"; names.len()].join(", ")),
        Returns::Plain(n) => format!("({})", vec!["Tensor"; *n].join(", ")),
        Returns::List => "tuple of Tensors".into(),
        Returns::Bool => "bool".into(),
        Returns::Int => "int".into(),
        Returns::Float => "float".into(),
        Returns::Scalar => "Number".into(),
        Returns::Nothing => "None".into(),
    }
}

fn definition(f: &'static Function, name: &str, entry: ffi::PyCFunctionFastWithKeywords) -> PyResult<PyMethodDef> {
    let text = |s: &str| CString::new(s).map_err(|_| PySystemError::new_err("a name has a zero byte"));
    Ok(PyMethodDef {
        ml_name: text(name)?.into_raw(),
        ml_meth: PyMethodDefPointer { PyCFunctionFastWithKeywords: entry },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: text(f.doc)?.into_raw(),
    })
}

/// The definitions of all methods that are not among `taken`.
pub fn methods(taken: &[String]) -> PyResult<Vec<PyMethodDef>> {
    let Some(catalog) = CATALOG.get() else { return Ok(Vec::new()) };
    let mut functions: Vec<&'static Function> = Vec::new();
    let mut defs = Vec::new();
    for &f in &catalog.list {
        if f.surface != Surface::Method || taken.iter().any(|t| t == f.name) {
            continue;
        }
        if functions.len() == thunks::COUNT {
            return Err(PySystemError::new_err("more methods than thunks: raise thunks::COUNT"));
        }
        defs.push(definition(f, f.name, thunks::thunk(functions.len()))?);
        functions.push(f);
    }
    entry::METHODS.store(table(functions), Relaxed);
    Ok(defs)
}

/// Adds all functions to the module as its parts `_functions`, `_nn`, `_special`, `_linalg`, `_internal`.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = m.py();
    let Some(catalog) = CATALOG.get() else { return Ok(()) };
    let ty = op_ref_type(py)?;
    let parts = ["_functions", "_internal", "_nn", "_special", "_linalg", "return_types"];
    let modules: HashMap<&str, Bound<'_, PyModule>> = parts
        .into_iter()
        .map(|name| Ok((name, PyModule::new(py, &format!("flambeau._C.{name}"))?)))
        .collect::<PyResult<_>>()?;
    for &f in &catalog.list {
        let module = match f.surface {
            Surface::Function => "flambeau",
            Surface::Internal => "flambeau._C._internal",
            Surface::Nn => "flambeau.nn.functional",
            Surface::Special => "flambeau.special",
            Surface::Linalg => "flambeau.linalg",
            Surface::Method => continue,
        };
        let obj = function(py, &ty, f, module)?;
        if f.surface == Surface::Function && find(Surface::Internal, f.name).is_none() {
            // The package wraps some public functions under their own names.
            modules["_internal"].add(f.name, &obj)?;
        }
        if f.label != f.name {
            // Its own name, by which pickles find it.
            modules[part(f.surface)].add(f.label.as_str(), &obj)?;
        }
        modules[part(f.surface)].add(f.name, obj)?;
    }
    m.add_function(wrap_pyfunction!(_operations, m)?)?;
    crate::results::publish(&modules["return_types"])?;
    for (name, part) in modules {
        m.add(name, part)?;
    }
    Ok(())
}

/// The built-in function for a [`Function`].
fn function<'py>(
    py: Python<'py>,
    ty: &Bound<'py, PyAny>,
    f: &'static Function,
    module: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let def = table(vec![definition(f, &f.label, entry::function)?]);
    let module = pyo3::types::PyString::intern(py, module);
    // SAFETY: an object of our own layout whose one field is written at once; the definition is never freed.
    unsafe {
        let slf = ffi::PyObject_New::<OpRef>(ty.as_ptr().cast());
        if slf.is_null() {
            return Err(PyErr::fetch(py));
        }
        (*slf).function = f;
        let obj = ffi::PyCFunction_NewEx(def, slf.cast(), module.as_ptr());
        ffi::Py_DECREF(slf.cast());
        let obj = Bound::from_owned_ptr_or_err(py, obj)?;
        f.object.store(obj.clone().into_ptr(), Relaxed);
        Ok(obj)
    }
}

/// Python pickles a built-in function as an attribute of what it is bound to: here of the module's part that it is in.
unsafe extern "C" fn reduce(slf: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: called by CPython with an `OpRef`, whose function is static.
    unsafe {
        let f = &*(*slf.cast::<OpRef>()).function;
        crate::errors::guard(|py| {
            let find = py.import("flambeau._C")?.getattr("_operations")?;
            Ok((find, (part(f.surface),)).into_pyobject(py)?.into_any().unbind().into_ptr())
        })
    }
}

/// The part of the module that a surface's functions are in.
fn part(surface: Surface) -> &'static str {
    match surface {
        Surface::Function => "_functions",
        Surface::Internal => "_internal",
        Surface::Nn => "_nn",
        Surface::Special => "_special",
        Surface::Linalg => "_linalg",
        Surface::Method => "TensorBase",
    }
}

/// A part of this module by name; how pickles find operations.
#[pyfunction]
fn _operations<'py>(py: Python<'py>, part: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("flambeau._C")?.getattr(part)
}

fn op_ref_type(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let method = PyMethodDef {
        ml_name: c"__reduce__".as_ptr(),
        ml_meth: PyMethodDefPointer { PyCFunction: reduce },
        ml_flags: ffi::METH_NOARGS,
        ml_doc: c"For pickle.".as_ptr(),
    };
    let methods = table(vec![method, PyMethodDef::zeroed()]);
    let mut slots = [
        ffi::PyType_Slot { slot: ffi::Py_tp_methods, pfunc: methods.cast() },
        ffi::PyType_Slot { slot: 0, pfunc: null_mut() },
    ];
    let mut spec = ffi::PyType_Spec {
        name: c"flambeau._C._Operation".as_ptr(),
        basicsize: size_of::<OpRef>() as _,
        itemsize: 0,
        flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION) as _,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: a valid spec; the name is static.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&mut spec)) }
}
