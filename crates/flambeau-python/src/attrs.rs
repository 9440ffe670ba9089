//! Attributes and small queries of `Tensor`: shape, dtype, strides, and what kind of tensor it is.

use flambeau_core::layout::{is_channels_last, is_contiguous};
use flambeau_core::shared::Shared;
use flambeau_core::view::ViewOp;
use flambeau_core::{Tensor, call};
use pyo3::exceptions::{PyAttributeError, PyRuntimeError, PyTypeError};
use pyo3::ffi::{self, PyGetSetDef, PyMethodDef, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::args::message::type_name;
use crate::errors::{IntoPyResult, guard, warn};
use crate::object::{Arg, tensor_of, unwrap, wrap};
use crate::{device, dtype, getter, method, size, subclass};

/// The tensor of a getter's or method's object.
fn this<'a>(slf: &'a Bound<'_, PyAny>) -> PyResult<&'a Tensor> {
    unwrap(slf).ok_or_else(|| PyTypeError::new_err("not a Tensor"))
}

/// A method without arguments that CPython calls directly.
macro_rules! query {
    ($name:expr, |$t:ident, $py:ident| $body:expr, $doc:expr) => {{
        unsafe extern "C" fn entry(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
            // SAFETY: CPython calls methods with a tensor under the GIL.
            unsafe {
                guard(|$py| {
                    if subclass::concerns(slf)
                        && let Some(done) = subclass::operator(&Bound::from_borrowed_ptr($py, slf), $name, &[])?
                    {
                        return Ok(done.into_ptr());
                    }
                    let $t = tensor_of(slf);
                    Ok($body.into_pyobject($py)?.to_owned().into_any().into_ptr())
                })
            }
        }
        PyMethodDef {
            ml_name: $name.as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunction: entry },
            ml_flags: ffi::METH_NOARGS,
            ml_doc: $doc.as_ptr(),
        }
    }};
}

/// An attribute computed from the tensor alone.
macro_rules! fact {
    ($name:expr, |$t:ident, $py:ident| $body:expr) => {{
        unsafe extern "C" fn entry(slf: *mut PyObject, _: *mut std::ffi::c_void) -> *mut PyObject {
            // SAFETY: CPython calls getters with a tensor under the GIL.
            unsafe {
                guard(|$py| {
                    if subclass::concerns(slf)
                        && let Some(done) = subclass::get(None, $name, &Bound::from_borrowed_ptr($py, slf))?
                    {
                        return Ok(done.into_ptr());
                    }
                    let $t = tensor_of(slf);
                    Ok($body.into_pyobject($py)?.to_owned().into_any().into_ptr())
                })
            }
        }
        PyGetSetDef {
            name: $name.as_ptr(),
            get: Some(entry),
            set: None,
            doc: std::ptr::null(),
            closure: std::ptr::null_mut(),
        }
    }};
}

/// The dimension given to `size` or `stride`, if there is one.
fn dimension(function: &str, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<Option<i64>> {
    let (dim, position) = match args.get_item(0) {
        Ok(d) => (Some(d), " (position 1)"),
        Err(_) => (kwargs.map_or(Ok(None), |k| k.get_item("dim"))?, ""),
    };
    let Some(dim) = dim.filter(|d| !d.is_none()) else { return Ok(None) };
    // SAFETY: a live object under the GIL.
    if !unsafe { crate::args::check::is_index(dim.as_ptr()) } {
        return Err(PyTypeError::new_err(format!(
            "{function}(): argument 'dim'{position} must be int, not {}",
            type_name(&dim)
        )));
    }
    // SAFETY: as above.
    unsafe { crate::args::convert::int(dim.as_ptr()) }.map(Some)
}

fn get_size<'py>(
    slf: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let t = this(slf)?;
    match dimension("size", args, kwargs)? {
        None => size::size(slf.py(), t.sizes()),
        Some(d) => Ok(t.size(d).py()?.into_pyobject(slf.py())?.into_any()),
    }
}

fn get_stride<'py>(
    slf: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let t = this(slf)?;
    match dimension("stride", args, kwargs)? {
        None => Ok(PyTuple::new(slf.py(), t.strides())?.into_any()),
        Some(d) => {
            t.size(d).py()?;
            let d = flambeau_core::layout::wrap_dim(d, t.ndim()).py()?;
            Ok(t.strides()[d].into_pyobject(slf.py())?.into_any())
        }
    }
}

fn contiguous_in<'py>(
    slf: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let t = this(slf)?;
    if !args.is_empty() {
        return Err(PyTypeError::new_err(format!(
            "is_contiguous() takes 0 positional arguments but {} {} given",
            args.len(),
            if args.len() == 1 { "was" } else { "were" }
        )));
    }
    let code = match kwargs.map_or(Ok(None), |k| k.get_item("memory_format"))? {
        None => 0,
        Some(f) => match f.cast::<device::PyMemoryFormat>() {
            Ok(f) => f.get().code,
            Err(_) => {
                return Err(PyTypeError::new_err(format!(
                    "is_contiguous(): argument 'memory_format' must be torch.memory_format, not {}",
                    type_name(&f)
                )));
            }
        },
    };
    let (sizes, strides) = (t.sizes(), t.strides());
    let yes = match code {
        2 => sizes.len() == 4 && is_channels_last(sizes, strides),
        3 => sizes.len() == 5 && is_channels_last(sizes, strides),
        _ => is_contiguous(sizes, strides),
    };
    Ok(yes.into_pyobject(slf.py())?.to_owned().into_any())
}

/// The order of the dimensions in memory, outermost first.
fn dim_order<'py>(
    slf: &Bound<'py, PyAny>,
    _: &Bound<'py, PyTuple>,
    _: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let t = this(slf)?;
    let mut order: Vec<usize> = (0..t.ndim()).collect();
    order.sort_by_key(|&d| std::cmp::Reverse(t.strides()[d]));
    Ok(PyTuple::new(slf.py(), order)?.into_any())
}

fn is_set_to<'py>(
    slf: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    _: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let other = args.get_item(0)?;
    let (a, b) = (this(slf)?, crate::object::expect(&other, "is_set_to", "tensor")?);
    let same = Shared::ptr_eq(a.storage(), b.storage())
        && a.offset() == b.offset()
        && a.sizes() == b.sizes()
        && a.strides() == b.strides();
    Ok(same.into_pyobject(slf.py())?.to_owned().into_any())
}

fn same_size<'py>(
    slf: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    _: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let other = args.get_item(0)?;
    let same = this(slf)?.sizes() == crate::object::expect(&other, "is_same_size", "other")?.sizes();
    Ok(same.into_pyobject(slf.py())?.to_owned().into_any())
}

fn coalesced<'py>(
    _: &Bound<'py, PyAny>,
    _: &Bound<'py, PyTuple>,
    _: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    Err(PyRuntimeError::new_err("is_coalesced expected sparse coordinate tensor layout but got Strided"))
}

/// All dimensions in the reverse order.
fn reversed(t: &Tensor) -> PyResult<Tensor> {
    let order = (0..t.ndim() as i64).rev().collect();
    call::view_named(&ViewOp::Permute(order), t, "PermuteBackward0").py()
}

fn last_two_swapped(t: &Tensor) -> PyResult<Tensor> {
    let n = t.ndim() as i64;
    let order = (0..n - 2).chain([n - 1, n - 2]).collect();
    call::view(&ViewOp::Permute(order), t).py()
}

fn get_t<'py>(slf: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let (py, t) = (slf.py(), this(slf)?);
    if t.ndim() != 2 && t.ndim() != 0 {
        // PyTorch warns for one dimension too.
        warn(py, c"The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated and it will throw an \
             error in a future release. Consider `x.mT` to transpose batches of matrices or `x.permute(*torch.arange(x.ndim \
             - 1, -1, -1))` to reverse the dimensions of a tensor.",
        )?;
    }
    wrap(py, reversed(t)?)
}

fn matrix<'a>(slf: &'a Bound<'_, PyAny>, name: &str) -> PyResult<&'a Tensor> {
    let t = this(slf)?;
    if t.ndim() < 2 {
        return Err(PyRuntimeError::new_err(format!(
            "tensor.{name} is only supported on matrices or batches of matrices. Got {}-D tensor.",
            t.ndim()
        )));
    }
    Ok(t)
}

fn get_mt<'py>(slf: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if this(slf)?.ndim() == 0 {
        warn(slf.py(), c"Tensor.mT is deprecated on 0-D tensors. This function is the identity in these cases.")?;
        return Ok(slf.clone());
    }
    wrap(slf.py(), last_two_swapped(matrix(slf, "mT")?)?)
}

fn conjugate<'py>(py: Python<'py>, t: Tensor) -> PyResult<Bound<'py, PyAny>> {
    let complex = t.dtype().is_complex();
    let obj = wrap(py, t)?;
    if complex { obj.call_method0("conj") } else { Ok(obj) }
}

fn get_mh<'py>(slf: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    conjugate(slf.py(), last_two_swapped(matrix(slf, "mH")?)?)
}

fn get_h<'py>(slf: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let t = this(slf)?;
    match t.ndim() {
        0 => Ok(slf.clone()),
        2 => conjugate(slf.py(), last_two_swapped(t)?),
        1 => Err(PyRuntimeError::new_err("tensor.H is only supported on matrices (2-D tensors). Got 1-D tensor.")),
        n => Err(PyRuntimeError::new_err(format!(
            "tensor.H is only supported on matrices (2-D tensors). Got {n}-D tensor. For batches of matrices, consider using \
             tensor.mH"
        ))),
    }
}

fn get_real<'py>(slf: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let t = this(slf)?;
    if !t.dtype().is_complex() {
        return Ok(slf.clone());
    }
    wrap(slf.py(), call::view(&ViewOp::Part(0), t).py()?)
}

fn get_imag<'py>(slf: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let t = this(slf)?;
    if !t.dtype().is_complex() {
        return Err(PyTypeError::new_err("imag is not implemented for tensors with non-complex dtypes."));
    }
    wrap(slf.py(), call::view(&ViewOp::Part(1), t).py()?)
}

/// Writes a part of a complex tensor.
fn assign(target: &Bound<'_, PyAny>, value: Option<&Bound<'_, PyAny>>, name: &str) -> PyResult<()> {
    let Some(value) = value else {
        return Err(PyAttributeError::new_err(format!("can't delete attribute '{name}'")));
    };
    let method = if unwrap(value).is_some() { "copy_" } else { "fill_" };
    target.call_method1(method, (value,)).map(|_| ())
}

fn set_real(slf: &Bound<'_, PyAny>, value: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    assign(&get_real(slf)?, value, "real")
}

fn set_imag(slf: &Bound<'_, PyAny>, value: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    assign(&get_imag(slf)?, value, "imag")
}

pub fn methods() -> Vec<PyMethodDef> {
    vec![
        method!(
            c"size",
            get_size,
            c"size(dim=None) -> torch.Size or int\n\nAll sizes, or that of one dimension."
        ),
        method!(
            c"stride",
            get_stride,
            c"stride(dim=None) -> tuple or int\n\nHow many elements lie between neighbours along each dimension."
        ),
        method!(
            c"is_contiguous",
            contiguous_in,
            c"is_contiguous(*, memory_format=torch.contiguous_format) -> bool\n\nWhether the elements lie in that order."
        ),
        method!(c"dim_order", dim_order, c"dim_order() -> tuple\n\nThe dimensions as they lie in memory, outermost first."),
        method!(c"is_set_to", is_set_to, c"is_set_to(tensor) -> bool\n\nWhether both look at the same memory alike."),
        method!(c"is_same_size", same_size, c"is_same_size(other) -> bool\n\nWhether the shapes are equal."),
        method!(c"is_coalesced", coalesced, c"is_coalesced() -> bool\n\nFor sparse tensors only."),
        query!(c"dim", |t, py| t.ndim(), c"dim() -> int\n\nThe number of dimensions."),
        query!(c"ndimension", |t, py| t.ndim(), c"ndimension() -> int\n\nThe number of dimensions."),
        query!(c"dense_dim", |t, py| t.ndim(), c"dense_dim() -> int\n\nThe number of dense dimensions."),
        query!(c"sparse_dim", |_t, py| 0i64, c"sparse_dim() -> int\n\nThe number of sparse dimensions: none."),
        query!(c"numel", |t, py| t.numel(), c"numel() -> int\n\nThe number of elements."),
        query!(c"nelement", |t, py| t.numel(), c"nelement() -> int\n\nThe number of elements."),
        query!(c"element_size", |t, py| t.dtype().size(), c"element_size() -> int\n\nBytes of one element."),
        query!(c"data_ptr", |t, py| t.data_ptr() as usize, c"data_ptr() -> int\n\nThe address of the first element."),
        query!(c"const_data_ptr", |t, py| t.data_ptr() as usize, c"const_data_ptr() -> int\n\nAs `data_ptr`."),
        query!(c"storage_offset", |t, py| t.offset(), c"storage_offset() -> int\n\nThe first element's place in the storage."),
        query!(
            c"is_floating_point",
            |t, py| t.dtype().is_float(),
            c"is_floating_point() -> bool\n\nWhether the elements are real floating point numbers."
        ),
        query!(c"is_complex", |t, py| t.dtype().is_complex(), c"is_complex() -> bool\n\nWhether the elements are complex."),
        query!(c"is_signed", |t, py| t.dtype().is_signed(), c"is_signed() -> bool\n\nWhether the type has a sign."),
        query!(c"is_inference", |t, py| t.is_inference(), c"is_inference() -> bool\n\nMade under inference mode."),
        query!(c"is_pinned", |_t, py| false, c"is_pinned() -> bool\n\nWhether the memory is pinned: never on a CPU."),
        query!(c"is_conj", |_t, py| false, c"is_conj() -> bool\n\nWhether conjugation is pending: never, it is done at once."),
        query!(c"is_neg", |_t, py| false, c"is_neg() -> bool\n\nWhether negation is pending: never, it is done at once."),
        query!(c"is_distributed", |_t, py| false, c"is_distributed() -> bool\n\nAlways False."),
        query!(
            c"get_device",
            |t, py| t.device().index.map_or(-1, i64::from),
            c"get_device() -> int\n\nThe index of the device, -1 on a CPU."
        ),
        query!(c"_is_view", |t, py| t.is_view(), c"_is_view() -> bool\n\nWhether this is a view of another tensor."),
        query!(c"_is_zerotensor", |_t, py| false, c"_is_zerotensor() -> bool\n\nAlways False."),
        query!(
            c"is_nonzero",
            |t, py| match t.numel() {
                1 => t.item().py()?.to_bool(),
                0 => return Err(PyRuntimeError::new_err("Boolean value of Tensor with no values is ambiguous")),
                _ =>
                    return Err(PyRuntimeError::new_err(
                        "Boolean value of Tensor with more than one value is ambiguous"
                    )),
            },
            c"is_nonzero() -> bool\n\nWhether the one element is not zero."
        ),
    ]
}

pub fn getters() -> Vec<PyGetSetDef> {
    vec![
        fact!(c"shape", |t, py| size::size(py, t.sizes())?),
        fact!(c"dtype", |t, py| dtype::object(py, t.dtype())),
        fact!(c"device", |t, py| device::object(py, t.device())),
        fact!(c"layout", |_t, py| device::strided(py)),
        fact!(c"ndim", |t, py| t.ndim()),
        fact!(c"itemsize", |t, py| t.dtype().size()),
        fact!(c"nbytes", |t, py| t.numel() * t.dtype().size() as i64),
        fact!(c"is_cpu", |t, py| t.device().is_cpu()),
        fact!(c"is_meta", |t, py| t.device().is_meta()),
        fact!(c"is_cuda", |t, py| !t.device().is_cpu() && !t.device().is_meta()),
        fact!(c"is_sparse", |_t, py| false),
        fact!(c"is_sparse_csr", |_t, py| false),
        fact!(c"is_quantized", |_t, py| false),
        fact!(c"is_nested", |_t, py| false),
        fact!(c"is_mkldnn", |_t, py| false),
        fact!(c"is_mps", |_t, py| false),
        fact!(c"is_xla", |_t, py| false),
        fact!(c"is_xpu", |_t, py| false),
        fact!(c"is_mtia", |_t, py| false),
        fact!(c"is_ipu", |_t, py| false),
        fact!(c"is_maia", |_t, py| false),
        fact!(c"is_vulkan", |_t, py| false),
        fact!(c"_cdata", |t, py| t.id()),
        getter!(c"T", get_t),
        getter!(c"mT", get_mt),
        getter!(c"H", get_h),
        getter!(c"mH", get_mh),
        getter!(c"real", get_real, set_real),
        getter!(c"imag", get_imag, set_imag),
    ]
}

/// Functions that only ask a tensor something.
#[pyfunction]
fn numel(input: Arg) -> i64 {
    input.0.numel()
}

#[pyfunction]
fn is_floating_point(input: Arg) -> bool {
    input.0.dtype().is_float()
}

#[pyfunction]
fn is_complex(input: Arg) -> bool {
    input.0.dtype().is_complex()
}

#[pyfunction]
fn is_signed(input: Arg) -> bool {
    input.0.dtype().is_signed()
}

#[pyfunction]
fn is_inference(input: Arg) -> bool {
    input.0.is_inference()
}

#[pyfunction]
fn is_conj(input: Arg) -> bool {
    // Conjugation is done at once here, never kept for later.
    let Arg(_) = input;
    false
}

#[pyfunction]
fn is_nonzero(input: &Bound<'_, PyAny>) -> PyResult<bool> {
    input.call_method0("is_nonzero")?.extract()
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(numel, m)?)?;
    m.add_function(wrap_pyfunction!(crate::errors::set_warn_always, m)?)?;
    m.add_function(wrap_pyfunction!(crate::errors::is_warn_always_enabled, m)?)?;
    m.add_function(wrap_pyfunction!(is_floating_point, m)?)?;
    m.add_function(wrap_pyfunction!(is_complex, m)?)?;
    m.add_function(wrap_pyfunction!(is_signed, m)?)?;
    m.add_function(wrap_pyfunction!(is_inference, m)?)?;
    m.add_function(wrap_pyfunction!(is_conj, m)?)?;
    m.add_function(wrap_pyfunction!(is_nonzero, m)?)
}
