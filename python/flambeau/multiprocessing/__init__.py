"""Python's ``multiprocessing``, with tensors sent between processes as handles of shared memory.

Everything of ``multiprocessing`` is here under its own name. Importing this module (or using shared memory in
any other way) teaches all its queues, pipes, pools and processes to send a tensor by moving its storage into
shared memory and passing a handle: sender and receiver see the same bytes. The sharing strategy says what the
handle is: a file descriptor (the default; nothing has a name, so nothing can be left behind) or a file name.
"""

import multiprocessing
import sys
from multiprocessing import *  # noqa: F403

from ._atfork import register_after_fork
from .reductions import init_reductions
from .spawn import (
    ENV_VAR_PARALLEL_START,
    ProcessContext,
    ProcessException,
    ProcessExitedException,
    ProcessRaisedException,
    SpawnContext,
    spawn,
    start_processes,
)

__all__ = ["get_all_sharing_strategies", "get_sharing_strategy", "set_sharing_strategy"]
__all__ += multiprocessing.__all__

_all_sharing_strategies = {"file_descriptor", "file_system"}
_sharing_strategy = "file_descriptor"


def set_sharing_strategy(new_strategy):
    """Chooses what stands for shared memory between processes.

    Args:
        new_strategy (str): ``"file_descriptor"`` or ``"file_system"``.

    Raises:
        AssertionError: for another name.
    """
    global _sharing_strategy
    if new_strategy not in _all_sharing_strategies:
        raise AssertionError(
            f"invalid sharing strategy {new_strategy!r}, expected one of {_all_sharing_strategies}"
        )
    _sharing_strategy = new_strategy
    if new_strategy == "file_system":
        # Children must report names to the same tracker, so it has to run before they start.
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()


def get_sharing_strategy():
    """The current sharing strategy."""
    return _sharing_strategy


def get_all_sharing_strategies():
    """The set of sharing strategies."""
    return set(_all_sharing_strategies)


def _set_thread_name(name):
    """Names the calling thread, as ``ps`` and debuggers show it; at most 15 bytes count."""
    if sys.platform == "linux":
        try:
            with open("/proc/thread-self/comm", "w") as comm:
                comm.write(name[:15])
        except OSError:
            pass


def _get_thread_name():
    """The calling thread's name; empty where the system has none."""
    try:
        with open("/proc/thread-self/comm") as comm:
            return comm.read().rstrip("\n")
    except OSError:
        return ""


init_reductions()
