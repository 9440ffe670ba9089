//! Matrix products.
//!
//! `engine` is the blocked product over packed panels, `micro` its register tiles, `matrix` strided operands, `vector` the
//! products with a vector, `complex` the complex types (the `gemm` crate).

mod complex;
pub(crate) mod engine;
pub(crate) mod matrix;
pub(crate) mod micro;
pub(crate) mod number;
#[cfg(target_arch = "x86_64")]
mod transpose;
mod vector;

use flambeau_backend::Raw;
use flambeau_backend::{DType, Error, Result};
use half::{bf16, f16};

use crate::parallel::{num_threads, par_range};
use engine::{PAR_FLOPS, PackedA, Panels, Sink, Tile};
use matrix::{Bias, Matrix, Output, store_nothing};
use micro::{Micro, Unit};
use number::{Element, Visit};

/// Runs `$body` with `$E` bound to the element type of a real dtype.
macro_rules! with_real {
    ($dtype:expr, $op:expr, $E:ident => $body:expr) => {
        match $dtype {
            DType::F32 => {
                type $E = f32;
                $body
            }
            DType::F64 => {
                type $E = f64;
                $body
            }
            DType::BF16 => {
                type $E = bf16;
                $body
            }
            DType::F16 => {
                type $E = f16;
                $body
            }
            DType::I8 => {
                type $E = i8;
                $body
            }
            DType::I16 => {
                type $E = i16;
                $body
            }
            DType::I32 => {
                type $E = i32;
                $body
            }
            DType::I64 => {
                type $E = i64;
                $body
            }
            DType::U8 => {
                type $E = u8;
                $body
            }
            DType::U16 => {
                type $E = u16;
                $body
            }
            DType::U32 => {
                type $E = u32;
                $body
            }
            DType::U64 => {
                type $E = u64;
                $body
            }
            other => Err(Error::dtype($op, other)),
        }
    };
}

/// See [`Contraction::gemm`](flambeau_backend::Contraction::gemm).
pub(crate) fn gemm(alpha: f64, a: Raw, b: Raw, beta: f64, out: Raw) -> Result<()> {
    let shape = Shape::of(&a, &b, &out);
    if shape.batch == 0 || shape.m == 0 || shape.n == 0 {
        return Ok(());
    }
    if out.dtype.is_complex() {
        // SAFETY: the caller's views are valid for their sizes and strides.
        return unsafe { complex::gemm(&shape, alpha, a, b, beta, out) };
    }
    with_real!(out.dtype, "bmm", E => {
        let job = Job::<E> {
            s: shape,
            a: a.ptr.cast(),
            b: b.ptr.cast(),
            out: out.ptr.cast(),
            alpha: <E as Element>::Acc::from_f64(alpha),
            beta: <E as Element>::Acc::from_f64(beta),
            bias: Bias::NONE,
        };
        // SAFETY: as above.
        unsafe { job.run() };
        Ok(())
    })
}

use number::Number;

/// See [`Contraction::linear`](flambeau_backend::Contraction::linear).
pub(crate) fn linear(x: Raw, w: Raw, bias: Option<Raw>, out: Raw) -> Result<()> {
    let s = Shape {
        batch: 1,
        m: out.sizes[0] as usize,
        n: out.sizes[1] as usize,
        k: x.sizes[1] as usize,
        a: [0, x.strides[0] as isize, x.strides[1] as isize],
        b: [0, w.strides[1] as isize, w.strides[0] as isize],
        out: [0, out.strides[0] as isize, out.strides[1] as isize],
    };
    if s.m == 0 || s.n == 0 {
        return Ok(());
    }
    if out.dtype.is_complex() {
        return complex::linear(s, x, w, bias, out);
    }
    with_real!(out.dtype, "addmm", E => {
        let job = Job::<E> {
            s,
            a: x.ptr.cast(),
            b: w.ptr.cast(),
            out: out.ptr.cast(),
            alpha: <E as Element>::Acc::from_f64(1.0),
            beta: <E as Element>::Acc::ZERO,
            bias: bias.map_or(Bias::NONE, |b| Bias { ptr: b.ptr.cast(), row: 0, col: b.strides[0] as isize }),
        };
        // SAFETY: the caller's views are valid for their sizes and strides.
        unsafe { job.run() };
        Ok(())
    })
}

/// Sizes, and strides as (batch, row, column).
#[derive(Clone, Copy)]
struct Shape {
    batch: usize,
    m: usize,
    n: usize,
    k: usize,
    a: [isize; 3],
    b: [isize; 3],
    out: [isize; 3],
}

impl Shape {
    fn of(a: &Raw, b: &Raw, out: &Raw) -> Shape {
        let s = |r: &Raw| [r.strides[0] as isize, r.strides[1] as isize, r.strides[2] as isize];
        let z = |i: usize| out.sizes[i] as usize;
        Shape { batch: z(0), m: z(1), n: z(2), k: a.sizes[2] as usize, a: s(a), b: s(b), out: s(out) }
    }

    /// The same product transposed: `out^T = b^T a^T`.
    fn transposed(&self) -> Shape {
        let t = |[b, r, c]: [isize; 3]| [b, c, r];
        Shape { m: self.n, n: self.m, a: t(self.b), b: t(self.a), out: t(self.out), ..*self }
    }
}

/// A product of real matrices.
struct Job<E: Element> {
    s: Shape,
    a: *const E,
    b: *const E,
    out: *mut E,
    alpha: E::Acc,
    beta: E::Acc,
    bias: Bias<E>,
}

// SAFETY: batches are written by one thread each.
unsafe impl<E: Element> Sync for Job<E> {}

impl<E: Element> Job<E> {
    unsafe fn run(mut self) {
        // The output's contiguous dimension should be the columns, which the tiles hold in vectors; one column is a row.
        let [_, row, col] = self.s.out;
        if (self.s.m > 1 && self.s.n == 1) || (col.abs() != 1 && row.abs() == 1 && self.s.m > 1) {
            self.s = self.s.transposed();
            std::mem::swap(&mut self.a, &mut self.b);
            self.bias = Bias { ptr: self.bias.ptr, row: self.bias.col, col: self.bias.row };
        }
        E::dispatch(self);
    }

    fn output(&self, batch: usize) -> Output<E> {
        let [step, row, col] = self.s.out;
        let ptr = self.out.wrapping_offset(batch as isize * step);
        Output { ptr, row, col, alpha: self.alpha, beta: self.beta, bias: self.bias }
    }

    fn left(&self, batch: usize) -> Matrix<E> {
        let [step, line, k] = self.s.a;
        Matrix { ptr: self.a.wrapping_offset(batch as isize * step), line, step: k }
    }

    fn right(&self, batch: usize) -> Matrix<E> {
        let [step, k, line] = self.s.b;
        Matrix { ptr: self.b.wrapping_offset(batch as isize * step), line, step: k }
    }
}

impl<E: Element> Visit<E> for Job<E> {
    type Out = ();
    fn visit<K: Unit<E, Acc = E::Acc>>(self) {
        let Shape { batch, m, n, k, .. } = self.s;
        let flops = 2 * m * n * k;
        // SAFETY: operands and output cover the sizes; each batch is written by one thread.
        unsafe {
            if k == 0 {
                for t in 0..batch {
                    store_nothing::<K>(m, n, &self.output(t));
                }
                return;
            }
            let serial = |t: usize| {
                let (a, b, out) = (self.left(t), self.right(t), self.output(t));
                if vector::serves(&b, m, n, k) {
                    vector::product(&a, &b, n, k, &out);
                } else if k <= SMALL && m <= SMALL && n <= SMALL {
                    small::<K>(m, n, k, &a, &b, &out);
                } else {
                    let packed = PackedA::<K>::new(&a, m, k);
                    engine::product(&packed, &b, n, &out);
                }
            };
            if batch == 1 {
                return serial(0);
            }
            // Whole batches on each thread, unless they are few and large.
            if batch >= num_threads() || flops < PAR_FLOPS {
                return par_range(batch, PAR_FLOPS / flops.max(1) + 1, |r| r.for_each(serial));
            }
            (0..batch).for_each(serial);
        }
    }
}

/// Largest side of a product that is computed without the caches' blocking and without the heap.
const SMALL: usize = 64;

/// A product with no side above `SMALL`, packed on the stack.
unsafe fn small<K: Micro>(
    m: usize,
    n: usize,
    k: usize,
    a: &impl Panels<K>,
    b: &impl Panels<K>,
    sink: &impl Sink<K::Acc>,
) {
    let mut pa = std::mem::MaybeUninit::<[u64; 8 * SMALL]>::uninit();
    let mut pb = std::mem::MaybeUninit::<[u64; 48 * SMALL]>::uninit();
    let (pa, pb) = (pa.as_mut_ptr().cast::<K::Unit>(), pb.as_mut_ptr().cast::<K::Unit>());
    let mut tile = Tile::<K::Acc>::new();
    let tile = tile.ptr();
    let units = k.div_ceil(K::KU);
    for j0 in (0..n).step_by(K::NR) {
        let lines = K::NR.min(n - j0);
        // SAFETY: the caller's operands cover the sizes, which the buffers hold.
        unsafe {
            b.pack(0, k, j0, lines, lines.next_multiple_of(K::LANES), pb);
            for i0 in (0..m).step_by(K::MR) {
                let rows = K::MR.min(m - i0);
                a.pack(0, k, i0, rows, K::MR, pa);
                K::tile(rows, lines.div_ceil(K::LANES), units, pa, pb, tile);
                sink.store(i0, rows, j0, lines, tile, K::NR, true);
            }
        }
    }
}
