//! Writing at computed positions along a dimension.

use flambeau_core::autograd::OutMeta;
use flambeau_core::backend::{Backend, ScatterReduce};
use flambeau_core::layout::{self, Dims, wrap_dim};
use flambeau_core::op::{Diff, Grads, Inputs, Kind, Metas, OpDef, Params, ParamsExt, Saves};
use flambeau_core::{DType, Error, Result, Scalar, Tensor, call1, check, params};

use crate::binary::mul;
use crate::index::{INDEX, check_gather, check_index, gather, index_select, lifted};
use crate::operand::*;
use crate::view::{expand, reshape};

fn scatter_run(b: &dyn Backend, x: Inputs, o: &[Tensor], dim: i64, reduce: ScatterReduce) -> Result<()> {
    let (t, index, src) = (arg(x, 0)?, arg(x, 1)?, arg(x, 2)?);
    let out = &o[0];
    if out.data_ptr() != t.data_ptr() || out.strides() != t.strides() {
        b.copy(t.raw(), out.raw())?;
    }
    if index.numel() == 0 {
        return Ok(());
    }
    let index = index.packed(DType::I64)?;
    let d = wrap_dim(dim, out.ndim())?;
    let number = if src.dtype() == out.dtype() { src.clone() } else { src.cast_raw(out.dtype())? };
    let zero = Dims::from_elem(0, index.ndim().max(1));
    let src = if number.ndim() == 0 && index.ndim() > 0 {
        number.raw().with_layout(index.sizes(), &zero)
    } else {
        lifted(&number)
    };
    b.scatter(lifted(out), lifted(&index), src, d, reduce)
}

const fn scatter_row(sig: &'static str, doc: &'static str, surfaces: u16) -> OpDef {
    OpDef { sig, doc, surfaces, ..BASE }
}

/// A result of the first operand's sizes, row-major.
fn row_major(x: Inputs) -> Result<Metas> {
    let t = arg(x, 0)?;
    Ok(smallvec::smallvec![flambeau_core::op::Meta::new(t.sizes(), t.dtype(), t.device())])
}

fn scatter_meta(name: &'static str, x: Inputs, p: &Params) -> Result<Metas> {
    let (t, index, src) = (arg(x, 0)?, arg(x, 1)?, arg(x, 2)?);
    let src = (!(src.is_wrapped() || src.ndim() == 0 && index.ndim() != 0)).then_some(src);
    check_gather(name, t, index, p.int(0), src)?;
    row_major(x)
}

/// Zero the gradient at the written positions.
fn masked_out(g: &Tensor, dim: i64, index: &Tensor) -> Result<Tensor> {
    call1(&scatter::OP, &[Some(g), Some(index), Some(&Tensor::wrapped(Scalar::Int(0))?)], params![dim])
}

fn src_gradient(c: &flambeau_core::autograd::Vjp, index: &Tensor) -> Result<Tensor> {
    let m = c.meta(2);
    let g = gather(c.g(), c.p.int(0), index)?;
    if m.sizes.is_empty() && g.ndim() > 0 {
        return crate::reduce::sum(&g, &[], false);
    }
    fit_src(&g, &m)
}

/// A source may be larger than its index: the rest has no gradient.
fn fit_src(g: &Tensor, m: &OutMeta) -> Result<Tensor> {
    if g.sizes() == m.sizes.as_slice() {
        return Ok(g.clone());
    }
    let whole = crate::create::zeros(&m.sizes, g.dtype(), g.device())?;
    let mut part = whole.clone();
    for (d, &n) in g.sizes().iter().enumerate() {
        part = crate::view::narrow(&part, d as i64, 0, n)?;
    }
    crate::copy::copy_(&part, g)?;
    Ok(whole)
}

rows! { ROWS_ALL:
    scatter = OpDef {
        kind: Kind::Kernel { infer: |x, p| scatter_meta("scatter", x, p), run: |b, x, o, p| scatter_run(b, x, o, p.int(0), ScatterReduce::Set) },
        diff: Diff::Vjp(|c| { let index = c.x(1)?; grads!(c; 0 => masked_out(c.g(), c.p.int(0), &index), 2 => src_gradient(c, &index)) }),
        saves: INDEX,
        samples: Some(|s| {
            let (x, v) = (s.normal(&[3, 4]), s.normal(&[2, 4]));
            let i = Tensor::from_slice(&[0i64, 1, 2, 0, 1, 2, 0, 1], &[2, 4]).expect("eight numbers");
            s.push(vec![Some(x), Some(i), Some(v)], params![0], 5);
        }),
        ..scatter_row("scatter(Tensor input, int dim, Tensor index, Tensor|Scalar src, *, Tensor? out=None) -> Tensor", "A copy with `src` written at `index` along `dim`.", FMI)
    };
    scatter_value = OpDef {
        kind: Kind::Composite(|x, p| flambeau_core::call(&scatter::OP, x, p.clone())),
        ..scatter_row("scatter(Tensor input, int dim, Tensor index, Tensor|Scalar value, *, Tensor? out=None) -> Tensor", "A copy with one value written at `index` along `dim`.", FMI)
    };
    scatter_with = OpDef {
        kind: Kind::Composite(|x, p| match p.str(1) {
            "add" => flambeau_core::call(&scatter_add::OP, &[opt(x, 0), opt(x, 1), Some(&spread_number(x)?)], params![p.int(0)]),
            "multiply" => flambeau_core::call(&scatter_reduce::OP, &[opt(x, 0), opt(x, 1), Some(&spread_number(x)?)], params![p.int(0), "prod", true]),
            other => Err(Error::runtime(format!("reduce argument must be either add or multiply, got {other}"))),
        }),
        ..scatter_row("scatter(Tensor input, int dim, Tensor index, Tensor|Scalar src, *, str reduce, Tensor? out=None) -> Tensor", "A copy with `src` added or multiplied in at `index`.", FMI)
    };
    scatter_add = OpDef {
        kind: Kind::Kernel { infer: |x, p| scatter_meta("scatter_add", x, p), run: |b, x, o, p| scatter_run(b, x, o, p.int(0), ScatterReduce::Add) },
        diff: Diff::Vjp(|c| { let index = c.x(1)?; grads!(c; 0 => Ok::<_, Error>(c.g().clone()), 2 => src_gradient(c, &index)) }),
        saves: INDEX,
        samples: Some(|s| {
            let (x, i, v) = (s.normal(&[3, 4]), s.ints(&[2, 4], 0, 3), s.normal(&[3, 4]));
            s.push(vec![Some(x), Some(i), Some(v)], params![0], 5);
        }),
        ..scatter_row("scatter_add(Tensor input, int dim, Tensor index, Tensor src, *, Tensor? out=None) -> Tensor", "A copy with `src` added at `index` along `dim`.", FMI)
    };
    scatter_reduce = OpDef {
        kind: Kind::Composite(|x, p| one(reduced_scatter(x, p)?)),
        ..scatter_row("scatter_reduce(Tensor input, int dim, Tensor index, Tensor src, str reduce, *, bool include_self=True, Tensor? out=None) -> Tensor", "A copy with `src` reduced in at `index`: 'sum', 'prod', 'mean', 'amax' or 'amin'.", FMI)
    };
    scatter_extreme = OpDef {
        kind: Kind::Kernel {
            infer: |x, p| scatter_meta("scatter_reduce", x, p),
            run: |b, x, o, p| scatter_run(b, x, o, p.int(0), match p.str(1) { "prod" => ScatterReduce::Mul, "amax" => ScatterReduce::Amax, _ => ScatterReduce::Amin }),
        },
        diff: Diff::Vjp(extreme_scatter_backward),
        saves: Saves { inputs: 7, outputs: 1, cross: false },
        samples: Some(|s| for how in ["amax", "amin", "prod"] {
            let (x, i, v) = (s.uniform(&[3, 4], 0.3, 1.0), s.ints(&[2, 4], 0, 3), s.uniform(&[2, 4], 0.3, 1.0));
            s.push(vec![Some(x), Some(i), Some(v)], params![0, how], 5);
        }),
        ..scatter_row("scatter_extreme(Tensor input, int dim, Tensor index, Tensor src, str reduce) -> Tensor", "Products and extremes at `index`.", INTERNAL)
    };
    index_add = OpDef {
        sig: "index_add(Tensor input, int dim, Tensor index, Tensor source, *, Scalar alpha=1, Tensor? out=None) -> Tensor",
        doc: "A copy with slices of `source` added at the positions in `index`.",
        surfaces: FMI,
        kind: Kind::Composite(|x, p| {
            let (t, index, src) = (arg(x, 0)?, arg(x, 1)?, arg(x, 2)?);
            let alpha = p.opt_scalar(1).unwrap_or(Scalar::Int(1));
            let src = if alpha == Scalar::Int(1) { src.clone() } else { mul(src, &Tensor::wrapped(alpha)?)? };
            one(index_add(t, p.int(0), index, &src)?)
        }),
        ..BASE
    };
    index_add_kernel = OpDef {
        sig: "index_add_kernel(Tensor input, int dim, Tensor index, Tensor source) -> Tensor",
        doc: "A copy with slices added at positions.",
        surfaces: INTERNAL,
        kind: Kind::Kernel { infer: |x, p| index_write_meta("index_add", x, p), run: |b, x, o, p| index_write(b, x, o, p, ScatterReduce::Add) },
        diff: Diff::Vjp(|c| grads!(c; 0 => Ok::<_, Error>(c.g().clone()), 2 => {
            let g = index_select(c.g(), c.p.int(0), &c.x(1)?)?;
            reshape(&g, &c.meta(2).sizes)
        })),
        saves: INDEX,
        samples: Some(|s| { let (x, i, v) = (s.normal(&[3, 4]), s.ints(&[5], 0, 3), s.normal(&[5, 4])); s.push(vec![Some(x), Some(i), Some(v)], params![0], 5) }),
        ..BASE
    };
    index_copy = OpDef {
        sig: "index_copy(Tensor input, int dim, Tensor index, Tensor source, *, Tensor? out=None) -> Tensor",
        doc: "A copy with slices of `source` written at the positions in `index`.",
        surfaces: FMI,
        kind: Kind::Kernel { infer: |x, p| index_write_meta("index_copy", x, p), run: |b, x, o, p| index_write(b, x, o, p, ScatterReduce::Set) },
        diff: Diff::Vjp(|c| { let i = c.x(1)?; grads!(c;
            0 => call1(&index_fill::OP, &[Some(c.g()), Some(&i), Some(&Tensor::wrapped(Scalar::Int(0))?)], params![c.p.int(0)]),
            2 => reshape(&index_select(c.g(), c.p.int(0), &i)?, &c.meta(2).sizes)) }),
        saves: INDEX,
        samples: Some(|s| { let (x, v) = (s.normal(&[3, 4]), s.normal(&[2, 4])); let i = Tensor::from_slice(&[2i64, 0], &[2]).expect("two numbers"); s.push(vec![Some(x), Some(i), Some(v)], params![0], 5) }),
        ..BASE
    };
    index_fill = OpDef {
        sig: "index_fill(Tensor input, int dim, Tensor index, Tensor|Scalar value, *, Tensor? out=None) -> Tensor",
        doc: "A copy with one value written into whole slices.",
        surfaces: FMI,
        kind: Kind::Composite(|x, p| {
            let (t, index, v) = (arg(x, 0)?, arg(x, 1)?, arg(x, 2)?);
            check!(v.ndim() == 0, Runtime, "index_fill_ only supports a 0-dimensional value tensor, but got tensor with {} dimension(s).", v.ndim());
            check_index("index_fill", index)?;
            // A mask, so that positions that occur twice count once in the gradient.
            let d = wrap_dim(p.int(0), t.ndim())?;
            let n = t.sizes().get(d).copied().unwrap_or(1);
            let ones = crate::create::full(&[index.numel()], Scalar::Bool(true), DType::Bool, t.device())?;
            let none = crate::create::full(&[n], Scalar::Bool(false), DType::Bool, t.device())?;
            let hit = call1(&index_copy::OP, &[Some(&none), Some(&reshape(index, &[-1])?), Some(&ones)], params![0])?;
            let mut shape = Dims::from_elem(1, t.ndim());
            if let Some(s) = shape.get_mut(d) {
                *s = n;
            }
            let v = crate::copy::to_dtype(v, t.dtype())?;
            // In a copy, which keeps the order of memory.
            let y = crate::copy::clone(t)?;
            let hit = reshape(&hit, &shape)?;
            one(flambeau_core::call_inplace(&crate::ternary::masked_fill::OP, &[Some(&y), Some(&hit), Some(&v)], Params::new())?)
        }),
        ..BASE
    };
}

fn spread_number(x: Inputs) -> Result<Tensor> {
    let (t, index, src) = (arg(x, 0)?, arg(x, 1)?, arg(x, 2)?);
    if src.ndim() == 0 && index.ndim() > 0 {
        return expand(&crate::copy::to_dtype(src, t.dtype())?, index.sizes());
    }
    Ok(src.clone())
}

fn index_write_meta(name: &'static str, x: Inputs, p: &Params) -> Result<Metas> {
    let (t, index, src) = (arg(x, 0)?, arg(x, 1)?, arg(x, 2)?);
    let d = wrap_dim(p.int(0), t.ndim())?;
    check!(
        index.ndim() <= 1,
        Index,
        "{name}(): Index is supposed to be a vector, but got dim: {} with type: {} and size: {}",
        index.ndim(),
        index.dtype().scalar_name(),
        layout::fmt(index.sizes())
    );
    check!(
        index.dtype() == DType::I64 || index.dtype() == DType::I32,
        Runtime,
        "{name}(): Expected dtype int32/int64 for index but got: {}",
        index.dtype().scalar_name()
    );
    check!(
        src.dtype() == t.dtype(),
        Runtime,
        "{name}(): self ({}) and source ({}) must have the same scalar type",
        t.dtype().scalar_name(),
        src.dtype().scalar_name()
    );
    let n = if src.ndim() == 0 { 1 } else { src.sizes().get(d).copied().unwrap_or(1) };
    check!(
        n == index.numel(),
        Runtime,
        "{name}(): Number of indices ({}) should be equal to source.size(dim): ({n}), for dim: {d}",
        index.numel()
    );
    if t.ndim() > 0 && src.ndim() > 0 {
        for k in 0..t.ndim() {
            check!(
                k == d || src.sizes().get(k) == t.sizes().get(k),
                Runtime,
                "source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = {} source.shape = {}",
                layout::fmt(t.sizes()),
                layout::fmt(src.sizes())
            );
        }
    }
    row_major(x)
}

fn index_write(b: &dyn Backend, x: Inputs, o: &[Tensor], p: &Params, how: ScatterReduce) -> Result<()> {
    let (t, index, src) = (arg(x, 0)?, arg(x, 1)?, arg(x, 2)?);
    let out = &o[0];
    if out.data_ptr() != t.data_ptr() || out.strides() != t.strides() {
        b.copy(t.raw(), out.raw())?;
    }
    let d = wrap_dim(p.int(0), out.ndim())?;
    // A zero-dimensional source stands for its one slice.
    let mut sizes = Dims::from_slice(out.sizes());
    if sizes.is_empty() {
        sizes.push(1)
    }
    sizes[d] = index.numel();
    let ones = Dims::from_elem(1, sizes.len());
    let src_raw = if src.ndim() == 0 { src.raw().with_layout(&sizes, &ones) } else { src.raw() };
    b.index_reduce(lifted(out), lifted(index), src_raw, d, how)
}

/// Adds a gradient back at gathered positions.
pub(crate) fn scatter_zeros(m: &OutMeta, dim: i64, index: &Tensor, g: &Tensor) -> Result<Tensor> {
    let zero = crate::create::zeros(&m.sizes, g.dtype(), m.device)?;
    scatter_add(&zero, dim, index, g)
}

/// `include_self` and the mean in terms of the plain reductions.
fn reduced_scatter(x: Inputs, p: &Params) -> Result<Tensor> {
    let (t, index, src) = (arg(x, 0)?, arg(x, 1)?, arg(x, 2)?);
    let (dim, how, include) = (p.int(0), p.str(1), p.bool(2));
    check!(
        matches!(how, "sum" | "prod" | "mean" | "amax" | "amin"),
        Runtime,
        "reduce argument must be either sum, prod, mean, amax or amin, got {how}"
    );
    let start = if include {
        t.clone()
    } else {
        let identity = match how {
            "prod" => Scalar::Int(1),
            "amax" if t.dtype().is_float() => Scalar::Float(f64::NEG_INFINITY),
            "amin" if t.dtype().is_float() => Scalar::Float(f64::INFINITY),
            "amax" => Scalar::Int(lowest(t.dtype())),
            "amin" => Scalar::Int(highest(t.dtype())),
            _ => Scalar::Int(0),
        };
        call1(&scatter::OP, &[Some(t), Some(index), Some(&Tensor::wrapped(identity)?)], params![dim])?
    };
    if how == "sum" || how == "mean" {
        let y = scatter_add(&start, dim, index, src)?;
        if how == "sum" {
            return Ok(y);
        }
        let ones = |t: &Tensor| crate::create::full(t.sizes(), Scalar::Int(1), y.dtype(), y.device());
        let base = if include { ones(t)? } else { crate::create::zeros(t.sizes(), y.dtype(), y.device())? };
        let n = scatter_add(&base, dim, index, &ones(src)?)?;
        let n = crate::ternary::where_(&crate::binary::eq_scalar(&n, 0.0)?, &ones(t)?, &n)?;
        return if y.dtype().is_differentiable() {
            crate::binary::div(&y, &n)
        } else {
            crate::binary::floor_divide(&y, &n)
        };
    }
    call1(&scatter_extreme::OP, &[Some(&start), Some(index), Some(src)], params![dim, how])
}

fn lowest(d: DType) -> i64 {
    match d {
        DType::I8 => i8::MIN as i64,
        DType::I16 => i16::MIN as i64,
        DType::I32 => i32::MIN as i64,
        DType::I64 => i64::MIN,
        _ => 0,
    }
}

fn highest(d: DType) -> i64 {
    match d {
        DType::U8 => 255,
        DType::I8 => i8::MAX as i64,
        DType::I16 => i16::MAX as i64,
        DType::I32 => i32::MAX as i64,
        DType::Bool => 1,
        DType::U16 => u16::MAX as i64,
        DType::U32 => u32::MAX as i64,
        _ => i64::MAX,
    }
}

fn extreme_scatter_backward(c: &flambeau_core::autograd::Vjp) -> Result<Grads> {
    let (x, index, src, y) = (c.x(0)?, c.x(1)?, c.x(2)?, c.y(0)?);
    let dim = c.p.int(0);
    if c.p.str(1) == "prod" {
        return product_backward(c, &x, &index, &src, &y);
    }
    let hit_x = crate::copy::to_dtype(&crate::binary::eq(&x, &y)?, c.g().dtype())?;
    let src_used = trimmed(&src, &index)?;
    let hit_src = crate::copy::to_dtype(&crate::binary::eq(&src_used, &gather(&y, dim, &index)?)?, c.g().dtype())?;
    let n = scatter_add(&hit_x, dim, &index, &hit_src)?;
    let share = crate::binary::div(c.g(), &n)?;
    grads!(c;
        0 => mul(&share, &hit_x),
        2 => fit_src(&mul(&gather(&share, dim, &index)?, &hit_src)?, &c.meta(2)))
}

/// Products leave out one factor each by division; where a factor is zero, by a product made without it.
fn product_backward(
    c: &flambeau_core::autograd::Vjp,
    x: &Tensor,
    index: &Tensor,
    src: &Tensor,
    y: &Tensor,
) -> Result<Grads> {
    use crate::binary::{div, eq_scalar, logical_and};
    use crate::ternary::{masked_fill, where_};
    let dim = c.p.int(0);
    let product = |t: &Tensor, v: &Tensor| call1(&scatter_extreme::OP, &[Some(t), Some(index), Some(v)], c.p.clone());
    let times_g = |t: &Tensor| mul(c.g(), &crate::copy::conj(t)?);
    let used = trimmed(src, index)?;
    grads!(c;
    0 => {
        let safe = masked_fill(x, &eq_scalar(x, 0.0)?, 1.0)?;
        div(&times_g(&product(&safe, src)?)?, &crate::copy::conj(&safe)?)
    },
    2 => {
        let zero = eq_scalar(&used, 0.0)?;
        let none = crate::create::zeros_like(&x.detach())?;
        let count = gather(&scatter_add(&none, dim, index, &crate::copy::to_dtype(&zero, x.dtype())?)?, dim, index)?;
        let alone = logical_and(&zero, &eq_scalar(&count, 1.0)?)?;
        let without = gather(&times_g(&product(x, &masked_fill(&used, &alone, 1.0)?)?)?, dim, index)?;
        let safe = masked_fill(&used, &zero, 1.0)?;
        let with = div(&gather(&times_g(y)?, dim, index)?, &crate::copy::conj(&safe)?)?;
        fit_src(&where_(&alone, &without, &with)?, &c.meta(2))
    })
}

fn trimmed(src: &Tensor, index: &Tensor) -> Result<Tensor> {
    let mut t = src.clone();
    for (d, &n) in index.sizes().iter().enumerate() {
        if t.sizes()[d] != n {
            t = crate::view::narrow(&t, d as i64, 0, n)?;
        }
    }
    Ok(t)
}

pub fn scatter_add(x: &Tensor, dim: i64, index: &Tensor, src: &Tensor) -> Result<Tensor> {
    call1(&scatter_add::OP, &[Some(x), Some(index), Some(src)], params![dim])
}

pub fn index_add(x: &Tensor, dim: i64, index: &Tensor, src: &Tensor) -> Result<Tensor> {
    call1(&index_add_kernel::OP, &[Some(x), Some(index), Some(src)], params![dim])
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
