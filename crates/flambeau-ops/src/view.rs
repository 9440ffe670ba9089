//! Views: the same memory seen with another shape. No kernel runs.

use flambeau_core::autograd::OutMeta;
use flambeau_core::call::view as apply;
use flambeau_core::layout::{self, Dims, wrap_dim};
use flambeau_core::op::{Diff, Kind, OpDef, Outs, Params, ParamsExt, Samples};
use flambeau_core::view::{Layout, ViewOp};
use flambeau_core::{DType, Error, Result, Scalar, Tensor, call1, check, params};

use crate::operand::*;

fn matrix(s: &mut Samples, p: Params) {
    let x = s.normal(&[2, 3, 4]);
    s.push(vec![Some(x)], p, 1);
}

/// A row that is a composite of views or other rows.
/// More empty parts than this are a mistake, and would not fit into memory.
const MOST_PARTS: i64 = 1 << 24;

const fn composite(sig: &'static str, doc: &'static str, f: flambeau_core::op::Compose) -> OpDef {
    OpDef { sig, doc, kind: Kind::Composite(f), ..BASE }
}

const fn view_row(sig: &'static str, doc: &'static str, f: flambeau_core::op::MakeView) -> OpDef {
    OpDef { sig, doc, kind: Kind::View(f), ..BASE }
}

rows! { ROWS_ALL:
    view = OpDef {
        surfaces: M,
        samples: Some(|s| { matrix(s, params![[6, -1]]); matrix(s, params![[24]]) }),
        ..view_row("view(Tensor input, int[] size) -> Tensor", "The same elements with another shape, without a copy; one size may be -1.",
            |x, p| make_view(x, p.ints(0)))
    };
    view_dtype = OpDef {
        surfaces: M,
        diff: Diff::Never,
        samples: Some(|s| for d in [DType::I64, DType::I32] {
            let x = s.normal(&[2, 3]).cast_raw(DType::F64).expect("casts");
            s.push(vec![Some(x)], params![d], 0);
        }),
        ..view_row("view(Tensor input, ScalarType dtype) -> Tensor", "The same bytes read as another dtype.",
            |_, p| p.dtype(0).map(ViewOp::Dtype).ok_or_else(|| Error::type_error("view(): dtype expected")))
    };
    permute = OpDef {
        samples: Some(|s| matrix(s, params![[2, 0, 1]])),
        ..view_row("permute(Tensor input, int[] dims) -> Tensor", "Dimensions in another order.", |x, p| {
            let dims = p.ints(0);
            check!(dims.len() == x.ndim(), Runtime,
                "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering of dimensions i.e. input.dim() = {} is not equal to len(dims) = {}",
                x.ndim(), dims.len());
            let mut order = Dims::new();
            for &d in dims {
                let d = wrap_dim(d, x.ndim())? as i64;
                check!(!order.contains(&d), Runtime, "permute(): duplicate dims are not allowed.");
                order.push(d);
            }
            Ok(ViewOp::Permute(order))
        })
    };
    transpose = OpDef {
        aliases: &["swapaxes", "swapdims"],
        samples: Some(|s| matrix(s, params![0, -1])),
        ..view_row("transpose(Tensor input, int dim0, int dim1) -> Tensor", "Two dimensions exchanged.",
            |x, p| swap(x, p.int(0), p.int(1)))
    };
    t = OpDef {
        samples: Some(|s| for sizes in [&[2i64, 3][..], &[3], &[]] { let x = s.normal(sizes); s.push(vec![Some(x)], Params::new(), 1) }),
        ..view_row("t(Tensor input) -> Tensor", "The transpose of a matrix; of less than two dimensions the tensor itself.", |x, _| {
            check!(x.ndim() <= 2, Runtime, "t() expects a tensor with <= 2 dimensions, but self is {}D", x.ndim());
            if x.ndim() < 2 { Ok(ViewOp::Alias) } else { swap(x, 0, 1) }
        })
    };
    adjoint = composite("adjoint(Tensor input) -> Tensor", "The conjugate transpose of the last two dimensions.",
        |x, _| { let x = arg(x, 0)?; one(crate::copy::conj(&transpose(x, -2, -1)?)?) });
    expand = OpDef {
        surfaces: M,
        samples: Some(|s| { let x = s.normal(&[2, 1, 3]); s.push(vec![Some(x)], params![[4, 2, 5, -1]], 1) }),
        ..view_row("expand(Tensor input, int[] size, *, bool implicit=False) -> Tensor", "Dimensions of size one repeated without a copy; -1 keeps a size.",
            |x, p| make_expand(x, p.ints(0)))
    };
    expand_as = OpDef {
        surfaces: M,
        ..composite("expand_as(Tensor input, Tensor other) -> Tensor", "Expanded to the shape of `other`.",
            |x, _| one(expand(arg(x, 0)?, arg(x, 1)?.sizes())?))
    };
    broadcast_to = composite("broadcast_to(Tensor input, int[] size) -> Tensor", "Expanded to `size`.",
        |x, p| one(expand(arg(x, 0)?, p.ints(0))?));
    unsqueeze = OpDef {
        samples: Some(|s| matrix(s, params![-2])),
        ..view_row("unsqueeze(Tensor input, int dim) -> Tensor", "A new dimension of size one.", |x, p| {
            let n = x.ndim() as i64 + 1;
            let d = p.int(0);
            check!(d >= -n && d < n, Index, "Dimension out of range (expected to be in range of [{}, {}], but got {d})", -n, n - 1);
            Ok(ViewOp::Unsqueeze(if d < 0 { d + n } else { d } as usize))
        })
    };
    squeeze_dim = OpDef {
        samples: Some(|s| { let x = s.normal(&[2, 1, 3]); s.push(vec![Some(x)], params![1], 1) }),
        ..view_row("squeeze(Tensor input, int dim) -> Tensor", "A dimension dropped if its size is one.", |x, p| {
            let d = wrap_dim(p.int(0), x.ndim())?;
            Ok(if x.ndim() > 0 && x.sizes()[d] == 1 { ViewOp::Squeeze(d) } else { ViewOp::Alias })
        })
    };
    squeeze_dims = composite("squeeze(Tensor input, int[] dim) -> Tensor", "The given dimensions dropped where their size is one.", |x, p| {
        let x = arg(x, 0)?;
        let mask = layout::wrap_dims(p.ints(0), x.ndim())?;
        one(squeeze_where(x, |d| !p.ints(0).is_empty() && mask[d])?)
    });
    squeeze = composite("squeeze(Tensor input) -> Tensor", "All dimensions of size one dropped.",
        |x, _| one(squeeze_where(arg(x, 0)?, |_| true)?));
    select = OpDef {
        samples: Some(|s| matrix(s, params![1, -1])),
        ..view_row("select(Tensor input, int dim, int index) -> Tensor", "One position along a dimension, which goes away.", |x, p| {
            check!(x.ndim() > 0, Index, "select() cannot be applied to a 0-dim tensor.");
            let d = wrap_dim(p.int(0), x.ndim())?;
            let (n, i) = (x.sizes()[d], p.int(1));
            check!(i >= -n && i < n, Index,
                "select(): index {i} out of range for tensor of size {} at dimension {d}", layout::fmt(x.sizes()));
            Ok(ViewOp::Select { dim: d, index: if i < 0 { i + n } else { i } })
        })
    };
    narrow_at = composite("narrow(Tensor input, int dim, Tensor start, int length) -> Tensor", "`length` positions from a zero-dimensional `start` along a dimension.", |x, p| {
        let start = arg(x, 1)?;
        check!(start.ndim() == 0 && start.dtype().is_int(), Runtime, "start must be an 0-dim integral Tensor.");
        one(narrow(arg(x, 0)?, p.int(0), start.item()?.to_i64(), p.int(1))?)
    });
    narrow = OpDef {
        samples: Some(|s| matrix(s, params![2, 1, 2])),
        ..view_row("narrow(Tensor input, int dim, int start, int length) -> Tensor", "`length` positions from `start` along a dimension.", |x, p| {
            check!(x.ndim() > 0, Runtime, "narrow() cannot be applied to a 0-dim tensor.");
            let (start, len) = (p.int(1), p.int(2));
            check!(len >= 0, Runtime, "narrow(): length must be non-negative.");
            let d = wrap_dim(p.int(0), x.ndim())?;
            let n = x.sizes()[d];
            check!(start >= -n && start <= n, Index,
                "Dimension out of range (expected to be in range of [{}, {n}], but got {start})", -n);
            let s = if start < 0 { start + n } else { start };
            check!(s <= n - len, Runtime, "start ({s}) + length ({len}) exceeds dimension size ({n}).");
            Ok(ViewOp::Slice { dim: d, start: s, len, step: 1 })
        })
    };
    slice = OpDef {
        surfaces: INTERNAL,
        samples: Some(|s| matrix(s, params![2, 0, 4, 2])),
        ..view_row("slice(Tensor input, int dim, int start, int end, int step) -> Tensor", "Every `step`-th position of a range, as Python slices.", |x, p| {
            check!(x.ndim() > 0, Runtime, "slice() cannot be applied to a 0-dim tensor.");
            let d = wrap_dim(p.int(0), x.ndim())?;
            slice_of(x.sizes()[d], d, p.opt_int(1), p.opt_int(2), p.opt_int(3).unwrap_or(1))
        })
    };
    diagonal = OpDef {
        samples: Some(|s| matrix(s, params![1, 0, 2])),
        ..view_row("diagonal(Tensor input, int offset=0, int dim1=0, int dim2=1) -> Tensor", "The diagonal of two dimensions, as the last one.", |x, p| {
            let (a, b) = (wrap_dim(p.int(1), x.ndim())?, wrap_dim(p.int(2), x.ndim())?);
            check!(a != b, Runtime, "diagonal dimensions cannot be identical {}, {}", p.int(1), p.int(2));
            Ok(ViewOp::Diagonal { offset: p.int(0), dim1: a, dim2: b })
        })
    };
    unfold = OpDef {
        surfaces: M,
        samples: Some(|s| matrix(s, params![2, 2, 1])),
        ..view_row("unfold(Tensor input, int dimension, int size, int step) -> Tensor", "Windows of `size` every `step` along a dimension, as a new last one.", |x, p| {
            let (d, size, step) = (wrap_dim(p.int(0), x.ndim())?, p.int(1), p.int(2));
            let n = if x.ndim() == 0 { 1 } else { x.sizes()[d] };
            check!(size >= 0, Runtime, "size is {size} but must be >= 0");
            check!(size <= n, Runtime, "maximum size for tensor at dimension {d} is {n} but size is {size}");
            check!(step > 0, Runtime, "step is {step} but must be > 0");
            Ok(ViewOp::Unfold { dim: d, size, step })
        })
    };
    as_strided = OpDef {
        samples: Some(|s| {
            // Gaps, overlaps and an offset.
            for (sizes, strides, offset) in [([2i64, 3], [4i64, 1], 0), ([3, 3], [1, 2], 2), ([2, 2], [0, 3], 1)] {
                let x = s.normal(&[3, 4]);
                s.push(vec![Some(x)], params![sizes, strides, offset], 1);
            }
        }),
        ..view_row("as_strided(Tensor input, int[] size, int[] stride, int? storage_offset=None) -> Tensor",
        "Any sizes and strides (in elements) over the tensor's storage.", |x, p| {
            strided(x, p.ints(0), p.ints(1), p.opt_int(2))
        })
    };
    view_as_real = OpDef {
        samples: Some(|s| {
            let x = s.uniform(&[2, 3], -1.0, 1.0);
            let z = x.cast_raw(x.dtype().to_complex()).expect("casts");
            s.push(vec![Some(z)], Params::new(), 1);
        }),
        ..view_row("view_as_real(Tensor input) -> Tensor", "A complex tensor as real pairs in a new last dimension.", |x, _| {
            check!(x.dtype().is_complex(), Runtime, "view_as_real is only supported for complex tensors");
            Ok(ViewOp::AsReal)
        })
    };
    view_as_complex = OpDef {
        samples: Some(|s| { let x = s.normal(&[2, 3, 2]); s.push(vec![Some(x)], Params::new(), 1) }),
        ..view_row("view_as_complex(Tensor input) -> Tensor", "Real pairs in the last dimension as complex numbers.", |x, _| {
        check!(matches!(x.dtype(), DType::F16 | DType::F32 | DType::F64), Runtime,
            "view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar type: {}", x.dtype().scalar_name());
        check!(x.ndim() > 0, Runtime, "Input tensor must have one or more dimensions");
        Ok(ViewOp::AsComplex)
        })
    };
    alias = OpDef { surfaces: INTERNAL, samples: Some(|s| matrix(s, Params::new())), ..view_row("alias(Tensor input) -> Tensor", "The same tensor as a new object.", |_, _| Ok(ViewOp::Alias)) };
    view_as = OpDef { surfaces: M, ..composite("view_as(Tensor input, Tensor other) -> Tensor", "Viewed with the shape of `other`.",
        |x, _| one(view(arg(x, 0)?, arg(x, 1)?.sizes())?)) };
    reshape = OpDef {
        samples: Some(|s| { matrix(s, params![[3, -1]]); let x = transpose(&s.normal(&[2, 3]), 0, 1).expect("rank 2"); s.push(vec![Some(x)], params![[-1]], 1) }),
        ..composite("reshape(Tensor input, int[] shape) -> Tensor", "The same elements with another shape; a view where possible.",
            |x, p| one(reshape(arg(x, 0)?, p.ints(0))?))
    };
    reshape_as = OpDef { surfaces: M, ..composite("reshape_as(Tensor input, Tensor other) -> Tensor", "Reshaped to the shape of `other`.",
        |x, _| one(reshape(arg(x, 0)?, arg(x, 1)?.sizes())?)) };
    flatten = composite("flatten(Tensor input, int start_dim=0, int end_dim=-1) -> Tensor", "The dimensions from `start_dim` to `end_dim` as one.",
        |x, p| one(flatten(arg(x, 0)?, p.int(0), p.int(1))?));
    unflatten = composite("unflatten(Tensor input, int dim, int[] sizes) -> Tensor", "One dimension split into several.", |x, p| {
        let x = arg(x, 0)?;
        let (d, sizes) = (wrap_dim(p.int(0), x.ndim())?, p.ints(1));
        check!(!sizes.is_empty(), Runtime, "unflatten: sizes must be non-empty");
        check!(x.ndim() > 0, Runtime, "unflatten got an unexpected error:\nDimension specified as {} but tensor has no dimensions", p.int(0));
        let n = x.sizes()[d];
        let inner = layout::infer_size(sizes, n).map_err(|_| Error::runtime(format!(
            "unflatten: Provided sizes {} don't multiply up to the size of dim {d} ({n}) in the input tensor", layout::fmt(sizes))))?;
        let mut shape = Dims::from_slice(&x.sizes()[..d]);
        shape.extend_from_slice(&inner);
        shape.extend_from_slice(&x.sizes()[d + 1..]);
        one(reshape(x, &shape)?)
    });
    ravel = composite("ravel(Tensor input) -> Tensor", "All elements in one dimension.", |x, _| one(reshape(&crate::copy::contiguous(arg(x, 0)?)?, &[-1])?));
    movedim = OpDef {
        aliases: &["moveaxis"],
        ..composite("movedim(Tensor input, int[1] source, int[1] destination) -> Tensor", "Dimensions moved to other places, the rest in order.", |x, p| {
            let x = arg(x, 0)?;
            let (src, dst) = (p.ints(0), p.ints(1));
            check!(src.len() == dst.len(), Runtime,
                "movedim: Invalid source or destination dims: source ({} dims) should contain the same number of dims as destination ({} dims)",
                layout::fmt(src), layout::fmt(dst));
            let n = x.ndim();
            // A number counts as one dimension, which stays where it is.
            let mut order = vec![-1i64; n.max(1)];
            let mut used = vec![false; n.max(1)];
            for (&s, &d) in src.iter().zip(dst) {
                let (s, d) = (wrap_dim(s, n)?, wrap_dim(d, n)?);
                check!(!used[s], Runtime, "movedim: repeated dim in `source` ({})", layout::fmt(src));
                check!(order[d] == -1, Runtime, "movedim: repeated dim in `destination` ({})", layout::fmt(dst));
                used[s] = true;
                order[d] = s as i64;
            }
            let mut rest = (0..n as i64).filter(|&d| !used[d as usize]);
            for o in &mut order {
                if *o == -1 {
                    *o = rest.next().unwrap_or(0);
                }
            }
            one(permute(x, &order[..n])?)
        })
    };
    split_sizes = composite("split_with_sizes(Tensor input, int[] split_sizes, int dim=0) -> Tensor[]", "Consecutive parts of the given lengths along a dimension.",
        |x, p| split_sizes(arg(x, 0)?, p.ints(0), p.int(1)));
    split = composite("split(Tensor input, int split_size, int dim=0) -> Tensor[]", "Consecutive parts of one length along a dimension; the last may be shorter.",
        |x, p| split(arg(x, 0)?, p.int(0), p.int(1)));
    split_list = composite("split(Tensor input, int[] split_size, int dim=0) -> Tensor[]", "Consecutive parts of the given lengths along a dimension.",
        |x, p| split_sizes(arg(x, 0)?, p.ints(0), p.int(1)));
    chunk = composite("chunk(Tensor input, int chunks, int dim=0) -> Tensor[]", "At most `chunks` parts of equal length along a dimension.", |x, p| {
        let x = arg(x, 0)?;
        check!(x.ndim() > 0, Runtime, "chunk expects at least a 1-dimensional tensor");
        check!(p.int(0) > 0, Runtime, "chunk expects `chunks` to be greater than 0, got: {}", p.int(0));
        match chunk_size(x, p.int(0), p.int(1))? {
            0 => split_sizes(x, &vec![0; p.int(0) as usize], p.int(1)),
            size => split(x, size, p.int(1)),
        }
    });
    unbind = composite("unbind(Tensor input, int dim=0) -> Tensor[]", "Every position along a dimension, which goes away.",
        |x, p| unbind(arg(x, 0)?, p.int(0)));
}

/// The length of each of at most `chunks` parts; zero for empty ones, of which there may not be too many.
pub(crate) fn chunk_size(x: &Tensor, chunks: i64, dim: i64) -> Result<i64> {
    let n = x.sizes()[wrap_dim(dim, x.ndim())?];
    let size = n / chunks + (n % chunks != 0) as i64;
    check!(size > 0 || chunks <= MOST_PARTS, Runtime, "chunk: {chunks} parts of an empty dimension are too many");
    Ok(size)
}

fn make_view(x: &Tensor, to: &[i64]) -> Result<ViewOp> {
    let sizes = layout::infer_size(to, x.numel())?;
    Ok(ViewOp::View(sizes))
}

fn make_expand(x: &Tensor, to: &[i64]) -> Result<ViewOp> {
    let (n, sizes) = (x.ndim(), x.sizes());
    check!(
        to.len() >= n,
        Runtime,
        "expand(torch.{}Tensor{{{}}}, size={}): the number of sizes provided ({}) must be greater or equal to the number of \
         dimensions in the tensor ({n})",
        x.dtype().scalar_name(),
        layout::fmt(sizes),
        layout::fmt(to),
        to.len()
    );
    let lead = to.len() - n;
    for (i, &t) in to.iter().enumerate() {
        if i < lead {
            check!(
                t >= 0,
                Runtime,
                "The expanded size of the tensor ({t}) isn't allowed in a leading, non-existing dimension {i}"
            );
        } else {
            let s = sizes[i - lead];
            check!(
                t == -1 || t == s || s == 1 && t >= 0,
                Runtime,
                "The expanded size of the tensor ({t}) must match the existing size ({s}) at non-singleton dimension {i}.  \
                 Target sizes: {}.  Tensor sizes: {}",
                layout::fmt(to),
                layout::fmt(sizes)
            );
        }
    }
    Ok(ViewOp::Expand(Dims::from_slice(to)))
}

/// `as_strided` with checked arguments; that the places exist is checked where it is applied.
pub(crate) fn strided(x: &Tensor, sizes: &[i64], strides: &[i64], offset: Option<i64>) -> Result<ViewOp> {
    check!(sizes.len() == strides.len(), Runtime, "mismatch in length of strides and shape");
    check!(
        strides.iter().all(|&s| s >= 0),
        Runtime,
        "as_strided: Negative strides are not supported at the moment, got strides: {}",
        layout::fmt(strides)
    );
    let offset = offset.unwrap_or(x.offset());
    check!(offset >= 0, Runtime, "Tensor: invalid storage offset {offset}");
    Ok(ViewOp::AsStrided { sizes: sizes.into(), strides: strides.into(), offset })
}

fn swap(x: &Tensor, a: i64, b: i64) -> Result<ViewOp> {
    let (a, b) = (wrap_dim(a, x.ndim())?, wrap_dim(b, x.ndim())?);
    let mut order: Dims = (0..x.ndim() as i64).collect();
    if !order.is_empty() {
        order.swap(a, b);
    }
    Ok(ViewOp::Permute(order))
}

/// A Python slice of a dimension of size `n`.
pub fn slice_of(n: i64, dim: usize, start: Option<i64>, end: Option<i64>, step: i64) -> Result<ViewOp> {
    check!(step > 0, Value, "step must be greater than zero");
    let clamp = |i: i64| (if i < 0 { i.saturating_add(n) } else { i }).clamp(0, n);
    let start = clamp(start.unwrap_or(0));
    let end = clamp(end.unwrap_or(n)).max(start);
    Ok(ViewOp::Slice { dim, start, len: if end > start { (end - start - 1) / step + 1 } else { 0 }, step })
}

fn squeeze_where(x: &Tensor, drop: impl Fn(usize) -> bool) -> Result<Tensor> {
    let mut y = x.clone();
    let mut any = false;
    for d in (0..x.ndim()).rev() {
        if x.sizes()[d] == 1 && drop(d) {
            y = apply(&ViewOp::Squeeze(d), &y)?;
            any = true;
        }
    }
    if any { Ok(y) } else { apply(&ViewOp::Alias, x) }
}

/// Another shape over the same memory.
pub fn view(x: &Tensor, sizes: &[i64]) -> Result<Tensor> {
    apply(&make_view(x, sizes)?, x)
}

/// Another shape; a copy only where the memory's order demands it.
pub fn reshape(x: &Tensor, sizes: &[i64]) -> Result<Tensor> {
    let to = layout::infer_size(sizes, x.numel())?;
    let name = if x.is_contiguous() { "ViewBackward0" } else { "ReshapeAliasBackward0" };
    if to.as_slice() == x.sizes() {
        let named = |op| flambeau_core::call::view_named(&op, x, name);
        return named(ViewOp::View(to)).or_else(|_| named(ViewOp::Alias));
    }
    if layout::view_strides(x.sizes(), x.strides(), &to).is_some() {
        return flambeau_core::call::view_named(&ViewOp::View(to), x, name);
    }
    flambeau_core::call::view_named(&ViewOp::View(to), &crate::copy::contiguous_copy(x)?, "UnsafeViewBackward0")
}

pub fn permute(x: &Tensor, order: &[i64]) -> Result<Tensor> {
    call1(&permute::OP, &[Some(x)], params![order])
}

pub fn transpose(x: &Tensor, a: i64, b: i64) -> Result<Tensor> {
    apply(&swap(x, a, b)?, x)
}

/// The transpose of the last two dimensions.
pub fn mt(x: &Tensor) -> Result<Tensor> {
    transpose(x, -2, -1)
}

pub fn expand(x: &Tensor, sizes: &[i64]) -> Result<Tensor> {
    apply(&make_expand(x, sizes)?, x)
}

pub fn unsqueeze(x: &Tensor, dim: i64) -> Result<Tensor> {
    call1(&unsqueeze::OP, &[Some(x)], params![dim])
}

/// Drops dimension `dim` if its size is one.
pub fn squeeze(x: &Tensor, dim: i64) -> Result<Tensor> {
    call1(&squeeze_dim::OP, &[Some(x)], params![dim])
}

pub fn select(x: &Tensor, dim: i64, index: i64) -> Result<Tensor> {
    call1(&select::OP, &[Some(x)], params![dim, index])
}

pub fn narrow(x: &Tensor, dim: i64, start: i64, length: i64) -> Result<Tensor> {
    call1(&narrow::OP, &[Some(x)], params![dim, start, length])
}

/// The same tensor as a new object in the graph.
pub fn alias(x: &Tensor) -> Result<Tensor> {
    apply(&ViewOp::Alias, x)
}

pub fn flatten(x: &Tensor, start: i64, end: i64) -> Result<Tensor> {
    let (a, b) = (wrap_dim(start, x.ndim())?, wrap_dim(end, x.ndim())?);
    check!(a <= b, Runtime, "flatten() has invalid args: start_dim cannot come after end_dim");
    if x.ndim() == 0 {
        return reshape(x, &[1]);
    }
    if a == b {
        return Ok(x.clone());
    }
    let mut shape = Dims::from_slice(&x.sizes()[..a]);
    shape.push(x.sizes()[a..=b].iter().product());
    shape.extend_from_slice(&x.sizes()[b + 1..]);
    reshape(x, &shape)
}

/// How several views of one tensor are made.
type MakeViews = fn(Vec<ViewOp>, &Tensor, &'static str) -> Result<Outs>;

fn parts(
    x: &Tensor,
    dim: usize,
    lengths: impl ExactSizeIterator<Item = i64>,
    name: &'static str,
    make: MakeViews,
) -> Result<Outs> {
    flambeau_core::alloc::room_for(lengths.len())?;
    let mut start = 0;
    let mut ops = Vec::with_capacity(lengths.len());
    for len in lengths {
        ops.push(ViewOp::Slice { dim, start, len, step: 1 });
        start += len;
    }
    make(ops, x, name)
}

pub fn split(x: &Tensor, size: i64, dim: i64) -> Result<Outs> {
    split_by(x, size, dim, "SplitBackward0", flambeau_core::call::views)
}

/// [`split`] into parts that may be changed in place.
pub fn split_to_change(x: &Tensor, size: i64, dim: i64) -> Result<Outs> {
    split_by(x, size, dim, "UnsafeSplitBackward0", flambeau_core::call::views_to_change)
}

fn split_by(x: &Tensor, size: i64, dim: i64, name: &'static str, make: MakeViews) -> Result<Outs> {
    check!(x.ndim() > 0, Runtime, "split expects at least a 1-dimensional tensor");
    check!(size >= 0, Runtime, "split expects split_size be non-negative, but got split_size={size}");
    let d = wrap_dim(dim, x.ndim())?;
    let n = x.sizes()[d];
    check!(
        size > 0 || n == 0,
        Runtime,
        "split_size can only be 0 if dimension size is 0, but got dimension size of {n}"
    );
    let count = if n == 0 { 1 } else { (n - 1) / size + 1 } as usize;
    parts(x, d, (0..count).map(|i| size.min(n - i as i64 * size)), name, make)
}

pub fn split_sizes(x: &Tensor, sizes: &[i64], dim: i64) -> Result<Outs> {
    split_sizes_by(x, sizes, dim, "SplitWithSizesBackward0", flambeau_core::call::views)
}

/// [`split_sizes`] into parts that may be changed in place.
pub fn split_sizes_to_change(x: &Tensor, sizes: &[i64], dim: i64) -> Result<Outs> {
    split_sizes_by(x, sizes, dim, "UnsafeSplitWithSizesBackward0", flambeau_core::call::views_to_change)
}

fn split_sizes_by(x: &Tensor, sizes: &[i64], dim: i64, name: &'static str, make: MakeViews) -> Result<Outs> {
    check!(x.ndim() > 0, Runtime, "split expects at least a 1-dimensional tensor");
    let d = wrap_dim(dim, x.ndim())?;
    let n = x.sizes()[d];
    check!(
        sizes.iter().all(|&s| s >= 0),
        Runtime,
        "split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={}",
        layout::fmt(sizes)
    );
    check!(
        sizes.iter().map(|&s| s as i128).sum::<i128>() == n as i128,
        Runtime,
        "split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {d}), but got \
         split_sizes={}",
        layout::fmt(sizes)
    );
    parts(x, d, sizes.iter().copied(), name, make)
}

pub fn unbind(x: &Tensor, dim: i64) -> Result<Outs> {
    check!(x.ndim() > 0, Index, "Dimension specified as {dim} but tensor has no dimensions");
    let d = wrap_dim(dim, x.ndim())?;
    flambeau_core::alloc::room_for(x.sizes()[d] as usize)?;
    let ops = (0..x.sizes()[d]).map(|index| ViewOp::Select { dim: d, index }).collect();
    flambeau_core::call::views(ops, x, "UnbindBackward0")
}

/// Zeros like a view's input with `g` in the viewed place (summed where the view overlaps itself): the view's adjoint.
/// Linear in `g`, and differentiable by viewing again.
pub fn unview_of(g: &Tensor, op: &ViewOp, input: &OutMeta, from: Option<&Layout>) -> Result<Tensor> {
    if let (ViewOp::AsStrided { .. }, Some(from)) = (op, from) {
        return unstride(g, op, input, from);
    }
    if matches!(op, ViewOp::Unfold { size, step, .. } if size > step) {
        return scatter_back(g, op, input);
    }
    let whole = crate::create::zeros(&input.sizes, input.dtype, input.device)?;
    let part = apply(op, &whole)?;
    crate::copy::copy_(&part, g)?;
    let name = match op {
        ViewOp::Select { .. } => "SelectBackwardBackward0",
        ViewOp::Slice { .. } => "SliceBackwardBackward0",
        ViewOp::Diagonal { .. } => "DiagonalBackwardBackward0",
        ViewOp::Unfold { .. } => "UnfoldBackwardBackward0",
        _ => return Ok(whole),
    };
    if let Some(node) = whole.grad_fn() {
        node.show_as(name.into(), smallvec::smallvec![g.gradient_edge()]);
    }
    Ok(whole)
}

/// The adjoint of `as_strided`: adds at each place in memory that the view showed, and reads what lies under the input.
/// Where the input itself repeats a place, the copies share its gradient.
fn unstride(g: &Tensor, op: &ViewOp, input: &OutMeta, from: &Layout) -> Result<Tensor> {
    let reach = |l: &Layout| {
        let empty = l.sizes.contains(&0);
        let far: i64 = l.sizes.iter().zip(&l.strides).map(|(n, s)| (n - 1).max(0) * s).sum();
        if empty { 0 } else { l.offset + far + 1 }
    };
    let to = op.apply(from)?;
    let n = reach(from).max(reach(&to));
    let places = |l: &Layout| -> Result<Tensor> {
        let numbers = crate::create::arange_int(0, n)?;
        let op = ViewOp::AsStrided { sizes: l.sizes.clone(), strides: l.strides.clone(), offset: l.offset };
        flambeau_core::autograd::no_grad(|| crate::copy::contiguous_copy(&reshape(&apply(&op, &numbers)?, &[-1])?))
    };
    let memory = crate::create::zeros(&[n], input.dtype, input.device)?;
    let memory = crate::scatter::index_add(&memory, 0, &places(&to)?, &reshape(g, &[-1])?)?;
    let under = places(from)?;
    let mut gx = crate::index::index_select(&memory, 0, &under)?;
    if !layout::is_non_overlapping_and_dense(&from.sizes, &from.strides) {
        let zero = crate::create::zeros(&[n], input.dtype, input.device)?;
        let ones = crate::create::full(&[under.numel()], Scalar::Int(1), input.dtype, input.device)?;
        let shared = crate::scatter::index_add(&zero, 0, &under, &ones)?;
        gx = crate::binary::div(&gx, &crate::index::index_select(&shared, 0, &under)?)?;
    }
    reshape(&gx, &input.sizes)
}

/// The adjoint of a view that shows an element more than once: adds at each position's flat index.
fn scatter_back(g: &Tensor, op: &ViewOp, input: &OutMeta) -> Result<Tensor> {
    let n = layout::numel(&input.sizes);
    let numbers = view(&crate::create::arange_int(0, n)?, &input.sizes)?;
    let at = reshape(&flambeau_core::autograd::no_grad(|| apply(op, &numbers))?, &[-1])?;
    let flat = crate::create::zeros(&[n], input.dtype, input.device)?;
    let sum = crate::scatter::index_add(&flat, 0, &at, &reshape(g, &[-1])?)?;
    view(&sum, &input.sizes)
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
