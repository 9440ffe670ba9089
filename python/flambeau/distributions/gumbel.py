"""The Gumbel distribution of largest values."""

import math

import flambeau

from . import constraints
from .distribution import Distribution, shape_of
from .utils import broadcast_all

__all__ = ["Gumbel"]

EULER = 0.57721566490153286060


class Gumbel(Distribution):
    """The Gumbel distribution with mode `loc`."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc, scale, validate_args=None):
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(shape_of(loc, scale, tensors=[self.loc]), validate_args=validate_args)

    @property
    def mean(self):
        """loc + scale * Euler's constant"""
        return self.loc + self.scale * EULER

    @property
    def mode(self):
        """`loc`"""
        return self.loc

    @property
    def stddev(self):
        """pi / sqrt(6) * scale"""
        return math.pi / math.sqrt(6) * self.scale

    @property
    def variance(self):
        """pi^2 / 6 * scale^2"""
        return self.stddev.pow(2)

    def expand(self, batch_shape, _instance=None):
        return self._expanded(batch_shape, _instance, "loc", "scale")

    def rsample(self, sample_shape=()):
        shape, info = self._extended_shape(sample_shape), flambeau.finfo(self.loc.dtype)
        low, high = broadcast_all(flambeau.full_like(self.loc, info.tiny), 1 - info.eps)
        u = low + flambeau.rand(shape, dtype=self.loc.dtype, device=self.loc.device) * (high - low)
        return self.loc + -self.scale * (-u.log()).log()

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        y = (self.loc - value) / self.scale
        return (y - y.exp()) - self.scale.log()

    def cdf(self, value):
        if self._validate_args:
            self._validate_sample(value)
        return flambeau.exp(-flambeau.exp((self.loc - value) / self.scale))

    def icdf(self, value):
        return self.loc - self.scale * (-value.log()).log()

    def entropy(self):
        return self.scale.log() + (1 + EULER)
