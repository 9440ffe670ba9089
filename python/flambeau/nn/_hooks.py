"""Hooks of modules: removable handles, the global registries, and gradients seen at a module's edge."""

import warnings
import weakref
from collections import OrderedDict

import flambeau

from .. import _C
from ..utils.hooks import RemovableHandle  # noqa: F401

Tensor = _C.Tensor


class WrappedHook:
    """A hook that also receives the module, without keeping it alive."""

    def __init__(self, hook, module=None):
        self.hook = hook
        self.__name__ = getattr(hook, "__name__", "hook")
        self.with_module = module is not None
        if self.with_module:
            self.module = weakref.ref(module)

    def __call__(self, *args, **kwargs):
        if not self.with_module:
            return self.hook(*args, **kwargs)
        module = self.module()
        if module is None:
            raise RuntimeError("You are trying to call the hook of a dead Module!")
        return self.hook(module, *args, **kwargs)

    def __getstate__(self):
        state = {"hook": self.hook, "with_module": self.with_module}
        if self.with_module:
            state["module"] = self.module()
        return state

    def __setstate__(self, state):
        self.hook = state["hook"]
        self.__name__ = getattr(self.hook, "__name__", "hook")
        self.with_module = state["with_module"]
        if self.with_module:
            if state["module"] is None:
                raise RuntimeError("You are trying to revive the hook of a dead Module!")
            self.module = weakref.ref(state["module"])


# Hooks for every module of the process, by kind.
_global_backward_pre_hooks = OrderedDict()
_global_backward_hooks = OrderedDict()
_global_forward_pre_hooks = OrderedDict()
_global_forward_hooks = OrderedDict()
_global_forward_hooks_always_called = OrderedDict()
_global_forward_hooks_with_kwargs = OrderedDict()
_global_buffer_registration_hooks = OrderedDict()
_global_module_registration_hooks = OrderedDict()
_global_parameter_registration_hooks = OrderedDict()

# The kind of the global backward hooks: None while there are none.
_global_is_full_backward_hook = None


def has_any_global_hook():
    """Whether any hook for all modules concerns calls."""
    return bool(
        _global_backward_pre_hooks
        or _global_backward_hooks
        or _global_forward_pre_hooks
        or _global_forward_hooks
    )


def _register(registry, hook, extra=()):
    handle = RemovableHandle(registry, extra_dict=list(extra))
    registry[handle.id] = hook
    for table in extra:
        table[handle.id] = True
    return handle


def register_module_buffer_registration_hook(hook):
    """Call `hook(module, name, buffer)` whenever any module registers a buffer; its result replaces the
    buffer.
    """
    return _register(_global_buffer_registration_hooks, hook)


def register_module_module_registration_hook(hook):
    """Call `hook(module, name, submodule)` whenever a child is registered; its result replaces the child."""
    return _register(_global_module_registration_hooks, hook)


def register_module_parameter_registration_hook(hook):
    """Call `hook(module, name, param)` whenever a parameter is registered; its result replaces the
    parameter.
    """
    return _register(_global_parameter_registration_hooks, hook)


def register_module_forward_pre_hook(hook):
    """Call `hook(module, args)` before the forward of every module; a result replaces the arguments."""
    return _register(_global_forward_pre_hooks, hook)


def register_module_forward_hook(hook, *, with_kwargs=False, always_call=False):
    """Call `hook(module, args, output)` after the forward of every module; a result replaces the output.

    With `with_kwargs` the hook also receives the keyword arguments, before the output; with `always_call` it
    runs even when forward raised.
    """
    extra = []
    if with_kwargs:
        extra.append(_global_forward_hooks_with_kwargs)
    if always_call:
        extra.append(_global_forward_hooks_always_called)
    return _register(_global_forward_hooks, hook, extra)


def register_module_backward_hook(hook):
    """Deprecated form of `register_module_full_backward_hook`, which sees the last operation's gradients
    only.
    """
    global _global_is_full_backward_hook
    if _global_is_full_backward_hook is True:
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a global Module hook. "
            "Please use only one of them."
        )
    _global_is_full_backward_hook = False
    return _register(_global_backward_hooks, hook)


def register_module_full_backward_pre_hook(hook):
    """Call `hook(module, grad_output)` before each module's backward; a result replaces the gradients."""
    return _register(_global_backward_pre_hooks, hook)


def register_module_full_backward_hook(hook):
    """Call `hook(module, grad_input, grad_output)` when each module's input gradients are known."""
    global _global_is_full_backward_hook
    if _global_is_full_backward_hook is False:
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a global Module hook. "
            "Please use only one of them."
        )
    _global_is_full_backward_hook = True
    return _register(_global_backward_hooks, hook)


_function = None


def _edge(on_grads, materialize, tensors):
    """Pass `tensors` through an identity whose backward is `on_grads(grads) -> grads`."""
    global _function
    if _function is None:
        # Built at first use: flambeau.autograd need not be loaded when flambeau.nn is.
        from .modules._functions import BackwardHookFunction

        _function = BackwardHookFunction
    return _function.apply(on_grads, materialize, *tensors)


def _spread(values, index, n):
    out = [None] * n
    for i, v in zip(index, values):
        out[i] = v
    return tuple(out)


class BackwardHook:
    """One call's watch on the gradients at a module's inputs and outputs.

    Both edges are identities in the graph: the one at the outputs runs first in backward and keeps what
    arrives,
    the one at the inputs then runs the user's hooks with both.
    """

    def __init__(self, module, user_hooks, user_pre_hooks):
        self.user_hooks = user_hooks
        self.user_pre_hooks = user_pre_hooks
        self.module = module
        self.grad_outputs = None
        self.n_outputs = -1
        self.output_index = None
        self.n_inputs = -1
        self.input_index = None

    def _check(self, old, new, what):
        if not isinstance(new, tuple):
            new = (new,)
        if len(new) != len(old):
            raise RuntimeError(
                f"{what} returned an invalid number of grad_"
                f"{'output' if 'pre' in what else 'input'}, got {len(new)}, but expected {len(old)}"
            )
        return new

    def _wrap(self, args, on_grads, materialize):
        index = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        if not (flambeau.is_grad_enabled() and any(args[i].requires_grad for i in index)):
            return args, None
        tensors = _edge(on_grads, materialize, [args[i] for i in index])
        if isinstance(tensors, Tensor):
            tensors = (tensors,)
        out = list(args)
        for i, t in zip(index, tensors):
            out[i] = t
        return (type(args)(*out) if hasattr(args, "_fields") else tuple(out)), index

    def setup_input_hook(self, args):
        """Put the input edge behind the tensors among `args`."""
        self.n_inputs = len(args)
        res, self.input_index = self._wrap(args, self._on_input_grads, True)
        return res

    def setup_output_hook(self, out):
        """Put the output edge before the tensors of `out`, a tensor or a tuple."""
        single = isinstance(out, Tensor)
        args = (out,) if single else out
        self.n_outputs = len(args)
        # Known before backward and needed there, so computed first.
        self.output_index = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        res, _ = self._wrap(args, self._on_output_grads, False)
        return res[0] if single else res

    def _on_input_grads(self, grads):
        if self.grad_outputs is None:
            # Gradient that did not come through the module's output, as in double backward.
            return grads
        grad_input = _spread(grads, self.input_index, self.n_inputs)
        for hook in self.user_hooks:
            res = hook(self.module, grad_input, self.grad_outputs)
            if res is not None:
                grad_input = self._check(grad_input, res, "Backward hook")
        self.grad_outputs = None
        return tuple(grad_input[i] for i in self.input_index)

    def _on_output_grads(self, grads):
        grad_outputs = _spread(grads, self.output_index, self.n_outputs)
        for hook in self.user_pre_hooks:
            res = hook(self.module, grad_outputs)
            if res is not None:
                grad_outputs = self._check(grad_outputs, res, "Backward pre hook")
        self.grad_outputs = grad_outputs
        if self.input_index is None:
            if self.user_hooks:
                warnings.warn(
                    "Full backward hook is firing when gradients are computed "
                    "with respect to module outputs since no inputs require gradients. See "
                    "https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html"
                    "#torch.nn.Module.register_full_backward_hook for more details.",
                    stacklevel=5,
                )
            nothing = (None,) * self.n_inputs
            for hook in self.user_hooks:
                res = hook(self.module, nothing, grad_outputs)
                if res is not None and not (isinstance(res, tuple) and all(r is None for r in res)):
                    raise RuntimeError(
                        "Backward hook for Modules where no input requires gradient should always "
                        "return None or None for all gradients."
                    )
            self.grad_outputs = None
        return tuple(grad_outputs[i] for i in self.output_index)
