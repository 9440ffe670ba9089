"""Gradients: starting a backward pass, modes, and functions with a backward pass of their own."""

from .. import _C
from . import anomaly_mode, forward_ad, function, functional, grad_mode, graph, variable
from .anomaly_mode import detect_anomaly, set_detect_anomaly
from .function import Function
from .grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from .gradcheck import GradcheckError, gradcheck, gradgradcheck
from .variable import Variable

__all__ = [
    "Function",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]


def backward(
    tensors,
    grad_tensors=None,
    retain_graph=None,
    create_graph=False,
    grad_variables=None,
    inputs=None,
):
    """Adds the gradients of ``tensors`` into the ``.grad`` of the leaves they were computed from.

    Args:
        tensors: a tensor or a sequence of tensors.
        grad_tensors: for each of them the gradient to start with; None or left out for single numbers.
        retain_graph: keep what the graph saved, so that it can be walked again. Defaults to ``create_graph``.
        create_graph: record the backward pass itself, so that gradients can be differentiated.
        inputs: add into the ``.grad`` of these tensors only.
    """
    if grad_variables is not None:
        import warnings

        warnings.warn(
            "`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning, stacklevel=2
        )
        if grad_tensors is not None:
            raise RuntimeError(
                "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`. "
                "Please only use `grad_tensors`."
            )
        grad_tensors = grad_variables
    _C._backward(tensors, grad_tensors, retain_graph, create_graph, None, inputs)


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    only_inputs=True,
    allow_unused=None,
    is_grads_batched=False,
    materialize_grads=False,
):
    """The gradients of ``outputs`` for ``inputs``, as a tuple; no ``.grad`` changes.

    Args:
        outputs, inputs: a tensor or a sequence of tensors each.
        grad_outputs: for each output the gradient to start with; None or left out for single numbers.
        retain_graph, create_graph: as for :func:`backward`.
        allow_unused: give None, instead of an error, for inputs that the outputs do not depend on.
        materialize_grads: give zeros for such inputs.
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
            "allow_unused=False."
        )
    if is_grads_batched:
        return _grad_rows(
            outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused, materialize_grads
        )
    if not only_inputs:
        import warnings

        warnings.warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To accumulate "
            "gradient for other parts of the graph, please use torch.autograd.backward.",
            FutureWarning,
            stacklevel=2,
        )
    allow = bool(allow_unused) or materialize_grads
    found = _C._grad(outputs, inputs, grad_outputs, retain_graph, create_graph, allow)
    if materialize_grads and None in found:
        from flambeau import zeros_like

        wanted = _as_tuple(inputs)
        if any(g is None and isinstance(x, graph.GradientEdge) for x, g in zip(wanted, found)):
            raise RuntimeError(
                "materialize_grads cannot be used when the given input is a GradientEdge"
            )
        found = tuple(zeros_like(x) if g is None else g for x, g in zip(wanted, found))
    return found


def _as_tuple(values):
    if isinstance(values, (_C.Tensor, graph.GradientEdge)):
        return (values,)
    return tuple(values)


def _grad_rows(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused, materialize_grads):
    """``grad`` for each row of ``grad_outputs``; the results stacked."""
    from flambeau import stack

    outputs, seeds = _as_tuple(outputs), _as_tuple(grad_outputs)
    for i, (y, g) in enumerate(zip(outputs, seeds)):
        if g is not None and g.shape[1:] != y.shape:
            raise RuntimeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as "
                "the batch "
                "dimension. The sizes of the remaining dimensions are expected to match the shape of "
                "corresponding "
                f"output, but a mismatch was detected: grad_output[{i}] has a shape of "
                f"{g[0].shape[1:]} and output[{i}] "
                f"has a shape of {y.shape}. If you only want some tensors in `grad_output` to be "
                f"considered batched, "
                "consider using vmap."
            )
    count = next(g.shape[0] for g in seeds if g is not None)
    keep = create_graph if retain_graph is None else retain_graph
    rows = [
        grad(
            outputs,
            inputs,
            tuple(None if g is None else g[k] for g in seeds),
            retain_graph=keep or k + 1 < count,
            create_graph=create_graph,
            allow_unused=allow_unused,
            materialize_grads=materialize_grads,
        )
        for k in range(count)
    ]
    return tuple(None if column[0] is None else stack(column) for column in zip(*rows))


class _unsafe_preserve_version_counter:
    """Context manager: writes to a tensor (or a tuple of them) inside are not counted."""

    def __init__(self, tensors):
        self.tensors = (tensors,) if isinstance(tensors, _C.Tensor) else tensors
        self.versions = tuple(t._version for t in self.tensors)

    def __enter__(self):
        return None

    def __exit__(self, *args):
        for tensor, version in zip(self.tensors, self.versions):
            _C._set_version(tensor, version)
