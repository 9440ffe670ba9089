//! `flambeau._C._optim`: optimizer steps over whole parameter groups.
//!
//! Each function returns `False`, with nothing changed, when a tensor is not one that the kernels take; the optimizer then
//! does the step tensor by tensor.

use flambeau_core::{Result, Tensor};
use flambeau_nn::optim::fused::{self, AdadeltaStep, AdamStep, RmspropStep, SgdStep};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::errors::IntoPyResult;
use crate::object::unwrap;

/// Elements above which other threads may run meanwhile.
const LONG: i64 = 1 << 16;

/// The tensors of a list; `None` if something else is in it.
fn tensors(list: &Bound<'_, PyList>) -> Option<Vec<Tensor>> {
    let mut out = Vec::with_capacity(list.len());
    for item in list {
        out.push(unwrap(&item)?.clone());
    }
    Some(out)
}

/// As [`tensors`]; outer `None` for a list that holds something else, inner `None` for an empty list.
fn state(list: &Bound<'_, PyList>) -> Option<Option<Vec<Tensor>>> {
    if list.is_empty() { Some(None) } else { tensors(list).map(Some) }
}

/// Runs a step; a long one with the interpreter's lock released, on handles that no other thread can change.
fn run<const N: usize>(
    py: Python<'_>,
    mut lists: [Option<Vec<Tensor>>; N],
    f: impl FnOnce([Option<&[Tensor]>; N]) -> Result<bool> + Send,
) -> PyResult<bool> {
    let total: i64 = lists[0].iter().flatten().map(Tensor::numel).sum();
    if total < LONG {
        return f(lists.each_ref().map(Option::as_deref)).py();
    }
    for t in lists.iter_mut().flatten().flatten() {
        if !t.is_inference() {
            *t = t.detach();
        }
    }
    py.detach(|| f(lists.each_ref().map(Option::as_deref))).py()
}

macro_rules! tensors {
    ($list:expr) => {
        match tensors($list) {
            Some(list) => Some(list),
            None => return Ok(false),
        }
    };
}

macro_rules! state {
    ($list:expr) => {
        match state($list) {
            Some(list) => list,
            None => return Ok(false),
        }
    };
}

/// One step of SGD; `momentum_buffers` is None without momentum, and holds anything at the first step.
#[pyfunction]
fn sgd_(
    py: Python<'_>,
    params: &Bound<'_, PyList>,
    grads: &Bound<'_, PyList>,
    momentum_buffers: Option<&Bound<'_, PyList>>,
    lr: f64,
    momentum: f64,
    dampening: f64,
    weight_decay: f64,
    nesterov: &Bound<'_, PyAny>,
    maximize: &Bound<'_, PyAny>,
    first_step: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let (nesterov, maximize, first) = (nesterov.is_truthy()?, maximize.is_truthy()?, first_step.is_truthy()?);
    let s = SgdStep { lr, momentum, dampening, weight_decay, nesterov, maximize, first };
    let buffers = match momentum_buffers {
        Some(list) => tensors!(list),
        None => None,
    };
    run(py, [tensors!(params), tensors!(grads), buffers], move |[p, g, b]| {
        fused::sgd_(p.unwrap_or_default(), g.unwrap_or_default(), b, &s)
    })
}

/// One step of Adam or, with `decoupled`, AdamW. `steps` count from 1.
#[pyfunction]
fn adam_(
    py: Python<'_>,
    params: &Bound<'_, PyList>,
    grads: &Bound<'_, PyList>,
    exp_avgs: &Bound<'_, PyList>,
    exp_avg_sqs: &Bound<'_, PyList>,
    max_exp_avg_sqs: &Bound<'_, PyList>,
    steps: Vec<f64>,
    lr: f64,
    beta1: f64,
    beta2: f64,
    eps: f64,
    weight_decay: f64,
    decoupled: &Bound<'_, PyAny>,
    amsgrad: &Bound<'_, PyAny>,
    maximize: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let (decoupled, maximize) = (decoupled.is_truthy()?, maximize.is_truthy()?);
    let s = AdamStep { lr, beta1, beta2, eps, weight_decay, decoupled, maximize, step: 0.0 };
    let largest = if amsgrad.is_truthy()? { tensors!(max_exp_avg_sqs) } else { None };
    let lists = [tensors!(params), tensors!(grads), tensors!(exp_avgs), tensors!(exp_avg_sqs), largest];
    run(py, lists, move |[p, g, m, v, l]| {
        let [p, g, m, v] = [p, g, m, v].map(Option::unwrap_or_default);
        fused::adam_(p, g, m, v, l, &steps, &s)
    })
}

/// One step of Adadelta.
#[pyfunction]
fn adadelta_(
    py: Python<'_>,
    params: &Bound<'_, PyList>,
    grads: &Bound<'_, PyList>,
    square_avgs: &Bound<'_, PyList>,
    acc_deltas: &Bound<'_, PyList>,
    lr: f64,
    rho: f64,
    eps: f64,
    weight_decay: f64,
    maximize: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let s = AdadeltaStep { lr, rho, eps, weight_decay, maximize: maximize.is_truthy()? };
    let lists = [tensors!(params), tensors!(grads), tensors!(square_avgs), tensors!(acc_deltas)];
    run(py, lists, move |lists| {
        let [p, g, v, u] = lists.map(Option::unwrap_or_default);
        fused::adadelta_(p, g, v, u, &s)
    })
}

/// One step of RMSprop; `momentum_buffers` and `grad_avgs` are empty where not used.
#[pyfunction]
fn rmsprop_(
    py: Python<'_>,
    params: &Bound<'_, PyList>,
    grads: &Bound<'_, PyList>,
    square_avgs: &Bound<'_, PyList>,
    momentum_buffers: &Bound<'_, PyList>,
    grad_avgs: &Bound<'_, PyList>,
    lr: f64,
    alpha: f64,
    eps: f64,
    weight_decay: f64,
    momentum: f64,
    centered: &Bound<'_, PyAny>,
    maximize: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let s = RmspropStep { lr, alpha, eps, weight_decay, momentum, maximize: maximize.is_truthy()? };
    let velocities = if momentum > 0.0 { state!(momentum_buffers) } else { None };
    let means = if centered.is_truthy()? { state!(grad_avgs) } else { None };
    let lists = [tensors!(params), tensors!(grads), tensors!(square_avgs), velocities, means];
    run(py, lists, move |[p, g, v, b, m]| {
        let [p, g, v] = [p, g, v].map(Option::unwrap_or_default);
        fused::rmsprop_(p, g, v, b, m, &s)
    })
}

/// Puts the functions into a namespace of their own, `_optim`.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    let optim = PyModule::new(m.py(), "_optim")?;
    optim.add_function(wrap_pyfunction!(sgd_, &optim)?)?;
    optim.add_function(wrap_pyfunction!(adam_, &optim)?)?;
    optim.add_function(wrap_pyfunction!(adadelta_, &optim)?)?;
    optim.add_function(wrap_pyfunction!(rmsprop_, &optim)?)?;
    m.add_submodule(&optim)
}
