"""Records what PyTorch makes of the calls in tests/ops/cases.py. Run with PyTorch's Python:

    python tests/tools/record_ops.py
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "ops"))

import torch  # noqa: E402
from cases import CASES  # noqa: E402
from describing import run  # noqa: E402

if __name__ == "__main__":
    found = {source: run(torch, source) for source in CASES}
    target = HERE.parent / "ops" / "recorded.json"
    target.write_text(json.dumps({"torch": torch.__version__, "cases": found}, indent=1) + "\n")
    print(f"{len(found)} cases into {target}", file=sys.stderr)
