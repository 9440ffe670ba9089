"""Optimizers and schedulers against runs of PyTorch recorded by tests/tools/record_optim.py."""

import importlib.util
import json
import math
from pathlib import Path

import pytest

import flambeau

HERE = Path(__file__).parent
RECORDED = json.loads((HERE / "recorded.json").read_text())

_spec = importlib.util.spec_from_file_location("record_optim", HERE.parent / "tools" / "record_optim.py")
record_optim = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(record_optim)


def assert_close(actual, expected, path="", tolerance=2e-6):
    """Equal structure; numbers equal to a few roundings of float32."""
    if isinstance(expected, dict):
        assert list(actual) == list(expected), path
        for key in expected:
            assert_close(actual[key], expected[key], f"{path}.{key}", tolerance)
    elif isinstance(expected, list):
        assert len(actual) == len(expected), path
        for index, item in enumerate(expected):
            assert_close(actual[index], item, f"{path}[{index}]", tolerance)
    elif isinstance(expected, float):
        assert math.isclose(actual, expected, rel_tol=tolerance, abs_tol=tolerance), (path, actual, expected)
    else:
        assert actual == expected and type(actual) is type(expected), path


@pytest.mark.parametrize(
    "name, options, expected", RECORDED["optimizers"], ids=[f"{c[0]}-{c[1]}" for c in RECORDED["optimizers"]]
)
def test_optimizer(name, options, expected):
    actual = record_optim.run_optimizer(flambeau, name, options)
    # Curvature estimates of L-BFGS divide small differences, which magnifies roundings.
    assert_close(actual, expected, tolerance=2e-4 if name == "LBFGS" else 2e-6)


@pytest.mark.parametrize(
    "name, options, expected", RECORDED["schedulers"], ids=[f"{c[0]}-{c[1]}" for c in RECORDED["schedulers"]]
)
def test_scheduler(name, options, expected):
    actual = record_optim.run_scheduler(flambeau, name, options)
    keys, expected_keys = set(actual.pop("keys")), set(expected["keys"])
    # A function that is made anew after loading need not be kept.
    assert expected_keys - keys <= {"_scale_fn_ref"} and keys <= expected_keys
    assert_close(actual, {k: v for k, v in expected.items() if k != "keys"}, tolerance=1e-12)
