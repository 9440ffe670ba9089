//! Complex products, by the `gemm` crate; complex32 through complex64.

use flambeau_backend::Raw;
use flambeau_backend::{DType, Result};
use half::f16;

use super::Shape;
use super::engine::PAR_FLOPS;
use super::number::{Element, Widen};
use crate::parallel::par_range;
use crate::scratch::Scratch;

/// `out = alpha * a @ b + beta * out`.
///
/// # Safety
/// The operands cover the sizes.
pub(super) unsafe fn gemm(s: &Shape, alpha: f64, a: Raw, b: Raw, beta: f64, out: Raw) -> Result<()> {
    // SAFETY: the caller's contract.
    unsafe {
        match out.dtype {
            DType::C64 => run::<gemm::c32>(
                s,
                gemm::c32::new(alpha as f32, 0.0),
                a.ptr,
                b.ptr,
                gemm::c32::new(beta as f32, 0.0),
                out.ptr,
            ),
            DType::C128 => {
                run::<gemm::c64>(s, gemm::c64::new(alpha, 0.0), a.ptr, b.ptr, gemm::c64::new(beta, 0.0), out.ptr)
            }
            _ => through_c64(s, alpha, a, b, beta, out),
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Ptr(*mut u8);
// SAFETY: threads write disjoint batches or columns.
unsafe impl Sync for Ptr {}

unsafe fn run<T: Copy + PartialEq + Default + Sync + 'static>(
    s: &Shape,
    alpha: T,
    a: *mut u8,
    b: *mut u8,
    beta: T,
    out: *mut u8,
) {
    let flops = 8 * s.m * s.n * s.k;
    // Columns are cut where one batch is worth several threads.
    let strip = if flops < PAR_FLOPS || s.batch >= crate::parallel::num_threads() { s.n } else { 64.min(s.n) };
    let strips = s.n.div_ceil(strip);
    let ptr = [Ptr(a), Ptr(b), Ptr(out)];
    par_range(s.batch * strips, PAR_FLOPS / (flops / strips).max(1) + 1, |r| {
        let ptr = &ptr;
        for t in r {
            let (i, j) = ((t / strips) as isize, (t % strips * strip) as isize);
            let cols = strip.min(s.n - j as usize);
            // SAFETY: the operands cover the sizes; the crate does not read the output unless told to.
            unsafe {
                gemm::gemm::<T>(
                    s.m,
                    cols,
                    s.k,
                    ptr[2].0.cast::<T>().offset(i * s.out[0] + j * s.out[2]),
                    s.out[2],
                    s.out[1],
                    beta != T::default(),
                    ptr[0].0.cast::<T>().offset(i * s.a[0]).cast_const(),
                    s.a[2],
                    s.a[1],
                    ptr[1].0.cast::<T>().offset(i * s.b[0] + j * s.b[2]).cast_const(),
                    s.b[2],
                    s.b[1],
                    beta,
                    alpha,
                    false,
                    false,
                    false,
                    gemm::Parallelism::None,
                );
            }
        }
    });
}

type Half = [f16; 2];

fn widen(x: Half) -> gemm::c32 {
    gemm::c32::new(x[0].widen(), x[1].widen())
}

/// complex32: operands converted to complex64, the result rounded once.
unsafe fn through_c64(s: &Shape, alpha: f64, a: Raw, b: Raw, beta: f64, out: Raw) {
    let wide = |ptr: *mut u8, [sb, sr, sc]: [isize; 3], rows: usize, cols: usize| {
        let w = Scratch::<gemm::c32>::new(s.batch * rows * cols);
        for t in 0..s.batch * rows * cols {
            let (i, r, c) = (t / (rows * cols), t / cols % rows, t % cols);
            // SAFETY: inside the operand.
            unsafe {
                let at = ptr.cast::<Half>().offset(i as isize * sb + r as isize * sr + c as isize * sc);
                *w.ptr().add(t) = widen(*at);
            }
        }
        w
    };
    let (m, n, k) = (s.m, s.n, s.k);
    let (aw, bw) = (wide(a.ptr, s.a, m, k), wide(b.ptr, s.b, k, n));
    let ow = Scratch::<gemm::c32>::new(s.batch * m * n);
    let dense = |rows: usize, cols: usize| [(rows * cols) as isize, cols as isize, 1];
    let flat = Shape { a: dense(m, k), b: dense(k, n), out: dense(m, n), ..*s };
    // SAFETY: the dense copies cover the sizes.
    unsafe {
        let (one, zero) = (gemm::c32::new(1.0, 0.0), gemm::c32::new(0.0, 0.0));
        run::<gemm::c32>(&flat, one, aw.ptr().cast(), bw.ptr().cast(), zero, ow.ptr().cast());
        for t in 0..s.batch * m * n {
            let (i, r, c) = (t / (m * n), t / n % m, t % n);
            let at =
                out.ptr.cast::<Half>().offset(i as isize * s.out[0] + r as isize * s.out[1] + c as isize * s.out[2]);
            let mut v = *ow.ptr().add(t) * alpha as f32;
            if beta != 0.0 {
                v += widen(*at) * beta as f32;
            }
            *at = [f16::narrow(v.re), f16::narrow(v.im)];
        }
    }
}

/// The product, then the bias row.
pub(super) fn linear(s: Shape, x: Raw, w: Raw, bias: Option<Raw>, out: Raw) -> Result<()> {
    // SAFETY: the caller's views are valid for their sizes and strides.
    unsafe {
        gemm(&s, 1.0, x, w, 0.0, out)?;
        let Some(bias) = bias else { return Ok(()) };
        match out.dtype {
            DType::C64 => add_row::<f32>(&s, bias, out),
            DType::C128 => add_row::<f64>(&s, bias, out),
            _ => add_row::<f16>(&s, bias, out),
        }
    }
    Ok(())
}

unsafe fn add_row<E: Element>(s: &Shape, bias: Raw, out: Raw) {
    use super::number::Number;
    for i in 0..s.m {
        for j in 0..s.n {
            // SAFETY: inside the output and the bias.
            unsafe {
                let o = out.ptr.cast::<[E; 2]>().offset(i as isize * s.out[1] + j as isize * s.out[2]);
                let b = *bias.ptr.cast::<[E; 2]>().offset(j as isize * bias.strides[0] as isize);
                *o = [0, 1].map(|p| E::narrow((*o)[p].widen().add(b[p].widen())));
            }
        }
    }
}
