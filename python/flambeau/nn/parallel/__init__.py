"""Wrappers that spread a module over devices; with a CPU alone they have nothing to spread."""

from .data_parallel import DataParallel
from .distributed import DistributedDataParallel

__all__ = ["DataParallel", "DistributedDataParallel"]
