"""Functions of the top namespace that are about Python objects rather than elements."""

import flambeau

from . import _C

__all__ = [
    "compiled_with_cxx11_abi",
    "get_default_device",
    "get_float32_matmul_precision",
    "is_distributed",
    "is_storage",
    "is_tensor",
    "is_warn_always_enabled",
    "set_default_device",
    "set_default_tensor_type",
    "set_float32_matmul_precision",
    "set_warn_always",
    "typename",
    "use_deterministic_algorithms",
    "are_deterministic_algorithms_enabled",
]

_state = {"precision": "highest", "deterministic": False}


def typename(obj, /):
    """The type of an object as a string; of a tensor its legacy type, ``torch.FloatTensor``."""
    if isinstance(obj, _C.Tensor):
        return obj.type()
    kind = type(obj)
    module = getattr(obj, "__module__", "") or getattr(kind, "__module__", "")
    name = getattr(obj, "__qualname__", None) or getattr(obj, "__name__", None) or kind.__name__
    return name if module in ("", "builtins", "__builtin__") else f"{module}.{name}"


def is_tensor(obj, /):
    """Whether ``obj`` is a tensor."""
    return isinstance(obj, _C.Tensor)


def is_storage(obj, /):
    """Whether ``obj`` is a storage."""
    return type(obj).__name__ in ("UntypedStorage", "TypedStorage")


def is_distributed(input):
    return False


def compiled_with_cxx11_abi():
    return True


def get_default_device():
    """The device on which factory functions make tensors."""
    device = _C.get_default_device()
    return flambeau.device("cpu") if device is None else device


def set_default_device(device):
    """Sets the device on which factory functions make tensors (None for the CPU)."""
    _C._set_default_device(None if device is None else flambeau.device(device))


def set_default_tensor_type(t, /):
    """Legacy: sets the default dtype by a tensor type such as ``torch.DoubleTensor``."""
    name = t if isinstance(t, str) else f"torch.{t.__name__}"
    dtypes = {
        "Float": flambeau.float32,
        "Double": flambeau.float64,
        "Half": flambeau.float16,
        "BFloat16": flambeau.bfloat16,
    }
    for prefix, dtype in dtypes.items():
        if name.endswith(f".{prefix}Tensor"):
            flambeau.set_default_dtype(dtype)
            return
    raise TypeError(
        f"invalid type object: only floating-point types are supported as the default type: {name}"
    )


def get_float32_matmul_precision():
    return _state["precision"]


def set_float32_matmul_precision(precision):
    """Accepts PyTorch's names; products are always computed in full float32 precision here."""
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"{precision} is not one of 'highest', 'high', or 'medium'")
    _state["precision"] = precision


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Accepted for scripts that ask: results are deterministic for a given number of threads anyway."""
    _state["deterministic"] = bool(mode)
    _state["warn_only"] = bool(warn_only)


def are_deterministic_algorithms_enabled():
    return _state["deterministic"]


set_warn_always = _C.set_warn_always
is_warn_always_enabled = _C.is_warn_always_enabled
