//! Tensors without elements: shapes and numbers that PyTorch gives, and gradients that pass.

mod common;

use common::*;
use common::{halves as x, zeroes as i};
use flambeau_core::op::Params;
use flambeau_core::{DType, ErrorKind, Tensor, params};

struct Case {
    row: &'static str,
    inputs: Vec<Option<Tensor>>,
    p: Params,
    sizes: &'static [i64],
    /// The number that every element has, where it has one.
    value: Option<f64>,
}

fn cases_of_nothing() -> Vec<Case> {
    let mut list = Vec::new();
    let mut add = |row, inputs: &[Option<Tensor>], p: Params, sizes, value| {
        list.push(Case { row, inputs: inputs.to_vec(), p, sizes, value });
    };
    const ALL: Option<Vec<i64>> = None;
    let none = || None::<DType>;
    add("sum", &[x(&[0, 3])], params![ALL, false], &[], Some(0.0));
    add("sum", &[x(&[0, 3])], params![[0i64], false], &[3], Some(0.0));
    add("sum", &[x(&[0, 3])], params![[1i64], true], &[0, 1], None);
    add("prod", &[x(&[0])], params![None::<i64>, false], &[], Some(1.0));
    add("mean", &[x(&[0])], params![ALL, false], &[], Some(f64::NAN));
    add("mean", &[x(&[3, 0])], params![[1i64], false], &[3], Some(f64::NAN));
    add("amax", &[x(&[0, 3])], params![[1i64], false], &[0], None);
    add("max_dim", &[x(&[0, 3])], params![1, false], &[0], None);
    add("argmax", &[x(&[0, 3])], params![1, false], &[0], None);
    add("logsumexp", &[x(&[0, 3])], params![[0i64], false], &[3], Some(f64::NEG_INFINITY));
    add("norm_p", &[x(&[0])], params![ALL, false, 2.0], &[], Some(0.0));
    add("var_mean_kernel", &[x(&[0])], params![ALL, false, 1.0], &[], Some(f64::NAN));
    add("any", &[x(&[0])], params![ALL, false], &[], Some(0.0));
    add("all", &[x(&[0])], params![ALL, false], &[], Some(1.0));
    add("cumsum", &[x(&[0, 3])], params![0, none()], &[0, 3], None);
    add("cumprod", &[x(&[3, 0])], params![1, none()], &[3, 0], None);
    add("sort", &[x(&[0])], params![-1, false, false], &[0], None);
    add("sort", &[x(&[0, 3])], params![0, false, false], &[0, 3], None);
    add("topk", &[x(&[3])], params![0, -1, true, true], &[0], None);
    add("topk", &[x(&[0, 3])], params![2, 1, true, true], &[0, 2], None);
    add("nonzero", &[x(&[0, 2])], params![], &[0, 2], None);
    add("mm", &[x(&[0, 3]), x(&[3, 2])], params![], &[0, 2], None);
    add("mm", &[x(&[2, 0]), x(&[0, 3])], params![], &[2, 3], Some(0.0));
    add("bmm", &[x(&[0, 2, 3]), x(&[0, 3, 2])], params![], &[0, 2, 2], None);
    add("bmm", &[x(&[2, 2, 0]), x(&[2, 0, 1])], params![], &[2, 2, 1], Some(0.0));
    add("matmul", &[x(&[0, 2, 3]), x(&[3])], params![], &[0, 2], None);
    add("matmul", &[x(&[2, 3, 0]), x(&[0, 4])], params![], &[2, 3, 4], Some(0.0));
    add("matmul", &[x(&[0]), x(&[0])], params![], &[], Some(0.0));
    add("linear", &[x(&[0, 3]), x(&[4, 3]), x(&[4])], params![], &[0, 4], None);
    add("linear", &[x(&[2, 0]), x(&[4, 0]), x(&[4])], params![], &[2, 4], Some(0.5));
    add("cat", &[x(&[0]), x(&[2, 3])], params![2, 0], &[2, 3], Some(0.5));
    add("cat", &[x(&[0, 3]), x(&[0, 3])], params![2, 0], &[0, 3], None);
    add("stack", &[x(&[0]), x(&[0])], params![2, 0], &[2, 0], None);
    add("gather", &[x(&[2, 3]), i(&[0, 3])], params![0, false], &[0, 3], None);
    add("index_select", &[x(&[2, 3]), i(&[0])], params![0], &[0, 3], None);
    add("index_add", &[x(&[2, 3]), i(&[0]), x(&[0, 3])], params![0, 1], &[2, 3], Some(0.5));
    add("scatter_add", &[x(&[2, 3]), i(&[0, 3]), x(&[2, 3])], params![0], &[2, 3], Some(0.5));
    add("index", &[x(&[2, 3]), i(&[0])], params![1], &[0, 3], None);
    add("embedding", &[x(&[4, 3]), i(&[2, 0])], params![-1, false, false], &[2, 0, 3], None);
    add("softmax", &[x(&[0, 3])], params![1, none()], &[0, 3], None);
    add("log_softmax", &[x(&[3, 0])], params![1, none()], &[3, 0], None);
    add("layer_norm", &[x(&[0, 4]), x(&[4]), x(&[4])], params![[4i64], 1e-5], &[0, 4], None);
    add(
        "batch_norm",
        &[x(&[0, 3, 2]), x(&[3]), x(&[3]), x(&[3]), x(&[3])],
        params![false, 0.1, 1e-5],
        &[0, 3, 2],
        None,
    );
    add("group_norm", &[x(&[0, 4, 3]), None, None], params![2, 1e-5], &[0, 4, 3], None);
    let (one, zero) = ([1i64, 1], [0i64, 0]);
    add("conv2d", &[x(&[0, 2, 5, 5]), x(&[3, 2, 2, 2]), x(&[3])], params![one, zero, one, 1], &[0, 3, 4, 4], None);
    add(
        "conv_transpose2d",
        &[x(&[0, 2, 3, 3]), x(&[2, 3, 2, 2]), None],
        params![one, zero, zero, 1, one],
        &[0, 3, 4, 4],
        None,
    );
    add("max_pool2d", &[x(&[0, 2, 4, 4])], params![[2i64, 2], [2i64, 2], zero, one, false, false], &[0, 2, 2, 2], None);
    add(
        "avg_pool2d",
        &[x(&[0, 2, 4, 4])],
        params![[2i64, 2], [2i64, 2], zero, false, true, None::<i64>],
        &[0, 2, 2, 2],
        None,
    );
    add("adaptive_avg_pool2d", &[x(&[0, 2, 4, 4])], params![[1i64, 1]], &[0, 2, 1, 1], None);
    add("flip", &[x(&[0, 2])], params![[0i64]], &[0, 2], None);
    add("roll", &[x(&[0, 2])], params![[1i64], [0i64]], &[0, 2], None);
    add("repeat", &[x(&[2])], params![[0i64, 2]], &[0, 4], None);
    add("pad", &[x(&[0, 2])], params![[1i64, 1, 1, 0], "constant", 0.5], &[1, 4], Some(0.5));
    add("tril", &[x(&[0, 2])], params![0], &[0, 2], None);
    add(
        "where_select",
        &[i(&[0]).map(|t| t.cast_raw(DType::Bool).expect("casts")), x(&[0]), x(&[])],
        params![],
        &[0],
        None,
    );
    let how = |r: &str| params![None::<bool>, -100, None::<bool>, r, 0.0];
    add("cross_entropy", &[x(&[0, 3]), i(&[0]), None], how("mean"), &[], Some(f64::NAN));
    add("cross_entropy", &[x(&[0, 3]), i(&[0]), None], how("sum"), &[], Some(0.0));
    add("mse_loss", &[x(&[0]), x(&[0])], params![None::<bool>, None::<bool>, "mean"], &[], Some(f64::NAN));
    add(
        "scaled_dot_product_attention",
        &[x(&[0, 2, 3, 4]), x(&[0, 2, 3, 4]), x(&[0, 2, 3, 4]), None],
        params![0.0, false, None::<f64>, false],
        &[0, 2, 3, 4],
        None,
    );
    add("reshape", &[x(&[0, 3])], params![[3i64, 0]], &[3, 0], None);
    add("expand", &[x(&[1, 0])], params![[4i64, 0], false], &[4, 0], None);
    add("unfold", &[x(&[0, 4])], params![1, 2, 2], &[0, 2, 2], None);
    list
}

#[test]
fn nothing_in_gives_what_pytorch_gives() {
    let mut failures = Failures::default();
    for (n, c) in cases_of_nothing().into_iter().enumerate() {
        let op = flambeau_ops::find(c.row).unwrap_or_else(|| panic!("no row {}", c.row));
        let check = || -> Result<(), String> {
            let x = leaves(&c.inputs, u16::MAX);
            let outs = said(run(op, &x, &c.p))?;
            if outs[0].sizes() != c.sizes {
                return Err(format!("{:?}, not {:?}", outs[0].sizes(), c.sizes));
            }
            let got = numbers(&outs[0]);
            match c.value {
                Some(v) => close(&got, &vec![v; got.len()], 0.0, 1.0)?,
                None if !got.is_empty() => return Err("has elements".into()),
                None => {}
            }
            let c: Vec<Tensor> = outs.iter().map(|y| Stream::new(3).like(y)).collect();
            said(gradients(&outs, &c, &x, u16::MAX, true)).map(|_| ())
        };
        failures.check(op, n, check());
    }
    failures.finish(60);
}

#[test]
fn what_has_no_answer_is_refused() {
    for (row, p) in [
        ("amax", params![[0i64], false]),
        ("max", params![]),
        ("max_dim", params![0, false]),
        ("argmax", params![None::<i64>, false]),
        ("argmin", params![0, false]),
    ] {
        let op = flambeau_ops::find(row).unwrap_or_else(|| panic!("no row {row}"));
        let e = run(op, &[x(&[0, 3])], &p).err().unwrap_or_else(|| panic!("{row} of nothing"));
        assert!(matches!(e.kind(), ErrorKind::Index | ErrorKind::Runtime), "{row}: {}", e.message());
    }
}
