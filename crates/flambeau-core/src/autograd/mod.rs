//! The dynamic graph: what is recorded, and the pass that walks it.

mod accumulate;
mod anomaly;
mod engine;
mod mode;
mod node;
mod packing;
mod passes;
mod saved;
mod tasks;
mod views;
mod vjp;

use std::sync::Arc;

pub use anomaly::{AnomalyFront, anomaly_check_nan, anomaly_mode, set_anomaly_front, set_anomaly_mode};
pub use engine::Target;
pub use mode::{
    GradGuard, InferenceGuard, enable_grad, grad_enabled, inference_mode, no_grad, set_grad_enabled, set_inference_mode,
};
pub(crate) use node::{Action, LeafRef, next_hook_id, view_name};
pub use node::{CustomBackward, Edge, Edges, Node, NodeHook, Notes, OutMeta, Shown, TensorHook};
pub use packing::{
    BeforeWrite, Packed, SavedHooks, disable_saved_hooks, pop_saved_hooks, push_saved_hooks, saved_hooks,
    saved_hooks_disabled, set_before_write,
};
pub(crate) use packing::{active as packing, before_write};
pub use passes::{current_node, current_pass, passes_are_whole, queue_callback, will_execute};
pub use saved::{PackedSlot, Saved};
pub(crate) use views::ViewMeta;
pub(crate) use views::refused;
pub use views::{Creation, adopt_view, rebase};
pub use vjp::Vjp;

use crate::error::{Error, Result};
use crate::lock::{Held, Lock};
use crate::shared::{Shared, SharedWeak};
use crate::tensor::{Tensor, flag};

/// A tensor's place in the graph. Most tensors have none.
#[derive(Default)]
pub(crate) struct AutogradMeta(Lock<MetaInner>);

#[derive(Default)]
pub(crate) struct MetaInner {
    pub requires_grad: bool,
    pub output_nr: u32,
    pub grad: Option<Tensor>,
    pub grad_fn: Option<Shared<Node>>,
    /// Kept, so that a leaf used again gets the same node; the node knows the leaf weakly.
    pub accumulator: Option<Shared<Node>>,
    pub hooks: Option<Box<LeafHooks>>,
    pub retains_grad: bool,
    pub view: Option<Box<ViewMeta>>,
}

/// Callables on a leaf; few tensors have any.
#[derive(Default)]
pub(crate) struct LeafHooks {
    pub before: Vec<(u64, Arc<dyn TensorHook>)>,
    pub after: Vec<(u64, Arc<dyn TensorHook>)>,
    /// Of a leaf that only a graph keeps: the node that keeps it.
    pub keeper: SharedWeak<Node>,
}

impl AutogradMeta {
    #[inline(always)]
    pub fn lock(&self) -> Held<'_, MetaInner> {
        self.0.lock()
    }

    /// Whether a graph still leads to this leaf.
    #[inline]
    pub fn is_awaited(&mut self) -> bool {
        self.0.get_mut().accumulator.as_ref().is_some_and(|n| Shared::strong_count(n) > 1)
    }

    /// What is inside, without the lock.
    ///
    /// # Safety
    /// No other reference to it may exist.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "of a tensor that nobody else knows")]
    pub unsafe fn alone(&self) -> &mut MetaInner {
        // SAFETY: by the contract.
        unsafe { &mut *self.0.as_ptr() }
    }
}

/// Gives a leaf whose last handle went to the node that accumulates into it, if `same` says that it is the one.
pub(crate) fn bequeath(same: impl Fn(&crate::tensor::WeakTensor) -> bool, heir: Tensor) {
    let node = {
        let mut inner = heir.meta().lock();
        let Some(node) = inner.accumulator.take() else { return };
        inner.hooks.get_or_insert_default().keeper = Shared::downgrade(&node);
        node
    };
    if let Action::Accumulate(slot) = &node.action {
        let mut slot = slot.lock();
        // Copies made for saved-tensor hooks share the node without being its leaf.
        if matches!(&*slot, LeafRef::Weak(weak) if same(weak)) {
            *slot = LeafRef::Own(heir);
        }
    }
}

/// Keeps a hook registered; [`remove`](Self::remove) takes it away (dropping it does not).
pub struct HookHandle {
    tensor: crate::tensor::WeakTensor,
    node: Option<SharedWeak<Node>>,
    id: u64,
}

impl HookHandle {
    pub fn remove(&self) {
        if let Some(node) = self.node.as_ref().and_then(SharedWeak::upgrade) {
            node.remove_hook(self.id);
        } else if let Some(t) = self.tensor.upgrade() {
            let meta = t.meta();
            let (a, b) = {
                let mut inner = meta.lock();
                let take =
                    |v: &mut Vec<(u64, Arc<dyn TensorHook>)>, id| v.iter().position(|e| e.0 == id).map(|i| v.remove(i));
                match &mut inner.hooks {
                    Some(h) => (take(&mut h.before, self.id), take(&mut h.after, self.id)),
                    None => (None, None),
                }
            };
            drop((a, b));
        }
    }
}

impl Tensor {
    /// Whether operations on this tensor are recorded.
    #[inline]
    pub fn requires_grad(&self) -> bool {
        if self.has(flag::GRAD) {
            return true;
        }
        self.has(flag::VIEW) && !self.has(flag::FROZEN) && self.base().is_some_and(|b| b.has(flag::GRAD))
    }

    /// Made by the user, not by a recorded operation.
    pub fn is_leaf(&self) -> bool {
        self.grad_fn().is_none()
    }

    /// The node that computed this tensor.
    pub fn grad_fn(&self) -> Option<Shared<Node>> {
        self.try_grad_fn().ok().flatten()
    }

    /// [`grad_fn`](Self::grad_fn); fails for a view that autograd lost track of by in-place writes.
    pub fn try_grad_fn(&self) -> Result<Option<Shared<Node>>> {
        if self.has(flag::VIEW) {
            self.refresh_view()?;
        }
        Ok(self.meta_opt().and_then(|m| m.lock().grad_fn.clone()))
    }

    pub fn output_nr(&self) -> u32 {
        self.meta_opt().map_or(0, |m| m.lock().output_nr)
    }

    /// Where this tensor's gradient goes: its node, or a leaf's accumulator.
    #[inline]
    pub fn gradient_edge(&self) -> Option<Edge> {
        self.try_gradient_edge().ok().flatten()
    }

    /// [`gradient_edge`](Self::gradient_edge); fails for a view that autograd lost track of by in-place writes.
    #[inline]
    pub fn try_gradient_edge(&self) -> Result<Option<Edge>> {
        if self.has(flag::VIEW) {
            self.refresh_view()?;
        }
        Ok(if self.has(flag::GRAD) { self.present_edge() } else { None })
    }

    #[inline]
    fn present_edge(&self) -> Option<Edge> {
        let mut inner = self.meta().lock();
        if let Some(node) = &inner.grad_fn {
            return Some(Edge { node: node.clone(), nr: inner.output_nr });
        }
        if let (true, Some(node)) = (inner.requires_grad, &inner.accumulator) {
            return Some(Edge { node: node.clone(), nr: 0 });
        }
        self.new_edge(&mut inner)
    }

    /// The edge of a leaf that has no accumulator at hand.
    #[cold]
    fn new_edge(&self, inner: &mut MetaInner) -> Option<Edge> {
        if !inner.requires_grad {
            return None;
        }
        let kept = inner.hooks.as_ref().and_then(|h| h.keeper.upgrade());
        let node = kept.unwrap_or_else(|| {
            let node = Node::accumulator(self);
            inner.accumulator = Some(node.clone());
            node
        });
        Some(Edge { node, nr: 0 })
    }

    /// Makes this tensor stand for a leaf: its gradient goes to the leaf's accumulator.
    pub(crate) fn stand_for_leaf(&self, edge: &Edge) {
        {
            let mut inner = self.meta().lock();
            inner.requires_grad = true;
            inner.accumulator = Some(edge.node.clone());
        }
        self.set_flag(flag::GRAD, true);
    }

    /// Sets the leaf's flag, with PyTorch's checks.
    pub fn set_requires_grad(&self, on: bool) -> Result<()> {
        if !self.is_leaf() {
            if on {
                return Ok(());
            }
            return Err(Error::runtime(
                "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a \
                 subgraph that doesn't require differentiation use var_no_grad = var.detach().",
            ));
        }
        if on && !self.dtype().is_differentiable() {
            return Err(Error::runtime("only Tensors of floating point and complex dtype can require gradients"));
        }
        if on && self.is_inference() && !inference_mode() {
            return Err(Error::runtime(
                "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.",
            ));
        }
        self.set_requires_grad_unchecked(on);
        Ok(())
    }

    pub(crate) fn set_requires_grad_unchecked(&self, on: bool) {
        if on || self.meta_opt().is_some() {
            self.meta().lock().requires_grad = on;
        }
        self.set_flag(flag::GRAD, on);
    }

    /// Makes this tensor output `nr` of `node`.
    pub fn attach(&self, node: Shared<Node>, nr: u32) {
        let old = {
            let mut inner = self.meta().lock();
            inner.output_nr = nr;
            inner.requires_grad = false;
            let old = inner.grad_fn.replace(node);
            if inner.retains_grad {
                drop(inner);
                self.move_retained(old.as_ref());
            }
            old
        };
        drop(old);
        self.set_flag(flag::GRAD, true);
    }

    /// [`attach`](Self::attach) of a tensor just made.
    #[inline]
    pub(crate) fn attach_new(&self, node: Shared<Node>, nr: u32) {
        self.init_meta(
            |inner| {
                inner.grad_fn = Some(node);
                inner.output_nr = nr;
            },
            flag::GRAD,
        );
    }

    /// `.grad` is kept of what the tensor is now, not of what it was before a write in place.
    #[cold]
    fn move_retained(&self, old: Option<&Shared<Node>>) {
        let weak = self.downgrade();
        if let Some(mut h) = old.and_then(|n| n.hooks()) {
            h.retain.retain(|(_, t)| !t.same(&weak));
        }
        if let Some(meta) = self.meta_opt() {
            let (node, nr) = {
                let inner = meta.lock();
                (inner.grad_fn.clone(), inner.output_nr)
            };
            if let Some(node) = node {
                node.hooks_mut().retain.push((nr, weak));
            }
        }
    }

    /// Leaves the graph in place (`detach_`).
    pub fn detach_(&self) -> Result<()> {
        if self.is_view() {
            return Err(Error::runtime(
                "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for \
                 training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence \
                 detach_() cannot be called on these gradients. To fix this error, please refer to the \
                 Optimizer.zero_grad() function in torch/optim/optimizer.py as the solution.",
            ));
        }
        if let Some(meta) = self.meta_opt() {
            let old = {
                let mut inner = meta.lock();
                inner.requires_grad = false;
                inner.output_nr = 0;
                inner.grad_fn.take()
            };
            if old.is_some() {
                self.set_flag(flag::DETACHED, true);
            }
        }
        self.set_flag(flag::GRAD, false);
        Ok(())
    }

    pub fn grad(&self) -> Option<Tensor> {
        self.meta_opt()?.lock().grad.clone()
    }

    /// Replaces `.grad`, with PyTorch's checks.
    pub fn set_grad(&self, grad: Option<Tensor>) -> Result<()> {
        if let Some(g) = &grad {
            crate::check!(!g.is(self), Runtime, "can't assign Variable as its own grad");
            crate::check!(
                g.dtype() == self.dtype(),
                Runtime,
                "attempting to assign a gradient with dtype '{}' to a tensor with grad_dtype '{}'. The gradient must match the \
                 tensor's grad_dtype (defaults to the tensor's dtype). You can set the tensor's grad_dtype attribute with a \
                 specific dtype, or None to allow any dtype. Set grad_dtype with caution. Diverging the dtypes of a tensor and \
                 its gradient may break downstream systems that assume they match.",
                crate::c_name(g.dtype()),
                self.dtype().scalar_name()
            );
            crate::check!(g.device() == self.device(), Runtime, "assigned grad has data located on a different device");
            crate::check!(
                g.sizes() == self.sizes(),
                Runtime,
                "attempting to assign a gradient of size '{}' to a tensor of size '{}'. Please ensure that the gradient and \
                 the tensor are the same size",
                crate::layout::fmt(g.sizes()),
                crate::layout::fmt(self.sizes())
            );
        }
        if grad.is_some() || self.meta_opt().is_some() {
            let old = std::mem::replace(&mut self.meta().lock().grad, grad);
            drop(old);
        }
        Ok(())
    }

    /// Lets the next use make a new accumulator: the old one describes another shape or dtype (`x.data = y`).
    pub fn forget_accumulator(&self) {
        if let Some(meta) = self.meta_opt() {
            let old = std::mem::take(&mut meta.lock().accumulator);
            drop(old);
        }
    }

    /// Keeps `.grad` on a tensor that is not a leaf.
    pub fn retain_grad(&self) -> Result<()> {
        crate::check!(self.requires_grad(), Runtime, "can't retain_grad on Tensor that has requires_grad=False");
        let Some(node) = self.grad_fn() else { return Ok(()) };
        let nr = {
            let mut inner = self.meta().lock();
            if std::mem::replace(&mut inner.retains_grad, true) {
                return Ok(());
            }
            inner.output_nr
        };
        node.hooks_mut().retain.push((nr, self.downgrade()));
        Ok(())
    }

    pub fn retains_grad(&self) -> bool {
        self.meta_opt().is_some_and(|m| m.lock().retains_grad)
    }

    /// Calls `hook` with this tensor's gradient when it is known; it may return another one.
    pub fn register_hook(&self, hook: Arc<dyn TensorHook>) -> Result<HookHandle> {
        crate::check!(
            self.requires_grad(),
            Runtime,
            "cannot register a hook on a tensor that doesn't require gradient"
        );
        let id = next_hook_id();
        let node = self.grad_fn();
        match &node {
            Some(node) => {
                let nr = self.output_nr();
                node.hooks_mut().tensor.push((id, nr, hook));
            }
            None => self.meta().lock().hooks.get_or_insert_default().before.push((id, hook)),
        }
        Ok(HookHandle { tensor: self.downgrade(), node: node.as_ref().map(Shared::downgrade), id })
    }

    /// Whether a hook that `f` knows is registered on this tensor as it is now.
    pub fn has_hook(&self, f: &mut dyn FnMut(&dyn TensorHook) -> bool) -> bool {
        if let Some(node) = self.grad_fn() {
            return node.hooks().is_some_and(|h| h.tensor.iter().any(|(_, _, hook)| f(&**hook)));
        }
        let Some(meta) = self.meta_opt() else { return false };
        let inner = meta.lock();
        inner.hooks.as_ref().is_some_and(|h| h.before.iter().chain(&h.after).any(|(_, hook)| f(&**hook)))
    }

    /// Calls `hook` with this leaf after its `.grad` was updated.
    pub fn register_post_accumulate_grad_hook(&self, hook: Arc<dyn TensorHook>) -> Result<HookHandle> {
        crate::check!(
            self.requires_grad(),
            Runtime,
            "cannot register a hook on a tensor that doesn't require gradient"
        );
        crate::check!(self.is_leaf(), Runtime, "post accumulate grad hooks cannot be registered on non-leaf tensors");
        let id = next_hook_id();
        self.meta().lock().hooks.get_or_insert_default().after.push((id, hook));
        Ok(HookHandle { tensor: self.downgrade(), node: None, id })
    }

    /// Visits every hook object that this tensor alone keeps alive (for a front end's garbage collector).
    pub fn visit_hooks(&self, visit: &mut dyn FnMut(&Arc<dyn TensorHook>)) {
        if let Some(meta) = self.meta_opt()
            && let Some(inner) = meta.0.try_lock()
        {
            inner.hooks.iter().flat_map(|h| h.before.iter().chain(&h.after)).for_each(|(_, h)| visit(h));
        }
    }

    /// Drops all hooks of this leaf (for a front end's garbage collector).
    pub fn clear_hooks(&self) {
        if let Some(meta) = self.meta_opt() {
            let old = {
                let mut inner = meta.lock();
                inner.hooks.take()
            };
            drop(old);
        }
    }
}

/// `torch.autograd.backward`: gradients of `tensors`, accumulated into leaves (or into `inputs` only).
pub fn backward(
    tensors: &[Tensor],
    grads: &[Option<Tensor>],
    retain_graph: bool,
    create_graph: bool,
    inputs: Option<&[Tensor]>,
) -> Result<()> {
    backward_from(&targets(tensors), grads, retain_graph, create_graph, inputs.map(targets).as_deref())
}

/// [`backward`] from places in the graph.
pub fn backward_from(
    roots: &[Target],
    grads: &[Option<Tensor>],
    retain_graph: bool,
    create_graph: bool,
    inputs: Option<&[Target]>,
) -> Result<()> {
    engine::run(roots, grads, retain_graph, create_graph, inputs, true).map(|_| ())
}

fn targets(tensors: &[Tensor]) -> Vec<Target> {
    tensors.iter().cloned().map(Target::Tensor).collect()
}

/// `torch.autograd.grad`: gradients of `outputs` for `inputs`; `None` where an input was not used.
pub fn grad(
    outputs: &[Tensor],
    grads: &[Option<Tensor>],
    inputs: &[Tensor],
    retain_graph: bool,
    create_graph: bool,
    allow_unused: bool,
) -> Result<Vec<Option<Tensor>>> {
    grad_between(&targets(outputs), grads, &targets(inputs), retain_graph, create_graph, allow_unused)
}

/// [`grad`] between places in the graph.
pub fn grad_between(
    outputs: &[Target],
    grads: &[Option<Tensor>],
    inputs: &[Target],
    retain_graph: bool,
    create_graph: bool,
    allow_unused: bool,
) -> Result<Vec<Option<Tensor>>> {
    let got = engine::run(outputs, grads, retain_graph, create_graph, Some(inputs), false)?;
    if !allow_unused && let Some(i) = got.iter().position(Option::is_none) {
        return Err(Error::runtime(format!(
            "The differentiated Tensor at index {i} appears to not have been used in the graph. Set allow_unused=True if \
             this is the desired behavior."
        )));
    }
    Ok(got)
}

/// An operation that passes gradients through unchanged, for `y` computed from `x` outside the boundary.
pub fn pass_through(name: &'static str, x: &Tensor, y: &Tensor) {
    if grad_enabled()
        && let Some(edge) = x.gradient_edge()
    {
        let node =
            Node::new(Action::Identity(name), smallvec::smallvec![Some(edge)], smallvec::smallvec![OutMeta::of(y)]);
        y.attach(node, 0);
    }
}
