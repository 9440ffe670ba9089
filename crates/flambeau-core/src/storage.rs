//! Bytes that tensors share.
//!
//! A storage of few bytes holds them in its own block of memory, behind itself.

use std::any::Any;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering::*};

use crate::alloc;
use crate::device::Device;
use crate::error::Result;
use crate::shared::Shared;

/// A block of raw bytes with a version that every in-place write raises. Views share it; nothing locks it:
/// racing writes from several threads are the caller's problem, as in PyTorch.
pub struct Storage {
    ptr: AtomicPtr<u8>,
    nbytes: AtomicUsize,
    pub version: AtomicU32,
    pub device: Device,
    /// Null: the bytes come from the caching allocator. Else what keeps someone else's memory alive, in a leaked box.
    owner: AtomicPtr<Foreign>,
    /// Its address is known outside, so it may not move.
    pinned: AtomicBool,
    /// The bytes lie in the storage's own block and go with it.
    inside: AtomicBool,
}

/// Bytes up to which a storage holds them itself.
const INSIDE: usize = if alloc::EXACT { 0 } else { 1024 };

struct Foreign {
    owner: Box<dyn Any + Send + Sync>,
    /// The memory from before a move, which others still look into.
    _before: Option<Storage>,
}

fn leak(owner: Box<dyn Any + Send + Sync>, before: Option<Storage>) -> *mut Foreign {
    Box::into_raw(Box::new(Foreign { owner, _before: before }))
}

impl Storage {
    /// Uninitialised bytes; on the meta device no memory at all.
    #[inline]
    pub fn new(nbytes: usize, device: Device) -> Result<Shared<Storage>> {
        let storage = |ptr, inside| Storage {
            ptr: AtomicPtr::new(ptr),
            nbytes: AtomicUsize::new(nbytes),
            version: AtomicU32::new(0),
            device,
            owner: AtomicPtr::new(std::ptr::null_mut()),
            pinned: AtomicBool::new(false),
            inside: AtomicBool::new(inside),
        };
        if device.is_meta() || nbytes == 0 {
            return Ok(Shared::new(storage(std::ptr::null_mut(), false)));
        }
        if nbytes <= INSIDE {
            return Shared::with_tail(nbytes, |place, tail| {
                place.write(storage(tail.as_ptr(), true));
            });
        }
        let bytes = alloc::allocate(nbytes)?;
        Ok(Shared::new(storage(bytes.as_ptr(), false)))
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
            owner: AtomicPtr::new(leak(owner, None)),
            pinned: AtomicBool::new(false),
            inside: AtomicBool::new(false),
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
        self.owner.load(Relaxed).is_null() && !self.pinned.load(Relaxed)
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
                if !self.inside.swap(false, Relaxed) {
                    alloc::free(p, old);
                }
            }
        }
        self.ptr.store(new, Relaxed);
        self.nbytes.store(nbytes, Relaxed);
        Ok(())
    }

    /// What keeps the memory alive, where that is not the caching allocator.
    pub fn owner(&self) -> Option<&(dyn Any + Send + Sync)> {
        // SAFETY: a leaked box, freed by `drop` or, by its contract without users, by `move_to`.
        unsafe { self.owner.load(Acquire).as_ref() }.map(|f| &*f.owner)
    }

    /// Copies the bytes into memory that `owner` keeps alive and goes on there, for this storage and all its views.
    /// Memory whose address is known outside ([`pin`](Self::pin)) stays alive beside it, no longer shared with it.
    ///
    /// # Safety
    /// `ptr` must be valid for reads and writes of [`nbytes`](Self::nbytes) bytes for as long as `owner` lives. During the
    /// call nothing else may use this storage's memory or a result of [`owner`](Self::owner).
    pub unsafe fn move_to(&self, ptr: *mut u8, owner: Box<dyn Any + Send + Sync>) {
        let nbytes = self.nbytes();
        if nbytes > 0 {
            // SAFETY: both hold `nbytes` bytes; by the contract nobody writes them meanwhile.
            unsafe { std::ptr::copy(self.ptr(), ptr, nbytes) };
        }
        let before = Storage {
            ptr: AtomicPtr::new(self.ptr()),
            nbytes: AtomicUsize::new(nbytes),
            version: AtomicU32::new(0),
            device: self.device,
            owner: AtomicPtr::new(self.owner.load(Relaxed)),
            pinned: AtomicBool::new(false),
            inside: AtomicBool::new(self.inside.swap(false, Relaxed)),
        };
        // Dropped here unless someone looks into it.
        let kept = Some(before).filter(|_| self.pinned.load(Relaxed));
        self.ptr.store(ptr, Relaxed);
        self.owner.store(leak(owner, kept), Release);
    }

    #[inline]
    pub fn bump(&self) {
        self.version.fetch_add(1, Relaxed);
    }
}

impl Drop for Storage {
    #[inline]
    fn drop(&mut self) {
        let owner = *self.owner.get_mut();
        if !owner.is_null() {
            // SAFETY: leaked by `leak`, taken back once.
            drop(unsafe { Box::from_raw(owner) });
        } else if !*self.inside.get_mut()
            && let Some(p) = NonNull::new(self.ptr())
        {
            // SAFETY: allocated by `new` or `resize` with the recorded size; this is the last use.
            unsafe { alloc::free(p, self.nbytes()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn bytes(s: &Storage) -> Vec<u8> {
        if s.nbytes() == 0 {
            return Vec::new();
        }
        // SAFETY: the test's storages are filled and nothing else uses them.
        unsafe { std::slice::from_raw_parts(s.ptr(), s.nbytes()) }.to_vec()
    }

    #[test]
    fn a_moved_storage_keeps_its_bytes_and_frees_every_owner() {
        for (pinned, n) in [(false, 100), (true, 100), (false, 5000), (true, 5000)] {
            let s = Storage::new(n, Device::CPU).unwrap();
            // SAFETY: `n` bytes of its own.
            unsafe { std::ptr::write_bytes(s.ptr(), 7, n) };
            if pinned {
                s.pin();
            }
            assert!(s.owner().is_none());
            let before = s.ptr();
            let mut memory = vec![0u8; n];
            let life = Arc::new(());
            // SAFETY: `memory` outlives the storage and has its length.
            unsafe { s.move_to(memory.as_mut_ptr(), Box::new(life.clone())) };
            assert_eq!(bytes(&s), vec![7; n]);
            assert_eq!(s.ptr(), memory.as_mut_ptr());
            assert!(s.owner().is_some_and(|o| o.is::<Arc<()>>()) && !s.is_resizable());
            if pinned {
                // SAFETY: pinned memory stays.
                assert_eq!(unsafe { before.read() }, 7);
            }
            assert_eq!(Arc::strong_count(&life), 2);
            drop(s);
            assert_eq!(Arc::strong_count(&life), 1);
        }
    }

    #[test]
    fn a_resized_storage_keeps_its_bytes() {
        let s = Storage::new(100, Device::CPU).unwrap();
        // SAFETY: as many bytes of its own, here and below.
        unsafe { std::ptr::write_bytes(s.ptr(), 7, 100) };
        for n in [3000, 60_000, 20, 0, 50] {
            let kept = n.min(s.nbytes());
            // SAFETY: nothing else uses it.
            unsafe { s.resize(n) }.unwrap();
            assert!(bytes(&s)[..kept].iter().all(|&b| b == 7) && s.nbytes() == n);
            if n > 0 {
                // SAFETY: as above.
                unsafe { std::ptr::write_bytes(s.ptr(), 7, n) };
            }
        }
    }
}
