//! Histograms and most frequent values.

use flambeau_core::layout::wrap_dim;
use flambeau_core::op::{Kind, OpDef, Outs, ParamsExt};
use flambeau_core::{Result, Tensor, check, params};

use crate::operand::*;
use crate::view::{squeeze, transpose, unsqueeze};

/// How many elements fall into each of `bins` equal parts of `[low, high]`; the last one is closed.
fn histc(x: &Tensor, bins: i64, low: f64, high: f64) -> Result<Tensor> {
    check!(
        !x.dtype().is_complex() && x.dtype() != flambeau_core::DType::Bool,
        NotImplemented,
        "\"histogram_cpu\" not implemented for '{}'",
        x.dtype().scalar_name()
    );
    check!(bins > 0, Runtime, "bins must be > 0, but got {bins} for dimension 0");
    let data = x.detach().to_vec::<f64>()?;
    let (mut low, mut high) = (low, high);
    if low == high && !data.is_empty() {
        low = data.iter().copied().fold(f64::INFINITY, f64::min);
        high = data.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    }
    if low == high {
        (low, high) = (low - 1.0, high + 1.0);
    }
    check!(low.is_finite() && high.is_finite(), Runtime, "range of [{low}, {high}] is not finite");
    check!(low < high, Runtime, "max must be larger than min");
    let histogram = crate::create::zeros(&[bins], flambeau_core::DType::F64, x.device())?;
    let mut counts = histogram.to_vec::<f64>()?;
    for v in data.into_iter().filter(|v| (low..=high).contains(v)) {
        let place = ((v - low) / (high - low) * bins as f64) as usize;
        counts[place.min(bins as usize - 1)] += 1.0;
    }
    Tensor::from_slice(&counts, &[bins])?.cast_raw(x.dtype())
}

/// The most frequent value along `dim` (the smallest of equals) and a place of it.
fn mode(x: &Tensor, dim: i64, keepdim: bool) -> Result<Outs> {
    check!(!x.dtype().is_complex(), Runtime, "mode(): does not support complex input");
    let d = wrap_dim(dim, x.ndim())? as i64;
    if x.ndim() == 0 {
        let at = crate::create::zeros(&[], flambeau_core::DType::I64, x.device())?;
        return Ok(Outs::from_iter([crate::copy::clone(x)?, at]));
    }
    let n = x.size(d)? as usize;
    check!(n > 0, Index, "mode(): Expected reduction dim {d} to have non-zero size.");
    let last = transpose(&x.detach(), d, -1)?;
    let whole = x.dtype().is_int();
    // Integers keep all their bits.
    let floats = if whole { Vec::new() } else { last.to_vec::<f64>()? };
    let ints = if whole { last.to_vec::<i64>()? } else { Vec::new() };
    let lines = x.numel() as usize / n;
    let mut out = Vec::with_capacity(lines);
    for line in 0..lines {
        let range = line * n..(line + 1) * n;
        let mut order: Vec<usize> = range.clone().collect();
        let compare = |a: &usize, b: &usize| {
            if whole { ints[*a].cmp(&ints[*b]) } else { floats[*a].total_cmp(&floats[*b]) }
        };
        order.sort_by(compare);
        let (mut best, mut longest, mut start) = (order[0], 0, 0);
        for i in 0..n {
            if i > 0 && compare(&order[i], &order[start]).is_ne() {
                start = i;
            }
            if i + 1 - start > longest {
                longest = i + 1 - start;
                best = order[i];
            }
        }
        out.push((best - range.start) as i64);
    }
    let mut sizes = last.sizes().to_vec();
    sizes.pop();
    let at = transpose(&unsqueeze(&Tensor::from_slice(&out, &sizes)?, -1)?, d, -1)?;
    let values = crate::index::gather(x, d, &at)?;
    if keepdim {
        Ok(Outs::from_iter([values, crate::copy::contiguous_copy(&at)?]))
    } else {
        Ok(Outs::from_iter([squeeze(&values, d)?, squeeze(&crate::copy::contiguous_copy(&at)?, d)?]))
    }
}

rows! { ROWS_ALL:
    histc = OpDef {
        sig: "histc(Tensor input, int bins=100, Scalar min=0, Scalar max=0, *, Tensor? out=None) -> Tensor",
        doc: "Counts of the elements in `bins` equal parts of `[min, max]` (of the data's own range where both are equal).",
        kind: Kind::Composite(|x, p| one(histc(arg(x, 0)?, p.int(0), p.float(1), p.float(2))?)),
        ..BASE
    };
    mode = OpDef {
        sig: "mode(Tensor input, int dim=-1, bool keepdim=False, *, (Tensor, Tensor)? out=None) -> (Tensor values, Tensor indices)",
        doc: "The most frequent value along `dim` (the smallest of equally frequent ones) and a position of it.",
        kind: Kind::Composite(|x, p| mode(arg(x, 0)?, p.int(0), p.bool(1))),
        samples: Some(|s| { let x = s.normal(&[3, 4]); s.push(vec![Some(x)], params![1, false], 1) }),
        ..BASE
    };
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
