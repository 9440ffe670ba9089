//! The backward pass: nodes run latest first, each once all its gradients have arrived.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::node::{Edge, Node, OutMeta};
use super::passes::Running;
use super::tasks::Tasks;
use super::{GradGuard, anomaly, anomaly_mode, grad_enabled};
use crate::error::{Error, Result};
use crate::intrinsics::intrinsics;
use crate::layout;
use crate::op::Grads;
use crate::shared::Shared;
use crate::tensor::Tensor;

/// A node whose gradients have all arrived, and its number.
struct Ready(Shared<Node>, u32);

impl PartialEq for Ready {
    fn eq(&self, other: &Self) -> bool {
        self.0.seq == other.0.seq
    }
}
impl Eq for Ready {}
impl PartialOrd for Ready {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ready {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.seq.cmp(&other.0.seq)
    }
}

/// A place that a backward pass starts from or asks for.
pub enum Target {
    Tensor(Tensor),
    Edge(Edge),
}

impl Target {
    fn edge(&self) -> Result<Option<Edge>> {
        match self {
            Target::Tensor(t) => t.try_gradient_edge(),
            Target::Edge(e) => Ok(Some(e.clone())),
        }
    }
}

/// Runs a backward pass.
///
/// With `inputs` their gradients are returned, or, with `accumulate`, added into their `.grad` only.
/// Without `inputs` gradients are accumulated into every leaf.
pub(crate) fn run(
    roots: &[Target],
    seeds: &[Option<Tensor>],
    retain: bool,
    create: bool,
    inputs: Option<&[Target]>,
    accumulate: bool,
) -> Result<Vec<Option<Tensor>>> {
    let mut edges = SmallVec::<[_; 2]>::new();
    for (i, root) in roots.iter().enumerate() {
        let Some(edge) = root.edge()? else {
            return Err(Error::runtime(format!(
                "element {i} of tensors does not require grad and does not have a grad_fn"
            )));
        };
        let meta = &edge.node.outs[edge.nr as usize];
        let seed = match seeds.get(i).and_then(Option::as_ref) {
            Some(g) => check_seed(i, meta, g)?,
            None => {
                crate::check!(
                    layout::numel(&meta.sizes) == 1,
                    Runtime,
                    "grad can be implicitly created only for scalar outputs"
                );
                crate::check!(
                    !meta.dtype.is_complex(),
                    Runtime,
                    "grad can be implicitly created only for real scalar outputs but got {:?}",
                    meta.dtype
                );
                match root {
                    Target::Tensor(t) => (intrinsics().ones_like)(t)?,
                    Target::Edge(_) => (intrinsics().ones_like)(&Tensor::empty(&meta.sizes, meta.dtype, meta.device)?)?,
                }
            }
        };
        edges.push((edge, seed));
    }

    let mut tasks = Tasks::new();
    let mut results: Vec<Option<Tensor>> = vec![None; if accumulate { 0 } else { inputs.map_or(0, <[_]>::len) }];
    if let Some(inputs) = inputs {
        for (place, x) in inputs.iter().enumerate() {
            if let (Target::Tensor(x), true) = (x, accumulate) {
                x.retain_grad()?;
            }
            let Some(edge) = x.edge()? else {
                return Err(Error::runtime("One of the differentiated Tensors does not require grad"));
            };
            let number = tasks.number(Shared::as_ptr(&edge.node));
            let task = tasks.task(number);
            if accumulate {
                task.needed = true;
            } else {
                task.captures.push((edge.nr, place));
                task.captured = true;
            }
        }
    }
    count_dependencies(&mut tasks, edges.iter().map(|(e, _)| &e.node), inputs.is_some());

    let _mode = GradGuard::new(create);
    let running = Running::begin(tasks, inputs.is_none());
    let tasks = &running.0.tasks;
    let mut ready = BinaryHeap::new();
    for (edge, seed) in edges {
        let seed = fit(seed, &edge.node.outs[edge.nr as usize], "GraphRoot", 0)?;
        deliver(tasks, &mut ready, &edge.node, edge.nr, Some(seed))?;
    }
    while let Some(Ready(node, number)) = ready.pop() {
        running.at(node, |node| {
            if anomaly_mode() {
                anomaly::watch(node, || visit(tasks, &mut ready, &mut results, (node, number), retain))
            } else {
                visit(tasks, &mut ready, &mut results, (node, number), retain)
            }
        })?;
    }
    running.finish()?;
    Ok(results)
}

/// Gives one node its gradients, and what comes of them to the next ones.
fn visit(
    tasks: &RefCell<Tasks>,
    ready: &mut BinaryHeap<Ready>,
    results: &mut [Option<Tensor>],
    (node, number): (&Shared<Node>, u32),
    retain: bool,
) -> Result<()> {
    let (mut grads, needed, captures) = {
        let mut guard = tasks.borrow_mut();
        let task = guard.task(number);
        (std::mem::take(&mut task.incoming), task.needed, std::mem::take(&mut task.captures))
    };
    if grads.iter().all(Option::is_none) {
        grads.resize(node.outs.len(), None);
    }
    before(node, &mut grads)?;
    if !captures.is_empty()
        && let Some(leaf) = node.variable()
        && let Some(g) = &mut grads[0]
    {
        // Where the gradient is handed out instead of added, the leaf's own hooks are due here.
        super::accumulate::run_hooks(&leaf, g)?;
    }
    for (nr, place) in captures {
        results[place] = match (results[place].take(), grads[nr as usize].clone()) {
            (Some(a), Some(b)) => Some(intrinsics().add(&a, &b)?),
            (a, b) => a.or(b),
        };
    }
    if !needed {
        return Ok(());
    }
    let outgoing = if grads.iter().any(Option::is_some) {
        step(node, &mut grads, retain)?
    } else {
        node.next.iter().map(|_| None).collect()
    };
    drop(grads);
    for (i, (edge, g)) in node.next.iter().zip(outgoing).enumerate() {
        let Some(edge) = edge else { continue };
        let g = match g {
            Some(g) => Some(fit(g, &edge.node.outs[edge.nr as usize], "", i).map_err(|e| name_node(e, node))?),
            None => None,
        };
        if let (Some(g), true) = (&g, anomaly_mode()) {
            check_nan(node, i, g)?;
        }
        deliver(tasks, ready, &edge.node, edge.nr, g)?;
    }
    Ok(())
}

fn check_seed(i: usize, root: &OutMeta, g: &Tensor) -> Result<Tensor> {
    crate::check!(
        g.sizes() == root.sizes.as_slice(),
        Runtime,
        "Mismatch in shape: grad_output[{i}] has a shape of torch.Size({}) and output[{i}] has a shape of torch.Size({}).",
        layout::fmt(g.sizes()),
        layout::fmt(&root.sizes)
    );
    crate::check!(
        g.dtype().is_complex() == root.dtype.is_complex(),
        Runtime,
        "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in dtype: \
         grad_output[{i}] has a dtype of {:?} and output[{i}] has a dtype of {:?}.",
        g.dtype(),
        root.dtype
    );
    Ok(g.clone())
}

/// Counts, for each node that the roots reach, how many gradients will arrive, and marks the ways to wanted inputs.
fn count_dependencies<'a>(tasks: &mut Tasks, roots: impl Iterator<Item = &'a Shared<Node>>, selective: bool) {
    let mut stack: SmallVec<[(&'a Node, u32, usize); 8]> = SmallVec::new();
    let mut order: Vec<(&'a Node, u32)> = Vec::new();
    let meet = |tasks: &mut Tasks, stack: &mut SmallVec<_>, node: &'a Shared<Node>| {
        let number = tasks.number(Shared::as_ptr(node));
        let task = tasks.task(number);
        task.waiting += 1;
        task.needed |= !selective;
        if !std::mem::replace(&mut task.reached, true) {
            stack.push((&**node, number, 0));
        }
    };
    for root in roots {
        meet(tasks, &mut stack, root);
        while let Some((node, number, i)) = stack.pop() {
            if !selective {
                // Every node is needed, so their order does not matter.
                node.next.iter().flatten().for_each(|edge| meet(tasks, &mut stack, &edge.node));
                continue;
            }
            let Some(edge) = node.next.get(i) else {
                order.push((node, number));
                continue;
            };
            stack.push((node, number, i + 1));
            if let Some(edge) = edge {
                meet(tasks, &mut stack, &edge.node);
            }
        }
    }
    // A post-order: everything below a node comes before it.
    for (node, number) in order {
        let below = |e: &Edge| tasks.get(Shared::as_ptr(&e.node)).is_some_and(|t| t.needed || t.captured);
        let needed = node.next.iter().flatten().any(below);
        tasks.task(number).needed |= needed;
    }
}

/// Adds a gradient to what has come for a node, which is ready when all have come.
fn deliver(
    tasks: &RefCell<Tasks>,
    ready: &mut BinaryHeap<Ready>,
    node: &Shared<Node>,
    nr: u32,
    g: Option<Tensor>,
) -> Result<()> {
    let mut guard = tasks.borrow_mut();
    let Some(number) = guard.known(Shared::as_ptr(node)) else { return Ok(()) };
    let task = guard.task(number);
    let wanted = task.needed || !task.captures.is_empty();
    task.waiting -= 1;
    if task.waiting == 0 && wanted {
        ready.push(Ready(node.clone(), number));
    }
    let Some(g) = g.filter(|_| wanted) else { return Ok(()) };
    if node.outs.len() == 1 && task.incoming.is_empty() {
        task.incoming.push(Some(g));
        return Ok(());
    }
    if task.incoming.is_empty() {
        task.incoming.resize(node.outs.len(), None);
    }
    let slot = &mut task.incoming[nr as usize];
    let Some(old) = slot.take() else {
        *slot = Some(g);
        return Ok(());
    };
    // Adding may run saved-tensor hooks, which may ask about this pass.
    drop(guard);
    let alone = old.handles() == 1 && Shared::strong_count(old.storage()) == 1;
    let sum = if alone && !grad_enabled() && old.dtype() == g.dtype() && !overlapping(&old) {
        intrinsics().add_(&old, &g)?;
        old
    } else {
        intrinsics().add(&old, &g)?
    };
    tasks.borrow_mut().task(number).incoming[nr as usize] = Some(sum);
    Ok(())
}

fn overlapping(t: &Tensor) -> bool {
    !layout::is_non_overlapping_and_dense(t.sizes(), t.strides())
}

/// Hooks on the tensors whose gradient arrives, then `retain_grad`.
fn before(node: &Shared<Node>, grads: &mut SmallVec<[Option<Tensor>; 1]>) -> Result<()> {
    let Some(tensor) = node.hooks().map(|h| h.tensor.clone()) else { return Ok(()) };
    for (_, nr, hook) in tensor {
        if let Some(g) = &grads[nr as usize]
            && let Some(new) = hook.call(g)?
        {
            grads[nr as usize] = Some(new);
        }
    }
    let retain = node.hooks().map(|h| h.retain.clone()).unwrap_or_default();
    for (nr, target) in retain {
        if let (Some(t), Some(g)) = (target.upgrade(), &grads[nr as usize]) {
            let meta = t.meta();
            let old = meta.lock().grad.clone();
            let new = match old {
                None => (intrinsics().row_major)(g)?,
                Some(old) => intrinsics().add(&old, g)?,
            };
            let before = meta.lock().grad.replace(new);
            drop(before);
        }
    }
    Ok(())
}

/// Runs one node with its own hooks.
fn step(node: &Shared<Node>, grads: &mut SmallVec<[Option<Tensor>; 1]>, retain: bool) -> Result<Grads> {
    let hooks = node.hooks().map(|h| (h.pre.clone(), h.post.clone()));
    match hooks {
        None => compute(node, grads, retain, false),
        Some((pre, post)) => hooked(node, grads, retain, pre, post),
    }
}

/// The node's own work.
#[inline]
fn compute(node: &Shared<Node>, grads: &[Option<Tensor>], retain: bool, hooked: bool) -> Result<Grads> {
    let out = node.apply(grads, hooked)?;
    if !retain {
        node.release();
    }
    crate::check!(
        out.len() >= node.next.len() || matches!(node.action, super::node::Action::Accumulate(_)),
        Runtime,
        "{} returned an incorrect number of gradients (expected {}, got {})",
        node.name(),
        node.next.len(),
        out.len()
    );
    Ok(out)
}

type Hooks = Vec<(u64, Arc<dyn super::node::NodeHook>)>;

/// [`compute`] between hooks.
fn hooked(
    node: &Shared<Node>,
    grads: &mut SmallVec<[Option<Tensor>; 1]>,
    retain: bool,
    pre: Hooks,
    post: Hooks,
) -> Result<Grads> {
    let mut hooked = false;
    if !pre.is_empty()
        && let (Some(leaf), Some(Some(g))) = (node.variable(), grads.first_mut())
    {
        super::accumulate::run_hooks(&leaf, g)?;
        hooked = true;
    }
    for (_, hook) in pre {
        if let Some(new) = hook.call(grads, None)? {
            crate::check!(
                new.len() == grads.len(),
                Runtime,
                "hook has returned an incorrect number of values (got {}, but expected {})",
                new.len(),
                grads.len()
            );
            *grads = new.into_iter().collect();
        }
    }
    let mut out = compute(node, grads, retain, hooked)?;
    for (_, hook) in post {
        if let Some(new) = hook.call(&out, Some(grads))? {
            crate::check!(
                new.len() == out.len(),
                Runtime,
                "hook has returned an incorrect number of values (got {}, but expected {})",
                new.len(),
                out.len()
            );
            out = new.into_iter().collect();
        }
    }
    Ok(out)
}

/// Makes a gradient fit what it is the gradient of: shape, complex or real, dtype.
fn fit(g: Tensor, meta: &OutMeta, name: &str, i: usize) -> Result<Tensor> {
    let mut g = g;
    if !layout::same(g.sizes(), &meta.sizes) {
        crate::check!(
            layout::is_expandable(&meta.sizes, g.sizes()),
            Runtime,
            "Function {name} returned an invalid gradient at index {i} - got {} but expected shape compatible with {}",
            layout::fmt(g.sizes()),
            layout::fmt(&meta.sizes)
        );
        g = (intrinsics().sum_to)(&g, &meta.sizes)?;
    }
    if g.dtype() != meta.dtype {
        if g.dtype().is_complex() && !meta.dtype.is_complex() {
            g = (intrinsics().real)(&g)?;
        }
        if g.dtype() != meta.dtype {
            g = (intrinsics().cast)(&g, meta.dtype)?;
        }
    }
    Ok(g)
}

#[cold]
fn name_node(e: Error, node: &Shared<Node>) -> Error {
    if e.message().starts_with("Function  returned") {
        return Error::runtime(e.message().replacen("Function  ", &format!("Function {} ", node.name()), 1));
    }
    e
}

#[cold]
fn check_nan(node: &Shared<Node>, i: usize, g: &Tensor) -> Result<()> {
    if super::anomaly_check_nan() && (intrinsics().has_nan)(g)? {
        return Err(Error::runtime(format!("Function '{}' returned nan values in its {i}th output.", node.name())));
    }
    Ok(())
}
