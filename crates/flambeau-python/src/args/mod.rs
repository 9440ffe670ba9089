//! From Python's arguments to the boundary's: signatures are read once, and one parser serves every operation.

pub mod check;
pub mod convert;
pub mod message;
mod numpy;
pub mod spec;
