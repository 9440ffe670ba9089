//! Recurrent networks: one direction of one layer over whole sequences.

use super::{Raw, missing};
use crate::error::Result;

/// What a layer's steps left behind, `t` steps of `n` sequences with `h` hidden units.
#[derive(Clone, Copy)]
pub struct LstmTrace<'a> {
    /// The activated gates, input, forget, cell, output: `[t, n, 4h]`.
    pub gates: Raw<'a>,
    /// The cell states: `[t, n, h]`.
    pub cells: Raw<'a>,
    /// The cell state before the first step: `[n, h]`.
    pub before: Raw<'a>,
}

/// float32 and float64; every operand is row-major without gaps, and no two overlap.
pub trait Recurrent {
    /// Long short-term memory (Hochreiter and Schmidhuber, 1997; with a forget gate). `trace.gates` comes with what inputs and biases
    /// contribute and leaves activated; `trace.cells` and the outputs `out` (`[t, n, h]`) are written. `w` is `[4h, h]`, `h0` `[n, h]`.
    /// Steps run backwards in time if `reverse`.
    fn lstm(&self, w: Raw, h0: Raw, out: Raw, trace: LstmTrace, reverse: bool) -> Result<()> {
        let _ = (w, h0, out, trace, reverse);
        Err(missing("lstm"))
    }

    /// Gradients of [`lstm`](Self::lstm): `g_out` of the outputs, the accumulators `g_h` and `g_c` (`[n, h]`) of the last states
    /// when called, of the first ones afterwards; `g_gates` (`[t, n, 4h]`) is written with the gradients of the gates before activation.
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
        let _ = (w, trace, g_out, g_h, g_c, g_gates, reverse);
        Err(missing("lstm_backward"))
    }
}
