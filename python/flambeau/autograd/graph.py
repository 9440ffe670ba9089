"""What a graph is made of, and hooks on what it saves."""

import contextlib
import functools
import threading
import weakref
from collections import defaultdict
from typing import Any, NamedTuple

import flambeau

from .. import _C
from ..utils.hooks import RemovableHandle

__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "queue_callback",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]

Node = _C._Node
"""The class of every ``grad_fn``."""


class GradientEdge(NamedTuple):
    """Where a tensor's gradient goes: one output of a node. ``autograd.grad`` and ``backward`` take it in
    place of the tensor."""

    node: Any
    output_nr: int
    # Keeps the graph alive where the node's object does not: for custom functions.
    ownership_token: Any = None


def _node_of(tensor):
    """The node that the gradient of a tensor (or edge) arrives at."""
    if isinstance(tensor, GradientEdge):
        return tensor.node
    if tensor.requires_grad and tensor.grad_fn is None:
        # A leaf's accumulator is the next function of any view.
        with flambeau.enable_grad():
            node = tensor.view_as(tensor).grad_fn.next_functions[0][0]
    else:
        node = tensor.grad_fn
    if node is None:
        raise AssertionError("Expected gradient function to be set")
    return node


def get_gradient_edge(tensor):
    """The edge that the gradient of ``tensor`` arrives at. Raises RuntimeError if it does not require one."""
    if not tensor.requires_grad:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require gradients"
        )
    node = _node_of(tensor)
    token = None
    if isinstance(node, _C._FunctionBase):
        with flambeau.enable_grad():
            token = tensor.view_as(tensor).grad_fn
    return GradientEdge(node, tensor.output_nr, ownership_token=token)


def increment_version(tensor):
    """Tells autograd that ``tensor`` (or each of several) was written to by other means."""
    for one in (tensor,) if isinstance(tensor, _C.Tensor) else tensor:
        _C._bump_version(one)


def queue_callback(callback):
    """Runs ``callback()`` once the backward pass that runs now has ended well.

    For hooks and custom functions. Raises RuntimeError outside a backward pass.
    """
    _C._queue_callback(callback)


class saved_tensors_hooks:
    """Context manager: tensors that operations save for their backward pass are kept as ``pack_hook`` says.

    Args:
        pack_hook: called with each tensor when it is saved; what it returns is kept instead. It must not
            write to the tensor, and should not return it as it is (``x.detach()`` avoids a cycle).
        unpack_hook: called with what was kept whenever the tensor is needed; returns a tensor of the same
            shape, dtype and values.

    Of nested pairs only the innermost one is used.
    """

    def __init__(self, pack_hook, unpack_hook):
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self):
        _C._push_saved_tensors_default_hooks(self.pack_hook, self.unpack_hook)

    def __exit__(self, *args):
        _C._pop_saved_tensors_default_hooks()


class save_on_cpu(saved_tensors_hooks):
    """Context manager: saved tensors wait in the CPU's memory for the backward pass.

    Args:
        pin_memory: use page-locked memory where a CUDA device is available.
        device_type: the kind of device that the tensors come from.
    """

    def __init__(self, pin_memory=False, device_type="cuda"):
        device_module = getattr(flambeau, device_type, flambeau.cuda)

        def pack(tensor):
            if not (pin_memory and device_module.is_available()):
                return tensor.device, tensor.cpu()
            kept = flambeau.empty(tensor.size(), dtype=tensor.dtype, pin_memory=True)
            kept.copy_(tensor, non_blocking=True)
            return tensor.device, kept

        def unpack(kept):
            device, tensor = kept
            return tensor.to(device, non_blocking=pin_memory)

        super().__init__(pack, unpack)


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message):
    """Context manager: using saved-tensor hooks inside raises RuntimeError with this message."""
    previous = _C._saved_tensors_hooks_disabled()
    try:
        _C._saved_tensors_hooks_disable(error_message)
        yield
    finally:
        _C._saved_tensors_hooks_disable(previous)


class _MultiHandle(RemovableHandle):
    """Removes several hooks at once."""

    def __init__(self, handles):
        self.handles = handles

    def remove(self):
        for handle in self.handles:
            handle.remove()

    def __getstate__(self):
        return self.handles

    def __setstate__(self, state):
        self.handles = state


def register_multi_grad_hook(tensors, fn, *, mode="all"):
    """Calls ``fn`` when the gradients of several tensors are known.

    Args:
        tensors: tensors that require a gradient.
        fn: with mode "all" called once per backward pass, with one gradient (or None, where the pass does not
            come by) per tensor, when the last of them has been computed; with mode "any" called with the
            first gradient that is computed.

    Returns a handle whose ``remove()`` takes the hooks away.
    """
    modes = ("all", "any")
    if mode not in modes:
        raise ValueError(f"Expects mode to be one of {modes} but got {mode}")
    lock = threading.Lock()

    def this_pass():
        number = _C._current_graph_task_id()
        if number == -1:
            raise AssertionError("expected this hook to be called inside a backward call")
        return number

    if mode == "any":
        seen = set()

        @functools.wraps(fn)
        def first(grad):
            number = this_pass()
            with lock:
                if number in seen:
                    return
                seen.add(number)
            fn(grad)

        return _MultiHandle(tuple(t.register_hook(first) for t in tensors if t.requires_grad))

    nodes = [_node_of(t) for t in tensors]
    gathered = {}  # per pass: [how many are still to come, gradients]

    def collect(place, grad):
        number = this_pass()
        with lock:
            if number not in gathered:
                gathered[number] = [sum(map(_C._will_engine_execute_node, nodes)), [None] * len(nodes)]
            entry = gathered[number]
            entry[0] -= 1
        entry[1][place] = grad
        if entry[0] == 0:
            del gathered[number]
            fn(entry[1])

    def hook_for(place):
        def hook(grad):
            collect(place, grad)

        return hook

    return _MultiHandle(tuple(t.register_hook(hook_for(i)) for i, t in enumerate(tensors)))


class _Kept:
    """A saved tensor under :func:`allow_mutation_on_saved_tensors`: itself, until it is written to."""

    __slots__ = ("tensor", "version", "__weakref__")

    def __init__(self, tensor):
        self.tensor = tensor
        self.version = tensor._version


class _AllowMutationOnSavedContext:
    """What one block of :func:`allow_mutation_on_saved_tensors` has saved, by storage."""

    def __init__(self):
        self.kept = defaultdict(list)

    def clear(self):
        self.kept.clear()

    def before_write(self, target):
        """Copies what was saved of a tensor's memory at its present version."""
        for reference in self.kept.pop(target.untyped_storage().data_ptr(), ()):
            one = reference()
            if one is not None and one.version == one.tensor._version:
                with flambeau.no_grad():
                    one.tensor = one.tensor.detach().clone()
                one.version = one.tensor._version


_mutation_allowed = None


@contextlib.contextmanager
def allow_mutation_on_saved_tensors():
    """Context manager: tensors saved for the backward pass may be written to; they are copied then.

    Forward and backward pass must run under the same block. Blocks cannot be nested.
    """
    global _mutation_allowed
    if _mutation_allowed is not None:
        raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
    context = _AllowMutationOnSavedContext()

    def pack(tensor):
        one = _Kept(tensor.detach())
        context.kept[tensor.untyped_storage().data_ptr()].append(weakref.ref(one))
        return one

    def unpack(one):
        if _mutation_allowed is not context:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' contextin which "
                "the graph "
                "was originally recorded."
            )
        return one.tensor

    with saved_tensors_hooks(pack, unpack):
        _mutation_allowed = context
        _C._set_before_write(context.before_write)
        try:
            yield context
        finally:
            _C._set_before_write(None)
            context.clear()
            _mutation_allowed = None
