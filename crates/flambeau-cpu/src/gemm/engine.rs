//! The blocked product over packed panels. What is multiplied (matrices, convolution windows) and what becomes of the
//! result is up to the sources and the sink.

use std::ops::Range;

use super::micro::Micro;
use super::number::Number;
use crate::parallel::par_range;
use crate::scratch::Scratch;

/// An operand that can be packed.
pub(crate) trait Panels<K: Micro>: Sync {
    /// Steps `k0..k0 + kc` of the lines `j0..j0 + lines` (rows of A, columns of B) as `[kc / KU][width]` units. Lines beyond
    /// `lines` and steps that fill the last unit are zeros. `k0` is a multiple of `KU`.
    ///
    /// # Safety
    /// The lines and steps exist; `dst` holds the panel.
    unsafe fn pack(&self, k0: usize, kc: usize, j0: usize, lines: usize, width: usize, dst: *mut K::Unit);

    /// The panel of columns `j0..j0 + width` in memory, if it need not be packed: a base and the offset of each step.
    #[inline(always)]
    fn view(&self, k0: usize, kc: usize, j0: usize, width: usize) -> Option<(*const K::Unit, &[isize])> {
        let _ = (k0, kc, j0, width);
        None
    }
}

/// Where tiles of the product go.
pub(crate) trait Sink<A>: Sync {
    /// Whether partial sums may be added into the output; otherwise the engine keeps them and stores once.
    const ADDS: bool;

    /// Takes the tile of `rows` x `cols` at (`i0`, `j0`), `acc` having row stride `stride`. `first`: nothing was stored yet.
    ///
    /// # Safety
    /// The tile lies inside the product; `acc` holds it.
    unsafe fn store(&self, i0: usize, rows: usize, j0: usize, cols: usize, acc: *const A, stride: usize, first: bool);
}

/// Steps of `k` per block: a block of B stays in the second-level cache.
pub(crate) const fn kc<K: Micro>() -> usize {
    if size_of::<K::Unit>() == 8 { 256 } else { 384 * K::KU }
}

/// Columns per block.
const fn nc<K: Micro>() -> usize {
    let n = if size_of::<K::Unit>() == 8 { 192 } else { 384 };
    n / K::NR * K::NR
}

/// Floating-point operations below which a product stays on one thread.
pub(crate) const PAR_FLOPS: usize = 1 << 20;

/// The left operand, packed whole: `[k block][row panel][kc / KU][MR]`.
pub(crate) struct PackedA<K: Micro> {
    units: Scratch<K::Unit>,
    pub m: usize,
    pub k: usize,
}

impl<K: Micro> PackedA<K> {
    pub fn new(a: &impl Panels<K>, m: usize, k: usize) -> Self {
        let panels = m.div_ceil(K::MR);
        let packed = PackedA { units: Scratch::new(panels * K::MR * k.div_ceil(K::KU)), m, k };
        let blocks = k.div_ceil(kc::<K>());
        let grain = (1 << 16) / (K::MR * k.min(kc::<K>())).max(1) + 1;
        par_range(blocks * panels, grain, |r| {
            for t in r {
                let (kb, ip) = (t / panels, t % panels);
                let i0 = ip * K::MR;
                // SAFETY: the panel exists in both.
                unsafe {
                    a.pack(kb * kc::<K>(), packed.steps(kb), i0, K::MR.min(m - i0), K::MR, packed.panel(kb, ip));
                }
            }
        });
        packed
    }

    fn steps(&self, kb: usize) -> usize {
        kc::<K>().min(self.k - kb * kc::<K>())
    }

    fn panel(&self, kb: usize, ip: usize) -> *mut K::Unit {
        let before = kb * kc::<K>() / K::KU * self.m.div_ceil(K::MR);
        let at = (before + ip * self.steps(kb).div_ceil(K::KU)) * K::MR;
        // SAFETY: inside the block allocated by `new`.
        unsafe { self.units.ptr().add(at) }
    }
}

/// Rows `panels` (in panels of `MR`) and columns `cols` of the product, on the calling thread.
///
/// # Safety
/// The sources hold `a.m` x `a.k` and `a.k` x `cols.end`; the machine has `K`'s instruction set; nobody else writes
/// this part of the sink.
pub(crate) unsafe fn block<K: Micro, S: Sink<K::Acc>>(
    a: &PackedA<K>,
    panels: Range<usize>,
    b: &impl Panels<K>,
    cols: Range<usize>,
    sink: &S,
) {
    // SAFETY: the caller's contract.
    unsafe { K::enter(|| block_body(a, panels, b, cols, sink)) }
}

/// [`block`], to be compiled for the kernel's instruction set.
#[inline(always)]
unsafe fn block_body<K: Micro, S: Sink<K::Acc>>(
    a: &PackedA<K>,
    panels: Range<usize>,
    b: &impl Panels<K>,
    cols: Range<usize>,
    sink: &S,
) {
    if panels.is_empty() || cols.is_empty() {
        return;
    }
    let mut tile = Tile::<K::Acc>::new();
    let tile = tile.ptr();
    let blocks = a.k.div_ceil(kc::<K>());
    let width = nc::<K>().min(cols.len().next_multiple_of(K::LANES));
    let packed = Scratch::<K::Unit>::new(width * kc::<K>().min(a.k.next_multiple_of(K::KU)) / K::KU);
    let keep = !S::ADDS && blocks > 1;
    let rows_here = panels.len() * K::MR;
    let sums = Scratch::<K::Acc>::new(if keep { rows_here * width } else { 0 });
    for jc in cols.clone().step_by(nc::<K>()) {
        let jc_end = (jc + nc::<K>()).min(cols.end);
        for kb in 0..blocks {
            let steps = a.steps(kb);
            let units = steps.div_ceil(K::KU);
            for j0 in (jc..jc_end).step_by(K::NR) {
                let lines = K::NR.min(jc_end - j0);
                let w = lines.next_multiple_of(K::LANES);
                if b.view(kb * kc::<K>(), steps, j0, w).is_some() {
                    continue;
                }
                // SAFETY: panels before this one are full, so it starts at `(j0 - jc) * units`.
                unsafe { b.pack(kb * kc::<K>(), steps, j0, lines, w, packed.ptr().add((j0 - jc) * units)) };
            }
            for ip in panels.clone() {
                let i0 = ip * K::MR;
                let rows = K::MR.min(a.m - i0);
                for j0 in (jc..jc_end).step_by(K::NR) {
                    let lines = K::NR.min(jc_end - j0);
                    // SAFETY: the panels were packed above; tile and sums are large enough.
                    unsafe {
                        let bp = packed.ptr().add((j0 - jc) * units);
                        let nv = lines.div_ceil(K::LANES);
                        match b.view(kb * kc::<K>(), steps, j0, nv * K::LANES) {
                            Some((at, offsets)) => K::tile_at(rows, nv, offsets, a.panel(kb, ip), at, tile),
                            None => K::tile(rows, nv, units, a.panel(kb, ip), bp, tile),
                        }
                        if !keep {
                            sink.store(i0, rows, j0, lines, tile, K::NR, kb == 0);
                            continue;
                        }
                        let sum = sums.ptr().add((i0 - panels.start * K::MR) * width + (j0 - jc));
                        for i in 0..rows {
                            for j in 0..lines {
                                let s = sum.add(i * width + j);
                                let t = *tile.add(i * K::NR + j);
                                *s = if kb == 0 { t } else { (*s).add(t) };
                            }
                        }
                        if kb == blocks - 1 {
                            sink.store(i0, rows, j0, lines, sum, width, true);
                        }
                    }
                }
            }
        }
    }
}

/// The whole product of a packed left operand, on several threads where it pays. Which thread does what does not change the result.
///
/// # Safety
/// As for [`block`].
pub(crate) unsafe fn product<K: Micro>(a: &PackedA<K>, b: &impl Panels<K>, n: usize, sink: &impl Sink<K::Acc>) {
    let panels = a.m.div_ceil(K::MR);
    let flops = 2 * a.m * n * a.k;
    let threads = if flops < PAR_FLOPS { 1 } else { crate::parallel::threads_for(usize::MAX, 1) };
    if threads == 1 {
        // SAFETY: the caller's contract.
        return unsafe { block(a, 0..panels, b, 0..n, sink) };
    }
    // Columns are cut first: a thread then packs only its own part of B.
    let strips = n.div_ceil(K::NR).min(2 * threads);
    let strip = n.div_ceil(strips).next_multiple_of(K::NR);
    let strips = n.div_ceil(strip);
    let cuts = if strips >= threads { 1 } else { threads.div_ceil(strips).min(panels) };
    let cut = panels.div_ceil(cuts);
    par_range(strips * cuts, 1, |r| {
        for t in r {
            let (c, s) = (t / strips, t % strips);
            let rows = (c * cut).min(panels)..((c + 1) * cut).min(panels);
            // SAFETY: the parts are disjoint.
            unsafe { block(a, rows, b, s * strip..((s + 1) * strip).min(n), sink) };
        }
    });
}

/// The right operand, packed whole: `[k block][column panel][kc][width]`. For products that share it.
pub(crate) struct PackedB<K: Micro> {
    units: Scratch<K::Unit>,
    pub n: usize,
    pub k: usize,
}

impl<K: Micro> PackedB<K> {
    pub fn new(b: &impl Panels<K>, n: usize, k: usize) -> Self {
        const { assert!(K::KU == 1 && K::MR <= 8) };
        let packed = PackedB { units: Scratch::new(n.next_multiple_of(K::LANES) * k), n, k };
        let grain = (1 << 16) / (n * k.min(kc::<K>())).max(1) + 1;
        par_range(k.div_ceil(kc::<K>()), grain, |r| {
            for kb in r {
                // SAFETY: the panels lie one after the other.
                unsafe {
                    K::enter(|| {
                        for j0 in (0..n).step_by(K::NR) {
                            let (lines, to) = (K::NR.min(n - j0), packed.panel(kb, j0));
                            let width = lines.next_multiple_of(K::LANES);
                            b.pack(kb * kc::<K>(), packed.steps(kb), j0, lines, width, to);
                        }
                    });
                }
            }
        });
        packed
    }

    fn steps(&self, kb: usize) -> usize {
        kc::<K>().min(self.k - kb * kc::<K>())
    }

    fn panel(&self, kb: usize, j0: usize) -> *mut K::Unit {
        let at = kb * kc::<K>() * self.n.next_multiple_of(K::LANES) + j0 * self.steps(kb);
        // SAFETY: inside the block allocated by `new`.
        unsafe { self.units.ptr().add(at) }
    }

    /// `sums = (sums +) a b` for rows of `a` read in place: row `i` is the run of `k` units at `a + offsets[i]`.
    /// `sums` is row-major, one row of `n` for each of `a`.
    ///
    /// # Safety
    /// The operands cover the sizes; the machine has `K`'s instruction set.
    pub unsafe fn times_rows(&self, a: *const K::Unit, offsets: &[isize], sums: *mut K::Acc, add: bool) {
        let (m, n, k) = (offsets.len(), self.n, self.k);
        let shared = Shared(a, sums);
        let grain = PAR_FLOPS / (2 * K::MR * n * k).max(1) + 1;
        par_range(m.div_ceil(K::MR), grain, |r| {
            let shared = &shared;
            // SAFETY: each thread writes its own rows.
            unsafe {
                K::enter(|| {
                    let mut tile = Tile::<K::Acc>::new();
                    let tile = tile.ptr();
                    for kb in 0..k.div_ceil(kc::<K>()) {
                        let first = kb == 0 && !add;
                        for ip in r.clone() {
                            let i0 = ip * K::MR;
                            let here = K::MR.min(m - i0);
                            let mut rows = [shared.0; 8];
                            for i in 0..here {
                                rows[i] = shared.0.offset(offsets[i0 + i]).add(kb * kc::<K>());
                            }
                            // The panel's missing rows repeat one that exists.
                            let row = rows[0];
                            rows[here..].fill(row);
                            for j0 in (0..n).step_by(K::NR) {
                                let cols = K::NR.min(n - j0);
                                let nv = cols.div_ceil(K::LANES);
                                K::tile_rows(here, nv, self.steps(kb), &rows, self.panel(kb, j0), tile);
                                for i in 0..here {
                                    let (s, t) = (shared.1.add((i0 + i) * n + j0), tile.add(i * K::NR));
                                    for j in 0..cols {
                                        *s.add(j) = if first { *t.add(j) } else { (*s.add(j)).add(*t.add(j)) };
                                    }
                                }
                            }
                        }
                    }
                });
            }
        });
    }
}

/// Pointers for several threads.
struct Shared<U, A>(*const U, *mut A);
// SAFETY: threads write disjoint parts.
unsafe impl<U: Sync, A: Sync> Sync for Shared<U, A> {}

/// A register tile's room on the stack.
#[repr(C, align(64))]
pub(crate) struct Tile<A>([std::mem::MaybeUninit<A>; 8 * 48]);

impl<A: Number> Tile<A> {
    #[inline(always)]
    pub fn new() -> Self {
        Tile([const { std::mem::MaybeUninit::uninit() }; 8 * 48])
    }
    #[inline(always)]
    pub fn ptr(&mut self) -> *mut A {
        self.0.as_mut_ptr().cast()
    }
}
