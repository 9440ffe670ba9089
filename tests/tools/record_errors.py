"""Records PyTorch's messages for tests/errors/cases.py. Run with PyTorch's Python:

    python tests/tools/record_errors.py
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "errors")]

import expressions  # noqa: E402
import torch  # noqa: E402
from cases import CASES, namespace  # noqa: E402

if __name__ == "__main__":
    expressions.record(CASES, HERE.parent / "errors" / "recorded.json", namespace(torch))
