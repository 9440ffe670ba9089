//! Test tensors of any dtype and layout, read and written as (real, imaginary) float64.

use flambeau_backend::DType;
use flambeau_backend::Raw;
use half::{bf16, f16};

/// A small reproducible generator.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    /// In `lo..=hi`.
    pub fn int(&mut self, lo: i64, hi: i64) -> i64 {
        lo + (self.next() >> 11) as i64 % (hi - lo + 1)
    }
    pub fn float(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

pub struct Tensor {
    bytes: Vec<u64>,
    pub dtype: DType,
    pub sizes: Vec<i64>,
    pub strides: Vec<i64>,
    offset: i64,
}

impl Tensor {
    /// Dense and zero.
    pub fn new(dtype: DType, sizes: &[i64]) -> Tensor {
        let order: Vec<usize> = (0..sizes.len()).collect();
        Self::laid_out(dtype, sizes, &order, &vec![false; sizes.len()], 0)
    }

    /// Dimensions stored in `order` (outermost first), some backwards, the innermost with a gap.
    fn laid_out(dtype: DType, sizes: &[i64], order: &[usize], backwards: &[bool], gap: i64) -> Tensor {
        let (mut strides, mut offset, mut step) = (vec![0; sizes.len()], 0, 1 + gap);
        for &d in order.iter().rev() {
            strides[d] = step;
            if backwards[d] && sizes[d] > 0 {
                strides[d] = -step;
                offset += step * (sizes[d] - 1);
            }
            step *= sizes[d].max(1) + gap;
        }
        let bytes = vec![0u64; (step as usize * dtype.size()).div_ceil(8) + 1];
        Tensor { bytes, dtype, sizes: sizes.to_vec(), strides, offset }
    }

    /// Random values; about one time in two a layout that is not dense.
    pub fn random(dtype: DType, sizes: &[i64], rng: &mut Rng) -> Tensor {
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        let (mut backwards, mut gap) = (vec![false; sizes.len()], 0);
        match rng.int(0, 5) {
            0 => {
                order.reverse();
                backwards.iter_mut().for_each(|b| *b = rng.int(0, 2) == 0);
                gap = rng.int(0, 2);
            }
            1 if sizes.len() > 1 => order.swap(sizes.len() - 1, sizes.len() - 2),
            2 => order.rotate_left(1),
            _ => {}
        }
        let mut t = Self::laid_out(dtype, sizes, &order, &backwards, gap);
        for i in 0..t.numel() {
            let v = if dtype.is_int() {
                (rng.int(0, 6) as f64 - if dtype.is_signed() { 3.0 } else { 0.0 }, 0.0)
            } else {
                (rng.float(), if dtype.is_complex() { rng.float() } else { 0.0 })
            };
            t.set(i, v);
        }
        t
    }

    /// The same element everywhere along dimension 0.
    pub fn broadcast0(mut self, n: i64) -> Tensor {
        self.sizes[0] = n;
        self.strides[0] = 0;
        self
    }

    pub fn fill(mut self, v: f64) -> Tensor {
        (0..self.numel()).for_each(|i| self.set(i, (v, 0.0)));
        self
    }

    pub fn numel(&self) -> usize {
        self.sizes.iter().product::<i64>() as usize
    }

    pub fn raw(&self) -> Raw<'_> {
        let ptr = (self.bytes.as_ptr() as *mut u8).wrapping_offset(self.offset as isize * self.dtype.size() as isize);
        Raw { ptr, dtype: self.dtype, sizes: &self.sizes, strides: &self.strides }
    }

    fn place(&self, i: usize) -> usize {
        let (mut i, mut at) = (i as i64, self.offset);
        for d in (0..self.sizes.len()).rev() {
            at += i % self.sizes[d] * self.strides[d];
            i /= self.sizes[d];
        }
        at as usize
    }

    /// The flat row-major position of an index.
    pub fn flat(&self, index: &[i64]) -> usize {
        index.iter().zip(&self.sizes).fold(0, |f, (i, n)| f * *n as usize + *i as usize)
    }

    pub fn get(&self, i: usize) -> (f64, f64) {
        let (at, p) = (self.place(i), self.bytes.as_ptr());
        // SAFETY: inside the vector.
        unsafe {
            match self.dtype {
                DType::F32 => (*p.cast::<f32>().add(at) as f64, 0.0),
                DType::F64 => (*p.cast::<f64>().add(at), 0.0),
                DType::BF16 => ((*p.cast::<bf16>().add(at)).to_f64(), 0.0),
                DType::F16 => ((*p.cast::<f16>().add(at)).to_f64(), 0.0),
                DType::C32 => (*p.cast::<[f16; 2]>().add(at)).map(f16::to_f64).into(),
                DType::C64 => (*p.cast::<[f32; 2]>().add(at)).map(|x| x as f64).into(),
                DType::C128 => (*p.cast::<[f64; 2]>().add(at)).into(),
                DType::I8 => (*p.cast::<i8>().add(at) as f64, 0.0),
                DType::I16 => (*p.cast::<i16>().add(at) as f64, 0.0),
                DType::I32 => (*p.cast::<i32>().add(at) as f64, 0.0),
                DType::I64 => (*p.cast::<i64>().add(at) as f64, 0.0),
                DType::U8 => (*p.cast::<u8>().add(at) as f64, 0.0),
                DType::U16 => (*p.cast::<u16>().add(at) as f64, 0.0),
                DType::U32 => (*p.cast::<u32>().add(at) as f64, 0.0),
                DType::U64 => (*p.cast::<u64>().add(at) as f64, 0.0),
                other => panic!("{other}"),
            }
        }
    }

    pub fn set(&mut self, i: usize, v: (f64, f64)) {
        let (at, p) = (self.place(i), self.bytes.as_mut_ptr());
        // SAFETY: inside the vector.
        unsafe {
            match self.dtype {
                DType::F32 => *p.cast::<f32>().add(at) = v.0 as f32,
                DType::F64 => *p.cast::<f64>().add(at) = v.0,
                DType::BF16 => *p.cast::<bf16>().add(at) = bf16::from_f64(v.0),
                DType::F16 => *p.cast::<f16>().add(at) = f16::from_f64(v.0),
                DType::C32 => *p.cast::<[f16; 2]>().add(at) = [f16::from_f64(v.0), f16::from_f64(v.1)],
                DType::C64 => *p.cast::<[f32; 2]>().add(at) = [v.0 as f32, v.1 as f32],
                DType::C128 => *p.cast::<[f64; 2]>().add(at) = v.into(),
                DType::I8 => *p.cast::<i8>().add(at) = v.0 as i64 as i8,
                DType::I16 => *p.cast::<i16>().add(at) = v.0 as i64 as i16,
                DType::I32 => *p.cast::<i32>().add(at) = v.0 as i32,
                DType::I64 => *p.cast::<i64>().add(at) = v.0 as i64,
                DType::U8 => *p.cast::<u8>().add(at) = v.0 as i64 as u8,
                DType::U16 => *p.cast::<u16>().add(at) = v.0 as i64 as u16,
                DType::U32 => *p.cast::<u32>().add(at) = v.0 as i64 as u32,
                DType::U64 => *p.cast::<u64>().add(at) = v.0 as i64 as u64,
                other => panic!("{other}"),
            }
        }
    }

    /// All elements, row-major.
    pub fn values(&self) -> Vec<(f64, f64)> {
        (0..self.numel()).map(|i| self.get(i)).collect()
    }
}

pub fn mul(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

pub fn add(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (a.0 + b.0, a.1 + b.1)
}

/// The relative precision of results of a dtype.
pub fn precision(dtype: DType) -> f64 {
    match dtype {
        DType::F64 | DType::C128 => 1e-13,
        DType::F32 | DType::C64 => 2e-6,
        DType::F16 | DType::C32 => 2e-3,
        DType::BF16 => 1.2e-2,
        _ => 0.0,
    }
}

/// Integers as the dtype wraps them.
pub fn wrapped(dtype: DType, v: f64) -> f64 {
    let v = v as i64;
    match dtype {
        DType::I8 => v as i8 as f64,
        DType::U8 => v as u8 as f64,
        DType::I16 => v as i16 as f64,
        DType::U16 => v as u16 as f64,
        DType::U32 => v as u32 as f64,
        DType::U64 => v as u64 as f64,
        _ => v as f64,
    }
}

/// Every element within the dtype's precision of `want`, relative to `scale` (the size of the sums' terms).
pub fn assert_close(got: &Tensor, want: &[(f64, f64)], scale: f64, what: &str) {
    let tolerance = precision(got.dtype) * scale;
    for (i, (g, w)) in got.values().into_iter().zip(want).enumerate() {
        let ok = if got.dtype.is_int() {
            g.0 == wrapped(got.dtype, w.0)
        } else {
            let limit = tolerance.max(precision(got.dtype) * w.0.hypot(w.1));
            (g.0 - w.0).abs() <= limit && (g.1 - w.1).abs() <= limit
        };
        assert!(ok, "{what}: element {i} is {g:?}, not {w:?} (sizes {:?}, strides {:?})", got.sizes, got.strides);
    }
}
