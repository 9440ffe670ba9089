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

type Spread = [u64; SPREAD];

/// The first number of a tensor.
///
/// # Safety
/// `t` has an element, of type `f32` or `f64`.
#[inline]
unsafe fn read(t: &Tensor) -> f64 {
    // SAFETY: by the contract.
    unsafe {
        match t.dtype() {
            DType::F32 => t.data_ptr().cast::<f32>().read() as f64,
            _ => t.data_ptr().cast::<f64>().read(),
        }
    }
}

/// `n` copies of a number.
///
/// # Safety
/// `n` is at most `SPREAD`.
#[inline]
unsafe fn spread(room: &mut MaybeUninit<Spread>, dtype: DType, n: usize, number: f64) -> *mut u8 {
    let to = room.as_mut_ptr().cast::<u8>();
    for i in 0..n {
        // SAFETY: `n` elements of at most eight bytes fit.
        unsafe {
            match dtype {
                DType::F32 => to.cast::<f32>().add(i).write(number as f32),
                _ => to.cast::<f64>().add(i).write(number),
            }
        }
    }
    to
}

/// The result, or `None` where the general way must be taken.
#[inline]
pub(crate) fn quick(kernel: BinaryOp, x: Inputs, p: &Params) -> Result<Option<Tensor>> {
    if !matches!(p[..], [] | [Value::Scalar(Scalar::Int(1))]) {
        return Ok(None);
    }
    let &[Some(a), Some(b)] = x else { return Ok(None) };
    let (x, y) = (a.body(), b.body());
    let plain = x.numel <= QUICK && x.numel > 0 && x.device.is_cpu() && y.device.is_cpu();
    if !plain || !matches!(x.dtype, DType::F32 | DType::F64) || a.is_wrapped() {
        return Ok(None);
    }
    let n = x.numel as usize;
    let (mut ones, mut others) = (MaybeUninit::<Spread>::uninit(), MaybeUninit::<Spread>::uninit());
    let first = if x.contiguous {
        a.data_ptr()
    } else if n <= SPREAD && x.strides.iter().all(|&s| s == 0) {
        // One number expanded, as the gradient of a sum.
        // SAFETY: it has an element, of this dtype.
        unsafe { spread(&mut ones, x.dtype, n, read(a)) }
    } else {
        return Ok(None);
    };
    let second = if y.dtype == x.dtype
        && y.contiguous
        && !b.is_wrapped()
        && layout::same(&x.sizes, &y.sizes)
        // Beside an expanded number the other's strides decide, also at dimensions of size one.
        && (x.contiguous || y.strides == layout::contiguous_strides(&y.sizes))
    {
        b.data_ptr()
    } else if b.is_wrapped()
        && y.dtype == DType::F64
        && !x.sizes.is_empty()
        && n <= SPREAD
        // Odd strides at dimensions of size one show in the result.
        && (!x.contiguous || x.strides == layout::contiguous_strides(&x.sizes))
    {
        // SAFETY: a wrapped number of this dtype is one `f64` in memory of its own.
        unsafe { spread(&mut others, x.dtype, n, read(b)) }
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
    let done = unsafe { backend(x.device)?.binary_flat(kernel, x.dtype, n, [out.data_ptr(), first, second]) };
    Ok(done.then_some(out))
}
