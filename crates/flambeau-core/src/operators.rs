//! `&a + &b`, `&a * 2.0`, `-&a`: each gives a `Result`, to be used with `?`.

use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::autograd;
use crate::error::Result;
use crate::intrinsics::intrinsics;
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// The right side of an operator: a tensor, or a host number that does not widen the tensor's type.
pub trait Operand {
    /// Calls `f` with `a` and this operand.
    fn apply(self, a: &Tensor, f: fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Tensor>;
}

impl Operand for &Tensor {
    #[inline]
    fn apply(self, a: &Tensor, f: fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
        f(a, self)
    }
}

impl Operand for Tensor {
    #[inline]
    fn apply(self, a: &Tensor, f: fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
        f(a, &self)
    }
}

macro_rules! numbers {
    ($($t:ty),*) => {$(
        impl Operand for $t {
            #[inline]
            fn apply(self, a: &Tensor, f: fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
                f(a, &Tensor::wrapped(Scalar::from(self))?)
            }
        }
    )*};
}
numbers!(f32, f64, i32, i64);

macro_rules! operators {
    ($($trait:ident $method:ident;)*) => {$(
        impl<R: Operand> $trait<R> for &Tensor {
            type Output = Result<Tensor>;
            #[inline]
            fn $method(self, other: R) -> Result<Tensor> {
                other.apply(self, intrinsics().$method)
            }
        }

        impl<R: Operand> $trait<R> for Tensor {
            type Output = Result<Tensor>;
            #[inline]
            fn $method(self, other: R) -> Result<Tensor> {
                other.apply(&self, intrinsics().$method)
            }
        }

        operators!(@number $trait $method f64 i64);
    )*};
    (@number $trait:ident $method:ident $($t:ty)*) => {$(
        impl $trait<&Tensor> for $t {
            type Output = Result<Tensor>;
            #[inline]
            fn $method(self, other: &Tensor) -> Result<Tensor> {
                (intrinsics().$method)(&Tensor::wrapped(Scalar::from(self))?, other)
            }
        }

        impl $trait<Tensor> for $t {
            type Output = Result<Tensor>;
            #[inline]
            fn $method(self, other: Tensor) -> Result<Tensor> {
                self.$method(&other)
            }
        }
    )*};
}
operators! {
    Add add;
    Sub sub;
    Mul mul;
    Div div;
}

impl Neg for &Tensor {
    type Output = Result<Tensor>;
    fn neg(self) -> Result<Tensor> {
        (intrinsics().neg)(self)
    }
}

impl Neg for Tensor {
    type Output = Result<Tensor>;
    fn neg(self) -> Result<Tensor> {
        -&self
    }
}

impl Tensor {
    /// Computes the gradients of all leaves that this scalar depends on and adds them to their `.grad`.
    ///
    /// # Errors
    /// `Runtime` for a tensor that is not a scalar or has no graph; whatever a hook or a custom function fails with.
    pub fn backward(&self) -> Result<()> {
        autograd::backward(std::slice::from_ref(self), &[None], false, false, None)
    }
}

/// Shape, dtype and device; the values are printed by the crate `flambeau`.
impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({}, {}, {})", crate::layout::fmt(self.sizes()), self.dtype(), self.device())
    }
}
