//! Copies and conversions, and the engine's own operations.

use flambeau_core::autograd::OutMeta;
use flambeau_core::backend::UnaryOp;
use flambeau_core::intrinsics::Intrinsics;
use flambeau_core::layout::{self, Dims};
use flambeau_core::op::{Diff, Inputs, Kind, Meta, Metas, OpDef, Params, ParamsExt};
use flambeau_core::view::ViewOp;
use flambeau_core::{DType, Error, Result, Scalar, Tensor, call1, check, params};

use crate::operand::*;
use crate::unary;

/// Memory formats as parameters carry them.
pub mod format {
    pub const CONTIGUOUS: i64 = 0;
    pub const PRESERVE: i64 = 1;
    pub const CHANNELS_LAST: i64 = 2;
    pub const CHANNELS_LAST_3D: i64 = 3;
}

/// The strides that a memory format asks for (`None` is row-major).
pub fn format_strides(x: &Tensor, wanted: Option<i64>) -> Result<Option<Dims>> {
    match wanted.unwrap_or(format::PRESERVE) {
        format::CONTIGUOUS => Ok(None),
        format::PRESERVE => Ok(Meta::copying(x).strides.map(|s| *s)),
        f @ (format::CHANNELS_LAST | format::CHANNELS_LAST_3D) => {
            let rank = if f == format::CHANNELS_LAST { 4 } else { 5 };
            check!(x.ndim() == rank, Runtime, "required rank {rank} tensor to use channels_last format");
            Ok(layout::channels_last_strides(x.sizes()))
        }
        _ => Err(Error::runtime("unsupported memory format")),
    }
}

fn copied(x: Inputs, dtype: DType, wanted: Option<i64>) -> Result<Metas> {
    let x = arg(x, 0)?;
    let mut m = Meta::new(x.sizes(), dtype, x.device());
    m.strides = format_strides(x, wanted)?.map(Box::new);
    Ok(smallvec::smallvec![m])
}

fn pass(c: &flambeau_core::autograd::Vjp) -> Result<flambeau_core::op::Grads> {
    grads!(c; 0 => Ok::<_, Error>(c.g().clone()))
}

rows! { ROWS_ALL:
    clone = OpDef {
        sig: "clone(Tensor input, *, MemoryFormat? memory_format=None) -> Tensor",
        doc: "A copy; gradients flow through.",
        kind: Kind::Kernel {
            infer: |x, p| copied(x, arg(x, 0)?.dtype(), p.opt_int(0)),
            run: |b, x, o, _| b.copy(arg(x, 0)?.raw(), o[0].raw()),
        },
        diff: Diff::Vjp(pass),
        samples: Some(|s| unary::samples(s, (-3.0, 3.0))),
        ..BASE
    };
    to_copy = OpDef {
        sig: "to_copy(Tensor input, ScalarType dtype, MemoryFormat? memory_format=None) -> Tensor",
        doc: "A copy in another dtype; gradients come back in the input's.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| copied(x, p.dtype(0).unwrap_or(arg(x, 0)?.dtype()), p.opt_int(1)),
            run: |b, x, o, _| b.copy(arg(x, 0)?.raw(), o[0].raw()),
        },
        diff: Diff::Vjp(pass),
        samples: Some(|s| { let x = s.normal(&[2, 3]); s.push(vec![Some(x)], params![DType::F64], 1) }),
        ..BASE
    };
    contiguous = OpDef {
        sig: "contiguous(Tensor input, *, MemoryFormat memory_format=torch.contiguous_format) -> Tensor",
        doc: "The tensor itself if its memory is in the wanted order, else a copy that is.",
        surfaces: M,
        kind: Kind::Composite(|x, p| {
            let x = arg(x, 0)?;
            let f = p.opt_int(0).unwrap_or(format::CONTIGUOUS);
            let fits = match f {
                format::CHANNELS_LAST | format::CHANNELS_LAST_3D => layout::is_channels_last(x.sizes(), x.strides()),
                _ => x.is_contiguous(),
            };
            let y = if fits { x.clone() } else { call1(&clone::OP, &[Some(x)], params![f])? };
            Ok(smallvec::smallvec![y])
        }),
        ..BASE
    };
    copy = OpDef {
        sig: "copy_kernel(Tensor input, Tensor src) -> Tensor",
        doc: "The source converted and expanded to the input.",
        surfaces: INTERNAL | flambeau_core::op::surface::INPLACE,
        kind: Kind::Kernel {
            infer: |x, _| {
                let (t, s) = (arg(x, 0)?, arg(x, 1)?);
                check!(layout::is_expandable(s.sizes(), t.sizes()), Runtime,
                    "The size of tensor a ({}) must match the size of tensor b ({}) at non-singleton dimension {}",
                    mismatch(t.sizes(), s.sizes()).0, mismatch(t.sizes(), s.sizes()).1, mismatch(t.sizes(), s.sizes()).2);
                Ok(smallvec::smallvec![Meta::new(t.sizes(), t.dtype(), t.device())])
            },
            run: |b, x, o, _| {
                let (s, out) = (arg(x, 1)?, &o[0]);
                let strides = layout::expand_strides(s.sizes(), s.strides(), out.sizes())
                    .ok_or_else(|| Error::runtime("copy_: shapes do not match"))?;
                b.copy(s.raw().with_layout(out.sizes(), &strides), out.raw())
            },
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => crate::create::zeros_like(c.g()), 1 => Ok::<_, Error>(c.g().clone()))),
        samples: Some(|s| { let (x, y) = (s.normal(&[2, 3]), s.normal(&[3])); s.push(vec![Some(x), Some(y)], Params::new(), 3) }),
        ..BASE
    };
    strided_clone = OpDef {
        sig: "strided_clone(Tensor input, int[] strides) -> Tensor",
        doc: "A copy with given strides, which leave no gaps.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| {
                let mut m = Meta::copying(arg(x, 0)?);
                m.strides = Some(Box::new(Dims::from_slice(p.ints(0))));
                Ok(smallvec::smallvec![m])
            },
            run: |b, x, o, _| b.copy(arg(x, 0)?.raw(), o[0].raw()),
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => Ok::<_, Error>(c.g().clone()))),
        samples: Some(|s| { let x = s.normal(&[2, 3]); s.push(vec![Some(x)], params![[1i64, 2]], 1) }),
        ..BASE
    };
    copy_ = OpDef {
        sig: "copy_(Tensor input, Tensor src, bool non_blocking=False) -> Tensor",
        doc: "Writes `src`, converted and expanded, into the tensor.",
        surfaces: M,
        kind: Kind::Composite(|x, _| {
            let t = arg(x, 0)?;
            copy_(t, arg(x, 1)?)?;
            Ok(smallvec::smallvec![t.clone()])
        }),
        ..BASE
    };
    fill_ = OpDef {
        sig: "fill_(Tensor input, Tensor|Scalar value) -> Tensor",
        doc: "Sets every element to one value, which a tensor of no dimension may hold.",
        kind: Kind::Composite(|x, _| {
            let (t, v) = (arg(x, 0)?, arg(x, 1)?);
            check!(v.ndim() == 0, Runtime, "fill_ only supports 0-dimension value tensor but got tensor with {} dimensions.", v.ndim());
            copy_(t, v)?;
            Ok(smallvec::smallvec![t.clone()])
        }),
        ..BASE
    };
    fill = OpDef {
        sig: "fill(Tensor input, Tensor|Scalar value) -> Tensor",
        doc: "A tensor like `input`, filled with one value.",
        kind: Kind::Composite(|x, _| {
            let (t, v) = (arg(x, 0)?, arg(x, 1)?);
            check!(v.ndim() == 0, Runtime, "fill_ only supports 0-dimension value tensor but got tensor with {} dimensions.", v.ndim());
            Ok(smallvec::smallvec![call1(&copy::OP, &[Some(t), Some(v)], Params::new())?])
        }),
        ..BASE
    };
    conj_physical = OpDef {
        sig: "conj_physical(Tensor input, *, Tensor? out=None) -> Tensor",
        doc: "The complex conjugate of each element, as new memory.",
        surfaces: FMI,
        kind: Kind::Kernel { infer: unary::infer::copied, run: |b, x, o, _| if o[0].dtype().is_complex() {
            unary::run(b, UnaryOp::Conj, x, o, &[])
        } else {
            b.copy(arg(x, 0)?.raw(), o[0].raw())
        } },
        diff: Diff::Vjp(|c| grads!(c; 0 => conj(c.g()))),
        samples: Some(|s| unary::samples(s, (-3.0, 3.0))),
        ..BASE
    };
    conj = OpDef {
        sig: "conj(Tensor input) -> Tensor",
        doc: "The complex conjugate of each element; a real tensor is returned as it is.",
        kind: Kind::Composite(|x, _| Ok(smallvec::smallvec![conj(arg(x, 0)?)?])),
        ..BASE
    };
    resolve_conj = OpDef {
        sig: "resolve_conj(Tensor input) -> Tensor",
        doc: "The tensor itself: conjugates are never lazy here.",
        aliases: &["resolve_neg"],
        kind: Kind::Composite(|x, _| Ok(smallvec::smallvec![arg(x, 0)?.clone()])),
        ..BASE
    };
    real = OpDef {
        sig: "real(Tensor input) -> Tensor",
        doc: "The real parts, as a view; a real tensor itself.",
        surfaces: F,
        kind: Kind::Composite(|x, _| Ok(smallvec::smallvec![real(arg(x, 0)?)?])),
        ..BASE
    };
    imag = OpDef {
        sig: "imag(Tensor input) -> Tensor",
        doc: "The imaginary parts, as a view.",
        surfaces: F,
        kind: Kind::Composite(|x, _| {
            let x = arg(x, 0)?;
            check!(x.dtype().is_complex(), Runtime, "imag is not implemented for tensors with non-complex dtypes.");
            Ok(smallvec::smallvec![flambeau_core::call::view(&ViewOp::Part(1), x)?])
        }),
        ..BASE
    };
}

fn mismatch(a: &[i64], b: &[i64]) -> (i64, i64, usize) {
    for i in 1..=b.len() {
        let x = if i <= a.len() { a[a.len() - i] } else { 1 };
        let y = b[b.len() - i];
        if x != y && y != 1 {
            return (x, y, a.len().max(b.len()) - i);
        }
    }
    (0, 0, 0)
}

/// The complex conjugate; a real tensor is returned as it is.
pub fn conj(x: &Tensor) -> Result<Tensor> {
    if x.dtype().is_complex() { call1(&conj_physical::OP, &[Some(x)], Params::new()) } else { Ok(x.clone()) }
}

/// The real parts as a view; a real tensor itself.
pub fn real(x: &Tensor) -> Result<Tensor> {
    if x.dtype().is_complex() { flambeau_core::call::view(&ViewOp::Part(0), x) } else { Ok(x.clone()) }
}

/// A copy in the same order of memory.
pub fn clone(x: &Tensor) -> Result<Tensor> {
    call1(&clone::OP, &[Some(x)], Params::new())
}

/// The tensor itself if it has these strides, else a copy that has.
pub(crate) fn restrided(x: &Tensor, strides: &[i64]) -> Result<Tensor> {
    if x.strides() == strides {
        return Ok(x.clone());
    }
    call1(&strided_clone::OP, &[Some(x)], params![strides])
}

/// Row-major to the letter: also where dimensions of size one or none leave strides open.
pub(crate) fn row_major(x: &Tensor) -> Result<Tensor> {
    restrided(x, &layout::contiguous_strides(x.sizes()))
}

/// A row-major copy.
pub fn contiguous_copy(x: &Tensor) -> Result<Tensor> {
    call1(&clone::OP, &[Some(x)], params![format::CONTIGUOUS])
}

/// The tensor itself if it is row-major, else a copy that is.
pub fn contiguous(x: &Tensor) -> Result<Tensor> {
    if x.is_contiguous() { Ok(x.clone()) } else { contiguous_copy(x) }
}

/// The tensor itself if it has this dtype, else a converted copy.
pub fn to_dtype(x: &Tensor, dtype: DType) -> Result<Tensor> {
    if x.dtype() == dtype { Ok(x.clone()) } else { call1(&to_copy::OP, &[Some(x)], params![dtype]) }
}

/// Writes `src`, converted and expanded, into `x`.
pub fn copy_(x: &Tensor, src: &Tensor) -> Result<()> {
    if x.is(src) {
        return Ok(());
    }
    flambeau_core::call_inplace(&copy::OP, &[Some(x), Some(src)], Params::new()).map(|_| ())
}

/// Sets every element.
pub fn fill_(x: &Tensor, value: Scalar) -> Result<()> {
    copy_(x, &Tensor::wrapped(value)?)
}

/// Sums a gradient over the dimensions in which `sizes` was broadcast.
pub fn sum_to(g: &Tensor, sizes: &[i64]) -> Result<Tensor> {
    if g.sizes() == sizes {
        return Ok(g.clone());
    }
    let lead = g.ndim() - sizes.len();
    let dims: Dims =
        (0..g.ndim()).filter(|&d| d < lead || sizes[d - lead] == 1 && g.sizes()[d] != 1).map(|d| d as i64).collect();
    if dims.is_empty() {
        return crate::view::reshape(g, sizes);
    }
    let y = crate::reduce::sum(g, &dims, true)?;
    if lead == 0 { Ok(y) } else { crate::view::reshape(&y, sizes) }
}

/// What the engine calls.
pub(crate) fn intrinsics() -> Intrinsics {
    Intrinsics {
        // What users write is recorded as from Python; `binary::add` and the like are PyTorch's own arithmetic.
        add: |a, b| call1(&crate::binary::add::OP, &[Some(a), Some(b)], Params::new()),
        sub: |a, b| call1(&crate::binary::sub::OP, &[Some(a), Some(b)], Params::new()),
        mul: |a, b| call1(&crate::binary::mul::OP, &[Some(a), Some(b)], Params::new()),
        div: |a, b| call1(&crate::binary::true_div::OP, &[Some(a), Some(b)], Params::new()),
        neg: unary::neg,
        add_: |a, b| {
            flambeau_core::call_inplace(&crate::binary::add::OP, &[Some(a), Some(b)], Params::new()).map(|_| ())
        },
        clone,
        row_major: contiguous_copy,
        copy_,
        zeros: |m: &OutMeta| crate::create::zeros(&m.sizes, m.dtype, m.device),
        ones_like: |x| crate::create::full(x.sizes(), Scalar::Int(1), x.dtype(), x.device()),
        sum_to,
        cast: to_dtype,
        real,
        reshape: |x, sizes| crate::view::reshape(x, sizes),
        unview: crate::view::unview_of,
        cat: |parts, dim| {
            let parts: Vec<&Tensor> = parts.iter().collect();
            crate::shape::cat(&parts, dim as i64)
        },
        has_nan: |x| {
            if !x.dtype().is_differentiable() {
                return Ok(false);
            }
            flambeau_core::autograd::no_grad(|| Ok(crate::reduce::any_all(&unary::isnan(x)?, true)?.item()?.to_bool()))
        },
    }
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
