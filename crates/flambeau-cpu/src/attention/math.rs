//! What attention needs of its accumulators: a vectorisable exponential, packed operands, tiles of scores.

use crate::gemm::engine::Panels;
use crate::gemm::matrix::Matrix;
use crate::gemm::micro::{Micro, Unit};
use crate::gemm::number::{Element, Number};
use crate::isa::Isa;
use crate::scratch::Scratch;

/// float32 or float64.
pub(super) trait Real:
    Element<Acc = Self>
    + Number
    + PartialOrd
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
    + std::ops::AddAssign
    + std::ops::MulAssign
{
    const NEG_INFINITY: Self;
    fn exponential<I: Isa>(self) -> Self;
    fn ln(self) -> Self;
    fn to_f64(self) -> f64;
}

impl Real for f32 {
    const NEG_INFINITY: f32 = f32::NEG_INFINITY;

    /// `2^n * e^r` with `|r| <= ln(2)/2`; within 2 ulp, 0 below the least normal number. NaN stays NaN.
    #[inline(always)]
    fn exponential<I: Isa>(self) -> f32 {
        const SHIFT: f32 = 12582912.0;
        let x = if self > 88.8 { 88.8 } else { self };
        let shifted = I::fma32(x, std::f32::consts::LOG2_E, SHIFT);
        let n = shifted - SHIFT;
        // ln(2) in two parts: the product with the first is exact.
        let r = I::fma32(n, -1.428_606_8e-6, I::fma32(n, -0.693_145_75, x));
        let mut p = 1.0 / 720.0;
        for c in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
            p = I::fma32(p, r, c);
        }
        // The exponent in two halves, so that 2^128 of the largest results is reached.
        let n = (shifted.to_bits() as i32).wrapping_sub(SHIFT.to_bits() as i32);
        let (a, b) = (n >> 1, n - (n >> 1));
        let two = |e: i32| f32::from_bits((e.wrapping_add(127) << 23) as u32);
        let y = p * two(a) * two(b);
        // Below, the shifted sum may have wrapped.
        if self < -87.336_54 { 0.0 } else { y }
    }

    fn ln(self) -> f32 {
        f32::ln(self)
    }

    fn to_f64(self) -> f64 {
        self as f64
    }
}

impl Real for f64 {
    const NEG_INFINITY: f64 = f64::NEG_INFINITY;

    /// As for float32, with a longer polynomial.
    #[inline(always)]
    #[allow(clippy::excessive_precision)] // the two halves of ln 2, digit by digit
    fn exponential<I: Isa>(self) -> f64 {
        const SHIFT: f64 = 6_755_399_441_055_744.0;
        let x = if self > 709.9 { 709.9 } else { self };
        let shifted = I::fma64(x, std::f64::consts::LOG2_E, SHIFT);
        let n = shifted - SHIFT;
        let r = I::fma64(n, -1.908_214_929_270_587_7e-10, I::fma64(n, -6.931_471_803_691_238_2e-1, x));
        // 1/13!, 1/12!, ...
        let mut p = 1.605_904_383_682_161_5e-10;
        for c in [
            2.087_675_698_786_81e-9,
            2.505_210_838_544_172e-8,
            2.755_731_922_398_589_3e-7,
            2.755_731_922_398_589e-6,
            2.480_158_730_158_73e-5,
            1.984_126_984_126_984e-4,
            1.388_888_888_888_889e-3,
            8.333_333_333_333_333e-3,
            4.166_666_666_666_666_4e-2,
            1.666_666_666_666_666_6e-1,
            0.5,
            1.0,
            1.0,
        ] {
            p = I::fma64(p, r, c);
        }
        let n = (shifted.to_bits() as i64).wrapping_sub(SHIFT.to_bits() as i64);
        let (a, b) = (n >> 1, n - (n >> 1));
        let two = |e: i64| f64::from_bits((e.wrapping_add(1023) << 52) as u64);
        let y = p * two(a) * two(b);
        if self < -708.396 { 0.0 } else { y }
    }

    fn ln(self) -> f64 {
        f64::ln(self)
    }

    fn to_f64(self) -> f64 {
        self
    }
}

/// All panels of an operand, one after the other: line `j` starts a panel at `j * steps` units if `j` is a multiple of the width.
pub(super) struct Packed<K: Micro> {
    units: Scratch<K::Unit>,
    lines: usize,
    steps: usize,
    width: usize,
    round: usize,
}

impl<K: Micro> Packed<K> {
    /// `m` packed as a left (`left`) or right operand.
    ///
    /// # Safety
    /// The matrix has these lines and steps.
    pub unsafe fn new<A: Element>(m: Matrix<A>, lines: usize, steps: usize, left: bool) -> Self
    where
        K: Unit<A>,
    {
        const { assert!(K::KU == 1) };
        let (width, round) = if left { (K::MR, K::MR) } else { (K::NR, K::LANES) };
        let units = Scratch::<K::Unit>::new(lines.next_multiple_of(width) * steps);
        for j in (0..lines).step_by(width) {
            let here = width.min(lines - j);
            // SAFETY: the caller's matrix has these lines and steps.
            unsafe {
                <Matrix<A> as Panels<K>>::pack(
                    &m,
                    0,
                    steps,
                    j,
                    here,
                    here.next_multiple_of(round),
                    units.ptr().add(j * steps),
                )
            };
        }
        Packed { units, lines, steps, width, round }
    }

    /// The panel that starts at line `j`, from step `p` on, and its width in lines.
    #[inline(always)]
    pub fn panel(&self, j: usize, p: usize) -> (*const K::Unit, usize) {
        let width = self.width.min(self.lines - j).next_multiple_of(self.round);
        (self.units.ptr().wrapping_add(j * self.steps + p * width).cast_const(), width)
    }
}

/// Rows of queries taken together.
pub(super) const ROWS: usize = 64;

/// Keys taken together: whole panels.
pub(super) const fn keys<K: Micro>() -> usize {
    192 / K::NR * K::NR
}

/// A block of scores: `[panel][ROWS][NR]`, so that tiles are written in place.
pub(super) struct Scores<A: Copy>(Scratch<A>);

impl<A: Real> Scores<A> {
    pub fn new<K: Micro>() -> Self {
        Scores(Scratch::new(ROWS * keys::<K>()))
    }

    /// Row `i` of panel `p`.
    #[inline(always)]
    pub fn row<K: Micro>(&self, p: usize, i: usize) -> *mut A {
        self.0.ptr().wrapping_add((p * ROWS + i) * K::NR)
    }

    /// Fills the block with `a[i0..i0 + rows] b[j0..j0 + cols]^T`.
    #[inline(always)]
    pub unsafe fn product<K: Micro<Acc = A>>(
        &self,
        a: &Packed<K>,
        i0: usize,
        rows: usize,
        b: &Packed<K>,
        j0: usize,
        cols: usize,
    ) {
        for j in (0..cols).step_by(K::NR) {
            let (bp, width) = b.panel(j0 + j, 0);
            for i in (0..rows).step_by(K::MR) {
                let (ap, _) = a.panel(i0 + i, 0);
                // SAFETY: packed panels of the same number of steps; the block holds the tile.
                unsafe { K::tile(K::MR.min(rows - i), width / K::LANES, a.steps, ap, bp, self.row::<K>(j / K::NR, i)) };
            }
        }
    }

    /// Adds `block * b[j0..j0 + cols]` to `to`, row-major with stride `stride`: a product over the keys of the block.
    /// `panels` is room for `ROWS * keys` units.
    #[inline(always)]
    pub unsafe fn times<K: Unit<A, Acc = A>>(
        &self,
        rows: usize,
        cols: usize,
        b: &Packed<K>,
        j0: usize,
        panels: *mut K::Unit,
        to: *mut A,
        stride: usize,
    ) {
        // SAFETY: the block, the packed operand and `to` cover the sizes.
        unsafe {
            for i in (0..rows).step_by(K::MR) {
                let here = K::MR.min(rows - i);
                for j in (0..cols).step_by(K::NR) {
                    let m = Matrix { ptr: self.row::<K>(j / K::NR, i).cast_const(), line: K::NR as isize, step: 1 };
                    let n = K::NR.min(cols - j);
                    <Matrix<A> as Panels<K>>::pack(&m, 0, n, 0, here, K::MR, panels.add(i * cols + j * K::MR));
                }
            }
            accumulate::<A, K>(panels, rows, cols, b, j0, to, stride);
        }
    }

    /// Adds `block^T * b[i0..i0 + rows]` to `to`: a product over the queries of the block.
    #[inline(always)]
    pub unsafe fn transposed_times<K: Unit<A, Acc = A>>(
        &self,
        rows: usize,
        cols: usize,
        b: &Packed<K>,
        i0: usize,
        panels: *mut K::Unit,
        to: *mut A,
        stride: usize,
    ) {
        // SAFETY: as above. `MR` divides `NR`, so a panel of keys lies inside a panel of the block.
        unsafe {
            for j in (0..cols).step_by(K::MR) {
                let m = Matrix {
                    ptr: self.row::<K>(j / K::NR, 0).add(j % K::NR).cast_const(),
                    line: 1,
                    step: K::NR as isize,
                };
                <Matrix<A> as Panels<K>>::pack(&m, 0, rows, 0, K::MR.min(cols - j), K::MR, panels.add(j * rows));
            }
            accumulate::<A, K>(panels, cols, rows, b, i0, to, stride);
        }
    }
}

/// `to += a b[p0..p0 + steps]` for packed `a`.
#[inline(always)]
unsafe fn accumulate<A: Real, K: Micro<Acc = A>>(
    a: *const K::Unit,
    rows: usize,
    steps: usize,
    b: &Packed<K>,
    p0: usize,
    to: *mut A,
    stride: usize,
) {
    let mut tile = crate::gemm::engine::Tile::<A>::new();
    let tile = tile.ptr();
    for j in (0..b.lines).step_by(K::NR) {
        let (bp, width) = b.panel(j, p0);
        let cols = K::NR.min(b.lines - j);
        for i in (0..rows).step_by(K::MR) {
            let here = K::MR.min(rows - i);
            // SAFETY: the caller's contract.
            unsafe {
                K::tile(here, width / K::LANES, steps, a.add(i * steps), bp, tile);
                for r in 0..here {
                    let (d, s) = (to.add((i + r) * stride + j), tile.add(r * K::NR));
                    for c in 0..cols {
                        *d.add(c) += *s.add(c);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{Base, Kernel, call};

    struct Exp<A>(std::marker::PhantomData<A>);
    impl<A: Real> Kernel for Exp<A> {
        type Args = A;
        type Out = A;
        #[inline(always)]
        unsafe fn run<I: Isa>(x: A) -> A {
            x.exponential::<I>()
        }
    }

    #[test]
    fn exp_is_accurate_and_keeps_its_limits() {
        for i in -8000..=8000 {
            let x = i as f32 * 0.0109;
            // SAFETY: no pointers.
            let y = unsafe { call::<Exp<f32>>(x) };
            let want = (x as f64).exp();
            assert!((y as f64 - want).abs() <= 2.5e-7 * want, "{x}: {y} {want}");
            let x = i as f64 * 0.088;
            // SAFETY: no pointers.
            let y = unsafe { call::<Exp<f64>>(x) };
            assert!((y - x.exp()).abs() <= 6e-16 * x.exp(), "{x}: {y} {}", x.exp());
        }
        for (x, want) in [(f32::NEG_INFINITY, 0.0), (-100.0, 0.0), (0.0, 1.0), (f32::INFINITY, f32::INFINITY)] {
            assert_eq!(x.exponential::<Base>(), want);
            assert_eq!((x as f64 * 10.0).exponential::<Base>(), want as f64);
        }
        assert!(f32::NAN.exponential::<Base>().is_nan() && f64::NAN.exponential::<Base>().is_nan());
    }
}
