//! Gradients where several arguments attain the result: the shares that PyTorch 2.15 gives (recorded from it).

mod common;

use common::*;
use flambeau_core::{Tensor, params};

fn shares(row: &str, values: &[f64], wrapped: &[f64]) -> Vec<f64> {
    flambeau_ops::init();
    let op = flambeau_ops::find(row).unwrap_or_else(|| panic!("no row {row}"));
    let mut x: Xs = values.iter().map(|&v| Some(leaf(&Tensor::from_slice(&[v], &[1]).expect("one number")))).collect();
    x.extend(wrapped.iter().map(|&v| Some(Tensor::wrapped(v.into()).expect("a number"))));
    let y = run(op, &x, &params![]).expect("fitting operands");
    let c = Tensor::from_slice(&[1.0], &[1]).expect("one number");
    let g = gradients(&y, &[c], &x, (1 << values.len()) - 1, false).expect("a gradient");
    g.iter().flat_map(numbers).collect()
}

#[test]
fn ties_are_shared_as_in_pytorch() {
    for row in ["maximum", "minimum", "fmax", "fmin", "clamp_min", "clamp_max"] {
        assert_eq!(shares(row, &[1.0, 1.0], &[]), [0.5, 0.5], "{row}");
    }
    assert_eq!(shares("clamp_min", &[1.0], &[1.0]), [0.0]);
    assert_eq!(shares("clamp", &[1.0], &[1.0, 2.0]), [0.0]);
    assert_eq!(shares("clamp", &[1.0], &[0.0, 1.0]), [0.0]);
    assert_eq!(shares("clamp", &[1.0, 1.0, 2.0], &[]), [0.5, 0.5, 0.0]);
    assert_eq!(shares("clamp", &[1.0, 0.0, 1.0], &[]), [0.5, 0.0, 0.5]);
    assert_eq!(shares("clamp", &[1.0, 1.0, 1.0], &[]), [1.0, 0.0, 0.0]);
    for x in [1.0, 1.5, 2.0, 3.0] {
        assert_eq!(shares("clamp", &[x, 2.0, 1.0], &[]), [0.0, 0.0, 1.0], "crossed bounds at {x}");
    }
}
