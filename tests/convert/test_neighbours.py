"""NumPy, DLPack, buffers, constructors and storages, as recorded by tests/tools/record_neighbours.py."""

import json
import sys
from pathlib import Path

import flambeau
import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

import expressions  # noqa: E402

RECORDED = json.loads((HERE / "neighbours.json").read_text())["cases"]


@pytest.mark.parametrize("source", RECORDED)
def test_as_pytorch(source):
    expected, got = RECORDED[source], expressions.run(flambeau, source)
    # Not the warnings: PyTorch shows many of these once in a process, for whichever case comes first.
    assert {k: got.get(k) for k in ("value", "error")} == {k: expected.get(k) for k in ("value", "error")}
