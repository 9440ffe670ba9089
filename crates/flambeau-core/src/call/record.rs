//! What a call leaves in the graph.

use smallvec::SmallVec;

use crate::autograd::{self, Action, Edge, Edges, Node, OutMeta, Saved};
use crate::error::{Error, Result};
use crate::intrinsics::intrinsics;
use crate::op::{Diff, Inputs, OpDef, Params};
use crate::shared::Shared;
use crate::tensor::Tensor;

#[inline]
pub(super) fn wants_record(op: &OpDef, x: Inputs) -> bool {
    !matches!(op.diff, Diff::Never) && autograd::grad_enabled() && x.iter().flatten().any(|t| t.requires_grad())
}

/// Makes the node, saving exactly what the row declares.
#[inline]
pub(super) fn record(op: &'static OpDef, x: Inputs, outs: &[Tensor], p: Params, inplace: bool) -> Result<Shared<Node>> {
    let edge = |t: Option<&Tensor>| match t {
        Some(t) => t.try_gradient_edge(),
        None => Ok(None),
    };
    let next = match *x {
        [a, b] => Edges::from_buf([edge(a)?, edge(b)?]),
        _ => x.iter().map(|t| edge(*t)).collect::<Result<Edges>>()?,
    };
    let mut saved: SmallVec<[Saved; 2]> = SmallVec::new();
    if let (&[Some(a), Some(b)], true) = (x, op.saves.cross && !inplace) {
        let other = |t: &Tensor, wanted: bool| if wanted { saved_input(t) } else { Ok(Saved::Absent) };
        saved = SmallVec::from_buf([other(a, next[1].is_some())?, other(b, next[0].is_some())?]);
    } else if op.saves.inputs != 0 {
        save_inputs(op, x, &next, inplace, &mut saved)?;
    }
    if !inplace && op.saves.outputs != 0 && !autograd::packing() {
        push_outputs(op, outs, &mut saved)?;
    }
    let metas = match outs {
        [y] => SmallVec::from_buf([OutMeta::of(y)]),
        _ => outs.iter().map(OutMeta::of).collect(),
    };
    Ok(Node::recorded(op, p, saved, next, metas))
}

/// Records a call, and gives the outputs that can have gradients their places in the graph.
#[inline]
pub(super) fn record_outputs(op: &'static OpDef, x: Inputs, outs: &[Tensor], p: Params) -> Result<()> {
    let node = record(op, x, outs, p, false)?;
    let differentiable = |i: usize| op.diff_outputs >> i & 1 != 0 && outs[i].dtype().is_differentiable();
    if let [y] = outs
        && !autograd::packing()
    {
        if differentiable(0) {
            y.attach_new(node, 0);
        }
        return Ok(());
    }
    for (i, y) in outs.iter().enumerate() {
        if differentiable(i) {
            y.attach_new(node.clone(), i as u32);
        }
    }
    if autograd::packing() {
        pack_outputs(op, outs, &node)?;
    }
    Ok(())
}

fn save_inputs(
    op: &'static OpDef,
    x: Inputs,
    next: &Edges,
    inplace: bool,
    saved: &mut SmallVec<[Saved; 2]>,
) -> Result<()> {
    let mut mask = op.saves.inputs;
    while mask != 0 {
        let i = mask.trailing_zeros() as usize;
        mask &= mask - 1;
        // Slots of optional inputs past the end of the call are empty too.
        let t = x.get(i).copied().flatten();
        let unused = op.saves.cross && i < 2 && next[1 - i].is_none();
        saved.push(match t {
            None => Saved::Absent,
            Some(_) if unused => Saved::Absent,
            Some(t) if inplace && i == 0 => Saved::input(&before_write(t, next[0].as_ref())?)?,
            Some(t) => saved_input(t)?,
        });
    }
    Ok(())
}

/// The values that are about to be overwritten, in the place of the graph that they had.
pub(super) fn before_write(t: &Tensor, edge: Option<&Edge>) -> Result<Tensor> {
    let old = autograd::no_grad(|| intrinsics().clone(&t.detach()))?;
    if let Some(edge) = edge {
        old.attach(edge.node.clone(), edge.nr);
    }
    Ok(old)
}

fn push_outputs(op: &OpDef, outs: &[Tensor], saved: &mut SmallVec<[Saved; 2]>) -> Result<()> {
    if op.saves.outputs == 0 {
        return Ok(());
    }
    for (i, t) in outs.iter().enumerate() {
        if op.saves.outputs >> i & 1 != 0 {
            saved.push(Saved::output(t, i as u32)?);
        }
    }
    Ok(())
}

/// Saved-tensor hooks see outputs that have their place in the graph, and may do anything: no lock is held meanwhile.
#[cold]
pub(super) fn pack_outputs(op: &OpDef, outs: &[Tensor], node: &Node) -> Result<()> {
    let mut packed = SmallVec::new();
    push_outputs(op, outs, &mut packed)?;
    if let Action::Op { saved, .. } = &node.action {
        saved.lock().extend(packed);
    }
    Ok(())
}

#[inline]
fn saved_input(t: &Tensor) -> Result<Saved> {
    if t.is_inference() {
        return Err(Error::runtime(
            "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in \
             computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use \
             it in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`.",
        ));
    }
    Saved::input(t)
}
