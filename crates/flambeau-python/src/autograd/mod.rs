//! The autograd engine as Python sees it: attributes and methods of tensors, `grad_fn` objects, hooks, modes, and
//! `autograd.Function`.

mod anomaly;
mod attributes;
mod function;
mod hooks;
mod modes;
mod node;
mod packing;
mod passes;

use std::sync::Once;

use flambeau_core::Tensor;
use flambeau_core::autograd::{self as engine, Target};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::ffi::{PyGetSetDef, PyMethodDef};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyTuple};

use crate::bridge::{flag, optional_tensor_out, type_name};
use crate::errors::{IntoPyResult, warn, warn_once};
use crate::object::{self, expect, unwrap, wrap};
use crate::{getter, method};

/// Arguments of a method with optional positional parameters, by name.
struct Given<'a, 'py> {
    args: &'a Bound<'py, PyTuple>,
    kwargs: Option<&'a Bound<'py, PyDict>>,
}

impl<'py> Given<'_, 'py> {
    /// The argument at a position or under a name; `None` is as good as absent.
    fn get(&self, i: usize, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let value = match self.args.get_item(i) {
            Ok(v) => Some(v),
            Err(_) => self.kwargs.map_or(Ok(None), |k| k.get_item(name))?,
        };
        Ok(value.filter(|v| !v.is_none()))
    }

    fn check(&self, function: &str, names: &[&str]) -> PyResult<()> {
        if self.args.len() > names.len() {
            return Err(PyTypeError::new_err(format!(
                "{function}() takes at most {} arguments ({} given)",
                names.len(),
                self.args.len()
            )));
        }
        for (key, _) in self.kwargs.into_iter().flatten() {
            let key = key.extract::<String>()?;
            if !names.contains(&key.as_str()) {
                return Err(PyTypeError::new_err(format!(
                    "Tensor.{function}() got an unexpected keyword argument '{key}'"
                )));
            }
        }
        Ok(())
    }
}

/// A tensor or an edge of the graph (`(node, output_nr)`), if it is one.
fn target(obj: &Bound<'_, PyAny>) -> PyResult<Option<Target>> {
    if let Some(t) = unwrap(obj) {
        return Ok(Some(Target::Tensor(t.clone())));
    }
    match obj.cast::<PyTuple>() {
        Ok(pair) if pair.len() >= 2 => Ok(node::edge(&pair.get_item(0)?, &pair.get_item(1)?)?.map(Target::Edge)),
        _ => Ok(None),
    }
}

/// A tensor or an edge, or a sequence of them.
fn target_list(obj: &Bound<'_, PyAny>) -> PyResult<Vec<Target>> {
    if let Some(one) = target(obj)? {
        return Ok(vec![one]);
    }
    let mut out = Vec::new();
    for item in obj.try_iter()? {
        let item = item?;
        match target(&item)? {
            Some(one) => out.push(one),
            None => {
                return Err(PyTypeError::new_err(format!("expected a Tensor, but got {}", type_name(&item))));
            }
        }
    }
    Ok(out)
}

/// `None`, a tensor, or a sequence of tensors and `None`.
fn seeds(obj: Option<&Bound<'_, PyAny>>, n: usize) -> PyResult<Vec<Option<Tensor>>> {
    let Some(obj) = obj else { return Ok(vec![None; n]) };
    if let Some(t) = unwrap(obj) {
        return Ok(vec![Some(t.clone())]);
    }
    let mut out = Vec::new();
    for item in obj.try_iter()? {
        let item = item?;
        match unwrap(&item) {
            Some(t) => out.push(Some(t.clone())),
            None if item.is_none() => out.push(None),
            None => {
                return Err(PyTypeError::new_err(format!(
                    "gradients can be either Tensors or None, but got {}",
                    type_name(&item)
                )));
            }
        }
    }
    Ok(out)
}

fn same_number(tensors: usize, grads: usize) -> PyResult<()> {
    if tensors != grads {
        return Err(PyRuntimeError::new_err(format!("got {tensors} tensors and {grads} gradients")));
    }
    Ok(())
}

/// What PyTorch says about gradients that keep the graph, and with it themselves, alive.
fn warn_cycle(py: Python<'_>, create_graph: bool) -> PyResult<()> {
    static ONCE: Once = Once::new();
    if !create_graph {
        return Ok(());
    }
    warn_once(py, &ONCE, c"Using backward() with create_graph=True will create a reference cycle between the parameter and its gradient which \
          can cause a memory leak. We recommend using autograd.grad when creating the graph to avoid this. If you have to use \
          this function, make sure to reset the .grad fields of your parameters to None after use to break the cycle and \
          avoid the leak.")
}

/// `backward(gradient=None, retain_graph=None, create_graph=False, inputs=None)`
fn backward<'py>(
    slf: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    let t = expect(slf, "backward", "self")?.clone();
    if args.is_empty() && kwargs.is_none() {
        engine::backward(std::slice::from_ref(&t), &[None], false, false, None).py()?;
        return Ok(py.None().into_bound(py));
    }
    let given = Given { args, kwargs };
    given.check("backward", &["gradient", "retain_graph", "create_graph", "inputs"])?;
    let grads = seeds(given.get(0, "gradient")?.as_ref(), 1)?;
    same_number(1, grads.len())?;
    let create = flag(given.get(2, "create_graph")?.as_ref(), false)?;
    let retain = flag(given.get(1, "retain_graph")?.as_ref(), create)?;
    let inputs = given.get(3, "inputs")?.map(|i| wanted(&i, "backward")).transpose()?;
    warn_cycle(py, create)?;
    engine::backward_from(&[Target::Tensor(t)], &grads, retain, create, inputs.as_deref()).py()?;
    Ok(py.None().into_bound(py))
}

fn wanted(obj: &Bound<'_, PyAny>, function: &str) -> PyResult<Vec<Target>> {
    let list = target_list(obj)?;
    if list.is_empty() {
        return Err(PyRuntimeError::new_err(format!("`inputs` argument to `{function}()` cannot be empty.")));
    }
    Ok(list)
}

/// backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None)
///
/// Adds the gradients of `tensors` into the leaves' `.grad`, or into that of `inputs` only.
#[pyfunction]
#[pyo3(signature = (tensors, grad_tensors = None, retain_graph = None, create_graph = false, grad_variables = None, inputs = None))]
fn _backward(
    tensors: &Bound<'_, PyAny>,
    grad_tensors: Option<&Bound<'_, PyAny>>,
    retain_graph: Option<bool>,
    create_graph: bool,
    grad_variables: Option<&Bound<'_, PyAny>>,
    inputs: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let roots = target_list(tensors)?;
    let mut grads = seeds(grad_tensors.or(grad_variables), roots.len())?;
    grads.truncate(roots.len());
    same_number(roots.len(), grads.len())?;
    let inputs = inputs.map(|i| wanted(i, "backward")).transpose()?;
    warn_cycle(tensors.py(), create_graph)?;
    engine::backward_from(&roots, &grads, retain_graph.unwrap_or(create_graph), create_graph, inputs.as_deref()).py()
}

/// grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, allow_unused=None) -> tuple
///
/// The gradients of `outputs` for `inputs`, without touching any `.grad`.
#[pyfunction]
#[pyo3(signature = (outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused))]
fn _grad<'py>(
    outputs: &Bound<'py, PyAny>,
    inputs: &Bound<'py, PyAny>,
    grad_outputs: Option<&Bound<'py, PyAny>>,
    retain_graph: Option<bool>,
    create_graph: bool,
    allow_unused: bool,
) -> PyResult<Bound<'py, PyTuple>> {
    let py = outputs.py();
    let roots = target_list(outputs)?;
    let grads = seeds(grad_outputs, roots.len())?;
    same_number(roots.len(), grads.len())?;
    let inputs = wanted(inputs, "grad")?;
    let retain = retain_graph.unwrap_or(create_graph);
    let got = engine::grad_between(&roots, &grads, &inputs, retain, create_graph, allow_unused).py()?;
    let items = got.into_iter().map(|g| optional_tensor_out(py, g)).collect::<PyResult<Vec<_>>>()?;
    PyTuple::new(py, items)
}

/// The attribute of a tensor's dictionary that holds hooks, made when first asked for. Says whether it is new.
///
/// A write in place gives a tensor another node: hooks that come later are that one's, and get a dictionary of their own.
fn hook_dict<'py>(slf: &Bound<'py, PyAny>, t: &Tensor, name: &str) -> PyResult<(Bound<'py, PyAny>, bool)> {
    match slf.getattr(name) {
        Ok(d) if !d.is_none() && t.has_hook(&mut |h| hooks::is_of(h, &d)) => Ok((d, false)),
        _ => {
            let d = node::ordered_dict(slf.py())?;
            slf.setattr(name, &d)?;
            Ok((d, true))
        }
    }
}

fn only_argument<'py>(
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
    function: &str,
    name: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let given = Given { args, kwargs };
    given.check(function, &[name])?;
    given.get(0, name)?.ok_or_else(|| {
        PyTypeError::new_err(format!("Tensor.{function}() missing 1 required positional argument: '{name}'"))
    })
}

/// `register_hook(hook)`: calls `hook(grad)` when the gradient is known; it may return another gradient.
fn register_hook<'py>(
    slf: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let hook = only_argument(args, kwargs, "register_hook", "hook")?;
    let t = expect(slf, "register_hook", "self")?;
    if !t.requires_grad() {
        return Err(PyRuntimeError::new_err("cannot register a hook on a tensor that doesn't require gradient"));
    }
    let (dict, new) = hook_dict(slf, t, "_backward_hooks")?;
    if new {
        t.register_hook(hooks::tensor_hook(dict.clone())).py()?;
        object::track(slf);
    }
    node::add_to(&dict, &hook)
}

/// `register_post_accumulate_grad_hook(hook)`: calls `hook(tensor)` after `.grad` of this leaf was updated.
fn register_post_accumulate_grad_hook<'py>(
    slf: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let hook = only_argument(args, kwargs, "register_post_accumulate_grad_hook", "hook")?;
    let t = expect(slf, "register_post_accumulate_grad_hook", "self")?;
    if !t.requires_grad() {
        return Err(PyRuntimeError::new_err("cannot register a hook on a tensor that doesn't require gradient"));
    }
    if !t.is_leaf() {
        return Err(PyRuntimeError::new_err("post accumulate grad hooks cannot be registered on non-leaf tensors"));
    }
    let (dict, new) = hook_dict(slf, t, "_post_accumulate_grad_hooks")?;
    if new {
        t.register_post_accumulate_grad_hook(hooks::post_accumulate_hook(dict.clone())).py()?;
        object::track(slf);
    }
    node::add_to(&dict, &hook)
}

fn retain_grad<'py>(
    slf: &Bound<'py, PyAny>,
    _: &Bound<'py, PyTuple>,
    _: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    expect(slf, "retain_grad", "self")?.retain_grad().py()?;
    Ok(slf.py().None().into_bound(slf.py()))
}

fn detach<'py>(
    slf: &Bound<'py, PyAny>,
    _: &Bound<'py, PyTuple>,
    _: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    wrap(slf.py(), expect(slf, "detach", "self")?.detach())
}

fn detach_<'py>(
    slf: &Bound<'py, PyAny>,
    _: &Bound<'py, PyTuple>,
    _: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    expect(slf, "detach_", "self")?.detach_().py()?;
    Ok(slf.clone())
}

/// `requires_grad_(requires_grad=True)`
fn requires_grad_<'py>(
    slf: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let t = expect(slf, "requires_grad_", "self")?;
    let given = Given { args, kwargs };
    given.check("requires_grad_", &["requires_grad"])?;
    let on = match given.get(0, "requires_grad")? {
        None => true,
        Some(v) => match v.cast::<PyBool>() {
            Ok(b) => b.is_true(),
            Err(_) => {
                return Err(PyTypeError::new_err(format!(
                    "requires_grad_(): argument 'requires_grad' (position 1) must be bool, not {}",
                    type_name(&v)
                )));
            }
        },
    };
    if on && t.is_leaf() && !t.dtype().is_differentiable() {
        return Err(PyRuntimeError::new_err("only Tensors of floating point dtype can require gradients"));
    }
    t.set_requires_grad(on).py()?;
    Ok(slf.clone())
}

fn to_bool<'py>(slf: &Bound<'py, PyAny>, v: bool) -> PyResult<Bound<'py, PyAny>> {
    Ok(PyBool::new(slf.py(), v).to_owned().into_any())
}

fn requires_grad<'py>(slf: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    to_bool(slf, expect(slf, "requires_grad", "self")?.requires_grad())
}

fn set_requires_grad<'py>(slf: &Bound<'py, PyAny>, value: Option<&Bound<'py, PyAny>>) -> PyResult<()> {
    let t = expect(slf, "requires_grad", "self")?;
    match value.map(|v| v.cast::<PyBool>()) {
        Some(Ok(on)) => t.set_requires_grad(on.is_true()).py(),
        _ => Err(PyRuntimeError::new_err("requires_grad must be a bool")),
    }
}

fn is_leaf<'py>(slf: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    to_bool(slf, expect(slf, "is_leaf", "self")?.is_leaf())
}

fn retains_grad<'py>(slf: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    to_bool(slf, expect(slf, "retains_grad", "self")?.retains_grad())
}

fn output_nr<'py>(slf: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    Ok(expect(slf, "output_nr", "self")?.output_nr().into_pyobject(slf.py())?.into_any())
}

fn version<'py>(slf: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let t = expect(slf, "_version", "self")?;
    if t.is_inference() {
        return Err(PyRuntimeError::new_err("Inference tensors do not track version counter."));
    }
    Ok(t.version().into_pyobject(slf.py())?.into_any())
}

fn base<'py>(slf: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    optional_tensor_out(slf.py(), expect(slf, "_base", "self")?.base())
}

fn grad_fn<'py>(slf: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    match expect(slf, "grad_fn", "self")?.try_grad_fn().py()? {
        Some(n) => node::object(slf.py(), &n),
        None => Ok(slf.py().None().into_bound(slf.py())),
    }
}

fn grad<'py>(slf: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    match object::grad(slf)? {
        Some(g) => Ok(g),
        None => {
            let t = expect(slf, "grad", "self")?;
            if t.requires_grad() && !t.retains_grad() && !t.is_leaf() {
                warn(py, c"The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't \
                      be populated during autograd.backward(). If you indeed want the .grad field to be populated for a \
                      non-leaf Tensor, use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by \
                      mistake, make sure you access the leaf Tensor instead. See github.com/pytorch/pytorch/pull/30531 for \
                      more information.")?;
            }
            Ok(py.None().into_bound(py))
        }
    }
}

fn set_grad<'py>(slf: &Bound<'py, PyAny>, value: Option<&Bound<'py, PyAny>>) -> PyResult<()> {
    let t = expect(slf, "grad", "self")?;
    let new = match value {
        Some(v) if !v.is_none() => match unwrap(v) {
            Some(g) => Some(g.clone()),
            None => {
                return Err(PyTypeError::new_err(format!(
                    "assigned grad expected to be a Tensor or None but got grad of type {}",
                    type_name(v)
                )));
            }
        },
        _ => None,
    };
    t.set_grad(new).py()?;
    // Looks the object up again, so that the old one is let go.
    object::grad(slf).map(|_| ())
}

fn name<'py>(slf: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    Ok(slf.py().None().into_bound(slf.py()))
}

/// Methods of `Tensor` that this module gives.
pub fn methods() -> Vec<PyMethodDef> {
    vec![
        method!(
            c"backward",
            backward,
            c"backward(gradient=None, retain_graph=None, create_graph=False, inputs=None)\n\nAdds this tensor's gradients into \
              the leaves' .grad, or into that of inputs only."
        ),
        method!(
            c"register_hook",
            register_hook,
            c"register_hook(hook) -> RemovableHandle\n\nCalls hook(grad) when the gradient is known; it may return another one."
        ),
        method!(
            c"register_post_accumulate_grad_hook",
            register_post_accumulate_grad_hook,
            c"register_post_accumulate_grad_hook(hook) -> RemovableHandle\n\nCalls hook(tensor) after .grad of this leaf was \
              updated."
        ),
        method!(c"retain_grad", retain_grad, c"retain_grad()\n\nKeeps .grad of a tensor that is not a leaf."),
        method!(c"detach", detach, c"detach() -> Tensor\n\nThe same memory outside the graph."),
        method!(c"detach_", detach_, c"detach_() -> Tensor\n\nLeaves the graph in place."),
        method!(
            c"requires_grad_",
            requires_grad_,
            c"requires_grad_(requires_grad=True) -> Tensor\n\nSays whether operations on this leaf are recorded."
        ),
    ]
}

/// Attributes of `Tensor` that this module gives.
pub fn getters() -> Vec<PyGetSetDef> {
    vec![
        getter!(c"requires_grad", requires_grad, set_requires_grad),
        getter!(c"is_leaf", is_leaf),
        getter!(c"retains_grad", retains_grad),
        getter!(c"output_nr", output_nr),
        getter!(c"_version", version),
        getter!(c"_base", base),
        getter!(c"grad_fn", grad_fn),
        getter!(c"grad", grad, set_grad),
        getter!(c"name", name),
    ]
}

/// Whether operations are recorded now.
#[pyfunction]
fn is_grad_enabled() -> bool {
    engine::grad_enabled()
}

#[pyfunction]
fn is_inference_mode_enabled() -> bool {
    engine::inference_mode()
}

/// Whether a tensor was made in inference mode.
#[pyfunction]
fn is_inference(input: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(expect(input, "is_inference", "input")?.is_inference())
}

/// Counts a write that was made by other means.
#[pyfunction]
fn _bump_version(tensor: &Bound<'_, PyAny>) -> PyResult<()> {
    expect(tensor, "increment_version", "tensor")?.bump_version();
    Ok(())
}

#[pyfunction]
fn is_anomaly_enabled() -> bool {
    engine::anomaly_mode()
}

#[pyfunction]
fn is_anomaly_check_nan_enabled() -> bool {
    engine::anomaly_check_nan()
}

#[pyfunction]
#[pyo3(signature = (on, check_nan = true))]
fn _set_anomaly_enabled(on: bool, check_nan: bool) {
    engine::set_anomaly_mode(on, check_nan);
}

#[pyfunction]
fn _set_grad_enabled(on: bool) {
    engine::set_grad_enabled(on);
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    node::register(m)?;
    function::register(m)?;
    modes::register(m)?;
    packing::register(m)?;
    passes::register(m)?;
    anomaly::install();
    m.add_function(wrap_pyfunction!(_backward, m)?)?;
    m.add_function(wrap_pyfunction!(node::_show_as, m)?)?;
    m.add_function(wrap_pyfunction!(_grad, m)?)?;
    m.add_function(wrap_pyfunction!(is_grad_enabled, m)?)?;
    m.add_function(wrap_pyfunction!(is_inference_mode_enabled, m)?)?;
    m.add_function(wrap_pyfunction!(is_inference, m)?)?;
    m.add_function(wrap_pyfunction!(_bump_version, m)?)?;
    m.add_function(wrap_pyfunction!(is_anomaly_enabled, m)?)?;
    m.add_function(wrap_pyfunction!(is_anomaly_check_nan_enabled, m)?)?;
    m.add_function(wrap_pyfunction!(_set_anomaly_enabled, m)?)?;
    m.add_function(wrap_pyfunction!(_set_grad_enabled, m)?)
}
