//! What an operation means: one row per op, a file per family.
//!
//! A row is a static [`OpDef`]: signature, documentation, shape rule, kernel or decomposition, what it saves and its
//! gradient in terms of other rows. Beside each row stands its Rust function. [`registry`] lists all rows; bindings, stubs,
//! documentation and most tests are derived from it.

#[macro_use]
mod macros;
pub mod operand;

pub mod activation;
pub mod attention;
pub mod binary;
pub mod compare;
pub mod conv;
mod conv_whole;
pub mod copies;
pub mod copy;
pub mod count;
pub mod create;
mod ctc;
mod decompose;
mod decompose_run;
pub mod diagonal;
mod einsum;
pub mod fft;
mod gates;
pub mod histogram;
pub mod index;
pub mod indexing;
pub mod linalg;
pub mod loss;
pub mod matmul;
mod matrices;
pub mod native_norm;
mod nodes;
pub mod norm;
pub mod order;
pub mod pool;
pub mod random;
mod recurrent;
pub mod reduce;
mod resample;
mod samplers;
pub mod scatter;
pub mod selection;
pub mod shape;
pub mod softmax;
pub mod special;
pub mod spectrum;
pub mod statistics;
pub mod ternary;
pub mod unary;
pub mod variance;
pub mod view;

use std::sync::{LazyLock, Once};

use flambeau_core::op::OpDef;
use flambeau_core::{DeviceKind, device, fork, intrinsics};

pub use operand::{result_type, result_type_of};

/// Installs the CPU backend and the operations that the engine needs. Cheap to call again.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        device::register_backend(DeviceKind::Cpu, &flambeau_cpu::Cpu);
        intrinsics::install(copy::intrinsics());
        fork::watch();
    });
}

/// Every row, in an order in which overloads of one public name are tried.
pub fn registry() -> &'static [&'static OpDef] {
    static ALL: LazyLock<Vec<&'static OpDef>> = LazyLock::new(|| {
        let families = [
            unary::ROWS,
            special::ROWS,
            activation::ROWS,
            binary::ROWS,
            ternary::ROWS,
            compare::ROWS,
            reduce::ROWS,
            variance::ROWS,
            order::ROWS,
            statistics::ROWS,
            view::ROWS,
            shape::ROWS,
            diagonal::ROWS,
            index::ROWS,
            scatter::ROWS,
            indexing::ROWS,
            copy::ROWS,
            create::ROWS,
            random::ROWS,
            samplers::ROWS,
            matmul::ROWS,
            decompose::ROWS,
            linalg::ROWS,
            matrices::ROWS,
            fft::ROWS,
            spectrum::ROWS,
            selection::ROWS,
            histogram::ROWS,
            copies::ROWS,
            resample::ROWS,
            count::ROWS,
            conv::ROWS,
            pool::ROWS,
            softmax::ROWS,
            norm::ROWS,
            native_norm::ROWS,
            loss::ROWS,
            ctc::ROWS,
            attention::ROWS,
            gates::ROWS,
            recurrent::ROWS,
        ];
        families.iter().flat_map(|f| f.iter()).flat_map(|rows| rows.iter()).copied().collect()
    });
    &ALL
}

/// The row with this engine name.
pub fn find(name: &str) -> Option<&'static OpDef> {
    registry().iter().find(|op| op.name == name).copied()
}
