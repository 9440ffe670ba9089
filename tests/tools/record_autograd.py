"""Records what PyTorch makes of tests/autograd/cases.py. Run with PyTorch's Python:

    python tests/tools/record_autograd.py
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "autograd")]

import expressions  # noqa: E402
import torch  # noqa: E402
from cases import CASES, namespace  # noqa: E402

if __name__ == "__main__":
    expressions.record(CASES, HERE.parent / "autograd" / "recorded.json", namespace(torch))
