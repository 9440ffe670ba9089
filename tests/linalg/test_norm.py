"""Norms of float32 are PyTorch's to the last bit: clipping by them decides the course of a training."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import flambeau  # noqa: E402
from norm_cases import norms  # noqa: E402


def test_norms():
    assert norms(flambeau) == json.loads((HERE / "norms.json").read_text())["norms"]


def test_threads_do_not_matter():
    before = flambeau.get_num_threads()
    flambeau.set_num_threads(1)
    try:
        one = norms(flambeau)
    finally:
        flambeau.set_num_threads(before)
    assert norms(flambeau) == one
