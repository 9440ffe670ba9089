"""What a graph is made of."""

from collections import namedtuple

from .. import _C

__all__ = ["GradientEdge", "Node", "get_gradient_edge", "increment_version"]

Node = _C._Node
"""The class of every ``grad_fn``."""

GradientEdge = namedtuple("GradientEdge", ("node", "output_nr"))
GradientEdge.__doc__ = "Where a tensor's gradient goes: one output of a node."


def get_gradient_edge(tensor):
    """The edge that the gradient of ``tensor`` arrives at. Raises RuntimeError if it does not require one."""
    if not tensor.requires_grad:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require gradients."
        )
    node = tensor.grad_fn
    if node is None:
        # A leaf's accumulator: the next function of any view.
        import flambeau

        with flambeau.enable_grad():
            node = tensor.view_as(tensor).grad_fn.next_functions[0][0]
    return GradientEdge(node, tensor.output_nr)


def increment_version(tensor):
    """Tells autograd that ``tensor`` (or each of several) was written to by other means."""
    for one in (tensor,) if isinstance(tensor, _C.Tensor) else tensor:
        _C._bump_version(one)
