//! For tests: tensors of any layout, and a small random source.

use flambeau_backend::DType;
use flambeau_backend::Raw;
use half::{bf16, f16};

/// A linear congruential generator; its upper bits are good enough for shapes and values.
pub struct Lcg(pub u64);

impl Lcg {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.0 >> 33
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    /// In `[-1, 1)`.
    pub fn unit(&mut self) -> f64 {
        self.next() as f64 / (1u64 << 30) as f64 - 1.0
    }
}

/// Owned memory and a view of it.
pub struct Tensor {
    bytes: Vec<u64>,
    pub dtype: DType,
    pub sizes: Vec<i64>,
    pub strides: Vec<i64>,
    offset: i64,
}

impl Tensor {
    pub fn contiguous(dtype: DType, sizes: &[i64]) -> Self {
        let order: Vec<usize> = (0..sizes.len()).collect();
        Self::with_order(dtype, sizes, &order, &vec![1; sizes.len()])
    }

    /// `order`: dimensions from the slowest to the fastest. `steps`: each dimension's spacing; negative reverses it, zero
    /// broadcasts it.
    pub fn with_order(dtype: DType, sizes: &[i64], order: &[usize], steps: &[i64]) -> Self {
        let mut strides = vec![0; sizes.len()];
        let (mut span, mut offset) = (1, 0);
        for &d in order.iter().rev() {
            strides[d] = span * steps[d];
            if steps[d] < 0 {
                offset -= strides[d] * (sizes[d] - 1).max(0);
            }
            if steps[d] != 0 {
                span *= sizes[d].max(1) * steps[d].abs();
            }
        }
        let bytes = vec![0; (span as usize + 1) * dtype.size() / 8 + 2];
        Tensor { bytes, dtype, sizes: sizes.to_vec(), strides, offset }
    }

    /// A random layout; `outputs` are never broadcast.
    pub fn random_layout(r: &mut Lcg, dtype: DType, sizes: &[i64], input: bool) -> Self {
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        if r.below(2) == 0 {
            for i in (1..order.len()).rev() {
                order.swap(i, r.below(i as u64 + 1) as usize);
            }
        }
        let steps: Vec<i64> = sizes
            .iter()
            .map(|_| match r.below(12) {
                0 => 2,
                1 => -1,
                2 if input => 0,
                3 => -3,
                _ => 1,
            })
            .collect();
        Self::with_order(dtype, sizes, &order, &steps)
    }

    pub fn raw(&self) -> Raw<'_> {
        let at = self.offset as isize * self.dtype.size() as isize;
        let ptr = self.bytes.as_ptr().cast::<u8>().cast_mut().wrapping_offset(at);
        Raw { ptr, dtype: self.dtype, sizes: &self.sizes, strides: &self.strides }
    }

    pub fn numel(&self) -> usize {
        self.sizes.iter().product::<i64>() as usize
    }

    /// All indices, row-major.
    pub fn indices(&self) -> Vec<Vec<i64>> {
        let mut all = vec![vec![]];
        for &n in &self.sizes {
            all = all.into_iter().flat_map(|v: Vec<i64>| (0..n).map(move |i| [&v[..], &[i]].concat())).collect();
        }
        all
    }

    fn at(&self, index: &[i64]) -> *mut u8 {
        let at: i64 = index.iter().zip(&self.strides).map(|(i, s)| i * s).sum();
        self.raw().ptr.wrapping_offset((at * self.dtype.size() as i64) as isize)
    }

    /// The real and imaginary part.
    pub fn complex(&self, index: &[i64]) -> (f64, f64) {
        let p = self.at(index);
        // SAFETY: inside the memory, which has room for the dtype.
        unsafe {
            match self.dtype {
                DType::U8 | DType::Bool => (*p as f64, 0.0),
                DType::I8 => (*p.cast::<i8>() as f64, 0.0),
                DType::I16 => (*p.cast::<i16>() as f64, 0.0),
                DType::U16 => (*p.cast::<u16>() as f64, 0.0),
                DType::I32 => (*p.cast::<i32>() as f64, 0.0),
                DType::U32 => (*p.cast::<u32>() as f64, 0.0),
                DType::I64 => (*p.cast::<i64>() as f64, 0.0),
                DType::U64 => (*p.cast::<u64>() as f64, 0.0),
                DType::F16 => ((*p.cast::<f16>()).to_f64(), 0.0),
                DType::BF16 => ((*p.cast::<bf16>()).to_f64(), 0.0),
                DType::F32 => (*p.cast::<f32>() as f64, 0.0),
                DType::F64 => (*p.cast::<f64>(), 0.0),
                DType::C64 => (*p.cast::<f32>() as f64, *p.cast::<f32>().add(1) as f64),
                DType::C128 => (*p.cast::<f64>(), *p.cast::<f64>().add(1)),
                d => panic!("{d}"),
            }
        }
    }

    pub fn get(&self, index: &[i64]) -> f64 {
        self.complex(index).0
    }

    pub fn set(&mut self, index: &[i64], v: f64) {
        self.set_complex(index, (v, 0.5 - v));
    }

    pub fn set_complex(&mut self, index: &[i64], (v, im): (f64, f64)) {
        let p = self.at(index);
        // SAFETY: inside the memory, which has room for the dtype.
        unsafe {
            match self.dtype {
                DType::Bool => *p = (v != 0.0) as u8,
                DType::U8 => *p = v as i64 as u8,
                DType::I8 => *p.cast::<i8>() = v as i8,
                DType::I16 => *p.cast::<i16>() = v as i16,
                DType::U16 => *p.cast::<u16>() = v as i64 as u16,
                DType::I32 => *p.cast::<i32>() = v as i32,
                DType::U32 => *p.cast::<u32>() = v as i64 as u32,
                DType::I64 => *p.cast::<i64>() = v as i64,
                DType::U64 => *p.cast::<u64>() = v as i64 as u64,
                DType::F16 => *p.cast::<f16>() = f16::from_f64(v),
                DType::BF16 => *p.cast::<bf16>() = bf16::from_f64(v),
                DType::F32 => *p.cast::<f32>() = v as f32,
                DType::F64 => *p.cast::<f64>() = v,
                DType::C64 => (*p.cast::<f32>(), *p.cast::<f32>().add(1)) = (v as f32, im as f32),
                DType::C128 => (*p.cast::<f64>(), *p.cast::<f64>().add(1)) = (v, im),
                d => panic!("{d}"),
            }
        }
    }

    pub fn fill_with(&mut self, mut f: impl FnMut() -> f64) {
        for i in self.indices() {
            let v = f();
            self.set(&i, v);
        }
    }

    /// All elements, row-major.
    pub fn values(&self) -> Vec<f64> {
        self.indices().iter().map(|i| self.get(i)).collect()
    }
}

/// The relative error that a result of this dtype may have.
pub fn tolerance(dtype: DType) -> f64 {
    match dtype.to_real() {
        DType::F64 => 1e-12,
        DType::F32 => 2e-6,
        DType::F16 => 2e-3,
        DType::BF16 => 1.6e-2,
        _ => 0.0,
    }
}

/// Panics unless both are NaN, equal, or within the dtype's tolerance of each other, relative to `scale`.
#[track_caller]
pub fn assert_close(dtype: DType, got: f64, want: f64, scale: f64, what: &dyn std::fmt::Debug) {
    let near = (got - want).abs() <= tolerance(dtype) * scale.abs().max(want.abs());
    assert!(got == want || near || (got.is_nan() && want.is_nan()), "{what:?} {dtype}: got {got}, want {want}");
}

/// A small shape, sometimes with a long or an empty dimension.
pub fn random_sizes(r: &mut Lcg) -> Vec<i64> {
    let rank = r.below(5) as usize;
    let mut sizes: Vec<i64> = (0..rank).map(|_| 1 + r.below(6) as i64).collect();
    if rank > 0 {
        let d = r.below(rank as u64) as usize;
        match r.below(8) {
            0 | 1 => sizes[d] = 20 + r.below(600) as i64,
            2 => sizes[d] = 0,
            _ => (),
        }
    }
    sizes
}
