"""Data in and out of tensors, as recorded from PyTorch by tests/tools/record_convert.py."""

import json
import sys
from pathlib import Path

import flambeau
import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

import expressions  # noqa: E402

RECORDED = json.loads((HERE / "recorded.json").read_text())["cases"]


@pytest.fixture(scope="module", autouse=True)
def unwarned():
    """Some warnings come once in a process: the recording began with none given."""
    flambeau.storage._warned = False


@pytest.mark.parametrize("source", RECORDED)
def test_as_pytorch(source):
    expected, got = RECORDED[source], expressions.run(flambeau, source)
    assert {k: got.get(k) for k in ("value", "error")} == {k: expected.get(k) for k in ("value", "error")}
    assert got["warnings"] == expected["warnings"]
