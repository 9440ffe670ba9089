//! Views as fresh tensors (`*_copy`), and splits whose parts may be written to freely.

use flambeau_core::op::{Inputs, Kind, OpDef, Outs, Params, ParamsExt};
use flambeau_core::{Result, call, check, params};

use crate::copy::contiguous_copy;
use crate::operand::*;

/// What the view's row returns, copied.
fn copied(row: &'static OpDef, x: Inputs, p: &Params) -> Result<Outs> {
    call(row, x, p.clone())?.iter().map(contiguous_copy).collect()
}

macro_rules! copies {
    ($list:ident: $($name:ident of $fam:ident::$row:ident, $sig:literal, $doc:literal;)*) => {
        rows! { $list: $(
            $name = OpDef {
                sig: $sig,
                doc: $doc,
                surfaces: F,
                kind: Kind::Composite(|x, p| copied(&crate::$fam::$row::OP, x, p)),
                ..BASE
            };
        )* }
    };
}

copies! { COPIES:
    alias_copy of view::alias, "alias_copy(Tensor input, *, Tensor? out=None) -> Tensor", "A copy of the tensor.";
    detach_copy of view::alias, "detach_copy(Tensor input, *, Tensor? out=None) -> Tensor", "A copy of the tensor.";
    as_strided_copy of view::as_strided, "as_strided_copy(Tensor input, int[] size, int[] stride, int? storage_offset=None, *, Tensor? out=None) -> Tensor", "`as_strided`, copied.";
    permute_copy of view::permute, "permute_copy(Tensor input, int[] dims, *, Tensor? out=None) -> Tensor", "`permute`, copied.";
    transpose_copy of view::transpose, "transpose_copy(Tensor input, int dim0, int dim1, *, Tensor? out=None) -> Tensor", "`transpose`, copied.";
    t_copy of view::t, "t_copy(Tensor input, *, Tensor? out=None) -> Tensor", "`t`, copied.";
    unsqueeze_copy of view::unsqueeze, "unsqueeze_copy(Tensor input, int dim, *, Tensor? out=None) -> Tensor", "`unsqueeze`, copied.";
    squeeze_copy_dims of view::squeeze_dims, "squeeze_copy(Tensor input, int[1] dim, *, Tensor? out=None) -> Tensor", "`squeeze` of some dimensions, copied.";
    squeeze_copy of view::squeeze, "squeeze_copy(Tensor input, *, Tensor? out=None) -> Tensor", "`squeeze`, copied.";
    view_copy of view::view, "view_copy(Tensor input, int[] size, *, Tensor? out=None) -> Tensor", "`view`, copied.";
    unfold_copy of view::unfold, "unfold_copy(Tensor input, int dimension, int size, int step, *, Tensor? out=None) -> Tensor", "`unfold`, copied.";
    diagonal_copy of view::diagonal, "diagonal_copy(Tensor input, int offset=0, int dim1=0, int dim2=1, *, Tensor? out=None) -> Tensor", "`diagonal`, copied.";
    select_copy of view::select, "select_copy(Tensor input, int dim, int index, *, Tensor? out=None) -> Tensor", "`select`, copied.";
    split_copy of view::split, "split_copy(Tensor input, int split_size, int dim=0, *, Tensor[]? out=None) -> Tensor[]", "`split`, copied.";
    split_with_sizes_copy of view::split_sizes, "split_with_sizes_copy(Tensor input, int[] split_sizes, int dim=0, *, Tensor[]? out=None) -> Tensor[]", "`split_with_sizes`, copied.";
    unbind_copy of view::unbind, "unbind_copy(Tensor input, int dim=0, *, Tensor[]? out=None) -> Tensor[]", "`unbind`, copied.";
    view_as_real_copy of view::view_as_real, "view_as_real_copy(Tensor input, *, Tensor? out=None) -> Tensor", "`view_as_real`, copied.";
    view_as_complex_copy of view::view_as_complex, "view_as_complex_copy(Tensor input, *, Tensor? out=None) -> Tensor", "`view_as_complex`, copied.";
}

rows! { MORE:
    expand_copy = OpDef {
        sig: "expand_copy(Tensor input, int[] size, *, bool implicit=False, Tensor? out=None) -> Tensor",
        doc: "`expand`, copied.",
        surfaces: F,
        kind: Kind::Composite(|x, p| copied(&crate::view::expand::OP, x, &params![p.ints(0)])),
        ..BASE
    };
    narrow_copy = OpDef {
        sig: "narrow_copy(Tensor input, int dim, int start, int length, *, Tensor? out=None) -> Tensor",
        doc: "`narrow`, copied.",
        kind: Kind::Composite(|x, p| {
            let t = arg(x, 0)?;
            check!(t.ndim() == 0 || p.int(0) < t.ndim() as i64, Runtime,
                "Expected dim < static_cast<int64_t>(self_sizes.size()) to be true, but got false.  (Could this error message be improved?  \
                 If so, please report an enhancement request to PyTorch.)");
            copied(&crate::view::narrow::OP, x, p)
        }),
        ..BASE
    };
    slice_copy = OpDef {
        sig: "slice_copy(Tensor input, int dim=0, int? start=None, int? end=None, int step=1, *, Tensor? out=None) -> Tensor",
        doc: "A slice of one dimension, copied.",
        surfaces: F,
        kind: Kind::Composite(|x, p| {
            let t = arg(x, 0)?;
            let d = flambeau_core::layout::wrap_dim(p.int(0), t.ndim())?;
            let op = crate::view::slice_of(t.size(d as i64)?, d, p.opt_int(1), p.opt_int(2), p.int(3))?;
            Ok(Outs::from_iter([contiguous_copy(&flambeau_core::call::view(&op, t)?)?]))
        }),
        ..BASE
    };
    unsafe_split = OpDef {
        sig: "unsafe_split(Tensor input, int split_size, int dim=0) -> Tensor[]",
        doc: "As `split`; the parts may be changed in place.",
        kind: Kind::Composite(|x, p| crate::view::split_to_change(arg(x, 0)?, p.int(0), p.int(1))),
        ..BASE
    };
    unsafe_split_with_sizes = OpDef {
        sig: "unsafe_split_with_sizes(Tensor input, int[] split_sizes, int dim=0) -> Tensor[]",
        doc: "As `split_with_sizes`; the parts may be changed in place.",
        kind: Kind::Composite(|x, p| crate::view::split_sizes_to_change(arg(x, 0)?, p.ints(0), p.int(1))),
        ..BASE
    };
    unsafe_chunk = OpDef {
        sig: "unsafe_chunk(Tensor input, int chunks, int dim=0) -> Tensor[]",
        doc: "As `chunk`; the parts may be changed in place.",
        kind: Kind::Composite(|x, p| {
            let t = arg(x, 0)?;
            check!(t.ndim() > 0, Runtime, "chunk expects at least a 1-dimensional tensor");
            check!(p.int(0) > 0, Runtime, "chunk expects `chunks` to be greater than 0, got: {}", p.int(0));
            match crate::view::chunk_size(t, p.int(0), p.int(1))? {
                0 => crate::view::split_sizes_to_change(t, &vec![0; p.int(0) as usize], p.int(1)),
                size => crate::view::split_to_change(t, size, p.int(1)),
            }
        }),
        ..BASE
    };
}

pub static ROWS: &[&[&OpDef]] = &[COPIES, MORE];
