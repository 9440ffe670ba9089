"""How a module is called when hooks are registered, and how they are registered."""

import functools
import warnings

from ... import _C
from .. import _hooks
from .._hooks import BackwardHook, RemovableHandle

Tensor = _C.Tensor


class CallMixin:
    """The part of `Module` that knows forward and backward hooks."""

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call `hook(module, args)` before each `forward`.

        The hook may return the arguments to use instead: a value or a tuple. With `with_kwargs` it is called
            as
        `hook(module, args, kwargs)` and may return a pair `(args, kwargs)`. `prepend` puts it before the
        hooks
        already registered. Returns a handle with `remove()`.
        """
        handle = RemovableHandle(self._forward_pre_hooks, extra_dict=self._forward_pre_hooks_with_kwargs)
        self._forward_pre_hooks[handle.id] = hook
        if with_kwargs:
            self._forward_pre_hooks_with_kwargs[handle.id] = True
        if prepend:
            self._forward_pre_hooks.move_to_end(handle.id, last=False)
        return handle

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
        """Call `hook(module, args, output)` after each `forward`; a result replaces the output.

        With `with_kwargs` it is called as `hook(module, args, kwargs, output)`; with `always_call` also when
        forward raised. Returns a handle with `remove()`.
        """
        handle = RemovableHandle(
            self._forward_hooks,
            extra_dict=[self._forward_hooks_with_kwargs, self._forward_hooks_always_called],
        )
        self._forward_hooks[handle.id] = hook
        if with_kwargs:
            self._forward_hooks_with_kwargs[handle.id] = True
        if always_call:
            self._forward_hooks_always_called[handle.id] = True
        if prepend:
            self._forward_hooks.move_to_end(handle.id, last=False)
        return handle

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """Call `hook(module, grad_output)` before the module's backward; a result replaces `grad_output`."""
        handle = RemovableHandle(self._backward_pre_hooks)
        self._backward_pre_hooks[handle.id] = hook
        if prepend:
            self._backward_pre_hooks.move_to_end(handle.id, last=False)
        return handle

    def register_backward_hook(self, hook):
        """Deprecated form of `register_full_backward_hook`: it sees only the last operation's gradients."""
        if self._is_full_backward_hook is True:
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a "
                "single Module. Please use only one of them."
            )
        self._is_full_backward_hook = False
        handle = RemovableHandle(self._backward_hooks)
        self._backward_hooks[handle.id] = hook
        return handle

    def register_full_backward_hook(self, hook, prepend=False):
        """Call `hook(module, grad_input, grad_output)` when the gradients of the module's inputs are known.

        Both are tuples, with None for what is no tensor; a result replaces `grad_input`. In-place changes of
        inputs or outputs of such a module are an error. Returns a handle with `remove()`.
        """
        if self._is_full_backward_hook is False:
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a "
                "single Module. Please use only one of them."
            )
        self._is_full_backward_hook = True
        handle = RemovableHandle(self._backward_hooks)
        self._backward_hooks[handle.id] = hook
        if prepend:
            self._backward_hooks.move_to_end(handle.id, last=False)
        return handle

    def _get_backward_hooks(self):
        """The backward hooks that concern this module: (full, of the deprecated kind)."""
        full, partial = [], []
        kind = _hooks._global_is_full_backward_hook
        if kind is True:
            full += _hooks._global_backward_hooks.values()
        elif kind is False:
            partial += _hooks._global_backward_hooks.values()
        if self._is_full_backward_hook is True:
            full += self._backward_hooks.values()
        elif self._is_full_backward_hook is False:
            partial += self._backward_hooks.values()
        return full, partial

    def _get_backward_pre_hooks(self):
        return [*_hooks._global_backward_pre_hooks.values(), *self._backward_pre_hooks.values()]

    def _maybe_warn_non_full_backward_hook(self, inputs, result, grad_fn):
        """Say where the deprecated backward hook cannot see the true gradients."""
        single = isinstance(result, Tensor)
        if not single and not (isinstance(result, tuple) and all(isinstance(r, Tensor) for r in result)):
            warnings.warn(
                "Using non-full backward hooks on a Module that does not return a "
                "single Tensor or a tuple of Tensors is deprecated and will be removed "
                "in future versions. This hook will be missing some of the grad_output. "
                "Please use register_full_backward_hook to get the documented behavior.",
                FutureWarning,
                stacklevel=2,
            )
            return
        result = (result,) if single else result
        inputs = (inputs,) if isinstance(inputs, Tensor) else inputs
        if not (isinstance(inputs, tuple) and all(isinstance(i, Tensor) for i in inputs)):
            warnings.warn(
                "Using non-full backward hooks on a Module that does not take as input a "
                "single Tensor or a tuple of Tensors is deprecated and will be removed "
                "in future versions. This hook will be missing some of the grad_input. "
                "Please use register_full_backward_hook to get the documented behavior.",
                FutureWarning,
                stacklevel=2,
            )
            return
        outs = {r.grad_fn for r in result if r.grad_fn is not None}
        if not outs or (len(outs) == 1 and grad_fn not in outs):
            text = (
                "Using a non-full backward hook when outputs are nested in python data structure "
                "is deprecated and will be removed in future versions. This hook will be missing "
                "some grad_output."
            )
        elif len(outs) > 1:
            text = (
                "Using a non-full backward hook when outputs are generated by different autograd Nodes "
                "is deprecated and will be removed in future versions. This hook will be missing "
                "some grad_output. Please use register_full_backward_hook to get the documented behavior."
            )
        else:
            # Ends of the graph among the inputs stand for themselves as "accumulate" nodes.
            before = {i.grad_fn for i in inputs if i.grad_fn is not None}
            n_leaves = sum(1 for i in inputs if i.requires_grad and i.grad_fn is None)
            nexts = [n[0] for n in grad_fn.next_functions if n[0] is not None]
            if before.issubset(nexts) and len(before) + n_leaves == len(nexts):
                return
            text = (
                "Using a non-full backward hook when the forward contains multiple autograd Nodes "
                "is deprecated and will be removed in future versions. This hook will be missing "
                "some grad_input. Please use register_full_backward_hook to get the documented "
                "behavior."
            )
        warnings.warn(text, FutureWarning, stacklevel=2)

    def _run_forward_hook(self, hook_id, hook, args, kwargs, result):
        if hook_id in self._forward_hooks_with_kwargs or hook_id in _hooks._global_forward_hooks_with_kwargs:
            return hook(self, args, kwargs, result)
        return hook(self, args, result)

    def _call_with_hooks(self, args, kwargs):
        """The whole call: pre-hooks, forward, hooks, and the edges for backward hooks."""
        always = self._forward_hooks_always_called or _hooks._global_forward_hooks_always_called
        if not always:
            return self._call_hooked(args, kwargs, None, [None])
        done, last = set(), [None]
        try:
            return self._call_hooked(args, kwargs, done, last)
        except Exception:
            for table, marks in (
                (_hooks._global_forward_hooks, _hooks._global_forward_hooks_always_called),
                (self._forward_hooks, self._forward_hooks_always_called),
            ):
                for hook_id, hook in list(table.items()):
                    if hook_id not in marks or hook_id in done:
                        continue
                    try:
                        res = self._run_forward_hook(hook_id, hook, args, kwargs, last[0])
                        if res is not None:
                            last[0] = res
                    except Exception as e:
                        where = "global module" if table is _hooks._global_forward_hooks else "module"
                        warnings.warn(
                            f"{where} forward hook with ``always_call=True`` raised an exception that was "
                            f"silenced as another error was raised in forward: {e}",
                            stacklevel=2,
                        )
            raise

    def _call_hooked(self, args, kwargs, done, last):
        full, partial = self._get_backward_hooks()
        pre = self._get_backward_pre_hooks()

        for hook_id, hook in (*_hooks._global_forward_pre_hooks.items(), *self._forward_pre_hooks.items()):
            if hook_id in self._forward_pre_hooks_with_kwargs:
                res = hook(self, args, kwargs)
                if res is not None:
                    if not (isinstance(res, tuple) and len(res) == 2):
                        raise RuntimeError(
                            "forward pre-hook must return None or a tuple "
                            f"of (new_args, new_kwargs), but got {res}."
                        )
                    args, kwargs = res
            else:
                res = hook(self, args)
                if res is not None:
                    args = res if isinstance(res, tuple) else (res,)

        watch = None
        if full or pre:
            watch = BackwardHook(self, full, pre)
            args = watch.setup_input_hook(args)

        forward = self._compiled_call_impl or self.forward
        result = last[0] = forward(*args, **kwargs)

        for hook_id, hook in (*_hooks._global_forward_hooks.items(), *self._forward_hooks.items()):
            if done is not None:
                done.add(hook_id)
            res = self._run_forward_hook(hook_id, hook, args, kwargs, result)
            if res is not None:
                result = last[0] = res

        if watch is not None:
            if isinstance(result, (Tensor, tuple)):
                result = watch.setup_output_hook(result)
            else:
                warnings.warn(
                    "For backward hooks to be called, module output should be a "
                    f"Tensor or a tuple of Tensors but received {type(result)}",
                    stacklevel=3,
                )
        if partial:
            self._hook_last_node(partial, args, result)
        return result

    def _hook_last_node(self, hooks, args, result):
        var = result
        while not isinstance(var, Tensor):
            var = next(v for v in var.values() if isinstance(v, Tensor)) if isinstance(var, dict) else var[0]
        grad_fn = var.grad_fn
        if grad_fn is not None:
            for hook in hooks:
                grad_fn.register_hook(functools.partial(hook, self))
            self._maybe_warn_non_full_backward_hook(args, result, grad_fn)
