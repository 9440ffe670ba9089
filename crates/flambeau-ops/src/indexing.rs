//! Advanced indexing: `x[i, :, j]` with index tensors and masks.

use flambeau_core::backend::Raw;
use flambeau_core::layout::{self, Dims};
use flambeau_core::op::{Diff, Inputs, Kind, Meta, OpDef, Params, ParamsExt, Saves};
use flambeau_core::{DType, Result, Tensor, call1, check, params};

use crate::operand::*;
use crate::view::{expand, permute, reshape, select};

/// The tensor with its indexed dimensions first, and the indices broadcast to one shape.
struct Prepared {
    x: Tensor,
    /// The order that put the indexed dimensions first.
    order: Vec<i64>,
    indices: Vec<Tensor>,
    axes: Vec<i64>,
    /// Where the broadcast index dimensions stand in the result.
    at: usize,
}

fn prepare(x: &Tensor, indices: Inputs) -> Result<Prepared> {
    // A mask stands for the coordinates of its true elements: one index per dimension it covers.
    let mut flat: Vec<Option<Tensor>> = Vec::new();
    for index in indices {
        let Some(t) = index else {
            flat.push(None);
            continue;
        };
        match t.dtype() {
            DType::Bool | DType::U8 => {
                for k in 0..t.ndim() {
                    let d = flat.len() + k;
                    check!(
                        d < x.ndim() && x.sizes()[d] == t.sizes()[k],
                        Index,
                        "The shape of the mask {} at index {k} does not match the shape of the indexed tensor {} at index {d}",
                        layout::fmt(t.sizes()),
                        layout::fmt(x.sizes())
                    );
                }
                let at = call1(&crate::index::nonzero::OP, &[Some(t)], Params::new())?;
                for k in 0..t.ndim() as i64 {
                    flat.push(Some(select(&at, 1, k)?));
                }
            }
            DType::I64 => flat.push(Some(Tensor::clone(t))),
            DType::I32 | DType::I16 | DType::I8 => flat.push(Some(t.cast_raw(DType::I64)?)),
            _ => {
                flambeau_core::bail!(Index, "tensors used as indices must be long, int, byte or bool tensors")
            }
        }
    }
    check!(flat.len() <= x.ndim(), Index, "too many indices for tensor of dimension {} (got {})", x.ndim(), flat.len());
    let mut shape = Dims::new();
    for t in flat.iter().flatten() {
        shape = layout::broadcast(&shape, t.sizes()).map_err(|_| {
            let all: Vec<String> = flat.iter().flatten().map(|t| layout::fmt(t.sizes())).collect();
            flambeau_core::Error::index(format!(
                "shape mismatch: indexing tensors could not be broadcast together with shapes {}",
                all.join(", ")
            ))
        })?;
    }
    let axes: Vec<i64> = (0..flat.len() as i64).filter(|&d| flat[d as usize].is_some()).collect();
    check!(
        layout::numel(&shape) == 0 || axes.iter().all(|&d| x.sizes()[d as usize] != 0),
        Index,
        "index is out of bounds for dimension with size 0"
    );
    let adjacent = axes.windows(2).all(|w| w[1] == w[0] + 1);
    let rest = (0..x.ndim() as i64).filter(|d| !axes.contains(d));
    let order: Vec<i64> = axes.iter().copied().chain(rest).collect();
    let at = if adjacent { axes.first().map_or(0, |&a| a as usize) } else { 0 };
    let indices = flat.iter().flatten().map(|t| expand(t, &shape)).collect::<Result<_>>()?;
    Ok(Prepared { x: permute(x, &order)?, order, indices, axes, at })
}

/// Moves the broadcast index dimensions (first in `y`) to where they belong.
fn place(y: &Tensor, k: usize, at: usize) -> Result<Tensor> {
    if at == 0 {
        return Ok(y.clone());
    }
    let n = y.ndim();
    let order: Vec<i64> = (k..k + at).chain(0..k).chain(k + at..n).map(|d| d as i64).collect();
    permute(y, &order)
}

/// The reverse of [`place`].
fn unplace(y: &Tensor, k: usize, at: usize) -> Result<Tensor> {
    if at == 0 {
        return Ok(y.clone());
    }
    let n = y.ndim();
    let order: Vec<i64> = (at..at + k).chain(0..at).chain(at + k..n).map(|d| d as i64).collect();
    permute(y, &order)
}

/// `x[indices]`.
pub fn index(x: &Tensor, indices: Inputs) -> Result<Tensor> {
    let p = prepare(x, indices)?;
    if p.indices.is_empty() {
        return crate::view::alias(x);
    }
    let args: Vec<Option<&Tensor>> = std::iter::once(&p.x).chain(&p.indices).map(Some).collect();
    let y = call1(&index_kernel::OP, &args, params![p.indices.len(), p.axes.clone()])?;
    place(&y, p.indices[0].ndim(), p.at)
}

/// A copy of `x` with `values` written (or added) at `x[indices]`.
pub fn index_put(x: &Tensor, indices: Inputs, values: &Tensor, accumulate: bool) -> Result<Tensor> {
    check!(
        values.dtype() == x.dtype(),
        Runtime,
        "Index put requires the source and destination dtypes match, got {} for the destination and {} for the source.",
        x.dtype().scalar_name(),
        values.dtype().scalar_name()
    );
    let p = prepare(x, indices)?;
    if p.indices.is_empty() {
        return if accumulate {
            crate::binary::add(x, values)
        } else {
            expand(values, x.sizes()).and_then(|v| crate::copy::clone(&v))
        };
    }
    let k = p.indices[0].ndim();
    // The shape of x[indices], to which values broadcast.
    let mut inner = Dims::from_slice(p.indices[0].sizes());
    inner.extend_from_slice(&p.x.sizes()[p.indices.len()..]);
    let mut outer: Dims = inner[k..k + p.at].into();
    outer.extend_from_slice(&inner[..k]);
    outer.extend_from_slice(&inner[k + p.at..]);
    check!(
        layout::is_expandable(values.sizes(), &outer) || values.numel() == 1 || leading_ones(values, &outer),
        Runtime,
        "shape mismatch: value tensor of shape {} cannot be broadcast to indexing result of shape {}",
        layout::fmt(values.sizes()),
        layout::fmt(&outer)
    );
    let values = if values.ndim() > outer.len() {
        reshape(values, &values.sizes()[values.ndim() - outer.len()..])?
    } else {
        values.clone()
    };
    let values = unplace(&expand(&values, &outer)?, k, p.at)?;
    let args: Vec<Option<&Tensor>> = std::iter::once(&p.x).chain(&p.indices).chain([&values]).map(Some).collect();
    let y = call1(&index_put_kernel::OP, &args, params![p.indices.len(), p.axes.clone(), accumulate])?;
    let mut inverse = vec![0i64; p.order.len()];
    for (i, &d) in p.order.iter().enumerate() {
        inverse[d as usize] = i as i64;
    }
    permute(&y, &inverse)
}

/// More dimensions than the target, but all extra ones of size one.
fn leading_ones(v: &Tensor, to: &[i64]) -> bool {
    v.ndim() > to.len()
        && v.sizes()[..v.ndim() - to.len()].iter().all(|&n| n == 1)
        && layout::is_expandable(&v.sizes()[v.ndim() - to.len()..], to)
}

fn raws<'a>(x: &[Option<&'a Tensor>], n: usize) -> Result<Vec<Raw<'a>>> {
    (1..=n).map(|i| Ok(arg(x, i)?.raw())).collect()
}

fn axes(p: &Params) -> Vec<usize> {
    p.ints(1).iter().map(|&d| d as usize).collect()
}

rows! { ROWS_ALL:
    index_kernel = OpDef {
        sig: "index_kernel(Tensor input, Tensor[] indices, int[] axes) -> Tensor",
        doc: "Elements at broadcast indices of the leading dimensions.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| {
                let (t, n) = (arg(x, 0)?, p.int(0) as usize);
                let mut sizes = Dims::from_slice(arg(x, 1)?.sizes());
                sizes.extend_from_slice(&t.sizes()[n..]);
                Ok(smallvec::smallvec![Meta::new(&sizes, t.dtype(), t.device())])
            },
            run: |b, x, o, p| b.index(arg(x, 0)?.raw(), &raws(x, p.int(0) as usize)?, &axes(p), o[0].raw()),
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => {
            let (m, n) = (c.meta(0), c.p.int(0) as usize);
            let zero = crate::create::zeros(&m.sizes, c.g().dtype(), m.device)?;
            let at: Vec<Tensor> = (1..=n).map(|i| c.x(i)).collect::<Result<_>>()?;
            let args: Vec<Option<&Tensor>> = std::iter::once(&zero).chain(&at).chain([c.g()]).map(Some).collect();
            call1(&index_put_kernel::OP, &args, params![n, c.p.ints(1), true])
        })),
        saves: Saves { inputs: 0b1_1111_1110, outputs: 0, cross: false },
        samples: Some(|s| {
            let (x, i, j) = (s.normal(&[3, 4, 2]), s.ints(&[2, 3], 0, 3), s.ints(&[2, 3], 0, 4));
            s.push(vec![Some(x), Some(i), Some(j)], params![2, [0i64, 1]], 1);
        }),
        ..BASE
    };
    index_put_kernel = OpDef {
        sig: "index_put_kernel(Tensor input, Tensor[] indices, Tensor values, int[] axes, bool accumulate) -> Tensor",
        doc: "A copy with values at broadcast indices of the leading dimensions.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, _| { let t = arg(x, 0)?; Ok(smallvec::smallvec![Meta::new(t.sizes(), t.dtype(), t.device())]) },
            run: |b, x, o, p| {
                let (t, n) = (arg(x, 0)?, p.int(0) as usize);
                b.copy(t.raw(), o[0].raw())?;
                b.index_put(o[0].raw(), &raws(x, n)?, &axes(p), arg(x, n + 1)?.raw(), p.bool(2))
            },
        },
        diff: Diff::Vjp(|c| {
            let n = c.p.int(0) as usize;
            let at: Vec<Tensor> = (1..=n).map(|i| c.x(i)).collect::<Result<_>>()?;
            let read = |g: &Tensor| {
                let args: Vec<Option<&Tensor>> = std::iter::once(g).chain(&at).map(Some).collect();
                call1(&index_kernel::OP, &args, params![n, c.p.ints(1)])
            };
            let kept = || -> Result<Tensor> {
                if c.p.bool(2) {
                    return Ok(c.g().clone());
                }
                let zero = crate::create::zeros_scalar_like(c.g())?;
                let mut shape = Dims::from_slice(at[0].sizes());
                shape.extend_from_slice(&c.g().sizes()[n..]);
                let zero = expand(&zero, &shape)?;
                let args: Vec<Option<&Tensor>> = std::iter::once(c.g()).chain(&at).chain([&zero]).map(Some).collect();
                call1(&index_put_kernel::OP, &args, params![n, c.p.ints(1), false])
            };
            grads!(c; 0 => kept(), n + 1 => read(c.g()))
        }),
        // Up to eight index tensors; the value after them is never read back.
        saves: Saves { inputs: 0b1_1111_1110, outputs: 0, cross: false },
        samples: Some(|s| {
            let (x, v) = (s.normal(&[3, 4]), s.normal(&[2, 4]));
            let i = Tensor::from_slice(&[2i64, 0], &[2]).expect("two numbers");
            s.push(vec![Some(x), Some(i.clone()), Some(v)], params![1, [0i64], false], 5);
            let (x, v) = (s.normal(&[3, 4]), s.normal(&[2, 4]));
            s.push(vec![Some(x), Some(i), Some(v)], params![1, [0i64], true], 5);
        }),
        ..BASE
    };
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
