//! Windows of the input and weights as operands of the engine.

use super::geometry::{Gather, Tap, inside};
use crate::gemm::engine::{Panels, Sink};
use crate::gemm::matrix::{Output, zero_lines};
use crate::gemm::micro::Unit;
use crate::gemm::number::Element;

/// The input's windows: step `c * taps + t`, line = output position (or the other way round, see [`Columns`]).
#[derive(Clone, Copy)]
pub(super) struct Windows<'a, E> {
    pub x: *const E,
    pub g: &'a Gather,
}

// SAFETY: read only.
unsafe impl<E: Sync> Sync for Windows<'_, E> {}

/// A run of positions along the last dimension.
#[derive(Clone, Copy, Default)]
struct Run {
    from: usize,
    len: usize,
    at: [isize; 3],
}

/// The runs of positions `j0..j0 + count`; each gets its start in `from`.
fn runs(pos: [usize; 3], j0: usize, count: usize, mut f: impl FnMut(Run)) {
    let mut j = j0;
    while j < j0 + count {
        let (row, w) = (j / pos[2], j % pos[2]);
        let len = (pos[2] - w).min(j0 + count - j);
        f(Run { from: j - j0, len, at: [(row / pos[1]) as isize, (row % pos[1]) as isize, w as isize] });
        j += len;
    }
}

impl<E: Element> Windows<'_, E> {
    /// Calls `put(i, pointer, stride, lo, hi)` for a run: its elements `lo..hi` are at `pointer + i * stride`, the rest is padding.
    #[inline(always)]
    unsafe fn run(&self, run: &Run, c: isize, tap: &Tap) -> (*const E, isize, usize, usize) {
        let g = self.g;
        let at = [0, 1, 2].map(|d| run.at[d] * g.step[d] + tap.off[d]);
        let stride = g.in_stride[2] * g.step[2];
        if at[0] < 0 || at[0] >= g.in_size[0] || at[1] < 0 || at[1] >= g.in_size[1] {
            return (self.x, stride, 0, 0);
        }
        let (lo, hi) = inside(at[2], g.step[2], run.len, g.in_size[2]);
        let at = c * g.in_channel + at[0] * g.in_stride[0] + at[1] * g.in_stride[1] + at[2] * g.in_stride[2];
        (self.x.wrapping_offset(at), stride, lo, hi)
    }
}

impl<E: Element, K: Unit<E>> Panels<K> for Windows<'_, E> {
    #[inline(always)]
    unsafe fn pack(&self, k0: usize, kc: usize, j0: usize, lines: usize, width: usize, dst: *mut K::Unit) {
        let taps = self.g.taps.len();
        let mut list = [Run::default(); 64];
        let mut count = 0;
        runs(self.g.pos, j0, lines, |r| {
            list[count] = r;
            count += 1;
        });
        let mut rows = [[E::default(); 64]; 2];
        for k in 0..kc {
            let (c, t) = (((k0 + k) / taps) as isize, (k0 + k) % taps);
            let row = &mut rows[k % K::KU];
            // SAFETY: `run` gives positions inside the input; the panel holds the rows.
            unsafe {
                for run in &list[..count] {
                    let (src, stride, lo, hi) = self.run(run, c, &self.g.taps[t]);
                    let part = row.get_unchecked_mut(run.from..run.from + run.len);
                    if hi - lo < run.len {
                        part.fill(E::default());
                    }
                    if stride == 1 {
                        for i in lo..hi {
                            *part.get_unchecked_mut(i) = *src.add(i);
                        }
                    } else {
                        for i in lo..hi {
                            *part.get_unchecked_mut(i) = *src.offset(i as isize * stride);
                        }
                    }
                }
                if k % K::KU == K::KU - 1 || k == kc - 1 {
                    let d = dst.add(k / K::KU * width);
                    let known = k % K::KU;
                    for j in 0..lines {
                        *d.add(j) = K::unit(|q| if q <= known { rows[q][j] } else { K::zero() });
                    }
                }
            }
        }
        // SAFETY: the panel.
        unsafe { zero_lines(dst, kc.div_ceil(K::KU), lines, width) };
    }
}

/// The same windows with the roles exchanged: step = output position, line `c * taps + t`; for the weight's gradient.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a, E>(pub Windows<'a, E>);

impl<E: Element, K: Unit<E>> Panels<K> for Columns<'_, E> {
    #[inline(always)]
    unsafe fn pack(&self, k0: usize, kc: usize, j0: usize, lines: usize, width: usize, dst: *mut K::Unit) {
        let taps = self.0.g.taps.len();
        let mut column = [E::default(); 1024];
        debug_assert!(kc <= 1024);
        for j in 0..lines {
            let (c, t) = (((j0 + j) / taps) as isize, (j0 + j) % taps);
            runs(self.0.g.pos, k0, kc, |run| {
                // SAFETY: `run` gives positions inside the input.
                unsafe {
                    let (src, stride, lo, hi) = self.0.run(&run, c, &self.0.g.taps[t]);
                    let part = &mut column[run.from..run.from + run.len];
                    part.fill(E::default());
                    for i in lo..hi {
                        part[i] = *src.offset(i as isize * stride);
                    }
                }
            });
            for u in 0..kc.div_ceil(K::KU) {
                // SAFETY: the panel.
                unsafe {
                    *dst.add(u * width + j) =
                        K::unit(|q| if u * K::KU + q < kc { column[u * K::KU + q] } else { K::zero() });
                }
            }
        }
        // SAFETY: the panel.
        unsafe { zero_lines(dst, kc.div_ceil(K::KU), lines, width) };
    }
}

/// The weights of a gather: line = output channel, step `c * taps + t`.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a, E> {
    pub w: *const E,
    pub row: isize,
    pub channel: isize,
    pub taps: &'a [Tap],
}

// SAFETY: read only.
unsafe impl<E: Sync> Sync for Weights<'_, E> {}

impl<E: Element, K: Unit<E>> Panels<K> for Weights<'_, E> {
    #[inline(always)]
    unsafe fn pack(&self, k0: usize, kc: usize, j0: usize, lines: usize, width: usize, dst: *mut K::Unit) {
        let n = self.taps.len();
        for u in 0..kc.div_ceil(K::KU) {
            // A unit's steps, as offsets.
            let mut at = [None; 2];
            for q in 0..K::KU.min(kc - u * K::KU) {
                let k = k0 + u * K::KU + q;
                at[q] = Some((k / n) as isize * self.channel + self.taps[k % n].w);
            }
            for j in 0..lines {
                // SAFETY: the weights have these rows, channels and taps.
                unsafe {
                    let row = self.w.offset((j0 + j) as isize * self.row);
                    *dst.add(u * width + j) = K::unit(|q| match at[q] {
                        Some(a) => *row.offset(a),
                        None => K::zero(),
                    });
                }
            }
        }
        // SAFETY: the panel.
        unsafe { zero_lines(dst, kc.div_ceil(K::KU), lines, width) };
    }
}

/// The other operand of the weight's gradient: line = output channel, step = output position.
#[derive(Clone, Copy)]
pub(super) struct Positions<'a, E> {
    pub g: *const E,
    pub row: isize,
    pub places: &'a [isize],
}

// SAFETY: read only.
unsafe impl<E: Sync> Sync for Positions<'_, E> {}

impl<E: Element, K: Unit<E>> Panels<K> for Positions<'_, E> {
    #[inline(always)]
    unsafe fn pack(&self, k0: usize, kc: usize, j0: usize, lines: usize, width: usize, dst: *mut K::Unit) {
        for j in 0..lines {
            let row = self.g.wrapping_offset((j0 + j) as isize * self.row);
            for u in 0..kc.div_ceil(K::KU) {
                // SAFETY: the places exist in each row.
                unsafe {
                    *dst.add(u * width + j) = K::unit(|q| {
                        let k = u * K::KU + q;
                        if k < kc { *row.offset(self.places[k0 + k]) } else { K::zero() }
                    });
                }
            }
        }
        // SAFETY: the panel.
        unsafe { zero_lines(dst, kc.div_ceil(K::KU), lines, width) };
    }
}

/// An output whose columns lie at `places`.
#[derive(Clone, Copy)]
pub(super) struct Scattered<'a, E: Element> {
    pub to: Output<E>,
    pub places: &'a [isize],
}

impl<E: Element> Sink<E::Acc> for Scattered<'_, E> {
    const ADDS: bool = <Output<E> as Sink<E::Acc>>::ADDS;

    #[inline(always)]
    unsafe fn store(
        &self,
        i0: usize,
        rows: usize,
        j0: usize,
        cols: usize,
        acc: *const E::Acc,
        stride: usize,
        first: bool,
    ) {
        for i in 0..rows {
            for j in 0..cols {
                // SAFETY: the tile lies inside the output.
                unsafe { self.to.place(i0 + i, self.places[j0 + j], *acc.add(i * stride + j), first) };
            }
        }
    }
}
