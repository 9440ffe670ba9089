//! Methods about the tensor object itself: `x.to(...)` and `x.float()`, which give back the tensor where nothing changes,
//! and views in place (`x.unsqueeze_(0)`).
//!
//! They are rows like the engine's own, so that their arguments are parsed by the same rules.

use flambeau_core::autograd::adopt_view;
use flambeau_core::call::check_inplace;
use flambeau_core::op::{Compose, Inputs, Kind, OpDef, Outs, Params, ParamsExt, surface};
use flambeau_core::{DType, Device, Error, Result, Tensor, call1, check, layout};
use flambeau_ops::operand::BASE;

/// Whether a tensor's memory is in the wanted order already (1 keeps any order).
fn in_order(x: &Tensor, format: Option<i64>) -> bool {
    match format {
        None | Some(1) => true,
        Some(0) => !layout::suggests_channels_last(x.sizes(), x.strides()),
        Some(_) => layout::suggests_channels_last(x.sizes(), x.strides()),
    }
}

/// The tensor on a device, in a dtype and an order of memory; itself if it is that already and no copy is asked for.
fn convert(
    x: &Tensor,
    device: Option<Device>,
    dtype: Option<DType>,
    copy: bool,
    format: Option<i64>,
) -> Result<Tensor> {
    let device = device.unwrap_or(x.device());
    let dtype = dtype.unwrap_or(x.dtype());
    let same_device = device.kind == x.device().kind;
    if same_device && dtype == x.dtype() && !copy && in_order(x, format) {
        return Ok(x.clone());
    }
    if same_device {
        let params = flambeau_core::params![dtype, format];
        return call1(&flambeau_ops::copy::to_copy::OP, &[Some(x)], params);
    }
    if device.is_meta() {
        return Tensor::empty_strided(x.sizes(), x.strides(), dtype, device);
    }
    check!(!x.device().is_meta(), NotImplemented, "Cannot copy out of meta tensor; no data!");
    Err(Error::runtime(format!("Torch not compiled with {} enabled", device.type_name().to_uppercase())))
}

fn one(t: Tensor) -> Result<Outs> {
    Ok(Outs::from_iter([t]))
}

fn first<'a>(x: Inputs<'a>) -> Result<&'a Tensor> {
    x.first().copied().flatten().ok_or_else(|| Error::type_error("to(): argument 'self' must be Tensor"))
}

fn to_device(x: Inputs, p: &Params) -> Result<Outs> {
    one(convert(first(x)?, p.device(0), p.dtype(1), p.bool(3), p.opt_int(4))?)
}

fn to_dtype(x: Inputs, p: &Params) -> Result<Outs> {
    one(convert(first(x)?, None, p.dtype(0), p.bool(2), p.opt_int(3))?)
}

fn to_other(x: Inputs, p: &Params) -> Result<Outs> {
    let other = x[1].ok_or_else(|| Error::type_error("to(): argument 'tensor' must be Tensor"))?;
    one(convert(first(x)?, Some(other.device()), Some(other.dtype()), p.bool(1), p.opt_int(2))?)
}

fn cpu(x: Inputs, p: &Params) -> Result<Outs> {
    one(convert(first(x)?, Some(Device::CPU), None, false, p.opt_int(0))?)
}

fn cuda(x: Inputs, p: &Params) -> Result<Outs> {
    let device = p.device(0).unwrap_or(Device { kind: flambeau_core::DeviceKind::Cuda, index: None });
    one(convert(first(x)?, Some(device), None, false, None)?)
}

fn type_as(x: Inputs, _: &Params) -> Result<Outs> {
    let other = x[1].ok_or_else(|| Error::type_error("type_as(): argument 'other' must be Tensor"))?;
    one(convert(first(x)?, Some(other.device()), Some(other.dtype()), false, None)?)
}

const fn row(sig: &'static str, doc: &'static str, f: Compose) -> OpDef {
    OpDef { sig, doc, surfaces: surface::METHOD, kind: Kind::Composite(f), ..BASE }
}

static TO_DEVICE: OpDef = row(
    "to(Tensor input, Device? device=None, ScalarType? dtype=None, bool non_blocking=False, bool copy=False, *, \
     MemoryFormat? memory_format=None) -> Tensor",
    "The tensor on another device or in another dtype; itself if nothing changes.",
    to_device,
);
static TO_DTYPE: OpDef = row(
    "to(Tensor input, ScalarType dtype, bool non_blocking=False, bool copy=False, *, MemoryFormat? memory_format=None) -> \
     Tensor",
    "The tensor in another dtype; itself if it has it already.",
    to_dtype,
);
static TO_OTHER: OpDef = row(
    "to(Tensor input, Tensor tensor, bool non_blocking=False, bool copy=False, *, MemoryFormat? memory_format=None) -> \
     Tensor",
    "The tensor with the dtype and device of another one.",
    to_other,
);
static CPU: OpDef = row(
    "cpu(Tensor input, *, MemoryFormat? memory_format=None) -> Tensor",
    "The tensor on the CPU; itself if it is there already.",
    cpu,
);
static CUDA: OpDef = row(
    "cuda(Tensor input, Device? device=None, bool non_blocking=False, *, MemoryFormat? memory_format=None) -> Tensor",
    "The tensor on a CUDA device.",
    cuda,
);
static TYPE_AS: OpDef =
    row("type_as(Tensor input, Tensor other) -> Tensor", "The tensor in the dtype of another one.", type_as);

macro_rules! views_in_place {
    ($($item:ident, $of:literal, $node:literal, $sig:literal;)*) => {
        $(static $item: OpDef = row($sig, concat!("As `", $of, "`, changing this tensor."), |x, p| {
            let op = flambeau_ops::find($of).ok_or_else(|| Error::runtime(concat!($of, " is not registered")))?;
            let this = first(x)?;
            check_inplace(this)?;
            adopt_view(this, &call1(op, x, p.clone())?, $node)?;
            one(this.clone())
        });)*

        static VIEWS: &[&OpDef] = &[$(&$item),*];
    };
}
views_in_place! {
    UNSQUEEZE, "unsqueeze", "UnsqueezeBackward1", "unsqueeze_(Tensor input, int dim) -> Tensor";
    SQUEEZE, "squeeze", "SqueezeBackward3", "squeeze_(Tensor input) -> Tensor";
    SQUEEZE_DIM, "squeeze_dim", "SqueezeBackward4", "squeeze_(Tensor input, int dim) -> Tensor";
    SQUEEZE_DIMS, "squeeze_dims", "SqueezeBackward5", "squeeze_(Tensor input, int[] dim) -> Tensor";
    T, "t", "TBackward1", "t_(Tensor input) -> Tensor";
    TRANSPOSE, "transpose", "TransposeBackward1", "transpose_(Tensor input, int dim0, int dim1) -> Tensor";
    SWAPAXES, "transpose", "TransposeBackward1", "swapaxes_(Tensor input, int axis0, int axis1) -> Tensor";
    SWAPDIMS, "transpose", "TransposeBackward1", "swapdims_(Tensor input, int dim0, int dim1) -> Tensor";
    AS_STRIDED, "as_strided", "AsStridedBackward1", "as_strided_(Tensor input, int[] size, int[] stride, int? storage_offset=None) -> Tensor";
}

/// All rows of this file.
pub fn rows() -> impl Iterator<Item = &'static OpDef> {
    CASTS.iter().chain(VIEWS).copied()
}

macro_rules! casts {
    ($($item:ident, $name:literal, $dtype:ident;)*) => {
        $(static $item: OpDef = row(
            concat!($name, "(Tensor input, *, MemoryFormat? memory_format=None) -> Tensor"),
            concat!("The tensor as `torch.", $name, "`; itself if it is that already."),
            |x, p| one(convert(first(x)?, None, Some(DType::$dtype), false, p.opt_int(0))?),
        );)*

        static CASTS: &[&OpDef] = &[&TO_DEVICE, &TO_DTYPE, &TO_OTHER, &CPU, &CUDA, &TYPE_AS, $(&$item),*];
    };
}
casts! {
    FLOAT, "float", F32;
    DOUBLE, "double", F64;
    HALF, "half", F16;
    BFLOAT16, "bfloat16", BF16;
    LONG, "long", I64;
    INT, "int", I32;
    SHORT, "short", I16;
    CHAR, "char", I8;
    BYTE, "byte", U8;
    BOOL, "bool", Bool;
    CFLOAT, "cfloat", C64;
    CDOUBLE, "cdouble", C128;
    CHALF, "chalf", C32;
}
