//! Operations as methods of [`Tensor`], and functions that make tensors.

use crate::print::Shown;
use flambeau_core::op::Params;
use flambeau_core::{DType, Operand, Result, Scalar, Tensor, call_inplace, call1, check, params};
use flambeau_ops::{activation, binary, copy, index, matmul, order, reduce, softmax, ternary, unary, variance, view};

macro_rules! methods {
    (
        unary { $($u:ident)* }
        binary { $($b:ident = $bf:path;)* }
        inplace { $($i:ident = $io:path;)* }
    ) => {
        /// PyTorch's tensor methods. Those that take a number or a tensor take either.
        pub trait TensorMethods {
            $(#[doc = concat!("`torch.", stringify!($u), "`")] fn $u(&self) -> Result<Tensor>;)*
            $(#[doc = concat!("`torch.", stringify!($b), "`")] fn $b(&self, other: impl Operand) -> Result<Tensor>;)*
            $(
                #[doc = concat!("`torch.Tensor.", stringify!($i), "`, in place. Refused for leaves that require a gradient.")]
                fn $i(&self, other: impl Operand) -> Result<Tensor>;
            )*
            /// The sum of all elements.
            fn sum(&self) -> Result<Tensor>;
            /// The sum over `dims`.
            fn sum_dim(&self, dims: &[i64], keepdim: bool) -> Result<Tensor>;
            /// The mean of all elements.
            fn mean(&self) -> Result<Tensor>;
            /// The mean over `dims`.
            fn mean_dim(&self, dims: &[i64], keepdim: bool) -> Result<Tensor>;
            /// Variance over `dims` (all when empty) with the divisor `n - correction`.
            fn var(&self, dims: &[i64], correction: f64, keepdim: bool) -> Result<Tensor>;
            /// The largest over `dims`.
            fn amax(&self, dims: &[i64], keepdim: bool) -> Result<Tensor>;
            /// The largest element.
            fn max(&self) -> Result<Tensor>;
            /// The smallest element.
            fn min(&self) -> Result<Tensor>;
            /// The place of the largest along `dim`, or in the flattened tensor.
            fn argmax(&self, dim: Option<i64>, keepdim: bool) -> Result<Tensor>;
            /// Sums up to each position.
            fn cumsum(&self, dim: i64) -> Result<Tensor>;
            /// Whether any element is not zero.
            fn any(&self) -> Result<Tensor>;
            /// Whether all elements are not zero.
            fn all(&self) -> Result<Tensor>;
            /// The 2-norm of all elements.
            fn norm(&self) -> Result<Tensor>;
            /// Matrix product with PyTorch's broadcasting.
            fn matmul(&self, other: &Tensor) -> Result<Tensor>;
            /// The same elements with another shape; one size may be -1. A view where possible.
            fn reshape(&self, sizes: &[i64]) -> Result<Tensor>;
            /// As [`reshape`](Self::reshape), an error where that needs a copy.
            fn view(&self, sizes: &[i64]) -> Result<Tensor>;
            fn permute(&self, order: &[i64]) -> Result<Tensor>;
            fn transpose(&self, a: i64, b: i64) -> Result<Tensor>;
            /// A matrix with rows and columns exchanged.
            fn t(&self) -> Result<Tensor>;
            fn expand(&self, sizes: &[i64]) -> Result<Tensor>;
            fn unsqueeze(&self, dim: i64) -> Result<Tensor>;
            fn squeeze(&self, dim: i64) -> Result<Tensor>;
            /// One position of a dimension, which goes away: `x[i]` is `x.select(0, i)`.
            fn select(&self, dim: i64, index: i64) -> Result<Tensor>;
            /// `x[start:start+length]` along a dimension.
            fn narrow(&self, dim: i64, start: i64, length: i64) -> Result<Tensor>;
            /// Dimensions `start..=end` as one.
            fn flatten(&self, start: i64, end: i64) -> Result<Tensor>;
            fn contiguous(&self) -> Result<Tensor>;
            fn index_select(&self, dim: i64, index: &Tensor) -> Result<Tensor>;
            fn gather(&self, dim: i64, index: &Tensor) -> Result<Tensor>;
            fn masked_fill(&self, mask: &Tensor, value: f64) -> Result<Tensor>;
            /// Each element not below `low` and not above `high`.
            fn clamp(&self, low: f64, high: f64) -> Result<Tensor>;
            fn softmax(&self, dim: i64) -> Result<Tensor>;
            fn log_softmax(&self, dim: i64) -> Result<Tensor>;
            fn relu(&self) -> Result<Tensor>;
            fn gelu(&self) -> Result<Tensor>;
            fn silu(&self) -> Result<Tensor>;
            fn round(&self) -> Result<Tensor>;
            /// The tensor itself if it has this dtype, else a converted copy.
            fn to_dtype(&self, dtype: DType) -> Result<Tensor>;
            /// A copy; gradients flow through.
            fn copy(&self) -> Result<Tensor>;
            /// Writes `source`, converted and expanded, in place.
            fn copy_(&self, source: &Tensor) -> Result<Tensor>;
            /// Sets every element.
            fn fill_(&self, value: f64) -> Result<Tensor>;
            fn zero_(&self) -> Result<Tensor>;
            /// The tensor itself, requiring a gradient.
            fn requires_grad_(self) -> Result<Tensor>;
            /// The single element as a double.
            fn to_f64(&self) -> Result<f64>;
            /// To be printed as PyTorch prints it: `println!("{}", x.display())`.
            fn display(&self) -> Shown<'_>;
        }

        impl TensorMethods for Tensor {
            $(#[inline] fn $u(&self) -> Result<Tensor> { unary::$u(self) })*
            $(#[inline] fn $b(&self, other: impl Operand) -> Result<Tensor> { other.apply(self, $bf) })*
            $(fn $i(&self, other: impl Operand) -> Result<Tensor> {
                other.apply(self, |a, b| call_inplace(&$io, &[Some(a), Some(b)], Params::new()))
            })*
            fn sum(&self) -> Result<Tensor> { reduce::sum(self, &[], false) }
            fn sum_dim(&self, dims: &[i64], keepdim: bool) -> Result<Tensor> { reduce::sum(self, dims, keepdim) }
            fn mean(&self) -> Result<Tensor> { reduce::mean(self, &[], false) }
            fn mean_dim(&self, dims: &[i64], keepdim: bool) -> Result<Tensor> { reduce::mean(self, dims, keepdim) }
            fn var(&self, dims: &[i64], correction: f64, keepdim: bool) -> Result<Tensor> {
                Ok(variance::var_mean(self, dims, correction, keepdim)?.0)
            }
            fn amax(&self, dims: &[i64], keepdim: bool) -> Result<Tensor> { reduce::amax(self, dims, keepdim) }
            fn max(&self) -> Result<Tensor> { call1(&reduce::max::OP, &[Some(self)], Params::new()) }
            fn min(&self) -> Result<Tensor> { call1(&reduce::min::OP, &[Some(self)], Params::new()) }
            fn argmax(&self, dim: Option<i64>, keepdim: bool) -> Result<Tensor> { reduce::argmax(self, dim, keepdim) }
            fn cumsum(&self, dim: i64) -> Result<Tensor> { order::cumsum(self, dim) }
            fn any(&self) -> Result<Tensor> { reduce::any_all(self, true) }
            fn all(&self) -> Result<Tensor> { reduce::any_all(self, false) }
            fn norm(&self) -> Result<Tensor> { reduce::norm(self, 2.0) }
            fn matmul(&self, other: &Tensor) -> Result<Tensor> { matmul::matmul(self, other) }
            fn reshape(&self, sizes: &[i64]) -> Result<Tensor> { view::reshape(self, sizes) }
            fn view(&self, sizes: &[i64]) -> Result<Tensor> { view::view(self, sizes) }
            fn permute(&self, order: &[i64]) -> Result<Tensor> {
                call1(&view::permute::OP, &[Some(self)], params![order])
            }
            fn transpose(&self, a: i64, b: i64) -> Result<Tensor> { view::transpose(self, a, b) }
            fn t(&self) -> Result<Tensor> {
                check!(self.ndim() <= 2, Runtime, "t() expects a tensor with <= 2 dimensions, but self is {}D", self.ndim());
                if self.ndim() < 2 { view::alias(self) } else { view::transpose(self, 0, 1) }
            }
            fn expand(&self, sizes: &[i64]) -> Result<Tensor> {
                call1(&view::expand::OP, &[Some(self)], params![sizes, false])
            }
            fn unsqueeze(&self, dim: i64) -> Result<Tensor> { view::unsqueeze(self, dim) }
            fn squeeze(&self, dim: i64) -> Result<Tensor> { view::squeeze(self, dim) }
            fn select(&self, dim: i64, index: i64) -> Result<Tensor> { view::select(self, dim, index) }
            fn narrow(&self, dim: i64, start: i64, length: i64) -> Result<Tensor> { view::narrow(self, dim, start, length) }
            fn flatten(&self, start: i64, end: i64) -> Result<Tensor> { view::flatten(self, start, end) }
            fn contiguous(&self) -> Result<Tensor> { copy::contiguous(self) }
            fn index_select(&self, dim: i64, i: &Tensor) -> Result<Tensor> { index::index_select(self, dim, i) }
            fn gather(&self, dim: i64, i: &Tensor) -> Result<Tensor> { index::gather(self, dim, i) }
            fn masked_fill(&self, mask: &Tensor, value: f64) -> Result<Tensor> { ternary::masked_fill(self, mask, value) }
            fn clamp(&self, low: f64, high: f64) -> Result<Tensor> { ternary::clamp(self, low, high) }
            fn softmax(&self, dim: i64) -> Result<Tensor> { softmax::softmax(self, dim) }
            fn log_softmax(&self, dim: i64) -> Result<Tensor> { softmax::log_softmax(self, dim) }
            fn relu(&self) -> Result<Tensor> { activation::relu(self) }
            fn gelu(&self) -> Result<Tensor> { activation::gelu(self) }
            fn silu(&self) -> Result<Tensor> { activation::silu(self) }
            fn round(&self) -> Result<Tensor> { unary::round(self) }
            fn to_dtype(&self, dtype: DType) -> Result<Tensor> { copy::to_dtype(self, dtype) }
            fn copy(&self) -> Result<Tensor> { copy::clone(self) }
            fn copy_(&self, source: &Tensor) -> Result<Tensor> { copy::copy_(self, source).map(|()| self.clone()) }
            fn fill_(&self, value: f64) -> Result<Tensor> {
                copy::fill_(self, Scalar::Float(value)).map(|()| self.clone())
            }
            fn zero_(&self) -> Result<Tensor> { copy::fill_(self, Scalar::Int(0)).map(|()| self.clone()) }
            fn requires_grad_(self) -> Result<Tensor> {
                self.set_requires_grad(true)?;
                Ok(self)
            }
            fn to_f64(&self) -> Result<f64> { Ok(self.item()?.to_f64()) }
            fn display(&self) -> Shown<'_> { Shown(self) }
        }
    };
}

methods! {
    unary {
        neg abs sign ceil floor trunc frac reciprocal sqrt rsqrt square exp exp2 expm1 log log2 log10 log1p sin cos tan
        asin acos atan sinh cosh tanh asinh acosh atanh erf erfc sigmoid logical_not isnan isinf isfinite
    }
    binary {
        add = binary::add;
        sub = binary::sub;
        mul = binary::mul;
        div = binary::div;
        pow = binary::pow;
        remainder = binary::remainder;
        fmod = binary::fmod;
        floor_divide = binary::floor_divide;
        atan2 = binary::atan2;
        maximum = binary::maximum;
        minimum = binary::minimum;
        eq = binary::eq;
        ne = binary::ne;
        lt = binary::lt;
        le = binary::le;
        gt = binary::gt;
        ge = binary::ge;
        logical_and = binary::logical_and;
        logical_or = binary::logical_or;
    }
    inplace {
        add_ = binary::add::OP;
        sub_ = binary::sub::OP;
        mul_ = binary::mul::OP;
        div_ = binary::true_div::OP;
    }
}

/// Functions that make tensors on the CPU.
pub mod create {
    use super::*;
    use flambeau_core::{Device, default_dtype};
    pub use flambeau_ops::create::zeros_like;
    pub use flambeau_ops::random::{rand, randint, randn, randperm};

    /// Zeros of the default dtype.
    pub fn zeros(sizes: &[i64]) -> Result<Tensor> {
        flambeau_ops::create::zeros(sizes, default_dtype(), Device::CPU)
    }

    /// Ones of the default dtype.
    pub fn ones(sizes: &[i64]) -> Result<Tensor> {
        full(sizes, 1.0)
    }

    /// One number throughout, in the default dtype.
    pub fn full(sizes: &[i64], value: f64) -> Result<Tensor> {
        flambeau_ops::create::full(sizes, Scalar::Float(value), default_dtype(), Device::CPU)
    }

    /// The integers `start..end`.
    pub fn arange(start: i64, end: i64) -> Result<Tensor> {
        flambeau_ops::create::arange_int(start, end)
    }

    /// `steps` numbers from `start` to `end`, both included.
    pub fn linspace(start: f64, end: f64, steps: i64) -> Result<Tensor> {
        let p = params![Scalar::Float(start), Scalar::Float(end), steps];
        call1(&flambeau_ops::create::linspace::OP, &[], p)
    }

    /// The identity matrix.
    pub fn eye(n: i64) -> Result<Tensor> {
        call1(&flambeau_ops::create::eye::OP, &[], params![n])
    }
}
