//! Products of matrices and vectors.

use flambeau_core::backend::Raw;
use flambeau_core::c_name;
use flambeau_core::layout::{self, Dims};
use flambeau_core::op::{Diff, Grads, Kind, Meta, OpDef, Params, ParamsExt, surface};
use flambeau_core::{DType, Result, Scalar, Tensor, call1, check};

use crate::binary::{add, mul};
use crate::copy::conj;
use crate::nodes;
use crate::operand::*;
use crate::view::{expand, mt, reshape, squeeze, unsqueeze};

fn same_dtype(a: &Tensor, b: &Tensor) -> Result<()> {
    check!(
        a.dtype() == b.dtype(),
        Runtime,
        "expected m1 and m2 to have the same dtype, but got: {} != {}",
        c_name(a.dtype()),
        c_name(b.dtype())
    );
    check!(a.dtype() != DType::Bool, NotImplemented, "\"addmm_impl_cpu_\" not implemented for 'Bool'");
    Ok(())
}

/// Sizes and strides of a matrix as one batch.
struct Batched {
    sizes: [i64; 3],
    strides: [i64; 3],
}

impl Batched {
    fn of(t: &Tensor) -> Batched {
        let (s, d) = (t.sizes(), t.strides());
        match t.ndim() {
            3 => Batched { sizes: [s[0], s[1], s[2]], strides: [d[0], d[1], d[2]] },
            _ => Batched { sizes: [1, s[0], s[1]], strides: [0, d[0], d[1]] },
        }
    }

    fn raw<'a>(&'a self, t: &Tensor) -> Raw<'a> {
        t.raw().with_layout(&self.sizes, &self.strides)
    }
}

fn product(
    b: &dyn flambeau_core::backend::Backend,
    alpha: f64,
    x: &Tensor,
    y: &Tensor,
    beta: f64,
    out: &Tensor,
) -> Result<()> {
    let (xb, yb, ob) = (Batched::of(x), Batched::of(y), Batched::of(out));
    b.gemm(alpha, xb.raw(x), yb.raw(y), beta, ob.raw(out))
}

fn square_samples(s: &mut flambeau_core::op::Samples, a: &[i64], b: &[i64]) {
    let (x, y) = (s.normal(a), s.normal(b));
    s.push(vec![Some(x), Some(y)], Params::new(), 3);
}

fn gemm_grads(c: &flambeau_core::autograd::Vjp) -> Result<Grads> {
    grads!(c;
        0 => call1(product_of(c.g()), &[Some(c.g()), Some(&conj(&turned(&c.x(1)?)?)?)], Params::new()),
        1 => call1(product_of(c.g()), &[Some(&conj(&turned(&c.x(0)?)?)?), Some(c.g())], Params::new()))
}

/// The transpose, under the name that PyTorch's node has for a matrix.
fn turned(x: &Tensor) -> Result<Tensor> {
    if x.ndim() == 2 { call1(&crate::view::t::OP, &[Some(x)], Params::new()) } else { mt(x) }
}

fn product_of(g: &Tensor) -> &'static OpDef {
    if g.ndim() == 3 { &bmm::OP } else { &mm::OP }
}

rows! { ROWS_ALL:
    mm = OpDef {
        sig: "mm(Tensor input, Tensor mat2, *, Tensor? out=None) -> Tensor",
        doc: "The product of two matrices.",
        kind: Kind::Kernel {
            infer: |x, _| {
                let (a, b) = (arg(x, 0)?, arg(x, 1)?);
                check!(a.ndim() == 2, Runtime, "mm: self must be a matrix, got {}-D tensor", a.ndim());
                check!(b.ndim() == 2, Runtime, "mm: mat2 must be a matrix, got {}-D tensor", b.ndim());
                check!(a.sizes()[1] == b.sizes()[0], Runtime,
                    "mm: mat1 and mat2 shapes cannot be multiplied ({}x{} and {}x{})", a.sizes()[0], a.sizes()[1], b.sizes()[0], b.sizes()[1]);
                same_dtype(a, b)?;
                Ok(smallvec::smallvec![Meta::new(&[a.sizes()[0], b.sizes()[1]], a.dtype(), a.device())])
            },
            run: |b, x, o, _| product(b, 1.0, arg(x, 0)?, arg(x, 1)?, 0.0, &o[0]),
        },
        diff: Diff::Vjp(gemm_grads),
        saves: CROSS,
        samples: Some(|s| { square_samples(s, &[2, 3], &[3, 4]); square_samples(s, &[0, 3], &[3, 2]); square_samples(s, &[2, 0], &[0, 2]) }),
        ..BASE
    };
    bmm = OpDef {
        sig: "bmm(Tensor input, Tensor mat2, *, Tensor? out=None) -> Tensor",
        doc: "The products of two batches of matrices.",
        kind: Kind::Kernel {
            infer: |x, _| {
                let (a, b) = (arg(x, 0)?, arg(x, 1)?);
                check!(a.ndim() == 3, Runtime, "batch1 must be a 3D tensor");
                check!(b.ndim() == 3, Runtime, "batch2 must be a 3D tensor");
                check!(a.sizes()[0] == b.sizes()[0] && a.sizes()[2] == b.sizes()[1], Runtime,
                    "Expected size for first two dimensions of batch2 tensor to be: [{}, {}] but got: [{}, {}].",
                    a.sizes()[0], a.sizes()[2], b.sizes()[0], b.sizes()[1]);
                same_dtype(a, b)?;
                Ok(smallvec::smallvec![Meta::new(&[a.sizes()[0], a.sizes()[1], b.sizes()[2]], a.dtype(), a.device())])
            },
            run: |b, x, o, _| product(b, 1.0, arg(x, 0)?, arg(x, 1)?, 0.0, &o[0]),
        },
        diff: Diff::Vjp(gemm_grads),
        saves: CROSS,
        samples: Some(|s| square_samples(s, &[2, 2, 3], &[2, 3, 4])),
        ..BASE
    };
    addmm = OpDef {
        sig: "addmm(Tensor input, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1, Tensor? out=None) -> Tensor",
        doc: "`beta * input + alpha * mat1 @ mat2`.",
        surfaces: FMI,
        kind: Kind::Composite(|x, p| {
            let (a, b) = (arg(x, 1)?, arg(x, 2)?);
            check!(a.ndim() == 2, Runtime, "mat1 must be a matrix, got {}-D tensor", a.ndim());
            check!(b.ndim() == 2, Runtime, "mat2 must be a matrix, got {}-D tensor", b.ndim());
            check!(a.sizes()[1] == b.sizes()[0], Runtime,
                "addmm: mat1 and mat2 shapes cannot be multiplied ({}x{} and {}x{})", a.sizes()[0], a.sizes()[1], b.sizes()[0], b.sizes()[1]);
            let y = call1(&mm::OP, &x[1..3], Params::new())?;
            one(blend(arg(x, 0)?, &y, p)?)
        }),
        ..BASE
    };
    baddbmm = OpDef {
        sig: "baddbmm(Tensor input, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1, Tensor? out=None) -> Tensor",
        doc: "`beta * input + alpha * batch1 @ batch2`.",
        surfaces: FMI,
        kind: Kind::Composite(|x, p| {
            let y = call1(&bmm::OP, &x[1..3], Params::new())?;
            one(blend(arg(x, 0)?, &y, &whole_numbers(&y, p))?)
        }),
        ..BASE
    };
    addbmm = OpDef {
        sig: "addbmm(Tensor input, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1, Tensor? out=None) -> Tensor",
        doc: "`beta * input + alpha *` the sum of the batch's products.",
        surfaces: FMI,
        kind: Kind::Composite(|x, p| {
            let y = crate::reduce::sum(&call1(&bmm::OP, &x[1..3], Params::new())?, &[0], false)?;
            one(blend(arg(x, 0)?, &y, &whole_numbers(&y, p))?)
        }),
        ..BASE
    };
    addmv = OpDef {
        sig: "addmv(Tensor input, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1, Tensor? out=None) -> Tensor",
        doc: "`beta * input + alpha * mat @ vec`.",
        surfaces: FMI,
        kind: Kind::Composite(|x, p| {
            let y = call1(&mv::OP, &x[1..3], Params::new())?;
            one(blend(arg(x, 0)?, &y, &whole_numbers(&y, p))?)
        }),
        ..BASE
    };
    addr = OpDef {
        sig: "addr(Tensor input, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1, Tensor? out=None) -> Tensor",
        doc: "`beta * input + alpha *` the outer product of two vectors.",
        surfaces: FMI,
        kind: Kind::Composite(|x, p| {
            let (t, y) = (arg(x, 0)?, call1(&outer::OP, &x[1..3], Params::new())?);
            if t.dtype() == DType::Bool && y.dtype() == DType::Bool {
                // Sums of bools are or, factors are and.
                let truth = |i| Scalar::Bool(p.opt_scalar(i).is_none_or(|s| s.to_complex() != (0.0, 0.0)));
                return one(blend(t, &y, &flambeau_core::params![truth(0), truth(1)])?);
            }
            one(blend(t, &y, p)?)
        }),
        ..BASE
    };
    mv = OpDef {
        sig: "mv(Tensor input, Tensor vec, *, Tensor? out=None) -> Tensor",
        doc: "The product of a matrix and a vector.",
        kind: Kind::Composite(|x, _| {
            let (a, v) = (arg(x, 0)?, arg(x, 1)?);
            check!(a.ndim() == 2 && v.ndim() == 1, Runtime, "vector + matrix @ vector expected, got 1, {}, {}", a.ndim(), v.ndim());
            check!(a.sizes()[1] == v.sizes()[0], Runtime, "size mismatch, got input ({}), mat ({}x{}), vec ({})", a.sizes()[0], a.sizes()[0], a.sizes()[1], v.sizes()[0]);
            one(squeeze(&call1(&mm::OP, &[Some(a), Some(&unsqueeze(v, 1)?)], Params::new())?, 1)?)
        }),
        ..BASE
    };
    dot = OpDef {
        sig: "dot(Tensor input, Tensor tensor, *, Tensor? out=None) -> Tensor",
        doc: "The inner product of two vectors.",
        kind: Kind::Composite(|x, _| {
            let (a, b) = (arg(x, 0)?, arg(x, 1)?);
            check!(a.ndim() == 1 && b.ndim() == 1, Runtime, "1D tensors expected, but got {}D and {}D tensors", a.ndim(), b.ndim());
            check!(a.dtype() == b.dtype(), Runtime, "dot : expected both vectors to have same dtype, but found {} and {}", a.dtype().scalar_name(), b.dtype().scalar_name());
            check!(a.numel() == b.numel(), Runtime,
                "inconsistent tensor size, expected tensor [{}] and src [{}] to have the same number of elements, but got {} and {} elements respectively",
                a.numel(), b.numel(), a.numel(), b.numel());
            let y = call1(&mm::OP, &[Some(&unsqueeze(a, 0)?), Some(&unsqueeze(b, 1)?)], Params::new())?;
            one(reshape(&y, &[])?)
        }),
        ..BASE
    };
    vdot = OpDef {
        sig: "vdot(Tensor input, Tensor other, *, Tensor? out=None) -> Tensor",
        doc: "The inner product of two vectors, the first one conjugated.",
        kind: Kind::Composite(|x, _| flambeau_core::call(&dot::OP, &[Some(&conj(arg(x, 0)?)?), opt(x, 1)], Params::new())),
        ..BASE
    };
    outer = OpDef {
        sig: "outer(Tensor input, Tensor vec2, *, Tensor? out=None) -> Tensor",
        doc: "The outer product of two vectors.",
        aliases: &["ger"],
        kind: Kind::Composite(|x, _| {
            let (a, b) = (arg(x, 0)?, arg(x, 1)?);
            check!(a.ndim() == 1, Runtime, "outer: Expected 1-D argument self, but got {}-D", a.ndim());
            check!(b.ndim() == 1, Runtime, "outer: Expected 1-D argument vec2, but got {}-D", b.ndim());
            one(mul(&reshape(a, &[a.numel(), 1])?, b)?)
        }),
        ..BASE
    };
    inner = OpDef {
        sig: "inner(Tensor input, Tensor other, *, Tensor? out=None) -> Tensor",
        doc: "Inner products over the last dimension of both.",
        kind: Kind::Composite(|x, _| {
            let (a, b) = (arg(x, 0)?, arg(x, 1)?);
            if a.ndim() == 0 || b.ndim() == 0 {
                return one(mul(a, b)?);
            }
            check!(a.sizes().last() == b.sizes().last(), Runtime,
                "inner() the last dimension must match on both input tensors but got shapes {} and {}", layout::fmt(a.sizes()), layout::fmt(b.sizes()));
            one(tensordot(a, b, &[-1], &[-1])?)
        }),
        ..BASE
    };
    matmul = OpDef {
        sig: "matmul(Tensor input, Tensor other, *, Tensor? out=None) -> Tensor",
        doc: "The matrix product; vectors count as rows or columns, leading dimensions broadcast.",
        kind: Kind::Composite(|x, _| one(matmul(arg(x, 0)?, arg(x, 1)?)?)),
        samples: Some(|s| {
            let shapes: [(&[i64], &[i64]); 6] = [(&[3], &[3]), (&[2, 3], &[3]), (&[3], &[3, 2]), (&[2, 2, 3], &[3, 4]), (&[2, 1, 2, 3], &[3, 3, 2]), (&[2, 2, 3], &[3])];
            for (a, b) in shapes { square_samples(s, a, b) }
        }),
        ..BASE
    };
    linear = OpDef {
        sig: "linear(Tensor input, Tensor weight, Tensor? bias=None, *, Tensor? out=None) -> Tensor",
        doc: "`input @ weight^T + bias`: input `(*, in)`, weight `(out, in)` or `(in)`, bias `(out)`.",
        surfaces: surface::NN,
        kind: Kind::Composite(|x, _| {
            let (t, w) = (arg(x, 0)?, arg(x, 1)?);
            check!(t.ndim() > 0 && w.ndim() > 0, Runtime,
                "both arguments to linear need to be at least 1D, but they are {}D and {}D", t.ndim(), w.ndim());
            if w.ndim() == 1 {
                let y = matmul(t, w)?;
                return one(match opt(x, 2) { Some(b) => add(&y, b)?, None => y });
            }
            let row = linear_row(t, w);
            if x.len() < 3 || x[2].is_none() {
                return flambeau_core::call(row, &[Some(t), Some(w)], Params::new());
            }
            flambeau_core::call(row, x, Params::new())
        }),
        ..BASE
    };
    linear_kernel = OpDef {
        sig: "addmm_linear(Tensor input, Tensor weight, Tensor? bias) -> Tensor",
        doc: "`input @ weight^T + bias` in one kernel.",
        surfaces: surface::INTERNAL,
        kind: Kind::Kernel {
            infer: |x, _| {
                let (t, w) = (arg(x, 0)?, arg(x, 1)?);
                let (k, n) = (t.sizes()[t.ndim() - 1], w.sizes()[0]);
                check!(w.ndim() == 2 && w.sizes()[1] == k, Runtime,
                    "{}: mat1 and mat2 shapes cannot be multiplied ({}x{k} and {}x{n})", if opt(x, 2).is_some() { "addmm" } else { "mm" }, t.numel() / k.max(1), w.sizes().get(1).copied().unwrap_or(1));
                check!(t.dtype() == w.dtype(), Runtime, "mat1 and mat2 must have the same dtype, but got {} and {}", t.dtype().scalar_name(), w.dtype().scalar_name());
                if let Some(b) = opt(x, 2) {
                    check!(layout::is_expandable(b.sizes(), &[n]), Runtime,
                        "The expanded size of the tensor ({n}) must match the existing size ({}) at non-singleton dimension 1.  Target sizes: [{}, {n}].  Tensor sizes: {}",
                        b.sizes().last().copied().unwrap_or(1), t.numel() / k.max(1), layout::fmt(b.sizes()));
                    check!(b.dtype() == t.dtype(), Runtime, "mat1 and mat2 must have the same dtype, but got {} and {}", t.dtype().scalar_name(), b.dtype().scalar_name());
                }
                let mut m = Meta::new(t.sizes(), t.dtype(), t.device());
                let last = m.sizes.len() - 1;
                m.sizes[last] = n;
                Ok(smallvec::smallvec![m])
            },
            run: |b, x, o, _| {
                let (t, w, out) = (arg(x, 0)?, arg(x, 1)?, &o[0]);
                let (k, n) = (t.sizes()[t.ndim() - 1], w.sizes()[0]);
                let rows = out.numel() / n.max(1);
                let flat;
                let (source, strides) = match layout::view_strides(t.sizes(), t.strides(), &[rows, k]) {
                    Some(s) => (t, s),
                    None => { flat = t.packed(t.dtype())?; (&flat, layout::contiguous_strides(&[rows, k])) }
                };
                let bias_strides = [opt(x, 2).map_or(0, |b| if b.numel() == 1 { 0 } else { b.strides()[b.ndim() - 1] })];
                let bias_sizes = [n];
                let bias = opt(x, 2).map(|b| b.raw().with_layout(&bias_sizes, &bias_strides));
                b.linear(source.raw().with_layout(&[rows, k], &strides), w.raw(), bias, out.raw().with_layout(&[rows, n], &[n, 1]))
            },
        },
        diff: Diff::Vjp(|c| {
            let flat = |t: &Tensor| -> Result<Tensor> {
                if t.ndim() == 2 { return Ok(t.clone()) }
                let k = t.sizes()[t.ndim() - 1];
                reshape(t, &[t.numel() / k.max(1), k])
            };
            let g = flat(c.g())?;
            grads!(c;
                0 => {
                    let gx = call1(&MM_TURNED, &[Some(&g), Some(&conj(&c.x(1)?)?)], Params::new())?;
                    if c.g().ndim() == 2 { Ok(gx) } else { reshape(&gx, &c.meta(0).sizes) }
                },
                1 => call1(&mm::OP, &[Some(&turned(&g)?), Some(&conj(&flat(&c.x(0)?)?)?)], Params::new()),
                2 => crate::reduce::sum(&g, &[0], false))
        }),
        saves: CROSS,
        decompose: Some(|x, _| {
            let y = matmul(arg(x, 0)?, &mt(arg(x, 1)?)?)?;
            one(match opt(x, 2) { Some(b) => add(&y, b)?, None => y })
        }),
        samples: Some(|s| {
            for shape in [&[2i64, 3][..], &[3], &[2, 2, 3]] {
                let (x, w, b) = (s.normal(shape), s.normal(&[4, 3]), s.normal(&[4]));
                s.push(vec![Some(x.clone()), Some(w.clone()), Some(b)], Params::new(), 7);
                s.push(vec![Some(x), Some(w)], Params::new(), 3);
            }
        }),
        ..BASE
    };
    chain_matmul = OpDef {
        sig: "chain_matmul(Tensor[] matrices) -> Tensor",
        doc: "The product of several matrices, from the left.",
        surfaces: surface::INTERNAL,
        kind: Kind::Composite(|x, _| {
            let mut y = arg(x, 0)?.clone();
            for i in 1..x.len() { y = matmul(&y, arg(x, i)?)? }
            let sizes = Dims::from_slice(y.sizes());
            one(if x.len() > 1 { crate::view::view(&y, &sizes)? } else { y })
        }),
        ..BASE
    };
    tensordot = OpDef {
        sig: "tensordot_dims(Tensor a, Tensor b, int[] dims_a, int[] dims_b) -> Tensor",
        doc: "The sum of products over pairs of dimensions.",
        surfaces: surface::INTERNAL,
        kind: Kind::Composite(|x, p| one(tensordot(arg(x, 0)?, arg(x, 1)?, p.ints(0), p.ints(1))?)),
        ..BASE
    };
    einsum = OpDef {
        sig: "einsum(str equation, Tensor[] operands) -> Tensor",
        doc: "Sums of products in Einstein's notation.",
        surfaces: surface::INTERNAL,
        kind: Kind::Composite(|x, p| {
            let ts: Vec<&Tensor> = (0..x.len()).map(|i| arg(x, i)).collect::<Result<_>>()?;
            one(crate::einsum::einsum(p.str(0), &ts)?)
        }),
        ..BASE
    };
    kron = OpDef {
        sig: "kron(Tensor input, Tensor other, *, Tensor? out=None) -> Tensor",
        doc: "The Kronecker product.",
        kind: Kind::Composite(|x, _| {
            let (a, b) = (arg(x, 0)?, arg(x, 1)?);
            let n = a.ndim().max(b.ndim());
            let (mut sa, mut sb, mut out) = (Dims::new(), Dims::new(), Dims::new());
            for i in 0..n {
                let da = if i + a.ndim() >= n { a.sizes()[i + a.ndim() - n] } else { 1 };
                let db = if i + b.ndim() >= n { b.sizes()[i + b.ndim() - n] } else { 1 };
                sa.extend_from_slice(&[da, 1]);
                sb.extend_from_slice(&[1, db]);
                out.push(da * db);
            }
            let apart = |t: &Tensor, sizes: &[i64]| if t.is_contiguous() { unsafe_view(t, sizes) } else { reshape(t, sizes) };
            let y = mul(&apart(a, &sa)?, &apart(b, &sb)?)?;
            one(if y.is_contiguous() { unsafe_view(&y, &out)? } else { reshape(&y, &out)? })
        }),
        ..BASE
    };
}

/// The same rows with other stand-ins around their nodes, for operands that PyTorch would reshape first.
static MM_TURNED: OpDef = OpDef { shown: Some(nodes::turned_back), ..mm::OP };
static LINEAR_SPREAD: OpDef = OpDef { shown: Some(nodes::linear_of_spread), ..linear_kernel::OP };
static LINEAR_COPIED: OpDef = OpDef { shown: Some(nodes::linear_of_copied), ..linear_kernel::OP };
/// Products of batches that `matmul` was asked for: by whether the first and the second operand are contiguous.
static BMM_WHOLE: [OpDef; 4] = [
    OpDef { shown: Some(nodes::batches::<false, false>), ..bmm::OP },
    OpDef { shown: Some(nodes::batches::<false, true>), ..bmm::OP },
    OpDef { shown: Some(nodes::batches::<true, false>), ..bmm::OP },
    OpDef { shown: Some(nodes::batches::<true, true>), ..bmm::OP },
];

fn linear_row(t: &Tensor, w: &Tensor) -> &'static OpDef {
    if t.ndim() < 3 || t.is_contiguous() {
        return &linear_kernel::OP;
    }
    let (k, n) = (t.sizes()[t.ndim() - 1], w.sizes()[0]);
    let rows = if k == 0 { n } else { t.numel() / k };
    match layout::view_strides(t.sizes(), t.strides(), &[rows, k]) {
        Some(_) => &LINEAR_SPREAD,
        None => &LINEAR_COPIED,
    }
}

/// Whether `matmul` lays the batch dimensions of the larger operand, seen as `(..., rows, k)`, out as more rows of one
/// product, as PyTorch does.
fn folds(larger: &Tensor, smaller: &Tensor, first_is_smaller: bool) -> bool {
    if larger.ndim() < 3 || smaller.ndim() > 2 {
        return false;
    }
    // The other way would make a gradient as large as the batch.
    if smaller.requires_grad() && flambeau_core::autograd::grad_enabled() {
        return true;
    }
    if first_is_smaller && smaller.ndim() == 2 {
        return false;
    }
    let (sizes, strides) = (larger.sizes(), larger.strides());
    larger.numel() == 0 || (0..larger.ndim() - 2).all(|i| strides[i] == strides[i + 1] * sizes[i + 1])
}

/// [`matmul`] of a batch with one matrix or vector, as one product.
fn folded(larger: &Tensor, smaller: &Tensor) -> Result<Tensor> {
    let lead = &larger.sizes()[..larger.ndim() - 1];
    let flat = reshape(larger, &[lead.iter().product(), larger.sizes()[lead.len()]])?;
    let y = matmul(&flat, smaller)?;
    let mut sizes = Dims::from_slice(lead);
    sizes.extend_from_slice(&y.sizes()[1..]);
    unsafe_view(&y, &sizes)
}

/// For integers, factors are cut to integers.
fn whole_numbers(y: &Tensor, p: &Params) -> Params {
    if y.dtype().is_differentiable() {
        return p.clone();
    }
    (0..2).map(|i| Scalar::Int(p.opt_scalar(i).map_or(1, Scalar::to_i64)).into()).collect()
}

fn blend(x: &Tensor, y: &Tensor, p: &Params) -> Result<Tensor> {
    let (beta, alpha) = (p.opt_scalar(0).unwrap_or(Scalar::Int(1)), p.opt_scalar(1).unwrap_or(Scalar::Int(1)));
    check!(
        layout::is_expandable(x.sizes(), y.sizes()),
        Runtime,
        "The expanded size of the tensor ({}) must match the existing size ({}) at non-singleton dimension {}.  Target sizes: {}.  \
         Tensor sizes: {}",
        y.sizes().last().copied().unwrap_or(1),
        x.sizes().last().copied().unwrap_or(1),
        y.ndim().saturating_sub(1),
        layout::fmt(y.sizes()),
        layout::fmt(x.sizes())
    );
    let one = |s: Scalar| s == Scalar::Int(1) || s == Scalar::Float(1.0);
    for s in [beta, alpha] {
        check!(
            y.dtype().is_differentiable() || s.category() <= flambeau_core::dtype::Category::Int,
            Runtime,
            "For integral input tensors, argument {} must not be a floating point number.",
            if s == beta { "beta" } else { "alpha" }
        );
    }
    let y = if one(alpha) { y.clone() } else { mul(y, &Tensor::wrapped(alpha)?)? };
    if beta.to_complex() == (0.0, 0.0) {
        return Ok(y);
    }
    let x = if one(beta) { x.clone() } else { mul(x, &Tensor::wrapped(beta)?)? };
    add(&x, &y)
}

/// The matrix product with PyTorch's rules for vectors and batches.
pub fn matmul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (n, m) = (a.ndim(), b.ndim());
    check!(n > 0 && m > 0, Runtime, "both arguments to matmul need to be at least 1D, but they are {n}D and {m}D");
    match (n, m) {
        (1, 1) => call1(&dot::OP, &[Some(a), Some(b)], Params::new()),
        (2, 1) => call1(&mv::OP, &[Some(a), Some(b)], Params::new()),
        (1, 2) => {
            let y = call1(&mm::OP, &[Some(&unsqueeze(a, 0)?), Some(b)], Params::new())?;
            flambeau_core::call::view_named(&flambeau_core::view::ViewOp::Squeeze(0), &y, "SqueezeBackward4")
        }
        (2, 2) => call1(&mm::OP, &[Some(a), Some(b)], Params::new()),
        (3, 3) if a.sizes()[0] == b.sizes()[0] && a.sizes()[2] == b.sizes()[1] => {
            let row = &BMM_WHOLE[2 * a.is_contiguous() as usize + b.is_contiguous() as usize];
            call1(row, &[Some(a), Some(b)], Params::new())
        }
        // A matrix or vector on the right: the batch is only more rows.
        (_, 1 | 2) if folds(a, b, false) => folded(a, b),
        (1 | 2, _) if folds(&mt(b)?, a, true) => {
            let y = folded(&mt(b)?, &if n == 2 { turned(a)? } else { a.clone() })?;
            if n == 1 { Ok(y) } else { crate::copy::contiguous(&mt(&y)?) }
        }
        _ => {
            let (a2, b2) =
                (if n == 1 { unsqueeze(a, 0)? } else { a.clone() }, if m == 1 { unsqueeze(b, 1)? } else { b.clone() });
            let (ab, bb) = (&a2.sizes()[..a2.ndim() - 2], &b2.sizes()[..b2.ndim() - 2]);
            let batch = layout::broadcast(ab, bb)?;
            let (r, k) = (a2.sizes()[a2.ndim() - 2], a2.sizes()[a2.ndim() - 1]);
            let (k2, c) = (b2.sizes()[b2.ndim() - 2], b2.sizes()[b2.ndim() - 1]);
            check!(
                k == k2,
                Runtime,
                "Expected size for first two dimensions of batch2 tensor to be: [{}, {k}] but got: [{}, {k2}].",
                layout::numel(&batch),
                layout::numel(&batch)
            );
            let whole = |x: &Tensor, p: i64, q: i64| -> Result<Tensor> {
                let mut s = batch.clone();
                s.extend_from_slice(&[p, q]);
                reshape(&expand(x, &s)?, &[layout::numel(&batch), p, q])
            };
            let y = call1(&bmm::OP, &[Some(&whole(&a2, r, k)?), Some(&whole(&b2, k2, c)?)], Params::new())?;
            let mut sizes = batch.clone();
            if n > 1 {
                sizes.push(r)
            }
            if m > 1 {
                sizes.push(c)
            }
            unsafe_view(&y, &sizes)
        }
    }
}

/// A fresh product in another shape, whose node PyTorch calls after a view that nobody else sees.
fn unsafe_view(y: &Tensor, sizes: &[i64]) -> Result<Tensor> {
    flambeau_core::call::view_named(
        &flambeau_core::view::ViewOp::View(Dims::from_slice(sizes)),
        y,
        "UnsafeViewBackward0",
    )
}

/// `x @ w^T + b`.
pub fn linear(x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Result<Tensor> {
    match b {
        Some(b) => call1(&linear::OP, &[Some(x), Some(w), Some(b)], Params::new()),
        None => call1(&linear::OP, &[Some(x), Some(w)], Params::new()),
    }
}

fn tensordot(a: &Tensor, b: &Tensor, da: &[i64], db: &[i64]) -> Result<Tensor> {
    check!(da.len() == db.len(), Runtime, "both dimension lists should have same length");
    let wrap = |d: &[i64], t: &Tensor| d.iter().map(|&d| layout::wrap_dim(d, t.ndim())).collect::<Result<Vec<_>>>();
    let asked = (da, db);
    let (da, db) = (wrap(da, a)?, wrap(db, b)?);
    let (mut a, mut b) = (a.clone(), b.clone());
    let mut k = 1;
    for (i, (&x, &y)) in da.iter().zip(&db).enumerate() {
        let (p, q) = (a.sizes()[x], b.sizes()[y]);
        check!(
            p == q || p == 1 || q == 1,
            Runtime,
            "contracted dimensions need to match, but first has size {p} in dim {} and second has size {q} in dim {}",
            asked.0[i],
            asked.1[i]
        );
        // A dimension of size one counts for every position of the other: that one is summed first.
        if p == 1 && q != 1 {
            b = crate::reduce::sum(&b, &[y as i64], true)?;
        } else if q == 1 && p != 1 {
            a = crate::reduce::sum(&a, &[x as i64], true)?;
        }
        k *= if q == 1 { 1 } else { p };
    }
    let (a, b) = (&a, &b);
    let free = |t: &Tensor, gone: &[usize]| (0..t.ndim()).filter(|d| !gone.contains(d)).collect::<Vec<_>>();
    let (fa, fb) = (free(a, &da), free(b, &db));
    let order = |first: &[usize], second: &[usize]| first.iter().chain(second).map(|&d| d as i64).collect::<Vec<_>>();
    let m: i64 = fa.iter().map(|&d| a.sizes()[d]).product();
    let n: i64 = fb.iter().map(|&d| b.sizes()[d]).product();
    let (x, y) = (crate::view::permute(a, &order(&fa, &da))?, crate::view::permute(b, &order(&db, &fb))?);
    let sizes: Dims = fa.iter().map(|&d| a.sizes()[d]).chain(fb.iter().map(|&d| b.sizes()[d])).collect();
    // A product with nothing left over is the inner product of two vectors.
    let z = match sizes.is_empty() {
        true => {
            let flat = |t: &Tensor| crate::view::flatten(t, 0, -1);
            call1(&dot::OP, &[Some(&flat(&x)?), Some(&flat(&y)?)], Params::new())?
        }
        false => call1(&mm::OP, &[Some(&reshape(&x, &[m, k])?), Some(&reshape(&y, &[k, n])?)], Params::new())?,
    };
    reshape(&z, &sizes)
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
