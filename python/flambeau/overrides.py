"""The ``__torch_function__`` protocol: classes that want to see the calls they take part in.

An operation with an argument whose class has a ``__torch_function__`` hands the call over:
``cls.__torch_function__(func, types, args, kwargs)``, for the most derived class first, until one does not
return ``NotImplemented``. For attributes ``func`` is the ``__get__``, ``__set__`` or ``__delete__`` of
``Tensor``'s own.
"""

import functools
import types

from . import _C

__all__ = [
    "get_default_nowrap_functions",
    "handle_torch_function",
    "has_torch_function",
    "is_tensor_like",
    "is_tensor_method_or_property",
    "resolve_name",
    "wrap_torch_function",
]

Tensor = _C.Tensor

has_torch_function = _C._has_torch_function
has_torch_function_unary = _C._has_torch_function_unary


def has_torch_function_variadic(*args):
    """As :func:`has_torch_function`, of arguments given one by one."""
    return has_torch_function(args)


def _overloaded(relevant_args):
    """One argument for each class that takes part: in their order, but subclasses before their bases."""
    found, seen = [], set()
    for arg in relevant_args:
        cls = type(arg)
        # Plain tensors count: theirs is the last word.
        if cls in seen or not (cls is Tensor or _C._has_torch_function_unary(arg)):
            continue
        seen.add(cls)
        place = len(found)
        for i, other in enumerate(found):
            if issubclass(cls, type(other)):
                place = i
                break
        found.insert(place, arg)
    return found


def handle_torch_function(public_api, relevant_args, *args, **kwargs):
    """Calls the handlers of the classes among ``relevant_args`` in place of ``public_api(*args, **kwargs)``.

    Raises:
        TypeError: if all of them return ``NotImplemented``.
    """
    return _ask(public_api, _overloaded(relevant_args), args, kwargs)


def _ask(public_api, overloaded, *call):
    """The answer of the first class that has one."""
    kinds = tuple(type(arg) for arg in overloaded)
    for arg in overloaded:
        result = type(arg).__torch_function__(public_api, kinds, *call)
        if result is not NotImplemented:
            return result
    module = (public_api.__module__ or "flambeau").replace("flambeau", "torch", 1)
    name = f"{module}.{public_api.__name__}"
    raise TypeError(
        f"Multiple dispatch failed for '{name}'; all __torch_function__ handlers returned NotImplemented:\n\n"
        + "".join(f"  - {kind}\n" for kind in kinds)
        + "\nFor more information, try re-running with TORCH_LOGS=not_implemented"
    )


def wrap_torch_function(dispatcher):
    """Makes a function of the caller's take part in the protocol.

    Args:
        dispatcher (Callable): given the same arguments, returns those to look at.
    """

    def decorate(func):
        @functools.wraps(func)
        def wrapped(*args, **kwargs):
            relevant = dispatcher(*args, **kwargs)
            if has_torch_function(relevant):
                return handle_torch_function(wrapped, relevant, *args, **kwargs)
            return func(*args, **kwargs)

        return wrapped

    return decorate


def is_tensor_like(inp):
    """Whether an object is a tensor or of a type with a ``__torch_function__``."""
    return type(inp) is Tensor or hasattr(inp, "__torch_function__")


@functools.lru_cache(None)
def get_default_nowrap_functions():
    """Functions whose results keep their own class: those of ``grad`` and of a view's base."""
    return {Tensor._base.__get__, Tensor.grad.__get__, Tensor._grad.__get__}


@functools.lru_cache(None)
def _names():
    """Every callable that subclasses see -> its name."""
    import flambeau

    table = {}
    for name in dir(Tensor):
        member = getattr(Tensor, name, None)
        if isinstance(member, (types.GetSetDescriptorType, types.MemberDescriptorType)):
            for verb in ("__get__", "__set__", "__delete__"):
                table[getattr(member, verb)] = f"torch.Tensor.{name}.{verb}"
        elif callable(member):
            table.setdefault(member, f"torch.Tensor.{name}")
    for prefix, module in (
        ("torch", flambeau),
        ("torch.nn.functional", flambeau.nn.functional),
        ("torch.linalg", flambeau.linalg),
        ("torch.special", flambeau.special),
    ):
        for name in dir(module):
            member = getattr(module, name, None)
            if not name.startswith("_") and callable(member) and not isinstance(member, type):
                table.setdefault(member, f"{prefix}.{name}")
    return table


def resolve_name(f):
    """The public name of a function that subclasses see; None if it has none."""
    if isinstance(f, str):
        return f
    return _names().get(f)


def is_tensor_method_or_property(func):
    """Whether a function that a handler was given is a method of ``Tensor`` or the access of an attribute."""
    name = resolve_name(func)
    return func.__name__ == "__get__" or bool(name and name.startswith("torch.Tensor."))
