"""The same seed gives PyTorch's numbers: draws, initialisers, layers' weights, samplers, generator states."""

import json
import math
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "nn")]

import flambeau  # noqa: E402
import random_cases  # noqa: E402
from describe import SEED, describe, evaluate, unpack, weights  # noqa: E402

RECORDED = json.loads((HERE / "recorded.json").read_text())

# A rounding of the dtype, where the values went through functions whose last bit PyTorch's library decides.
ROUNDING = {"float16": 1e-3, "bfloat16": 8e-3}


def close(got, want, tolerance):
    return len(got) == len(want) and all(
        math.isclose(g, w, rel_tol=tolerance, abs_tol=1e-6) for g, w in zip(got, want)
    )


@pytest.mark.parametrize("source", random_cases.EXACT)
def test_exact(source):
    assert json.loads(json.dumps(evaluate(flambeau, source, True))) == RECORDED["exact"][source]


@pytest.mark.parametrize("source", random_cases.CLOSE)
def test_close(source):
    (got, following), (want, expected) = evaluate(flambeau, source, False), RECORDED["close"][source]
    assert following == expected
    assert got[:3] == want[:3]
    tolerance = ROUNDING.get(got[0], 5e-6)
    assert close(got[3], want[3], tolerance), (got, want)
    assert close(got[4:], want[4:], max(tolerance, 1e-5)), (got, want)


@pytest.mark.parametrize("ctor", RECORDED["layers"])
def test_new_layer(ctor):
    assert weights(flambeau, ctor) == RECORDED["layers"][ctor]


def test_every_case_is_recorded():
    assert list(RECORDED["exact"]) == random_cases.EXACT
    assert list(RECORDED["close"]) == random_cases.CLOSE
    assert len(RECORDED["layers"]) > 70


def test_states_of_pytorch_continue_its_stream():
    """A state saved by PyTorch, with a normal number waiting in it, gives PyTorch's next numbers."""
    for state, draws in RECORDED["states"]:
        flambeau.set_rng_state(flambeau.tensor(list(unpack(state)), dtype=flambeau.uint8))
        following = [flambeau.randn(3), flambeau.rand(3), flambeau.randn(3, dtype=flambeau.float64)]
        assert [describe(flambeau, t, False) for t in following] == draws


def test_a_seed_matters():
    flambeau.manual_seed(SEED)
    a = flambeau.rand(4).tolist()
    flambeau.manual_seed(SEED + 1)
    assert flambeau.rand(4).tolist() != a
