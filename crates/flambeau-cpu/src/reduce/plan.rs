//! How a reduction walks its input: merged dimensions, which of them are columns, where threads come in.

use crate::parallel::par_range;
use flambeau_backend::Raw;
use smallvec::{SmallVec, smallvec};

/// Widest run of outputs reduced together: their accumulators stay in the first level cache, and rows are still
/// long enough to be prefetched.
pub const TILE: usize = 1024;
/// Elements that one piece of work should have at least.
const GRAIN: usize = 1 << 15;
/// Contiguous lines reduced in one call.
const LINES: usize = 16;
/// A reduction with fewer tiles than this is itself cut in pieces. Depends on sizes only, so that the
/// order of additions does not depend on the number of threads.
const FEW_TILES: usize = 32;

/// A merged dimension: its size, the input's stride, the outputs' strides.
#[derive(Clone, Copy, Debug)]
pub struct Dim<const O: usize> {
    n: usize,
    x: isize,
    out: [isize; O],
}

impl<const O: usize> Dim<O> {
    /// The input's stride.
    pub fn stride(&self) -> isize {
        self.x
    }

    /// The stride of output `k`.
    pub fn out(&self, k: usize) -> isize {
        self.out[k]
    }
}

/// A run of `w` neighbouring outputs: element offsets of the input and of each output.
#[derive(Clone, Copy, Debug)]
pub struct Tile<const O: usize> {
    pub x: isize,
    pub out: [isize; O],
    pub w: usize,
}

/// The walk over one input and `O` outputs.
pub struct Plan<const O: usize> {
    kept: SmallVec<[Dim<O>; 4]>,
    /// Reduced dimensions, outermost first, never empty.
    pub red: SmallVec<[(usize, isize); 4]>,
    /// The kept dimension that tiles run along.
    pub cols: Dim<O>,
    tile: usize,
    tiles_per_row: usize,
    tiles: usize,
    /// Elements reduced into each output.
    pub count: usize,
    /// Elements of a piece of a split reduction; zero if it is not split.
    chunk: usize,
}

/// Orders dimensions from the slowest to the fastest, broadcast ones first.
fn speed(stride: isize) -> usize {
    if stride == 0 { usize::MAX } else { stride.unsigned_abs() }
}

impl<const O: usize> Plan<O> {
    /// Dimensions are reduced where `outs[0]` has size one.
    pub fn new(x: &Raw, outs: [&Raw; O]) -> Self {
        let mut kept: SmallVec<[Dim<O>; 4]> = SmallVec::new();
        let mut red: SmallVec<[(usize, isize); 4]> = SmallVec::new();
        for d in 0..x.ndim() {
            let (n, s) = (x.sizes[d] as usize, x.strides[d] as isize);
            if n == 1 {
                continue;
            }
            if outs[0].sizes[d] == 1 {
                red.push((n, s));
            } else {
                kept.push(Dim { n, x: s, out: outs.map(|o| o.strides[d] as isize) });
            }
        }
        kept.sort_by_key(|d| std::cmp::Reverse(speed(d.x)));
        red.sort_by_key(|d| std::cmp::Reverse(speed(d.1)));
        kept.dedup_by(|inner, outer| {
            let n = inner.n as isize;
            let merge = outer.x == inner.x * n && (0..O).all(|i| outer.out[i] == inner.out[i] * n);
            if merge {
                *outer = Dim { n: outer.n * inner.n, ..*inner };
            }
            merge
        });
        red.dedup_by(|inner, outer| {
            let merge = outer.1 == inner.1 * inner.0 as isize;
            if merge {
                *outer = (outer.0 * inner.0, inner.1);
            }
            merge
        });
        if red.is_empty() {
            red.push((1, 0));
        }
        let count: usize = red.iter().map(|d| d.0).product();
        let mut cols = Dim { n: 1, x: 1, out: [0; O] };
        if let Some(&last) = kept.last() {
            let inner = red[red.len() - 1].1;
            if speed(last.x) < speed(inner) || (count < 16 && last.n >= 32) || inner == 0 {
                cols = last;
                kept.pop();
            }
        }
        let mut plan = Plan { kept, red, cols, tile: 1, tiles_per_row: 1, tiles: 0, count, chunk: 0 };
        plan.set_tile(TILE);
        let chunk = (2 * GRAIN / plan.tile).max(256);
        if plan.tiles > 0 && plan.tiles < FEW_TILES && count >= 2 * chunk {
            plan.chunk = chunk;
        }
        plan
    }

    /// The walk over lines along `dim`, for kernels whose outputs have lines too: `outs` have the sizes of `x`. Tiles
    /// are wider than one line only if all operands are contiguous across; then at most `width` of them make a tile.
    pub fn lines(x: &Raw, outs: [&Raw; O], dim: usize, width: usize) -> Self {
        let mut sizes: SmallVec<[i64; 8]> = x.sizes.into();
        let (n, stride) = sizes.get(dim).map_or((1, 1), |&n| (n as usize, x.strides[dim] as isize));
        if dim < sizes.len() {
            sizes[dim] = 1;
        }
        let heads = outs.map(|o| o.with_layout(&sizes, o.strides));
        let mut plan = Plan::new(&x.with_layout(&sizes, x.strides), heads.each_ref());
        if plan.cols.n > 1 {
            plan.kept.push(plan.cols);
        }
        plan.cols = Dim { n: 1, x: 1, out: [1; O] };
        plan.red = smallvec![(n, stride)];
        plan.count = n;
        plan.chunk = 0;
        // A merged dimension may hide the contiguous one only if it is contiguous itself.
        if stride != 1 && n > 1 {
            let across = |d: &Dim<O>| d.x == 1 && d.out.iter().all(|&s| s == 1) && d.n >= 8;
            if let Some(i) = plan.kept.iter().position(across) {
                plan.cols = plan.kept.remove(i);
            }
        }
        plan.set_tile(width);
        plan
    }

    /// Puts the reductions of several contiguous lines into one tile, so that a line costs no walk of its own.
    pub fn group_lines(&mut self, least: usize) {
        let contiguous = self.red.len() == 1 && self.red[0].1 == 1 && self.count >= least;
        if contiguous
            && self.cols.n == 1
            && self.chunk == 0
            && let Some(last) = self.kept.pop()
        {
            self.cols = last;
            self.set_tile(LINES);
        }
    }

    fn set_tile(&mut self, most: usize) {
        self.tile = self.cols.n.clamp(1, most);
        self.tiles_per_row = self.cols.n.div_ceil(self.tile);
        self.tiles = self.kept.iter().map(|d| d.n).product::<usize>() * self.tiles_per_row;
    }

    /// Calls `f` for every tile with a workspace made once per thread's share.
    /// `cost` says how much more an element costs than an addition.
    pub fn for_tiles<W>(&self, cost: usize, make: impl Fn() -> W + Sync, f: impl Fn(&mut W, Tile<O>) + Sync) {
        let run = |range: std::ops::Range<usize>| {
            let mut ws = make();
            let mut at: SmallVec<[usize; 8]> = smallvec![0; self.kept.len()];
            let mut left = range.start / self.tiles_per_row;
            let (mut x, mut out) = (0, [0; O]);
            for (d, i) in self.kept.iter().zip(&mut at).rev() {
                *i = left % d.n;
                left /= d.n;
                x += *i as isize * d.x;
                (0..O).for_each(|k| out[k] += *i as isize * d.out[k]);
            }
            let mut col = range.start % self.tiles_per_row * self.tile;
            for _ in range {
                let c = col as isize;
                let mut tile = Tile { x: x + c * self.cols.x, out, w: self.tile.min(self.cols.n - col) };
                (0..O).for_each(|k| tile.out[k] += c * self.cols.out[k]);
                f(&mut ws, tile);
                col += self.tile;
                if col < self.cols.n {
                    continue;
                }
                col = 0;
                for (d, i) in self.kept.iter().zip(&mut at).rev() {
                    *i += 1;
                    x += d.x;
                    (0..O).for_each(|k| out[k] += d.out[k]);
                    if *i < d.n {
                        break;
                    }
                    *i = 0;
                    x -= d.n as isize * d.x;
                    (0..O).for_each(|k| out[k] -= d.n as isize * d.out[k]);
                }
            }
        };
        if self.tiles == 0 {
            return;
        }
        if self.chunk > 0 {
            return run(0..self.tiles);
        }
        par_range(self.tiles, (GRAIN / cost.max(1) / (self.tile * self.count.max(1))).max(1), run);
    }

    /// Pieces of a split reduction: `None`, or the length of each.
    pub fn split(&self) -> Option<usize> {
        (self.chunk > 0).then_some(self.chunk)
    }

    /// Outputs in the widest tile.
    pub fn width(&self) -> usize {
        self.tile
    }
}
