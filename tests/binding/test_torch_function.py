"""What subclasses see, as recorded by tests/tools/record_neighbours.py; and the helpers of torch.overrides."""

import json
import sys
from pathlib import Path

import flambeau
import pytest
from flambeau import overrides

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tools"), str(HERE)]

import expressions  # noqa: E402
import torch_function  # noqa: E402

RECORDED = json.loads((HERE / "torch_function.json").read_text())["cases"]
SCOPE = {"torch": flambeau}
exec(torch_function.SETUP, SCOPE)


@pytest.mark.parametrize("source", RECORDED)
def test_as_pytorch(source):
    got = expressions.run(flambeau, source, SCOPE)
    assert {k: got.get(k) for k in ("value", "error")} == {
        k: RECORDED[source].get(k) for k in ("value", "error")
    }


def test_parameters_take_no_part():
    assert not overrides.has_torch_function((flambeau.nn.Parameter(flambeau.ones(1)), flambeau.ones(1), 3))
    assert overrides.has_torch_function((3, SCOPE["mk"](SCOPE["S"])))


def test_any_class_can_take_part_in_a_wrapped_function():
    class Other:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return func.__name__, types, args, kwargs

    @overrides.wrap_torch_function(lambda x, scale=1: (x,))
    def stretch(x, scale=1):
        return x * scale

    other = Other()
    assert stretch(other, scale=2) == ("stretch", (Other,), (other,), {"scale": 2})
    assert stretch(flambeau.ones(1), 3).tolist() == [3.0]


def test_handlers_that_refuse():
    class Refusing(flambeau.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return NotImplemented

    with flambeau._C.DisableTorchFunctionSubclass():
        x = flambeau.ones(2).as_subclass(Refusing)
    for use in (lambda: x.shape, lambda: x.numel(), lambda: x + 1, lambda: len(x), lambda: x.relu()):
        with pytest.raises(TypeError, match="all __torch_function__ handlers returned NotImplemented"):
            use()


def test_names():
    assert overrides.resolve_name(flambeau.Tensor.shape.__get__) == "torch.Tensor.shape.__get__"
    assert overrides.resolve_name(flambeau.add) == "torch.add"
    assert overrides.is_tensor_method_or_property(flambeau.Tensor.shape.__get__)
    assert overrides.is_tensor_method_or_property(flambeau.Tensor.relu)
    assert not overrides.is_tensor_method_or_property(flambeau.cat)
