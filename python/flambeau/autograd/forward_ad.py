"""Forward mode is not there yet: no tensor is dual, and making one is refused."""

from collections import namedtuple

__all__ = ["UnpackedDualTensor", "dual_level", "make_dual", "unpack_dual"]

UnpackedDualTensor = namedtuple("UnpackedDualTensor", ("primal", "tangent"))
UnpackedDualTensor.__doc__ = (
    "What :func:`unpack_dual` returns; ``tangent`` is None for a tensor that is not dual."
)


def unpack_dual(tensor, *, level=None):
    """``(tensor, None)``: no tensor has a tangent."""
    return UnpackedDualTensor(tensor, None)


def _absent(*args, **kwargs):
    raise NotImplementedError(
        "forward-mode differentiation is not there yet; torch.autograd.functional.jvp computes the same by "
        "double backward"
    )


dual_level = make_dual = _absent
