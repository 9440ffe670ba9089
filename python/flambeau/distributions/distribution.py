"""What all distributions have in common."""

import flambeau

from . import constraints
from .utils import lazy_property

__all__ = ["Distribution"]


class Distribution:
    """The base of all distributions.

    A sample's shape is `sample_shape + batch_shape + event_shape`: how many samples, how many independent
    distributions, and one event of each.

    Args:
        batch_shape, event_shape: see above.
        validate_args (bool, optional): check parameters and values against their constraints (ValueError).
            Default: as `set_default_validate_args` says, at first True unless Python runs with -O.
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__

    @staticmethod
    def set_default_validate_args(value):
        """Whether distributions check their arguments when not told."""
        if value not in (True, False):
            raise ValueError
        Distribution._validate_args = value

    def __init__(self, batch_shape=(), event_shape=(), validate_args=None):
        self._batch_shape, self._event_shape = flambeau.Size(batch_shape), flambeau.Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if not self._validate_args:
            return
        for name, constraint in getattr(self, "arg_constraints", {}).items():
            derived = name not in self.__dict__ and isinstance(getattr(type(self), name, None), lazy_property)
            if constraints.is_dependent(constraint) or derived:
                continue
            value = getattr(self, name)
            if not constraint.check(value).all():
                raise ValueError(
                    f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) "
                    f"of distribution {self!r} to satisfy the constraint {constraint!r}, "
                    f"but found invalid values:\n{value}"
                )

    @property
    def batch_shape(self):
        """The shape of the parameters, without that of an event."""
        return self._batch_shape

    @property
    def event_shape(self):
        """The shape of one event."""
        return self._event_shape

    @property
    def arg_constraints(self):
        """A constraint for each parameter's name."""
        raise NotImplementedError

    @property
    def support(self):
        """The constraint that samples satisfy."""
        raise NotImplementedError

    @property
    def mean(self):
        """The expected value."""
        raise NotImplementedError

    @property
    def mode(self):
        """A most probable value."""
        raise NotImplementedError(f"{self.__class__} does not implement mode")

    @property
    def variance(self):
        """The expected squared distance from the mean."""
        raise NotImplementedError

    @property
    def stddev(self):
        """The square root of the variance."""
        return self.variance.sqrt()

    def expand(self, batch_shape, _instance=None):
        """The same distribution with a larger batch shape; parameters are expanded, not copied."""
        raise NotImplementedError

    def sample(self, sample_shape=()):
        """Samples without a history, of shape `sample_shape + batch_shape + event_shape`."""
        with flambeau.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape=()):
        """Samples through which gradients flow to the parameters, where `has_rsample`."""
        raise NotImplementedError

    def sample_n(self, n):
        """`sample((n,))`."""
        return self.sample((n,))

    def log_prob(self, value):
        """The logarithm of the density or probability at `value`; of shape `sample_shape + batch_shape`."""
        raise NotImplementedError

    def cdf(self, value):
        """The probability of at most `value`."""
        raise NotImplementedError

    def icdf(self, value):
        """The value that a sample falls below with probability `value`."""
        raise NotImplementedError

    def enumerate_support(self, expand=True):
        """All values of a discrete distribution, along a new first dimension."""
        raise NotImplementedError

    def entropy(self):
        """The entropy, in nats, of the batch's shape."""
        raise NotImplementedError

    def perplexity(self):
        """exp(entropy)."""
        return flambeau.exp(self.entropy())

    def _extended_shape(self, sample_shape=()):
        return flambeau.Size(tuple(sample_shape) + tuple(self._batch_shape) + tuple(self._event_shape))

    def _expanded(self, batch_shape, instance, *names, event=()):
        """A new instance whose parameters `names` are expanded; `event` are their event dimensions."""
        new = type(self).__new__(type(self)) if instance is None else instance
        shape = flambeau.Size(batch_shape)
        for name in names:
            if name in self.__dict__:
                setattr(new, name, getattr(self, name).expand(tuple(shape) + tuple(event)))
        Distribution.__init__(new, shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _validate_sample(self, value):
        if not isinstance(value, flambeau.Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        start = len(value.shape) - len(self._event_shape)
        if tuple(value.shape[max(start, 0) :]) != tuple(self._event_shape):
            raise ValueError(
                f"The right-most size of value must match event_shape: {value.shape} vs {self._event_shape}."
            )
        expected = tuple(self._batch_shape) + tuple(self._event_shape)
        for i, j in zip(reversed(value.shape), reversed(expected)):
            if i != 1 and j != 1 and i != j:
                raise ValueError(
                    f"Value is not broadcastable with batch_shape+event_shape: {value.shape} vs "
                    f"{flambeau.Size(expected)}."
                )
        try:
            support = self.support
        except NotImplementedError:
            return
        if not support.check(value).all():
            raise ValueError(
                "Expected value argument "
                f"({type(value).__name__} of shape {tuple(value.shape)}) "
                f"to be within the support ({support!r}) "
                f"of the distribution {self!r}, "
                f"but found invalid values:\n{value}"
            )

    def __repr__(self):
        names = [name for name in self.arg_constraints if name in self.__dict__]
        values = [self.__dict__[name] for name in names]
        shown = ", ".join(f"{n}: {v if v.numel() == 1 else v.size()}" for n, v in zip(names, values))
        return f"{self.__class__.__name__}({shown})"


def shape_of(*parameters, tensors):
    """The batch's shape: none if all parameters were given as numbers."""
    from numbers import Number

    return flambeau.Size() if all(isinstance(p, Number) for p in parameters) else tensors[0].size()
