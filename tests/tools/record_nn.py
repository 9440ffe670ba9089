"""Record what PyTorch does with every case of tests/nn/cases.py: PY tests/tools/record_nn.py

Needs an interpreter with `torch`; writes tests/nn/data/layers.json.
"""

import json
import pathlib
import sys

import torch

HERE = pathlib.Path(__file__).resolve().parent.parent / "nn"
sys.path.insert(0, str(HERE))

from cases import CASES  # noqa: E402
from evaluate import evaluate  # noqa: E402


def main():
    """Write one line a case, so that changes can be read."""
    torch.set_num_threads(1)
    lines = []
    for ctor, inputs in CASES:
        key = f"{ctor} <- {inputs}"
        lines.append(f"{json.dumps(key)}: {json.dumps(evaluate(torch, torch.nn, ctor, inputs))}")
    path = HERE / "data" / "layers.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(lines)} cases, {path.stat().st_size} bytes, torch {torch.__version__}")


if __name__ == "__main__":
    main()
