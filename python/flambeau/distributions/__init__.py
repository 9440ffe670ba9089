"""Probability distributions whose samples, log-probabilities and gradients are tensors.

`sample()` gives values without a history, `rsample()` values through which gradients flow to the parameters;
`log_prob(value)` serves score-function estimators. From the same seed the samples are PyTorch's.
"""

from . import constraints, utils
from .bernoulli import Bernoulli
from .categorical import Categorical
from .cauchy import Cauchy, HalfCauchy
from .distribution import Distribution
from .exponential import Exponential
from .geometric import Geometric
from .gumbel import Gumbel
from .half_normal import HalfNormal
from .independent import Independent
from .kl import kl_divergence, register_kl
from .laplace import Laplace
from .log_normal import LogNormal
from .multivariate_normal import MultivariateNormal
from .normal import Normal
from .one_hot_categorical import OneHotCategorical, OneHotCategoricalStraightThrough
from .uniform import Uniform

__all__ = [
    "Bernoulli", "Categorical", "Cauchy", "Distribution", "Exponential", "Geometric", "Gumbel", "HalfCauchy",
    "HalfNormal", "Independent", "Laplace", "LogNormal", "MultivariateNormal", "Normal", "OneHotCategorical",
    "OneHotCategoricalStraightThrough", "Uniform", "constraints", "kl_divergence", "register_kl", "utils",
]  # fmt: skip
