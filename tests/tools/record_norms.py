"""Records tests/linalg/norms.json with real PyTorch: PY tests/tools/record_norms.py"""

import json
import sys
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent.parent / "linalg"
sys.path.insert(0, str(HERE))

from norm_cases import norms  # noqa: E402


def main():
    """Write tests/linalg/norms.json, a line a case."""
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in norms(torch).items()]
    text = '{"torch": ' + json.dumps(torch.__version__) + ', "norms": {\n' + ",\n".join(lines) + "\n}}\n"
    (HERE / "norms.json").write_text(text)


if __name__ == "__main__":
    main()
