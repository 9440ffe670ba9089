//! Dropout, embedding and attention.

use flambeau_core::backend::{Attention, Distribution};
use flambeau_core::layout::{self, Dims};
use flambeau_core::op::{Diff, Inputs, Kind, Meta, OpDef, Outs, Params, ParamsExt, Saves, surface};
use flambeau_core::{DType, Result, Scalar, Tensor, call1, check, params};

use crate::binary::{add, div, mul, mul_scalar, sub};
use crate::matmul::matmul;
use crate::operand::*;
use crate::reduce::sum;
use crate::view::{expand, mt, reshape, transpose, unsqueeze};

fn check_p(p: f64) -> Result<()> {
    check!((0.0..=1.0).contains(&p), Value, "dropout probability has to be between 0 and 1, but got {p}");
    Ok(())
}

/// Zeroes with probability `p` and scales the rest by `1 / (1 - p)`, with a mask of `shape` broadcast over `x`.
///
/// A mask of its own for each element has the input's order in memory, in which it is drawn.
fn dropped(x: &Tensor, p: f64, shape: &[i64]) -> Result<Tensor> {
    if p == 1.0 {
        return mul(x, &crate::create::zeros(&[], x.dtype(), x.device())?);
    }
    let strides = if shape == x.sizes() { crate::copy::format_strides(x, None)? } else { None };
    let noise = match strides {
        Some(s) => Tensor::empty_strided(shape, &s, x.dtype().to_real(), x.device())?,
        None => Tensor::empty(shape, x.dtype().to_real(), x.device())?,
    };
    crate::random::fill_random(&noise, Distribution::Bernoulli { p: 1.0 - p }, None)?;
    let noise = flambeau_core::autograd::no_grad(|| {
        flambeau_core::call_inplace(
            &crate::binary::true_div::OP,
            &[Some(&noise), Some(&Tensor::wrapped((1.0 - p).into())?)],
            Params::new(),
        )
    })?;
    mul(x, &noise)
}

/// `torch.nn.functional.dropout`.
pub fn dropout(x: &Tensor, p: f64, training: bool) -> Result<Tensor> {
    check_p(p)?;
    if !training || p == 0.0 || x.numel() == 0 {
        return Ok(x.clone());
    }
    dropped(x, p, x.sizes())
}

/// Drops whole channels: the mask covers the first two dimensions.
fn feature_dropout(x: Inputs, p: &Params) -> Result<Outs> {
    let x = arg(x, 0)?;
    check_p(p.float(0))?;
    if !p.bool(1) || p.float(0) == 0.0 || x.numel() == 0 {
        return one(x.clone());
    }
    check!(x.ndim() >= 2, Runtime, "Feature dropout requires at least 2 dimensions in the input");
    let shape: Dims = (0..x.ndim()).map(|d| if d < 2 { x.sizes()[d] } else { 1 }).collect();
    one(dropped(x, p.float(0), &shape)?)
}

const fn channel_dropout(sig: &'static str, f: flambeau_core::op::Compose) -> OpDef {
    OpDef {
        sig,
        doc: "Zeroes whole channels with probability `p` and scales the rest, when training (Tompson et al., 2014).",
        surfaces: surface::NN,
        kind: Kind::Composite(f),
        ..BASE
    }
}

/// Input `(n, c, ...)` with `nd` spatial dimensions, or `(c, ...)` for one and three.
fn channels_dropped(x: Inputs, p: &Params, nd: usize) -> Result<Outs> {
    let t = arg(x, 0)?;
    if t.ndim() == nd + 1 && nd != 2 {
        let y = feature_dropout(&[Some(&unsqueeze(t, 0)?)], p)?;
        return one(crate::view::squeeze(&y[0], 0)?);
    }
    feature_dropout(&[Some(t)], p)
}

/// A boolean mask as an additive one.
fn additive(mask: &Tensor, dtype: DType) -> Result<Tensor> {
    if mask.dtype() != DType::Bool {
        return crate::copy::to_dtype(mask, dtype);
    }
    let zero = crate::create::zeros(&[], dtype, mask.device())?;
    let low = crate::create::full(&[], Scalar::Float(f64::NEG_INFINITY), dtype, mask.device())?;
    crate::ternary::where_(mask, &zero, &low)
}

/// Lower-triangular additive mask `(l, s)`.
fn causal_mask(l: i64, s: i64, like: &Tensor) -> Result<Tensor> {
    let ones = crate::create::full(&[l, s], Scalar::Bool(true), DType::Bool, like.device())?;
    let keep = call1(&crate::create::tril::OP, &[Some(&ones)], params![0])?;
    additive(&keep, like.dtype())
}

/// Scores, softmax and product, step by step, for operands with one batch dimension.
fn attention_meaning(x: Inputs, p: &Params) -> Result<Outs> {
    let (q, k, v, mask) = (arg(x, 0)?, arg(x, 1)?, arg(x, 2)?, opt(x, 3));
    let mut s = mul_scalar(&matmul(q, &mt(k)?)?, p.float(0))?;
    if p.bool(1) {
        s = add(&s, &causal_mask(q.sizes()[1], k.sizes()[1], q)?)?;
    }
    if let Some(m) = mask {
        s = add(&s, m)?;
    }
    let lse = call1(&crate::reduce::logsumexp::OP, &[Some(&s)], params![[-1i64], false])?;
    let y = matmul(&crate::softmax::softmax(&s, -1)?, v)?;
    Ok(smallvec::smallvec![y, crate::copy::to_dtype(&lse, q.dtype().accumulate())?])
}

/// g, q, k, v, mask, out, lse to the gradients of q, k, v (and of the mask, which is the gradient of the scores).
fn attention_backward_meaning(x: Inputs, p: &Params) -> Result<Outs> {
    let (g, q, k, v, mask) = (arg(x, 0)?, arg(x, 1)?, arg(x, 2)?, arg(x, 3)?, opt(x, 4));
    let mut s = mul_scalar(&matmul(q, &mt(k)?)?, p.float(0))?;
    if p.bool(1) {
        s = add(&s, &causal_mask(q.sizes()[1], k.sizes()[1], q)?)?;
    }
    if let Some(m) = mask {
        s = add(&s, m)?;
    }
    let w = crate::softmax::softmax(&s, -1)?;
    let gv = matmul(&mt(&w)?, g)?;
    let gw = matmul(g, &mt(v)?)?;
    let gs = mul(&w, &sub(&gw, &sum(&mul(&gw, &w)?, &[-1], true)?)?)?;
    let gq = mul_scalar(&matmul(&gs, k)?, p.float(0))?;
    let gk = mul_scalar(&matmul(&mt(&gs)?, q)?, p.float(0))?;
    Ok(smallvec::smallvec![gq, gk, gv])
}

const QKVM: Saves = Saves { inputs: 15, outputs: 3, cross: false };

rows! { ROWS_ALL:
    dropout = OpDef {
        sig: "dropout(Tensor input, float p=0.5, bool training=True, bool inplace=False) -> Tensor",
        doc: "Zeroes elements with probability `p` and scales the rest by 1 / (1 - p), when training (Srivastava et al., 2014).",
        surfaces: surface::NN,
        kind: Kind::Composite(|x, p| one(dropout(arg(x, 0)?, p.float(0), p.bool(1))?)),
        ..BASE
    };
    dropout_function = OpDef {
        sig: "dropout(Tensor input, float p, bool train) -> Tensor",
        doc: "Zeroes elements with probability `p` and scales the rest by 1 / (1 - p), when training.",
        surfaces: F | surface::INPLACE,
        kind: Kind::Composite(|x, p| one(dropout(arg(x, 0)?, p.float(0), p.bool(1))?)),
        ..BASE
    };
    feature_dropout = OpDef {
        sig: "feature_dropout(Tensor input, float p, bool train) -> Tensor",
        doc: "Zeroes whole channels with probability `p` and scales the rest.",
        surfaces: F | surface::INPLACE,
        kind: Kind::Composite(feature_dropout),
        ..BASE
    };
    dropout1d = channel_dropout("dropout1d(Tensor input, float p=0.5, bool training=True, bool inplace=False) -> Tensor", |x, p| channels_dropped(x, p, 1));
    dropout2d = channel_dropout("dropout2d(Tensor input, float p=0.5, bool training=True, bool inplace=False) -> Tensor", |x, p| channels_dropped(x, p, 2));
    dropout3d = channel_dropout("dropout3d(Tensor input, float p=0.5, bool training=True, bool inplace=False) -> Tensor", |x, p| channels_dropped(x, p, 3));
    embedding_kernel = OpDef {
        sig: "embedding_kernel(Tensor weight, Tensor indices, int padding_idx, bool scale_grad_by_freq) -> Tensor",
        doc: "Rows of a table.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, _| {
                let (w, i) = (arg(x, 0)?, arg(x, 1)?);
                let mut sizes = Dims::from_slice(i.sizes());
                sizes.push(w.sizes()[1]);
                Ok(smallvec::smallvec![Meta::new(&sizes, w.dtype(), w.device())])
            },
            run: |b, x, o, _| {
                let (w, i) = (arg(x, 0)?, arg(x, 1)?);
                let flat = i.packed(i.dtype())?;
                let (n, c) = (i.numel(), w.sizes()[1]);
                b.index_select(w.raw(), flat.raw().with_layout(&[n], &[1]), o[0].raw().with_layout(&[n, c], &[c, 1]), 0)
            },
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => embedding_backward(c))),
        saves: Saves { inputs: 2, outputs: 0, cross: false },
        samples: Some(|s| {
            let (w, i) = (s.normal(&[5, 3]), s.ints(&[2, 4], 0, 5));
            s.push(vec![Some(w.clone()), Some(i.clone())], params![-1, false], 1);
            // A rescaled gradient is not the derivative: only its value is tested.
            s.push(vec![Some(w), Some(i)], params![-1, true], 0);
        }),
        ..BASE
    };
    embedding = OpDef {
        sig: "embedding(Tensor weight, Tensor indices, int padding_idx=-1, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor",
        doc: "Rows of `weight` `(num, dim)` at integer `indices` of any shape.",
        surfaces: F,
        kind: Kind::Composite(|x, p| {
            let (w, i) = (arg(x, 0)?, arg(x, 1)?);
            check!(w.ndim() == 2, Runtime, "'weight' must be 2-D");
            check!(i.dtype() == DType::I64 || i.dtype() == DType::I32, Runtime,
                "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got torch.{}Tensor instead (while checking arguments for embedding)", i.dtype().scalar_name());
            check!(!p.bool(2), NotImplemented, "embedding(): sparse gradients are not supported; use sparse=False");
            one(call1(&embedding_kernel::OP, &[Some(w), Some(i)], params![p.int(0), p.bool(1)])?)
        }),
        ..BASE
    };
    embedding_nn = OpDef {
        sig: "embedding(Tensor input, Tensor weight, int? padding_idx=None, float? max_norm=None, float norm_type=2.0, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor",
        doc: "Rows of `weight` at integer `input` of any shape; rows longer than `max_norm` are scaled down in place first.",
        surfaces: surface::NN,
        kind: Kind::Composite(|x, p| {
            let (i, w) = (arg(x, 0)?, arg(x, 1)?);
            check!(w.ndim() == 2, Runtime, "'weight' must be 2-D");
            let pad = match p.opt_int(0) {
                None => -1,
                Some(k) => {
                    let n = w.sizes()[0];
                    check!(k < n && k >= -n, Runtime, "Padding_idx must be within num_embeddings");
                    if k < 0 { k + n } else { k }
                }
            };
            if let Some(limit) = p.opt_float(1) { renorm_rows(w, i, limit, p.float(2))? }
            flambeau_core::call(&embedding::OP, &[Some(w), Some(i)], params![pad, p.bool(3), p.bool(4)])
        }),
        ..BASE
    };
    attention_kernel = OpDef {
        sig: "attention_kernel(Tensor query, Tensor key, Tensor value, Tensor? mask, float scale, bool causal) -> (Tensor, Tensor)",
        doc: "Scaled dot-product attention by tiles, with each row's log-sum-exp.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, _| {
                let (q, v) = (arg(x, 0)?, arg(x, 2)?);
                let s = q.sizes();
                Ok(smallvec::smallvec![Meta::new(&[s[0], s[1], v.sizes()[2]], q.dtype(), q.device()), Meta::new(&s[..2], q.dtype().accumulate(), q.device())])
            },
            run: |b, x, o, p| b.attention(arg(x, 0)?.raw(), arg(x, 1)?.raw(), arg(x, 2)?.raw(), opt(x, 3).map(|m| m.raw()),
                o[0].raw(), o[1].raw(), &Attention { scale: p.float(0), causal: p.bool(1) }),
        },
        diff: Diff::Vjp(|c| {
            let n = c.inputs();
            let Some(g) = c.grad(0) else { return Ok((0..n).map(|_| None).collect()) };
            let mask = c.opt_x(3)?;
            let args = [Some(g), Some(&c.x(0)?), Some(&c.x(1)?), Some(&c.x(2)?), mask.as_ref(), Some(&c.y(0)?), Some(&c.y(1)?)];
            let got = flambeau_core::call(&attention_backward::OP, &args, c.p.clone())?;
            let mut out: flambeau_core::op::Grads = (0..n).map(|_| None).collect();
            for i in 0..3 { if c.need(i) { out[i] = Some(got[i].clone()) } }
            Ok(out)
        }),
        saves: QKVM,
        diff_outputs: 1,
        decompose: Some(attention_meaning),
        samples: Some(|s| for causal in [false, true] {
            let (q, k, v) = (s.normal(&[2, 3, 4]), s.normal(&[2, 5, 4]), s.normal(&[2, 5, 2]));
            s.push(vec![Some(q.clone()), Some(k.clone()), Some(v.clone()), None], params![0.5, causal], 7);
            if !causal {
                let m = s.normal(&[2, 3, 5]);
                s.push(vec![Some(q), Some(k), Some(v), Some(m)], params![0.5, false], 7);
            }
        }),
        ..BASE
    };
    attention_backward = OpDef {
        sig: "attention_backward(Tensor grad, Tensor query, Tensor key, Tensor value, Tensor? mask, Tensor output, Tensor lse, float scale, bool causal) -> (Tensor, Tensor, Tensor)",
        doc: "Gradients of attention for query, key and value.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, _| Ok((1..4).map(|i| arg(x, i).map(|t| Meta::new(t.sizes(), t.dtype(), t.device()))).collect::<Result<Vec<_>>>()?.into_iter().collect()),
            run: |b, x, o, p| b.attention_backward(arg(x, 0)?.raw(), arg(x, 1)?.raw(), arg(x, 2)?.raw(), arg(x, 3)?.raw(), opt(x, 4).map(|m| m.raw()),
                arg(x, 5)?.raw(), arg(x, 6)?.raw(), [o[0].raw(), o[1].raw(), o[2].raw()], &Attention { scale: p.float(0), causal: p.bool(1) }),
        },
        diff: Diff::Decompose,
        saves: Saves { inputs: 0b1111111, outputs: 0, cross: false },
        decompose: Some(attention_backward_meaning),
        samples: Some(|s| for (causal, masked) in [(false, false), (true, false), (false, true)] {
            let (q, k, v) = (s.normal(&[2, 3, 4]), s.normal(&[2, 5, 4]), s.normal(&[2, 5, 2]));
            let (g, m) = (s.normal(&[2, 3, 2]), masked.then(|| s.normal(&[2, 3, 5])));
            let y = flambeau_core::call(&attention_kernel::OP, &[Some(&q), Some(&k), Some(&v), m.as_ref()], params![0.5, causal]);
            let y = y.expect("fitting operands");
            // Output and log-sum-exp are functions of the operands: only the incoming gradient is free.
            s.push(vec![Some(g), Some(q), Some(k), Some(v), m, Some(y[0].clone()), Some(y[1].clone())], params![0.5, causal], 1);
        }),
        ..BASE
    };
    scaled_dot_product_attention = OpDef {
        sig: "scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0.0, bool is_causal=False, float? scale=None, bool enable_gqa=False) -> Tensor",
        doc: "softmax(scale * q k^T + mask) v (Vaswani et al., 2017) by tiles (Dao et al., 2022): query `(..., l, e)`, key `(..., s, e)`, value `(..., s, ev)`.",
        surfaces: surface::NN,
        kind: Kind::Composite(|x, p| {
            let (q, k, v, mask) = (arg(x, 0)?, arg(x, 1)?, arg(x, 2)?, opt(x, 3));
            // One head, as PyTorch's kernel takes it.
            if q.ndim() == 3 && k.ndim() == 3 && v.ndim() == 3 && fused(q, mask, p.float(0)) {
                let head = |t: &Tensor| unsqueeze(t, 0);
                let mask = mask.map(|m| if m.ndim() == 3 { head(m) } else { Ok(m.clone()) }).transpose()?;
                let heads = [Some(&head(q)?), Some(&head(k)?), Some(&head(v)?), mask.as_ref()];
                return one(crate::view::squeeze(&call1(&scaled_dot_product_attention::OP, &heads, p.clone())?, 0)?);
            }
            one(sdpa(q, k, v, mask, p.float(0), p.bool(1), p.opt_float(2), p.bool(3))?)
        }),
        ..BASE
    };
}

fn embedding_backward(c: &flambeau_core::autograd::Vjp) -> Result<Tensor> {
    let (m, i) = (c.meta(0), c.x(1)?);
    let (pad, by_frequency) = (c.p.int(0), c.p.bool(1));
    let width = m.sizes[1];
    let at = reshape(&i, &[-1])?;
    let mut g = reshape(c.g(), &[i.numel(), width])?;
    if pad >= 0 {
        let skip = crate::binary::eq_scalar(&at, pad as f64)?;
        g = crate::ternary::masked_fill(&g, &unsqueeze(&skip, 1)?, 0.0)?;
    }
    if by_frequency {
        let zero = crate::create::zeros(&[m.sizes[0]], g.dtype(), g.device())?;
        let ones = crate::create::full(&[i.numel()], Scalar::Int(1), g.dtype(), g.device())?;
        let n = crate::index::index_select(&crate::scatter::index_add(&zero, 0, &at, &ones)?, 0, &at)?;
        g = div(&g, &unsqueeze(&n, 1)?)?;
    }
    let zero = crate::create::zeros(&m.sizes, m.dtype, m.device)?;
    crate::scatter::index_add(&zero, 0, &at, &g)
}

/// Scales the rows that are about to be read down to a norm, in place.
fn renorm_rows(w: &Tensor, i: &Tensor, limit: f64, p: f64) -> Result<()> {
    flambeau_core::autograd::no_grad(|| {
        let mut rows = i.to_vec::<i64>()?;
        rows.sort_unstable();
        rows.dedup();
        for r in rows {
            check!(r >= 0 && r < w.sizes()[0], Index, "index out of range in self");
            let row = crate::view::select(&w.detach(), 0, r)?;
            let n = crate::reduce::norm(&row, p)?.item()?.to_f64();
            if n > limit {
                crate::copy::copy_(&row, &mul_scalar(&row, limit / (n + 1e-7))?)?;
            }
        }
        w.bump_version();
        Ok(())
    })
}

/// Whether one kernel does it all.
fn fused(q: &Tensor, mask: Option<&Tensor>, dropout_p: f64) -> bool {
    let learned = mask.is_some_and(Tensor::requires_grad) && flambeau_core::autograd::grad_enabled();
    !(dropout_p > 0.0 || learned || !q.dtype().is_float())
}

/// Attention over any leading dimensions.
pub fn sdpa(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    mask: Option<&Tensor>,
    dropout_p: f64,
    causal: bool,
    scale: Option<f64>,
    gqa: bool,
) -> Result<Tensor> {
    check!(
        q.ndim() >= 2 && k.ndim() >= 2 && v.ndim() >= 2,
        Runtime,
        "scaled_dot_product_attention: Expected query, key, and value to all be  at least 2 dimensional, but got: Query dim: {}, Key dim: {}, Value dim: {}",
        q.ndim(),
        k.ndim(),
        v.ndim()
    );
    check!(
        q.dtype() == k.dtype() && q.dtype() == v.dtype(),
        Runtime,
        "Expected query, key, and value to have the same dtype, but got query.dtype: {} key.dtype: {} and value.dtype: {} instead.",
        q.dtype(),
        k.dtype(),
        v.dtype()
    );
    check!(
        !(causal && mask.is_some()),
        Runtime,
        "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True"
    );
    let e = q.sizes()[q.ndim() - 1];
    check!(
        k.sizes()[k.ndim() - 1] == e,
        Runtime,
        "Expected size for first two dimensions of batch2 tensor to be: [{b}, {e}] but got: [{b}, {}].",
        k.sizes()[k.ndim() - 1],
        b = q.sizes()[..q.ndim() - 2].iter().product::<i64>()
    );
    let scale = scale.unwrap_or(1.0 / (e as f64).sqrt());
    let (k, v) = if gqa {
        check!(
            [q, k, v].iter().all(|t| t.ndim() >= 3),
            Index,
            "Dimension out of range (expected to be in range of [-2, 1], but got -3)"
        );
        let h = q.sizes()[q.ndim() - 3];
        let wide = |t: &Tensor| -> Result<Tensor> {
            let kh = t.sizes()[t.ndim() - 3];
            check!(
                kh > 0 && h % kh == 0,
                Runtime,
                "Number of heads in key and value must divide the number of heads in query"
            );
            call1(&crate::shape::repeat_interleave::OP, &[Some(t)], params![h / kh, -3])
        };
        (wide(k)?, wide(v)?)
    } else {
        (k.clone(), v.clone())
    };
    let lead = |t: &Tensor| Dims::from_slice(&t.sizes()[..t.ndim() - 2]);
    let mut batch = layout::broadcast(&lead(q), &lead(&k))?;
    batch = layout::broadcast(&batch, &lead(&v))?;
    let (l, s, ev) = (q.sizes()[q.ndim() - 2], k.sizes()[k.ndim() - 2], v.sizes()[v.ndim() - 1]);
    let b = layout::numel(&batch);
    let flat = |t: &Tensor, m: i64, n: i64| -> Result<Tensor> {
        let mut sizes = batch.clone();
        sizes.extend_from_slice(&[m, n]);
        reshape(&expand(t, &sizes)?, &[b, m, n])
    };
    let mut out_sizes = batch.clone();
    out_sizes.extend_from_slice(&[l, ev]);
    let mask = match mask {
        Some(m) => {
            check!(
                m.dtype() == DType::Bool || m.dtype().is_float(),
                Runtime,
                "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: {} and  query.dtype: {} instead.",
                m.dtype(),
                q.dtype()
            );
            let mut sizes = batch.clone();
            sizes.extend_from_slice(&[l, s]);
            Some(expand(&additive(m, q.dtype())?, &sizes)?)
        }
        None => None,
    };
    let whole = |m: &Tensor| reshape(m, &[b, l, s]);
    if !fused(q, mask.as_ref(), dropout_p) {
        // Half of the factor on each side keeps large products in range.
        let part = scale.abs().sqrt();
        let keys = mul_scalar(&transpose(&k, -2, -1)?, if scale < 0.0 { -part } else { part })?;
        let mut w = matmul(&mul_scalar(q, part)?, &keys)?;
        if causal {
            w = add(&w, &causal_mask(l, s, q)?)?;
        }
        if let Some(m) = &mask {
            w = add(&w, m)?;
        }
        let w = dropout(&crate::softmax::safe_softmax(&w)?, dropout_p, true)?;
        return matmul(&w, &v);
    }
    let m = mask.as_ref().map(whole).transpose()?;
    let y = flambeau_core::call(
        &attention_kernel::OP,
        &[Some(&flat(q, l, e)?), Some(&flat(&k, s, e)?), Some(&flat(&v, s, ev)?), m.as_ref()],
        params![scale, causal],
    )?;
    let y = reshape(&y[0], &out_sizes)?;
    // In the order of memory of the query, which is that of heads split off a last dimension.
    if q.ndim() == 4 && q.sizes() == y.sizes() { crate::compare::copied(&y, q) } else { Ok(y) }
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
