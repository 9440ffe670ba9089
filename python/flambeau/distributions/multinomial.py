"""The multinomial distribution."""

import flambeau

from . import constraints
from .binomial import Binomial
from .categorical import Categorical
from .distribution import Distribution
from .utils import broadcast_all

__all__ = ["Multinomial"]


class Multinomial(Distribution):
    """How often each of K outcomes comes in ``total_count`` trials."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        self._categorical = Categorical(probs=probs, logits=logits)
        self._binomial = Binomial(total_count=total_count, probs=self.probs)
        shape = self._categorical.param_shape
        super().__init__(self._categorical.batch_shape, shape[-1:], validate_args=validate_args)

    @property
    def mean(self):
        return self.probs * self.total_count

    @property
    def variance(self):
        return self.total_count * self.probs * (1 - self.probs)

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(Multinomial, _instance)
        batch_shape = flambeau.Size(batch_shape)
        new.total_count = self.total_count
        new._categorical = self._categorical.expand(batch_shape)
        new._binomial = self._binomial.expand(batch_shape + self.event_shape)
        super(Multinomial, new).__init__(batch_shape, self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self):
        return constraints.multinomial(self.total_count)

    @property
    def logits(self):
        return self._categorical.logits

    @property
    def probs(self):
        return self._categorical.probs

    @property
    def param_shape(self):
        return self._categorical.param_shape

    def sample(self, sample_shape=flambeau.Size()):
        sample_shape = flambeau.Size(sample_shape)
        samples = self._categorical.sample(flambeau.Size((self.total_count,)) + sample_shape)
        # The trials become the last dimension.
        samples = samples.permute(*range(1, samples.dim()), 0)
        counts = samples.new_zeros(self._extended_shape(sample_shape))
        counts.scatter_add_(-1, samples, flambeau.ones_like(samples))
        return counts.type_as(self.probs)

    def entropy(self):
        n = flambeau.tensor(self.total_count)
        weights = flambeau.exp(self._binomial.log_prob(self._binomial.enumerate_support(expand=False)[1:]))
        values = self._binomial.enumerate_support(expand=False)[1:]
        term = (weights * flambeau.lgamma(values + 1)).sum([0, -1])
        return n * self._categorical.entropy() - flambeau.lgamma(n + 1) + term

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        logits = logits.clone(memory_format=flambeau.contiguous_format)
        logits[(value == 0) & (logits == -flambeau.inf)] = 0
        powers = (logits * value).sum(-1)
        return flambeau.lgamma(value.sum(-1) + 1) - flambeau.lgamma(value + 1).sum(-1) + powers
