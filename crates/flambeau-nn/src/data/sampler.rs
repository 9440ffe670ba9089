//! In which order items are taken. Draws are those of PyTorch, one for one.

use flambeau_core::backend::Distribution;
use flambeau_core::device::backend;
use flambeau_core::{DType, Device, Generator, Result, Tensor, check};
use flambeau_ops::random::fill_random;

/// The indices of one pass.
pub type Indices = Box<dyn Iterator<Item = Result<usize>> + Send>;

/// Gives the indices of each pass.
pub trait Sampler: Send + Sync {
    /// The indices of the next pass. Draws happen when the first index is asked for.
    fn indices(&self) -> Indices;

    /// How many indices a pass has.
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An int64 as `random_()` draws it.
pub(super) fn draw_seed(generator: &Generator) -> u64 {
    generator.lock().random64() & i64::MAX as u64
}

pub(super) fn permutation(n: usize, generator: &Generator) -> Result<Vec<usize>> {
    let t = Tensor::empty(&[n as i64], DType::I64, Device::CPU)?;
    if n > 0 {
        backend(Device::CPU)?.permutation(&mut generator.lock(), t.raw())?;
    }
    indices(&t)
}

fn indices(t: &Tensor) -> Result<Vec<usize>> {
    Ok(t.to_vec::<i64>()?.into_iter().map(|i| i as usize).collect())
}

/// An iterator that is made of its indices when the first one is asked for.
fn lazily(make: impl FnOnce() -> Result<Vec<usize>> + Send + 'static) -> Indices {
    let made = std::iter::once_with(make).flat_map(|made| {
        let (values, error) = match made {
            Ok(values) => (values, None),
            Err(e) => (Vec::new(), Some(Err(e))),
        };
        values.into_iter().map(Ok).chain(error)
    });
    Box::new(made)
}

/// Indices in order.
#[derive(Clone, Copy, Debug)]
pub struct SequentialSampler(pub usize);

impl Sampler for SequentialSampler {
    fn indices(&self) -> Indices {
        Box::new((0..self.0).map(Ok))
    }

    fn len(&self) -> usize {
        self.0
    }
}

/// Indices at random.
#[derive(Clone, Debug)]
pub struct RandomSampler {
    count: usize,
    samples: usize,
    replacement: bool,
    generator: Option<Generator>,
}

impl RandomSampler {
    /// Permutations of `0..count`.
    ///
    /// # Errors
    /// `Value` for a count of zero.
    pub fn new(count: usize) -> Result<RandomSampler> {
        RandomSampler { count, samples: count, replacement: false, generator: None }.samples(count)
    }

    /// As many indices in a pass: of several permutations, if there are more than items.
    ///
    /// # Errors
    /// `Value` for zero.
    pub fn samples(mut self, samples: usize) -> Result<RandomSampler> {
        check!(samples > 0, Value, "num_samples should be a positive integer value, but got num_samples={samples}");
        self.samples = samples;
        Ok(self)
    }

    /// Whether to draw independently, instead of going through permutations.
    pub fn replacement(mut self, replacement: bool) -> RandomSampler {
        self.replacement = replacement;
        self
    }

    /// Where numbers come from; unless given, the default generator seeds a new one for each pass.
    pub fn generator(mut self, generator: Generator) -> RandomSampler {
        self.generator = Some(generator);
        self
    }
}

impl Sampler for RandomSampler {
    fn indices(&self) -> Indices {
        let RandomSampler { count, samples, replacement, generator } = self.clone();
        lazily(move || {
            let generator = generator.unwrap_or_else(|| Generator::new(draw_seed(&Generator::default_cpu())));
            let mut out = Vec::with_capacity(samples);
            if replacement {
                // In blocks of 32: their size decides which numbers a seed gives.
                while out.len() < samples {
                    let t = Tensor::empty(&[32.min(samples - out.len()) as i64], DType::I64, Device::CPU)?;
                    let kind = Distribution::Integers { from: 0, range: count as u64 };
                    fill_random(&t, kind, Some(generator.clone()))?;
                    out.extend(indices(&t)?);
                }
                return Ok(out);
            }
            // One permutation more than is used where the samples are a multiple of the items: the generator then ends where
            // PyTorch's does.
            for _ in 0..=samples / count {
                out.extend(permutation(count, &generator)?);
            }
            out.truncate(samples);
            Ok(out)
        })
    }

    fn len(&self) -> usize {
        self.samples
    }
}

/// Some indices in random order.
#[derive(Clone, Debug)]
pub struct SubsetRandomSampler {
    pub indices: Vec<usize>,
    pub generator: Generator,
}

impl SubsetRandomSampler {
    /// Draws from the default generator.
    pub fn new(indices: impl IntoIterator<Item = usize>) -> SubsetRandomSampler {
        SubsetRandomSampler { indices: indices.into_iter().collect(), generator: Generator::default_cpu() }
    }
}

impl Sampler for SubsetRandomSampler {
    fn indices(&self) -> Indices {
        let SubsetRandomSampler { indices, generator } = self.clone();
        lazily(move || Ok(permutation(indices.len(), &generator)?.into_iter().map(|i| indices[i]).collect()))
    }

    fn len(&self) -> usize {
        self.indices.len()
    }
}

/// Indices drawn with given probabilities.
#[derive(Clone, Debug)]
pub struct WeightedRandomSampler {
    weights: Vec<f64>,
    samples: usize,
    replacement: bool,
    generator: Generator,
}

impl WeightedRandomSampler {
    /// Draws `samples` indices in proportion to their weights, from `generator` or the default one.
    ///
    /// # Errors
    /// `Value` for no samples. Without replacement, passes give `Runtime` if there are fewer weights than samples.
    pub fn new(
        weights: impl IntoIterator<Item = f64>,
        samples: usize,
        replacement: bool,
        generator: Option<Generator>,
    ) -> Result<WeightedRandomSampler> {
        check!(samples > 0, Value, "num_samples should be a positive integer value, but got num_samples={samples}");
        let generator = generator.unwrap_or_else(Generator::default_cpu);
        Ok(WeightedRandomSampler { weights: weights.into_iter().collect(), samples, replacement, generator })
    }
}

impl Sampler for WeightedRandomSampler {
    fn indices(&self) -> Indices {
        let WeightedRandomSampler { weights, samples, replacement, generator } = self.clone();
        lazily(move || {
            check!(
                replacement || samples <= weights.len(),
                Runtime,
                "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
            );
            let w = Tensor::from_slice(&weights, &[1, weights.len() as i64])?;
            let out = Tensor::empty(&[1, samples as i64], DType::I64, Device::CPU)?;
            backend(Device::CPU)?.multinomial(w.raw(), replacement, &mut generator.lock(), out.raw())?;
            indices(&out)
        })
    }

    fn len(&self) -> usize {
        self.samples
    }
}

/// Every `replicas`-th index from `rank` on; together the processes cover the dataset.
#[derive(Clone, Debug)]
pub struct DistributedSampler {
    count: usize,
    replicas: usize,
    rank: usize,
    /// Permute anew in each epoch.
    pub shuffle: bool,
    /// Seed of the permutations, the same in all processes.
    pub seed: u64,
    /// Set it before each epoch.
    pub epoch: u64,
    /// Leave out the tail, instead of repeating items to make the shares even.
    pub drop_last: bool,
}

impl DistributedSampler {
    /// # Errors
    /// `Value` for a rank that is not below the number of replicas.
    pub fn new(count: usize, replicas: usize, rank: usize) -> Result<DistributedSampler> {
        check!(
            rank < replicas,
            Value,
            "Invalid rank {rank}, rank should be in the interval [0, {}]",
            replicas as i64 - 1
        );
        Ok(DistributedSampler { count, replicas, rank, shuffle: true, seed: 0, epoch: 0, drop_last: false })
    }
}

impl Sampler for DistributedSampler {
    fn indices(&self) -> Indices {
        let s = self.clone();
        lazily(move || {
            let order = match s.shuffle {
                true => permutation(s.count, &Generator::new(s.seed.wrapping_add(s.epoch)))?,
                false => (0..s.count).collect(),
            };
            let total = s.len() * s.replicas;
            // Repeated from the start as often as the shares need it.
            Ok(order.iter().copied().cycle().take(total).skip(s.rank).step_by(s.replicas).collect())
        })
    }

    fn len(&self) -> usize {
        if self.drop_last { self.count / self.replicas } else { self.count.div_ceil(self.replicas) }
    }
}
