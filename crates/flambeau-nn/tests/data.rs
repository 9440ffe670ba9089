//! Datasets, samplers and the DataLoader. PyTorch's batches are those recorded by `tests/tools/record_data.py`.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flambeau_core::{Error, ErrorKind, Generator, Result, Tensor};
use flambeau_nn::TensorDataset;
use flambeau_nn::data::{
    ConcatDataset, DataLoader, Dataset, DistributedSampler, RandomSampler, Sampler, SequentialSampler, Subset,
    SubsetRandomSampler, WeightedRandomSampler, random_split, worker,
};
use serde_json::Value;

/// Tests that draw from the default generator take turns.
fn seeded(seed: u64) -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let guard = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    flambeau_ops::init();
    Generator::default_cpu().manual_seed(seed);
    guard
}

/// What PyTorch gave for two passes, and then as the default generator's next number.
fn recorded(name: &str) -> (Value, f64) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/recorded.json");
    let text = std::fs::read_to_string(path).expect("the recorded file");
    let rows: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let row = rows.into_iter().find(|r| r[0] == name).unwrap_or_else(|| panic!("no {name}"));
    (row[1].clone(), row[2].as_f64().expect("a number"))
}

fn next_number() -> f64 {
    flambeau_ops::random::rand(&[1]).unwrap().to_vec::<f32>().unwrap()[0] as f64
}

fn rows() -> TensorDataset {
    let x: Vec<i64> = (0..23).collect();
    let y: Vec<f32> = (0..23).map(|i| i as f32 * 2.0).collect();
    TensorDataset::new([Tensor::from_slice(&x, &[23]).unwrap(), Tensor::from_slice(&y, &[23]).unwrap()]).unwrap()
}

fn passes<D: Dataset<Item = Vec<Tensor>> + 'static>(loader: &DataLoader<D, Vec<Tensor>>) -> Value {
    let pass = || -> Vec<Vec<i64>> { loader.iter().map(|b| b.unwrap()[0].to_vec::<i64>().unwrap()).collect() };
    serde_json::json!([pass(), pass()])
}

#[test]
fn batches_are_those_of_pytorch_for_every_number_of_threads() {
    for workers in [0, 1, 3] {
        let make = || DataLoader::new(rows()).workers(workers);
        let cases = [
            ("{'shuffle': True, 'batch_size': 5}", make().batch_size(5).unwrap().shuffle(true).unwrap()),
            (
                "{'shuffle': True, 'batch_size': 5, 'drop_last': True}",
                make().shuffle(true).unwrap().batch_size(5).unwrap().drop_last(true),
            ),
            ("{'shuffle': False, 'batch_size': 4}", make().batch_size(4).unwrap()),
            (
                "{'shuffle': True, 'batch_size': 3, 'generator': 7}",
                make().batch_size(3).unwrap().shuffle(true).unwrap().generator(Generator::new(7)).unwrap(),
            ),
        ];
        for (name, loader) in cases {
            let _turn = seeded(3);
            let (expected, number) = recorded(name);
            assert_eq!(passes(&loader), expected, "{name}, {workers} threads");
            assert_eq!(loader.len(), expected[0].as_array().unwrap().len());
            assert!((next_number() - number).abs() < 1e-7, "{name}: the default generator moved differently");
        }
    }
}

#[test]
fn samplers_draw_as_pytorch() {
    let ten = || RandomSampler::new(10).unwrap();
    let weights = [0.1, 0.2, 3.0];
    let mut dropping = DistributedSampler::new(11, 3, 2).unwrap();
    dropping.drop_last = true;
    let cases: Vec<(&str, Box<dyn Sampler>)> = vec![
        ("RandomSampler(range(10))", Box::new(ten())),
        ("RandomSampler(range(10), num_samples=25)", Box::new(ten().samples(25).unwrap())),
        (
            "RandomSampler(range(10), replacement=True, num_samples=70)",
            Box::new(ten().replacement(true).samples(70).unwrap()),
        ),
        (
            "RandomSampler(range(10), generator=torch.Generator().manual_seed(5))",
            Box::new(ten().generator(Generator::new(5))),
        ),
        ("SubsetRandomSampler([3, 4, 9, 11])", Box::new(SubsetRandomSampler::new([3, 4, 9, 11]))),
        (
            "WeightedRandomSampler([0.1, 0.2, 3.0], 8)",
            Box::new(WeightedRandomSampler::new(weights, 8, true, None).unwrap()),
        ),
        (
            "WeightedRandomSampler([0.1, 0.2, 3.0], 3, replacement=False)",
            Box::new(WeightedRandomSampler::new(weights, 3, false, None).unwrap()),
        ),
        ("DistributedSampler(range(11), 3, 1)", Box::new(DistributedSampler::new(11, 3, 1).unwrap())),
        ("DistributedSampler(range(11), 3, 2, drop_last=True)", Box::new(dropping)),
    ];
    for (name, sampler) in cases {
        let _turn = seeded(4);
        let pass = || sampler.indices().collect::<Result<Vec<usize>>>().unwrap();
        let (expected, number) = recorded(name);
        assert_eq!(serde_json::json!([pass(), pass()]), expected, "{name}");
        assert!((next_number() - number).abs() < 1e-7, "{name}: the default generator moved differently");
        assert_eq!(sampler.len(), pass().len(), "{name}");
    }
    let _turn = seeded(5);
    let parts = random_split(rows().map(Ok), &[10, 13], &Generator::new(1)).unwrap();
    let mut all: Vec<usize> = parts.iter().flat_map(|p| p.indices().to_vec()).collect();
    all.sort();
    assert_eq!(all, (0..23).collect::<Vec<_>>());
    assert_eq!(random_split(rows(), &[1, 2], &Generator::new(1)).err().unwrap().kind(), ErrorKind::Value);
}

/// Items by a closure.
struct Calls<F>(usize, F);

impl<T: Send + 'static, F: Fn(usize) -> Result<T> + Send + Sync> Dataset for Calls<F> {
    type Item = T;

    fn len(&self) -> usize {
        self.0
    }

    fn get(&self, index: usize) -> Result<T> {
        (self.1)(index)
    }
}

#[test]
fn structures_are_stacked() {
    let _turn = seeded(0);
    let item = |i: usize| Ok((vec![Tensor::from_slice(&[i as f32, 0.5], &[2])?], i as i64, (i > 1, format!("{i}"))));
    let loader = DataLoader::new(Calls(4, item)).batch_size(3).unwrap().workers(2);
    let (xs, labels, (flags, names)) = loader.iter().next().unwrap().unwrap();
    assert_eq!(xs[0].sizes(), [3, 2]);
    assert_eq!(labels.to_vec::<i64>().unwrap(), [0, 1, 2]);
    assert_eq!(flags.to_vec::<bool>().unwrap(), [false, false, true]);
    assert_eq!(names, ["0", "1", "2"]);
    let sums = DataLoader::with_collate(Calls(5, Ok), |items| Ok(items.into_iter().sum::<usize>()));
    let sums: Result<Vec<usize>> = sums.batch_size(2).unwrap().iter().collect();
    assert_eq!(sums.unwrap(), [1, 5, 4]);
    let ragged = DataLoader::new(Calls(2, |i| Ok(vec![0i64; i]))).batch_size(2).unwrap();
    let error = ragged.iter().next().unwrap().unwrap_err();
    assert_eq!(error.message(), "each element in list of batch should be of equal size");
}

#[test]
fn datasets_of_datasets() {
    let _turn = seeded(0);
    let both = ConcatDataset::new([3usize, 0, 2].map(|n| Calls(n, move |i| Ok(10 * n + i)))).unwrap();
    let items: Vec<usize> = (0..both.len()).map(|i| both.get(i).unwrap()).collect();
    assert_eq!(items, [30, 31, 32, 20, 21]);
    let part = Subset::new(Arc::new(both), [4, 0]).unwrap();
    assert_eq!([part.get(0).unwrap(), part.get(1).unwrap()], [21, 30]);
    assert_eq!(Subset::new(part, [2]).err().unwrap().kind(), ErrorKind::Index);
    assert!(ConcatDataset::<TensorDataset>::new([]).is_err());
}

#[test]
fn errors_and_panics_come_in_their_batch_s_place() {
    let _turn = seeded(0);
    for workers in [0, 2] {
        let item = |i: usize| match i {
            2 => Err(Error::value("bad item")),
            4 => panic!("item {i} is cursed"),
            i => Ok(i as i64),
        };
        let loader = DataLoader::new(Calls(6, item)).workers(workers);
        let mut out = Vec::new();
        for batch in &loader {
            out.push(match batch {
                Ok(t) => t.to_vec::<i64>().unwrap()[0].to_string(),
                Err(e) => format!("{:?}: {}", e.kind(), e.message()),
            });
        }
        assert_eq!(out[..4], ["0", "1", "Value: bad item", "3"]);
        assert!(out[4].starts_with("Runtime: Caught panic in DataLoader worker thread "), "{}", out[4]);
        assert!(out[4].ends_with("\nitem 4 is cursed"), "{}", out[4]);
        assert_eq!(out[5..], ["5"]);
        let outside = DataLoader::with_collate(Calls(2, Ok), |v| Ok(v[0])).sampler(SequentialSampler(3));
        let last = outside.workers(workers).iter().last().unwrap();
        assert_eq!(last.unwrap_err().kind(), ErrorKind::Index);
    }
}

struct BadSampler(bool);

impl Sampler for BadSampler {
    fn indices(&self) -> flambeau_nn::data::Indices {
        let panics = self.0;
        Box::new((0..10).map(move |i| match i {
            3 if panics => panic!("no more"),
            3 => Err(Error::runtime("no more")),
            i => Ok(i),
        }))
    }

    fn len(&self) -> usize {
        10
    }
}

#[test]
fn a_failing_sampler_ends_the_pass() {
    let _turn = seeded(0);
    for workers in [0, 3] {
        for panics in [false, true] {
            let loader = DataLoader::new(Calls(10, |i| Ok(i as i64))).workers(workers).sampler(BadSampler(panics));
            let out: Vec<bool> = loader.iter().map(|b| b.is_ok()).collect();
            assert_eq!(out, [true, true, true, false]);
        }
    }
}

#[test]
fn threads_run_ahead_so_far_and_stop_with_the_iterator() {
    let _turn = seeded(0);
    let begun = Arc::new(AtomicUsize::new(0));
    let counter = begun.clone();
    let item = move |i: usize| {
        counter.fetch_add(1, SeqCst);
        Ok(i as i64)
    };
    let loader = DataLoader::new(Calls(1000, item)).workers(2).prefetch(3);
    let mut pass = loader.iter();
    for _ in 0..10 {
        pass.next().unwrap().unwrap();
    }
    drop(pass);
    // The threads have ended: the number is final, and no more than six batches ahead.
    let n = begun.load(SeqCst);
    assert!((10..=16).contains(&n), "{n}");
    drop(loader);
    assert_eq!(Arc::strong_count(&begun), 1, "the threads have let go of the dataset");
}

#[test]
fn workers_draw_by_batch_not_by_thread() {
    let draws = |workers: usize| -> Vec<Vec<i64>> {
        let _turn = seeded(9);
        let item = |_: usize| {
            let info = worker::info().expect("inside a loader");
            assert!(info.workers == 0 || info.id < info.workers);
            Ok(info.generator().lock().random() as i64)
        };
        let loader = DataLoader::new(Calls(12, item)).batch_size(2).unwrap().workers(workers);
        loader.iter().map(|b| b.unwrap().to_vec::<i64>().unwrap()).collect()
    };
    let alone = draws(0);
    assert_eq!(alone, draws(1));
    assert_eq!(alone, draws(4));
    let mut distinct = alone.clone();
    distinct.dedup();
    assert_eq!(distinct.len(), 6);
    assert!(worker::info().is_none());
}
