//! Element types and their promotion rules.

use std::fmt;

/// The element type of a tensor. The discriminants are dense so that kernels can index tables with them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum DType {
    U8,
    I8,
    I16,
    I32,
    I64,
    F16,
    F32,
    F64,
    C32,
    C64,
    C128,
    Bool,
    BF16,
    U16,
    U32,
    U64,
    F8E5M2,
    F8E4M3FN,
    F8E5M2FNUZ,
    F8E4M3FNUZ,
    F8E8M0FNU,
}

/// Promotion category: `Bool < Int < Float < Complex`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Category {
    Bool,
    Int,
    Float,
    Complex,
}

use DType::*;

impl DType {
    pub const COUNT: usize = 21;
    pub const ALL: [DType; Self::COUNT] = [
        U8, I8, I16, I32, I64, F16, F32, F64, C32, C64, C128, Bool, BF16, U16, U32, U64, F8E5M2, F8E4M3FN, F8E5M2FNUZ,
        F8E4M3FNUZ, F8E8M0FNU,
    ];

    /// Bytes per element.
    #[inline]
    pub const fn size(self) -> usize {
        match self {
            U8 | I8 | Bool | F8E5M2 | F8E4M3FN | F8E5M2FNUZ | F8E4M3FNUZ | F8E8M0FNU => 1,
            I16 | F16 | BF16 | U16 => 2,
            I32 | F32 | C32 | U32 => 4,
            I64 | F64 | C64 | U64 => 8,
            C128 => 16,
        }
    }

    #[inline]
    pub const fn is_complex(self) -> bool {
        matches!(self, C32 | C64 | C128)
    }

    /// Real floating point, including the 8-bit types.
    #[inline]
    pub const fn is_float(self) -> bool {
        matches!(self, F16 | F32 | F64 | BF16) || self.is_float8()
    }

    #[inline]
    pub const fn is_float8(self) -> bool {
        matches!(self, F8E5M2 | F8E4M3FN | F8E5M2FNUZ | F8E4M3FNUZ | F8E8M0FNU)
    }

    /// Integers, without `bool`.
    #[inline]
    pub const fn is_int(self) -> bool {
        matches!(self, U8 | I8 | I16 | I32 | I64 | U16 | U32 | U64)
    }

    #[inline]
    pub const fn is_signed(self) -> bool {
        !matches!(self, U8 | U16 | U32 | U64 | Bool)
    }

    /// Types that can require a gradient.
    #[inline]
    pub const fn is_differentiable(self) -> bool {
        self.is_float() || self.is_complex()
    }

    pub const fn category(self) -> Category {
        if matches!(self, Bool) {
            Category::Bool
        } else if self.is_int() {
            Category::Int
        } else if self.is_float() {
            Category::Float
        } else {
            Category::Complex
        }
    }

    /// The real type of a complex one's parts; any other type unchanged.
    pub const fn to_real(self) -> DType {
        match self {
            C32 => F16,
            C64 => F32,
            C128 => F64,
            d => d,
        }
    }

    /// The complex type whose parts hold this real type.
    pub const fn to_complex(self) -> DType {
        match self {
            F16 => C32,
            F32 | BF16 => C64,
            F64 => C128,
            d if d.is_complex() => d,
            _ => C64,
        }
    }

    /// The type that reductions and transcendental inner loops accumulate in.
    pub const fn accumulate(self) -> DType {
        match self {
            F16 | BF16 => F32,
            d if d.is_float8() => F32,
            C32 => C64,
            d => d,
        }
    }

    /// PyTorch's name after `torch.`: `float32`, `bfloat16`, ...
    pub const fn name(self) -> &'static str {
        match self {
            U8 => "uint8",
            I8 => "int8",
            I16 => "int16",
            I32 => "int32",
            I64 => "int64",
            F16 => "float16",
            F32 => "float32",
            F64 => "float64",
            C32 => "complex32",
            C64 => "complex64",
            C128 => "complex128",
            Bool => "bool",
            BF16 => "bfloat16",
            U16 => "uint16",
            U32 => "uint32",
            U64 => "uint64",
            F8E5M2 => "float8_e5m2",
            F8E4M3FN => "float8_e4m3fn",
            F8E5M2FNUZ => "float8_e5m2fnuz",
            F8E4M3FNUZ => "float8_e4m3fnuz",
            F8E8M0FNU => "float8_e8m0fnu",
        }
    }

    /// PyTorch's C++ name as its error messages and storage types use it: `Float`, `Long`, ...
    pub const fn scalar_name(self) -> &'static str {
        match self {
            U8 => "Byte",
            I8 => "Char",
            I16 => "Short",
            I32 => "Int",
            I64 => "Long",
            F16 => "Half",
            F32 => "Float",
            F64 => "Double",
            C32 => "ComplexHalf",
            C64 => "ComplexFloat",
            C128 => "ComplexDouble",
            Bool => "Bool",
            BF16 => "BFloat16",
            U16 => "UInt16",
            U32 => "UInt32",
            U64 => "UInt64",
            F8E5M2 => "Float8_e5m2",
            F8E4M3FN => "Float8_e4m3fn",
            F8E5M2FNUZ => "Float8_e5m2fnuz",
            F8E4M3FNUZ => "Float8_e4m3fnuz",
            F8E8M0FNU => "Float8_e8m0fnu",
        }
    }

    pub fn from_name(name: &str) -> Option<DType> {
        Some(match name {
            "float" => F32,
            "double" => F64,
            "half" => F16,
            "short" => I16,
            "int" => I32,
            "long" => I64,
            "cfloat" => C64,
            "cdouble" => C128,
            "chalf" => C32,
            _ => return DType::ALL.into_iter().find(|d| d.name() == name),
        })
    }
}

impl fmt::Debug for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("torch.")?;
        f.write_str(self.name())
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The smallest type that both can be converted to, as `torch.promote_types`.
///
/// Returns `None` where PyTorch has no rule: 8-bit floats with another float, wide unsigned with signed integers.
pub fn promote(a: DType, b: DType) -> Option<DType> {
    if a == b {
        return Some(a);
    }
    if a == Bool {
        return Some(b);
    }
    if b == Bool {
        return Some(a);
    }
    let (ca, cb) = (a.category(), b.category());
    if ca != cb {
        let (hi, lo) = if ca > cb { (a, b) } else { (b, a) };
        return Some(match (hi.category(), lo.category()) {
            (Category::Complex, Category::Float) => {
                if lo.is_float8() {
                    return None;
                }
                wider_complex(hi, lo.to_complex())
            }
            _ => hi,
        });
    }
    match ca {
        Category::Complex => Some(wider_complex(a, b)),
        Category::Float => {
            if a.is_float8() || b.is_float8() {
                return None;
            }
            Some(match (a, b) {
                (F64, _) | (_, F64) => F64,
                (F16, BF16) | (BF16, F16) => F32,
                _ => F32,
            })
        }
        Category::Int => {
            let wide_unsigned = |d: DType| matches!(d, U16 | U32 | U64);
            if wide_unsigned(a) || wide_unsigned(b) {
                // PyTorch promotes the wide unsigned types only among the unsigned ones.
                return if a.is_signed() || b.is_signed() {
                    None
                } else {
                    Some(if a.size() >= b.size() { a } else { b })
                };
            }
            if a == U8 || b == U8 {
                let other = if a == U8 { b } else { a };
                return Some(if other == I8 { I16 } else { other });
            }
            Some(if a.size() >= b.size() { a } else { b })
        }
        Category::Bool => Some(Bool),
    }
}

fn wider_complex(a: DType, b: DType) -> DType {
    if a.size() >= b.size() { a } else { b }
}

/// Whether a result of type `from` may be stored into an existing tensor of type `to`, as `torch.can_cast`.
pub fn can_cast(from: DType, to: DType) -> bool {
    let (f, t) = (from.category(), to.category());
    if f == Category::Complex && t != Category::Complex {
        return false;
    }
    if f == Category::Float && t < Category::Float {
        return false;
    }
    !(f != Category::Bool && t == Category::Bool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promotion_is_symmetric_and_matches_known_pairs() {
        for a in DType::ALL {
            for b in DType::ALL {
                assert_eq!(promote(a, b), promote(b, a), "{a} {b}");
            }
        }
        assert_eq!(promote(U8, I8), Some(I16));
        assert_eq!(promote(F16, BF16), Some(F32));
        assert_eq!(promote(I64, F16), Some(F16));
        assert_eq!(promote(F64, C64), Some(C128));
        assert_eq!(promote(BF16, C32), Some(C64));
        assert_eq!(promote(Bool, U16), Some(U16));
        assert_eq!(promote(U16, I32), None);
    }

    #[test]
    fn discriminants_index_all() {
        for (i, d) in DType::ALL.into_iter().enumerate() {
            assert_eq!(d as usize, i);
            assert_eq!(DType::from_name(d.name()), Some(d));
        }
    }
}
