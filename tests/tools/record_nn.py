"""Record what PyTorch does with every case and scenario of tests/nn: PY tests/tools/record_nn.py

Needs an interpreter with `torch`; writes tests/nn/data/layers.json and semantics.json.
"""

import json
import pathlib
import sys
import warnings

import torch

HERE = pathlib.Path(__file__).resolve().parent.parent / "nn"
sys.path.insert(0, str(HERE))

from cases import CASES  # noqa: E402
from evaluate import evaluate  # noqa: E402
from scenarios import SCENARIOS  # noqa: E402


def write(name, entries):
    """One line an entry, so that changes can be read."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in entries]
    path = HERE / "data" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{name}: {len(lines)} entries, {path.stat().st_size} bytes, torch {torch.__version__}")


def main():
    """Record everything."""
    torch.set_num_threads(1)
    write("layers.json", [(f"{c} <- {i}", evaluate(torch, torch.nn, c, i)) for c, i in CASES])
    warnings.simplefilter("ignore")
    write("semantics.json", [(s.__name__, s(torch, torch.nn)) for s in SCENARIOS])


if __name__ == "__main__":
    main()
