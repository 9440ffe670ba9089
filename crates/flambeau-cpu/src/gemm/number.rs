//! Element types of the products: what they accumulate in and which micro-kernel serves them.

use half::{bf16, f16};

use super::micro::{Plain, Unit};
use crate::isa::{Isa, Level, level};

/// A type that products are accumulated in. Integers wrap.
pub(crate) trait Number: Copy + Default + PartialEq + Send + Sync + 'static {
    const ZERO: Self;
    fn mul_add(self, b: Self, c: Self) -> Self;
    fn mul(self, b: Self) -> Self;
    fn add(self, b: Self) -> Self;
    fn from_f64(x: f64) -> Self;
    /// `self * b + c`, fused where level `I` can.
    fn fma<I: Isa>(self, b: Self, c: Self) -> Self;
}

macro_rules! float {
    ($($t:ty, $fma:ident);*) => {$(
        impl Number for $t {
            const ZERO: Self = 0.0;
            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                // Not the fused one: without the instruction that is a call.
                self * b + c
            }
            #[inline(always)]
            fn mul(self, b: Self) -> Self {
                self * b
            }
            #[inline(always)]
            fn add(self, b: Self) -> Self {
                self + b
            }
            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn fma<I: Isa>(self, b: Self, c: Self) -> Self {
                I::$fma(self, b, c)
            }
        }
    )*};
}
float!(f32, fma32; f64, fma64);

macro_rules! int {
    ($($t:ty),*) => {$(
        impl Number for $t {
            const ZERO: Self = 0;
            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                self.wrapping_mul(b).wrapping_add(c)
            }
            #[inline(always)]
            fn mul(self, b: Self) -> Self {
                self.wrapping_mul(b)
            }
            #[inline(always)]
            fn add(self, b: Self) -> Self {
                self.wrapping_add(b)
            }
            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as i64 as $t
            }
            #[inline(always)]
            fn fma<I: Isa>(self, b: Self, c: Self) -> Self {
                self.mul_add(b, c)
            }
        }
    )*};
}
int!(i8, i16, i32, i64, u8, u16, u32, u64);

/// Conversion to the accumulator's type.
pub(crate) trait Widen<A> {
    fn widen(self) -> A;
}
impl<T> Widen<T> for T {
    #[inline(always)]
    fn widen(self) -> T {
        self
    }
}
impl Widen<f32> for bf16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from_bits((self.to_bits() as u32) << 16)
    }
}
impl Widen<f32> for f16 {
    /// By integer arithmetic, which the compiler vectorises on any machine.
    #[inline(always)]
    fn widen(self) -> f32 {
        let h = self.to_bits() as u32;
        let magnitude = (h & 0x7fff) << 13;
        // Rescaling by 2^112 also normalises the subnormals.
        let finite = f32::from_bits(magnitude) * f32::from_bits(0x7780_0000);
        let bits = if h & 0x7c00 == 0x7c00 { magnitude | 0x7f80_0000 } else { finite.to_bits() };
        f32::from_bits(bits | (h & 0x8000) << 16)
    }
}

/// Code to run with the micro-kernel for elements of type `E`.
pub(crate) trait Visit<E: Element> {
    type Out;
    fn visit<K: Unit<E, Acc = E::Acc>>(self) -> Self::Out;
}

/// An element type of the products.
pub(crate) trait Element: Copy + Default + Send + Sync + Widen<Self::Acc> + 'static {
    type Acc: Number;
    fn narrow(x: Self::Acc) -> Self;
    /// Runs `v` with the best micro-kernel of this machine.
    fn dispatch<V: Visit<Self>>(v: V) -> V::Out;
    /// As [`dispatch`](Element::dispatch) with a micro-kernel whose units are accumulators (`KU == 1`).
    fn dispatch_wide<V: Visit<Self>>(v: V) -> V::Out {
        Self::dispatch(v)
    }
}

macro_rules! same {
    ($t:ty, |$v:ident| $dispatch:expr) => {
        impl Element for $t {
            type Acc = $t;
            #[inline(always)]
            fn narrow(x: $t) -> $t {
                x
            }
            fn dispatch<V: Visit<Self>>($v: V) -> V::Out {
                $dispatch
            }
        }
    };
}

macro_rules! by_level {
    ($v:ident, $avx512:ident, $avx2:ident, $acc:ty) => {
        match level() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => $v.visit::<super::micro::$avx512>(),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => $v.visit::<super::micro::$avx2>(),
            _ => $v.visit::<Plain<$acc>>(),
        }
    };
}

same!(f32, |v| by_level!(v, F32Avx512, F32Avx2, f32));
same!(f64, |v| by_level!(v, F64Avx512, F64Avx2, f64));
macro_rules! same_int {
    ($($t:ty),*) => {$(same!($t, |v| v.visit::<Plain<$t>>());)*};
}
same_int!(i8, i16, i32, i64, u8, u16, u32, u64);

impl Element for bf16 {
    type Acc = f32;
    #[inline(always)]
    fn narrow(x: f32) -> bf16 {
        bf16::from_f32(x)
    }
    fn dispatch<V: Visit<Self>>(v: V) -> V::Out {
        #[cfg(target_arch = "x86_64")]
        if level() == Level::Avx512 && is_x86_feature_detected!("avx512bf16") {
            return v.visit::<super::micro::Bf16Avx512>();
        }
        by_level!(v, F32Avx512, F32Avx2, f32)
    }
    fn dispatch_wide<V: Visit<Self>>(v: V) -> V::Out {
        by_level!(v, F32Avx512, F32Avx2, f32)
    }
}

impl Element for f16 {
    type Acc = f32;
    #[inline(always)]
    fn narrow(x: f32) -> f16 {
        f16::from_f32(x)
    }
    fn dispatch<V: Visit<Self>>(v: V) -> V::Out {
        by_level!(v, F32Avx512, F32Avx2, f32)
    }
}
