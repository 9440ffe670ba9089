"""Records what PyTorch makes of tests/convert/cases.py. Run with PyTorch's Python:

    python tests/tools/record_convert.py
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "convert")]

import expressions  # noqa: E402
from cases import CASES  # noqa: E402

if __name__ == "__main__":
    expressions.record(CASES, HERE.parent / "convert" / "recorded.json")
