//! Random chains of views with writes in between, against the same computation without views and writes.

mod common;

use common::{Stream, numbers, same};
use flambeau_core::view::ViewOp;
use flambeau_core::{DType, Result, Tensor, autograd, call, call_inplace, params};
use flambeau_ops::binary::{add, mul, mul_scalar};
use flambeau_ops::reduce::sum;
use flambeau_ops::unary::sin;
use flambeau_ops::view::reshape;

/// A random view of a tensor; without repeated elements if it is to be written.
fn random_view(sizes: &[i64], repeats: bool, rng: &mut Stream) -> ViewOp {
    let n = sizes.len();
    let d = rng.below(n);
    let pick = rng.below(if repeats { 10 } else { 8 });
    let len = sizes.get(d).copied().unwrap_or(1);
    match pick {
        0 if n > 1 => {
            let mut order: Vec<i64> = (0..n as i64).collect();
            order.swap(d, (d + 1) % n);
            ViewOp::Permute(order.into())
        }
        1 if n > 0 && len > 1 => {
            let start = rng.below(len as usize - 1) as i64;
            let step = 1 + rng.below(2) as i64;
            ViewOp::Slice { dim: d, start, len: (len - start + step - 1) / step, step }
        }
        2 if n > 1 => ViewOp::Select { dim: d, index: rng.below(len as usize) as i64 },
        3 => ViewOp::Unsqueeze(rng.below(n + 1)),
        4 if n > 0 && len == 1 => ViewOp::Squeeze(d),
        5 if n > 1 => ViewOp::Diagonal { offset: rng.below(2) as i64, dim1: d, dim2: (d + 1) % n },
        6 if n > 0 && len > 1 => ViewOp::Unfold { dim: d, size: 2.min(len), step: 2 },
        8 if n > 0 && len > 1 => ViewOp::Unfold { dim: d, size: 2, step: 1 },
        9 => {
            let mut to = vec![2];
            to.extend_from_slice(sizes);
            ViewOp::Expand(to.into())
        }
        _ => ViewOp::Alias,
    }
}

/// A chain of views applied to the tensor and to the numbers of its elements.
fn chain(base: &Tensor, count: usize, repeats: bool, rng: &mut Stream) -> Result<(Tensor, Tensor)> {
    let mut at =
        autograd::no_grad(|| reshape(&flambeau_ops::create::arange_int(0, base.numel())?, base.sizes()))?.detach();
    let mut y = base.clone();
    for _ in 0..count {
        let op = random_view(y.sizes(), repeats, rng);
        let next = call::view(&op, &at)?;
        if next.numel() == 0 {
            continue;
        }
        at = next;
        y = call::view(&op, &y)?;
    }
    let at = autograd::no_grad(|| reshape(&at, &[-1]))?.packed(DType::I64)?;
    Ok((y, at))
}

fn read(flat: &Tensor, at: &Tensor, like: &[i64]) -> Result<Tensor> {
    reshape(&flambeau_ops::index::index_select(flat, 0, at)?, like)
}

fn write(flat: &Tensor, at: &Tensor, values: &Tensor) -> Result<Tensor> {
    flambeau_ops::indexing::index_put(flat, &[Some(at)], &reshape(values, &[-1])?, false)
}

/// One random program: returns the loss computed with writes and the loss computed without.
fn program(x: &Tensor, w: &Tensor, rng: &mut Stream) -> Result<(Tensor, Tensor)> {
    // The base may itself be out of order in memory.
    let mut base = mul_scalar(x, 1.0)?;
    if rng.below(2) == 0 {
        base = flambeau_ops::copy::clone(&flambeau_ops::view::permute(&base, &[2, 0, 1])?)?;
        base = flambeau_ops::view::permute(&base, &[1, 2, 0])?;
    }
    let mut flat = reshape(&mul_scalar(x, 1.0)?, &[-1])?;
    let mut kept: Vec<(Tensor, Tensor)> = Vec::new();
    let mut losses = (Vec::new(), Vec::new());
    for step in 0..5 {
        let depth = 1 + rng.below(4);
        let (v, at) = chain(&base, depth, false, rng)?;
        let old = read(&flat, &at, v.sizes())?;
        let scale = Tensor::from_slice(&[rng.number() + 1.5], &[])?;
        let new = match rng.below(5) {
            0 => {
                call_inplace(&flambeau_ops::binary::mul::OP, &[Some(&v), Some(&scale)], params![])?;
                mul(&old, &scale)?
            }
            1 => {
                call_inplace(&flambeau_ops::unary::sin::OP, &[Some(&v)], params![])?;
                sin(&old)?
            }
            2 => {
                call_inplace(&flambeau_ops::binary::mul::OP, &[Some(&v), Some(w)], params![])?;
                mul(&old, w)?
            }
            3 => {
                let source = mul(w, &scale)?;
                flambeau_ops::copy::copy_(&v, &source)?;
                flambeau_ops::view::expand(&source, v.sizes())?
            }
            _ => {
                let term = mul(&old, &scale)?;
                call_inplace(&flambeau_ops::binary::add::OP, &[Some(&v), Some(&term)], params![])?;
                add(&old, &term)?
            }
        };
        flat = write(&flat, &at, &new)?;
        if step % 2 == 0 {
            let (v, at) = chain(&base, 3, true, rng)?;
            kept.push((v, at));
        }
        // Look through a view that was made before later writes.
        if let Some((v, at)) = kept.first() {
            let c = rng.like(&v.detach());
            losses.0.push(sum(&mul(&sin(&flambeau_ops::copy::clone(v)?)?, &c)?, &[], false)?);
            losses.1.push(sum(&mul(&sin(&read(&flat, at, v.sizes())?)?, &c)?, &[], false)?);
        }
    }
    same(&reshape(&base.detach(), &[-1])?, &flat.detach(), 1e-12, 1.0).expect("the same numbers");
    let c = rng.like(&base.detach());
    let join = |parts: Vec<Tensor>, y: Tensor| parts.iter().try_fold(y, |a, b| add(&a, b));
    let ours = join(losses.0, sum(&mul(&mul(&base, &base)?, &c)?, &[], false)?)?;
    let flat = reshape(&flat, base.sizes())?;
    let plain = join(losses.1, sum(&mul(&mul(&flat, &flat)?, &c)?, &[], false)?)?;
    Ok((ours, plain))
}

#[test]
fn writes_through_views_equal_their_functional_meaning() -> Result<()> {
    flambeau_ops::init();
    let mut reached = 0;
    for seed in 0..150 {
        let mut rng = Stream::new(1000 + seed);
        let x = rng.like(&Tensor::from_slice(&[0.0; 24], &[2, 3, 4])?);
        let w = Tensor::from_slice(&[0.7], &[])?;
        x.set_requires_grad(true)?;
        w.set_requires_grad(true)?;
        let (ours, plain) = program(&x, &w, &mut rng)?;
        let close = |a: &Tensor, b: &Tensor, what: &str| {
            if let Err(e) = same(a, b, 1e-9, 1.0) {
                panic!("program {seed}, {what}: {e}");
            }
        };
        close(&ours, &plain, "loss");
        let both = [x.clone(), w.clone()];
        let zero = |g: Option<Tensor>, x: &Tensor| g.map_or_else(|| flambeau_ops::create::zeros_like(&x.detach()), Ok);
        let mut sums = Vec::new();
        for loss in [ours, plain] {
            let g = autograd::grad(&[loss], &[], &both, true, true, true)?;
            let g: Vec<Tensor> = g.into_iter().zip(&both).map(|(g, x)| zero(g, x)).collect::<Result<_>>()?;
            let mut rng = Stream::new(seed + 1);
            let dots: Vec<Tensor> =
                g.iter().map(|g| sum(&mul(g, &rng.like(&g.detach()))?, &[], false)).collect::<Result<_>>()?;
            let s = add(&dots[0], &dots[1])?;
            let h =
                if s.requires_grad() { autograd::grad(&[s], &[], &both, true, false, true)? } else { vec![None, None] };
            let h: Vec<Tensor> = h.into_iter().zip(&both).map(|(g, x)| zero(g, x)).collect::<Result<_>>()?;
            sums.push((g, h));
        }
        for k in 0..2 {
            close(&sums[0].0[k], &sums[1].0[k], "gradient");
            close(&sums[0].1[k], &sums[1].1[k], "second gradient");
        }
        reached += numbers(&sums[0].0[0]).iter().any(|&v| v != 0.0) as usize;
    }
    assert!(reached > 100, "only {reached} programs depend on their input");
    Ok(())
}
