"""The Laplace distribution."""

import flambeau

from . import constraints
from .distribution import Distribution, shape_of
from .utils import broadcast_all

__all__ = ["Laplace"]


class Laplace(Distribution):
    """Exponential to both sides of `loc`, with mean absolute deviation `scale`."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc, scale, validate_args=None):
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(shape_of(loc, scale, tensors=[self.loc]), validate_args=validate_args)

    @property
    def mean(self):
        """`loc`"""
        return self.loc

    @property
    def mode(self):
        """`loc`"""
        return self.loc

    @property
    def variance(self):
        """2 * scale^2"""
        return 2 * self.scale.pow(2)

    @property
    def stddev(self):
        """sqrt(2) * scale"""
        return 2**0.5 * self.scale

    def expand(self, batch_shape, _instance=None):
        return self._expanded(batch_shape, _instance, "loc", "scale")

    def rsample(self, sample_shape=()):
        u = flambeau.empty(self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        u.uniform_(flambeau.finfo(self.loc.dtype).eps - 1, 1)
        return self.loc - self.scale * u.sign() * flambeau.log1p(-u.abs())

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        return -flambeau.log(2 * self.scale) - flambeau.abs(value - self.loc) / self.scale

    def cdf(self, value):
        if self._validate_args:
            self._validate_sample(value)
        d = value - self.loc
        return 0.5 - 0.5 * d.sign() * flambeau.expm1(-d.abs() / self.scale)

    def icdf(self, value):
        term = value - 0.5
        return self.loc - self.scale * term.sign() * flambeau.log1p(-2 * term.abs())

    def entropy(self):
        return 1 + flambeau.log(2 * self.scale)
