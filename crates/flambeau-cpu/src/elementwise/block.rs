//! Runs a body that only knows contiguous elements of its own dtype over operands of any layout and storage dtype.
//!
//! What is not contiguous, broadcast or of another dtype is staged block by block in scratch that stays in the first-level
//! cache. So one body per operation and compute dtype is enough: no copies for broadcasts, strides or 16-bit floats.

use super::crossed::Crossed;
use crate::convert::{BLOCK, Scratch, Steps, gather, run_steps, scatter, splat, steps};
use crate::drive::Loop;
use crate::parallel::par_range;
use flambeau_backend::Raw;
use flambeau_backend::{DType, Error, Result};
use std::ops::Range;
use std::sync::atomic::AtomicBool;

/// Scalar parameters of an operation, in each type that a body may want.
pub struct Params {
    pub f64: [f64; 4],
    pub f32: [f32; 4],
    /// Set by a body that met an integer division by zero.
    pub failed: AtomicBool,
}

impl Params {
    #[inline]
    pub fn new(p: &[f64]) -> Self {
        if p.is_empty() {
            return Params { f64: [0.0; 4], f32: [0.0; 4], failed: AtomicBool::new(false) };
        }
        let f64 = std::array::from_fn(|i| p.get(i).copied().unwrap_or(0.0));
        Params { f64, f32: f64.map(|x| x as f32), failed: AtomicBool::new(false) }
    }

    /// After a change of `f64`.
    #[inline]
    pub fn sync(&mut self) {
        self.f32 = self.f64.map(|x| x as f32);
    }
}

/// Types that parameters come in.
pub trait Param: Copy {
    fn params(p: &Params) -> [Self; 4];
}

impl Param for f32 {
    #[inline(always)]
    fn params(p: &Params) -> [f32; 4] {
        p.f32
    }
}

impl Param for f64 {
    #[inline(always)]
    fn params(p: &Params) -> [f64; 4] {
        p.f64
    }
}

/// `n` contiguous elements of each operand; operand 0 is the output and overlaps no other, unless the body allows it
/// to be operand 1.
#[derive(Clone, Copy)]
pub struct Args<const N: usize> {
    pub n: usize,
    pub ptrs: [*mut u8; N],
    /// Valid while the body runs.
    pub p: *const Params,
}

impl<const N: usize> Args<N> {
    /// # Safety
    /// As [`Args::p`].
    #[inline(always)]
    pub unsafe fn params<T: Param>(&self) -> [T; 4] {
        // SAFETY: the caller's.
        T::params(unsafe { &*self.p })
    }

    /// # Safety
    /// Operand `k` holds elements of type `T`.
    #[inline(always)]
    pub unsafe fn input<T>(&self, k: usize) -> &[T] {
        // SAFETY: `n` elements, by construction.
        unsafe { std::slice::from_raw_parts(self.ptrs[k].cast(), self.n) }
    }

    /// # Safety
    /// Operand 0 holds elements of type `T` and is not read elsewhere.
    #[inline(always)]
    pub unsafe fn output<T>(&self) -> &'static mut [T] {
        // SAFETY: `n` elements, by construction.
        unsafe { std::slice::from_raw_parts_mut(self.ptrs[0].cast(), self.n) }
    }
}

/// A body over contiguous elements.
#[derive(Clone, Copy)]
pub struct Body<const N: usize> {
    pub run: unsafe fn(Args<N>),
    /// The dtypes that the body reads and writes.
    pub dtypes: [DType; N],
    /// The body accepts an output that is operand 1.
    pub in_place: bool,
    /// Elements below which a second thread does not pay.
    pub grain: usize,
}

/// Contiguous operands up to this many elements go straight to the body.
const SMALL: usize = 4096;
/// A single number is spread over this many elements at most before its first use.
const SPREAD: usize = 64;

/// Runs below this length are staged together instead of one by one.
const SHORT: usize = 64;

struct Exec<'a, const N: usize> {
    walk: Loop<N>,
    body: Body<N>,
    p: &'a Params,
    /// Bytes of a stored element.
    item: [usize; N],
    /// Storage to body for inputs; body to storage for the output.
    steps: [Steps; N],
    /// The output must be staged: it is also an input.
    aliased: bool,
}

/// The cheap way for few elements: contiguous operands go straight to the body, a single number is spread first.
#[inline]
fn small<const N: usize>(ops: [&Raw; N], body: Body<N>, p: &Params) -> bool {
    let n = ops[0].numel();
    if n > SMALL || !ops[0].is_contiguous() || ops[0].dtype != body.dtypes[0] {
        return false;
    }
    let mut spread: [std::mem::MaybeUninit<[u64; SPREAD]>; N] = [std::mem::MaybeUninit::uninit(); N];
    let mut ptrs = ops.map(|o| o.ptr);
    for k in 1..N {
        if ops[k].dtype != body.dtypes[k] || (ops[k].ptr == ops[0].ptr && !(body.in_place && k == 1)) {
            return false;
        }
        if ops[k].is_contiguous() {
            continue;
        }
        let item = ops[k].dtype.size();
        if n > SPREAD || item > 8 || ops[k].strides.iter().any(|&s| s != 0) {
            return false;
        }
        let room = spread[k].as_mut_ptr().cast::<u8>();
        // SAFETY: one element to read; room for `SPREAD` elements of at most eight bytes.
        unsafe { splat(item, n, ops[k].ptr, room) };
        ptrs[k] = room;
    }
    // SAFETY: contiguous operands of the body's dtypes, apart from the output.
    unsafe { (body.run)(Args { n, ptrs, p }) };
    true
}

/// Runs `body` over `ops`; operand 0 is the output.
pub fn exec<const N: usize>(name: &str, ops: [&Raw; N], body: Body<N>, p: &Params) -> Result<()> {
    // Nothing to do, and no memory behind the pointers.
    if ops[0].numel() == 0 {
        return Ok(());
    }
    if small(ops, body, p) {
        return Ok(());
    }
    let walk = Loop::new(ops);
    let flat = (0..N).all(|k| ops[k].dtype == body.dtypes[k] && walk.is_flat(k, ops[k].dtype.size()));
    let mut aliased = false;
    for k in 1..N {
        aliased |= ops[k].ptr == ops[0].ptr && !(body.in_place && k == 1);
    }
    if flat && !aliased {
        // The common case without a look at anything else.
        let item: [usize; N] = std::array::from_fn(|k| ops[k].dtype.size());
        let walk = &walk;
        par_range(walk.numel, body.grain, |r| {
            let ptrs = std::array::from_fn(|k| walk.ptrs[k].wrapping_add(r.start * item[k]));
            // SAFETY: contiguous operands of the body's dtypes.
            unsafe { (body.run)(Args { n: r.len(), ptrs, p }) };
        });
        return Ok(());
    }
    let mut chains: [Steps; N] = std::array::from_fn(|_| Steps::new());
    for k in 0..N {
        let (from, to) = if k == 0 { (body.dtypes[0], ops[0].dtype) } else { (ops[k].dtype, body.dtypes[k]) };
        if from != to {
            chains[k] = steps(from, to).ok_or_else(|| Error::dtype(name, ops[k].dtype))?;
        }
    }
    let plain = chains.iter().all(Steps::is_empty) && !aliased;
    if plain && (0..N).all(|k| walk.dims[0].strides[k] == ops[k].dtype.size() as isize) {
        let walk = &walk;
        par_range(walk.numel, body.grain, |r| {
            // SAFETY: every run is contiguous in all operands, which have the body's dtypes.
            walk.for_range(r, |n, ptrs, _| unsafe {
                (body.run)(Args { n, ptrs: std::array::from_fn(|k| ptrs[k]), p })
            });
        });
        return Ok(());
    }
    if plain && let Some(crossed) = Crossed::of(&walk, ops.map(|o| o.dtype.size())) {
        // SAFETY: the operands are valid for the whole loop and have the body's dtypes.
        unsafe { crossed.run(&walk, body.grain, |n, ptrs| (body.run)(Args { n, ptrs, p })) };
        return Ok(());
    }
    let grain = body.grain;
    let numel = walk.numel;
    let e = Exec { walk, body, p, item: ops.map(|o| o.dtype.size()), steps: chains, aliased };
    let long = e.walk.dims.len() == 1 || e.walk.dims[0].size >= SHORT;
    par_range(numel, grain, |r| {
        // SAFETY: the operands are valid for the loop's whole range, and ranges are disjoint.
        unsafe { if long { e.by_runs(r) } else { e.by_blocks(r) } }
    });
    Ok(())
}

struct Buffers<const N: usize> {
    raw: [Scratch; N],
    ready: [Scratch; N],
    spare: Scratch,
}

impl<const N: usize> Buffers<N> {
    fn new() -> Self {
        Buffers {
            raw: std::array::from_fn(|_| Scratch::new()),
            ready: std::array::from_fn(|_| Scratch::new()),
            spare: Scratch::new(),
        }
    }
}

impl<const N: usize> Exec<'_, N> {
    /// # Safety
    /// Valid operands.
    unsafe fn by_runs(&self, r: Range<usize>) {
        let mut b = Buffers::<N>::new();
        // Whether operand k's scratch holds the broadcast of the element at this address.
        let mut held: [*mut u8; N] = [std::ptr::null_mut(); N];
        self.walk.for_range(r, |n, ptrs, strides| {
            let mut direct = [false; N];
            for k in 0..N {
                direct[k] =
                    strides[k] == self.item[k] as isize && self.steps[k].is_empty() && !(k == 0 && self.aliased);
            }
            // SAFETY: addresses inside the operands; scratch holds a block of the widest element.
            unsafe {
                for k in 1..N {
                    if strides[k] == 0 && !direct[k] && held[k] != ptrs[k] {
                        let mut one = ptrs[k] as *const u8;
                        if !self.steps[k].is_empty() {
                            let tmp = [b.spare.ptr(), b.ready[k].ptr()];
                            run_steps(&self.steps[k], 1, one, b.raw[k].ptr(), tmp);
                            one = b.raw[k].ptr();
                        }
                        let most = BLOCK.min(self.walk.dims[0].size);
                        splat(self.body.dtypes[k].size(), most, one, b.ready[k].ptr());
                        held[k] = ptrs[k];
                    }
                }
                if direct.iter().all(|&d| d) {
                    return (self.body.run)(Args { n, ptrs: *ptrs, p: self.p });
                }
                let mut at = 0;
                while at < n {
                    let m = BLOCK.min(n - at);
                    let here: [*mut u8; N] = std::array::from_fn(|k| ptrs[k].wrapping_offset(at as isize * strides[k]));
                    let mut args = here;
                    for k in 1..N {
                        if direct[k] {
                            continue;
                        }
                        args[k] = b.ready[k].ptr();
                        if strides[k] != 0 {
                            let mut src = here[k];
                            if strides[k] != self.item[k] as isize {
                                src = if self.steps[k].is_empty() { args[k] } else { b.raw[k].ptr() };
                                gather(self.item[k], m, here[k], strides[k], src);
                            }
                            self.load(&mut b, k, m, src);
                        }
                    }
                    if !direct[0] {
                        args[0] = b.ready[0].ptr();
                    }
                    (self.body.run)(Args { n: m, ptrs: args, p: self.p });
                    if !direct[0] {
                        let unit = strides[0] == self.item[0] as isize;
                        let dst = if unit { here[0] } else { b.raw[0].ptr() };
                        let src = self.store(&mut b, m, unit.then_some(dst));
                        if !unit {
                            scatter(self.item[0], m, src, here[0], strides[0]);
                        }
                    }
                    at += m;
                }
            }
        });
    }

    /// Converts operand `k`'s block at `src` into its `ready` scratch.
    ///
    /// # Safety
    /// `m` stored elements at `src`.
    #[inline]
    unsafe fn load(&self, b: &mut Buffers<N>, k: usize, m: usize, src: *const u8) {
        if self.steps[k].is_empty() {
            return;
        }
        // Up to three steps: src -> raw[0]'s scratch -> spare -> ready; raw[0] is only needed after the body.
        let tmp = [b.raw[0].ptr(), b.spare.ptr()];
        // SAFETY: the buffers are distinct from `src` (raw[k] or the operand itself).
        unsafe { run_steps(&self.steps[k], m, src, b.ready[k].ptr(), tmp) };
    }

    /// Brings the output block from `ready[0]` into storage form, at `dst` if given; returns where it is.
    ///
    /// # Safety
    /// `dst` has room for `m` stored elements.
    #[inline]
    unsafe fn store(&self, b: &mut Buffers<N>, m: usize, dst: Option<*mut u8>) -> *const u8 {
        let ready = b.ready[0].ptr();
        // SAFETY: distinct buffers; inputs' scratch of this block is no longer needed, broadcast ones are not touched.
        unsafe {
            if self.steps[0].is_empty() {
                if let Some(dst) = dst {
                    std::ptr::copy_nonoverlapping(ready, dst, m * self.item[0]);
                    return dst;
                }
                return ready;
            }
            let to = dst.unwrap_or(b.raw[0].ptr());
            run_steps(&self.steps[0], m, ready, to, [b.spare.ptr(), b.raw[N - 1].ptr()]);
            to
        }
    }

    /// # Safety
    /// Valid operands.
    unsafe fn by_blocks(&self, r: Range<usize>) {
        let mut b = Buffers::<N>::new();
        let whole: [bool; N] = std::array::from_fn(|k| k > 0 && self.walk.dims.iter().all(|d| d.strides[k] == 0));
        // SAFETY: addresses inside the operands; scratch holds a block of the widest element.
        unsafe {
            for k in 1..N {
                if whole[k] {
                    let mut one = self.walk.ptrs[k] as *const u8;
                    if !self.steps[k].is_empty() {
                        run_steps(&self.steps[k], 1, one, b.raw[k].ptr(), [b.spare.ptr(), b.ready[k].ptr()]);
                        one = b.raw[k].ptr();
                    }
                    splat(self.body.dtypes[k].size(), BLOCK.min(r.len()), one, b.ready[k].ptr());
                }
            }
            let mut start = r.start;
            while start < r.end {
                let m = BLOCK.min(r.end - start);
                let mut at = 0;
                let to: [*mut u8; N] =
                    std::array::from_fn(|k| if self.steps[k].is_empty() { b.ready[k].ptr() } else { b.raw[k].ptr() });
                self.walk.for_range(start..start + m, |n, ptrs, strides| {
                    for k in 1..N {
                        if !whole[k] {
                            gather(self.item[k], n, ptrs[k], strides[k], to[k].add(at * self.item[k]));
                        }
                    }
                    at += n;
                });
                for k in 1..N {
                    if !whole[k] {
                        self.load(&mut b, k, m, to[k]);
                    }
                }
                let ptrs = std::array::from_fn(|k| b.ready[k].ptr());
                (self.body.run)(Args { n: m, ptrs, p: self.p });
                let src = self.store(&mut b, m, None);
                let mut at = 0;
                self.walk.for_range(start..start + m, |n, ptrs, strides| {
                    scatter(self.item[0], n, src.add(at * self.item[0]), ptrs[0], strides[0]);
                    at += n;
                });
                start += m;
            }
        }
    }
}
