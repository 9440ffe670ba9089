use crate::Cpu;
use crate::test_tensor::{Lcg, Tensor, assert_close, random_sizes};
use flambeau_backend::DType::{self, *};
use flambeau_backend::{ReduceOp, Reductions};
use std::collections::HashMap;

const REAL: [DType; 12] = [F32, F64, BF16, F16, I64, I32, I16, I8, U8, U16, U32, Bool];

fn reduced_sizes(sizes: &[i64], dims: u64) -> Vec<i64> {
    sizes.iter().enumerate().map(|(d, &n)| if dims >> d & 1 == 1 { 1 } else { n }).collect()
}

/// The elements behind each output, by the output's index.
fn groups(x: &Tensor, out: &Tensor) -> HashMap<Vec<i64>, Vec<Vec<i64>>> {
    let mut map: HashMap<_, Vec<_>> = out.indices().into_iter().map(|i| (i, vec![])).collect();
    for i in x.indices() {
        let key = i.iter().zip(&out.sizes).map(|(&i, &n)| if n == 1 { 0 } else { i }).collect::<Vec<_>>();
        map.get_mut(&key).unwrap().push(i);
    }
    map
}

fn nan_max(v: &[f64]) -> f64 {
    v.iter().fold(f64::NEG_INFINITY, |a, &b| if a.is_nan() || a > b { a } else { b })
}

fn reference(op: ReduceOp, p: f64, v: &[f64]) -> f64 {
    use ReduceOp::*;
    match op {
        Sum => v.iter().sum(),
        NanSum => v.iter().filter(|x| !x.is_nan()).sum(),
        Mean => v.iter().sum::<f64>() / v.len() as f64,
        Prod => v.iter().product(),
        Amax => nan_max(v),
        Amin => -nan_max(&v.iter().map(|x| -x).collect::<Vec<_>>()),
        Any => v.iter().any(|&x| x != 0.0) as u8 as f64,
        All => v.iter().all(|&x| x != 0.0) as u8 as f64,
        CountNonzero => v.iter().filter(|&&x| x != 0.0).count() as f64,
        Norm if p == 0.0 => v.iter().filter(|&&x| x != 0.0).count() as f64,
        Norm if p == f64::INFINITY => nan_max(&v.iter().map(|x| x.abs()).collect::<Vec<_>>()).max(0.0),
        Norm if p == f64::NEG_INFINITY => -nan_max(&v.iter().map(|x| -x.abs()).collect::<Vec<_>>()),
        Norm => v.iter().map(|x| x.abs().powf(p)).sum::<f64>().powf(1.0 / p),
        LogSumExp => v.iter().map(|x| x.exp()).sum::<f64>().ln(),
    }
}

#[test]
fn every_reduction_on_random_layouts() {
    use ReduceOp::*;
    let mut r = Lcg(1);
    let ops = [Sum, NanSum, Mean, Prod, Amax, Amin, Any, All, CountNonzero, Norm, LogSumExp];
    for round in 0..1500 {
        let op = ops[round % ops.len()];
        let dtype = REAL[r.below(REAL.len() as u64) as usize];
        if matches!(op, Mean | Norm | LogSumExp) && !dtype.is_float() {
            continue;
        }
        let p = [0.0, 1.0, 2.0, 3.0, f64::INFINITY, f64::NEG_INFINITY][r.below(6) as usize];
        let sizes = random_sizes(&mut r);
        let mut x = Tensor::random_layout(&mut r, dtype, &sizes, true);
        x.fill_with(|| {
            let v = r.unit();
            match op {
                Prod if dtype.is_float() => 1.0 + v / 64.0,
                Sum | NanSum if dtype.is_float() && r.below(300) == 0 => f64::NAN,
                _ if r.below(5) == 0 => 0.0 * v,
                _ if dtype.is_float() => v,
                Prod => 1.0 + r.below(2) as f64,
                _ => (v * 50.0 * dtype.is_signed() as u8 as f64).trunc() + 50.0 * !dtype.is_signed() as u8 as f64,
            }
        });
        let dims = r.next();
        let out_dtype = match op {
            Any | All => Bool,
            CountNonzero => I64,
            Sum if dtype.is_int() || dtype == Bool => I64,
            _ => dtype,
        };
        let out = Tensor::random_layout(&mut r, out_dtype, &reduced_sizes(&sizes, dims), false);
        if matches!(op, Amax | Amin | Norm) && out.numel() > 0 && x.numel() == 0 {
            continue;
        }
        Cpu.reduce(op, &[p], x.raw(), out.raw()).unwrap();
        for (i, members) in groups(&x, &out) {
            let v: Vec<f64> = members.iter().map(|i| x.get(i)).collect();
            let mut want = reference(op, p, &v);
            if matches!(op, NanSum | Prod) && !dtype.is_float() {
                // Wraps around.
                let bits = 8 * dtype.size() as u32;
                let mut w = 0i128;
                if op == Prod {
                    w = v.iter().fold(1, |a, &b| (a * b as i128) as i64 as i128);
                } else {
                    v.iter().for_each(|&b| w += b as i128);
                }
                w &= (1 << bits) - 1;
                if dtype.is_signed() && w >> (bits - 1) == 1 {
                    w -= 1 << bits;
                }
                want = if dtype == Bool { reference(if op == Prod { All } else { Any }, p, &v) } else { w as f64 };
            }
            let scale = v.iter().map(|x| x.abs()).filter(|x| !x.is_nan()).sum::<f64>()
                / if op == Mean { v.len().max(1) as f64 } else { 1.0 };
            let scale = if op == Prod { 4.0 * want } else { scale };
            assert_close(out_dtype, out.get(&i), want, scale, &(op, p, &sizes, &x.strides, &out.sizes, &i));
        }
    }
}

#[test]
fn complex_reductions() {
    let mut r = Lcg(2);
    for round in 0..300 {
        let dtype = [C64, C128][round % 2];
        let sizes = random_sizes(&mut r);
        let mut x = Tensor::random_layout(&mut r, dtype, &sizes, true);
        for i in x.indices() {
            let angle = 3.0 * r.unit();
            x.set_complex(&i, (angle.cos(), angle.sin()));
        }
        let out_sizes = reduced_sizes(&sizes, r.next());
        let count = x.numel() / out_sizes.iter().product::<i64>().max(1) as usize;
        let sum = Tensor::random_layout(&mut r, dtype, &out_sizes, false);
        let mean = Tensor::random_layout(&mut r, dtype, &out_sizes, false);
        let prod = Tensor::random_layout(&mut r, dtype, &out_sizes, false);
        let norm = Tensor::random_layout(&mut r, dtype.to_real(), &out_sizes, false);
        let var = Tensor::random_layout(&mut r, dtype.to_real(), &out_sizes, false);
        Cpu.reduce(ReduceOp::Sum, &[], x.raw(), sum.raw()).unwrap();
        Cpu.reduce(ReduceOp::Prod, &[], x.raw(), prod.raw()).unwrap();
        Cpu.reduce(ReduceOp::Norm, &[2.0], x.raw(), norm.raw()).unwrap();
        Cpu.var_mean(x.raw(), var.raw(), mean.raw(), 1.0).unwrap();
        for (i, members) in groups(&x, &sum) {
            let v: Vec<(f64, f64)> = members.iter().map(|i| x.complex(i)).collect();
            let (mut s, mut p, mut q) = ((0.0, 0.0), (1.0, 0.0), 0.0);
            for &(a, b) in &v {
                s = (s.0 + a, s.1 + b);
                p = (p.0 * a - p.1 * b, p.0 * b + p.1 * a);
                q += a * a + b * b;
            }
            let n = count as f64;
            let m = (s.0 / n, s.1 / n);
            let spread: f64 = v.iter().map(|x| (x.0 - m.0).powi(2) + (x.1 - m.1).powi(2)).sum();
            assert_close(dtype, sum.complex(&i).0, s.0, n, &"sum");
            assert_close(dtype, sum.complex(&i).1, s.1, n, &"sum");
            assert_close(dtype, prod.complex(&i).1, p.1, n * p.0.hypot(p.1), &"prod");
            assert_close(dtype, norm.get(&i), q.sqrt(), 1.0, &"norm");
            assert_close(dtype, mean.complex(&i).1, m.1, 1.0, &"mean");
            assert_close(dtype, var.get(&i), spread / (n - 1.0).max(0.0), 1.0, &("var", n));
        }
    }
}

#[test]
fn variance_on_random_layouts() {
    let mut r = Lcg(3);
    for round in 0..400 {
        let dtype = [F32, F64, BF16, F16][round % 4];
        let sizes = random_sizes(&mut r);
        let mut x = Tensor::random_layout(&mut r, dtype, &sizes, true);
        x.fill_with(|| 2.0 + r.unit());
        let out_sizes = reduced_sizes(&sizes, r.next());
        let var = Tensor::random_layout(&mut r, dtype, &out_sizes, false);
        let mean = Tensor::random_layout(&mut r, dtype, &out_sizes, false);
        let correction = [0.0, 1.0, 2.5][r.below(3) as usize];
        Cpu.var_mean(x.raw(), var.raw(), mean.raw(), correction).unwrap();
        for (i, members) in groups(&x, &var) {
            let v: Vec<f64> = members.iter().map(|i| x.get(i)).collect();
            let m = v.iter().sum::<f64>() / v.len() as f64;
            let s = v.iter().map(|x| (x - m).powi(2)).sum::<f64>();
            assert_close(dtype, mean.get(&i), m, 1.0, &"mean");
            let left = (v.len() as f64 - correction).max(0.0);
            if left == 0.0 && v.len() > 1 {
                continue; // 0/0 or rounding/0
            }
            assert_close(dtype, var.get(&i), s / left, 1.0, &("var", &sizes, &x.strides, &out_sizes, correction));
        }
    }
}

#[test]
fn argmax_takes_the_first_and_nan_wins() {
    let mut r = Lcg(4);
    for round in 0..800 {
        let dtype = REAL[round % REAL.len()];
        let mut sizes = random_sizes(&mut r);
        if sizes.is_empty() {
            sizes.push(3);
        }
        let dim = r.below(sizes.len() as u64) as usize;
        if sizes[dim] == 0 {
            sizes[dim] = 5;
        }
        let mut x = Tensor::random_layout(&mut r, dtype, &sizes, true);
        let with_nan = r.below(2) == 0 && dtype.is_float();
        x.fill_with(|| match r.below(100) {
            0 if with_nan => f64::NAN,
            1 if dtype.is_float() => f64::NEG_INFINITY,
            2 => -0.0,
            _ => (r.below(200) as f64 - 100.0 * dtype.is_signed() as u8 as f64).trunc(),
        });
        let largest = r.below(2) == 0;
        let out_sizes = reduced_sizes(&sizes, 1 << dim);
        let values = Tensor::random_layout(&mut r, dtype, &out_sizes, false);
        let indices = Tensor::random_layout(&mut r, I64, &out_sizes, false);
        let again = Tensor::random_layout(&mut r, I64, &out_sizes, false);
        Cpu.minmax_dim(largest, x.raw(), values.raw(), indices.raw(), dim).unwrap();
        Cpu.arg_reduce(largest, x.raw(), again.raw(), dim).unwrap();
        for i in indices.indices() {
            let v: Vec<f64> = (0..sizes[dim]).map(|k| x.get(&[&i[..dim], &[k], &i[dim + 1..]].concat())).collect();
            let mut at = 0;
            for (k, &c) in v.iter().enumerate() {
                let better = if largest { c > v[at] } else { c < v[at] };
                if better && !v[at].is_nan() || c.is_nan() && !v[at].is_nan() {
                    at = k;
                }
            }
            assert_eq!(indices.get(&i), at as f64, "{dtype} {sizes:?} {:?} {dim} {v:?}", x.strides);
            assert_eq!(again.get(&i), at as f64);
            assert!(values.get(&i) == v[at] || v[at].is_nan() && values.get(&i).is_nan());
        }
    }
}

#[test]
fn all_of_one_extreme() {
    for (dtype, v) in [(F32, f64::NEG_INFINITY), (I8, -128.0), (U8, 0.0), (F64, f64::NAN)] {
        let mut x = Tensor::contiguous(dtype, &[3000]);
        x.fill_with(|| v);
        let out = Tensor::contiguous(I64, &[1]);
        Cpu.arg_reduce(true, x.raw(), out.raw(), 0).unwrap();
        assert_eq!(out.get(&[0]), 0.0);
    }
}

/// Split reductions: accuracy of a long sum, and the same bits whatever the number of threads.
#[test]
fn long_reductions_do_not_depend_on_threads() {
    let mut r = Lcg(5);
    for sizes in [[300_003i64, 1], [5_000, 40], [600, 500]] {
        let mut x = Tensor::contiguous(F32, &sizes);
        x.fill_with(|| 1.0 + r.unit());
        for keep in [0u64, 1] {
            let out_sizes = reduced_sizes(&sizes, if keep == 1 { 1 } else { 3 });
            let mut seen: Vec<Vec<f64>> = vec![];
            for threads in [1, 2, 5] {
                crate::parallel::set_num_threads(threads);
                let out = Tensor::contiguous(F32, &out_sizes);
                Cpu.reduce(ReduceOp::Sum, &[], x.raw(), out.raw()).unwrap();
                let (var, mean) = (Tensor::contiguous(F32, &out_sizes), Tensor::contiguous(F32, &out_sizes));
                Cpu.var_mean(x.raw(), var.raw(), mean.raw(), 1.0).unwrap();
                seen.push([out.values(), var.values(), mean.values()].concat());
            }
            assert_eq!(seen[0], seen[1]);
            assert_eq!(seen[0], seen[2]);
            let out = Tensor::contiguous(F64, &out_sizes);
            for (i, members) in groups(&x, &out) {
                let want: f64 = members.iter().map(|i| x.get(i)).sum();
                let k = if out_sizes[1] == 1 { 0 } else { i[1] as usize };
                assert!((seen[0][k] - want).abs() <= 3e-7 * want, "{} {want}", seen[0][k]);
            }
        }
        if sizes[1] == 1 {
            x.set(&[277_777, 0], 9.0);
            let out = Tensor::contiguous(I64, &[1, 1]);
            Cpu.arg_reduce(true, x.raw(), out.raw(), 0).unwrap();
            assert_eq!(out.get(&[0, 0]), 277_777.0);
        }
    }
}

#[test]
fn empty_reductions_give_the_identity() {
    use ReduceOp::*;
    let x = Tensor::contiguous(F32, &[0, 3]);
    for (op, want) in [(Sum, 0.0), (Prod, 1.0), (Mean, f64::NAN), (LogSumExp, f64::NEG_INFINITY), (Norm, 0.0)] {
        let out = Tensor::contiguous(F32, &[1, 3]);
        Cpu.reduce(op, &[2.0], x.raw(), out.raw()).unwrap();
        out.values().into_iter().for_each(|v| assert_close(F32, v, want, 0.0, &op));
    }
    let out = Tensor::contiguous(Bool, &[1, 1]);
    Cpu.reduce(All, &[], x.raw(), out.raw()).unwrap();
    assert_eq!(out.get(&[0, 0]), 1.0);
    Cpu.reduce(Any, &[], x.raw(), out.raw()).unwrap();
    assert_eq!(out.get(&[0, 0]), 0.0);
}

#[test]
fn unsupported_dtypes_are_refused() {
    let (x, out) = (Tensor::contiguous(C64, &[2]), Tensor::contiguous(C64, &[1]));
    let e = Cpu.reduce(ReduceOp::Amax, &[], x.raw(), out.raw()).unwrap_err();
    assert_eq!(e.message(), "\"amax\" not implemented for 'ComplexFloat'");
    let (x, out) = (Tensor::contiguous(I64, &[2]), Tensor::contiguous(I64, &[1]));
    assert!(Cpu.reduce(ReduceOp::Mean, &[], x.raw(), out.raw()).is_err());
}

#[test]
fn logsumexp_of_infinities() {
    let inf = f64::INFINITY;
    for (v, want) in [([-inf, -inf], -inf), ([inf, 1.0], inf), ([-inf, 1.0], 1.0), ([f64::NAN, 1.0], f64::NAN)] {
        let mut x = Tensor::contiguous(F32, &[2]);
        x.set(&[0], v[0]);
        x.set(&[1], v[1]);
        let out = Tensor::contiguous(F32, &[1]);
        Cpu.reduce(ReduceOp::LogSumExp, &[], x.raw(), out.raw()).unwrap();
        assert_close(F32, out.get(&[0]), want, 0.0, &v);
    }
}

/// Contiguous lines around the sizes at which the way of folding them changes, in numbers that fill no group exactly.
#[test]
fn lines_of_every_length() {
    let mut r = Lcg(5);
    for n in [63, 64, 65, 127, 128, 135, 200, 1000, 8191, 8192, 8193, 20_001] {
        for lines in [1, 15, 37] {
            for dtype in [F32, F64, BF16, I64, U8] {
                let mut x = Tensor::contiguous(dtype, &[lines, n]);
                x.fill_with(|| if dtype.is_float() { r.unit() } else { r.below(100) as f64 });
                for op in [ReduceOp::Sum, ReduceOp::Amax] {
                    let to = if op == ReduceOp::Sum && dtype == U8 { I64 } else { dtype };
                    let out = Tensor::contiguous(to, &[lines, 1]);
                    Cpu.reduce(op, &[], x.raw(), out.raw()).unwrap();
                    for i in 0..lines {
                        let line: Vec<f64> = (0..n).map(|j| x.get(&[i, j])).collect();
                        let scale = line.iter().map(|v| v.abs()).sum::<f64>() / (n as f64).sqrt();
                        assert_close(to, out.get(&[i, 0]), reference(op, 0.0, &line), scale, &(op, dtype, lines, n, i));
                    }
                }
            }
        }
    }
}
