//! The input copied once with its padding, so that every window is a plain run of memory: nothing is packed and no bound is checked.
//!
//! With a stride the copy is cut into phases, one per remainder of the position by the stride; each tap then reads one phase at unit step.
//! Output positions are numbered by the copy's rows, a little longer than the output's: what is computed in between is dropped.

use super::geometry::{Dims, Gather, inside};
use crate::gemm::engine::{Panels, Sink};
use crate::gemm::matrix::Output;
use crate::gemm::micro::{Micro, Unit};
use crate::gemm::number::Element;

/// Where things lie in the copy.
pub(super) struct Padded {
    /// The remainders in use, and the input position of element zero of each phase.
    starts: Vec<Dims>,
    /// Sizes of one phase of one channel.
    size: [usize; 3],
    plane: usize,
    /// Of each (channel, tap).
    pub offsets: Vec<isize>,
    /// Output positions in the copy's numbering.
    pub count: usize,
    channels: usize,
}

impl Padded {
    pub fn new(g: &Gather, channels: usize) -> Padded {
        let least = [0, 1, 2].map(|d| g.taps.iter().map(|t| t.off[d]).min().unwrap_or(0));
        // Each tap as a phase and a shift inside it.
        let split = |off: Dims| {
            let phase = [0, 1, 2].map(|d| (off[d] - least[d]) % g.step[d]);
            (phase, [0, 1, 2].map(|d| (off[d] - least[d]) / g.step[d]))
        };
        let mut size = g.pos;
        let mut phases: Vec<Dims> = vec![];
        for t in &g.taps {
            let (phase, shift) = split(t.off);
            if !phases.contains(&phase) {
                phases.push(phase);
            }
            for d in 0..3 {
                size[d] = size[d].max(g.pos[d] + shift[d] as usize);
            }
        }
        let plane: usize = size.iter().product();
        let one: Vec<isize> = g
            .taps
            .iter()
            .map(|t| {
                let (phase, shift) = split(t.off);
                let index = phases.iter().position(|p| *p == phase).unwrap_or(0) as isize;
                ((index * size[0] as isize + shift[0]) * size[1] as isize + shift[1]) * size[2] as isize + shift[2]
            })
            .collect();
        let block = (phases.len() * plane) as isize;
        let offsets = (0..channels as isize).flat_map(|c| one.iter().map(move |o| c * block + o)).collect();
        let count = ((g.pos[0] - 1) * size[1] + g.pos[1] - 1) * size[2] + g.pos[2];
        let starts = phases.iter().map(|p| [0, 1, 2].map(|d| p[d] + least[d])).collect();
        Padded { starts, size, plane, offsets, count, channels }
    }

    /// Units of the copy, with room behind for reading whole vectors.
    pub fn len(&self) -> usize {
        self.channels * self.starts.len() * self.plane + 64
    }

    /// Makes the copy of the channels at `x`.
    ///
    /// # Safety
    /// `x` has the geometry's input, `dst` room for `len` units.
    #[inline(always)]
    pub unsafe fn fill<E: Element, K: Unit<E>>(&self, g: &Gather, x: *const E, dst: *mut K::Unit) {
        let row = self.size[2];
        let stride = g.in_stride[2] * g.step[2];
        let mut to = dst;
        for c in 0..self.channels as isize {
            for start in &self.starts {
                for d in 0..self.size[0] as isize {
                    for h in 0..self.size[1] as isize {
                        let at = [start[0] + d * g.step[0], start[1] + h * g.step[1]];
                        let outside = at[0] < 0 || at[0] >= g.in_size[0] || at[1] < 0 || at[1] >= g.in_size[1];
                        let (lo, hi) = if outside { (0, 0) } else { inside(start[2], g.step[2], row, g.in_size[2]) };
                        let from = x.wrapping_offset(
                            c * g.in_channel
                                + at[0] * g.in_stride[0]
                                + at[1] * g.in_stride[1]
                                + start[2] * g.in_stride[2],
                        );
                        // SAFETY: `lo..hi` lies inside the input.
                        unsafe {
                            for i in 0..lo {
                                *to.add(i) = K::Unit::default();
                            }
                            if stride == 1 {
                                for i in lo..hi {
                                    *to.add(i) = K::unit(|_| *from.add(i));
                                }
                            } else {
                                for i in lo..hi {
                                    *to.add(i) = K::unit(|_| *from.offset(i as isize * stride));
                                }
                            }
                            for i in hi..row {
                                *to.add(i) = K::Unit::default();
                            }
                            to = to.add(row);
                        }
                    }
                }
            }
        }
        for i in 0..64 {
            // SAFETY: the room behind.
            unsafe { *to.add(i) = K::Unit::default() };
        }
    }

    /// The gradient's rows in the copy's numbering, zeros in between: `[rows][count]`.
    ///
    /// # Safety
    /// `x` has `rows` rows at `row` elements with the geometry's outputs, `dst` room for `rows * count`.
    #[inline(always)]
    pub unsafe fn spread<E: Element, K: Unit<E>>(
        &self,
        g: &Gather,
        x: *const E,
        row: isize,
        rows: usize,
        dst: *mut K::Unit,
    ) {
        let s = g.out_stride;
        for r in 0..rows {
            let (from, to) = (x.wrapping_offset(r as isize * row), dst.wrapping_add(r * self.count));
            let mut done = 0;
            for d in 0..g.pos[0] {
                for h in 0..g.pos[1] {
                    let start = (d * self.size[1] + h) * self.size[2];
                    let from = from.wrapping_offset(d as isize * s[0] + h as isize * s[1]);
                    // SAFETY: the positions exist in both.
                    unsafe {
                        for i in done..start {
                            *to.add(i) = K::Unit::default();
                        }
                        if s[2] == 1 {
                            for i in 0..g.pos[2] {
                                *to.add(start + i) = K::unit(|_| *from.add(i));
                            }
                        } else {
                            for i in 0..g.pos[2] {
                                *to.add(start + i) = K::unit(|_| *from.offset(i as isize * s[2]));
                            }
                        }
                    }
                    done = start + g.pos[2];
                }
            }
        }
    }

    /// How much more is computed than needed.
    pub fn waste(&self, g: &Gather) -> f64 {
        self.count as f64 / g.positions() as f64
    }

    /// Whether the input is already laid out like the copy: a kernel of one element without padding or stride.
    pub fn is_input(&self, g: &Gather) -> bool {
        let s = g.in_stride;
        let dense = s[2] == 1
            && (g.pos[1] == 1 || s[1] == g.in_size[2])
            && (g.pos[0] == 1 || s[0] == g.in_size[1] * g.in_size[2]);
        dense
            && g.taps.len() == 1
            && g.step == [1; 3]
            && g.taps[0].off == [0; 3]
            && g.in_size == g.pos.map(|n| n as isize)
    }
}

/// Windows read from a copy (or from an input that needs none) in place.
pub(super) struct InPlace<'a, U> {
    pub base: *const U,
    pub offsets: &'a [isize],
    /// Columns that may be read.
    pub readable: usize,
}

// SAFETY: read only.
unsafe impl<U: Sync> Sync for InPlace<'_, U> {}

impl<K: Micro> Panels<K> for InPlace<'_, K::Unit> {
    #[inline(always)]
    unsafe fn pack(&self, k0: usize, kc: usize, j0: usize, lines: usize, width: usize, dst: *mut K::Unit) {
        for p in 0..kc {
            for j in 0..width {
                // SAFETY: the caller names existing lines and steps.
                unsafe {
                    *dst.add(p * width + j) = match j < lines {
                        true => *self.base.offset(self.offsets[k0 + p] + (j0 + j) as isize),
                        false => K::Unit::default(),
                    };
                }
            }
        }
    }

    #[inline(always)]
    fn view(&self, k0: usize, kc: usize, j0: usize, width: usize) -> Option<(*const K::Unit, &[isize])> {
        (j0 + width <= self.readable).then(|| (self.base.wrapping_add(j0), &self.offsets[k0..k0 + kc]))
    }
}

/// The output seen with the copy's numbering of positions.
pub(super) struct Unpadded<'a, E: Element> {
    pub to: Output<E>,
    pub g: &'a Gather,
    pub layout: &'a Padded,
}

// SAFETY: the engine gives each part to one thread.
unsafe impl<E: Element> Sync for Unpadded<'_, E> {}

impl<E: Element> Sink<E::Acc> for Unpadded<'_, E> {
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
        let (pos, size, s) = (self.g.pos, self.layout.size, self.g.out_stride);
        let mut j = j0;
        while j < j0 + cols {
            let (line, w) = (j / size[2], j % size[2]);
            let next = (line + 1) * size[2];
            let (d, h) = (line / size[1], line % size[1]);
            let end = (next - size[2] + pos[2]).min(j0 + cols);
            if w < pos[2] && h < pos[1] && d < pos[0] {
                let place = d as isize * s[0] + h as isize * s[1] + w as isize * s[2];
                let out = Output { ptr: self.to.ptr.wrapping_offset(place), col: s[2], ..self.to };
                // SAFETY: the run lies inside the output.
                unsafe { out.store(i0, rows, 0, end - j, acc.add(j - j0), stride, first) };
            }
            j = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::geometry::Tap;
    use super::*;
    use crate::gemm::micro::Plain;

    #[test]
    fn the_copy_holds_every_window() {
        let taps = (0..3).flat_map(|a| (0..2).map(move |b| Tap { off: [0, 2 * a - 1, 3 * b - 2], w: 0 })).collect();
        let (h, w) = (7, 9);
        let g = Gather {
            taps,
            step: [1, 2, 3],
            in_size: [1, h, w],
            in_stride: [0, w, 1],
            in_channel: h * w,
            pos: [1, 3, 3],
            out_stride: [0, 3, 1],
            out_base: 0,
        };
        let x: Vec<f32> = (1..=2 * h * w).map(|i| i as f32).collect();
        let p = Padded::new(&g, 2);
        let mut copy = vec![f32::NAN; p.len()];
        // SAFETY: both are large enough.
        unsafe { p.fill::<f32, Plain<f32>>(&g, x.as_ptr(), copy.as_mut_ptr()) };
        for c in 0..2 {
            for (t, tap) in g.taps.iter().enumerate() {
                for i in 0..3 {
                    for j in 0..3 {
                        let at = [i * 2 + tap.off[1], j * 3 + tap.off[2]];
                        let inside = at[0] >= 0 && at[0] < h && at[1] >= 0 && at[1] < w;
                        let want = if inside { x[(c * h * w + at[0] * w + at[1]) as usize] } else { 0.0 };
                        let place = p.offsets[c as usize * 6 + t] + i * p.size[2] as isize + j;
                        assert_eq!(copy[place as usize], want, "{c} {t} {i} {j}");
                    }
                }
            }
        }
    }
}
