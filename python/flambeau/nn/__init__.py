# ruff: noqa: F401
"""Layers, containers, losses and the functions behind them."""

from . import functional, init, modules, parallel, parameter, utils
from .modules import *  # noqa: F403
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter
from .parallel import DataParallel


def __getattr__(name):
    if name == "attention":
        import importlib

        return importlib.import_module(".attention", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
