"""How tensors and storages travel between processes: as handles of shared memory."""

import multiprocessing.reduction as reduction
import os

import flambeau

from .. import _C
from .._C import _StorageWeakRef as StorageWeakRef
from . import shared

__all__ = [
    "StorageWeakRef",
    "init_reductions",
    "rebuild_meta_tensor",
    "rebuild_storage_empty",
    "rebuild_storage_fd",
    "rebuild_storage_filename",
    "rebuild_tensor",
    "reduce_storage",
    "reduce_tensor",
    "shared_cache",
]


class SharedCache(dict):
    """Block -> storage in this process, so that a block that arrives again is the same storage again."""

    _limit = 128

    def __setitem__(self, key, ref):
        dict.__setitem__(self, key, ref)
        if len(self) > self._limit:
            for dead in [k for k, r in list(self.items()) if r.expired()]:
                self.pop(dead, None)
            self._limit = max(128, 2 * len(self))

    def storage(self, key):
        """The living storage of a key, or None."""
        ref = self.get(key)
        return None if ref is None else ref.get()


shared_cache = SharedCache()


def _fd_id(fd, offset):
    found = os.fstat(fd)
    return found.st_ino, found.st_dev, offset


def rebuild_storage_empty():
    """A storage of no bytes, which cannot be mapped."""
    return _C.UntypedStorage(0)


def rebuild_storage_fd(handle, offset, nbytes):
    """The storage behind a descriptor that another process sent."""
    fd = handle.detach()
    try:
        key = _fd_id(fd, offset)
        storage = shared_cache.storage(key)
        if storage is None or storage.nbytes() != nbytes:
            storage = shared.map_fd(fd, offset, nbytes)
            shared_cache[key] = StorageWeakRef(storage)
        return storage
    finally:
        os.close(fd)


def rebuild_storage_filename(name, nbytes):
    """The storage behind a name that another process sent."""
    storage = shared_cache.storage(name)
    if storage is not None and storage.nbytes() == nbytes:
        shared.change_users(name, -1)
        return storage
    storage = shared.map_name(name, nbytes)
    shared_cache[name] = StorageWeakRef(storage)
    return storage


def reduce_storage(storage):
    """Reduces a storage to a handle; moves it into shared memory first.

    Raises:
        RuntimeError: for a storage on the meta device.
    """
    from . import get_sharing_strategy

    if storage.device.type == "meta":
        raise RuntimeError("Cannot pickle meta storage; try pickling a meta tensor instead")
    nbytes = storage.nbytes()
    if nbytes == 0:
        return rebuild_storage_empty, ()
    handle = _C._shm_handle(storage)
    if handle is not None and (handle[0] >= 0 or handle[2] is not None):
        named = handle[2] is not None  # it stays the memory that it is
    else:
        named = get_sharing_strategy() == "file_system"
    if named:
        name = shared.share_name(storage)
        shared_cache[name] = StorageWeakRef(storage)
        return rebuild_storage_filename, (name, nbytes)
    fd, offset = shared.share_fd(storage)
    shared_cache[_fd_id(fd, offset)] = StorageWeakRef(storage)
    return rebuild_storage_fd, (reduction.DupFd(fd), offset, nbytes)


def check_travels(tensor):
    """Refuses a tensor that has a history.

    Raises:
        RuntimeError: for a tensor that requires a gradient and is not a leaf.
    """
    if tensor.requires_grad and not tensor.is_leaf:
        raise RuntimeError(
            "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd does not "
            "support crossing process boundaries.  If you just want to transfer the data, call detach() on "
            "the "
            "tensor before serializing (e.g., putting it on the queue)."
        )


def rebuild_tensor(cls, storage, metadata):
    """A tensor over a storage that another process sent."""
    offset, size, stride, dtype, requires_grad = metadata
    tensor = _C._tensor_from_storage(storage, dtype, offset, size, stride)
    if cls is flambeau.nn.Parameter:
        return flambeau.nn.Parameter(tensor, requires_grad=requires_grad)
    return tensor.requires_grad_(True) if requires_grad else tensor


def rebuild_meta_tensor(cls, metadata):
    """A tensor on the meta device."""
    offset, size, stride, dtype, requires_grad = metadata
    tensor = flambeau.empty_strided(size, stride, dtype=dtype, device="meta")
    if cls is flambeau.nn.Parameter:
        return flambeau.nn.Parameter(tensor, requires_grad=requires_grad)
    return tensor.requires_grad_(True) if requires_grad else tensor


def reduce_tensor(tensor):
    """Reduces a tensor or Parameter to its storage's handle and its layout.

    Raises:
        RuntimeError: for a tensor that requires a gradient and is not a leaf.
    """
    from ..utils.hooks import warn_if_has_hooks

    check_travels(tensor)
    warn_if_has_hooks(tensor)
    metadata = (
        tensor.storage_offset(),
        tuple(tensor.size()),
        tensor.stride(),
        tensor.dtype,
        tensor.requires_grad,
    )
    if tensor.is_meta:
        return rebuild_meta_tensor, (type(tensor), metadata)
    return rebuild_tensor, (type(tensor), tensor.untyped_storage(), metadata)


def reduce_unregistered(tensor):
    """As :func:`reduce_tensor`, for a pickler that was made before :func:`init_reductions` told it of
    storages."""
    rebuild, args = reduce_tensor(tensor)
    if rebuild is rebuild_tensor:
        cls, storage, metadata = args
        return _rebuild_nested, (cls, *reduce_storage(storage), metadata)
    return rebuild, args


def _rebuild_nested(cls, rebuild, args, metadata):
    return rebuild_tensor(cls, rebuild(*args), metadata)


def init_reductions():
    """Tells Python's multiprocessing how to send tensors and storages. Calling it again does nothing."""
    reduction.register(_C.UntypedStorage, reduce_storage)
    reduction.register(_C.Tensor, reduce_tensor)
    reduction.register(flambeau.nn.Parameter, reduce_tensor)
