//! Tensors kept for the backward pass, with the version they had.

use std::sync::Arc;

use super::node::{Edge, Node};
use super::packing::{self, Packed, SavedHooks};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::shared::Shared;
use crate::tensor::{Tensor, flag};

/// A tensor kept for the backward pass; [`unpack`](Self::unpack) refuses it if somebody wrote to it meanwhile.
pub enum Saved {
    /// The call had no such tensor.
    Absent,
    /// An input: the object itself.
    Input { tensor: Tensor, version: u32, grad: bool },
    /// An output: an alias outside the graph, so that node and output do not keep each other alive.
    Output { alias: Tensor, version: u32, nr: u32 },
    /// Kept some other way by saved-tensor hooks.
    Packed(Box<PackedSlot>),
    /// Freed by a pass that did not retain the graph.
    Released,
}

/// What hooks made of a tensor, and the place in the graph that it had.
pub struct PackedSlot {
    pub packed: Arc<dyn Packed>,
    place: Place,
}

enum Place {
    Outside,
    Leaf(Edge),
    Inner(Edge),
    Output(u32),
}

const FREED: &str = "Trying to backward through the graph a second time (or directly access saved tensors after they have \
                     already been freed). Saved intermediate values of the graph are freed when you call .backward() or \
                     autograd.grad(). Specify retain_graph=True if you need to backward through the graph a second time or \
                     if you need to access saved tensors after calling backward.";

impl Saved {
    /// Keeps the object itself.
    #[inline]
    pub fn input(t: &Tensor) -> Result<Saved> {
        if packing::active() {
            return Saved::input_packed(t);
        }
        Ok(Saved::plain(t))
    }

    #[inline]
    fn plain(t: &Tensor) -> Saved {
        Saved::Input { tensor: t.clone(), version: t.version(), grad: t.has(flag::GRAD) }
    }

    #[cold]
    fn input_packed(t: &Tensor) -> Result<Saved> {
        match packing::saved_hooks() {
            Some(hooks) if !t.is_wrapped() => Saved::through(&*hooks, t, place_of(t)),
            _ => Ok(Saved::plain(t)),
        }
    }

    /// Keeps output `nr` of the node that will hold this.
    #[inline]
    pub fn output(t: &Tensor, nr: u32) -> Result<Saved> {
        if packing::active()
            && let Some(hooks) = packing::saved_hooks()
        {
            return Saved::through(&*hooks, t, Place::Output(nr));
        }
        Ok(Saved::Output { alias: t.detach(), version: t.version(), nr })
    }

    #[cold]
    fn through(hooks: &dyn SavedHooks, t: &Tensor, place: Place) -> Result<Saved> {
        Ok(Saved::Packed(Box::new(PackedSlot { packed: packing::pack(hooks, t)?, place })))
    }

    /// Whether dropping this drops no other node.
    #[inline]
    pub(crate) fn is_shallow(&self) -> bool {
        match self {
            Saved::Absent | Saved::Released => true,
            Saved::Input { tensor: t, .. } | Saved::Output { alias: t, .. } => {
                t.handles() > 1 || t.meta_opt().is_none()
            }
            Saved::Packed(_) => false,
        }
    }

    pub fn is_some(&self) -> bool {
        !matches!(self, Saved::Absent)
    }

    /// The tensor, if nobody wrote to it since. `node` is the one that keeps it, if it still lives.
    pub fn unpack(&self, node: Option<&Shared<Node>>) -> Result<Tensor> {
        match self {
            Saved::Absent => {
                Err(Error::runtime("internal error: a tensor that was not saved is asked for; please report"))
            }
            Saved::Released => Err(Error::runtime(FREED)),
            Saved::Input { tensor, version, grad } => {
                if tensor.version() != *version && !tensor.is_inference() {
                    return Err(modified(tensor, *version, None));
                }
                if *grad && tensor.has(flag::DETACHED) && !tensor.has(flag::GRAD) {
                    return Err(Error::runtime(
                        "Trying to use a saved tensor that has been detached in-place, i.e. with .detach_().This is not \
                         supported, please use out-of-place `.detach()` instead",
                    ));
                }
                Ok(tensor.clone())
            }
            Saved::Output { alias, version, nr } => {
                if alias.version() != *version && !alias.is_inference() {
                    return Err(modified(alias, *version, node.map(|n| (n, *nr))));
                }
                let t = alias.detach();
                if let Some(node) = node {
                    t.attach(node.clone(), *nr);
                }
                Ok(t)
            }
            Saved::Packed(slot) => {
                let t = slot.packed.unpack()?.detach();
                match (&slot.place, node) {
                    (Place::Inner(e), _) => t.attach(e.node.clone(), e.nr),
                    (Place::Leaf(e), _) => t.stand_for_leaf(e),
                    (Place::Output(nr), Some(node)) => t.attach(node.clone(), *nr),
                    _ => {}
                }
                Ok(t)
            }
        }
    }

    /// Passes what is kept through hooks of its own.
    pub fn repack(&mut self, hooks: &dyn SavedHooks) -> Result<()> {
        let new = match self {
            Saved::Absent => {
                return Err(Error::runtime("Calling register_hooks on a saved tensor with value None is forbidden"));
            }
            Saved::Released => {
                return Err(Error::runtime(
                    "Calling register_hooks on a saved tensor after it has been freed. Saved intermediate values of the \
                     graph are freed when you call .backward() or autograd.grad(). Specify retain_graph=True if you need \
                     to backward through the graph a second time or if you need to access saved variables after calling \
                     backward.",
                ));
            }
            Saved::Packed(_) => {
                return Err(Error::runtime(
                    "Calling register_hooks on a saved tensor whose hooks have already been set. Hint: only one pair \
                     of hooks is allowed at a time.",
                ));
            }
            Saved::Input { tensor, .. } => Saved::through(hooks, &tensor.detach(), place_of(tensor))?,
            Saved::Output { alias, nr, .. } => Saved::through(hooks, alias, Place::Output(*nr))?,
        };
        *self = new;
        Ok(())
    }

    /// What stays when this is let go; a later [`unpack`](Self::unpack) of it explains what happened.
    #[inline]
    pub fn released(&self) -> Saved {
        if matches!(self, Saved::Absent) { Saved::Absent } else { Saved::Released }
    }
}

fn place_of(t: &Tensor) -> Place {
    match t.gradient_edge() {
        None => Place::Outside,
        Some(e) if e.node.is_accumulator() => Place::Leaf(e),
        Some(e) => Place::Inner(e),
    }
}

#[cold]
fn modified(t: &Tensor, saved: u32, output: Option<(&Shared<Node>, u32)>) -> Error {
    let origin = match output {
        Some((node, nr)) => format!(", which is output {nr} of {},", node.forward_name()),
        None => match t.grad_fn() {
            Some(node) => format!(", which is output {} of {},", t.output_nr(), node.forward_name()),
            None => String::new(),
        },
    };
    let hint = if super::anomaly_mode() {
        "the backtrace further above shows the operation that failed to compute its gradient. The variable in question was \
         changed in there or anywhere later. Good luck!"
    } else {
        "enable anomaly detection to find the operation that failed to compute its gradient, with \
         torch.autograd.set_detect_anomaly(True, check_nan=False)."
    };
    // Dtypes younger than PyTorch's first tensor types go by another kind of name.
    let kind = match t.dtype() {
        d @ (DType::U8 | DType::I8 | DType::I16 | DType::I32 | DType::I64 | DType::F16 | DType::F32 | DType::F64) => {
            format!("torch.{}Tensor", d.scalar_name())
        }
        d => format!("CPU{}Type", d.scalar_name()),
    };
    Error::runtime(format!(
        "one of the variables needed for gradient computation has been modified by an inplace operation: [{kind} \
         {}]{origin} is at version {}; expected version {saved} instead. Hint: {hint}",
        crate::layout::fmt(t.sizes()),
        t.version(),
    ))
}
