//! One direction of one layer of a recurrent network, over whole sequences.

use flambeau_core::autograd::{Vjp, no_grad};
use flambeau_core::backend::{Backend, LstmTrace};
use flambeau_core::op::{Diff, Grads, Inputs, Kind, Meta, Metas, OpDef, Outs, Params, ParamsExt, Samples, Saves};
use flambeau_core::{DType, Result, Tensor, call, check, params};

use crate::binary::{add, add_scalar, mul, sub};
use crate::copy::{contiguous, copy_};
use crate::matmul::{linear, matmul};
use crate::operand::*;
use crate::reduce::sum;
use crate::shape::{cat, stack};
use crate::unary::{neg, tanh};
use crate::view::{mt, narrow, reshape, select, unsqueeze};

/// Places of the layer's arguments, the same in both rows behind `AT` incoming gradients.
const X: usize = 0;
const W_IH: usize = 1;
const W_HH: usize = 2;
const B_IH: usize = 3;
const B_HH: usize = 4;
const H0: usize = 5;
const C0: usize = 6;
const ARGUMENTS: usize = 7;
/// The incoming gradients of outputs, last output and last cell state.
const AT: usize = 3;

/// What a step computes.
struct Step {
    /// Input, forget, cell and output gate.
    gates: [Tensor; 4],
    before: Tensor,
    cell: Tensor,
    out: Tensor,
}

fn order(steps: i64, reverse: bool) -> Vec<i64> {
    if reverse { (0..steps).rev().collect() } else { (0..steps).collect() }
}

/// The layer, step by step, in the order in which they are taken.
fn steps(x: Inputs, reverse: bool) -> Result<Vec<Step>> {
    let input = linear(arg(x, X)?, arg(x, W_IH)?, opt(x, B_IH))?;
    let (mut h, mut c) = (arg(x, H0)?.clone(), arg(x, C0)?.clone());
    let mut steps = Vec::new();
    for t in order(input.sizes()[0], reverse) {
        let a = add(&select(&input, 0, t)?, &linear(&h, arg(x, W_HH)?, opt(x, B_HH))?)?;
        let (gates, cell, out) = crate::gates::lstm(&a, &c)?;
        h = out.clone();
        let before = std::mem::replace(&mut c, cell.clone());
        steps.push(Step { gates, before, cell, out });
    }
    Ok(steps)
}

/// One tensor of all steps, in the order of time.
fn in_time(mut parts: Vec<Tensor>, reverse: bool) -> Result<Tensor> {
    if reverse {
        parts.reverse();
    }
    stack(&parts.iter().collect::<Vec<_>>(), 0)
}

fn joined(gates: &[Tensor; 4]) -> Result<Tensor> {
    cat(&gates.iter().collect::<Vec<_>>(), -1)
}

fn meaning(x: Inputs, p: &Params) -> Result<Outs> {
    let (steps, reverse) = (steps(x, p.bool(0))?, p.bool(0));
    let Some(last) = steps.last() else { return Err(flambeau_core::Error::runtime(NO_STEPS)) };
    let (h, c) = (last.out.clone(), last.cell.clone());
    let gates = steps.iter().map(|s| joined(&s.gates)).collect::<Result<_>>()?;
    let cells = steps.iter().map(|s| s.cell.clone()).collect();
    let out = steps.into_iter().map(|s| s.out).collect();
    Ok(smallvec::smallvec![in_time(out, reverse)?, h, c, in_time(gates, reverse)?, in_time(cells, reverse)?])
}

fn backward_meaning(x: Inputs, p: &Params) -> Result<Outs> {
    let reverse = p.bool(0);
    let steps = steps(&x[AT..AT + ARGUMENTS], reverse)?;
    let (w, h0) = (arg(x, AT + W_HH)?, arg(x, AT + H0)?);
    let zeros = || crate::create::zeros(h0.sizes(), h0.dtype(), h0.device());
    let given = |i: usize| opt(x, i).map_or_else(zeros, |g| Ok(g.clone()));
    let (mut gh, mut gc) = (given(1)?, given(2)?);
    let mut all = Vec::new();
    for (s, t) in steps.iter().zip(order(steps.len() as i64, reverse)).rev() {
        if let Some(g) = opt(x, 0) {
            gh = add(&gh, &select(g, 0, t)?)?;
        }
        let [i, f, g, o] = &s.gates;
        let slope = |y: &Tensor| sub(y, &mul(y, y)?);
        let steep = |y: &Tensor| add_scalar(&neg(&mul(y, y)?)?, 1.0);
        let out = tanh(&s.cell)?;
        gc = add(&gc, &mul(&mul(&gh, o)?, &steep(&out)?)?)?;
        let gates = [
            mul(&mul(&gc, g)?, &slope(i)?)?,
            mul(&mul(&gc, &s.before)?, &slope(f)?)?,
            mul(&mul(&gc, i)?, &steep(g)?)?,
            mul(&mul(&gh, &out)?, &slope(o)?)?,
        ];
        gc = mul(&gc, f)?;
        let gates = joined(&gates)?;
        gh = matmul(&gates, w)?;
        all.push(gates);
    }
    all.reverse();
    Ok(smallvec::smallvec![in_time(all, reverse)?, gh, gc])
}

const NO_STEPS: &str = "Expected sequence length to be larger than 0 in RNN";

fn infer(x: Inputs, _: &Params) -> Result<Metas> {
    let (input, w_ih, w, h0, c0) = (arg(x, X)?, arg(x, W_IH)?, arg(x, W_HH)?, arg(x, H0)?, arg(x, C0)?);
    check!(
        matches!(input.dtype(), DType::F32 | DType::F64),
        NotImplemented,
        "\"lstm\" not implemented for '{}'",
        input.dtype().scalar_name()
    );
    for t in x.iter().flatten() {
        check!(
            t.dtype() == input.dtype(),
            Runtime,
            "expected {} and {} to have the same dtype in LSTM",
            t.dtype().scalar_name(),
            input.dtype().scalar_name()
        );
    }
    check!(input.ndim() == 3 && w.ndim() == 2, Runtime, "lstm: expected an input of (L, N, features) and matrices");
    let (t, n, h) = (input.sizes()[0], input.sizes()[1], w.sizes()[1]);
    check!(t > 0, Runtime, "{NO_STEPS}");
    let fits = w.sizes() == [4 * h, h]
        && w_ih.sizes() == [4 * h, input.sizes()[2]]
        && [B_IH, B_HH].iter().all(|&i| opt(x, i).is_none_or(|b| b.sizes() == [4 * h]))
        && h0.sizes() == [n, h]
        && c0.sizes() == [n, h];
    check!(fits, Runtime, "lstm: the sizes of input, weights, biases and states do not fit together");
    let meta = |sizes: &[i64]| Meta::new(sizes, input.dtype(), input.device());
    Ok(smallvec::smallvec![meta(&[t, n, h]), meta(&[n, h]), meta(&[n, h]), meta(&[t, n, 4 * h]), meta(&[t, n, h])])
}

fn run(b: &dyn Backend, x: Inputs, o: &[Tensor], p: &Params) -> Result<()> {
    no_grad(|| {
        let plain = |i: usize| contiguous(&arg(x, i)?.detach());
        let (input, w, h0, c0) = (plain(X)?, plain(W_HH)?, plain(H0)?, plain(C0)?);
        let bias = match (opt(x, B_IH), opt(x, B_HH)) {
            (Some(a), Some(b)) => Some(add(&a.detach(), &b.detach())?),
            (a, b) => a.or(b).map(Tensor::detach),
        };
        let (rows, width) = (h0.sizes()[0] * input.sizes()[0], o[3].sizes()[2]);
        let (flat, gates) = (reshape(&input, &[rows, input.sizes()[2]])?, reshape(&o[3], &[rows, width])?);
        b.linear(flat.raw(), arg(x, W_IH)?.raw(), bias.as_ref().map(Tensor::raw), gates.raw())?;
        let trace = LstmTrace { gates: o[3].raw(), cells: o[4].raw(), before: c0.raw() };
        b.lstm(w.raw(), h0.raw(), o[0].raw(), trace, p.bool(0))?;
        let last = if p.bool(0) { 0 } else { input.sizes()[0] - 1 };
        copy_(&o[1], &select(&o[0], 0, last)?)?;
        copy_(&o[2], &select(&o[4], 0, last)?)
    })
}

/// The gradients of the gates before activation and of the first states, then products of the former.
fn vjp(c: &Vjp) -> Result<Grads> {
    if (0..AT).all(|i| c.grad(i).is_none()) {
        return Ok(c.no_grads());
    }
    let (x, w_ih, w_hh, h0) = (c.x(X)?, c.x(W_IH)?, c.x(W_HH)?, c.x(H0)?);
    let (b_ih, b_hh, c0, out, gates, cells) = (c.opt_x(B_IH)?, c.opt_x(B_HH)?, c.x(C0)?, c.y(0)?, c.y(3)?, c.y(4)?);
    let args = [
        c.grad(0),
        c.grad(1),
        c.grad(2),
        Some(&x),
        Some(&w_ih),
        Some(&w_hh),
        b_ih.as_ref(),
        b_hh.as_ref(),
        Some(&h0),
        Some(&c0),
        Some(&gates),
        Some(&cells),
    ];
    let got = call(&lstm_layer_backward::OP, &args, c.p.clone())?;
    let flat = |t: &Tensor| reshape(t, &[t.sizes()[0] * t.sizes()[1], t.sizes()[2]]);
    let rows = flat(&got[0])?;
    let weight = |of: &Tensor| matmul(&mt(&rows)?, &flat(of)?);
    let recurrent = || {
        let (first, steps) = (unsqueeze(&h0, 0)?, x.sizes()[0]);
        let before = match c.p.bool(0) {
            false => cat(&[&first, &narrow(&out, 0, 0, steps - 1)?], 0)?,
            true => cat(&[&narrow(&out, 0, 1, steps - 1)?, &first], 0)?,
        };
        weight(&before)
    };
    grads!(c;
        X => matmul(&got[0], &w_ih),
        W_IH => weight(&x),
        W_HH => recurrent(),
        B_IH => sum(&rows, &[0], false),
        B_HH => sum(&rows, &[0], false),
        H0 => Ok::<_, flambeau_core::Error>(got[1].clone()),
        C0 => Ok::<_, flambeau_core::Error>(got[2].clone()),
    )
}

fn run_backward(b: &dyn Backend, x: Inputs, o: &[Tensor], p: &Params) -> Result<()> {
    no_grad(|| {
        let plain = |i: usize| contiguous(&arg(x, i)?.detach());
        let (w, c0) = (plain(AT + W_HH)?, plain(AT + C0)?);
        let (gates, cells) = (plain(AT + ARGUMENTS)?, plain(AT + ARGUMENTS + 1)?);
        for i in [1, 2] {
            match opt(x, i) {
                Some(g) => copy_(&o[i], &g.detach())?,
                None => b.fill(o[i].raw(), 0.0.into())?,
            }
        }
        let g = opt(x, 0).map(|g| contiguous(&g.detach())).transpose()?;
        let trace = LstmTrace { gates: gates.raw(), cells: cells.raw(), before: c0.raw() };
        let g = g.as_ref().map(Tensor::raw);
        b.lstm_backward(w.raw(), trace, g, o[1].raw(), o[2].raw(), o[0].raw(), p.bool(0))
    })
}

/// Layers of two features and three hidden units over two sequences, with and without biases and in both directions.
fn layers(s: &mut Samples, mut f: impl FnMut(&mut Samples, Vec<Option<Tensor>>, Params)) {
    for (steps, biased, reverse) in [(3, true, false), (2, false, true), (1, true, false)] {
        let mut x: Vec<Option<Tensor>> =
            [vec![steps, 2, 2], vec![12, 2], vec![12, 3]].iter().map(|n| Some(s.uniform(n, -1.0, 1.0))).collect();
        x.extend([12, 12].map(|n| biased.then(|| s.uniform(&[n], -1.0, 1.0))));
        x.extend([0, 0].map(|_| Some(s.uniform(&[2, 3], -1.0, 1.0))));
        f(s, x, params![reverse]);
    }
}

rows! { ROWS_ALL:
    lstm_layer = OpDef {
        sig: "lstm_layer(Tensor input, Tensor w_ih, Tensor w_hh, Tensor? b_ih, Tensor? b_hh, Tensor hx, Tensor cx, bool reverse) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
        doc: "Long short-term memory (Hochreiter and Schmidhuber, 1997) over `input` of (L, N, features) with `w_ih` (4H, features), `w_hh` (4H, H) and states (N, H): \
              outputs, last output, last cell state, activated gates, cell states. float32 and float64.",
        surfaces: NN,
        kind: Kind::Kernel { infer, run },
        diff: Diff::Vjp(vjp),
        saves: Saves { inputs: (1 << ARGUMENTS) - 1, outputs: 0b11001, cross: false },
        diff_outputs: 0b111,
        decompose: Some(meaning),
        samples: Some(|s| layers(s, |s, x, p| {
            let wanted = x.iter().enumerate().filter(|(_, t)| t.is_some()).fold(0, |m, (i, _)| m | 1 << i);
            s.push(x, p, wanted);
        })),
        ..BASE
    };
    lstm_layer_backward = OpDef {
        sig: "lstm_layer_backward(Tensor? grad, Tensor? grad_hy, Tensor? grad_cy, Tensor input, Tensor w_ih, Tensor w_hh, Tensor? b_ih, Tensor? b_hh, Tensor hx, Tensor cx, Tensor gates, Tensor cells, bool reverse) -> (Tensor, Tensor, Tensor)",
        doc: "Gradients of `lstm_layer` for the gates before activation and for the first states.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, _| {
                let (gates, h) = (arg(x, AT + ARGUMENTS)?, arg(x, AT + H0)?);
                let meta = |t: &Tensor| Meta::new(t.sizes(), t.dtype(), t.device());
                Ok(smallvec::smallvec![meta(gates), meta(h), meta(h)])
            },
            run: run_backward,
        },
        diff: Diff::Decompose,
        // Gates and cell states are functions of the layer's arguments.
        saves: Saves { inputs: (1 << (AT + ARGUMENTS)) - 1, outputs: 0, cross: false },
        decompose: Some(backward_meaning),
        samples: Some(|s| layers(s, |s, x, p| {
            let refs: Vec<Option<&Tensor>> = x.iter().map(Option::as_ref).collect();
            let y = call(&lstm_layer::OP, &refs, p.clone()).expect("fitting operands");
            let mut all: Vec<Option<Tensor>> = vec![Some(s.normal(y[0].sizes())), Some(s.normal(&[2, 3])), Some(s.normal(&[2, 3]))];
            all.extend(x);
            all.extend([Some(y[3].clone()), Some(y[4].clone())]);
            // Only the incoming gradients are free: gates and cells belong to the other arguments.
            s.push(all, p, 0b111);
        })),
        ..BASE
    };
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
