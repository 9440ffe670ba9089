"""Every layer against what PyTorch does with it: printed form, weights for a seed, outputs, gradients."""

import json
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import flambeau  # noqa: E402
from cases import CASES  # noqa: E402
from evaluate import evaluate  # noqa: E402
from flambeau import nn  # noqa: E402

EXPECTED = json.loads((HERE / "data" / "layers.json").read_text())


def close(got, want, where):
    """Equal structure, shapes and dtypes; numbers within float32 rounding."""
    if isinstance(want, dict):
        assert isinstance(got, dict) and list(got) == list(want), where
        for k in want:
            close(got[k], want[k], f"{where}.{k}")
    elif isinstance(want, list):
        assert len(got) == len(want), f"{where}: {got} != {want}"
        for i, (g, w) in enumerate(zip(got, want)):
            close(g, w, f"{where}[{i}]")
    elif isinstance(want, float) and want == want and abs(want) != float("inf"):
        assert got == pytest.approx(want, rel=2e-4, abs=2e-4), where
    elif isinstance(want, float):
        assert str(got) == str(want), where
    else:
        assert got == want, where


@pytest.mark.parametrize("ctor,inputs", CASES, ids=[f"{c}-{i}" for i, (c, _) in enumerate(CASES)])
def test_layer(ctor, inputs):
    got = evaluate(flambeau, nn, ctor, inputs)
    close(json.loads(json.dumps(got)), EXPECTED[f"{ctor} <- {inputs}"], ctor)


def test_every_case_is_recorded():
    assert sorted(EXPECTED) == sorted(f"{c} <- {i}" for c, i in CASES)
