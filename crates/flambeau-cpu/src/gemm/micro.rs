//! Micro-kernels: one register tile of a product of packed panels, one implementation per instruction set.

use half::{bf16, f16};

use super::number::Number;

/// A register tile: `acc[i][j] = sum_p a[p][i] * b[p][j]`.
///
/// A panel of `A` holds `MR` rows as `[k][MR]`, a panel of `B` holds `nv * LANES` columns as `[k][nv * LANES]`; a unit holds `KU` steps
/// of `k`. The result goes to `acc` with row stride [`NR`](Micro::NR).
pub(crate) trait Micro: Copy + Send + Sync + 'static {
    type Unit: Copy + Default + Send + Sync;
    type Acc: Number;
    const LANES: usize;
    const MR: usize;
    /// Most vectors per row.
    const NV: usize;
    const KU: usize = 1;
    const NR: usize = Self::LANES * Self::NV;

    /// # Safety
    /// `a` has `k * MR` units, `b` `k * nv * LANES`, `acc` `MR * NR` elements; `rows <= MR`, `1 <= nv <= NV`; the machine
    /// has the instruction set.
    unsafe fn tile(rows: usize, nv: usize, k: usize, a: *const Self::Unit, b: *const Self::Unit, acc: *mut Self::Acc);

    /// As [`tile`](Micro::tile) with step `p` of `b` at `b + offsets[p]`.
    ///
    /// # Safety
    /// As for `tile`; every `b + offsets[p]` has `nv * LANES` readable units.
    unsafe fn tile_at(
        rows: usize,
        nv: usize,
        offsets: &[isize],
        a: *const Self::Unit,
        b: *const Self::Unit,
        acc: *mut Self::Acc,
    );

    /// As [`tile`](Micro::tile) with step `p` of row `i` of `a` at `a[i] + p`; at least `MR` pointers.
    ///
    /// # Safety
    /// As for `tile`; every `a[i]` has `k` readable units.
    unsafe fn tile_rows(
        rows: usize,
        nv: usize,
        k: usize,
        a: &[*const Self::Unit; 8],
        b: *const Self::Unit,
        acc: *mut Self::Acc,
    );

    /// Runs `f` compiled for the kernel's instruction set, as far as it is inlined.
    ///
    /// # Safety
    /// The machine has the instruction set.
    unsafe fn enter(f: impl FnOnce());
}

/// How elements of type `E` become the units of a micro-kernel.
pub(crate) trait Unit<E: Copy>: Micro {
    /// `get(q)` is the element `q` steps of `k` further, for `q < KU`.
    fn unit(get: impl Fn(usize) -> E) -> Self::Unit;
    fn zero() -> E;
}

/// Where steps of `b` lie.
trait Steps: Copy {
    fn len(self) -> usize;
    unsafe fn at(self, p: usize, width: usize) -> isize;
}
#[derive(Clone, Copy)]
struct Packed(usize);
impl Steps for Packed {
    #[inline(always)]
    fn len(self) -> usize {
        self.0
    }
    #[inline(always)]
    unsafe fn at(self, p: usize, width: usize) -> isize {
        (p * width) as isize
    }
}
impl Steps for &[isize] {
    #[inline(always)]
    fn len(self) -> usize {
        <[isize]>::len(self)
    }
    #[inline(always)]
    unsafe fn at(self, p: usize, _: usize) -> isize {
        // SAFETY: `p < len` in the tile's loop.
        unsafe { *self.get_unchecked(p) }
    }
}

/// Where the rows of `a` lie.
trait Rows<U>: Copy {
    unsafe fn get(self, i: usize, p: usize, mr: usize) -> U;
}
impl<U: Copy> Rows<U> for *const U {
    #[inline(always)]
    unsafe fn get(self, i: usize, p: usize, mr: usize) -> U {
        // SAFETY: the panel holds step `p`.
        unsafe { *self.add(p * mr + i) }
    }
}
impl<U: Copy> Rows<U> for &[*const U; 8] {
    #[inline(always)]
    unsafe fn get(self, i: usize, p: usize, _: usize) -> U {
        // SAFETY: the row holds step `p`.
        unsafe { *self[i].add(p) }
    }
}

/// The portable kernel: plain loops over arrays, left to the vectoriser of the target's baseline. Every number type.
#[derive(Clone, Copy)]
pub(crate) struct Plain<T>(std::marker::PhantomData<T>);

impl<T: Number> Plain<T> {
    #[inline(always)]
    unsafe fn body<S: Steps, A: Rows<T>>(steps: S, a: A, b: *const T, acc: *mut T, width: usize) {
        let mut c = [[T::ZERO; 16]; 4];
        for p in 0..steps.len() {
            // SAFETY: the caller's panels hold `len` steps.
            unsafe {
                let bp = b.offset(steps.at(p, width));
                let mut row = [T::ZERO; 16];
                for j in 0..width {
                    row[j] = *bp.add(j);
                }
                for i in 0..4 {
                    let x = a.get(i, p, 4);
                    for j in 0..16 {
                        c[i][j] = x.mul_add(row[j], c[i][j]);
                    }
                }
            }
        }
        for i in 0..4 {
            for j in 0..16 {
                // SAFETY: `acc` holds 4 x 16.
                unsafe { *acc.add(i * 16 + j) = c[i][j] };
            }
        }
    }
}

impl<T: Number> Micro for Plain<T> {
    type Unit = T;
    type Acc = T;
    const LANES: usize = 16;
    const MR: usize = 4;
    const NV: usize = 1;

    unsafe fn tile(_: usize, _: usize, k: usize, a: *const T, b: *const T, acc: *mut T) {
        // SAFETY: the caller's contract.
        unsafe { Self::body(Packed(k), a, b, acc, 16) }
    }
    unsafe fn tile_at(_: usize, _: usize, offsets: &[isize], a: *const T, b: *const T, acc: *mut T) {
        // SAFETY: the caller's contract.
        unsafe { Self::body(offsets, a, b, acc, 16) }
    }
    unsafe fn tile_rows(_: usize, _: usize, k: usize, a: &[*const T; 8], b: *const T, acc: *mut T) {
        // SAFETY: the caller's contract.
        unsafe { Self::body(Packed(k), a, b, acc, 16) }
    }
    #[inline(always)]
    unsafe fn enter(f: impl FnOnce()) {
        f()
    }
}

macro_rules! unit {
    ($kernel:ty, $($e:ty),*) => {$(
        impl Unit<$e> for $kernel {
            #[inline(always)]
            fn unit(get: impl Fn(usize) -> $e) -> Self::Unit {
                crate::gemm::number::Widen::widen(get(0))
            }
            #[inline(always)]
            fn zero() -> $e {
                Default::default()
            }
        }
    )*};
}
macro_rules! unit_plain {
    ($($t:ty: $($e:ty),*);*) => {$(unit!(Plain<$t>, $($e),*);)*};
}
unit_plain!(f32: f32, bf16, f16; f64: f64; i8: i8; i16: i16; i32: i32; i64: i64; u8: u8; u16: u16; u32: u32; u64: u64);

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::*;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Micro, Packed, Rows, Steps, Unit};
    use half::{bf16, f16};

    macro_rules! micro {
        ($name:ident, $feat:literal, $unit:ty, $acc:ty, $lanes:literal, $mr:literal, $nv:literal, $ku:literal,
         $zero:ident, $load:expr, $splat:expr, $fma:expr, $store:ident, rows($($r:literal),*), enter($wide:literal)) => {
            #[derive(Clone, Copy)]
            pub(crate) struct $name;

            impl $name {
                #[inline]
                #[target_feature(enable = $feat)]
                unsafe fn body<const R: usize, const V: usize, S: Steps, A: Rows<$unit>>(steps: S, a: A, b: *const $unit, acc: *mut $acc) {
                    let mut c = [[$zero(); V]; R];
                    for p in 0..steps.len() {
                        // SAFETY: the panels hold `len` steps.
                        unsafe {
                            let bp = b.offset(steps.at(p, V * $lanes));
                            let mut row = [$load(bp); V];
                            for j in 1..V {
                                row[j] = $load(bp.add(j * $lanes));
                            }
                            for i in 0..R {
                                let x = $splat(a.get(i, p, $mr));
                                for j in 0..V {
                                    c[i][j] = $fma(x, row[j], c[i][j]);
                                }
                            }
                        }
                    }
                    for i in 0..R {
                        for j in 0..V {
                            // SAFETY: `acc` holds MR x NR.
                            unsafe { $store(acc.add(i * $nv * $lanes + j * $lanes), c[i][j]) };
                        }
                    }
                }

                #[inline]
                #[target_feature(enable = $feat)]
                unsafe fn rows<const V: usize, S: Steps, A: Rows<$unit>>(rows: usize, steps: S, a: A, b: *const $unit, acc: *mut $acc) {
                    // SAFETY: the caller's contract; `a` has MR rows whatever `rows` is.
                    unsafe {
                        $(if rows <= $r { return Self::body::<$r, V, S, A>(steps, a, b, acc); })*
                        Self::body::<$mr, V, S, A>(steps, a, b, acc)
                    }
                }

                #[inline(always)]
                unsafe fn dispatch<S: Steps, A: Rows<$unit>>(rows: usize, nv: usize, steps: S, a: A, b: *const $unit, acc: *mut $acc) {
                    // SAFETY: the caller's contract.
                    unsafe {
                        match nv {
                            1 => Self::rows::<1, S, A>(rows, steps, a, b, acc),
                            2 => Self::rows::<2, S, A>(rows, steps, a, b, acc),
                            _ => Self::rows::<3, S, A>(rows, steps, a, b, acc),
                        }
                    }
                }
            }

            impl Micro for $name {
                type Unit = $unit;
                type Acc = $acc;
                const LANES: usize = $lanes;
                const MR: usize = $mr;
                const NV: usize = $nv;
                const KU: usize = $ku;

                unsafe fn tile(rows: usize, nv: usize, k: usize, a: *const $unit, b: *const $unit, acc: *mut $acc) {
                    // SAFETY: the caller's contract.
                    unsafe { Self::dispatch(rows, nv, Packed(k), a, b, acc) }
                }
                unsafe fn tile_at(rows: usize, nv: usize, offsets: &[isize], a: *const $unit, b: *const $unit, acc: *mut $acc) {
                    // SAFETY: the caller's contract.
                    unsafe { Self::dispatch(rows, nv, offsets, a, b, acc) }
                }
                unsafe fn tile_rows(rows: usize, nv: usize, k: usize, a: &[*const $unit; 8], b: *const $unit, acc: *mut $acc) {
                    // SAFETY: the caller's contract.
                    unsafe { Self::dispatch(rows, nv, Packed(k), a, b, acc) }
                }
                #[inline(always)]
                unsafe fn enter(f: impl FnOnce()) {
                    #[target_feature(enable = $wide)]
                    unsafe fn wide(f: impl FnOnce()) {
                        f()
                    }
                    // SAFETY: the caller's contract.
                    unsafe { wide(f) }
                }
            }
        };
    }

    micro!(
        F32Avx512,
        "avx512f",
        f32,
        f32,
        16,
        8,
        3,
        1,
        _mm512_setzero_ps,
        |p| _mm512_loadu_ps(p),
        _mm512_set1_ps,
        |x, y, c| _mm512_fmadd_ps(x, y, c),
        _mm512_storeu_ps,
        rows(1, 2, 4),
        enter("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
    );
    micro!(
        F64Avx512,
        "avx512f",
        f64,
        f64,
        8,
        8,
        3,
        1,
        _mm512_setzero_pd,
        |p| _mm512_loadu_pd(p),
        _mm512_set1_pd,
        |x, y, c| _mm512_fmadd_pd(x, y, c),
        _mm512_storeu_pd,
        rows(1, 2, 4),
        enter("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
    );
    micro!(
        F32Avx2,
        "avx2,fma",
        f32,
        f32,
        8,
        4,
        3,
        1,
        _mm256_setzero_ps,
        |p| _mm256_loadu_ps(p),
        _mm256_set1_ps,
        |x, y, c| _mm256_fmadd_ps(x, y, c),
        _mm256_storeu_ps,
        rows(1, 2),
        enter("avx2,fma")
    );
    micro!(
        F64Avx2,
        "avx2,fma",
        f64,
        f64,
        4,
        4,
        3,
        1,
        _mm256_setzero_pd,
        |p| _mm256_loadu_pd(p),
        _mm256_set1_pd,
        |x, y, c| _mm256_fmadd_pd(x, y, c),
        _mm256_storeu_pd,
        rows(1, 2),
        enter("avx2,fma")
    );
    // Two bfloat16 steps of k per unit, summed in float32 by one instruction.
    micro!(
        Bf16Avx512,
        "avx512f,avx512bf16",
        u32,
        f32,
        16,
        8,
        3,
        2,
        _mm512_setzero_ps,
        |p: *const u32| _mm512_loadu_si512(p.cast()),
        |x: u32| _mm512_set1_epi32(x as i32),
        |x: __m512i, y: __m512i, c| _mm512_dpbf16_ps(
            c,
            core::mem::transmute::<__m512i, __m512bh>(x),
            core::mem::transmute::<__m512i, __m512bh>(y)
        ),
        _mm512_storeu_ps,
        rows(1, 2, 4),
        enter("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
    );

    unit!(F32Avx512, f32, bf16, f16);
    unit!(F32Avx2, f32, bf16, f16);
    unit!(F64Avx512, f64);
    unit!(F64Avx2, f64);

    impl Unit<bf16> for Bf16Avx512 {
        #[inline(always)]
        fn unit(get: impl Fn(usize) -> bf16) -> u32 {
            get(0).to_bits() as u32 | (get(1).to_bits() as u32) << 16
        }
        #[inline(always)]
        fn zero() -> bf16 {
            bf16::ZERO
        }
    }
}
