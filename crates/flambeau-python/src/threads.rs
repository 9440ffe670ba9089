//! Threads: the GIL around long kernels, and how many threads kernels use.

use std::cell::Cell;

use flambeau_core::call;
use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;

thread_local! {
    /// This thread gave the GIL back through `without_gil`.
    static RELEASED: Cell<bool> = const { Cell::new(false) };
}

/// Takes the GIL again when dropped, also when what runs meanwhile panics.
struct Released(*mut ffi::PyThreadState);

impl Drop for Released {
    fn drop(&mut self) {
        // SAFETY: restores exactly the state that `without_gil` saved on this thread.
        unsafe { ffi::PyEval_RestoreThread(self.0) }
        RELEASED.set(false);
    }
}

/// Runs `f` while other Python threads may run. Every release of the GIL in this crate goes through here, so that one
/// inside another does nothing.
pub fn without_gil<T>(f: impl FnOnce() -> T) -> T {
    // SAFETY: all callers hold the GIL unless `RELEASED` says otherwise; it is taken again before this returns.
    let _released = (!RELEASED.replace(true)).then(|| Released(unsafe { ffi::PyEval_SaveThread() }));
    f()
}

fn unlock(kernel: &mut (dyn FnMut() + Send)) {
    without_gil(kernel);
}

/// Sets how many threads an operation may use.
#[pyfunction]
#[pyo3(signature = (num, /))]
fn set_num_threads(num: &Bound<'_, PyAny>) -> PyResult<()> {
    let Ok(n) = num.extract::<i64>() else {
        return Err(PyRuntimeError::new_err(format!(
            "set_num_threads expects an int, but got {}",
            crate::args::message::type_name(num)
        )));
    };
    if n <= 0 {
        return Err(PyRuntimeError::new_err("set_num_threads expects a positive integer"));
    }
    flambeau_cpu::parallel::set_num_threads(n as usize);
    Ok(())
}

/// How many threads an operation may use.
#[pyfunction]
fn get_num_threads() -> usize {
    flambeau_cpu::parallel::num_threads()
}

/// The vector instructions that kernels use on this CPU.
#[pyfunction]
fn _cpu_capability() -> &'static str {
    match flambeau_cpu::isa::level() {
        flambeau_cpu::isa::Level::Base => "DEFAULT",
        flambeau_cpu::isa::Level::Avx2 => "AVX2",
        flambeau_cpu::isa::Level::Avx512 => "AVX512",
    }
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    call::set_unlock(unlock);
    m.add_function(wrap_pyfunction!(set_num_threads, m)?)?;
    m.add_function(wrap_pyfunction!(_cpu_capability, m)?)?;
    m.add_function(wrap_pyfunction!(get_num_threads, m)?)
}
