"""Helpers of distributions."""

import functools
import numbers

import flambeau

__all__ = ["broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits"]

euler_constant = 0.57721566490153286060


def broadcast_all(*values):
    """Tensors and numbers as tensors of one shape; numbers take the dtype and device of the tensors."""
    for value in values:
        if not isinstance(value, (flambeau.Tensor, numbers.Number)) and not hasattr(
            value, "__torch_function__"
        ):
            raise ValueError(
                "Input arguments must all be instances of Number, torch.Tensor or objects implementing "
                "__torch_function__."
            )
    options = {"dtype": flambeau.get_default_dtype()}
    for value in values:
        if isinstance(value, flambeau.Tensor):
            options = {"dtype": value.dtype, "device": value.device}
            break
    return flambeau.broadcast_tensors(
        *(
            value if isinstance(value, flambeau.Tensor) else flambeau.tensor(value, **options)
            for value in values
        )
    )


def _standard_normal(shape, dtype, device):
    zeros = flambeau.zeros(shape, dtype=dtype, device=device)
    return flambeau.normal(zeros, flambeau.ones(shape, dtype=dtype, device=device))


def _sum_rightmost(value, dim):
    """The sum over the last ``dim`` dimensions."""
    return value if dim == 0 else value.reshape(value.shape[:-dim] + (-1,)).sum(-1)


def logits_to_probs(logits, is_binary=False):
    """Probabilities from log odds, or from logarithms up to a constant along the last dimension."""
    return flambeau.sigmoid(logits) if is_binary else flambeau.softmax(logits, dim=-1)


def clamp_probs(probs):
    """Probabilities kept off 0 and 1 by the dtype's epsilon."""
    eps = flambeau.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs, is_binary=False):
    """Logarithms of probabilities, or their log odds."""
    probs = clamp_probs(probs)
    return flambeau.log(probs) - flambeau.log1p(-probs) if is_binary else flambeau.log(probs)


class lazy_property:
    """A property that is computed when first read and then kept on the instance."""

    def __init__(self, wrapped):
        self.wrapped = wrapped
        functools.update_wrapper(self, wrapped)

    def __get__(self, instance, obj_type=None):
        if instance is None:
            return property(self.wrapped)
        with flambeau.enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value
