//! The short way of small pointwise operations.
//!
//! A call on eight numbers costs what its administration costs. Operands of one float type and shape, or one and a host number,
//! need neither inference nor a look at strides; everything else takes the general way of `call.rs`, which means the same.

use std::mem::MaybeUninit;

use crate::backend::BinaryOp;
use crate::device::backend;
use crate::dtype::DType;
use crate::error::Result;
use crate::layout;
use crate::op::{Inputs, Params, Value};
use crate::scalar::Scalar;
use crate::storage::Storage;
use crate::tensor::{Body, Tensor};

/// Elements up to which the short way is taken.
const QUICK: i64 = 256;
/// A host number is spread over this many elements at most.
const SPREAD: usize = 32;

/// The result, or `None` where the general way must be taken.
#[inline]
pub(crate) fn quick(kernel: BinaryOp, x: Inputs, p: &Params) -> Result<Option<Tensor>> {
    if !matches!(p[..], [] | [Value::Scalar(Scalar::Int(1))]) {
        return Ok(None);
    }
    let &[Some(a), Some(b)] = x else { return Ok(None) };
    let (x, y) = (a.body(), b.body());
    let plain = x.contiguous && x.numel <= QUICK && x.numel > 0 && x.device.is_cpu() && y.device.is_cpu();
    if !plain || !matches!(x.dtype, DType::F32 | DType::F64) || a.is_wrapped() {
        return Ok(None);
    }
    let n = x.numel as usize;
    let mut spread = MaybeUninit::<[u64; SPREAD]>::uninit();
    let second = if y.dtype == x.dtype && y.contiguous && !b.is_wrapped() && layout::same(&x.sizes, &y.sizes) {
        b.data_ptr()
    } else if b.is_wrapped()
        && y.dtype == DType::F64
        && !x.sizes.is_empty()
        && n <= SPREAD
        // Odd strides at dimensions of size one show in the result.
        && x.strides == layout::contiguous_strides(&x.sizes)
    {
        // SAFETY: a wrapped number of this dtype is one `f64` in memory of its own.
        let number = unsafe { b.data_ptr().cast::<f64>().read() };
        let to = spread.as_mut_ptr().cast::<u64>();
        for i in 0..n {
            // SAFETY: `n` elements of at most eight bytes fit.
            unsafe {
                match x.dtype {
                    DType::F32 => to.cast::<f32>().add(i).write(number as f32),
                    _ => to.cast::<f64>().add(i).write(number),
                }
            }
        }
        to.cast()
    } else {
        return Ok(None);
    };
    let out = Tensor::build(Body {
        storage: Storage::new(n * x.dtype.size(), x.device)?,
        sizes: layout::dims(&x.sizes),
        strides: layout::contiguous_strides(&x.sizes),
        offset: 0,
        numel: x.numel,
        dtype: x.dtype,
        device: x.device,
        contiguous: true,
        version: None,
    });
    // SAFETY: contiguous operands of `n` elements, and a fresh output.
    let done = unsafe { backend(x.device)?.binary_flat(kernel, x.dtype, n, [out.data_ptr(), a.data_ptr(), second]) };
    Ok(done.then_some(out))
}
