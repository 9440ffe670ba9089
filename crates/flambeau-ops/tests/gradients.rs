//! Every differentiable row against central differences, once and twice differentiated.

mod common;

use common::stand_ins::{STAND_INS, StandIn};
use common::*;
use flambeau_core::op::{OpDef, Sample, Samples};
use flambeau_core::{DType, Tensor, autograd};

const STEP: f64 = 1e-6;

fn cotangents(op: &OpDef, outs: &[Tensor], rng: &mut Stream) -> Vec<Tensor> {
    outs.iter()
        .enumerate()
        .map(
            |(i, y)| if carries(op, i, y) { rng.like(y) } else { Tensor::from_slice(&[0.0], &[]).expect("one number") },
        )
        .collect()
}

/// `sum(c * y)` over the outputs that carry gradients.
fn dot(op: &OpDef, outs: &[Tensor], c: &[Tensor]) -> f64 {
    let mut total = 0.0;
    for (i, y) in outs.iter().enumerate().filter(|(i, y)| carries(op, *i, y)) {
        total += numbers(y).iter().zip(numbers(&c[i])).map(|(a, b)| a * b).sum::<f64>();
    }
    total
}

/// The inputs with `step` times a direction added to the wanted ones.
fn moved(x: &[Option<Tensor>], along: &[Option<Vec<f64>>], step: f64) -> Xs {
    x.iter()
        .zip(along)
        .map(|(t, d)| match (t, d) {
            (Some(t), Some(d)) => {
                let v: Vec<f64> = numbers(t).iter().zip(d).map(|(a, b)| a + step * b).collect();
                let z = copied(t);
                flambeau_ops::copy::copy_(&z, &tensor_of(&v, t)).expect("the same shape");
                Some(z)
            }
            (t, _) => t.clone(),
        })
        .collect()
}

fn first(op: &'static OpDef, s: &Sample, rng: &mut Stream) -> Result<(), String> {
    let x = leaves(&s.inputs, s.grad);
    let outs = said(run(op, &x, &s.params))?;
    if !outs.iter().enumerate().any(|(i, y)| carries(op, i, y)) {
        return Ok(());
    }
    let c = cotangents(op, &outs, rng);
    let got = said(gradients(&outs, &c, &x, s.grad, false))?;
    let mut place = 0;
    for i in 0..x.len() {
        let Some(t) = s.inputs[i].as_ref().filter(|t| wanted(s.grad, i, t)) else { continue };
        let g = &got[place];
        place += 1;
        if g.sizes() != t.sizes() || g.dtype() != t.dtype() {
            return Err(format!("gradient {i} is {:?} {} for {:?} {}", g.sizes(), g.dtype(), t.sizes(), t.dtype()));
        }
        let g = numbers(g);
        let n = g.len();
        let scale = g.iter().fold(1.0f64, |a, b| a.max(b.abs()));
        for k in 0..n {
            let mut along: Vec<Option<Vec<f64>>> = vec![None; x.len()];
            let mut d = vec![0.0; n];
            d[k] = 1.0;
            along[i] = Some(d);
            let at = |h: f64| -> Result<f64, String> {
                let y = autograd::no_grad(|| said(run(op, &moved(&s.inputs, &along, h), &s.params)))?;
                Ok(dot(op, &y, &c))
            };
            let slope = (at(STEP)? - at(-STEP)?) / (2.0 * STEP);
            close(&[g[k]], &[slope], 1e-6, scale)
                .map_err(|e| format!("gradient of input {i}, element {k}: {e} by differences"))?;
        }
    }
    Ok(())
}

fn second(op: &'static OpDef, s: &Sample, rng: &mut Stream) -> Result<(), String> {
    let x = leaves(&s.inputs, s.grad);
    let outs = said(run(op, &x, &s.params))?;
    if !outs.iter().enumerate().any(|(i, y)| carries(op, i, y)) || !outs.iter().any(Tensor::requires_grad) {
        return Ok(());
    }
    let c: Vec<Tensor> = cotangents(op, &outs, rng).iter().map(leaf).collect();
    let plain = said(gradients(&outs, &c, &x, s.grad, false))?;
    let once = said(gradients(&outs, &c, &x, s.grad, true))?;
    for (a, b) in plain.iter().zip(&once) {
        same(a, b, 1e-12, 1.0).map_err(|e| format!("the gradient changes under create_graph: {e}"))?;
    }
    let d: Vec<Tensor> = once.iter().map(|g| rng.like(g)).collect();
    // Differentiated by the inputs and by the cotangents alike.
    let used: Vec<bool> = outs.iter().map(Tensor::requires_grad).collect();
    let mut all = x.clone();
    all.extend(c.iter().zip(&used).map(|(c, &u)| u.then(|| c.clone())));
    let bits =
        (0..x.len()).filter(|&i| x[i].as_ref().is_some_and(|t| wanted(s.grad, i, t))).fold(0u16, |a, i| a | 1 << i);
    let mask = (0..c.len()).filter(|&i| used[i]).fold(bits, |a, i| a | 1 << (x.len() + i));
    let twice = said(gradients(&once, &d, &all, mask, false)).map_err(|e| format!("second backward: {e}"))?;
    for _ in 0..3 {
        let along: Vec<Option<Vec<f64>>> = all
            .iter()
            .enumerate()
            .map(|(i, t)| {
                t.as_ref().filter(|_| mask >> i & 1 != 0).map(|t| numbers(t).iter().map(|_| rng.number()).collect())
            })
            .collect();
        let analytic: f64 = along
            .iter()
            .flatten()
            .zip(&twice)
            .map(|(u, g)| numbers(g).iter().zip(u).map(|(a, b)| a * b).sum::<f64>())
            .sum();
        let at = |h: f64| -> Result<f64, String> {
            let mut all = moved(&all, &along, h);
            let c: Vec<Tensor> =
                (0..c.len()).map(|i| all[x.len() + i].clone().unwrap_or_else(|| c[i].detach())).collect();
            all.truncate(x.len());
            let x = leaves(&all, s.grad);
            let outs = said(run(op, &x, &s.params))?;
            let g = said(gradients(&outs, &c, &x, s.grad, false))?;
            Ok(g.iter().zip(&d).map(|(g, d)| numbers(g).iter().zip(numbers(d)).map(|(a, b)| a * b).sum::<f64>()).sum())
        };
        let slope = (at(STEP)? - at(-STEP)?) / (2.0 * STEP);
        close(&[analytic], &[slope], 1e-4, 1.0).map_err(|e| format!("second gradient: {e} by differences"))?;
    }
    Ok(())
}

/// The same calls on complex numbers, for the rows that take them.
fn complex(s: &Sample, rng: &mut Stream) -> Sample {
    let inputs = s
        .inputs
        .iter()
        .map(|t| {
            t.as_ref().map(|t| {
                if t.dtype() != DType::F64 {
                    return t.clone();
                }
                let z = Tensor::empty(t.sizes(), DType::C128, t.device()).expect("small");
                let v: Vec<f64> = numbers(t).iter().flat_map(|&x| [x, 0.3 * rng.number()]).collect();
                tensor_of(&v, &z)
            })
        })
        .collect();
    Sample { inputs, params: s.params.clone(), grad: s.grad }
}

#[test]
fn complex_numbers() {
    let (mut failures, mut taken) = (Failures::default(), std::collections::HashSet::new());
    let mut rng = Stream::new(13);
    for (op, samples) in cases(DType::F64) {
        for (i, s) in samples.iter().enumerate() {
            if s.grad == 0 || matches!(op.diff, flambeau_core::op::Diff::Never) {
                continue;
            }
            // Kernels say which dtypes they take, and none runs over no elements.
            if s.inputs.iter().flatten().any(|t| t.numel() == 0) {
                continue;
            }
            let s = complex(s, &mut rng);
            if autograd::no_grad(|| run(op, &s.inputs, &s.params)).is_err() {
                continue;
            }
            taken.insert(op.name);
            failures.check(op, i, first(op, &s, &mut rng).and_then(|()| second(op, &s, &mut rng)));
        }
    }
    failures.finish(1);
    assert!(taken.len() > 90 || std::env::var("ROWS").is_ok(), "{} rows take complex numbers", taken.len());
}

fn every(f: fn(&'static OpDef, &Sample, &mut Stream) -> Result<(), String>) {
    let mut failures = Failures::default();
    let mut rng = Stream::new(11);
    for (op, samples) in cases(DType::F64) {
        for (i, s) in samples.iter().enumerate() {
            if s.grad != 0 && !matches!(op.diff, flambeau_core::op::Diff::Never) {
                let got = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| f(op, s, &mut rng)));
                failures.check(op, i, got.unwrap_or_else(|_| Err("panicked".into())));
            }
        }
    }
    failures.finish(if std::env::var("ROWS").is_ok() { 1 } else { 500 });
}

/// `f` for real and for complex samples of the stand-ins, which it is told how often PyTorch differentiates.
fn every_stand_in(f: fn(&'static StandIn, &Sample, &mut Stream) -> Result<(), String>) {
    let (mut failures, mut rng) = (Failures::default(), Stream::new(17));
    for stand in &STAND_INS {
        let mut s = Samples::new(DType::F64);
        autograd::no_grad(|| stand.op.samples.expect("they all have")(&mut s));
        for (i, s) in s.list.iter().enumerate() {
            failures.check(&stand.op, i, f(stand, s, &mut rng));
            let z = complex(s, &mut rng);
            if autograd::no_grad(|| run(&stand.op, &z.inputs, &z.params)).is_ok() {
                failures.check(&stand.op, 100 + i, f(stand, &z, &mut rng));
            } else {
                assert_eq!(stand.op.name, "ctc_loss_kernel", "takes no complex numbers");
            }
        }
    }
    failures.finish(28);
}

#[test]
fn first_order_of_stand_ins() {
    every_stand_in(|stand, s, rng| first(&stand.op, s, rng));
}

#[test]
fn second_order_of_stand_ins() {
    every_stand_in(|stand, s, rng| match second(&stand.op, s, rng) {
        Err(e) if !stand.twice && e.ends_with("is not implemented") => Ok(()),
        Ok(()) if !stand.twice => Err("no second derivative was expected".into()),
        got => got,
    });
}

#[test]
fn first_order() {
    every(first);
}

#[test]
fn second_order() {
    every(second);
}
