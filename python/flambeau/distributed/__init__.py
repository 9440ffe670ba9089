"""What single-process scripts ask of distributed training: there are no process groups yet."""

import os

__all__ = [
    "all_gather",
    "all_reduce",
    "barrier",
    "broadcast",
    "destroy_process_group",
    "get_backend",
    "get_rank",
    "get_world_size",
    "init_process_group",
    "is_available",
    "is_initialized",
    "is_torchelastic_launched",
]


def is_available():
    """Whether processes can form a group: no."""
    return False


def is_initialized():
    """Whether a default process group exists: no."""
    return False


def is_torchelastic_launched():
    """Whether an elastic launcher such as torchrun started this process."""
    return os.environ.get("TORCHELASTIC_RUN_ID") is not None


def init_process_group(backend=None, init_method=None, timeout=None, world_size=-1, rank=-1, **kwargs):
    """Raises RuntimeError: there are no process groups."""
    raise RuntimeError("flambeau has no process groups yet: run the script in one process, without torchrun")


def _no_group(*args, **kwargs):
    raise ValueError(
        "Default process group has not been initialized, please make sure to call init_process_group."
    )


get_rank = get_world_size = get_backend = barrier = all_reduce = all_gather = broadcast = _no_group


def destroy_process_group(group=None):
    """Raises AssertionError, as PyTorch does when no group was made."""
    raise AssertionError("Process group cannot be None")
