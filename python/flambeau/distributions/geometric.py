"""The geometric distribution."""

import flambeau
import flambeau.nn.functional as F

from . import constraints
from .distribution import Distribution, shape_of
from .utils import broadcast_all, lazy_property, logits_to_probs, probs_to_logits

__all__ = ["Geometric"]


class Geometric(Distribution):
    """How many trials fail before the first success, each succeeding with probability `probs`."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(self, probs=None, logits=None, validate_args=None):
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        if probs is not None:
            (self.probs,) = broadcast_all(probs)
        else:
            (self.logits,) = broadcast_all(logits)
        given, tensor = (logits, self.logits) if probs is None else (probs, self.probs)
        super().__init__(shape_of(given, tensors=[tensor]), validate_args=validate_args)
        if self._validate_args and probs is not None and not (self.probs > 0).all():
            raise ValueError(
                f"Expected parameter probs ({type(self.probs).__name__} of shape {tuple(self.probs.shape)}) "
                f"of distribution {self!r} to be positive but found invalid values:\n"
                f"{self.probs[self.probs <= 0]}"
            )

    @lazy_property
    def logits(self):
        """The log-odds of success."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self):
        """The probabilities of success."""
        return logits_to_probs(self.logits, is_binary=True)

    @property
    def mean(self):
        """1 / probs - 1"""
        return 1.0 / self.probs - 1.0

    @property
    def mode(self):
        """0"""
        return flambeau.zeros_like(self.probs)

    @property
    def variance(self):
        """(1 / probs - 1) / probs"""
        return (1.0 / self.probs - 1.0) / self.probs

    def expand(self, batch_shape, _instance=None):
        return self._expanded(batch_shape, _instance, "probs", "logits")

    def sample(self, sample_shape=()):
        shape, tiny = self._extended_shape(sample_shape), flambeau.finfo(self.probs.dtype).tiny
        with flambeau.no_grad():
            u = flambeau.empty(shape, dtype=self.probs.dtype, device=self.probs.device).uniform_(tiny, 1)
            return (u.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        value, probs = broadcast_all(value, self.probs)
        probs = probs.clone(memory_format=flambeau.contiguous_format)
        probs[(probs == 1) & (value == 0)] = 0
        return value * (-probs).log1p() + self.probs.log()

    def entropy(self):
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs
