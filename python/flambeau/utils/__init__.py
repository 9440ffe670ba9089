"""Utilities around tensors and modules: data loading and hooks."""

from . import hooks

__all__ = ["checkpoint", "data", "hooks"]


def __getattr__(name):
    # Imported on first use: scripts that only compute do not pay for them.
    if name in ("checkpoint", "data"):
        import importlib

        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
