//! The thread pool; the only file that knows how work reaches other threads.
//!
//! Work is a range cut into chunks that the caller and the workers claim one by one. Which thread takes which chunk is not
//! fixed, so a kernel's result must not depend on it.

use std::cell::Cell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering::*};
use std::sync::{Condvar, Mutex, MutexGuard, Once};
use std::time::{Duration, Instant};

/// How long an idle worker looks for the next job before it sleeps.
const SPIN: Duration = Duration::from_micros(20);
/// Chunks per thread: enough to even out a thread that was held up.
const CHUNKS_PER_THREAD: usize = 4;

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

fn cores() -> usize {
    static CORES: AtomicUsize = AtomicUsize::new(0);
    match CORES.load(Relaxed) {
        0 => {
            let n = std::thread::available_parallelism().map_or(1, |n| n.get());
            CORES.store(n, Relaxed);
            n
        }
        n => n,
    }
}

/// Threads that a parallel region may use: `OMP_NUM_THREADS` or the cores available, until set.
pub fn num_threads() -> usize {
    match THREADS.load(Relaxed) {
        0 => {
            let wanted = std::env::var("OMP_NUM_THREADS").ok().and_then(|v| v.parse().ok()).filter(|&n: &usize| n > 0);
            let n = wanted.unwrap_or_else(cores);
            THREADS.store(n, Relaxed);
            n
        }
        n => n,
    }
}

/// At most `threads` (at least one) from the next region on.
pub fn set_num_threads(threads: usize) {
    THREADS.store(threads.max(1), Relaxed);
}

/// Whether the calling thread is inside a parallel region.
pub fn in_parallel() -> bool {
    INSIDE.get()
}

/// How many threads [`par_range`] would use for `n` items now; for kernels that prepare a buffer per thread.
pub fn threads_for(n: usize, grain: usize) -> usize {
    if n <= grain || in_parallel() { 1 } else { num_threads().min(n.div_ceil(grain.max(1))) }
}

/// Calls `f` with ranges that cover `0..n` exactly once, on several threads if `n > grain`.
///
/// Runs inline when `n <= grain`, when one thread is configured, inside another region, or while another thread has the pool.
/// A panic in `f` reaches the caller after all threads have stopped.
pub fn par_range(n: usize, grain: usize, f: impl Fn(Range<usize>) + Sync) {
    if n == 0 {
        return;
    }
    let grain = grain.max(1);
    if n <= grain || in_parallel() {
        return f(0..n);
    }
    let threads = num_threads();
    if threads == 1 {
        return f(0..n);
    }
    let pieces = n.div_ceil(grain).min(threads * CHUNKS_PER_THREAD);
    let mut chunk = n.div_ceil(pieces);
    if chunk >= 1024 {
        // Whole cache lines, so that two threads do not write one.
        chunk = chunk.next_multiple_of(64);
    }
    run(n, chunk, threads, &f);
}

struct Job<'a> {
    f: &'a (dyn Fn(Range<usize>) + Sync),
    n: usize,
    chunk: usize,
    next: AtomicUsize,
    panic: Mutex<Option<Box<dyn std::any::Any + Send>>>,
}

impl Job<'_> {
    fn work(&self) {
        loop {
            let start = self.next.fetch_add(self.chunk, Relaxed);
            if start >= self.n {
                return;
            }
            let range = start..(start + self.chunk).min(self.n);
            if let Err(e) = catch_unwind(AssertUnwindSafe(|| (self.f)(range))) {
                self.next.store(self.n, Relaxed);
                lock(&self.panic).get_or_insert(e);
                return;
            }
        }
    }
}

struct Pool {
    /// Held by the one caller whose job runs.
    busy: AtomicBool,
    /// Changes with every job; idle workers look at it without the lock.
    epoch: AtomicU64,
    state: Mutex<State>,
    start: Condvar,
    done: Condvar,
}

struct State {
    workers: usize,
    sleeping: usize,
    /// Address of the running `Job`, zero if none. Valid while `active > 0` or the caller is inside `run`.
    job: usize,
    /// Workers that may still join the job.
    open: usize,
    active: usize,
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(|e| e.into_inner())
}

static POOL: AtomicPtr<Pool> = AtomicPtr::new(std::ptr::null_mut());

fn pool() -> &'static Pool {
    let p = POOL.load(Acquire);
    if !p.is_null() {
        // SAFETY: a published pool is never freed.
        return unsafe { &*p };
    }
    watch_forks();
    let state = Mutex::new(State { workers: 0, sleeping: 0, job: 0, open: 0, active: 0 });
    let fresh = Box::into_raw(Box::new(Pool {
        busy: AtomicBool::new(false),
        epoch: AtomicU64::new(0),
        state,
        start: Condvar::new(),
        done: Condvar::new(),
    }));
    match POOL.compare_exchange(std::ptr::null_mut(), fresh, AcqRel, Acquire) {
        // SAFETY: published and never freed.
        Ok(_) => unsafe { &*fresh },
        Err(other) => {
            // SAFETY: `fresh` was not published; `other` was.
            unsafe {
                drop(Box::from_raw(fresh));
                &*other
            }
        }
    }
}

/// A forked child has no workers: it forgets the pool (and leaks its few bytes), and makes another when it needs one.
fn watch_forks() {
    #[cfg(unix)]
    {
        unsafe extern "C" {
            fn pthread_atfork(
                prepare: Option<unsafe extern "C" fn()>,
                parent: Option<unsafe extern "C" fn()>,
                child: Option<unsafe extern "C" fn()>,
            ) -> i32;
        }
        unsafe extern "C" fn child() {
            POOL.store(std::ptr::null_mut(), Release);
            let _ = INSIDE.try_with(|i| i.set(false));
        }
        static ONCE: Once = Once::new();
        // SAFETY: registers a handler that only stores to an atomic and a constant-initialised thread-local.
        ONCE.call_once(|| unsafe {
            pthread_atfork(None, None, Some(child));
        });
    }
    #[cfg(not(unix))]
    let _ = Once::new();
}

fn run(n: usize, chunk: usize, threads: usize, f: &(dyn Fn(Range<usize>) + Sync)) {
    let pool = pool();
    if pool.busy.swap(true, Acquire) {
        return f(0..n);
    }
    let job = Job { f, n, chunk, next: AtomicUsize::new(0), panic: Mutex::new(None) };
    let helpers = (threads - 1).min(n.div_ceil(chunk) - 1);
    {
        let mut s = lock(&pool.state);
        while s.workers < helpers {
            let name = format!("flambeau-{}", s.workers + 1);
            if std::thread::Builder::new().name(name).spawn(move || worker(pool)).is_err() {
                break;
            }
            s.workers += 1;
        }
        s.job = &raw const job as usize;
        s.open = helpers;
        pool.epoch.fetch_add(1, Release);
        for _ in 0..s.sleeping.min(helpers) {
            pool.start.notify_one();
        }
    }
    INSIDE.set(true);
    job.work();
    INSIDE.set(false);
    let mut s = lock(&pool.state);
    s.job = 0;
    s.open = 0;
    if s.active > 0 {
        drop(s);
        spin_until(|| pool.state.try_lock().is_ok_and(|s| s.active == 0));
        s = lock(&pool.state);
        while s.active > 0 {
            s = pool.done.wait(s).unwrap_or_else(|e| e.into_inner());
        }
    }
    drop(s);
    pool.busy.store(false, Release);
    if let Some(e) = job.panic.into_inner().unwrap_or_else(|e| e.into_inner()) {
        resume_unwind(e);
    }
}

/// Looks for `ready` a short while; not at all where threads outnumber cores.
fn spin_until(ready: impl Fn() -> bool) -> bool {
    if num_threads() > cores() {
        return ready();
    }
    let start = Instant::now();
    loop {
        for _ in 0..32 {
            if ready() {
                return true;
            }
            std::hint::spin_loop();
        }
        if start.elapsed() > SPIN {
            return false;
        }
    }
}

fn worker(pool: &'static Pool) {
    INSIDE.set(true);
    let mut seen = 0;
    loop {
        spin_until(|| pool.epoch.load(Acquire) != seen);
        let mut s = lock(&pool.state);
        while pool.epoch.load(Relaxed) == seen {
            s.sleeping += 1;
            s = pool.start.wait(s).unwrap_or_else(|e| e.into_inner());
            s.sleeping -= 1;
        }
        seen = pool.epoch.load(Relaxed);
        if s.job == 0 || s.open == 0 {
            continue;
        }
        s.open -= 1;
        s.active += 1;
        let job = s.job as *const Job<'static>;
        drop(s);
        // SAFETY: the caller leaves `run`, where the job lives, only once `active` is zero again.
        unsafe { (*job).work() };
        s = lock(&pool.state);
        s.active -= 1;
        if s.active == 0 && s.job == 0 {
            pool.done.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    fn add(to: &AtomicUsize, n: usize) {
        to.fetch_add(n, Relaxed);
    }

    #[test]
    fn covers_each_index_once() {
        set_num_threads(4);
        for n in [0usize, 1, 7, 1000, 4097, 100_003] {
            let hits: Vec<AtomicU32> = (0..n).map(|_| AtomicU32::new(0)).collect();
            par_range(n, 10, |r| r.for_each(|i| assert_eq!(hits[i].fetch_add(1, Relaxed), 0)));
            assert!(hits.iter().all(|h| h.load(Relaxed) == 1), "{n}");
        }
    }

    #[test]
    fn nested_regions_run_inline_and_many_jobs_finish() {
        set_num_threads(3);
        let total = AtomicUsize::new(0);
        for _ in 0..500 {
            par_range(64, 1, |r| {
                assert!(in_parallel() || r.len() == 64);
                par_range(r.len(), 1, |q| add(&total, q.len()));
            });
        }
        assert_eq!(total.load(Relaxed), 500 * 64);
    }

    #[test]
    fn callers_from_several_threads() {
        set_num_threads(4);
        let total = AtomicUsize::new(0);
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| (0..200).for_each(|_| par_range(1000, 10, |r| add(&total, r.len()))));
            }
        });
        assert_eq!(total.load(Relaxed), 4 * 200 * 1000);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_survives() {
        set_num_threads(4);
        let r = catch_unwind(|| par_range(1000, 1, |r| assert!(!r.contains(&500))));
        assert!(r.is_err());
        let n = AtomicUsize::new(0);
        par_range(1000, 1, |r| add(&n, r.len()));
        assert_eq!(n.load(Relaxed), 1000);
    }

    #[cfg(unix)]
    #[test]
    fn a_forked_child_can_compute() {
        unsafe extern "C" {
            fn fork() -> i32;
            fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
            fn _exit(code: i32) -> !;
        }
        set_num_threads(4);
        par_range(1000, 1, |_| ());
        // SAFETY: the child only runs a parallel region and leaves without unwinding or destructors.
        unsafe {
            let pid = fork();
            if pid == 0 {
                let n = AtomicUsize::new(0);
                par_range(1000, 1, |r| add(&n, r.len()));
                _exit((n.load(Relaxed) != 1000) as i32);
            }
            let mut status = -1;
            assert_eq!(waitpid(pid, &mut status, 0), pid);
            assert_eq!(status, 0);
        }
    }
}
