"""torch.distributions: samples, densities, divergences and errors as recorded from real PyTorch."""

import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import flambeau  # noqa: E402
import cases_distributions as cases  # noqa: E402

RECORDED = json.loads((HERE / "recorded.json").read_text())


def same(ours, theirs):
    """Shape, dtype and values, these within a few last bits."""
    assert (ours["dtype"], ours["shape"]) == (theirs["dtype"], theirs["shape"])
    for a, b in zip(ours["values"], theirs["values"], strict=True):
        assert a == b or a == pytest.approx(b, rel=2e-5, abs=2e-6)


@pytest.mark.parametrize("name", cases.DISTRIBUTIONS)
def test_distribution(name):
    expected, found = RECORDED["distributions"][name], cases.describe(flambeau, name)
    assert list(found) == list(expected)
    for key, value in expected.items():
        if isinstance(value, dict):
            same(found[key], value)
        else:
            assert found[key] == value


@pytest.mark.parametrize("name", cases.PAIRS)
def test_divergence(name):
    same(cases.divergence(flambeau, name), RECORDED["divergences"][name])


@pytest.mark.parametrize("name", cases.ERRORS)
def test_error(name):
    assert cases.error(flambeau, name) == RECORDED["errors"][name]


def test_gradients():
    for ours, theirs in zip(cases.gradients(flambeau), RECORDED["gradients"], strict=True):
        same(ours, theirs)


def test_the_most_specific_divergence_is_taken():
    class Odd(flambeau.distributions.Normal):
        pass

    odd, normal = Odd(0.0, 1.0), flambeau.distributions.Normal(0.0, 2.0)
    assert flambeau.distributions.kl_divergence(odd, normal) > 0

    @flambeau.distributions.register_kl(Odd, flambeau.distributions.Normal)
    def rule(p, q):
        return "odd"

    assert flambeau.distributions.kl_divergence(odd, normal) == "odd"
    with pytest.raises(TypeError, match="Expected type_q to be a Distribution subclass but got 3"):
        flambeau.distributions.register_kl(Odd, 3)


def test_checks_can_be_left_out():
    D = flambeau.distributions
    assert D.Normal(0.0, -1.0, validate_args=False).scale.item() == -1.0
    D.Distribution.set_default_validate_args(False)
    try:
        D.Normal(0.0, -1.0)
    finally:
        D.Distribution.set_default_validate_args(True)
    with pytest.raises(ValueError, match="GreaterThan"):
        D.Normal(0.0, -1.0)


def test_gradients_of_beta_and_dirichlet_draws():
    D = flambeau.distributions
    flambeau.manual_seed(0)
    # With one concentration 1, the distribution function is a power: x = u^(1/a), and 1 - x = u^(1/b).
    a = flambeau.tensor([0.3, 1.0, 4.0, 60.0], dtype=flambeau.float64, requires_grad=True)
    x = D.Beta(a, flambeau.ones_like(a)).rsample((50,))
    (got,) = flambeau.autograd.grad(x.sum(), a)
    expected = (-x * x.log() / a).sum(0).detach()
    assert flambeau.allclose(got, expected, rtol=1e-9)
    x = D.Beta(flambeau.ones_like(a), a).rsample((50,))
    (got,) = flambeau.autograd.grad(x.sum(), a)
    expected = ((1 - x) * (1 - x).log() / a).sum(0).detach()
    assert flambeau.allclose(got, expected, rtol=1e-9)
    # Points stay on the simplex; on average they move as the mean does.
    c = flambeau.tensor([0.5, 2.0, 3.5], dtype=flambeau.float64, requires_grad=True)
    points = D.Dirichlet(c).rsample((20000,))
    assert points.grad_fn.name() == "_DirichletBackward"
    (kept,) = flambeau.autograd.grad(points.sum(), c, retain_graph=True)
    assert kept.abs().max() < 1e-8
    weights = flambeau.tensor([1.0, -2.0, 0.5], dtype=flambeau.float64)
    (got,) = flambeau.autograd.grad((points.mean(0) * weights).sum(), c)
    (exact,) = flambeau.autograd.grad((D.Dirichlet(c).mean * weights).sum(), c)
    assert flambeau.allclose(got, exact, atol=5e-3)
    with pytest.raises(NotImplementedError, match="\"dirichlet\" not implemented for 'Half'"):
        D.Dirichlet(flambeau.ones(2, dtype=flambeau.float16)).rsample()
