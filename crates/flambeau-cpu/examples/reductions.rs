//! Times of reductions, norms, scans and sorts on one thread (or as many as the first argument says), in microseconds:
//! `cargo run --release -p flambeau-cpu --example reductions [threads] [name]`.
#![allow(clippy::print_stdout)]

use flambeau_backend::DType::{self, *};
use flambeau_backend::Result;
use flambeau_backend::{Backend, Norms, Raw, ReduceOp, Reductions, ScanOp};
use flambeau_cpu::Cpu;
use std::time::Instant;

struct Tensor {
    bytes: Vec<u64>,
    dtype: DType,
    sizes: Vec<i64>,
    strides: Vec<i64>,
}

impl Tensor {
    fn new(dtype: DType, sizes: &[i64]) -> Self {
        let mut strides = vec![1; sizes.len()];
        for d in (1..sizes.len()).rev() {
            strides[d - 1] = strides[d] * sizes[d];
        }
        let n = sizes.iter().product::<i64>() as usize;
        Tensor { bytes: vec![0; n * dtype.size() / 8 + 1], dtype, sizes: sizes.to_vec(), strides }
    }

    /// Roughly normal numbers (integers: spread over 40 bits).
    fn random(dtype: DType, sizes: &[i64]) -> Self {
        let t = Self::new(dtype, sizes);
        let mut state = 12345u64;
        let mut unit = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as f64 / (1u64 << 31) as f64
        };
        for i in 0..sizes.iter().product::<i64>() as usize {
            let v = (0..4).map(|_| unit()).sum::<f64>() * 1.7 - 3.4;
            // SAFETY: inside the memory allocated for this dtype.
            unsafe {
                match dtype {
                    F32 => *t.raw().ptr.cast::<f32>().add(i) = v as f32,
                    BF16 => *t.raw().ptr.cast::<u16>().add(i) = ((v as f32).to_bits() >> 16) as u16,
                    I64 => *t.raw().ptr.cast::<i64>().add(i) = (v * 1e11) as i64,
                    _ => *t.raw().ptr.cast::<f64>().add(i) = v,
                }
            }
        }
        t
    }

    fn raw(&self) -> Raw<'_> {
        Raw {
            ptr: self.bytes.as_ptr().cast::<u8>().cast_mut(),
            dtype: self.dtype,
            sizes: &self.sizes,
            strides: &self.strides,
        }
    }
}

fn time(name: &str, repeats: usize, f: impl Fn() -> Result<()>) {
    if std::env::args().nth(2).is_some_and(|only| !name.contains(&only)) {
        return;
    }
    if let Err(e) = f() {
        return println!("{name} {e:?}");
    }
    let mut times: Vec<f64> = (0..repeats)
        .map(|_| {
            let start = Instant::now();
            let _ = f();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{name} {:.0}", times[repeats / 5]);
}

fn main() {
    let threads = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(1);
    Cpu.set_num_threads(threads);
    let new = |sizes: &[i64]| Tensor::new(F32, sizes);
    let a = Tensor::random(F32, &[4_000_000]);
    let m = Tensor::random(F32, &[2000, 2000]);
    let (one, one_i) = (new(&[1]), Tensor::new(I64, &[1]));
    let (r0, r1, r0b, r1b) = (new(&[1, 2000]), new(&[2000, 1]), new(&[1, 2000]), new(&[2000, 1]));
    let (i0, i1) = (Tensor::new(I64, &[1, 2000]), Tensor::new(I64, &[2000, 1]));
    let reduce =
        |name, op, p: &[f64], x: &Tensor, out: &Tensor| time(name, 20, || Cpu.reduce(op, p, x.raw(), out.raw()));
    reduce("sum_all_4m", ReduceOp::Sum, &[], &a, &one);
    reduce("sum_dim0", ReduceOp::Sum, &[], &m, &r0);
    reduce("sum_dim1", ReduceOp::Sum, &[], &m, &r1);
    time("max_dim1", 20, || Cpu.minmax_dim(true, m.raw(), r1.raw(), i1.raw(), 1));
    time("max_dim0", 20, || Cpu.minmax_dim(true, m.raw(), r0.raw(), i0.raw(), 0));
    time("argmax_4m", 20, || Cpu.arg_reduce(true, a.raw(), one_i.raw(), 0));
    time("var_mean_dim1", 20, || Cpu.var_mean(m.raw(), r1.raw(), r1b.raw(), 1.0));
    time("var_mean_dim0", 20, || Cpu.var_mean(m.raw(), r0.raw(), r0b.raw(), 1.0));
    reduce("amax_dim0", ReduceOp::Amax, &[], &m, &r0);
    let (s, y, gs) = (Tensor::random(F32, &[4096, 1024]), new(&[4096, 1024]), new(&[4096, 1024]));
    time("softmax_dim0", 10, || Cpu.softmax(s.raw(), y.raw(), 0, false));
    time("softmax_4096x1024", 20, || Cpu.softmax(s.raw(), y.raw(), 1, false));
    time("softmax_bwd", 20, || Cpu.softmax_backward(s.raw(), y.raw(), gs.raw(), 1, false));
    let (l, ly, lo) = (Tensor::random(F32, &[512, 50257]), new(&[512, 50257]), new(&[512, 1]));
    time("log_softmax_512x50257", 5, || Cpu.softmax(l.raw(), ly.raw(), 1, true));
    let lg = new(&[512, 50257]);
    time("log_softmax_bwd", 5, || Cpu.softmax_backward(l.raw(), ly.raw(), lg.raw(), 1, true));
    time("logsumexp_512x50257", 5, || Cpu.reduce(ReduceOp::LogSumExp, &[], l.raw(), lo.raw()));
    let (x, o, gx) = (Tensor::random(F32, &[4096, 768]), new(&[4096, 768]), new(&[4096, 768]));
    let (w, b, mean, rstd) = (new(&[768]), new(&[768]), new(&[4096]), new(&[4096]));
    let (gw, gb) = (new(&[768]), new(&[768]));
    time("layer_norm_fwd", 20, || {
        Cpu.layer_norm(x.raw(), Some(w.raw()), Some(b.raw()), 1e-5, o.raw(), mean.raw(), rstd.raw())
    });
    time("layer_norm_bwd", 20, || {
        let (x, g) = (x.raw(), x.raw());
        let grads = [Some(gx.raw()), Some(gw.raw()), Some(gb.raw())];
        Cpu.layer_norm_backward(g, x, mean.raw(), rstd.raw(), Some(w.raw()), grads[0], grads[1], grads[2])
    });
    let out = new(&[2000, 2000]);
    time("cumsum_dim1", 10, || Cpu.scan(ScanOp::Sum, m.raw(), out.raw(), None, 1));
    time("cumsum_dim0", 10, || Cpu.scan(ScanOp::Sum, m.raw(), out.raw(), None, 0));
    let k = Tensor::random(F32, &[1_000_000]);
    let (v, vi) = (new(&[1_000_000]), Tensor::new(I64, &[1_000_000]));
    time("sort_1m", 5, || Cpu.sort(k.raw(), v.raw(), vi.raw(), 0, false));
    let (k64, v64) = (Tensor::random(I64, &[1_000_000]), Tensor::new(I64, &[1_000_000]));
    time("sort_1m_i64", 5, || Cpu.sort(k64.raw(), v64.raw(), vi.raw(), 0, false));
    let q = Tensor::random(F32, &[64, 50257]);
    let (qv, qi) = (new(&[64, 50]), Tensor::new(I64, &[64, 50]));
    time("topk_64x50257", 10, || Cpu.topk(q.raw(), qv.raw(), qi.raw(), 1, true));
    let rows = Tensor::random(F32, &[1000, 1000]);
    let (rv, ri) = (new(&[1000, 1000]), Tensor::new(I64, &[1000, 1000]));
    time("sort_rows_1000x1000", 5, || Cpu.sort(rows.raw(), rv.raw(), ri.raw(), 1, false));
    reduce("norm_4m", ReduceOp::Norm, &[2.0], &a, &one);
    reduce("prod_4m", ReduceOp::Prod, &[], &a, &one);
    let (h, ho) = (Tensor::random(BF16, &[4_000_000]), Tensor::new(BF16, &[1]));
    reduce("mean_bf16_4m", ReduceOp::Mean, &[], &h, &ho);
    let (z, zo) = (Tensor::random(F32, &[16, 64, 3136]), new(&[16, 64, 3136]));
    let (cm, cv, c1, c2) = (new(&[64]), new(&[64]), new(&[64]), new(&[64]));
    time("bn_train_fwd", 20, || {
        Cpu.channel_stats(z.raw(), cm.raw(), cv.raw())?;
        Cpu.channel_affine(z.raw(), cm.raw(), cv.raw(), Some(c1.raw()), Some(c2.raw()), zo.raw())
    });
    time("bn_train_bwd", 20, || {
        let grads = [Some(zo.raw()), Some(c1.raw()), Some(c2.raw())];
        let (z, w) = (z.raw(), Some(cv.raw()));
        Cpu.batch_norm_backward(z, z, cm.raw(), cv.raw(), w, true, grads[0], grads[1], grads[2])
    });
    time("searchsorted_1m", 5, || Cpu.searchsorted(v.raw(), k.raw(), vi.raw(), false));
}
