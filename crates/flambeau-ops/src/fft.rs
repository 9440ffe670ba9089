//! Discrete Fourier transforms.

use flambeau_core::layout::{Dims, wrap_dim};
use flambeau_core::op::{Diff, Inputs, Kind, Meta, OpDef, Outs, Params, ParamsExt, Samples};
use flambeau_core::{DType, Result, Tensor, bail, call1, check, default_dtype, params};
use flambeau_linalg::fft::Transform;
use flambeau_linalg::{C32, C64};

use crate::binary::mul_scalar;
use crate::decompose_run::{Stored, fill, read, write};
use crate::operand::*;
use crate::view::narrow;

type Device<'a> = &'a dyn flambeau_core::backend::Backend;

/// The last dimension's length.
fn last(t: &Tensor) -> usize {
    t.sizes()[t.ndim() - 1] as usize
}

fn scaled<T: Copy + std::ops::Mul<R, Output = T>, R: Copy>(data: &mut [T], by: f64, r: fn(f64) -> R) {
    if by != 1.0 {
        data.iter_mut().for_each(|v| *v = *v * r(by));
    }
}

/// Both precisions of a kernel, by the dtype of `t`.
macro_rules! by_precision {
    ($t:expr, $f:ident($($a:expr),*)) => {
        if $t.dtype().to_real() == DType::F32 {
            $f::<f32, C32>($($a),*, |x| x as f32)
        } else {
            $f::<f64, C64>($($a),*, |x| x)
        }
    };
}

/// What a real type and its complex one have in common with `rustfft`'s.
trait Pair<R>: Stored + std::ops::Mul<R, Output = Self> {
    fn complex(x: &mut [Self], n: usize, forward: bool);
    fn real(x: &mut [R], out: &mut [Self], n: usize);
    fn half(x: &mut [Self], out: &mut [R], n: usize);
}

macro_rules! pair {
    ($r:ty, $c:ty) => {
        impl Pair<$r> for $c {
            fn complex(x: &mut [$c], n: usize, forward: bool) {
                <$r>::complex(x, n, forward)
            }
            fn real(x: &mut [$r], out: &mut [$c], n: usize) {
                <$r>::real(x, out, n)
            }
            fn half(x: &mut [$c], out: &mut [$r], n: usize) {
                <$r>::half(x, out, n)
            }
        }
    };
}
pair!(f32, C32);
pair!(f64, C64);

/// The kernels transform the last dimension, where the callers have moved theirs.
fn complex_run<R: Copy, C: Pair<R>>(b: Device, t: &Tensor, out: &Tensor, p: &Params, r: fn(f64) -> R) -> Result<()> {
    let mut data = read::<C>(t)?;
    C::complex(&mut data, last(t), p.bool(0));
    scaled(&mut data, p.float(1), r);
    write(b, out, &data)
}

fn real_run<R: Stored + std::ops::Mul<Output = R>, C: Pair<R>>(
    b: Device,
    t: &Tensor,
    out: &Tensor,
    p: &Params,
    r: fn(f64) -> R,
) -> Result<()> {
    let mut data = read::<R>(t)?;
    fill::<C>(b, out, |room| {
        C::real(&mut data, room, last(t));
        scaled(room, p.float(1), r);
    })
}

fn half_run<R: Stored + std::ops::Mul<Output = R>, C: Pair<R>>(
    b: Device,
    t: &Tensor,
    out: &Tensor,
    p: &Params,
    r: fn(f64) -> R,
) -> Result<()> {
    let mut data = read::<C>(t)?;
    fill::<R>(b, out, |room| {
        C::half(&mut data, room, p.int(0) as usize);
        scaled(room, p.float(1), r);
    })
}

/// The input's sizes with another last one.
fn resized_meta(x: Inputs, n: i64, dtype: DType) -> Result<Meta> {
    let t = arg(x, 0)?;
    let mut sizes = Dims::from_slice(t.sizes());
    *sizes.last_mut().expect("a dimension to transform") = n;
    Ok(Meta::new(&sizes, dtype, t.device()))
}

/// A number of half a spectrum counts twice unless it is its own mirror image.
fn counts(x: &Tensor, n: i64) -> Result<Tensor> {
    let m = n / 2 + 1;
    let once = |k: i64| k == 0 || 2 * k == n;
    let weights: Vec<f64> = (0..m).map(|k| if once(k) { 1.0 } else { 2.0 }).collect();
    crate::binary::mul(x, &crate::copy::to_dtype(&Tensor::from_slice(&weights, &[m])?, x.dtype().to_real())?)
}

/// The factor of a transform of length `n` under a normalisation.
fn factor(n: i64, norm: &str, forward: bool) -> Result<f64> {
    Ok(match (norm, forward) {
        ("" | "backward", true) | ("forward", false) => 1.0,
        ("" | "backward", false) | ("forward", true) => 1.0 / n as f64,
        ("ortho", _) => 1.0 / (n as f64).sqrt(),
        _ => bail!(Runtime, "Invalid normalization mode: \"{norm}\""),
    })
}

/// Numbers as the transforms take them: integers become the default float type.
fn promoted(x: &Tensor, complex: bool) -> Result<Tensor> {
    let d = match x.dtype() {
        d if !d.is_differentiable() => default_dtype(),
        DType::F32 | DType::F64 | DType::C64 | DType::C128 => x.dtype(),
        d => bail!(NotImplemented, "Unsupported dtype {}", d.scalar_name()),
    };
    crate::copy::to_dtype(x, if complex { d.to_complex() } else { d })
}

/// Cut or filled with zeros to length `n` along `d`.
fn resized(x: &Tensor, d: i64, n: i64) -> Result<Tensor> {
    check!(n >= 1, Runtime, "Invalid number of data points ({n}) specified");
    let have = x.size(d)?;
    if have >= n {
        return if have == n { Ok(x.clone()) } else { narrow(x, d, 0, n) };
    }
    let d = wrap_dim(d, x.ndim())?;
    let mut amounts = vec![0; 2 * (x.ndim() - d)];
    amounts[2 * (x.ndim() - 1 - d) + 1] = n - have;
    call1(&crate::shape::constant_pad_nd::OP, &[Some(x)], params![amounts, 0.0])
}

/// A kernel of the last dimension applied to `d`.
fn along(x: &Tensor, d: i64, op: &'static OpDef, p: Params) -> Result<Tensor> {
    if wrap_dim(d, x.ndim())? == x.ndim() - 1 {
        return call1(op, &[Some(x)], p);
    }
    crate::view::transpose(&call1(op, &[Some(&crate::view::transpose(x, d, -1)?)], p)?, d, -1)
}

/// A complex transform along some dimensions, as one node.
fn complex_dims(x: &Tensor, dims: &[i64], forward: bool, scale: f64) -> Result<Tensor> {
    call1(&fft_c2c::OP, &[Some(x)], params![dims, forward, scale])
}

/// The steps of [`complex_dims`]: the factor goes with the first one.
fn each_dim(x: &Tensor, dims: &[i64], forward: bool, mut scale: f64) -> Result<Tensor> {
    let mut y = x.clone();
    for &d in dims {
        y = along(&y, d, &fft_kernel::OP, params![forward, scale])?;
        scale = 1.0;
    }
    Ok(y)
}

fn lengths(plan: &[(i64, i64)]) -> (Vec<i64>, i64) {
    (plan.iter().map(|p| p.0).collect(), plan.iter().map(|p| p.1).product())
}

fn check_dim(x: &Tensor, d: i64) -> Result<i64> {
    check!(x.ndim() > 0, Index, "Dimension specified as {d} but tensor has no dimensions");
    Ok(wrap_dim(d, x.ndim())? as i64)
}

fn complex_1d(x: &Tensor, n: Option<i64>, d: i64, norm: &str, forward: bool) -> Result<Tensor> {
    let d = check_dim(x, d)?;
    let n = n.unwrap_or(x.sizes()[d as usize]);
    let x = resized(&promoted(x, false)?, d, n)?;
    let y = complex_dims(&x, &[d], forward || !x.dtype().is_complex(), factor(n, norm, forward)?)?;
    // The other direction of a real signal's transform is the conjugate.
    if forward || x.dtype().is_complex() { Ok(y) } else { crate::copy::conj(&y) }
}

/// The half of a real signal's spectrum that is not redundant; `forward` false gives `ihfft`.
fn real_1d(x: &Tensor, n: Option<i64>, d: i64, norm: &str, forward: bool) -> Result<Tensor> {
    let name = if forward { "rfft" } else { "ihfft" };
    check!(!x.dtype().is_complex(), Type, "{name} expects a real input tensor, but got {}", x.dtype().scalar_name());
    let d = check_dim(x, d)?;
    let n = n.unwrap_or(x.sizes()[d as usize]);
    let x = resized(&promoted(x, false)?, d, n)?;
    let y = call1(&fft_r2c::OP, &[Some(&x)], params![[d], n, factor(n, norm, forward)?])?;
    // The other direction of a real signal's transform is the conjugate.
    if forward { Ok(y) } else { crate::copy::conj(&y) }
}

/// A real signal of length `n` from half its spectrum; `forward` true gives `hfft`.
fn half_1d(x: &Tensor, n: Option<i64>, d: i64, norm: &str, forward: bool) -> Result<Tensor> {
    let d = check_dim(x, d)?;
    let n = n.unwrap_or(2 * (x.sizes()[d as usize] - 1));
    check!(n >= 1, Runtime, "Invalid number of data points ({n}) specified");
    let x = resized(&promoted(x, true)?, d, n / 2 + 1)?;
    let x = if forward { crate::copy::conj(&x)? } else { x };
    call1(&fft_c2r::OP, &[Some(&x)], params![[d], n, factor(n, norm, forward)?])
}

/// Which dimensions a transform of many works on, and their lengths.
fn canonical(x: &Tensor, s: Option<&[i64]>, dims: Option<&[i64]>, half: bool) -> Result<Vec<(i64, i64)>> {
    let rank = x.ndim();
    if let (Some(s), Some(d)) = (s, dims) {
        check!(s.len() == d.len(), Runtime, "When given, dim and shape arguments must have the same length");
    }
    let dims: Vec<i64> = match (dims, s) {
        (Some(d), _) => d.to_vec(),
        (None, Some(s)) => {
            check!(
                s.len() <= rank,
                Runtime,
                "Got shape with {} values but input tensor only has {rank} dimensions.",
                s.len()
            );
            (rank - s.len()..rank).map(|d| d as i64).collect()
        }
        (None, None) => (0..rank as i64).collect(),
    };
    let mut out: Vec<(i64, i64)> = Vec::new();
    for (i, &d) in dims.iter().enumerate() {
        check!(rank > 0, Index, "Dimension specified as {d} but tensor has no dimensions");
        let w = wrap_dim(d, rank)? as i64;
        check!(out.iter().all(|o| o.0 != w), Runtime, "FFT dims must be unique");
        let own = x.sizes().get(w as usize).copied().unwrap_or(1);
        let own = if half && i + 1 == dims.len() { 2 * (own - 1) } else { own };
        let n = s.map_or(own, |s| if s[i] == -1 { own } else { s[i] });
        check!(n >= 1, Runtime, "Invalid number of data points ({n}) specified");
        out.push((w, n));
    }
    Ok(out)
}

fn complex_nd(x: &Tensor, plan: &[(i64, i64)], norm: &str, forward: bool) -> Result<Tensor> {
    let mut y = promoted(x, true)?;
    for &(d, n) in plan {
        y = resized(&y, d, n)?;
    }
    let (dims, n) = lengths(plan);
    complex_dims(&y, &dims, forward, factor(n, norm, forward)?)
}

fn real_nd(x: &Tensor, plan: &[(i64, i64)], norm: &str, forward: bool) -> Result<Tensor> {
    let name = if forward { "rfftn" } else { "ihfftn" };
    check!(
        !x.dtype().is_complex(),
        Type,
        "{name} expects a real-valued input tensor, but got {}",
        x.dtype().scalar_name()
    );
    let Some(&(_, last)) = plan.last() else { bail!(Runtime, "{name} must transform at least one axis") };
    let mut y = promoted(x, false)?;
    for &(d, n) in plan {
        y = resized(&y, d, n)?;
    }
    let (dims, n) = lengths(plan);
    let y = call1(&fft_r2c::OP, &[Some(&y)], params![dims, last, factor(n, norm, forward)?])?;
    if forward { Ok(y) } else { crate::copy::conj(&y) }
}

fn half_nd(x: &Tensor, plan: &[(i64, i64)], norm: &str, forward: bool) -> Result<Tensor> {
    let name = if forward { "hfftn" } else { "irfftn" };
    let Some((&(d, n), rest)) = plan.split_last() else { bail!(Runtime, "{name} must transform at least one axis") };
    let mut y = promoted(x, true)?;
    for &(d, n) in rest {
        y = resized(&y, d, n)?;
    }
    y = resized(&y, d, n / 2 + 1)?;
    if forward {
        y = crate::copy::conj(&y)?;
    }
    let (dims, total) = lengths(plan);
    call1(&fft_c2r::OP, &[Some(&y)], params![dims, n, factor(total, norm, forward)?])
}

fn frequencies(p: &Params, half: bool) -> Result<Outs> {
    let (n, d) = (p.int(0), p.float(1));
    let dtype = p.dtype(2).unwrap_or_else(default_dtype);
    let positive = if half { n / 2 + 1 } else { (n + 1) / 2 };
    let list: Vec<i64> = if half { (0..positive).collect() } else { (0..positive).chain(-(n / 2)..0).collect() };
    let values: Vec<f64> = list.into_iter().map(|k| k as f64).collect();
    let t = Tensor::from_slice(&values, &[values.len() as i64])?;
    one(mul_scalar(&crate::copy::to_dtype(&t, dtype)?, 1.0 / (n as f64 * d))?)
}

/// Each dimension rolled by half its length.
fn shifted(x: &Tensor, dims: Option<&[i64]>, back: bool) -> Result<Tensor> {
    let all: Vec<i64> = (0..x.ndim() as i64).collect();
    let dims = dims.unwrap_or(&all);
    let by: Vec<i64> =
        dims.iter().map(|&d| x.size(d).map(|n| if back { (n + 1) / 2 } else { n / 2 })).collect::<Result<_>>()?;
    if dims.is_empty() {
        return crate::copy::clone(x);
    }
    call1(&crate::shape::roll::OP, &[Some(x)], params![by, dims])
}

const fn row(sig: &'static str, doc: &'static str, f: flambeau_core::op::Compose) -> OpDef {
    OpDef { sig, doc, surfaces: INTERNAL, kind: Kind::Composite(f), ..BASE }
}

fn signal(s: &mut Samples, p: Params) {
    let x = s.normal(&[2, 6]);
    s.push(vec![Some(x)], p, 1);
}

macro_rules! transforms {
    ($($name:ident, $sig:literal, $doc:literal, $one:expr;)*) => {
        rows! { ROWS_1D:
            $($name = OpDef {
                samples: Some(|s| for n in [None, Some(4i64), Some(7)] { signal(s, params![n, -1, "ortho"]) }),
                ..row($sig, $doc, |x, p| { let f: fn(&Tensor, Option<i64>, i64, &str) -> Result<Tensor> = $one; one(f(arg(x, 0)?, p.opt_int(0), p.int(1), p.str(2))?) })
            };)*
        }
    };
}
transforms! {
    fft_fft, "fft_fft(Tensor input, int? n=None, int dim=-1, str? norm=None, *, Tensor? out=None) -> Tensor", "The discrete Fourier transform along `dim`.", |x, n, d, m| complex_1d(x, n, d, m, true);
    fft_ifft, "fft_ifft(Tensor input, int? n=None, int dim=-1, str? norm=None, *, Tensor? out=None) -> Tensor", "The inverse discrete Fourier transform along `dim`.", |x, n, d, m| complex_1d(x, n, d, m, false);
    fft_rfft, "fft_rfft(Tensor input, int? n=None, int dim=-1, str? norm=None, *, Tensor? out=None) -> Tensor", "The first half of a real signal's Fourier transform.", |x, n, d, m| real_1d(x, n, d, m, true);
    fft_irfft, "fft_irfft(Tensor input, int? n=None, int dim=-1, str? norm=None, *, Tensor? out=None) -> Tensor", "A real signal of length `n` from the first half of its transform.", |x, n, d, m| half_1d(x, n, d, m, false);
    fft_hfft, "fft_hfft(Tensor input, int? n=None, int dim=-1, str? norm=None, *, Tensor? out=None) -> Tensor", "The transform of a Hermitian signal, given by its first half.", |x, n, d, m| half_1d(x, n, d, m, true);
    fft_ihfft, "fft_ihfft(Tensor input, int? n=None, int dim=-1, str? norm=None, *, Tensor? out=None) -> Tensor", "The inverse of `hfft`.", |x, n, d, m| real_1d(x, n, d, m, false);
}

rows! { ROWS_ND:
    fft_kernel = OpDef {
        kind: Kind::Kernel {
            infer: |x, _| { let x = arg(x, 0)?; Ok(smallvec::smallvec![Meta::new(x.sizes(), x.dtype().to_complex(), x.device())]) },
            run: |b, x, o, p| { let t = arg(x, 0)?; by_precision!(o[0], complex_run(b, t, &o[0], p)) },
        },
        // The adjoint of a transform is the one in the other direction.
        diff: Diff::Vjp(|c| grads!(c; 0 => call1(&fft_kernel::OP, &[Some(c.g())], params![!c.p.bool(0), c.p.float(1)]))),
        samples: Some(|s| {
            signal(s, params![true, 1.0]);
            signal(s, params![false, 0.5]);
        }),
        ..row("fft_kernel(Tensor input, bool forward, float scale) -> Tensor", "The transform of the last dimension.", |_, _| Ok(Outs::new()))
    };
    fft_real_kernel = OpDef {
        kind: Kind::Kernel {
            infer: |x, p| Ok(smallvec::smallvec![resized_meta(x, p.int(0) / 2 + 1, arg(x, 0)?.dtype().to_complex())?]),
            run: |b, x, o, p| { let t = arg(x, 0)?; by_precision!(o[0], real_run(b, t, &o[0], p)) },
        },
        // The adjoint of the whole transform, the missing half being zero.
        diff: Diff::Vjp(|c| grads!(c; 0 => {
            let g = resized(c.g(), -1, c.p.int(0))?;
            crate::copy::real(&call1(&fft_kernel::OP, &[Some(&g)], params![false, c.p.float(1)])?)
        })),
        samples: Some(|s| signal(s, params![6i64, 0.5])),
        ..row("fft_real_kernel(Tensor input, int n, float scale) -> Tensor", "Half the transform of the last dimension of real numbers.", |_, _| Ok(Outs::new()))
    };
    fft_half_kernel = OpDef {
        kind: Kind::Kernel {
            infer: |x, p| Ok(smallvec::smallvec![resized_meta(x, p.int(0), arg(x, 0)?.dtype().to_real())?]),
            run: |b, x, o, p| { let t = arg(x, 0)?; by_precision!(o[0], half_run(b, t, &o[0], p)) },
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => {
            counts(&call1(&fft_real_kernel::OP, &[Some(c.g())], c.p.clone())?, c.p.int(0))
        })),
        // Six numbers are half the spectrum of ten or of eleven.
        samples: Some(|s| for n in [10i64, 11] { signal(s, params![n, 0.5]) }),
        ..row("fft_half_kernel(Tensor input, int n, float scale) -> Tensor", "The real numbers whose transform the last dimension holds half of.", |_, _| Ok(Outs::new()))
    };
    fft_c2c = row("fft_c2c(Tensor input, int[] dim, bool forward, float scale) -> Tensor", "The transform along some dimensions, of real or complex numbers.",
        |x, p| { let t = arg(x, 0)?; one(each_dim(&crate::copy::to_dtype(t, t.dtype().to_complex())?, p.ints(0), p.bool(1), p.float(2))?) });
    fft_r2c = row("fft_r2c(Tensor input, int[] dim, int n, float scale) -> Tensor", "Half the transform along some dimensions of real numbers; the last one has length `n`.",
        |x, p| {
            let Some((&d, rest)) = p.ints(0).split_last() else { bail!(Runtime, "no dimension to transform") };
            one(each_dim(&along(arg(x, 0)?, d, &fft_real_kernel::OP, params![p.int(1), p.float(2)])?, rest, true, 1.0)?)
        });
    fft_c2r = row("fft_c2r(Tensor input, int[] dim, int n, float scale) -> Tensor", "The real numbers whose transform along some dimensions is given by half; `n` is the last one's length.",
        |x, p| {
            let Some((&d, rest)) = p.ints(0).split_last() else { bail!(Runtime, "no dimension to transform") };
            one(along(&each_dim(arg(x, 0)?, rest, false, 1.0)?, d, &fft_half_kernel::OP, params![p.int(1), p.float(2)])?)
        });
    fft_fftn = row("fft_fftn(Tensor input, int[1]? s=None, int[1]? dim=None, str? norm=None, *, Tensor? out=None) -> Tensor", "The discrete Fourier transform over several dimensions.",
        |x, p| { let t = arg(x, 0)?; one(complex_nd(t, &canonical(t, p.opt_ints(0), p.opt_ints(1), false)?, p.str(2), true)?) });
    fft_ifftn = row("fft_ifftn(Tensor input, int[1]? s=None, int[1]? dim=None, str? norm=None, *, Tensor? out=None) -> Tensor", "The inverse of `fftn`.",
        |x, p| { let t = arg(x, 0)?; one(complex_nd(t, &canonical(t, p.opt_ints(0), p.opt_ints(1), false)?, p.str(2), false)?) });
    fft_rfftn = row("fft_rfftn(Tensor input, int[1]? s=None, int[1]? dim=None, str? norm=None, *, Tensor? out=None) -> Tensor", "Half the transform of a real signal over several dimensions.",
        |x, p| { let t = arg(x, 0)?; one(real_nd(t, &canonical(t, p.opt_ints(0), p.opt_ints(1), false)?, p.str(2), true)?) });
    fft_ihfftn = row("fft_ihfftn(Tensor input, int[1]? s=None, int[1]? dim=None, str? norm=None, *, Tensor? out=None) -> Tensor", "The inverse of `hfftn`.",
        |x, p| { let t = arg(x, 0)?; one(real_nd(t, &canonical(t, p.opt_ints(0), p.opt_ints(1), false)?, p.str(2), false)?) });
    fft_irfftn = row("fft_irfftn(Tensor input, int[1]? s=None, int[1]? dim=None, str? norm=None, *, Tensor? out=None) -> Tensor", "The inverse of `rfftn`.",
        |x, p| { let t = arg(x, 0)?; one(half_nd(t, &canonical(t, p.opt_ints(0), p.opt_ints(1), true)?, p.str(2), false)?) });
    fft_hfftn = row("fft_hfftn(Tensor input, int[1]? s=None, int[1]? dim=None, str? norm=None, *, Tensor? out=None) -> Tensor", "The transform of a Hermitian signal over several dimensions.",
        |x, p| { let t = arg(x, 0)?; one(half_nd(t, &canonical(t, p.opt_ints(0), p.opt_ints(1), true)?, p.str(2), true)?) });
    fft_fftfreq = row("fft_fftfreq(int n, float d=1.0, *, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor", "The frequencies of a transform of length `n` at spacing `d`.", |_, p| frequencies(p, false));
    fft_rfftfreq = row("fft_rfftfreq(int n, float d=1.0, *, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor", "The frequencies of half a transform of length `n` at spacing `d`.", |_, p| frequencies(p, true));
    fft_fftshift = row("fft_fftshift(Tensor input, int[1]? dim=None) -> Tensor", "Frequency zero moved to the middle.", |x, p| one(shifted(arg(x, 0)?, p.opt_ints(0), false)?));
    fft_ifftshift = row("fft_ifftshift(Tensor input, int[1]? dim=None) -> Tensor", "The inverse of `fftshift`.", |x, p| one(shifted(arg(x, 0)?, p.opt_ints(0), true)?));
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_1D, ROWS_ND];
