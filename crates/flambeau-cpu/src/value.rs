//! Element types as reductions, scans and orderings see them.

use crate::isa::Isa;
use half::{bf16, f16};

/// Arithmetic and order of the types that accumulators have. Integers wrap.
pub trait Num: Copy + Send + Sync + PartialOrd + Default + 'static {
    const ZERO: Self;
    const ONE: Self;
    /// Below or equal to all: `-inf` for floats.
    const LOWEST: Self;
    const HIGHEST: Self;
    fn plus(self, o: Self) -> Self;
    fn times(self, o: Self) -> Self;
    fn is_nan(self) -> bool;
    /// `self > o`, or `self` is NaN while `o` is not.
    #[inline(always)]
    #[allow(clippy::neg_cmp_op_on_partial_ord)]
    fn beats(self, o: Self) -> bool {
        !(self <= o) & !o.is_nan()
    }
    /// `self < o`, or `self` is NaN while `o` is not.
    #[inline(always)]
    #[allow(clippy::neg_cmp_op_on_partial_ord)]
    fn undercuts(self, o: Self) -> bool {
        !(self >= o) & !o.is_nan()
    }
}

macro_rules! int_num {
    ($($t:ident)*) => {$(
        impl Num for $t {
            const ZERO: $t = 0;
            const ONE: $t = 1;
            const LOWEST: $t = $t::MIN;
            const HIGHEST: $t = $t::MAX;
            #[inline(always)]
            fn plus(self, o: $t) -> $t { self.wrapping_add(o) }
            #[inline(always)]
            fn times(self, o: $t) -> $t { self.wrapping_mul(o) }
            #[inline(always)]
            fn is_nan(self) -> bool { false }
        }
        impl Value for $t {
            type A = $t;
            #[inline(always)]
            fn up(self) -> $t { self }
            #[inline(always)]
            fn down(a: $t) -> $t { a }
        }
    )*};
}
int_num!(u8 i8 u16 i16 u32 i32 u64 i64);

/// What is stored; `A` is what it is computed in.
pub trait Value: Copy + Send + Sync + Default + 'static {
    type A: Num;
    fn up(self) -> Self::A;
    fn down(a: Self::A) -> Self;
}

/// Stored floats: `f32`, `f64`, `bf16`, `f16`.
pub trait FloatValue: Value<A: Float> {}
impl<T: Value<A: Float>> FloatValue for T {}

/// `f32` and `f64` as accumulators.
pub trait Float:
    Num
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Div<Output = Self>
    + std::ops::Neg<Output = Self>
    + std::ops::AddAssign
{
    fn of(x: f64) -> Self;
    fn f64(self) -> f64;
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
    fn ln(self) -> Self;
    fn pow(self, p: Self) -> Self;
    fn hypot(self, o: Self) -> Self;
    fn exp<I: Isa>(self) -> Self;
    fn fma<I: Isa>(self, b: Self, c: Self) -> Self;
}

macro_rules! float_num {
    ($t:ident, $fma:ident, $exp:expr) => {
        impl Num for $t {
            const ZERO: $t = 0.0;
            const ONE: $t = 1.0;
            const LOWEST: $t = $t::NEG_INFINITY;
            const HIGHEST: $t = $t::INFINITY;
            #[inline(always)]
            fn plus(self, o: $t) -> $t {
                self + o
            }
            #[inline(always)]
            fn times(self, o: $t) -> $t {
                self * o
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                $t::is_nan(self)
            }
        }
        impl Value for $t {
            type A = $t;
            #[inline(always)]
            fn up(self) -> $t {
                self
            }
            #[inline(always)]
            fn down(a: $t) -> $t {
                a
            }
        }
        impl Float for $t {
            #[inline(always)]
            fn of(x: f64) -> $t {
                x as $t
            }
            #[inline(always)]
            fn f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn abs(self) -> $t {
                $t::abs(self)
            }
            #[inline(always)]
            fn sqrt(self) -> $t {
                $t::sqrt(self)
            }
            #[inline(always)]
            fn ln(self) -> $t {
                $t::ln(self)
            }
            #[inline(always)]
            fn pow(self, p: $t) -> $t {
                $t::powf(self, p)
            }
            #[inline(always)]
            fn hypot(self, o: $t) -> $t {
                $t::hypot(self, o)
            }
            #[inline(always)]
            fn exp<I: Isa>(self) -> $t {
                $exp(self)
            }
            #[inline(always)]
            fn fma<I: Isa>(self, b: $t, c: $t) -> $t {
                I::$fma(self, b, c)
            }
        }
    };
}
float_num!(f32, fma32, crate::math::f32::exp::<I>);
float_num!(f64, fma64, crate::math::f64::exp::<I>);

impl Value for bf16 {
    type A = f32;
    #[inline(always)]
    fn up(self) -> f32 {
        crate::convert::widen(self.to_bits())
    }
    #[inline(always)]
    fn down(a: f32) -> bf16 {
        bf16::from_bits(crate::convert::narrow(a))
    }
}

impl Value for f16 {
    type A = f32;
    /// Without branches, so that loops over it vectorise.
    #[inline(always)]
    fn up(self) -> f32 {
        let h = self.to_bits() as u32;
        let magnitude = (h & 0x7fff) << 13;
        // 2^112 moves the exponent's bias, and makes normal numbers of subnormal ones.
        let scaled = (f32::from_bits(magnitude) * f32::from_bits(0x7780_0000)).to_bits();
        let special = if magnitude >= 0x0f80_0000 { 0x7f80_0000 } else { 0 };
        f32::from_bits(scaled | special | (h & 0x8000) << 16)
    }
    #[inline(always)]
    fn down(a: f32) -> f16 {
        f16::from_f32(a)
    }
}

/// A complex number in memory.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
#[repr(C)]
pub struct Complex<T>(pub T, pub T);

/// Runs `$body` with `$T` the element type of a real dtype (`bool` as `u8`).
macro_rules! real_dtype {
    ($dtype:expr, $op:expr, $T:ident => $body:expr) => {{
        use flambeau_backend::DType;
        match $dtype {
            DType::U8 | DType::Bool => {
                type $T = u8;
                $body
            }
            DType::I8 => {
                type $T = i8;
                $body
            }
            DType::I16 => {
                type $T = i16;
                $body
            }
            DType::I32 => {
                type $T = i32;
                $body
            }
            DType::I64 => {
                type $T = i64;
                $body
            }
            DType::U16 => {
                type $T = u16;
                $body
            }
            DType::U32 => {
                type $T = u32;
                $body
            }
            DType::U64 => {
                type $T = u64;
                $body
            }
            DType::F16 => {
                type $T = half::f16;
                $body
            }
            DType::BF16 => {
                type $T = half::bf16;
                $body
            }
            DType::F32 => {
                type $T = f32;
                $body
            }
            DType::F64 => {
                type $T = f64;
                $body
            }
            d => Err(flambeau_backend::Error::dtype($op, d)),
        }
    }};
}

/// As `real_dtype` for integers of any sign and `bool`, by size: for operations that do not look at the sign.
macro_rules! int_dtype {
    ($dtype:expr, $op:expr, $T:ident => $body:expr) => {{
        use flambeau_backend::DType;
        match $dtype {
            DType::U8 | DType::I8 | DType::Bool => {
                type $T = u8;
                $body
            }
            DType::U16 | DType::I16 => {
                type $T = u16;
                $body
            }
            DType::U32 | DType::I32 => {
                type $T = u32;
                $body
            }
            DType::U64 | DType::I64 => {
                type $T = u64;
                $body
            }
            d => Err(flambeau_backend::Error::dtype($op, d)),
        }
    }};
}

/// As `real_dtype` for floats.
macro_rules! float_dtype {
    ($dtype:expr, $op:expr, $T:ident => $body:expr) => {{
        use flambeau_backend::DType;
        match $dtype {
            DType::F16 => {
                type $T = half::f16;
                $body
            }
            DType::BF16 => {
                type $T = half::bf16;
                $body
            }
            DType::F32 => {
                type $T = f32;
                $body
            }
            DType::F64 => {
                type $T = f64;
                $body
            }
            d => Err(flambeau_backend::Error::dtype($op, d)),
        }
    }};
}
pub(crate) use {float_dtype, int_dtype, real_dtype};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_conversions_match_the_half_crate() {
        for bits in 0..=u16::MAX {
            let (h, b) = (f16::from_bits(bits), bf16::from_bits(bits));
            assert!(h.up().to_bits() == h.to_f32().to_bits() || h.is_nan() && h.up().is_nan(), "{bits:x}");
            assert!(b.up().to_bits() == b.to_f32().to_bits() || b.is_nan() && b.up().is_nan(), "{bits:x}");
        }
        for i in 0..1_000_000u32 {
            let x = f32::from_bits(i.wrapping_mul(4297));
            let (a, b) = (<bf16 as Value>::down(x), bf16::from_f32(x));
            assert!(a.to_bits() == b.to_bits() || a.is_nan() && x.is_nan(), "{x}");
        }
    }
}
