"""Helpers of the distributions."""

from numbers import Number

import flambeau
import flambeau.nn.functional as F

__all__ = ["broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits"]


def broadcast_all(*values):
    """All values as tensors of one shape; numbers take the dtype and device of the first tensor."""
    if not all(isinstance(v, (flambeau.Tensor, Number)) for v in values):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects implementing "
            "__torch_function__."
        )
    like = {"dtype": flambeau.get_default_dtype()}
    for value in values:
        if isinstance(value, flambeau.Tensor):
            like = {"dtype": value.dtype, "device": value.device}
            break
    tensors = [v if isinstance(v, flambeau.Tensor) else flambeau.tensor(v, **like) for v in values]
    return flambeau.broadcast_tensors(*tensors)


def standard_normal(shape, like):
    """Standard normal numbers of `like`'s dtype and device, as a whole tensor drawn by `normal`."""
    zeros = flambeau.zeros(shape, dtype=like.dtype, device=like.device)
    return flambeau.normal(zeros, flambeau.ones(shape, dtype=like.dtype, device=like.device))


def clamp_probs(probs):
    """Probabilities kept an epsilon away from 0 and 1."""
    eps = flambeau.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs, is_binary=False):
    """Log-odds of `probs` if binary, else their logarithms."""
    clamped = clamp_probs(probs)
    return clamped.log() - (-clamped).log1p() if is_binary else clamped.log()


def logits_to_probs(logits, is_binary=False):
    """The sigmoid of `logits` if binary, else their softmax over the last dimension."""
    return flambeau.sigmoid(logits) if is_binary else F.softmax(logits, dim=-1)


class lazy_property:
    """A property computed once, with gradients, and then kept on the instance."""

    def __init__(self, wrapped):
        self.wrapped = wrapped
        self.__doc__ = wrapped.__doc__

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        with flambeau.enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.name, value)
        return value
