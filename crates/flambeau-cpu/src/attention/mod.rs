//! Scaled dot-product attention by tiles: the scores are never held whole.
//!
//! The forward pass keeps a running maximum and sum per row (Milakov and Gimelshein, "Online normalizer calculation for softmax",
//! 2018; Dao et al., "FlashAttention", 2022). The backward pass recomputes the probabilities of a tile from the log-sum-exp.
//! Tiles that a causal mask hides are skipped.

mod backward;
mod forward;
mod math;

use flambeau_backend::{Attention, Raw};
use flambeau_backend::{DType, Error, Result};

use crate::gemm::matrix::Matrix;
use crate::gemm::number::Element;
use crate::scratch::Scratch;

pub(crate) use backward::backward;
pub(crate) use forward::forward;

/// Runs `$body` with `$E` bound to the element type of a float dtype.
macro_rules! with_float {
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
            other => Err(Error::dtype($op, other)),
        }
    };
}
use with_float;

/// Sizes of a call: queries, keys, embedding of keys and of values.
#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    l: usize,
    s: usize,
    e: usize,
    ev: usize,
    scale: f64,
    causal: bool,
}

impl Sizes {
    fn of(q: &Raw, v: &Raw, p: &Attention) -> Sizes {
        let [batch, l, e] = [q.sizes[0], q.sizes[1], q.sizes[2]].map(|n| n as usize);
        Sizes { batch, l, s: v.sizes[1] as usize, e, ev: v.sizes[2] as usize, scale: p.scale, causal: p.causal }
    }

    /// Keys that the rows before `end` may see.
    fn visible(&self, end: usize) -> usize {
        if self.causal { self.s.min(end) } else { self.s }
    }
}

/// A `[batch, rows, cols]` operand.
#[derive(Clone, Copy)]
struct View<E> {
    ptr: *mut E,
    strides: [isize; 3],
}

// SAFETY: threads write disjoint batches or rows.
unsafe impl<E: Sync> Sync for View<E> {}

impl<E: Element> View<E> {
    fn of(r: &Raw) -> View<E> {
        let stride = |d: usize| r.strides.get(d).map_or(0, |&s| s as isize);
        View { ptr: r.ptr.cast(), strides: [stride(0), stride(1), stride(2)] }
    }

    #[inline(always)]
    fn at(&self, b: usize, i: usize, j: usize) -> *mut E {
        let [sb, si, sj] = self.strides;
        self.ptr.wrapping_offset(b as isize * sb + i as isize * si + j as isize * sj)
    }

    /// Batch `b` in the accumulator's type: in place where it has that type, else converted into `room`.
    unsafe fn wide(&self, b: usize, rows: usize, cols: usize, room: &mut Option<Scratch<E::Acc>>) -> Matrix<E::Acc> {
        if std::any::TypeId::of::<E>() == std::any::TypeId::of::<E::Acc>() {
            return Matrix { ptr: self.at(b, 0, 0).cast(), line: self.strides[1], step: self.strides[2] };
        }
        let copy = room.insert(Scratch::new(rows * cols));
        for i in 0..rows {
            for j in 0..cols {
                // SAFETY: the view has this element, the copy its place.
                unsafe { *copy.ptr().add(i * cols + j) = (*self.at(b, i, j)).widen() };
            }
        }
        Matrix { ptr: copy.ptr().cast_const(), line: cols as isize, step: 1 }
    }
}

/// A matrix read along its other dimension.
fn flipped<A>(m: Matrix<A>) -> Matrix<A> {
    Matrix { ptr: m.ptr, line: m.step, step: m.line }
}

/// The log-sum-exp of each row: float32 or float64.
#[derive(Clone, Copy)]
struct Lse {
    ptr: *mut u8,
    double: bool,
    strides: [isize; 2],
}

// SAFETY: threads write disjoint rows.
unsafe impl Sync for Lse {}

impl Lse {
    fn of(r: &Raw) -> Result<Lse> {
        if !matches!(r.dtype, DType::F32 | DType::F64) {
            return Err(Error::dtype("scaled_dot_product_attention", r.dtype));
        }
        let strides = [r.strides[0] as isize, r.strides[1] as isize];
        Ok(Lse { ptr: r.ptr, double: r.dtype == DType::F64, strides })
    }

    fn place(&self, b: usize, i: usize) -> isize {
        b as isize * self.strides[0] + i as isize * self.strides[1]
    }

    /// # Safety
    /// The row exists and no other thread writes it.
    unsafe fn set(&self, b: usize, i: usize, v: f64) {
        // SAFETY: the caller's contract.
        unsafe {
            if self.double {
                *self.ptr.cast::<f64>().offset(self.place(b, i)) = v;
            } else {
                *self.ptr.cast::<f32>().offset(self.place(b, i)) = v as f32;
            }
        }
    }

    /// # Safety
    /// The row exists.
    unsafe fn get(&self, b: usize, i: usize) -> f64 {
        // SAFETY: the caller's contract.
        unsafe {
            if self.double {
                *self.ptr.cast::<f64>().offset(self.place(b, i))
            } else {
                *self.ptr.cast::<f32>().offset(self.place(b, i)) as f64
            }
        }
    }
}
