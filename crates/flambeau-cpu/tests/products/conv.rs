use flambeau_backend::DType;
use flambeau_backend::{Contraction, ConvParams};
use flambeau_cpu::Cpu;

use crate::tensor::{Rng, Tensor, add, assert_close, mul};

struct Case {
    p: ConvParams,
    x: Vec<i64>,
    w: Vec<i64>,
    out: Vec<i64>,
}

/// A random geometry whose output may be small but not impossible.
fn case(nd: usize, rng: &mut Rng) -> Case {
    let groups = [1, 1, 2, 3][rng.int(0, 3) as usize];
    let (ci, co) = (groups * rng.int(1, 5), groups * rng.int(1, 10));
    let depthwise = rng.int(0, 4) == 0;
    let (ci, co, groups) = if depthwise { (4, 4 * rng.int(1, 2), 4) } else { (ci, co, groups) };
    let mut c = Case {
        p: ConvParams { nd, stride: [1; 3], padding: [0; 3], dilation: [1; 3], groups },
        x: vec![rng.int(1, 3), ci],
        w: vec![co, ci / groups],
        out: vec![],
    };
    c.out = vec![c.x[0], co];
    for d in 0..nd {
        let k = rng.int(1, 4);
        let (s, pad, dil) = (rng.int(1, 3), rng.int(0, 3), rng.int(1, 3));
        let least = (dil * (k - 1) + 1 - 2 * pad).max(1);
        let n = least + rng.int(0, if nd == 1 { 60 } else { 12 / nd as i64 });
        (c.p.stride[d], c.p.padding[d], c.p.dilation[d]) = (s, pad, dil);
        c.x.push(n);
        c.w.push(k);
        c.out.push((n + 2 * pad - dil * (k - 1) - 1) / s + 1);
    }
    c
}

/// Calls `f(x, w, out)` with the flat positions of every product of the convolution.
fn products(c: &Case, x: &Tensor, w: &Tensor, out: &Tensor, mut f: impl FnMut(usize, usize, usize)) {
    let nd = c.p.nd;
    let (per_in, per_out) = (c.w[1], c.out[1] / c.p.groups);
    let unravel = |mut i: usize, sizes: &[i64]| {
        let mut at = vec![0; sizes.len()];
        for d in (0..sizes.len()).rev() {
            at[d] = (i as i64) % sizes[d];
            i /= sizes[d] as usize;
        }
        at
    };
    for o in 0..out.numel() {
        let at = unravel(o, &c.out);
        for k in 0..(c.w[1..].iter().product::<i64>() as usize) {
            let tap = unravel(k, &c.w[1..]);
            let mut xi = vec![at[0], at[1] / per_out * per_in + tap[0]];
            xi.extend((0..nd).map(|d| at[2 + d] * c.p.stride[d] + tap[1 + d] * c.p.dilation[d] - c.p.padding[d]));
            if (0..nd).any(|d| xi[2 + d] < 0 || xi[2 + d] >= c.x[2 + d]) {
                continue;
            }
            let mut wi = vec![at[1]];
            wi.extend(tap);
            f(x.flat(&xi), w.flat(&wi), o);
        }
    }
}

fn check(c: &Case, dtype: DType, rng: &mut Rng) {
    let (x, w) = (Tensor::random(dtype, &c.x, rng), Tensor::random(dtype, &c.w, rng));
    let g = Tensor::random(dtype, &c.out, rng);
    let bias = Tensor::random(dtype, &[c.out[1]], rng);
    let gx_bias = Tensor::random(dtype, &[c.x[1]], rng);
    let with_bias = rng.int(0, 1) == 0;
    let nan = |sizes: &[i64], rng: &mut Rng| Tensor::random(dtype, sizes, rng).fill(f64::NAN);
    let (out, gx, gw) = (nan(&c.out, rng), nan(&c.x, rng), nan(&c.w, rng));

    let plane = |s: &[i64]| s[2..].iter().product::<i64>() as usize;
    let start = |t: &Tensor, b: &Tensor| -> Vec<(f64, f64)> {
        let (n, channels) = (plane(&t.sizes), t.sizes[1] as usize);
        (0..t.numel()).map(|i| if with_bias { b.get(i / n % channels) } else { (0.0, 0.0) }).collect()
    };
    let mut want = [start(&out, &bias), start(&gx, &gx_bias), vec![(0.0, 0.0); gw.numel()]];
    let (xv, wv, gv) = (x.values(), w.values(), g.values());
    products(c, &x, &w, &out, |i, k, o| {
        want[0][o] = add(want[0][o], mul(xv[i], wv[k]));
        want[1][i] = add(want[1][i], mul(gv[o], wv[k]));
        want[2][k] = add(want[2][k], mul(gv[o], xv[i]));
    });
    let what = format!("{dtype} {:?} x {:?} w {:?}", c.p, c.x, c.w);
    let scale = |n: i64| (n as f64).sqrt() + 1.0;
    Cpu.conv(x.raw(), w.raw(), with_bias.then(|| bias.raw()), out.raw(), &c.p).unwrap();
    assert_close(&out, &want[0], scale(c.w[1..].iter().product()), &format!("forward {what}"));
    Cpu.conv_input(g.raw(), w.raw(), with_bias.then(|| gx_bias.raw()), gx.raw(), &c.p).unwrap();
    assert_close(&gx, &want[1], scale(c.w.iter().product()), &format!("input {what}"));
    Cpu.conv_weight(g.raw(), x.raw(), gw.raw(), &c.p).unwrap();
    assert_close(&gw, &want[2], scale(c.out.iter().product()), &format!("weight {what}"));
}

#[test]
fn random_geometries_against_the_definition() {
    let mut rng = Rng(23);
    for nd in 1..=3 {
        for dtype in [DType::F32, DType::F64, DType::BF16, DType::F16, DType::C64, DType::C128, DType::C32] {
            for _ in 0..if dtype == DType::F32 { 60 } else { 12 } {
                check(&case(nd, &mut rng), dtype, &mut rng);
            }
        }
    }
}

#[test]
fn larger_planes_and_more_channels() {
    let mut rng = Rng(29);
    for (x, w, stride, padding, dilation, groups) in [
        ([1, 16, 29, 31], [20, 16, 3, 3], 1, 1, 1, 1),
        ([1, 3, 30, 41], [17, 3, 7, 7], 2, 3, 1, 1),
        ([3, 24, 9, 7], [16, 12, 3, 3], 1, 2, 2, 2),
        ([1, 64, 14, 14], [20, 64, 1, 1], 1, 0, 1, 1),
        ([1, 64, 15, 15], [20, 64, 1, 1], 2, 0, 1, 1),
        ([1, 4, 10, 300], [4, 1, 3, 5], 1, 2, 1, 4),
        ([2, 8, 5, 5], [96, 8, 3, 3], 1, 1, 1, 1),
        ([1, 6, 7, 6], [64, 6, 3, 3], 2, 2, 1, 1),
        ([2, 16, 12, 12], [32, 16, 4, 4], 3, 1, 1, 1),
    ] {
        let p = ConvParams { nd: 2, stride: [stride; 3], padding: [padding; 3], dilation: [dilation; 3], groups };
        let size = |d: usize| (x[d] + 2 * padding - dilation * (w[d] - 1) - 1) / stride + 1;
        let c = Case { p, x: x.to_vec(), w: w.to_vec(), out: vec![x[0], w[0], size(2), size(3)] };
        check(&c, DType::F32, &mut rng);
    }
}

#[test]
fn adjoint_identities_in_float64() {
    let mut rng = Rng(31);
    for round in 0..150 {
        let c = case(1 + round % 3, &mut rng);
        let [x, w, g] = [&c.x, &c.w, &c.out].map(|s| Tensor::random(DType::F64, s, &mut rng));
        let [out, gx, gw] = [&c.out, &c.x, &c.w].map(|s| Tensor::new(DType::F64, s));
        Cpu.conv(x.raw(), w.raw(), None, out.raw(), &c.p).unwrap();
        Cpu.conv_input(g.raw(), w.raw(), None, gx.raw(), &c.p).unwrap();
        Cpu.conv_weight(g.raw(), x.raw(), gw.raw(), &c.p).unwrap();
        let dot = |a: &Tensor, b: &Tensor| a.values().iter().zip(b.values()).map(|(p, q)| p.0 * q.0).sum::<f64>();
        let (forward, input, weight) = (dot(&out, &g), dot(&x, &gx), dot(&w, &gw));
        let limit = 1e-11 * (1.0 + forward.abs() + (out.numel() as f64));
        assert!((forward - input).abs() < limit && (forward - weight).abs() < limit, "{forward} {input} {weight}");
    }
}

#[test]
fn nothing_in_zero_or_bias_out() {
    let p = ConvParams { nd: 1, stride: [1; 3], padding: [0; 3], dilation: [1; 3], groups: 1 };
    let x = Tensor::new(DType::F32, &[0, 2, 5]);
    let (w, gw) = (Tensor::new(DType::F32, &[3, 2, 2]), Tensor::new(DType::F32, &[3, 2, 2]).fill(7.0));
    let g = Tensor::new(DType::F32, &[0, 3, 4]);
    Cpu.conv(x.raw(), w.raw(), None, g.raw(), &p).unwrap();
    Cpu.conv_weight(g.raw(), x.raw(), gw.raw(), &p).unwrap();
    assert!(gw.values().iter().all(|v| v.0 == 0.0));
    let (x, w) = (Tensor::new(DType::F32, &[2, 0, 5]), Tensor::new(DType::F32, &[3, 0, 2]));
    let (out, bias) = (Tensor::new(DType::F32, &[2, 3, 4]), Tensor::new(DType::F32, &[3]).fill(2.0));
    Cpu.conv(x.raw(), w.raw(), Some(bias.raw()), out.raw(), &p).unwrap();
    assert!(out.values().iter().all(|v| v.0 == 2.0));
}
