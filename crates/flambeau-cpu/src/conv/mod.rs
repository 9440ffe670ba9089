//! Convolutions in 1 to 3 dimensions, their gradients, and so the transposed convolution.
//!
//! The forward pass and the gradient for the input are both gathers (`geometry`): a product of the weights with the input's windows.
//! The windows are read in place from a padded copy of the image (`padded`), or packed straight into the engine's panels where that
//! copy would waste work (`windows`). The gradient for the weight is the product of the same windows with the outgoing gradient; for
//! depthwise convolutions it is computed directly (`direct`).

mod complex;
mod direct;
mod geometry;
mod padded;
mod windows;

use std::any::TypeId;

use flambeau_backend::{ConvParams, Raw};
use flambeau_backend::{DType, Error, Result};
use half::{bf16, f16};

use crate::gemm::engine::{self, PAR_FLOPS, PackedA, Sink};
use crate::gemm::matrix::{Bias, Lines, Output, store_nothing};
use crate::gemm::micro::Unit;
use crate::gemm::number::{Element, Number, Visit};
use crate::isa;
use crate::parallel::{num_threads, par_range};
use crate::scratch::Scratch;
use direct::{Plane, PlaneSum, TapArgs, TapSum};
use geometry::Gather;
use padded::{InPlace, Padded, Unpadded};
use windows::{Columns, Positions, Scattered, Weights, Windows};

/// How a result enters the output: `out = alpha * result (+ out)`.
#[derive(Clone, Copy)]
struct Into {
    alpha: f64,
    add: bool,
}

const PLAIN: Into = Into { alpha: 1.0, add: false };

macro_rules! with_float {
    ($dtype:expr, $op:expr, $E:ident => $body:expr) => {
        match $dtype {
            DType::F32 => {
                type $E = f32;
                $body
            }
            DType::F64 => {
                type $E = f64;
                $body
            }
            DType::BF16 => {
                type $E = bf16;
                $body
            }
            DType::F16 => {
                type $E = f16;
                $body
            }
            other => Err(Error::dtype($op, other)),
        }
    };
}

/// See [`Contraction::conv`](flambeau_backend::Contraction::conv).
pub(crate) fn conv(x: Raw, w: Raw, bias: Option<Raw>, out: Raw, p: &ConvParams) -> Result<()> {
    if out.dtype.is_complex() {
        return complex::conv(x, w, bias, out, p);
    }
    forward(x, w, bias, out, p, PLAIN)
}

/// See [`Contraction::conv_input`](flambeau_backend::Contraction::conv_input).
pub(crate) fn conv_input(g: Raw, w: Raw, bias: Option<Raw>, gx: Raw, p: &ConvParams) -> Result<()> {
    if gx.dtype.is_complex() {
        return complex::conv_input(g, w, bias, gx, p);
    }
    backward(g, w, bias, gx, p, PLAIN)
}

/// See [`Contraction::conv_weight`](flambeau_backend::Contraction::conv_weight).
pub(crate) fn conv_weight(g: Raw, x: Raw, gw: Raw, p: &ConvParams) -> Result<()> {
    if gw.dtype.is_complex() {
        return complex::conv_weight(g, x, gw, p);
    }
    weight(g, x, gw, p, PLAIN)
}

fn forward(x: Raw, w: Raw, bias: Option<Raw>, out: Raw, p: &ConvParams, into: Into) -> Result<()> {
    if out.numel() == 0 {
        return Ok(());
    }
    let groups = p.groups as usize;
    let gathers = [geometry::forward(&x, &w, &out, p)];
    with_float!(out.dtype, "conv", E => {
        let rows = w.sizes[0] as usize / groups;
        E::dispatch_wide(Correlation::<E> {
            gathers: &gathers,
            images: x.sizes[0] as usize,
            groups,
            channels: w.sizes[1] as usize,
            rows,
            x: View::of(&x),
            w: w.ptr.cast(),
            w_row: w.strides[0] as isize,
            w_channel: w.strides[1] as isize,
            w_group: w.strides[0] as isize * rows as isize,
            bias: bias.map(|b| (b.ptr as *const E, b.strides[0] as isize)),
            out: View::of(&out),
            into,
        });
        Ok(())
    })
}

fn backward(g: Raw, w: Raw, bias: Option<Raw>, gx: Raw, p: &ConvParams, into: Into) -> Result<()> {
    if gx.numel() == 0 {
        return Ok(());
    }
    let groups = p.groups as usize;
    let gathers = geometry::backward(&g, &w, &gx, p);
    with_float!(gx.dtype, "conv_transpose", E => {
        let channels = w.sizes[0] as usize / groups;
        E::dispatch_wide(Correlation::<E> {
            gathers: &gathers,
            images: gx.sizes[0] as usize,
            groups,
            channels,
            rows: w.sizes[1] as usize,
            x: View::of(&g),
            w: w.ptr.cast(),
            w_row: w.strides[1] as isize,
            w_channel: w.strides[0] as isize,
            w_group: w.strides[0] as isize * channels as isize,
            bias: bias.map(|b| (b.ptr as *const E, b.strides[0] as isize)),
            out: View::of(&gx),
            into,
        });
        Ok(())
    })
}

fn weight(g: Raw, x: Raw, gw: Raw, p: &ConvParams, into: Into) -> Result<()> {
    if gw.numel() == 0 {
        return Ok(());
    }
    let gather = geometry::forward(&x, &gw, &g, p);
    with_float!(gw.dtype, "conv_weight", E => {
        E::dispatch_wide(WeightGradient::<E> {
            gather: &gather,
            images: x.sizes[0] as usize,
            groups: p.groups as usize,
            channels: gw.sizes[1] as usize,
            rows: gw.sizes[0] as usize / p.groups as usize,
            x: View::of(&x),
            g: View::of(&g),
            gw: View::of(&gw),
            into,
        });
        Ok(())
    })
}

/// A tensor's memory with its first two strides.
#[derive(Clone, Copy)]
struct View<E> {
    ptr: *mut E,
    image: isize,
    channel: isize,
}

// SAFETY: threads write disjoint parts.
unsafe impl<E: Sync> Sync for View<E> {}

impl<E> View<E> {
    fn of(r: &Raw) -> View<E> {
        View { ptr: r.ptr.cast(), image: r.strides[0] as isize, channel: r.strides[1] as isize }
    }

    fn at(&self, image: usize, channel: usize) -> *mut E {
        self.ptr.wrapping_offset(image as isize * self.image + channel as isize * self.channel)
    }
}

/// `out[n, group*rows + r] = sum over channels and taps`, for every gather.
struct Correlation<'a, E: Element> {
    gathers: &'a [Gather],
    images: usize,
    groups: usize,
    /// Input channels and output rows of a group.
    channels: usize,
    rows: usize,
    x: View<E>,
    w: *const E,
    w_row: isize,
    w_channel: isize,
    w_group: isize,
    bias: Option<(*const E, isize)>,
    out: View<E>,
    into: Into,
}

// SAFETY: threads write disjoint parts.
unsafe impl<E: Element> Sync for Correlation<'_, E> {}

impl<E: Element> Correlation<'_, E> {
    fn output(&self, image: usize, group: usize, g: &Gather, col: isize) -> Output<E> {
        let first = group * self.rows;
        Output {
            ptr: self.out.at(image, first).wrapping_offset(g.out_base),
            row: self.out.channel,
            col,
            alpha: E::Acc::from_f64(self.into.alpha),
            beta: E::Acc::from_f64(self.into.add as u8 as f64),
            bias: self.bias.map_or(Bias::NONE, |(b, s)| Bias {
                ptr: b.wrapping_offset(first as isize * s),
                row: s,
                col: 0,
            }),
        }
    }

    /// From a padded copy of each image.
    fn in_place<K: Unit<E, Acc = E::Acc>>(&self, g: &Gather, layout: &Padded) {
        let k = self.channels * g.taps.len();
        let weights: Vec<PackedA<K>> =
            (0..self.groups).map(|group| PackedA::new(&self.weights(g, group), self.rows, k)).collect();
        let same = TypeId::of::<E>() == TypeId::of::<K::Unit>();
        let offsets: Vec<isize> = (0..self.channels as isize).map(|c| c * g.in_channel).collect();
        let one = |t: usize, inner: bool| {
            let (image, group) = (t / self.groups, t % self.groups);
            let x = self.x.at(image, group * self.channels).cast_const();
            let sink = Unpadded { to: self.output(image, group, g, 1), g, layout };
            let a = &weights[group];
            let panels = 0..self.rows.div_ceil(K::MR);
            let copy;
            let b = if same && layout.is_input(g) {
                InPlace { base: x.cast::<K::Unit>(), offsets: &offsets, readable: layout.count }
            } else {
                copy = Scratch::<K::Unit>::new(layout.len());
                // SAFETY: the view covers the geometry, the copy its length.
                unsafe { K::enter(|| layout.fill::<E, K>(g, x, copy.ptr())) };
                InPlace { base: copy.ptr().cast_const(), offsets: &layout.offsets, readable: usize::MAX }
            };
            // SAFETY: the copy covers the windows and each position is written by one thread.
            unsafe {
                if inner {
                    engine::product(a, &b, layout.count, &sink);
                } else {
                    engine::block(a, panels, &b, 0..layout.count, &sink);
                }
            }
        };
        let tasks = self.images * self.groups;
        let flops = 2 * self.rows * k * layout.count;
        if tasks >= 2 * num_threads() || flops < PAR_FLOPS {
            par_range(tasks, PAR_FLOPS / flops.max(1) + 1, |r| r.for_each(|t| one(t, false)));
        } else {
            (0..tasks).for_each(|t| one(t, true));
        }
    }

    /// Depthwise: each plane of the output is a sum of shifted copies of one plane of the input.
    fn planes<K: Unit<E, Acc = E::Acc>>(&self, g: &Gather, layout: &Padded) {
        let run = isa::pick::<PlaneSum<E>>();
        let room = layout.count.next_multiple_of(Plane::<E::Acc>::LANES);
        let flops = 2 * g.taps.len() * layout.count;
        par_range(self.images * self.groups, PAR_FLOPS / flops.max(1) + 1, |range| {
            // Room behind the copy for the lanes of the last position.
            let (copy, sums) = (Scratch::<E::Acc>::new(layout.len()), Scratch::<E::Acc>::new(room));
            let mut weights = vec![E::Acc::ZERO; g.taps.len()];
            for t in range {
                let (image, group) = (t / self.groups, t % self.groups);
                let w = self.w.wrapping_offset(group as isize * self.w_group);
                let x = self.x.at(image, group).cast_const();
                let sink = Unpadded { to: self.output(image, group, g, 1), g, layout };
                // SAFETY: the views cover the geometry and the weights the taps; units are accumulators; one thread per plane.
                unsafe {
                    weights.iter_mut().zip(&g.taps).for_each(|(to, t)| *to = (*w.offset(t.w)).widen());
                    K::enter(|| layout.fill::<E, K>(g, x, copy.ptr().cast()));
                    let (x, out) = (copy.ptr().cast_const(), sums.ptr());
                    let plane = Plane { x, offsets: &layout.offsets, weights: &weights, count: layout.count, out };
                    run((&raw const plane).cast());
                    K::enter(|| sink.store(0, 1, 0, layout.count, sums.ptr(), room, true));
                }
            }
        });
    }

    fn weights<'g>(&self, g: &'g Gather, group: usize) -> Weights<'g, E> {
        Weights {
            w: self.w.wrapping_offset(group as isize * self.w_group),
            row: self.w_row,
            channel: self.w_channel,
            taps: &g.taps,
        }
    }

    fn packed<K: Unit<E, Acc = E::Acc>>(&self, g: &Gather) {
        let k = self.channels * g.taps.len();
        let flat = g.flat_stride();
        let places = if flat.is_none() { g.places() } else { vec![] };
        let one = |group: usize| {
            let a = PackedA::<K>::new(&self.weights(g, group), self.rows, k);
            self.images::<K>(g, group, &a, flat, &places);
        };
        if self.groups > 1 {
            let flops = 2 * self.images * g.positions() * k * self.rows;
            return par_range(self.groups, PAR_FLOPS / flops.max(1) + 1, |r| r.for_each(one));
        }
        one(0);
    }

    /// All images of one group.
    fn images<K: Unit<E, Acc = E::Acc>>(
        &self,
        g: &Gather,
        group: usize,
        a: &PackedA<K>,
        flat: Option<isize>,
        places: &[isize],
    ) {
        let n = g.positions();
        // Positions are cut into strips where there are few images.
        let strips = if self.images >= 2 * num_threads() { 1 } else { n.div_ceil(4 * K::NR).min(2 * num_threads()) };
        let strip = n.div_ceil(strips.max(1)).next_multiple_of(K::NR);
        let strips = n.div_ceil(strip);
        let flops = 2 * a.m * a.k * strip;
        par_range(self.images * strips, PAR_FLOPS / flops.max(1) + 1, |r| {
            for t in r {
                let (image, s) = (t / strips, t % strips);
                let cols = s * strip..((s + 1) * strip).min(n);
                let b = Windows { x: self.x.at(image, group * self.channels).cast_const(), g };
                // SAFETY: the views cover the geometry; each strip is written by one thread.
                unsafe {
                    match flat {
                        Some(col) => finish(a, &b, cols, &self.output(image, group, g, col)),
                        None => finish(a, &b, cols, &Scattered { to: self.output(image, group, g, 1), places }),
                    }
                }
            }
        });
    }
}

/// The strip `cols` of the product; a product over nothing still writes.
unsafe fn finish<E: Element, K: Unit<E, Acc = E::Acc>>(
    a: &PackedA<K>,
    b: &Windows<E>,
    cols: std::ops::Range<usize>,
    sink: &impl Sink<K::Acc>,
) {
    // SAFETY: the caller's contract.
    unsafe {
        if a.k == 0 {
            // Every strip stores the same values: the whole output once, by the first.
            if cols.start == 0 {
                store_nothing::<K>(a.m, b.g.positions(), sink);
            }
            return;
        }
        engine::block(a, 0..a.m.div_ceil(K::MR), b, cols, sink);
    }
}

impl<E: Element> Visit<E> for Correlation<'_, E> {
    type Out = ();
    fn visit<K: Unit<E, Acc = E::Acc>>(self) {
        for g in self.gathers {
            if g.taps.is_empty() || self.channels == 0 {
                self.packed::<K>(g);
                continue;
            }
            // Packing costs little where many rows share it; the copy wastes what lies between the output's rows.
            let layout = Padded::new(g, self.channels);
            if self.channels == 1
                && self.rows == 1
                && layout.waste(g) <= 2.0
                && TypeId::of::<K::Unit>() == TypeId::of::<E::Acc>()
            {
                self.planes::<K>(g, &layout);
            } else if layout.waste(g) <= 1.0 + 16.0 / self.rows as f64 {
                self.in_place::<K>(g, &layout);
            } else {
                self.packed::<K>(g);
            }
        }
    }
}

/// `gw[group*rows + r, c, t] = sum over images and positions of g * x`.
struct WeightGradient<'a, E> {
    gather: &'a Gather,
    images: usize,
    groups: usize,
    channels: usize,
    rows: usize,
    x: View<E>,
    g: View<E>,
    gw: View<E>,
    into: Into,
}

impl<E: Element> WeightGradient<'_, E> {
    /// Where the taps of each channel lie in a row of the gradient.
    fn places(&self) -> Vec<isize> {
        let taps = &self.gather.taps;
        (0..self.channels as isize).flat_map(|c| taps.iter().map(move |t| c * self.gw.channel + t.w)).collect()
    }

    fn output(&self, group: usize) -> Output<E> {
        Output {
            ptr: self.gw.at(group * self.rows, 0),
            row: self.gw.image,
            col: 1,
            alpha: E::Acc::from_f64(self.into.alpha),
            beta: E::Acc::from_f64(self.into.add as u8 as f64),
            bias: Bias::NONE,
        }
    }

    fn direct(&self) {
        let (taps, channels) = (self.gather.taps.len(), self.channels);
        let run = isa::pick::<TapSum<E>>();
        let places = self.places();
        let flops = 2 * self.images * self.gather.positions() * taps * channels;
        par_range(self.groups * self.rows, PAR_FLOPS / flops.max(1) + 1, |range| {
            for o in range {
                let group = o / self.rows;
                for j in 0..channels * taps {
                    let (c, tap) = (j / taps, j % taps);
                    let mut sum = E::Acc::ZERO;
                    for image in 0..self.images {
                        let x = self.x.at(image, group * channels + c).cast_const();
                        let args = TapArgs { x, grad: self.g.at(image, o).cast_const(), g: self.gather, tap };
                        // SAFETY: the views cover the geometry; the arguments live through the call.
                        sum = sum.add(unsafe { run((&raw const args).cast()) });
                    }
                    // SAFETY: one thread per row.
                    unsafe { self.output(group).place(o % self.rows, places[j], sum, true) };
                }
            }
        });
    }

    /// `gw^T = x g^T`: rows are (channel, tap), read in place from the padded copy; columns are output channels.
    fn in_place<K: Unit<E, Acc = E::Acc>>(&self, layout: &Padded) {
        let (g, m, n) = (self.gather, self.channels * self.gather.taps.len(), self.rows);
        let places = self.places();
        for group in 0..self.groups {
            let sums = Scratch::<E::Acc>::new(m.next_multiple_of(K::MR) * n);
            let copy = Scratch::<K::Unit>::new(layout.len());
            let rows = Scratch::<K::Unit>::new(n * layout.count);
            for image in 0..self.images {
                let x = self.x.at(image, group * self.channels).cast_const();
                let gradient = self.g.at(image, group * n).cast_const();
                // SAFETY: the views cover the geometry, the scratch its sizes.
                unsafe {
                    K::enter(|| layout.fill::<E, K>(g, x, copy.ptr()));
                    K::enter(|| layout.spread::<E, K>(g, gradient, self.g.channel, n, rows.ptr()));
                    let b = Lines::<K> { ptr: rows.ptr().cast_const(), line: layout.count };
                    engine::PackedB::<K>::new(&b, n, layout.count).times_rows(
                        copy.ptr(),
                        &layout.offsets,
                        sums.ptr(),
                        image > 0,
                    );
                }
            }
            let out = self.output(group);
            for r in 0..n {
                for j in 0..m {
                    // SAFETY: inside both.
                    unsafe { out.place(r, places[j], *sums.ptr().add(j * n + r), true) };
                }
            }
        }
    }

    fn packed<K: Unit<E, Acc = E::Acc>>(&self) {
        let g = self.gather;
        let (n, positions) = (self.channels * g.taps.len(), g.positions());
        let (places, steps) = (self.places(), g.places());
        for group in 0..self.groups {
            // Sums over the images, rounded once at the end.
            let sums = Scratch::<E::Acc>::new(self.rows * n);
            for image in 0..self.images {
                let g_rows = Positions {
                    g: self.g.at(image, group * self.rows).cast_const(),
                    row: self.g.channel,
                    places: &steps,
                };
                let x = Windows { x: self.x.at(image, group * self.channels).cast_const(), g };
                let sink = Sums { ptr: sums.ptr(), row: n, add: image > 0 };
                // SAFETY: the views cover the geometry, the scratch the sums.
                unsafe {
                    let a = PackedA::<K>::new(&g_rows, self.rows, positions);
                    if positions == 0 {
                        store_nothing::<K>(self.rows, n, &sink);
                    } else {
                        engine::product(&a, &Columns(x), n, &sink);
                    }
                }
            }
            let out = self.output(group);
            for r in 0..self.rows {
                for j in 0..n {
                    // SAFETY: inside both.
                    unsafe {
                        let v = if self.images == 0 { E::Acc::ZERO } else { *sums.ptr().add(r * n + j) };
                        out.place(r, places[j], v, true);
                    }
                }
            }
        }
    }
}

// SAFETY: threads write disjoint rows.
unsafe impl<E: Sync> Sync for WeightGradient<'_, E> {}

impl<E: Element> Visit<E> for WeightGradient<'_, E> {
    type Out = ();
    fn visit<K: Unit<E, Acc = E::Acc>>(self) {
        if self.rows <= 2 && self.channels <= 2 && self.groups > 1 {
            return self.direct();
        }
        if !self.gather.taps.is_empty() && self.channels > 0 && self.images > 0 && self.gather.positions() > 0 {
            let layout = Padded::new(self.gather, self.channels);
            if layout.waste(self.gather) <= 1.3 {
                return self.in_place::<K>(&layout);
            }
        }
        self.packed::<K>();
    }
}

/// A dense matrix of sums.
struct Sums<A> {
    ptr: *mut A,
    row: usize,
    add: bool,
}

// SAFETY: the engine gives each part to one thread.
unsafe impl<A: Sync> Sync for Sums<A> {}

impl<A: Number> Sink<A> for Sums<A> {
    const ADDS: bool = true;

    #[inline(always)]
    unsafe fn store(&self, i0: usize, rows: usize, j0: usize, cols: usize, acc: *const A, stride: usize, first: bool) {
        for i in 0..rows {
            for j in 0..cols {
                // SAFETY: the tile lies inside.
                unsafe {
                    let at = self.ptr.add((i0 + i) * self.row + j0 + j);
                    let v = *acc.add(i * stride + j);
                    *at = if first && !self.add { v } else { (*at).add(v) };
                }
            }
        }
    }
}
