//! The short way of small operations means the same as the general one.

mod common;

use common::*;
use flambeau_core::{DType, Tensor, params};

#[test]
fn contiguous_and_scattered_operands_agree_to_the_bit() {
    flambeau_ops::init();
    let mut rows = 0;
    for op in flambeau_ops::registry().iter().filter(|op| op.quick.is_some()) {
        rows += 1;
        for dtype in [DType::F32, DType::F64] {
            let of =
                |v: &[f64]| Tensor::from_slice(v, &[v.len() as i64]).and_then(|t| t.cast_raw(dtype)).expect("numbers");
            let a = of(&[0.5, 1.25, 2.0, 7.5, 0.125]);
            let number = Tensor::wrapped(1.7.into()).expect("a number");
            for b in [of(&[1.5, 1.25, 0.3, 2.0, 3.0]), number] {
                let general = run(op, &[Some(scattered(&a)), Some(b.clone())], &params![]).expect("fitting operands");
                let quick = run(op, &[Some(a.clone()), Some(b.clone())], &params![]).expect("fitting operands");
                assert_eq!(quick[0].dtype(), general[0].dtype(), "{}", op.name);
                assert_eq!(numbers(&quick[0]), numbers(&general[0]), "{}", op.name);

                let one = flambeau_ops::view::expand(&of(&[1.3]), &[5]).expect("five of one");
                let quick = run(op, &[Some(one), Some(b.clone())], &params![]).expect("fitting operands");
                let general =
                    run(op, &[Some(scattered(&of(&[1.3; 5]))), Some(b)], &params![]).expect("fitting operands");
                assert_eq!(quick[0].strides(), general[0].strides(), "{}", op.name);
                assert_eq!(numbers(&quick[0]), numbers(&general[0]), "{}", op.name);
            }
        }
    }
    assert!(rows > 15, "{rows} rows");
}
