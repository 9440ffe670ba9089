"""Gradients, graphs, hooks, modes and custom functions, as tests/tools/record_autograd.py recorded them."""

import importlib.util
import json
import sys
from pathlib import Path

import flambeau
import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

import expressions  # noqa: E402

# By path: other folders have a `cases` too.
_spec = importlib.util.spec_from_file_location("autograd_cases", HERE / "cases.py")
_cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_cases)

RECORDED = json.loads((HERE / "recorded.json").read_text())["cases"]
NAMESPACE = _cases.namespace(flambeau)


@pytest.mark.parametrize("source", RECORDED)
def test_as_pytorch(source):
    expected, got = RECORDED[source], expressions.run(flambeau, source, NAMESPACE)
    assert {k: got.get(k) for k in ("value", "error")} == {k: expected.get(k) for k in ("value", "error")}
    assert got["warnings"] == expected["warnings"]
