"""Regions in which operations would choose a narrower dtype."""

import functools
import warnings

__all__ = ["autocast", "is_autocast_available"]


def is_autocast_available(device_type):
    """Whether `autocast` does anything on that kind of device: no."""
    return False


class autocast:
    """A region, or a decorated function, without mixed precision.

    PyTorch disables autocast with a warning where a device is missing, and so does this. Mixed precision on a
    CPU is not there yet.

    Args:
        device_type (str): such as "cuda" or "cpu".
        dtype (dtype, optional): what operations would compute in.
        enabled (bool): without it the region does nothing anywhere.

    Raises NotImplementedError if it is enabled for the CPU.
    """

    def __init__(self, device_type, dtype=None, enabled=True, cache_enabled=None):
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        if enabled and device_type == "cpu":
            raise NotImplementedError(
                "autocast on a CPU is not there yet; use enabled=False or bfloat16 modules"
            )
        if enabled and device_type == "cuda":
            warnings.warn(
                "CUDA is not available or torch_xla is imported. Disabling autocast.", stacklevel=2
            )
        self.device = device_type
        self.fast_dtype = dtype
        self._enabled = False

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_value, traceback):
        return False

    def __call__(self, func):
        @functools.wraps(func)
        def inside(*args, **kwargs):
            with self:
                return func(*args, **kwargs)

        return inside
