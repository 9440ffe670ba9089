//! Normal numbers by Box and Muller's transform (1958): sixteen at a time in contiguous memory, else in cached pairs.

use super::{each, uniform64};
use crate::convert::narrow;
use crate::isa::{Isa, Kernel, call};
use flambeau_backend::Raw;
use flambeau_backend::generator::GeneratorState;
use flambeau_backend::{DType, Error, Result};
use half::f16;
use std::f64::consts::PI;

/// One double, the other of the pair kept in the generator.
pub fn next(g: &mut GeneratorState, mean: f64, std: f64) -> f64 {
    if let Some(y) = g.next_normal_f64.take() {
        return y.mul_add(std, mean);
    }
    let u1 = uniform64(g);
    let u2 = uniform64(g);
    let r = (-2.0 * (-u2).ln_1p()).sqrt();
    let theta = 2.0 * PI * u1;
    g.next_normal_f64 = Some(r * theta.sin());
    (r * theta.cos()).mul_add(std, mean)
}

/// A type that normals are computed in, sixteen at a time: pairs are eight apart.
trait Wide: Copy + Default {
    /// Uniform numbers, then the normal ones of each whole sixteen.
    fn sixteens(g: &mut GeneratorState, d: &mut [Self], mean: f64, std: f64);
}

impl Wide for f64 {
    fn sixteens(g: &mut GeneratorState, d: &mut [f64], mean: f64, std: f64) {
        d.iter_mut().for_each(|x| *x = uniform64(g));
        for d in d.chunks_exact_mut(16) {
            for j in 0..8 {
                let r = (-2.0 * (1.0 - d[j]).ln()).sqrt();
                let theta = 2.0 * PI * d[j + 8];
                d[j] = (r * theta.cos()).mul_add(std, mean);
                d[j + 8] = (r * theta.sin()).mul_add(std, mean);
            }
        }
    }
}

impl Wide for f32 {
    fn sixteens(g: &mut GeneratorState, d: &mut [f32], mean: f64, std: f64) {
        let mut bits = [0u32; BLOCK];
        for d in d.chunks_mut(BLOCK) {
            let bits = &mut bits[..d.len()];
            g.fill(bits);
            // SAFETY: two slices of one length.
            unsafe { call::<Sixteens>((bits, d, mean as f32, std as f32)) };
        }
    }
}

/// Draws that are made at once: they stay in the first-level cache, and are whole sixteens.
const BLOCK: usize = 1024;

/// Random bits to uniform numbers, each whole sixteen to normal ones; compiled for machines with fused multiply-adds.
struct Sixteens;

impl Kernel for Sixteens {
    type Args = (*const [u32], *mut [f32], f32, f32);
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>((bits, out, mean, std): Self::Args) {
        // SAFETY: the caller passes slices of one length that nothing else uses.
        let (bits, out) = unsafe { (&*bits, &mut *out) };
        for (o, &b) in out.iter_mut().zip(bits) {
            *o = (b & 0xff_ffff) as i32 as f32 * (1.0 / (1 << 24) as f32);
        }
        for d in out.chunks_exact_mut(16) {
            let mut y: [f32; 16] = std::array::from_fn(|i| d[i]);
            for j in 0..8 {
                (y[j], y[j + 8]) = pair32(y[j], y[j + 8], mean, std);
            }
            d.copy_from_slice(&y);
        }
    }
}

/// The same roundings as PyTorch's vector code, which uses the polynomials of Moshier's Cephes library: every operation
/// and its place counts, so all of it is spelled out, and fused whatever the instruction set.
#[inline(always)]
fn pair32(u1: f32, u2: f32, mean: f32, std: f32) -> (f32, f32) {
    let r = (-2.0 * cephes_log(1.0 - u1)).sqrt();
    let (s, c) = cephes_sin_cos(2.0 * std::f32::consts::PI * u2);
    ((r * c).mul_add(std, mean), (r * s).mul_add(std, mean))
}

/// For a normal positive argument.
#[inline(always)]
fn cephes_log(x: f32) -> f32 {
    const P: [f32; 8] = [
        -1.151_461e-1,
        1.167_699_84e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_8e-1,
        2.000_071_4e-1,
        -2.499_999_4e-1,
        3.333_333e-1,
    ];
    let bits = x.to_bits();
    let e = (bits >> 23) as i32 - 0x7f;
    let m = f32::from_bits((bits & 0x007f_ffff) | 0x3f00_0000);
    let low = m < std::f32::consts::FRAC_1_SQRT_2;
    let e = e as f32 + 1.0 - if low { 1.0 } else { 0.0 };
    let f = (m - 1.0) + if low { m } else { 0.0 };
    let z = f * f;
    let mut y = 7.037_683_6e-2f32;
    let mut i = 0;
    while i < 8 {
        y = y.mul_add(f, P[i]);
        i += 1;
    }
    let y = (y * f).mul_add(z, e * -2.121_944_4e-4);
    let y = (-z).mul_add(0.5, y);
    e.mul_add(0.693_359_4, f + y)
}

/// For `0 <= x < 2 pi`.
#[inline(always)]
fn cephes_sin_cos(x: f32) -> (f32, f32) {
    let j = ((x * (4.0 / PI) as f32) as i32 + 1) & !1;
    let n = j as f32;
    let x = n.mul_add(-0.785_156_25, x);
    let x = n.mul_add(-2.418_756_5e-4, x);
    let x = n.mul_add(-3.774_895e-8, x);
    let z = x * x;
    let c = 2.443_315_7e-5f32.mul_add(z, -1.388_731_6e-3).mul_add(z, 4.166_664_6e-2);
    let c = (c * z).mul_add(z, -(z * 0.5)) + 1.0;
    let s = (-1.951_529_6e-4f32).mul_add(z, 8.332_161e-3).mul_add(z, -1.666_665_5e-1);
    let s = (s * z).mul_add(x, x);
    let (sin, cos) = if j & 2 != 0 { (c, s) } else { (s, c) };
    (if j & 4 != 0 { -sin } else { sin }, if (j - 2) & 4 == 0 { -cos } else { cos })
}

/// A ragged end draws its last sixteen again.
fn fill<T: Wide>(g: &mut GeneratorState, mean: f64, std: f64, data: &mut [T]) {
    T::sixteens(g, data, mean, std);
    let n = data.len();
    if !n.is_multiple_of(16) {
        T::sixteens(g, &mut data[n - 16..], mean, std);
    }
}

/// 16-bit floats: sixteen at a time in single precision, a ragged end as the last sixteen.
fn fill_reduced(g: &mut GeneratorState, mean: f64, std: f64, data: &mut [u16], round: fn(f32) -> u16) {
    let mut sixteen = |d: &mut [u16]| {
        let mut wide = [0f32; 16];
        f32::sixteens(g, &mut wide, mean, std);
        d.iter_mut().zip(wide).for_each(|(d, x)| *d = round(x));
    };
    data.chunks_exact_mut(16).for_each(&mut sixteen);
    let n = data.len();
    if !n.is_multiple_of(16) {
        sixteen(&mut data[n - 16..]);
    }
}

pub fn normal(g: &mut GeneratorState, mean: f64, std: f64, out: &Raw) -> Result<()> {
    let n = out.numel();
    if n < 16 || !out.is_contiguous() {
        super::floating("normal_kernel_cpu", out)?;
        return each(out, DType::F64, || next(g, mean, std));
    }
    // SAFETY: `n` contiguous elements of the matched type.
    unsafe {
        match out.dtype {
            DType::F64 => fill(g, mean, std, std::slice::from_raw_parts_mut(out.ptr.cast::<f64>(), n)),
            DType::F32 => fill(g, mean, std, std::slice::from_raw_parts_mut(out.ptr.cast::<f32>(), n)),
            DType::BF16 => fill_reduced(g, mean, std, std::slice::from_raw_parts_mut(out.ptr.cast(), n), narrow),
            DType::F16 => {
                let round = |x| f16::from_f32_const(x).to_bits();
                fill_reduced(g, mean, std, std::slice::from_raw_parts_mut(out.ptr.cast(), n), round)
            }
            t => return Err(Error::dtype("normal_kernel_cpu", t)),
        }
    }
    Ok(())
}
