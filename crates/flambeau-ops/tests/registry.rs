//! What must hold for every row of the registry: described once, and the same result by every way of calling it.

mod common;

use common::*;
use flambeau_core::op::{Inputs, Kind, OpDef, Sample, surface};
use flambeau_core::{DType, Device, ErrorKind, Tensor, autograd, call, call_inplace, call_out};

type Check = fn(&'static OpDef, &Sample) -> Result<(), String>;

fn every(dtype: DType, at_least: usize, pick: fn(&OpDef) -> bool, f: Check) {
    let mut failures = Failures::default();
    for (op, samples) in cases(dtype) {
        for (i, s) in samples.iter().enumerate().filter(|_| pick(op)) {
            let got = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| f(op, s)));
            failures.check(op, i, got.unwrap_or_else(|_| Err("panicked".into())));
        }
    }
    failures.finish(if std::env::var("ROWS").is_ok() { 1 } else { at_least });
}

fn refs(x: &[Option<Tensor>]) -> Vec<Option<&Tensor>> {
    x.iter().map(Option::as_ref).collect()
}

/// The first and any further gradients of a call, with a fixed cotangent.
fn values_and_gradients(op: &'static OpDef, x: &Xs, s: &Sample) -> Result<(Vec<Tensor>, Vec<Tensor>), String> {
    let outs = said(run(op, x, &s.params))?;
    let mut rng = Stream::new(5);
    let c: Vec<Tensor> = outs.iter().map(|y| rng.like(y)).collect();
    let g = said(gradients(&outs, &c, x, s.grad, false))?;
    Ok((outs.into_iter().collect(), g))
}

fn agree(a: &(Vec<Tensor>, Vec<Tensor>), b: &(Vec<Tensor>, Vec<Tensor>), rel: f64) -> Result<(), String> {
    for (what, a, b) in [("value", &a.0, &b.0), ("gradient", &a.1, &b.1)] {
        if a.len() != b.len() {
            return Err(format!("{} and {} {what}s", a.len(), b.len()));
        }
        for (i, (x, y)) in a.iter().zip(b).enumerate() {
            same(x, y, rel, 1.0).map_err(|e| format!("{what} {i}: {e}"))?;
        }
    }
    Ok(())
}

#[test]
fn names_are_unique_and_rows_documented() {
    let mut seen = std::collections::HashSet::new();
    for op in flambeau_ops::registry() {
        assert!(seen.insert(op.name), "two rows are called {}", op.name);
        assert!(op.doc.len() > 5 && op.doc.ends_with('.'), "{} has no documentation", op.name);
        assert!(op.sig.contains('(') && op.sig.contains("->"), "{} has no signature", op.name);
    }
    assert!(seen.len() > 350, "{} rows", seen.len());
}

#[test]
fn signatures_parse() {
    let bad: Vec<String> = flambeau_ops::registry()
        .iter()
        .filter_map(|op| {
            flambeau_core::schema::Schema::parse(op.sig).err().map(|e| format!("{}: {}", op.name, e.message()))
        })
        .collect();
    assert!(bad.is_empty(), "{bad:?}");
}

/// Rows that refuse to be differentiated, as PyTorch's do: a gradient whose derivative nobody has written.
const REFUSES_DERIVATIVES: [&str; 3] = ["ctc_loss_backward", "floor_divide", "heaviside"];

/// Whatever computes has samples, and samples for its gradient unless a stand-in has them.
#[test]
fn rows_that_compute_have_samples() {
    let mut missing = Vec::new();
    for (op, samples) in cases(DType::F64) {
        let computes = is_kernel(op) || matches!(op.kind, Kind::View(_)) || op.decompose.is_some();
        let exempt = matches!(op.diff, flambeau_core::op::Diff::Never)
            || stand_ins::STAND_INS.iter().any(|s| s.op.name == op.name)
            || REFUSES_DERIVATIVES.contains(&op.name);
        if computes && (samples.is_empty() || !exempt && samples.iter().all(|s| s.grad == 0)) {
            missing.push(op.name);
        }
    }
    assert!(missing.is_empty(), "rows without samples: {missing:?}");
}

#[test]
fn composites_have_samples_too() {
    use composites::{FACTORIES, RANDOM, WRITERS};
    let all: std::collections::HashMap<&str, bool> =
        cases(DType::F64).into_iter().map(|(op, samples)| (op.name, !samples.is_empty())).collect();
    let excused = [FACTORIES, RANDOM, WRITERS].concat();
    let mut missing: Vec<&str> =
        all.iter().filter(|(name, sampled)| !*sampled && !excused.contains(name)).map(|(name, _)| *name).collect();
    missing.sort_unstable();
    // A table that speaks of rows that are no more, or that have their own samples, is out of date.
    let mut stale: Vec<&str> = composites::names()
        .filter(|name| flambeau_ops::find(name).is_none_or(|op| op.samples.is_some()))
        .chain(excused.iter().copied().filter(|name| all.get(name) != Some(&false)))
        .collect();
    stale.sort_unstable();
    assert!(missing.is_empty() && stale.is_empty(), "without samples: {missing:?}; out of date: {stale:?}");
}

#[test]
fn derivatives_that_nobody_wrote_are_refused() {
    for (op, samples) in cases(DType::F64).into_iter().filter(|(op, _)| REFUSES_DERIVATIVES.contains(&op.name)) {
        for s in samples {
            let x = leaves(&s.inputs, 1);
            let y = run(op, &x, &s.params).expect("a sample");
            let c: Vec<Tensor> = y.iter().cloned().collect();
            let e = gradients(&y, &c, &x, 1, false).expect_err("no derivative").message().to_string();
            assert!(e.starts_with("derivative for aten::") && e.ends_with("is not implemented"), "{e}");
        }
    }
}

#[test]
fn a_fused_row_equals_its_decomposition() {
    every(
        DType::F64,
        60,
        |op| op.decompose.is_some() && is_kernel(op),
        |op, s| {
            let decompose = op.decompose.expect("filtered");
            let x = leaves(&s.inputs, s.grad);
            let mut fused = values_and_gradients(op, &x, s)?;
            let x = leaves(&s.inputs, s.grad);
            let outs = said(decompose(&refs(&x), &s.params))?;
            let mut rng = Stream::new(5);
            let c: Vec<Tensor> = outs.iter().map(|y| rng.like(y)).collect();
            // Only the outputs that carry gradients in the fused row.
            let roots: Vec<Tensor> =
                outs.iter().enumerate().map(|(i, y)| if carries(op, i, y) { y.clone() } else { y.detach() }).collect();
            let g = said(gradients(&roots, &c, &x, s.grad, false))?;
            fused.0.truncate(outs.len());
            agree(&fused, &(outs.into_iter().collect(), g), 1e-9)
        },
    );
}

fn inplace_row(op: &OpDef) -> bool {
    op.surfaces & surface::INPLACE != 0
}

/// Whether a functional call returned what could stand in the first input.
fn fits_first(s: &Sample, outs: &[Tensor]) -> bool {
    s.inputs[0]
        .as_ref()
        .is_some_and(|t| t.sizes() == outs[0].sizes() && flambeau_core::dtype::can_cast(outs[0].dtype(), t.dtype()))
}

#[test]
fn in_place_equals_functional() {
    every(DType::F64, 200, inplace_row, |op, s| {
        let x = leaves(&s.inputs, s.grad);
        let expected = values_and_gradients(op, &x, s)?;
        if !fits_first(s, &expected.0) {
            return Ok(());
        }
        let mut x = leaves(&s.inputs, s.grad);
        let own = x.clone();
        let first = said(flambeau_ops::copy::clone(x[0].as_ref().expect("a tensor")))?;
        x[0] = Some(first.clone());
        let before = first.version();
        let y = said(call_inplace(op, &refs(&x), s.params.clone()))?;
        if !y.is(&first) || first.version() == before {
            return Err("the result is another object, or its version did not change".into());
        }
        let wanted_first = own[0].as_ref().is_some_and(Tensor::requires_grad);
        let c = Stream::new(5).like(&expected.0[0]);
        if expected.0[0].dtype() != y.dtype() {
            return close(&numbers(&y), &numbers(&expected.0[0]), 0.0, 1.0);
        }
        let g = said(gradients(std::slice::from_ref(&y), &[c], &own, s.grad, false))?;
        if y.requires_grad() != expected.0[0].requires_grad() && wanted_first {
            return Err("requires_grad differs".into());
        }
        agree(&(vec![y], g), &(expected.0[..1].to_vec(), expected.1), 1e-12)
    });
}

#[test]
fn in_place_on_a_view_changes_the_base() {
    every(DType::F64, 200, inplace_row, |op, s| {
        let x = leaves(&s.inputs, s.grad);
        let expected = values_and_gradients(op, &x, s)?;
        if !fits_first(s, &expected.0) || expected.0[0].dtype() != s.inputs[0].as_ref().expect("a tensor").dtype() {
            return Ok(());
        }
        // The first input as the middle one of three slices of a larger tensor.
        let mut x = leaves(&s.inputs, s.grad);
        let own = x.clone();
        let t = x[0].clone().expect("a tensor");
        let three = said(flambeau_ops::shape::stack(&[&t, &t, &t], 0))?;
        let base = said(flambeau_ops::copy::clone(&three))?;
        let view = said(flambeau_ops::view::select(&base, 0, 1))?;
        x[0] = Some(view.clone());
        said(call_inplace(op, &refs(&x), s.params.clone()))?;
        let c = Stream::new(5).like(&expected.0[0]);
        let whole = said(flambeau_ops::shape::stack(&[&c, &c, &c], 0))?;
        let g = said(gradients(std::slice::from_ref(&base), &[whole], &own, s.grad, false))?;
        let mut wanted_g = expected.1;
        if own[0].as_ref().is_some_and(Tensor::requires_grad) {
            // The two slices that were left alone pass the cotangent through.
            wanted_g[0] =
                said(flambeau_ops::binary::add(&wanted_g[0], &said(flambeau_ops::binary::mul_scalar(&c, 2.0))?))?;
        }
        let middle = said(flambeau_ops::view::select(&base.detach(), 0, 1))?;
        agree(&(vec![middle], g), &(expected.0[..1].to_vec(), wanted_g), 1e-12)?;
        same(&said(flambeau_ops::view::select(&base.detach(), 0, 2))?, &t, 0.0, 1.0)
    });
}

#[test]
fn out_equals_functional() {
    every(DType::F64, 500, is_kernel, |op, s| {
        let expected = said(autograd::no_grad(|| run(op, &s.inputs, &s.params)))?;
        let empty = |y: &Tensor| Tensor::empty(&[0], y.dtype(), y.device());
        let grown: Vec<Tensor> = said(expected.iter().map(empty).collect())?;
        let odd: Vec<Tensor> = expected.iter().map(scattered).collect();
        for outs in [grown, odd] {
            said(call_out(op, &refs(&s.inputs), s.params.clone(), &outs))?;
            for (y, out) in expected.iter().zip(&outs) {
                same(y, out, 1e-12, 1.0)?;
            }
        }
        // An output that is also the first input.
        if fits_first(s, &expected) && expected.len() == 1 {
            let mut x = s.inputs.clone();
            let own = copied(x[0].as_ref().expect("a tensor"));
            x[0] = Some(own.clone());
            said(call_out(op, &refs(&x), s.params.clone(), std::slice::from_ref(&own)))?;
            close(&numbers(&own), &numbers(&expected[0]), 1e-12, 1.0)?;
        }
        Ok(())
    });
}

#[test]
fn the_layout_of_inputs_does_not_matter() {
    every(
        DType::F64,
        800,
        |_| true,
        |op, s| {
            let contiguous = |x: &[Option<Tensor>]| -> Xs {
                x.iter()
                    .map(|t| t.as_ref().map(|t| flambeau_ops::copy::contiguous_copy(&t.detach()).expect("a copy")))
                    .collect()
            };
            let strict = |x: Xs| -> Xs {
                x.into_iter()
                    .enumerate()
                    .map(|(i, t)| {
                        t.inspect(|t| {
                            if wanted(s.grad, i, t) {
                                t.set_requires_grad(true).expect("a float leaf");
                            }
                        })
                    })
                    .collect()
            };
            if LAYOUT_BOUND.contains(&op.name) {
                return Ok(());
            }
            let plain = values_and_gradients(op, &strict(contiguous(&s.inputs)), s)?;
            let odd = strict(s.inputs.iter().map(|t| t.as_ref().map(scattered)).collect());
            agree(&values_and_gradients(op, &odd, s)?, &plain, 1e-12).map_err(|e| format!("gaps: {e}"))?;
            // Overlapping memory, where the values may repeat.
            let pairs: Vec<Option<(Tensor, Tensor)>> = s.inputs.iter().map(|t| t.as_ref().map(stretched)).collect();
            let thin = strict(pairs.iter().map(|p| p.as_ref().map(|p| p.0.clone())).collect());
            let thick = strict(pairs.iter().map(|p| p.as_ref().map(|p| p.1.clone())).collect());
            match (values_and_gradients(op, &thin, s), values_and_gradients(op, &thick, s)) {
                (Ok(a), Ok(b)) => agree(&a, &b, 1e-12).map_err(|e| format!("stride 0: {e}")),
                (Err(a), Err(b)) if a == b => Ok(()),
                (a, b) => Err(format!("stride 0: {:?} and {:?}", a.err(), b.err())),
            }
        },
    );
}

/// Rows whose meaning depends on strides.
const LAYOUT_BOUND: [&str; 7] =
    ["view", "as_strided", "view_dtype", "view_as_complex", "view_copy", "as_strided_copy", "view_as_complex_copy"];

fn to_meta(x: &[Option<Tensor>]) -> Xs {
    x.iter().map(|t| t.as_ref().map(|t| if t.is_wrapped() { t.clone() } else { meta_of(t) })).collect()
}

#[test]
fn the_meta_device_knows_shape_dtype_and_strides() {
    every(
        DType::F64,
        800,
        |_| true,
        |op, s| {
            for x in [s.inputs.clone(), s.inputs.iter().map(|t| t.as_ref().map(scattered)).collect()] {
                if LAYOUT_BOUND.contains(&op.name) && !x[0].as_ref().is_some_and(Tensor::is_contiguous) {
                    continue;
                }
                let real = said(autograd::no_grad(|| run(op, &x, &s.params)))?;
                let meta = match autograd::no_grad(|| run(op, &to_meta(&x), &s.params)) {
                    Ok(m) => m,
                    Err(e) if e.kind() == ErrorKind::NotImplemented => continue,
                    // Rows that look at numbers to know a shape or a way.
                    Err(e) if e.message().contains("cannot be called on meta tensors") => continue,
                    Err(e) => return Err(e.message().into()),
                };
                for (a, b) in real.iter().zip(&meta) {
                    let strided = a.numel() == 0 || a.strides() == b.strides();
                    if a.sizes() != b.sizes() || a.dtype() != b.dtype() || !strided || b.device() != Device::META {
                        return Err(format!(
                            "{:?} {:?} {} and on meta {:?} {:?} {} {}",
                            a.sizes(),
                            a.strides(),
                            a.dtype(),
                            b.sizes(),
                            b.strides(),
                            b.dtype(),
                            b.device()
                        ));
                    }
                }
            }
            Ok(())
        },
    );
}

#[test]
fn single_precision_is_close_to_double() {
    every(
        DType::F32,
        800,
        |_| true,
        |op, s| {
            // Another precision may find the other sign of a vector; the kernels' stand-ins do not show it.
            if ["svd", "linalg_svd"].contains(&op.name) {
                return Ok(());
            }
            let op = stand_ins::of(op);
            let x = leaves(&s.inputs, s.grad);
            let narrow = values_and_gradients(op, &x, s)?;
            let cast = |t: &Tensor| match t.dtype() {
                DType::F32 => t.cast_raw(DType::F64).expect("casts"),
                DType::C64 => t.cast_raw(DType::C128).expect("casts"),
                _ => t.clone(),
            };
            let x: Xs = s.inputs.iter().map(|t| t.as_ref().map(cast)).collect();
            let wide = values_and_gradients(op, &leaves(&x, s.grad), s)?;
            let tolerance = 2e-5;
            for (what, a, b) in [("value", &narrow.0, &wide.0), ("gradient", &narrow.1, &wide.1)] {
                for (i, (x, y)) in a.iter().zip(b).enumerate() {
                    let scale = numbers(y).iter().filter(|v| v.is_finite()).fold(1.0f64, |a, v| a.max(v.abs()));
                    close(&numbers(x), &numbers(y), tolerance, scale).map_err(|e| format!("{what} {i}: {e}"))?;
                    if x.dtype() != y.dtype() && x.dtype().to_real() != DType::F32 && op.name != "to_copy" {
                        return Err(format!("{what} {i} is {}", x.dtype()));
                    }
                }
            }
            Ok(())
        },
    );
}

/// Rows refuse what they cannot compute; nothing panics, whatever the dtype.
#[test]
fn any_dtype_is_computed_or_refused() {
    let all = [
        DType::Bool,
        DType::U8,
        DType::I32,
        DType::I64,
        DType::F16,
        DType::BF16,
        DType::C64,
        DType::U16,
        DType::F8E5M2,
    ];
    let mut failures = Failures::default();
    for (op, samples) in cases(DType::F64) {
        for (i, s) in samples.iter().enumerate() {
            for d in all {
                let cast = |t: &Tensor| if t.dtype() == DType::F64 { t.cast_raw(d).expect("casts") } else { t.clone() };
                let x: Xs = s.inputs.iter().map(|t| t.as_ref().map(cast)).collect();
                let got = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(op, &x, &s.params)));
                failures.check(
                    op,
                    i,
                    match got {
                        Ok(Ok(_)) => Ok(()),
                        Ok(Err(e)) if e.message().contains("internal error") => Err(format!("{d}: {}", e.message())),
                        Ok(Err(_)) => Ok(()),
                        Err(_) => Err(format!("{d}: panicked")),
                    },
                );
            }
        }
    }
    failures.finish(1);
}

/// A row that cannot be reached with the inputs it names must say so, not crash.
#[test]
fn absent_and_too_few_inputs_are_errors() {
    let mut failures = Failures::default();
    for (op, samples) in cases(DType::F64) {
        for (i, s) in samples.iter().enumerate().take(1) {
            for n in 0..s.inputs.len() {
                let mut x = s.inputs.clone();
                x[n] = None;
                let got = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(op, &x, &s.params)));
                failures.check(op, i, if got.is_ok() { Ok(()) } else { Err(format!("without input {n}: panicked")) });
            }
        }
    }
    failures.finish(1);
}

#[test]
fn the_node_of_a_row_has_pytorchs_kind_of_name() {
    flambeau_ops::init();
    let add = flambeau_ops::find("add").expect("a row");
    assert_eq!(add.node_name(), "AddBackward0");
    let x: Inputs = &[];
    let Err(e) = call(add, x, flambeau_core::params![]) else { panic!("a sum of nothing") };
    assert_eq!(e.kind(), ErrorKind::Type);
}
