"""The way in for ``__torch_function__`` of functions that are composed in Python.

Operations of the engine ask the classes of their arguments themselves. A function written in Python is
wrapped here, so that a subclass, or any object with the method, is given the function as a whole and not the
operations that it calls.
"""

import functools
import inspect

from . import _C

_concerned = _C._torch_function_args


def overridable(function, module=None, as_given=False):
    """The function, handing calls over to arguments (or items of lists among them) that take part in the
    protocol.

    Args:
        function (Callable): written in Python.
        module (str): the module that it is public in.
        as_given (bool or Callable): handlers see the arguments as they were given, as of a function that
            PyTorch has in C; else what has no default by position and all others by keyword, as of those it
            has in Python; a function arranges the arguments itself.
    """

    @functools.wraps(function)
    def public(*args, **kwargs):
        found = _concerned(args, kwargs)
        if found is not None:
            return _hand_over(public, function, as_given, found, args, kwargs)
        return function(*args, **kwargs)

    if module is not None:
        public.__module__ = module
    return public


def _hand_over(public, function, as_given, found, args, kwargs):
    from . import overrides

    if as_given is True:
        # C functions do not count plain tensors, and leave keywords out where there are none.
        own = overrides._overloaded([arg for arg in found if type(arg) is not _C.Tensor])
        return overrides._ask(public, own, args, *([kwargs] if kwargs else []))
    args, kwargs = as_given(*args, **kwargs) if as_given else _arranged(function, args, kwargs)
    return overrides.handle_torch_function(public, found, *args, **kwargs)


def _arranged(function, args, kwargs):
    """The arguments by position that have no default, the others by name."""
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    by_position, by_name = [], {}
    for name, parameter in bound.signature.parameters.items():
        value = bound.arguments[name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            by_position.extend(value)
        elif parameter.kind is parameter.VAR_KEYWORD:
            by_name.update(value)
        elif parameter.kind is parameter.KEYWORD_ONLY or parameter.default is not parameter.empty:
            by_name[name] = value
        else:
            by_position.append(value)
    return by_position, by_name


def publish(scope, names, module, as_given=()):
    """Wraps functions of a module's namespace in place; those in ``as_given`` are C functions of
    PyTorch's."""
    for name in names:
        scope[name] = overridable(scope[name], module, as_given=name in as_given)
