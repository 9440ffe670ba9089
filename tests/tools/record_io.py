"""Writes the files that tests/io reads: run with a Python that has PyTorch 2.15.

    python tests/tools/record_io.py

`state` is also built with flambeau, whose file must equal PyTorch's byte for byte but for its random id.
"""

import sys
from collections import OrderedDict
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "io" / "fixtures"
sys.path.insert(0, str(FOLDER.parent))


def state(torch):
    """A state with every element type that has a storage class, views, parameters and plain values."""
    weight = torch.arange(6.0).reshape(2, 3)
    entries = [("weight", weight), ("transposed", weight.t()), ("row", weight[1])]
    for name in "float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128".split():
        entries.append((name, torch.tensor([0, 1, 1]).to(getattr(torch, name))))
    entries += [
        ("empty", torch.empty(0, 2)),
        ("scalar", torch.tensor(2.5)),
        ("grad", torch.ones(2, requires_grad=True)),
        ("parameter", torch.nn.Parameter(torch.zeros(2))),
        ("plain", {"lr": 0.1, "betas": (0.9, 0.999), "none": None, "flags": [True, False], "big": 2**70}),
        ("ordered", OrderedDict(a=1, b=OrderedDict())),
    ]
    return OrderedDict(entries)


def main():
    import torch

    FOLDER.mkdir(exist_ok=True)
    torch.save(state(torch), FOLDER / "state.pth")
    torch.save(state(torch), FOLDER / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"u16": torch.tensor([1, 65535], dtype=torch.uint16)}, FOLDER / "uint16.pth")
    torch.manual_seed(0)
    param = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([param], lr=0.1)
    param.grad = torch.full((3,), 0.5)
    optimizer.step()
    torch.save({"param": param.detach(), "optimizer": optimizer.state_dict()}, FOLDER / "adam.pth")
    torch.save(torch.nn.Linear(2, 1), FOLDER / "linear.pth")
    interchange(torch)


def interchange(torch):
    """The objects of tests/io/interchange.py as PyTorch's files, in the new and in the old format."""
    from interchange import FILES

    folder = FOLDER / "interchange"
    folder.mkdir(exist_ok=True)
    for name, (make, _, old) in FILES.items():
        torch.save(make(torch), folder / f"{name}.pth")
        # The old format keeps the source text of modules, which does not belong here.
        if old and name != "modules":
            torch.save(make(torch), folder / f"{name}.old.pth", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main()
