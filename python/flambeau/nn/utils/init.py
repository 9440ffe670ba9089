"""Modules created without initial values."""

import flambeau

__all__ = ["skip_init"]


def skip_init(module_cls, *args, **kwargs):
    """Create a module whose parameters are uninitialised: faster when they are loaded afterwards anyway.

    Args:
        module_cls: a Module class whose constructor takes `device`.
        *args, **kwargs: for the constructor.
    """
    # Needed here only, and slow to import.
    import inspect

    if not issubclass(module_cls, flambeau.nn.Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    device = kwargs.pop("device", "cpu")
    return module_cls(*args, **kwargs, device="meta").to_empty(device=device)
