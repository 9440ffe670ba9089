"""The current accelerator, for code that does not name one: there is none yet, and this module says so."""

__all__ = [
    "current_accelerator",
    "current_device_idx",
    "current_device_index",
    "device_count",
    "empty_cache",
    "is_available",
    "set_device_idx",
    "set_device_index",
    "synchronize",
]


def is_available():
    """Whether an accelerator can be used now: no."""
    return False


def device_count():
    """How many accelerators there are: 0."""
    return 0


def current_accelerator(check_available=False):
    """The accelerator's device, or None without one."""
    return None


def empty_cache():
    """Nothing is cached on a device."""


def memory_allocated(device_index=None, /):
    """Bytes in use on an accelerator: 0."""
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated


def memory_stats(device_index=None, /):
    """What was allocated on an accelerator: nothing ever."""
    return {}


def _absent():
    raise RuntimeError("Cannot access accelerator device when none is available.")


def set_device_index(device, /):
    """RuntimeError: there is no accelerator."""
    _absent()


set_device_idx = set_device_index


def set_stream(stream):
    """RuntimeError: there is no accelerator."""
    _absent()


def _needs_one(name):
    def function(device_index=None, /):
        _absent()

    function.__name__ = function.__qualname__ = name
    function.__doc__ = "RuntimeError: there is no accelerator."
    return function


for _name in (
    "current_device_index", "current_device_idx", "synchronize", "current_stream", "get_memory_info",
    "get_device_capability", "reset_peak_memory_stats", "reset_accumulated_memory_stats",
):  # fmt: skip
    globals()[_name] = _needs_one(_name)
del _name
