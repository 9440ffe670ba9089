"""The absolute value of a normal variable around zero."""

import math

import flambeau

from . import constraints
from .distribution import Distribution
from .normal import Normal

__all__ = ["HalfNormal"]


class HalfNormal(Distribution):
    """|X| where X is normal with mean 0 and standard deviation `scale`."""

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, scale, validate_args=None):
        self.base_dist = Normal(0, scale, validate_args=False)
        super().__init__(self.base_dist.batch_shape, validate_args=validate_args)

    @property
    def scale(self):
        """The width."""
        return self.base_dist.scale

    @property
    def mean(self):
        """scale * sqrt(2 / pi)"""
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def mode(self):
        """0"""
        return flambeau.zeros_like(self.scale)

    @property
    def variance(self):
        """scale^2 * (1 - 2 / pi)"""
        return self.scale.pow(2) * (1 - 2 / math.pi)

    def expand(self, batch_shape, _instance=None):
        new = self._expanded(batch_shape, _instance)
        new.base_dist = self.base_dist.expand(batch_shape)
        return new

    def rsample(self, sample_shape=()):
        return self.base_dist.rsample(sample_shape).abs()

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        inside = self.base_dist.log_prob(value) + math.log(2)
        return flambeau.where(value >= 0, inside, -math.inf)

    def cdf(self, value):
        if self._validate_args:
            self._validate_sample(value)
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, value):
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self):
        return self.base_dist.entropy() - math.log(2)
