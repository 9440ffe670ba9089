"""Arguments, right and wrong, against what PyTorch makes of them (arguments.json, by tests/tools/record_arguments.py)."""

import json
import pathlib
import sys

import flambeau
import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tools"))
import record_arguments as recorder  # noqa: E402

CASES = json.loads((pathlib.Path(__file__).parent / "arguments.json").read_text())


@pytest.mark.parametrize("source, want", CASES, ids=[c[0] for c in CASES])
def test_as_pytorch(source, want):
    assert recorder.run(flambeau, np, source) == want


def test_the_recorded_cases_are_the_tools_cases():
    assert [c[0] for c in CASES] == recorder.CASES


def test_methods_without_arguments_say_so():
    x = flambeau.ones(2)
    with pytest.raises(TypeError, match=r"Tensor\.exp\(\) takes no arguments \(1 given\)"):
        x.exp(1)
    with pytest.raises(TypeError, match=r"Tensor\.exp\(\) takes no keyword arguments"):
        x.exp(foo=1)


def test_out_is_returned_and_filled():
    x, out = flambeau.ones(3), flambeau.zeros(3)
    assert flambeau.add(x, x, out=out) is out
    assert out.tolist() == [2.0, 2.0, 2.0]


def test_out_of_several_results():
    x = flambeau.tensor([[1.0, 3.0], [4.0, 2.0]])
    values, indices = flambeau.empty(0), flambeau.empty(0, dtype=flambeau.int64)
    result = flambeau.max(x, 1, out=(values, indices))
    assert result.values is values and result.indices is indices
    assert (values.tolist(), indices.tolist()) == ([3.0, 4.0], [1, 0])


def test_inplace_returns_the_same_object():
    x = flambeau.ones(2)
    assert x.add_(1) is x
    y = x
    y *= 2
    assert y is x and x.tolist() == [4.0, 4.0]


def test_named_tuples():
    r = flambeau.max(flambeau.tensor([[1.0, 3.0]]), 1)
    assert type(r).__name__ == "max" and type(r) is type(flambeau.max(flambeau.ones(1, 1), 0))
    assert repr(r) == "torch.return_types.max(\nvalues=tensor([3.]),\nindices=tensor([1]))"
    values, indices = r
    assert values is r.values and indices is r[1]


def test_requires_grad_of_new_tensors():
    assert flambeau.zeros(2, requires_grad=True).requires_grad
    assert not flambeau.zeros(2).requires_grad


def test_default_device():
    with flambeau.device("meta"):
        assert flambeau.zeros(2).device.type == "meta"
        with flambeau.device("cpu"):
            assert flambeau.ones(2).device.type == "cpu"
        assert flambeau.zeros(2).device.type == "meta"
        assert flambeau.zeros_like(flambeau.zeros(2, device="cpu")).device.type == "cpu"
    assert flambeau.zeros(2).device.type == "cpu"


def test_default_dtype():
    assert flambeau.get_default_dtype() is flambeau.float32
    try:
        flambeau.set_default_dtype(flambeau.float64)
        assert flambeau.zeros(2).dtype is flambeau.float64
    finally:
        flambeau.set_default_dtype(flambeau.float32)


def test_functions_describe_themselves():
    assert flambeau.add.__name__ == "add" and flambeau.add.__module__ == "flambeau"
    assert flambeau.add.__doc__.startswith("add(input, other, *, alpha=1, out=None) -> Tensor")
    assert flambeau.Tensor.add.__doc__.startswith("add(other, *, alpha=1) -> Tensor")


def test_views_in_place():
    x = flambeau.arange(6.0).reshape(2, 3)
    y = flambeau.arange(6.0)
    assert y.unsqueeze_(0) is y and list(y.shape) == [1, 6]
    assert y.squeeze_().shape == (6,)
    z = x.clone()
    assert z.t_() is z and z.tolist() == x.t().tolist()
    leaf = flambeau.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        leaf.t_()
    w = leaf * 2
    w.t_()
    assert w.shape == (3, 2)
    (w * flambeau.arange(6.0).reshape(3, 2)).sum().backward()
    assert leaf.grad.tolist() == [[0.0, 4.0, 8.0], [2.0, 6.0, 10.0]]
