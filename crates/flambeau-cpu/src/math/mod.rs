//! Elementary functions that vectorise, and scalar special functions.
//!
//! The functions in `f32` and `f64` are branch-free, so that LLVM vectorises loops over them. Their polynomials were
//! fitted for this crate at Chebyshev nodes in 50-digit arithmetic; the tests sweep the errors.

pub mod bessel;
pub mod complex;
pub mod f32;
pub mod f64;
pub mod orthogonal;
mod real;
mod series;
pub mod special;

pub use real::Real;

#[cfg(test)]
mod tests;
