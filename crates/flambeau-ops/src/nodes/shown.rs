//! How nodes show themselves where that depends on the call: under the names of overloads, and with stand-ins for the steps
//! that one kernel takes together.

use flambeau_core::autograd::{Edge, Edges, Node, Shown};
use flambeau_core::op::{Params, ParamsExt};

pub type Show = fn(&Node, &Params) -> Shown;

pub const SHOWN: &[(&str, Show)] = &[
    ("pow_tensor", |n, _| match n.was_number(0) {
        true => named("PowBackward2", n.visible(1)),
        false if n.was_number(1) => named("PowBackward0", n.visible(0b10)),
        false => Shown::default(),
    }),
    ("remainder", |n, _| by_number(n, "RemainderBackward0", "RemainderBackward1")),
    ("fmod", |n, _| by_number(n, "FmodBackward0", "FmodBackward1")),
    ("clamp_below", |n, _| bounded(n, "ClampMinBackward0", "ClampMinBackward1")),
    ("clamp_above", |n, _| bounded(n, "ClampMaxBackward0", "ClampMaxBackward1")),
    ("clamp_tensor", |n, _| match n.was_number(1) && n.was_number(2) {
        true => named("ClampBackward1", n.visible(0b110)),
        false => named("ClampBackward0", n.visible(0)),
    }),
    ("lerp", |n, _| match n.was_number(2) {
        true => named("LerpBackward0", n.visible(0b100)),
        false => named("LerpBackward1", n.visible(0)),
    }),
    ("masked_fill", |n, _| match n.next().get(2) {
        Some(Some(_)) => named("MaskedFillBackward1", n.visible(0b10)),
        _ => named("MaskedFillBackward0", n.visible(0b110)),
    }),
    ("scatter", |n, _| match has_edge(n, 2) {
        true => named("ScatterBackward0", n.visible(0b10)),
        false => named("ScatterBackward1", n.visible(0b110)),
    }),
    ("round", |n, p| match p.int(0) {
        0 => Shown::default(),
        _ => named("RoundBackward1", n.visible(0)),
    }),
    ("softmax", |n, _| of_another_type(n)),
    ("log_softmax", |n, _| of_another_type(n)),
    ("xlogy", |n, _| by_either(n, "XlogyBackward0", "XlogyBackward1", "XlogyBackward2")),
    ("xlog1py", |n, _| by_either(n, "SpecialXlog1PyBackward0", "SpecialXlog1PyBackward1", "SpecialXlog1PyBackward2")),
    ("zeta", |n, _| by_either(n, "SpecialZetaBackward0", "SpecialZetaBackward1", "SpecialZetaBackward2")),
    ("floor_divide", |n, _| match has_edge(n, 1) {
        true => Shown::default(),
        false => Shown { name: None, next: Some(n.visible(0b10)) },
    }),
    ("sum", |n, p| over_dims(n, p, "SumBackward1")),
    ("mean", |n, p| over_dims(n, p, "MeanBackward1")),
    ("prod", |n, p| over_dims(n, p, "ProdBackward1")),
    ("index_put", |n, _| {
        let next = n.next();
        let ends = [next.first(), next.last()];
        Shown { name: None, next: Some(ends.into_iter().flatten().cloned().collect()) }
    }),
    ("convolution_kernel", |n, _| convolution(n)),
    ("conv_input", |n, _| convolution(n)),
    ("max_pool_kernel", |n, _| windows(n, "MaxPool2DWithIndicesBackward0", "MaxPool3DWithIndicesBackward0")),
    ("avg_pool_kernel", |n, _| windows(n, "AvgPool2DBackward0", "AvgPool3DBackward0")),
    ("adaptive_avg_kernel", |n, p| match p.ints(0) {
        [1] | [1, 1] | [1, 1, 1] if n.outputs()[0].sizes.len() != 3 => named("MeanBackward1", n.visible(0)),
        [1] => windows(n, "MeanBackward1", ""),
        _ => windows(n, "AdaptiveAvgPool2DBackward0", "AdaptiveAvgPool3DBackward0"),
    }),
    ("adaptive_max_kernel", |n, _| windows(n, "AdaptiveMaxPool2DBackward0", "AdaptiveMaxPool3DBackward0")),
    ("linear_kernel", |n, _| linear(n)),
    ("solve_kernel", |n, _| Shown { name: None, next: Some(n.visible(0)) }),
];

fn named(name: &'static str, next: Edges) -> Shown {
    Shown { name: Some(name), next: Some(next) }
}

fn has_edge(n: &Node, i: usize) -> bool {
    matches!(n.next().get(i), Some(Some(_)))
}

/// Overloads for a number and for a tensor as the second operand.
fn by_number(n: &Node, number: &'static str, tensor: &'static str) -> Shown {
    match n.was_number(1) || !has_edge(n, 1) {
        true => named(number, n.visible(0b10)),
        false => named(tensor, n.visible(0)),
    }
}

fn bounded(n: &Node, number: &'static str, tensor: &'static str) -> Shown {
    match n.was_number(1) {
        true => named(number, n.visible(0b10)),
        false => named(tensor, n.visible(0)),
    }
}

/// Reductions over given dimensions are overloads of their own.
fn over_dims(n: &Node, p: &Params, name: &'static str) -> Shown {
    match p.opt_ints(0) {
        Some(_) => named(name, n.visible(0)),
        _ => Shown::default(),
    }
}

/// With a place for the bias, whether there is one or not.
fn convolution(n: &Node) -> Shown {
    let mut next = n.visible(0);
    next.resize(3, None);
    Shown { name: None, next: Some(next) }
}

/// Windows over lines are windows over pictures of one row.
fn windows(n: &Node, flat: &'static str, deep: &'static str) -> Shown {
    match n.outputs()[0].sizes.len() {
        5 => named(deep, n.visible(0)),
        3 => {
            let picture = Node::stand_in("UnsqueezeBackward0", n.visible(0));
            named("SqueezeBackward1", smallvec::smallvec![Node::stand_in(flat, smallvec::smallvec![picture])])
        }
        _ => named(flat, n.visible(0)),
    }
}

fn single(name: &'static str, edge: Option<Edge>) -> Option<Edge> {
    Node::stand_in(name, smallvec::smallvec![edge])
}

/// The same where there is something behind: a step that leads nowhere is not recorded.
fn step(name: &'static str, edge: Option<Edge>) -> Option<Edge> {
    edge.and_then(|e| single(name, Some(e)))
}

/// Overloads for a number as the first or as the second operand.
fn by_either(n: &Node, tensors: &'static str, first: &'static str, second: &'static str) -> Shown {
    match (n.was_number(0), n.was_number(1)) {
        (true, _) => named(first, n.visible(0b1)),
        (_, true) => named(second, n.visible(0b10)),
        _ => named(tensors, n.visible(0)),
    }
}

/// A kernel that converts as it reads, where PyTorch converts first.
fn of_another_type(n: &Node) -> Shown {
    match n.next().first() {
        Some(Some(e)) if e.node.outputs().get(e.nr as usize).is_some_and(|m| m.dtype != n.outputs()[0].dtype) => {
            Shown { name: None, next: Some(smallvec::smallvec![single("ToCopyBackward0", Some(e.clone()))]) }
        }
        _ => Shown::default(),
    }
}

/// How the rows of an operand came to lie in one matrix.
#[derive(Clone, Copy)]
enum Rows {
    View,
    Alias,
    Copied,
}

fn flattened(rows: Rows, edge: Option<Edge>) -> Option<Edge> {
    match rows {
        Rows::View => step("ViewBackward0", edge),
        Rows::Alias => step("ReshapeAliasBackward0", edge),
        Rows::Copied => step("UnsafeViewBackward0", step("CloneBackward0", edge)),
    }
}

/// One node stands for a product with the transposed weight, and for the views around it.
fn linear(n: &Node) -> Shown {
    let next = n.next();
    let edge = |i: usize| next.get(i).cloned().flatten();
    let rank = n.outputs()[0].sizes.len();
    let biased = next.len() > 2;
    let turned = step("TBackward0", edge(1));
    let rows = match rank {
        2 => edge(0),
        1 if !biased => step("UnsqueezeBackward0", edge(0)),
        _ => step("ViewBackward0", edge(0)),
    };
    let (product, operands): (_, Edges) = match biased {
        true => ("AddmmBackward0", smallvec::smallvec![edge(2), rows, turned]),
        false => ("MmBackward0", smallvec::smallvec![rows, turned]),
    };
    match rank {
        2 => named(product, operands),
        1 if !biased => named("SqueezeBackward4", smallvec::smallvec![Node::stand_in(product, operands)]),
        _ => named("UnsafeViewBackward0", smallvec::smallvec![Node::stand_in(product, operands)]),
    }
}

/// The rows of a batch whose elements do not lie together are one operand, and the bias is added.
fn linear_by_rows(n: &Node, rows: Rows) -> Shown {
    let next = n.next();
    let edge = |i: usize| next.get(i).cloned().flatten();
    let operands: Edges = smallvec::smallvec![flattened(rows, edge(0)), step("TBackward0", edge(1))];
    let product: Edges = smallvec::smallvec![Node::stand_in("MmBackward0", operands)];
    match next.len() > 2 {
        true => {
            let whole = Node::stand_in("UnsafeViewBackward0", product);
            named("AddBackward0", smallvec::smallvec![whole, edge(2)])
        }
        false => named("UnsafeViewBackward0", product),
    }
}

/// [`linear`] of rows that a view can show as a matrix.
pub fn linear_of_spread(n: &Node, _: &Params) -> Shown {
    linear_by_rows(n, Rows::Alias)
}

/// [`linear`] of rows that have to be copied into a matrix.
pub fn linear_of_copied(n: &Node, _: &Params) -> Shown {
    linear_by_rows(n, Rows::Copied)
}

/// A product with a weight that was turned before and is turned again.
pub fn turned_back(n: &Node, _: &Params) -> Shown {
    let next = n.next();
    let edge = |i: usize| next.get(i).cloned().flatten();
    Shown { name: None, next: Some(smallvec::smallvec![edge(0), step("TBackward0", step("TBackward0", edge(1)))]) }
}

/// Products of batches, whose operands PyTorch expands and views first; by whether they are contiguous.
pub fn batches<const FIRST: bool, const SECOND: bool>(n: &Node, _: &Params) -> Shown {
    let operand = |i: usize, contiguous: bool| {
        let rows = if contiguous { Rows::View } else { Rows::Alias };
        flattened(rows, step("ExpandBackward0", n.next().get(i).cloned().flatten()))
    };
    let product = Node::stand_in("BmmBackward0", smallvec::smallvec![operand(0, FIRST), operand(1, SECOND)]);
    named("UnsafeViewBackward0", smallvec::smallvec![product])
}
