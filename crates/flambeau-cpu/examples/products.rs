//! Times the products of the benchmark's shapes: `cargo run --release -p flambeau-cpu --example products -- [filter] [threads]`.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use flambeau_backend::DType;
use flambeau_backend::{Attention, Backend, Contraction, ConvParams, Raw};
use flambeau_cpu::Cpu;

/// A dense tensor of floats that look random.
struct Dense {
    bytes: Vec<u64>,
    sizes: Vec<i64>,
    strides: Vec<i64>,
    dtype: DType,
}

impl Dense {
    fn new(dtype: DType, sizes: &[i64]) -> Dense {
        let n = sizes.iter().product::<i64>() as usize;
        let mut bytes = vec![0u64; (n * dtype.size()).div_ceil(8)];
        let mut state = 1u32;
        for i in 0..n {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            let x = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
            let p = bytes.as_mut_ptr();
            // SAFETY: inside the vector.
            unsafe {
                match dtype {
                    DType::F32 => *p.cast::<f32>().add(i) = x,
                    DType::F64 => *p.cast::<f64>().add(i) = x as f64,
                    _ => *p.cast::<u16>().add(i) = (x.to_bits() >> 16) as u16,
                }
            }
        }
        let mut strides = vec![1; sizes.len()];
        for d in (1..sizes.len()).rev() {
            strides[d - 1] = strides[d] * sizes[d];
        }
        Dense { bytes, sizes: sizes.to_vec(), strides, dtype }
    }
    fn raw(&self) -> Raw<'_> {
        Raw { ptr: self.bytes.as_ptr() as *mut u8, dtype: self.dtype, sizes: &self.sizes, strides: &self.strides }
    }
    /// The last two dimensions exchanged.
    fn t(mut self) -> Dense {
        let d = self.sizes.len();
        self.sizes.swap(d - 1, d - 2);
        self.strides.swap(d - 1, d - 2);
        self
    }
}

fn bench(name: &str, flops: f64, mut f: impl FnMut()) {
    if std::env::args().nth(1).is_some_and(|want| !name.contains(&want)) {
        return;
    }
    f();
    let start = Instant::now();
    f();
    let inner = (20e-6 / start.elapsed().as_secs_f64()).ceil().max(1.0) as usize;
    let (mut times, start) = (vec![], Instant::now());
    while times.len() < 5 || start.elapsed().as_secs_f64() < 0.5 {
        let t = Instant::now();
        (0..inner).for_each(|_| f());
        times.push(t.elapsed().as_secs_f64() / inner as f64);
    }
    times.sort_by(f64::total_cmp);
    let t = times[times.len() / 5];
    println!("{name:40} {:12.2} us {:8.1} GFLOP/s", t * 1e6, flops / t / 1e9);
}

fn conv(name: &str, x: &[i64], w: &[i64], s: i64, pad: i64, dil: i64, groups: i64, backward: bool) {
    let nd = x.len() - 2;
    let p = ConvParams { nd, stride: [s; 3], padding: [pad; 3], dilation: [dil; 3], groups };
    let mut o = vec![x[0], w[0]];
    (0..nd).for_each(|d| o.push((x[d + 2] + 2 * pad - dil * (w[d + 2] - 1) - 1) / s + 1));
    let flops = 2.0 * o.iter().product::<i64>() as f64 * w[1..].iter().product::<i64>() as f64;
    let [x, w, o] = [x, w, &o].map(|s| Dense::new(DType::F32, s));
    bench(&format!("{name}_fwd"), flops, || Cpu.conv(x.raw(), w.raw(), None, o.raw(), &p).unwrap());
    if backward {
        bench(&format!("{name}_input"), flops, || Cpu.conv_input(o.raw(), w.raw(), None, x.raw(), &p).unwrap());
        bench(&format!("{name}_weight"), flops, || Cpu.conv_weight(o.raw(), x.raw(), w.raw(), &p).unwrap());
    }
}

fn attention(name: &str, b: i64, l: i64, e: i64) {
    let [q, k, v, o, g, a, c, d] = [(); 8].map(|_| Dense::new(DType::F32, &[b, l, e]));
    let lse = Dense::new(DType::F32, &[b, l]);
    let p = Attention { scale: (e as f64).powf(-0.5), causal: true };
    let flops = 2.0 * (b * l * l * e) as f64;
    bench(&format!("{name}_fwd"), flops, || {
        Cpu.attention(q.raw(), k.raw(), v.raw(), None, o.raw(), lse.raw(), &p).unwrap();
    });
    bench(&format!("{name}_bwd"), 2.5 * flops, || {
        let grads = [a.raw(), c.raw(), d.raw()];
        Cpu.attention_backward(g.raw(), q.raw(), k.raw(), v.raw(), None, o.raw(), lse.raw(), grads, &p).unwrap();
    });
}

fn main() {
    Cpu.set_num_threads(std::env::args().nth(2).and_then(|t| t.parse().ok()).unwrap_or(1));
    for n in [8, 16, 64, 256, 512, 1024, 2048] {
        let [a, b, c] = [(); 3].map(|_| Dense::new(DType::F32, &[1, n, n]));
        bench(&format!("gemm_f32_{n}"), 2.0 * (n * n * n) as f64, || {
            Cpu.gemm(1.0, a.raw(), b.raw(), 0.0, c.raw()).unwrap()
        });
    }
    for (name, dtype) in [
        ("gemm_f32_1024_transB", DType::F32),
        ("gemm_f64_1024", DType::F64),
        ("gemm_bf16_1024", DType::BF16),
        ("gemm_f16_1024", DType::F16),
    ] {
        let [a, b, c] = [(); 3].map(|_| Dense::new(dtype, &[1, 1024, 1024]));
        let b = if name.contains("transB") { b.t() } else { b };
        bench(name, 2.0 * 1024f64.powi(3), || Cpu.gemm(1.0, a.raw(), b.raw(), 0.0, c.raw()).unwrap());
    }
    for (name, t) in [("bmm_96x128x64", false), ("einsum_96x128x64", true)] {
        let (a, c) = (Dense::new(DType::F32, &[96, 128, 64]), Dense::new(DType::F32, &[96, 128, 128]));
        let b = if t { Dense::new(DType::F32, &[96, 128, 64]).t() } else { Dense::new(DType::F32, &[96, 64, 128]) };
        bench(name, 2.0 * (96 * 128 * 64 * 128) as f64, || Cpu.gemm(1.0, a.raw(), b.raw(), 0.0, c.raw()).unwrap());
    }
    for (name, m, n, k) in [
        ("gemv_4096", 1, 4096, 4096),
        ("linear_64x784x128", 64, 128, 784),
        ("linear_1x784x128", 1, 128, 784),
        ("linear_8x16x16", 8, 16, 16),
        ("linear_4x16x128", 4, 128, 16),
    ] {
        let (x, w, b, o) = (
            Dense::new(DType::F32, &[m, k]),
            Dense::new(DType::F32, &[n, k]),
            Dense::new(DType::F32, &[n]),
            Dense::new(DType::F32, &[m, n]),
        );
        bench(name, 2.0 * (m * n * k) as f64, || Cpu.linear(x.raw(), w.raw(), Some(b.raw()), o.raw()).unwrap());
    }
    conv("conv3x3_64_56_b8", &[8, 64, 56, 56], &[64, 64, 3, 3], 1, 1, 1, 1, false);
    conv("conv1x1_256_64_56_b8", &[8, 256, 56, 56], &[64, 256, 1, 1], 1, 0, 1, 1, false);
    conv("conv7x7s2_3_64_224_b8", &[8, 3, 224, 224], &[64, 3, 7, 7], 2, 3, 1, 1, false);
    conv("depthwise3x3_256_28_b8", &[8, 256, 28, 28], &[256, 1, 3, 3], 1, 1, 1, 256, true);
    conv("conv3x3_64_28_b16", &[16, 64, 28, 28], &[64, 64, 3, 3], 1, 1, 1, 1, true);
    conv("conv3x3s2_64_56_b8", &[8, 64, 56, 56], &[128, 64, 3, 3], 2, 1, 1, 1, true);
    conv("conv3x3_512_7_b8", &[8, 512, 7, 7], &[512, 512, 3, 3], 1, 1, 1, 1, true);
    conv("conv1d_dilated_64_4096_b4", &[4, 64, 4096], &[128, 64, 2], 1, 0, 64, 1, true);
    // The transposed convolution's forward pass is the gradient for the input.
    conv("conv_transpose_64_32_b8", &[8, 32, 32, 32], &[64, 32, 4, 4], 2, 1, 1, 1, true);
    attention("sdpa_b4_h12_t512_d64", 48, 512, 64);
    attention("sdpa_b4_h6_t256_d64", 24, 256, 64);
}
