"""What distributions give; `torch` is PyTorch or flambeau."""

REAL = [[0.3, -1.2], [0.0, 2.5], [-0.7, 0.9]]
POSITIVE = [[0.5, 1.0], [2.0, 0.3], [1.7, 0.9]]
UNIT = [[0.1, 0.5], [0.9, 0.3], [0.25, 0.75]]
WEIGHTS = [[0.1, 0.2, 0.3, 0.4], [1.0, 1.0, 1.0, 5.0], [0.7, 0.1, 0.1, 0.1]]
COVARIANCE = [[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 1.5]]
FACTOR = [[1.5, 0.0, 0.0], [0.5, 1.0, 0.0], [0.1, -0.3, 0.7]]

DISTRIBUTIONS = {
    "bernoulli": lambda D, t: D.Bernoulli(t(UNIT)),
    "bernoulli_logits": lambda D, t: D.Bernoulli(logits=t(REAL)),
    "categorical": lambda D, t: D.Categorical(t(WEIGHTS)),
    "categorical_logits": lambda D, t: D.Categorical(logits=t(WEIGHTS)),
    "cauchy": lambda D, t: D.Cauchy(t(REAL), t(POSITIVE)),
    "exponential": lambda D, t: D.Exponential(t(POSITIVE)),
    "geometric": lambda D, t: D.Geometric(t(UNIT)),
    "gumbel": lambda D, t: D.Gumbel(t(REAL), t(POSITIVE)),
    "half_cauchy": lambda D, t: D.HalfCauchy(t(POSITIVE)),
    "half_normal": lambda D, t: D.HalfNormal(t(POSITIVE)),
    "independent": lambda D, t: D.Independent(D.Normal(t(REAL), t(POSITIVE)), 1),
    "laplace": lambda D, t: D.Laplace(t(REAL), t(POSITIVE)),
    "log_normal": lambda D, t: D.LogNormal(t(REAL), t(POSITIVE)),
    "multivariate_normal": lambda D, t: D.MultivariateNormal(t([1.0, 2.0, 3.0]), t(COVARIANCE)),
    "multivariate_normal_precision": lambda D, t: D.MultivariateNormal(
        t([[0.0] * 3] * 2), precision_matrix=t(COVARIANCE)
    ),
    "multivariate_normal_tril": lambda D, t: D.MultivariateNormal(t([0.0] * 3), scale_tril=t(FACTOR)),
    "normal": lambda D, t: D.Normal(t(REAL), t(POSITIVE)),
    "normal_numbers": lambda D, t: D.Normal(0.0, 2.0),
    "one_hot": lambda D, t: D.OneHotCategorical(t(WEIGHTS)),
    "straight_through": lambda D, t: D.OneHotCategoricalStraightThrough(logits=t(WEIGHTS)),
    "uniform": lambda D, t: D.Uniform(t(REAL), t(REAL) + t(POSITIVE)),
}

PAIRS = {
    "bernoulli": lambda D, t: (D.Bernoulli(t([0.0, 0.3, 1.0])), D.Bernoulli(t([0.2, 0.0, 0.4]))),
    "categorical": lambda D, t: (D.Categorical(t(WEIGHTS)), D.Categorical(t(WEIGHTS[0]))),
    "exponential": lambda D, t: (D.Exponential(t(POSITIVE)), D.Exponential(2.0)),
    "geometric": lambda D, t: (D.Geometric(t(UNIT)), D.Geometric(0.4)),
    "half_normal": lambda D, t: (D.HalfNormal(t(POSITIVE)), D.HalfNormal(2.0)),
    "independent": lambda D, t: tuple(D.Independent(D.Normal(t(REAL), s), 1) for s in (t(POSITIVE), t(UNIT))),
    "laplace": lambda D, t: (D.Laplace(t(REAL), t(POSITIVE)), D.Laplace(0.0, 1.0)),
    "log_normal": lambda D, t: (D.LogNormal(t(REAL), t(POSITIVE)), D.LogNormal(0.0, 1.0)),
    "multivariate_normal": lambda D, t: (
        D.MultivariateNormal(t([1.0, 2.0, 3.0]), t(COVARIANCE)),
        D.MultivariateNormal(t([0.0] * 3), scale_tril=t(FACTOR)),
    ),
    "normal": lambda D, t: (D.Normal(t(REAL), t(POSITIVE)), D.Normal(0.0, 1.0)),
    "one_hot": lambda D, t: (D.OneHotCategorical(t(WEIGHTS)), D.OneHotCategorical(t(WEIGHTS[2]))),
    "uniform": lambda D, t: (D.Uniform(t([0.0, 1.0]), t([1.0, 3.0])), D.Uniform(0.0, 2.0)),
    "uniform_normal": lambda D, t: (D.Uniform(t(REAL), t(REAL) + t(POSITIVE)), D.Normal(0.0, 1.0)),
}  # fmt: skip

ERRORS = {
    "negative_scale": lambda D, t: D.Normal(t([0.0, 0.0]), t([1.0, -1.0])),
    "neither": lambda D, t: D.Categorical(),
    "both": lambda D, t: D.Bernoulli(0.5, 0.0),
    "no_dimension": lambda D, t: D.Categorical(t(1.0)),
    "nan_logits": lambda D, t: D.Categorical(logits=t([float("nan"), 1.0])),
    "outside": lambda D, t: D.Categorical(t([0.5, 0.5])).log_prob(t(2)),
    "not_a_tensor": lambda D, t: D.Normal(0.0, 1.0).log_prob(1.0),
    "not_broadcastable": lambda D, t: D.Normal(t([0.0, 0.0]), 1.0).log_prob(t([0.0] * 3)),
    "empty_interval": lambda D, t: D.Uniform(1.0, 0.0),
    "above_one": lambda D, t: D.Bernoulli(t([1.5])),
    "not_bool": lambda D, t: D.Bernoulli(t([0.5])).log_prob(t([0.3])),
    "no_matrix": lambda D, t: D.MultivariateNormal(t([0.0, 0.0])),
    "not_definite": lambda D, t: D.MultivariateNormal(t([0.0, 0.0]), t([[-1.0, 0.0], [0.0, 1.0]])),
    "event_shape": lambda D, t: D.MultivariateNormal(t([0.0, 0.0]), t([[1.0, 0.0], [0.0, 1.0]])).log_prob(
        t([0.0] * 3)
    ),
    "too_many": lambda D, t: D.Independent(D.Normal(0.0, 1.0), 1),
    "no_rule": lambda D, t: D.kl_divergence(D.Normal(0.0, 1.0), D.Categorical(t([1.0, 1.0]))),
    "a_string": lambda D, t: D.Normal(t([0.0, 0.0]), "a"),
}

ATTRIBUTES = [
    "mean",
    "mode",
    "variance",
    "stddev",
    "probs",
    "logits",
    "covariance_matrix",
    "precision_matrix",
]


def listed(x):
    """Nine digits of every value; nan and inf as text, which JSON can hold."""
    flat = [
        v if abs(v) < float("inf") else repr(v)
        for v in (float(f"{float(v):.9g}") for v in x.flatten().tolist())
    ]
    return {"dtype": str(x.dtype), "shape": list(x.shape), "values": flat}


def describe(torch, name):
    """Everything that one distribution gives, from one seed."""
    D = torch.distributions
    d = DISTRIBUTIONS[name](D, torch.tensor)
    found = {
        "repr": repr(d),
        "support": repr(d.support),
        "batch": list(d.batch_shape),
        "event": list(d.event_shape),
    }
    for attribute in ATTRIBUTES:
        if hasattr(d, attribute):
            found[attribute] = listed(getattr(d, attribute))
    torch.manual_seed(7)
    for shape in [(), (2,), (2, 3)]:
        sample = d.sample(shape)
        found[f"sample{shape}"] = listed(sample)
        found[f"log_prob{shape}"] = listed(d.log_prob(sample))
        if d.has_rsample:
            found[f"rsample{shape}"] = listed(d.rsample(shape))
    wide = d.expand((2,) + tuple(d.batch_shape))
    found["expanded"] = listed(wide.log_prob(wide.sample()))
    single = d.sample()
    for method, argument in [
        ("entropy", ()),
        ("cdf", (single,)),
        ("icdf", (torch.full(tuple(single.shape), 0.3),)),
    ]:
        try:
            found[method] = listed(getattr(d, method)(*argument))
        except NotImplementedError:
            pass
    if d.has_enumerate_support:
        found["enumerated"] = listed(d.enumerate_support())
    return found


def divergence(torch, name):
    """KL of one pair."""
    return listed(torch.distributions.kl_divergence(*PAIRS[name](torch.distributions, torch.tensor)))


def error(torch, name):
    """The exception of a misuse."""
    try:
        ERRORS[name](torch.distributions, torch.tensor)
    except Exception as e:
        return f"{type(e).__name__}: {e}"
    return "no error"


def gradients(torch):
    """Through samples, and through scores and entropies."""
    D = torch.distributions
    torch.manual_seed(3)
    loc, scale, logits = (torch.tensor(x, requires_grad=True) for x in (REAL, POSITIVE, WEIGHTS))
    D.Normal(loc, scale).rsample((4,)).square().sum().backward()
    d = D.Categorical(logits=logits)
    (d.log_prob(d.sample()) + d.entropy()).sum().backward()
    return [listed(x.grad) for x in (loc, scale, logits)]
