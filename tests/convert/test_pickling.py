"""copy, deepcopy and pickle of tensors and their kin keep what PyTorch's keep."""

import importlib.util
import json
import pickle
from pathlib import Path

import pytest

import flambeau

HERE = Path(__file__).parent
RECORDED = json.loads((HERE / "pickled.json").read_text())
_spec = importlib.util.spec_from_file_location("record_pickling", HERE.parent / "tools" / "record_pickling.py")
record_pickling = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(record_pickling)


def test_copies_and_pickles_keep_what_pytorch_keeps():
    actual = json.loads(json.dumps(record_pickling.runs(flambeau)))
    assert [row[:2] for row in actual] == [row[:2] for row in RECORDED]
    for (name, way, out), (_, _, expected) in zip(actual, RECORDED):
        assert out == expected, (name, way)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_singletons_stay_single(protocol):
    for name in ("float32", "bfloat16", "uint16", "strided", "contiguous_format", "channels_last", "preserve_format"):
        value = getattr(flambeau, name)
        assert pickle.loads(pickle.dumps(value, protocol)) is value
    for function in (flambeau.add, flambeau.nn.functional.relu, flambeau.special.expm1, flambeau.Tensor.add):
        assert pickle.loads(pickle.dumps(function, protocol)) is function


def test_dtypes_without_storage_names_and_untyped_storages():
    x = flambeau.arange(4).to(flambeau.uint16)
    assert pickle.loads(pickle.dumps(x)).tolist() == [0, 1, 2, 3]
    storage = pickle.loads(pickle.dumps(x.untyped_storage()))
    assert storage.tolist() == [0, 0, 1, 0, 2, 0, 3, 0]


class Tagged(flambeau.Tensor):
    pass


def test_subclasses_keep_class_and_attributes():
    x = flambeau.arange(3.0).as_subclass(Tagged)
    x.note = "n"
    for protocol in range(2, 6):
        y = pickle.loads(pickle.dumps(x, protocol))
        assert type(y) is Tagged and y.note == "n" and y.tolist() == [0, 1, 2]


def test_hooks_are_not_pickled_and_warn():
    x = flambeau.ones(2, requires_grad=True)
    x.register_hook(lambda grad: grad)
    with pytest.warns(UserWarning, match="backward hook .* will not be serialized"):
        y = pickle.loads(pickle.dumps(x))
    assert y.requires_grad and not y._backward_hooks
