//! Positions, combinations and groups: what is chosen by index or by equality.

use std::cmp::Ordering;

use flambeau_core::layout::{Dims, fmt, wrap_dim};
use flambeau_core::op::{Inputs, Kind, OpDef, Outs, Params, ParamsExt};
use flambeau_core::{DType, Result, Scalar, Tensor, call, call1, check, params};

use crate::operand::*;
use crate::view::{expand, reshape};

fn whole(data: &[i64], sizes: &[i64]) -> Result<Tensor> {
    Tensor::from_slice(data, sizes)
}

/// The positions of all ways to choose `r` of `n`, in order.
fn choices(n: i64, r: i64, again: bool) -> Result<(Vec<i64>, i64)> {
    if r > n && !again || n == 0 {
        return Ok((Vec::new(), 0));
    }
    // The number of rows, refused before the memory is asked for.
    let top = if again { n + r - 1 } else { n };
    let mut count = 1i128;
    for k in 0..r.min(top - r).max(0) {
        count = count * (top - k) as i128 / (k + 1) as i128;
        check!(count < 1 << 40, Runtime, "combinations: {r} of {n} elements are too many combinations");
    }
    let (mut at, mut out): (Vec<i64>, Vec<i64>) = ((0..r).map(|i| if again { 0 } else { i }).collect(), Vec::new());
    loop {
        out.extend(&at);
        // The last place that can still move, and everything behind it.
        let limit = |i: usize| if again { n - 1 } else { n - r + i as i64 };
        let Some(i) = (0..r as usize).rev().find(|&i| at[i] < limit(i)) else { break };
        let start = at[i] + 1;
        for (j, a) in at.iter_mut().enumerate().skip(i) {
            *a = if again { start } else { start + (j - i) as i64 };
        }
    }
    Ok((out, count as i64))
}

fn combinations(x: Inputs, p: &Params) -> Result<Outs> {
    let (t, r, again) = (arg(x, 0)?, p.int(0), p.bool(1));
    check!(t.ndim() == 1, Runtime, "Expect a 1D vector, but got shape {}", fmt(t.sizes()));
    check!(r >= 0, Runtime, "Expect a non-negative number, but got {r}");
    if r == 0 {
        return one(crate::create::zeros(&[0], t.dtype(), t.device())?);
    }
    let (at, rows) = choices(t.numel(), r, again)?;
    let picked = crate::index::index_select(t, 0, &whole(&at, &[at.len() as i64])?)?;
    one(reshape(&picked, &[rows, r])?)
}

fn unravel_index(x: Inputs, p: &Params) -> Result<Outs> {
    let (t, shape) = (arg(x, 0)?, p.ints(0));
    check!(
        t.dtype().is_int(),
        Type,
        "expected 'indices' to be integer dtype, but got {}",
        format!("torch.{}", t.dtype().name())
    );
    check!(
        shape.iter().all(|&n| n >= 0),
        Value,
        "'shape' cannot have negative values, but got {}",
        format!("({})", shape.iter().map(i64::to_string).collect::<Vec<_>>().join(", "))
    );
    let mut stride = 1i64;
    let mut out: Vec<Tensor> = Vec::new();
    for &n in shape.iter().rev() {
        let at = crate::binary::floor_divide(t, &Tensor::wrapped(Scalar::Int(stride))?)?;
        out.push(crate::binary::remainder(&at, &Tensor::wrapped(Scalar::Int(n))?)?);
        stride = stride.saturating_mul(n.max(1));
    }
    Ok(out.into_iter().rev().collect())
}

fn nonzero_static(x: Inputs, p: &Params) -> Result<Outs> {
    let (t, size) = (arg(x, 0)?, p.int(0));
    check!(size >= 0, Runtime, "nonzero_static: 'size' must be an non-negative integer");
    let found = call1(&crate::index::nonzero::OP, &[Some(t)], Params::new())?;
    let (n, d) = (found.sizes()[0], found.sizes()[1]);
    if n >= size {
        return one(crate::copy::contiguous_copy(&crate::view::narrow(&found, 0, 0, size)?)?);
    }
    let rest = crate::create::full(&[size - n, d], Scalar::Int(p.opt_int(1).unwrap_or(-1)), DType::I64, t.device())?;
    one(crate::shape::cat(&[&found, &rest], 0)?)
}

fn index_reduce(x: Inputs, p: &Params) -> Result<Outs> {
    let (t, index, src) = (arg(x, 0)?, arg(x, 1)?, arg(x, 2)?);
    let (d, how) = (wrap_dim(p.int(0), t.ndim())?, p.str(1));
    check!(
        matches!(how, "prod" | "mean" | "amax" | "amin"),
        Runtime,
        "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {how}."
    );
    check!(
        index.ndim() <= 1,
        Index,
        "index_reduce_(): Index is supposed to be a vector, but got dim: {} with type: {} and size: {}",
        index.ndim(),
        index.dtype().scalar_name(),
        fmt(index.sizes())
    );
    crate::index::check_index("index_reduce", index)?;
    check!(
        d == 0 || d < src.ndim(),
        Runtime,
        "index_reduce_(): Indexing dim {d} is out of bounds of the source tensor with dim {}",
        src.ndim()
    );
    check!(src.dtype() == t.dtype(), Runtime, "index_reduce(): self and source must have the same scalar type");
    let n = src.sizes().get(d).copied().unwrap_or(1);
    check!(
        n == index.numel(),
        Runtime,
        "index_reduce_(): Number of indices ({}) should be equal to source.size(dim): ({n}), for dim: {d}",
        index.numel()
    );
    // A number is a vector of one.
    let others = |t: &Tensor| (0..t.ndim()).filter(|&i| i != d).map(|i| t.sizes()[i]).collect::<Dims>();
    check!(
        t.ndim().max(1) == src.ndim().max(1) && others(t) == others(src),
        Runtime,
        "source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = {} source.shape = {}",
        fmt(t.sizes()),
        fmt(src.sizes())
    );
    let mut shape = Dims::from_elem(1, src.ndim().max(1));
    shape[d] = n;
    let sizes: &[i64] = if src.ndim() == 0 { &[1] } else { src.sizes() };
    let at = expand(&reshape(&crate::copy::to_dtype(index, DType::I64)?, &shape)?, sizes)?;
    let (flat, src) = if t.ndim() == 0 { (reshape(t, &[1])?, reshape(src, &[1])?) } else { (t.clone(), src.clone()) };
    let row = &crate::scatter::scatter_reduce::OP;
    let y = call1(row, &[Some(&flat), Some(&at), Some(&src)], params![d as i64, how, p.bool(2)])?;
    one(reshape(&y, t.sizes())?)
}

fn put(x: Inputs, p: &Params) -> Result<Outs> {
    let (t, index, src) = (arg(x, 0)?, arg(x, 1)?, arg(x, 2)?);
    check!(
        index.dtype() == DType::I64,
        Runtime,
        "put_(): Expected a long tensor for index, but got {}",
        index.dtype().scalar_name()
    );
    check!(
        src.dtype() == t.dtype(),
        Runtime,
        "put_(): self and source expected to have the same dtype, but got self.dtype = {} and source.dtype = {}",
        t.dtype().scalar_name(),
        src.dtype().scalar_name()
    );
    check!(
        index.numel() == src.numel(),
        Runtime,
        "put_(): Expected source and index to have the same number of elements, but got source.numel() = {}, index.numel() = {}",
        src.numel(),
        index.numel()
    );
    check!(t.numel() > 0 || index.numel() == 0, Index, "put_(): tried to put elements into an empty tensor");
    let flat = reshape(t, &[-1])?;
    let (at, src) = (reshape(index, &[-1])?, reshape(src, &[-1])?);
    let y = crate::indexing::index_put(&flat, &[Some(&at)], &src, p.bool(0))?;
    one(reshape(&y, t.sizes())?)
}

/// Rows of numbers that can be put in order: floats with NaN last, or integers.
enum Rows {
    Floats(Vec<f64>),
    Ints(Vec<i64>),
}

impl Rows {
    fn compare(&self, a: usize, b: usize, width: usize) -> Ordering {
        let (a, b) = (a * width..(a + 1) * width, b * width..(b + 1) * width);
        match self {
            Rows::Floats(v) => {
                let pairs = v[a].iter().zip(&v[b]);
                let last = |x: &f64, y: &f64| x.partial_cmp(y).unwrap_or_else(|| x.is_nan().cmp(&y.is_nan()));
                pairs.map(|(x, y)| last(x, y)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
            }
            Rows::Ints(v) => v[a].cmp(&v[b]),
        }
    }

    /// NaN differs from everything, as in a comparison of numbers.
    fn equal(&self, a: usize, b: usize, width: usize) -> bool {
        match self {
            Rows::Floats(v) => v[a * width..(a + 1) * width] == v[b * width..(b + 1) * width],
            Rows::Ints(v) => v[a * width..(a + 1) * width] == v[b * width..(b + 1) * width],
        }
    }
}

/// Slices along a dimension that differ (all, or those next to each other), which of them each slice is, and how often
/// each occurs.
fn unique_dim(x: Inputs, p: &Params) -> Result<Outs> {
    let (t, consecutive) = (arg(x, 0)?, p.bool(1));
    check!(t.ndim() > 0, Index, "Dimension specified as {} but tensor has no dimensions", p.int(0));
    let d = wrap_dim(p.int(0), t.ndim())? as i64;
    check!(!t.dtype().is_complex(), NotImplemented, "\"unique_dim\" not implemented for '{}'", t.dtype().scalar_name());
    let n = t.size(d)?;
    if t.numel() == 0 && n != 0 {
        let zeros = t.sizes().iter().filter(|&&s| s == 0).count();
        check!(
            zeros == 0 || n == 0,
            Runtime,
            "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied"
        );
    }
    let moved = call1(&crate::view::movedim::OP, &[Some(&t.detach())], params![[d], [0i64]])?;
    let flat = crate::copy::contiguous(&moved)?;
    let (n, width) = (n as usize, if n == 0 { 0 } else { flat.numel() as usize / n as usize });
    let data = if t.dtype().is_float() { Rows::Floats(flat.to_vec()?) } else { Rows::Ints(flat.to_vec()?) };
    let mut order: Vec<usize> = (0..n).collect();
    if !consecutive {
        order.sort_by(|&a, &b| data.compare(a, b, width));
    }
    let (mut firsts, mut inverse, mut counts): (Vec<i64>, Vec<i64>, Vec<i64>) = (vec![], vec![0; n], vec![]);
    for (i, &row) in order.iter().enumerate() {
        if i == 0 || !data.equal(order[i - 1], row, width) {
            firsts.push(row as i64);
            counts.push(0);
        }
        if let Some(c) = counts.last_mut() {
            *c += 1;
        }
        inverse[row] = firsts.len() as i64 - 1;
    }
    let vector = |v: &[i64]| whole(v, &[v.len() as i64]);
    let picked = crate::index::index_select(t, d, &vector(&firsts)?)?;
    Ok(Outs::from_iter([picked, vector(&inverse)?, vector(&counts)?]))
}

/// Reductions of consecutive groups along `axis`, whose lengths are given (or their borders as offsets).
fn segment_reduce(x: Inputs, p: &Params) -> Result<Outs> {
    let (t, lengths, offsets) = (arg(x, 0)?, opt(x, 1), opt(x, 3));
    let (how, axis) = (p.str(0), wrap_dim(p.int(1), t.ndim())?);
    check!(opt(x, 2).is_none(), Runtime, "segment_reduce(): indices based reduction is not supported yet.");
    check!(t.numel() > 0, Runtime, "segment_reduce(): Expected data to be non-empty");
    check!(
        t.dtype().is_float(),
        NotImplemented,
        "\"_segment_reduce_cpu\" not implemented for '{}'",
        t.dtype().scalar_name()
    );
    let lengths = match (lengths, offsets) {
        (Some(l), _) => l.clone(),
        (None, Some(o)) => call1(&crate::statistics::diff::OP, &[Some(o), None, None], params![1, -1])?,
        _ => return Err(flambeau_core::Error::runtime("segment_reduce(): Either lengths or offsets must be defined.")),
    };
    check!(
        t.ndim() >= lengths.ndim(),
        Runtime,
        "segment_reduce(): Expected data.dim() >= lengths_value.dim() to be true, but got false."
    );
    check!(
        lengths.ndim() == axis + 1,
        Runtime,
        "segment_reduce(): Expected lengths.ndim == axis + 1, got {} and {axis}",
        lengths.ndim()
    );
    let counts: Vec<i64> = lengths.to_vec()?;
    let n = t.sizes()[axis];
    let groups = lengths.sizes()[axis];
    let batch: i64 = t.sizes()[..axis].iter().product();
    check!(
        lengths.sizes()[..axis] == t.sizes()[..axis],
        Runtime,
        "segment_reduce(): lengths and data differ before the axis"
    );
    // `unsafe` leaves out the check that nothing is left over; memory stays safe.
    check!(counts.iter().all(|&c| c >= 0), Runtime, "lengths contains negative value!");
    let mut at = flambeau_core::alloc::list_of((batch * n) as usize)?;
    for row in counts.chunks(groups.max(1) as usize) {
        let total = row.iter().fold(0i64, |sum, &c| sum.saturating_add(c));
        check!(
            total <= n && (p.bool(2) || total == n),
            Runtime,
            "segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when !unsafe."
        );
        for (g, &c) in row.iter().enumerate() {
            at.extend(std::iter::repeat_n(g as i64, c as usize));
        }
        // What no group takes goes to one behind them, which is cut off below.
        at.extend(std::iter::repeat_n(groups, (n - total) as usize));
    }
    let mut shape = Dims::from_slice(&t.sizes()[..=axis]);
    let mut out_sizes = Dims::from_slice(t.sizes());
    out_sizes[axis] = groups + 1;
    shape.resize(t.ndim(), 1);
    let at = expand(&whole(&at, &shape)?, t.sizes())?;
    let start = match (p.opt_scalar(3), how) {
        (Some(s), _) => s.to_f64(),
        (None, "max") => f64::NEG_INFINITY,
        (None, "min") => f64::INFINITY,
        (None, "prod") => 1.0,
        _ => 0.0,
    };
    let base = crate::create::full(&out_sizes, Scalar::Float(start), t.dtype(), t.device())?;
    let reduce = match how {
        "max" => "amax",
        "min" => "amin",
        "sum" | "mean" => "sum",
        "prod" => "prod",
        other => {
            return Err(flambeau_core::Error::runtime(format!("segment_reduce(): unsupported reduction {other}")));
        }
    };
    let row = &crate::scatter::scatter_reduce::OP;
    let y = call1(row, &[Some(&base), Some(&at), Some(t)], params![axis as i64, reduce, true])?;
    let y = crate::view::narrow(&y, axis as i64, 0, groups)?;
    if how != "mean" {
        return one(crate::copy::contiguous(&y)?);
    }
    let mut by = Dims::from_slice(lengths.sizes());
    by.resize(t.ndim(), 1);
    // The mean of nothing is NaN, or what was given to start from.
    let n = crate::copy::to_dtype(&reshape(&lengths, &by)?, t.dtype())?;
    let empty = crate::binary::eq_scalar(&n, 0.0)?;
    let instead = Tensor::wrapped(Scalar::Float(p.opt_scalar(3).map_or(f64::NAN, |s| s.to_f64())))?;
    one(crate::ternary::where_(&empty, &crate::copy::to_dtype(&instead, t.dtype())?, &crate::binary::div(&y, &n)?)?)
}

rows! { ROWS_ALL:
    combinations = OpDef {
        sig: "combinations(Tensor input, int r=2, bool with_replacement=False) -> Tensor",
        doc: "All ways to choose `r` elements of a vector, a row each.",
        surfaces: F,
        kind: Kind::Composite(combinations),
        samples: Some(|s| for again in [false, true] { let x = s.normal(&[4]); s.push(vec![Some(x)], params![2, again], 1) }),
        ..BASE
    };
    unravel_index = OpDef {
        sig: "unravel_index(Tensor indices, int[1] shape) -> Tensor[]",
        doc: "The coordinates in a tensor of `shape` of positions in its flat order.",
        surfaces: F,
        kind: Kind::Composite(unravel_index),
        ..BASE
    };
    nonzero_static = OpDef {
        sig: "nonzero_static(Tensor input, *, int size, int fill_value=-1, Tensor? out=None) -> Tensor",
        doc: "As `nonzero`, cut or filled with `fill_value` to `size` rows.",
        kind: Kind::Composite(nonzero_static),
        ..BASE
    };
    index_reduce = OpDef {
        sig: "index_reduce(Tensor input, int dim, Tensor index, Tensor source, str reduce, *, bool include_self=True, Tensor? out=None) -> Tensor",
        doc: "A copy with slices of `source` reduced in at the positions in `index`: 'prod', 'mean', 'amax' or 'amin'.",
        surfaces: FMI,
        kind: Kind::Composite(index_reduce),
        ..BASE
    };
    put = OpDef {
        sig: "put(Tensor input, Tensor index, Tensor source, bool accumulate=False) -> Tensor",
        doc: "A copy with `source` written (or added) at positions in the flat order.",
        surfaces: FMI,
        kind: Kind::Composite(put),
        samples: Some(|s| for add in [false, true] {
            let (x, v) = (s.normal(&[2, 3]), s.normal(&[2]));
            let i = Tensor::from_slice(&[4i64, 0], &[2]).expect("two numbers");
            s.push(vec![Some(x), Some(i), Some(v)], params![add], 5);
        }),
        ..BASE
    };
    unique_dim = OpDef {
        sig: "unique_dim(Tensor input, int dim, bool consecutive) -> (Tensor, Tensor, Tensor)",
        doc: "The distinct slices along a dimension (or runs of equal ones reduced to one), which of them each slice is, and their counts.",
        surfaces: INTERNAL,
        kind: Kind::Composite(unique_dim),
        ..BASE
    };
    segment_reduce = OpDef {
        sig: "segment_reduce(Tensor data, str reduce, *, Tensor? lengths=None, Tensor? indices=None, Tensor? offsets=None, int axis=0, bool unsafe=False, Scalar? initial=None) -> Tensor",
        doc: "The 'sum', 'mean', 'max', 'min' or 'prod' of consecutive groups along `axis`, given by their lengths or offsets.",
        surfaces: F,
        aliases: &["_segment_reduce"],
        kind: Kind::Composite(segment_reduce),
        ..BASE
    };
    chunk_cat = OpDef {
        sig: "_chunk_cat(Tensor[] tensors, int dim, int num_chunks, *, Tensor? out=None) -> Tensor",
        doc: "The tensors, each padded and split into `num_chunks` along `dim`, side by side.",
        surfaces: F,
        kind: Kind::Composite(|x, p| {
            let (d, chunks) = (p.int(1), p.int(2));
            check!(!x.is_empty(), Runtime, "_chunk_cat expects a non-empty input tensor list");
            check!(chunks >= 1, Runtime, "_chunk_cat expects positive num_chunks");
            let first = arg(x, 0)?;
            for i in 1..x.len() {
                check!(arg(x, i)?.dtype() == first.dtype(), Runtime, "_chunk_cat expects all input tensors with the same dtype");
            }
            // The first tensor says what a negative dimension means.
            let d = wrap_dim(d, first.ndim())?;
            for i in 0..x.len() {
                let t = arg(x, i)?;
                check!(t.numel() > 0, Runtime, "_chunk_cat expects non-empty tensor");
                check!(d < t.ndim(), Runtime, "_chunk_cat expects dim < ndim for all input tensors");
                check!(t.sizes()[..d] == first.sizes()[..d], Runtime,
                    "_chunk_cat expects same sizes of 0,...,dim-1 dimensions for all tensors");
            }
            let mut parts = Vec::new();
            for i in 0..x.len() {
                let t = arg(x, i)?;
                let n = t.size(d as i64)?;
                let each = (n + chunks - 1) / chunks;
                let mut sizes = Dims::from_slice(t.sizes());
                sizes[d] = each * chunks - n;
                let whole = crate::shape::cat(&[t, &crate::create::zeros(&sizes, t.dtype(), t.device())?], d as i64)?;
                let mut to = Dims::from_slice(&t.sizes()[..d]);
                to.extend_from_slice(&[chunks, -1]);
                parts.push(reshape(&whole, &to)?);
            }
            one(crate::shape::cat(&parts.iter().collect::<Vec<_>>(), d as i64 + 1)?)
        }),
        ..BASE
    };
}

/// The distinct slices along `dim`, in order; with `consecutive` only runs of equal ones are reduced.
pub fn unique_slices(x: &Tensor, dim: i64, consecutive: bool) -> Result<Outs> {
    call(&unique_dim::OP, &[Some(x)], params![dim, consecutive])
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
