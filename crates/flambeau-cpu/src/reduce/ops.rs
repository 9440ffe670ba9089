//! The monoids that reductions fold with.

use super::fold::Fold;
use crate::isa::Isa;
use crate::value::{Complex, Float, FloatValue, Num, Value};
use std::marker::PhantomData;

macro_rules! marker {
    ($($(#[$m:meta])* $name:ident)*) => {$(
        $(#[$m])*
        pub struct $name<T>(PhantomData<T>);
        impl<T> Clone for $name<T> {
            fn clone(&self) -> Self { *self }
        }
        impl<T> Copy for $name<T> {}
        impl<T> $name<T> {
            pub fn new() -> Self { $name(PhantomData) }
        }
    )*};
}
marker! {
    Sum
    /// NaN counts as zero.
    NanSum
    Prod
    ComplexProd
    /// NaN wins.
    Max
    Min
    /// Sums of integers in 64 bits.
    WideSum
    /// `exp(x - shift)`
    SumExp
    /// `(x - shift)^2`
    SquareDiff
    /// In double precision, for statistics.
    ComplexSum
    ComplexSquareDiff
    MaxAbs
    MinAbs
    SumAbs
    SumSquares
    CountAbs
}

macro_rules! fold {
    ($name:ident<$T:ident: $bound:path>, $X:ty, $A:ty, shifted $shifted:literal, $id:expr,
     |$x:ident, $s:ident| $lift:expr, |$a:ident, $b:ident| $join:expr) => {
        impl<$T: $bound> Fold for $name<$T> {
            type X = $X;
            type A = $A;
            const SHIFTED: bool = $shifted;
            #[inline(always)]
            fn identity(&self) -> $A {
                $id
            }
            #[inline(always)]
            fn lift<I: Isa>(&self, $x: $X, $s: $A) -> $A {
                $lift
            }
            #[inline(always)]
            fn join(&self, $a: $A, $b: $A) -> $A {
                $join
            }
        }
    };
}

fold!(Sum<T: Value>, T, T::A, shifted false, T::A::ZERO, |x, _s| x.up(), |a, b| a.plus(b));
fold!(NanSum<T: Value>, T, T::A, shifted false, T::A::ZERO,
    |x, _s| if x.up().is_nan() { T::A::ZERO } else { x.up() }, |a, b| a.plus(b));
fold!(Prod<T: Value>, T, T::A, shifted false, T::A::ONE, |x, _s| x.up(), |a, b| a.times(b));
fold!(Max<T: Value>, T, T::A, shifted false, T::A::LOWEST, |x, _s| x.up(), |a, b| if b.beats(a) { b } else { a });
fold!(Min<T: Value>, T, T::A, shifted false, T::A::HIGHEST, |x, _s| x.up(), |a, b| if b.undercuts(a) { b } else { a });
fold!(WideSum<T: Integer>, T, i64, shifted false, 0, |x, _s| x.long(), |a, b| a.wrapping_add(b));
fold!(SquareDiff<T: FloatValue>, T, T::A, shifted true, T::A::ZERO,
    |x, s| (x.up() - s) * (x.up() - s), |a, b| a + b);

impl<T: FloatValue> Fold for SumExp<T> {
    type X = T;
    type A = T::A;
    const SHIFTED: bool = true;
    #[inline(always)]
    fn identity(&self) -> T::A {
        T::A::ZERO
    }
    #[inline(always)]
    fn lift<I: Isa>(&self, x: T, shift: T::A) -> T::A {
        (x.up() - shift).exp::<I>()
    }
    #[inline(always)]
    fn join(&self, a: T::A, b: T::A) -> T::A {
        a + b
    }
}

fold!(ComplexSum<T: Float>, Complex<T>, Complex<f64>, shifted false, Complex(0.0, 0.0),
    |x, _s| Complex(x.0.f64(), x.1.f64()), |a, b| Complex(a.0 + b.0, a.1 + b.1));
fold!(ComplexSquareDiff<T: Float>, Complex<T>, Complex<f64>, shifted true, Complex(0.0, 0.0),
    |x, s| {
        let (re, im) = (x.0.f64() - s.0, x.1.f64() - s.1);
        Complex(re * re, im * im)
    }, |a, b| Complex(a.0 + b.0, a.1 + b.1));
fold!(ComplexProd<T: Float>, Complex<T>, Complex<T>, shifted false, Complex(T::ONE, T::ZERO),
    |x, _s| x, |a, b| Complex(a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0));

fold!(MaxAbs<T: Magnitude>, T, T::R, shifted false, T::R::ZERO, |x, _s| x.magnitude(), |a, b| if b.beats(a) { b } else { a });
fold!(MinAbs<T: Magnitude>, T, T::R, shifted false, T::R::HIGHEST, |x, _s| x.magnitude(), |a, b| if b.undercuts(a) { b } else { a });
fold!(SumAbs<T: Magnitude>, T, T::R, shifted false, T::R::ZERO, |x, _s| x.magnitude(), |a, b| a + b);
fold!(SumSquares<T: Magnitude>, T, T::R, shifted false, T::R::ZERO, |x, _s| x.square(), |a, b| a + b);
fold!(CountAbs<T: Magnitude>, T, T::R, shifted false, T::R::ZERO,
    |x, _s| if x.magnitude() == T::R::ZERO { T::R::ZERO } else { T::R::ONE }, |a, b| a + b);

/// `|x|^p`
pub struct SumPower<T: Magnitude>(pub T::R);
impl<T: Magnitude> Clone for SumPower<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: Magnitude> Copy for SumPower<T> {}
impl<T: Magnitude> Fold for SumPower<T> {
    type X = T;
    type A = T::R;
    #[inline(always)]
    fn identity(&self) -> T::R {
        T::R::ZERO
    }
    #[inline(always)]
    fn lift<I: Isa>(&self, x: T, _: T::R) -> T::R {
        x.magnitude().pow(self.0)
    }
    #[inline(always)]
    fn join(&self, a: T::R, b: T::R) -> T::R {
        a + b
    }
}

/// Types that a norm takes.
pub trait Magnitude: Copy + Send + Sync + 'static {
    type R: Float;
    fn magnitude(self) -> Self::R;
    fn square(self) -> Self::R;
}
impl<T: FloatValue> Magnitude for T {
    type R = T::A;
    #[inline(always)]
    fn magnitude(self) -> T::A {
        self.up().abs()
    }
    #[inline(always)]
    fn square(self) -> T::A {
        self.up() * self.up()
    }
}
impl<T: Float> Magnitude for Complex<T> {
    type R = T;
    #[inline(always)]
    fn magnitude(self) -> T {
        self.0.hypot(self.1)
    }
    #[inline(always)]
    fn square(self) -> T {
        self.0 * self.0 + self.1 * self.1
    }
}

/// Integers (and `bool`, as `u8`) that widen to 64 bits.
pub trait Integer: Copy + Send + Sync + 'static {
    fn long(self) -> i64;
}
macro_rules! integer {
    ($($t:ident)*) => {$(
        impl Integer for $t {
            #[inline(always)]
            fn long(self) -> i64 { self as i64 }
        }
    )*};
}
integer!(u8 i8 i16 i32 i64 u16 u32 u64);

/// Bits of an element; those under the mask say whether it is zero (a float's sign does not).
pub trait Bits: Copy + Send + Sync + 'static {
    fn set(self, mask: Self) -> bool;
}
macro_rules! bits {
    ($($t:ident)*) => {$(
        impl Bits for $t {
            #[inline(always)]
            fn set(self, mask: $t) -> bool { self & mask != 0 }
        }
    )*};
}
bits!(u8 u16 u32 u64);
impl Bits for [u64; 2] {
    #[inline(always)]
    fn set(self, mask: [u64; 2]) -> bool {
        (self[0] & mask[0]) | (self[1] & mask[1]) != 0
    }
}

/// Whether any element is not zero.
#[derive(Clone, Copy)]
pub struct Any<B>(pub B);
/// Whether any element is zero.
#[derive(Clone, Copy)]
pub struct AnyZero<B>(pub B);
/// How many elements are not zero.
#[derive(Clone, Copy)]
pub struct Count<B>(pub B);

macro_rules! bit_fold {
    ($name:ident, $A:ty, |$set:ident| $lift:expr, |$a:ident, $b:ident| $join:expr) => {
        impl<B: Bits> Fold for $name<B> {
            type X = B;
            type A = $A;
            #[inline(always)]
            fn identity(&self) -> $A {
                0
            }
            #[inline(always)]
            fn lift<I: Isa>(&self, x: B, _: $A) -> $A {
                let $set = x.set(self.0);
                $lift
            }
            #[inline(always)]
            fn join(&self, $a: $A, $b: $A) -> $A {
                $join
            }
        }
    };
}
bit_fold!(Any, u8, |s| s as u8, |a, b| a | b);
bit_fold!(AnyZero, u8, |s| !s as u8, |a, b| a | b);
bit_fold!(Count, i64, |s| s as i64, |a, b| a + b);
