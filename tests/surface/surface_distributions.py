"""Distributions: draws, densities, moments, divergences, maps; see tests/tools/record_surface.py."""

SETUP = """
D, C, T = torch.distributions, torch.distributions.constraints, torch.distributions.transforms
torch.manual_seed(0)
a, b = torch.tensor([0.5, 1.5, 3.0]), torch.tensor([2.0, 0.7, 1.0])
p, v = torch.tensor([0.2, 0.5, 0.9]), torch.tensor([0.3, 0.6, 0.8])
k, w = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
S = torch.tensor([[2.0, 0.5], [0.5, 1.0]])
def grads(make, *params):
    params = [x.clone().requires_grad_() for x in params]
    make(*params).rsample((4,)).sum().backward()
    return [x.grad for x in params]
"""

# What is built, and a value to ask about.
MADE = {
    "D.Normal(a, b)": "v",
    "D.Normal(0.0, 2.0)": "v",
    "D.Bernoulli(p)": "torch.tensor([0.0, 1.0, 1.0])",
    "D.Bernoulli(logits=a)": "torch.tensor([0.0, 1.0, 1.0])",
    "D.Bernoulli(0.3)": "torch.tensor(1.0)",
    "D.Categorical(w)": "torch.tensor([2, 0])",
    "D.Categorical(logits=w)": "torch.tensor([[1, 2], [0, 0]])",
    "D.Uniform(-a, b)": "v",
    "D.Uniform(0.0, 1.0)": "v",
    "D.Exponential(a)": "v",
    "D.Gamma(a, b)": "v",
    "D.Gamma(2.0, 3.0)": "v",
    "D.Chi2(a)": "v",
    "D.Dirichlet(w)": "torch.tensor([0.1, 0.2, 0.7])",
    "D.Dirichlet(a)": "torch.tensor([0.1, 0.2, 0.7])",
    "D.Beta(a, b)": "v",
    "D.Beta(0.5, 0.5)": "v",
    "D.Laplace(a, b)": "v",
    "D.Cauchy(a, b)": "v",
    "D.Poisson(4 * a)": "k",
    "D.Poisson(torch.tensor([12.0, 100.0, 1e4]))": "k",
    "D.Geometric(p)": "k",
    "D.Geometric(logits=a)": "k",
    "D.Binomial(3, p)": "k",
    "D.Binomial(torch.tensor([100.0, 40, 60]), p)": "k",
    "D.Binomial(3, logits=a)": "k",
    "D.NegativeBinomial(4, p)": "k",
    "D.Multinomial(5, w)": "torch.tensor([1.0, 2.0, 2.0])",
    "D.OneHotCategorical(w)": "torch.eye(3)[:2]",
    "D.OneHotCategoricalStraightThrough(w)": "torch.eye(3)[:2]",
    "D.MultivariateNormal(a[:2], S)": "v[:2]",
    "D.MultivariateNormal(a[:2], scale_tril=S.tril())": "v[:2]",
    "D.MultivariateNormal(a[:2], precision_matrix=S)": "v[:2]",
    "D.StudentT(4 * a, a, b)": "v",
    "D.FisherSnedecor(4 * a, 5 * b)": "v",
    "D.Gumbel(a, b)": "v",
    "D.HalfNormal(b)": "v",
    "D.HalfCauchy(b)": "v",
    "D.LogNormal(a, b)": "v",
    "D.LogisticNormal(a, b)": "torch.tensor([0.1, 0.2, 0.3, 0.4])",
    "D.Pareto(v / 2, a)": "v",
    "D.Weibull(a, b)": "v",
    "D.Kumaraswamy(a, b)": "v",
    "D.InverseGamma(a, b)": "v",
    "D.RelaxedBernoulli(torch.tensor(0.5), p)": "v",
    "D.RelaxedOneHotCategorical(torch.tensor(0.5), w)": "torch.tensor([0.1, 0.2, 0.7])",
    "D.Independent(D.Normal(a, b), 1)": "v",
    "D.MixtureSameFamily(D.Categorical(w[0]), D.Normal(a, b))": "v",
    "D.TransformedDistribution(D.Normal(a, b), [T.SigmoidTransform(), T.AffineTransform(1.0, 2.0)])": "1 + 2 * v",
}

SAME = """
D.kl_divergence(D.Normal(a, b), D.Normal(b, a))
D.kl_divergence(D.Bernoulli(p), D.Bernoulli(v))
D.kl_divergence(D.Beta(a, b), D.Beta(b, a))
D.kl_divergence(D.Binomial(3, p), D.Binomial(3, v))
D.kl_divergence(D.Categorical(w[0]), D.Categorical(w[1]))
D.kl_divergence(D.OneHotCategorical(w[0]), D.OneHotCategorical(w[1]))
D.kl_divergence(D.Dirichlet(a), D.Dirichlet(b))
D.kl_divergence(D.Exponential(a), D.Exponential(b))
D.kl_divergence(D.Gamma(a, b), D.Gamma(b, a))
D.kl_divergence(D.Gumbel(a, b), D.Gumbel(b, a))
D.kl_divergence(D.Geometric(p), D.Geometric(v))
D.kl_divergence(D.HalfNormal(a), D.HalfNormal(b))
D.kl_divergence(D.Laplace(a, b), D.Laplace(b, a))
D.kl_divergence(D.MultivariateNormal(a[:2], S), D.MultivariateNormal(b[:2], torch.eye(2)))
D.kl_divergence(D.Pareto(a, b), D.Pareto(b, a))
D.kl_divergence(D.Poisson(a), D.Poisson(b))
D.kl_divergence(D.LogNormal(a, b), D.LogNormal(b, a))
D.kl_divergence(D.Uniform(-a, b), D.Uniform(-b - 1, a + 2))
D.kl_divergence(D.Exponential(a), D.Gamma(a, b))
D.kl_divergence(D.Gamma(a, b), D.Exponential(b))
D.kl_divergence(D.Laplace(a, b), D.Normal(b, a))
D.kl_divergence(D.Normal(a, b), D.Gumbel(b, a))
D.kl_divergence(D.Uniform(-a, b), D.Normal(b, a))
D.kl_divergence(D.Beta(a, b), D.Uniform(torch.zeros(3), torch.ones(3)))
D.kl_divergence(D.Normal(a, b), D.Uniform(a, a + b))
D.kl_divergence(D.Bernoulli(p), D.Poisson(b))
D.kl_divergence(D.Cauchy(a, b), D.Cauchy(b, a))
D.kl_divergence(D.Independent(D.Normal(a, b), 1), D.Independent(D.Normal(b, a), 1))
D.kl_divergence(D.Normal(a, b), D.Poisson(a))
grads(D.Normal, a, b)
grads(D.Laplace, a, b)
grads(D.Exponential, a)
grads(D.Uniform, -a, b)
grads(D.Gumbel, a, b)
grads(D.LogNormal, a, b)
grads(D.MultivariateNormal, a[:2], S)
grads(lambda x: D.RelaxedBernoulli(torch.tensor(0.5), x), p)
D.Normal(a, -b)
D.Normal(torch.tensor([1.0, float("nan")]), 1.0)
D.Bernoulli(p, p)
D.Bernoulli(1.5)
D.Categorical(torch.tensor(1.0))
D.Categorical()
D.Categorical(-w)
D.Normal(a, b).log_prob(3.0)
D.Normal(a, b).log_prob(torch.ones(2))
D.Exponential(a).log_prob(-v)
D.Bernoulli(p).log_prob(v)
D.Categorical(w).log_prob(torch.tensor([3, 0]))
D.Uniform(0.0, 1.0).log_prob(torch.tensor(2.0))
D.Uniform(b, a)
D.Geometric(torch.zeros(2))
D.MultivariateNormal(a[:2])
D.MultivariateNormal(a[:2], -S)
D.Normal(a, b, validate_args=False).log_prob(torch.tensor(float("nan")))
D.Normal(a, b).mode
D.Dirichlet(torch.tensor(1.0))
D.Distribution().sample()
D.Poisson(a).rsample()
D.Independent(D.Normal(a, b), 2)
D.TransformedDistribution(D.Normal(a, b), 3)
D.MixtureSameFamily(D.Categorical(w), D.Normal(a, b))
D.Normal(a, b).expand([2, 3]).sample()
D.Categorical(w).expand([4, 2]).sample((2,))
D.Bernoulli(p).enumerate_support()
D.Categorical(w).enumerate_support()
D.Categorical(w).enumerate_support(expand=False)
D.Binomial(2, p).enumerate_support()
D.OneHotCategorical(w).enumerate_support()
D.Normal(a, b).perplexity()
D.Normal(a, b).sample_n(2)
D.Categorical(w).param_shape
D.Categorical(w).support
D.Uniform(a, a + 1).support
D.Independent(D.Normal(a, b), 1).support
C.simplex.check(w), C.positive_definite.check(S), C.lower_cholesky.check(S), C.one_hot.check(torch.eye(3))
C.integer_interval(0, 2).check(v), C.boolean.check(k), C.real.check(a), C.unit_interval.check(a), C.interval(0, 1)
C.is_dependent(C.dependent), C.is_dependent(C.real)
C.dependent.check(a)
[(m, m(a), m.inv(m(a)), m.log_abs_det_jacobian(a, m(a))) for m in (T.ExpTransform(), T.SigmoidTransform(), T.TanhTransform(), T.SoftplusTransform(), T.AffineTransform(1.0, -2.0), T.AffineTransform(a, b), T.PowerTransform(b), T.AffineTransform(0.0, 2.0, event_dim=1))]
[(m, m(a), m.inv(m(a))) for m in (T.SoftmaxTransform(), T.StickBreakingTransform(), T.AbsTransform())]
T.StickBreakingTransform().log_abs_det_jacobian(a, T.StickBreakingTransform()(a))
m = T.ComposeTransform([T.ExpTransform(), T.AffineTransform(1.0, 2.0)]); out = (m, m(a), m.inv(m(a)), m.log_abs_det_jacobian(a, m(a)), m.domain, m.codomain, m.bijective, m.sign)
m = T.IndependentTransform(T.ExpTransform(), 1); out = (m, m.log_abs_det_jacobian(a, m(a)), m.domain)
m = T.ReshapeTransform((3,), (3, 1)); out = (m(a).shape, m.inv(m(a)).shape, m.forward_shape(torch.Size([2, 3])))
T.ReshapeTransform((3,), (2,))
T.LowerCholeskyTransform()(S), T.PositiveDefiniteTransform()(S)
T.ExpTransform(cache_size=2)
T.ExpTransform() == T.ExpTransform(), T.AffineTransform(0, 1) == T.AffineTransform(0, 2), T.ExpTransform().inv == T.ExpTransform().inv
torch.poisson(torch.tensor([0.0, 0.5, 5.0, 20.0, 1000.0]).double())
torch.poisson(-a)
D.Gamma(a, b).cdf(-v)
torch.binomial(torch.tensor([0.0, 5.0, 100.0, 100.0]), torch.tensor([0.5, 0.3, 0.9, 0.4]))
D.Gamma(torch.tensor([0.01, 0.5, 1.0, 50.0]).double(), 1.0).sample((3,))
D.Dirichlet(torch.tensor([0.1, 1.0, 20.0]).half()).sample((2,)).shape
""".strip().splitlines()


def cases():
    for made, value in MADE.items():
        yield f"d = {made}; out = (d, d.batch_shape, d.event_shape, d.has_rsample, d.support)"
        yield f"{made}.sample((5,))"
        yield f"{made}.log_prob({value})"
        for name in ("mean", "variance", "stddev", "mode"):
            yield f"{made}.{name}"
        yield f"{made}.entropy()"
        yield f"{made}.cdf({value})"
        yield f"{made}.icdf({value})"
    yield from SAME


CASES = list(cases())
