//! The one boundary that every operation crosses.

use smallvec::SmallVec;

use crate::autograd::{self, Action, Creation, Edges, Node, OutMeta, Saved, ViewMeta};
use crate::device::backend;
use crate::dtype::can_cast;
use crate::error::{Error, Result};
use crate::explain::{explain, explain_inplace};
use crate::intrinsics::intrinsics;
use crate::layout::{self, Dims};
use crate::op::{Diff, Inputs, Kind, Meta, OpDef, Outs, Params};
use crate::quick::quick;
use crate::shared::Shared;
use crate::tensor::{Tensor, flag};
use crate::view::ViewOp;

/// Work above which a front end may let other threads run meanwhile, in bytes touched.
const LONG_BYTES: i64 = 256 << 10;

/// Longest list of views between a tensor and its base.
const LONG_CHAIN: usize = 16;

/// Set by a front end: runs a long kernel with its global lock released.
static UNLOCKED: std::sync::OnceLock<fn(&mut (dyn FnMut() + Send))> = std::sync::OnceLock::new();

/// Installs the front end's way to release its global lock around a kernel.
pub fn set_unlock(f: fn(&mut (dyn FnMut() + Send))) {
    let _ = UNLOCKED.set(f);
}

/// Runs `f` with the front end's global lock released, if there is one.
pub(crate) fn unlocked(f: &mut (dyn FnMut() + Send)) {
    match UNLOCKED.get() {
        Some(release) => release(f),
        None => f(),
    }
}

/// Runs an operation: shapes, kernel, record.
pub fn call(op: &'static OpDef, x: Inputs, p: Params) -> Result<Outs> {
    match op.kind {
        Kind::Kernel { infer, .. } => {
            if let Some(kernel) = op.quick
                && let Some(y) = quick(kernel, x, &p)?
            {
                if wants_record(op, x) {
                    record_outputs(op, x, std::slice::from_ref(&y), p)?;
                }
                let mut outs = Outs::new();
                outs.push(y);
                return Ok(outs);
            }
            let metas = infer(x, &p).map_err(|e| explain(op, x, e))?;
            let mut outs = Outs::new();
            for m in &metas {
                outs.push(allocate(m)?);
            }
            execute(op, x, &outs, &p)?;
            if wants_record(op, x) {
                record_outputs(op, x, &outs, p)?;
            }
            Ok(outs)
        }
        Kind::View(make) => {
            let base = x[0].ok_or_else(|| absent(op))?;
            let made = make(base, &p)
                .and_then(|view_op| {
                    let name = if op.node.is_empty() { autograd::view_name(&view_op) } else { op.node };
                    view_named(&view_op, base, name)
                })
                .map_err(|e| explain(op, x, e))?;
            Ok(smallvec::smallvec![made])
        }
        Kind::Composite(f) => {
            let outs = f(x, &p).map_err(|e| explain(op, x, e))?;
            if !op.node.is_empty() {
                label(op.node, op.name.ends_with('_'), x, &outs);
            }
            Ok(outs)
        }
    }
}

/// Names the node that a composite ended with after the composite.
#[cold]
fn label(name: &'static str, writes: bool, x: Inputs, outs: &[Tensor]) {
    for y in outs {
        // What was only passed on keeps its name.
        let written = writes && !y.is_view();
        if y.has(flag::GRAD)
            && (written || !x.iter().flatten().any(|t| t.is(y)))
            && let Some(node) = y.grad_fn()
            && (written || !x.iter().flatten().any(|t| t.grad_fn().is_some_and(|n| Shared::ptr_eq(&n, &node))))
        {
            node.set_label(name);
        }
    }
}

/// [`call`] for operations with one result.
#[inline]
pub fn call1(op: &'static OpDef, x: Inputs, p: Params) -> Result<Tensor> {
    if let Some(kernel) = op.quick
        && let Some(y) = quick(kernel, x, &p)?
    {
        if wants_record(op, x) {
            record_outputs(op, x, std::slice::from_ref(&y), p)?;
        }
        return Ok(y);
    }
    call(op, x, p).map(|mut outs| outs.swap_remove(0))
}

#[cold]
fn absent(op: &OpDef) -> Error {
    Error::type_error(format!("{}(): a required tensor argument is None", op.name))
}

#[inline]
fn allocate(m: &Meta) -> Result<Tensor> {
    match &m.strides {
        None => Tensor::empty(&m.sizes, m.dtype, m.device),
        Some(s) => Tensor::empty_strided(&m.sizes, s, m.dtype, m.device),
    }
}

/// Runs the kernel; on the meta device there is nothing to do.
#[inline]
fn execute(op: &'static OpDef, x: Inputs, outs: &[Tensor], p: &Params) -> Result<()> {
    let Kind::Kernel { run, .. } = op.kind else { return Err(absent(op)) };
    let device = outs.first().map_or(crate::Device::CPU, Tensor::device);
    if device.is_meta() {
        return Ok(());
    }
    let mut bytes = 0;
    for t in x.iter().flatten() {
        if t.device() != device && !(t.ndim() == 0 && t.device().is_cpu()) {
            return Err(mixed_devices(device, t.device()));
        }
        bytes += t.numel() * t.dtype().size() as i64;
    }
    // A kernel is pure: where its outputs have no elements there is nothing to run.
    let mut elements = 0;
    for t in outs {
        elements += t.numel();
        bytes += t.numel() * t.dtype().size() as i64;
    }
    if elements == 0 {
        return Ok(());
    }
    let backend = backend(device)?;
    if bytes > LONG_BYTES
        && let Some(unlocked) = UNLOCKED.get()
    {
        // Other threads may change a tensor's layout meanwhile: the kernel works on handles of its own.
        let own: SmallVec<[Option<Tensor>; 4]> = x.iter().map(|t| t.map(Tensor::detach)).collect();
        let own_outs: SmallVec<[Tensor; 2]> = outs.iter().map(Tensor::detach).collect();
        let refs: SmallVec<[Option<&Tensor>; 4]> = own.iter().map(Option::as_ref).collect();
        let mut result = Ok(());
        unlocked(&mut || result = run(backend, &refs, &own_outs, p));
        return result;
    }
    run(backend, x, outs, p)
}

#[cold]
fn mixed_devices(a: crate::Device, b: crate::Device) -> Error {
    Error::runtime(format!(
        "Expected all tensors to be on the same device, but found at least two devices, {a} and {b}!"
    ))
}

#[inline]
fn wants_record(op: &OpDef, x: Inputs) -> bool {
    !matches!(op.diff, Diff::Never) && autograd::grad_enabled() && x.iter().flatten().any(|t| t.requires_grad())
}

/// Makes the node, saving exactly what the row declares.
#[inline]
fn record(op: &'static OpDef, x: Inputs, outs: &[Tensor], p: Params, inplace: bool) -> Result<Shared<Node>> {
    let mut next = Edges::new();
    for t in x {
        next.push(match t {
            Some(t) => t.try_gradient_edge()?,
            None => None,
        });
    }
    let mut saved: SmallVec<[Saved; 2]> = SmallVec::new();
    if op.saves.inputs != 0 {
        save_inputs(op, x, &next, inplace, &mut saved)?;
    }
    if !inplace && op.saves.outputs != 0 && !autograd::packing() {
        push_outputs(op, outs, &mut saved)?;
    }
    let mut metas = SmallVec::new();
    for y in outs {
        metas.push(OutMeta::of(y));
    }
    Ok(Node::recorded(op, p, saved, next, metas))
}

/// Records a call, and gives the outputs that can have gradients their places in the graph.
#[inline]
fn record_outputs(op: &'static OpDef, x: Inputs, outs: &[Tensor], p: Params) -> Result<()> {
    let node = record(op, x, outs, p, false)?;
    let differentiable = |i: usize| op.diff_outputs >> i & 1 != 0 && outs[i].dtype().is_differentiable();
    if let [y] = outs
        && !autograd::packing()
    {
        if differentiable(0) {
            y.attach_new(node, 0);
        }
        return Ok(());
    }
    for (i, y) in outs.iter().enumerate() {
        if differentiable(i) {
            y.attach_new(node.clone(), i as u32);
        }
    }
    if autograd::packing() {
        pack_outputs(op, outs, &node)?;
    }
    Ok(())
}

fn save_inputs(
    op: &'static OpDef,
    x: Inputs,
    next: &Edges,
    inplace: bool,
    saved: &mut SmallVec<[Saved; 2]>,
) -> Result<()> {
    let mut mask = op.saves.inputs;
    while mask != 0 {
        let i = mask.trailing_zeros() as usize;
        mask &= mask - 1;
        // Slots of optional inputs past the end of the call are empty too.
        let t = x.get(i).copied().flatten();
        let unused = op.saves.cross && i < 2 && next[1 - i].is_none();
        saved.push(match t {
            None => Saved::Absent,
            Some(_) if unused => Saved::Absent,
            Some(t) if inplace && i == 0 => Saved::input(&before_write(t, next[0].as_ref())?)?,
            Some(t) => saved_input(t)?,
        });
    }
    Ok(())
}

/// The values that are about to be overwritten, in the place of the graph that they had.
fn before_write(t: &Tensor, edge: Option<&autograd::Edge>) -> Result<Tensor> {
    let old = autograd::no_grad(|| intrinsics().clone(&t.detach()))?;
    if let Some(edge) = edge {
        old.attach(edge.node.clone(), edge.nr);
    }
    Ok(old)
}

fn push_outputs(op: &OpDef, outs: &[Tensor], saved: &mut SmallVec<[Saved; 2]>) -> Result<()> {
    if op.saves.outputs == 0 {
        return Ok(());
    }
    for (i, t) in outs.iter().enumerate() {
        if op.saves.outputs >> i & 1 != 0 {
            saved.push(Saved::output(t, i as u32)?);
        }
    }
    Ok(())
}

/// Saved-tensor hooks see outputs that have their place in the graph, and may do anything: no lock is held meanwhile.
#[cold]
fn pack_outputs(op: &OpDef, outs: &[Tensor], node: &Node) -> Result<()> {
    let mut packed = SmallVec::new();
    push_outputs(op, outs, &mut packed)?;
    if let Action::Op { saved, .. } = &node.action {
        saved.lock().extend(packed);
    }
    Ok(())
}

#[inline]
fn saved_input(t: &Tensor) -> Result<Saved> {
    if t.is_inference() {
        return Err(Error::runtime(
            "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in \
             computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use \
             it in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`.",
        ));
    }
    Saved::input(t)
}

/// Makes a view: no kernel, a structured description kept with the result.
pub fn view(op: &ViewOp, x: &Tensor) -> Result<Tensor> {
    view_named(op, x, autograd::view_name(op))
}

fn view_named(op: &ViewOp, x: &Tensor, name: &'static str) -> Result<Tensor> {
    let recording = autograd::grad_enabled();
    let (y, meta, differentiable) = match look(op, x)? {
        Look::Plain(y) => return Ok(y),
        Look::Kept(y, meta, differentiable) => (y, meta, differentiable),
    };
    match x.try_gradient_edge()? {
        Some(edge) if recording && differentiable => {
            let out = smallvec::smallvec![OutMeta::of(&y)];
            let from = op.depends_on_strides().then(|| Box::new(x.layout()));
            let node = Node::new(Action::View { op: op.clone(), from, name }, smallvec::smallvec![Some(edge)], out);
            place_view(&y, node, 0, meta);
        }
        _ => keep_unrecorded(&y, meta, recording && differentiable),
    }
    Ok(y)
}

/// Several views of one tensor (`split`, `unbind`), made by one node.
pub fn views(ops: Vec<ViewOp>, x: &Tensor, name: &'static str) -> Result<Outs> {
    let recording = autograd::grad_enabled();
    let edge = x.try_gradient_edge()?.filter(|_| recording && x.dtype().is_differentiable());
    let mut outs = Outs::new();
    let mut metas = Vec::with_capacity(ops.len());
    for op in &ops {
        match look(op, x)? {
            Look::Plain(y) => outs.push(y),
            Look::Kept(y, mut meta, _) => {
                if meta.creation == Creation::Default {
                    meta.creation = Creation::MultiOutput;
                }
                outs.push(y);
                metas.push(meta);
            }
        }
    }
    let node = edge.filter(|_| !metas.is_empty()).map(|edge| {
        let places = outs.iter().map(OutMeta::of).collect();
        Node::new(Action::Views { ops: ops.into_boxed_slice(), name }, smallvec::smallvec![Some(edge)], places)
    });
    for (i, (y, meta)) in outs.iter().zip(metas).enumerate() {
        match &node {
            Some(node) => {
                place_view(y, node.clone(), i as u32, meta);
            }
            None => keep_unrecorded(y, meta, recording && y.dtype().is_differentiable()),
        }
    }
    Ok(outs)
}

/// A view before it gets its place in the graph.
enum Look {
    /// It has none, nor will it ever.
    Plain(Tensor),
    Kept(Tensor, ViewMeta, bool),
}

#[inline]
fn look(op: &ViewOp, x: &Tensor) -> Result<Look> {
    let y = x.view_raw(op)?;
    if x.is_inference() {
        y.set_flag(flag::INFERENCE, true);
        return Ok(Look::Plain(y));
    }
    let mut creation = if autograd::grad_enabled() { Creation::Default } else { Creation::NoGrad };
    if autograd::inference_mode() {
        // A view of a normal tensor is a normal tensor.
        y.set_flag(flag::INFERENCE, false);
        creation = Creation::Inference;
    }
    let (base, mut ops) = match x.meta_opt().and_then(|m| m.lock().view.as_ref().map(|v| (**v).clone())) {
        Some(v) => {
            if v.creation != Creation::Default {
                creation = v.creation;
            }
            (v.base, v.ops)
        }
        None => (x.clone(), SmallVec::new()),
    };
    ops.push(op.clone());
    if ops.len() > LONG_CHAIN && y.dtype() == base.dtype() {
        // Views of views of views: one step that says the same.
        let (sizes, strides) = (Dims::from_slice(y.sizes()), Dims::from_slice(y.strides()));
        ops = SmallVec::from_iter([ViewOp::AsStrided { sizes, strides, offset: y.offset() }]);
    }
    let meta = ViewMeta { base, ops, version: y.version(), creation };
    // Bytes read as another dtype are other numbers: no gradient belongs to them.
    let differentiable =
        y.dtype().is_differentiable() && x.dtype().is_differentiable() && !matches!(op, ViewOp::Dtype(_));
    Ok(Look::Kept(y, meta, differentiable))
}

fn place_view(y: &Tensor, node: Shared<Node>, nr: u32, meta: ViewMeta) {
    y.init_meta(
        |inner| {
            inner.grad_fn = Some(node);
            inner.output_nr = nr;
            inner.view = Some(Box::new(meta));
        },
        flag::GRAD | flag::VIEW,
    );
}

fn keep_unrecorded(y: &Tensor, meta: ViewMeta, follows_base: bool) {
    // Under `no_grad` the result does not require a gradient, whatever its base does.
    let flags = if follows_base { flag::VIEW } else { flag::VIEW | flag::FROZEN };
    y.init_meta(|inner| inner.view = Some(Box::new(meta)), flags);
}

/// Refuses writes that autograd could not follow, with PyTorch's words.
pub fn check_inplace(t: &Tensor) -> Result<()> {
    check_write(t, false)
}

fn check_inference(t: &Tensor) -> Result<()> {
    crate::check!(
        !t.is_inference() || autograd::inference_mode(),
        Runtime,
        "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a normal tensor \
         before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details."
    );
    Ok(())
}

/// [`check_inplace`]; `others` says whether what is written requires a gradient.
fn check_write(t: &Tensor, others: bool) -> Result<()> {
    check_inference(t)?;
    autograd::before_write(t)?;
    if !autograd::grad_enabled() {
        return Ok(());
    }
    if t.is_view() {
        let requires_grad = t.requires_grad();
        let view = t.meta_opt().and_then(|m| m.lock().view.as_ref().map(|v| (v.creation, v.base.clone())));
        if let Some((creation, base)) = view {
            let follows = requires_grad || (t.dtype().is_differentiable() && base.requires_grad());
            if creation != Creation::Default && (follows || others) {
                return Err(autograd::refused(t, creation, false));
            }
            if requires_grad && base.is_leaf() {
                return Err(Error::runtime(
                    "a view of a leaf Variable that requires grad is being used in an in-place operation.",
                ));
            }
        }
    }
    if t.has(flag::GRAD) && t.is_leaf() {
        return Err(Error::runtime("a leaf Variable that requires grad is being used in an in-place operation."));
    }
    Ok(())
}

/// Runs an operation with its result written into the first input (`x.op_(...)`): the same kernel, the same record.
pub fn call_inplace(op: &'static OpDef, x: Inputs, p: Params) -> Result<Tensor> {
    let target = x[0].ok_or_else(|| absent(op))?;
    check_write(target, x.iter().skip(1).flatten().any(|t| t.requires_grad()))?;
    match op.kind {
        Kind::Kernel { infer, .. } => {
            let metas = infer(x, &p).map_err(|e| explain_inplace(op, x, e))?;
            let m = &metas[0];
            if m.sizes.as_slice() != target.sizes() {
                return Err(explain_inplace(op, x, wrong_output_shape(target, &m.sizes)));
            }
            check_result_type(m, target)?;
            check_written(target)?;
            if op.surfaces & crate::op::surface::INPLACE != 0 || op.name == "copy" {
                check_overlap(x, target)?;
            }
            // The record is made first: it must keep the old values where the gradient needs them.
            let node =
                if wants_record(op, x) { Some(record(op, x, &[target.detach()], p.clone(), true)?) } else { None };
            if m.dtype == target.dtype() && metas.len() == 1 && is_safe_inplace(op, x, target) {
                execute(op, x, std::slice::from_ref(target), &p)?;
            } else {
                let mut outs = Outs::new();
                for m in &metas {
                    outs.push(allocate(m)?);
                }
                execute(op, x, &outs, &p)?;
                copy_into(&outs[0], target)?;
            }
            target.bump_version();
            if let Some(node) = node {
                autograd::rebase(target, node.clone(), 0);
                pack_outputs(op, std::slice::from_ref(target), &node)?;
            }
        }
        Kind::Composite(f) => {
            // Where nodes may keep the operand, they must keep what it was.
            let old = match target.gradient_edge() {
                None if !x.iter().flatten().any(|t| t.requires_grad()) => None,
                _ if !autograd::grad_enabled() => None,
                edge => Some(before_write(target, edge.as_ref())?),
            };
            let first: Option<&Tensor> = old.as_ref().or(Some(target));
            let operands: SmallVec<[Option<&Tensor>; 4]> =
                std::iter::once(first).chain(x.iter().skip(1).copied()).collect();
            let y = f(&operands, &p).map_err(|e| explain_inplace(op, x, e))?.swap_remove(0);
            if y.sizes() != target.sizes() {
                return Err(explain_inplace(op, x, wrong_output_shape(target, y.sizes())));
            }
            check_result_type(&Meta::like(&y), target)?;
            (intrinsics().copy_)(target, &y)?;
            if !target.is_view()
                && y.has(flag::GRAD)
                && let Some(node) = target.grad_fn()
            {
                node.set_label(op.node_name());
            }
        }
        Kind::View(_) => return Err(Error::runtime(format!("{}_ is not an elementwise write", op.name))),
    }
    Ok(target.clone())
}

/// Refuses operands that overlap what is written without being it, where an elementwise kernel would read what it wrote.
fn check_overlap(x: Inputs, target: &Tensor) -> Result<()> {
    for t in x.iter().flatten().skip(1) {
        if Shared::ptr_eq(t.storage(), target.storage()) && partly_overlap(t, target) {
            return Err(Error::runtime(
                "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory \
                 location. Please clone() the tensor before performing the operation.",
            ));
        }
    }
    Ok(())
}

/// Whether two dense tensors cover ranges of memory that meet but are not the same.
fn partly_overlap(a: &Tensor, b: &Tensor) -> bool {
    let dense = |t: &Tensor| t.numel() > 0 && layout::is_non_overlapping_and_dense(t.sizes(), t.strides());
    if a.is(b) || !dense(a) || !dense(b) {
        return false;
    }
    let range = |t: &Tensor| {
        let (start, item) = (t.data_ptr() as usize, t.dtype().size());
        (start, start + t.numel() as usize * item)
    };
    let ((a0, a1), (b0, b1)) = (range(a), range(b));
    if (a0, a1) == (b0, b1) { a.strides() != b.strides() } else { a0 < b1 && b0 < a1 }
}

/// Elementwise kernels may read and write the same elements; anything else, and operands that overlap otherwise, goes
/// through a temporary.
fn is_safe_inplace(op: &OpDef, x: Inputs, target: &Tensor) -> bool {
    op.surfaces & crate::op::surface::INPLACE != 0
        && x.iter().flatten().skip(1).all(|t| {
            !Shared::ptr_eq(t.storage(), target.storage())
                || (t.strides() == target.strides() && t.offset() == target.offset() && t.sizes() == target.sizes())
        })
}

fn copy_into(from: &Tensor, to: &Tensor) -> Result<()> {
    if to.device().is_meta() {
        return Ok(());
    }
    backend(to.device())?.copy(from.raw(), to.raw())
}

fn check_written(t: &Tensor) -> Result<()> {
    crate::check!(
        !layout::has_internal_overlap(t.sizes(), t.strides()),
        Runtime,
        "unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please \
         clone() the tensor before performing the operation."
    );
    Ok(())
}

#[cold]
fn wrong_output_shape(t: &Tensor, sizes: &[i64]) -> Error {
    Error::runtime(format!(
        "output with shape {} doesn't match the broadcast shape {}",
        layout::fmt(t.sizes()),
        layout::fmt(sizes)
    ))
}

fn check_result_type(m: &Meta, target: &Tensor) -> Result<()> {
    crate::check!(
        can_cast(m.dtype, target.dtype()),
        Runtime,
        "result type {} can't be cast to the desired output type {}",
        m.dtype.scalar_name(),
        target.dtype().scalar_name()
    );
    Ok(())
}

/// Runs an operation with its results written into given tensors (`out=`), which are resized where they do not fit.
pub fn call_out(op: &'static OpDef, x: Inputs, p: Params, outs: &[Tensor]) -> Result<()> {
    if autograd::grad_enabled() && x.iter().flatten().copied().chain(outs).any(Tensor::requires_grad) {
        return Err(Error::runtime(format!(
            "{}(): functions with out=... arguments don't support automatic differentiation, but one of the arguments \
             requires grad.",
            op.name
        )));
    }
    crate::out_rules::check_out(op, x, outs)?;
    for out in outs {
        check_inference(out)?;
        autograd::before_write(out)?;
    }
    let results = match op.kind {
        Kind::Kernel { infer, .. } => {
            let metas = infer(x, &p).map_err(|e| explain(op, x, e))?;
            for (m, out) in metas.iter().zip(outs) {
                check_result_type(m, out)?;
                check_device(m.device, out)?;
                resize_output(out, &m.sizes, m.strides.as_ref().map(|s| s.as_slice()))?;
                check_written(out)?;
            }
            let direct = metas.len() == outs.len()
                && metas.iter().zip(outs).all(|(m, out)| {
                    m.dtype == out.dtype()
                        && laid_out(op, m, out)
                        && x.iter().flatten().all(|t| !Shared::ptr_eq(t.storage(), out.storage()))
                });
            if direct {
                execute(op, x, outs, &p)?;
                outs.iter().for_each(Tensor::bump_version);
                return Ok(());
            }
            let mut results = Outs::new();
            for m in &metas {
                results.push(allocate(m)?);
            }
            execute(op, x, &results, &p)?;
            results
        }
        _ => call(op, x, p)?,
    };
    for (y, out) in results.iter().zip(outs) {
        check_result_type(&Meta::new(&[], y.dtype(), y.device()), out)?;
        check_device(y.device(), out)?;
        resize_output(out, y.sizes(), None)?;
        check_written(out)?;
        copy_into(y, out)?;
        out.bump_version();
    }
    Ok(())
}

/// Whether a kernel can write straight into `out`: it was asked for this order of memory, or takes any.
fn laid_out(op: &OpDef, m: &Meta, out: &Tensor) -> bool {
    let wanted = m.strides.as_ref().map_or(out.is_contiguous(), |s| s.as_slice() == out.strides());
    wanted || op.surfaces & crate::op::surface::INPLACE != 0
}

fn check_device(device: crate::Device, out: &Tensor) -> Result<()> {
    crate::check!(
        out.device() == device,
        Runtime,
        "Expected out tensor to have device {device}, but got {} instead",
        out.device()
    );
    Ok(())
}

/// Gives an `out=` tensor its size; one that holds elements already is resized as in PyTorch (which warns).
pub fn resize_output(out: &Tensor, sizes: &[i64], strides: Option<&[i64]>) -> Result<()> {
    if out.sizes() == sizes {
        return Ok(());
    }
    resize(out, sizes)?;
    if let Some(strides) = strides {
        let new = crate::view::Layout {
            sizes: Dims::from_slice(sizes),
            strides: Dims::from_slice(strides),
            offset: out.offset(),
            dtype: out.dtype(),
        };
        // SAFETY: dense strides reach no further than the row-major ones that `resize` made room for; front ends call
        // this under their global lock.
        unsafe { out.set_layout(new) };
    }
    Ok(())
}

/// `resize_`: row-major sizes over the same storage, grown where it is too small.
pub fn resize(t: &Tensor, sizes: &[i64]) -> Result<()> {
    let n = layout::checked_numel(sizes, t.dtype().size())? as i64;
    let bytes = ((n + t.offset()) as usize).saturating_mul(t.dtype().size());
    if n > 0 && bytes > t.storage().nbytes() {
        // SAFETY: front ends call this under their global lock, and no kernel holds this tensor's memory then.
        unsafe { t.storage().resize(bytes)? };
    }
    let new = crate::view::Layout {
        sizes: Dims::from_slice(sizes),
        strides: layout::contiguous_strides(sizes),
        offset: t.offset(),
        dtype: t.dtype(),
    };
    // SAFETY: as above; the storage was made large enough.
    unsafe { t.set_layout(new) };
    Ok(())
}
