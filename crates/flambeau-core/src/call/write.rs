//! The same operations written into tensors that exist: in place, and `out=`.

use smallvec::SmallVec;

use super::label::operand_edges;
use super::record::{before_write, pack_outputs, record, wants_record};
use super::{absent, allocate, call, execute};
use crate::autograd::{self, Creation};
use crate::device::backend;
use crate::dtype::can_cast;
use crate::error::{Error, Result};
use crate::explain::{explain, explain_inplace};
use crate::intrinsics::intrinsics;
use crate::layout::{self, Dims};
use crate::op::{Inputs, Kind, Meta, OpDef, Outs, Params};
use crate::shared::Shared;
use crate::tensor::{Tensor, flag};

/// Refuses writes that autograd could not follow, with PyTorch's words.
pub fn check_inplace(t: &Tensor) -> Result<()> {
    check_write(t, false)
}

fn check_inference(t: &Tensor) -> Result<()> {
    crate::check!(
        !t.is_inference() || autograd::inference_mode(),
        Runtime,
        "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a normal tensor \
         before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details."
    );
    Ok(())
}

/// [`check_inplace`]; `others` says whether what is written requires a gradient.
fn check_write(t: &Tensor, others: bool) -> Result<()> {
    check_inference(t)?;
    autograd::before_write(t)?;
    if !autograd::grad_enabled() {
        return Ok(());
    }
    if t.is_view() {
        let requires_grad = t.requires_grad();
        let view = t.meta_opt().and_then(|m| m.lock().view.as_ref().map(|v| (v.creation, v.base.clone())));
        if let Some((creation, base)) = view {
            let follows = requires_grad || (t.dtype().is_differentiable() && base.requires_grad());
            if creation != Creation::Default && (follows || others) {
                return Err(autograd::refused(t, creation, false));
            }
            if requires_grad && base.is_leaf() {
                return Err(Error::runtime(
                    "a view of a leaf Variable that requires grad is being used in an in-place operation.",
                ));
            }
        }
    }
    if t.has(flag::GRAD) && t.is_leaf() {
        return Err(Error::runtime("a leaf Variable that requires grad is being used in an in-place operation."));
    }
    Ok(())
}

/// Runs an operation with its result written into the first input (`x.op_(...)`): the same kernel, the same record.
pub fn call_inplace(op: &'static OpDef, x: Inputs, p: Params) -> Result<Tensor> {
    let target = x[0].ok_or_else(|| absent(op))?;
    check_write(target, x.iter().skip(1).flatten().any(|t| t.requires_grad()))?;
    match op.kind {
        Kind::Kernel { infer, .. } => {
            let metas = infer(x, &p).map_err(|e| explain_inplace(op, x, e))?;
            let m = &metas[0];
            if m.sizes.as_slice() != target.sizes() {
                return Err(explain_inplace(op, x, wrong_output_shape(target, &m.sizes)));
            }
            check_result_type(m, target)?;
            // One number may be written to elements that share memory.
            if !(op.name == "copy" && x[1].is_some_and(|v| v.is_wrapped())) {
                check_written(target)?;
            }
            if op.surfaces & crate::op::surface::INPLACE != 0 || op.name == "copy" {
                check_overlap(x, target)?;
            }
            // The record is made first: it must keep the old values where the gradient needs them.
            let node =
                if wants_record(op, x) { Some(record(op, x, &[target.detach()], p.clone(), true)?) } else { None };
            if m.dtype == target.dtype() && metas.len() == 1 && is_safe_inplace(op, x, target) {
                execute(op, x, std::slice::from_ref(target), &p)?;
            } else {
                let mut outs = Outs::new();
                for m in &metas {
                    outs.push(allocate(m)?);
                }
                execute(op, x, &outs, &p)?;
                copy_into(&outs[0], target)?;
            }
            target.bump_version();
            if let Some(node) = node {
                if !op.node_inplace.is_empty() {
                    node.set_label(op.node_inplace);
                }
                autograd::rebase(target, node.clone(), 0);
                pack_outputs(op, std::slice::from_ref(target), &node)?;
            }
        }
        Kind::Composite(f) => {
            // Where nodes may keep the operand, they must keep what it was.
            let old = match target.gradient_edge() {
                None if !x.iter().flatten().any(|t| t.requires_grad()) => None,
                _ if !autograd::grad_enabled() => None,
                edge => Some(before_write(target, edge.as_ref())?),
            };
            let first: Option<&Tensor> = old.as_ref().or(Some(target));
            let operands: SmallVec<[Option<&Tensor>; 4]> =
                std::iter::once(first).chain(x.iter().skip(1).copied()).collect();
            let y = f(&operands, &p).map_err(|e| explain_inplace(op, x, e))?.swap_remove(0);
            if y.sizes() != target.sizes() {
                return Err(explain_inplace(op, x, wrong_output_shape(target, y.sizes())));
            }
            check_result_type(&Meta::like(&y), target)?;
            // A result of its own takes the target's place in the graph.
            let own = !target.is_view()
                && autograd::grad_enabled()
                && y.dtype() == target.dtype()
                && y.grad_fn().is_some()
                && !operands.iter().flatten().any(|t| t.is(&y));
            if let (true, Some(edge)) = (own, y.gradient_edge()) {
                let before = target.gradient_edge();
                autograd::no_grad(|| (intrinsics().copy_)(target, &y))?;
                let name = match op.node_inplace {
                    "" => op.label.map_or(op.node, |f| f(x, &p)),
                    name => name,
                };
                if !name.is_empty() {
                    edge.node.set_label(name);
                    edge.node.show_next(operand_edges(op, x, Some(before)));
                }
                autograd::rebase(target, edge.node, edge.nr);
            } else {
                (intrinsics().copy_)(target, &y)?;
                if !target.is_view()
                    && y.has(flag::GRAD)
                    && let Some(node) = target.grad_fn()
                {
                    node.set_label(op.node_name());
                }
            }
        }
        Kind::View(_) => return Err(Error::runtime(format!("{}_ is not an elementwise write", op.name))),
    }
    Ok(target.clone())
}

/// Refuses operands that overlap what is written without being it, where an elementwise kernel would read what it wrote.
fn check_overlap(x: Inputs, target: &Tensor) -> Result<()> {
    for t in x.iter().flatten().skip(1) {
        if Shared::ptr_eq(t.storage(), target.storage()) && partly_overlap(t, target) {
            return Err(Error::runtime(
                "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory \
                 location. Please clone() the tensor before performing the operation.",
            ));
        }
    }
    Ok(())
}

/// Whether two dense tensors cover ranges of memory that meet but are not the same.
fn partly_overlap(a: &Tensor, b: &Tensor) -> bool {
    let dense = |t: &Tensor| t.numel() > 0 && layout::is_non_overlapping_and_dense(t.sizes(), t.strides());
    if a.is(b) || !dense(a) || !dense(b) {
        return false;
    }
    let range = |t: &Tensor| {
        let (start, item) = (t.data_ptr() as usize, t.dtype().size());
        (start, start + t.numel() as usize * item)
    };
    let ((a0, a1), (b0, b1)) = (range(a), range(b));
    if (a0, a1) == (b0, b1) { a.strides() != b.strides() } else { a0 < b1 && b0 < a1 }
}

/// Elementwise kernels may read and write the same elements; anything else, and operands that overlap otherwise, goes
/// through a temporary.
fn is_safe_inplace(op: &OpDef, x: Inputs, target: &Tensor) -> bool {
    op.surfaces & crate::op::surface::INPLACE != 0
        && x.iter().flatten().skip(1).all(|t| {
            !Shared::ptr_eq(t.storage(), target.storage())
                || (t.strides() == target.strides() && t.offset() == target.offset() && t.sizes() == target.sizes())
        })
}

fn copy_into(from: &Tensor, to: &Tensor) -> Result<()> {
    if to.device().is_meta() {
        return Ok(());
    }
    backend(to.device())?.copy(from.raw(), to.raw())
}

fn check_written(t: &Tensor) -> Result<()> {
    crate::check!(
        !layout::has_internal_overlap(t.sizes(), t.strides()),
        Runtime,
        "unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please \
         clone() the tensor before performing the operation."
    );
    Ok(())
}

#[cold]
fn wrong_output_shape(t: &Tensor, sizes: &[i64]) -> Error {
    Error::runtime(format!(
        "output with shape {} doesn't match the broadcast shape {}",
        layout::fmt(t.sizes()),
        layout::fmt(sizes)
    ))
}

fn check_result_type(m: &Meta, target: &Tensor) -> Result<()> {
    crate::check!(
        can_cast(m.dtype, target.dtype()),
        Runtime,
        "result type {} can't be cast to the desired output type {}",
        m.dtype.scalar_name(),
        target.dtype().scalar_name()
    );
    Ok(())
}

/// Runs an operation with its results written into given tensors (`out=`), which are resized where they do not fit.
pub fn call_out(op: &'static OpDef, x: Inputs, p: Params, outs: &[Tensor]) -> Result<()> {
    if autograd::grad_enabled() && x.iter().flatten().copied().chain(outs).any(Tensor::requires_grad) {
        return Err(Error::runtime(format!(
            "{}(): functions with out=... arguments don't support automatic differentiation, but one of the arguments \
             requires grad.",
            op.name
        )));
    }
    crate::out_rules::check_out(op, x, outs)?;
    for out in outs {
        check_inference(out)?;
        autograd::before_write(out)?;
    }
    let results = match op.kind {
        Kind::Kernel { infer, .. } => {
            let metas = infer(x, &p).map_err(|e| explain(op, x, e))?;
            for (m, out) in metas.iter().zip(outs) {
                check_result_type(m, out)?;
                check_device(m.device, out)?;
                resize_output(out, &m.sizes, m.strides.as_ref().map(|s| s.as_slice()))?;
                check_written(out)?;
            }
            let direct = metas.len() == outs.len()
                && metas.iter().zip(outs).all(|(m, out)| {
                    m.dtype == out.dtype()
                        && laid_out(op, m, out)
                        && x.iter().flatten().all(|t| !Shared::ptr_eq(t.storage(), out.storage()))
                });
            if direct {
                execute(op, x, outs, &p)?;
                outs.iter().for_each(Tensor::bump_version);
                return Ok(());
            }
            let mut results = Outs::new();
            for m in &metas {
                results.push(allocate(m)?);
            }
            execute(op, x, &results, &p)?;
            results
        }
        _ => call(op, x, p)?,
    };
    for (y, out) in results.iter().zip(outs) {
        check_result_type(&Meta::new(&[], y.dtype(), y.device()), out)?;
        check_device(y.device(), out)?;
        resize_output(out, y.sizes(), None)?;
        check_written(out)?;
        copy_into(y, out)?;
        out.bump_version();
    }
    Ok(())
}

/// Whether a kernel can write straight into `out`: it was asked for this order of memory, or takes any.
fn laid_out(op: &OpDef, m: &Meta, out: &Tensor) -> bool {
    let wanted = m.strides.as_ref().map_or(out.is_contiguous(), |s| s.as_slice() == out.strides());
    wanted || op.surfaces & crate::op::surface::INPLACE != 0
}

fn check_device(device: crate::Device, out: &Tensor) -> Result<()> {
    crate::check!(
        out.device() == device,
        Runtime,
        "Expected out tensor to have device {device}, but got {} instead",
        out.device()
    );
    Ok(())
}

/// Gives an `out=` tensor its size; one that holds elements already is resized as in PyTorch (which warns).
pub fn resize_output(out: &Tensor, sizes: &[i64], strides: Option<&[i64]>) -> Result<()> {
    if out.sizes() == sizes {
        return Ok(());
    }
    resize(out, sizes)?;
    if let Some(strides) = strides {
        let new = crate::view::Layout {
            sizes: Dims::from_slice(sizes),
            strides: Dims::from_slice(strides),
            offset: out.offset(),
            dtype: out.dtype(),
        };
        // SAFETY: dense strides reach no further than the row-major ones that `resize` made room for; front ends call
        // this under their global lock.
        unsafe { out.set_layout(new) };
    }
    Ok(())
}

/// `resize_`: row-major sizes over the same storage, grown where it is too small.
pub fn resize(t: &Tensor, sizes: &[i64]) -> Result<()> {
    let n = layout::checked_numel(sizes, t.dtype().size())? as i64;
    let bytes = ((n + t.offset()) as usize).saturating_mul(t.dtype().size());
    if n > 0 && bytes > t.storage().nbytes() {
        // SAFETY: front ends call this under their global lock, and no kernel holds this tensor's memory then.
        unsafe { t.storage().resize(bytes)? };
    }
    let new = crate::view::Layout {
        sizes: Dims::from_slice(sizes),
        strides: layout::contiguous_strides(sizes),
        offset: t.offset(),
        dtype: t.dtype(),
    };
    // SAFETY: as above; the storage was made large enough.
    unsafe { t.set_layout(new) };
    Ok(())
}
