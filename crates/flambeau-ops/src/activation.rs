//! Activation functions and their one-pass gradients.

use flambeau_core::autograd::Vjp;
use flambeau_core::backend::{Backend, BinaryOp, UnaryOp};
use flambeau_core::op::{Diff, Inputs, Kind, OpDef, Params, ParamsExt, Samples, surface};
use flambeau_core::{Error, Result, Tensor, call1, params};

use crate::binary::{self, add, mul, mul_scalar, sub};
use crate::operand::*;
use crate::unary::{self, exp, infer, sigmoid, tanh};

const ANY: (f64, f64) = (-3.0, 3.0);

/// The scalar parameters of a row as a kernel takes them.
fn floats(p: &Params) -> smallvec::SmallVec<[f64; 3]> {
    (0..p.len()).map(|i| p.float(i)).collect()
}

fn run(b: &dyn Backend, op: UnaryOp, x: Inputs, o: &[Tensor], p: &[f64]) -> Result<()> {
    unary::run(b, op, x, o, p)
}

/// Parameters that PyTorch refuses.
fn limits(name: &str, x: &Tensor, p: &Params) -> Result<()> {
    match name {
        "softshrink" => flambeau_core::check!(
            p.float(0) >= 0.0,
            Runtime,
            "lambda must be in range [0, {}] for input dtype {}, but found {}",
            if x.dtype() == flambeau_core::DType::F64 { "1.79769e+308" } else { "3.40282e+38" },
            x.dtype().scalar_name(),
            p.float(0)
        ),
        "hardtanh" => flambeau_core::check!(p.float(0) <= p.float(1), Value, "min_val cannot be greater than max_val"),
        _ => {}
    }
    Ok(())
}

/// Rows with a kernel for the value and one for the gradient; the gradient of the gradient comes from `decompose`.
macro_rules! activation {
    ($list:ident: $($name:ident, $back:ident: $sig:literal, $on:expr, $kernel:ident, $backward:ident, [$($default:expr),*], |$x:ident, $p:ident| $decompose:expr, $doc:literal;)*) => {
        $(
            pub mod $name {
                use super::*;
                pub static OP: OpDef = OpDef {
                    name: stringify!($name),
                    node: $crate::nodes::name_of(stringify!($name)),
                    hidden: $crate::nodes::hidden_of(stringify!($name)),
                    shown: $crate::nodes::shown_of(stringify!($name)),
                    label: $crate::nodes::label_of(stringify!($name)),
                    node_inplace: $crate::nodes::inplace_of(stringify!($name)),
                    sig: $sig,
                    doc: $doc,
                    surfaces: $on,
                    kind: Kind::Kernel {
                        infer: |x, p| {
                            limits(stringify!($name), arg(x, 0)?, p)?;
                            // Into memory made by the operation rather than by the walk over it.
                            match stringify!($name) {
                                "hardtanh" => infer::copied(x, p),
                                "logsigmoid" => infer::row_major(x, p),
                                _ => infer::same(x, p),
                            }
                        },
                        run: |b, x, o, p| run(b, UnaryOp::$kernel, x, o, &floats(p)),
                    },
                    diff: Diff::Vjp(|c| grads!(c; 0 => activation_backward(c, &OP, &super::$back::OP))),
                    saves: X,
                    decompose: Some(|x, $p| { let $x = arg(x, 0)?; let y: Result<Tensor> = $decompose; Ok([y?].into_iter().collect()) }),
                    samples: Some(|s| with_defaults(s, &[$($default),*])),
                    ..BASE
                };
            }
            pub mod $back {
                use super::*;
                pub static OP: OpDef = OpDef {
                    name: stringify!($back),
                    node: $crate::nodes::name_of(stringify!($back)),
                    sig: concat!(stringify!($back), "(Tensor grad_output, Tensor self) -> Tensor"),
                    doc: "The gradient in one pass.",
                    surfaces: INTERNAL,
                    kind: Kind::Kernel {
                        infer: |x, _| Ok([broadcast_meta(&[arg(x, 0)?, arg(x, 1)?], arg(x, 1)?.dtype())?].into_iter().collect()),
                        run: |b, x, o, p| binary::run_as(b, BinaryOp::$backward, x, o, &floats(p)),
                    },
                    diff: Diff::Decompose,
                    saves: XX,
                    decompose: Some(|x, p| by_forward(&super::$name::OP, x, p)),
                    samples: Some(|s| pair_with_defaults(s, &[$($default),*])),
                    ..BASE
                };
            }
        )*
        pub static $list: &[&OpDef] = &[$(&$name::OP, &$back::OP),*];
    };
}

/// In one pass where there is a kernel for it: for real numbers.
fn activation_backward(c: &Vjp, op: &'static OpDef, back: &'static OpDef) -> Result<Tensor> {
    let x = c.x(0)?;
    if x.dtype().is_complex() {
        return Ok(by_forward(op, &[Some(c.g()), Some(&x)], c.p)?.swap_remove(0));
    }
    call1(back, &[Some(c.g()), Some(&x)], c.p.clone())
}

/// The gradient rule of an activation as its decomposition's own gradient: what double backward differentiates.
fn by_forward(op: &'static OpDef, x: Inputs, p: &Params) -> Result<flambeau_core::op::Outs> {
    let (g, x) = (arg(x, 0)?, arg(x, 1)?);
    let decompose =
        op.decompose.ok_or_else(|| Error::runtime("internal error: an activation decomposes; please report"))?;
    let recording = flambeau_core::autograd::grad_enabled();
    flambeau_core::autograd::enable_grad(|| {
        let x = if x.requires_grad() {
            crate::view::alias(x)?
        } else {
            let leaf = x.detach();
            leaf.set_requires_grad(true)?;
            leaf
        };
        let y = decompose(&[Some(&x)], p)?.swap_remove(0);
        let got = flambeau_core::autograd::grad(&[y], &[Some(g.clone())], &[x], recording, recording, true)?;
        let gx = match got.into_iter().next().flatten() {
            Some(gx) => gx,
            None => crate::create::zeros_like(g)?,
        };
        Ok([gx].into_iter().collect())
    })
}

fn with_defaults(s: &mut Samples, defaults: &[f64]) {
    let p: Params = defaults.iter().map(|&d| d.into()).collect();
    let shapes: [&[i64]; 4] = [&[], &[5], &[2, 3], &[0]];
    for sizes in shapes {
        let x = s.uniform(sizes, ANY.0, ANY.1);
        s.push(vec![Some(x)], p.clone(), 1);
    }
}

fn pair_with_defaults(s: &mut Samples, defaults: &[f64]) {
    let p: Params = defaults.iter().map(|&d| d.into()).collect();
    let (g, x) = (s.normal(&[2, 3]), s.uniform(&[2, 3], ANY.0, ANY.1));
    s.push(vec![Some(g), Some(x)], p, 3);
}

fn relu_of(x: &Tensor) -> Result<Tensor> {
    crate::ternary::where_(&binary::gt_scalar(x, 0.0)?, x, &crate::create::zeros_like(x)?)
}

const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

activation! { ACTIVATIONS:
    leaky_relu, leaky_relu_backward: "leaky_relu(Tensor input, float negative_slope=0.01) -> Tensor", NN | surface::INPLACE, LeakyRelu, LeakyReluBackward, [0.1],
        |x, p| crate::ternary::where_(&binary::gt_scalar(x, 0.0)?, x, &mul_scalar(x, p.float(0))?),
        "x where positive, `negative_slope * x` elsewhere.";
    elu_kernel, elu_backward: "elu_kernel(Tensor input, float alpha, float scale, float input_scale) -> Tensor", INTERNAL | surface::INPLACE, Elu, EluBackward, [1.0, 1.0, 1.0],
        |x, p| crate::ternary::where_(&binary::gt_scalar(x, 0.0)?, &mul_scalar(x, p.float(1))?,
            &mul_scalar(&unary::expm1(&mul_scalar(x, p.float(2))?)?, p.float(0) * p.float(1))?),
        "`scale * x` where positive, `scale * alpha * (exp(input_scale * x) - 1)` elsewhere (Clevert et al., 2015).";
    gelu_exact, gelu_exact_backward: "gelu_exact(Tensor input) -> Tensor", INTERNAL | surface::INPLACE, Gelu, GeluBackward, [],
        |x, _p| mul(x, &mul_scalar(&binary::add_scalar(&unary::erf(&mul_scalar(x, std::f64::consts::FRAC_1_SQRT_2)?)?, 1.0)?, 0.5)?),
        "x times the normal distribution function of x (Hendrycks and Gimpel, 2016).";
    gelu_tanh, gelu_tanh_backward: "gelu_tanh(Tensor input) -> Tensor", INTERNAL | surface::INPLACE, GeluTanh, GeluTanhBackward, [],
        |x, _p| { let inner = mul_scalar(&add(x, &mul_scalar(&mul(&mul(x, x)?, x)?, 0.044715)?)?, SQRT_2_OVER_PI)?;
            mul(&mul_scalar(x, 0.5)?, &binary::add_scalar(&tanh(&inner)?, 1.0)?) },
        "The tanh approximation of GELU.";
    silu, silu_backward: "silu(Tensor input) -> Tensor", NN | surface::INPLACE, Silu, SiluBackward, [],
        |x, _p| mul(x, &sigmoid(x)?),
        "x times its sigmoid (Elfwing et al., 2017).";
    mish, mish_backward: "mish(Tensor input) -> Tensor", NN | surface::INPLACE, Mish, MishBackward, [],
        |x, _p| mul(x, &tanh(&unary::log1p(&exp(x)?)?)?),
        "x times the tanh of its softplus (Misra, 2019).";
    softplus, softplus_backward: "softplus(Tensor input, float beta=1, float threshold=20, *, Tensor? out=None) -> Tensor", NN, Softplus, SoftplusBackward, [2.0, 20.0],
        |x, p| { let bx = mul_scalar(x, p.float(0))?;
            crate::ternary::where_(&binary::gt_scalar(&bx, p.float(1))?, x, &mul_scalar(&unary::log1p(&exp(&bx)?)?, 1.0 / p.float(0))?) },
        "log(1 + exp(beta x)) / beta, and x itself where beta x exceeds `threshold`.";
    logsigmoid, log_sigmoid_backward: "logsigmoid(Tensor input, *, Tensor? out=None) -> Tensor", NN, LogSigmoid, LogSigmoidBackward, [],
        |x, _p| unary::log(&sigmoid(x)?),
        "The logarithm of the sigmoid.";
    hardtanh, hardtanh_backward: "hardtanh(Tensor input, float min_val=-1.0, float max_val=1.0) -> Tensor", NN | surface::INPLACE, Hardtanh, HardtanhBackward, [-1.0, 1.0],
        |x, p| { let (lo, hi) = (p.float(0), p.float(1)); let low = binary::le_scalar(x, lo)?; let high = binary::ge_scalar(x, hi)?;
            crate::ternary::where_(&low, &Tensor::wrapped(lo.into())?, &crate::ternary::where_(&high, &Tensor::wrapped(hi.into())?, x)?) },
        "Each element clamped to `[min_val, max_val]`.";
    hardsigmoid, hardsigmoid_backward: "hardsigmoid(Tensor input) -> Tensor", NN | surface::INPLACE, Hardsigmoid, HardsigmoidBackward, [],
        |x, _p| { let y = mul_scalar(&binary::add_scalar(x, 3.0)?, 1.0 / 6.0)?; clip(x, &y, &Tensor::wrapped(1.0.into())?) },
        "relu6(x + 3) / 6.";
    hardswish, hardswish_backward: "hardswish(Tensor input) -> Tensor", NN | surface::INPLACE, Hardswish, HardswishBackward, [],
        |x, _p| { let y = mul_scalar(&mul(x, &binary::add_scalar(x, 3.0)?)?, 1.0 / 6.0)?; clip(x, &y, x) },
        "x times relu6(x + 3) / 6 (Howard et al., 2019).";
    hardshrink, hardshrink_backward: "hardshrink(Tensor input, float lambd=0.5, *, Tensor? out=None) -> Tensor", NN | FM, Hardshrink, HardshrinkBackward, [0.5],
        |x, p| crate::ternary::where_(&binary::gt_scalar(&unary::abs(x)?, p.float(0))?, x, &crate::create::zeros_like(x)?),
        "Zero where |x| is at most `lambd`.";
    softshrink, softshrink_backward: "softshrink(Tensor input, float lambd=0.5, *, Tensor? out=None) -> Tensor", NN, Softshrink, HardshrinkBackward, [0.5],
        |x, p| { let l = p.float(0); let zero = crate::create::zeros_like(x)?;
            let up = crate::ternary::where_(&binary::gt_scalar(x, l)?, &binary::add_scalar(x, -l)?, &zero)?;
            crate::ternary::where_(&binary::lt_scalar(x, -l)?, &binary::add_scalar(x, l)?, &up) },
        "x moved towards zero by `lambd`.";
}

/// `middle` where `-3 < x < 3`, zero below, `top` above.
fn clip(x: &Tensor, middle: &Tensor, top: &Tensor) -> Result<Tensor> {
    let low = crate::ternary::where_(&binary::gt_scalar(x, -3.0)?, middle, &crate::create::zeros_like(x)?)?;
    crate::ternary::where_(&binary::ge_scalar(x, 3.0)?, top, &low)
}

/// Rows whose gradient needs the output only.
fn backward_row(c: &Vjp, op: &'static OpDef) -> Result<Tensor> {
    call1(op, &[Some(c.g()), Some(&c.y(0)?)], Params::new())
}

rows! { OTHERS:
    relu = OpDef {
        sig: "relu(Tensor input) -> Tensor",
        doc: "Each element, or zero where it is negative; NaN stays.",
        surfaces: FMI | NN,
        kind: Kind::Kernel { infer: infer::same, run: |b, x, o, _| run(b, UnaryOp::Relu, x, o, &[]) },
        diff: Diff::Vjp(|c| grads!(c; 0 => backward_row(c, &threshold_backward::OP))),
        saves: Y,
        decompose: Some(|x, _| Ok([relu_of(arg(x, 0)?)?].into_iter().collect())),
        samples: Some(|s| with_defaults(s, &[])),
        ..BASE
    };
    threshold_backward = OpDef {
        sig: "threshold_backward(Tensor grad_output, Tensor self, float threshold=0) -> Tensor",
        doc: "The gradient where the second operand exceeds the threshold.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, _| Ok([broadcast_meta(&[arg(x, 0)?, arg(x, 1)?], arg(x, 1)?.dtype())?].into_iter().collect()),
            run: |b, x, o, p| binary::run_as(b, BinaryOp::ThresholdBackward, x, o, &[p.float(0)]),
        },
        diff: Diff::Vjp(|c| grads!(c; 0 => call1(&threshold_backward::OP, &[Some(c.g()), Some(&c.x(1)?)], c.p.clone()))),
        saves: flambeau_core::op::Saves { inputs: 2, outputs: 0, cross: false },
        samples: Some(pair_with_defaults_first),
        ..BASE
    };
    threshold = OpDef {
        sig: "threshold(Tensor input, float threshold, float value) -> Tensor",
        doc: "x where it exceeds `threshold`, `value` elsewhere.",
        surfaces: FUNCTION_AND_NN,
        kind: Kind::Kernel { infer: infer::same, run: |b, x, o, p| run(b, UnaryOp::Threshold, x, o, &floats(p)) },
        diff: Diff::Vjp(|c| grads!(c; 0 => call1(&threshold_backward::OP, &[Some(c.g()), Some(&c.x(0)?)], params![c.p.float(0)]))),
        saves: X,
        samples: Some(|s| with_defaults(s, &[0.3, 2.0])),
        ..BASE
    };
    tanh_backward = OpDef {
        sig: "tanh_backward(Tensor grad_output, Tensor output) -> Tensor",
        doc: "`g * (1 - y*y)` in one pass.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, _| Ok([broadcast_meta(&[arg(x, 0)?, arg(x, 1)?], arg(x, 1)?.dtype())?].into_iter().collect()),
            run: |b, x, o, _| binary::run_as(b, BinaryOp::TanhBackward, x, o, &[]),
        },
        diff: Diff::Decompose,
        saves: XX,
        decompose: Some(|x, _| {
            let (g, y) = (arg(x, 0)?, crate::copy::conj(arg(x, 1)?)?);
            Ok([mul(g, &sub(&Tensor::wrapped(1.0.into())?, &mul(&y, &y)?)?)?].into_iter().collect())
        }),
        samples: Some(|s| pair_with_defaults(s, &[])),
        ..BASE
    };
    sigmoid_backward = OpDef {
        sig: "sigmoid_backward(Tensor grad_output, Tensor output) -> Tensor",
        doc: "`g * y * (1 - y)` in one pass.",
        surfaces: INTERNAL,
        kind: Kind::Kernel {
            infer: |x, _| Ok([broadcast_meta(&[arg(x, 0)?, arg(x, 1)?], arg(x, 1)?.dtype())?].into_iter().collect()),
            run: |b, x, o, _| binary::run_as(b, BinaryOp::SigmoidBackward, x, o, &[]),
        },
        diff: Diff::Decompose,
        saves: XX,
        decompose: Some(|x, _| {
            let (g, y) = (arg(x, 0)?, crate::copy::conj(arg(x, 1)?)?);
            Ok([mul(g, &mul(&y, &sub(&Tensor::wrapped(1.0.into())?, &y)?)?)?].into_iter().collect())
        }),
        samples: Some(|s| pair_with_defaults(s, &[])),
        ..BASE
    };
    gelu = OpDef {
        sig: "gelu(Tensor input, *, str approximate='none', Tensor? out=None) -> Tensor",
        doc: "x times the normal distribution function of x, exactly or by the tanh approximation (Hendrycks and Gimpel, 2016).",
        surfaces: NN,
        kind: Kind::Composite(|x, p| {
            let op = match p.str(0) {
                "none" | "" => &gelu_exact::OP,
                "tanh" => &gelu_tanh::OP,
                other => return Err(Error::runtime(format!("approximate argument must be either none or tanh. got {other}"))),
            };
            flambeau_core::call(op, x, Params::new())
        }),
        ..BASE
    };
    elu = OpDef {
        sig: "elu(Tensor input, float alpha=1.0) -> Tensor",
        doc: "x where positive, `alpha * (exp(x) - 1)` elsewhere (Clevert et al., 2015).",
        surfaces: NN | surface::INPLACE,
        kind: Kind::Composite(|x, p| flambeau_core::call(&elu_kernel::OP, x, params![p.float(0), 1.0, 1.0])),
        ..BASE
    };
    selu = OpDef {
        sig: "selu(Tensor input) -> Tensor",
        doc: "The self-normalising exponential unit (Klambauer et al., 2017).",
        surfaces: F | surface::INPLACE | NN,
        kind: Kind::Composite(|x, _| flambeau_core::call(&elu_kernel::OP, x, params![SELU_ALPHA, SELU_SCALE, 1.0])),
        ..BASE
    };
    celu = OpDef {
        sig: "celu(Tensor input, float alpha=1.0) -> Tensor",
        doc: "x where positive, `alpha * (exp(x / alpha) - 1)` elsewhere (Barron, 2017).",
        surfaces: F | surface::INPLACE | NN,
        kind: Kind::Composite(|x, p| {
            let alpha = p.float(0);
            flambeau_core::check!(alpha != 0.0, Runtime, "ZeroDivisionError: alpha cannot be 0 for CELU");
            flambeau_core::call(&elu_kernel::OP, x, params![alpha, 1.0, 1.0 / alpha])
        }),
        ..BASE
    };
    relu6 = OpDef {
        sig: "relu6(Tensor input) -> Tensor",
        doc: "Each element clamped to `[0, 6]`.",
        surfaces: NN | surface::INPLACE,
        kind: Kind::Composite(|x, _| flambeau_core::call(&hardtanh::OP, x, params![0.0, 6.0])),
        ..BASE
    };
    softsign = OpDef {
        sig: "softsign(Tensor input) -> Tensor",
        doc: "x / (1 + |x|).",
        surfaces: NN,
        kind: Kind::Composite(|x, _| {
            let x = arg(x, 0)?;
            // Written in Python there: the sum has a place for the number.
            let one = Tensor::wrapped(1.0.into())?;
            let bound = call1(&binary::add::OP, &[Some(&unary::abs(x)?), Some(&one)], Params::new())?;
            Ok([binary::div(x, &bound)?].into_iter().collect())
        }),
        ..BASE
    };
    tanhshrink = OpDef {
        sig: "tanhshrink(Tensor input) -> Tensor",
        doc: "x - tanh(x).",
        surfaces: NN,
        kind: Kind::Composite(|x, _| {
            let x = arg(x, 0)?;
            Ok([sub(x, &tanh(x)?)?].into_iter().collect())
        }),
        ..BASE
    };
    prelu = OpDef {
        sig: "prelu(Tensor input, Tensor weight) -> Tensor",
        doc: "x where positive, `weight * x` elsewhere; one weight, or one for each channel (dimension 1).",
        surfaces: FM | NN,
        kind: Kind::Composite(|x, _| {
            let (x, w) = (arg(x, 0)?, arg(x, 1)?);
            flambeau_core::check!(w.ndim() <= 1, Runtime, "prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {}", w.ndim());
            let n = w.numel();
            if n != 1 {
                flambeau_core::check!(x.ndim() > 0, Runtime, "Not allow zero-dim input tensor.");
                let channels = if x.ndim() > 1 { x.sizes()[1] } else { 1 };
                flambeau_core::check!(
                    channels == n,
                    Runtime,
                    "Mismatch of parameter numbers and input channel size. Found parameter numbers = {n} and channel size = {channels}."
                );
            }
            let mut shape = vec![1; x.ndim()];
            if x.ndim() > 1 { shape[1] = n } else if let Some(s) = shape.first_mut() { *s = n }
            let w = crate::view::view(w, &shape)?;
            flambeau_core::call(&prelu_kernel::OP, &[Some(x), Some(&w)], Params::new())
        }),
        ..BASE
    };
    prelu_kernel = OpDef {
        sig: "prelu_kernel(Tensor input, Tensor weight) -> Tensor",
        doc: "`prelu` with a weight that broadcasts.",
        surfaces: INTERNAL,
        kind: Kind::Composite(|x, _| {
            let (x, w) = (arg(x, 0)?, arg(x, 1)?);
            let y = crate::ternary::where_(&binary::gt_scalar(x, 0.0)?, x, &mul(w, x)?)?;
            Ok([crate::compare::copied(&y, x)?].into_iter().collect())
        }),
        ..BASE
    };
    glu = OpDef {
        sig: "glu(Tensor input, int dim=-1) -> Tensor",
        doc: "The first half along `dim` times the sigmoid of the second half (Dauphin et al., 2016).",
        surfaces: NN,
        kind: Kind::Composite(|x, p| {
            let x = arg(x, 0)?;
            flambeau_core::check!(x.ndim() > 0, Runtime, "glu does not support 0-dimensional tensors");
            let dim = flambeau_core::layout::wrap_dim(p.int(0), x.ndim())?;
            let n = x.sizes()[dim];
            flambeau_core::check!(n % 2 == 0, Runtime, "Halving dimension must be even, but dimension {dim} is size {n}");
            let a = crate::view::narrow(x, dim as i64, 0, n / 2)?;
            let b = crate::view::narrow(x, dim as i64, n / 2, n / 2)?;
            Ok([mul(&a, &sigmoid(&b)?)?].into_iter().collect())
        }),
        ..BASE
    };
}

const FUNCTION_AND_NN: u16 = F | NN | surface::INPLACE;

fn pair_with_defaults_first(s: &mut Samples) {
    let (g, x) = (s.normal(&[2, 3]), s.uniform(&[2, 3], ANY.0, ANY.1));
    s.push(vec![Some(g), Some(x)], params![0.0], 1);
}

pub fn tanh_backward(g: &Tensor, y: &Tensor) -> Result<Tensor> {
    call1(&tanh_backward::OP, &[Some(g), Some(y)], Params::new())
}

pub fn sigmoid_backward(g: &Tensor, y: &Tensor) -> Result<Tensor> {
    call1(&sigmoid_backward::OP, &[Some(g), Some(y)], Params::new())
}

/// Each element, or zero where it is negative.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    call1(&relu::OP, &[Some(x)], Params::new())
}

/// x times its sigmoid.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    call1(&silu::OP, &[Some(x)], Params::new())
}

/// x times the normal distribution function of x.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    call1(&gelu_exact::OP, &[Some(x)], Params::new())
}

/// x where positive, `slope * x` elsewhere.
pub fn leaky_relu(x: &Tensor, slope: f64) -> Result<Tensor> {
    call1(&leaky_relu::OP, &[Some(x)], params![slope])
}

pub static ROWS: &[&[&OpDef]] = &[ACTIVATIONS, OTHERS];
