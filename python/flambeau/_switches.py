"""Switches and questions of the top namespace about parts of PyTorch that are settled here, and numbers that
stay numbers."""

import importlib
import math
import warnings

import flambeau

from . import _C, _namespace

__all__ = [
    "clear_autocast_cache",
    "get_autocast_cpu_dtype",
    "get_autocast_dtype",
    "get_autocast_gpu_dtype",
    "get_deterministic_debug_mode",
    "get_device_module",
    "get_num_interop_threads",
    "is_autocast_cache_enabled",
    "is_autocast_cpu_enabled",
    "is_autocast_enabled",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_vulkan_available",
    "set_anomaly_enabled",
    "set_autocast_enabled",
    "set_deterministic_debug_mode",
    "set_flush_denormal",
    "set_num_interop_threads",
    "sym_float",
    "sym_int",
    "sym_ite",
    "sym_max",
    "sym_min",
    "sym_not",
    "sym_sqrt",
    "sym_sum",
]

# What this build has of the libraries that PyTorch asks about.
has_lapack = True
has_mkl = False
has_openmp = False
has_spectral = True

_interop = {"threads": 1}


def is_autocast_enabled(device_type=None):
    """False: operations compute in the dtypes of their operands."""
    return False


def _deprecated(old, new):
    warnings.warn(
        f"torch.{old} is deprecated. Please use torch.{new} instead.", DeprecationWarning, stacklevel=3
    )


def is_autocast_cpu_enabled():
    """Deprecated: ``is_autocast_enabled("cpu")``."""
    _deprecated("is_autocast_cpu_enabled()", "is_autocast_enabled('cpu')")
    return False


def is_autocast_cache_enabled():
    """True, as in PyTorch; there is nothing to cache."""
    return True


def clear_autocast_cache():
    """Does nothing: there is no such cache."""


def set_autocast_enabled(*args):
    """``(device_type, enabled)`` or ``(enabled)``. NotImplementedError for True: mixed precision is not there
    yet."""
    if args and args[-1]:
        raise NotImplementedError("autocast is not there yet; use bfloat16 modules")


def get_autocast_dtype(device_type):
    """The dtype that autocast would choose on that kind of device."""
    return flambeau.bfloat16 if device_type in ("cpu", "xpu", "hpu", "mtia") else flambeau.float16


def get_autocast_cpu_dtype():
    """Deprecated: ``get_autocast_dtype("cpu")``."""
    _deprecated("get_autocast_cpu_dtype()", "get_autocast_dtype('cpu')")
    return get_autocast_dtype("cpu")


def get_autocast_gpu_dtype():
    """Deprecated: ``get_autocast_dtype("cuda")``."""
    _deprecated("get_autocast_gpu_dtype()", "get_autocast_dtype('cuda')")
    return get_autocast_dtype("cuda")


def get_deterministic_debug_mode():
    """0, 1 or 2: nothing, a warning or an error where an operation is not deterministic. None of them is."""
    if not _namespace.are_deterministic_algorithms_enabled():
        return 0
    return 1 if is_deterministic_algorithms_warn_only_enabled() else 2


def set_deterministic_debug_mode(debug_mode):
    """Sets the mode by number or by name: "default", "warn" or "error"."""
    if isinstance(debug_mode, str):
        names = {"default": 0, "warn": 1, "error": 2}
        if debug_mode not in names:
            raise RuntimeError(
                "invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got "
                f"{debug_mode}"
            )
        debug_mode = names[debug_mode]
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}")
    _namespace.use_deterministic_algorithms(debug_mode > 0, warn_only=debug_mode == 1)


def is_deterministic_algorithms_warn_only_enabled():
    """Whether operations that are not deterministic would only warn."""
    return _namespace._state.get("warn_only", False)


def set_anomaly_enabled(enabled, check_nan=True):
    """Switches anomaly detection on or off; see :class:`flambeau.autograd.set_detect_anomaly`."""
    _C._set_anomaly_enabled(enabled, check_nan)


def get_num_interop_threads():
    """How many operations could run beside each other: what was set; they run one after the other."""
    return _interop["threads"]


def set_num_interop_threads(n, /):
    """Keeps a number of threads for :func:`get_num_interop_threads`. RuntimeError if it is not positive."""
    if n <= 0:
        raise RuntimeError("Expected nthreads > 0 to be true, but got false.")
    _interop["threads"] = n


def set_flush_denormal(mode, /):
    """False: the mode cannot be set, and denormal numbers are kept."""
    return False


def is_vulkan_available():
    """False."""
    return False


def get_device_module(device=None):
    """The module of a kind of device: ``torch.cuda`` for "cuda". By default the CPU's, as nothing else is
    there.

    RuntimeError for a kind that has none.
    """
    kind = "cpu" if device is None else flambeau.device(device).type
    try:
        return importlib.import_module(f".{kind}", "flambeau")
    except ModuleNotFoundError:
        raise RuntimeError(
            f"Device '{kind}' does not have a corresponding module registered as 'torch.{kind}'."
        ) from None


def sym_int(a):
    """The number as an int."""
    return math.ceil(a) if a < 0 else math.floor(a)


def sym_float(a):
    """The number as a float."""
    return float(a)


def sym_max(a, b):
    """The larger number, a float if one of them is."""
    larger = max(a, b)
    return float(larger) if isinstance(a, float) or isinstance(b, float) else larger


def sym_min(a, b):
    """The smaller number, a float if one of them is."""
    smaller = min(a, b)
    return float(smaller) if isinstance(a, float) or isinstance(b, float) else smaller


def sym_not(a):
    """The logical negation."""
    return not a


def sym_sqrt(a):
    """The square root."""
    return math.sqrt(a)


def sym_sum(args):
    """The sum of the numbers."""
    return sum(args)


def sym_ite(b, t, f):
    """``t`` if ``b`` else ``f``."""
    return t if b else f
