"""Utilities around tensors and modules: data loading and hooks."""

from . import hooks

__all__ = ["data", "hooks"]


def __getattr__(name):
    # The data package is imported on first use: scripts that only compute do not pay for it.
    if name == "data":
        import importlib

        return importlib.import_module(".data", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
