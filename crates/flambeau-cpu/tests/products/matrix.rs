use flambeau_backend::{Contraction, Raw};
use flambeau_backend::{DType, ErrorKind};
use flambeau_cpu::Cpu;

use crate::tensor::{Rng, Tensor, add, assert_close, mul};

const TYPES: [DType; 15] = [
    DType::F32,
    DType::F64,
    DType::BF16,
    DType::F16,
    DType::C32,
    DType::C64,
    DType::C128,
    DType::I8,
    DType::I16,
    DType::I32,
    DType::I64,
    DType::U8,
    DType::U16,
    DType::U32,
    DType::U64,
];

fn reference(alpha: f64, a: &Tensor, b: &Tensor, beta: f64, out: &Tensor) -> Vec<(f64, f64)> {
    let (m, n, k) = (out.sizes[1], out.sizes[2], a.sizes[2]);
    let mut all = vec![];
    for t in 0..out.sizes[0] {
        for i in 0..m {
            for j in 0..n {
                let mut s = (0.0, 0.0);
                for p in 0..k {
                    s = add(s, mul(a.get(a.flat(&[t, i, p])), b.get(b.flat(&[t, p, j]))));
                }
                let mut v = mul((alpha, 0.0), s);
                if beta != 0.0 {
                    v = add(v, mul((beta, 0.0), out.get(all.len())));
                }
                all.push(v);
            }
        }
    }
    all
}

fn check(dtype: DType, [t, m, n, k]: [i64; 4], alpha: f64, beta: f64, rng: &mut Rng) {
    let mut a = Tensor::random(dtype, &[t, m, k], rng);
    let mut b = Tensor::random(dtype, &[t, k, n], rng);
    if t > 1 && rng.int(0, 2) == 0 {
        a = a.broadcast0(t);
    }
    if t > 1 && rng.int(0, 2) == 0 {
        b = b.broadcast0(t);
    }
    let mut out = Tensor::random(dtype, &[t, m, n], rng);
    if beta == 0.0 && !dtype.is_int() {
        out = out.fill(f64::NAN);
    }
    let want = reference(alpha, &a, &b, beta, &out);
    Cpu.gemm(alpha, a.raw(), b.raw(), beta, out.raw()).unwrap();
    let layout = format!("{:?} {:?} {:?}", a.strides, b.strides, out.strides);
    assert_close(&out, &want, (k as f64).sqrt() + 1.0, &format!("{dtype} {t}x{m}x{n}x{k} {alpha} {beta} {layout}"));
}

#[test]
fn random_shapes_layouts_and_scalars() {
    let mut rng = Rng(7);
    for dtype in TYPES {
        for round in 0..60 {
            let big = if round % 10 == 0 { 70 } else { 18 };
            let shape = [rng.int(0, 3), rng.int(0, big), rng.int(0, big), rng.int(0, big)];
            let shape = if round % 3 > 0 { shape.map(|n| n.max(1)) } else { shape };
            let alpha = [1.0, 2.0, -1.0][rng.int(0, 2) as usize];
            let beta = [0.0, 1.0, 3.0][rng.int(0, 2) as usize];
            check(dtype, shape, alpha, beta, &mut rng);
        }
    }
}

#[test]
fn several_blocks_in_every_direction() {
    let mut rng = Rng(11);
    for dtype in [DType::F32, DType::F64, DType::BF16, DType::F16, DType::I32, DType::C64] {
        check(dtype, [1, 11, 19, 1601], 1.0, 0.0, &mut rng);
        check(dtype, [1, 5, 801, 70], 2.0, 1.0, &mut rng);
        check(dtype, [2, 90, 9, 401], 1.0, 1.0, &mut rng);
    }
}

#[test]
fn few_rows_read_the_other_operand_in_place() {
    let mut rng = Rng(13);
    for dtype in TYPES {
        for m in [1, 2, 3, 4, 5, 7, 8] {
            for _ in 0..4 {
                let (n, k) = (rng.int(1, 90), rng.int(60, 200));
                check(dtype, [1, m, n, k], 1.0, 0.0, &mut rng);
                check(dtype, [1, n, m, k], 2.0, 1.0, &mut rng);
            }
        }
    }
}

#[test]
fn linear_adds_its_bias() {
    let mut rng = Rng(17);
    for dtype in TYPES {
        for (m, n, k) in [(1, 5, 9), (1, 130, 300), (4, 33, 128), (9, 17, 70), (70, 65, 130), (3, 4, 0), (0, 3, 4)] {
            for with_bias in [false, true] {
                let x = Tensor::random(dtype, &[m, k], &mut rng);
                let w = Tensor::random(dtype, &[n, k], &mut rng);
                let b = Tensor::random(dtype, &[n], &mut rng);
                let out = Tensor::random(dtype, &[m, n], &mut rng);
                let mut want = vec![];
                for i in 0..m {
                    for j in 0..n {
                        let bias = if with_bias { b.get(j as usize) } else { (0.0, 0.0) };
                        want.push(
                            (0..k).fold(bias, |s, p| add(s, mul(x.get(x.flat(&[i, p])), w.get(w.flat(&[j, p]))))),
                        );
                    }
                }
                Cpu.linear(x.raw(), w.raw(), with_bias.then(|| b.raw()), out.raw()).unwrap();
                assert_close(&out, &want, (k as f64).sqrt() + 1.0, &format!("{dtype} {m}x{n}x{k} {with_bias}"));
            }
        }
    }
}

#[test]
fn nan_and_infinity_propagate_past_zero() {
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
        for (m, n) in [(1, 3), (5, 7), (70, 70)] {
            let a = Tensor::new(dtype, &[1, m, 2]);
            let b = Tensor::new(dtype, &[1, 2, n]).fill(f64::INFINITY);
            let out = Tensor::new(dtype, &[1, m, n]);
            Cpu.gemm(1.0, a.raw(), b.raw(), 0.0, out.raw()).unwrap();
            assert!(out.values().iter().all(|v| v.0.is_nan()), "{dtype} {m}x{n}");
        }
    }
}

#[test]
fn booleans_are_refused_in_pytorchs_words() {
    let bytes = [0u8; 4];
    let r = Raw { ptr: bytes.as_ptr() as *mut u8, dtype: DType::Bool, sizes: &[1, 2, 2], strides: &[4, 2, 1] };
    let e = Cpu.gemm(1.0, r, r, 0.0, r).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NotImplemented);
    assert_eq!(e.message(), "\"bmm\" not implemented for 'Bool'");
}
