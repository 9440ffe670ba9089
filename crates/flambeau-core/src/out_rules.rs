//! What PyTorch refuses of particular operations' `out=` tensors, beside the rules that hold for all.

use crate::dtype::DType;
use crate::error::Result;
use crate::layout;
use crate::op::{Inputs, OpDef};
use crate::shared::Shared;
use crate::tensor::Tensor;
use crate::{bail, check};

/// Operations whose result may not share memory with an input.
const APART: [&str; 7] = ["gather", "take", "masked_select", "kthvalue", "cat", "index_select", "msort"];

pub fn check_out(op: &OpDef, x: Inputs, outs: &[Tensor]) -> Result<()> {
    let input = x.iter().flatten().next();
    if let (Some(input), Some(out)) = (input, outs.first()) {
        match op.name {
            "gather" | "take" | "index_select" | "aminmax" => {
                for out in outs {
                    check!(
                        out.dtype() == input.dtype(),
                        Runtime,
                        "Expected out tensor to have dtype {}, but got {} instead",
                        c_name(input.dtype()),
                        c_name(out.dtype())
                    );
                }
            }
            "amax" | "amin" => check!(
                out.dtype() == input.dtype(),
                Runtime,
                "Expected the dtype for input and out to match, but got {} for input's dtype and {} for out's dtype.",
                input.dtype().scalar_name(),
                out.dtype().scalar_name()
            ),
            "multinomial" => check!(
                out.dtype() == DType::I64,
                Runtime,
                "multinomial expects Long tensor out, got: {}",
                out.dtype().scalar_name()
            ),
            "complex" => check!(
                out.dtype() == input.dtype().to_complex(),
                Runtime,
                "Expected object of scalar type {} but got scalar type {} for argument 'out'",
                input.dtype().to_complex().scalar_name(),
                out.dtype().scalar_name()
            ),
            _ => {}
        }
    }
    if op.name == "index_select" && outs.iter().any(|t| layout::has_internal_overlap(t.sizes(), t.strides())) {
        bail!(
            Runtime,
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. \
             Please clone() the tensor before performing the operation."
        );
    }
    if op.name == "aminmax" && outs.len() == 2 && overlap(&outs[0], &outs[1]) {
        bail!(Value, "aminmax(): the `min` and `max` out= tensors must not overlap.");
    }
    if APART.contains(&op.name) && x.iter().flatten().any(|t| outs.iter().any(|out| overlap(t, out))) {
        bail!(
            Runtime,
            "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory \
             location. Please clone() the tensor before performing the operation."
        );
    }
    Ok(())
}

/// Whether the spans of memory meet.
fn overlap(a: &Tensor, b: &Tensor) -> bool {
    let span = |t: &Tensor| {
        let reach = |up: bool| -> i64 {
            t.sizes().iter().zip(t.strides()).map(|(n, s)| (n - 1) * s).filter(|r| (*r > 0) == up).sum()
        };
        (t.offset() + reach(false), t.offset() + reach(true))
    };
    if a.numel() == 0 || b.numel() == 0 || !Shared::ptr_eq(a.storage(), b.storage()) {
        return false;
    }
    let ((a0, a1), (b0, b1)) = (span(a), span(b));
    a0 <= b1 && b0 <= a1
}

/// PyTorch's C++ names, as some messages print dtypes.
pub fn c_name(d: DType) -> &'static str {
    match d {
        DType::F32 => "float",
        DType::F64 => "double",
        DType::I64 => "long int",
        DType::I32 => "int",
        DType::I16 => "short int",
        DType::I8 => "signed char",
        DType::U8 => "unsigned char",
        DType::Bool => "bool",
        DType::F16 => "c10::Half",
        DType::BF16 => "c10::BFloat16",
        DType::C64 => "c10::complex<float>",
        DType::C128 => "c10::complex<double>",
        d => d.scalar_name(),
    }
}
