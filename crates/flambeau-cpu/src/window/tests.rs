use crate::Cpu;
use crate::testing::{Element, Owned, Rng, coordinates};
use flambeau_backend::ErrorKind;
use flambeau_backend::{PoolParams, Windows};

struct Case {
    p: PoolParams,
    x: Vec<i64>,
    out: Vec<i64>,
}

/// A pool with valid geometry; `dilate` for max pooling and blocks.
fn case(rng: &mut Rng, dilate: bool) -> Case {
    let nd = rng.range(1, 3) as usize;
    let mut p = PoolParams {
        nd,
        kernel: [1; 3],
        stride: [1; 3],
        padding: [0; 3],
        dilation: [1; 3],
        count_include_pad: rng.below(2) == 0,
        divisor_override: if rng.below(4) == 0 { 5 } else { 0 },
    };
    let mut x = vec![rng.range(1, 2), rng.range(1, 3)];
    let mut out = x.clone();
    for d in 0..nd {
        p.kernel[d] = rng.range(1, 3);
        p.stride[d] = rng.range(1, 3);
        p.padding[d] = rng.range(0, p.kernel[d] / 2);
        p.dilation[d] = if dilate { rng.range(1, 2) } else { 1 };
        let reach = p.dilation[d] * (p.kernel[d] - 1) + 1;
        let n = rng.range(reach, reach + 6);
        x.push(n);
        let room = n + 2 * p.padding[d] - reach;
        let mut o = room / p.stride[d] + 1;
        // Ceil mode: one window more, if it starts inside.
        if rng.below(2) == 0 && room % p.stride[d] != 0 && o * p.stride[d] < n + p.padding[d] {
            o += 1;
        }
        out.push(o);
    }
    Case { p, x, out }
}

/// The input coordinates (without batch and channel) of an output's window, row-major.
fn window(c: &Case, at: &[i64]) -> Vec<Vec<i64>> {
    let mut places = coordinates(&c.p.kernel[..c.p.nd]);
    places.iter_mut().for_each(|k| {
        for d in 0..c.p.nd {
            k[d] = at[2 + d] * c.p.stride[d] - c.p.padding[d] + k[d] * c.p.dilation[d];
        }
    });
    places.retain(|k| k.iter().zip(&c.x[2..]).all(|(&k, &n)| (0..n).contains(&k)));
    places
}

fn adaptive_window(x: &[i64], out: &[i64], at: &[i64]) -> Vec<Vec<i64>> {
    coordinates(&x[2..])
        .into_iter()
        .filter(|k| {
            (0..k.len()).all(|d| {
                let (n, m, o) = (x[2 + d], out[2 + d], at[2 + d]);
                k[d] >= o * n / m && k[d] < ((o + 1) * n + m - 1) / m
            })
        })
        .collect()
}

fn full(at: &[i64], k: &[i64]) -> Vec<i64> {
    at[..2].iter().chain(k).copied().collect()
}

fn flat(sizes: &[i64], k: &[i64]) -> i64 {
    sizes[2..].iter().zip(k).fold(0, |f, (n, k)| f * n + k)
}

/// PyTorch's rule: strictly greater, or NaN.
fn check_max<T: Element + PartialOrd>(
    x: &Owned<T>,
    out: &Owned<T>,
    idx: &Owned<i64>,
    w: impl Fn(&[i64]) -> Vec<Vec<i64>>,
) {
    for c in coordinates(&out.sizes) {
        let mut best: Option<(T, i64)> = None;
        for k in w(&c) {
            let v = x.get(&full(&c, &k));
            let nan = v.partial_cmp(&v).is_none();
            if best.is_none_or(|(b, _)| v > b || nan) {
                best = Some((v, flat(&x.sizes, &k)));
            }
        }
        let Some((v, at)) = best else { continue };
        assert_eq!(idx.get(&c), at, "at {c:?}");
        let got = out.get(&c);
        assert!(got == v || v.partial_cmp(&v).is_none() && got.partial_cmp(&got).is_none());
    }
}

fn max_case<T: Element + PartialOrd>(rng: &mut Rng, f: impl Fn(&mut Rng) -> T) {
    let c = case(rng, true);
    let x = Owned::random(rng, &c.x, &f);
    let out = Owned::random(rng, &c.out, &f);
    let idx = Owned::random(rng, &c.out, |_| -1i64);
    Cpu.max_pool(x.raw(), out.raw(), idx.raw(), &c.p).unwrap();
    check_max(&x, &out, &idx, |at| window(&c, at));

    let mut small = c.x.clone();
    small[2..].iter_mut().for_each(|n| *n = rng.range(1, *n + 1));
    let out = Owned::random(rng, &small, &f);
    let idx = Owned::random(rng, &small, |_| -1i64);
    Cpu.adaptive_max_pool(x.raw(), out.raw(), idx.raw(), c.p.nd).unwrap();
    check_max(&x, &out, &idx, |at| adaptive_window(&c.x, &small, at));
}

#[test]
fn max_pools_match_the_definition() {
    let mut rng = Rng(21);
    for _ in 0..80 {
        // Few values, so that ties, NaN and infinities meet.
        let some = [f32::NAN, 1.0, 2.0, -1.0, f32::NEG_INFINITY, 2.0, 3.0, 0.5];
        max_case(&mut rng, |r| some[r.below(8)]);
        max_case(&mut rng, |r| r.next() as f64);
        max_case(&mut rng, |r| r.next() as u8);
        max_case(&mut rng, |r| r.next() as i32);
        max_case(&mut rng, |r| r.next());
        max_case(&mut rng, |r| half::bf16::from_f32(r.range(-4, 4) as f32));
    }
}

#[test]
fn wide_rows_split_between_threads() {
    crate::parallel::set_num_threads(3);
    let mut rng = Rng(22);
    for (kernel, stride, padding) in [(2, 2, 0), (3, 2, 1), (3, 1, 1), (3, 3, 0)] {
        let p = PoolParams {
            nd: 2,
            kernel: [kernel; 3],
            stride: [stride; 3],
            padding: [padding; 3],
            dilation: [1; 3],
            count_include_pad: true,
            divisor_override: 0,
        };
        let o = (67 + 2 * padding - kernel) / stride + 1;
        let c = Case { p, x: vec![3, 5, 67, 67], out: vec![3, 5, o, o] };
        let x = Owned::dense(&c.x, || rng.below(50) as f32);
        let out = Owned::dense(&c.out, || 0f32);
        let idx = Owned::dense(&c.out, || 0i64);
        Cpu.max_pool(x.raw(), out.raw(), idx.raw(), &c.p).unwrap();
        check_max(&x, &out, &idx, |at| window(&c, at));
    }
}

fn divisor(c: &Case, at: &[i64], inside: usize) -> f64 {
    if c.p.divisor_override != 0 {
        return c.p.divisor_override as f64;
    }
    if !c.p.count_include_pad {
        return inside as f64;
    }
    let padded = (0..c.p.nd).map(|d| {
        let start = at[2 + d] * c.p.stride[d] - c.p.padding[d];
        (start + c.p.kernel[d]).min(c.x[2 + d] + c.p.padding[d]) - start
    });
    padded.product::<i64>() as f64
}

/// Checks the average and, as its adjoint, the gradient.
fn check_avg(rng: &mut Rng, c: &Case, w: impl Fn(&[i64]) -> Vec<Vec<i64>>, adaptive: bool) {
    let x = Owned::random(rng, &c.x, |r| r.range(-9, 9) as f64);
    let out = Owned::random(rng, &c.out, |_| 0f64);
    let g = Owned::random(rng, &c.out, |r| r.range(-9, 9) as f64);
    let gx = Owned::random(rng, &c.x, |_| 7f64);
    if adaptive {
        Cpu.adaptive_avg_pool(x.raw(), out.raw(), c.p.nd).unwrap();
        Cpu.adaptive_avg_pool_backward(g.raw(), gx.raw(), c.p.nd).unwrap();
    } else {
        Cpu.avg_pool(x.raw(), out.raw(), &c.p).unwrap();
        Cpu.avg_pool_backward(g.raw(), gx.raw(), &c.p).unwrap();
    }
    let mut want_gx = Owned::dense(&c.x, || 0f64);
    for at in coordinates(&c.out) {
        let places = w(&at);
        let n = if adaptive { places.len() as f64 } else { divisor(c, &at, places.len()) };
        let sum: f64 = places.iter().map(|k| x.get(&full(&at, k))).sum();
        let want = if places.is_empty() { 0.0 } else { sum / n };
        assert!((out.get(&at) - want).abs() < 1e-12, "{:?} {at:?}", c.p);
        for k in &places {
            let k = full(&at, k);
            want_gx.set(&k, want_gx.get(&k) + g.get(&at) / n);
        }
    }
    for k in coordinates(&c.x) {
        assert!((gx.get(&k) - want_gx.get(&k)).abs() < 1e-12, "{:?} {k:?}", c.p);
    }
}

#[test]
fn average_pools_and_their_gradients_match_the_definition() {
    let mut rng = Rng(23);
    for _ in 0..120 {
        let c = case(&mut rng, false);
        check_avg(&mut rng, &c, |at| window(&c, at), false);
        let mut c = case(&mut rng, false);
        c.out = c.x.clone();
        c.out[2..].iter_mut().for_each(|n| *n = rng.range(1, *n + 1));
        check_avg(&mut rng, &c, |at| adaptive_window(&c.x, &c.out, at), true);
    }
}

#[test]
fn integer_and_reduced_averages() {
    let p = PoolParams {
        nd: 2,
        kernel: [2; 3],
        stride: [2; 3],
        padding: [1, 1, 0],
        dilation: [1; 3],
        count_include_pad: true,
        divisor_override: 0,
    };
    let x = Owned::dense(&[1, 1, 4, 4], || -3i64);
    let out = Owned::dense(&[1, 1, 3, 3], || 9i64);
    Cpu.avg_pool(x.raw(), out.raw(), &p).unwrap();
    assert_eq!(out.values(), [0, -1, 0, -1, -3, -1, 0, -1, 0]);
    // 256 + 1 is lost in bfloat16: the sum must be kept wider.
    let mut v = [256.0, 1.0, 1.0, 1.0].into_iter().cycle().take(4);
    let x = Owned::dense(&[1, 1, 2, 2], || half::bf16::from_f32(v.next().unwrap()));
    let out = Owned::dense(&[1, 1, 1, 1], || half::bf16::ZERO);
    Cpu.adaptive_avg_pool(x.raw(), out.raw(), 2).unwrap();
    assert_eq!(out.get(&[0; 4]).to_f32(), half::bf16::from_f32(259.0 / 4.0).to_f32());
    let b = Owned::dense(&[1, 1, 2, 2], || true);
    assert_eq!(Cpu.avg_pool(b.raw(), b.raw(), &p).unwrap_err().kind(), ErrorKind::NotImplemented);
}

#[test]
fn planes_scatter_and_gather() {
    let mut rng = Rng(24);
    for _ in 0..100 {
        let c = case(&mut rng, false);
        let volume: i64 = c.x[2..].iter().product();
        let g = Owned::random(&mut rng, &c.out, |r| r.range(-9, 9) as f32);
        let idx = Owned::random(&mut rng, &c.out, |r| r.range(0, volume - 1));
        let x = Owned::random(&mut rng, &c.x, |_| 5f32);
        Cpu.plane_scatter(g.raw(), idx.raw(), x.raw(), c.p.nd).unwrap();
        let mut want = Owned::dense(&c.x, || 0f32);
        let inner = coordinates(&c.x[2..]);
        for at in coordinates(&c.out) {
            let k = full(&at, &inner[idx.get(&at) as usize]);
            want.set(&k, want.get(&k) + g.get(&at));
        }
        assert_eq!(x.values(), want.values());
        let back = Owned::random(&mut rng, &c.out, |_| 0f32);
        Cpu.plane_gather(x.raw(), idx.raw(), back.raw(), c.p.nd).unwrap();
        for at in coordinates(&c.out) {
            assert_eq!(back.get(&at), x.get(&full(&at, &inner[idx.get(&at) as usize])));
        }
    }
    let x = Owned::dense(&[1, 1, 8, 8], || 0f32);
    let small = Owned::dense(&[1, 1, 1, 1], || 1f32);
    for bad in [99i64, 64, -1, i64::MIN] {
        let idx = Owned::dense(&[1, 1, 1, 1], || bad);
        let text = format!("Found an invalid max index: {bad} (output volumes are of size 8x8)");
        let e = Cpu.plane_scatter(small.raw(), idx.raw(), x.raw(), 2).unwrap_err();
        assert_eq!((e.kind(), e.message()), (ErrorKind::Runtime, &*text));
        assert_eq!(Cpu.plane_gather(x.raw(), idx.raw(), small.raw(), 2).unwrap_err().message(), text);
    }
}

#[test]
fn columns_and_back() {
    let mut rng = Rng(25);
    for _ in 0..100 {
        let mut c = case(&mut rng, true);
        for d in 0..c.p.nd {
            let reach = c.p.dilation[d] * (c.p.kernel[d] - 1) + 1;
            c.out[2 + d] = (c.x[2 + d] + 2 * c.p.padding[d] - reach) / c.p.stride[d] + 1;
        }
        let kernel = &c.p.kernel[..c.p.nd];
        let (taps, blocks) = (kernel.iter().product::<i64>(), c.out[2..].iter().product::<i64>());
        let x = Owned::random(&mut rng, &c.x, |r| r.range(-9, 9) as f32);
        let columns = Owned::random(&mut rng, &[c.x[0], c.x[1] * taps, blocks], |_| 3f32);
        Cpu.im2col(x.raw(), columns.raw(), &c.p).unwrap();
        let image = Owned::random(&mut rng, &c.x, |_| 3f32);
        Cpu.col2im(columns.raw(), image.raw(), &c.p).unwrap();
        let mut sums = Owned::dense(&c.x, || 0f32);
        let block_at = coordinates(&c.out[2..]);
        let tap_at = coordinates(kernel);
        for at in coordinates(&columns.sizes) {
            let (channel, tap) = (at[1] / taps, &tap_at[(at[1] % taps) as usize]);
            let o = &block_at[at[2] as usize];
            let k: Vec<i64> =
                (0..c.p.nd).map(|d| o[d] * c.p.stride[d] + tap[d] * c.p.dilation[d] - c.p.padding[d]).collect();
            let inside = k.iter().zip(&c.x[2..]).all(|(&k, &n)| (0..n).contains(&k));
            let k = full(&[at[0], channel], &k);
            assert_eq!(columns.get(&at), if inside { x.get(&k) } else { 0.0 });
            if inside {
                sums.set(&k, sums.get(&k) + columns.get(&at));
            }
        }
        assert_eq!(image.values(), sums.values());
    }
}
