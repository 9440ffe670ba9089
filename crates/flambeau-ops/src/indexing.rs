//! Advanced indexing: `x[i, :, j]` with index tensors and masks.
//!
//! Masks are turned into coordinates first. The kernels then see every index expanded to one shape and the indexed
//! dimensions first; a [`Plan`] arranges that by strides alone, so that no view is recorded.

use flambeau_core::backend::Raw;
use flambeau_core::layout::{self, Dims};
use flambeau_core::op::{Diff, Inputs, Kind, Meta, OpDef, Params, ParamsExt, Saves, elementwise_strides, surface};
use flambeau_core::{DType, Error, Result, Tensor, call_inplace, call1, check, params};

use crate::operand::*;
use crate::view::{expand, reshape, select};

/// One `int64` index for each leading dimension, `None` where all of it is taken: a mask stands for the coordinates of
/// its true elements, one index per dimension it covers.
fn flatten(x: &Tensor, indices: Inputs) -> Result<Vec<Option<Tensor>>> {
    let mut flat: Vec<Option<Tensor>> = Vec::new();
    for index in indices {
        let Some(t) = index else {
            flat.push(None);
            continue;
        };
        match t.dtype() {
            DType::Bool | DType::U8 => {
                check_mask(x, t, flat.len())?;
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
    check!(flat.len() <= MOST, Index, "at most {MOST} dimensions can be indexed by tensors, got {}", flat.len());
    Ok(flat)
}

/// A mask for the dimensions from `first` on has their sizes.
fn check_mask(x: &Tensor, mask: &Tensor, first: usize) -> Result<()> {
    for k in 0..mask.ndim() {
        let d = first + k;
        check!(
            d < x.ndim() && x.sizes()[d] == mask.sizes()[k],
            Index,
            "The shape of the mask {} at index {k} does not match the shape of the indexed tensor {} at index {d}",
            layout::fmt(mask.sizes()),
            layout::fmt(x.sizes())
        );
    }
    Ok(())
}

/// How flat indices apply to a tensor.
struct Plan {
    /// The indexed dimensions.
    axes: Vec<usize>,
    /// All dimensions, the indexed ones first.
    order: Vec<usize>,
    /// What the indices broadcast to.
    shape: Dims,
    /// Where `shape` stands in the result.
    at: usize,
    /// The result's sizes.
    sizes: Dims,
}

impl Plan {
    fn new(x: &Tensor, flat: Inputs) -> Result<Plan> {
        let mut shape = Dims::new();
        for t in flat.iter().flatten() {
            shape = layout::broadcast(&shape, t.sizes()).map_err(|_| {
                let all: Vec<String> = flat.iter().flatten().map(|t| layout::fmt(t.sizes())).collect();
                Error::index(format!(
                    "shape mismatch: indexing tensors could not be broadcast together with shapes {}",
                    all.join(", ")
                ))
            })?;
        }
        check!(
            flat.len() <= x.ndim(),
            Index,
            "too many indices for tensor of dimension {} (got {})",
            x.ndim(),
            flat.len()
        );
        let axes: Vec<usize> = (0..flat.len()).filter(|&d| flat[d].is_some()).collect();
        check!(
            layout::numel(&shape) == 0 || axes.iter().all(|&d| x.sizes()[d] != 0),
            Index,
            "index is out of bounds for dimension with size 0"
        );
        let adjacent = axes.windows(2).all(|w| w[1] == w[0] + 1);
        let at = if adjacent { axes.first().copied().unwrap_or(0) } else { 0 };
        let rest: Vec<usize> = (0..x.ndim()).filter(|d| !axes.contains(d)).collect();
        let order: Vec<usize> = axes.iter().chain(&rest).copied().collect();
        let mut sizes: Dims = rest[..at].iter().map(|&d| x.sizes()[d]).collect();
        sizes.extend_from_slice(&shape);
        sizes.extend(rest[at..].iter().map(|&d| x.sizes()[d]));
        Ok(Plan { axes, order, shape, at, sizes })
    }

    /// The operand's own layout with the indexed dimensions first.
    fn table(&self, t: &Tensor) -> (Dims, Dims) {
        self.order.iter().map(|&d| (t.sizes()[d], t.strides()[d])).unzip()
    }

    /// The layout of a tensor of the result's sizes with the index dimensions first.
    fn list(&self, strides: &[i64]) -> (Dims, Dims) {
        let k = self.shape.len();
        let order = (self.at..self.at + k).chain(0..self.at).chain(self.at + k..self.sizes.len());
        order.map(|d| (self.sizes[d], strides[d])).unzip()
    }

    /// The strides of each index, expanded.
    fn index_strides(&self, flat: Inputs) -> Result<Vec<Dims>> {
        let expanded = |t: &Tensor| {
            layout::expand_strides(t.sizes(), t.strides(), &self.shape)
                .ok_or_else(|| Error::index("indices do not broadcast".to_string()))
        };
        flat.iter().flatten().map(|t| expanded(t)).collect()
    }

    /// The order of memory of the result: that of walking over the operand and the indices together.
    fn result_strides(&self, x: &Tensor, flat: Inputs) -> Result<Option<Dims>> {
        let rest = &self.order[self.axes.len()..];
        let mut source: Dims = rest[..self.at].iter().map(|&d| x.strides()[d]).collect();
        source.extend(self.shape.iter().map(|_| 0));
        source.extend(rest[self.at..].iter().map(|&d| x.strides()[d]));
        // As the kernel of PyTorch sees them: the operand repeated over the index dimensions, which it has with stride
        // zero, and each index with dimensions of size one for the others.
        let (front, count) = (self.at, layout::numel(&self.shape));
        let mut sizes = Dims::from_elem(1, front);
        sizes.extend_from_slice(&self.shape);
        sizes.resize(self.sizes.len(), 1);
        let strides = self.index_strides(flat)?;
        let mut operands: Vec<(&[i64], &[i64])> = vec![(&self.sizes, &source)];
        let wide: Vec<Dims> = strides
            .iter()
            .map(|s| {
                if count == 0 && sizes.len() > s.len() {
                    return layout::contiguous_strides(&sizes);
                }
                let mut wide = Dims::from_elem(count, front);
                wide.extend_from_slice(s);
                wide.resize(sizes.len(), 1);
                wide
            })
            .collect();
        operands.extend(wide.iter().map(|s| (sizes.as_slice(), s.as_slice())));
        Ok(elementwise_strides(&self.sizes, &operands))
    }
}

/// Runs `f` on the indices as the kernels want them.
fn with_indices(plan: &Plan, flat: Inputs, f: impl FnOnce(&[Raw]) -> Result<()>) -> Result<()> {
    let strides = plan.index_strides(flat)?;
    let raws: Vec<Raw> =
        flat.iter().flatten().zip(&strides).map(|(t, s)| t.raw().with_layout(&plan.shape, s)).collect();
    f(&raws)
}

/// `[x, indices..]`, and a value where there is one.
fn arguments<'a>(x: &'a Tensor, flat: &'a [Option<Tensor>], values: Option<&'a Tensor>) -> Vec<Option<&'a Tensor>> {
    let indices = flat.iter().map(Option::as_ref);
    std::iter::once(Some(x)).chain(indices).chain(values.map(Some)).collect()
}

/// `x[indices]`.
pub fn index(x: &Tensor, indices: Inputs) -> Result<Tensor> {
    let flat = flatten(x, indices)?;
    if flat.iter().all(Option::is_none) {
        return crate::view::alias(x);
    }
    call1(&index::OP, &arguments(x, &flat, None), params![flat.len()])
}

/// The value of an assignment, fit for `x[flat]`: leading dimensions of size one may be too many.
fn fitted(x: &Tensor, flat: &[Option<Tensor>], values: &Tensor) -> Result<Tensor> {
    check!(
        values.dtype() == x.dtype(),
        Runtime,
        "Index put requires the source and destination dtypes match, got {} for the destination and {} for the source.",
        x.dtype().scalar_name(),
        values.dtype().scalar_name()
    );
    let indices: Vec<Option<&Tensor>> = flat.iter().map(Option::as_ref).collect();
    let to = Plan::new(x, &indices)?.sizes;
    check!(
        layout::is_expandable(values.sizes(), &to) || values.numel() == 1 || leading_ones(values, &to),
        Runtime,
        "shape mismatch: value tensor of shape {} cannot be broadcast to indexing result of shape {}",
        layout::fmt(values.sizes()),
        layout::fmt(&to)
    );
    if values.ndim() > to.len() {
        reshape(values, &values.sizes()[values.ndim() - to.len()..])
    } else {
        Ok(values.clone())
    }
}

/// A copy of `x` with `values` written (or added) at `x[indices]`.
pub fn index_put(x: &Tensor, indices: Inputs, values: &Tensor, accumulate: bool) -> Result<Tensor> {
    let flat = flatten(x, indices)?;
    if flat.iter().all(Option::is_none) {
        return if accumulate {
            crate::binary::add(x, values)
        } else {
            expand(values, x.sizes()).and_then(|v| crate::copy::clone(&v))
        };
    }
    let values = fitted(x, &flat, values)?;
    call1(&index_put::OP, &arguments(x, &flat, Some(&values)), params![flat.len(), accumulate])
}

/// Writes `values` into `x[indices]`, where they are.
///
/// # Errors
/// Indices out of range or of a wrong dtype, values that do not broadcast or have another dtype, and whatever forbids
/// to change `x`.
pub fn index_put_(x: &Tensor, indices: Inputs, values: &Tensor) -> Result<()> {
    put(x, indices, values, false)
}

/// [`index_put_`] of one host number, which has a simpler gradient.
pub fn index_put_number_(x: &Tensor, indices: Inputs, value: &Tensor) -> Result<()> {
    put(x, indices, value, true)?;
    // Along one dimension PyTorch has a node for it.
    let mut given = indices.iter().flatten();
    if let (Some(only), None) = (given.next(), given.next())
        && only.dtype().is_int()
        && only.dtype() != DType::U8
        && !x.is_view()
        && let Some(node) = x.grad_fn()
    {
        node.show_as("IndexFillBackward0".into(), node.next().iter().take(1).cloned().collect());
    }
    Ok(())
}

fn put(x: &Tensor, indices: Inputs, values: &Tensor, number: bool) -> Result<()> {
    let mask = filling_mask(x, indices, values)?;
    let mut values = values.clone();
    if let Some(mask) = &mask {
        check!(
            mask.dtype() == DType::Bool,
            Runtime,
            "masked_fill_ only supports boolean masks, but got mask with dtype {}",
            flambeau_core::c_name(mask.dtype())
        );
        let one = if values.ndim() == 0 { values } else { reshape(&values, &[])? };
        values = crate::copy::to_dtype(&one, x.dtype())?;
        // What is recorded of a tensor is a write by index, as in PyTorch.
        if number || !(flambeau_core::autograd::grad_enabled() && (x.requires_grad() || values.requires_grad())) {
            let x = [Some(x), Some(mask), Some(&values)];
            return call_inplace(&crate::ternary::masked_fill::OP, &x, Params::new()).map(|_| ());
        }
    }
    let flat = flatten(x, indices)?;
    if flat.iter().all(Option::is_none) {
        return crate::copy::copy_(x, &values);
    }
    let values = fitted(x, &flat, &values)?;
    call_inplace(&index_put::OP, &arguments(x, &flat, Some(&values)), params![flat.len(), false]).map(|_| ())
}

/// The one mask of an assignment of a single number, seen as a mask of all of `x`.
fn filling_mask(x: &Tensor, indices: Inputs, values: &Tensor) -> Result<Option<Tensor>> {
    if values.numel() != 1 || !values.device().is_cpu() {
        return Ok(None);
    }
    let mut given = indices.iter().enumerate().filter_map(|(d, t)| t.map(|t| (d, t)));
    let (Some((first, mask)), None) = (given.next(), given.next()) else { return Ok(None) };
    if !matches!(mask.dtype(), DType::Bool | DType::U8) {
        return Ok(None);
    }
    check_mask(x, mask, first)?;
    let mut sizes = Dims::from_slice(mask.sizes());
    sizes.resize(x.ndim() - first, 1);
    reshape(mask, &sizes).map(Some)
}

/// More dimensions than the target, but all extra ones of size one.
fn leading_ones(v: &Tensor, to: &[i64]) -> bool {
    v.ndim() > to.len()
        && v.sizes()[..v.ndim() - to.len()].iter().all(|&n| n == 1)
        && layout::is_expandable(&v.sizes()[v.ndim() - to.len()..], to)
}

/// The indices among a call's inputs.
fn indices<'a>(x: &'a [Option<&'a Tensor>], p: &Params) -> Inputs<'a> {
    &x[1..=p.int(0) as usize]
}

/// The saved indices of a node.
fn saved(c: &flambeau_core::autograd::Vjp) -> Result<Vec<Option<Tensor>>> {
    (1..=c.p.int(0) as usize).map(|i| c.opt_x(i)).collect()
}

/// The most indices that a node keeps.
const MOST: usize = 14;
const INDICES: Saves = Saves { inputs: 0b0111_1111_1111_1110, outputs: 0, cross: false };

rows! { ROWS_ALL:
    index = OpDef {
        sig: "index(Tensor input, Tensor?[] indices) -> Tensor",
        doc: "Elements at broadcast int64 indices of some leading dimensions, all positions of the others.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| {
                let t = arg(x, 0)?;
                let plan = Plan::new(t, indices(x, p))?;
                let strides = plan.result_strides(t, indices(x, p))?.map(Box::new);
                Ok(smallvec::smallvec![Meta { sizes: plan.sizes, strides, dtype: t.dtype(), device: t.device() }])
            },
            run: |b, x, o, p| {
                let t = arg(x, 0)?;
                let plan = Plan::new(t, indices(x, p))?;
                let ((ts, tt), (os, ot)) = (plan.table(t), plan.list(o[0].strides()));
                with_indices(&plan, indices(x, p), |at| {
                    b.index(t.raw().with_layout(&ts, &tt), at, &plan.axes, o[0].raw().with_layout(&os, &ot))
                })
            },
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => {
            let m = c.meta(0);
            let zero = crate::create::zeros(&m.sizes, c.g().dtype(), m.device)?;
            call1(&index_put::OP, &arguments(&zero, &saved(c)?, Some(c.g())), params![c.p.int(0), true])
        })),
        saves: INDICES,
        samples: Some(|s| {
            let (x, i, j) = (s.normal(&[3, 4, 2]), s.ints(&[2, 3], 0, 3), s.ints(&[2, 3], 0, 4));
            s.push(vec![Some(x), Some(i), Some(j)], params![2], 1);
            let (x, i, j) = (s.normal(&[3, 2, 4, 2]), s.ints(&[2, 1], -3, 3), s.ints(&[3], 0, 4));
            s.push(vec![Some(x), Some(i), None, Some(j)], params![3], 1);
            let (x, i) = (s.normal(&[2, 3, 2]), s.ints(&[4], -3, 3));
            s.push(vec![Some(x), None, Some(i)], params![2], 1);
        }),
        ..BASE
    };
    index_put = OpDef {
        sig: "index_put_flat(Tensor input, Tensor?[] indices, Tensor values, bool accumulate) -> Tensor",
        doc: "A copy with values at broadcast int64 indices of some leading dimensions.",
        surfaces: INTERNAL | surface::INPLACE,
        kind: Kind::Kernel {
            infer: |x, _| Ok(smallvec::smallvec![Meta::copying(arg(x, 0)?)]),
            run: |b, x, o, p| {
                let (t, values, out) = (arg(x, 0)?, arg(x, p.int(0) as usize + 1)?, &o[0]);
                if out.data_ptr() != t.data_ptr() || out.strides() != t.strides() {
                    b.copy(t.raw(), out.raw())?;
                }
                let plan = Plan::new(t, indices(x, p))?;
                let strides = layout::expand_strides(values.sizes(), values.strides(), &plan.sizes).ok_or_else(|| {
                    Error::runtime(format!(
                        "shape mismatch: value tensor of shape {} cannot be broadcast to indexing result of shape {}",
                        layout::fmt(values.sizes()),
                        layout::fmt(&plan.sizes)
                    ))
                })?;
                let ((ts, tt), (vs, vt)) = (plan.table(out), plan.list(&strides));
                with_indices(&plan, indices(x, p), |at| {
                    let (table, list) = (out.raw().with_layout(&ts, &tt), values.raw().with_layout(&vs, &vt));
                    b.index_put(table, at, &plan.axes, list, p.bool(1))
                })
            },
        },
        diff: Diff::Vjp(|c| {
            let at = saved(c)?;
            let n = c.p.int(0);
            let kept = || -> Result<Tensor> {
                if c.p.bool(1) {
                    return Ok(c.g().clone());
                }
                let zero = crate::create::zeros_scalar_like(c.g())?;
                call1(&index_put::OP, &arguments(c.g(), &at, Some(&zero)), params![n, false])
            };
            grads!(c; 0 => kept(), n as usize + 1 => call1(&index::OP, &arguments(c.g(), &at, None), params![n]))
        }),
        saves: INDICES,
        samples: Some(|s| {
            let i = Tensor::from_slice(&[2i64, 0], &[2]).expect("two numbers");
            for accumulate in [false, true] {
                let (x, v) = (s.normal(&[3, 4]), s.normal(&[2, 4]));
                s.push(vec![Some(x), Some(i.clone()), Some(v)], params![1, accumulate], 5);
                let (x, v) = (s.normal(&[2, 3, 4]), s.normal(&[2, 1, 1]));
                s.push(vec![Some(x), None, Some(i.clone()), Some(v)], params![2, accumulate], 9);
            }
        }),
        ..BASE
    };
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
