"""The categorical distribution."""

import flambeau

from . import constraints
from .distribution import Distribution
from .utils import lazy_property, logits_to_probs, probs_to_logits

__all__ = ["Categorical"]


class Categorical(Distribution):
    """An index along the last dimension of `probs` (not necessarily normalised), or of `logits`.

    >>> Categorical(torch.tensor([0.25, 0.25, 0.25, 0.25])).log_prob(torch.tensor(3))
    tensor(-1.3863)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True

    def __init__(self, probs=None, logits=None, validate_args=None):
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        name, given = ("logits", logits) if probs is None else ("probs", probs)
        if given.dim() < 1:
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if probs is not None:
            self.probs = probs / probs.sum(-1, keepdim=True)
        else:
            self.logits = logits - logits.logsumexp(dim=-1, keepdim=True)
        self._num_events = given.size()[-1]
        super().__init__(given.size()[:-1], validate_args=validate_args)

    @property
    def _param(self):
        return self.probs if "probs" in self.__dict__ else self.logits

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        """The whole numbers from 0 to the number of categories, excluded."""
        return constraints.integer_interval(0, self._num_events - 1)

    @lazy_property
    def logits(self):
        """The logarithms of the probabilities."""
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self):
        """The probabilities; they sum to one."""
        return logits_to_probs(self.logits)

    @property
    def param_shape(self):
        """The shape of the parameter."""
        return self._param.size()

    @property
    def mean(self):
        """nan: the categories have no order."""
        return flambeau.full(
            tuple(self._batch_shape), float("nan"), dtype=self.probs.dtype, device=self.probs.device
        )

    @property
    def mode(self):
        """The most probable index."""
        return self.probs.argmax(dim=-1)

    @property
    def variance(self):
        """nan"""
        return self.mean

    def expand(self, batch_shape, _instance=None):
        new = self._expanded(batch_shape, _instance, "probs", "logits", event=(self._num_events,))
        new._num_events = self._num_events
        return new

    def sample(self, sample_shape=()):
        count = flambeau.Size(sample_shape).numel()
        with flambeau.no_grad():
            drawn = flambeau.multinomial(self.probs.reshape(-1, self._num_events), count, True).T
        return drawn.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        value, log_pmf = flambeau.broadcast_tensors(value.long().unsqueeze(-1), self.logits)
        return log_pmf.gather(-1, value[..., :1]).squeeze(-1)

    def entropy(self):
        # A probability of zero has a logit of -inf, and 0 * -inf would be nan.
        logits = flambeau.clamp(self.logits, min=flambeau.finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand=True):
        values = flambeau.arange(self._num_events, dtype=flambeau.long, device=self._param.device)
        values = values.view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1,) + tuple(self._batch_shape)) if expand else values
