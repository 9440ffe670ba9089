//! Forked children.
//!
//! A child has only the thread that forked. A lock that another thread held at that moment would stay locked in it for good, so
//! the process-wide locks of this crate are taken before a fork and released after it, on both sides. They are the standard
//! library's locks, which (unlike `parking_lot`'s) keep no table of waiting threads that a child would inherit. The
//! thread pool sees to itself (`flambeau-cpu/parallel.rs`).

use std::sync::Once;

/// Registers the handlers, once in a process.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(register);
}

#[cfg(unix)]
fn register() {
    use std::cell::RefCell;
    use std::sync::MutexGuard;

    use crate::generator::GeneratorState;
    use crate::{alloc, random::Generator};

    type Held = (MutexGuard<'static, GeneratorState>, Vec<MutexGuard<'static, Vec<usize>>>);

    thread_local! {
        static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
    }
    unsafe extern "C" fn before() {
        let held = (Generator::lock_default(), alloc::lock_all());
        let _ = HELD.try_with(|h| h.replace(Some(held)));
    }
    unsafe extern "C" fn after() {
        let _ = HELD.try_with(|h| h.replace(None));
    }
    unsafe extern "C" {
        fn pthread_atfork(
            prepare: Option<unsafe extern "C" fn()>,
            parent: Option<unsafe extern "C" fn()>,
            child: Option<unsafe extern "C" fn()>,
        ) -> i32;
    }
    // SAFETY: the handlers take and release locks on the thread that forks, which holds none of them.
    unsafe {
        pthread_atfork(Some(before), Some(after), Some(after));
    }
}

#[cfg(not(unix))]
fn register() {}

#[cfg(all(test, unix))]
mod tests {
    use crate::random::Generator;
    use crate::{DType, Device, Tensor};

    /// Threads that draw and allocate all the time while this one forks: each child must be able to do both.
    #[test]
    fn children_find_no_lock_held() {
        unsafe extern "C" {
            fn fork() -> i32;
            fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
            fn kill(pid: i32, signal: i32) -> i32;
            fn _exit(code: i32) -> !;
        }
        super::watch();
        let stop = std::sync::atomic::AtomicBool::new(false);
        let use_both = || {
            for _ in 0..200 {
                Generator::default_cpu().lock().random();
                drop(Tensor::empty(&[5000], DType::F32, Device::CPU));
            }
        };
        let failed = std::thread::scope(|s| {
            for _ in 0..2 {
                s.spawn(|| {
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        use_both();
                    }
                });
            }
            let mut failed = 0;
            for _ in 0..30 {
                // SAFETY: the child only uses this crate and leaves without unwinding or destructors.
                let pid = unsafe { fork() };
                if pid == 0 {
                    use_both();
                    // SAFETY: ends the child.
                    unsafe { _exit(0) };
                }
                let (mut status, mut waited) = (-1, 0);
                // SAFETY: a child of this process; option 1 is WNOHANG.
                while unsafe { waitpid(pid, &mut status, 1) } == 0 {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                    waited += 1;
                    if waited == 5000 {
                        // SAFETY: the hanging child.
                        unsafe { kill(pid, 9) };
                    }
                }
                failed += (status != 0) as i32;
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            failed
        });
        assert_eq!(failed, 0);
    }
}
