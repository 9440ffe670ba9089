//! Tests of the Rust front door. Expected numbers were recorded from PyTorch (tests/tools/record_*.py).

mod expression;
mod files;
mod functions;
mod modules;
mod operators;
mod optimizers;
mod printing;
mod training;

use std::sync::{Mutex, MutexGuard};

use flambeau::prelude::*;
use serde_json::Value;

/// Tests that draw from the default generator run one at a time.
fn seeded(seed: u64) -> MutexGuard<'static, ()> {
    static DRAWING: Mutex<()> = Mutex::new(());
    let guard = DRAWING.lock().unwrap_or_else(|e| e.into_inner());
    manual_seed(seed);
    guard
}

/// A JSON file, by its path from the repository's root.
fn json(path: &str) -> Value {
    let path = format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn recorded() -> Value {
    json("crates/flambeau/tests/suite/data/recorded.json")
}

/// All numbers in nested lists.
fn numbers(v: &Value) -> Vec<f64> {
    match v {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap_or_else(|| panic!("{other} is not a number"))],
    }
}

/// The elements as doubles, whatever the dtype.
fn values(t: &Tensor) -> Vec<f64> {
    t.to_vec::<f64>().unwrap()
}

/// Equal up to `tolerance`, relative above one and absolute below.
#[track_caller]
fn assert_close(got: &[f64], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance * w.abs().max(1.0), "{what}[{i}]: {g}, PyTorch has {w}\n{got:?}\n{want:?}");
    }
}
