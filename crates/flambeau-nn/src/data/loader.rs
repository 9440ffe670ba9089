//! Batches of a dataset, loaded ahead by threads.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use flambeau_core::{Error, Generator, Result, check};

use super::dataset::Dataset;
use super::sampler::{Indices, RandomSampler, Sampler, SequentialSampler, draw_seed};
use super::stack::Stack;
use super::worker::{self, WorkerInfo};

type Collate<I, B> = Arc<dyn Fn(Vec<I>) -> Result<B> + Send + Sync>;

/// Iterates over a dataset in batches.
///
/// With [`workers`](Self::workers), so many threads load batches ahead of the loop. Batches come in the sampler's order and are
/// the same for every number of threads. What an item's loading returns as an error, or panics with, comes as the error of
/// its batch; the loop may go on after it. Dropping the iterator stops the threads and waits for the items they are at.
///
/// ```
/// use flambeau_nn::data::{DataLoader, Dataset};
/// use flambeau_core::{Result, Tensor};
///
/// struct Squares;
/// impl Dataset for Squares {
///     type Item = (Tensor, i64);
///     fn len(&self) -> usize {
///         10
///     }
///     fn get(&self, i: usize) -> Result<(Tensor, i64)> {
///         Ok((Tensor::from_slice(&[i as f32], &[1])?, (i * i) as i64))
///     }
/// }
///
/// fn main() -> Result<()> {
///     # flambeau_ops::init();
///     let loader = DataLoader::new(Squares).batch_size(4)?.shuffle(true)?.workers(2);
///     for batch in &loader {
///         let (x, y) = batch?;
///         assert_eq!(x.sizes()[0], y.sizes()[0]);
///     }
///     Ok(())
/// }
/// ```
pub struct DataLoader<D: Dataset, B> {
    dataset: Arc<D>,
    collate: Collate<D::Item, B>,
    sampler: Arc<dyn Sampler>,
    batch_size: usize,
    drop_last: bool,
    workers: usize,
    prefetch: usize,
    generator: Option<Generator>,
    shuffled: bool,
}

impl<D: Dataset + 'static> DataLoader<D, <D::Item as Stack>::Batch>
where
    D::Item: Stack,
{
    /// Batches of one item, in order, loaded by the thread that asks for them.
    pub fn new(dataset: D) -> Self {
        DataLoader::with_collate(dataset, <D::Item as Stack>::stack)
    }
}

impl<D: Dataset + 'static, B: Send + 'static> DataLoader<D, B> {
    /// A loader whose batches `collate` makes; for items that [`Stack`] does not know.
    pub fn with_collate(dataset: D, collate: impl Fn(Vec<D::Item>) -> Result<B> + Send + Sync + 'static) -> Self {
        let sampler = Arc::new(SequentialSampler(dataset.len()));
        DataLoader {
            dataset: Arc::new(dataset),
            collate: Arc::new(collate),
            sampler,
            batch_size: 1,
            drop_last: false,
            workers: 0,
            prefetch: 2,
            generator: None,
            shuffled: false,
        }
    }

    /// Has another function make batches of items.
    pub fn collate<C: Send + 'static>(
        self,
        collate: impl Fn(Vec<D::Item>) -> Result<C> + Send + Sync + 'static,
    ) -> DataLoader<D, C> {
        DataLoader {
            dataset: self.dataset,
            collate: Arc::new(collate),
            sampler: self.sampler,
            batch_size: self.batch_size,
            drop_last: self.drop_last,
            workers: self.workers,
            prefetch: self.prefetch,
            generator: self.generator,
            shuffled: self.shuffled,
        }
    }

    /// Items in a batch; 1 unless set.
    ///
    /// # Errors
    /// `Value` for zero.
    pub fn batch_size(mut self, n: usize) -> Result<Self> {
        check!(n > 0, Value, "batch_size should be a positive integer value, but got batch_size=0");
        self.batch_size = n;
        Ok(self)
    }

    /// Takes the items in random order, another one in each pass.
    ///
    /// # Errors
    /// `Value` for an empty dataset.
    pub fn shuffle(mut self, shuffle: bool) -> Result<Self> {
        self.shuffled = shuffle;
        self.sampler = match (shuffle, &self.generator) {
            (false, _) => Arc::new(SequentialSampler(self.dataset.len())),
            (true, None) => Arc::new(RandomSampler::new(self.dataset.len())?),
            (true, Some(g)) => Arc::new(RandomSampler::new(self.dataset.len())?.generator(g.clone())),
        };
        Ok(self)
    }

    /// Takes the items in the order of a sampler, instead of [`shuffle`](Self::shuffle).
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.shuffled = false;
        self.sampler = Arc::new(sampler);
        self
    }

    /// Leaves out a last batch that is not full.
    pub fn drop_last(mut self, drop_last: bool) -> Self {
        self.drop_last = drop_last;
        self
    }

    /// Number of loading threads; 0, the default, loads in the thread that asks for a batch.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// How many batches each thread may be ahead of the loop; 2 unless set, at least 1.
    pub fn prefetch(mut self, batches: usize) -> Self {
        self.prefetch = batches.max(1);
        self
    }

    /// Where the order and the workers' seeds come from; the default generator unless set.
    ///
    /// # Errors
    /// `Value` for an empty dataset that is shuffled.
    pub fn generator(mut self, generator: Generator) -> Result<Self> {
        self.generator = Some(generator);
        let shuffled = self.shuffled;
        if shuffled { self.shuffle(true) } else { Ok(self) }
    }

    /// Number of batches in a pass.
    pub fn len(&self) -> usize {
        let n = self.sampler.len();
        if self.drop_last { n / self.batch_size } else { n.div_ceil(self.batch_size) }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One pass over the dataset.
    pub fn iter(&self) -> LoaderIter<B> {
        // Drawn before the sampler's first draw, and also where nothing uses it: as in PyTorch.
        let default = Generator::default_cpu();
        let seed = draw_seed(self.generator.as_ref().unwrap_or(&default));
        let tasks = Tasks { indices: self.sampler.indices(), size: self.batch_size, drop_last: self.drop_last };
        let (dataset, collate, workers) = (self.dataset.clone(), self.collate.clone(), self.workers);
        let load = move |id: usize, batch: usize, task: Result<Vec<usize>>| {
            let info = WorkerInfo { id, workers, batch, seed: seed.wrapping_add(batch as u64) };
            worker::with(info, || {
                let items = task?.into_iter().map(|i| checked(&*dataset, i)).collect::<Result<Vec<_>>>()?;
                collate(items)
            })
        };
        LoaderIter::start(tasks, Arc::new(load), workers, self.prefetch, self.len())
    }
}

fn checked<D: Dataset>(dataset: &D, index: usize) -> Result<D::Item> {
    let n = dataset.len();
    check!(index < n, Index, "index {index} is out of range for a dataset of {n} items");
    dataset.get(index)
}

impl<D: Dataset + 'static, B: Send + 'static> IntoIterator for &DataLoader<D, B> {
    type Item = Result<B>;
    type IntoIter = LoaderIter<B>;

    fn into_iter(self) -> LoaderIter<B> {
        self.iter()
    }
}

/// The indices of one batch after another.
struct Tasks {
    indices: Indices,
    size: usize,
    drop_last: bool,
}

impl Iterator for Tasks {
    type Item = Result<Vec<usize>>;

    fn next(&mut self) -> Option<Self::Item> {
        let task: Result<Vec<usize>> = self.indices.by_ref().take(self.size).collect();
        match task {
            Ok(t) if t.is_empty() || (self.drop_last && t.len() < self.size) => None,
            task => Some(task),
        }
    }
}

type Load<B> = Arc<dyn Fn(usize, usize, Result<Vec<usize>>) -> Result<B> + Send + Sync>;

struct State<B> {
    tasks: Tasks,
    /// Batches that threads have taken on, and that the loop has taken out.
    begun: usize,
    taken: usize,
    done: BTreeMap<usize, Result<B>>,
    /// No further tasks.
    ended: bool,
    /// The iterator is gone.
    stopped: bool,
}

struct Shared<B> {
    state: Mutex<State<B>>,
    /// A batch is done, or there are no more.
    ready: Condvar,
    /// The loop took a batch out, or is gone.
    room: Condvar,
    window: usize,
}

impl<B> Shared<B> {
    fn lock(&self) -> MutexGuard<'_, State<B>> {
        // No code of the user's runs while it is held without being caught, so the state is whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, id: usize, load: &Load<B>) {
        loop {
            let (batch, task) = {
                let mut s = self.lock();
                while !s.stopped && !s.ended && s.begun >= s.taken + self.window {
                    s = self.room.wait(s).unwrap_or_else(PoisonError::into_inner);
                }
                if s.stopped || s.ended {
                    return;
                }
                let Some(task) = next_task(&mut s) else {
                    drop(s);
                    self.ready.notify_all();
                    self.room.notify_all();
                    return;
                };
                s.begun += 1;
                (s.begun - 1, task)
            };
            let result = run(id, batch, task, load);
            let mut s = self.lock();
            if s.stopped {
                return;
            }
            s.done.insert(batch, result);
            drop(s);
            self.ready.notify_all();
        }
    }
}

/// The next task; after an error of the sampler there is none.
fn next_task<B>(s: &mut State<B>) -> Option<Result<Vec<usize>>> {
    let task = catch_unwind(AssertUnwindSafe(|| s.tasks.next()))
        .unwrap_or_else(|panic| Some(Err(Error::runtime(format!("Caught panic in a sampler.\n{}", text(&*panic))))));
    s.ended = !matches!(task, Some(Ok(_)));
    task
}

fn run<B>(id: usize, batch: usize, task: Result<Vec<usize>>, load: &Load<B>) -> Result<B> {
    catch_unwind(AssertUnwindSafe(|| load(id, batch, task))).unwrap_or_else(|panic| {
        Err(Error::runtime(format!("Caught panic in DataLoader worker thread {id}.\n{}", text(&*panic))))
    })
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let string = panic.downcast_ref::<String>().map(String::as_str);
    string.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

/// One pass over a [`DataLoader`]: a result for each batch.
pub struct LoaderIter<B> {
    shared: Arc<Shared<B>>,
    load: Load<B>,
    threads: Vec<JoinHandle<()>>,
    inline: bool,
    left: usize,
}

impl<B: Send + 'static> LoaderIter<B> {
    fn start(tasks: Tasks, load: Load<B>, workers: usize, prefetch: usize, left: usize) -> LoaderIter<B> {
        let state = State { tasks, begun: 0, taken: 0, done: BTreeMap::new(), ended: false, stopped: false };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            ready: Condvar::new(),
            room: Condvar::new(),
            window: workers.saturating_mul(prefetch),
        });
        let mut threads = Vec::with_capacity(workers);
        for id in 0..workers {
            let (shared, load) = (shared.clone(), load.clone());
            let thread = std::thread::Builder::new().name(format!("loader-{id}"));
            match thread.spawn(move || shared.work(id, &load)) {
                Ok(handle) => threads.push(handle),
                // With fewer threads the batches are the same.
                Err(_) => break,
            }
        }
        let inline = threads.is_empty();
        LoaderIter { shared, load, threads, inline, left }
    }
}

impl<B> Iterator for LoaderIter<B> {
    type Item = Result<B>;

    fn next(&mut self) -> Option<Result<B>> {
        let mut s = self.shared.lock();
        if self.inline {
            if s.ended {
                return None;
            }
            let task = next_task(&mut s)?;
            let batch = s.begun;
            s.begun += 1;
            drop(s);
            self.left = self.left.saturating_sub(1);
            return Some(run(0, batch, task, &self.load));
        }
        loop {
            let at = s.taken;
            if let Some(result) = s.done.remove(&at) {
                s.taken += 1;
                drop(s);
                self.shared.room.notify_all();
                self.left = self.left.saturating_sub(1);
                return Some(result);
            }
            if s.ended && s.taken == s.begun {
                return None;
            }
            s = self.shared.ready.wait(s).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

impl<B> Drop for LoaderIter<B> {
    fn drop(&mut self) {
        let unused = {
            let mut s = self.shared.lock();
            s.stopped = true;
            std::mem::take(&mut s.done)
        };
        self.shared.room.notify_all();
        drop(unused);
        for thread in self.threads.drain(..) {
            // Panics were caught inside.
            let _ = thread.join();
        }
    }
}
