"""How :func:`flambeau.serialization.load` reads files that it is told nothing about: byte order, memory
mapping."""

from enum import Enum


class LoadEndianness(Enum):
    """The byte order of files that do not say theirs."""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


_default_endianness = None


def get_default_load_endianness():
    """The byte order that files are taken to have that do not say theirs; None means little."""
    return _default_endianness


def set_default_load_endianness(endianness):
    """Chooses the byte order of files that do not say theirs."""
    global _default_endianness
    if not isinstance(endianness, LoadEndianness) and endianness is not None:
        raise TypeError("Invalid argument type in function set_default_load_endianness")
    _default_endianness = endianness


def assumed_order():
    if _default_endianness is LoadEndianness.BIG:
        return b"big"
    return byteorder() if _default_endianness is LoadEndianness.NATIVE else b"little"


def byteorder():
    import sys

    return sys.byteorder.encode()


_default_load_mmap = False
_mmap_flags = None


def get_default_load_mmap():
    """Whether :func:`load` maps files that are given by path, where it is not told."""
    return _default_load_mmap


def set_default_load_mmap(default):
    """Chooses whether :func:`load` maps files that are given by path, where it is not told."""
    global _default_load_mmap
    _default_load_mmap = bool(default)


def get_default_mmap_options():
    """How files are mapped: ``mmap.MAP_PRIVATE`` or ``mmap.MAP_SHARED``."""
    import mmap

    return mmap.MAP_PRIVATE if _mmap_flags is None else _mmap_flags


class set_default_mmap_options:
    """Chooses how ``load(mmap=True)`` maps files; also a context manager.

    Args:
        flags (int): ``mmap.MAP_PRIVATE`` (writes to tensors stay in memory) or ``mmap.MAP_SHARED`` (they go
            to the file).

    Raises:
        ValueError: for other flags.
    """

    def __init__(self, flags):
        import mmap

        global _mmap_flags
        if flags not in (mmap.MAP_PRIVATE, mmap.MAP_SHARED):
            raise ValueError(
                "Invalid argument in function set_default_mmap_options, expected mmap.MAP_PRIVATE or "
                f"mmap.MAP_SHARED, but got {flags}"
            )
        self.prev = get_default_mmap_options()
        _mmap_flags = flags

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        global _mmap_flags
        _mmap_flags = self.prev


def writable_mapping(file):
    """A file's bytes for tensors to look into."""
    import mmap

    flags = get_default_mmap_options()
    if flags == mmap.MAP_SHARED:
        with open(file.name, "r+b") as writable:
            return memoryview(mmap.mmap(writable.fileno(), 0, flags=flags))
    return memoryview(mmap.mmap(file.fileno(), 0, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE))
