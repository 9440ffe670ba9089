"""The uniform distribution."""

import flambeau

from . import constraints
from .distribution import Distribution, shape_of
from .utils import broadcast_all

__all__ = ["Uniform"]


class Uniform(Distribution):
    """Uniform between `low` (included) and `high`."""

    has_rsample = True

    def __init__(self, low, high, validate_args=None):
        self.low, self.high = broadcast_all(low, high)
        super().__init__(shape_of(low, high, tensors=[self.low]), validate_args=validate_args)

    @property
    def arg_constraints(self):
        """Each bounds the other."""
        return {"low": constraints.less_than(self.high), "high": constraints.greater_than(self.low)}

    @constraints.dependent_property
    def support(self):
        """The closed interval."""
        return constraints.interval(self.low, self.high)

    @property
    def mean(self):
        """(low + high) / 2"""
        return (self.high + self.low) / 2

    @property
    def mode(self):
        """nan: no value is more probable than another."""
        return flambeau.full_like(self.high, float("nan"))

    @property
    def stddev(self):
        """(high - low) / sqrt(12)"""
        return (self.high - self.low) / 12**0.5

    @property
    def variance(self):
        """(high - low)^2 / 12"""
        return (self.high - self.low).pow(2) / 12

    def expand(self, batch_shape, _instance=None):
        return self._expanded(batch_shape, _instance, "low", "high")

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        return self.low + flambeau.rand(shape, dtype=self.low.dtype, device=self.low.device) * (
            self.high - self.low
        )

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        inside = (self.low.le(value) & self.high.gt(value)).type_as(self.low)
        return flambeau.log(inside) - flambeau.log(self.high - self.low)

    def cdf(self, value):
        if self._validate_args:
            self._validate_sample(value)
        return ((value - self.low) / (self.high - self.low)).clamp(min=0, max=1)

    def icdf(self, value):
        return value * (self.high - self.low) + self.low

    def entropy(self):
        return flambeau.log(self.high - self.low)
