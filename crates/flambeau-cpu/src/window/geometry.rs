//! Where windows lie: one description for pools of one to three dimensions, sliding or adaptive.

use crate::number::{Acc, Number};
use flambeau_backend::{PoolParams, Raw};
use flambeau_backend::{Result, check};

/// A `[n, c, ...]` operand with its spatial dimensions filled up to three (size 1 in front).
#[derive(Clone, Copy)]
pub(super) struct Volume {
    pub ptr: *mut u8,
    pub planes: usize,
    channels: usize,
    batch_strides: [isize; 2],
    /// Depth, height, width.
    pub dims: [usize; 3],
    pub strides: [isize; 3],
}

// SAFETY: only names memory; threads work on different planes.
unsafe impl Send for Volume {}
// SAFETY: as above.
unsafe impl Sync for Volume {}

impl Volume {
    pub fn new(x: Raw, nd: usize) -> Result<Volume> {
        check!((1..=3).contains(&nd), Runtime, "pooling is defined for 1 to 3 dimensions, got {nd}");
        check!(x.ndim() == nd + 2, Runtime, "expected {} dimensions for a {nd}-d window, got {}", nd + 2, x.ndim());
        let mut v = Volume {
            ptr: x.ptr,
            planes: (x.sizes[0] * x.sizes[1]) as usize,
            channels: x.sizes[1] as usize,
            batch_strides: [x.strides[0] as isize, x.strides[1] as isize],
            dims: [1; 3],
            strides: [0; 3],
        };
        for d in 0..nd {
            v.dims[3 - nd + d] = x.sizes[2 + d] as usize;
            v.strides[3 - nd + d] = x.strides[2 + d] as isize;
        }
        Ok(v)
    }

    /// Elements of a plane.
    pub fn volume(&self) -> usize {
        self.dims.iter().product()
    }

    /// Offset of plane `p`, in elements.
    #[inline]
    pub fn plane(&self, p: usize) -> isize {
        (p / self.channels) as isize * self.batch_strides[0] + (p % self.channels) as isize * self.batch_strides[1]
    }

    /// Offset inside a plane of row `r`, counted over depth and height.
    #[inline]
    pub fn row(&self, r: usize) -> isize {
        let (d, h) = (r / self.dims[1], r % self.dims[1]);
        d as isize * self.strides[0] + h as isize * self.strides[1]
    }

    /// Rows of a plane.
    pub fn rows(&self) -> usize {
        self.dims[0] * self.dims[1]
    }

    /// Whether each plane is row-major without gaps.
    pub fn dense(&self) -> bool {
        let mut expected = 1;
        for d in (0..3).rev() {
            if self.dims[d] != 1 && self.strides[d] != expected {
                return false;
            }
            expected *= self.dims[d] as isize;
        }
        true
    }

    /// Planes that a thread takes at least, so that it has about 32k elements to read.
    pub fn grain(&self) -> usize {
        (32768 / self.volume().max(1)).max(1)
    }

    /// The plane's values as accumulators: the memory itself where that is possible, else converted into `buffer`.
    ///
    /// # Safety
    /// The volume names live memory of `T`, not written meanwhile, and `p < planes`.
    pub unsafe fn read<'a, T: Number>(&self, p: usize, buffer: &'a mut Vec<T::Acc>) -> &'a [T::Acc] {
        // SAFETY: the plane is inside the caller's memory.
        let base = unsafe { self.ptr.cast::<T>().offset(self.plane(p)) };
        if T::SAME && self.dense() {
            // SAFETY: `SAME` means that `T` is `Acc`; the plane has `volume` elements in a row.
            return unsafe { std::slice::from_raw_parts(base.cast(), self.volume()) };
        }
        buffer.clear();
        for r in 0..self.rows() {
            // SAFETY: rows are inside the plane.
            unsafe {
                let row = base.offset(self.row(r));
                buffer.extend((0..self.dims[2] as isize).map(|w| (*row.offset(w * self.strides[2])).widen()));
            }
        }
        buffer
    }

    /// Makes a plane of sums: `f` gets it zeroed and row-major, in place where that is possible, else in `buffer`.
    ///
    /// # Safety
    /// The volume names live memory of `T`; `p < planes`; nobody else touches the plane.
    pub unsafe fn sum<T: Number>(&self, p: usize, buffer: &mut Vec<T::Acc>, f: impl FnOnce(&mut [T::Acc])) {
        if T::SAME && self.dense() {
            // SAFETY: `SAME` means that `T` is `Acc`; the plane has `volume` elements in a row and is this call's alone.
            let plane = unsafe {
                let base = self.ptr.cast::<T>().offset(self.plane(p));
                std::slice::from_raw_parts_mut(base.cast::<T::Acc>(), self.volume())
            };
            plane.fill(T::Acc::ZERO);
            return f(plane);
        }
        buffer.clear();
        buffer.resize(self.volume(), T::Acc::ZERO);
        f(buffer);
        for (r, row) in buffer.chunks_exact(self.dims[2].max(1)).enumerate() {
            // SAFETY: the caller's promise.
            unsafe { self.write_row::<T>(p, r, row) };
        }
    }

    /// Stores row `r` of plane `p`.
    ///
    /// # Safety
    /// As [`sum`](Self::sum), with `r < rows` and a full row of values.
    #[inline]
    pub unsafe fn write_row<T: Number>(&self, p: usize, r: usize, values: &[T::Acc]) {
        debug_assert_eq!(values.len(), self.dims[2]);
        // SAFETY: inside the plane.
        unsafe {
            let row = self.ptr.cast::<T>().offset(self.plane(p) + self.row(r));
            if self.strides[2] == 1 {
                for (w, &v) in values.iter().enumerate() {
                    *row.add(w) = T::narrow(v);
                }
            } else {
                for (w, &v) in values.iter().enumerate() {
                    *row.offset(w as isize * self.strides[2]) = T::narrow(v);
                }
            }
        }
    }
}

/// The input positions `lo, lo + step, .. < hi` of one window in one dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub lo: usize,
    pub hi: usize,
    pub step: usize,
    /// What this dimension contributes to an average's divisor.
    pub extent: i64,
}

/// A sliding window: output `o`'s tap `k` reads `o*stride + k*dilation - padding`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slide {
    pub kernel: usize,
    pub stride: usize,
    pub padding: i64,
    pub dilation: i64,
}

impl Slide {
    pub fn new(p: &PoolParams, d: usize) -> Slide {
        Slide {
            kernel: p.kernel[d].max(0) as usize,
            stride: p.stride[d].max(1) as usize,
            padding: p.padding[d],
            dilation: p.dilation[d].max(1),
        }
    }

    /// The taps that lie inside an input of size `n` for any output: a kernel may be far wider than what it slides over.
    pub fn taps(&self, n: usize, outputs: usize) -> std::ops::Range<usize> {
        let (step, padding) = (self.dilation as i128, self.padding as i128);
        let farthest = outputs.saturating_sub(1) as i128 * self.stride as i128;
        let end = ((n as i128 - 1 + padding) / step + 1).clamp(0, self.kernel as i128);
        let first = ((padding - farthest).max(0) + step - 1) / step;
        first.min(end) as usize..end as usize
    }

    /// The outputs whose tap `k` lies inside an input of size `n`, and the position of the first one's tap.
    pub fn reach(&self, k: usize, n: usize, outputs: usize) -> (std::ops::Range<usize>, usize) {
        let at = k as i64 * self.dilation - self.padding;
        let s = self.stride as i64;
        let first = if at >= 0 { 0 } else { (-at + s - 1) / s };
        let end = if at >= n as i64 { 0 } else { (n as i64 - 1 - at) / s + 1 };
        let end = end.clamp(0, outputs as i64);
        if first >= end { (0..0, 0) } else { (first as usize..end as usize, (first * s + at) as usize) }
    }
}

/// The windows along one dimension.
pub(super) struct Axis {
    pub spans: Vec<Span>,
    pub slide: Option<Slide>,
}

impl Axis {
    fn sliding(s: Slide, n_in: usize, n_out: usize, include_pad: bool) -> Axis {
        let n = n_in as i64;
        let spans = (0..n_out as i64).map(|o| {
            let start = o * s.stride as i64 - s.padding;
            let end = start + (s.kernel as i64 - 1) * s.dilation + 1;
            let padded_end = end.min(n + s.padding);
            let lo = if start < 0 { start + (-start + s.dilation - 1) / s.dilation * s.dilation } else { start };
            let hi = end.min(n).max(0);
            let extent = if include_pad { padded_end - start } else { (hi - lo).max(0) };
            Span { lo: lo.min(n) as usize, hi: hi as usize, step: s.dilation as usize, extent }
        });
        Axis { spans: spans.collect(), slide: Some(s) }
    }

    fn adaptive(n_in: usize, n_out: usize) -> Axis {
        let spans = (0..n_out).map(|o| {
            let (lo, hi) = (o * n_in / n_out, ((o + 1) * n_in).div_ceil(n_out));
            Span { lo, hi, step: 1, extent: (hi - lo) as i64 }
        });
        Axis { spans: spans.collect(), slide: None }
    }

    pub fn of_pool(p: &PoolParams, n_in: [usize; 3], n_out: [usize; 3]) -> [Axis; 3] {
        let first = 3 - p.nd;
        std::array::from_fn(|d| {
            if d < first {
                Axis::adaptive(1, 1)
            } else {
                Axis::sliding(Slide::new(p, d - first), n_in[d], n_out[d], p.count_include_pad)
            }
        })
    }

    pub fn of_adaptive(n_in: [usize; 3], n_out: [usize; 3]) -> [Axis; 3] {
        std::array::from_fn(|d| Axis::adaptive(n_in[d], n_out[d]))
    }
}

/// Calls `f(first_row)` for each input row that the output row's windows touch, in row-major order.
#[inline(always)]
pub(super) fn for_rows(depth: Span, height: Span, heights: usize, mut f: impl FnMut(usize)) {
    let mut d = depth.lo;
    while d < depth.hi {
        let mut h = height.lo;
        while h < height.hi {
            f(d * heights + h);
            h += height.step;
        }
        d += depth.step;
    }
}

/// Two operands must agree in batch and channels, else their planes do not correspond.
pub(super) fn same_planes(a: Raw, b: Raw) -> Result<()> {
    check!(a.sizes[..2] == b.sizes[..2], Runtime, "window operands differ in batch or channels");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Slide;

    #[test]
    fn no_tap_inside_is_left_out() {
        for (kernel, stride, padding, dilation) in
            [(3, 1, 1, 1), (5, 2, 2, 3), (1, 4, 0, 1), (9, 3, 4, 2), (40, 1, 20, 1)]
        {
            let slide = Slide { kernel, stride, padding, dilation };
            for n in 1..12 {
                for outputs in 1..6 {
                    let inside = |k: &usize| !slide.reach(*k, n, outputs).0.is_empty();
                    let taps = slide.taps(n, outputs);
                    assert!((0..kernel).filter(inside).all(|k| taps.contains(&k)), "{slide:?} {n} {outputs} {taps:?}");
                }
            }
        }
    }

    #[test]
    fn kernels_beyond_reason_have_few_taps() {
        let slide = Slide { kernel: 1 << 60, stride: 1 << 60, padding: 1 << 59, dilation: 1 };
        assert_eq!(slide.taps(7, 1), (1 << 59)..(1 << 59) + 7);
    }
}
