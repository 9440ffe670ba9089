"""A connection between a DataLoader and one of its workers.

A message is a pickle; the bytes of its tensors lie in one block of nameless shared memory whose descriptor
goes with the message. A descriptor under way belongs to the system: whoever is killed, nothing is left
behind.
"""

import io
import os
import pickle
import socket
import struct
import threading
import weakref
from multiprocessing import connection
from multiprocessing.reduction import ForkingPickler

from flambeau import _C
from flambeau.multiprocessing import reductions, shared

# Number of descriptors, length of the parts' table, length of the pickle, its place in the block (or -1).
_HEADER = struct.Struct("<HIQq")
# Larger pickles go through the block, so that a message never fills a socket's buffer.
_INLINE = 32 << 10
_MAX_FDS = 200
_ALIGN = 64

# The parts of the message that this thread unpickles.
_incoming = threading.local()

# This process' ends of connections to workers. A forked child must not hold them open: a worker learns from
# the end of its connection that the main process is gone.
_ends = weakref.WeakSet()


def _close_inherited():
    for end in list(_ends):
        end.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)


def _part(index):
    return _incoming.parts[index][0]


def _part_tensor(index, dtype, offset, size, stride, requires_grad):
    storage, start = _incoming.parts[index]
    tensor = _C._tensor_from_storage(storage, dtype, offset - start // dtype.itemsize, size, stride)
    return tensor.requires_grad_(True) if requires_grad else tensor


def _empty_part():
    return _C.UntypedStorage(0)


class _Part:
    """The range of a storage that a message needs."""

    __slots__ = ("storage", "start", "end")

    def __init__(self, storage):
        self.storage = storage
        self.start, self.end = storage.nbytes(), 0

    def include(self, start, end):
        self.start = min(self.start, start // _ALIGN * _ALIGN)
        self.end = max(self.end, end)


class _Pickler(ForkingPickler):
    def __init__(self, stream):
        super().__init__(stream, pickle.HIGHEST_PROTOCOL)
        self.parts = []
        self.index = {}

    def _index(self, storage):
        found = self.index.get(storage._cdata)
        if found is None:
            found = self.index[storage._cdata] = len(self.parts)
            self.parts.append(_Part(storage))
        return found

    def reducer_override(self, obj):
        cls = type(obj)
        if cls is _C.UntypedStorage:
            if obj.device.type == "meta":
                return NotImplemented
            if not obj.nbytes():
                return _empty_part, ()
            index = self._index(obj)
            self.parts[index].include(0, obj.nbytes())
            return _part, (index,)
        if cls is not _C.Tensor or obj.device.type != "cpu" or not obj.numel() or obj.__dict__:
            return NotImplemented
        reductions.check_travels(obj)
        index = self._index(obj.untyped_storage())
        offset, size, stride, dtype = obj.storage_offset(), tuple(obj.size()), obj.stride(), obj.dtype
        last = offset + sum((n - 1) * step for n, step in zip(size, stride))
        self.parts[index].include(offset * dtype.itemsize, (last + 1) * dtype.itemsize)
        return _part_tensor, (index, dtype, offset, size, stride, obj.requires_grad)


def _encode(obj):
    """``(bytes to send, descriptors to send with them, the one of them to close)`` of an object."""
    stream = io.BytesIO()
    pickler = _Pickler(stream)
    pickler.dump(obj)
    body = stream.getbuffer()
    fds, table, copies, size = [], [], [], 0
    for part in pickler.parts:
        handle = _C._shm_handle(part.storage)
        if handle is not None and handle[0] >= 0 and len(fds) < _MAX_FDS:
            # Shared already: it stays one memory for both.
            fds.append(handle[0])
            table.append((len(fds), handle[1], part.storage.nbytes(), 0))
        else:
            copies.append((part, size))
            table.append((0, size, part.end - part.start, part.start))
            size += -(-(part.end - part.start) // _ALIGN) * _ALIGN
    at = -1
    block = None
    if copies or len(body) > _INLINE:
        if len(body) > _INLINE:
            at = size
            size += len(body)
        block = shared.create(size)
        try:
            for part, place in copies:
                _C._shm_write(part.storage, block, place, part.start, part.end)
            if at >= 0:
                _write(block, body, at)
        except BaseException:
            os.close(block)
            raise
        fds.insert(0, block)
    else:
        # Number 0 is the block's.
        table = [(number - 1, *rest) for number, *rest in table]
    head = pickle.dumps((table, block is not None)) if table else b""
    header = _HEADER.pack(len(fds), len(head), len(body), at)
    return header + head + (b"" if at >= 0 else bytes(body)), fds, block


def _write(fd, data, at):
    while data:
        count = os.pwrite(fd, data, at)
        data, at = data[count:], at + count


def _storages(table, fds, has_block):
    """The parts of a message: (storage, first byte of it that is there)."""
    parts = [None] * len(table)
    of_block = {}
    for index, (number, offset, nbytes, start) in enumerate(table):
        of_block.setdefault(number, []).append((index, offset, nbytes, start))
    for number, entries in of_block.items():
        fd = fds[number]
        end = max(offset + nbytes for _, offset, nbytes, _ in entries)
        # The descriptor of a message's own block is not kept: a program may hold thousands of batches.
        keep = not (has_block and number == 0)
        storages = _C._shm_map(fd, end, [(offset, nbytes) for _, offset, nbytes, _ in entries], keep)
        for (index, _, _, start), storage in zip(entries, storages):
            parts[index] = storage, start
    return parts


class Channel:
    """One end of a connection.

    Raises (from all methods):
        EOFError: if the other end is closed.
    """

    def __init__(self, end, keep_from_children=False):
        self._socket = end
        if keep_from_children:
            _ends.add(end)

    def fileno(self):
        return self._socket.fileno()

    def send(self, obj):
        """Sends an object; raises what pickling it raises."""
        data, fds, block = _encode(obj)
        try:
            count = socket.send_fds(self._socket, [data], fds)
            if count < len(data):
                self._socket.sendall(memoryview(data)[count:])
        except (BrokenPipeError, ConnectionResetError):
            raise EOFError from None
        finally:
            if block is not None:
                os.close(block)

    def poll(self, timeout):
        """Whether there is something to receive, within ``timeout`` seconds."""
        return bool(connection.wait([self._socket], timeout))

    def receive(self):
        """The next object; waits for it."""
        flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
        try:
            data, fds, _, _ = socket.recv_fds(self._socket, _HEADER.size, _MAX_FDS + 1, flags)
        except ConnectionResetError:
            raise EOFError from None
        try:
            if not data:
                raise EOFError
            count, head_length, length, at = _HEADER.unpack(data + self._exactly(_HEADER.size - len(data)))
            if count != len(fds):
                raise OSError(24, "Too many open files: descriptors of a batch were lost on the way")
            table, has_block = pickle.loads(self._exactly(head_length)) if head_length else ([], False)
            body = self._exactly(length) if at < 0 else _read(fds[0], length, at)
            _incoming.parts = _storages(table, fds, has_block)
            try:
                return pickle.loads(body)
            finally:
                del _incoming.parts
        finally:
            for fd in fds:
                os.close(fd)

    def _exactly(self, count):
        if not count:
            return b""
        data = bytearray(count)
        view = memoryview(data)
        while view:
            try:
                got = self._socket.recv_into(view)
            except ConnectionResetError:
                got = 0
            if not got:
                raise EOFError
            view = view[got:]
        return data

    def close(self):
        self._socket.close()


def _read(fd, length, at):
    data = bytearray(length)
    view = memoryview(data)
    while view:
        count = os.preadv(fd, [view], at)
        view, at = view[count:], at + count
    return data


def pair():
    """A connection: the main process' end, and the socket of the worker's."""
    ours, theirs = socket.socketpair()
    return Channel(ours, keep_from_children=True), theirs
