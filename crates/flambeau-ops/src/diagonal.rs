//! Diagonals, triangles, and copies with one part replaced.

use flambeau_core::call::view as apply;
use flambeau_core::layout::{self, wrap_dim};
use flambeau_core::op::{Inputs, Kind, OpDef, Outs, Params, ParamsExt};
use flambeau_core::view::ViewOp;
use flambeau_core::{DType, Device, Result, Tensor, call1, check, params};

use crate::operand::*;
use crate::view::reshape;

/// A copy of `x` whose part seen through `op` is `src`.
fn replaced(x: &Tensor, src: &Tensor, op: &ViewOp) -> Result<Outs> {
    let y = with_gaps(x)?;
    let part = apply(op, &y)?;
    check!(
        part.sizes() == src.sizes(),
        Runtime,
        "expected src to have a size equal to the slice of self. src size = {}, slice size = {}",
        layout::fmt(src.sizes()),
        layout::fmt(part.sizes())
    );
    crate::copy::copy_(&part, src)?;
    one(y)
}

/// A copy with the strides of `x`, gaps included, unless elements share memory.
fn with_gaps(x: &Tensor) -> Result<Tensor> {
    let shared = x.sizes().iter().zip(x.strides()).any(|(&n, &s)| n > 1 && s == 0);
    if shared || x.is_contiguous() {
        return crate::copy::clone(x);
    }
    let y = Tensor::empty_strided(x.sizes(), x.strides(), x.dtype(), x.device())?;
    crate::copy::copy_(&y, x)?;
    Ok(y)
}

fn diagonal_of(x: &Tensor, offset: i64, a: i64, b: i64) -> Result<ViewOp> {
    let (dim1, dim2) = (wrap_dim(a, x.ndim())?, wrap_dim(b, x.ndim())?);
    check!(dim1 != dim2, Runtime, "diagonal dimensions cannot be identical {a}, {b}");
    Ok(ViewOp::Diagonal { offset, dim1, dim2 })
}

/// A matrix (or a batch of them) with the last dimension of `x` on a diagonal.
pub fn diag_embed(x: &Tensor, offset: i64, a: i64, b: i64) -> Result<Tensor> {
    check!(x.ndim() > 0, Index, "Dimension out of range (expected to be in range of [-1, 0], but got -2)");
    let (a, b) = (wrap_dim(a, x.ndim() + 1)?, wrap_dim(b, x.ndim() + 1)?);
    check!(a != b, Runtime, "diagonal dimensions cannot be identical {a}, {b}");
    let n = x.sizes()[x.ndim() - 1] + offset.abs();
    let mut sizes = x.sizes()[..x.ndim() - 1].to_vec();
    for d in [a.min(b), a.max(b)] {
        sizes.insert(d, n);
    }
    let y = crate::create::zeros(&sizes, x.dtype(), x.device())?;
    crate::copy::copy_(&apply(&ViewOp::Diagonal { offset, dim1: a, dim2: b }, &y)?, x)?;
    Ok(y)
}

fn diag(x: &Tensor, offset: i64) -> Result<Tensor> {
    check!(x.ndim() == 1 || x.ndim() == 2, Runtime, "diag(): Supports 1D or 2D tensors. Got {}D", x.ndim());
    if x.ndim() == 1 {
        return diag_embed(x, offset, 0, 1);
    }
    crate::copy::clone(&apply(&diagonal_of(x, offset, 0, 1)?, x)?)
}

/// Coordinates of a triangle, row by row.
fn triangle(p: &Params, keep: fn(i64, i64, i64) -> bool) -> Result<Outs> {
    let (rows, cols, offset) = (p.int(0), p.int(1), p.int(2));
    check!(rows >= 0, Runtime, "row must be non-negative, got{rows}");
    check!(cols >= 0, Runtime, "col must be non-negative, got{cols}");
    let places: Vec<(i64, i64)> =
        (0..rows).flat_map(|r| (0..cols).map(move |c| (r, c))).filter(|&(r, c)| keep(r, c, offset)).collect();
    let flat: Vec<i64> = places.iter().map(|p| p.0).chain(places.iter().map(|p| p.1)).collect();
    let t = Tensor::from_slice(&flat, &[2, places.len() as i64])?.packed(p.dtype(3).unwrap_or(DType::I64))?;
    match p.device(4).unwrap_or(Device::CPU) {
        d if d.is_cpu() => one(t),
        d => one(Tensor::empty(t.sizes(), t.dtype(), d)?),
    }
}

fn parts<'a>(x: Inputs<'a>) -> Result<(&'a Tensor, &'a Tensor)> {
    Ok((arg(x, 0)?, arg(x, 1)?))
}

rows! { ROWS_ALL:
    diag_embed = OpDef {
        sig: "diag_embed(Tensor input, int offset=0, int dim1=-2, int dim2=-1) -> Tensor",
        doc: "The last dimension on a diagonal of two new ones, zeros elsewhere.",
        kind: Kind::Composite(|x, p| one(diag_embed(arg(x, 0)?, p.int(0), p.int(1), p.int(2))?)),
        samples: Some(|s| for o in [0, 1, -2] { let x = s.normal(&[2, 3]); s.push(vec![Some(x)], params![o, -2, -1], 1) }),
        ..BASE
    };
    diag = OpDef {
        sig: "diag(Tensor input, int diagonal=0, *, Tensor? out=None) -> Tensor",
        doc: "The diagonal of a matrix, or the matrix with a vector on its diagonal.",
        kind: Kind::Composite(|x, p| one(diag(arg(x, 0)?, p.int(0))?)),
        samples: Some(|s| for sizes in [&[3i64][..], &[3, 4]] { let x = s.normal(sizes); s.push(vec![Some(x)], params![1], 1) }),
        ..BASE
    };
    diagflat = OpDef {
        sig: "diagflat(Tensor input, int offset=0) -> Tensor",
        doc: "A matrix with all elements of the tensor on a diagonal.",
        kind: Kind::Composite(|x, p| one(diag_embed(&reshape(arg(x, 0)?, &[-1])?, p.int(0), 0, 1)?)),
        samples: Some(|s| { let x = s.normal(&[2, 2]); s.push(vec![Some(x)], params![-1], 1) }),
        ..BASE
    };
    trace = OpDef {
        sig: "trace(Tensor input) -> Tensor",
        doc: "The sum of a matrix's diagonal.",
        kind: Kind::Composite(|x, _| {
            let x = arg(x, 0)?;
            check!(x.ndim() == 2, Runtime, "trace: expected a matrix, but got tensor with dim {}", x.ndim());
            one(crate::reduce::sum(&apply(&diagonal_of(x, 0, 0, 1)?, x)?, &[], false)?)
        }),
        samples: Some(|s| { let x = s.normal(&[3, 4]); s.push(vec![Some(x)], params![], 1) }),
        ..BASE
    };
    diagonal_scatter = OpDef {
        sig: "diagonal_scatter(Tensor input, Tensor src, int offset=0, int dim1=0, int dim2=1) -> Tensor",
        doc: "A copy with `src` on a diagonal.",
        kind: Kind::Composite(|x, p| { let (x, src) = parts(x)?; replaced(x, src, &diagonal_of(x, p.int(0), p.int(1), p.int(2))?) }),
        samples: Some(|s| { let (x, v) = (s.normal(&[3, 4]), s.normal(&[3])); s.push(vec![Some(x), Some(v)], params![1, 0, 1], 3) }),
        ..BASE
    };
    select_scatter = OpDef {
        sig: "select_scatter(Tensor input, Tensor src, int dim, int index) -> Tensor",
        doc: "A copy with `src` at one position of `dim`.",
        kind: Kind::Composite(|x, p| {
            let (x, src) = parts(x)?;
            let (d, n) = (wrap_dim(p.int(0), x.ndim())?, x.size(p.int(0))?);
            let i = p.int(1);
            check!(i >= -n && i < n, Index, "select(): index {i} out of range for tensor of size {} at dimension {d}", layout::fmt(x.sizes()));
            replaced(x, src, &ViewOp::Select { dim: d, index: if i < 0 { i + n } else { i } })
        }),
        samples: Some(|s| { let (x, v) = (s.normal(&[3, 4]), s.normal(&[3])); s.push(vec![Some(x), Some(v)], params![1, -2], 3) }),
        ..BASE
    };
    slice_scatter = OpDef {
        sig: "slice_scatter(Tensor input, Tensor src, int dim=0, int? start=None, int? end=None, int step=1, *, Tensor? out=None) -> Tensor",
        doc: "A copy with `src` in a slice of `dim`.",
        kind: Kind::Composite(|x, p| {
            let (x, src) = parts(x)?;
            let d = wrap_dim(p.int(0), x.ndim())?;
            replaced(x, src, &crate::view::slice_of(x.size(p.int(0))?, d, p.opt_int(1), p.opt_int(2), p.int(3))?)
        }),
        samples: Some(|s| { let (x, v) = (s.normal(&[5, 2]), s.normal(&[2, 2])); s.push(vec![Some(x), Some(v)], params![0, 1, 5, 2], 3) }),
        ..BASE
    };
    as_strided_scatter = OpDef {
        sig: "as_strided_scatter(Tensor input, Tensor src, int[] size, int[] stride, int? storage_offset=None) -> Tensor",
        doc: "A copy with `src` at any places of its memory.",
        kind: Kind::Composite(|x, p| {
            let (x, src) = parts(x)?;
            let x = crate::copy::contiguous(x)?;
            let op = crate::view::strided(&x, p.ints(0), p.ints(1), p.opt_int(2))?;
            replaced(&x, src, &op)
        }),
        samples: Some(|s| { let (x, v) = (s.normal(&[6]), s.normal(&[2, 2])); s.push(vec![Some(x), Some(v)], params![[2i64, 2], [3i64, 1], 1], 3) }),
        ..BASE
    };
    tril_indices = OpDef {
        sig: "tril_indices(int row, int col, int offset=0, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        doc: "Coordinates of the lower triangle of a matrix, a row of rows and a row of columns.",
        surfaces: F,
        kind: Kind::Composite(|_, p| triangle(p, |r, c, o| c <= r + o)),
        ..BASE
    };
    triu_indices = OpDef {
        sig: "triu_indices(int row, int col, int offset=0, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        doc: "Coordinates of the upper triangle of a matrix, a row of rows and a row of columns.",
        surfaces: F,
        kind: Kind::Composite(|_, p| triangle(p, |r, c, o| c >= r + o)),
        ..BASE
    };
}

/// The sum of a matrix's diagonal.
pub fn trace(x: &Tensor) -> Result<Tensor> {
    call1(&trace::OP, &[Some(x)], Params::new())
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
