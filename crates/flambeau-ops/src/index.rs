//! Reading and writing at computed positions.

use flambeau_core::layout::{self, Dims, wrap_dim};
use flambeau_core::op::{Diff, Kind, Meta, OpDef, Params, ParamsExt, Saves};
use flambeau_core::{DType, Result, Scalar, Tensor, call1, check, params};

use crate::operand::*;
use crate::view::{expand, reshape};

pub(crate) const INDEX: Saves = Saves { inputs: 2, outputs: 0, cross: false };

pub(crate) fn check_index(name: &str, index: &Tensor) -> Result<()> {
    check!(
        index.dtype() == DType::I64 || index.dtype() == DType::I32,
        Runtime,
        "{name}(): Expected dtype int32/int64 for index"
    );
    Ok(())
}

/// `gather`/`scatter` shapes: `index` within `x` outside `dim`.
pub(crate) fn check_gather(name: &str, x: &Tensor, index: &Tensor, dim: i64, src: Option<&Tensor>) -> Result<usize> {
    let d = wrap_dim(dim, x.ndim())?;
    // Without positions there is nothing to check, as in PyTorch, not even their dtype.
    if index.numel() == 0 {
        return Ok(d);
    }
    check_index(name, index)?;
    let rank = |t: &Tensor| t.ndim().max(1);
    check!(
        rank(index) == rank(x),
        Runtime,
        "Index tensor must have the same number of dimensions as {} tensor",
        if name == "gather" { "input" } else { "self" }
    );
    for k in 0..index.ndim().min(x.ndim()) {
        check!(
            k == d || index.sizes()[k] <= x.sizes()[k],
            Runtime,
            "{}",
            if name == "gather" {
                format!(
                    "Size does not match at dimension {k} expected index {} to be no larger than self {} apart from dimension {d}",
                    layout::fmt(index.sizes()),
                    layout::fmt(x.sizes())
                )
            } else {
                format!(
                    "Expected index {} to be no larger than self {} apart from dimension {d}{}",
                    layout::fmt(index.sizes()),
                    layout::fmt(x.sizes()),
                    src.map_or(String::new(), |s| format!(
                        " and to be no larger size than src {}",
                        layout::fmt(s.sizes())
                    ))
                )
            }
        );
    }
    if let Some(src) = src {
        check!(rank(index) == rank(src), Runtime, "Index tensor must have the same number of dimensions as src tensor");
        for k in 0..index.ndim().min(src.ndim()) {
            check!(
                index.sizes()[k] <= src.sizes()[k],
                Runtime,
                "Expected index {} to be no larger than self {} apart from dimension {d} and to be no larger size than src {}",
                layout::fmt(index.sizes()),
                layout::fmt(x.sizes()),
                layout::fmt(src.sizes())
            );
        }
        check!(src.dtype() == x.dtype(), Runtime, "{name}(): Expected self.dtype to be equal to src.dtype");
    }
    Ok(d)
}

/// A raw operand that has at least one dimension, for kernels over a dimension.
pub(crate) fn lifted<'a>(t: &'a Tensor) -> flambeau_core::backend::Raw<'a> {
    if t.ndim() == 0 { t.raw().with_layout(&[1], &[1]) } else { t.raw() }
}

rows! { ROWS_ALL:
    gather = OpDef {
        sig: "gather(Tensor input, int dim, Tensor index, *, bool sparse_grad=False, Tensor? out=None) -> Tensor",
        doc: "Elements at `index` along `dim`: `out[i][j] = input[index[i][j]][j]` for dim 0.",
        kind: Kind::Kernel {
            infer: |x, p| {
                let (t, index) = (arg(x, 0)?, arg(x, 1)?);
                check_gather("gather", t, index, p.int(0), None)?;
                Ok(smallvec::smallvec![Meta::new(index.sizes(), t.dtype(), t.device())])
            },
            run: |b, x, o, p| {
                let (t, index) = (arg(x, 0)?, arg(x, 1)?);
                if index.numel() == 0 { return Ok(()) }
                let index = index.packed(DType::I64)?;
                b.gather(lifted(t), lifted(&index), lifted(&o[0]), wrap_dim(p.int(0), t.ndim())?)
            },
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => crate::scatter::scatter_zeros(&c.meta(0), c.p.int(0), &c.x(1)?, c.g()))),
        saves: INDEX,
        samples: Some(|s| {
            let (x, i) = (s.normal(&[3, 4]), s.ints(&[2, 4], 0, 3));
            s.push(vec![Some(x), Some(i)], params![0, false], 1);
            let (x, i) = (s.normal(&[3, 4]), s.ints(&[3, 6], 0, 4));
            s.push(vec![Some(x), Some(i)], params![-1, false], 1);
        }),
        ..BASE
    };
    index_select = OpDef {
        sig: "index_select(Tensor input, int dim, Tensor index, *, Tensor? out=None) -> Tensor",
        doc: "Whole slices along `dim`, in the order of a vector of positions.",
        kind: Kind::Kernel {
            infer: |x, p| {
                let (t, index) = (arg(x, 0)?, arg(x, 1)?);
                check!(index.ndim() <= 1, Index, "index_select(): Index is supposed to be a vector");
                check!(index.dtype() == DType::I64 || index.dtype() == DType::I32, Runtime, "index_select(): Expected dtype int32 or int64 for index");
                let d = wrap_dim(p.int(0), t.ndim())?;
                let mut sizes = Dims::from_slice(t.sizes());
                if let Some(s) = sizes.get_mut(d) { *s = index.numel() }
                Ok(smallvec::smallvec![Meta::new(&sizes, t.dtype(), t.device())])
            },
            run: |b, x, o, p| {
                let (t, index) = (arg(x, 0)?, arg(x, 1)?);
                b.index_select(lifted(t), lifted(index), lifted(&o[0]), wrap_dim(p.int(0), t.ndim())?)
            },
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => {
            let m = c.meta(0);
            let zero = crate::create::zeros(&m.sizes, m.dtype, m.device)?;
            crate::scatter::index_add(&zero, c.p.int(0), &c.x(1)?, c.g())
        })),
        saves: INDEX,
        samples: Some(|s| for d in [0i64, -1] { let (x, i) = (s.normal(&[3, 4]), s.ints(&[5], 0, 3)); s.push(vec![Some(x), Some(i)], params![d], 1) }),
        ..BASE
    };
    index_put_masked = OpDef {
        sig: "index_put(Tensor input, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor",
        doc: "A copy with values written (or added) by advanced indexing.",
        surfaces: FMI,
        kind: Kind::Composite(|x, p| one(crate::indexing::index_put(arg(x, 0)?, &x[1..x.len() - 1], arg(x, x.len() - 1)?, p.bool(1))?)),
        ..BASE
    };
    nonzero = OpDef {
        sig: "nonzero(Tensor input, *, Tensor? out=None) -> Tensor",
        doc: "Coordinates of the elements that are not zero, a row each.",
        kind: Kind::Kernel {
            infer: |x, _| {
                let x = arg(x, 0)?;
                check!(!x.device().is_meta(), NotImplemented, "nonzero: the output's shape depends on data, which a meta tensor has not");
                let n = flambeau_core::device::backend(x.device())?.count_nonzero(x.raw())? as i64;
                // A column for each dimension, gapless, as PyTorch lays it out.
                let strides = Some(Box::new(Dims::from_slice(&[1, n])));
                Ok(smallvec::smallvec![Meta { strides, ..Meta::new(&[n, x.ndim() as i64], DType::I64, x.device()) }])
            },
            run: |b, x, o, _| b.nonzero(arg(x, 0)?.raw(), o[0].raw()),
        },
        diff: Diff::Never,
        samples: Some(|s| { let x = s.normal(&[2, 3]); s.push(vec![Some(x)], Params::new(), 1) }),
        ..BASE
    };
    argwhere = OpDef { sig: "argwhere(Tensor input) -> Tensor", doc: "Coordinates of the elements that are not zero, a row each.",
        kind: Kind::Composite(|x, p| flambeau_core::call(&nonzero::OP, x, p.clone())), ..BASE };
    masked_select = OpDef {
        sig: "masked_select(Tensor input, Tensor mask, *, Tensor? out=None) -> Tensor",
        doc: "The elements where `mask` holds, as a vector.",
        kind: Kind::Composite(|x, _| {
            let (t, m) = (arg(x, 0)?, arg(x, 1)?);
            check!(m.dtype() == DType::Bool, Runtime, "masked_select: expected BoolTensor for mask");
            let sizes = layout::broadcast(t.sizes(), m.sizes())?;
            let (t, m) = (expand(t, &sizes)?, expand(m, &sizes)?);
            one(if t.ndim() == 0 { index_at(&reshape(&t, &[1])?, &reshape(&m, &[1])?)? } else { index_at(&t, &m)? })
        }),
        ..BASE
    };
    masked_scatter = OpDef {
        sig: "masked_scatter(Tensor input, Tensor mask, Tensor source) -> Tensor",
        doc: "A copy whose elements under `mask` are those of `source`, in order.",
        surfaces: FMI,
        kind: Kind::Composite(|x, _| {
            let (t, m, src) = (arg(x, 0)?, arg(x, 1)?, arg(x, 2)?);
            check!(m.dtype() == DType::Bool, Runtime, "masked_scatter_ only supports boolean masks, but got mask with dtype {}", m.dtype().scalar_name());
            check!(src.dtype() == t.dtype(), Runtime, "masked_scatter: expected self and source to have same dtypes but got {} and {}", t.dtype().scalar_name(), src.dtype().scalar_name());
            let sizes = layout::broadcast(t.sizes(), m.sizes())?;
            let (t, m) = (expand(t, &sizes)?, expand(m, &sizes)?);
            let n = flambeau_core::device::backend(one_device(&[&t, &m, src])?)?.count_nonzero(m.raw())? as i64;
            check!(src.numel() >= n, Runtime, "masked_scatter: expected number of elements in source to be at least the number of ones in mask");
            let v = crate::view::narrow(&reshape(src, &[-1])?, 0, 0, n)?;
            let m = if m.ndim() == 0 { reshape(&m, &[1])? } else { m };
            let t1 = if t.ndim() == 0 { reshape(&t, &[1])? } else { crate::copy::row_major(&t)? };
            one(reshape(&crate::indexing::index_put(&t1, &[Some(&m)], &v, false)?, &sizes)?)
        }),
        ..BASE
    };
    take = OpDef {
        sig: "take(Tensor input, Tensor index, *, Tensor? out=None) -> Tensor",
        doc: "Elements of the flattened tensor.",
        kind: Kind::Composite(|x, _| {
            let (t, index) = (arg(x, 0)?, arg(x, 1)?);
            check!(index.dtype() == DType::I64, Runtime, "take(): Expected a long tensor for index, but got {}", index.dtype().scalar_name());
            one(crate::indexing::index(&reshape(t, &[-1])?, &[Some(index)])?)
        }),
        ..BASE
    };
    take_along_dim = OpDef {
        sig: "take_along_dim(Tensor input, Tensor indices, int? dim=None, *, Tensor? out=None) -> Tensor",
        doc: "Elements at `indices` along `dim`, broadcasting the other dimensions.",
        kind: Kind::Composite(|x, p| {
            let (t, index) = (arg(x, 0)?, arg(x, 1)?);
            check!(index.dtype() == DType::I64, Runtime, "torch.take_along_dim(): dtype of indices should be Long but got {}", index.dtype().scalar_name());
            let n = match p.opt_int(0) {
                None => t.numel(),
                Some(d) => t.size(d)?,
            };
            // Positions may count from the end.
            let below = crate::binary::lt_scalar(index, 0.0)?;
            let wrapped = crate::binary::add(index, &Tensor::wrapped(Scalar::Int(n))?)?;
            let index = &crate::ternary::where_(&below, &wrapped, index)?;
            let Some(d) = p.opt_int(0) else {
                return one(gather(&reshape(t, &[-1])?, 0, &reshape(index, &[-1])?)?);
            };
            check!(t.ndim() == index.ndim(), Runtime,
                "torch.take_along_dim(): input and indices should have the same number of dimensions, but got {} dimensions for input, and {} dimensions for indices", t.ndim(), index.ndim());
            let d = wrap_dim(d, t.ndim())?;
            let (mut a, mut b) = (Dims::from_slice(t.sizes()), Dims::from_slice(index.sizes()));
            a[d] = 1;
            b[d] = 1;
            let mut common = layout::broadcast(&a, &b)?;
            common[d] = t.sizes()[d];
            let t = expand(t, &common)?;
            common[d] = index.sizes()[d];
            one(gather(&t, d as i64, &expand(index, &common)?)?)
        }),
        ..BASE
    };
    bincount = OpDef {
        sig: "bincount(Tensor input, Tensor? weights=None, int minlength=0) -> Tensor",
        doc: "Occurrences of each value of a vector of non-negative integers.",
        kind: Kind::Kernel {
            infer: |x, p| {
                let (t, w) = (arg(x, 0)?, opt(x, 1));
                check!(t.ndim() == 1 && (t.dtype().is_int()), Runtime, "bincount only supports 1-d non-negative integral inputs.");
                check!(p.int(0) >= 0, Runtime, "minlength should be >= 0");
                if let Some(w) = w { check!(w.sizes() == t.sizes(), Runtime, "weights should be 1-d and have the same length as input") }
                let (mut low, mut high) = (0, -1);
                for v in t.to_vec::<i64>()? { low = low.min(v); high = high.max(v); }
                check!(low >= 0, Runtime, "bincount only supports 1-d non-negative integral inputs.");
                let d = w.map_or(DType::I64, |w| if w.dtype() == DType::F32 { DType::F32 } else { DType::F64 });
                Ok(smallvec::smallvec![Meta::new(&[(high + 1).max(p.int(0))], d, t.device())])
            },
            run: |b, x, o, _| {
                let w = match opt(x, 1) { Some(w) => Some(w.packed(o[0].dtype())?), None => None };
                b.bincount(arg(x, 0)?.raw(), w.as_ref().map(|w| w.raw()), o[0].raw())
            },
        },
        diff: Diff::Never,
        samples: Some(|s| for least in [0i64, 9] {
            let (x, w) = (s.ints(&[6], 0, 5), s.normal(&[6]));
            s.push(vec![Some(x.clone()), Some(w)], params![least], 0);
            s.push(vec![Some(x), None], params![least], 0);
        }),
        ..BASE
    };
    one_hot = OpDef {
        sig: "one_hot(Tensor input, int num_classes=-1) -> Tensor",
        doc: "A new last dimension with a one at each class.",
        surfaces: NN,
        kind: Kind::Composite(|x, p| {
            let x = arg(x, 0)?;
            check!(x.dtype() == DType::I64, Runtime, "one_hot is only applicable to index tensor of type LongTensor.");
            let mut n = p.int(0);
            let v = x.to_vec::<i64>()?;
            check!(!v.is_empty() || n > 0, Runtime, "Can not infer total number of classes from empty tensor.");
            check!(v.iter().all(|&c| c >= 0), Runtime, "Class values must be non-negative.");
            let top = v.iter().max().copied().unwrap_or(-1);
            if n == -1 { n = top + 1 } else {
                check!(n >= 1, Runtime, "num_classes should be positive");
                check!(n > top, Runtime, "Class values must be smaller than num_classes.");
            }
            let mut sizes = Dims::from_slice(x.sizes());
            sizes.push(n);
            let zero = crate::create::zeros(&sizes, DType::I64, x.device())?;
            one(call1(&crate::scatter::scatter::OP, &[Some(&zero), Some(&crate::view::unsqueeze(x, -1)?), Some(&Tensor::wrapped(Scalar::Int(1))?)], params![-1])?)
        }),
        ..BASE
    };
    searchsorted = OpDef {
        sig: "searchsorted(Tensor sorted_sequence, Tensor|Scalar input, *, bool out_int32=False, bool right=False, str? side=None, Tensor? sorter=None, Tensor? out=None) -> Tensor",
        doc: "Where each value would be inserted into the sorted last dimension.",
        surfaces: F,
        kind: Kind::Composite(|x, p| {
            let (seq, v) = (arg(x, 0)?, arg(x, 1)?);
            let side = p.str(2);
            check!(matches!(side, "" | "left" | "right"), Runtime, "torch.searchsorted(): side can only be 'left' or 'right' but got {side}");
            check!(!(side == "left" && p.bool(1)), Runtime, "torch.searchsorted(): side and right can't be set to opposites, got side of left while right was True");
            check!(seq.ndim() > 0, Runtime,
                "torch.searchsorted(): input value can be a scalar only when boundaries tensor dimension is 1, but we got boundaries \
                 tensor dim(0) and input value's dim({}) numel({})", v.ndim(), v.numel());
            let seq = match opt(x, 2) { Some(by) => gather(seq, -1, by)?, None => seq.clone() };
            check!(seq.ndim() == 1 || seq.ndim() == v.ndim() && seq.sizes()[..seq.ndim() - 1] == v.sizes()[..v.ndim() - 1], Runtime,
                "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and input value tensor must match, but we got boundaries tensor {} and input value tensor {}",
                layout::fmt(seq.sizes()), layout::fmt(v.sizes()));
            one(search(&seq, v, p.bool(1) || side == "right", p.bool(0))?)
        }),
        ..BASE
    };
    bucketize = OpDef {
        sig: "bucketize(Tensor|Scalar input, Tensor boundaries, *, bool out_int32=False, bool right=False, Tensor? out=None) -> Tensor",
        doc: "The bucket of each value among sorted boundaries.",
        surfaces: F,
        kind: Kind::Composite(|x, p| {
            let (v, seq) = (arg(x, 0)?, arg(x, 1)?);
            check!(seq.ndim() == 1, Runtime, "boundaries tensor must be 1 dimension, but got dim({})", seq.ndim());
            one(search(seq, v, p.bool(1), p.bool(0))?)
        }),
        ..BASE
    };
}

fn search(seq: &Tensor, v: &Tensor, right: bool, narrow: bool) -> Result<Tensor> {
    let (d, device) = (result_type_of(seq, v)?, one_device(&[seq, v])?);
    let (seq, v) = (seq.packed(d)?, v.packed(d)?);
    let out = Tensor::empty(v.sizes(), DType::I64, device)?;
    if out.numel() > 0 && !device.is_meta() {
        flambeau_core::device::backend(device)?.searchsorted(seq.raw(), lifted(&v), lifted(&out), right)?;
    }
    if narrow { out.cast_raw(DType::I32) } else { Ok(out) }
}

fn index_at(t: &Tensor, mask: &Tensor) -> Result<Tensor> {
    crate::indexing::index(t, &[Some(mask)])
}

pub fn gather(x: &Tensor, dim: i64, index: &Tensor) -> Result<Tensor> {
    call1(&gather::OP, &[Some(x), Some(index)], params![dim, false])
}

pub fn index_select(x: &Tensor, dim: i64, index: &Tensor) -> Result<Tensor> {
    call1(&index_select::OP, &[Some(x), Some(index)], params![dim])
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
