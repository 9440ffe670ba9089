//! Complex convolutions: four real ones on the parts, in place (a part is a real tensor with doubled strides).

use flambeau_backend::{ConvParams, Raw};
use flambeau_backend::{DType, Result};

use half::f16;

use super::{Into, backward, forward, weight};
use crate::gemm::number::{Element, Widen};
use crate::scratch::Scratch;

/// The strides of a complex tensor's parts.
fn doubled(r: &Raw) -> Vec<i64> {
    r.strides.iter().map(|s| 2 * s).collect()
}

/// The real (0) or imaginary (1) part.
fn part<'a>(r: &Raw<'a>, strides: &'a [i64], which: usize) -> Raw<'a> {
    let dtype = r.dtype.to_real();
    Raw { ptr: r.ptr.wrapping_add(which * dtype.size()), dtype, sizes: r.sizes, strides }
}

type Real<'f> = dyn Fn(Raw, Raw, Option<Raw>, Raw, Into) -> Result<()> + 'f;

/// `out = f(a, b) + bias` from real products; complex32 through complex64, rounded once.
fn by_parts(a: Raw, b: Raw, bias: Option<Raw>, out: Raw, f: &Real) -> Result<()> {
    if out.dtype == DType::C32 {
        let wide = [Wide::new(&a), Wide::new(&b), Wide::new(&out)];
        let wide_bias = bias.as_ref().map(Wide::new);
        for (w, r) in [(&wide[0], a), (&wide[1], b)].into_iter().chain(wide_bias.as_ref().zip(bias)) {
            w.pair(&r, |wide, half| *wide = half.map(f16::widen));
        }
        by_parts(wide[0].raw(), wide[1].raw(), wide_bias.as_ref().map(Wide::raw), wide[2].raw(), f)?;
        wide[2].pair(&out, |wide, half| *half = wide.map(f16::narrow));
        return Ok(());
    }
    let (sa, sb, so) = (doubled(&a), doubled(&b), doubled(&out));
    let s_bias = bias.as_ref().map(doubled).unwrap_or_default();
    let (a, b, o) = (|i| part(&a, &sa, i), |i| part(&b, &sb, i), |i| part(&out, &so, i));
    let bias = |i| bias.as_ref().map(|r| part(r, &s_bias, i));
    f(a(0), b(0), bias(0), o(0), Into { alpha: 1.0, add: false })?;
    f(a(1), b(1), None, o(0), Into { alpha: -1.0, add: true })?;
    f(a(0), b(1), bias(1), o(1), Into { alpha: 1.0, add: false })?;
    f(a(1), b(0), None, o(1), Into { alpha: 1.0, add: true })
}

/// A dense complex64 copy's memory.
struct Wide {
    data: Scratch<[f32; 2]>,
    sizes: Vec<i64>,
    strides: Vec<i64>,
}

impl Wide {
    fn new(r: &Raw) -> Wide {
        let mut strides = vec![1; r.ndim()];
        for d in (1..r.ndim()).rev() {
            strides[d - 1] = strides[d] * r.sizes[d];
        }
        Wide { data: Scratch::new(r.numel()), sizes: r.sizes.to_vec(), strides }
    }

    /// Calls `f` with each element of the copy and of the complex32 original.
    fn pair(&self, original: &Raw, f: impl Fn(&mut [f32; 2], &mut [f16; 2])) {
        for i in 0..original.numel() {
            let (mut rest, mut at) = (i as i64, 0);
            for d in (0..self.sizes.len()).rev() {
                at += rest % self.sizes[d] * original.strides[d];
                rest /= self.sizes[d];
            }
            // SAFETY: element `i` exists in both.
            unsafe { f(&mut *self.data.ptr().add(i), &mut *original.ptr.cast::<[f16; 2]>().offset(at as isize)) };
        }
    }

    fn raw(&self) -> Raw<'_> {
        Raw { ptr: self.data.ptr().cast(), dtype: DType::C64, sizes: &self.sizes, strides: &self.strides }
    }
}

pub(super) fn conv(x: Raw, w: Raw, bias: Option<Raw>, out: Raw, p: &ConvParams) -> Result<()> {
    by_parts(x, w, bias, out, &|x, w, b, o, into| forward(x, w, b, o, p, into))
}

pub(super) fn conv_input(g: Raw, w: Raw, bias: Option<Raw>, gx: Raw, p: &ConvParams) -> Result<()> {
    by_parts(g, w, bias, gx, &|g, w, b, o, into| backward(g, w, b, o, p, into))
}

pub(super) fn conv_weight(g: Raw, x: Raw, gw: Raw, p: &ConvParams) -> Result<()> {
    by_parts(g, x, None, gw, &|g, x, _, o, into| weight(g, x, o, p, into))
}
