//! `out[i] = f(inputs[i])`, copies and fills.

mod binary;
pub(crate) mod block;
mod complex;
mod copy;
mod crossed;
mod few;
mod fill;
mod int;
mod predicate;
mod ternary;
#[cfg(test)]
mod tests;
pub(crate) mod unary;

use crate::Cpu;
use block::{Params, exec};
use flambeau_backend::{BinaryOp, Elementwise, Raw, TernaryOp, UnaryOp};
use flambeau_backend::{DType, Error, Result, Scalar};
use std::sync::atomic::Ordering::Relaxed;

/// The dtype that floats are computed in.
fn compute(t: DType) -> DType {
    if t == DType::F64 { t } else { DType::F32 }
}

fn refuse(op: &impl std::fmt::Debug, t: DType) -> Error {
    // PyTorch's kernels are named in snake case: `bitwise_not`, `log1p`.
    let mut name = String::new();
    for (i, c) in format!("{op:?}").chars().enumerate() {
        if c.is_uppercase() && i > 0 {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    Error::dtype(&name, t)
}

impl Elementwise for Cpu {
    fn unary(&self, op: UnaryOp, p: &[f64], x: Raw, out: Raw) -> Result<()> {
        let mut params = Params::new(p);
        let t = x.dtype;
        let body = match t {
            DType::C64 | DType::C128 => complex::unary(op, t),
            DType::C32 => None,
            _ => predicate::unary(op, t).or_else(|| {
                if t.is_float() { unary::body(op, compute(t), &mut params.f64, p.len()) } else { int::unary(op, t) }
            }),
        };
        params.sync();
        exec("unary", [&out, &x], body.ok_or_else(|| refuse(&op, t))?, &params)
    }

    fn binary(&self, op: BinaryOp, p: &[f64], a: Raw, b: Raw, out: Raw) -> Result<()> {
        let mut params = Params::new(p);
        let t = if op == BinaryOp::Complex { out.dtype } else { a.dtype };
        let scaled = p.first().is_some_and(|&s| s != 1.0);
        let body = match t {
            DType::C64 | DType::C128 => complex::binary(op, t, scaled),
            DType::C32 => None,
            DType::F16 | DType::BF16 if op == BinaryOp::Nextafter => Some(binary::nextafter16(t)),
            _ => predicate::binary(op, t).or_else(|| {
                if t.is_float() {
                    binary::body(op, compute(t), scaled)
                } else {
                    int::binary(op, t, &mut params.f64, p.len())
                }
            }),
        };
        exec("binary", [&out, &a, &b], body.ok_or_else(|| refuse(&op, t))?, &params)?;
        if params.failed.load(Relaxed) {
            return Err(Error::runtime("ZeroDivisionError"));
        }
        Ok(())
    }

    unsafe fn binary_flat(&self, op: BinaryOp, dtype: DType, n: usize, ptrs: [*mut u8; 3]) -> bool {
        if n <= few::MOST {
            let done = match dtype {
                // SAFETY: by the caller's contract.
                DType::F32 => unsafe { few::run::<f32>(op, n, ptrs) },
                // SAFETY: as above.
                DType::F64 => unsafe { few::run::<f64>(op, n, ptrs) },
                _ => return false,
            };
            if done {
                return true;
            }
        } else if !matches!(dtype, DType::F32 | DType::F64) {
            return false;
        }
        let Some(body) = binary::body(op, dtype, false) else { return false };
        // SAFETY: the caller's contract is the body's, whose operands have the compute dtype.
        unsafe { (body.run)(block::Args { n, ptrs, p: &Params::new(&[]) }) };
        true
    }

    fn ternary(&self, op: TernaryOp, p: &[f64], a: Raw, b: Raw, c: Raw, out: Raw) -> Result<()> {
        let t = out.dtype;
        let body = match t {
            DType::C64 | DType::C128 if op != TernaryOp::Where => complex::ternary(op, t),
            DType::C32 if op != TernaryOp::Where => None,
            _ => ternary::body(op, t),
        };
        exec("ternary", [&out, &a, &b, &c], body.ok_or_else(|| refuse(&op, t))?, &Params::new(p))
    }

    fn copy(&self, x: Raw, out: Raw) -> Result<()> {
        copy::copy(&x, &out)
    }

    fn fill(&self, out: Raw, value: Scalar) -> Result<()> {
        fill::fill(&out, value)
    }

    fn arange(&self, out: Raw, start: Scalar, step: Scalar) -> Result<()> {
        fill::arange(&out, start, step)
    }

    fn triangle(&self, x: Raw, out: Raw, diagonal: i64, upper: bool) -> Result<()> {
        copy::triangle(&x, &out, diagonal, upper)
    }
}
