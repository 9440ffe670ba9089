"""Regions in which operations would choose a narrower dtype."""

import functools
import warnings

import flambeau

__all__ = ["autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]


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
            warnings.warn("CUDA is not available or torch_xla is imported. Disabling autocast.", stacklevel=2)
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


def _kind(device_type):
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")


def custom_fwd(fwd=None, *, device_type, cast_inputs=None):
    """Decorator of a Function's ``forward``: notes on the context whether autocast was on.

    Args:
        device_type (str): such as "cuda".
        cast_inputs (dtype): what floating-point inputs would be cast to inside autocast, which is never on
            here.
    """
    _kind(device_type)
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def decorated(*args, **kwargs):
        args[0]._dtype = flambeau.get_autocast_dtype(device_type)
        args[0]._fwd_used_autocast = flambeau.is_autocast_enabled(device_type)
        return fwd(*args, **kwargs)

    return decorated


def custom_bwd(bwd=None, *, device_type):
    """Decorator of a Function's ``backward``: runs it with autocast as it was in ``forward``."""
    _kind(device_type)
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def decorated(*args, **kwargs):
        with autocast(device_type, enabled=args[0]._fwd_used_autocast, dtype=args[0]._dtype):
            return bwd(*args, **kwargs)

    return decorated
