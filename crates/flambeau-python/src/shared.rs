//! Storages in memory that processes share. What makes, names and passes on the files behind it is written in Python
//! (`flambeau/multiprocessing/shared.py`); here they are mapped.

use std::sync::Arc;

use flambeau_core::shared::{Shared, SharedWeak};
use flambeau_core::storage::Storage;
use pyo3::prelude::*;

use crate::storage::PyStorage;

pub fn is_shared(storage: &Storage) -> bool {
    #[cfg(unix)]
    return storage.owner().is_some_and(|o| o.is::<unix::Part>());
    #[cfg(not(unix))]
    return false;
}

#[cfg(unix)]
mod unix {
    use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
    use std::ptr::{NonNull, null_mut};

    use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
    use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

    use super::*;

    /// A mapped file, and what must live as long as the mapping does.
    pub struct Mapping {
        start: NonNull<u8>,
        len: usize,
        fd: Option<OwnedFd>,
        token: Option<Py<PyAny>>,
    }

    // SAFETY: memory and a descriptor without ties to a thread; the token is only touched under the GIL.
    unsafe impl Send for Mapping {}
    // SAFETY: as above.
    unsafe impl Sync for Mapping {}

    impl Drop for Mapping {
        fn drop(&mut self) {
            // SAFETY: mapped by `map` with this length; every storage over it held this mapping.
            let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
            if let Some(token) = self.token.take() {
                let mut token = Some(token);
                Python::try_attach(|_| drop(token.take()));
                // After the interpreter's end nobody waits for it.
                std::mem::forget(token);
            }
        }
    }

    /// The owner of a storage at `offset` in a mapping.
    pub struct Part {
        pub mapping: Arc<Mapping>,
        pub offset: usize,
    }

    fn os_error(e: rustix::io::Errno) -> PyErr {
        // Two arguments: Python makes the subclass that belongs to the number.
        PyOSError::new_err((e.raw_os_error(), std::io::Error::from(e).to_string()))
    }

    fn map(fd: i32, len: usize, keep_fd: bool, token: Option<Py<PyAny>>) -> PyResult<Arc<Mapping>> {
        if fd < 0 || len == 0 {
            return Err(PyValueError::new_err("nothing to map"));
        }
        // SAFETY: an open descriptor of the caller's, used during the call.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        // A shorter file would end the process with SIGBUS on first use.
        let size = std::fs::File::from(fd.try_clone_to_owned()?).metadata()?.len();
        if size < len as u64 {
            return Err(PyRuntimeError::new_err(format!("shared memory of {size} bytes is too small for {len} bytes")));
        }
        // SAFETY: a fresh mapping at an address that the system chooses.
        let start = unsafe { mmap(null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, fd, 0) }
            .map_err(os_error)?;
        let start = NonNull::new(start.cast()).ok_or_else(|| PyRuntimeError::new_err("mapped at address zero"))?;
        // From here on the mapping unmaps itself, also on an error.
        let mut mapping = Mapping { start, len, fd: None, token };
        if keep_fd {
            mapping.fd = Some(fd.try_clone_to_owned()?);
        }
        Ok(Arc::new(mapping))
    }

    /// Maps `nbytes` bytes of a file and gives storages over `(offset, length)` parts of them.
    #[pyfunction]
    #[pyo3(signature = (fd, nbytes, parts, keep_fd, token = None))]
    pub fn _shm_map(
        fd: i32,
        nbytes: usize,
        parts: Vec<(usize, usize)>,
        keep_fd: bool,
        token: Option<Py<PyAny>>,
    ) -> PyResult<Vec<PyStorage>> {
        if parts.iter().any(|&(at, n)| at.checked_add(n).is_none_or(|end| end > nbytes)) {
            return Err(PyValueError::new_err("a part reaches outside the shared memory"));
        }
        let mapping = map(fd, nbytes, keep_fd, token)?;
        let storage = |(offset, n): (usize, usize)| {
            let at = mapping.start.as_ptr().wrapping_add(offset);
            // SAFETY: checked to lie inside the mapping, which the owner keeps.
            let s = unsafe { Storage::foreign(at, n, Box::new(Part { mapping: mapping.clone(), offset })) };
            PyStorage(Shared::new(s))
        };
        Ok(parts.into_iter().map(storage).collect())
    }

    /// Moves a storage with all its views into the file, from `offset` on.
    #[pyfunction]
    #[pyo3(signature = (storage, fd, offset = 0, token = None))]
    pub fn _shm_move(storage: &Bound<'_, PyStorage>, fd: i32, offset: usize, token: Option<Py<PyAny>>) -> PyResult<()> {
        let s = &storage.get().0;
        let mapping = map(fd, offset + s.nbytes(), true, token)?;
        let at = mapping.start.as_ptr().wrapping_add(offset);
        // SAFETY: the mapping is that long; under the GIL, and kernels that run without it work on tensors in use elsewhere,
        // which the caller must not have: the same contract as `resize_`.
        unsafe { s.move_to(at, Box::new(Part { mapping, offset })) };
        Ok(())
    }

    /// `(descriptor or -1, offset, token)` of a storage in shared memory, else None. The descriptor stays the storage's.
    #[pyfunction]
    pub fn _shm_handle(py: Python<'_>, storage: &Bound<'_, PyStorage>) -> Option<(i32, usize, Option<Py<PyAny>>)> {
        let part = storage.get().0.owner()?.downcast_ref::<Part>()?;
        let m = &part.mapping;
        let fd = m.fd.as_ref().map_or(-1, |fd| fd.as_raw_fd());
        Some((fd, part.offset, m.token.as_ref().map(|t| t.clone_ref(py))))
    }

    /// Writes the bytes `start..end` of a storage to `offset` of a file.
    #[pyfunction]
    pub fn _shm_write(storage: &Bound<'_, PyStorage>, fd: i32, offset: u64, start: usize, end: usize) -> PyResult<()> {
        use std::os::unix::fs::FileExt;
        let storage = &storage.get().0;
        if fd < 0 || start > end || end > storage.nbytes() {
            return Err(PyValueError::new_err("the range reaches outside the storage"));
        }
        if start == end {
            return Ok(());
        }
        // SAFETY: an open descriptor of the caller's, used during the call.
        let file = std::fs::File::from(unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()?);
        // SAFETY: checked to lie in the storage, whose bytes are readable; under the GIL, so nothing resizes it.
        let bytes = unsafe { std::slice::from_raw_parts(storage.ptr().add(start), end - start) };
        Ok(file.write_all_at(bytes, offset)?)
    }
}

/// Refers to a storage without keeping it alive.
#[pyclass(name = "StorageWeakRef", module = "flambeau._C", frozen)]
struct PyStorageWeakRef(SharedWeak<Storage>);

#[pymethods]
impl PyStorageWeakRef {
    #[new]
    fn new(storage: &Bound<'_, PyStorage>) -> PyStorageWeakRef {
        PyStorageWeakRef(Shared::downgrade(&storage.get().0))
    }

    /// The storage, or None once nothing uses it any more.
    fn get(&self) -> Option<PyStorage> {
        self.0.upgrade().map(PyStorage)
    }

    /// Whether the storage is gone.
    fn expired(&self) -> bool {
        self.0.strong_count() == 0
    }
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    #[cfg(unix)]
    {
        m.add_function(wrap_pyfunction!(unix::_shm_map, m)?)?;
        m.add_function(wrap_pyfunction!(unix::_shm_move, m)?)?;
        m.add_function(wrap_pyfunction!(unix::_shm_handle, m)?)?;
        m.add_function(wrap_pyfunction!(unix::_shm_write, m)?)?;
    }
    m.add("_StorageWeakRef", m.py().get_type::<PyStorageWeakRef>())
}
