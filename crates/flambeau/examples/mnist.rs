//! A convolutional network on handwritten digits: `cargo run --release --example mnist [DIR] [EPOCHS]`
//!
//! DIR holds the MNIST files as they are distributed (`*-idx3-ubyte.gz`). With the training files there, it trains on those and
//! tests on the 10,000 test digits; with the test files alone, it trains on their first 8,000 and tests on the other 2,000. The
//! trained weights are saved as `out/mnist.pth`, which `torch.load` reads.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use flambeau::nn::functional::max_pool2d;
use flambeau::prelude::*;
use indicatif::{ProgressBar, ProgressStyle};

#[derive(Module)]
struct Net {
    conv1: Conv2d,
    conv2: Conv2d,
    dropout: Dropout,
    fc1: Linear,
    fc2: Linear,
}

impl Net {
    fn new() -> Result<Net> {
        Ok(Net {
            conv1: Conv2d::new(1, 16, 3)?,
            conv2: Conv2d::new(16, 32, 3)?,
            dropout: Dropout::new(0.25)?,
            fc1: Linear::new(32 * 5 * 5, 128)?,
            fc2: Linear::new(128, 10)?,
        })
    }
}

impl Forward for Net {
    /// Images `(n, 1, 28, 28)` to logits `(n, 10)`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = max_pool2d(&self.conv1.forward(x)?.relu()?, [2, 2], [2, 2], [0, 0])?;
        let x = max_pool2d(&self.conv2.forward(&x)?.relu()?, [2, 2], [2, 2], [0, 0])?;
        let x = self.dropout.forward(&x.flatten(1, -1)?)?;
        self.fc2.forward(&self.fc1.forward(&x)?.relu()?)
    }
}

/// The bytes after the header of an idx file, and its dimensions.
fn idx(path: &Path) -> Result<(Vec<u8>, Vec<i64>)> {
    let fail = |what: &str| Error::runtime(format!("{}: {what}", path.display()));
    let file = File::open(path).map_err(|e| fail(&e.to_string()))?;
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).map_err(|e| fail(&e.to_string()))?;
    let rank = match bytes.get(..4) {
        Some([0, 0, 8, rank]) => *rank as usize,
        _ => return Err(fail("not an idx file of bytes")),
    };
    let header = 4 + 4 * rank;
    let sizes = bytes.get(4..header).ok_or_else(|| fail("cut off"))?.chunks_exact(4);
    let sizes: Vec<i64> = sizes.map(|c| i64::from(u32::from_be_bytes([c[0], c[1], c[2], c[3]]))).collect();
    Ok((bytes.split_off(header), sizes))
}

/// Images `(n, 1, 28, 28)`, scaled as is usual for MNIST, and labels.
fn digits(dir: &Path, part: &str) -> Result<TensorDataset> {
    let (pixels, sizes) = idx(&dir.join(format!("{part}-images-idx3-ubyte.gz")))?;
    let images = Tensor::from_slice(&pixels, &[sizes[0], 1, 28, 28])?.to_dtype(DType::F32)?;
    let images = (((images / 255.0)? - 0.1307)? / 0.3081)?;
    let (labels, sizes) = idx(&dir.join(format!("{part}-labels-idx1-ubyte.gz")))?;
    TensorDataset::new([images, Tensor::from_slice(&labels, &sizes)?.to_dtype(DType::I64)?])
}

fn part(data: &TensorDataset, from: i64, n: i64) -> Result<TensorDataset> {
    TensorDataset::new(data.tensors().iter().map(|t| t.narrow(0, from, n)).collect::<Result<Vec<_>>>()?)
}

fn accuracy(net: &Net, data: &TensorDataset) -> Result<f64> {
    net.eval();
    let right = no_grad(|| {
        let mut right = 0.0;
        for batch in data.batches(500, false)? {
            let batch = batch?;
            right += net.forward(&batch[0])?.argmax(Some(1), false)?.eq(&batch[1])?.sum()?.to_f64()?;
        }
        Ok::<_, Error>(right)
    })?;
    net.train();
    Ok(right / data.len() as f64)
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let dir = PathBuf::from(args.next().unwrap_or_else(|| "../shared/data/mnist".into()));
    let epochs: u64 = args.next().and_then(|n| n.parse().ok()).unwrap_or(5);
    let tests = digits(&dir, "t10k")?;
    let (train, test) = if dir.join("train-images-idx3-ubyte.gz").exists() {
        (digits(&dir, "train")?, tests)
    } else {
        (part(&tests, 0, 8000)?, part(&tests, 8000, 2000)?)
    };

    manual_seed(0);
    let net = Net::new()?;
    let batch_size = 64;
    let mut optimizer = Adam::new(net.parameters(), 1e-3);
    let steps = epochs * train.len().div_ceil(batch_size) as u64;
    let mut schedule = OneCycleLR::new(&mut optimizer, 4e-3, steps)?;
    let bar = ProgressBar::new(steps).with_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed} < {eta}  {msg}")
            .map_err(|e| Error::value(e.to_string()))?,
    );
    say(
        &bar,
        &format!("{} digits to train on, {} to test on, {} parameters", train.len(), test.len(), net.num_parameters()),
    );
    let start = Instant::now();
    for epoch in 1..=epochs {
        let mut total = 0.0;
        for (i, batch) in train.batches(batch_size, true)?.enumerate() {
            let batch = batch?;
            let loss = cross_entropy(&net.forward(&batch[0])?, &batch[1])?;
            optimizer.zero_grad()?;
            loss.backward()?;
            optimizer.step()?;
            schedule.step(&mut optimizer)?;
            total += loss.to_f64()?;
            bar.inc(1);
            bar.set_message(format!("epoch {epoch}  loss {:.4}", total / (i + 1) as f64));
        }
        say(
            &bar,
            &format!(
                "epoch {epoch}: accuracy {:.2} % after {:.1} s",
                100.0 * accuracy(&net, &test)?,
                start.elapsed().as_secs_f64()
            ),
        );
    }
    bar.finish();
    std::fs::create_dir_all("out").map_err(|e| Error::runtime(format!("out: {e}")))?;
    save(&net.state_dict(), "out/mnist.pth")
}

/// A line above the progress bar; printed too where there is no terminal and so no bar.
#[allow(clippy::print_stdout)] // a program, not a library
fn say(bar: &ProgressBar, line: &str) {
    bar.suspend(|| println!("{line}"));
}
