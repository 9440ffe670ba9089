"""Tensors to and from other libraries without a copy (dmlc.github.io/dlpack)."""

import enum

from .._C import from_dlpack

__all__ = ["DLDeviceType", "from_dlpack", "to_dlpack"]


class DLDeviceType(enum.IntEnum):
    """Kinds of devices, as DLPack numbers them."""

    kDLCPU = 1
    kDLCUDA = 2
    kDLCUDAHost = 3


def to_dlpack(tensor):
    """A capsule over the memory of ``tensor``; it can be taken once."""
    return tensor.__dlpack__()
