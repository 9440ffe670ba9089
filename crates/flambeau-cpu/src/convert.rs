//! Element conversion between any two dtypes in at most three contiguous steps.
//!
//! There is no body per pair: narrow integers meet in `i32`, wide ones in `i64`, reduced floats in `f32`. A chain of steps runs block by
//! block through scratch in the first-level cache.
//!
//! Out-of-range floats become what x86's truncating conversions give, as in PyTorch: the smallest integer of the
//! hub (32 bits for narrow targets, else 64), then cut to the target's width.

use crate::float8;
use crate::isa::{Isa, Kernel, Level, pick};
use flambeau_backend::DType;
use half::{bf16, f16};
use smallvec::SmallVec;
use std::marker::PhantomData;

/// `n` contiguous elements from `src` to `dst`, which do not overlap.
#[derive(Clone, Copy)]
pub struct Span {
    pub n: usize,
    pub src: *const u8,
    pub dst: *mut u8,
}

/// One contiguous conversion and the bytes of its result's elements.
#[derive(Clone, Copy)]
pub struct Step {
    pub run: unsafe fn(Span),
    pub item: usize,
}

pub type Steps = SmallVec<[Step; 3]>;

/// Conversion of one element.
trait To<B>: Copy {
    fn to(self) -> B;
}

struct Convert<A, B>(PhantomData<(A, B)>);

impl<A: To<B>, B: Copy> Kernel for Convert<A, B> {
    type Args = Span;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Span) {
        // SAFETY: the caller's spans hold `n` elements and do not overlap.
        let (x, y) = unsafe {
            (std::slice::from_raw_parts(a.src.cast::<A>(), a.n), std::slice::from_raw_parts_mut(a.dst.cast::<B>(), a.n))
        };
        for (y, x) in y.iter_mut().zip(x) {
            *y = x.to();
        }
    }
}

macro_rules! casts {
    ($($a:ty => $($b:ty),+;)*) => {$($(
        impl To<$b> for $a {
            #[inline(always)]
            fn to(self) -> $b { self as $b }
        }
    )+)*};
}
casts! {
    u8 => i32; i8 => i32; i16 => i32; u16 => i32; u32 => i64;
    i32 => i8, i16, i64, f32, f64;
    i64 => i8, i16, i32, f32, f64;
    u64 => f32, f64;
    f32 => f64; f64 => f32;
}

macro_rules! truncating {
    ($($a:ty => $b:ty, $lo:expr;)*) => {$(
        impl To<$b> for $a {
            #[inline(always)]
            fn to(self) -> $b {
                // SAFETY: only in range is the conversion used.
                if ($lo..-$lo).contains(&self) { unsafe { self.to_int_unchecked() } } else { <$b>::MIN }
            }
        }
    )*};
}
truncating! {
    f32 => i32, -2147483648.0;
    f64 => i32, -2147483648.0;
    f32 => i64, -9223372036854775808.0;
    f64 => i64, -9223372036854775808.0;
}

macro_rules! to_u64 {
    ($($a:ty),*) => {$(
        impl To<u64> for $a {
            #[inline(always)]
            fn to(self) -> u64 {
                const TOP: $a = 9223372036854775808.0;
                if self >= TOP {
                    To::<i64>::to(self - TOP) as u64 ^ (1 << 63)
                } else {
                    To::<i64>::to(self) as u64
                }
            }
        }
    )*};
}
to_u64!(f32, f64);

/// `!= 0`; `Nonzero16` ignores the sign bit of a half.
macro_rules! nonzero {
    ($($a:ty),*) => {$(
        impl To<bool> for $a {
            #[inline(always)]
            fn to(self) -> bool { self != (0 as $a) }
        }
    )*};
}
nonzero!(u8, u16, u32, u64, f32, f64);

impl To<bool> for f16 {
    #[inline(always)]
    fn to(self) -> bool {
        self.to_bits() & 0x7fff != 0
    }
}

impl To<f32> for bf16 {
    #[inline(always)]
    fn to(self) -> f32 {
        widen(self.to_bits())
    }
}

impl To<u16> for f32 {
    /// To the bits of a `bf16`.
    #[inline(always)]
    fn to(self) -> u16 {
        narrow(self)
    }
}

/// A `bf16`'s bits as `f32`.
#[inline(always)]
pub fn widen(bits: u16) -> f32 {
    f32::from_bits((bits as u32) << 16)
}

/// To `bf16`'s bits, half to even; every NaN becomes the positive quiet one, as in PyTorch.
#[inline(always)]
pub fn narrow(x: f32) -> u16 {
    let b = x.to_bits();
    let r = (b.wrapping_add(0x7fff + ((b >> 16) & 1)) >> 16) as u16;
    if b & 0x7fff_ffff > 0x7f80_0000 { 0x7fc0 } else { r }
}

struct HalfToF32;

impl Kernel for HalfToF32 {
    type Args = Span;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Span) {
        let (x, y) = (a.src.cast::<u16>(), a.dst.cast::<f32>());
        let mut i = 0;
        #[cfg(target_arch = "x86_64")]
        if I::LEVEL >= Level::Avx2 {
            use std::arch::x86_64::*;
            while i + 8 <= a.n {
                // SAFETY: eight elements are left; the level has F16C.
                unsafe { _mm256_storeu_ps(y.add(i), _mm256_cvtph_ps(_mm_loadu_si128(x.add(i).cast()))) };
                i += 8;
            }
        }
        while i < a.n {
            // SAFETY: inside the spans.
            unsafe { *y.add(i) = f16::from_bits(*x.add(i)).to_f32_const() };
            i += 1;
        }
    }
}

struct F32ToHalf;

impl Kernel for F32ToHalf {
    type Args = Span;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Span) {
        let (x, y) = (a.src.cast::<f32>(), a.dst.cast::<u16>());
        let mut i = 0;
        #[cfg(target_arch = "x86_64")]
        if I::LEVEL >= Level::Avx2 {
            use std::arch::x86_64::*;
            while i + 8 <= a.n {
                // SAFETY: eight elements are left; the level has F16C.
                unsafe {
                    let h = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm256_loadu_ps(x.add(i)));
                    _mm_storeu_si128(y.add(i).cast(), h);
                }
                i += 8;
            }
        }
        while i < a.n {
            // SAFETY: inside the spans.
            unsafe { *y.add(i) = f16::from_f32_const(*x.add(i)).to_bits() };
            i += 1;
        }
    }
}

unsafe fn from_float8<const F: u8>(a: Span) {
    for i in 0..a.n {
        // SAFETY: inside the spans.
        unsafe { *a.dst.cast::<f32>().add(i) = float8::decode(float8::FORMATS[F as usize], *a.src.add(i)) };
    }
}

unsafe fn to_float8<const F: u8>(a: Span) {
    for i in 0..a.n {
        // SAFETY: inside the spans.
        unsafe { *a.dst.add(i) = float8::encode(float8::FORMATS[F as usize], *a.src.cast::<f32>().add(i)) };
    }
}

fn step<A: To<B>, B: Copy>() -> Step {
    Step { run: pick::<Convert<A, B>>(), item: size_of::<B>() }
}

fn narrow_int(s: DType) -> bool {
    use DType::*;
    matches!(s, U8 | I8 | I16 | U16 | Bool)
}

/// `f32` to a reduced float.
fn reduce_f32(d: DType) -> Option<Step> {
    use DType::*;
    Some(match d {
        BF16 => step::<f32, u16>(),
        F16 => Step { run: pick::<F32ToHalf>(), item: 2 },
        F8E5M2 => Step { run: to_float8::<0>, item: 1 },
        F8E4M3FN => Step { run: to_float8::<1>, item: 1 },
        F8E5M2FNUZ => Step { run: to_float8::<2>, item: 1 },
        F8E4M3FNUZ => Step { run: to_float8::<3>, item: 1 },
        F8E8M0FNU => Step { run: to_float8::<4>, item: 1 },
        _ => return None,
    })
}

fn widen_to_f32(s: DType) -> Option<Step> {
    use DType::*;
    let run: unsafe fn(Span) = match s {
        BF16 => return Some(step::<bf16, f32>()),
        F16 => pick::<HalfToF32>(),
        F8E5M2 => from_float8::<0>,
        F8E4M3FN => from_float8::<1>,
        F8E5M2FNUZ => from_float8::<2>,
        F8E4M3FNUZ => from_float8::<3>,
        F8E8M0FNU => from_float8::<4>,
        _ => return None,
    };
    Some(Step { run, item: 4 })
}

/// The steps from `s` to `d`, both real; none when the bits are the same. `None` for complex dtypes.
pub fn steps(s: DType, d: DType) -> Option<Steps> {
    use DType::*;
    let mut v = Steps::new();
    if s.is_complex() || d.is_complex() {
        return None;
    }
    let integer = |t: DType| t.is_int() || t == Bool;
    if s == d || (integer(s) && integer(d) && d != Bool && s.size() == d.size()) {
        return Some(v);
    }
    let mut at = s;
    if let Some(w) = widen_to_f32(s) {
        if d == Bool && matches!(s, F16 | BF16) {
            v.push(step::<f16, bool>());
            return Some(v);
        }
        v.push(w);
        at = F32;
    }
    if d == Bool {
        v.push(match (at, at.size()) {
            (F32, _) => step::<f32, bool>(),
            (F64, _) => step::<f64, bool>(),
            (_, 1) => step::<u8, bool>(),
            (_, 2) => step::<u16, bool>(),
            (_, 4) => step::<u32, bool>(),
            _ => step::<u64, bool>(),
        });
        return Some(v);
    }
    // To a hub: i32, i64, u64 (to floats only), f32 or f64.
    match at {
        U8 | Bool => v.push(step::<u8, i32>()),
        I8 => v.push(step::<i8, i32>()),
        I16 => v.push(step::<i16, i32>()),
        U16 => v.push(step::<u16, i32>()),
        U32 => v.push(step::<u32, i64>()),
        _ => (),
    }
    if integer(at) {
        at = match at {
            U32 | I64 => I64,
            U64 if integer(d) => I64,
            U64 => U64,
            _ => I32,
        };
    }
    if integer(d) {
        if at.is_float() {
            // PyTorch takes doubles to bytes by way of 64 bits.
            let hub = if (narrow_int(d) && (at, d) != (F64, U8)) || d == I32 {
                I32
            } else if d == U64 {
                U64
            } else {
                I64
            };
            v.push(match (at, hub) {
                (F32, I32) => step::<f32, i32>(),
                (F32, I64) => step::<f32, i64>(),
                (F32, _) => step::<f32, u64>(),
                (_, I32) => step::<f64, i32>(),
                (_, I64) => step::<f64, i64>(),
                _ => step::<f64, u64>(),
            });
            at = hub;
        }
        match (at.size(), d.size()) {
            (4, 1) => v.push(step::<i32, i8>()),
            (4, 2) => v.push(step::<i32, i16>()),
            (4, 8) => v.push(step::<i32, i64>()),
            (8, 1) => v.push(step::<i64, i8>()),
            (8, 2) => v.push(step::<i64, i16>()),
            (8, 4) => v.push(step::<i64, i32>()),
            _ => (),
        }
        return Some(v);
    }
    let wide = d == F64;
    match (at, wide) {
        (I32, false) => v.push(step::<i32, f32>()),
        (I32, true) => v.push(step::<i32, f64>()),
        (I64, false) => v.push(step::<i64, f32>()),
        (I64, true) => v.push(step::<i64, f64>()),
        (U64, false) => v.push(step::<u64, f32>()),
        (U64, true) => v.push(step::<u64, f64>()),
        (F64, false) => v.push(step::<f64, f32>()),
        (F32, true) => v.push(step::<f32, f64>()),
        _ => (),
    }
    v.extend(reduce_f32(d));
    Some(v)
}

/// Elements of a block whose scratch buffers are [`SCRATCH`] bytes, of elements up to 16 bytes.
pub const BLOCK: usize = 256;
pub const SCRATCH: usize = BLOCK * 16;

/// Scratch for one operand's block.
#[repr(align(64))]
pub struct Scratch(std::mem::MaybeUninit<[u8; SCRATCH]>);

impl Scratch {
    #[inline(always)]
    pub fn new() -> Self {
        Scratch(std::mem::MaybeUninit::uninit())
    }

    #[inline(always)]
    pub fn ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr().cast()
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs a non-empty chain over one block, from `src` to `dst`, through `tmp` where it has more than one step.
///
/// # Safety
/// At most [`BLOCK`] elements; `src`, `dst` and both `tmp` are disjoint.
#[inline]
pub unsafe fn run_steps(steps: &[Step], n: usize, src: *const u8, dst: *mut u8, tmp: [*mut u8; 2]) {
    let mut src = src;
    for (i, s) in steps.iter().enumerate() {
        let to = if i + 1 == steps.len() { dst } else { tmp[i & 1] };
        // SAFETY: the buffers hold a block of the widest element.
        unsafe { (s.run)(Span { n, src, dst: to }) };
        src = to;
    }
}

/// Strided elements of `item` bytes into a contiguous block.
///
/// # Safety
/// `n` elements at `src` by `stride` bytes; room for them at `dst`.
pub unsafe fn gather(item: usize, n: usize, src: *const u8, stride: isize, dst: *mut u8) {
    unsafe fn go<T: Copy>(n: usize, src: *const u8, stride: isize, dst: *mut u8) {
        for i in 0..n {
            // SAFETY: the caller's contract.
            unsafe {
                *dst.cast::<T>().add(i) = src.wrapping_offset(i as isize * stride).cast::<T>().read_unaligned();
            }
        }
    }
    // SAFETY: as the caller's.
    unsafe {
        match item {
            1 => go::<u8>(n, src, stride, dst),
            2 => go::<u16>(n, src, stride, dst),
            4 => go::<u32>(n, src, stride, dst),
            8 => go::<u64>(n, src, stride, dst),
            _ => go::<[u64; 2]>(n, src, stride, dst),
        }
    }
}

/// The reverse of [`gather`].
///
/// # Safety
/// As [`gather`].
pub unsafe fn scatter(item: usize, n: usize, src: *const u8, dst: *mut u8, stride: isize) {
    unsafe fn go<T: Copy>(n: usize, src: *const u8, dst: *mut u8, stride: isize) {
        for i in 0..n {
            // SAFETY: the caller's contract.
            unsafe {
                dst.wrapping_offset(i as isize * stride).cast::<T>().write_unaligned(*src.cast::<T>().add(i));
            }
        }
    }
    // SAFETY: as the caller's.
    unsafe {
        match item {
            1 => go::<u8>(n, src, dst, stride),
            2 => go::<u16>(n, src, dst, stride),
            4 => go::<u32>(n, src, dst, stride),
            8 => go::<u64>(n, src, dst, stride),
            _ => go::<[u64; 2]>(n, src, dst, stride),
        }
    }
}

/// `n` copies of the element at `src`.
///
/// # Safety
/// One element at `src`, room for `n` at `dst`.
pub unsafe fn splat(item: usize, n: usize, src: *const u8, dst: *mut u8) {
    unsafe fn go<T: Copy>(n: usize, src: *const u8, dst: *mut u8) {
        // SAFETY: the caller's contract.
        unsafe {
            let v = src.cast::<T>().read_unaligned();
            std::slice::from_raw_parts_mut(dst.cast::<std::mem::MaybeUninit<T>>(), n)
                .fill(std::mem::MaybeUninit::new(v));
        }
    }
    // SAFETY: as the caller's.
    unsafe {
        match item {
            1 => go::<u8>(n, src, dst),
            2 => go::<u16>(n, src, dst),
            4 => go::<u32>(n, src, dst),
            8 => go::<u64>(n, src, dst),
            _ => go::<[u64; 2]>(n, src, dst),
        }
    }
}
