//! How numbers are computed on a CPU: kernels over raw strided memory. Knows no tensor and no graph.

mod attention;
mod contraction;
mod conv;
pub mod convert;
pub mod drive;
mod elementwise;
pub mod float8;
mod gemm;
mod index;
pub mod isa;
mod lanes;
pub mod math;
mod norm;
mod number;
mod optimizer;
pub mod parallel;
mod random;
mod recurrent;
mod reduce;
mod scan;
mod scratch;
mod sort;
#[cfg(test)]
mod test_tensor;
#[cfg(test)]
mod testing;
mod value;
mod window;

use flambeau_backend::Backend;

/// The CPU as a device.
pub struct Cpu;

impl Backend for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn set_num_threads(&self, threads: usize) {
        parallel::set_num_threads(threads);
    }

    fn num_threads(&self) -> usize {
        parallel::num_threads()
    }
}
