//! What an operation on eight numbers costs, in nanoseconds: `cargo run --release -p flambeau-ops --example overhead`;
//! an argument keeps the lines whose name contains it (for `perf`).
#![allow(clippy::print_stdout)]

use std::time::Instant;

// As the Python module does; with glibc's allocator an operation costs some 70 ns more.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use flambeau_core::{DType, Device, Result, Tensor, autograd};
use flambeau_ops::{binary, create, reduce, view};

fn time(name: &str, n: u32, mut f: impl FnMut() -> Result<()>) -> Result<()> {
    if std::env::args().nth(1).is_some_and(|wanted| !name.contains(&wanted)) {
        return Ok(());
    }
    let mut best = f64::INFINITY;
    for _ in 0..20 {
        let start = Instant::now();
        for _ in 0..n {
            f()?;
        }
        best = best.min(start.elapsed().as_nanos() as f64 / n as f64);
    }
    println!("{name:32} {best:8.1} ns");
    Ok(())
}

fn main() -> Result<()> {
    flambeau_ops::init();
    let ones = |sizes: &[i64]| create::full(sizes, 1.0.into(), DType::F32, Device::CPU);
    let (a, b) = (ones(&[8])?, ones(&[8])?);
    let x = ones(&[8])?;
    x.set_requires_grad(true)?;
    let m = ones(&[8, 8])?;
    time("empty [8]", 10_000, || Tensor::empty(&[8], DType::F32, Device::CPU).map(drop))?;
    time("add [8]", 10_000, || binary::add(&a, &b).map(drop))?;
    time("add [8], recorded", 10_000, || binary::add(&x, &b).map(drop))?;
    time("mul [8] by a number, recorded", 10_000, || binary::mul_scalar(&x, 1.5).map(drop))?;
    time("transpose", 10_000, || view::transpose(&m, 0, 1).map(drop))?;
    time("matmul [8, 8]", 10_000, || flambeau_ops::matmul::matmul(&m, &m).map(drop))?;
    time("10 products, sum, backward", 1_000, || {
        let mut y = x.clone();
        for _ in 0..10 {
            y = binary::mul_scalar(&y, 1.5)?;
        }
        x.set_grad(None)?;
        autograd::backward(&[reduce::sum(&y, &[], false)?], &[], false, false, None)
    })
}
