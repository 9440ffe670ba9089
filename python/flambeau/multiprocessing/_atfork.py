"""Functions to call in forked children."""

import os

__all__ = ["register_after_fork"]


def register_after_fork(func):
    """Calls ``func()`` in every child that this process forks from now on."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=func)
