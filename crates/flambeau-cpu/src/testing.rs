//! Owned operands of any layout for this crate's tests.

use flambeau_backend::DType;
use flambeau_backend::Raw;
use std::cell::UnsafeCell;

/// xorshift64*: small, repeatable.
pub(crate) struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// In `0..n`.
    pub fn below(&mut self, n: usize) -> usize {
        ((self.next() >> 33) % n.max(1) as u64) as usize
    }

    /// In `lo..=hi`.
    pub fn range(&mut self, lo: i64, hi: i64) -> i64 {
        lo + self.below((hi - lo + 1) as usize) as i64
    }
}

pub(crate) trait Element: Copy + PartialEq + std::fmt::Debug {
    const DTYPE: DType;
}

macro_rules! element {
    ($($t:ty => $d:ident),*) => {$( impl Element for $t { const DTYPE: DType = DType::$d; } )*};
}
element!(u8 => U8, i8 => I8, i16 => I16, i32 => I32, i64 => I64, u64 => U64, f32 => F32, f64 => F64, half::bf16 => BF16,
    bool => Bool, crate::number::Complex<f32> => C64, crate::number::Complex<f64> => C128);

/// A tensor with its memory, which kernels write through [`Owned::raw`].
pub(crate) struct Owned<T> {
    data: Vec<UnsafeCell<T>>,
    offset: usize,
    pub sizes: Vec<i64>,
    pub strides: Vec<i64>,
}

impl<T: Element> Owned<T> {
    /// Row-major.
    pub fn dense(sizes: &[i64], mut f: impl FnMut() -> T) -> Self {
        let mut strides = vec![1; sizes.len()];
        for d in (1..sizes.len()).rev() {
            strides[d - 1] = strides[d] * sizes[d].max(1);
        }
        let n: i64 = sizes.iter().product();
        Owned { data: (0..n).map(|_| f().into()).collect(), offset: 0, sizes: sizes.to_vec(), strides }
    }

    /// Dimensions in a random order in memory, some reversed, some with gaps.
    pub fn random(rng: &mut Rng, sizes: &[i64], mut f: impl FnMut(&mut Rng) -> T) -> Self {
        if rng.below(3) == 0 {
            return Self::dense(sizes, || f(rng));
        }
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, rng.below(i + 1));
        }
        let (mut strides, mut step, mut offset) = (vec![0; sizes.len()], 1, 0);
        for d in order {
            step *= rng.range(1, 2);
            strides[d] = step;
            step *= sizes[d].max(1);
            if rng.below(4) == 0 {
                offset += strides[d] * (sizes[d] - 1).max(0);
                strides[d] = -strides[d];
            }
        }
        let data = (0..step).map(|_| f(rng).into()).collect();
        Owned { data, offset: offset as usize, sizes: sizes.to_vec(), strides }
    }

    pub fn raw(&self) -> Raw<'_> {
        let ptr = UnsafeCell::raw_get(self.data.as_ptr().wrapping_add(self.offset));
        Raw { ptr: ptr.cast(), dtype: T::DTYPE, sizes: &self.sizes, strides: &self.strides }
    }

    fn place(&self, at: &[i64]) -> usize {
        let o: i64 = at.iter().zip(&self.strides).map(|(a, s)| a * s).sum();
        (self.offset as i64 + o) as usize
    }

    pub fn get(&self, at: &[i64]) -> T {
        // SAFETY: no kernel runs now.
        unsafe { *self.data[self.place(at)].get() }
    }

    pub fn set(&mut self, at: &[i64], v: T) {
        let p = self.place(at);
        self.data[p] = v.into();
    }

    /// Row-major copy of the values.
    pub fn values(&self) -> Vec<T> {
        coordinates(&self.sizes).iter().map(|c| self.get(c)).collect()
    }

    /// The same values in memory of its own, to compute the reference in.
    pub fn copy(&self) -> Self {
        // SAFETY: no kernel runs now.
        let data = self.data.iter().map(|c| unsafe { *c.get() }.into()).collect();
        Owned { data, offset: self.offset, sizes: self.sizes.clone(), strides: self.strides.clone() }
    }
}

/// All coordinates of a shape, row-major.
pub(crate) fn coordinates(sizes: &[i64]) -> Vec<Vec<i64>> {
    let n = sizes.iter().product::<i64>();
    (0..n)
        .map(|mut i| {
            let mut c = vec![0; sizes.len()];
            for d in (0..sizes.len()).rev() {
                c[d] = i % sizes[d];
                i /= sizes[d];
            }
            c
        })
        .collect()
}
