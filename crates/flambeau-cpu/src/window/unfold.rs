//! Sliding blocks as columns, and columns summed back.

use super::geometry::{Slide, Volume};
use crate::number::{Acc, Number, with_number, with_size};
use crate::parallel::par_range;
use flambeau_backend::{PoolParams, Raw};
use flambeau_backend::{Result, check};

/// The blocks of one operation: `taps` kernel positions, `blocks` places.
struct Blocks {
    image: Volume,
    slides: [Slide; 3],
    counts: [usize; 3],
    taps: usize,
    channels: usize,
    columns: *mut u8,
    /// Batch, row (channel and tap), block; in elements.
    strides: [isize; 3],
}

// SAFETY: only names memory; threads work on different planes.
unsafe impl Sync for Blocks {}

impl Blocks {
    fn new(name: &str, image: Raw, columns: Raw, p: &PoolParams) -> Result<Blocks> {
        let v = Volume::new(image, p.nd)?;
        check!(image.dtype == columns.dtype, Runtime, "{name}: the output's dtype differs from the input's");
        check!(columns.ndim() == 3, Runtime, "{name}: expected columns of 3 dimensions, got {}", columns.ndim());
        let first = 3 - p.nd;
        let one = Slide { kernel: 1, stride: 1, padding: 0, dilation: 1 };
        let slides: [Slide; 3] = std::array::from_fn(|d| if d < first { one } else { Slide::new(p, d - first) });
        let counts: [usize; 3] = std::array::from_fn(|d| {
            let s = slides[d];
            let room = v.dims[d] as i64 + 2 * s.padding - s.dilation * (s.kernel as i64 - 1) - 1;
            if room < 0 { 0 } else { room as usize / s.stride + 1 }
        });
        let taps = slides.iter().map(|s| s.kernel).product::<usize>();
        let want = [image.sizes[0], image.sizes[1] * taps as i64, counts.iter().product::<usize>() as i64];
        check!(
            columns.sizes == want,
            Runtime,
            "{name}: expected columns of size {want:?} for this image, got {:?}",
            columns.sizes
        );
        Ok(Blocks {
            image: v,
            slides,
            counts,
            taps,
            channels: image.sizes[1] as usize,
            columns: columns.ptr,
            strides: std::array::from_fn(|d| columns.strides[d] as isize),
        })
    }

    /// For plane `p`, calls `f(column offset, image offset, n, image step)` for each run of blocks along a row whose tap is
    /// inside the image, and `outside(column offset, n)` for those whose tap is in the padding.
    #[inline(always)]
    fn for_runs(
        &self,
        p: usize,
        mut inside: impl FnMut(isize, isize, usize, isize),
        mut outside: impl FnMut(isize, usize),
    ) {
        let (n, c) = (p / self.channels, p % self.channels);
        let image = self.image.plane(p);
        let [kd, kh, kw] = self.slides.map(|s| s.kernel);
        let [od, oh, ow] = self.counts;
        let [_, sr, sb] = self.strides;
        for tap in 0..self.taps {
            let at = [tap / (kh * kw) % kd, tap / kw % kh, tap % kw];
            let row = n as isize * self.strides[0] + (c * self.taps + tap) as isize * sr;
            let (range, from) = self.slides[2].reach(at[2], self.image.dims[2], ow);
            for outer in 0..od * oh {
                let o = [outer / oh, outer % oh];
                let place = row + (outer * ow) as isize * sb;
                let mut offset = image + from as isize * self.image.strides[2];
                let mut visible = !range.is_empty();
                for d in 0..2 {
                    let s = self.slides[d];
                    let x = (o[d] * s.stride) as i64 + at[d] as i64 * s.dilation - s.padding;
                    visible &= (0..self.image.dims[d] as i64).contains(&x);
                    offset += x as isize * self.image.strides[d];
                }
                if visible {
                    outside(place, range.start);
                    let step = self.slides[2].stride as isize * self.image.strides[2];
                    inside(place + range.start as isize * sb, offset, range.len(), step);
                    outside(place + range.end as isize * sb, ow - range.end);
                } else {
                    outside(place, ow);
                }
            }
        }
    }

    fn grain(&self) -> usize {
        (16384 / (self.taps * self.counts.iter().product::<usize>()).max(1)).max(1)
    }
}

pub(super) fn im2col(x: Raw, out: Raw, p: &PoolParams) -> Result<()> {
    let b = Blocks::new("im2col", x, out, p)?;
    let sb = b.strides[2];
    with_size!(x.dtype, T => par_range(b.image.planes, b.grain(), |planes| {
        let b = &b;
        let (from, to) = (b.image.ptr.cast::<T>(), b.columns.cast::<T>());
        let zero = T::default();
        for p in planes {
            b.for_runs(
                p,
                |place, at, n, step| {
                    // SAFETY: the run lies inside the image and the columns.
                    unsafe {
                        if step == 1 && sb == 1 {
                            std::ptr::copy_nonoverlapping(
                                from.offset(at).cast::<u8>(),
                                to.offset(place).cast::<u8>(),
                                n * size_of::<T>(),
                            );
                        } else {
                            for i in 0..n as isize {
                                let v = from.offset(at + i * step).read_unaligned();
                                to.offset(place + i * sb).write_unaligned(v);
                            }
                        }
                    }
                },
                |place, n| {
                    for i in 0..n as isize {
                        // SAFETY: inside the columns.
                        unsafe { to.offset(place + i * sb).write_unaligned(zero) };
                    }
                },
            );
        }
    }));
    Ok(())
}

pub(super) fn col2im(columns: Raw, out: Raw, p: &PoolParams) -> Result<()> {
    let b = Blocks::new("col2im", out, columns, p)?;
    let sb = b.strides[2];
    // The sum is made in a gapless plane.
    let mut flat = b.image;
    flat.strides = [(flat.dims[1] * flat.dims[2]) as isize, flat.dims[2] as isize, 1];
    with_number!(out.dtype, "col2im", T => {
        par_range(b.image.planes, b.grain(), |planes| {
            let b = &b;
            let from = b.columns.cast::<T>();
            let mut plane = Vec::new();
            let sums = Blocks { image: flat, ..*b };
            for p in planes {
                let base = flat.plane(p);
                let make = |plane: &mut [<T as Number>::Acc]| {
                    sums.for_runs(
                        p,
                        |place, at, n, step| {
                            let at = (at - base) as usize;
                            let run = plane[at..].iter_mut().step_by(step as usize).take(n);
                            for (i, slot) in run.enumerate() {
                                // SAFETY: inside the columns.
                                *slot = slot.plus(unsafe { *from.offset(place + i as isize * sb) }.widen());
                            }
                        },
                        |_, _| {},
                    );
                };
                // SAFETY: each plane is one thread's.
                unsafe { b.image.sum::<T>(p, &mut plane, make) };
            }
        });
        Ok(())
    })
}
