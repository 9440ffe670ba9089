//! Random numbers in PyTorch's order of draws: the same seed gives the same bits.
//!
//! PyTorch itself draws `bernoulli_(p)` and `exponential_` through MKL on Intel CPUs and otherwise on all others; this is the
//! latter, on every CPU.
//!
//! Everything here draws from one sequential generator, so it runs on the calling thread. Outputs are visited in memory order, as
//! PyTorch's iterator does.

mod multinomial;
mod normal;
#[cfg(test)]
mod tests;

use crate::Cpu;
use crate::convert::{BLOCK, Scratch, narrow, run_steps, steps, widen};
use crate::drive::Loop;
use flambeau_backend::generator::GeneratorState;
use flambeau_backend::{DType, Error, Result};
use flambeau_backend::{Distribution, Random, Raw};
use half::f16;
use std::f64::consts::PI;

/// `[0, 1)` with 53 bits.
#[inline]
pub(crate) fn uniform64(g: &mut GeneratorState) -> f64 {
    (g.random64() & ((1 << 53) - 1)) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// `[0, 1)` with `bits` bits.
#[inline]
pub(crate) fn uniform32(g: &mut GeneratorState, bits: u32) -> f32 {
    (g.random() & ((1 << bits) - 1)) as f32 * (1.0 / (1u32 << bits) as f32)
}

/// Bits of the significand, the implicit one included.
fn digits(t: DType) -> u32 {
    match t {
        DType::F64 => 53,
        DType::F16 => 11,
        DType::BF16 => 8,
        _ => 24,
    }
}

/// Fills `out` with `draw`'s values, converted from `hub`.
fn each<T: Copy>(out: &Raw, hub: DType, mut draw: impl FnMut() -> T) -> Result<()> {
    let chain = steps(hub, out.dtype).ok_or_else(|| Error::dtype("random_", out.dtype))?;
    debug_assert_eq!(hub.size(), size_of::<T>());
    let item = out.dtype.size();
    let (mut a, mut b, mut c, mut d) = (Scratch::new(), Scratch::new(), Scratch::new(), Scratch::new());
    let walk = Loop::new([out]);
    walk.for_range(0..walk.numel, |n, p, s| {
        let mut at = 0;
        while at < n {
            let m = BLOCK.min(n - at);
            // SAFETY: a block fits the scratch; positions of this run in the output.
            unsafe {
                for i in 0..m {
                    a.ptr().cast::<T>().add(i).write(draw());
                }
                let mut src = a.ptr();
                if !chain.is_empty() {
                    src = b.ptr();
                    run_steps(&chain, m, a.ptr(), src, [c.ptr(), d.ptr()]);
                }
                crate::convert::scatter(item, m, src, p[0].wrapping_offset(at as isize * s[0]), s[0]);
            }
            at += m;
        }
    });
    Ok(())
}

/// `[from, to)`: a value that rounding has brought to `to` becomes `from`.
fn uniform(g: &mut GeneratorState, from: f64, to: f64, out: &Raw) -> Result<()> {
    match out.dtype {
        DType::F64 => each(out, DType::F64, || {
            let x = uniform64(g).mul_add(to - from, from);
            if x == to { from } else { x }
        }),
        t @ (DType::F32 | DType::F16 | DType::BF16) => {
            // As the output will hold it, to be compared.
            let round = |x: f32| match t {
                DType::BF16 => widen(narrow(x)),
                DType::F16 => f16::from_f32_const(x).to_f32_const(),
                _ => x,
            };
            let (from, to) = (from as f32, to as f32);
            each(out, DType::F32, || {
                let x = round(uniform32(g, 24).mul_add(to - from, from));
                if x == round(to) { from } else { x }
            })
        }
        t => Err(Error::dtype("check_uniform_bounds", t)),
    }
}

fn integers(g: &mut GeneratorState, from: i64, range: u64, out: &Raw) -> Result<()> {
    if range == 0 {
        return each(out, DType::I64, || g.random64() as i64);
    }
    // Below, a 32-bit draw is close enough to uniform.
    if range >= 1 << 28 {
        return each(out, DType::I64, || ((g.random64() % range) as i64).wrapping_add(from));
    }
    let range = range as u32;
    each(out, DType::I64, || ((g.random() % range) as i64).wrapping_add(from))
}

/// The dtype's own range: integers from zero up to the largest, floats up to the last consecutive integer.
fn integers_full(g: &mut GeneratorState, out: &Raw) -> Result<()> {
    use DType::*;
    let t = out.dtype;
    match t {
        I64 => each(out, I64, || (g.random64() % (1 << 63)) as i64),
        U64 => each(out, I64, || (g.random64() % u64::MAX) as i64),
        F64 => each(out, I64, || (g.random64() % ((1 << 53) + 1)) as i64),
        F32 | F16 | BF16 => each(out, I64, || (g.random() as u64 % ((1 << digits(t)) + 1)) as i64),
        Bool => each(out, I64, || (g.random() & 1) as i64),
        _ if t.is_int() => {
            let bits = 8 * t.size() as u32 - t.is_signed() as u32;
            each(out, I64, || (g.random() as u64 & ((1 << bits) - 1)) as i64)
        }
        _ => Err(Error::dtype("random_", t)),
    }
}

/// By inversion.
fn exponential(g: &mut GeneratorState, lambda: f64, out: &Raw) -> Result<()> {
    let scale = -1.0 / lambda;
    each(out, DType::F64, || scale * (-uniform64(g)).ln_1p())
}

fn floating(name: &str, out: &Raw) -> Result<()> {
    if out.dtype.is_float() && !out.dtype.is_float8() { Ok(()) } else { Err(Error::dtype(name, out.dtype)) }
}

impl Random for Cpu {
    fn random(&self, kind: Distribution, g: &mut GeneratorState, out: Raw) -> Result<()> {
        match kind {
            Distribution::Uniform { from, to } => uniform(g, from, to, &out),
            Distribution::Normal { mean, std } => normal::normal(g, mean, std, &out),
            Distribution::Integers { from, range } => integers(g, from, range, &out),
            Distribution::IntegersFull => integers_full(g, &out),
            Distribution::Bernoulli { p } => each(&out, DType::Bool, || uniform64(g) < p),
            Distribution::Exponential { lambda } => {
                floating("exponential_", &out)?;
                exponential(g, lambda, &out)
            }
            Distribution::Geometric { p } => {
                let scale = (-p).ln_1p();
                each(&out, DType::F64, || (uniform64(g).ln() / scale).ceil())
            }
            Distribution::Cauchy { median, sigma } => {
                floating("cauchy", &out)?;
                each(&out, DType::F64, || median + sigma * (PI * (uniform64(g) - 0.5)).tan())
            }
            Distribution::LogNormal { mean, std } => {
                floating("log_normal", &out)?;
                each(&out, DType::F64, || normal::next(g, mean, std).exp())
            }
        }
    }

    fn bernoulli_tensor(&self, p: Raw, g: &mut GeneratorState, out: Raw) -> Result<()> {
        floating("bernoulli_tensor_cpu_p_", &p)?;
        // PyTorch's iterator visits in the output's memory order.
        let walk = Loop::new([&out, &p]);
        let double = p.dtype == DType::F64;
        let hub = if double { DType::F64 } else { DType::F32 };
        let to_hub = steps(p.dtype, hub).ok_or_else(|| Error::dtype("bernoulli", p.dtype))?;
        let from_bool = steps(DType::Bool, out.dtype).ok_or_else(|| Error::dtype("bernoulli", out.dtype))?;
        let mut s: [Scratch; 5] = std::array::from_fn(|_| Scratch::new());
        let [a, b, c, d, e] = &mut s;
        let mut bad = None;
        walk.for_range(0..walk.numel, |n, ptrs, strides| {
            let mut at = 0;
            while at < n {
                let m = BLOCK.min(n - at);
                let here: [*mut u8; 2] = std::array::from_fn(|k| ptrs[k].wrapping_offset(at as isize * strides[k]));
                // SAFETY: a block fits the scratch; positions of this run in both operands.
                unsafe {
                    crate::convert::gather(p.dtype.size(), m, here[1], strides[1], a.ptr());
                    let mut src = a.ptr();
                    if !to_hub.is_empty() {
                        src = b.ptr();
                        run_steps(&to_hub, m, a.ptr(), src, [c.ptr(), d.ptr()]);
                    }
                    let hits = e.ptr();
                    for i in 0..m {
                        let (p, hit) = if double {
                            let p = *src.cast::<f64>().add(i);
                            (p, uniform64(g) < p)
                        } else {
                            let p = *src.cast::<f32>().add(i);
                            (p as f64, uniform32(g, 24) < p)
                        };
                        if !(0.0..=1.0).contains(&p) {
                            bad.get_or_insert(p);
                        }
                        *hits.add(i) = hit as u8;
                    }
                    let mut src = hits;
                    if !from_bool.is_empty() {
                        src = a.ptr();
                        run_steps(&from_bool, m, hits, src, [c.ptr(), d.ptr()]);
                    }
                    crate::convert::scatter(out.dtype.size(), m, src, here[0], strides[0]);
                }
                at += m;
            }
        });
        match bad {
            None => Ok(()),
            Some(_) => Err(Error::runtime("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")),
        }
    }

    fn permutation(&self, g: &mut GeneratorState, out: Raw) -> Result<()> {
        let n = out.numel();
        let mut r: Vec<i64> = (0..n as i64).collect();
        if n < (u32::MAX / 20) as usize {
            for i in 0..n.saturating_sub(1) {
                let z = g.random() as usize % (n - i);
                r.swap(i, i + z);
            }
        } else {
            // A 32-bit draw would not be uniform enough here.
            for i in 0..n {
                let z = (g.random64() % (i as u64 + 1)) as usize;
                r[i] = r[z];
                r[z] = i as i64;
            }
        }
        let x = Raw { ptr: r.as_mut_ptr().cast(), dtype: DType::I64, sizes: out.sizes, strides: &[1] };
        flambeau_backend::Elementwise::copy(self, x, out)
    }

    fn multinomial(&self, weights: Raw, replacement: bool, g: &mut GeneratorState, out: Raw) -> Result<()> {
        floating("multinomial", &weights)?;
        multinomial::multinomial(&weights, replacement, g, &out)
    }
}
