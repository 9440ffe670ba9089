//! Views in the graph: gradients of views, in-place writes through views.

use smallvec::SmallVec;

use super::node::{Action, Edge, Node, OutMeta, view_name};
use crate::call;
use crate::error::{Error, Result};
use crate::intrinsics::intrinsics;
use crate::layout::Dims;
use crate::op::Grads;
use crate::shared::Shared;
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
        ViewOp::Slice { start: 0, step: 1, .. } if g.sizes() == input.sizes.as_slice() => Ok(g.clone()),
        _ => (intrinsics().unview)(g, op, input, from),
    }
}

/// The gradient of what several views were made of: theirs side by side, zeros where none came.
pub(super) fn backward_of_several(
    ops: &[ViewOp],
    grads: &[Option<Tensor>],
    outs: &[OutMeta],
    input: &OutMeta,
) -> Result<Option<Tensor>> {
    let mut parts = Vec::with_capacity(ops.len());
    let mut dim = 0;
    for ((op, g), out) in ops.iter().zip(grads).zip(outs) {
        let g = match g {
            Some(g) => g.clone(),
            None => (intrinsics().zeros)(out)?,
        };
        parts.push(match *op {
            ViewOp::Select { dim: d, .. } => {
                dim = d;
                call::view(&ViewOp::Unsqueeze(d), &g)?
            }
            ViewOp::Slice { dim: d, .. } => {
                dim = d;
                g
            }
            _ => return (intrinsics().unview)(&g, op, input, None).map(Some),
        });
    }
    if parts.is_empty() {
        return Ok(None);
    }
    (intrinsics().cat)(&parts, dim).map(Some)
}

/// Why a view must not be written in place (`indirect`: why what it views must not have been), with PyTorch's words.
#[cold]
pub(crate) fn refused(t: &Tensor, creation: Creation, indirect: bool) -> Error {
    let (node, nr) = match t.meta_opt() {
        Some(m) => {
            let inner = m.lock();
            (inner.grad_fn.clone(), inner.output_nr)
        }
        None => (None, 0),
    };
    let what = if indirect { "its base or another view of its base has been" } else { "is being" };
    let outside = matches!(creation, Creation::NoGrad | Creation::Inference);
    let mut text = match &node {
        Some(node) if outside => {
            format!("Output {nr} of {} is a view of a view which was created in", node.forward_name())
        }
        Some(node) => format!("Output {nr} of {} is a view and {what} modified inplace.", node.forward_name()),
        None => "A view was created in".into(),
    };
    if node.is_none() || outside {
        text += &match creation {
            Creation::Inference => format!(" inference mode and {what} modified inplace in normal mode."),
            _ => format!(" no_grad mode and {what} modified inplace with grad mode enabled."),
        };
    }
    text += match creation {
        Creation::MultiOutput => {
            " This view is the output of a function that returns multiple views. Such functions do not allow the output \
             views to be modified inplace. You should replace the inplace operation by an out-of-place one."
        }
        Creation::NoGrad => {
            " Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving \
             both the view and the inplace either both inside the no_grad block (if you don't want the inplace to be \
             tracked) or both outside (if you want the inplace to be tracked)."
        }
        Creation::Inference => {
            " Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving \
             both the view and the inplace either both inside the inference_mode block (if you don't want the inplace to be \
             tracked) or both outside (if you want the inplace to be tracked)."
        }
        Creation::Custom => {
            " This view was created inside a custom Function (or because an input was returned as-is) and the autograd logic \
             to handle view+inplace would override the custom backward associated with the custom Function, leading to \
             incorrect gradients. This behavior is forbidden. You can fix this by cloning the output of the custom Function."
        }
        Creation::Default => "",
    };
    Error::runtime(text)
}

/// The gradient of an in-place write to a view, seen from the base: `inner` replaces the viewed part.
pub(super) fn copy_slices(
    ops: &[ViewOp],
    inner: &Shared<Node>,
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
    let mut res = inner.apply(&[Some((intrinsics().row_major)(&part)?)], false)?;
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
    pub(crate) fn refresh_view(&self) -> Result<()> {
        let Some(meta) = self.meta_opt() else { return Ok(()) };
        let view = {
            let inner = meta.lock();
            let Some(v) = &inner.view else { return Ok(()) };
            if v.version == self.version() || !self.dtype().is_differentiable() {
                return Ok(());
            }
            v.clone()
        };
        let has_history = meta.lock().grad_fn.is_some();
        if !view.base.requires_grad() && !has_history {
            return Ok(());
        }
        if view.creation != Creation::Default {
            return Err(refused(self, view.creation, true));
        }
        if self.has(flag::FROZEN) {
            return Ok(());
        }
        let Some(mut edge) = view.base.gradient_edge() else { return Ok(()) };
        let mut layout = view.base.layout();
        for op in &view.own_ops(self) {
            let Ok(next) = op.apply(&layout) else { return Ok(()) };
            edge = Edge { node: view_node(op, edge, &layout, &next, &view.base), nr: 0 };
            layout = next;
        }
        if self.dtype() == view.base.dtype() {
            edge.node.set_label("AsStridedBackward0");
        }
        if let Some(v) = meta.lock().view.as_mut() {
            v.version = self.version();
        }
        self.attach(edge.node, 0);
        Ok(())
    }
}

impl ViewMeta {
    /// The steps from base to view, told by places in memory where the base's own layout has changed since.
    fn own_ops(&self, t: &Tensor) -> SmallVec<[ViewOp; 1]> {
        let mut layout = self.base.layout();
        for op in &self.ops {
            match op.apply(&layout) {
                Ok(next) => layout = next,
                Err(_) => break,
            }
        }
        let mine = t.layout();
        if layout == mine || layout.dtype != mine.dtype || self.base.dtype() != mine.dtype {
            return self.ops.clone();
        }
        SmallVec::from_iter([ViewOp::AsStrided { sizes: mine.sizes, strides: mine.strides, offset: mine.offset }])
    }
}

fn view_node(op: &ViewOp, edge: Edge, from: &Layout, to: &Layout, base: &Tensor) -> Shared<Node> {
    let out = OutMeta { sizes: to.sizes.clone(), dtype: to.dtype, device: base.device() };
    let from = op.depends_on_strides().then(|| Box::new(from.clone()));
    Node::new(
        Action::View { op: op.clone(), from, name: view_name(op) },
        smallvec::smallvec![Some(edge)],
        smallvec::smallvec![out],
    )
}

/// Gives a tensor that was just written in place its new history.
pub fn rebase(t: &Tensor, node: Shared<Node>, nr: u32) {
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
    let ops = view.own_ops(t);
    let origin = ops.iter().any(ViewOp::depends_on_strides).then(|| Box::new(view.base.layout()));
    let slices =
        Node::new(Action::CopySlices { ops, inner: node, origin }, next, smallvec::smallvec![OutMeta::of(&view.base)]);
    view.base.attach(slices, 0);
    if let Some(v) = meta.lock().view.as_mut() {
        // Anything but the present version makes the next look rebuild it.
        v.version = t.version().wrapping_sub(1);
    }
    // The write was allowed, so this cannot be refused.
    let _ = t.refresh_view();
}

/// Gives a tensor the layout of `y`, a view of it that `op` names (`unsqueeze_`, `t_`), and the view's place in the graph.
pub fn adopt_view(t: &Tensor, y: &Tensor, name: &'static str) -> Result<()> {
    crate::check!(
        Shared::ptr_eq(t.storage(), y.storage()) && t.dtype() == y.dtype(),
        Runtime,
        "a view in place must keep the memory and the dtype"
    );
    let node = y.meta_opt().and_then(|m| m.lock().grad_fn.clone());
    let step = y.meta_opt().and_then(|m| m.lock().view.as_ref().map(|v| v.ops.clone()));
    t.forget_accumulator();
    // SAFETY: in-place calls are exclusive by their front end's global lock; the layout is that of a tensor over the same
    // storage.
    unsafe { t.set_layout(y.layout()) };
    t.bump_version();
    if let (Some(meta), Some(step)) = (t.meta_opt(), step)
        && let Some(v) = meta.lock().view.as_mut()
    {
        // `y` was made of `t`: its steps are all of them.
        v.ops = step;
        if node.is_some() {
            v.version = t.version();
        }
    }
    if let Some(node) = node {
        node.set_label(name);
        t.attach(node, 0);
    }
    Ok(())
}
