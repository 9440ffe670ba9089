"""PyTorch's programming model on a Rust core."""

from . import _C  # noqa: F401
from ._C import *  # noqa: F401,F403

__version__ = "0.1.0"
