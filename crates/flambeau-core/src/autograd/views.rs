//! Views in the graph: gradients of views, in-place writes through views.

use std::sync::Arc;

use smallvec::SmallVec;

use super::node::{Action, Edge, Node, OutMeta};
use crate::call;
use crate::error::Result;
use crate::intrinsics::intrinsics;
use crate::layout::Dims;
use crate::op::Grads;
use crate::tensor::{Tensor, flag};
use crate::view::{Layout, ViewOp};

/// Under what circumstances a view was made; decides whether it may be written in place later.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Creation {
    #[default]
    Default,
    /// Inside `no_grad`, of a base that requires a gradient.
    NoGrad,
    /// One of several views that one operation returned.
    MultiOutput,
    /// Returned by a custom function.
    Custom,
    Inference,
}

/// How a tensor looks into another one.
#[derive(Clone)]
pub(crate) struct ViewMeta {
    pub base: Tensor,
    pub ops: SmallVec<[ViewOp; 1]>,
    /// The version for which the stored `grad_fn` holds.
    pub version: u32,
    pub creation: Creation,
}

/// The gradient of a view's input.
pub(super) fn backward(op: &ViewOp, g: &Tensor, input: &OutMeta, from: Option<&Layout>) -> Result<Tensor> {
    match op {
        ViewOp::View(_) => (intrinsics().reshape)(g, &input.sizes),
        ViewOp::Permute(order) => {
            let mut inverse = Dims::from_elem(0, order.len());
            for (i, &d) in order.iter().enumerate() {
                inverse[d as usize] = i as i64;
            }
            call::view(&ViewOp::Permute(inverse), g)
        }
        ViewOp::Expand(_) => (intrinsics().sum_to)(g, &input.sizes),
        ViewOp::Unsqueeze(d) => call::view(&ViewOp::Squeeze(*d), g),
        ViewOp::Squeeze(d) => call::view(&ViewOp::Unsqueeze(*d), g),
        ViewOp::Alias => Ok(g.clone()),
        _ => (intrinsics().unview)(g, op, input, from),
    }
}

/// The gradient of an in-place write to a view, seen from the base: `inner` replaces the viewed part.
pub(super) fn copy_slices(
    ops: &[ViewOp],
    inner: &Arc<Node>,
    origin: Option<&Layout>,
    grads: &[Option<Tensor>],
) -> Result<Grads> {
    let Some(g) = &grads[0] else {
        return Ok(inner.next().iter().map(|_| None).collect());
    };
    let (whole, mut part, rest) = match origin {
        None => {
            let whole = intrinsics().clone(g)?;
            (whole.clone(), whole, ops)
        }
        // The last `as_strided` says where it looks by itself: the gradient is laid out as the base was.
        Some(base) => {
            let whole = Tensor::empty_strided(g.sizes(), &base.strides, g.dtype(), g.device())?;
            (intrinsics().copy_)(&whole, g)?;
            let last = ops.iter().rposition(|op| matches!(op, ViewOp::AsStrided { .. })).unwrap_or(0);
            let mut part = whole.clone();
            if let ViewOp::AsStrided { sizes, strides, offset } = &ops[last] {
                let (sizes, strides) = (sizes.clone(), strides.clone());
                part = call::view(&ViewOp::AsStrided { sizes, strides, offset: offset - base.offset }, &whole)?;
            }
            (whole, part, &ops[last + 1..])
        }
    };
    for op in rest {
        part = call::view(op, &part)?;
    }
    let mut res = inner.apply(&[Some(intrinsics().clone(&part)?)])?;
    let first = match res.first_mut().and_then(Option::take) {
        Some(g) => g,
        None => (intrinsics().zeros)(&OutMeta::of(&part))?,
    };
    (intrinsics().copy_)(&part, &first)?;
    if res.is_empty() {
        res.push(None);
    }
    res[0] = Some(whole);
    Ok(res)
}

impl Tensor {
    /// The tensor that this one is a view of.
    pub fn base(&self) -> Option<Tensor> {
        self.meta_opt()?.lock().view.as_ref().map(|v| v.base.clone())
    }

    pub fn is_view(&self) -> bool {
        self.has(flag::VIEW)
    }

    /// How the tensor was made from its [`base`](Self::base).
    pub fn view_ops(&self) -> Option<SmallVec<[ViewOp; 1]>> {
        self.meta_opt()?.lock().view.as_ref().map(|v| v.ops.clone())
    }

    pub fn set_creation(&self, creation: Creation) {
        if let Some(m) = self.meta_opt()
            && let Some(v) = m.lock().view.as_mut()
        {
            v.creation = creation;
        }
    }

    /// Rebuilds a view's place in the graph after its base (or a sibling view) was written.
    pub(crate) fn refresh_view(&self) {
        if self.has(flag::FROZEN) {
            return;
        }
        let Some(meta) = self.meta_opt() else { return };
        let (view, stale) = {
            let inner = meta.lock();
            let Some(v) = &inner.view else { return };
            (v.clone(), v.version != self.version())
        };
        if !stale || (!view.base.requires_grad() && meta.lock().grad_fn.is_none()) {
            return;
        }
        let Some(mut edge) = view.base.gradient_edge() else { return };
        let mut layout = view.base.layout();
        for op in &view.ops {
            let Ok(next) = op.apply(&layout) else { return };
            edge = Edge { node: view_node(op, edge, &layout, &next, &view.base), nr: 0 };
            layout = next;
        }
        let old = {
            let mut inner = meta.lock();
            inner.output_nr = 0;
            if let Some(v) = inner.view.as_mut() {
                v.version = self.version();
            }
            inner.grad_fn.replace(edge.node)
        };
        drop(old);
        self.set_flag(flag::GRAD, true);
    }
}

fn view_node(op: &ViewOp, edge: Edge, from: &Layout, to: &Layout, base: &Tensor) -> Arc<Node> {
    let out = OutMeta { sizes: to.sizes.clone(), dtype: to.dtype, device: base.device() };
    let from = op.depends_on_strides().then(|| Box::new(from.clone()));
    Node::new(Action::View { op: op.clone(), from }, smallvec::smallvec![Some(edge)], smallvec::smallvec![out])
}

/// Gives a tensor that was just written in place its new history.
pub fn rebase(t: &Tensor, node: Arc<Node>, nr: u32) {
    let meta = t.meta();
    let view = meta.lock().view.clone();
    let Some(view) = view else {
        t.attach(node, nr);
        return;
    };
    // The base's history becomes: what it was, with the viewed part replaced by what `node` computed.
    let base_edge = view.base.gradient_edge();
    let mut next = smallvec::smallvec![base_edge];
    next.extend(node.next.iter().skip(1).cloned());
    let origin = view.ops.iter().any(ViewOp::depends_on_strides).then(|| Box::new(view.base.layout()));
    let slices = Node::new(
        Action::CopySlices { ops: view.ops.clone(), inner: node, origin },
        next,
        smallvec::smallvec![OutMeta::of(&view.base)],
    );
    view.base.attach(slices, 0);
    if let Some(v) = meta.lock().view.as_mut() {
        // Anything but the present version makes the next look rebuild it.
        v.version = t.version().wrapping_sub(1);
    }
    t.refresh_view();
}
