//! Strided matrices as operands and outputs of the engine.

use super::engine::{Panels, Sink};
use super::micro::{Micro, Unit};
use super::number::{Element, Number};

/// A strided operand: line `j`, step `p` at `ptr + j*line + p*step` (elements).
#[derive(Clone, Copy)]
pub(crate) struct Matrix<E> {
    pub ptr: *const E,
    pub line: isize,
    pub step: isize,
}

// SAFETY: read only.
unsafe impl<E: Send> Send for Matrix<E> {}
// SAFETY: read only.
unsafe impl<E: Sync> Sync for Matrix<E> {}

impl<E: Element, K: Unit<E>> Panels<K> for Matrix<E> {
    #[inline(always)]
    unsafe fn pack(&self, k0: usize, kc: usize, j0: usize, lines: usize, width: usize, dst: *mut K::Unit) {
        // SAFETY: the caller names existing lines and steps.
        unsafe {
            let src = self.ptr.offset(j0 as isize * self.line + k0 as isize * self.step);
            #[cfg(target_arch = "x86_64")]
            if self.step == 1
                && std::any::TypeId::of::<E>() == std::any::TypeId::of::<f32>()
                && crate::isa::level() >= crate::isa::Level::Avx2
            {
                super::transpose::pack_f32(src.cast(), self.line, kc, lines, width, dst.cast());
                return;
            }
            pack_strided::<E, K>(src, self.line, self.step, kc, lines, width, dst);
        }
    }
}

/// Dense lines of units, `line` apart.
pub(crate) struct Lines<K: Micro> {
    pub ptr: *const K::Unit,
    pub line: usize,
}

// SAFETY: read only.
unsafe impl<K: Micro> Sync for Lines<K> {}

impl<K: Micro> Panels<K> for Lines<K> {
    #[inline(always)]
    unsafe fn pack(&self, k0: usize, kc: usize, j0: usize, lines: usize, width: usize, dst: *mut K::Unit) {
        // SAFETY: the caller names existing lines and steps.
        unsafe {
            let src = self.ptr.add(j0 * self.line + k0);
            #[cfg(target_arch = "x86_64")]
            if std::any::TypeId::of::<K::Unit>() == std::any::TypeId::of::<f32>()
                && crate::isa::level() >= crate::isa::Level::Avx2
            {
                super::transpose::pack_f32(src.cast(), self.line as isize, kc, lines, width, dst.cast());
                return;
            }
            for p0 in (0..kc).step_by(16) {
                for j in 0..lines {
                    for p in p0..(p0 + 16).min(kc) {
                        *dst.add(p * width + j) = *src.add(j * self.line + p);
                    }
                }
            }
            zero_lines(dst, kc, lines, width);
        }
    }
}

/// The general case of [`Panels::pack`].
#[inline(always)]
unsafe fn pack_strided<E: Element, K: Unit<E>>(
    src: *const E,
    line: isize,
    step: isize,
    kc: usize,
    lines: usize,
    width: usize,
    dst: *mut K::Unit,
) {
    let whole = kc / K::KU;
    // SAFETY: the caller's contract.
    unsafe {
        if line == 1 {
            for u in 0..whole {
                let (s, d) = (src.offset((u * K::KU) as isize * step), dst.add(u * width));
                for j in 0..lines {
                    *d.add(j) = K::unit(|q| *s.add(j).offset(q as isize * step));
                }
            }
        } else {
            // Short runs of steps for all lines: each line's cache line is used up before it leaves.
            for u0 in (0..whole).step_by(16) {
                let end = (u0 + 16).min(whole);
                for j in 0..lines {
                    let s = src.offset(j as isize * line);
                    for u in u0..end {
                        *dst.add(u * width + j) = K::unit(|q| *s.offset((u * K::KU + q) as isize * step));
                    }
                }
            }
        }
        if whole * K::KU < kc {
            let s = src.offset((whole * K::KU) as isize * step);
            for j in 0..lines {
                let s = s.offset(j as isize * line);
                *dst.add(whole * width + j) =
                    K::unit(|q| if whole * K::KU + q < kc { *s.offset(q as isize * step) } else { K::zero() });
            }
        }
        zero_lines(dst, kc.div_ceil(K::KU), lines, width);
    }
}

/// Zeros in the lines `lines..width` of a panel.
///
/// # Safety
/// `dst` holds `units * width`.
#[inline(always)]
pub(crate) unsafe fn zero_lines<U: Copy + Default>(dst: *mut U, units: usize, lines: usize, width: usize) {
    if lines < width {
        for u in 0..units {
            for j in lines..width {
                // SAFETY: the caller's contract.
                unsafe { *dst.add(u * width + j) = U::default() };
            }
        }
    }
}

/// What is added to an output: elements and their strides along rows and columns; null for none. Not an `Option`, because
/// the strides are compared ahead of the pointer where a loop is compiled in versions.
#[derive(Clone, Copy)]
pub(crate) struct Bias<E> {
    pub ptr: *const E,
    pub row: isize,
    pub col: isize,
}

impl<E> Bias<E> {
    pub const NONE: Bias<E> = Bias { ptr: std::ptr::null(), row: 0, col: 0 };

    #[inline(always)]
    pub fn is_some(&self) -> bool {
        !self.ptr.is_null()
    }
}

/// A strided output: `out = alpha * acc + beta * out + bias`.
#[derive(Clone, Copy)]
pub(crate) struct Output<E: Element> {
    pub ptr: *mut E,
    pub row: isize,
    pub col: isize,
    pub alpha: E::Acc,
    pub beta: E::Acc,
    pub bias: Bias<E>,
}

// SAFETY: the engine gives each part to one thread.
unsafe impl<E: Element> Sync for Output<E> {}

impl<E: Element> Output<E> {
    /// Stores the value of a whole sum.
    #[inline(always)]
    unsafe fn put(&self, at: *mut E, v: E::Acc, add: bool, scale: bool) {
        let mut v = if scale { v.mul(self.alpha) } else { v };
        // SAFETY: the caller's contract; `beta == 0` does not read.
        unsafe {
            if add {
                v = (*at).widen().add(v);
            } else if self.beta != E::Acc::ZERO {
                v = (*at).widen().mul(self.beta).add(v);
            }
            *at = E::narrow(v);
        }
    }

    /// Takes a sum for row `i` at offset `place` of that row; the bias is per row.
    ///
    /// # Safety
    /// The position exists.
    #[inline(always)]
    pub unsafe fn place(&self, i: usize, place: isize, v: E::Acc, first: bool) {
        // SAFETY: the caller's contract.
        unsafe {
            let at = self.ptr.offset(i as isize * self.row + place);
            let mut v = v.mul(self.alpha);
            if first && self.bias.is_some() {
                v = v.add(self.bias_at(i, 0));
            }
            self.put(at, v, !first, false);
        }
    }

    /// Stores one whole sum with the bias.
    ///
    /// # Safety
    /// The position exists.
    #[inline(always)]
    pub unsafe fn one(&self, i: usize, j: usize, v: E::Acc) {
        // SAFETY: the caller's contract.
        unsafe {
            let at = self.ptr.offset(i as isize * self.row + j as isize * self.col);
            self.put(at, v.mul(self.alpha).add(self.bias_at(i, j)), false, false);
        }
    }

    #[inline(always)]
    unsafe fn bias_at(&self, i: usize, j: usize) -> E::Acc {
        if !self.bias.is_some() {
            return E::Acc::ZERO;
        }
        let Bias { ptr, row, col } = self.bias;
        // SAFETY: the bias covers the output.
        unsafe { (*ptr.offset(i as isize * row + j as isize * col)).widen() }
    }
}

impl<E: Element> Sink<E::Acc> for Output<E> {
    const ADDS: bool = size_of::<E>() == size_of::<E::Acc>();

    #[inline(always)]
    unsafe fn store(
        &self,
        i0: usize,
        rows: usize,
        j0: usize,
        cols: usize,
        acc: *const E::Acc,
        stride: usize,
        first: bool,
    ) {
        let one = E::Acc::from_f64(1.0);
        let scale = self.alpha != one;
        let bias = first && self.bias.is_some();
        // SAFETY: the tile lies inside the output.
        unsafe {
            for i in 0..rows {
                let at = self.ptr.offset((i0 + i) as isize * self.row + j0 as isize * self.col);
                let v = acc.add(i * stride);
                if self.col == 1 && !scale && !bias && first && self.beta == E::Acc::ZERO {
                    for j in 0..cols {
                        *at.add(j) = E::narrow(*v.add(j));
                    }
                } else if self.col == 1 && !scale && !first {
                    for j in 0..cols {
                        *at.add(j) = E::narrow((*at.add(j)).widen().add(*v.add(j)));
                    }
                } else {
                    for j in 0..cols {
                        let x = *v.add(j);
                        if bias {
                            let x = if scale { x.mul(self.alpha) } else { x };
                            self.put(
                                at.offset(j as isize * self.col),
                                x.add(self.bias_at(i0 + i, j0 + j)),
                                !first,
                                false,
                            );
                        } else {
                            self.put(at.offset(j as isize * self.col), x, !first, scale);
                        }
                    }
                }
            }
        }
    }
}

/// The product when `k` is zero: `out = beta * out + bias`.
///
/// # Safety
/// The output's part exists.
pub(crate) unsafe fn store_nothing<K: Micro>(m: usize, n: usize, sink: &impl Sink<K::Acc>) {
    let zeros = [K::Acc::ZERO; 64];
    for i in 0..m {
        for j in (0..n).step_by(64) {
            // SAFETY: the caller's contract.
            unsafe { sink.store(i, 1, j, 64.min(n - j), zeros.as_ptr(), 64, true) };
        }
    }
}
