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
