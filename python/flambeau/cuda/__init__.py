"""What scripts ask of CUDA: there is no CUDA backend yet, and this module says so."""

import collections

import flambeau

__all__ = [
    "amp",
    "current_device",
    "device_count",
    "empty_cache",
    "is_available",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "synchronize",
]


def is_available():
    """Whether a CUDA backend and device are there: no."""
    return False


def is_initialized():
    return False


def device_count():
    return 0


def is_bf16_supported(including_emulation=True):
    return False


def manual_seed(seed):
    """Ignored without a device, as in PyTorch."""


def manual_seed_all(seed):
    """Ignored without a device, as in PyTorch."""


def empty_cache():
    """Nothing is cached on a device."""


def is_tf32_supported():
    return False


def get_arch_list():
    """No kernel is compiled for CUDA."""
    return []


def seed():
    """Ignored without a device, as in PyTorch."""


def seed_all():
    """Ignored without a device, as in PyTorch."""


def get_rng_state_all():
    """The states of all devices' generators: none."""
    return []


def set_rng_state_all(new_states):
    """Takes back what :func:`get_rng_state_all` gave."""
    for i, state in enumerate(new_states):
        set_rng_state(state, i)


def _absent():
    raise AssertionError("Torch not compiled with CUDA enabled")


def _needs_device(name):
    def function(device=None):
        _absent()

    function.__name__ = function.__qualname__ = name
    function.__doc__ = "AssertionError: there is no CUDA device."
    return function


for _name in (
    "synchronize", "get_device_name", "get_device_properties", "get_device_capability", "current_stream",
    "default_stream", "mem_get_info", "reset_peak_memory_stats", "reset_accumulated_memory_stats",
    "reset_max_memory_allocated", "reset_max_memory_cached", "utilization", "temperature", "power_draw",
    "clock_rate", "memory_usage",
):  # fmt: skip
    globals()[_name] = _needs_device(_name)
del _name


def current_device():
    """AssertionError: there is no CUDA device."""
    _absent()


def init():
    """AssertionError: there is no CUDA device."""
    _absent()


def initial_seed():
    """AssertionError: there is no CUDA device."""
    _absent()


def ipc_collect():
    """AssertionError: there is no CUDA device."""
    _absent()


def set_device(device):
    """AssertionError: there is no CUDA device."""
    _absent()


def get_rng_state(device="cuda"):
    """AssertionError: there is no CUDA device."""
    _absent()


def set_rng_state(new_state, device="cuda"):
    """AssertionError: there is no CUDA device."""
    _absent()


def set_stream(stream):
    """AssertionError: there is no CUDA device; nothing for None."""
    if stream is not None:
        _absent()


def can_device_access_peer(device, peer_device):
    """AssertionError: there is no CUDA device."""
    _absent()


def set_per_process_memory_fraction(fraction, device=None):
    """AssertionError: there is no CUDA device."""
    _absent()


def memory_stats(device=None):
    """What was allocated on a device: nothing ever."""
    return collections.OrderedDict()


def memory_allocated(device=None):
    """Bytes in use on a device: 0."""
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_cached = max_memory_cached = (
    memory_allocated
)


def memory_snapshot(mempool_id=None, include_traces=True):
    """The allocator's segments: none."""
    return []


class device:
    """Context manager: the current device for a block. Nothing for None and negative numbers.

    Entering it with another device is an AssertionError.
    """

    def __init__(self, device):
        index = (
            device if isinstance(device, int) else flambeau.device(device).index if device is not None else -1
        )
        self.idx = 0 if index is None else index

    def __enter__(self):
        if self.idx >= 0:
            _absent()

    def __exit__(self, type, value, traceback):
        return False


class device_of(device):
    """Context manager: the device of a tensor or storage; nothing for those of the CPU."""

    def __init__(self, obj):
        super().__init__(obj.get_device() if obj.is_cuda else -1)


class Stream:
    """A queue of a device's work. AssertionError: there is no CUDA device."""

    def __init__(self, device=None, priority=0, **kwargs):
        _absent()


class Event:
    """A mark in a stream. AssertionError: there is no CUDA device."""

    def __init__(self, enable_timing=False, blocking=False, interprocess=False, external=False):
        _absent()


class StreamContext:
    """Context manager: the current stream for a block; None, the only one there can be, changes nothing."""

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        set_stream(self.stream)

    def __exit__(self, type, value, traceback):
        return False


def stream(stream):
    """:class:`StreamContext` for a stream or None."""
    return StreamContext(stream)


default_generators = ()


def __getattr__(name):
    if name == "amp":
        import importlib

        return importlib.import_module(".amp", __name__)
    # The old constructors, which programs ask `isinstance` of; there is no such tensor.
    if name.endswith("Tensor"):
        from .._tensor import typed

        found = dict(typed("cuda.")).get(name)
        if found is not None:
            globals()[name] = found
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
