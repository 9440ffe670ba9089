//! Pooling windows.

use flambeau_core::backend::PoolParams;
use flambeau_core::layout::{self, Dims};
use flambeau_core::op::{Diff, Inputs, Kind, Meta, OpDef, Outs, Params, ParamsExt, Saves, surface};
use flambeau_core::{DType, Result, Tensor, bail, call1, check, params};

use crate::operand::*;
use crate::view::{squeeze, unsqueeze};

const INDICES: Saves = Saves { inputs: 0, outputs: 2, cross: false };

/// Kernel params: kernel, stride, padding, dilation, output sizes, include-padding, divisor.
fn geometry(p: &Params, nd: usize) -> PoolParams {
    PoolParams {
        nd,
        kernel: triple(p.ints(0), nd, 1),
        stride: triple(p.ints(1), nd, 1),
        padding: triple(p.ints(2), nd, 0),
        dilation: triple(p.ints(3), nd, 1),
        count_include_pad: p.bool(5),
        divisor_override: p.int(6),
    }
}

fn kernel_params(g: &PoolParams, out: &[i64]) -> Params {
    params![
        &g.kernel[..g.nd],
        &g.stride[..g.nd],
        &g.padding[..g.nd],
        &g.dilation[..g.nd],
        out,
        g.count_include_pad,
        g.divisor_override
    ]
}

/// Output length along one dimension, in `ceil_mode` without windows that start in the padding.
fn pooled(n: i64, k: i64, stride: i64, pad: i64, dilation: i64, ceil: bool) -> i64 {
    let span = n + 2 * pad - dilation * (k - 1) - 1 + if ceil { stride - 1 } else { 0 };
    let mut out = span.div_euclid(stride) + 1;
    if ceil && (out - 1) * stride >= n + pad {
        out -= 1;
    }
    out
}

fn batched(name: &str, x: &Tensor, nd: usize) -> Result<(Tensor, bool)> {
    match x.ndim() {
        n if n == nd + 2 => Ok((x.clone(), false)),
        n if n == nd + 1 => Ok((unsqueeze(x, 0)?, true)),
        _ if name == "max_pool2d" => bail!(Runtime, "non-empty 3D or 4D (batch mode) tensor expected for input"),
        _ => bail!(
            Runtime,
            "{name}(): Expected {}D or {}D input tensor, but got {}",
            nd + 1,
            nd + 2,
            layout::fmt(x.sizes())
        ),
    }
}

fn spatial_meta(x: &Tensor, out: &[i64], dtype: DType) -> Meta {
    let mut sizes = Dims::from_slice(&x.sizes()[..2]);
    sizes.extend_from_slice(out);
    if let &[n, c, l] = x.sizes() {
        // A line is a picture of height one.
        let s = x.strides();
        if layout::suggests_channels_last(&[n, c, 1, l], &[s[0], s[1], l * s[2], s[2]]) {
            let mut m = Meta::new(&sizes, dtype, x.device());
            m.strides = Some(Box::new(Dims::from_slice(&[c * out[0], 1, c])));
            return m;
        }
    }
    Meta::suggested(x, &sizes, dtype)
}

/// As [`spatial_meta`], but row-major for volumes.
fn flat_meta(x: &Tensor, out: &[i64], dtype: DType) -> Meta {
    let mut m = spatial_meta(x, out, dtype);
    if out.len() == 3 {
        m.strides = None;
    }
    m
}

fn pool_samples(s: &mut flambeau_core::op::Samples, divisor: i64) {
    let cases: [(&[i64], i64, i64, i64, i64); 4] = [
        (&[2, 3, 8], 3, 2, 1, 1),
        (&[1, 2, 6, 5], 2, 2, 0, 1),
        (&[2, 2, 7, 7], 3, 2, 1, 1),
        (&[1, 2, 4, 4, 4], 2, 1, 1, 1),
    ];
    for (sizes, k, stride, pad, dilation) in cases {
        let nd = sizes.len() - 2;
        let g = PoolParams {
            nd,
            kernel: [k; 3],
            stride: [stride; 3],
            padding: [pad; 3],
            dilation: [dilation; 3],
            count_include_pad: true,
            divisor_override: divisor,
        };
        let out: Vec<i64> = (0..nd).map(|i| pooled(sizes[2 + i], k, stride, pad, dilation, false)).collect();
        let x = s.normal(sizes);
        s.push(vec![Some(x)], kernel_params(&g, &out), 1);
    }
}

rows! { ROWS_ALL:
    max_pool_kernel = OpDef {
        sig: "max_pool_with_indices(Tensor input, int[] kernel_size, int[] stride, int[] padding, int[] dilation, int[] sizes) -> (Tensor, Tensor)",
        doc: "The largest element of each window and its flat position in the plane.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| {
                let x = arg(x, 0)?;
                Ok(smallvec::smallvec![spatial_meta(x, p.ints(4), x.dtype()), spatial_meta(x, p.ints(4), DType::I64)])
            },
            run: |b, x, o, p| b.max_pool(arg(x, 0)?.raw(), o[0].raw(), o[1].raw(), &geometry(p, arg(x, 0)?.ndim() - 2)),
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => call1(&plane_scatter::OP, &[Some(c.g()), Some(&c.y(1)?)], params![&c.meta(0).sizes[2..]]))),
        saves: INDICES,
        diff_outputs: 1,
        samples: Some(|s| pool_samples(s, 0)),
        ..BASE
    };
    plane_scatter = OpDef {
        sig: "plane_scatter(Tensor grad, Tensor indices, int[] sizes) -> Tensor",
        doc: "Elements added at flat positions of zeroed planes.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| { let g = arg(x, 0)?; Ok(smallvec::smallvec![spatial_meta(g, p.ints(0), g.dtype())]) },
            run: |b, x, o, p| b.plane_scatter(arg(x, 0)?.raw(), arg(x, 1)?.raw(), o[0].raw(), p.ints(0).len()),
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => call1(&plane_gather::OP, &[Some(c.g()), Some(&c.x(1)?)], params![c.p.ints(0).len()]))),
        saves: Saves { inputs: 2, outputs: 0, cross: false },
        samples: Some(|s| { let (g, i) = (s.normal(&[1, 2, 3]), s.ints(&[1, 2, 3], 0, 8)); s.push(vec![Some(g), Some(i)], params![[8i64]], 1) }),
        ..BASE
    };
    plane_gather = OpDef {
        sig: "plane_gather(Tensor input, Tensor indices, int nd) -> Tensor",
        doc: "Elements at flat positions of planes.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, _| { let (t, i) = (arg(x, 0)?, arg(x, 1)?); Ok(smallvec::smallvec![Meta::new(i.sizes(), t.dtype(), t.device())]) },
            run: |b, x, o, p| b.plane_gather(arg(x, 0)?.raw(), arg(x, 1)?.raw(), o[0].raw(), p.int(0) as usize),
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => call1(&plane_scatter::OP, &[Some(c.g()), Some(&c.x(1)?)], params![&c.meta(0).sizes[2..]]))),
        saves: Saves { inputs: 2, outputs: 0, cross: false },
        samples: Some(|s| { let (x, i) = (s.normal(&[1, 2, 8]), s.ints(&[1, 2, 3], 0, 8)); s.push(vec![Some(x), Some(i)], params![1], 1) }),
        ..BASE
    };
    avg_pool_kernel = OpDef {
        sig: "avg_pool_kernel(Tensor input, int[] kernel_size, int[] stride, int[] padding, int[] dilation, int[] sizes, bool count_include_pad, int divisor) -> Tensor",
        doc: "The mean of each window.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| { let x = arg(x, 0)?; Ok(smallvec::smallvec![flat_meta(x, p.ints(4), x.dtype())]) },
            run: |b, x, o, p| b.avg_pool(arg(x, 0)?.raw(), o[0].raw(), &geometry(p, arg(x, 0)?.ndim() - 2)),
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => {
            let mut p = c.p.clone();
            p.push((&c.meta(0).sizes[2..]).into());
            call1(&avg_pool_backward::OP, &[Some(c.g())], p)
        })),
        samples: Some(|s| { pool_samples(s, 0); pool_samples(s, 5) }),
        ..BASE
    };
    avg_pool_backward = OpDef {
        sig: "avg_pool_backward(Tensor grad, int[] kernel_size, int[] stride, int[] padding, int[] dilation, int[] out_sizes, bool count_include_pad, int divisor, int[] sizes) -> Tensor",
        doc: "Each gradient spread over its window.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| { let g = arg(x, 0)?; Ok(smallvec::smallvec![spatial_meta(g, p.ints(7), g.dtype())]) },
            run: |b, x, o, p| b.avg_pool_backward(arg(x, 0)?.raw(), o[0].raw(), &geometry(p, arg(x, 0)?.ndim() - 2)),
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => call1(&avg_pool_kernel::OP, &[Some(c.g())], c.p[..7].iter().cloned().collect()))),
        samples: Some(|s| { let g = s.normal(&[1, 2, 3]); s.push(vec![Some(g)], params![[2i64], [2i64], [0i64], [1i64], [3i64], true, 0, [6i64]], 1) }),
        ..BASE
    };
    adaptive_avg_kernel = OpDef {
        sig: "adaptive_avg_kernel(Tensor input, int[] sizes) -> Tensor",
        doc: "Means of windows that cover the input with a given number of outputs.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| {
                let x = arg(x, 0)?;
                // One mean of each volume is a reduction.
                let meta = if p.ints(0) == [1, 1, 1] { spatial_meta } else { flat_meta };
                Ok(smallvec::smallvec![meta(x, p.ints(0), x.dtype())])
            },
            run: |b, x, o, p| b.adaptive_avg_pool(arg(x, 0)?.raw(), o[0].raw(), p.ints(0).len()),
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => call1(&adaptive_avg_backward::OP, &[Some(c.g())], params![&c.meta(0).sizes[2..]]))),
        samples: Some(|s| { let x = s.normal(&[2, 2, 7, 5]); s.push(vec![Some(x)], params![[3i64, 2]], 1) }),
        ..BASE
    };
    adaptive_avg_backward = OpDef {
        sig: "adaptive_avg_backward(Tensor grad, int[] sizes) -> Tensor",
        doc: "Each gradient spread over its adaptive window.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| { let g = arg(x, 0)?; Ok(smallvec::smallvec![spatial_meta(g, p.ints(0), g.dtype())]) },
            run: |b, x, o, p| b.adaptive_avg_pool_backward(arg(x, 0)?.raw(), o[0].raw(), p.ints(0).len()),
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => call1(&adaptive_avg_kernel::OP, &[Some(c.g())], params![&c.meta(0).sizes[2..]]))),
        samples: Some(|s| { let g = s.normal(&[1, 2, 3]); s.push(vec![Some(g)], params![[7i64]], 1) }),
        ..BASE
    };
    adaptive_max_kernel = OpDef {
        sig: "adaptive_max_kernel(Tensor input, int[] sizes) -> (Tensor, Tensor)",
        doc: "Largest elements of adaptive windows and their flat positions.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| { let x = arg(x, 0)?; Ok(smallvec::smallvec![flat_meta(x, p.ints(0), x.dtype()), flat_meta(x, p.ints(0), DType::I64)]) },
            run: |b, x, o, p| b.adaptive_max_pool(arg(x, 0)?.raw(), o[0].raw(), o[1].raw(), p.ints(0).len()),
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => call1(&plane_scatter::OP, &[Some(c.g()), Some(&c.y(1)?)], params![&c.meta(0).sizes[2..]]))),
        saves: INDICES,
        diff_outputs: 1,
        samples: Some(|s| { let x = s.normal(&[2, 2, 7, 5]); s.push(vec![Some(x)], params![[3i64, 2]], 1) }),
        ..BASE
    };
    im2col_kernel = OpDef {
        sig: "im2col_kernel(Tensor input, int[] kernel_size, int[] stride, int[] padding, int[] dilation, int[] sizes) -> Tensor",
        doc: "Sliding blocks as columns.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| {
                let x = arg(x, 0)?;
                let k: i64 = p.ints(0).iter().product();
                Ok(smallvec::smallvec![Meta::new(&[x.sizes()[0], x.sizes()[1] * k, p.ints(4).iter().product()], x.dtype(), x.device())])
            },
            run: |b, x, o, p| b.im2col(arg(x, 0)?.raw(), o[0].raw(), &geometry(p, 2)),
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => { let mut p: Params = c.p[..5].iter().cloned().collect(); p.push((&c.meta(0).sizes[2..]).into()); call1(&col2im_kernel::OP, &[Some(c.g())], p) })),
        samples: Some(|s| { let x = s.normal(&[1, 2, 5, 4]); s.push(vec![Some(x)], params![[2i64, 2], [1i64, 1], [0i64, 0], [1i64, 1], [4i64, 3]], 1) }),
        ..BASE
    };
    col2im_kernel = OpDef {
        sig: "col2im_kernel(Tensor input, int[] kernel_size, int[] stride, int[] padding, int[] dilation, int[] blocks, int[] sizes) -> Tensor",
        doc: "Columns summed back into sliding blocks.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, p| {
                let x = arg(x, 0)?;
                let k: i64 = p.ints(0).iter().product();
                Ok(smallvec::smallvec![Meta::new(&[x.sizes()[0], x.sizes()[1] / k.max(1), p.ints(5)[0], p.ints(5)[1]], x.dtype(), x.device())])
            },
            run: |b, x, o, p| b.col2im(arg(x, 0)?.raw(), o[0].raw(), &geometry(p, 2)),
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => call1(&im2col_kernel::OP, &[Some(c.g())], c.p[..5].iter().cloned().collect()))),
        samples: Some(|s| { let x = s.normal(&[1, 8, 12]); s.push(vec![Some(x)], params![[2i64, 2], [1i64, 1], [0i64, 0], [1i64, 1], [4i64, 3], [5i64, 4]], 1) }),
        ..BASE
    };
    max_pool1d = pool_row("max_pool1d(Tensor input, int[1] kernel_size, int[1]? stride=None, int[1] padding=0, int[1] dilation=1, bool ceil_mode=False, bool return_indices=False) -> Tensor", |x, p| max_pool(x, p, 1));
    max_pool2d = pool_row("max_pool2d(Tensor input, int[2] kernel_size, int[2]? stride=None, int[2] padding=0, int[2] dilation=1, bool ceil_mode=False, bool return_indices=False) -> Tensor", |x, p| max_pool(x, p, 2));
    max_pool3d = pool_row("max_pool3d(Tensor input, int[3] kernel_size, int[3]? stride=None, int[3] padding=0, int[3] dilation=1, bool ceil_mode=False, bool return_indices=False) -> Tensor", |x, p| max_pool(x, p, 3));
    avg_pool1d = pool_row("avg_pool1d(Tensor input, int[1] kernel_size, int[1]? stride=None, int[1] padding=0, bool ceil_mode=False, bool count_include_pad=True) -> Tensor", |x, p| avg_pool(x, p, 1));
    avg_pool2d = pool_row("avg_pool2d(Tensor input, int[2] kernel_size, int[2]? stride=None, int[2] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None, *, Tensor? out=None) -> Tensor", |x, p| avg_pool(x, p, 2));
    avg_pool3d = pool_row("avg_pool3d(Tensor input, int[3] kernel_size, int[3]? stride=None, int[3] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None, *, Tensor? out=None) -> Tensor", |x, p| avg_pool(x, p, 3));
    adaptive_avg_pool1d = pool_row("adaptive_avg_pool1d(Tensor input, int[1] output_size) -> Tensor", |x, p| adaptive(x, p, 1, false));
    adaptive_avg_pool2d = pool_row("adaptive_avg_pool2d(Tensor input, int[2] output_size) -> Tensor", |x, p| adaptive(x, p, 2, false));
    adaptive_avg_pool3d = pool_row("adaptive_avg_pool3d(Tensor input, int[3] output_size) -> Tensor", |x, p| adaptive(x, p, 3, false));
    adaptive_max_pool1d = pool_row("adaptive_max_pool1d(Tensor input, int[1] output_size, bool return_indices=False) -> Tensor", |x, p| adaptive(x, p, 1, true));
    adaptive_max_pool2d = pool_row("adaptive_max_pool2d(Tensor input, int[2] output_size, bool return_indices=False) -> Tensor", |x, p| adaptive(x, p, 2, true));
    adaptive_max_pool3d = pool_row("adaptive_max_pool3d(Tensor input, int[3] output_size, bool return_indices=False) -> Tensor", |x, p| adaptive(x, p, 3, true));
    unfold_blocks = pool_row("unfold(Tensor input, int[2] kernel_size, int[2] dilation=1, int[2] padding=0, int[2] stride=1) -> Tensor", unfold_of);
    fold_blocks = pool_row("fold(Tensor input, int[2] output_size, int[2] kernel_size, int[2] dilation=1, int[2] padding=0, int[2] stride=1) -> Tensor", fold_of);
}

const fn pool_row(sig: &'static str, f: flambeau_core::op::Compose) -> OpDef {
    OpDef {
        sig,
        doc: "Pooling or sliding blocks over `(n, c, ...)` or `(c, ...)`.",
        surfaces: surface::NN,
        kind: Kind::Composite(f),
        ..BASE
    }
}

fn checked(name: &str, x: &Tensor, g: &PoolParams, ceil: bool) -> Result<Dims> {
    let nd = g.nd;
    let by = |sizes: &[i64]| sizes.iter().map(i64::to_string).collect::<Vec<_>>().join("x");
    let mut out = Dims::new();
    for i in 0..nd {
        let (k, s, p, d, n) = (g.kernel[i], g.stride[i], g.padding[i], g.dilation[i], x.sizes()[2 + i]);
        check!(
            [k, s, p, d].iter().all(|&n| i32::try_from(n).is_ok()),
            Runtime,
            "value cannot be converted to type int without overflow"
        );
        check!(k > 0, Runtime, "kernel size should be greater than zero, but got kH: {k}");
        check!(s > 0, Runtime, "stride should not be zero");
        check!(d > 0, Runtime, "dilation should be greater than zero, but got dilationH: {d}");
        check!(p >= 0, Runtime, "pad must be non-negative, but got pad: {p}");
        check!(
            2 * p <= (k - 1) * d + 1,
            Runtime,
            "pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and dilation={d}"
        );
        out.push(pooled(n, k, s, p, d, ceil));
    }
    check!(
        out.iter().all(|&o| o > 0),
        Runtime,
        "Given input size: ({}). Calculated output size: ({}x{}). Output size is too small",
        by(&x.sizes()[1..]),
        x.sizes()[1],
        by(&out)
    );
    check!(
        x.sizes()[1..].iter().all(|&n| n > 0),
        Runtime,
        "{name}(): Expected {}D or {}D (batch mode) tensor with optional 0 dim batch size for input, but got: {}",
        nd + 1,
        nd + 2,
        layout::fmt(x.sizes())
    );
    Ok(out)
}

fn max_pool(x: Inputs, p: &Params, nd: usize) -> Result<Outs> {
    let name = format!("max_pool{nd}d");
    let (t, added) = batched(&name, arg(x, 0)?, nd)?;
    let kernel = triple(p.ints(0), nd, 1);
    let stride = p.opt_ints(1).filter(|s| !s.is_empty()).map_or(kernel, |s| triple(s, nd, 1));
    let g = PoolParams {
        nd,
        kernel,
        stride,
        padding: triple(p.ints(2), nd, 0),
        dilation: triple(p.ints(3), nd, 1),
        count_include_pad: true,
        divisor_override: 0,
    };
    check!(
        t.dtype() != DType::Bool && !t.dtype().is_complex(),
        NotImplemented,
        "\"{name}\" not implemented for '{}'",
        t.dtype().scalar_name()
    );
    let out = checked(&name, &t, &g, p.bool(4))?;
    let mut y =
        flambeau_core::call(&max_pool_kernel::OP, &[Some(&t)], kernel_params(&g, &out)[..5].iter().cloned().collect())?;
    if !p.bool(5) {
        y.truncate(1);
        // Without indices PyTorch has a kernel of its own for lines, which writes them row by row.
        if nd == 1 && !y[0].requires_grad() {
            y[0] = crate::copy::contiguous(&y[0])?;
        }
    }
    unbatched(y, added)
}

fn unbatched(y: Outs, added: bool) -> Result<Outs> {
    if added { y.iter().map(|t| squeeze(t, 0)).collect() } else { Ok(y) }
}

fn avg_pool(x: Inputs, p: &Params, nd: usize) -> Result<Outs> {
    let name = format!("avg_pool{nd}d");
    let (t, added) = batched(&name, arg(x, 0)?, nd)?;
    let kernel = triple(p.ints(0), nd, 1);
    let stride = p.opt_ints(1).filter(|s| !s.is_empty()).map_or(kernel, |s| triple(s, nd, 1));
    let divisor = p.opt_int(5);
    check!(divisor != Some(0), Runtime, "divisor must be not zero");
    let g = PoolParams {
        nd,
        kernel,
        stride,
        padding: triple(p.ints(2), nd, 0),
        dilation: [1; 3],
        count_include_pad: p.bool(4),
        divisor_override: divisor.unwrap_or(0),
    };
    check!(
        t.dtype().is_float() || t.dtype() == DType::I64,
        NotImplemented,
        "\"{name}\" not implemented for '{}'",
        t.dtype().scalar_name()
    );
    let out = checked(&name, &t, &g, p.bool(3))?;
    unbatched(flambeau_core::call(&avg_pool_kernel::OP, &[Some(&t)], kernel_params(&g, &out))?, added)
}

fn adaptive(x: Inputs, p: &Params, nd: usize, max: bool) -> Result<Outs> {
    let name = format!("adaptive_{}_pool{nd}d", if max { "max" } else { "avg" });
    let asked = p.ints(0);
    check!(asked.len() == 1 || asked.len() == nd, Runtime, "{name}: output_size must be {nd}");
    let (t, added) = batched(&name, arg(x, 0)?, nd)?;
    let out = Dims::from_slice(&triple(asked, nd, 0)[..nd]);
    for i in 0..nd {
        if max && out[i] < 0 {
            let mut sizes = Dims::from_slice(&t.sizes()[..2]);
            sizes.extend_from_slice(&out);
            bail!(Runtime, "Trying to create tensor with negative dimension {}: {}", out[i], layout::fmt(&sizes));
        }
        check!(
            out[i] >= 0,
            Runtime,
            "{name}: elements of output_size must be greater than or equal to 0 but received {{{}}}",
            layout::fmt(&out).trim_matches(['[', ']'])
        );
        check!(
            t.sizes()[2 + i] > 0,
            Runtime,
            "{name}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes {} with dimension {} being empty",
            layout::fmt(t.sizes()),
            2 + i
        );
    }
    if !max {
        return unbatched(flambeau_core::call(&adaptive_avg_kernel::OP, &[Some(&t)], params![&out])?, added);
    }
    let mut y = flambeau_core::call(&adaptive_max_kernel::OP, &[Some(&t)], params![&out])?;
    if !p.bool(1) {
        y.truncate(1);
    }
    unbatched(y, added)
}

fn block_geometry(kernel: &[i64], dilation: &[i64], padding: &[i64], stride: &[i64]) -> Result<PoolParams> {
    for (what, v) in [("kernel_size", kernel), ("dilation", dilation), ("padding", padding), ("stride", stride)] {
        check!(matches!(v.len(), 1 | 2), Runtime, "It is expected {what} equals to 2, but got size {}", v.len());
        let low = i64::from(what != "padding");
        if v.iter().all(|n| (low..1 << 31).contains(n)) {
            continue;
        }
        let (name, short) = match what {
            "kernel_size" => ("kernel size", "kernel"),
            "padding" => ("padding", "pad"),
            other => (other, other),
        };
        let bound = if low == 0 { "non-negative" } else { "greater than zero" };
        let [h, w, _] = triple(v, 2, 0);
        bail!(Runtime, "{name} should be {bound}, but got {short}_height: {h} {short}_width: {w}");
    }
    Ok(PoolParams {
        nd: 2,
        kernel: triple(kernel, 2, 1),
        stride: triple(stride, 2, 1),
        padding: triple(padding, 2, 0),
        dilation: triple(dilation, 2, 1),
        count_include_pad: true,
        divisor_override: 0,
    })
}

fn block_counts(sizes: &[i64], g: &PoolParams) -> Dims {
    (0..2)
        .map(|i| {
            let span = sizes[i].saturating_add(2 * g.padding[i]) - g.dilation[i] * (g.kernel[i] - 1) - 1;
            span.div_euclid(g.stride[i]) + 1
        })
        .collect()
}

fn unfold_of(x: Inputs, p: &Params) -> Result<Outs> {
    let x = arg(x, 0)?;
    check!(
        x.ndim() == 3 || x.ndim() == 4,
        Runtime,
        "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, but got: {}",
        layout::fmt(x.sizes())
    );
    let (t, added) = batched("unfold", x, 2)?;
    let g = block_geometry(p.ints(0), p.ints(1), p.ints(2), p.ints(3))?;
    let blocks = block_counts(&t.sizes()[2..], &g);
    check!(
        blocks.iter().all(|&n| n > 0),
        Runtime,
        "Given input with spatial size ({}, {}), kernel_size=({}, {}), dilation=({}, {}), padding=({}, {}), calculated shape of the array of sliding blocks as ({}, {}), but its components must be at least one.",
        t.sizes()[2],
        t.sizes()[3],
        g.kernel[0],
        g.kernel[1],
        g.dilation[0],
        g.dilation[1],
        g.padding[0],
        g.padding[1],
        blocks[0],
        blocks[1]
    );
    let y = call1(&im2col_kernel::OP, &[Some(&t)], kernel_params(&g, &blocks)[..5].iter().cloned().collect())?;
    one(if added { squeeze(&y, 0)? } else { y })
}

fn fold_of(x: Inputs, p: &Params) -> Result<Outs> {
    let x = arg(x, 0)?;
    check!(
        x.ndim() == 2 || x.ndim() == 3,
        Runtime,
        "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for input, but got: {}",
        layout::fmt(x.sizes())
    );
    let (t, added) = if x.ndim() == 2 { (unsqueeze(x, 0)?, true) } else { (x.clone(), false) };
    let n = p.ints(0).len();
    check!(matches!(n, 1 | 2), Runtime, "It is expected output_size equals to 2, but got size {n}");
    let out = triple(p.ints(0), 2, 1);
    let g = block_geometry(p.ints(1), p.ints(2), p.ints(3), p.ints(4))?;
    let blocks = block_counts(&out[..2], &g);
    let k = g.kernel[0] * g.kernel[1];
    check!(
        t.sizes()[1] % k == 0,
        Runtime,
        "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)={} and kernel_size=({}, {}).",
        t.sizes()[1],
        g.kernel[0],
        g.kernel[1]
    );
    check!(
        t.sizes()[2] as i128 == blocks[0] as i128 * blocks[1] as i128 && out.iter().all(|&n| n >= 0),
        Runtime,
        "Given output_size=({}, {}), kernel_size=({}, {}), dilation=({}, {}), padding=({}, {}), stride=({}, {}), expected size of input's dimension 2 to match the calculated number of sliding blocks {} * {} = {}, but got input.size(2)={}.",
        out[0],
        out[1],
        g.kernel[0],
        g.kernel[1],
        g.dilation[0],
        g.dilation[1],
        g.padding[0],
        g.padding[1],
        g.stride[0],
        g.stride[1],
        blocks[0],
        blocks[1],
        blocks[0].wrapping_mul(blocks[1]),
        t.sizes()[2]
    );
    let mut params: Params = kernel_params(&g, &blocks)[..5].iter().cloned().collect();
    params.push((&out[..2]).into());
    let y = call1(&col2im_kernel::OP, &[Some(&t)], params)?;
    one(if added { squeeze(&y, 0)? } else { y })
}

/// Max pooling over two dimensions.
pub fn max_pool2d(x: &Tensor, kernel: i64, stride: i64, padding: i64) -> Result<Tensor> {
    call1(
        &max_pool2d::OP,
        &[Some(x)],
        params![[kernel, kernel], [stride, stride], [padding, padding], [1i64, 1], false, false],
    )
}

/// Means over adaptive windows of two dimensions.
pub fn adaptive_avg_pool2d(x: &Tensor, sizes: [i64; 2]) -> Result<Tensor> {
    call1(&adaptive_avg_pool2d::OP, &[Some(x)], params![sizes])
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
