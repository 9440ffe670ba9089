"""What `flambeau.nn` offers, and what importing it costs."""

import subprocess
import sys

import pytest

from flambeau import _C, nn


def test_native_functions_are_passed_through_unwrapped():
    for name in nn.functional.NATIVE:
        if hasattr(_C._nn, name):
            assert getattr(nn.functional, name) is getattr(_C._nn, name), name


def test_a_missing_native_function_is_named(monkeypatch):
    monkeypatch.delitem(vars(nn.functional), "linear")
    with pytest.raises(AttributeError, match="'linear'"):
        _ = nn.functional.linear
    with pytest.raises(AttributeError, match="'no_such_function'"):
        _ = nn.functional.no_such_function


def test_cross_entropy_loss_is_an_alias():
    assert nn.functional.cross_entropy_loss is nn.functional.cross_entropy


def test_call_without_hooks_is_one_frame():
    class M(nn.Module):
        def forward(self):
            return sys._getframe().f_back.f_back

    assert M()() is sys._getframe()


def test_import_needs_no_numpy_and_nothing_slow():
    code = (
        "import sys, flambeau; before = set(sys.modules); import flambeau.nn; "
        "print(*sorted((set(sys.modules) - before) & {'numpy', 'inspect', 'dataclasses', 'typing'}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == ""
