//! Element types as numbers: how each is widened to compute with and narrowed to be stored.
//!
//! Kernels that do little arithmetic (scatters, pools) are compiled once per accumulator instead of once per dtype.

use half::{bf16, f16};

/// A type that sums are computed in.
pub(crate) trait Acc: Copy + PartialEq + Send + Sync + 'static {
    const ZERO: Self;
    fn plus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
}

/// An accumulator with an order and division by a count.
pub(crate) trait Ordered: Acc + PartialOrd {
    const LOWEST: Self;
    /// The quotient by a positive or negative count; integers round toward zero.
    fn over(self, count: i64) -> Self;

    #[inline(always)]
    #[allow(clippy::eq_op)]
    fn is_nan(self) -> bool {
        self != self
    }

    /// The larger; NaN if either is NaN.
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        if other > self || other.is_nan() { other } else { self }
    }

    /// The smaller; NaN if either is NaN.
    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        if other < self || other.is_nan() { other } else { self }
    }
}

/// A stored element type.
pub(crate) trait Number: Copy + Send + Sync + 'static {
    type Acc: Acc;
    /// Whether `Self` and `Acc` are one type, so that memory need not be converted.
    const SAME: bool = false;
    fn widen(self) -> Self::Acc;
    fn narrow(acc: Self::Acc) -> Self;
}

/// A complex number as it lies in memory.
#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(C)]
pub(crate) struct Complex<T> {
    pub re: T,
    pub im: T,
}

/// A byte read as truth: any bit pattern is valid.
#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(transparent)]
pub(crate) struct Bool(pub u8);

macro_rules! float {
    ($($t:ty),*) => {$(
        impl Acc for $t {
            const ZERO: Self = 0.0;
            #[inline(always)]
            fn plus(self, other: Self) -> Self { self + other }
            #[inline(always)]
            fn times(self, other: Self) -> Self { self * other }
        }
        impl Ordered for $t {
            const LOWEST: Self = Self::NEG_INFINITY;
            #[inline(always)]
            fn over(self, count: i64) -> Self { self / count as $t }
        }
        impl Number for $t {
            type Acc = Self;
            const SAME: bool = true;
            #[inline(always)]
            fn widen(self) -> Self { self }
            #[inline(always)]
            fn narrow(acc: Self) -> Self { acc }
        }
        impl Acc for Complex<$t> {
            const ZERO: Self = Complex { re: 0.0, im: 0.0 };
            #[inline(always)]
            fn plus(self, o: Self) -> Self { Complex { re: self.re + o.re, im: self.im + o.im } }
            #[inline(always)]
            fn times(self, o: Self) -> Self {
                Complex { re: self.re * o.re - self.im * o.im, im: self.re * o.im + self.im * o.re }
            }
        }
        impl Number for Complex<$t> {
            type Acc = Self;
            const SAME: bool = true;
            #[inline(always)]
            fn widen(self) -> Self { self }
            #[inline(always)]
            fn narrow(acc: Self) -> Self { acc }
        }
    )*};
}
float!(f32, f64);

macro_rules! integer {
    ($($t:ty => $acc:ty),*) => {$(
        impl Number for $t {
            type Acc = $acc;
            const SAME: bool = size_of::<$t>() == size_of::<$acc>();
            #[inline(always)]
            fn widen(self) -> $acc { self as $acc }
            #[inline(always)]
            fn narrow(acc: $acc) -> Self { acc as $t }
        }
    )*};
}
integer!(u8 => i64, i8 => i64, i16 => i64, i32 => i64, i64 => i64, u16 => i64, u32 => i64, u64 => u64);

macro_rules! wide_integer {
    ($($t:ty),*) => {$(
        impl Acc for $t {
            const ZERO: Self = 0;
            #[inline(always)]
            fn plus(self, other: Self) -> Self { self.wrapping_add(other) }
            #[inline(always)]
            fn times(self, other: Self) -> Self { self.wrapping_mul(other) }
        }
        impl Ordered for $t {
            const LOWEST: Self = Self::MIN;
            #[inline(always)]
            fn over(self, count: i64) -> Self { self.checked_div(count as $t).unwrap_or(0) }
        }
    )*};
}
wide_integer!(i64, u64);

macro_rules! reduced {
    ($($t:ty),*) => {$(
        impl Number for $t {
            type Acc = f32;
            #[inline(always)]
            fn widen(self) -> f32 { self.to_f32() }
            #[inline(always)]
            fn narrow(acc: f32) -> Self { Self::from_f32(acc) }
        }
    )*};
}
reduced!(f16, bf16);

impl Number for Complex<f16> {
    type Acc = Complex<f32>;
    #[inline(always)]
    fn widen(self) -> Complex<f32> {
        Complex { re: self.re.to_f32(), im: self.im.to_f32() }
    }
    #[inline(always)]
    fn narrow(acc: Complex<f32>) -> Self {
        Complex { re: f16::from_f32(acc.re), im: f16::from_f32(acc.im) }
    }
}

/// On `bool`, sums are "or" and products "and".
impl Acc for bool {
    const ZERO: Self = false;
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self | other
    }
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        self & other
    }
}

impl Ordered for bool {
    const LOWEST: Self = false;
    #[inline(always)]
    fn over(self, _: i64) -> Self {
        self
    }
}

impl Number for Bool {
    type Acc = bool;
    #[inline(always)]
    fn widen(self) -> bool {
        self.0 != 0
    }
    #[inline(always)]
    fn narrow(acc: bool) -> Self {
        Bool(acc as u8)
    }
}

/// Runs `$body` with `$T` bound to the element type of a real dtype (`bool` included); others are refused.
macro_rules! with_real {
    ($dtype:expr, $op:expr, $T:ident => $body:expr) => {{
        use flambeau_backend::DType as D;
        match $dtype {
            D::U8 => {
                type $T = u8;
                $body
            }
            D::I8 => {
                type $T = i8;
                $body
            }
            D::I16 => {
                type $T = i16;
                $body
            }
            D::I32 => {
                type $T = i32;
                $body
            }
            D::I64 => {
                type $T = i64;
                $body
            }
            D::U16 => {
                type $T = u16;
                $body
            }
            D::U32 => {
                type $T = u32;
                $body
            }
            D::U64 => {
                type $T = u64;
                $body
            }
            D::F16 => {
                type $T = half::f16;
                $body
            }
            D::BF16 => {
                type $T = half::bf16;
                $body
            }
            D::F32 => {
                type $T = f32;
                $body
            }
            D::F64 => {
                type $T = f64;
                $body
            }
            D::Bool => {
                type $T = $crate::number::Bool;
                $body
            }
            other => Err(flambeau_backend::Error::dtype($op, other)),
        }
    }};
}

/// As [`with_real`], and complex dtypes.
macro_rules! with_number {
    ($dtype:expr, $op:expr, $T:ident => $body:expr) => {{
        match $dtype {
            flambeau_backend::DType::C32 => { type $T = $crate::number::Complex<half::f16>; $body }
            flambeau_backend::DType::C64 => { type $T = $crate::number::Complex<f32>; $body }
            flambeau_backend::DType::C128 => { type $T = $crate::number::Complex<f64>; $body }
            other => $crate::number::with_real!(other, $op, $T => $body),
        }
    }};
}

/// Runs `$body` with `$T` bound to a plain type of the dtype's size, for moving elements without looking at them.
macro_rules! with_size {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype.size() {
            1 => {
                type $T = u8;
                $body
            }
            2 => {
                type $T = u16;
                $body
            }
            4 => {
                type $T = u32;
                $body
            }
            8 => {
                type $T = u64;
                $body
            }
            _ => {
                type $T = [u64; 2];
                $body
            }
        }
    };
}

pub(crate) use {with_number, with_real, with_size};
