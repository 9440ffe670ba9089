//! Convolutions as gathers: which input element meets which weight at each output position.

use flambeau_backend::{ConvParams, Raw};

/// Always three spatial dimensions, the leading ones of size 1.
pub(super) type Dims = [isize; 3];

/// One kernel position: the input at `position * step + off` meets the weight at `w` (elements from the weight's row and channel).
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap {
    pub off: Dims,
    pub w: isize,
}

/// `out[pos] = sum over channels and taps of in[pos * step + off] * w`, zero outside the input.
#[derive(Clone, Debug)]
pub(super) struct Gather {
    pub taps: Vec<Tap>,
    pub step: Dims,
    pub in_size: Dims,
    pub in_stride: Dims,
    pub in_channel: isize,
    /// Output positions, their strides and where the first lies (elements from the channel).
    pub pos: [usize; 3],
    pub out_stride: Dims,
    pub out_base: isize,
}

impl Gather {
    pub fn positions(&self) -> usize {
        self.pos.iter().product()
    }

    /// The stride of the output positions taken as one dimension, if there is one.
    pub fn flat_stride(&self) -> Option<isize> {
        let (mut stride, mut expected) = (None, 0);
        for d in (0..3).rev().filter(|&d| self.pos[d] != 1) {
            if stride.is_some() && self.out_stride[d] != expected {
                return None;
            }
            stride.get_or_insert(self.out_stride[d]);
            expected = self.out_stride[d] * self.pos[d] as isize;
        }
        Some(stride.unwrap_or(1))
    }

    /// The offset of each output position.
    pub fn places(&self) -> Vec<isize> {
        let s = self.out_stride;
        let mut all = Vec::with_capacity(self.positions());
        for d in 0..self.pos[0] as isize {
            for h in 0..self.pos[1] as isize {
                all.extend((0..self.pos[2] as isize).map(|w| d * s[0] + h * s[1] + w * s[2]));
            }
        }
        all
    }
}

/// The spatial part of sizes or strides, in three dimensions.
pub(super) fn spatial(v: &[i64], nd: usize, fill: isize) -> Dims {
    let mut dims = [fill; 3];
    for d in 0..nd {
        dims[3 - nd + d] = v[2 + d] as isize;
    }
    dims
}

fn param(v: &[i64; 3], nd: usize, fill: isize) -> Dims {
    let mut dims = [fill; 3];
    for d in 0..nd {
        dims[3 - nd + d] = v[d] as isize;
    }
    dims
}

/// Stride, padding and dilation in three dimensions.
pub(super) fn params(p: &ConvParams) -> (Dims, Dims, Dims) {
    (param(&p.stride, p.nd, 1), param(&p.padding, p.nd, 0), param(&p.dilation, p.nd, 1))
}

/// The taps of a product of per-dimension lists of (kernel index, offset).
fn taps(lists: &[Vec<(isize, isize)>; 3], w_stride: Dims) -> Vec<Tap> {
    let mut all = Vec::with_capacity(lists.iter().map(Vec::len).product());
    for a in &lists[0] {
        for b in &lists[1] {
            for c in &lists[2] {
                let w = a.0 * w_stride[0] + b.0 * w_stride[1] + c.0 * w_stride[2];
                all.push(Tap { off: [a.1, b.1, c.1], w });
            }
        }
    }
    all
}

/// `conv`: one gather.
pub(super) fn forward(x: &Raw, w: &Raw, out: &Raw, p: &ConvParams) -> Gather {
    let (stride, padding, dilation) = params(p);
    let kernel = spatial(w.sizes, p.nd, 1);
    let lists = [0, 1, 2].map(|d| (0..kernel[d]).map(|k| (k, k * dilation[d] - padding[d])).collect());
    Gather {
        taps: taps(&lists, spatial(w.strides, p.nd, 0)),
        step: stride,
        in_size: spatial(x.sizes, p.nd, 1),
        in_stride: spatial(x.strides, p.nd, 0),
        in_channel: x.strides[1] as isize,
        pos: spatial(out.sizes, p.nd, 1).map(|n| n as usize),
        out_stride: spatial(out.strides, p.nd, 0),
        out_base: 0,
    }
}

/// `conv_input`: one gather per phase of the stride. Position `r + stride*j` of `gx` meets in each dimension the kernel indices with
/// `(r + padding - k*dilation) % stride == 0`, at `g[j + (r + padding - k*dilation) / stride]`.
pub(super) fn backward(g: &Raw, w: &Raw, gx: &Raw, p: &ConvParams) -> Vec<Gather> {
    let (stride, padding, dilation) = params(p);
    let kernel = spatial(w.sizes, p.nd, 1);
    let size = spatial(gx.sizes, p.nd, 1);
    let out_stride = spatial(gx.strides, p.nd, 0);
    let mut all = vec![];
    for phase in 0..stride.iter().product::<isize>() {
        let r = [phase / (stride[1] * stride[2]), phase / stride[2] % stride[1], phase % stride[2]];
        let pos = [0, 1, 2].map(|d| ((size[d] - r[d]).max(0) as usize).div_ceil(stride[d] as usize));
        let lists = [0, 1, 2].map(|d| {
            let at = |k: isize| r[d] + padding[d] - k * dilation[d];
            (0..kernel[d]).filter(|&k| at(k) % stride[d] == 0).map(|k| (k, at(k) / stride[d])).collect()
        });
        if pos.contains(&0) {
            continue;
        }
        all.push(Gather {
            taps: taps(&lists, spatial(w.strides, p.nd, 0)),
            step: [1; 3],
            in_size: spatial(g.sizes, p.nd, 1),
            in_stride: spatial(g.strides, p.nd, 0),
            in_channel: g.strides[1] as isize,
            pos,
            out_stride: [0, 1, 2].map(|d| out_stride[d] * stride[d]),
            out_base: (0..3).map(|d| out_stride[d] * r[d]).sum(),
        });
    }
    all
}

/// The part `lo..hi` of `0..len` where `start + i*step` lies in `0..size`.
#[inline(always)]
pub(super) fn inside(start: isize, step: isize, len: usize, size: isize) -> (usize, usize) {
    let lo = if start < 0 { (-start + step - 1) / step } else { 0 };
    let hi = if start < size { (size - start + step - 1) / step } else { 0 };
    let hi = (hi as usize).min(len);
    ((lo as usize).min(hi), hi)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_is_the_definition() {
        for start in -5..6 {
            for step in 1..4 {
                for size in 0..6 {
                    let want: Vec<usize> =
                        (0..5).filter(|&i| (0..size).contains(&(start + i as isize * step))).collect();
                    let (lo, hi) = inside(start, step, 5, size);
                    assert_eq!((lo..hi).collect::<Vec<_>>(), want, "{start} {step} {size}");
                }
            }
        }
    }
}
