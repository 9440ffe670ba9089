//! Tensors kept for the backward pass, with the version they had.

use std::sync::Arc;

use super::node::Node;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// A tensor kept for the backward pass; [`unpack`](Self::unpack) refuses it if somebody wrote to it meanwhile.
pub enum Saved {
    /// The call had no such tensor.
    Absent,
    /// An input: the object itself.
    Input { tensor: Tensor, version: u32 },
    /// An output: an alias outside the graph, so that node and output do not keep each other alive.
    Output { alias: Tensor, version: u32, nr: u32 },
    /// Freed by a pass that did not retain the graph.
    Released,
}

impl Saved {
    /// Keeps the object itself.
    pub fn input(t: &Tensor) -> Saved {
        Saved::Input { tensor: t.clone(), version: t.version() }
    }

    /// Keeps output `nr` of the node that will hold this.
    pub fn output(t: &Tensor, nr: u32) -> Saved {
        Saved::Output { alias: t.detach(), version: t.version(), nr }
    }

    pub fn is_some(&self) -> bool {
        !matches!(self, Saved::Absent)
    }

    /// The tensor, if nobody wrote to it since.
    pub fn unpack(&self, node: &Arc<Node>) -> Result<Tensor> {
        match self {
            Saved::Absent => {
                Err(Error::runtime("internal error: a tensor that was not saved is asked for; please report"))
            }
            Saved::Released => Err(Error::runtime(
                "Trying to backward through the graph a second time (or directly access saved tensors after they have \
                 already been freed). Saved intermediate values of the graph are freed when you call .backward() or \
                 autograd.grad(). Specify retain_graph=True if you need to backward through the graph a second time or \
                 if you need to access saved tensors after calling backward.",
            )),
            Saved::Input { tensor, version } => {
                if tensor.version() != *version && !tensor.is_inference() {
                    return Err(modified(tensor, *version, None));
                }
                Ok(tensor.clone())
            }
            Saved::Output { alias, version, nr } => {
                if alias.version() != *version && !alias.is_inference() {
                    return Err(modified(alias, *version, Some((node, *nr))));
                }
                let t = alias.detach();
                t.attach(node.clone(), *nr);
                Ok(t)
            }
        }
    }

    /// Lets go of the tensor; a later [`unpack`](Self::unpack) explains what happened.
    pub fn release(&mut self) -> Saved {
        match self {
            Saved::Absent => Saved::Absent,
            _ => std::mem::replace(self, Saved::Released),
        }
    }
}

#[cold]
fn modified(t: &Tensor, saved: u32, output: Option<(&Arc<Node>, u32)>) -> Error {
    let origin = match output {
        Some((node, nr)) => format!(", which is output {nr} of {},", node.forward_name()),
        None => match t.grad_fn() {
            Some(node) => format!(", which is output {} of {},", t.output_nr(), node.forward_name()),
            None => String::new(),
        },
    };
    Error::runtime(format!(
        "one of the variables needed for gradient computation has been modified by an inplace operation: [torch.{}Tensor \
         {}]{origin} is at version {}; expected version {saved} instead. Hint: enable anomaly detection to find the \
         operation that failed to compute its gradient, with torch.autograd.set_detect_anomaly(True, check_nan=False).",
        t.dtype().scalar_name(),
        crate::layout::fmt(t.sizes()),
        t.version(),
    ))
}
