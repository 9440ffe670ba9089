//! The one boundary that every operation crosses.

mod label;
mod record;
mod views;
mod write;

use smallvec::SmallVec;

use crate::autograd;
use crate::device::backend;
use crate::error::{Error, Result};
use crate::explain::explain;
use crate::op::{Inputs, Kind, Meta, OpDef, Outs, Params};
use crate::quick::quick;
use crate::tensor::Tensor;

use record::{record_outputs, wants_record};
pub use views::{view, view_named, views, views_to_change};
pub use write::{call_inplace, call_out, check_inplace, resize, resize_output};

/// Work above which a front end may let other threads run meanwhile, in bytes touched.
const LONG_BYTES: i64 = 256 << 10;

/// Set by a front end: runs a long kernel with its global lock released.
static UNLOCKED: std::sync::OnceLock<fn(&mut (dyn FnMut() + Send))> = std::sync::OnceLock::new();

/// Installs the front end's way to release its global lock around a kernel.
pub fn set_unlock(f: fn(&mut (dyn FnMut() + Send))) {
    let _ = UNLOCKED.set(f);
}

/// Runs `f` with the front end's global lock released, if there is one.
pub(crate) fn unlocked(f: &mut (dyn FnMut() + Send)) {
    match UNLOCKED.get() {
        Some(release) => release(f),
        None => f(),
    }
}

/// Runs an operation: shapes, kernel, record.
pub fn call(op: &'static OpDef, x: Inputs, p: Params) -> Result<Outs> {
    match op.kind {
        Kind::Kernel { infer, .. } => {
            if let Some(kernel) = op.quick
                && let Some(y) = quick(kernel, x, &p)?
            {
                if wants_record(op, x) {
                    record_outputs(op, x, std::slice::from_ref(&y), p)?;
                }
                let mut outs = Outs::new();
                outs.push(y);
                return Ok(outs);
            }
            let metas = infer(x, &p).map_err(|e| explain(op, x, e))?;
            let mut outs = Outs::new();
            for m in &metas {
                outs.push(allocate(m)?);
            }
            execute(op, x, &outs, &p)?;
            if wants_record(op, x) {
                record_outputs(op, x, &outs, p)?;
            }
            Ok(outs)
        }
        Kind::View(make) => {
            let base = x[0].ok_or_else(|| absent(op))?;
            let made = make(base, &p)
                .and_then(|view_op| {
                    let name = if op.node.is_empty() { autograd::view_name(&view_op) } else { op.node };
                    views::view_named(&view_op, base, name)
                })
                .map_err(|e| explain(op, x, e))?;
            Ok(smallvec::smallvec![made])
        }
        Kind::Composite(f) => {
            let outs = f(x, &p).map_err(|e| explain(op, x, e))?;
            let name = op.label.map_or(op.node, |f| f(x, &p));
            if !name.is_empty() {
                label::label(op, name, x, &outs);
            }
            Ok(outs)
        }
    }
}

/// [`call`] for operations with one result.
pub fn call1(op: &'static OpDef, x: Inputs, p: Params) -> Result<Tensor> {
    if let Some(kernel) = op.quick
        && let Some(y) = quick(kernel, x, &p)?
    {
        if wants_record(op, x) {
            record_outputs(op, x, std::slice::from_ref(&y), p)?;
        }
        return Ok(y);
    }
    call(op, x, p).map(|mut outs| outs.swap_remove(0))
}

#[cold]
fn absent(op: &OpDef) -> Error {
    Error::type_error(format!("{}(): a required tensor argument is None", op.name))
}

#[inline]
fn allocate(m: &Meta) -> Result<Tensor> {
    match &m.strides {
        None => Tensor::empty(&m.sizes, m.dtype, m.device),
        Some(s) => Tensor::empty_strided(&m.sizes, s, m.dtype, m.device),
    }
}

/// Runs the kernel; on the meta device there is nothing to do.
#[inline]
fn execute(op: &'static OpDef, x: Inputs, outs: &[Tensor], p: &Params) -> Result<()> {
    let Kind::Kernel { run, .. } = op.kind else { return Err(absent(op)) };
    let device = outs.first().map_or(crate::Device::CPU, Tensor::device);
    if device.is_meta() {
        return Ok(());
    }
    let mut bytes = 0;
    for t in x.iter().flatten() {
        check_device(t, device)?;
        bytes += t.numel() * t.dtype().size() as i64;
    }
    // A kernel is pure: where its outputs have no elements there is nothing to run.
    let mut elements = 0;
    for t in outs {
        elements += t.numel();
        bytes += t.numel() * t.dtype().size() as i64;
    }
    if elements == 0 {
        return Ok(());
    }
    let backend = backend(device)?;
    if bytes > LONG_BYTES
        && let Some(unlocked) = UNLOCKED.get()
    {
        // Other threads may change a tensor's layout meanwhile: the kernel works on handles of its own.
        let own: SmallVec<[Option<Tensor>; 4]> = x.iter().map(|t| t.map(Tensor::detach)).collect();
        let own_outs: SmallVec<[Tensor; 2]> = outs.iter().map(Tensor::detach).collect();
        let refs: SmallVec<[Option<&Tensor>; 4]> = own.iter().map(Option::as_ref).collect();
        let mut result = Ok(());
        unlocked(&mut || result = run(backend, &refs, &own_outs, p));
        return result;
    }
    run(backend, x, outs, p)
}

/// An operand is on the device of a call, or is a CPU tensor without dimensions, which may join any.
#[inline]
pub fn check_device(t: &Tensor, device: crate::Device) -> Result<()> {
    if t.device() == device || (t.ndim() == 0 && t.device().is_cpu()) {
        return Ok(());
    }
    Err(mixed_devices(device, t.device()))
}

#[cold]
fn mixed_devices(a: crate::Device, b: crate::Device) -> Error {
    Error::runtime(format!(
        "Expected all tensors to be on the same device, but found at least two devices, {a} and {b}!"
    ))
}
