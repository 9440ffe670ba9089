"""A pool of processes: Python's own, whose tasks and results carry tensors by shared memory."""

from multiprocessing.pool import Pool

__all__ = ["Pool"]
