"""Activation checkpointing: run part of a model again in the backward pass instead of keeping its results."""

import contextlib
import functools
import warnings
import weakref

import flambeau

from .. import _C
from ..autograd.graph import saved_tensors_hooks

__all__ = [
    "CheckpointError",
    "CheckpointFunction",
    "GraphExecGroup",
    "check_backward_validity",
    "checkpoint",
    "checkpoint_sequential",
    "detach_variable",
    "noop_context_fn",
    "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
]

_settings = {"early_stop": None, "debug": None}


class CheckpointError(RuntimeError):
    """The second run of a checkpointed function did not save what the first one did."""


@contextlib.contextmanager
def _setting(name, value):
    previous = _settings[name]
    _settings[name] = value
    try:
        yield
    finally:
        _settings[name] = previous


def set_checkpoint_early_stop(enable):
    """Context manager for the forward pass: whether the second run ends as soon as it has computed what the
    backward pass needs (the default) or goes to the end."""
    return _setting("early_stop", enable)


def set_checkpoint_debug_enabled(enabled):
    """Context manager that decides about ``debug`` for every checkpoint inside; None leaves it to them."""
    return _setting("debug", enabled)


def noop_context_fn():
    """Two context managers that do nothing."""
    return contextlib.nullcontext(), contextlib.nullcontext()


def detach_variable(inputs):
    """The tensors of a tuple outside the graph, requiring gradients where they did; other values too."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(
            f"Only tuple of tensors is supported. Got Unsupported input type: {type(inputs).__name__}"
        )
    made = []
    for value in inputs:
        if isinstance(value, flambeau.Tensor):
            detached = value.detach()
            detached.requires_grad = value.requires_grad
            value = detached
        made.append(value)
    return tuple(made)


def check_backward_validity(inputs):
    """Warns if none of the tensors among ``inputs`` requires a gradient."""
    if not any(x.requires_grad for x in inputs if isinstance(x, flambeau.Tensor)):
        warnings.warn(
            "None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2
        )


@contextlib.contextmanager
def _random_state(state):
    """Puts the generator into ``state`` for the block; None leaves it alone."""
    if state is None:
        yield
        return
    outside = flambeau.get_rng_state()
    flambeau.set_rng_state(state)
    try:
        yield
    finally:
        flambeau.set_rng_state(outside)


class CheckpointFunction(flambeau.autograd.Function):
    """The re-entrant form: the node's backward pass runs the function again, and a pass through it."""

    @staticmethod
    def forward(ctx, run_function, preserve_rng_state, *args):
        check_backward_validity(args)
        ctx.run_function = run_function
        ctx.rng_state = flambeau.get_rng_state() if preserve_rng_state else None
        ctx.values = [None if isinstance(a, flambeau.Tensor) else a for a in args]
        ctx.places = [i for i, a in enumerate(args) if isinstance(a, flambeau.Tensor)]
        ctx.save_for_backward(*(args[i] for i in ctx.places))
        with flambeau.no_grad():
            return run_function(*args)

    @staticmethod
    def backward(ctx, *grads):
        if not _C._is_checkpoint_valid():
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an "
                "`inputs` parameter to .backward(). To resolve this error, you can either set "
                "use_reentrant=False, or call .backward() without passing the `inputs` argument."
            )
        inputs = list(ctx.values)
        for place, tensor in zip(ctx.places, ctx.saved_tensors):
            inputs[place] = tensor
        inputs = detach_variable(tuple(inputs))
        with _random_state(ctx.rng_state), flambeau.enable_grad():
            outputs = ctx.run_function(*inputs)
        if isinstance(outputs, flambeau.Tensor):
            outputs = (outputs,)
        pairs = [(y, g) for y, g in zip(outputs, grads) if isinstance(y, flambeau.Tensor) and y.requires_grad]
        if not pairs:
            raise RuntimeError(
                "none of output has requires_grad=True, this checkpoint() is not necessary"
            )
        flambeau.autograd.backward([y for y, _ in pairs], [g for _, g in pairs])
        return (None, None, *(x.grad if isinstance(x, flambeau.Tensor) else None for x in inputs))


_TIP = """
Tip: To see a more detailed error message, either pass `debug=True` to
`torch.utils.checkpoint.checkpoint(...)` or wrap the code block
with `with torch.utils.checkpoint.set_checkpoint_debug_enabled(True):` to
enable checkpoint\N{NON-BREAKING HYPHEN}debug mode globally.
"""


def _facts(tensor):
    return {"shape": tensor.shape, "dtype": tensor.dtype, "device": tensor.device}


_CHECKS = {"default": _facts, "none": lambda tensor: None}


class _Stop(Exception):
    """Ends the second run: everything that the backward pass needs is there."""


class _Token:
    """Stands in the graph for one saved tensor."""

    __slots__ = ("__weakref__", "frame", "place")

    def __init__(self, frame, place):
        self.frame = frame
        self.place = place


class _Frame:
    """One checkpointed call: how to run it again, and what its first run saved."""

    def __init__(self, rerun, inputs, facts_of, early_stop):
        self.rerun = rerun
        self.inputs = [
            _C._make_saved_tensor(x) if isinstance(x, flambeau.Tensor) else x for x in inputs
        ]
        self.facts_of = facts_of
        self.early_stop = early_stop
        self.tokens = []  # weak: of a part of the graph that is gone nothing is computed again
        self.facts = []
        self.complete = False
        # Per backward pass (or group of passes): tensors by token.
        self.found = {}

    def pack(self, tensor):
        token = _Token(self, len(self.tokens))
        self.tokens.append(weakref.ref(token))
        with flambeau.no_grad():
            self.facts.append(self.facts_of(tensor))
        return token

    def unpack(self, token):
        run = GraphExecGroup._current
        if run is None:
            run = _C._current_graph_task_id()
            if run == -1:
                # Asked for outside a backward pass: the result is not kept for others.
                run = object()
        found = self.found.get(run)
        if found is None:
            found = self.found[run] = weakref.WeakKeyDictionary()
            self._compute(found)
        if token not in found:
            raise CheckpointError(
                "torch.utils.checkpoint: Unpack is being triggered for a tensor that was already "
                "unpacked once. "
                "If you are calling ctx.saved_tensors in backward, make sure to do so only once. "
                "Otherwise please "
                "open an issue with details on your use case."
            )
        return found.pop(token)

    def _compute(self, found):
        count = 0
        partial = False

        def pack(tensor):
            nonlocal count, partial
            tensor = tensor.detach()
            place, count = count, count + 1
            if place >= len(self.tokens):
                if self.complete:
                    raise CheckpointError(
                        "torch.utils.checkpoint: trying to save more tensors during recomputation "
                        "than during the "
                        f"original forward pass.\n{_TIP}"
                    )
                # A pass inside the first run: what that run will save later is not asked for.
                partial = True
                return tensor
            token = self.tokens[place]()
            if token is not None:
                found[token] = tensor
            if self.early_stop and count == len(self.tokens):
                raise _Stop
            return tensor

        inputs = [x.unpack() if isinstance(x, _C.SavedTensor) else x for x in self.inputs]
        with saved_tensors_hooks(pack, lambda tensor: tensor), flambeau.enable_grad():
            try:
                self.rerun(*inputs)
            except _Stop:
                pass
        if partial:
            return
        if count != len(self.tokens):
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the original "
                "forward and "
                f"recomputation.\nNumber of tensors saved during forward: {len(self.tokens)}\n"
                f"Number of tensors saved during recomputation: {count}.\n{_TIP}"
            )
        differences = ""
        for place, reference in enumerate(self.tokens):
            token = reference()
            if token is None:
                continue
            now = self.facts_of(found[token])
            if now != self.facts[place]:
                differences += (
                    f"tensor at position {place}:\nsaved metadata: {self.facts[place]}\n"
                    f"recomputed metadata: {now}\n"
                )
        if differences:
            raise CheckpointError(
                "torch.utils.checkpoint: Recomputed values for the following tensors have different "
                "metadata than "
                f"during the forward pass.\n{differences}.\n{_TIP}"
            )


class GraphExecGroup:
    """Context manager: a checkpointed call is run again at most once for all backward passes inside.

    The passes must not need the same saved tensors. Only for ``use_reentrant=False``.
    """

    _current = None

    def __enter__(self):
        if GraphExecGroup._current is not None:
            raise RuntimeError(
                f"GraphExecGroup contexts cannot be nested. Already inside group {GraphExecGroup._current}"
            )
        GraphExecGroup._current = self
        return self

    def __exit__(self, *args):
        GraphExecGroup._current = None

    @classmethod
    def _get_current_group(cls):
        return cls._current


def _by_hooks(function, args, kwargs, preserve, context_fn, determinism_check, debug, early_stop):
    """The form without a pass inside the pass: saved tensors become tokens that can compute them again."""
    if debug if _settings["debug"] is None else _settings["debug"]:
        raise NotImplementedError(
            "checkpoint: debug=True needs a log of operations, which flambeau does not keep"
        )
    if determinism_check not in _CHECKS:
        raise ValueError(f"determinism_check should be one of {list(_CHECKS)}, but got {determinism_check}")
    forward_context, again_context = context_fn()
    if not flambeau.is_grad_enabled():
        return function(*args, **kwargs)
    state = flambeau.get_rng_state() if preserve else None

    def rerun(*inputs):
        with _random_state(state), again_context:
            function(*inputs, **kwargs)

    stop = early_stop if _settings["early_stop"] is None else _settings["early_stop"]
    frame = _Frame(rerun, args, _CHECKS[determinism_check], stop)
    with saved_tensors_hooks(frame.pack, frame.unpack), forward_context:
        result = function(*args, **kwargs)
    frame.complete = True
    return result


def checkpoint(
    function=None,
    *args,
    use_reentrant=None,
    preserve_rng_state=True,
    context_fn=noop_context_fn,
    determinism_check="default",
    debug=False,
    early_stop=True,
    respect_saved_tensors_hooks=None,
    **kwargs,
):
    """``function(*args, **kwargs)``, whose intermediate results are not kept but computed again for backward.

    Without a function: a decorator with these settings.

    Args:
        function: what to run; it must do the same when run again.
        use_reentrant: True runs the function again inside the backward pass with a pass of its own, which
            needs an input that requires a gradient and takes no keyword arguments; False (recommended) puts
            saved-tensor hooks around it.
        preserve_rng_state: the second run draws the same random numbers as the first.
        context_fn: returns a context manager for each of the two runs (use_reentrant=False only).
        determinism_check: "default" compares shape, dtype and device of what both runs save; "none" does not.
        debug: not supported; raises NotImplementedError when set.
        early_stop: the second run ends as soon as it has computed what is needed (use_reentrant=False only).

    Raises :class:`CheckpointError` from ``backward()`` if the second run saves other tensors than the first.
    """
    settings = {
        "use_reentrant": use_reentrant,
        "preserve_rng_state": preserve_rng_state,
        "context_fn": context_fn,
        "determinism_check": determinism_check,
        "debug": debug,
        "early_stop": early_stop,
        "respect_saved_tensors_hooks": respect_saved_tensors_hooks,
    }
    if function is None and not args:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))

        def decorate(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                return _checkpoint(function, args, kwargs, **settings)

            return wrapper

        return decorate
    return _checkpoint(function, args, kwargs, **settings)


def _checkpoint(
    function,
    args,
    kwargs,
    *,
    use_reentrant,
    preserve_rng_state,
    context_fn,
    determinism_check,
    debug,
    early_stop,
    respect_saved_tensors_hooks,
):
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. In a future "
            "release, calling checkpoint without use_reentrant will raise an exception. "
            "use_reentrant=False is "
            "recommended, but if you need to preserve the current default behavior, you can pass "
            "use_reentrant=True. Refer to docs for more details on the differences between the two variants.",
            stacklevel=3,
        )
        use_reentrant = True
    if not use_reentrant:
        return _by_hooks(
            function, args, kwargs, preserve_rng_state, context_fn, determinism_check, debug, early_stop
        )
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if context_fn is not noop_context_fn or debug is not False or respect_saved_tensors_hooks is not None:
        raise ValueError(
            "Passing `context_fn`, `debug`, or `respect_saved_tensors_hooks` is only supported when "
            "use_reentrant=False."
        )
    return CheckpointFunction.apply(function, preserve_rng_state, *args)


def checkpoint_sequential(functions, segments, input, use_reentrant=None, **kwargs):
    """Runs a sequence of modules or functions in ``segments`` parts, each but the last one checkpointed.

    Args:
        functions: an ``nn.Sequential`` or a list.
        segments: into how many parts of equal length to divide it; the last one takes the rest.
        input: what goes into the first.
        use_reentrant, preserve_rng_state: as for :func:`checkpoint`.
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be passed "
            "explicitly. In a future release, we will raise an exception if use_reentrant is not passed. "
            "use_reentrant=False is recommended, but if you need to preserve the current default "
            "behavior, you "
            "can pass use_reentrant=True. Refer to docs for more details on the differences between the two "
            "variants.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if isinstance(functions, flambeau.nn.Sequential):
        functions = list(functions.children())

    def part(some):
        def run(x):
            for function in some:
                x = function(x)
            return x

        return run

    size = len(functions) // segments
    start = 0
    for _ in range(segments - 1):
        segment = part(functions[start : start + size])
        start += size
        input = checkpoint(segment, input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return part(functions[start:])(input)
