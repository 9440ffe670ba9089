//! `autograd.Function`: forward and backward passes written in Python.

use flambeau_core::autograd::{self, Creation, CustomBackward, GradGuard, Node, OutMeta, Saved, grad_enabled, rebase};
use flambeau_core::call::view;
use flambeau_core::shared::Shared;
use flambeau_core::view::ViewOp;
use flambeau_core::{Result, Tensor};
use parking_lot::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};
use std::any::Any;

use super::node::{Link, PyNode};
use crate::bridge::{optional_tensor_out, type_name};
use crate::errors::{IntoPyResult, from_py, warn};
use crate::object::{Owned, unwrap, wrap};

/// What a context knows of its call.
#[derive(Default)]
struct State {
    /// Set by the user during the forward pass.
    to_save: Option<Py<PyTuple>>,
    dirty: Option<Py<PyTuple>>,
    non_differentiable: Option<Py<PyTuple>>,
    materialize: bool,
    needs_input_grad: Option<Py<PyTuple>>,
    /// Kept for the backward pass.
    saved: Vec<Saved>,
    freed: bool,
    /// Which arguments were tensors.
    is_tensor: Vec<bool>,
    /// Of each output that is a tensor, what it looks like.
    outputs: Vec<Option<OutMeta>>,
}

/// The context of one call of a custom function; also its `grad_fn`.
#[pyclass(name = "_FunctionBase", module = "flambeau._C", extends = PyNode, frozen, subclass)]
pub struct PyFunction {
    state: Mutex<State>,
}

/// The engine's side of a custom function: owns the context.
pub(super) struct ContextHolder {
    pub context: Owned,
    name: String,
}

fn as_function<'a, 'py>(context: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyFunction>> {
    Ok(context.cast::<PyFunction>()?)
}

impl CustomBackward for ContextHolder {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn backward(&self, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        Python::attach(|py| self.run(self.context.bind(py), grads).map_err(|e| from_py(py, e)))
    }

    fn release(&self) {
        Python::attach(|py| {
            if let Ok(f) = as_function(self.context.bind(py)) {
                let old = {
                    let mut state = f.get().state.lock();
                    state.freed = true;
                    std::mem::take(&mut state.saved)
                };
                drop(old);
            }
        });
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl ContextHolder {
    fn run(&self, context: &Bound<'_, PyAny>, grads: &[Option<Tensor>]) -> PyResult<Vec<Option<Tensor>>> {
        let py = context.py();
        let function = as_function(context)?.get();
        let (materialize, metas) = {
            let state = function.state.lock();
            (state.materialize, state.outputs.clone())
        };
        let mut args = Vec::with_capacity(grads.len());
        for (g, meta) in grads.iter().zip(&metas) {
            let g = match (g, meta) {
                (None, Some(meta)) if materialize => Some(zeros(meta).py()?),
                (g, _) => g.clone(),
            };
            args.push(optional_tensor_out(py, g)?);
        }
        let out = context.call_method1("apply", PyTuple::new(py, args)?)?;
        let out = match out.cast::<PyTuple>() {
            Ok(t) => t.clone(),
            Err(_) => PyTuple::new(py, [out])?,
        };
        let is_tensor = function.state.lock().is_tensor.clone();
        let wanted = is_tensor.len();
        // More results are fine as long as they say nothing.
        let extra = out.len() > wanted && out.iter().skip(wanted).all(|o| o.is_none());
        if out.len() != wanted && !extra {
            return Err(PyRuntimeError::new_err(format!(
                "function {} returned an incorrect number of gradients (expected {wanted}, got {})",
                self.name,
                out.len()
            )));
        }
        let mut result = Vec::with_capacity(wanted);
        for (i, (value, tensor)) in out.iter().zip(is_tensor).enumerate() {
            if value.is_none() {
                result.push(None);
                continue;
            }
            if !tensor {
                return Err(PyRuntimeError::new_err(format!(
                    "function {} returned a gradient different than None at position {}, but the corresponding forward \
                     input was not a Variable",
                    self.name,
                    i + 1
                )));
            }
            match unwrap(&value) {
                Some(t) => result.push(Some(t.clone())),
                None => {
                    return Err(PyRuntimeError::new_err(format!(
                        "expected Variable or None (got {})",
                        type_name(&value)
                    )));
                }
            }
        }
        Ok(result)
    }
}

fn zeros(meta: &OutMeta) -> Result<Tensor> {
    let t = Tensor::empty(&meta.sizes, meta.dtype, meta.device)?;
    if meta.device.is_cpu() && t.numel() > 0 {
        // SAFETY: a fresh block of this many bytes; zero bytes are a zero of every dtype.
        unsafe { std::ptr::write_bytes(t.data_ptr(), 0, t.numel() as usize * meta.dtype.size()) };
    }
    Ok(t)
}

fn all_tensors(args: &Bound<'_, PyTuple>, what: &str) -> PyResult<()> {
    for (i, a) in args.iter().enumerate() {
        if unwrap(&a).is_none() {
            return Err(PyRuntimeError::new_err(format!(
                "{what} can only accept variables, but argument {i} is of type {}",
                type_name(&a)
            )));
        }
    }
    Ok(())
}

#[pymethods]
impl PyFunction {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyClassInitializer<PyFunction> {
        let state = State { materialize: true, ..State::default() };
        PyClassInitializer::from(PyNode::empty()).add_subclass(PyFunction { state: Mutex::new(state) })
    }

    /// Keeps tensors for the backward pass; `None` is allowed. Call it at most once, in `forward` or `setup_context`.
    #[pyo3(signature = (*tensors))]
    fn save_for_backward(&self, tensors: &Bound<'_, PyTuple>) {
        let old = self.state.lock().to_save.replace(tensors.clone().unbind());
        drop(old);
    }

    /// Kept for forward mode, which has no use here.
    #[pyo3(signature = (*_tensors))]
    fn save_for_forward(&self, _tensors: &Bound<'_, PyTuple>) {}

    /// Says which inputs the forward pass wrote to; they must be returned.
    #[pyo3(signature = (*args))]
    fn mark_dirty(&self, args: &Bound<'_, PyTuple>) -> PyResult<()> {
        all_tensors(args, "mark_dirty")?;
        for a in args.iter() {
            if let Some(t) = unwrap(&a) {
                t.bump_version();
            }
        }
        let old = self.state.lock().dirty.replace(args.clone().unbind());
        drop(old);
        Ok(())
    }

    /// Says which outputs carry no gradient.
    #[pyo3(signature = (*args))]
    fn mark_non_differentiable(&self, args: &Bound<'_, PyTuple>) -> PyResult<()> {
        all_tensors(args, "mark_non_differentiable")?;
        let old = self.state.lock().non_differentiable.replace(args.clone().unbind());
        drop(old);
        Ok(())
    }

    /// Whether `backward` gets zeros (the default) or None for outputs without a gradient.
    fn set_materialize_grads(&self, value: bool) {
        self.state.lock().materialize = value;
    }

    #[getter]
    fn get_materialize_grads(&self) -> bool {
        self.state.lock().materialize
    }

    #[setter(materialize_grads)]
    fn set_materialize_attribute(&self, value: bool) {
        self.state.lock().materialize = value;
    }

    #[getter]
    fn needs_input_grad(&self, py: Python<'_>) -> Py<PyAny> {
        match &self.state.lock().needs_input_grad {
            Some(t) => t.clone_ref(py).into_any(),
            None => PyTuple::empty(py).into_any().unbind(),
        }
    }

    #[getter]
    fn to_save(&self, py: Python<'_>) -> Option<Py<PyTuple>> {
        self.state.lock().to_save.as_ref().map(|t| t.clone_ref(py))
    }

    #[getter]
    fn dirty_tensors(&self, py: Python<'_>) -> Option<Py<PyTuple>> {
        self.state.lock().dirty.as_ref().map(|t| t.clone_ref(py))
    }

    /// What `save_for_backward` was given. Refused when a tensor was written to since, or after it was freed.
    #[getter]
    fn saved_tensors<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        let node = slf.as_super().get().node();
        let state = slf.get().state.lock();
        if state.freed {
            return Err(PyRuntimeError::new_err(
                "Trying to backward through the graph a second time (or directly access saved tensors after they have \
                 already been freed). Saved intermediate values of the graph are freed when you call .backward() or \
                 autograd.grad(). Specify retain_graph=True if you need to backward through the graph a second time or if \
                 you need to access saved tensors after calling backward.",
            ));
        }
        let mut items = Vec::with_capacity(state.saved.len());
        for s in &state.saved {
            items.push(match (s, &node) {
                (Saved::Absent, _) => None,
                (s, Some(node)) => Some(s.unpack(Some(node)).py()?),
                // Only the context is left of the graph.
                (Saved::Input { tensor, .. }, None) => Some(tensor.clone()),
                (Saved::Output { alias, .. }, None) => Some(alias.detach()),
                (s @ Saved::Packed(_), None) => Some(s.unpack(None).py()?),
                (Saved::Released, None) => None,
            });
        }
        drop(state);
        let items = items.into_iter().map(|t| optional_tensor_out(py, t)).collect::<PyResult<Vec<_>>>()?;
        PyTuple::new(py, items)
    }

    /// The older name.
    #[getter]
    fn saved_variables<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        Self::saved_tensors(slf)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        if let Some(state) = self.state.try_lock() {
            for t in [&state.to_save, &state.dirty, &state.non_differentiable].into_iter().flatten() {
                visit.call(t)?;
            }
        }
        Ok(())
    }

    fn __clear__(&self) {
        let old = self.state.try_lock().map(|mut s| (s.to_save.take(), s.dirty.take(), s.non_differentiable.take()));
        drop(old);
    }

    /// Runs the function: `forward` without recording, then a node for its `backward`.
    #[classmethod]
    #[pyo3(signature = (*args, **kwargs))]
    fn apply<'py>(
        cls: &Bound<'py, PyType>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        apply(cls, args, kwargs)
    }
}

fn apply<'py>(
    cls: &Bound<'py, PyType>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = cls.py();
    let context = cls.getattr("_backward_cls")?.call0()?;
    let function = as_function(&context)?;
    let split = cls.getattr("_has_setup_context")?.is_truthy()?;
    let bound;
    let (mut args, mut kwargs) = (args, kwargs);
    if split {
        // `setup_context` sees the arguments with their defaults.
        let bind = cls.getattr("_bind_arguments")?;
        if !bind.is_none() {
            bound = bind.call(args, kwargs)?.cast_into::<PyTuple>()?;
            args = &bound;
            kwargs = None;
        }
    }
    let inputs: Vec<Option<Tensor>> = args.iter().map(|a| unwrap(&a).cloned()).collect();
    let records = grad_enabled() && inputs.iter().flatten().any(Tensor::requires_grad);
    let needs: Vec<bool> = inputs.iter().map(|t| t.as_ref().is_some_and(Tensor::requires_grad)).collect();
    {
        let mut state = function.get().state.lock();
        state.needs_input_grad = Some(PyTuple::new(py, &needs)?.unbind());
        state.is_tensor = inputs.iter().map(Option::is_some).collect();
    }
    let raw = {
        let _mode = GradGuard::new(false);
        let forward = cls.getattr("forward")?;
        if split {
            let out = forward.call(args, kwargs)?;
            cls.call_method1("setup_context", (&context, args, &out))?;
            out
        } else {
            let mut with_context = Vec::with_capacity(args.len() + 1);
            with_context.push(context.clone());
            with_context.extend(args.iter());
            forward.call(PyTuple::new(py, with_context)?, kwargs)?
        }
    };
    let (outputs, single) = match raw.cast::<PyTuple>() {
        Ok(t) => (t.clone(), false),
        Err(_) => (PyTuple::new(py, [raw])?, true),
    };
    let made = finish(cls, &context, function, &inputs, &outputs, records)?;
    if single { made.get_item(0) } else { Ok(made.into_any()) }
}

/// Gives the outputs their place in the graph and keeps what was saved.
fn finish<'py>(
    cls: &Bound<'py, PyType>,
    context: &Bound<'py, PyAny>,
    function: &Bound<'py, PyFunction>,
    inputs: &[Option<Tensor>],
    outputs: &Bound<'py, PyTuple>,
    records: bool,
) -> PyResult<Bound<'py, PyTuple>> {
    let py = cls.py();
    let (to_save, dirty, non_differentiable) = {
        let mut state = function.get().state.lock();
        (state.to_save.take(), state.dirty.take(), state.non_differentiable.take())
    };
    let list = |t: Option<Py<PyTuple>>| -> Vec<Tensor> {
        t.map(|t| t.bind(py).iter().filter_map(|o| unwrap(&o).cloned()).collect()).unwrap_or_default()
    };
    let (dirty, non_differentiable) = (list(dirty), list(non_differentiable));
    let contains = |list: &[Tensor], t: &Tensor| list.iter().any(|o| o.is(t));
    let raw: Vec<Option<Tensor>> = outputs.iter().map(|o| unwrap(&o).cloned()).collect();
    if !dirty.iter().all(|d| raw.iter().flatten().any(|o| o.is(d))) {
        return Err(PyRuntimeError::new_err(
            "Some elements marked as dirty during the forward method were not returned as output. The inputs that are \
             modified inplace must all be outputs of the Function.",
        ));
    }
    let node = if records { Some(make_node(cls, context, function, inputs, &raw)?) } else { None };
    let mut made: Vec<Option<Tensor>> = Vec::with_capacity(raw.len());
    let mut differentiable_outputs = 0;
    for (nr, output) in raw.iter().enumerate() {
        let Some(y) = output else {
            made.push(None);
            continue;
        };
        let is_input = inputs.iter().flatten().any(|x| x.is(y));
        let is_dirty = contains(&dirty, y);
        let differentiable = records && y.dtype().is_differentiable() && !contains(&non_differentiable, y);
        if differentiable {
            differentiable_outputs += 1;
        }
        made.push(Some(match &node {
            Some(node) if differentiable => place(py, node, nr as u32, y, is_input, is_dirty, outputs.len())?,
            _ if !y.requires_grad() => y.clone(),
            // An input that is returned as it is keeps its own state; the caller gets an alias outside the graph.
            _ if is_input && !is_dirty => y.detach(),
            _ => {
                if y.is_view() {
                    y.detach()
                } else {
                    y.detach_().map(|()| y.clone()).py()?
                }
            }
        }));
    }
    if differentiable_outputs > 1 {
        for y in made.iter().flatten().filter(|y| y.is_view()) {
            y.set_creation(Creation::MultiOutput);
        }
    }
    if let (Some(node), Some(to_save)) = (&node, to_save) {
        save(function, node, to_save.bind(py), &raw, &made)?;
    }
    let items = outputs
        .iter()
        .zip(made)
        .map(|(o, y)| match y {
            Some(y) => wrap(py, y),
            None => Ok(o),
        })
        .collect::<PyResult<Vec<_>>>()?;
    PyTuple::new(py, items)
}

fn make_node(
    cls: &Bound<'_, PyType>,
    context: &Bound<'_, PyAny>,
    function: &Bound<'_, PyFunction>,
    inputs: &[Option<Tensor>],
    raw: &[Option<Tensor>],
) -> PyResult<Shared<Node>> {
    let name = format!("{}Backward", cls.name()?);
    let holder = ContextHolder { context: Owned::new(context.clone()), name };
    // Outputs that are no tensors still have a place.
    let nothing = Tensor::empty(&[0], flambeau_core::DType::F32, flambeau_core::Device::CPU).py()?;
    let outs: Vec<&Tensor> = raw.iter().map(|t| t.as_ref().unwrap_or(&nothing)).collect();
    let ins: Vec<Option<&Tensor>> = inputs.iter().map(Option::as_ref).collect();
    let node = Node::custom(Box::new(holder), &ins, &outs);
    let base = function.as_super().get();
    let _ = base.link.set(Link::Weak(Shared::downgrade(&node)));
    let _ = base.edges.set(node.next().to_vec());
    function.get().state.lock().outputs = raw.iter().map(|t| t.as_ref().map(OutMeta::of)).collect();
    Ok(node)
}

/// Makes `y` output `nr` of the node.
fn place(
    py: Python<'_>,
    node: &Shared<Node>,
    nr: u32,
    y: &Tensor,
    is_input: bool,
    is_dirty: bool,
    outputs: usize,
) -> PyResult<Tensor> {
    if is_dirty {
        if y.is_leaf() && y.requires_grad() {
            return Err(PyRuntimeError::new_err(
                "a leaf Variable that requires grad has been used in an in-place operation.",
            ));
        }
        if !is_input {
            warn(py, c"Only input Tensors should be given to ctx.mark_dirty(). If a Tensor is not an input, there is no need to \
                  pass it to mark_dirty().")?;
        }
        if is_input && y.is_view() && outputs > 1 {
            return Err(PyRuntimeError::new_err(
                "If your Function modifies inplace an input that is a view of another Tensor, your Function cannot return \
                 more than one Tensor. This is not supported by the current autograd engine. You should either make sure \
                 the input is not a view (using .clone() for example) or make your Function only return one Tensor \
                 (potentially splitting it into two Functions: one doing the inplace that returns a single Tensor and a \
                 second one that does the other operations). You can ask on the forum https://discuss.pytorch.org/ if you \
                 need help to do this change.",
            ));
        }
        rebase(y, node.clone(), nr);
        return Ok(y.clone());
    }
    let y = if is_input {
        // Returned as it is: a view of it gets the new history.
        let _mode = GradGuard::new(false);
        view(&ViewOp::Alias, y).py()?
    } else {
        y.clone()
    };
    if y.is_view() {
        y.set_creation(Creation::Custom);
    }
    y.attach(node.clone(), nr);
    Ok(y)
}

fn save(
    function: &Bound<'_, PyFunction>,
    node: &Shared<Node>,
    to_save: &Bound<'_, PyTuple>,
    raw: &[Option<Tensor>],
    made: &[Option<Tensor>],
) -> PyResult<()> {
    let mut saved = Vec::with_capacity(to_save.len());
    for (i, obj) in to_save.iter().enumerate() {
        if obj.is_none() {
            saved.push(Saved::Absent);
            continue;
        }
        let Some(t) = unwrap(&obj) else {
            return Err(PyTypeError::new_err(format!(
                "save_for_backward can only save variables, but argument {i} is of type {}",
                type_name(&obj)
            )));
        };
        // An output is kept without its place in the graph, so that node and output do not keep each other alive.
        let place = raw.iter().position(|r| r.as_ref().is_some_and(|r| r.is(t)));
        saved.push(match place {
            Some(nr)
                if made[nr].as_ref().is_some_and(|m| m.is(t))
                    && t.grad_fn().is_some_and(|n| Shared::ptr_eq(&n, node)) =>
            {
                Saved::output(t, nr as u32).py()?
            }
            _ => Saved::input(t).py()?,
        });
    }
    function.get().state.lock().saved = saved;
    Ok(())
}

/// A node whose gradient nobody can take.
struct Delayed(String);

impl CustomBackward for Delayed {
    fn name(&self) -> String {
        "torch::autograd::Error".into()
    }

    fn backward(&self, _: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        Err(flambeau_core::Error::runtime(self.0.clone()))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Aliases of tensors; differentiating through them raises `RuntimeError(message)`.
#[pyfunction]
fn _delayed_error<'py>(message: String, tensors: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyTuple>> {
    let py = tensors.py();
    let mut items = Vec::with_capacity(tensors.len());
    for obj in tensors.iter() {
        items.push(match unwrap(&obj) {
            Some(t) if t.dtype().is_differentiable() => {
                let y = t.detach();
                let x = t.detach();
                x.set_requires_grad(true).py()?;
                y.attach(Node::custom(Box::new(Delayed(message.clone())), &[Some(&x)], &[&y]), 0);
                wrap(py, y)?
            }
            _ => obj,
        });
    }
    PyTuple::new(py, items)
}

/// Whether a mode that records is on, for `once_differentiable`.
#[pyfunction]
fn _any_requires_grad(tensors: &Bound<'_, PyTuple>) -> PyResult<bool> {
    if !autograd::grad_enabled() {
        return Ok(false);
    }
    Ok(tensors.iter().any(|o| unwrap(&o).is_some_and(Tensor::requires_grad)))
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PyFunction>()?;
    m.add_function(wrap_pyfunction!(_delayed_error, m)?)?;
    m.add_function(wrap_pyfunction!(_any_requires_grad, m)?)
}
