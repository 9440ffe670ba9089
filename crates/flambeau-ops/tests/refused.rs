//! Arguments that no operation can mean: refused with PyTorch's words, never a panic or a read outside of memory. Found by
//! `fuzz/`.

mod common;

use common::*;
use common::{halves as x, zeroes as i};
use flambeau_core::op::{Params, Value};
use flambeau_core::{DType, Device, Scalar, Tensor, params};

const HUGE: i64 = 1 << 62;

#[test]
fn what_cannot_be_meant_is_refused() {
    let image = || x(&[1, 2, 4, 4]);
    let blocks = |k: i64, d: i64, p: i64, s: i64| params![[k], [d], [p], [s]];
    let cases: Vec<(&str, Vec<Option<Tensor>>, Params, &str)> = vec![
        ("expand", vec![x(&[1])], params![[HUGE, 4], false], "numel: integer multiplication overflow"),
        ("as_strided", vec![x(&[3])], params![[1i64], [1i64, 1], 0], "mismatch in length of strides and shape"),
        ("as_strided", vec![x(&[3])], params![[1i64], [1i64], -1], "Tensor: invalid storage offset -1"),
        ("as_strided_scatter", vec![x(&[3]), x(&[1])], params![[1i64, 1, 1], [1i64], 0], "mismatch in length"),
        ("embedding_nn", vec![i(&[2]), x(&[])], params![0], "'weight' must be 2-D"),
        (
            "unfold_blocks",
            vec![image()],
            blocks(0, 1, 0, 1),
            "kernel size should be greater than zero, but got kernel_height: 0",
        ),
        (
            "unfold_blocks",
            vec![image()],
            blocks(2, 0, 0, 1),
            "dilation should be greater than zero, but got dilation_height: 0",
        ),
        ("unfold_blocks", vec![image()], blocks(2, 1, -1, 1), "padding should be non-negative, but got pad_height: -1"),
        (
            "unfold_blocks",
            vec![image()],
            blocks(2, 1, 0, 0),
            "stride should be greater than zero, but got stride_height: 0",
        ),
        (
            "unfold_blocks",
            vec![image()],
            params![[2i64, 2, 2], [1i64], [0i64], [1i64]],
            "It is expected kernel_size equals to 2",
        ),
        (
            "fold_blocks",
            vec![x(&[1, 8, 9])],
            params![[4i64, 4], [0i64], [1i64], [0i64], [1i64]],
            "kernel size should be greater",
        ),
        (
            "fold_blocks",
            vec![x(&[1, 8, 9])],
            params![[-4i64, 4], [2i64], [1i64], [0i64], [1i64]],
            "Given output_size=(-4, 4)",
        ),
        (
            "linear",
            vec![x(&[2, 3]), x(&[])],
            params![],
            "both arguments to linear need to be at least 1D, but they are 2D and 0D",
        ),
        (
            "linear",
            vec![x(&[]), x(&[2, 3])],
            params![],
            "both arguments to linear need to be at least 1D, but they are 0D and 2D",
        ),
        (
            "cholesky_solve",
            vec![x(&[3, 1]), x(&[2, 2])],
            params![false],
            "each A matrix is 2 by 2 but each b matrix is 3 by 1",
        ),
        (
            "cholesky_solve",
            vec![x(&[3, 1]), x(&[3, 2])],
            params![false],
            "A must be batches of square matrices, but they are 3 by 2",
        ),
        ("expand", vec![x(&[3])], params![[-1i64, 3], false], "isn't allowed in a leading, non-existing dimension 0"),
        (
            "index_reduce",
            vec![x(&[3, 4]), i(&[2]), x(&[2])],
            params![0, "prod", true],
            "Got self.shape = [3, 4] source.shape = [2]",
        ),
        (
            "index_reduce",
            vec![x(&[3, 4, 5]), i(&[2]), x(&[2])],
            params![2, "prod", true],
            "Indexing dim 2 is out of bounds of the source tensor with dim 1",
        ),
        (
            "segment_reduce",
            vec![x(&[3]), Some(Tensor::from_slice(&[-3i64, 6], &[2]).expect("two numbers")), None, None],
            params!["sum", 0, true, None::<f64>],
            "lengths contains negative value!",
        ),
        (
            "segment_reduce",
            vec![x(&[3]), Some(Tensor::from_slice(&[HUGE, HUGE], &[2]).expect("two numbers")), None, None],
            params!["sum", 0, true, None::<f64>],
            "Expected all rows of lengths along axis to sum",
        ),
        (
            "segment_reduce",
            vec![x(&[]), i(&[1]), None, None],
            params!["sum", 0, false, None::<f64>],
            "data.dim() >= lengths_value.dim()",
        ),
        ("histc", vec![x(&[3])], params![HUGE, 0.0, 1.0], ""),
        ("mvlgamma", vec![x(&[3])], params![HUGE], ""),
        ("max_pool2d", vec![image()], params![[2i64], [2i64], [0i64], [HUGE], false, false], "without overflow"),
    ];
    for (row, inputs, p, text) in cases {
        let op = flambeau_ops::find(row).unwrap_or_else(|| panic!("no row {row}"));
        let e = run(op, &inputs, &p).err().unwrap_or_else(|| panic!("{row} was not refused: {text}"));
        assert!(e.message().contains(text), "{row}: {}", e.message());
    }
}

#[test]
fn slices_count_from_the_end() {
    let op = flambeau_ops::find("slice").expect("a row");
    let t = Tensor::from_slice(&[0.0, 1.0, 2.0, 3.0], &[4]).expect("four numbers");
    for (start, end, expected) in
        [(-3, 4, &[1.0, 2.0, 3.0][..]), (-9, -1, &[0.0, 1.0, 2.0]), (1, -2, &[1.0]), (-1, -3, &[])]
    {
        let y = &run(op, &[Some(t.clone())], &params![0, start, end, 1]).expect("a slice")[0];
        assert_eq!(numbers(y), expected);
    }
}

#[test]
fn steps_longer_than_memory_take_the_first_element() {
    let op = flambeau_ops::find("slice").expect("a row");
    for (start, end, sizes) in [(0, 4, 1), (1, 4, 1), (3, 3, 0)] {
        let y = &run(op, &[x(&[4])], &params![0, start, end, i64::MAX]).expect("a slice")[0];
        assert_eq!(y.sizes(), [sizes]);
    }
}

#[test]
fn operands_without_memory_are_refused() {
    let elsewhere = |dtype| Some(Tensor::empty(&[3], dtype, Device::META).expect("a shape"));
    let cases: [(&str, Vec<Option<Tensor>>, Params); 4] = [
        ("searchsorted", vec![elsewhere(DType::F64), x(&[3])], params![false, false, ""]),
        ("searchsorted", vec![x(&[3]), elsewhere(DType::F64)], params![false, false, ""]),
        ("masked_scatter", vec![x(&[3]), elsewhere(DType::Bool), x(&[3])], params![]),
        ("bernoulli_tensor_", vec![x(&[3]), elsewhere(DType::F64)], params![Value::None]),
    ];
    for (row, inputs, p) in cases {
        let op = flambeau_ops::find(row).unwrap_or_else(|| panic!("no row {row}"));
        let e = run(op, &inputs, &p).expect_err("refused");
        assert!(e.message().contains("on the same device"), "{row}: {}", e.message());
    }
}

#[test]
fn more_numbers_than_memory_are_refused() {
    for dtype in [DType::U8, DType::F32, DType::F64, DType::C64] {
        let op = flambeau_ops::find("linspace").expect("a row");
        let p = params![
            Scalar::Float(0.0),
            Scalar::Float(1.0),
            1i64 << 50,
            dtype,
            Value::None,
            Value::None,
            Value::None,
            Value::None
        ];
        let e = run(op, &[], &p).expect_err("refused");
        assert!(e.message().contains("can't allocate memory"), "{}", e.message());
    }
}

#[test]
fn lists_longer_than_memory_are_refused() {
    let many = Some(Tensor::from_slice(&[1i64 << 50], &[1]).expect("a number"));
    let cases: [(&str, Vec<Option<Tensor>>, Params); 3] = [
        ("pad", vec![x(&[1, 2, 2])], params![[1i64 << 50, 0].to_vec(), "replicate", Value::None]),
        ("repeat_interleave_tensor", vec![x(&[1]), many], params![Value::None, Value::None]),
        ("histogram", vec![x(&[3]), None], params![1i64 << 50, Value::None, false]),
    ];
    for (row, inputs, p) in cases {
        let op = flambeau_ops::find(row).unwrap_or_else(|| panic!("no row {row}"));
        let e = run(op, &inputs, &p).expect_err("refused");
        assert!(e.message().contains("can't allocate memory"), "{row}: {}", e.message());
    }
}

#[test]
fn more_views_than_memory_are_refused() {
    let t = x(&[1]).map(|t| flambeau_ops::view::expand(&t, &[1 << 40]).expect("an expanded number"));
    for (row, p) in [("unbind", params![0]), ("split", params![1, 0]), ("chunk", params![1i64 << 40, 0])] {
        let op = flambeau_ops::find(row).unwrap_or_else(|| panic!("no row {row}"));
        let e = run(op, &[t.clone()], &p).err().unwrap_or_else(|| panic!("{row} was not refused"));
        assert!(e.message().contains("can't allocate memory"), "{row}: {}", e.message());
    }
}

#[test]
fn lengths_whose_sum_overflows_are_refused() {
    let op = flambeau_ops::find("split_sizes").expect("a row");
    let p = params![[1i64 << 62, 1 << 62, 1 << 62, 1 << 62, 4].to_vec(), 0];
    let e = run(op, &[x(&[4])], &p).expect_err("refused");
    assert!(e.message().contains("sum exactly to 4"), "{}", e.message());
}
