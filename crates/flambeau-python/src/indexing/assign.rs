//! `x[index] = value`.

use flambeau_core::layout::fmt;
use flambeau_core::op::Params;
use flambeau_core::view::ViewOp;
use flambeau_core::{DType, Scalar, Tensor, call};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;

use super::item::{self, Item};
use super::{apply, number_like, select, slice, warn_of_bytes};
use crate::args::check::is_number;
use crate::args::convert::scalar;
use crate::args::message::type_name;
use crate::errors::IntoPyResult;
use crate::object::unwrap;

/// What is written: a tensor, or a number.
enum Source {
    Tensor(Tensor),
    Number(Scalar),
}

pub fn set(t: &Tensor, index: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let source = match unwrap(value) {
        Some(v) => Source::Tensor(v.clone()),
        // SAFETY: a live object under the GIL; a number by the check.
        None => unsafe {
            if !is_assignable(value) {
                return Err(PyTypeError::new_err(format!(
                    "can't assign a {} to a torch.{}Tensor",
                    type_name(value),
                    t.dtype().scalar_name()
                )));
            }
            Source::Number(scalar(value.as_ptr())?)
        },
    };
    let items = item::split(index)?;
    // What needs no index tensor is a copy into a view.
    if let [only] = &items[..]
        && item::takes(only) <= t.ndim()
        && unwrap(only).is_none()
    {
        match item::one(only)? {
            Item::Bool(false) => return Ok(()),
            Item::Bool(true) => return copy_to(&call::view(&ViewOp::Unsqueeze(0), t).py()?, source),
            Item::Int(i) => return copy_to(&select(t, 0, i, 0)?, source),
            Item::Slice(a, b, c) => return copy_to(&slice(t, 0, (a, b, c), true)?, source),
            Item::Ellipsis => return copy_to(t, source),
            _ => {}
        }
    }
    let s = apply(t, &items)?;
    if s.indices.is_empty() {
        return copy_to(&s.view, source);
    }
    let number = matches!(source, Source::Number(_));
    let values = match source {
        Source::Tensor(v) => without_leading_ones(&v, v.ndim())?,
        Source::Number(Scalar::Complex(_, im)) if im != 0.0 && !t.dtype().is_complex() => {
            return Err(PyRuntimeError::new_err(
                "index_fill_(): Converting complex Scalar to non-complex type is not supported",
            ));
        }
        Source::Number(n) => number_like(&s.view, n)?,
    };
    let indices: Vec<Option<&Tensor>> = s.indices.iter().map(Option::as_ref).collect();
    if !(values.numel() == 1 && indices.iter().flatten().all(|t| t.dtype() == DType::U8)) {
        warn_of_bytes(index.py(), &s.indices)?;
    }
    match number {
        true => flambeau_ops::indexing::index_put_number_(&s.view, &indices, &values).py(),
        false => flambeau_ops::indexing::index_put_(&s.view, &indices, &values).py(),
    }
}

/// What PyTorch takes for a number here: Python's own and NumPy's integers, but no other NumPy scalar.
fn is_assignable(value: &Bound<'_, PyAny>) -> bool {
    let p = value.as_ptr();
    // SAFETY: a live object under the GIL.
    unsafe {
        ffi::PyLong_Check(p) != 0
            || ffi::PyFloat_Check(p) != 0
            || ffi::PyComplex_Check(p) != 0
            || (is_number(p) && ffi::PyIndex_Check(p) != 0)
    }
}

/// Drops leading dimensions of size one, at most `most` of them.
fn without_leading_ones(t: &Tensor, most: usize) -> PyResult<Tensor> {
    let ones = t.sizes().iter().take(most).take_while(|&&n| n == 1).count();
    if ones == 0 {
        return Ok(t.clone());
    }
    call::view(&ViewOp::View(t.sizes()[ones..].into()), t).py()
}

/// Writes a value, expanded, into a view.
fn copy_to(dst: &Tensor, source: Source) -> PyResult<()> {
    let src = match source {
        Source::Number(n) => {
            number_like(dst, n)?;
            let n = Tensor::wrapped(n).py()?;
            return flambeau_core::call(&flambeau_ops::copy::fill_::OP, &[Some(dst), Some(&n)], Params::new())
                .map(|_| ())
                .py();
        }
        Source::Tensor(src) => src,
    };
    if src.sizes() == dst.sizes() || src.ndim() == 0 {
        return flambeau_ops::copy::copy_(dst, &src).py();
    }
    // PyTorch drops all leading ones first, so that (1, 1, 3) fits where (3) does.
    let src = without_leading_ones(&src, src.ndim())?;
    if src.ndim() > dst.ndim() {
        return Err(PyRuntimeError::new_err(format!(
            "expand({}{{{}}}, size={}): the number of sizes provided ({}) must be greater or equal to the number of \
             dimensions in the tensor ({})",
            if src.dtype().is_complex() {
                format!("CPU{}Type", src.dtype().scalar_name())
            } else {
                format!("torch.{}Tensor", src.dtype().scalar_name())
            },
            fmt(src.sizes()),
            fmt(dst.sizes()),
            dst.ndim(),
            src.ndim()
        )));
    }
    let lead = dst.ndim() - src.ndim();
    for d in (0..src.ndim()).rev() {
        let (have, want) = (src.sizes()[d], dst.sizes()[lead + d]);
        if have != want && have != 1 {
            return Err(PyRuntimeError::new_err(format!(
                "The expanded size of the tensor ({want}) must match the existing size ({have}) at non-singleton dimension {}.  \
                 Target sizes: {}.  Tensor sizes: {}",
                lead + d,
                fmt(dst.sizes()),
                fmt(src.sizes())
            )));
        }
    }
    flambeau_ops::copy::copy_(dst, &src).py()
}
