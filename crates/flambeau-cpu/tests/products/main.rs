//! The family of products against plain loops in float64.

mod conv;
mod matrix;
mod tensor;
