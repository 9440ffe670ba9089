//! What every family shares: type promotion, broadcasting of operands, defaults of a row.

use flambeau_core::backend::Raw;
use flambeau_core::dtype::{Category, promote};
use flambeau_core::layout::{self, Dims};
use flambeau_core::op::{Diff, Inputs, Kind, Meta, OpDef, Outs, Params, Saves, elementwise_strides, surface};
use flambeau_core::{DType, Device, Error, Result, Scalar, Tensor, bail, default_dtype};

pub const NONE: Saves = Saves { inputs: 0, outputs: 0, cross: false };
pub const X: Saves = Saves { inputs: 1, outputs: 0, cross: false };
pub const Y: Saves = Saves { inputs: 0, outputs: 1, cross: false };
/// Both factors, each only if the other one's gradient is wanted.
pub const CROSS: Saves = Saves { inputs: 3, outputs: 0, cross: true };
pub const XX: Saves = Saves { inputs: 3, outputs: 0, cross: false };

pub const F: u16 = surface::FUNCTION;
pub const M: u16 = surface::METHOD;
pub const FM: u16 = surface::FUNCTION | surface::METHOD;
pub const FMI: u16 = FM | surface::INPLACE;
pub const NN: u16 = surface::NN;
pub const INTERNAL: u16 = surface::INTERNAL;

fn undefined(_: Inputs, _: &Params) -> Result<Outs> {
    Err(Error::runtime("internal error: a row without a meaning was called; please report"))
}

/// What a row need not say.
pub const BASE: OpDef = OpDef {
    name: "",
    node: "",
    hidden: 0,
    shown: None,
    label: None,
    node_inplace: "",
    sig: "",
    doc: "",
    aliases: &[],
    surfaces: FM,
    kind: Kind::Composite(undefined),
    quick: None,
    diff: Diff::Through,
    saves: NONE,
    diff_outputs: u16::MAX,
    decompose: None,
    samples: None,
};

/// The result of a composite that returns one tensor.
#[inline]
pub fn one(t: Tensor) -> Result<Outs> {
    Ok(smallvec::smallvec![t])
}

/// A window's setting for each of three dimensions, of which the last `3 - nd` are `fill`; one number counts for all.
pub fn triple(v: &[i64], nd: usize, fill: i64) -> [i64; 3] {
    let mut out = [fill; 3];
    for i in 0..nd {
        out[i] = if v.len() == 1 { v[0] } else { v.get(i).copied().unwrap_or(fill) };
    }
    out
}

/// The tensor argument `i` of a call, which the signature says is there.
#[inline]
pub fn arg<'a>(x: &[Option<&'a Tensor>], i: usize) -> Result<&'a Tensor> {
    match x.get(i) {
        Some(Some(t)) => Ok(t),
        _ => Err(Error::type_error(format!("argument {} must be Tensor, not None", i + 1))),
    }
}

/// The optional tensor argument `i`.
#[inline]
pub fn opt<'a>(x: &[Option<&'a Tensor>], i: usize) -> Option<&'a Tensor> {
    x.get(i).copied().flatten()
}

/// The dtype that an operation on these tensors computes in, by PyTorch's rule: tensors with dimensions count before
/// zero-dimensional ones, those before host numbers, unless a later group has a higher category.
pub fn result_type(tensors: &[&Tensor]) -> Result<DType> {
    let mut groups: [Option<DType>; 3] = [None; 3];
    for t in tensors {
        let (group, dtype) = if t.is_wrapped() {
            let d = match t.dtype().category() {
                Category::Complex => default_dtype().to_complex(),
                Category::Float => default_dtype(),
                _ => t.dtype(),
            };
            (2, d)
        } else {
            ((t.ndim() == 0) as usize, t.dtype())
        };
        groups[group] = Some(match groups[group] {
            None => dtype,
            Some(d) => join(d, dtype)?,
        });
    }
    let [dims, zero, wrapped] = groups;
    match combine(dims, combine(zero, wrapped)?)? {
        Some(d) => Ok(d),
        None => bail!(Runtime, "result_type: at least one tensor is needed"),
    }
}

#[inline]
pub fn result_type_of(a: &Tensor, b: &Tensor) -> Result<DType> {
    if a.dtype() == b.dtype() && !a.is_wrapped() && !b.is_wrapped() {
        return Ok(a.dtype());
    }
    // A number of no higher category leaves a tensor with dimensions alone.
    if b.is_wrapped() && a.ndim() > 0 && b.dtype().category() <= a.dtype().category() {
        return Ok(a.dtype());
    }
    result_type(&[a, b])
}

fn join(a: DType, b: DType) -> Result<DType> {
    promote(a, b).ok_or_else(|| {
        if a.is_float8() || b.is_float8() {
            Error::runtime(format!(
                "Promotion for Float8 Types is not supported, attempted to promote {} and {}",
                a.scalar_name(),
                b.scalar_name()
            ))
        } else {
            Error::runtime(format!(
                "Promotion for uint16, uint32, uint64 types is not supported, attempted to promote {} and {}",
                a.scalar_name(),
                b.scalar_name()
            ))
        }
    })
}

fn combine(higher: Option<DType>, lower: Option<DType>) -> Result<Option<DType>> {
    let (Some(h), Some(l)) = (higher, lower) else { return Ok(higher.or(lower)) };
    Ok(Some(match (h.category(), l.category()) {
        (Category::Complex, _) => h,
        (Category::Float, Category::Complex) => h.to_complex(),
        (Category::Float, _) => h,
        (Category::Bool, _) | (_, Category::Float | Category::Complex) => join(h, l)?,
        _ => h,
    }))
}

/// The device that results live on; a zero-dimensional CPU tensor may join any other device.
pub fn common_device(tensors: &[&Tensor]) -> Device {
    tensors
        .iter()
        .find(|t| t.ndim() > 0 || !t.device().is_cpu())
        .or(tensors.first())
        .map_or(Device::CPU, |t| t.device())
}

/// [`common_device`] for operations that hand memory to kernels themselves: nothing may be elsewhere.
pub fn one_device(tensors: &[&Tensor]) -> Result<Device> {
    let device = common_device(tensors);
    tensors.iter().try_for_each(|t| flambeau_core::call::check_device(t, device))?;
    Ok(device)
}

/// Contiguous, and with no other strides at dimensions of size one or in an empty tensor.
#[inline]
fn row_major(t: &Tensor) -> bool {
    t.is_contiguous()
        && (t.sizes().iter().all(|&n| n > 1) || t.strides() == layout::contiguous_strides(t.sizes()).as_slice())
}

/// Without host numbers, unless there is nothing else.
pub fn numberless<'a>(tensors: &[&'a Tensor]) -> smallvec::SmallVec<[&'a Tensor; 4]> {
    let kept: smallvec::SmallVec<[&Tensor; 4]> = tensors.iter().copied().filter(|t| !t.is_wrapped()).collect();
    if kept.is_empty() { tensors.into() } else { kept }
}

/// Shape, memory order and device of an elementwise result.
pub fn broadcast_meta(tensors: &[&Tensor], dtype: DType) -> Result<Meta> {
    let first = tensors[0];
    if row_major(first)
        && tensors[1..].iter().all(|t| t.ndim() == 0 || row_major(t) && t.sizes() == first.sizes())
        && (first.ndim() > 0 || !first.device().is_cpu() || tensors.len() == 1)
    {
        return Ok(Meta { sizes: layout::dims(first.sizes()), strides: None, dtype, device: first.device() });
    }
    let mut sizes = Dims::from_slice(first.sizes());
    let mut plain = row_major(first);
    for t in &tensors[1..] {
        if t.sizes() != sizes.as_slice() {
            sizes = layout::broadcast(&sizes, t.sizes())?;
        }
        plain &= row_major(t);
    }
    let strides = if plain { None } else { shared_strides(&sizes, tensors) };
    Ok(Meta { sizes, strides: strides.map(Box::new), dtype, device: common_device(tensors) })
}

/// The order of memory of the elementwise result of operands of which not all are contiguous.
fn shared_strides(sizes: &[i64], tensors: &[&Tensor]) -> Option<Dims> {
    let operands: Vec<(&[i64], &[i64])> = tensors.iter().map(|t| (t.sizes(), t.strides())).collect();
    elementwise_strides(sizes, &operands)
}

/// An input made ready for a kernel: converted to the dtype it computes in and expanded to the result's sizes.
pub struct Operand {
    /// `None` for a host number, which lives in `number`.
    tensor: Option<Tensor>,
    number: u64,
    strides: Dims,
    dtype: DType,
}

impl Operand {
    /// Prepares `t`; a single number of another dtype is converted in place, without an allocation.
    #[inline]
    pub fn new(t: &Tensor, dtype: DType, sizes: &[i64]) -> Result<Operand> {
        if t.ndim() == 0 && t.dtype() != dtype && t.device().is_cpu() {
            let number = match dtype {
                DType::F32 => Some((t.item()?.to_f64() as f32).to_bits() as u64),
                DType::F64 => Some(t.item()?.to_f64().to_bits()),
                DType::I64 => Some(t.item()?.to_i64() as u64),
                _ => None,
            };
            if let Some(number) = number {
                return Ok(Operand { tensor: None, number, strides: Dims::from_elem(0, sizes.len()), dtype });
            }
        }
        let own = if t.dtype() == dtype { t.clone() } else { t.cast_raw(dtype)? };
        let strides = if layout::same(own.sizes(), sizes) {
            layout::dims(own.strides())
        } else {
            match layout::expand_strides(own.sizes(), own.strides(), sizes) {
                Some(s) => s,
                None => bail!(Runtime, "cannot expand {} to {}", layout::fmt(own.sizes()), layout::fmt(sizes)),
            }
        };
        Ok(Operand { tensor: Some(own), number: 0, strides, dtype })
    }

    #[inline]
    pub fn raw<'b>(&'b self, sizes: &'b [i64]) -> Raw<'b> {
        let ptr = match &self.tensor {
            Some(t) => t.raw().ptr,
            None => (&raw const self.number).cast_mut().cast::<u8>(),
        };
        Raw { ptr, dtype: self.dtype, sizes, strides: &self.strides }
    }
}

/// A number in the dtype that the tensor's own arithmetic has: what `alpha` must fit.
pub fn check_alpha(dtype: DType, alpha: Scalar) -> Result<()> {
    flambeau_core::check!(
        alpha.category() <= Category::Int || dtype.is_float() || dtype.is_complex(),
        Runtime,
        "For integral input tensors, argument alpha must not be a floating point number."
    );
    flambeau_core::check!(
        alpha.category() != Category::Bool || dtype == DType::Bool,
        Runtime,
        "Boolean alpha only supported for Boolean results."
    );
    Ok(())
}
