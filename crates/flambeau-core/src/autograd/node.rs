//! A node of the graph: one recorded operation. One allocation each.

use std::any::Any;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;

use super::saved::Saved;
use crate::device::Device;
use crate::dtype::DType;
use crate::error::Result;
use crate::layout::{Dims, dims};
use crate::lock::Lock;
use crate::op::{Grads, OpDef, Params};
use crate::shared::Shared;
use crate::tensor::{Tensor, WeakTensor};
use crate::view::{Layout, ViewOp};

/// What one output of a node looks like: incoming gradients are made to fit it.
#[derive(Clone, Debug)]
pub struct OutMeta {
    pub sizes: Dims,
    pub dtype: DType,
    pub device: Device,
}

impl OutMeta {
    #[inline]
    pub fn of(t: &Tensor) -> OutMeta {
        OutMeta { sizes: dims(t.sizes()), dtype: t.dtype(), device: t.device() }
    }
}

/// Where a gradient goes: output `nr` of `node`.
#[derive(Clone)]
pub struct Edge {
    pub node: Shared<Node>,
    pub nr: u32,
}

pub type Edges = SmallVec<[Option<Edge>; 2]>;

/// How a node shows itself to who walks the graph, where that is not what runs.
#[derive(Default)]
pub struct Shown {
    pub name: Option<&'static str>,
    pub next: Option<Edges>,
}

/// A backward pass written by a user (`autograd.Function`, or a Rust type).
pub trait CustomBackward: Send + Sync {
    fn name(&self) -> String;
    /// One gradient per output (`None` where nothing flowed) to one per input.
    fn backward(&self, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>>;
    /// Frees what was saved after a pass that does not retain the graph.
    fn release(&self) {}
    fn as_any(&self) -> &dyn Any;
}

pub(crate) enum Action {
    Op {
        op: &'static OpDef,
        params: Params,
        saved: Lock<SmallVec<[Saved; 2]>>,
    },
    /// Adds into a leaf's `.grad`.
    Accumulate(Mutex<LeafRef>),
    View {
        op: ViewOp,
        /// The input's own layout, for a view whose meaning depends on it.
        from: Option<Box<Layout>>,
        name: &'static str,
    },
    /// Several views of one tensor, made by one operation.
    Views {
        ops: Box<[ViewOp]>,
        name: &'static str,
    },
    /// An in-place write to a view: `inner` acts on the viewed part of the base's gradient.
    CopySlices {
        ops: SmallVec<[ViewOp; 1]>,
        inner: Shared<Node>,
        /// The base's layout, where the views depend on it.
        origin: Option<Box<Layout>>,
    },
    /// Passes gradients through under another name (`clone`, `to`, type changes).
    Identity(&'static str),
    Custom(Box<dyn CustomBackward>),
}

/// How an accumulating node knows its leaf.
pub(crate) enum LeafRef {
    /// The leaf keeps the node.
    Weak(WeakTensor),
    /// Only the graph is left to keep the leaf.
    Own(Tensor),
}

impl LeafRef {
    pub fn get(&self) -> Option<Tensor> {
        match self {
            LeafRef::Weak(t) => t.upgrade(),
            LeafRef::Own(t) => Some(t.clone()),
        }
    }
}

/// A callable that sees (and may replace) the gradient of one tensor.
pub trait TensorHook: Send + Sync {
    fn call(&self, grad: &Tensor) -> Result<Option<Tensor>>;
    fn as_any(&self) -> &dyn Any;
}

/// A callable around a whole node.
pub trait NodeHook: Send + Sync {
    /// Before: gets the incoming gradients. After: gets the outgoing (`grad_inputs`) and the incoming ones.
    fn call(&self, first: &[Option<Tensor>], second: Option<&[Option<Tensor>]>) -> Result<Option<Vec<Option<Tensor>>>>;
    fn as_any(&self) -> &dyn Any;
}

#[derive(Default)]
pub(crate) struct NodeHooks {
    pub tensor: Vec<(u64, u32, Arc<dyn TensorHook>)>,
    pub pre: Vec<(u64, Arc<dyn NodeHook>)>,
    pub post: Vec<(u64, Arc<dyn NodeHook>)>,
    pub retain: Vec<(u32, WeakTensor)>,
    pub notes: Option<Notes>,
    /// What the node is called instead of its own name: the operation that ended with it.
    pub label: Option<Cow<'static, str>>,
    /// What it shows as its next nodes: the operands of the operation that ended with it.
    pub shown: Option<Edges>,
}

/// Something that a front end keeps with a node.
pub type Notes = Arc<dyn Any + Send + Sync>;

/// One step of the backward graph.
pub struct Node {
    pub(crate) action: Action,
    pub(crate) next: Edges,
    pub(crate) outs: SmallVec<[OutMeta; 1]>,
    pub(crate) seq: u64,
    /// Made with the first hook; few nodes have any.
    hooks: OnceLock<Box<Mutex<NodeHooks>>>,
    front: AtomicPtr<c_void>,
}

static HOOK_IDS: AtomicU64 = AtomicU64::new(1);

pub(crate) fn next_hook_id() -> u64 {
    HOOK_IDS.fetch_add(1, Relaxed)
}

/// Sequence numbers are handed out to threads in blocks, so that taking one costs no atomic operation.
#[inline]
pub(crate) fn next_seq() -> u64 {
    const BLOCK: u64 = 1024;
    static BLOCKS: AtomicU64 = AtomicU64::new(0);
    thread_local! {
        static NEXT: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
    }
    NEXT.with(|c| {
        let (mut next, mut end) = c.get();
        if next == end {
            next = BLOCKS.fetch_add(BLOCK, Relaxed);
            end = next + BLOCK;
        }
        c.set((next + 1, end));
        next
    })
}

impl Node {
    /// A node of a recorded operation.
    #[inline(always)]
    pub(crate) fn recorded(
        op: &'static OpDef,
        params: Params,
        saved: SmallVec<[Saved; 2]>,
        next: Edges,
        outs: SmallVec<[OutMeta; 1]>,
    ) -> Shared<Node> {
        Node::new(Action::Op { op, params, saved: Lock::new(saved) }, next, outs)
    }

    #[inline(always)]
    pub(crate) fn new(action: Action, next: Edges, outs: SmallVec<[OutMeta; 1]>) -> Shared<Node> {
        let node = Shared::place(|place: &mut std::mem::MaybeUninit<Node>| {
            // Written where it stays, instead of built on the stack and copied.
            let p = place.as_mut_ptr();
            // SAFETY: every field of a fresh `Node` is written once, without being read or dropped before.
            unsafe {
                (&raw mut (*p).action).write(action);
                (&raw mut (*p).next).write(next);
                (&raw mut (*p).outs).write(outs);
                (&raw mut (*p).seq).write(next_seq());
                (&raw mut (*p).hooks).write(OnceLock::new());
                (&raw mut (*p).front).write(AtomicPtr::new(std::ptr::null_mut()));
            }
        });
        if super::anomaly_mode() {
            super::anomaly::trace(&node);
        }
        node
    }

    pub(crate) fn accumulator(leaf: &Tensor) -> Shared<Node> {
        Shared::new(Node {
            action: Action::Accumulate(Mutex::new(LeafRef::Weak(leaf.downgrade()))),
            next: Edges::new(),
            outs: smallvec::smallvec![OutMeta::of(leaf)],
            seq: u64::MAX,
            hooks: OnceLock::new(),
            front: AtomicPtr::new(std::ptr::null_mut()),
        })
    }

    /// A node around a user's backward pass; `outputs` are given their place in the graph by [`Tensor::attach`].
    pub fn custom(backward: Box<dyn CustomBackward>, inputs: &[Option<&Tensor>], outputs: &[&Tensor]) -> Shared<Node> {
        let next = inputs.iter().map(|x| x.and_then(|x| x.gradient_edge())).collect();
        Node::new(Action::Custom(backward), next, outputs.iter().map(|t| OutMeta::of(t)).collect())
    }

    /// PyTorch's name of the node: `MulBackward0`, `AccumulateGrad`, ...
    pub fn name(&self) -> String {
        if let Some(label) = self.hooks().and_then(|h| h.label.clone()) {
            return label.into_owned();
        }
        match &self.action {
            Action::Op { op, params, .. } => match op.shown.and_then(|f| f(self, params).name) {
                Some(name) => name.into(),
                None => op.node_name(),
            },
            Action::Accumulate(_) => "torch::autograd::AccumulateGrad".into(),
            Action::View { name, .. } | Action::Views { name, .. } => (*name).into(),
            Action::CopySlices { .. } => "torch::autograd::CopySlices".into(),
            Action::Identity(name) => (*name).into(),
            Action::Custom(c) => c.name(),
        }
    }

    /// [`name`](Self::name) without the namespace that the engine's own nodes show.
    pub fn short_name(&self) -> String {
        let name = self.name();
        name.rsplit("::").next().map_or_else(|| name.clone(), str::to_string)
    }

    /// The operation's name as messages give it: `Mul` for `MulBackward0`.
    pub fn forward_name(&self) -> String {
        let name = self.short_name();
        name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches("Backward").to_string()
    }

    /// Where gradients go next, one place per input.
    pub fn next(&self) -> &[Option<Edge>] {
        &self.next
    }

    /// [`next`](Self::next) as PyTorch's graph has it: without places for operands that carry no gradient, and with the
    /// steps that one node here takes together.
    pub fn shown_next(&self) -> Edges {
        if let Some(edges) = self.hooks().and_then(|h| h.shown.clone()) {
            return edges;
        }
        match &self.action {
            Action::Op { op, params, .. } => match op.shown.and_then(|f| f(self, params).next) {
                // Kept: who walks twice meets the same stand-ins.
                Some(edges) => {
                    self.show_next(edges.clone());
                    edges
                }
                None => self.visible(op.hidden),
            },
            Action::View { op: ViewOp::Part(_), .. } => self
                .next
                .iter()
                .map(|e| Node::stand_in("ViewAsRealBackward0", smallvec::smallvec![e.clone()]))
                .collect(),
            // A number that was written has no place.
            Action::CopySlices { inner, .. } if matches!(inner.action, Action::Op { op, .. } if op.name == "copy") => {
                let written = self.next.iter().skip(1).filter(|e| e.is_some());
                self.next.iter().take(1).chain(written).cloned().collect()
            }
            _ => self.next.clone(),
        }
    }

    /// Edges without those whose bit is set.
    pub fn visible(&self, hidden: u16) -> Edges {
        let seen = |i: usize| i > 15 && hidden >> 15 == 0 || i < 16 && hidden >> i & 1 == 0;
        self.next.iter().enumerate().filter(|(i, _)| seen(*i)).map(|(_, e)| e.clone()).collect()
    }

    /// An edge to a node that only shows a step: gradients do not pass through it.
    pub fn stand_in(name: &'static str, next: Edges) -> Option<Edge> {
        let outs = next.iter().flatten().next().and_then(|e| e.node.outs.get(e.nr as usize).cloned());
        let outs = outs.unwrap_or(OutMeta { sizes: Dims::new(), dtype: DType::F32, device: Device::CPU });
        Some(Edge { node: Node::new(Action::Identity(name), next, smallvec::smallvec![outs]), nr: 0 })
    }

    /// Whether input `i` of a recorded operation was saved and is a host number.
    pub fn was_number(&self, i: usize) -> bool {
        let Action::Op { op, saved, .. } = &self.action else { return false };
        if op.saves.inputs >> i & 1 == 0 {
            return false;
        }
        let place = (op.saves.inputs & ((1u16 << i) - 1)).count_ones() as usize;
        matches!(saved.lock().get(place), Some(Saved::Input { tensor, .. }) if tensor.is_wrapped())
    }

    /// Shows the node under another name and with other nodes behind it: as the operation that ended with it.
    pub fn show_as(&self, name: String, next: Edges) {
        let mut hooks = self.hooks_mut();
        hooks.label = Some(name.into());
        hooks.shown = Some(next);
    }

    pub(crate) fn show_next(&self, edges: Edges) {
        self.hooks_mut().shown = Some(edges);
    }

    pub fn sequence_nr(&self) -> u64 {
        self.seq
    }

    pub fn outputs(&self) -> &[OutMeta] {
        &self.outs
    }

    /// The leaf of an accumulating node.
    pub fn variable(&self) -> Option<Tensor> {
        match &self.action {
            Action::Accumulate(t) => t.lock().get(),
            _ => None,
        }
    }

    /// The hooks, if there ever were any.
    #[inline]
    pub(crate) fn hooks(&self) -> Option<MutexGuard<'_, NodeHooks>> {
        self.hooks.get().map(|h| h.lock())
    }

    pub(crate) fn hooks_mut(&self) -> MutexGuard<'_, NodeHooks> {
        self.hooks.get_or_init(Box::default).lock()
    }

    pub(crate) fn is_accumulator(&self) -> bool {
        matches!(self.action, Action::Accumulate(_))
    }

    pub(crate) fn set_label(&self, label: impl Into<Cow<'static, str>>) {
        self.hooks_mut().label = Some(label.into());
    }

    /// What [`set_notes`](Self::set_notes) left.
    pub fn notes(&self) -> Option<Notes> {
        self.hooks()?.notes.clone()
    }

    pub fn set_notes(&self, notes: Notes) {
        let old = self.hooks_mut().notes.replace(notes);
        drop(old);
    }

    pub fn custom_backward(&self) -> Option<&dyn CustomBackward> {
        match &self.action {
            Action::Custom(c) => Some(&**c),
            _ => None,
        }
    }

    /// The row and the parameters of a recorded operation.
    pub fn operation(&self) -> Option<(&'static OpDef, &Params)> {
        match &self.action {
            Action::Op { op, params, .. } => Some((op, params)),
            _ => None,
        }
    }

    /// Passes what is kept in a place through hooks of its own.
    pub fn repack_at(&self, place: usize, hooks: &dyn super::SavedHooks) -> Result<()> {
        let Action::Op { saved, .. } = &self.action else { return Ok(()) };
        // The hooks may look at this node: they run without its lock.
        let Some(mut slot) = saved.lock().get_mut(place).map(|s| std::mem::replace(s, Saved::Released)) else {
            return Ok(());
        };
        let result = slot.repack(hooks);
        if let Some(s) = saved.lock().get_mut(place) {
            *s = slot;
        }
        result
    }

    pub fn add_pre_hook(&self, hook: Arc<dyn NodeHook>) -> u64 {
        let id = next_hook_id();
        self.hooks_mut().pre.push((id, hook));
        id
    }

    pub fn add_post_hook(&self, hook: Arc<dyn NodeHook>) -> u64 {
        let id = next_hook_id();
        self.hooks_mut().post.push((id, hook));
        id
    }

    pub fn remove_hook(&self, id: u64) {
        let mut guard = self.hooks();
        let dropped = guard.as_mut().map(|h| {
            let split = |v: &mut Vec<(u64, Arc<dyn NodeHook>)>| v.iter().position(|e| e.0 == id).map(|i| v.remove(i).1);
            let tensor = h.tensor.iter().position(|e| e.0 == id).map(|i| h.tensor.remove(i).2);
            (split(&mut h.pre), split(&mut h.post), tensor)
        });
        drop(guard);
        drop(dropped);
    }

    /// Frees what the node keeps for the backward pass.
    pub(crate) fn release(&self) {
        match &self.action {
            Action::Op { saved, .. } => {
                // Dropped without the lock: what goes with a tensor may wait for others.
                let mut old: SmallVec<[Saved; 2]> = SmallVec::new();
                for slot in saved.lock().iter_mut() {
                    let released = slot.released();
                    old.push(std::mem::replace(slot, released));
                }
            }
            Action::Custom(c) => c.release(),
            Action::CopySlices { inner, .. } => inner.release(),
            _ => {}
        }
    }

    /// The front end's object for this node (not owned), or null.
    pub fn front(&self) -> *mut c_void {
        self.front.load(Relaxed)
    }

    pub fn set_front(&self, object: *mut c_void) {
        self.front.store(object, Relaxed);
    }

    /// What input `i` looks like. Meaningful where it requires a gradient.
    pub(crate) fn input_meta(&self, i: usize) -> OutMeta {
        match &self.next[i] {
            Some(e) => e.node.outs[e.nr as usize].clone(),
            None => self.outs[0].clone(),
        }
    }
}

/// What hands on the node itself.
impl Shared<Node> {
    /// The saved tensors of a recorded operation, in order.
    pub fn saved(&self) -> Result<Vec<Tensor>> {
        match &self.action {
            Action::Op { saved, .. } => {
                let saved = saved.lock();
                saved.iter().filter(|s| s.is_some()).map(|s| s.unpack(Some(self))).collect()
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The tensor kept in a place; `None` where the call had none.
    pub fn saved_at(&self, place: usize) -> Result<Option<Tensor>> {
        match &self.action {
            Action::Op { saved, .. } => match saved.lock().get(place) {
                None | Some(Saved::Absent) => Ok(None),
                Some(s) => s.unpack(Some(self)).map(Some),
            },
            _ => Ok(None),
        }
    }

    /// The gradients of the inputs. `hooked`: a leaf's own hooks have seen the gradient already.
    pub(crate) fn apply(&self, grads: &[Option<Tensor>], hooked: bool) -> Result<Grads> {
        match &self.action {
            Action::Op { op, params, .. } => super::vjp::apply(self, op, params, grads),
            Action::Accumulate(leaf) => {
                if let Some(Some(g)) = grads.first() {
                    let leaf = leaf.lock().get();
                    if let Some(leaf) = leaf {
                        super::accumulate::accumulate(&leaf, g, hooked)?;
                    }
                }
                Ok(Grads::new())
            }
            Action::View { op, from, .. } => match &grads[0] {
                Some(g) => {
                    let g = super::views::backward(op, g, &self.input_meta(0), from.as_deref())?;
                    Ok(smallvec::smallvec![Some(g)])
                }
                None => Ok(smallvec::smallvec![None]),
            },
            Action::Views { ops, .. } => {
                Ok(smallvec::smallvec![super::views::backward_of_several(ops, grads, &self.outs, &self.input_meta(0))?])
            }
            Action::CopySlices { ops, inner, origin } => {
                super::views::copy_slices(ops, inner, origin.as_deref(), grads)
            }
            Action::Identity(_) => Ok(grads.iter().cloned().collect()),
            Action::Custom(c) => Ok(c.backward(grads)?.into_iter().collect()),
        }
    }
}

pub(crate) fn view_name(op: &ViewOp) -> &'static str {
    match op {
        ViewOp::View(_) => "ViewBackward0",
        // `permute` itself names its nodes.
        ViewOp::Permute(_) => "TransposeBackward0",
        ViewOp::Expand(_) => "ExpandBackward0",
        ViewOp::Slice { .. } => "SliceBackward0",
        ViewOp::Select { .. } => "SelectBackward0",
        ViewOp::Unsqueeze(_) => "UnsqueezeBackward0",
        ViewOp::Squeeze(_) => "SqueezeBackward1",
        ViewOp::Diagonal { .. } => "DiagonalBackward0",
        ViewOp::Unfold { .. } => "UnfoldBackward0",
        ViewOp::AsStrided { .. } => "AsStridedBackward0",
        ViewOp::Dtype(_) => "ViewBackward1",
        ViewOp::AsReal => "ViewAsRealBackward0",
        ViewOp::AsComplex => "ViewAsComplexBackward0",
        ViewOp::Part(_) => "SelectBackward0",
        ViewOp::Alias => "AliasBackward0",
    }
}

thread_local! {
    /// Nodes waiting to be dropped: a long graph must not drop itself by recursion.
    static DROPPING: RefCell<Option<Vec<(Edges, SmallVec<[Saved; 2]>)>>> = const { RefCell::new(None) };
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(shown) = self.hooks.get_mut().and_then(|h| h.get_mut().shown.take()) {
            self.next.extend(shown);
        }
        // Somebody else keeps everything below: nothing can recurse.
        let kept = self.next.iter().flatten().all(|e| Shared::strong_count(&e.node) > 1)
            && match &mut self.action {
                Action::Op { saved, .. } => saved.get_mut().iter().all(Saved::is_shallow),
                _ => true,
            };
        if kept {
            return;
        }
        let next = std::mem::take(&mut self.next);
        let saved = match &mut self.action {
            Action::Op { saved, .. } => std::mem::take(saved.get_mut()),
            _ => SmallVec::new(),
        };
        let nested = DROPPING.try_with(|d| match &mut *d.borrow_mut() {
            Some(queue) => {
                queue.push((next, saved));
                None
            }
            slot => {
                *slot = Some(Vec::new());
                Some((next, saved))
            }
        });
        if let Ok(Some(mine)) = nested {
            drop(mine);
            loop {
                let more = DROPPING.with(|d| d.borrow_mut().as_mut().and_then(Vec::pop));
                match more {
                    Some(item) => drop(item),
                    None => break,
                }
            }
            DROPPING.with(|d| *d.borrow_mut() = None);
        }
    }
}
