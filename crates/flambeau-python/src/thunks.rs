//! One C function per method of `Tensor`: a method descriptor has no place for data, so the number is in the code.

use pyo3::ffi::PyCFunctionFastWithKeywords;

use crate::entry::method;

macro_rules! sixteen {
    ($b:expr) => {
        [
            method::<{ $b }>,
            method::<{ $b + 1 }>,
            method::<{ $b + 2 }>,
            method::<{ $b + 3 }>,
            method::<{ $b + 4 }>,
            method::<{ $b + 5 }>,
            method::<{ $b + 6 }>,
            method::<{ $b + 7 }>,
            method::<{ $b + 8 }>,
            method::<{ $b + 9 }>,
            method::<{ $b + 10 }>,
            method::<{ $b + 11 }>,
            method::<{ $b + 12 }>,
            method::<{ $b + 13 }>,
            method::<{ $b + 14 }>,
            method::<{ $b + 15 }>,
        ]
    };
}

macro_rules! rows {
    ($($b:literal)*) => {
        [$(sixteen!($b * 16)),*]
    };
}

/// How many methods there can be.
pub const COUNT: usize = 48 * 16;

static THUNKS: [[PyCFunctionFastWithKeywords; 16]; 48] = rows!(
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23
    24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47
);

pub fn thunk(i: usize) -> PyCFunctionFastWithKeywords {
    THUNKS[i / 16][i % 16]
}
