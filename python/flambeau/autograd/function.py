"""Functions with a backward pass written in Python."""

import functools
import inspect
import warnings

from .. import _C

__all__ = ["BackwardCFunction", "Function", "FunctionCtx", "InplaceFunction", "once_differentiable"]

FunctionCtx = _C._FunctionBase
"""The context that ``forward`` and ``backward`` share; see :class:`Function`."""


class BackwardCFunction(_C._FunctionBase):
    """The context of a call, which is also the ``grad_fn`` of its results."""

    __repr__ = object.__repr__

    def apply(self, *grads):
        """Runs the user's backward pass."""
        forward_cls = self._forward_cls
        backward, vjp = forward_cls.backward, forward_cls.vjp
        if vjp is Function.vjp:
            return backward(self, *grads)
        if backward is not Function.backward:
            raise RuntimeError(
                "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should "
                "only implement one of them."
            )
        return vjp(self, *grads)


class FunctionMeta(type):
    """Gives each function the class of its contexts."""

    def __init__(cls, name, bases, namespace):
        super().__init__(name, bases, namespace)
        cls._backward_cls = type(name + "Backward", (BackwardCFunction,), {"_forward_cls": cls})
        base = next((c for c in cls.__mro__ if c.__name__ == "Function" and c.__module__ == __name__), None)
        cls._has_setup_context = base is not cls and cls.setup_context is not base.setup_context
        cls._bind_arguments = _binder(cls.forward) if cls._has_setup_context else None


def _binder(forward):
    """Fills in defaults, for ``setup_context`` to see; None where there are none to fill in."""
    try:
        signature = inspect.signature(forward)
    except (TypeError, ValueError):
        return None
    if all(p.default is p.empty and p.kind is not p.KEYWORD_ONLY for p in signature.parameters.values()):
        return None

    def bind(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.args

    return staticmethod(bind)


class Function(_C._FunctionBase, metaclass=FunctionMeta):
    """An operation with a gradient of its own. Subclass it, and call ``YourFunction.apply(*args)``.

    Either write ``forward(ctx, *args)``, or ``forward(*args)`` with ``setup_context(ctx, inputs, output)``;
    and ``backward(ctx, *grad_outputs)``, which returns one gradient (or None) per argument. Tensors for the
    backward pass go through ``ctx.save_for_backward``, anything else may become an attribute of ``ctx``. A
    backward pass made of tensor operations can be differentiated again.
    """

    def __init__(self, *args, **kwargs):
        warnings.warn(
            f"{self.__class__} should not be instantiated. Methods on autograd functions are all static, so "
            "you should "
            "invoke them on the class itself. Instantiating an autograd function will raise an error in a "
            "future version of PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args, **kwargs):
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use new-style "
            "autograd "
            "function with static forward method. (Example: https://pytorch.org/docs/stable/autograd.html#"
            "torch.autograd.Function)"
        )

    @staticmethod
    def forward(*args, **kwargs):
        """Computes the results; override it."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Says what the backward pass needs, for a ``forward`` that takes no ``ctx``."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx, *grad_outputs):
        """Computes the gradients of the arguments from those of the results; override it."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use "
            "it with backward mode AD."
        )

    # Another name of `backward`.
    @staticmethod
    def vjp(ctx, *grad_outputs):
        """As ``backward``; override one of the two."""
        return Function.backward(ctx, *grad_outputs)

    @staticmethod
    def jvp(ctx, *grad_inputs):
        """For forward mode; override it."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        )


class InplaceFunction(Function):
    """A function that may work in place; kept for old code."""

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace


def once_differentiable(fn):
    """Decorator for a ``backward`` that cannot be differentiated again: trying it raises RuntimeError."""

    @functools.wraps(fn)
    def wrapper(ctx, *args):
        with _C.no_grad():
            outputs = fn(ctx, *args)
        if not _C._any_requires_grad(args):
            return outputs
        single = not isinstance(outputs, tuple)
        refused = _C._delayed_error(
            "trying to differentiate twice a function that was marked with @once_differentiable",
            (outputs,) if single else outputs,
        )
        return refused[0] if single else refused

    return wrapper
