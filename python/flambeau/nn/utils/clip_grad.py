"""Gradients kept within bounds."""

import math
import warnings

import flambeau

from ... import _C

__all__ = ["clip_grad_norm_", "clip_grad_norm", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


def _listed(parameters):
    """The parameters as a list, whether one or many were given; an exhausted generator is pointed out."""
    if isinstance(parameters, _C.Tensor):
        return [parameters]
    generator = hasattr(parameters, "__next__")
    parameters = list(parameters)
    if generator and not parameters:
        warnings.warn("`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=3)
    return parameters


def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The norm of all tensors as if they were one vector.

    Args:
        tensors: an iterable of tensors, or one.
        norm_type (float): order of the norm; inf for the largest absolute value. Default: 2
        error_if_nonfinite (bool): raise RuntimeError when the norm is nan or infinite.
        foreach: accepted for compatibility.
    """
    tensors = [tensors] if isinstance(tensors, _C.Tensor) else list(tensors)
    norm_type = float(norm_type)
    if not tensors:
        return flambeau.tensor(0.0)
    first = tensors[0].device
    norms = [flambeau.linalg.vector_norm(t, norm_type) for t in tensors]
    total = flambeau.linalg.vector_norm(flambeau.stack([n.to(first) for n in norms]), norm_type)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from "
            "`parameters` is non-finite, so it cannot be clipped. To disable "
            "this error and scale the gradients by the non-finite norm anyway, "
            "set `error_if_nonfinite=False`"
        )
    return total


def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scale the gradients by max_norm / total_norm if that is below 1, in place."""
    grads = [p.grad for p in _listed(parameters) if p.grad is not None]
    if not grads:
        return
    with flambeau.no_grad():
        # Multiplying always, by 1 at most, avoids waiting for a value on a device.
        factor = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
        for g in grads:
            g.mul_(factor.to(g.device))


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale all gradients so that their total norm is at most `max_norm`; returns the norm before.

    Args:
        parameters: an iterable of tensors, or one; those without a gradient are left out.
        max_norm (float): the bound.
        norm_type, error_if_nonfinite, foreach: as for `get_total_norm`.
    """
    parameters = _listed(parameters)
    with flambeau.no_grad():
        total = get_total_norm(
            [p.grad for p in parameters if p.grad is not None], norm_type, error_if_nonfinite, foreach
        )
        clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def clip_grad_norm(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Deprecated name of `clip_grad_norm_`."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(parameters, clip_value, foreach=None):
    """Clamp every element of every gradient to [-clip_value, clip_value]."""
    clip_value = float(clip_value)
    with flambeau.no_grad():
        for p in _listed(parameters):
            if p.grad is not None:
                p.grad.clamp_(min=-clip_value, max=clip_value)
