"""Parts of the package that are written in Python, as recorded by tests/tools/record_surface.py."""

import ast
import importlib
import json
import sys
from pathlib import Path

import flambeau
import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tools"), str(HERE)]

import expressions  # noqa: E402

CASES = []
for path in sorted(HERE.glob("*.json")):
    setup = importlib.import_module(f"surface_{path.stem}").SETUP
    for source, expected in json.loads(path.read_text())["cases"].items():
        CASES.append(pytest.param(setup, source, expected, id=f"{path.stem}: {source}"))


def number(node):
    """A number as repr writes it."""
    return eval(compile(node, "<number>", "eval"), {"__builtins__": {}, "nan": np.nan, "inf": np.inf})


def close(got, expected):
    """Equal, with numbers of floating-point tensors to within a few units of float32's last place."""
    if isinstance(expected, dict) and "tensor" in expected and isinstance(got, dict) and "tensor" in got:
        # Strides have tests of their own.
        rest = [{k: v for k, v in d.items() if k not in ("tensor", "stride")} for d in (got, expected)]
        if rest[0] != rest[1]:
            return False
        texts = (got["tensor"], expected["tensor"])
        if texts[0] == texts[1] or None in texts:
            return texts[0] == texts[1]
        a, b = (np.asarray(number(ast.parse(t, mode="eval"))) for t in texts)
        return "float" in expected["dtype"] and np.allclose(a, b, rtol=2e-5, atol=2e-6, equal_nan=True)
    if isinstance(expected, dict) and isinstance(got, dict):
        return got.keys() == expected.keys() and all(close(got[k], expected[k]) for k in expected)
    if isinstance(expected, list) and isinstance(got, list):
        return len(got) == len(expected) and all(map(close, got, expected))
    # Names of classes in messages.
    return got == expected or (isinstance(got, str) and got.replace("flambeau", "torch") == expected)


@pytest.mark.parametrize("setup, source, expected", CASES)
def test_as_pytorch(setup, source, expected):
    got = expressions.run(flambeau, source, setup=setup)
    if not close(got, expected):
        assert got == expected
