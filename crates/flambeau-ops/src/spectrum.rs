//! Short-time Fourier transforms.

use flambeau_core::layout::fmt;
use flambeau_core::op::{Inputs, Kind, OpDef, Outs, Params, ParamsExt, Value};
use flambeau_core::{Error, Result, Scalar, Tensor, call1, check, params};

use crate::binary::{div, mul};
use crate::operand::*;
use crate::view::{narrow, reshape, transpose, unsqueeze};

/// What both directions read from their parameters.
struct Frames {
    n: i64,
    hop: i64,
    length: i64,
}

/// The window with zeros on both sides up to `n`; ones where there is none.
fn centred(window: Option<&Tensor>, f: &Frames, like: &Tensor) -> Result<Option<Tensor>> {
    if window.is_none() && f.length == f.n {
        return Ok(None);
    }
    let w = match window {
        Some(w) => w.clone(),
        None => crate::create::full(&[f.length], Scalar::Int(1), like.dtype().to_real(), like.device())?,
    };
    if f.length == f.n {
        return Ok(Some(w));
    }
    let left = (f.n - f.length) / 2;
    Ok(Some(call1(
        &crate::shape::constant_pad_nd::OP,
        &[Some(&w)],
        params![[left, f.n - f.length - left], Scalar::Int(0)],
    )?))
}

/// PyTorch's line about a refused call.
fn told(name: &str, x: &Tensor, window: Option<&Tensor>, f: &Frames, rest: String, what: String) -> Error {
    let window =
        window.map_or("None".into(), |w| format!("torch.{}Tensor{{{}}}", w.dtype().scalar_name(), fmt(w.sizes())));
    Error::runtime(format!(
        "{name}({}{}, n_fft={}, hop_length={}, win_length={}, window={window}, {rest}) : {what}",
        if name == "stft" {
            format!("torch.{}Tensor", x.dtype().scalar_name())
        } else {
            format!("CPU{}Type", x.dtype().scalar_name())
        },
        fmt(x.sizes()),
        f.n,
        f.hop,
        f.length
    ))
}

fn flag(v: Option<&Value>) -> String {
    match v {
        Some(Value::Bool(b)) => i32::from(*b).to_string(),
        Some(Value::Int(n)) => n.to_string(),
        _ => "None".into(),
    }
}

fn stft(x: Inputs, p: &Params) -> Result<Outs> {
    let (input, window) = (arg(x, 0)?, opt(x, 1));
    let n = p.int(0);
    let f = Frames { n, hop: p.opt_int(1).unwrap_or(n / 4), length: p.opt_int(2).unwrap_or(n) };
    let (center, pad_mode, normalized) = (p.bool(3), p.str(4), p.bool(5));
    let complex = input.dtype().is_complex() || window.is_some_and(|w| w.dtype().is_complex());
    let as_complex = match p.get(7) {
        Some(Value::Bool(b)) => *b,
        _ => {
            check!(
                complex,
                Runtime,
                "stft requires the return_complex parameter be given for real inputs, and will further require that return_complex=True in a future PyTorch release."
            );
            true
        }
    };
    check!(
        p.get(8) != Some(&Value::Bool(true)) || !center,
        Runtime,
        "stft align_to_window should only be set when center = false"
    );
    let rest = format!(
        "normalized={}, onesided={}, return_complex={}, align_to_window={}",
        i32::from(normalized),
        flag(p.get(6)),
        flag(p.get(7)),
        flag(p.get(8))
    );
    let fail = |t: &Tensor, what: String| told("stft", t, window, &f, rest.clone(), what);
    let rank = input.ndim();
    let mut shown = input.clone();
    if center && (1..=3).contains(&rank) {
        // Padding wants three dimensions.
        let mut three = vec![1; 3 - rank];
        three.extend_from_slice(input.sizes());
        let (pad, whole) = (n / 2, reshape(input, &three)?);
        let padded = call1(&crate::shape::pad::OP, &[Some(&whole)], params![[pad, pad], pad_mode, 0.0])?;
        shown = reshape(&padded, &padded.sizes()[3 - rank..])?;
    }
    check!(
        input.dtype().is_float() || input.dtype().is_complex(),
        NotImplemented,
        "{}",
        fail(&shown, "expected a tensor of floating point or complex values".into()).message()
    );
    if !(1..=2).contains(&rank) {
        return Err(fail(&shown, "expected a 1D or 2D tensor".into()));
    }
    let t = if rank == 1 { unsqueeze(&shown, 0)? } else { shown.clone() };
    let len = t.sizes()[1];
    if n <= 0 || n > len {
        return Err(fail(&shown, format!("expected 0 < n_fft < {len}, but got n_fft={n}")));
    }
    if f.hop <= 0 {
        return Err(fail(&shown, format!("expected hop_length > 0, but got hop_length={}", f.hop)));
    }
    if f.length <= 0 || f.length > n {
        return Err(fail(&shown, format!("expected 0 < win_length <= n_fft, but got win_length={}", f.length)));
    }
    if let Some(w) = window
        && (w.ndim() != 1 || w.sizes()[0] != f.length)
    {
        return Err(fail(
            &shown,
            format!(
                "expected a 1D window tensor of size equal to win_length={}, but got window with size {}",
                f.length,
                fmt(w.sizes())
            ),
        ));
    }
    let w = centred(window, &f, &t)?;
    let frames = call1(&crate::view::unfold::OP, &[Some(&t)], params![1, n, f.hop])?;
    let frames = match &w {
        Some(w) => mul(&frames, w)?,
        None => frames,
    };
    let onesided = match p.get(6) {
        Some(Value::Bool(b)) => *b,
        _ => !complex,
    };
    check!(!onesided || !complex, Runtime, "Cannot have onesided output if window or input is complex");
    let norm = if normalized { "ortho" } else { "backward" };
    let row = if onesided { &crate::fft::fft_rfft::OP } else { &crate::fft::fft_fft::OP };
    let y = call1(row, &[Some(&frames)], params![Option::<i64>::None, -1, norm])?;
    let mut y = transpose(&y, 1, 2)?;
    if input.ndim() == 1 {
        y = crate::view::squeeze(&y, 0)?;
    }
    let y = if as_complex { y } else { call1(&crate::view::view_as_real::OP, &[Some(&y)], Params::new())? };
    Ok(Outs::from_iter([y]))
}

/// Frames (`batch, frames, n`) added up at their places.
fn overlapped(frames: &Tensor, hop: i64) -> Result<Tensor> {
    let (b, m, n) = (frames.sizes()[0], frames.sizes()[1], frames.sizes()[2]);
    let len = n + hop * (m - 1);
    let at = crate::create::arange_int(0, len)?;
    let at = reshape(&call1(&crate::view::unfold::OP, &[Some(&at)], params![0, n, hop])?, &[-1])?;
    let zero = crate::create::zeros(&[b, len], frames.dtype(), frames.device())?;
    crate::scatter::index_add(&zero, 1, &at, &reshape(frames, &[b, m * n])?)
}

fn istft(x: Inputs, p: &Params) -> Result<Outs> {
    let (input, window) = (arg(x, 0)?, opt(x, 1));
    let n = p.int(0);
    let f = Frames { n, hop: p.opt_int(1).unwrap_or(n / 4), length: p.opt_int(2).unwrap_or(n) };
    let (center, normalized, length, complex) = (p.bool(3), p.bool(4), p.opt_int(6), p.bool(7));
    let rest = format!(
        "center={}, normalized={}, onesided={}, length={}, return_complex={}",
        i32::from(center),
        i32::from(normalized),
        flag(p.get(5)),
        flag(p.get(6)),
        i32::from(complex)
    );
    let fail = |what: String| told("istft", input, window, &f, rest.clone(), what);
    check!(
        input.dtype().is_complex(),
        Type,
        "istft requires a complex-valued input tensor matching the output from stft with return_complex=True."
    );
    if input.numel() == 0 {
        return Err(fail("input tensor cannot be empty.".into()));
    }
    if input.ndim() != 2 && input.ndim() != 3 {
        return Err(fail(format!("expected a tensor with 2 or 3 dimensions, but got {}", input.ndim())));
    }
    let t = if input.ndim() == 2 { unsqueeze(input, 0)? } else { input.clone() };
    let bins = t.sizes()[1];
    let onesided = match p.get(5) {
        Some(Value::Bool(b)) => *b,
        _ => bins != n,
    };
    if onesided && n / 2 + 1 != bins {
        return Err(fail(format!(
            "expected the frequency dimension (3rd to the last) of the input tensor to match n_fft / 2 + 1 when onesided=True, but got {bins}"
        )));
    }
    if !onesided && n != bins {
        return Err(fail(format!(
            "expected the frequency dimension (3rd to the last) of the input tensor to match n_fft when onesided=False, but got {bins}"
        )));
    }
    if f.hop <= 0 || f.hop > f.length {
        return Err(fail("expected 0 < hop_length <= win_length".into()));
    }
    if f.length <= 0 || f.length > n {
        return Err(fail("expected 0 < win_length <= n_fft".into()));
    }
    if let Some(w) = window
        && (w.ndim() != 1 || w.sizes()[0] != f.length)
    {
        return Err(fail(format!("Invalid window shape. window has to be 1D and length of `win_length`={}", f.length)));
    }
    check!(!complex || !onesided, Runtime, "cannot have onesided output if window or input is complex");
    let real = input.dtype().to_real();
    let window = match window {
        Some(w) => w.clone(),
        None => crate::create::full(
            &[f.length],
            Scalar::Int(1),
            if complex { input.dtype() } else { real },
            input.device(),
        )?,
    };
    check!(
        complex || !window.dtype().is_complex(),
        Runtime,
        "Complex windows are incompatible with return_complex=False"
    );
    let w = match centred(Some(&window), &f, &t)? {
        Some(w) => w,
        None => window,
    };
    let frames = transpose(&t, 1, 2)?;
    let norm = if normalized { "ortho" } else { "backward" };
    let frames = if complex {
        call1(&crate::fft::fft_ifft::OP, &[Some(&frames)], params![Option::<i64>::None, -1, norm])?
    } else {
        let half = if onesided { frames } else { narrow(&frames, -1, 0, n / 2 + 1)? };
        call1(&crate::fft::fft_irfft::OP, &[Some(&half)], params![n, -1, norm])?
    };
    let m = frames.sizes()[1];
    let y = overlapped(&mul(&frames, &w)?, f.hop)?;
    let squares = crate::view::expand(&reshape(&mul(&w, &w)?, &[1, 1, n])?, &[1, m, n])?;
    let envelope = overlapped(&squares, f.hop)?;
    let total = y.sizes()[1];
    let start = if center { n / 2 } else { 0 };
    let end = match length {
        Some(l) => start + l,
        None if center => total - n / 2,
        None => total,
    };
    let stop = end.min(total);
    if stop <= start {
        return Err(fail(format!("window overlap add min: 0, expected a signal that is longer than {start}")));
    }
    let (y, envelope) = (narrow(&y, 1, start, stop - start)?, narrow(&envelope, 1, start, stop - start)?);
    let least = crate::unary::abs(&envelope.detach())?;
    let least = crate::reduce::amax(&crate::unary::neg(&least)?, &[], false)?.item()?.to_f64();
    if -least <= 1e-11 {
        return Err(fail(format!("window overlap add min: {}", i32::from(-least > 1e-11))));
    }
    let mut y = div(&y, &envelope)?;
    if end > total {
        y = call1(&crate::shape::constant_pad_nd::OP, &[Some(&y)], params![[0, end - total], Scalar::Int(0)])?;
    }
    if input.ndim() == 2 {
        y = crate::view::squeeze(&y, 0)?;
    }
    Ok(Outs::from_iter([y]))
}

rows! { ROWS_ALL:
    stft = OpDef {
        sig: "stft(Tensor input, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None, bool center=True, str pad_mode='reflect', bool normalized=False, bool? onesided=None, bool? return_complex=None, bool? align_to_window=None) -> Tensor",
        doc: "The Fourier transforms of overlapping windows of a signal (or a batch of signals): frequencies by frames.",
        kind: Kind::Composite(stft),
        samples: Some(|s| {
            let (x, w) = (s.normal(&[2, 12]), s.uniform(&[4], 0.5, 1.5));
            let none = Option::<i64>::None;
            s.push(vec![Some(x), Some(w)], params![6, 2, 4, true, "reflect", true, none, false, none], 3);
        }),
        ..BASE
    };
    istft = OpDef {
        sig: "istft(Tensor input, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None, bool center=True, bool normalized=False, bool? onesided=None, int? length=None, bool return_complex=False) -> Tensor",
        doc: "The signal whose short-time Fourier transform comes nearest to `input` (the inverse of `stft`).",
        kind: Kind::Composite(istft),
        ..BASE
    };
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
