//! The type's number, comparison and sequence slots.

use pyo3::ffi::PyType_Slot;

pub fn slots() -> Vec<PyType_Slot> {
    Vec::new()
}
