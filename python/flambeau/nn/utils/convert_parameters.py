"""Many parameters as one vector, and back."""

import flambeau

from ... import _C

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def _check_device(param, device):
    own = param.device
    if device is None:
        return own
    if own != device:
        raise TypeError("Found two parameters on different devices, this is currently not supported.")
    return device


def parameters_to_vector(parameters):
    """All parameters, flattened and joined in order."""
    device = None
    parts = []
    for param in parameters:
        device = _check_device(param, device)
        parts.append(param.view(-1))
    return flambeau.cat(parts)


def vector_to_parameters(vec, parameters):
    """Cut `vec` into the parameters' sizes and make the pieces their data."""
    if not isinstance(vec, _C.Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {flambeau.typename(vec)}")
    device = None
    at = 0
    for param in parameters:
        device = _check_device(param, device)
        n = param.numel()
        param.data = vec[at : at + n].view_as(param).data
        at += n
