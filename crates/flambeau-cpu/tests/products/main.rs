//! The family of products against plain loops in float64.

mod attention;
mod conv;
mod matrix;
mod tensor;
