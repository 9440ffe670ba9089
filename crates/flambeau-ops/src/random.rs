//! Random numbers, drawn in PyTorch's order.

use flambeau_core::backend::Distribution;
use flambeau_core::device::backend;
use flambeau_core::op::{Kind, OpDef, Outs, Params, ParamsExt};
use flambeau_core::{DType, Device, Generator, Result, Scalar, Tensor, call, check, default_dtype};

use crate::copy::format_strides;
use crate::operand::*;

/// Fills a tensor with draws from a generator.
pub fn fill_random(t: &Tensor, kind: Distribution, generator: Option<Generator>) -> Result<()> {
    if t.device().is_meta() || t.numel() == 0 {
        return Ok(());
    }
    let g = generator.unwrap_or_else(Generator::default_cpu);
    if t.dtype().is_complex() {
        // Parts are drawn one after the other; each has half of a normal number's variance.
        let kind = match kind {
            Distribution::Normal { mean, std } => Distribution::Normal { mean, std: std / std::f64::consts::SQRT_2 },
            kind => kind,
        };
        return backend(t.device())?.random(kind, &mut g.lock(), crate::unary::pairs(t)?.raw());
    }
    backend(t.device())?.random(kind, &mut g.lock(), t.raw())
}

/// Fills in place, as an in-place operation that has no gradient for the old values.
fn fill_(x: flambeau_core::op::Inputs, kind: Distribution, g: Option<Generator>) -> Result<Outs> {
    let t = arg(x, 0)?;
    call::check_inplace(t)?;
    let recorded = t.requires_grad() && flambeau_core::autograd::grad_enabled();
    if recorded {
        // What was there has no influence any more: its gradient is zero. Counts as the one change of the two.
        crate::copy::fill_(t, Scalar::Int(0))?;
    }
    fill_random(t, kind, g)?;
    if !recorded {
        t.bump_version();
    } else if let (false, Some(node)) = (t.is_view(), t.grad_fn()) {
        let name = match kind {
            Distribution::Uniform { .. } => "UniformBackward0",
            Distribution::Normal { .. } => "NormalBackward0",
            Distribution::Bernoulli { .. } => "BernoulliBackward2",
            _ => return one(t.clone()),
        };
        node.show_as(name.into(), node.next().iter().take(1).cloned().collect());
    }
    one(t.clone())
}

fn new(sizes: &[i64], p: &Params, at: usize, kind: Distribution, g: Option<Generator>) -> Result<Outs> {
    let dtype = p.dtype(at).unwrap_or_else(default_dtype);
    let t = Tensor::empty(sizes, dtype, p.device(at + 1).unwrap_or(Device::CPU))?;
    fill_random(&t, kind, g)?;
    one(t)
}

fn like(x: flambeau_core::op::Inputs, p: &Params, at: usize, kind: Distribution) -> Result<Outs> {
    let x = arg(x, 0)?;
    let (dtype, device) = (p.dtype(at).unwrap_or(x.dtype()), p.device(at + 1).unwrap_or(x.device()));
    let t = match format_strides(x, p.opt_int(at + 2))? {
        None => Tensor::empty(x.sizes(), dtype, device)?,
        Some(s) => Tensor::empty_strided(x.sizes(), &s, dtype, device)?,
    };
    fill_random(&t, kind, None)?;
    one(t)
}

fn like_integers(x: flambeau_core::op::Inputs, p: &Params, at: usize, low: i64, high: i64) -> Result<Outs> {
    like(x, p, at, integers(low, high, p.dtype(at).unwrap_or(arg(x, 0)?.dtype()))?)
}

const UNIT: Distribution = Distribution::Uniform { from: 0.0, to: 1.0 };
const STANDARD: Distribution = Distribution::Normal { mean: 0.0, std: 1.0 };

/// `[low, high)`, whose ends must be numbers of the dtype.
fn integers(low: i64, high: i64, dtype: DType) -> Result<Distribution> {
    check!(high > low, Runtime, "random_ expects 'from' to be less than 'to', but got from={low} >= to={high}");
    check_bound("from", low, dtype)?;
    check_bound("to - 1", high - 1, dtype)?;
    Ok(Distribution::Integers { from: low, range: high.wrapping_sub(low) as u64 })
}

/// From `low` to the dtype's largest integer, for floats to the last one without gaps below it.
fn integers_from(low: i64, dtype: DType) -> Result<Distribution> {
    check_bound("from", low, dtype)?;
    let last = match dtype {
        DType::F64 => 1 << 53,
        DType::F32 => 1 << 24,
        DType::F16 => 1 << 11,
        DType::BF16 => 1 << 8,
        _ => integer_range(dtype).map_or(i64::MAX, |r| r.1),
    };
    check!(last >= low, Runtime, "random_ expects 'from' to be less than 'to', but got from={low} >= to={last}");
    Ok(Distribution::Integers { from: low, range: last.wrapping_sub(low).wrapping_add(1) as u64 })
}

/// Smallest and largest number of a dtype narrower than 64 bits; none for those that hold every `i64`, or nearly so.
fn integer_range(dtype: DType) -> Option<(i64, i64)> {
    match dtype {
        DType::Bool => Some((0, 1)),
        DType::F16 => Some((-65504, 65504)),
        DType::U64 => Some((0, i64::MAX)),
        _ if dtype.is_int() && dtype.size() < 8 => {
            let bits = 8 * dtype.size() as u32 - dtype.is_signed() as u32;
            Some((if dtype.is_signed() { -1 << bits } else { 0 }, (1 << bits) - 1))
        }
        _ => None,
    }
}

fn check_bound(what: &str, n: i64, dtype: DType) -> Result<()> {
    let Some((low, high)) = integer_range(dtype) else { return Ok(()) };
    check!((low..=high).contains(&n), Runtime, "{what} is out of bounds for {}", c_name(dtype));
    Ok(())
}

/// The dtype under its name in C++, which some messages use.
fn c_name(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "bool",
        DType::U8 => "unsigned char",
        DType::I8 => "signed char",
        DType::I16 => "short int",
        DType::I32 => "int",
        DType::I64 => "long int",
        DType::U16 => "short unsigned int",
        DType::U32 => "unsigned int",
        DType::U64 => "long unsigned int",
        DType::F16 => "c10::Half",
        _ => dtype.scalar_name(),
    }
}

/// Numbers with a fraction need a dtype for it; `shown` is the dtype's name in the message.
fn continuous(name: &str, dtype: DType, shown: &str) -> Result<()> {
    check!(
        dtype.is_float(),
        Runtime,
        "{name} distribution is a continuous probability distribution. dtype must be a floating point but you specified {shown}"
    );
    Ok(())
}

fn randint_into(p: &Params, low: i64, high: i64, sizes: usize, g: usize) -> Result<Outs> {
    let dtype = p.dtype(g + 1).unwrap_or(DType::I64);
    let t = Tensor::empty(p.ints(sizes), dtype, p.device(g + 2).unwrap_or(Device::CPU))?;
    fill_random(&t, integers(low, high, dtype)?, p.generator(g))?;
    one(t)
}

fn check_std(std: f64) -> Result<()> {
    check!(std >= 0.0, Runtime, "normal expects std >= 0.0, but found std {std}");
    Ok(())
}

fn probability(p: f64) -> Result<f64> {
    check!((0.0..=1.0).contains(&p), Runtime, "bernoulli_ expects p to be in [0, 1], but got p={p}");
    Ok(p)
}

const fn maker(sig: &'static str, doc: &'static str, f: flambeau_core::op::Compose) -> OpDef {
    OpDef { sig, doc, surfaces: F, kind: Kind::Composite(f), ..BASE }
}

const fn filler(sig: &'static str, doc: &'static str, f: flambeau_core::op::Compose) -> OpDef {
    OpDef { sig, doc, surfaces: M, kind: Kind::Composite(f), ..BASE }
}

rows! { ROWS_ALL:
    rand = maker("rand(int[] size, *, Generator? generator=None, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "Uniform numbers in `[0, 1)`.", |_, p| new(p.ints(0), p, 2, UNIT, p.generator(1)));
    randn = maker("randn(int[] size, *, Generator? generator=None, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "Standard normal numbers.", |_, p| new(p.ints(0), p, 2, STANDARD, p.generator(1)));
    randint = maker("randint(int high, int[] size, *, Generator? generator=None, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "Uniform integers in `[0, high)`.", |_, p| randint_into(p, 0, p.int(0), 1, 2));
    randint_low = maker("randint(int low, int high, int[] size, *, Generator? generator=None, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "Uniform integers in `[low, high)`.", |_, p| randint_into(p, p.int(0), p.int(1), 2, 3));
    randperm = maker("randperm(int n, *, Generator? generator=None, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "A random permutation of `0..n`.", |_, p| {
            let t = Tensor::empty(&[p.int(0)], p.dtype(2).unwrap_or(DType::I64), p.device(3).unwrap_or(Device::CPU))?;
            if !t.device().is_meta() {
                let g = p.generator(1).unwrap_or_else(Generator::default_cpu);
                backend(t.device())?.permutation(&mut g.lock(), t.raw())?;
            }
            one(t)
        });
    rand_like = maker("rand_like(Tensor input, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False, MemoryFormat? memory_format=None) -> Tensor",
        "Uniform numbers in the shape of `input`.", |x, p| like(x, p, 0, UNIT));
    randn_like = maker("randn_like(Tensor input, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False, MemoryFormat? memory_format=None) -> Tensor",
        "Standard normal numbers in the shape of `input`.", |x, p| like(x, p, 0, STANDARD));
    randint_like = maker("randint_like(Tensor input, int high, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False, MemoryFormat? memory_format=None) -> Tensor",
        "Uniform integers in `[0, high)` in the shape of `input`.", |x, p| like_integers(x, p, 1, 0, p.int(0)));
    randint_like_low = maker("randint_like(Tensor input, int low, int high, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False, MemoryFormat? memory_format=None) -> Tensor",
        "Uniform integers in `[low, high)` in the shape of `input`.", |x, p| like_integers(x, p, 2, p.int(0), p.int(1)));
    normal_numbers = maker("normal(float mean, float std, int[] size, *, Generator? generator=None, Tensor? out=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? requires_grad=False, bool? pin_memory=False) -> Tensor",
        "Normal numbers of one mean and deviation.", |_, p| { check_std(p.float(1))?; new(p.ints(2), p, 4, Distribution::Normal { mean: p.float(0), std: p.float(1) }, p.generator(3)) });
    normal_tensors = maker("normal(Tensor mean, Tensor std, *, Generator? generator=None, Tensor? out=None) -> Tensor", "Normal numbers, a mean and deviation each.",
        |x, p| scaled(arg(x, 0)?, Some(arg(x, 1)?), 1.0, p.generator(0)));
    normal_mean = maker("normal(Tensor mean, float std=1, *, Generator? generator=None, Tensor? out=None) -> Tensor", "Normal numbers, a mean each.",
        |x, p| { check_std(p.float(0))?; scaled(arg(x, 0)?, None, p.float(0), p.generator(1)) });
    normal_std = maker("normal(float mean, Tensor std, *, Generator? generator=None, Tensor? out=None) -> Tensor", "Normal numbers, a deviation each.",
        |x, p| { let s = arg(x, 0)?; let m = crate::create::full(s.sizes(), Scalar::Float(p.float(0)), s.dtype(), s.device())?; scaled(&m, Some(s), 1.0, p.generator(1)) });
    bernoulli = OpDef { surfaces: FM, ..maker("bernoulli(Tensor input, *, Generator? generator=None, Tensor? out=None) -> Tensor", "One or zero, with each element as the probability of one.", |x, p| {
        let x = arg(x, 0)?;
        check!(x.dtype().is_float(), Runtime, "Expected p_in to be a floating point tensor, got {}", x.dtype().scalar_name());
        let t = Tensor::empty(x.sizes(), x.dtype(), x.device())?;
        bernoulli_each(&t, &x.detach(), p.generator(0))?;
        if !x.requires_grad() {
            return one(t);
        }
        // The result follows its probabilities, with gradient zero.
        let never = Tensor::wrapped(flambeau_core::Scalar::Bool(false))?;
        one(crate::ternary::where_(&never, x, &t)?)
    }) };
    bernoulli_p = OpDef { surfaces: FM, ..maker("bernoulli(Tensor input, float p, *, Generator? generator=None) -> Tensor", "One or zero, with one probability.", |x, p| {
        let x = arg(x, 0)?;
        let t = Tensor::empty(x.sizes(), x.dtype(), x.device())?;
        fill_random(&t, Distribution::Bernoulli { p: probability(p.float(0))? }, p.generator(1))?;
        one(t)
    }) };
    multinomial = OpDef { surfaces: FM, ..maker("multinomial(Tensor input, int num_samples, bool replacement=False, *, Generator? generator=None, Tensor? out=None) -> Tensor", "Indices drawn with the given weights, per row.", |x, p| {
        let x = arg(x, 0)?;
        check!(x.ndim() == 1 || x.ndim() == 2, Runtime, "prob_dist must be 1 or 2 dim");
        check!(x.dtype().is_float(), Runtime, "multinomial only supports floating-point dtypes for input, got: {}", x.dtype().scalar_name());
        let n = p.int(0);
        check!(n > 0, Runtime, "cannot sample n_sample <= 0 samples");
        let classes = *x.sizes().last().unwrap_or(&0);
        check!(p.bool(1) || n <= classes, Runtime, "cannot sample n_sample > prob_dist.size(-1) samples without replacement");
        let w = if x.ndim() == 1 { crate::view::unsqueeze(&x.detach(), 0)? } else { x.detach() };
        let out = Tensor::empty(&[w.sizes()[0], n], DType::I64, x.device())?;
        if !x.device().is_meta() {
            let g = p.generator(2).unwrap_or_else(Generator::default_cpu);
            backend(x.device())?.multinomial(w.raw(), p.bool(1), &mut g.lock(), out.raw())?;
        }
        one(if x.ndim() == 1 { crate::view::squeeze(&out, 0)? } else { out })
    }) };
    uniform_ = filler("uniform_(Tensor input, float from=0, float to=1, *, Generator? generator=None) -> Tensor", "Fills with uniform numbers in `[from, to)`.", |x, p| {
        let (from, to) = (p.float(0), p.float(1));
        check!(from <= to, Runtime, "uniform_ expects to return a [from, to) range, but found from={from} > to={to}");
        check!(arg(x, 0)?.dtype().is_differentiable(), NotImplemented, "\"check_uniform_bounds\" not implemented for '{}'", arg(x, 0)?.dtype().scalar_name());
        fill_(x, Distribution::Uniform { from, to }, p.generator(2))
    });
    normal_ = filler("normal_(Tensor input, float mean=0, float std=1, *, Generator? generator=None) -> Tensor", "Fills with normal numbers.", |x, p| {
        check_std(p.float(1))?;
        check!(arg(x, 0)?.dtype().is_differentiable(), NotImplemented, "\"normal_kernel_cpu\" not implemented for '{}'", arg(x, 0)?.dtype().scalar_name());
        fill_(x, Distribution::Normal { mean: p.float(0), std: p.float(1) }, p.generator(2))
    });
    bernoulli_ = filler("bernoulli_(Tensor input, float p=0.5, *, Generator? generator=None) -> Tensor", "Fills with ones and zeros, one probability.",
        |x, p| fill_(x, Distribution::Bernoulli { p: probability(p.float(0))? }, p.generator(1)));
    bernoulli_tensor_ = filler("bernoulli_(Tensor input, Tensor p, *, Generator? generator=None) -> Tensor", "Fills with ones and zeros, a probability each.", |x, p| {
        let (t, q) = (arg(x, 0)?, arg(x, 1)?);
        call::check_inplace(t)?;
        bernoulli_each(t, &crate::view::expand(q, t.sizes())?, p.generator(0))?;
        t.bump_version();
        one(t.clone())
    });
    exponential_ = filler("exponential_(Tensor input, float lambd=1, *, Generator? generator=None) -> Tensor", "Fills with exponential numbers of rate `lambd`.", |x, p| {
        check!(p.float(0) > 0.0, Runtime, "exponential_ expects lambda > 0.0, but found lambda={}", p.float(0));
        continuous("Exponential", arg(x, 0)?.dtype(), arg(x, 0)?.dtype().scalar_name())?;
        fill_(x, Distribution::Exponential { lambda: p.float(0) }, p.generator(1))
    });
    geometric_ = filler("geometric_(Tensor input, float p, *, Generator? generator=None) -> Tensor", "Fills with the number of trials up to the first success.", |x, p| {
        check!(p.float(0) > 0.0 && p.float(0) < 1.0, Runtime, "geometric_ expects p to be in (0, 1), but got p={}", p.float(0));
        fill_(x, Distribution::Geometric { p: p.float(0) }, p.generator(1))
    });
    cauchy_ = filler("cauchy_(Tensor input, float median=0, float sigma=1, *, Generator? generator=None) -> Tensor", "Fills with Cauchy numbers.", |x, p| {
        check!(p.float(1) > 0.0, Runtime, "cauchy_ expects sigma > 0.0, but found sigma={}", p.float(1));
        continuous("Cauchy", arg(x, 0)?.dtype(), c_name(arg(x, 0)?.dtype()))?;
        fill_(x, Distribution::Cauchy { median: p.float(0), sigma: p.float(1) }, p.generator(2))
    });
    log_normal_ = filler("log_normal_(Tensor input, float mean=1, float std=2, *, Generator? generator=None) -> Tensor", "Fills with numbers whose logarithm is normal.", |x, p| {
        check!(p.float(1) > 0.0, Runtime, "log_normal_ expects std > 0.0, but found std={}", p.float(1));
        fill_(x, Distribution::LogNormal { mean: p.float(0), std: p.float(1) }, p.generator(2))
    });
    random_ = filler("random_(Tensor input, *, Generator? generator=None) -> Tensor", "Fills with the dtype's own range of integers.",
        |x, p| fill_(x, Distribution::IntegersFull, p.generator(0)));
    random_to_ = filler("random_(Tensor input, int to, *, Generator? generator=None) -> Tensor", "Fills with integers in `[0, to)`.",
        |x, p| fill_(x, integers(0, p.int(0), arg(x, 0)?.dtype())?, p.generator(1)));
    random_from_ = filler("random_(Tensor input, int from, int? to, *, Generator? generator=None) -> Tensor", "Fills with integers in `[from, to)`.",
        |x, p| {
            let (from, dtype) = (p.int(0), arg(x, 0)?.dtype());
            let range = p.opt_int(1).map_or_else(|| integers_from(from, dtype), |to| integers(from, to, dtype))?;
            fill_(x, range, p.generator(2))
        });
}

fn bernoulli_each(t: &Tensor, p: &Tensor, g: Option<Generator>) -> Result<()> {
    if t.device().is_meta() || t.numel() == 0 {
        return Ok(());
    }
    let g = g.unwrap_or_else(Generator::default_cpu);
    backend(one_device(&[t, p])?)?.bernoulli_tensor(p.detach().raw(), &mut g.lock(), t.raw())
}

/// Standard normals, scaled and moved, in the dtype of `mean`.
fn scaled(mean: &Tensor, std: Option<&Tensor>, s: f64, g: Option<Generator>) -> Result<Outs> {
    if let Some(std) = std
        && !std.device().is_meta()
    {
        check!(
            !std.dtype().is_complex() && std.detach().to_vec::<f64>()?.iter().all(|&s| s >= 0.0 || s.is_nan()),
            Runtime,
            "normal expects all elements of std >= 0.0"
        );
    }
    let sizes = match std {
        Some(std) => flambeau_core::layout::broadcast(mean.sizes(), std.sizes())?,
        None => mean.sizes().into(),
    };
    let t = Tensor::empty(&sizes, mean.dtype(), mean.device())?;
    fill_random(&t, STANDARD, g)?;
    flambeau_core::autograd::no_grad(|| -> Result<()> {
        match std {
            Some(std) => call::call_inplace(&crate::binary::mul::OP, &[Some(&t), Some(std)], Params::new())?,
            None => call::call_inplace(
                &crate::binary::mul::OP,
                &[Some(&t), Some(&Tensor::wrapped(s.into())?)],
                Params::new(),
            )?,
        };
        call::call_inplace(&crate::binary::add::OP, &[Some(&t), Some(mean)], Params::new())?;
        Ok(())
    })?;
    // The numbers do not depend on the parameters, but their graph does, with gradients of zero.
    let mut y = t;
    for source in [Some(mean), std].into_iter().flatten() {
        if source.requires_grad() && flambeau_core::autograd::grad_enabled() {
            y = crate::binary::add(&y, &crate::ternary::zeros_through(source)?)?;
        }
    }
    one(y)
}

/// Uniform numbers in `[0, 1)` of the default dtype.
pub fn rand(sizes: &[i64]) -> Result<Tensor> {
    let t = Tensor::empty(sizes, default_dtype(), Device::CPU)?;
    fill_random(&t, UNIT, None)?;
    Ok(t)
}

/// Standard normal numbers of the default dtype.
pub fn randn(sizes: &[i64]) -> Result<Tensor> {
    let t = Tensor::empty(sizes, default_dtype(), Device::CPU)?;
    fill_random(&t, STANDARD, None)?;
    Ok(t)
}

/// Uniform integers in `[low, high)`.
pub fn randint(low: i64, high: i64, sizes: &[i64]) -> Result<Tensor> {
    let t = Tensor::empty(sizes, DType::I64, Device::CPU)?;
    fill_random(&t, integers(low, high, DType::I64)?, None)?;
    Ok(t)
}

/// A random permutation of `0..n`.
pub fn randperm(n: i64) -> Result<Tensor> {
    let t = Tensor::empty(&[n], DType::I64, Device::CPU)?;
    backend(t.device())?.permutation(&mut Generator::default_cpu().lock(), t.raw())?;
    Ok(t)
}

pub static ROWS: &[&[&OpDef]] = &[ROWS_ALL];
