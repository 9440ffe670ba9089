"""Indexing and index assignment against what PyTorch gave (indexing.json, by tests/tools/record_indexing.py)."""

import json
import pathlib
import sys

import flambeau
import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tools"))
import record_indexing as recorder  # noqa: E402

CASES = json.loads((pathlib.Path(__file__).parent / "indexing.json").read_text())


def name(case):
    kind, base, index, value, _ = case
    base = "" if base == recorder.BASE else base
    return f"{base}[{index}]" + (f" = {value}" if kind == "set" else "")


@pytest.mark.parametrize("case", CASES, ids=name)
def test_as_pytorch(case):
    kind, base, index, value, want = case
    if kind == "get":
        got = recorder.run_get(flambeau, np, base, index)
    else:
        got = recorder.run_set(flambeau, np, base, index, value)
    assert got == want


def test_the_recorded_cases_are_the_tools_cases():
    assert [tuple(c[:4]) for c in CASES] == list(recorder.cases())
