//! `#[derive(Module)]`, names, state dicts, modes and first values.

use super::*;
use flambeau::nn::{LeakyReLU, Training};

#[derive(Module)]
struct Block {
    conv: Conv2d,
    norm: BatchNorm2d,
    scale: Parameter,
    /// Not part of the state.
    #[module(skip)]
    hook: fn(&Tensor) -> Result<Tensor>,
}

impl Block {
    fn new() -> Result<Block> {
        Ok(Block {
            conv: Conv2d::new(2, 2, 3)?,
            norm: BatchNorm2d::new(2)?,
            scale: Parameter::new(ones(&[1])?)?,
            hook: |x| x.relu(),
        })
    }
}

#[derive(Module)]
struct Net {
    blocks: Vec<Block>,
    tail: Sequential,
    extra: Option<Linear>,
    none: Option<Linear>,
    #[module(rename = "head")]
    last: Box<dyn Forward>,
    mean: Buffer,
    width: usize,
    training: Training,
}

#[derive(Module)]
struct Pair<T>(T, Linear);

fn net() -> Result<Net> {
    Ok(Net {
        blocks: vec![Block::new()?, Block::new()?],
        tail: Sequential::new().add(Flatten::new()).add(LeakyReLU(0.1)).add(Linear::new(8, 4)?),
        extra: Some(Linear::new(4, 4)?),
        none: None,
        last: Box::new(Linear::new(4, 2)?),
        mean: Buffer::new(zeros(&[4])?),
        width: 4,
        training: Training::default(),
    })
}

#[test]
fn names_are_the_fields_in_pytorchs_order() -> Result<()> {
    let _guard = seeded(0);
    let net = net()?;
    assert_eq!(net.width, 4);
    let block =
        |i: usize| ["scale", "conv.weight", "conv.bias", "norm.weight", "norm.bias"].map(|n| format!("blocks.{i}.{n}"));
    let mut want: Vec<String> = block(0).into_iter().chain(block(1)).collect();
    want.extend(
        ["tail.2.weight", "tail.2.bias", "extra.weight", "extra.bias", "head.weight", "head.bias"].map(String::from),
    );
    let got: Vec<String> = net.named_parameters().into_iter().map(|(n, _)| n).collect();
    assert_eq!(got, want);
    let buffers: Vec<String> = net.named_buffers().into_iter().map(|(n, _)| n).collect();
    assert_eq!(buffers[0], "mean");
    assert_eq!(buffers[3], "blocks.0.norm.num_batches_tracked");
    let state = net.state_dict();
    assert_eq!(state.names().next(), Some("mean"));
    assert_eq!(state.len(), want.len() + buffers.len());
    assert_eq!(state.versions.iter().find(|(n, _)| n == "blocks.1.norm").unwrap().1, 2);
    let pair = Pair(Linear::new(1, 1)?, Linear::new(1, 1)?);
    assert_eq!(pair.named_parameters()[2].0, "1.weight");
    Ok(())
}

#[test]
fn state_dicts_share_memory_and_load_in_place() -> Result<()> {
    let _guard = seeded(0);
    let (a, b) = (net()?, net()?);
    let before = b.parameters();
    let report = b.load_state_dict(&a.state_dict(), true)?;
    assert!(report.missing_keys.is_empty() && report.unexpected_keys.is_empty());
    for ((name, x), (_, y)) in a.state_dict().tensors.iter().zip(&b.state_dict().tensors) {
        assert_eq!(values(x), values(y), "{name}");
    }
    assert!(before.iter().zip(&b.parameters()).all(|(x, y)| x.is(y) && y.requires_grad() && y.is_leaf()));
    no_grad(|| a.blocks[0].scale.fill_(9.0))?;
    assert_eq!(values(a.state_dict().get("blocks.0.scale").unwrap()), [9.0]);
    Ok(())
}

#[test]
fn strict_loading_says_what_does_not_fit_and_copies_nothing() -> Result<()> {
    let _guard = seeded(0);
    let net = Linear::new(3, 2)?;
    let old = values(&net.weight);
    let mut state = StateDict::default();
    state.insert("weight", zeros(&[2, 4])?);
    state.insert("wieght", zeros(&[1])?);
    assert_eq!(
        net.load_state_dict(&state, true).unwrap_err().to_string(),
        "Error(s) in loading state_dict for Linear:\n\tUnexpected key(s) in state_dict: \"wieght\". \n\t\
         Missing key(s) in state_dict: \"bias\". \n\tsize mismatch for weight: copying a param with shape \
         torch.Size([2, 4]) from checkpoint, the shape in current model is torch.Size([2, 3])."
    );
    assert_eq!(values(&net.weight), old);
    state.insert("weight", ones(&[2, 3])?);
    let report = net.load_state_dict(&state, false)?;
    assert_eq!((report.missing_keys, report.unexpected_keys), (vec!["bias".into()], vec!["wieght".into()]));
    assert_eq!(values(&net.weight), [1.0; 6]);
    Ok(())
}

#[test]
fn modes_reach_every_module() -> Result<()> {
    let _guard = seeded(0);
    let net = net()?;
    let drop = Dropout::new(0.5)?;
    let x = ones(&[1000])?;
    let kept = values(&drop.forward(&x)?);
    assert!(kept.iter().all(|v| *v == 0.0 || *v == 2.0) && kept.contains(&0.0));
    drop.eval();
    assert_eq!(values(&drop.forward(&x)?), vec![1.0; 1000]);
    net.eval();
    assert!(!net.training.get());
    let y = net.blocks[0].norm.forward(&zeros(&[1, 2, 2, 2])?)?;
    assert_eq!(values(&y), [0.0; 8], "batch norm must use its running statistics");
    assert_eq!(values(&net.blocks[0].norm.num_batches_tracked), [0.0]);
    net.train();
    assert!(net.training.get());
    net.blocks[0].norm.forward(&zeros(&[1, 2, 2, 2])?)?;
    assert_eq!(values(&net.blocks[0].norm.num_batches_tracked), [1.0]);
    assert_eq!(values(&(net.blocks[0].hook)(&(-1.0 * &ones(&[1])?)?)?), [0.0]);
    Ok(())
}

#[test]
fn conversion_keeps_ties_and_integers() -> Result<()> {
    let _guard = seeded(0);
    let a = Linear::new(2, 2)?;
    let b = Linear { weight: a.weight.clone(), bias: None };
    let mut both = Pair(Pair(a, b), Linear::new(2, 2)?);
    assert_eq!(both.named_parameters().len(), 4, "a tied weight counts once");
    both.to_dtype(DType::F64)?;
    assert!(both.parameters().iter().all(|p| p.dtype() == DType::F64 && p.requires_grad() && p.is_leaf()));
    assert!(both.0.0.weight.is(&both.0.1.weight));
    let mut norm = BatchNorm1d::new(2)?;
    norm.to_dtype(DType::BF16)?;
    assert_eq!((norm.running_var.dtype(), norm.num_batches_tracked.dtype()), (DType::BF16, DType::I64));
    assert!(norm.to_dtype(DType::I32).is_err());
    Ok(())
}

#[test]
fn gradients_can_be_dropped_and_parameters_frozen() -> Result<()> {
    let _guard = seeded(0);
    let net = Linear::new(2, 1)?;
    net.forward(&ones(&[1, 2])?)?.sum()?.backward()?;
    assert_eq!(values(&net.weight.grad().unwrap()), [1.0, 1.0]);
    net.zero_grad()?;
    assert!(net.weight.grad().is_none());
    net.set_requires_grad(false)?;
    assert!(!net.forward(&ones(&[1, 2])?)?.requires_grad());
    Ok(())
}

#[test]
fn first_values_are_pytorchs_for_the_same_seed() -> Result<()> {
    let _guard = seeded(7);
    let layers: Vec<(&str, Box<dyn Module>)> = vec![
        ("Linear", Box::new(Linear::new(5, 3)?)),
        ("LinearNoBias", Box::new(Linear::with_bias(4, 2, false)?)),
        ("Conv1d", Box::new(Conv1d::new(2, 3, 3)?)),
        ("Conv2d", Box::new(Conv2d::with(4, 6, ConvOptions::new(3).groups(2))?)),
        ("Conv3d", Box::new(Conv3d::with(1, 2, ConvOptions::new(2).bias(false))?)),
        ("ConvTranspose2d", Box::new(ConvTranspose2d::new(4, 2, 3)?)),
        ("Embedding", Box::new(Embedding::with_padding(6, 3, -2)?)),
        ("BatchNorm2d", Box::new(BatchNorm2d::new(3)?)),
        ("GroupNorm", Box::new(GroupNorm::new(2, 4)?)),
        ("MultiheadAttention", Box::new(MultiheadAttention::new(8, 2)?)),
        (
            "TransformerEncoderLayer",
            Box::new(TransformerEncoderLayer::with(
                8,
                2,
                nn::TransformerOptions { dim_feedforward: 16, ..Default::default() },
            )?),
        ),
    ];
    let want = recorded();
    for (name, module) in layers {
        let (state, want) = (module.state_dict(), want["layers"][name].as_array().unwrap());
        assert_eq!(state.len(), want.len(), "{name}");
        for ((key, t), w) in state.tensors.iter().zip(want) {
            assert_eq!(w[0], key.as_str(), "{name}");
            assert_eq!(t.sizes().iter().map(|n| *n as f64).collect::<Vec<_>>(), numbers(&w[1]), "{name}.{key}");
            assert_close(&values(t), &numbers(&w[2]), 1e-6, &format!("{name}.{key}"));
        }
    }
    Ok(())
}

#[test]
fn wrong_settings_are_refused() {
    let _guard = seeded(0);
    assert_eq!(
        Dropout::new(1.5).map(|_| ()).unwrap_err().to_string(),
        "dropout probability has to be between 0 and 1, but got 1.5"
    );
    assert!(MultiheadAttention::new(10, 3).is_err());
    assert!(GroupNorm::new(3, 4).is_err());
    assert!(Conv2d::with(3, 4, ConvOptions::new(3).groups(2)).is_err());
    assert!(Embedding::with_padding(3, 2, 3).is_err());
    let e = BatchNorm2d::new(2).unwrap().forward(&zeros(&[2, 2]).unwrap()).map(|_| ()).unwrap_err();
    assert_eq!(e.to_string(), "expected 4D input (got 2D input)");
}

#[test]
fn padding_can_keep_the_size() -> Result<()> {
    let _guard = seeded(0);
    let conv = Conv2d::with(1, 1, ConvOptions::new([3, 4]).dilation([2, 1]).padding_same())?;
    let x = randn(&[2, 1, 7, 6])?;
    let y = conv.forward(&x)?;
    assert_eq!(y.sizes(), x.sizes());
    // An even kernel pads one more at the end, as in PyTorch: by hand for one element.
    let (w, x0, y0) = (values(&conv.weight), values(&x), values(&y));
    let mut want = values(conv.bias.as_ref().unwrap())[0];
    for (i, row) in [1usize, 3, 5].into_iter().enumerate() {
        for (j, column) in (1..5).enumerate() {
            want += w[i * 4 + j] * x0[row * 6 + column];
        }
    }
    assert!((y0[3 * 6 + 2] - want).abs() < 1e-5);
    assert!(Conv2d::with(1, 1, ConvOptions::new(3).stride(2).padding_same()).is_err());
    Ok(())
}
