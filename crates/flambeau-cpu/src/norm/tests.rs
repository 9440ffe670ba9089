use crate::Cpu;
use crate::test_tensor::{Lcg, Tensor, assert_close, random_sizes};
use flambeau_backend::DType::{self, *};
use flambeau_backend::Norms;

const FLOAT: [DType; 4] = [F32, F64, BF16, F16];

/// A tensor of random layout with values in `[-1, 1)` times `scale`.
fn random(r: &mut Lcg, dtype: DType, sizes: &[i64], scale: f64) -> Tensor {
    let mut x = Tensor::random_layout(r, dtype, sizes, true);
    x.fill_with(|| scale * r.unit());
    x
}

fn output(r: &mut Lcg, dtype: DType, sizes: &[i64]) -> Tensor {
    Tensor::random_layout(r, dtype, sizes, false)
}

/// The lines of a shape along `dim`, as lists of indices.
fn lines(x: &Tensor, dim: usize) -> Vec<Vec<Vec<i64>>> {
    let all = x.indices();
    let heads = all.iter().filter(|i| i[dim] == 0);
    heads.map(|h| (0..x.sizes[dim]).map(|k| [&h[..dim], &[k], &h[dim + 1..]].concat()).collect()).collect()
}

fn gather(x: &Tensor, line: &[Vec<i64>]) -> Vec<f64> {
    line.iter().map(|i| x.get(i)).collect()
}

#[test]
fn softmax_and_gradient_on_random_layouts() {
    let mut r = Lcg(11);
    for round in 0..500 {
        let dtype = FLOAT[round % 4];
        let mut sizes = random_sizes(&mut r);
        if r.below(4) == 0 {
            sizes = vec![1 + r.below(3) as i64, 30 + r.below(200) as i64, 8 + r.below(40) as i64];
        }
        if sizes.is_empty() {
            sizes.push(4);
        }
        let dim = r.below(sizes.len() as u64) as usize;
        let log = r.below(2) == 0;
        let x = random(&mut r, dtype, &sizes, 4.0);
        let wide = if r.below(5) == 0 && dtype.size() == 2 { F32 } else { dtype };
        let y = output(&mut r, wide, &sizes);
        Cpu.softmax(x.raw(), y.raw(), dim, log).unwrap();
        let g = random(&mut r, wide, &sizes, 1.0);
        let gx = output(&mut r, wide, &sizes);
        Cpu.softmax_backward(g.raw(), y.raw(), gx.raw(), dim, log).unwrap();
        for line in lines(&x, dim) {
            let v = gather(&x, &line);
            let total: f64 = v.iter().map(|v| v.exp()).sum();
            let (ys, gs) = (gather(&y, &line), gather(&g, &line));
            let dot: f64 = ys.iter().zip(&gs).map(|(y, g)| y * g).sum();
            let sum: f64 = gs.iter().sum();
            for (k, i) in line.iter().enumerate() {
                let p = v[k].exp() / total;
                let what = &(&sizes, &x.strides, &y.strides, dim, log);
                assert_close(wide, y.get(i), if log { p.ln() } else { p }, if log { 4.0 } else { p.max(1e-3) }, what);
                let grad = if log { gs[k] - ys[k].exp() * sum } else { ys[k] * (gs[k] - dot) };
                assert_close(wide, gx.get(i), grad, 4.0, what);
            }
        }
    }
}

#[test]
fn softmax_of_special_rows() {
    let inf = f64::INFINITY;
    let nan = f64::NAN;
    let cases = [
        (vec![-inf, -inf], vec![nan, nan]),
        (vec![-inf, 0.0], vec![0.0, 1.0]),
        (vec![nan, 0.0], vec![nan, nan]),
        (vec![1e30, -1e30], vec![1.0, 0.0]),
        (vec![-0.0, 0.0], vec![0.5, 0.5]),
    ];
    for (v, want) in cases {
        for sizes in [[1, 2], [2, 1]] {
            let mut x = Tensor::contiguous(F32, &sizes);
            let mut it = v.iter();
            x.fill_with(|| *it.next().unwrap());
            let y = Tensor::contiguous(F32, &sizes);
            Cpu.softmax(x.raw(), y.raw(), if sizes[0] == 1 { 1 } else { 0 }, false).unwrap();
            y.values().iter().zip(&want).for_each(|(&a, &b)| assert_close(F32, a, b, 0.0, &v));
        }
    }
    let (x, y) = (Tensor::contiguous(F32, &[]), Tensor::contiguous(F32, &[]));
    Cpu.softmax(x.raw(), y.raw(), 0, false).unwrap();
    assert_eq!(y.get(&[]), 1.0);
}

#[test]
fn layer_norm_and_gradient_on_random_layouts() {
    let mut r = Lcg(12);
    for round in 0..300 {
        let dtype = FLOAT[round % 4];
        let stat = if r.below(2) == 0 { dtype } else { dtype.accumulate() };
        let (m, n) = (r.below(300) as i64 / (1 + r.below(20) as i64), 1 + r.below(90) as i64);
        let x = random(&mut r, dtype, &[m, n], 2.0);
        let w = (r.below(2) == 0).then(|| random(&mut r, stat, &[n], 1.0));
        let b = (r.below(2) == 0).then(|| random(&mut r, stat, &[n], 1.0));
        let (y, mean, rstd) = (output(&mut r, dtype, &[m, n]), output(&mut r, stat, &[m]), output(&mut r, stat, &[m]));
        let raw = |t: &Option<Tensor>, f: &mut dyn FnMut(Option<flambeau_backend::Raw>)| f(t.as_ref().map(|t| t.raw()));
        raw(&w, &mut |w| {
            raw(&b, &mut |b| Cpu.layer_norm(x.raw(), w, b, 1e-2, y.raw(), mean.raw(), rstd.raw()).unwrap())
        });
        let g = random(&mut r, dtype, &[m, n], 1.0);
        let (gx, gw, gb) = (output(&mut r, dtype, &[m, n]), output(&mut r, stat, &[n]), output(&mut r, stat, &[n]));
        raw(&w, &mut |w| {
            let (gx, gw, gb) = (Some(gx.raw()), Some(gw.raw()), Some(gb.raw()));
            Cpu.layer_norm_backward(g.raw(), x.raw(), mean.raw(), rstd.raw(), w, gx, gw, gb).unwrap();
        });
        let weight = |j: i64| w.as_ref().map_or(1.0, |w| w.get(&[j]));
        let (mut want_gw, mut want_gb) = (vec![0.0; n as usize], vec![0.0; n as usize]);
        for i in 0..m {
            let v: Vec<f64> = (0..n).map(|j| x.get(&[i, j])).collect();
            let mu = v.iter().sum::<f64>() / n as f64;
            let rs = 1.0 / (v.iter().map(|v| (v - mu).powi(2)).sum::<f64>() / n as f64 + 1e-2).sqrt();
            assert_close(stat, mean.get(&[i]), mu, 2.0, &"mean");
            assert_close(stat, rstd.get(&[i]), rs, 20.0, &"rstd");
            // The gradient uses the statistics as stored.
            let (mu2, rs2) = (mean.get(&[i]), rstd.get(&[i]));
            let (mut s, mut sx) = (0.0, 0.0);
            for j in 0..n {
                let hat = (v[j as usize] - mu) * rs;
                let want = hat * weight(j) + b.as_ref().map_or(0.0, |b| b.get(&[j]));
                assert_close(dtype, y.get(&[i, j]), want, 20.0, &(m, n, i, j, w.is_some(), b.is_some()));
                let (gj, hat) = (g.get(&[i, j]), (v[j as usize] - mu2) * rs2);
                s += gj * weight(j);
                sx += gj * weight(j) * hat;
                want_gw[j as usize] += gj * hat;
                want_gb[j as usize] += gj;
            }
            for j in 0..n {
                let hat = (v[j as usize] - mu2) * rs2;
                let want = rs2 * (g.get(&[i, j]) * weight(j) - s / n as f64 - hat * sx / n as f64);
                assert_close(dtype, gx.get(&[i, j]), want, 40.0, &(m, n, i, j, "gx"));
            }
        }
        for j in 0..n {
            assert_close(stat, gw.get(&[j]), want_gw[j as usize], 4.0 * m as f64, &"gw");
            assert_close(stat, gb.get(&[j]), want_gb[j as usize], m as f64, &"gb");
        }
    }
}

#[test]
fn batch_norm_on_random_layouts() {
    let mut r = Lcg(13);
    for round in 0..300 {
        let dtype = FLOAT[round % 4];
        let stat = if r.below(2) == 0 { dtype } else { dtype.accumulate() };
        let (n, c, s) =
            (1 + r.below(5) as i64, 1 + r.below(9) as i64, 1 + r.below(60) as i64 / (1 + r.below(9) as i64));
        let sizes = [n, c, s];
        let layout = |r: &mut Lcg, input: bool| match r.below(3) {
            0 => Tensor::with_order(dtype, &sizes, &[0, 2, 1], &[1; 3]),
            1 => Tensor::contiguous(dtype, &sizes),
            _ => Tensor::random_layout(r, dtype, &sizes, input),
        };
        let mut x = layout(&mut r, true);
        x.fill_with(|| 1.0 + 2.0 * r.unit());
        let (mean, var) = (output(&mut r, stat, &[c]), output(&mut r, stat, &[c]));
        Cpu.channel_stats(x.raw(), mean.raw(), var.raw()).unwrap();
        let mut inv = output(&mut r, stat, &[c]);
        let count = (n * s) as f64;
        for j in 0..c {
            let v: Vec<f64> = x.indices().iter().filter(|i| i[1] == j).map(|i| x.get(i)).collect();
            let m = v.iter().sum::<f64>() / count;
            assert_close(stat, mean.get(&[j]), m, 3.0, &"mean");
            assert_close(stat, var.get(&[j]), v.iter().map(|v| (v - m).powi(2)).sum::<f64>() / count, 4.0, &"var");
            inv.set(&[j], 1.0 / (var.get(&[j]) + 0.1).sqrt());
        }
        let w = random(&mut r, stat, &[c], 1.0);
        let b = random(&mut r, stat, &[c], 1.0);
        let with = r.below(2) == 0;
        let (wr, br) = (with.then(|| w.raw()), with.then(|| b.raw()));
        let out = layout(&mut r, false);
        Cpu.channel_affine(x.raw(), mean.raw(), inv.raw(), wr, br, out.raw()).unwrap();
        let mut g = layout(&mut r, true);
        g.fill_with(|| r.unit());
        let train = r.below(2) == 0;
        let gx = layout(&mut r, false);
        let (gw, gb) = (output(&mut r, stat, &[c]), output(&mut r, stat, &[c]));
        let grads = [Some(gx.raw()), Some(gw.raw()), Some(gb.raw())];
        Cpu.batch_norm_backward(g.raw(), x.raw(), mean.raw(), inv.raw(), wr, train, grads[0], grads[1], grads[2])
            .unwrap();
        for j in 0..c {
            let (m, iv) = (mean.get(&[j]), inv.get(&[j]));
            let (wj, bj) = if with { (w.get(&[j]), b.get(&[j])) } else { (1.0, 0.0) };
            let members: Vec<_> = x.indices().into_iter().filter(|i| i[1] == j).collect();
            let sum: f64 = members.iter().map(|i| g.get(i)).sum();
            let dot: f64 = members.iter().map(|i| g.get(i) * (x.get(i) - m) * iv).sum();
            assert_close(stat, gw.get(&[j]), dot, 8.0 * count, &"gw");
            assert_close(stat, gb.get(&[j]), sum, count, &"gb");
            for i in &members {
                let hat = (x.get(i) - m) * iv;
                let what = &(&sizes, &x.strides, &out.strides, with, train, i);
                assert_close(dtype, out.get(i), hat * wj + bj, 10.0, what);
                let mean_part = if train { sum / count + hat * dot / count } else { 0.0 };
                assert_close(dtype, gx.get(i), (g.get(i) - mean_part) * iv * wj, 30.0, what);
            }
        }
    }
}

#[test]
fn nll_and_gradient() {
    let mut r = Lcg(14);
    for round in 0..100 {
        let dtype = FLOAT[round % 4];
        let (n, c, s) = (r.below(6) as i64, 1 + r.below(7) as i64, 1 + r.below(4) as i64);
        let logp = random(&mut r, dtype, &[n, c, s], 3.0);
        let mut target = output(&mut r, I64, &[n, s]);
        target.fill_with(|| if r.below(5) == 0 { -100.0 } else { r.below(c as u64) as f64 });
        let w = random(&mut r, dtype, &[c], 1.0);
        let wr = (r.below(2) == 0).then(|| w.raw());
        let (out, gx) = (output(&mut r, dtype, &[n, s]), Tensor::contiguous(dtype, &[n, c, s]));
        let g = random(&mut r, dtype, &[n, s], 1.0);
        Cpu.nll(logp.raw(), target.raw(), wr, -100, out.raw()).unwrap();
        Cpu.nll_backward(g.raw(), target.raw(), wr, -100, gx.raw()).unwrap();
        for i in logp.indices() {
            let at = [i[0], i[2]];
            let t = target.get(&at) as i64;
            let weight = if wr.is_some() && t >= 0 { w.get(&[t]) } else { 1.0 };
            if t == i[1] {
                assert_close(dtype, out.get(&at), -weight * logp.get(&i), 3.0, &i);
                assert_close(dtype, gx.get(&i), -weight * g.get(&at), 1.0, &i);
            } else {
                assert_eq!(gx.get(&i), 0.0);
            }
            if t == -100 {
                assert_eq!(out.get(&at), 0.0);
            }
        }
    }
}

#[test]
fn nll_refuses_a_class_out_of_range() {
    let logp = Tensor::contiguous(F32, &[2, 3, 1]);
    let mut target = Tensor::contiguous(I64, &[2, 1]);
    target.set(&[1, 0], 3.0);
    let out = Tensor::contiguous(F32, &[2, 1]);
    let e = Cpu.nll(logp.raw(), target.raw(), None, -100, out.raw()).unwrap_err();
    assert_eq!((e.kind(), e.message()), (flambeau_backend::ErrorKind::Index, "Target 3 is out of bounds."));
}
