//! Whole training runs, step by step as in PyTorch from the same seed.

use super::*;

fn train(
    net: &dyn Module,
    optimizer: &mut dyn Optimizer,
    want: &Value,
    loss_of: &dyn Fn() -> Result<Tensor>,
    tolerance: f64,
) -> Result<()> {
    let want = numbers(&want["losses"]);
    let mut got = Vec::new();
    for _ in 0..want.len() {
        let loss = loss_of()?;
        optimizer.zero_grad()?;
        loss.backward()?;
        optimizer.step()?;
        got.push(loss.to_f64()?);
    }
    net.eval();
    assert!(got.last() < got.first());
    assert_close(&got, &want, tolerance, "losses");
    Ok(())
}

fn check(net: &dyn Forward, x: &Tensor, want: &Value, tolerance: f64) -> Result<()> {
    assert_close(&values(&net.forward(x)?), &numbers(&want["output"]), tolerance, "output");
    let state = net.state_dict();
    for ((name, t), w) in state.tensors.iter().zip(want["state"].as_array().unwrap()) {
        assert_eq!(w[0], name.as_str());
        assert_close(&values(t), &numbers(&w[2]), tolerance, name);
    }
    Ok(())
}

#[test]
fn an_mlp_with_dropout() -> Result<()> {
    let _guard = seeded(0);
    let net = Sequential::new().add(Linear::new(4, 16)?).add(ReLU).add(Dropout::new(0.2)?).add(Linear::new(16, 3)?);
    let (x, y) = (randn(&[32, 4])?, randint(0, 3, &[32])?);
    let mut optimizer = SGD::new(net.parameters(), 0.1).momentum(0.9);
    let want = &recorded()["mlp"];
    train(&net, &mut optimizer, want, &|| cross_entropy(&net.forward(&x)?, &y), 1e-5)?;
    check(&net, &x, want, 1e-5)
}

#[test]
fn a_convolutional_net_with_batch_norm() -> Result<()> {
    let _guard = seeded(1);
    let net = Sequential::new()
        .add(Conv2d::with(1, 4, ConvOptions::new(3).padding(1).stride(2).bias(false))?)
        .add(BatchNorm2d::new(4)?)
        .add(ReLU)
        .add(MaxPool2d::new(2))
        .add(Flatten::new())
        .add(Linear::new(16, 2)?);
    let (x, y) = (randn(&[16, 1, 8, 8])?, randint(0, 2, &[16])?);
    let mut optimizer = AdamW::new(net.parameters(), 0.01);
    let criterion = CrossEntropyLoss { label_smoothing: 0.1, ..CrossEntropyLoss::new() };
    let want = &recorded()["convnet"];
    train(&net, &mut optimizer, want, &|| criterion.forward(&net.forward(&x)?, &y), 1e-5)?;
    check(&net, &x, want, 1e-4)
}

#[test]
fn a_transformer_layer_with_masks() -> Result<()> {
    let _guard = seeded(2);
    let options = nn::TransformerOptions { dim_feedforward: 32, dropout: 0.0, batch_first: true, ..Default::default() };
    let net = TransformerEncoderLayer::with(16, 4, options)?;
    let x = randn(&[3, 5, 16])?;
    let hidden: Vec<bool> = (0..15).map(|i| matches!(i, 9 | 13 | 14)).collect();
    let hidden = Tensor::from_slice(&hidden, &[3, 5])?;
    let mask: Vec<bool> = (0..25).map(|i| i % 5 > i / 5).collect();
    let mask = Tensor::from_slice(&mask, &[5, 5])?;
    let forward = || net.encode(&x, Some(&mask), Some(&hidden), false);
    let loss = || (forward()?.narrow(1, 0, 3)? - 0.5)?.square()?.mean();
    let mut optimizer = SGD::new(net.parameters(), 0.2);
    let want = &recorded()["transformer"];
    train(&net, &mut optimizer, want, &loss, 1e-5)?;
    check(&net, &x, want, 1e-5)?;
    // The fused causal path says the same as an explicit mask.
    let explicit = net.self_attn.attend(&x, &x, &x, Some(&mask), None, false)?;
    let fused = net.self_attn.attend(&x, &x, &x, None, None, true)?;
    assert_close(&values(&fused), &values(&explicit), 1e-6, "causal");
    Ok(())
}
