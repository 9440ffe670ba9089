//! The README's quick start: a small network learns exclusive or. `cargo run --release -p flambeau --example xor`

use flambeau::prelude::*;

fn main() -> Result<()> {
    let x = randn(&[256, 2])?;
    let y = (&x.select(1, 0)? * &x.select(1, 1)?)?.gt(0.0)?.to_dtype(DType::I64)?;
    let net = Sequential::new().add(Linear::new(2, 32)?).add(ReLU).add(Linear::new(32, 2)?);
    let mut optimizer = Adam::new(net.parameters(), 0.02);
    for _ in 0..200 {
        optimizer.zero_grad()?;
        let loss = cross_entropy(&net.forward(&x)?, &y)?;
        loss.backward()?;
        optimizer.step()?;
    }
    save(&net.state_dict(), "xor.pth")
}
