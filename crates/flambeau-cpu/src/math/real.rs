//! One spelling of arithmetic for `f32` and `f64`, so that a body is written once.

use crate::isa::Isa;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// The two types that float bodies compute in.
pub trait Real:
    crate::elementwise::block::Param
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Send
    + Sync
    + 'static
{
    const ZERO: Self;
    const ONE: Self;
    const HALF: Self;
    const NAN: Self;
    const INFINITY: Self;

    fn of(x: f64) -> Self;
    fn wide(self) -> f64;
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
    fn floor(self) -> Self;
    fn ceil(self) -> Self;
    fn trunc(self) -> Self;
    fn round_even(self) -> Self;
    fn copysign(self, s: Self) -> Self;
    fn negative(self) -> bool;
    /// C's `fmod`.
    fn fmod(self, d: Self) -> Self;
    fn nextafter(self, to: Self) -> Self;
    fn fma<I: Isa>(self, b: Self, c: Self) -> Self;
    fn exp<I: Isa>(self) -> Self;
    fn exp2<I: Isa>(self) -> Self;
    fn expm1<I: Isa>(self) -> Self;
    fn log<I: Isa>(self) -> Self;
    fn log2<I: Isa>(self) -> Self;
    fn log10<I: Isa>(self) -> Self;
    fn log1p<I: Isa>(self) -> Self;
    fn tanh<I: Isa>(self) -> Self;
    fn erf<I: Isa>(self) -> Self;
    fn erfc<I: Isa>(self) -> Self;
    fn sin<I: Isa>(self) -> Self;
    fn cos<I: Isa>(self) -> Self;
    fn sinh<I: Isa>(self) -> Self;
    fn cosh<I: Isa>(self) -> Self;
    fn pow<I: Isa>(self, y: Self) -> Self;
    /// Whether `sin` and `cos` take an argument of this size (else [`Real::slow_sin`]).
    fn small_angle(self) -> bool;
    fn slow_sin(self) -> Self;
    fn slow_cos(self) -> Self;
    fn hypot(self, b: Self) -> Self;
    fn atan2(self, b: Self) -> Self;

    #[inline(always)]
    fn is_nan(self) -> bool {
        self.partial_cmp(&self).is_none()
    }
}

macro_rules! shared {
    ($t:ident) => {
        const ZERO: $t = 0.0;
        const ONE: $t = 1.0;
        const HALF: $t = 0.5;
        const NAN: $t = $t::NAN;
        const INFINITY: $t = $t::INFINITY;

        #[inline(always)]
        fn of(x: f64) -> $t {
            x as $t
        }
        #[inline(always)]
        fn wide(self) -> f64 {
            self as f64
        }
        #[inline(always)]
        fn abs(self) -> $t {
            self.abs()
        }
        #[inline(always)]
        fn sqrt(self) -> $t {
            self.sqrt()
        }
        #[inline(always)]
        fn floor(self) -> $t {
            self.floor()
        }
        #[inline(always)]
        fn ceil(self) -> $t {
            self.ceil()
        }
        #[inline(always)]
        fn trunc(self) -> $t {
            self.trunc()
        }
        #[inline(always)]
        fn round_even(self) -> $t {
            self.round_ties_even()
        }
        #[inline(always)]
        fn copysign(self, s: $t) -> $t {
            self.copysign(s)
        }
        #[inline(always)]
        fn negative(self) -> bool {
            self.is_sign_negative()
        }
        #[inline(always)]
        fn fmod(self, d: $t) -> $t {
            self % d
        }
        #[inline(always)]
        fn nextafter(self, to: $t) -> $t {
            if self.is_nan() || to.is_nan() {
                $t::NAN
            } else if self == to {
                to
            } else if self == 0.0 {
                $t::from_bits(1).copysign(to)
            } else if (to > self) == (self > 0.0) {
                $t::from_bits(self.to_bits() + 1)
            } else {
                $t::from_bits(self.to_bits() - 1)
            }
        }
        #[inline(always)]
        fn is_nan(self) -> bool {
            self != self
        }
        #[inline(always)]
        fn hypot(self, b: $t) -> $t {
            self.hypot(b)
        }
        #[inline(always)]
        fn atan2(self, b: $t) -> $t {
            self.atan2(b)
        }
        #[inline(always)]
        fn slow_sin(self) -> $t {
            self.sin()
        }
        #[inline(always)]
        fn slow_cos(self) -> $t {
            self.cos()
        }
    };
}

macro_rules! vector {
    ($t:ident, $m:ident: $($f:ident),*) => {$(
        #[inline(always)]
        fn $f<I: Isa>(self) -> $t {
            super::$m::$f::<I>(self)
        }
    )*};
}

macro_rules! standard {
    ($t:ident: $($f:ident = $g:ident),*) => {$(
        #[inline(always)]
        fn $f<I: Isa>(self) -> $t {
            self.$g()
        }
    )*};
}

#[allow(clippy::eq_op)]
impl Real for f32 {
    shared!(f32);
    vector!(f32, f32: exp, exp2, expm1, log, log2, log10, log1p, tanh, erf, erfc, sin, cos, sinh, cosh);

    #[inline(always)]
    fn fma<I: Isa>(self, b: f32, c: f32) -> f32 {
        I::fma32(self, b, c)
    }
    #[inline(always)]
    fn pow<I: Isa>(self, y: f32) -> f32 {
        super::f32::pow::<I>(self, y)
    }
    #[inline(always)]
    fn small_angle(self) -> bool {
        self.abs() < 131072.0
    }
}

#[allow(clippy::eq_op)]
impl Real for f64 {
    shared!(f64);
    vector!(f64, f64: exp, expm1, log, log1p, tanh, erf);
    standard!(f64: exp2 = exp2, log2 = log2, log10 = log10, sin = sin, cos = cos, sinh = sinh, cosh = cosh);

    #[inline(always)]
    fn erfc<I: Isa>(self) -> f64 {
        libm::erfc(self)
    }
    #[inline(always)]
    fn fma<I: Isa>(self, b: f64, c: f64) -> f64 {
        I::fma64(self, b, c)
    }
    #[inline(always)]
    fn pow<I: Isa>(self, y: f64) -> f64 {
        self.powf(y)
    }
    #[inline(always)]
    fn small_angle(self) -> bool {
        true
    }
}
