//! Convolutions of integers, by windows and products: exact, as sums of integers are.

use flambeau_core::backend::ConvParams;
use flambeau_core::layout::Dims;
use flambeau_core::view::ViewOp;
use flambeau_core::{Result, Scalar, Tensor, call, call1, params};

use crate::view::reshape;

/// The convolution of an input with batch dimension; `sizes` are the result's spatial ones.
pub(crate) fn conv(t: &Tensor, w: &Tensor, bias: Option<&Tensor>, c: &ConvParams, sizes: &[i64]) -> Result<Tensor> {
    let mut pad = Vec::new();
    for i in (0..c.nd).rev() {
        pad.extend([c.padding[i], c.padding[i]]);
    }
    let t = call1(&crate::shape::constant_pad_nd::OP, &[Some(t)], params![pad, Scalar::Int(0)])?;
    let t = crate::copy::contiguous(&t)?;
    let (n, cin, cout, g) = (t.sizes()[0], t.sizes()[1], w.sizes()[0], c.groups);
    // Windows as (n, groups, places, channels of the group times kernel), to be multiplied with each group's filters.
    let (s, k) = (t.strides(), &w.sizes()[2..]);
    let (mut shape, mut strides) = (Dims::from_slice(&[n, g]), Dims::from_slice(&[s[0], s[1] * (cin / g)]));
    for i in 0..c.nd {
        shape.push(sizes[i]);
        strides.push(s[2 + i] * c.stride[i]);
    }
    shape.push(cin / g);
    strides.push(s[1]);
    for i in 0..c.nd {
        shape.push(k[i]);
        strides.push(s[2 + i] * c.dilation[i]);
    }
    let windows = call::view(&ViewOp::AsStrided { sizes: shape, strides, offset: t.offset() }, &t)?;
    let (places, inner) = (sizes.iter().product::<i64>(), cin / g * k.iter().product::<i64>());
    let windows = reshape(&windows, &[n, g, places, inner])?;
    let filters = crate::view::mt(&reshape(w, &[1, g, cout / g, inner])?)?;
    let y = crate::view::mt(&crate::matmul::matmul(&windows, &filters)?)?;
    let mut out = Dims::from_slice(&[n, cout]);
    out.extend_from_slice(sizes);
    let y = reshape(&y, &out)?;
    match bias {
        Some(b) => {
            let mut per = Dims::from_elem(1, c.nd + 2);
            per[1] = cout;
            crate::binary::add(&y, &reshape(b, &per)?)
        }
        None => Ok(y),
    }
}

/// The transposed convolution, as the convolution of the input, spread by the stride, with the kernel turned around.
pub(crate) fn conv_transpose(
    t: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    c: &ConvParams,
    sizes: &[i64],
) -> Result<Tensor> {
    let (n, cin, g) = (t.sizes()[0], t.sizes()[1], c.groups);
    // As long as the result and the kernel's reach together, less one: the padding of a plain convolution is in it.
    let mut wide = Dims::from_slice(&[n, cin]);
    for i in 0..c.nd {
        wide.push(sizes[i] + c.dilation[i] * (w.sizes()[2 + i] - 1));
    }
    let spread = crate::create::zeros(&wide, t.dtype(), t.device())?;
    let (mut part, mut from) = (spread.clone(), t.clone());
    for i in 0..c.nd {
        let d = 2 + i;
        // The first element stands where the kernel's last one meets the border, less the padding; some may fall outside.
        let first = c.dilation[i] * (w.sizes()[d] - 1) - c.padding[i];
        let skipped = if first < 0 { (-first + c.stride[i] - 1) / c.stride[i] } else { 0 };
        let start = first + skipped * c.stride[i];
        let room = wide[d] - start;
        let fit = if room <= 0 { 0 } else { (room + c.stride[i] - 1) / c.stride[i] };
        let count = fit.min(from.sizes()[d] - skipped).max(0);
        from = crate::view::narrow(&from, d as i64, skipped.min(from.sizes()[d]), count)?;
        let op = ViewOp::Slice { dim: d, start: start.min(wide[d]), len: count, step: c.stride[i] };
        part = call::view(&op, &part)?;
    }
    crate::copy::copy_(&part, &from)?;
    // (c_in, c_out/g, ...) to (c_out, c_in/g, ...), turned around.
    let k = &w.sizes()[2..];
    let mut apart = Dims::from_slice(&[g, cin / g, w.sizes()[1]]);
    apart.extend_from_slice(k);
    let mut joined = Dims::from_slice(&[w.sizes()[1] * g, cin / g]);
    joined.extend_from_slice(k);
    let turned: Vec<i64> = (2..2 + c.nd as i64).collect();
    let w = reshape(&crate::view::transpose(&reshape(w, &apart)?, 1, 2)?, &joined)?;
    let w = crate::shape::flip(&w, &turned)?;
    let plain = ConvParams { nd: c.nd, stride: [1; 3], padding: [0; 3], dilation: c.dilation, groups: g };
    conv(&spread, &w, bias, &plain, sizes)
}
