//! The one loop nest under every reduction: folds any strided set of elements into a row of accumulators.
//!
//! Rows are added four at a time into many independent accumulators, blocks of rows are combined in a binary counter (pairwise
//! summation), and narrow or single outputs are widened to many lanes first. So each element takes part in about
//! log(n) roundings, and LLVM sees one simple loop over contiguous lanes.

use super::plan::{Plan, Tile};
use crate::isa::{self, Isa, Kernel};
use crate::parallel::par_range;
use std::marker::PhantomData;

/// A monoid over accumulators, with a map from elements into it.
pub trait Fold: Copy + Send + Sync + 'static {
    type X: Copy + Send + Sync;
    type A: Copy + Send + Sync;
    /// Whether `lift` uses its second argument (a value per output, as a mean or a maximum).
    const SHIFTED: bool = false;
    fn identity(&self) -> Self::A;
    fn lift<I: Isa>(&self, x: Self::X, shift: Self::A) -> Self::A;
    fn join(&self, a: Self::A, b: Self::A) -> Self::A;
}

/// Lanes that narrow reductions are widened to.
const LANES: usize = 256;
/// Rows per block: each lane adds this many numbers before blocks are combined pairwise.
const BLOCK: usize = 128;
/// Elements gathered at once when memory is not contiguous.
const GATHER: usize = 4096;

/// Buffers of one thread, kept between tiles.
pub struct Workspace<F: Fold> {
    lanes: Vec<F::A>,
    shift: Vec<F::A>,
    stack: Vec<F::A>,
    gathered: Vec<F::X>,
}

impl<F: Fold> Workspace<F> {
    pub fn new() -> Self {
        Workspace { lanes: Vec::new(), shift: Vec::new(), stack: Vec::new(), gathered: Vec::new() }
    }
}

struct Args<'a, F: Fold> {
    f: F,
    x: *const F::X,
    /// Outputs and the stride between their first elements.
    w: usize,
    cs: isize,
    red: &'a [(usize, isize)],
    /// The part of the flattened reduced dimensions to fold.
    range: (usize, usize),
    shift: &'a [F::A],
    acc: &'a mut [F::A],
    ws: &'a mut Workspace<F>,
}

/// `acc[j] = join(acc[j], rows)` for `n` rows, `rs` elements apart.
#[inline(always)]
unsafe fn add_rows<I: Isa, F: Fold>(f: F, acc: &mut [F::A], shift: &[F::A], x: *const F::X, n: usize, rs: isize) {
    let w = acc.len();
    // SAFETY: the caller vouches for `n` rows of `w` elements.
    let row = |i: usize| unsafe { std::slice::from_raw_parts(x.offset(i as isize * rs), w) };
    let sh = |j: usize| if F::SHIFTED { shift[j] } else { f.identity() };
    let shift_len = if F::SHIFTED { shift.len() } else { w };
    assert!(shift_len == w);
    let mut i = 0;
    while i + 4 <= n {
        let (a, b, c, d) = (row(i), row(i + 1), row(i + 2), row(i + 3));
        for j in 0..w {
            let s = sh(j);
            let ab = f.join(f.lift::<I>(a[j], s), f.lift::<I>(b[j], s));
            let cd = f.join(f.lift::<I>(c[j], s), f.lift::<I>(d[j], s));
            acc[j] = f.join(acc[j], f.join(ab, cd));
        }
        i += 4;
    }
    while i < n {
        let a = row(i);
        for j in 0..w {
            acc[j] = f.join(acc[j], f.lift::<I>(a[j], sh(j)));
        }
        i += 1;
    }
}

/// Lanes of one block, and the binary counter of finished blocks.
struct Blocks<'a, F: Fold> {
    f: F,
    w: usize,
    /// Rows of the input side by side in the lanes.
    r: usize,
    lanes: &'a mut [F::A],
    stack: &'a mut Vec<F::A>,
    rows: usize,
    blocks: usize,
}

impl<F: Fold> Blocks<'_, F> {
    /// Folds the lanes into their first `w`.
    #[inline(always)]
    fn narrow(&mut self) {
        let mut half = self.r / 2 * self.w;
        while half >= self.w {
            let (lo, hi) = self.lanes.split_at_mut(half);
            for (a, b) in lo.iter_mut().zip(&hi[..half]) {
                *a = self.f.join(*a, *b);
            }
            if half == self.w {
                break;
            }
            half /= 2;
        }
    }

    #[inline(always)]
    fn flush(&mut self) {
        self.narrow();
        let w = self.w;
        self.stack.extend_from_slice(&self.lanes[..w]);
        self.lanes.fill(self.f.identity());
        self.rows = 0;
        self.blocks += 1;
        for _ in 0..self.blocks.trailing_zeros() {
            self.merge();
        }
    }

    #[inline(always)]
    fn merge(&mut self) {
        let w = self.w;
        let at = self.stack.len() - w;
        let (lo, hi) = self.stack.split_at_mut(at);
        for (a, b) in lo[at - w..].iter_mut().zip(hi) {
            *a = self.f.join(*a, *b);
        }
        self.stack.truncate(at);
    }

    #[inline(always)]
    unsafe fn add<I: Isa>(&mut self, shift: &[F::A], mut x: *const F::X, n: usize, rs: isize) {
        let (mut wide, step) = (n / self.r, rs * self.r as isize);
        while wide > 0 {
            let m = wide.min(BLOCK - self.rows);
            // SAFETY: `m * r` rows from `x` are the caller's.
            unsafe {
                add_rows::<I, F>(self.f, self.lanes, shift, x, m, step);
                x = x.offset(step * m as isize);
            }
            self.rows += m;
            wide -= m;
            if self.rows == BLOCK {
                self.flush();
            }
        }
        let rest = n % self.r * self.w;
        if rest > 0 {
            let shift = if F::SHIFTED { &shift[..rest] } else { shift };
            // SAFETY: fewer than `r` rows remain, side by side.
            unsafe { add_rows::<I, F>(self.f, &mut self.lanes[..rest], shift, x, 1, 0) };
            self.rows += 1;
            if self.rows == BLOCK {
                self.flush();
            }
        }
    }
}

/// Copies `g` rows of `w` elements to `out`, the nearer elements in the inner loop.
#[inline(always)]
unsafe fn gather<X: Copy>(out: &mut Vec<X>, x: *const X, g: usize, rs: isize, w: usize, cs: isize) {
    out.clear();
    out.reserve(g * w);
    let to = out.as_mut_ptr();
    // SAFETY: reads the caller's `g * w` elements; writes as many within the reserved capacity.
    unsafe {
        if w == 1 || rs.unsigned_abs() < cs.unsigned_abs() {
            for j in 0..w {
                let from = x.offset(j as isize * cs);
                for i in 0..g {
                    *to.add(i * w + j) = *from.offset(i as isize * rs);
                }
            }
        } else {
            for i in 0..g {
                let from = x.offset(i as isize * rs);
                for j in 0..w {
                    *to.add(i * w + j) = *from.offset(j as isize * cs);
                }
            }
        }
        out.set_len(g * w);
    }
}

struct FoldKernel<'a, F>(PhantomData<&'a F>);

impl<'a, F: Fold> Kernel for FoldKernel<'a, F> {
    type Args = Args<'a, F>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Args<'a, F>) {
        let (f, w) = (a.f, a.w);
        let (n_in, rs) = a.red[a.red.len() - 1];
        let (from, to) = a.range;
        let dense = w == 1 || a.cs == 1;
        let side_by_side = dense && (rs == w as isize || n_in == 1);
        let gathers = !dense || (w == 1 && !side_by_side);
        let mut r = 1;
        if side_by_side || gathers {
            while 2 * r * w <= LANES && 2 * r <= n_in {
                r *= 2;
            }
        }
        let Workspace { lanes, shift, stack, gathered } = a.ws;
        lanes.clear();
        lanes.resize(r * w, f.identity());
        stack.clear();
        shift.clear();
        if F::SHIFTED {
            for _ in 0..r {
                shift.extend_from_slice(&a.shift[..w]);
            }
        }
        let mut blocks = Blocks { f, w, r, lanes, stack, rows: 0, blocks: 0 };
        // Where `from` lies.
        let outer = &a.red[..a.red.len() - 1];
        if from == to {
            a.acc[..w].fill(f.identity());
            return;
        }
        let (mut i, mut left) = (from % n_in, from / n_in);
        let mut at = [0usize; 64];
        let mut base = 0isize;
        for (k, d) in outer.iter().enumerate().rev() {
            at[k] = left % d.0;
            left /= d.0;
            base += at[k] as isize * d.1;
        }
        let mut todo = to - from;
        while todo > 0 {
            let len = todo.min(n_in - i);
            // SAFETY: `i..i + len` of this run belong to the input.
            unsafe {
                let p = a.x.offset(base + i as isize * rs);
                if gathers {
                    let most = (GATHER / w).max(1);
                    let mut done = 0;
                    while done < len {
                        let g = most.min(len - done);
                        gather(gathered, p.offset(done as isize * rs), g, rs, w, a.cs);
                        blocks.add::<I>(shift, gathered.as_ptr(), g, w as isize);
                        done += g;
                    }
                } else {
                    blocks.add::<I>(shift, p, len, rs);
                }
            }
            todo -= len;
            i = 0;
            for (k, d) in outer.iter().enumerate().rev() {
                at[k] += 1;
                base += d.1;
                if at[k] < d.0 {
                    break;
                }
                at[k] = 0;
                base -= d.0 as isize * d.1;
            }
        }
        blocks.narrow();
        if blocks.blocks > 0 {
            blocks.stack.extend_from_slice(&blocks.lanes[..w]);
            while blocks.stack.len() > w {
                blocks.merge();
            }
            a.acc[..w].copy_from_slice(&blocks.stack[..w]);
        } else {
            a.acc[..w].copy_from_slice(&blocks.lanes[..w]);
        }
    }
}

/// Folds the elements of every output of `tile` into `acc[..tile.w]`, on several threads where the plan says so.
///
/// # Safety
/// `x` with the plan's offsets must be readable.
pub unsafe fn fold<F: Fold, const O: usize>(
    plan: &Plan<O>,
    f: F,
    x: *const F::X,
    tile: &Tile<O>,
    shift: &[F::A],
    acc: &mut [F::A],
    ws: &mut Workspace<F>,
) {
    let (n, w, cs) = (plan.count, tile.w, plan.cols.stride());
    // SAFETY: the tile lies inside the input.
    let x = unsafe { x.offset(tile.x) };
    let Some(chunk) = plan.split() else {
        let args = Args { f, x, w, cs, red: &plan.red, range: (0, n), shift, acc, ws };
        // SAFETY: as the caller promises.
        return unsafe { isa::call::<FoldKernel<F>>(args) };
    };
    let pieces = n.div_ceil(chunk);
    let mut partial = vec![f.identity(); pieces * w];
    let (base, input) = (Shared(partial.as_mut_ptr()), Shared(x.cast_mut()));
    par_range(pieces, 1, |range| {
        let mut ws = Workspace::new();
        for i in range {
            // SAFETY: piece `i` writes its own `w` accumulators; the input is only read.
            unsafe {
                let acc = std::slice::from_raw_parts_mut(base.get().add(i * w), w);
                let range = (i * chunk, n.min((i + 1) * chunk));
                let args =
                    Args { f, x: input.get().cast_const(), w, cs, red: &plan.red, range, shift, acc, ws: &mut ws };
                isa::call::<FoldKernel<F>>(args);
            }
        }
    });
    let mut step = 1;
    while step < pieces {
        for i in (0..pieces - step).step_by(2 * step) {
            for j in 0..w {
                partial[i * w + j] = f.join(partial[i * w + j], partial[(i + step) * w + j]);
            }
        }
        step *= 2;
    }
    acc[..w].copy_from_slice(&partial[..w]);
}

/// A pointer that threads share; they write disjoint parts.
pub struct Shared<T>(pub *mut T);
impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Shared<T> {}
// SAFETY: see the type; every use says which part it writes.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// A method, so that closures capture the whole wrapper.
    #[inline(always)]
    pub fn get(&self) -> *mut T {
        self.0
    }
}
