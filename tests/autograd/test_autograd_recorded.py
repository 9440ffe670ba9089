"""Gradients, graphs, views, hooks, modes and custom functions, as tests/tools/record_autograd.py recorded them."""

import importlib.util
import json
import sys
from pathlib import Path

import flambeau
import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

import expressions  # noqa: E402


def _load(name):
    # By path: other folders have a `cases` too.
    spec = importlib.util.spec_from_file_location(f"autograd_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


COMMON = _load("cases").namespace(flambeau)
GRAPH = {**COMMON, **_load("cases_graph").namespace(flambeau)}
FUNCTIONAL = {**COMMON, **_load("cases_functional").namespace(flambeau)}
FILES = (
    ("recorded", COMMON),
    ("recorded_views", COMMON),
    ("recorded_graph", GRAPH),
    ("recorded_functional", FUNCTIONAL),
)
ALL = [
    pytest.param(namespace, source, expected, id=source)
    for file, namespace in FILES
    for source, expected in json.loads((HERE / f"{file}.json").read_text())["cases"].items()
]


@pytest.mark.parametrize(("namespace", "source", "expected"), ALL)
def test_as_pytorch(namespace, source, expected):
    got = expressions.run(flambeau, source, dict(namespace))
    assert {k: got.get(k) for k in ("value", "error")} == {k: expected.get(k) for k in ("value", "error")}
    assert got["warnings"] == expected["warnings"]
