//! Long short-term memory over whole sequences.
//!
//! The recurrent weights are packed once for all steps; what follows a step's product is one pass over its gates. Gradients of the
//! weights are not made here: with the gates' gradients of all steps at hand they are one large product.

use std::marker::PhantomData;

use flambeau_backend::{DType, Error, LstmTrace, Raw, Recurrent, Result};

use crate::Cpu;
use crate::elementwise::unary::sigmoid;
use crate::gemm::engine::PackedB;
use crate::gemm::gemm;
use crate::gemm::matrix::Matrix;
use crate::gemm::micro::Unit;
use crate::gemm::number::{Element, Visit};
use crate::isa::{self, Isa, Kernel};
use crate::math::Real;
use crate::parallel::par_range;

/// Hidden units below which a second thread does not pay for the pass over a step's gates.
const GRAIN: usize = 4096;
/// Units that are computed together.
const LANES: usize = 16;

trait Float: Real + Element<Acc = Self> {}
impl Float for f32 {}
impl Float for f64 {}

type Block<T> = [T; LANES];

/// # Safety
/// `len` elements, at most `LANES`, can be read.
#[inline(always)]
unsafe fn load<T: Float>(p: *const T, len: usize) -> Block<T> {
    // SAFETY: the caller's contract.
    unsafe {
        if len == LANES {
            return p.cast::<Block<T>>().read_unaligned();
        }
        let mut block = [T::ZERO; LANES];
        std::ptr::copy_nonoverlapping(p, block.as_mut_ptr(), len);
        block
    }
}

/// # Safety
/// `len` elements, at most `LANES`, can be written.
#[inline(always)]
unsafe fn store<T: Float>(p: *mut T, len: usize, block: Block<T>) {
    // SAFETY: the caller's contract.
    unsafe {
        if len == LANES {
            p.cast::<Block<T>>().write_unaligned(block);
        } else {
            std::ptr::copy_nonoverlapping(block.as_ptr(), p, len);
        }
    }
}

/// Some sequences at one step: rows of `h` hidden units, and of four gates of `h` each.
#[derive(Clone, Copy)]
struct Step<T> {
    rows: usize,
    h: usize,
    gates: *mut T,
    /// The cell state before the step, and after it.
    before: *const T,
    cells: *mut T,
    out: *mut T,
    /// Of the backward pass: the outputs' gradient or null, the states' (read and written), and the gates' (written).
    g_out: *const T,
    g_h: *const T,
    g_c: *mut T,
    g_gates: *mut T,
}

// SAFETY: the threads that share a step work on rows of their own.
unsafe impl<T: Sync> Sync for Step<T> {}

impl<T: Float> Step<T> {
    /// The rows from `first` on.
    fn rows(&self, first: usize, rows: usize) -> Step<T> {
        let at = first * self.h;
        Step {
            rows,
            h: self.h,
            gates: self.gates.wrapping_add(4 * at),
            before: self.before.wrapping_add(at),
            cells: self.cells.wrapping_add(at),
            out: self.out.wrapping_add(at),
            g_out: if self.g_out.is_null() { self.g_out } else { self.g_out.wrapping_add(at) },
            g_h: self.g_h.wrapping_add(at),
            g_c: self.g_c.wrapping_add(at),
            g_gates: self.g_gates.wrapping_add(4 * at),
        }
    }

    /// Runs a pass over all rows.
    ///
    /// # Safety
    /// The pass's contract.
    unsafe fn each<K: Kernel<Args = Step<T>, Out = ()>>(self) {
        par_range(self.rows, GRAIN / self.h.max(1) + 1, |r| {
            // SAFETY: the caller's contract, for rows of this thread's own.
            unsafe { isa::call::<K>(self.rows(r.start, r.len())) }
        });
    }
}

/// Activates the gates, and makes cell state and output of them.
struct Advance<T>(PhantomData<T>);

impl<T: Float> Kernel for Advance<T> {
    type Args = Step<T>;
    type Out = ();

    /// # Safety
    /// `gates`, `before`, `cells` and `out` have their rows; the last two are written.
    #[inline(always)]
    unsafe fn run<I: Isa>(s: Step<T>) {
        for row in 0..s.rows {
            let s = s.rows(row, 1);
            for j in (0..s.h).step_by(LANES) {
                let len = LANES.min(s.h - j);
                // SAFETY: `len` units from `j` on are inside a row, and inside each gate of one.
                unsafe {
                    let gate = |k: usize| s.gates.add(k * s.h + j);
                    let (mut i, mut f, mut g, mut o) =
                        (load(gate(0), len), load(gate(1), len), load(gate(2), len), load(gate(3), len));
                    let (mut c, mut h) = (load(s.before.add(j), len), [T::ZERO; LANES]);
                    for k in 0..LANES {
                        i[k] = sigmoid::<I, T>(i[k]);
                        f[k] = sigmoid::<I, T>(f[k]);
                        g[k] = g[k].tanh::<I>();
                        o[k] = sigmoid::<I, T>(o[k]);
                        c[k] = f[k] * c[k] + i[k] * g[k];
                        h[k] = o[k] * c[k].tanh::<I>();
                    }
                    for (k, block) in [i, f, g, o].into_iter().enumerate() {
                        store(gate(k), len, block);
                    }
                    store(s.cells.add(j), len, c);
                    store(s.out.add(j), len, h);
                }
            }
        }
    }
}

/// Takes the gradients of output and states back to the gates before activation, and to the cell state before the step.
struct Retreat<T>(PhantomData<T>);

impl<T: Float> Kernel for Retreat<T> {
    type Args = Step<T>;
    type Out = ();

    /// # Safety
    /// All pointers but `out` have their rows, `g_out` unless it is null; `g_c` and `g_gates` are written.
    #[inline(always)]
    unsafe fn run<I: Isa>(s: Step<T>) {
        for row in 0..s.rows {
            let s = s.rows(row, 1);
            for j in (0..s.h).step_by(LANES) {
                let len = LANES.min(s.h - j);
                // SAFETY: as in the forward pass.
                unsafe {
                    let gate = |k: usize| s.gates.add(k * s.h + j);
                    let (i, f, g, o) = (load(gate(0), len), load(gate(1), len), load(gate(2), len), load(gate(3), len));
                    let (before, c) = (load(s.before.add(j), len), load(s.cells.add(j), len));
                    let (mut gh, mut gc) = (load(s.g_h.add(j), len), load(s.g_c.add(j), len));
                    if !s.g_out.is_null() {
                        let more = load(s.g_out.add(j), len);
                        for k in 0..LANES {
                            gh[k] = gh[k] + more[k];
                        }
                    }
                    let mut out = [[T::ZERO; LANES]; 4];
                    for k in 0..LANES {
                        let t = c[k].tanh::<I>();
                        let gt = gc[k] + gh[k] * o[k] * (T::ONE - t * t);
                        out[0][k] = gt * g[k] * i[k] * (T::ONE - i[k]);
                        out[1][k] = gt * before[k] * f[k] * (T::ONE - f[k]);
                        out[2][k] = gt * i[k] * (T::ONE - g[k] * g[k]);
                        out[3][k] = gh[k] * t * o[k] * (T::ONE - o[k]);
                        gc[k] = gt * f[k];
                    }
                    for (k, block) in out.into_iter().enumerate() {
                        store(s.g_gates.add(k * s.h + j), len, block);
                    }
                    store(s.g_c.add(j), len, gc);
                }
            }
        }
    }
}

/// Steps, sequences and hidden units.
#[derive(Clone, Copy)]
struct Sizes {
    t: usize,
    n: usize,
    h: usize,
}

impl Sizes {
    fn of(cells: Raw) -> Sizes {
        let z = |i: usize| cells.sizes[i] as usize;
        Sizes { t: z(0), n: z(1), h: z(2) }
    }

    /// The `i`-th step that is taken.
    fn step(self, i: usize, reverse: bool) -> usize {
        if reverse { self.t - 1 - i } else { i }
    }

    /// Elements of a step's states.
    fn all(self) -> usize {
        self.n * self.h
    }
}

/// `out (+)= rows w` with the recurrent weights `[4h, h]`, or with their transpose.
struct Weights<'a, T, K: Unit<T, Acc = T>>
where
    T: Float,
{
    w: Raw<'a>,
    packed: Option<PackedB<K>>,
    /// Where each row begins.
    offsets: Vec<isize>,
    transposed: bool,
    of: PhantomData<T>,
}

impl<'a, T: Float, K: Unit<T, Acc = T>> Weights<'a, T, K> {
    fn new(s: Sizes, w: Raw<'a>, transposed: bool) -> Self {
        const { assert!(size_of::<K::Unit>() == size_of::<T>()) };
        let h = s.h;
        let (n, k) = if transposed { (4 * h, h) } else { (h, 4 * h) };
        let (line, step) = if transposed { (h as isize, 1) } else { (1, h as isize) };
        // One step reads them once: packing would be a second time.
        let packed = (s.t > 1).then(|| PackedB::new(&Matrix::<T> { ptr: w.ptr.cast(), line, step }, n, k));
        Weights { w, packed, offsets: (0..s.n).map(|i| (i * k) as isize).collect(), transposed, of: PhantomData }
    }

    /// # Safety
    /// `rows` and `out` have a row for each sequence.
    unsafe fn product(&self, rows: *const T, out: *mut T, add: bool) -> Result<()> {
        if let Some(packed) = &self.packed {
            // SAFETY: the caller's contract; the micro-kernel is this machine's.
            unsafe { packed.times_rows(rows.cast(), &self.offsets, out, add) };
            return Ok(());
        }
        let (h, n) = (self.w.sizes[1], self.offsets.len() as i64);
        let (width, k) = if self.transposed { (4 * h, h) } else { (h, 4 * h) };
        let strides = if self.transposed { [0, 1, h] } else { [0, h, 1] };
        let dtype = self.w.dtype;
        gemm(
            1.0,
            Raw { ptr: rows.cast_mut().cast(), dtype, sizes: &[1, n, k], strides: &[0, k, 1] },
            Raw { ptr: self.w.ptr, dtype, sizes: &[1, k, width], strides: &strides },
            f64::from(u8::from(add)),
            Raw { ptr: out.cast(), dtype, sizes: &[1, n, width], strides: &[0, width, 1] },
        )
    }
}

struct Forward<'a> {
    w: Raw<'a>,
    h0: Raw<'a>,
    out: Raw<'a>,
    trace: LstmTrace<'a>,
    reverse: bool,
}

impl<T: Float> Visit<T> for Forward<'_> {
    type Out = Result<()>;

    fn visit<K: Unit<T, Acc = T>>(self) -> Result<()> {
        let s = Sizes::of(self.trace.cells);
        let weights = Weights::<T, K>::new(s, self.w, true);
        let (gates, cells, out) =
            (self.trace.gates.ptr.cast::<T>(), self.trace.cells.ptr.cast::<T>(), self.out.ptr.cast::<T>());
        let (mut h, mut before) =
            (self.h0.ptr.cast::<T>().cast_const(), self.trace.before.ptr.cast::<T>().cast_const());
        let none = std::ptr::null_mut();
        for i in 0..s.t {
            let at = s.step(i, self.reverse) * s.all();
            // SAFETY: the step is inside the sequences; the operands do not overlap.
            unsafe {
                let (gates, cells, out) = (gates.add(4 * at), cells.add(at), out.add(at));
                weights.product(h, gates, true)?;
                let step = Step {
                    rows: s.n,
                    h: s.h,
                    gates,
                    before,
                    cells,
                    out,
                    g_out: none,
                    g_h: none,
                    g_c: none,
                    g_gates: none,
                };
                step.each::<Advance<T>>();
                (h, before) = (out, cells);
            }
        }
        Ok(())
    }
}

struct Backward<'a> {
    w: Raw<'a>,
    trace: LstmTrace<'a>,
    g_out: Option<Raw<'a>>,
    g_h: Raw<'a>,
    g_c: Raw<'a>,
    g_gates: Raw<'a>,
    reverse: bool,
}

impl<T: Float> Visit<T> for Backward<'_> {
    type Out = Result<()>;

    fn visit<K: Unit<T, Acc = T>>(self) -> Result<()> {
        let s = Sizes::of(self.trace.cells);
        let weights = Weights::<T, K>::new(s, self.w, false);
        let cells = self.trace.cells.ptr.cast::<T>();
        for i in (0..s.t).rev() {
            let at = s.step(i, self.reverse) * s.all();
            // SAFETY: the step, and the one before it, are inside the sequences; the operands do not overlap.
            unsafe {
                let before = match i {
                    0 => self.trace.before.ptr.cast::<T>(),
                    _ => cells.add(s.step(i - 1, self.reverse) * s.all()),
                };
                let step = Step {
                    rows: s.n,
                    h: s.h,
                    gates: self.trace.gates.ptr.cast::<T>().add(4 * at),
                    before,
                    cells: cells.add(at),
                    out: std::ptr::null_mut(),
                    g_out: self.g_out.map_or(std::ptr::null(), |g| g.ptr.cast::<T>().add(at)),
                    g_h: self.g_h.ptr.cast(),
                    g_c: self.g_c.ptr.cast(),
                    g_gates: self.g_gates.ptr.cast::<T>().add(4 * at),
                };
                step.each::<Retreat<T>>();
                weights.product(step.g_gates, self.g_h.ptr.cast(), false)?;
            }
        }
        Ok(())
    }
}

/// Runs `job` for the dtype.
fn by_type<J: Visit<f32, Out = Result<()>> + Visit<f64, Out = Result<()>>>(dtype: DType, job: J) -> Result<()> {
    match dtype {
        DType::F32 => <f32 as Element>::dispatch(job),
        DType::F64 => <f64 as Element>::dispatch(job),
        other => Err(Error::dtype("lstm", other)),
    }
}

impl Recurrent for Cpu {
    fn lstm(&self, w: Raw, h0: Raw, out: Raw, trace: LstmTrace, reverse: bool) -> Result<()> {
        by_type(out.dtype, Forward { w, h0, out, trace, reverse })
    }

    fn lstm_backward(
        &self,
        w: Raw,
        trace: LstmTrace,
        g_out: Option<Raw>,
        g_h: Raw,
        g_c: Raw,
        g_gates: Raw,
        reverse: bool,
    ) -> Result<()> {
        by_type(g_gates.dtype, Backward { w, trace, g_out, g_h, g_c, g_gates, reverse })
    }
}
