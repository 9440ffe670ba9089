//! How composites show themselves in a graph: as one node, with the places of their own operands behind it.

use crate::autograd::{Edge, Edges};
use crate::op::{Inputs, OpDef};
use crate::shared::Shared;
use crate::tensor::{Tensor, flag};

/// Names the node that a composite ended with after the composite.
#[cold]
pub(super) fn label(op: &OpDef, name: &'static str, x: Inputs, outs: &[Tensor]) {
    let writes = op.name.ends_with('_');
    for y in outs {
        // What was only passed on keeps its name.
        let written = writes && !y.is_view();
        if y.has(flag::GRAD)
            && (written || !x.iter().flatten().any(|t| t.is(y)))
            && let Some(node) = y.grad_fn()
            && (written || !x.iter().flatten().any(|t| t.grad_fn().is_some_and(|n| Shared::ptr_eq(&n, &node))))
        {
            node.set_label(name);
            node.show_next(match writes {
                true => operand_edges(op, x, Some(node.next().first().cloned().flatten())),
                false => operand_edges(op, x, None),
            });
        }
    }
}

/// The places in the graph of a composite's operands, as PyTorch's node has them; the first one's may be given.
pub(super) fn operand_edges(op: &OpDef, x: Inputs, first: Option<Option<Edge>>) -> Edges {
    let mut edges = Edges::new();
    // Where one operand is a number, the absent ones would have been numbers.
    let numbers = op.name != "div" && x.iter().flatten().any(|t| t.is_wrapped());
    for (i, t) in x.iter().enumerate() {
        // Overloads for numbers have no place for them; division makes them tensors first.
        let number = t.is_some_and(|t| t.is_wrapped()) && op.name != "div";
        if number || (numbers && t.is_none()) || i < 16 && op.hidden >> i & 1 != 0 {
            continue;
        }
        edges.push(match (&first, t) {
            (Some(edge), _) if i == 0 => edge.clone(),
            (_, Some(t)) => t.gradient_edge(),
            (_, None) => None,
        });
    }
    edges
}
