"""Tensors print as PyTorch prints them: a table recorded by tests/tools/record_printing.py."""

import json
import math
from pathlib import Path

import pytest

import flambeau
from flambeau import _tensor_str

CASES = json.loads((Path(__file__).parent / "recorded.json").read_text())["cases"]


@pytest.fixture(autouse=True)
def default_options():
    yield
    _tensor_str.set_printoptions(profile="default")


def make(expression):
    return eval(expression, {"torch": flambeau, "math": math, "float": float, "complex": complex})


@pytest.mark.parametrize("expression, options, expected", CASES, ids=[f"{c[0]}{c[1] or ''}" for c in CASES])
def test_repr(expression, options, expected):
    tensor = make(expression)
    with _tensor_str.printoptions(**options):
        text = _tensor_str._str(tensor)
    if type(tensor) is flambeau.nn.Parameter:
        text = "Parameter containing:\n" + text
    assert text == expected


def test_options_are_restored_after_an_error():
    before = _tensor_str.get_printoptions()
    with pytest.raises(ZeroDivisionError), _tensor_str.printoptions(precision=1, sci_mode=True):
        assert _tensor_str.get_printoptions() == {**before, "precision": 1, "sci_mode": True}
        raise ZeroDivisionError
    assert _tensor_str.get_printoptions() == before


def test_set_printoptions_resets_only_sci_mode():
    _tensor_str.set_printoptions(precision=7, sci_mode=True)
    _tensor_str.set_printoptions(linewidth=60)
    options = _tensor_str.get_printoptions()
    assert options["precision"] == 7 and options["linewidth"] == 60 and options["sci_mode"] is None


def test_subclass_prints_its_own_name():
    class Mine(flambeau.Tensor):
        pass

    tensor = flambeau.tensor([1.0, 2.0]).as_subclass(Mine)
    assert _tensor_str._str(tensor) == "Mine([1., 2.])"


def test_contents_can_be_given():
    text = _tensor_str._str(flambeau.ones(2, requires_grad=True), tensor_contents="hello")
    assert text == "tensor(hello, requires_grad=True)"
