"""Records what copies and pickles of PyTorch's objects keep.

    python tests/tools/record_pickling.py > tests/convert/pickled.json

tests/convert/test_pickling.py runs `runs` again.
"""

import copy
import json
import pickle
import sys

VALUES = {
    "view": "t.t()[1:3]",
    "strided": "t.t()[1:].clone()",
    "requires grad": "t.clone().requires_grad_()",
    "not a leaf": "t.clone().requires_grad_() * 2",
    "bfloat16": "t.bfloat16()",
    "complex": "t.to(torch.complex64)",
    "bool": "t > 3",
    "empty": "torch.empty(0, 3)",
    "scalar": "torch.tensor(3.0)",
    "meta": "torch.empty(2, 3, device='meta')",
    "parameter": "torch.nn.Parameter(t.t())",
    "frozen parameter": "tagged(torch.nn.Parameter(t.clone(), requires_grad=False))",
    "tagged": "tagged(t.clone())",
    "float32": "torch.float32",
    "uint16": "torch.uint16",
    "float8": "torch.float8_e4m3fn",
    "layout": "torch.strided",
    "device": "torch.device('cuda', 1)",
    "size": "torch.Size([1, 2])",
    "generator": "torch.rand(3, generator=(g := torch.Generator().manual_seed(3))) is None or g",
    "module": "torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2)).eval()",
    "optimizer": "torch.optim.Adam([torch.nn.Parameter(torch.ones(2))], lr=0.5)",
    "typed storage": "t.clone()._typed_storage()",
    "function": "torch.add",
    "nn function": "torch.nn.functional.relu",
    "max": "torch.max(t, 0)",
    "shared": "(lambda a: {'whole': a, 'part': a[1:], 'again': a})(torch.zeros(4))",
    "graded": "(lambda x: x.sum().backward() or x)(t.clone().requires_grad_())",
}


def tagged(x):
    x.tag = [1]
    return x


def describe(torch, x, depth=0):
    if isinstance(x, torch.Tensor):
        row = [type(x).__name__, list(x.shape), list(x.stride()), x.storage_offset(), str(x.dtype)]
        row += [x.requires_grad, x.is_leaf, getattr(x, "tag", None), str(x.device)]
        if x.device.type != "meta":
            row += [x.tolist() if not x.is_complex() else str(x.tolist()), x.untyped_storage().nbytes()]
            row += [x.grad is not None and x.grad.tolist()]
        return row
    if isinstance(x, torch.Generator):
        return [torch.rand(2, generator=x).tolist(), x.initial_seed()]
    if isinstance(x, torch.nn.Module):
        torch.manual_seed(0)
        return [type(x).__name__, x.training, [list(v.shape) for v in x.state_dict().values()]]
    if isinstance(x, torch.optim.Optimizer):
        return [type(x).__name__, x.param_groups[0]["lr"], x.param_groups[0]["params"][0].tolist()]
    if isinstance(x, dict):
        x["whole"][1] = 5
        return [x["part"].tolist(), x["again"] is x["whole"]]
    if type(x).__name__ == "TypedStorage":
        return [type(x).__name__, list(x), str(x.dtype)]
    if isinstance(x, tuple) and not isinstance(x, torch.Size):
        return [type(x).__name__, [describe(torch, item) for item in x]]
    if callable(x):
        return x.__name__
    return [type(x).__name__, str(x)]


def runs(torch):
    """[name, way, what came out] of every value in every way to copy it."""
    t = torch.arange(12.0).reshape(3, 4)
    ways = {"copy": copy.copy, "deepcopy": copy.deepcopy}
    for protocol in range(2, 6):
        ways[f"pickle {protocol}"] = lambda x, p=protocol: pickle.loads(pickle.dumps(x, p))
    rows = []
    for name, expression in VALUES.items():
        for way, function in ways.items():
            value = eval(expression, {"torch": torch, "t": t, "tagged": tagged})
            try:
                out = describe(torch, function(value))
            except RuntimeError as error:
                out = f"{type(error).__name__}: {error}"
            rows.append([name, way, out])
    # A shallow copy shares memory.
    x = torch.zeros(3)
    copy.copy(x)[0] = 1
    rows.append(["shallow", "copy", x.tolist()])
    return rows


if __name__ == "__main__":
    import torch

    json.dump(runs(torch), sys.stdout)
