//! Making tensors.

use flambeau_core::alloc::list_of;
use flambeau_core::device::backend;
use flambeau_core::dtype::Category;
use flambeau_core::op::{Diff, Kind, Meta, OpDef, Params, ParamsExt};
use flambeau_core::{DType, Device, Error, Result, Scalar, Tensor, call1, check, default_dtype, params};

use crate::copy::{format, format_strides};
use crate::operand::*;

const fn factory(sig: &'static str, doc: &'static str, f: flambeau_core::op::Compose) -> OpDef {
    OpDef { sig, doc, surfaces: F, kind: Kind::Composite(f), ..BASE }
}

/// `(dtype, device)` from the params that follow position `i`.
fn options(p: &Params, i: usize) -> (DType, Device) {
    (p.dtype(i).unwrap_or_else(default_dtype), p.device(i + 1).unwrap_or(Device::CPU))
}

fn like(x: flambeau_core::op::Inputs, p: &Params, i: usize) -> Result<(DType, Device, Option<i64>)> {
    let x = arg(x, 0)?;
    Ok((p.dtype(i).unwrap_or(x.dtype()), p.device(i + 1).unwrap_or(x.device()), p.opt_int(i + 2)))
}

fn empty_like_with(x: &Tensor, dtype: DType, device: Device, f: Option<i64>) -> Result<Tensor> {
    match format_strides(x, f)? {
        None => Tensor::empty(x.sizes(), dtype, device),
        Some(s) => Tensor::empty_strided(x.sizes(), &s, dtype, device),
    }
}

fn filled(t: Tensor, value: Scalar) -> Result<Tensor> {
    if !t.device().is_meta() {
        backend(t.device())?.fill(t.raw(), value)?;
    }
    Ok(t)
}

fn as_format(t: Tensor, f: Option<i64>) -> Result<Tensor> {
    match f {
        Some(format::CHANNELS_LAST | format::CHANNELS_LAST_3D) => {
            let strides = format_strides(&t, f)?.unwrap_or_default();
            Tensor::empty_strided(t.sizes(), &strides, t.dtype(), t.device())
        }
        _ => Ok(t),
    }
}

/// How many elements `arange` gives, with PyTorch's checks.
fn arange_len(start: Scalar, end: Scalar, step: Scalar) -> Result<i64> {
    let (s, e, d) = (start.to_f64(), end.to_f64(), step.to_f64());
    check!(d != 0.0, Runtime, "step must be nonzero");
    check!(s.is_finite() && e.is_finite(), Runtime, "unsupported range: {s} -> {e}");
    check!(d > 0.0 && e >= s || d < 0.0 && e <= s, Runtime, "upper bound and lower bound inconsistent with step sign");
    if [start, end, step].iter().all(|v| v.category() <= Category::Int) {
        let (s, e, d) = (start.to_i64() as i128, end.to_i64() as i128, step.to_i64() as i128);
        return Ok(((e - s + d - d.signum()) / d) as i64);
    }
    Ok(((e - s) / d).ceil() as i64)
}

fn ranged(start: Scalar, end: Scalar, step: Scalar, dtype: Option<DType>, device: Device) -> Result<Tensor> {
    let all_int = [start, end, step].iter().all(|v| v.category() <= Category::Int);
    let dtype = dtype.unwrap_or(if all_int { DType::I64 } else { default_dtype() });
    let t = Tensor::empty(&[arange_len(start, end, step)?], dtype, device)?;
    if !device.is_meta() && t.numel() > 0 {
        backend(device)?.arange(t.raw(), start, step)?;
    }
    Ok(t)
}

/// `steps` numbers from `start` to `end`, both included, computed from the nearer end as PyTorch does.
fn spaced(start: Scalar, end: Scalar, steps: i64, dtype: DType, device: Device) -> Result<Tensor> {
    check!(steps >= 0, Runtime, "number of steps must be non-negative");
    let n = steps as usize;
    if device.is_meta() {
        return Tensor::empty(&[steps], dtype, device);
    }
    let last = (n.max(2) - 1) as f64;
    let near = |i: usize| i < n / 2 || n == 1;
    if dtype.is_complex() {
        let ((a, b), (c, d)) = (start.to_complex(), end.to_complex());
        let mut flat = list_of(n.saturating_mul(2))?;
        for i in 0..n {
            for (lo, hi) in [(a, c), (b, d)] {
                let h = (hi - lo) / last;
                flat.push(if near(i) { lo + h * i as f64 } else { hi - h * (n - 1 - i) as f64 });
            }
        }
        let pairs = Tensor::from_slice(&flat, &[steps, 2])?;
        let z = flambeau_core::call::view(&flambeau_core::view::ViewOp::AsComplex, &pairs)?;
        return z.cast_raw(dtype);
    }
    if dtype.is_int() || dtype == DType::Bool {
        let (lo, hi) = (start.to_i64() as f64, end.to_i64() as f64);
        let h = (hi - lo) / last;
        let mut v = list_of::<i64>(n)?;
        v.extend((0..n).map(|i| (if near(i) { lo + h * i as f64 } else { hi - h * (n - 1 - i) as f64 }) as i64));
        return Tensor::from_slice(&v, &[steps])?.packed(dtype);
    }
    let (lo, hi) = (start.to_f64(), end.to_f64());
    if dtype == DType::F64 {
        let h = (hi - lo) / last;
        let mut v = list_of::<f64>(n)?;
        v.extend((0..n).map(|i| if near(i) { lo + h * i as f64 } else { hi - h * (n - 1 - i) as f64 }));
        return Tensor::from_slice(&v, &[steps]);
    }
    let (lo, hi) = (lo as f32, hi as f32);
    let h = (hi - lo) / (n.max(2) - 1) as f32;
    let mut v = list_of::<f32>(n)?;
    v.extend((0..n).map(|i| if near(i) { lo + h * i as f32 } else { hi - h * (n - 1 - i) as f32 }));
    Tensor::from_slice(&v, &[steps])?.packed(dtype)
}

rows! { ROWS_ALL:
    empty = factory("empty(int[] size, *, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False, MemoryFormat? memory_format=None) -> Tensor",
        "Uninitialised elements.", |_, p| { let (d, dev) = options(p, 1); one(as_format(Tensor::empty(p.ints(0), d, dev)?, p.opt_int(3))?) });
    empty_strided = factory("empty_strided(int[] size, int[] stride, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "Uninitialised elements with given strides.", |_, p| {
            let (d, dev) = options(p, 2);
            check!(p.ints(0).len() == p.ints(1).len(), Runtime, "dimensionality of sizes ({}) must match dimensionality of strides ({})", p.ints(0).len(), p.ints(1).len());
            one(Tensor::empty_strided(p.ints(0), p.ints(1), d, dev)?)
        });
    zeros = factory("zeros(int[] size, *, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "All zeros.", |_, p| { check!(p.ints(0).iter().all(|&n| n >= 0), Runtime, "zeros: Dimension size must be non-negative."); let (d, dev) = options(p, 1); one(zeros(p.ints(0), d, dev)?) });
    ones = factory("ones(int[] size, *, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "All ones.", |_, p| { let (d, dev) = options(p, 1); one(full(p.ints(0), Scalar::Int(1), d, dev)?) });
    full = factory("full(int[] size, Scalar fill_value, *, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "One value everywhere; without `dtype` the value decides it.", |_, p| {
            let v = p.scalar(1);
            let d = p.dtype(2).unwrap_or_else(|| v.natural_dtype(default_dtype()));
            one(full(p.ints(0), v, d, p.device(3).unwrap_or(Device::CPU))?)
        });
    arange = factory("arange(Scalar end, *, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "The numbers from 0 up to `end`, without it.", |_, p| one(ranged(Scalar::Int(0), p.scalar(0), Scalar::Int(1), p.dtype(1), p.device(2).unwrap_or(Device::CPU))?));
    arange_start = factory("arange(Scalar start, Scalar end, Scalar step=1, *, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "The numbers from `start` by `step` up to `end`, without it.", |_, p| one(ranged(p.scalar(0), p.scalar(1), p.scalar(2), p.dtype(3), p.device(4).unwrap_or(Device::CPU))?));
    linspace = factory("linspace(Scalar start, Scalar end, int steps, *, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "`steps` evenly spaced numbers, both ends included.", |_, p| {
            let complex = [p.scalar(0), p.scalar(1)].iter().any(|s| s.category() == Category::Complex);
            let d = p.dtype(3).unwrap_or(if complex { default_dtype().to_complex() } else { default_dtype() });
            one(spaced(p.scalar(0), p.scalar(1), p.int(2), d, p.device(4).unwrap_or(Device::CPU))?)
        });
    logspace = factory("logspace(Scalar start, Scalar end, int steps, float base=10.0, *, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "`base` to the power of evenly spaced numbers.", |_, p| {
            let d = p.dtype(4).unwrap_or_else(default_dtype);
            // Integers are made from whole ends and a whole base.
            let int = d.is_int();
            let end = |s: Scalar| if int { Scalar::Float(s.to_f64().trunc()) } else { s };
            let base = if int { p.float(3).trunc() } else { p.float(3) };
            let e = spaced(end(p.scalar(0)), end(p.scalar(1)), p.int(2), DType::F64, Device::CPU)?;
            let y = crate::binary::pow(&Tensor::wrapped(Scalar::Float(base))?, &e)?;
            one(crate::copy::to_dtype(&y, d)?)
        });
    linspace_tensor = factory("linspace(Tensor|Scalar start, Tensor|Scalar end, int steps, *, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "`steps` evenly spaced numbers between zero-dimensional tensors.", |x, p| {
            let (a, b) = (number("linspace", arg(x, 0)?, arg(x, 1)?)?, arg(x, 1)?.item()?);
            flambeau_core::call(&linspace::OP, &[], [a.into(), b.into()].into_iter().chain(p.iter().cloned()).collect())
        });
    logspace_tensor = factory("logspace(Tensor|Scalar start, Tensor|Scalar end, int steps, float base=10.0, *, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "`base` to the power of numbers between zero-dimensional tensors.", |x, p| {
            let (a, b) = (number("logspace", arg(x, 0)?, arg(x, 1)?)?, arg(x, 1)?.item()?);
            flambeau_core::call(&logspace::OP, &[], [a.into(), b.into()].into_iter().chain(p.iter().cloned()).collect())
        });
    eye = factory("eye(int n, int? m=None, *, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "Ones on the diagonal, zeros elsewhere.", |_, p| {
            let (n, m) = (p.int(0), p.opt_int(1).unwrap_or(p.int(0)));
            check!(n >= 0, Runtime, "n must be greater or equal to 0, got {n}");
            check!(m >= 0, Runtime, "m must be greater or equal to 0, got {m}");
            let (d, dev) = options(p, 2);
            let t = zeros(&[n, m], d, dev)?;
            let diagonal = flambeau_core::call::view(&flambeau_core::view::ViewOp::Diagonal { offset: 0, dim1: 0, dim2: 1 }, &t)?;
            filled(diagonal, Scalar::Int(1))?;
            one(crate::copy::clone(&t)?)
        });
    empty_like = OpDef { surfaces: F, ..factory("empty_like(Tensor input, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False, MemoryFormat? memory_format=None) -> Tensor",
        "Uninitialised elements in the shape of `input`.", |x, p| { let (d, dev, f) = like(x, p, 0)?; one(empty_like_with(arg(x, 0)?, d, dev, f)?) }) };
    zeros_like = factory("zeros_like(Tensor input, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False, MemoryFormat? memory_format=None) -> Tensor",
        "Zeros in the shape of `input`.", |x, p| { let (d, dev, f) = like(x, p, 0)?; one(filled(empty_like_with(arg(x, 0)?, d, dev, f)?, Scalar::Int(0))?) });
    ones_like = factory("ones_like(Tensor input, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False, MemoryFormat? memory_format=None) -> Tensor",
        "Ones in the shape of `input`.", |x, p| { let (d, dev, f) = like(x, p, 0)?; one(filled(empty_like_with(arg(x, 0)?, d, dev, f)?, Scalar::Int(1))?) });
    full_like = factory("full_like(Tensor input, Scalar fill_value, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False, MemoryFormat? memory_format=None) -> Tensor",
        "One value in the shape of `input`.", |x, p| { let (d, dev, f) = like(x, p, 1)?; one(filled(empty_like_with(arg(x, 0)?, d, dev, f)?, p.scalar(0))?) });
    new_empty = OpDef { surfaces: M, ..factory("new_empty(Tensor input, int[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "Uninitialised elements of the tensor's dtype and device.", |x, p| { let (d, dev, _) = like(x, p, 1)?; one(Tensor::empty(p.ints(0), d, dev)?) }) };
    new_zeros = OpDef { surfaces: M, ..factory("new_zeros(Tensor input, int[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "Zeros of the tensor's dtype and device.", |x, p| { let (d, dev, _) = like(x, p, 1)?; one(zeros(p.ints(0), d, dev)?) }) };
    new_ones = OpDef { surfaces: M, ..factory("new_ones(Tensor input, int[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "Ones of the tensor's dtype and device.", |x, p| { let (d, dev, _) = like(x, p, 1)?; one(full(p.ints(0), Scalar::Int(1), d, dev)?) }) };
    new_full = OpDef { surfaces: M, ..factory("new_full(Tensor input, int[] size, Scalar fill_value, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "One value, of the tensor's dtype and device.", |x, p| { let (d, dev, _) = like(x, p, 2)?; one(full(p.ints(0), p.scalar(1), d, dev)?) }) };
    new_empty_strided = OpDef { surfaces: M, ..factory("new_empty_strided(Tensor input, int[] size, int[] stride, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "Uninitialised elements with given strides, of the tensor's dtype and device.", |x, p| { let (d, dev, _) = like(x, p, 2)?; one(Tensor::empty_strided(p.ints(0), p.ints(1), d, dev)?) }) };
    zero_ = OpDef { surfaces: FM, sig: "zero_(Tensor input) -> Tensor", doc: "Sets every element to zero.", kind: Kind::Composite(|x, _| {
            let x = arg(x, 0)?;
            crate::copy::fill_(x, Scalar::Int(0))?;
            one(x.clone())
        }), ..BASE };
    tril = OpDef {
        sig: "tril(Tensor input, int diagonal=0, *, Tensor? out=None) -> Tensor",
        doc: "The lower triangle of the last two dimensions, zeros above.",
        surfaces: FMI,
        kind: Kind::Kernel { infer: triangle_meta, run: |b, x, o, p| b.triangle(arg(x, 0)?.raw(), o[0].raw(), p.int(0), false) },
        diff: Diff::Vjp(|c| grads!(c; 0 => call1(&tril::OP, &[Some(c.g())], c.p.clone()))),
        samples: Some(|s| { for d in [0, 1, -1] { let x = s.normal(&[2, 3, 4]); s.push(vec![Some(x)], params![d], 1) } }),
        ..BASE
    };
    triu = OpDef {
        sig: "triu(Tensor input, int diagonal=0, *, Tensor? out=None) -> Tensor",
        doc: "The upper triangle of the last two dimensions, zeros below.",
        surfaces: FMI,
        kind: Kind::Kernel { infer: triangle_meta, run: |b, x, o, p| b.triangle(arg(x, 0)?.raw(), o[0].raw(), p.int(0), true) },
        diff: Diff::Vjp(|c| grads!(c; 0 => call1(&triu::OP, &[Some(c.g())], c.p.clone()))),
        samples: Some(|s| { for d in [0, 1, -1] { let x = s.normal(&[2, 3, 4]); s.push(vec![Some(x)], params![d], 1) } }),
        ..BASE
    };
}

/// The value of `start`, when both ends are single numbers.
fn number(name: &str, start: &Tensor, end: &Tensor) -> Result<Scalar> {
    check!(
        start.ndim() == 0 && end.ndim() == 0,
        Runtime,
        "{name} only supports 0-dimensional start and end tensors, but got start with {} dimension(s) and end with {} dimension(s).",
        start.ndim(),
        end.ndim()
    );
    start.item()
}

fn triangle_meta(x: flambeau_core::op::Inputs, _: &Params) -> Result<flambeau_core::op::Metas> {
    let x = arg(x, 0)?;
    if x.ndim() < 2 {
        return Err(Error::runtime("tril: input tensor must have at least 2 dimensions"));
    }
    Ok([Meta::new(x.sizes(), x.dtype(), x.device())].into_iter().collect())
}

pub fn zeros(sizes: &[i64], dtype: DType, device: Device) -> Result<Tensor> {
    full(sizes, Scalar::Int(0), dtype, device)
}

pub fn full(sizes: &[i64], value: Scalar, dtype: DType, device: Device) -> Result<Tensor> {
    filled(Tensor::empty(sizes, dtype, device)?, value)
}

/// Zeros in the shape, dtype and memory order of `x`.
pub fn zeros_like(x: &Tensor) -> Result<Tensor> {
    filled(empty_like_with(x, x.dtype(), x.device(), None)?, Scalar::Int(0))
}

/// One zero of the dtype and device of `x`.
pub fn zeros_scalar_like(x: &Tensor) -> Result<Tensor> {
    zeros(&[], x.dtype(), x.device())
}

/// The integers `start..end`.
pub fn arange_int(start: i64, end: i64) -> Result<Tensor> {
    ranged(Scalar::Int(start), Scalar::Int(end), Scalar::Int(1), None, Device::CPU)
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
