"""Kullback-Leibler divergences between pairs of distributions."""

import math

import flambeau

from .bernoulli import Bernoulli
from .categorical import Categorical
from .exponential import Exponential
from .geometric import Geometric
from .half_normal import HalfNormal
from .independent import Independent
from .laplace import Laplace
from .log_normal import LogNormal
from .multivariate_normal import MultivariateNormal
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .uniform import Uniform

__all__ = ["kl_divergence", "register_kl"]

_RULES = {}


def register_kl(type_p, type_q):
    """Decorator: the function gives the divergence of a `type_p` from a `type_q`, and of their subclasses."""
    for given, name in ((type_p, "type_p"), (type_q, "type_q")):
        if not isinstance(given, type):
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {given}")

    def decorator(fun):
        _RULES[type_p, type_q] = fun
        return fun

    return decorator


def _rule(type_p, type_q):
    """The most specific rule: first by how near the class of p is, then that of q."""
    fits = [
        (type_p.__mro__.index(p), type_q.__mro__.index(q), fun)
        for (p, q), fun in _RULES.items()
        if issubclass(type_p, p) and issubclass(type_q, q)
    ]
    return min(fits, key=lambda fit: fit[:2])[2] if fits else None


def kl_divergence(p, q):
    """KL(p || q), of the batch's shape; NotImplementedError for a pair without a rule."""
    fun = _rule(type(p), type(q))
    if fun is None:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {p.__class__.__name__} "
            f"and q type {q.__class__.__name__}"
        )
    return fun(p, q)


@register_kl(Normal, Normal)
def _normal(p, q):
    ratio = (p.scale / q.scale).pow(2)
    distance = ((p.loc - q.loc) / q.scale).pow(2)
    return 0.5 * (ratio + distance - 1 - ratio.log())


@register_kl(LogNormal, LogNormal)
def _log_normal(p, q):
    return _normal(p.base_dist, q.base_dist)


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p, q):
    return _normal(p.base_dist, q.base_dist)


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p, q):
    softplus = flambeau.nn.functional.softplus
    one = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    one = flambeau.where(q.probs == 0, math.inf, one)
    one = flambeau.where(p.probs == 0, 0.0, one)
    zero = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    zero = flambeau.where(q.probs == 1, math.inf, zero)
    zero = flambeau.where(p.probs == 1, 0.0, zero)
    return one + zero


@register_kl(Categorical, Categorical)
def _categorical(p, q):
    t = p.probs * (p.logits - q.logits)
    t = flambeau.where((q.probs == 0).expand_as(t), math.inf, t)
    t = flambeau.where((p.probs == 0).expand_as(t), 0.0, t)
    return t.sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p, q):
    return _categorical(p._categorical, q._categorical)


@register_kl(Geometric, Geometric)
def _geometric(p, q):
    return -p.entropy() - flambeau.log1p(-q.probs) / p.probs - q.logits


@register_kl(Exponential, Exponential)
def _exponential(p, q):
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Laplace, Laplace)
def _laplace(p, q):
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * flambeau.exp(-distance / p.scale) - 1


@register_kl(Uniform, Uniform)
def _uniform(p, q):
    result = ((q.high - q.low) / (p.high - p.low)).log()
    return flambeau.where((q.low > p.low) | (q.high < p.high), math.inf, result)


@register_kl(Uniform, Normal)
def _uniform_normal(p, q):
    width = p.high - p.low
    normalizer = (math.sqrt(math.pi * 2) * q.scale / width).log()
    return (
        normalizer + ((width / q.scale).pow(2) / 12 + ((p.high + p.low - 2 * q.loc) / q.scale / 2).pow(2)) / 2
    )


@register_kl(Independent, Independent)
def _independent(p, q):
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return p._sum(kl_divergence(p.base_dist, q.base_dist))


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p, q):
    if p.event_shape != q.event_shape:
        raise ValueError(
            "KL-divergence between two Multivariate Normals with different event shapes cannot be computed"
        )
    a, b = p._unbroadcasted_scale_tril, q._unbroadcasted_scale_tril
    solve = flambeau.linalg.solve_triangular
    trace = solve(b, a.expand(flambeau.broadcast_shapes(a.shape, b.shape)), upper=False).pow(2).sum((-2, -1))
    moved = solve(b, (q.loc - p.loc).unsqueeze(-1), upper=False).squeeze(-1).pow(2).sum(-1)
    return q._half_log_det() - p._half_log_det() + 0.5 * (trace + moved - p.event_shape[0])
