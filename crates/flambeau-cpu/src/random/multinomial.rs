//! Draws from rows of weights.

use super::uniform64;
use crate::Cpu;
use flambeau_backend::generator::GeneratorState;
use flambeau_backend::{BinaryOp, Elementwise, Raw};
use flambeau_backend::{DType, Result, bail};

/// With replacement by inversion of the cumulative sum. Without (or for a single draw) by the exponential race:
/// the largest of `w / e` with `e` exponential (the Gumbel-max trick).
pub fn multinomial(w: &Raw, replacement: bool, g: &mut GeneratorState, out: &Raw) -> Result<()> {
    let (m, n, k) = (w.sizes[0] as usize, w.sizes[1] as usize, out.sizes[1] as usize);
    // Weights as doubles decide what is valid; sums are in the dtype that PyTorch accumulates in.
    let sizes = [m as i64, n as i64];
    let strides = [n as i64, 1];
    let mut wide = vec![0f64; m * n];
    let view = Raw { ptr: wide.as_mut_ptr().cast(), dtype: DType::F64, sizes: &sizes, strides: &strides };
    Cpu.copy(*w, view)?;
    let race = !replacement || k == 1;
    for row in wide.chunks(n.max(1)) {
        if race && row.iter().any(|&x| !(0.0..f64::INFINITY).contains(&x)) {
            bail!(Runtime, "probability tensor contains either `inf`, `nan` or element < 0");
        }
        if row.iter().any(|&x| x < 0.0) {
            bail!(Runtime, "invalid multinomial distribution (encountering probability entry < 0)");
        }
        if row.iter().any(|x| !x.is_finite()) {
            bail!(Runtime, "invalid multinomial distribution (encountering probability entry = infinity or NaN)");
        }
        if row.iter().all(|&x| x == 0.0) {
            bail!(Runtime, "invalid multinomial distribution (sum of probabilities <= 0)");
        }
    }
    let mut picks = vec![0i64; m * k];
    if race {
        // In the weights' own dtype, so that ties and roundings are PyTorch's.
        let mut q = vec![0u64; (m * n * w.dtype.size()).div_ceil(8)];
        let q = Raw { ptr: q.as_mut_ptr().cast(), dtype: w.dtype, sizes: &sizes, strides: &strides };
        super::exponential(g, 1.0, &q)?;
        Cpu.binary(BinaryOp::Div, &[], *w, q, q)?;
        Cpu.copy(q, view)?;
        for (row, picks) in wide.chunks(n.max(1)).zip(picks.chunks_mut(k.max(1))) {
            let mut order: Vec<usize> = (0..n).collect();
            let descending = |&a: &usize, &b: &usize| row[b].total_cmp(&row[a]).then(a.cmp(&b));
            if k < n && k > 0 {
                order.select_nth_unstable_by(k - 1, descending);
                order.truncate(k);
            }
            order.sort_unstable_by(descending);
            picks.iter_mut().zip(order).for_each(|(p, i)| *p = i as i64);
        }
    } else {
        let double = w.dtype == DType::F64;
        for (row, picks) in wide.chunks_mut(n.max(1)).zip(picks.chunks_mut(k.max(1))) {
            cumulate(row, double);
            for p in picks {
                let u = uniform64(g);
                *p = row.partition_point(|&c| c < u).min(n - 1) as i64;
            }
        }
    }
    let sizes = [m as i64, k as i64];
    let x = Raw { ptr: picks.as_mut_ptr().cast(), dtype: DType::I64, sizes: &sizes, strides: &[k as i64, 1] };
    Cpu.copy(x, *out)
}

/// Cumulative shares of a row, in single precision unless `double`; the last is one.
fn cumulate(row: &mut [f64], double: bool) {
    if double {
        let mut sum = 0.0;
        row.iter_mut().for_each(|x| {
            sum += *x;
            *x = sum;
        });
        row.iter_mut().for_each(|x| *x /= sum);
    } else {
        let mut sum = 0f32;
        row.iter_mut().for_each(|x| {
            sum += *x as f32;
            *x = sum as f64;
        });
        row.iter_mut().for_each(|x| *x = (*x as f32 / sum) as f64);
    }
    if let Some(last) = row.last_mut() {
        *last = 1.0;
    }
}
