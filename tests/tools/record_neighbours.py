"""Records what PyTorch makes of tests/convert/neighbours.py and of tests/binding/torch_function.py. Run with PyTorch's
Python:

    python tests/tools/record_neighbours.py
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "convert"), str(HERE.parent / "binding")]

import expressions  # noqa: E402
import neighbours  # noqa: E402
import torch_function  # noqa: E402

if __name__ == "__main__":
    expressions.record(neighbours.CASES, HERE.parent / "convert" / "neighbours.json")
    import torch

    target = HERE.parent / "binding" / "torch_function.json"
    scope = {"torch": torch}
    exec(torch_function.SETUP, scope)
    expressions.record(torch_function.CASES, target, scope)
