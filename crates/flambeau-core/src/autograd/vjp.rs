//! What a row's gradient rule sees.

use smallvec::SmallVec;

use super::engine::Target;
use super::node::{Action, Node, OutMeta};
use crate::error::{Error, Result};
use crate::op::{Diff, Grads, OpDef, Params};
use crate::shared::Shared;
use crate::tensor::Tensor;

/// Incoming gradients, saved tensors and parameters of one recorded call.
pub struct Vjp<'a> {
    node: &'a Shared<Node>,
    op: &'static OpDef,
    pub p: &'a Params,
    grads: &'a [Option<Tensor>],
}

impl Vjp<'_> {
    /// The gradient of the first output.
    pub fn g(&self) -> &Tensor {
        self.grads[0].as_ref().expect("a node with one output runs only with its gradient")
    }

    pub fn grad(&self, i: usize) -> Option<&Tensor> {
        self.grads[i].as_ref()
    }

    /// Whether input `i` wants a gradient.
    pub fn need(&self, i: usize) -> bool {
        matches!(self.node.next.get(i), Some(Some(_)))
    }

    pub fn inputs(&self) -> usize {
        self.node.next.len()
    }

    /// A place for each input's gradient, all empty.
    #[inline]
    pub fn no_grads(&self) -> Grads {
        match self.inputs() {
            n @ ..=3 => Grads::from_buf_and_len([None, None, None], n),
            n => (0..n).map(|_| None).collect(),
        }
    }

    /// Saved input `i`.
    pub fn x(&self, i: usize) -> Result<Tensor> {
        self.slot(i, self.op.saves.inputs, 0)
    }

    /// Saved input `i`, or `None` where the call had none.
    pub fn opt_x(&self, i: usize) -> Result<Option<Tensor>> {
        match self.slot(i, self.op.saves.inputs, 0) {
            Ok(t) => Ok(Some(t)),
            Err(e) if e.message().starts_with("internal error: a tensor that was not saved") => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Saved output `i`.
    pub fn y(&self, i: usize) -> Result<Tensor> {
        self.slot(i, self.op.saves.outputs, self.op.saves.inputs.count_ones() as usize)
    }

    fn slot(&self, i: usize, mask: u16, base: usize) -> Result<Tensor> {
        if mask >> i & 1 == 0 {
            return Err(Error::runtime("internal error: a tensor that was not saved is asked for; please report"));
        }
        let place = base + (mask & ((1u16 << i) - 1)).count_ones() as usize;
        match &self.node.action {
            Action::Op { saved, .. } => saved.lock()[place].unpack(Some(self.node)),
            _ => Err(Error::runtime("internal error: only recorded operations save tensors; please report")),
        }
    }

    /// Sizes, dtype and device of input `i`, where it wants a gradient.
    pub fn meta(&self, i: usize) -> OutMeta {
        self.node.input_meta(i)
    }

    /// Sizes, dtype and device of output `i`.
    pub fn out_meta(&self, i: usize) -> &OutMeta {
        &self.node.outs[i]
    }
}

pub(super) fn apply(node: &Shared<Node>, op: &'static OpDef, p: &Params, grads: &[Option<Tensor>]) -> Result<Grads> {
    let cx = Vjp { node, op, p, grads };
    match op.diff {
        Diff::Vjp(f) => f(&cx),
        Diff::Decompose => by_decomposition(&cx),
        Diff::Never | Diff::Through => Err(Error::runtime(format!("derivative for {} is not implemented", op.name))),
    }
}

/// Runs the decomposition again on the saved inputs and differentiates that.
fn by_decomposition(cx: &Vjp) -> Result<Grads> {
    let Some(decompose) = cx.op.decompose else {
        return Err(Error::runtime(format!("derivative for {} is not implemented", cx.op.name)));
    };
    let create = super::grad_enabled();
    let n = cx.inputs();
    let mut xs: SmallVec<[Option<Tensor>; 4]> = SmallVec::new();
    for i in 0..n {
        xs.push(cx.opt_x(i)?);
    }
    let _on = super::GradGuard::new(true);
    // Alias each wanted input, so that gradients stop here; under `create_graph` the aliases stay attached.
    let local: SmallVec<[Option<Tensor>; 4]> = xs
        .iter()
        .enumerate()
        .map(|(i, x)| {
            x.as_ref().map(|x| {
                if !cx.need(i) {
                    x.clone()
                } else if create {
                    crate::call::view(&crate::view::ViewOp::Alias, x).unwrap_or_else(|_| x.clone())
                } else {
                    let leaf = x.detach();
                    leaf.set_requires_grad_unchecked(true);
                    leaf
                }
            })
        })
        .collect();
    let refs: SmallVec<[Option<&Tensor>; 4]> = local.iter().map(Option::as_ref).collect();
    let outs = decompose(&refs, cx.p)?;
    let mut roots = Vec::new();
    let mut seeds = Vec::new();
    for (o, g) in outs.iter().zip(cx.grads) {
        if let Some(g) = g
            && o.requires_grad()
        {
            roots.push(Target::Tensor(o.clone()));
            seeds.push(Some(g.clone()));
        }
    }
    let wanted: Vec<usize> = (0..n).filter(|&i| cx.need(i) && local[i].is_some()).collect();
    let targets: Vec<Target> = wanted.iter().filter_map(|&i| local[i].clone().map(Target::Tensor)).collect();
    let mut out: Grads = (0..n).map(|_| None).collect();
    if roots.is_empty() || targets.is_empty() {
        return Ok(out);
    }
    let got = super::engine::run(&roots, &seeds, create, create, Some(&targets), false)?;
    for (i, g) in wanted.into_iter().zip(got) {
        out[i] = g;
    }
    Ok(out)
}
