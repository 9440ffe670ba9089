"""Hooks, state dicts, containers, initialisers and errors against what PyTorch does."""

import json
import pathlib
import sys
import warnings

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import flambeau  # noqa: E402
from flambeau import nn  # noqa: E402
from scenarios import SCENARIOS  # noqa: E402
from test_layers import close  # noqa: E402

EXPECTED = json.loads((HERE / "data" / "semantics.json").read_text())


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.__name__)
def test_scenario(scenario):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = scenario(flambeau, nn)
    close(json.loads(json.dumps(got)), EXPECTED[scenario.__name__], scenario.__name__)


def test_every_scenario_is_recorded():
    assert sorted(EXPECTED) == sorted(s.__name__ for s in SCENARIOS)
