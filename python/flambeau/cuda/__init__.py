"""What scripts ask of CUDA: there is no CUDA backend yet, and this module says so."""

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


def _absent(*args, **kwargs):
    raise AssertionError("Torch not compiled with CUDA enabled")


current_device = synchronize = set_device = memory_allocated = _absent
get_device_name = get_device_properties = _absent


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
