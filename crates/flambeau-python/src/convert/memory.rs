//! Python's buffer protocol as a tensor's memory.

use flambeau_core::shared::Shared;
use flambeau_core::storage::Storage;
use pyo3::ffi;
use pyo3::prelude::*;

/// A view into another object's memory, given back when dropped.
pub struct Buffer(Box<ffi::Py_buffer>);

// SAFETY: the view is only read here; it is released under the GIL.
unsafe impl Send for Buffer {}
// SAFETY: as above.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// The object's memory with sizes and strides; an error if it has none.
    pub fn get(obj: &Bound<'_, PyAny>, flags: std::ffi::c_int) -> PyResult<Buffer> {
        let mut view = Box::new(ffi::Py_buffer::new());
        // SAFETY: a live object and zeroed room for the view.
        if unsafe { ffi::PyObject_GetBuffer(obj.as_ptr(), &mut *view, flags) } != 0 {
            return Err(PyErr::fetch(obj.py()));
        }
        Ok(Buffer(view))
    }

    pub fn ptr(&self) -> *mut u8 {
        self.0.buf.cast()
    }

    pub fn len(&self) -> usize {
        self.0.len as usize
    }

    pub fn readonly(&self) -> bool {
        self.0.readonly != 0
    }

    pub fn sizes(&self) -> &[isize] {
        self.dims(self.0.shape)
    }

    fn dims(&self, p: *mut isize) -> &[isize] {
        if p.is_null() || self.0.ndim == 0 {
            return &[];
        }
        // SAFETY: the exporter fills `ndim` numbers and keeps them until the view is released.
        unsafe { std::slice::from_raw_parts(p, self.0.ndim as usize) }
    }

    /// The bytes of a view that was asked for as contiguous.
    pub fn bytes(&self) -> &[u8] {
        if self.len() == 0 {
            return &[];
        }
        // SAFETY: a simple view is `len` bytes at `buf`, which the exporter keeps.
        unsafe { std::slice::from_raw_parts(self.ptr(), self.len()) }
    }

    /// `nbytes` bytes from `at` as a storage that keeps the view, and with it the exporter, alive.
    ///
    /// # Safety
    /// The range lies in the exporter's memory.
    pub unsafe fn into_storage(self, at: *mut u8, nbytes: usize) -> Shared<Storage> {
        // SAFETY: by the contract; the view goes into the storage as its owner.
        unsafe { Shared::new(Storage::foreign(at, nbytes, Box::new(self))) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // After the interpreter's end there is nobody to give the memory back to.
        Python::try_attach(|_| {
            // SAFETY: filled by `PyObject_GetBuffer`, released once, under the GIL.
            unsafe { ffi::PyBuffer_Release(&mut *self.0) }
        });
    }
}
