//! Joining, repeating, padding and reordering.

use flambeau_core::alloc::list_of;
use flambeau_core::autograd::{Edges, Node};
use flambeau_core::layout::{self, Dims, wrap_dim, wrap_dims};
use flambeau_core::op::{Diff, Grads, Inputs, Kind, Meta, Metas, OpDef, Outs, Params, ParamsExt};
use flambeau_core::view::ViewOp;
use flambeau_core::{Result, Scalar, Tensor, call1, check, params};

use crate::operand::*;
use crate::view::{expand, narrow, reshape, unsqueeze};

/// The tensors of a list argument that starts the inputs.
fn list<'a>(x: Inputs<'a>) -> Result<Vec<&'a Tensor>> {
    (0..x.len()).map(|i| arg(x, i)).collect()
}

/// A legacy empty tensor, which `cat` skips whatever the others' rank is.
fn skipped(t: &Tensor) -> bool {
    t.ndim() == 1 && t.sizes()[0] == 0
}

fn cat_meta(x: Inputs, p: &Params) -> Result<Metas> {
    let ts = list(x)?;
    check!(!ts.is_empty(), Value, "torch.cat(): expected a non-empty list of Tensors");
    for (i, t) in ts.iter().enumerate() {
        check!(t.ndim() > 0, Runtime, "zero-dimensional tensor (at position {i}) cannot be concatenated");
    }
    let dtype = result_type(&ts)?;
    let Some(first) = ts.iter().find(|t| !skipped(t)) else {
        return Ok(smallvec::smallvec![Meta::new(&[0], dtype, ts[0].device())]);
    };
    let d = wrap_dim(p.int(1), first.ndim())?;
    let mut sizes = Dims::from_slice(first.sizes());
    sizes[d] = 0;
    for (i, t) in ts.iter().enumerate().filter(|(_, t)| !skipped(t)) {
        check!(
            t.ndim() == first.ndim(),
            Runtime,
            "Tensors must have same number of dimensions: got {} and {}",
            first.ndim(),
            t.ndim()
        );
        for k in 0..t.ndim() {
            check!(
                k == d || t.sizes()[k] == first.sizes()[k],
                Runtime,
                "Sizes of tensors must match except in dimension {d}. Expected size {} but got size {} for tensor number {i} \
                 in the list.",
                first.sizes()[k],
                t.sizes()[k]
            );
        }
        sizes[d] += t.sizes()[d];
    }
    let mut m = Meta::new(&sizes, dtype, common_device(&ts));
    if ts.iter().filter(|t| !skipped(t)).all(|t| layout::suggests_channels_last(t.sizes(), t.strides())) {
        m.strides = layout::channels_last_strides(&sizes).map(Box::new);
    }
    Ok(smallvec::smallvec![m])
}

fn cat_run(b: &dyn flambeau_core::backend::Backend, x: Inputs, o: &[Tensor], p: &Params) -> Result<()> {
    let out = &o[0];
    if out.numel() == 0 {
        return Ok(());
    }
    let d = wrap_dim(p.int(1), out.ndim())?;
    let (mut start, item) = (0i64, out.dtype().size() as i64);
    for t in list(x)? {
        if skipped(t) {
            continue;
        }
        let n = t.sizes()[d];
        let mut place = out.raw().with_layout(t.sizes(), out.strides());
        place.ptr = place.ptr.wrapping_offset((start * out.strides()[d] * item) as isize);
        b.copy(t.raw(), place)?;
        start += n;
    }
    Ok(())
}

fn cat_backward(c: &flambeau_core::autograd::Vjp) -> Result<Grads> {
    let d = wrap_dim(c.p.int(1), c.g().ndim())? as i64;
    let mut out = Grads::new();
    let mut start = 0;
    // Inputs that want no gradient have no recorded size: the lengths along `dim` are kept in the params.
    for (i, &n) in c.p.ints(2).iter().enumerate() {
        out.push(if c.need(i) && n >= 0 { Some(narrow(c.g(), d, start, n)?) } else { None });
        start += n.max(0);
    }
    for i in 0..out.len() {
        if c.need(i) && out[i].is_none() {
            let m = c.meta(i);
            out[i] = Some(crate::create::zeros(&m.sizes, m.dtype, m.device)?);
        }
    }
    Ok(out)
}

/// Joins tensors along an existing dimension.
pub fn cat(ts: &[&Tensor], dim: i64) -> Result<Tensor> {
    let x: Vec<Option<&Tensor>> = ts.iter().map(|t| Some(*t)).collect();
    cat_call(&x, dim)
}

fn cat_call(x: Inputs, dim: i64) -> Result<Tensor> {
    let rank = x.iter().flatten().find(|t| !skipped(t)).map_or(1, |t| t.ndim());
    let d = wrap_dim(dim, rank)?;
    let lengths: Vec<i64> = x
        .iter()
        .flatten()
        .map(|t| if skipped(t) && rank != 1 { -1 } else { t.sizes().get(d).copied().unwrap_or(0) })
        .collect();
    call1(&cat_kernel::OP, x, params![x.len(), dim, lengths])
}

/// Joins tensors of one shape along a new dimension.
pub fn stack(ts: &[&Tensor], dim: i64) -> Result<Tensor> {
    check!(!ts.is_empty(), Runtime, "stack expects a non-empty TensorList");
    let first = ts[0];
    let n = first.ndim() as i64 + 1;
    check!(
        dim >= -n && dim < n,
        Index,
        "Dimension out of range (expected to be in range of [{}, {}], but got {dim})",
        -n,
        n - 1
    );
    let d = if dim < 0 { dim + n } else { dim };
    for (i, t) in ts.iter().enumerate() {
        check!(
            t.sizes() == first.sizes(),
            Runtime,
            "stack expects each tensor to be equal size, but got {} at entry 0 and {} at entry {i}",
            layout::fmt(first.sizes()),
            layout::fmt(t.sizes())
        );
    }
    if d + 1 < n {
        // Joined and split again, in the order of memory that joining gives.
        let mut sizes = Dims::from_slice(first.sizes());
        sizes.insert(d as usize, ts.len() as i64);
        return crate::view::view(&cat(ts, d)?, &sizes);
    }
    let parts: Vec<Tensor> = ts.iter().map(|t| unsqueeze(t, d)).collect::<Result<_>>()?;
    cat(&parts.iter().collect::<Vec<_>>(), d)
}

/// Reverses dimensions.
pub fn flip(x: &Tensor, dims: &[i64]) -> Result<Tensor> {
    call1(&flip::OP, &[Some(x)], params![dims])
}

/// Joins after making each at least `rank`-dimensional in `grow`'s way.
fn joined(x: Inputs, dim: i64, grow: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Outs> {
    let parts: Vec<Tensor> = list(x)?.into_iter().map(grow).collect::<Result<_>>()?;
    one(cat(&parts.iter().collect::<Vec<_>>(), dim)?)
}

fn at_least(x: &Tensor, rank: usize) -> Result<Tensor> {
    match (rank, x.ndim()) {
        (1, 0) | (2, 0) | (3, 0) => reshape(x, &vec![1; rank]),
        (2, 1) => unsqueeze(x, 0),
        (3, 1) => unsqueeze(&unsqueeze(x, 0)?, -1),
        (3, 2) => unsqueeze(x, -1),
        _ => Ok(x.clone()),
    }
}

fn pad_constant(x: &Tensor, pad: &[i64], value: f64) -> Result<Tensor> {
    let n = x.ndim();
    check!(pad.len().is_multiple_of(2), Runtime, "Padding length must be divisible by 2");
    check!(
        n >= pad.len() / 2,
        Runtime,
        "Padding length should be less than or equal to two times the input dimension but got padding length {} and input \
         of dimension {n}",
        pad.len()
    );
    let mut inner = x.clone();
    let mut sizes = Dims::from_slice(x.sizes());
    let mut place: Vec<(usize, i64, i64)> = Vec::new();
    for (k, pair) in pad.chunks(2).enumerate() {
        let d = n - 1 - k;
        let (before, after) = (pair[0], pair[1]);
        let start = (-before).max(0);
        let len = inner.sizes()[d] - start - (-after).max(0);
        sizes[d] = x.sizes()[d] + before + after;
        check!(
            sizes[d] >= 0 && len >= 0,
            Runtime,
            "The input size {}, plus negative padding {before} and {after} resulted in a negative output size, which is \
             invalid. Check dimension {d} of your input.",
            x.sizes()[d]
        );
        if before < 0 || after < 0 {
            inner = narrow(&inner, d as i64, start, len)?;
        }
        place.push((d, before.max(0), len));
    }
    if pad.iter().all(|&n| n <= 0) {
        return crate::copy::clone(&inner);
    }
    let mut out = crate::create::full(&sizes, Scalar::Float(value), x.dtype(), x.device())?;
    if let Some(strides) = Meta::suggested(x, &sizes, x.dtype()).strides {
        out = Tensor::empty_strided(&sizes, &strides, x.dtype(), x.device())?;
        crate::copy::fill_(&out, Scalar::Float(value))?;
    }
    let mut target = out.clone();
    for (d, start, len) in place {
        target = narrow(&target, d as i64, start, len)?;
    }
    crate::copy::copy_(&target, &inner)?;
    Ok(out)
}

/// Positions that a padded dimension reads from.
fn pad_index(x: &Tensor, d: usize, before: i64, after: i64, mode: &str) -> Result<Vec<i64>> {
    let n = x.sizes()[d];
    if mode == "reflect" {
        check!(
            before < n && after < n,
            Runtime,
            "Argument #{}: Padding size should be less than the corresponding input dimension, but got: padding \
             ({before}, {after}) at dimension {d} of input {}",
            2 * (x.ndim() - d + 1),
            layout::fmt(x.sizes())
        );
    }
    if mode == "circular" {
        check!(before <= n && after <= n, Runtime, "Padding value causes wrapping around more than once.");
    }
    let (first, end) = (before.saturating_neg(), n.saturating_add(after));
    let mut at = list_of(usize::try_from(end as i128 - first as i128).unwrap_or(0))?;
    at.extend((first..end).map(|i| match mode {
        "reflect" => {
            if i < 0 {
                -i
            } else if i >= n {
                2 * (n - 1) - i
            } else {
                i
            }
        }
        "replicate" => i.clamp(0, n - 1),
        _ => i.rem_euclid(n),
    }));
    Ok(at)
}

/// Circular padding where some sides are cropped: what is left after cropping is repeated.
fn pad_around(x: &Tensor, pad: &[i64]) -> Result<Tensor> {
    let mut y = x.clone();
    for (k, pair) in pad.chunks(2).enumerate() {
        let d = x.ndim() - 1 - k;
        let (n, before, after) = (x.sizes()[d], pair[0], pair[1]);
        let core = ((-before).max(0)..n - (-after).max(0)).collect::<Vec<i64>>();
        let (left, right) = (before.max(0) as usize, after.max(0) as usize);
        check!(
            left <= core.len() && right <= core.len(),
            Runtime,
            "Padding value causes wrapping around more than once."
        );
        let at = [&core[core.len() - left..], &core, &core[..right]].concat();
        let at = Tensor::from_slice(&at, &[at.len() as i64])?;
        y = crate::index::index_select(&y, d as i64, &at)?;
    }
    Ok(y)
}

/// PyTorch writes the middle into a new tensor, and then each side from what it has written.
fn show_writes(y: &Tensor, x: &Tensor, pad: &[i64]) {
    let (Some(node), false) = (y.grad_fn(), y.is(x)) else { return };
    if x.ndim() != pad.len() / 2 + 2 {
        return;
    }
    let part = |edge| Node::stand_in("SliceBackward0", smallvec::smallvec![edge]);
    let middle = (0..pad.len() / 2).fold(x.gradient_edge(), |edge, _| part(edge));
    let mut next: Edges = smallvec::smallvec![None, middle];
    for _ in pad.iter().filter(|&&n| n > 0) {
        let before = Node::stand_in("torch::autograd::CopySlices", next);
        next = smallvec::smallvec![before.clone(), part(before)];
    }
    node.show_as("torch::autograd::CopySlices".into(), next);
}

fn pad_mode(x: &Tensor, pad: &[i64], mode: &str) -> Result<Tensor> {
    if mode == "circular" && pad.iter().any(|&n| n < 0) {
        return pad_around(x, pad);
    }
    let mut y = x.clone();
    for (k, pair) in pad.chunks(2).enumerate() {
        let d = x.ndim() - 1 - k;
        let at = pad_index(x, d, pair[0], pair[1], mode)?;
        let at = Tensor::from_slice(&at, &[at.len() as i64])?;
        y = crate::index::index_select(&y, d as i64, &at)?;
    }
    if mode == "circular" {
        show_writes(&y, x, pad);
        return Ok(y);
    }
    if layout::suggests_channels_last(x.sizes(), x.strides()) {
        let format =
            if x.ndim() == 4 { crate::copy::format::CHANNELS_LAST } else { crate::copy::format::CHANNELS_LAST_3D };
        y = call1(&crate::copy::clone::OP, &[Some(&y)], params![format])?;
    }
    Ok(y)
}

const fn joiner(sig: &'static str, doc: &'static str, f: flambeau_core::op::Compose) -> OpDef {
    OpDef { sig, doc, surfaces: F, kind: Kind::Composite(f), ..BASE }
}

rows! { ROWS_ALL:
    cat_kernel = OpDef {
        sig: "cat_kernel(Tensor[] tensors, int dim, int[] lengths) -> Tensor",
        doc: "Tensors joined along an existing dimension.",
        surfaces: INTERNAL,
        kind: Kind::Kernel { infer: cat_meta, run: cat_run },
        diff: Diff::Vjp(cat_backward),
        samples: Some(|s| {
            let (a, b) = (s.normal(&[2, 3]), s.normal(&[2, 2]));
            s.push(vec![Some(a), Some(b)], params![2, 1, [3i64, 2]], 3);
        }),
        ..BASE
    };
    cat = OpDef { aliases: &["concat", "concatenate"], ..joiner("cat(Tensor[] tensors, int dim=0, *, Tensor? out=None) -> Tensor", "Tensors joined along an existing dimension.",
        |x, p| { check!(!x.is_empty(), Value, "torch.cat(): expected a non-empty list of Tensors"); one(cat_call(x, p.int(1))?) }) };
    stack = joiner("stack(Tensor[] tensors, int dim=0, *, Tensor? out=None) -> Tensor", "Tensors of one shape joined along a new dimension.",
        |x, p| one(stack(&list(x)?, p.int(1))?));
    hstack = joiner("hstack(Tensor[] tensors, *, Tensor? out=None) -> Tensor", "Tensors joined side by side (along dimension 1, or 0 for vectors).",
        |x, _| { check!(!x.is_empty(), Runtime, "hstack expects a non-empty TensorList"); let d = if list(x)?.first().is_some_and(|t| t.ndim() > 1) { 1 } else { 0 }; joined(x, d, |t| at_least(t, 1)) });
    vstack = OpDef { aliases: &["row_stack"], ..joiner("vstack(Tensor[] tensors, *, Tensor? out=None) -> Tensor", "Tensors joined one below the other.",
        |x, _| { check!(!x.is_empty(), Runtime, "vstack expects a non-empty TensorList"); joined(x, 0, |t| at_least(t, 2)) }) };
    dstack = joiner("dstack(Tensor[] tensors, *, Tensor? out=None) -> Tensor", "Tensors joined along the third dimension.",
        |x, _| { check!(!x.is_empty(), Runtime, "dstack expects a non-empty TensorList"); joined(x, 2, |t| at_least(t, 3)) });
    column_stack = joiner("column_stack(Tensor[] tensors, *, Tensor? out=None) -> Tensor", "Vectors joined as columns.",
        |x, _| joined(x, 1, |t| if t.ndim() <= 1 { reshape(t, &[t.numel(), 1]) } else { Ok(t.clone()) }));
    flip = OpDef {
        sig: "flip(Tensor input, int[] dims) -> Tensor",
        doc: "Dimensions reversed.",
        kind: Kind::Kernel {
            infer: |x, p| { let x = arg(x, 0)?; flip_mask(x, p)?; Ok(smallvec::smallvec![Meta::copying(x)]) },
            run: |b, x, o, p| {
                let x = arg(x, 0)?;
                let mask = flip_mask(x, p)?;
                let dims: Vec<usize> = (0..x.ndim()).filter(|&d| mask[d]).collect();
                b.flip(x.raw(), o[0].raw(), &dims)
            },
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => flip(c.g(), c.p.ints(0)))),
        samples: Some(|s| { let x = s.normal(&[2, 3]); s.push(vec![Some(x)], params![[1i64]], 1) }),
        ..BASE
    };
    fliplr = OpDef { sig: "fliplr(Tensor input) -> Tensor", doc: "Columns reversed.", kind: Kind::Composite(|x, _| {
        check!(arg(x, 0)?.ndim() >= 2, Runtime, "Input must be >= 2-d."); one(flip(arg(x, 0)?, &[1])?) }), ..BASE };
    flipud = OpDef { sig: "flipud(Tensor input) -> Tensor", doc: "Rows reversed.", kind: Kind::Composite(|x, _| {
        check!(arg(x, 0)?.ndim() >= 1, Runtime, "Input must be >= 1-d."); one(flip(arg(x, 0)?, &[0])?) }), ..BASE };
    roll = OpDef {
        sig: "roll(Tensor input, int[1] shifts, int[1] dims=[]) -> Tensor",
        doc: "Elements shifted along dimensions; what leaves at one end enters at the other.",
        kind: Kind::Composite(|x, p| {
            let x = arg(x, 0)?;
            let (shifts, dims) = (p.ints(0), p.ints(1));
            check!(!shifts.is_empty(), Runtime, "`shifts` required");
            if dims.is_empty() {
                check!(shifts.len() == 1, Runtime, "shifts and dimensions must align. shifts: {}, dims:0", shifts.len());
                let y = roll_one(&reshape(x, &[-1])?, shifts[0], 0)?;
                return one(reshape(&y, x.sizes())?);
            }
            check!(shifts.len() == dims.len(), Runtime, "shifts and dimensions must align. shifts: {}, dims:{}", shifts.len(), dims.len());
            if x.numel() == 0 {
                return one(crate::copy::clone(x)?);
            }
            let mut y = x.clone();
            check!(x.ndim() > 0, Index, "Dimension specified as {} but tensor has no dimensions", dims[0]);
            for (&s, &d) in shifts.iter().zip(dims) {
                y = roll_one(&y, s, d)?;
            }
            one(if y.is(x) { crate::copy::clone(x)? } else { y })
        }),
        ..BASE
    };
    repeat = OpDef {
        sig: "repeat(Tensor input, int[] repeats) -> Tensor",
        doc: "The tensor copied along each dimension.",
        surfaces: M,
        kind: Kind::Composite(|x, p| one(repeat(arg(x, 0)?, p.ints(0))?)),
        ..BASE
    };
    tile = OpDef {
        sig: "tile(Tensor input, int[] dims) -> Tensor",
        doc: "The tensor copied along each dimension; missing dimensions count as one.",
        kind: Kind::Composite(|x, p| {
            let x = arg(x, 0)?;
            let mut reps = vec![1; x.ndim().saturating_sub(p.ints(0).len())];
            reps.extend_from_slice(p.ints(0));
            one(repeat(x, &reps)?)
        }),
        ..BASE
    };
    repeat_interleave = OpDef {
        sig: "repeat_interleave(Tensor input, int repeats, int? dim=None, *, int? output_size=None) -> Tensor",
        doc: "Each element repeated in place along `dim` (the flattened tensor by default).",
        kind: Kind::Composite(|x, p| {
            let x = arg(x, 0)?;
            let r = p.int(0);
            check!(r >= 0, Runtime, "Repeats must be non-negative");
            let (x, d) = match p.opt_int(1) { None => (reshape(x, &[-1])?, 0), Some(d) => (x.clone(), wrap_dim(d, x.ndim())?) };
            let mut sizes = Dims::from_slice(x.sizes());
            sizes.insert(d + 1, r);
            let y = expand(&unsqueeze(&x, d as i64 + 1)?, &sizes)?;
            one(crate::copy::contiguous_copy(&y).and_then(|y| crate::view::flatten(&y, d as i64, d as i64 + 1))?)
        }),
        ..BASE
    };
    repeat_interleave_tensor = OpDef {
        sig: "repeat_interleave(Tensor input, Tensor repeats, int? dim=None, *, int? output_size=None) -> Tensor",
        doc: "Each element repeated as often as `repeats` says.",
        kind: Kind::Composite(|x, p| {
            let (x, r) = (arg(x, 0)?, arg(x, 1)?);
            check!(r.dtype().is_int(), Runtime, "repeats has to be Long or Int tensor");
            check!(r.ndim() <= 1, Runtime, "repeats must be 0-dim or 1-dim tensor");
            let (x, d) = match p.opt_int(0) { None => (reshape(x, &[-1])?, 0), Some(d) => (x.clone(), wrap_dim(d, x.ndim())?) };
            let n = x.sizes()[d];
            let mut counts: Vec<i64> = r.to_vec()?;
            if let [all] = counts[..] {
                counts = list_of(n as usize)?;
                counts.resize(n as usize, all);
            }
            check!(counts.len() as i64 == n, Runtime,
                "repeats must have the same size as input along dim, but got repeats.size(0) = {} and input.size({d}) = {n}", counts.len());
            check!(counts.iter().all(|&k| k >= 0), Runtime, "repeats can not be negative");
            let mut at = list_of(counts.iter().fold(0usize, |n, &k| n.saturating_add(k as usize)))?;
            at.extend(counts.iter().enumerate().flat_map(|(i, &k)| std::iter::repeat_n(i as i64, k as usize)));
            one(crate::index::index_select(&x, d as i64, &Tensor::from_slice(&at, &[at.len() as i64])?)?)
        }),
        ..BASE
    };
    atleast_1d = OpDef { sig: "atleast_1d(Tensor input) -> Tensor", doc: "The tensor with at least one dimension.", surfaces: F, kind: Kind::Composite(|x, _| one(at_least(arg(x, 0)?, 1)?)), ..BASE };
    atleast_2d = OpDef { sig: "atleast_2d(Tensor input) -> Tensor", doc: "The tensor with at least two dimensions.", surfaces: F, kind: Kind::Composite(|x, _| one(at_least(arg(x, 0)?, 2)?)), ..BASE };
    atleast_3d = OpDef { sig: "atleast_3d(Tensor input) -> Tensor", doc: "The tensor with at least three dimensions.", surfaces: F, kind: Kind::Composite(|x, _| one(at_least(arg(x, 0)?, 3)?)), ..BASE };
    constant_pad_nd = OpDef { sig: "constant_pad_nd(Tensor input, int[] pad, Scalar value=0) -> Tensor", doc: "Padding with one value, the last dimension first; negative padding crops.", surfaces: F,
        kind: Kind::Composite(|x, p| one(pad_constant(arg(x, 0)?, p.ints(0), p.float(1))?)), ..BASE };
    pad = OpDef {
        sig: "pad(Tensor input, int[] pad, str mode='constant', float? value=None) -> Tensor",
        doc: "Padding of the last dimensions, the last one first: 'constant', 'reflect', 'replicate' or 'circular'.",
        surfaces: NN,
        kind: Kind::Composite(|x, p| {
            let x = arg(x, 0)?;
            let (pad, mode) = (p.ints(0), p.str(1));
            if mode.is_empty() || mode == "constant" {
                return one(pad_constant(x, pad, p.opt_float(2).unwrap_or(0.0))?);
            }
            check!(matches!(mode, "reflect" | "replicate" | "circular"), NotImplemented, "Unrecognised padding mode {mode}");
            check!(p.opt_float(2).is_none_or(|v| v == 0.0), Value, "Padding mode \"{mode}\" doesn't take in value argument");
            let k = pad.len() / 2;
            check!(pad.len() % 2 == 0 && (1..=3).contains(&k) && (x.ndim() == k + 1 || x.ndim() == k + 2), NotImplemented,
                "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now");
            one(pad_mode(x, pad, mode)?)
        }),
        samples: Some(|s| for mode in ["constant", "reflect", "replicate", "circular"] { let x = s.normal(&[2, 3, 4]); s.push(vec![Some(x)], params![[1i64, 2], mode, None::<f64>], 1) }),
        ..BASE
    };
    meshgrid = OpDef {
        sig: "meshgrid(Tensor[] tensors, *, str? indexing=None) -> Tensor[]",
        doc: "Coordinate grids of the given vectors, with 'ij' (the default) or 'xy' order.",
        surfaces: INTERNAL,
        kind: Kind::Composite(|x, p| {
            let ts = list(x)?;
            let mode = p.str(1);
            check!(matches!(mode, "" | "ij" | "xy"), Runtime, "torch.meshgrid: indexing must be one of \"xy\" or \"ij\", but received: {mode}");
            check!(!ts.is_empty(), Runtime, "meshgrid expects a non-empty TensorList");
            for t in &ts {
                check!(t.ndim() <= 1, Runtime, "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {}", layout::fmt(t.sizes()));
            }
            let swap = mode == "xy" && ts.len() >= 2;
            let mut order: Vec<usize> = (0..ts.len()).collect();
            if swap { order.swap(0, 1) }
            let sizes: Dims = order.iter().map(|&i| ts[i].numel()).collect();
            let mut out = Outs::new();
            for i in 0..ts.len() {
                let at = order.iter().position(|&k| k == i).unwrap_or(i);
                let mut shape = vec![1; ts.len()];
                shape[at] = ts[i].numel();
                out.push(expand(&reshape(ts[i], &shape)?, &sizes)?);
            }
            Ok(out)
        }),
        ..BASE
    };
    broadcast_tensors = OpDef {
        sig: "broadcast_tensors(Tensor[] tensors) -> Tensor[]",
        doc: "Tensors expanded to their common shape.",
        surfaces: INTERNAL,
        kind: Kind::Composite(|x, _| {
            let ts = list(x)?;
            let mut sizes = Dims::new();
            for t in &ts { sizes = layout::broadcast(&sizes, t.sizes())? }
            ts.iter().map(|t| if t.sizes() == sizes.as_slice() { Ok((*t).clone()) } else { expand(t, &sizes) }).collect()
        }),
        ..BASE
    };
    rot90 = OpDef {
        sig: "rot90(Tensor input, int k=1, int[] dims=[0, 1]) -> Tensor",
        doc: "Rotated by `k` quarter turns in the plane of two dimensions.",
        kind: Kind::Composite(|x, p| {
            let x = arg(x, 0)?;
            let d = p.ints(1);
            check!(d.len() == 2, Runtime, "expected total rotation dims == 2, but got dims = {}", d.len());
            check!(x.ndim() >= 2, Runtime, "expected total dims >= 2, but got total dims = {}", x.ndim());
            check!(d[0] != d[1] && (d[0] - d[1]).abs() != x.ndim() as i64, Runtime, "expected rotation dims to be different, but got dim0 = {} and dim1 = {}", d[0], d[1]);
            one(match p.int(0).rem_euclid(4) {
                1 => crate::view::transpose(&flip(x, &[d[1]])?, d[0], d[1])?,
                2 => flip(x, d)?,
                3 => crate::view::transpose(&flip(x, &[d[0]])?, d[0], d[1])?,
                _ => crate::copy::clone(x)?,
            })
        }),
        ..BASE
    };
}

fn flip_mask(x: &Tensor, p: &Params) -> Result<smallvec::SmallVec<[bool; 8]>> {
    if p.ints(0).is_empty() {
        Ok(smallvec::SmallVec::from_elem(false, x.ndim()))
    } else {
        wrap_dims(p.ints(0), x.ndim())
    }
}

fn roll_one(x: &Tensor, shift: i64, dim: i64) -> Result<Tensor> {
    let d = wrap_dim(dim, x.ndim())? as i64;
    if x.numel() == 0 || x.ndim() == 0 {
        return crate::copy::clone(x);
    }
    let n = x.sizes()[d as usize];
    let k = shift.rem_euclid(n);
    if k == 0 {
        return cat(&[x, &narrow(x, d, 0, 0)?], d);
    }
    cat(&[&narrow(x, d, n - k, k)?, &narrow(x, d, 0, n - k)?], d)
}

/// The tensor copied along each dimension.
pub fn repeat(x: &Tensor, reps: &[i64]) -> Result<Tensor> {
    check!(
        reps.len() >= x.ndim(),
        Runtime,
        "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor"
    );
    for (i, &r) in reps.iter().enumerate() {
        check!(r >= 0, Runtime, "Trying to create tensor with negative dimension {r}: dimension {i} of repeat");
    }
    let lead = reps.len() - x.ndim();
    let (mut split, mut wide, mut joined) = (Dims::new(), Dims::new(), Dims::new());
    for (i, &r) in reps.iter().enumerate() {
        let n = if i < lead { 1 } else { x.sizes()[i - lead] };
        split.extend_from_slice(&[1, n]);
        wide.extend_from_slice(&[r, n]);
        joined.push(r * n);
    }
    let y = crate::copy::contiguous_copy(&expand(&reshape(x, &split)?, &wide)?)?;
    flambeau_core::call::view(&ViewOp::View(joined), &y)
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
