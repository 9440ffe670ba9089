//! Semantics at the edges (values recorded from PyTorch 2.15), and layouts against a plain loop.

use crate::Cpu;
use flambeau_backend::DType::{self, *};
use flambeau_backend::{BinaryOp, Elementwise, Raw, TernaryOp, UnaryOp};
use flambeau_backend::{ErrorKind, Scalar};

fn raw<'a, T>(v: &mut [T], t: DType, sizes: &'a [i64], strides: &'a [i64]) -> Raw<'a> {
    Raw { ptr: v.as_mut_ptr().cast(), dtype: t, sizes, strides }
}

fn binary<T: Copy + Default, O: Copy + Default>(op: BinaryOp, a: &[T], b: &[T], t: DType, to: DType) -> Vec<O> {
    let (mut a, mut b, mut o) = (a.to_vec(), b.to_vec(), vec![O::default(); a.len()]);
    let (sz, st) = ([a.len() as i64], [1]);
    Cpu.binary(op, &[], raw(&mut a, t, &sz, &st), raw(&mut b, t, &sz, &st), raw(&mut o, to, &sz, &st)).unwrap();
    o
}

#[test]
fn integer_division_rounds_as_asked_and_refuses_zero() {
    let (a, b) = ([7i32, -7, 7, -7, i32::MIN], [2i32, 2, -2, -2, -1]);
    assert_eq!(binary::<i32, i32>(BinaryOp::DivTrunc, &a, &b, I32, I32), [3, -3, -3, 3, i32::MIN]);
    assert_eq!(binary::<i32, i32>(BinaryOp::DivFloor, &a, &b, I32, I32), [3, -4, -4, 3, i32::MIN]);
    assert_eq!(binary::<i32, i32>(BinaryOp::Remainder, &a, &b, I32, I32), [1, 1, -1, -1, 0]);
    assert_eq!(binary::<i32, i32>(BinaryOp::Fmod, &a, &b, I32, I32), [1, -1, 1, -1, 0]);
    let (mut a, mut b, mut o) = ([1i64, 2], [1i64, 0], [0i64; 2]);
    let (a, b) = (raw(&mut a, I64, &[2], &[1]), raw(&mut b, I64, &[2], &[1]));
    let e = Cpu.binary(BinaryOp::DivTrunc, &[], a, b, raw(&mut o, I64, &[2], &[1])).unwrap_err();
    assert_eq!((e.kind(), e.message()), (ErrorKind::Runtime, "ZeroDivisionError"));
}

#[test]
fn float_division_and_modulus() {
    let (a, b) = ([7.0f64, -7.0, -0.0, 5.0, 6.0], [2.0f64, 2.0, 1.0, 0.0, -0.1]);
    let q: Vec<f64> = binary(BinaryOp::DivFloor, &a, &b, F64, F64);
    assert_eq!(q, [3.0, -4.0, -0.0, f64::INFINITY, -60.0]);
    assert!(q[2].is_sign_negative());
    let r: Vec<f64> = binary(BinaryOp::Remainder, &a[..3], &b[..3], F64, F64);
    assert_eq!(r, [1.0, 1.0, -0.0]);
}

#[test]
fn nan_and_shifts_and_powers() {
    let n = f32::NAN;
    let m: Vec<f32> = binary(BinaryOp::Maximum, &[n, 1.0, 2.0], &[1.0, n, 3.0], F32, F32);
    assert!(m[0].is_nan() && m[1].is_nan() && m[2] == 3.0);
    let m: Vec<f32> = binary(BinaryOp::Fmax, &[n, 1.0, 2.0], &[1.0, n, 3.0], F32, F32);
    assert_eq!(m, [1.0, 1.0, 3.0]);
    assert_eq!(binary::<i8, i8>(BinaryOp::ShiftLeft, &[1, 1, 1, -1], &[7, 8, -1, 1], I8, I8), [-128, 0, 0, -2]);
    assert_eq!(binary::<i8, i8>(BinaryOp::ShiftRight, &[-128, -128, 64, 64], &[7, 9, -1, 2], I8, I8), [-1, -1, 0, 16]);
    assert_eq!(binary::<i64, i64>(BinaryOp::Pow, &[3, -1, 2, 2], &[4, -3, -1, 64], I64, I64), [81, -1, 0, 0]);
    assert_eq!(binary::<u8, u8>(BinaryOp::LogicalXor, &[0, 3, 0, 9], &[0, 0, 7, 2], U8, Bool), [0, 1, 1, 0]);
}

#[test]
fn conversions_out_of_range_are_those_of_x86() {
    let mut x = [1.9f32, -1.9, 300.7, -129.0, 3e9, f32::INFINITY, f32::NAN];
    let x = raw(&mut x, F32, &[7], &[1]);
    let mut o = [9u8; 7];
    Cpu.copy(x, raw(&mut o, U8, &[7], &[1])).unwrap();
    assert_eq!(o, [1, 255, 44, 127, 0, 0, 0]);
    let mut o = [9i16; 7];
    Cpu.copy(x, raw(&mut o, I16, &[7], &[1])).unwrap();
    assert_eq!(o, [1, -1, 300, -129, 0, 0, 0]);
    let mut o = [9i32; 7];
    Cpu.copy(x, raw(&mut o, I32, &[7], &[1])).unwrap();
    assert_eq!(o, [1, -1, 300, -129, i32::MIN, i32::MIN, i32::MIN]);
    let mut o = [9i64; 7];
    Cpu.copy(x, raw(&mut o, I64, &[7], &[1])).unwrap();
    assert_eq!(o, [1, -1, 300, -129, 3_000_000_000, i64::MIN, i64::MIN]);
    let mut o = [9u8; 7];
    Cpu.copy(x, raw(&mut o, Bool, &[7], &[1])).unwrap();
    assert_eq!(o, [1; 7]);
}

#[test]
fn float8_patterns_survive_a_round_trip() {
    for t in [F8E5M2, F8E4M3FN, F8E5M2FNUZ, F8E4M3FNUZ, F8E8M0FNU] {
        let mut bytes: Vec<u8> = (0..=255).collect();
        let (mut wide, mut back) = (vec![0f32; 256], vec![0u8; 256]);
        let wide_raw = raw(&mut wide, F32, &[256], &[1]);
        Cpu.copy(raw(&mut bytes, t, &[256], &[1]), wide_raw).unwrap();
        Cpu.copy(wide_raw, raw(&mut back, t, &[256], &[1])).unwrap();
        for i in 0..256 {
            assert!(back[i] == bytes[i] || wide[i].is_nan() || wide[i].is_infinite(), "{t} {i}");
        }
    }
}

/// All layouts of a 3-D operand that the staging distinguishes.
const SIZES: [i64; 3] = [5, 67, 70];
const LAYOUTS: [[i64; 3]; 6] = [[4690, 70, 1], [1, 5, 335], [0, 0, 0], [0, 70, 1], [4690, 70, 0], [335, 5, 1]];

fn at(s: [i64; 3], i: i64, j: i64, k: i64) -> usize {
    (s[0] * i + s[1] * j + s[2] * k) as usize
}

#[test]
fn every_pair_of_layouts_with_and_without_conversion() {
    crate::parallel::set_num_threads(2);
    let data: Vec<f32> = (0..23450).map(|i| (i % 509) as f32 - 250.0).collect();
    // Small integers are exact in bfloat16 too, as are their sums' roundings below.
    let half: Vec<u16> = data.iter().map(|&x| crate::convert::narrow(x)).collect();
    for sa in LAYOUTS {
        for sb in LAYOUTS {
            for so in [[4690, 70, 1], [1, 5, 335]] {
                let (mut a, mut b, mut o) = (data.clone(), data.clone(), vec![0f32; 23450]);
                let (ra, rb) = (raw(&mut a, F32, &SIZES, &sa), raw(&mut b, F32, &SIZES, &sb));
                Cpu.binary(BinaryOp::Sub, &[2.0], ra, rb, raw(&mut o, F32, &SIZES, &so)).unwrap();
                let (mut c, mut d, mut h) = (half.clone(), half.clone(), vec![0u16; 23450]);
                let (rc, rd) = (raw(&mut c, BF16, &SIZES, &sa), raw(&mut d, BF16, &SIZES, &sb));
                Cpu.binary(BinaryOp::Sub, &[2.0], rc, rd, raw(&mut h, BF16, &SIZES, &so)).unwrap();
                for i in 0..5 {
                    for j in 0..67 {
                        for k in 0..70 {
                            let want = data[at(sa, i, j, k)] - 2.0 * data[at(sb, i, j, k)];
                            assert_eq!(o[at(so, i, j, k)], want, "{sa:?} {sb:?} {so:?}");
                            let wide = |p: u16| crate::convert::widen(p);
                            let want = wide(half[at(sa, i, j, k)]) - 2.0 * wide(half[at(sb, i, j, k)]);
                            assert_eq!(h[at(so, i, j, k)], crate::convert::narrow(want));
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn in_place_with_each_operand_and_with_itself() {
    let x: Vec<f32> = (0..1000).map(|i| i as f32).collect();
    let y: Vec<f32> = (0..1000).map(|i| 0.5 * i as f32).collect();
    for op in [BinaryOp::Sub, BinaryOp::Maximum] {
        let f = |a: f32, b: f32| if op == BinaryOp::Sub { a - b } else { a.max(b) };
        let (mut a, mut b) = (x.clone(), y.clone());
        let (ra, rb) = (raw(&mut a, F32, &[1000], &[1]), raw(&mut b, F32, &[1000], &[1]));
        Cpu.binary(op, &[], ra, rb, ra).unwrap();
        Cpu.binary(op, &[], ra, rb, rb).unwrap();
        Cpu.binary(op, &[], ra, ra, ra).unwrap();
        for i in 0..1000 {
            let first = f(x[i], y[i]);
            assert_eq!(b[i], f(first, y[i]));
            assert_eq!(a[i], f(first, first));
        }
    }
}

#[test]
fn copies_between_transposed_layouts_of_every_width() {
    for t in [U8, BF16, F32, F64, C128] {
        let item = t.size();
        let mut x: Vec<u8> = (0..5 * 67 * 70 * item).map(|i| (i * 7 % 251) as u8).collect();
        for sx in [[1, 5, 335], [4690, 1, 67], [67, 335 * 70 / 70, 1]] {
            if at(sx, 4, 66, 69) >= 23450 {
                continue;
            }
            let mut o = vec![0u8; x.len()];
            let so = [4690, 70, 1];
            Cpu.copy(raw(&mut x, t, &SIZES, &sx), raw(&mut o, t, &SIZES, &so)).unwrap();
            for (i, j, k) in [(0, 0, 0), (4, 66, 69), (2, 31, 32), (3, 64, 33), (1, 1, 68)] {
                let (p, q) = (at(so, i, j, k) * item, at(sx, i, j, k) * item);
                assert_eq!(o[p..p + item], x[q..q + item], "{t} {sx:?}");
            }
        }
    }
}

#[test]
fn fills_sequences_triangles_choices() {
    let mut o = [0i16; 5];
    Cpu.arange(raw(&mut o, I16, &[5], &[1]), Scalar::Int(3), Scalar::Int(-2)).unwrap();
    assert_eq!(o, [3, 1, -1, -3, -5]);
    let mut o = [0f32; 6];
    Cpu.fill(raw(&mut o, F32, &[3], &[2]), Scalar::Float(1.5)).unwrap();
    assert_eq!(o, [1.5, 0.0, 1.5, 0.0, 1.5, 0.0]);
    let mut x: Vec<i32> = (1..=12).collect();
    let mut o = [9i32; 12];
    let (sz, st) = ([3, 4], [4, 1]);
    Cpu.triangle(raw(&mut x, I32, &sz, &st), raw(&mut o, I32, &sz, &st), 0, true).unwrap();
    assert_eq!(o, [1, 2, 3, 4, 0, 6, 7, 8, 0, 0, 11, 12]);
    Cpu.triangle(raw(&mut x, I32, &sz, &st), raw(&mut o, I32, &sz, &st), -1, false).unwrap();
    assert_eq!(o, [0, 0, 0, 0, 5, 0, 0, 0, 9, 10, 0, 0]);
    let (mut c, mut a, mut b) = ([1u8, 0, 1], [[1u64; 2]; 3], [[2u64; 2]; 3]);
    let mut o = [[0u64; 2]; 3];
    let (c, a) = (raw(&mut c, Bool, &[3], &[1]), raw(&mut a, C128, &[3], &[1]));
    let b = raw(&mut b, C128, &[3], &[1]);
    Cpu.ternary(TernaryOp::Where, &[], c, a, b, raw(&mut o, C128, &[3], &[1])).unwrap();
    assert_eq!(o, [[1; 2], [2; 2], [1; 2]]);
}

#[test]
fn what_a_dtype_does_not_have_is_refused() {
    let mut x = [1u8; 3];
    let x = raw(&mut x, Bool, &[3], &[1]);
    let e = Cpu.unary(UnaryOp::Exp, &[], x, x).unwrap_err();
    assert_eq!((e.kind(), e.message()), (ErrorKind::NotImplemented, "\"exp\" not implemented for 'Bool'"));
}

/// Large operands that are contiguous in different dimensions, with sizes that fill no panel and no tile exactly.
#[test]
fn crossed_operands_match_the_definition() {
    // Sizes, and for each input the order of its dimensions in memory (outermost first).
    let cases: [(&[usize], [&[usize]; 2]); 5] = [
        (&[150, 2100], [&[0, 1], &[1, 0]]),
        (&[2100, 33], [&[1, 0], &[0, 1]]),
        (&[131, 143], [&[1, 0], &[1, 0]]),
        (&[3, 90, 101], [&[0, 1, 2], &[2, 0, 1]]),
        (&[5, 64, 70], [&[0, 2, 1], &[1, 2, 0]]),
    ];
    for (sizes, orders) in cases {
        let n: usize = sizes.iter().product();
        let strides = |order: &[usize]| {
            let mut strides = vec![0i64; sizes.len()];
            let mut step = 1;
            for &d in order.iter().rev() {
                strides[d] = step;
                step *= sizes[d] as i64;
            }
            strides
        };
        let sz: Vec<i64> = sizes.iter().map(|&n| n as i64).collect();
        let plain: Vec<usize> = (0..sizes.len()).collect();
        let (sa, sb, so) = (strides(orders[0]), strides(orders[1]), strides(&plain));
        let mut a: Vec<i32> = (0..n as i32).collect();
        let mut b: Vec<i32> = (0..n as i32).map(|i| i.wrapping_mul(7919)).collect();
        let mut o = vec![0i32; n];
        Cpu.binary(
            BinaryOp::Sub,
            &[],
            raw(&mut a, I32, &sz, &sa),
            raw(&mut b, I32, &sz, &sb),
            raw(&mut o, I32, &sz, &so),
        )
        .unwrap();
        for (at, &got) in o.iter().enumerate() {
            let (mut rest, mut ia, mut ib) = (at as i64, 0, 0);
            for d in 0..sizes.len() {
                let i = rest / so[d];
                rest %= so[d];
                ia += i * sa[d];
                ib += i * sb[d];
            }
            assert_eq!(got, a[ia as usize].wrapping_sub(b[ib as usize]), "{sizes:?} {orders:?} at {at}");
        }
    }
}
