//! Convolutions. Three kernels, each the gradient of the other two, make one closed set: every order of gradient is free.

use flambeau_core::autograd::Vjp;
use flambeau_core::backend::ConvParams;
use flambeau_core::layout::{self, Dims};
use flambeau_core::op::{Diff, Inputs, Kind, Meta, OpDef, Outs, Params, ParamsExt, surface};
use flambeau_core::{Error, Result, Tensor, bail, call1, check, params};

use crate::operand::*;
use crate::view::{squeeze, unsqueeze};

/// Kernel params: stride, padding, dilation, groups, and the spatial sizes of whichever operand is computed.
fn geometry(p: &Params, nd: usize) -> ConvParams {
    ConvParams {
        nd,
        stride: triple(p.ints(0), nd, 1),
        padding: triple(p.ints(1), nd, 0),
        dilation: triple(p.ints(2), nd, 1),
        groups: p.int(3),
    }
}

fn out_size(n: i64, k: i64, stride: i64, padding: i64, dilation: i64) -> i64 {
    (n + 2 * padding - dilation * (k - 1) - 1).div_euclid(stride) + 1
}

fn geometry_params(c: &ConvParams, sizes: &[i64]) -> Params {
    params![&c.stride[..c.nd], &c.padding[..c.nd], &c.dilation[..c.nd], c.groups, sizes]
}

/// Which of the three bilinear maps a gradient needs.
fn kernel(op: &'static OpDef, a: &Tensor, b: &Tensor, c: &Vjp, sizes: &[i64]) -> Result<Tensor> {
    let nd = a.ndim() - 2;
    call1(op, &[Some(a), Some(b)], geometry_params(&geometry(c.p, nd), sizes))
}

fn check_float(x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Result<()> {
    if let Some(b) = bias {
        check!(
            x.dtype() == b.dtype(),
            Runtime,
            "Input type ({}) and bias type ({}) should be the same",
            lower(x),
            lower(b)
        );
    }
    check!(
        x.dtype() == w.dtype(),
        Runtime,
        "Input type ({}) and weight type ({}) should be the same",
        lower(x),
        lower(w)
    );
    Ok(())
}

fn lower(t: &Tensor) -> String {
    flambeau_core::c_name(t.dtype()).to_string()
}

fn channel_sum(g: &Tensor) -> Result<Tensor> {
    let dims: Vec<i64> = (0..g.ndim() as i64).filter(|&d| d != 1).collect();
    crate::reduce::sum(g, &dims, false)
}

fn samples(s: &mut flambeau_core::op::Samples, transposed: bool) {
    let cases: [(&[i64], &[i64], i64, i64, i64, i64); 5] = [
        (&[2, 3, 6], &[4, 3, 3], 1, 0, 1, 1),
        (&[1, 4, 5, 5], &[4, 2, 3, 3], 2, 1, 1, 2),
        (&[2, 2, 6, 5], &[3, 2, 2, 2], 1, 1, 2, 1),
        (&[1, 2, 4, 4, 3], &[2, 2, 2, 2, 2], 1, 0, 1, 1),
        (&[1, 3, 4, 4], &[3, 1, 3, 3], 1, 1, 1, 3),
    ];
    for (x, w, stride, padding, dilation, groups) in cases {
        let p =
            ConvParams { nd: x.len() - 2, stride: [stride; 3], padding: [padding; 3], dilation: [dilation; 3], groups };
        let mut g = vec![x[0], w[0]];
        for i in 0..p.nd {
            g.push(out_size(x[2 + i], w[2 + i], stride, padding, dilation));
        }
        let (a, b) = if transposed { (s.normal(&g), s.normal(w)) } else { (s.normal(x), s.normal(w)) };
        s.push(vec![Some(a), Some(b)], geometry_params(&p, if transposed { &x[2..] } else { &g[2..] }), 3);
    }
}

/// Channels-last if either operand is.
fn convolved(t: &Tensor, w: &Tensor, sizes: &[i64]) -> Meta {
    let mut m = Meta::suggested(t, sizes, t.dtype());
    if m.strides.is_none() && w.ndim() == sizes.len() && t.numel() > 0 {
        m.strides = Meta::suggested(w, sizes, t.dtype()).strides;
    }
    m
}

rows! { ROWS_ALL:
    convolution_kernel = OpDef {
        sig: "convolution_kernel(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, int groups, int[] sizes) -> Tensor",
        doc: "Cross-correlation of `(n, c_in, ...)` with `(c_out, c_in/groups, ...)`.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| {
                let (t, w) = (arg(x, 0)?, arg(x, 1)?);
                let mut sizes = Dims::from_slice(&[t.sizes()[0], w.sizes()[0]]);
                sizes.extend_from_slice(p.ints(4));
                Ok(smallvec::smallvec![convolved(t, w, &sizes)])
            },
            run: |b, x, o, p| {
                let (t, w) = (arg(x, 0)?, arg(x, 1)?);
                b.conv(t.raw(), w.raw(), opt(x, 2).map(|b| b.raw()), o[0].raw(), &geometry(p, t.ndim() - 2))
            },
        },
        diff: Diff::Vjp(|c| grads!(c;
            0 => kernel(&conv_input::OP, c.g(), &crate::copy::conj(&c.x(1)?)?, c, &c.meta(0).sizes[2..]),
            1 => kernel(&conv_weight::OP, c.g(), &crate::copy::conj(&c.x(0)?)?, c, &c.meta(1).sizes[2..]),
            2 => channel_sum(c.g()))),
        saves: CROSS,
        samples: Some(|s| samples(s, false)),
        ..BASE
    };
    conv_input = OpDef {
        sig: "conv_input(Tensor grad, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, int groups, int[] sizes) -> Tensor",
        doc: "The gradient of a convolution for its input: the transposed convolution.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| {
                let (g, w) = (arg(x, 0)?, arg(x, 1)?);
                let mut sizes = Dims::from_slice(&[g.sizes()[0], w.sizes()[1] * p.int(3)]);
                sizes.extend_from_slice(p.ints(4));
                Ok(smallvec::smallvec![convolved(g, w, &sizes)])
            },
            run: |b, x, o, p| {
                let (g, w) = (arg(x, 0)?, arg(x, 1)?);
                b.conv_input(g.raw(), w.raw(), opt(x, 2).map(|b| b.raw()), o[0].raw(), &geometry(p, g.ndim() - 2))
            },
        },
        diff: Diff::Vjp(|c| grads!(c;
            0 => kernel(&convolution_kernel::OP, c.g(), &crate::copy::conj(&c.x(1)?)?, c, &c.meta(0).sizes[2..]),
            1 => kernel(&conv_weight::OP, &crate::copy::conj(&c.x(0)?)?, c.g(), c, &c.meta(1).sizes[2..]),
            2 => channel_sum(c.g()))),
        saves: CROSS,
        samples: Some(|s| samples(s, true)),
        ..BASE
    };
    conv_weight = OpDef {
        sig: "conv_weight(Tensor grad, Tensor input, int[] stride, int[] padding, int[] dilation, int groups, int[] sizes) -> Tensor",
        doc: "The gradient of a convolution for its weight.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| {
                let (g, t) = (arg(x, 0)?, arg(x, 1)?);
                let mut sizes = Dims::from_slice(&[g.sizes()[1], t.sizes()[1] / p.int(3).max(1)]);
                sizes.extend_from_slice(p.ints(4));
                Ok(smallvec::smallvec![convolved(g, t, &sizes)])
            },
            run: |b, x, o, p| {
                let (g, t) = (arg(x, 0)?, arg(x, 1)?);
                b.conv_weight(g.raw(), t.raw(), o[0].raw(), &geometry(p, g.ndim() - 2))
            },
        },
        diff: Diff::Vjp(|c| grads!(c;
            0 => kernel(&convolution_kernel::OP, &crate::copy::conj(&c.x(1)?)?, c.g(), c, &c.meta(0).sizes[2..]),
            1 => kernel(&conv_input::OP, &crate::copy::conj(&c.x(0)?)?, c.g(), c, &c.meta(1).sizes[2..]))),
        saves: CROSS,
        samples: Some(|s| {
            let (g, x) = (s.normal(&[2, 4, 4]), s.normal(&[2, 3, 6]));
            s.push(vec![Some(g), Some(x)], params![[1i64], [0i64], [1i64], 1, [3i64]], 3);
        }),
        ..BASE
    };
    conv1d = conv_row("conv1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, int[1] dilation=1, int groups=1) -> Tensor", |x, p| forward(x, p, 1));
    conv2d = conv_row("conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, int[2] dilation=1, int groups=1) -> Tensor", |x, p| forward(x, p, 2));
    conv3d = conv_row("conv3d(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, int[3] padding=0, int[3] dilation=1, int groups=1) -> Tensor", |x, p| forward(x, p, 3));
    conv1d_padding = conv_row("conv1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, str padding='valid', int[1] dilation=1, int groups=1) -> Tensor", |x, p| named(x, p, 1));
    conv2d_padding = conv_row("conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, str padding='valid', int[2] dilation=1, int groups=1) -> Tensor", |x, p| named(x, p, 2));
    conv3d_padding = conv_row("conv3d(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, str padding='valid', int[3] dilation=1, int groups=1) -> Tensor", |x, p| named(x, p, 3));
    conv_transpose1d = conv_row("conv_transpose1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, int[1] output_padding=0, int groups=1, int[1] dilation=1) -> Tensor", |x, p| transposed(x, p, 1));
    conv_transpose2d = conv_row("conv_transpose2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, int[2] output_padding=0, int groups=1, int[2] dilation=1) -> Tensor", |x, p| transposed(x, p, 2));
    conv_transpose3d = conv_row("conv_transpose3d(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, int[3] padding=0, int[3] output_padding=0, int groups=1, int[3] dilation=1) -> Tensor", |x, p| transposed(x, p, 3));
}

const fn conv_row(sig: &'static str, f: flambeau_core::op::Compose) -> OpDef {
    OpDef {
        sig,
        doc: "A convolution (cross-correlation) over `(n, c, ...)` or `(c, ...)`; transposed rows are its gradient for the input.",
        surfaces: surface::NN | surface::FUNCTION,
        kind: Kind::Composite(f),
        ..BASE
    }
}

/// The input with a batch dimension, and whether one was added.
fn batched(name: &str, x: &Tensor, nd: usize) -> Result<(Tensor, bool)> {
    match x.ndim() {
        n if n == nd + 2 => Ok((x.clone(), false)),
        n if n == nd + 1 => Ok((unsqueeze(x, 0)?, true)),
        _ => bail!(
            Runtime,
            "Expected {}D (unbatched) or {}D (batched) input to {name}, but got input of size: {}",
            nd + 1,
            nd + 2,
            layout::fmt(x.sizes())
        ),
    }
}

fn check_positive(c: &ConvParams) -> Result<()> {
    for i in 0..c.nd {
        check!(c.padding[i] >= 0, Runtime, "negative padding is not supported");
        check!(c.stride[i] > 0, Runtime, "non-positive stride is not supported");
        check!(c.dilation[i] > 0, Runtime, "dilation should be greater than zero");
    }
    check!(c.groups > 0, Runtime, "non-positive groups is not supported");
    Ok(())
}

fn check_bias(b: Option<&Tensor>, channels: i64, w: &Tensor) -> Result<()> {
    if let Some(b) = b {
        check!(
            b.ndim() == 1 && b.numel() == channels,
            Runtime,
            "Given weight of size {}, expected bias to be 1-dimensional with {channels} elements, but got bias of size {} instead",
            layout::fmt(w.sizes()),
            layout::fmt(b.sizes())
        );
        check!(
            b.dtype() == w.dtype(),
            Runtime,
            "Input type ({}) and bias type ({}) should be the same",
            lower(w),
            lower(b)
        );
    }
    Ok(())
}

fn forward(x: Inputs, p: &Params, nd: usize) -> Result<Outs> {
    let (t, w, bias) = (arg(x, 0)?, arg(x, 1)?, opt(x, 2));
    one(conv(t, w, bias, &geometry(p, nd))?)
}

/// A convolution with `nd` spatial dimensions.
pub fn conv(t: &Tensor, w: &Tensor, bias: Option<&Tensor>, c: &ConvParams) -> Result<Tensor> {
    let nd = c.nd;
    let (t, added) = batched(&format!("conv{nd}d"), t, nd)?;
    check!(
        w.ndim() == nd + 2,
        Runtime,
        "weight should have at least three dimensions: expected {}D weight for conv{nd}d, got {}",
        nd + 2,
        layout::fmt(w.sizes())
    );
    check_positive(c)?;
    let (cin, cout) = (t.sizes()[1], w.sizes()[0]);
    check!(
        cout >= c.groups && cout % c.groups == 0,
        Runtime,
        "Given groups={}, expected weight to be at least {} at dimension 0, but got weight of size {} instead",
        c.groups,
        c.groups,
        layout::fmt(w.sizes())
    );
    check!(
        cin == w.sizes()[1] * c.groups,
        Runtime,
        "Given groups={}, weight of size {}, expected input{} to have {} channels, but got {cin} channels instead",
        c.groups,
        layout::fmt(w.sizes()),
        layout::fmt(t.sizes()),
        w.sizes()[1] * c.groups
    );
    check_bias(bias, cout, w)?;
    check_float(&t, w, bias)?;
    let mut sizes = Dims::new();
    for i in 0..nd {
        let (n, k) = (t.sizes()[2 + i], w.sizes()[2 + i]);
        check!(
            n + 2 * c.padding[i] > c.dilation[i] * (k - 1),
            Runtime,
            "Calculated padded input size per channel: ({}). Kernel size: ({}). Kernel size can't be greater than actual input size",
            (0..nd).map(|j| (t.sizes()[2 + j] + 2 * c.padding[j]).to_string()).collect::<Vec<_>>().join(" x "),
            (0..nd).map(|j| (c.dilation[j] * (w.sizes()[2 + j] - 1) + 1).to_string()).collect::<Vec<_>>().join(" x ")
        );
        sizes.push(out_size(n, k, c.stride[i], c.padding[i], c.dilation[i]));
    }
    if t.dtype().is_int() {
        let y = crate::conv_whole::conv(&t, w, bias, c, &sizes)?;
        return if added { squeeze(&y, 0) } else { Ok(y) };
    }
    let args = [Some(&t), Some(w), bias];
    let y =
        call1(&convolution_kernel::OP, if bias.is_some() { &args } else { &args[..2] }, geometry_params(c, &sizes))?;
    if added { squeeze(&y, 0) } else { Ok(y) }
}

/// Padding by name: 'valid', or 'same' (asymmetric where the kernel is even).
fn named(x: Inputs, p: &Params, nd: usize) -> Result<Outs> {
    let (t, w, bias) = (arg(x, 0)?, arg(x, 1)?, opt(x, 2));
    let (stride, dilation, groups) = (triple(p.ints(0), nd, 1), triple(p.ints(2), nd, 1), p.int(3));
    let mut c = ConvParams { nd, stride, padding: [0; 3], dilation, groups };
    match p.str(1) {
        "valid" => one(conv(t, w, bias, &c)?),
        "same" => {
            check!(
                stride[..nd].iter().all(|&s| s == 1),
                Runtime,
                "padding='same' is not supported for strided convolutions"
            );
            check!(w.ndim() == nd + 2, Runtime, "weight should have at least three dimensions");
            let mut extra = vec![0i64; 2 * nd];
            for i in 0..nd {
                let total = dilation[i] * (w.sizes()[2 + i] - 1);
                c.padding[i] = total / 2;
                extra[2 * (nd - 1 - i) + 1] = total % 2;
            }
            let t = if extra.iter().any(|&e| e != 0) {
                call1(&crate::shape::constant_pad_nd::OP, &[Some(t)], params![extra, 0.0])?
            } else {
                t.clone()
            };
            one(conv(&t, w, bias, &c)?)
        }
        other => Err(Error::runtime(format!("Invalid padding string: '{other}'"))),
    }
}

fn transposed(x: Inputs, p: &Params, nd: usize) -> Result<Outs> {
    let (t, w, bias) = (arg(x, 0)?, arg(x, 1)?, opt(x, 2));
    let c = ConvParams {
        nd,
        stride: triple(p.ints(0), nd, 1),
        padding: triple(p.ints(1), nd, 0),
        dilation: triple(p.ints(4), nd, 1),
        groups: p.int(3),
    };
    one(conv_transpose(t, w, bias, &c, triple(p.ints(2), nd, 0))?)
}

/// The transposed convolution: `w` is `(c_in, c_out/groups, ...)`.
pub fn conv_transpose(
    t: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    c: &ConvParams,
    output_padding: [i64; 3],
) -> Result<Tensor> {
    let nd = c.nd;
    let (t, added) = batched(&format!("conv_transpose{nd}d"), t, nd)?;
    check!(w.ndim() == nd + 2, Runtime, "weight should have at least three dimensions");
    check_positive(c)?;
    check!(
        t.sizes()[1] == w.sizes()[0],
        Runtime,
        "Given transposed=1, weight of size {}, expected input{} to have {} channels, but got {} channels instead",
        layout::fmt(w.sizes()),
        layout::fmt(t.sizes()),
        w.sizes()[0],
        t.sizes()[1]
    );
    check!(
        w.sizes()[0] % c.groups == 0,
        Runtime,
        "Given groups={}, expected weight dimension 0 to be divisible by it",
        c.groups
    );
    check_bias(bias, w.sizes()[1] * c.groups, w)?;
    check_float(&t, w, bias)?;
    let mut sizes = Dims::new();
    for i in 0..nd {
        check!(output_padding[i] >= 0, Runtime, "negative output_padding is not supported");
        check!(
            output_padding[i] < c.stride[i] || output_padding[i] < c.dilation[i],
            Runtime,
            "output padding must be smaller than either stride or dilation, but got output_padding_height: {} output_padding_width: {} stride_height: {} stride_width: {} dilation_height: {} dilation_width: {}",
            output_padding[0],
            output_padding[nd.min(2) - 1],
            c.stride[0],
            c.stride[nd.min(2) - 1],
            c.dilation[0],
            c.dilation[nd.min(2) - 1]
        );
        let n = (t.sizes()[2 + i] - 1) * c.stride[i] - 2 * c.padding[i]
            + c.dilation[i] * (w.sizes()[2 + i] - 1)
            + output_padding[i]
            + 1;
        check!(
            n > 0,
            Runtime,
            "Given input size per channel: {}. Calculated output size per channel: {n}. Output size is too small",
            layout::fmt(&t.sizes()[2..])
        );
        sizes.push(n);
    }
    if t.dtype().is_int() {
        let y = crate::conv_whole::conv_transpose(&t, w, bias, c, &sizes)?;
        return if added { squeeze(&y, 0) } else { Ok(y) };
    }
    let args = [Some(&t), Some(w), bias];
    let y = call1(&conv_input::OP, if bias.is_some() { &args } else { &args[..2] }, geometry_params(c, &sizes))?;
    if added { squeeze(&y, 0) } else { Ok(y) }
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
