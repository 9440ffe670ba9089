//! Whole optimizer steps in one pass over memory, in place, for groups of plain tensors.
//!
//! Every function returns `Ok(false)`, with nothing changed, when a tensor is not one that the kernels take: float32 or
//! float64 on the CPU, without gaps, everything that belongs to one parameter with its sizes, strides and dtype and in memory
//! of its own. The caller then does the step tensor by tensor.

use std::borrow::Borrow;

pub use flambeau_core::backend::{AdadeltaStep, AdamStep, RmspropStep, SgdStep};
use flambeau_core::backend::{Backend, Raw};
use flambeau_core::device::backend;
use flambeau_core::layout::is_non_overlapping_and_dense;
use flambeau_core::{DType, Device, Result, Tensor, check};

/// Whether tensors that belong to one parameter can be handed to a kernel.
fn plain(ts: &[&Tensor]) -> bool {
    let p = ts[0];
    if !matches!(p.dtype(), DType::F32 | DType::F64) || !p.device().is_cpu() || p.is_inference() {
        return false;
    }
    if !p.is_contiguous() && !is_non_overlapping_and_dense(p.sizes(), p.strides()) {
        return false;
    }
    let bytes = p.numel() as usize * p.dtype().size();
    ts.iter().enumerate().skip(1).all(|(i, t)| {
        t.dtype() == p.dtype()
            && t.device().is_cpu()
            && t.sizes() == p.sizes()
            && (t.strides() == p.strides() || t.is_contiguous() && p.is_contiguous())
            && ts[..i].iter().all(|other| {
                let (a, b) = (t.data_ptr() as usize, other.data_ptr() as usize);
                a.abs_diff(b) >= bytes
            })
    })
}

/// One parameter's tensors: the parameter, its gradient, its state.
fn row<T: Borrow<Tensor>, const N: usize>(columns: [&[T]; N], i: usize) -> [&Tensor; N] {
    columns.map(|c| c[i].borrow())
}

/// Checks all parameters before any is changed, then runs `step` on each and counts the writes.
fn each<T: Borrow<Tensor>, const N: usize>(
    columns: [&[T]; N],
    mut step: impl FnMut(&dyn Backend, usize, [Raw; N]) -> Result<()>,
) -> Result<bool> {
    let n = columns[0].len();
    check!(
        columns.iter().all(|c| c.len() == n),
        Runtime,
        "an optimizer step needs one gradient and one state tensor for each of {n} parameters"
    );
    if !(0..n).all(|i| plain(&row(columns, i))) {
        return Ok(false);
    }
    flambeau_ops::init();
    let cpu = backend(Device::CPU)?;
    for i in 0..n {
        let ts = row(columns, i);
        step(cpu, i, ts.map(Tensor::raw))?;
        for (k, t) in ts.iter().enumerate() {
            if k != 1 {
                t.bump_version();
            }
        }
    }
    Ok(true)
}

/// SGD. `buffers` are needed when `s.momentum` is not zero; with `s.first` they may be uninitialised.
///
/// # Errors
/// `Runtime` when the lists differ in length.
pub fn sgd_<T: Borrow<Tensor>>(params: &[T], grads: &[T], buffers: Option<&[T]>, s: &SgdStep) -> Result<bool> {
    match buffers {
        None => each([params, grads], |cpu, _, [p, g]| cpu.sgd(s, p, g, None)),
        Some(buffers) => each([params, grads, buffers], |cpu, _, [p, g, b]| cpu.sgd(s, p, g, Some(b))),
    }
}

/// Adam, or AdamW with `s.decoupled`. `largest` are the running maxima of amsgrad; `steps` says for each parameter which
/// step this is, from 1 (`s.step` is not used).
///
/// # Errors
/// `Runtime` when the lists differ in length.
pub fn adam_<T: Borrow<Tensor>>(
    params: &[T],
    grads: &[T],
    means: &[T],
    squares: &[T],
    largest: Option<&[T]>,
    steps: &[f64],
    s: &AdamStep,
) -> Result<bool> {
    check!(steps.len() == params.len(), Runtime, "adam_ needs a step count for each parameter");
    let at = |i: usize| AdamStep { step: steps[i], ..*s };
    match largest {
        None => each([params, grads, means, squares], |cpu, i, [p, g, m, v]| cpu.adam(&at(i), p, g, m, v, None)),
        Some(largest) => each([params, grads, means, squares, largest], |cpu, i, [p, g, m, v, l]| {
            cpu.adam(&at(i), p, g, m, v, Some(l))
        }),
    }
}

/// Adadelta.
///
/// # Errors
/// `Runtime` when the lists differ in length.
pub fn adadelta_<T: Borrow<Tensor>>(
    params: &[T],
    grads: &[T],
    squares: &[T],
    moved: &[T],
    s: &AdadeltaStep,
) -> Result<bool> {
    each([params, grads, squares, moved], |cpu, _, [p, g, v, u]| cpu.adadelta(s, p, g, v, u))
}

/// RMSprop; centered when `means` are given, with momentum when `velocities` are.
///
/// # Errors
/// `Runtime` when the lists differ in length.
pub fn rmsprop_<T: Borrow<Tensor>>(
    params: &[T],
    grads: &[T],
    squares: &[T],
    velocities: Option<&[T]>,
    means: Option<&[T]>,
    s: &RmspropStep,
) -> Result<bool> {
    match (means, velocities) {
        (None, None) => each([params, grads, squares], |cpu, _, [p, g, v]| cpu.rmsprop(s, p, g, v, None, None)),
        (Some(means), None) => {
            each([params, grads, squares, means], |cpu, _, [p, g, v, m]| cpu.rmsprop(s, p, g, v, Some(m), None))
        }
        (None, Some(velocities)) => {
            each([params, grads, squares, velocities], |cpu, _, [p, g, v, b]| cpu.rmsprop(s, p, g, v, None, Some(b)))
        }
        (Some(means), Some(velocities)) => {
            each([params, grads, squares, means, velocities], |cpu, _, [p, g, v, m, b]| {
                cpu.rmsprop(s, p, g, v, Some(m), Some(b))
            })
        }
    }
}
