//! Moving host data into tensors and back.

use half::{bf16, f16};

use crate::device::{Device, backend};
use crate::dtype::DType;
use crate::error::Result;
use crate::layout;
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// Rust types that are elements.
pub trait Element: Copy + Default + Send + Sync + 'static {
    const DTYPE: DType;
}

macro_rules! element {
    ($($t:ty => $d:ident),* $(,)?) => {$(
        impl Element for $t { const DTYPE: DType = DType::$d; }
    )*};
}
element!(u8 => U8, i8 => I8, i16 => I16, i32 => I32, i64 => I64, f32 => F32, f64 => F64, bool => Bool, f16 => F16,
    bf16 => BF16, u16 => U16, u32 => U32, u64 => U64);

impl Tensor {
    /// A tensor holding a copy of `values`.
    ///
    /// Errors when `sizes` do not multiply to `values.len()`.
    pub fn from_slice<T: Element>(values: &[T], sizes: &[i64]) -> Result<Tensor> {
        let n = layout::checked_numel(sizes, T::DTYPE.size())?;
        crate::check!(
            n == values.len(),
            Runtime,
            "shape '{}' is invalid for input of size {}",
            layout::fmt(sizes),
            values.len()
        );
        let t = Tensor::empty(sizes, T::DTYPE, Device::CPU)?;
        if n > 0 {
            // SAFETY: a fresh block of exactly `n` elements of `T`, exclusively owned.
            unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), t.data_ptr().cast::<T>(), n) };
        }
        Ok(t)
    }

    /// A tensor over a copy of raw bytes in row-major order.
    pub fn from_bytes(bytes: &[u8], dtype: DType, sizes: &[i64]) -> Result<Tensor> {
        let n = layout::checked_numel(sizes, dtype.size())? * dtype.size();
        crate::check!(
            n == bytes.len(),
            Runtime,
            "expected {n} bytes for shape {}, got {}",
            layout::fmt(sizes),
            bytes.len()
        );
        let t = Tensor::empty(sizes, dtype, Device::CPU)?;
        if n > 0 {
            // SAFETY: a fresh block of exactly `n` bytes, exclusively owned.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), t.data_ptr(), n) };
        }
        Ok(t)
    }

    /// The elements in row-major order, converted to `T`.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        crate::check!(!self.device().is_meta(), NotImplemented, "Cannot copy out of meta tensor; no data!");
        let t = self.packed(T::DTYPE)?;
        let n = t.numel() as usize;
        let mut out = vec![T::default(); n];
        if n > 0 {
            // SAFETY: `packed` gives `n` contiguous elements of `T`'s dtype; `bool` bytes are only ever 0 or 1.
            unsafe { std::ptr::copy_nonoverlapping(t.data_ptr().cast::<T>(), out.as_mut_ptr(), n) };
        }
        Ok(out)
    }

    /// A row-major copy (or this tensor, if it is one already) in `dtype`, outside any graph.
    pub fn packed(&self, dtype: DType) -> Result<Tensor> {
        if self.dtype() == dtype && self.is_contiguous() { Ok(self.detach()) } else { self.cast_raw(dtype) }
    }

    /// A row-major copy in `dtype`, outside any graph.
    pub fn cast_raw(&self, dtype: DType) -> Result<Tensor> {
        let t = Tensor::empty(self.sizes(), dtype, self.device())?;
        if !self.device().is_meta() {
            backend(self.device())?.copy(self.raw(), t.raw())?;
        }
        Ok(t)
    }

    /// The single element as a host number (`item`).
    pub fn item(&self) -> Result<Scalar> {
        crate::check!(
            self.numel() == 1,
            Runtime,
            "a Tensor with {} elements cannot be converted to Scalar",
            self.numel()
        );
        crate::check!(!self.device().is_meta(), Runtime, "Tensor.item() cannot be called on meta tensors");
        let p = self.data_ptr();
        // SAFETY: the tensor has one element of its dtype at `p`.
        Ok(unsafe {
            match self.dtype() {
                DType::F32 => Scalar::Float(p.cast::<f32>().read() as f64),
                DType::F64 => Scalar::Float(p.cast::<f64>().read()),
                DType::I64 => Scalar::Int(p.cast::<i64>().read()),
                DType::I32 => Scalar::Int(p.cast::<i32>().read() as i64),
                DType::Bool => Scalar::Bool(p.read() != 0),
                DType::C64 => {
                    let [re, im] = p.cast::<[f32; 2]>().read();
                    Scalar::Complex(re as f64, im as f64)
                }
                DType::C128 => {
                    let [re, im] = p.cast::<[f64; 2]>().read();
                    Scalar::Complex(re, im)
                }
                d if d.is_int() => self.cast_raw(DType::I64)?.item()?,
                d if d.is_complex() => self.cast_raw(DType::C128)?.item()?,
                _ => self.cast_raw(DType::F64)?.item()?,
            }
        })
    }
}
