//! A number from the host language, with its category but no width.

use crate::dtype::{Category, DType};

/// A host number: what a Python `bool`, `int`, `float` or `complex` is to an operation.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Scalar {
    Bool(bool),
    Int(i64),
    Float(f64),
    Complex(f64, f64),
}

impl Scalar {
    pub fn category(self) -> Category {
        match self {
            Scalar::Bool(_) => Category::Bool,
            Scalar::Int(_) => Category::Int,
            Scalar::Float(_) => Category::Float,
            Scalar::Complex(..) => Category::Complex,
        }
    }

    /// The real part as a double.
    pub fn to_f64(self) -> f64 {
        match self {
            Scalar::Bool(b) => b as u8 as f64,
            Scalar::Int(i) => i as f64,
            Scalar::Float(f) | Scalar::Complex(f, _) => f,
        }
    }

    /// Truncating conversion.
    pub fn to_i64(self) -> i64 {
        match self {
            Scalar::Bool(b) => b as i64,
            Scalar::Int(i) => i,
            Scalar::Float(f) | Scalar::Complex(f, _) => f as i64,
        }
    }

    pub fn to_complex(self) -> (f64, f64) {
        match self {
            Scalar::Complex(re, im) => (re, im),
            other => (other.to_f64(), 0.0),
        }
    }

    pub fn to_bool(self) -> bool {
        match self {
            Scalar::Bool(b) => b,
            Scalar::Int(i) => i != 0,
            Scalar::Float(f) => f != 0.0,
            Scalar::Complex(re, im) => re != 0.0 || im != 0.0,
        }
    }

    /// The type that a tensor made of this number alone has, given the default float type.
    pub fn natural_dtype(self, default: DType) -> DType {
        match self {
            Scalar::Bool(_) => DType::Bool,
            Scalar::Int(_) => DType::I64,
            Scalar::Float(_) => default,
            Scalar::Complex(..) => default.to_complex(),
        }
    }
}

macro_rules! from {
    ($($t:ty => $v:ident as $w:ty),*) => {$(
        impl From<$t> for Scalar {
            fn from(x: $t) -> Self { Scalar::$v(x as $w) }
        }
    )*};
}
from!(bool => Bool as bool, i32 => Int as i64, i64 => Int as i64, usize => Int as i64, f32 => Float as f64, f64 => Float as f64);

static DEFAULT: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(DType::F32 as u8);

/// The type that host floats become (`torch.get_default_dtype`).
#[inline]
pub fn default_dtype() -> DType {
    DType::ALL[DEFAULT.load(std::sync::atomic::Ordering::Relaxed) as usize]
}

/// Sets the type that host floats become. Only floating point types.
pub fn set_default_dtype(dtype: DType) -> crate::Result<()> {
    crate::check!(dtype.is_float(), Type, "only floating-point types are supported as the default type");
    DEFAULT.store(dtype as u8, std::sync::atomic::Ordering::Relaxed);
    Ok(())
}
