//! What the registry-driven tests share: calls, numbers, other layouts of a tensor, and a list of failures.
#![allow(dead_code)]

pub mod composites;
mod composites_linear;
pub mod stand_ins;

use flambeau_core::autograd;
use flambeau_core::op::{Diff, Kind, OpDef, Outs, Params, Sample, Samples};
use flambeau_core::{DType, Device, Result, Tensor, call};

/// Failures are collected, so that one run names every row that is wrong.
#[derive(Default)]
pub struct Failures {
    list: Vec<String>,
    pub checked: usize,
}

impl Failures {
    pub fn check(&mut self, op: &OpDef, case: usize, result: std::result::Result<(), String>) {
        self.checked += 1;
        let Err(e) = result else { return };
        // One line a row is enough to find it.
        let start = format!("{} [", op.name);
        if !self.list.iter().any(|l| l.starts_with(&start)) {
            self.list.push(format!("{} [{case}]: {e}", op.name));
        }
    }

    pub fn finish(self, at_least: usize) {
        assert!(self.list.is_empty(), "{} rows in {} cases:\n{}", self.list.len(), self.checked, self.list.join("\n"));
        assert!(self.checked >= at_least, "only {} cases were checked", self.checked);
    }
}

/// Every row with its samples in `dtype`.
pub fn cases(dtype: DType) -> Vec<(&'static OpDef, Vec<Sample>)> {
    flambeau_ops::init();
    let only = std::env::var("ROWS").ok();
    flambeau_ops::registry()
        .iter()
        .filter(|op| only.as_ref().is_none_or(|o| o.split(',').any(|name| name == op.name)))
        .map(|op| {
            let mut s = Samples::new(dtype);
            if let Some(f) = op.samples.or_else(|| composites::of(op.name)) {
                autograd::no_grad(|| f(&mut s));
            }
            (*op, s.list)
        })
        .collect()
}

pub type Xs = Vec<Option<Tensor>>;

pub fn run(op: &'static OpDef, x: &[Option<Tensor>], p: &Params) -> Result<Outs> {
    let refs: Vec<Option<&Tensor>> = x.iter().map(Option::as_ref).collect();
    call(op, &refs, p.clone())
}

pub fn said<T>(r: Result<T>) -> std::result::Result<T, String> {
    r.map_err(|e| e.message().to_string())
}

/// Row-major numbers of any real tensor; a complex one gives pairs.
pub fn numbers(t: &Tensor) -> Vec<f64> {
    let t = t.detach();
    if t.dtype().is_complex() {
        let pairs = call::view(&flambeau_core::view::ViewOp::AsReal, &t.cast_raw(DType::C128).expect("casts"));
        return pairs.expect("complex").to_vec::<f64>().expect("real");
    }
    t.to_vec::<f64>().expect("a tensor with numbers")
}

/// Equal shapes, dtypes and numbers, the numbers within `rel` of the larger one or of `floor`.
pub fn same(a: &Tensor, b: &Tensor, rel: f64, floor: f64) -> std::result::Result<(), String> {
    if a.sizes() != b.sizes() {
        return Err(format!("shapes {:?} and {:?}", a.sizes(), b.sizes()));
    }
    if a.dtype() != b.dtype() {
        return Err(format!("dtypes {} and {}", a.dtype(), b.dtype()));
    }
    close(&numbers(a), &numbers(b), rel, floor)
}

pub fn close(a: &[f64], b: &[f64], rel: f64, floor: f64) -> std::result::Result<(), String> {
    if a.len() != b.len() {
        return Err(format!("{} and {} numbers", a.len(), b.len()));
    }
    for (i, (&x, &y)) in a.iter().zip(b).enumerate() {
        let equal = x == y || x.is_nan() && y.is_nan() || (x - y).abs() <= rel * x.abs().max(y.abs()).max(floor);
        if !equal {
            return Err(format!("number {i} of {}: {x} and {y}", a.len()));
        }
    }
    Ok(())
}

/// A fixed stream of numbers in `[-1, 1)`.
pub struct Stream(u64);

impl Stream {
    pub fn new(seed: u64) -> Stream {
        Stream(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn number(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() >> 33) as usize % n.max(1)
    }

    pub fn like(&mut self, t: &Tensor) -> Tensor {
        let n = if t.dtype().is_complex() { 2 * t.numel() } else { t.numel() };
        let v: Vec<f64> = (0..n).map(|_| self.number()).collect();
        tensor_of(&v, t)
    }
}

/// What [`numbers`] gives, as a tensor of the shape and dtype of `t`.
pub fn tensor_of(v: &[f64], t: &Tensor) -> Tensor {
    let mut sizes = t.sizes().to_vec();
    if !t.dtype().is_complex() {
        let x = Tensor::from_slice(v, &sizes).expect("as many numbers as elements");
        return if t.dtype() == DType::F64 { x } else { x.cast_raw(t.dtype()).expect("casts") };
    }
    sizes.push(2);
    let pairs = Tensor::from_slice(v, &sizes).expect("two numbers an element");
    let z = call::view(&flambeau_core::view::ViewOp::AsComplex, &pairs).expect("pairs").detach();
    if t.dtype() == DType::C128 { z } else { z.cast_raw(t.dtype()).expect("casts") }
}

/// A copy that is a leaf and requires a gradient.
pub fn leaf(t: &Tensor) -> Tensor {
    let x = autograd::no_grad(|| copied(t));
    x.set_requires_grad(true).expect("a float leaf");
    x
}

/// A copy with the same strides.
pub fn copied(t: &Tensor) -> Tensor {
    let y = Tensor::empty_strided(t.sizes(), t.strides(), t.dtype(), t.device()).expect("its own strides");
    flambeau_ops::copy::copy_(&y, &t.detach()).expect("the same shape");
    y
}

/// The same numbers in memory that has gaps, starts late and runs in the reverse order of dimensions.
pub fn scattered(t: &Tensor) -> Tensor {
    autograd::no_grad(|| {
        let n = t.ndim();
        let mut sizes: Vec<i64> = t.sizes().iter().rev().map(|s| 2 * s + 1).collect();
        sizes.push(2);
        let big = flambeau_ops::create::zeros(&sizes, t.dtype(), t.device()).expect("small");
        let mut y = flambeau_ops::view::select(&big, -1, 1).expect("the last one");
        let order: Vec<i64> = (0..n as i64).rev().collect();
        y = flambeau_ops::view::permute(&y, &order).expect("all dimensions");
        for (d, &len) in t.sizes().iter().enumerate() {
            let op = flambeau_core::view::ViewOp::Slice { dim: d, start: 1, len, step: 2 };
            y = call::view(&op, &y).expect("inside");
        }
        flambeau_ops::copy::copy_(&y, &t.detach()).expect("the same shape");
        y.detach()
    })
}

/// The first slice of every dimension stretched over it without a copy, and the same numbers as plain memory.
pub fn stretched(t: &Tensor) -> (Tensor, Tensor) {
    autograd::no_grad(|| {
        let mut y = t.detach();
        for d in 0..t.ndim() {
            if y.sizes()[d] > 1 {
                y = flambeau_ops::view::narrow(&y, d as i64, 0, 1).expect("inside");
            }
        }
        let y = flambeau_ops::view::expand(&y, t.sizes()).expect("from one");
        (y.detach(), flambeau_ops::copy::contiguous_copy(&y).expect("a copy"))
    })
}

/// Whether gradients reach output `i`.
pub fn carries(op: &OpDef, i: usize, y: &Tensor) -> bool {
    !matches!(op.diff, Diff::Never) && op.diff_outputs >> i & 1 != 0 && y.dtype().is_differentiable()
}

/// A row whose gradient the tests can check.
pub fn differentiable(op: &OpDef) -> bool {
    matches!(op.diff, Diff::Vjp(_) | Diff::Decompose) || op.decompose.is_some()
}

pub fn is_kernel(op: &OpDef) -> bool {
    matches!(op.kind, Kind::Kernel { .. })
}

/// The inputs as leaves where `grad` has a bit.
pub fn leaves(x: &[Option<Tensor>], grad: u16) -> Xs {
    x.iter()
        .enumerate()
        .map(|(i, t)| t.as_ref().map(|t| if wanted(grad, i, t) { leaf(t) } else { t.clone() }))
        .collect()
}

pub fn wanted(grad: u16, i: usize, t: &Tensor) -> bool {
    grad >> i & 1 != 0 && t.dtype().is_differentiable()
}

/// Gradients of `sum(c * y)` over all outputs for the wanted inputs (zeros where none flows).
pub fn gradients(outs: &[Tensor], cotangents: &[Tensor], x: &Xs, grad: u16, create: bool) -> Result<Vec<Tensor>> {
    let targets: Vec<Tensor> =
        x.iter().enumerate().filter_map(|(i, t)| t.as_ref().filter(|t| wanted(grad, i, t)).cloned()).collect();
    let (mut roots, mut seeds) = (Vec::new(), Vec::new());
    for (y, c) in outs.iter().zip(cotangents) {
        if y.requires_grad() {
            roots.push(y.clone());
            seeds.push(Some(c.clone()));
        }
    }
    let got = if roots.is_empty() {
        vec![None; targets.len()]
    } else {
        autograd::grad(&roots, &seeds, &targets, true, create, true)?
    };
    targets
        .iter()
        .zip(got)
        .map(|(x, g)| match g {
            Some(g) => Ok(g),
            None => flambeau_ops::create::zeros_like(&x.detach()),
        })
        .collect()
}

pub fn meta_of(t: &Tensor) -> Tensor {
    Tensor::empty_strided(t.sizes(), t.strides(), t.dtype(), Device::META).expect("its own strides")
}

/// An input of halves.
pub fn halves(sizes: &[i64]) -> Option<Tensor> {
    flambeau_ops::init();
    let n = flambeau_core::layout::numel(sizes) as usize;
    Some(Tensor::from_slice(&vec![0.5f64; n], sizes).expect("as many numbers"))
}

/// An input of indices, all zero.
pub fn zeroes(sizes: &[i64]) -> Option<Tensor> {
    let n = flambeau_core::layout::numel(sizes) as usize;
    Some(Tensor::from_slice(&vec![0i64; n], sizes).expect("as many numbers"))
}
