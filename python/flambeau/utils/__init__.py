"""Utilities around tensors and modules: data loading, hooks, checkpointing, DLPack and safetensors files."""

from . import hooks

__all__ = ["checkpoint", "data", "dlpack", "hooks", "safetensors"]


def __getattr__(name):
    # Imported on first use: scripts that only compute do not pay for them.
    if name in ("checkpoint", "data", "dlpack", "safetensors"):
        import importlib

        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
