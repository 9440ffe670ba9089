"""Turns a mode's context manager into a decorator."""

import functools
import inspect
import warnings

__all__ = ["context_decorator"]


def context_decorator(mode, func):
    """Wraps ``func`` so that it runs inside ``mode``.

    Each call enters a fresh ``mode.clone()``. A generator function is inside only while it runs, not while
    it waits for its caller.
    """
    if inspect.isclass(func):
        warnings.warn(
            "Decorating classes is deprecated and will be disabled in future versions. You should only "
            "decorate "
            "functions or methods. To preserve the current behavior of class decoration, you can directly "
            "decorate the `__init__` method and nothing else.",
            FutureWarning,
            stacklevel=2,
        )
        cls = func
        return context_decorator(mode, lambda *args, **kwargs: cls(*args, **kwargs))
    if not callable(func):
        raise TypeError(f"expected a function to decorate, but got {type(func).__name__}")
    clone = mode.clone
    if inspect.isgeneratorfunction(func):
        return _generator_decorator(clone, func)

    @functools.wraps(func)
    def in_mode(*args, **kwargs):
        with clone():
            return func(*args, **kwargs)

    return in_mode


def _generator_decorator(clone, func):
    @functools.wraps(func)
    def in_mode(*args, **kwargs):
        generator = func(*args, **kwargs)
        try:
            with clone():
                value = next(generator)
            while True:
                try:
                    request = yield value
                except GeneratorExit:
                    with clone():
                        generator.close()
                    raise
                except BaseException as error:
                    with clone():
                        value = generator.throw(error)
                else:
                    with clone():
                        value = generator.send(request)
        except StopIteration as end:
            return end.value

    return in_mode
