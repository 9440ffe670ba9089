//! Constants and sequences.

use crate::convert::{BLOCK, Scratch, run_steps, splat, steps};
use crate::drive::{GRAIN, Loop};
use crate::parallel::par_range;
use flambeau_backend::Raw;
use flambeau_backend::{DType, Error, Result, Scalar};

/// A scalar's bytes in dtype `t`.
fn bytes(value: Scalar, t: DType) -> Result<[u8; 16]> {
    let mut out = [0u8; 16];
    if t.is_complex() {
        let (re, im) = value.to_complex();
        let half = t.size() / 2;
        let re = bytes(Scalar::Float(re), t.to_real())?;
        let im = bytes(Scalar::Float(im), t.to_real())?;
        out[..half].copy_from_slice(&re[..half]);
        out[half..2 * half].copy_from_slice(&im[..half]);
        return Ok(out);
    }
    let (from, raw) = match value {
        Scalar::Bool(b) => (DType::Bool, [b as u8, 0, 0, 0, 0, 0, 0, 0]),
        Scalar::Int(i) => (DType::I64, i.to_ne_bytes()),
        Scalar::Float(f) | Scalar::Complex(f, _) => (DType::F64, f.to_ne_bytes()),
    };
    let chain = steps(from, t).ok_or_else(|| Error::dtype("fill_", t))?;
    if chain.is_empty() {
        out[..8].copy_from_slice(&raw);
        return Ok(out);
    }
    let source = u64::from_ne_bytes(raw);
    let (mut a, mut b, mut c) = ([0u64; 2], [0u64; 2], [0u64; 2]);
    // SAFETY: one element of at most 8 bytes at each place, all aligned to 8.
    unsafe {
        let tmp = [a.as_mut_ptr().cast(), b.as_mut_ptr().cast()];
        run_steps(&chain, 1, (&raw const source).cast(), c.as_mut_ptr().cast(), tmp);
    }
    out[..8].copy_from_slice(&c[0].to_ne_bytes());
    Ok(out)
}

pub fn fill(out: &Raw, value: Scalar) -> Result<()> {
    let value = bytes(value, out.dtype)?;
    let item = out.dtype.size();
    let walk = Loop::new([out]);
    par_range(walk.numel, GRAIN, |r| {
        // SAFETY: disjoint parts of the output.
        walk.for_range(r, |n, p, s| unsafe {
            if s[0] == item as isize {
                if value[..item].iter().all(|&b| b == value[0]) {
                    std::ptr::write_bytes(p[0], value[0], n * item);
                } else {
                    splat(item, n, value.as_ptr(), p[0]);
                }
            } else {
                for i in 0..n as isize {
                    std::ptr::copy_nonoverlapping(value.as_ptr(), p[0].wrapping_offset(i * s[0]), item);
                }
            }
        });
    });
    Ok(())
}

pub fn arange(out: &Raw, start: Scalar, step: Scalar) -> Result<()> {
    let n = out.numel();
    let t = out.dtype;
    let real = t.is_float();
    let hub = if real { DType::F64 } else { DType::I64 };
    let chain = steps(hub, t).ok_or_else(|| Error::dtype("arange", t))?;
    let (item, stride) = (t.size(), out.strides.first().copied().unwrap_or(1) as isize * t.size() as isize);
    let (s, d) = (start.to_f64(), step.to_f64());
    let (si, di) = (start.to_i64(), step.to_i64());
    par_range(n, GRAIN, |r| {
        let (mut a, mut b, mut c, mut e) = (Scratch::new(), Scratch::new(), Scratch::new(), Scratch::new());
        let mut at = r.start;
        while at < r.end {
            let m = BLOCK.min(r.end - at);
            // SAFETY: blocks fit the scratch; positions of this range in the output.
            unsafe {
                let seq = a.ptr();
                for i in 0..m {
                    if real {
                        seq.cast::<f64>().add(i).write(s + (at + i) as f64 * d);
                    } else {
                        seq.cast::<i64>().add(i).write(si.wrapping_add(((at + i) as i64).wrapping_mul(di)));
                    }
                }
                let mut src = seq;
                if !chain.is_empty() {
                    src = e.ptr();
                    run_steps(&chain, m, seq, src, [b.ptr(), c.ptr()]);
                }
                crate::convert::scatter(item, m, src, out.ptr.wrapping_offset(at as isize * stride), stride);
            }
            at += m;
        }
    });
    Ok(())
}
