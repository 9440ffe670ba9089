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


def _absent(*args, **kwargs):
    raise RuntimeError("Cannot access accelerator device when none is available.")


current_device_index = current_device_idx = set_device_index = set_device_idx = synchronize = _absent
