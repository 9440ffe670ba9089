//! What code of a dataset can learn about where it runs.

use std::cell::Cell;

use flambeau_core::Generator;

/// Describes the work of a thread that loads a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerInfo {
    /// Number of the thread, from 0 on; 0 also where the batch is loaded without threads.
    pub id: usize,
    /// Number of loading threads; 0 for none.
    pub workers: usize,
    /// Number of the batch in its pass.
    pub batch: usize,
    /// The batch's seed: PyTorch's `base_seed` plus the batch's number.
    pub seed: u64,
}

impl WorkerInfo {
    /// A generator for random transforms. Its numbers depend on the pass' seed and the batch, and on nothing else: not on the
    /// thread, nor on the number of threads. Each call gives the same stream.
    pub fn generator(&self) -> Generator {
        Generator::new(self.seed)
    }
}

thread_local! {
    static INFO: Cell<Option<WorkerInfo>> = const { Cell::new(None) };
}

/// The work of the thread that calls; `None` outside of a `DataLoader`'s loading.
pub fn info() -> Option<WorkerInfo> {
    INFO.get()
}

/// Runs `f` with `info` as what [`info`](fn@info) tells it.
pub(super) fn with<T>(info: WorkerInfo, f: impl FnOnce() -> T) -> T {
    struct Restore(Option<WorkerInfo>);
    impl Drop for Restore {
        fn drop(&mut self) {
            INFO.set(self.0);
        }
    }
    let _restore = Restore(INFO.replace(Some(info)));
    f()
}
