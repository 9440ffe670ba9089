//! One step of gated recurrent networks, from the linear parts of their gates. The operations are PyTorch's, so that the
//! graph is.

use flambeau_core::op::{Kind, OpDef, Outs, Params};
use flambeau_core::{Result, Tensor, check};

use crate::binary::{add, mul, sub};
use crate::operand::*;
use crate::unary::{sigmoid, tanh};
use crate::view::split_to_change;

/// The parts of all gates in one dimension, the last.
fn gates(t: &Tensor, n: i64) -> Result<Outs> {
    let width = t.sizes().last().copied().unwrap_or(0);
    check!(width > 0 && width % n == 0, Runtime, "{n} gates expected, but the last dimension is {width}");
    split_to_change(t, width / n, -1)
}

/// One step of an LSTM: the activated gates (input, forget, cell, output), the new cell state, the new state.
pub(crate) fn lstm(linear: &Tensor, cell: &Tensor) -> Result<([Tensor; 4], Tensor, Tensor)> {
    let all = gates(linear, 4)?;
    let (input, forget, output) = (sigmoid(&all[0])?, sigmoid(&all[1])?, sigmoid(&all[3])?);
    let new = tanh(&all[2])?;
    let cell = add(&mul(&forget, cell)?, &mul(&input, &new)?)?;
    let out = mul(&output, &tanh(&cell)?)?;
    Ok(([input, forget, new, output], cell, out))
}

/// `x` and `h` parts of `n` gates of width 2, and a state.
fn samples(s: &mut flambeau_core::op::Samples, n: i64) {
    let (x, h, state) = (s.normal(&[3, 2 * n]), s.normal(&[3, 2 * n]), s.normal(&[3, 2]));
    s.push(vec![Some(x), Some(h), Some(state)], Params::new(), 7);
}

rows! { ROWS_ALL:
    lstm_step = OpDef {
        sig: "lstm_step(Tensor input_gates, Tensor hidden_gates, Tensor cell) -> (Tensor, Tensor)",
        doc: "The new state and cell `(n, h)` of an LSTM from the input's and the state's parts of the gates `(n, 4 h)`.",
        surfaces: INTERNAL,
        kind: Kind::Composite(|x, _| {
            let (_, cell, out) = lstm(&add(arg(x, 1)?, arg(x, 0)?)?, arg(x, 2)?)?;
            Ok(Outs::from_iter([out, cell]))
        }),
        samples: Some(|s| samples(s, 4)),
        ..BASE
    };
    gru_step = OpDef {
        sig: "gru_step(Tensor input_gates, Tensor hidden_gates, Tensor hidden) -> Tensor",
        doc: "The new state `(n, h)` of a GRU from the input's and the state's parts of the gates `(n, 3 h)`.",
        surfaces: INTERNAL,
        kind: Kind::Composite(|x, _| {
            let (i, h) = (gates(arg(x, 0)?, 3)?, gates(arg(x, 1)?, 3)?);
            let reset = sigmoid(&add(&h[0], &i[0])?)?;
            let update = sigmoid(&add(&h[1], &i[1])?)?;
            let new = tanh(&add(&i[2], &mul(&h[2], &reset)?)?)?;
            Ok(Outs::from_iter([add(&mul(&sub(arg(x, 2)?, &new)?, &update)?, &new)?]))
        }),
        samples: Some(|s| samples(s, 3)),
        ..BASE
    };
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
