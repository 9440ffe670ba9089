//! `grad_fn` objects: one per node at a time, of a class with the node's name.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use flambeau_core::autograd::{Edge, Node, Notes, OutMeta};
use flambeau_core::shared::{Shared, SharedWeak};
use pyo3::exceptions::{PyAttributeError, PyRuntimeError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyTuple, PyType};

use super::function::ContextHolder;
use super::{attributes, hooks};
use crate::object::{Owned, wrap};

pub(super) enum Link {
    /// The object of an ordinary node keeps it alive.
    Strong(Shared<Node>),
    /// A custom function's context is owned by its node instead.
    Weak(SharedWeak<Node>),
}

/// One step of the graph that `backward` walks.
#[pyclass(name = "Node", module = "flambeau.autograd.graph", frozen, subclass, weakref)]
pub struct PyNode {
    pub(super) link: OnceLock<Link>,
    /// Of a context, which may outlive its node.
    pub(super) edges: OnceLock<Vec<Option<Edge>>>,
    metadata: PyOnceLock<Py<PyDict>>,
}

/// The dictionary that a node keeps for whoever wants to note something with it.
pub(super) fn notes_of<'py>(py: Python<'py>, node: &Shared<Node>) -> PyResult<Bound<'py, PyDict>> {
    if let Some(owned) = node.notes().as_ref().and_then(|n| n.downcast_ref::<Owned>()) {
        return Ok(owned.bind(py).cast::<PyDict>()?.clone());
    }
    let dict = PyDict::new(py);
    node.set_notes(notes(&dict));
    Ok(dict)
}

pub(super) fn notes(dict: &Bound<'_, PyDict>) -> Notes {
    Arc::new(Owned::new(dict.clone().into_any()))
}

/// The edge that `(node, output_nr)` stands for; `None` where the first is no node.
pub(super) fn edge(node: &Bound<'_, PyAny>, nr: &Bound<'_, PyAny>) -> PyResult<Option<Edge>> {
    let Ok(node) = node.cast::<PyNode>() else { return Ok(None) };
    let node = node.get().get("node")?;
    let nr: u32 = nr.extract()?;
    if nr as usize >= node.outputs().len() {
        return Err(PyRuntimeError::new_err(format!("{} has no output {nr}", node.name())));
    }
    Ok(Some(Edge { node, nr }))
}

/// _show_as(result, name, /, *operands)
///
/// Shows the node of a result that was composed in Python as one operation on its operands: tensors, None, pairs of a
/// tensor and the number of an output of its node, and tuples of a name and operands for steps between.
#[pyfunction]
#[pyo3(signature = (result, name, /, *operands))]
pub(super) fn _show_as(result: &Bound<'_, PyAny>, name: String, operands: &Bound<'_, PyTuple>) -> PyResult<()> {
    let Some(node) = crate::object::unwrap(result).and_then(flambeau_core::Tensor::grad_fn) else { return Ok(()) };
    let edges = operands.iter().map(|t| shown_edge(&t)).collect::<PyResult<_>>()?;
    node.show_as(name, edges);
    Ok(())
}

fn shown_edge(operand: &Bound<'_, PyAny>) -> PyResult<Option<Edge>> {
    let Ok(step) = operand.cast::<PyTuple>() else {
        return Ok(crate::object::unwrap(operand).and_then(flambeau_core::Tensor::gradient_edge));
    };
    let head = step.get_item(0)?;
    if let Some(t) = crate::object::unwrap(&head) {
        let nr: u32 = step.get_item(1)?.extract()?;
        return Ok(t.grad_fn().map(|node| Edge { node, nr }));
    }
    let behind = step.iter().skip(1).map(|t| shown_edge(&t)).collect::<PyResult<Vec<_>>>()?;
    // A step that leads nowhere is not recorded.
    if behind.iter().all(Option::is_none) {
        return Ok(None);
    }
    Ok(Node::stand_in(interned(head.extract()?), behind.into_iter().collect()))
}

/// One copy of each name for good: there are as many as calls in this package that name a step.
fn interned(name: String) -> &'static str {
    static NAMES: std::sync::Mutex<Vec<&'static str>> = std::sync::Mutex::new(Vec::new());
    let mut names = NAMES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(known) = names.iter().find(|n| **n == name) {
        return known;
    }
    let name: &'static str = Box::leak(name.into_boxed_str());
    names.push(name);
    name
}

thread_local! {
    /// The node for which an object is being made.
    static PENDING: RefCell<Option<Shared<Node>>> = const { RefCell::new(None) };
}

impl PyNode {
    pub(super) fn empty() -> PyNode {
        PyNode { link: OnceLock::new(), edges: OnceLock::new(), metadata: PyOnceLock::new() }
    }

    pub(super) fn node(&self) -> Option<Shared<Node>> {
        match self.link.get()? {
            Link::Strong(n) => Some(n.clone()),
            Link::Weak(n) => n.upgrade(),
        }
    }

    fn get(&self, what: &str) -> PyResult<Shared<Node>> {
        self.node().ok_or_else(|| {
            PyRuntimeError::new_err(format!(
                "Attribute '{what}' is invalid for this instance of _C._FunctionBase. Accessing this attribute directly on \
                 an instance of autograd.Function is a legacy access pattern that is no longer supported. For examples on \
                 how to use new-style autograd functions, see \
                 https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function "
            ))
        })
    }
}

impl Drop for PyNode {
    fn drop(&mut self) {
        if let Some(Link::Strong(n)) = self.link.get() {
            n.set_front(std::ptr::null_mut());
        }
    }
}

/// The Python object of a node.
pub fn object<'py>(py: Python<'py>, node: &Shared<Node>) -> PyResult<Bound<'py, PyAny>> {
    if let Some(c) = node.custom_backward().and_then(|c| c.as_any().downcast_ref::<ContextHolder>()) {
        return Ok(c.context.bind(py).clone());
    }
    let front: *mut ffi::PyObject = node.front().cast();
    // SAFETY: `front` is cleared before the object's memory goes; an object without references is on its way out.
    unsafe {
        if !front.is_null() && ffi::Py_REFCNT(front) > 0 {
            return Ok(Bound::from_borrowed_ptr(py, front));
        }
    }
    let class = class_for(py, &node.short_name())?;
    PENDING.set(Some(node.clone()));
    let obj = class.call0();
    PENDING.set(None);
    let obj = obj?;
    node.set_front(obj.as_ptr().cast());
    Ok(obj)
}

/// The class of nodes with this name, made when first seen.
fn class_for<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    static CLASSES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let classes = CLASSES.get_or_init(py, || PyDict::new(py).unbind()).bind(py);
    if let Some(class) = classes.get_item(name)? {
        return Ok(class);
    }
    let namespace = PyDict::new(py);
    namespace.set_item("__module__", "flambeau.autograd.graph")?;
    namespace.set_item("__slots__", ())?;
    let class = py.get_type::<PyType>().call1((name, (py.get_type::<PyNode>(),), namespace))?;
    classes.set_item(name, &class)?;
    Ok(class)
}

/// A fresh dictionary with one callable, and the handle that takes it out again.
pub(super) fn registration<'py>(hook: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let py = hook.py();
    let dict = ordered_dict(py)?;
    let handle = add_to(&dict, hook)?;
    Ok((dict, handle))
}

pub(super) fn ordered_dict(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "collections", "OrderedDict")?.call0()
}

/// Puts a callable into a dictionary of hooks; returns the handle.
pub(super) fn add_to<'py>(dict: &Bound<'py, PyAny>, hook: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = hook.py();
    static HANDLE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let handle = HANDLE.import(py, "flambeau.utils.hooks", "RemovableHandle")?.call1((dict,))?;
    dict.set_item(handle.getattr("id")?, hook)?;
    Ok(handle)
}

#[pymethods]
impl PyNode {
    #[new]
    fn new() -> PyResult<PyNode> {
        let Some(node) = PENDING.take() else {
            return Err(PyTypeError::new_err("cannot create 'Node' instances: the engine makes them"));
        };
        let made = PyNode::empty();
        let _ = made.link.set(Link::Strong(node));
        Ok(made)
    }

    /// The node's name, such as `MulBackward0`.
    fn name(slf: &Bound<'_, Self>) -> PyResult<String> {
        match slf.get().node() {
            Some(node) => Ok(node.name()),
            None => Ok(slf.get_type().name()?.to_string()),
        }
    }

    /// Pairs of the node that each gradient goes to and which of its inputs it is.
    #[getter]
    fn next_functions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let node;
        let edges = match self.edges.get() {
            Some(edges) => edges.as_slice(),
            None => {
                node = self.get("next_functions")?.shown_next();
                node.as_slice()
            }
        };
        let mut items = Vec::new();
        for edge in edges {
            items.push(match edge {
                Some(e) => (object(py, &e.node)?, e.nr),
                None => (py.None().into_bound(py), 0),
            });
        }
        PyTuple::new(py, items)
    }

    /// A dictionary for the user's own notes.
    #[getter]
    fn metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        match self.node() {
            Some(node) => notes_of(py, &node),
            None => Ok(self.metadata.get_or_init(py, || PyDict::new(py).unbind()).bind(py).clone()),
        }
    }

    /// Of an accumulating node: the leaf whose gradient it adds to.
    #[getter]
    fn variable<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.get("variable")?.variable() {
            Some(t) => wrap(py, t),
            None => Err(PyAttributeError::new_err(format!(
                "'{}' object has no attribute 'variable'",
                self.get("variable")?.name()
            ))),
        }
    }

    /// What gradients must look like: for each output `(sizes, dtype, device)`.
    #[getter]
    fn _input_metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let node = self.get("_input_metadata")?;
        let metas = node.outputs().iter().map(|m| PyInputMetadata(m.clone()).into_pyobject(py));
        PyList::new(py, metas.collect::<PyResult<Vec<_>>>()?)
    }

    /// Counts nodes in the order in which they were made.
    fn _sequence_nr(&self) -> PyResult<u64> {
        Ok(self.get("_sequence_nr")?.sequence_nr())
    }

    /// Calls `hook(grad_inputs, grad_outputs)` after the node ran; it may return other `grad_inputs`.
    fn register_hook<'py>(&self, hook: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let node = self.get("register_hook")?;
        let (dict, handle) = registration(hook)?;
        node.add_post_hook(hooks::node_hook(dict));
        Ok(handle)
    }

    /// Calls `hook(grad_outputs)` before the node runs; it may return other `grad_outputs`.
    fn register_prehook<'py>(&self, hook: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let node = self.get("register_prehook")?;
        let (dict, handle) = registration(hook)?;
        node.add_pre_hook(hooks::node_hook(dict));
        Ok(handle)
    }

    fn __getattr__<'py>(slf: &Bound<'py, Self>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let found = match slf.get().node() {
            Some(node) => attributes::get(slf.py(), &node, name)?,
            None => None,
        };
        match found {
            Some(value) => Ok(value),
            None => {
                Err(PyAttributeError::new_err(format!("'{}' object has no attribute '{name}'", slf.get_type().name()?)))
            }
        }
    }

    fn __dir__(slf: &Bound<'_, Self>) -> PyResult<Vec<String>> {
        let mut names: Vec<String> = slf.get_type().as_any().dir()?.extract()?;
        if let Some(node) = slf.get().node() {
            names.extend(attributes::list(&node));
        }
        Ok(names)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        Ok(format!("<{} object at {:#x}>", slf.get_type().name()?, slf.as_ptr() as usize))
    }
}

/// What the gradient of one output must look like.
#[pyclass(name = "_InputMetadata", module = "flambeau._C", frozen)]
struct PyInputMetadata(OutMeta);

#[pymethods]
impl PyInputMetadata {
    #[getter]
    fn shape(&self) -> Vec<i64> {
        self.0.sizes.to_vec()
    }

    #[getter]
    fn dtype<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        crate::dtype::object(py, self.0.dtype).clone().into_any()
    }

    #[getter]
    fn device<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        crate::device::object(py, self.0.device).into_any()
    }

    #[getter]
    fn is_tensor_subclass(&self) -> bool {
        false
    }
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("_Node", m.py().get_type::<PyNode>())
}
