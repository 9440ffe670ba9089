"""The exponential distribution."""

import flambeau

from . import constraints
from .distribution import Distribution, shape_of
from .utils import broadcast_all

__all__ = ["Exponential"]


class Exponential(Distribution):
    """The waiting time between events that come at `rate`."""

    arg_constraints = {"rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, rate, validate_args=None):
        (self.rate,) = broadcast_all(rate)
        super().__init__(shape_of(rate, tensors=[self.rate]), validate_args=validate_args)

    @property
    def mean(self):
        """1 / rate"""
        return self.rate.reciprocal()

    @property
    def mode(self):
        """0"""
        return flambeau.zeros_like(self.rate)

    @property
    def stddev(self):
        """1 / rate"""
        return self.rate.reciprocal()

    @property
    def variance(self):
        """1 / rate^2"""
        return self.rate.pow(-2)

    def expand(self, batch_shape, _instance=None):
        return self._expanded(batch_shape, _instance, "rate")

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        return (
            flambeau.empty(shape, dtype=self.rate.dtype, device=self.rate.device).exponential_() / self.rate
        )

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value):
        if self._validate_args:
            self._validate_sample(value)
        return 1 - flambeau.exp(-self.rate * value)

    def icdf(self, value):
        return -flambeau.log1p(-value) / self.rate

    def entropy(self):
        return 1.0 - flambeau.log(self.rate)
