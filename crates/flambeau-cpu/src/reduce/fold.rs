//! The one loop nest under every reduction: folds any strided set of elements into a row of accumulators.
//!
//! Rows are added four at a time into many independent accumulators, blocks of rows are combined in a binary counter (pairwise
//! summation), and narrow or single outputs are widened to many lanes first. So each element takes part in about
//! log(n) roundings, and LLVM sees one simple loop over contiguous lanes. Only that loop is compiled per
//! operation and instruction set; the walk around it is compiled once per element and accumulator type.

use super::plan::{Plan, Tile};
use crate::isa::{self, Isa, Kernel};
use crate::lanes;
use crate::parallel::par_range;
use std::marker::PhantomData;

/// A monoid over accumulators, with a map from elements into it.
pub trait Fold: Copy + Send + Sync + 'static {
    type X: Copy + Send + Sync;
    type A: Copy + Send + Sync;
    /// Whether `lift` uses its second argument (a value per output, as a mean or a maximum).
    const SHIFTED: bool = false;
    /// Used so seldom that an AVX-512 copy is not worth its size.
    const RARE: bool = false;
    fn identity(&self) -> Self::A;
    fn lift<I: Isa>(&self, x: Self::X, shift: Self::A) -> Self::A;
    fn join(&self, a: Self::A, b: Self::A) -> Self::A;
}

/// Lanes that narrow reductions are widened to. Four rows of them span so little memory that it is still read in
/// order, as the prefetchers want it.
const LANES: usize = 64;
/// Rows per block: each lane adds this many numbers before blocks are combined pairwise.
const BLOCK: usize = 64;
/// The same where outputs have several lanes each.
const WIDENED_BLOCK: usize = 256;
/// Elements gathered at once when memory is not contiguous.
const GATHER: usize = 4096;

/// Buffers of one thread, kept between tiles.
pub struct Workspace<X, A> {
    lanes: Vec<A>,
    shift: Vec<A>,
    stack: Vec<A>,
    gathered: Vec<X>,
}

impl<X, A> Workspace<X, A> {
    pub fn new() -> Self {
        Workspace { lanes: Vec::new(), shift: Vec::new(), stack: Vec::new(), gathered: Vec::new() }
    }
}

/// The workspace that a fold needs.
pub type WorkspaceOf<F> = Workspace<<F as Fold>::X, <F as Fold>::A>;

/// `acc[j] = join(acc[j], lift(x[i*rs + j]))` for `n` rows of `w` elements.
struct Rows<X, A> {
    /// The fold.
    f: *const (),
    acc: *mut A,
    shift: *const A,
    w: usize,
    x: *const X,
    n: usize,
    rs: isize,
}

struct AddRows<F>(PhantomData<F>);

impl<F: Fold> Kernel for AddRows<F> {
    type Args = Rows<F::X, F::A>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Rows<F::X, F::A>) {
        // SAFETY: the caller passes an `F`, `w` accumulators, as many shifts if they are used, and `n` rows.
        unsafe {
            let f = *a.f.cast::<F>();
            let mut i = 0;
            while i + 4 <= a.n {
                let x = a.x.offset(i as isize * a.rs);
                add_four::<I, F>(f, a.acc, a.shift, a.w, [x, x.offset(a.rs), x.offset(2 * a.rs), x.offset(3 * a.rs)]);
                i += 4;
            }
            while i < a.n {
                let x = a.x.offset(i as isize * a.rs);
                for j in 0..a.w {
                    let s = if F::SHIFTED { *a.shift.add(j) } else { f.identity() };
                    *a.acc.add(j) = f.join(*a.acc.add(j), f.lift::<I>(*x.add(j), s));
                }
                i += 1;
            }
        }
    }
}

/// Lines of `n` elements side by side, each folded into one number.
struct Lines<X, A> {
    /// The fold.
    f: *const (),
    x: *const X,
    n: usize,
    /// Elements from one line to the next.
    step: isize,
    /// A value per line if the fold uses one.
    shift: *const A,
    acc: *mut A,
    count: usize,
}

/// Elements of a line's block: a lane adds 64 numbers of four elements each before blocks are combined pairwise.
const LINE_BLOCK: usize = 4 * lanes::LANES * 64;
/// Lines shorter than this go with others in lanes.
pub const SHORT_LINE: usize = 64;

struct FoldLines<F>(PhantomData<F>);

impl<F: Fold> Kernel for FoldLines<F> {
    type Args = Lines<F::X, F::A>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(a: Lines<F::X, F::A>) {
        // SAFETY: the caller passes an `F`, `count` lines of `n` elements, as many accumulators, and shifts if they are used.
        unsafe {
            let f = *a.f.cast::<F>();
            for k in 0..a.count {
                let x = a.x.offset(k as isize * a.step);
                let shift = if F::SHIFTED { *a.shift.add(k) } else { f.identity() };
                a.acc.add(k).write(fold_line::<I, F>(f, x, a.n, shift));
            }
        }
    }
}

/// # Safety
/// `n` elements at `x`.
#[inline(always)]
unsafe fn fold_line<I: Isa, F: Fold>(f: F, x: *const F::X, n: usize, shift: F::A) -> F::A {
    // SAFETY: indices below `n`.
    let one = |at: usize| unsafe { f.lift::<I>(*x.add(at), shift) };
    let mut acc = [f.identity(); lanes::LANES];
    let mut i = 0;
    while i + 4 * lanes::LANES <= n {
        for (j, lane) in acc.iter_mut().enumerate() {
            let ab = f.join(one(i + j), one(i + lanes::LANES + j));
            let cd = f.join(one(i + 2 * lanes::LANES + j), one(i + 3 * lanes::LANES + j));
            *lane = f.join(*lane, f.join(ab, cd));
        }
        i += 4 * lanes::LANES;
    }
    let mut few = [f.identity(); lanes::FEW];
    while i + lanes::FEW <= n {
        for (j, lane) in few.iter_mut().enumerate() {
            *lane = f.join(*lane, one(i + j));
        }
        i += lanes::FEW;
    }
    // The tail has an accumulator of its own: lanes stay in registers only if no index into them varies.
    let mut tail = f.identity();
    while i < n {
        tail = f.join(tail, one(i));
        i += 1;
    }
    f.join(lanes::tree(&acc, &few, |a, b| f.join(a, b)), tail)
}

/// Four rows at once. Lanes go through registers in groups, so that nothing depends on whether memory overlaps.
#[inline(always)]
unsafe fn add_four<I: Isa, F: Fold>(f: F, acc: *mut F::A, shift: *const F::A, w: usize, x: [*const F::X; 4]) {
    const GROUP: usize = 32;
    // SAFETY: the caller vouches for `w` elements everywhere.
    unsafe {
        let one = |j: usize, a: F::A| {
            let s = if F::SHIFTED { *shift.add(j) } else { f.identity() };
            let ab = f.join(f.lift::<I>(*x[0].add(j), s), f.lift::<I>(*x[1].add(j), s));
            let cd = f.join(f.lift::<I>(*x[2].add(j), s), f.lift::<I>(*x[3].add(j), s));
            f.join(a, f.join(ab, cd))
        };
        let mut j = 0;
        while j + GROUP <= w {
            let mut group = *acc.add(j).cast::<[F::A; GROUP]>();
            for (k, a) in group.iter_mut().enumerate() {
                *a = one(j + k, *a);
            }
            *acc.add(j).cast::<[F::A; GROUP]>() = group;
            j += GROUP;
        }
        while j < w {
            *acc.add(j) = one(j, *acc.add(j));
            j += 1;
        }
    }
}

/// `a[j] = join(a[j], b[j])`
unsafe fn join_rows<F: Fold>(f: *const (), a: &mut [F::A], b: &[F::A]) {
    // SAFETY: the caller passes an `F`.
    let f = unsafe { *f.cast::<F>() };
    for (a, b) in a.iter_mut().zip(b) {
        *a = f.join(*a, *b);
    }
}

/// A fold without its type.
#[derive(Clone, Copy)]
struct Erased<X, A> {
    f: *const (),
    identity: A,
    add: unsafe fn(Rows<X, A>),
    lines: unsafe fn(Lines<X, A>),
    join: unsafe fn(*const (), &mut [A], &[A]),
}
// SAFETY: points to a fold, which is `Sync`.
unsafe impl<X, A: Sync> Sync for Erased<X, A> {}

impl<X, A: Copy> Erased<X, A> {
    fn of<F: Fold<X = X, A = A>>(f: &F) -> Self {
        let add = if F::RARE { isa::pick_small::<AddRows<F>>() } else { isa::pick::<AddRows<F>>() };
        let lines = if F::RARE { isa::pick_small::<FoldLines<F>>() } else { isa::pick::<FoldLines<F>>() };
        Erased { f: (&raw const *f).cast(), identity: f.identity(), add, lines, join: join_rows::<F> }
    }

    fn join(&self, a: &mut [A], b: &[A]) {
        // SAFETY: `f` is the fold that `join` was made for.
        unsafe { (self.join)(self.f, a, b) }
    }
}

/// Lanes of one block, and the binary counter of finished blocks.
struct Blocks<'a, X, A> {
    f: Erased<X, A>,
    w: usize,
    /// Rows of the input side by side in the lanes.
    r: usize,
    lanes: &'a mut [A],
    shift: &'a [A],
    stack: &'a mut Vec<A>,
    /// Rows per block.
    most: usize,
    rows: usize,
    blocks: usize,
}

impl<X: Copy, A: Copy> Blocks<'_, X, A> {
    /// Folds the lanes into their first `w`.
    fn narrow(&mut self) {
        let mut half = self.r / 2;
        while half > 0 {
            let (lo, hi) = self.lanes.split_at_mut(half * self.w);
            self.f.join(lo, hi);
            half /= 2;
        }
    }

    fn flush(&mut self) {
        self.narrow();
        self.stack.extend_from_slice(&self.lanes[..self.w]);
        self.lanes.fill(self.f.identity);
        self.rows = 0;
        self.blocks += 1;
        for _ in 0..self.blocks.trailing_zeros() {
            self.merge();
        }
    }

    /// Joins the two newest entries of the counter.
    fn merge(&mut self) {
        let at = self.stack.len() - self.w;
        let (lo, hi) = self.stack.split_at_mut(at);
        self.f.join(&mut lo[at - self.w..], hi);
        self.stack.truncate(at);
    }

    /// Adds `n` rows, `rs` elements apart.
    unsafe fn add(&mut self, mut x: *const X, n: usize, rs: isize) {
        let (mut wide, step) = (n / self.r, rs * self.r as isize);
        while wide > 0 {
            let m = wide.min(self.most - self.rows);
            // SAFETY: `m * r` rows from `x` are the caller's.
            unsafe {
                self.add_rows(x, self.lanes.len(), m, step);
                x = x.offset(step * m as isize);
            }
            wide -= m;
        }
        let rest = n % self.r * self.w;
        if rest > 0 {
            // SAFETY: fewer than `r` rows remain, side by side.
            unsafe { self.add_rows(x, rest, 1, 0) };
        }
    }

    unsafe fn add_rows(&mut self, x: *const X, w: usize, n: usize, rs: isize) {
        let Erased { f, add, .. } = self.f;
        let (acc, shift) = (self.lanes.as_mut_ptr(), self.shift.as_ptr());
        // SAFETY: `w` lanes (and shifts where they are used); the rows are the caller's.
        unsafe { add(Rows { f, acc, shift, w, x, n, rs }) };
        self.rows += n;
        if self.rows == self.most {
            self.flush();
        }
    }
}

/// Copies `g` rows of `w` elements to `out`, the nearer elements in the inner loop.
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

/// What [`walk`] folds: `w` outputs, `cs` apart, each over the part `range` of the flattened reduced dimensions.
struct Part<'a, X> {
    x: *const X,
    w: usize,
    cs: isize,
    red: &'a [(usize, isize)],
    range: (usize, usize),
}

/// Folds a long line side by side: blocks in registers, then pairwise.
unsafe fn long_line<X: Copy, A: Copy>(
    f: Erased<X, A>,
    x: *const X,
    n: usize,
    shift: *const A,
    stack: &mut Vec<A>,
) -> A {
    let block = |at: usize| {
        let mut acc = f.identity;
        // SAFETY: a part of the caller's `n` elements.
        unsafe {
            let n = LINE_BLOCK.min(n - at);
            (f.lines)(Lines { f: f.f, x: x.add(at), n, step: 0, shift, acc: &raw mut acc, count: 1 });
        }
        acc
    };
    stack.clear();
    for (i, at) in (0..n).step_by(LINE_BLOCK).enumerate() {
        let mut sum = [block(at)];
        for _ in 0..(i + 1).trailing_zeros() {
            let mut before = [stack.pop().expect("a block for each bit of the counter")];
            f.join(&mut before, &sum);
            sum = before;
        }
        stack.push(sum[0]);
    }
    let mut total = [stack.pop().expect("at least one block")];
    while let Some(before) = stack.pop() {
        let mut sum = [before];
        f.join(&mut sum, &total);
        total = sum;
    }
    total[0]
}

unsafe fn walk<X: Copy, A: Copy>(f: Erased<X, A>, p: Part<X>, shift: &[A], acc: &mut [A], ws: &mut Workspace<X, A>) {
    let (w, (from, to)) = (p.w, p.range);
    let acc = &mut acc[..w];
    if from == to {
        return acc.fill(f.identity);
    }
    let (n_in, rs) = p.red[p.red.len() - 1];
    if rs == 1 && p.red.len() == 1 && n_in >= SHORT_LINE && (w == 1 || p.cs != 1) {
        let (n, x) = (to - from, p.x.wrapping_add(from));
        // SAFETY: `from..to` of these lines belong to the input; `w` accumulators, and shifts where they are used.
        unsafe {
            if n <= LINE_BLOCK {
                let (shift, acc) = (shift.as_ptr(), acc.as_mut_ptr());
                return (f.lines)(Lines { f: f.f, x, n, step: p.cs, shift, acc, count: w });
            }
            for (j, a) in acc.iter_mut().enumerate() {
                let shift = if shift.is_empty() { shift.as_ptr() } else { shift.as_ptr().add(j) };
                *a = long_line(f, x.offset(j as isize * p.cs), n, shift, &mut ws.stack);
            }
        }
        return;
    }
    let dense = w == 1 || p.cs == 1;
    let side_by_side = dense && (rs == w as isize || n_in == 1);
    let gathers = !dense || (w == 1 && !side_by_side);
    let mut r = 1;
    if side_by_side || gathers {
        while 2 * r * w <= LANES && 2 * r <= n_in {
            r *= 2;
        }
    }
    let Workspace { lanes, shift: shifts, stack, gathered } = ws;
    lanes.clear();
    lanes.resize(r * w, f.identity);
    stack.clear();
    shifts.clear();
    if !shift.is_empty() {
        (0..r).for_each(|_| shifts.extend_from_slice(&shift[..w]));
    }
    let most = if r > 1 { WIDENED_BLOCK } else { BLOCK };
    let mut blocks = Blocks { f, w, r, lanes, shift: shifts, stack, most, rows: 0, blocks: 0 };
    // Where `from` lies.
    let outer = &p.red[..p.red.len() - 1];
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
            let x = p.x.offset(base + i as isize * rs);
            if gathers {
                let most = (GATHER / w).max(1);
                for done in (0..len).step_by(most) {
                    let g = most.min(len - done);
                    gather(gathered, x.offset(done as isize * rs), g, rs, w, p.cs);
                    blocks.add(gathered.as_ptr(), g, w as isize);
                }
            } else {
                blocks.add(x, len, rs);
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
        acc.copy_from_slice(&blocks.stack[..w]);
    } else {
        acc.copy_from_slice(&blocks.lanes[..w]);
    }
}

/// Folds the elements of every output of `tile` into `acc[..tile.w]`, on several threads where the plan says so.
/// `shift` holds a value per output if the fold uses one, else nothing.
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
    ws: &mut WorkspaceOf<F>,
) {
    assert!(!F::SHIFTED || shift.len() >= tile.w);
    // SAFETY: the tile lies inside the input.
    let x = unsafe { x.offset(tile.x) };
    let whole = Part { x, w: tile.w, cs: plan.cols.stride(), red: &plan.red, range: (0, plan.count) };
    // SAFETY: as the caller promises.
    unsafe { fold_part(Erased::of(&f), whole, plan.split(), shift, acc, ws) }
}

unsafe fn fold_part<X: Copy + Send + Sync, A: Copy + Send + Sync>(
    f: Erased<X, A>,
    part: Part<X>,
    split: Option<usize>,
    shift: &[A],
    acc: &mut [A],
    ws: &mut Workspace<X, A>,
) {
    let Some(chunk) = split else {
        // SAFETY: as the caller promises.
        return unsafe { walk(f, part, shift, acc, ws) };
    };
    let Part { x, w, cs, red, range: (_, n) } = part;
    let pieces = n.div_ceil(chunk);
    let mut partial = vec![f.identity; pieces * w];
    let (base, input, f) = (Shared(partial.as_mut_ptr()), Shared(x.cast_mut()), &f);
    par_range(pieces, 1, |range| {
        let mut ws = Workspace::new();
        for i in range {
            // SAFETY: piece `i` writes its own `w` accumulators; the input is only read.
            unsafe {
                let acc = std::slice::from_raw_parts_mut(base.get().add(i * w), w);
                let range = (i * chunk, n.min((i + 1) * chunk));
                walk(*f, Part { x: input.get().cast_const(), w, cs, red, range }, shift, acc, &mut ws);
            }
        }
    });
    let mut step = 1;
    while step < pieces {
        for i in (0..pieces - step).step_by(2 * step) {
            let (a, b) = partial.split_at_mut((i + step) * w);
            f.join(&mut a[i * w..i * w + w], &b[..w]);
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
