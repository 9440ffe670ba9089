//! The quick start: a small network learns to tell two interleaved half moons apart. `cargo run --release --example mlp`

use flambeau::prelude::*;

/// `n` points of two half moons, with a little noise, and the moon that each lies on.
fn moons(n: i64) -> Result<(Tensor, Tensor)> {
    let label = arange(0, n)?.remainder(2)?;
    let upper = (1.0 - &label.to_dtype(DType::F32)?)?;
    let lower = label.to_dtype(DType::F32)?;
    let angle = (rand(&[n])? * std::f64::consts::PI)?;
    // The upper moon is (cos a, sin a), the lower one (1 - cos a, 1/2 - sin a).
    let sign = (&upper - &lower)?;
    let x = ((angle.cos()? * &sign)? + &lower)?;
    let y = ((angle.sin()? * &sign)? + (&lower * 0.5)?)?;
    let points = (stack(&[&x, &y], 1)? + (randn(&[n, 2])? * 0.1)?)?;
    Ok((points, label))
}

fn main() -> Result<()> {
    manual_seed(0);
    let (x, y) = moons(1000)?;
    let net = Sequential::new().add(Linear::new(2, 32)?).add(ReLU).add(Linear::new(32, 2)?);
    let mut optimizer = Adam::new(net.parameters(), 0.01);
    for step in 0..=300 {
        let logits = net.forward(&x)?;
        let loss = cross_entropy(&logits, &y)?;
        optimizer.zero_grad()?;
        loss.backward()?;
        optimizer.step()?;
        if step % 100 == 0 {
            let right = logits.argmax(Some(1), false)?.eq(&y)?.to_dtype(DType::F32)?.mean()?;
            say(&format!("step {step:3}  loss {:.4}  accuracy {:.3}", loss.to_f64()?, right.to_f64()?));
        }
    }
    Ok(())
}

#[allow(clippy::print_stdout)] // a program, not a library
fn say(line: &str) {
    println!("{line}");
}
