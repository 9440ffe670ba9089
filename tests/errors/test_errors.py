"""Types and texts of errors against what PyTorch says (recorded.json, by tests/tools/record_errors.py)."""

import importlib.util
import json
import sys
from pathlib import Path

import flambeau as torch
import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

import expressions  # noqa: E402

# By path: other folders have a `cases` too.
_spec = importlib.util.spec_from_file_location("errors_cases", HERE / "cases.py")
_cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_cases)

RECORDED = json.loads((HERE / "recorded.json").read_text())["cases"]
NAMESPACE = _cases.namespace(torch)


@pytest.mark.parametrize("source", RECORDED)
def test_as_pytorch(source):
    expected, got = RECORDED[source], expressions.run(torch, source, NAMESPACE)
    assert got.get("value") == expected.get("value")
    if "error" in expected:
        # PyTorch's text stays whole; what flambeau adds follows it.
        kind, text = got["error"]
        assert kind == expected["error"][0]
        assert text[: len(expected["error"][1])] == expected["error"][1]


def test_the_recorded_cases_are_the_cases():
    assert set(RECORDED) == set(_cases.CASES)


ADDED = {
    "torch.ones(3) + torch.ones(4)": "add(): shapes [3], [4]",
    "torch.ones(2, 3) @ torch.ones(4, 5)": "matmul(): shapes [2, 3], [4, 5]",
    "torch.nn.Linear(3, 4)(torch.ones(2, 5))": "linear(): shapes [2, 5], [4, 3], [4]",
    "torch.nn.Conv2d(3, 4, 3)(torch.ones(2, 1, 8, 8))": "conv2d(): shapes [2, 1, 8, 8], [4, 3, 3, 3], [4]",
    "torch.cat([torch.ones(2, 3), torch.ones(2, 4)])": "cat(): shapes [2, 3], [2, 4]",
    "torch.stack([torch.ones(i) for i in range(6)])": "stack(): shapes [0], [1], [2], [3] and 2 more",
    "torch.ones(10).view(3, 4)": "view(): shape [10]",
    "torch.ones(2, 3).sum(2)": "sum(): shape [2, 3]",
    "torch.ones(3).expand(4)": "expand(): shape [3]",
    "torch.ones(3).copy_(torch.ones(4))": "copy_(): shapes [3], [4]",
    "torch.ones(3).add_(torch.ones(2, 3))": "add_(): shapes [3], [2, 3]",
    "torch.nn.functional.cross_entropy(torch.ones(3, 4), torch.tensor([0, 1]))": "cross_entropy(): shapes [3, 4], [2]",
    "torch.nn.functional.mse_loss(torch.ones(3), torch.ones(4))": "mse_loss(): shapes [3], [4]",
    "torch.tensordot(torch.ones(2, 3), torch.ones(4, 5), dims=1)": "tensordot(): shapes [2, 3], [4, 5]",
    "torch.einsum('ij,jk', torch.ones(2, 3), torch.ones(4, 5))": "einsum(): shapes [2, 3], [4, 5]",
    "torch.ones(2, 3).gather(1, torch.tensor([0]))": "gather(): shapes [2, 3], [1]",
    "torch.add(torch.ones(3), torch.ones(4), out=torch.ones(1))": "add(): shapes [3], [4]",
}


@pytest.mark.parametrize("source", ADDED)
@pytest.mark.filterwarnings("ignore")
def test_shape_errors_name_the_operation_and_all_shapes(source):
    with pytest.raises((RuntimeError, IndexError, ValueError)) as caught:
        eval(source, {"torch": torch})
    text, _, added = str(caught.value).partition("\n  in ")
    assert added == ADDED[source]
    assert text


def test_other_errors_are_left_alone():
    for source in ("torch.exp(torch.ones(2, dtype=bool), out=torch.ones(2).int())", "torch.ones(2, requires_grad=True).numpy()"):
        with pytest.raises(RuntimeError) as caught:
            eval(source, {"torch": torch})
        assert "\n" not in str(caught.value)
