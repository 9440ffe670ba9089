"""Functions composed in Python that show themselves in a graph as one operation, as PyTorch's do."""

import functools

from . import _C


def shown_as(name, operands=1):
    """A decorator: the node of the result is called ``name`` and leads to the first ``operands`` arguments.

    ``name`` may be a function of the arguments, which gives None for calls that stay as they are.
    """

    def decorate(function):
        @functools.wraps(function)
        def shown(*args, **kwargs):
            result = function(*args, **kwargs)
            if isinstance(result, _C.Tensor) and result.grad_fn is not None:
                given = [*args, *kwargs.values()]
                called = name(*args, **kwargs) if callable(name) else name
                # What was only passed on keeps its name.
                if called and not any(result is a for a in given):
                    _C._show_as(result, called, *given[:operands])
            return result

        return shown

    return decorate
