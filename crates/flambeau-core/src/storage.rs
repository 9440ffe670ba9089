//! Bytes that tensors share.

use std::any::Any;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering::Relaxed};

use crate::alloc;
use crate::device::Device;
use crate::error::Result;

/// A block of raw bytes with a version that every in-place write raises. Views share it; nothing locks it:
/// racing writes from several threads are the caller's problem, as in PyTorch.
pub struct Storage {
    ptr: AtomicPtr<u8>,
    nbytes: AtomicUsize,
    pub version: AtomicU32,
    pub device: Device,
    owner: Owner,
    /// Its address is known outside, so it may not move.
    pinned: AtomicBool,
}

enum Owner {
    /// From the caching allocator.
    Cache,
    /// Someone else's memory, kept alive by this value.
    Foreign(#[allow(dead_code)] Box<dyn Any + Send + Sync>),
}

impl Storage {
    /// Uninitialised bytes; on the meta device no memory at all.
    #[inline]
    pub fn new(nbytes: usize, device: Device) -> Result<Storage> {
        let ptr =
            if device.is_meta() || nbytes == 0 { std::ptr::null_mut() } else { alloc::allocate(nbytes)?.as_ptr() };
        Ok(Storage {
            ptr: AtomicPtr::new(ptr),
            nbytes: AtomicUsize::new(nbytes),
            version: AtomicU32::new(0),
            device,
            owner: Owner::Cache,
            pinned: AtomicBool::new(false),
        })
    }

    /// Wraps memory that `owner` keeps alive.
    ///
    /// # Safety
    /// `ptr` must be valid for reads and writes of `nbytes` bytes for as long as `owner` lives.
    pub unsafe fn foreign(ptr: *mut u8, nbytes: usize, owner: Box<dyn Any + Send + Sync>) -> Storage {
        Storage {
            ptr: AtomicPtr::new(ptr),
            nbytes: AtomicUsize::new(nbytes),
            version: AtomicU32::new(0),
            device: Device::CPU,
            owner: Owner::Foreign(owner),
            pinned: AtomicBool::new(false),
        }
    }

    #[inline]
    pub fn ptr(&self) -> *mut u8 {
        self.ptr.load(Relaxed)
    }

    #[inline]
    pub fn nbytes(&self) -> usize {
        self.nbytes.load(Relaxed)
    }

    pub fn is_resizable(&self) -> bool {
        matches!(self.owner, Owner::Cache) && !self.pinned.load(Relaxed)
    }

    /// Makes the address final: from now on [`resize`](Self::resize) is refused. For memory that another library looks into.
    pub fn pin(&self) {
        self.pinned.store(true, Relaxed);
    }

    /// Grows or shrinks in place, keeping the common bytes.
    ///
    /// # Safety
    /// No other thread may use this storage's memory during the call: it may move.
    pub unsafe fn resize(&self, nbytes: usize) -> Result<()> {
        crate::check!(self.is_resizable(), Runtime, "Trying to resize storage that is not resizable");
        let old = self.nbytes();
        if self.device.is_meta() {
            self.nbytes.store(nbytes, Relaxed);
            return Ok(());
        }
        let new = if nbytes == 0 { std::ptr::null_mut() } else { alloc::allocate(nbytes)?.as_ptr() };
        if let Some(p) = NonNull::new(self.ptr()) {
            // SAFETY: both blocks hold at least the common length and are distinct; the old one is freed once.
            unsafe {
                std::ptr::copy_nonoverlapping(p.as_ptr(), new, old.min(nbytes));
                alloc::free(p, old);
            }
        }
        self.ptr.store(new, Relaxed);
        self.nbytes.store(nbytes, Relaxed);
        Ok(())
    }

    #[inline]
    pub fn bump(&self) {
        self.version.fetch_add(1, Relaxed);
    }
}

impl Drop for Storage {
    #[inline]
    fn drop(&mut self) {
        if let (Owner::Cache, Some(p)) = (&self.owner, NonNull::new(self.ptr())) {
            // SAFETY: allocated by `new` or `resize` with the recorded size; this is the last use.
            unsafe { alloc::free(p, self.nbytes()) }
        }
    }
}
