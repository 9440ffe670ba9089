use flambeau_backend::DType;
use flambeau_backend::{Attention, Contraction, Raw};
use flambeau_cpu::Cpu;

use crate::tensor::{Rng, Tensor, assert_close};

struct Case {
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Option<Tensor>,
    p: Attention,
}

fn case(dtype: DType, [b, l, s, e, ev]: [i64; 5], causal: bool, masked: bool, rng: &mut Rng) -> Case {
    let mask = masked.then(|| {
        let mut m = Tensor::random(dtype, &[b, l, s], rng);
        for i in 0..m.numel() {
            if rng.int(0, 4) == 0 && i as i64 % s != 0 {
                m.set(i, (f64::NEG_INFINITY, 0.0));
            }
        }
        if b > 1 && rng.int(0, 1) == 0 { m.broadcast0(b) } else { m }
    });
    Case {
        q: Tensor::random(dtype, &[b, l, e], rng),
        k: Tensor::random(dtype, &[b, s, e], rng),
        v: Tensor::random(dtype, &[b, s, ev], rng),
        mask,
        p: Attention { scale: 0.7, causal },
    }
}

/// The outputs and the log-sum-exp of each row, in float64.
fn reference(c: &Case) -> (Vec<(f64, f64)>, Vec<(f64, f64)>) {
    let (l, s, e, ev) = (c.q.sizes[1], c.k.sizes[1], c.q.sizes[2], c.v.sizes[2]);
    let (mut out, mut lse) = (vec![], vec![]);
    let at = |t: &Tensor, b: i64, i: i64, j: i64| t.get(t.flat(&[b, i, j])).0;
    for b in 0..c.q.sizes[0] {
        for i in 0..l {
            let score = |j: i64| {
                if c.p.causal && j > i {
                    return f64::NEG_INFINITY;
                }
                let dot: f64 = (0..e).map(|p| at(&c.q, b, i, p) * at(&c.k, b, j, p)).sum();
                dot * c.p.scale + c.mask.as_ref().map_or(0.0, |m| at(m, b, i, j))
            };
            let scores: Vec<f64> = (0..s).map(score).collect();
            let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = scores.iter().map(|x| (x - top).exp()).sum();
            lse.push((top + sum.ln(), 0.0));
            for p in 0..ev {
                let v: f64 = (0..s).map(|j| (scores[j as usize] - top).exp() / sum * at(&c.v, b, j, p)).sum();
                out.push((v, 0.0));
            }
        }
    }
    (out, lse)
}

fn run(c: &Case) -> (Tensor, Tensor) {
    let dtype = c.q.dtype;
    let out = Tensor::new(dtype, &[c.q.sizes[0], c.q.sizes[1], c.v.sizes[2]]).fill(f64::NAN);
    let lse = Tensor::new(if dtype == DType::F64 { dtype } else { DType::F32 }, &c.q.sizes[..2]);
    let mask = c.mask.as_ref().map(Tensor::raw);
    Cpu.attention(c.q.raw(), c.k.raw(), c.v.raw(), mask, out.raw(), lse.raw(), &c.p).unwrap();
    (out, lse)
}

fn gradients(c: &Case, g: &Tensor) -> [Tensor; 3] {
    let (out, lse) = run(c);
    let grads = [&c.q, &c.k, &c.v].map(|t| Tensor::new(t.dtype, &t.sizes).fill(f64::NAN));
    let raws: [Raw; 3] = [grads[0].raw(), grads[1].raw(), grads[2].raw()];
    let mask = c.mask.as_ref().map(Tensor::raw);
    Cpu.attention_backward(g.raw(), c.q.raw(), c.k.raw(), c.v.raw(), mask, out.raw(), lse.raw(), raws, &c.p).unwrap();
    grads
}

const SHAPES: [[i64; 5]; 8] = [
    [2, 5, 7, 3, 4],
    [1, 1, 1, 1, 1],
    [1, 130, 70, 8, 50],
    [3, 66, 200, 16, 8],
    [1, 64, 385, 5, 64],
    [2, 1, 50, 64, 64],
    [1, 100, 1, 4, 4],
    [0, 3, 3, 2, 2],
];

#[test]
fn forward_against_the_definition() {
    let mut rng = Rng(41);
    for dtype in [DType::F32, DType::F64, DType::BF16, DType::F16] {
        for shape in SHAPES {
            for (causal, masked) in [(false, false), (true, false), (false, true), (true, true)] {
                let c = case(dtype, shape, causal, masked, &mut rng);
                let (want, want_lse) = reference(&c);
                let (out, lse) = run(&c);
                let what = format!("{dtype} {shape:?} causal {causal} mask {masked}");
                assert_close(&out, &want, 3.0, &what);
                assert_close(&lse, &want_lse, 4.0, &what);
            }
        }
    }
}

#[test]
fn backward_against_finite_differences() {
    let mut rng = Rng(43);
    for shape in [[2, 5, 7, 3, 4], [1, 67, 9, 4, 3], [1, 9, 200, 3, 5]] {
        for (causal, masked) in [(false, false), (true, false), (false, true)] {
            let mut c = case(DType::F64, shape, causal, masked, &mut rng);
            let g = Tensor::random(DType::F64, &[shape[0], shape[1], shape[4]], &mut rng);
            let grads = gradients(&c, &g);
            let loss = |c: &Case| -> f64 { run(c).0.values().iter().zip(g.values()).map(|(o, g)| o.0 * g.0).sum() };
            for which in 0..3 {
                for _ in 0..8 {
                    let n = [&c.q, &c.k, &c.v][which].numel() as i64;
                    let i = rng.int(0, n - 1) as usize;
                    let mut shifted = |by: f64| {
                        let t = [&mut c.q, &mut c.k, &mut c.v].into_iter().nth(which).unwrap();
                        let (x, _) = t.get(i);
                        t.set(i, (x + by, 0.0));
                        let y = loss(&c);
                        let t = [&mut c.q, &mut c.k, &mut c.v].into_iter().nth(which).unwrap();
                        t.set(i, (x, 0.0));
                        y
                    };
                    let step = 1e-5;
                    let slope = (shifted(step) - shifted(-step)) / (2.0 * step);
                    let got = grads[which].get(i).0;
                    assert!((slope - got).abs() < 1e-7 * (1.0 + slope.abs()), "{shape:?} {which} {i}: {got} {slope}");
                }
            }
        }
    }
}

#[test]
fn narrower_types_follow_float64_backward() {
    let mut rng = Rng(47);
    for dtype in [DType::F32, DType::BF16, DType::F16] {
        for shape in [[2, 70, 66, 16, 20], [1, 130, 300, 8, 64]] {
            let c = case(dtype, shape, true, true, &mut rng);
            let g = Tensor::random(dtype, &[shape[0], shape[1], shape[4]], &mut rng);
            let wide = |t: &Tensor| {
                let mut w = Tensor::new(DType::F64, &t.sizes);
                (0..t.numel()).for_each(|i| w.set(i, t.get(i)));
                w
            };
            let (q, k, v, mask) = (wide(&c.q), wide(&c.k), wide(&c.v), c.mask.as_ref().map(wide));
            let exact = gradients(&Case { q, k, v, mask, p: c.p }, &wide(&g));
            for (got, want) in gradients(&c, &g).iter().zip(exact) {
                assert_close(got, &want.values(), 6.0, &format!("{dtype} {shape:?}"));
            }
        }
    }
}

#[test]
fn rows_without_any_key_and_no_keys_at_all() {
    let mut c = case(DType::F32, [1, 3, 5, 2, 2], false, true, &mut Rng(53));
    let mask = c.mask.as_mut().unwrap();
    (0..15).for_each(|i| mask.set(i, (if i / 5 == 1 { f64::NEG_INFINITY } else { 0.0 }, 0.0)));
    let out = run(&c).0.values();
    assert!(out.iter().enumerate().all(|(i, v)| v.0.is_nan() == (i / 2 == 1)), "{out:?}");
    let c = case(DType::F32, [1, 3, 0, 2, 2], false, false, &mut Rng(59));
    assert!(run(&c).0.values().iter().all(|v| v.0 == 0.0));
}
