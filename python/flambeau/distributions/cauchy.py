"""The Cauchy distribution and its positive half."""

import math

import flambeau

from . import constraints
from .distribution import Distribution, shape_of
from .utils import broadcast_all

__all__ = ["Cauchy", "HalfCauchy"]


class Cauchy(Distribution):
    """The Cauchy (Lorentz) distribution with median `loc` and half width at half maximum `scale`."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc, scale, validate_args=None):
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(shape_of(loc, scale, tensors=[self.loc]), validate_args=validate_args)

    @property
    def mean(self):
        """nan: it does not exist."""
        return flambeau.full_like(self.scale, math.nan)

    @property
    def mode(self):
        """`loc`"""
        return self.loc

    @property
    def variance(self):
        """inf"""
        return flambeau.full_like(self.scale, math.inf)

    def expand(self, batch_shape, _instance=None):
        return self._expanded(batch_shape, _instance, "loc", "scale")

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        return (
            self.loc
            + flambeau.empty(shape, dtype=self.loc.dtype, device=self.loc.device).cauchy_() * self.scale
        )

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        return -math.log(math.pi) - self.scale.log() - ((value - self.loc) / self.scale).pow(2).log1p()

    def cdf(self, value):
        if self._validate_args:
            self._validate_sample(value)
        return flambeau.atan((value - self.loc) / self.scale) / math.pi + 0.5

    def icdf(self, value):
        return flambeau.tan(math.pi * (value - 0.5)) * self.scale + self.loc

    def entropy(self):
        return math.log(4 * math.pi) + self.scale.log()


class HalfCauchy(Distribution):
    """|X| where X is Cauchy with median 0."""

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, scale, validate_args=None):
        self.base_dist = Cauchy(0, scale, validate_args=False)
        super().__init__(self.base_dist.batch_shape, validate_args=validate_args)

    @property
    def scale(self):
        """The width."""
        return self.base_dist.scale

    @property
    def mean(self):
        """inf"""
        return flambeau.full_like(self.scale, math.inf)

    @property
    def mode(self):
        """0"""
        return flambeau.zeros_like(self.scale)

    @property
    def variance(self):
        """inf"""
        return flambeau.full_like(self.scale, math.inf)

    def expand(self, batch_shape, _instance=None):
        new = self._expanded(batch_shape, _instance)
        new.base_dist = self.base_dist.expand(batch_shape)
        return new

    def rsample(self, sample_shape=()):
        return self.base_dist.rsample(sample_shape).abs()

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        value = flambeau.as_tensor(value, dtype=self.scale.dtype, device=self.scale.device)
        return flambeau.where(value >= 0, self.base_dist.log_prob(value) + math.log(2), -math.inf)

    def cdf(self, value):
        if self._validate_args:
            self._validate_sample(value)
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, value):
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self):
        return self.base_dist.entropy() - math.log(2)
