//! Histograms of one and several dimensions, and numbers taken apart.

use flambeau_core::alloc::list_of;
use flambeau_core::backend::Backend;
use flambeau_core::layout::fmt;
use flambeau_core::op::{Diff, Inputs, Kind, Meta, OpDef, Outs, Params, ParamsExt, Value};
use flambeau_core::{DType, Error, Result, Tensor, check, params};

use crate::decompose_run::{read, write};
use crate::operand::*;

/// Borders of `bins` equal bins over a range, each computed from the nearer end in the given precision.
fn even_borders(low: f64, high: f64, bins: i64, single: bool) -> Result<Vec<f64>> {
    let n = bins as usize;
    let near = |i: usize| i < n.div_ceil(2);
    let mut borders = list_of(n.saturating_add(1))?;
    if single {
        let (low, high) = (low as f32, high as f32);
        let step = (high - low) / n as f32;
        let at = |i: usize| if near(i) { low + step * i as f32 } else { high - step * (n - i) as f32 };
        borders.extend((0..=n).map(|i| f64::from(at(i))));
    } else {
        let step = (high - low) / n as f64;
        borders.extend((0..=n).map(|i| if near(i) { low + step * i as f64 } else { high - step * (n - i) as f64 }));
    }
    Ok(borders)
}

/// The smallest and largest number, widened where they are one.
fn outer_borders(data: impl Iterator<Item = f64>, range: Option<[f64; 2]>) -> Result<[f64; 2]> {
    let [mut low, mut high] = match range {
        Some(r) => {
            check!(
                r[0] <= r[1],
                Runtime,
                "torch.histogramdd(): min {} should not exceed max {} for dimension 0",
                r[0],
                r[1]
            );
            r
        }
        None => {
            let (mut low, mut high, mut any) = (f64::INFINITY, f64::NEG_INFINITY, false);
            for v in data {
                any = true;
                low = if v < low || v.is_nan() { v } else { low };
                high = if v > high || v.is_nan() { v } else { high };
            }
            if any { [low, high] } else { [0.0, 1.0] }
        }
    };
    check!(
        low.is_finite() && high.is_finite(),
        Runtime,
        "torch.histogramdd(): dimension 0's range [{low}, {high}] is not finite"
    );
    if low == high {
        low -= 0.5;
        high += 0.5;
    }
    Ok([low, high])
}

/// The bin of a number, the last one closed on the right; none outside.
fn bin_of(borders: &[f64], v: f64) -> Option<usize> {
    let last = borders.len() - 1;
    if !(v >= borders[0] && v <= borders[last]) {
        return None;
    }
    // By halves, so that borders that do not increase give what PyTorch makes of them.
    let (mut start, mut count) = (0, borders.len());
    while count > 0 {
        let half = count / 2;
        if v < borders[start + half] {
            count = half;
        } else {
            start += half + 1;
            count -= half + 1;
        }
    }
    Some((start.max(1) - 1).min(last - 1))
}

/// Counts (or sums of weights) of points (`n` rows of `borders.len()` numbers) in a grid of bins.
fn counted(points: &[f64], weights: Option<&[f64]>, borders: &[Vec<f64>], density: bool) -> Result<Vec<f64>> {
    let d = borders.len();
    let bins = borders.iter().fold(1usize, |n, b| n.saturating_mul(b.len() - 1));
    let mut out = list_of(bins)?;
    out.resize(bins, 0.0);
    if d == 0 {
        return Ok(out);
    }
    for (i, point) in points.chunks_exact(d).enumerate() {
        let mut at = Some(0);
        for (v, b) in point.iter().zip(borders) {
            at = at.and_then(|a| Some(a * (b.len() - 1) + bin_of(b, *v)?));
        }
        if let Some(a) = at {
            out[a] += weights.map_or(1.0, |w| w[i]);
        }
    }
    if density {
        let total: f64 = out.iter().sum();
        for (i, v) in out.iter_mut().enumerate() {
            let mut rest = i;
            let mut volume = 1.0;
            for b in borders.iter().rev() {
                let k = rest % (b.len() - 1);
                rest /= b.len() - 1;
                volume *= b[k + 1] - b[k];
            }
            *v /= total * volume;
        }
    }
    Ok(out)
}

fn check_kind(t: &Tensor, name: &str) -> Result<()> {
    check!(
        matches!(t.dtype(), DType::F32 | DType::F64),
        NotImplemented,
        "\"{name}\" not implemented for '{}'",
        t.dtype().scalar_name()
    );
    Ok(())
}

fn numbers(t: &Tensor, of: &Tensor, what: &str) -> Result<Vec<f64>> {
    check!(
        t.dtype() == of.dtype(),
        Runtime,
        "torch.histogramdd(): input tensor and {what} tensor should have the same dtype, but got input {} and {what} {}",
        of.dtype().scalar_name(),
        t.dtype().scalar_name()
    );
    t.to_vec()
}

fn made(data: &[f64], sizes: &[i64], like: &Tensor) -> Result<Tensor> {
    crate::copy::to_dtype(&Tensor::from_slice(data, sizes)?, like.dtype())
}

/// Weights as numbers, one for each point.
fn weights_of(w: Option<&Tensor>, t: &Tensor, sizes: &[i64]) -> Result<Option<Vec<f64>>> {
    let Some(w) = w else { return Ok(None) };
    check!(
        w.sizes() == sizes,
        Runtime,
        "torch.histogramdd(): if weight tensor is provided it should have the same shape as the input tensor excluding its \
         innermost dimension, but got input with shape {} and weight with shape {}",
        fmt(t.sizes()),
        fmt(w.sizes())
    );
    Ok(Some(numbers(w, t, "weight")?))
}

fn range_of(p: &Value, d: usize) -> Result<Option<Vec<f64>>> {
    let Value::Floats(r) = p else { return Ok(None) };
    check!(
        r.len() == 2 * d,
        Runtime,
        "torch.histogramdd(): for a {d}-dimensional histogram range should have {} elements, but got {}",
        2 * d,
        r.len()
    );
    Ok(Some(r.to_vec()))
}

fn histogram_outs(t: &Tensor, borders: Vec<f64>, weight: Option<&Tensor>, density: bool) -> Result<Outs> {
    let w = weights_of(weight, t, t.sizes())?;
    let data: Vec<f64> = t.to_vec()?;
    let borders = [borders];
    let counts = counted(&data, w.as_deref(), &borders, density)?;
    let n = borders[0].len() as i64;
    Ok(Outs::from_iter([made(&counts, &[n - 1], t)?, made(&borders[0], &[n], t)?]))
}

fn given_borders(t: &Tensor, of: &Tensor) -> Result<Vec<f64>> {
    check!(
        t.ndim() == 1,
        Runtime,
        "torch.histogramdd(): bins tensor should have one dimension, but got {} dimensions in the bins tensor for dimension 0",
        t.ndim()
    );
    check!(
        t.numel() > 1,
        Runtime,
        "torch.histogramdd(): bins tensor should have at least 2 elements, but got {}",
        t.numel()
    );
    numbers(t, of, "bins")
}

/// Mantissa and exponent, one by one.
fn frexp_run(b: &dyn Backend, x: Inputs, o: &[Tensor], _: &Params) -> Result<()> {
    let data = read::<f64>(arg(x, 0)?)?;
    let (mut m, mut e) = (Vec::with_capacity(data.len()), Vec::with_capacity(data.len()));
    for v in data {
        let (a, k) = if v == 0.0 || !v.is_finite() { (v, 0) } else { split(v) };
        m.push(a);
        e.push(k as f64);
    }
    write(b, &o[0], &m)?;
    write(b, &o[1], &e)
}

/// `v = m 2^k` with `0.5 <= |m| < 1`, for finite numbers other than zero.
fn split(v: f64) -> (f64, i32) {
    let bits = v.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32;
    if exponent == 0 {
        let (m, k) = split(v * 2f64.powi(64));
        return (m, k - 64);
    }
    (f64::from_bits(bits & !(0x7ff << 52) | 1022 << 52), exponent - 1022)
}

rows! { ROWS_ALL:
    frexp = OpDef {
        sig: "frexp(Tensor input, *, (Tensor, Tensor)? out=None) -> (Tensor mantissa, Tensor exponent)",
        doc: "Each element as mantissa (at least 1/2, below 1) times a power of two.",
        kind: Kind::Kernel {
            infer: |x, _| {
                let t = arg(x, 0)?;
                check!(t.dtype().is_float(), Runtime, "torch.frexp() only supports floating-point dtypes");
                Ok(smallvec::smallvec![Meta::like(t), Meta::like(t).with_dtype(DType::I32)])
            },
            run: frexp_run,
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => {
            let e = crate::copy::to_dtype(&crate::unary::neg(&c.y(1)?)?, c.g().dtype())?;
            crate::binary::mul(c.g(), &crate::unary::exp2(&e)?)
        })),
        saves: flambeau_core::op::Saves { inputs: 0, outputs: 2, cross: false },
        diff_outputs: 1,
        samples: Some(|s| for sizes in [&[2i64, 3][..], &[], &[0]] { let x = s.uniform(sizes, 0.1, 9.0); s.push(vec![Some(x)], Params::new(), 1) }),
        ..BASE
    };
    histogram_bins = OpDef {
        sig: "histogram(Tensor input, Tensor bins, *, Tensor? weight=None, bool density=False, (Tensor, Tensor)? out=None) -> (Tensor hist, Tensor bin_edges)",
        doc: "Counts (or sums of weights) of the elements between given borders.",
        kind: Kind::Composite(|x, p| {
            let t = arg(x, 0)?;
            check_kind(t, "histogramdd")?;
            histogram_outs(t, given_borders(arg(x, 1)?, t)?, opt(x, 2), p.bool(0))
        }),
        ..BASE
    };
    histogram = OpDef {
        sig: "histogram(Tensor input, int bins=100, *, float[]? range=None, Tensor? weight=None, bool density=False, (Tensor, Tensor)? out=None) -> (Tensor hist, Tensor bin_edges)",
        doc: "Counts (or sums of weights) of the elements in bins of equal width.",
        kind: Kind::Composite(|x, p| {
            let (t, bins) = (arg(x, 0)?, p.int(0));
            check_kind(t, "histogramdd")?;
            check!(bins > 0, Runtime, "torch.histogramdd(): bins {bins} must be > 0");
            let range = range_of(&p[1], 1)?.map(|r| [r[0], r[1]]);
            let [low, high] = outer_borders(t.to_vec::<f64>()?.into_iter(), range)?;
            histogram_outs(t, even_borders(low, high, bins, t.dtype() == DType::F32)?, opt(x, 1), p.bool(2))
        }),
        ..BASE
    };
    histogramdd_bins = OpDef {
        sig: "histogramdd_bins(Tensor input, Tensor[] bins, Tensor? weight, bool density) -> Tensor[]",
        doc: "Counts of points between given borders of each dimension, and the borders.",
        surfaces: INTERNAL,
        kind: Kind::Composite(|x, p| {
            let t = arg(x, 0)?;
            let count = p.int(0) as usize;
            let borders = (1..=count).map(|i| given_borders(arg(x, i)?, t)).collect::<Result<Vec<_>>>()?;
            histogramdd(t, borders, opt(x, count + 1), p.bool(1))
        }),
        ..BASE
    };
    histogramdd_even = OpDef {
        sig: "histogramdd_even(Tensor input, int[] bins, float[]? range, Tensor? weight, bool density) -> Tensor[]",
        doc: "Counts of points in a grid of equal bins, and the borders.",
        surfaces: INTERNAL,
        kind: Kind::Composite(|x, p| {
            let (t, bins) = (arg(x, 0)?, p.ints(0));
            let d = bins.len();
            let range = range_of(&p[1], d)?;
            let data: Vec<f64> = t.to_vec()?;
            let mut borders = Vec::new();
            for (k, &n) in bins.iter().enumerate() {
                check!(n > 0, Runtime, "torch.histogramdd(): bins {n} must be > 0");
                let column = data.iter().skip(k).step_by(d).copied();
                let [low, high] = outer_borders(column, range.as_ref().map(|r| [r[2 * k], r[2 * k + 1]]))?;
                borders.push(even_borders(low, high, n, t.dtype() == DType::F32)?);
            }
            histogramdd(t, borders, opt(x, 1), p.bool(2))
        }),
        ..BASE
    };
}

fn histogramdd(t: &Tensor, borders: Vec<Vec<f64>>, weight: Option<&Tensor>, density: bool) -> Result<Outs> {
    check_kind(t, "histogramdd")?;
    check!(
        t.ndim() >= 2,
        Runtime,
        "torch.histogramdd(): input tensor should have at least 2 dimensions, but got {}",
        t.ndim()
    );
    let d = t.sizes()[t.ndim() - 1] as usize;
    if borders.len() != d {
        return Err(Error::runtime(format!(
            "torch.histogramdd(): expected {d} bin edges or bin counts for a histogram over {d} dimensions, but got {}",
            borders.len()
        )));
    }
    let w = weights_of(weight, t, &t.sizes()[..t.ndim() - 1])?;
    let counts = counted(&t.to_vec::<f64>()?, w.as_deref(), &borders, density)?;
    let sizes: Vec<i64> = borders.iter().map(|b| b.len() as i64 - 1).collect();
    let mut out = Outs::from_iter([made(&counts, &sizes, t)?]);
    for b in &borders {
        out.push(made(b, &[b.len() as i64], t)?);
    }
    Ok(out)
}

/// Mantissa and exponent of each element.
pub fn frexp(x: &Tensor) -> Result<Outs> {
    flambeau_core::call(&frexp::OP, &[Some(x)], params![])
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
