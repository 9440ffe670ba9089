"""Memory that processes share: nameless files that are passed on as descriptors, and named ones.

A nameless block is gone when the last process that has it ends, however that happens. A named one counts its
users in its first bytes; the last unlinks it, and Python's resource tracker, a process of its own, unlinks
what killed processes left.
"""

import fcntl
import os
import struct
import threading
import weakref
from multiprocessing import resource_tracker, util

from .. import _C

_HEADER = 64
_COUNT = struct.Struct("<qq")

_lock = threading.RLock()


def _random_name():
    return f"/torch_{os.getpid()}_{int.from_bytes(os.urandom(4), 'little')}"


def create(nbytes):
    """A new nameless block; returns a descriptor, which the caller closes."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("flambeau", os.MFD_CLOEXEC)
    else:
        import _posixshmem

        name = _random_name()
        fd = _posixshmem.shm_open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode=0o600)
        _posixshmem.shm_unlink(name)
    try:
        os.ftruncate(fd, nbytes)
    except BaseException:
        os.close(fd)
        raise
    return fd


def share_fd(storage):
    """Moves a CPU storage into a nameless block unless it is in one; returns ``(descriptor, offset)``.

    The descriptor stays the storage's.
    """
    with _lock:
        handle = _C._shm_handle(storage)
        if handle is None or handle[0] < 0:
            fd = create(storage.nbytes())
            try:
                _C._shm_move(storage, fd)
            finally:
                os.close(fd)
            handle = _C._shm_handle(storage)
        return handle[:2]


def map_fd(fd, offset, nbytes):
    """The storage at ``offset`` of a block; the descriptor is duplicated."""
    return _C._shm_map(fd, offset + nbytes, [(offset, nbytes)], True)[0]


class NamedBlock:
    """One use of a named block by this process; the storage over it keeps it."""

    _living = weakref.WeakSet()
    _watched = None

    def __init__(self, name):
        self.name = name
        self.pid = os.getpid()
        with _lock:
            self._living.add(self)
            if NamedBlock._watched != self.pid:
                # Child processes of multiprocessing end without destroying their objects.
                NamedBlock._watched = self.pid
                util.Finalize(None, self._release_all, exitpriority=0)

    @classmethod
    def _release_all(cls):
        for block in list(cls._living):
            block.release()

    def release(self, _getpid=os.getpid):
        """Counts this use off. A forked child inherits the object, but is not counted."""
        pid, self.pid = self.pid, None
        if pid == _getpid():
            try:
                change_users(self.name, -1)
            except (FileNotFoundError, TypeError, AttributeError):
                pass  # unlinked by the tracker, or the interpreter ends

    __del__ = release


def _tracker():
    """Identifies the resource tracker that this process reports to."""
    resource_tracker.ensure_running()
    return os.fstat(resource_tracker._resource_tracker._fd).st_ino


def _open(name, flags=os.O_RDWR):
    import _posixshmem

    return _posixshmem.shm_open(name, flags, mode=0o600)


def change_users(name, by):
    """Counts users of a named block; at zero it is unlinked."""
    fd = _open(name)
    try:
        # Each call has a descriptor of its own, so that this excludes other threads and forked children too.
        fcntl.flock(fd, fcntl.LOCK_EX)
        users, tracker = _COUNT.unpack(os.pread(fd, _COUNT.size, 0))
        users += by
        os.pwrite(fd, _COUNT.pack(users, tracker), 0)
        if users <= 0:
            import _posixshmem

            _posixshmem.shm_unlink(name)
            if tracker == _tracker():
                resource_tracker.unregister(name, "shared_memory")
    finally:
        os.close(fd)


def share_name(storage):
    """Moves a CPU storage into a named block unless it is in one, and counts one more user, who will
    :func:`map_name` it; returns the name.
    """
    with _lock:
        handle = _C._shm_handle(storage)
        block = handle[2] if handle else None
        if block is not None:
            try:
                change_users(block.name, 1)
                return block.name
            except FileNotFoundError:
                pass  # this process forked from the one that had it, and which gave it up since
        name, tracker = _random_name(), _tracker()
        fd = _open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR)
        resource_tracker.register(name, "shared_memory")
        try:
            try:
                os.posix_fallocate(fd, 0, _HEADER + storage.nbytes())
            except OSError as error:
                raise RuntimeError(
                    f"unable to allocate shared memory(shm) for file <{name}>: {error.strerror} "
                    f"({error.errno})"
                ) from None
            os.pwrite(fd, _COUNT.pack(2, tracker), 0)
            _C._shm_move(storage, fd, _HEADER, NamedBlock(name))
        except BaseException:
            import _posixshmem

            _posixshmem.shm_unlink(name)
            resource_tracker.unregister(name, "shared_memory")
            raise
        finally:
            os.close(fd)
        return name


def map_name(name, nbytes):
    """The storage of a named block; takes over the use that :func:`share_name` counted."""
    try:
        fd = _open(name)
    except FileNotFoundError as error:
        raise RuntimeError(
            f"unable to open shared memory object <{name}> in read-write mode: {error.strerror} "
            f"({error.errno})"
        ) from None
    try:
        return _C._shm_map(fd, _HEADER + nbytes, [(_HEADER, nbytes)], False, NamedBlock(name))[0]
    finally:
        os.close(fd)
