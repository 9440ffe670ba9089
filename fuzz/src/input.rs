//! Bytes as a source of choices. When they run out every choice is the first one.

use flambeau_core::op::Value;
use flambeau_core::schema::Type;
use flambeau_core::{DType, Device, Scalar};

pub struct Input<'a>(pub &'a [u8]);

impl Input<'_> {
    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&b, rest)) => {
                self.0 = rest;
                b
            }
            None => 0,
        }
    }

    pub fn done(&self) -> bool {
        self.0.is_empty()
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        if n <= 1 {
            0
        } else if n <= 256 {
            self.byte() as usize % n
        } else {
            self.word() as usize % n
        }
    }

    pub fn word(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Mostly what a dimension or an index may be, now and then what breaks arithmetic.
    pub fn int(&mut self) -> i64 {
        const EDGES: [i64; 14] = [
            i64::MIN,
            i64::MIN + 1,
            i64::MAX,
            i64::MAX - 1,
            1 << 62,
            1 << 32,
            (1 << 31) - 1,
            -(1 << 31),
            1 << 20,
            -1000,
            1000,
            100,
            64,
            -65,
        ];
        match self.below(16) {
            0 => self.pick(&EDGES),
            1 => self.word() as i64,
            _ => self.below(9) as i64 - 4,
        }
    }

    pub fn ints(&mut self, most: usize) -> Vec<i64> {
        (0..self.below(most + 1)).map(|_| self.int()).collect()
    }

    /// Sizes of at most 4 dimensions and few elements.
    pub fn sizes(&mut self) -> Vec<i64> {
        (0..self.below(5)).map(|_| self.pick(&[2, 3, 1, 4, 0, 5])).collect()
    }

    pub fn scalar(&mut self) -> Scalar {
        match self.below(6) {
            0 => Scalar::Bool(self.one_in(2)),
            1 => Scalar::Complex(self.float(), self.float()),
            2 | 3 => Scalar::Int(self.int()),
            _ => Scalar::Float(self.float()),
        }
    }

    pub fn float(&mut self) -> f64 {
        const EDGES: [f64; 10] =
            [0.0, -0.0, 1.0, -1.0, 0.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, f64::MIN_POSITIVE];
        if self.one_in(4) { f64::from_bits(self.word()) } else { self.pick(&EDGES) }
    }

    pub fn dtype(&mut self) -> DType {
        self.pick(&DType::ALL)
    }

    /// A parameter that is not a tensor, of a type that the signature gives; rarely of another.
    pub fn value(&mut self, ty: Type, nullable: bool) -> Value {
        if nullable && self.one_in(3) {
            return Value::None;
        }
        match ty {
            Type::Int => Value::Int(self.int()),
            Type::Ints(Some(n)) if self.one_in(2) => Value::Ints((0..n).map(|_| self.int()).collect::<Vec<_>>().into()),
            Type::Ints(_) => Value::Ints(self.ints(5).into()),
            Type::Float => Value::Float(self.float()),
            Type::Floats => Value::Floats((0..self.below(4)).map(|_| self.float()).collect::<Vec<_>>().into()),
            Type::Bool => Value::Bool(self.one_in(2)),
            Type::Scalar => Value::Scalar(self.scalar()),
            Type::Str => Value::Str(
                self.pick(&["mean", "sum", "none", "", "constant", "reflect", "ij", "floor", "trunc", "none "]).into(),
            ),
            Type::DType => Value::DType(self.dtype()),
            Type::Device => Value::Device(if self.one_in(4) { Device::META } else { Device::CPU }),
            Type::MemoryFormat => Value::Int(self.below(5) as i64 - 1),
            Type::Generator | Type::Layout | Type::Tensor | Type::TensorOrScalar | Type::Tensors(_) => Value::None,
        }
    }
}
