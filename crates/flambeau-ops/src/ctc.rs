//! Connectionist temporal classification (Graves et al., 2006): the sum over alignments forwards, its gradient backwards.
//!
//! States are the labels with a blank before, between and after them. A step is one loop over all states, which LLVM turns into
//! vectors; sequences of a batch go to several threads.

use std::sync::Mutex;

use flambeau_core::op::{Diff, Inputs, Kind, Meta, OpDef, Params, ParamsExt, Samples, Saves, surface};
use flambeau_core::{DType, Error, Result, Tensor, call as call_op, call1, check, params};
use flambeau_cpu::isa::{Isa, Kernel, call};
use flambeau_cpu::math::Real;
use flambeau_cpu::parallel::par_range;

use crate::decompose_run::{Stored, read, write};
use crate::operand::*;

/// Steps times states below which a second thread does not pay.
const GRAIN: usize = 4096;

/// The states of one sequence.
struct States<T> {
    /// The class of each.
    class: Vec<usize>,
    /// Zero where the last but one state may come before, else minus infinity; behind them two of the latter.
    skip: Vec<T>,
}

impl<T: Real> States<T> {
    fn new(labels: &[i64], blank: i64) -> States<T> {
        let at = |s: usize| if s.is_multiple_of(2) { blank } else { labels[s / 2] };
        let count = 2 * labels.len() + 1;
        let may = |s: usize| s >= 2 && at(s) != blank && at(s) != at(s - 2);
        let skip = (0..count + 2).map(|s| if s < count && may(s) { T::ZERO } else { -T::INFINITY }).collect();
        States { class: (0..count).map(|s| at(s) as usize).collect(), skip }
    }
}

/// `log(exp(a) + exp(b) + exp(c))`, also for minus infinities.
#[inline(always)]
fn log_sum<I: Isa, T: Real>(a: T, b: T, c: T) -> T {
    let m = if b > a { b } else { a };
    let m = if c > m { c } else { m };
    let m = if m == -T::INFINITY { T::ZERO } else { m };
    ((a - m).exp::<I>() + (b - m).exp::<I>() + (c - m).exp::<I>()).log::<I>() + m
}

/// `out[s] = log(exp(a[s]) + exp(b[s]) + exp(c[s] + skip[s])) + emit[s]`.
struct Step<'a, T> {
    parts: [&'a [T]; 3],
    skip: &'a [T],
    emit: &'a [T],
    out: &'a mut [T],
}

struct Advance<T>(std::marker::PhantomData<T>);

impl<T: Real> Kernel for Advance<T> {
    type Args = *mut Step<'static, T>;
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(args: Self::Args) {
        // SAFETY: the caller passes a live step.
        let s = unsafe { &mut *args };
        let out = &mut *s.out;
        let n = out.len();
        let ([a, b, c], skip, emit) = (s.parts.map(|p| &p[..n]), &s.skip[..n], &s.emit[..n]);
        for i in 0..n {
            out[i] = log_sum::<I, T>(a[i], b[i], c[i] + skip[i]) + emit[i];
        }
    }
}

fn advance<T: Real>(mut step: Step<T>) {
    // SAFETY: the step lives during the call.
    unsafe { call::<Advance<T>>((&raw mut step).cast()) }
}

/// `x[i] = exp(x[i])`.
struct Exponentials<T>(std::marker::PhantomData<T>);

impl<T: Real> Kernel for Exponentials<T> {
    type Args = *mut [T];
    type Out = ();

    #[inline(always)]
    unsafe fn run<I: Isa>(args: Self::Args) {
        // SAFETY: the caller passes a slice of its own.
        for x in unsafe { &mut *args } {
            *x = x.exp::<I>();
        }
    }
}

fn exponentials<T: Real>(x: &mut [T]) {
    // SAFETY: a slice of the caller's.
    unsafe { call::<Exponentials<T>>(x) }
}

/// One batch as the kernels read it.
struct Batch<T> {
    steps: usize,
    n: usize,
    classes: usize,
    lp: Vec<T>,
    labels: Vec<i64>,
    longest: usize,
    steps_of: Vec<i64>,
    labels_of: Vec<i64>,
    blank: i64,
}

impl<T: Real + Stored> Batch<T> {
    fn read(x: Inputs, first: usize, blank: i64) -> Result<Batch<T>> {
        let (lp, labels) = (arg(x, first)?, arg(x, first + 1)?);
        let ints = |i: usize| arg(x, first + i)?.to_vec::<i64>();
        let b = Batch {
            steps: lp.sizes()[0] as usize,
            n: lp.sizes()[1] as usize,
            classes: lp.sizes()[2] as usize,
            lp: read(lp)?,
            labels: ints(1)?,
            longest: labels.sizes()[1] as usize,
            steps_of: ints(2)?,
            labels_of: ints(3)?,
            blank,
        };
        let fits = |of: &[i64], most: usize| of.len() == b.n && of.iter().all(|&l| (0..=most as i64).contains(&l));
        check!(fits(&b.steps_of, b.steps) && fits(&b.labels_of, b.longest), Runtime, "ctc_loss: lengths out of range");
        let used = |k: usize| &b.labels[k * b.longest..k * b.longest + b.labels_of[k] as usize];
        let known = |l: &i64| (0..b.classes as i64).contains(l);
        check!((0..b.n).all(|k| used(k).iter().all(known)), Runtime, "ctc_loss: labels must be classes");
        Ok(b)
    }

    fn states(&self, k: usize) -> States<T> {
        States::new(&self.labels[k * self.longest..k * self.longest + self.labels_of[k] as usize], self.blank)
    }

    /// The probabilities of step `t` of sequence `k`.
    fn row(&self, t: usize, k: usize) -> &[T] {
        &self.lp[(t * self.n + k) * self.classes..][..self.classes]
    }

    fn emit(&self, t: usize, k: usize, states: &States<T>, out: &mut [T]) {
        let row = self.row(t, k);
        for (o, &c) in out.iter_mut().zip(&states.class) {
            *o = row[c];
        }
    }

    /// What `f` gives for each sequence, in order.
    fn each<R: Send>(&self, f: impl Fn(usize) -> R + Sync) -> Vec<R> {
        let parts = Mutex::new(Vec::with_capacity(self.n));
        let work = self.steps * (2 * self.longest + 1);
        par_range(self.n, GRAIN / work.max(1), |range| {
            for k in range {
                let r = f(k);
                parts.lock().unwrap_or_else(|e| e.into_inner()).push((k, r));
            }
        });
        let mut parts = parts.into_inner().unwrap_or_else(|e| e.into_inner());
        parts.sort_by_key(|p| p.0);
        parts.into_iter().map(|p| p.1).collect()
    }

    /// The negative logarithm of the sum over alignments, and `alpha` as rows of `width`.
    fn forward(&self, k: usize, width: usize) -> (T, Vec<T>) {
        let (states, steps) = (self.states(k), self.steps_of[k] as usize);
        let count = states.class.len();
        let mut alpha = vec![-T::INFINITY; self.steps * width];
        if steps == 0 {
            return (if count == 1 { T::ZERO } else { T::INFINITY }, alpha);
        }
        // Two states that nothing reaches stand before the first.
        let (mut last, mut next) = (vec![-T::INFINITY; count + 2], vec![-T::INFINITY; count + 2]);
        let mut emit = vec![T::ZERO; count];
        self.emit(0, k, &states, &mut emit);
        let first = 2.min(count);
        last[2..2 + first].copy_from_slice(&emit[..first]);
        alpha[..count].copy_from_slice(&last[2..]);
        for t in 1..steps {
            self.emit(t, k, &states, &mut emit);
            let parts = [&last[2..], &last[1..], &last[..]];
            advance(Step { parts, skip: &states.skip, emit: &emit, out: &mut next[2..] });
            std::mem::swap(&mut last, &mut next);
            alpha[t * width..t * width + count].copy_from_slice(&last[2..]);
        }
        let end = |s: usize| T::of(last[s].wide());
        let (a, b) = (end(count + 1), if count > 1 { end(count) } else { -T::INFINITY });
        (-log_sum::<flambeau_cpu::isa::Base, T>(a, b, -T::INFINITY), alpha)
    }

    /// The gradient of a loss for the probabilities of its sequence, `steps` rows of `classes`.
    fn backward(&self, k: usize, loss: T, by: T, alpha: &[T], width: usize) -> Vec<T> {
        let (states, steps) = (self.states(k), self.steps_of[k] as usize);
        let count = states.class.len();
        let mut out = vec![T::ZERO; self.steps * self.classes];
        // Paths from each state to the end, its own step not counted; two states that lead nowhere stand behind the last.
        let mut beta = vec![-T::INFINITY; count];
        beta[count.saturating_sub(2)..].fill(T::ZERO);
        let (mut ahead, mut emit) = (vec![-T::INFINITY; count + 2], vec![T::ZERO; count]);
        let (none, mut part) = (vec![T::ZERO; count], vec![T::ZERO; count]);
        for t in (0..steps).rev() {
            for s in 0..count {
                part[s] = alpha[t * width + s] + beta[s] + loss;
            }
            exponentials(&mut part);
            let row = &mut out[t * self.classes..(t + 1) * self.classes];
            row.copy_from_slice(self.row(t, k));
            exponentials(row);
            for (&p, &c) in part.iter().zip(&states.class) {
                row[c] = row[c] - p;
            }
            row.iter_mut().for_each(|x| *x = *x * by);
            if t > 0 {
                self.emit(t, k, &states, &mut emit);
                for s in 0..count {
                    ahead[s] = beta[s] + emit[s];
                }
                let parts = [&ahead[..], &ahead[1..], &ahead[2..]];
                advance(Step { parts, skip: &states.skip[2..], emit: &none, out: &mut beta });
            }
        }
        out
    }
}

fn forward_run<T: Real + Stored>(
    b: &dyn flambeau_core::backend::Backend,
    x: Inputs,
    o: &[Tensor],
    p: &Params,
) -> Result<()> {
    let batch = Batch::<T>::read(x, 0, p.int(0))?;
    let width = 2 * batch.longest + 1;
    let (losses, alphas): (Vec<T>, Vec<Vec<T>>) = batch.each(|k| batch.forward(k, width)).into_iter().unzip();
    write(b, &o[0], &losses)?;
    write(b, &o[1], &alphas.concat())
}

fn backward_run<T: Real + Stored>(
    b: &dyn flambeau_core::backend::Backend,
    x: Inputs,
    o: &[Tensor],
    p: &Params,
) -> Result<()> {
    let batch = Batch::<T>::read(x, 1, p.int(0))?;
    let (g, losses, alpha) = (read::<T>(arg(x, 0)?)?, read::<T>(arg(x, 5)?)?, read::<T>(arg(x, 6)?)?);
    let (width, c) = (2 * batch.longest + 1, batch.classes);
    let parts = batch.each(|k| {
        if p.bool(1) && losses[k] == T::INFINITY {
            return vec![T::ZERO; batch.steps * c];
        }
        batch.backward(k, losses[k], g[k], &alpha[k * batch.steps * width..], width)
    });
    let mut out = vec![T::ZERO; batch.steps * batch.n * c];
    for (k, part) in parts.iter().enumerate() {
        for t in 0..batch.steps {
            out[(t * batch.n + k) * c..][..c].copy_from_slice(&part[t * c..(t + 1) * c]);
        }
    }
    write(b, &o[0], &out)
}

macro_rules! by_type {
    ($t:expr, $f:ident($($a:expr),*)) => {
        if $t.dtype() == DType::F64 { $f::<f64>($($a),*) } else { $f::<f32>($($a),*) }
    };
}

/// A batch of two sequences, one with a label twice, and one that no alignment fits. `more` makes further inputs, before
/// which a cotangent then stands.
fn batches(s: &mut Samples, more: fn(&[Option<Tensor>], &Params) -> Result<Vec<Tensor>>) {
    let ints = |v: &[i64], sizes: &[i64]| Some(Tensor::from_slice(v, sizes).expect("as many as sizes say"));
    for (steps, zero_infinity) in [(5, false), (2, true)] {
        let g = s.normal(&[2]);
        let lp = s.uniform(&[5, 2, 4], -3.0, 0.0);
        let labels = ints(&[1, 1, 2, 3, 2, 0], &[2, 3]);
        let mut x = vec![Some(lp), labels, ints(&[steps, 4], &[2]), ints(&[3, 2], &[2])];
        let p = params![0i64, zero_infinity];
        let rest = more(&x, &p).expect("a batch that fits");
        if !rest.is_empty() {
            x.insert(0, Some(g));
            x.extend(rest.into_iter().map(Some));
        }
        s.push(x, p, 0);
    }
}

rows! { ROWS_ALL:
    ctc_loss_kernel = OpDef {
        sig: "ctc_loss_kernel(Tensor log_probs, Tensor labels, Tensor input_lengths, Tensor target_lengths, int blank, bool zero_infinity) -> (Tensor, Tensor)",
        doc: "The negative log likelihood of each sequence of a (T, N, C) batch, and the logarithms of the sums over beginnings of alignments.",
        surfaces: surface::NN,
        kind: Kind::Kernel {
            infer: |x, _| {
                let (lp, labels) = (arg(x, 0)?, arg(x, 1)?);
                check!(matches!(lp.dtype(), DType::F32 | DType::F64), NotImplemented, "\"ctc_loss_cpu\" not implemented for '{}'", lp.dtype().scalar_name());
                check!(lp.ndim() == 3 && labels.ndim() == 2, Runtime, "ctc_loss: expected (T, N, C) probabilities and (N, S) labels");
                let (s, l) = (lp.sizes(), labels.sizes());
                check!(l[0] == s[1], Runtime, "ctc_loss: expected a row of labels for each sequence");
                Ok(smallvec::smallvec![
                    Meta::new(&[s[1]], lp.dtype(), lp.device()), Meta::new(&[s[1], s[0], 2 * l[1] + 1], lp.dtype(), lp.device())])
            },
            run: |b, x, o, p| by_type!(o[0], forward_run(b, x, o, p)),
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => {
            let xs = [c.x(0)?, c.x(1)?, c.x(2)?, c.x(3)?, c.y(0)?, c.y(1)?];
            let mut all = vec![Some(c.g())];
            all.extend(xs.iter().map(Some));
            call1(&ctc_loss_backward::OP, &all, c.p.clone())
        })),
        saves: Saves { inputs: 15, outputs: 3, cross: false },
        diff_outputs: 1,
        // Without a gradient: it holds for probabilities that add up to one (the tests differentiate through a softmax).
        samples: Some(|s| batches(s, |_, _| Ok(vec![]))),
        ..BASE
    };
    ctc_loss_backward = OpDef {
        sig: "ctc_loss_backward(Tensor grad, Tensor log_probs, Tensor labels, Tensor input_lengths, Tensor target_lengths, Tensor losses, Tensor alpha, int blank, bool zero_infinity) -> Tensor",
        doc: "The gradient of `ctc_loss_kernel`, as PyTorch's: for probabilities that add up to one.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, _| { let lp = arg(x, 1)?; Ok(smallvec::smallvec![Meta::new(lp.sizes(), lp.dtype(), lp.device())]) },
            run: |b, x, o, p| by_type!(o[0], backward_run(b, x, o, p)),
        },
        diff: Diff::Vjp(|_| Err(Error::runtime("derivative for aten::_ctc_loss_backward is not implemented"))),
        samples: Some(|s| batches(s, |x, p| {
            let refs: Vec<Option<&Tensor>> = x.iter().map(Option::as_ref).collect();
            Ok(call_op(&ctc_loss_kernel::OP, &refs, p.clone())?.into_iter().collect())
        })),
        ..BASE
    };
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
