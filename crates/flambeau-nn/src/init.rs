//! First values of parameters: PyTorch's formulas and its order of draws, so that a seed gives the same weights.
//!
//! Every function changes the tensor in place without recording a gradient.

use flambeau_core::autograd::no_grad;
use flambeau_core::backend::Distribution;
use flambeau_core::{Error, Result, Scalar, Tensor, check};
use flambeau_ops::random::fill_random;

/// Which size keeps the variance: that of the inputs (forward) or of the outputs (backward).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fan {
    In,
    Out,
}

/// The nonlinearity that follows a layer, for [`calculate_gain`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nonlinearity {
    Linear,
    Sigmoid,
    Tanh,
    Relu,
    /// With its negative slope.
    LeakyRelu(f64),
    Selu,
}

/// The factor by which a nonlinearity wants the weights scaled.
pub fn calculate_gain(n: Nonlinearity) -> f64 {
    match n {
        Nonlinearity::Linear | Nonlinearity::Sigmoid => 1.0,
        Nonlinearity::Tanh => 5.0 / 3.0,
        Nonlinearity::Relu => 2f64.sqrt(),
        Nonlinearity::LeakyRelu(slope) => (2.0 / (1.0 + slope * slope)).sqrt(),
        Nonlinearity::Selu => 0.75,
    }
}

fn draw(t: &Tensor, kind: Distribution) -> Result<()> {
    fill_random(&t.detach(), kind, None)?;
    t.bump_version();
    Ok(())
}

/// Uniform numbers in `[a, b)`.
pub fn uniform_(t: &Tensor, a: f64, b: f64) -> Result<()> {
    draw(t, Distribution::Uniform { from: a, to: b })
}

pub fn normal_(t: &Tensor, mean: f64, std: f64) -> Result<()> {
    draw(t, Distribution::Normal { mean, std })
}

pub fn constant_(t: &Tensor, value: f64) -> Result<()> {
    no_grad(|| flambeau_ops::copy::fill_(t, Scalar::Float(value)))
}

pub fn zeros_(t: &Tensor) -> Result<()> {
    constant_(t, 0.0)
}

pub fn ones_(t: &Tensor) -> Result<()> {
    constant_(t, 1.0)
}

/// `(fan_in, fan_out)` of a weight: its second and first size times its window.
pub fn fans(t: &Tensor) -> Result<(f64, f64)> {
    check!(t.ndim() >= 2, Value, "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions");
    let s = t.sizes();
    let field: i64 = s[2..].iter().product();
    Ok(((s[1] * field) as f64, (s[0] * field) as f64))
}

/// Uniform in `±gain * sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio, 2010).
pub fn xavier_uniform_(t: &Tensor, gain: f64) -> Result<()> {
    let (i, o) = fans(t)?;
    let a = 3f64.sqrt() * gain * (2.0 / (i + o)).sqrt();
    uniform_(t, -a, a)
}

/// Normal of deviation `gain * sqrt(2 / (fan_in + fan_out))` (Glorot and Bengio, 2010).
pub fn xavier_normal_(t: &Tensor, gain: f64) -> Result<()> {
    let (i, o) = fans(t)?;
    normal_(t, 0.0, gain * (2.0 / (i + o)).sqrt())
}

fn kaiming_std(t: &Tensor, fan: Fan, n: Nonlinearity) -> Result<f64> {
    let (i, o) = fans(t)?;
    Ok(calculate_gain(n) / if fan == Fan::In { i } else { o }.sqrt())
}

/// Uniform in `±gain * sqrt(3 / fan)` (He et al., 2015).
pub fn kaiming_uniform_(t: &Tensor, fan: Fan, n: Nonlinearity) -> Result<()> {
    if t.numel() == 0 {
        return Ok(());
    }
    let bound = 3f64.sqrt() * kaiming_std(t, fan, n)?;
    uniform_(t, -bound, bound)
}

/// Normal of deviation `gain / sqrt(fan)` (He et al., 2015).
pub fn kaiming_normal_(t: &Tensor, fan: Fan, n: Nonlinearity) -> Result<()> {
    if t.numel() == 0 {
        return Ok(());
    }
    normal_(t, 0.0, kaiming_std(t, fan, n)?)
}

/// The identity matrix: a linear layer then passes on as many inputs as it can.
pub fn eye_(t: &Tensor) -> Result<()> {
    check!(t.ndim() == 2, Value, "Only tensors with 2 dimensions are supported");
    zeros_(t)?;
    let n = t.sizes()[0].min(t.sizes()[1]);
    no_grad(|| {
        for i in 0..n {
            let row = flambeau_ops::view::select(&t.detach(), 0, i)?;
            flambeau_ops::copy::fill_(&flambeau_ops::view::select(&row, 0, i)?, Scalar::Float(1.0))?;
        }
        Ok::<_, Error>(())
    })
}

/// What linear layers and convolutions start with: the weight, then the bias.
pub(crate) fn default_(weight: &Tensor, bias: Option<&Tensor>) -> Result<()> {
    kaiming_uniform_(weight, Fan::In, Nonlinearity::LeakyRelu(5f64.sqrt()))?;
    let Some(bias) = bias else { return Ok(()) };
    let (fan_in, _) = fans(weight)?;
    let bound = if fan_in > 0.0 { 1.0 / fan_in.sqrt() } else { 0.0 };
    uniform_(bias, -bound, bound)
}
