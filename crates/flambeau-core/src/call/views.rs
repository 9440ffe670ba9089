//! Views: no kernel, a structured description kept with the result.

use smallvec::SmallVec;

use crate::autograd::{self, Action, Creation, Node, OutMeta, ViewMeta};
use crate::error::Result;
use crate::layout::Dims;
use crate::op::Outs;
use crate::shared::Shared;
use crate::tensor::{Tensor, flag};
use crate::view::ViewOp;

/// Longest list of views between a tensor and its base.
const LONG_CHAIN: usize = 16;

/// Makes a view: no kernel, a structured description kept with the result.
pub fn view(op: &ViewOp, x: &Tensor) -> Result<Tensor> {
    view_named(op, x, autograd::view_name(op))
}

/// [`view`] with a node of another name.
pub fn view_named(op: &ViewOp, x: &Tensor, name: &'static str) -> Result<Tensor> {
    let recording = autograd::grad_enabled();
    let (y, meta, differentiable) = match look(op, x)? {
        Look::Plain(y) => return Ok(y),
        Look::Kept(y, meta, differentiable) => (y, meta, differentiable),
    };
    match x.try_gradient_edge()? {
        Some(edge) if recording && differentiable => {
            let out = smallvec::smallvec![OutMeta::of(&y)];
            let from = op.depends_on_strides().then(|| Box::new(x.layout()));
            let node = Node::new(Action::View { op: op.clone(), from, name }, smallvec::smallvec![Some(edge)], out);
            place_view(&y, node, 0, meta);
        }
        _ => keep_unrecorded(&y, meta, recording && differentiable),
    }
    Ok(y)
}

/// Several views of one tensor (`split`, `unbind`), made by one node.
pub fn views(ops: Vec<ViewOp>, x: &Tensor, name: &'static str) -> Result<Outs> {
    several(ops, x, name, Creation::MultiOutput)
}

/// [`views`] of which each may be changed in place (`unsafe_split`).
pub fn views_to_change(ops: Vec<ViewOp>, x: &Tensor, name: &'static str) -> Result<Outs> {
    several(ops, x, name, Creation::Default)
}

fn several(ops: Vec<ViewOp>, x: &Tensor, name: &'static str, creation: Creation) -> Result<Outs> {
    let recording = autograd::grad_enabled();
    let edge = x.try_gradient_edge()?.filter(|_| recording && x.dtype().is_differentiable());
    let mut outs = Outs::new();
    let mut metas = Vec::with_capacity(ops.len());
    for op in &ops {
        match look(op, x)? {
            Look::Plain(y) => outs.push(y),
            Look::Kept(y, mut meta, _) => {
                if meta.creation == Creation::Default {
                    meta.creation = creation;
                }
                outs.push(y);
                metas.push(meta);
            }
        }
    }
    let node = edge.filter(|_| !metas.is_empty()).map(|edge| {
        let places = outs.iter().map(OutMeta::of).collect();
        Node::new(Action::Views { ops: ops.into_boxed_slice(), name }, smallvec::smallvec![Some(edge)], places)
    });
    for (i, (y, meta)) in outs.iter().zip(metas).enumerate() {
        match &node {
            Some(node) => {
                place_view(y, node.clone(), i as u32, meta);
            }
            None => keep_unrecorded(y, meta, recording && y.dtype().is_differentiable()),
        }
    }
    Ok(outs)
}

/// A view before it gets its place in the graph.
enum Look {
    /// It has none, nor will it ever.
    Plain(Tensor),
    Kept(Tensor, Box<ViewMeta>, bool),
}

#[inline]
fn look(op: &ViewOp, x: &Tensor) -> Result<Look> {
    let y = x.view_raw(op)?;
    if x.is_inference() {
        y.set_flag(flag::INFERENCE, true);
        return Ok(Look::Plain(y));
    }
    let mut creation = if autograd::grad_enabled() { Creation::Default } else { Creation::NoGrad };
    if autograd::inference_mode() {
        // A view of a normal tensor is a normal tensor.
        y.set_flag(flag::INFERENCE, false);
        creation = Creation::Inference;
    }
    let (base, mut ops) = match x.meta_opt().and_then(|m| m.lock().view.as_ref().map(|v| (**v).clone())) {
        Some(v) => {
            if v.creation != Creation::Default {
                creation = v.creation;
            }
            (v.base, v.ops)
        }
        None => (x.clone(), SmallVec::new()),
    };
    if ops.is_empty() {
        ops = SmallVec::from_buf([op.clone()]);
    } else {
        ops.push(op.clone());
    }
    if ops.len() > LONG_CHAIN && y.dtype() == base.dtype() {
        // Views of views of views: one step that says the same.
        let (sizes, strides) = (Dims::from_slice(y.sizes()), Dims::from_slice(y.strides()));
        ops = SmallVec::from_iter([ViewOp::AsStrided { sizes, strides, offset: y.offset() }]);
    }
    let meta = Box::new(ViewMeta { base, ops, version: y.version(), creation });
    // Bytes read as another dtype are other numbers: no gradient belongs to them.
    let differentiable =
        y.dtype().is_differentiable() && x.dtype().is_differentiable() && !matches!(op, ViewOp::Dtype(_));
    Ok(Look::Kept(y, meta, differentiable))
}

fn place_view(y: &Tensor, node: Shared<Node>, nr: u32, meta: Box<ViewMeta>) {
    y.init_meta(
        |inner| {
            inner.grad_fn = Some(node);
            inner.output_nr = nr;
            inner.view = Some(meta);
        },
        flag::GRAD | flag::VIEW,
    );
}

fn keep_unrecorded(y: &Tensor, meta: Box<ViewMeta>, follows_base: bool) {
    // Under `no_grad` the result does not require a gradient, whatever its base does.
    let flags = if follows_base { flag::VIEW } else { flag::VIEW | flag::FROZEN };
    y.init_meta(|inner| inner.view = Some(meta), flags);
}
