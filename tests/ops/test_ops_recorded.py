"""Operations against what PyTorch makes of the same calls (recorded.json, by tests/tools/record_ops.py)."""

import importlib.util
import json
import math
from pathlib import Path

import flambeau as torch
import pytest

HERE = Path(__file__).resolve().parent


def _load(name):
    # By path: other folders have modules of the same names.
    spec = importlib.util.spec_from_file_location(f"ops_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CASES, run = _load("cases").CASES, _load("describing").run
RECORDED = json.loads((HERE / "recorded.json").read_text())["cases"]
# Relative errors: a few units of the last place, and where PyTorch's own approximations are worse, theirs (by mpmath).
TOLERANCE = {"float64": 2e-12, "complex128": 2e-12, "float32": 2e-6, "complex64": 2e-6, "float16": 1e-3}
PYTORCHS_ERRORS = {"airy_ai": 1e-9, "bessel_j": 1e-10}
# Where larger numbers cancel: one unit of the largest result.
UNIT = {"float64": 2**-52, "complex128": 2**-52, "float32": 2**-23, "complex64": 2**-23}


def same(got, wanted, allowed=0.0):
    if isinstance(wanted, list):
        assert isinstance(got, list) and len(got) == len(wanted)
        for g, w in zip(got, wanted):
            same(g, w, allowed)
    elif isinstance(wanted, dict):
        assert (got["dtype"], got["shape"]) == (wanted["dtype"], wanted["shape"])
        numbers = [float(v) for v in wanted["numbers"]]
        scale = max((abs(v) for v in numbers if math.isfinite(v)), default=0.0)
        near = TOLERANCE.get(wanted["dtype"], 0.0)
        near = max(near, allowed) if wanted["dtype"] == "float64" else near
        apart = UNIT.get(wanted["dtype"], 0.0) * scale
        for g, w in zip(map(float, got["numbers"]), numbers):
            if math.isnan(w) or math.isinf(w):
                assert math.isnan(g) if math.isnan(w) else g == w
            else:
                assert abs(g - w) <= near * abs(w) + apart, (got["numbers"], wanted["numbers"])
    else:
        assert got == wanted


@pytest.mark.parametrize("source", CASES)
def test_as_pytorch(source):
    expected, got = RECORDED[source], run(torch, source)
    if "error" in expected:
        assert "error" in got, got
        kind, text = got["error"]
        assert kind == expected["error"][0]
        assert text[: len(expected["error"][1])] == expected["error"][1]
    else:
        assert "value" in got, got
        allowed = max((error for name, error in PYTORCHS_ERRORS.items() if name in source), default=0.0)
        same(got["value"], expected["value"], allowed)


def test_the_recorded_cases_are_the_cases():
    assert set(RECORDED) == set(CASES)


def test_bessel_functions_far_out():
    """Values from mpmath 1.3 at 30 digits, at 8.5, 30 and 1234.5 (negative for Airy's function)."""
    known = {
        "bessel_j0": [0.041939251842934504, -0.08636798358104021, -0.013550379618035721],
        "bessel_j1": [0.2731219636740537, -0.11875106261662294, 0.0182175083373925],
        "bessel_y0": [0.27020510536578746, -0.11729573168666403, 0.018222995047412552],
        "bessel_y1": [-0.02616867939853747, 0.08442557066174723, 0.013557761447180334],
        "airy_ai": [-0.33029023763020887, -0.08796818845684216, 0.0847327393708121],
    }
    x = torch.tensor([8.5, 30.0, 1234.5], dtype=torch.float64)
    for name, values in known.items():
        got = getattr(torch.special, name)(-x if name == "airy_ai" else x)
        assert torch.allclose(got, torch.tensor(values, dtype=torch.float64), rtol=1e-10, atol=1e-12), name


def test_random_factors():
    """Low-rank factors multiply back to a matrix of that rank."""
    torch.manual_seed(0)
    a = torch.randn(7, 2, dtype=torch.float64) @ torch.randn(2, 5, dtype=torch.float64)
    for matrix in (a, a.mT):
        u, s, v = torch.svd_lowrank(matrix, q=3)
        assert torch.allclose((u * s) @ v.mT, matrix)
    u, s, v = torch.pca_lowrank(a, q=2)
    assert torch.allclose((u * s) @ v.mT, a - a.mean(0))
    with pytest.raises(ValueError):
        torch.pca_lowrank(a, q=6)
    factors, pivots = torch.lu(a[:5])
    p, lower, upper = torch.lu_unpack(factors, pivots)
    assert torch.allclose(p @ lower @ upper, a[:5])
