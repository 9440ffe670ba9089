"""The graphs behind results, walked from Python, against PyTorch's (nodes.json, by tests/tools/record_nodes.py)."""

import json
import sys
from pathlib import Path

import flambeau
import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

import record_nodes as recorder  # noqa: E402

TABLE = json.loads((HERE / "nodes.json").read_text())
DIFFERENT = recorder.nodes_cases.known_different()


def _case(expression):
    if expression not in DIFFERENT:
        return expression
    return pytest.param(expression, marks=pytest.mark.xfail(strict=True, reason=DIFFERENT[expression]))


def test_known_differences_are_cases():
    assert set(DIFFERENT) <= set(TABLE)


@pytest.mark.parametrize("expression", [_case(e) for e in TABLE])
def test_as_pytorch(expression):
    assert recorder.run(flambeau, expression) == TABLE[expression]
